/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the averages share: when they begin.
 */
#ifndef FI_AVERAGE_H
#define FI_AVERAGE_H

#include "graph/graph.h"

/* Updates before the average begins: `start` is a number of epochs, or, below 1, a part of the run.
 */
int64_t fi_average_start(double start, int64_t total, int64_t steps_per_epoch);

#endif
