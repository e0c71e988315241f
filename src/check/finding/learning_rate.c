/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A learning rate with which nothing is learned: the first update throws the loss up, or all
 * updates of the run together would take away next to nothing.
 */
#include <math.h>
#include <stdio.h>

#include "check/check.h"
#include "kernel/math.h"

/* One digit is enough for a rate. */
static double round_rate(double rate) {
    double unit = 1;
    if (!(rate > 0) || !isfinite(rate)) return rate;
    while (unit > rate) unit /= 10;
    while (unit * 10 <= rate) unit *= 10;
    return floor(rate / unit) * unit;
}

static enum fanin_status tell(const struct fi_look *look, const struct fi_finding *self,
                              enum fanin_verdict how, double rate, const char *text) {
    char path[96], value[32];
    (void)snprintf(path, sizeof path, "optim.%s.lr", look->check->optim);
    (void)snprintf(value, sizeof value, "%.1g", round_rate(rate));
    struct fi_found found = {.severity = how};
    if (rate > 0 && isfinite(rate) && rate < 1e3) {
        found.mend =
            rate < look->check->result.lr ? "lower the learning rate" : "raise the learning rate";
        found.path = path;
        found.value = value;
    }
    return fi_found(look, self, &found, "%s", text);
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const struct fanin_check_result *r = &look->check->result;
    const enum fanin_verdict thrown = fi_check_thrown(look), slow = fi_check_slow(look);
    char text[256];
    if (thrown != FANIN_TRAINABLE) {
        (void)snprintf(text, sizeof text,
                       "one update at lr %.3g takes the loss of its own batch from %.4g to %.4g: "
                       "the step is longer than the slope holds",
                       r->lr, r->loss_first, r->loss_first * r->first_step);
        return tell(look, self, thrown, r->lr / (thrown == FANIN_WILL_NOT_TRAIN ? 10 : 3), text);
    }
    if (isfinite(r->sharpness) && r->sharpness > 0 && r->lr > 4 / r->sharpness) {
        (void)snprintf(text, sizeof text,
                       "lr %.3g is %.3g times 2/λ = %.3g, beyond which gradient descent leaves "
                       "where it is (λ %.3g)",
                       r->lr, r->lr * r->sharpness / 2, 2 / r->sharpness, r->sharpness);
        return tell(look, self, FANIN_TRAINABLE, 1 / r->sharpness, text);
    }
    if (slow == FANIN_TRAINABLE) return FANIN_OK;
    (void)snprintf(
        text, sizeof text,
        "%.0f updates like the first (lr %.3g) would take away %.2g of the loss on other "
        "samples: the run ends about where it began",
        r->steps, r->lr, FI_MAX(r->progress, 0));
    /* what others found comes first; and where next to nothing comes of the run, it is not the rate
     */
    const bool rate = r->progress > 1e-3 && r->verdict < slow;
    return tell(look, self, slow, rate ? r->lr * FI_MIN(10 / r->progress, 300) : 0, text);
}

FI_RECORD(finding, learning_rate) = {
    .head = {.name = "learning_rate",
             .formula = "loss after the first update over that before; reach · decrease / loss",
             .reference = "Cohen et al., ICLR 2021 (2/lambda); Xiao et al., ICML 2020",
             .help =
                 "A learning rate with which the first update throws the loss up, or with which "
                 "all updates of the run change next to nothing."},
    .look = look_for,
    .effect = true};
