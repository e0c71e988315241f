/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A committee: the run's model and others, trained by the same recipe on the same data from other
 * starts, in another order and with other masks, whose predictions are averaged. How far members
 * differ is the variance of one net, what is left of the error their bias; a random forest's
 * argument (Breiman 2001), and what dropout is likened to (Srivastava et al. 2014, section 1).
 *
 *   variance  mean over samples of Σ_c Σ_k (p_kc - p_c)² / (K - 1), p_c the mean over K members
 *   bias      mean over samples of Σ_c (p_c - t_c)², t one-hot for classes (Geman et al. 1992,
 * whose bias² it estimates from above by variance / K)
 *
 * p are probabilities, or values in the units of the data. The seed of member k is made of the
 * run's seed and k; train.seed of a member decides start, order and dropout, while the data, read
 * and split by the run's seed, are shared.
 */
#include <math.h>
#include <stdio.h>

#include "model/ensemble.h"
#include "study/probe.h"

#define MOST_MEMBERS 100
#define LARGEST_SEED ((UINT64_C(1) << 53) - 1) /* that a recipe may have */

struct committee {
    int64_t members;
    int part;
};

struct members {
    const struct fi_look_at *look;
    enum fanin_part part;
    int64_t n;
    fanin_model *models[MOST_MEMBERS]; /* the first is the run's */
    struct fi_ensemble others[MOST_MEMBERS];
    struct fi_probe_truth known;
    double variance, bias;
    int64_t rows;
};

static enum fanin_status train_member(fanin_model **out, const struct fi_look_at *look, int64_t k) {
    char name[32];
    fanin_recipe *recipe;
    (void)snprintf(name, sizeof name, "%lld", (long long)k);
    const uint64_t seed = fi_key(fanin_recipe_seed(look->recipe), "committee", name);
    FI_TRY(fi_recipe_with_seed(&recipe, look->recipe, seed & LARGEST_SEED));
    struct fanin_train_options options = *fanin_recipe_train(recipe);
    options.checkpoint = NULL;
    options.watch = 0;
    enum fanin_status status = fanin_recipe_model(out, recipe, fanin_data_shape(look->data),
                                                  fanin_data_outputs(look->data), look->data);
    if (status == FANIN_OK) status = fanin_train(*out, look->data, &options);
    if (status == FANIN_ERR_DIVERGED) status = FANIN_OK; /* a member like any other */
    fanin_recipe_free(recipe);
    return status;
}

/* ---- the average ----------------------------------------------------------------------------------- */

/* What row r should be, in output c. */
static double truth_of(const struct members *m, int64_t r, int64_t c) {
    const struct fanin_tensor *t = &m->known.targets;
    if (m->known.truth.labels) return m->known.labels[r] == c;
    return fi_model_raw_target(m->look->model, c, (double)t->data[r * t->ld + c]);
}

/* Puts the mean over the members into p. */
static void average_row(struct members *m, const struct fanin_tensor *p, int64_t r) {
    const bool counts = fi_probe_class(&m->known, m->look->model, r) >= 0;
    double variance = 0, bias = 0;
    for (int64_t c = 0; c < p->cols; c++) {
        fi_real *own = p->data + r * p->ld + c;
        double mean = (double)*own, squares = 0;
        for (int64_t k = 1; k < m->n; k++) { /* Welford's way */
            const struct fanin_tensor *q = &m->others[k].p;
            const double x = (double)q->data[r * q->ld + c], d = x - mean;
            mean += d / (double)(k + 1);
            squares += d * (x - mean);
        }
        *own = (fi_real)mean;
        const double scale =
            fi_model_raw_target(m->look->model, c, 1) - fi_model_raw_target(m->look->model, c, 0);
        const double off = fi_model_raw_target(m->look->model, c, mean) - truth_of(m, r, c);
        variance += squares / (double)(m->n - 1) * scale * scale;
        bias += off * off;
    }
    if (!counts) return;
    m->variance += variance;
    m->bias += bias;
    m->rows++;
}

static void predict(void *arg, struct fi_ensemble *e, int64_t n, int64_t row0) {
    struct members *m = arg;
    const struct fi_loss *loss = e->model->loss;
    for (int64_t k = 1; k < m->n; k++) {
        const struct fanin_tensor *x = &m->others[k].x;
        for (int64_t r = 0; r < n; r++)
            for (int64_t c = 0; c < x->cols; c++)
                x->data[r * x->ld + c] = e->x.data[r * e->x.ld + c];
        fi_ensemble_run(&m->others[k], n, row0);
    }
    fi_ensemble_run(e, n, row0);
    fi_probe_truth_load(&m->known, m->look, m->part, row0, n);
    for (int64_t r = 0; r < n; r++) average_row(m, &e->p, r);
    if (loss->unpredict) {
        loss->unpredict(e->model->loss_attrs, &e->p, &e->z);
        return;
    }
    for (int64_t r = 0; r < n; r++)
        for (int64_t c = 0; c < e->p.cols; c++)
            e->z.data[r * e->z.ld + c] = e->p.data[r * e->p.ld + c];
}

/* ---- the look -------------------------------------------------------------------------------------- */

static enum fanin_status measure(struct members *m, struct fi_arena *arena) {
    const struct fi_look_at *look = m->look;
    const struct fi_eval_options alone = {.part = m->part};
    const struct fi_eval_options together = {
        .part = m->part, .extra = true, .predict = predict, .arg = m};
    struct fi_eval eval;
    double loss = 0, error = 0;
    for (int64_t k = 0; k < m->n; k++) {
        FI_TRY(fi_evaluate(m->models[k], look->data, &alone, arena, &eval));
        loss += eval.figures[0].value / (double)m->n;
        error += fi_probe_error(&eval) / (double)m->n;
        if (k > 0)
            FI_TRY(
                fi_ensemble_create(&m->others[k], m->models[k], FI_PROBE_ROWS, NULL, false, arena));
    }
    FI_TRY(fi_probe_truth_create(&m->known, look->model, arena));
    FI_TRY(fi_evaluate(look->model, look->data, &together, arena, &eval));
    fi_probe_add_eval(look, &eval);
    look->add(look->to, "variance", "", m->variance / (double)m->rows);
    look->add(look->to, "bias", "", m->bias / (double)m->rows);
    look->add(look->to, "single_loss", "", loss);
    look->add(look->to, "single_error", "", error);
    return FANIN_OK;
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    const struct committee *a = attrs;
    struct fi_arena arena;
    enum fanin_status status = FANIN_OK;
    fi_arena_init(&arena, look->ctx);
    struct members *m = fi_arena_alloc(&arena, 1, sizeof *m);
    if (!m) {
        fi_arena_free(&arena);
        return FANIN_ERR_MEMORY;
    }
    m->look = look;
    m->part = (enum fanin_part)a->part;
    m->n = a->members;
    m->models[0] = look->model;
    for (int64_t k = 1; k < m->n && status == FANIN_OK; k++)
        status = train_member(&m->models[k], look, k);
    if (status == FANIN_OK) status = measure(m, &arena);
    for (int64_t k = 1; k < m->n; k++) fanin_model_free(m->models[k]);
    fi_arena_free(&arena);
    return status;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct committee, members, 5, 2, MOST_MEMBERS,
                "nets, the run's own among them; the others are trained for this", 0),
    FI_PROBE_PART(struct committee), FI_ATTR_END};

FI_RECORD(probe, committee) = {
    .head = {.name = "committee",
             .formula = "every metric of the mean prediction of k nets; variance = mean of sum_c "
                        "var_k(p_kc), unbiased; bias = mean of sum_c (mean_k p_kc - t_c)^2; "
                        "single_loss, single_error = means of the members'",
             .reference = "Breiman 2001; Geman, Bienenstock, Doursat 1992",
             .help =
                 "Trains more nets of the recipe from other seeds on the same data and averages "
                 "their predictions.",
             .attrs = specs,
             .attrs_size = sizeof(struct committee),
             .place = ""},
    .once = true,
    .look = look_at,
};
