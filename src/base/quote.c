/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and texts for files of other programs (quote.h). Whatever a file name or a layer's name
 * holds, what comes out is valid UTF-8 (RFC 3629) and a string of JSON (RFC 8259).
 */
#include "base/quote.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers --------------------------------------------------------------------------------------- */

/* printf and strtod use the decimal point of the caller's locale; we write '.'. */
static void neutral_point(char *text) {
    const char *point = localeconv()->decimal_point;
    char *found = strcmp(point, ".") != 0 && *point ? strstr(text, point) : NULL;
    if (!found) return;
    *found = '.';
    memmove(found + 1, found + strlen(point), strlen(found + strlen(point)) + 1);
}

static bool not_finite(char out[FI_NUMBER_SIZE], double value) {
    if (isfinite(value)) return false;
    strcpy(out, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    return true;
}

void fi_number_exact(char out[FI_NUMBER_SIZE], double value) {
    if (not_finite(out, value)) return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, FI_NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(out, NULL) == value) break;
    }
    neutral_point(out);
}

void fi_number_short(char out[FI_NUMBER_SIZE], double value, int digits) {
    if (not_finite(out, value)) return;
    bool whole = value == floor(value) && fabs(value) < 1e15;
    if (whole)
        snprintf(out, FI_NUMBER_SIZE, "%.0f", value);
    else
        snprintf(out, FI_NUMBER_SIZE, "%.*g", digits, value);
    neutral_point(out);
}

void fi_number_fixed(char out[FI_NUMBER_SIZE], double value, int decimals) {
    if (not_finite(out, value)) return;
    snprintf(out, FI_NUMBER_SIZE, "%.*f", decimals, value);
    neutral_point(out);
}

/* Without zeros at the end of its decimals. */
static void cut_zeros(char *text) {
    if (!strchr(text, '.')) return;
    size_t n = strlen(text);
    while (text[n - 1] == '0') text[--n] = '\0';
    if (text[n - 1] == '.') text[n - 1] = '\0';
}

void fi_number_told(char out[FI_NUMBER_SIZE], double value, int digits) {
    const double size = fabs(value);
    if (!isfinite(value)) {
        strcpy(out, isnan(value) ? "–" : value > 0 ? "∞" : "-∞");
        return;
    }
    if (size != 0 && (size < 1e-3 || size >= 1e6)) {
        snprintf(out, FI_NUMBER_SIZE, "%.*e", digits - 1, value);
        neutral_point(out);
        char *e = strchr(out, 'e');
        const int exponent = (int)strtol(e + 1, NULL, 10);
        *e = '\0';
        cut_zeros(out);
        const size_t n = strlen(out);
        snprintf(out + n, FI_NUMBER_SIZE - n, "e%d", exponent);
        return;
    }
    if (value == floor(value)) {
        snprintf(out, FI_NUMBER_SIZE, "%.0f", size == 0 ? 0 : value);
        return;
    }
    /* %e rounds first, so that what rounds up to the next power of ten has the digits of that */
    snprintf(out, FI_NUMBER_SIZE, "%.*e", digits - 1, value);
    const int exponent = (int)strtol(strchr(out, 'e') + 1, NULL, 10);
    fi_number_fixed(out, strtod(out, NULL), FI_MAX(digits - 1 - exponent, 0));
    cut_zeros(out);
}

/* ---- texts ----------------------------------------------------------------------------------------- */

/* Bytes of the well-formed UTF-8 sequence at s, 0 if it is none (RFC 3629: no surrogates, shortest)
 * or one of U+FFFE and U+FFFF, which XML does not take. */
static int utf8_length(const unsigned char *s) {
    static const struct {
        unsigned char first_min, first_max, second_min, second_max;
        int length;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    if (s[0] < 0x80) return 1;
    if (s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe) return 0;
    for (int f = 0; f < FI_COUNT(forms); f++) {
        if (s[0] < forms[f].first_min || s[0] > forms[f].first_max) continue;
        if (s[1] < forms[f].second_min || s[1] > forms[f].second_max) return 0;
        for (int k = 2; k < forms[f].length; k++)
            if ((s[k] & 0xc0) != 0x80) return 0;
        return forms[f].length;
    }
    return 0;
}

/* Bytes at s that may stand as they are; each is one of `special` or less than a space otherwise.
 */
static int plain_length(const unsigned char *s, const char *special) {
    int n = 0, length;
    while (s[n] >= 0x20 && s[n] != 0x7f && !strchr(special, s[n]) &&
           (length = utf8_length(s + n)) > 0)
        n += length;
    return n;
}

static void quote(struct fi_text *out, const char *text, const char *special) {
    if (!text) {
        fi_text_add(out, "null");
        return;
    }
    const unsigned char *s = (const unsigned char *)text;
    fi_text_add(out, "\"");
    while (*s) {
        const int plain = plain_length(s, special);
        if (plain > 0) {
            fi_text_add(out, "%.*s", plain, (const char *)s);
            s += plain;
            continue;
        }
        if (*s == '"' || *s == '\\')
            fi_text_add(out, "\\%c", *s);
        else if (*s < 0x80)
            fi_text_add(out, "\\u%04x", *s);
        else
            fi_text_add(out, "\\ufffd");
        s++;
    }
    fi_text_add(out, "\"");
}

void fi_quote(struct fi_text *out, const char *text) {
    quote(out, text, "\"\\");
}

void fi_quote_in_page(struct fi_text *out, const char *text) {
    quote(out, text, "\"\\<>&");
}

void fi_escape_html(struct fi_text *out, const char *text) {
    const unsigned char *s = (const unsigned char *)(text ? text : "");
    while (*s) {
        const int plain = plain_length(s, "<>&\"'");
        if (plain > 0) {
            fi_text_add(out, "%.*s", plain, (const char *)s);
            s += plain;
            continue;
        }
        if (utf8_length(s) == 0)
            fi_text_add(out, "\xef\xbf\xbd");
        else
            fi_text_add(out, *s < 0x20 || *s == 0x7f ? " " : "&#%d;", *s);
        s++;
    }
}

/* What can begin a block where a paragraph begins: a list, a rule, a heading underlined. */
static const char *escape_block(struct fi_text *out, const char *text) {
    const size_t digits = strspn(text, "0123456789");
    if (digits > 0 && (text[digits] == '.' || text[digits] == ')')) {
        fi_text_add(out, "%.*s\\%c", (int)digits, text, text[digits]);
        return text + digits + 1;
    }
    if (*text && strchr("+-=", *text)) {
        fi_text_add(out, "\\%c", *text);
        return text + 1;
    }
    return text;
}

void fi_escape_markdown(struct fi_text *out, const char *text, bool begins) {
    const char *from = text ? text : "";
    if (begins) from = escape_block(out, from + strspn(from, " \t\r\n"));
    const unsigned char *s = (const unsigned char *)from;
    while (*s) {
        const int plain = plain_length(s, "\\`*_[]<>&|~$#!@");
        if (plain > 0) {
            fi_text_add(out, "%.*s", plain, (const char *)s);
            s += plain;
            continue;
        }
        if (utf8_length(s) == 0)
            fi_text_add(out, "\xef\xbf\xbd");
        else
            fi_text_add(out, *s < 0x20 || *s == 0x7f ? " " : "\\%c", *s);
        s++;
    }
}

void fi_escape_line(struct fi_text *out, const char *text) {
    const unsigned char *s = (const unsigned char *)(text ? text : "");
    while (*s) {
        const int plain = plain_length(s, "");
        if (plain > 0)
            fi_text_add(out, "%.*s", plain, (const char *)s);
        else
            fi_text_add(out, "%s", *s == '\t' ? "\t" : *s < 0x80 ? " " : "\xef\xbf\xbd");
        s += FI_MAX(plain, 1);
    }
}

int fi_utf8_length(const char *text) {
    return FI_MAX(utf8_length((const unsigned char *)text), 1);
}
