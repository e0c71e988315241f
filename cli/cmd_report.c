/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin report RUN…: a page of what trained models tell of their runs and do on data they have not
 * seen. The page goes to a file that is there completely or not at all, and that is begun first, so
 * that one that cannot be written is told before anything is computed.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define SUFFIX ".safetensors"
#define MOST_RUNS 64

struct report_fields {
    struct common common;
    const char *out, *data, *labels;
    struct opt_list set;
};

static const struct opt options[] = {
    {"out", 'o', OPT_TEXT, offsetof(struct report_fields, out), "PAGE",
     "the file to write; default: report.html", 0, 0},
    {"data", 0, OPT_TEXT, offsetof(struct report_fields, data), "FILE",
     "labelled samples; default: the test part of each recipe's data", 0, 0},
    {"labels", 0, OPT_TEXT, offsetof(struct report_fields, labels), "FILE",
     "their labels, where these are a file of their own", 0, 0},
    {"set", 0, OPT_LIST, offsetof(struct report_fields, set), "PATH=VALUE",
     "change the stored recipes: --set data.dir=elsewhere", 0, 0},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

/* ---- a run ------------------------------------------------------------------------------------------ */

struct receiver {
    struct scraps *s;
    struct report_run *run;
};

/* Keeps an evaluation; its texts and the number of samples are told otherwise. */
static void keep_eval(void *payload, const struct fanin_event *e) {
    struct scraps *s = ((struct receiver *)payload)->s;
    struct report_run *run = ((struct receiver *)payload)->run;
    const int64_t n = e->n_classes;
    run->samples = (int64_t)figure_of(e, "samples");
    run->figures = scrap_room(s, e->n_figures, sizeof *run->figures);
    if (e->confusion) run->confusion = scrap_room(s, n * n, sizeof *run->confusion);
    for (int i = 0; i < e->n_figures && run->figures; i++) {
        if (!strcmp(e->figures[i].name, "samples")) continue;
        run->n_main += i < e->n_main;
        run->figures[run->n_figures++] =
            (struct fanin_figure){scrap_text(s, "%s", e->figures[i].name), e->figures[i].value};
    }
    if (!run->confusion || !e->confusion) return;
    memcpy(run->confusion, e->confusion, (size_t)(n * n) * sizeof *run->confusion);
    run->n_classes = n;
}

/* Data that are not where they were leave the rest of the page worth reading, unless it was said
 * where they are. */
static int measure(struct report *report, struct report_run *run, const struct report_fields *f) {
    const struct labelled from = {f->data, f->labels, &f->set};
    struct receiver to = {&report->scraps, run};
    char why[512];
    run->file = f->data;
    enum fanin_status status =
        load_labelled(report->app, run->model, &from, &run->data, &run->part, why);
    if (status == FANIN_OK)
        status = fanin_evaluate(run->model, run->data, run->part, keep_eval, &to);
    if (status == FANIN_OK && run == report->runs) status = report_look(report);
    if (status == FANIN_OK) return 0;
    if (!*why && (f->data || f->set.n > 0 || status == FANIN_ERR_MEMORY))
        return fail_reading(report->app, status);
    if (*why && (f->data || f->set.n > 0)) return fail_with(EXIT_REFUSED, "%s", why);
    run->why = scrap_text(&report->scraps, "%s", *why ? why : fanin_errmsg(report->app->ctx));
    return fail_with(EXIT_DONE, "warning: %s: no figures of data: %s", run->path, run->why);
}

static int load_run(struct report *report, struct report_run *run, const struct report_fields *f) {
    const struct app *app = report->app;
    enum fanin_status status = fanin_model_load(&run->model, app->ctx, run->path);
    if (status != FANIN_OK) return fail_reading(app, status);
    run->started = as_started(app, run->model, &run->recipe);
    const fanin_net *net = fanin_model_net(run->model);
    for (int i = 0; i < fanin_net_params(net); i++) {
        struct fanin_param_info p;
        fanin_net_param(net, i, &p);
        run->params += (double)p.count;
    }
    const int code = measure(report, run, f);
    if (run != report->runs) { /* only the first one's samples are shown */
        fanin_data_free(run->data);
        run->data = NULL;
    }
    return code;
}

/* The file's name without folder and suffix, where that tells the runs apart. */
static void name_runs(struct report *report) {
    for (int i = 0; i < report->n_runs; i++) {
        const char *path = report->runs[i].path, *slash = strrchr(path, '/');
        const char *base = slash && slash[1] ? slash + 1 : path;
        size_t n = strlen(base), end = sizeof SUFFIX - 1;
        if (n > end && !strcmp(base + n - end, SUFFIX)) n -= end;
        report->runs[i].name = scrap_text(&report->scraps, "%.*s", (int)n, base);
    }
    for (int i = 0; i < report->n_runs; i++) {
        int same = 0;
        for (int k = 0; k < report->n_runs; k++)
            same += k != i && !strcmp(report->runs[k].name, report->runs[i].name);
        if (same) report->runs[i].name = report->runs[i].path;
    }
}

/* ---- telling ---------------------------------------------------------------------------------------- */

static void tell_text(struct report *report) {
    for (int r = 0; r < report->n_runs; r++) {
        const struct report_run *run = &report->runs[r];
        const struct fanin_text part = {
            "part", report->n_runs > 1
                        ? scrap_text(&report->scraps, "%s, %s", run->name, report_part(run))
                        : report_part(run)};
        const struct fanin_event event = {.type = FANIN_EVENT_EVAL,
                                          .figures = run->figures,
                                          .n_figures = run->n_main,
                                          .texts = &part,
                                          .n_texts = 1};
        if (!run->why) fanin_report_event(report->app->report, &event);
    }
}

static int make_page(struct report *report, fanin_file *file) {
    const struct app *app = report->app;
    const char *title = report->runs[0].name;
    fanin_page *page;
    for (int r = 1; r < report->n_runs; r++)
        title = scrap_text(&report->scraps, "%s%s%s", title,
                           r == report->n_runs - 1 ? " and " : ", ", report->runs[r].name);
    const enum fanin_status status = fanin_page_create(&page, app->ctx, title, "fanin report");
    if (status != FANIN_OK) return fail_writing(app, status);
    report_page(report, page);
    const int code = report->scraps.failed ? fail_with(EXIT_SYSTEM, "out of memory")
                                           : write_page(app, page, file);
    fanin_page_free(page);
    return code;
}

static void tell(struct report *report, const char *out) {
    struct app *app = report->app;
    const struct fanin_text path = {"path", out};
    if (app->common->json) {
        report_json(report);
        fanin_report_note(app->report, "page", &path, 1, NULL, 0);
        return;
    }
    tell_text(report);
    if (!app->common->quiet && !app->sink_errno) printf("page    %s\n", out);
}

/* ---- the command ------------------------------------------------------------------------------------ */

static int make(struct report *report, const struct report_fields *f) {
    const char *out = f->out ? f->out : "report.html";
    fanin_file *file;
    int code = 0;
    const enum fanin_status status = fanin_file_create(&file, report->app->ctx, out);
    if (status != FANIN_OK) return fail_writing(report->app, status);
    name_runs(report);
    for (int r = 0; r < report->n_runs && !code; r++) code = load_run(report, &report->runs[r], f);
    if (!code) code = make_page(report, file);
    fanin_file_free(file);
    if (!code) tell(report, out);
    return code;
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    const struct report_fields *f = fields;
    struct report report = {.app = app, .n_runs = n};
    if (f->labels && !f->data) return fail_with(EXIT_USAGE, "--labels goes with --data");
    if (f->data && f->set.n > 0) return fail_with(EXIT_USAGE, "--set changes nothing with --data");
    report.runs = scrap_room(&report.scraps, n, sizeof *report.runs);
    if (!report.runs) return fail_with(EXIT_SYSTEM, "out of memory");
    for (int r = 0; r < n; r++) report.runs[r].path = operands[r];
    const int code = make(&report, f);
    for (int r = 0; r < n; r++) {
        fanin_data_free(report.runs[r].data);
        fanin_recipe_free(report.runs[r].recipe);
        fanin_model_free(report.runs[r].started);
        fanin_model_free(report.runs[r].model);
    }
    scraps_free(&report.scraps);
    return code;
}

const struct command cmd_report = {
    .usage = {"report", "RUN...", 1, MOST_RUNS,
              "Make a page of trained models: curves, ledger, mistakes", options, common_options},
    .size = sizeof(struct report_fields),
    .run = run,
};
