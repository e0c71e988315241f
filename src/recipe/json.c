/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as JSON (RFC 8259), the form in which a model file keeps its recipe. Written with a space
 * after each colon and comma, so that it is also YAML for every parser.
 *
 * Numbers keep the digits they were written with; only what JSON does not allow is put right: a
 * sign
 * "+", leading zeros, a missing digit beside the point, 0o17 and 0x1f. JSON has no infinity: 1e999
 * is a number of its grammar that every reader, this one too, takes for it.
 */
#include <math.h>
#include <string.h>

#include "recipe/value.h"

/* The code point at p if it must be escaped, else 0; *length: its bytes. JSON asks for quotes,
 * backslashes and controls; YAML does not take C1 controls, byte order marks and noncharacters as
 * they are, and folds line separators. */
static unsigned escaped(const char *p, int *length) {
    const unsigned char *u = (const unsigned char *)p;
    *length = 1;
    if (u[0] < 0x20 || u[0] == '"' || u[0] == '\\' || u[0] == 0x7f) return u[0];
    if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0) {
        *length = 2;
        return u[1];
    }
    if ((u[0] != 0xe2 && u[0] != 0xef) || !u[1] || !u[2]) return 0;
    unsigned code = (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
    *length = 3;
    return code == 0x2028 || code == 0x2029 || code == 0xfeff || code >= 0xfffe ? code : 0;
}

void fi_json_string(struct fi_text *out, const char *text) {
    const char *start = text, *p = text;
    fi_text_add(out, "\"");
    while (*p) {
        int length;
        unsigned code = escaped(p, &length);
        if (code != 0) {
            fi_text_add(out, "%.*s", (int)(p - start), start);
            fi_text_add(out, code == '"' || code == '\\' ? "\\%c" : "\\u%04x", code);
            start = p + length;
        }
        p += code != 0 ? length : 1;
    }
    fi_text_add(out, "%s\"", start);
}

static void json_number(struct fi_text *out, const struct fi_value *value) {
    const char *p = value->text;
    if (isinf(value->number)) {
        fi_text_add(out, "%s", value->number < 0 ? "-1e999" : "1e999");
        return;
    }
    if (value->kind == FI_VALUE_INT && p[0] == '0' && (p[1] == 'x' || p[1] == 'o')) {
        fi_text_add(out, "%.0f", value->number);
        return;
    }
    if (*p == '-') fi_text_add(out, "-");
    if (*p == '-' || *p == '+') p++;
    while (*p == '0' && p[1] >= '0' && p[1] <= '9') p++;
    if (*p == '.') fi_text_add(out, "0");
    const char *point = strchr(p, '.');
    if (point && !(point[1] >= '0' && point[1] <= '9')) { /* "5." and "5.e3" */
        fi_text_add(out, "%.*s0%s", (int)(point + 1 - p), p, point + 1);
    } else {
        fi_text_add(out, "%s", p);
    }
}

void fi_value_json(struct fi_text *out, const struct fi_value *value) {
    bool map = value->kind == FI_VALUE_MAP;
    switch (value->kind) {
    case FI_VALUE_NULL:
        fi_text_add(out, "null");
        break;
    case FI_VALUE_BOOL:
        fi_text_add(out, "%s", value->number != 0 ? "true" : "false");
        break;
    case FI_VALUE_INT:
    case FI_VALUE_REAL:
        /* a NaN is refused wherever a number is asked for, so this one stands for a text */
        if (isnan(value->number)) {
            fi_json_string(out, value->text);
        } else {
            json_number(out, value);
        }
        break;
    case FI_VALUE_TEXT:
        fi_json_string(out, value->text);
        break;
    case FI_VALUE_LIST:
    case FI_VALUE_MAP:
        fi_text_add(out, "%s", map ? "{" : "[");
        for (int64_t i = 0; i < value->n && !out->failed; i++) {
            if (i > 0) fi_text_add(out, ", ");
            if (map) {
                fi_json_string(out, value->entries[i].key);
                fi_text_add(out, ": ");
            }
            fi_value_json(out, value->entries[i].value);
        }
        fi_text_add(out, "%s", map ? "}" : "]");
        break;
    }
}
