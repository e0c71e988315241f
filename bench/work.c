/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a workload; see work.h. The arrays are read by the library's own reader of .npy.
 */
#include "work.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/npy.h"
#include "data/reader/reader.h"

void work_die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void *work_alloc(int64_t count, size_t size) {
    void *memory = calloc((size_t)count, size);
    if (!memory) work_die("no memory for %lld × %zu bytes", (long long)count, size);
    return memory;
}

double work_number(const json_t *object, const char *member) {
    return json_number_value(json_object_get(object, member));
}

const char *work_text(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

bool work_is(const struct work *w, const char *member, const char *text) {
    return strcmp(work_text(w->json, member), text) == 0;
}

/* ---- arrays ---------------------------------------------------------------------------------------- */

static enum fanin_status read_source(void *from, void *to, int64_t n, int64_t *got) {
    return fi_source_read(from, to, n, got);
}

/* rows × cols numbers of the folder's file `name`. */
static const float *numbers(struct work *w, const char *name, int64_t rows, int64_t cols) {
    struct fi_source source = {0};
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.npy", w->folder, name);
    if (fi_source_open(&source, w->ctx, path)) work_die("%s", fanin_errmsg(w->ctx));
    struct fi_npy npy = {.bytes = {w->ctx, read_source, &source, fi_source_bound(&source), 0},
                         .array = {.path = path}};
    if (fi_npy_header(&npy)) work_die("%s", fanin_errmsg(w->ctx));
    if (npy.array.count != rows * cols || npy.array.dims[0] != rows)
        work_die("%s holds %lld numbers in %lld rows: %s has %lld × %lld", path,
                 (long long)npy.array.count, (long long)npy.array.dims[0], w->name, (long long)rows,
                 (long long)cols);
    if (fi_npy_numbers(&npy, &w->arena)) work_die("%s", fanin_errmsg(w->ctx));
    fi_source_close(&source);
    if (!npy.array.f32) work_die("%s holds bytes: float32 or int32 is wanted", path);
    return npy.array.f32;
}

static int32_t *labels(struct work *w, int64_t rows) {
    const float *values = numbers(w, "labels", rows, 1);
    int32_t *to = fi_arena_alloc(&w->arena, rows, sizeof *to);
    if (!to) work_die("%s", fanin_errmsg(w->ctx));
    for (int64_t r = 0; r < rows; r++) to[r] = (int32_t)values[r];
    return to;
}

static const float *numbered(struct work *w, const char *name, int i, int64_t rows, int64_t cols) {
    char text[32];
    snprintf(text, sizeof text, "%s%d", name, i);
    return numbers(w, text, rows, cols);
}

static void read_dense(struct work *w, bool gradients) {
    const json_t *layer;
    size_t i;
    w->outputs = w->in;
    json_array_foreach(w->layers, i, layer) {
        struct work_dense *d = &w->dense[w->n_dense];
        if (strcmp(work_text(layer, "op"), "dense") != 0) continue;
        if (w->n_dense == WORK_DENSE)
            work_die("%s has more than %d dense layers", w->name, WORK_DENSE);
        d->in = w->outputs;
        d->units = w->outputs = (int64_t)work_number(layer, "units");
        d->w = numbered(w, "w", w->n_dense, d->units, d->in);
        d->b = numbered(w, "b", w->n_dense, d->units, 1);
        if (gradients) {
            d->dw = numbered(w, "dw", w->n_dense, d->units, d->in);
            d->db = numbered(w, "db", w->n_dense, d->units, 1);
        }
        w->n_dense++;
    }
}

static void read_op(struct work *w) {
    if (work_is(w, "op", "update")) {
        read_dense(w, true);
        return;
    }
    w->batch = (int64_t)work_number(w->json, "rows");
    w->in = w->outputs = (int64_t)work_number(w->json, "cols");
    w->x = numbers(w, "x", w->batch, w->in);
    if (work_is(w, "op", "softmax_cross_entropy"))
        w->labels = labels(w, w->batch);
    else
        w->g = numbers(w, "g", w->batch, w->in);
}

static void read_net(struct work *w) {
    const int64_t rows = WORK_BATCHES * w->batch;
    read_dense(w, false);
    w->x = numbers(w, "x", rows, w->in);
    if (work_is(w, "loss", "mse"))
        w->target = numbers(w, "target", rows, w->outputs);
    else
        w->labels = labels(w, rows);
}

/* ---- the workload ---------------------------------------------------------------------------------- */

static const json_t *find(const json_t *file, const char *name) {
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(file, "workloads"), i, one) {
        if (strcmp(work_text(one, "name"), name) == 0) return one;
    }
    return NULL;
}

void work_open(struct work *w, const char *path, const char *name, const char *folder, int threads,
               const char *mode) {
    json_error_t error;
    char message[256];
    const struct fanin_ctx_options options = {.size = sizeof options, .threads = 1};
    *w = (struct work){.name = name, .folder = folder, .threads = threads, .mode = mode};
    if (!(w->file = json_load_file(path, 0, &error)))
        work_die("%s:%d: %s", path, error.line, error.text);
    if (!(w->json = find(w->file, name))) work_die("%s: no workload %s", path, name);
    if (fanin_ctx_create(&w->ctx, &options, message, sizeof message)) work_die("%s", message);
    fi_arena_init(&w->arena, w->ctx);
    w->kind = work_text(w->json, "kind");
    w->layers = json_object_get(w->json, "layers");
    w->optimizer = json_object_get(w->json, "optimizer");
    w->in = (int64_t)work_number(w->json, "in");
    w->batch = (int64_t)work_number(w->json, "batch");
    if (strcmp(mode, "limits") == 0) return;
    if (strcmp(w->kind, "op") == 0)
        read_op(w);
    else if (strcmp(w->kind, "train") == 0 || strcmp(w->kind, "infer") == 0)
        read_net(w);
}

void work_close(struct work *w) {
    fi_arena_free(&w->arena);
    fanin_ctx_free(w->ctx);
    json_decref(w->file);
}
