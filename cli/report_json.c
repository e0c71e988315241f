/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report as JSON: an object a line, as docs/cli.md says.
 */
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define MOST(array) ((int)(sizeof(array) / sizeof(array)[0]))

static void note_run(struct report *report, const struct report_run *run) {
    const struct fanin_text texts[] = {{"name", run->name}, {"path", run->path}};
    const struct fanin_figure params = {"parameters", run->params};
    struct fanin_history h;
    fanin_report_note(report->app->report, "run", texts, 2, &params, 1);
    for (int64_t i = 0; fanin_model_history(run->model, i, &h); i++) {
        const struct fanin_text names[] = {
            {"run", run->name}, {"of", h.event}, {"figure", h.figure}, {"name", h.name}};
        const struct fanin_figure moments = {"moments", (double)h.moments};
        const struct fanin_note_list lists[] = {{"at", h.at, NULL, h.n},
                                                {"values", h.values, NULL, h.n}};
        const struct fanin_note note = {"history", names, h.name ? 4 : 3, &moments, 1, lists, 2};
        fanin_report_write(report->app->report, &note);
    }
}

static void note_eval(struct report *report, const struct report_run *run) {
    const char **names = scrap_room(&report->scraps, run->n_classes, sizeof *names);
    const struct fanin_text texts[] = {{"run", run->name}, {"part", report_part(run)}};
    if (run->why) {
        const struct fanin_text why[] = {{"run", run->name}, {"message", run->why}};
        fanin_report_note(report->app->report, "no_data", why, 2, NULL, 0);
        return;
    }
    for (int64_t i = 0; names && i < run->n_classes; i++)
        names[i] = fanin_model_output_name(run->model, i);
    const struct fanin_event event = {.type = FANIN_EVENT_EVAL,
                                      .figures = run->figures,
                                      .n_figures = run->n_figures,
                                      .texts = texts,
                                      .n_texts = 2,
                                      .confusion = names ? run->confusion : NULL,
                                      .n_classes = run->n_classes,
                                      .class_names =
                                          names && run->n_classes > 0 && names[0] ? names : NULL};
    fanin_report_event(report->app->report, &event);
}

static void note_class(struct report *report, int64_t index) {
    const struct report_class *c = &report->answers->classes[index];
    const struct fanin_text name = {"name", report_output(report, index)};
    const struct fanin_figure figures[] = {
        {"support", (double)c->support},
        {"predicted", (double)c->taken},
        {"precision", (double)c->right / (double)c->taken},
        {"recall", (double)c->right / (double)c->support},
    };
    fanin_report_note(report->app->report,
                      report->answers->task == FANIN_MULTILABEL ? "label" : "class", &name, 1,
                      figures, MOST(figures));
}

static void note_target(struct report *report, int64_t index) {
    const struct report_value *v = &report->answers->values[index];
    const double n = (double)report->answers->rows;
    const struct fanin_text name = {"name", report_output(report, index)};
    const struct fanin_figure figures[] = {{"mean_error", v->sum / n},
                                           {"mean_absolute_error", v->absolute / n},
                                           {"mean_squared_error", v->squares / n},
                                           {"lowest_error", v->low},
                                           {"highest_error", v->high}};
    fanin_report_note(report->app->report, "target", &name, 1, figures, MOST(figures));
}

static void note_histogram(const struct report *report, const char *name, int right,
                           const int64_t *counts, double high) {
    double values[REPORT_COLUMNS];
    for (int k = 0; k < REPORT_COLUMNS; k++) values[k] = (double)counts[k];
    const struct fanin_text texts[] = {{"name", name}};
    const struct fanin_figure figures[] = {{"right", right}, {"low", 0}, {"high", high}};
    const struct fanin_note_list list = {"counts", values, NULL, REPORT_COLUMNS};
    const struct fanin_note note = {"histogram", texts, 1, figures, 3, &list, 1};
    fanin_report_write(report->app->report, &note);
}

static void note_confidence(const struct report *report) {
    const struct answers *a = report->answers;
    for (int k = 0; k < REPORT_BINS; k++) {
        const struct report_bin *b = &a->bins[k];
        const struct fanin_figure figures[] = {{"low", (double)k / REPORT_BINS},
                                               {"high", (double)(k + 1) / REPORT_BINS},
                                               {"samples", (double)b->samples},
                                               {"confidence", b->confidence / (double)b->samples},
                                               {"accuracy", b->right / (double)b->samples}};
        fanin_report_note(report->app->report, "calibration", NULL, 0, figures,
                          b->samples > 0 ? 5 : 3);
    }
    for (int right = 1; right >= 0; right--) {
        note_histogram(report, "confidence", right, a->confidence[right], 1);
        note_histogram(report, "entropy", right, a->entropy[right], a->entropy_high);
    }
}

static void note_worst(struct report *report, const struct report_worst *w) {
    const struct answers *a = report->answers;
    double *numbers = scrap_room(&report->scraps, 2 * a->outputs, sizeof *numbers);
    if (!numbers || !w->p) return;
    for (int64_t i = 0; i < a->outputs; i++) {
        numbers[i] = (double)w->p[i];
        numbers[a->outputs + i] = w->target ? (double)w->target[i] : 0;
    }
    const struct fanin_figure figures[] = {{"sample", (double)w->row}, {"loss", w->loss}};
    const struct fanin_text truth = {"truth", report_output(report, w->label)};
    const struct fanin_note_list lists[] = {{"prediction", numbers, NULL, a->outputs},
                                            {"target", numbers + a->outputs, NULL, a->outputs}};
    const struct fanin_note note = {"worst", &truth, w->target ? 0 : 1, figures,
                                    2,       lists,  w->target ? 2 : 1};
    fanin_report_write(report->app->report, &note);
}

void report_json(struct report *report) {
    const struct answers *a = report->answers;
    for (int r = 0; r < report->n_runs; r++) {
        note_run(report, &report->runs[r]);
        note_eval(report, &report->runs[r]);
    }
    if (!a) return;
    for (int64_t i = 0; i < a->outputs; i++)
        if (a->task == FANIN_REGRESSION)
            note_target(report, i);
        else
            note_class(report, i);
    if (a->task != FANIN_REGRESSION) note_confidence(report);
    for (int i = 0; i < a->n_worst; i++) note_worst(report, &a->worst[i]);
}
