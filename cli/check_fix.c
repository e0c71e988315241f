/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin check --fix: changes the recipe by what the findings say, the gravest first and one at a
 * time, until a check of it says trainable; then writes it and tells the difference.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MOST_CHANGES 32

struct change {
    char *set; /* "path=value" */
    char *why; /* the finding's name */
    int fails; /* with it the recipe cannot be read: it is not made */
};

struct fixing {
    const struct app *app;
    const char *path; /* of the recipe; NULL: the default one */
    const struct fanin_check_options *how;
    struct opt_list overrides; /* those given, then the changes */
    struct change changes[MOST_CHANGES];
    int n;
};

static char *join(const char *a, const char *between, const char *b) {
    const size_t size = strlen(a) + strlen(between) + strlen(b) + 1;
    char *out = malloc(size);
    if (out) snprintf(out, size, "%s%s%s", a, between, b);
    return out;
}

/* The gravest finding that has a change which was not made yet; false: none, or no memory. */
static int take_change(struct fixing *x, const struct fanin_check_result *r) {
    for (int i = 0; i < r->n_findings && x->n < MOST_CHANGES; i++) {
        const struct fanin_check_finding *f = &r->findings[i];
        int made = 0;
        if (f->severity == FANIN_TRAINABLE || !f->path) continue;
        char *set = join(f->path, "=", f->value);
        for (int k = 0; set && k < x->n; k++) made |= strcmp(x->changes[k].set, set) == 0;
        if (!set || made) {
            free(set);
            continue;
        }
        x->changes[x->n++] = (struct change){set, join(f->name, "", ""), 0};
        x->overrides.items[x->overrides.n++] = set;
        return 1;
    }
    return 0;
}

/* JSON is YAML; a line for each key of the first two floors. */
static enum fanin_status write_recipe(fanin_file *file, const char *json) {
    enum fanin_status status = FANIN_OK;
    int depth = 0, quoted = 0;
    for (const char *c = json; *c && status == FANIN_OK; c++) {
        if (*c == '"' && (c == json || c[-1] != '\\')) quoted = !quoted;
        if (!quoted && (*c == '}' || *c == ']') && --depth == 0)
            status = fanin_file_write(file, "\n", 1);
        if (status == FANIN_OK) status = fanin_file_write(file, c, 1);
        if (quoted || status != FANIN_OK) continue;
        depth += *c == '{' || *c == '[';
        if ((*c == '{' || *c == '[' || *c == ',') && depth <= (*c == ',' ? 2 : 1))
            status = fanin_file_write(file, "\n    ", depth == 1 ? 3 : 5);
    }
    if (status == FANIN_OK) status = fanin_file_write(file, "\n", 1);
    return status == FANIN_OK ? fanin_file_commit(file) : status;
}

static int write_fixed(struct fixing *x, fanin_file *file, const char *name, const char *json) {
    const enum fanin_status status = write_recipe(file, json);
    if (status != FANIN_OK) return fail_writing(x->app, status);
    int made = 0;
    for (int i = 0; i < x->n; i++) made += !x->changes[i].fails;
    fprintf(stderr, "fanin: %s: %d change%s, and then it is trainable\n", name, made,
            made == 1 ? "" : "s");
    for (int i = 0; i < x->n; i++)
        if (!x->changes[i].fails)
            fprintf(stderr, "  + %s  (%s)\n", x->changes[i].set, x->changes[i].why);
    return 0;
}

/* A change that does not go with the rest of the recipe, as where others name a layer that it
 * replaces, is left out. */
static int take_back(struct fixing *x) {
    if (x->n == 0 || x->changes[x->n - 1].fails) return 0;
    x->changes[x->n - 1].fails = 1;
    x->overrides.n--;
    return 1;
}

static int fix(struct fixing *x, fanin_file *file, const char *name) {
    for (;;) {
        fanin_recipe *recipe = NULL;
        fanin_check *check = NULL;
        int code = 0, again = 0;
        enum fanin_status status =
            fanin_recipe_load(&recipe, x->app->ctx, x->path, x->overrides.items, x->overrides.n);
        if (status == FANIN_OK) status = fanin_recipe_check(&check, recipe, x->how);
        if (status != FANIN_OK) {
            again = take_back(x);
            if (!again) code = fail_reading(x->app, status);
        } else if (fanin_check_get(check)->verdict == FANIN_TRAINABLE) {
            code = write_fixed(x, file, name, fanin_recipe_json(recipe));
        } else {
            again = take_change(x, fanin_check_get(check));
            if (!again)
                code = fail_with(EXIT_REFUSED,
                                 "--fix: no change that the findings name makes this recipe "
                                 "trainable: %s is not written",
                                 name);
        }
        fanin_check_free(check);
        fanin_recipe_free(recipe);
        if (!again) return code;
    }
}

int check_fix(const struct app *app, const char *path, const struct opt_list *given,
              const struct fanin_check_options *how, fanin_file *file, const char *name) {
    struct fixing x = {.app = app, .path = path, .how = how};
    x.overrides.items = calloc((size_t)given->n + MOST_CHANGES, sizeof *x.overrides.items);
    if (!x.overrides.items) return fail_with(EXIT_SYSTEM, "out of memory");
    for (int i = 0; i < given->n; i++) x.overrides.items[x.overrides.n++] = given->items[i];
    const int code = fix(&x, file, name);
    for (int i = 0; i < x.n; i++) {
        free(x.changes[i].set);
        free(x.changes[i].why);
    }
    free(x.overrides.items);
    return code;
}
