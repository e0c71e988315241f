/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fanin check found, as JSON: an object a line, as docs/check-json.md says.
 */
#include "check.h"

#define FIRST_MAX ((int64_t)(sizeof((struct fanin_check_few *)0)->first / sizeof(int64_t)))

/* Room for what the lists of a layer hold as doubles. */
struct lists {
    double shape[FANIN_MAX_RANK], first[5][FIRST_MAX], counts[2][FANIN_CHECK_BINS];
};

static struct fanin_note_list first_of(const char *name, const struct fanin_check_few *few,
                                       double *room) {
    const int64_t n = few->count < FIRST_MAX ? few->count : FIRST_MAX;
    for (int64_t i = 0; i < n; i++) room[i] = (double)few->first[i];
    return (struct fanin_note_list){name, room, NULL, n};
}

static struct fanin_note_list counts_of(const char *name, const struct fanin_check_histogram *h,
                                        double *room) {
    for (int i = 0; i < FANIN_CHECK_BINS; i++) room[i] = (double)h->counts[i];
    return (struct fanin_note_list){name, room, NULL, FANIN_CHECK_BINS};
}

static void note_layer(const struct app *app, const struct fanin_check_layer *l) {
    struct lists room;
    for (int i = 0; i < l->shape.rank; i++) room.shape[i] = (double)l->shape.dims[i];
    const struct fanin_text texts[] = {{"name", l->name}, {"op", l->op}};
    const struct fanin_figure figures[] = {{"units", (double)l->shape.cols},
                                           {"depth", l->depth},
                                           {"predicted_mean", l->predicted.mean},
                                           {"predicted_second_moment", l->predicted.second},
                                           {"predicted_cosine", l->predicted.cosine},
                                           {"predicted_gradient", l->predicted.grad},
                                           {"begun_anew", l->begun_anew},
                                           {"measured_mean", l->measured.mean},
                                           {"measured_second_moment", l->measured.second},
                                           {"measured_cosine", l->measured.cosine},
                                           {"measured_gradient", l->measured.grad},
                                           {"spread_mean", l->spread.mean},
                                           {"spread_second_moment", l->spread.second},
                                           {"spread_cosine", l->spread.cosine},
                                           {"spread_gradient", l->spread.grad},
                                           {"chi", l->chi},
                                           {"xi", l->xi},
                                           {"band", l->band},
                                           {"outside", l->outside},
                                           {"tied", (double)l->tied.count},
                                           {"almost_tied", (double)l->almost_tied.count},
                                           {"dead", (double)l->dead.count},
                                           {"saturated", (double)l->saturated.count},
                                           {"constant", (double)l->constant.count},
                                           {"values_low", l->values.low},
                                           {"values_high", l->values.high},
                                           {"gradients_low", l->grads.low},
                                           {"gradients_high", l->grads.high}};
    const struct fanin_note_list lists[] = {
        {"shape", room.shape, NULL, l->shape.rank},
        first_of("tied_first", &l->tied, room.first[0]),
        first_of("almost_tied_first", &l->almost_tied, room.first[1]),
        first_of("dead_first", &l->dead, room.first[2]),
        first_of("saturated_first", &l->saturated, room.first[3]),
        first_of("constant_first", &l->constant, room.first[4]),
        counts_of("values_counts", &l->values, room.counts[0]),
        counts_of("gradients_counts", &l->grads, room.counts[1])};
    const struct fanin_note note = {.what = "layer",
                                    .texts = texts,
                                    .n_texts = (int)(sizeof texts / sizeof *texts),
                                    .figures = figures,
                                    .n_figures = (int)(sizeof figures / sizeof *figures),
                                    .lists = lists,
                                    .n_lists = (int)(sizeof lists / sizeof *lists)};
    fanin_report_write(app->report, &note);
}

static void note_finding(const struct app *app, const struct fanin_check_finding *f) {
    const struct fanin_text texts[] = {
        {"name", f->name},   {"severity", check_severities[f->severity]},
        {"layer", f->layer}, {"text", f->text},
        {"mend", f->mend},   {"path", f->path},
        {"value", f->value}};
    fanin_report_note(app->report, "finding", texts, (int)(sizeof texts / sizeof *texts), NULL, 0);
}

void check_json(const struct app *app, const struct fanin_check_result *r) {
    for (int i = 0; i < r->n_layers; i++) note_layer(app, &r->layers[i]);
    for (int i = 0; i < r->n_params; i++) {
        const struct fanin_check_param *p = &r->params[i];
        const struct fanin_text texts[] = {{"name", p->name}};
        const struct fanin_figure figures[] = {{"rms", p->rms},
                                               {"predicted_gradient", p->grad_predicted},
                                               {"measured_gradient", p->grad_measured},
                                               {"spread_gradient", p->grad_spread},
                                               {"update", p->update}};
        fanin_report_note(app->report, "parameter", texts, 1, figures, 5);
    }
    for (int i = 0; i < r->n_findings; i++) note_finding(app, &r->findings[i]);
    const struct fanin_text texts[] = {{"verdict", check_verdicts[r->verdict]}};
    const struct fanin_figure figures[] = {{"starts", r->seeds},
                                           {"seed", (double)r->seed},
                                           {"samples", (double)r->batch},
                                           {"loss", r->loss},
                                           {"loss_spread", r->loss_spread},
                                           {"loss_constant", r->loss_known},
                                           {"gradient_norm", r->grad_norm},
                                           {"lr", r->lr},
                                           {"updates", r->steps},
                                           {"first_step", r->first_step},
                                           {"progress", r->progress},
                                           {"sharpness", r->sharpness},
                                           {"seconds", r->seconds},
                                           {"bytes", r->bytes}};
    fanin_report_note(app->report, "verdict", texts, 1, figures,
                      (int)(sizeof figures / sizeof *figures));
}
