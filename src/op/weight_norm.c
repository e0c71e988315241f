/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dense layer with weight normalization: each unit's weights are a length g and a direction v/‖v‖.
 *
 *   w_o = g_o v_o / ‖v_o‖, y = x · wᵀ + b
 *   dg_o = dw_o · v_o / ‖v_o‖        dv_o = g_o/‖v_o‖ (dw_o - dg_o v_o/‖v_o‖)
 *
 * w is made once a step, lane by lane of a panel, with double sums in the order of the inputs. The
 * gradient of w has to be whole before it can be projected, so it is collected, and each panel is
 * finished on its own.
 *
 * The initializer draws v, and g starts as ‖v‖: the layer starts as the dense layer it would be
 * without. A unit without a direction (v = 0) has no such start and is refused; should training
 * ever bring one about, its w is 0. Weight decay and penalties apply to g: the length of v is no
 * part of the function, and ‖w‖² = Σ g². Constraints apply to both, so that they hold for w.
 *
 * Salimans, Kingma: Weight normalization, NeurIPS 2016, equations 2 and 3.
 */
#include "op/dense.h"

#include <string.h>

struct weight_norm {
    struct fi_dense dense; /* first */
};

static const struct fanin_attr_spec attrs[] = {FI_DENSE_ATTRS, FI_ATTR_END};

static int length_index(const void *attrs_) {
    return ((const struct fi_dense *)attrs_)->bias ? 2 : 1;
}

static enum fanin_status infer(struct fanin_infer *io) {
    FI_TRY(fi_dense_infer(io));
    const int64_t units = io->out.cols, in = io->in[0].cols;
    int64_t bytes;
    io->params[0].suffix = "weight_v";
    io->params[0].decay = 0;
    io->params[io->n_params++] = (struct fanin_param_spec){.suffix = "weight_g",
                                                           .layout = FANIN_LAYOUT_VECTOR,
                                                           .rank = 2,
                                                           .dims = {units, 1},
                                                           .fan_in = in,
                                                           .fan_out = units,
                                                           .trainable = 1,
                                                           .decay = 1,
                                                           .scales = 1,
                                                           .fill = NAN};
    if (!fi_mul(units + FI_LANES, in, &bytes) ||
        !fi_mul(bytes, 2 * (int64_t)sizeof(fi_real), &bytes))
        return io->fail(io, "%lld units of %lld inputs are too many", (long long)units,
                        (long long)in);
    io->state_bytes = (size_t)bytes; /* w and its gradient */
    return FANIN_OK;
}

/* A panel: lanes o0 .. o0+width of the weights, the first `valid` of them units. */
struct panel {
    int64_t o0, width, valid, at, in;
};

static struct panel panel_of(int64_t out, int64_t in, int64_t index) {
    struct panel p = {.o0 = index * FI_PANEL, .in = in};
    p.width = fi_panel_width(out, index);
    p.valid = FI_MIN(p.width, out - p.o0);
    p.at = p.o0 * in;
    return p;
}

/* sum[l] = Σ_i a[i][l] b[i][l] */
static void dots(const struct panel *p, const fi_real *a, const fi_real *b, double *sum) {
    for (int l = 0; l < FI_PANEL; l++) sum[l] = 0;
    for (int64_t i = 0; i < p->in; i++, a += p->width, b += p->width)
        for (int64_t l = 0; l < p->width; l++) sum[l] += (double)a[l] * (double)b[l];
}

/* 1 / ‖v‖, 0 where v is 0. */
static void inverse_lengths(const struct panel *p, const fi_real *v, double *inverse) {
    dots(p, v, v, inverse);
    for (int l = 0; l < FI_PANEL; l++) inverse[l] = inverse[l] > 0 ? 1 / sqrt(inverse[l]) : 0;
}

static fi_real *weights(const struct fanin_step *s) {
    return s->state;
}
static fi_real *gradient(const struct fanin_step *s) {
    return weights(s) + fi_panel_size(s->y->cols, s->x[0]->cols);
}

static void make_panel(void *arg, int64_t index) {
    const struct fanin_step *s = arg;
    const struct panel p = panel_of(s->y->cols, s->x[0]->cols, index);
    const fi_real *g = s->params[length_index(s->attrs)].w + p.o0, *v = s->params[0].w + p.at;
    fi_real *w = weights(s) + p.at, factor[FI_PANEL] = {0};
    double inverse[FI_PANEL];
    inverse_lengths(&p, v, inverse);
    for (int64_t l = 0; l < p.valid; l++) factor[l] = (fi_real)((double)g[l] * inverse[l]);
    for (int64_t i = 0; i < p.in; i++, v += p.width, w += p.width)
        for (int64_t l = 0; l < p.width; l++) w[l] = v[l] * factor[l];
}

static void each_panel(const struct fanin_step *s, void (*panel)(void *, int64_t)) {
    fi_parallel(fi_step_ctx(s), fi_panels(s->y->cols),
                4.0 * (double)s->y->cols * (double)s->x[0]->cols, panel, (void *)(uintptr_t)s);
}

static void prepare(const struct fanin_step *s) {
    each_panel(s, make_panel);
}

static void forward(const struct fanin_step *s) {
    fi_dense_forward(s, weights(s));
}

static void keep_dw(void *arg, int64_t offset, int64_t n, fi_real *dw) {
    memcpy(gradient(arg) + offset, dw, (size_t)n * sizeof(*dw));
}

/* From dw to dg and dv, which are handed over. */
static void finish_panel(void *arg, int64_t index) {
    const struct fanin_step *s = arg;
    const struct panel p = panel_of(s->y->cols, s->x[0]->cols, index);
    const int length = length_index(s->attrs);
    const fi_real *g = s->params[length].w + p.o0, *v = s->params[0].w + p.at;
    fi_real *dw = gradient(s) + p.at, dg[FI_PANEL] = {0}, a[FI_PANEL] = {0}, b[FI_PANEL] = {0};
    double inverse[FI_PANEL], dot[FI_PANEL];
    inverse_lengths(&p, v, inverse);
    dots(&p, dw, v, dot);
    for (int64_t l = 0; l < p.valid; l++) {
        const double factor = (double)g[l] * inverse[l];
        dg[l] = (fi_real)(dot[l] * inverse[l]);
        a[l] = (fi_real)factor;
        b[l] = (fi_real)(-factor * dot[l] * inverse[l] * inverse[l]);
    }
    for (int64_t i = 0; i < p.in; i++, v += p.width, dw += p.width)
        for (int64_t l = 0; l < p.width; l++) dw[l] = fi_fma(b[l], v[l], a[l] * dw[l]);
    fi_step_emit(s, 0, p.at, p.width * p.in, gradient(s) + p.at);
    fi_step_emit(s, length, p.o0, p.valid, dg);
}

static void backward(const struct fanin_step *s) {
    const bool frozen = s->params[0].frozen && s->params[length_index(s->attrs)].frozen;
    fi_dense_backward(s, weights(s), frozen ? NULL : keep_dw);
    if (!frozen) each_panel(s, finish_panel);
}

static const char *start(const void *attrs_, const struct fanin_param_view *params) {
    const struct fanin_param_view *v = &params[0], *g = &params[length_index(attrs_)];
    for (int64_t index = 0; index < fi_panels(v->out); index++) {
        const struct panel p = panel_of(v->out, v->in, index);
        double square[FI_PANEL];
        dots(&p, v->w + p.at, v->w + p.at, square);
        for (int64_t l = 0; l < p.valid; l++) {
            if (!(square[l] > 0))
                return "a unit's weights are all 0 and have no direction: start weight_v at random "
                       "(init: xavier_uniform or kaiming_normal)";
            g->w[p.o0 + l] = (fi_real)sqrt(square[l]);
        }
    }
    return NULL;
}

/* The dense layer it is outside training. */
static void matrix(const void *attrs_, const float *const *params, int64_t out, int64_t in,
                   double *w, double *b) {
    const int length = length_index(attrs_);
    for (int64_t o = 0; o < out; o++) {
        const float *v = params[0] + o * in;
        double square = 0;
        for (int64_t i = 0; i < in; i++) square += (double)v[i] * (double)v[i];
        const double factor = square > 0 ? (double)params[length][o] / sqrt(square) : 0;
        for (int64_t i = 0; i < in; i++) w[o * in + i] = (double)v[i] * factor;
        if (length == 2) b[o] = (double)params[1][o];
    }
}

/* The weights in use have lengths g: E[w²] = E[g²] / n_in, and the mean of v to its spread. */
static struct fanin_param_law law_in_use(const struct fanin_signal_step *s, double *factor) {
    const struct fanin_param_law *v = &s->params[0], *g = &s->params[length_index(s->attrs)];
    const double square = (double)s->units_in[0] * (v->mean * v->mean + v->var);
    *factor = square > 0 ? (g->mean * g->mean + g->var) / square : 0;
    return (struct fanin_param_law){.mean = sqrt(*factor) * v->mean, .var = *factor * v->var};
}

static void propagate(const struct fanin_signal_step *s) {
    double factor;
    struct fanin_param_law w = law_in_use(s, &factor);
    fi_signal_linear(s, &w, length_index(s->attrs) == 2 ? &s->params[1] : NULL);
}

/* The gradient of w, whose numbers are alike in all directions, along v and across it. */
static void propagate_back(const struct fanin_signal_step *s) {
    double factor;
    struct fanin_param_law w = law_in_use(s, &factor);
    fi_signal_linear_back(s, &w, length_index(s->attrs) == 2 ? &s->params[1] : NULL);
    s->params[0].grad = factor * w.grad * (1 - 1 / (double)s->units_in[0]);
    s->params[length_index(s->attrs)].grad = w.grad;
}

static const struct fanin_fold fold = {.linear = "dense", .matrix = matrix};

static const struct fanin_attr units1[] = {{.name = "units", .number = 1}};
static const struct fanin_attr units10[] = {{.name = "units", .number = 10}};
static const struct fanin_attr units49[] = {{.name = "units", .number = 49}};
static const struct fanin_attr no_bias[] = {{.name = "units", .number = 17},
                                            {.name = "bias", .number = 0}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{2}}, .attrs = units1, .n_attrs = 1},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = units10, .n_attrs = 1},
    {.rows = 33, .n_in = 1, .dims = {{13}}, .attrs = units49, .n_attrs = 1},
    {.rows = 3, .n_in = 1, .dims = {{5, 7}}, .attrs = no_bias, .n_attrs = 2}};

FI_RECORD(op, weight_norm) = {
    .head = {.name = "weight_norm",
             .formula = "y = x·wᵀ + b, w = weight_g · weight_v / ‖weight_v‖ for each unit",
             .reference = "Salimans & Kingma, NeurIPS 2016, equations 2 and 3",
             .help = "Dense layer that learns the length and the direction of each unit's weights "
                     "apart.",
             .attrs = attrs,
             .attrs_size = sizeof(struct weight_norm)},
    .flags = FANIN_OP_ODD | FANIN_OP_NO_Y | FANIN_OP_EPILOGUE | FANIN_OP_MIXES,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .start = start,
    .flops = fi_dense_flops,
    .fold = &fold,
    .signal = propagate,
    .signal_back = propagate_back,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
