/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Teacher and student: the targets are what another net of known make gives, a soft committee
 * machine,
 *
 *   y = sum_k g(w_k · x) + noise · N(0, 1),   x ~ N(0, I),
 *
 * so a student's error on a test part, whose targets have no noise, is its generalization error.
 * Each w_k is drawn from N(0, I) and scaled to |w_k| = 1: the sum w_k · x that enters a unit has
 * variance 1 exactly. Erf is erf(z / sqrt 2), for which the error is known in closed form. One
 * hidden unit that is the identity makes the data of linear (ridge) regression.
 *
 * Saad & Solla, "On-line learning in soft committee machines", Physical Review E 52, 1995;
 * Hara, Saitoh & Shouno, "Analysis of dropout learning regarded as ensemble learning", ICANN 2016,
 * arXiv:1706.06859.
 */
#include <math.h>

#include "data/reader/reader.h"
#include "kernel/math.h"

struct teacher {
    int64_t inputs, hidden;
    int activation;
    double noise;
    int64_t rows, test_rows;
};

static double identity(double z) {
    return z;
}
static double relu(double z) {
    return z > 0 ? z : 0;
}
static double erf_sqrt2(double z) {
    return fi_erf(z * 0.70710678118654752);
}

/* In the order of the attribute's words. */
static double (*const activations[])(double) = {identity, fi_tanh, relu, erf_sqrt2};
#define ACTIVATION_WORDS "identity|tanh|relu|erf"

static void draw_weights(const struct teacher *a, uint64_t seed, double *w) {
    const uint64_t key = fi_key(seed, "teacher", "weights");
    for (int64_t k = 0; k < a->hidden; k++, w += a->inputs) {
        fi_normal_row(key, k, a->inputs, w);
        const double length = sqrt(fi_dot(w, w, a->inputs));
        for (int64_t j = 0; j < a->inputs; j++) w[j] /= length;
    }
}

/* The teacher sees the inputs as the student does, rounded to float. */
static void draw_rows(const struct teacher *a, const struct fi_read_request *r, const double *w,
                      double *x, struct fi_table *out) {
    const uint64_t key = fi_key(r->seed, "teacher", fi_part_name(r->part));
    const uint64_t noise_key = fi_key(r->seed, "teacher", "noise");
    const double noise = r->part == FANIN_TRAIN ? a->noise : 0;
    double (*activation)(double) = activations[a->activation];
    for (int64_t i = 0; i < out->n; i++) {
        double y = 0, e[2];
        fi_normal_row(key, i, a->inputs, x);
        for (int64_t j = 0; j < a->inputs; j++) {
            out->f32[i * a->inputs + j] = (float)x[j];
            x[j] = (double)(float)x[j];
        }
        for (int64_t k = 0; k < a->hidden; k++)
            y += activation(fi_dot(w + k * a->inputs, x, a->inputs));
        fi_normal_pair(noise_key, (uint64_t)i, e);
        out->targets[i] = (float)(y + noise * e[0]);
    }
}

static enum fanin_status read_teacher(struct fi_read_request *r, struct fi_table *out) {
    const struct teacher *a = r->attrs;
    int64_t cells, weights;
    out->n = r->part == FANIN_TRAIN || a->test_rows == 0 ? a->rows : a->test_rows;
    if (!fi_mul(out->n, a->inputs, &cells) || !fi_mul(a->hidden, a->inputs, &weights))
        return fi_fail_memory(r->ctx, "teacher", SIZE_MAX);
    out->shape = (struct fanin_shape){.rank = 1, .dims = {a->inputs}, .cols = a->inputs};
    out->task = FANIN_REGRESSION;
    out->n_outputs = 1;
    out->f32 = fi_arena_alloc(r->arena, cells, sizeof(float));
    out->targets = fi_arena_alloc(r->arena, out->n, sizeof(float));
    out->describe =
        fi_arena_printf(r->arena, "teacher: %lld samples of %lld inputs, %lld hidden %s, noise %g",
                        (long long)out->n, (long long)a->inputs, (long long)a->hidden,
                        a->hidden == 1 ? "unit" : "units", a->noise);
    double *w = fi_alloc(r->ctx, weights, sizeof(*w)), *x = fi_alloc(r->ctx, a->inputs, sizeof(*x));
    const bool ready = out->f32 && out->targets && out->describe && w && x;
    if (ready) {
        draw_weights(a, r->seed, w);
        draw_rows(a, r, w, x, out);
    }
    fi_free(r->ctx, w);
    fi_free(r->ctx, x);
    return ready ? FANIN_OK : FANIN_ERR_MEMORY;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct teacher, inputs, 100, 1, 1e6, "numbers per sample", 0),
    FI_ATTR_INT(struct teacher, hidden, 1, 1, 65536, "hidden units of the teacher", 0),
    FI_ATTR_CHOICE(struct teacher, activation, 0, ACTIVATION_WORDS,
                   "of the hidden units; erf: erf(z / sqrt 2)"),
    FI_ATTR_REAL(struct teacher, noise, 0, 0, 1e6,
                 "standard deviation of the noise on training targets", 0),
    FI_ATTR_INT(struct teacher, rows, 1000, 1, 1e9, "samples for training", 0),
    FI_ATTR_INT(struct teacher, test_rows, 0, 0, 1e9,
                "samples of the test part, without noise; 0: as many as for training", 0),
    FI_ATTR_END};

FI_RECORD(reader, teacher) = {
    .head = {.name = "teacher",
             .formula = "y = sum_k g(w_k·x) + noise N(0, 1), x ~ N(0, I), |w_k| = 1",
             .reference = "Saad & Solla 1995; Hara, Saitoh & Shouno 2016, arXiv:1706.06859",
             .help =
                 "What a random net of known make gives, a soft committee machine; one identity "
                 "unit: linear regression. With normalize: none nothing is scaled.",
             .attrs = specs,
             .attrs_size = sizeof(struct teacher)},
    .synthetic = true,
    .read = read_teacher,
};
