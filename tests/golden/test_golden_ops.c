/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every op and loss that PyTorch has too, against what PyTorch says: outputs, gradients of inputs
 * and parameters, running statistics. ops.txt is written by tools/golden/ops.py, which explains its
 * lines; nothing here knows a record by name. Tolerance: PyTorch's own for float32.
 *
 * A record that is neither promised a case in ops.txt nor excused there fails, and so does one that
 * is promised a case and has none.
 */
#include "kernel/kernel.h"
#include "support/engine.h"

#define RTOL 1.3e-6
#define ATOL 1e-5
#define MAX_TENSORS 24
#define MAX_RECORDS 128

struct golden_tensor {
    const char *what;
    int64_t n;
    float *values;
};

struct golden {
    const char *kind, *name;
    bool training;
    struct fanin_attr attrs[8];
    double lists[8][32]; /* of the attributes that are lists */
    int n_attrs;
    int64_t rows;
    int64_t dims[4][FANIN_MAX_RANK];
    int n_in;
    struct golden_tensor tensors[MAX_TENSORS];
    int n_tensors;
};

struct promise {
    const char *kind, *name;
    int cases;
    bool excused;
};

/* ---- reading ------------------------------------------------------------------------------------- */

static const char *word(char **at) {
    return strtok_r(NULL, " ", at);
}

static void read_tensor(struct golden *g, char **at) {
    assert_true(g->n_tensors < MAX_TENSORS);
    struct golden_tensor *t = &g->tensors[g->n_tensors++];
    t->what = word(at);
    t->n = strtoll(word(at), NULL, 10);
    t->values = calloc((size_t)t->n, sizeof(float));
    for (int64_t i = 0; i < t->n; i++) {
        const char *text = word(at);
        char *end;
        if (!text) fail_msg("%s %s: %s is cut off", g->kind, g->name, t->what);
        t->values[i] = strtof(text, &end);
        if (*end) fail_msg("%s %s: %s holds '%s'", g->kind, g->name, t->what, text);
    }
    if (word(at)) fail_msg("%s %s: %s holds more than it says", g->kind, g->name, t->what);
}

/* One line of a case; true at its end. */
static bool read_line(struct golden *g, const char *key, char **at) {
    if (strcmp(key, "case") == 0) {
        *g = (struct golden){.kind = word(at), .name = word(at)};
        g->training = strcmp(word(at), "training") == 0;
    } else if (strcmp(key, "attr") == 0) {
        struct fanin_attr *attr = &g->attrs[g->n_attrs++];
        attr->name = word(at);
        const char *type = word(at);
        attr->is_null = strcmp(type, "null") == 0;
        if (strcmp(type, "text") == 0) {
            attr->text = word(at);
        } else if (strcmp(type, "list") == 0) {
            double *list = g->lists[g->n_attrs - 1];
            attr->list = list;
            attr->n_list = strtoll(word(at), NULL, 10);
            assert_true(attr->n_list <= FI_COUNT(g->lists[0]));
            for (int64_t i = 0; i < attr->n_list; i++) list[i] = strtod(word(at), NULL);
        } else if (!attr->is_null) {
            attr->number = strtod(word(at), NULL);
        }
    } else if (strcmp(key, "rows") == 0) {
        g->rows = strtoll(word(at), NULL, 10);
    } else if (strcmp(key, "input") == 0) {
        const char *text;
        for (int i = 0; (text = word(at)); i++) g->dims[g->n_in][i] = strtoll(text, NULL, 10);
        g->n_in++;
    } else if (strcmp(key, "tensor") == 0) {
        read_tensor(g, at);
    } else if (strcmp(key, "end") == 0) {
        return true;
    } else {
        fail_msg("ops.txt: unknown word '%s'", key);
    }
    return false;
}

/* The tensor called <prefix><suffix>, of n numbers; NULL if the case has none. */
static const float *find(const struct golden *g, const char *prefix, const char *suffix,
                         int64_t n) {
    char what[64];
    (void)snprintf(what, sizeof what, "%s%s", prefix, suffix);
    for (int i = 0; i < g->n_tensors; i++)
        if (strcmp(g->tensors[i].what, what) == 0) {
            if (g->tensors[i].n != n)
                fail_msg("%s %s: %s has %lld numbers, not %lld", g->kind, g->name, what,
                         (long long)g->tensors[i].n, (long long)n);
            return g->tensors[i].values;
        }
    return NULL;
}

static const float *need(const struct golden *g, const char *prefix, const char *suffix,
                         int64_t n) {
    const float *values = find(g, prefix, suffix, n);
    if (!values) fail_msg("%s %s: no tensor %s%s", g->kind, g->name, prefix, suffix);
    return values;
}

static const char *digits(int i) {
    static const char *const text[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    return text[i];
}

/* ---- comparing ----------------------------------------------------------------------------------- */

static void compare(const struct golden *g, const char *isa, const char *what, const char *suffix,
                    const float *got, int64_t n) {
    const float *want = need(g, what, suffix, n);
    for (int64_t i = 0; i < n; i++) {
        const double difference = fabs((double)got[i] - (double)want[i]);
        if (got[i] != want[i] && !(difference <= ATOL + RTOL * fabs((double)want[i])) &&
            !(isnan(got[i]) && isnan(want[i])))
            fail_msg("%s %s (%s, %s): %s%s[%lld] is %.9g, PyTorch says %.9g", g->kind, g->name,
                     g->training ? "training" : "inference", isa, what, suffix, (long long)i,
                     (double)got[i], (double)want[i]);
    }
}

static void compare_rows(const struct golden *g, const char *isa, const char *what,
                         const struct fanin_tensor *t) {
    float *rows = calloc((size_t)(t->rows * t->cols), sizeof(float));
    for (int64_t r = 0; r < t->rows; r++)
        memcpy(rows + r * t->cols, t->data + r * t->ld, (size_t)t->cols * sizeof(float));
    compare(g, isa, what, "", rows, t->rows * t->cols);
    free(rows);
}

static void set_rows(const struct fanin_tensor *t, const float *values) {
    for (int64_t r = 0; r < t->rows; r++)
        memcpy(t->data + r * t->ld, values + r * t->cols, (size_t)t->cols * sizeof(float));
}

/* ---- ops ----------------------------------------------------------------------------------------- */

/* Gradients, and statistics after the call. */
static void compare_params(const struct golden *g, const char *isa, const fanin_model *model,
                           const fi_real *grads) {
    const fanin_net *net = model->net;
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *p = &net->params[i];
        if (strcmp(net->nodes[p->node].op->head.name, "probe") == 0) continue;
        float *values = calloc((size_t)p->count, sizeof(float));
        if (!p->spec.trainable) {
            fi_param_unpack(p, model->params + p->offset, values);
            compare(g, isa, "after:", p->spec.suffix, values, p->count);
        } else if (g->training) {
            fi_param_unpack(p, grads + p->offset, values);
            compare(g, isa, "grad:", p->spec.suffix, values, p->count);
        }
        free(values);
    }
}

static void run_op(const struct golden *g, fanin_ctx *ctx) {
    const char *isa = fanin_isa(ctx);
    const struct fanin_record *record = fanin_record_find(ctx, "op", g->name);
    if (!record) fail_msg("ops.txt has a case of '%s', which is no op", g->name);
    struct fanin_case c = {
        .rows = g->rows, .n_in = g->n_in, .attrs = g->attrs, .n_attrs = g->n_attrs};
    memcpy(c.dims, g->dims, sizeof c.dims);
    fanin_model *model =
        case_model(ctx, (const struct fanin_op *)(const void *)record, &c, g->training);
    const fanin_net *net = model->net;
    const int result = fi_net_result(net);
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *p = &net->params[i];
        if (strcmp(net->nodes[p->node].op->head.name, "probe") == 0) continue;
        fi_param_pack(p, need(g, "param:", p->spec.suffix, p->count), model->params + p->offset);
    }
    struct fi_exec *exec;
    fi_real *grads = calloc((size_t)net->param_size, sizeof(*grads));
    const struct fi_update update = {.grads = grads};
    assert_ok(ctx, fi_exec_create(&exec, model, g->rows, g->training ? FI_TRAIN : FI_INFER));
    exec->update = &update;
    poison(exec);
    for (int k = 0; k < g->n_in; k++) {
        const int64_t n = g->rows * net->nodes[k].shape.cols;
        set_input(exec, k, g->rows, need(g, "x", digits(k), n));
        caught[k] = calloc((size_t)n, sizeof(fi_real));
    }
    fi_exec_forward(exec, g->rows, 0, 0);
    compare_rows(g, isa, "y", &exec->y[result]);
    if (g->training) {
        const struct fanin_tensor *dy = &exec->dy[result];
        set_rows(dy, need(g, "dy", "", dy->rows * dy->cols));
        fi_exec_backward(exec);
    }
    for (int k = 0; k < g->n_in; k++) {
        if (g->training)
            compare(g, isa, "dx", digits(k), caught[k], g->rows * net->nodes[k].shape.cols);
        free(caught[k]);
        caught[k] = NULL;
    }
    compare_params(g, isa, model, grads);
    free(grads);
    fi_exec_free(exec);
    fanin_model_free(model);
}

/* ---- losses -------------------------------------------------------------------------------------- */

static void run_loss(const struct golden *g, fanin_ctx *ctx) {
    const struct fanin_rule rule = {.name = g->name, .attrs = g->attrs, .n_attrs = g->n_attrs};
    struct fi_arena arena;
    struct fanin_rule_ref ref;
    fi_arena_init(&arena, ctx);
    assert_ok(ctx, fi_rule_resolve(&arena, &ref, "loss", &rule, "loss"));
    const struct fi_loss *loss = (const struct fi_loss *)(const void *)ref.record;
    const int64_t cols = g->dims[0][0], n = g->rows * cols;
    struct fanin_tensor t[3]; /* z, dz, target */
    for (int i = 0; i < 3; i++) {
        t[i] = (struct fanin_tensor){.rows = g->rows, .cols = cols, .ld = fi_row_stride(cols)};
        t[i].data = fi_arena_alloc(&arena, g->rows * t[i].ld, sizeof(fi_real));
    }
    int32_t *labels = fi_arena_alloc(&arena, g->rows, sizeof(*labels));
    double *weights = fi_arena_alloc(&arena, g->rows, sizeof(*weights));
    set_rows(&t[0], need(g, "z", "", n));
    const float *given = find(g, "labels", "", g->rows),
                *weighted = find(g, "weights", "", g->rows);
    for (int64_t r = 0; r < g->rows; r++) {
        labels[r] = given ? (int32_t)given[r] : -1;
        weights[r] = weighted ? (double)weighted[r] : 1;
    }
    if (!given) set_rows(&t[2], need(g, "target", "", n));
    const struct fi_truth truth = {
        .labels = given ? labels : NULL, .target = &t[2], .weights = weighted ? weights : NULL};
    double total = 0; /* what the mean divides by */
    for (int64_t r = 0; r < g->rows; r++)
        total += weights[r] * (loss->share ? loss->share(ref.attrs, &truth, r) : 1);
    const double sum = loss->run(ref.attrs, &t[0], &truth, &t[1], (fi_real)(1 / total));
    const float mean = (float)(sum / total);
    compare(g, fanin_isa(ctx), "loss", "", &mean, 1);
    compare_rows(g, fanin_isa(ctx), "dz", &t[1]);
    fi_arena_free(&arena);
}

/* ---- the file ------------------------------------------------------------------------------------ */

static struct promise *promised(struct promise *all, int n, const char *kind, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(all[i].kind, kind) == 0 && strcmp(all[i].name, name) == 0) return &all[i];
    return NULL;
}

/* Runs all cases; returns how many. */
static int run_file(char *text, fanin_ctx *ctx, struct promise *all, int *n_promises) {
    struct golden g = {0};
    int cases = 0;
    char *lines = NULL;
    for (char *l = strtok_r(text, "\n", &lines); l; l = strtok_r(NULL, "\n", &lines)) {
        char *at = NULL;
        const char *key = strtok_r(l, " ", &at);
        if (*key == '#') continue;
        if (strcmp(key, "twin") == 0 || strcmp(key, "without") == 0) {
            assert_true(*n_promises < MAX_RECORDS);
            const bool twin = *key == 't';
            struct promise *p = &all[(*n_promises)++];
            *p = (struct promise){.kind = twin ? word(&at) : "op", .excused = !twin};
            p->name = word(&at);
        } else if (read_line(&g, key, &at)) {
            struct promise *p = promised(all, *n_promises, g.kind, g.name);
            if (!p) {
                fail_msg("%s %s has a case but no 'twin'", g.kind, g.name);
                return 0;
            }
            (strcmp(g.kind, "op") == 0 ? run_op : run_loss)(&g, ctx);
            for (int i = 0; i < g.n_tensors; i++) free(g.tensors[i].values);
            p->cases++;
            cases++;
        }
    }
    return cases;
}

static void golden_cases(void **state) {
    (void)state;
    static const char *const tiers[] = {"portable", "avx2", "avx512"};
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/tests/golden/ops.txt", source_dir());
    for (int tier = 0; tier < 3; tier++) {
        struct promise all[MAX_RECORDS];
        const struct fanin_record *record;
        int n = 0;
        fanin_ctx *ctx = test_ctx_on(1, tiers[tier]);
        if (!ctx) continue; /* this processor lacks it */
        char *text = read_file(path, NULL);
        assert_ok(ctx, fanin_register_op(ctx, &probe_op));
        const int cases = run_file(text, ctx, all, &n);
        for (int i = 0; i < n; i++)
            if (!all[i].excused && all[i].cases == 0)
                fail_msg("%s %s: PyTorch has it, ops.txt no case", all[i].kind, all[i].name);
        for (int k = 0; k < 2; k++)
            for (int i = 0; (record = fanin_record_at(ctx, k ? "loss" : "op", i)); i++)
                if (record != &probe_op.head && !promised(all, n, k ? "loss" : "op", record->name))
                    fail_msg("%s %s: neither 'twin' nor 'without' in ops.txt", k ? "loss" : "op",
                             record->name);
        print_message("%s: %d golden cases of %d records passed\n", tiers[tier], cases, n);
        free(text);
        fanin_ctx_free(ctx);
    }
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(golden_cases)};
    return test_main(tests);
}
