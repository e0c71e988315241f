/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fanin report knows of its runs, and the ways it tells that.
 */
#ifndef FANIN_CLI_REPORT_H
#define FANIN_CLI_REPORT_H

#include <fanin/page.h>

#include "models.h"

/* ---- texts and arrays that live as long as the report ---------------------------------------------- */

struct scraps {
    void **items;
    int n, room;
    int failed; /* memory ran out */
};
/* Zeroed; NULL without memory. */
void *scrap_room(struct scraps *scraps, int64_t count, size_t size);
/* "" without memory. */
const char *scrap_text(struct scraps *scraps, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void scraps_free(struct scraps *scraps);

/* ---- answers: the held-out samples one by one ------------------------------------------------------- */

#define REPORT_BINS 15    /* of confidence, as the metric ece has them */
#define REPORT_COLUMNS 30 /* of histograms */
#define REPORT_WORST 24
#define REPORT_POINTS 2000 /* of predictions against what is true */

/* Samples (of labels that may hold at once: answers) whose confidence is in (k, k+1] / REPORT_BINS;
 * sums over them. */
struct report_bin {
    int64_t samples;
    double confidence, right;
};
/* A class, or a label: how many samples have it, are taken to have it, and both. */
struct report_class {
    int64_t support, taken, right;
};
/* Of the errors of a target, prediction less truth. */
struct report_value {
    double sum, absolute, squares, low, high;
};
struct report_worst {
    int64_t row;
    double loss;
    const float *p, *target; /* target NULL: label */
    int32_t label;
};
struct answers {
    enum fanin_task task;
    int64_t rows, outputs; /* samples that count */
    /* classes and labels */
    struct report_bin bins[REPORT_BINS];
    int64_t confidence[2][REPORT_COLUMNS], entropy[2][REPORT_COLUMNS]; /* wrong; right */
    double entropy_high;
    struct report_class *classes; /* outputs of them */
    /* values */
    struct report_value *values; /* outputs of them */
    int64_t n_points;
    double *truth, *guess; /* outputs × REPORT_POINTS: of every so many-th sample */
    int64_t *residuals;    /* outputs × REPORT_COLUMNS, between -high and high of values */
    struct report_worst worst[REPORT_WORST];
    int n_worst;
};

/* ---- runs ------------------------------------------------------------------------------------------- */

struct report_run {
    const char *path, *name;
    fanin_model *model, *started; /* started NULL: the file does not tell */
    fanin_recipe *recipe;         /* NULL: the file holds none */
    fanin_data *data;             /* NULL: `why` there are none */
    enum fanin_part part;
    const char *file; /* that --data names; NULL: the data are the recipe's */
    const char *why;
    /* what was measured on the data */
    int64_t samples, n_classes;
    struct fanin_figure *figures;
    int n_figures, n_main;
    int64_t *confusion; /* n_classes²; NULL: none */
    double params;
};

struct report {
    struct app *app;
    struct scraps scraps;
    struct report_run *runs;
    int n_runs;
    struct answers *answers; /* of the first run; NULL: no data */
};

/* Looks at the first run's samples. */
enum fanin_status report_look(struct report *report);
/* Name of a class or target of the first run. */
const char *report_output(struct report *report, int64_t index);
const char *report_part(const struct report_run *run);
/* 1234567 as 1,234,567. */
const char *report_grouped(struct scraps *scraps, double value);
/* Sides and channels of pictures that the data hold; 0: they hold none. */
int report_picture_shape(const fanin_data *data, int *channels, int *height, int *width);

/* Parts of the page. */
void report_page(struct report *report, fanin_page *page);
void report_curves(struct report *report, fanin_page *page);
void report_ledger(struct report *report, fanin_page *page);
void report_answers(struct report *report, fanin_page *page);
void report_worst(struct report *report, fanin_page *page);

/* The same figures as JSON lines. */
void report_json(struct report *report);

#endif
