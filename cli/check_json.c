/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fanin check found, as JSON: an object a line, as docs/check-json.md says.
 */
#include "check.h"

static void note_layer(const struct app *app, const struct fanin_check_layer *l) {
    const struct fanin_text texts[] = {{"name", l->name}, {"op", l->op}};
    const struct fanin_figure figures[] = {{"units", (double)l->shape.cols},
                                           {"depth", l->depth},
                                           {"predicted_mean", l->predicted.mean},
                                           {"predicted_second_moment", l->predicted.second},
                                           {"predicted_cosine", l->predicted.cosine},
                                           {"predicted_gradient", l->predicted.grad},
                                           {"measured_mean", l->measured.mean},
                                           {"measured_second_moment", l->measured.second},
                                           {"measured_cosine", l->measured.cosine},
                                           {"measured_gradient", l->measured.grad},
                                           {"spread_second_moment", l->spread.second},
                                           {"spread_gradient", l->spread.grad},
                                           {"chi", l->chi},
                                           {"xi", l->xi},
                                           {"band", l->band},
                                           {"outside", l->outside},
                                           {"tied", (double)l->tied.count},
                                           {"almost_tied", (double)l->almost_tied.count},
                                           {"dead", (double)l->dead.count},
                                           {"saturated", (double)l->saturated.count},
                                           {"constant", (double)l->constant.count}};
    fanin_report_note(app->report, "layer", texts, 2, figures,
                      (int)(sizeof figures / sizeof *figures));
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
    for (int i = 0; i < r->n_findings; i++) {
        const struct fanin_check_finding *f = &r->findings[i];
        const struct fanin_text texts[] = {{"name", f->name},
                                           {"severity", check_verdicts[f->severity]},
                                           {"layer", f->layer ? f->layer : ""},
                                           {"text", f->text},
                                           {"mend", f->mend ? f->mend : ""},
                                           {"path", f->path ? f->path : ""},
                                           {"value", f->value ? f->value : ""}};
        fanin_report_note(app->report, "finding", texts, 7, NULL, 0);
    }
    const struct fanin_text texts[] = {{"verdict", check_verdicts[r->verdict]}};
    const struct fanin_figure figures[] = {{"starts", r->seeds},
                                           {"seed", (double)r->seed},
                                           {"samples", (double)r->batch},
                                           {"loss", r->loss},
                                           {"loss_spread", r->loss_spread},
                                           {"loss_constant", r->loss_known},
                                           {"gradient_norm", r->grad_norm},
                                           {"lr", r->lr},
                                           {"sharpness", r->sharpness},
                                           {"seconds", r->seconds},
                                           {"bytes", r->bytes}};
    fanin_report_note(app->report, "verdict", texts, 1, figures, 11);
}
