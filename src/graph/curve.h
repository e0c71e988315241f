/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expectations of activations over a normal law, by quadrature: a list of nodes and weights such
 * that Σ weight · g(x) = E[g(x)], x ~ N(mean, std²), for every g that is smooth wherever the curve
 * is.
 */
#ifndef FI_CURVE_H
#define FI_CURVE_H

#include "graph/graph.h"

#define FI_CURVE_NODES 4000 /* at most */

struct fi_curve_nodes {
    int n;
    double z[FI_CURVE_NODES];      /* (x - mean) / std */
    double weight[FI_CURVE_NODES]; /* with the density; they sum to 1 */
};

/* Nodes for a law with std > 0, or with std 0: one node. What is integrated changes over lengths of
 * `scale` near zero and near the kinks: 1 for the curve itself. */
void fi_curve_nodes(struct fi_curve_nodes *out, const struct fanin_curve *curve, const void *attrs,
                    double mean, double std, double scale);
/* The i-th kink of a curve. */
double fi_curve_kink(const struct fanin_curve *curve, const void *attrs, int i);

#endif
