/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipes inside the library: from a tree of values to the structs that data, train and graph take.
 *
 *   value, scalar, yaml, json   the tree (value.h)
 *   override                    "--set path=value", before anything is interpreted
 *   section                     what the keys of `data`, `train`, … are (records, as everything
 * else) rule                        records and attributes: names and types checked, with line
 *   layers                      the list `net`, with `repeat` unrolled and nodes named
 *   recipe                      all of it; builds the model
 */
#ifndef FI_RECIPE_H
#define FI_RECIPE_H

#include <fanin/recipe.h>

#include "recipe/value.h"

#define FI_RECIPE_MAX_LAYERS 4096 /* after `repeat` */

/* ---- sections ------------------------------------------------------------------------------------ */

/* A section is described by a record, like everything else that has attributes. An attribute whose
 * kind is one of these forms has a reader of its own, to which fi_attrs_read leaves it; overrides,
 * the schema and help follow the form. */
#define FI_FORM_SECTION "section"   /* a map of the keys of the section of that name */
#define FI_FORM_SECTIONS "sections" /* a list of such maps; the section is named like the key */
#define FI_FORM_LAYERS "layers"     /* a list of layers */
#define FI_FORM_RULES "rules:"      /* a map of rules; the kind follows, "rules:reg" */
#define FI_FORM_OWN "own"           /* anything that the section's owner reads himself */
struct fi_section_data {
    struct fanin_rule_ref reader;
    const char *dir, *train, *train_labels, *validation, *validation_labels, *test, *test_labels;
    double validation_fraction, test_fraction;
    const char *sample_weights;
    int64_t rows, test_rows;
    int target, normalize;
};
struct fi_section_train {
    int64_t epochs, batch, seed, shards;
    double clip_value, clip_norm, rounding_noise, mixup;
    int allow_symmetric;
    int64_t watch;
    struct fanin_rule_ref early_stop, checkpoint, from;
};
struct fi_section_early_stop {
    const char *metric;
    int64_t patience;
    double min_delta;
};
struct fi_section_from {
    const char *file;
    struct fanin_texts map;
    int strict, transpose;
};
struct fi_section_checkpoint {
    const char *path;
    int64_t every;
};
struct fi_section_repeat {
    int64_t times;
    struct fanin_rule_ref net;
};
struct fi_section_params {
    const char *match;
    struct fanin_rule_ref init;
    double lr;
    int frozen, decay;
    struct fanin_rule_ref regularize, constrain;
};

extern const struct fanin_record fi_section_recipe; /* the top level */
extern const struct fanin_record fi_section_data, fi_section_train, fi_section_early_stop,
    fi_section_checkpoint, fi_section_from, fi_section_repeat, fi_section_layer, fi_section_params;

/* Whether the key has the form, or (form NULL) any of the forms. */
bool fi_spec_has_form(const struct fanin_attr_spec *spec, const char *form);
/* The section of a name, NULL if there is none. */
const struct fanin_record *fi_section_find(const char *name);
/* The spec of a key, NULL if the record has no such key. */
const struct fanin_attr_spec *fi_spec_find(const struct fanin_record *record, const char *key);

/* ---- rules and attributes -------------------------------------------------------------------------- */

/* "unknown key 'lerning' in train; did you mean …?" with the keys of `record` (those of an op: and
 * what any layer takes); path "" is the recipe. */
enum fanin_status fi_fail_key(struct fi_arena *arena, struct fi_mark mark, const char *key,
                              const struct fanin_record *record, const char *path);
/* "unknown optimizer 'adan'; did you mean …?" with the records of `kind`. */
enum fanin_status fi_fail_record(struct fi_arena *arena, struct fi_mark mark, const char *kind,
                                 const char *name);
/* "<path>: expected <what>, found …" */
enum fanin_status fi_fail_type(fanin_ctx *ctx, const struct fi_value *value, const char *path,
                               const char *expected);
#define fi_fail_type(...) fi_given(FANIN_ERR_RECIPE, fi_fail_type(__VA_ARGS__))

/* `name`, or `{name: attributes}`: the entry or scalar of the name and the attributes (NULL: none).
 */
enum fanin_status fi_rule_split(fanin_ctx *ctx, struct fi_value *value, const char *path,
                                const char **name, struct fi_mark *mark, struct fi_value **attrs);

/* A value as a rule of `kind`; every name, type and bound is checked. `path` stands in messages. */
enum fanin_status fi_rule_read(struct fi_arena *arena, struct fanin_rule *out, const char *kind,
                               struct fi_value *value, const char *path);
/* The same where name and attributes were told apart already; value may be NULL. */
enum fanin_status fi_rule_read_named(struct fi_arena *arena, struct fanin_rule *out,
                                     const char *kind, const char *name, struct fi_mark mark,
                                     struct fi_value *value, const char *path);

/* "path.name", or the name alone where the path is ""; NULL without memory. */
const char *fi_path(struct fi_arena *arena, const char *path, const char *name);

/* The attributes of a record that was found. With `outputs` a whole number may be that word. null
 * means "not given", except where the attribute takes null as a value. */
struct fi_attrs {
    struct fanin_attr *items;
    int64_t n;
    uint64_t outputs; /* bit i: items[i] is the word `outputs`, for now the number 1 */
};
enum fanin_status fi_attrs_read(struct fi_arena *arena, struct fi_attrs *out,
                                const struct fanin_record *record, struct fi_value *value,
                                const char *path, bool outputs);
/* Parses what fi_attrs_read gave: what is missing is found now. */
enum fanin_status fi_attrs_finish(struct fi_arena *arena, const void **out,
                                  const struct fanin_record *record, const struct fi_attrs *attrs,
                                  struct fi_mark mark, const char *path);
/* The attribute of a name, NULL if it was not given. */
const struct fanin_attr *fi_attrs_find(const struct fi_attrs *attrs, const char *name);

/* ---- layers ------------------------------------------------------------------------------------------ */

struct fi_layer {
    const struct fanin_record *op;
    uint64_t hash;          /* of the name: a few thousand layers look for free names */
    const char *name;       /* of the node */
    const char *given;      /* as `name:` says; NULL: none */
    struct fi_entry *item;  /* its place in the tree */
    struct fi_value *value; /* its attributes, NULL: none */
    struct fi_mark mark;
    int inputs[FANIN_MAX_INPUTS]; /* layers before it; -1: the input of the net */
    int n_inputs;
    struct fi_value *shared; /* the outermost `repeat` of several rounds it stands in: its list … */
    int64_t shared_index;    /* … and position there; NULL: none */
    struct fi_attrs attrs;   /* set by fi_layers_read */
    struct fi_value *policy; /* its keys of `params`, a map; NULL: none */
};
struct fi_layers {
    struct fi_layer *items;
    int n;
    int64_t cap;
};

/* Unrolls the list `net`: names, order and inputs of all layers; attributes are not read yet. */
enum fanin_status fi_layers_expand(struct fi_arena *arena, struct fi_layers *out,
                                   struct fi_value *net);
/* Reads the attributes of all layers. */
enum fanin_status fi_layers_read(struct fi_arena *arena, struct fi_layers *layers);
/* Splits the `repeat` at list->entries[index] into as many repeats of one round, so that each round
 * can be changed alone. Names stay what they were. */
enum fanin_status fi_repeat_split(struct fi_arena *arena, struct fi_value *list, int64_t index);

/* ---- policies of parameters ------------------------------------------------------------------------ */

/* The list `params` and the same keys on layers. */
struct fi_params {
    struct fanin_param_policy *items;
    struct fi_mark *marks;
    int n;
    int64_t cap, cap_marks;
};

/* Is this key of a layer one of `params`, and none of its op? */
bool fi_params_key(const struct fanin_record *op, const char *key);
/* The policies of all layers, then those of the list `params` (NULL: none). */
enum fanin_status fi_params_read(struct fi_arena *arena, struct fi_params *out,
                                 const struct fi_layers *layers, struct fi_value *params);
/* A map of rules of `kind`; value NULL: none. A rule set to null is none:
 * that is how an override takes one away. */
enum fanin_status fi_rules_read(struct fi_arena *arena, struct fanin_rule **out, int *n,
                                const char *kind, struct fi_value *value, const char *path);

/* ---- overrides ------------------------------------------------------------------------------------------ */

/* An override, and what a message about it begins with; NULL: "--set path=value". */
struct fi_change {
    const char *text, *source;
};
/* Applies "path=value" to the tree. */
enum fanin_status fi_override(struct fi_arena *arena, struct fi_value *root,
                              const struct fi_change *change);
/* Puts the short forms `data: digits` and `data: {csv: …}` as `data: {reader: …}`. */
enum fanin_status fi_data_canonical(struct fi_arena *arena, struct fi_value *root);

/* ---- the recipe -------------------------------------------------------------------------------------- */

struct fanin_recipe {
    fanin_ctx *ctx;
    struct fi_arena arena;
    struct fi_value *root;
    const char *json;
    struct fanin_rule loss, init; /* name NULL: not given */
    struct fanin_data_options data;
    struct fanin_train_options train;
    struct fi_layers layers;
    struct fi_params params;
    const struct fi_section_from *from; /* NULL: all parameters are drawn */
    struct fi_mark from_mark;
};

/* A recipe from a tree of values, which is copied and must only outlive it for the names of sources
 * in its marks; as fanin_recipe_load otherwise. */
enum fanin_status fi_recipe_from_value(fanin_recipe **out, fanin_ctx *ctx,
                                       const struct fi_value *root, const struct fi_change *changes,
                                       int n_changes);
/* A whole file of text as a tree; the text is freed, `source` (the path) must outlive the tree.
 * Errors: IO, RECIPE, MEMORY. */
enum fanin_status fi_value_load(struct fi_arena *arena, struct fi_value **out, const char *path);
/* The same recipe with another train.seed. */
enum fanin_status fi_recipe_with_seed(fanin_recipe **out, const fanin_recipe *recipe,
                                      uint64_t seed);
/* Starts the recipe's model anew from another seed. */
enum fanin_status fi_recipe_restart(fanin_model *model, const fanin_recipe *recipe,
                                    const fanin_data *data, uint64_t seed);

extern const char fi_recipe_digits[]; /* YAML of the default recipe */
/* JSON of the recipe for a table; NULL without memory. */
const char *fi_recipe_table(struct fi_arena *arena, const char *file, const char *target);

#endif
