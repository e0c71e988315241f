/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin bench [RECIPE|MODEL]: what this machine can do (arithmetic, memory, matrix products), and
 * what a training step of a net makes of it. Without an operand: the embedded digits' default
 * recipe. With --step only that.
 *
 * Lines are written as they are measured; a signal ends the measuring, and what was measured
 * stands.
 */
#include <stdlib.h>
#include <time.h>

#include "models.h"

struct bench_fields {
    struct common common;
    struct opt_list set;
    struct opt_real seconds;
    int step;
};

static const struct opt options[] = {
    {"seconds", 0, OPT_REAL, offsetof(struct bench_fields, seconds), "S",
     "how long to measure machine, products and step each; default: 2", 0, 3600},
    {"step", 0, OPT_FLAG, offsetof(struct bench_fields, step), NULL,
     "only the steps of the net, to compare nets", 0, 0},
    {"set", 0, OPT_LIST, offsetof(struct bench_fields, set), "PATH=VALUE", "change the recipe", 0,
     0},
    RECIPE_SEED,
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

#define DEFAULT_SECONDS 2
/* More than anybody waits for. */
#define MANY_EPOCHS 100000
#define LOOK_EVERY 16

struct bench {
    struct app *app;
    double seconds; /* for each of the three */
    int threads;
    double peak; /* on all threads */
};

static int is_text(const struct bench *b) {
    return !b->app->common->json;
}

/* ---- the machine ----------------------------------------------------------------------------------- */

/* The most memory that is measured: beyond the caches of most machines, and there on all. */
#define MOST_BYTES ((size_t)256 << 20)
#define GIGA 1e-9

/* One thread, then all of them, where that is more. */
static int settings(const struct bench *b) {
    return b->threads > 1 ? 2 : 1;
}

static enum fanin_status measure_peak(struct bench *b, double seconds) {
    for (int i = 0; i < settings(b); i++) {
        const int threads = i == 0 ? 1 : b->threads;
        const enum fanin_status status =
            fanin_bench_peak(b->app->ctx, threads, seconds / settings(b), &b->peak);
        if (status != FANIN_OK) return status;
        const struct fanin_figure figures[] = {{"threads", threads}, {"gflops", GIGA * b->peak}};
        if (is_text(b))
            printf("peak     %.1f GFLOP/s on %d thread%s\n", GIGA * b->peak, threads,
                   threads == 1 ? "" : "s");
        else
            fanin_report_note(b->app->report, "peak", NULL, 0, figures, 2);
    }
    return FANIN_OK;
}

struct level {
    const char *name;
    size_t bytes; /* of one thread; shared ones: of all */
    int shared;
};

static enum fanin_status measure_level(struct bench *b, const struct level *l, double seconds) {
    for (int i = 0; i < settings(b); i++) {
        const int threads = i == 0 ? 1 : b->threads;
        const size_t all = l->shared ? l->bytes : l->bytes * (size_t)threads;
        double copy, read;
        const enum fanin_status status =
            fanin_bench_memory(b->app->ctx, threads, all, seconds / settings(b), &copy, &read);
        if (status != FANIN_OK) return status;
        const struct fanin_text name = {"level", l->name};
        const struct fanin_figure figures[] = {{"threads", threads},
                                               {"bytes", (double)all},
                                               {"copy_gbytes", GIGA * copy},
                                               {"read_gbytes", GIGA * read}};
        if (is_text(b))
            printf("%-8s %7zu kB %8d %12.1f %12.1f\n", l->name, all >> 10, threads, GIGA * copy,
                   GIGA * read);
        else
            fanin_report_note(b->app->report, "memory", &name, 1, figures, 4);
    }
    return FANIN_OK;
}

/* Half of each cache, so that nothing else drives the numbers out of it. */
static enum fanin_status measure_machine(struct bench *b) {
    const size_t l3 = fanin_bench_cache(3);
    const struct level levels[] = {
        {"L1", fanin_bench_cache(1) / 2, 0},
        {"L2", fanin_bench_cache(2) / 2, 0},
        {"L3", l3 / 2 < MOST_BYTES / 8 ? l3 / 2 : MOST_BYTES / 8, 1},
        {"memory", 4 * l3 < MOST_BYTES ? 4 * l3 : MOST_BYTES, 1},
    };
    const int n = (int)(sizeof levels / sizeof *levels);
    const double each = b->seconds / (n + 1);
    if (is_text(b)) {
        printf("machine  %s, %d thread%s; fanin %s\n", fanin_isa(b->app->ctx), b->threads,
               b->threads == 1 ? "" : "s", fanin_version());
    }
    enum fanin_status status = measure_peak(b, each);
    if (is_text(b) && status == FANIN_OK)
        printf("\n%-8s %10s %8s %12s %12s\n", "memory", "size", "threads", "copy GB/s",
               "read GB/s");
    for (int i = 0; i < n && status == FANIN_OK; i++) status = measure_level(b, &levels[i], each);
    return status;
}

/* ---- matrix products ------------------------------------------------------------------------------- */

struct shape {
    enum fanin_product product;
    int64_t batch, outputs, inputs;
};
static const struct shape shapes[] = {
    {FANIN_PRODUCT_Y, 128, 1024, 784},   {FANIN_PRODUCT_Y, 128, 1024, 1024},
    {FANIN_PRODUCT_DX, 128, 1024, 1024}, {FANIN_PRODUCT_DW, 128, 1024, 784},
    {FANIN_PRODUCT_DW, 128, 1024, 1024}, {FANIN_PRODUCT_Y, 32, 1024, 1024},
    {FANIN_PRODUCT_Y, 60, 100, 784},     {FANIN_PRODUCT_Y, 128, 10, 1024},
    {FANIN_PRODUCT_DX, 128, 10, 1024},   {FANIN_PRODUCT_Y, 64, 64, 64},
    {FANIN_PRODUCT_DX, 64, 64, 64},      {FANIN_PRODUCT_DW, 64, 64, 64},
    {FANIN_PRODUCT_Y, 32, 16, 16},       {FANIN_PRODUCT_Y, 512, 2048, 2048}};

static enum fanin_status measure_products(struct bench *b) {
    static const char *const names[] = {"y", "dx", "dw"};
    const int n = (int)(sizeof shapes / sizeof *shapes);
    if (is_text(b))
        printf("\n%-8s %8s %8s %8s %12s %8s\n", "product", "batch", "outputs", "inputs", "GFLOP/s",
               "of peak");
    for (int i = 0; i < n; i++) {
        const struct shape *s = &shapes[i];
        double flops;
        const enum fanin_status status = fanin_bench_product(
            b->app->ctx, s->product, s->batch, s->outputs, s->inputs, b->seconds / n, &flops);
        if (status != FANIN_OK) return status;
        const struct fanin_text name = {"product", names[s->product]};
        const struct fanin_figure figures[] = {
            {"batch", (double)s->batch},   {"outputs", (double)s->outputs},
            {"inputs", (double)s->inputs}, {"threads", b->threads},
            {"gflops", GIGA * flops},      {"of_peak", flops / b->peak}};
        if (is_text(b))
            printf("%-8s %8lld %8lld %8lld %12.1f %6.0f %%\n", names[s->product],
                   (long long)s->batch, (long long)s->outputs, (long long)s->inputs, GIGA * flops,
                   100 * flops / b->peak);
        else
            fanin_report_note(b->app->report, "product", &name, 1, figures, 6);
    }
    return FANIN_OK;
}

/* ---- the step -------------------------------------------------------------------------------------- */

/* Takes the events of a training that is ended by time. */
struct limited {
    struct bench *bench;
    double ends; /* 0: not begun */
    int over;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void take_event(void *payload, const struct fanin_event *e) {
    struct limited *l = payload;
    switch (e->type) {
    case FANIN_EVENT_LOOK:
        if (l->ends == 0) l->ends = now() + l->bench->seconds;
        if (now() < l->ends || l->over) break;
        l->over = 1;
        fanin_stop(l->bench->app->ctx);
        break;
    case FANIN_EVENT_TROUBLE:
    case FANIN_EVENT_WARNING:
    case FANIN_EVENT_PROFILE:
    case FANIN_EVENT_PROFILE_NODE:
    case FANIN_EVENT_PROFILE_PART:
        fanin_report_event(l->bench->app->report, e);
        break;
    default:
        break;
    }
}

/* Steps on the data as `fanin train` takes them, until the time is over; nothing is written. */
static enum fanin_status measure_step(struct bench *b, const struct subject *s) {
    struct fanin_train_options o = *fanin_recipe_train(s->recipe);
    struct limited limited = {.bench = b};
    o.checkpoint = NULL;
    o.early_stop_metric = NULL;
    o.watch = 0;
    o.look_every = LOOK_EVERY;
    o.profile = 1;
    o.epochs = MANY_EPOCHS;
    o.event = take_event;
    o.event_payload = &limited;
    if (is_text(b) && b->peak > 0) printf("\n"); /* something stands above */
    const enum fanin_status status = fanin_train(s->model, s->data, &o);
    return status == FANIN_ERR_STOPPED && limited.over ? FANIN_OK : status;
}

/* ---- the command ----------------------------------------------------------------------------------- */

static int open_subject(const struct app *app, const struct bench_fields *f, const char *path,
                        struct subject *s) {
    struct opt_list set;
    char seed[40];
    int code = add_seed(app, &f->set, &set, seed);
    if (code) return code;
    code = path && is_model_file(path) ? open_model(app, path, &set, s)
                                       : open_recipe(app, path, &set, s);
    free(set.items);
    return code;
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    const struct bench_fields *f = fields;
    struct bench b = {.app = app,
                      .seconds = f->seconds.given ? f->seconds.value : DEFAULT_SECONDS,
                      .threads = fanin_threads(app->ctx)};
    struct subject subject = {0};
    const int code = open_subject(app, f, n ? operands[0] : NULL, &subject);
    if (code) return code;
    stop_on_signals(app->ctx);
    enum fanin_status status = f->step ? FANIN_OK : measure_machine(&b);
    if (status == FANIN_OK && !f->step) status = measure_products(&b);
    if (status == FANIN_OK) status = measure_step(&b, &subject);
    stop_on_signals(NULL);
    close_subject(&subject);
    if (status == FANIN_ERR_STOPPED)
        return fail_with(EXIT_STOPPED, "stopped: what was measured so far stands above");
    return status == FANIN_OK ? 0 : fail_reading(app, status);
}

const struct command cmd_bench = {
    .usage = {"bench", "[RECIPE|MODEL]", 0, 1,
              "Measure this machine's limits, and a step of a net beside them", options,
              common_options},
    .size = sizeof(struct bench_fields),
    .run = run,
};
