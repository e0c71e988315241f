/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data sets: samples of one shape with labels or target values, split into parts.
 *
 * A data set holds its samples as they came (uint8 stays uint8 until a batch is gathered) and the
 * normalization that is applied when a batch is gathered: value = (raw - shift) * scale, and with
 * "binary" 1 where that is above 0, else 0.
 */
#ifndef FANIN_DATA_H
#define FANIN_DATA_H

#include <fanin/record.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_data fanin_data;

enum fanin_part { FANIN_TRAIN, FANIN_VALIDATION, FANIN_TEST };
/* Of data: class labels, or target values. Of a model: what it predicts, as its loss says; several
 * labels that may hold at once (MULTILABEL) and distributions are learned from target values. */
enum fanin_task { FANIN_UNLABELED, FANIN_CLASSIFICATION, FANIN_REGRESSION, FANIN_MULTILABEL };

/* Where samples come from: a reader record (idx, csv, digits, xor, …) and what it reads.
 * Set size to sizeof(struct fanin_data_options); a zero field means its default. */
struct fanin_data_options {
    size_t size;
    struct fanin_rule reader; /* NULL name: chosen from the suffix of `train` (csv, idx, idx.gz) */
    const char *dir;          /* put before relative paths; NULL: none */
    const char *train, *train_labels;
    const char *validation, *validation_labels; /* optional, else split off train */
    const char *test, *test_labels;             /* optional, else split off train */
    double validation_fraction; /* of the training file, when no validation file; default 0 */
    double test_fraction;       /* of the training file, when no test file; default 0 */
    const char *normalize;      /* "mean_std" (default), "min_max", "none", "binary" */
    uint64_t seed;              /* of the split and of synthetic sources */
    const char *sample_weights; /* of the training file: a column, or a file of one number each */
    int64_t rows, test_rows;    /* the first so many samples of the training (test) file; 0: all */
    const char *target;         /* "labels" (default), or "input": the normalized inputs */
};

/* Reads, splits (stratified by class, keyed by the seed) and fits the normalization on the training
 * part. Errors: IO, DATA (what is wrong, file and line), RECIPE (unknown reader or attribute),
 * SHAPE (parts that do not fit each other), MEMORY. */
FANIN_API enum fanin_status fanin_data_load(fanin_data **out, fanin_ctx *ctx,
                                            const struct fanin_data_options *options);

/* One training part from memory, copied: x is n × cols row-major; labels (n class numbers from 0)
 * or targets (n × n_targets) or neither. Not normalized. Errors: ARGUMENT, DATA (not finite, label
 * out of range), MEMORY. */
FANIN_API enum fanin_status fanin_data_from_arrays(fanin_data **out, fanin_ctx *ctx, int64_t n,
                                                   int64_t cols, const float *x,
                                                   const int32_t *labels, int64_t n_classes,
                                                   const float *targets, int64_t n_targets);
/* Weights of the samples in the mean of the loss, >= 0, one for each sample of the training file or
 * of fanin_data_from_arrays; copied. Errors: ARGUMENT (their number), DATA, MEMORY. */
FANIN_API enum fanin_status fanin_data_set_weights(fanin_data *data, const float *weights,
                                                   int64_t n);
FANIN_API void fanin_data_free(fanin_data *data);

FANIN_API enum fanin_task fanin_data_task(const fanin_data *data);
FANIN_API int64_t fanin_data_rows(const fanin_data *data, enum fanin_part part);
/* The shape of one sample. Borrowed. */
FANIN_API const struct fanin_shape *fanin_data_shape(const fanin_data *data);
/* Classes, or target values per sample; 0 without labels. */
FANIN_API int64_t fanin_data_outputs(const fanin_data *data);
/* Name of a class or of a target column. Borrowed. */
FANIN_API const char *fanin_data_output_name(const fanin_data *data, int64_t index);
/* One line on where the data come from and how labels were understood. Borrowed. */
FANIN_API const char *fanin_data_describe(const fanin_data *data);

/* Copies samples first .. first+n-1 of a part as they came, not normalized, missing values filled:
 * x n × columns, labels n class numbers, targets n × outputs. Each may be NULL; what the data have
 * not (see fanin_data_task) is left alone. Errors: ARGUMENT (beyond the part). */
FANIN_API enum fanin_status fanin_data_get(const fanin_data *data, enum fanin_part part,
                                           int64_t first, int64_t n, float *x, int32_t *labels,
                                           float *targets);

/* What stands in one column of a part, before normalization; found by going through it. */
struct fanin_column_info {
    const char *name;      /* NULL: the columns have no names (pixels) */
    double min, max, mean; /* of the numbers that are there; NaN if there are none */
    int64_t missing;
    int64_t vocabulary; /* a column of indexes holds 0 .. vocabulary - 1; 0: it is none */
};
FANIN_API void fanin_data_column(const fanin_data *data, enum fanin_part part, int64_t index,
                                 struct fanin_column_info *out);
/* Samples of a class in a part; 0 where labels are no classes. */
FANIN_API int64_t fanin_data_class_rows(const fanin_data *data, enum fanin_part part,
                                        int64_t class_index);

#ifdef __cplusplus
}
#endif
#endif
