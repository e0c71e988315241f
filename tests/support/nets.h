/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nets and data for tests of training, built through the public API alone.
 */
#ifndef TESTS_NETS_H
#define TESTS_NETS_H

#include <fanin/fanin.h>

#include "support/support.h"

/* One layer of a chain: op, positional number (0: none), initializer ({constant: value} when not
 * NaN). */
struct layer {
    const char *op;
    double number;
    const char *init;
    double constant;
};

static inline int add_layer(fanin_ctx *ctx, fanin_net *net, int from, const struct layer *l) {
    const struct fanin_attr value = {.name = "value", .number = l->constant};
    const bool constant = l->init && strcmp(l->init, "constant") == 0;
    const struct fanin_rule init = {l->init, &value, constant, 0};
    const struct fanin_attr attrs[] = {{.number = l->number}, {.name = "init", .rule = &init}};
    int node;
    assert_ok(ctx,
              fanin_net_add(net, &node, l->op, NULL, &from, 1, attrs, l->init ? 2 : l->number > 0));
    return node;
}

static inline fanin_net *chain_net(fanin_ctx *ctx, int64_t in, const struct layer *layers, int n) {
    fanin_net *net;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    for (int i = 0; i < n; i++) node = add_layer(ctx, net, node, &layers[i]);
    return net;
}

/* `classes` noisy blobs of n samples: learnable, not trivially. */
static inline fanin_data *blob_data(fanin_ctx *ctx, int64_t n, int64_t in, int64_t classes) {
    float *x = malloc((size_t)(n * in) * sizeof(*x));
    int32_t *labels = malloc((size_t)n * sizeof(*labels));
    fanin_data *data;
    for (int64_t i = 0; i < n; i++) {
        labels[i] = (int32_t)(i % classes);
        for (int64_t j = 0; j < in; j++) {
            uint32_t w[4];
            fi_philox(3, 1, (uint64_t)(i * in + j), w);
            x[i * in + j] = (float)(4 * fi_uniform53(w[0], w[1]) - 2) +
                            ((i % classes + j) % 3 == 0 ? 1.0f : -0.5f);
        }
    }
    assert_ok(ctx, fanin_data_from_arrays(&data, ctx, n, in, x, labels, classes, NULL, 0));
    free(x);
    free(labels);
    return data;
}

/* A hash of all parameters, running statistics too. */
static inline uint64_t params_hash(const fanin_model *model) {
    const fanin_net *net = fanin_model_net(model);
    uint64_t hash = 1;
    for (int i = 0; i < fanin_net_params(net); i++) {
        struct fanin_param_info p;
        fanin_net_param(net, i, &p);
        float *values = malloc((size_t)p.count * sizeof(*values));
        if (fanin_model_get(model, p.name, values, p.count)) fail_msg("cannot get %s", p.name);
        for (int64_t k = 0; k < p.count; k++) {
            uint32_t bits;
            memcpy(&bits, &values[k], sizeof bits);
            hash = fi_hash_mix(hash, bits);
        }
        free(values);
    }
    return hash;
}

#endif
