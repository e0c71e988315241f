/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models: a net with parameters, and what is needed to use it on raw data (normalization, class
 * names). A model file is a plain .safetensors: float32 tensors named <node>.<parameter>, matrices
 * as (out, in), the recipe and the rest in the metadata.
 */
#ifndef FANIN_MODEL_H
#define FANIN_MODEL_H

#include <fanin/data.h>
#include <fanin/net.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_model fanin_model;

/* What is asked of the parameters whose names match a pattern: "dense1.weight", "*.bias",
 * "block2.*"; * stands for any text, ? for any character. `set` says which fields count. Of several
 * patterns that match a parameter the later one wins, field by field. init, regularize and
 * constrain are for weights: a pattern that matches weights leaves the biases and norm parameters
 * beside them alone, one that matches none of them means what it matches. */
struct fanin_param_policy {
    const char *match;
    unsigned set;           /* FANIN_POLICY_… */
    struct fanin_rule init; /* how it starts; of use to fanin_model_create() only */
    double lr;              /* factor on the learning rate, 0 and up */
    int frozen; /* 1: never updated; a node whose statistics are frozen acts as in inference */
    int decay;  /* 1: penalties and decay apply, also to biases and norm parameters; 0: they do not
                 */
    const struct fanin_rule *regularize; /* instead of the weight penalties of the whole run; those
                                          * on outputs act on the node's output, "<node>.output" */
    int n_regularize;
    const struct fanin_rule *constrain; /* instead of the constraints of the whole run */
    int n_constrain;
};
#define FANIN_POLICY_INIT 1u
#define FANIN_POLICY_LR 2u
#define FANIN_POLICY_FROZEN 4u
#define FANIN_POLICY_DECAY 8u
#define FANIN_POLICY_REGULARIZE 16u
#define FANIN_POLICY_CONSTRAIN 32u

/* Set size to sizeof(struct fanin_model_options); a zero field means its default. */
struct fanin_model_options {
    size_t size;
    struct fanin_rule loss; /* NULL name: softmax_cross_entropy, or mse for regression data */
    struct fanin_rule init; /* default for all weights; NULL name: by what follows each layer */
    uint64_t seed;
    const fanin_data *data; /* normalization and class names are taken from here; may be NULL */
    const char *recipe;     /* JSON text kept in the file; may be NULL */
    const struct fanin_param_policy *params; /* their `init` counts here */
    int n_params;
};

/* Makes a model from a net: plans memory, draws the parameters. The model takes the net over (it is
 * freed with the model, also when this call fails). Errors: RECIPE, SHAPE, MEMORY. */
FANIN_API enum fanin_status fanin_model_create(fanin_model **out, fanin_net *net,
                                               const struct fanin_model_options *options);
FANIN_API void fanin_model_free(fanin_model *model);

FANIN_API const fanin_net *fanin_model_net(const fanin_model *model);
FANIN_API enum fanin_task fanin_model_task(const fanin_model *model);
FANIN_API int64_t fanin_model_inputs(const fanin_model *model);  /* numbers per sample */
FANIN_API int64_t fanin_model_outputs(const fanin_model *model); /* classes or target values */
/* Name of a class or target; NULL if the model has none. Borrowed. */
FANIN_API const char *fanin_model_output_name(const fanin_model *model, int64_t index);
/* The recipe the model was made from, JSON, or NULL. Borrowed. */
FANIN_API const char *fanin_model_recipe(const fanin_model *model);

/* Set size to sizeof(struct fanin_import_options); a zero field means its default. */
struct fanin_import_options {
    size_t size;
    /* Which tensors are which parameters: {name: "fc1.*", text: "dense1.*"}. A * stands for the
     * same text in both; an empty text leaves the tensor out; the first entry that fits decides.
     * Without one, a tensor is the parameter of its own name. */
    const struct fanin_named_text *map;
    int64_t n_map;
    int partial;   /* 1: tensors that belong to no parameter are left out, not refused */
    int transpose; /* 1: matrices stand as (in, out), as Keras keeps them */
};

/* What a run told of itself, a figure over time. The model file keeps it. */
struct fanin_history {
    const char *event;    /* "epoch"; of train.watch: "watch", "watch_source", "watch_layer",
                           * "watch_param" */
    const char *name;     /* of the source, layer or parameter; NULL: the event has none */
    const char *figure;   /* "loss", "val_accuracy", "update_share", …: as in the event */
    int64_t n;            /* of moments that are kept */
    const double *at;     /* n: the epoch, or the update, counted from 1 */
    const double *values; /* n; NaN: there was none then, or it was not finite */
    int64_t moments;      /* how many there were: of many, evenly spread ones are kept, the first
                           * and the last among them */
};
/* Figure `index` of the run that made the model. Returns 0 beyond the last one. Borrowed until the
 * model is trained again or freed.
 *
 *     struct fanin_history h;
 *     for (int64_t i = 0; fanin_model_history(model, i, &h); i++)
 *         if (!strcmp(h.event, "epoch") && !strcmp(h.figure, "val_loss")) plot(h.at, h.values,
 * h.n);
 */
FANIN_API int fanin_model_history(const fanin_model *model, int64_t index,
                                  struct fanin_history *out);

/* Takes parameters from a .safetensors file that another program wrote; those it does not hold stay
 * as they are. float16, bfloat16 and float64 are converted. Nothing changes on failure.
 * Errors: IO, DATA (no such parameter, not floating-point, not finite), SHAPE (both shapes), RECIPE
 * (the map), ARGUMENT, MEMORY. */
FANIN_API enum fanin_status fanin_model_import(fanin_model *model, const char *path,
                                               const struct fanin_import_options *options);

/* Copies a parameter out of or into the model: row-major as in the file, `count` numbers as in
 * fanin_param_info. Errors: ARGUMENT (no such parameter, wrong count). */
FANIN_API enum fanin_status fanin_model_get(const fanin_model *model, const char *param,
                                            float *values, int64_t count);
FANIN_API enum fanin_status fanin_model_set(fanin_model *model, const char *param,
                                            const float *values, int64_t count);

/* Predicts: x is n × inputs raw numbers (normalized here as the training data were), out gets
 * n × outputs: probabilities for classification, values for regression. Errors: ARGUMENT, MEMORY.
 */
FANIN_API enum fanin_status fanin_model_predict(fanin_model *model, const float *x, int64_t n,
                                                float *out);

/* ---- dropout as an ensemble (docs/ensembles.md) ---------------------------------------------------- */

/* How a net with dropout or other noise predicts. */
enum fanin_inference {
    FANIN_WEIGHT_SCALING, /* one pass without noise */
    FANIN_MC,             /* arithmetic mean of the members' predictions */
    FANIN_GEOMETRIC       /* their normalized geometric mean; classes only */
};
#define FANIN_ALL_MEMBERS (-1)

/* Set size to sizeof(struct fanin_ensemble_options); a zero field means its default. */
struct fanin_ensemble_options {
    size_t size;
    enum fanin_inference inference; /* default weight scaling, which ignores the rest */
    int64_t members; /* masks drawn for each sample, or FANIN_ALL_MEMBERS: all 2^n subnetworks by
                      * their probability, of n <= 16 units that may be dropped; no default */
    uint64_t seed;   /* of the masks; mask k of sample i depends on seed, node, k and i alone */
};

/* Where predictions of n samples go. A NULL member is not wanted. */
struct fanin_prediction {
    size_t size;         /* sizeof(struct fanin_prediction) */
    float *p;            /* n × outputs, as of fanin_model_predict */
    double *entropy;     /* n: of the prediction, in nats; NaN where it is no distribution */
    double *information; /* n: mutual information of prediction and mask, in nats (entropy less the
                          * members' mean entropy); 0 for weight scaling, NaN for the geometric mean
                          * and where a prediction is no distribution */
    double *deviation;   /* n × outputs: standard deviation over the members, in the units of p;
                          * divided by their number, so 0 for one; mc only, else 0 */
};

/* Predicts as options say (NULL: weight scaling) while batch norm and the like stay as in
 * inference. Errors: ARGUMENT, RECIPE (the net draws nothing; too many units, or other noise, for
 * all members; no geometric mean of values), MEMORY. */
FANIN_API enum fanin_status
fanin_model_predict_ensemble(fanin_model *model, const float *x, int64_t n,
                             const struct fanin_ensemble_options *options,
                             const struct fanin_prediction *out);

/* What an output node gives for the same samples, before the loss's link: out gets n × (its shape).
 * Errors: ARGUMENT (no output of the net), MEMORY. */
FANIN_API enum fanin_status fanin_model_activations(fanin_model *model, const char *node,
                                                    const float *x, int64_t n, float *out);

/* Writes the file completely or not at all (a temporary file is renamed). Errors: IO. */
FANIN_API enum fanin_status fanin_model_save(const fanin_model *model, const char *path);
/* Reads a model file. Errors: IO, DATA (what is wrong in the file), RECIPE, MEMORY. */
FANIN_API enum fanin_status fanin_model_load(fanin_model **out, fanin_ctx *ctx, const char *path);

/* ---- folding ----------------------------------------------------------------------------------------- */

enum fanin_fold_kind {
    FANIN_FOLD_MERGED,  /* taken up by the weights of `into` (which may be the node itself) */
    FANIN_FOLD_DROPPED, /* the identity outside training */
    FANIN_FOLD_LEFT     /* could not be folded; `why` says what is in the way */
};
/* What became of a node. All pointers live for the call only. */
struct fanin_fold_event {
    enum fanin_fold_kind kind;
    const char *node, *op, *into, *why;
};
/* Set size to sizeof(struct fanin_fold_options). */
struct fanin_fold_options {
    size_t size;
    void (*event)(void *payload, const struct fanin_fold_event *event); /* NULL: none */
    void *payload;
};

/* Makes a model for inference that predicts the same up to rounding: batch norm goes into the
 * linear layer before or behind it, dropout and the like are left out, layers that are special in
 * training alone become plain. *out is the caller's; `model` stays as it is. Recipe (with the
 * layers that are left), normalization, names and history go over. Errors: MEMORY. */
FANIN_API enum fanin_status fanin_model_fold(fanin_model **out, const fanin_model *model,
                                             const struct fanin_fold_options *options);

/* ---- files of data for a model ------------------------------------------------------------------- */

/* Reads one file as the model's training data were read: same columns, classes and normalization;
 * "-" is standard input. Its samples are the test part of *out. Labels may be missing, in the file
 * or (where they are a file of their own, labels_path) altogether; then the task is
 * FANIN_UNLABELED. Errors: IO, DATA (what is wrong, file and line), SHAPE (it does not fit the
 * model), RECIPE (the model was not made from files of any format), MEMORY. */
FANIN_API enum fanin_status fanin_data_load_for_model(fanin_data **out, const fanin_model *model,
                                                      const char *path, const char *labels_path);
/* Predicts samples first .. first+n-1 of a part, as fanin_model_predict does. Errors: ARGUMENT
 * (beyond the part), SHAPE, MEMORY. */
FANIN_API enum fanin_status fanin_model_predict_part(fanin_model *model, const fanin_data *data,
                                                     enum fanin_part part, int64_t first, int64_t n,
                                                     float *out);

/* The same by an ensemble: see fanin_model_predict_ensemble(). Sample i of the part has the masks
 * of sample i, wherever `first` is. */
FANIN_API enum fanin_status fanin_model_predict_part_ensemble(
    fanin_model *model, const fanin_data *data, enum fanin_part part, int64_t first, int64_t n,
    const struct fanin_ensemble_options *options, const struct fanin_prediction *out);

#ifdef __cplusplus
}
#endif
#endif
