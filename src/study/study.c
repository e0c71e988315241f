/* SPDX-License-Identifier: Apache-2.0 */
/* Studies: making and freeing them, and what they are made of; see fanin/study.h. */
#include <math.h>
#include <string.h>

#include "study/study.h"

/* Every recipe of the grid is read, so that a mistake is told before anything runs. */
static enum fanin_status check_recipes(fanin_study *s) {
    for (int p = 0; p < s->n_parts; p++) {
        const struct fi_part_of *part = &s->parts[p];
        for (int64_t c = 0; c < part->conditions; c++) {
            fanin_recipe *recipe;
            if (fi_grid_left_out(part, c)) continue;
            FI_TRY(fi_grid_recipe(&recipe, s->ctx, s, p, c, (uint64_t)part->first_seed));
            fanin_recipe_free(recipe);
        }
    }
    return FANIN_OK;
}

enum fanin_status fanin_study_load(fanin_study **out, fanin_ctx *ctx, const char *path,
                                   const struct fanin_study_options *options) {
    static const struct fanin_study_options plain = {.size = sizeof plain};
    *out = NULL;
    if (!path) return fi_fail(ctx, FANIN_ERR_ARGUMENT, "fanin_study_load: no file is given");
    fanin_study *s = fi_alloc(ctx, 1, sizeof *s);
    if (!s) return FANIN_ERR_MEMORY;
    s->ctx = ctx;
    fi_arena_init(&s->arena, ctx);
    fi_arena_init(&s->judged, ctx);
    (void)pthread_mutex_init(&s->lock, NULL);
    s->path = fi_arena_strdup(&s->arena, path);
    enum fanin_status status =
        s->path ? fi_study_read(s, options ? options : &plain) : FANIN_ERR_MEMORY;
    if (status == FANIN_OK) status = check_recipes(s);
    if (status == FANIN_OK) status = fi_study_check_claims(s);
    if (status == FANIN_OK) status = fi_study_check_plots(s);
    if (status != FANIN_OK) {
        fanin_study_free(s);
        return status;
    }
    *out = s;
    return FANIN_OK;
}

void fanin_study_free(fanin_study *s) {
    if (!s) return;
    fi_store_close(s);
    (void)pthread_mutex_destroy(&s->lock);
    fi_arena_free(&s->judged);
    fi_arena_free(&s->arena);
    fi_free(s->ctx, s);
}

const char *fanin_study_name(const fanin_study *s) {
    return s->name;
}

const char *fanin_study_title(const fanin_study *s) {
    return s->title ? s->title : s->name;
}

enum fanin_status fanin_study_open(fanin_study *s, const char *path) {
    FI_TRY(fi_study_keys_of_runs(s));
    FI_TRY(fi_store_open(s, path));
    return fi_store_find(s);
}

enum fanin_status fanin_study_csv(fanin_study *s, fanin_sink_fn sink, void *payload) {
    if (!s->store)
        return fi_fail(s->ctx, FANIN_ERR_ARGUMENT, "fanin_study_csv: the study is not open");
    return fi_store_csv(s, sink, payload);
}

int fanin_study_parts(const fanin_study *s) {
    return s->n_parts;
}

struct fanin_study_part fanin_study_get_part(const fanin_study *s, int part) {
    const struct fi_part_of *p = &s->parts[part];
    return (struct fanin_study_part){.name = p->name,
                                     .title = p->title ? p->title : p->name,
                                     .conditions = p->conditions,
                                     .seeds = p->seeds};
}

struct fanin_study_condition fanin_study_get_condition(const fanin_study *s, int part,
                                                       int64_t condition) {
    const struct fi_part_of *p = &s->parts[part];
    struct fanin_study_condition out = {
        .name = p->names[condition], .left_out = fi_grid_left_out(p, condition), .seconds = NAN};
    double seconds = 0;
    for (int64_t k = 0; k < p->seeds; k++) {
        const struct fi_study_run *run = &p->runs[condition * p->seeds + k];
        out.running += run->state == FI_RUN_RUNNING;
        if (run->state != FI_RUN_DONE) continue;
        out.done++;
        out.diverged += run->diverged;
        seconds += run->seconds;
    }
    if (out.done > 0) out.seconds = seconds / (double)out.done;
    return out;
}
