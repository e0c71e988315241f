/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gains of activations: the factor on the standard deviation of the weights before an activation f
 * that keeps the second moment of the signal,
 *
 *   gain = 1 / sqrt(E[f(z)²]),  z ~ N(0, 1)
 *
 * from the activation's own curve, so every activation has one, also a program's own: by the
 * quadrature of curve.c.
 *
 * He et al., ICCV 2015, eq. 10 is the case of relu. The table that is commonly published has round
 * numbers instead for some (tanh 5/3, selu 3/4), and 1 for sigmoid; they are told beside ours.
 */
#include <string.h>

#include "graph/curve.h"
#include "kernel/math.h"

static const struct {
    const char *name, *text;
    double gain;
} published[] = {{"linear", "1", 1},
                 {"sigmoid", "1", 1},
                 {"tanh", "5/3", 5.0 / 3},
                 {"relu", "sqrt 2", 1.4142135623730951},
                 {"selu", "3/4", 0.75}};

/* E[f(z)²]. */
static enum fanin_status second_moment(fanin_ctx *ctx, const struct fanin_curve *curve,
                                       const void *attrs, double *moment) {
    struct fi_curve_nodes *nodes = fi_alloc(ctx, 1, sizeof *nodes);
    *moment = 0;
    if (!nodes) return FANIN_ERR_MEMORY;
    fi_curve_nodes(nodes, curve, attrs, 0, 1, 1);
    for (int i = 0; i < nodes->n; i++) {
        const double y = curve->f(attrs, nodes->z[i]);
        *moment += nodes->weight[i] * y * y;
    }
    fi_free(ctx, nodes);
    return FANIN_OK;
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
    double moment = 1;
    if (status == FANIN_OK) status = second_moment(ctx, op->curve, attrs, &moment);
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
