/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fanin check found, as text: a line for each layer and parameter, the findings, the verdict.
 */
#include <inttypes.h>
#include <math.h>

#include "check.h"

const char *const check_verdicts[] = {"trainable", "at risk", "will not train"};
const char *const check_severities[] = {"remark", "at risk", "will not train"};

static void print_figure(double value) {
    if (isfinite(value))
        printf(" %9.3g", value);
    else
        printf(" %9s", "-");
}

/* in layers; without end at the critical point */
static void print_scale(double xi) {
    if (isnan(xi))
        printf(" %6s", "-");
    else if (isinf(xi))
        printf(" %6s", "inf");
    else
        printf(" %6.3g", xi);
}

/* measured, and its spread where there is more than one start */
static void print_measured(double second, double spread, int outside) {
    char text[32] = "-";
    if (isfinite(second) && isfinite(spread) &&
        second > 0) /* of a root: half the relative spread */
        snprintf(text, sizeof text, "%.3g±%.0f%%", sqrt(second), 50 * spread / second);
    else if (isfinite(second))
        snprintf(text, sizeof text, "%.3g", sqrt(second));
    printf(" %12s%c", text, outside ? '!' : ' ');
}

static void print_few(const char *what, const struct fanin_check_few *few) {
    if (few->count == 0) return;
    printf(" %" PRId64 " %s (", few->count, what);
    const int shown = (int)(few->count < 4 ? few->count : 4);
    for (int i = 0; i < shown; i++) printf("%s%" PRId64, i ? "," : "", few->first[i]);
    printf("%s)", few->count > shown ? ",…" : "");
}

static void print_layer(const struct fanin_check_layer *l) {
    printf("%-16.16s %6" PRId64, l->name, l->shape.cols);
    print_figure(sqrt(l->predicted.second));
    print_measured(l->measured.second, l->spread.second, l->outside & 1);
    print_figure(l->predicted.cosine);
    print_figure(l->measured.cosine);
    print_figure(l->chi);
    print_scale(l->xi);
    print_figure(sqrt(l->predicted.grad));
    print_measured(l->measured.grad, l->spread.grad, l->outside & 2);
    print_few("tied", &l->tied);
    print_few("almost tied", &l->almost_tied);
    print_few("dead", &l->dead);
    print_few("saturated", &l->saturated);
    if (l->constant.count > l->dead.count) print_few("constant", &l->constant);
    printf("\n");
}

int check_cancels(const struct fanin_check_result *r) {
    int any = 0;
    for (int i = 0; i < r->n_layers; i++)
        any |= r->layers[i].tied.count > 0 && isnan(r->layers[i].predicted.grad) &&
               isfinite(r->layers[i].measured.grad);
    return any;
}

const char check_cancelled[] =
    "No gradient is predicted below equal weights at the result: they sum the gradients of the "
    "loss, and those of a softmax add up to 0 but for rounding.";

static void print_start(const struct fanin_check_result *r) {
    printf("\nloss %.4g (of the best constant prediction %.4g)  gradient norm %.3g  lr %.3g\n",
           r->loss, r->loss_known, r->grad_norm, r->lr);
    printf(
        "one update takes the batch's loss to %.3g of what it was; the run's %.0f would take away "
        "%.3g of it elsewhere\n",
        r->first_step, r->steps, r->progress);
}

void check_text(const struct fanin_check_result *r) {
    printf("%d start%s from seed %" PRIu64 ", %" PRId64 " samples\n\n", r->seeds,
           r->seeds == 1 ? "" : "s", r->seed, r->batch);
    printf("%-16s %6s %9s %12s  %9s %9s %9s %6s %9s %12s\n", "", "", "signal", "rms", "cosine", "",
           "", "", "gradient", "rms");
    printf("%-16s %6s %9s %12s  %9s %9s %9s %6s %9s %12s\n", "layer", "units", "predicted",
           "measured", "predicted", "measured", "chi", "xi", "predicted", "measured");
    for (int i = 0; i < r->n_layers; i++) print_layer(&r->layers[i]);
    if (check_cancels(r)) printf("\n%s\n", check_cancelled);
    printf("\n%-24s %9s %9s %12s %9s\n", "parameter", "rms", "gradient", "measured", "update");
    for (int i = 0; i < r->n_params; i++) {
        const struct fanin_check_param *p = &r->params[i];
        printf("%-24.24s", p->name);
        print_figure(p->rms);
        print_figure(p->grad_predicted);
        print_figure(p->grad_measured);
        print_figure(p->update);
        printf("\n");
    }
    if (isfinite(r->loss_first)) print_start(r);
    if (isfinite(r->sharpness) && !(r->sharpness > 0))
        printf("sharpness %.4g: none found that bounds the learning rate\n", r->sharpness);
    else if (isfinite(r->sharpness))
        printf("sharpness %.4g: the largest stable learning rate of plain gradient descent is "
               "%.3g\n",
               r->sharpness, 2 / r->sharpness);
    for (int i = 0; i < r->n_findings; i++) {
        const struct fanin_check_finding *f = &r->findings[i];
        printf("\n%s: %s\n", check_severities[f->severity], f->text);
        if (f->mend) printf("  mend: %s", f->mend);
        if (f->path) printf(" (--set %s='%s')", f->path, f->value);
        if (f->mend || f->path) printf("\n");
    }
    printf("\nverdict: %s\n", check_verdicts[r->verdict]);
}
