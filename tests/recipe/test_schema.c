/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON Schema of recipes says what the reader does: every recipe of the examples and the docs
 * is valid, bad ones are not; and for every attribute of every record and section, values of each
 * type, at the bounds and beyond them, are valid just where the reader takes them. So every record
 * has its bounds tried here, and the message names the attribute.
 */
#include "support/schema.h"

#include <dirent.h>
#include <float.h>

#include "recipe/recipe.h"
#include "support/fillers.h"

static fanin_ctx *ctx;
static json_t *schema;

static int take(void *payload, const char *text, size_t bytes) {
    json_error_t error;
    *(json_t **)payload = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!*(json_t **)payload) fail_msg("the schema is not JSON: %s", error.text);
    return 0;
}

static int setup(void **state) {
    (void)state;
    tests_run++;
    ctx = test_ctx();
    assert_ok(ctx, fanin_recipe_schema(ctx, take, &schema));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    json_decref(schema);
    fanin_ctx_free(ctx);
    return 0;
}

/* Whether the YAML text, as it is written, is valid. */
static bool is_valid(const char *text) {
    struct fi_arena arena;
    struct fi_value *root;
    struct fi_text json;
    fi_arena_init(&arena, ctx);
    fi_text_init(&json, ctx);
    assert_ok(ctx, fi_value_parse(&arena, &root, "r.yaml", true, text, strlen(text)));
    fi_value_json(&json, root);
    json_t *value = json_loads(json.data, JSON_DECODE_ANY, NULL);
    if (!value) fail_msg("no JSON: %s", json.data);
    const bool valid = schema_holds(schema, schema, value);
    json_decref(value);
    fi_text_free(&json);
    fi_arena_free(&arena);
    return valid;
}

static bool is_read(const char *text) {
    fanin_recipe *r;
    const enum fanin_status status = fanin_recipe_parse(&r, ctx, "r.yaml", text, NULL, 0);
    if (status != FANIN_OK && status != FANIN_ERR_RECIPE)
        fail_msg("%s: %s", text, fanin_errmsg(ctx));
    fanin_recipe_free(r);
    return status == FANIN_OK;
}

static void assert_same(const char *text) {
    const bool read = is_read(text);
    if (is_valid(text) != read)
        fail_msg("the reader %s: %s\nbut the schema does not agree on\n%s",
                 read ? "takes it" : "refuses it", read ? "" : fanin_errmsg(ctx), text);
}

static void each_yaml(const char *folder, void (*check)(char *text, bool markdown), int at_least) {
    char dir[512], path[1024];
    snprintf(dir, sizeof dir, "%s/%s", source_dir(), folder);
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        const char *suffix = strrchr(entry->d_name, '.');
        const bool markdown = suffix && strcmp(suffix, ".md") == 0;
        if (!suffix || (!markdown && strcmp(suffix, ".yaml") != 0)) continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        char *text = read_file(path, NULL);
        check(text, markdown);
        free(text);
        n++;
    }
    closedir(entries);
    assert_true(n >= at_least);
}

static int n_checked;

static void check_file(char *text, bool markdown) {
    char recipe[8192];
    if (!markdown && (n_checked++, !is_valid(text))) fail_msg("not valid:\n%s", text);
    for (char *p = text; markdown && (p = strstr(p, "```yaml\n"));) {
        char *body = p + 8, *end = strstr(body, "\n```");
        assert_non_null(end);
        *end = '\0';
        const bool item = *body == '-', line = !strstr(body, "net:");
        snprintf(recipe, sizeof recipe,
                 item   ? "net:\n%s\n"
                 : line ? "%s\nnet: [dense]\n"
                        : "%s\n",
                 body);
        if (!is_valid(recipe)) fail_msg("not valid:\n%s", recipe);
        p = end + 1;
        n_checked++;
    }
}

static void test_examples(void **state) {
    (void)state;
    each_yaml("examples/recipes", check_file, 4);
    each_yaml("docs", check_file, 5);
    each_yaml("docs/reference", check_file, 10);
    assert_true(n_checked >= 90);
}

static void test_bad_recipes(void **state) {
    (void)state;
    static const char *const bad[] = {"{}",
                                      "net: []",
                                      "net: dense",
                                      "net: [dens]",
                                      "net: [dense]\nlos: mse",
                                      "net: [dense]\nloss: rmse",
                                      "net: [dense]\noptim: {sgd: 0.1, adam: 0.1}",
                                      "net: [dense]\noptim: {}",
                                      "net: [dense]\noptim: [sgd]",
                                      "net: [dense]\nregularize: {l3: 1}",
                                      "net: [dense]\nregularize: l2",
                                      "net: [{dense: 3, relu: {}}]",
                                      "net: [{name: a}]",
                                      "net: [{dense: {bias: 3}}]",
                                      "net: [{repeat: {times: 2}}]",
                                      "net: [{repeat: {times: 2, net: [dens]}}]",
                                      "net: [{repeat: {times: 2, net: [dense]}, name: a}]",
                                      "net: [dense]\ntrain: {epochs: 0}",
                                      "net: [dense]\ntrain: 3",
                                      "net: [dense]\ntrain: {checkpoint: {every: 1}}",
                                      "net: [dense]\ndata: diigts",
                                      "net: [dense]\ninit: {kaiming_normal: {gain: dense}}"};
    static const char *const good[] = {
        "net: [dense]",
        "net: [{dense: outputs, name: a}, {from: a, relu: }, {from: [a, relu1], add: {}}]",
        "net: [{repeat: {times: 2, net: [{dense: 3}, {repeat: {times: 1, net: [relu]}}]}}]",
        "net: [dense]\nregularize: {l2: null, tikhonov: 0.1}\noptim: null",
        "net: [dense]\ndata: {csv: {target: 2019}, train: 7}\nname: 3",
        "net: [dense]\ndata: digits\ntrain: {checkpoint: run.ckpt, early_stop: loss}",
        "net: [dense]\ninit: {he_normal: {gain: tanh}}"};
    for (int i = 0; i < FI_COUNT(bad); i++) {
        if (is_valid(bad[i])) fail_msg("valid: %s", bad[i]);
        if (is_read(bad[i])) fail_msg("read: %s", bad[i]);
    }
    for (int i = 0; i < FI_COUNT(good); i++) {
        if (!is_valid(good[i])) fail_msg("not valid: %s", good[i]);
        if (!is_read(good[i])) fail_msg("refused: %s: %s", good[i], fanin_errmsg(ctx));
    }
}

/* ---- every attribute ------------------------------------------------------------------------------ */

/* A recipe with `{attr: value}`, or the value alone (attr NULL), behind the name of a record. */
struct place {
    const char *before, *name, *after;
    bool positional;    /* the first attribute may stand alone */
    const char *others; /* what else is required, "a: 1, " */
};

static void try_value(const struct place *at, const char *attr, const char *value) {
    char text[2048];
    snprintf(text, sizeof text, attr ? "%s%s: {%s%s: %s}%s\n" : "%s%s: %s%s%s%s\n", at->before,
             at->name, attr ? at->others : "", attr ? attr : "", value, at->after);
    assert_same(text);
}

/* Refused, and the message names the attribute. */
static void try_beyond(const struct place *at, const struct fanin_attr_spec *a, double value) {
    char text[2048], quoted[128];
    if (!isfinite(value) || fabs(value) > 1e300) return;
    snprintf(quoted, sizeof quoted, "'%s'", a->name);
    snprintf(text, sizeof text, "%s%s: {%s%s: %.17g}%s\n", at->before, at->name, at->others,
             a->name, value, at->after);
    assert_same(text);
    if (is_read(text)) fail_msg("not refused: %s", text);
    if (!strstr(fanin_errmsg(ctx), quoted))
        fail_msg("%s does not name %s", fanin_errmsg(ctx), quoted);
}

static void try_bounds(const struct place *at, const struct fanin_attr_spec *a) {
    const bool whole = a->type == FANIN_ATTR_INT;
    char value[64];
    if (a->min >= a->max) return;
    const double bounds[2] = {a->min, a->max};
    for (int i = 0; i < 2; i++) {
        const double away = i ? 1 : -1, b = bounds[i];
        if (!isfinite(b)) continue;
        snprintf(value, sizeof value, "%.17g", b);
        try_value(at, a->name, value);
        if (i && whole && b >= 9e15) continue; /* all the numbers there are */
        try_beyond(at, a, whole ? b + away : b == 0 ? away * 1e-300 : b + away * fabs(b) * 1e-9);
        const bool open = a->flags & (i ? FANIN_ATTR_BELOW_MAX : FANIN_ATTR_ABOVE_MIN);
        if (open) try_beyond(at, a, b);
    }
}

static void try_attr(struct place *at, const struct fanin_record *record,
                     const struct fanin_attr_spec *a) {
    static const char *const values[] = {"null",   "true", "0",      "1",       "2.5",
                                         "-3",     "text", "[1, 2]", "[]",      "[a, b]",
                                         "{b: c}", "relu", "linear", "outputs", "kaiming_normal"};
    char others[512];
    if (!fill_required(others, sizeof others, record, a)) return;
    at->others = others;
    if (a->type == FANIN_ATTR_RULE && fi_spec_has_form(a, NULL))
        return; /* the sections' own test */
    for (int v = 0; v < FI_COUNT(values); v++) {
        try_value(at, a->name, values[v]);
        if (a == record->attrs && at->positional) try_value(at, NULL, values[v]);
    }
    for (const char *w = a->type == FANIN_ATTR_CHOICE ? a->text : NULL; w && *w;) {
        char word[64];
        snprintf(word, sizeof word, "'%.*s'", (int)strcspn(w, "|"), w);
        try_value(at, a->name, word);
        w += strcspn(w, "|");
        w += *w == '|';
    }
    const bool number =
        a->type == FANIN_ATTR_INT || a->type == FANIN_ATTR_REAL || a->type == FANIN_ATTR_GAIN;
    if (number) try_bounds(at, a);
}

static void test_attributes(void **state) {
    (void)state;
    const struct fanin_record *record;
    int n = 0;
    for (int k = 0; fanin_kind(k); k++) {
        const struct kind_place *place = kind_place(fanin_kind(k));
        char before[128];
        const bool net = place && strstr(place->before, "net:");
        snprintf(before, sizeof before, "%s%s", net ? "" : "net: [dense]\n",
                 place ? place->before : "");
        for (int i = 0; (record = fanin_record_at(ctx, fanin_kind(k), i)); i++)
            for (const struct fanin_attr_spec *a = record->attrs; a && a->name; a++, n++) {
                /* "": a recipe names it nowhere (a study does) */
                if (!place && record->place && !*record->place) continue;
                if (!place)
                    fail_msg("%s %s has attributes, but no place of its kind is known",
                             fanin_kind(k), record->name);
                struct place at = {before, record->name, place->after, true, ""};
                try_attr(&at, record, a);
            }
    }
    for (int i = 0; i < 2; i++) { /* sections that are maps of plain keys */
        record = i ? &fi_section_data : &fi_section_train;
        for (const struct fanin_attr_spec *a = record->attrs; a->name; a++, n++) {
            struct place at = {"net: [dense]\n", record->name, "", false, ""};
            try_attr(&at, record, a);
        }
    }
    assert_true(n >= 60);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    struct CMUnitTest tests[] = {T(test_examples), T(test_bad_recipes), T(test_attributes)};
    return test_main(tests);
}
