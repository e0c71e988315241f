/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every record, one by one: the same bits on every tier and for 1, 2 and 3 threads. Ops run each
 * of their cases forward and backward; what else a recipe can name trains a small net with a
 * branch, of odd sizes. A record's file is all it needs to be tested here.
 */
#include <fanin/recipe.h>

#include "support/engine.h"
#include "support/fillers.h"
#include "support/nets.h"

#define RUNS 5
static const struct {
    const char *isa;
    int threads;
} runs[RUNS] = {{NULL, 1}, {NULL, 2}, {NULL, 3}, {"avx2", 2}, {"portable", 2}};

static uint64_t hash_rows(uint64_t hash, const fi_real *data, int64_t rows, int64_t cols,
                          int64_t ld) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) {
            uint64_t bits = 0;
            memcpy(&bits, &data[r * ld + c], sizeof *data);
            hash = fi_hash_mix(hash, bits);
        }
    return hash;
}

/* ---- ops: forward, the gradient of each input, of each parameter, and statistics -------------------- */

static uint64_t run_op(fanin_ctx *ctx, const char *name, int index) {
    const struct fanin_op *op =
        (const struct fanin_op *)(const void *)fanin_record_find(ctx, "op", name);
    const struct fanin_case *c = &op->cases[index];
    const bool gradient = !(op->flags & FANIN_OP_NO_GRADIENT);
    fanin_model *model = case_model(ctx, op, c, true);
    fanin_net *net = model->net;
    struct fi_exec *exec;
    struct fi_update update = {0};
    uint64_t hash = 0;
    assert_ok(ctx, fi_exec_create(&exec, model, c->rows, true));
    update.grads = calloc((size_t)net->param_size, sizeof(fi_real));
    exec->update = &update;
    for (int k = 0; k < c->n_in; k++) {
        const int64_t n = c->rows * net->nodes[k].shape.cols;
        fi_real *x = malloc((size_t)n * sizeof *x);
        for (int64_t i = 0; i < n; i++)
            x[i] = (fi_real)case_number(c, k, 10 + (uint64_t)k, (uint64_t)i);
        set_input(exec, k, c->rows, x);
        free(x);
        caught[k] = calloc((size_t)n, sizeof(fi_real));
    }
    fi_exec_forward(exec, c->rows, 0, 3);
    const int result = fi_net_result(net);
    const struct fanin_tensor *y = &exec->y[result], *dy = &exec->dy[result];
    hash = hash_rows(hash, y->data, y->rows, y->cols, y->ld);
    for (int64_t i = 0; gradient && i < y->rows * y->cols; i++)
        dy->data[i / y->cols * dy->ld + i % y->cols] = (fi_real)test_number(77, (uint64_t)i);
    if (gradient) fi_exec_backward(exec);
    for (int k = 0; k < c->n_in; k++) {
        const int64_t cols = net->nodes[k].shape.cols;
        hash = hash_rows(hash, caught[k], c->rows, cols, cols);
        free(caught[k]);
        caught[k] = NULL;
    }
    hash = hash_rows(hash, update.grads, 1, net->param_size, 0);
    hash = hash_rows(hash, model->params, 1, net->param_size, 0);
    free(update.grads);
    fi_exec_free(exec);
    fanin_model_free(model);
    return hash;
}

static void ops(void **state) {
    (void)state;
    fanin_ctx *all[RUNS], *first = NULL;
    const struct fanin_record *record;
    int n = 0;
    for (int i = 0; i < RUNS; i++) {
        all[i] = test_ctx_on(runs[i].threads, runs[i].isa);
        if (all[i]) assert_ok(all[i], fanin_register_op(all[i], &probe_op));
    }
    first = all[0];
    for (int i = 0; (record = fanin_record_at(first, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        for (int c = 0; op != &probe_op && c < op->n_cases; c++, n++) {
            const uint64_t expected = run_op(first, record->name, c);
            for (int k = 1; k < RUNS; k++)
                if (all[k] && run_op(all[k], record->name, c) != expected)
                    fail_msg("%s case %d: other bits on %s with %d threads", record->name, c,
                             fanin_isa(all[k]), runs[k].threads);
        }
    }
    for (int i = 0; i < RUNS; i++) fanin_ctx_free(all[i]);
    assert_true(n >= 60);
}

/* ---- what a recipe can name: a short training ------------------------------------------------------- */

static const char net_text[] =
    "net: [dense: 7, {name: a, tanh: {}}, dense: 7, {from: [a, dense2], add: {}}, dropout: 0.2, "
    "dense]\n"
    "train: {epochs: 3, batch: 20, seed: 4, allow_symmetric: true}\n";

/* 0: this processor lacks the tier. *status: a loss may want other data. */
static uint64_t train(int index, const char *text, const char *dir, enum fanin_status *status) {
    fanin_ctx *ctx = test_ctx_on(runs[index].threads, runs[index].isa);
    if (!ctx) return 0;
    fanin_recipe *recipe = NULL;
    fanin_data *data = NULL;
    fanin_model *model = NULL;
    uint64_t hash = 0;
    char override[300];
    const char *overrides[] = {override};
    snprintf(override, sizeof override, "data.dir=%s", dir);
    assert_ok(ctx, fanin_recipe_parse(&recipe, ctx, "r.yaml", text, overrides, 1));
    assert_ok(ctx, fanin_data_load(&data, ctx, fanin_recipe_data(recipe)));
    *status =
        fanin_recipe_model(&model, recipe, fanin_data_shape(data), fanin_data_outputs(data), data);
    if (*status == FANIN_OK) *status = fanin_train(model, data, fanin_recipe_train(recipe));
    if (*status == FANIN_OK) hash = params_hash(model);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_recipe_free(recipe);
    fanin_ctx_free(ctx);
    return hash;
}

/* On classes, on values and on distributions; it must do on one of them. */
static void train_with(const char *kind, const char *name, const char *line, const char *dir) {
    static const char *const data[] = {
        "data: {gaussian_blobs: {n: 150, classes: 3, features: 5}, validation_fraction: 0.2}\n",
        "data: {csv: {target: y}, train: values.csv, validation_fraction: 0.2}\n",
        "data: {idx: {}, train: x.idx, train_labels: shares.idx, validation_fraction: 0.2}\n"};
    char text[2048];
    int done = 0;
    for (int d = 0; d < FI_COUNT(data); d++) {
        enum fanin_status status = FANIN_OK;
        snprintf(text, sizeof text, "%s%s%s\n", data[d], net_text, line);
        const uint64_t expected = train(0, text, dir, &status);
        if (status != FANIN_OK && status != FANIN_ERR_DIVERGED) continue;
        done++;
        for (int k = 1; k < RUNS && status == FANIN_OK; k++) {
            const uint64_t hash = train(k, text, dir, &status);
            if (hash && hash != expected)
                fail_msg("%s %s: other bits on tier %s with %d threads", kind, name,
                         runs[k].isa ? runs[k].isa : "(best)", runs[k].threads);
        }
    }
    if (!done) fail_msg("%s %s trains on no data: %s", kind, name, line);
}

/* An IDX file of n rows of two numbers (Y. LeCun's format: type 0x0D is float, big-endian). */
static void write_idx(const char *dir, const char *name, int n, float (*number)(int row, int col)) {
    unsigned char bytes[4096] = {0, 0, 0x0D, 2, 0, 0, 0, (unsigned char)n, 0, 0, 0, 2};
    char path[400];
    size_t at = 12;
    for (int i = 0; i < 2 * n; i++) {
        const float x = number(i / 2, i % 2);
        uint32_t word;
        memcpy(&word, &x, sizeof word);
        for (int k = 24; k >= 0; k -= 8) bytes[at++] = (unsigned char)(word >> k);
    }
    snprintf(path, sizeof path, "%s/%s", dir, name);
    write_file(path, bytes, at);
}

static float any_number(int row, int col) {
    return (float)test_number(5 + (uint64_t)col, (uint64_t)row);
}

/* Eighths: the two of a row add up to 1 in binary. */
static float share(int row, int col) {
    return (float)(col ? 8 - row % 9 : row % 9) / 8;
}

static void write_values(const char *dir) {
    char path[400], *text = malloc(20000);
    int at = sprintf(text, "a,b,c,y\n");
    for (int i = 0; i < 120; i++)
        at += sprintf(text + at, "%.3f,%.3f,%.3f,%.4f\n", test_number(1, (uint64_t)i),
                      test_number(2, (uint64_t)i), test_number(3, (uint64_t)i),
                      3 * test_number(1, (uint64_t)i) + test_number(4, (uint64_t)i));
    snprintf(path, sizeof path, "%s/values.csv", dir);
    write_file(path, text, (size_t)at);
    free(text);
}

/* Is it a penalty that is written on a layer? */
static bool of_outputs(const struct fanin_record *record) {
    return ((const struct fi_reg *)(const void *)record)->outputs;
}

static void rules(void **state) {
    (void)state;
    static const char *const passed_over[] = {"op", "reader"};
    char dir[256], line[1024], attrs[512];
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    int n = 0;
    write_values(temp_dir(dir));
    write_idx(dir, "x.idx", 60, any_number);
    write_idx(dir, "shares.idx", 60, share);
    for (int k = 0; fanin_kind(k); k++) {
        const struct kind_place *place = kind_place(fanin_kind(k));
        bool pass = !place;
        for (int i = 0; i < FI_COUNT(passed_over); i++)
            pass |= strcmp(fanin_kind(k), passed_over[i]) == 0;
        for (int i = 0; !pass && (record = fanin_record_at(ctx, fanin_kind(k), i)); i++, n++) {
            if (!fill_required(attrs, sizeof attrs, record, NULL))
                fail_msg("%s %s: no value for what must be given", fanin_kind(k), record->name);
            if (strcmp(fanin_kind(k), "reg") == 0 && of_outputs(record))
                snprintf(line, sizeof line, "params: [{match: a.output, regularize: {%s: {%s}}}]",
                         record->name, attrs);
            else
                snprintf(line, sizeof line, "%s%s: {%s}%s", place->before, record->name, attrs,
                         place->after);
            train_with(fanin_kind(k), record->name, line, dir);
        }
    }
    assert_true(n >= 35);
    temp_dir_remove(dir);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(ops), cmocka_unit_test(rules)};
    return test_main(tests);
}
