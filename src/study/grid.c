/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grid of a study: axes are crossed, and a condition is a level of each.
 *
 *   start: {zero: {init: zeros}, xavier: {init: xavier_uniform}}     levels by name
 *   depth: {net.0.repeat.times: [2, 5, 10]}                          values of a path
 *   rate:  {optim.sgd.lr: [0.1, 0.2], train.epochs: [10, 5]}         of several, level by level
 *
 * Of the second form a level is named by its first value. A level that is null changes nothing. The
 * first axis varies slowest.
 */
#include <math.h>
#include <string.h>

#include "study/study.h"

#define MAX_AXES 8
#define MAX_LEVELS 1000
#define MAX_CONDITIONS 100000

enum fanin_status fi_study_changes(struct fi_arena *arena, const struct fi_change **out, int *n,
                                   const struct fi_value *map, const char *path) {
    *out = NULL;
    *n = 0;
    if (!map || map->kind == FI_VALUE_NULL) return FANIN_OK;
    if (map->kind != FI_VALUE_MAP)
        return fi_fail_type(arena->ctx, map, path, "a map of overrides, {path: value}");
    struct fi_change *changes = fi_arena_alloc(arena, map->n, sizeof *changes);
    if (!changes) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < map->n; i++) {
        struct fi_text text;
        fi_text_init(&text, arena->ctx);
        fi_text_add(&text, "%s=", map->entries[i].key);
        fi_value_json(&text, map->entries[i].value);
        changes[i].text = text.failed ? NULL : fi_arena_strdup(arena, text.data);
        fi_text_free(&text);
        const struct fi_mark mark = map->entries[i].mark;
        changes[i].source = fi_arena_printf(arena, "%s:%d", mark.source, mark.line);
        if (!changes[i].text || !changes[i].source) return FANIN_ERR_MEMORY;
    }
    *out = changes;
    *n = (int)map->n;
    return FANIN_OK;
}

/* ---- reading ----------------------------------------------------------------------------------------- */

static bool is_list(const struct fi_value *v) {
    return v->kind == FI_VALUE_LIST;
}

/* A value as the name of its level: scalars as they are written. */
static const char *level_name(struct fi_arena *arena, const struct fi_value *value) {
    struct fi_text text;
    if (value->kind != FI_VALUE_MAP && value->kind != FI_VALUE_LIST)
        return value->kind == FI_VALUE_NULL ? "none" : value->text;
    fi_text_init(&text, arena->ctx);
    fi_value_json(&text, value);
    const char *name = text.failed ? NULL : fi_arena_strdup(arena, text.data);
    fi_text_free(&text);
    return name;
}

static enum fanin_status name_level(struct fi_level *level, const char *name) {
    double number;
    level->name = name;
    if (!name) return FANIN_ERR_MEMORY;
    const enum fi_value_kind kind = fi_scalar_classify(name, &number);
    level->number = kind == FI_VALUE_INT || kind == FI_VALUE_REAL ? number : NAN;
    return FANIN_OK;
}

/* {path: [values], …}: level k has the k-th value of each. */
static enum fanin_status read_values(struct fi_arena *arena, struct fi_axis *axis,
                                     const struct fi_value *value, const char *path) {
    const int64_t n = value->entries[0].value->n;
    if (n < 1 || n > MAX_LEVELS)
        return fi_fail_at(arena->ctx, value->mark, "%s: a list of 1 to %d values", path,
                          MAX_LEVELS);
    axis->levels = fi_arena_alloc(arena, n, sizeof *axis->levels);
    if (!axis->levels) return FANIN_ERR_MEMORY;
    axis->n_levels = (int)n;
    for (int64_t i = 0; i < value->n; i++)
        if (value->entries[i].value->n != n)
            return fi_fail_at(arena->ctx, value->entries[i].mark,
                              "%s: '%s' has %lld values and '%s' %lld; lists of one axis go "
                              "together and must be of one length",
                              path, value->entries[i].key, (long long)value->entries[i].value->n,
                              value->entries[0].key, (long long)n);
    for (int64_t k = 0; k < n; k++) {
        struct fi_level *level = &axis->levels[k];
        struct fi_change *change = fi_arena_alloc(arena, value->n, sizeof *change);
        if (!change) return FANIN_ERR_MEMORY;
        for (int64_t i = 0; i < value->n; i++) {
            struct fi_entry one = {.key = value->entries[i].key,
                                   .mark = value->entries[i].mark,
                                   .value = value->entries[i].value->entries[k].value};
            const struct fi_value map = {
                .kind = FI_VALUE_MAP, .mark = value->mark, .entries = &one, .n = 1};
            const struct fi_change *made;
            int count;
            FI_TRY(fi_study_changes(arena, &made, &count, &map, path));
            change[i] = made[0];
        }
        level->change = change;
        level->n_change = (int)value->n;
        level->mark = value->entries[0].value->entries[k].mark;
        FI_TRY(name_level(level, level_name(arena, value->entries[0].value->entries[k].value)));
    }
    return FANIN_OK;
}

/* {name: {path: value, …}, …} */
static enum fanin_status read_levels(struct fi_arena *arena, struct fi_axis *axis,
                                     const struct fi_value *value, const char *path) {
    if (value->n > MAX_LEVELS)
        return fi_fail_at(arena->ctx, value->mark, "%s: more than %d conditions", path, MAX_LEVELS);
    axis->levels = fi_arena_alloc(arena, value->n, sizeof *axis->levels);
    if (!axis->levels) return FANIN_ERR_MEMORY;
    axis->n_levels = (int)value->n;
    for (int64_t k = 0; k < value->n; k++) {
        struct fi_level *level = &axis->levels[k];
        const char *below = fi_path(arena, path, value->entries[k].key);
        if (!below) return FANIN_ERR_MEMORY;
        level->mark = value->entries[k].mark;
        FI_TRY(fi_study_changes(arena, &level->change, &level->n_change, value->entries[k].value,
                                below));
        FI_TRY(name_level(level, value->entries[k].key));
    }
    return FANIN_OK;
}

static enum fanin_status read_axis(struct fi_arena *arena, struct fi_axis *axis,
                                   const struct fi_entry *entry) {
    const struct fi_value *value = entry->value;
    const char *path = fi_path(arena, "grid", entry->key);
    if (!path) return FANIN_ERR_MEMORY;
    axis->name = entry->key;
    if (value->kind != FI_VALUE_MAP || value->n == 0)
        return fi_fail_type(arena->ctx, value, path,
                            "{condition: {path: value}} or {path: [values]}");
    int64_t lists = 0;
    for (int64_t i = 0; i < value->n; i++) lists += is_list(value->entries[i].value);
    if (lists > 0 && lists < value->n)
        return fi_fail_at(arena->ctx, value->mark,
                          "%s mixes lists of values with conditions of their own names", path);
    return lists > 0 ? read_values(arena, axis, value, path)
                     : read_levels(arena, axis, value, path);
}

enum fanin_status fi_grid_read(struct fi_arena *arena, struct fi_part_of *part,
                               const struct fi_value *grid) {
    part->conditions = 1;
    if (!grid || grid->kind == FI_VALUE_NULL) return FANIN_OK;
    if (grid->kind != FI_VALUE_MAP) return fi_fail_type(arena->ctx, grid, "grid", "a map of axes");
    if (grid->n > MAX_AXES)
        return fi_fail_at(arena->ctx, grid->mark, "grid: more than %d axes", MAX_AXES);
    part->axes = fi_arena_alloc(arena, grid->n, sizeof *part->axes);
    if (!part->axes) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < grid->n; i++) {
        FI_TRY(read_axis(arena, &part->axes[part->n_axes], &grid->entries[i]));
        part->conditions *= part->axes[part->n_axes++].n_levels;
        if (part->conditions > MAX_CONDITIONS)
            return fi_fail_at(arena->ctx, grid->mark, "grid: more than %d conditions",
                              MAX_CONDITIONS);
    }
    return FANIN_OK;
}

/* ---- conditions -------------------------------------------------------------------------------------- */

int fi_grid_level(const struct fi_part_of *part, int64_t condition, int axis) {
    for (int i = part->n_axes - 1; i > axis; i--) condition /= part->axes[i].n_levels;
    return (int)(condition % part->axes[axis].n_levels);
}

int64_t fi_grid_condition(const struct fi_part_of *part, const int *levels) {
    int64_t condition = 0;
    for (int i = 0; i < part->n_axes; i++)
        condition = condition * part->axes[i].n_levels + levels[i];
    return condition;
}

bool fi_grid_left_out(const struct fi_part_of *part, int64_t condition) {
    for (int i = 0; i < part->n_axes; i++)
        if (part->axes[i].levels[fi_grid_level(part, condition, i)].left_out) return true;
    return false;
}

const char *fi_grid_name(struct fi_arena *arena, const struct fi_part_of *part, int64_t condition,
                         unsigned axes) {
    const char *name = "";
    for (int i = 0; i < part->n_axes && name; i++) {
        const struct fi_axis *axis = &part->axes[i];
        const struct fi_level *level = &axis->levels[fi_grid_level(part, condition, i)];
        if (!(axes >> i & 1u)) continue;
        /* a bare number says nothing without its axis */
        name = fi_arena_printf(arena, "%s%s%s%s%s", name, *name ? ", " : "",
                               isnan(level->number) ? "" : axis->name,
                               isnan(level->number) ? "" : " ", level->name);
    }
    return name;
}

int fi_grid_axis(const struct fi_part_of *part, const char *name) {
    for (int i = 0; i < part->n_axes; i++)
        if (strcmp(part->axes[i].name, name) == 0) return i;
    return -1;
}

/* ---- recipes ------------------------------------------------------------------------------------------ */

/* The overrides of a run in the order in which they are made. */
static struct fi_change *gather(struct fi_arena *arena, const struct fi_part_of *part,
                                int64_t condition, const char *seed, int *n) {
    int cap = part->n_change + 1;
    for (int i = 0; i < part->n_axes; i++)
        cap += part->axes[i].levels[fi_grid_level(part, condition, i)].n_change;
    struct fi_change *out = fi_arena_alloc(arena, cap, sizeof *out);
    *n = 0;
    if (!out) return NULL;
    for (int i = 0; i < part->n_change; i++) out[(*n)++] = part->change[i];
    for (int a = 0; a < part->n_axes; a++) {
        const struct fi_level *level = &part->axes[a].levels[fi_grid_level(part, condition, a)];
        for (int i = 0; i < level->n_change; i++) out[(*n)++] = level->change[i];
    }
    out[(*n)++] = (struct fi_change){.text = seed};
    return out;
}

enum fanin_status fi_grid_recipe(fanin_recipe **out, fanin_ctx *ctx, const fanin_study *s, int part,
                                 int64_t condition, uint64_t seed) {
    const struct fi_part_of *p = &s->parts[part];
    struct fi_arena arena;
    int n;
    *out = NULL;
    fi_arena_init(&arena, ctx);
    const char *set = fi_arena_printf(&arena, "train.seed=%llu", (unsigned long long)seed);
    const struct fi_change *changes = set ? gather(&arena, p, condition, set, &n) : NULL;
    const enum fanin_status status =
        changes ? fi_recipe_from_value(out, ctx, p->recipe, changes, n) : FANIN_ERR_MEMORY;
    fi_arena_free(&arena);
    return status;
}
