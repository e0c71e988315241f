/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a run goes bad: which layer did it first, and why.
 *
 * Three things are noticed, with or without train.watch. A loss that is not finite ends the run;
 * its step is run forward once more on a plan that keeps every output, and the first of data,
 * weights, outputs that is not finite is named. A loss whose mean over about sixteen updates is ten
 * times its best, and not small beside the first, and a gradient that is 0 for all units of a
 * layer, are looked into by watching the next update; the weights that move most, or the layer
 * whose units are all dead, are named. Noticing costs a comparison an update, and every sixteenth a
 * look at each gradient up to its first number that is not 0.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "train/watch.h"

#define LOOK 16        /* updates between two looks at the gradients */
#define WINDOW 16      /* updates a mean of losses is about */
#define TIMES 10       /* the best such mean, and it is bad */
#define SMALL 0.01     /* of the first loss: below nothing is bad */
#define ALERT 32       /* updates that are watched from then on */
#define ENOUGH 128     /* samples without a gradient before a layer is looked at */
#define REST (1 << 20) /* samples until it is looked at again */
#define LARGE 0.1      /* an update beside the weights */
#define FAR_INPUTS 1e3 /* rms of an input that is not scaled */

enum fanin_status fi_health_create(fanin_trainer *t) {
    const fanin_net *net = t->model->net;
    struct fi_health *h = &t->health;
    h->quiet = fi_arena_alloc(&t->arena, net->n_nodes, sizeof *h->quiet);
    h->still = fi_arena_alloc(&t->arena, net->n_nodes, 1);
    h->told = fi_arena_alloc(&t->arena, net->n_nodes, 1);
    h->start = fi_arena_alloc(&t->arena, net->n_params, sizeof *h->start);
    if (!h->quiet || !h->still || !h->told || !h->start) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_params; i++)
        h->start[i] = fi_measure_rms(t->ctx, &net->params[i], t->model->params);
    return FANIN_OK;
}

bool fi_watch_due(fanin_trainer *t) {
    const bool asked = t->watch_every > 0 && (t->t + 1) % t->watch_every == 0;
    if (t->looks) return false;
    /* without memory for it there is no explanation, and the run goes on */
    if (t->health.alert > 0 && fi_watch_create(t) != FANIN_OK) t->health.alert = 0;
    return asked || t->health.alert > 0;
}

/* ---- noticing -------------------------------------------------------------------------------------- */

uint8_t *fi_health_begin(fanin_trainer *t) {
    if (t->looks || t->t % LOOK != LOOK - 1) return NULL;
    memset(t->health.still, 1, (size_t)t->model->net->n_nodes);
    return t->health.still;
}

static void notice_loss(struct fi_health *h, double loss, int64_t step) {
    if (step == 1) h->first = h->mean = h->best = loss;
    h->mean += (loss - h->mean) / (double)FI_MIN(step, WINDOW);
    if (h->mean < h->best || step == 1) {
        h->best = h->mean;
        h->best_step = step;
    }
    const double bound = FI_MAX(h->best, SMALL * h->first);
    if (h->bad && h->mean < 2 * bound) h->bad = 0;
    if (h->bad || !(h->mean > TIMES * bound) || !(bound > 0)) return;
    h->bad = h->asked_loss = 1;
    h->alert = ALERT;
    h->loss = loss;
    h->loss_step = step;
}

static void notice_still(fanin_trainer *t, int64_t rows) {
    struct fi_health *h = &t->health;
    const struct fi_exec *e = t->exec;
    for (int i = 0; i < e->n_groups; i++) {
        const int tail = e->groups[i].tail;
        if (!e->groups[i].gradient) continue;
        h->quiet[tail] = h->still[tail] || h->quiet[tail] < 0 ? h->quiet[tail] + rows * LOOK : 0;
        if (!h->still[tail] || h->quiet[tail] < FI_MIN(ENOUGH, LOOK * rows)) continue;
        h->quiet[tail] = -REST;
        h->asked_dead = 1;
        h->alert = FI_MAX(h->alert, 1);
    }
}

/* ---- explaining ------------------------------------------------------------------------------------ */

static void report(fanin_trainer *t, const char *kind, int node, const char *message) {
    struct fi_trouble *to = &t->health.troubles[t->health.n_troubles];
    if (t->health.n_troubles == FI_COUNT(t->health.troubles)) return;
    *to =
        (struct fi_trouble){.kind = kind, .layer = node < 0 ? "" : t->model->net->nodes[node].name};
    (void)snprintf(to->message, sizeof to->message, "%s", message);
    t->health.n_troubles++;
}

static double lr_of(const fanin_trainer *t, int param) {
    return t->update.step.lr * t->policies.params[param].lr;
}

/* "dense1.weight has rms 40 (0.05 at the start), the update before was 3 times the weights" */
static void weights_text(const fanin_trainer *t, int param, double ratio, char *out, size_t size) {
    const struct fi_param *p = &t->model->net->params[param];
    const int n = snprintf(out, size, "%s has rms %.3g (%.3g at the start)", p->name,
                           fi_measure_rms(t->ctx, p, t->model->params), t->health.start[param]);
    if (!isnan(ratio) && n > 0 && (size_t)n < size)
        (void)snprintf(out + n, size - (size_t)n, ", the update before was %.3g times the weights",
                       ratio);
}

static void explain_loss(fanin_trainer *t) {
    const struct fi_watch *w = t->watch;
    const struct fi_health *h = &t->health;
    char message[512], weights[256];
    int most = -1;
    for (int i = 0; i < t->model->net->n_params; i++)
        if (t->model->net->params[i].spec.weight && t->policies.params[i].updates &&
            (most < 0 || w->ratios[i] > w->ratios[most]))
            most = i;
    if (most < 0) return;
    weights_text(t, most, w->ratios[most], weights, sizeof weights);
    (void)snprintf(
        message, sizeof message,
        "step %lld: the loss is %.4g, its mean more than %d times the best (%.4g at step "
        "%lld): %s: %s",
        (long long)h->loss_step, h->loss, TIMES, h->best, (long long)h->best_step, weights,
        w->ratios[most] > LARGE ? "the learning rate is too large"
                                : "no update is large: look at the data of this step");
    if (w->ratios[most] > LARGE) {
        const size_t at = strlen(message);
        (void)snprintf(message + at - strlen("the learning rate is too large"),
                       sizeof message - at + strlen("the learning rate is too large"),
                       "lr %.4g is too large", lr_of(t, most));
    }
    report(t, "loss", t->model->net->params[most].node, message);
}

/* The nearest layer with weights at or before a node; -1: none. */
static int weights_before(const fanin_net *net, int node) {
    for (; node >= 0; node = net->nodes[node].n_in > 0 ? net->nodes[node].inputs[0] : -1)
        for (int k = 0; k < net->nodes[node].n_params; k++)
            if (net->params[net->nodes[node].first_param + k].spec.weight)
                return net->nodes[node].first_param + k;
    return -1;
}

static void explain_dead(fanin_trainer *t) {
    const struct fi_watch *w = t->watch;
    const fanin_net *net = t->model->net;
    for (int i = 0; i < net->n_nodes; i++) {
        char message[512], weights[256] = "";
        struct fi_measured_units units;
        struct fanin_check_figures into;
        fi_measure_units(&w->measure, i, &units);
        if (units.dead.count < net->nodes[i].shape.cols || t->health.told[i]) continue;
        t->health.told[i] = 1;
        const int param = weights_before(net, i);
        fi_measure_figures(&w->measure, net->nodes[i].inputs[0], &into);
        if (param >= 0) weights_text(t, param, NAN, weights, sizeof weights);
        (void)snprintf(
            message, sizeof message,
            "step %lld: %s is dead: all of its %lld units are off for all %lld samples, "
            "so nothing at or before it learns: what it gets has mean %.3g and rms %.3g; "
            "%s: a step was too large; lower the learning rate (now %.4g)",
            (long long)t->t, net->nodes[i].name, (long long)net->nodes[i].shape.cols,
            (long long)w->measure.seen, into.mean, sqrt(into.second), weights, t->update.step.lr);
        report(t, "dead", i, message);
        return; /* those behind it follow from the first */
    }
}

void fi_health_end(fanin_trainer *t, bool watched, int64_t rows, double data) {
    struct fi_health *h = &t->health;
    if (t->looks) return;
    if (watched && h->alert > 0) {
        if (h->asked_loss) explain_loss(t);
        if (h->asked_dead) explain_dead(t);
        h->asked_loss = h->asked_dead = 0;
        h->alert--;
    }
    notice_loss(h, data, t->t);
    if ((t->t - 1) % LOOK == LOOK - 1) notice_still(t, rows);
}

void fi_trouble_tell(fanin_trainer *t, void (*send)(void *payload, struct fi_event *e),
                     void *payload) {
    for (int i = 0; i < t->health.n_troubles; i++) {
        struct fi_event e;
        fi_event_init(&e, FANIN_EVENT_TROUBLE);
        fi_event_add_text(&e, "kind", t->health.troubles[i].kind);
        fi_event_add_text(&e, "layer", t->health.troubles[i].layer);
        fi_event_add_text(&e, "message", t->health.troubles[i].message);
        send(payload, &e);
    }
    t->health.n_troubles = 0;
}

/* ---- not finite ------------------------------------------------------------------------------------ */

static enum fanin_status diverged(fanin_trainer *t, int node, const char *message) {
    report(t, "not_finite", node, message);
    return fi_fail(t->ctx, FANIN_ERR_DIVERGED, "%s", message);
}

/* A bad gradient comes from the loss and spoils all weights before the layer where it begins. */
enum fanin_status fi_trouble_params(fanin_trainer *t) {
    const fanin_net *net = t->model->net;
    char message[512];
    for (int i = net->n_params - 1; i >= 0; i--) {
        const struct fi_param *p = &net->params[i];
        const bool known = t->watch && t->watch->last == t->t;
        char before[96] = "";
        if (t->ctx->kernels->all_finite(t->model->params + p->offset, p->size)) continue;
        if (known && isfinite(t->watch->ratios[i]))
            (void)snprintf(before, sizeof before, "; that update was %.3g times the weights",
                           t->watch->ratios[i]);
        (void)snprintf(message, sizeof message,
                       "step %lld: its update left %s not finite, the nearest to the loss of those "
                       "that are (rms %.3g at the start)%s: lr %.4g is too large",
                       (long long)t->t, p->name, t->health.start[i], before, lr_of(t, i));
        return diverged(t, p->node, message);
    }
    return FANIN_OK;
}

/* The first row of an output that is not finite, -1: none. */
static int64_t bad_row(const struct fi_exec *e, int node) {
    const struct fanin_tensor *y = &e->y[node];
    for (int64_t r = 0; r < e->rows_now; r++)
        if (!e->model->ctx->kernels->all_finite(y->data + r * y->ld, y->cols)) return r;
    return -1;
}

static enum fanin_status bad_input(fanin_trainer *t, int node, int64_t row, int64_t first) {
    const struct fanin_tensor *y = &t->watch->exec->y[node];
    char message[512];
    int64_t c = 0;
    while (c + 1 < y->cols && isfinite((double)y->data[row * y->ld + c])) c++;
    (void)snprintf(message, sizeof message,
                   "step %lld: the data: sample %lld of the batch has %s as number %lld of %s",
                   (long long)t->t + 1, (long long)(first + row + 1),
                   isnan((double)y->data[row * y->ld + c]) ? "nan" : "inf", (long long)c + 1,
                   t->model->net->nodes[node].name);
    return diverged(t, node, message);
}

static double rms_of(const struct fi_exec *e, int node) {
    const struct fanin_tensor *y = &e->y[node];
    double sum = 0;
    for (int64_t r = 0; r < e->rows_now; r++)
        sum += e->model->ctx->kernels->sum_squares(y->data + r * y->ld, y->cols);
    return sqrt(sum / ((double)e->rows_now * (double)y->cols));
}

static enum fanin_status bad_output(fanin_trainer *t, int node) {
    const struct fi_node *n = &t->model->net->nodes[node];
    const struct fi_watch *w = t->watch;
    const int param = weights_before(t->model->net, node);
    const double ratio = param >= 0 && w->last == t->t ? w->ratios[param] : NAN;
    const double into = rms_of(w->exec, n->inputs[0]);
    char message[512], weights[256] = "it has no weights", why[128];
    double grown = 1;
    if (param >= 0) {
        const struct fi_param *p = &t->model->net->params[param];
        weights_text(t, param, ratio, weights, sizeof weights);
        grown = fi_measure_rms(t->ctx, p, t->model->params) / t->health.start[param];
    }
    if (param >= 0 && (ratio > LARGE || grown > TIMES))
        (void)snprintf(why, sizeof why, "lr %.4g is too large", lr_of(t, param));
    else if (into > FAR_INPUTS)
        (void)snprintf(why, sizeof why, "look at the data's scale");
    else
        (void)snprintf(why, sizeof why, "lower the learning rate, or look at the data's scale");
    (void)snprintf(message, sizeof message,
                   "step %lld: %s's output is the first that is not finite: its input was finite "
                   "(rms %.3g), %s: %s",
                   (long long)t->t + 1, n->name, into, weights, why);
    return diverged(t, node, message);
}

/* Of a shard that ran on the plan that keeps everything. */
static enum fanin_status look(fanin_trainer *t, int64_t first) {
    const fanin_net *net = t->model->net;
    for (int i = 0; i < net->n_nodes; i++)
        if (!net->nodes[i].op && bad_row(t->watch->exec, i) >= 0)
            return bad_input(t, i, bad_row(t->watch->exec, i), first);
    FI_TRY(fi_trouble_params(t));
    for (int i = 0; i < net->n_nodes; i++)
        if (bad_row(t->watch->exec, i) >= 0) return bad_output(t, i);
    return FANIN_OK;
}

enum fanin_status fi_trouble_not_finite(fanin_trainer *t, const struct fi_batch *batch) {
    enum fanin_status status = FANIN_OK;
    char message[256];
    if (fi_watch_create(t) != FANIN_OK) return FANIN_ERR_DIVERGED; /* the message stays */
    struct fi_watch *w = t->watch;
    struct fi_exec *trained = t->exec;
    const size_t bytes = (size_t)t->model->net->param_size * sizeof(fi_real);
    memcpy(w->before, t->model->params, bytes); /* a forward pass moves statistics */
    t->exec = w->exec;
    for (int64_t first = 0; first < batch->rows && status == FANIN_OK; first += t->shard_rows) {
        const int64_t rows = FI_MIN(t->shard_rows, batch->rows - first);
        if (rows == 1 && w->exec->needs_two_rows) break;
        fi_samples_load(t, batch, first, rows);
        fi_exec_forward(w->exec, rows, first, (uint64_t)t->t);
        status = look(t, first);
    }
    memcpy(t->model->params, w->before, bytes);
    t->exec = trained;
    if (status != FANIN_OK) return status;
    (void)snprintf(message, sizeof message,
                   "step %lld: the loss is not finite although every output is (the result's rms "
                   "is %.3g): lr %.4g is too large, or the targets are far away",
                   (long long)t->t + 1, rms_of(w->exec, fi_net_result(t->model->net)),
                   t->update.step.lr);
    return diverged(t, fi_net_result(t->model->net), message);
}
