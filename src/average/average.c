/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the averages share; see average.h.
 */
#include "average/average.h"

#include <math.h>

int64_t fi_average_start(double start, int64_t total, int64_t steps_per_epoch) {
    const double unit = start < 1 ? (double)total : (double)steps_per_epoch;
    const double updates = floor(start * unit + 0.5);
    return updates < (double)total ? (int64_t)updates : total;
}
