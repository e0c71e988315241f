/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a report, and what its writers share: look-up in events, the clock.
 */
#include "report/report.h"

#include <math.h>
#include <string.h>

const char *fi_event_name(enum fanin_event_type type) {
    static const char *const names[] = {[FANIN_EVENT_START] = "start",
                                        [FANIN_EVENT_PARAM] = "param",
                                        [FANIN_EVENT_STEP] = "step",
                                        [FANIN_EVENT_EPOCH] = "epoch",
                                        [FANIN_EVENT_CHECKPOINT] = "checkpoint",
                                        [FANIN_EVENT_WARNING] = "warning",
                                        [FANIN_EVENT_END] = "end",
                                        [FANIN_EVENT_EVAL] = "eval",
                                        [FANIN_EVENT_WATCH] = "watch",
                                        [FANIN_EVENT_WATCH_SOURCE] = "watch_source",
                                        [FANIN_EVENT_WATCH_LAYER] = "watch_layer",
                                        [FANIN_EVENT_WATCH_PARAM] = "watch_param",
                                        [FANIN_EVENT_TROUBLE] = "trouble",
                                        [FANIN_EVENT_LOOK] = "look",
                                        [FANIN_EVENT_PROFILE] = "profile",
                                        [FANIN_EVENT_PROFILE_NODE] = "profile_node",
                                        [FANIN_EVENT_PROFILE_PART] = "profile_part"};
    return names[type];
}

const char *fi_event_text(const struct fanin_event *event, const char *name) {
    for (int i = 0; i < event->n_texts; i++)
        if (!strcmp(event->texts[i].name, name)) return event->texts[i].value;
    return NULL;
}

double fi_event_figure(const struct fanin_event *event, const char *name) {
    for (int i = 0; i < event->n_figures; i++)
        if (!strcmp(event->figures[i].name, name)) return event->figures[i].value;
    return NAN;
}

/* ---- public ------------------------------------------------------------------------------------------ */

enum fanin_status fanin_report_create(fanin_report **out, fanin_ctx *ctx, const char *writer,
                                      fanin_sink_fn sink, void *payload,
                                      const struct fanin_report_options *options) {
    *out = NULL;
    const struct fi_report *record =
        (const struct fi_report *)fanin_record_find(ctx, "report", writer);
    if (!record) return fi_fail(ctx, FANIN_ERR_ARGUMENT, "no report writer is called '%s'", writer);
    fanin_report *report = fi_alloc(ctx, 1, sizeof *report);
    if (!report) return FANIN_ERR_MEMORY;
    report->ctx = ctx;
    report->writer = record;
    report->sink = sink;
    report->payload = payload;
    if (options) memcpy(&report->options, options, FI_MIN(options->size, sizeof *options));
    if (report->options.width <= 0) report->options.width = 80;
    fi_text_init(&report->line, ctx);
    *out = report;
    return FANIN_OK;
}

/* Hands the line to the sink. A line that memory cut short is dropped: half a JSON object is worse.
 */
static void flush_line(fanin_report *report) {
    struct fi_text *line = &report->line;
    if (line->failed)
        report->failed = true;
    else if (line->length > 0 && report->sink(report->payload, line->data, line->length) != 0)
        report->failed = true;
    line->length = 0;
    if (line->data) line->data[0] = '\0';
}

static bool is_silent(const fanin_report *report, const struct fanin_event *event) {
    return report->failed || event->type == FANIN_EVENT_LOOK ||
           (report->options.quiet && event->type != FANIN_EVENT_WARNING &&
            event->type != FANIN_EVENT_TROUBLE && event->type != FANIN_EVENT_EVAL &&
            event->type < FANIN_EVENT_PROFILE);
}

void fanin_report_event(void *payload, const struct fanin_event *event) {
    fanin_report *report = payload;
    if (is_silent(report, event)) return;
    report->writer->event(report, event);
    flush_line(report);
}

void fanin_report_write(fanin_report *report, const struct fanin_note *note) {
    if (report->failed) return;
    report->writer->note(report, note);
    flush_line(report);
}

void fanin_report_note(fanin_report *report, const char *what, const struct fanin_text *texts,
                       int n_texts, const struct fanin_figure *figures, int n_figures) {
    const struct fanin_note note = {.what = what,
                                    .texts = texts,
                                    .n_texts = n_texts,
                                    .figures = figures,
                                    .n_figures = n_figures};
    fanin_report_write(report, &note);
}

int fanin_report_failed(const fanin_report *report) {
    return report->failed;
}

void fanin_report_free(fanin_report *report) {
    if (!report) return;
    fi_text_free(&report->line);
    fi_free(report->ctx, report);
}
