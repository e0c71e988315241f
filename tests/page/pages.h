/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page with every kind of part and style on it, as a study would have them; and a sink that keeps
 * what it is given.
 */
#ifndef TESTS_PAGES_H
#define TESTS_PAGES_H

#include "support/support.h"

#include <fanin/page.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define N_EPOCHS 60
#define N_METHODS 5

/* Numbers that look like noise, the same each time. */
static double noise(int i) {
    return fmod(fabs(sin(i * 12.9898) * 43758.5453), 1) - 0.5;
}

static void add_curves(fanin_page *page) {
    static double y[N_METHODS][N_EPOCHS], low[N_METHODS][N_EPOCHS], high[N_METHODS][N_EPOCHS],
        x[N_EPOCHS], chance[N_EPOCHS];
    static const char *const names[N_METHODS] = {"kaiming_normal", "xavier_uniform", "lecun_normal",
                                                 "orthogonal", "truncated_normal"};
    struct fanin_page_series series[N_METHODS + 1];
    for (int m = 0; m < N_METHODS; m++) {
        for (int i = 0; i < N_EPOCHS; i++) {
            x[i] = i + 1;
            chance[i] = 0.9;
            y[m][i] = 0.02 + m * 0.012 + (0.85 - m * 0.07) * exp(-i / (4.0 + 3 * m)) +
                      0.004 * noise(i + 100 * m);
            low[m][i] = y[m][i] * 0.88;
            high[m][i] = y[m][i] * 1.12;
        }
        series[m] = (struct fanin_page_series){names[m], FANIN_PAGE_LINE, N_EPOCHS, x,
                                               y[m],     low[m],          high[m]};
    }
    series[N_METHODS] =
        (struct fanin_page_series){"chance", FANIN_PAGE_GUIDE, N_EPOCHS, x, chance, NULL, NULL};
    struct fanin_page_plot plot = {.title = "Test error over the epochs",
                                   .text = "Mean of 5 seeds; the band is their `deviation`.",
                                   .x_title = "epoch",
                                   .y_title = "test error",
                                   .y_scale = FANIN_PAGE_LOG,
                                   .series = series,
                                   .n_series = N_METHODS + 1};
    fanin_page_add_plot(page, &plot);
    plot.title = "The same, linear";
    plot.y_scale = FANIN_PAGE_LINEAR;
    fanin_page_add_plot(page, &plot);
}

static void add_layers(fanin_page *page) {
    enum { N = 12 };
    static const char *const names[N] = {"dense1", "tanh1", "dense2", "tanh2",
                                         "dense3", "tanh3", "dense4", "tanh4",
                                         "dense5", "tanh5", "dense6", "softmax_cross_entropy"};
    double y[N], low[N], high[N], predicted[N], few[N], above[N], ring[N];
    for (int i = 0; i < N; i++) {
        predicted[i] = exp(-0.5 * i);
        y[i] = predicted[i] * (1 + 0.3 * noise(i));
        low[i] = y[i] * 0.6;
        high[i] = y[i] * 1.5;
        few[i] = predicted[i] * 0.7;
        above[i] = predicted[i] * 1.4;
        ring[i] = i == 4 || i == 9 ? y[i] : NAN;
    }
    const struct fanin_page_series series[] = {
        {"predicted, with its band", FANIN_PAGE_LINE, N, NULL, predicted, few, above},
        {"measured ± deviation over the starts", FANIN_PAGE_DOTS, N, NULL, y, low, high},
        {"outside the band", FANIN_PAGE_RINGS, N, NULL, ring, NULL, NULL}};
    const struct fanin_page_plot plot = {.title = "Root mean square of the signal",
                                         .text = "Over units and samples.",
                                         .x_title = "layer",
                                         .y_title = "root mean square",
                                         .y_scale = FANIN_PAGE_AUTO,
                                         .labels = names,
                                         .n_labels = N,
                                         .series = series,
                                         .n_series = 3};
    fanin_page_add_plot(page, &plot);
}

static void add_strip(fanin_page *page) {
    enum { SEEDS = 20, N = 4 };
    static const char *const names[N] = {"sgd", "adam", "adamw", "rmsprop"};
    double x[N * SEEDS], y[N * SEEDS], best[N] = {0, 1, 2, 3}, one[N];
    for (int i = 0; i < N * SEEDS; i++) {
        x[i] = i / SEEDS;
        y[i] = 0.93 + 0.012 * x[i] + 0.02 * noise(i);
    }
    for (int i = 0; i < N; i++) one[i] = 0.95;
    const struct fanin_page_series series[] = {
        {"each seed, and the mean", FANIN_PAGE_STRIP, N * SEEDS, x, y, NULL, NULL},
        {"published", FANIN_PAGE_GUIDE, N, best, one, NULL, NULL}};
    const struct fanin_page_plot plot = {.title = "Accuracy by optimizer",
                                         .x_title = "optimizer",
                                         .y_title = "test accuracy",
                                         .labels = names,
                                         .n_labels = N,
                                         .series = series,
                                         .n_series = 2};
    fanin_page_add_plot(page, &plot);
}

/* Dots of every mark over two logarithmic axes. */
static void add_cloud(fanin_page *page) {
    enum { N = 7, ALL = 9 };
    static const char *const names[ALL] = {"A", "B", "C", "D", "E", "F", "G", "H", "again A"};
    static double x[N], y[ALL][N];
    struct fanin_page_series series[ALL];
    for (int i = 0; i < N; i++) x[i] = pow(10, i - 4);
    for (int s = 0; s < ALL; s++) {
        for (int i = 0; i < N; i++) y[s][i] = pow(10, 0.5 * i + 0.3 * s) * (1 + 0.4 * noise(i + s));
        series[s] = (struct fanin_page_series){names[s], FANIN_PAGE_DOTS, N, x, y[s], NULL, NULL};
    }
    const struct fanin_page_plot plot = {.title = "Sharpness by learning rate, both axes "
                                                  "logarithmic, under a title that goes on for "
                                                  "so long that it needs two lines of the picture",
                                         .x_title = "learning rate",
                                         .y_title = "sharpness",
                                         .x_scale = FANIN_PAGE_AUTO,
                                         .y_scale = FANIN_PAGE_AUTO,
                                         .series = series,
                                         .n_series = ALL};
    fanin_page_add_plot(page, &plot);
}

static void add_many(fanin_page *page) {
    enum { N = 5000, LABELS = 60 };
    static double x[N], y[N], walk[N], at[LABELS], height[LABELS];
    static char text[LABELS][24];
    static const char *names[LABELS];
    for (int i = 0; i < N; i++) {
        x[i] = 2 * noise(i) + noise(i + 77777);
        y[i] = x[i] * x[i] + 0.4 * noise(i + 33333);
        walk[i] = (i ? walk[i - 1] : 0) + 0.1 * noise(i);
        if (i > 2000 && i < 2400) walk[i] = i == 2200 ? 1 : NAN;
        if (i == 2400) walk[i] = 0.5;
    }
    for (int i = 0; i < LABELS; i++) {
        snprintf(text[i], sizeof text[i], "block%d.conv%d", i / 4, i % 4);
        names[i] = text[i];
        at[i] = i;
        height[i] = 1 + 0.4 * noise(i);
    }
    const struct fanin_page_series cloud = {"5000 points", FANIN_PAGE_DOTS, N, x, y, NULL, NULL};
    const struct fanin_page_series line = {"5000 steps", FANIN_PAGE_LINE, N, NULL, walk, NULL,
                                           NULL};
    const struct fanin_page_series bars = {"χ", FANIN_PAGE_DOTS, LABELS, at, height, NULL, NULL};
    struct fanin_page_plot plot = {
        .title = "A cloud", .x_title = "x", .y_title = "y", .series = &cloud, .n_series = 1};
    fanin_page_add_plot(page, &plot);
    plot.title = "A long line with a gap and a point alone";
    plot.series = &line;
    fanin_page_add_plot(page, &plot);
    plot = (struct fanin_page_plot){.title = "Many labels",
                                    .x_title = "layer",
                                    .y_title = "factor",
                                    .labels = names,
                                    .n_labels = LABELS,
                                    .series = &bars,
                                    .n_series = 1};
    fanin_page_add_plot(page, &plot);
}

static void add_counts(fanin_page *page) {
    enum { N = 9, BINS = 40 };
    static int64_t counts[N][BINS];
    static const char *const names[N] = {
        "dense1", "relu1",  "dense2", "relu2", "dense3", "relu3", "a_layer_with_a_long_name",
        "dead",   "softmax"};
    struct fanin_page_histogram h[N];
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < BINS; k++) {
            const double z = (k - 19.5) / (4 + i);
            counts[i][k] = i == 7 ? 0 : (int64_t)(1000 * exp(-z * z / 2) * (1 + 0.2 * noise(k)));
        }
        h[i] = (struct fanin_page_histogram){names[i], i % 2 ? 0 : -0.37 * (i + 1), 1.234 * (i + 1),
                                             counts[i], BINS};
    }
    fanin_page_add_histograms(page, "Activations", "Over units and samples.", "output", h, N);
    fanin_page_add_histograms(page, "One of them", NULL, "output", h, 1);
    fanin_page_add_histograms(page, "Two of them", NULL, "output", h, 2);
}

static void add_maps(fanin_page *page) {
    enum { ROWS = 8, COLUMNS = 10, WIDE = 100 };
    static double values[ROWS * COLUMNS], wide[WIDE * WIDE], edge[COLUMNS], wide_edge[WIDE];
    static const char *const rows[ROWS] = {"0.5", "0.75", "1", "1.25", "1.5", "1.75", "2", "2.25"};
    static const char *const columns[COLUMNS] = {"2",  "4",   "8",   "16",  "32",
                                                 "64", "128", "256", "512", "1024"};
    static char text[WIDE][8];
    static const char *names[WIDE];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = i == 33 ? NAN : 1 / (1 + exp(i / COLUMNS - 3.5 - 0.3 * (i % COLUMNS - 5)));
    for (int c = 0; c < COLUMNS; c++) edge[c] = 2 + 0.3 * c;
    for (int i = 0; i < WIDE * WIDE; i++)
        wide[i] = sin(i / WIDE * 0.07) * cos(i % WIDE * 0.05) * 12;
    for (int i = 0; i < WIDE; i++) {
        snprintf(text[i], sizeof text[i], "%d", i);
        names[i] = text[i];
        wide_edge[i] = 50 + 40 * sin(i * 0.1);
    }
    struct fanin_page_heat heat = {.title = "Trainable depth",
                                   .text = "Share of the seeds that learn.",
                                   .x_title = "depth",
                                   .y_title = "gain",
                                   .value_title = "share",
                                   .columns = columns,
                                   .rows = rows,
                                   .n_columns = COLUMNS,
                                   .n_rows = ROWS,
                                   .values = values,
                                   .boundary = edge,
                                   .boundary_title = "where theory says that it ends"};
    fanin_page_add_heat(page, &heat);
    heat = (struct fanin_page_heat){.title = "A wide map",
                                    .x_title = "column",
                                    .y_title = "row",
                                    .columns = names,
                                    .rows = names,
                                    .n_columns = WIDE,
                                    .n_rows = WIDE,
                                    .values = wide,
                                    .boundary = wide_edge};
    fanin_page_add_heat(page, &heat);
}

static void add_words(fanin_page *page) {
    static const char *const columns[] = {"method", "error", "p | q", "seconds"};
    const struct fanin_page_cell cells[] = {
        {.text = "kaiming_normal"}, {.number = 0.0213456}, {.text = "a|b"}, {.number = 1234567},
        {.text = "xavier"},         {.number = NAN},       {.text = "<i>"}, {.number = 12}};
    const struct fanin_page_table table = {"Results", columns, 4, cells, 2};
    const struct fanin_page_fact facts[] = {{"runs", {.number = 200}, "of 2 recipes"},
                                            {"smallest error", {.number = 1e-7}, NULL},
                                            {"best", {.text = "kaiming_normal"}, NULL}};
    static const enum fanin_page_tone tones[] = {FANIN_PAGE_GOOD, FANIN_PAGE_CAUTION,
                                                 FANIN_PAGE_BAD, FANIN_PAGE_PLAIN};
    static const char *const labels[] = {"holds", "not decided", "does not hold", NULL};
    for (int i = 0; i < 4; i++) {
        const struct fanin_page_notice notice = {
            .tone = tones[i],
            .label = labels[i],
            .title = i == 3 ? NULL : "kaiming_normal beats xavier_uniform",
            .text = "The difference is `0.012 ± 0.003` over 20 seeds.",
            .more = i == 1 ? "More seeds would decide it." : NULL,
            .code = i == 1 ? "fanin study run init --set seeds=40" : NULL,
            .large = i == 0};
        fanin_page_add_notice(page, &notice);
    }
    fanin_page_add_section(page, "Results", "What `fanin study` found.");
    fanin_page_add_facts(page, facts, 3);
    fanin_page_add_table(page, &table);
    fanin_page_add_code(page, "Recipe", "{\"seed\":18446744073709551615,\"net\":[{\"dense\":10}]}",
                        1);
    fanin_page_add_code(page, NULL, "fanin train\n```\n", 0);
}

static void add_everything(fanin_page *page) {
    add_words(page);
    fanin_page_add_section(page, "Plots", NULL);
    add_curves(page);
    add_layers(page);
    add_strip(page);
    add_cloud(page);
    add_many(page);
    fanin_page_add_section(page, "Histograms and maps", NULL);
    add_counts(page);
    add_maps(page);
}

#endif
