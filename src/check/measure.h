/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch really does in a net: figures of every node's output and gradient. */
#ifndef FI_MEASURE_H
#define FI_MEASURE_H

#include "check/predict.h"

/* Over the units and samples of a batch. A gradient is that of a sample's own loss. */
struct fi_figures {
    double mean;
    double second; /* second moment */
    double cosine; /* mean over pairs of samples of x·y / (‖x‖‖y‖); NaN: fewer than two */
    double grad;   /* second moment of the gradient by the output; NaN: none */
};

/* work: y->cols numbers. */
void fi_measure_node(struct fi_figures *out, const struct fanin_tensor *y,
                     const struct fanin_tensor *dy, int64_t rows, double *work);
/* The same figures of a law. */
void fi_predicted_node(struct fi_figures *out, const struct fi_node_law *law);

#endif
