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
#include "train/train.h"

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

/* Refuses a model whose predictions are not one distribution over classes. */
enum fanin_status fi_probe_classes(const struct fi_look_at *look, const char *probe);

/* ---- samples of a part ---------------------------------------------------------------------------- */

/* Samples a batch has at most. */
#define FI_PROBE_ROWS 256

/* What is known of a batch of samples. */
struct fi_probe_truth {
    int64_t *index;
    int32_t *labels;
    struct fanin_tensor targets;
    double *weights;
    struct fi_truth truth; /* as the loss takes it */
};
enum fanin_status fi_probe_truth_create(struct fi_probe_truth *t, const fanin_model *model,
                                        struct fi_arena *arena);
/* Samples first .. first+n-1, n <= FI_PROBE_ROWS. */
void fi_probe_truth_load(struct fi_probe_truth *t, const struct fi_look_at *look,
                         enum fanin_part part, int64_t first, int64_t n);
/* The class of row r, of a distribution the most probable one; -1: the row does not count. */
int32_t fi_probe_class(const struct fi_probe_truth *t, const fanin_model *model, int64_t r);

/* A pass over the first samples of a part in inference, every node's output kept:
 *
 *     FI_TRY(fi_probe_pass_open(&pass, look, part, rows, &arena));
 *     while (fi_probe_pass_next(&pass)) … pass.exec->y[node] has pass.n rows …
 *     fi_probe_pass_close(&pass); */
struct fi_probe_pass {
    const struct fi_look_at *look;
    enum fanin_part part;
    struct fi_exec *exec;
    struct fi_probe_truth known;
    int64_t rows;  /* of the pass */
    int64_t first; /* of this batch */
    int64_t n;     /* in this batch */
};
/* rows 0: all that there are. Errors: ARGUMENT (the part is empty), SHAPE, DATA, MEMORY. */
enum fanin_status fi_probe_pass_open(struct fi_probe_pass *p, const struct fi_look_at *look,
                                     enum fanin_part part, int64_t rows, struct fi_arena *arena);
bool fi_probe_pass_next(struct fi_probe_pass *p);
/* So that the next batch is the first again. */
void fi_probe_pass_rewind(struct fi_probe_pass *p);
void fi_probe_pass_close(struct fi_probe_pass *p);

/* A node's outputs for the first samples of a part, in the arena; ld is cols. Errors: as of a pass.
 */
enum fanin_status fi_probe_outputs(const struct fi_look_at *look, enum fanin_part part,
                                   int64_t rows, int node, struct fi_arena *arena,
                                   struct fanin_tensor *out);

/* ---- figures -------------------------------------------------------------------------------------- */

/* Every figure of an evaluation, and of classes `error`. */
void fi_probe_add_eval(const struct fi_look_at *look, const struct fi_eval *eval);
/* 1 - accuracy; NaN where labels are no classes. */
double fi_probe_error(const struct fi_eval *eval);
/* A histogram of the finite ones of n numbers, from the least to the largest. Nothing is told where
 * none is. */
void fi_probe_bins(const struct fi_look_at *look, const char *figure, const char *where,
                   const fi_real *x, int64_t n);
/* The bin of a value between low and high, low < high; the ends count to what lies beyond them. */
int fi_probe_bin(double low, double high, double value);

/* The attribute specs that several probes have: the part, and how many of its samples. */
#define FI_PROBE_PART(type)                                                                        \
    FI_ATTR_CHOICE(type, part, FANIN_TEST, "train|validation|test", "the part of the data")
#define FI_PROBE_SAMPLES(type)                                                                     \
    FI_ATTR_INT(type, rows, 1000, 0, 1e9, "the first so many samples of the part; 0: all", 0)

#endif
