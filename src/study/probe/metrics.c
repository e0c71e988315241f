/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loss and every metric on a part of the data, and of classes also error = 1 - accuracy, by
 * weight scaling or by an average over dropout masks.
 */
#include <string.h>

#include "model/model.h"
#include "study/probe.h"
#include "train/train.h"

struct metrics {
    int part, inference;
    int64_t members;
};

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    const struct metrics *a = attrs;
    const struct fanin_ensemble_options how = {.size = sizeof how,
                                               .inference = (enum fanin_inference)a->inference,
                                               .members =
                                                   a->members > 0 ? a->members : FANIN_ALL_MEMBERS,
                                               .seed = fanin_recipe_seed(look->recipe)};
    struct fi_arena arena;
    struct fi_eval eval;
    fi_arena_init(&arena, look->ctx);
    const enum fanin_status status =
        fi_evaluate(look->model, look->data, (enum fanin_part)a->part,
                    how.inference == FANIN_WEIGHT_SCALING ? NULL : &how, true, NULL, &arena, &eval);
    for (int i = 0; i < eval.n && status == FANIN_OK; i++) {
        look->add(look->to, eval.figures[i].name, "", eval.figures[i].value);
        if (strcmp(eval.figures[i].name, "accuracy") == 0)
            look->add(look->to, "error", "", 1 - eval.figures[i].value);
    }
    fi_arena_free(&arena);
    return status;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_CHOICE(struct metrics, part, 2, "train|validation|test", "the part of the data"),
    FI_ATTR_CHOICE(struct metrics, inference, 0, "weight_scaling|mc|geometric",
                   "how a net with dropout predicts"),
    FI_ATTR_INT(struct metrics, members, 0, 0, 1000000,
                "dropout masks to average over; 0: all that there are", 0),
    FI_ATTR_END};

FI_RECORD(probe, metrics) = {
    .head = {.name = "metrics",
             .formula = "loss, accuracy, error, entropy, ... of the predictions",
             .reference = "definition",
             .help = "Measures the model on a part of the data.",
             .attrs = specs,
             .attrs_size = sizeof(struct metrics),
             .place = ""},
    .look = look_at,
};
