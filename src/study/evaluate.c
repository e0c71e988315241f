/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluates expressions (expression.h): a machine with a stack of operands, each a number for every
 * seed. NaN goes through all arithmetic, so that a seed without a value stays one.
 *
 * The rate of exponential growth: the slope b of log v = a + b step by least squares, b = Σ (s - s̄)
 * log v / Σ (s - s̄)².
 */
#include <math.h>

#include "study/expression_code.h"
#include "study/statistics.h"

/* ---- a seed at a time ------------------------------------------------------------------------------ */

/* Unlike fmin and fmax these keep NaN. */
static double least(double a, double b) {
    return isnan(a) || a < b ? a : b;
}

static double most(double a, double b) {
    return isnan(a) || a > b ? a : b;
}

static double of_two(enum fi_action action, double a, double b) {
    switch (action) {
    case FI_DO_ADD:
        return a + b;
    case FI_DO_SUBTRACT:
        return a - b;
    case FI_DO_MULTIPLY:
        return a * b;
    case FI_DO_DIVIDE:
        return a / b;
    case FI_DO_MIN:
        return least(a, b);
    default:
        return most(a, b);
    }
}

static double of_one(enum fi_action action, double a) {
    switch (action) {
    case FI_DO_NEGATE:
        return -a;
    case FI_DO_ABS:
        return fabs(a);
    case FI_DO_LOG:
        return log(a);
    case FI_DO_LOG10:
        return log10(a);
    case FI_DO_EXP:
        return exp(a);
    default:
        return sqrt(a);
    }
}

/* ---- a series --------------------------------------------------------------------------------------- */

struct series {
    const int64_t *steps;
    const double *values;
    int64_t n;
};

static bool in_fit(const struct series *s, int64_t i, double from, double to) {
    const double step = (double)s->steps[i];
    return step >= from && step <= to && s->values[i] > 0 && isfinite(s->values[i]);
}

static double slope(const struct series *s, double from, double to) {
    double n = 0, middle = 0, top = 0, bottom = 0;
    for (int64_t i = 0; i < s->n; i++) {
        if (!in_fit(s, i, from, to)) continue;
        middle += (double)s->steps[i];
        n++;
    }
    middle /= n;
    for (int64_t i = 0; i < s->n; i++) {
        if (!in_fit(s, i, from, to)) continue;
        const double off = (double)s->steps[i] - middle;
        top += off * log(s->values[i]);
        bottom += off * off;
    }
    return bottom > 0 ? top / bottom : NAN;
}

/* The first step at which the values are as low as `bound`, or as high. */
static double reach(const struct series *s, double bound, bool above) {
    if (isnan(bound)) return NAN;
    for (int64_t i = 0; i < s->n; i++)
        if (above ? s->values[i] >= bound : s->values[i] <= bound) return (double)s->steps[i];
    return INFINITY;
}

static double extreme(const struct series *s, bool highest) {
    double found = NAN;
    for (int64_t i = 0; i < s->n; i++) {
        const double v = s->values[i];
        if (isnan(found) || (highest ? v > found : v < found)) found = v;
    }
    return found;
}

static double of_series(enum fi_action action, const struct series *s, double x, double y) {
    if (s->n == 0) return NAN;
    switch (action) {
    case FI_DO_REACH:
    case FI_DO_REACH_ABOVE:
        return reach(s, x, action == FI_DO_REACH_ABOVE);
    case FI_DO_LOWEST:
    case FI_DO_HIGHEST:
        return extreme(s, action == FI_DO_HIGHEST);
    case FI_DO_SLOPE:
        return slope(s, x, y);
    default:
        return (double)s->steps[s->n - 1];
    }
}

/* ---- instructions ----------------------------------------------------------------------------------- */

struct machine {
    const struct fi_expression *expression;
    const struct fi_term_source *terms;
    int64_t n;      /* seeds */
    double *stack;  /* depth × n */
    double *spare;  /* n: the values of one where */
    int64_t *count; /* n: wheres that a seed has */
};

/* x, y: the operands, n numbers each; the result replaces x. */
static enum fanin_status run_series(const struct machine *m, const struct fi_code *code, double *x,
                                    const double *y) {
    const struct fi_term_source *terms = m->terms;
    for (int64_t seed = 0; seed < m->n; seed++) {
        struct series s = {0};
        FI_TRY(terms->series(terms->of, &m->expression->terms[code->term], seed, &s.steps,
                             &s.values, &s.n));
        x[seed] = of_series(code->action, &s, code->operands > 0 ? x[seed] : NAN,
                            code->operands > 1 ? y[seed] : NAN);
    }
    return FANIN_OK;
}

static enum fanin_status run_wheres(const struct machine *m, const struct fi_code *code,
                                    double *x) {
    const struct fi_term_source *terms = m->terms;
    struct fi_term term = m->expression->terms[code->term];
    const char *const *names = NULL;
    int64_t n_names = 0;
    FI_TRY(terms->wheres(terms->of, &term, &names, &n_names));
    for (int64_t seed = 0; seed < m->n; seed++) {
        x[seed] = NAN;
        m->count[seed] = 0;
    }
    for (int64_t i = 0; i < n_names; i++) {
        term.where = names[i];
        FI_TRY(terms->values(terms->of, &term, m->spare));
        for (int64_t seed = 0; seed < m->n; seed++) {
            const double v = m->spare[seed], so_far = x[seed];
            if (isnan(v)) continue;
            if (m->count[seed]++ == 0)
                x[seed] = v;
            else if (code->action == FI_DO_AVERAGE)
                x[seed] = so_far + v;
            else
                x[seed] = code->action == FI_DO_LARGEST ? most(so_far, v) : least(so_far, v);
        }
    }
    for (int64_t seed = 0; seed < m->n && code->action == FI_DO_AVERAGE; seed++)
        x[seed] /= (double)m->count[seed];
    return FANIN_OK;
}

static void over_seeds(const struct machine *m, enum fi_action action, double *x) {
    struct fi_summary summary;
    fi_summarize(&summary, x, m->n, 0.95);
    for (int64_t seed = 0; seed < m->n; seed++)
        x[seed] = action == FI_DO_MEAN ? summary.mean : summary.sd;
}

/* x: the first operand, and where the result goes. */
static enum fanin_status run(const struct machine *m, const struct fi_code *code, double *x) {
    const double *y = x + m->n;
    switch (code->action) {
    case FI_DO_VALUE:
        return m->terms->values(m->terms->of, &m->expression->terms[code->term], x);
    case FI_DO_NUMBER:
        for (int64_t seed = 0; seed < m->n; seed++) x[seed] = code->number;
        return FANIN_OK;
    case FI_DO_MEAN:
    case FI_DO_SD:
        over_seeds(m, code->action, x);
        return FANIN_OK;
    case FI_DO_REACH:
    case FI_DO_REACH_ABOVE:
    case FI_DO_LOWEST:
    case FI_DO_HIGHEST:
    case FI_DO_STEPS:
    case FI_DO_SLOPE:
        return run_series(m, code, x, y);
    case FI_DO_LARGEST:
    case FI_DO_SMALLEST:
    case FI_DO_AVERAGE:
        return run_wheres(m, code, x);
    default:
        for (int64_t seed = 0; seed < m->n; seed++)
            x[seed] = code->operands == 2 ? of_two(code->action, x[seed], y[seed])
                                          : of_one(code->action, x[seed]);
        return FANIN_OK;
    }
}

static enum fanin_status evaluate(struct machine *m, struct fi_arena *arena, double *values) {
    int64_t size;
    if (!fi_mul(m->expression->depth, m->n, &size))
        return fi_fail(arena->ctx, FANIN_ERR_MEMORY, "an expression of too many seeds");
    m->stack = fi_arena_alloc(arena, size, sizeof *m->stack);
    m->spare = fi_arena_alloc(arena, m->n, sizeof *m->spare);
    m->count = fi_arena_alloc(arena, m->n, sizeof *m->count);
    if (!m->stack || !m->spare || !m->count) return FANIN_ERR_MEMORY;
    int64_t waiting = 0;
    for (int64_t i = 0; i < m->expression->n_code; i++) {
        const struct fi_code *code = &m->expression->code[i];
        waiting -= code->operands;
        FI_TRY(run(m, code, m->stack + waiting * m->n));
        waiting++;
    }
    for (int64_t seed = 0; seed < m->n; seed++) values[seed] = m->stack[seed];
    return FANIN_OK;
}

enum fanin_status fi_expression_values(const struct fi_expression *expression, fanin_ctx *ctx,
                                       const struct fi_term_source *terms, double *values) {
    struct machine m = {.expression = expression, .terms = terms, .n = terms->n_seeds};
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const enum fanin_status status = evaluate(&m, &arena, values);
    fi_arena_free(&arena);
    return status;
}
