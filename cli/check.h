/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fanin check found, told in three ways.
 */
#ifndef FANIN_CLI_CHECK_H
#define FANIN_CLI_CHECK_H

#include <fanin/page.h>

#include "app.h"

/* By enum fanin_verdict. */
extern const char *const check_verdicts[];

void check_text(const struct fanin_check_result *result);
void check_json(const struct app *app, const struct fanin_check_result *result);

/* Fills a page; recipe: JSON or NULL. */
void check_html(fanin_page *page, const struct app *app, const struct fanin_check_result *result,
                const char *recipe);

#endif
