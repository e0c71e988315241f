/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single records on one thread: nanoseconds an element, forward and backward, of every elementwise
 * op, in L2; nanoseconds a parameter of every optimizer at 2 M parameters, and the bytes it moves
 * as a share of what a loop of the same reads and writes moves in the same run. The ten slowest ops
 * last. Times are CPU time of the thread, since machines are shared.
 *
 *   usage: bench_records [seconds per record]
 */
#define BENCH_CLOCK CLOCK_THREAD_CPUTIME_ID
#include "bench.h"

#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "kernel/kernel.h"

#define ROWS 32
#define COLS 1024
#define PARAMS (2 << 20)

static void fail(const char *what) {
    fprintf(stderr, "bench_records: %s\n", what);
    exit(1);
}

/* ---- ops ------------------------------------------------------------------------------------------ */

struct work {
    const struct fanin_op *op;
    struct fanin_step step;
    struct fi_exec exec;
    struct fi_step_extra extra;
    fanin_model model;
    fi_real *x, *y, *dy, *dx;
};

static const struct fanin_block block = {.rows = ROWS, .cols = COLS};

static void forward(void *arg) {
    struct work *w = arg;
    if (w->op->prepare) w->op->prepare(&w->step);
    w->op->forward_block(&w->step, &block, w->x, COLS, w->y, COLS);
}
static void backward(void *arg) {
    struct work *w = arg;
    w->op->backward_block(&w->step, &block, w->x, COLS, w->y, COLS, w->dy, COLS, w->dx, COLS);
}

static enum fanin_status refuse(const struct fanin_infer *io, const char *format, ...) {
    (void)io, (void)format;
    return FANIN_ERR_SHAPE;
}

struct row {
    const char *name, *pass;
    double ns;
};

/* Nanoseconds an element: the least of several blocks. */
static double best(bench_fn fn, void *arg, double seconds, double elements) {
    double least = INFINITY;
    for (int i = 0; i < BENCH_ROUNDS; i++)
        least = fmin(least, bench_block(fn, arg, seconds / BENCH_ROUNDS));
    return 1e9 * least / elements;
}

/* false: the op has parameters or wants other shapes. */
static bool open_op(struct work *w, fanin_ctx *ctx, struct fi_arena *arena) {
    struct fanin_rule rule = {.name = w->op->head.name};
    struct fanin_rule_ref ref;
    const struct fanin_shape shape = {.rank = 1, .dims = {COLS}, .cols = COLS};
    if (fi_rule_resolve(arena, &ref, "op", &rule, "bench") != FANIN_OK) return false;
    struct fanin_infer io = {
        .attrs = ref.attrs, .node = "op", .n_in = 1, .in = &shape, .out = shape, .fail = refuse};
    if (w->op->infer(&io) != FANIN_OK || io.n_params) return false;
    const int64_t cells = ROWS * COLS;
    w->model.ctx = ctx;
    w->exec.model = &w->model;
    w->extra.exec = &w->exec;
    w->step = (struct fanin_step){.attrs = ref.attrs,
                                  .training = 1,
                                  .rows = ROWS,
                                  .key = 7,
                                  .n_in = 1,
                                  .internal = &w->extra};
    w->step.state = fi_arena_alloc(
        arena, cells * (int64_t)io.state_bytes_per_cell + (int64_t)io.state_bytes + 1, 1);
    static struct fanin_tensor y;
    y = (struct fanin_tensor){w->y, ROWS, COLS, COLS};
    w->step.y = &y;
    return w->step.state != NULL;
}

static int by_time(const void *a, const void *b) {
    return bench_by_value(&((const struct row *)b)->ns, &((const struct row *)a)->ns);
}

static void bench_ops(fanin_ctx *ctx, double seconds) {
    struct row rows[512];
    int n = 0;
    struct fi_arena arena;
    const struct fanin_record *record;
    struct work w = {0};
    fi_arena_init(&arena, ctx);
    fi_real **buffers[] = {&w.x, &w.y, &w.dy, &w.dx};
    for (int i = 0; i < 4; i++)
        if (!(*buffers[i] = fi_arena_alloc(&arena, ROWS * COLS, sizeof(fi_real))))
            fail("no memory");
    for (int64_t i = 0; i < ROWS * COLS; i++) {
        uint32_t words[4];
        fi_philox(1, 0, (uint64_t)i, words);
        w.x[i] = (fi_real)(6 * fi_uniform53(words[0], words[1]) - 3);
        w.dy[i] = (fi_real)fi_uniform53(words[2], words[3]);
    }
    printf("%-22s %10s %10s   ns an element\n", "op", "forward", "backward");
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)) && n + 2 <= FI_COUNT(rows); i++) {
        w.op = (const struct fanin_op *)(const void *)record;
        if (!(w.op->flags & FANIN_OP_ELEMENTWISE) || !open_op(&w, ctx, &arena)) continue;
        rows[n++] = (struct row){record->name, "forward", best(forward, &w, seconds, ROWS * COLS)};
        if (w.op->backward_block)
            rows[n++] =
                (struct row){record->name, "backward", best(backward, &w, seconds, ROWS * COLS)};
        printf("%-22s %10.3f %10.3f\n", record->name, rows[n - 2].ns, rows[n - 1].ns);
    }
    qsort(rows, (size_t)n, sizeof rows[0], by_time);
    printf("\nslowest\n");
    for (int i = 0; i < n && i < 10; i++)
        printf("%-22s %-10s %.3f\n", rows[i].name, rows[i].pass, rows[i].ns);
    fi_arena_free(&arena);
}

/* ---- optimizers ------------------------------------------------------------------------------------- */

struct update {
    const struct fi_optim *optim;
    struct fi_optim_step step;
    fi_real *w, *g, *state[3];
};

static void run_update(void *arg) {
    struct update *u = arg;
    u->optim->update(&u->step, (fi_real)1e-4, u->w, u->g, u->state, PARAMS);
}

/* The same traffic and next to no arithmetic: reads g, reads and writes w and the states. */
static void run_traffic_0(void *arg) {
    struct update *u = arg;
    fi_real *restrict w = u->w;
    const fi_real *restrict g = u->g;
    for (int64_t i = 0; i < PARAMS; i++) w[i] += g[i] * 1e-30f;
}
static void run_traffic_1(void *arg) {
    struct update *u = arg;
    fi_real *restrict w = u->w, *restrict a = u->state[0];
    const fi_real *restrict g = u->g;
    for (int64_t i = 0; i < PARAMS; i++) w[i] += (a[i] += g[i] * 1e-30f) * 1e-30f;
}
static void run_traffic_2(void *arg) {
    struct update *u = arg;
    fi_real *restrict w = u->w, *restrict a = u->state[0], *restrict b = u->state[1];
    const fi_real *restrict g = u->g;
    for (int64_t i = 0; i < PARAMS; i++) {
        const fi_real x = g[i] * 1e-30f;
        w[i] += ((a[i] += x) + (b[i] += x)) * 1e-30f;
    }
}
static void run_traffic_3(void *arg) {
    struct update *u = arg;
    fi_real *restrict w = u->w, *restrict a = u->state[0], *restrict b = u->state[1],
                      *restrict c = u->state[2];
    const fi_real *restrict g = u->g;
    for (int64_t i = 0; i < PARAMS; i++) {
        const fi_real x = g[i] * 1e-30f;
        w[i] += ((a[i] += x) + (b[i] += x) + (c[i] += x)) * 1e-30f;
    }
}

/* How many states an update with these attributes moves: sgd without momentum has one and leaves it
 * alone. */
static int states_used(struct update *u) {
    fi_real before[3];
    int n = 0;
    for (int i = 0; i < u->optim->n_states; i++) before[i] = u->state[i][5];
    run_update(u);
    for (int i = 0; i < u->optim->n_states; i++) n += u->state[i][5] != before[i];
    return n;
}

static void bench_optims(fanin_ctx *ctx, double seconds) {
    static const bench_fn traffic[] = {run_traffic_0, run_traffic_1, run_traffic_2, run_traffic_3};
    struct fi_arena arena;
    struct update u = {0};
    const struct fanin_record *record;
    fi_arena_init(&arena, ctx);
    fi_real **buffers[] = {&u.w, &u.g, &u.state[0], &u.state[1], &u.state[2]};
    for (int i = 0; i < 5; i++) {
        if (!(*buffers[i] = fi_arena_alloc(&arena, PARAMS, sizeof(fi_real)))) fail("no memory");
        for (int64_t k = 0; k < PARAMS; k++) (*buffers[i])[k] = (fi_real)(1e-3 * (double)(k % 97));
    }
    printf("\n%-22s %6s %10s %10s %10s   at %d parameters\n", "optimizer", "states", "ns", "GB/s",
           "of memory", PARAMS);
    for (int i = 0; (record = fanin_record_at(ctx, "optim", i)); i++) {
        struct fanin_rule rule = {.name = record->name};
        struct fanin_rule_ref ref;
        if (fi_rule_resolve(&arena, &ref, "optim", &rule, "bench") != FANIN_OK) continue;
        u.optim = (const struct fi_optim *)(const void *)record;
        u.step = (struct fi_optim_step){.lr = 1e-6, .t = 100, .attrs = ref.attrs, .momentum = 1};
        double base1 = 0, base2 = 0;
        if (u.optim->powers) u.optim->powers(ref.attrs, &base1, &base2);
        u.step.pow1 = pow(base1, 100), u.step.pow2 = pow(base2, 100);
        const int states = states_used(&u);
        double own = INFINITY, limit = INFINITY;
        for (int k = 0; k < 3; k++) { /* in turn */
            own = fmin(own, best(run_update, &u, seconds / 3, PARAMS));
            limit = fmin(limit, best(traffic[states], &u, seconds / 3, PARAMS));
        }
        const double bytes = sizeof(fi_real) * (3.0 + 2.0 * states);
        printf("%-22s %6d %10.3f %10.1f %9.0f%%\n", record->name, states, own, bytes / own,
               100 * limit / own);
    }
    fi_arena_free(&arena);
}

int main(int argc, char **argv) {
    const double seconds = argc > 1 ? atof(argv[1]) : 0.2;
    struct fanin_ctx_options options = {.size = sizeof options, .threads = 1};
    fanin_ctx *ctx;
    char error[256];
    if (fanin_ctx_create(&ctx, &options, error, sizeof error) != FANIN_OK) fail(error);
    printf("tier %s, %s\n\n", fanin_isa(ctx), fanin_compiler());
    bench_ops(ctx, seconds);
    bench_optims(ctx, seconds);
    fanin_ctx_free(ctx);
    return 0;
}
