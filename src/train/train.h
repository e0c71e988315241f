/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training inside the library: the trainer (one step), the loop over epochs, evaluation,
 * checkpoints, the symmetry guard.
 */
#ifndef FI_TRAIN_H
#define FI_TRAIN_H

#include "data/data.h"
#include "graph/graph.h"
#include "schedule/schedule.h"

/* Rows first .. first+n-1 of a batch, or of the batch in another order, and where they go. */
struct fi_load {
    const int64_t *order; /* row i is row order[i] of the batch; NULL: i */
    int64_t first, n;
    const struct fanin_tensor *x; /* NULL: not wanted */
    int32_t *labels;
    const struct fanin_tensor *targets;
    double *weights;
};
/* Where a step takes its samples from. */
struct fi_batch {
    void (*load)(void *arg, const struct fi_load *to);
    void *arg;
    int64_t rows;
    bool weighted; /* samples have weights that are not all 1 */
};

/* Samples of a shard, and what is known of them. */
struct fi_samples {
    struct fanin_tensor x;
    int32_t *labels;
    struct fanin_tensor targets;
    double *weights;
};

/* The regularizers of a run as the loss shows them: those of one record, wherever they act, are one
 * term. */
#define FI_MAX_REGS 16
struct fi_terms {
    const struct fi_reg *records[FI_MAX_REGS];
    int n;
    struct fi_penalty *entropy[FI_MAX_REGS]; /* on predictions */
    int n_entropy;
    fi_real *work;   /* of penalties on whole tensors, for the largest of them; or NULL */
    bool on_outputs; /* some penalty is on the outputs of a layer */
    bool scheduled;  /* some strength changes with time */
};

/* Sums over the samples of an epoch. */
struct fi_loss_sums {
    double data;
    double terms[FI_MAX_REGS]; /* of each term that depends on the samples */
    double weight;             /* what the means divide by: of unweighted samples their number */
};

/* Mixtures of samples; alpha 0: none. */
struct fi_mixup {
    double alpha, factor; /* factor: of the samples themselves, in this batch */
    uint64_t factor_key, order_key;
    int64_t *order; /* of the batch: which sample each is mixed with */
    struct fi_samples other;
    struct fanin_tensor dz; /* of the other labels' loss */
};

/* The average of the weights, see src/train/average.c. */
struct fi_averaging {
    const struct fi_average *rule; /* NULL: none */
    const void *attrs;
    int64_t start, every; /* in updates */
    int64_t n;            /* contributions so far */
    fi_real *params;      /* like model->params */
    fi_real *aside;       /* the trained ones while the average is shown */
};

/* What is noticed of a run that goes bad, see src/train/trouble.c. */
struct fi_trouble {
    const char *kind, *layer;
    char message[512];
};
struct fi_health {
    double first, mean, best; /* loss of the data: the first, a mean of the last, its best */
    int64_t best_step;
    int64_t bad, asked_loss, asked_dead; /* flags: told of; the next watched step explains it */
    int64_t alert;                       /* so many updates to come are watched */
    double loss;                         /* that gave the alarm, and its step */
    int64_t loss_step;
    int64_t *quiet;        /* per node: samples in a row without a gradient */
    uint8_t *still, *told; /* per node: no gradient at this look; known to be dead */
    double *start;         /* per parameter: rms at the start */
    struct fi_trouble troubles[2];
    int n_troubles;
};

struct fi_watch;
struct fi_profile;
struct fanin_trainer {
    fanin_ctx *ctx;
    fanin_model *model;
    struct fi_arena arena;
    struct fi_exec *exec;
    struct fi_update update;
    struct fi_policies policies;
    struct fi_terms terms;
    struct fi_pace lr, momentum; /* what is scheduled: the learning rate; momentum or beta1 */
    bool looks;                  /* runs batches and updates nothing: fi_trainer_probe */
    bool tried;                  /* but a first update: fi_trainer_try_first */
    bool whole;                  /* every step needs the gradient as a whole */
    bool watching;               /* this step is watched */
    int64_t watch_every;         /* updates; 0: never */
    struct fi_watch *watch;      /* NULL: nothing was watched yet */
    struct fi_health health;
    struct fi_profile *profile; /* NULL: not asked for */
    fanin_event_fn event;       /* of steps on the caller's arrays */
    void *event_payload;
    int64_t batch, shards, shard_rows;
    double clip_norm;
    double base1, base2; /* of the optimizer's running powers */
    int64_t t;           /* updates done */
    fi_real **grads;     /* where whole or watched: log2(shards)+2 buffers; else NULL */
    int n_grads;
    struct fi_samples now; /* of a shard; x is the plan's own */
    struct fi_mixup mixup;
    bool weighted, even;     /* the batch: samples have weights; all rows count 1 */
    double weight;           /* of the batch: what its mean divides by */
    double *share;           /* of a shard's rows: what each counts in that mean, unless even */
    double *h, *coefficient; /* of a shard's rows */
    struct fi_loss_sums sums;
    struct fi_averaging average;
};

/* Builds an event with figures and texts and hands it over. */
#define FI_MAX_FIGURES 40
struct fi_event {
    struct fanin_event event;
    struct fanin_figure figures[FI_MAX_FIGURES];
    struct fanin_text texts[8];
};

/* One update. *loss: mean over the batch of all terms that depend on the samples. The factors are
 * of the optimizer's learning rate and momentum. */
enum fanin_status fi_trainer_run(fanin_trainer *t, const struct fi_batch *batch, double lr_factor,
                                 double momentum_factor, double *loss);
/* Sets the strengths that have a schedule, for update `step` of `total`. */
void fi_trainer_schedule(fanin_trainer *t, int64_t step, int64_t total, int64_t steps_per_epoch);
/* A term of the loss that depends on the weights alone, now; 0 for the others. */
double fi_term_value(const fanin_trainer *t, int term);
/* One FANIN_EVENT_PARAM a tensor. */
void fi_tell_params(const fanin_net *net, const struct fi_policies *policies,
                    void (*send)(void *payload, struct fi_event *e), void *payload);
/* A trainer that only looks: fi_trainer_probe runs a batch forward and back, keeps every output and
 * gradient (t->exec->y, dy; those of the parameters in t->grads[0]) and updates nothing. */
enum fanin_status fi_trainer_create(fanin_trainer **out, fanin_model *model,
                                    const struct fanin_train_options *options, bool watch);
enum fanin_status fi_trainer_probe(fanin_trainer *t, const struct fi_batch *batch, double *loss);
/* The same forward only: the result and the loss's gradient by it; parameters' gradients stay. */
enum fanin_status fi_trainer_look(fanin_trainer *t, const struct fi_batch *batch, double *loss);
/* The last probed batch's loss at other results z, its gradient to dz. */
double fi_trainer_loss(fanin_trainer *t, const struct fanin_tensor *z,
                       const struct fanin_tensor *dz);
/* The update that a first step makes of the probed gradients, of a trainer that looks. *lr: its
 * learning rate; moves[i]: the sum of the squares of what it adds to parameter i. t->grads[0] holds
 * the parameters of before until undo puts them back. Errors: MEMORY. */
enum fanin_status fi_trainer_try_first(fanin_trainer *t, double *lr, double *moves);
void fi_trainer_undo_first(fanin_trainer *t);

/* The entropy penalties of one record, NULL: of all, of `rows` rows: adds their gradient to dz,
 * returns Σ over the rows. */
double fi_entropy_terms(fanin_trainer *t, const struct fi_reg *only, const struct fanin_tensor *z,
                        const struct fanin_tensor *dz, int64_t rows, fi_real scale);

/* trouble.c. What to notice and whether to watch; around each update. */
enum fanin_status fi_health_create(fanin_trainer *t);
bool fi_watch_due(fanin_trainer *t);
uint8_t *fi_health_begin(fanin_trainer *t);
void fi_health_end(fanin_trainer *t, bool watched, int64_t rows, double data);
/* Sends what was noticed since the last call. */
void fi_trouble_tell(fanin_trainer *t, void (*send)(void *payload, struct fi_event *e),
                     void *payload);
/* The loss of this batch was not finite, or some weights are not: sets the message. */
enum fanin_status fi_trouble_not_finite(fanin_trainer *t, const struct fi_batch *batch);
enum fanin_status fi_trouble_params(fanin_trainer *t);

/* Prepares the average of a run of `total` updates; rule->name NULL: none. */
enum fanin_status fi_averaging_create(fanin_trainer *t, const struct fanin_rule *rule,
                                      int64_t total, int64_t steps_per_epoch);
/* After each update. */
void fi_averaging_update(fanin_trainer *t);
/* Puts the average in the model's place, with batch statistics of its own; nothing where there is
 * none yet. */
enum fanin_status fi_averaging_show(fanin_trainer *t, const fanin_data *data, uint64_t seed);
/* Puts the trained parameters back. */
void fi_averaging_hide(fanin_trainer *t);

/* Running statistics become those of the whole training part, in batches of `batch`. Frozen
 * ones stay; nothing to do for a net without. */
enum fanin_status fi_restate_statistics(fanin_model *model, const struct fi_policies *policies,
                                        const fanin_data *data, uint64_t seed, int64_t batch);
/* samples.c: memory; the batch as a whole, before its shards; a shard's samples into the plan;
 * their loss, Σ over the rows, with dz = its gradient times scale. */
enum fanin_status fi_samples_create(fanin_trainer *t, const struct fanin_train_options *o);
void fi_samples_begin(fanin_trainer *t, const struct fi_batch *batch);
void fi_samples_load(fanin_trainer *t, const struct fi_batch *batch, int64_t first, int64_t rows);
double fi_samples_loss(fanin_trainer *t, const struct fanin_tensor *z,
                       const struct fanin_tensor *dz, fi_real scale);

/* Refuses hidden units that start equal and can never part, and weights that can never move, but
 * for those that are frozen on purpose. policies may be NULL. */
enum fanin_status fi_guard(const fanin_model *model, const struct fi_policies *policies,
                           bool noise);

/* The same, told and not refused. */
struct fi_symmetry {
    /* per node, per unit: every step keeps it equal to another unit of its layer, or its opposite
     */
    uint8_t **tied;
    /* per node: the sentence that tells why its units stay equal, or its weights where they are;
     * NULL: they do not */
    const char **why_tied, **why_still;
};
enum fanin_status fi_symmetry(struct fi_arena *arena, const fanin_model *model,
                              const struct fi_policies *policies, bool noise,
                              struct fi_symmetry *out);

/* Metrics of one pass. */
struct fi_eval {
    struct fanin_figure figures[FI_MAX_FIGURES]; /* "loss" first */
    bool higher_is_better[FI_MAX_FIGURES];
    int n;
    int n_main; /* the first of them: the loss and the metrics that are not extra */
    int64_t rows, members;
    int64_t *confusion; /* n_classes², in the arena given; NULL: none */
    int64_t n_classes;
};
/* Does the metric look at what this model predicts? */
bool fi_metric_fits(const struct fi_metric *metric, const fanin_model *model);
/* Is it a label, or are these targets, that the model's loss can take? Row: for the message. */
enum fanin_status fi_check_label(const fanin_model *model, int32_t label, int64_t row);
enum fanin_status fi_check_target(const fanin_model *model, const float *target, int64_t row);
/* Do net, loss and data fit? All samples are looked at. */
enum fanin_status fi_check_data(const fanin_model *model, const fanin_data *data);
/* Refuses a figure of the validation part that this task has not, or data without that part; `key`
 * is where it stands. */
enum fanin_status fi_check_figure(const fanin_model *model, const fanin_data *data, const char *key,
                                  const char *name);
/* The figure of that name; -1: none. */
int fi_eval_find(const struct fi_eval *eval, const char *name);
struct fi_ensemble;
struct fi_eval_options {
    enum fanin_part part;
    const struct fanin_ensemble_options *inference; /* NULL: weight scaling */
    bool extra;              /* all metrics; else those that are not extra, and */
    const char *const *also; /* those named here (ends with NULL; may be NULL) */
    /* Called for samples row0 .. row0+n-1, which are in e->x, in the place of fi_ensemble_run():
     * fills e->z and e->p, and may change e->x. NULL: that function. */
    void (*predict)(void *arg, struct fi_ensemble *e, int64_t n, int64_t row0);
    void *arg;
};
enum fanin_status fi_evaluate(fanin_model *model, const fanin_data *data,
                              const struct fi_eval_options *options, struct fi_arena *arena,
                              struct fi_eval *out);
/* Adds the model's loss of some rows with results z, and what they count in its mean.
 * truth->weights must be there. */
struct fi_mean_loss {
    double sum, weight;
};
void fi_mean_loss_add(struct fi_mean_loss *to, const fanin_model *model,
                      const struct fanin_tensor *z, const struct fi_truth *truth);
/* 0 where nothing counts. */
double fi_mean_loss(const struct fi_mean_loss *loss);

/* Where a run stands; what a checkpoint holds besides parameters and optimizer state. */
struct fi_progress {
    int64_t epoch; /* epochs finished */
    int64_t step;  /* updates of the current epoch done */
    double best;   /* best early-stop figure so far */
    int64_t best_epoch, bad_epochs;
    fi_real *best_params; /* like model->params, or NULL */
    uint64_t identity;    /* of recipe, net, data: a checkpoint of another run is refused */
};
enum fanin_status fi_checkpoint_save(const fanin_trainer *t, const struct fi_progress *p,
                                     const char *path);
enum fanin_status fi_checkpoint_load(fanin_trainer *t, struct fi_progress *p, const char *path);

/* profile.c: where the time goes. Measures the machine and starts the clocks of t->exec. */
enum fanin_status fi_profile_create(fanin_trainer *t);
/* Around a step, for a trainer with a profile; the samples' order may be made within. own: what
 * passed since the last step was the caller's. */
void fi_profile_begin(fanin_trainer *t, bool own);
void fi_profile_end(fanin_trainer *t, int64_t rows);
/* Sends what was measured so far; nothing before the first step. steps: of an epoch, 0: unknown. */
void fi_profile_tell(fanin_trainer *t, int64_t steps,
                     void (*send)(void *payload, struct fi_event *e), void *payload);

/* keep.c: an empty history of the run in the model; what an epoch, and an event of a watched step,
 * tells goes into it. */
enum fanin_status fi_keep_begin(const fanin_trainer *t, int64_t epochs, int64_t steps);
void fi_keep_epoch(const fanin_trainer *t, const struct fi_event *e);
void fi_keep_watched(const fanin_trainer *t, const struct fi_event *e);

void fi_event_init(struct fi_event *e, enum fanin_event_type type);
void fi_event_add_figure(struct fi_event *e, const char *name, double value);
void fi_event_add_text(struct fi_event *e, const char *name, const char *value);
void fi_event_send(struct fi_event *e, fanin_event_fn fn, void *payload);

#endif
