/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding in two halves: fold.c decides which nodes go and computes the weights that take them up,
 * folded.c writes the net that remains.
 */
#ifndef FI_FOLD_H
#define FI_FOLD_H

#include "graph/graph.h"

/* What becomes of a node. */
struct fi_folded {
    bool gone;   /* its first input stands for it */
    int output;  /* as in struct fi_node, after those of nodes that are gone moved here */
    double *w;   /* (out, in): its op becomes fold->linear with these weights; else NULL */
    double *b;   /* (out) */
    bool biased; /* with w: it has a bias */
};

struct fi_fold {
    const fanin_model *model;
    struct fi_arena arena;
    struct fi_folded *nodes;
    struct fanin_fold_options options;
};

/* The node that stands for `node`. */
int fi_fold_resolve(const struct fi_fold *f, int node);
/* Makes the model that is left. */
enum fanin_status fi_fold_write(fanin_model **out, const struct fi_fold *f);

#endif
