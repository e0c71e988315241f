/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ops that say they turn around with their inputs (FANIN_OP_ODD) do, to the last bit, at every case
 * of their records: with the inputs, all that is added changes sign, what multiplies stays.
 */
#include "support/engine.h"

static void negate(fanin_model *m) {
    for (int k = 0; k < m->net->n_params; k++) {
        const struct fi_param *p = &m->net->params[k];
        const bool added = p->spec.layout == FANIN_LAYOUT_VECTOR && p->spec.trainable &&
                           !p->spec.scales && !p->spec.table;
        for (int64_t i = 0; added && i < p->size; i++) m->params[p->offset + i] *= -1;
    }
}

static void run(fanin_model *m, const struct fanin_case *c, fi_real sign, fi_real *y) {
    struct fi_exec *e;
    int node = 0;
    assert_ok(m->ctx, fi_exec_create(&e, m, c->rows, FI_TRAIN));
    for (; node < c->n_in; node++) {
        const int64_t n = c->rows * e->y[node].cols;
        fi_real *x = malloc((size_t)n * sizeof *x);
        for (int64_t i = 0; i < n; i++)
            x[i] = sign * (fi_real)test_input(40 + (uint64_t)node, (uint64_t)i);
        set_input(e, node, c->rows, x);
        free(x);
    }
    fi_exec_forward(e, c->rows, 0, 3);
    for (int64_t r = 0; r < c->rows; r++)
        for (int64_t i = 0; i < e->y[node].cols; i++)
            y[r * e->y[node].cols + i] = e->y[node].data[r * e->y[node].ld + i];
    fi_exec_free(e);
}

static void turn_around(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    int seen = 0;
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        if (!(op->flags & FANIN_OP_ODD)) continue;
        for (int k = 0; k < op->n_cases; k++) {
            const struct fanin_case *c = &op->cases[k];
            fanin_model *m = case_model(ctx, op, c, false);
            const int64_t n = c->rows * m->net->nodes[c->n_in].shape.cols;
            fi_real *y = malloc((size_t)n * sizeof *y), *z = malloc((size_t)n * sizeof *z);
            run(m, c, 1, y);
            negate(m);
            run(m, c, -1, z);
            for (int64_t j = 0; j < n; j++)
                if (z[j] != -y[j])
                    fail_msg("%s, case %d: %.9g and %.9g", record->name, k, (double)y[j],
                             (double)z[j]);
            free(y);
            free(z);
            fanin_model_free(m);
        }
        seen++;
    }
    assert_true(seen >= 11);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(turn_around)};
    return test_main(tests);
}
