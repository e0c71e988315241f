/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictions of a batch by one of three inferences, for predicting and for measuring: put samples
 * into e->x, call fi_ensemble_run(), read the rest.
 */
#ifndef FI_ENSEMBLE_H
#define FI_ENSEMBLE_H

#include "graph/graph.h"

/* Rows a batch has at most. */
#define FI_ENSEMBLE_ROWS 256
/* Units that may be on or off where all subnetworks are asked for. */
#define FI_ENSEMBLE_SWITCHES 16

struct fi_switches {
    int node;
    int n, first; /* switches first .. first+n-1 of the net */
    double keep;
};

struct fi_ensemble {
    fanin_model *model;
    enum fanin_inference inference;
    struct fi_exec *exec;
    int64_t rows, members;        /* in a batch at most; how many predictions are averaged */
    bool uncertain;               /* entropy, information and deviation are wanted */
    struct fi_switches *switches; /* all subnetworks: those of each node that draws; else n is 0 */
    int n_nodes, n_switches;
    uint8_t on[FI_ENSEMBLE_SWITCHES];
    struct fanin_tensor x; /* where samples are put */
    struct fanin_tensor z; /* scores: link(z) is the prediction */
    struct fanin_tensor p; /* the prediction, as the loss gives it */
    /* Sums over the members, a number for each of p: weighted mean, and of the squared deviations.
     */
    double *mean, *squares;
    double *own_entropy; /* per row: Σ weight · entropy of the member's prediction */
    double *member_entropy;
    double total; /* of the weights so far */
    /* What came out, per row; NULL where not wanted, or the loss has no entropy */
    double *entropy, *information;
};

/* options NULL: weight scaling. `rows` is the most a batch will have. Memory is the arena's; the
 * plan is the model's and serves one ensemble at a time. Errors: ARGUMENT (options), RECIPE (the
 * net does not suit them), MEMORY. */
enum fanin_status fi_ensemble_create(struct fi_ensemble *e, fanin_model *model, int64_t rows,
                                     const struct fanin_ensemble_options *options, bool uncertain,
                                     struct fi_arena *arena);
/* Predicts the first n rows of e->x into z, p, entropy and information. row0: the place of the
 * first in the data, which its random numbers depend on. */
void fi_ensemble_run(struct fi_ensemble *e, int64_t n, int64_t row0);
/* Standard deviation of a number of p over the members; wants `uncertain`. */
double fi_ensemble_deviation(const struct fi_ensemble *e, int64_t row, int64_t column);

#endif
