/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads claims (claim.h): expressions with comparisons between them, and how each is tested. What
 * cannot be tested as asked is refused here, before anything is trained for it.
 */
#include "study/claim.h"

#include <string.h>

static const char *const compare_names[] = {
    [FI_LESS] = "<",      [FI_AT_MOST] = "<=", [FI_GREATER] = ">",
    [FI_AT_LEAST] = ">=", [FI_EQUAL] = "==",   [FI_UNEQUAL] = "!=",
};

const char *fi_compare_name(enum fi_compare compare) {
    return compare_names[compare];
}

const char *fi_verdict_name(enum fi_verdict verdict) {
    static const char *const names[] = {
        [FI_FAILS] = "fails", [FI_UNDECIDED] = "undecided", [FI_HOLDS] = "holds"};
    return names[verdict];
}

struct parser {
    struct fi_expression_reader in;
    struct fi_claim *claim;
    struct fi_claim_side *sides;
    struct fi_claim_pair *pairs;
    int64_t cap_sides, cap_pairs;
    int test; /* as asked; -1: the default */
};

/* The longest that stands here; false: none. */
static bool read_compare(struct fi_expression_reader *in, enum fi_compare *out) {
    size_t longest = 0;
    for (int i = 0; i < FI_COUNT(compare_names); i++) {
        const size_t length = strlen(compare_names[i]);
        if (length <= longest || strncmp(in->at, compare_names[i], length) != 0) continue;
        longest = length;
        *out = (enum fi_compare)i;
    }
    in->at += longest;
    in->at += strspn(in->at, " \t\r\n");
    return longest > 0;
}

static enum fanin_status read_side(struct parser *p) {
    struct fi_claim *claim = p->claim;
    void *memory = p->sides;
    FI_TRY(
        fi_arena_grow(p->in.arena, &memory, &p->cap_sides, claim->n_sides + 1, sizeof *p->sides));
    p->sides = memory;
    struct fi_claim_side *side = &p->sides[claim->n_sides++];
    const char *from = p->in.at;
    FI_TRY(fi_expression_read(&p->in, &side->expression));
    const char *to = p->in.at;
    while (to > from && strchr(" \t\r\n", to[-1])) to--;
    side->text = fi_arena_printf(p->in.arena, "%.*s", (int)(to - from), from);
    return side->text ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* How the comparison before the side that was read last is tested. */
static enum fanin_status choose_test(struct parser *p, struct fi_claim_pair *pair) {
    const struct fi_claim_side *right = &p->sides[p->claim->n_sides - 1], *left = right - 1;
    fanin_ctx *ctx = p->in.arena->ctx;
    const bool equality = pair->compare == FI_EQUAL || pair->compare == FI_UNEQUAL;
    const bool varies = left->expression.varies || right->expression.varies;
    pair->test = p->test >= 0          ? (enum fi_claim_test)p->test
                 : equality || !varies ? FI_TEST_EXACT
                                       : FI_TEST_PAIRED;
    if (pair->test == FI_TEST_EXACT) return FANIN_OK;
    if (equality)
        return fi_fail(ctx, FANIN_ERR_RECIPE,
                       "%s: '%s' is true or not in every seed: leave out 'test', or say 'exact'",
                       p->in.what, compare_names[pair->compare]);
    if (!varies)
        return fi_fail(ctx, FANIN_ERR_RECIPE,
                       "%s: neither '%s' nor '%s' varies between seeds, so there is nothing to "
                       "test: leave out 'test', or say 'exact'",
                       p->in.what, left->text, right->text);
    return FANIN_OK;
}

static enum fanin_status read_pairs(struct parser *p) {
    static const char comparison[] = "a comparison (< <= > >= == !=)";
    struct fi_claim *claim = p->claim;
    FI_TRY(read_side(p));
    if (!*p->in.at) return fi_expression_expected(&p->in, comparison);
    while (*p->in.at) {
        void *memory = p->pairs;
        FI_TRY(
            fi_arena_grow(p->in.arena, &memory, &p->cap_pairs, claim->n_sides, sizeof *p->pairs));
        p->pairs = memory;
        struct fi_claim_pair *pair = &p->pairs[claim->n_sides - 1];
        if (!read_compare(&p->in, &pair->compare))
            return fi_expression_expected(&p->in, claim->n_sides == 1
                                                      ? "an operator or a comparison"
                                                      : "an operator, a comparison or the end");
        FI_TRY(read_side(p));
        FI_TRY(choose_test(p, pair));
    }
    claim->sides = p->sides;
    claim->pairs = p->pairs;
    return FANIN_OK;
}

static enum fanin_status gather_terms(struct parser *p) {
    struct fi_claim *claim = p->claim;
    struct fi_term *terms = NULL;
    int64_t cap = 0;
    for (int64_t s = 0; s < claim->n_sides; s++) {
        const struct fi_expression *e = &claim->sides[s].expression;
        if (e->n_terms == 0) continue;
        void *memory = terms;
        FI_TRY(
            fi_arena_grow(p->in.arena, &memory, &cap, claim->n_terms + e->n_terms, sizeof *terms));
        terms = memory;
        memcpy(terms + claim->n_terms, e->terms, (size_t)e->n_terms * sizeof *terms);
        claim->n_terms += e->n_terms;
    }
    claim->terms = terms;
    if (claim->n_terms > 0) return FANIN_OK;
    return fi_fail(p->in.arena->ctx, FANIN_ERR_RECIPE,
                   "%s: '%s' names no figure, so it says nothing of the runs", p->in.what,
                   claim->text);
}

static enum fanin_status read_options(struct parser *p, const struct fi_claim_options *options,
                                      const char *what) {
    fanin_ctx *ctx = p->in.arena->ctx;
    if (options->level != 0 && !(options->level > 0 && options->level < 0.5))
        return fi_fail(ctx, FANIN_ERR_RECIPE,
                       "%s: level %g is no chance above 0 and below 0.5 (0.01: 1 %%)", what,
                       options->level);
    p->claim->level = options->level > 0 ? options->level : FI_CLAIM_LEVEL;
    p->test = options->test ? fi_word_index(FI_CLAIM_TESTS, options->test) : -1;
    if (options->test && p->test < 0)
        return fi_fail(ctx, FANIN_ERR_RECIPE, "%s: test '%s' is none of paired, welch, sign, exact",
                       what, options->test);
    return FANIN_OK;
}

enum fanin_status fi_claim_parse(struct fi_arena *arena, struct fi_claim **out,
                                 const struct fi_claim_options *options) {
    struct parser p = {.claim = fi_arena_alloc(arena, 1, sizeof *p.claim)};
    *out = NULL;
    if (!p.claim) return FANIN_ERR_MEMORY;
    p.in.arena = arena;
    p.claim->name = fi_arena_strdup(arena, options->name);
    char *text = fi_arena_strdup(arena, options->text);
    p.claim->text = text;
    p.claim->source = options->source ? fi_arena_strdup(arena, options->source) : NULL;
    const char *what = fi_arena_printf(arena, "claim '%.200s'", options->name);
    if (!p.claim->name || !text || !what || (options->source && !p.claim->source))
        return FANIN_ERR_MEMORY;
    /* a claim may go over several lines of its file; what quotes it is one line */
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    FI_TRY(read_options(&p, options, what));
    FI_TRY(fi_expression_open(&p.in, arena, what, p.claim->text));
    FI_TRY(read_pairs(&p));
    FI_TRY(gather_terms(&p));
    *out = p.claim;
    return FANIN_OK;
}
