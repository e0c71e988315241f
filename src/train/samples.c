/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The samples of a step: what each counts in the mean of the loss, their mixtures, and the loss of
 * a shard.
 *
 * The loss is Σ weight · loss / Σ weight · share over the whole batch. The divisor is summed before
 * the first shard runs, over all rows in their order, so it is the same number for any shards.
 *
 * Mixup (Zhang, Cissé, Dauphin, Lopez-Paz: mixup: Beyond empirical risk minimization, ICLR 2018):
 * each sample is mixed with another of its batch, x = λ x_i + (1 - λ) x_j, with one λ ~ Beta(α, α)
 * a batch as in the paper's code; j is i's image under a keyed permutation of the batch. λ and
 * permutation follow from the seed and the step alone, so shards, threads and a resumed run see the
 * same. Target values are mixed like the inputs; of labels the losses are, which of cross-entropy
 * is the loss of the mixed label: loss = λ loss(y_i) + (1 - λ) loss(y_j), each with the weight of
 * its own sample.
 */
#include <string.h>

#include "kernel/kernel.h"
#include "train/train.h"

static enum fanin_status make_known(fanin_trainer *t, struct fi_samples *s) {
    const int64_t cols = fanin_model_outputs(t->model), rows = t->shard_rows;
    s->targets = (struct fanin_tensor){.cols = cols, .ld = fi_row_stride(cols)};
    s->labels = fi_arena_alloc(&t->arena, rows, sizeof(*s->labels));
    s->weights = fi_arena_alloc(&t->arena, rows, sizeof(*s->weights));
    s->targets.data = fi_arena_alloc(&t->arena, rows * s->targets.ld, sizeof(fi_real));
    return s->labels && s->weights && s->targets.data ? FANIN_OK : FANIN_ERR_MEMORY;
}

enum fanin_status fi_samples_create(fanin_trainer *t, const struct fanin_train_options *o) {
    struct fi_mixup *m = &t->mixup;
    const struct fanin_tensor *x = &t->exec->x, *z = &t->exec->y[fi_net_result(t->model->net)];
    FI_TRY(make_known(t, &t->now));
    t->share = fi_arena_alloc(&t->arena, t->shard_rows, sizeof(double));
    if (!t->share) return FANIN_ERR_MEMORY;
    m->alpha = o->mixup;
    if (m->alpha <= 0) return FANIN_OK;
    if (t->model->n_indexes > 0)
        return fi_fail(
            t->ctx, FANIN_ERR_RECIPE,
            "train.mixup mixes the numbers of samples, but input %lld is an index, which %s "
            "reads: a mixture of two indexes is none",
            (long long)t->model->indexes[0].column, t->model->indexes[0].node);
    m->factor_key = fi_key(o->seed, "mixup", "factor");
    m->order_key = fi_key(o->seed, "mixup", "order");
    m->order = fi_arena_alloc(&t->arena, t->batch, sizeof(*m->order));
    m->other.x = (struct fanin_tensor){.cols = x->cols, .ld = x->ld};
    m->other.x.data = fi_arena_alloc(&t->arena, t->shard_rows * x->ld, sizeof(fi_real));
    m->dz = (struct fanin_tensor){.cols = z->cols, .ld = fi_row_stride(z->cols)};
    m->dz.data = fi_arena_alloc(&t->arena, t->shard_rows * m->dz.ld, sizeof(fi_real));
    if (!m->order || !m->other.x.data || !m->dz.data) return FANIN_ERR_MEMORY;
    return make_known(t, &m->other);
}

/* ---- what the rows count --------------------------------------------------------------------------- */

static bool labeled(const fanin_trainer *t) {
    return t->model->truth == FANIN_CLASSIFICATION;
}

static struct fi_truth truth_of(const fanin_trainer *t, const struct fi_samples *s, bool weighted) {
    return (struct fi_truth){.labels = labeled(t) ? s->labels : NULL,
                             .target = &s->targets,
                             .weights = weighted ? s->weights : NULL};
}

/* share[r] += what row r counts */
static void add_shares(fanin_trainer *t, const struct fi_truth *truth, int64_t rows) {
    const struct fi_loss *loss = t->model->loss;
    for (int64_t r = 0; r < rows; r++) {
        const double own = loss->share ? loss->share(t->model->loss_attrs, truth, r) : 1;
        t->share[r] += own * (truth->weights ? truth->weights[r] : 1);
    }
}

/* A permutation of the rows changes nothing here: the sum is that of the mixtures too. */
static double sum_shares(fanin_trainer *t, const struct fi_batch *batch) {
    double sum = 0;
    if (t->even) return (double)batch->rows;
    for (int64_t first = 0; first < batch->rows; first += t->shard_rows) {
        const int64_t n = FI_MIN(t->shard_rows, batch->rows - first);
        batch->load(batch->arg, &(struct fi_load){.first = first,
                                                  .n = n,
                                                  .labels = t->now.labels,
                                                  .targets = &t->now.targets,
                                                  .weights = t->now.weights});
        const struct fi_truth truth = truth_of(t, &t->now, true);
        memset(t->share, 0, (size_t)n * sizeof(*t->share));
        add_shares(t, &truth, n);
        for (int64_t r = 0; r < n; r++) sum += t->share[r];
    }
    return sum;
}

void fi_samples_begin(fanin_trainer *t, const struct fi_batch *batch) {
    const struct fi_loss *loss = t->model->loss;
    struct fi_mixup *m = &t->mixup;
    const uint64_t step = (uint64_t)t->t;
    t->weighted = batch->weighted;
    t->even = !batch->weighted && !(loss->uneven && loss->uneven(t->model->loss_attrs));
    t->weight = sum_shares(t, batch);
    if (m->alpha <= 0) return;
    m->factor = t->ctx->kernels->random_beta(m->factor_key, step, m->alpha);
    for (int64_t i = 0; i < batch->rows; i++)
        m->order[i] = (int64_t)fi_permute(m->order_key, step, (uint64_t)i, (uint64_t)batch->rows);
}

/* ---- a shard --------------------------------------------------------------------------------------- */

/* to = f · to + (1 - f) · from */
static void blend(const struct fanin_tensor *to, const struct fanin_tensor *from, int64_t rows,
                  double f) {
    const fi_real keep = (fi_real)f, rest = (fi_real)(1 - f);
    for (int64_t r = 0; r < rows; r++) {
        fi_real *a = to->data + r * to->ld;
        const fi_real *b = from->data + r * from->ld;
        for (int64_t c = 0; c < to->cols; c++) a[c] = keep * a[c] + rest * b[c];
    }
}

static void mix(fanin_trainer *t, const struct fi_batch *batch, int64_t first, int64_t rows) {
    struct fi_mixup *m = &t->mixup;
    const double f = m->factor, rest = 1 - f;
    batch->load(batch->arg, &(struct fi_load){.order = m->order,
                                              .first = first,
                                              .n = rows,
                                              .x = &m->other.x,
                                              .labels = m->other.labels,
                                              .targets = &m->other.targets,
                                              .weights = t->weighted ? m->other.weights : NULL});
    m->other.targets.rows = m->other.x.rows = m->dz.rows = rows;
    blend(&t->exec->x, &m->other.x, rows, f);
    if (!labeled(t)) blend(&t->now.targets, &m->other.targets, rows, f);
    for (int64_t r = 0; r < rows; r++) {
        double *own = &t->now.weights[r], *others = &m->other.weights[r];
        if (!t->weighted) *own = *others = 1;
        if (labeled(t)) {
            *own *= f;
            *others *= rest;
        } else {
            *own = f * *own + rest * *others;
        }
    }
}

void fi_samples_load(fanin_trainer *t, const struct fi_batch *batch, int64_t first, int64_t rows) {
    const bool mixed = t->mixup.alpha > 0;
    t->exec->x.rows = t->now.targets.rows = rows;
    batch->load(batch->arg, &(struct fi_load){.first = first,
                                              .n = rows,
                                              .x = &t->exec->x,
                                              .labels = t->now.labels,
                                              .targets = &t->now.targets,
                                              .weights = t->weighted ? t->now.weights : NULL});
    if (mixed) mix(t, batch, first, rows);
    if (t->even) return;
    struct fi_truth truth = truth_of(t, &t->now, t->weighted || mixed);
    memset(t->share, 0, (size_t)rows * sizeof(*t->share));
    add_shares(t, &truth, rows);
    if (!mixed || !labeled(t)) return;
    truth = truth_of(t, &t->mixup.other, true);
    add_shares(t, &truth, rows);
}

double fi_samples_loss(fanin_trainer *t, const struct fanin_tensor *z,
                       const struct fanin_tensor *dz, fi_real scale) {
    const struct fi_loss *loss = t->model->loss;
    const bool mixed = t->mixup.alpha > 0 && labeled(t);
    const struct fi_truth own = truth_of(t, &t->now, t->weighted || mixed);
    double sum = loss->run(t->model->loss_attrs, z, &own, dz, scale);
    if (!mixed) return sum;
    const struct fi_truth others = truth_of(t, &t->mixup.other, true);
    sum += loss->run(t->model->loss_attrs, z, &others, &t->mixup.dz, scale);
    for (int64_t r = 0; r < z->rows; r++)
        t->ctx->kernels->add(dz->data + r * dz->ld, t->mixup.dz.data + r * t->mixup.dz.ld, z->cols);
    return sum;
}
