/* SPDX-License-Identifier: Apache-2.0 */
/* What probes share: names, passes over samples, histograms. */
#include "study/probe.h"

#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "model/model.h"

enum fanin_status fi_probe_node(const struct fi_look_at *look, const char *key, const char *name,
                                int *node) {
    const fanin_net *net = look->model->net;
    const char *names[256];
    int n = 0;
    for (int i = 0; i < net->n_nodes; i++) {
        if (strcmp(net->nodes[i].name, name) == 0) {
            *node = i;
            return FANIN_OK;
        }
        if (n < FI_COUNT(names)) names[n++] = net->nodes[i].name;
    }
    const char *near = fanin_nearest(name, names, n);
    return fi_fail(look->ctx, FANIN_ERR_RECIPE, "%s: the net has no node '%s'%s%s%s", key, name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

enum fanin_status fi_probe_classes(const struct fi_look_at *look, const char *probe) {
    if (look->model->task == FANIN_CLASSIFICATION) return FANIN_OK;
    return fi_fail(look->ctx, FANIN_ERR_RECIPE,
                   "%s looks at probabilities of classes, which loss %s does not predict: use "
                   "softmax_cross_entropy or kl_divergence",
                   probe, look->model->loss->head.name);
}

/* ---- samples of a part ---------------------------------------------------------------------------- */

enum fanin_status fi_probe_truth_create(struct fi_probe_truth *t, const fanin_model *model,
                                        struct fi_arena *arena) {
    const int64_t cols = fanin_model_outputs(model), ld = fi_row_stride(cols);
    int64_t cells;
    if (!fi_mul(FI_PROBE_ROWS, ld, &cells)) return fi_fail_memory(arena->ctx, "targets", SIZE_MAX);
    *t = (struct fi_probe_truth){.targets = {.cols = cols, .ld = ld}};
    t->index = fi_arena_alloc(arena, FI_PROBE_ROWS, sizeof(*t->index));
    t->labels = fi_arena_alloc(arena, FI_PROBE_ROWS, sizeof(*t->labels));
    t->weights = fi_arena_alloc(arena, FI_PROBE_ROWS, sizeof(*t->weights));
    t->targets.data = fi_arena_alloc(arena, cells, sizeof(fi_real));
    return t->index && t->labels && t->weights && t->targets.data ? FANIN_OK : FANIN_ERR_MEMORY;
}

void fi_probe_truth_load(struct fi_probe_truth *t, const struct fi_look_at *look,
                         enum fanin_part part, int64_t first, int64_t n) {
    const fanin_model *m = look->model;
    const struct fi_known known = {.labels = t->labels,
                                   .targets = t->targets.data,
                                   .ld = t->targets.ld,
                                   .raw = m->task != FANIN_REGRESSION,
                                   .weights = t->weights};
    for (int64_t r = 0; r < n; r++) t->index[r] = first + r;
    fi_data_gather_known(look->data, part, t->index, n, &known);
    t->targets.rows = n;
    t->truth = (struct fi_truth){.labels = m->truth == FANIN_CLASSIFICATION ? t->labels : NULL,
                                 .target = &t->targets,
                                 .weights = t->weights};
}

int32_t fi_probe_class(const struct fi_probe_truth *t, const fanin_model *model, int64_t r) {
    const fi_real *target = t->targets.data + r * t->targets.ld;
    int32_t best = 0;
    if (t->truth.labels) {
        const bool ignored =
            model->loss->ignores && model->loss->ignores(model->loss_attrs, t->labels[r]);
        return ignored ? -1 : t->labels[r];
    }
    for (int64_t c = 1; c < t->targets.cols; c++)
        if (target[c] > target[best]) best = (int32_t)c;
    return best;
}

enum fanin_status fi_probe_pass_open(struct fi_probe_pass *p, const struct fi_look_at *look,
                                     enum fanin_part part, int64_t rows, struct fi_arena *arena) {
    const int64_t all = fanin_data_rows(look->data, part);
    *p = (struct fi_probe_pass){.look = look, .part = part};
    p->rows = rows > 0 ? FI_MIN(rows, all) : all;
    FI_TRY(fi_check_data(look->model, look->data));
    if (p->rows < 1)
        return fi_fail(look->ctx, FANIN_ERR_ARGUMENT, "the %s part of the data is empty",
                       fi_part_name(part));
    FI_TRY(fi_probe_truth_create(&p->known, look->model, arena));
    return fi_exec_create(&p->exec, look->model, FI_MIN(p->rows, FI_PROBE_ROWS), FI_KEEP);
}

bool fi_probe_pass_next(struct fi_probe_pass *p) {
    const struct fanin_tensor *x = &p->exec->x;
    p->first += p->n;
    p->n = FI_MIN(p->exec->rows, p->rows - p->first);
    if (p->n < 1) return false;
    fi_probe_truth_load(&p->known, p->look, p->part, p->first, p->n);
    fi_data_gather(p->look->data, p->part, p->known.index, p->n, x->data, x->ld);
    fi_exec_forward(p->exec, p->n, p->first, 0);
    return true;
}

void fi_probe_pass_rewind(struct fi_probe_pass *p) {
    p->first = p->n = 0;
}

void fi_probe_pass_close(struct fi_probe_pass *p) {
    fi_exec_free(p->exec);
    p->exec = NULL;
}

enum fanin_status fi_probe_outputs(const struct fi_look_at *look, enum fanin_part part,
                                   int64_t rows, int node, struct fi_arena *arena,
                                   struct fanin_tensor *out) {
    struct fi_probe_pass pass;
    int64_t cells;
    const int64_t cols = look->model->net->nodes[node].shape.cols;
    FI_TRY(fi_probe_pass_open(&pass, look, part, rows, arena));
    *out = (struct fanin_tensor){.rows = pass.rows, .cols = cols, .ld = cols};
    if (fi_mul(pass.rows, cols, &cells))
        out->data = fi_arena_alloc(arena, cells, sizeof(fi_real));
    else
        (void)fi_fail_memory(look->ctx, "outputs of a node", SIZE_MAX);
    while (out->data && fi_probe_pass_next(&pass)) {
        const struct fanin_tensor *y = &pass.exec->y[node];
        for (int64_t r = 0; r < pass.n; r++)
            memcpy(out->data + (pass.first + r) * cols, y->data + r * y->ld,
                   (size_t)cols * sizeof(fi_real));
    }
    fi_probe_pass_close(&pass);
    return out->data ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* ---- figures -------------------------------------------------------------------------------------- */

double fi_probe_error(const struct fi_eval *eval) {
    const int i = fi_eval_find(eval, "accuracy");
    return i >= 0 ? 1 - eval->figures[i].value : NAN;
}

void fi_probe_add_eval(const struct fi_look_at *look, const struct fi_eval *eval) {
    for (int i = 0; i < eval->n; i++)
        look->add(look->to, eval->figures[i].name, "", eval->figures[i].value);
    if (fi_eval_find(eval, "accuracy") >= 0) look->add(look->to, "error", "", fi_probe_error(eval));
}

int fi_probe_bin(double low, double high, double value) {
    const double at = (value - low) / (high - low) * FI_PROBE_BINS;
    return at > 0 ? (int)FI_MIN(at, FI_PROBE_BINS - 1) : 0;
}

void fi_probe_bins(const struct fi_look_at *look, const char *figure, const char *where,
                   const fi_real *x, int64_t n) {
    int64_t counts[FI_PROBE_BINS] = {0};
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) continue;
        low = FI_MIN(low, (double)x[i]);
        high = FI_MAX(high, (double)x[i]);
    }
    if (low > high) return;
    if (low == high) { /* one value, in the middle of a bin of its own */
        const double half = low == 0 ? 0.5 : fabs(low) / 2;
        low -= half;
        high += half;
    }
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) counts[fi_probe_bin(low, high, (double)x[i])]++;
    look->bins(look->to, figure, where, low, high, counts, FI_PROBE_BINS);
}
