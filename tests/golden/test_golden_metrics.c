/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics against scikit-learn: tests/golden/metrics.txt, written by tools/golden/metrics.py. Rows
 * come in two batches, so that sums over batches are seen too.
 *
 * rtol 1.3e-6, atol 1e-5, as for all golden vectors; AUC by the resolution of its histogram: a pair
 * of scores whose odds differ by less than 1.2 % may count half, at these sizes at most one in 50
 * of a class's pairs.
 */
#include "golden/lines.h"
#include "support/records.h"

struct set {
    struct fanin_tensor p, targets;
    int32_t *labels;
    bool classes; /* else targets, and metrics see no labels */
};

static void read_rows(FILE *file, struct set *s, struct fi_arena *arena) {
    double size[2], label, values[64];
    golden_numbers(size, 2);
    const int64_t rows = (int64_t)size[0], cols = (int64_t)size[1];
    assert_true(rows >= 2 && cols >= 1 && cols <= 64);
    s->p = test_tensor(arena, rows, cols);
    s->targets = test_tensor(arena, rows, cols);
    s->labels = fi_arena_alloc(arena, rows, sizeof *s->labels);
    assert_non_null(s->labels);
    for (int64_t r = 0; r < rows; r++) {
        golden_line(file, "row");
        if (s->classes) {
            golden_numbers(&label, 1);
            s->labels[r] = (int32_t)label;
        } else {
            golden_numbers(values, cols);
            for (int64_t c = 0; c < cols; c++) *test_at(&s->targets, r, c) = (fi_real)values[c];
        }
        golden_numbers(values, cols);
        for (int64_t c = 0; c < cols; c++) *test_at(&s->p, r, c) = (fi_real)values[c];
    }
}

static double value_of(const struct fi_metric *m, const struct set *s, struct fi_arena *arena) {
    const int64_t rows = s->p.rows, n = s->p.cols, half = rows / 2;
    double *sums = fi_arena_alloc(arena, m->cells(n), sizeof *sums);
    assert_non_null(sums);
    struct fanin_tensor p = s->p, t = s->targets;
    p.rows = t.rows = half;
    m->add(sums, n, &p, s->classes ? s->labels : NULL, &t);
    p.rows = t.rows = rows - half;
    p.data += half * p.ld;
    t.data += half * t.ld;
    m->add(sums, n, &p, s->classes ? s->labels + half : NULL, &t);
    return m->value(sums, n, rows);
}

static void figures(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    FILE *file = golden_open("metrics.txt");
    struct fi_arena arena;
    struct set s = {0};
    int seen = 0;
    fi_arena_init(&arena, ctx);
    for (char *kind; (kind = golden_next(file));) {
        if (strcmp(kind, "want") != 0) {
            s.classes = strcmp(kind, "classes") == 0;
            read_rows(file, &s, &arena);
            continue;
        }
        const char *name = strtok(NULL, " \n");
        const struct fi_metric *m =
            (const struct fi_metric *)(const void *)fanin_record_find(ctx, "metric", name);
        double want;
        golden_numbers(&want, 1);
        assert_non_null(m);
        const double got = value_of(m, &s, &arena);
        const double allowed = strcmp(name, "auc") == 0 ? 2e-3 : 1e-5 + 1.3e-6 * fabs(want);
        if (!(fabs(got - want) <= allowed)) fail_msg("%s: %.9g, not %.9g", m->head.name, got, want);
        seen++;
    }
    assert_true(seen >= 55);
    fi_arena_free(&arena);
    fclose(file);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(figures)};

int main(void) {
    return test_main(tests);
}
