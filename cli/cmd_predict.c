/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin predict MODEL FILE: a line for each sample. CSV: "class" and one "p_<class>" each for
 * classification, "value" (or one column for each target) for regression; for labels that may hold
 * at once a column of 0 and 1 for each, as such targets are given, and "p_<label>" each. With --mc
 * also "entropy" and "mutual_information", or "std" (std_<target>). With --json a line holds an
 * object of the same columns.
 *
 * Probabilities and values are written with nine significant digits, which read back as the same
 * float.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

#define ROWS_AT_ONCE 1024

struct predict_fields {
    struct common common;
    const char *out;
    struct opt_count mc;
};

static const struct opt options[] = {
    {"mc", 0, OPT_COUNT, offsetof(struct predict_fields, mc), "K|all",
     "mean of K random dropout masks, or of all 2^n subnetworks", 1, MASKS_MAX},
    MASK_SEED,
    {"out", 'o', OPT_TEXT, offsetof(struct predict_fields, out), "FILE",
     "write to a file; default: standard output", 0, 0},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

/* Where lines go: a file that appears when all is written, or stdout. */
struct output {
    struct app *app;
    fanin_file *file;
    enum fanin_status status;
};

static int write_out(void *payload, const char *text, size_t bytes) {
    struct output *out = payload;
    if (out->file) {
        if (out->status == FANIN_OK) out->status = fanin_file_write(out->file, text, bytes);
        return out->status != FANIN_OK;
    }
    /* not app_sink: that flushes each time, and here lines may be millions */
    if (fwrite(text, 1, bytes, stdout) == bytes) return 0;
    out->app->sink_errno = errno;
    return 1;
}

static int write_text(struct output *out, const char *text) {
    return write_out(out, text, strlen(text));
}

/* ---- columns ------------------------------------------------------------------------------------------- */

static const char *output_name(const fanin_model *model, int64_t i, char room[32]) {
    const char *name = fanin_model_output_name(model, i);
    snprintf(room, 32, "%lld", (long long)i);
    return name ? name : room;
}

/* What stands in a line behind the class: the names, which a row's values follow. */
struct table {
    fanin_model *model;
    int classes, labels, uncertain; /* a classification; of labels that may hold at once;
                                     * uncertainties are wanted */
    int n;
    struct fanin_figure *columns; /* names for good, values of a row */
    char *names;                  /* one behind the other */
    fanin_report *report;         /* JSON; else NULL */
};

static void add_column(struct table *t, size_t *at, const char *prefix, const char *name) {
    char *to = t->names + *at;
    *at += (size_t)sprintf(to, "%s%s", prefix, name) + 1;
    t->columns[t->n++].name = to;
}

/* A prefix and a name for each output; a sole value has a name of its own. */
static void add_outputs(struct table *t, size_t *at, const char *prefix, const char *sole) {
    char room[32];
    int64_t n = fanin_model_outputs(t->model);
    if (!t->classes && !t->labels && n == 1) {
        add_column(t, at, "", sole);
        return;
    }
    for (int64_t i = 0; i < n; i++) add_column(t, at, prefix, output_name(t->model, i, room));
}

static int open_table(struct table *t, struct output *out, fanin_model *model, int uncertain) {
    char room[32];
    size_t bytes = 64, at = 0;
    int64_t n = fanin_model_outputs(model);
    *t = (struct table){.model = model,
                        .classes = fanin_model_task(model) == FANIN_CLASSIFICATION,
                        .labels = fanin_model_task(model) == FANIN_MULTILABEL,
                        .uncertain = uncertain};
    for (int64_t i = 0; i < n; i++) bytes += 2 * (strlen(output_name(model, i, room)) + 8);
    t->columns = calloc(2 * (size_t)n + 2, sizeof *t->columns);
    t->names = malloc(bytes);
    if (!t->columns || !t->names) return fail_with(EXIT_SYSTEM, "out of memory");
    if (t->labels) add_outputs(t, &at, "", NULL);
    add_outputs(t, &at, t->classes || t->labels ? "p_" : "", "value");
    if (uncertain && (t->classes || t->labels)) {
        add_column(t, &at, "", "entropy");
        add_column(t, &at, "", "mutual_information");
    } else if (uncertain) {
        add_outputs(t, &at, "std_", "std");
    }
    if (!out->app->common->json) return 0;
    enum fanin_status status =
        fanin_report_create(&t->report, out->app->ctx, "json", write_out, out, NULL);
    return status == FANIN_OK ? 0 : fail_writing(out->app, status);
}

static void close_table(struct table *t) {
    fanin_report_free(t->report);
    free(t->columns);
    free(t->names);
}

/* ---- one line ------------------------------------------------------------------------------------------ */

/* A CSV field: quoted where it must be (RFC 4180). */
static int write_field(struct output *out, const char *text) {
    int quoted = text[strcspn(text, ",\"\r\n")] != '\0' || *text == ' ';
    int failed = quoted && write_text(out, "\"");
    for (const char *c = text; *c && !failed; c++)
        failed = (*c == '"' && write_text(out, "\"")) || write_out(out, c, 1);
    return failed || (quoted && write_text(out, "\""));
}

static int write_header(struct output *out, const struct table *t) {
    int failed = t->classes && write_text(out, "class");
    for (int i = 0; i < t->n && !failed; i++)
        failed =
            ((i > 0 || t->classes) && write_text(out, ",")) || write_field(out, t->columns[i].name);
    return failed || write_text(out, "\n");
}

static int write_row(struct output *out, const struct table *t, const char *class) {
    char room[32];
    int failed = t->classes && write_field(out, class);
    for (int i = 0; i < t->n && !failed; i++) {
        snprintf(room, sizeof room, i > 0 || t->classes ? ",%.9g" : "%.9g", t->columns[i].value);
        failed = write_text(out, room);
    }
    return failed || write_text(out, "\n");
}

static int64_t largest(const float *p, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (p[i] > p[best]) best = i;
    return best;
}

/* Row r of the predictions; 1 when the output takes no more. */
static int write_prediction(struct output *out, const struct table *t,
                            const struct fanin_prediction *p, int64_t r) {
    char room[32];
    int64_t n = fanin_model_outputs(t->model);
    const char *class = output_name(t->model, largest(p->p + r * n, n), room);
    struct fanin_figure *to = t->columns;
    for (int64_t i = 0; i < n && t->labels; i++) (to++)->value = p->p[r * n + i] > 0.5F;
    for (int64_t i = 0; i < n; i++) (to++)->value = (double)p->p[r * n + i];
    if ((t->classes || t->labels) && p->entropy) {
        (to++)->value = p->entropy[r];
        (to++)->value = p->information[r];
    }
    for (int64_t i = 0; i < n && !t->classes && !t->labels && p->deviation; i++)
        (to++)->value = p->deviation[r * n + i];
    if (!t->report) return write_row(out, t, class);
    struct fanin_text text = {"class", class};
    fanin_report_note(t->report, "prediction", &text, t->classes, t->columns, t->n);
    return fanin_report_failed(t->report);
}

/* ---- all of them ----------------------------------------------------------------------------------------- */

/* Lines of all samples; p has room for ROWS_AT_ONCE predictions. 1 when the output takes no more:
 * main, or the file, tells why. */
static int write_rows(struct output *out, const struct table *t, const fanin_data *data,
                      const struct fanin_ensemble_options *ensemble,
                      const struct fanin_prediction *p, int *code) {
    int64_t rows = fanin_data_rows(data, FANIN_TEST);
    for (int64_t first = 0; first < rows; first += ROWS_AT_ONCE) {
        int64_t count = rows - first < ROWS_AT_ONCE ? rows - first : ROWS_AT_ONCE;
        enum fanin_status status = fanin_model_predict_part_ensemble(t->model, data, FANIN_TEST,
                                                                     first, count, ensemble, p);
        if (status != FANIN_OK) {
            *code = fail_reading(out->app, status);
            return 0;
        }
        if (first == 0 && !t->report && write_header(out, t)) return 1;
        for (int64_t r = 0; r < count; r++)
            if (write_prediction(out, t, p, r)) return 1;
    }
    return rows == 0 && !t->report && write_header(out, t);
}

static int predict(struct output *out, fanin_model *model, const fanin_data *data,
                   const struct fanin_ensemble_options *ensemble) {
    struct table table;
    size_t n = (size_t)fanin_model_outputs(model);
    int uncertain = ensemble->inference != FANIN_WEIGHT_SCALING, failed = 0;
    struct fanin_prediction p = {.size = sizeof p, .p = calloc(n * ROWS_AT_ONCE, sizeof *p.p)};
    double *room = calloc((n + 2) * ROWS_AT_ONCE, sizeof *room);
    if (uncertain && room) {
        p.entropy = room;
        p.information = p.entropy + ROWS_AT_ONCE;
        p.deviation = p.information + ROWS_AT_ONCE;
    }
    int code = open_table(&table, out, model, uncertain);
    if (!code && (!p.p || !room)) code = fail_with(EXIT_SYSTEM, "out of memory");
    if (!code && p.p) failed = write_rows(out, &table, data, ensemble, &p, &code);
    if (failed && out->status != FANIN_OK) code = fail_writing(out->app, out->status);
    close_table(&table);
    free(room);
    free(p.p);
    return code;
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    (void)n;
    const struct predict_fields *f = fields;
    fanin_model *model = NULL;
    fanin_data *data = NULL;
    struct output out = {.app = app};
    struct fanin_ensemble_options ensemble;
    int code = ensemble_options(app, &f->mc, 0, &ensemble);
    if (code) return code;
    enum fanin_status status = fanin_model_load(&model, app->ctx, operands[0]);
    if (status == FANIN_OK) status = fanin_data_load_for_model(&data, model, operands[1], NULL);
    code = status == FANIN_OK ? 0 : fail_reading(app, status);
    if (!code && f->out) {
        status = fanin_file_create(&out.file, app->ctx, f->out);
        if (status != FANIN_OK) code = fail_writing(app, status);
    }
    if (!code) code = predict(&out, model, data, &ensemble);
    if (!code && out.file) {
        status = fanin_file_commit(out.file);
        if (status != FANIN_OK) code = fail_writing(app, status);
    }
    fanin_file_free(out.file);
    fanin_data_free(data);
    fanin_model_free(model);
    return code;
}

const struct command cmd_predict = {
    .usage = {"predict", "MODEL FILE", 2, 2,
              "Predict for each sample of a file (- is standard input)", options, common_options},
    .size = sizeof(struct predict_fields),
    .run = run,
};
