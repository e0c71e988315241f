/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads expressions (expression.h) by recursive descent, one function a level of precedence:
 *
 *   sum      product {(+|-) product}
 *   product  unary {(*|/) unary}
 *   unary    {-} (number | inf | (sum) | function(…) | term)
 *
 * What is read is written at once as code for evaluate.c. Only what stands between parentheses is
 * read by a deeper call, so that the depth of nesting bounds the stack.
 */
#include <math.h>
#include <string.h>

#include "recipe/value.h"
#include "study/expression_code.h"

enum kind { OF_NUMBERS, OVER_SEEDS, OF_SERIES, OVER_WHERES };

static const struct function {
    const char *name;
    enum kind kind;
    enum fi_action action;
    int numbers; /* arguments besides the term */
    bool more;   /* and any number of further ones */
} functions[] = {
    {"abs", OF_NUMBERS, FI_DO_ABS, 1, false},
    {"log", OF_NUMBERS, FI_DO_LOG, 1, false},
    {"log10", OF_NUMBERS, FI_DO_LOG10, 1, false},
    {"exp", OF_NUMBERS, FI_DO_EXP, 1, false},
    {"sqrt", OF_NUMBERS, FI_DO_SQRT, 1, false},
    {"min", OF_NUMBERS, FI_DO_MIN, 2, true},
    {"max", OF_NUMBERS, FI_DO_MAX, 2, true},
    {"mean", OVER_SEEDS, FI_DO_MEAN, 1, false},
    {"sd", OVER_SEEDS, FI_DO_SD, 1, false},
    {"reach", OF_SERIES, FI_DO_REACH, 1, false},
    {"reach_above", OF_SERIES, FI_DO_REACH_ABOVE, 1, false},
    {"lowest", OF_SERIES, FI_DO_LOWEST, 0, false},
    {"highest", OF_SERIES, FI_DO_HIGHEST, 0, false},
    {"steps", OF_SERIES, FI_DO_STEPS, 0, false},
    {"slope", OF_SERIES, FI_DO_SLOPE, 2, false},
    {"largest", OVER_WHERES, FI_DO_LARGEST, 0, false},
    {"smallest", OVER_WHERES, FI_DO_SMALLEST, 0, false},
    {"average", OVER_WHERES, FI_DO_AVERAGE, 0, false},
};

struct parser {
    struct fi_expression_reader *in;
    struct fi_code *code;
    struct fi_term *terms;
    int64_t n_code, cap_code, n_terms, cap_terms;
    int64_t waiting, depth; /* operands on the stack, and at most */
    int nested;
    bool varies; /* what was read last */
};

/* ---- bytes ---------------------------------------------------------------------------------------- */

/* In ASCII, whatever the locale. */
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_name(char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '.';
}

/* What conditions and layers may hold without quotes. */
static bool is_word(char c) {
    return is_name(c) || (c && strchr("+-/:%", c)) || (unsigned char)c >= 0x80;
}

static void skip_space(struct fi_expression_reader *in) {
    in->at += strspn(in->at, " \t\r\n");
}

static bool take(struct fi_expression_reader *in, char c) {
    if (*in->at != c) return false;
    in->at++;
    skip_space(in);
    return true;
}

/* The character of the text, from 1, that `at` points to: UTF-8 continues with 10xxxxxx. */
static int character(const struct fi_expression_reader *in, const char *at) {
    int n = 1;
    for (const char *c = in->text; c < at; c++) n += ((unsigned char)*c & 0xc0u) != 0x80u;
    return n;
}

enum fanin_status fi_expression_expected(const struct fi_expression_reader *in,
                                         const char *expected) {
    fanin_ctx *ctx = in->arena->ctx;
    const int at = character(in, in->at);
    if (!*in->at)
        return fi_fail(ctx, FANIN_ERR_RECIPE, "%s: expected %s at character %d, found the end",
                       in->what, expected, at);
    int length = 0;
    while (length < 40 && is_word(in->at[length])) length++;
    while (length > 0 && ((unsigned char)in->at[length] & 0xc0u) == 0x80u) length--;
    const char *quote = *in->at == '\'' ? "\"" : "'";
    return fi_fail(ctx, FANIN_ERR_RECIPE, "%s: expected %s at character %d, found %s%.*s%s",
                   in->what, expected, at, quote, FI_MAX(length, 1), in->at, quote);
}

enum fanin_status fi_expression_open(struct fi_expression_reader *in, struct fi_arena *arena,
                                     const char *what, const char *text) {
    *in = (struct fi_expression_reader){.arena = arena, .what = what, .text = text, .at = text};
    if (strlen(text) > FI_EXPRESSION_MAX_BYTES)
        return fi_fail(arena->ctx, FANIN_ERR_RECIPE,
                       "%s: the text is longer than %d bytes: make several of it", what,
                       FI_EXPRESSION_MAX_BYTES);
    skip_space(in);
    return FANIN_OK;
}

/* ---- words ---------------------------------------------------------------------------------------- */

/* The text from `from` up to `to`. */
static enum fanin_status copy(struct parser *p, const char *from, const char *to,
                              const char **out) {
    *out = fi_arena_printf(p->in->arena, "%.*s", (int)(to - from), from);
    return *out ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* A word, or a text in quotes of either kind, which cannot hold its own. */
static enum fanin_status read_word(struct parser *p, const char *expected, const char **out,
                                   bool *quoted) {
    struct fi_expression_reader *in = p->in;
    const char *from = in->at, *to;
    *quoted = *from == '\'' || *from == '"';
    if (*quoted) {
        to = strchr(++from, *in->at);
        if (!to) return fi_expression_expected(in, "a text that ends in its quote");
        in->at = to + 1;
    } else {
        for (to = from; is_word(*to);) to++;
        if (to == from) return fi_expression_expected(in, expected);
        in->at = to;
    }
    FI_TRY(copy(p, from, to, out));
    skip_space(in);
    return FANIN_OK;
}

/* A number that begins here: digits and letters as far as they go, e+5 and e-5 among them. */
static enum fanin_status read_number(struct parser *p, double *number) {
    struct fi_expression_reader *in = p->in;
    const char *to = in->at;
    while (is_name(*to) ||
           ((*to == '+' || *to == '-') && (to[-1] == 'e' || to[-1] == 'E') && is_digit(to[1])))
        to++;
    const char *text;
    FI_TRY(copy(p, in->at, to, &text));
    const enum fi_value_kind kind = fi_scalar_classify(text, number);
    if ((kind != FI_VALUE_INT && kind != FI_VALUE_REAL) || !isfinite(*number))
        return fi_expression_expected(in, "a number");
    in->at = to;
    skip_space(in);
    return FANIN_OK;
}

/* ---- code ----------------------------------------------------------------------------------------- */

static enum fanin_status emit(struct parser *p, struct fi_code code) {
    void *memory = p->code;
    FI_TRY(fi_arena_grow(p->in->arena, &memory, &p->cap_code, p->n_code + 1, sizeof code));
    p->code = memory;
    p->code[p->n_code++] = code;
    p->waiting += 1 - code.operands;
    p->depth = FI_MAX(p->depth, p->waiting);
    return FANIN_OK;
}

static enum fanin_status emit_action(struct parser *p, enum fi_action action, int operands) {
    return emit(p, (struct fi_code){.action = action, .operands = operands});
}

static enum fanin_status emit_number(struct parser *p, double number) {
    p->varies = false;
    return emit(p, (struct fi_code){.action = FI_DO_NUMBER, .number = number});
}

/* ---- terms ---------------------------------------------------------------------------------------- */

static enum fanin_status read_selector(struct parser *p, struct fi_selector *out) {
    const char *word;
    bool quoted;
    FI_TRY(read_word(p, "a condition", &word, &quoted));
    *out = (struct fi_selector){.value = word, .number = NAN};
    if (take(p->in, '=')) {
        out->axis = word;
        FI_TRY(read_word(p, "a value", &out->value, &quoted));
    }
    double number;
    const enum fi_value_kind kind = fi_scalar_classify(out->value, &number);
    if (!quoted && (kind == FI_VALUE_INT || kind == FI_VALUE_REAL)) out->number = number;
    return FANIN_OK;
}

static enum fanin_status read_selectors(struct parser *p, struct fi_term *term) {
    struct fi_selector *items = NULL;
    int64_t cap = 0;
    do {
        void *memory = items;
        FI_TRY(fi_arena_grow(p->in->arena, &memory, &cap, term->n_selectors + 1, sizeof *items));
        items = memory;
        FI_TRY(read_selector(p, &items[term->n_selectors++]));
    } while (take(p->in, ','));
    term->selectors = items;
    return take(p->in, ')') ? FANIN_OK : fi_expression_expected(p->in, "',' or ')'");
}

static enum fanin_status read_step(struct parser *p, struct fi_term *term) {
    int digits = 0;
    term->step = 0;
    for (; digits < 15 && is_digit(p->in->at[digits]); digits++)
        term->step = term->step * 10 + (p->in->at[digits] - '0');
    if (digits == 0 || is_name(p->in->at[digits]))
        return fi_expression_expected(p->in, "a step, a whole number,");
    p->in->at += digits;
    skip_space(p->in);
    return FANIN_OK;
}

/* A term that begins with the name before `end`. *index: where it stands among the terms. */
static enum fanin_status read_term(struct parser *p, const char *end, enum fi_term_use use,
                                   int64_t *index) {
    struct fi_expression_reader *in = p->in;
    struct fi_term term = {.use = use, .step = -1, .at = character(in, in->at)};
    bool quoted;
    FI_TRY(copy(p, in->at, end, &term.figure));
    in->at = end;
    skip_space(in);
    if (take(in, '[')) {
        FI_TRY(read_word(p, "the name of a layer or parameter", &term.where, &quoted));
        if (!take(in, ']')) return fi_expression_expected(in, "']'");
    }
    if (take(in, '@')) FI_TRY(read_step(p, &term));
    if (take(in, '(')) FI_TRY(read_selectors(p, &term));
    void *memory = p->terms;
    FI_TRY(fi_arena_grow(in->arena, &memory, &p->cap_terms, p->n_terms + 1, sizeof term));
    p->terms = memory;
    p->terms[p->n_terms] = term;
    *index = p->n_terms++;
    p->varies = true;
    return FANIN_OK;
}

/* ---- the grammar ---------------------------------------------------------------------------------- */

static enum fanin_status read_sum(struct parser *p);

static const char *name_end(const char *from) {
    const char *to = from;
    if (is_letter(*to) || *to == '_')
        while (is_name(*to)) to++;
    return to;
}

static const struct function *function_of(const char *from, const char *to) {
    if (to[strspn(to, " \t\r\n")] != '(') return NULL;
    for (int i = 0; i < FI_COUNT(functions); i++)
        if (strlen(functions[i].name) == (size_t)(to - from) &&
            memcmp(functions[i].name, from, (size_t)(to - from)) == 0)
            return &functions[i];
    return NULL;
}

/* The term that a function takes first. */
static enum fanin_status read_subject(struct parser *p, const struct function *f, int64_t *index) {
    struct fi_expression_reader *in = p->in;
    const char *end = name_end(in->at);
    if (end == in->at || function_of(in->at, end)) return fi_expression_expected(in, "a figure");
    const bool series = f->kind == OF_SERIES;
    FI_TRY(read_term(p, end, series ? FI_TERM_SERIES : FI_TERM_WHERES, index));
    const struct fi_term *term = &p->terms[*index];
    if (series && term->step >= 0)
        return fi_fail(in->arena->ctx, FANIN_ERR_RECIPE,
                       "%s: %s at character %d looks at all steps: leave out '@%lld'", in->what,
                       f->name, term->at, (long long)term->step);
    if (!series && term->where)
        return fi_fail(in->arena->ctx, FANIN_ERR_RECIPE,
                       "%s: %s at character %d looks at all layers: leave out '[%s]'", in->what,
                       f->name, term->at, term->where);
    return FANIN_OK;
}

static enum fanin_status read_function(struct parser *p, const struct function *f) {
    struct fi_expression_reader *in = p->in;
    in->at = name_end(in->at);
    skip_space(in);
    (void)take(in, '(');
    const bool subject = f->kind == OF_SERIES || f->kind == OVER_WHERES;
    int64_t term = 0;
    bool varies = subject;
    if (subject) FI_TRY(read_subject(p, f, &term));
    int n = 0;
    for (; n < f->numbers || (f->more && *in->at == ','); n++) {
        if ((subject || n > 0) && !take(in, ',')) return fi_expression_expected(in, "','");
        FI_TRY(read_sum(p));
        varies = varies || p->varies;
        if (f->more && n > 0) FI_TRY(emit_action(p, f->action, 2));
    }
    if (!take(in, ')')) return fi_expression_expected(in, f->more ? "',' or ')'" : "')'");
    p->varies = varies && f->kind != OVER_SEEDS;
    if (f->more) return FANIN_OK;
    return emit(p, (struct fi_code){.action = f->action, .operands = f->numbers, .term = term});
}

static enum fanin_status read_primary(struct parser *p) {
    struct fi_expression_reader *in = p->in;
    if (is_digit(*in->at) || *in->at == '.') {
        double number;
        FI_TRY(read_number(p, &number));
        return emit_number(p, number);
    }
    const char *end = name_end(in->at);
    const struct function *f = end > in->at ? function_of(in->at, end) : NULL;
    if (f || *in->at == '(') {
        if (p->nested >= FI_EXPRESSION_MAX_DEPTH)
            return fi_fail(in->arena->ctx, FANIN_ERR_RECIPE,
                           "%s: more than %d parentheses within each other at character %d",
                           in->what, FI_EXPRESSION_MAX_DEPTH, character(in, in->at));
        p->nested++;
        if (f) {
            FI_TRY(read_function(p, f));
        } else {
            (void)take(in, '(');
            FI_TRY(read_sum(p));
            if (!take(in, ')')) return fi_expression_expected(in, "an operator or ')'");
        }
        p->nested--;
        return FANIN_OK;
    }
    if (end == in->at) return fi_expression_expected(in, "a figure, a number or '('");
    if (end - in->at == 3 && memcmp(in->at, "inf", 3) == 0) {
        in->at = end;
        skip_space(in);
        return emit_number(p, INFINITY);
    }
    int64_t term;
    FI_TRY(read_term(p, end, FI_TERM_VALUE, &term));
    return emit(p, (struct fi_code){.action = FI_DO_VALUE, .term = term});
}

static enum fanin_status read_unary(struct parser *p) {
    bool negative = false;
    while (take(p->in, '-')) negative = !negative;
    FI_TRY(read_primary(p));
    return negative ? emit_action(p, FI_DO_NEGATE, 1) : FANIN_OK;
}

/* One of the two operators of a level stands here. */
static bool take_either(struct fi_expression_reader *in, char one, char other, bool *is_other) {
    *is_other = *in->at == other;
    return take(in, one) || take(in, other);
}

static enum fanin_status read_product(struct parser *p) {
    FI_TRY(read_unary(p));
    bool varies = p->varies, divide;
    while (take_either(p->in, '*', '/', &divide)) {
        FI_TRY(read_unary(p));
        varies = varies || p->varies;
        FI_TRY(emit_action(p, divide ? FI_DO_DIVIDE : FI_DO_MULTIPLY, 2));
    }
    p->varies = varies;
    return FANIN_OK;
}

static enum fanin_status read_sum(struct parser *p) {
    FI_TRY(read_product(p));
    bool varies = p->varies, subtract;
    while (take_either(p->in, '+', '-', &subtract)) {
        FI_TRY(read_product(p));
        varies = varies || p->varies;
        FI_TRY(emit_action(p, subtract ? FI_DO_SUBTRACT : FI_DO_ADD, 2));
    }
    p->varies = varies;
    return FANIN_OK;
}

enum fanin_status fi_expression_read(struct fi_expression_reader *reader,
                                     struct fi_expression *out) {
    struct parser p = {.in = reader};
    *out = (struct fi_expression){0};
    FI_TRY(read_sum(&p));
    *out = (struct fi_expression){p.code, p.n_code, p.depth, p.varies, p.terms, p.n_terms};
    return FANIN_OK;
}

enum fanin_status fi_expression_parse(struct fi_arena *arena, struct fi_expression *out,
                                      const char *what, const char *text) {
    struct fi_expression_reader reader;
    *out = (struct fi_expression){0};
    FI_TRY(fi_expression_open(&reader, arena, what, text));
    FI_TRY(fi_expression_read(&reader, out));
    return *reader.at ? fi_expression_expected(&reader, "an operator or the end") : FANIN_OK;
}
