/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides claims (claim.h): values of both sides, the test, and a sentence that tells what came
 * out.
 *
 * That a claim of several comparisons is tested with each of them at the same level is right as it
 * is: it is accepted only if all are significant, so it is accepted wrongly no more often than the
 * one that is wrong (Berger, "Multiparameter hypothesis testing and acceptance sampling",
 * Technometrics 24 (1982): the intersection-union test).
 */
#include <math.h>

#include "base/quote.h"
#include "study/claim.h"

/* The values of two sides that count: pair by pair, but for Welch's test. */
struct sample {
    double *left, *right, *difference;
    int64_t *seed; /* the number of the pair's seed */
    int64_t n_left, n_right;
};

static bool as_claimed(enum fi_compare compare, double left, double right) {
    switch (compare) {
    case FI_LESS:
        return left < right;
    case FI_AT_MOST:
        return left <= right;
    case FI_GREATER:
        return left > right;
    case FI_AT_LEAST:
        return left >= right;
    case FI_EQUAL:
        return left == right;
    default:
        return left != right;
    }
}

/* Whether the claim is that right is above left. */
static bool claims_above(enum fi_compare compare) {
    return compare == FI_LESS || compare == FI_AT_MOST;
}

/* ---- tests ------------------------------------------------------------------------------------------ */

/* A p value for the claim and one for its opposite. */
static void decide(struct fi_claim_finding *f, double level, double p, double opposite) {
    f->p = p;
    f->verdict = p <= level ? FI_HOLDS : opposite <= level ? FI_FAILS : FI_UNDECIDED;
}

/* Every seed says the same: so many seeds are needed for that to say anything. */
static void decide_by_point(struct fi_claim_finding *f, bool holds) {
    f->p = holds ? 0 : 1;
    f->verdict = holds ? FI_HOLDS : FI_FAILS;
}

static void test_signs(struct fi_claim_finding *f, const struct fi_claim_pair *pair, double level,
                       const struct sample *s) {
    struct fi_sign_test t;
    fi_sign_test(&t, s->left, s->right, f->n);
    if (f->n < 2) return;
    if (t.ties == f->n) {
        decide_by_point(f, pair->compare == FI_AT_MOST || pair->compare == FI_AT_LEAST);
        return;
    }
    const bool above = claims_above(pair->compare);
    decide(f, level, above ? t.p_above : t.p_below, above ? t.p_below : t.p_above);
    if (f->verdict == FI_UNDECIDED) f->more_seeds = fi_sign_seeds(&t, level);
}

static void test_means(struct fi_claim_finding *f, const struct fi_claim_pair *pair, double level,
                       const struct fi_t_test *t) {
    if (f->n < 2) return;
    if (t->error == 0) {
        decide_by_point(f, as_claimed(pair->compare, 0, t->mean));
        return;
    }
    const bool above = claims_above(pair->compare);
    decide(f, level, above ? t->above : t->below, above ? t->below : t->above);
    /* n seeds a side with Welch's test: the error of the mean still falls with the root of n */
    const double n = (double)f->n, df_per_seed = t->df / (n - 1);
    if (f->verdict == FI_UNDECIDED)
        f->more_seeds = fi_t_seeds(f->n, t->mean, t->error * sqrt(n), df_per_seed, level);
}

static void test_each(struct fi_claim_finding *f) {
    if (f->against > 0)
        f->verdict = FI_FAILS;
    else if (f->n > 0 && f->missing == 0)
        f->verdict = FI_HOLDS;
}

/* ---- samples ---------------------------------------------------------------------------------------- */

/* Leaves out seeds that miss a value on either side; `apart`: only on its own side. */
static void take_present(struct sample *out, const double *left, const double *right, int64_t n,
                         bool apart) {
    out->n_left = out->n_right = 0;
    for (int64_t i = 0; i < n; i++) {
        const bool has_left = !isnan(left[i]), has_right = !isnan(right[i]);
        if (has_left && (apart || has_right)) {
            out->seed[out->n_left] = i;
            out->left[out->n_left++] = left[i];
        }
        if (has_right && (apart || has_left)) out->right[out->n_right++] = right[i];
    }
}

/* Whether a mean and its error are numbers: no value is infinite, nor a difference of huge ones. */
static bool all_finite(const struct sample *s) {
    for (int64_t i = 0; i < s->n_left; i++)
        if (isinf(s->left[i])) return false;
    for (int64_t i = 0; i < s->n_right; i++)
        if (isinf(s->right[i])) return false;
    for (int64_t i = 0; i < FI_MIN(s->n_left, s->n_right); i++)
        if (isinf(s->right[i] - s->left[i])) return false;
    return true;
}

/* Summaries, and the mean difference with its interval. */
static void describe(struct fi_claim_finding *f, struct fi_t_test *t, const struct sample *s) {
    fi_summarize(&f->left, s->left, s->n_left, FI_CLAIM_COVERAGE);
    fi_summarize(&f->right, s->right, s->n_right, FI_CLAIM_COVERAGE);
    if (f->test == FI_TEST_WELCH) {
        fi_welch_test(t, s->left, s->n_left, s->right, s->n_right, FI_CLAIM_COVERAGE);
    } else {
        for (int64_t i = 0; i < s->n_left; i++) s->difference[i] = s->right[i] - s->left[i];
        fi_t_test(t, s->difference, s->n_left, FI_CLAIM_COVERAGE);
    }
    /* a pair of equal infinities has no difference, the means may have one */
    const bool infinite = f->left.infinite + f->right.infinite > 0;
    f->difference = infinite ? f->right.mean - f->left.mean : t->mean;
    f->low = t->low;
    f->high = t->high;
}

static void count(struct fi_claim_finding *f, enum fi_compare compare, const struct sample *s) {
    for (int64_t i = 0; i < f->n; i++) {
        const bool agrees = as_claimed(compare, s->left[i], s->right[i]);
        if (!agrees && f->against == 0) f->first_against = s->seed[i];
        f->agree += agrees;
        f->against += !agrees;
    }
}

/* left, right: n values, of which n is at most 1 where neither side varies. */
static void find(struct fi_claim_finding *f, const struct fi_claim_pair *pair, double level,
                 const double *left, const double *right, int64_t n, struct sample *s) {
    *f = (struct fi_claim_finding){.verdict = FI_UNDECIDED,
                                   .test = pair->test,
                                   .p = NAN,
                                   .first_against = -1,
                                   .more_seeds = FI_SEEDS_UNKNOWN};
    struct fi_t_test t;
    const bool means = pair->test == FI_TEST_PAIRED || pair->test == FI_TEST_WELCH;
    take_present(s, left, right, n, false);
    f->n = s->n_left;
    count(f, pair->compare, s);
    if (pair->test == FI_TEST_WELCH) take_present(s, left, right, n, true);
    if (means && !all_finite(s)) {
        f->test = FI_TEST_SIGN;
        take_present(s, left, right, n, false);
    }
    f->n = FI_MIN(s->n_left, s->n_right);
    f->missing = n - f->n;
    describe(f, &t, s);
    if (f->test == FI_TEST_EXACT)
        test_each(f);
    else if (f->test == FI_TEST_SIGN)
        test_signs(f, pair, level, s);
    else
        test_means(f, pair, level, &t);
    if (f->verdict != FI_UNDECIDED) f->more_seeds = 0;
}

/* ---- sentences -------------------------------------------------------------------------------------- */

static void tell_number(struct fi_text *out, const char *before, double value, bool all_digits) {
    char number[FI_NUMBER_SIZE];
    if (all_digits)
        fi_number_exact(number, value);
    else
        fi_number_short(number, value, 3);
    fi_text_add(out, "%s%s", before, number);
}

static void tell_side(struct fi_text *out, const char *before, const struct fi_summary *s) {
    if (s->n == 0) {
        fi_text_add(out, "%sno value", before);
        return;
    }
    tell_number(out, before, s->mean, false);
    if (s->high > s->low) tell_number(out, " ± ", s->high / 2 - s->low / 2, false);
}

static void tell_exact(struct fi_text *out, const struct fi_claim_finding *f, const double *left,
                       const double *right) {
    if (f->against > 0 && f->n > 1)
        fi_text_add(out, ", first not in seed %lld of %lld", (long long)f->first_against + 1,
                    (long long)(f->n + f->missing));
    if (f->against == 0) return;
    tell_number(out, ": left ", left[f->first_against], true);
    tell_number(out, ", right ", right[f->first_against], true);
}

static void tell_test(struct fi_text *out, const struct fi_claim_finding *f,
                      const struct fi_claim_pair *pair) {
    if (!isnan(f->difference)) tell_number(out, ", difference ", f->difference, false);
    if (f->high >= f->low) {
        tell_number(out, " [", f->low, false);
        tell_number(out, ", ", f->high, false);
        fi_text_add(out, "]");
    }
    char number[FI_NUMBER_SIZE];
    if (f->test == FI_TEST_SIGN)
        fi_text_add(out, ", as claimed in %lld of %lld seeds", (long long)f->agree,
                    (long long)(f->agree + f->against));
    if (!isnan(f->p)) {
        fi_number_short(number, f->p, 2);
        fi_text_add(out, ", p = %s", number);
    }
    if (f->test == FI_TEST_SIGN && pair->test != FI_TEST_SIGN)
        fi_text_add(out, " by the sign test, as not all values are finite");
    fi_text_add(out, ", n = %lld", (long long)f->n);
}

static void tell_more(struct fi_text *out, const struct fi_claim_finding *f) {
    if (f->missing > 0)
        fi_text_add(out, ", %lld %s without a value", (long long)f->missing,
                    f->missing == 1 ? "seed" : "seeds");
    if (f->more_seeds == FI_SEEDS_MANY)
        fi_text_add(out, "; more than %d more seeds would be needed", FI_SEEDS_MOST);
    else if (f->more_seeds > 0)
        fi_text_add(out, "; about %lld more %s would decide", (long long)f->more_seeds,
                    f->more_seeds == 1 ? "seed" : "seeds");
    else if (f->more_seeds == FI_SEEDS_UNKNOWN && f->test != FI_TEST_EXACT && f->n < 2)
        fi_text_add(out, "; fewer than two seeds decide nothing");
}

/* varies: one of the sides. */
static void tell(struct fi_text *out, const struct fi_claim_finding *f,
                 const struct fi_claim_pair *pair, bool varies, const double *left,
                 const double *right) {
    if (f->test == FI_TEST_EXACT && varies) {
        fi_text_add(out, "as claimed in %lld of %lld %s", (long long)f->agree, (long long)f->n,
                    f->n == 1 ? "seed" : "seeds");
        tell_exact(out, f, left, right);
    } else {
        tell_side(out, "left ", &f->left);
        tell_side(out, ", right ", &f->right);
        if (varies)
            tell_test(out, f, pair);
        else
            fi_text_add(out, ", each of all seeds together");
    }
    tell_more(out, f);
}

/* ---- claims ------------------------------------------------------------------------------------------ */

static enum fanin_status keep(struct fi_arena *arena, struct fi_text *text, const char **out) {
    *out = text->failed ? NULL : fi_arena_strdup(arena, text->data ? text->data : "");
    fi_text_free(text);
    return *out ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status find_pair(struct fi_arena *arena, struct fi_claim_finding *out,
                                   const struct fi_claim *claim, int64_t at, const double *values,
                                   int64_t n_seeds, struct sample *sample) {
    const struct fi_claim_pair *pair = &claim->pairs[at];
    const struct fi_claim_side *left = &claim->sides[at], *right = left + 1;
    const bool varies = left->expression.varies || right->expression.varies;
    const double *x = values + at * n_seeds, *y = x + n_seeds;
    find(out, pair, claim->level, x, y, varies ? n_seeds : FI_MIN(n_seeds, 1), sample);
    struct fi_text text;
    fi_text_init(&text, arena->ctx);
    tell(&text, out, pair, varies, x, y);
    return keep(arena, &text, &out->sentence);
}

/* The verdict of all comparisons, and their sentences behind each other. */
static enum fanin_status sum_up(struct fi_arena *arena, struct fi_claim_result *out,
                                const struct fi_claim *claim) {
    struct fi_text text;
    fi_text_init(&text, arena->ctx);
    out->verdict = FI_HOLDS;
    bool unknown = false;
    for (int64_t i = 0; i < out->n_findings; i++) {
        const struct fi_claim_finding *f = &out->findings[i];
        out->verdict = FI_MIN(out->verdict, f->verdict);
        out->more_seeds = FI_MAX(out->more_seeds, f->more_seeds);
        unknown = unknown || f->more_seeds == FI_SEEDS_UNKNOWN;
        if (out->n_findings > 1)
            fi_text_add(&text, "%s%s %s %s: ", i > 0 ? "; " : "", claim->sides[i].text,
                        fi_compare_name(claim->pairs[i].compare), claim->sides[i + 1].text);
        fi_text_add(&text, "%s", f->sentence);
    }
    if (unknown) out->more_seeds = FI_SEEDS_UNKNOWN;
    if (out->verdict != FI_UNDECIDED) out->more_seeds = 0;
    return keep(arena, &text, &out->sentence);
}

static enum fanin_status decide_all(struct fi_arena *arena, struct fi_arena *scratch,
                                    struct fi_claim_result *out, const struct fi_claim *claim,
                                    const struct fi_term_source *terms) {
    const int64_t n = terms->n_seeds;
    int64_t size;
    if (!fi_mul(claim->n_sides, n, &size))
        return fi_fail(arena->ctx, FANIN_ERR_MEMORY, "claim '%s' has too many seeds", claim->name);
    double *values = fi_arena_alloc(scratch, size, sizeof *values);
    struct sample sample = {.left = fi_arena_alloc(scratch, n, sizeof(double)),
                            .right = fi_arena_alloc(scratch, n, sizeof(double)),
                            .difference = fi_arena_alloc(scratch, n, sizeof(double)),
                            .seed = fi_arena_alloc(scratch, n, sizeof(int64_t))};
    out->findings = fi_arena_alloc(arena, claim->n_sides - 1, sizeof *out->findings);
    if (!values || !sample.left || !sample.right || !sample.difference || !sample.seed ||
        !out->findings)
        return FANIN_ERR_MEMORY;
    for (int64_t s = 0; s < claim->n_sides; s++)
        FI_TRY(
            fi_expression_values(&claim->sides[s].expression, arena->ctx, terms, values + s * n));
    for (int64_t i = 0; i < claim->n_sides - 1; i++)
        FI_TRY(find_pair(arena, &out->findings[out->n_findings++], claim, i, values, n, &sample));
    return sum_up(arena, out, claim);
}

enum fanin_status fi_claim_decide(struct fi_arena *arena, struct fi_claim_result *out,
                                  const struct fi_claim *claim,
                                  const struct fi_term_source *terms) {
    struct fi_arena scratch;
    *out = (struct fi_claim_result){.verdict = FI_UNDECIDED};
    fi_arena_init(&scratch, arena->ctx);
    const enum fanin_status status = decide_all(arena, &scratch, out, claim, terms);
    fi_arena_free(&scratch);
    return status;
}
