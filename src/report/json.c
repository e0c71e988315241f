/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON lines: one object for each event, one event for each line.
 *
 *   {"event":"epoch","epoch":2,"epochs":20,"step":18,"steps":180,"loss":0.41,"seconds":0.012}
 *
 * Figures and texts stand beside the event's own keys under their own names. Numbers read back as
 * the same double. JSON knows no NaN: such a figure is null, and "not_finite" says which it was
 * ({"loss":"nan"}). Texts are made valid UTF-8: a byte that is not becomes U+FFFD. (RFC 8259,
 * jsonlines.org)
 */
#include "report/report.h"

#include <math.h>
#include <string.h>

static void add_key(struct fi_text *line, const char *key) {
    fi_text_add(line, ",");
    fi_quote(line, key);
    fi_text_add(line, ":");
}

/* Keys of the object itself: a figure or text of that name says the same again. */
static bool is_reserved(const char *name) {
    static const char *const reserved[] = {"event", "epoch",      "epochs",    "step",
                                           "steps", "not_finite", "confusion", "classes"};
    for (int i = 0; i < FI_COUNT(reserved); i++)
        if (!strcmp(name, reserved[i])) return true;
    return false;
}

static void add_figures(struct fi_text *line, const struct fanin_figure *figures, int n) {
    char number[FI_NUMBER_SIZE];
    int strange = 0;
    for (int i = 0; i < n; i++) {
        if (is_reserved(figures[i].name)) continue;
        bool finite = isfinite(figures[i].value);
        if (!finite) strange++;
        fi_number_exact(number, figures[i].value);
        add_key(line, figures[i].name);
        fi_text_add(line, "%s", finite ? number : "null");
    }
    if (strange == 0) return;
    const char *comma = "";
    fi_text_add(line, ",\"not_finite\":{");
    for (int i = 0; i < n; i++) {
        if (isfinite(figures[i].value) || is_reserved(figures[i].name)) continue;
        fi_number_exact(number, figures[i].value);
        fi_text_add(line, "%s", comma);
        fi_quote(line, figures[i].name);
        fi_text_add(line, ":\"%s\"", number);
        comma = ",";
    }
    fi_text_add(line, "}");
}

static void add_texts(struct fi_text *line, const struct fanin_text *texts, int n) {
    for (int i = 0; i < n; i++) {
        if (is_reserved(texts[i].name)) continue;
        add_key(line, texts[i].name);
        fi_quote(line, texts[i].value);
    }
}

static void add_confusion(struct fi_text *line, const struct fanin_event *e) {
    fi_text_add(line, ",\"confusion\":[");
    for (int64_t i = 0; i < e->n_classes; i++) {
        fi_text_add(line, i ? ",[" : "[");
        for (int64_t j = 0; j < e->n_classes; j++)
            fi_text_add(line, j ? ",%lld" : "%lld", (long long)e->confusion[i * e->n_classes + j]);
        fi_text_add(line, "]");
    }
    fi_text_add(line, "]");
    if (!e->class_names) return;
    fi_text_add(line, ",\"classes\":[");
    for (int64_t i = 0; i < e->n_classes; i++) {
        if (i) fi_text_add(line, ",");
        fi_quote(line, e->class_names[i]);
    }
    fi_text_add(line, "]");
}

static void write_event(fanin_report *report, const struct fanin_event *e) {
    struct fi_text *line = &report->line;
    fi_text_add(line, "{\"event\":\"%s\"", fi_event_name(e->type));
    if (e->epochs > 0)
        fi_text_add(line, ",\"epoch\":%lld,\"epochs\":%lld", (long long)e->epoch,
                    (long long)e->epochs);
    if (e->steps > 0)
        fi_text_add(line, ",\"step\":%lld,\"steps\":%lld", (long long)e->step, (long long)e->steps);
    add_texts(line, e->texts, e->n_texts);
    add_figures(line, e->figures, e->n_figures);
    if (e->confusion && !report->options.brief) add_confusion(line, e);
    fi_text_add(line, "}\n");
}

static void add_list(struct fi_text *line, const struct fanin_note_list *list) {
    char number[FI_NUMBER_SIZE];
    add_key(line, list->name);
    fi_text_add(line, "[");
    for (int64_t i = 0; i < list->n; i++) {
        if (i) fi_text_add(line, ",");
        if (!list->values) {
            fi_quote(line, list->texts[i]);
            continue;
        }
        fi_number_exact(number, list->values[i]);
        fi_text_add(line, "%s", isfinite(list->values[i]) ? number : "null");
    }
    fi_text_add(line, "]");
}

static void write_note(fanin_report *report, const struct fanin_note *note) {
    struct fi_text *line = &report->line;
    fi_text_add(line, "{\"event\":");
    fi_quote(line, note->what);
    add_texts(line, note->texts, note->n_texts);
    add_figures(line, note->figures, note->n_figures);
    for (int i = 0; i < note->n_lists; i++) add_list(line, &note->lists[i]);
    fi_text_add(line, "}\n");
}

FI_RECORD(report, json) = {
    .head = {.name = "json",
             .formula = "one JSON object a line",
             .reference = "RFC 8259",
             .help = "Every event as one line of JSON; numbers read back exactly."},
    .event = write_event,
    .note = write_note,
};
