/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX's SoftmaxCrossEntropyLoss on our loss: reductions, class weights, ignored labels.
 */
#ifndef TESTS_ONNX_LOSS_H
#define TESTS_ONNX_LOSS_H

#include "onnx/run.h"
#include "support/records.h"

/* Scores (N, C, d1, …) and labels (N, d1, …) as rows: a row for each label. */
struct scores {
    struct fi_arena arena;
    const struct fi_loss *loss;
    void *attrs;
    struct fanin_tensor z;
    int32_t *labels;
};

static inline void take_scores(struct scores *s, fanin_ctx *ctx, const struct onnx_case *c) {
    const struct values *x = &c->in[0], *y = &c->in[1];
    const int64_t classes = x->dims[1], inner = x->n / (x->dims[0] * classes);
    struct fanin_attr attrs[2];
    int n = 0;
    if (find_attribute(c, "ignore_index"))
        attrs[n++] =
            (struct fanin_attr){.name = "ignore_index", .number = attribute(c, "ignore_index", 0)};
    if (c->in[2].data)
        attrs[n++] = (struct fanin_attr){
            .name = "class_weights", .list = c->in[2].data, .n_list = c->in[2].n};
    fi_arena_init(&s->arena, ctx);
    const struct fanin_rule_ref rule =
        test_rule(&s->arena, "loss", "softmax_cross_entropy", attrs, n);
    s->loss = (const struct fi_loss *)(const void *)rule.record;
    s->attrs = fi_arena_alloc(&s->arena, 1, rule.record->attrs_size);
    memcpy(s->attrs, rule.attrs, rule.record->attrs_size);
    const struct fi_loss_task task = {.ctx = ctx, .arena = &s->arena, .outputs = classes};
    if (s->loss->settle) assert_ok(ctx, s->loss->settle(s->attrs, &task));
    s->z = test_tensor(&s->arena, y->n, classes);
    s->labels = fi_arena_alloc(&s->arena, y->n, sizeof(*s->labels));
    for (int64_t r = 0; r < y->n; r++) {
        s->labels[r] = (int32_t)y->data[r];
        for (int64_t k = 0; k < classes; k++)
            *test_at(&s->z, r, k) = (fi_real)x->data[(r / inner * classes + k) * inner + r % inner];
    }
}

/* The loss of each row, its share of the mean beside. */
static inline void row_losses(const struct scores *s, double *loss, double *share) {
    for (int64_t r = 0; r < s->z.rows; r++) {
        const struct fanin_tensor row = {
            .data = test_at(&s->z, r, 0), .rows = 1, .cols = s->z.cols, .ld = s->z.ld};
        const struct fi_truth truth = {.labels = s->labels + r};
        loss[r] = s->loss->run(s->attrs, &row, &truth, NULL, 0);
        share[r] = s->loss->share ? s->loss->share(s->attrs, &truth, 0) : 1;
    }
}

/* log softmax of the scores in ONNX's order, by our op. */
static inline bool compare_log_prob(fanin_ctx *ctx, const struct onnx_case *c,
                                    const struct scores *s, char why[200]) {
    const int64_t rows = s->z.rows, classes = s->z.cols, inner = rows / c->in[0].dims[0];
    double *x = calloc((size_t)(rows * classes), sizeof(*x));
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < classes; k++) x[r * classes + k] = (double)*test_at(&s->z, r, k);
    double *p = run_op(ctx, "log_softmax", NULL, 0, rows, classes, x, why);
    for (int64_t r = 0; r < rows && p; r++)
        for (int64_t k = 0; k < classes; k++)
            x[(r / inner * classes + k) * inner + r % inner] = p[r * classes + k];
    const bool good = p && equal(&c->out[1], x, why);
    free(p);
    free(x);
    return good;
}

static inline bool run_cross_entropy(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    struct scores s;
    take_scores(&s, ctx, c);
    const int64_t rows = s.z.rows;
    double *loss = calloc((size_t)rows, sizeof(*loss)),
           *share = calloc((size_t)rows, sizeof(*share));
    const struct fi_truth truth = {.labels = s.labels};
    double sum = s.loss->run(s.attrs, &s.z, &truth, NULL, 0), total = 0, parts = 0;
    row_losses(&s, loss, share);
    for (int64_t r = 0; r < rows; r++) {
        total += share[r];
        parts += loss[r];
    }
    bool good = fabs(sum - parts) <= 1e-9 * fabs(sum);
    if (!good) snprintf(why, 200, "rows add up to %.9g, not %.9g", parts, sum);
    if (attribute_is(c, "reduction", "none")) {
        good = good && equal(&c->out[0], loss, why);
    } else {
        if (!attribute_is(c, "reduction", "sum")) sum /= total;
        good = good && equal(&c->out[0], &sum, why);
    }
    if (good && c->out[1].data) good = compare_log_prob(ctx, c, &s, why);
    free(share);
    free(loss);
    fi_arena_free(&s.arena);
    return good;
}

#endif
