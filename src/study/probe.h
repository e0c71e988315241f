/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes: what a study measures of a run beside the events that training sends anyway. A probe
 * looks at a model on its data, at the start, at some updates, after each epoch or at the end, and
 * gives figures: a number each under a name, of the whole net or of one of its layers, units or
 * parameters.
 *
 * A probe may run the model and change it on the way, but leaves its parameters, running statistics
 * among them, as they were, bit by bit: a run that is looked at ends like one that is not. What it
 * draws at random is keyed by the run's seed and the probe's name, never by when it looks.
 */
#ifndef FI_PROBE_H
#define FI_PROBE_H

#include "recipe/recipe.h"

#define FI_PROBE_BINS 40

/* One look. */
struct fi_look_at {
    fanin_ctx *ctx;
    const fanin_recipe *recipe; /* of this run, with all overrides */
    fanin_model *model;
    const fanin_data *data;
    int64_t step; /* updates done */
    /* Takes a figure. where: the layer, parameter or unit it is of; "": the whole. Texts are
     * copied. NaN: there is none here. Never fails: what went wrong is told when the look is over.
     */
    void (*add)(void *to, const char *figure, const char *where, double value);
    /* Takes a histogram: bins of equal width between low and high. */
    void (*bins)(void *to, const char *figure, const char *where, double low, double high,
                 const int64_t *counts, int n);
    void *to;
};

struct fi_probe {
    struct fanin_record head;
    bool once; /* at the start or the end only: it costs as much as a training, or looks at no model
                  that learns */
    /* Errors: as of what it calls; RECIPE where attributes name what the net has not. */
    enum fanin_status (*look)(const struct fi_look_at *look, const void *attrs);
};

/* The node of a name for the attribute `key` of a probe. Errors: RECIPE (the nearest name). */
enum fanin_status fi_probe_node(const struct fi_look_at *look, const char *key, const char *name,
                                int *node);

#endif
