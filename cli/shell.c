/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command shares with the shell it was called from: signals that ask it to stop, and its own
 * line as the shell would read it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

/* ---- signals ------------------------------------------------------------------------------------------ */

static fanin_ctx *volatile stop_ctx; /* a signal handler gets no argument */
static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define N_SIGNALS ((int)(sizeof stop_signals / sizeof stop_signals[0]))

static void on_signal(int number) {
    (void)number;
    if (stop_ctx) fanin_stop(stop_ctx);
    for (int i = 0; i < N_SIGNALS; i++) signal(stop_signals[i], SIG_DFL);
}

static void catch_signals(fanin_ctx *ctx) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
    stop_ctx = ctx;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < N_SIGNALS; i++) /* what the caller ignores (nohup) stays ignored */
        if (sigaction(stop_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(stop_signals[i], &action, NULL);
}

static void release_signals(void) {
    struct sigaction old;
    for (int i = 0; i < N_SIGNALS; i++)
        if (sigaction(stop_signals[i], NULL, &old) == 0 && old.sa_handler == on_signal)
            signal(stop_signals[i], SIG_DFL);
    stop_ctx = NULL;
}

void stop_on_signals(fanin_ctx *ctx) {
    if (ctx)
        catch_signals(ctx);
    else
        release_signals();
}

/* ---- the command's line --------------------------------------------------------------------------------- */

char *shell_line(const char *command, const char *const *words, int n) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:+@%";
    size_t size = strlen(command) + sizeof "fanin ", at = 0;
    for (int i = 0; i < n; i++) size += 4 * strlen(words[i]) + 4;
    char *line = malloc(size + 1);
    if (!line) return NULL;
    at += (size_t)snprintf(line, size, "fanin %s", command);
    for (int i = 0; i < n; i++) {
        const char *word = words[i];
        const int quoted = !*word || word[strspn(word, plain)];
        line[at++] = ' ';
        if (quoted) line[at++] = '\'';
        for (; *word; word++) {
            if (*word == '\'') {
                memcpy(line + at, "'\\'", 3);
                at += 3;
            }
            line[at++] = *word;
        }
        if (quoted) line[at++] = '\'';
    }
    line[at] = '\0';
    return line;
}
