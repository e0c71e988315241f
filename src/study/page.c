/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A study as a page: its claims first, then part by part the plots, what was run, and the recipe.
 */
#include <math.h>
#include <string.h>

#include "study/plot/plot.h"

static const struct {
    enum fanin_page_tone tone;
    const char *label;
} verdicts[] = {[FANIN_CLAIM_HOLDS] = {FANIN_PAGE_GOOD, "holds"},
                [FANIN_CLAIM_FAILS] = {FANIN_PAGE_BAD, "does not hold"},
                [FANIN_CLAIM_UNDECIDED] = {FANIN_PAGE_CAUTION, "undecided"},
                [FANIN_CLAIM_NOT_RUN] = {FANIN_PAGE_PLAIN, "not run"}};

/* ---- the head ------------------------------------------------------------------------------------------ */

static enum fanin_status add_head(const struct fi_drawing *d) {
    fanin_study *s = d->study;
    int counts[FI_COUNT(verdicts)] = {0};
    int64_t runs = 0, seeds = 0, diverged = 0;
    for (int i = 0; i < s->n_claims; i++) counts[s->claims[i].verdict]++;
    for (int p = 0; p < s->n_parts; p++) {
        seeds = FI_MAX(seeds, s->parts[p].seeds);
        for (int64_t i = 0; i < s->parts[p].conditions * s->parts[p].seeds; i++) {
            const struct fi_study_run *run = &s->parts[p].runs[i];
            if (run->state != FI_RUN_DONE) continue;
            runs++;
            diverged += run->diverged;
        }
    }
    if (s->about) fanin_page_add_text(d->page, s->about);
    struct fanin_page_fact facts[8];
    int n = 0;
    for (int v = 0; v < FI_COUNT(verdicts); v++)
        if (counts[v] > 0 || v == FANIN_CLAIM_HOLDS)
            facts[n++] = (struct fanin_page_fact){.name = verdicts[v].label,
                                                  .value = {.number = counts[v]},
                                                  .text = counts[v] == 1 ? "claim" : "claims"};
    const char *lost = fi_arena_printf(d->arena, "%lld of them diverged", (long long)diverged);
    if (!lost) return FANIN_ERR_MEMORY;
    facts[n++] = (struct fanin_page_fact){
        .name = "runs", .value = {.number = (double)runs}, .text = diverged ? lost : NULL};
    facts[n++] = (struct fanin_page_fact){
        .name = "seeds", .value = {.number = (double)seeds}, .text = "of each condition, at most"};
    const char *date;
    FI_TRY(fi_store_date(s, d->arena, &date));
    facts[n++] = (struct fanin_page_fact){
        .name = "release", .value = {.text = FANIN_VERSION}, .text = *date ? date : NULL};
    fanin_page_add_facts(d->page, facts, n);
    if (s->source) {
        const char *source = fi_arena_printf(d->arena, "After: %s", s->source);
        if (!source) return FANIN_ERR_MEMORY;
        fanin_page_add_text(d->page, source);
    }
    if (s->deviations) {
        const char *text = fi_arena_printf(d->arena, "Otherwise than there: %s", s->deviations);
        if (!text) return FANIN_ERR_MEMORY;
        fanin_page_add_text(d->page, text);
    }
    return FANIN_OK;
}

/* Sizes that are not those of the file must be seen. */
static void add_variants(const struct fi_drawing *d) {
    const char *before = "";
    for (int p = 0; p < d->study->n_parts; p++) {
        const struct fi_part_of *part = &d->study->parts[p];
        if (!*part->variants || strcmp(part->variants, before) == 0) continue;
        before = part->variants;
        const struct fanin_page_notice notice = {.tone = FANIN_PAGE_CAUTION,
                                                 .label = "not the full study",
                                                 .title = part->name,
                                                 .text = part->variants};
        fanin_page_add_notice(d->page, &notice);
    }
}

/* ---- claims -------------------------------------------------------------------------------------------- */

static enum fanin_status add_claim(const struct fi_drawing *d, const struct fanin_study_claim *c) {
    const char *title = *c->each ? fi_arena_printf(d->arena, "%s: %s", c->name, c->each) : c->name;
    const char *text = fi_arena_printf(d->arena, "%s%s%s%s", c->sentence,
                                       c->verdict == FANIN_CLAIM_NOT_RUN ? "" : " (",
                                       c->verdict == FANIN_CLAIM_NOT_RUN ? "" : c->test,
                                       c->verdict == FANIN_CLAIM_NOT_RUN ? ""
                                       : strcmp(c->test, "exact") == 0   ? ")"
                                                                         : " test)");
    const char *more = c->source && c->why ? fi_arena_printf(d->arena, "%s. %s", c->source, c->why)
                       : c->source         ? c->source
                                           : c->why;
    if (!title || !text || (c->source && !more)) return FANIN_ERR_MEMORY;
    const struct fanin_page_notice notice = {.tone = verdicts[c->verdict].tone,
                                             .label = verdicts[c->verdict].label,
                                             .title = title,
                                             .text = text,
                                             .more = more,
                                             .code = c->text};
    fanin_page_add_notice(d->page, &notice);
    return FANIN_OK;
}

/* A claim made in many conditions: what came of it in all of them, and each in a table. */
static enum fanin_status add_family(const struct fi_drawing *d, int first, int n) {
    const struct fanin_study_claim *all = d->study->claims + first;
    struct fanin_study_claim whole = all[0];
    int counts[FI_COUNT(verdicts)] = {0};
    struct fanin_page_cell *cells = fi_arena_alloc(d->arena, 3 * (int64_t)n, sizeof *cells);
    const char *const columns[] = {"condition", "verdict", "figures"};
    if (!cells) return FANIN_ERR_MEMORY;
    whole.verdict = FANIN_CLAIM_HOLDS;
    for (int i = 0; i < n; i++) {
        counts[all[i].verdict]++;
        cells[3 * i].text = all[i].each;
        cells[3 * i + 1].text = verdicts[all[i].verdict].label;
        cells[3 * i + 2].text = all[i].sentence;
    }
    for (int v = 0; v < FI_COUNT(verdicts); v++) /* the worst; what was not run says least */
        if (counts[v] > 0 && v != FANIN_CLAIM_FAILS) whole.verdict = (enum fanin_claim_verdict)v;
    if (counts[FANIN_CLAIM_FAILS] > 0) whole.verdict = FANIN_CLAIM_FAILS;
    whole.each = "";
    whole.sentence =
        fi_arena_printf(d->arena, "holds in %d of %d conditions", counts[FANIN_CLAIM_HOLDS], n);
    if (!whole.sentence) return FANIN_ERR_MEMORY;
    FI_TRY(add_claim(d, &whole));
    const struct fanin_page_table table = {
        .title = all[0].name, .columns = columns, .n_columns = 3, .cells = cells, .n_rows = n};
    fanin_page_add_table(d->page, &table);
    return FANIN_OK;
}

static enum fanin_status add_claims(const struct fi_drawing *d) {
    const fanin_study *s = d->study;
    if (s->n_claims == 0) return FANIN_OK;
    fanin_page_add_section(d->page, "Claims",
                           "Each is tested over the seeds, one-sided; ± and brackets are 95 % "
                           "intervals.");
    for (int i = 0; i < s->n_claims;) {
        int n = 1;
        while (i + n < s->n_claims && *s->claims[i].each &&
               s->claims[i + n].text == s->claims[i].text)
            n++;
        FI_TRY(n > 1 ? add_family(d, i, n) : add_claim(d, &s->claims[i]));
        i += n;
    }
    return FANIN_OK;
}

/* ---- parts ---------------------------------------------------------------------------------------------- */

static enum fanin_status add_runs(const struct fi_drawing *d) {
    const struct fi_part_of *part = &d->study->parts[d->part];
    const char *const columns[] = {"condition", "runs", "diverged"};
    struct fanin_page_cell *cells = fi_arena_alloc(d->arena, 3 * part->conditions, sizeof *cells);
    int64_t rows = 0;
    if (!cells) return FANIN_ERR_MEMORY;
    if (part->conditions == 1) return FANIN_OK;
    for (int64_t c = 0; c < part->conditions; c++) {
        const struct fanin_study_condition of = fanin_study_get_condition(d->study, d->part, c);
        if (of.left_out) continue;
        struct fanin_page_cell *row = cells + 3 * rows++;
        row[0].text = of.name;
        row[1].number = (double)of.done;
        row[2].number = (double)of.diverged;
    }
    const struct fanin_page_table table = {
        .title = "Runs", .columns = columns, .n_columns = 3, .cells = cells, .n_rows = rows};
    fanin_page_add_table(d->page, &table);
    return FANIN_OK;
}

static enum fanin_status add_recipe(const struct fi_drawing *d) {
    const struct fi_part_of *part = &d->study->parts[d->part];
    struct fi_figures scratch = {0};
    const char *json;
    int64_t c = 0;
    while (c + 1 < part->conditions && fi_grid_left_out(part, c)) c++;
    fi_arena_init(&scratch.arena, d->study->ctx);
    const enum fanin_status status =
        fi_study_recorded(d->study, &scratch.arena, d->part, c, (uint64_t)part->first_seed, &json);
    const char *title =
        *part->names[c] ? fi_arena_printf(d->arena, "Recipe: %s", part->names[c]) : "Recipe";
    if (status == FANIN_OK) fanin_page_add_code(d->page, title, json, 1);
    fi_arena_free(&scratch.arena);
    return title ? status : FANIN_ERR_MEMORY;
}

static enum fanin_status add_part(struct fi_drawing *d) {
    const struct fi_part_of *part = &d->study->parts[d->part];
    fanin_page_add_section(d->page, part->title ? part->title : part->name, part->about);
    const char *const prose[] = {part->source, part->deviations};
    for (int i = 0; i < FI_COUNT(prose); i++) {
        if (!prose[i]) continue;
        const char *text = i == 0 ? fi_arena_printf(d->arena, "After: %s", prose[i])
                                  : fi_arena_printf(d->arena, "Otherwise than there: %s", prose[i]);
        if (!text) return FANIN_ERR_MEMORY;
        fanin_page_add_text(d->page, text);
    }
    for (int i = 0; i < part->n_plots; i++) {
        const struct fi_plot *plot =
            (const struct fi_plot *)(const void *)part->plots[i].rule.record;
        const void *attrs = part->plots[i].rule.attrs;
        struct fi_chosen *chosen;
        int64_t n;
        d->mark = part->plots[i].mark;
        FI_TRY(fi_plot_choose(d, attrs, &chosen, &n)); /* attrs begin with those of every plot */
        for (int64_t k = 0; k < n; k++) FI_TRY(plot->draw(d, attrs, &chosen[k]));
    }
    FI_TRY(add_runs(d));
    return add_recipe(d);
}

enum fanin_status fi_study_check_plots(fanin_study *s) {
    struct fi_arena arena;
    struct fi_drawing d = {.study = s, .arena = &arena};
    enum fanin_status status = FANIN_OK;
    fi_arena_init(&arena, s->ctx);
    for (d.part = 0; d.part < s->n_parts; d.part++)
        for (int i = 0; i < s->parts[d.part].n_plots && status == FANIN_OK; i++) {
            struct fi_chosen *plots;
            int64_t n;
            d.mark = s->parts[d.part].plots[i].mark;
            /* what the attributes of every plot begin with */
            status = fi_plot_choose(&d, s->parts[d.part].plots[i].rule.attrs, &plots, &n);
        }
    fi_arena_free(&arena);
    return status;
}

enum fanin_status fanin_study_page(fanin_study *s, fanin_page *page, const char *command) {
    struct fi_arena arena;
    struct fi_drawing d = {.study = s, .page = page, .arena = &arena};
    fi_arena_init(&arena, s->ctx);
    enum fanin_status status = add_head(&d);
    if (status == FANIN_OK) add_variants(&d);
    if (status == FANIN_OK) status = add_claims(&d);
    for (d.part = 0; d.part < s->n_parts && status == FANIN_OK; d.part++) {
        fi_arena_free(&arena);
        fi_arena_init(&arena, s->ctx);
        status = add_part(&d);
    }
    if (status == FANIN_OK && command) {
        fanin_page_add_section(page, "To repeat", "The same seeds give the same figures.");
        fanin_page_add_code(page, NULL, command, 0);
    }
    fi_arena_free(&arena);
    return status;
}
