/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initializers. Every rule of the table: its numbers follow the law it promises (Kolmogorov and
 * Smirnov, variance on 10^6 draws), each tensor has its own stream, any range equals the slice of
 * the whole, the bits are the same on every tier, wrong attributes are refused. Then the standard
 * deviation of each rule, by hand, for one layer. What only one rule has: test_matrices.c; gains:
 * tests/graph/test_gain.c.
 */
#include "support/records.h"

#define DRAWS 1000000
#define FAN_IN 300
#define FAN_OUT 100
#define SIDE 1000 /* of the matrix that is drawn: DRAWS numbers */

static const struct fanin_attr no_attrs[1];

/* Rules with what must be given, and variants beyond the defaults. */
struct variant {
    const char *rule;
    struct fanin_attr attrs[3];
    int n_attrs;
    double mean, std; /* by hand, for FAN_IN and FAN_OUT */
};
static const struct variant variants[] = {
    {"zeros", {{0}}, 0, 0, 0},
    {"constant", {{.number = 0.01}}, 1, 0.01, 0},
    {"constant", {{.name = "value", .number = -3}}, 1, -3, 0},
    {"normal", {{0}}, 0, 0, 0.05},
    {"normal", {{.number = 0.01}}, 1, 0, 0.01},
    {"normal", {{.name = "mean", .number = 2}, {.name = "std", .number = 3}}, 2, 2, 3},
    {"normal", {{.name = "mean", .number = 2}, {.name = "std", .number = 0}}, 2, 2, 0},
    {"uniform", {{0}}, 0, 0, 0.0288675134594812882},            /* 0.05 / sqrt 3 */
    {"uniform", {{.number = 0.3}}, 1, 0, 0.173205080756887729}, /* 0.3 / sqrt 3 */
    {"uniform", {{.name = "min", .is_null = 1}}, 1, 0, 0.0288675134594812882},
    {"uniform",
     {{.name = "min", .number = 1}, {.name = "max", .number = 3}},
     2,
     2,
     0.577350269189625765}, /* 1 / sqrt 3 */
    {"uniform",
     {{.name = "min", .number = 3}, {.name = "max", .number = 1}},
     2,
     2,
     0.577350269189625765},
    {"lecun_normal", {{0}}, 0, 0, 0.0577350269189625765}, /* 1 / sqrt 300 */
    {"lecun_uniform", {{0}}, 0, 0, 0.0577350269189625765},
    {"lecun_normal", {{.text = "fan_out"}}, 1, 0, 0.1}, /* 1 / sqrt 100 */
    {"lecun_uniform", {{.name = "mode", .text = "fan_out"}}, 1, 0, 0.1},
    {"lecun_uniform",
     {{.text = "fan_avg"}, {.name = "gain", .number = 2}},
     2,
     0,
     0.141421356237309505},                                /* 2 / sqrt 200 */
    {"xavier_heuristic", {{0}}, 0, 0, 1.0 / 30},           /* 1 / sqrt 900 */
    {"xavier_normal", {{0}}, 0, 0, 0.0707106781186547524}, /* sqrt(2 / 400) */
    {"xavier_uniform", {{0}}, 0, 0, 0.0707106781186547524},
    {"glorot_normal", {{0}}, 0, 0, 0.0707106781186547524},
    {"glorot_uniform", {{.number = 3}}, 1, 0, 0.212132034355964257},
    {"kaiming_normal", {{0}}, 0, 0, 0.0816496580927726033}, /* sqrt(2 / 300) */
    {"kaiming_uniform", {{0}}, 0, 0, 0.0816496580927726033},
    {"he_normal", {{.text = "fan_out"}}, 1, 0, 0.141421356237309505}, /* sqrt(2 / 100) */
    {"he_uniform", {{.name = "slope", .number = 0.5}}, 1, 0, 0.0730296743340221484},
    /* sqrt(2 / 1.25 / 300) */
    {"he_normal", {{.name = "gain", .number = 1}}, 1, 0, 0.0577350269189625765},
    {"he_normal", {{.name = "dropout_aware", .number = 1}}, 1, 0, 0.0816496580927726033},
    {"ones", {{0}}, 0, 1, 0},
    {"truncated_normal", {{0}}, 0, 0, 0.05},
    {"truncated_normal",
     {{.number = 2}, {.name = "mean", .number = -1}, {.name = "cut", .number = 0.5}},
     3,
     -1,
     2},
    {"variance_scaling", {{0}}, 0, 0, 0.0577350269189625765},
    {"variance_scaling",
     {{.number = 2}, {.name = "distribution", .text = "normal"}},
     2,
     0,
     0.0816496580927726033},
    {"variance_scaling",
     {{.name = "mode", .text = "fan_avg"}, {.name = "distribution", .text = "uniform"}},
     2,
     0,
     0.0707106781186547524},
    {"variance_scaling", {{.name = "mode", .text = "fan_out"}}, 1, 0, 0.1},
    {"variance_scaling",
     {{.name = "mode", .text = "fan_geo"}},
     1,
     0,
     0.0759835685651592547},                              /* 30000^(-1/4) */
    {"identity", {{0}}, 0, 0.001, 0.0316069612585582166}, /* sqrt(0.001 0.999) */
    {"identity", {{.number = 2}}, 1, 0.002, 0.0632139225171164332},
    {"sparse", {{.number = 0.36}}, 1, 0, 0.008}, /* 0.01 sqrt(0.64) */
    {"sparse", {{.number = 0}, {.name = "std", .number = 1}}, 2, 0, 1},
    {"orthogonal", {{0}}, 0, 0, 0.0316227766016837933}, /* 1 / sqrt 1000 */
    {"orthogonal", {{.number = 3}}, 1, 0, 0.0948683298050513799},
};

struct bench {
    fanin_ctx *ctx;
    struct fi_arena arena;
};

static void open_bench(struct bench *b, fanin_ctx *ctx) {
    b->ctx = ctx;
    fi_arena_init(&b->arena, ctx);
}

static const struct fi_init *find(struct bench *b, const struct variant *v,
                                  struct fi_init_request *request) {
    static const int64_t dims[2] = {SIDE, SIDE};
    const struct fanin_rule_ref ref = test_rule(&b->arena, "init", v->rule, v->attrs, v->n_attrs);
    *request = (struct fi_init_request){.attrs = ref.attrs,
                                        .ctx = b->ctx,
                                        .fan_in = FAN_IN,
                                        .fan_out = FAN_OUT,
                                        .rank = 2,
                                        .dims = dims,
                                        .keep = 1,
                                        .key = fi_key(1, "init", "dense1.weight")};
    return (const struct fi_init *)(const void *)ref.record;
}

static void draw(const struct fi_init *init, const struct fi_init_request *r, int64_t n,
                 fi_real *w) {
    for (int64_t i = 0; i < n; i++) w[i] = (fi_real)NAN;
    if (init->whole) {
        assert_true(n >= r->dims[0] * r->dims[1]);
        assert_ok(r->ctx, init->whole(r, w));
    } else {
        init->fill(r, 0, n, w);
    }
}

static fi_real *numbers(void) {
    fi_real *w = malloc(DRAWS * sizeof *w);
    assert_non_null(w);
    return w;
}

/* ---- laws ---------------------------------------------------------------- */

static int ascending(const void *a, const void *b) {
    const fi_real x = *(const fi_real *)a, y = *(const fi_real *)b;
    return (x > y) - (x < y);
}

/* The p value of the largest distance between the empirical and the stated distribution. Sorts w.
 */
static double kolmogorov_smirnov(fi_real *w, double mean, double std, bool normal) {
    qsort(w, DRAWS, sizeof *w, ascending);
    double distance = 0;
    for (int i = 0; i < DRAWS; i++) {
        const double z = ((double)w[i] - mean) / std;
        const double p = normal ? 0.5 * erfc(-z / sqrt(2.0)) : 0.5 + z / sqrt(12.0);
        distance = fmax(distance, fmax(p - (double)i / DRAWS, (double)(i + 1) / DRAWS - p));
    }
    const double lambda = distance * sqrt((double)DRAWS);
    double sum = 0;
    for (int k = 1; k <= 100; k++) sum += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * lambda * lambda);
    return lambda < 0.2 ? 1 : fmin(sum, 1); /* the series does not converge near 0 */
}

/* Mean and variance, and with `whole` the distribution. */
static void check_law(const struct fi_init *init, const struct fi_init_request *r, bool whole,
                      fi_real *w) {
    double mean, std, kurtosis;
    init->moments(r, &mean, &std, &kurtosis);
    draw(init, r, DRAWS, w);
    if (std == 0) {
        assert_true(isnan(kurtosis));
        for (int i = 0; i < DRAWS; i++) assert_true(w[i] == (fi_real)mean);
        return;
    }
    double sum = 0, squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        const double z = ((double)w[i] - mean) / std;
        sum += z;
        squares += z * z;
    }
    const double n = DRAWS, variance = squares / n - sum / n * (sum / n);
    const bool normal = kurtosis == 3, uniform = kurtosis == 1.8;
    const double p = whole && (normal || uniform) ? kolmogorov_smirnov(w, mean, std, normal) : 1;
    print_message("%-16s std %.5f  mean %+.1e  variance - 1 %+.1e  p %.3f\n", init->head.name, std,
                  sum / n, variance - 1, p);
    assert_true(kurtosis >= 1);
    assert_true(fabs(sum / n) < 5 / sqrt(n));
    assert_true(fabs(variance - 1) < 4 * sqrt((kurtosis - 1) / n));
    assert_true(p > 1e-4);
}

static void laws(void **state) {
    (void)state;
    static const int64_t fans[][2] = {{FAN_IN, FAN_OUT}, {784, 1024}, {1, 7}, {4608, 64}};
    fi_real *w = numbers();
    fanin_ctx *ctx = test_ctx();
    struct bench b;
    open_bench(&b, ctx);
    for (int v = 0; v < FI_COUNT(variants); v++) {
        struct fi_init_request r;
        const struct fi_init *init = find(&b, &variants[v], &r);
        r.key = fi_key((uint64_t)v, "init", variants[v].rule);
        check_law(init, &r, true, w);
        for (int f = 1;
             f < FI_COUNT(fans) && init->gain && variants[v].n_attrs == 0 && !init->whole; f++) {
            r.fan_in = fans[f][0], r.fan_out = fans[f][1];
            r.key = fi_hash_mix(r.key, (uint64_t)f);
            check_law(init, &r, false, w);
        }
    }
    fi_arena_free(&b.arena);
    fanin_ctx_free(ctx);
    free(w);
}

static void deviations_by_hand(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct bench b;
    open_bench(&b, ctx);
    for (int v = 0; v < FI_COUNT(variants); v++) {
        struct fi_init_request r;
        const struct fi_init *init = find(&b, &variants[v], &r);
        double mean, std, kurtosis;
        init->moments(&r, &mean, &std, &kurtosis);
        if (fabs(std - variants[v].std) > 1e-15 * (1 + std) ||
            fabs(mean - variants[v].mean) > 1e-15)
            fail_msg("%s (variant %d): mean %.17g, std %.17g", variants[v].rule, v, mean, std);
    }
    struct fi_init_request r;
    const struct variant leaky = {"kaiming_normal", {{.name = "slope", .number = 1}}, 1, 0, 0};
    const struct fi_init *init = find(&b, &leaky, &r);
    assert_true(init->gain(r.attrs) == 1);
    fi_arena_free(&b.arena);
    fanin_ctx_free(ctx);
}

/* A record that the list above does not know yet keeps the law it promises too, with what must be
 * given in the middle of its bounds. */
static void every_record(void **state) {
    (void)state;
    static const int64_t fans[][2] = {{FAN_IN, FAN_OUT}, {784, 1024}, {1, 7}};
    fi_real *w = numbers();
    fanin_ctx *ctx = test_ctx();
    struct bench b;
    open_bench(&b, ctx);
    const struct fanin_record *record;
    for (int i = 0; (record = fanin_record_at(ctx, "init", i)); i++) {
        struct variant v = {record->name, {{0}}, 0, 0, 0};
        for (const struct fanin_attr_spec *s = record->attrs; s && s->name; s++)
            if (s->flags & FANIN_ATTR_REQUIRED && v.n_attrs < FI_COUNT(v.attrs))
                v.attrs[v.n_attrs++] = (struct fanin_attr){
                    .name = s->name, .number = FI_MIN(1, 0.5 * s->min + 0.5 * s->max)};
        struct fi_init_request r;
        const struct fi_init *init = find(&b, &v, &r);
        for (int f = 0; f < FI_COUNT(fans) && init->moments; f++) {
            r.fan_in = fans[f][0], r.fan_out = fans[f][1];
            r.key = fi_hash_mix(fi_key(3, "init", record->name), (uint64_t)f);
            check_law(init, &r, false, w);
            if (init->whole) break; /* the matrix is the same */
        }
        for (int64_t at = 0, n = 2; init->fill && at < 3000; at += n, n += 2) {
            fi_real whole[3200], part[3200];
            init->fill(&r, 0, 3200, whole);
            init->fill(&r, at, n, part);
            assert_memory_equal(part, whole + at, (size_t)n * sizeof *part);
        }
    }
    fi_arena_free(&b.arena);
    fanin_ctx_free(ctx);
    free(w);
}

/* ---- streams, ranges, tiers ---------------------------------------------------------------- */

static void own_streams(void **state) {
    (void)state;
    static const char *const names[] = {"dense1.weight", "dense2.weight", "dense10.weight", "a",
                                        "b"};
    fi_real *x = numbers(), *y = numbers();
    fanin_ctx *ctx = test_ctx();
    struct bench b;
    open_bench(&b, ctx);
    const struct variant rules[] = {{"normal", {{0}}, 0, 0, 0}, {"uniform", {{0}}, 0, 0, 0}};
    for (int v = 0; v < 2; v++) {
        struct fi_init_request r;
        const struct fi_init *init = find(&b, &rules[v], &r);
        double mean, std, kurtosis;
        init->moments(&r, &mean, &std, &kurtosis);
        for (int n = 0; n < FI_COUNT(names); n++) {
            r.key = fi_key(1, "init", names[n]);
            draw(init, &r, DRAWS, x);
            /* another name; the same name under another seed */
            r.key = n ? fi_key(1, "init", names[n - 1]) : fi_key(2, "init", names[n]);
            draw(init, &r, DRAWS, y);
            double correlation = 0, lagged = 0;
            for (int i = 0; i < DRAWS; i++) correlation += (double)x[i] * (double)y[i];
            for (int i = 1; i < DRAWS; i++) lagged += (double)x[i] * (double)x[i - 1];
            const double scale = std * std * sqrt((double)DRAWS);
            assert_true(fabs(correlation) < 5 * scale && fabs(lagged) < 5 * scale);
            assert_memory_not_equal(x, y, 1000 * sizeof *x);
        }
    }
    fi_arena_free(&b.arena);
    fanin_ctx_free(ctx);
    free(x);
    free(y);
}

static void ranges_are_slices(void **state) {
    (void)state;
    enum { N = 5001 };
    static const int64_t cuts[] = {0, 2, 4, 10, 64, 66, 512, 514, 1000, 1026, 3000, 4998, 5000, N};
    fi_real whole[N], part[N + 1];
    fanin_ctx *ctx = test_ctx();
    struct bench b;
    open_bench(&b, ctx);
    for (int v = 0; v < FI_COUNT(variants); v++) {
        struct fi_init_request r;
        const struct fi_init *init = find(&b, &variants[v], &r);
        if (init->whole) continue;
        draw(init, &r, N, whole);
        for (int i = 0; i < FI_COUNT(cuts); i++)
            for (int j = i; j < FI_COUNT(cuts); j++) {
                const int64_t n = cuts[j] - cuts[i];
                part[n] = 42;
                init->fill(&r, cuts[i], n, part);
                assert_memory_equal(part, whole + cuts[i], (size_t)n * sizeof *part);
                assert_true(part[n] == 42);
            }
    }
    fi_arena_free(&b.arena);
    fanin_ctx_free(ctx);
}

static void same_bits(void **state) {
    (void)state;
    enum { N = 10007 };
    static fi_real first[FI_COUNT(variants)][N], again[N];
    bool drawn = false;
    FOR_EACH_TIER(ctx, 1) {
        struct bench b;
        open_bench(&b, ctx);
        for (int v = 0; v < FI_COUNT(variants); v++) {
            struct fi_init_request r;
            const struct fi_init *init = find(&b, &variants[v], &r);
            static const int64_t small[2] = {N / 91, 91};
            if (init->whole) r.dims = small;
            draw(init, &r, N, drawn ? again : first[v]);
            if (drawn) assert_memory_equal(again, first[v], sizeof again);
        }
        drawn = true;
        fi_arena_free(&b.arena);
    }
}

/* ---- attributes ---------------------------------------------------------------- */

static void refuse(struct fi_arena *arena, const char *rule, const struct fanin_attr *attrs,
                   int64_t n, const char *part) {
    struct fanin_rule_ref ref;
    const struct fanin_rule given = {.name = rule, .attrs = attrs, .n_attrs = n};
    assert_refused(arena->ctx, FANIN_ERR_RECIPE, part,
                   fi_rule_resolve(arena, &ref, "init", &given, "test"));
}

static void wrong_attributes(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_record *record;
    for (int i = 0; (record = fanin_record_at(ctx, "init", i)); i++) {
        const bool needs = record->attrs && record->attrs->flags & FANIN_ATTR_REQUIRED;
        const struct fanin_attr unknown[] = {{.name = "vairance", .number = 1}, {.number = 1}};
        refuse(&arena, record->name, unknown, needs ? 2 : 1, "vairance");
        for (const struct fanin_attr_spec *s = record->attrs; s && s->name; s++) {
            struct fanin_attr a[2] = {{.name = s->name, .text = "fan_in_out"}, {.number = 1}};
            const int n = needs && s != record->attrs ? 2 : 1;
            refuse(&arena, record->name, a, n, s->name);
            if (s->type != FANIN_ATTR_REAL && s->type != FANIN_ATTR_GAIN) continue;
            a[0].text = NULL;
            a[0].number = s->flags & FANIN_ATTR_ABOVE_MIN ? s->min : nextafter(s->min, -INFINITY);
            refuse(&arena, record->name, a, n, s->name);
            a[0].number = nextafter(s->max, INFINITY);
            refuse(&arena, record->name, a, n, s->name);
            a[0].number = (double)NAN;
            refuse(&arena, record->name, a, n, s->name);
        }
    }
    refuse(&arena, "constant", no_attrs, 0, "value");
    const struct fanin_attr average = {.text = "fan_avg"};
    refuse(&arena, "kaiming_normal", &average, 1, "mode");
    refuse(&arena, "kaiming_norml", no_attrs, 0, "kaiming_normal");
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(every_record),
    cmocka_unit_test(deviations_by_hand),
    cmocka_unit_test(laws),
    cmocka_unit_test(own_streams),
    cmocka_unit_test(ranges_are_slices),
    cmocka_unit_test(same_bits),
    cmocka_unit_test(wrong_attributes),
};

int main(void) {
    return test_main(tests);
}
