/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a command, as a table: one row says how an option is written, what it takes, where its
 * value goes and what help says of it. Parsing, error messages and the usage text all come from the
 * table.
 *
 * "--name value", "--name=value", "-n value", "-nvalue"; options and operands may stand in any
 * order;
 * "--" ends the options; "-" alone is an operand.
 */
#ifndef FANIN_CLI_OPT_H
#define FANIN_CLI_OPT_H

#include <stddef.h>
#include <stdint.h>

enum opt_type {
    OPT_FLAG,  /* field: int, becomes 1 */
    OPT_TEXT,  /* field: const char * */
    OPT_COUNT, /* field: struct opt_count; min .. max, or a word: value "K|all" */
    OPT_REAL,  /* field: struct opt_real; min .. max */
    OPT_WORD,  /* field: int, becomes the word's place in value, "mean|median", from 1 */
    OPT_LIST   /* field: struct opt_list; may be repeated */
};

struct opt_count {
    int given; /* 1; 2 for the word */
    uint64_t value;
};
struct opt_real {
    int given;
    double value;
};
struct opt_list {
    const char **items; /* points into a copy of argv's length */
    int n;
};

struct opt {
    const char *name; /* without the dashes; NULL ends the table */
    char letter;      /* 0: none */
    enum opt_type type;
    size_t offset;     /* in the command's struct */
    const char *value; /* what help calls the value; NULL for a flag */
    const char *help;
    uint64_t min, max; /* of a number */
};

struct opt_command {
    const char *name;
    const char *operands; /* "MODEL FILE" */
    int min_operands, max_operands;
    const char *about;              /* one sentence, without a full stop */
    const struct opt *own, *common; /* two tables: the command's and everybody's; NULL: none */
};

/* Fills `fields` and gathers operands (`*n` of them, room for argc). Returns 0, or 2 after one line
 * on stderr: "fanin: train: …". argv begins behind the command's name. */
int opt_parse(const struct opt_command *command, int argc, char **argv, void *fields,
              const char **operands, int *n);
/* Frees the lists of `fields`. */
void opt_free(const struct opt_command *command, void *fields);
/* The usage text. */
void opt_usage(const struct opt_command *command);

#endif
