/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How sure a net of classes is, and how rightly: what the metrics (confidence, ece, entropy) do not
 * tell. The confidence of a sample is its largest probability.
 *
 *   overconfidence = mean confidence - accuracy
 *
 * Guo et al. 2017, arXiv 1706.04599; histograms as in Pereyra et al. 2017, Fig. 1.
 */
#include <math.h>

#include "metric/metric.h"
#include "model/ensemble.h"
#include "study/probe.h"

struct calibration {
    int part;
};

enum { WRONG, RIGHT };

struct tally {
    const struct fi_look_at *look;
    enum fanin_part part;
    struct fi_probe_truth known;
    int64_t n[2], bins[2][FI_PROBE_BINS];
    double confidence[2];
};

static void predict(void *arg, struct fi_ensemble *e, int64_t n, int64_t row0) {
    struct tally *t = arg;
    fi_ensemble_run(e, n, row0);
    fi_probe_truth_load(&t->known, t->look, t->part, row0, n);
    for (int64_t r = 0; r < n; r++) {
        const fi_real *p = e->p.data + r * e->p.ld;
        const double confidence = fi_metric_largest(p, e->p.cols);
        const int32_t class_of_row = fi_probe_class(&t->known, e->model, r);
        if (class_of_row < 0 || isnan(confidence)) continue;
        const int right = fi_metric_class(p, e->p.cols) == class_of_row;
        t->n[right]++;
        t->confidence[right] += confidence;
        t->bins[right][fi_probe_bin(0, 1, confidence)]++;
    }
}

static double quotient(double sum, int64_t n) {
    return n > 0 ? sum / (double)n : NAN;
}

static void tell(const struct fi_look_at *look, const struct tally *t) {
    const int64_t n = t->n[WRONG] + t->n[RIGHT];
    const double confidence = quotient(t->confidence[WRONG] + t->confidence[RIGHT], n);
    int64_t both[FI_PROBE_BINS];
    for (int b = 0; b < FI_PROBE_BINS; b++) both[b] = t->bins[WRONG][b] + t->bins[RIGHT][b];
    look->add(look->to, "confidence", "", confidence);
    look->add(look->to, "overconfidence", "", confidence - quotient((double)t->n[RIGHT], n));
    look->add(look->to, "confidence_right", "", quotient(t->confidence[RIGHT], t->n[RIGHT]));
    look->add(look->to, "confidence_wrong", "", quotient(t->confidence[WRONG], t->n[WRONG]));
    look->bins(look->to, "confidence", "", 0, 1, both, FI_PROBE_BINS);
    look->bins(look->to, "confidence_right", "", 0, 1, t->bins[RIGHT], FI_PROBE_BINS);
    look->bins(look->to, "confidence_wrong", "", 0, 1, t->bins[WRONG], FI_PROBE_BINS);
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    const struct calibration *a = attrs;
    struct tally t = {.look = look, .part = (enum fanin_part)a->part};
    const struct fi_eval_options options = {.part = t.part, .predict = predict, .arg = &t};
    struct fi_arena arena;
    struct fi_eval eval;
    FI_TRY(fi_probe_classes(look, "calibration"));
    fi_arena_init(&arena, look->ctx);
    enum fanin_status status = fi_probe_truth_create(&t.known, look->model, &arena);
    if (status == FANIN_OK) status = fi_evaluate(look->model, look->data, &options, &arena, &eval);
    if (status == FANIN_OK) tell(look, &t);
    fi_arena_free(&arena);
    return status;
}

static const struct fanin_attr_spec specs[] = {FI_PROBE_PART(struct calibration), FI_ATTR_END};

FI_RECORD(probe, calibration) = {
    .head = {.name = "calibration",
             .formula = "confidence = mean of max_c p_c; overconfidence = confidence - accuracy; "
                        "confidence_right, confidence_wrong: of samples predicted rightly, "
                        "wrongly; histograms of the same three",
             .reference = "Guo et al. 2017; Pereyra et al. 2017, Fig. 1",
             .help = "Tells how sure the net is where it is right and where it is wrong.",
             .attrs = specs,
             .attrs_size = sizeof(struct calibration),
             .place = ""},
    .look = look_at,
};
