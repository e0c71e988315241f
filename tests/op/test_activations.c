/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What activations and the other small ops promise beyond their gradients: special values,
 * stability, work in place, shapes that are refused, the curves that the initializers integrate.
 * What holds for every activation is tested of every record that has a curve.
 */
#include "support/records.h"

/* check() of every op with a curve: with its defaults, and with each case's attributes. */
static void each_activation(fanin_ctx *ctx, void (*check)(fanin_ctx *ctx, const struct fanin_op *op,
                                                          const struct fanin_case *c)) {
    const struct fanin_record *record;
    int n = 0;
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        if (!op->curve) continue;
        check(ctx, op, &(struct fanin_case){0});
        for (int k = 0; k < op->n_cases; k++)
            if (op->cases[k].n_attrs) check(ctx, op, &op->cases[k]);
        n++;
    }
    assert_true(n >= 3);
}

/* The op of a record with the attributes of c, on rows × cols. */
static void create_like(struct op_run *run, fanin_ctx *ctx, const struct fanin_op *op,
                        const struct fanin_case *c, int64_t rows, int64_t cols) {
    op_run_create(
        run, ctx, op->head.name,
        &(struct fanin_case){
            .rows = rows, .n_in = 1, .dims = {{cols}}, .attrs = c->attrs, .n_attrs = c->n_attrs});
}

static void create(struct op_run *run, fanin_ctx *ctx, const char *name, int64_t rows,
                   int64_t cols) {
    op_run_create(run, ctx, name, &(struct fanin_case){.rows = rows, .n_in = 1, .dims = {{cols}}});
}

static const char *const activations[] = {"relu", "tanh", "sigmoid"};

static void special_values(void **state) {
    (void)state;
    static const double x[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 1e-38, -1e-38, 80, -80, 1, -2};
    static const double want[3][11] = {
        {NAN, INFINITY, 0, 0, 0, 1e-38, 0, 80, 0, 1, 0},
        {NAN, 1, -1, 0, 0, 1e-38, -1e-38, 1, -1, 0.76159415595576, -0.96402758007582},
        {NAN, 1, 0, 0.5, 0.5, 0.5, 0.5, 1, 1.8048513878454e-35, 0.73105857863, 0.11920292202212}};
    FOR_EACH_TIER(ctx, 1) {
        for (int k = 0; k < 3; k++) {
            struct op_run run;
            create(&run, ctx, activations[k], 2, 11);
            for (int64_t i = 0; i < 11; i++)
                *test_at(&run.x[0], 0, i) = *test_at(&run.x[0], 1, i) = (fi_real)x[i];
            test_fill(&run.dy, 1);
            op_forward(&run);
            op_backward(&run);
            for (int64_t i = 0; i < 11; i++) {
                const double y = (double)*test_at(&run.y, 1, i), w = (double)(fi_real)want[k][i];
                if (isnan(w))
                    assert_true(isnan(y));
                else
                    assert_true(y == w || fabs(y - w) <= 1e-6 * fabs(w));
            }
            if (k == 0) { /* the gradient at 0 is 0 */
                assert_true(*test_at(&run.dx[0], 0, 3) == 0 && *test_at(&run.dx[0], 0, 5) == 1);
                assert_true(*test_at(&run.dx[0], 0, 4) == 0 && *test_at(&run.dx[0], 0, 6) == 0);
            }
            op_run_free(&run);
        }
    }
}

/* Forward and backward at x[0..n) as the curve says, to float accuracy. */
static void check_curve_at(struct op_run *run, const double *x, int64_t n) {
    const struct fanin_curve *curve = run->op->curve;
    for (int64_t i = 0; i < n; i++) *test_at(&run->x[0], 0, i) = (fi_real)x[i];
    test_fill(&run->dy, 1);
    op_forward(run);
    op_backward(run);
    for (int64_t i = 0; i < n; i++) {
        const double at = (double)(fi_real)x[i];
        const double f = curve->f(run->io.attrs, at), df = curve->df(run->io.attrs, at);
        const double y = (double)*test_at(&run->y, 0, i), dx = (double)*test_at(&run->dx[0], 0, i);
        if (isnan(at) ? !isnan(y) || !isnan(f) : y != f && !(fabs(y - f) <= 5e-7 * (1 + fabs(f))))
            fail_msg("%s(%g) is %.9g, the curve says %.9g", run->op->head.name, at, y, f);
        if (!isnan(at) && !(fabs(dx - df) <= 5e-7 * (1 + fabs(df))))
            fail_msg("the slope of %s at %g is %.9g, the curve says %.9g", run->op->head.name, at,
                     dx, df);
    }
}

static double kink(const struct fanin_curve *curve, const void *attrs, int i) {
    return curve->kink ? curve->kink(attrs, i) : curve->kinks[i];
}

/* Special values and kinks. */
static void check_limits(fanin_ctx *ctx, const struct fanin_op *op, const struct fanin_case *c) {
    double x[40] = {NAN,    INFINITY, -INFINITY, 0,    -0.0,  1e-30, -1e-30, 1e-42,
                    -1e-42, 15,       -15,       40,   -40,   88,    -88,    104,
                    -104,   1e3,      -1e3,      1e10, -1e10, 3e38,  -3e38,  -1.5};
    struct op_run run;
    create_like(&run, ctx, op, c, 1, 40);
    assert_true(op->curve->n_kinks <= 16);
    for (int i = 0; i < op->curve->n_kinks; i++) x[24 + i] = kink(op->curve, run.io.attrs, i);
    check_curve_at(&run, x, 40);
    op_run_free(&run);
}

static void limits(void **state) {
    (void)state;
    FOR_EACH_TIER(ctx, 1) each_activation(ctx, check_limits);
}

/* Block by block, y over x and dx over dy as far as the flags allow. */
static void run_in_blocks(struct op_run *run) {
    const bool place = (run->op->flags & FANIN_OP_NO_X) != 0;
    for (int64_t r = 0; r < run->s.rows; r += 3)
        for (int64_t c = 0; c < run->y.cols; c += 45) {
            const struct fanin_block b = {r, FI_MIN(3, run->s.rows - r), c,
                                          FI_MIN(45, run->y.cols - c)};
            const struct fanin_tensor *out = place ? &run->x[0] : &run->y;
            fi_real *x = test_at(&run->x[0], r, c), *y = test_at(out, r, c);
            fi_real *dy = test_at(&run->dy, r, c);
            const int64_t ld = out->ld;
            run->op->forward_block(&run->s, &b, x, ld, y, ld);
            run->op->backward_block(&run->s, &b, x, ld, y, ld, dy, ld, dy, ld);
        }
}

/* In place and in blocks: the same bits as apart, and as on the portable tier. */
static void check_blocks(fanin_ctx *ctx, const struct fanin_op *op, const struct fanin_case *c) {
    fanin_ctx *portable = test_ctx_on(1, "portable");
    struct op_run run[3];
    for (int k = 0; k < 3; k++) {
        create_like(&run[k], k ? ctx : portable, op, c, 7, 333);
        test_fill_normal(&run[k].x[0], 1, 0, 3);
        test_fill_normal(&run[k].dy, 2, 0, 1);
        if (k < 2) {
            op_forward(&run[k]);
            op_backward(&run[k]);
        } else if (op->forward_block) {
            run_in_blocks(&run[k]);
        }
    }
    const struct fanin_tensor *y = op->flags & FANIN_OP_NO_X ? &run[2].x[0] : &run[2].y;
    const uint64_t value = test_hash(0, &run[1].y), slope = test_hash(0, &run[1].dx[0]);
    /* one with a parameter knows no blocks */
    if (op->forward_block && (value != test_hash(0, y) || slope != test_hash(0, &run[2].dy)))
        fail_msg("%s: blocks give other bits", op->head.name);
    if (value != test_hash(0, &run[0].y) || slope != test_hash(0, &run[0].dx[0]))
        fail_msg("%s: %s gives other bits than portable", op->head.name, fanin_isa(ctx));
    for (int k = 0; k < 3; k++) op_run_free(&run[k]);
    fanin_ctx_free(portable);
}

static void in_place_in_blocks(void **state) {
    (void)state;
    FOR_EACH_TIER(ctx, 1) each_activation(ctx, check_blocks);
}

static bool kink_between(const struct fanin_curve *curve, const void *attrs, double a, double b) {
    for (int i = 0; i < curve->n_kinks; i++)
        if (kink(curve, attrs, i) >= a && kink(curve, attrs, i) <= b) return true;
    return false;
}

/* Where a kink is listed, f' or f'' jumps. */
static void check_kinks(const struct op_run *run) {
    const struct fanin_curve *curve = run->op->curve;
    const void *attrs = run->io.attrs;
    const double h = 1e-4;
    for (int i = 0; i < curve->n_kinks; i++) {
        const double at = kink(curve, attrs, i), up = curve->df(attrs, at + h),
                     down = curve->df(attrs, at - h);
        const double up2 = (curve->df(attrs, at + 2 * h) - up) / h;
        const double down2 = (down - curve->df(attrs, at - 2 * h)) / h;
        if (!(fabs(up - down) > 0.01) && !(fabs(up2 - down2) > 0.1))
            fail_msg("%s: no kink at %g", run->op->head.name, at);
    }
}

/* The curve agrees with the op, df with differences of f, and the kinks are all there are. */
static void check_curve(fanin_ctx *ctx, const struct fanin_op *op, const struct fanin_case *c) {
    const struct fanin_curve *curve = op->curve;
    const double h = 1e-5;
    double x[1000];
    struct op_run run;
    create_like(&run, ctx, op, c, 1, 1000);
    const void *attrs = run.io.attrs;
    assert_true(curve->family && *curve->family);
    for (int i = 0; i < 1000; i++) x[i] = 0.0203 * (i - 500) + 0.001;
    check_curve_at(&run, x, 1000);
    for (int i = 0; i < 1000; i++) {
        const double df = curve->df(attrs, x[i]);
        const double slope = (curve->f(attrs, x[i] + h) - curve->f(attrs, x[i] - h)) / (2 * h);
        if (!kink_between(curve, attrs, x[i] - h, x[i] + h) && !(fabs(slope - df) < 1e-8))
            fail_msg("%s: df(%g) is %.12g, differences say %.12g", op->head.name, x[i], df, slope);
        if (i && !kink_between(curve, attrs, x[i - 1], x[i]) &&
            !(fabs(df - curve->df(attrs, x[i - 1])) < 0.06))
            fail_msg("%s: a kink near %g that is not listed", op->head.name, x[i]);
    }
    check_kinks(&run);
    op_run_free(&run);
}

static void curves(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    each_activation(ctx, check_curve);
    fanin_ctx_free(ctx);
}

static void softmax(void **state) {
    (void)state;
    uint64_t first = 0;
    FOR_EACH_TIER(ctx, 2) {
        struct op_run run;
        create(&run, ctx, "softmax", 35, 1030);
        test_fill_normal(&run.x[0], 1, 0, 5);
        test_fill_normal(&run.dy, 2, 0, 1);
        *test_at(&run.x[0], 1, 7) = 1e30f; /* far above the others: certain */
        *test_at(&run.x[0], 2, 7) = -INFINITY;
        *test_at(&run.x[0], 3, 7) = NAN;
        op_forward(&run);
        op_backward(&run);
        for (int64_t r = 0; r < 35; r++) {
            long double total = 0, sum = 0, slope = 0;
            for (int64_t c = 0; c < 1030; c++) {
                total += *test_at(&run.y, r, c);
                slope += *test_at(&run.dx[0], r, c);
                if (r > 3) sum += expl(*test_at(&run.x[0], r, c));
            }
            if (r == 3)
                assert_true(isnan((double)total) && isnan((double)slope));
            else
                assert_true(fabsl(total - 1) < 1e-5L && fabsl(slope) < 1e-6L);
            for (int64_t c = 0; r > 3 && c < 1030; c++) {
                const long double want = expl(*test_at(&run.x[0], r, c)) / sum;
                /* x - max, up to 40 in size, was rounded */
                assert_true(fabsl(*test_at(&run.y, r, c) - want) <= 3e-6L * want);
            }
        }
        assert_true(*test_at(&run.y, 1, 7) == 1 && *test_at(&run.y, 1, 8) == 0);
        assert_true(*test_at(&run.y, 2, 7) == 0);
        const struct fanin_tensor finite = {run.y.data + 4 * run.y.ld, 31, 1030, run.y.ld};
        const uint64_t hash = test_hash(0, &finite);
        if (!first) first = hash;
        assert_true(hash == first);
        op_run_free(&run);
    }
}

static void log_softmax(void **state) {
    (void)state;
    uint64_t first = 0;
    FOR_EACH_TIER(ctx, 2) {
        struct op_run run;
        create(&run, ctx, "log_softmax", 35, 1030);
        test_fill_normal(&run.x[0], 1, 0, 5);
        test_fill_normal(&run.dy, 2, 0, 1);
        for (int64_t c = 0; c < 1030; c++) *test_at(&run.x[0], 1, c) = c == 7 ? 30.0f : 0.0f;
        *test_at(&run.x[0], 2, 7) = -INFINITY;
        *test_at(&run.x[0], 3, 7) = NAN;
        op_forward(&run);
        op_backward(&run);
        for (int64_t r = 4; r < 35; r++) {
            long double sum = 0, slope = 0;
            for (int64_t c = 0; c < 1030; c++) sum += expl(*test_at(&run.x[0], r, c));
            for (int64_t c = 0; c < 1030; c++) {
                const long double want = *test_at(&run.x[0], r, c) - logl(sum);
                assert_true(fabsl(*test_at(&run.y, r, c) - want) <= 3e-7L * (1 + fabsl(want)));
                slope += *test_at(&run.dx[0], r, c);
            }
            assert_true(fabsl(slope) < 1e-4L);
        }
        /* where softmax rounds to 1 its logarithm is still right to the last bits */
        const double tiny = -log1p(1029 * exp(-30));
        assert_true(fabs((double)*test_at(&run.y, 1, 7) - tiny) < -3e-7 * tiny);
        assert_true(*test_at(&run.y, 2, 7) == -INFINITY && isfinite(*test_at(&run.dx[0], 2, 7)));
        assert_true(isnan(*test_at(&run.y, 3, 0)) && isnan(*test_at(&run.dx[0], 3, 0)));
        const struct fanin_tensor finite = {run.dx[0].data + 4 * run.dx[0].ld, 31, 1030,
                                            run.dx[0].ld};
        const uint64_t hash = test_hash(0, &finite);
        if (!first) first = hash;
        assert_true(hash == first);
        op_run_free(&run);
    }
}

static void flatten_and_add(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct op_run run;
    op_run_create(&run, ctx, "flatten",
                  &(struct fanin_case){.rows = 3, .n_in = 1, .dims = {{2, 3, 5}}});
    assert_int_equal(run.io.out.rank, 1);
    assert_int_equal(run.io.out.dims[0], 30);
    test_fill_normal(&run.x[0], 1, 0, 1);
    op_forward(&run);
    assert_true(test_hash(0, &run.x[0]) == test_hash(0, &run.y));
    op_run_free(&run);

    op_run_create(&run, ctx, "add",
                  &(struct fanin_case){.rows = 40, .n_in = 3, .dims = {{1030}, {1030}, {1030}}});
    for (int k = 0; k < 3; k++) test_fill_normal(&run.x[k], 1 + (uint64_t)k, 0, 1);
    test_fill_normal(&run.dy, 9, 0, 1);
    run.s.dx[1] = NULL;
    op_forward(&run);
    op_backward(&run);
    for (int64_t c = 0; c < 1030; c++) {
        const fi_real want =
            (*test_at(&run.x[0], 39, c) + *test_at(&run.x[1], 39, c)) + *test_at(&run.x[2], 39, c);
        assert_true(*test_at(&run.y, 39, c) == want);
    }
    assert_true(test_hash(0, &run.dx[0]) == test_hash(0, &run.dy));
    assert_true(test_hash(0, &run.dx[2]) == test_hash(0, &run.dy));
    op_run_free(&run);
    fanin_ctx_free(ctx);
}

static void refuses_two(fanin_ctx *ctx, const struct fanin_op *op, const struct fanin_case *c) {
    struct op_run run;
    assert_refused(
        ctx, FANIN_ERR_SHAPE, "reads one node",
        op_run_infer(&run, ctx, op->head.name,
                     &(struct fanin_case){
                         .n_in = 2, .dims = {{3}, {3}}, .attrs = c->attrs, .n_attrs = c->n_attrs}));
    op_run_free(&run);
}

static void refused_shapes(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct op_run run;
    assert_refused(ctx, FANIN_ERR_SHAPE, "input 1 is (3, 4) and input 3 is (12)",
                   op_run_infer(&run, ctx, "add",
                                &(struct fanin_case){.n_in = 3, .dims = {{3, 4}, {3, 4}, {12}}}));
    op_run_free(&run);
    assert_refused(ctx, FANIN_ERR_SHAPE, "add reads 2 to 8 nodes",
                   op_run_infer(&run, ctx, "add", &(struct fanin_case){.n_in = 1, .dims = {{3}}}));
    op_run_free(&run);
    static const char *const single[] = {"softmax", "log_softmax", "dropout", "batch_norm",
                                         "flatten"};
    each_activation(ctx, refuses_two);
    const struct fanin_attr ends[] = {{.name = "min", .number = 2}};
    assert_refused(
        ctx, FANIN_ERR_SHAPE, "min (2) must be less than max (1)",
        op_run_infer(&run, ctx, "hard_tanh",
                     &(struct fanin_case){.n_in = 1, .dims = {{3}}, .attrs = ends, .n_attrs = 1}));
    op_run_free(&run);
    for (int i = 0; i < FI_COUNT(single); i++) {
        assert_refused(ctx, FANIN_ERR_SHAPE, "reads one node",
                       op_run_infer(&run, ctx, single[i],
                                    &(struct fanin_case){.n_in = 2, .dims = {{3}, {3}}}));
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(special_values),
                                    cmocka_unit_test(limits),
                                    cmocka_unit_test(in_place_in_blocks),
                                    cmocka_unit_test(curves),
                                    cmocka_unit_test(softmax),
                                    cmocka_unit_test(log_softmax),
                                    cmocka_unit_test(flatten_and_add),
                                    cmocka_unit_test(refused_shapes)};

int main(void) {
    return test_main(tests);
}
