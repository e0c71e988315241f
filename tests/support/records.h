/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running single records by hand: finding them, tensors, reproducible numbers, and an op with
 * everything a plan would give it, but without the engine.
 */
#ifndef TESTS_RECORDS_H
#define TESTS_RECORDS_H

#include <math.h>

#include "graph/graph.h"
#include "kernel/kernel.h"
#include "support/support.h"

/* for (each tier): `ctx` is a context on it; tiers the processor lacks are passed over. */
static const char *const test_tiers[] = {"portable", "avx2", "avx512"};
#define FOR_EACH_TIER(ctx, n_threads)                                                              \
    for (int tier_ = 0; tier_ < 3; tier_++)                                                        \
        for (fanin_ctx *ctx = test_ctx_on(n_threads, test_tiers[tier_]); ctx;                      \
             fanin_ctx_free(ctx), ctx = NULL)

/* A record with its attributes. */
static inline struct fanin_rule_ref test_rule(struct fi_arena *arena, const char *kind,
                                              const char *name, const struct fanin_attr *attrs,
                                              int64_t n_attrs) {
    const struct fanin_rule rule = {.name = name, .attrs = attrs, .n_attrs = n_attrs};
    struct fanin_rule_ref ref;
    assert_ok(arena->ctx, fi_rule_resolve(arena, &ref, kind, &rule, "test"));
    return ref;
}

/* Number i of a fixed stream: uniform in [0, 1), and about normal (a sum of 12). */
static inline double test_uniform(uint64_t stream, int64_t i) {
    uint32_t words[4];
    fi_philox(stream, 0, (uint64_t)i, words);
    return fi_uniform53(words[0], words[1]);
}
static inline double test_normal(uint64_t stream, int64_t i) {
    double sum = -6;
    for (int64_t k = 0; k < 12; k++) sum += test_uniform(stream, 12 * i + k);
    return sum;
}

/* All cells start as NaN, also those behind the rows. */
static inline struct fanin_tensor test_tensor(struct fi_arena *arena, int64_t rows, int64_t cols) {
    struct fanin_tensor t = {.rows = rows, .cols = cols, .ld = fi_row_stride(cols)};
    t.data = fi_arena_alloc(arena, rows * t.ld, sizeof(fi_real));
    assert_non_null(t.data);
    for (int64_t i = 0; i < rows * t.ld; i++) t.data[i] = (fi_real)NAN;
    return t;
}
static inline fi_real *test_at(const struct fanin_tensor *t, int64_t row, int64_t col) {
    return t->data + row * t->ld + col;
}
static inline void test_fill_normal(const struct fanin_tensor *t, uint64_t stream, double mean,
                                    double std) {
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++)
            *test_at(t, r, c) = (fi_real)(mean + std * test_normal(stream, r * t->cols + c));
}
static inline void test_fill(const struct fanin_tensor *t, double value) {
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++) *test_at(t, r, c) = (fi_real)value;
}

/* A hash of the bits of the cells. */
static inline uint64_t test_hash(uint64_t hash, const struct fanin_tensor *t) {
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++) {
            uint64_t bits = 0;
            memcpy(&bits, test_at(t, r, c), sizeof(fi_real));
            hash = fi_hash_mix(hash, bits);
        }
    return hash;
}

/* ---- one op -------------------------------------------------------------------------------------- */

struct op_run {
    struct fi_arena arena;
    const struct fanin_op *op;
    struct fanin_infer io;
    struct fanin_shape in[FANIN_MAX_INPUTS];
    struct fanin_step s;
    struct fanin_tensor x[FANIN_MAX_INPUTS], dx[FANIN_MAX_INPUTS], y, dy;
    struct fanin_param_view params[FANIN_MAX_PARAMS];
    /* what step->internal leads to, for fi_step_ctx() */
    struct fi_step_extra extra;
    struct fi_exec exec;
    struct fanin_model model;
};

static inline enum fanin_status op_run_fail(const struct fanin_infer *io, const char *format, ...) {
    va_list args;
    va_start(args, format);
    enum fanin_status status = fi_failv(io->internal, FANIN_ERR_SHAPE, format, args);
    va_end(args);
    return status;
}

static inline void op_run_emit(const struct fanin_step *s, int param, int64_t offset, int64_t n,
                               fi_real *g) {
    memcpy(s->params[param].dw + offset, g, (size_t)n * sizeof(*g));
    memset(g, 0xff, (size_t)n * sizeof(*g)); /* g is scratch now: nobody may read it again */
}

static inline struct fanin_shape test_shape(const int64_t *dims) {
    struct fanin_shape shape = {.cols = 1};
    while (shape.rank < FANIN_MAX_RANK && dims[shape.rank] > 0) {
        shape.dims[shape.rank] = dims[shape.rank];
        shape.cols *= dims[shape.rank++];
    }
    return shape;
}

/* infer() alone. dims end with 0. */
static inline enum fanin_status op_run_infer(struct op_run *run, fanin_ctx *ctx, const char *name,
                                             const struct fanin_case *c) {
    memset(run, 0, sizeof(*run));
    fi_arena_init(&run->arena, ctx);
    const struct fanin_rule_ref ref = test_rule(&run->arena, "op", name, c->attrs, c->n_attrs);
    run->op = (const struct fanin_op *)(const void *)ref.record;
    for (int i = 0; i < c->n_in; i++) run->in[i] = test_shape(c->dims[i]);
    run->io = (struct fanin_infer){.attrs = ref.attrs,
                                   .node = "node",
                                   .n_in = c->n_in,
                                   .in = run->in,
                                   .fail = op_run_fail,
                                   .internal = ctx};
    return run->op->infer(&run->io);
}

/* infer(), then all memory of a training plan. Parameters have their fill values. */
static inline void op_run_create(struct op_run *run, fanin_ctx *ctx, const char *name,
                                 const struct fanin_case *c) {
    assert_ok(ctx, op_run_infer(run, ctx, name, c));
    struct fi_arena *a = &run->arena;
    run->y = test_tensor(a, c->rows, run->io.out.cols);
    run->dy = test_tensor(a, c->rows, run->io.out.cols);
    run->s = (struct fanin_step){.attrs = run->io.attrs,
                                 .training = 1,
                                 .rows = c->rows,
                                 .key = 12345,
                                 .n_in = c->n_in,
                                 .y = &run->y,
                                 .shape = &run->io.out,
                                 .dy = &run->dy,
                                 .params = run->params,
                                 .emit = op_run_emit,
                                 .internal = &run->extra};
    for (int i = 0; i < c->n_in; i++) {
        run->x[i] = test_tensor(a, c->rows, run->in[i].cols);
        run->dx[i] = test_tensor(a, c->rows, run->in[i].cols);
        run->s.x[i] = &run->x[i];
        run->s.x_shape[i] = &run->in[i];
        run->s.dx[i] = &run->dx[i];
    }
    for (int i = 0; i < run->io.n_params; i++) {
        const struct fanin_param_spec *spec = &run->io.params[i];
        int64_t n = 1;
        for (int d = 0; d < spec->rank; d++) n *= spec->dims[d];
        run->params[i] = (struct fanin_param_view){.out = n, .in = 1, .index = i};
        run->params[i].w = fi_arena_alloc(a, n, sizeof(fi_real));
        run->params[i].dw = fi_arena_alloc(a, n, sizeof(fi_real));
        for (int64_t k = 0; k < n; k++) run->params[i].w[k] = (fi_real)spec->fill;
    }
    const int64_t cells = run->y.rows * run->y.ld * (int64_t)run->io.state_bytes_per_cell;
    const int64_t rows = (run->y.rows + 31) / 32 * 32;
    run->s.state = fi_arena_alloc(
        a, cells + rows * (int64_t)run->io.state_bytes_per_row + (int64_t)run->io.state_bytes, 1);
    run->s.scratch = fi_arena_alloc(
        a, rows * (int64_t)run->io.scratch_bytes_per_row + (int64_t)run->io.scratch_bytes, 1);
    run->model.ctx = ctx;
    run->exec.model = &run->model;
    run->extra.exec = &run->exec;
}

static inline void op_run_free(struct op_run *run) {
    fi_arena_free(&run->arena);
}

/* One block, or all of it where the op knows no blocks. */
static inline void op_forward_block(struct op_run *run, const struct fanin_block *b) {
    if (run->op->prepare) run->op->prepare(&run->s);
    run->op->forward_block(&run->s, b, test_at(&run->x[0], b->row0, b->col0), run->x[0].ld,
                           test_at(&run->y, b->row0, b->col0), run->y.ld);
}
static inline void op_forward(struct op_run *run) {
    const struct fanin_block all = {.rows = run->s.rows, .cols = run->y.cols};
    if (run->op->forward_block)
        op_forward_block(run, &all);
    else {
        if (run->op->prepare) run->op->prepare(&run->s);
        run->op->forward(&run->s);
    }
}
static inline void op_backward(struct op_run *run) {
    const struct fanin_block all = {.rows = run->s.rows, .cols = run->y.cols};
    if (run->op->backward_block)
        run->op->backward_block(&run->s, &all, run->x[0].data, run->x[0].ld, run->y.data, run->y.ld,
                                run->dy.data, run->dy.ld, run->dx[0].data, run->dx[0].ld);
    else
        run->op->backward(&run->s);
}

#endif
