/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of a recipe as records: one table from which keys are checked, values parsed, and
 * help and documentation written. The default of a key is the one that training or data loading
 * would take.
 */
#include <string.h>

#include "recipe/recipe.h"

#define SECTION(type, field, help) FI_ATTR_RULE(type, field, FI_FORM_SECTION, help)
#define LAYERS(type, field, help) FI_ATTR_RULE(type, field, FI_FORM_LAYERS, help)
#define RULES(type, field, kind, help) FI_ATTR_RULE(type, field, FI_FORM_RULES kind, help)
#define SECTIONS(type, field, help) FI_ATTR_RULE(type, field, FI_FORM_SECTIONS, help)

struct top_level {
    const char *name;
    struct fanin_rule_ref data, net, init, loss, regularize, constrain, params, optim, schedule,
        momentum_schedule, average, train;
};

static const struct fanin_attr_spec recipe_keys[] = {
    FI_ATTR_STRING(struct top_level, name, NULL, "a title for people", FANIN_ATTR_NULLABLE),
    SECTION(struct top_level, data, "where samples and labels come from"),
    LAYERS(struct top_level, net, "the list of layers, each fed by the one before it"),
    FI_ATTR_RULE(struct top_level, init, "init",
                 "how all weights start, where a layer says nothing; default: by what follows"),
    FI_ATTR_RULE(struct top_level, loss, "loss",
                 "default: softmax_cross_entropy for classes, mse for values"),
    RULES(struct top_level, regularize, "reg", "regularizers by name, {weight_decay: 1.0e-4}"),
    RULES(struct top_level, constrain, "constraint",
          "constraints on weights by name, {max_norm: 3}, held after each step"),
    SECTIONS(struct top_level, params, "what is asked of parameters by their names"),
    FI_ATTR_RULE(struct top_level, optim, "optim", "default: {sgd: {lr: 0.1, momentum: 0.9}}"),
    FI_ATTR_RULE(struct top_level, schedule, "schedule",
                 "factor on the learning rate over time; default: constant"),
    FI_ATTR_RULE(struct top_level, momentum_schedule, "schedule",
                 "factor on the optimizer's momentum or beta1 over time; default: constant"),
    FI_ATTR_RULE(struct top_level, average, "average",
                 "of the weights along the run, evaluated and saved in their place; default: none"),
    SECTION(struct top_level, train, "how long, in which batches, with which seed"),
    FI_ATTR_END};

#define PATH_KEY(field, help)                                                                      \
    FI_ATTR_STRING(struct fi_section_data, field, NULL, help, FANIN_ATTR_NULLABLE)
#define FRACTION_KEY(field, help)                                                                  \
    FI_ATTR_REAL(struct fi_section_data, field, 0, 0, 1, help, FANIN_ATTR_BELOW_MAX)
#define ROWS_KEY(field, help) FI_ATTR_INT(struct fi_section_data, field, 0, 0, 1e15, help, 0)

static const struct fanin_attr_spec data_keys[] = {
    FI_ATTR_RULE(struct fi_section_data, reader, "reader",
                 "the source, {csv: {target: price}}; default: by the suffix of `train`"),
    PATH_KEY(dir, "folder put before the relative paths below"),
    PATH_KEY(train, "file of samples to train on"),
    PATH_KEY(train_labels, "their labels, where these are a file of their own"),
    PATH_KEY(validation, "file of samples that choose the best weights"),
    PATH_KEY(validation_labels, "their labels"),
    PATH_KEY(test, "file of samples for the final figures"),
    PATH_KEY(test_labels, "their labels"),
    FRACTION_KEY(validation_fraction, "part of `train` held out for validation"),
    FRACTION_KEY(test_fraction, "part of `train` held out for the test"),
    PATH_KEY(sample_weights, "what samples count in the loss: a column, or a file of numbers"),
    ROWS_KEY(rows, "takes the first so many samples of `train`, before any are held out; 0: all"),
    ROWS_KEY(test_rows, "takes the first so many samples of `test`; 0: all"),
    FI_ATTR_CHOICE(struct fi_section_data, target, 0, "labels|input",
                   "what is learned; input: the normalized inputs themselves (an autoencoder)"),
    FI_ATTR_CHOICE(struct fi_section_data, normalize, 0, "mean_std|min_max|none|binary",
                   "how inputs are scaled, fitted on the training part; binary: 1 above half of "
                   "the range, else 0"),
    FI_ATTR_END};

static const struct fanin_attr_spec train_keys[] = {
    FI_ATTR_INT(struct fi_section_train, epochs, 10, 1, 1e9, "passes over the training part", 0),
    FI_ATTR_INT(struct fi_section_train, batch, 128, 1, 1e9,
                "samples in an update; the default shrinks to the data", 0),
    FI_ATTR_INT(struct fi_section_train, seed, 0, 0, 9007199254740992.0,
                "of every random number: start, split, order, dropout", 0),
    FI_ATTR_INT(struct fi_section_train, shards, 1, 1, 65536,
                "parts of a batch summed apart, a power of two; ranks need as many", 0),
    FI_ATTR_REAL(struct fi_section_train, clip_value, 0, 0, 1e30,
                 "bound on each number of the gradient, before clip_norm; 0: none", 0),
    FI_ATTR_REAL(struct fi_section_train, clip_norm, 0, 0, 1e30,
                 "longest gradient that is left as it is; 0: any", 0),
    FI_ATTR_REAL(struct fi_section_train, mixup, 0, 0, 1000,
                 "alpha: samples are mixed in pairs by a factor of Beta(alpha, alpha); 0: not", 0),
    FI_ATTR_REAL(struct fi_section_train, rounding_noise, 0, 0, 1,
                 "multiplies each weight's gradient by 1 + e·U(-1, 1)", 0),
    FI_ATTR_BOOL(struct fi_section_train, allow_symmetric, 0,
                 "train even if hidden units start equal and can never part"),
    FI_ATTR_INT(struct fi_section_train, watch, 0, 0, 1e9,
                "tells what goes on in the net at every so many-th update; 0: never", 0),
    SECTION(struct fi_section_train, early_stop,
            "stops when validation no longer improves, and takes the best weights"),
    SECTION(struct fi_section_train, checkpoint, "where and how often the run is saved"),
    SECTION(struct fi_section_train, from,
            "a file of tensors to start from, of PyTorch for example"),
    FI_ATTR_END};

static const struct fanin_attr_spec early_stop_keys[] = {
    FI_ATTR_STRING(struct fi_section_early_stop, metric, "loss",
                   "the figure of the validation part that counts", 0),
    FI_ATTR_INT(struct fi_section_early_stop, patience, 10, 1, 1e9,
                "epochs without improvement before the end", 0),
    FI_ATTR_REAL(struct fi_section_early_stop, min_delta, 0, 0, 1e30,
                 "what counts as an improvement", 0),
    FI_ATTR_END};

static const struct fanin_attr_spec from_keys[] = {
    FI_ATTR_STRING(struct fi_section_from, file, NULL, "a .safetensors file", FANIN_ATTR_REQUIRED),
    FI_ATTR_MAP(struct fi_section_from, map,
                "names of tensors to names of parameters, {\"fc1.*\": dense1.*}; an empty name "
                "leaves a tensor out; default: the same names"),
    FI_ATTR_BOOL(
        struct fi_section_from, strict, 1,
        "refuse tensors that belong to no parameter; false: leave them out, with a warning"),
    FI_ATTR_BOOL(struct fi_section_from, transpose, 0,
                 "matrices stand as (in, out), as Keras keeps them"),
    FI_ATTR_END};

static const struct fanin_attr_spec checkpoint_keys[] = {
    FI_ATTR_STRING(struct fi_section_checkpoint, path, NULL, "the file", FANIN_ATTR_REQUIRED),
    FI_ATTR_INT(struct fi_section_checkpoint, every, 1, 1, 1e9, "epochs between two saves", 0),
    FI_ATTR_END};

static const struct fanin_attr_spec repeat_keys[] = {
    FI_ATTR_INT(struct fi_section_repeat, times, 0, 0, FI_RECIPE_MAX_LAYERS, "how often",
                FANIN_ATTR_REQUIRED),
    LAYERS(struct fi_section_repeat, net, "the layers"), FI_ATTR_END};

/* What may stand beside the op in an item of `net`. */
struct layer_keys {
    const char *name;
    struct fanin_texts from;
};
static const struct fanin_attr_spec layer_keys[] = {
    FI_ATTR_STRING(struct layer_keys, name, NULL,
                   "of the node; default: the op with a number, dense1", FANIN_ATTR_NULLABLE),
    FI_ATTR_TEXTS(struct layer_keys, from,
                  "the nodes it reads, `input` for what enters the list; default: the layer "
                  "before"),
    FI_ATTR_END};

static const struct fanin_attr_spec params_keys[] = {
    FI_ATTR_STRING(struct fi_section_params, match, NULL,
                   "names of parameters, \"*.bias\": * stands for any text, ? for a character",
                   FANIN_ATTR_REQUIRED),
    FI_ATTR_RULE(struct fi_section_params, init, "init", "how they start; also biases"),
    FI_ATTR_REAL(struct fi_section_params, lr, 1, 0, 1e6, "factor on the learning rate", 0),
    FI_ATTR_BOOL(struct fi_section_params, frozen, 0,
                 "never updated; frozen statistics make the layer act as in inference"),
    FI_ATTR_BOOL(struct fi_section_params, decay, 1,
                 "whether penalties and decay apply; default: to weights, not to biases and norms"),
    RULES(struct fi_section_params, regularize, "reg",
          "instead of the penalties on weights of the whole run; and penalties on outputs"),
    RULES(struct fi_section_params, constrain, "constraint",
          "instead of the constraints of the whole run"),
    FI_ATTR_END};

const struct fanin_record fi_section_recipe = {.name = "recipe",
                                               .formula = "data + net + loss + optim -> model",
                                               .reference = "docs/recipe.md",
                                               .help = "Everything a run needs, as YAML or JSON.",
                                               .attrs = recipe_keys,
                                               .attrs_size = sizeof(struct top_level)};

const struct fanin_record fi_section_data = {
    .name = "data",
    .formula = "x = (raw - shift) * scale",
    .reference = "docs/recipe.md",
    .help = "Where samples come from, how they are split and scaled.",
    .attrs = data_keys,
    .attrs_size = sizeof(struct fi_section_data)};

const struct fanin_record fi_section_train = {
    .name = "train",
    .formula = "steps = epochs * ceil(samples / batch)",
    .reference = "docs/recipe.md",
    .help = "How long training runs, in which batches, with which seed.",
    .attrs = train_keys,
    .attrs_size = sizeof(struct fi_section_train)};

const struct fanin_record fi_section_early_stop = {
    .name = "early_stop",
    .formula = "stop after `patience` epochs without improvement",
    .reference = "Prechelt 1998, Early Stopping - But When?",
    .help = "Part of train: ends the run when the validation part no longer improves.",
    .attrs = early_stop_keys,
    .attrs_size = sizeof(struct fi_section_early_stop)};

const struct fanin_record fi_section_checkpoint = {
    .name = "checkpoint",
    .formula = "parameters, optimizer state and position -> file",
    .reference = "docs/recipe.md",
    .help = "Part of train: saves what is needed to go on exactly.",
    .attrs = checkpoint_keys,
    .attrs_size = sizeof(struct fi_section_checkpoint)};

const struct fanin_record fi_section_from = {
    .name = "from",
    .formula = "parameter = tensor of its name; the others are drawn",
    .reference = "docs/recipe.md",
    .help = "Part of train: starts from the tensors of a file that another program wrote.",
    .attrs = from_keys,
    .attrs_size = sizeof(struct fi_section_from)};

const struct fanin_record fi_section_repeat = {
    .name = "repeat",
    .formula = "net, net, … (times)",
    .reference = "docs/recipe.md",
    .help = "Part of net: a list of layers several times over; names are counted on.",
    .attrs = repeat_keys,
    .attrs_size = sizeof(struct fi_section_repeat)};

const struct fanin_record fi_section_params = {
    .name = "params",
    .formula = "what is asked of the parameters whose names match",
    .reference = "docs/recipe.md",
    .help = "A list; later entries win. All keys but match may stand on a layer too, which means "
            "its own parameters.",
    .attrs = params_keys,
    .attrs_size = sizeof(struct fi_section_params)};

const struct fanin_record fi_section_layer = {
    .name = "layer",
    .formula = "node = op(inputs)",
    .reference = "docs/recipe.md",
    .help = "Part of net: the keys that any layer may have beside its op.",
    .attrs = layer_keys,
    .attrs_size = sizeof(struct layer_keys)};

const struct fanin_record *fanin_recipe_section(int index) {
    static const struct fanin_record *const sections[] = {
        &fi_section_recipe,     &fi_section_data,       &fi_section_train,
        &fi_section_early_stop, &fi_section_checkpoint, &fi_section_from,
        &fi_section_repeat,     &fi_section_layer,      &fi_section_params,
    };
    return index >= 0 && index < FI_COUNT(sections) ? sections[index] : NULL;
}

const struct fanin_record *fi_section_find(const char *name) {
    for (int i = 0; fanin_recipe_section(i); i++) {
        if (strcmp(fanin_recipe_section(i)->name, name) == 0) return fanin_recipe_section(i);
    }
    return NULL;
}

bool fi_spec_has_form(const struct fanin_attr_spec *spec, const char *form) {
    static const char *const forms[] = {FI_FORM_SECTION, FI_FORM_SECTIONS, FI_FORM_LAYERS,
                                        FI_FORM_OWN};
    if (spec->type != FANIN_ATTR_RULE) return false;
    bool rules = strncmp(spec->text, FI_FORM_RULES, strlen(FI_FORM_RULES)) == 0;
    if (form) return strcmp(form, FI_FORM_RULES) == 0 ? rules : strcmp(spec->text, form) == 0;
    for (int i = 0; i < FI_COUNT(forms); i++) {
        if (strcmp(spec->text, forms[i]) == 0) return true;
    }
    return rules;
}

const struct fanin_attr_spec *fi_spec_find(const struct fanin_record *record, const char *key) {
    for (const struct fanin_attr_spec *spec = record->attrs; spec && spec->name; spec++) {
        if (strcmp(spec->name, key) == 0) return spec;
    }
    return NULL;
}
