/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reshape: the numbers of a sample in the same order under other dimensions, of which one may be
 * -1: as many as remain. Samples are stored as rows, so only the shape changes; the engine may let
 * both tensors share memory.
 */
#include "op/op.h"

struct reshape {
    struct fanin_list shape;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_LIST(struct reshape, shape,
                 "the dimensions of a sample, without the batch; one may be -1: what remains",
                 FANIN_ATTR_REQUIRED),
    FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    const struct fanin_list *shape = &((const struct reshape *)io->attrs)->shape;
    char text[FI_SHAPE_TEXT];
    int64_t given = 1;
    int open = -1;
    FI_TRY(fi_op_infer_same(io));
    if (shape->n < 1 || shape->n > FANIN_MAX_RANK)
        return io->fail(io, "shape has 1 to %d dimensions, not %lld", FANIN_MAX_RANK,
                        (long long)shape->n);
    io->out = (struct fanin_shape){.rank = (int)shape->n, .cols = io->in[0].cols};
    for (int i = 0; i < shape->n; i++) {
        const double d = shape->values[i];
        if (d == -1 && open < 0) {
            open = i;
            continue;
        }
        if (!(d >= 1 && d <= 1e15) || d != floor(d))
            return io->fail(io, "shape: dimension %d is %g; whole numbers from 1, and one -1",
                            i + 1, d);
        io->out.dims[i] = (int64_t)d;
        if (!fi_mul(given, io->out.dims[i], &given)) given = 0;
    }
    const bool fits = given > 0 && (open < 0 ? given == io->out.cols : io->out.cols % given == 0);
    if (!fits)
        return io->fail(io, "the %lld numbers of a sample %s do not fit the shape asked for",
                        (long long)io->out.cols, fi_op_shape_text(text, &io->in[0]));
    if (open >= 0) io->out.dims[open] = io->out.cols / given;
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

static const struct fanin_fold fold = {.same = 1};

static const double flat[] = {-1}, image[] = {3, -1, 2}, whole[] = {11, 93};
static const struct fanin_attr to_flat[] = {{.name = "shape", .list = flat, .n_list = 1}};
static const struct fanin_attr to_image[] = {{.name = "shape", .list = image, .n_list = 3}};
static const struct fanin_attr to_whole[] = {{.name = "shape", .list = whole, .n_list = 2}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}, .attrs = to_flat, .n_attrs = 1},
    {.rows = 5, .n_in = 1, .dims = {{2, 9}}, .attrs = to_image, .n_attrs = 1},
    {.rows = 33, .n_in = 1, .dims = {{31, 33}}, .attrs = to_whole, .n_attrs = 1}};

FI_RECORD(op, reshape) = {.head = {.name = "reshape",
                                   .formula = "y = x under other dimensions",
                                   .reference = "definition",
                                   .help = "Gives the numbers of a sample another shape.",
                                   .attrs = attrs,
                                   .attrs_size = sizeof(struct reshape)},
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
