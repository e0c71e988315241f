/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report writers: they turn the events of training and evaluation into text.
 *
 *     fanin_report *report;
 *     fanin_report_create(&report, ctx, "text", my_sink, stdout, NULL);
 *     options.event = fanin_report_event;
 *     options.event_payload = report;
 *
 * A writer never prints: what it has to say goes to the sink, one or more whole lines (or one
 * progress bar) a call.
 */
#ifndef FANIN_REPORT_H
#define FANIN_REPORT_H

#include <fanin/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_report fanin_report;

/* Takes `bytes` bytes of text (not terminated). Returns 0, or anything else if it could not. */
typedef int (*fanin_sink_fn)(void *payload, const char *text, size_t bytes);

/* Set size to sizeof(struct fanin_report_options); a zero field means its default. */
struct fanin_report_options {
    size_t size;
    int terminal; /* 1: a progress bar, drawn over itself; 0: plain lines only */
    int width;    /* columns of the terminal; default 80 */
    int color;    /* 1: colours (ANSI) */
    int quiet;    /* 1: only warnings and the figures of evaluations */
    int brief;    /* 1: evaluations without the confusion matrix; text: main figures only */
};

/* writer: a record of the kind "report", "text" or "json". options may be NULL.
 * Errors: ARGUMENT (unknown writer), MEMORY. */
FANIN_API enum fanin_status fanin_report_create(fanin_report **out, fanin_ctx *ctx,
                                                const char *writer, fanin_sink_fn sink,
                                                void *payload,
                                                const struct fanin_report_options *options);
/* Writes one event; usable as a fanin_event_fn with the report as its payload. */
FANIN_API void fanin_report_event(void *report, const struct fanin_event *event);
/* Writes a line of the program's own, in the writer's manner: what it is, its texts, its figures.
 */
FANIN_API void fanin_report_note(fanin_report *report, const char *what,
                                 const struct fanin_text *texts, int n_texts,
                                 const struct fanin_figure *figures, int n_figures);

/* Numbers under one name, or where values is NULL texts. */
struct fanin_note_list {
    const char *name;
    const double *values;
    const char *const *texts;
    int64_t n;
};
struct fanin_note {
    const char *what;
    const struct fanin_text *texts; /* a NULL value: null in JSON */
    int n_texts;
    const struct fanin_figure *figures;
    int n_figures;
    const struct fanin_note_list *lists;
    int n_lists;
};
/* The same with lists. */
FANIN_API void fanin_report_write(fanin_report *report, const struct fanin_note *note);
/* 1: the sink refused something, or memory ran out; nothing was written since. */
FANIN_API int fanin_report_failed(const fanin_report *report);
FANIN_API void fanin_report_free(fanin_report *report);

#ifdef __cplusplus
}
#endif
#endif
