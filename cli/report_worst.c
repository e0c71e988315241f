/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The samples with the highest loss: with their pictures where the samples are images, in a table
 * where they are rows of one.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report.h"

#define MOST_SIDE 1024 /* larger samples are no pictures to look at here */
#define SHOWN_SIDE 128 /* larger pictures are shown smaller */
#define MOST_INPUTS 12 /* columns of a table shown beside a mistake */
#define MOST_VALUES 4  /* targets, or labels, told of one */

/* ---- pictures --------------------------------------------------------------------------------------- */

int report_picture_shape(const fanin_data *data, int *channels, int *height, int *width) {
    const struct fanin_shape *shape = fanin_data_shape(data);
    const int64_t *d = shape->dims;
    if (shape->rank != 2 && shape->rank != 3) return 0;
    const int64_t c = shape->rank == 3 ? d[0] : 1, h = d[shape->rank - 2], w = d[shape->rank - 1];
    if ((c != 1 && c != 3) || h < 2 || w < 2 || h > MOST_SIDE || w > MOST_SIDE) return 0;
    *channels = (int)c;
    *height = (int)h;
    *width = (int)w;
    return 1;
}

/* What is black and what is white: bytes as they are, other numbers between their extremes. */
struct range {
    double low, high;
};

static struct range range_of(const float *x, int64_t n) {
    struct range r = {INFINITY, -INFINITY};
    int bytes = 1;
    for (int64_t i = 0; i < n; i++) {
        const double v = (double)x[i];
        if (!isfinite(v)) continue;
        bytes &= v >= 0 && v <= 255 && v == floor(v);
        r.low = fmin(r.low, v);
        r.high = fmax(r.high, v);
    }
    if (bytes && r.high > 64) return (struct range){0, 255};
    if (r.low > 0) r.low = 0;
    return r;
}

static unsigned char shade(double value, const struct range *r) {
    const double share = (value - r->low) / (r->high - r->low);
    return share > 0 ? (unsigned char)lround(fmin(share, 1) * 255) : 0;
}

/* C×H×W numbers as bytes, C last; every pixel shown is the mean of by × by. */
static const unsigned char *paint(struct scraps *s, const float *x, int channels, int height,
                                  int width, int by, const struct range *r) {
    const int rows = height / by, cols = width / by;
    unsigned char *out = scrap_room(s, (int64_t)rows * cols, (size_t)channels);
    for (int c = 0; c < channels && out; c++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < cols; j++) {
                double sum = 0;
                for (int k = 0; k < by * by; k++)
                    sum += (double)
                        x[((int64_t)c * height + i * by + k / by) * width + j * by + k % by];
                out[((int64_t)i * cols + j) * channels + c] = shade(sum / (by * by), r);
            }
    return out;
}

/* ---- words ------------------------------------------------------------------------------------------ */

static int64_t taken_for(const struct report_worst *w, int64_t n) {
    int64_t best = 0;
    for (int64_t c = 1; c < n; c++)
        if (w->p[c] > w->p[best]) best = c;
    return best;
}

/* Of several targets or labels, those that fit; `p` the predictions. */
static const char *list_of(struct report *r, const float *numbers, int predicted) {
    const struct answers *a = r->answers;
    const char *text = "";
    int shown = 0;
    for (int64_t c = 0; c < a->outputs; c++) {
        const char *name = report_output(r, c);
        if (a->task == FANIN_MULTILABEL && !(numbers[c] > 0.5F)) continue;
        if (shown++ == MOST_VALUES) return scrap_text(&r->scraps, "%s, …", text);
        const char *comma = *text ? ", " : "";
        if (a->task == FANIN_REGRESSION && a->outputs == 1)
            text = scrap_text(&r->scraps, "%.6g", (double)numbers[c]);
        else if (a->task == FANIN_REGRESSION || predicted)
            text = scrap_text(&r->scraps, "%s%s%s %.6g", text, comma, name, (double)numbers[c]);
        else
            text = scrap_text(&r->scraps, "%s%s%s", text, comma, name);
    }
    return shown ? text : "none";
}

static const char *truth_of(struct report *r, const struct report_worst *w) {
    return r->answers->task == FANIN_CLASSIFICATION ? report_output(r, w->label)
                                                    : list_of(r, w->target, 0);
}

static const char *prediction_of(struct report *r, const struct report_worst *w) {
    if (r->answers->task != FANIN_CLASSIFICATION) return list_of(r, w->p, 1);
    const int64_t c = taken_for(w, r->answers->outputs);
    return scrap_text(&r->scraps, "%s (%.3f)", report_output(r, c), (double)w->p[c]);
}

/* The lines under a picture. */
#define LINES 5
static int tell_mistake(struct report *r, const struct report_worst *w, const char **lines) {
    struct scraps *s = &r->scraps;
    const int64_t taken = taken_for(w, r->answers->outputs);
    const char *truth = truth_of(r, w);
    int n = 0;
    if (r->answers->task != FANIN_CLASSIFICATION) {
        lines[n++] = truth;
        lines[n++] = scrap_text(s, "said %s", prediction_of(r, w));
    } else {
        const char *guess = report_output(r, taken);
        lines[n++] = taken == w->label ? scrap_text(s, "%s, rightly", truth)
                                       : scrap_text(s, "%s, not %s", truth, guess);
        lines[n++] = scrap_text(s, "%s at %.3f", guess, (double)w->p[taken]);
        if (taken != w->label)
            lines[n++] = scrap_text(s, "%s at %.3f", truth, (double)w->p[w->label]);
    }
    lines[n++] = scrap_text(s, "loss %.3g", w->loss);
    lines[n++] = scrap_text(s, "sample %" PRId64, w->row);
    return n;
}

/* ---- the two ways ----------------------------------------------------------------------------------- */

static void add_pictures(struct report *r, fanin_page *page, const float *x, int64_t cols) {
    const struct answers *a = r->answers;
    struct scraps *s = &r->scraps;
    struct fanin_page_picture *pictures = scrap_room(s, a->n_worst, sizeof *pictures);
    const struct range range = range_of(x, a->n_worst * cols);
    int channels, height, width, n = 0;
    if (!pictures || !report_picture_shape(r->runs[0].data, &channels, &height, &width)) return;
    const int side = height > width ? height : width, by = (side + SHOWN_SIDE - 1) / SHOWN_SIDE;
    for (int i = 0; i < a->n_worst; i++) {
        const struct report_worst *w = &a->worst[i];
        const char **lines = scrap_room(s, LINES, sizeof *lines);
        if (!lines || !w->p || height < by || width < by) continue;
        pictures[n++] = (struct fanin_page_picture){
            .width = width / by,
            .height = height / by,
            .channels = channels,
            .pixels = paint(s, x + i * cols, channels, height, width, by, &range),
            .alt = scrap_text(s, "Sample %" PRId64 ": true is %s, predicted was %s", w->row,
                              truth_of(r, w), prediction_of(r, w)),
            .lines = lines,
            .n_lines = tell_mistake(r, w, lines)};
        if (!pictures[n - 1].pixels) return;
    }
    fanin_page_add_pictures(page, NULL, NULL, pictures, n);
}

static void add_table(struct report *r, fanin_page *page, const float *x, int64_t cols) {
    enum { FIRST = 4 };
    const struct answers *a = r->answers;
    struct scraps *s = &r->scraps;
    struct fanin_column_info c = {0};
    if (cols <= MOST_INPUTS) fanin_data_column(r->runs[0].data, r->runs[0].part, 0, &c);
    const int64_t inputs = c.name && x ? cols : 0, columns = FIRST + inputs;
    const char **heads = scrap_room(s, columns, sizeof *heads);
    struct fanin_page_cell *cells = scrap_room(s, a->n_worst * columns, sizeof *cells);
    if (!heads || !cells) return;
    heads[0] = "sample";
    heads[1] = "truth";
    heads[2] = "prediction";
    heads[3] = "loss";
    for (int64_t k = 0; k < inputs; k++) {
        fanin_data_column(r->runs[0].data, r->runs[0].part, k, &c);
        heads[FIRST + k] = c.name;
    }
    for (int i = 0; i < a->n_worst; i++) {
        const struct report_worst *w = &a->worst[i];
        struct fanin_page_cell *row = cells + i * columns;
        if (!w->p) return;
        row[0].text = scrap_text(s, "%" PRId64, w->row);
        row[1].text = truth_of(r, w);
        row[2].text = prediction_of(r, w);
        row[3].number = w->loss;
        for (int64_t k = 0; k < inputs; k++) row[FIRST + k].number = (double)x[i * cols + k];
    }
    const struct fanin_page_table table = {NULL, heads, (int)columns, cells, a->n_worst};
    fanin_page_add_table(page, &table);
}

void report_worst(struct report *report, fanin_page *page) {
    const struct answers *a = report->answers;
    const struct report_run *run = &report->runs[0];
    int channels, height, width;
    if (!a || a->n_worst == 0) return;
    const int64_t cols = fanin_data_shape(run->data)->cols;
    const int images = report_picture_shape(run->data, &channels, &height, &width);
    float *x = images || cols <= MOST_INPUTS
                   ? scrap_room(&report->scraps, a->n_worst * cols, sizeof *x)
                   : NULL;
    for (int i = 0; i < a->n_worst && x; i++)
        if (fanin_data_get(run->data, run->part, a->worst[i].row, 1, x + i * cols, NULL, NULL) !=
            FANIN_OK)
            return;
    fanin_page_add_section(
        page, "Worst mistakes",
        scrap_text(&report->scraps,
                   "The samples with the highest loss%s%s, counted from 0 in %s.%s",
                   report->n_runs > 1 ? " under " : "", report->n_runs > 1 ? run->name : "",
                   run->file ? scrap_text(&report->scraps, "`%s`", run->file)
                             : scrap_text(&report->scraps, "the %s part", report_part(run)),
                   a->task != FANIN_CLASSIFICATION ? ""
                   : images ? " First the truth and what it was taken for, then the probability of "
                              "the two. Where it was taken rightly, it was with little certainty."
                            : " Behind a prediction stands its probability."));
    if (images && x)
        add_pictures(report, page, x, cols);
    else
        add_table(report, page, x, cols);
}
