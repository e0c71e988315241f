/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history that a model keeps of its run: what the events told, the same bytes for any number of
 * threads and for a run that was stopped and resumed, bounded by even thinning, refused where it is
 * damaged. And the loss sample by sample.
 */
#include <math.h>

#include "model/history.h"
#include "support/nets.h"

static const struct layer layers[] = {
    {"dropout", .2}, {"dense", 12}, {"batch_norm"}, {"relu"}, {"dense", 3}};
static const struct fanin_attr small = {.number = 1e-2};
static const struct fanin_rule cosine = {.name = "cosine"};
static const struct fanin_attr fading[] = {{.number = 1e-2}, {.name = "schedule", .rule = &cosine}};
static const struct fanin_rule terms[] = {{"weight_decay", &small, 1, 0}, {"l2", fading, 2, 0}};

/* The figures of a kind of event, as they came. */
#define MOST 20000
struct told {
    int n;
    struct {
        enum fanin_event_type type;
        int64_t epoch, step;
        char name[40], figure[40];
        double value;
    } all[MOST];
    fanin_ctx *stop;
    int64_t stop_at; /* step */
};
static struct told told;

static void listen(void *payload, const struct fanin_event *e) {
    struct told *t = payload;
    const int watched = e->type >= FANIN_EVENT_WATCH && e->type <= FANIN_EVENT_WATCH_PARAM;
    if (t->stop && (e->type == FANIN_EVENT_WATCH || e->type == FANIN_EVENT_EPOCH) &&
        e->step >= t->stop_at)
        fanin_stop(t->stop);
    if (!watched && e->type != FANIN_EVENT_EPOCH) return;
    for (int i = 0; i < e->n_figures && t->n < MOST; i++, t->n++) {
        const char *name = e->n_texts > 0 ? e->texts[0].value : "";
        t->all[t->n].type = e->type;
        t->all[t->n].epoch = e->epoch;
        t->all[t->n].step = e->step;
        t->all[t->n].value = e->figures[i].value;
        (void)snprintf(t->all[t->n].name, 40, "%s", name);
        (void)snprintf(t->all[t->n].figure, 40, "%s", e->figures[i].name);
    }
}

struct setting {
    int threads;
    int64_t rows, epochs, watch;
    const char *checkpoint;
    int64_t stops[3]; /* steps; 0: no more */
};

/* Trains, in pieces where it is stopped, and writes the model. */
static void train(const struct setting *s, const char *path) {
    enum fanin_status status = FANIN_ERR_STOPPED;
    told.n = 0;
    for (int piece = 0; status == FANIN_ERR_STOPPED; piece++) {
        fanin_ctx *ctx = test_ctx_on(s->threads, NULL);
        fanin_data *data = blob_data(ctx, s->rows, 6, 3);
        const struct fanin_model_options mo = {.size = sizeof mo, .seed = 4, .data = data};
        const struct fanin_train_options options = {.size = sizeof options,
                                                    .optim = {"adamw", NULL, 0, 0},
                                                    .schedule = {"cosine", NULL, 0, 0},
                                                    .momentum_schedule = {"cosine", NULL, 0, 0},
                                                    .regularize = terms,
                                                    .n_regularize = FI_COUNT(terms),
                                                    .epochs = s->epochs,
                                                    .batch = 16,
                                                    .watch = s->watch,
                                                    .checkpoint = s->checkpoint,
                                                    .checkpoint_every = s->epochs,
                                                    .resume = piece > 0,
                                                    .event = listen,
                                                    .event_payload = &told};
        fanin_model *model;
        assert_ok(ctx,
                  fanin_model_create(&model, chain_net(ctx, 6, layers, FI_COUNT(layers)), &mo));
        told.stop = piece < 3 && s->stops[piece] > 0 ? ctx : NULL;
        told.stop_at = piece < 3 ? s->stops[piece] : 0;
        status = fanin_train(model, data, &options);
        if (status != FANIN_ERR_STOPPED) {
            assert_ok(ctx, status);
            assert_ok(ctx, fanin_model_save(model, path));
        }
        fanin_model_free(model);
        fanin_data_free(data);
        fanin_ctx_free(ctx);
    }
}

static bool same_files(const char *a, const char *b) {
    size_t n = 0, m = 0;
    char *x = read_file(a, &n), *y = read_file(b, &m);
    const bool same = n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

static bool find(const fanin_model *model, const char *event, const char *name, const char *figure,
                 struct fanin_history *out) {
    for (int64_t i = 0; fanin_model_history(model, i, out); i++)
        if (strcmp(out->event, event) == 0 && strcmp(out->figure, figure) == 0 &&
            strcmp(out->name ? out->name : "", name) == 0)
            return true;
    return false;
}

/* ---- what is kept ---------------------------------------------------------------------------------- */

static void keeps_what_was_told(void **state) {
    static const char *const names[] = {[FANIN_EVENT_EPOCH] = "epoch",
                                        [FANIN_EVENT_WATCH] = "watch",
                                        [FANIN_EVENT_WATCH_SOURCE] = "watch_source",
                                        [FANIN_EVENT_WATCH_LAYER] = "watch_layer",
                                        [FANIN_EVENT_WATCH_PARAM] = "watch_param"};
    (void)state;
    char dir[256], path[300];
    temp_dir(dir);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", dir);
    train(&(struct setting){.threads = 1, .rows = 100, .epochs = 5, .watch = 4}, path);
    fanin_ctx *ctx = test_ctx();
    fanin_model *model;
    assert_ok(ctx, fanin_model_load(&model, ctx, path));
    int kinds[FI_COUNT(names)] = {0};
    for (int i = 0; i < told.n; i++) {
        const enum fanin_event_type type = told.all[i].type;
        struct fanin_history h;
        const bool there = find(model, names[type], told.all[i].name, told.all[i].figure, &h);
        if (strcmp(told.all[i].figure, "seconds") == 0) {
            assert_false(there);
            continue;
        }
        if (!there) fail_msg("%s %s is not kept", told.all[i].name, told.all[i].figure);
        const double at =
            (double)(type == FANIN_EVENT_EPOCH ? told.all[i].epoch : told.all[i].step);
        int64_t k = 0;
        while (k < h.n && h.at[k] != at) k++;
        assert_true(k < h.n);
        if (type == FANIN_EVENT_EPOCH)
            assert_true(h.values[k] == told.all[i].value);
        else
            assert_true(fabs(h.values[k] - told.all[i].value) <= 5.01e-6 * fabs(told.all[i].value));
        assert_int_equal(h.moments, h.n);
        kinds[type]++;
    }
    for (int type = 0; type < FI_COUNT(names); type++) assert_true(!names[type] || kinds[type] > 0);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
    temp_dir_remove(dir);
}

static void same_bytes(void **state) {
    (void)state;
    char dir[256], whole[300], other[300], checkpoint[300];
    temp_dir(dir);
    (void)snprintf(whole, sizeof whole, "%s/whole.safetensors", dir);
    (void)snprintf(other, sizeof other, "%s/other.safetensors", dir);
    (void)snprintf(checkpoint, sizeof checkpoint, "%s/run.safetensors", dir);
    struct setting s = {.threads = 1, .rows = 100, .epochs = 5, .watch = 2};
    train(&s, whole);
    s.threads = 3;
    train(&s, other);
    assert_true(same_files(whole, other));
    s.checkpoint = checkpoint;
    memcpy(s.stops, (int64_t[]){2, 14, 20}, sizeof s.stops);
    train(&s, other);
    assert_true(same_files(whole, other));
    /* a model that was read is written again as it was */
    fanin_ctx *ctx = test_ctx();
    fanin_model *model;
    assert_ok(ctx, fanin_model_load(&model, ctx, whole));
    assert_ok(ctx, fanin_model_save(model, other));
    assert_true(same_files(whole, other));
    fanin_model_free(model);
    fanin_ctx_free(ctx);
    temp_dir_remove(dir);
}

/* ---- bounds ---------------------------------------------------------------------------------------- */

/* The first, every `every`-th, and the last of `count` moments. */
static void assert_thinned(const struct fanin_history *h, int64_t count, int64_t least,
                           int64_t most) {
    const int64_t every = (int64_t)(h->at[1] - h->at[0]);
    assert_int_equal(h->moments, count);
    assert_in_range(h->n, least, most);
    assert_true(every == 2 || every == 4 || every == 8 || every == 16);
    for (int64_t k = 0; k + 1 < h->n; k++) assert_true(h->at[k] == (double)(1 + k * every));
    assert_true(h->at[h->n - 1] == (double)count);
}

static void long_runs_are_thinned(void **state) {
    (void)state;
    char dir[256], whole[300], other[300], checkpoint[300];
    const int64_t epochs = 2350;
    temp_dir(dir);
    (void)snprintf(whole, sizeof whole, "%s/whole.safetensors", dir);
    (void)snprintf(other, sizeof other, "%s/other.safetensors", dir);
    (void)snprintf(checkpoint, sizeof checkpoint, "%s/run.safetensors", dir);
    struct setting s = {.threads = 1, .rows = 16, .epochs = epochs, .watch = 1};
    train(&s, whole);
    fanin_ctx *ctx = test_ctx();
    fanin_model *model;
    struct fanin_history h;
    assert_ok(ctx, fanin_model_load(&model, ctx, whole));
    assert_true(find(model, "epoch", "", "loss", &h));
    assert_thinned(&h, epochs, 1000, 2000);
    assert_true(find(model, "watch_source", "data", "update_share", &h));
    assert_thinned(&h, epochs, 200, 1000);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
    /* stopped before, at and behind the thinning */
    s.checkpoint = checkpoint;
    memcpy(s.stops, (int64_t[]){301, 1999, 2002}, sizeof s.stops);
    train(&s, other);
    assert_true(same_files(whole, other));
    temp_dir_remove(dir);
}

/* ---- damage ---------------------------------------------------------------------------------------- */

static void damage_is_refused(void **state) {
    static const struct {
        const char *json, *why;
    } bad[] = {{"[]", "not JSON"},
               {"{\"epochs\":", "not JSON"},
               {"{\"epochs\":{}}", "moments"},
               {"{\"epochs\":{\"count\":2,\"every\":1,\"at\":[1],\"series\":[]}}", "moments"},
               {"{\"epochs\":{\"count\":1,\"every\":0,\"at\":[1],\"series\":[]}}", "moments"},
               {"{\"epochs\":{\"count\":9007199254740994,\"every\":1,\"at\":[1],\"series\":[]}}",
                "moments"},
               {"{\"epochs\":{\"count\":2,\"every\":1,\"at\":[2,1],\"series\":[]}}", "backwards"},
               {"{\"epochs\":{\"count\":1,\"every\":1,\"at\":[null],\"series\":[]}}", "backwards"},
               {"{\"epochs\":{\"count\":1,\"every\":1,\"at\":[1],\"series\":[{}]}}", "no names"},
               {"{\"updates\":{\"count\":1,\"every\":1,\"at\":[1],\"series\":[{\"event\":\"watch\","
                "\"figure\":"
                "\"loss\",\"values\":[]}]}}",
                "each moment"},
               {"{\"updates\":{\"count\":1,\"every\":1,\"at\":[1],\"series\":[{\"event\":\"watch\","
                "\"figure\":"
                "\"loss\",\"values\":[\"1\"]}]}}",
                "no number"}};
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(bad); i++) {
        fanin_model *model;
        const struct fanin_model_options options = {.size = sizeof options};
        struct fanin_history h;
        assert_ok(
            ctx, fanin_model_create(&model, chain_net(ctx, 6, layers, FI_COUNT(layers)), &options));
        assert_false(fanin_model_history(model, 0, &h));
        assert_refused(ctx, FANIN_ERR_DATA, bad[i].why, fi_history_read(model, bad[i].json));
        fanin_model_free(model);
    }
    fanin_ctx_free(ctx);
}

/* ---- losses and samples one by one ----------------------------------------------------------------- */

static double told_loss;
static void take_loss(void *payload, const struct fanin_event *e) {
    (void)payload;
    for (int i = 0; i < e->n_figures; i++)
        if (strcmp(e->figures[i].name, "loss") == 0) told_loss = e->figures[i].value;
}

static void losses_of_samples(void **state) {
    (void)state;
    enum { ROWS = 300 };
    fanin_ctx *ctx = test_ctx();
    const struct fanin_attr ignore = {.name = "ignore_index", .number = 2};
    float x[6];
    int32_t label, labels[ROWS];
    for (int ignoring = 0; ignoring < 2; ignoring++) {
        fanin_data *data = blob_data(ctx, ROWS, 6, 3);
        const struct fanin_model_options options = {
            .size = sizeof options,
            .seed = 2,
            .data = data,
            .loss = {"softmax_cross_entropy", ignoring ? &ignore : NULL, ignoring, 0}};
        fanin_model *model;
        double loss[ROWS], sum = 0, n = 0;
        assert_ok(
            ctx, fanin_model_create(&model, chain_net(ctx, 6, layers, FI_COUNT(layers)), &options));
        assert_ok(ctx, fanin_sample_losses(model, data, FANIN_TRAIN, 0, ROWS, loss));
        assert_ok(ctx, fanin_data_get(data, FANIN_TRAIN, 0, ROWS, NULL, labels, NULL));
        for (int i = 0; i < ROWS; i++) {
            assert_true(isnan(loss[i]) == (ignoring && labels[i] == 2));
            if (isnan(loss[i])) continue;
            sum += loss[i];
            n++;
        }
        assert_ok(ctx, fanin_evaluate(model, data, FANIN_TRAIN, take_loss, NULL));
        assert_true(fabs(sum / n - told_loss) < 1e-9);
        /* of any samples the same; and the sample is the one it says */
        double few[5];
        assert_ok(ctx, fanin_sample_losses(model, data, FANIN_TRAIN, 257, 5, few));
        assert_memory_equal(few, loss + 257, sizeof few);
        assert_ok(ctx, fanin_data_get(data, FANIN_TRAIN, 257, 1, x, &label, NULL));
        float p[3];
        assert_ok(ctx, fanin_model_predict(model, x, 1, p));
        if (!ignoring || label != 2) assert_true(fabs(-log((double)p[label]) - few[0]) < 1e-5);
        assert_refused(ctx, FANIN_ERR_ARGUMENT, "300",
                       fanin_sample_losses(model, data, FANIN_TRAIN, 296, 5, few));
        assert_refused(ctx, FANIN_ERR_ARGUMENT, "300",
                       fanin_data_get(data, FANIN_TRAIN, 300, 1, x, NULL, NULL));
        assert_refused(ctx, FANIN_ERR_ARGUMENT, "test part has 0",
                       fanin_data_get(data, FANIN_TEST, 0, 1, x, NULL, NULL));
        fanin_model_free(model);
        fanin_data_free(data);
    }
    fanin_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_told), cmocka_unit_test(same_bytes),
        cmocka_unit_test(long_runs_are_thinned), cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(losses_of_samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
