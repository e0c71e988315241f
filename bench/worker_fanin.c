/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin in the benchmark: steps and predictions as a program makes them that brings its own
 * batches, with nothing but the public headers.
 */
#include "worker_fanin.h"

#include <stdlib.h>
#include <string.h>

/* ---- nets from workloads --------------------------------------------------------------------------- */

void bench_check(fanin_ctx *ctx, enum fanin_status status) {
    if (status != FANIN_OK) work_die("%s", fanin_errmsg(ctx));
}

fanin_ctx *bench_ctx(const struct work *w) {
    fanin_ctx *ctx;
    char error[256];
    const struct fanin_ctx_options options = {.size = sizeof options, .threads = w->threads};
    if (fanin_ctx_create(&ctx, &options, error, sizeof error)) work_die("%s", error);
    return ctx;
}

int64_t bench_attrs(const json_t *object, const char *except,
                    struct fanin_attr attrs[BENCH_ATTRS]) {
    const char *name;
    json_t *value;
    int64_t n = 0;
    json_object_foreach((json_t *)object, name, value) {
        if (!json_is_number(value) || (except && strcmp(name, except) == 0)) continue;
        if (n == BENCH_ATTRS) work_die("more than %d attributes", BENCH_ATTRS);
        attrs[n++] = (struct fanin_attr){.name = name, .number = json_number_value(value)};
    }
    return n;
}

void bench_start(fanin_ctx *ctx, const struct work *w, fanin_model *model) {
    char name[64];
    for (int i = 0; i < w->n_dense; i++) {
        const struct work_dense *d = &w->dense[i];
        snprintf(name, sizeof name, "dense%d.weight", i + 1);
        bench_check(ctx, fanin_model_set(model, name, d->w, d->units * d->in));
        snprintf(name, sizeof name, "dense%d.bias", i + 1);
        bench_check(ctx, fanin_model_set(model, name, d->b, d->units));
    }
}

fanin_model *bench_model(fanin_ctx *ctx, const struct work *w, bool proof) {
    const struct fanin_model_options options = {
        .size = sizeof options, .loss = {.name = work_text(w->json, "loss")}, .seed = 1};
    const struct fanin_model_options plain = {.size = sizeof plain, .seed = 1};
    struct fanin_attr attrs[BENCH_ATTRS];
    const json_t *layer;
    fanin_model *model;
    fanin_net *net;
    size_t i;
    int node;
    bench_check(ctx, fanin_net_create(&net, ctx));
    bench_check(ctx, fanin_net_input(net, &node, NULL, 1, &w->in));
    json_array_foreach(w->layers, i, layer) {
        const char *op = work_text(layer, "op");
        if (proof && strcmp(op, "dropout") == 0) continue;
        const int64_t n = bench_attrs(layer, NULL, attrs);
        bench_check(ctx, fanin_net_add(net, &node, op, NULL, &node, 1, attrs, n));
    }
    bench_check(ctx, fanin_model_create(&model, net, *options.loss.name ? &options : &plain));
    bench_start(ctx, w, model);
    return model;
}

fanin_trainer *bench_trainer(fanin_ctx *ctx, const struct work *w, fanin_model *model) {
    fanin_trainer *trainer;
    struct fanin_attr attrs[BENCH_ATTRS];
    const struct fanin_attr strength = {.number = work_number(w->optimizer, "weight_decay")};
    const struct fanin_rule decay = {.name = "weight_decay", .attrs = &strength, .n_attrs = 1};
    struct fanin_train_options options = {
        .size = sizeof options,
        .batch = w->batch,
        .optim = {.name = work_text(w->optimizer, "op"), .attrs = attrs},
        .regularize = &decay,
        .n_regularize = strength.number > 0,
        .seed = 1};
    options.optim.n_attrs = bench_attrs(w->optimizer, decay.name, attrs);
    bench_check(ctx, fanin_trainer_create(&trainer, model, &options));
    return trainer;
}

/* ---- training and inference ------------------------------------------------------------------------ */

struct run {
    const struct work *w;
    fanin_ctx *ctx;
    fanin_model *model;
    fanin_trainer *trainer; /* of training */
    float *out;             /* of inference: batch × outputs */
    int64_t i;              /* batches done */
};

static struct run *open_run(const struct work *w, bool proof) {
    struct run *r = work_alloc(1, sizeof *r);
    r->w = w;
    r->ctx = bench_ctx(w);
    r->model = bench_model(r->ctx, w, proof);
    return r;
}

static void close_run(void *self) {
    struct run *r = self;
    free(r->out);
    fanin_trainer_free(r->trainer);
    fanin_model_free(r->model);
    fanin_ctx_free(r->ctx);
    free(r);
}

static void *open_train(const struct work *w, bool proof, struct worker_say *say) {
    struct run *r = open_run(w, proof);
    (void)say;
    r->trainer = bench_trainer(r->ctx, w, r->model);
    return r;
}

static double run_train(void *self) {
    struct run *r = self;
    const struct work *w = r->w;
    const int64_t row = worker_row(w, r->i++);
    double loss;
    bench_check(r->ctx, fanin_trainer_step(r->trainer, w->x + row * w->in, w->batch,
                                           w->labels ? w->labels + row : NULL,
                                           w->target ? w->target + row * w->outputs : NULL, &loss));
    return loss;
}

static void *open_infer(const struct work *w, bool proof, struct worker_say *say) {
    struct run *r = open_run(w, proof);
    (void)say;
    r->out = work_alloc(w->batch * w->outputs, sizeof *r->out);
    return r;
}

static double run_infer(void *self) {
    struct run *r = self;
    const struct work *w = r->w;
    const float *x = w->x + worker_row(w, r->i++) * w->in;
    bench_check(r->ctx, fanin_model_predict(r->model, x, w->batch, r->out));
    return 0;
}

static json_t *result_infer(void *self, int64_t steps) {
    struct run *r = self;
    (void)steps;
    r->i = 0;
    run_infer(r);
    return json_pack("{s: o}", "outputs", worker_floats(r->out, r->w->batch * r->w->outputs));
}

static const struct worker_kind train = {
    .kind = "train", .open = open_train, .run = run_train, .close = close_run};
static const struct worker_kind infer = {.kind = "infer",
                                         .open = open_infer,
                                         .run = run_infer,
                                         .result = result_infer,
                                         .close = close_run};

int main(int argc, char **argv) {
    const struct worker_kind kinds[] = {train,        infer,      bench_op,
                                        bench_update, bench_init, bench_limits};
    const struct worker worker = {"fanin", fanin_version(), kinds, sizeof kinds / sizeof *kinds};
    return worker_main(argc, argv, &worker);
}
