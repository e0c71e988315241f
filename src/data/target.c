/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets of regression, and of autoencoders, whose targets are their inputs as the net reads them
 * (`target: input`): target = (raw - shift) * scale. These are never stored: a batch of targets is
 * gathered as its inputs are, bit for bit.
 *
 * What such a model predicts is told in the unit of the file, raw = prediction / scale + shift,
 * where the normalization can be undone. A column that is constant in the training part has scale
 * 0, so its target is 0, which stands for that constant; thresholds cannot be undone, predictions
 * are of 0 and 1 then.
 */
#include "data/data.h"

enum fanin_status fi_table_target_inputs(fanin_ctx *ctx, struct fi_table *t, const char *path) {
    for (int64_t j = 0; t->vocabulary && j < t->shape.cols; j++)
        if (t->vocabulary[j] > 0)
            return fi_fail(ctx, FANIN_ERR_RECIPE,
                           "data.target: input: column '%s' of '%s' holds numbers of categories, "
                           "which are no values to predict: read it with categories: one_hot, or "
                           "list it in `ignore`",
                           t->input_names ? t->input_names[j] : "", path);
    *t = fi_table_without_labels(t);
    t->target_inputs = true;
    t->task = FANIN_REGRESSION;
    t->n_outputs = t->shape.cols;
    t->output_names = t->input_names;
    return FANIN_OK;
}

struct fi_table fi_table_without_labels(const struct fi_table *table) {
    struct fi_table t = *table;
    t.labels = NULL;
    t.targets = NULL;
    t.target_inputs = false;
    t.task = FANIN_UNLABELED;
    t.n_outputs = 0;
    t.output_names = NULL;
    return t;
}

void fi_request_no_labels(struct fi_read_request *request) {
    request->labels_path = NULL;
    request->labels_optional = request->no_labels = true;
}

enum fanin_status fi_data_scale_target_inputs(fanin_data *d) {
    const int64_t cols = d->tables[FANIN_TRAIN].shape.cols;
    d->target_shift = fi_arena_alloc(&d->arena, cols, sizeof(float));
    d->target_scale = fi_arena_alloc(&d->arena, cols, sizeof(float));
    if (!d->target_shift || !d->target_scale) return FANIN_ERR_MEMORY;
    for (int64_t j = 0; j < cols; j++) {
        d->target_shift[j] = d->shift[j];
        d->target_scale[j] = d->scale[j] > 0 ? d->scale[j] : 1; /* a constant: it is divided by */
    }
    return FANIN_OK;
}

static void normalize(const fanin_data *d, const float *from, bool raw, int64_t n, fi_real *to) {
    if (d->target_shift && !raw) {
        for (int64_t j = 0; j < n; j++)
            to[j] = ((fi_real)from[j] - (fi_real)d->target_shift[j]) * (fi_real)d->target_scale[j];
    } else {
        for (int64_t j = 0; j < n; j++) to[j] = (fi_real)from[j];
    }
}

void fi_data_gather_targets(const fanin_data *d, enum fanin_part part, const int64_t *index,
                            int64_t n, bool raw, fi_real *to, int64_t ld) {
    const struct fi_part *p = &d->parts[part];
    const struct fi_table *t = p->table;
    if (t->target_inputs) {
        fi_data_gather(d, part, index, n, to, ld);
        return;
    }
    for (int64_t r = 0; r < n && t->targets; r++)
        normalize(d, t->targets + fi_part_row(p, index[r]) * t->n_outputs, raw, t->n_outputs,
                  to + r * ld);
}
