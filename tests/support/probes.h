/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes in tests: a small study of one run, the figures a look gives. Every look is made twice,
 * and must give the same bits and leave the parameters as they are.
 */
#ifndef TESTS_PROBES_H
#define TESTS_PROBES_H

#include <math.h>

#include "model/model.h"
#include "study/probe.h"
#include "support/nets.h"

struct test_figure {
    char name[40], where[64];
    double value;
};
struct test_bins {
    char name[40], where[64];
    double low, high;
    int64_t counts[FI_PROBE_BINS];
};
#define TEST_FIGURES 600
struct test_look {
    struct test_figure figures[TEST_FIGURES];
    struct test_bins bins[100];
    int n, n_bins;
};

struct test_study {
    fanin_ctx *ctx;
    fanin_recipe *recipe;
    fanin_data *data;
    fanin_model *model;
    struct test_look look;
};

/* data NULL: the recipe's. Takes data over. */
static inline void study_open(struct test_study *s, const char *recipe, fanin_ctx *ctx,
                              fanin_data *data) {
    *s = (struct test_study){.ctx = ctx, .data = data};
    assert_ok(ctx, fanin_recipe_parse(&s->recipe, ctx, "test", recipe, NULL, 0));
    if (!data) assert_ok(ctx, fanin_data_load(&s->data, ctx, fanin_recipe_data(s->recipe)));
    assert_ok(ctx, fanin_recipe_model(&s->model, s->recipe, fanin_data_shape(s->data),
                                      fanin_data_outputs(s->data), s->data));
}

static inline void study_train(struct test_study *s) {
    assert_ok(s->ctx, fanin_train(s->model, s->data, fanin_recipe_train(s->recipe)));
}

static inline void study_close(struct test_study *s) {
    fanin_model_free(s->model);
    fanin_data_free(s->data);
    fanin_recipe_free(s->recipe);
    fanin_ctx_free(s->ctx);
}

static inline void take_figure(void *to, const char *figure, const char *where, double value) {
    struct test_look *look = to;
    assert_true(look->n < TEST_FIGURES);
    struct test_figure *f = &look->figures[look->n++];
    (void)snprintf(f->name, sizeof f->name, "%s", figure);
    (void)snprintf(f->where, sizeof f->where, "%s", where);
    f->value = value;
}

static inline void take_bins(void *to, const char *figure, const char *where, double low,
                             double high, const int64_t *counts, int n) {
    struct test_look *look = to;
    struct test_bins *b = &look->bins[look->n_bins++];
    assert_int_equal(n, FI_PROBE_BINS);
    assert_true(look->n_bins <= 100 && low < high);
    (void)snprintf(b->name, sizeof b->name, "%s", figure);
    (void)snprintf(b->where, sizeof b->where, "%s", where);
    b->low = low;
    b->high = high;
    memcpy(b->counts, counts, sizeof b->counts);
}

/* One look, its status. `attrs` ends with a name NULL. */
static inline enum fanin_status study_try(struct test_study *s, const char *probe,
                                          const struct fanin_attr *attrs) {
    struct fanin_rule rule = {.name = probe, .attrs = attrs};
    struct fanin_rule_ref ref;
    struct fi_arena arena;
    const struct fi_look_at look = {.ctx = s->ctx,
                                    .recipe = s->recipe,
                                    .model = s->model,
                                    .data = s->data,
                                    .add = take_figure,
                                    .bins = take_bins,
                                    .to = &s->look};
    memset(&s->look, 0, sizeof s->look);
    while (attrs && attrs[rule.n_attrs].name) rule.n_attrs++;
    fi_arena_init(&arena, s->ctx);
    enum fanin_status status = fi_rule_resolve(&arena, &ref, "probe", &rule, "measure");
    if (status == FANIN_OK)
        status = ((const struct fi_probe *)(const void *)ref.record)->look(&look, ref.attrs);
    fi_arena_free(&arena);
    return status;
}

static inline void study_look(struct test_study *s, const char *probe,
                              const struct fanin_attr *attrs) {
    static struct test_look first;
    const size_t bytes = (size_t)s->model->net->param_size * sizeof(fi_real);
    fi_real *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, s->model->params, bytes);
    assert_ok(s->ctx, study_try(s, probe, attrs));
    memcpy(&first, &s->look, sizeof first);
    assert_ok(s->ctx, study_try(s, probe, attrs));
    assert_memory_equal(&first, &s->look, sizeof first);
    assert_memory_equal(before, s->model->params, bytes);
    free(before);
    assert_true(s->look.n + s->look.n_bins > 0);
}

static inline double study_figure(const struct test_study *s, const char *name, const char *where) {
    for (int i = 0; i < s->look.n; i++)
        if (!strcmp(s->look.figures[i].name, name) && !strcmp(s->look.figures[i].where, where))
            return s->look.figures[i].value;
    fail_msg("there is no figure '%s' of '%s'", name, where);
    return NAN;
}

static inline const struct test_bins *study_bins(const struct test_study *s, const char *name,
                                                 const char *where) {
    for (int i = 0; i < s->look.n_bins; i++)
        if (!strcmp(s->look.bins[i].name, name) && !strcmp(s->look.bins[i].where, where))
            return &s->look.bins[i];
    fail_msg("there is no histogram '%s' of '%s'", name, where);
    return NULL;
}

static inline int64_t bins_total(const struct test_bins *b) {
    int64_t sum = 0;
    for (int i = 0; i < FI_PROBE_BINS; i++) sum += b->counts[i];
    return sum;
}

#define assert_near(actual, expected, tolerance)                                                   \
    do {                                                                                           \
        const double near_a_ = (actual), near_e_ = (expected);                                     \
        if (!(fabs(near_a_ - near_e_) <= (tolerance)))                                             \
            fail_msg("%s is %.17g, not %.17g", #actual, near_a_, near_e_);                         \
    } while (0)

/* Attributes of one look. */
#define ATTRS(...) ((const struct fanin_attr[]){__VA_ARGS__, {0}})
#define WORD(key, word)                                                                            \
    { .name = key, .text = word }
#define NUMBER(key, value)                                                                         \
    { .name = key, .number = value }

/* A uniform number in [0, 1), the same for the same i. */
static inline double test_number(uint64_t key, int64_t i) {
    uint32_t w[4];
    fi_philox(key, 77, (uint64_t)i, w);
    return fi_uniform53(w[0], w[1]);
}

/* `n` samples of one training part: x uniform in [-1, 1), k targets given by `f`. */
static inline fanin_data *value_data(fanin_ctx *ctx, int64_t n, int64_t in, int64_t k,
                                     double (*f)(const float *x, int64_t in, int64_t output)) {
    float *x = malloc((size_t)(n * in) * sizeof *x), *t = malloc((size_t)(n * k) * sizeof *t);
    fanin_data *data;
    for (int64_t i = 0; i < n * in; i++) x[i] = (float)(2 * test_number(5, i) - 1);
    for (int64_t i = 0; i < n * k; i++) t[i] = (float)f(x + i / k * in, in, i % k);
    assert_ok(ctx, fanin_data_from_arrays(&data, ctx, n, in, x, NULL, 0, t, k));
    free(x);
    free(t);
    return data;
}

/* The training part as the net reads it; free() it. */
static inline float *inputs_of(const struct test_study *s) {
    const int64_t n = fanin_data_rows(s->data, FANIN_TRAIN), in = fanin_data_shape(s->data)->cols;
    float *x = malloc((size_t)(n * in) * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) fi_data_gather(s->data, FANIN_TRAIN, &i, 1, x + i * in, in);
    return x;
}

#endif
