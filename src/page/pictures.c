/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures on a page: their bytes in base64 (RFC 4648), which the page's script paints on a canvas.
 * No picture format is needed for that, nothing is loaded, and a pixel stays a pixel at any size.
 *
 *     {"kind": "pictures", "title": …, "text": …, "pictures": [{"width": 28, "height": 28,
 *      "channels": 1, "pixels": "AAEC…", "alt": …, "lines": [[…], …]}]}
 */
#include "base/quote.h"
#include "page/part.h"

static void add_base64(struct fi_text *out, const unsigned char *bytes, int64_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char line[1025];
    int at = 0;
    for (int64_t i = 0; i < n; i += 3) {
        const unsigned a = bytes[i], b = i + 1 < n ? bytes[i + 1] : 0;
        const unsigned c = i + 2 < n ? bytes[i + 2] : 0;
        line[at++] = digits[a >> 2];
        line[at++] = digits[(a << 4 | b >> 4) & 63];
        line[at++] = digits[(b << 2 | c >> 6) & 63];
        line[at++] = digits[c & 63];
        if (i + 2 >= n) line[at - 1] = '=';
        if (i + 1 >= n) line[at - 2] = '=';
        if (at < (int)sizeof line - 1 && i + 3 < n) continue;
        line[at] = '\0';
        fi_text_add(out, "%s", line);
        at = 0;
    }
}

static void add_picture(struct fi_text *out, const struct fanin_page_picture *p) {
    fi_text_add(out, "{\"width\":%d,\"height\":%d,\"channels\":%d,\"pixels\":\"", p->width,
                p->height, p->channels);
    add_base64(out, p->pixels, (int64_t)p->width * p->height * p->channels);
    fi_text_add(out, "\",\"alt\":");
    fi_quote_in_page(out, p->alt);
    fi_text_add(out, ",\"lines\":[");
    for (int i = 0; i < p->n_lines; i++) {
        if (i) fi_text_add(out, ",");
        fi_quote_in_page(out, p->lines[i]);
    }
    fi_text_add(out, "]}");
}

void fi_pictures_json(struct fi_text *out, const struct fi_part *part) {
    const struct fi_part_pictures *all = &part->is.pictures;
    fi_text_add(out, ",\"title\":");
    fi_quote_in_page(out, all->title);
    fi_text_add(out, ",\"text\":");
    fi_quote_in_page(out, all->text);
    fi_text_add(out, ",\"pictures\":[");
    for (int64_t i = 0; i < all->n; i++) {
        if (i) fi_text_add(out, ",");
        add_picture(out, &all->items[i]);
    }
    fi_text_add(out, "]");
}
