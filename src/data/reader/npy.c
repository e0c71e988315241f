/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays of NumPy in files of their own: samples in one (the first dimension counts them), labels
 * in another, plain or gzip. What is in such a file: data/npy_format.c.
 */
#include "data/npy.h"

#include <string.h>

#include "data/reader/reader.h"

struct npy {
    int64_t classes;
    int task; /* enum fanin_task, where FANIN_UNLABELED stands for auto */
};

static enum fanin_status read_source(void *source, void *to, int64_t n, int64_t *got) {
    return fi_source_read(source, to, n, got);
}

struct file {
    struct fi_source source;
    struct fi_npy npy;
};

static enum fanin_status open_npy(struct file *f, fanin_ctx *ctx, const char *path) {
    *f = (struct file){0};
    if (strcmp(path, "-") == 0)
        return fi_fail(ctx, FANIN_ERR_IO, "NPY data are read from files, not standard input");
    FI_TRY(fi_source_open(&f->source, ctx, path));
    f->npy =
        (struct fi_npy){.bytes = {ctx, read_source, &f->source, fi_source_bound(&f->source), 0},
                        .array = {.path = path}};
    enum fanin_status status = fi_npy_header(&f->npy);
    if (status != FANIN_OK) fi_source_close(&f->source);
    return status;
}

static enum fanin_status read_npy(struct fi_read_request *r, struct fi_table *out) {
    const struct npy *attrs = r->attrs;
    const struct fi_label_rules rules = {(enum fanin_task)attrs->task, attrs->classes};
    struct file samples, labels;
    FI_TRY(open_npy(&samples, r->ctx, r->path));
    enum fanin_status status = fi_npy_numbers(&samples.npy, r->arena);
    fi_source_close(&samples.source);
    if (status == FANIN_OK && r->labels_path) {
        status = open_npy(&labels, r->ctx, r->labels_path);
        if (status == FANIN_OK) {
            status = fi_labels_check(r->ctx, &samples.npy.array, &labels.npy.array, &rules);
            if (status == FANIN_OK) status = fi_npy_numbers(&labels.npy, r->arena);
            fi_source_close(&labels.source);
        }
    }
    FI_TRY(status);
    return fi_arrays_to_table(r, &samples.npy.array, r->labels_path ? &labels.npy.array : NULL,
                              &rules, out);
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct npy, classes, 0, 0, FI_MAX_CLASSES, FI_CLASSES_HELP, 0),
    FI_ATTR_CHOICE(struct npy, task, FANIN_UNLABELED, FI_TASK_WORDS, FI_TASK_HELP), FI_ATTR_END};

FI_RECORD(reader, npy) = {
    .head = {.name = "npy",
             .formula = "93 'NUMPY' version, {'descr', 'fortran_order', 'shape'}, numbers",
             .reference = "NumPy Enhancement Proposal 1, A Simple File Format for NumPy Arrays",
             .help = "Arrays of NumPy, samples and labels in two files, plain or gzip.",
             .attrs = specs,
             .attrs_size = sizeof(struct npy)},
    .suffixes = ".npy .npy.gz",
    .needs_path = true,
    .read = read_npy,
};
