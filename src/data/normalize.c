/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalization, fitted on the training part alone: value = (raw - shift) * scale.
 *
 *   mean_std   shift = mean, scale = 1 / std (over N, not N - 1)
 *   min_max    shift = min,  scale = 1 / (max - min)
 *   binary     1 above the middle between min and max, else 0: shift = (min + max) / 2, scale = 1,
 *              and of the value only whether it is above 0
 *   none       shift = 0,    scale = 1
 *
 * Samples of rank 1 (tables) get one statistic a column, images one for all pixels, or one a
 * channel where the rank is 3 (channels, height, width). A constant column has scale 0: it becomes
 * exactly 0 in every part, whatever it holds there. One-hot columns stay 0 and 1.
 *
 * Missing values (NaN) become the mean, the median or the most frequent value of the training part
 * before anything else. Regression
 * targets get mean 0 and variance 1 over the training part unless normalization is off; the model
 * undoes it.
 *
 * Bytes are summed exactly in integers, floats in double: the mean first, then the squares about
 * it.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"

struct moments {
    double mean, std, min, max;
};

/* ---- moments ------------------------------------------------------------------------------------------ */

struct sums {
    uint64_t sum, squares;
    uint8_t min, max;
};

/* Blocks short enough for 32-bit sums (2^14 × 255^2 < 2^31), which the compiler vectorizes. */
static void add_bytes(struct sums *s, const uint8_t *x, int64_t n) {
    enum { BLOCK = 1 << 14 };
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t end = FI_MIN(first + BLOCK, n);
        uint32_t sum = 0, squares = 0;
        uint8_t min = s->min, max = s->max;
        for (int64_t i = first; i < end; i++) {
            uint32_t value = x[i];
            sum += value;
            squares += value * value;
            min = FI_MIN(min, x[i]);
            max = FI_MAX(max, x[i]);
        }
        s->sum += sum;
        s->squares += squares;
        s->min = min;
        s->max = max;
    }
}

/* Moments of `groups` runs of `span` bytes in each row of the part. */
static enum fanin_status moments_u8(fanin_data *d, const struct fi_part *p, int64_t groups,
                                    int64_t span, struct moments *out) {
    __extension__ typedef unsigned __int128 wide;
    struct sums *sums = fi_alloc(d->ctx, groups, sizeof(*sums));
    if (!sums) return FANIN_ERR_MEMORY;
    for (int64_t g = 0; g < groups; g++) sums[g].min = UINT8_MAX;
    for (int64_t r = 0; r < p->n; r++) {
        const uint8_t *row = p->table->u8 + fi_part_row(p, r) * groups * span;
        for (int64_t g = 0; g < groups; g++) add_bytes(&sums[g], row + g * span, span);
    }
    const uint64_t count = (uint64_t)(p->n * span);
    for (int64_t g = 0; g < groups; g++) {
        const struct sums *s = &sums[g];
        double n = (double)count;
        double spread = (double)((wide)count * s->squares - (wide)s->sum * s->sum);
        out[g] = (struct moments){(double)s->sum / n, sqrt(spread) / n, s->min, s->max};
    }
    fi_free(d->ctx, sums);
    return FANIN_OK;
}

/* The same for floats; x holds `cols` = groups × span numbers a row. */
static void moments_f32(const struct fi_part *p, const float *x, int64_t groups, int64_t span,
                        struct moments *out) {
    const double n = (double)p->n * (double)span;
    for (int64_t g = 0; g < groups; g++)
        out[g] = (struct moments){.min = INFINITY, .max = -INFINITY};
    for (int64_t r = 0; r < p->n; r++) {
        const float *row = x + fi_part_row(p, r) * groups * span;
        for (int64_t g = 0; g < groups; g++)
            for (int64_t j = g * span; j < (g + 1) * span; j++) {
                out[g].mean += (double)row[j];
                out[g].min = FI_MIN(out[g].min, (double)row[j]);
                out[g].max = FI_MAX(out[g].max, (double)row[j]);
            }
    }
    for (int64_t g = 0; g < groups; g++) out[g].mean /= n;
    for (int64_t r = 0; r < p->n; r++) {
        const float *row = x + fi_part_row(p, r) * groups * span;
        for (int64_t g = 0; g < groups; g++)
            for (int64_t j = g * span; j < (g + 1) * span; j++) {
                double distance = (double)row[j] - out[g].mean;
                out[g].std += distance * distance;
            }
    }
    for (int64_t g = 0; g < groups; g++) out[g].std = sqrt(out[g].std / n);
}

/* ---- rules --------------------------------------------------------------------------------------------- */

static void by_mean_std(const struct moments *m, double *shift, double *scale) {
    *shift = m->mean;
    *scale = 1 / m->std;
}

static void by_min_max(const struct moments *m, double *shift, double *scale) {
    *shift = m->min;
    *scale = 1 / (double)((float)m->max - (float)m->min); /* as gathered: max becomes 1, not more */
}

/* The largest number is above the threshold, whatever it is rounded to. */
static void by_half_range(const struct moments *m, double *shift, double *scale) {
    const float middle = (float)(m->min + (m->max - m->min) / 2);
    *shift = (double)middle < m->max ? (double)middle : m->min;
    *scale = 1;
}

static const struct rule {
    const char *name;
    void (*fit)(const struct moments *m, double *shift, double *scale); /* NULL: leave alone */
    bool binary;
} rules[] = {{"mean_std", by_mean_std, false},
             {"min_max", by_min_max, false},
             {"none", NULL, false},
             {"binary", by_half_range, true}};

bool fi_normalize_is_binary(const char *name) {
    for (int i = 0; name && i < FI_COUNT(rules); i++)
        if (strcmp(rules[i].name, name) == 0) return rules[i].binary;
    return false;
}

static enum fanin_status find_rule(fanin_data *d, const struct rule **out) {
    const char *names[FI_COUNT(rules)];
    for (int i = 0; i < FI_COUNT(rules); i++) {
        names[i] = rules[i].name;
        *out = &rules[i];
        if (strcmp(rules[i].name, d->normalize) == 0) {
            d->normalize = rules[i].name; /* what the caller gave may not live as long */
            return FANIN_OK;
        }
    }
    const char *nearest = fanin_nearest(d->normalize, names, FI_COUNT(names));
    return fi_fail(d->ctx, FANIN_ERR_RECIPE,
                   "data.normalize: '%s' is unknown%s%s%s (mean_std, min_max, none, binary)",
                   d->normalize, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                   nearest ? "'?" : "");
}

/* As floats; the place of a constant is kept in shift. */
static void fit_one(const struct rule *rule, const struct moments *m, double constant_scale,
                    float *shift, float *scale) {
    double by = 0, times = 0;
    rule->fit(m, &by, &times);
    const bool constant = m->min == m->max || !(times <= (double)FLT_MAX);
    *shift = (float)(constant ? m->min : by);
    *scale = (float)(constant ? constant_scale : times);
}

static enum fanin_status fit_inputs(fanin_data *d, const struct rule *rule) {
    const struct fi_part *p = &d->parts[FANIN_TRAIN];
    const struct fi_table *t = p->table;
    const struct fanin_shape *shape = &t->shape;
    const int64_t groups = shape->rank == 1 ? shape->cols : shape->rank == 3 ? shape->dims[0] : 1;
    const int64_t span = shape->cols / groups;
    struct moments *m = fi_arena_alloc(&d->arena, groups, sizeof(*m));
    if (!m) return FANIN_ERR_MEMORY;
    if (t->u8)
        FI_TRY(moments_u8(d, p, groups, span, m));
    else
        moments_f32(p, t->f32, groups, span, m);
    for (int64_t j = 0; j < shape->cols; j++) {
        if (rule->binary && t->vocabulary && t->vocabulary[j] > 0)
            return fi_fail(d->ctx, FANIN_ERR_RECIPE,
                           "data.normalize: binary makes 0 or 1 of every input, but %s holds the "
                           "numbers of a category: read it with categories: one_hot, or use "
                           "mean_std",
                           t->input_names ? t->input_names[j] : "a column");
        if (t->fixed && t->fixed[j]) continue;
        const struct moments *of = &m[j / span];
        if (of->max - of->min > (double)FLT_MAX)
            return fi_fail(d->ctx, FANIN_ERR_DATA,
                           "input %lld (%s) runs from %g to %g: too wide for float", (long long)j,
                           t->input_names ? t->input_names[j] : "no name", of->min, of->max);
        fit_one(rule, of, 0, &d->shift[j], &d->scale[j]);
    }
    return FANIN_OK;
}

static enum fanin_status fit_targets(fanin_data *d) {
    const struct fi_part *p = &d->parts[FANIN_TRAIN];
    const int64_t outputs = p->table->n_outputs;
    if (p->table->target_inputs) return d->binary ? FANIN_OK : fi_data_scale_target_inputs(d);
    struct moments *m = fi_arena_alloc(&d->arena, outputs, sizeof(*m));
    d->target_shift = fi_arena_alloc(&d->arena, outputs, sizeof(float));
    d->target_scale = fi_arena_alloc(&d->arena, outputs, sizeof(float));
    if (!m || !d->target_shift || !d->target_scale) return FANIN_ERR_MEMORY;
    moments_f32(p, p->table->targets, outputs, 1, m);
    /* by mean and deviation whatever the inputs ask for; a constant gets 1, as it is divided by */
    for (int64_t j = 0; j < outputs; j++)
        fit_one(&rules[0], &m[j], 1, &d->target_shift[j], &d->target_scale[j]);
    return FANIN_OK;
}

/* ---- missing values ---------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The middle one of sorted numbers, or half way between the two in the middle. */
static float median(const float *sorted, int64_t n) {
    return (float)(((double)sorted[(n - 1) / 2] + (double)sorted[n / 2]) / 2);
}

/* The one that comes most often; the smallest of several. */
static float most_frequent(const float *sorted, int64_t n) {
    int64_t best = 0, longest = 0;
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end] == sorted[i];) end++;
        if (end - i <= longest) continue;
        longest = end - i;
        best = i;
    }
    return sorted[best];
}

/* What fills one column; `present` has room for all numbers of the part. */
static float fill_of(const struct fi_part *p, int64_t column, enum fi_fill rule, float *present) {
    const int64_t cols = p->table->shape.cols;
    int64_t n = 0;
    double sum = 0;
    for (int64_t r = 0; r < p->n; r++) {
        const float value = p->table->f32[fi_part_row(p, r) * cols + column];
        if (isnan(value)) continue;
        sum += (double)value;
        present[n++] = value;
    }
    if (n == 0) return 0;
    if (rule == FI_FILL_MEAN) return (float)(sum / (double)n);
    qsort(present, (size_t)n, sizeof(*present), by_size);
    return rule == FI_FILL_MEDIAN ? median(present, n) : most_frequent(present, n);
}

static enum fanin_status fit_fill(fanin_data *d) {
    const struct fi_part *p = &d->parts[FANIN_TRAIN];
    const struct fi_table *t = p->table;
    d->fill = fi_arena_alloc(&d->arena, t->shape.cols, sizeof(float));
    float *present = fi_alloc(d->ctx, p->n, sizeof(*present));
    for (int64_t j = 0; j < t->shape.cols && d->fill && present; j++)
        if (!(t->fixed && t->fixed[j]))
            d->fill[j] = fill_of(p, j, t->fill ? t->fill[j] : FI_FILL_MEAN, present);
    fi_free(d->ctx, present);
    return d->fill && present ? FANIN_OK : FANIN_ERR_MEMORY;
}

void fi_data_fill(const fanin_data *d, struct fi_table *t) {
    const int64_t cols = t->shape.cols;
    if (!d->fill || !t->f32) return;
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; j < cols; j++)
            if (isnan(t->f32[i * cols + j])) t->f32[i * cols + j] = d->fill[j];
}

enum fanin_status fi_data_fit(fanin_data *d) {
    const struct fi_table *t = &d->tables[FANIN_TRAIN];
    const struct rule *rule;
    FI_TRY(find_rule(d, &rule));
    if (d->parts[FANIN_TRAIN].n == 0)
        return fi_fail(d->ctx, FANIN_ERR_DATA, "no samples are left to train on");
    d->shift = fi_arena_alloc(&d->arena, t->shape.cols, sizeof(float));
    d->scale = fi_arena_alloc(&d->arena, t->shape.cols, sizeof(float));
    if (!d->shift || !d->scale) return FANIN_ERR_MEMORY;
    for (int64_t j = 0; j < t->shape.cols; j++) d->scale[j] = 1;
    if (t->may_miss) {
        FI_TRY(fit_fill(d));
        for (int p = 0; p < FI_COUNT(d->tables); p++) fi_data_fill(d, &d->tables[p]);
    }
    d->binary = rule->binary;
    if (rule->fit) FI_TRY(fit_inputs(d, rule));
    if (rule->fit && t->task == FANIN_REGRESSION) FI_TRY(fit_targets(d));
    return FANIN_OK;
}
