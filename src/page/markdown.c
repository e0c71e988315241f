/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page as Markdown (CommonMark, tables as GitHub has them) with its plots as pictures of their
 * own. Texts are escaped so that they come out as they went in; what a page says by colour stands
 * in a word.
 */
#include <string.h>

#include "base/quote.h"
#include "page/svg.h"

#define DIGITS 4

struct writer {
    const fanin_page *page;
    const char *stem;
    struct fi_text out;
    fanin_page_picture_fn picture;
    void *payload;
    int n_pictures;
};

/* ---- texts ------------------------------------------------------------------------------------------ */

/* Code in a line; it holds no backquotes. */
static void add_code_span(struct fi_text *out, const char *code, size_t n) {
    if (n == 0) return;
    const bool pad = code[0] == ' ' || code[n - 1] == ' '; /* a space of each end is taken off */
    fi_text_add(out, pad ? "` " : "`");
    fi_escape_line(out, code);
    fi_text_add(out, pad ? " `" : "`");
}

/* A text whose parts between backquotes are code, as web/base.js reads it. Code that follows code
 * joins it: two spans side by side would not be read as such. */
static void add_prose(struct fi_text *out, const char *text) {
    struct fi_text piece;
    bool code = false;
    for (const char *from = text ? text : ""; *from; code = !code) {
        const bool begins = from == text;
        fi_text_init(&piece, out->ctx);
        for (;;) {
            const size_t n = strcspn(from, "`");
            fi_text_add(&piece, "%.*s", (int)FI_MIN(n, (size_t)INT32_MAX), from);
            from += n;
            if (!code || from[0] != '`' || from[1] != '`') break;
            from += 2;
        }
        if (*from) from++;
        if (code)
            add_code_span(out, piece.data, piece.length);
        else
            fi_escape_markdown(out, piece.data, begins);
        out->failed |= piece.failed;
        fi_text_free(&piece);
    }
}

static void add_paragraph(struct fi_text *out, const char *text) {
    if (!text || !*text) return;
    add_prose(out, text);
    fi_text_add(out, "\n\n");
}

static void add_bold(struct fi_text *out, const char *text) {
    if (!text || !*text) return;
    fi_text_add(out, "**");
    fi_escape_markdown(out, text, true);
    fi_text_add(out, "**\n\n");
}

static void add_fence(struct fi_text *out, const char *prefix, size_t n, const char *language) {
    fi_text_add(out, "%s", prefix);
    for (size_t i = 0; i < n; i++) fi_text_add(out, "`");
    fi_text_add(out, "%s\n", language);
}

/* A fenced block; the fence is longer than what stands inside. prefix: before each line. */
static void add_block(struct fi_text *out, const char *language, const char *code,
                      const char *prefix) {
    size_t longest = 0;
    for (const char *at = code; *at;) {
        const size_t run = strspn(at, "`");
        longest = FI_MAX(longest, run);
        at += run > 0 ? run : strcspn(at, "`");
    }
    const size_t fence = FI_MAX(longest + 1, 3);
    add_fence(out, prefix, fence, language);
    for (const char *line = code; *line;) {
        struct fi_text piece;
        const size_t n = strcspn(line, "\n");
        fi_text_init(&piece, out->ctx);
        fi_text_add(&piece, "%.*s", (int)FI_MIN(n, (size_t)INT32_MAX), line);
        fi_text_add(out, "%s", prefix);
        fi_escape_line(out, piece.data);
        fi_text_add(out, "\n");
        out->failed |= piece.failed;
        fi_text_free(&piece);
        line += n;
        if (*line) line++;
    }
    add_fence(out, prefix, fence, "");
}

/* ---- tables ----------------------------------------------------------------------------------------- */

static void add_cell(struct fi_text *out, const struct fanin_page_cell *cell) {
    char number[FI_NUMBER_SIZE];
    fi_text_add(out, " ");
    if (cell->text) {
        fi_escape_markdown(out, cell->text, false);
    } else {
        fi_number_told(number, cell->number, DIGITS);
        fi_text_add(out, "%s", number);
    }
    fi_text_add(out, " |");
}

static void add_head(struct fi_text *out, const char *name) {
    fi_text_add(out, " ");
    fi_escape_markdown(out, name, false);
    fi_text_add(out, " |");
}

static void add_table(struct writer *w, const struct fi_part *part) {
    const struct fanin_page_table *t = &part->is.table;
    add_bold(&w->out, t->title);
    if (t->n_columns <= 0) return;
    fi_text_add(&w->out, "|");
    for (int c = 0; c < t->n_columns; c++) add_head(&w->out, t->columns[c]);
    fi_text_add(&w->out, "\n|");
    for (int c = 0; c < t->n_columns; c++) {
        bool words = c == 0;
        for (int64_t r = 0; r < t->n_rows; r++)
            words |= t->cells[r * t->n_columns + c].text != NULL;
        fi_text_add(&w->out, words ? " :-- |" : " --: |");
    }
    fi_text_add(&w->out, "\n");
    for (int64_t r = 0; r < t->n_rows; r++) {
        fi_text_add(&w->out, "|");
        for (int c = 0; c < t->n_columns; c++) add_cell(&w->out, &t->cells[r * t->n_columns + c]);
        fi_text_add(&w->out, "\n");
    }
    fi_text_add(&w->out, "\n");
}

static void add_facts(struct writer *w, const struct fi_part *part) {
    const struct fi_part_facts *f = &part->is.facts;
    bool remarks = false;
    if (f->n <= 0) return;
    for (int i = 0; i < f->n; i++) remarks |= f->facts[i].text != NULL;
    fi_text_add(&w->out, remarks ? "| figure | value | |\n| :-- | --: | :-- |\n"
                                 : "| figure | value |\n| :-- | --: |\n");
    for (int i = 0; i < f->n; i++) {
        fi_text_add(&w->out, "|");
        add_head(&w->out, f->facts[i].name);
        add_cell(&w->out, &f->facts[i].value);
        if (remarks) add_head(&w->out, f->facts[i].text);
        fi_text_add(&w->out, "\n");
    }
    fi_text_add(&w->out, "\n");
}

/* ---- prose ------------------------------------------------------------------------------------------ */

static void add_section(struct writer *w, const struct fi_part *part) {
    fi_text_add(&w->out, "## ");
    fi_escape_markdown(&w->out, part->is.prose.title, true);
    fi_text_add(&w->out, "\n\n");
    add_paragraph(&w->out, part->is.prose.text);
}

static void add_text(struct writer *w, const struct fi_part *part) {
    add_paragraph(&w->out, part->is.prose.text);
}

static void add_code(struct writer *w, const struct fi_part *part) {
    const struct fi_part_code *c = &part->is.code;
    add_bold(&w->out, c->title);
    if (!c->code) return;
    add_block(&w->out, c->json ? "json" : "", c->code, "");
    fi_text_add(&w->out, "\n");
}

/* A quotation: the tone, label and title bold, then what was found. */
static void add_notice(struct writer *w, const struct fi_part *part) {
    static const char *const tones[] = {NULL, "Good", "Caution", "Bad"};
    const struct fanin_page_notice *n = &part->is.notice;
    const char *const words[] = {tones[n->tone], n->label, n->title};
    const char *const between[] = {"", ": ", " · "};
    struct fi_text *out = &w->out;
    const char *line = ">"; /* a line that parts paragraphs comes before all but the first */
    bool begun = false;
    for (int i = 0; i < FI_COUNT(words); i++) {
        if (!words[i] || !*words[i]) continue;
        fi_text_add(out, "%s", begun ? between[i] : "> **");
        fi_escape_markdown(out, words[i], !begun);
        begun = true;
    }
    if (begun) fi_text_add(out, "**\n");
    const char *const texts[] = {n->text, n->more};
    for (int i = 0; i < FI_COUNT(texts); i++) {
        if (!texts[i] || !*texts[i]) continue;
        fi_text_add(out, "%s%s> ", begun ? line : "", begun ? "\n" : "");
        add_prose(out, texts[i]);
        fi_text_add(out, "\n");
        begun = true;
    }
    if (n->code) {
        if (begun) fi_text_add(out, ">\n");
        add_block(out, "", n->code, "> ");
    }
    fi_text_add(out, "\n");
}

/* ---- plots ------------------------------------------------------------------------------------------ */

/* The file's name as a link: other bytes than these as %XX (RFC 3986). */
static void add_link(struct fi_text *out, const char *name) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    for (; *name; name++)
        fi_text_add(out, strchr(plain, *name) ? "%c" : "%%%02X", (unsigned char)*name);
}

static enum fanin_status hand_over(struct writer *w, const struct fi_text *svg, const char *title) {
    struct fi_text name;
    fi_text_init(&name, w->page->ctx);
    fi_text_add(&name, "%s-%d.svg", w->stem, ++w->n_pictures);
    if (name.failed) return FANIN_ERR_MEMORY;
    fi_text_add(&w->out, "![");
    fi_escape_markdown(&w->out, title, false);
    fi_text_add(&w->out, "](");
    add_link(&w->out, name.data);
    fi_text_add(&w->out, ")\n\n");
    enum fanin_status status = FANIN_OK;
    if (w->picture(w->payload, name.data, svg->data, svg->length) != 0)
        status = fi_fail(w->page->ctx, FANIN_ERR_IO, "%s could not be written", name.data);
    fi_text_free(&name);
    return status;
}

static enum fanin_status draw(struct fi_text *svg, fanin_ctx *ctx, const struct fi_part *part) {
    switch (part->kind) {
    case FI_PART_PLOT:
        return fi_svg_plot(svg, ctx, &part->is.plot);
    case FI_PART_HISTOGRAMS:
        return fi_svg_histograms(svg, ctx, &part->is.histograms);
    default:
        return fi_svg_heat(svg, ctx, &part->is.heat);
    }
}

static enum fanin_status add_plot(struct writer *w, const struct fi_part *part, const char *title,
                                  const char *text) {
    struct fi_text svg;
    fi_text_init(&svg, w->page->ctx);
    enum fanin_status status = draw(&svg, w->page->ctx, part);
    if (status == FANIN_OK && svg.failed) status = FANIN_ERR_MEMORY;
    if (status == FANIN_OK && svg.length > 0) {
        status = hand_over(w, &svg, title);
    } else if (status == FANIN_OK) {
        add_bold(&w->out, title);
        add_paragraph(&w->out, "Nothing to draw: none of these figures is known.");
    }
    add_paragraph(&w->out, text);
    fi_text_free(&svg);
    return status;
}

/* Pictures of pixels are for the browser: here stand their captions. */
static void add_pictures(struct writer *w, const struct fi_part *part) {
    const struct fi_part_pictures *all = &part->is.pictures;
    add_bold(&w->out, all->title);
    add_paragraph(&w->out, all->text);
    for (int64_t i = 0; i < all->n; i++) {
        fi_text_add(&w->out, "-");
        for (int k = 0; k < all->items[i].n_lines; k++) {
            fi_text_add(&w->out, k ? ", " : " ");
            fi_escape_markdown(&w->out, all->items[i].lines[k], k == 0);
        }
        fi_text_add(&w->out, "\n");
    }
    fi_text_add(&w->out, "\n");
}

/* ---- the page --------------------------------------------------------------------------------------- */

static void (*const makers[])(struct writer *w, const struct fi_part *part) = {
    [FI_PART_SECTION] = add_section,  [FI_PART_TEXT] = add_text,   [FI_PART_CODE] = add_code,
    [FI_PART_NOTICE] = add_notice,    [FI_PART_FACTS] = add_facts, [FI_PART_TABLE] = add_table,
    [FI_PART_PICTURES] = add_pictures};

static enum fanin_status add_part(struct writer *w, const struct fi_part *part) {
    switch (part->kind) {
    case FI_PART_PLOT:
        return add_plot(w, part, part->is.plot.title, part->is.plot.text);
    case FI_PART_HISTOGRAMS:
        return add_plot(w, part, part->is.histograms.title, part->is.histograms.text);
    case FI_PART_HEAT:
        return add_plot(w, part, part->is.heat.title, part->is.heat.text);
    default:
        makers[part->kind](w, part);
        return FANIN_OK;
    }
}

static enum fanin_status write_all(struct writer *w) {
    fi_text_add(&w->out, "# ");
    fi_escape_markdown(&w->out, w->page->title, true);
    fi_text_add(&w->out, "\n\n");
    if (w->page->above) {
        fi_text_add(&w->out, "*");
        fi_escape_markdown(&w->out, w->page->above, true);
        fi_text_add(&w->out, "*\n\n");
    }
    for (const struct fi_part *part = w->page->first; part; part = part->next)
        FI_TRY(add_part(w, part));
    fi_text_add(&w->out, "Made by fanin %s.\n", fanin_version());
    return w->out.failed ? FANIN_ERR_MEMORY : FANIN_OK;
}

enum fanin_status fanin_page_write_markdown(const fanin_page *page, const char *stem,
                                            fanin_sink_fn sink, fanin_page_picture_fn picture,
                                            void *payload) {
    FI_TRY(fi_page_is_whole(page));
    struct writer w = {.page = page, .stem = stem, .picture = picture, .payload = payload};
    fi_text_init(&w.out, page->ctx);
    enum fanin_status status = write_all(&w);
    if (status == FANIN_OK && sink(payload, w.out.data, w.out.length) != 0)
        status = fi_fail(page->ctx, FANIN_ERR_IO, "the page could not be written");
    fi_text_free(&w.out);
    return status;
}
