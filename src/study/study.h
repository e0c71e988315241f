/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Studies inside the library.
 *
 *   keys     what a study file may hold            read    the file into structs
 *   grid     axes, conditions, their recipes       store   records of runs (SQLite)
 *   run      one run and what is measured          jobs    several at once
 *   judge    claims on the records                 page    a page of all of it
 *   claim, expression, statistics                  the language of claims and its tests
 *   probe/   what can be measured                  plot/   what can be drawn, a record a file
 */
#ifndef FI_STUDY_H
#define FI_STUDY_H

#include <fanin/study.h>
#include <pthread.h>

#include "study/probe.h"

struct fi_claim;
struct sqlite3;

/* ---- the file ------------------------------------------------------------------------------------ */

/* A condition of one axis: what it changes in the recipe. */
struct fi_level {
    const char *name;
    double number;                  /* the name as a number; NaN: it is none */
    const struct fi_change *change; /* in the recipe */
    int n_change;
    struct fi_mark mark;
    bool left_out; /* by a variant: not run */
};
struct fi_axis {
    const char *name;
    struct fi_level *levels;
    int n_levels;
};

/* When a probe looks. */
enum { FI_AT_START = 1, FI_AT_EPOCH = 2, FI_AT_END = 4 };
struct fi_measure_of {
    const char *name;
    struct fanin_rule_ref rule; /* records of the study's context; those of others are the same */
    unsigned at;
    int64_t every;    /* updates; 0: never */
    const char *json; /* as written, for the key of a run */
    struct fi_mark mark;
};

struct fi_claim_of {
    const char *name, *expect, *source, *why;
    struct fanin_texts each; /* axes: one verdict for each of their conditions */
    const struct fi_claim *parsed;
    struct fi_mark mark;
};

struct fi_plot_of {
    struct fanin_rule_ref rule;
    struct fi_mark mark;
};

enum fi_run_state { FI_RUN_OPEN, FI_RUN_RUNNING, FI_RUN_DONE };
struct fi_study_run {
    uint64_t key;
    enum fi_run_state state;
    bool diverged;
    double seconds; /* NaN: not known */
    int64_t id;     /* in the records */
};

struct fi_part_of {
    const char *name, *title, *about, *source, *deviations;
    const struct fi_value *recipe;
    const struct fi_change *change; /* of all its conditions */
    int n_change;
    const char *variants; /* what the variants that apply say of themselves; "": none */
    bool embedded;        /* for want of files the embedded data stand in */
    bool trains;          /* false: only the start is looked at */
    int64_t seeds, first_seed;
    struct fi_axis *axes;
    int n_axes;
    int64_t conditions; /* of the whole grid, those left out among them */
    const char **names; /* of the conditions */
    struct fi_measure_of *measures;
    int n_measures;
    struct fi_plot_of *plots;
    int n_plots;
    struct fi_claim_of *claims;
    int n_claims;
    struct fi_study_run *runs; /* conditions × seeds */
    double *cost;              /* of a run of a condition, in seconds; NaN: not known */
};

struct fanin_study {
    fanin_ctx *ctx;
    struct fi_arena arena;
    const char *path, *name, *title, *about, *source, *deviations;
    struct fi_part_of *parts;
    int n_parts;
    struct sqlite3 *store;
    const char *store_path;
    pthread_mutex_t lock;   /* of states, records and events while runs are under way */
    struct fi_arena judged; /* what follows */
    struct fanin_study_claim *claims;
    int n_claims;
    int64_t cap_claims;
};

/* read.c: the file, its variants and options put in; errors name file and line. */
enum fanin_status fi_study_read(fanin_study *s, const struct fanin_study_options *options);
/* A map {path: value} as overrides; value NULL: none. */
enum fanin_status fi_study_changes(struct fi_arena *arena, const struct fi_change **out, int *n,
                                   const struct fi_value *map, const char *path);

/* ---- the grid --------------------------------------------------------------------------------------- */

/* grid.c: reads the key `grid`. */
enum fanin_status fi_grid_read(struct fi_arena *arena, struct fi_part_of *part,
                               const struct fi_value *grid);
/* The level of an axis in a condition. */
int fi_grid_level(const struct fi_part_of *part, int64_t condition, int axis);
/* Whether a variant leaves the condition out. */
bool fi_grid_left_out(const struct fi_part_of *part, int64_t condition);
/* The condition of levels[axis]. */
int64_t fi_grid_condition(const struct fi_part_of *part, const int *levels);
/* Names of the levels of the axes in `axes` (bits), "tanh, 0.01"; "" where there are none. */
const char *fi_grid_name(struct fi_arena *arena, const struct fi_part_of *part, int64_t condition,
                         unsigned axes);
/* The axis of a name, -1: there is none. */
int fi_grid_axis(const struct fi_part_of *part, const char *name);
/* The recipe of a condition and a seed, in any context. */
enum fanin_status fi_grid_recipe(fanin_recipe **out, fanin_ctx *ctx, const fanin_study *s, int part,
                                 int64_t condition, uint64_t seed);

/* ---- records ------------------------------------------------------------------------------------------ */

/* Figures of one run while it goes on. */
struct fi_figure_row {
    const char *name, *where;
    int64_t step;
    double value;
};
struct fi_bins_row {
    const char *name, *where;
    int64_t step;
    double low, high;
    int64_t counts[FI_PROBE_BINS];
    int n;
};
struct fi_figures {
    struct fi_arena arena;
    struct fi_figure_row *rows;
    int64_t n, cap;
    struct fi_bins_row *bins;
    int64_t n_bins, cap_bins;
    bool failed; /* memory ran out */
};
enum fanin_status fi_store_open(fanin_study *s, const char *path);
void fi_store_close(fanin_study *s);
/* Finds the runs that are there. */
enum fanin_status fi_store_find(fanin_study *s);
enum fanin_status fi_store_add(fanin_study *s, int part, int64_t condition, uint64_t seed,
                               struct fi_study_run *run, const char *recipe,
                               const struct fi_figures *figures);
/* A figure of one run at each step it has, in the arena; *n 0: none. */
enum fanin_status fi_store_series(fanin_study *s, struct fi_arena *arena, int64_t run,
                                  const char *name, const char *where, int64_t **steps,
                                  double **values, int64_t *n);
/* Where a figure of the run was measured, in the order of measuring. */
enum fanin_status fi_store_wheres(fanin_study *s, struct fi_arena *arena, int64_t run,
                                  const char *name, const char ***wheres, int64_t *n);
/* All names of figures of a run, for messages. */
enum fanin_status fi_store_names(fanin_study *s, struct fi_arena *arena, int64_t run,
                                 const char ***names, int64_t *n);
/* The day of the last of the runs, "2026-11-28"; "": none is done. */
enum fanin_status fi_store_date(fanin_study *s, struct fi_arena *arena, const char **out);
/* Histograms of a run. */
enum fanin_status fi_store_bins(fanin_study *s, struct fi_arena *arena, int64_t run,
                                const char *name, struct fi_bins_row **rows, int64_t *n);
enum fanin_status fi_store_csv(fanin_study *s, fanin_sink_fn sink, void *payload);

/* ---- running -------------------------------------------------------------------------------------------- */

/* What a worker keeps from run to run. */
struct fi_worker {
    fanin_study *study;
    fanin_ctx *ctx; /* of one thread */
    fanin_data *data;
    char *data_key; /* of `data` */
};
enum fanin_status fi_worker_create(struct fi_worker *w, fanin_study *s);
void fi_worker_free(struct fi_worker *w);
/* Trains and measures. Errors: what is no result. */
enum fanin_status fi_study_run_one(struct fi_worker *w, int part, int64_t condition, uint64_t seed,
                                   struct fi_figures *out, const char **recipe, bool *diverged);
/* The recipe of a run as it is recorded: without the folder that the files are in today. */
enum fanin_status fi_study_recorded(const fanin_study *s, struct fi_arena *arena, int part,
                                    int64_t condition, uint64_t seed, const char **json);
/* Seconds of a run, from a few steps of it. */
enum fanin_status fi_study_time_one(struct fi_worker *w, int part, int64_t condition,
                                    double *seconds);
/* Fills the keys of all runs. Errors: IO (a data file). */
enum fanin_status fi_study_keys_of_runs(fanin_study *s);

/* judge.c, page.c: do claims and plots name axes and conditions that there are? */
enum fanin_status fi_study_check_claims(fanin_study *s);
enum fanin_status fi_study_check_plots(fanin_study *s);

/* ---- results ---------------------------------------------------------------------------------------------- */

/* page.c: where a plot is drawn, and which conditions it shows, see plot/plot.h. */
struct fi_drawing;
struct fi_chosen;
struct fi_plot {
    struct fanin_record head;
    /* One plot for each set of conditions. */
    enum fanin_status (*draw)(const struct fi_drawing *d, const void *attrs,
                              struct fi_chosen *chosen);
};

#endif
