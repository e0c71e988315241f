/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON Schema of a recipe (draft 2020-12), from the records: an editor that knows it completes
 * and checks what is written (docs/recipe.md).
 *
 * It says what the reader of recipes takes, no more and no less, as far as single values go: a rule
 * is a name, a map of one name, or stands for its first attribute; null is "not given". Each record
 * has a definition "kind.name", each kind "kind", each section its own name. What a value of one
 * key means for another (a name in `from`, shapes) a schema cannot say.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "recipe/recipe.h"

struct writer {
    fanin_ctx *ctx;
    struct fi_text text;
    bool more; /* a definition was written */
};

static void add_member(struct writer *w, const char *key, const char *value) {
    fi_text_add(&w->text, ",\"%s\":", key);
    fi_json_string(&w->text, value);
}

static void add_description(struct writer *w, const char *help) {
    if (help && *help) add_member(w, "description", help);
}

static void begin_definition(struct writer *w, const char *name, const char *suffix) {
    fi_text_add(&w->text, "%s\n\"%s%s%s\":", w->more ? "," : "", name, *suffix ? "." : "", suffix);
    w->more = true;
}

static void add_ref(struct writer *w, const char *name, const char *suffix) {
    fi_text_add(&w->text, "{\"$ref\":\"#/$defs/%s%s%s\"}", name, *suffix ? "." : "", suffix);
}

/* ---- single values ------------------------------------------------------------------------------- */

static void add_bounds(struct writer *w, const struct fanin_attr_spec *a) {
    if (a->min >= a->max) return;
    if (isfinite(a->min))
        fi_text_add(&w->text, ",\"%s\":%.17g",
                    a->flags & FANIN_ATTR_ABOVE_MIN ? "exclusiveMinimum" : "minimum", a->min);
    if (isfinite(a->max))
        fi_text_add(&w->text, ",\"%s\":%.17g",
                    a->flags & FANIN_ATTR_BELOW_MAX ? "exclusiveMaximum" : "maximum", a->max);
}

static void add_number(struct writer *w, const struct fanin_attr_spec *a, const char *type) {
    fi_text_add(&w->text, "{\"type\":\"%s\"", type);
    add_bounds(w, a);
    fi_text_add(&w->text, "}");
}

/* {"enum":["a","b"]} of the words "a|b". */
static void add_words(struct writer *w, const char *words) {
    const char *comma = "";
    fi_text_add(&w->text, "{\"enum\":[");
    for (size_t n; *words; words += n + (words[n] == '|'), comma = ",") {
        n = strcspn(words, "|");
        fi_text_add(&w->text, "%s\"%.*s\"", comma, (int)n, words);
    }
    fi_text_add(&w->text, "]}");
}

/* Calls add for each name and alias of a record, a comma before all but the first. */
static void for_names(struct writer *w, const char *kind, const struct fanin_record *record,
                      bool *first,
                      void (*add)(struct writer *w, const char *kind,
                                  const struct fanin_record *record, const char *name)) {
    char name[128];
    const char *rest = record->aliases ? record->aliases : "";
    (void)snprintf(name, sizeof name, "%s", record->name);
    for (;;) {
        if (!*first) fi_text_add(&w->text, ",");
        *first = false;
        add(w, kind, record, name);
        rest += strspn(rest, " ");
        if (!*rest) return;
        size_t n = strcspn(rest, " ");
        (void)snprintf(name, sizeof name, "%.*s", (int)n, rest);
        rest += n;
    }
}

static void add_name(struct writer *w, const char *kind, const struct fanin_record *record,
                     const char *name) {
    (void)kind;
    (void)record;
    fi_json_string(&w->text, name);
}

/* A key whose value is the record's definition. */
static void add_property(struct writer *w, const char *kind, const struct fanin_record *record,
                         const char *name) {
    fi_json_string(&w->text, name);
    fi_text_add(&w->text, ":");
    add_ref(w, kind, record->name);
}

/* In a map of rules null takes one away. */
static void add_nullable(struct writer *w, const char *kind, const struct fanin_record *record,
                         const char *name) {
    fi_json_string(&w->text, name);
    fi_text_add(&w->text, ":{\"anyOf\":[{\"type\":\"null\"},");
    add_ref(w, kind, record->name);
    fi_text_add(&w->text, "]}");
}

/* Must be given, and not as null. A list of layers says that itself where it is read. */
static bool is_required(const struct fanin_attr_spec *a) {
    return a->flags & FANIN_ATTR_REQUIRED || fi_spec_has_form(a, FI_FORM_LAYERS);
}

static bool needs_attrs(const struct fanin_record *record) {
    for (const struct fanin_attr_spec *a = record->attrs; a && a->name; a++)
        if (is_required(a)) return true;
    return false;
}

/* A required whole number that comes first may be left to the data in a layer (fi_layers_read). */
static bool leaves_to_data(const struct fanin_record *op) {
    const struct fanin_attr_spec *a = op->attrs;
    if (!a || a->type != FANIN_ATTR_INT || !(a->flags & FANIN_ATTR_REQUIRED)) return false;
    for (a++; a->name; a++)
        if (a->flags & FANIN_ATTR_REQUIRED) return false;
    return true;
}

static void add_activations(struct writer *w, const struct fanin_attr_spec *a) {
    const struct fanin_record *op;
    bool first = false;
    add_number(w, a, "number");
    fi_text_add(&w->text, ",{\"enum\":[\"linear\"");
    for (int i = 0; (op = fanin_record_at(w->ctx, "op", i)); i++)
        if (((const struct fanin_op *)(const void *)op)->curve)
            for_names(w, "op", op, &first, add_name);
    fi_text_add(&w->text, "]}");
}

static void add_form(struct writer *w, const struct fanin_attr_spec *a) {
    if (fi_spec_has_form(a, FI_FORM_SECTION)) {
        add_ref(w, "section", a->name);
    } else if (fi_spec_has_form(a, FI_FORM_SECTIONS)) {
        fi_text_add(&w->text, "{\"type\":\"array\",\"items\":");
        add_ref(w, "section", a->name);
        fi_text_add(&w->text, "}");
    } else if (fi_spec_has_form(a, FI_FORM_LAYERS)) {
        add_ref(w, "layers", "");
    } else {
        add_ref(w, "rules", a->text + strlen(FI_FORM_RULES));
    }
}

static void add_texts(struct writer *w, const struct fanin_attr_spec *a, bool positional) {
    if (a->text && !*a->text) {
        fi_text_add(&w->text, "{\"type\":\"object\",\"additionalProperties\":"
                              "{\"type\":[\"string\",\"number\",\"boolean\"]}}");
        return;
    }
    if (a->text) {
        add_words(w, a->text);
        if (positional) return;
        fi_text_add(&w->text,
                    ",{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":");
        add_words(w, a->text);
        fi_text_add(&w->text, "}");
        return;
    }
    fi_text_add(&w->text, "{\"type\":[\"string\",\"number\",\"boolean\"]},{\"type\":\"array\","
                          "\"items\":{\"type\":[\"string\",\"number\",\"boolean\"]}}");
}

/* The alternatives for a value, without the brackets. positional: a map would be read as
 * attributes. */
static void add_values(struct writer *w, const struct fanin_attr_spec *a, bool positional,
                       bool layer) {
    switch (a->type) {
    case FANIN_ATTR_BOOL:
        fi_text_add(&w->text, "{\"enum\":[true,false,0,1]}");
        break;
    case FANIN_ATTR_INT:
        add_number(w, a, "integer");
        if (layer) fi_text_add(&w->text, ",{\"const\":\"outputs\"}");
        break;
    case FANIN_ATTR_REAL:
        add_number(w, a, "number");
        break;
    case FANIN_ATTR_CHOICE:
        add_words(w, a->text);
        break;
    case FANIN_ATTR_STRING:
        fi_text_add(&w->text, "{\"type\":[\"string\",\"number\",\"boolean\"]}");
        break;
    case FANIN_ATTR_RULE:
        if (fi_spec_has_form(a, NULL))
            add_form(w, a);
        else
            add_ref(w, positional ? "names" : "kind", a->text);
        break;
    case FANIN_ATTR_LIST:
        add_number(w, a, "number");
        fi_text_add(&w->text, ",{\"type\":\"array\",\"items\":");
        add_number(w, a, "number");
        fi_text_add(&w->text, "}");
        if (a->text) {
            fi_text_add(&w->text, ",");
            add_words(w, a->text);
        }
        break;
    case FANIN_ATTR_GAIN:
        add_activations(w, a);
        break;
    case FANIN_ATTR_TEXTS:
        add_texts(w, a, positional);
        break;
    }
    bool nullable = a->flags & FANIN_ATTR_NULLABLE && a->type != FANIN_ATTR_RULE;
    bool left = layer && a->type == FANIN_ATTR_INT; /* to the data */
    if (!is_required(a) || nullable || left) fi_text_add(&w->text, ",{\"type\":\"null\"}");
}

static void add_attr(struct writer *w, const struct fanin_attr_spec *a, bool layer) {
    fi_json_string(&w->text, a->name);
    fi_text_add(&w->text, ":{\"anyOf\":[");
    add_values(w, a, false, layer);
    fi_text_add(&w->text, "]");
    add_description(w, a->help);
    if ((a->type == FANIN_ATTR_INT || a->type == FANIN_ATTR_REAL) && isfinite(a->def) &&
        fabs(a->def) < 1e18 && !(a->flags & FANIN_ATTR_REQUIRED))
        fi_text_add(&w->text, ",\"default\":%.15g", a->def);
    if (a->type == FANIN_ATTR_BOOL)
        fi_text_add(&w->text, ",\"default\":%s", a->def != 0 ? "true" : "false");
    fi_text_add(&w->text, "}");
}

/* ---- records, kinds, sections -------------------------------------------------------------------- */

/* {"type":"object",…} of the attributes; `extra`: also each record of that kind by its name. */
static void add_object(struct writer *w, const struct fanin_record *record, bool layer,
                       const char *extra) {
    bool first = true;
    const struct fanin_record *other;
    fi_text_add(&w->text, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (const struct fanin_attr_spec *a = record->attrs; a && a->name; a++, first = false) {
        if (!first) fi_text_add(&w->text, ",");
        add_attr(w, a, layer);
    }
    for (const struct fanin_attr_spec *a = layer ? fi_section_params.attrs : NULL; a && a->name;
         a++)
        if (fi_params_key(record, a->name)) { /* what any layer takes */
            if (!first) fi_text_add(&w->text, ",");
            add_attr(w, a, false);
            first = false;
        }
    for (int i = 0; extra && (other = fanin_record_at(w->ctx, extra, i)); i++)
        for_names(w, extra, other, &first, add_property);
    fi_text_add(&w->text, "}");
    first = true;
    for (const struct fanin_attr_spec *a = record->attrs; a && a->name; a++) {
        if (!is_required(a) || (layer && a == record->attrs && leaves_to_data(record))) continue;
        fi_text_add(&w->text, first ? ",\"required\":[\"%s\"" : ",\"%s\"", a->name);
        first = false;
    }
    fi_text_add(&w->text, first ? "}" : "]}");
}

/* What may follow the name of a record: its attributes, the first one alone, nothing. */
static void define_record(struct writer *w, const char *kind, const struct fanin_record *record) {
    bool layer = strcmp(kind, "op") == 0, one = true;
    const struct fanin_attr_spec *first = record->attrs;
    for (const struct fanin_attr_spec *a = first ? first + (first->name != NULL) : NULL;
         a && a->name; a++)
        if (is_required(a)) one = false;
    begin_definition(w, kind, record->name);
    fi_text_add(&w->text, "{\"anyOf\":[");
    add_object(w, record, layer, NULL);
    if (first && first->name && one && !fi_spec_has_form(first, NULL)) {
        fi_text_add(&w->text, ",");
        add_values(w, first, true, layer);
    }
    if (!needs_attrs(record) || (layer && leaves_to_data(record)))
        fi_text_add(&w->text, ",{\"type\":\"null\"}");
    fi_text_add(&w->text, "]");
    char help[1024];
    (void)snprintf(help, sizeof help, "%s %s (%s)", record->help, record->formula,
                   record->reference);
    add_description(w, help);
    fi_text_add(&w->text, "}");
}

/* "names.init": the names that need nothing else; "kind.init": these, or a map of one name;
 * "rules.reg": a map of several. */
static void define_kind(struct writer *w, const char *kind) {
    const struct fanin_record *record;
    bool first = true, layer = strcmp(kind, "op") == 0;
    begin_definition(w, "names", kind);
    fi_text_add(&w->text, "{\"enum\":[");
    for (int i = 0; (record = fanin_record_at(w->ctx, kind, i)); i++)
        if (!needs_attrs(record) || (layer && leaves_to_data(record)))
            for_names(w, kind, record, &first, add_name);
    fi_text_add(&w->text, "]}");
    for (int several = 0; several < 2; several++) {
        begin_definition(w, several ? "rules" : "kind", kind);
        if (!several) {
            fi_text_add(&w->text, "{\"anyOf\":[");
            add_ref(w, "names", kind);
            fi_text_add(&w->text, ",");
        }
        fi_text_add(&w->text,
                    "{\"type\":\"object\",%s\"additionalProperties\":false,\"properties\":{",
                    several ? "" : "\"minProperties\":1,\"maxProperties\":1,");
        first = true;
        for (int i = 0; (record = fanin_record_at(w->ctx, kind, i)); i++)
            for_names(w, kind, record, &first, several ? add_nullable : add_property);
        fi_text_add(&w->text, several ? "}}" : "}}]}");
    }
    for (int i = 0; (record = fanin_record_at(w->ctx, kind, i)); i++)
        define_record(w, kind, record);
}

/* {"required":["dense"]} */
static void add_required(struct writer *w, const char *kind, const struct fanin_record *record,
                         const char *name) {
    (void)kind;
    (void)record;
    fi_text_add(&w->text, "{\"required\":[\"%s\"]}", name);
}

/* An item of `net`: a name, one op beside the keys that any layer may have, or a repeat. */
static void define_layers(struct writer *w) {
    const struct fanin_record *op;
    bool first = true;
    begin_definition(w, "layers", "");
    fi_text_add(&w->text, "{\"type\":\"array\",\"minItems\":0,\"items\":");
    add_ref(w, "layer", "");
    fi_text_add(&w->text, "}");
    begin_definition(w, "layer", "");
    fi_text_add(&w->text, "{\"anyOf\":[");
    add_ref(w, "names", "op");
    fi_text_add(&w->text, ",{\"type\":\"object\",\"additionalProperties\":false,\"required\":["
                          "\"repeat\"],\"properties\":{\"repeat\":");
    add_ref(w, "section", fi_section_repeat.name);
    fi_text_add(&w->text, "}},{\"allOf\":[");
    add_object(w, &fi_section_layer, false, "op");
    fi_text_add(&w->text, ",{\"oneOf\":[");
    for (int i = 0; (op = fanin_record_at(w->ctx, "op", i)); i++)
        for_names(w, "op", op, &first, add_required);
    fi_text_add(&w->text, "]}]}]}");
}

/* A reader may stand in `data` by its name alone, or as a key (fi_data_canonical). */
static void define_section(struct writer *w, const struct fanin_record *section) {
    bool data = section == &fi_section_data, first = true;
    const struct fanin_record *reader;
    begin_definition(w, "section", section->name);
    fi_text_add(&w->text, "{\"anyOf\":[");
    add_object(w, section, false, data ? "reader" : NULL);
    if (data) {
        fi_text_add(&w->text, ",{\"enum\":[");
        for (int i = 0; (reader = fanin_record_at(w->ctx, "reader", i)); i++)
            if (!needs_attrs(reader)) for_names(w, "reader", reader, &first, add_name);
        fi_text_add(&w->text, "]}");
    }
    const struct fanin_attr_spec *key = fi_spec_find(&fi_section_train, section->name);
    if (key) { /* as for rules, the first key may stand alone */
        fi_text_add(&w->text, ",");
        add_values(w, section->attrs, true, false);
    }
    fi_text_add(&w->text, "]");
    add_description(w, section->help);
    fi_text_add(&w->text, "}");
}

enum fanin_status fanin_recipe_schema(fanin_ctx *ctx, fanin_sink_fn sink, void *payload) {
    struct writer w = {.ctx = ctx};
    fi_text_init(&w.text, ctx);
    fi_text_add(&w.text,
                "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\n"
                "\"title\":\"fanin recipe\",\n\"allOf\":[{\"$ref\":\"#/$defs/section.%s\"},"
                "{\"properties\":{\"net\":{\"minItems\":1}}}],\n\"$defs\":{",
                fi_section_recipe.name);
    for (int k = 0; fanin_kind(k); k++) define_kind(&w, fanin_kind(k));
    define_layers(&w);
    for (int i = 0; fanin_recipe_section(i); i++)
        if (fanin_recipe_section(i) != &fi_section_layer)
            define_section(&w, fanin_recipe_section(i));
    fi_text_add(&w.text, "}}\n");
    enum fanin_status status = w.text.failed ? FANIN_ERR_MEMORY : FANIN_OK;
    if (status == FANIN_OK && sink(payload, w.text.data, w.text.length) != 0)
        status = fi_fail(ctx, FANIN_ERR_IO, "the schema could not be written");
    fi_text_free(&w.text);
    return status;
}
