/* SPDX-License-Identifier: Apache-2.0 */
/* A watched step as events: the step, a source each, a layer each, a parameter each. */
#include <math.h>
#include <stdio.h>

#include "train/watch.h"

typedef void send_fn(void *payload, struct fi_event *e);

static void tell_step(const fanin_trainer *t, send_fn *send, void *payload) {
    const struct fi_watch *w = t->watch;
    struct fi_event e;
    fi_event_init(&e, FANIN_EVENT_WATCH);
    fi_event_add_figure(&e, "samples", (double)w->measure.seen);
    fi_event_add_figure(&e, "loss", w->loss);
    if (!isnan(w->entropy)) fi_event_add_figure(&e, "entropy", w->entropy);
    fi_event_add_figure(&e, "grad_norm", w->grad_norm);
    fi_event_add_figure(&e, "lr", w->lr);
    send(payload, &e);
}

static void tell_sources(const struct fi_watch *w, send_fn *send, void *payload) {
    double loss = 0, update = 0;
    for (int k = 0; k < w->n_sources; k++) {
        loss += fabs(w->sources[k].loss);
        update += w->sources[k].update;
    }
    for (int k = 0; k < w->n_sources; k++) {
        const struct fi_source *s = &w->sources[k];
        struct fi_event e;
        fi_event_init(&e, FANIN_EVENT_WATCH_SOURCE);
        fi_event_add_text(&e, "name", s->name);
        if (k != w->decay && k != w->constraint) {
            fi_event_add_figure(&e, "loss", s->loss);
            fi_event_add_figure(&e, "loss_share", loss > 0 ? s->loss / loss : 0);
        }
        fi_event_add_figure(&e, "update", s->update);
        fi_event_add_figure(&e, "update_share", update > 0 ? s->update / update : 0);
        send(payload, &e);
    }
}

/* root of a second moment; NaN where there is none */
static void add_root(struct fi_event *e, const char *name, double square) {
    if (!isnan(square)) fi_event_add_figure(e, name, sqrt(square));
}

static void tell_layer(const struct fi_watch *w, int node, send_fn *send, void *payload) {
    const struct fi_node *n = &w->measure.net->nodes[node];
    struct fanin_check_figures f;
    struct fanin_check_few near;
    struct fi_measured_units units;
    struct fi_measured_gap gap;
    struct fi_event e;
    fi_measure_figures(&w->measure, node, &f);
    fi_measure_units(&w->measure, node, &units);
    fi_measure_almost_tied(&w->measure, node, w->tied_units ? w->tied_units[node] : NULL, &near);
    fi_event_init(&e, FANIN_EVENT_WATCH_LAYER);
    fi_event_add_text(&e, "name", n->name);
    fi_event_add_text(&e, "op", n->op ? n->op->head.name : "input");
    fi_event_add_figure(&e, "units", (double)n->shape.cols);
    fi_event_add_figure(&e, "mean", f.mean);
    fi_event_add_figure(&e, "rms", sqrt(f.second));
    if (!isnan(f.cosine)) fi_event_add_figure(&e, "cosine", f.cosine);
    add_root(&e, "grad", f.grad);
    fi_event_add_figure(&e, "tied", (double)w->tied[node].count);
    fi_event_add_figure(&e, "almost_tied", (double)near.count);
    fi_event_add_figure(&e, "dead", (double)units.dead.count);
    fi_event_add_figure(&e, "saturated", (double)units.saturated.count);
    fi_event_add_figure(&e, "constant", (double)units.constant.count);
    if (fi_measure_gap(&w->measure, node, &gap)) {
        fi_event_add_figure(&e, "running_mean_gap", gap.mean);
        fi_event_add_figure(&e, "running_var_ratio", gap.var);
    }
    send(payload, &e);
}

static void tell_param(const fanin_trainer *t, int index, send_fn *send, void *payload) {
    const struct fi_watch *w = t->watch;
    const struct fi_watched_param *p = &w->params[index];
    char names[FI_MAX_SOURCES][64];
    double total = 0;
    struct fi_event e;
    fi_event_init(&e, FANIN_EVENT_WATCH_PARAM);
    fi_event_add_text(&e, "name", t->model->net->params[index].name);
    fi_event_add_figure(&e, "rms", p->rms);
    fi_event_add_figure(&e, "grad", p->grad);
    if (p->rms > 0) fi_event_add_figure(&e, "update", p->update / p->rms);
    for (int k = 0; k < w->n_sources; k++) total += p->size[k];
    for (int k = 0; k < w->n_sources && total > 0; k++) {
        if (p->size[k] == 0) continue;
        (void)snprintf(names[k], sizeof names[k], "share_%s", w->sources[k].name);
        fi_event_add_figure(&e, names[k], p->size[k] / total);
    }
    send(payload, &e);
}

bool fi_watch_done(const fanin_trainer *t) {
    return t->watch_every > 0 && t->watch->step == t->t && t->t > 0 && t->t % t->watch_every == 0;
}

void fi_watch_tell(const fanin_trainer *t, send_fn *send, void *payload) {
    tell_step(t, send, payload);
    tell_sources(t->watch, send, payload);
    for (int i = 0; i < t->model->net->n_nodes; i++) tell_layer(t->watch, i, send, payload);
    for (int i = 0; i < t->model->net->n_params; i++)
        if (t->policies.params[i].updates) tell_param(t, i, send, payload);
}
