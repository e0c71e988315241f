/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report as a page: the figures, curves, ledger, answers and mistakes, the parameters, the
 * recipe, and how to do it again.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

const char *report_output(struct report *report, int64_t index) {
    const char *name = fanin_model_output_name(report->runs[0].model, index);
    return name ? name : scrap_text(&report->scraps, "%" PRId64, index);
}

const char *report_part(const struct report_run *run) {
    static const char *const names[] = {"train", "validation", "test"};
    return names[run->part];
}

const char *report_grouped(struct scraps *s, double value) {
    const char *text = scrap_text(s, "%.0f", value);
    for (size_t n = strlen(text), at = 3; at < n; at += 4, n++)
        text = scrap_text(s, "%.*s,%s", (int)(n - at), text, text + n - at);
    return text;
}

/* ---- facts ------------------------------------------------------------------------------------------ */

/* "lr 0.1, momentum 0.9"; "" where all is as by default. */
static const char *attrs_of(struct scraps *s, const struct fanin_rule *rule) {
    const char *text = "";
    for (int64_t i = 0; i < rule->n_attrs; i++) {
        const struct fanin_attr *a = &rule->attrs[i];
        const char *comma = *text ? ", " : "", *name = a->name ? a->name : "";
        const char *space = *name ? " " : "";
        if (a->is_null) continue;
        if (a->rule)
            text = scrap_text(s, "%s%s%s%s%s", text, comma, name, space, a->rule->name);
        else if (a->text)
            text = scrap_text(s, "%s%s%s%s%s", text, comma, name, space, a->text);
        else if (a->n_list > 0 || a->n_texts > 0)
            text = scrap_text(s, "%s%s%s%s…", text, comma, name, space);
        else
            text = scrap_text(s, "%s%s%s%s%g", text, comma, name, space, a->number);
    }
    return text;
}

static const char *rules_of(struct scraps *s, const struct fanin_rule *rules, int n) {
    const char *text = "";
    for (int i = 0; i < n; i++) {
        const char *attrs = attrs_of(s, &rules[i]);
        text = scrap_text(s, "%s%s%s%s%s", text, *text ? ", " : "", rules[i].name,
                          *attrs ? " " : "", attrs);
    }
    return text;
}

static double epochs_of(const struct report_run *run) {
    struct fanin_history h;
    for (int64_t i = 0; fanin_model_history(run->model, i, &h); i++)
        if (!strcmp(h.event, "epoch") && h.n > 0) return h.at[h.n - 1];
    return NAN;
}

static void add_choices(struct scraps *s, const struct report_run *run,
                        struct fanin_page_fact *facts, int *n) {
    if (!run->recipe) return;
    const struct fanin_train_options *o = fanin_recipe_train(run->recipe);
    const struct fanin_rule *optim = &o->optim;
    const struct fanin_rule *schedule = &o->schedule;
    facts[(*n)++] = (struct fanin_page_fact){"optimizer",
                                             {.text = optim->name ? optim->name : "sgd"},
                                             optim->name ? attrs_of(s, optim) : NULL};
    facts[(*n)++] = (struct fanin_page_fact){"schedule",
                                             {.text = schedule->name ? schedule->name : "constant"},
                                             schedule->name ? attrs_of(s, schedule) : NULL};
    if (o->n_regularize > 0)
        facts[(*n)++] = (struct fanin_page_fact){
            "regularization",
            {.text = o->n_regularize == 1 ? o->regularize[0].name
                                          : scrap_text(s, "%d rules", o->n_regularize)},
            o->n_regularize == 1 ? attrs_of(s, o->regularize)
                                 : rules_of(s, o->regularize, o->n_regularize)};
    facts[(*n)++] = (struct fanin_page_fact){
        "seed", {.text = scrap_text(s, "%" PRIu64, fanin_recipe_seed(run->recipe))}, NULL};
}

static void add_facts(struct report *report, fanin_page *page) {
    struct report_run *run = &report->runs[0];
    struct scraps *s = &report->scraps;
    struct fanin_page_fact *facts = scrap_room(s, run->n_main + 9, sizeof *facts);
    const double epochs = epochs_of(run);
    int n = 0;
    if (!facts) return;
    for (int i = 0; i < run->n_main; i++)
        facts[n++] = (struct fanin_page_fact){
            scrap_text(s, "%s %s", report_part(run), run->figures[i].name),
            {.number = run->figures[i].value},
            i == 0 ? scrap_text(s, "%s samples", report_grouped(s, (double)run->samples)) : NULL};
    facts[n++] =
        (struct fanin_page_fact){"parameters", {.text = report_grouped(s, run->params)}, NULL};
    if (!isnan(epochs)) facts[n++] = (struct fanin_page_fact){"epochs", {.number = epochs}, NULL};
    if (run->recipe && fanin_recipe_train(run->recipe)->batch > 0)
        facts[n++] = (struct fanin_page_fact){
            "batch", {.number = (double)fanin_recipe_train(run->recipe)->batch}, NULL};
    add_choices(s, run, facts, &n);
    fanin_page_add_facts(page, facts, n);
}

/* ---- the runs beside each other --------------------------------------------------------------------- */

static double measured(const struct report_run *run, const char *name) {
    for (int i = 0; i < run->n_figures; i++)
        if (!strcmp(run->figures[i].name, name)) return run->figures[i].value;
    return NAN;
}

/* A row a figure: those of the first run that has any. */
static void add_figures(struct report *report, fanin_page *page) {
    struct scraps *s = &report->scraps;
    const struct report_run *of = NULL;
    const int n = report->n_runs;
    for (int r = n - 1; r >= 0; r--)
        if (report->runs[r].n_figures > 0) of = &report->runs[r];
    const int rows = (of ? of->n_figures : 0) + 3;
    const char **heads = scrap_room(s, n + 1, sizeof *heads);
    struct fanin_page_cell *cells = scrap_room(s, (int64_t)rows * (n + 1), sizeof *cells);
    if (!heads || !cells) return;
    heads[0] = "figure";
    for (int i = 0; i < rows; i++) {
        struct fanin_page_cell *row = cells + (int64_t)i * (n + 1);
        const char *name = i < rows - 3 ? of->figures[i].name : NULL;
        row[0].text = name            ? name
                      : i == rows - 3 ? "samples"
                      : i == rows - 2 ? "parameters"
                                      : "epochs";
        for (int r = 0; r < n; r++) {
            const struct report_run *run = &report->runs[r];
            heads[r + 1] = n == 1 ? report_part(run) : run->name;
            row[r + 1].number = name            ? measured(run, name)
                                : i == rows - 3 ? (run->why ? NAN : (double)run->samples)
                                : i == rows - 2 ? run->params
                                                : epochs_of(run);
        }
    }
    const struct fanin_page_table table = {
        n == 1           ? NULL
        : of && of->file ? scrap_text(s, "Final figures, on %s", of->file)
                         : "Final figures, on data that training has not seen",
        heads, n + 1, cells, rows};
    fanin_page_add_table(page, &table);
}

static void add_missing(struct report *report, fanin_page *page) {
    for (int r = 0; r < report->n_runs; r++) {
        const struct report_run *run = &report->runs[r];
        const struct fanin_page_notice notice = {
            .tone = FANIN_PAGE_CAUTION,
            .label = "no data",
            .title = run->name,
            .text = run->why,
            .more = "So there are no figures of this run, and no answers and mistakes to look at. "
                    "Where the data are now is told by `--set data.dir=…` or `--data FILE`."};
        if (run->why) fanin_page_add_notice(page, &notice);
    }
}

/* ---- parameters ------------------------------------------------------------------------------------- */

enum { PARAM_COLUMNS = 7 };
struct param_rows {
    struct scraps *s;
    const fanin_net *net; /* as it started */
    const fanin_model *model;
    struct fanin_page_cell *cells;
    int n, most;
};

static double rms_of(const struct param_rows *rows, const struct fanin_param_info *p) {
    double sum = 0;
    float *values = calloc((size_t)p->count + 1, sizeof *values);
    if (!values || fanin_model_get(rows->model, p->name, values, p->count) != FANIN_OK) {
        free(values);
        return NAN;
    }
    for (int64_t i = 0; i < p->count; i++) sum += (double)values[i] * (double)values[i];
    free(values);
    return sqrt(sum / (double)p->count);
}

static void add_param(void *payload, const struct fanin_event *e) {
    struct param_rows *rows = payload;
    struct fanin_param_info p;
    char shape[96], policy[320];
    if (rows->n == rows->most) return; /* outputs that are penalized come behind */
    struct fanin_page_cell *row = rows->cells + (int64_t)rows->n * PARAM_COLUMNS;
    fanin_net_param(rows->net, rows->n++, &p);
    print_dims(shape, sizeof shape, p.rank, p.dims);
    print_policy(policy, sizeof policy, e, p.trainable);
    row[0].text = p.name;
    row[1].text = scrap_text(rows->s, "%s", shape);
    row[2].number = (double)p.count;
    row[3].number = rms_of(rows, &p);
    row[4].text = p.init
                      ? scrap_text(rows->s, "%s%s%s", p.init, p.why ? ": " : "", p.why ? p.why : "")
                      : "not told";
    row[5].number = p.std;
    row[6].text = scrap_text(rows->s, "%s", policy);
}

static void add_params(struct report *report, fanin_page *page) {
    static const char *const columns[] = {
        "parameter", "shape", "numbers", "rms now", "start", "std at the start", "regularized by"};
    const struct report_run *run = &report->runs[0];
    const fanin_model *started = run->started ? run->started : run->model;
    struct param_rows rows = {.s = &report->scraps,
                              .net = fanin_model_net(started),
                              .model = run->model,
                              .most = fanin_net_params(fanin_model_net(started))};
    rows.cells = scrap_room(rows.s, (int64_t)rows.most * PARAM_COLUMNS, sizeof *rows.cells);
    if (!rows.cells || rows.most == 0 ||
        fanin_describe_params(started, run->started ? fanin_recipe_train(run->recipe) : NULL,
                              add_param, &rows) != FANIN_OK)
        return;
    const struct fanin_page_table table = {NULL, columns, PARAM_COLUMNS, rows.cells, rows.n};
    fanin_page_add_section(page, "Parameters",
                           report->n_runs > 1 ? scrap_text(rows.s, "Of `%s`.", run->name) : NULL);
    fanin_page_add_table(page, &table);
}

/* ---- again ------------------------------------------------------------------------------------------ */

/* Takes the run's recipe out of its file and trains by it. */
static const char *commands_of(struct scraps *s, const struct report_run *run) {
    char *info = shell_line("info", &run->path, 1);
    const char *text =
        scrap_text(s,
                   "%s --json | jq -r 'select(.event == \"recipe\").json' >recipe.json\n"
                   "fanin train recipe.json -o again.safetensors\n"
                   "cmp %s again.safetensors",
                   info ? info : "", info ? info + sizeof "fanin info " - 1 : "");
    free(info);
    return text;
}

static void add_again(struct report *report, fanin_page *page) {
    struct scraps *s = &report->scraps;
    const struct app *app = report->app;
    char *line = shell_line(app->name, (const char *const *)app->argv, app->argc);
    const int many = report->n_runs > 1;
    fanin_page_add_section(page, "Again", "The same release gives the same bytes.");
    for (int r = 0; r < report->n_runs; r++) {
        const struct report_run *run = &report->runs[r];
        if (!run->recipe) {
            fanin_page_add_text(page, scrap_text(s, "`%s` holds no recipe.", run->name));
            continue;
        }
        fanin_page_add_code(page,
                            many ? scrap_text(s, "Train %s again", run->name) : "Train it again",
                            commands_of(s, run), 0);
        fanin_page_add_code(page,
                            many ? scrap_text(s, "Recipe of %s, with what was set", run->name)
                                 : "Recipe, with what was set",
                            fanin_model_recipe(run->model), 1);
    }
    if (line) fanin_page_add_code(page, "This page", line, 0);
    free(line);
}

void report_page(struct report *report, fanin_page *page) {
    if (report->n_runs == 1) add_facts(report, page);
    add_missing(report, page);
    if (report->n_runs > 1) add_figures(report, page);
    report_curves(report, page);
    report_ledger(report, page);
    report_answers(report, page);
    report_worst(report, page);
    if (report->n_runs == 1) {
        fanin_page_add_section(page, "All figures", NULL);
        add_figures(report, page);
    }
    add_params(report, page);
    add_again(report, page);
}
