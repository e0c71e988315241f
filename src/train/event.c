/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting events together: figures and texts are collected on the stack and handed over at once.
 */
#include "train/train.h"

void fi_event_init(struct fi_event *e, enum fanin_event_type type) {
    e->event = (struct fanin_event){.type = type, .figures = e->figures, .texts = e->texts};
}

void fi_event_add_figure(struct fi_event *e, const char *name, double value) {
    if (e->event.n_figures < FI_COUNT(e->figures))
        e->figures[e->event.n_figures++] = (struct fanin_figure){name, value};
}

void fi_event_add_text(struct fi_event *e, const char *name, const char *value) {
    if (value && e->event.n_texts < FI_COUNT(e->texts))
        e->texts[e->event.n_texts++] = (struct fanin_text){name, value};
}

void fi_event_send(struct fi_event *e, fanin_event_fn fn, void *payload) {
    if (fn) fn(payload, &e->event);
}
