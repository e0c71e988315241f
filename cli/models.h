/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands that look at a trained model share: the data it is measured on, how it started,
 * and words for what an event tells.
 */
#ifndef FANIN_CLI_MODELS_H
#define FANIN_CLI_MODELS_H

#include "app.h"

/* Where the samples come from: a file, or (NULL) what the model's own recipe names, changed by
 * `set`. */
struct labelled {
    const char *file, *labels;
    const struct opt_list *set;
};
/* Data with labels, and the part of them that the model has not seen: test, else validation. A
 * refusal that is not the library's is in `why`, which is "" otherwise. */
enum fanin_status load_labelled(const struct app *app, const fanin_model *model,
                                const struct labelled *from, fanin_data **data,
                                enum fanin_part *part, char why[512]);

/* What is trained or measured: all three, or what could be made of it. */
struct subject {
    fanin_recipe *recipe;
    fanin_data *data;
    fanin_model *model;
};
/* The data of the recipe, and its model on them. 0, or an exit code after a message. */
int load_data_and_model(const struct app *app, struct subject *s);
/* Of a recipe (NULL: the default one, on the embedded digits), or of a model with its own recipe,
 * both changed by `set`. 0, or an exit code after a message; nothing is left behind then. */
int open_recipe(const struct app *app, const char *path, const struct opt_list *set,
                struct subject *s);
int open_model(const struct app *app, const char *path, const struct opt_list *set,
               struct subject *s);
void close_subject(struct subject *s);
/* By its suffix. */
int is_model_file(const char *path);

/* A model file holds what training made of the parameters, not how they started; its recipe tells
 * that, and needs only the shape of a sample for it. NULL: the file has no recipe, or one that says
 * too little. *recipe is made if it can be. */
fanin_model *as_started(const struct app *app, const fanin_model *model, fanin_recipe **recipe);

/* "64x28"; "1" for rank 0. */
void print_dims(char *out, size_t size, int rank, const int64_t *dims);
/* A text of an event, NULL if it has none of this name; a figure, NaN. */
const char *text_of(const struct fanin_event *event, const char *name);
double figure_of(const struct fanin_event *event, const char *name);
/* What a run does to the tensor of a FANIN_EVENT_PARAM: "weight_decay 0.01, max_norm, lr x0.1". */
void print_policy(char *out, size_t size, const struct fanin_event *event, int trainable);

#endif
