/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes among a model's inputs: columns that reach an op which reads them as indexes (an
 * embedding) just as they are. Data are held to that before they enter: a number that is no index
 * would be NaN behind the op, and the message would come late and name no row.
 */
#include <math.h>

#include "data/data.h"
#include "model/model.h"

/* Ops that hand on numbers as they are. */
static bool moves_only(const struct fi_node *node) {
    const unsigned needed = FANIN_OP_TRANSPARENT | FANIN_OP_NO_X | FANIN_OP_NO_Y;
    return (node->op->flags & needed) == needed && !(node->op->flags & FANIN_OP_STOCHASTIC) &&
           node->n_params == 0 && (node->n_in == 1 || node->op->source);
}

/* The column of a sample that unit u of a node is, -1: none. */
static int64_t column_of(const fanin_net *net, int node, int64_t u) {
    while (net->nodes[node].op) {
        const struct fi_node *n = &net->nodes[node];
        struct fi_sources sources;
        if (!moves_only(n)) return -1;
        fi_sources_init(&sources, net, node);
        int64_t x = -1;
        for (int k = 0; k < n->n_in && x < 0; k++)
            if ((x = fi_source(&sources, k, u)) >= 0) node = n->inputs[k];
        if (x < 0) return -1;
        u = x;
    }
    for (int i = 0; i < node; i++) u += net->nodes[i].op ? 0 : net->nodes[i].shape.cols;
    return u;
}

enum fanin_status fi_model_find_indexes(fanin_model *m) {
    const fanin_net *net = m->net;
    int64_t cap = 0;
    for (int i = 0; i < net->n_nodes; i++) {
        const struct fi_node *node = &net->nodes[i];
        if (!node->op || !node->op->index_below) continue;
        struct fi_sources sources;
        fi_sources_init(&sources, net, i);
        for (int64_t u = 0; u < sources.in[0].cols; u++) {
            const int64_t below = node->op->index_below(&sources.io, u);
            const int64_t column = below > 0 ? column_of(net, node->inputs[0], u) : -1;
            if (column < 0) continue;
            FI_TRY(fi_arena_grow(&m->arena, (void **)&m->indexes, &cap, m->n_indexes + 1,
                                 sizeof(*m->indexes)));
            m->indexes[m->n_indexes++] = (struct fi_index){column, below, node->name};
        }
    }
    return FANIN_OK;
}

static bool is_index(double v, int64_t below) {
    return v >= 0 && v < (double)below && v == floor(v);
}

static enum fanin_status refuse(const fanin_model *m, const struct fi_index *index, int64_t sample,
                                const char *name, double v) {
    return fi_fail(
        m->ctx, FANIN_ERR_DATA,
        "sample %lld, input %lld%s%s%s: %g is no index for %s, which takes whole numbers "
        "from 0 to %lld%s",
        (long long)sample, (long long)index->column, name ? " (" : "", name ? name : "",
        name ? ")" : "", v, index->node, (long long)index->below - 1,
        v == floor(v) ? "" : " (index columns must not be normalized)");
}

enum fanin_status fi_model_check_indexes(const fanin_model *m, const struct fanin_tensor *x,
                                         int64_t rows, int64_t first) {
    for (int64_t i = 0; i < m->n_indexes; i++)
        for (int64_t r = 0; r < rows; r++) {
            const double v = (double)x->data[r * x->ld + m->indexes[i].column];
            if (!is_index(v, m->indexes[i].below))
                return refuse(m, &m->indexes[i], first + r, NULL, v);
        }
    return FANIN_OK;
}

enum fanin_status fi_model_check_index_rows(const fanin_model *m, const float *x, int64_t rows) {
    const int64_t cols = m->n_indexes > 0 ? fanin_model_inputs(m) : 0;
    for (int64_t i = 0; i < m->n_indexes; i++)
        for (int64_t r = 0; r < rows; r++) {
            const double v = (double)x[r * cols + m->indexes[i].column];
            if (!is_index(v, m->indexes[i].below)) return refuse(m, &m->indexes[i], r, NULL, v);
        }
    return FANIN_OK;
}

enum fanin_status fi_model_check_index_data(const fanin_model *m, const fanin_data *data) {
    for (int p = 0; p < FI_COUNT(data->parts) && m->n_indexes > 0; p++) {
        const struct fi_part *part = &data->parts[p];
        const struct fi_table *t = part->table;
        for (int64_t i = 0; i < m->n_indexes; i++) {
            const int64_t c = m->indexes[i].column;
            for (int64_t r = 0; r < part->n; r++) {
                const int64_t at = fi_part_row(part, r) * t->shape.cols + c;
                const float raw = t->u8 ? (float)t->u8[at] : t->f32[at];
                float v = data->shift ? (raw - data->shift[c]) * data->scale[c] : raw;
                if (data->binary) v = (float)(v > 0);
                if (!is_index((double)v, m->indexes[i].below))
                    return refuse(m, &m->indexes[i], fi_part_row(part, r),
                                  t->input_names ? t->input_names[c] : NULL, (double)v);
            }
        }
    }
    return FANIN_OK;
}
