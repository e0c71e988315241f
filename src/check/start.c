/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start as the optimizer sees it: the loss beside that of the best constant prediction, the
 * gradient's norm, the sharpness; then the first update is tried (trial.c).
 *
 * Sharpness: the largest eigenvalue λ of the Hessian by power iteration, a Hessian-vector product
 * being a difference of two gradients, H v ≈ (∇L(w + εv) - ∇L(w - εv)) / 2ε. Gradient descent with
 * a rate beyond 2/λ leaves the region it is in (Cohen et al., ICLR 2021).
 */
#include <math.h>
#include <string.h>

#include "check/check.h"
#include "kernel/kernel.h"
#include "kernel/math.h"

#define ITERATIONS 40
#define ARRIVED 1e-3 /* relative change of λ */

/* ---- the loss that needs no net -------------------------------------------------------------------- */

/* The best constant result for the labels or targets at hand: the scores of their mean. */
static enum fanin_status loss_of_constant(const struct fi_look *look) {
    const int64_t rows = look->batch.rows, cols = fanin_model_outputs(look->model);
    const fanin_trainer *t = look->trainer;
    struct fi_arena work;
    fi_arena_init(&work, look->check->ctx);
    struct fanin_tensor z = {.rows = rows, .cols = cols, .ld = fi_row_stride(cols)}, dz = z;
    z.data = fi_arena_alloc(&work, rows * z.ld, sizeof(fi_real));
    dz.data = fi_arena_alloc(&work, rows * z.ld, sizeof(fi_real));
    if (!z.data || !dz.data) {
        fi_arena_free(&work);
        return FANIN_ERR_MEMORY;
    }
    const bool labels = t->model->truth == FANIN_CLASSIFICATION;
    const struct fi_loss *loss = t->model->loss;
    for (int64_t c = 0; c < cols; c++) {
        double sum = 0, weight = 0;
        for (int64_t r = 0; r < rows; r++) {
            const double share = t->even ? 1 : t->share[r];
            weight += share;
            sum += share * (labels ? (double)(t->now.labels[r] == c)
                                   : (double)t->now.targets.data[r * t->now.targets.ld + c]);
        }
        double best = weight > 0 ? sum / weight : 0;
        if (loss->unpredict) best = FI_MIN(FI_MAX(best, 1e-6), 1 - 1e-6); /* a probability */
        for (int64_t r = 0; r < rows; r++) z.data[r * z.ld + c] = (fi_real)best;
    }
    if (loss->unpredict) loss->unpredict(t->model->loss_attrs, &z, &z);
    look->check->result.loss_known = fi_trainer_loss(look->trainer, &z, &dz);
    fi_arena_free(&work);
    return FANIN_OK;
}

/* ---- sharpness ------------------------------------------------------------------------------------- */

struct power {
    const struct fi_look *look;
    fi_real *origin, *v, *plus;
    int64_t n;
    double shift; /* of all eigenvalues */
};

/* w = origin + step · v, then the gradient there. */
static enum fanin_status gradient_at(const struct power *p, double step) {
    double loss;
    for (int64_t i = 0; i < p->n; i++)
        p->look->model->params[i] = p->origin[i] + (fi_real)step * p->v[i];
    return fi_trainer_probe(p->look->trainer, &p->look->batch, &loss);
}

/* One product; v becomes H v / ‖H v‖ and *lambda = v·H v. */
static enum fanin_status iterate(const struct power *p, double step, double *lambda) {
    const fi_real *minus = p->look->trainer->grads[0];
    double along = 0, norm = 0;
    FI_TRY(gradient_at(p, step));
    memcpy(p->plus, minus, (size_t)p->n * sizeof *p->plus);
    FI_TRY(gradient_at(p, -step));
    for (int64_t i = 0; i < p->n; i++) {
        const double hv =
            ((double)p->plus[i] - (double)minus[i]) / (2 * step) + p->shift * (double)p->v[i];
        along += hv * (double)p->v[i];
        norm += hv * hv;
    }
    norm = sqrt(norm);
    for (int64_t i = 0; i < p->n; i++)
        p->v[i] = norm > 0 ? (fi_real)((((double)p->plus[i] - (double)minus[i]) / (2 * step) +
                                        p->shift * (double)p->v[i]) /
                                       norm)
                           : 0;
    *lambda = along - p->shift;
    return FANIN_OK;
}

/* Padding of the layouts and statistics stay where they are. */
static double begin_direction(const struct power *p) {
    double norm = 0, size = 0;
    for (int k = 0; k < p->look->net->n_params; k++) {
        const struct fi_param *param = &p->look->net->params[k];
        for (int64_t i = param->offset; param->spec.trainable && i < param->offset + param->size;
             i++) {
            /* the gradient is a good direction to begin with, and 0 where nothing may move */
            p->v[i] = p->look->trainer->grads[0][i];
            norm += (double)p->v[i] * (double)p->v[i];
            size += (double)p->origin[i] * (double)p->origin[i];
        }
    }
    norm = sqrt(norm);
    for (int64_t i = 0; i < p->n; i++) p->v[i] = norm > 0 ? (fi_real)((double)p->v[i] / norm) : 0;
    return 1e-3 * sqrt(FI_MAX(size, 1)); /* length of a difference */
}

/* The eigenvalue of largest size of H + shift, less the shift; starts and ends at the origin. */
static enum fanin_status iterate_all(struct power *p, double *lambda) {
    const double step = begin_direction(p);
    enum fanin_status status = FANIN_OK;
    double before = 0;
    for (int i = 0; i < ITERATIONS && status == FANIN_OK; i++) {
        status = iterate(p, step, lambda);
        if (fabs(*lambda - before) <= ARRIVED * fabs(*lambda)) break;
        before = *lambda;
    }
    memcpy(p->look->model->params, p->origin, (size_t)p->n * sizeof(fi_real));
    return status;
}

/* Where the largest in size is negative, the largest is found again among those shifted by it, all
 * of which are positive. */
static enum fanin_status find_largest(struct power *p, double *lambda) {
    double loss;
    FI_TRY(iterate_all(p, lambda));
    if (!(*lambda < 0)) return FANIN_OK;
    p->shift = -*lambda;
    FI_TRY(fi_trainer_probe(p->look->trainer, &p->look->batch, &loss));
    return iterate_all(p, lambda);
}

static enum fanin_status find_sharpness(const struct fi_look *look) {
    struct fi_arena work;
    struct power p = {.look = look, .n = look->net->param_size};
    enum fanin_status status = FANIN_ERR_MEMORY;
    fi_arena_init(&work, look->check->ctx);
    p.origin = fi_arena_alloc(&work, p.n, sizeof(fi_real));
    p.v = fi_arena_alloc(&work, p.n, sizeof(fi_real));
    p.plus = fi_arena_alloc(&work, p.n, sizeof(fi_real));
    if (p.origin && p.v && p.plus) {
        memcpy(p.origin, look->model->params, (size_t)p.n * sizeof(fi_real));
        status = find_largest(&p, &look->check->result.sharpness);
    }
    fi_arena_free(&work);
    return status;
}

/* ---- all of it -------------------------------------------------------------------------------------- */

enum fanin_status fi_check_start(const struct fi_look *look) {
    struct fanin_check_result *r = &look->check->result;
    const fanin_trainer *t = look->trainer;
    const int64_t size = look->net->param_size;
    r->grad_norm = sqrt(look->check->ctx->kernels->sum_squares(t->grads[0], size));
    FI_TRY(loss_of_constant(look));
    r->bytes =
        (double)((t->exec->planned + size * (2 + t->update.n_states)) * (int64_t)sizeof(fi_real));
    if (look->sharpness) {
        double loss;
        const enum fanin_status status = find_sharpness(look);
        if (status == FANIN_ERR_DIVERGED) r->sharpness = NAN; /* a step away, all is lost */
        if (status != FANIN_ERR_DIVERGED) FI_TRY(status);
        FI_TRY(fi_trainer_probe(look->trainer, &look->batch, &loss));
    }
    return fi_check_trial(look);
}
