/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symmetry guard inside: what its parts share.
 *
 *   guard_tied    which units every step keeps equal          guard_still   which weights never
 * move guard_why     the sentence that says so                   guard         asks them, refuses
 * or tells
 */
#ifndef FI_GUARD_H
#define FI_GUARD_H

#include "train/train.h"

/* A unit and its opposite, which is what a unit of an odd activation would be with all its weights
 * turned around: each has a colour, and units are equal up to sign if the colour of one is that of
 * the other's opposite. */
struct fi_unit {
    uint64_t plus, minus;
    uint64_t key;         /* of the pair: the same for the unit and its opposite */
    uint64_t as, against; /* gathered in a round: what it meets, and what its opposite meets */
};

struct fi_symmetries {
    const fanin_model *model;
    const fanin_net *net;
    const struct fi_policies *policies; /* or NULL */
    struct fi_unit **units;             /* per node, per unit */
    uint64_t *sorted;                   /* room for the keys of the widest node */
    int *classes;                       /* per node: units that differ, up to sign, */
    int64_t *own_opposite;              /* and those that are their own opposites so far */
    uint8_t **zero, **flat;             /* value identically zero; gradient identically zero */
    uint8_t *seen;                      /* per node, for walks */
};

/* Finds the classes. noise: the run adds rounding noise, which parts all units. */
void fi_guard_tied(const struct fi_symmetries *g, bool noise);
/* tied[u]: another unit of the node has its colour, or the opposite one. Returns how many. */
int64_t fi_guard_mark(const struct fi_symmetries *g, int node, uint8_t *tied);
/* Is some unit the opposite of another, and not its equal? */
bool fi_guard_has_opposites(const struct fi_symmetries *g, int node);
/* Finds what is zero for ever. */
void fi_guard_still(const struct fi_symmetries *g);
/* Do some of these weights get a gradient at some time? */
bool fi_guard_can_move(const struct fi_symmetries *g, int node, const struct fi_param *p);

/* Why the tied units of a node stay so, and why its weights never move; in `text`. */
void fi_guard_why_tied(const struct fi_symmetries *g, int node, char *text, size_t size);
void fi_guard_why_still(const struct fi_symmetries *g, int node, char *text, size_t size);

/* ---- parameters ------------------------------------------------------------------------------------ */

/* The weight matrix of a node, or NULL: an op that reads all units through weights. */
const struct fi_param *fi_matrix_of(const fanin_net *net, const struct fi_node *node);
/* The table of a node, or NULL: its unit u is column u % dims[1]. */
const struct fi_param *fi_table_of(const fanin_net *net, const struct fi_node *node);
/* What its units start from: one of both, or NULL. */
const struct fi_param *fi_weights_of(const fanin_net *net, const struct fi_node *node);
/* The trainable number that multiplies each unit's value, or is added to it; NULL: none. */
const struct fi_param *fi_vector_of(const fanin_net *net, const struct fi_node *node, bool scales);
/* Where unit u finds its number in a vector. */
int64_t fi_number_of(const struct fi_node *node, const struct fi_param *p, int64_t u);
/* Does the run update it? */
bool fi_param_moves(const struct fi_symmetries *g, const struct fi_param *p);
/* The values of the node's units can never part: it has parameters, and none of them moves. */
bool fi_node_fixed(const struct fi_symmetries *g, int node);
/* The bits of a weight; -0 is 0. */
uint32_t fi_weight_bits(fi_real w);

#endif
