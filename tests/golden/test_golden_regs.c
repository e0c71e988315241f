/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Penalties (value and gradient) and constraints against PyTorch: tests/golden/regs.txt, written by
 * tools/golden/regs.py. On every tier, to rtol 1.3e-6, atol 1e-5. Every regularizer that acts on
 * numbers and every constraint must be there.
 */
#include "golden/lines.h"
#include "support/records.h"

#define MOST 1024

struct matrix {
    int64_t out, in;
    double cell[MOST];
};

static void read_rows(FILE *file, struct matrix *m) {
    for (int64_t r = 0; r < m->out; r++) {
        golden_line(file, "row");
        golden_numbers(m->cell + r * m->in, m->in);
    }
}

static void assert_near(double got, double want, const char *name) {
    if (!(fabs(got - want) <= 1e-5 + 1.3e-6 * fabs(want)))
        fail_msg("%s: %.9g, not %.9g", name, got, want);
}

/* "name out in n (attribute value)…": the rule. */
static struct fanin_rule_ref read_rule(struct fi_arena *arena, const char *kind) {
    struct fanin_attr attrs[4] = {{0}};
    double size[2], n, value;
    char *name = fi_arena_strdup(arena, strtok(NULL, " \n"));
    golden_numbers(size, 2);
    golden_numbers(&n, 1);
    for (int i = 0; i < (int)n; i++) {
        attrs[i].name = fi_arena_strdup(arena, strtok(NULL, " \n"));
        golden_numbers(&value, 1);
        attrs[i].number = value;
    }
    return test_rule(arena, kind, name, attrs, (int64_t)n);
}

/* Panels of the matrix; lanes beyond `out` are 0. */
static fi_real *panels_of(struct fi_arena *arena, const struct matrix *m) {
    fi_real *w = fi_arena_alloc(arena, fi_panel_size(m->out, m->in), sizeof *w);
    assert_non_null(w);
    for (int64_t o = 0; o < m->out; o++)
        for (int64_t i = 0; i < m->in; i++)
            w[fi_panel_index(m->out, m->in, o, i)] = (fi_real)m->cell[o * m->in + i];
    return w;
}

static void compare(const struct matrix *want, const fi_real *w, const char *name) {
    for (int64_t o = 0; o < want->out; o++)
        for (int64_t i = 0; i < want->in; i++)
            assert_near((double)w[fi_panel_index(want->out, want->in, o, i)],
                        want->cell[o * want->in + i], name);
}

static void check_penalty(struct fi_arena *arena, FILE *file, const struct matrix *m) {
    const struct fanin_rule_ref ref = read_rule(arena, "reg");
    const struct fi_reg *reg = (const struct fi_reg *)(const void *)ref.record;
    const int64_t size = fi_panel_size(m->out, m->in);
    struct matrix want = *m;
    double value, got;
    golden_line(file, "value");
    golden_numbers(&value, 1);
    read_rows(file, &want);
    fi_real *w = panels_of(arena, m), *g = fi_arena_alloc(arena, size, sizeof *g);
    if (reg->whole) {
        fi_real *work = fi_arena_alloc(arena, reg->whole->work(m->out, m->in), sizeof *work);
        got = reg->whole->run(arena->ctx, ref.attrs, 1, m->out, m->in, w, g, work);
    } else {
        got = reg->value(ref.attrs, w, size);
        reg->gradient(ref.attrs, 1, w, g, size);
    }
    assert_near(got, value, ref.record->name);
    compare(&want, g, ref.record->name);
}

static void check_constraint(struct fi_arena *arena, FILE *file, const struct matrix *m) {
    const struct fanin_rule_ref ref = read_rule(arena, "constraint");
    const struct fi_constraint *c = (const struct fi_constraint *)(const void *)ref.record;
    struct matrix want = *m;
    read_rows(file, &want);
    fi_real *w = panels_of(arena, m);
    for (int64_t p = 0; p < fi_panels(m->out); p++)
        c->units(ref.attrs, w + p * FI_PANEL * m->in, FI_MIN(FI_PANEL, m->out - p * FI_PANEL),
                 m->in, fi_panel_width(m->out, p));
    compare(&want, w, ref.record->name);
}

static bool seen[64];

static void note(const fanin_ctx *ctx, const char *kind, const char *name) {
    for (int i = 0; fanin_record_at(ctx, kind, i); i++)
        if (strcmp(fanin_record_at(ctx, kind, i)->name, name) == 0)
            seen[i + (strcmp(kind, "reg") == 0 ? 0 : 32)] = true;
}

static void check_file(fanin_ctx *ctx) {
    FILE *file = golden_open("regs.txt");
    struct fi_arena arena;
    struct matrix m = {0};
    fi_arena_init(&arena, ctx);
    for (char *kind; (kind = golden_next(file));) {
        if (strcmp(kind, "weights") == 0) {
            double size[2];
            golden_numbers(size, 2);
            m.out = (int64_t)size[0];
            m.in = (int64_t)size[1];
            assert_true(m.out * m.in <= MOST);
            read_rows(file, &m);
            continue;
        }
        const bool penalty = strcmp(kind, "penalty") == 0;
        char name[64];
        snprintf(name, sizeof name, "%.60s", kind + strlen(kind) + 1);
        name[strcspn(name, " ")] = '\0';
        note(ctx, penalty ? "reg" : "constraint", name);
        if (penalty)
            check_penalty(&arena, file, &m);
        else
            check_constraint(&arena, file, &m);
    }
    fi_arena_free(&arena);
    fclose(file);
}

static void test_vectors(void **state) {
    (void)state;
    FOR_EACH_TIER(ctx, 1) {
        memset(seen, 0, sizeof seen);
        check_file(ctx);
        const struct fanin_record *record;
        for (int i = 0; (record = fanin_record_at(ctx, "reg", i)); i++) {
            const struct fi_reg *reg = (const struct fi_reg *)(const void *)record;
            if ((reg->gradient || reg->whole) && !seen[i])
                fail_msg("no vector of %s", record->name);
        }
        for (int i = 0; (record = fanin_record_at(ctx, "constraint", i)); i++)
            if (!seen[32 + i]) fail_msg("no vector of %s", record->name);
    }
}

static struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};

int main(void) {
    return test_main(tests);
}
