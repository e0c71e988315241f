/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a study, an SQLite file:
 *
 *   runs       id, key, study, part, condition, seed, release, made (a date), seconds, diverged,
 * recipe figures    run, name, place, step, value            (value NULL: not a number) bins run,
 * name, place, step, low, high, counts records    a view: part, condition, seed, step, figure,
 * place, value
 *
 * A run and its figures are written in one transaction, so a run is there whole or not at all. Its
 * key says all that its figures depend on; runs of other recipes, data or releases stay and are not
 * looked at.
 */
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "study/study.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS runs(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
    " study TEXT, part TEXT, condition TEXT, seed INTEGER, release TEXT, made TEXT, seconds REAL,"
    " diverged INTEGER, recipe TEXT);"
    "CREATE TABLE IF NOT EXISTS figures(run INTEGER NOT NULL REFERENCES runs(id), name TEXT,"
    " place TEXT, step INTEGER, value REAL, ord INTEGER,"
    " PRIMARY KEY(run, name, place, step)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS bins(run INTEGER NOT NULL REFERENCES runs(id), name TEXT,"
    " place TEXT, step INTEGER, low REAL, high REAL, counts TEXT, ord INTEGER,"
    " PRIMARY KEY(run, name, place, step)) WITHOUT ROWID;"
    "CREATE VIEW IF NOT EXISTS records AS SELECT part, condition, seed, step, name AS figure,"
    " place, value FROM figures JOIN runs ON runs.id = figures.run;";

#define APPLICATION_ID 0x46414e49 /* "FANI" */

static enum fanin_status fail_store(const fanin_study *s, const char *what) {
    return fi_fail(s->ctx, FANIN_ERR_IO, "%s: %s: %s", s->store_path, what,
                   s->store ? sqlite3_errmsg(s->store) : "out of memory");
}

static enum fanin_status execute(const fanin_study *s, const char *sql, const char *what) {
    return sqlite3_exec(s->store, sql, NULL, NULL, NULL) == SQLITE_OK ? FANIN_OK
                                                                      : fail_store(s, what);
}

static enum fanin_status prepare(const fanin_study *s, sqlite3_stmt **out, const char *sql) {
    return sqlite3_prepare_v2(s->store, sql, -1, out, NULL) == SQLITE_OK
               ? FANIN_OK
               : fail_store(s, "cannot be read");
}

/* A text of the row; "" where there is none, as in a file that somebody else has changed. */
static const char *column(sqlite3_stmt *q, int i) {
    const char *text = (const char *)sqlite3_column_text(q, i);
    return text ? text : "";
}

static int one_number(void *out, int n, char **values, char **names) {
    (void)names;
    if (n > 0 && values[0]) (void)sscanf(values[0], "%lld", (long long *)out);
    return 0;
}

/* An SQLite file of somebody else's is left alone. */
static enum fanin_status check_owner(const fanin_study *s) {
    long long id = 0, tables = 0;
    if (sqlite3_exec(s->store, "PRAGMA application_id", one_number, &id, NULL) != SQLITE_OK ||
        sqlite3_exec(s->store, "SELECT count(*) FROM sqlite_master", one_number, &tables, NULL) !=
            SQLITE_OK)
        return fail_store(s, "is no file of records");
    if (tables > 0 && id != APPLICATION_ID)
        return fi_fail(s->ctx, FANIN_ERR_IO,
                       "%s is a database of another program; give another --dir", s->store_path);
    return FANIN_OK;
}

enum fanin_status fi_store_open(fanin_study *s, const char *path) {
    char id[64];
    fi_store_close(s);
    s->store_path = fi_arena_strdup(&s->arena, path);
    if (!s->store_path) return FANIN_ERR_MEMORY;
    if (sqlite3_open_v2(path, &s->store,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return fail_store(s, "cannot be opened");
    (void)sqlite3_busy_timeout(s->store, 10000);
    FI_TRY(check_owner(s));
    (void)snprintf(id, sizeof id, "PRAGMA application_id=%d", APPLICATION_ID);
    FI_TRY(execute(s, id, "cannot be written"));
    return execute(s, schema, "cannot be written");
}

void fi_store_close(fanin_study *s) {
    (void)sqlite3_close(s->store);
    s->store = NULL;
}

/* ---- runs ------------------------------------------------------------------------------------------- */

static void key_text(char out[20], uint64_t key) {
    (void)snprintf(out, 20, "%016" PRIx64, key);
}

enum fanin_status fi_store_find(fanin_study *s) {
    sqlite3_stmt *q;
    enum fanin_status status = FANIN_OK;
    FI_TRY(prepare(s, &q, "SELECT id, seconds, diverged FROM runs WHERE key = ?"));
    for (int p = 0; p < s->n_parts && status == FANIN_OK; p++) {
        struct fi_part_of *part = &s->parts[p];
        for (int64_t i = 0; i < part->conditions * part->seeds && status == FANIN_OK; i++) {
            struct fi_study_run *run = &part->runs[i];
            char key[20];
            key_text(key, run->key);
            (void)sqlite3_bind_text(q, 1, key, -1, SQLITE_TRANSIENT);
            const int row = sqlite3_step(q);
            if (row == SQLITE_ROW) {
                run->id = sqlite3_column_int64(q, 0);
                run->seconds = sqlite3_column_double(q, 1);
                run->diverged = sqlite3_column_int(q, 2) != 0;
                run->state = FI_RUN_DONE;
            } else if (row != SQLITE_DONE) {
                status = fail_store(s, "cannot be read");
            }
            (void)sqlite3_reset(q);
        }
    }
    (void)sqlite3_finalize(q);
    return status;
}

/* Values that are not finite: NaN is NULL, infinities are kept by SQLite. */
static enum fanin_status add_figures(const fanin_study *s, int64_t run,
                                     const struct fi_figures *f) {
    sqlite3_stmt *q;
    bool ok = true;
    FI_TRY(prepare(s, &q, "INSERT OR REPLACE INTO figures VALUES(?,?,?,?,?,?)"));
    for (int64_t i = 0; i < f->n && ok; i++) {
        const struct fi_figure_row *row = &f->rows[i];
        (void)sqlite3_bind_int64(q, 1, run);
        (void)sqlite3_bind_text(q, 2, row->name, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(q, 3, row->where, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(q, 4, row->step);
        if (isnan(row->value))
            (void)sqlite3_bind_null(q, 5);
        else
            (void)sqlite3_bind_double(q, 5, row->value);
        (void)sqlite3_bind_int64(q, 6, i);
        ok = sqlite3_step(q) == SQLITE_DONE;
        (void)sqlite3_reset(q);
    }
    (void)sqlite3_finalize(q);
    return ok ? FANIN_OK : fail_store(s, "a run could not be recorded");
}

static enum fanin_status add_bins(const fanin_study *s, int64_t run, const struct fi_figures *f) {
    sqlite3_stmt *q;
    bool ok = true, memory = true;
    FI_TRY(prepare(s, &q, "INSERT OR REPLACE INTO bins VALUES(?,?,?,?,?,?,?,?)"));
    for (int64_t i = 0; i < f->n_bins && ok; i++) {
        const struct fi_bins_row *row = &f->bins[i];
        struct fi_text counts;
        fi_text_init(&counts, s->ctx);
        for (int k = 0; k < row->n; k++)
            fi_text_add(&counts, k ? " %lld" : "%lld", (long long)row->counts[k]);
        (void)sqlite3_bind_int64(q, 1, run);
        (void)sqlite3_bind_text(q, 2, row->name, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(q, 3, row->where, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(q, 4, row->step);
        (void)sqlite3_bind_double(q, 5, row->low);
        (void)sqlite3_bind_double(q, 6, row->high);
        (void)sqlite3_bind_text(q, 7, counts.data ? counts.data : "", -1, SQLITE_TRANSIENT);
        (void)sqlite3_bind_int64(q, 8, i);
        memory = !counts.failed;
        ok = memory && sqlite3_step(q) == SQLITE_DONE;
        fi_text_free(&counts);
        (void)sqlite3_reset(q);
    }
    (void)sqlite3_finalize(q);
    if (!memory) return FANIN_ERR_MEMORY;
    return ok ? FANIN_OK : fail_store(s, "a run could not be recorded");
}

static enum fanin_status add_run(const fanin_study *s, int part, int64_t condition, uint64_t seed,
                                 struct fi_study_run *run, const char *recipe) {
    const struct fi_part_of *p = &s->parts[part];
    sqlite3_stmt *q;
    char key[20];
    key_text(key, run->key);
    FI_TRY(prepare(s, &q,
                   "INSERT OR REPLACE INTO runs(key, study, part, condition, seed, release, made,"
                   " seconds, diverged, recipe) VALUES(?,?,?,?,?,?,date('now'),?,?,?)"));
    (void)sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, s->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, p->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 4, p->names[condition], -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 5, (int64_t)seed);
    (void)sqlite3_bind_text(q, 6, FANIN_VERSION, -1, SQLITE_STATIC);
    (void)sqlite3_bind_double(q, 7, run->seconds);
    (void)sqlite3_bind_int(q, 8, run->diverged);
    (void)sqlite3_bind_text(q, 9, recipe, -1, SQLITE_STATIC);
    const int row = sqlite3_step(q);
    (void)sqlite3_finalize(q);
    run->id = sqlite3_last_insert_rowid(s->store);
    return row == SQLITE_DONE ? FANIN_OK : fail_store(s, "a run could not be recorded");
}

enum fanin_status fi_store_add(fanin_study *s, int part, int64_t condition, uint64_t seed,
                               struct fi_study_run *run, const char *recipe,
                               const struct fi_figures *figures) {
    FI_TRY(execute(s, "BEGIN IMMEDIATE", "cannot be written"));
    enum fanin_status status = add_run(s, part, condition, seed, run, recipe);
    if (status == FANIN_OK) status = add_figures(s, run->id, figures);
    if (status == FANIN_OK) status = add_bins(s, run->id, figures);
    if (status == FANIN_OK) status = execute(s, "COMMIT", "a run could not be recorded");
    if (status != FANIN_OK) (void)sqlite3_exec(s->store, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

enum fanin_status fi_store_series(fanin_study *s, struct fi_arena *arena, int64_t run,
                                  const char *name, const char *where, int64_t **steps,
                                  double **values, int64_t *n) {
    sqlite3_stmt *q;
    int64_t cap_steps = 0, cap_values = 0;
    enum fanin_status status = FANIN_OK;
    int row;
    *steps = NULL;
    *values = NULL;
    *n = 0;
    FI_TRY(prepare(s, &q,
                   "SELECT step, value FROM figures WHERE run=? AND name=? AND place=?"
                   " ORDER BY step"));
    (void)sqlite3_bind_int64(q, 1, run);
    (void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, where, -1, SQLITE_STATIC);
    while (status == FANIN_OK && (row = sqlite3_step(q)) == SQLITE_ROW) {
        status = fi_arena_grow(arena, (void **)steps, &cap_steps, *n + 1, sizeof **steps);
        if (status == FANIN_OK)
            status = fi_arena_grow(arena, (void **)values, &cap_values, *n + 1, sizeof **values);
        if (status != FANIN_OK) break;
        (*steps)[*n] = sqlite3_column_int64(q, 0);
        (*values)[(*n)++] =
            sqlite3_column_type(q, 1) == SQLITE_NULL ? NAN : sqlite3_column_double(q, 1);
    }
    if (status == FANIN_OK && row != SQLITE_DONE) status = fail_store(s, "cannot be read");
    (void)sqlite3_finalize(q);
    return status;
}

/* The texts that a query gives for (run, name). */
static enum fanin_status texts(fanin_study *s, struct fi_arena *arena, const char *sql, int64_t run,
                               const char *name, const char ***out, int64_t *n) {
    sqlite3_stmt *q;
    int64_t cap = 0;
    enum fanin_status status = FANIN_OK;
    int row;
    *out = NULL;
    *n = 0;
    FI_TRY(prepare(s, &q, sql));
    (void)sqlite3_bind_int64(q, 1, run);
    if (name) (void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
    while (status == FANIN_OK && (row = sqlite3_step(q)) == SQLITE_ROW) {
        status = fi_arena_grow(arena, (void **)out, &cap, *n + 1, sizeof **out);
        if (status != FANIN_OK) break;
        (*out)[*n] = fi_arena_strdup(arena, column(q, 0));
        if (!(*out)[(*n)++]) status = FANIN_ERR_MEMORY;
    }
    if (status == FANIN_OK && row != SQLITE_DONE) status = fail_store(s, "cannot be read");
    (void)sqlite3_finalize(q);
    return status;
}

enum fanin_status fi_store_wheres(fanin_study *s, struct fi_arena *arena, int64_t run,
                                  const char *name, const char ***wheres, int64_t *n) {
    return texts(s, arena,
                 "SELECT place FROM figures WHERE run=? AND name=? GROUP BY place"
                 " ORDER BY min(ord)",
                 run, name, wheres, n);
}

enum fanin_status fi_store_names(fanin_study *s, struct fi_arena *arena, int64_t run,
                                 const char ***names, int64_t *n) {
    return texts(s, arena, "SELECT DISTINCT name FROM figures WHERE run=? ORDER BY name", run, NULL,
                 names, n);
}

enum fanin_status fi_store_date(fanin_study *s, struct fi_arena *arena, const char **out) {
    *out = "";
    for (int p = 0; p < s->n_parts; p++) {
        const struct fi_part_of *part = &s->parts[p];
        for (int64_t i = 0; i < part->conditions * part->seeds; i++) {
            const char **dates;
            int64_t n;
            if (part->runs[i].state != FI_RUN_DONE) continue;
            FI_TRY(texts(s, arena, "SELECT made FROM runs WHERE id=?", part->runs[i].id, NULL,
                         &dates, &n));
            if (n > 0 && strcmp(dates[0], *out) > 0) *out = dates[0]; /* ISO dates */
        }
    }
    return FANIN_OK;
}

static int read_counts(struct fi_bins_row *row, const char *text) {
    int n = 0;
    for (const char *p = text; *p && n < FI_PROBE_BINS; n++) {
        int used = 0;
        long long count;
        if (sscanf(p, "%lld%n", &count, &used) != 1) break;
        row->counts[n] = count;
        p += used;
    }
    return n;
}

enum fanin_status fi_store_bins(fanin_study *s, struct fi_arena *arena, int64_t run,
                                const char *name, struct fi_bins_row **rows, int64_t *n) {
    sqlite3_stmt *q;
    int64_t cap = 0;
    enum fanin_status status = FANIN_OK;
    int row;
    *rows = NULL;
    *n = 0;
    FI_TRY(prepare(s, &q,
                   "SELECT place, step, low, high, counts FROM bins WHERE run=? AND name=?"
                   " ORDER BY step, ord"));
    (void)sqlite3_bind_int64(q, 1, run);
    (void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
    while (status == FANIN_OK && (row = sqlite3_step(q)) == SQLITE_ROW) {
        status = fi_arena_grow(arena, (void **)rows, &cap, *n + 1, sizeof **rows);
        if (status != FANIN_OK) break;
        struct fi_bins_row *b = &(*rows)[(*n)++];
        b->name = name;
        b->where = fi_arena_strdup(arena, column(q, 0));
        b->step = sqlite3_column_int64(q, 1);
        b->low = sqlite3_column_double(q, 2);
        b->high = sqlite3_column_double(q, 3);
        b->n = read_counts(b, column(q, 4));
        if (!b->where) status = FANIN_ERR_MEMORY;
    }
    if (status == FANIN_OK && row != SQLITE_DONE) status = fail_store(s, "cannot be read");
    (void)sqlite3_finalize(q);
    return status;
}

/* ---- CSV ------------------------------------------------------------------------------------------------- */

static void csv_field(struct fi_text *out, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fi_text_add(out, "%s", text);
        return;
    }
    fi_text_add(out, "\"");
    for (const char *p = text; *p; p++) fi_text_add(out, *p == '"' ? "\"\"" : "%c", *p);
    fi_text_add(out, "\"");
}

static enum fanin_status csv_run(fanin_study *s, sqlite3_stmt *q, const struct fi_part_of *part,
                                 int64_t condition, uint64_t seed, int64_t run, fanin_sink_fn sink,
                                 void *payload) {
    struct fi_text line, head;
    enum fanin_status status = FANIN_OK;
    int row;
    fi_text_init(&line, s->ctx);
    fi_text_init(&head, s->ctx);
    csv_field(&head, part->name);
    fi_text_add(&head, ",");
    csv_field(&head, part->names[condition]);
    fi_text_add(&head, ",%" PRIu64 ",", seed);
    (void)sqlite3_bind_int64(q, 1, run);
    while ((row = sqlite3_step(q)) == SQLITE_ROW && status == FANIN_OK) {
        line.length = 0;
        fi_text_add(&line, "%s%lld,", head.data ? head.data : "",
                    (long long)sqlite3_column_int64(q, 0));
        csv_field(&line, column(q, 1));
        fi_text_add(&line, ",");
        csv_field(&line, column(q, 2));
        if (sqlite3_column_type(q, 3) == SQLITE_NULL)
            fi_text_add(&line, ",nan\n");
        else
            fi_text_add(&line, ",%.17g\n", sqlite3_column_double(q, 3));
        if (head.failed || line.failed)
            status = FANIN_ERR_MEMORY;
        else if (sink(payload, line.data, line.length) != 0)
            status = fi_fail(s->ctx, FANIN_ERR_IO, "the figures could not be written");
    }
    if (status == FANIN_OK && row != SQLITE_DONE) status = fail_store(s, "cannot be read");
    (void)sqlite3_reset(q);
    fi_text_free(&line);
    fi_text_free(&head);
    return status;
}

enum fanin_status fi_store_csv(fanin_study *s, fanin_sink_fn sink, void *payload) {
    static const char head[] = "part,condition,seed,step,figure,where,value\n";
    sqlite3_stmt *q;
    enum fanin_status status = FANIN_OK;
    if (sink(payload, head, sizeof head - 1) != 0)
        return fi_fail(s->ctx, FANIN_ERR_IO, "the figures could not be written");
    FI_TRY(prepare(s, &q, "SELECT step, name, place, value FROM figures WHERE run=? ORDER BY ord"));
    for (int p = 0; p < s->n_parts; p++) {
        const struct fi_part_of *part = &s->parts[p];
        for (int64_t i = 0; i < part->conditions * part->seeds && status == FANIN_OK; i++)
            if (part->runs[i].state == FI_RUN_DONE)
                status = csv_run(s, q, part, i / part->seeds,
                                 (uint64_t)(part->first_seed + i % part->seeds), part->runs[i].id,
                                 sink, payload);
    }
    (void)sqlite3_finalize(q);
    return status;
}
