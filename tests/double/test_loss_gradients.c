/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In double: every loss, every entropy and every penalty on weights against central differences, on
 * the cases of the records.
 */
#include "support/records.h"

static int32_t labels[64];
static double h[64], coefficient[64], weights[64];

/* A function of z to differentiate. */
struct subject {
    const struct fi_loss *loss;
    const void *attrs;
    struct fi_truth truth;
    bool entropy;
};

static double value_of(const struct subject *s, const struct fanin_tensor *z) {
    if (!s->entropy) return s->loss->run(s->attrs, z, &s->truth, NULL, 1);
    double sum = 0;
    s->loss->entropy(s->attrs, z, h, NULL, NULL, 1);
    for (int64_t r = 0; r < z->rows; r++) sum += coefficient[r] * h[r];
    return sum;
}

static void check(const struct subject *s, const struct fanin_tensor *z,
                  const struct fanin_tensor *dz, double scale, double start) {
    double largest = 0, worst = 0;
    for (int64_t r = 0; r < z->rows; r++)
        for (int64_t c = 0; c < z->cols; c++) {
            fi_real *at = test_at(z, r, c);
            const double x = *at, step = 1e-4;
            double f[4]; /* the four-point formula: its error is of the order of step^4 */
            for (int k = 0; k < 4; k++) {
                *at = x + step * (k < 2 ? k - 2 : k - 1);
                f[k] = value_of(s, z);
            }
            *at = x;
            const double slope = scale * ((f[0] - f[3]) + 8 * (f[2] - f[1])) / (12 * step);
            largest = fmax(largest, fabs(slope));
            worst = fmax(worst, fabs(*test_at(dz, r, c) - start - slope));
        }
    if (!(worst <= 1e-8 * (1e-3 + largest)))
        fail_msg("%s: off by %g of %g", s->loss->head.name, worst, largest);
}

/* Targets as the loss's task asks for: any numbers, numbers in [0, 1], distributions with zeros. */
static void make_targets(enum fanin_task task, const struct fanin_tensor *t) {
    for (int64_t r = 0; r < t->rows; r++) {
        double sum = 0;
        for (int64_t c = 0; c < t->cols; c++) {
            const int64_t i = r * t->cols + c;
            const double u = test_uniform(6, i);
            *test_at(t, r, c) = task == FANIN_REGRESSION ? test_normal(6, i) : i % 5 ? u : 0;
            sum += *test_at(t, r, c);
        }
        if (sum == 0) *test_at(t, r, 0) = sum = 1;
        for (int64_t c = 0; c < t->cols && task == FANIN_CLASSIFICATION; c++)
            *test_at(t, r, c) /= sum;
    }
}

/* Every way in which the loss can be told: labels, targets, with and without weights. */
static void check_case(fanin_ctx *ctx, const struct fi_loss *loss, const struct fanin_case *c) {
    const struct fanin_shape shape = test_shape(c->dims[0]);
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_tensor z = test_tensor(&arena, c->rows, shape.cols);
    const struct fanin_tensor dz = test_tensor(&arena, c->rows, shape.cols);
    const struct fanin_tensor t = test_tensor(&arena, c->rows, shape.cols);
    struct subject s = {.loss = loss};
    s.attrs = test_rule(&arena, "loss", loss->head.name, c->attrs, c->n_attrs).attrs;
    test_fill_normal(&z, 5, 0.5, 2);
    make_targets(loss->task, &t);
    for (int64_t r = 0; r < c->rows; r++) {
        labels[r] = (int32_t)((5 * r + 1) % shape.cols);
        coefficient[r] = 0.5 + test_uniform(7, r);
        weights[r] = r % 3 ? 2 * test_uniform(8, r) : 0;
    }
    for (int way = 0; way < 4; way++) {
        const unsigned takes = way & 1 ? FI_TAKES_LABELS : FI_TAKES_TARGETS;
        if (!(loss->takes & takes)) continue;
        s.truth = (struct fi_truth){
            .labels = way & 1 ? labels : NULL, .target = &t, .weights = way & 2 ? weights : NULL};
        const double with = loss->run(s.attrs, &z, &s.truth, &dz, 0.75);
        assert_true(with == value_of(&s, &z)); /* evaluation does without dz */
        check(&s, &z, &dz, 0.75, 0);
    }
    if (loss->entropy) {
        s.entropy = true;
        test_fill(&dz, 3);
        loss->entropy(s.attrs, &z, h, coefficient, &dz, 0.75);
        check(&s, &z, &dz, 0.75, 3);
    }
    fi_arena_free(&arena);
}

static void losses(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx_on(1, "portable");
    for (int i = 0;; i++) {
        const struct fi_loss *loss =
            (const struct fi_loss *)(const void *)fanin_record_at(ctx, "loss", i);
        if (!loss) break;
        assert_true(loss->n_cases >= 3 && loss->takes);
        for (int k = 0; k < loss->n_cases; k++) check_case(ctx, loss, &loss->cases[k]);
    }
    fanin_ctx_free(ctx);
}

static void penalties(void **state) {
    (void)state;
    const struct fanin_attr strength = {.number = 0.3};
    fanin_ctx *ctx = test_ctx_on(1, "portable");
    int of_weights = 0, predictions = 0;
    for (int i = 0;; i++) {
        const struct fanin_record *record = fanin_record_at(ctx, "reg", i);
        if (!record) break;
        struct fi_arena arena;
        fi_arena_init(&arena, ctx);
        const struct fi_reg *reg = (const struct fi_reg *)(const void *)record;
        const void *attrs = test_rule(&arena, "reg", record->name, &strength, 1).attrs;
        assert_true(reg->strength(attrs) == 0.3);
        assert_int_equal(!!reg->gradient + !!reg->whole + !!reg->decay + !!reg->of_entropy, 1);
        assert_int_equal(!!reg->gradient, !!reg->value);
        if (reg->gradient) {
            fi_real w[37], g[37];
            for (int j = 0; j < 37; j++) w[j] = test_normal(3, j), g[j] = 2;
            reg->gradient(attrs, 1, w, g, 37);
            for (int j = 0; j < 37; j++) {
                const double x = w[j], step = 1e-5;
                w[j] = x + step;
                const double up = reg->value(attrs, w, 37);
                w[j] = x - step;
                const double down = reg->value(attrs, w, 37);
                w[j] = x;
                assert_true(fabs(g[j] - 2 - (up - down) / (2 * step)) < 1e-9);
            }
            of_weights++;
        }
        if (reg->of_entropy) {
            double slope, unused;
            const double up = reg->of_entropy(attrs, 1.25, &slope);
            const double down = reg->of_entropy(attrs, 0.75, &unused);
            assert_true(fabs((up - down) / 0.5 - slope) < 1e-12);
            predictions++;
        }
        fi_arena_free(&arena);
    }
    assert_true(of_weights >= 1 && predictions >= 2);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(losses), cmocka_unit_test(penalties)};

int main(void) {
    return test_main(tests);
}
