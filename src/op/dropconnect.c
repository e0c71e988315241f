/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dense layer with DropConnect: in training each weight is dropped with probability `rate` and the
 * others are divided by keep = 1 - rate; otherwise the layer is dense.
 *
 *   y = x · (m ∘ w / keep)ᵀ + b      dw = m ∘ dw' / keep, dw' the gradient of what was used
 *
 * One mask serves all samples of a step. The paper draws one for each sample; then there is no
 * matrix product any more, each sample has a matrix of its own to read, and the layer costs as many
 * times as much as there are samples. The gradient's mean over the masks is the same; its variance
 * is larger by what the samples of a batch have in common. Bits of weight i, counted in the order
 * of the panels, are those of dropout (rate in steps of 2^-16) under the node's key and the step,
 * so that shards of a batch see one mask and threads change nothing.
 *
 * Outside training w is the mean of what was used. The paper matches a Gaussian to each sum, draws
 * from it and averages behind the activation, which costs two products and the draws; averaging
 * predictions over masks estimates the same without the Gaussian.
 *
 * Wan, Zeiler, Zhang, LeCun, Fergus: Regularization of neural networks using DropConnect, ICML
 * 2013, section 3.
 */
#include <string.h>

#include "graph/signal.h"
#include "op/dense.h"

#define CHUNK 16384 /* weights handled by one task */

struct dropconnect {
    struct fi_dense dense; /* first */
    double rate;
};

static const struct fanin_attr_spec attrs[] = {
    FI_DENSE_ATTRS,
    FI_ATTR_REAL(struct dropconnect, rate, 0.5, 0, 1,
                 "probability of dropping a weight, in steps of 2^-16", FANIN_ATTR_BELOW_MAX),
    FI_ATTR_END};

/* Never all: a layer without weights learns nothing. */
static uint32_t threshold_of(const void *attrs_) {
    const uint32_t threshold = fi_op_threshold(((const struct dropconnect *)attrs_)->rate);
    return FI_MIN(threshold, FI_OP_DROP_ALL - 1);
}

static int draws(const void *attrs_) {
    return threshold_of(attrs_) > 0;
}

static enum fanin_status infer(struct fanin_infer *io) {
    int64_t cells, bytes;
    FI_TRY(fi_dense_infer(io));
    if (!fi_mul(io->out.cols + FI_LANES, io->in[0].cols, &cells) ||
        !fi_mul(cells, 1 + (int64_t)sizeof(fi_real), &bytes))
        return io->fail(io, "%lld units of %lld inputs are too many", (long long)io->out.cols,
                        (long long)io->in[0].cols);
    if (draws(io->attrs)) /* weights in use, mask */
        io->state_bytes =
            (size_t)cells * sizeof(fi_real) + fi_op_mask_row_bytes(cells) + FI_OP_MASK_END;
    return FANIN_OK;
}

static bool masked(const struct fanin_step *s) {
    return s->training && draws(s->attrs);
}
static int64_t n_weights(const struct fanin_step *s) {
    return fi_panel_size(s->y->cols, s->x[0]->cols);
}
static fi_real *weights(const struct fanin_step *s) {
    return masked(s) ? s->state : s->params[0].w;
}
static uint8_t *mask(const struct fanin_step *s) {
    return (uint8_t *)((fi_real *)s->state + n_weights(s));
}

/* to = kept ? from · scale : 0, for weights first .. first+n-1. */
static void apply(const struct fanin_step *s, int64_t first, int64_t n, const fi_real *from,
                  fi_real *to) {
    fi_op_pick(mask(s), first, fi_op_keep_scale(threshold_of(s->attrs)), 0, from, to, n);
}

/* Given switches stand in the order of the weight's file, (out, in); the panels' padding is on. */
static void take_switches(const struct fanin_step *s) {
    const int64_t out = s->y->cols, in = s->x[0]->cols;
    uint8_t *keep = mask(s);
    memset(keep, 0xff, (size_t)(n_weights(s) + 7) / 8);
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) {
            const int64_t at = fi_panel_index(out, in, o, i);
            if (!s->switches[o * in + i]) keep[at / 8] &= (uint8_t) ~(1 << at % 8);
        }
}

static void draw_chunk(void *arg, int64_t chunk) {
    const struct fanin_step *s = arg;
    const int64_t first = chunk * CHUNK, n = FI_MIN(CHUNK, n_weights(s) - first);
    if (!s->switches)
        fi_random_below16(s->key, s->step, first, n, threshold_of(s->attrs), mask(s) + first / 8);
    apply(s, first, n, s->params[0].w + first, weights(s) + first);
}

static void prepare(const struct fanin_step *s) {
    const int64_t n = n_weights(s);
    if (masked(s) && s->switches) take_switches(s);
    if (masked(s))
        fi_parallel(fi_step_ctx(s), (n + CHUNK - 1) / CHUNK, 20.0 * (double)n, draw_chunk,
                    (void *)(uintptr_t)s);
}

static void forward(const struct fanin_step *s) {
    fi_dense_forward(s, weights(s));
}

static void take_dw(void *arg, int64_t offset, int64_t n, fi_real *dw) {
    const struct fanin_step *s = arg;
    if (masked(s)) apply(s, offset, n, dw, dw);
    fi_step_emit(s, 0, offset, n, dw);
}

static void backward(const struct fanin_step *s) {
    fi_dense_backward(s, weights(s), s->params[0].frozen ? NULL : take_dw);
}

static int64_t switches(const void *attrs_, const struct fanin_shape *in, double *keep) {
    int64_t n;
    *keep = fi_op_keep_probability(threshold_of(attrs_));
    return fi_mul(((const struct fi_dense *)attrs_)->units, in->cols, &n) ? n : INT64_MAX;
}

static double second_moment(const void *attrs_) {
    return 1 / fi_op_keep_probability(threshold_of(attrs_));
}

/* A weight in use is m w / keep, the same for all samples: E[w²] grows by 1 / keep. */
static struct fanin_param_law law_in_use(const struct fanin_signal_step *s) {
    struct fanin_param_law w = s->params[0];
    w.var = (w.var + w.mean * w.mean) * second_moment(s->attrs) - w.mean * w.mean;
    return w;
}

static void propagate(const struct fanin_signal_step *s) {
    struct fanin_param_law w = law_in_use(s);
    fi_signal_linear(s, &w, ((const struct fi_dense *)s->attrs)->bias ? &s->params[1] : NULL);
}

static void propagate_back(const struct fanin_signal_step *s) {
    struct fanin_param_law w = law_in_use(s);
    fi_signal_linear_back(s, &w, ((const struct fi_dense *)s->attrs)->bias ? &s->params[1] : NULL);
    s->params[0].grad = w.grad * second_moment(s->attrs);
}

static const struct fanin_fold fold = {.linear = "dense"};

static const struct fanin_attr half[] = {{.name = "units", .number = 10}};
static const struct fanin_attr fifth[] = {{.name = "units", .number = 33},
                                          {.name = "rate", .number = 0.2}};
static const struct fanin_attr none[] = {
    {.name = "units", .number = 17}, {.name = "bias", .number = 0}, {.name = "rate", .number = 0}};
static const struct fanin_case cases[] = {
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = half, .n_attrs = 1},
    {.rows = 33, .n_in = 1, .dims = {{49}}, .attrs = fifth, .n_attrs = 2},
    {.rows = 3, .n_in = 1, .dims = {{5, 7}}, .attrs = none, .n_attrs = 3}};

FI_RECORD(op, dropconnect) = {
    .head = {.name = "dropconnect",
             .formula = "y = x·(m∘w)ᵀ / (1 - rate) + b, m ~ Bernoulli(1 - rate); "
                        "outside training y = x·wᵀ + b",
             .reference = "Wan et al., ICML 2013, section 3; one mask a step, inverted scaling",
             .help = "Dense layer that drops each weight with probability `rate` in training and "
                     "scales up the rest.",
             .attrs = attrs,
             .attrs_size = sizeof(struct dropconnect)},
    .flags = FANIN_OP_NO_Y | FANIN_OP_EPILOGUE | FANIN_OP_MIXES | FANIN_OP_STOCHASTIC,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .flops = fi_dense_flops,
    .fold = &fold,
    .second_moment = second_moment,
    .signal = propagate,
    .signal_back = propagate_back,
    .draws = draws,
    .switches = switches,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
