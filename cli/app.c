/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Context, report, errors and exit codes of the command (app.h).
 */
#include "app.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const struct opt common_options[] = {
    {"json", 0, OPT_FLAG, offsetof(struct common, json), NULL,
     "write JSON, one object a line, instead of text", 0, 0},
    {"quiet", 'q', OPT_FLAG, offsetof(struct common, quiet), NULL, "write results only", 0, 0},
    {"threads", 0, OPT_COUNT, offsetof(struct common, threads), "N",
     "threads to use; results do not depend on it", 1, 1024},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

/* ---- errors ------------------------------------------------------------------------------------------ */

int fail_with(int code, const char *format, ...) {
    char line[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    /* one line, and nothing in it that a terminal obeys */
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    fprintf(stderr, "fanin: %s\n", line);
    return code;
}

static int exit_code(enum fanin_status status, int io) {
    switch (status) {
    case FANIN_OK:
        return EXIT_DONE;
    case FANIN_ERR_ARGUMENT:
        return EXIT_USAGE;
    case FANIN_ERR_IO:
        return io;
    case FANIN_ERR_DATA:
    case FANIN_ERR_RECIPE:
    case FANIN_ERR_SHAPE:
    case FANIN_ERR_SYMMETRIC:
        return EXIT_REFUSED;
    case FANIN_ERR_DIVERGED:
        return EXIT_DIVERGED;
    case FANIN_ERR_STOPPED:
        return EXIT_STOPPED;
    case FANIN_ERR_MEMORY:
    case FANIN_ERR_UNSUPPORTED:
    case FANIN_ERR_INTERNAL:
        return EXIT_SYSTEM;
    }
    return EXIT_SYSTEM;
}

#define MISTAKES_SHOWN 20 /* but by info */

/* A recipe with several mistakes: a line for each of them; with --json an object each as well. */
int fail_reading(const struct app *app, enum fanin_status status) {
    const struct fanin_mistake *mistakes;
    int n = fanin_mistakes(app->ctx, &mistakes), code = exit_code(status, EXIT_REFUSED);
    int shown = app->all_mistakes || n < MISTAKES_SHOWN ? n : MISTAKES_SHOWN;
    if (n == 0) return fail_with(code, "%s", fanin_errmsg(app->ctx));
    for (int i = 0; i < n; i++) {
        const struct fanin_mistake *m = &mistakes[i];
        struct fanin_text texts[] = {{"file", m->source}, {"key", m->key}, {"message", m->message}};
        struct fanin_figure line = {"line", m->line};
        if (app->common->json) fanin_report_note(app->report, "mistake", texts, 3, &line, 1);
        if (i >= shown) continue;
        if (m->line > 0)
            fail_with(code, "%s:%d: %s", m->source, m->line, m->message);
        else
            fail_with(code, "%s: %s", m->source, m->message);
    }
    if (n > shown) fail_with(code, "and %d mistakes more; fanin info RECIPE shows all", n - shown);
    return code;
}

int fail_writing(const struct app *app, enum fanin_status status) {
    return fail_with(exit_code(status, EXIT_SYSTEM), "%s", fanin_errmsg(app->ctx));
}

int check_writable(const struct app *app, const char *path) {
    fanin_file *file;
    enum fanin_status status = fanin_file_create(&file, app->ctx, path);
    if (status != FANIN_OK) return fail_writing(app, status);
    fanin_file_free(file);
    return 0;
}

static int write_piece(void *file, const char *text, size_t bytes) {
    return fanin_file_write(file, text, bytes) != FANIN_OK;
}

int write_page(const struct app *app, fanin_page *page, fanin_file *file) {
    enum fanin_status status = fanin_page_write(page, write_piece, file);
    /* why a write failed is what the file says, not the page */
    if (status == FANIN_OK || status == FANIN_ERR_IO) status = fanin_file_commit(file);
    return status == FANIN_OK ? 0 : fail_writing(app, status);
}

/* ---- context and report ---------------------------------------------------------------------------- */

static void log_line(void *payload, enum fanin_log_level level, const char *line) {
    const struct app *app = payload;
    if (level == FANIN_LOG_WARN) fprintf(stderr, "fanin: warning: %s\n", line);
    if (level == FANIN_LOG_INFO && !app->common->quiet) fprintf(stderr, "fanin: %s\n", line);
}

int app_sink(void *payload, const char *text, size_t bytes) {
    struct app *app = payload;
    if (app->sink_errno) return 1;
    errno = 0;
    if (fwrite(text, 1, bytes, stdout) == bytes && fflush(stdout) == 0) return 0;
    app->sink_errno = errno ? errno : EIO;
    return 1;
}

static struct fanin_report_options report_options(const struct app *app) {
    struct fanin_report_options options = {
        .size = sizeof options, .quiet = app->common->quiet, .brief = app->brief};
    const char *terminal = getenv("TERM"), *colors = getenv("NO_COLOR");
    struct winsize window;
    options.terminal = isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    options.color = options.terminal && !(colors && *colors);
    if (options.terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0)
        options.width = window.ws_col;
    return options;
}

int app_open(struct app *app) {
    char error[1024];
    struct fanin_ctx_options options = {
        .size = sizeof options, .log = log_line, .log_payload = app};
    if (app->common->threads.given) options.threads = (int)app->common->threads.value;
    enum fanin_status status = fanin_ctx_create(&app->ctx, &options, error, sizeof error);
    if (status != FANIN_OK) return fail_with(exit_code(status, EXIT_SYSTEM), "%s", error);
    struct fanin_report_options report = report_options(app);
    status = fanin_report_create(&app->report, app->ctx, app->common->json ? "json" : "text",
                                 app_sink, app, &report);
    return status == FANIN_OK ? 0 : fail_writing(app, status);
}

void app_close(struct app *app) {
    fanin_report_free(app->report);
    fanin_ctx_free(app->ctx);
    app->report = NULL;
    app->ctx = NULL;
}

int ensemble_options(const struct app *app, const struct opt_count *mc, int inference,
                     struct fanin_ensemble_options *out) {
    static const enum fanin_inference inferences[] = {FANIN_WEIGHT_SCALING, FANIN_MC,
                                                      FANIN_GEOMETRIC};
    if (!inference) inference = mc->given ? 2 : 1;
    *out = (struct fanin_ensemble_options){.size = sizeof *out,
                                           .inference = inferences[inference - 1],
                                           .members = mc->given == 2 ? FANIN_ALL_MEMBERS
                                                                     : (int64_t)mc->value,
                                           .seed = app->common->seed.value};
    if (mc->given && inference == 1)
        return fail_with(EXIT_USAGE,
                         "--mc averages masks, weight scaling has none: see --inference");
    if (!mc->given && inference != 1)
        return fail_with(EXIT_USAGE, "--inference mc and geometric average masks: say how many, "
                                     "--mc K or --mc all");
    if (app->common->seed.given && mc->given != 1)
        return fail_with(EXIT_USAGE, "--seed goes with --mc K: otherwise nothing is drawn");
    return 0;
}

int add_seed(const struct app *app, const struct opt_list *given, struct opt_list *out,
             char text[40]) {
    *out = (struct opt_list){calloc((size_t)given->n + 3, sizeof *out->items), 0};
    if (!out->items) return fail_with(EXIT_SYSTEM, "out of memory");
    for (int i = 0; i < given->n; i++) out->items[out->n++] = given->items[i];
    if (!app->common->seed.given) return 0;
    snprintf(text, 40, "train.seed=%" PRIu64, app->common->seed.value);
    out->items[out->n++] = text;
    return 0;
}
