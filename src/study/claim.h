/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of a study: two expressions with a comparison between them, tested over the seeds.
 *
 *   test.error(normalized) < test.error(standard) - 0.02
 *   0.9 < units.std[dense5](kaiming) < 1.1              each comparison must hold
 *
 * Tests, one-sided at `level` (0.01 unless said otherwise):
 *   paired  t-test of right - left, seed by seed: the default of < <= > >=
 *   welch   t-test of the two means, as if the seeds of the sides had nothing to do with each other
 *   sign    sign test of the pairs: asks only which is greater, how often
 *   exact   no test: every single seed. The default of == and !=, which have no other (equal to the
 *           last bit; 0 and -0 are equal), and where neither side varies between seeds, as in
 *           sd(a) < sd(b), which has no other either
 *
 * Verdicts: a claim HOLDS if its test is significant, FAILS if that of the opposite is, and is
 * UNDECIDED otherwise. Where all seeds (two at least) have the same difference, this point decides.
 * Exactly: it fails with any seed that is against it, and is undecided while a seed has no value.
 * A chain is as good as the worst of its comparisons.
 *
 * Seeds without a value on one of the sides (NaN) are left out and counted; the sentence tells. An
 * infinite value (never reached) leaves no t-test: then the sign test is used, and told.
 */
#ifndef FI_STUDY_CLAIM_H
#define FI_STUDY_CLAIM_H

#include "study/expression.h"
#include "study/statistics.h"

#define FI_CLAIM_LEVEL 0.01
#define FI_CLAIM_COVERAGE 0.95 /* of all intervals */
#define FI_CLAIM_TESTS "paired|welch|sign|exact"

/* In the order of FI_CLAIM_TESTS. */
enum fi_claim_test { FI_TEST_PAIRED, FI_TEST_WELCH, FI_TEST_SIGN, FI_TEST_EXACT };
enum fi_compare { FI_LESS, FI_AT_MOST, FI_GREATER, FI_AT_LEAST, FI_EQUAL, FI_UNEQUAL };
/* From the worst to the best. */
enum fi_verdict { FI_FAILS, FI_UNDECIDED, FI_HOLDS };

struct fi_claim_options {
    const char *name, *text;
    const char *source; /* NULL: none */
    const char *test;   /* one of FI_CLAIM_TESTS; NULL: the default of each comparison */
    double level;       /* 0: FI_CLAIM_LEVEL; else above 0 and below 0.5 */
};

struct fi_claim_side {
    const char *text;
    struct fi_expression expression;
};

/* Between sides i and i + 1. */
struct fi_claim_pair {
    enum fi_compare compare;
    enum fi_claim_test test;
};

struct fi_claim {
    const char *name, *text, *source;
    double level;
    const struct fi_claim_side *sides; /* at least two */
    const struct fi_claim_pair *pairs; /* n_sides - 1 */
    int64_t n_sides;
    const struct fi_term *terms; /* of all sides: what the claim needs */
    int64_t n_terms;
};

/* Texts are copied. Errors: RECIPE ("claim 'x': …", with the character where it is the text),
 * MEMORY. */
enum fanin_status fi_claim_parse(struct fi_arena *arena, struct fi_claim **out,
                                 const struct fi_claim_options *options);

/* What came out of one comparison. */
struct fi_claim_finding {
    enum fi_verdict verdict;
    enum fi_claim_test test;       /* that was used */
    int64_t n;                     /* seeds that count (the smaller side's for welch; 1 where
                                      neither side varies) */
    int64_t missing;               /* seeds left out */
    struct fi_summary left, right; /* of the seeds that count */
    double difference;             /* mean of right - left, whatever the comparison */
    double low, high;              /* its 95 % interval; NaN: there is none */
    double p;                      /* of the claim, one-sided; NaN: exact, or not to be had */
    int64_t agree, against;        /* seeds as claimed, and not */
    int64_t first_against;         /* the first such seed's number, from 0; -1 */
    int64_t more_seeds;            /* that would decide: FI_SEEDS_*; 0: decided */
    const char *sentence;
};

struct fi_claim_result {
    enum fi_verdict verdict;
    int64_t more_seeds; /* the most of the undecided comparisons, FI_SEEDS_UNKNOWN if of any */
    struct fi_claim_finding *findings;
    int64_t n_findings;
    /* One line, ± half the 95 % interval: "left 0.0612 ± 0.004, right 0.0921 ± 0.006, difference
     * 0.031 [0.025, 0.037], p = 0.0002, n = 5" */
    const char *sentence;
};

/* Errors: of the callbacks, MEMORY. */
enum fanin_status fi_claim_decide(struct fi_arena *arena, struct fi_claim_result *out,
                                  const struct fi_claim *claim, const struct fi_term_source *terms);

const char *fi_verdict_name(enum fi_verdict verdict); /* "holds", "fails", "undecided" */
const char *fi_compare_name(enum fi_compare compare); /* "<" */

#endif
