/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of a worker; see worker.h.
 */
#include "worker.h"

#include <math.h>
#include <string.h>

#include "bench.h"

struct session {
    const struct worker *worker;
    const struct worker_kind *kind;
    struct work work;
    void *self;
};

static void answer(json_t *line) {
    if (!line || json_dumpf(line, stdout, JSON_COMPACT)) work_die("no memory for an answer");
    fputc('\n', stdout);
    fflush(stdout);
    json_decref(line);
}

json_t *worker_numbers(const double *values, int64_t n) {
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) work_die("result %lld is not finite", (long long)i);
        json_array_append_new(list, json_real(values[i]));
    }
    return list;
}

json_t *worker_floats(const float *values, int64_t n) {
    double *wide = work_alloc(n, sizeof *wide);
    for (int64_t i = 0; i < n; i++) wide[i] = (double)values[i];
    json_t *list = worker_numbers(wide, n);
    free(wide);
    return list;
}

/* Losses of the first steps from the files, of a run apart from the one that is timed. */
static json_t *losses(const struct session *s, int64_t steps) {
    struct worker_say say = {0};
    double *values = work_alloc(steps, sizeof *values);
    void *self = s->kind->open(&s->work, true, &say);
    if (!self) work_die("%s", say.unable);
    for (int64_t i = 0; i < steps; i++) values[i] = s->kind->run(self);
    s->kind->close(self);
    json_t *list = worker_numbers(values, steps);
    free(values);
    return json_pack("{s: o}", "losses", list);
}

static void run(void *arg) {
    const struct session *s = arg;
    s->kind->run(s->self);
}

static json_t *block(struct session *s, double seconds) {
    long n;
    if (s->kind->block) return s->kind->block(s->self, seconds);
    const double time = bench_count(run, s, seconds, &n);
    return json_pack("{s: f, s: I}", "ms", 1e3 * time / (double)n, "n", (json_int_t)n);
}

/* false: the end was asked for. */
static bool obey(struct session *s, const json_t *line) {
    const char *what = work_text(line, "do");
    const int64_t steps = (int64_t)work_number(line, "steps");
    if (strcmp(what, "quit") == 0) return false;
    if (strcmp(what, "block") == 0)
        answer(block(s, work_number(line, "seconds")));
    else if (strcmp(what, "prove") == 0 && s->kind->result)
        answer(s->kind->result(s->self, steps));
    else if (strcmp(what, "prove") == 0 && !s->kind->block)
        answer(losses(s, steps));
    else
        work_die("a request to do \"%s\": prove, block or quit is known", what);
    return true;
}

/* The mode limits, the op (update), or the kind. */
static const struct worker_kind *find_kind(const struct session *s) {
    const struct work *w = &s->work;
    const bool limits = strcmp(w->mode, "limits") == 0;
    const char *names[] = {limits ? w->mode : work_text(w->json, "op"), limits ? "" : w->kind};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < s->worker->n_kinds; i++)
            if (strcmp(s->worker->kinds[i].kind, names[k]) == 0) return &s->worker->kinds[i];
    return NULL;
}

static bool open_session(struct session *s) {
    struct worker_say say = {0};
    const double t0 = bench_now();
    if ((s->kind = find_kind(s)))
        s->self = s->kind->open(&s->work, false, &say);
    else
        say.unable = "not a kind of workload that this library does";
    if (!s->self) {
        answer(json_pack("{s: s}", "unable", say.unable));
        return false;
    }
    json_t *line =
        json_pack("{s: b, s: s, s: s, s: s, s: f}", "ready", 1, "peer", s->worker->peer, "version",
                  s->worker->version, "mode", s->work.mode, "warm_s", bench_now() - t0);
    if (say.note) json_object_set_new(line, "note", json_string(say.note));
    if (say.differs) json_object_set_new(line, "differs", json_true());
    answer(line);
    return true;
}

int worker_main(int argc, char **argv, const struct worker *worker) {
    struct session s = {.worker = worker};
    json_error_t error;
    json_t *line;
    bool more = true;
    if (argc != 6) {
        fprintf(stderr, "usage: %s WORKLOADS.json NAME FOLDER THREADS MODE\n", argv[0]);
        return 2;
    }
    work_open(&s.work, argv[1], argv[2], argv[3], atoi(argv[4]), argv[5]);
    if (open_session(&s)) {
        while (more && (line = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, &error))) {
            more = obey(&s, line);
            json_decref(line);
        }
        if (more && json_error_code(&error) != json_error_premature_end_of_input)
            work_die("standard input: %s", error.text);
        s.kind->close(s.self);
    }
    work_close(&s.work);
    return 0;
}
