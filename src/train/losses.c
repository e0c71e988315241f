/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loss sample by sample, in inference mode: which samples a model gets most wrong. The loss
 * record is run on batches of one row, with weight 1 and no gradient.
 */
#include <math.h>

#include "kernel/kernel.h"
#include "model/ensemble.h"
#include "train/train.h"

struct pass {
    fanin_model *model;
    const fanin_data *data;
    enum fanin_part part;
    struct fi_ensemble ensemble;
    struct fanin_tensor targets;
    int32_t *labels;
    int64_t *index;
};

static enum fanin_status prepare(struct pass *p, struct fi_arena *arena) {
    const int64_t cols = fanin_model_outputs(p->model);
    FI_TRY(fi_ensemble_create(&p->ensemble, p->model, FI_ENSEMBLE_ROWS, NULL, false, arena));
    p->targets = (struct fanin_tensor){.rows = 1, .cols = cols, .ld = fi_row_stride(cols)};
    p->targets.data = fi_arena_alloc(arena, FI_ENSEMBLE_ROWS * p->targets.ld, sizeof(fi_real));
    p->labels = fi_arena_alloc(arena, FI_ENSEMBLE_ROWS, sizeof *p->labels);
    p->index = fi_arena_alloc(arena, FI_ENSEMBLE_ROWS, sizeof *p->index);
    return p->targets.data && p->labels && p->index ? FANIN_OK : FANIN_ERR_MEMORY;
}

static void run(struct pass *p, int64_t first, int64_t n, double *loss) {
    const fanin_model *m = p->model;
    const bool labels = m->truth == FANIN_CLASSIFICATION;
    const struct fi_known known = {.labels = p->labels,
                                   .targets = p->targets.data,
                                   .ld = p->targets.ld,
                                   .raw = m->task != FANIN_REGRESSION};
    const struct fanin_tensor *x = &p->ensemble.x;
    for (int64_t r = 0; r < n; r++) p->index[r] = first + r;
    fi_data_gather(p->data, p->part, p->index, n, x->data, x->ld);
    fi_data_gather_known(p->data, p->part, p->index, n, &known);
    fi_ensemble_run(&p->ensemble, n, first);
    for (int64_t r = 0; r < n; r++) {
        struct fanin_tensor z = p->ensemble.z, target = p->targets;
        z.rows = 1;
        z.data += r * z.ld;
        target.data += r * target.ld;
        const struct fi_truth truth = {.labels = labels ? p->labels + r : NULL, .target = &target};
        loss[r] = labels && m->loss->ignores && m->loss->ignores(m->loss_attrs, p->labels[r])
                      ? NAN
                      : m->loss->run(m->loss_attrs, &z, &truth, NULL, 0);
    }
}

enum fanin_status fanin_sample_losses(fanin_model *model, const fanin_data *data,
                                      enum fanin_part part, int64_t first, int64_t n,
                                      double *loss) {
    struct pass p = {.model = model, .data = data, .part = part};
    struct fi_arena arena;
    FI_TRY(fi_check_data(model, data));
    FI_TRY(fi_model_check_part(model, data, part, first, n));
    fi_arena_init(&arena, model->ctx);
    const enum fanin_status status = prepare(&p, &arena);
    for (int64_t at = 0; at < n && status == FANIN_OK; at += FI_ENSEMBLE_ROWS)
        run(&p, first + at, FI_MIN(FI_ENSEMBLE_ROWS, n - at), loss + at);
    fi_arena_free(&arena);
    return status;
}
