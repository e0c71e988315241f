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

/* What an output node gives for the same samples, before the loss's link: out gets n × (its shape).
 * Errors: ARGUMENT (no output of the net), MEMORY. */
FANIN_API enum fanin_status fanin_model_activations(fanin_model *model, const char *node,
                                                    const float *x, int64_t n, float *out);

/* Writes the file completely or not at all (a temporary file is renamed). Errors: IO. */
FANIN_API enum fanin_status fanin_model_save(const fanin_model *model, const char *path);
/* Reads a model file. Errors: IO, DATA (what is wrong in the file), RECIPE, MEMORY. */
FANIN_API enum fanin_status fanin_model_load(fanin_model **out, fanin_ctx *ctx, const char *path);

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

#ifdef __cplusplus
}
#endif
#endif
