/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions over the figures of a study: one value a seed.
 *
 *   expression  sums, differences, products and quotients of numbers, terms and functions; -x; ( )
 *   term        figure[where]@step(condition, …)         all but the figure may be left out
 *     figure    a dotted name: test.error
 *     where     the layer, unit or parameter it is of: units.spread[dense1.weight]
 *     step      the value at this step; without: the last one
 *     condition a value of one of the grid's axes (normalized, 0.01, 'tanh, deep'), or axis=value
 *   of numbers  abs log log10 exp sqrt (x), min max (x, y, …)
 *   over seeds  mean sd (x): one number, the same for every seed; seeds without a value left out
 *   of a series reach(term, x): the first step at which it is <= x, inf: never; reach_above: >= x;
 *               lowest, highest (term); steps(term): the last step;
 *               slope(term, from, to): d log(value) / d step by least squares from step to step,
 *               over positive finite values, of which there must be two
 *   of wheres   largest smallest average (term without where): over all layers, … that have it
 *
 * inf is a number: reach(…) == inf. Names of functions are such only before a parenthesis. NaN
 * means that a seed has no such value, and what is not defined (log(-1), inf - inf) is NaN as well.
 * Terms are read through callbacks.
 */
#ifndef FI_STUDY_EXPRESSION_H
#define FI_STUDY_EXPRESSION_H

#include "base/base.h"

#define FI_EXPRESSION_MAX_BYTES 4096
#define FI_EXPRESSION_MAX_DEPTH 32 /* of parentheses and functions */

/* One condition of a term. */
struct fi_selector {
    const char *axis;  /* NULL: whatever axis has the value */
    const char *value; /* as written, without quotes */
    double number;     /* the same as a number; NaN: it is none, or was quoted */
};

enum fi_term_use {
    FI_TERM_VALUE,  /* one value a seed */
    FI_TERM_SERIES, /* all steps of a seed */
    FI_TERM_WHERES  /* one value a seed of each layer, unit or parameter */
};

struct fi_term {
    enum fi_term_use use;
    const char *figure;
    const char *where; /* NULL: none was written */
    int64_t step;      /* -1: the last */
    const struct fi_selector *selectors;
    int n_selectors;
    int at; /* the character of the text it begins with, from 1 */
};

/* Where terms come from. Figures and conditions that there are not are told by the callbacks, which
 * then return a failure. A term without selectors is of the only condition, or the caller's choice.
 */
struct fi_term_source {
    int64_t n_seeds;
    void *of;
    /* values[n_seeds] at the term's step; NaN: that seed has none. */
    enum fanin_status (*values)(void *of, const struct fi_term *term, double *values);
    /* What seed number `seed` (from 0) recorded, by increasing steps; n = 0: nothing. Lasts until
     * the next call. */
    enum fanin_status (*series)(void *of, const struct fi_term *term, int64_t seed,
                                const int64_t **steps, const double **values, int64_t *n);
    /* The names that the figure has values of, for `values` with each as the term's where. Lasts
     * until the evaluation is over. */
    enum fanin_status (*wheres)(void *of, const struct fi_term *term, const char *const **names,
                                int64_t *n);
};

/* An expression in the order of its evaluation: operands before what takes them. */
struct fi_expression {
    const struct fi_code *code;
    int64_t n_code;
    int64_t depth;               /* operands that wait at most */
    bool varies;                 /* between seeds; false: numbers, mean and sd alone */
    const struct fi_term *terms; /* in the order of the text */
    int64_t n_terms;
};

/* All of `text`. what: begins messages, "claim 'x'": "claim 'x': expected ')' at character 17,
 * found 'abc'". Errors: RECIPE, MEMORY. */
enum fanin_status fi_expression_parse(struct fi_arena *arena, struct fi_expression *out,
                                      const char *what, const char *text);
/* values[terms->n_seeds]. Errors: of the callbacks, MEMORY. */
enum fanin_status fi_expression_values(const struct fi_expression *expression, fanin_ctx *ctx,
                                       const struct fi_term_source *terms, double *values);

/* ---- for texts that hold more than one expression -------------------------------------------------- */

struct fi_expression_reader {
    struct fi_arena *arena;
    const char *what, *text;
    const char *at; /* the next byte */
};
/* Refuses what is too long; then stands before the first word. */
enum fanin_status fi_expression_open(struct fi_expression_reader *reader, struct fi_arena *arena,
                                     const char *what, const char *text);
/* Reads one expression, up to what cannot belong to it. */
enum fanin_status fi_expression_read(struct fi_expression_reader *reader,
                                     struct fi_expression *out);
/* "<what>: expected <expected> at character n, found '…'". */
enum fanin_status fi_expression_expected(const struct fi_expression_reader *reader,
                                         const char *expected);

#endif
