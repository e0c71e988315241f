/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch really does in a net: figures of every node's output and gradient. */
#ifndef FI_MEASURE_H
#define FI_MEASURE_H

#include <fanin/check.h>

#include "check/predict.h"

/* work: y->cols numbers. */
void fi_measure_node(struct fanin_check_figures *out, const struct fanin_tensor *y,
                     const struct fanin_tensor *dy, int64_t rows, double *work);
/* The same figures of a law. */
void fi_predicted_node(struct fanin_check_figures *out, const struct fi_node_law *law);

#endif
