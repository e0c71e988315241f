/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages of docs/reference, a page a kind, written by `fanin help --markdown` from the records
 * (tools/reference). What a page says of a record is what `fanin help NAME` says.
 */
#include "record.h"

#include <string.h>

static const struct {
    const char *kind, *title, *text;
} kinds[] = {
    {"op", "Layers and other ops", "The items of `net`."},
    {"loss", "Losses", "What training makes small: the key `loss`."},
    {"init", "Initializers", "How weights start: the key `init`, of the recipe or of a layer."},
    {"reg", "Regularizers", "Terms added to the loss, and decay: the map `regularize`."},
    {"constraint", "Constraints", "What holds for weights after each step: the map `constrain`."},
    {"optim", "Optimizers", "The key `optim`."},
    {"average", "Averages of weights", "The key `average`."},
    {"schedule", "Schedules", "Factors over time: the key `schedule`."},
    {"metric", "Metrics", "Figures of an evaluation; early stopping may watch one."},
    {"reader", "Readers", "Where samples come from: the key `data.reader`."},
    {"finding", "Findings", "What `fanin check` looks for."},
    {"probe", "Probes", "What `fanin study` measures of a run, under `measure`."},
    {"plot", "Plots", "What `fanin study` draws, under `plots`."},
    {"format", "Formats of model files", "How a model is written."},
    {"report", "Reports", "How a run is told."},
    {RECORD_SECTIONS, "Sections of a recipe",
     "The keys of a recipe that take no record; see [recipes](../recipe.md)."}};

static const char *title_of(const char *kind) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kinds[i].kind, kind)) return kinds[i].title;
    return kind;
}
static const char *text_of(const char *kind) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kinds[i].kind, kind)) return kinds[i].text;
    return "";
}

/* Text in a cell of a table, where '|' would end it. */
static void print_cell(const char *text) {
    printf(" ");
    for (; *text; text++) printf(*text == '|' ? "\\|" : "%c", *text);
    printf(" |");
}

static void print_attrs(const struct fanin_record *record) {
    char type[RECORD_TEXT], def[RECORD_TEXT];
    if (!record->attrs || !record->attrs[0].name) return;
    printf("\n| attribute | takes | default | |\n|---|---|---|---|\n");
    for (const struct fanin_attr_spec *a = record->attrs; a->name; a++) {
        record_type(type, a);
        record_default(def, a);
        printf("| `%s` |", a->name);
        print_cell(type);
        print_cell(def);
        print_cell(a->help ? a->help : "");
        printf("\n");
    }
}

static void print_record(const char *kind, const struct fanin_record *record) {
    char example[RECORD_TEXT];
    printf("\n## %s\n%s\n\n", record->name, record->help);
    printf("- formula: `%s`\n- reference: %s\n", record->formula, record->reference);
    if (record->aliases && *record->aliases) {
        printf("- also called:");
        for (const char *p = record->aliases; *p; p += strspn(p, " ")) {
            printf(" `%.*s`", (int)strcspn(p, " "), p);
            p += strcspn(p, " ");
        }
        printf("\n");
    }
    print_attrs(record);
    record_example(example, kind, record);
    if (*example) printf("\n```yaml\n%s\n```\n", example);
}

static void print_line(const char *kind) {
    printf("- [%s](%s.md): %s\n", title_of(kind), kind, text_of(kind));
}

int markdown_page(const struct app *app, const char *kind) {
    static const char origin[] =
        "Written by `tools/reference` from the records of the source; `fanin help NAME` prints the "
        "same.";
    const struct fanin_record *record;
    const char *other;
    if (!kind) {
        printf("# Reference\n\n%s\n\n", origin);
        for (int k = 0; (other = fanin_kind(k)) != NULL; k++)
            if (fanin_record_at(app->ctx, other, 0))
                print_line(other); /* a kind may have none yet */
        print_line(RECORD_SECTIONS);
        return EXIT_DONE;
    }
    if (!record_at(app->ctx, kind, 0))
        return fail_with(EXIT_USAGE, "'%s' is no kind of records; fanin list shows them", kind);
    printf("# %s\n\n%s %s\n\n", title_of(kind), text_of(kind), origin);
    for (int i = 0; (record = record_at(app->ctx, kind, i)) != NULL; i++)
        printf("%s[%s](#%s)", i ? ", " : "", record->name, record->name);
    printf("\n");
    for (int i = 0; (record = record_at(app->ctx, kind, i)) != NULL; i++)
        print_record(kind, record);
    return EXIT_DONE;
}
