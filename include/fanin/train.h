/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training and evaluation. What happens is told as a stream of events; writers (text, JSON lines,
 * your callback) consume it.
 */
#ifndef FANIN_TRAIN_H
#define FANIN_TRAIN_H

#include <fanin/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- events ---------------------------------------------------------------------------------- */

enum fanin_event_type {
    FANIN_EVENT_START,      /* the run: texts model, data; figures params, steps per epoch, … */
    FANIN_EVENT_PARAM,      /* one per tensor: its start, what regularizes it, lr factor, frozen */
    FANIN_EVENT_STEP,       /* progress: step, steps, loss so far; at most ten a second */
    FANIN_EVENT_EPOCH,      /* figures of an epoch: loss and its parts, metrics, lr, seconds */
    FANIN_EVENT_CHECKPOINT, /* text path */
    FANIN_EVENT_WARNING,    /* text message */
    FANIN_EVENT_END,        /* figures of the run, text why it ended */
    FANIN_EVENT_EVAL,       /* figures of an evaluation; table confusion */
    /* a watched step: itself; where loss and update come from; a node; a parameter */
    FANIN_EVENT_WATCH,
    FANIN_EVENT_WATCH_SOURCE,
    FANIN_EVENT_WATCH_LAYER,
    FANIN_EVENT_WATCH_PARAM,
    FANIN_EVENT_TROUBLE, /* the run goes bad: texts kind, layer, message */
    FANIN_EVENT_LOOK,    /* after an update, as look_every asks: no figures, a moment to look */
    /* where the time went, told at the end as options.profile asks: the run beside the machine's
     * limits; then a pass (text pass: forward, backward, weights) of a node and of the nodes that
     * run with it (texts name, nodes); then each other part (text name) */
    FANIN_EVENT_PROFILE,
    FANIN_EVENT_PROFILE_NODE,
    FANIN_EVENT_PROFILE_PART
};

/* A named figure. */
struct fanin_figure {
    const char *name;
    double value;
};
struct fanin_text {
    const char *name, *value;
};

/* All pointers live for the call only. */
struct fanin_event {
    enum fanin_event_type type;
    int64_t epoch, epochs; /* counted from 1; 0 before the first */
    int64_t step, steps;   /* of the whole run */
    const struct fanin_figure *figures;
    int n_figures;
    const struct fanin_text *texts;
    int n_texts;
    const int64_t *confusion; /* EVAL of a classifier: n_classes × n_classes, rows are the truth */
    int64_t n_classes;
    const char *const *class_names;
    int n_main; /* EVAL: the first of the figures, which a short report shows; 0: all */
};
typedef void (*fanin_event_fn)(void *payload, const struct fanin_event *event);

/* ---- training -------------------------------------------------------------------------------- */

/* Set size to sizeof(struct fanin_train_options); a zero field means its default. */
struct fanin_train_options {
    size_t size;
    struct fanin_rule optim;    /* default sgd: lr 0.1, momentum 0.9 */
    struct fanin_rule schedule; /* default constant; its attributes may hold warmup_epochs */
    struct fanin_rule momentum_schedule; /* a schedule that scales the momentum or beta1; NULL name:
                                            none */
    struct fanin_rule average;           /* ema, swa: of the weights; NULL name: none */
    const struct fanin_rule *regularize; /* weight_decay, l2, confidence_penalty, … */
    int n_regularize;
    int64_t epochs; /* default 10 */
    int64_t batch;  /* default 128, or the data if that is less */
    uint64_t seed;
    int64_t shards;        /* logical shards of a batch, a power of two; default 1 */
    double clip_value;     /* bound on each number of the gradient; 0: none. First this, */
    double clip_norm;      /* then the global norm; 0: any */
    double mixup;          /* alpha: samples are mixed by factors of Beta(alpha, alpha); 0: none */
    double rounding_noise; /* multiplies each weight's gradient by 1 + e U(-1,1) */
    int allow_symmetric;   /* 1: train even if the symmetry guard refuses */
    const char *early_stop_metric; /* NULL: none; "loss", "accuracy", … on the validation part */
    int64_t patience;              /* epochs without improvement; default 10 */
    double min_delta;
    const char *checkpoint;   /* path; NULL: none */
    int64_t checkpoint_every; /* epochs; default 1 */
    int resume;               /* 1: go on from `checkpoint` */
    fanin_event_fn event;
    void *event_payload;
    const struct fanin_rule *constrain; /* max_norm, …: of all weights, after each step */
    int n_constrain;
    const struct fanin_param_policy *params; /* all but their `init` counts here */
    int n_params;
    int64_t watch;      /* tells the figures of every so many-th update; 0: never */
    int64_t look_every; /* sends FANIN_EVENT_LOOK after every so many-th update; 0: never */
    int profile;        /* 1: measures where the time goes, and the machine's limits first (0.2 s);
                         * tells it as FANIN_EVENT_PROFILE… when the run ends, also when it is stopped. The
                         * result is the same */
};

/* Trains the model on the data. The model is usable after any return.
 * Errors: SYMMETRIC (the guard: which layer, why, the way out), DIVERGED (the step and the first
 * tensor that is not finite), STOPPED (fanin_stop was called; the checkpoint, if any, is saved),
 * SHAPE (net and data do not fit), RECIPE, IO, DATA (the checkpoint belongs to another run),
 * MEMORY. */
FANIN_API enum fanin_status fanin_train(fanin_model *model, const fanin_data *data,
                                        const struct fanin_train_options *options);

/* Tells, as one FANIN_EVENT_PARAM a tensor, how each starts and what such a run does to it; what
 * fanin_train sends before its first step. options may be NULL. Errors: RECIPE, MEMORY. */
FANIN_API enum fanin_status fanin_describe_params(const fanin_model *model,
                                                  const struct fanin_train_options *options,
                                                  fanin_event_fn event, void *payload);

/* Figures of the model on a part of the data: the loss and every metric that fits, sent as one
 * FANIN_EVENT_EVAL. Errors: SHAPE, ARGUMENT (the part is empty), MEMORY. */
FANIN_API enum fanin_status fanin_evaluate(fanin_model *model, const fanin_data *data,
                                           enum fanin_part part, fanin_event_fn event,
                                           void *payload);

/* The same of an ensemble (fanin_model_predict_ensemble): the loss and the metrics of its
 * prediction. The event has the text "inference" and the figure "members" unless it is weight
 * scaling. Also the errors of that function. */
FANIN_API enum fanin_status fanin_evaluate_ensemble(fanin_model *model, const fanin_data *data,
                                                    enum fanin_part part,
                                                    const struct fanin_ensemble_options *inference,
                                                    fanin_event_fn event, void *payload);

/* The loss of each of samples first .. first+n-1 of a part, as it would be alone: weights of
 * samples do not count, and labels that the loss ignores give NaN. Errors: SHAPE, ARGUMENT (beyond
 * the part), DATA (a label or target that the loss cannot take), MEMORY. */
FANIN_API enum fanin_status fanin_sample_losses(fanin_model *model, const fanin_data *data,
                                                enum fanin_part part, int64_t first, int64_t n,
                                                double *loss);

/* ---- one step at a time ---------------------------------------------------------------------- */

typedef struct fanin_trainer fanin_trainer;

/* Prepares steps on batches that the caller brings; options->epochs, schedules, the average and
 * checkpoints are ignored.
 * The model must outlive the trainer. Same errors as fanin_train before its first step. */
FANIN_API enum fanin_status fanin_trainer_create(fanin_trainer **out, fanin_model *model,
                                                 const struct fanin_train_options *options);
FANIN_API void fanin_trainer_free(fanin_trainer *trainer);
/* One update from n <= batch samples: x is n × inputs (as the net reads it, not normalized again),
 * labels n class numbers or targets n × outputs. *loss (may be NULL) is the mean loss of the batch
 * before the update. Allocates nothing. Errors: ARGUMENT, DIVERGED. */
FANIN_API enum fanin_status fanin_trainer_step(fanin_trainer *trainer, const float *x, int64_t n,
                                               const int32_t *labels, const float *targets,
                                               double *loss);

/* Samples for one update; labels or targets, as the loss takes. Set size to sizeof. */
struct fanin_batch {
    size_t size;
    int64_t n;
    const float *x;        /* n × inputs */
    const int32_t *labels; /* n class numbers; what the loss is told to ignore may be any number */
    const float *targets;  /* n × outputs: values; numbers in [0, 1]; distributions */
    const float *weights;  /* n, >= 0: the loss is Σ weight · loss / Σ weight; NULL: all 1 */
};
/* fanin_trainer_step with all that a batch may hold. */
FANIN_API enum fanin_status fanin_trainer_run(fanin_trainer *trainer,
                                              const struct fanin_batch *batch, double *loss);

/* Sends where the time of the steps so far went, as FANIN_EVENT_PROFILE…, to options->event;
 * nothing before the first step. Time between the steps is not counted. Errors: ARGUMENT (the
 * trainer was made without options.profile). */
FANIN_API enum fanin_status fanin_trainer_profile(fanin_trainer *trainer);

#ifdef __cplusplus
}
#endif
#endif
