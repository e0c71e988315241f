/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the units of a layer do on the samples of a part: how active they are and how sparsely.
 * Srivastava et al. 2014, Figs. 7 and 8, show that hidden units of an autoencoder trained with
 * dropout have a lower mean activation and that few are active for any one sample.
 *
 * The net runs as in inference. A unit is active where its output is above 0.
 */
#include "study/probe.h"

struct features {
    const char *node;
    int part;
    int64_t rows;
};

static enum fanin_status run(const struct fi_look_at *look, const struct features *a,
                             struct fi_arena *arena) {
    struct fanin_tensor y;
    int node;
    double sum = 0, active = 0, largest = 0;
    int64_t silent = 0;
    FI_TRY(fi_probe_node(look, "node", a->node, &node));
    FI_TRY(fi_probe_outputs(look, (enum fanin_part)a->part, a->rows, node, arena, &y));
    double *of_unit = fi_arena_alloc(arena, y.cols, sizeof *of_unit);
    int64_t *hits = fi_arena_alloc(arena, y.cols, sizeof *hits);
    fi_real *means = fi_arena_alloc(arena, y.cols, sizeof *means);
    if (!of_unit || !hits || !means) return FANIN_ERR_MEMORY;
    for (int64_t r = 0; r < y.rows; r++) {
        const fi_real *row = y.data + r * y.ld;
        double most = (double)row[0];
        for (int64_t c = 0; c < y.cols; c++) {
            of_unit[c] += (double)row[c];
            hits[c] += row[c] > 0;
            most = FI_MAX(most, (double)row[c]);
        }
        largest += most;
    }
    for (int64_t c = 0; c < y.cols; c++) {
        means[c] = (fi_real)(of_unit[c] / (double)y.rows);
        sum += of_unit[c];
        active += (double)hits[c];
        silent += hits[c] == 0;
    }
    const double rows = (double)y.rows, numbers = rows * (double)y.cols;
    look->add(look->to, "mean", a->node, sum / numbers);
    look->add(look->to, "active", a->node, active / numbers);
    look->add(look->to, "silent", a->node, (double)silent / (double)y.cols);
    look->add(look->to, "largest", a->node, largest / rows);
    fi_probe_bins(look, "activations", a->node, y.data, y.rows * y.cols);
    fi_probe_bins(look, "unit_means", a->node, means, y.cols);
    return FANIN_OK;
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    struct fi_arena arena;
    fi_arena_init(&arena, look->ctx);
    const enum fanin_status status = run(look, attrs, &arena);
    fi_arena_free(&arena);
    return status;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_STRING(struct features, node, NULL, "whose outputs, relu1 say", FANIN_ATTR_REQUIRED),
    FI_PROBE_PART(struct features), FI_PROBE_SAMPLES(struct features), FI_ATTR_END};

FI_RECORD(probe, features) = {
    .head = {.name = "features",
             .formula = "mean output; active = share of outputs above 0; silent = share of units "
                        "that are above 0 for no sample; largest = mean over samples of the "
                        "largest output; histograms activations, unit_means",
             .reference = "Srivastava et al. 2014, Figs. 7, 8",
             .help = "Tells how active the units of a layer are, and how sparsely.",
             .attrs = specs,
             .attrs_size = sizeof(struct features),
             .place = ""},
    .look = look_at,
};
