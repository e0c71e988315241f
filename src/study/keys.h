/* SPDX-License-Identifier: Apache-2.0 */
/* What the keys of a study file are read into; keys.c says what they mean. */
#ifndef FI_STUDY_KEYS_H
#define FI_STUDY_KEYS_H

#include "study/claim.h"
#include "study/study.h"

struct fi_study_file {
    const char *study, *name, *title, *about, *source, *deviations, *base;
    int64_t seeds, first_seed;
    int trains;
    struct fanin_rule_ref recipe, set, grid, measure, plots, claims, parts, variants;
};
struct fi_study_claim_file {
    const char *name, *expect, *source, *why;
    int test;
    double level;
    struct fanin_texts each;
};
struct fi_study_variant_file {
    const char *about;
    int64_t seeds;
    struct fanin_rule_ref set, only;
};

extern const struct fanin_record fi_study_keys, fi_study_part_keys, fi_study_claim_keys,
    fi_study_variant_keys;

#endif
