/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin predict MODEL FILE: a line for each sample. CSV: "class" and one "p_<class>" each for
 * classification, "value" (or one column for each target) for regression. With --json a line holds
 * an object of the same columns.
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
};

static const struct opt options[] = {{"out", 'o', OPT_TEXT, offsetof(struct predict_fields, out),
                                      "FILE", "write to a file; default: standard output", 0, 0},
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

/* ---- one line ------------------------------------------------------------------------------------------ */

static const char *output_name(const fanin_model *model, int64_t i, char room[32]) {
    const char *name = fanin_model_output_name(model, i);
    snprintf(room, 32, "%lld", (long long)i);
    return name ? name : room;
}

/* A CSV field: quoted where it must be (RFC 4180). */
static int write_field(struct output *out, const char *prefix, const char *text) {
    int quoted = text[strcspn(text, ",\"\r\n")] != '\0' || *text == ' ';
    int failed = (quoted && write_text(out, "\"")) || write_text(out, prefix);
    for (const char *c = text; *c && !failed; c++)
        failed = (*c == '"' && write_text(out, "\"")) || write_out(out, c, 1);
    return failed || (quoted && write_text(out, "\""));
}

static int write_header(struct output *out, const fanin_model *model) {
    char room[32];
    int64_t n = fanin_model_outputs(model);
    int classes = fanin_model_task(model) == FANIN_CLASSIFICATION, failed = 0;
    if (classes) failed = write_text(out, "class");
    for (int64_t i = 0; i < n && !failed; i++) {
        if (i > 0 || classes) failed = write_text(out, ",");
        if (!failed && !classes && n == 1)
            failed = write_text(out, "value");
        else if (!failed)
            failed = write_field(out, classes ? "p_" : "", output_name(model, i, room));
    }
    return failed || write_text(out, "\n");
}

static int64_t largest(const float *p, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (p[i] > p[best]) best = i;
    return best;
}

static int write_row(struct output *out, const fanin_model *model, const float *p) {
    char room[32];
    int64_t n = fanin_model_outputs(model);
    int classes = fanin_model_task(model) == FANIN_CLASSIFICATION, failed = 0;
    if (classes) failed = write_field(out, "", output_name(model, largest(p, n), room));
    for (int64_t i = 0; i < n && !failed; i++) {
        snprintf(room, sizeof room, i > 0 || classes ? ",%.9g" : "%.9g", (double)p[i]);
        failed = write_text(out, room);
    }
    return failed || write_text(out, "\n");
}

/* ---- the same as JSON ---------------------------------------------------------------------------------- */

struct json_row {
    fanin_report *report;
    struct fanin_figure *figures;
    char *names; /* the keys, one behind the other */
    int n;
};

static int json_begin(struct json_row *row, struct output *out, const fanin_model *model) {
    char room[32];
    int classes = fanin_model_task(model) == FANIN_CLASSIFICATION;
    size_t bytes = 1, at = 0;
    row->n = (int)fanin_model_outputs(model);
    for (int i = 0; i < row->n; i++) bytes += strlen(output_name(model, i, room)) + 8;
    row->figures = calloc((unsigned)row->n, sizeof *row->figures);
    row->names = malloc(bytes);
    if (!row->figures || !row->names) return fail_with(EXIT_SYSTEM, "out of memory");
    for (int i = 0; i < row->n; i++) {
        char *name = row->names + at;
        const char *own = !classes && row->n == 1 ? "value" : output_name(model, i, room);
        at += (size_t)snprintf(name, bytes - at, "%s%s", classes ? "p_" : "", own) + 1;
        row->figures[i].name = name;
    }
    enum fanin_status status =
        fanin_report_create(&row->report, out->app->ctx, "json", write_out, out, NULL);
    return status == FANIN_OK ? 0 : fail_writing(out->app, status);
}

static int json_write(struct json_row *row, const fanin_model *model, const float *p) {
    char room[32];
    struct fanin_text class = {"class", output_name(model, largest(p, row->n), room)};
    for (int i = 0; i < row->n; i++) row->figures[i].value = (double)p[i];
    int classes = fanin_model_task(model) == FANIN_CLASSIFICATION;
    fanin_report_note(row->report, "prediction", &class, classes, row->figures, row->n);
    return fanin_report_failed(row->report);
}

static void json_end(struct json_row *row) {
    fanin_report_free(row->report);
    free(row->figures);
    free(row->names);
}

/* ---- all of them ----------------------------------------------------------------------------------------- */

/* Lines of all samples; p has room for ROWS_AT_ONCE predictions. 1 when the output takes no more:
 * main, or the file, tells why. */
static int write_rows(struct output *out, struct json_row *json, fanin_model *model,
                      const fanin_data *data, float *p, int *code) {
    int64_t rows = fanin_data_rows(data, FANIN_TEST), n = fanin_model_outputs(model);
    for (int64_t first = 0; first < rows; first += ROWS_AT_ONCE) {
        int64_t count = rows - first < ROWS_AT_ONCE ? rows - first : ROWS_AT_ONCE;
        enum fanin_status status =
            fanin_model_predict_part(model, data, FANIN_TEST, first, count, p);
        if (status != FANIN_OK) {
            *code = fail_reading(out->app, status);
            return 0;
        }
        for (int64_t r = 0; r < count; r++)
            if (json ? json_write(json, model, p + r * n) : write_row(out, model, p + r * n))
                return 1;
    }
    return 0;
}

static int predict(struct output *out, fanin_model *model, const fanin_data *data) {
    struct json_row json = {0};
    int as_json = out->app->common->json, failed = 0, code = 0;
    float *p = calloc((size_t)fanin_model_outputs(model) * ROWS_AT_ONCE, sizeof *p);
    if (!p) return fail_with(EXIT_SYSTEM, "out of memory");
    if (as_json)
        code = json_begin(&json, out, model);
    else
        failed = write_header(out, model);
    if (!code && !failed) failed = write_rows(out, as_json ? &json : NULL, model, data, p, &code);
    if (failed && out->status != FANIN_OK) code = fail_writing(out->app, out->status);
    json_end(&json);
    free(p);
    return code;
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    (void)n;
    const struct predict_fields *f = fields;
    fanin_model *model = NULL;
    fanin_data *data = NULL;
    struct output out = {.app = app};
    enum fanin_status status = fanin_model_load(&model, app->ctx, operands[0]);
    if (status == FANIN_OK) status = fanin_data_load_for_model(&data, model, operands[1], NULL);
    int code = status == FANIN_OK ? 0 : fail_reading(app, status);
    if (!code && f->out) {
        status = fanin_file_create(&out.file, app->ctx, f->out);
        if (status != FANIN_OK) code = fail_writing(app, status);
    }
    if (!code) code = predict(&out, model, data);
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
