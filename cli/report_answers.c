/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the model answered on samples it has not seen: which classes it takes for which, how far its
 * confidence can be trusted, or how far its values are off.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define MAP_CLASSES 40 /* more cells than their square nobody looks at */
#define MOST_CLASSES 500
#define MOST_PAIRS 12
#define MOST_TARGETS 12

struct part {
    struct report *report;
    struct scraps *s;
    const struct report_run *run;
    const struct answers *a;
    fanin_page *page;
};

/* ---- classes ---------------------------------------------------------------------------------------- */

static void add_confusion(const struct part *p) {
    const int64_t n = p->run->n_classes;
    const char **names = scrap_room(p->s, n, sizeof *names);
    double *values = scrap_room(p->s, n * n, sizeof *values);
    if (n < 2 || n > MAP_CLASSES || !names || !values) return;
    for (int64_t i = 0; i < n; i++) names[i] = report_output(p->report, i);
    for (int64_t i = 0; i < n * n; i++) values[i] = (double)p->run->confusion[i];
    const struct fanin_page_heat heat = {
        .title = "Confusion matrix",
        .text = "Samples of each true class (down) by what they were taken for (across): what is "
                "right stands on the diagonal.",
        .x_title = "predicted",
        .y_title = "truth",
        .value_title = "samples",
        .columns = names,
        .n_columns = n,
        .rows = names,
        .n_rows = n,
        .values = values};
    fanin_page_add_heat(p->page, &heat);
}

struct pair {
    int64_t truth, taken, samples;
};
static int by_samples(const void *a, const void *b) {
    const struct pair *x = a, *y = b;
    if (x->samples != y->samples) return x->samples < y->samples ? 1 : -1;
    if (x->truth != y->truth) return x->truth < y->truth ? -1 : 1;
    return x->taken < y->taken ? -1 : 1;
}

/* The pairs that are confused most often. */
static void add_pairs(const struct part *p) {
    static const char *const columns[] = {"truth", "taken for", "samples", "share of the class"};
    const int64_t n = p->run->n_classes;
    int64_t found = 0;
    for (int64_t i = 0; i < n * n; i++) found += i % (n + 1) && p->run->confusion[i] > 0;
    struct pair *pairs = scrap_room(p->s, found, sizeof *pairs);
    struct fanin_page_cell *cells = scrap_room(p->s, 4L * MOST_PAIRS, sizeof *cells);
    if (found == 0 || !pairs || !cells) return;
    found = 0;
    for (int64_t i = 0; i < n * n; i++)
        if (i % (n + 1) && p->run->confusion[i] > 0)
            pairs[found++] = (struct pair){i / n, i % n, p->run->confusion[i]};
    qsort(pairs, (size_t)found, sizeof *pairs, by_samples);
    if (found > MOST_PAIRS) found = MOST_PAIRS;
    for (int64_t k = 0; k < found; k++) {
        double all = 0;
        for (int64_t c = 0; c < n; c++) all += (double)p->run->confusion[pairs[k].truth * n + c];
        cells[4 * k].text = report_output(p->report, pairs[k].truth);
        cells[4 * k + 1].text = report_output(p->report, pairs[k].taken);
        cells[4 * k + 2].number = (double)pairs[k].samples;
        cells[4 * k + 3].number = (double)pairs[k].samples / all;
    }
    const struct fanin_page_table table = {"Most often confused", columns, 4, cells, found};
    fanin_page_add_table(p->page, &table);
}

static void add_classes(const struct part *p) {
    const int labels = p->a->task == FANIN_MULTILABEL;
    const char *const columns[] = {
        labels ? "label" : "class", "samples", "predicted", "precision", "recall", "F1"};
    enum { COLUMNS = 6 };
    const int64_t n = p->a->outputs < MOST_CLASSES ? p->a->outputs : MOST_CLASSES;
    struct fanin_page_cell *cells = scrap_room(p->s, n * COLUMNS, sizeof *cells);
    if (!cells) return;
    for (int64_t i = 0; i < n; i++) {
        const struct report_class *c = &p->a->classes[i];
        const double right = (double)c->right;
        const struct fanin_page_cell row[COLUMNS] = {
            {.text = report_output(p->report, i)},
            {.number = (double)c->support},
            {.number = (double)c->taken},
            {.number = right / (double)c->taken},
            {.number = right / (double)c->support},
            {.number = 2 * right / (double)(c->taken + c->support)}};
        memcpy(cells + i * COLUMNS, row, sizeof row);
    }
    const char *title = labels ? "By label" : "By class";
    if (n < p->a->outputs)
        title = scrap_text(p->s, "%s: the first %" PRId64 " of %" PRId64, title, n, p->a->outputs);
    const struct fanin_page_table table = {title, columns, COLUMNS, cells, n};
    fanin_page_add_table(p->page, &table);
}

/* ---- confidence ------------------------------------------------------------------------------------- */

/* The Wilson interval of a share, at 95 %: Wilson 1927. */
static void interval(double share, double n, double *low, double *high) {
    const double z = 1.959964, middle = share + z * z / (2 * n);
    const double reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    *low = fmax(0, (middle - reach) / (1 + z * z / n));
    *high = fmin(1, (middle + reach) / (1 + z * z / n));
}

static double measured(const struct report_run *run, const char *name) {
    for (int i = 0; i < run->n_figures; i++)
        if (!strcmp(run->figures[i].name, name)) return run->figures[i].value;
    return NAN;
}

static void add_reliability(const struct part *p) {
    static const double ends[] = {0, 1};
    const int labels = p->a->task == FANIN_MULTILABEL;
    const double ece = measured(p->run, "ece");
    double x[REPORT_BINS], y[REPORT_BINS], low[REPORT_BINS], high[REPORT_BINS];
    int n = 0;
    for (int k = 0; k < REPORT_BINS; k++) {
        const struct report_bin *b = &p->a->bins[k];
        if (b->samples == 0) continue;
        x[n] = b->confidence / (double)b->samples;
        y[n] = b->right / (double)b->samples;
        interval(y[n], (double)b->samples, &low[n], &high[n]);
        n++;
    }
    const struct fanin_page_series series[] = {
        {.name = labels ? "share of labels that hold, 95 % interval" : "accuracy, 95 % interval",
         .style = FANIN_PAGE_DOTS,
         .n = n,
         .x = x,
         .y = y,
         .low = low,
         .high = high},
        {.name = "as sure as right", .style = FANIN_PAGE_GUIDE, .n = 2, .x = ends, .y = ends}};
    const struct fanin_page_plot plot = {
        .title = "Calibration",
        .text = scrap_text(p->s, "%s Below the dashed line the model is surer than it should be.%s",
                           labels ? "Each label's probability, in 15 bins, against how often it "
                                    "holds."
                                  : "The largest probability, in 15 bins, against how often it is "
                                    "right.",
                           isnan(ece) ? ""
                                      : scrap_text(p->s, " Expected calibration error %.4f.", ece)),
        .x_title = labels ? "probability" : "confidence",
        .y_title = labels ? "share that hold" : "accuracy",
        .series = series,
        .n_series = 2};
    fanin_page_add_plot(p->page, &plot);
}

static void add_bins(const struct part *p) {
    static const char *const columns[] = {"confidence", "answers", "mean confidence",
                                          "share right"};
    struct fanin_page_cell *cells = scrap_room(p->s, 4L * REPORT_BINS, sizeof *cells);
    int n = 0;
    for (int k = 0; k < REPORT_BINS && cells; k++) {
        const struct report_bin *b = &p->a->bins[k];
        const double samples = (double)b->samples;
        if (b->samples == 0) continue;
        cells[4 * n].text = scrap_text(p->s, "%.3f to %.3f", (double)k / REPORT_BINS,
                                       (double)(k + 1) / REPORT_BINS);
        cells[4 * n + 1].number = samples;
        cells[4 * n + 2].number = b->confidence / samples;
        cells[4 * n++ + 3].number = b->right / samples;
    }
    const struct fanin_page_table table = {"Bins of the calibration plot", columns, 4, cells, n};
    if (n > 0) fanin_page_add_table(p->page, &table);
}

static void add_two(const struct part *p, const char *title, const char *text, const char *x_title,
                    const char *const names[2], const int64_t counts[2][REPORT_COLUMNS],
                    double high) {
    int64_t all[REPORT_COLUMNS];
    for (int k = 0; k < REPORT_COLUMNS; k++) all[k] = counts[0][k] + counts[1][k];
    const struct fanin_page_histogram h[] = {{"all", 0, high, all, REPORT_COLUMNS},
                                             {names[1], 0, high, counts[1], REPORT_COLUMNS},
                                             {names[0], 0, high, counts[0], REPORT_COLUMNS}};
    fanin_page_add_histograms(p->page, title, text, x_title, h, 3);
}

static void add_confidence(const struct part *p) {
    static const char *const right[] = {"wrong", "right"}, *const holds[] = {"does not", "holds"};
    const int labels = p->a->task == FANIN_MULTILABEL;
    fanin_page_add_section(p->page, "Confidence", "Whether the probabilities can be believed.");
    add_reliability(p);
    add_two(p, labels ? "Probability of a label" : "Confidence",
            labels ? "Each label's, where it holds and where it does not."
                   : "The largest probability of each sample, where it is right and where it is "
                     "wrong.",
            labels ? "probability" : "confidence", labels ? holds : right, p->a->confidence, 1);
    add_two(p, "Entropy of the predictions",
            "In nats: 0 where the model is certain, largest where it knows nothing.", "entropy",
            right, p->a->entropy, p->a->entropy_high);
    add_bins(p);
}

/* ---- values ----------------------------------------------------------------------------------------- */

static void add_scatter(const struct part *p, int64_t c) {
    const double *truth = p->a->truth + c * REPORT_POINTS, *guess = p->a->guess + c * REPORT_POINTS;
    const char *name = report_output(p->report, c);
    double *ends = scrap_room(p->s, 2, sizeof *ends);
    if (!ends) return;
    ends[0] = ends[1] = p->a->n_points > 0 ? truth[0] : 0;
    for (int64_t k = 0; k < p->a->n_points; k++) {
        ends[0] = fmin(ends[0], truth[k]);
        ends[1] = fmax(ends[1], truth[k]);
    }
    const struct fanin_page_series series[] = {
        {.name = "a sample each",
         .style = FANIN_PAGE_DOTS,
         .n = p->a->n_points,
         .x = truth,
         .y = guess},
        {.name = "prediction = truth", .style = FANIN_PAGE_GUIDE, .n = 2, .x = ends, .y = ends}};
    const struct fanin_page_plot plot = {
        .title = scrap_text(p->s, "%s: predicted against true", name),
        .text = p->a->n_points < p->a->rows
                    ? scrap_text(p->s, "%" PRId64 " of %" PRId64 " samples, evenly spread.",
                                 p->a->n_points, p->a->rows)
                    : NULL,
        .x_title = scrap_text(p->s, "true %s", name),
        .y_title = scrap_text(p->s, "predicted %s", name),
        .series = series,
        .n_series = 2};
    fanin_page_add_plot(p->page, &plot);
}

static void add_errors(const struct part *p, int64_t n) {
    static const char *const columns[] = {
        "target", "root mean square error", "mean absolute", "mean error", "lowest", "highest"};
    enum { COLUMNS = 6 };
    const double rows = (double)p->a->rows;
    struct fanin_page_cell *cells = scrap_room(p->s, n * COLUMNS, sizeof *cells);
    struct fanin_page_histogram *h = scrap_room(p->s, n, sizeof *h);
    if (!cells || !h) return;
    for (int64_t c = 0; c < n; c++) {
        const struct report_value *v = &p->a->values[c];
        const double reach = fmax(-v->low, v->high);
        const struct fanin_page_cell row[COLUMNS] = {{.text = report_output(p->report, c)},
                                                     {.number = sqrt(v->squares / rows)},
                                                     {.number = v->absolute / rows},
                                                     {.number = v->sum / rows},
                                                     {.number = v->low},
                                                     {.number = v->high}};
        memcpy(cells + c * COLUMNS, row, sizeof row);
        h[c] = (struct fanin_page_histogram){report_output(p->report, c), -reach, reach,
                                             p->a->residuals + c * REPORT_COLUMNS, REPORT_COLUMNS};
    }
    const struct fanin_page_table table = {"Errors: prediction less truth", columns, COLUMNS, cells,
                                           n};
    fanin_page_add_histograms(p->page, "Residuals",
                              "Prediction less truth: a heap beside 0 is a bias.", "residual", h,
                              n);
    fanin_page_add_table(p->page, &table);
}

/* ---- the section ------------------------------------------------------------------------------------ */

void report_answers(struct report *report, fanin_page *page) {
    const struct part p = {.report = report,
                           .s = &report->scraps,
                           .run = &report->runs[0],
                           .a = report->answers,
                           .page = page};
    if (!p.a) return;
    const char *from = p.run->file ? scrap_text(p.s, "`%s`", p.run->file)
                                   : scrap_text(p.s, "the %s part, which training has not seen",
                                                report_part(p.run));
    const char *text =
        scrap_text(p.s, "%s samples of %s%s%s.", report_grouped(p.s, (double)p.a->rows), from,
                   report->n_runs > 1 ? "; the answers of " : "",
                   report->n_runs > 1 ? scrap_text(p.s, "`%s`", p.run->name) : "");
    if (p.a->task == FANIN_REGRESSION) {
        const int64_t n = p.a->outputs < MOST_TARGETS ? p.a->outputs : MOST_TARGETS;
        fanin_page_add_section(page, "Predictions", text);
        for (int64_t c = 0; c < n; c++) add_scatter(&p, c);
        add_errors(&p, n);
        return;
    }
    fanin_page_add_section(page, p.a->task == FANIN_MULTILABEL ? "Labels" : "Classes", text);
    if (p.run->confusion) {
        add_confusion(&p);
        add_pairs(&p);
    }
    add_classes(&p);
    add_confidence(&p);
}
