/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `fanin check` predicts and measures of a start, as figures: signals and gradients of every
 * node on one batch of the training part, units of which something holds, gradients of the
 * parameters, the verdict. The model is looked at as it stands; after some training the predictions
 * are still those of its start's laws.
 *
 * "second" is the mean over units and samples of y², "grad" the same of the gradient of a sample's
 * own loss by y, "cosine" the mean over pairs of samples.
 */
#include <fanin/check.h>

#include "study/probe.h"

struct signals {
    int64_t batch;
};

static void add_layer(const struct fi_look_at *look, const struct fanin_check_layer *l) {
    const double units = (double)l->shape.cols;
    const struct {
        const char *name;
        double value;
    } figures[] = {{"predicted_mean", l->predicted.mean},
                   {"measured_mean", l->measured.mean},
                   {"predicted_second", l->predicted.second},
                   {"measured_second", l->measured.second},
                   {"predicted_cosine", l->predicted.cosine},
                   {"measured_cosine", l->measured.cosine},
                   {"predicted_grad", l->predicted.grad},
                   {"measured_grad", l->measured.grad},
                   {"depth", l->depth},
                   {"chi", l->chi},
                   {"xi", l->xi},
                   {"tied", (double)l->tied.count / units},
                   {"almost_tied", (double)l->almost_tied.count / units},
                   {"dead", (double)l->dead.count / units},
                   {"saturated", (double)l->saturated.count / units},
                   {"constant", (double)l->constant.count / units}};
    for (int i = 0; i < FI_COUNT(figures); i++)
        look->add(look->to, figures[i].name, l->name, figures[i].value);
    const struct {
        const char *name;
        const struct fanin_check_histogram *h;
    } histograms[] = {{"outputs", &l->values}, {"gradients", &l->grads}};
    for (int i = 0; i < FI_COUNT(histograms); i++)
        if (histograms[i].h->low < histograms[i].h->high)
            look->bins(look->to, histograms[i].name, l->name, histograms[i].h->low,
                       histograms[i].h->high, histograms[i].h->counts, FANIN_CHECK_BINS);
}

static void add_all(const struct fi_look_at *look, const struct fanin_check_result *r) {
    look->add(look->to, "verdict", "", r->verdict);
    look->add(look->to, "loss", "", r->loss);
    look->add(look->to, "known_loss", "", r->loss_known);
    look->add(look->to, "grad_norm", "", r->grad_norm);
    look->add(look->to, "first_step", "", r->first_step);
    look->add(look->to, "progress", "", r->progress);
    for (int i = 0; i < r->n_layers; i++) add_layer(look, &r->layers[i]);
    for (int i = 0; i < r->n_params; i++) {
        const struct fanin_check_param *p = &r->params[i];
        look->add(look->to, "rms", p->name, p->rms);
        look->add(look->to, "predicted_grad", p->name, p->grad_predicted);
        look->add(look->to, "measured_grad", p->name, p->grad_measured);
        look->add(look->to, "update", p->name, p->update);
    }
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    const struct signals *a = attrs;
    const struct fanin_check_options options = {.size = sizeof options, .batch = a->batch};
    fanin_check *check;
    const enum fanin_status status = fanin_model_check(&check, look->model, look->data,
                                                       fanin_recipe_train(look->recipe), &options);
    FI_TRY(status);
    add_all(look, fanin_check_get(check));
    fanin_check_free(check);
    return FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct signals, batch, 0, 0, 256,
                "training samples looked at; 0: the recipe's batch, at most 128", 0),
    FI_ATTR_END};

FI_RECORD(probe, signals) = {
    .head = {.name = "signals",
             .formula = "of nodes: predicted_ and measured_ mean, second, cosine, grad (second "
                        "moments); depth, chi, xi; shares of units tied, almost_tied, dead, "
                        "saturated, constant; histograms outputs, gradients. Of parameters: rms, "
                        "update over rms, predicted_ and measured_grad (root mean squares). Of the "
                        "whole: verdict (0 trainable, 1 at risk, 2 will not train), loss, "
                        "known_loss, grad_norm, first_step, progress",
             .reference = "Poole et al. 2016, Schoenholz et al. 2017",
             .help = "Tells what `fanin check` predicts and measures of the model on one batch.",
             .attrs = specs,
             .attrs_size = sizeof(struct signals),
             .place = ""},
    .look = look_at,
};
