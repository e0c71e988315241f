/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plain scalar means: the core schema of YAML 1.2, section 10.3.2.
 *
 *   null   null | Null | NULL | ~ | (empty)
 *   bool   true | True | TRUE | false | False | FALSE
 *   int    [-+]? [0-9]+ | 0o [0-7]+ | 0x [0-9a-fA-F]+
 *   float  [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? | [-+]? .inf | .nan
 *
 * The grammar is checked here and only then handed to strtod in the C locale: a program that has
 * set another locale must not read 0.5 as 0.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strtod_l */
#endif
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "recipe/value.h"

static bool is_one_of(const char *text, const char *const *words) {
    for (; *words; words++) {
        if (strcmp(text, *words) == 0) return true;
    }
    return false;
}

static const char *skip(const char *text, const char *set) {
    return text + strspn(text, set);
}

/* 0o17 and 0x1f: every digit is exact in a double up to 2^53, later ones round as any number does.
 */
static bool based_number(const char *text, double *number) {
    bool octal = text[0] == '0' && text[1] == 'o';
    bool hex = text[0] == '0' && text[1] == 'x';
    if (!octal && !hex) return false;
    const char *digits = text + 2;
    if (*digits == '\0' || *skip(digits, octal ? "01234567" : "0123456789abcdefABCDEF")) {
        return false;
    }
    double value = 0;
    for (const char *p = digits; *p; p++) {
        int digit = *p <= '9' ? *p - '0' : (*p | 0x20) - 'a' + 10;
        value = value * (octal ? 8 : 16) + digit;
    }
    *number = value;
    return true;
}

/* The grammar of decimal integers and floats; *is_int tells which. */
static bool decimal_number(const char *text, bool *is_int) {
    static const char digits[] = "0123456789";
    const char *p = text;
    if (*p == '-' || *p == '+') p++;
    const char *whole = p;
    p = skip(p, digits);
    size_t n = (size_t)(p - whole);
    *is_int = true;
    if (*p == '.') {
        const char *fraction = ++p;
        p = skip(p, digits);
        n += (size_t)(p - fraction);
        *is_int = false;
    }
    if (n == 0) return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '-' || *p == '+') p++;
        const char *exponent = p;
        p = skip(p, digits);
        if (p == exponent) return false;
        *is_int = false;
    }
    return *p == '\0';
}

static double to_double(const char *text) {
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0) return strtod(text, NULL);
    double value = strtod_l(text, NULL, c);
    freelocale(c);
    return value;
}

enum fi_value_kind fi_scalar_classify(const char *text, double *number) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const infs[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    *number = 0;
    if (is_one_of(text, nulls)) return FI_VALUE_NULL;
    if (is_one_of(text, falses)) return FI_VALUE_BOOL;
    if (is_one_of(text, trues)) {
        *number = 1;
        return FI_VALUE_BOOL;
    }
    if (based_number(text, number)) return FI_VALUE_INT;
    bool is_int;
    if (decimal_number(text, &is_int)) {
        *number = to_double(text);
        return is_int ? FI_VALUE_INT : FI_VALUE_REAL;
    }
    if (is_one_of(text, nans)) {
        *number = NAN;
        return FI_VALUE_REAL;
    }
    if (is_one_of(text + (*text == '-' || *text == '+'), infs)) {
        *number = *text == '-' ? -INFINITY : INFINITY;
        return FI_VALUE_REAL;
    }
    return FI_VALUE_TEXT;
}
