/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `fanin`: finds the subcommand in a table, parses its options, runs it. Everything it
 * does, it does through the public headers.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

static const struct command *const commands[] = {&cmd_train,  &cmd_check, &cmd_eval,  &cmd_predict,
                                                 &cmd_report, &cmd_fold,  &cmd_study, &cmd_bench,
                                                 &cmd_info,   &cmd_list,  &cmd_help,  &cmd_schema};
#define N_COMMANDS ((int)(sizeof commands / sizeof commands[0]))

const struct command *command_at(int index) {
    return index >= 0 && index < N_COMMANDS ? commands[index] : NULL;
}

const struct command *command_find(const char *name) {
    for (int i = 0; i < N_COMMANDS; i++)
        if (!strcmp(commands[i]->usage.name, name)) return commands[i];
    return NULL;
}

/* The exit code: output that could not be written is a failure, unless its reader went away. */
static int finish(int status, int sink_errno) {
    errno = 0;
    int failed = fflush(stdout) != 0 || ferror(stdout) || sink_errno;
    int reason = sink_errno ? sink_errno : errno;
    if (status || !failed || reason == EPIPE) return status;
    return fail_with(EXIT_SYSTEM, "cannot write to standard output: %s",
                     reason ? strerror(reason) : "an earlier write failed");
}

static int print_help(void) {
    printf("Usage: fanin COMMAND [OPTION]...\nTrain neural networks right.\n\n");
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  %-8s %-14s %s\n", commands[i]->usage.name, commands[i]->usage.operands,
               commands[i]->usage.about);
    printf(
        "\n`fanin COMMAND --help` tells a command's options, `fanin help NAME` what may stand in "
        "a\n"
        "recipe, `fanin --version [--json]` the version. Try `fanin train`: it needs nothing.\n");
    return finish(EXIT_DONE, 0);
}

static int print_version(int json) {
    struct common common = {.json = json};
    struct app app = {.name = "--version", .common = &common};
    int status = app_open(&app);
    if (status) {
        app_close(&app);
        return status;
    }
    if (json) {
        struct fanin_text texts[] = {{"version", fanin_version()},
                                     {"isa", fanin_isa(app.ctx)},
                                     {"compiler", fanin_compiler()}};
        struct fanin_figure threads = {"threads", fanin_threads(app.ctx)};
        fanin_report_note(app.report, "version", texts, 3, &threads, 1);
    } else {
        printf("fanin %s (%s, %d thread%s, %s)\n", fanin_version(), fanin_isa(app.ctx),
               fanin_threads(app.ctx), fanin_threads(app.ctx) == 1 ? "" : "s", fanin_compiler());
    }
    app_close(&app);
    return finish(EXIT_DONE, app.sink_errno);
}

static int run_command(const struct command *c, int argc, char **argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            opt_usage(&c->usage);
            return finish(EXIT_DONE, 0);
        }
    int n = 0, status = EXIT_SYSTEM;
    void *fields = calloc(1, c->size);
    const char **operands = calloc((size_t)argc + 1, sizeof *operands);
    struct app app = {.name = c->usage.name,
                      .brief = c->brief,
                      .all_mistakes = c->all_mistakes,
                      .argc = argc,
                      .argv = argv,
                      .common = fields};
    if (!fields || !operands) {
        fail_with(EXIT_SYSTEM, "out of memory");
    } else {
        status = opt_parse(&c->usage, argc, argv, fields, operands, &n);
        if (!status) status = app_open(&app);
        if (!status) status = c->run(&app, fields, operands, n);
        app_close(&app);
        opt_free(&c->usage, fields);
    }
    free(operands);
    free(fields);
    return finish(status, app.sink_errno);
}

static int unknown_command(const char *name) {
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++) names[i] = commands[i]->usage.name;
    const char *near = fanin_nearest(name, names, N_COMMANDS);
    if (near) return fail_with(EXIT_USAGE, "unknown command '%s'; did you mean %s?", name, near);
    return fail_with(EXIT_USAGE, "unknown command '%s'; see fanin --help", name);
}

int main(int argc, char **argv) {
    /* a reader that goes away ends us quietly, whatever the caller does with the signal */
    signal(SIGPIPE, SIG_DFL);
    if (argc < 2) {
        fail_with(EXIT_USAGE, "which command? see fanin --help (or try fanin train)");
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) return print_help();
    if (!strcmp(argv[1], "--version")) {
        if (argc == 2) return print_version(0);
        if (argc == 3 && !strcmp(argv[2], "--json")) return print_version(1);
        return fail_with(EXIT_USAGE, "usage: fanin --version [--json]");
    }
    const struct command *c = command_find(argv[1]);
    return c ? run_command(c, argc - 2, argv + 2) : unknown_command(argv[1]);
}
