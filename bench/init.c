/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting weights: how long a new model takes for 100 M parameters of a rule and for an orthogonal
 * matrix of 2000 x 2000, beside the time that writing as many numbers to fresh memory takes. The
 * fastest of three; on one thread CPU time, since machines are shared.
 *
 *   usage: bench_init [threads]
 */
#define BENCH_CLOCK time_of
#include <time.h>

static clockid_t time_of = CLOCK_PROCESS_CPUTIME_ID;

#include <string.h>

#include <fanin/fanin.h>

#include "bench.h"

#define ROUNDS 3

static void die(const char *what) {
    fprintf(stderr, "bench_init: %s\n", what);
    exit(1);
}

/* Seconds to make a model of one square layer. */
static double start(fanin_ctx *ctx, const char *rule, int64_t side) {
    const struct fanin_attr attrs[] = {{.name = "units", .number = (double)side},
                                       {.name = "bias", .number = 0}};
    const struct fanin_model_options options = {.size = sizeof options, .init = {.name = rule}};
    fanin_net *net;
    fanin_model *model;
    int input, layer;
    if (fanin_net_create(&net, ctx) || fanin_net_input(net, &input, NULL, 1, &side) ||
        fanin_net_add(net, &layer, "dense", NULL, &input, 1, attrs, 2))
        die(fanin_errmsg(ctx));
    const double t0 = bench_now();
    if (fanin_model_create(&model, net, &options)) die(fanin_errmsg(ctx));
    const double t = bench_now() - t0;
    fanin_model_free(model);
    return t;
}

static double write_fresh(int64_t side) {
    const size_t bytes = (size_t)(side * side) * sizeof(float);
    const double t0 = bench_now();
    char *memory = malloc(bytes);
    if (!memory) die("no memory");
    memset(memory, 1, bytes);
    const double t = bench_now() - t0;
    const volatile char *seen = memory + bytes / 2;
    (void)*seen;
    free(memory);
    return t;
}

int main(int argc, char **argv) {
    static const struct {
        const char *rule;
        int64_t side;
    } rows[] = {{"normal", 10000}, {"xavier_uniform", 10000}, {"orthogonal", 2000}};
    struct fanin_ctx_options options = {.size = sizeof options,
                                        .threads = argc > 1 ? atoi(argv[1]) : 1};
    fanin_ctx *ctx;
    char error[256];
    if (options.threads > 1) time_of = CLOCK_MONOTONIC;
    if (fanin_ctx_create(&ctx, &options, error, sizeof error)) die(error);
    printf("tier %s, %d thread%s\n%-16s %12s %10s %12s\n", fanin_isa(ctx), options.threads,
           options.threads > 1 ? "s" : "", "rule", "parameters", "ms", "writing, ms");
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        double own = 1e30, writing = 1e30;
        for (int k = 0; k < ROUNDS; k++) {
            const double t = start(ctx, rows[i].rule, rows[i].side);
            const double w = write_fresh(rows[i].side);
            own = t < own ? t : own;
            writing = w < writing ? w : writing;
        }
        printf("%-16s %12lld %10.1f %12.1f\n", rows[i].rule,
               (long long)(rows[i].side * rows[i].side), 1e3 * own, 1e3 * writing);
        fflush(stdout);
    }
    fanin_ctx_free(ctx);
    return 0;
}
