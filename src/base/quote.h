/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts and numbers as JSON (RFC 8259), as HTML, and for people.
 */
#ifndef FI_QUOTE_H
#define FI_QUOTE_H

#include "base/base.h"

#define FI_NUMBER_SIZE 40
/* The shortest decimal that reads back as the same double, or "nan", "inf", "-inf"; '.' in any
 * locale. */
void fi_number_exact(char out[FI_NUMBER_SIZE], double value);
/* For people: `digits` significant digits. */
void fi_number_short(char out[FI_NUMBER_SIZE], double value, int digits);

/* A JSON string; NULL is null. Bytes that are no UTF-8 become U+FFFD. */
void fi_quote(struct fi_text *out, const char *text);
/* The same for a <script> of a page: nothing in it ends or begins an element or a comment. */
void fi_quote_in_page(struct fi_text *out, const char *text);
/* Plain text for HTML, between tags. */
void fi_escape_html(struct fi_text *out, const char *text);

#endif
