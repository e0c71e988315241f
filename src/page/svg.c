/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pictures in SVG are made with (svg.h). The colours are those of the page (web/page.css):
 * Okabe and Ito's, which all kinds of colour vision tell apart, darker on light and lighter on dark
 * paper so that a thin line keeps a contrast of 3:1.
 */
#include "page/svg.h"

#include <math.h>
#include <string.h>

#include "base/quote.h"

static const char style[] =
    "<style>text{font:16px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",Helvetica,"
    "Arial,sans-serif;fill:#57606a}.t{font-weight:600;fill:#1c2127}.i{fill:#1c2127}"
    ".m{text-anchor:middle}.e{text-anchor:end}.n{font-size:14px}text.b{fill:#000}text.w{fill:#fff}"
    ".p{fill:#fff}.v{stroke:#fff}.g{stroke:#d3d9df}.s0{color:#57606a}"
    ".s1{color:#0072b2}.s2{color:#d55e00}.s3{color:#00805e}.s4{color:#a8528c}"
    ".s5{color:#3a3f46}.s6{color:#9a6d00}.s7{color:#3d87b8}.s8{color:#6b4fa0}"
    "@media(prefers-color-scheme:dark){text{fill:#a3adb8}.t,.i{fill:#e7eaed}"
    ".p{fill:#12161b}.v{stroke:#12161b}.g{stroke:#343d47}.s0{color:#a3adb8}"
    ".s1{color:#56b4e9}.s2{color:#f58f45}.s3{color:#2fc79a}.s4{color:#e08fc4}"
    ".s5{color:#cfd5db}.s6{color:#e3c54a}.s7{color:#8fb8d4}.s8{color:#b8a1e6}}</style>\n";

/* ---- places ----------------------------------------------------------------------------------------- */

long fi_svg_tenths(double place) {
    return (long)floor(place * 10 + 0.5);
}

void fi_svg_tenth(struct fi_text *out, long tenths) {
    const long size = tenths < 0 ? -tenths : tenths;
    fi_text_add(out, "%s%ld", tenths < 0 ? "-" : "", size / 10);
    if (size % 10) fi_text_add(out, ".%ld", size % 10);
}

void fi_svg_go(struct fi_text *out, char letter, double x, double y) {
    const long down = fi_svg_tenths(y);
    fi_text_add(out, "%c", letter);
    fi_svg_tenth(out, fi_svg_tenths(x));
    if (down >= 0) fi_text_add(out, " ");
    fi_svg_tenth(out, down);
}

void fi_svg_number(struct fi_text *out, const char *attribute, double value) {
    fi_text_add(out, " %s=\"", attribute);
    fi_svg_tenth(out, fi_svg_tenths(value));
    fi_text_add(out, "\"");
}

void fi_svg_rect(struct fi_text *out, const struct fi_box *box, const char *attributes) {
    fi_text_add(out, "<rect");
    fi_svg_number(out, "x", box->left);
    fi_svg_number(out, "y", box->top);
    fi_svg_number(out, "width", box->right - box->left);
    fi_svg_number(out, "height", box->bottom - box->top);
    fi_text_add(out, " %s/>\n", attributes);
}

/* ---- texts ------------------------------------------------------------------------------------------ */

/* Of the widest of the fonts that are asked for. */
static double letter_width(const char *letter, int bytes) {
    const unsigned char c = (unsigned char)*letter;
    if (bytes >= 3) return memcmp(letter, "\xe2\x80", 2) ? 16 : 14; /* general punctuation */
    if (bytes == 2) return 10;
    if (strchr("iIl.,:;'|!jftr()[]{} -/\"", c)) return 6.2;
    if (strchr("mwMW@%", c)) return 15.2;
    return c >= 'A' && c <= 'Z' ? 11.4 : 9.8;
}

double fi_svg_width(const char *text) {
    double width = 0;
    for (int n; text && *text; text += n) {
        n = fi_utf8_length(text);
        width += letter_width(text, n);
    }
    return width;
}

void fi_svg_fit(char out[FI_SVG_LABEL], const char *text, double room) {
    enum { DOTS = 4 }; /* "…" and the end */
    size_t at = 0;
    const bool all = fi_svg_width(text) <= room;
    for (double width = 14; text && text[at];) {
        const int n = fi_utf8_length(text + at);
        width += letter_width(text + at, n);
        if (at + (size_t)n > FI_SVG_LABEL - DOTS || (!all && width > room)) break;
        at += (size_t)n;
    }
    memcpy(out, text ? text : "", at);
    strcpy(out + at, text && text[at] ? "…" : "");
}

static void open_text(struct fi_text *out, const char *classes, double x, double y) {
    fi_text_add(out, "<text");
    if (*classes) fi_text_add(out, " class=\"%s\"", classes);
    fi_svg_number(out, "x", x);
    fi_svg_number(out, "y", y);
}

static void close_text(struct fi_text *out, const char *text) {
    fi_text_add(out, ">");
    fi_escape_html(out, text);
    fi_text_add(out, "</text>\n");
}

void fi_svg_text(struct fi_text *out, const char *classes, double x, double y, const char *text) {
    open_text(out, classes, x, y);
    close_text(out, text);
}

void fi_svg_turned(struct fi_text *out, const char *classes, double x, double y, int degrees,
                   const char *text) {
    open_text(out, classes, x, y);
    fi_text_add(out, " transform=\"rotate(%d", degrees);
    fi_svg_go(out, ' ', x, y);
    fi_text_add(out, ")\"");
    close_text(out, text);
}

void fi_svg_axis_titles(struct fi_text *out, const struct fi_box *box, const char *x_title,
                        double y, const char *y_title) {
    char label[FI_SVG_LABEL];
    if (x_title) {
        fi_svg_fit(label, x_title, FI_SVG_WIDTH - 40);
        const double half = fi_svg_width(label) / 2;
        const double middle = FI_MIN((box->left + box->right) / 2, FI_SVG_WIDTH - 8 - half);
        fi_svg_text(out, "i m", FI_MAX(middle, half + 8), y, label);
    }
    if (y_title) {
        const double height = box->bottom - box->top;
        fi_svg_fit(label, y_title, height + 60);
        const double over = FI_MAX(fi_svg_width(label) - height, 0) / 2;
        fi_svg_turned(out, "i m", 22, (box->top + box->bottom) / 2 + over, -90, label);
    }
}

/* ---- names of columns -------------------------------------------------------------------------------- */

void fi_svg_labels_fit(struct fi_svg_labels *labels, const char *const *names, int64_t n,
                       double slot) {
    enum { LONGEST = 125, SHORT = 48 };
    static const double slope = 0.643, run = 0.766; /* of 40 degrees */
    double widest = 0;
    for (int64_t i = 0; i < n; i++) widest = FI_MAX(widest, fi_svg_width(names[i]));
    *labels = (struct fi_svg_labels){.step = 1, .height = FI_SVG_LINE + 4};
    /* short names are easier to read level, some of them left out, than turned */
    if (widest <= SHORT) labels->step = (int64_t)FI_MAX(ceil((widest + 10) / slot), 1);
    labels->turned = widest > slot * (double)labels->step - 8;
    if (!labels->turned) {
        labels->room = slot * (double)labels->step;
        labels->left = (n > 0 ? fi_svg_width(names[0]) : 0) / 2;
        return;
    }
    labels->room = FI_MIN(widest, LONGEST);
    /* lines of text that are turned must be a line apart, across their direction */
    labels->step = (int64_t)ceil(FI_SVG_LINE / slope / slot);
    labels->height = labels->room * slope + 20;
    for (int64_t i = 0; i < n; i += labels->step) {
        const double reach = FI_MIN(fi_svg_width(names[i]), labels->room) * run + 8;
        labels->left = FI_MAX(labels->left, reach - (double)i * slot);
    }
}

void fi_svg_labels_draw(struct fi_text *out, const struct fi_svg_labels *labels,
                        const char *const *names, int64_t n, double left, double slot, double y) {
    char label[FI_SVG_LABEL];
    for (int64_t i = 0; i < n; i += labels->step) {
        const double x = left + ((double)i + 0.5) * slot;
        fi_svg_fit(label, names[i], labels->room);
        if (labels->turned)
            fi_svg_turned(out, "e", x + 5, y + 16, -40, label);
        else
            fi_svg_text(out, "m", x, y + FI_SVG_LINE, label);
    }
}

/* ---- beginning and end ------------------------------------------------------------------------------ */

double fi_svg_title(struct fi_svg_title *title, const char *text) {
    static const double room = (FI_SVG_WIDTH - 32) / 1.12; /* bold is wider */
    title->n = 0;
    while (text && *text) {
        /* the longest beginning that ends where a word does */
        size_t end = strlen(text);
        if (title->n + 1 < FI_SVG_TITLE_LINES && fi_svg_width(text) > room) {
            size_t at = 0;
            double width = 0;
            for (int n; text[at] && width <= room; at += (size_t)n) {
                if (text[at] == ' ' && at < FI_SVG_LABEL - 4) end = at;
                n = fi_utf8_length(text + at);
                width += letter_width(text + at, n);
            }
        }
        char *line = title->lines[title->n++];
        if (text[end] == '\0') {
            fi_svg_fit(line, text, room);
            break;
        }
        memcpy(line, text, end);
        line[end] = '\0';
        text += end + 1;
    }
    return 12 + FI_SVG_LINE * title->n + (title->n > 0 ? 8 : 0);
}

void fi_svg_begin(struct fi_text *out, double height, const struct fi_svg_title *title,
                  const char *full_title, const char *desc) {
    const long units = (long)ceil(height);
    fi_text_add(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%ld\" "
                "viewBox=\"0 0 %d %ld\" fill=\"none\" role=\"img\" aria-labelledby=\"t d\">\n"
                "<title id=\"t\">",
                FI_SVG_WIDTH, units, FI_SVG_WIDTH, units);
    fi_escape_html(out, full_title ? full_title : "Plot");
    fi_text_add(out, "</title>\n<desc id=\"d\">");
    fi_escape_html(out, desc);
    fi_text_add(out, "</desc>\n%s<rect class=\"p\" width=\"%d\" height=\"%ld\" rx=\"6\"/>\n", style,
                FI_SVG_WIDTH, units);
    for (int i = 0; i < title->n; i++)
        fi_svg_text(out, "t", 16, 29 + FI_SVG_LINE * i, title->lines[i]);
}

void fi_svg_end(struct fi_text *out) {
    fi_text_add(out, "</svg>\n");
}
