/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dense layer: y = x · wᵀ + b, w (units, in), b (units). A sample of any rank is read as one row.
 *
 *   dx = dy · w        dw = dyᵀ · x        db = Σ rows of dy
 *
 * dx comes first: handing over dw may already change w. The elementwise nodes behind the layer run
 * on each finished block of y, those before it on each finished block of dx.
 */
#include "op/dense.h"
#include "graph/signal.h"

static const struct fanin_attr_spec attrs[] = {FI_DENSE_ATTRS, FI_ATTR_END};

enum fanin_status fi_dense_infer(struct fanin_infer *io) {
    const struct fi_dense *a = io->attrs;
    const int64_t in = io->in[0].cols;
    if (io->n_in != 1) return io->fail(io, "a dense layer reads one node, not %d", io->n_in);
    io->out = (struct fanin_shape){.rank = 1, .dims = {a->units}, .cols = a->units};
    io->params[0] = (struct fanin_param_spec){.suffix = "weight",
                                              .layout = FANIN_LAYOUT_PANELS,
                                              .rank = 2,
                                              .dims = {a->units, in},
                                              .fan_in = in,
                                              .fan_out = a->units,
                                              .trainable = 1,
                                              .decay = 1,
                                              .weight = 1,
                                              .init = a->init};
    io->params[1] = (struct fanin_param_spec){.suffix = "bias",
                                              .rank = 1,
                                              .dims = {a->units},
                                              .fan_in = in,
                                              .fan_out = a->units,
                                              .trainable = 1,
                                              .init = a->bias_init};
    io->n_params = a->bias ? 2 : 1;
    io->scratch_bytes_per_row =
        (size_t)(a->units + in) * sizeof(fi_real); /* of products; then db */
    return FANIN_OK;
}

double fi_dense_flops(const struct fanin_infer *io) {
    const struct fi_dense *a = io->attrs;
    return (double)a->units * (2.0 * (double)io->in[0].cols + (a->bias ? 1 : 0));
}

/* Adds 16 numbers to each row. */
static void add_lanes(fi_real *y, int64_t ld, int64_t rows, const fi_real *bias) {
    fi_real b[FI_LANES];
    for (int l = 0; l < FI_LANES; l++) b[l] = bias[l];
    for (int64_t r = 0; r < rows; r++, y += ld)
        for (int l = 0; l < FI_LANES; l++) y[l] += b[l];
}

static void finish_y(void *arg, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
    const struct fanin_step *s = arg;
    if (((const struct fi_dense *)s->attrs)->bias)
        for (int64_t c = 0; c < cols; c += FI_LANES) /* rows and biases are padded to whole lanes */
            add_lanes(s->y->data + row0 * s->y->ld + col0 + c, s->y->ld, rows,
                      s->params[1].w + col0 + c);
    fi_step_forward_chain(s, row0, rows, col0, cols);
}

void fi_dense_forward(const struct fanin_step *s, const fi_real *w) {
    fi_product_y(fi_step_ctx(s), s->rows, s->y->cols, s->x[0]->cols, s->x[0]->data, s->x[0]->ld, w,
                 s->y->data, s->y->ld, s->scratch, finish_y, (void *)(uintptr_t)s);
}

static void finish_dx(void *arg, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
    fi_step_backward_chain(arg, row0, rows, col0, cols);
}

void fi_dense_backward(const struct fanin_step *s, const fi_real *w, fi_range_fn take_dw) {
    fanin_ctx *ctx = fi_step_ctx(s);
    const int64_t out = s->y->cols, in = s->x[0]->cols;
    void *self = (void *)(uintptr_t)s;
    struct fi_touched touched;
    if (take_dw) fi_step_touched(s, 0, &touched);
    if (take_dw && s->dx[0] && fi_product_back_suits(s->rows, out, in)) {
        fi_product_back(ctx, s->rows, out, in, s->dy->data, s->dy->ld, s->x[0]->data, s->x[0]->ld,
                        w, s->dx[0]->data, s->dx[0]->ld, s->scratch, &touched, finish_dx, take_dw,
                        self);
    } else {
        if (s->dx[0])
            fi_product_dx(ctx, s->rows, out, in, s->dy->data, s->dy->ld, w, s->dx[0]->data,
                          s->dx[0]->ld, s->scratch, finish_dx, self);
        fi_step_input_done(s);
        if (take_dw)
            fi_product_dw(ctx, s->rows, out, in, s->dy->data, s->dy->ld, s->x[0]->data, s->x[0]->ld,
                          s->scratch, &touched, take_dw, self);
    }
    if (((const struct fi_dense *)s->attrs)->bias && !s->params[1].frozen) {
        const int64_t lanes = (out + FI_LANES - 1) / FI_LANES * FI_LANES; /* dy is padded to them */
        fi_column_sums(s->dy->data, s->rows, lanes, s->dy->ld, s->scratch);
        fi_step_emit(s, 1, 0, out, s->scratch);
    }
}

static void forward(const struct fanin_step *s) {
    fi_dense_forward(s, s->params[0].w);
}

static void take_dw(void *arg, int64_t offset, int64_t n, fi_real *g) {
    fi_step_emit(arg, 0, offset, n, g);
}

static void backward(const struct fanin_step *s) {
    fi_dense_backward(s, s->params[0].w, s->params[0].frozen ? NULL : take_dw);
}

static void propagate(const struct fanin_signal_step *s) {
    const struct fi_dense *a = s->attrs;
    fi_signal_linear(s, &s->params[0], a->bias ? &s->params[1] : NULL);
}

static void propagate_back(const struct fanin_signal_step *s) {
    const struct fi_dense *a = s->attrs;
    fi_signal_linear_back(s, &s->params[0], a->bias ? &s->params[1] : NULL);
}

static const struct fanin_attr units1[] = {{.name = "units", .number = 1}};
static const struct fanin_attr units10[] = {{.name = "units", .number = 10}};
static const struct fanin_attr units33[] = {{.name = "units", .number = 33}};
static const struct fanin_attr no_bias[] = {{.name = "units", .number = 17},
                                            {.name = "bias", .number = 0}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}, .attrs = units1, .n_attrs = 1},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = units10, .n_attrs = 1},
    {.rows = 33, .n_in = 1, .dims = {{13}}, .attrs = units33, .n_attrs = 1},
    {.rows = 3, .n_in = 1, .dims = {{5, 7}}, .attrs = no_bias, .n_attrs = 2},
    {.rows = 50, .n_in = 1, .dims = {{49}}, .attrs = no_bias, .n_attrs = 2}};

static const struct fanin_fold fold = {.linear = "dense"};

FI_RECORD(op,
          dense) = {.head = {.name = "dense",
                             .aliases = "linear",
                             .formula = "y = x·wᵀ + b",
                             .reference = "definition",
                             .help = "Every output is a weighted sum of all inputs plus a bias.",
                             .attrs = attrs,
                             .attrs_size = sizeof(struct fi_dense)},
                    .flags = FANIN_OP_ODD | FANIN_OP_NO_Y | FANIN_OP_EPILOGUE | FANIN_OP_MIXES,
                    .infer = fi_dense_infer,
                    .forward = forward,
                    .backward = backward,
                    .flops = fi_dense_flops,
                    .fold = &fold,
                    .signal = propagate,
                    .signal_back = propagate_back,
                    .cases = cases,
                    .n_cases = FI_COUNT(cases)};
