/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of text (RFC 4180 and its relatives): what the reader csv is made of.
 *
 *   csv_text.c     bytes → rows of cells, numbers
 *   csv_words.c    sets of words
 *   csv_look.c     what a training file holds
 *   csv_learn.c    what its columns mean (the schema)
 *   csv_schema.c   the schema as JSON, and where its columns stand in another file
 *   reader/csv.c   the record: attributes, rows → table
 */
#ifndef FI_CSV_H
#define FI_CSV_H

#include <locale.h>

#include "data/data.h"

/* The attributes of the reader. */
struct csv {
    struct fanin_texts target;
    int header; /* enum csv_header */
    const char *delimiter;
    struct fanin_texts missing, categories; /* words of the two lists below */
    const char *na;
    int task; /* enum fanin_task, where FANIN_UNLABELED stands for auto */
    struct fanin_texts columns, categorical, ignore;
    int64_t max_categories, min_count;
};
enum csv_header { CSV_HEADER_AUTO, CSV_HEADER_YES, CSV_HEADER_NO };
/* In the order of the words. MEAN, MEDIAN and MOST_FREQUENT are those of enum fi_fill. */
enum csv_missing {
    CSV_MISSING_MEAN,
    CSV_MISSING_MEDIAN,
    CSV_MISSING_MOST_FREQUENT,
    CSV_MISSING_FLAG,
    CSV_MISSING_ERROR
};
#define CSV_MISSING_WORDS "mean|median|most_frequent|flag|error"
enum csv_categories { CSV_ONE_HOT, CSV_INDEX };
#define CSV_CATEGORIES_WORDS "one_hot|index"

/* ---- rows ------------------------------------------------------------------------------------------ */

struct csv_file {
    fanin_ctx *ctx;
    const char *path; /* for messages */
    uint8_t *bytes;
    int64_t size, start; /* start: behind a byte order mark */
    char delimiter;
    locale_t c_locale;
};

/* Reads the file and refuses what is no UTF-8 text. delimiter: "auto", "comma", "semicolon", "tab",
 * "bar" or one character. */
enum fanin_status fi_csv_open(struct csv_file *file, fanin_ctx *ctx, const char *path,
                              const char *delimiter);
void fi_csv_close(struct csv_file *file);

/* One row; cells end with a zero byte and live for the call. */
struct csv_row {
    int64_t index, line; /* counted from 0; the line the row begins on, from 1 */
    int64_t n;
    const char *const *cells;
};
typedef enum fanin_status (*csv_row_fn)(void *arg, const struct csv_row *row);
/* Calls fn for each row until it fails. All rows have as many cells as the first. Errors: DATA with
 * file and line, MEMORY, what fn returns. */
enum fanin_status fi_csv_scan(const struct csv_file *file, csv_row_fn fn, void *arg);

enum csv_cell { CSV_TEXT, CSV_NUMBER, CSV_NOT_FINITE };
/* What a cell is. NOT_FINITE: nan, inf, or a number beyond float. */
enum csv_cell fi_csv_number(const struct csv_file *file, const char *cell, double *value);

/* ---- words ------------------------------------------------------------------------------------------- */

/* A set of texts, numbered in the order they were added. */
struct csv_word {
    const char *text;
    int64_t count; /* how often it was added */
};
struct csv_words {
    struct csv_word *list;
    int64_t n, cap;
    int32_t *slots; /* hash table of numbers + 1, a power of two, at most half full */
    int64_t n_slots;
};
/* The number of a text, -1 if it is not there. */
int64_t fi_csv_find(const struct csv_words *words, const char *text);
enum fanin_status fi_csv_add(struct fi_arena *arena, struct csv_words *words, const char *text);
/* Keeps the words that were added at least min_count times, with their counts, sorted: by value if
 * `numeric`, else by bytes. */
enum fanin_status fi_csv_sort(struct fi_arena *arena, const struct csv_file *file,
                              struct csv_words *words, int64_t min_count, bool numeric);

/* ---- schema --------------------------------------------------------------------------------------------- */

/* One column that is used. A number is one input, and one more that is 1 where the number is
 * missing, where `flag`. A category becomes one input per value (the empty text: a missing value),
 * and one more for all others where `other`; or, where `index`, one input that holds the value's
 * number, counted from 1, and 0 for all others. */
struct csv_column {
    const char *name;
    int64_t place; /* in the rows of the file at hand; -1: not there */
    int missing;   /* enum csv_missing, never FLAG; MOST_FREQUENT of a category: `usual` */
    bool flag, category, other, index;
    struct csv_words values;
    int64_t usual;        /* the value that a missing one becomes; -1: none */
    int64_t first, width; /* its inputs */
};

struct csv_schema {
    char delimiter;
    bool header;
    const char *na;      /* words that mean missing, separated by spaces */
    bool na_starts[256]; /* the bytes they begin with: most cells are told from these */
    int64_t fields;      /* cells in a row of the training file */
    struct csv_column *inputs;
    int64_t n_inputs, cols;
    struct csv_column target;  /* name NULL: none */
    struct csv_column *others; /* further targets, of a regression */
    int64_t n_others;
    struct csv_column
        weight; /* what a row counts in the loss; name NULL: none, place -1: not here */
    enum fanin_task task;
    bool numeric_classes; /* class names are numbers: 1.0 is 1 */
    struct csv_words classes;
    int64_t rows;     /* of the file at hand */
    const char *note; /* how the columns were understood, for describe; or NULL */
};

/* Sets the words that mean missing. */
void fi_csv_set_na(struct csv_schema *schema, const char *na);
bool fi_csv_is_missing(const struct csv_schema *schema, const char *cell);
/* The name of the class a cell of the target says; `buffer` (32 bytes) may hold it. */
const char *fi_csv_class(const struct csv_file *file, const struct csv_schema *schema,
                         const char *cell, char buffer[32]);
/* Numbers the inputs and counts them. */
enum fanin_status fi_csv_layout(struct csv_schema *schema, fanin_ctx *ctx);

/* What a training file holds. weight: the column of the rows' weights, or NULL; where no column has
 * that name there are none. no_labels: there is no target, a column that was named as one is left
 * out. */
enum fanin_status fi_csv_learn(struct csv_schema *out, const struct csv_file *file,
                               struct fi_arena *arena, const struct csv *attrs, const char *weight,
                               bool no_labels);
/* A file without a schema for a net that is there: its columns are like->shape.cols numbers, and
 * maybe the label or target behind them. */
enum fanin_status fi_csv_plain(struct csv_schema *out, const struct csv_file *file,
                               struct fi_arena *arena, const struct csv *attrs,
                               const struct fi_table *like);
/* {"csv": {...}}; NULL on failure, with the message set. */
const char *fi_csv_schema_write(const struct csv_schema *schema, struct fi_arena *arena);
enum fanin_status fi_csv_schema_parse(struct csv_schema *out, struct fi_arena *arena,
                                      const char *text);
/* Finds the columns of a schema in another file and counts its rows. */
enum fanin_status fi_csv_locate(struct csv_schema *schema, const struct csv_file *file,
                                struct fi_arena *arena, bool target_optional);

#endif
