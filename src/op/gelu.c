/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gaussian error linear unit: y = x Φ(x), Φ the normal distribution function, φ its density;
 *
 *   none   Φ(x) = (1 + erf(x/√2)) / 2                dy/dx = Φ(x) + x φ(x)
 *   tanh   Φ(x) ≈ (1 + tanh u) / 2 = σ(2u)           dy/dx = σ(2u) + x σ(2u) σ(-2u) 2u'
 *          u = √(2/π) (x + 0.044715 x³)
 *
 * The attribute is PyTorch's. The two differ by up to 5e-4: the approximation is for models trained
 * with it, not for speed. Where Φ is 0 or 1 in float and double x counts as a bound, so that no
 * infinity meets a zero.
 *
 * Hendrycks, Gimpel: Gaussian error linear units, 2016 (in the place of relu, hence the family).
 */
#include "op/activation.h"

struct gelu {
    int approximate;
};
enum { APPROXIMATE_NONE, APPROXIMATE_TANH };

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_CHOICE(struct gelu, approximate, APPROXIMATE_NONE, "none|tanh",
                   "none: by the error function; tanh: the paper's approximation"),
    FI_ATTR_END};

#define BOUND 40 /* Φ(-40) is below the smallest double */
#define SQRT_HALF 0.70710678118654752440
#define DENSITY_0 0.39894228040143267794  /* φ(0) = 1 / √(2π) */
#define TWICE_SCALE 1.5957691216057307117 /* 2 √(2/π) */
#define CUBIC 0.044715

static inline fi_real exact_value(const void *attrs, fi_real x) {
    (void)attrs;
    const fi_real low = x < -BOUND ? -BOUND : x, half = (fi_real)0.5 * low;
    return fi_fma(half, fi_r_erf((fi_real)SQRT_HALF * low), half);
}
static inline fi_real exact_slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)y;
    const fi_real z = FI_CLAMP(x, -BOUND, BOUND);
    const fi_real below = fi_fma((fi_real)0.5, fi_r_erf((fi_real)SQRT_HALF * z), (fi_real)0.5);
    return fi_fma((fi_real)DENSITY_0 * z, fi_r_exp_down((fi_real)-0.5 * z * z), below);
}

static inline fi_real tanh_value(const void *attrs, fi_real x) {
    (void)attrs;
    const fi_real z = FI_CLAMP(x, -BOUND, BOUND);
    const fi_real cubic = fi_fma((fi_real)(TWICE_SCALE * CUBIC), z * z, (fi_real)TWICE_SCALE);
    return (x < -BOUND ? -BOUND : x) * fi_r_sigmoid(z * cubic);
}
static inline fi_real tanh_slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)y;
    const fi_real z = FI_CLAMP(x, -BOUND, BOUND), square = z * z;
    const fi_real cubic = fi_fma((fi_real)(TWICE_SCALE * CUBIC), square, (fi_real)TWICE_SCALE);
    const fi_real inner = fi_fma((fi_real)(3 * TWICE_SCALE * CUBIC), square, (fi_real)TWICE_SCALE);
    const fi_real e = fi_r_exp_down(-fi_abs(z * cubic)), w = 1 / (1 + e);
    return fi_fma(z * inner, e * w * w, (x < 0 ? e : 1) * w);
}

FI_ACTIVATION_LOOPS(exact_forward, exact_backward, exact_value, exact_slope)
FI_ACTIVATION_LOOPS(tanh_forward, tanh_backward, tanh_value, tanh_slope)

static bool by_tanh(const void *attrs) {
    return ((const struct gelu *)attrs)->approximate == APPROXIMATE_TANH;
}

static void forward_block(const struct fanin_step *s, const struct fanin_block *b, const fi_real *x,
                          int64_t ldx, fi_real *y, int64_t ldy) {
    (by_tanh(s->attrs) ? tanh_forward : exact_forward)(s, b, x, ldx, y, ldy);
}

static void backward_block(const struct fanin_step *s, const struct fanin_block *b,
                           const fi_real *x, int64_t ldx, const fi_real *y, int64_t ldy,
                           const fi_real *dy, int64_t lddy, fi_real *dx, int64_t lddx) {
    (by_tanh(s->attrs) ? tanh_backward : exact_backward)(s, b, x, ldx, y, ldy, dy, lddy, dx, lddx);
}

static double curve_f(const void *attrs, double x) {
    const double z = FI_CLAMP(x, -BOUND, BOUND), low = x < -BOUND ? -BOUND : x;
    if (by_tanh(attrs)) return low * fi_sigmoid(TWICE_SCALE * (z + CUBIC * z * z * z));
    return low * (0.5 + 0.5 * fi_erf(SQRT_HALF * z));
}
static double curve_df(const void *attrs, double x) {
    const double z = FI_CLAMP(x, -BOUND, BOUND);
    if (by_tanh(attrs)) {
        const double e = fi_exp(-fabs(TWICE_SCALE * (z + CUBIC * z * z * z))), w = 1 / (1 + e);
        return (x < 0 ? e : 1) * w + z * TWICE_SCALE * (1 + 3 * CUBIC * z * z) * e * w * w;
    }
    return 0.5 + 0.5 * fi_erf(SQRT_HALF * z) + DENSITY_0 * z * fi_exp(-0.5 * z * z);
}
static const struct fanin_curve curve = {.f = curve_f, .df = curve_df, .family = "relu"};

static const struct fanin_attr approximate[] = {{.name = "approximate", .text = "tanh"}};
static const struct fanin_case cases[] = {FI_ACTIVATION_SHAPES, FI_ACTIVATION_CASE(approximate)};

FI_RECORD(op, gelu) = {.head = {.name = "gelu",
                                .formula = "y = x * (1 + erf(x / sqrt(2))) / 2",
                                .reference = "Hendrycks & Gimpel 2016",
                                .help = "Smooth rectifier: x times the normal distribution "
                                        "function.",
                                .attrs = specs,
                                .attrs_size = sizeof(struct gelu)},
                       .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_Y,
                       .infer = fi_op_infer_same,
                       .forward_block = forward_block,
                       .backward_block = backward_block,
                       .curve = &curve,
                       .cases = cases,
                       .n_cases = FI_COUNT(cases)};
