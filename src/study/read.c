/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A study file into structs. What a part leaves out is taken from the top of the file; without
 * `parts` the file itself is the only part.
 *
 * The recipe of a run is the part's recipe with overrides in this order: the file's `set`, the
 * part's, those of variants, the caller's, those of the condition, the seed.
 */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "study/keys.h"

#define MAX_ITEMS 1000 /* parts, measures, plots, claims */
#define EMBEDDED "embedded"

struct reader {
    fanin_study *s;
    struct fi_arena *arena;
    const struct fanin_study_options *options;
    const struct fi_value *root, *item; /* the file, and the part that is read */
};

/* The part's value of a key, or else the file's. */
static struct fi_value *either(const struct reader *r, const char *key) {
    struct fi_value *own = r->item != r->root ? fi_value_get(r->item, key) : NULL;
    return own ? own : fi_value_get(r->root, key);
}

static enum fanin_status check_kind(const struct reader *r, const struct fi_value *v,
                                    enum fi_value_kind kind, const char *key, const char *what) {
    if (v && v->kind != kind) return fi_fail_type(r->s->ctx, v, key, what);
    if (v && v->n > MAX_ITEMS)
        return fi_fail_at(r->s->ctx, v->mark, "%s: more than %d", key, MAX_ITEMS);
    return FANIN_OK;
}

/* ---- changes --------------------------------------------------------------------------------------- */

struct changes {
    struct fi_change *items;
    int64_t n, cap;
};

static enum fanin_status add_change(const struct reader *r, struct changes *c,
                                    struct fi_change change) {
    FI_TRY(fi_arena_grow(r->arena, (void **)&c->items, &c->cap, c->n + 1, sizeof *c->items));
    c->items[c->n++] = change;
    return FANIN_OK;
}

static enum fanin_status add_map(const struct reader *r, struct changes *c,
                                 const struct fi_value *map, const char *path) {
    const struct fi_change *made;
    int n;
    FI_TRY(fi_study_changes(r->arena, &made, &n, map, path));
    for (int i = 0; i < n; i++) FI_TRY(add_change(r, c, made[i]));
    return FANIN_OK;
}

/* The caller's overrides; of a part that reads no files those of `data` mean other parts. */
static enum fanin_status add_callers(const struct reader *r, struct changes *c, bool files) {
    for (int i = 0; i < r->options->n_overrides; i++) {
        const char *text = r->options->overrides[i];
        const bool data = strncmp(text, "data", 4) == 0 && (text[4] == '.' || text[4] == '=');
        if (files || !data) FI_TRY(add_change(r, c, (struct fi_change){.text = text}));
    }
    return FANIN_OK;
}

/* ---- variants --------------------------------------------------------------------------------------- */

static enum fanin_status leave_out(const struct reader *r, struct fi_part_of *part,
                                   const struct fi_entry *only) {
    const int a = fi_grid_axis(part, only->key);
    if (a < 0) return FANIN_OK; /* an axis of other parts */
    FI_TRY(check_kind(r, only->value, FI_VALUE_LIST, "only", "a list of conditions"));
    struct fi_axis *axis = &part->axes[a];
    for (int k = 0; k < axis->n_levels; k++) axis->levels[k].left_out = true;
    int found = 0;
    for (int64_t i = 0; i < only->value->n; i++) {
        const struct fi_value *v = only->value->entries[i].value;
        for (int k = 0; k < axis->n_levels && v->text; k++)
            if (strcmp(axis->levels[k].name, v->text) == 0) {
                axis->levels[k].left_out = false;
                found++;
            }
    }
    return found > 0 ? FANIN_OK
                     : fi_fail_at(r->s->ctx, only->mark, "only.%s: none of these is a condition",
                                  only->key);
}

/* Puts a variant of the part or the file in; *found: is there one of this name? */
static enum fanin_status apply_variant(const struct reader *r, struct fi_part_of *part,
                                       struct changes *c, const char *name, bool *found) {
    const struct fi_value *own = r->item != r->root ? fi_value_get(r->item, "variants") : NULL;
    struct fi_value *value = fi_value_get(own, name);
    if (!value) value = fi_value_get(fi_value_get(r->root, "variants"), name);
    struct fi_attrs attrs;
    const void *parsed;
    *found = value != NULL;
    if (!value) return FANIN_OK;
    const char *path = fi_path(r->arena, "variants", name);
    if (!path) return FANIN_ERR_MEMORY;
    FI_TRY(check_kind(r, value, FI_VALUE_MAP, path, "a map of keys"));
    FI_TRY(fi_attrs_read(r->arena, &attrs, &fi_study_variant_keys, value, path, false));
    FI_TRY(fi_attrs_finish(r->arena, &parsed, &fi_study_variant_keys, &attrs, value->mark, path));
    const struct fi_study_variant_file *keys = parsed;
    if (keys->seeds > 0) part->seeds = keys->seeds;
    FI_TRY(add_map(r, c, fi_value_get(value, "set"), path));
    const struct fi_value *only = fi_value_get(value, "only");
    FI_TRY(check_kind(r, only, FI_VALUE_MAP, "only", "{axis: [conditions]}"));
    for (int64_t i = 0; only && i < only->n; i++) FI_TRY(leave_out(r, part, &only->entries[i]));
    part->variants =
        fi_arena_printf(r->arena, "%s%s%s%s%s", part->variants, *part->variants ? "; " : "", name,
                        keys->about ? ": " : "", keys->about ? keys->about : "");
    return part->variants ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* Does the recipe read files, and are they to be found? */
static enum fanin_status look_for_files(const struct reader *r, const struct fi_part_of *part,
                                        struct changes *c, bool *reads, bool *missing) {
    fanin_recipe *recipe;
    FI_TRY(fi_recipe_from_value(&recipe, r->s->ctx, part->recipe, c->items, (int)c->n));
    *reads = recipe->data.train != NULL;
    fanin_recipe_free(recipe);
    *missing = false;
    if (!*reads) return FANIN_OK;
    struct changes all = {0};
    for (int64_t i = 0; i < c->n; i++) FI_TRY(add_change(r, &all, c->items[i]));
    FI_TRY(add_callers(r, &all, true));
    FI_TRY(fi_recipe_from_value(&recipe, r->s->ctx, part->recipe, all.items, (int)all.n));
    const struct fanin_data_options *d = &recipe->data;
    *missing = d->train && !d->dir && access(d->train, R_OK) != 0;
    fanin_recipe_free(recipe);
    return FANIN_OK;
}

static enum fanin_status apply_variants(const struct reader *r, struct fi_part_of *part,
                                        struct changes *c) {
    bool reads, missing, found;
    part->variants = "";
    FI_TRY(look_for_files(r, part, c, &reads, &missing));
    if (missing) FI_TRY(apply_variant(r, part, c, EMBEDDED, &part->embedded));
    for (int i = 0; i < r->options->n_variants; i++) {
        const char *name = r->options->variants[i];
        FI_TRY(apply_variant(r, part, c, name, &found));
        if (!found && !fi_value_get(fi_value_get(r->root, "variants"), name))
            return fi_fail(r->s->ctx, FANIN_ERR_ARGUMENT, "%s has no variant '%s'", r->s->path,
                           name);
    }
    return add_callers(r, c, reads && !part->embedded);
}

/* ---- what is measured -------------------------------------------------------------------------------- */

/* `at`: start, epoch, end, a number of updates, or a list of these. */
static enum fanin_status read_at(const struct reader *r, struct fi_measure_of *m,
                                 const struct fi_value *at, const char *path) {
    static const char *const words[] = {"start", "epoch", "end"};
    if (at->kind == FI_VALUE_LIST) {
        for (int64_t i = 0; i < at->n; i++) FI_TRY(read_at(r, m, at->entries[i].value, path));
        return FANIN_OK;
    }
    if (at->kind == FI_VALUE_INT && at->number >= 1 && at->number <= 1e9) {
        m->every = (int64_t)at->number;
        return FANIN_OK;
    }
    for (int i = 0; i < FI_COUNT(words) && at->kind == FI_VALUE_TEXT; i++)
        if (strcmp(words[i], at->text) == 0) {
            m->at |= 1u << i;
            return FANIN_OK;
        }
    return fi_fail_type(r->s->ctx, at, path, "start, epoch, end, or a number of updates");
}

static enum fanin_status read_measure(const struct reader *r, struct fi_part_of *part,
                                      struct fi_measure_of *m, const struct fi_entry *entry) {
    const char *path = fi_path(r->arena, "measure", entry->key);
    struct fi_value *value = NULL, *at = fi_value_get(entry->value, "at");
    struct fanin_rule rule;
    struct fi_text json;
    if (!path) return FANIN_ERR_MEMORY;
    m->name = entry->key;
    m->mark = entry->mark;
    FI_TRY(fi_value_copy(r->arena, &value, entry->value));
    if (at) {
        FI_TRY(read_at(r, m, at, path));
        int64_t kept = 0;
        for (int64_t i = 0; i < value->n; i++)
            if (strcmp(value->entries[i].key, "at") != 0)
                value->entries[kept++] = value->entries[i];
        value->n = kept;
    }
    if (m->at == 0 && m->every == 0) m->at = part->trains ? FI_AT_END : FI_AT_START;
    FI_TRY(fi_rule_read(r->arena, &rule, "probe", value, path));
    FI_TRY(fi_rule_resolve(r->arena, &m->rule, "probe", &rule, path));
    const struct fi_probe *probe = (const struct fi_probe *)(const void *)m->rule.record;
    if (probe->once && (m->every > 0 || m->at & FI_AT_EPOCH))
        return fi_fail_at(r->s->ctx, entry->mark, "%s: %s looks at the start or the end only", path,
                          probe->head.name);
    if (!part->trains && (m->every > 0 || m->at != FI_AT_START))
        return fi_fail_at(r->s->ctx, entry->mark, "%s: nothing is trained here: at: start", path);
    fi_text_init(&json, r->s->ctx);
    fi_text_add(&json, "%s: ", entry->key);
    fi_value_json(&json, entry->value);
    m->json = json.failed ? NULL : fi_arena_strdup(r->arena, json.data);
    fi_text_free(&json);
    return m->json ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status read_measures(const struct reader *r, struct fi_part_of *part) {
    const struct fi_value *map = either(r, "measure");
    FI_TRY(check_kind(r, map, FI_VALUE_MAP, "measure", "{name: probe}"));
    if (!map) return FANIN_OK;
    part->measures = fi_arena_alloc(r->arena, map->n, sizeof *part->measures);
    if (!part->measures) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < map->n; i++)
        FI_TRY(read_measure(r, part, &part->measures[part->n_measures++], &map->entries[i]));
    return FANIN_OK;
}

static enum fanin_status read_plots(const struct reader *r, struct fi_part_of *part) {
    const struct fi_value *list = either(r, "plots");
    FI_TRY(check_kind(r, list, FI_VALUE_LIST, "plots", "a list of plots"));
    if (!list) return FANIN_OK;
    part->plots = fi_arena_alloc(r->arena, list->n, sizeof *part->plots);
    if (!part->plots) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < list->n; i++) {
        struct fi_plot_of *p = &part->plots[part->n_plots++];
        struct fi_value *copy; /* texts are made of it, and of another part's once more */
        struct fanin_rule rule;
        FI_TRY(fi_value_copy(r->arena, &copy, list->entries[i].value));
        p->mark = copy->mark;
        FI_TRY(fi_rule_read(r->arena, &rule, "plot", copy, "plots"));
        FI_TRY(fi_rule_resolve(r->arena, &p->rule, "plot", &rule, "plots"));
    }
    return FANIN_OK;
}

static enum fanin_status read_claim(const struct reader *r, struct fi_claim_of *claim,
                                    const struct fi_value *item) {
    static const char *const tests[] = {"paired", "welch", "sign", "exact"};
    struct fi_value *value;
    struct fi_attrs attrs;
    struct fi_claim *parsed;
    const void *given;
    FI_TRY(fi_value_copy(r->arena, &value, item));
    FI_TRY(check_kind(r, value, FI_VALUE_MAP, "claims", "a map of keys"));
    FI_TRY(fi_attrs_read(r->arena, &attrs, &fi_study_claim_keys, value, "claims", false));
    FI_TRY(fi_attrs_finish(r->arena, &given, &fi_study_claim_keys, &attrs, value->mark, "claims"));
    const struct fi_study_claim_file *keys = given;
    const struct fi_claim_options o = {.name = keys->name ? keys->name : keys->expect,
                                       .text = keys->expect,
                                       .source = keys->source,
                                       .test =
                                           fi_attrs_find(&attrs, "test") ? tests[keys->test] : NULL,
                                       .level = keys->level};
    const enum fanin_status status = fi_claim_parse(r->arena, &parsed, &o);
    if (status == FANIN_ERR_RECIPE) return fi_fail_prefix(r->s->ctx, status, value->mark);
    FI_TRY(status);
    *claim = (struct fi_claim_of){.name = o.name,
                                  .expect = keys->expect,
                                  .source = keys->source,
                                  .why = keys->why,
                                  .each = keys->each,
                                  .parsed = parsed,
                                  .mark = value->mark};
    return FANIN_OK;
}

static enum fanin_status read_claims(const struct reader *r, struct fi_part_of *part) {
    const struct fi_value *list = either(r, "claims");
    FI_TRY(check_kind(r, list, FI_VALUE_LIST, "claims", "a list of claims"));
    if (!list) return FANIN_OK;
    part->claims = fi_arena_alloc(r->arena, list->n, sizeof *part->claims);
    if (!part->claims) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < list->n; i++)
        FI_TRY(read_claim(r, &part->claims[part->n_claims++], list->entries[i].value));
    return FANIN_OK;
}

/* ---- parts ------------------------------------------------------------------------------------------- */

/* The recipe itself, or the file `base` beside the study. */
static enum fanin_status read_recipe(const struct reader *r, struct fi_part_of *part,
                                     const char *base) {
    struct fi_value *value = r->item != r->root ? fi_value_get(r->item, "recipe") : NULL;
    if (!value && !base) value = fi_value_get(r->root, "recipe");
    if (!value && base) {
        const char *slash = strrchr(r->s->path, '/');
        const char *path =
            *base == '/' || !slash
                ? base
                : fi_arena_printf(r->arena, "%.*s/%s", (int)(slash - r->s->path), r->s->path, base);
        if (!path) return FANIN_ERR_MEMORY;
        FI_TRY(fi_value_load(r->arena, &value, path));
    }
    if (!value)
        return fi_fail_at(r->s->ctx, r->item->mark,
                          "no recipe: give `recipe`, or `base`, its file");
    if (value->kind != FI_VALUE_MAP)
        return fi_fail_type(r->s->ctx, value, "recipe", "a map with the keys data, net, train, …");
    part->recipe = value;
    return FANIN_OK;
}

static enum fanin_status count_runs(const struct reader *r, struct fi_part_of *part) {
    int64_t runs;
    if (!fi_mul(part->conditions, part->seeds, &runs))
        return fi_fail_at(r->s->ctx, r->item->mark, "too many runs");
    part->runs = fi_arena_alloc(r->arena, runs, sizeof *part->runs);
    part->cost = fi_arena_alloc(r->arena, part->conditions, sizeof *part->cost);
    part->names = fi_arena_alloc(r->arena, part->conditions, sizeof *part->names);
    if (!part->runs || !part->cost || !part->names) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < runs; i++) part->runs[i].seconds = NAN;
    for (int64_t i = 0; i < part->conditions; i++) {
        part->cost[i] = NAN;
        part->names[i] = fi_grid_name(r->arena, part, i, ~0u);
        if (!part->names[i]) return FANIN_ERR_MEMORY;
    }
    return FANIN_OK;
}

/* The keys that are texts and numbers, of the part where it has them, else of the file. */
static void take_keys(struct fi_part_of *part, const struct fi_study_file *own,
                      const struct fi_study_file *top, const struct reader *r) {
    const bool whole = own == top;
    part->title = own->title;
    part->about = whole ? NULL : own->about; /* the file's stands at the top of the page */
    part->source = whole ? NULL : own->source;
    part->deviations = whole ? NULL : own->deviations;
    part->seeds = fi_value_get(r->item, "seeds") ? own->seeds : top->seeds;
    part->first_seed = fi_value_get(r->item, "first_seed") ? own->first_seed : top->first_seed;
    part->trains = fi_value_get(r->item, "trains") ? own->trains : top->trains;
}

static enum fanin_status read_part(struct reader *r, struct fi_part_of *part,
                                   const struct fi_study_file *own,
                                   const struct fi_study_file *top) {
    struct changes changes = {0};
    FI_TRY(read_recipe(r, part, own->base ? own->base : top->base));
    take_keys(part, own, top, r);
    FI_TRY(fi_grid_read(r->arena, part, either(r, "grid")));
    FI_TRY(add_map(r, &changes, fi_value_get(r->root, "set"), "set"));
    if (r->item != r->root) FI_TRY(add_map(r, &changes, fi_value_get(r->item, "set"), "set"));
    FI_TRY(apply_variants(r, part, &changes));
    part->change = changes.items;
    part->n_change = (int)changes.n;
    if (r->options->seeds > 0) part->seeds = r->options->seeds;
    FI_TRY(read_measures(r, part));
    FI_TRY(read_plots(r, part));
    FI_TRY(read_claims(r, part));
    return count_runs(r, part);
}

static enum fanin_status read_keys(const struct reader *r, const struct fanin_record *record,
                                   struct fi_value *value, const struct fi_study_file **out) {
    struct fi_attrs attrs;
    const void *parsed;
    FI_TRY(check_kind(r, value, FI_VALUE_MAP, record->name, "a map of keys"));
    FI_TRY(fi_attrs_read(r->arena, &attrs, record, value, "", false));
    FI_TRY(fi_attrs_finish(r->arena, &parsed, record, &attrs, value->mark, record->name));
    *out = parsed;
    return FANIN_OK;
}

static enum fanin_status read_parts(struct reader *r, const struct fi_study_file *top) {
    fanin_study *s = r->s;
    struct fi_value *list = fi_value_get(r->root, "parts");
    FI_TRY(check_kind(r, list, FI_VALUE_LIST, "parts", "a list of experiments"));
    s->parts = fi_arena_alloc(r->arena, list ? list->n : 1, sizeof *s->parts);
    if (!s->parts) return FANIN_ERR_MEMORY;
    if (!list) {
        s->parts[0].name = s->name;
        s->n_parts = 1;
        return read_part(r, &s->parts[0], top, top);
    }
    for (int64_t i = 0; i < list->n; i++) {
        const struct fi_study_file *own;
        struct fi_part_of *part = &s->parts[s->n_parts];
        r->item = list->entries[i].value;
        FI_TRY(read_keys(r, &fi_study_part_keys, list->entries[i].value, &own));
        if (!own->name) return fi_fail_at(s->ctx, r->item->mark, "parts: each part needs a `name`");
        for (int k = 0; k < s->n_parts; k++)
            if (strcmp(s->parts[k].name, own->name) == 0)
                return fi_fail_at(s->ctx, r->item->mark, "parts: two parts are called '%s'",
                                  own->name);
        if (r->options->part && strcmp(r->options->part, own->name) != 0) continue;
        part->name = own->name;
        FI_TRY(read_part(r, part, own, top));
        s->n_parts++;
    }
    return s->n_parts > 0 ? FANIN_OK
                          : fi_fail(s->ctx, FANIN_ERR_ARGUMENT, "%s has no part '%s'", s->path,
                                    r->options->part ? r->options->part : "");
}

/* The file's name without folder and suffix. */
static const char *base_name(struct fi_arena *arena, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot && dot > name ? fi_arena_printf(arena, "%.*s", (int)(dot - name), name) : name;
}

enum fanin_status fi_study_read(fanin_study *s, const struct fanin_study_options *options) {
    struct fi_value *root;
    const struct fi_study_file *top;
    FI_TRY(fi_value_load(&s->arena, &root, s->path));
    struct reader r = {s, &s->arena, options, root, root};
    FI_TRY(read_keys(&r, &fi_study_keys, root, &top));
    s->name = top->study ? top->study : base_name(&s->arena, s->path);
    s->title = top->title;
    s->about = top->about;
    s->source = top->source;
    s->deviations = top->deviations;
    return s->name ? read_parts(&r, top) : FANIN_ERR_MEMORY;
}
