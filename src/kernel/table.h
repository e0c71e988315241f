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

#endif
