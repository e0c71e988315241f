/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims on the records: terms of their expressions are looked up among the runs, and what comes of
 * the tests is kept as one sentence each.
 *
 * A term names conditions of axes; axes it does not name are fixed by the condition of `each` that
 * the claim is looked at in, or have one condition only.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "study/claim.h"
#include "study/study.h"

struct judging {
    fanin_study *s;
    struct fi_arena *arena;
    int part;
    const struct fi_claim_of *claim;
    int fixed[16];  /* level of each axis that `each` names; -1 */
    bool not_run;   /* a run that is asked for is not there */
    int64_t *steps; /* of the last series */
    double *values;
};

static const struct fi_part_of *part_of(const struct judging *j) {
    return &j->s->parts[j->part];
}

static enum fanin_status fail(const struct judging *j, const char *message) {
    return fi_fail_at(j->s->ctx, j->claim->mark, "claim '%.100s': %s", j->claim->name, message);
}

/* ---- conditions --------------------------------------------------------------------------------------- */

static int find_level(const struct fi_axis *axis, const struct fi_selector *sel) {
    for (int k = 0; k < axis->n_levels; k++)
        if (strcmp(axis->levels[k].name, sel->value) == 0) return k;
    for (int k = 0; k < axis->n_levels; k++) /* 1e-3 is 0.001 */
        if (!isnan(sel->number) && axis->levels[k].number == sel->number) return k;
    return -1;
}

static enum fanin_status fail_selector(const struct judging *j, const struct fi_selector *sel) {
    const struct fi_part_of *part = part_of(j);
    const char *names[256];
    char message[512];
    int n = 0;
    for (int a = 0; a < part->n_axes; a++)
        for (int k = 0; k < part->axes[a].n_levels && n < FI_COUNT(names); k++)
            if (!sel->axis || strcmp(sel->axis, part->axes[a].name) == 0)
                names[n++] = part->axes[a].levels[k].name;
    const char *near = fanin_nearest(sel->value, names, n);
    (void)snprintf(message, sizeof message, "the grid has no condition '%.60s'%s%.60s%s%s%.60s%s",
                   sel->value, sel->axis ? " of an axis '" : "", sel->axis ? sel->axis : "",
                   sel->axis ? "'" : "", near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
    return fail(j, message);
}

static enum fanin_status take_selector(const struct judging *j, const struct fi_selector *sel,
                                       int *levels) {
    const struct fi_part_of *part = part_of(j);
    int axis = -1, level = -1;
    char message[256];
    for (int a = 0; a < part->n_axes; a++) {
        if (sel->axis && strcmp(sel->axis, part->axes[a].name) != 0) continue;
        const int k = find_level(&part->axes[a], sel);
        if (k < 0) continue;
        if (axis >= 0) {
            (void)snprintf(message, sizeof message,
                           "'%.60s' is a condition of '%.60s' and of '%.60s': write axis=value",
                           sel->value, part->axes[axis].name, part->axes[a].name);
            return fail(j, message);
        }
        axis = a;
        level = k;
    }
    if (axis < 0) return fail_selector(j, sel);
    levels[axis] = level;
    return FANIN_OK;
}

static enum fanin_status find_condition(const struct judging *j, const struct fi_term *term,
                                        int64_t *condition) {
    const struct fi_part_of *part = part_of(j);
    int levels[16];
    char message[256];
    for (int a = 0; a < part->n_axes; a++) levels[a] = j->fixed[a];
    for (int i = 0; i < term->n_selectors; i++)
        FI_TRY(take_selector(j, &term->selectors[i], levels));
    for (int a = 0; a < part->n_axes; a++) {
        if (levels[a] >= 0) continue;
        if (part->axes[a].n_levels > 1) {
            (void)snprintf(message, sizeof message,
                           "%.80s does not say which condition of '%.60s'; name it, or give the "
                           "axis to `each`",
                           term->figure, part->axes[a].name);
            return fail(j, message);
        }
        levels[a] = 0;
    }
    *condition = fi_grid_condition(part, levels);
    return FANIN_OK;
}

/* ---- terms ---------------------------------------------------------------------------------------------- */

/* Is there such a figure at all? Called when no run had a value. */
static enum fanin_status check_figure(const struct judging *j, const struct fi_term *term,
                                      int64_t run) {
    const char **names, **wheres;
    char message[400];
    int64_t n, n_wheres;
    FI_TRY(fi_store_names(j->s, j->arena, run, &names, &n));
    FI_TRY(fi_store_wheres(j->s, j->arena, run, term->figure, &wheres, &n_wheres));
    if (n_wheres == 0) {
        const char *near = fanin_nearest(term->figure, names, (int)n);
        (void)snprintf(message, sizeof message, "nothing measured is called '%.80s'%s%.80s%s",
                       term->figure, near ? "; did you mean '" : "", near ? near : "",
                       near ? "'?" : "");
        return fail(j, message);
    }
    for (int64_t i = 0; i < n_wheres; i++)
        if (strcmp(wheres[i], term->where ? term->where : "") == 0) return FANIN_OK;
    (void)snprintf(message, sizeof message, "%.80s was not measured at '%.60s', but at %.60s%s",
                   term->figure, term->where ? term->where : "", wheres[0],
                   n_wheres > 1 ? " and others" : "");
    return fail(j, message);
}

static double value_of(const int64_t *steps, const double *values, int64_t n, int64_t step) {
    if (n == 0) return NAN;
    if (step < 0) return values[n - 1];
    for (int64_t i = 0; i < n; i++)
        if (steps[i] == step) return values[i];
    return NAN;
}

static enum fanin_status term_values(void *of, const struct fi_term *term, double *out) {
    struct judging *j = of;
    const struct fi_part_of *part = part_of(j);
    int64_t condition, any = -1, found = 0;
    FI_TRY(find_condition(j, term, &condition));
    for (int64_t k = 0; k < part->seeds; k++) {
        const struct fi_study_run *run = &part->runs[condition * part->seeds + k];
        int64_t *steps, n;
        double *values;
        out[k] = NAN;
        if (run->state != FI_RUN_DONE) {
            j->not_run = true;
            continue;
        }
        any = run->id;
        FI_TRY(fi_store_series(j->s, j->arena, run->id, term->figure,
                               term->where ? term->where : "", &steps, &values, &n));
        out[k] = value_of(steps, values, n, term->step);
        found += n;
    }
    return any >= 0 && found == 0 ? check_figure(j, term, any) : FANIN_OK;
}

static enum fanin_status term_series(void *of, const struct fi_term *term, int64_t seed,
                                     const int64_t **steps, const double **values, int64_t *n) {
    struct judging *j = of;
    const struct fi_part_of *part = part_of(j);
    int64_t condition;
    *n = 0;
    FI_TRY(find_condition(j, term, &condition));
    const struct fi_study_run *run = &part->runs[condition * part->seeds + seed];
    if (run->state != FI_RUN_DONE) {
        j->not_run = true;
        return FANIN_OK;
    }
    FI_TRY(fi_store_series(j->s, j->arena, run->id, term->figure, term->where ? term->where : "",
                           &j->steps, &j->values, n));
    *steps = j->steps;
    *values = j->values;
    return *n == 0 ? check_figure(j, term, run->id) : FANIN_OK;
}

static enum fanin_status term_wheres(void *of, const struct fi_term *term,
                                     const char *const **names, int64_t *n) {
    struct judging *j = of;
    const struct fi_part_of *part = part_of(j);
    const char **found = NULL;
    int64_t condition;
    *n = 0;
    FI_TRY(find_condition(j, term, &condition));
    for (int64_t k = 0; k < part->seeds && *n == 0; k++) {
        const struct fi_study_run *run = &part->runs[condition * part->seeds + k];
        if (run->state == FI_RUN_DONE) {
            FI_TRY(fi_store_wheres(j->s, j->arena, run->id, term->figure, &found, n));
            if (*n == 0) FI_TRY(check_figure(j, term, run->id));
        } else {
            j->not_run = true;
        }
    }
    *names = found;
    return FANIN_OK;
}

/* ---- claims -------------------------------------------------------------------------------------------- */

static enum fanin_status add_claim(struct judging *j, const struct fi_claim_result *result,
                                   const char *each, const char *test) {
    static const enum fanin_claim_verdict verdicts[] = {[FI_FAILS] = FANIN_CLAIM_FAILS,
                                                        [FI_UNDECIDED] = FANIN_CLAIM_UNDECIDED,
                                                        [FI_HOLDS] = FANIN_CLAIM_HOLDS};
    fanin_study *s = j->s;
    FI_TRY(fi_arena_grow(j->arena, (void **)&s->claims, &s->cap_claims, s->n_claims + 1,
                         sizeof *s->claims));
    s->claims[s->n_claims++] = (struct fanin_study_claim){
        .part = part_of(j)->name,
        .name = j->claim->name,
        .text = j->claim->expect,
        .each = each,
        .source = j->claim->source,
        .test = test,
        .why = j->claim->why,
        .verdict = j->not_run ? FANIN_CLAIM_NOT_RUN : verdicts[result->verdict],
        .sentence = j->not_run ? "not all of its runs were made" : result->sentence};
    return FANIN_OK;
}

static enum fanin_status decide(struct judging *j, const char *each) {
    static const char *const tests[] = {"paired", "welch", "sign", "exact"};
    const struct fi_term_source source = {.n_seeds = part_of(j)->seeds,
                                          .of = j,
                                          .values = term_values,
                                          .series = term_series,
                                          .wheres = term_wheres};
    struct fi_claim_result result;
    j->not_run = false;
    FI_TRY(fi_claim_decide(j->arena, &result, j->claim->parsed, &source));
    return add_claim(j, &result, each, result.n_findings > 0 ? tests[result.findings[0].test] : "");
}

static enum fanin_status find_axis(const struct judging *j, const char *name, int *axis) {
    char message[160];
    *axis = fi_grid_axis(part_of(j), name);
    if (*axis >= 0) return FANIN_OK;
    (void)snprintf(message, sizeof message, "each: the grid has no axis '%.60s'", name);
    return fail(j, message);
}

/* All combinations of the conditions of the axes in `each`, from the i-th of these on. */
static enum fanin_status decide_each(struct judging *j, int64_t i) {
    const struct fi_part_of *part = part_of(j);
    if (i == j->claim->each.n) {
        unsigned axes = 0;
        int levels[16];
        for (int a = 0; a < part->n_axes; a++) {
            levels[a] = FI_MAX(j->fixed[a], 0);
            if (j->fixed[a] >= 0) axes |= 1u << a;
        }
        const char *each = fi_grid_name(j->arena, part, fi_grid_condition(part, levels), axes);
        return each ? decide(j, each) : FANIN_ERR_MEMORY;
    }
    int axis;
    FI_TRY(find_axis(j, j->claim->each.items[i].text, &axis));
    for (int k = 0; k < part->axes[axis].n_levels; k++) {
        if (part->axes[axis].levels[k].left_out) continue;
        j->fixed[axis] = k;
        FI_TRY(decide_each(j, i + 1));
    }
    j->fixed[axis] = -1;
    return FANIN_OK;
}

enum fanin_status fi_study_check_claims(fanin_study *s) {
    struct judging j = {.s = s, .arena = &s->arena};
    for (j.part = 0; j.part < s->n_parts; j.part++)
        for (int i = 0; i < part_of(&j)->n_claims; i++) {
            j.claim = &part_of(&j)->claims[i];
            for (int a = 0; a < FI_COUNT(j.fixed); a++) j.fixed[a] = -1;
            for (int64_t k = 0; k < j.claim->each.n; k++) {
                int axis;
                FI_TRY(find_axis(&j, j.claim->each.items[k].text, &axis));
                j.fixed[axis] = 0;
            }
            for (int64_t k = 0; k < j.claim->parsed->n_terms; k++) {
                int64_t condition;
                FI_TRY(find_condition(&j, &j.claim->parsed->terms[k], &condition));
            }
        }
    return FANIN_OK;
}

enum fanin_status fanin_study_judge(fanin_study *s) {
    struct judging j = {.s = s, .arena = &s->judged};
    fi_arena_free(&s->judged);
    fi_arena_init(&s->judged, s->ctx);
    s->claims = NULL;
    s->n_claims = 0;
    s->cap_claims = 0;
    for (j.part = 0; j.part < s->n_parts; j.part++)
        for (int i = 0; i < part_of(&j)->n_claims; i++) {
            for (int a = 0; a < FI_COUNT(j.fixed); a++) j.fixed[a] = -1;
            j.claim = &part_of(&j)->claims[i];
            FI_TRY(decide_each(&j, 0));
        }
    return FANIN_OK;
}

int fanin_study_claims(const fanin_study *s) {
    return s->n_claims;
}

const struct fanin_study_claim *fanin_study_get_claim(const fanin_study *s, int index) {
    return index >= 0 && index < s->n_claims ? &s->claims[index] : NULL;
}
