/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches: the order of an epoch, gathering, the fingerprint.
 *
 * The order is a keyed permutation that is evaluated place by place, so it needs no memory and any
 * range of an epoch can be asked for alone. Gathering converts and normalizes on the way, in the
 * tier's kernel.
 */
#include <string.h>

#include "data/data.h"
#include "kernel/kernel.h"

/* Rows whose numbers are looked up at once, on the stack. */
enum { ROWS = 128 };

void fi_data_gather(const fanin_data *d, enum fanin_part part, const int64_t *index, int64_t n,
                    fi_real *x, int64_t ld) {
    const struct fi_part *p = &d->parts[part];
    const struct fi_table *t = p->table;
    const struct fi_kernels *k = d->ctx->kernels;
    const int64_t cols = t->shape.cols;
    int64_t rows[ROWS];
    for (int64_t first = 0; first < n; first += ROWS) {
        int64_t m = FI_MIN(n - first, ROWS);
        for (int64_t r = 0; r < m; r++) rows[r] = fi_part_row(p, index[first + r]);
        if (t->u8)
            k->gather_u8(t->u8, cols, rows, m, d->shift, d->scale, x + first * ld, ld);
        else
            k->gather_f32(t->f32, cols, rows, m, d->shift, d->scale, x + first * ld, ld);
        for (int64_t r = first; r < first + m && d->binary; r++)
            for (int64_t j = 0; j < cols; j++) x[r * ld + j] = (fi_real)(x[r * ld + j] > 0);
    }
}

void fi_data_gather_known(const fanin_data *d, enum fanin_part part, const int64_t *index,
                          int64_t n, const struct fi_known *to) {
    const struct fi_part *p = &d->parts[part];
    const struct fi_table *t = p->table;
    for (int64_t r = 0; r < n; r++) {
        const int64_t row = fi_part_row(p, index[r]);
        if (to->labels && t->labels) to->labels[r] = t->labels[row];
        if (to->weights) to->weights[r] = t->weights ? (double)t->weights[row] : 1;
    }
    if (to->targets) fi_data_gather_targets(d, part, index, n, to->raw, to->targets, to->ld);
}

bool fi_data_weighted(const fanin_data *d, enum fanin_part part) {
    return d->parts[part].table && d->parts[part].table->weights;
}

void fi_data_order(const fanin_data *d, enum fanin_part part, uint64_t seed, uint64_t epoch,
                   int64_t first, int64_t n, int64_t *index) {
    const uint64_t key = fi_key(seed, "order", fi_part_name(part));
    const uint64_t total = (uint64_t)d->parts[part].n;
    for (int64_t i = 0; i < n; i++)
        index[i] = (int64_t)fi_permute(key, epoch, (uint64_t)(first + i), total);
}

/* ---- fingerprint --------------------------------------------------------------------------------------- */

/* Four interleaved hashes: one alone would wait for itself at every word. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t bytes) {
    enum { LANES = 4, STEP = 8 * LANES };
    uint64_t lanes[LANES], words[LANES];
    const uint8_t *from = data;
    hash = fi_hash_mix(hash, bytes);
    if (!data) return hash;
    for (int i = 0; i < LANES; i++) lanes[i] = hash + (uint64_t)i;
    for (; bytes >= STEP; bytes -= STEP, from += STEP) {
        memcpy(words, from, STEP);
        for (int i = 0; i < LANES; i++) lanes[i] = fi_hash_mix(lanes[i], words[i]);
    }
    memset(words, 0, STEP);
    memcpy(words, from, bytes);
    for (int i = 0; i < LANES; i++) hash = fi_hash_mix(hash, fi_hash_mix(lanes[i], words[i]));
    return hash;
}

static uint64_t hash_table(uint64_t hash, const struct fi_table *t) {
    const size_t cells = (size_t)(t->n * t->shape.cols), n = (size_t)t->n;
    hash = fi_hash_mix(hash, (uint64_t)t->n);
    hash = fi_hash_mix(hash, (uint64_t)t->shape.cols);
    hash = fi_hash_mix(hash, (uint64_t)t->n_outputs);
    if (t->u8) hash = hash_bytes(hash, t->u8, cells);
    if (t->f32) hash = hash_bytes(hash, t->f32, cells * sizeof(float));
    if (t->labels) hash = hash_bytes(hash, t->labels, n * sizeof(*t->labels));
    if (t->targets)
        hash = hash_bytes(hash, t->targets, n * (size_t)t->n_outputs * sizeof(*t->targets));
    if (t->weights) hash = hash_bytes(hash, t->weights, n * sizeof(*t->weights));
    if (t->target_inputs) hash = fi_hash_mix(hash, fi_hash_text("target: input"));
    return hash;
}

uint64_t fi_data_fingerprint(const fanin_data *d) {
    const struct fi_table *train = &d->tables[FANIN_TRAIN];
    const size_t numbers = (size_t)train->shape.cols * sizeof(float);
    const size_t outputs = d->target_shift ? (size_t)train->n_outputs * sizeof(float) : 0;
    uint64_t hash = fi_hash_text("fanin data 1");
    for (int p = 0; p < 3; p++) {
        const struct fi_part *part = &d->parts[p];
        hash = hash_table(hash, &d->tables[p]);
        hash = fi_hash_mix(hash, (uint64_t)part->n);
        if (part->rows) hash = hash_bytes(hash, part->rows, (size_t)part->n * sizeof(*part->rows));
    }
    if (d->binary) hash = fi_hash_mix(hash, fi_hash_text("binary"));
    hash = hash_bytes(hash, d->shift, numbers);
    hash = hash_bytes(hash, d->scale, numbers);
    hash = hash_bytes(hash, d->target_shift, outputs);
    return hash_bytes(hash, d->target_scale, outputs);
}
