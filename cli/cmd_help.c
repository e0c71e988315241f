/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin help [NAME]: everything a record says of itself, or the usage of a command. A name may
 * belong to records of several kinds; all are shown.
 */
#include <math.h>
#include <string.h>

#include "app.h"

#define NAMES_MAX 512

struct help_fields {
    struct common common;
};

/* ---- attributes -------------------------------------------------------------------------------------- */

/* "from 0 to 1", "above 0", … "" where there are no bounds. */
static void print_bounds(char *out, size_t size, const struct fanin_attr_spec *a) {
    int low = a->min > -1e300,
        high = a->max < 1e300 && !(a->type == FANIN_ATTR_INT && a->max > 9e18);
    const char *above = a->flags & FANIN_ATTR_ABOVE_MIN ? "above " : high ? "from " : "at least ";
    out[0] = '\0';
    if (a->min >= a->max) return;
    if (low && high)
        snprintf(out, size, ", %s%g %s%g", above, a->min,
                 a->flags & FANIN_ATTR_BELOW_MAX ? "to below " : "to ", a->max);
    else if (low)
        snprintf(out, size, ", %s%g", above, a->min);
    else if (high)
        snprintf(out, size, ", %s%g", a->flags & FANIN_ATTR_BELOW_MAX ? "below " : "at most ",
                 a->max);
}

/* The index-th of the words "a|b|c". */
static void print_word(char *out, size_t size, const char *words, int index) {
    for (; index > 0 && words; index--) {
        words = strchr(words, '|');
        if (words) words++;
    }
    snprintf(out, size, "%.*s", words ? (int)strcspn(words, "|") : 0, words ? words : "");
}

static void print_type(char *out, size_t size, const struct fanin_attr_spec *a) {
    char bounds[96];
    print_bounds(bounds, sizeof bounds, a);
    switch (a->type) {
    case FANIN_ATTR_BOOL:
        snprintf(out, size, "true or false");
        return;
    case FANIN_ATTR_INT:
        snprintf(out, size, "whole number%s", bounds);
        return;
    case FANIN_ATTR_REAL:
        snprintf(out, size, "number%s", bounds);
        return;
    case FANIN_ATTR_CHOICE:
        snprintf(out, size, "one of %s", a->text);
        return;
    case FANIN_ATTR_STRING:
        snprintf(out, size, "text");
        return;
    case FANIN_ATTR_RULE:
        snprintf(out, size, "%s", a->text);
        return;
    case FANIN_ATTR_LIST:
        snprintf(out, size, "list of numbers");
        return;
    case FANIN_ATTR_GAIN:
        snprintf(out, size, "number%s, or an activation's name", bounds);
        return;
    case FANIN_ATTR_TEXTS:
        if (a->text)
            snprintf(out, size, "one of %s, or a map from names to these", a->text);
        else
            snprintf(out, size, "list of texts");
        return;
    }
}

static void print_default(char *out, size_t size, const struct fanin_attr_spec *a) {
    out[0] = '\0';
    if (a->flags & FANIN_ATTR_REQUIRED) {
        snprintf(out, size, "required");
        return;
    }
    switch (a->type) {
    case FANIN_ATTR_BOOL:
        snprintf(out, size, "%s", a->def != 0 ? "true" : "false");
        return;
    case FANIN_ATTR_INT:
    case FANIN_ATTR_REAL:
    case FANIN_ATTR_GAIN:
        if (!isnan(a->def) && !(a->type == FANIN_ATTR_INT && a->def < -9e18))
            snprintf(out, size, "%g", a->def);
        return;
    case FANIN_ATTR_CHOICE:
    case FANIN_ATTR_TEXTS:
        if (a->text) print_word(out, size, a->text, (int)a->def);
        return;
    case FANIN_ATTR_STRING:
        if (a->text) snprintf(out, size, "%s", a->text);
        return;
    case FANIN_ATTR_RULE:
    case FANIN_ATTR_LIST:
        return;
    }
}

static void describe_attr(const struct app *app, const struct fanin_record *record,
                          const struct fanin_attr_spec *a) {
    char type[160], def[96];
    print_type(type, sizeof type, a);
    print_default(def, sizeof def, a);
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

/* ---- records ------------------------------------------------------------------------------------------ */

/* A value that may stand for the attribute in an example. */
static void example_value(char *out, size_t size, const struct fanin_attr_spec *a) {
    print_default(out, size, a);
    if (*out && strcmp(out, "required") != 0) return;
    if (a->type == FANIN_ATTR_INT)
        snprintf(out, size, "%g", a->min <= 10 && a->max >= 10 ? 10 : a->min);
    else if (a->type == FANIN_ATTR_REAL)
        snprintf(out, size, "%g", a->min < 0.01 && a->max > 0.01 ? 0.01 : a->min);
    else
        snprintf(out, size, "...");
}

/* A line as it could stand in a recipe. */
static void print_example(char *out, size_t size, const char *kind,
                          const struct fanin_record *record) {
    static const struct {
        const char *kind, *format;
    } places[] = {{"op", "net: [..., %s]"}, {"loss", "loss: %s"},
                  {"init", "init: %s"},     {"reg", "regularize: %s"},
                  {"optim", "optim: %s"},   {"schedule", "schedule: %s"},
                  {"reader", "data: %s"},   {"metric", "train: {early_stop: {metric: %s}}"}};
    char rule[160];
    const struct fanin_attr_spec *first = record->attrs;
    /* a regularizer without its strength would do nothing */
    int takes = first && first->name;
    int bare = !takes || (!(first->flags & FANIN_ATTR_REQUIRED) && strcmp(kind, "reg") != 0);
    if (bare) {
        snprintf(rule, sizeof rule, "%s", record->name);
    } else {
        char value[96];
        example_value(value, sizeof value, first);
        snprintf(rule, sizeof rule, "{%s: %s}", record->name, value);
    }
    out[0] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (!strcmp(kind, places[i].kind)) {
            const char *mark = strstr(places[i].format, "%s");
            snprintf(out, size, "%.*s%s%s", (int)(mark - places[i].format), places[i].format, rule,
                     mark + 2);
        }
}

static void describe(const struct app *app, const char *kind, const struct fanin_record *record) {
    char example[256];
    print_example(example, sizeof example, kind, record);
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

static int unknown_name(const struct app *app, const char *name) {
    const char *names[NAMES_MAX], *kind;
    const struct fanin_record *record;
    int n = 0;
    for (int i = 0; command_at(i); i++) names[n++] = command_at(i)->usage.name;
    for (int k = 0; (kind = fanin_kind(k)) != NULL; k++)
        for (int i = 0; (record = fanin_record_at(app->ctx, kind, i)) != NULL; i++)
            if (n < NAMES_MAX) names[n++] = record->name;
    const char *near = fanin_nearest(name, names, n);
    if (near) return fail_with(EXIT_USAGE, "nothing is called '%s'; did you mean %s?", name, near);
    return fail_with(EXIT_USAGE, "nothing is called '%s'; see fanin list", name);
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    (void)fields;
    const char *name = n ? operands[0] : "help", *kind;
    const struct command *command = command_find(name);
    int found = command != NULL;
    if (command) opt_usage(&command->usage);
    for (int k = 0; (kind = fanin_kind(k)) != NULL; k++) {
        const struct fanin_record *record = fanin_record_find(app->ctx, kind, name);
        if (!record) continue;
        if (found++ && !app->common->json) printf("\n");
        describe(app, kind, record);
    }
    return found ? EXIT_DONE : unknown_name(app, name);
}

const struct command cmd_help = {
    .usage = {"help", "[NAME]", 0, 1,
              "Tell what a command, op, loss, initializer, ... is and takes", NULL, common_options},
    .size = sizeof(struct help_fields),
    .run = run,
};
