/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Equalities of the literature, reached by training through the public API:
 *
 *   a confidence penalty β ends where β p ln(p (K-1) / (1-p)) = 1 (Pereyra et al. 2017, minimized)
 *   label smoothing ε ends at p = 1 - ε (K-1) / K (Szegedy et al. 2016)
 *   inverted dropout of the inputs of a linear regression is in expectation ridge regression,
 *     ||y - X w||² + (1-keep)/keep ||Γ w||², Γ = diag(XᵀX)^(1/2) (Srivastava et al. 2014,
 * section 9.1) the best weight decay of a linear net is σ² N / P (Krogh and Hertz 1991)
 */
#include <math.h>

#include "support/nets.h"
#include "support/records.h"

/* A linear net without bias that starts at zero. */
static fanin_model *linear(fanin_ctx *ctx, int64_t in, int64_t out, double dropout,
                           const struct fanin_rule *loss) {
    const struct fanin_rule zeros = {.name = "zeros"};
    const struct fanin_attr rate = {.number = dropout};
    const struct fanin_attr attrs[] = {{.name = "units", .number = (double)out},
                                       {.name = "bias", .number = 0},
                                       {.name = "init", .rule = &zeros}};
    struct fanin_model_options options = {.size = sizeof options, .loss = *loss};
    fanin_net *net;
    fanin_model *model;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    if (dropout > 0) assert_ok(ctx, fanin_net_add(net, &node, "dropout", NULL, &node, 1, &rate, 1));
    assert_ok(ctx, fanin_net_add(net, &node, "dense", NULL, &node, 1, attrs, 3));
    assert_ok(ctx, fanin_model_create(&model, net, &options));
    return model;
}

static fanin_trainer *trainer_of(fanin_model *model, double lr, double momentum, int64_t batch,
                                 const struct fanin_rule *reg) {
    const struct fanin_attr sgd[] = {{.name = "lr", .number = lr},
                                     {.name = "momentum", .number = momentum}};
    const struct fanin_train_options options = {.size = sizeof options,
                                                .optim = {"sgd", sgd, 2, 0},
                                                .batch = batch,
                                                .seed = 5,
                                                .regularize = reg,
                                                .n_regularize = reg != NULL};
    fanin_trainer *t;
    assert_ok(model->ctx, fanin_trainer_create(&t, model, &options));
    return t;
}

/* The probability of the label of the only sample, when training has ended. */
static double final_confidence(double beta, double smoothing) {
    fanin_ctx *ctx = test_ctx();
    const struct fanin_attr strength = {.number = beta},
                            epsilon = {.name = "label_smoothing", .number = smoothing};
    const struct fanin_rule loss = {
        .name = "softmax_cross_entropy", .attrs = &epsilon, .n_attrs = 1};
    const struct fanin_rule reg = {.name = "confidence_penalty", .attrs = &strength, .n_attrs = 1};
    fanin_model *model = linear(ctx, 1, 10, 0, &loss);
    fanin_trainer *t = trainer_of(model, 0.5, 0, 1, beta > 0 ? &reg : NULL);
    const float x = 1;
    float p[10];
    for (int i = 0; i < 2000; i++)
        assert_ok(ctx, fanin_trainer_step(t, &x, 1, (const int32_t[]){3}, NULL, NULL));
    assert_ok(ctx, fanin_model_predict(model, &x, 1, p));
    for (int c = 0; c < 10; c++) assert_true(c == 3 || fabsf(p[c] - (1 - p[3]) / 9) < 1e-5F);
    fanin_trainer_free(t);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
    return (double)p[3];
}

static void separable_point(void **state) {
    (void)state;
    static const struct { double beta, published; } penalties[] = {{0.3, 0.849}, {1, 0.476}};
    for (int i = 0; i < FI_COUNT(penalties); i++) {
        const double beta = penalties[i].beta, p = final_confidence(beta, 0);
        assert_true(fabs(beta * p * log(9 * p / (1 - p)) - 1) < 1e-4);
        assert_true(fabs(p - penalties[i].published) < 6e-4);
    }
    assert_true(fabs(final_confidence(0, 0.1) - 0.91) < 1e-5);
}

/* Solves the n × n system a w = b by elimination with pivots; a and b are changed. */
enum { COLS = 5 };
static void solve(double a[COLS][COLS], double b[COLS], double w[COLS]) {
    for (int k = 0; k < COLS; k++)
        for (int r = k + 1; r < COLS; r++) { /* positive definite: no pivoting */
            const double f = a[r][k] / a[k][k];
            for (int c = k; c < COLS; c++) a[r][c] -= f * a[k][c];
            b[r] -= f * b[k];
        }
    for (int k = COLS - 1; k >= 0; k--) {
        double rest = b[k];
        for (int c = k + 1; c < COLS; c++) rest -= a[k][c] * w[c];
        w[k] = rest / a[k][k];
    }
}

static void dropout_is_ridge(void **state) {
    (void)state;
    enum { ROWS = 40, STEPS = 40000 };
    const double rate = 0.375, penalty = rate / (1 - rate); /* a multiple of 2^-16: exact */
    double a[COLS][COLS] = {{0}}, b[COLS] = {0}, want[COLS], mean[COLS] = {0}, shrunk = 0;
    float x[ROWS * COLS], y[ROWS], w[COLS];
    fanin_ctx *ctx = test_ctx();
    const struct fanin_rule loss = {.name = "mse"};
    fanin_model *model = linear(ctx, COLS, 1, rate, &loss);
    fanin_trainer *t = trainer_of(model, 0.02, 0, ROWS, NULL);
    for (int r = 0; r < ROWS; r++) {
        y[r] = (float)(0.3 * test_normal(2, r));
        for (int c = 0; c < COLS; c++) {
            x[r * COLS + c] = (float)(test_normal(1, r * COLS + c) * (1 + 0.3 * c) +
                                      (c > 0 ? 0.5 * (double)x[r * COLS + c - 1] : 0));
            y[r] += (float)(c - 2) * x[r * COLS + c];
        }
        for (int c = 0; c < COLS; c++) {
            b[c] += (double)x[r * COLS + c] * (double)y[r];
            for (int k = 0; k < COLS; k++)
                a[c][k] +=
                    (double)x[r * COLS + c] * (double)x[r * COLS + k] * (c == k ? 1 + penalty : 1);
        }
    }
    solve(a, b, want);
    for (int i = 0; i < STEPS; i++) {
        assert_ok(ctx, fanin_trainer_step(t, x, ROWS, NULL, y, NULL));
        if (i < STEPS / 8) continue;
        assert_ok(ctx, fanin_model_get(model, "dense1.weight", w, COLS));
        for (int c = 0; c < COLS; c++) mean[c] += (double)w[c] / (STEPS - STEPS / 8);
    }
    for (int c = 0; c < COLS; c++) {
        if (!(fabs(mean[c] - want[c]) < 0.01)) fail_msg("w%d: %g, not %g", c, mean[c], want[c]);
        shrunk += fabs(want[c] - (c - 2));
    }
    assert_true(shrunk > 1); /* far from the weights without dropout */
    fanin_trainer_free(t);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

/* ---- Krogh and Hertz ------------------------------------------------------------------------------- */

enum { N = 60, P = 60, DRAWS = 12 };

/* |w - w0|² after training on a fresh draw: the excess risk on fresh Gaussian inputs. */
static double excess_risk(fanin_ctx *ctx, int draw, double lambda) {
    static float x[P * N], y[P], w[N];
    double w0[N], length = 0, excess = 0;
    /* mse + l2 is twice the loss (1/2P) Σ (y - w x)² + (λ/2) |w|² */
    const struct fanin_attr strength = {.number = 2 * lambda};
    const struct fanin_rule loss = {.name = "mse"},
                            reg = {.name = "l2", .attrs = &strength, .n_attrs = 1};
    fanin_model *model = linear(ctx, N, 1, 0, &loss);
    fanin_trainer *t = trainer_of(model, 0.05, 0.9, P, &reg);
    for (int i = 0; i < N; i++) {
        w0[i] = test_normal(100, draw * N + i);
        length += w0[i] * w0[i];
    }
    for (int i = 0; i < N; i++) w0[i] /= sqrt(length);
    for (int r = 0; r < P; r++) {
        double sum = 0.5 * test_normal(101, draw * P + r); /* σ² = 1/4 */
        for (int i = 0; i < N; i++) {
            x[r * N + i] = (float)test_normal(102, (draw * P + r) * N + i);
            sum += w0[i] * (double)x[r * N + i];
        }
        y[r] = (float)sum;
    }
    for (int i = 0; i < 400; i++) assert_ok(ctx, fanin_trainer_step(t, x, P, NULL, y, NULL));
    assert_ok(ctx, fanin_model_get(model, "dense1.weight", w, N));
    for (int i = 0; i < N; i++) excess += ((double)w[i] - w0[i]) * ((double)w[i] - w0[i]);
    fanin_trainer_free(t);
    fanin_model_free(model);
    return excess;
}

/* σ² = 1/4, N/P = 1: the theory's risks at λ = 0.05, σ² N / P and 1; errors of the means of 12
 * draws are about 0.04, 0.025 and 0.02. */
static void best_decay(void **state) {
    (void)state;
    static const double lambda[] = {0.05, 0.25, 1}, theory[] = {0.5556, 0.3904, 0.4899},
                        allowed[] = {0.1, 0.06, 0.05};
    double risk[3] = {0};
    fanin_ctx *ctx = test_ctx();
    for (int k = 0; k < 3; k++) {
        for (int draw = 0; draw < DRAWS; draw++)
            risk[k] += excess_risk(ctx, draw, lambda[k]) / DRAWS;
        print_message("lambda %g: excess risk %.4f, theory %.4f\n", lambda[k], risk[k], theory[k]);
        assert_true(fabs(risk[k] - theory[k]) < allowed[k]);
    }
    assert_true(risk[1] < risk[0] && risk[1] < risk[2]);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(separable_point),
                                    cmocka_unit_test(dropout_is_ridge),
                                    cmocka_unit_test(best_decay)};

int main(void) {
    return test_main(tests);
}
