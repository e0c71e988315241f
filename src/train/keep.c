/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a run's events is kept with the model (model/history.h): the figures of each epoch and of
 * each watched update. What differs from run to run, as time does, is not among them, so the model
 * file stays the same bytes.
 */
#include "model/history.h"
#include "train/watch.h"

enum fanin_status fi_keep_begin(const fanin_trainer *t, int64_t epochs, int64_t steps) {
    const fanin_net *net = t->model->net;
    struct fi_history_plan plan = {.epochs = epochs,
                                   .updates =
                                       t->watch_every > 0 ? epochs * steps / t->watch_every : 0,
                                   .sources = FI_MAX_SOURCES - FI_MAX_REGS + t->terms.n,
                                   .layers = net->n_nodes};
    for (int i = 0; i < net->n_params; i++) plan.params += t->policies.params[i].updates;
    return fi_history_begin(t->model, &plan);
}

void fi_keep_epoch(const fanin_trainer *t, const struct fi_event *e) {
    struct fi_history *h = t->model->history;
    fi_history_moment(h, FI_EPOCHS, e->event.epoch);
    for (int i = 0; i < e->event.n_figures; i++)
        fi_history_put(h, FI_EPOCHS, "epoch", NULL, &e->figures[i]);
}

void fi_keep_watched(const fanin_trainer *t, const struct fi_event *e) {
    static const char *const names[] = {[FANIN_EVENT_WATCH] = "watch",
                                        [FANIN_EVENT_WATCH_SOURCE] = "watch_source",
                                        [FANIN_EVENT_WATCH_LAYER] = "watch_layer",
                                        [FANIN_EVENT_WATCH_PARAM] = "watch_param"};
    struct fi_history *h = t->model->history;
    const enum fanin_event_type type = e->event.type;
    const char *name = e->event.n_texts > 0 ? e->texts[0].value : NULL;
    if (type == FANIN_EVENT_WATCH) fi_history_moment(h, FI_UPDATES, t->t);
    if (!h->detailed && (type == FANIN_EVENT_WATCH_LAYER || type == FANIN_EVENT_WATCH_PARAM))
        return;
    for (int i = 0; i < e->event.n_figures; i++)
        fi_history_put(h, FI_UPDATES, names[type], name, &e->figures[i]);
}
