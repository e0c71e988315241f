/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single ops and losses in the benchmark, forward and backward. There is no public call for one of
 * them alone, so what the engine would call is called here as it would: elementwise ops block by
 * block on the threads, other ops, which use the threads themselves, and losses as a whole.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/exec.h"
#include "graph/graph.h"
#include "kernel/kernel.h"
#include "worker_fanin.h"

struct one {
    const struct work *w;
    fanin_ctx *ctx;
    fanin_model *model;
    struct fi_exec *exec;
    const struct fanin_op *op; /* NULL: the model's loss */
    struct fi_update update;   /* collects the gradients of parameters */
    struct fanin_step step;
    struct fanin_tensor x, y, dy, dx;
};

static struct fanin_tensor tensor_of(const struct work *w, const float *from) {
    struct fanin_tensor t = {.rows = w->batch, .cols = w->in, .ld = fi_row_stride(w->in)};
    const size_t bytes = (size_t)(t.rows * t.ld) * sizeof *t.data;
    if (!(t.data = aligned_alloc(FI_ALIGN, bytes))) work_die("no memory for %s", w->name);
    memset(t.data, 0, bytes);
    for (int64_t r = 0; from && r < t.rows; r++)
        memcpy(t.data + r * t.ld, from + r * t.cols, (size_t)t.cols * sizeof *from);
    return t;
}

/* ---- set-up ---------------------------------------------------------------------------------------- */

/* A model of one node: the op with those of its attributes that the workload gives, or, for a loss,
 * the identity of positive numbers, which is not run. */
static void make_model(struct one *o, const char *name) {
    struct fanin_attr attrs[BENCH_ATTRS];
    int64_t n = 0;
    fanin_net *net;
    int node;
    const struct fanin_record *record = fanin_record_find(o->ctx, "op", name);
    struct fanin_model_options options = {.size = sizeof options};
    if (!record) options.loss.name = name;
    for (const struct fanin_attr_spec *s = record ? record->attrs : NULL;
         s && s->name && n < BENCH_ATTRS; s++)
        if (json_object_get(o->w->json, s->name))
            attrs[n++] =
                (struct fanin_attr){.name = s->name, .number = work_number(o->w->json, s->name)};
    o->op = (const struct fanin_op *)(const void *)record;
    bench_check(o->ctx, fanin_net_create(&net, o->ctx));
    bench_check(o->ctx, fanin_net_input(net, &node, NULL, 1, &o->w->in));
    bench_check(o->ctx,
                fanin_net_add(net, &node, record ? name : "relu", NULL, &node, 1, attrs, n));
    bench_check(o->ctx, fanin_model_create(&o->model, net, &options));
}

/* The step that a plan for training made for the op, on tensors of our own: the plan's may share
 * memory. */
static void make_step(struct one *o) {
    bench_check(o->ctx, fi_exec_create(&o->exec, o->model, o->w->batch, FI_TRAIN));
    o->update.grads = work_alloc(o->model->net->param_size + 1, sizeof(fi_real));
    o->exec->update = &o->update;
    o->step = o->exec->steps[1];
    o->step.rows = o->w->batch;
    o->step.x[0] = &o->x;
    o->step.y = &o->y;
    o->step.dy = &o->dy;
    o->step.dx[0] = &o->dx;
}

static void *open_op(const struct work *w, bool proof, struct worker_say *say) {
    struct one *o = work_alloc(1, sizeof *o);
    (void)proof, (void)say;
    o->w = w;
    o->ctx = bench_ctx(w);
    o->x = tensor_of(w, w->x);
    o->dy = tensor_of(w, w->g);
    o->y = tensor_of(w, NULL);
    o->dx = tensor_of(w, NULL);
    make_model(o, work_text(w->json, "op"));
    make_step(o);
    return o;
}

static void close_op(void *self) {
    struct one *o = self;
    free(o->x.data);
    free(o->y.data);
    free(o->dy.data);
    free(o->dx.data);
    free(o->update.grads);
    fi_exec_free(o->exec);
    fanin_model_free(o->model);
    fanin_ctx_free(o->ctx);
    free(o);
}

/* ---- running --------------------------------------------------------------------------------------- */

static struct fanin_block block_of(const struct one *o, int64_t task) {
    const int64_t height = FI_MAX(1, FI_BLOCK_CELLS / o->w->in), row0 = task * height;
    return (struct fanin_block){
        .row0 = row0, .rows = FI_MIN(height, o->w->batch - row0), .cols = o->w->in};
}

static void forward_task(void *arg, int64_t task) {
    const struct one *o = arg;
    const struct fanin_block b = block_of(o, task);
    const int64_t at = b.row0 * o->x.ld;
    o->op->forward_block(&o->step, &b, o->x.data + at, o->x.ld, o->y.data + at, o->y.ld);
}

static void backward_task(void *arg, int64_t task) {
    const struct one *o = arg;
    const struct fanin_block b = block_of(o, task);
    const int64_t at = b.row0 * o->x.ld, ld = o->x.ld;
    o->op->backward_block(&o->step, &b, o->x.data + at, ld, o->y.data + at, ld, o->dy.data + at, ld,
                          o->dx.data + at, ld);
}

static void walk(struct one *o, void (*task)(void *arg, int64_t i)) {
    const int64_t height = FI_MAX(1, FI_BLOCK_CELLS / o->w->in);
    fi_parallel(o->ctx, (o->w->batch + height - 1) / height,
                FI_FLOPS_PER_CELL * (double)(o->w->batch * o->w->in), task, o);
}

static double run_op(void *self) {
    struct one *o = self;
    o->step.step++; /* a new mask */
    if (!o->op) {
        const struct fi_truth truth = {.labels = o->w->labels};
        return o->model->loss->run(o->model->loss_attrs, &o->x, &truth, &o->dx,
                                   1 / (fi_real)o->w->batch) /
               (double)o->w->batch;
    }
    if (o->op->prepare) o->op->prepare(&o->step);
    if (o->op->flags & FANIN_OP_ELEMENTWISE) {
        walk(o, forward_task);
        walk(o, backward_task);
    } else {
        o->op->forward(&o->step);
        o->op->backward(&o->step);
    }
    return 0;
}

static double sum_of(const struct fanin_tensor *t) {
    double sum = 0;
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++) sum += fabs((double)t->data[r * t->ld + c]);
    return sum;
}

static json_t *result_op(void *self, int64_t steps) {
    struct one *o = self;
    (void)steps;
    const double loss = run_op(o);
    const double sums[] = {o->op ? sum_of(&o->y) : loss, sum_of(&o->dx)};
    return json_pack("{s: o}", "sums", worker_numbers(sums, 2));
}

const struct worker_kind bench_op = {
    .kind = "op", .open = open_op, .run = run_op, .result = result_op, .close = close_op};
