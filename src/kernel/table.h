/* SPDX-License-Identifier: Apache-2.0 */
/* Members of the kernel table that have a file of their own. */
#ifndef FI_TABLE_H
#define FI_TABLE_H

#include "kernel/kernel.h"

#define fi_gather_u8 FI_T(fi_gather_u8)
void fi_gather_u8(const uint8_t *x, int64_t cols, const int64_t *index, int64_t n,
                  const float *shift, const float *scale, fi_real *y, int64_t ldy);
#define fi_gather_f32 FI_T(fi_gather_f32)
void fi_gather_f32(const float *x, int64_t cols, const int64_t *index, int64_t n,
                   const float *shift, const float *scale, fi_real *y, int64_t ldy);

#define fi_chains FI_T(fi_chains)
double fi_chains(int64_t rounds, fi_real *sink);
#define fi_read FI_T(fi_read)
void fi_read(const fi_real *x, int64_t n, fi_real *sink);
#define fi_timed_scratch FI_T(fi_timed_scratch)
int64_t fi_timed_scratch(const struct fi_product *p);
#define fi_timed_product FI_T(fi_timed_product)
void fi_timed_product(fanin_ctx *ctx, const struct fi_product *p);

#endif
