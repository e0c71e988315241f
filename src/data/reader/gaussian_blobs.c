/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gaussian blobs: class c has a centre drawn uniformly from a cube, its samples are normal around
 * it. The centres depend on the seed alone, so every part of a data set has the same ones; the
 * samples are drawn afresh for each part. Sample i belongs to class i mod classes.
 */
#include "data/reader/reader.h"

struct gaussian_blobs {
    int64_t n, classes, features;
    double std, spread;
};

static enum fanin_status read_blobs(struct fi_read_request *r, struct fi_table *out) {
    const struct gaussian_blobs *a = r->attrs;
    const uint64_t center_key = fi_key(r->seed, "gaussian_blobs", "centers");
    const uint64_t key = fi_key(r->seed, "gaussian_blobs", fi_part_name(r->part));
    const int64_t features = a->features, pairs = (features + 1) / 2;
    int64_t cells;
    if (!fi_mul(a->n, features, &cells)) return fi_fail_memory(r->ctx, "gaussian_blobs", SIZE_MAX);
    out->n = a->n;
    out->shape = (struct fanin_shape){.rank = 1, .dims = {features}, .cols = features};
    out->task = FANIN_CLASSIFICATION;
    out->n_outputs = a->classes;
    out->f32 = fi_arena_alloc(r->arena, cells, sizeof(float));
    out->labels = fi_arena_alloc(r->arena, out->n, sizeof(*out->labels));
    out->describe =
        fi_arena_printf(r->arena, "gaussian_blobs: %lld samples of %lld features, %lld classes",
                        (long long)a->n, (long long)features, (long long)a->classes);
    if (!out->f32 || !out->labels || !out->describe) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < out->n; i++) {
        int64_t c = i % a->classes;
        out->labels[i] = (int32_t)c;
        for (int64_t j = 0; j < features; j += 2) {
            double noise[2];
            fi_normal_pair(key, (uint64_t)(i * pairs + j / 2), noise);
            for (int64_t k = j; k < FI_MIN(j + 2, features); k++) {
                double u = fi_random53(center_key, (uint64_t)c, (uint64_t)k);
                out->f32[i * features + k] =
                    (float)(a->spread * (2 * u - 1) + a->std * noise[k - j]);
            }
        }
    }
    return FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct gaussian_blobs, n, 1000, 1, 1e9, "number of samples", 0),
    FI_ATTR_INT(struct gaussian_blobs, classes, 3, 2, 65536, "number of blobs", 0),
    FI_ATTR_INT(struct gaussian_blobs, features, 2, 1, 1e6, "numbers per sample", 0),
    FI_ATTR_REAL(struct gaussian_blobs, std, 1, 0, 1e6, "standard deviation of a blob", 0),
    FI_ATTR_REAL(struct gaussian_blobs, spread, 10, 0, 1e6,
                 "the centres are uniform in [-spread, spread] along each axis", 0),
    FI_ATTR_END};

FI_RECORD(reader, gaussian_blobs) = {
    .head = {.name = "gaussian_blobs",
             .formula = "x = center[class] + std N(0, 1), center ~ U(-spread, spread)",
             .reference = "definition",
             .help = "Normal clouds around random centres, one per class.",
             .attrs = specs,
             .attrs_size = sizeof(struct gaussian_blobs)},
    .synthetic = true,
    .read = read_blobs,
};
