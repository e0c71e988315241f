/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 16-bit floating-point numbers of files, as float; both conversions are exact.
 *
 *   binary16  IEEE 754: 1 sign, 5 exponent (bias 15), 10 fraction bits
 *   bfloat16  the upper half of a binary32
 */
#include <math.h>
#include <string.h>

#include "base/base.h"

float fi_from_half(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float value;
    if (exponent == 31)
        value = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexpf((float)fraction, -24); /* subnormal */
    else
        value = ldexpf((float)(1024 + fraction), exponent - 25);
    return bits >> 15 ? -value : value;
}

float fi_from_bfloat(uint16_t bits) {
    const uint32_t word = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}
