/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fanin check found, as a page: the verdict and the findings, signals and gradients predicted
 * and measured, their histograms, units, parameters, the start, and how to do it again.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

struct view {
    fanin_page *page;
    const struct fanin_check_result *r;
    const char **names; /* of the layers */
    double *room;       /* SERIES lines of n_layers numbers */
};
#define SERIES 8

static double *line_of(const struct view *v, int i) {
    return v->room + (int64_t)i * v->r->n_layers;
}

/* ---- verdict and findings -------------------------------------------------------------------------- */

static const enum fanin_page_tone tones[] = {FANIN_PAGE_GOOD, FANIN_PAGE_CAUTION, FANIN_PAGE_BAD};

static void add_verdict(const struct view *v) {
    char text[256];
    int n = 0;
    for (int i = 0; i < v->r->n_findings; i++) n += v->r->findings[i].severity > FANIN_TRAINABLE;
    snprintf(text, sizeof text,
             "%s %d start%s from seed %" PRIu64 ", %" PRId64 " samples, %d layers.",
             n ? "What speaks against it stands below."
               : "Nothing that was looked at speaks against it.",
             v->r->seeds, v->r->seeds == 1 ? "" : "s", v->r->seed, v->r->batch, v->r->n_layers);
    const struct fanin_page_notice verdict = {.tone = tones[v->r->verdict],
                                              .label = check_verdicts[v->r->verdict],
                                              .text = text,
                                              .large = 1};
    fanin_page_add_notice(v->page, &verdict);
}

static void add_finding(const struct view *v, const struct fanin_check_finding *f) {
    const size_t size = (f->mend ? strlen(f->mend) : 0) + (f->path ? strlen(f->path) : 0) +
                        (f->value ? strlen(f->value) : 0) + 32;
    char *mend = calloc(2, size);
    if (mend && f->mend) snprintf(mend, size, "Mend: %s", f->mend);
    if (mend && f->path && f->value)
        snprintf(mend + size, size, "--set %s='%s'", f->path, f->value);
    const struct fanin_page_notice notice = {.tone = tones[f->severity],
                                             .label = check_severities[f->severity],
                                             .title = f->layer ? f->layer : f->name,
                                             .text = f->text,
                                             .more = mend && *mend ? mend : NULL,
                                             .code = mend && mend[size] ? mend + size : NULL};
    fanin_page_add_notice(v->page, &notice);
    free(mend);
}

/* ---- signals and gradients ------------------------------------------------------------------------- */

/* Where a figure of a layer stands. */
typedef double (*figure_fn)(const struct fanin_check_figures *figures);
static double mean_of(const struct fanin_check_figures *f) {
    return f->mean;
}
static double second_of(const struct fanin_check_figures *f) {
    return f->second;
}
static double cosine_of(const struct fanin_check_figures *f) {
    return f->cosine;
}
static double grad_of(const struct fanin_check_figures *f) {
    return f->grad;
}

struct profile {
    const char *title, *text, *y_title;
    figure_fn figure;
    int root;    /* shown as its root */
    int outside; /* the bit that says a layer is outside the band; 0: there is no band */
};

static double shown(double value, int root) {
    return root ? sqrt(value > 0 ? value : value < 0 ? 0 : value) : value;
}

static void add_profile(const struct view *v, const struct profile *p) {
    double *line[SERIES];
    for (int i = 0; i < SERIES; i++) line[i] = line_of(v, i);
    int outside = 0, anew = 0, wide = p->outside != 0;
    for (int i = 0; i < v->r->n_layers; i++) {
        const struct fanin_check_layer *l = &v->r->layers[i];
        const double predicted = p->figure(&l->predicted), measured = p->figure(&l->measured);
        const double spread = p->figure(&l->spread);
        /* a band of a power of ten needs an axis of such, and that has no 0 */
        wide &= l->band > log(10) && !(predicted <= 0) && !(measured <= 0);
        const int marked = (l->outside & p->outside) != 0;
        line[0][i] = shown(predicted, p->root);
        line[1][i] = shown(predicted * exp(-l->band), p->root);
        line[2][i] = shown(predicted * exp(l->band), p->root);
        line[3][i] = shown(measured, p->root);
        line[4][i] = shown(measured - spread, p->root);
        line[5][i] = shown(measured + spread, p->root);
        line[6][i] = l->begun_anew && i > 0 && !marked ? line[0][i] : NAN;
        line[7][i] = marked ? line[3][i] : NAN;
        anew += l->begun_anew && isfinite(line[6][i]);
        outside += marked;
    }
    struct fanin_page_series series[4] = {
        {.name = p->outside ? "predicted, with its band" : "predicted",
         .style = FANIN_PAGE_LINE,
         .y = line[0],
         .low = p->outside ? line[1] : NULL,
         .high = p->outside ? line[2] : NULL},
        {.name = v->r->seeds > 1 ? "measured ± deviation over the starts" : "measured",
         .style = FANIN_PAGE_DOTS,
         .y = line[3],
         .low = v->r->seeds > 1 ? line[4] : NULL,
         .high = v->r->seeds > 1 ? line[5] : NULL}};
    int n = 2;
    if (anew)
        series[n++] = (struct fanin_page_series){
            .name = "theory begins anew here", .style = FANIN_PAGE_DOTS, .y = line[6]};
    if (outside)
        series[n++] = (struct fanin_page_series){
            .name = "outside the band", .style = FANIN_PAGE_RINGS, .y = line[7]};
    for (int i = 0; i < n; i++) series[i].n = v->r->n_layers;
    const struct fanin_page_plot plot = {.title = p->title,
                                         .text = p->text,
                                         .x_title = "layer",
                                         .y_title = p->y_title,
                                         .y_scale = wide      ? FANIN_PAGE_LOG
                                                    : p->root ? FANIN_PAGE_AUTO
                                                              : FANIN_PAGE_LINEAR,
                                         .labels = v->names,
                                         .n_labels = v->r->n_layers,
                                         .series = series,
                                         .n_series = n};
    fanin_page_add_plot(v->page, &plot);
}

static void add_chi(const struct view *v) {
    double *chi = line_of(v, 0), *one = line_of(v, 1);
    int any = 0;
    for (int i = 0; i < v->r->n_layers; i++) {
        chi[i] = v->r->layers[i].chi;
        one[i] = 1;
        any |= isfinite(chi[i]);
    }
    if (!any) return;
    const struct fanin_page_series series[] = {
        {.name = "χ, predicted", .style = FANIN_PAGE_DOTS, .n = v->r->n_layers, .y = chi},
        {.name = "1: unchanged", .style = FANIN_PAGE_GUIDE, .n = v->r->n_layers, .y = one}};
    const struct fanin_page_plot plot = {
        .title = "χ: what each layer does to the gradient",
        .text = "The factor on the gradient's second moment on its way back through the layer. "
                "What counts is the product along the way.",
        .x_title = "layer",
        .y_title = "factor",
        .y_scale = FANIN_PAGE_AUTO,
        .labels = v->names,
        .n_labels = v->r->n_layers,
        .series = series,
        .n_series = 2};
    fanin_page_add_plot(v->page, &plot);
}

/* Beside the net's depth; where every layer is critical there is nothing to draw. */
static void add_xi(const struct view *v) {
    double *xi = line_of(v, 0), *depth = line_of(v, 1);
    const struct fanin_check_layer *last = &v->r->layers[v->r->n_layers - 1];
    int finite = 0, critical = 0;
    for (int i = 0; i < v->r->n_layers; i++) {
        xi[i] = isfinite(v->r->layers[i].xi) ? v->r->layers[i].xi : NAN;
        depth[i] = last->depth;
        finite += isfinite(xi[i]);
        critical += isinf(v->r->layers[i].xi) != 0;
    }
    char text[320], infinite[80] = "";
    if (critical)
        snprintf(infinite, sizeof infinite, " Infinite, at the critical point, in %d layer%s.",
                 critical, critical == 1 ? "" : "s");
    snprintf(text, sizeof text,
             "Over how many layers like this one two samples' correlation comes e times nearer to "
             "where it ends. A net far deeper than a few ξ loses what tells samples apart.%s",
             infinite);
    const struct fanin_page_series series[] = {
        {.name = "ξ, predicted", .style = FANIN_PAGE_DOTS, .n = v->r->n_layers, .y = xi},
        {.name = "layers with weights",
         .style = FANIN_PAGE_GUIDE,
         .n = v->r->n_layers,
         .y = depth}};
    const struct fanin_page_plot plot = {.title = "ξ: how deep the signal reaches",
                                         .text = text,
                                         .x_title = "layer",
                                         .y_title = "layers",
                                         .y_scale = FANIN_PAGE_AUTO,
                                         .labels = v->names,
                                         .n_labels = v->r->n_layers,
                                         .series = series,
                                         .n_series = 2};
    if (finite)
        fanin_page_add_plot(v->page, &plot);
    else if (critical)
        fanin_page_add_text(v->page, "The depth scale ξ is infinite: the layers start at the "
                                     "critical point, where samples stay apart longest.");
}

static void add_signals(const struct view *v) {
    static const struct profile forward[] = {
        {"Root mean square of the signal",
         "Over units and samples. A steady line is a net whose deep layers still see the input.",
         "root mean square", second_of, 1, 1},
        {"Cosine between samples", "Mean over pairs. Near 1 the net no longer tells samples apart.",
         "cosine", cosine_of, 0, 0},
        {"Mean of the signal", "Over units and samples.", "mean", mean_of, 0, 0}};
    static const struct profile backward = {
        "Root mean square of the gradient",
        "Of a sample's own loss by the layer's output; training reads it from right to left.",
        "root mean square",
        grad_of,
        1,
        2};
    fanin_page_add_section(v->page, "Signals forward",
                           "Theory's line beside what a batch of the real data does. Within the "
                           "band is what layers of finite width explain.");
    for (int i = 0; i < 3; i++) add_profile(v, &forward[i]);
    add_xi(v);
    fanin_page_add_section(v->page, "Gradients backward",
                           "A gradient that fades or grows from layer to layer moves the first "
                           "layers too little or too much.");
    if (check_cancels(v->r)) fanin_page_add_text(v->page, check_cancelled);
    add_profile(v, &backward);
    add_chi(v);
}

static void add_histograms(const struct view *v) {
    struct fanin_page_histogram *h = calloc((size_t)v->r->n_layers + 1, sizeof *h);
    if (!h) return;
    fanin_page_add_section(v->page, "Histograms",
                           "Each layer's numbers in the first start, over units and samples.");
    for (int grads = 0; grads < 2; grads++) {
        for (int i = 0; i < v->r->n_layers; i++) {
            const struct fanin_check_layer *l = &v->r->layers[i];
            const struct fanin_check_histogram *from = grads ? &l->grads : &l->values;
            h[i] = (struct fanin_page_histogram){l->name, from->low, from->high, from->counts,
                                                 FANIN_CHECK_BINS};
        }
        fanin_page_add_histograms(v->page, grads ? "Gradients" : "Activations", NULL,
                                  grads ? "gradient by the output" : "output", h, v->r->n_layers);
    }
    free(h);
}

/* ---- tables ---------------------------------------------------------------------------------------- */

static void tell_few(char *out, size_t size, const struct fanin_check_few *few) {
    int64_t shown_here = few->count < 4 ? few->count : 4;
    int at = snprintf(out, size, "%" PRId64, few->count);
    for (int64_t i = 0; i < shown_here && at > 0 && (size_t)at < size; i++)
        at += snprintf(out + at, size - (size_t)at, "%s%" PRId64, i ? ", " : " (", few->first[i]);
    if (shown_here > 0 && at > 0 && (size_t)at < size)
        snprintf(out + at, size - (size_t)at, few->count > shown_here ? ", …)" : ")");
}

static void add_units(const struct view *v) {
    static const char *const columns[] = {"layer", "units",     "tied",    "almost tied",
                                          "dead",  "saturated", "constant"};
    enum { COLUMNS = 7, ROOM = 128 };
    struct fanin_page_cell *cells = calloc((size_t)v->r->n_layers * COLUMNS + 1, sizeof *cells);
    char(*texts)[ROOM] = calloc((size_t)v->r->n_layers * 5 + 1, sizeof *texts);
    int64_t n = 0;
    fanin_page_add_section(
        v->page, "Units",
        "Tied: every step keeps them equal. Almost tied: incoming weights at |cosine| above 0.999. "
        "Dead: never active on these samples. Saturated: flat on 95 % of them. Constant: the same "
        "output for all. In brackets the indexes of the first.");
    for (int i = 0; cells && texts && i < v->r->n_layers; i++) {
        const struct fanin_check_layer *l = &v->r->layers[i];
        const struct fanin_check_few *few[] = {&l->tied, &l->almost_tied, &l->dead, &l->saturated,
                                               &l->constant};
        struct fanin_page_cell *row = cells + n * COLUMNS;
        int64_t any = 0;
        row[0].text = l->name;
        row[1].number = (double)l->shape.cols;
        for (int k = 0; k < 5; k++) {
            tell_few(texts[n * 5 + k], ROOM, few[k]);
            row[2 + k].text = few[k]->count ? texts[n * 5 + k] : "–";
            any += few[k]->count;
        }
        n += any > 0;
    }
    const struct fanin_page_table table = {
        .columns = columns, .n_columns = COLUMNS, .cells = cells, .n_rows = n};
    if (n > 0)
        fanin_page_add_table(v->page, &table);
    else
        fanin_page_add_text(v->page, "No layer has any of them.");
    free(texts);
    free(cells);
}

static void add_params(const struct view *v) {
    static const char *const columns[] = {"parameter",          "rms",    "gradient, predicted",
                                          "gradient, measured", "spread", "update / rms"};
    enum { COLUMNS = 6 };
    struct fanin_page_cell *cells = calloc((size_t)v->r->n_params * COLUMNS + 1, sizeof *cells);
    if (!cells) return;
    for (int i = 0; i < v->r->n_params; i++) {
        const struct fanin_check_param *p = &v->r->params[i];
        const struct fanin_page_cell row[COLUMNS] = {{.text = p->name},
                                                     {.number = p->rms},
                                                     {.number = p->grad_predicted},
                                                     {.number = p->grad_measured},
                                                     {.number = p->grad_spread},
                                                     {.number = p->update}};
        memcpy(cells + (int64_t)i * COLUMNS, row, sizeof row);
    }
    const struct fanin_page_table table = {
        .columns = columns, .n_columns = COLUMNS, .cells = cells, .n_rows = v->r->n_params};
    fanin_page_add_section(v->page, "Parameters",
                           "Root mean squares of the numbers, of the batch's gradient, and of the "
                           "first update over that of the numbers; about 0.001 to 0.01 is usual.");
    fanin_page_add_table(v->page, &table);
    free(cells);
}

static void add_start(const struct view *v) {
    const struct fanin_check_result *r = v->r;
    struct fanin_page_fact facts[] = {
        {"loss", {.number = r->loss}, "before the first step"},
        {"loss of a constant",
         {.number = r->loss_known},
         "the best prediction that ignores the input"},
        {"gradient norm", {.number = r->grad_norm}, NULL},
        {"learning rate", {.number = r->lr}, "of the first step"},
        {"time of a step", {.number = 1000 * r->seconds}, "milliseconds, about"},
        {"memory", {.number = r->bytes / 1e6}, "megabytes, about"},
        {"sharpness", {.number = r->sharpness}, "largest curvature λ"},
        {"2 / λ", {.number = 2 / r->sharpness}, "largest stable rate of plain gradient descent"}};
    const int n = (int)(sizeof facts / sizeof *facts);
    fanin_page_add_section(v->page, "The start", NULL);
    fanin_page_add_facts(v->page, facts,
                         r->sharpness > 0         ? n
                         : isfinite(r->sharpness) ? n - 1
                                                  : n - 2);
}

/* ---- again ----------------------------------------------------------------------------------------- */

static void add_again(const struct view *v, const struct app *app, const char *recipe) {
    char *line = shell_line(app->name, (const char *const *)app->argv, app->argc);
    fanin_page_add_section(v->page, "Again", "The same command gives the same figures.");
    if (line) fanin_page_add_code(v->page, "Command", line, 0);
    if (recipe) fanin_page_add_code(v->page, "Recipe, with what was set", recipe, 1);
    free(line);
}

void check_html(fanin_page *page, const struct app *app, const struct fanin_check_result *r,
                const char *recipe) {
    struct view v = {.page = page, .r = r};
    v.names = calloc((size_t)r->n_layers + 1, sizeof *v.names);
    v.room = calloc((size_t)r->n_layers * SERIES + 1, sizeof *v.room);
    add_verdict(&v);
    for (int i = 0; i < r->n_findings; i++) add_finding(&v, &r->findings[i]);
    if (v.names && v.room) {
        for (int i = 0; i < r->n_layers; i++) v.names[i] = r->layers[i].name;
        add_signals(&v);
    }
    add_histograms(&v);
    add_units(&v);
    add_params(&v);
    if (isfinite(r->loss_first)) add_start(&v);
    add_again(&v, app, recipe);
    free(v.room);
    free((void *)v.names);
}
