/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Understanding a training file: what the first scan sees (csv_look.c), from which the schema is
 * made (csv_learn.c).
 */
#ifndef FI_CSV_LEARN_H
#define FI_CSV_LEARN_H

#include "data/csv.h"

/* More different whole numbers than this in a target make it a regression. */
#define FI_CSV_INTEGER_CLASSES 20

/* What was seen in one column. */
struct csv_seen {
    const char *first; /* its cell in the first row */
    int64_t missing, numbers, texts;
    int64_t missing_line, text_line, bad_line; /* the first of each; bad: not finite */
    const char *text, *bad;
    bool fractions, recurs, category, ignored;
    int missing_rule, as; /* enum csv_missing, enum csv_categories */
    bool own_rule;        /* missing_rule was given for this column by its name */
    double integers[FI_CSV_INTEGER_CLASSES + 1];
    int n_integers;
    bool target, weight; /* what it is instead of an input */
};

struct csv_learning {
    const struct csv_file *file;
    const struct csv *attrs;
    struct fi_arena *arena;
    struct csv_schema *schema;
    struct csv_seen *columns;
    int64_t n, rows, first_line;
    int64_t target;     /* the first target, a column; -1: none */
    int64_t *places;    /* of the targets that are named */
    const char *weight; /* asked for as the column of weights; NULL: none */
    bool named;         /* some column was given by its name in the first row */
    bool no_labels;     /* there is no target */
};

/* Looks at every cell once; tells whether there is a header and how many rows of data follow it,
 * and names the columns. `file`, `attrs` and `arena` of *l are given. */
enum fanin_status fi_csv_look(struct csv_learning *l, struct csv_schema *out);

#endif
