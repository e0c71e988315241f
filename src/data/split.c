/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splitting parts off the training table, stratified and keyed.
 *
 * Each class (all rows, where there are no classes) is permuted by its own keyed permutation; the
 * first of it go to the test part, the next to the validation part, the rest is trained on. A class
 * gives its fraction rounded, the rounding error is carried to the next class, so that parts have
 * the size asked for within one half; every class keeps at least one row to train on. The outcome
 * depends on the seed, the labels and the fractions, on nothing else.
 */
#include <math.h>

#include "data/data.h"

/* How many of each class go where; what is left is trained on. */
struct shares {
    int64_t *members, *test, *validation;
};

/* Rounds n × fraction, at most `most`, carrying the error along. */
static int64_t take(int64_t n, double fraction, int64_t most, double *carry) {
    double wanted = (double)n * fraction + *carry;
    int64_t k = FI_MIN((int64_t)floor(wanted + 0.5), most);
    k = FI_MAX(k, 0);
    *carry = FI_MIN(wanted - (double)k, 0.5); /* a class that cannot give is no debt of the next */
    return k;
}

static enum fanin_status count_shares(fanin_data *d, struct shares *s, int64_t classes,
                                      double validation, double test) {
    const struct fi_table *t = &d->tables[FANIN_TRAIN];
    double test_carry = 0, validation_carry = 0;
    s->members = fi_arena_alloc(&d->arena, 3 * classes, sizeof(int64_t));
    if (!s->members) return FANIN_ERR_MEMORY;
    s->test = s->members + classes;
    s->validation = s->test + classes;
    for (int64_t i = 0; i < t->n; i++) s->members[t->labels ? t->labels[i] : 0]++;
    for (int64_t c = 0; c < classes; c++) {
        int64_t spare = FI_MAX(s->members[c] - 1, 0);
        s->test[c] = take(s->members[c], test, spare, &test_carry);
        s->validation[c] = take(s->members[c], validation, spare - s->test[c], &validation_carry);
    }
    return FANIN_OK;
}

static enum fanin_status make_part(fanin_data *d, enum fanin_part part, int64_t n) {
    d->parts[part] = (struct fi_part){.table = &d->tables[FANIN_TRAIN]};
    d->parts[part].rows = fi_arena_alloc(&d->arena, n, sizeof(int64_t));
    return d->parts[part].rows ? FANIN_OK : FANIN_ERR_MEMORY;
}

enum fanin_status fi_table_first_rows(fanin_ctx *ctx, struct fi_table *t, int64_t rows,
                                      const char *key, const char *path) {
    if (rows < 0 || rows > t->n)
        return fi_fail(ctx, FANIN_ERR_DATA, "data.%s is %lld, but '%s' has %lld samples", key,
                       (long long)rows, path, (long long)t->n);
    if (rows > 0) t->n = rows;
    return FANIN_OK;
}

enum fanin_status fi_data_split(fanin_data *d, double validation, double test) {
    const struct fi_table *t = &d->tables[FANIN_TRAIN];
    const int64_t classes = t->labels ? t->n_outputs : 1;
    const uint64_t key = fi_key(d->seed, "split", "rows");
    struct shares s;
    FI_TRY(count_shares(d, &s, classes, validation, test));
    int64_t n_test = 0, n_validation = 0;
    for (int64_t c = 0; c < classes; c++) {
        n_test += s.test[c];
        n_validation += s.validation[c];
    }
    FI_TRY(make_part(d, FANIN_TRAIN, t->n - n_test - n_validation));
    if (validation > 0) FI_TRY(make_part(d, FANIN_VALIDATION, n_validation));
    if (test > 0) FI_TRY(make_part(d, FANIN_TEST, n_test));
    int64_t *seen = fi_arena_alloc(&d->arena, classes, sizeof(int64_t));
    if (!seen) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < t->n; i++) {
        int64_t c = t->labels ? t->labels[i] : 0;
        int64_t place =
            (int64_t)fi_permute(key, (uint64_t)c, (uint64_t)seen[c]++, (uint64_t)s.members[c]);
        struct fi_part *part = &d->parts[place < s.test[c]                     ? FANIN_TEST
                                         : place < s.test[c] + s.validation[c] ? FANIN_VALIDATION
                                                                               : FANIN_TRAIN];
        part->rows[part->n++] = i;
    }
    return FANIN_OK;
}
