/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users of a recommender whose preferences are known: latent factors, as matrix factorization
 * supposes them, and the choice among items of a multinomial logit model.
 *
 *   user u ~ N(0, I / factors), item v_k ~ N(0, I), affinity s_k = sharpness · u·v_k,
 *   P(u picks k) = softmax(s)_k
 *
 * So the affinities of a user have deviation `sharpness` over the items, whatever the number of
 * factors. A sample is one pick: the label is the item, the inputs are what is known of the user,
 * the factors scaled to variance 1 with noise that is the same in all picks,
 * sqrt(factors) u + noise N(0, I). Picks are independent, so one user comes with different labels.
 * Without noise the least loss that a model can reach is the mean entropy of P, which the
 * description tells of the training part; softmax of one dense layer can express it.
 *
 * The items are the same in all parts; the test part has users of its own.
 *
 * Salakhutdinov & Mnih, "Probabilistic matrix factorization", NIPS 2007; McFadden, "Conditional
 * logit analysis of qualitative choice behavior", 1974.
 */
#include <math.h>
#include <string.h>

#include "data/reader/reader.h"
#include "kernel/math.h"

struct preferences {
    int64_t users, items, factors;
    double sharpness, noise;
    int64_t picks, test_users;
};

/* What is drawn for one part; keys of its streams, room for one user. */
struct drawing {
    const struct preferences *a;
    uint64_t users, noise, picks;
    double *items;            /* items × factors */
    double *factors, *chance; /* of the user; chance: summed over the items before and this one */
    double entropy;           /* summed over the users */
};

/* Draws a user: what is known of the user into x, and the chances of picks. */
static void draw_user(struct drawing *w, int64_t user, float *x) {
    const struct preferences *a = w->a;
    const double scale = a->sharpness / sqrt((double)a->factors);
    double highest = -INFINITY, total = 0, mean = 0;
    fi_normal_row(w->noise, user, a->factors, w->factors);
    for (int64_t j = 0; j < a->factors; j++) x[j] = (float)(a->noise * w->factors[j]);
    fi_normal_row(w->users, user, a->factors, w->factors);
    for (int64_t j = 0; j < a->factors; j++) x[j] = (float)(w->factors[j] + (double)x[j]);
    for (int64_t k = 0; k < a->items; k++) {
        w->chance[k] = scale * fi_dot(w->factors, w->items + k * a->factors, a->factors);
        highest = FI_MAX(highest, w->chance[k]);
    }
    for (int64_t k = 0; k < a->items; k++) {
        const double affinity = w->chance[k] - highest, e = fi_exp(affinity);
        mean += e * affinity;
        total += e;
        w->chance[k] = total;
    }
    w->entropy += fi_log(total) - mean / total;
}

/* The first item whose summed chance is above a uniform part of the total. */
static int32_t pick(const struct drawing *w, int64_t event) {
    const int64_t items = w->a->items;
    const double at = fi_random53(w->picks, (uint64_t)event, 0) * w->chance[items - 1];
    int64_t low = 0, high = items - 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (w->chance[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return (int32_t)low;
}

static void draw(struct drawing *w, const struct fi_read_request *r, struct fi_table *out) {
    const struct preferences *a = w->a;
    const uint64_t item_key = fi_key(r->seed, "preferences", "items");
    const char *part = fi_part_name(r->part);
    const size_t bytes = (size_t)a->factors * sizeof(float);
    w->users = fi_key(r->seed, "preferences users", part);
    w->noise = fi_key(r->seed, "preferences noise", part);
    w->picks = fi_key(r->seed, "preferences picks", part);
    for (int64_t k = 0; k < a->items; k++)
        fi_normal_row(item_key, k, a->factors, w->items + k * a->factors);
    for (int64_t i = 0; i < out->n; i++) {
        float *x = out->f32 + i * a->factors;
        if (i % a->picks == 0)
            draw_user(w, i / a->picks, x);
        else
            memcpy(x, x - a->factors, bytes);
        out->labels[i] = pick(w, i);
    }
}

static enum fanin_status read_preferences(struct fi_read_request *r, struct fi_table *out) {
    const struct preferences *a = r->attrs;
    struct drawing w = {.a = a};
    const int64_t users = r->part == FANIN_TRAIN || a->test_users == 0 ? a->users : a->test_users;
    int64_t cells, weights;
    if (!fi_mul(users, a->picks, &out->n) || !fi_mul(out->n, a->factors, &cells) ||
        !fi_mul(a->items, a->factors, &weights))
        return fi_fail_memory(r->ctx, "preferences", SIZE_MAX);
    out->shape = (struct fanin_shape){.rank = 1, .dims = {a->factors}, .cols = a->factors};
    out->task = FANIN_CLASSIFICATION;
    out->n_outputs = a->items;
    out->f32 = fi_arena_alloc(r->arena, cells, sizeof(float));
    out->labels = fi_arena_alloc(r->arena, out->n, sizeof(*out->labels));
    w.items = fi_alloc(r->ctx, weights, sizeof(double));
    w.factors = fi_alloc(r->ctx, a->factors, sizeof(double));
    w.chance = fi_alloc(r->ctx, a->items, sizeof(double));
    const bool ready = out->f32 && out->labels && w.items && w.factors && w.chance;
    if (ready) {
        draw(&w, r, out);
        out->describe = fi_arena_printf(
            r->arena,
            "preferences: %lld picks of %lld users among %lld items, mean entropy %.4f nats",
            (long long)out->n, (long long)users, (long long)a->items, w.entropy / (double)users);
    }
    fi_free(r->ctx, w.items);
    fi_free(r->ctx, w.factors);
    fi_free(r->ctx, w.chance);
    return ready && out->describe ? FANIN_OK : FANIN_ERR_MEMORY;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct preferences, users, 500, 1, 1e9, "users of the training part", 0),
    FI_ATTR_INT(struct preferences, items, 100, 2, 65536, "items to pick from: the classes", 0),
    FI_ATTR_INT(struct preferences, factors, 8, 1, 65536, "latent factors: numbers per sample", 0),
    FI_ATTR_REAL(struct preferences, sharpness, 2, 0, 1000,
                 "deviation of a user's affinities over the items; 0: all items alike", 0),
    FI_ATTR_REAL(struct preferences, noise, 0, 0, 1e6,
                 "standard deviation of the noise on what is known of a user", 0),
    FI_ATTR_INT(struct preferences, picks, 10, 1, 1e9, "picks of each user: rows = users * picks",
                0),
    FI_ATTR_INT(struct preferences, test_users, 0, 0, 1e9,
                "users of the test part, none of them in training; 0: as many as users", 0),
    FI_ATTR_END};

FI_RECORD(reader, preferences) = {
    .head = {.name = "preferences",
             .formula = "P(k) = softmax(sharpness u·v)_k, u ~ N(0, I/factors), v_k ~ N(0, I)",
             .reference = "Salakhutdinov & Mnih, NIPS 2007; McFadden 1974",
             .help = "Picks of a recommender's users whose preferences are known; the inputs are "
                     "a user's factors, scaled to variance 1, with noise.",
             .attrs = specs,
             .attrs_size = sizeof(struct preferences)},
    .synthetic = true,
    .read = read_preferences,
};
