/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exclusive or: the four points of {0, 1}^2, class = x1 xor x2, each `repeats` times, with normal
 * noise of standard deviation `noise` on both coordinates. The smallest problem that no linear
 * model solves (Minsky & Papert 1969).
 */
#include "data/reader/reader.h"

struct xor {
    int64_t repeats;
    double noise;
};

static enum fanin_status read_xor(struct fi_read_request *r, struct fi_table *out) {
    static const char *const names[] = {"x1", "x2"};
    const struct xor *a = r->attrs;
    uint64_t key = fi_key(r->seed, "xor", fi_part_name(r->part));
    out->n = 4 * a->repeats;
    out->shape = (struct fanin_shape){.rank = 1, .dims = {2}, .cols = 2};
    out->task = FANIN_CLASSIFICATION;
    out->n_outputs = 2;
    out->f32 = fi_arena_alloc(r->arena, out->n, 2 * sizeof(float));
    out->labels = fi_arena_alloc(r->arena, out->n, sizeof(*out->labels));
    out->input_names = fi_arena_alloc(r->arena, 2, sizeof(*out->input_names));
    out->describe =
        fi_arena_printf(r->arena, "xor: %lld points in the plane, 2 classes", (long long)out->n);
    if (!out->f32 || !out->labels || !out->input_names || !out->describe) return FANIN_ERR_MEMORY;
    for (int j = 0; j < 2; j++) out->input_names[j] = names[j];
    for (int64_t i = 0; i < out->n; i++) {
        int x1 = (i >> 1) & 1, x2 = i & 1;
        double noise[2] = {0, 0};
        if (a->noise > 0) fi_normal_pair(key, (uint64_t)i, noise);
        out->f32[2 * i] = (float)(x1 + a->noise * noise[0]);
        out->f32[2 * i + 1] = (float)(x2 + a->noise * noise[1]);
        out->labels[i] = x1 ^ x2;
    }
    return FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct xor, repeats, 1, 1, 1e8, "how often each of the four points comes", 0),
    FI_ATTR_REAL(struct xor, noise, 0, 0, 1e6, "standard deviation of the noise on each coordinate",
                 0),
    FI_ATTR_END};

FI_RECORD(reader, xor) = {
    .head = {.name = "xor",
             .formula = "class = x1 xor x2, x = corner of the unit square + noise N(0,1)",
             .reference = "Minsky & Papert 1969, Perceptrons",
             .help = "The four points of exclusive or, with or without noise.",
             .attrs = specs,
             .attrs_size = sizeof(struct xor)},
    .synthetic = true,
    .read = read_xor,
};
