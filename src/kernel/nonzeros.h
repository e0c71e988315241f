/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of the non-zeros of a matrix (m × k), by rows or by columns. */
#ifndef FI_NONZEROS_H
#define FI_NONZEROS_H

#include "kernel/kernel.h"

/* Columns that are one block of a row, and rows that are one block of a column. */
#define FI_K_BLOCK 64
#define FI_M_BLOCK 128

/* Of line l in block b the entries start[b * lines + l] up to the next start. */
struct fi_nonzeros {
    const fi_real *x;
    int64_t m, k, ldx;
    int64_t stride; /* entry i of a line's block is listed under i · stride */
    int64_t lines, blocks;
    uint32_t *start;
    uint32_t *at;
    fi_real *value;
};

/* From x, m, k, ldx and stride to the rest, which stands in scratch: as many numbers as x has, m
 * and k above 16. False: there are so many that the whole matrix is better used. m · k and
 * FI_M_BLOCK · stride are below 2^31. */
#define fi_list_rows FI_T(fi_list_rows)
bool fi_list_rows(fanin_ctx *ctx, struct fi_nonzeros *of, fi_real *scratch);
#define fi_list_columns FI_T(fi_list_columns)
bool fi_list_columns(fanin_ctx *ctx, struct fi_nonzeros *of, fi_real *scratch);

#endif
