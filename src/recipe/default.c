/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recipes nobody had to write: the embedded digits, and a table of one's own.
 *
 * Both are ordinary recipes, so that overrides, the copy in the model file and every message work
 * as for a written one.
 */
#include <string.h>

#include "recipe/recipe.h"

const char fi_recipe_digits[] = "name: handwritten digits\n"
                                "data: {digits: {}, test_fraction: 0.2}\n"
                                "net:\n"
                                "  - dense: 512\n"
                                "  - relu\n"
                                "  - dropout: 0.5\n"
                                "  - dense: 256\n"
                                "  - relu\n"
                                "  - dropout: 0.5\n"
                                "  - dense: outputs\n"
                                "loss: softmax_cross_entropy\n"
                                "regularize: {weight_decay: 1.0e-2}\n"
                                "optim: {adamw: {lr: 2.0e-3}}\n"
                                "schedule: {cosine: {warmup_epochs: 1}}\n"
                                "train: {epochs: 60, batch: 64, seed: 1}\n";

/* Loss and outputs are left to the data, so that one recipe serves classes and values. */
static const char table_rest[] = "\"validation_fraction\": 0.15, \"test_fraction\": 0.15},\n"
                                 " \"net\": [{\"dense\": 64}, \"relu\", {\"dropout\": 0.1},"
                                 " {\"dense\": 64}, \"relu\", {\"dense\": \"outputs\"}],\n"
                                 " \"regularize\": {\"weight_decay\": 1.0e-2},\n"
                                 " \"optim\": {\"adamw\": {\"lr\": 2.0e-3}},\n"
                                 " \"schedule\": {\"cosine\": {\"warmup_epochs\": 1}},\n"
                                 " \"train\": {\"epochs\": 100, \"batch\": 32, \"seed\": 1,"
                                 " \"early_stop\": {\"metric\": \"loss\", \"patience\": 20}}}\n";

const char *fi_recipe_table(struct fi_arena *arena, const char *file, const char *target) {
    struct fi_text text;
    fi_text_init(&text, arena->ctx);
    fi_text_add(&text, "{\"data\": {");
    if (target) {
        fi_text_add(&text, "\"csv\": {\"target\": ");
        fi_json_string(&text, target);
        fi_text_add(&text, "}, ");
    }
    fi_text_add(&text, "\"train\": ");
    fi_json_string(&text, file);
    fi_text_add(&text, ",\n  %s", table_rest);
    const char *copy = text.failed ? NULL : fi_arena_strdup(arena, text.data);
    fi_text_free(&text);
    return copy;
}
