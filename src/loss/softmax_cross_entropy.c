/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax followed by the negative log-likelihood of the true class y, as one function of z:
 *
 *   loss = log Σ_j e^(z_j - m) + m - z_y, m = max z      dloss/dz_j = p_j - [j = y]
 *
 * The sum over the other classes is kept apart from e_y: p_y - 1 = -Σ_{j≠y} p_j and the loss are
 * then right to the last bits also where p_y rounds to 1.
 *
 * In general the truth is a distribution t (soft labels; a label is [j = y]) and
 *
 *   loss = -Σ_j w_j q_j log p_j, q_j = (1 - ε) t_j + ε / K
 *
 * with label smoothing ε and class weights w. A row given by its label counts w_y in the mean, a
 * row given by a distribution 1, an ignored label 0.
 *
 * Bridle 1990; smoothing: Szegedy et al. 2016, section 7; balanced weights: King and Zeng 2001.
 */
#include "kernel/math.h"
#include "kernel/softmax.h"

#include "loss/loss.h"

struct softmax_cross_entropy {
    double label_smoothing;
    struct fanin_list class_weights;
    int64_t ignore_index;
};

static bool ignores(const void *attrs, int32_t label) {
    return label == ((const struct softmax_cross_entropy *)attrs)->ignore_index;
}

static bool uneven(const void *attrs) {
    const struct softmax_cross_entropy *a = attrs;
    return a->class_weights.n > 0 || a->ignore_index != INT64_MIN;
}

static double class_weight(const struct softmax_cross_entropy *a, int64_t c) {
    return a->class_weights.n > 0 ? a->class_weights.values[c] : 1;
}

static double share(const void *attrs, const struct fi_truth *truth, int64_t row) {
    if (!truth->labels) return 1;
    return ignores(attrs, truth->labels[row]) ? 0 : class_weight(attrs, truth->labels[row]);
}

/* ---- labels ---------------------------------------------------------------------------------------- */

static double run_labels(const struct softmax_cross_entropy *a, const struct fanin_tensor *z,
                         const struct fi_truth *truth, const struct fanin_tensor *dz,
                         fi_real scale) {
    double total = 0;
    for (int64_t r0 = 0; r0 < z->rows; r0 += FI_LOSS_ROWS) {
        const int n = (int)FI_MIN(FI_LOSS_ROWS, z->rows - r0);
        double sum[FI_LOSS_ROWS], below[FI_LOSS_ROWS], weight[FI_LOSS_ROWS];
        for (int i = 0; i < n; i++) {
            sum[i] = 1, below[i] = 0;
            weight[i] = fi_loss_weight(truth, r0 + i) * share(a, truth, r0 + i);
            if (weight[i] == 0) {
                fi_loss_skip(dz, r0 + i);
                continue;
            }
            const fi_real *row = z->data + (r0 + i) * z->ld;
            fi_real *grad = dz ? dz->data + (r0 + i) * dz->ld : NULL;
            const fi_real max = fi_max(row, z->cols);
            const int64_t y = truth->labels[r0 + i];
            fi_real own;
            const double others = fi_exp_row(row, z->cols, max, y, &own, grad);
            sum[i] = others + (double)own;
            below[i] = (double)max - (double)row[y];
            if (!grad) continue;
            const double k = (double)scale * weight[i] / sum[i];
            for (int64_t c = 0; c < z->cols; c++) grad[c] *= (fi_real)k;
            grad[y] = (fi_real)(-others * k);
        }
        fi_loss_logs(sum, n);
        for (int i = 0; i < n; i++) total += weight[i] * (sum[i] + below[i]);
    }
    return total;
}

/* ---- distributions, smoothed labels ---------------------------------------------------------------- */

struct smoothing {
    const struct softmax_cross_entropy *attrs;
    const struct fi_truth *truth;
    double rest; /* ε / K */
};

/* w_c q_c */
static void smoothed(const void *arg, int64_t row, int64_t first, int64_t n, fi_real *q) {
    const struct smoothing *s = arg;
    const struct softmax_cross_entropy *a = s->attrs;
    const struct fi_truth *truth = s->truth;
    const fi_real kept = (fi_real)(1 - a->label_smoothing), rest = (fi_real)s->rest;
    if (truth->labels) {
        const int64_t y = truth->labels[row] - first;
        for (int64_t c = 0; c < n; c++) q[c] = c == y ? kept + rest : rest;
    } else {
        const fi_real *t = truth->target->data + row * truth->target->ld + first;
        for (int64_t c = 0; c < n; c++) q[c] = fi_fma(kept, t[c], rest);
    }
    for (int64_t c = 0; c < n && a->class_weights.n > 0; c++)
        q[c] *= (fi_real)a->class_weights.values[first + c];
}

static double run_smoothed(const struct softmax_cross_entropy *a, const struct fanin_tensor *z,
                           const struct fi_truth *truth, const struct fanin_tensor *dz,
                           fi_real scale) {
    const struct smoothing s = {a, truth, a->label_smoothing / (double)z->cols};
    double total = 0;
    for (int64_t r = 0; r < z->rows; r++) {
        const double weight = fi_loss_weight(truth, r);
        if (weight == 0 || (truth->labels && ignores(a, truth->labels[r]))) {
            fi_loss_skip(dz, r);
            continue;
        }
        fi_real *grad = dz ? dz->data + r * dz->ld : NULL;
        total += weight * fi_loss_cross_entropy(z, r, &s, smoothed, grad, weight * (double)scale);
    }
    return total;
}

static double run(const void *attrs, const struct fanin_tensor *z, const struct fi_truth *truth,
                  const struct fanin_tensor *dz, fi_real scale) {
    const struct softmax_cross_entropy *a = attrs;
    return truth->labels && a->label_smoothing == 0 ? run_labels(a, z, truth, dz, scale)
                                                    : run_smoothed(a, z, truth, dz, scale);
}

/* ---- attributes ------------------------------------------------------------------------------------ */

/* N / (K n_k) over the K classes that the training part has; a class it lacks has 1. */
static enum fanin_status balance(struct softmax_cross_entropy *a, const struct fi_loss_task *task) {
    if (!task->mass)
        return fi_fail(task->ctx, FANIN_ERR_RECIPE,
                       "loss.class_weights: balanced needs training data with classes: give the "
                       "model data, or a list of weights");
    double *weights = fi_arena_alloc(task->arena, task->outputs, sizeof(*weights));
    if (!weights) return FANIN_ERR_MEMORY;
    double samples = 0, classes = 0;
    for (int64_t c = 0; c < task->outputs; c++) {
        const bool counts = task->mass[c] > 0 && c != a->ignore_index;
        samples += counts ? task->mass[c] : 0;
        classes += counts;
    }
    for (int64_t c = 0; c < task->outputs; c++)
        weights[c] =
            task->mass[c] > 0 && c != a->ignore_index ? samples / (classes * task->mass[c]) : 1;
    a->class_weights = (struct fanin_list){.values = weights, .n = task->outputs};
    return FANIN_OK;
}

static enum fanin_status settle(void *attrs, const struct fi_loss_task *task) {
    struct softmax_cross_entropy *a = attrs;
    double sum = 0;
    if (a->class_weights.word) return balance(a, task);
    if (a->class_weights.n == 0) return FANIN_OK;
    if (a->class_weights.n != task->outputs)
        return fi_fail(task->ctx, FANIN_ERR_RECIPE,
                       "loss.class_weights has %lld weights, but there are %lld classes",
                       (long long)a->class_weights.n, (long long)task->outputs);
    for (int64_t c = 0; c < task->outputs; c++)
        sum += c == a->ignore_index ? 0 : a->class_weights.values[c];
    if (sum > 0) return FANIN_OK;
    return fi_fail(task->ctx, FANIN_ERR_RECIPE, "loss.class_weights: no class has a weight");
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_REAL(struct softmax_cross_entropy, label_smoothing, 0, 0, 1,
                 "part of the truth that is spread over all classes", FANIN_ATTR_BELOW_MAX),
    FI_ATTR_LIST_OR(struct softmax_cross_entropy, class_weights, "balanced", 0, 1e30,
                    "a weight for each class; balanced: samples / (classes · samples of the class)",
                    FANIN_ATTR_NULLABLE),
    FI_ATTR_INT(struct softmax_cross_entropy, ignore_index, NAN, -2147483648.0, 2147483647,
                "the label of rows that do not count (in PyTorch -100)", FANIN_ATTR_NULLABLE),
    FI_ATTR_END};

static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{2}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}},
    {.rows = 3, .n_in = 1, .dims = {{1030}}},
    {.rows = 33, .n_in = 1, .dims = {{3, 11}}},
    {.rows = 4, .n_in = 1, .dims = {{1}}},
    {.rows = 5,
     .n_in = 1,
     .dims = {{6}},
     .attrs = (const struct fanin_attr[]){{.name = "label_smoothing", .number = 0.2},
                                          {.name = "ignore_index", .number = 0}},
     .n_attrs = 2},
    {.rows = 7,
     .n_in = 1,
     .dims = {{3}},
     .attrs =
         (const struct fanin_attr[]){
             {.name = "class_weights", .list = (const double[]){0.5, 2, 0.125}, .n_list = 3},
             {.name = "ignore_index", .number = 1}},
     .n_attrs = 2},
    {.rows = 4,
     .n_in = 1,
     .dims = {{3}},
     .attrs =
         (const struct fanin_attr[]){
             {.name = "class_weights", .list = (const double[]){0.5, 2, 0}, .n_list = 3},
             {.name = "label_smoothing", .number = 0.1}},
     .n_attrs = 2}};

FI_RECORD(loss, softmax_cross_entropy) = {
    .head = {.name = "softmax_cross_entropy",
             .aliases = "cross_entropy",
             .formula = "loss = -sum_j w_j q_j log softmax(z)_j, q = (1 - label_smoothing) truth + "
                        "label_smoothing / K",
             .reference = "Bridle 1990; Szegedy et al. 2016, section 7",
             .help = "For classes: the negative log-likelihood of the label, or of a distribution, "
                     "under softmax(z).",
             .attrs = specs,
             .attrs_size = sizeof(struct softmax_cross_entropy)},
    .task = FANIN_CLASSIFICATION,
    .takes = FI_TAKES_LABELS | FI_TAKES_TARGETS,
    .link = "softmax",
    .run = run,
    .share = share,
    .uneven = uneven,
    .ignores = ignores,
    .settle = settle,
    .predict = fi_loss_softmax_predict,
    .unpredict = fi_loss_softmax_unpredict,
    .entropy = fi_loss_softmax_entropy,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
