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

/* What was looked at: the recipe as JSON or NULL, and the command's operand or NULL. */
struct check_subject {
    const char *recipe, *path;
};
/* Fills a page. */
void check_html(fanin_page *page, const struct app *app, const struct fanin_check_result *result,
                const struct check_subject *subject);

#endif
