/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a batch really did in a net: figures of every node's output and gradient, units of which
 * something holds, batch statistics beside the running ones, units with the same weights. `fanin
 * check` shows them of a start, train.watch of a step.
 *
 *   measure.c  outputs and gradients        units.c  dead, saturated, constant units
 *   rows.c     rows of a weight matrix that are equal, or nearly so up to their length
 *
 * A batch may come in several shards; the figures are of all its samples. Everything is allocated
 * when a measure is made.
 */
#ifndef FI_MEASURE_H
#define FI_MEASURE_H

#include <fanin/check.h>

#include "graph/graph.h"

/* Where a curve is flat. */
struct fi_flatness {
    double slope;      /* what counts as one */
    bool below, above; /* the curve flattens out there */
};

/* One node, so far. */
struct fi_node_measure {
    double sum, squares;   /* of its outputs */
    double grad;           /* squares of its gradient; NaN: none flows */
    double vectors;        /* samples whose output is not 0 everywhere */
    double *direction;     /* [cols] Σ x / ‖x‖ over these */
    fi_real *least, *most; /* [cols] of the outputs */
    int32_t *steep; /* [cols] samples that are neither off nor on a flat part; NULL: no curve */
    uint8_t *low;   /* [cols] some sample is on a flat part */
    struct fi_flatness flat;
    double gap, ratio, channels; /* of batch statistics: Σ over the channels of all shards */
    uint8_t *near;               /* almost tied; NULL: no weight matrix, or too wide a one */
    int64_t near_units;
};

/* Working memory for the rows of one matrix. */
struct fi_rows;

struct fi_measure {
    const fanin_net *net;
    int64_t rows, seen; /* samples of the batch, those added so far */
    struct fi_node_measure *nodes;
    struct fi_rows *work;
    bool equal_rows; /* fi_measure_weights found units with the same weights, bit by bit */
};

/* All memory is the arena's. */
enum fanin_status fi_measure_create(struct fi_measure *m, struct fi_arena *arena,
                                    const fanin_net *net);
/* Forgets what was added; a batch of `rows` samples begins. */
void fi_measure_begin(struct fi_measure *m, int64_t rows);
/* Adds what a plan that keeps everything (FI_WATCH) has just run forward and back. */
void fi_measure_add(struct fi_measure *m, const struct fi_exec *exec);
/* Looks for rows of the weights that are equal or almost tied. */
void fi_measure_weights(struct fi_measure *m, fanin_ctx *ctx, const fi_real *params);

/* The gradient is that of a sample's own loss. */
void fi_measure_figures(const struct fi_measure *m, int node, struct fanin_check_figures *out);

struct fi_measured_units {
    struct fanin_check_few dead, saturated, constant;
};
void fi_measure_units(const struct fi_measure *m, int node, struct fi_measured_units *out);
/* Those that are not tied for ever; tied: of the node's units, or NULL. */
void fi_measure_almost_tied(const struct fi_measure *m, int node, const uint8_t *tied,
                            struct fanin_check_few *out);

/* How far running statistics are from those of the batch, over its channels; false: no such. */
struct fi_measured_gap {
    double mean; /* root mean square of (batch mean - running mean) / running deviation */
    double var;  /* geometric mean of batch variance / running variance */
};
bool fi_measure_gap(const struct fi_measure *m, int node, struct fi_measured_gap *out);

/* Root mean square of a parameter's numbers in a buffer like the model's. */
double fi_measure_rms(fanin_ctx *ctx, const struct fi_param *p, const fi_real *numbers);
/* The same of every parameter. */
void fi_measure_all_rms(fanin_ctx *ctx, const fanin_net *net, const fi_real *numbers, double *out);
/* Σ (after - before)², and Σ (after - before + decay · before)²: without what decay did. */
struct fi_measured_move {
    double all, step;
};
void fi_measure_move(const fi_real *before, const fi_real *after, int64_t n, double decay,
                     struct fi_measured_move *out);

/* ---- what the files of this folder share --------------------------------------------------------- */

enum fanin_status fi_units_create(struct fi_node_measure *m, struct fi_arena *arena,
                                  const struct fi_node *node);
void fi_units_begin(struct fi_node_measure *m, int64_t cols);
/* rows: of the whole batch. */
void fi_units_add(struct fi_node_measure *m, const struct fi_exec *exec, int node, int64_t rows);
enum fanin_status fi_rows_create(struct fi_measure *m, struct fi_arena *arena);

void fi_few_add(struct fanin_check_few *few, int64_t unit);

#endif
