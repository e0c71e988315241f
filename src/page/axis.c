/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Axes of numbers (axis.h). Linear ticks stand at multiples of 1, 2 or 5 times a power of ten
 * (Heckbert, Nice numbers for graph labels, Graphics Gems, 1990); logarithmic ones at powers of
 * ten, within two decades also between. Logarithms are ours, so a picture has the same bytes
 * everywhere.
 */
#include "page/axis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/math.h"

#define LN2 0.6931471805599453
#define LN10 2.302585092994046

/* mantissa · 10^exponent, correctly rounded. */
static double decimal(long long mantissa, int exponent) {
    char text[FI_NUMBER_SIZE];
    snprintf(text, sizeof text, "%llde%d", mantissa, exponent);
    return strtod(text, NULL);
}

static double log10_of(double value) {
    return fi_log(value) / LN10;
}

double fi_axis_at(const struct fi_axis *axis, double value) {
    double place;
    if (!axis->log)
        place = ldexp(value, -axis->exponent);
    else if (value > 0)
        place = log10_of(value);
    else
        return -1;
    return (place - axis->low) / (axis->high - axis->low);
}

static bool within(const struct fi_axis *axis, double value) {
    const double at = fi_axis_at(axis, value);
    return at >= -1e-9 && at <= 1 + 1e-9;
}

/* ---- linear ----------------------------------------------------------------------------------------- */

static void set_linear(struct fi_axis *axis, double low, double high) {
    int exponent = 0;
    (void)frexp(FI_MAX(fabs(low), fabs(high)), &exponent);
    axis->exponent = exponent;
    axis->low = ldexp(low, -exponent);
    axis->high = ldexp(high, -exponent);
}

/* Labels with as many decimals as tell neighbours apart; `place`: the exponent of the last. */
static void label_linear(struct fi_axis *axis, int place) {
    double most = 0;
    for (int i = 0; i < axis->n; i++) most = FI_MAX(most, fabs(axis->ticks[i]));
    const bool plain = most == 0 || (most >= 1e-3 && most < 1e6 && place >= -6);
    const int digits = most > 0 ? (int)floor(log10_of(most) + 1e-9) - place + 1 : 1;
    for (int i = 0; i < axis->n; i++)
        if (plain)
            fi_number_fixed(axis->labels[i], axis->ticks[i], FI_MAX(-place, 0));
        else
            fi_number_told(axis->labels[i], axis->ticks[i], FI_MIN(FI_MAX(digits, 1), 12));
}

static void ticks_linear(struct fi_axis *axis, bool whole, int wanted) {
    static const int steps[] = {1, 2, 5, 10};
    const double span = axis->high - axis->low; /* in units of 2^exponent */
    const double rough = log10_of(span / wanted) + axis->exponent * LN2 / LN10;
    int place = (int)floor(rough), k = 0;
    while (k < 3 && ldexp(decimal(steps[k], place), -axis->exponent) < span / wanted * 0.75) k++;
    long long step = steps[k];
    if (step == 10) {
        step = 1;
        place++;
    }
    if (whole && place < 0) {
        step = 1;
        place = 0;
    }
    axis->n = 0;
    const double unit = ldexp(decimal(step, place), -axis->exponent);
    const double first = ceil(axis->low / unit - 1e-9);
    /* too small for a double, or the numbers are alike in all their digits: no round ones there */
    if (!(unit > 0) || !(fabs(first) < 9e14)) return;
    for (int i = 0; i < FI_TICKS; i++) {
        const double tick = decimal(((long long)first + i) * step, place);
        if (!isfinite(tick) || !within(axis, tick)) break;
        axis->ticks[axis->n++] = tick;
    }
    label_linear(axis, place);
}

void fi_axis_fit_exactly(struct fi_axis *axis, double low, double high, int wanted) {
    *axis = (struct fi_axis){.log = false};
    set_linear(axis, low, high);
    if (axis->high > axis->low) {
        ticks_linear(axis, false, wanted);
        return;
    }
    axis->low -= 0.5;
    axis->high += 0.5;
}

/* ---- logarithmic ------------------------------------------------------------------------------------ */

static void ticks_log(struct fi_axis *axis, int wanted) {
    static const char *const few = "1", *const some = "13", *const many = "12357";
    const double decades = axis->high - axis->low;
    const char *mantissas = decades < 1.2 ? many : decades < 2.2 ? some : few;
    const int step = FI_MAX(1, (int)ceil(decades / wanted));
    axis->n = 0;
    for (int e = (int)floor(axis->low); e <= axis->high + 1; e++) {
        if (e % step != 0) continue;
        for (const char *m = mantissas; *m && axis->n < FI_TICKS; m++) {
            const double tick = decimal(*m - '0', e);
            if (!(tick > 0) || !isfinite(tick) || !within(axis, tick)) continue;
            fi_number_told(axis->labels[axis->n], tick, 3);
            axis->ticks[axis->n++] = tick;
        }
    }
}

/* Within a small part of a decade: ticks of a linear axis, at their places on this one. */
static void ticks_between(struct fi_axis *axis, const struct fi_range *range) {
    struct fi_axis linear;
    fi_axis_fit_exactly(&linear, range->low / 1.05, range->high * 1.05, 4);
    axis->n = 0;
    for (int i = 0; i < linear.n; i++) {
        if (!within(axis, linear.ticks[i])) continue;
        axis->ticks[axis->n] = linear.ticks[i];
        strcpy(axis->labels[axis->n++], linear.labels[i]);
    }
}

void fi_axis_fit(struct fi_axis *axis, const struct fi_range *range, bool log, bool whole,
                 int wanted) {
    *axis = (struct fi_axis){.log = log};
    if (log) {
        axis->low = log10_of(range->low);
        axis->high = log10_of(range->high);
        const double room = FI_MAX((axis->high - axis->low) * 0.04, 0.0212); /* at least 5 % */
        axis->low -= room;
        axis->high += room;
        ticks_log(axis, wanted);
        if (axis->n < 2 && range->high < 1e300) ticks_between(axis, range);
    } else {
        set_linear(axis, range->low, range->high);
        double room = (axis->high - axis->low) * 0.04;
        if (!(room > 0)) room = range->high != 0 ? fabs(axis->high) * 0.04 : 0.04;
        axis->low = range->low >= 0 ? FI_MAX(axis->low - room, 0) : axis->low - room;
        axis->high += room;
        ticks_linear(axis, whole, wanted);
    }
    if (axis->n > 0) return;
    /* nothing round: the ends of what there is */
    axis->ticks[axis->n++] = range->low;
    if (range->high > range->low) axis->ticks[axis->n++] = range->high;
    for (int i = 0; i < axis->n; i++) fi_number_told(axis->labels[i], axis->ticks[i], 6);
}
