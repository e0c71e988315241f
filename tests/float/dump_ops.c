/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Built twice, with float and with double: prints what every op and loss gives for the cases of its
 * record, forward and backward, one number a line under a line that names it. test_float_double.sh
 * compares the two.
 */
#include "kernel/kernel.h"
#include "support/engine.h"

static void print_tensor(const char *op, int c, const char *what, const struct fanin_tensor *t) {
    printf("# %s case %d %s\n", op, c, what);
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t j = 0; j < t->cols; j++) printf("%.17g\n", (double)t->data[r * t->ld + j]);
}

static void dump_op(fanin_ctx *ctx, const struct fanin_op *op, int index) {
    const struct fanin_case *c = &op->cases[index];
    fanin_model *model = case_model(ctx, op, c, true);
    const int result = fi_net_result(model->net);
    struct fi_exec *exec;
    fi_real *grads = calloc((size_t)model->net->param_size, sizeof(*grads));
    const struct fi_update update = {.grads = grads};
    assert_ok(ctx, fi_exec_create(&exec, model, c->rows, FI_TRAIN));
    exec->update = &update;
    for (int k = 0; k < c->n_in; k++) {
        const struct fanin_tensor *x = c->n_in > 1 ? &exec->x : &exec->y[k];
        caught[k] = calloc((size_t)(c->rows * model->net->nodes[k].shape.cols), sizeof(fi_real));
        for (int64_t i = 0; i < c->rows * x->cols; i++)
            x->data[i / x->cols * x->ld + i % x->cols] =
                (fi_real)(float)case_cell(c, 10, (uint64_t)i);
    }
    fi_exec_forward(exec, c->rows, 0, 3);
    const struct fanin_tensor *y = &exec->y[result], *dy = &exec->dy[result];
    print_tensor(op->head.name, index, "y", y);
    for (int64_t i = 0; i < y->rows * y->cols; i++)
        dy->data[i / y->cols * dy->ld + i % y->cols] = (fi_real)(float)test_number(77, (uint64_t)i);
    fi_exec_backward(exec);
    for (int k = 0; k < c->n_in; k++) {
        const int64_t cols = model->net->nodes[k].shape.cols;
        print_tensor(op->head.name, index, "dx",
                     &(struct fanin_tensor){caught[k], c->rows, cols, cols});
        free(caught[k]);
        caught[k] = NULL;
    }
    for (int i = 0; i < model->net->n_params; i++) {
        const struct fi_param *p = &model->net->params[i];
        print_tensor(op->head.name, index, p->spec.trainable ? p->spec.suffix : "statistic",
                     &(struct fanin_tensor){(p->spec.trainable ? grads : model->params) + p->offset,
                                            1, p->size, p->size});
    }
    free(grads);
    fi_exec_free(exec);
    fanin_model_free(model);
}

static void dump_loss(const struct fi_loss *loss, const void *attrs) {
    enum { ROWS = 9, COLS = 11, LD = 16 };
    fi_real z[ROWS * LD], dz[ROWS * LD], t[ROWS * LD];
    int32_t labels[ROWS];
    double h[ROWS], coefficient[ROWS];
    for (int i = 0; i < ROWS * LD; i++) {
        z[i] = (fi_real)(float)(4 * test_number(5, (uint64_t)i));
        t[i] = (fi_real)(float)test_number(6, (uint64_t)i);
        dz[i] = 0;
    }
    for (int r = 0; r < ROWS && loss->task != FANIN_REGRESSION; r++) {
        double sum = 0; /* probabilities: of each output, or all together */
        for (int c = 0; c < COLS; c++) sum += fabs((double)t[r * LD + c]);
        for (int c = 0; c < COLS; c++)
            t[r * LD + c] = (fi_real)(float)(fabs((double)t[r * LD + c]) / sum);
    }
    for (int r = 0; r < ROWS; r++) {
        labels[r] = r % COLS;
        coefficient[r] = 0.1 * (r + 1);
    }
    const struct fanin_tensor zt = {z, ROWS, COLS, LD}, dzt = {dz, ROWS, COLS, LD},
                              tt = {t, ROWS, COLS, LD};
    const struct fi_truth truth = {.labels = loss->takes & FI_TAKES_LABELS ? labels : NULL,
                                   .target = &tt};
    printf("# loss %s\n%.17g\n", loss->head.name,
           loss->run(attrs, &zt, &truth, &dzt, (fi_real)0.125));
    print_tensor(loss->head.name, 0, "dz", &dzt);
    if (loss->entropy) {
        loss->entropy(attrs, &zt, h, coefficient, &dzt, (fi_real)0.125);
        print_tensor(loss->head.name, 0, "dz with entropy", &dzt);
        printf("# entropy\n");
        for (int r = 0; r < ROWS; r++) printf("%.17g\n", h[r]);
    }
    loss->predict(attrs, &zt, &zt);
    print_tensor(loss->head.name, 0, "prediction", &zt);
}

int main(void) {
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    if (fanin_register_op(ctx, &probe_op) != FANIN_OK) return 1;
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        for (int c = 0; op != &probe_op && c < op->n_cases; c++) dump_op(ctx, op, c);
    }
    for (int i = 0; (record = fanin_record_at(ctx, "loss", i)); i++) {
        const struct fanin_rule rule = {.name = record->name};
        struct fi_arena arena;
        struct fanin_rule_ref ref;
        fi_arena_init(&arena, ctx);
        if (fi_rule_resolve(&arena, &ref, "loss", &rule, "loss") != FANIN_OK) return 1;
        dump_loss((const struct fi_loss *)(const void *)record, ref.attrs);
        fi_arena_free(&arena);
    }
    fanin_ctx_free(ctx);
    return 0;
}
