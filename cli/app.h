/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands share: the common options, the context, the report, errors and exit codes.
 *
 * A failure is one line on stderr, "fanin: …", and an exit code (docs/cli.md); results go to
 * stdout.
 */
#ifndef FANIN_CLI_APP_H
#define FANIN_CLI_APP_H

#include <fanin/fanin.h>
#include <fanin/format.h>
#include <fanin/page.h>
#include <fanin/report.h>
#include <stdio.h>

#include "opt.h"

enum {
    EXIT_DONE = 0,
    EXIT_SYSTEM = 1,
    EXIT_USAGE = 2,
    EXIT_REFUSED = 3,
    EXIT_DIVERGED = 4,
    EXIT_STOPPED = 5,
    EXIT_AT_RISK = 10,
    EXIT_WILL_NOT_TRAIN = 11,
    EXIT_CLAIM_FAILS = 12
};

/* The options everybody takes, and --seed, which some do. First member of a command's struct, so
 * that offsets agree. */
struct common {
    int json, quiet;
    struct opt_count threads, seed;
};
extern const struct opt common_options[];
#define SEED_OPTION(help)                                                                          \
    {                                                                                              \
        "seed", 0, OPT_COUNT, offsetof(struct common, seed), "N", help, 0,                         \
            UINT64_C(9007199254740992)                                                             \
    }
#define RECIPE_SEED SEED_OPTION("seed of all random numbers, instead of the recipe's")

struct app {
    const char *name; /* the command */
    int brief;        /* evaluations without the confusion matrix */
    int all_mistakes; /* of a recipe, however many there are */
    int argc;         /* behind the command's name */
    char **argv;
    const struct common *common;
    fanin_ctx *ctx;
    fanin_report *report;
    int sink_errno; /* why stdout took no more; 0: it did */
};

/* A command: `run` gets an open app and returns the exit code. */
struct command {
    struct opt_command usage;
    int brief, all_mistakes;
    size_t size; /* of the struct its options go to, which begins with a struct common */
    int (*run)(struct app *app, const void *fields, const char *const *operands, int n);
};
extern const struct command cmd_train, cmd_check, cmd_eval, cmd_predict, cmd_report, cmd_fold,
    cmd_info, cmd_list, cmd_help, cmd_schema, cmd_study, cmd_bench;
/* NULL beyond the last. */
const struct command *command_at(int index);
const struct command *command_find(const char *name);

/* Makes app->ctx and app->report. 0, or an exit code after a message. */
int app_open(struct app *app);
/* Frees both. */
void app_close(struct app *app);
/* The sink of app->report: stdout. */
int app_sink(void *app, const char *text, size_t bytes);

/* Prints the message of the context and returns the exit code of `status`. What was being done
 * decides what a file error means: an input is refused, an output is a failure of the system. */
int fail_reading(const struct app *app, enum fanin_status status);
int fail_writing(const struct app *app, enum fanin_status status);
/* "fanin: …", one line. Returns `code`. */
int fail_with(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* 0 if `path` can be written (nothing is left behind), else an exit code after a message. */
int check_writable(const struct app *app, const char *path);

/* A signal that asks to end calls fanin_stop(ctx), the next one ends at once; NULL: no more. */
void stop_on_signals(fanin_ctx *ctx);
/* "fanin <command> word…" as a shell reads it; NULL without memory. Free with free(). */
char *shell_line(const char *command, const char *const *words, int n);
/* Writes the page to a file that was begun, and commits it. 0, or an exit code after a message. */
int write_page(const struct app *app, fanin_page *page, fanin_file *file);

/* What --mc, --seed and --inference (the word's place in INFERENCES, 0: not given) ask for. */
#define INFERENCES "weight_scaling|mc|geometric"
#define MASKS_MAX 1000000
#define MASK_SEED SEED_OPTION("seed of the masks of --mc; default: 0")
int ensemble_options(const struct app *app, const struct opt_count *mc, int inference,
                     struct fanin_ensemble_options *out);

/* A copy of the overrides with "train.seed=N" behind them if --seed was given, and room for two
 * more. Free out->items with free(). */
int add_seed(const struct app *app, const struct opt_list *given, struct opt_list *out,
             char text[40]);

#endif
