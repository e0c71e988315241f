/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as a claim of a study, and as an expression. What is read is decided for
 * some seeds, whose values the first byte chooses; what is refused must say why in one line. The
 * seed corpus is tests/fuzz/corpus/expression.
 */
#include "fuzz_support.h"
#include "study/claim.h"

#define SEEDS 6

/* Whole, missing, infinite, equal, far apart: which of them hangs on the term and the way. */
static double number(const struct fi_term *term, int64_t seed, uint64_t way) {
    static const double numbers[] = {0,         1,   NAN,     -2.5, INFINITY, 1e-300,
                                     -INFINITY, 0.1, 1.7e308, 0.1,  -1.7e308, 5e-324};
    uint64_t hash = fi_hash_mix(fi_hash_text(term->figure), way);
    if (way & 1) hash = fi_hash_mix(hash, (uint64_t)seed);
    if (way & 2) return (double)(hash % 97) / 7;
    return numbers[hash % FI_COUNT(numbers)];
}

static enum fanin_status values(void *of, const struct fi_term *term, double *out) {
    for (int64_t s = 0; s < SEEDS; s++) out[s] = number(term, s, *(const uint8_t *)of);
    return FANIN_OK;
}

static enum fanin_status series(void *of, const struct fi_term *term, int64_t seed,
                                const int64_t **steps, const double **out, int64_t *n) {
    static const int64_t at[5] = {0, 1, 7, 1000, INT64_MAX};
    static double v[5];
    const uint8_t way = *(const uint8_t *)of;
    for (int k = 0; k < 5; k++) v[k] = number(term, seed + k, way | 1);
    *steps = at;
    *out = v;
    *n = way >> 2 & 7;
    *n = FI_MIN(*n, 5);
    return FANIN_OK;
}

static enum fanin_status wheres(void *of, const struct fi_term *term, const char *const **names,
                                int64_t *n) {
    static const char *const layers[] = {"a", "b"};
    (void)term;
    *names = layers;
    *n = *(const uint8_t *)of >> 5 & 1 ? 2 : 0;
    return FANIN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const tests[] = {NULL, "paired", "welch", "sign", "exact"};
    fanin_ctx *ctx = fuzz_ctx();
    if (size == 0) return 0;
    char *text = malloc(size);
    check(text);
    memcpy(text, bytes + 1, size - 1);
    text[size - 1] = '\0';
    uint8_t way = bytes[0];
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fi_term_source terms = {SEEDS, &way, values, series, wheres};
    const struct fi_claim_options options = {"c", text, NULL, tests[way % 5], 0};
    struct fi_claim *claim;
    struct fi_claim_result result;
    if (fi_claim_parse(&arena, &claim, &options) == FANIN_OK) {
        check(fi_claim_decide(&arena, &result, claim, &terms) == FANIN_OK);
        check(*result.sentence && !strchr(result.sentence, '\n'));
        check((result.more_seeds == 0) == (result.verdict != FI_UNDECIDED));
    } else {
        check_refused(ctx);
    }
    struct fi_expression expression;
    double out[SEEDS];
    if (fi_expression_parse(&arena, &expression, "e", text) == FANIN_OK)
        check(fi_expression_values(&expression, ctx, &terms, out) == FANIN_OK);
    else
        check_refused(ctx);
    fi_arena_free(&arena);
    free(text);
    return 0;
}
