/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Optimizers and schedules against PyTorch: tests/golden/optim.txt and (where the
 * momentum is scheduled) training.txt, written by tools/golden/optim.py and training.py. The file
 * says by name what to run with which attributes, so another case needs no line here.
 *
 * Weights after each of ten steps: rtol 1.3e-6, atol 1e-5, as for all golden vectors, on every
 * tier. Schedules are double on both sides: 1e-12, what PyTorch's recursive forms gather in 30
 * steps.
 */
#include "golden/lines.h"
#include "schedule/schedule.h"
#include "support/records.h"

#define MAX_SIZE 16
#define STEPS 10 /* the generator's */

/* ---- attributes from name=value words ------------------------------------------------------------ */

struct given {
    struct fanin_attr attrs[8];
    int64_t n;
    double lists[8][8];
    double l2, decay, cycle;
};

static bool is_word(const char *text) {
    return text[0] >= 'a' && text[0] <= 'z';
}

/* l2 and decay are regularizers here, cycle is two schedules: kept apart. */
static void read_given(struct given *g) {
    memset(g, 0, sizeof *g);
    for (char *word; (word = strtok(NULL, " \n"));) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = 0;
        double *apart = strcmp(word, "l2") == 0      ? &g->l2
                        : strcmp(word, "decay") == 0 ? &g->decay
                        : strcmp(word, "cycle") == 0 ? &g->cycle
                                                     : NULL;
        if (apart) {
            *apart = strtod(value, NULL);
            continue;
        }
        struct fanin_attr *a = &g->attrs[g->n];
        a->name = word;
        if (is_word(value)) {
            a->text = value;
        } else if (strchr(value, ',')) {
            a->list = g->lists[g->n];
            for (char *at = value; *at; at += *at == ',')
                g->lists[g->n][a->n_list++] = strtod(at, &at);
        } else {
            a->number = strtod(value, NULL);
        }
        g->n++;
    }
}

/* ---- optimizers ------------------------------------------------------------------------------------ */

struct problem {
    int64_t n;
    double matrix[MAX_SIZE][MAX_SIZE], vector[MAX_SIZE], start[MAX_SIZE];
};

struct run {
    const struct fi_optim *optim;
    const struct fi_reg *l2;
    const void *l2_attrs;
    struct fi_optim_step step;
    struct fi_pace lr, momentum;
    double base1, base2, decay;
    fi_real w[MAX_SIZE], states[3][MAX_SIZE];
};

/* The rate goes up and down, the momentum down to 1/depth and up. */
static void begin_cycle(struct run *r, struct fi_arena *arena, double depth) {
    const struct fanin_attr inverse[] = {{.name = "inverse", .number = 1},
                                         {.name = "div", .number = depth}};
    const struct fanin_rule_ref up = test_rule(arena, "schedule", "one_cycle", NULL, 0);
    const struct fanin_rule_ref down = test_rule(arena, "schedule", "one_cycle", inverse, 2);
    r->lr.schedule = (const struct fi_schedule *)(const void *)up.record;
    r->lr.attrs = up.attrs;
    r->momentum.schedule = (const struct fi_schedule *)(const void *)down.record;
    r->momentum.attrs = down.attrs;
}

static void begin(struct run *r, struct fi_arena *arena, const struct problem *p, const char *name,
                  const struct given *g) {
    const struct fanin_attr strength = {.number = g->l2};
    const struct fanin_rule_ref optim = test_rule(arena, "optim", name, g->attrs, g->n);
    const struct fanin_rule_ref l2 = test_rule(arena, "reg", "l2", &strength, 1);
    *r = (struct run){.optim = (const struct fi_optim *)(const void *)optim.record,
                      .l2 = (const struct fi_reg *)(const void *)l2.record,
                      .l2_attrs = l2.attrs,
                      .decay = g->decay};
    r->step = (struct fi_optim_step){.attrs = optim.attrs, .pow1 = 1, .pow2 = 1, .momentum = 1};
    r->lr.base = r->optim->lr(optim.attrs);
    if (g->cycle > 0) begin_cycle(r, arena, g->cycle);
    if (r->optim->powers) r->optim->powers(optim.attrs, &r->base1, &r->base2);
    for (int64_t i = 0; i < p->n; i++) r->w[i] = (fi_real)p->start[i];
}

static void step(struct run *r, const struct problem *p) {
    fi_real g[MAX_SIZE], *state[] = {r->states[0], r->states[1], r->states[2]};
    for (int64_t i = 0; i < p->n; i++) {
        double sum = -p->vector[i];
        for (int64_t j = 0; j < p->n; j++) sum += p->matrix[i][j] * (double)r->w[j];
        g[i] = (fi_real)sum;
    }
    r->l2->gradient(r->l2_attrs, 1, r->w, g, p->n);
    r->step.lr = r->lr.base * fi_pace_factor(&r->lr, r->step.t, STEPS, 1);
    r->step.momentum = fi_pace_factor(&r->momentum, r->step.t, STEPS, 1);
    r->step.t++;
    r->step.pow1 *= r->base1 * r->step.momentum;
    r->step.pow2 *= r->base2;
    r->optim->update(&r->step, (fi_real)r->decay, r->w, g, state, p->n);
}

static void read_problem(FILE *file, struct problem *p) {
    int64_t row = 0;
    double size;
    golden_line(file, "size"), golden_numbers(&size, 1);
    p->n = (int64_t)size;
    assert_true(p->n > 0 && p->n <= MAX_SIZE);
    for (; row < p->n; row++) golden_line(file, "matrix"), golden_numbers(p->matrix[row], p->n);
    golden_line(file, "vector"), golden_numbers(p->vector, p->n);
    golden_line(file, "start"), golden_numbers(p->start, p->n);
}

static int optimizers_on(fanin_ctx *ctx, const char *name_of_file) {
    FILE *file = golden_open(name_of_file);
    struct problem p;
    struct run r = {0};
    struct given g;
    struct fi_arena arena;
    char name[32] = "";
    int steps = 0;
    fi_arena_init(&arena, ctx);
    read_problem(file, &p);
    for (char *kind; (kind = golden_next(file)) && strcmp(kind, "schedule") != 0;) {
        if (strcmp(kind, "optim") == 0) {
            snprintf(name, sizeof name, "%s", strtok(NULL, " \n"));
            read_given(&g);
            begin(&r, &arena, &p, name, &g);
            continue;
        }
        double want[MAX_SIZE];
        assert_string_equal(kind, "weights");
        golden_numbers(want, p.n);
        step(&r, &p);
        steps++;
        for (int64_t i = 0; i < p.n; i++)
            if (!(fabs((double)r.w[i] - want[i]) <= 1e-5 + 1.3e-6 * fabs(want[i])))
                fail_msg("%s, step %d, weight %d: %.9g, not %.9g", name, (int)r.step.t, (int)i,
                         (double)r.w[i], want[i]);
    }
    fi_arena_free(&arena);
    fclose(file);
    return steps;
}

static void optimizers(void **state) {
    (void)state;
    FOR_EACH_TIER(ctx, 1) {
        assert_true(optimizers_on(ctx, "optim.txt") >= 200);
        assert_true(optimizers_on(ctx, "training.txt") >= 3 * STEPS);
    }
}

/* ---- schedules --------------------------------------------------------------------------------------- */

static int schedules_of(fanin_ctx *ctx, const char *name_of_file) {
    FILE *file = golden_open(name_of_file);
    struct given g;
    int cases = 0;
    for (char *kind; (kind = golden_next(file));) {
        struct fi_arena arena;
        struct fanin_rule_ref ref;
        double run[3], want[30];
        if (strcmp(kind, "schedule") != 0) continue;
        fi_arena_init(&arena, ctx);
        const char *name = strtok(NULL, " \n");
        read_given(&g);
        ref = test_rule(&arena, "schedule", name, g.attrs, g.n);
        golden_line(file, "run"), golden_numbers(run, 3);
        golden_line(file, "factors"), golden_numbers(want, 30);
        for (int64_t i = 0; i < 30; i++) {
            const double factor =
                fi_schedule_factor((const struct fi_schedule *)(const void *)ref.record, ref.attrs,
                                   i * (int64_t)run[2], (int64_t)run[0], (int64_t)run[1]);
            if (!(fabs(factor - want[i]) <= 1e-12))
                fail_msg("%s, point %d: %.17g, not %.17g", ref.record->name, (int)i, factor,
                         want[i]);
        }
        cases++;
        fi_arena_free(&arena);
    }
    fclose(file);
    return cases;
}

static void schedules(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    assert_true(schedules_of(ctx, "optim.txt") >= 14);
    assert_true(schedules_of(ctx, "training.txt") >= 7);
    fanin_ctx_free(ctx);
}

/* Factors of a plateau on the rate 0.4, epoch by epoch. */
static void plateaus(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    FILE *file = golden_open("training.txt");
    struct fi_arena arena;
    struct given g;
    struct fi_pace pace = {.base = 0.4};
    int epochs = 0;
    bool higher = false;
    fi_arena_init(&arena, ctx);
    for (char *kind; (kind = golden_next(file));) {
        if (strcmp(kind, "plateau") == 0) {
            read_given(&g);
            const struct fanin_rule_ref ref = test_rule(&arena, "schedule", kind, g.attrs, g.n);
            pace.schedule = (const struct fi_schedule *)(const void *)ref.record;
            pace.attrs = ref.attrs;
            memset(pace.state, 0, sizeof pace.state);
            higher = strcmp(pace.schedule->metric(pace.attrs), "loss") != 0;
            assert_true(fi_pace_factor(&pace, 0, 30, 1) == 1);
        } else if (strcmp(kind, "epoch") == 0) {
            double line[2];
            golden_numbers(line, 2);
            pace.schedule->observe(pace.attrs, pace.base, line[0], higher, pace.state);
            const double factor = fi_pace_factor(&pace, 7, 30, 1);
            if (!(fabs(factor - line[1]) <= 1e-12))
                fail_msg("epoch %d: %.17g, not %.17g", epochs % 30, factor, line[1]);
            epochs++;
        }
    }
    assert_true(epochs >= 5 * 30);
    fclose(file);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(optimizers), cmocka_unit_test(schedules),
                                    cmocka_unit_test(plateaus)};

int main(void) {
    return test_main(tests);
}
