/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of the runs as plots: figures by epoch, all runs in one plot; what watched updates
 * told, a run at a time.
 */
#include <math.h>
#include <string.h>

#include "report.h"

#define MOST_FIGURES 64 /* of an epoch */
#define MOST_LINES 8    /* colours that are told apart; more are a map */
#define MAP_COLUMNS 36

static int is_of(const struct fanin_history *h, const char *event, const char *figure) {
    return !strcmp(h->event, event) && !strcmp(h->figure, figure);
}

/* ---- by epoch --------------------------------------------------------------------------------------- */

/* The distinct figures of the runs' epochs, in the order in which they come. */
static int list_figures(const struct report *report, const char **names) {
    struct fanin_history h;
    int n = 0;
    for (int r = 0; r < report->n_runs; r++)
        for (int64_t i = 0; fanin_model_history(report->runs[r].model, i, &h); i++) {
            int known = strcmp(h.event, "epoch") != 0 || n == MOST_FIGURES;
            for (int k = 0; k < n && !known; k++) known = !strcmp(names[k], h.figure);
            if (!known) names[n++] = h.figure;
        }
    return n;
}

/* What a curve of a figure is called beside others: of the loss and its parts the part. */
static const char *label_of(const char *figure) {
    if (!strcmp(figure, "loss")) return "training";
    if (!strncmp(figure, "val_", 4)) return "validation";
    if (!strcmp(figure, "lr")) return "learning rate";
    return strncmp(figure, "loss_", 5) ? figure : figure + 5;
}

/* The figures of `names` over the epochs, of all runs. */
static void add_curves(struct report *report, fanin_page *page, const struct fanin_page_plot *how,
                       const char *const *names, int n) {
    struct scraps *s = &report->scraps;
    struct fanin_page_series *series = scrap_room(s, (int64_t)n * report->n_runs, sizeof *series);
    struct fanin_page_plot plot = *how;
    struct fanin_history h;
    if (!series) return;
    for (int k = 0; k < n; k++)
        for (int r = 0; r < report->n_runs; r++)
            for (int64_t i = 0; fanin_model_history(report->runs[r].model, i, &h); i++) {
                if (!is_of(&h, "epoch", names[k])) continue;
                const char *label = label_of(names[k]), *run = report->runs[r].name;
                if (report->n_runs > 1) label = n > 1 ? scrap_text(s, "%s, %s", run, label) : run;
                series[plot.n_series++] = (struct fanin_page_series){
                    .name = label, .style = FANIN_PAGE_LINE, .n = h.n, .x = h.at, .y = h.values};
                break;
            }
    plot.x_title = "epoch";
    plot.series = series;
    if (plot.n_series > 0) fanin_page_add_plot(page, &plot);
}

static int has(const char *const *names, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], name)) return 1;
    return 0;
}

static void add_loss(struct report *report, fanin_page *page, const char *const *names, int n) {
    static const char *const loss[] = {"loss", "val_loss"};
    const char *parts[MOST_FIGURES];
    int n_parts = 0;
    const int validated = has(names, n, "val_loss");
    const struct fanin_page_plot all = {
        .title = "Loss",
        .text = validated ? "Training: the mean over the epoch, with its penalties, as the weights "
                            "were in each step. Validation: the data's loss after the epoch."
                          : "The mean over the epoch, with its penalties. Without validation data "
                            "there is no other: `--set data.validation_fraction=0.1`.",
        .y_title = "loss",
        .y_scale = FANIN_PAGE_AUTO};
    const struct fanin_page_plot split = {
        .title = "Parts of the training loss",
        .text = "What the data and each penalty on weights, outputs or predictions add to it.",
        .y_title = "part of the loss",
        .y_scale = FANIN_PAGE_AUTO};
    for (int i = 0; i < n; i++)
        if (!strncmp(names[i], "loss_", 5)) parts[n_parts++] = names[i];
    add_curves(report, page, &all, loss, 2);
    if (n_parts > 0) add_curves(report, page, &split, parts, n_parts);
}

static void add_others(struct report *report, fanin_page *page, const char *const *names, int n) {
    struct scraps *s = &report->scraps;
    for (int i = 0; i < n; i++) {
        const int validation = !strncmp(names[i], "val_", 4);
        struct fanin_page_plot plot = {.title = names[i], .y_title = names[i]};
        if (!strncmp(names[i], "loss", 4) || !strcmp(names[i], "val_loss")) continue;
        if (validation) {
            plot.title = scrap_text(s, "Validation %s", names[i] + 4);
            plot.y_title = names[i] + 4;
        } else if (!strcmp(names[i], "lr")) {
            plot.title = "Learning rate";
            plot.text = "At the last update of each epoch.";
        } else if (!strcmp(names[i], "averaged")) {
            plot.title = "Weights averaged";
            plot.text = "How many steps' weights the average is made of.";
        }
        add_curves(report, page, &plot, names + i, 1);
    }
}

/* Says where the history is not whole. */
static void add_gaps(struct report *report, fanin_page *page) {
    for (int r = 0; r < report->n_runs; r++) {
        const struct report_run *run = &report->runs[r];
        struct fanin_history h;
        int64_t epochs = 0;
        for (int64_t i = 0; fanin_model_history(run->model, i, &h); i++) {
            if (strcmp(h.event, "epoch") != 0) continue;
            epochs = h.n;
            break;
        }
        if (epochs == 0)
            fanin_page_add_text(page, scrap_text(&report->scraps,
                                                 "The file of `%s` tells nothing of its run: an "
                                                 "older release wrote it, or another command "
                                                 "than `fanin train`.",
                                                 run->name));
        else if (epochs < h.moments)
            fanin_page_add_text(page,
                                scrap_text(&report->scraps,
                                           "`%s`: of %lld epochs, %lld evenly spread ones "
                                           "are kept.",
                                           run->name, (long long)h.moments, (long long)epochs));
    }
}

void report_curves(struct report *report, fanin_page *page) {
    const char *names[MOST_FIGURES];
    const int n = list_figures(report, names);
    fanin_page_add_section(page, "Curves", "What each epoch told.");
    add_gaps(report, page);
    if (n == 0) return;
    add_loss(report, page, names, n);
    add_others(report, page, names, n);
}

/* ---- watched updates -------------------------------------------------------------------------------- */

/* A figure of an event for all names it has in a run. */
struct over_time {
    const char *event, *figure, *title, *text, *y_title;
    enum fanin_page_scale scale;
    int least; /* names that there must be for a plot */
    int some;  /* names whose figures are all 0 are left out */
};

/* Whether a map of these numbers should be one of their logarithms. */
static int spans_decades(const struct fanin_page_series *series, int n) {
    double low = INFINITY, high = 0;
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < series[i].n; k++) {
            if (isnan(series[i].y[k])) continue;
            low = fmin(low, series[i].y[k]);
            high = fmax(high, series[i].y[k]);
        }
    return low > 0 && high > 10 * low;
}

static void add_map(struct report *report, fanin_page *page, const struct over_time *what,
                    const struct fanin_page_series *series, int n) {
    struct scraps *s = &report->scraps;
    const int64_t moments = series[0].n, step = (moments + MAP_COLUMNS - 1) / MAP_COLUMNS;
    const int64_t columns = (moments + step - 1) / step;
    const char **rows = scrap_room(s, n, sizeof *rows),
               **heads = scrap_room(s, columns, sizeof *rows);
    double *values = scrap_room(s, n * columns, sizeof *values);
    if (!rows || !heads || !values) return;
    const int decades = what->scale == FANIN_PAGE_AUTO && spans_decades(series, n);
    for (int64_t c = 0; c < columns; c++) {
        heads[c] = scrap_text(s, "%.0f", series[0].x[c * step]);
        for (int i = 0; i < n; i++) {
            const double value = series[i].y[c * step];
            values[i * columns + c] = decades ? log10(value) : value;
        }
    }
    for (int i = 0; i < n; i++) rows[i] = series[i].name;
    const struct fanin_page_heat heat = {
        .title = what->title,
        .text = what->text,
        .x_title = "update",
        .y_title = "name",
        .value_title = decades ? scrap_text(s, "log10 of %s", what->y_title) : what->y_title,
        .columns = heads,
        .n_columns = columns,
        .rows = rows,
        .n_rows = n,
        .values = values};
    fanin_page_add_heat(page, &heat);
}

static int is_told(const struct fanin_history *h, const struct over_time *what) {
    int told = !what->some;
    if (!is_of(h, what->event, what->figure)) return 0;
    for (int64_t k = 0; k < h->n && !told; k++) told = h->values[k] > 0;
    return told;
}

/* The figures of the runs; series NULL: counts them. */
static int gather(const struct report_run *runs, int n_runs, const struct over_time *what,
                  struct fanin_page_series *series) {
    struct fanin_history h;
    int n = 0;
    for (int r = 0; r < n_runs; r++)
        for (int64_t i = 0; fanin_model_history(runs[r].model, i, &h); i++) {
            if (!is_told(&h, what)) continue;
            const char *name = h.name ? h.name : n_runs > 1 ? runs[r].name : what->y_title;
            if (series)
                series[n] = (struct fanin_page_series){
                    .name = name, .style = FANIN_PAGE_LINE, .n = h.n, .x = h.at, .y = h.values};
            n++;
        }
    return n;
}

/* Many lines of one run are a map. */
static void add_over_time(struct report *report, fanin_page *page, const struct report_run *runs,
                          int n_runs, const struct over_time *what) {
    const int n = gather(runs, n_runs, what, NULL);
    struct fanin_page_series *series = scrap_room(&report->scraps, n, sizeof *series);
    if (n < what->least || n == 0 || !series) return;
    gather(runs, n_runs, what, series);
    if (n > MOST_LINES && n_runs == 1) {
        add_map(report, page, what, series, n);
        return;
    }
    const struct fanin_page_plot plot = {.title = what->title,
                                         .text = what->text,
                                         .x_title = "update",
                                         .y_title = what->y_title,
                                         .y_scale = what->scale,
                                         .series = series,
                                         .n_series = n};
    fanin_page_add_plot(page, &plot);
}

static int was_watched(const struct report_run *run) {
    struct fanin_history h;
    for (int64_t i = 0; fanin_model_history(run->model, i, &h); i++)
        if (!strcmp(h.event, "watch_source")) return 1;
    return 0;
}

/* The plots of one run: where loss and update come from; of the first run also its layers. */
static void add_run(struct report *report, fanin_page *page, const struct report_run *run) {
    static const struct over_time plots[] = {
        {"watch_source", "loss_share", "Where the loss comes from",
         "The share of each term in the loss that the update was to lower.", "share of the loss",
         FANIN_PAGE_LINEAR, 2, 0},
        {"watch_source", "update_share", "Where the update comes from",
         "The share of the data, each penalty, decay and constraints in the length of the step.",
         "share of the update", FANIN_PAGE_LINEAR, 1, 0},
        {"watch_layer", "rms", "Root mean square of each layer's output",
         "A layer whose numbers grow or fade through the run loses touch with its neighbours.",
         "root mean square", FANIN_PAGE_AUTO, 1, 0},
        {"watch_layer", "dead", "Dead units of each layer",
         "Units that gave 0 for all samples of the batch.", "units", FANIN_PAGE_LINEAR, 1, 1},
        {"watch_param", "update", "Update over size, for each parameter",
         "Root mean square of the step over that of the numbers; about 0.001 is usual.",
         "update / rms", FANIN_PAGE_AUTO, 1, 0}};
    for (int k = 0; k < (int)(sizeof plots / sizeof plots[0]); k++) {
        struct over_time what = plots[k];
        if (strcmp(what.event, "watch_source") != 0 && run != report->runs) break;
        if (report->n_runs > 1)
            what.title = scrap_text(&report->scraps, "%s: %s", run->name, what.title);
        add_over_time(report, page, run, 1, &what);
    }
}

void report_ledger(struct report *report, fanin_page *page) {
    static const struct over_time norm = {
        "watch", "grad_norm", "Norm of the gradient", NULL, "gradient norm", FANIN_PAGE_AUTO, 1, 0};
    static const struct over_time entropy = {
        "watch",
        "entropy",
        "Entropy of the predictions",
        "Of the update's batch, in nats: falls to 0 as the net becomes sure.",
        "entropy",
        FANIN_PAGE_LINEAR,
        1,
        0};
    fanin_page_add_section(page, "Regularization ledger",
                           "How much of the loss and of each update comes from the data, and how "
                           "much from what regularizes, at the watched updates.");
    for (int r = 0; r < report->n_runs; r++)
        if (!was_watched(&report->runs[r]))
            fanin_page_add_text(page, scrap_text(&report->scraps,
                                                 "`%s` was not watched: train it with `--set "
                                                 "train.watch=100` to see this for every hundredth "
                                                 "update.",
                                                 report->runs[r].name));
    for (int r = 0; r < report->n_runs; r++) add_run(report, page, &report->runs[r]);
    add_over_time(report, page, report->runs, report->n_runs, &norm);
    add_over_time(report, page, report->runs, report->n_runs, &entropy);
}
