/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recommender that samples: the classes are items, the samples users, and each user is shown
 * `refreshes` lists of `size` different items, drawn one after the other without replacement from
 * the predicted distribution. A net that is too sure shows the same list again and again; the
 * entropy penalties trade hits for variety.
 *
 *   hit_rate   share of the lists that hold the label; where the truth is a distribution, the
 *              probability that they hold
 *   diversity  1 - mean Jaccard overlap |A ∩ B| / |A ∪ B| of one list and the user's next
 *   coverage   share of all items that are ever shown
 *   exposure   entropy of how often items are shown, in nats
 *   entropy    mean entropy of the predictions, in nats
 *
 * The largest `size` of log p_c + g_c with independent Gumbel numbers g_c are such a draw
 * (Gumbel-top-k: Kool, van Hoof, Welling, ICML 2019). g depends on the run's seed, user, refresh
 * and item alone. Items of probability 0 fill a list that has no others.
 */
#include <math.h>

#include "data/reader/reader.h"
#include "kernel/math.h"
#include "model/ensemble.h"
#include "study/probe.h"

struct lists {
    int64_t size, refreshes;
    int part;
    int64_t rows;
};

struct recommender {
    const struct fi_look_at *look;
    const struct lists *a;
    struct fi_probe_truth known;
    int64_t items, rows;
    uint64_t key;
    double *log_p;  /* per item, of a user */
    double *score;  /* of the list, falling */
    int64_t *list;  /* its items */
    int64_t *last;  /* per item: the number of the last list that showed it, from 1; 0: none */
    int64_t *shown; /* per item: how often */
    int64_t lists, pairs; /* so far: lists; lists beside the user's next one */
    double hits, overlap, entropy;
};

static double gumbel(const struct recommender *m, int64_t user, int64_t refresh, int64_t item) {
    /* half a step off 0, so that both logarithms are finite */
    const double u = fi_random53(m->key, (uint64_t)user, (uint64_t)(refresh * m->items + item));
    return -fi_log(-fi_log(u + 0x1p-54));
}

static void draw(const struct recommender *m, int64_t user, int64_t refresh) {
    int64_t n = 0;
    for (int64_t c = 0; c < m->items; c++) {
        const double score = m->log_p[c] + gumbel(m, user, refresh, c);
        if (n == m->a->size && !(score > m->score[n - 1])) continue;
        int64_t at = n < m->a->size ? n++ : n - 1;
        for (; at > 0 && score > m->score[at - 1]; at--) {
            m->score[at] = m->score[at - 1];
            m->list[at] = m->list[at - 1];
        }
        m->score[at] = score;
        m->list[at] = c;
    }
}

/* How much of the truth of row r a list holds. */
static double held(const struct recommender *m, int64_t r) {
    const struct fanin_tensor *t = &m->known.targets;
    double sum = 0;
    for (int64_t i = 0; i < m->a->size; i++)
        sum += m->known.truth.labels ? m->list[i] == m->known.labels[r]
                                     : (double)t->data[r * t->ld + m->list[i]];
    return sum;
}

static void serve(struct recommender *m, int64_t user, int64_t r) {
    for (int64_t f = 0; f < m->a->refreshes; f++) {
        int64_t again = 0;
        draw(m, user, f);
        m->lists++;
        for (int64_t i = 0; i < m->a->size; i++) {
            int64_t *last = &m->last[m->list[i]];
            again += *last == m->lists - 1;
            *last = m->lists;
            m->shown[m->list[i]]++;
        }
        m->hits += held(m, r);
        if (f == 0) continue;
        m->overlap += (double)again / (double)(2 * m->a->size - again);
        m->pairs++;
    }
}

static void predict(void *arg, struct fi_ensemble *e, int64_t n, int64_t row0) {
    struct recommender *m = arg;
    fi_ensemble_run(e, n, row0);
    fi_probe_truth_load(&m->known, m->look, (enum fanin_part)m->a->part, row0, n);
    for (int64_t r = 0; r < n; r++) {
        const fi_real *p = e->p.data + r * e->p.ld;
        if (m->a->rows > 0 && row0 + r >= m->a->rows) return;
        if (fi_probe_class(&m->known, e->model, r) < 0) continue;
        for (int64_t c = 0; c < m->items; c++) {
            m->log_p[c] = fi_log((double)p[c]);
            if (!(p[c] <= 0)) m->entropy -= (double)p[c] * m->log_p[c];
        }
        if (isnan(m->entropy)) m->hits = m->overlap = NAN; /* nothing was predicted */
        serve(m, row0 + r, r);
        m->rows++;
    }
}

static void tell(const struct recommender *m) {
    const struct fi_look_at *look = m->look;
    const double shown = (double)(m->lists * m->a->size);
    double exposure = 0;
    int64_t seen = 0;
    for (int64_t c = 0; c < m->items; c++) {
        const double share = (double)m->shown[c] / shown;
        if (m->shown[c] > 0) exposure -= share * fi_log(share);
        seen += m->shown[c] > 0;
    }
    look->add(look->to, "hit_rate", "", m->hits / (double)m->lists);
    look->add(look->to, "diversity", "", 1 - m->overlap / (double)m->pairs);
    look->add(look->to, "coverage", "", (double)seen / (double)m->items);
    look->add(look->to, "exposure", "", exposure);
    look->add(look->to, "entropy", "", m->entropy / (double)m->rows);
}

static enum fanin_status run(const struct fi_look_at *look, const struct lists *a,
                             struct fi_arena *arena) {
    struct recommender m = {.look = look,
                            .a = a,
                            .items = fanin_model_outputs(look->model),
                            .key = fi_key(fanin_recipe_seed(look->recipe), "lists", "")};
    const struct fi_eval_options options = {
        .part = (enum fanin_part)a->part, .predict = predict, .arg = &m};
    struct fi_eval eval;
    FI_TRY(fi_probe_classes(look, "lists"));
    if (a->size > m.items)
        return fi_fail(look->ctx, FANIN_ERR_RECIPE,
                       "size: a list cannot hold %lld different items of %lld: set it to %lld or "
                       "less",
                       (long long)a->size, (long long)m.items, (long long)m.items);
    m.log_p = fi_arena_alloc(arena, m.items, sizeof *m.log_p);
    m.score = fi_arena_alloc(arena, a->size, sizeof *m.score);
    m.list = fi_arena_alloc(arena, a->size, sizeof *m.list);
    m.last = fi_arena_alloc(arena, m.items, sizeof *m.last);
    m.shown = fi_arena_alloc(arena, m.items, sizeof *m.shown);
    if (!m.log_p || !m.score || !m.list || !m.last || !m.shown) return FANIN_ERR_MEMORY;
    FI_TRY(fi_probe_truth_create(&m.known, look->model, arena));
    FI_TRY(fi_evaluate(look->model, look->data, &options, arena, &eval));
    tell(&m);
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
    FI_ATTR_INT(struct lists, size, 10, 1, 1000000, "items of a list", 0),
    FI_ATTR_INT(struct lists, refreshes, 10, 2, 10000, "lists that each user is shown", 0),
    FI_PROBE_PART(struct lists), FI_PROBE_SAMPLES(struct lists), FI_ATTR_END};

FI_RECORD(probe, lists) = {
    .head = {.name = "lists",
             .formula =
                 "hit_rate = share of lists that hold the label; diversity = 1 - mean |A and "
                 "B| / |A or B| of a user's list and the next; coverage = share of items "
                 "shown; exposure = entropy of what is shown; entropy of the predictions",
             .reference = "Kool, van Hoof, Welling 2019 (Gumbel-top-k)",
             .help = "Recommends: draws lists of different classes from the predicted distribution "
                     "and tells how often they hit and how they vary.",
             .attrs = specs,
             .attrs_size = sizeof(struct lists),
             .place = ""},
    .look = look_at,
};
