/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin schema: the JSON Schema of a recipe, for editors.
 */
#include "app.h"

struct schema_fields {
    struct common common;
};

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    (void)fields;
    (void)operands;
    (void)n;
    enum fanin_status status = fanin_recipe_schema(app->ctx, app_sink, app);
    /* main tells of output that could not be written */
    return status == FANIN_OK || app->sink_errno ? EXIT_DONE : fail_writing(app, status);
}

const struct command cmd_schema = {
    .usage = {"schema", "", 0, 0, "Print the JSON Schema of a recipe, for editors", NULL,
              common_options},
    .size = sizeof(struct schema_fields),
    .run = run,
};
