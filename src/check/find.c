/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings: every record of the kind looks at the figures and says what it found; the verdict is
 * the gravest of it. And what several of them ask of a net.
 *
 * Two figures say how a run will go: the progress that the first update promises and the step it
 * makes of the loss (trial.c). The bounds below are where, among recipes drawn at random and
 * trained on the digits, the one outcome turned into the other.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check/check.h"

#define NO_PROGRESS 0.3
#define LITTLE_PROGRESS 4
#define THROWN 1.5 /* loss after the first update over that before */
#define RISEN 1.05

/* A model that knows more than the best constant is not at its start: its loss need not fall. */
static bool trained(const struct fanin_check_result *r) {
    return r->loss_first < 0.5 * r->loss_known;
}

enum fanin_verdict fi_check_slow(const struct fi_look *look) {
    const struct fanin_check_result *r = &look->check->result;
    if (trained(r) || fi_check_thrown(look) != FANIN_TRAINABLE) return FANIN_TRAINABLE;
    return !(r->progress >= NO_PROGRESS)   ? FANIN_WILL_NOT_TRAIN
           : r->progress < LITTLE_PROGRESS ? FANIN_AT_RISK
                                           : FANIN_TRAINABLE;
}

enum fanin_verdict fi_check_thrown(const struct fi_look *look) {
    const double step = look->check->result.first_step;
    if (trained(&look->check->result)) return FANIN_TRAINABLE;
    return !(step < THROWN) ? FANIN_WILL_NOT_TRAIN : step > RISEN ? FANIN_AT_RISK : FANIN_TRAINABLE;
}

void fi_check_init_path(const struct fi_look *look, int node, char *path, size_t size) {
    const struct fi_param *p = fi_weight_of(look->net, node);
    if (p && p->spec.init.record)
        (void)snprintf(path, size, "net.%s.init", look->net->nodes[node].name);
    else
        (void)snprintf(path, size, "init");
}

const char *fi_check_right_init(const struct fi_look *look, int node) {
    const int a = fi_check_activation_after(look, node);
    return a >= 0 && strcmp(look->net->nodes[a].op->curve->family, "relu") == 0 ? "kaiming_normal"
                                                                                : "xavier_normal";
}

void fi_check_all_path(const struct fi_look *look, int node, const char *key, char *path,
                       size_t size) {
    const struct fi_node *n = &look->net->nodes[node];
    const char *op = n->op->head.name;
    const bool counted = strncmp(n->name, op, strlen(op)) == 0;
    (void)snprintf(path, size, "net.%s%s%s", counted ? op : n->name, counted ? "*" : "", key);
}

bool fi_check_starts_by(const struct fi_look *look, int node, const char *rule) {
    const struct fi_param *p = fi_weight_of(look->net, node);
    const size_t n = strcspn(rule, "_") + 1;
    return p && p->init.record && strncmp(p->init.record->name, rule, n) == 0;
}

const struct fi_param *fi_check_bias(const struct fi_look *look, int node, double *second) {
    const struct fi_node *n = &look->net->nodes[node];
    for (int k = n->first_param; k < n->first_param + n->n_params; k++) {
        const struct fi_param *p = &look->net->params[k];
        const struct fanin_param_law *law = &look->check->prediction.params[k];
        if (p->spec.weight || p->spec.scales || !p->spec.trainable) continue;
        *second = law->var + law->mean * law->mean;
        return p;
    }
    return NULL;
}

int fi_check_activation_after(const struct fi_look *look, int node) {
    const fanin_net *net = look->net;
    for (int i = node + 1; i < net->n_nodes; i++)
        for (int k = 0; k < net->nodes[i].n_in; k++) {
            const struct fanin_op *op = net->nodes[i].op;
            if (net->nodes[i].inputs[k] != node) continue;
            if (op->curve) return i;
            if (!(op->flags & (FANIN_OP_NORM | FANIN_OP_TRANSPARENT))) continue;
            const int found = fi_check_activation_after(look, i);
            if (found >= 0) return found;
        }
    return -1;
}

double fi_check_noise_behind(const struct fi_look *look, int node) {
    const fanin_net *net = look->net;
    double noise = 1;
    for (int i = node + 1; i < net->n_nodes; i++)
        for (int k = 0; k < net->nodes[i].n_in; k++) {
            const struct fi_node *n = &net->nodes[i];
            if (n->inputs[k] != node) continue;
            if (!n->op->curve && !(n->op->flags & (FANIN_OP_NORM | FANIN_OP_TRANSPARENT))) continue;
            const double own = n->op->second_moment ? n->op->second_moment(n->attrs) : 1;
            noise = FI_MAX(noise, own * fi_check_noise_behind(look, i));
        }
    return noise;
}

int fi_check_host_before(const struct fi_look *look, int node,
                         int (*stop)(const struct fi_node *)) {
    const fanin_net *net = look->net;
    for (int i = net->nodes[node].n_in > 0 ? net->nodes[node].inputs[0] : -1; i >= 0;
         i = net->nodes[i].n_in > 0 ? net->nodes[i].inputs[0] : -1) {
        const int said = stop(&net->nodes[i]);
        if (said > 0) return i;
        if (said < 0) return -1;
    }
    return -1;
}

enum fanin_status fi_found(const struct fi_look *look, const struct fi_finding *self,
                           const struct fi_found *found, const char *format, ...) {
    struct fanin_check *check = look->check;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    FI_TRY(fi_arena_grow(&check->arena, (void **)&check->findings, &check->cap_findings,
                         check->result.n_findings + 1, sizeof *check->findings));
    struct fanin_check_finding *f = &check->findings[check->result.n_findings];
    *f = (struct fanin_check_finding){.name = self->head.name, .severity = found->severity};
    f->text = fi_arena_strdup(&check->arena, text);
    if (found->layer) f->layer = fi_arena_strdup(&check->arena, found->layer);
    if (found->mend) f->mend = fi_arena_strdup(&check->arena, found->mend);
    if (found->path) f->path = fi_arena_strdup(&check->arena, found->path);
    if (found->value) f->value = fi_arena_strdup(&check->arena, found->value);
    if (!f->text || (found->layer && !f->layer) || (found->mend && !f->mend) ||
        (found->path && !f->path) || (found->value && !f->value))
        return FANIN_ERR_MEMORY;
    check->result.n_findings++;
    check->result.findings = check->findings;
    if (f->severity > check->result.verdict) check->result.verdict = f->severity;
    return FANIN_OK;
}

/* The gravest first; the order in which they were found among equals. */
static void sort_findings(struct fanin_check *check) {
    struct fanin_check_finding *f = check->findings;
    for (int i = 1; i < check->result.n_findings; i++)
        for (int k = i; k > 0 && f[k].severity > f[k - 1].severity; k--) {
            const struct fanin_check_finding swap = f[k];
            f[k] = f[k - 1];
            f[k - 1] = swap;
        }
}

enum fanin_status fi_check_find(const struct fi_look *look) {
    const struct fanin_record *record;
    for (int effects = 0; effects < 2; effects++)
        for (int i = 0; (record = fanin_record_at(look->check->ctx, "finding", i)); i++) {
            const struct fi_finding *finding = (const struct fi_finding *)(const void *)record;
            if (look->check->broken && look->check->broken_start == 0 && !finding->broken) continue;
            if (finding->effect == (effects == 1)) FI_TRY(finding->look(look, finding));
        }
    sort_findings(look->check);
    return FANIN_OK;
}
