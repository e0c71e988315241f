/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary cross-entropy of each output under the sigmoid, as a function of z: labels that may hold
 * at once, each with a target t in [0, 1]. The loss of a row is the mean over its n outputs of
 *
 *   w q log(1 + e^-z) + (1 - q) log(1 + e^z)      slope (1 - q) p - w q (1 - p), p = 1 / (1 + e^-z)
 *
 * with q = (1 - ε) t + ε / 2 under label smoothing ε and w the weight of what holds (pos_weight).
 * log(1 + e^z) = max(z, 0) + log(1 + e^-|z|) never overflows, and p and 1 - p are each computed
 * from e^-|z|, so neither is lost where the other rounds to 1.
 *
 * The entropy is the sum over the outputs, which are independent given z:
 *
 *   H = Σ_j log(1 + e_j) + |z_j| e_j / (1 + e_j), e = e^-|z|      dH/dz_j = -z_j p_j (1 - p_j)
 */
#include "kernel/math.h"
#include "loss/loss.h"

struct sigmoid_cross_entropy {
    struct fanin_list pos_weight; /* settled: one for each output, or none */
    double label_smoothing;
};

static inline void points(const void *attrs, int64_t first, const fi_real *z, const fi_real *t,
                          int64_t n, fi_real *loss, fi_real *slope) {
    const struct sigmoid_cross_entropy *a = attrs;
    const fi_real kept = (fi_real)(1 - a->label_smoothing);
    const fi_real rest = (fi_real)(a->label_smoothing / 2);
    fi_real weight[FI_LOSS_RUN];
    for (int64_t c = 0; c < n; c++)
        weight[c] = a->pos_weight.n > 0 ? (fi_real)a->pos_weight.values[first + c] : 1;
    FI_IVDEP
    for (int64_t c = 0; c < n; c++) {
        const fi_real e = fi_r_exp_down(-fi_abs(z[c])), both = fi_r_log1p(e), inverse = 1 / (1 + e);
        const fi_real q = fi_fma(kept, t[c], rest), yes = weight[c] * q, no = 1 - q;
        const fi_real if_yes = yes * ((z[c] < 0 ? -z[c] : 0) + both);
        const fi_real if_no = no * ((z[c] > 0 ? z[c] : 0) + both);
        const fi_real small = e * inverse;
        const fi_real p = z[c] > 0 ? inverse : small, rest_p = z[c] > 0 ? small : inverse;
        loss[c] = (yes == 0 ? 0 : if_yes) + (no == 0 ? 0 : if_no);
        slope[c] = no * p - yes * rest_p;
    }
}

static double run(const void *attrs, const struct fanin_tensor *z, const struct fi_truth *truth,
                  const struct fanin_tensor *dz, fi_real scale) {
    return fi_loss_points(attrs, z, truth, dz, scale, points);
}

static void predict(const void *attrs, const struct fanin_tensor *z, const struct fanin_tensor *p) {
    (void)attrs;
    for (int64_t r = 0; r < z->rows; r++) {
        const fi_real *from = z->data + r * z->ld;
        fi_real *to = p->data + r * p->ld;
        FI_IVDEP
        for (int64_t c = 0; c < z->cols; c++) to[c] = fi_r_sigmoid(from[c]);
    }
}

/* log(p / (1 - p)); the smallest float stands in for 0, and for 1 - p where p rounded to 1. */
static void unpredict(const void *attrs, const struct fanin_tensor *p,
                      const struct fanin_tensor *z) {
    (void)attrs;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->cols; c++) {
            const double yes = (double)p->data[r * p->ld + c], no = 1 - yes;
            z->data[r * z->ld + c] =
                (fi_real)(fi_log(yes <= 0 ? 0x1p-149 : yes) - fi_log(no <= 0 ? 0x1p-149 : no));
        }
}

static void entropy(const void *attrs, const struct fanin_tensor *z, double *h,
                    const double *coefficient, const struct fanin_tensor *dz, fi_real scale) {
    fi_real term[FI_LOSS_RUN];
    (void)attrs;
    for (int64_t r = 0; r < z->rows; r++) {
        const fi_real *row = z->data + r * z->ld;
        h[r] = 0;
        for (int64_t c0 = 0; c0 < z->cols; c0 += FI_LOSS_RUN) {
            const int64_t n = FI_MIN(FI_LOSS_RUN, z->cols - c0);
            for (int64_t c = 0; c < n; c++) {
                const fi_real x = row[c0 + c], e = fi_r_exp_down(-fi_abs(x));
                const fi_real part = fi_abs(x) * (e / (1 + e));
                term[c] = fi_r_log1p(e) + (e == 0 ? 0 : part);
            }
            h[r] += (double)fi_sum(term, n);
            if (!dz) continue;
            const fi_real k = (fi_real)(-coefficient[r] * (double)scale);
            fi_real *grad = dz->data + r * dz->ld + c0;
            for (int64_t c = 0; c < n; c++) {
                const fi_real x = row[c0 + c], e = fi_r_exp_down(-fi_abs(x));
                const fi_real slope = x * (e / ((1 + e) * (1 + e)));
                grad[c] = fi_fma(k, e == 0 ? 0 : slope, grad[c]);
            }
        }
    }
}

/* ---- attributes ------------------------------------------------------------------------------------ */

/* What is not, over what is, in the training part; 1 where one of them never comes. */
static double balanced(const struct fi_loss_task *task, int64_t c) {
    const double yes = task->mass[c], no = task->rows - yes;
    return yes > 0 && no > 0 ? no / yes : 1;
}

static enum fanin_status settle(void *attrs, const struct fi_loss_task *task) {
    struct sigmoid_cross_entropy *a = attrs;
    const struct fanin_list given = a->pos_weight;
    if (!given.word && given.n == 0) return FANIN_OK;
    if (given.word && !task->mass)
        return fi_fail(task->ctx, FANIN_ERR_RECIPE,
                       "loss.pos_weight: balanced needs training data with targets: give the model "
                       "data, or a list of weights");
    if (!given.word && given.n != 1 && given.n != task->outputs)
        return fi_fail(task->ctx, FANIN_ERR_RECIPE,
                       "loss.pos_weight has %lld weights, but there are %lld outputs",
                       (long long)given.n, (long long)task->outputs);
    double *weights = fi_arena_alloc(task->arena, task->outputs, sizeof(*weights));
    if (!weights) return FANIN_ERR_MEMORY;
    for (int64_t c = 0; c < task->outputs; c++)
        weights[c] = given.word ? balanced(task, c) : given.values[given.n == 1 ? 0 : c];
    a->pos_weight = (struct fanin_list){.values = weights, .n = task->outputs};
    return FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_LIST_OR(struct sigmoid_cross_entropy, pos_weight, "balanced", 0, 1e30,
                    "weight of what holds, one for each output or one for all; balanced: samples "
                    "where it does not hold / samples where it does",
                    FANIN_ATTR_NULLABLE),
    FI_ATTR_REAL(struct sigmoid_cross_entropy, label_smoothing, 0, 0, 1,
                 "part of each target that is replaced by 1/2", FANIN_ATTR_BELOW_MAX),
    FI_ATTR_END};

static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}},
    {.rows = 3, .n_in = 1, .dims = {{1030}}},
    {.rows = 33, .n_in = 1, .dims = {{3, 11}}},
    {.rows = 4,
     .n_in = 1,
     .dims = {{3}},
     .attrs =
         (const struct fanin_attr[]){
             {.name = "pos_weight", .list = (const double[]){0.5, 3, 0}, .n_list = 3},
             {.name = "label_smoothing", .number = 0.2}},
     .n_attrs = 2}};

FI_RECORD(loss, sigmoid_cross_entropy) = {
    .head = {.name = "sigmoid_cross_entropy",
             .aliases = "binary_cross_entropy",
             .formula = "loss = mean_j -(pos_weight_j q_j log p_j + (1 - q_j) log(1 - p_j)), p = "
                        "sigmoid(z), q = (1 - label_smoothing) t + label_smoothing / 2",
             .reference = "Cox 1958; smoothing: Szegedy et al. 2016, section 7",
             .help = "For labels that may hold at once: targets from 0 to 1, one for each output.",
             .attrs = specs,
             .attrs_size = sizeof(struct sigmoid_cross_entropy)},
    .task = FANIN_MULTILABEL,
    .takes = FI_TAKES_TARGETS,
    .link = "sigmoid",
    .run = run,
    .settle = settle,
    .predict = predict,
    .unpredict = unpredict,
    .entropy = entropy,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
