/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models that were saved and loaded: every op at each of its cases and with each attribute off its
 * default, every loss with each of its own, comes back with the same attributes and predicts the
 * same bits. (A library that saved sizes and weights, but not which activation, predicted otherwise
 * after loading.)
 */
#include "support/engine.h"
#include "support/fillers.h"
#include "support/nets.h"

#define MOST_ATTRS 12
static char dir[256], path[300];

/* ---- attributes ------------------------------------------------------------------------------------ */

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_value(const struct fanin_attr_spec *spec, const void *a, const void *b) {
    switch (spec->type) {
    case FANIN_ATTR_BOOL:
    case FANIN_ATTR_CHOICE:
        return memcmp(a, b, sizeof(int)) == 0;
    case FANIN_ATTR_INT:
        return memcmp(a, b, sizeof(int64_t)) == 0;
    case FANIN_ATTR_REAL:
        return *(const double *)a == *(const double *)b ||
               (isnan(*(const double *)a) && isnan(*(const double *)b));
    case FANIN_ATTR_GAIN:
        return ((const struct fanin_gain *)a)->value == ((const struct fanin_gain *)b)->value;
    case FANIN_ATTR_STRING:
        return same_text(*(const char *const *)a, *(const char *const *)b);
    case FANIN_ATTR_RULE: /* of the start, which is over */
    case FANIN_ATTR_TEXTS:
        return true;
    case FANIN_ATTR_LIST:
        break;
    }
    const struct fanin_list *x = a, *y = b;
    return same_text(x->word, y->word) && x->n == y->n &&
           (x->n == 0 || memcmp(x->values, y->values, (size_t)x->n * sizeof(double)) == 0);
}

static void assert_same_attrs(const struct fanin_record *record, const void *a, const void *b) {
    for (const struct fanin_attr_spec *s = record->attrs; s && s->name; s++)
        if (!same_value(s, (const char *)a + s->offset, (const char *)b + s->offset))
            fail_msg("%s: %s is another one after loading", record->name, s->name);
}

/* A value other than the default; false: none is known here. */
static bool off_default(struct fanin_attr *attr, char word[40], const struct fanin_attr_spec *s) {
    *attr = (struct fanin_attr){.name = s->name};
    if (s->type == FANIN_ATTR_BOOL) {
        attr->number = s->def == 0;
    } else if (s->type == FANIN_ATTR_CHOICE) {
        const char *words = s->text;
        if (s->def == 0) words = strchr(words, '|') ? strchr(words, '|') + 1 : words;
        (void)snprintf(word, 40, "%.*s", (int)strcspn(words, "|"), words);
        attr->text = word;
    } else if (s->type == FANIN_ATTR_INT || s->type == FANIN_ATTR_REAL) {
        const double more = s->def + (s->type == FANIN_ATTR_INT ? 1 : 0.125);
        if (!isfinite(more)) return false;
        attr->number = more < s->max ? more : s->def / 2;
    } else {
        return false;
    }
    return true;
}

/* ---- there and back ---------------------------------------------------------------------------------- */

static void there_and_back(fanin_ctx *ctx, fanin_model *model, const float *x, int64_t rows) {
    const size_t n = (size_t)(rows * fanin_model_outputs(model));
    float *p = calloc(n, sizeof *p), *q = calloc(n, sizeof *q);
    fanin_model *loaded;
    assert_ok(ctx, fanin_model_save(model, path));
    assert_ok(ctx, fanin_model_load(&loaded, ctx, path));
    const fanin_net *a = model->net, *b = loaded->net;
    assert_int_equal(a->n_nodes, b->n_nodes);
    for (int i = 0; i < a->n_nodes; i++) {
        assert_ptr_equal(a->nodes[i].op, b->nodes[i].op);
        assert_string_equal(a->nodes[i].name, b->nodes[i].name);
        if (a->nodes[i].op)
            assert_same_attrs(&a->nodes[i].op->head, a->nodes[i].attrs, b->nodes[i].attrs);
    }
    assert_ptr_equal(model->loss, loaded->loss);
    assert_same_attrs(&model->loss->head, model->loss_attrs, loaded->loss_attrs);
    assert_ok(ctx, fanin_model_predict(model, x, rows, p));
    assert_ok(ctx, fanin_model_predict(loaded, x, rows, q));
    assert_memory_equal(p, q, n * sizeof *p);
    fanin_model_free(loaded);
    free(p);
    free(q);
}

static void try_case(fanin_ctx *ctx, const struct fanin_op *op, const struct fanin_case *c) {
    fanin_model *model = case_model(ctx, op, c, false);
    const int64_t n = c->rows * fanin_model_inputs(model);
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)case_cell(c, 1, (uint64_t)i);
    there_and_back(ctx, model, x, c->rows);
    free(x);
    fanin_model_free(model);
}

/* Whether the op takes these attributes at the shapes of the case. */
static bool fits(fanin_ctx *ctx, const struct fanin_op *op, const struct fanin_case *c) {
    fanin_net *net;
    int inputs[FANIN_MAX_INPUTS], node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    for (int k = 0; k < c->n_in; k++)
        assert_ok(ctx, fanin_net_input(net, &inputs[k], NULL, case_rank(c->dims[k]), c->dims[k]));
    const enum fanin_status status =
        fanin_net_add(net, &node, op->head.name, NULL, inputs, c->n_in, c->attrs, c->n_attrs);
    fanin_net_free(net);
    return status == FANIN_OK;
}

static void ops(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    int off = 0;
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        for (int k = 0; k < op->n_cases; k++) try_case(ctx, op, &op->cases[k]);
        for (const struct fanin_attr_spec *s = record->attrs; s && s->name; s++) {
            struct fanin_case c = op->cases[FI_MIN(1, op->n_cases - 1)];
            struct fanin_attr attrs[MOST_ATTRS];
            char word[40];
            bool given = false;
            assert_true(c.n_attrs + 1 < MOST_ATTRS);
            for (int64_t j = 0; j < c.n_attrs; j++) {
                attrs[j + 1] = c.attrs[j];
                given |= !attrs[j + 1].name || strcmp(attrs[j + 1].name, s->name) == 0;
            }
            if (given || !off_default(&attrs[0], word, s)) continue;
            c.attrs = attrs;
            c.n_attrs++;
            if (!fits(ctx, op, &c)) continue;
            try_case(ctx, op, &c);
            off++;
        }
    }
    print_message("%d attributes off their defaults\n", off);
    assert_true(off >= 18);
    fanin_ctx_free(ctx);
}

static void losses(void **state) {
    (void)state;
    static const struct layer layers[] = {{"dense", 7}, {"tanh"}, {"dense", 3}};
    float x[20];
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    for (uint64_t i = 0; i < 20; i++) x[i] = (float)test_number(1, i);
    for (int i = 0; (record = fanin_record_at(ctx, "loss", i)); i++) {
        const struct fanin_attr_spec *s = record->attrs;
        for (int k = 0; k == 0 || (s && s[k - 1].name); k++) {
            struct fanin_attr attr;
            char word[40];
            const double numbers[] = {0.5, 2, 3};
            if (k > 0 && !off_default(&attr, word, &s[k - 1])) {
                if (s[k - 1].type != FANIN_ATTR_LIST) continue;
                attr = (struct fanin_attr){.name = s[k - 1].name, .list = numbers, .n_list = 3};
            }
            const struct fanin_model_options options = {
                .size = sizeof options, .loss = {record->name, &attr, k > 0, 0}, .seed = 2};
            fanin_model *model;
            assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, 5, layers, 3), &options));
            there_and_back(ctx, model, x, 4);
            fanin_model_free(model);
        }
    }
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(ops), cmocka_unit_test(losses)};
    snprintf(path, sizeof path, "%s/m.safetensors", temp_dir(dir));
    const int failed = test_main(tests);
    temp_dir_remove(dir);
    return failed;
}
