/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gains of activations: the factor on the standard deviation of the weights before an activation f
 * that keeps the second moment of the signal,
 *
 *   gain = 1 / sqrt(E[f(z)²]),  z ~ N(0, 1)
 *
 * from the activation's own curve, so every activation has one, also a program's own. The integral
 * is Gauss and Legendre's rule with 10 points on pieces at most 1/4 wide that end at the curve's
 * kinks: exact to rounding where the curve is analytic between its kinks. Beyond ±12 the density is
 * below 10^-31.
 *
 * He et al., ICCV 2015, eq. 10 is the case of relu. The table that is commonly published has round
 * numbers instead for some (tanh 5/3, selu 3/4), and 1 for sigmoid; they are told beside ours.
 */
#include <string.h>

#include "graph/graph.h"
#include "kernel/math.h"

#define REACH 12.0
#define WIDTH 0.25
#define POINTS 5 /* on each side of a piece's middle */

static const struct {
    const char *name, *text;
    double gain;
} published[] = {{"linear", "1", 1},
                 {"sigmoid", "1", 1},
                 {"tanh", "5/3", 5.0 / 3},
                 {"relu", "sqrt 2", 1.4142135623730951},
                 {"selu", "3/4", 0.75}};

static double weighed_square(const struct fanin_curve *curve, const void *attrs, double z) {
    const double y = curve->f(attrs, z);
    return y * y * fi_exp(-0.5 * z * z);
}

/* The integral from `low` to `high`, between which the curve is smooth. */
static double smooth_piece(const struct fanin_curve *curve, const void *attrs, double low,
                           double high) {
    static const double nodes[POINTS] = {0.1488743389816312109, 0.4333953941292471908,
                                         0.6794095682990244062, 0.8650633666889845107,
                                         0.9739065285171717201};
    static const double weights[POINTS] = {0.2955242247147528702, 0.2692667193099963551,
                                           0.2190863625159820440, 0.1494513491505805932,
                                           0.0666713443086881376};
    const int n = (int)ceil((high - low) / WIDTH);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double half = 0.5 * (high - low) / n, middle = low + (2 * i + 1) * half;
        double part = 0;
        for (int k = 0; k < POINTS; k++)
            part += weights[k] * (weighed_square(curve, attrs, middle - half * nodes[k]) +
                                  weighed_square(curve, attrs, middle + half * nodes[k]));
        sum += half * part;
    }
    return sum;
}

/* The least kink above `from`, at most REACH. */
static double next_kink(const struct fanin_curve *curve, const void *attrs, double from) {
    double next = REACH;
    for (int i = 0; i < curve->n_kinks; i++) {
        const double kink = curve->kink ? curve->kink(attrs, i) : curve->kinks[i];
        if (kink > from && kink < next) next = kink;
    }
    return next;
}

/* E[f(z)²]. */
static double second_moment(const struct fanin_curve *curve, const void *attrs) {
    const double sqrt_2pi = 2.5066282746310002;
    double from = -REACH, sum = 0;
    while (from < REACH) {
        const double to = next_kink(curve, attrs, from);
        sum += smooth_piece(curve, attrs, from, to);
        from = to;
    }
    return sum / sqrt_2pi;
}

enum fanin_status fi_activation_gain(fanin_ctx *ctx, const char *name, double *gain) {
    *gain = 1;
    if (strcmp(name, "linear") == 0) return FANIN_OK;
    const struct fanin_op *op =
        (const struct fanin_op *)(const void *)fanin_record_find(ctx, "op", name);
    if (!op || !op->curve)
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "'%s' is no activation: it has no gain", name);
    struct fi_arena arena;
    const void *attrs;
    fi_arena_init(&arena, ctx);
    enum fanin_status status = fi_attrs_parse(&arena, &attrs, &op->head, NULL, 0, name);
    const double moment = status == FANIN_OK ? second_moment(op->curve, attrs) : 1;
    fi_arena_free(&arena);
    FI_TRY(status);
    if (!isfinite(moment) || moment <= 0)
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "activation '%s' has no gain: E[f(z)^2] = %g", name,
                       moment);
    *gain = 1 / sqrt(moment);
    return FANIN_OK;
}

/* What is to be said of a gain given by name: "gain of tanh 1.5925 (published 5/3)". */
static char *remark(struct fi_arena *arena, const char *before, const char *name, double gain) {
    for (int i = 0; i < FI_COUNT(published); i++)
        if (strcmp(published[i].name, name) == 0 && fabs(published[i].gain - gain) > 1e-9 * gain)
            return fi_arena_printf(arena, "%s; gain of %s %.5g (published %s)", before, name, gain,
                                   published[i].text);
    return fi_arena_printf(arena, "%s; gain of %s %.5g", before, name, gain);
}

enum fanin_status fi_gains_resolve(struct fi_arena *arena, struct fanin_rule_ref *rule,
                                   const char **why) {
    char *own = NULL;
    for (const struct fanin_attr_spec *s = rule->record->attrs; s && s->name; s++) {
        if (s->type != FANIN_ATTR_GAIN) continue;
        const struct fanin_gain *given = (const void *)((const char *)rule->attrs + s->offset);
        if (!given->name) continue;
        if (!own) {
            own = fi_arena_alloc(arena, 1, rule->record->attrs_size);
            if (!own) return FANIN_ERR_MEMORY;
            memcpy(own, rule->attrs, rule->record->attrs_size);
        }
        struct fanin_gain *gain = (void *)(own + s->offset);
        FI_TRY(fi_activation_gain(arena->ctx, given->name, &gain->value));
        if (!why) continue;
        *why = remark(arena, *why, given->name, gain->value);
        if (!*why) return FANIN_ERR_MEMORY;
    }
    if (own) rule->attrs = own;
    return FANIN_OK;
}
