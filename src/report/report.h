/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What report writers share. A writer appends to report->line; report.c hands that to the sink
 * after each event, and keeps quiet for ever once the sink refused.
 */
#ifndef FI_REPORT_H
#define FI_REPORT_H

#include <fanin/report.h>

#include "base/base.h"
#include "base/quote.h"

/* A writer record. */
struct fi_report {
    struct fanin_record head;
    void (*event)(fanin_report *report, const struct fanin_event *event);
    void (*note)(fanin_report *report, const struct fanin_note *note);
};

struct fanin_report {
    fanin_ctx *ctx;
    const struct fi_report *writer;
    fanin_sink_fn sink;
    void *payload;
    struct fanin_report_options options;
    struct fi_text line; /* what this event has to say */
    bool failed;
    /* progress of a run, for the writers that draw it */
    bool bar_drawn, table_begun;
    enum fanin_event_type watch_table; /* the last event of a watched step */
    double run_began;                  /* seconds, at step run_first */
    int64_t run_first;
};

/* The word for an event: "start", "param", "epoch", … */
const char *fi_event_name(enum fanin_event_type type);
/* NULL: the event has no such text. */
const char *fi_event_text(const struct fanin_event *event, const char *name);
/* The lines of FANIN_EVENT_PROFILE and the events behind it, as text. */
void fi_report_profile(struct fi_text *line, const struct fanin_event *event);
/* NaN: the event has no such figure. */
double fi_event_figure(const struct fanin_event *event, const char *name);

#endif
