/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to rows of cells, by libcsv in its strict mode: a quote inside a plain cell, text
 * behind a closing quote and a quote that is never closed are refused. libcsv is fed line by line,
 * so that every message can say where; it drops empty lines and the blanks around a cell.
 *
 * Numbers are decimal (-12.5e3), never in the style of a locale. Up to 15 digits and a power of ten
 * up to 22 are exact in double and need one rounding; the rest goes to strtod in the C locale.
 */
#include "data/csv.h"

#include <csv.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/reader/reader.h"

/* A row longer than this is a quote left open, not data. */
static const int64_t ROW_LIMIT = (int64_t)16 << 20;

/* ---- opening ----------------------------------------------------------------------------------------- */

static int64_t line_at(const struct csv_file *f, int64_t place) {
    int64_t line = 1;
    for (int64_t i = 0; i < place; i++) line += f->bytes[i] == '\n';
    return line;
}

/* Bytes of the UTF-8 character at p (RFC 3629: shortest form, no surrogates), 0 if it is none. The
 * text ends with a zero byte, which stops every look ahead. */
static int utf8_length(const uint8_t *p) {
    static const struct {
        uint8_t first, last, low, high; /* first byte from .. to, bounds of the second */
        int length;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    if (p[0] < 0x80) return 1;
    for (int i = 0; i < FI_COUNT(forms); i++) {
        if (p[0] < forms[i].first || p[0] > forms[i].last) continue;
        if (p[1] < forms[i].low || p[1] > forms[i].high) return 0;
        for (int k = 2; k < forms[i].length; k++)
            if ((p[k] & 0xc0) != 0x80) return 0;
        return forms[i].length;
    }
    return 0;
}

static enum fanin_status check_text(struct csv_file *f) {
    const uint8_t *b = f->bytes;
    if (f->size >= 2 && ((b[0] == 0xff && b[1] == 0xfe) || (b[0] == 0xfe && b[1] == 0xff)))
        return fi_fail(f->ctx, FANIN_ERR_DATA, "'%s' is UTF-16 text; save it as UTF-8", f->path);
    if (f->size >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf) f->start = 3;
    for (int64_t i = f->start; i < f->size;) {
        int length = b[i] ? utf8_length(b + i) : 0;
        if (length == 0)
            return fi_fail(f->ctx, FANIN_ERR_DATA, "%s:%lld: byte 0x%02x is not UTF-8 text%s",
                           f->path, (long long)line_at(f, i), b[i],
                           b[i] ? " (convert it: iconv -f latin1 -t utf-8)" : "");
        i += length;
    }
    return FANIN_OK;
}

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* A tab where the file's name says so; else the candidate that comes most often in the first line,
 * outside quotes; a comma where there is none. */
static char guess_delimiter(const struct csv_file *f) {
    static const char candidates[] = ",;\t|";
    if (ends_with(f->path, ".tsv") || ends_with(f->path, ".tsv.gz")) return '\t';
    int64_t count[sizeof(candidates) - 1] = {0};
    bool quoted = false;
    int best = 0;
    for (int64_t i = f->start; i < f->size && (quoted || f->bytes[i] != '\n'); i++) {
        if (f->bytes[i] == '"') quoted = !quoted;
        for (int k = 0; candidates[k] && !quoted; k++)
            count[k] += f->bytes[i] == (uint8_t)candidates[k];
    }
    for (int k = 1; candidates[k]; k++)
        if (count[k] > count[best]) best = k;
    return candidates[best];
}

static enum fanin_status choose_delimiter(struct csv_file *f, const char *given) {
    static const char names[] = "comma|semicolon|tab|bar|\\t", marks[] = ",;\t|\t";
    const int named = fi_word_index(names, given);
    if (strcmp(given, "auto") == 0)
        f->delimiter = guess_delimiter(f);
    else if (named >= 0)
        f->delimiter = marks[named];
    else if (strlen(given) == 1 && !strchr("\"\r\n", given[0]) && (uint8_t)given[0] < 0x80)
        f->delimiter = given[0];
    else
        return fi_fail(
            f->ctx, FANIN_ERR_RECIPE,
            "csv: delimiter must be auto, comma, semicolon, tab, bar or one character, not "
            "'%s'",
            given);
    return FANIN_OK;
}

static enum fanin_status read_bytes(struct csv_file *f, const char *path) {
    struct fi_source source;
    FI_TRY(fi_source_open(&source, f->ctx, path));
    f->path = source.path;
    enum fanin_status status = fi_source_read_all(&source, &f->bytes, &f->size);
    fi_source_close(&source);
    return status;
}

enum fanin_status fi_csv_open(struct csv_file *f, fanin_ctx *ctx, const char *path,
                              const char *delimiter) {
    *f = (struct csv_file){.ctx = ctx};
    FI_TRY(read_bytes(f, path));
    enum fanin_status status = check_text(f);
    if (status == FANIN_OK) status = choose_delimiter(f, delimiter);
    if (status == FANIN_OK && !(f->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)))
        status = fi_fail_memory(ctx, "the C locale", sizeof(f->c_locale));
    if (status != FANIN_OK) fi_csv_close(f);
    return status;
}

void fi_csv_close(struct csv_file *f) {
    fi_free(f->ctx, f->bytes);
    if (f->c_locale) freelocale(f->c_locale);
    *f = (struct csv_file){.ctx = f->ctx};
}

/* ---- scanning ---------------------------------------------------------------------------------------- */

struct scan {
    const struct csv_file *file;
    csv_row_fn fn;
    void *arg;
    enum fanin_status status;
    int64_t line, row_line, row_bytes, rows, fields;
    bool between; /* no row is open */
    /* the row so far: texts one behind the other, and where each begins */
    char *text;
    int64_t length, text_cap;
    int64_t *starts;
    const char **cells;
    int64_t n, cap;
};

static void *grown(fanin_ctx *ctx, void *old, int64_t used, int64_t cap, size_t size) {
    void *memory = fi_alloc(ctx, cap, size);
    if (memory && old) memcpy(memory, old, (size_t)used * size);
    if (memory) fi_free(ctx, old);
    return memory;
}

static bool make_room(struct scan *s, int64_t bytes) {
    fanin_ctx *ctx = s->file->ctx;
    if (s->length + bytes > s->text_cap) {
        int64_t cap = FI_MAX(2 * s->text_cap, s->length + bytes + 4096);
        void *memory = grown(ctx, s->text, s->length, cap, 1);
        if (!memory) return false;
        s->text = memory;
        s->text_cap = cap;
    }
    if (s->n == s->cap) {
        int64_t cap = FI_MAX(2 * s->cap, 64);
        void *starts = grown(ctx, s->starts, s->n, cap, sizeof(*s->starts));
        if (starts) s->starts = starts;
        void *cells = starts ? grown(ctx, s->cells, 0, cap, sizeof(*s->cells)) : NULL;
        if (!cells) return false;
        s->cells = cells;
        s->cap = cap;
    }
    return true;
}

static void take_cell(void *data, size_t length, void *arg) {
    struct scan *s = arg;
    if (s->status != FANIN_OK) return;
    if (!make_room(s, (int64_t)length + 1)) {
        s->status = FANIN_ERR_MEMORY;
        return;
    }
    s->starts[s->n++] = s->length;
    if (length > 0) memcpy(s->text + s->length, data, length);
    s->text[s->length + (int64_t)length] = '\0';
    s->length += (int64_t)length + 1;
}

static void take_row(int terminator, void *arg) {
    (void)terminator;
    struct scan *s = arg;
    if (s->status != FANIN_OK) return;
    if (s->rows == 0) s->fields = s->n;
    if (s->n != s->fields) {
        s->status =
            fi_fail(s->file->ctx, FANIN_ERR_DATA,
                    "%s:%lld: this row has %lld cells, but the first has %lld", s->file->path,
                    (long long)s->row_line, (long long)s->n, (long long)s->fields);
        return;
    }
    for (int64_t i = 0; i < s->n; i++) s->cells[i] = s->text + s->starts[i];
    s->status = s->fn(s->arg, &(struct csv_row){s->rows, s->row_line, s->n, s->cells});
    s->rows++;
    s->n = s->length = s->row_bytes = 0;
    s->between = true;
}

static enum fanin_status parse_error(const struct scan *s, struct csv_parser *parser) {
    if (csv_error(parser) != CSV_EPARSE)
        return fi_fail_memory(s->file->ctx, "a cell of text", csv_get_buffer_size(parser));
    return fi_fail(s->file->ctx, FANIN_ERR_DATA,
                   "%s:%lld: stray quote: quote the whole cell and double the quotes inside",
                   s->file->path, (long long)s->line);
}

/* Behind the line end that follows `from`; the lines may end in \n, \r\n or \r. */
static int64_t line_end(const struct csv_file *f, int64_t from) {
    while (from < f->size && f->bytes[from] != '\n' && f->bytes[from] != '\r') from++;
    if (from + 1 < f->size && f->bytes[from] == '\r' && f->bytes[from + 1] == '\n') from++;
    return FI_MIN(from + 1, f->size);
}

static bool is_blank(const uint8_t *p, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n", p[i])) return false;
    return true;
}

static enum fanin_status feed_lines(struct scan *s, struct csv_parser *parser) {
    const struct csv_file *f = s->file;
    for (int64_t from = f->start, end; from < f->size; from = end, s->line++) {
        end = line_end(f, from);
        const bool opens = s->between;
        if (opens) {
            s->row_line = s->line;
            s->row_bytes = 0;
        }
        s->row_bytes += end - from;
        if (s->row_bytes > ROW_LIMIT)
            return fi_fail(f->ctx, FANIN_ERR_DATA,
                           "%s:%lld: the row that begins here is longer than %lld bytes (is a "
                           "quote left open?)",
                           f->path, (long long)s->row_line, (long long)ROW_LIMIT);
        s->between = false;
        size_t n = (size_t)(end - from);
        /* libcsv adds one block at a time to a cell: make the blocks grow with it */
        csv_set_blk_size(parser, FI_MAX(csv_get_buffer_size(parser), FI_MAX(n, (size_t)1024)));
        size_t done = csv_parse(parser, f->bytes + from, n, take_cell, take_row, s);
        if (s->status != FANIN_OK) return s->status;
        if (done != n) return parse_error(s, parser);
        if (opens && s->n == 0 && is_blank(f->bytes + from, end - from)) s->between = true;
    }
    if (csv_fini(parser, take_cell, take_row, s) != 0 && s->status == FANIN_OK)
        return fi_fail(f->ctx, FANIN_ERR_DATA,
                       "%s:%lld: a quote opened in this row is never closed", f->path,
                       (long long)s->row_line);
    return s->status;
}

enum fanin_status fi_csv_scan(const struct csv_file *file, csv_row_fn fn, void *arg) {
    struct csv_parser parser;
    struct scan s = {.file = file, .fn = fn, .arg = arg, .line = 1, .between = true};
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return fi_fail_memory(file->ctx, "the CSV parser", sizeof(parser));
    csv_set_delim(&parser, (unsigned char)file->delimiter);
    csv_set_blk_size(&parser, 1 << 16);
    enum fanin_status status = feed_lines(&s, &parser);
    csv_free(&parser);
    fi_free(file->ctx, s.text);
    fi_free(file->ctx, s.starts);
    fi_free(file->ctx, s.cells);
    if (status == FANIN_OK && s.rows == 0)
        return fi_fail(file->ctx, FANIN_ERR_DATA, "'%s' is empty", file->path);
    return status;
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

static bool names_no_number(const char *text) {
    static const char *const words[] = {"nan", "inf", "infinity"};
    text += *text == '-' || *text == '+';
    for (int i = 0; i < FI_COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return false;
}

enum csv_cell fi_csv_number(const struct csv_file *file, const char *cell, double *value) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *p = cell + (*cell == '-' || *cell == '+');
    uint64_t mantissa = 0;
    int64_t digits = 0, significant = 0, exponent = 0, power = 0;
    for (bool point = false; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        digits++;
        exponent -= point;
        if (significant == 0 && *p == '0') continue;
        if (++significant <= 15) mantissa = 10 * mantissa + (uint64_t)(*p - '0');
    }
    if (digits == 0) return names_no_number(cell) ? CSV_NOT_FINITE : CSV_TEXT;
    if (*p == 'e' || *p == 'E') {
        p++;
        const bool negative = *p == '-';
        p += *p == '-' || *p == '+';
        if (*p < '0' || *p > '9') return CSV_TEXT;
        for (; *p >= '0' && *p <= '9'; p++) power = FI_MIN(10 * power + (*p - '0'), 1000000);
        exponent += negative ? -power : power;
    }
    if (*p) return CSV_TEXT;
    if (significant <= 15 && exponent >= -22 && exponent <= 22) {
        double v = exponent < 0 ? (double)mantissa / powers[-exponent]
                                : (double)mantissa * powers[exponent];
        *value = *cell == '-' ? -v : v;
    } else {
        *value = strtod_l(cell, NULL, file->c_locale);
    }
    return fabs(*value) <= (double)FLT_MAX ? CSV_NUMBER : CSV_NOT_FINITE;
}
