/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units that start equal, or equal up to sign, and can never part, and weights whose gradient is
 * zero for ever: the verdict of the symmetry guard, for each layer that has to be started in
 * another way. Goodfellow, Bengio, Courville: Deep Learning, 2016, section 8.4.
 */
#include <stdio.h>
#include <string.h>

#include "check/check.h"

static const char *why(const struct fi_look *look, int node) {
    const struct fi_symmetry *s = &look->check->symmetry;
    return s->why_still[node] ? s->why_still[node] : s->why_tied[node];
}

/* Layers behind `node` that the same change mends. */
static int others(const struct fi_look *look, int node, const char *path) {
    char other[160];
    int n = 0;
    for (int i = node + 1; i < look->net->n_nodes; i++) {
        if (!why(look, i)) continue;
        fi_check_init_path(look, i, other, sizeof other);
        n += strcmp(other, path) == 0;
    }
    return n;
}

static bool told_before(const struct fi_look *look, int node, const char *path) {
    char other[160];
    for (int i = 0; i < node; i++) {
        if (!why(look, i)) continue;
        fi_check_init_path(look, i, other, sizeof other);
        if (strcmp(other, path) == 0) return true;
    }
    return false;
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    for (int i = 0; i < look->net->n_nodes; i++) {
        char path[160], more[64] = "";
        if (!why(look, i)) continue;
        fi_check_init_path(look, i, path, sizeof path);
        if (told_before(look, i, path)) continue;
        const int n = others(look, i, path);
        if (n > 0)
            (void)snprintf(more, sizeof more, " (and so %d layer%s more)", n, n == 1 ? "" : "s");
        const struct fi_found found = {.severity = FANIN_WILL_NOT_TRAIN,
                                       .layer = look->net->nodes[i].name,
                                       .mend = "start the weights at random",
                                       .path = path,
                                       .value = fi_check_right_init(look, i)};
        FI_TRY(fi_found(look, self, &found, "%s%s", why(look, i), more));
    }
    return FANIN_OK;
}

FI_RECORD(finding, symmetry) = {
    .head = {.name = "symmetry",
             .formula = "units of a layer in one class of the coarsest equitable partition",
             .reference = "Goodfellow, Bengio & Courville, Deep Learning, 2016, section 8.4",
             .help = "Units that start equal and that every step keeps equal, or weights whose "
                     "gradient is zero and stays zero."},
    .look = look_for};
