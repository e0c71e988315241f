/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays of numbers from files (IDX, NPY, NPZ): from samples and labels to a table.
 *
 * A reader fills the head of an array from a header, checks what can be checked before memory is
 * taken, and then the numbers.
 */
#ifndef FI_ARRAY_H
#define FI_ARRAY_H

#include "data/data.h"

#define FI_ARRAY_MAX_RANK (FANIN_MAX_RANK + 1) /* the first dim counts samples */
#define FI_MAX_CLASSES 65536

/* Attributes of the readers. */
#define FI_CLASSES_HELP "number of classes; 0: one more than the highest training label"
#define FI_TASK_WORDS "auto|classification|regression"
#define FI_TASK_HELP "what labels are; auto: one whole number for each sample is a class"

struct fi_array {
    const char *path; /* for messages */
    const char *type; /* "uint8" */
    bool integer;     /* whole numbers: as labels they are classes */
    bool flags;       /* truth values: several for each sample are targets, one is a class */
    int rank;
    int64_t dims[FI_ARRAY_MAX_RANK], count; /* count: product of dims */
    uint8_t *u8;                            /* bytes that stay bytes; else f32 */
    float *f32;
};

/* How labels are to be understood: told from their type, or as the attribute `task` says. */
struct fi_label_rules {
    enum fanin_task task; /* UNLABELED: from the type */
    int64_t classes;      /* 0: that of `like`, or one more than the highest label */
};

/* The product of the dims, none of which may be 0; `bytes` a number, of which `bound` can follow.
 * Errors: DATA. */
enum fanin_status fi_array_count(fanin_ctx *ctx, struct fi_array *array, int64_t bytes,
                                 int64_t bound);
/* Puts a number into f32, at `index`. Errors: DATA (not finite as a float; `number` counts them in
 * the file). */
enum fanin_status fi_array_put(fanin_ctx *ctx, struct fi_array *array, int64_t index,
                               int64_t number, double value);
/* Whether labels of this head fit the samples; to be asked before they are read. */
enum fanin_status fi_labels_check(fanin_ctx *ctx, const struct fi_array *samples,
                                  const struct fi_array *labels,
                                  const struct fi_label_rules *rules);
/* Makes the table of samples and labels (NULL: none), which are read, and describes it. */
enum fanin_status fi_arrays_to_table(struct fi_read_request *r, struct fi_array *samples,
                                     struct fi_array *labels, const struct fi_label_rules *rules,
                                     struct fi_table *out);

#endif
