/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin help [NAME]: everything a record says of itself, or the usage of a command. A name may
 * belong to records of several kinds, and to a section of the recipe; all are shown. --markdown
 * writes the pages of docs/reference.
 */
#include <string.h>

#include "app.h"
#include "record.h"

#define NAMES_MAX 1024

struct help_fields {
    struct common common;
    int markdown;
};

static const struct opt options[] = {{"markdown", 0, OPT_FLAG,
                                      offsetof(struct help_fields, markdown), NULL,
                                      "write the reference page of the kind NAME", 0, 0},
                                     {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

static void describe_attr(const struct app *app, const struct fanin_record *record,
                          const struct fanin_attr_spec *a) {
    char type[RECORD_TEXT], def[RECORD_TEXT];
    record_type(type, a);
    record_default(def, a);
    if (app->common->json) {
        struct fanin_text texts[] = {{"record", record->name},
                                     {"name", a->name},
                                     {"type", type},
                                     {"default", def},
                                     {"help", a->help ? a->help : ""}};
        fanin_report_note(app->report, "attribute", texts, 5, NULL, 0);
        return;
    }
    int required = !strcmp(def, "required");
    printf("    %-14s %s%s%s\n", a->name, type, *def ? required ? "; " : "; default " : "", def);
    if (a->help && *a->help) printf("    %-14s %s\n", "", a->help);
}

static void describe(const struct app *app, const char *kind, const struct fanin_record *record) {
    char example[RECORD_TEXT];
    record_example(example, kind, record);
    if (app->common->json) {
        struct fanin_text texts[] = {{"kind", kind},
                                     {"name", record->name},
                                     {"aliases", record->aliases ? record->aliases : ""},
                                     {"formula", record->formula},
                                     {"reference", record->reference},
                                     {"help", record->help},
                                     {"example", example}};
        fanin_report_note(app->report, "record", texts, 7, NULL, 0);
    } else {
        printf("%s (%s)\n  %s\n", record->name, kind, record->help);
        printf("  formula    %s\n  reference  %s\n", record->formula, record->reference);
        if (record->aliases && *record->aliases) printf("  also       %s\n", record->aliases);
        if (*example) printf("  recipe     %s\n", example);
    }
    if (!record->attrs || !record->attrs[0].name) return;
    if (!app->common->json) printf("  attributes\n");
    for (const struct fanin_attr_spec *a = record->attrs; a->name; a++)
        describe_attr(app, record, a);
}

/* fanin_kind(), then the sections. NULL beyond the last. */
static const char *kind_at(int index) {
    int n = 0;
    while (fanin_kind(n)) n++;
    return index < n ? fanin_kind(index) : index == n ? RECORD_SECTIONS : NULL;
}

static const struct fanin_record *find(const struct app *app, const char *kind, const char *name) {
    const struct fanin_record *record;
    if (strcmp(kind, RECORD_SECTIONS) != 0) return fanin_record_find(app->ctx, kind, name);
    for (int i = 0; (record = record_at(app->ctx, kind, i)) != NULL; i++)
        if (!strcmp(record->name, name)) return record;
    return NULL;
}

static int unknown_name(const struct app *app, const char *name) {
    const char *names[NAMES_MAX], *kind;
    const struct fanin_record *record;
    int n = 0;
    for (int i = 0; command_at(i); i++) names[n++] = command_at(i)->usage.name;
    for (int k = 0; (kind = kind_at(k)) != NULL; k++)
        for (int i = 0; (record = record_at(app->ctx, kind, i)) != NULL; i++)
            if (n < NAMES_MAX) names[n++] = record->name;
    const char *near = fanin_nearest(name, names, n);
    if (near) return fail_with(EXIT_USAGE, "nothing is called '%s'; did you mean %s?", name, near);
    return fail_with(EXIT_USAGE, "nothing is called '%s'; see fanin list", name);
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    const struct help_fields *f = fields;
    if (f->markdown) return markdown_page(app, n ? operands[0] : NULL);
    const char *name = n ? operands[0] : "help", *kind;
    const struct command *command = command_find(name);
    int found = command != NULL;
    if (command) opt_usage(&command->usage);
    for (int k = 0; (kind = kind_at(k)) != NULL; k++) {
        const struct fanin_record *record = find(app, kind, name);
        if (!record) continue;
        if (found++ && !app->common->json) printf("\n");
        describe(app, kind, record);
    }
    return found ? EXIT_DONE : unknown_name(app, name);
}

const struct command cmd_help = {
    .usage = {"help", "[NAME]", 0, 1,
              "Tell what a command, op, loss, initializer, ... is and takes", options,
              common_options},
    .size = sizeof(struct help_fields),
    .run = run,
};
