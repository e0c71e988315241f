/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single records against the machine: every op of one input, every loss and every optimizer, and
 * the share that a loop of the same reads and writes, measured in the same run, takes of its time.
 * Ops and losses at 128 x 1024, whose tensors stay in cache; optimizers at 1.85 M parameters, a
 * gradient in one buffer. What is below the limit by more than its reads and writes explain is
 * arithmetic, or passes over the data.
 *
 *   usage: bench_records [seconds per record] [threads] [name]...
 */
#define BENCH_CLOCK time_of
#include <time.h>

/* One thread: CPU time, since machines are shared. */
static clockid_t time_of = CLOCK_THREAD_CPUTIME_ID;

#include "bench.h"

#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "kernel/kernel.h"

#define ROWS 128
#define COLS 1024
#define BLOCK_ROWS 4 /* of an elementwise op at a time */
#define PARAMS 1850000

static char **names; /* those asked for; none: all */

static bool wanted(const char *name) {
    bool found = !*names;
    for (char **n = names; *n; n++) found |= strcmp(*n, name) == 0;
    return found;
}

static void fail(const char *what) {
    fprintf(stderr, "bench_records: %s\n", what);
    exit(1);
}

/* Seconds a call: the least of several blocks, contenders in turn. */
static void best(int n, const bench_fn *fns, void *arg, double seconds, double *least) {
    for (int i = 0; i < n; i++) least[i] = INFINITY;
    for (int round = 0; round < BENCH_ROUNDS; round++)
        for (int i = 0; i < n; i++)
            least[i] = fmin(least[i], bench_block(fns[i], arg, seconds / BENCH_ROUNDS));
}

/* ---- ops and losses ------------------------------------------------------------------------------- */

struct work {
    fanin_ctx *ctx;
    const struct fanin_op *op;
    const struct fi_loss *loss;
    struct fanin_step step;
    struct fi_exec exec;
    struct fi_step_extra extra;
    fanin_model model;
    struct fanin_shape shape;
    struct fanin_param_view params[FANIN_MAX_PARAMS];
    struct fanin_tensor x, y, dy, dx;
    int32_t labels[ROWS];
    int reads; /* tensors that the backward pass reads */
};

static const fi_real *row_of(const struct fanin_tensor *t, int64_t r) {
    return t->data + r * t->ld;
}

static void forward_task(void *arg, int64_t i) {
    const struct work *w = arg;
    const struct fanin_block b = {.row0 = i * BLOCK_ROWS, .rows = BLOCK_ROWS, .cols = COLS};
    w->op->forward_block(&w->step, &b, row_of(&w->x, b.row0), w->x.ld, w->y.data + b.row0 * w->y.ld,
                         w->y.ld);
}
static void backward_task(void *arg, int64_t i) {
    const struct work *w = arg;
    const struct fanin_block b = {.row0 = i * BLOCK_ROWS, .rows = BLOCK_ROWS, .cols = COLS};
    w->op->backward_block(&w->step, &b, row_of(&w->x, b.row0), w->x.ld, row_of(&w->y, b.row0),
                          w->y.ld, row_of(&w->dy, b.row0), w->dy.ld, w->dx.data + b.row0 * w->dx.ld,
                          w->dx.ld);
}

/* As the engine decides about threads. */
static void blocks(struct work *w, void (*task)(void *, int64_t)) {
    fi_parallel(w->ctx, ROWS / BLOCK_ROWS, 10.0 * ROWS * COLS, task, w);
}

static void forward(void *arg) {
    struct work *w = arg;
    if (w->op->prepare) w->op->prepare(&w->step);
    if (w->op->forward_block)
        blocks(w, forward_task);
    else
        w->op->forward(&w->step);
}
static void backward(void *arg) {
    struct work *w = arg;
    if (w->op->backward_block)
        blocks(w, backward_task);
    else
        w->op->backward(&w->step);
}
static void loss(void *arg) {
    struct work *w = arg;
    const struct fi_truth truth = {.labels = w->loss->takes & FI_TAKES_LABELS ? w->labels : NULL,
                                   .target = &w->dy};
    w->loss->run(w->step.attrs, &w->x, &truth, &w->dx, (fi_real)0.01);
}

/* The same traffic and next to no arithmetic: one tensor written from one, two or three. */
static void traffic_task(void *arg, int64_t i) {
    const struct work *w = arg;
    for (int64_t r = i * BLOCK_ROWS; r < (i + 1) * BLOCK_ROWS; r++) {
        const fi_real *x = row_of(&w->x, r), *y = row_of(&w->y, r), *dy = row_of(&w->dy, r);
        fi_real *restrict to = w->dx.data + r * w->dx.ld;
        if (w->reads == 1)
            for (int64_t c = 0; c < COLS; c++) to[c] = dy[c] * 0.5f;
        else if (w->reads == 2)
            for (int64_t c = 0; c < COLS; c++) to[c] = dy[c] + x[c];
        else
            for (int64_t c = 0; c < COLS; c++) to[c] = dy[c] + x[c] + y[c];
    }
}
static void traffic(void *arg) {
    blocks(arg, traffic_task);
}

static enum fanin_status refuse(const struct fanin_infer *io, const char *format, ...) {
    (void)io, (void)format;
    return FANIN_ERR_SHAPE;
}
static void drop(const struct fanin_step *s, int index, int64_t offset, int64_t n, fi_real *g) {
    (void)s, (void)index, (void)offset, (void)n, (void)g;
}

static void *zeroed(struct fi_arena *arena, size_t bytes) {
    void *memory = fi_arena_alloc(arena, (int64_t)bytes + 1, 1);
    if (!memory) fail("no memory");
    return memset(memory, 0, bytes);
}

/* false: the op wants other shapes, or matrices. */
static bool open_op(struct work *w, struct fi_arena *arena) {
    struct fanin_rule rule = {.name = w->op->head.name};
    struct fanin_rule_ref ref;
    if (fi_rule_resolve(arena, &ref, "op", &rule, "bench") != FANIN_OK) return false;
    struct fanin_infer io = {.attrs = ref.attrs,
                             .node = "op",
                             .n_in = 1,
                             .in = &w->shape,
                             .out = w->shape,
                             .fail = refuse};
    if (w->op->infer(&io) != FANIN_OK || io.out.cols != COLS || !w->op->backward) {
        if (!(w->op->flags & FANIN_OP_ELEMENTWISE)) return false;
    }
    for (int i = 0; i < io.n_params; i++) {
        const struct fanin_param_spec *spec = &io.params[i];
        if (spec->layout != FANIN_LAYOUT_VECTOR || spec->rank > 1) return false;
        const int64_t n = spec->rank ? spec->dims[0] : 1;
        fi_real *numbers = zeroed(arena, (size_t)n * sizeof(fi_real));
        for (int64_t k = 0; k < n; k++) numbers[k] = (fi_real)spec->fill;
        w->params[i] = (struct fanin_param_view){.w = numbers, .out = n, .in = 1, .index = i};
    }
    w->step.attrs = ref.attrs;
    w->step.state = zeroed(arena, (size_t)(ROWS * w->y.ld) * io.state_bytes_per_cell +
                                      ROWS * io.state_bytes_per_row + io.state_bytes);
    w->step.scratch = zeroed(arena, ROWS * io.scratch_bytes_per_row + io.scratch_bytes);
    w->reads = 1 + !(w->op->flags & FANIN_OP_NO_X) + !(w->op->flags & FANIN_OP_NO_Y);
    return true;
}

static void open_work(struct work *w, fanin_ctx *ctx, struct fi_arena *arena) {
    struct fanin_tensor *all[] = {&w->x, &w->y, &w->dy, &w->dx};
    for (int i = 0; i < 4; i++) {
        *all[i] = (struct fanin_tensor){NULL, ROWS, COLS, fi_row_stride(COLS)};
        all[i]->data = zeroed(arena, (size_t)(ROWS * all[i]->ld) * sizeof(fi_real));
    }
    for (int64_t i = 0; i < ROWS * w->x.ld; i++) {
        uint32_t words[4];
        fi_philox(1, 0, (uint64_t)i, words);
        w->x.data[i] = (fi_real)(6 * fi_uniform53(words[0], words[1]) - 3);
        w->dy.data[i] = (fi_real)fi_uniform53(words[2], words[3]);
    }
    for (int r = 0; r < ROWS; r++) w->labels[r] = 7 * r % COLS;
    w->shape = (struct fanin_shape){.rank = 1, .dims = {COLS}, .cols = COLS};
    w->ctx = w->model.ctx = ctx;
    w->exec.model = &w->model;
    w->extra.exec = &w->exec;
    w->step = (struct fanin_step){.training = 1,
                                  .rows = ROWS,
                                  .key = 7,
                                  .n_in = 1,
                                  .x = {&w->x},
                                  .y = &w->y,
                                  .x_shape = {&w->shape},
                                  .shape = &w->shape,
                                  .dy = &w->dy,
                                  .dx = {&w->dx},
                                  .params = w->params,
                                  .emit = drop,
                                  .internal = &w->extra};
}

/* ns an element of the passes, and what the traffic alone takes of their sum. */
static void tell(const char *name, double first, double second, double limit) {
    const double ns = 1e9 / ((double)ROWS * COLS);
    printf("%-24s %9.3f %9.3f %9.3f %9.3f %9.0f%%\n", name, ns * first, ns * second,
           1e3 * (first + second), 1e3 * limit, 100 * limit / (first + second));
    fflush(stdout);
}

static void bench_ops(fanin_ctx *ctx, double seconds) {
    static const bench_fn passes[] = {forward, backward, traffic};
    struct fi_arena arena;
    const struct fanin_record *record;
    struct work w = {0};
    double copy, t[3];
    fi_arena_init(&arena, ctx);
    open_work(&w, ctx, &arena);
    printf("%d x %d\n%-24s %9s %9s %9s %9s %10s   first columns: ns an element\n", ROWS, COLS, "op",
           "forward", "backward", "both, ms", "limit, ms", "of limit");
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        w.op = (const struct fanin_op *)(const void *)record;
        if (!wanted(record->name) || w.op->flags & FANIN_OP_NO_GRADIENT || !open_op(&w, &arena))
            continue;
        best(3, passes, &w, seconds, t);
        w.reads = 1; /* what a forward pass reads */
        best(1, &passes[2], &w, seconds, &copy);
        tell(record->name, t[0], t[1], copy + t[2]);
    }
    printf("\nloss and gradient\n");
    for (int i = 0; (record = fanin_record_at(ctx, "loss", i)); i++) {
        struct fanin_rule rule = {.name = record->name};
        struct fanin_rule_ref ref;
        if (!wanted(record->name) ||
            fi_rule_resolve(&arena, &ref, "loss", &rule, "bench") != FANIN_OK)
            continue;
        w.loss = (const struct fi_loss *)(const void *)record;
        w.step.attrs = ref.attrs;
        w.reads = w.loss->takes & FI_TAKES_LABELS ? 1 : 2;
        best(2, (const bench_fn[]){loss, traffic}, &w, seconds, t);
        tell(record->name, t[0], 0, t[1]);
    }
    fi_arena_free(&arena);
}

/* ---- optimizers ------------------------------------------------------------------------------------- */

#define CHUNK 4096 /* parameters at a time, as the engine walks a whole gradient */

struct update {
    fanin_ctx *ctx;
    const struct fi_optim *optim;
    struct fi_optim_step step;
    fi_real *w, *g, *state[3];
    int states; /* how many it moves */
};

static void update_task(void *arg, int64_t i) {
    const struct update *u = arg;
    const int64_t at = i * CHUNK, n = FI_MIN(CHUNK, PARAMS - at);
    fi_real *const state[3] = {u->state[0] + at, u->state[1] + at, u->state[2] + at};
    u->optim->update(&u->step, (fi_real)1e-4, u->w + at, u->g + at, state, n);
}

/* The same traffic and next to no arithmetic: reads g, reads and writes w and the states. */
static void update_traffic_task(void *arg, int64_t i) {
    const struct update *u = arg;
    const int64_t at = i * CHUNK, n = FI_MIN(CHUNK, PARAMS - at);
    const fi_real *restrict g = u->g + at;
    for (int k = -1; k < u->states; k++) {
        fi_real *restrict to = (k < 0 ? u->w : u->state[k]) + at;
        for (int64_t c = 0; c < n; c++) to[c] += g[c] * 1e-30f;
    }
}

static void chunks(struct update *u, void (*task)(void *, int64_t)) {
    fi_parallel(u->ctx, (PARAMS + CHUNK - 1) / CHUNK, 10.0 * PARAMS, task, u);
}
static void run_update(void *arg) {
    chunks(arg, update_task);
}
static void run_update_traffic(void *arg) {
    chunks(arg, update_traffic_task);
}

/* How many states an update with these attributes moves: sgd without momentum has one and leaves it
 * alone. */
static int states_used(struct update *u) {
    fi_real before[3];
    int n = 0;
    for (int i = 0; i < u->n_states; i++) before[i] = u->state[i][5];
    run_update(u);
    for (int i = 0; i < u->n_states; i++) n += u->state[i][5] != before[i];
    return n;
}

static void bench_optim(struct update *u, const struct fanin_rule *rule, struct fi_arena *arena,
                        double seconds) {
    static const bench_fn both[] = {run_update, run_update_traffic};
    struct fanin_rule_ref ref;
    double base1 = 0, base2 = 0, t[2];
    if (fi_rule_resolve(arena, &ref, "optim", rule, "bench") != FANIN_OK) return;
    u->step = (struct fi_optim_step){.lr = 1e-6, .t = 100, .attrs = ref.attrs, .momentum = 1};
    if (u->optim->powers) u->optim->powers(ref.attrs, &base1, &base2);
    u->step.pow1 = pow(base1, 100), u->step.pow2 = pow(base2, 100);
    u->states = states_used(u);
    best(2, both, u, seconds, t);
    const double bytes = sizeof(fi_real) * (3.0 + 2.0 * u->states) * PARAMS;
    printf("%-15s%-9s %6d %9.3f %9.3f %9.3f %9.1f %9.0f%%\n", rule->name,
           rule->n_attrs ? " momentum" : "", u->states, 1e9 * t[0] / PARAMS, 1e3 * t[0], 1e3 * t[1],
           1e-9 * bytes / t[0], 100 * t[1] / t[0]);
    fflush(stdout);
}

static void bench_optims(fanin_ctx *ctx, double seconds) {
    static const struct fanin_attr momentum[] = {{.name = "momentum", .number = 0.9}};
    struct fi_arena arena;
    struct update u = {.ctx = ctx};
    const struct fanin_record *record;
    fi_arena_init(&arena, ctx);
    fi_real **buffers[] = {&u.w, &u.g, &u.state[0], &u.state[1], &u.state[2]};
    for (int i = 0; i < 5; i++) {
        *buffers[i] = zeroed(&arena, PARAMS * sizeof(fi_real));
        for (int64_t k = 0; k < PARAMS; k++)
            (*buffers[i])[k] = (fi_real)(1e-3 * (double)(k % 97 + i));
    }
    printf("\n%d parameters\n%-24s %6s %9s %9s %9s %9s %10s\n", PARAMS, "optimizer", "states", "ns",
           "ms", "limit, ms", "GB/s", "of limit");
    for (int i = 0; (record = fanin_record_at(ctx, "optim", i)); i++) {
        if (!wanted(record->name)) continue;
        u.optim = (const struct fi_optim *)(const void *)record;
        bench_optim(&u, &(struct fanin_rule){.name = record->name}, &arena, seconds);
        for (const struct fanin_attr_spec *a = record->attrs; a->name; a++)
            if (strcmp(a->name, momentum->name) == 0)
                bench_optim(
                    &u, &(struct fanin_rule){.name = record->name, .attrs = momentum, .n_attrs = 1},
                    &arena, seconds);
    }
    fi_arena_free(&arena);
}

int main(int argc, char **argv) {
    const double seconds = argc > 1 ? atof(argv[1]) : 0.2;
    struct fanin_ctx_options options = {.size = sizeof options,
                                        .threads = argc > 2 ? atoi(argv[2]) : 1};
    fanin_ctx *ctx;
    char error[256];
    names = argv + FI_MIN(argc, 3);
    if (options.threads > 1) time_of = CLOCK_MONOTONIC;
    if (fanin_ctx_create(&ctx, &options, error, sizeof error) != FANIN_OK) fail(error);
    printf("tier %s, %d thread%s, %s\n\n", fanin_isa(ctx), options.threads,
           options.threads > 1 ? "s" : "", fanin_compiler());
    bench_ops(ctx, seconds);
    bench_optims(ctx, seconds);
    fanin_ctx_free(ctx);
    return 0;
}
