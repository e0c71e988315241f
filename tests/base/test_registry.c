/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: kinds and records in order, aliases, tiers that list the same, own ops.
 */
#include "base/tables.h"
#include "support/support.h"

static void kinds_are_listed(void **state) {
    (void)state;
    static const char *const kinds[] = {"op",       "loss",       "init",    "reg",    "optim",
                                        "schedule", "constraint", "average", "metric", "reader",
                                        "format",   "report",     "finding", "probe",  "plot"};
    for (int i = 0; i < FI_COUNT(kinds); i++) assert_string_equal(fanin_kind(i), kinds[i]);
    assert_null(fanin_kind(FI_COUNT(kinds)));
    assert_null(fanin_kind(-1));
    assert_null(fanin_record_at(NULL, "nonsense", 0));
    assert_null(fanin_record_at(NULL, NULL, 0));
    assert_null(fanin_record_find(NULL, "nonsense", "relu"));
    assert_null(fanin_record_find(NULL, "op", NULL));
    assert_null(fanin_record_find(NULL, "op", ""));
    assert_null(fanin_record_at(NULL, "op", -1));
}

/* Every record of every kind: in order, found by name and by alias, the same in every tier. */
static void records_are_in_order_and_found(void **state) {
    (void)state;
    for (int tier = 0; tier < fi_n_tiers; tier++) {
        fanin_ctx *ctx = test_ctx_on(1, fi_tiers[tier].name);
        if (!ctx) continue;
        for (int k = 0; k < FI_KINDS; k++) {
            const char *last = "";
            const struct fanin_record *record;
            int n = 0;
            for (; (record = fanin_record_at(ctx, fi_kinds[k], n)); n++) {
                assert_true(strcmp(last, record->name) < 0);
                last = record->name;
                assert_ptr_equal(fanin_record_find(ctx, fi_kinds[k], record->name), record);
                assert_string_equal(fanin_record_at(NULL, fi_kinds[k], n)->name, record->name);
                char aliases[256], *rest = aliases;
                (void)snprintf(aliases, sizeof aliases, "%s",
                               record->aliases ? record->aliases : "");
                for (char *alias; (alias = strtok_r(rest, " ", &rest));)
                    assert_ptr_equal(fanin_record_find(ctx, fi_kinds[k], alias), record);
            }
            assert_null(fanin_record_at(NULL, fi_kinds[k], n));
            assert_null(fanin_record_at(ctx, fi_kinds[k], n + 1));
        }
        fanin_ctx_free(ctx);
    }
}

static enum fanin_status infer(struct fanin_infer *io) {
    io->out = io->in[0];
    return FANIN_OK;
}
static void nothing(const struct fanin_step *s) {
    (void)s;
}
static void no_block(const struct fanin_step *s, const struct fanin_block *b, const fanin_real *x,
                     int64_t ldx, fanin_real *y, int64_t ldy) {
    (void)s, (void)b, (void)x, (void)ldx, (void)y, (void)ldy;
}

static const struct fanin_op good = {
    .head = {.name = "zz_mine", .aliases = "mine my_op"},
    .infer = infer,
    .forward = nothing,
    .backward = nothing,
};

static void own_ops_join(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    int before = 0;
    while (fanin_record_at(ctx, "op", before)) before++;
    struct fanin_op first = good;
    first.head.name = "a_mine";
    first.head.aliases = NULL;
    assert_ok(ctx, fanin_register_op(ctx, &good));
    assert_ok(ctx, fanin_register_op(ctx, &first));
    assert_ptr_equal(fanin_record_at(ctx, "op", 0), &first);
    assert_ptr_equal(fanin_record_at(ctx, "op", before + 1), &good);
    assert_null(fanin_record_at(ctx, "op", before + 2));
    assert_ptr_equal(fanin_record_find(ctx, "op", "zz_mine"), &good);
    assert_ptr_equal(fanin_record_find(ctx, "op", "my_op"), &good);
    assert_null(fanin_record_find(ctx, "op", "my"));
    assert_null(fanin_record_find(ctx, "loss", "zz_mine"));
    assert_null(fanin_record_find(NULL, "op", "zz_mine"));
    const char *last = "";
    for (int i = 0; i < before + 2; i++) {
        assert_true(strcmp(last, fanin_record_at(ctx, "op", i)->name) < 0);
        last = fanin_record_at(ctx, "op", i)->name;
    }
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "zz_mine", fanin_register_op(ctx, &good));
    first.head.name = "my_op";
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "my_op", fanin_register_op(ctx, &first));
    fanin_ctx_free(ctx);
}

static void incomplete_ops_are_refused(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fanin_op op = good;
    op.head.name = NULL;
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "name", fanin_register_op(ctx, &op));
    static const char *const names[] = {"", "1st", "a-b", "a b", "_x", "a.b"};
    for (int i = 0; i < FI_COUNT(names); i++) {
        op.head.name = names[i];
        assert_refused(ctx, FANIN_ERR_ARGUMENT, "name", fanin_register_op(ctx, &op));
    }
    op = good;
    op.infer = NULL;
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "infer", fanin_register_op(ctx, &op));
    op = good;
    op.forward = NULL;
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "forward", fanin_register_op(ctx, &op));
    op = good;
    op.backward = NULL;
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "backward", fanin_register_op(ctx, &op));
    op.flags = FANIN_OP_NO_GRADIENT;
    assert_ok(ctx, fanin_register_op(ctx, &op));
    op = good;
    op.head.name = "blockwise";
    op.flags = FANIN_OP_ELEMENTWISE;
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "forward", fanin_register_op(ctx, &op));
    op.forward_block = no_block;
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "backward", fanin_register_op(ctx, &op));
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "op", fanin_register_op(ctx, NULL));
    assert_int_equal(fanin_register_op(NULL, &good), FANIN_ERR_ARGUMENT);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(kinds_are_listed),
    cmocka_unit_test(records_are_in_order_and_found),
    cmocka_unit_test(own_ops_join),
    cmocka_unit_test(incomplete_ops_are_refused),
};

int main(void) {
    return test_main(tests);
}
