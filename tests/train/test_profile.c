/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile of a run: the bits of the run are the same with it; its times are parts of the run's
 * and make up the whole; what a step has to do is counted right; it is told also of a run that is
 * stopped, and of steps on the caller's batches. No test asserts a speed.
 */
#include <math.h>

#include "support/memory.h"
#include "support/nets.h"

#define MOST 64
struct row {
    char name[32], pass[16];
    double seconds, share, budget;
};
struct seen {
    struct row nodes[MOST], parts[MOST];
    int n_nodes, n_parts, runs;
    double steps, samples, run_seconds, seconds, share, flops, params, state, epoch_steps;
    double median, fastest;
    fanin_ctx *stop; /* after the first step */
};

static double figure(const struct fanin_event *e, const char *name) {
    for (int i = 0; i < e->n_figures; i++)
        if (strcmp(e->figures[i].name, name) == 0) return e->figures[i].value;
    return NAN;
}

static void take_row(struct row *row, const struct fanin_event *e) {
    for (int i = 0; i < e->n_texts; i++) {
        if (strcmp(e->texts[i].name, "name") == 0)
            (void)snprintf(row->name, sizeof row->name, "%s", e->texts[i].value);
        if (strcmp(e->texts[i].name, "pass") == 0)
            (void)snprintf(row->pass, sizeof row->pass, "%s", e->texts[i].value);
    }
    row->seconds = figure(e, "seconds");
    row->share = figure(e, "share");
    row->budget = figure(e, "budget");
}

static void take(void *payload, const struct fanin_event *e) {
    struct seen *s = payload;
    if (e->type == FANIN_EVENT_LOOK && s->stop) fanin_stop(s->stop);
    if (e->type == FANIN_EVENT_PROFILE_NODE) take_row(&s->nodes[s->n_nodes++], e);
    if (e->type == FANIN_EVENT_PROFILE_PART) take_row(&s->parts[s->n_parts++], e);
    if (e->type != FANIN_EVENT_PROFILE) return;
    s->runs++;
    s->steps = figure(e, "steps_measured");
    s->samples = figure(e, "samples");
    s->run_seconds = figure(e, "run_seconds");
    s->seconds = figure(e, "seconds");
    s->share = figure(e, "share");
    s->flops = figure(e, "step_flops");
    s->params = figure(e, "parameter_bytes");
    s->state = figure(e, "state_bytes");
    s->epoch_steps = figure(e, "steps_per_epoch");
    s->median = figure(e, "median_seconds");
    s->fastest = figure(e, "fastest_seconds");
    assert_true(figure(e, "peak_gflops") > 0);
    assert_true(figure(e, "copy_gbytes") > 0);
}

static const struct row *row_of(const struct seen *s, const char *name, const char *pass) {
    for (int i = 0; i < s->n_nodes; i++)
        if (strcmp(s->nodes[i].name, name) == 0 && strcmp(s->nodes[i].pass, pass) == 0)
            return &s->nodes[i];
    return NULL;
}

/* ---- runs ------------------------------------------------------------------------------------------ */

#define IN 9
#define ROWS 300
#define BATCH 32
static const struct layer plain[] = {{"dense", 20}, {"relu"}, {"dense", 5}};
static const struct layer noisy[] = {{"dropout", .2}, {"dense", 40},   {"batch_norm"},
                                     {"relu"},        {"dropout", .5}, {"dense", 5}};

static struct fanin_train_options options_of(struct seen *s) {
    return (struct fanin_train_options){.size = sizeof(struct fanin_train_options),
                                        .epochs = 2,
                                        .batch = BATCH,
                                        .seed = 5,
                                        .profile = 1,
                                        .event = take,
                                        .event_payload = s};
}

static enum fanin_status train(fanin_ctx *ctx, const struct layer *layers, int n,
                               const struct fanin_train_options *o, uint64_t *hash) {
    fanin_data *data = blob_data(ctx, ROWS, IN, 5);
    fanin_model *model;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, IN, layers, n), NULL));
    const enum fanin_status status = fanin_train(model, data, o);
    *hash = params_hash(model);
    fanin_model_free(model);
    fanin_data_free(data);
    return status;
}

static void test_same_bits(void **state) {
    (void)state;
    static const struct fanin_attr longest = {.number = 1.2};
    static const struct fanin_rule constraint = {"max_norm", &longest, 1, 0};
    for (int kind = 0; kind < 4; kind++)
        for (int threads = 1; threads <= 2; threads++) {
            fanin_ctx *ctx = test_ctx_on(threads, NULL);
            struct seen with = {0}, without = {0};
            struct fanin_train_options o = options_of(&with);
            uint64_t a, b;
            o.clip_norm = kind == 1 ? .5 : 0;
            o.shards = kind == 2 ? 4 : 0;
            o.watch = kind == 3 ? 3 : 0;
            o.constrain = &constraint;
            o.n_constrain = kind == 3;
            assert_ok(ctx, train(ctx, noisy, FI_COUNT(noisy), &o, &a));
            o.profile = 0;
            o.event_payload = &without;
            assert_ok(ctx, train(ctx, noisy, FI_COUNT(noisy), &o, &b));
            assert_true(a == b);
            assert_int_equal(with.runs, 1);
            assert_int_equal(without.runs + without.n_nodes + without.n_parts, 0);
            fanin_ctx_free(ctx);
        }
}

/* Seconds and shares of the nodes, and of the parts; a step's own parts are those before
 * validation. */
static void check_sums(const struct seen *s, double wall) {
    double seconds = 0, shares = 0, step = 0;
    bool in_step = true;
    for (int i = 0; i < s->n_nodes; i++) {
        seconds += s->nodes[i].seconds;
        shares += s->nodes[i].share;
        assert_true(s->nodes[i].seconds >= 0);
    }
    step = seconds;
    for (int i = 0; i < s->n_parts; i++) {
        const struct row *r = &s->parts[i];
        if (strcmp(r->name, "validation") == 0 || strcmp(r->name, "checkpoint") == 0 ||
            strcmp(r->name, "rest of run") == 0 || strcmp(r->name, "the clock itself") == 0)
            in_step = false;
        step += in_step ? r->seconds : 0;
        seconds += r->seconds;
        shares += r->share;
        assert_true(r->seconds >= 0);
    }
    assert_true(fabs(step - s->seconds) <= 1e-9 * s->seconds);
    assert_true(fabs(shares - 1) < 1e-9);
    assert_true(fabs(seconds * s->steps - s->run_seconds) <= 1e-9 * s->run_seconds);
    assert_true(s->run_seconds <= wall);
    assert_true(s->share > 0 && s->share <= 1);
    assert_true(s->fastest <= s->median);
}

static void test_sums(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct seen s = {0};
    const struct fanin_train_options o = options_of(&s);
    uint64_t hash;
    const double began = fi_seconds();
    assert_ok(ctx, train(ctx, plain, FI_COUNT(plain), &o, &hash));
    check_sums(&s, fi_seconds() - began);
    const int steps = (ROWS + BATCH - 1) / BATCH;
    assert_true(s.steps == 2 * steps);
    assert_true(s.samples == 2 * ROWS);
    assert_true(s.epoch_steps == steps);
    fanin_ctx_free(ctx);
}

/* Forward of everything; backward of relu, in the epilogue of dense2, and the two products of
 * dense2; of dense1, which reads the samples, that by the weights alone. */
static void test_work(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct seen s = {0};
    struct fanin_train_options o = options_of(&s);
    uint64_t hash;
    const double first = 20 * (2 * IN + 1), relu = 20, second = 5 * (2 * 20 + 1);
    o.optim.name = "adamw";
    assert_ok(ctx, train(ctx, plain, FI_COUNT(plain), &o, &hash));
    const double rows = s.samples / s.steps;
    const double flops = rows * (2 * first + 2 * relu + 3 * second);
    assert_true(fabs(s.flops - flops) < 1e-9 * flops);
    assert_true(s.state == 2 * s.params && s.params > 0);
    assert_int_equal(s.n_nodes, 1 + 3 + 3); /* the input; each dense */
    assert_true(row_of(&s, "dense1", "forward")->budget > 0);
    assert_true(isnan(row_of(&s, "dense1", "backward")->budget));
    assert_true(row_of(&s, "dense1", "weights")->budget > 0);
    assert_true(row_of(&s, "dense2", "backward")->budget > 0);
    fanin_ctx_free(ctx);
}

static void test_stopped(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct seen s = {.stop = ctx};
    struct fanin_train_options o = options_of(&s);
    uint64_t hash;
    o.look_every = 1;
    assert_int_equal(train(ctx, plain, FI_COUNT(plain), &o, &hash), FANIN_ERR_STOPPED);
    assert_int_equal(s.runs, 1);
    assert_true(s.steps == 1);
    check_sums(&s, INFINITY);
    fanin_ctx_free(ctx);
}

static void test_own_batches(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct seen s = {0};
    struct fanin_train_options o = options_of(&s);
    fanin_model *model;
    fanin_trainer *trainer;
    float x[2 * IN] = {0};
    const int32_t labels[2] = {1, 2};
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, IN, plain, FI_COUNT(plain)), NULL));
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &o));
    assert_ok(ctx, fanin_trainer_profile(trainer));
    assert_int_equal(s.runs, 0);
    const double began = fi_seconds();
    for (int i = 0; i < 3; i++)
        assert_ok(ctx, fanin_trainer_step(trainer, x, 2, labels, NULL, NULL));
    const double wall = fi_seconds() - began;
    assert_ok(ctx, fanin_trainer_profile(trainer));
    check_sums(&s, wall); /* what passed before the steps was the caller's */
    assert_true(s.steps == 3 && s.samples == 6 && isnan(s.epoch_steps));
    fanin_trainer_free(trainer);
    o.profile = 0;
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &o));
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "options.profile", fanin_trainer_profile(trainer));
    fanin_trainer_free(trainer);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

/* ---- memory ---------------------------------------------------------------------------------------- */

static void test_memory_runs_out(void **state) {
    (void)state;
    struct test_memory room = {0};
    const struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 1, .allocator = test_memory_allocator(&room)};
    struct seen s = {0};
    const struct fanin_train_options o = options_of(&s);
    enum fanin_status status = FANIN_ERR_MEMORY;
    fanin_trainer *trainer;
    fanin_model *model;
    fanin_ctx *ctx;
    int n = 0;
    assert_int_equal(fanin_ctx_create(&ctx, &options, NULL, 0), FANIN_OK);
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, IN, plain, FI_COUNT(plain)), NULL));
    const int64_t before = room.live;
    for (; status == FANIN_ERR_MEMORY; n++) {
        test_memory_left(&room, n);
        status = fanin_trainer_create(&trainer, model, &o);
        if (status == FANIN_ERR_MEMORY) assert_int_equal(room.live, before);
    }
    assert_ok(ctx, status);
    assert_true(n > 4);
    fanin_trainer_free(trainer);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
    assert_int_equal(room.live, 0);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),   cmocka_unit_test(test_sums),
        cmocka_unit_test(test_work),        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_own_batches), cmocka_unit_test(test_memory_runs_out)};
    return test_main(tests);
}
