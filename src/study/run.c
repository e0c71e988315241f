/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of a study: the recipe of a condition and a seed is trained, and its events and probes
 * become figures.
 *
 * Figures of events: train.<figure> of each epoch (train.loss, train.val_accuracy, …); of watched
 * steps watch.<figure>, watch.source_<figure>[source], watch.layer_<figure>[layer] and
 * watch.param_<figure>[parameter]; run.diverged (0 or 1) and run.steps at the end. Those of a probe
 * stand under the name it has in `measure`. A run whose loss is not finite any more ends there and
 * is a result like any other; probes of the end see the model as it was then.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "data/reader/reader.h"
#include "study/study.h"

#define TIMED_STEPS 4  /* the first is not counted */
#define MAX_EPOCHS 500 /* that are recorded of a run */

/* ---- figures --------------------------------------------------------------------------------------- */

static void add(struct fi_figures *f, const char *prefix, const char *name, const char *where,
                int64_t step, double value) {
    if (f->failed) return;
    f->failed = true;
    if (fi_arena_grow(&f->arena, (void **)&f->rows, &f->cap, f->n + 1, sizeof *f->rows) != FANIN_OK)
        return;
    struct fi_figure_row *row = &f->rows[f->n];
    row->name = fi_arena_printf(&f->arena, "%s%s", prefix, name);
    row->where = *where ? fi_arena_strdup(&f->arena, where) : "";
    row->step = step;
    row->value = value;
    if (!row->name || !row->where) return;
    f->n++;
    f->failed = false;
}

/* ---- the run -------------------------------------------------------------------------------------- */

struct run {
    struct fi_worker *worker;
    const struct fi_part_of *part;
    const fanin_recipe *recipe;
    fanin_model *model;
    struct fi_figures *out;
    enum fanin_status status;            /* of probes */
    int64_t steps;                       /* done */
    const struct fi_measure_of *measure; /* that looks */
    char prefix[128];
};

static void take_figure(void *to, const char *figure, const char *where, double value) {
    const struct run *r = to;
    add(r->out, r->prefix, figure, where ? where : "", r->steps, value);
}

static void take_bins(void *to, const char *figure, const char *where, double low, double high,
                      const int64_t *counts, int n) {
    const struct run *r = to;
    struct fi_figures *f = r->out;
    if (f->failed) return;
    f->failed = true;
    if (fi_arena_grow(&f->arena, (void **)&f->bins, &f->cap_bins, f->n_bins + 1, sizeof *f->bins) !=
        FANIN_OK)
        return;
    struct fi_bins_row *row = &f->bins[f->n_bins];
    row->name = fi_arena_printf(&f->arena, "%s%s", r->prefix, figure);
    row->where = fi_arena_strdup(&f->arena, where ? where : "");
    row->step = r->steps;
    row->low = low;
    row->high = high;
    row->n = FI_MIN(n, FI_PROBE_BINS);
    memcpy(row->counts, counts, (size_t)row->n * sizeof *counts);
    if (!row->name || !row->where) return;
    f->n_bins++;
    f->failed = false;
}

static void look(struct run *r, const struct fi_measure_of *m) {
    const struct fi_probe *probe = (const struct fi_probe *)(const void *)m->rule.record;
    const struct fi_look_at at = {.ctx = r->worker->ctx,
                                  .recipe = r->recipe,
                                  .model = r->model,
                                  .data = r->worker->data,
                                  .step = r->steps,
                                  .add = take_figure,
                                  .bins = take_bins,
                                  .to = r};
    if (r->status != FANIN_OK) return;
    (void)snprintf(r->prefix, sizeof r->prefix, "%s.", m->name);
    r->status = probe->look(&at, m->rule.attrs);
    if (r->status != FANIN_OK) fanin_stop(r->worker->ctx); /* told when training returns */
}

/* Those of a moment; of several moments that fall together each looks once. */
static void look_at(struct run *r, unsigned moment, bool step) {
    for (int i = 0; i < r->part->n_measures; i++) {
        const struct fi_measure_of *m = &r->part->measures[i];
        const bool due = step ? m->every > 0 && r->steps % m->every == 0 : (m->at & moment) != 0;
        if (due) look(r, m);
    }
}

static void add_event(struct run *r, const char *prefix, const struct fanin_event *e) {
    const char *name = "";
    for (int i = 0; i < e->n_texts; i++)
        if (strcmp(e->texts[i].name, "name") == 0) name = e->texts[i].value;
    for (int i = 0; i < e->n_figures; i++)
        if (strcmp(e->figures[i].name, "seconds") != 0)
            add(r->out, prefix, e->figures[i].name, name, e->step, e->figures[i].value);
}

/* Of very many epochs every so many-th, and the last. */
static bool kept(const struct fanin_event *e) {
    const int64_t every = (e->epochs + MAX_EPOCHS - 1) / MAX_EPOCHS;
    return e->epoch % every == 0 || e->epoch == e->epochs;
}

static void take_event(void *payload, const struct fanin_event *e) {
    struct run *r = payload;
    r->steps = FI_MAX(r->steps, e->step);
    switch (e->type) {
    case FANIN_EVENT_EPOCH:
        if (kept(e)) add_event(r, "train.", e);
        look_at(r, FI_AT_EPOCH, false);
        break;
    case FANIN_EVENT_LOOK:
        look_at(r, 0, true);
        break;
    case FANIN_EVENT_WATCH:
        add_event(r, "watch.", e);
        break;
    case FANIN_EVENT_WATCH_SOURCE:
        add_event(r, "watch.source_", e);
        break;
    case FANIN_EVENT_WATCH_LAYER:
        add_event(r, "watch.layer_", e);
        break;
    case FANIN_EVENT_WATCH_PARAM:
        add_event(r, "watch.param_", e);
        break;
    case FANIN_EVENT_START:
    case FANIN_EVENT_PARAM:
    case FANIN_EVENT_STEP:
    case FANIN_EVENT_CHECKPOINT:
    case FANIN_EVENT_WARNING:
    case FANIN_EVENT_PROFILE:
    case FANIN_EVENT_PROFILE_NODE:
    case FANIN_EVENT_PROFILE_PART:
    case FANIN_EVENT_END:
    case FANIN_EVENT_EVAL:
    case FANIN_EVENT_TROUBLE:
        break;
    }
}

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static enum fanin_status train(struct run *r, bool *diverged) {
    struct fanin_train_options o = *fanin_recipe_train(r->recipe);
    o.event = take_event;
    o.event_payload = r;
    o.checkpoint = NULL;
    o.resume = 0;
    for (int i = 0; i < r->part->n_measures; i++)
        o.look_every = common_divisor(o.look_every, r->part->measures[i].every);
    const enum fanin_status status = fanin_train(r->model, r->worker->data, &o);
    *diverged = status == FANIN_ERR_DIVERGED;
    if (r->status != FANIN_OK) return r->status;
    return *diverged ? FANIN_OK : status;
}

static enum fanin_status run(struct run *r, bool *diverged) {
    fanin_data *data = r->worker->data;
    FI_TRY(fanin_recipe_model(&r->model, r->recipe, fanin_data_shape(data),
                              fanin_data_outputs(data), data));
    look_at(r, FI_AT_START | FI_AT_EPOCH, false);
    look_at(r, 0, true);
    FI_TRY(r->status);
    if (!r->part->trains) return FANIN_OK;
    FI_TRY(train(r, diverged));
    look_at(r, FI_AT_END, false);
    FI_TRY(r->status);
    add(r->out, "run.", "diverged", "", r->steps, *diverged);
    add(r->out, "run.", "steps", "", r->steps, (double)r->steps);
    return FANIN_OK;
}

/* ---- the worker ------------------------------------------------------------------------------------- */

enum fanin_status fi_worker_create(struct fi_worker *w, fanin_study *s) {
    char error[256];
    const struct fanin_ctx_options options = {.size = sizeof options,
                                              .threads = 1,
                                              .isa = fanin_isa(s->ctx),
                                              .allocator = s->ctx->allocator};
    memset(w, 0, sizeof *w);
    w->study = s;
    const enum fanin_status status = fanin_ctx_create(&w->ctx, &options, error, sizeof error);
    return status == FANIN_OK ? status : fi_fail(s->ctx, status, "%s", error);
}

void fi_worker_free(struct fi_worker *w) {
    if (!w->ctx) return;
    fanin_data_free(w->data);
    fi_free(w->ctx, w->data_key);
    fanin_ctx_free(w->ctx);
    memset(w, 0, sizeof *w);
}

/* The recipe's data, unless the worker has them from the run before. */
static enum fanin_status load_data(struct fi_worker *w, const fanin_recipe *recipe) {
    struct fi_text key;
    const struct fi_value *section = fi_value_get(recipe->root, "data");
    fi_text_init(&key, w->ctx);
    fi_text_add(&key, "%" PRIu64 " ", recipe->data.seed);
    if (section) fi_value_json(&key, section);
    if (key.failed) {
        fi_text_free(&key);
        return FANIN_ERR_MEMORY;
    }
    if (w->data && strcmp(w->data_key, key.data) == 0) {
        fi_text_free(&key);
        return FANIN_OK;
    }
    fanin_data_free(w->data);
    fi_free(w->ctx, w->data_key);
    w->data_key = key.data; /* taken over */
    return fanin_data_load(&w->data, w->ctx, &recipe->data);
}

enum fanin_status fi_study_recorded(const fanin_study *s, struct fi_arena *arena, int part,
                                    int64_t condition, uint64_t seed, const char **json) {
    fanin_ctx *ctx = arena->ctx;
    fanin_recipe *recipe;
    FI_TRY(fi_grid_recipe(&recipe, ctx, s, part, condition, seed));
    const struct fi_value *data = fi_value_get(recipe->root, "data");
    for (int64_t i = 0; data && i < data->n; i++)
        if (strcmp(data->entries[i].key, "dir") == 0) data->entries[i].value->kind = FI_VALUE_NULL;
    struct fi_text text;
    fi_text_init(&text, ctx);
    fi_value_json(&text, recipe->root);
    *json = text.failed ? NULL : fi_arena_strdup(arena, text.data);
    fi_text_free(&text);
    fanin_recipe_free(recipe);
    return *json ? FANIN_OK : FANIN_ERR_MEMORY;
}

enum fanin_status fi_study_run_one(struct fi_worker *w, int part, int64_t condition, uint64_t seed,
                                   struct fi_figures *out, const char **recipe, bool *diverged) {
    struct run r = {.worker = w, .part = &w->study->parts[part], .out = out};
    fanin_recipe *mine;
    *diverged = false;
    FI_TRY(fi_study_recorded(w->study, &out->arena, part, condition, seed, recipe));
    FI_TRY(fi_grid_recipe(&mine, w->ctx, w->study, part, condition, seed));
    r.recipe = mine;
    enum fanin_status status = load_data(w, mine);
    if (status == FANIN_OK) status = run(&r, diverged);
    fanin_model_free(r.model);
    fanin_recipe_free(mine);
    if (status == FANIN_OK && out->failed) return fi_fail_memory(w->ctx, "a run's figures", 0);
    return status;
}

/* ---- time ------------------------------------------------------------------------------------------- */

struct timing {
    fanin_ctx *ctx;
    int64_t n, steps;
    struct timespec first, last;
};

static void time_step(void *payload, const struct fanin_event *e) {
    struct timing *t = payload;
    if (e->type != FANIN_EVENT_LOOK) return;
    t->steps = e->steps;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, t->n == 0 ? &t->first : &t->last);
    if (++t->n == TIMED_STEPS) fanin_stop(t->ctx);
}

static double seconds_of(const struct timing *t) {
    if (t->n < 2) return 0;
    const double span = (double)(t->last.tv_sec - t->first.tv_sec) +
                        1e-9 * (double)(t->last.tv_nsec - t->first.tv_nsec);
    return span / (double)(t->n - 1) * (double)t->steps;
}

enum fanin_status fi_study_time_one(struct fi_worker *w, int part, int64_t condition,
                                    double *seconds) {
    const struct fi_part_of *p = &w->study->parts[part];
    struct timing t = {.ctx = w->ctx};
    fanin_recipe *recipe;
    fanin_model *model = NULL;
    *seconds = 0;
    if (!p->trains) return FANIN_OK;
    FI_TRY(fi_grid_recipe(&recipe, w->ctx, w->study, part, condition, (uint64_t)p->first_seed));
    enum fanin_status status = load_data(w, recipe);
    if (status == FANIN_OK)
        status = fanin_recipe_model(&model, recipe, fanin_data_shape(w->data),
                                    fanin_data_outputs(w->data), w->data);
    struct fanin_train_options o = *fanin_recipe_train(recipe);
    o.event = time_step;
    o.event_payload = &t;
    o.look_every = 1;
    o.checkpoint = NULL;
    if (status == FANIN_OK) status = fanin_train(model, w->data, &o);
    w->ctx->stop = 0;
    fanin_model_free(model);
    fanin_recipe_free(recipe);
    *seconds = seconds_of(&t);
    return status == FANIN_ERR_STOPPED || status == FANIN_ERR_DIVERGED ? FANIN_OK : status;
}

/* ---- keys ------------------------------------------------------------------------------------------- */

static enum fanin_status hash_file(struct fi_arena *arena, const fanin_recipe *recipe,
                                   const char *name, uint64_t *hash) {
    enum { BLOCK = 1 << 16 };
    const char *path;
    struct fi_source source;
    int64_t got = 0;
    if (!name || strcmp(name, "-") == 0) return FANIN_OK;
    FI_TRY(fi_data_path(arena, recipe->data.dir, name, &path));
    unsigned char *block = fi_arena_alloc(arena, BLOCK, 1);
    if (!block) return FANIN_ERR_MEMORY;
    FI_TRY(fi_source_open(&source, arena->ctx, path));
    enum fanin_status status;
    while ((status = fi_source_read(&source, block, BLOCK, &got)) == FANIN_OK && got > 0)
        for (int64_t i = 0; i < got; i += 8) {
            uint64_t word = 0;
            memcpy(&word, block + i, (size_t)FI_MIN(8, got - i));
            *hash = fi_hash_mix(*hash, word);
        }
    fi_source_close(&source);
    return status;
}

/* The files of the last recipe: grids seldom change them. */
struct files {
    const char *names; /* of all of them, to compare */
    uint64_t hash;
};

static enum fanin_status hash_files(struct fi_arena *arena, const fanin_recipe *recipe,
                                    struct files *last) {
    const struct fanin_data_options *d = &recipe->data;
    const char *const names[] = {d->train, d->train_labels, d->validation,    d->validation_labels,
                                 d->test,  d->test_labels,  d->sample_weights};
    const char *all = d->dir ? d->dir : "";
    for (int i = 0; i < FI_COUNT(names) && all; i++)
        all = fi_arena_printf(arena, "%s\n%s", all, names[i] ? names[i] : "");
    if (!all) return FANIN_ERR_MEMORY;
    if (last->names && strcmp(last->names, all) == 0) return FANIN_OK;
    last->hash = 0;
    /* a column of the table is no file */
    for (int i = 0; i + 1 < FI_COUNT(names); i++)
        FI_TRY(hash_file(arena, recipe, names[i], &last->hash));
    last->names = all;
    return FANIN_OK;
}

static enum fanin_status key_condition(fanin_study *s, struct fi_figures *scratch, int part,
                                       int64_t condition, struct files *files) {
    struct fi_part_of *p = &s->parts[part];
    fanin_recipe *recipe;
    const char *json;
    FI_TRY(fi_study_recorded(s, &scratch->arena, part, condition, 0, &json));
    FI_TRY(fi_grid_recipe(&recipe, s->ctx, s, part, condition, 0));
    const enum fanin_status status = hash_files(&scratch->arena, recipe, files);
    fanin_recipe_free(recipe);
    uint64_t key = fi_hash_mix(fi_hash_text(json), files->hash);
    key = fi_hash_mix(key, fi_hash_text(FANIN_VERSION));
    key = fi_hash_mix(key, p->trains);
    for (int i = 0; i < p->n_measures; i++)
        key = fi_hash_mix(key, fi_hash_text(p->measures[i].json));
    for (int64_t k = 0; k < p->seeds; k++)
        p->runs[condition * p->seeds + k].key = fi_hash_mix(key, (uint64_t)(p->first_seed + k));
    return status;
}

enum fanin_status fi_study_keys_of_runs(fanin_study *s) {
    struct fi_figures scratch = {0};
    struct files files = {0};
    enum fanin_status status = FANIN_OK;
    fi_arena_init(&scratch.arena, s->ctx);
    for (int p = 0; p < s->n_parts; p++)
        for (int64_t c = 0; c < s->parts[p].conditions && status == FANIN_OK; c++)
            if (!fi_grid_left_out(&s->parts[p], c))
                status = key_condition(s, &scratch, p, c, &files);
    fi_arena_free(&scratch.arena);
    return status;
}
