/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data sets inside the library: the table a reader fills, the parts, the gathering of batches.
 */
#ifndef FI_DATA_H
#define FI_DATA_H

#include <fanin/data.h>

#include "base/base.h"

/* What stands for a missing number. */
enum fi_fill { FI_FILL_MEAN, FI_FILL_MEDIAN, FI_FILL_MOST_FREQUENT };

/* Samples as they came. Exactly one of u8 and f32 is set: n × shape.cols, row-major. Labels: class
 * numbers (classification) or targets, n × n_outputs floats (regression), or neither. */
struct fi_table {
    struct fanin_shape shape;
    int64_t n;
    int64_t in_file; /* n before `rows` cut it */
    uint8_t *u8;
    float *f32;
    int32_t *labels;
    float *targets;
    bool target_inputs; /* regression whose targets are the normalized inputs; targets is NULL */
    float *weights;     /* of the samples, >= 0, in the mean of the loss; NULL: all 1 */
    enum fanin_task task;
    int64_t n_outputs;
    const char **output_names; /* n_outputs of them, or NULL: "0", "1", … */
    const char **input_names;  /* shape.cols of them, or NULL */
    const uint8_t *fixed;      /* shape.cols flags: 1 = this column is never normalized; or NULL */
    bool may_miss;             /* f32: NaN is a missing value, filled from the training part */
    const uint8_t *fill;       /* shape.cols of enum fi_fill; NULL: the mean of each column */
    const int32_t *vocabulary; /* shape.cols: how many numbers a column of indexes may hold, from 0;
                                * 0: no such column; NULL: there are none */
    const char *describe;      /* one line: what it is, how the target was understood */
};

/* What a reader is asked. Paths are complete; `like` is the training table when a second file is
 * read (columns and class names must be understood the same way), else NULL. */
struct fi_read_request {
    fanin_ctx *ctx;
    struct fi_arena *arena;         /* everything in the table is allocated here */
    const char *path, *labels_path; /* NULL for sources without files */
    const void *attrs;
    uint64_t seed;
    enum fanin_part part;
    const struct fi_table *like;
    bool labels_optional; /* prediction: labels that are missing are no error */
    bool no_labels;       /* data.target: input: labels need not be read, and are not used */
    const char *weights;  /* the column that holds the samples' weights; NULL, or no column: none */
    const char *dir;
    const void *schema_in;  /* schema of a saved model (a text), NULL when training */
    const char *schema_out; /* set by the reader: what predict needs to read alike, JSON, or NULL */
    bool holds[3];          /* set with the training part: the same file holds these parts too */
};

struct fi_reader {
    struct fanin_record head;
    const char *suffixes; /* " .csv .csv.gz " that choose this reader; NULL: only by name */
    bool needs_path;
    bool synthetic; /* may be asked for FANIN_TEST without a path: draws fresh samples */
    enum fanin_status (*read)(struct fi_read_request *request, struct fi_table *out);
    /* A file of one number a line; NULL: read() gives samples of one number. */
    enum fanin_status (*numbers)(struct fi_read_request *request, float **out, int64_t *n);
};

/* One part of a data set: rows of a table. */
struct fi_part {
    const struct fi_table *table;
    int64_t n;
    int64_t *rows; /* NULL: 0 .. n-1 */
};

static inline int64_t fi_part_row(const struct fi_part *part, int64_t position) {
    return part->rows ? part->rows[position] : position;
}

struct fanin_data {
    fanin_ctx *ctx;
    struct fi_arena arena;
    struct fi_table tables[3];
    struct fi_part parts[3];
    float *shift, *scale;               /* shape.cols each; value = (raw - shift) * scale */
    bool binary;                        /* then value > 0 is 1, all else 0 */
    float *target_shift, *target_scale; /* regression: n_outputs each, applied like shift and scale
                                         * when targets are gathered; NULL: targets as they are */
    float *fill; /* shape.cols: what stands for a missing value; NULL: none may miss */
    const char *normalize;
    const char *reader;   /* the record's name */
    const char *schema;   /* text that a model file keeps so that predict reads alike, or NULL */
    const char *describe; /* one line */
    uint64_t seed;
};

/* A path of the options under their folder. */
enum fanin_status fi_data_path(struct fi_arena *arena, const char *dir, const char *path,
                               const char **out);
/* "train", "validation", "test". Static. */
const char *fi_part_name(enum fanin_part part);

/* Gathers the samples index[0..n) of a part (positions within the part) into x, rows ld apart,
 * normalized. */
void fi_data_gather(const fanin_data *data, enum fanin_part part, const int64_t *index, int64_t n,
                    fi_real *x, int64_t ld);
/* What is known of the same samples. Members may be NULL; what the data have not is left alone. */
struct fi_known {
    int32_t *labels;
    fi_real *targets; /* rows ld apart */
    int64_t ld;
    bool raw;        /* targets as they are in the data, not normalized */
    double *weights; /* 1 where the data have none */
};
/* The targets of the same samples alone (target.c). */
void fi_data_gather_targets(const fanin_data *data, enum fanin_part part, const int64_t *index,
                            int64_t n, bool raw, fi_real *to, int64_t ld);
void fi_data_gather_known(const fanin_data *data, enum fanin_part part, const int64_t *index,
                          int64_t n, const struct fi_known *to);
/* Whether samples of the part have weights of their own. */
bool fi_data_weighted(const fanin_data *data, enum fanin_part part);
/* Positions of an epoch's samples first .. first+n-1: a keyed permutation of (seed, epoch). */
void fi_data_order(const fanin_data *data, enum fanin_part part, uint64_t seed, uint64_t epoch,
                   int64_t first, int64_t n, int64_t *index);
/* Reads one file for prediction or evaluation with a saved model: same columns, classes and
 * normalization. reader and schema are as saved; labels may be missing. */
enum fanin_status fi_data_load_like(fanin_data **out, fanin_ctx *ctx, const char *reader,
                                    const char *schema, const char *path, const char *labels_path,
                                    const struct fanin_shape *shape, const float *shift,
                                    const float *scale, const char *const *output_names,
                                    int64_t n_outputs, enum fanin_task task);
/* A fingerprint of the samples, labels, parts and normalization, for resuming. */
uint64_t fi_data_fingerprint(const fanin_data *data);

/* ---- the steps of loading (dataset.c calls them in this order) ---------------------------------- */

/* An empty data set. */
enum fanin_status fi_data_create(fanin_data **out, fanin_ctx *ctx);
/* Keeps the first `rows` samples of a table (0: all). `key` and `path` are for the message. Errors:
 * DATA (there are fewer). */
enum fanin_status fi_table_first_rows(fanin_ctx *ctx, struct fi_table *table, int64_t rows,
                                      const char *key, const char *path);
/* Makes the inputs the targets, in the place of labels. Errors: RECIPE (columns of indexes). */
enum fanin_status fi_table_target_inputs(fanin_ctx *ctx, struct fi_table *table, const char *path);
/* A table like this one to a reader that is to leave labels alone, and such a request. */
struct fi_table fi_table_without_labels(const struct fi_table *table);
void fi_request_no_labels(struct fi_read_request *request);
/* Sets target_shift and target_scale of such data from shift and scale. */
enum fanin_status fi_data_scale_target_inputs(fanin_data *data);
/* Deals the rows of the training table to the parts that have no file of their own: by class and
 * keyed by the seed. Fractions are of the table. */
enum fanin_status fi_data_split(fanin_data *data, double validation_fraction, double test_fraction);
/* Fits the fill values, the normalization and the scale of the targets on the training part, and
 * fills what is missing in all parts. */
enum fanin_status fi_data_fit(fanin_data *data);
/* The samples' weights, where they are a file of their own (weights.c), and whether any counts. */
enum fanin_status fi_data_weigh(fanin_data *data, const char *sample_weights, const char *path);
/* Whether inputs normalized by the rule of this name become 0 and 1; NULL: no. */
bool fi_normalize_is_binary(const char *rule);
/* Puts data->fill where values of a table are missing. */
void fi_data_fill(const fanin_data *data, struct fi_table *table);
/* Refuses a table whose samples or labels do not fit the others (`like`). `path` begins the
 * message. */
enum fanin_status fi_table_check(fanin_ctx *ctx, const struct fi_table *table,
                                 const struct fi_table *like, const char *path);
/* Gives every class or target a name. */
enum fanin_status fi_table_name_outputs(struct fi_arena *arena, struct fi_table *table);
/* Wraps the reader's schema together with the fill values; sets data->schema. */
enum fanin_status fi_data_write_schema(fanin_data *data, const char *reader_schema);

#endif
