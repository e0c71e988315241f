/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of every probe fails once: an error with a message comes back, nothing leaks,
 * the parameters are as before, and the next look gives the same figures.
 */
#include "support/memory.h"
#include "support/probes.h"

#define NET                                                                                        \
    "net: [{dense: {units: 5}}, batch_norm, tanh, {dropout: 0.5}, {dense: {units: 3}}]\n"          \
    "train: {epochs: 1, batch: 20}\n"

static fanin_ctx *counting_ctx(struct test_memory *c) {
    const struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 1, .allocator = test_memory_allocator(c)};
    fanin_ctx *ctx;
    char error[200];
    if (fanin_ctx_create(&ctx, &options, error, sizeof error) != FANIN_OK) fail_msg("%s", error);
    return ctx;
}

static void fail_each(struct test_study *s, struct test_memory *c, const char *probe,
                      const struct fanin_attr *attrs) {
    static struct test_look whole;
    const size_t bytes = (size_t)s->model->net->param_size * sizeof(fi_real);
    fi_real *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, s->model->params, bytes);
    study_look(s, probe, attrs); /* plans that the model keeps are made now */
    memcpy(&whole, &s->look, sizeof whole);
    const int64_t live = c->live;
    enum fanin_status status = FANIN_ERR_MEMORY;
    int64_t k = 0;
    while (status != FANIN_OK) {
        c->calls = 0;
        c->fail_at = ++k;
        status = study_try(s, probe, attrs);
        c->fail_at = 0;
        if (status != FANIN_OK) assert_string_not_equal(fanin_errmsg(s->ctx), "");
        assert_int_equal(c->live, live);
        assert_memory_equal(before, s->model->params, bytes);
    }
    assert_true(k > 2);
    assert_memory_equal(&whole, &s->look, sizeof whole);
    free(before);
}

static void probes_of_classes(void **state) {
    (void)state;
    struct test_memory c = {0};
    struct test_study s;
    fanin_ctx *ctx = counting_ctx(&c);
    study_open(&s, NET, ctx, blob_data(ctx, 40, 4, 3));
    const struct fanin_attr part = WORD("part", "train"), node = WORD("node", "tanh1");
    fail_each(&s, &c, "metrics", ATTRS(part, NUMBER("noise", 0.1)));
    fail_each(&s, &c, "unit_weights", NULL);
    fail_each(&s, &c, "weights", NULL);
    fail_each(&s, &c, "signals", NULL);
    fail_each(&s, &c, "quantiles", ATTRS(part, node));
    fail_each(&s, &c, "features", ATTRS(part, node));
    fail_each(&s, &c, "ablation", ATTRS(part, node));
    fail_each(&s, &c, "calibration", ATTRS(part));
    fail_each(&s, &c, "lists", ATTRS(part, NUMBER("size", 2)));
    fail_each(&s, &c, "subnetworks", ATTRS(part));
    fail_each(&s, &c, "committee", ATTRS(part, NUMBER("members", 2)));
    study_close(&s);
    assert_int_equal(c.live, 0);
}

static double first(const float *x, int64_t in, int64_t output) {
    (void)in, (void)output;
    return (double)x[0];
}

static void the_closed_form(void **state) {
    (void)state;
    struct test_memory c = {0};
    struct test_study s;
    fanin_ctx *ctx = counting_ctx(&c);
    study_open(&s, "net: [{dense: {units: 1}}]", ctx, value_data(ctx, 30, 3, 1, first));
    fail_each(&s, &c, "closed_form", ATTRS(WORD("part", "train")));
    study_close(&s);
    assert_int_equal(c.live, 0);
}

/* A run may end where its weights are not finite any more; a study looks at it all the same. */
static void probes_of_what_diverged(void **state) {
    (void)state;
    struct test_study s;
    float w[20];
    fanin_ctx *ctx = test_ctx();
    study_open(&s, NET, ctx, blob_data(ctx, 40, 4, 3));
    for (int i = 0; i < 20; i++) w[i] = i % 2 ? NAN : INFINITY;
    assert_ok(ctx, fanin_model_set(s.model, "dense1.weight", w, 20));
    const struct fanin_attr part = WORD("part", "train"), node = WORD("node", "tanh1");
    study_look(&s, "metrics", ATTRS(part, NUMBER("noise", 0.1)));
    assert_true(isnan(study_figure(&s, "loss", "")));
    study_look(&s, "unit_weights", NULL);
    assert_true(isnan(study_figure(&s, "spread", "dense1.weight")));
    study_look(&s, "weights", NULL);
    assert_true(isnan(study_figure(&s, "norm", "dense1.weight")));
    study_look(&s, "signals", NULL);
    assert_true(study_figure(&s, "verdict", "") == FANIN_WILL_NOT_TRAIN);
    study_look(&s, "quantiles", ATTRS(part, node));
    assert_true(isnan(study_figure(&s, "p50", "tanh1")));
    study_look(&s, "features", ATTRS(part, node));
    study_look(&s, "ablation", ATTRS(part, node));
    assert_true(isnan(study_figure(&s, "mean_increase", "tanh1")));
    study_look(&s, "calibration", ATTRS(part));
    assert_true(isnan(study_figure(&s, "confidence", "")));
    study_look(&s, "lists", ATTRS(part, NUMBER("size", 2)));
    assert_true(isnan(study_figure(&s, "hit_rate", "")));
    assert_true(isnan(study_figure(&s, "diversity", "")));
    study_look(&s, "subnetworks", ATTRS(part));
    assert_true(isnan(study_figure(&s, "difference", "")));
    study_look(&s, "committee", ATTRS(part, NUMBER("members", 2)));
    assert_true(isnan(study_figure(&s, "variance", "")));
    study_close(&s);
}

/* A record without a line above would go untested. */
static void no_probe_is_left_out(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    int n = 0;
    while (fanin_record_at(ctx, "probe", n)) n++;
    assert_int_equal(n, 12);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_of_classes),
        cmocka_unit_test(the_closed_form),
        cmocka_unit_test(probes_of_what_diverged),
        cmocka_unit_test(no_probe_is_left_out),
    };
    return test_main(tests);
}
