/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of a JSON Schema validator (draft 2020-12) as the schema of recipes needs. A keyword it
 * does not know fails the test, so that nothing passes because it was not looked at.
 */
#ifndef TESTS_SCHEMA_H
#define TESTS_SCHEMA_H

#include <jansson.h>
#include <math.h>

#include "support/support.h"

static bool schema_holds(const json_t *root, const json_t *schema, const json_t *value);

static inline const json_t *schema_ref(const json_t *root, const char *ref) {
    if (strncmp(ref, "#/$defs/", 8) != 0) fail_msg("reference %s", ref);
    const json_t *found = json_object_get(json_object_get(root, "$defs"), ref + 8);
    if (!found) fail_msg("the schema has no %s", ref);
    return found;
}

static inline bool schema_type(const char *type, const json_t *value) {
    if (strcmp(type, "integer") == 0)
        return json_is_number(value) && json_number_value(value) == floor(json_number_value(value));
    if (strcmp(type, "number") == 0) return json_is_number(value);
    if (strcmp(type, "string") == 0) return json_is_string(value);
    if (strcmp(type, "boolean") == 0) return json_is_boolean(value);
    if (strcmp(type, "null") == 0) return json_is_null(value);
    if (strcmp(type, "array") == 0) return json_is_array(value);
    if (strcmp(type, "object") == 0) return json_is_object(value);
    fail_msg("type %s", type);
    return false;
}

/* How many of a list of schemas hold. */
static inline int schema_count(const json_t *root, const json_t *list, const json_t *value) {
    size_t i;
    json_t *member;
    int n = 0;
    json_array_foreach(list, i, member) n += schema_holds(root, member, value);
    return n;
}

static inline bool schema_contains(const json_t *list, const json_t *value) {
    size_t i;
    json_t *member;
    json_array_foreach(list, i, member) if (json_equal(member, value)) return true;
    return false;
}

static inline bool schema_object(const json_t *root, const json_t *schema, const json_t *value) {
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *more = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member) {
        const json_t *property = json_object_get(properties, key);
        if (property ? !schema_holds(root, property, member)
                     : more && !schema_holds(root, more, member))
            return false;
    }
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i, member) {
        if (!json_object_get(value, json_string_value(member))) return false;
    }
    return true;
}

/* One keyword. */
static inline bool schema_keyword(const json_t *root, const json_t *schema, const char *word,
                                  const json_t *rule, const json_t *value) {
    static const char *const remarks[] = {"description", "default", "title", "$schema", "$defs"};
    static const char *const of_objects[] = {"properties", "additionalProperties", "required"};
    for (int i = 0; i < FI_COUNT(remarks); i++)
        if (strcmp(word, remarks[i]) == 0) return true;
    for (int i = 0; i < FI_COUNT(of_objects); i++)
        if (strcmp(word, of_objects[i]) == 0)
            return !json_is_object(value) || schema_object(root, schema, value);
    const double number = json_number_value(value), bound = json_number_value(rule);
    const bool is_number = json_is_number(value);
    if (strcmp(word, "minimum") == 0) return !is_number || number >= bound;
    if (strcmp(word, "maximum") == 0) return !is_number || number <= bound;
    if (strcmp(word, "exclusiveMinimum") == 0) return !is_number || number > bound;
    if (strcmp(word, "exclusiveMaximum") == 0) return !is_number || number < bound;
    const double size =
        (double)(json_is_object(value) ? json_object_size(value) : json_array_size(value));
    if (strcmp(word, "minProperties") == 0) return !json_is_object(value) || size >= bound;
    if (strcmp(word, "maxProperties") == 0) return !json_is_object(value) || size <= bound;
    if (strcmp(word, "minItems") == 0) return !json_is_array(value) || size >= bound;
    if (strcmp(word, "$ref") == 0)
        return schema_holds(root, schema_ref(root, json_string_value(rule)), value);
    if (strcmp(word, "const") == 0) return json_equal(rule, value);
    if (strcmp(word, "enum") == 0) return schema_contains(rule, value);
    if (strcmp(word, "anyOf") == 0) return schema_count(root, rule, value) >= 1;
    if (strcmp(word, "oneOf") == 0) return schema_count(root, rule, value) == 1;
    if (strcmp(word, "allOf") == 0)
        return schema_count(root, rule, value) == (int)json_array_size(rule);
    size_t i;
    json_t *member;
    if (strcmp(word, "type") == 0) {
        if (json_is_string(rule)) return schema_type(json_string_value(rule), value);
        json_array_foreach(rule, i,
                           member) if (schema_type(json_string_value(member), value)) return true;
        return false;
    }
    if (strcmp(word, "items") == 0) {
        json_array_foreach(value, i, member) if (!schema_holds(root, rule, member)) return false;
        return true;
    }
    fail_msg("keyword %s", word);
    return false;
}

/* Whether the value is valid under `schema`, a part of `root`. */
static bool schema_holds(const json_t *root, const json_t *schema, const json_t *value) {
    if (json_is_boolean(schema)) return json_is_true(schema);
    const char *word;
    json_t *rule;
    json_object_foreach((json_t *)schema, word, rule) {
        if (!schema_keyword(root, schema, word, rule, value)) return false;
    }
    return true;
}

#endif
