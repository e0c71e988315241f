/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record says of itself, as text: for `fanin help` on a terminal and for the pages of
 * docs/reference.
 */
#ifndef FANIN_CLI_RECORD_H
#define FANIN_CLI_RECORD_H

#include <fanin/fanin.h>

#include "app.h"

#define RECORD_TEXT 512 /* bytes that any of these texts fits in */

/* The kind under which the sections of a recipe are shown, beside those of fanin_kind(). */
#define RECORD_SECTIONS "recipe"

/* The index-th record of a kind, also of RECORD_SECTIONS; NULL beyond the last. */
const struct fanin_record *record_at(const fanin_ctx *ctx, const char *kind, int index);
/* "whole number, from 1 to 10". */
void record_type(char out[RECORD_TEXT], const struct fanin_attr_spec *attr);
/* "0.5", "required", or "" where the default is no value. */
void record_default(char out[RECORD_TEXT], const struct fanin_attr_spec *attr);
/* A line as it could stand in a recipe, with attributes as far as they fit: "optim: {sgd: {lr:
 * 0.1, …}}"; a layer as an item of `net`. "" where a recipe does not name records of this kind. */
void record_example(char out[RECORD_TEXT], const char *kind, const struct fanin_record *record);

/* A page of docs/reference: the records of a kind; name NULL: the page that lists the pages.
 * Returns an exit code. */
int markdown_page(const struct app *app, const char *kind);

#endif
