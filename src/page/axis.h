/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Axes of numbers: from values to shares of a length, and ticks at round numbers.
 */
#ifndef FI_AXIS_H
#define FI_AXIS_H

#include "base/quote.h"
#include "page/part.h"

#define FI_TICKS 24

struct fi_axis {
    bool log;
    int exponent;     /* linear: low and high are in units of 2^exponent, so that none overflows */
    double low, high; /* log: decimal logarithms */
    int n;
    double ticks[FI_TICKS];
    char labels[FI_TICKS][FI_NUMBER_SIZE];
};

/* The axis for what lies in `range`, with some room, and about `wanted` ticks. whole: between whole
 * numbers there is nothing to name. */
void fi_axis_fit(struct fi_axis *axis, const struct fi_range *range, bool log, bool whole,
                 int wanted);
/* The same from low to high exactly, linear. */
void fi_axis_fit_exactly(struct fi_axis *axis, double low, double high, int wanted);
/* Where the value stands, 0 the low and 1 the high end; outside of that for values outside. On a
 * logarithmic axis what is not above 0 stands below the low end. */
double fi_axis_at(const struct fi_axis *axis, double value);

#endif
