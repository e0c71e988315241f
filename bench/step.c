/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole training steps: time a step against what arithmetic at peak and memory traffic at copy
 * bandwidth would take, both measured in the same run, interleaved.
 *
 *   usage: bench_step [threads] [seconds per block] [start of a workload's name]
 */
#include <string.h>

#include <fanin/fanin.h>

#include "bench.h"

struct workload {
    const char *name;
    int64_t batch, in;
    int64_t units[6];
    const char *activation;
    double dropout_in, dropout;
    int batch_norm;
    const char *optim;
    int states; /* buffers like the parameters that a step reads and writes besides them */
};
static const struct workload workloads[] = {
    {"W1 784-1024-1024-10 dropout sgdm b128",
     128,
     784,
     {1024, 1024, 10},
     "relu",
     .2,
     .5,
     0,
     "sgd",
     1},
    {"W1a the same, adamw", 128, 784, {1024, 1024, 10}, "relu", .2, .5, 0, "adamw", 2},
    {"W1b batch norm, sgdm", 128, 784, {1024, 1024, 10}, "relu", 0, 0, 1, "sgd", 1},
    {"W1n neither, sgdm", 128, 784, {1024, 1024, 10}, "relu", 0, 0, 0, "sgd", 1},
    {"W2 784-3x100-10 sigmoid batch norm b60",
     60,
     784,
     {100, 100, 100, 10},
     "sigmoid",
     0,
     0,
     1,
     "sgd",
     1},
    {"W3 784-1000x5-10 tanh b10",
     10,
     784,
     {1000, 1000, 1000, 1000, 1000, 10},
     "tanh",
     0,
     0,
     0,
     "sgd",
     1},
    {"W4 30-64-64-2 relu b32", 32, 30, {64, 64, 2}, "relu", 0, 0, 0, "sgd", 1},
    {"W4x 2-8-2 tanh b4", 4, 2, {8, 2}, "tanh", 0, 0, 0, "sgd", 1}};

struct job {
    fanin_trainer *trainer;
    float *x;
    int32_t *labels;
    int64_t batch;
    fanin_ctx *ctx;
};

static void die(fanin_ctx *ctx) {
    fprintf(stderr, "%s\n", fanin_errmsg(ctx));
    exit(1);
}

static void step(void *arg) {
    struct job *j = arg;
    if (fanin_trainer_step(j->trainer, j->x, j->batch, j->labels, NULL, NULL)) die(j->ctx);
}

static int add(fanin_net *net, fanin_ctx *ctx, int from, const char *op, double number) {
    const struct fanin_attr attr = {.number = number};
    int node;
    if (fanin_net_add(net, &node, op, NULL, &from, 1, &attr, number != 0)) die(ctx);
    return node;
}

static fanin_model *build(fanin_ctx *ctx, const struct workload *w, double *flops, double *params) {
    fanin_net *net;
    fanin_model *model;
    int node;
    if (fanin_net_create(&net, ctx) || fanin_net_input(net, &node, NULL, 1, &w->in)) die(ctx);
    if (w->dropout_in > 0) node = add(net, ctx, node, "dropout", w->dropout_in);
    for (int i = 0; i < 6 && w->units[i]; i++) {
        node = add(net, ctx, node, "dense", (double)w->units[i]);
        if (i == 5 || !w->units[i + 1]) break;
        if (w->batch_norm) node = add(net, ctx, node, "batch_norm", 0);
        node = add(net, ctx, node, w->activation, 0);
        if (w->dropout > 0) node = add(net, ctx, node, "dropout", w->dropout);
    }
    if (fanin_model_create(&model, net, NULL)) die(ctx);
    *flops = *params = 0;
    int64_t in = w->in;
    for (int i = 0; i < 6 && w->units[i]; in = w->units[i++]) {
        *flops +=
            (i ? 6.0 : 4.0) * (double)in * (double)w->units[i]; /* the first layer has no dx */
        *params += (double)in * (double)w->units[i];
    }
    return model;
}

int main(int argc, char **argv) {
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    const double least = argc > 2 ? atof(argv[2]) : 0.15;
    fanin_ctx *ctx;
    char error[200];
    const struct fanin_ctx_options options = {.size = sizeof(options), .threads = threads};
    if (fanin_ctx_create(&ctx, &options, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    printf("threads %d, tier %s\n| workload | ms a step (fastest block) | arithmetic at peak | + "
           "bytes "
           "at bandwidth | of the limit (of the fastest) |\n|---|---|---|---|---|\n",
           threads, fanin_isa(ctx));
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        const struct workload *w = &workloads[i];
        if (argc > 3 && strncmp(w->name, argv[3], strlen(argv[3])) != 0) continue;
        const struct fanin_attr momentum[] = {{.name = "lr", .number = 1e-3},
                                              {.name = "momentum", .number = 0.9}};
        const int sgd = strcmp(w->optim, "sgd") == 0;
        struct fanin_train_options o = {
            .size = sizeof(o), .batch = w->batch, .optim = {w->optim, momentum, sgd ? 2 : 1, 0}};
        double flops, params, t[BENCH_ROUNDS], peak[BENCH_ROUNDS], band[BENCH_ROUNDS];
        fanin_model *model = build(ctx, w, &flops, &params);
        struct job j = {.batch = w->batch, .ctx = ctx};
        if (fanin_trainer_create(&j.trainer, model, &o)) die(ctx);
        j.x = malloc((size_t)(w->batch * w->in) * sizeof(float));
        j.labels = malloc((size_t)w->batch * sizeof(int32_t));
        if (!j.x || !j.labels) return 1;
        for (int64_t k = 0; k < w->batch * w->in; k++)
            j.x[k] = (float)((k * 2654435761u) % 1000) / 500 - 1;
        for (int64_t k = 0; k < w->batch; k++) j.labels[k] = (int32_t)(k % 2);
        const double bytes = params * 4 * (1 + w->states) * 2;
        for (int r = 0; r < BENCH_ROUNDS; r++) {
            t[r] = bench_block(step, &j, least);
            peak[r] = bench_peak(ctx);
            band[r] = bench_copy(ctx, (size_t)(bytes / 2 > 4096 ? bytes / 2 : 4096));
        }
        const double arithmetic =
            flops * (double)w->batch / bench_median(peak, BENCH_ROUNDS) / threads;
        const double limit = arithmetic + bytes / bench_median(band, BENCH_ROUNDS);
        const double median = bench_median(t, BENCH_ROUNDS); /* sorts: t[0] is the fastest */
        printf("| %s | %.4f (%.4f) | %.4f | %.4f | %.0f %% (%.0f %%) |\n", w->name, 1e3 * median,
               1e3 * t[0], 1e3 * arithmetic, 1e3 * limit, 100 * limit / median, 100 * limit / t[0]);
        fflush(stdout);
        free(j.x);
        free(j.labels);
        fanin_trainer_free(j.trainer);
        fanin_model_free(model);
    }
    fanin_ctx_free(ctx);
    return 0;
}
