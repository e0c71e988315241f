/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin study FILE: a recipe over a grid and several seeds, its claims tested, one page of it all.
 *
 * Records are kept beside the page; a signal ends the runs under way, and the same command goes on.
 * On a terminal a table that is drawn over itself shows how far each part is; elsewhere a line is
 * written for each run.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

struct study_fields {
    struct common common;
    struct opt_list set, variants;
    struct opt_count seeds, jobs;
    int quick, plan;
    const char *part, *dir, *csv, *markdown;
};

static const struct opt options[] = {
    {"set", 0, OPT_LIST, offsetof(struct study_fields, set), "PATH=VALUE",
     "change the recipes of all parts: --set data.dir=/data/mnist", 0, 0},
    {"quick", 0, OPT_FLAG, offsetof(struct study_fields, quick), NULL,
     "the study's variant quick: fewer seeds and steps", 0, 0},
    {"variant", 0, OPT_LIST, offsetof(struct study_fields, variants), "NAME",
     "another variant of the study", 0, 0},
    {"part", 0, OPT_TEXT, offsetof(struct study_fields, part), "NAME", "this part only", 0, 0},
    {"seeds", 0, OPT_COUNT, offsetof(struct study_fields, seeds), "N",
     "runs of each condition, instead of the file's", 1, 100000},
    {"jobs", 'j', OPT_COUNT, offsetof(struct study_fields, jobs), "N",
     "trainings at once, of one thread each; default: the processors", 1, 256},
    {"dry-run", 0, OPT_FLAG, offsetof(struct study_fields, plan), NULL,
     "tell the runs and the time they take, and run nothing", 0, 0},
    {"dir", 0, OPT_TEXT, offsetof(struct study_fields, dir), "DIR",
     "where NAME.html and NAME.sqlite go; default: here", 0, 0},
    {"csv", 0, OPT_TEXT, offsetof(struct study_fields, csv), "FILE",
     "write all figures as a table too", 0, 0},
    {"markdown", 0, OPT_TEXT, offsetof(struct study_fields, markdown), "DIR",
     "write NAME.md with SVG plots too, into DIR", 0, 0},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

struct run {
    struct app *app;
    const struct study_fields *f;
    fanin_study *study;
    const char *page_path, *store_path;
    fanin_file *page, *csv;
    int terminal, lines; /* drawn last, to be drawn over */
};

/* ---- while it runs -------------------------------------------------------------------------------------- */

static const char *in_words(char *out, size_t size, double seconds) {
    if (!isfinite(seconds))
        snprintf(out, size, "time left unknown");
    else if (seconds < 90)
        snprintf(out, size, "%.0f s", seconds);
    else if (seconds < 5400)
        snprintf(out, size, "%.0f min", seconds / 60);
    else
        snprintf(out, size, "%.1f h", seconds / 3600);
    return out;
}

static void print(const struct run *r, const char *text) {
    app_sink(r->app, text, strlen(text));
}

static void draw_part(const struct run *r, int part, char *line, size_t size) {
    enum { WIDTH = 30 };
    const struct fanin_study_part p = fanin_study_get_part(r->study, part);
    char bar[WIDTH + 1], running[160] = "";
    int64_t done = 0, runs = 0;
    for (int64_t c = 0; c < p.conditions; c++) {
        const struct fanin_study_condition of = fanin_study_get_condition(r->study, part, c);
        if (of.left_out) continue;
        runs += p.seeds;
        done += of.done;
        const size_t at = strlen(running);
        if (of.running && at + 8 < sizeof running)
            snprintf(running + at, sizeof running - at, "%s%s", at ? "; " : "  ", of.name);
    }
    const int full = runs ? (int)(WIDTH * done / runs) : WIDTH;
    for (int i = 0; i < WIDTH; i++) bar[i] = i < full ? '#' : '.';
    bar[WIDTH] = '\0';
    snprintf(line, size, "%-20.20s %s %4" PRId64 "/%-4" PRId64 "%.60s", p.name, bar, done, runs,
             running);
}

static void draw_table(struct run *r, const struct fanin_study_event *e) {
    char line[256], left[40];
    if (r->lines) {
        snprintf(line, sizeof line, "\033[%dA", r->lines);
        print(r, line);
    }
    r->lines = fanin_study_parts(r->study) + 1;
    for (int p = 0; p + 1 < r->lines; p++) {
        draw_part(r, p, line, sizeof line - 8);
        strcat(line, "\033[K\n");
        print(r, line);
    }
    snprintf(line, sizeof line, "%" PRId64 " of %" PRId64 " runs, %s left\033[K\n", e->done,
             e->runs, in_words(left, sizeof left, e->left));
    print(r, line);
}

static void tell_run(const struct run *r, const struct fanin_study_event *e) {
    const struct fanin_study_condition of =
        fanin_study_get_condition(r->study, e->part, e->condition);
    const struct fanin_study_part p = fanin_study_get_part(r->study, e->part);
    if (r->app->common->json) {
        const struct fanin_text texts[] = {{"part", p.name}, {"condition", of.name}};
        const struct fanin_figure figures[] = {
            {"seed", (double)e->seed}, {"diverged", e->diverged}, {"seconds", e->seconds},
            {"done", (double)e->done}, {"runs", (double)e->runs}, {"seconds_left", e->left}};
        fanin_report_note(r->app->report, "run", texts, 2, figures, 6);
        return;
    }
    char line[512], left[40];
    snprintf(line, sizeof line,
             "run      %" PRId64 "/%" PRId64 "  %s%s%s, seed %" PRIu64 ": %.2g s%s, %s left\n",
             e->done, e->runs, p.name, *of.name ? ": " : "", of.name, e->seed, e->seconds,
             e->diverged ? ", diverged" : "", in_words(left, sizeof left, e->left));
    print(r, line);
}

static void on_event(void *payload, const struct fanin_study_event *e) {
    struct run *r = payload;
    if (r->app->common->quiet) return;
    if (r->terminal)
        draw_table(r, e);
    else if (e->part >= 0 && e->ended)
        tell_run(r, e);
}

/* A path below a folder (NULL: here). NULL without memory; free with free(). */
static char *in_folder(const char *dir, const char *name, const char *suffix) {
    const size_t size = (dir ? strlen(dir) : 0) + strlen(name) + strlen(suffix) + 2;
    char *path = malloc(size);
    if (!path) return NULL;
    const int slash = dir && *dir && dir[strlen(dir) - 1] != '/';
    snprintf(path, size, "%s%s%s%s", dir ? dir : "", slash ? "/" : "", name, suffix);
    return path;
}

/* ---- results ------------------------------------------------------------------------------------------------ */

static const char *const verdicts[] = {[FANIN_CLAIM_HOLDS] = "holds",
                                       [FANIN_CLAIM_FAILS] = "does not hold",
                                       [FANIN_CLAIM_UNDECIDED] = "undecided",
                                       [FANIN_CLAIM_NOT_RUN] = "not run"};

static void tell_claim(const struct run *r, const struct fanin_study_claim *c) {
    if (r->app->common->json) {
        const struct fanin_text texts[] = {{"part", c->part},
                                           {"name", c->name},
                                           {"each", c->each},
                                           {"text", c->text},
                                           {"verdict", verdicts[c->verdict]},
                                           {"test", c->test},
                                           {"sentence", c->sentence},
                                           {"source", c->source}};
        fanin_report_note(r->app->report, "claim", texts, c->source ? 8 : 7, NULL, 0);
        return;
    }
    char line[2048];
    snprintf(line, sizeof line, "%-14s %s%s%s\n               %s\n", verdicts[c->verdict], c->name,
             *c->each ? ": " : "", c->each, c->sentence);
    print(r, line);
}

static int tell_claims(const struct run *r) {
    int fails = 0;
    for (int i = 0; i < fanin_study_claims(r->study); i++) {
        const struct fanin_study_claim *c = fanin_study_get_claim(r->study, i);
        tell_claim(r, c);
        fails += c->verdict == FANIN_CLAIM_FAILS;
    }
    return fails;
}

static int write_piece(void *file, const char *text, size_t bytes) {
    return fanin_file_write(file, text, bytes) != FANIN_OK;
}

static int write_csv(const struct run *r) {
    enum fanin_status status = fanin_study_csv(r->study, write_piece, r->csv);
    if (status == FANIN_OK) status = fanin_file_commit(r->csv);
    return status == FANIN_OK ? 0 : fail_writing(r->app, status);
}

/* The file that is written and the folder its pictures go to. */
struct document {
    const struct run *r;
    fanin_file *file;
    enum fanin_status status; /* of a picture */
};

static int write_text(void *document, const char *text, size_t bytes) {
    const struct document *d = document;
    return fanin_file_write(d->file, text, bytes) != FANIN_OK;
}

static int write_picture(void *document, const char *name, const char *svg, size_t bytes) {
    struct document *d = document;
    fanin_file *file = NULL;
    char *path = in_folder(d->r->f->markdown, name, "");
    d->status = path ? fanin_file_create(&file, d->r->app->ctx, path) : FANIN_ERR_MEMORY;
    if (d->status == FANIN_OK) d->status = fanin_file_write(file, svg, bytes);
    if (d->status == FANIN_OK) d->status = fanin_file_commit(file);
    fanin_file_free(file);
    free(path);
    return d->status != FANIN_OK;
}

/* Pictures of an earlier page with more of them stay; the text comes last. */
static int write_markdown(const struct run *r, const fanin_page *page) {
    struct document d = {.r = r};
    const char *name = fanin_study_name(r->study);
    char *path = in_folder(r->f->markdown, name, ".md");
    enum fanin_status status =
        path ? fanin_file_create(&d.file, r->app->ctx, path) : FANIN_ERR_MEMORY;
    free(path);
    if (status == FANIN_OK)
        status = fanin_page_write_markdown(page, name, write_text, write_picture, &d);
    if (status == FANIN_OK) status = fanin_file_commit(d.file);
    const int code = status == FANIN_OK ? 0 : fail_writing(r->app, status);
    fanin_file_free(d.file);
    return code;
}

/* The words of the command that say what is run: where it goes, and how fast, is another's matter.
 * Free with free(). */
static char *repeat_line(const struct app *app) {
    static const char *const takes[] = {"--dir",  "--csv", "--markdown",
                                        "--jobs", "-j",    "--threads"};
    const char **words = calloc((size_t)app->argc + 1, sizeof *words);
    int n = 0;
    for (int i = 0; words && i < app->argc; i++) {
        const char *word = app->argv[i];
        int left_out = !strcmp(word, "--json") || !strcmp(word, "--quiet") || !strcmp(word, "-q");
        for (size_t k = 0; k < sizeof takes / sizeof takes[0] && !left_out; k++) {
            const size_t length = strlen(takes[k]);
            left_out = !strncmp(word, takes[k], length) && (word[length] == '=' || !word[length]);
            if (left_out && !word[length]) i++;
        }
        if (!left_out) words[n++] = word;
    }
    char *line = words ? shell_line(app->name, words, n) : NULL;
    free(words);
    return line;
}

static int write_outputs(const struct run *r) {
    fanin_page *page;
    char *line = repeat_line(r->app);
    enum fanin_status status =
        fanin_page_create(&page, r->app->ctx, fanin_study_title(r->study), "fanin study");
    if (status == FANIN_OK) status = fanin_study_page(r->study, page, line);
    free(line);
    int code =
        status == FANIN_OK ? write_page(r->app, page, r->page) : fail_reading(r->app, status);
    if (!code && r->f->markdown) code = write_markdown(r, page);
    fanin_page_free(page);
    return code || !r->csv ? code : write_csv(r);
}

static void tell_files(const struct run *r) {
    char line[1024];
    if (r->app->common->json) {
        const struct fanin_text texts[] = {{"page", r->page_path}, {"records", r->store_path}};
        fanin_report_note(r->app->report, "files", texts, 2, NULL, 0);
    } else if (!r->app->common->quiet) {
        snprintf(line, sizeof line, "\npage     %s\nrecords  %s\n", r->page_path, r->store_path);
        print(r, line);
    }
}

static int results(const struct run *r) {
    const enum fanin_status status = fanin_study_judge(r->study);
    if (status != FANIN_OK) return fail_reading(r->app, status);
    const int fails = tell_claims(r), code = write_outputs(r);
    if (code) return code;
    tell_files(r);
    return fails ? EXIT_CLAIM_FAILS : EXIT_DONE;
}

/* ---- the command ---------------------------------------------------------------------------------------------- */

static int plan(const struct run *r) {
    struct fanin_study_plan plan;
    char line[256], left[40];
    const enum fanin_status status = fanin_study_estimate(r->study, &plan);
    if (status != FANIN_OK) return fail_reading(r->app, status);
    if (r->app->common->json) {
        const struct fanin_figure figures[] = {
            {"runs", (double)plan.runs}, {"done", (double)plan.done}, {"seconds", plan.seconds}};
        fanin_report_note(r->app->report, "plan", NULL, 0, figures, 3);
        return EXIT_DONE;
    }
    for (int p = 0; p < fanin_study_parts(r->study); p++) {
        draw_part(r, p, line, sizeof line - 2);
        strcat(line, "\n");
        print(r, line);
    }
    snprintf(line, sizeof line,
             "%" PRId64 " runs, %" PRId64 " of them done; about %s of one core\n", plan.runs,
             plan.done, in_words(left, sizeof left, plan.seconds));
    print(r, line);
    return EXIT_DONE;
}

static int run_all(struct run *r) {
    const struct fanin_study_run_options how = {
        .size = sizeof how, .jobs = (int)r->f->jobs.value, .event = on_event, .payload = r};
    const enum fanin_status status = fanin_study_run(r->study, &how);
    if (status == FANIN_ERR_STOPPED)
        return fail_with(EXIT_STOPPED,
                         "stopped; what had ended is in %s, and the same command "
                         "goes on",
                         r->store_path);
    if (status != FANIN_OK) return fail_reading(r->app, status);
    return results(r);
}

static int load(struct run *r, const char *path) {
    const char **variants = calloc((size_t)r->f->variants.n + 1, sizeof *variants);
    if (!variants) return fail_with(EXIT_SYSTEM, "out of memory");
    struct fanin_study_options o = {.size = sizeof o,
                                    .overrides = r->f->set.items,
                                    .n_overrides = r->f->set.n,
                                    .variants = variants,
                                    .part = r->f->part,
                                    .seeds = (int64_t)r->f->seeds.value};
    if (r->f->quick) variants[o.n_variants++] = "quick";
    for (int i = 0; i < r->f->variants.n; i++) variants[o.n_variants++] = r->f->variants.items[i];
    const enum fanin_status status = fanin_study_load(&r->study, r->app->ctx, path, &o);
    free(variants);
    return status == FANIN_OK ? 0 : fail_reading(r->app, status);
}

static int open_outputs(struct run *r) {
    enum fanin_status status =
        r->f->plan ? FANIN_OK : fanin_file_create(&r->page, r->app->ctx, r->page_path);
    if (status == FANIN_OK && r->f->csv)
        status = fanin_file_create(&r->csv, r->app->ctx, r->f->csv);
    if (status != FANIN_OK) return fail_writing(r->app, status);
    status = fanin_study_open(r->study, r->store_path);
    return status == FANIN_OK ? 0 : fail_reading(r->app, status);
}

static int run_in(struct run *r) {
    int code = open_outputs(r);
    if (!code) code = r->f->plan ? plan(r) : run_all(r);
    fanin_file_free(r->page);
    fanin_file_free(r->csv);
    return code;
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    (void)n;
    struct run r = {.app = app, .f = fields};
    const char *term = getenv("TERM");
    r.terminal = !app->common->json && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
    int code = load(&r, operands[0]);
    if (code) return code;
    char *page = in_folder(r.f->dir, fanin_study_name(r.study), ".html");
    char *records = in_folder(r.f->dir, fanin_study_name(r.study), ".sqlite");
    r.page_path = page;
    r.store_path = records;
    stop_on_signals(app->ctx);
    code = page && records ? run_in(&r) : fail_with(EXIT_SYSTEM, "out of memory");
    stop_on_signals(NULL);
    fanin_study_free(r.study);
    free(page);
    free(records);
    return code;
}

const struct command cmd_study = {
    .usage = {"study", "FILE", 1, 1,
              "Run a recipe over a grid and several seeds, and test what is claimed of it", options,
              common_options},
    .size = sizeof(struct study_fields),
    .run = run,
};
