/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ablation: one unit of a layer at a time is held at a constant, its mean over the samples or 0,
 * and the loss measured as in inference. How much a net leans on single units, and on units that
 * work together, shows in what their absence costs; dropout is meant to lower it (Srivastava et al.
 * 2014, section 7.1: co-adaptation). Meyes et al. 2019, arXiv 1901.08644, for the method.
 *
 *   increase of unit u = loss with u held - loss
 *
 * Only what comes behind the layer is run again for each unit, in a plan that keeps every output;
 * the model is not touched.
 */
#include <string.h>

#include "study/probe.h"

enum { MEAN, ZERO };

struct ablation {
    const char *node;
    int part, held;
    int64_t rows, units;
};

struct work {
    struct fi_probe_pass pass;
    int node;
    int64_t n; /* units looked at */
    int64_t *unit;
    fi_real *constant;         /* that each is held at */
    fi_real *column;           /* the unit's outputs meanwhile */
    struct fi_mean_loss *loss; /* of each; the last is the whole net's */
};

/* `n` of `all` units, evenly apart. */
static enum fanin_status choose(struct work *w, int64_t wanted, int64_t all,
                                struct fi_arena *arena) {
    w->n = wanted > 0 ? FI_MIN(wanted, all) : all;
    w->unit = fi_arena_alloc(arena, w->n, sizeof *w->unit);
    w->constant = fi_arena_alloc(arena, w->n, sizeof *w->constant);
    w->column = fi_arena_alloc(arena, FI_PROBE_ROWS, sizeof *w->column);
    w->loss = fi_arena_alloc(arena, w->n + 1, sizeof *w->loss);
    if (!w->unit || !w->constant || !w->column || !w->loss) return FANIN_ERR_MEMORY;
    for (int64_t k = 0; k < w->n; k++)
        w->unit[k] = (int64_t)((double)k * (double)all / (double)w->n);
    return FANIN_OK;
}

static enum fanin_status find_means(struct work *w, struct fi_arena *arena) {
    double *sum = fi_arena_alloc(arena, w->n, sizeof *sum);
    if (!sum) return FANIN_ERR_MEMORY;
    while (fi_probe_pass_next(&w->pass)) {
        const struct fanin_tensor *y = &w->pass.exec->y[w->node];
        for (int64_t r = 0; r < w->pass.n; r++)
            for (int64_t k = 0; k < w->n; k++) sum[k] += (double)y->data[r * y->ld + w->unit[k]];
    }
    fi_probe_pass_rewind(&w->pass);
    for (int64_t k = 0; k < w->n; k++) w->constant[k] = (fi_real)(sum[k] / (double)w->pass.rows);
    return FANIN_OK;
}

/* A batch: the loss as it is, then with each unit held. */
static void ablate(struct work *w) {
    const fanin_model *m = w->pass.look->model;
    struct fi_exec *e = w->pass.exec;
    const struct fanin_tensor *y = &e->y[w->node], *z = &e->y[fi_net_result(m->net)];
    const struct fi_truth *truth = &w->pass.known.truth;
    fi_mean_loss_add(&w->loss[w->n], m, z, truth);
    for (int64_t k = 0; k < w->n; k++) {
        fi_real *at = y->data + w->unit[k];
        for (int64_t r = 0; r < w->pass.n; r++) {
            w->column[r] = at[r * y->ld];
            at[r * y->ld] = w->constant[k];
        }
        fi_exec_forward_behind(e, w->node);
        fi_mean_loss_add(&w->loss[k], m, z, truth);
        for (int64_t r = 0; r < w->pass.n; r++) at[r * y->ld] = w->column[r];
    }
}

static enum fanin_status tell(const struct work *w, const char *node, struct fi_arena *arena) {
    const struct fi_look_at *look = w->pass.look;
    const double loss = fi_mean_loss(&w->loss[w->n]);
    double sum = 0, most = 0;
    fi_real *increase = fi_arena_alloc(arena, w->n, sizeof *increase);
    if (!increase) return FANIN_ERR_MEMORY;
    for (int64_t k = 0; k < w->n; k++) {
        const double more = fi_mean_loss(&w->loss[k]) - loss;
        increase[k] = (fi_real)more;
        sum += more;
        if (k == 0 || !(more <= most)) most = more;
    }
    const double mean = sum / (double)w->n;
    look->add(look->to, "loss", node, loss);
    look->add(look->to, "mean_increase", node, mean);
    look->add(look->to, "max_increase", node, most);
    look->add(look->to, "relative_mean", node, mean / loss);
    look->add(look->to, "relative_max", node, most / loss);
    fi_probe_bins(look, "increase", node, increase, w->n);
    return FANIN_OK;
}

static enum fanin_status run(const struct fi_look_at *look, const struct ablation *a,
                             struct fi_arena *arena) {
    struct work w = {0};
    FI_TRY(fi_probe_node(look, "node", a->node, &w.node));
    FI_TRY(choose(&w, a->units, look->model->net->nodes[w.node].shape.cols, arena));
    FI_TRY(fi_probe_pass_open(&w.pass, look, (enum fanin_part)a->part, a->rows, arena));
    enum fanin_status status = a->held == MEAN ? find_means(&w, arena) : FANIN_OK;
    while (status == FANIN_OK && fi_probe_pass_next(&w.pass)) ablate(&w);
    if (status == FANIN_OK) status = tell(&w, a->node, arena);
    fi_probe_pass_close(&w.pass);
    return status;
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    struct fi_arena arena;
    fi_arena_init(&arena, look->ctx);
    const enum fanin_status status = run(look, attrs, &arena);
    fi_arena_free(&arena);
    return status;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_STRING(struct ablation, node, NULL, "whose units, relu2 say", FANIN_ATTR_REQUIRED),
    FI_PROBE_PART(struct ablation),
    FI_PROBE_SAMPLES(struct ablation),
    FI_ATTR_INT(struct ablation, units, 128, 0, 1e9, "at most so many units, evenly apart; 0: all",
                0),
    FI_ATTR_CHOICE(struct ablation, held, MEAN, "mean|zero",
                   "what the unit gives instead: its mean over the samples, or 0"),
    FI_ATTR_END};

FI_RECORD(probe, ablation) = {
    .head = {.name = "ablation",
             .formula =
                 "loss; mean_increase, max_increase = mean, max over units u of (loss with u "
                 "held - loss); relative_mean, relative_max = these / loss; histogram "
                 "increase",
             .reference = "Srivastava et al. 2014, section 7.1; Meyes et al. 2019",
             .help = "Tells what single units of a layer are worth: the loss when one is held at a "
                     "constant.",
             .attrs = specs,
             .attrs_size = sizeof(struct ablation),
             .place = ""},
    .look = look_at,
};
