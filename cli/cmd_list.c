/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin list [KIND]: the records, name and formula, kind by kind.
 */
#include <string.h>

#include "app.h"

struct list_fields {
    struct common common;
};

static void list_kind(const struct app *app, const char *kind) {
    const struct fanin_record *record;
    if (!fanin_record_at(app->ctx, kind, 0)) return;
    if (!app->common->json && !app->common->quiet) printf("%s\n", kind);
    for (int i = 0; (record = fanin_record_at(app->ctx, kind, i)) != NULL; i++) {
        if (app->common->json) {
            struct fanin_text texts[] = {{"kind", kind},
                                         {"name", record->name},
                                         {"aliases", record->aliases ? record->aliases : ""},
                                         {"formula", record->formula},
                                         {"reference", record->reference},
                                         {"help", record->help}};
            fanin_report_note(app->report, "record", texts, 6, NULL, 0);
        } else if (app->common->quiet) {
            printf("%s\n", record->name);
        } else {
            printf("  %-22s %s\n", record->name, record->formula);
        }
    }
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    (void)fields;
    const char *kind, *names[32];
    int n_kinds = 0, found = 0;
    for (int i = 0; (kind = fanin_kind(i)) != NULL && i < 32; i++) {
        names[n_kinds++] = kind;
        if (n && strcmp(kind, operands[0]) != 0) continue;
        list_kind(app, kind);
        found = 1;
    }
    if (!found) {
        const char *near = fanin_nearest(operands[0], names, n_kinds);
        return fail_with(EXIT_USAGE, "unknown kind '%s'; %s%s%s", operands[0],
                         near ? "did you mean " : "see fanin list", near ? near : "",
                         near ? "?" : "");
    } else if (!app->common->json && !app->common->quiet) {
        printf("\n`fanin help NAME` tells more of each.\n");
    }
    return EXIT_DONE;
}

const struct command cmd_list = {
    .usage = {"list", "[KIND]", 0, 1, "List what a recipe can be made of", NULL, common_options},
    .size = sizeof(struct list_fields),
    .run = run,
};
