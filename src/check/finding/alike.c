/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples that all look alike to the last layer: the correlation between two of them goes to its
 * fixed point, and what tells them apart is lost in depth. Where no other finding names a cause:
 * biases that outweigh the weights; an activation that is not 0 at 0, whose mean is added to every
 * sample's signal; or weights on the ordered side of the critical point, chi = 1 (theory.h).
 */
#include <math.h>
#include <stdio.h>

#include "check/check.h"

#define ALIKE 0.999

struct change {
    char path[160], value[96];
};

/* n_in E[w²] at which chi = 1 for this activation and no bias; 0: there is none below MOST. */
static enum fanin_status critical(const struct fi_look *look, const struct fi_node *f, double *at) {
    const struct fi_activation activation = {.curve = f->op->curve, .attrs = f->attrs};
    double low = 0.01, high = 100;
    struct fi_mean_field field;
    *at = 0;
    FI_TRY(fi_mean_field(look->check->ctx, &field, &activation, high, 0, 1));
    if (!(field.chi > 1)) return FANIN_OK;
    while (high / low > 1.005) {
        *at = sqrt(low * high);
        FI_TRY(fi_mean_field(look->check->ctx, &field, &activation, *at, 0, 1));
        *(field.chi < 1 ? &low : &high) = *at;
    }
    return FANIN_OK;
}

static enum fanin_status find_change(const struct fi_look *look, int node, struct change *c) {
    const struct fanin_check_layer *layers = look->check->layers;
    const int after = fi_check_activation_after(look, node);
    const struct fi_node *f = after >= 0 ? &look->net->nodes[after] : NULL;
    double bias = 0, at;
    const struct fi_param *b = fi_check_bias(look, node, &bias);
    if (b && b->init.record && bias > 0.5 * layers[node].measured.second) {
        fi_check_all_path(look, node, ".bias_init", c->path, sizeof c->path);
        (void)snprintf(c->value, sizeof c->value, "null");
    } else if (f && fabs(f->op->curve->f(f->attrs, 0)) > 0.1) {
        fi_check_all_path(look, after, "", c->path, sizeof c->path);
        (void)snprintf(c->value, sizeof c->value, "tanh");
    } else if (f) {
        FI_TRY(critical(look, f, &at));
        if (!(at > 0)) return FANIN_OK;
        fi_check_init_path(look, node, c->path, sizeof c->path);
        (void)snprintf(c->value, sizeof c->value,
                       "{variance_scaling: {scale: %.3g, distribution: normal}}", at);
    }
    return FANIN_OK;
}

/* Somebody else says what to do. */
static bool mended(const struct fi_look *look) {
    bool any = false;
    for (int i = 0; i < look->check->result.n_findings; i++)
        any |= look->check->findings[i].severity != FANIN_TRAINABLE &&
               look->check->findings[i].path != NULL;
    return any;
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const struct fanin_check_layer *layers = look->check->layers;
    const int result = fi_net_result(look->net);
    struct change change = {0};
    int first = -1, host = -1;
    if (!(layers[result].measured.cosine > ALIKE)) return FANIN_OK;
    for (int i = 0; i < look->net->n_nodes && first < 0; i++) {
        if (fi_weight_of(look->net, i) && (i < result || host < 0)) host = i;
        if (layers[i].measured.cosine > ALIKE) first = i;
    }
    if (host >= 0 && !mended(look)) FI_TRY(find_change(look, host, &change));
    const bool known = *change.path != '\0';
    const struct fi_found found = {.severity = fi_check_slow(look),
                                   .layer = layers[first].name,
                                   .mend = "fewer layers, batch_norm between them, or weights and "
                                           "activations that keep samples apart",
                                   .path = known ? change.path : NULL,
                                   .value = known ? change.value : NULL};
    return fi_found(look, self, &found,
                    "all samples look alike from %s on: the mean cosine between two is %.6f at the "
                    "result, %.3f at the input",
                    layers[first].name, layers[result].measured.cosine, layers[0].measured.cosine);
}

FI_RECORD(finding, alike) = {
    .head = {.name = "alike",
             .formula = "c -> c*, 1 - c ~ exp(-depth / xi)",
             .reference = "Schoenholz et al., ICLR 2017, section 3",
             .help = "Samples that the last layer cannot tell apart: their mean cosine is above "
                     "0.999."},
    .look = look_for,
    .effect = true};
