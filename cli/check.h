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
/* Of a finding: what leaves the verdict at trainable is a remark. */
extern const char *const check_severities[];

/* Whether equal units leave gradients without a prediction; what is said of it then. */
int check_cancels(const struct fanin_check_result *result);
extern const char check_cancelled[];

void check_text(const struct fanin_check_result *result);
void check_json(const struct app *app, const struct fanin_check_result *result);

/* Fills a page; recipe: JSON or NULL. */
void check_html(fanin_page *page, const struct app *app, const struct fanin_check_result *result,
                const char *recipe);
/* Writes the recipe as the findings change it into `file` (called `name`), if that makes it
 * trainable. Returns an exit code. */
int check_fix(const struct app *app, const char *path, const struct opt_list *given,
              const struct fanin_check_options *how, fanin_file *file, const char *name);

#endif
