/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean-field theory by quadrature, against closed forms to 1e-9 and published or independently
 * computed tables to their printed digits.
 */
#include "check/theory.h"
#include "graph/signal.h"
#include "support/records.h"

static const double pi = 3.14159265358979323846;

struct bench {
    fanin_ctx *ctx;
    struct fi_arena arena;
};

static struct bench open_bench(void) {
    struct bench b = {.ctx = test_ctx()};
    fi_arena_init(&b.arena, b.ctx);
    return b;
}

static void close_bench(struct bench *b) {
    fi_arena_free(&b->arena);
    fanin_ctx_free(b->ctx);
}

static struct fi_activation activation(struct bench *b, const char *name,
                                       const struct fanin_attr *attrs, int n) {
    const struct fanin_rule_ref ref = test_rule(&b->arena, "op", name, attrs, n);
    const struct fanin_op *op = (const struct fanin_op *)(const void *)ref.record;
    return (struct fi_activation){.curve = op->curve, .attrs = ref.attrs};
}

static void near_to(double value, double expected, double tolerance, const char *what) {
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%s: %.15g, not %.15g", what, value, expected);
}

/* E f, E f², E f′² at q = 1, piecewise Gauss and Legendre of another program, nine digits. */
static void expectations_at_one(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double second, slope_second, mean;
    } table[] = {
        {"tanh", .394294490, .464402902, 0},          {"erf", .464559054, .569410035, 0},
        {"softsign", .183014021, .227671340, 0},      {"gelu", .425221483, .455850866, .282094792},
        {"silu", .355775520, .379482352, .206620964}, {"relu", .5, .5, .398942280},
        {"selu", 1.000000000, 1.071574992, 0},        {"elu", .644945417, .668102001, .160520572},
        {"sigmoid", .293379036, .044836241, .5}};
    struct bench b = open_bench();
    for (int i = 0; i < FI_COUNT(table); i++) {
        const struct fi_activation f = activation(&b, table[i].name, NULL, 0);
        struct fi_response r;
        assert_ok(b.ctx, fi_response(b.ctx, &r, &f, 0, 1));
        near_to(r.second, table[i].second, 6e-10, table[i].name);
        near_to(r.slope_second, table[i].slope_second, 6e-10, table[i].name);
        near_to(r.mean, table[i].mean, 6e-10, table[i].name);
    }
    close_bench(&b);
}

/* Closed forms over nine decades of q. */
static void closed_forms(void **state) {
    (void)state;
    struct bench b = open_bench();
    const struct fanin_attr slope = {.number = 0.2};
    const struct fi_activation relu = activation(&b, "relu", NULL, 0);
    const struct fi_activation leaky = activation(&b, "leaky_relu", &slope, 1);
    const struct fi_activation erf_ = activation(&b, "erf", NULL, 0);
    const struct fi_activation gelu = activation(&b, "gelu", NULL, 0);
    for (double q = 1e-4; q < 1e5; q *= 3.7) {
        struct fi_response r;
        assert_ok(b.ctx, fi_response(b.ctx, &r, &relu, 0, q));
        near_to(r.second, q / 2, 1e-12 * q, "relu second moment");
        near_to(r.growth, 0.5, 1e-12, "relu growth");
        near_to(r.mean, sqrt(q / (2 * pi)), 1e-12 * sqrt(q), "relu mean");
        assert_ok(b.ctx, fi_response(b.ctx, &r, &leaky, 0, q));
        near_to(r.second, (1 + 0.04) * q / 2, 1e-12 * q, "leaky_relu second moment");
        near_to(r.slope_second, (1 + 0.04) / 2, 1e-12, "leaky_relu slope");
        assert_ok(b.ctx, fi_response(b.ctx, &r, &erf_, 0, q));
        near_to(r.second, 2 / pi * asin(2 * q / (1 + 2 * q)), 1e-9, "erf second moment");
        near_to(r.slope_second, 4 / pi / sqrt(1 + 4 * q), 1e-9, "erf slope");
        assert_ok(b.ctx, fi_response(b.ctx, &r, &gelu, 0, q));
        near_to(r.second / q,
                0.25 + (asin(q / (1 + q)) + 2 * q / ((1 + q) * sqrt(1 + 2 * q))) / (2 * pi), 1e-9,
                "gelu second moment");
    }
    close_bench(&b);
}

/* With a mean: E relu(x) and E relu(x)² of N(m, s²). */
static void shifted_relu(void **state) {
    (void)state;
    struct bench b = open_bench();
    const struct fi_activation relu = activation(&b, "relu", NULL, 0);
    for (double m = -3; m <= 3; m += 0.75) {
        const double s = 0.6, density = exp(-0.5 * m * m / (s * s)) / sqrt(2 * pi);
        const double above = 0.5 * erfc(-m / (s * sqrt(2)));
        struct fi_response r;
        assert_ok(b.ctx, fi_response(b.ctx, &r, &relu, m, s * s));
        near_to(r.mean, m * above + s * density, 1e-12, "mean");
        near_to(r.second, (m * m + s * s) * above + m * s * density, 1e-12, "second");
        near_to(r.slope, above, 1e-12, "slope");
    }
    close_bench(&b);
}

/* The arc-cosine kernels of relu (Cho, Saul 2009) and the arc sine of erf (Williams 1997). */
static void correlation_maps(void **state) {
    (void)state;
    static const double cs[] = {-1, -0.9, -0.3, 0, 0.1, 0.5, 0.9, 0.99, 0.9999, 1};
    struct bench b = open_bench();
    const struct fi_activation relu = activation(&b, "relu", NULL, 0);
    const struct fi_activation erf_ = activation(&b, "erf", NULL, 0);
    for (int i = 0; i < FI_COUNT(cs); i++) {
        const double c = cs[i];
        for (double q = 0.01; q < 30; q *= 9) {
            double ff, slopes;
            assert_ok(b.ctx, fi_cross(b.ctx, &ff, &slopes, &relu, q, c));
            near_to(2 * ff / q, (sqrt(1 - c * c) + c * (pi - acos(c))) / pi, 1e-9, "relu map");
            near_to(2 * slopes, (pi - acos(c)) / pi, 1e-9, "relu slopes");
            assert_ok(b.ctx, fi_cross(b.ctx, &ff, &slopes, &erf_, q, c));
            near_to(ff, 2 / pi * asin(2 * q * c / (1 + 2 * q)), 1e-9, "erf map");
        }
    }
    close_bench(&b);
}

/* tanh with σ_b² = .05 (Schoenholz et al. 2017): q*, χ₁ and the ordered phase's ξ_c. */
static void tanh_table(void **state) {
    (void)state;
    static const struct {
        double weight_var, q, chi, xi;
    } table[] = {{0.5, .0876, .4320, 1.19}, {1.0, .1936, .7590, 3.63}, {1.3, .3153, .8802, 7.83},
                 {1.5, .4180, .9386, 15.8}, {1.6, .4743, .9637, 27.0}, {1.7, .5331, .9867, 74.9},
                 {1.8, .5941, 1.0082, 0},   {2.0, .7218, 1.0477, 0},   {2.5, 1.064, 1.1335, 0},
                 {4.0, 2.195, 1.3424, 0}};
    struct bench b = open_bench();
    const struct fi_activation f = activation(&b, "tanh", NULL, 0);
    for (int i = 0; i < FI_COUNT(table); i++) {
        struct fi_mean_field m;
        assert_ok(b.ctx, fi_mean_field(b.ctx, &m, &f, table[i].weight_var, 0.05, 1));
        near_to(m.q, table[i].q, table[i].q < 1 ? 5.1e-5 : 5.1e-4, "q*");
        near_to(m.chi, table[i].chi, 5.1e-5, "chi");
        if (table[i].xi > 0) near_to(m.xi_c, table[i].xi, 0.0051 * table[i].xi, "xi_c");
        if (m.chi < 1) assert_true(m.c == 1);
        if (m.chi > 1.001) assert_true(m.c < 1 && m.c > 0 && m.c_map < 1);
    }
    close_bench(&b);
}

/* Critical points: q = 1 is a fixed point (of gelu and silu an unstable one) and χ₁ = 1. */
static void critical_points(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double weight_var, bias_var;
    } table[] = {{"tanh", 2.153303, .150965},     {"erf", 1.756204, .184140},
                 {"softsign", 4.392296, .196148}, {"gelu", 2.193700, .067192},
                 {"silu", 2.635169, .062472},     {"relu", 2, 0},
                 {"selu", .933206, .066794},      {"elu", 1.496777, .034660}};
    struct bench b = open_bench();
    for (int i = 0; i < FI_COUNT(table); i++) {
        const struct fi_activation f = activation(&b, table[i].name, NULL, 0);
        struct fi_response r;
        assert_ok(b.ctx, fi_response(b.ctx, &r, &f, 0, 1));
        near_to(table[i].weight_var * r.second + table[i].bias_var, 1, 1.1e-6, table[i].name);
        near_to(table[i].weight_var * r.slope_second, 1, 1.1e-6, table[i].name);
    }
    close_bench(&b);
}

/* sigmoid without bias: how Glorot's deep nets lose the gradient. */
static void sigmoid_dies(void **state) {
    (void)state;
    struct bench b = open_bench();
    const struct fi_activation f = activation(&b, "sigmoid", NULL, 0);
    struct fi_mean_field m;
    assert_ok(b.ctx, fi_mean_field(b.ctx, &m, &f, 1, 0, 1));
    near_to(m.q, .2647, 5.1e-5, "q*");
    near_to(m.chi, .0557, 5.1e-5, "chi");
    assert_ok(b.ctx, fi_mean_field(b.ctx, &m, &f, 16, 0, 1));
    near_to(m.chi, .399, 5.1e-4, "chi");
    close_bench(&b);
}

/* relu behind which dropout keeps half: two samples share the signal and not the noise, so c* is
 * below 1. Arc-cosine kernel (Cho & Saul 2009): C(c) = (sin t + (pi - t) cos t) / 2 pi, t = acos c.
 */
static void dropout_parts_samples(void **state) {
    (void)state;
    struct bench b = open_bench();
    const struct fi_activation f = activation(&b, "relu", NULL, 0);
    struct fi_mean_field m;
    double low = 0, high = 1;
    while (high - low > 1e-15) {
        const double c = (low + high) / 2, t = acos(c);
        *((sin(t) + (pi - t) * c) / (2 * pi) > c ? &low : &high) = c;
    }
    const double slope = (pi - acos(low)) / (2 * pi);
    assert_ok(b.ctx, fi_mean_field(b.ctx, &m, &f, 1, 0, 2));
    near_to(m.chi, 1, 1e-9, "chi");
    near_to(m.c, low, 1e-9, "c*");
    near_to(m.c_map, slope, 1e-9, "C'(c*)");
    near_to(m.xi_c, -1 / log(slope), 1e-9, "xi");
    close_bench(&b);
}

/* Batch norm behind a linear layer, of 64 independent samples: the gradient's second moment grows
 * by (n - 2) / (n - 3) a layer (Yang et al. 2019, theorem on linear nets), up to 1/n². */
static void batch_norm_backward(void **state) {
    (void)state;
    enum { N = 64 };
    static double mean[2][N], cov[2][N * N], grad[2][N * N], scratch[4 * N * N];
    struct fanin_signal x = {.n = N, .mean = mean[0], .cov = cov[0], .grad = grad[0]};
    struct fanin_signal y = {.n = N, .mean = mean[1], .cov = cov[1], .grad = grad[1]};
    const struct fanin_signal_step s = {
        .n_in = 1, .x = {&x}, .y = &y, .units_in = {1}, .units_out = 1, .scratch = scratch};
    double before = 0, behind = 0;
    for (int a = 0; a < N; a++)
        for (int b = 0; b < N; b++) {
            cov[0][a * N + b] = a == b;
            grad[1][a * N + b] =
                (a == b) - 1.0 / N; /* what reaches it is centred, as by the next */
        }
    fi_signal_batch_norm_back(&s, 0, NULL);
    for (int a = 0; a < N; a++) {
        before += grad[0][a * N + a];
        behind += grad[1][a * N + a];
    }
    /* in units of the normalized output: the input has variance 1 - 1/n over the batch */
    near_to(before / behind * (1 - 1.0 / N), (N - 2.0) / (N - 3.0), 1e-3, "factor");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expectations_at_one), cmocka_unit_test(closed_forms),
        cmocka_unit_test(shifted_relu),        cmocka_unit_test(correlation_maps),
        cmocka_unit_test(tanh_table),          cmocka_unit_test(critical_points),
        cmocka_unit_test(sigmoid_dies),        cmocka_unit_test(dropout_parts_samples),
        cmocka_unit_test(batch_norm_backward)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
