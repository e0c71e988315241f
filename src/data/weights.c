/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of the samples in the mean of the loss: a column of the table, which its reader has taken
 * already, or a file with one number for each sample of the training file. Parts that are split off
 * have the weights of their rows; files of their own have weights only as a column.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "data/reader/reader.h"

static enum fanin_status read_file(fanin_data *d, const char *path, float **out, int64_t *n) {
    const struct fi_reader *reader = fi_reader_for_path(d->ctx, path);
    struct fi_read_request r = {.ctx = d->ctx, .arena = &d->arena, .path = path};
    struct fi_table t;
    if (!reader)
        return fi_fail(d->ctx, FANIN_ERR_RECIPE,
                       "data.sample_weights: cannot tell the format of '%s' from its name (.csv, "
                       ".idx, .npy)",
                       path);
    if (reader->numbers) return reader->numbers(&r, out, n);
    FI_TRY(fi_attrs_parse(&d->arena, &r.attrs, &reader->head, NULL, 0, reader->head.name));
    FI_TRY(fi_reader_call(reader, &r, &t));
    if (t.shape.cols != 1)
        return fi_fail(d->ctx, FANIN_ERR_SHAPE,
                       "data.sample_weights: '%s' has %lld numbers a sample, not one", path,
                       (long long)t.shape.cols);
    *n = t.n;
    *out = t.f32 ? t.f32 : fi_arena_alloc(&d->arena, t.n, sizeof(float));
    if (!*out) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < t.n && t.u8; i++) (*out)[i] = (float)t.u8[i];
    return FANIN_OK;
}

static enum fanin_status take_file(fanin_data *d, const char *name, const char *path) {
    struct fi_table *t = &d->tables[FANIN_TRAIN];
    int64_t n = 0;
    if (access(path, F_OK) != 0)
        return fi_fail(d->ctx, FANIN_ERR_RECIPE,
                       "data.sample_weights: '%s' is neither a column of the data nor a file (%s)",
                       name, strerror(errno));
    FI_TRY(read_file(d, path, &t->weights, &n));
    if (n == t->in_file) return FANIN_OK;
    return fi_fail(d->ctx, FANIN_ERR_SHAPE,
                   "data.sample_weights: '%s' has %lld numbers, but there are %lld samples", path,
                   (long long)n, (long long)t->in_file);
}

/* None below 0, and of those trained on not all 0. */
static enum fanin_status check(fanin_data *d) {
    const struct fi_part *p = &d->parts[FANIN_TRAIN];
    double sum = 0;
    for (int64_t i = 0; i < p->table->n; i++)
        if (!(p->table->weights[i] >= 0 && isfinite(p->table->weights[i])))
            return fi_fail(d->ctx, FANIN_ERR_DATA,
                           "the weight of sample %lld (counted from 0) is %g; it must be 0 or more",
                           (long long)i, (double)p->table->weights[i]);
    for (int64_t r = 0; r < p->n; r++) sum += (double)p->table->weights[fi_part_row(p, r)];
    if (sum > 0) return FANIN_OK;
    return fi_fail(d->ctx, FANIN_ERR_DATA, "no sample to train on has a weight above 0");
}

enum fanin_status fi_data_weigh(fanin_data *d, const char *sample_weights, const char *path) {
    if (!sample_weights) return FANIN_OK;
    if (!d->tables[FANIN_TRAIN].weights) FI_TRY(take_file(d, sample_weights, path));
    return check(d);
}

enum fanin_status fanin_data_set_weights(fanin_data *data, const float *weights, int64_t n) {
    struct fi_table *t = &data->tables[FANIN_TRAIN];
    if (!weights || n != t->n)
        return fi_fail(data->ctx, FANIN_ERR_ARGUMENT,
                       "fanin_data_set_weights: there are %lld samples, so as many weights are "
                       "needed, not %lld",
                       (long long)t->n, (long long)n);
    float *copy = fi_arena_alloc(&data->arena, n, sizeof(*copy)), *before = t->weights;
    if (!copy) return FANIN_ERR_MEMORY;
    memcpy(copy, weights, (size_t)n * sizeof(*copy));
    t->weights = copy;
    const enum fanin_status status = check(data);
    if (status != FANIN_OK) t->weights = before;
    return status;
}
