/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All 2^n subnetworks of a net with dropout against one pass of the whole net, weight scaling: the
 * exact average over the masks, each by its probability, for nets of at most 16 droppable units.
 *
 *   kl          mean over samples of Σ_c q_c log(q_c / p_c), q the average, p by weight scaling
 *   difference  largest |q_c - p_c|
 *
 * Behind one layer of dropout the normalized geometric mean is weight scaling exactly; the
 * arithmetic one is near it. Srivastava et al. 2014, section 7.5; Warde-Farley et al. 2014; Baldi &
 * Sadowski 2013.
 */
#include <math.h>

#include "kernel/math.h"
#include "model/ensemble.h"
#include "study/probe.h"

struct subnetworks {
    int mean, part;
};

struct both {
    struct fi_ensemble scaled;
    double kl, most;
    int64_t rows;
};

static void compare_row(struct both *b, const fi_real *q, const fi_real *p, int64_t cols) {
    for (int64_t c = 0; c < cols; c++) {
        const double qc = (double)q[c], pc = (double)p[c], apart = fabs(qc - pc);
        if (!(apart <= b->most)) b->most = apart;
        if (qc > 0) b->kl += qc * (fi_log(qc) - fi_log(pc));
    }
}

static void predict(void *arg, struct fi_ensemble *e, int64_t n, int64_t row0) {
    struct both *b = arg;
    struct fi_ensemble *s = &b->scaled;
    for (int64_t r = 0; r < n; r++)
        for (int64_t c = 0; c < e->x.cols; c++)
            s->x.data[r * s->x.ld + c] = e->x.data[r * e->x.ld + c];
    fi_ensemble_run(s, n, row0);
    fi_ensemble_run(e, n, row0);
    for (int64_t r = 0; r < n; r++)
        compare_row(b, e->p.data + r * e->p.ld, s->p.data + r * s->p.ld, e->p.cols);
    b->rows += n;
}

static enum fanin_status run(const struct fi_look_at *look, const struct subnetworks *a,
                             struct fi_arena *arena) {
    const struct fanin_ensemble_options all = {.size = sizeof all,
                                               .inference = a->mean ? FANIN_GEOMETRIC : FANIN_MC,
                                               .members = FANIN_ALL_MEMBERS};
    struct both b = {0};
    const struct fi_eval_options exact = {
        .part = (enum fanin_part)a->part, .inference = &all, .predict = predict, .arg = &b};
    const struct fi_eval_options scaled = {.part = (enum fanin_part)a->part};
    struct fi_eval of_all, of_scaled;
    FI_TRY(fi_evaluate(look->model, look->data, &scaled, arena, &of_scaled));
    FI_TRY(fi_ensemble_create(&b.scaled, look->model, FI_PROBE_ROWS, NULL, false, arena));
    FI_TRY(fi_evaluate(look->model, look->data, &exact, arena, &of_all));
    look->add(look->to, "loss", "", of_all.figures[0].value);
    look->add(look->to, "loss_scaling", "", of_scaled.figures[0].value);
    look->add(look->to, "kl", "",
              look->model->task == FANIN_CLASSIFICATION ? b.kl / (double)b.rows : NAN);
    look->add(look->to, "difference", "", b.most);
    look->add(look->to, "subnetworks", "", (double)of_all.members);
    return FANIN_OK;
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    struct fi_arena arena;
    fi_arena_init(&arena, look->ctx);
    const enum fanin_status status = run(look, attrs, &arena);
    fi_arena_free(&arena);
    return status;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_CHOICE(struct subnetworks, mean, 0, "arithmetic|geometric",
                   "how the predictions of the subnetworks are averaged"),
    FI_PROBE_PART(struct subnetworks), FI_ATTR_END};

FI_RECORD(probe, subnetworks) = {
    .head = {.name = "subnetworks",
             .formula = "loss of the average q over all 2^n masks; loss_scaling of weight scaling "
                        "p; kl = mean of sum_c q_c log(q_c / p_c); difference = max |q_c - p_c|; "
                        "subnetworks = 2^n",
             .reference = "Srivastava et al. 2014, section 7.5; Baldi & Sadowski 2013",
             .help = "Compares weight scaling with the average over all subnetworks of a net with "
                     "at most 16 droppable units.",
             .attrs = specs,
             .attrs_size = sizeof(struct subnetworks),
             .place = ""},
    .look = look_at,
};
