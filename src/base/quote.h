/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts and numbers as JSON (RFC 8259), as HTML and Markdown, and for people.
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
void fi_number_fixed(char out[FI_NUMBER_SIZE], double value, int decimals);
/* As pages show it: very small and very large ones as 1.5e-7, no zeros at the end, ∞, – for NaN. */
void fi_number_told(char out[FI_NUMBER_SIZE], double value, int digits);

/* A JSON string; NULL is null. Bytes that are no UTF-8 become U+FFFD. */
void fi_quote(struct fi_text *out, const char *text);
/* The same for a <script> of a page: nothing in it ends or begins an element or a comment. */
void fi_quote_in_page(struct fi_text *out, const char *text);
/* Plain text for HTML and XML, between tags. */
void fi_escape_html(struct fi_text *out, const char *text);
/* Plain text for Markdown (CommonMark 0.31, GitHub's tables), in one line. begins: where a
 * paragraph begins, so that nothing at its start is taken for a list. */
void fi_escape_markdown(struct fi_text *out, const char *text, bool begins);
/* Text as it is, in one line; what is no UTF-8 and control characters but tabs are replaced. */
void fi_escape_line(struct fi_text *out, const char *text);
/* Bytes of the character at `text`; 1 where it is no UTF-8. */
int fi_utf8_length(const char *text);

#endif
