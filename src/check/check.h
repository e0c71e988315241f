/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check inside the library.
 *
 *   theory    a wide layer in closed form                       gram      an activation on a batch
 *   predict   a net's signals and gradients                     start     loss, gradient, sharpness
 *   trial     the first update tried                            depth     the depth scale
 *   find      findings, the verdict                             check     all of it
 *   broken    a start that is not finite            histogram  of outputs and gradients
 *   finding/  records: one file, one thing that may be wrong
 */
#ifndef FI_CHECK_H
#define FI_CHECK_H

#include <fanin/check.h>

#include "check/predict.h"
#include "measure/measure.h"
#include "train/train.h"

/* What is looked at: the model as it stands, of one start after the other. */
struct fi_look {
    struct fanin_check *check;
    fanin_model *model;
    const fanin_net *net;
    const fanin_data *data;
    const struct fanin_train_options *train;
    bool sharpness;
    struct fi_arena work;               /* as long as starts are looked at */
    fanin_trainer *trainer;             /* watching; has just probed the batch */
    struct fi_measure *measure;         /* of that batch */
    const struct fi_policies *policies; /* for findings */
    struct fi_batch batch, unseen;      /* the rows after it, as far as there are */
    fi_real *statistics;                /* of the model, as they were: what is run moves them */
    double *rms;                        /* room, for each parameter */
};

struct fanin_check {
    fanin_ctx *ctx;
    struct fi_arena arena;
    struct fanin_check_result result;
    struct fanin_check_layer *layers;
    struct fanin_check_param *params;
    struct fanin_check_finding *findings;
    int64_t cap_findings;
    int seeds;         /* looked at so far */
    const char *optim; /* the optimizer's name */
    struct fi_prediction prediction;
    struct fi_symmetry symmetry; /* of the first start */
    const char *broken;          /* the first tensor that is not finite; NULL: all starts are */
    int broken_node, broken_start, n_broken;
    struct fi_look look;
};

/* ---- the parts (check.c calls them in this order) ------------------------------------------------ */

/* Depth scales of plain layers, from the prediction. */
enum fanin_status fi_check_depth(const struct fi_look *look);
/* Of outputs and gradients, of the batch that was probed last. */
void fi_check_histograms(const struct fi_look *look);
/* Gradient norm, update to weight, time, memory; sharpness if asked for. */
enum fanin_status fi_check_start(const struct fi_look *look);
/* The first update tried: how far it moves each tensor, what it does to the loss. */
enum fanin_status fi_check_trial(const struct fi_look *look);
/* Instead of all that: the batch that was run last is not finite. */
enum fanin_status fi_check_broken(const struct fi_look *look);
/* The model as it was before it was looked at. */
void fi_check_restore(const struct fi_look *look);

/* ---- findings ------------------------------------------------------------------------------------- */

/* One thing that may be wrong with a recipe. */
struct fi_finding {
    struct fanin_record head;
    /* Looks at the figures, the net and the options; says what it found with fi_found(). */
    enum fanin_status (*look)(const struct fi_look *look, const struct fi_finding *self);
    bool broken; /* looks also where the first start is not finite: no prediction, no gradients */
    bool effect; /* looks when the others have: what it sees may follow from what they found */
};

/* layer NULL: of the whole; mend, path and value may be NULL. Texts are copied. */
struct fi_found {
    enum fanin_verdict severity;
    const char *layer, *mend, *path, *value;
};
enum fanin_status fi_found(const struct fi_look *look, const struct fi_finding *self,
                           const struct fi_found *found, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* All findings, the gravest first; the verdict. */
enum fanin_status fi_check_find(const struct fi_look *look);

/* Too little comes of the run; the first update throws the loss up. Findings that may be the cause
 * are as grave as that, and else remarks. Of two causes the second is told: what throws the loss
 * up says nothing on progress. */
enum fanin_verdict fi_check_slow(const struct fi_look *look);
enum fanin_verdict fi_check_thrown(const struct fi_look *look);
/* The key that says how a layer starts: its own `init`, or that of the whole recipe. */
void fi_check_init_path(const struct fi_look *look, int node, char *path, size_t size);
/* The rule that fits what follows the layer. */
const char *fi_check_right_init(const struct fi_look *look, int node);
/* net.<op>*<key> for a layer that is called like its op: all of its kind; else the layer's own. */
void fi_check_all_path(const struct fi_look *look, int node, const char *key, char *path,
                       size_t size);
/* The layer starts by this rule (xavier_…, kaiming_…) or its twin of another law. */
bool fi_check_starts_by(const struct fi_look *look, int node, const char *rule);
/* The bias of a layer with weights, and E[b²] in *second; NULL: it has none. */
const struct fi_param *fi_check_bias(const struct fi_look *look, int node, double *second);
/* The first activation behind a node, looking through norms and dropout; -1: none. */
int fi_check_activation_after(const struct fi_look *look, int node);
/* E[m²] of all noise between a node and the next layer, the largest over the branches; 1: none. */
double fi_check_noise_behind(const struct fi_look *look, int node);
/* Walks back along first inputs until `stop` says 1 (the node is returned) or -1 (-1 is). */
int fi_check_host_before(const struct fi_look *look, int node, int (*stop)(const struct fi_node *));

/* ---- the whole ------------------------------------------------------------------------------------- */

/* Allocates what every start needs; the model decides the batch. Options and data must outlive the
 * check's end. After an error *out is NULL or to be freed, like all checks. */
enum fanin_status fi_check_begin(fanin_check **out, fanin_model *model, const fanin_data *data,
                                 const struct fanin_train_options *train,
                                 const struct fanin_check_options *options);
/* Looks at the model as it stands, and leaves it so. The first time all is looked at; then, when it
 * was started anew, what tells the spread. */
enum fanin_status fi_check_add(fanin_check *check);
/* When all starts are seen: spreads, bands, findings about the first, the verdict. */
enum fanin_status fi_check_finish(fanin_check *check);
/* Frees everything but the result; check may be NULL. */
void fi_check_end(fanin_check *check);

#endif
