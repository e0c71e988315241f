/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initializers, what only one of them has: orthogonality at any shape, the identity's places, the
 * zeros of each column, the bounds of the cut and the published 0.8796, the variance that makes up
 * for dropout; and how a net is started with them.
 */
#include <fanin/net.h>

#include "support/memory.h"
#include "support/records.h"

static struct fi_init_request request(fanin_ctx *ctx, const struct fanin_rule_ref *rule,
                                      const int64_t *dims) {
    return (struct fi_init_request){.attrs = rule->attrs,
                                    .ctx = ctx,
                                    .fan_in = dims[1],
                                    .fan_out = dims[0],
                                    .rank = 2,
                                    .dims = dims,
                                    .keep = 1,
                                    .key = fi_key(3, "init", "w")};
}

/* The rule's numbers for a matrix of out × in, in the arena. */
static fi_real *drawn(struct fi_arena *arena, const char *name, const struct fanin_attr *attrs,
                      int64_t n_attrs, int64_t out, int64_t in) {
    const int64_t dims[2] = {out, in};
    const struct fanin_rule_ref rule = test_rule(arena, "init", name, attrs, n_attrs);
    const struct fi_init *init = (const struct fi_init *)(const void *)rule.record;
    const struct fi_init_request r = request(arena->ctx, &rule, dims);
    fi_real *w = fi_arena_alloc(arena, out * in, sizeof *w);
    assert_non_null(w);
    if (init->whole)
        assert_ok(arena->ctx, init->whole(&r, w));
    else
        init->fill(&r, 0, out * in, w);
    return w;
}

/* The Frobenius norm of WᵀW - gain² I (or of WWᵀ, whichever is smaller), in double. */
static double defect(const fi_real *w, int64_t out, int64_t in, double gain) {
    const int64_t n = FI_MIN(out, in), m = FI_MAX(out, in);
    const int64_t across = out >= in ? 1 : in, along = out >= in ? in : 1;
    double squares = 0;
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = a; b < n; b++) {
            double dot = a == b ? -gain * gain : 0;
            for (int64_t i = 0; i < m; i++)
                dot += (double)w[a * across + i * along] * (double)w[b * across + i * along];
            squares += (a == b ? 1 : 2) * dot * dot;
        }
    return sqrt(squares);
}

static void orthogonal_is(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1, 1}, {7, 1}, {1, 9},  {8, 8},    {9, 8},    {8, 9},
                                        {3, 4}, {4, 3}, {33, 5}, {64, 129}, {300, 77}, {512, 512}};
    const struct fanin_attr twice = {.number = 2};
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    for (int s = 0; s < FI_COUNT(shapes); s++) {
        const int64_t out = shapes[s][0], in = shapes[s][1];
        const double one = defect(drawn(&arena, "orthogonal", NULL, 0, out, in), out, in, 1);
        const double two = defect(drawn(&arena, "orthogonal", &twice, 1, out, in), out, in, 2);
        if (!(one < 1e-5 && two < 4e-5)) fail_msg("%d x %d: %g, %g", (int)out, (int)in, one, two);
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* A and Q for the same key: R = QᵀA is upper triangular with a positive diagonal. */
static void orthogonal_is_qr(void **state) {
    (void)state;
    enum { M = 20, N = 11 };
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_attr unit = {.number = 1};
    const fi_real *a = drawn(&arena, "normal", &unit, 1, N, M); /* column j is row j */
    const fi_real *q = drawn(&arena, "orthogonal", NULL, 0, M, N);
    for (int k = 0; k < N; k++)
        for (int j = 0; j < N; j++) {
            double dot = 0;
            for (int i = 0; i < M; i++) dot += (double)q[i * N + k] * (double)a[j * M + i];
            if (k == j) assert_true(dot > 0);
            if (k > j) assert_true(fabs(dot) < 1e-5);
        }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* c[first..m) -= tau v (vᵀ c) */
static void reflected(const double *v, double tau, int first, int m, double *c) {
    double sum = 0;
    for (int i = first; i < m; i++) sum += v[i] * c[i];
    for (int i = first; i < m; i++) c[i] -= v[i] * tau * sum;
}

/* Panels of reflections give what one reflection after the other gives: the difference is that of
 * doubles, rounded once. */
static void orthogonal_by_single_reflections(void **state) {
    (void)state;
    enum { M = 130, N = 110 };
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_attr unit = {.number = 1};
    const fi_real *a = drawn(&arena, "normal", &unit, 1, N, M); /* column j is row j */
    const fi_real *q = drawn(&arena, "orthogonal", NULL, 0, M, N);
    static double c[N][M], v[N][M];
    double tau[N], sign[N];
    for (int j = 0; j < N; j++)
        for (int i = 0; i < M; i++) c[j][i] = (double)a[j * M + i];
    for (int k = 0; k < N; k++) {
        double squares = 0;
        for (int i = k; i < M; i++) squares += (v[k][i] = c[k][i]) * c[k][i];
        const double norm = sqrt(squares), first = v[k][k];
        v[k][k] += copysign(norm, first);
        tau[k] = 1 / (norm * (norm + fabs(first)));
        sign[k] = -copysign(1, first);
        for (int j = k; j < N; j++) reflected(v[k], tau[k], k, M, c[j]);
    }
    for (int j = 0; j < N; j++) {
        double column[M] = {0};
        column[j] = sign[j];
        for (int k = j; k >= 0; k--) reflected(v[k], tau[k], k, M, column);
        for (int i = 0; i < M; i++) /* half a unit in the last place below 1 is 2.98e-8 */
            assert_true(fabs((double)q[i * N + j] - column[i]) < 3e-8);
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* One, two and many panels, tall and wide: the same bits on every tier and on 1, 2, 3 threads. */
static void orthogonal_on_any_machine(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1, 40}, {60, 50}, {150, 170}, {210, 147}};
    static fi_real first[210 * 147];
    for (int s = 0; s < FI_COUNT(shapes); s++) {
        const int64_t out = shapes[s][0], in = shapes[s][1];
        bool begun = false;
        for (int threads = 1; threads <= 3; threads++) FOR_EACH_TIER(ctx, threads) {
                struct fi_arena arena;
                fi_arena_init(&arena, ctx);
                const fi_real *w = drawn(&arena, "orthogonal", NULL, 0, out, in);
                const size_t bytes = (size_t)(out * in) * sizeof *w;
                if (!begun) memcpy(first, w, bytes);
                begun = true;
                assert_memory_equal(first, w, bytes);
                fi_arena_free(&arena);
            }
    }
}

/* Each allocation fails once: the error says so, and all memory is given back. */
static void orthogonal_without_memory(void **state) {
    (void)state;
    const int64_t dims[2] = {30, 20};
    struct test_memory f = {0};
    const struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 1, .allocator = test_memory_allocator(&f)};
    fanin_ctx *ctx;
    assert_int_equal(fanin_ctx_create(&ctx, &options, NULL, 0), FANIN_OK);
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_rule_ref rule = test_rule(&arena, "init", "orthogonal", NULL, 0);
    const struct fi_init *init = (const struct fi_init *)(const void *)rule.record;
    const struct fi_init_request r = request(ctx, &rule, dims);
    static fi_real w[30 * 20];
    const int64_t live = f.live;
    enum fanin_status status = FANIN_ERR_MEMORY;
    int64_t failures = 0;
    for (; status == FANIN_ERR_MEMORY && failures < 100; failures++) {
        test_memory_left(&f, failures);
        status = init->whole(&r, w);
        assert_int_equal(f.live, live);
    }
    assert_int_equal(status, FANIN_OK);
    assert_true(failures > 1);
    f.fail_at = 0;
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
    assert_int_equal(f.live, 0);
}

static void identity_and_sparse(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1, 1}, {5, 5}, {3, 8}, {8, 3}, {40, 1}, {1, 40}};
    static const double shares[] = {0, 0.1, 0.5, 0.99, 1};
    const struct fanin_attr half = {.number = 0.5};
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    for (int s = 0; s < FI_COUNT(shapes); s++) {
        const int64_t out = shapes[s][0], in = shapes[s][1];
        const fi_real *w = drawn(&arena, "identity", &half, 1, out, in);
        for (int64_t i = 0; i < out * in; i++)
            assert_true(w[i] == (i / in == i % in ? (fi_real)0.5 : 0));
        for (int k = 0; k < FI_COUNT(shares); k++) {
            const struct fanin_attr share = {.number = shares[k]};
            w = drawn(&arena, "sparse", &share, 1, out, in);
            for (int64_t i = 0; i < in; i++) {
                int64_t zeros = 0;
                for (int64_t o = 0; o < out; o++) zeros += w[o * in + i] == 0;
                assert_int_equal(zeros, (int64_t)ceil(shares[k] * (double)out));
            }
        }
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static int ascending(const void *a, const void *b) {
    const fi_real x = *(const fi_real *)a, y = *(const fi_real *)b;
    return (x > y) - (x < y);
}

/* Bounds, spread and the whole law; the largest distance of 10^5 draws is below 2.2 / sqrt(10^5)
 * with probability 1 - 1e-4. */
static void truncation(void **state) {
    (void)state;
    enum { N = 100000 };
    static const double cuts[] = {0.1, 1, 2, 4, 10};
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    for (int c = 0; c < FI_COUNT(cuts); c++) {
        const struct fanin_attr attrs[] = {{.number = 1}, {.name = "cut", .number = cuts[c]}};
        fi_real *w = drawn(&arena, "truncated_normal", attrs, 2, N / 100, 100);
        const double mass = erf(cuts[c] / sqrt(2.0));
        const double edge = 2 * exp(-0.5 * cuts[c] * cuts[c]) / sqrt(2 * acos(-1.0)) / mass;
        const double kept = sqrt(1 - cuts[c] * edge);
        if (cuts[c] == 2) assert_true(fabs(kept - 0.87962566103423978) < 1e-15);
        qsort(w, N, sizeof *w, ascending);
        assert_true(fabs((double)w[0]) <= cuts[c] / kept * (1 + 1e-6));
        assert_true((double)w[N - 1] <= cuts[c] / kept * (1 + 1e-6));
        double squares = 0, distance = 0;
        for (int i = 0; i < N; i++) {
            squares += (double)w[i] * (double)w[i];
            const double p = 0.5 + 0.5 * erf((double)w[i] * kept / sqrt(2.0)) / mass;
            distance = fmax(distance, fabs(p - (i + 0.5) / N));
        }
        assert_true(fabs(squares / N - 1) < 4 * sqrt(2.0 / N));
        assert_true(distance < 2.2 / sqrt((double)N));
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* ---- in a net ---------------------------------------------------------------- */

static int add(fanin_net *net, int to, const char *op, const struct fanin_attr *attrs, int64_t n) {
    int node = -1;
    assert_ok(net->ctx, fanin_net_add(net, &node, op, NULL, &to, 1, attrs, n));
    return node;
}

/* A net of one layer of 64 units on 100 inputs, relu, and dropout if rate > 0. */
static fanin_model *start(fanin_ctx *ctx, const struct fanin_rule *init, double rate) {
    const int64_t shape[1] = {100};
    const struct fanin_attr dense[] = {{.name = "units", .number = 64},
                                       {.name = "init", .rule = init}};
    const struct fanin_attr drop = {.number = rate};
    fanin_net *net;
    fanin_model *model;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, shape));
    node = add(net, node, "relu", NULL, 0);
    node = add(net, node, "dense", dense, 2);
    node = add(net, node, "relu", NULL, 0);
    if (rate > 0) node = add(net, node, "dropout", &drop, 1);
    const struct fanin_attr last = {.number = 3};
    (void)add(net, node, "dense", &last, 1);
    assert_ok(ctx, fanin_model_create(&model, net, NULL));
    return model;
}

static void dropout_is_made_up_for(void **state) {
    (void)state;
    const struct fanin_attr aware = {.name = "dropout_aware", .number = 1};
    const struct fanin_rule init = {.name = "kaiming_normal", .attrs = &aware, .n_attrs = 1};
    static const double rates[] = {0, 0.4, 0.5};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(rates); i++) {
        fanin_model *model = start(ctx, &init, rates[i]);
        const struct fi_param *p = &model->net->params[0];
        assert_true(fabs(p->std * p->std - 2 * (1 - rates[i]) / 100) < 1e-15);
        fanin_model_free(model);
    }
    fanin_ctx_free(ctx);
}

/* The gain by name: computed, shown, and told beside the published one. */
static void gain_of_a_name(void **state) {
    (void)state;
    const struct fanin_attr tanh_gain = {.name = "gain", .text = "tanh"};
    const struct fanin_rule rules[] = {
        {.name = "xavier_normal", .attrs = &tanh_gain, .n_attrs = 1},
        {.name = "orthogonal", .attrs = &tanh_gain, .n_attrs = 1},
    };
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(rules); i++) {
        fanin_model *model = start(ctx, &rules[i], 0);
        const struct fi_param *p = &model->net->params[0];
        assert_true(fabs(p->gain - 1.5925374197228312) < 1e-10);
        assert_non_null(strstr(p->why, "gain of tanh 1.5925 (published 5/3)"));
        double squares = 0;
        for (int64_t k = 0; k < p->size; k++) {
            const double w = (double)model->params[p->offset + k];
            squares += w * w;
        }
        /* 64 rows of length gain */
        if (i == 1) assert_true(fabs(squares - 64 * p->gain * p->gain) < 1e-4);
        fanin_model_free(model);
    }
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(orthogonal_is),
    cmocka_unit_test(orthogonal_is_qr),
    cmocka_unit_test(orthogonal_by_single_reflections),
    cmocka_unit_test(orthogonal_on_any_machine),
    cmocka_unit_test(orthogonal_without_memory),
    cmocka_unit_test(identity_and_sparse),
    cmocka_unit_test(truncation),
    cmocka_unit_test(dropout_is_made_up_for),
    cmocka_unit_test(gain_of_a_name),
};

int main(void) {
    return test_main(tests);
}
