/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training part whose labels or targets are all the same: there is nothing to learn.
 */
#include "check/check.h"

static bool constant(const fanin_data *data) {
    const struct fi_part *part = &data->parts[FANIN_TRAIN];
    const struct fi_table *t = part->table;
    const int64_t first = part->n > 0 ? fi_part_row(part, 0) : 0;
    if (!t->labels && !t->targets) return false;
    for (int64_t i = 1; i < part->n; i++) {
        const int64_t row = fi_part_row(part, i);
        if (t->labels && t->labels[row] != t->labels[first]) return false;
        for (int64_t k = 0; t->targets && k < t->n_outputs; k++)
            if (t->targets[row * t->n_outputs + k] != t->targets[first * t->n_outputs + k])
                return false;
    }
    return part->n > 0;
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    static const struct fi_found found = {.severity = FANIN_WILL_NOT_TRAIN,
                                          .mend =
                                              "no change of the recipe alone: look at the column "
                                              "that is to be predicted"};
    if (!constant(look->data)) return FANIN_OK;
    return fi_found(look, self, &found,
                    "all %lld training samples have the same %s: there is nothing to learn",
                    (long long)fanin_data_rows(look->data, FANIN_TRAIN),
                    look->data->parts[FANIN_TRAIN].table->labels ? "label" : "target");
}

FI_RECORD(finding, constant_labels) = {
    .head = {.name = "constant_labels",
             .formula = "H(y) = 0",
             .reference = "Shannon, Bell System Technical Journal, 1948, section 6",
             .help = "Training samples that all have the same label or target."},
    .look = look_for,
    .broken = true};
