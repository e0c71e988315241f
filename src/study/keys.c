/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a study file as records, so that they are checked, and told in messages, like those
 * of a recipe. docs/study.md explains them.
 */
#include "study/keys.h"

#define OWN(type, field, help) FI_ATTR_RULE(type, field, FI_FORM_OWN, help)
#define TEXT(type, field, help) FI_ATTR_STRING(type, field, NULL, help, FANIN_ATTR_NULLABLE)

/* What the file and each of its parts may say. */
#define PART_KEYS                                                                                  \
    TEXT(struct fi_study_file, title, "one line for people"),                                      \
        TEXT(struct fi_study_file, about, "the idea, in prose"),                                   \
        TEXT(struct fi_study_file, source, "the paper"),                                           \
        TEXT(struct fi_study_file, deviations, "what is otherwise than in the paper"),             \
        TEXT(struct fi_study_file, base, "file of the recipe, beside the study"),                  \
        OWN(struct fi_study_file, recipe, "the recipe itself"),                                    \
        OWN(struct fi_study_file, set, "changes of the recipe, {path: value}"),                    \
        OWN(struct fi_study_file, grid,                                                            \
            "axes: {name: {condition: {path: value}}}, or {name: {path: [values]}}"),              \
        FI_ATTR_INT(struct fi_study_file, seeds, 5, 1, 100000, "runs of each condition", 0),       \
        FI_ATTR_INT(struct fi_study_file, first_seed, 1, 0, 9007199254740992.0 - 100000,           \
                    "train.seed of the first of them", 0),                                         \
        FI_ATTR_BOOL(struct fi_study_file, trains, 1, "false: only the start is looked at"),       \
        OWN(struct fi_study_file, measure, "what is measured of a run: {name: probe}"),            \
        OWN(struct fi_study_file, plots, "a list of plots"),                                       \
        OWN(struct fi_study_file, claims, "a list of claims"),                                     \
        OWN(struct fi_study_file, variants,                                                        \
            "{name: other sizes}; quick is what --quick takes, embedded where there are no files")

static const struct fanin_attr_spec part_keys[] = {TEXT(struct fi_study_file, name, "of the part"),
                                                   PART_KEYS, FI_ATTR_END};

static const struct fanin_attr_spec study_keys[] = {
    TEXT(struct fi_study_file, study, "the study's name; default: that of the file"), PART_KEYS,
    OWN(struct fi_study_file, parts, "a list of experiments; what they leave out stands above"),
    FI_ATTR_END};

static const struct fanin_attr_spec claim_keys[] = {
    TEXT(struct fi_study_claim_file, name, "what is claimed, in words"),
    FI_ATTR_STRING(struct fi_study_claim_file, expect, NULL, "what must hold of the figures",
                   FANIN_ATTR_REQUIRED),
    TEXT(struct fi_study_claim_file, source, "paper, and where in it"),
    TEXT(struct fi_study_claim_file, why, "what to know of it, or why it does not hold"),
    FI_ATTR_CHOICE(struct fi_study_claim_file, test, 0, FI_CLAIM_TESTS,
                   "over the seeds; == and != are exact"),
    FI_ATTR_REAL(struct fi_study_claim_file, level, 0.01, 0, 0.5, "of significance, one-sided",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_TEXTS(struct fi_study_claim_file, each,
                  "axes: the claim is made for each of their conditions"),
    FI_ATTR_END};

static const struct fanin_attr_spec variant_keys[] = {
    TEXT(struct fi_study_variant_file, about, "what is otherwise, for the page"),
    FI_ATTR_INT(struct fi_study_variant_file, seeds, 0, 0, 100000,
                "runs of each condition; 0: as it was", 0),
    OWN(struct fi_study_variant_file, set, "changes of all recipes, {path: value}"),
    OWN(struct fi_study_variant_file, only, "what is left of axes, {axis: [conditions]}"),
    FI_ATTR_END};

const struct fanin_record fi_study_keys = {.name = "study",
                                           .formula = "recipe x grid x seeds -> claims",
                                           .reference = "docs/study.md",
                                           .help = "A recipe run over a grid and several seeds.",
                                           .attrs = study_keys,
                                           .attrs_size = sizeof(struct fi_study_file)};
const struct fanin_record fi_study_part_keys = {.name = "part",
                                                .formula = "recipe x grid x seeds -> claims",
                                                .reference = "docs/study.md",
                                                .help = "One experiment of a study.",
                                                .attrs = part_keys,
                                                .attrs_size = sizeof(struct fi_study_file)};
const struct fanin_record fi_study_claim_keys = {.name = "claim",
                                                 .formula = "expression < expression",
                                                 .reference = "docs/study.md",
                                                 .help =
                                                     "What must hold of the figures of a study.",
                                                 .attrs = claim_keys,
                                                 .attrs_size = sizeof(struct fi_study_claim_file)};
const struct fanin_record fi_study_variant_keys = {.name = "variant",
                                                   .formula = "the same study, smaller",
                                                   .reference = "docs/study.md",
                                                   .help = "Other sizes of a study.",
                                                   .attrs = variant_keys,
                                                   .attrs_size =
                                                       sizeof(struct fi_study_variant_file)};
