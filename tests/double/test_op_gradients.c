/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every op record against central differences, in double, to 1e-6 relative: each case the record
 * declares, with all buffers poisoned, at the full batch and at a shorter last one; a second
 * backward adds up. A record that lacks what it must carry fails.
 */
#include "support/engine.h"

#define STEP 1e-5

struct check {
    fanin_ctx *ctx;
    const struct fanin_op *op;
    const struct fanin_case *c;
    fanin_model *model;
    struct fi_exec *exec;
    struct fi_update update;
    fi_real *inputs[FANIN_MAX_INPUTS], *saved;
    int64_t rows;
    int index;
};

/* Σ of the outputs with fixed weights. Statistics that a forward changes are put back. */
static double objective(struct check *k) {
    const int result = fi_net_result(k->model->net);
    const struct fanin_tensor *y = &k->exec->y[result];
    double sum = 0;
    poison(k->exec);
    for (int i = 0; i < k->c->n_in; i++) set_input(k->exec, i, k->rows, k->inputs[i]);
    fi_exec_forward(k->exec, k->rows, 0, 3);
    memcpy(k->model->params, k->saved, (size_t)k->model->net->param_size * sizeof(fi_real));
    for (int64_t r = 0; r < k->rows; r++)
        for (int64_t c = 0; c < y->cols; c++)
            sum += test_number(77, (uint64_t)(r * y->cols + c)) * y->data[r * y->ld + c];
    return sum;
}

static void backward(struct check *k) {
    const int result = fi_net_result(k->model->net);
    const struct fanin_tensor *dy = &k->exec->dy[result];
    (void)objective(k);
    for (int64_t r = 0; r < k->rows; r++)
        for (int64_t c = 0; c < dy->cols; c++)
            dy->data[r * dy->ld + c] = test_number(77, (uint64_t)(r * dy->cols + c));
    fi_exec_backward(k->exec);
}

static double difference(struct check *k, fi_real *place, fi_real *also) {
    const fi_real before = *place;
    *place = before + STEP;
    if (also) *also = *place;
    const double up = objective(k);
    *place = before - STEP;
    if (also) *also = *place;
    const double down = objective(k);
    *place = before;
    if (also) *also = before;
    return (up - down) / (2 * STEP);
}

static void compare(const struct check *k, const char *what, int64_t i, double exact,
                    double numeric) {
    const double tolerance = k->c->tolerance > 0 ? k->c->tolerance : 1e-6;
    if (!(fabs(exact - numeric) <= tolerance * (1 + fabs(exact) + fabs(numeric))))
        fail_msg("%s case %d, %lld rows: %s[%lld] is %.12g, differences say %.12g",
                 k->op->head.name, k->index, (long long)k->rows, what, (long long)i, exact,
                 numeric);
}

/* Every 1 + n/200-th element of each tensor. */
static void check_rows(struct check *k) {
    const fanin_net *net = k->model->net;
    fi_real *grads = calloc((size_t)net->param_size, sizeof(*grads));
    for (int i = 0; i < CAUGHT; i++) caught[i] = NULL;
    for (int i = 0; i < k->c->n_in; i++)
        caught[i] = calloc((size_t)(k->rows * net->nodes[i].shape.cols), sizeof(fi_real));
    k->update.grads = grads;
    k->update.accumulate = false;
    backward(k);
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *p = &net->params[i];
        if (!p->spec.trainable || strstr(p->name, "probe")) continue;
        for (int64_t j = 0; j < p->size; j += 1 + p->size / 200) {
            const int64_t at = p->offset + j;
            compare(k, p->name, j, grads[at], difference(k, &k->model->params[at], &k->saved[at]));
        }
    }
    for (int i = 0; i < k->c->n_in; i++) {
        const int64_t n = k->rows * net->nodes[i].shape.cols;
        for (int64_t j = 0; j < n; j += 1 + n / 200) {
            const bool index =
                i == 0 && k->c->indexes && k->c->indexes[j % net->nodes[i].shape.cols];
            compare(k, "input", j, caught[i][j], index ? 0 : difference(k, &k->inputs[i][j], NULL));
        }
    }
    fi_real *first = malloc((size_t)net->param_size * sizeof(*first));
    memcpy(first, grads, (size_t)net->param_size * sizeof(*first));
    k->update.accumulate = true;
    backward(k);
    for (int64_t j = 0; j < net->param_size; j++)
        if (grads[j] != 2 * first[j])
            fail_msg("%s case %d: a second backward does not add up", k->op->head.name, k->index);
    free(first);
    free(grads);
    for (int i = 0; i < k->c->n_in; i++) free(caught[i]);
}

static void check_case(struct check *k) {
    const bool stats = (k->op->flags & FANIN_OP_BATCH_STATS) != 0;
    k->model = case_model(k->ctx, k->op, k->c, true);
    assert_ok(k->ctx, fi_exec_create(&k->exec, k->model, k->c->rows, FI_TRAIN));
    const size_t bytes = (size_t)k->model->net->param_size * sizeof(fi_real);
    k->saved = malloc(bytes);
    memcpy(k->saved, k->model->params, bytes);
    k->exec->update = &k->update;
    for (int i = 0; i < k->c->n_in; i++) {
        const int64_t n = k->c->rows * k->model->net->nodes[i].shape.cols;
        k->inputs[i] = malloc((size_t)n * sizeof(fi_real));
        for (int64_t j = 0; j < n; j++)
            k->inputs[i][j] = case_number(k->c, i, 10 + (uint64_t)i, (uint64_t)j);
    }
    k->rows = k->c->rows;
    check_rows(k);
    if (k->c->rows > (stats ? 2 : 1)) {
        k->rows = k->c->rows - 1; /* a short last batch */
        check_rows(k);
    }
    for (int i = 0; i < k->c->n_in; i++) free(k->inputs[i]);
    free(k->saved);
    fi_exec_free(k->exec);
    fanin_model_free(k->model);
}

static void test_gradients(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    assert_ok(ctx, fanin_register_op(ctx, &probe_op));
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        if (op == &probe_op || (op->flags & FANIN_OP_NO_GRADIENT)) continue;
        for (int c = 0; c < op->n_cases; c++) {
            struct check k = {.ctx = ctx, .op = op, .c = &op->cases[c], .index = c};
            check_case(&k);
        }
    }
    fanin_ctx_free(ctx);
}

static void test_records_are_complete(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    int n = 0;
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++, n++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        const bool block = op->forward_block != NULL;
        const bool backward = block ? op->backward_block != NULL : op->backward != NULL;
        if (!block && !op->forward) fail_msg("%s has no forward", record->name);
        if (!backward && !(op->flags & FANIN_OP_NO_GRADIENT))
            fail_msg("%s has neither a backward nor the flag that says so", record->name);
        if (block != ((op->flags & FANIN_OP_ELEMENTWISE) != 0))
            fail_msg("%s: block functions and the elementwise flag go together", record->name);
        if (op->n_cases < 2 || !op->cases) fail_msg("%s has fewer than two cases", record->name);
    }
    assert_true(n >= 9);
    for (int k = 0; fanin_kind(k); k++)
        for (int i = 0; (record = fanin_record_at(ctx, fanin_kind(k), i)); i++)
            if (!record->name || !record->formula || !*record->formula || !record->reference ||
                !*record->reference || !record->help || !*record->help)
                fail_msg("%s '%s' lacks its formula, reference or help", fanin_kind(k),
                         record->name ? record->name : "?");
    for (int i = 0; (record = fanin_record_at(ctx, "loss", i)); i++)
        if (((const struct fi_loss *)(const void *)record)->n_cases < 2)
            fail_msg("loss %s has fewer than two cases", record->name);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(test_records_are_complete),
                                 cmocka_unit_test(test_gradients)};
    return test_main(tests);
}
