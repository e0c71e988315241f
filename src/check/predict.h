/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What theory predicts for a net on a given batch: laws of signals and gradients at every node.
 *
 * Nodes are walked in order. The input's law is the batch's own; behind a layer with weights it is
 * what the layer's hook `signal` or the activation's curve makes of it, with the laws of the
 * parameters that their initializers promise. Where neither exists the law is begun anew from what
 * was measured. The gradient's law begins at the loss: predictions are drawn from the law of the
 * result and put to the real loss with the real labels.
 *
 * Assumed: wide layers (units are many, pre-activations normal), independent weights, and a
 * backward pass whose weights are independent of the forward one (Schoenholz et al. 2017, sec. 4).
 */
#ifndef FI_PREDICT_H
#define FI_PREDICT_H

#include <fanin/check.h>

#include "check/gram.h"

/* The laws at one node. */
struct fi_node_law {
    struct fanin_signal signal;
    double *slopes; /* [n][n] E[f′f′] of an activation; NULL */
    bool measured;  /* begun anew here */
    bool gradient;  /* signal.grad means something */
    double chi;     /* mean gradient at its input over that at its output; NaN */
};

struct fi_prediction {
    int64_t n;
    struct fi_node_law *nodes;      /* per node */
    struct fanin_param_law *params; /* per parameter */
};

/* What prediction needs of the run. */
struct fi_predict_source {
    const fanin_model *model;
    const struct fi_exec *exec; /* has just run the batch forward and kept every output */
    int64_t rows;
    /* dz[r] = gradient of the batch's loss for given results z; z may be overwritten */
    void (*loss)(void *arg, const struct fanin_tensor *z, const struct fanin_tensor *dz);
    void *arg;
};

/* All memory is the arena's. */
enum fanin_status fi_predict(struct fi_arena *arena, struct fi_prediction *out,
                             const struct fi_predict_source *source);

/* The laws of the parameters alone; no node has one. */
enum fanin_status fi_predict_params(struct fi_arena *arena, struct fi_prediction *out,
                                    const fanin_model *model);

/* The law of a node as the figures that are measured. */
void fi_predicted_node(struct fanin_check_figures *out, const struct fi_node_law *law);

/* Mean and covariance over the columns of a tensor's first n rows. */
void fi_measure_signal(const struct fanin_tensor *y, int64_t n, double *mean, double *cov);

#endif
