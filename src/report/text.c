/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for people: the run, a table of how each parameter started, a line for each epoch, the
 * result.
 *
 * On a terminal a progress bar with the time left is drawn over itself and makes way for each
 * line; elsewhere there are only lines. Figures are printed under the names the events give them,
 * whatever they are: a new penalty or metric shows without a change here. Only the manner depends
 * on the name: shares are percents, "seconds" is a time.
 */
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BOLD "\033[1m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"
#define CLEAR "\r\033[K"

/* The largest confusion matrix that is printed whole; of a larger one, the worst confusions. */
#define MATRIX_LIMIT 20
#define WORST_SHOWN 10

static const char *colored(const fanin_report *r, const char *color) {
    return r->options.color ? color : "";
}

static void make_way(fanin_report *r) {
    if (r->bar_drawn) fi_text_add(&r->line, CLEAR);
    r->bar_drawn = false;
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

#define FIGURE_SIZE 128

static void print_duration(char *out, size_t size, double seconds) {
    char number[FI_NUMBER_SIZE];
    long long s = (long long)(seconds + 0.5);
    if (seconds >= 3600)
        snprintf(out, size, "%lld:%02lld:%02lld h", s / 3600, s / 60 % 60, s % 60);
    else if (seconds >= 60)
        snprintf(out, size, "%lld:%02lld min", s / 60, s % 60);
    else {
        fi_number_short(number, seconds, seconds < 0.1 ? 2 : 3);
        snprintf(out, size, "%s s", number);
    }
}

/* "name value"; underscores and dots of the name become spaces, a time needs no name. */
static void print_figure(char out[FIGURE_SIZE], const struct fanin_figure *figure) {
    char number[FI_NUMBER_SIZE];
    const char *name = figure->name;
    double value = figure->value;
    if (!strcmp(name, "seconds") && isfinite(value)) {
        print_duration(out, FIGURE_SIZE, value);
        return;
    }
    bool share = ends_with(name, "accuracy") && isfinite(value);
    fi_number_short(number, share ? 100 * value : value, 4);
    snprintf(out, FIGURE_SIZE, "%.60s %s%s", name, number, share ? " %" : "");
    for (size_t i = 0; i < strlen(name) && i < 60; i++)
        if (out[i] == '_' || out[i] == '.') out[i] = ' ';
}

/* A text from a file or a recipe: its control characters must not reach the terminal. */
static void add_clean(struct fi_text *line, const char *text) {
    for (const char *c = text ? text : ""; *c; c++)
        fi_text_add(line, "%c", (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
}

static void add_texts(struct fi_text *line, const struct fanin_event *e, const char *between) {
    for (int i = 0; i < e->n_texts; i++) {
        if (i) fi_text_add(line, "%s", between);
        add_clean(line, e->texts[i].value);
    }
}

static void add_figures(struct fi_text *line, const struct fanin_figure *figures, int n) {
    char text[FIGURE_SIZE];
    for (int i = 0; i < n; i++) {
        print_figure(text, &figures[i]);
        fi_text_add(line, i ? "  %s" : "%s", text);
    }
}

/* The same, indented and broken into lines of the report's width. */
static void add_wrapped_figures(fanin_report *r, const struct fanin_figure *figures, int n) {
    char text[FIGURE_SIZE];
    int column = 0;
    for (int i = 0; i < n; i++) {
        print_figure(text, &figures[i]);
        int length = (int)strlen(text);
        if (column > 0 && column + 2 + length > r->options.width) {
            fi_text_add(&r->line, "\n");
            column = 0;
        }
        fi_text_add(&r->line, column ? "  %s" : "         %s", text);
        column += length + (column ? 2 : 9);
    }
    if (n > 0) fi_text_add(&r->line, "\n");
}

/* ---- events ----------------------------------------------------------------------------------------- */

static void write_start(fanin_report *r, const struct fanin_event *e) {
    for (int i = 0; i < e->n_texts; i++) {
        fi_text_add(&r->line, "%s%-8s%s ", colored(r, BOLD), e->texts[i].name, colored(r, PLAIN));
        add_clean(&r->line, e->texts[i].value);
        fi_text_add(&r->line, "\n");
    }
    add_wrapped_figures(r, e->figures, e->n_figures);
    r->table_begun = false;
    r->run_began = fi_seconds();
    r->run_first = e->step;
}

static void add_cell(struct fi_text *line, const struct fanin_event *e, const char *figure,
                     int width, int digits) {
    char number[FI_NUMBER_SIZE];
    double value = fi_event_figure(e, figure);
    fi_number_short(number, value, digits);
    fi_text_add(line, " %*s", width, isnan(value) ? "-" : number);
}

/* What a run does to a tensor: "weight_decay 0.01, max_norm, lr x0.1". */
static void print_policy(char *out, size_t size, const struct fanin_event *e) {
    const char *parts[2] = {fi_event_text(e, "regularize"), fi_event_text(e, "constrain")};
    const double lr = fi_event_figure(e, "lr");
    size_t at = 0;
    if (fi_event_text(e, "frozen")) {
        snprintf(out, size, "frozen");
        return;
    }
    for (int i = 0; i < 2; i++)
        if (parts[i] && at < size)
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", parts[i]);
    if (!isnan(lr) && at < size)
        at += (size_t)snprintf(out + at, size - at, "%slr x%g", at ? ", " : "", lr);
    if (at == 0) snprintf(out, size, "-");
}

static void write_param(fanin_report *r, const struct fanin_event *e) {
    static const char *const texts[] = {"name", "init", "why"};
    struct fi_text *line = &r->line;
    const char *text[3];
    char policy[320];
    for (int i = 0; i < 3; i++) {
        const char *found = fi_event_text(e, texts[i]);
        text[i] = found ? found : "-";
    }
    print_policy(policy, sizeof policy, e);
    if (!r->table_begun)
        fi_text_add(line, "%s%-20s %-17s %8s %7s %7s %8s %8s  %-18s  %s%s\n", colored(r, BOLD),
                    "parameter", "start", "numbers", "fan_in", "fan_out", "gain", "std",
                    "regularized by", "why", colored(r, PLAIN));
    r->table_begun = true;
    fi_text_add(line, "%-20s %-17s", text[0], text[1]);
    add_cell(line, e, "count", 8, 6);
    add_cell(line, e, "fan_in", 7, 6);
    add_cell(line, e, "fan_out", 7, 6);
    add_cell(line, e, "gain", 8, 5);
    add_cell(line, e, "std", 8, 5);
    fi_text_add(line, "  %-18s  %s\n", policy, text[2]);
}

/* The bar fills what the numbers leave of the line; the last column stays free: nothing wraps. */
static void write_step(fanin_report *r, const struct fanin_event *e) {
    if (!r->options.terminal || e->steps <= 0) return;
    char loss[FI_NUMBER_SIZE], left[32] = "";
    double value = fi_event_figure(e, "loss"), past = fi_seconds() - r->run_began;
    fi_number_short(loss, value, 4);
    if (e->step > r->run_first) {
        double seconds = past / (double)(e->step - r->run_first) * (double)(e->steps - e->step);
        long long s = (long long)(seconds + 0.5);
        if (s >= 3600)
            snprintf(left, sizeof left, "%lld:%02lld:%02lld left", s / 3600, s / 60 % 60, s % 60);
        else
            snprintf(left, sizeof left, "%lld:%02lld left", s / 60, s % 60);
    }
    double share = (double)e->step / (double)e->steps;
    char head[48], tail[96];
    snprintf(head, sizeof head, "epoch %lld/%lld ", (long long)e->epoch, (long long)e->epochs);
    snprintf(tail, sizeof tail, " %3.0f %%  loss %s  %s", floor(100 * share),
             isnan(value) ? "-" : loss, left);
    int room = r->options.width - 1 - (int)strlen(head) - (int)strlen(tail) - 2;
    fi_text_add(&r->line, CLEAR "%s", head);
    if (room >= 5) {
        int full = (int)(share * room);
        fi_text_add(&r->line, "[");
        for (int i = 0; i < room; i++)
            fi_text_add(&r->line, i < full ? "=" : i == full ? ">" : " ");
        fi_text_add(&r->line, "]");
    }
    fi_text_add(&r->line, "%s", tail);
    r->bar_drawn = true;
}

static void write_epoch(fanin_report *r, const struct fanin_event *e) {
    char last[24];
    int width = snprintf(last, sizeof last, "%lld", (long long)e->epochs);
    fi_text_add(&r->line, "epoch %*lld/%s  ", width, (long long)e->epoch, last);
    add_figures(&r->line, e->figures, e->n_figures);
    if (e->n_texts > 0) fi_text_add(&r->line, "  ");
    add_texts(&r->line, e, "  ");
    fi_text_add(&r->line, "\n");
}

static void write_plain(fanin_report *r, const struct fanin_event *e, const char *head) {
    fi_text_add(&r->line, "%s", head);
    add_texts(&r->line, e, ", ");
    if (e->n_texts > 0 && e->n_figures > 0) fi_text_add(&r->line, ": ");
    add_figures(&r->line, e->figures, e->n_figures);
    fi_text_add(&r->line, "\n");
}

/* ---- the confusion matrix -------------------------------------------------------------------------- */

/* At most ten bytes of the name, whole characters, printable. */
static void class_name(char out[16], const struct fanin_event *e, int64_t i) {
    const char *name = e->class_names ? e->class_names[i] : NULL;
    if (!name) {
        snprintf(out, 16, "%d", (int)i);
        return;
    }
    size_t n = strnlen(name, 10);
    while (n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80) n--;
    snprintf(out, 16, "%.*s", (int)n, name);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
}

static void write_matrix(fanin_report *r, const struct fanin_event *e) {
    struct fi_text *line = &r->line;
    char name[16];
    int64_t n = e->n_classes;
    int width = 5;
    for (int64_t i = 0; i < n; i++) {
        class_name(name, e, i);
        width = FI_MAX(width, (int)strlen(name) + 1);
    }
    for (int64_t i = 0; i < n * n; i++) {
        int digits = snprintf(name, sizeof name, "%lld", (long long)e->confusion[i]);
        width = FI_MAX(width, digits + 1);
    }
    fi_text_add(line, "%sconfusion%s (row: true class, column: predicted)\n%*s", colored(r, BOLD),
                colored(r, PLAIN), width, "");
    for (int64_t j = 0; j < n; j++) {
        class_name(name, e, j);
        fi_text_add(line, "%*s", width, name);
    }
    fi_text_add(line, "\n");
    for (int64_t i = 0; i < n; i++) {
        class_name(name, e, i);
        fi_text_add(line, "%*s", width, name);
        for (int64_t j = 0; j < n; j++) {
            int64_t count = e->confusion[i * n + j];
            if (count == 0 && i != j)
                fi_text_add(line, "%*s", width, ".");
            else
                fi_text_add(line, "%*lld", width, (long long)count);
        }
        fi_text_add(line, "\n");
    }
}

/* The next worst pair after `after` in the order (count falling, index rising); -1: none. */
static int64_t next_confusion(const struct fanin_event *e, int64_t after) {
    int64_t n = e->n_classes, best = -1;
    const int64_t *count = e->confusion;
    for (int64_t i = 0; i < n * n; i++) {
        if (i / n == i % n || count[i] == 0) continue;
        bool later =
            after < 0 || count[i] < count[after] || (count[i] == count[after] && i > after);
        if (later && (best < 0 || count[i] > count[best])) best = i;
    }
    return best;
}

static void write_worst(fanin_report *r, const struct fanin_event *e) {
    char truth[16], guess[16];
    int64_t worst = -1;
    for (int k = 0; k < WORST_SHOWN; k++) {
        worst = next_confusion(e, worst);
        if (worst < 0) return;
        if (k == 0)
            fi_text_add(&r->line, "%smost confused%s\n", colored(r, BOLD), colored(r, PLAIN));
        class_name(truth, e, worst / e->n_classes);
        class_name(guess, e, worst % e->n_classes);
        fi_text_add(&r->line, "%8lld times %s taken for %s\n", (long long)e->confusion[worst],
                    truth, guess);
    }
}

static void write_eval(fanin_report *r, const struct fanin_event *e) {
    struct fanin_event first = *e;
    if (e->n_main > 0) first.n_figures = e->n_main;
    write_plain(r, &first, "");
    if (r->options.brief || r->options.quiet) return;
    add_wrapped_figures(r, e->figures + first.n_figures, e->n_figures - first.n_figures);
    if (!e->confusion) return;
    if (e->n_classes <= MATRIX_LIMIT)
        write_matrix(r, e);
    else
        write_worst(r, e);
}

/* ---- a watched step -------------------------------------------------------------------------------- */

/* Of one that ends the run the error itself is told elsewhere. */
static void write_trouble(fanin_report *r, const struct fanin_event *e) {
    const char *kind = fi_event_text(e, "kind");
    if (kind && !strcmp(kind, "not_finite")) return;
    fi_text_add(&r->line, "%strouble:%s ", colored(r, YELLOW), colored(r, PLAIN));
    add_clean(&r->line, fi_event_text(e, "message"));
    fi_text_add(&r->line, "\n");
}

static void add_units(struct fi_text *line, const struct fanin_event *e, const char *what) {
    const double count = fi_event_figure(e, what);
    if (count > 0) fi_text_add(line, "  %.0f %s", count, what);
}

/* "  data loss 97 % update 88 %" */
static void write_source(struct fi_text *line, const struct fanin_event *e) {
    const double loss = fi_event_figure(e, "loss_share");
    fi_text_add(line, "  from %-20s", fi_event_text(e, "name"));
    if (isnan(loss))
        fi_text_add(line, " loss       -");
    else
        fi_text_add(line, " loss %5.1f %%", 100 * loss);
    fi_text_add(line, "  update %5.1f %%\n", 100 * fi_event_figure(e, "update_share"));
}

static void write_layer(struct fi_text *line, const struct fanin_event *e) {
    static const char *const units[] = {"dead", "saturated", "tied"};
    fi_text_add(line, "  %-18.18s", fi_event_text(e, "name"));
    add_cell(line, e, "mean", 10, 3);
    add_cell(line, e, "rms", 10, 3);
    add_cell(line, e, "cosine", 10, 3);
    add_cell(line, e, "grad", 10, 3);
    for (int i = 0; i < FI_COUNT(units); i++) add_units(line, e, units[i]);
    const double gap = fi_event_figure(e, "running_mean_gap");
    if (!isnan(gap))
        fi_text_add(line, "  running: mean off by %.2g, var x%.2g", gap,
                    1 / fi_event_figure(e, "running_var_ratio"));
    fi_text_add(line, "\n");
}

/* The step, then what its loss and update come from, then a table of layers and one of tensors. */
static void write_watch(fanin_report *r, const struct fanin_event *e) {
    struct fi_text *line = &r->line;
    if (e->type == FANIN_EVENT_WATCH) {
        fi_text_add(line, "%swatch%s step %lld  ", colored(r, BOLD), colored(r, PLAIN),
                    (long long)e->step);
        add_figures(line, e->figures, e->n_figures);
        fi_text_add(line, "\n");
    } else if (e->type == FANIN_EVENT_WATCH_SOURCE) {
        write_source(line, e);
    } else if (e->type == FANIN_EVENT_WATCH_LAYER) {
        if (r->watch_table != e->type)
            fi_text_add(line, "  %-18s %10s %10s %10s %10s\n", "layer", "mean", "rms", "cosine",
                        "gradient");
        write_layer(line, e);
    } else {
        if (r->watch_table != e->type)
            fi_text_add(line, "  %-18s %10s %10s %10s\n", "parameter", "rms", "gradient", "update");
        fi_text_add(line, "  %-18.18s", fi_event_text(e, "name"));
        add_cell(line, e, "rms", 10, 3);
        add_cell(line, e, "grad", 10, 3);
        add_cell(line, e, "update", 10, 3);
        fi_text_add(line, "\n");
    }
    r->watch_table = e->type;
}

/* ---- the record -------------------------------------------------------------------------------------- */

static void write_event(fanin_report *r, const struct fanin_event *e) {
    if (e->type == FANIN_EVENT_STEP) {
        write_step(r, e);
        return;
    }
    make_way(r);
    switch (e->type) {
    case FANIN_EVENT_START:
        write_start(r, e);
        break;
    case FANIN_EVENT_PARAM:
        write_param(r, e);
        break;
    case FANIN_EVENT_EPOCH:
        write_epoch(r, e);
        break;
    case FANIN_EVENT_CHECKPOINT:
        break; /* every few epochs: the end says where it is */
    case FANIN_EVENT_WARNING:
        fi_text_add(&r->line, "%swarning:%s ", colored(r, YELLOW), colored(r, PLAIN));
        write_plain(r, e, "");
        break;
    case FANIN_EVENT_END:
        write_plain(r, e, "end: ");
        break;
    case FANIN_EVENT_EVAL:
        write_eval(r, e);
        break;
    case FANIN_EVENT_TROUBLE:
        write_trouble(r, e);
        break;
    case FANIN_EVENT_WATCH:
    case FANIN_EVENT_WATCH_SOURCE:
    case FANIN_EVENT_WATCH_LAYER:
    case FANIN_EVENT_WATCH_PARAM:
        write_watch(r, e);
        break;
    case FANIN_EVENT_PROFILE:
    case FANIN_EVENT_PROFILE_NODE:
    case FANIN_EVENT_PROFILE_PART:
        fi_report_profile(&r->line, e);
        break;
    case FANIN_EVENT_STEP:
    case FANIN_EVENT_LOOK:
        break;
    }
}

static void add_list(struct fi_text *line, const struct fanin_note_list *list) {
    char number[FI_NUMBER_SIZE];
    fi_text_add(line, "  %s", list->name);
    for (int64_t i = 0; i < list->n; i++) {
        fi_text_add(line, " ");
        if (list->values) fi_number_short(number, list->values[i], 4);
        add_clean(line, list->values ? number : list->texts[i]);
    }
}

static void write_note(fanin_report *r, const struct fanin_note *note) {
    make_way(r);
    fi_text_add(&r->line, "%s%s%s", colored(r, BOLD), note->what, colored(r, PLAIN));
    for (int i = 0; i < note->n_texts; i++) {
        fi_text_add(&r->line, "  %s ", note->texts[i].name);
        add_clean(&r->line, note->texts[i].value);
    }
    if (note->n_figures > 0) fi_text_add(&r->line, "  ");
    add_figures(&r->line, note->figures, note->n_figures);
    for (int i = 0; i < note->n_lists; i++) add_list(&r->line, &note->lists[i]);
    fi_text_add(&r->line, "\n");
}

FI_RECORD(report, text) = {
    .head = {.name = "text",
             .formula = "lines for people",
             .reference = "definition",
             .help = "Plain lines, with a progress bar on a terminal."},
    .event = write_event,
    .note = write_note,
};
