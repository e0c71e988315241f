/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin train [RECIPE]: trains a model and writes it. Without a recipe: the embedded handwritten
 * digits; with --data and --target: a network for one's own table.
 *
 * The output is checked before anything is computed. A checkpoint is kept beside it while training
 * runs: a signal ends training after the step it is in, with the checkpoint saved, and the message
 * tells the command that goes on from there; a second signal ends at once. A reader of our output
 * that goes away does not end the training.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "models.h"

#define SUFFIX ".safetensors"
#define DEFAULT_OUT "model" SUFFIX
#define PATH_SIZE 4096

struct train_fields {
    struct common common;
    struct opt_list set;
    const char *data, *target, *out, *resume;
    int profile;
};

static const struct opt options[] = {
    RECIPE_SEED,
    {"set", 0, OPT_LIST, offsetof(struct train_fields, set), "PATH=VALUE",
     "change the recipe: --set net.dense1.units=512", 0, 0},
    {"data", 0, OPT_TEXT, offsetof(struct train_fields, data), "FILE",
     "samples to train on, instead of the recipe's", 0, 0},
    {"target", 0, OPT_TEXT, offsetof(struct train_fields, target), "COLUMN",
     "the column of FILE to predict", 0, 0},
    {"out", 'o', OPT_TEXT, offsetof(struct train_fields, out), "MODEL",
     "the model file; default: " DEFAULT_OUT, 0, 0},
    {"resume", 0, OPT_TEXT, offsetof(struct train_fields, resume), "CHECKPOINT",
     "go on where a stopped run was", 0, 0},
    {"profile", 0, OPT_FLAG, offsetof(struct train_fields, profile), NULL,
     "tell at the end, also at ^C, where the time went", 0, 0},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

/* Everything a run holds; freed together. */
struct run {
    struct app *app;
    const struct train_fields *fields;
    const char *recipe_path, *out;
    char checkpoint[PATH_SIZE];
    int own_checkpoint; /* the recipe names none: it is ours to remove at the end */
    struct subject of;
};

/* ---- preparation ---------------------------------------------------------------------------------------- */

/* "path='value'" as YAML writes a text; NULL without memory. Free with free(). */
static char *text_override(const char *path, const char *value) {
    size_t at = strlen(path) + 2;
    char *text = malloc(at + 2 * strlen(value) + 2);
    if (!text) return NULL;
    sprintf(text, "%s='", path);
    for (; *value; value++) {
        if (*value == '\'') text[at++] = '\'';
        text[at++] = *value;
    }
    memcpy(text + at, "'", 2);
    return text;
}

/* --data and --target instead of what a written recipe says. */
static enum fanin_status load_with_data(struct run *r, struct opt_list *set) {
    const struct train_fields *f = r->fields;
    char *train = text_override("data.train", f->data);
    char *target = f->target ? text_override("data.csv.target", f->target) : NULL;
    enum fanin_status status = FANIN_ERR_MEMORY;
    if (train && (target || !f->target)) {
        set->items[set->n++] = train;
        if (target) set->items[set->n++] = target;
        status = fanin_recipe_load(&r->of.recipe, r->app->ctx, r->recipe_path, set->items, set->n);
    }
    free(train);
    free(target);
    return status;
}

static int load_recipe(struct run *r) {
    const struct train_fields *f = r->fields;
    struct opt_list set;
    char seed[40];
    int code = add_seed(r->app, &f->set, &set, seed);
    if (code) return code;
    enum fanin_status status;
    if (f->data && r->recipe_path)
        status = load_with_data(r, &set);
    else if (f->data)
        status =
            fanin_recipe_for_data(&r->of.recipe, r->app->ctx, f->data, f->target, set.items, set.n);
    else
        status = fanin_recipe_load(&r->of.recipe, r->app->ctx, r->recipe_path, set.items, set.n);
    free(set.items);
    return status == FANIN_OK ? 0 : fail_reading(r->app, status);
}

/* model.safetensors -> model.checkpoint.safetensors, unless the recipe or --resume names one. */
static int choose_checkpoint(struct run *r) {
    const char *named = fanin_recipe_train(r->of.recipe)->checkpoint;
    int length = (int)strlen(r->out), suffix = (int)strlen(SUFFIX), written;
    if (length > suffix && !strcmp(r->out + length - suffix, SUFFIX)) length -= suffix;
    r->own_checkpoint = !named;
    if (r->fields->resume || named)
        written = snprintf(r->checkpoint, PATH_SIZE, "%s",
                           named && !r->fields->resume ? named : r->fields->resume);
    else
        written = snprintf(r->checkpoint, PATH_SIZE, "%.*s.checkpoint" SUFFIX, length, r->out);
    if (written >= PATH_SIZE) return fail_with(EXIT_USAGE, "the path of the model is too long");
    if (!strcmp(r->checkpoint, r->out))
        return fail_with(EXIT_USAGE, "%s: the model and the checkpoint cannot be one file", r->out);
    return 0;
}

static int check_outputs(const struct run *r) {
    if (r->fields->resume && access(r->fields->resume, R_OK) != 0)
        return fail_with(EXIT_REFUSED, "%s: cannot resume: %s", r->fields->resume, strerror(errno));
    int code = check_writable(r->app, r->out);
    return code ? code : check_writable(r->app, r->checkpoint);
}

/* ---- the run -------------------------------------------------------------------------------------------- */

/* The command that goes on from the checkpoint: this one, with --resume. Free with free(). */
static char *resume_command(const struct run *r) {
    const char **words = calloc((size_t)r->app->argc + 2, sizeof *words);
    int n = 0;
    for (int i = 0; words && i < r->app->argc; i++) {
        const char *word = r->app->argv[i];
        if (!strcmp(word, "--resume"))
            i++;
        else if (strncmp(word, "--resume=", 9) != 0)
            words[n++] = word;
    }
    if (words) {
        words[n++] = "--resume";
        words[n++] = r->checkpoint;
    }
    char *line = words ? shell_line(r->app->name, words, n) : NULL;
    free(words);
    return line;
}

static int stopped(const struct run *r) {
    char *line = resume_command(r);
    const int code = fail_with(EXIT_STOPPED, "stopped, checkpoint saved; go on with: %s",
                               line ? line : "fanin train --resume");
    free(line);
    return code;
}

/* The default recipe for a table names a batch without having seen the table; one that the user
 * names is kept, and refused where the data are fewer. */
static int batch_is_ours(const struct run *r) {
    const struct opt_list *set = &r->fields->set;
    if (r->recipe_path || !r->fields->data) return 0;
    for (int i = 0; i < set->n; i++)
        if (!strncmp(set->items[i], "train.batch=", 12) || !strncmp(set->items[i], "train=", 6))
            return 0;
    return 1;
}

/* The cheap part of `fanin check`, in a line. What it cannot look at, the training will refuse. */
static void tell_check(const struct run *r, const struct fanin_train_options *o) {
    const struct fanin_check_options how = {.size = sizeof how, .batch = 32};
    fanin_check *check;
    char line[640];
    if (o->resume || r->app->common->json || r->app->common->quiet) return;
    if (fanin_model_check(&check, r->of.model, r->of.data, o, &how) != FANIN_OK) return;
    const struct fanin_check_result *result = fanin_check_get(check);
    if (result->verdict == FANIN_TRAINABLE)
        snprintf(line, sizeof line, "check    trainable\n");
    else
        snprintf(line, sizeof line, "check    %s: %s (fanin check tells more)\n",
                 check_verdicts[result->verdict], result->findings[0].text);
    app_sink(r->app, line, strlen(line));
    fanin_check_free(check);
}

static int train(struct run *r) {
    struct fanin_train_options o = *fanin_recipe_train(r->of.recipe);
    int64_t rows = fanin_data_rows(r->of.data, FANIN_TRAIN);
    if (batch_is_ours(r) && o.batch > rows) o.batch = rows;
    o.checkpoint = r->checkpoint;
    o.resume = r->fields->resume != NULL;
    o.event = fanin_report_event;
    o.event_payload = r->app->report;
    o.profile = r->fields->profile;
    tell_check(r, &o);
    stop_on_signals(r->app->ctx);
    enum fanin_status status = fanin_train(r->of.model, r->of.data, &o);
    stop_on_signals(NULL);
    if (status == FANIN_ERR_STOPPED) return stopped(r);
    return status == FANIN_OK ? 0 : fail_writing(r->app, status);
}

/* ---- the end -------------------------------------------------------------------------------------------- */

static int save(const struct run *r) {
    enum fanin_status status = fanin_model_save(r->of.model, r->out);
    if (status != FANIN_OK) return fail_writing(r->app, status);
    if (r->own_checkpoint) unlink(r->checkpoint);
    return 0;
}

static int evaluate(const struct run *r) {
    enum fanin_part part =
        fanin_data_rows(r->of.data, FANIN_TEST) > 0 ? FANIN_TEST : FANIN_VALIDATION;
    if (fanin_data_rows(r->of.data, part) == 0) return 0;
    enum fanin_status status =
        fanin_evaluate(r->of.model, r->of.data, part, fanin_report_event, r->app->report);
    return status == FANIN_OK ? 0 : fail_reading(r->app, status);
}

static void say_next(const struct run *r) {
    if (r->app->common->quiet || r->app->sink_errno) return;
    if (r->app->common->json) {
        struct fanin_text path = {"path", r->out};
        fanin_report_note(r->app->report, "model", &path, 1, NULL, 0);
        return;
    }
    const int held_out = fanin_data_rows(r->of.data, FANIN_TEST) > 0 ||
                         fanin_data_rows(r->of.data, FANIN_VALIDATION) > 0;
    const char *const commands[] = {"eval", "predict", "info", "report"};
    const char *const more[] = {held_out ? "" : " --data FILE", " FILE", "", ""};
    printf("\nmodel   %s\n", r->out);
    for (int i = 0; i < 4; i++) {
        char *line = shell_line(commands[i], &r->out, 1);
        if (line) printf("%s%s%s\n", i ? "        " : "next    ", line, more[i]);
        free(line);
    }
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    const struct train_fields *f = fields;
    struct run r = {.app = app, .fields = f, .recipe_path = n ? operands[0] : NULL};
    r.out = f->out ? f->out : DEFAULT_OUT;
    if (f->target && !f->data)
        return fail_with(EXIT_USAGE, "--target names a column of the file that --data names");
    signal(SIGPIPE, SIG_IGN);
    int code = load_recipe(&r);
    if (!code) code = choose_checkpoint(&r);
    if (!code) code = check_outputs(&r);
    if (!code) code = load_data_and_model(app, &r.of);
    if (!code) code = train(&r);
    if (!code) code = save(&r);
    if (!code) code = evaluate(&r);
    if (!code) say_next(&r);
    close_subject(&r.of);
    return code;
}

const struct command cmd_train = {
    .usage = {"train", "[RECIPE.yaml]", 0, 1,
              "Train a network (without a recipe: on the embedded handwritten digits)", options,
              common_options},
    .size = sizeof(struct train_fields),
    .brief = 1,
    .run = run,
};
