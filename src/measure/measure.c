/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/measure.h"

#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/math.h"

#define LANES 8
#define FLOPS_PER_CELL 20.0 /* for deciding about threads */

static double row_sum(const fi_real *row, int64_t n) {
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) lane[k] += (double)row[i + k];
    for (int k = 0; i + k < n; k++) lane[k] += (double)row[i + k];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int k = 0; k < half; k++) lane[k] += lane[k + half];
    return lane[0];
}

/* ---- a node ---------------------------------------------------------------------------------------- */

static void add_outputs(struct fi_node_measure *m, const struct fanin_tensor *y, int64_t rows,
                        const struct fi_kernels *kernels) {
    for (int64_t r = 0; r < rows; r++) {
        const fi_real *row = y->data + r * y->ld;
        const double squares = kernels->sum_squares(row, y->cols);
        m->sum += row_sum(row, y->cols);
        m->squares += squares;
        if (!(squares > 0)) continue;
        const double over = 1 / sqrt(squares);
        for (int64_t c = 0; c < y->cols; c++) m->direction[c] += (double)row[c] * over;
        m->vectors++;
    }
}

static void add_gradients(struct fi_node_measure *m, const struct fanin_tensor *dy, int64_t rows,
                          const struct fi_kernels *kernels) {
    if (!dy->data) {
        m->grad = NAN;
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        m->grad += kernels->sum_squares(dy->data + r * dy->ld, dy->cols);
}

static void add_statistics(struct fi_node_measure *m, const struct fanin_op *op,
                           const struct fanin_step *step) {
    struct fanin_statistics s;
    if (!op || !op->statistics || !step->training) return;
    for (int64_t c = 0; op->statistics(step, c, &s); c++) {
        if (!(s.running_var > 0) || !(s.batch_var > 0)) continue;
        const double away = s.batch_mean - s.running_mean;
        m->gap += away * away / s.running_var;
        m->ratio += fi_log(s.batch_var / s.running_var);
        m->channels++;
    }
}

struct add {
    struct fi_measure *measure;
    const struct fi_exec *exec;
};

static void add_node(void *arg, int64_t node) {
    const struct add *job = arg;
    const struct fi_exec *e = job->exec;
    struct fi_node_measure *m = &job->measure->nodes[node];
    const struct fi_kernels *kernels = e->model->ctx->kernels;
    add_outputs(m, &e->y[node], e->rows_now, kernels);
    add_gradients(m, &e->dy[node], e->rows_now, kernels);
    add_statistics(m, job->measure->net->nodes[node].op, &e->steps[node]);
    fi_units_add(m, e, (int)node, job->measure->rows);
}

/* ---- a batch --------------------------------------------------------------------------------------- */

enum fanin_status fi_measure_create(struct fi_measure *m, struct fi_arena *arena,
                                    const fanin_net *net) {
    *m = (struct fi_measure){.net = net};
    m->nodes = fi_arena_alloc(arena, net->n_nodes, sizeof *m->nodes);
    if (!m->nodes) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) {
        m->nodes[i].direction = fi_arena_alloc(arena, net->nodes[i].shape.cols, sizeof(double));
        if (!m->nodes[i].direction) return FANIN_ERR_MEMORY;
        FI_TRY(fi_units_create(&m->nodes[i], arena, &net->nodes[i]));
    }
    return fi_rows_create(m, arena);
}

void fi_measure_begin(struct fi_measure *m, int64_t rows) {
    m->rows = rows;
    m->seen = 0;
    for (int i = 0; i < m->net->n_nodes; i++) {
        struct fi_node_measure *n = &m->nodes[i];
        const int64_t cols = m->net->nodes[i].shape.cols;
        n->sum = n->squares = n->grad = n->vectors = n->gap = n->ratio = n->channels = 0;
        memset(n->direction, 0, (size_t)cols * sizeof *n->direction);
        fi_units_begin(n, cols);
    }
}

void fi_measure_add(struct fi_measure *m, const struct fi_exec *exec) {
    struct add job = {m, exec};
    double cells = 0;
    for (int i = 0; i < m->net->n_nodes; i++) cells += (double)m->net->nodes[i].shape.cols;
    fi_parallel(exec->model->ctx, m->net->n_nodes, FLOPS_PER_CELL * cells * (double)exec->rows_now,
                add_node, &job);
    m->seen += exec->rows_now;
}

/* The mean cosine over pairs from the length of the sum of the unit vectors:
 * ‖Σ x_a/‖x_a‖‖² = n + 2 Σ_{a<b} cos(a, b). */
static double mean_cosine(const struct fi_node_measure *m, int64_t cols) {
    const double n = m->vectors;
    double length = 0;
    for (int64_t c = 0; c < cols; c++) length += m->direction[c] * m->direction[c];
    return n > 1 ? (length - n) / (n * (n - 1)) : NAN;
}

void fi_measure_figures(const struct fi_measure *m, int node, struct fanin_check_figures *out) {
    const struct fi_node_measure *n = &m->nodes[node];
    const int64_t cols = m->net->nodes[node].shape.cols;
    const double rows = (double)m->seen, share = 1 / (rows * (double)cols);
    out->mean = n->sum * share;
    out->second = n->squares * share;
    out->cosine = mean_cosine(n, cols);
    out->grad = n->grad * share * rows * rows;
}

bool fi_measure_gap(const struct fi_measure *m, int node, struct fi_measured_gap *out) {
    const struct fi_node_measure *n = &m->nodes[node];
    if (!(n->channels > 0)) return false;
    out->mean = sqrt(n->gap / n->channels);
    out->var = fi_exp(n->ratio / n->channels);
    return true;
}

/* ---- parameters ------------------------------------------------------------------------------------ */

double fi_measure_rms(fanin_ctx *ctx, const struct fi_param *p, const fi_real *numbers) {
    return sqrt(ctx->kernels->sum_squares(numbers + p->offset, p->size) / (double)p->count);
}

struct rms_job {
    fanin_ctx *ctx;
    const fanin_net *net;
    const fi_real *numbers;
    double *out;
};

static void rms_of(void *arg, int64_t i) {
    const struct rms_job *job = arg;
    job->out[i] = fi_measure_rms(job->ctx, &job->net->params[i], job->numbers);
}

void fi_measure_all_rms(fanin_ctx *ctx, const fanin_net *net, const fi_real *numbers, double *out) {
    struct rms_job job = {ctx, net, numbers, out};
    fi_parallel(ctx, net->n_params, 2.0 * (double)net->param_size, rms_of, &job);
}

void fi_measure_move(const fi_real *a, const fi_real *b, int64_t n, double decay,
                     struct fi_measured_move *out) {
    double all[LANES] = {0}, step[LANES] = {0};
    *out = (struct fi_measured_move){0};
    for (int64_t i = 0; i < n; i += LANES)
        for (int k = 0; k < LANES && i + k < n; k++) {
            const double was = (double)a[i + k], moved = (double)b[i + k] - was;
            const double own = moved + decay * was;
            all[k] += moved * moved;
            step[k] += own * own;
        }
    for (int k = 0; k < LANES; k++) {
        out->all += all[k];
        out->step += step[k];
    }
}
