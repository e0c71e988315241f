/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling, tensor by tensor, how it starts and what a run does to it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/train.h"

/* "l2 0.01, orthogonal 0.1": penalties and decay with their strengths. */
static void penalties_text(char *out, size_t size, const struct fi_penalties *list) {
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < list->n && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s %g", i ? ", " : "",
                               list->items[i]->reg->head.name,
                               list->items[i]->reg->strength(list->items[i]->attrs));
}

static void constraints_text(char *out, size_t size, const struct fi_constraints *list) {
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < list->n && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "",
                               list->items[i].record->name);
}

void fi_tell_params(const fanin_net *net, const struct fi_policies *policies,
                    void (*send)(void *payload, struct fi_event *e), void *payload) {
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_policy *policy = &policies->params[i];
        char penalties[200], constraints[100];
        struct fanin_param_info p;
        struct fi_event e;
        fanin_net_param(net, i, &p);
        penalties_text(penalties, sizeof penalties, &policy->penalties);
        constraints_text(constraints, sizeof constraints, &policy->constraints);
        fi_event_init(&e, FANIN_EVENT_PARAM);
        fi_event_add_text(&e, "name", p.name);
        fi_event_add_text(&e, "init", p.init);
        fi_event_add_text(&e, "why", p.why);
        fi_event_add_text(&e, "decay", policy->updates && policy->decays ? "yes" : "no");
        if (*penalties) fi_event_add_text(&e, "regularize", penalties);
        if (*constraints) fi_event_add_text(&e, "constrain", constraints);
        if (policy->frozen) fi_event_add_text(&e, "frozen", "yes");
        fi_event_add_figure(&e, "count", (double)p.count);
        fi_event_add_figure(&e, "fan_in", (double)p.fan_in);
        fi_event_add_figure(&e, "fan_out", (double)p.fan_out);
        if (isfinite(p.gain)) fi_event_add_figure(&e, "gain", p.gain);
        if (isfinite(p.std)) fi_event_add_figure(&e, "std", p.std);
        if (policy->lr != 1) fi_event_add_figure(&e, "lr", policy->lr);
        send(payload, &e);
    }
    for (int i = 0; i < net->n_nodes; i++) {
        char name[200], penalties[200];
        struct fi_event e;
        if (policies->outputs[i].n == 0) continue;
        (void)snprintf(name, sizeof name, "%.180s.output", net->nodes[i].name);
        penalties_text(penalties, sizeof penalties, &policies->outputs[i]);
        fi_event_init(&e, FANIN_EVENT_PARAM);
        fi_event_add_text(&e, "name", name);
        fi_event_add_text(&e, "regularize", penalties);
        send(payload, &e);
    }
}

struct receiver {
    fanin_event_fn event;
    void *payload;
};

static void send_to_caller(void *payload, struct fi_event *e) {
    const struct receiver *to = payload;
    fi_event_send(e, to->event, to->payload);
}

enum fanin_status fanin_describe_params(const fanin_model *model,
                                        const struct fanin_train_options *options,
                                        fanin_event_fn event, void *payload) {
    static const struct fanin_train_options defaults = {.size = sizeof(defaults)};
    struct receiver to = {event, payload};
    struct fi_policies policies;
    struct fi_arena arena;
    fi_arena_init(&arena, model->ctx);
    enum fanin_status status =
        fi_policies_create(&policies, &arena, model->net, options ? options : &defaults, NULL);
    if (status == FANIN_OK) fi_tell_params(model->net, &policies, send_to_caller, &to);
    fi_arena_free(&arena);
    return status;
}
