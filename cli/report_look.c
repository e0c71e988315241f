/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The held-out samples one by one: how sure the model is where it is right and where it is wrong,
 * what it predicts for which value, and the samples with the highest loss.
 *
 * Confidence is sorted into bins as by the metric ece: (k, k+1] / 15. Of labels that may hold at
 * once, each label of each sample is an answer: its probability, and whether it holds.
 */
#include <math.h>
#include <string.h>

#include "report.h"

#define ROWS 256

struct pass {
    const struct report_run *run;
    struct answers *a;
    int64_t all; /* samples of the part */
    const double *loss;
    float *p, *targets; /* ROWS × outputs */
    int32_t *labels;    /* ROWS */
    int has_labels;
};

/* ---- one sample ------------------------------------------------------------------------------------- */

/* The first of the largest; -1 if any is NaN. */
static int64_t largest(const float *p, int64_t n) {
    int64_t best = 0;
    for (int64_t c = 0; c < n; c++) {
        if (isnan(p[c])) return -1;
        if (p[c] > p[best]) best = c;
    }
    return best;
}

static void bin(struct answers *a, double confidence, int right) {
    const double k = ceil(confidence * REPORT_BINS) - 1;
    struct report_bin *to = &a->bins[k > 0 ? (k < REPORT_BINS ? (int)k : REPORT_BINS - 1) : 0];
    to->samples++;
    to->confidence += confidence;
    to->right += right;
}

static void count(int64_t counts[REPORT_COLUMNS], double share) {
    const double k = share * REPORT_COLUMNS;
    counts[k > 0 ? (k < REPORT_COLUMNS ? (int)k : REPORT_COLUMNS - 1) : 0]++;
}

static double entropy_of(const float *p, int64_t n, int yes_or_no) {
    double h = 0;
    for (int64_t c = 0; c < n; c++) {
        const double q = (double)p[c];
        if (q > 0) h -= q * log(q);
        if (yes_or_no && q < 1) h -= (1 - q) * log(1 - q);
    }
    return h;
}

static void add_class(struct answers *a, const float *p, int64_t truth) {
    const int64_t taken = largest(p, a->outputs);
    const int right = taken == truth;
    a->classes[truth].support++;
    if (taken < 0) return;
    a->classes[taken].taken++;
    a->classes[truth].right += right;
    bin(a, (double)p[taken], right);
    count(a->confidence[right], (double)p[taken]);
    count(a->entropy[right], entropy_of(p, a->outputs, 0) / a->entropy_high);
}

static void add_labels(struct answers *a, const float *p, const float *target) {
    int right = 1;
    for (int64_t c = 0; c < a->outputs; c++) {
        const int holds = target[c] > 0.5F, taken = p[c] > 0.5F;
        right &= holds == taken;
        a->classes[c].support += holds;
        a->classes[c].taken += taken;
        a->classes[c].right += holds && taken;
        if (isnan(p[c])) continue;
        bin(a, (double)p[c], holds);
        count(a->confidence[holds], (double)p[c]);
    }
    count(a->entropy[right], entropy_of(p, a->outputs, 1) / a->entropy_high);
}

static void add_value(struct answers *a, const float *p, const float *target, int point) {
    for (int64_t c = 0; c < a->outputs; c++) {
        struct report_value *v = &a->values[c];
        const double error = (double)p[c] - (double)target[c];
        v->sum += error;
        v->absolute += fabs(error);
        v->squares += error * error;
        v->low = fmin(v->low, error);
        v->high = fmax(v->high, error);
        if (!point) continue;
        a->truth[c * REPORT_POINTS + a->n_points] = (double)target[c];
        a->guess[c * REPORT_POINTS + a->n_points] = (double)p[c];
    }
    a->n_points += point;
}

/* ---- the worst -------------------------------------------------------------------------------------- */

/* The highest losses first, of equal ones the first sample. */
static void choose_worst(struct answers *a, const double *loss, int64_t n) {
    for (int64_t row = 0; row < n; row++) {
        if (isnan(loss[row])) continue;
        int at = a->n_worst < REPORT_WORST ? a->n_worst++ : REPORT_WORST;
        for (; at > 0 && a->worst[at - 1].loss < loss[row]; at--)
            if (at < REPORT_WORST) a->worst[at] = a->worst[at - 1];
        if (at < REPORT_WORST) a->worst[at] = (struct report_worst){.row = row, .loss = loss[row]};
    }
}

static void take_worst(struct scraps *scraps, const struct pass *p, int64_t row, int64_t r,
                       int32_t label) {
    const int64_t n = p->a->outputs;
    for (int i = 0; i < p->a->n_worst; i++) {
        struct report_worst *w = &p->a->worst[i];
        if (w->row != row) continue;
        float *kept = scrap_room(scraps, 2 * n, sizeof *kept);
        if (!kept) return;
        memcpy(kept, p->p + r * n, (size_t)n * sizeof *kept);
        memcpy(kept + n, p->targets + r * n, (size_t)n * sizeof *kept);
        w->p = kept;
        w->target = p->has_labels ? NULL : kept + n;
        w->label = label;
    }
}

/* ---- all samples ------------------------------------------------------------------------------------ */

static void add_sample(struct scraps *scraps, const struct pass *p, int64_t row, int64_t r) {
    struct answers *a = p->a;
    const int64_t every = (p->all + REPORT_POINTS - 1) / REPORT_POINTS;
    const float *guess = p->p + r * a->outputs, *target = p->targets + r * a->outputs;
    int64_t label = p->has_labels ? p->labels[r] : largest(target, a->outputs);
    /* a label that the loss ignores has no loss */
    if (p->has_labels && (isnan(p->loss[row]) || label < 0 || label >= a->outputs)) return;
    a->rows++;
    if (a->task == FANIN_CLASSIFICATION)
        add_class(a, guess, label < 0 ? 0 : label);
    else if (a->task == FANIN_MULTILABEL)
        add_labels(a, guess, target);
    else
        add_value(a, guess, target, row % every == 0);
    take_worst(scraps, p, row, r, (int32_t)label);
}

static void count_residuals(struct answers *a) {
    for (int64_t c = 0; c < a->outputs; c++) {
        const double reach = fmax(-a->values[c].low, a->values[c].high);
        for (int64_t k = 0; k < a->n_points && reach > 0; k++) {
            const int64_t at = c * REPORT_POINTS + k;
            count(a->residuals + c * REPORT_COLUMNS,
                  0.5 + 0.5 * (a->guess[at] - a->truth[at]) / reach);
        }
    }
}

static enum fanin_status run_all(struct scraps *scraps, struct pass *p) {
    const struct report_run *run = p->run;
    for (int64_t first = 0; first < p->all; first += ROWS) {
        const int64_t n = p->all - first < ROWS ? p->all - first : ROWS;
        enum fanin_status status =
            fanin_model_predict_part(run->model, run->data, run->part, first, n, p->p);
        if (status == FANIN_OK)
            status = fanin_data_get(run->data, run->part, first, n, NULL, p->labels, p->targets);
        if (status != FANIN_OK) return status;
        for (int64_t r = 0; r < n; r++) add_sample(scraps, p, first + r, r);
    }
    count_residuals(p->a);
    return FANIN_OK;
}

static int make_room(struct scraps *s, struct pass *p) {
    struct answers *a = p->a;
    const int values = a->task == FANIN_REGRESSION;
    p->p = scrap_room(s, ROWS * a->outputs, sizeof(float));
    p->targets = scrap_room(s, ROWS * a->outputs, sizeof(float));
    p->labels = scrap_room(s, ROWS, sizeof(int32_t));
    a->classes = scrap_room(s, a->outputs, sizeof *a->classes);
    a->values = scrap_room(s, a->outputs, sizeof *a->values);
    a->truth = scrap_room(s, values ? a->outputs * REPORT_POINTS : 0, sizeof(double));
    a->guess = scrap_room(s, values ? a->outputs * REPORT_POINTS : 0, sizeof(double));
    a->residuals = scrap_room(s, values ? a->outputs * REPORT_COLUMNS : 0, sizeof(int64_t));
    return !s->failed;
}

enum fanin_status report_look(struct report *report) {
    const struct report_run *run = &report->runs[0];
    struct scraps *s = &report->scraps;
    struct answers *a = scrap_room(s, 1, sizeof *a);
    const int64_t all = fanin_data_rows(run->data, run->part);
    double *loss = scrap_room(s, all, sizeof *loss);
    struct pass p = {.run = run,
                     .a = a,
                     .all = all,
                     .loss = loss,
                     .has_labels = fanin_data_task(run->data) == FANIN_CLASSIFICATION};
    if (!a || !loss) return FANIN_ERR_MEMORY;
    a->task = fanin_model_task(run->model);
    a->outputs = fanin_model_outputs(run->model);
    a->entropy_high =
        a->task == FANIN_MULTILABEL ? (double)a->outputs * log(2) : log((double)a->outputs);
    if (!(a->entropy_high > 0)) a->entropy_high = 1;
    if (!make_room(s, &p)) return FANIN_ERR_MEMORY;
    enum fanin_status status = fanin_sample_losses(run->model, run->data, run->part, 0, all, loss);
    if (status != FANIN_OK) return status;
    choose_worst(a, loss, all);
    status = run_all(s, &p);
    report->answers = a;
    return status;
}
