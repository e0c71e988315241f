/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch statistics taken anew: one pass over the training part after which the running mean and
 * variance of each channel are those of all its numbers. Each batch is normalized by itself, as in
 * training, while everything else is as in use (dropout drops nothing); batches are those of the
 * first epoch, and their sums are pooled exactly (Chan, Golub, LeVeque 1979), in their order.
 *
 * Izmailov et al., UAI 2018, section 3.2: averaged weights need their own statistics.
 */
#include "train/train.h"

/* Its statistics are taken anew, unless they are frozen. */
static bool takes_part(const fanin_net *net, const struct fi_policies *policies, int node) {
    const struct fi_node *n = &net->nodes[node];
    bool frozen = false;
    for (int k = n->first_param; k < n->first_param + n->n_params; k++)
        frozen |= !net->params[k].spec.trainable && policies->params[k].frozen;
    return n->op && n->op->flags & FANIN_OP_BATCH_STATS && !frozen;
}

static void run_batch(struct fi_exec *e, const struct fi_policies *policies, int64_t rows,
                      int64_t before) {
    const fanin_net *net = e->model->net;
    for (int i = 0; i < net->n_nodes; i++) {
        if (!takes_part(net, policies, i)) continue;
        e->steps[i].training = e->steps[i].pool = 1;
        e->steps[i].pool_rows = before;
    }
    fi_exec_forward(e, rows, 0, 0);
}

enum fanin_status fi_restate_statistics(fanin_model *model, const struct fi_policies *policies,
                                        const fanin_data *data, uint64_t seed, int64_t batch) {
    const int64_t rows = fanin_data_rows(data, FANIN_TRAIN);
    bool any = false;
    struct fi_exec *e;
    for (int i = 0; i < model->net->n_nodes; i++) any |= takes_part(model->net, policies, i);
    if (!any) return FANIN_OK;
    FI_TRY(fi_exec_create(&e, model, FI_MIN(batch, rows), FI_INFER));
    int64_t *index = fi_alloc(model->ctx, e->rows, sizeof(*index));
    for (int64_t first = 0; index && first < rows; first += e->rows) {
        const int64_t n = FI_MIN(e->rows, rows - first);
        if (n < 2) break; /* one sample has no variance, and training did without it too */
        fi_data_order(data, FANIN_TRAIN, seed, 0, first, n, index);
        fi_data_gather(data, FANIN_TRAIN, index, n, e->x.data, e->x.ld);
        run_batch(e, policies, n, first);
    }
    const bool enough = index != NULL;
    fi_free(model->ctx, index);
    fi_exec_free(e);
    return enough ? FANIN_OK : FANIN_ERR_MEMORY;
}
