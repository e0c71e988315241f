/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Studies: a recipe run over a grid of conditions and several seeds, what was measured of each run,
 * and what follows for the claims that the study states. docs/study.md says what a study file
 * holds.
 *
 *     fanin_study *study;
 *     if (fanin_study_load(&study, ctx, "study.yaml", NULL) == FANIN_OK &&
 *         fanin_study_open(study, "study.sqlite") == FANIN_OK &&
 *         fanin_study_run(study, NULL) == FANIN_OK && fanin_study_judge(study) == FANIN_OK)
 *         for (int i = 0; i < fanin_study_claims(study); i++) … fanin_study_get_claim(study, i) …
 *     fanin_study_free(study);
 *
 * A run is known by its recipe with all overrides and its seed, by what is measured of it, by the
 * bytes of its data files and by the release. Runs that the records hold are not run again, so a
 * study that was stopped goes on, and a changed grid runs only what is new.
 */
#ifndef FANIN_STUDY_H
#define FANIN_STUDY_H

#include <fanin/page.h>
#include <fanin/recipe.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_study fanin_study;

/* Set size to sizeof(struct fanin_study_options); a zero field means its default. */
struct fanin_study_options {
    size_t size;
    const char *const *overrides; /* "path=value" for the recipes of all parts, as for a recipe;
                                   * those of `data` go to parts that read files */
    int n_overrides;
    const char *const *variants; /* by name, in this order: "quick", … */
    int n_variants;
    const char *part; /* this one alone; NULL: all */
    int64_t seeds;    /* runs of a condition; 0: as the file says */
};

/* Reads a study file; every recipe of its grid is read, so that mistakes are found before anything
 * runs. Errors: IO, RECIPE (file, line, key, nearest name), ARGUMENT (no such part or variant),
 * MEMORY. */
FANIN_API enum fanin_status fanin_study_load(fanin_study **out, fanin_ctx *ctx, const char *path,
                                             const struct fanin_study_options *options);
FANIN_API void fanin_study_free(fanin_study *study);
/* Borrowed. The title is the name where the file has none. */
FANIN_API const char *fanin_study_name(const fanin_study *study);
FANIN_API const char *fanin_study_title(const fanin_study *study);

/* Opens the file of records, or makes it; marks the runs it holds as done. Errors: IO (not to be
 * written, or no file of records). */
FANIN_API enum fanin_status fanin_study_open(fanin_study *study, const char *path);

/* ---- what there is to run ---------------------------------------------------------------------------- */

struct fanin_study_part {
    const char *name, *title;
    int64_t conditions, seeds;
};
struct fanin_study_condition {
    const char *name;      /* the names of its axes' conditions, "tanh, 0.01" */
    int left_out;          /* 1: by a variant; it is not run */
    int64_t done, running; /* of the part's seeds */
    int64_t diverged;      /* of those done: the loss was not finite any more */
    double seconds;        /* of a core, mean of those done; NaN: none yet */
};
FANIN_API int fanin_study_parts(const fanin_study *study);
FANIN_API struct fanin_study_part fanin_study_get_part(const fanin_study *study, int part);
FANIN_API struct fanin_study_condition fanin_study_get_condition(const fanin_study *study, int part,
                                                                 int64_t condition);

struct fanin_study_plan {
    int64_t runs, done;
    double seconds; /* for what is left on one core, about; NaN: not known yet */
};
/* Times a few steps of each condition of which nothing is known. */
FANIN_API enum fanin_status fanin_study_estimate(fanin_study *study, struct fanin_study_plan *out);

/* ---- running ------------------------------------------------------------------------------------------ */

/* A run has begun or ended, or (part < 0) a fifth of a second has passed. */
struct fanin_study_event {
    int part; /* -1: none */
    int64_t condition;
    uint64_t seed;
    int ended;      /* 1: the run is done */
    int diverged;   /* 1: it ended early: the loss was not finite */
    double seconds; /* of a core that it took */
    int64_t done, runs;
    double left; /* seconds to the end of all runs, about; NaN: not known yet */
};
/* Set size to sizeof(struct fanin_study_run_options); a zero field means its default. */
struct fanin_study_run_options {
    size_t size;
    int jobs; /* trainings at once, of one thread each; default: the processors */
    void (*event)(void *payload, const struct fanin_study_event *event); /* one at a time */
    void *payload;
};
/* Runs what is not done yet. Each run is recorded when it ends, whole or not at all. Errors:
 * STOPPED (fanin_stop was called on the study's context: what had ended is recorded), those of
 * training and data (which condition), IO (the records), MEMORY. */
FANIN_API enum fanin_status fanin_study_run(fanin_study *study,
                                            const struct fanin_study_run_options *options);

/* ---- what came out --------------------------------------------------------------------------------------- */

enum fanin_claim_verdict {
    FANIN_CLAIM_HOLDS,
    FANIN_CLAIM_FAILS,     /* the opposite is significant, or an exact claim is not met */
    FANIN_CLAIM_UNDECIDED, /* neither */
    FANIN_CLAIM_NOT_RUN    /* some run it needs is not there */
};
/* Borrowed until the study is judged again or freed. */
struct fanin_study_claim {
    const char *part, *name, *text; /* text: the expression */
    const char *each;               /* the condition it is looked at in; "": there is one only */
    const char *source, *test, *why;
    enum fanin_claim_verdict verdict;
    const char *sentence; /* means, intervals, n */
};
/* Evaluates the claims on the records. Errors: RECIPE (a claim names what was not measured), IO,
 * MEMORY. */
FANIN_API enum fanin_status fanin_study_judge(fanin_study *study);
FANIN_API int fanin_study_claims(const fanin_study *study);
FANIN_API const struct fanin_study_claim *fanin_study_get_claim(const fanin_study *study,
                                                                int index);

/* Fills a page with claims, plots, recipe and how to repeat it; the study must have been judged.
 * command: the line that made it. Errors: IO, RECIPE (a plot names what was not measured), MEMORY.
 */
FANIN_API enum fanin_status fanin_study_page(fanin_study *study, fanin_page *page,
                                             const char *command);
/* All figures as CSV: part, condition, seed, step, figure, where, value. Errors: IO, MEMORY. */
FANIN_API enum fanin_status fanin_study_csv(fanin_study *study, fanin_sink_fn sink, void *payload);

#ifdef __cplusplus
}
#endif
#endif
