/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flatten: a sample of any shape becomes one row of numbers, in the same order. Samples are stored
 * as rows already, so only the shape changes; the engine may let both tensors share memory.
 */
#include "op/op.h"

static enum fanin_status infer(struct fanin_infer *io) {
    FI_TRY(fi_op_infer_same(io));
    io->out = (struct fanin_shape){.rank = 1, .dims = {io->in[0].cols}, .cols = io->in[0].cols};
    return FANIN_OK;
}

static void forward_block(const struct fanin_step *s, const struct fanin_block *b, const fi_real *x,
                          int64_t ldx, fi_real *y, int64_t ldy) {
    (void)s;
    fi_op_copy(b, x, ldx, y, ldy);
}

static void backward_block(const struct fanin_step *s, const struct fanin_block *b,
                           const fi_real *x, int64_t ldx, const fi_real *y, int64_t ldy,
                           const fi_real *dy, int64_t lddy, fi_real *dx, int64_t lddx) {
    (void)s, (void)x, (void)ldx, (void)y, (void)ldy;
    fi_op_copy(b, dy, lddy, dx, lddx);
}

static const struct fanin_case cases[] = {{.rows = 1, .n_in = 1, .dims = {{1}}},
                                          {.rows = 5, .n_in = 1, .dims = {{7}}},
                                          {.rows = 3, .n_in = 1, .dims = {{2, 3, 5}}},
                                          {.rows = 33, .n_in = 1, .dims = {{31, 33}}}};

static const struct fanin_fold fold = {.same = 1};

FI_RECORD(op, flatten) = {.head = {.name = "flatten",
                                   .formula = "y = x as one row",
                                   .reference = "definition",
                                   .help = "Makes each sample one row of numbers."},
                          .flags = FANIN_OP_ODD | FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X |
                                   FANIN_OP_NO_Y | FANIN_OP_KEEPS_SIGN | FANIN_OP_TRANSPARENT,
                          .infer = infer,
                          .forward_block = forward_block,
                          .backward_block = backward_block,
                          .flops = fi_op_no_flops,
                          .fold = &fold,
                          .signal = fi_signal_sum,
                          .signal_back = fi_signal_sum_back,
                          .cases = cases,
                          .n_cases = FI_COUNT(cases)};
