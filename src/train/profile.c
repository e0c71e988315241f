/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a run goes: what the clocks of the plan counted, beside what the work would
 * take at the machine's limits, which are measured before the first step.
 *
 * Reading the clock costs as much as the smallest ops, so the cost of a lap is measured too and
 * taken off again; what was taken off is told as a part of its own. Steps are also summed in blocks
 * of some milliseconds: their median and the fastest tell how far other load was in the way.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "train/profile.h"

#define PEAK_SECONDS 0.06
#define COPY_SECONDS 0.06
#define COPY_BYTES ((size_t)64 << 20) /* at most */
#define LAPS 2000                     /* to time one */
#define BLOCKS 128                    /* kept, an even number */
#define BLOCK_SECONDS 2e-3            /* at least */
#define GIGA 1e-9

struct fi_profile {
    struct fi_clocks clocks;
    struct fi_limits limits;
    double lap_cost;
    int64_t steps, samples;
    double step_began;
    /* blocks of steps, seconds a step: the fastest; every so many-th of all; the one being filled
     */
    double fastest, block[BLOCKS], filling;
    int n_blocks;
    int64_t all_blocks, every, filling_steps;
};

/* ---- measuring ------------------------------------------------------------------------------------- */

static double time_a_lap(void) {
    struct fi_clocks c = {0};
    double best = INFINITY;
    for (int block = 0; block < 5; block++) {
        const double began = c.last = fi_seconds();
        for (int i = 0; i < LAPS; i++) fi_lap_stage(&c, FI_STAGE_RUN);
        best = FI_MIN(best, (c.last - began) / LAPS);
    }
    return best;
}

enum fanin_status fi_profile_create(fanin_trainer *t) {
    struct fi_profile *p = fi_arena_alloc(&t->arena, 1, sizeof *p);
    if (!p) return FANIN_ERR_MEMORY;
    p->clocks.groups = fi_arena_alloc(&t->arena, t->exec->n_groups, sizeof *p->clocks.groups);
    if (!p->clocks.groups) return FANIN_ERR_MEMORY;
    const struct fi_memory memory = fi_memory_of(t);
    const double bytes = memory.params + memory.state + memory.activations;
    p->limits.copied = bytes < (double)COPY_BYTES ? (size_t)bytes : COPY_BYTES;
    FI_TRY(fi_bench_copy(t->ctx, p->limits.copied, COPY_SECONDS, &p->limits.bytes));
    p->limits.flops = fi_bench_peak(t->ctx, PEAK_SECONDS);
    p->lap_cost = time_a_lap();
    p->fastest = INFINITY;
    p->every = 1;
    p->clocks.last = fi_seconds();
    t->profile = p;
    t->exec->clocks = &p->clocks;
    return FANIN_OK;
}

void fi_profile_begin(fanin_trainer *t, bool own) {
    if (own) t->profile->clocks.last = fi_seconds();
    fi_lap_stage(&t->profile->clocks, FI_STAGE_RUN);
    t->profile->step_began = t->profile->clocks.last;
}

/* Of a long run every so many-th block is kept: when there is no more room, every second of them.
 */
static void keep_block(struct fi_profile *p, double seconds) {
    p->fastest = FI_MIN(p->fastest, seconds);
    if (p->all_blocks++ % p->every != 0) return;
    if (p->n_blocks == BLOCKS) {
        for (int i = 0; i < BLOCKS / 2; i++) p->block[i] = p->block[2 * i];
        p->n_blocks = BLOCKS / 2;
        p->every *= 2;
    }
    p->block[p->n_blocks++] = seconds;
}

void fi_profile_end(fanin_trainer *t, int64_t rows) {
    struct fi_profile *p = t->profile;
    fi_lap_stage(&p->clocks, FI_STAGE_AVERAGE);
    p->steps++;
    p->samples += rows;
    p->filling += p->clocks.last - p->step_began;
    p->filling_steps++;
    if (p->filling < BLOCK_SECONDS) return;
    keep_block(p, p->filling / (double)p->filling_steps);
    p->filling = 0;
    p->filling_steps = 0;
}

/* ---- telling --------------------------------------------------------------------------------------- */

/* What all that is told is made from; times are seconds of a step. */
struct telling {
    const fanin_trainer *t;
    const struct fi_profile *p;
    void (*send)(void *payload, struct fi_event *e);
    void *payload;
    double rows, seconds; /* samples of a step; of the whole run */
};

static double corrected(const struct fi_profile *p, const struct fi_timer *c) {
    return FI_MAX(0, c->seconds - (double)c->laps * p->lap_cost);
}

/* The clocks of a step: of every group and pass, then the parts up to FI_STAGE_STEP. */
static double sum_of_step(const struct telling *l,
                          double (*of)(const struct fi_profile *p, const struct fi_timer *c)) {
    double sum = 0;
    for (int g = 0; g < l->t->exec->n_groups; g++)
        for (int pass = 0; pass < FI_PASSES; pass++) sum += of(l->p, &l->p->clocks.groups[g][pass]);
    for (int i = 0; i <= FI_STAGE_STEP; i++) sum += of(l->p, &l->p->clocks.stages[i]);
    return sum;
}

static double as_timed(const struct fi_profile *p, const struct fi_timer *c) {
    (void)p;
    return c->seconds;
}

static bool parted(const struct telling *l, int group) {
    return l->p->clocks.groups[group][FI_PASS_WEIGHTS].laps > 0;
}

static struct fi_work work_of_step(const struct telling *l) {
    struct fi_work sum = {0};
    for (int g = 0; g < l->t->exec->n_groups; g++)
        for (int pass = 0; pass < FI_PASSES; pass++) {
            if (l->p->clocks.groups[g][pass].laps == 0) continue;
            const struct fi_work w = fi_work_of_pass(l->t, &l->t->exec->groups[g],
                                                     (enum fi_pass)pass, parted(l, g), l->rows);
            sum.flops += w.flops;
            sum.bytes += w.bytes;
        }
    for (int i = 0; i <= FI_STAGE_STEP; i++) {
        const struct fi_work w = fi_work_of_stage(l->t, (enum fi_stage)i, l->rows);
        sum.flops += w.flops;
        sum.bytes += w.bytes;
    }
    return sum;
}

/* Time, rates and their place beside the limits. Rates of no work are left out. */
static void add_work(const struct telling *l, struct fi_event *e, double seconds,
                     const struct fi_work *w) {
    const struct fi_limits *limits = &l->p->limits;
    const double budget = fi_budget(limits, w);
    fi_event_add_figure(e, "seconds", seconds);
    fi_event_add_figure(e, "share", seconds * (double)l->p->steps / l->seconds);
    if (seconds <= 0) return;
    if (w->flops > 0) {
        fi_event_add_figure(e, "gflops", GIGA * w->flops / seconds);
        fi_event_add_figure(e, "of_peak", w->flops / seconds / limits->flops);
    }
    if (w->bytes > 0) {
        fi_event_add_figure(e, "gbytes", GIGA * w->bytes / seconds);
        fi_event_add_figure(e, "of_copy", w->bytes / seconds / limits->bytes);
    }
    if (budget > 0) {
        fi_event_add_figure(e, "budget", budget);
        fi_event_add_figure(e, "of_budget", budget / seconds);
    }
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median and fastest block, less what the clock cost; a run too short for one: its mean. */
static void add_blocks(const struct telling *l, struct fi_event *e, double mean, double clock) {
    double sorted[BLOCKS];
    const int n = l->p->n_blocks;
    memcpy(sorted, l->p->block, sizeof sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    const double median = n == 0 ? mean : (sorted[n / 2] + sorted[(n - 1) / 2]) / 2 - clock;
    fi_event_add_figure(e, "median_seconds", FI_MAX(0, median));
    fi_event_add_figure(e, "fastest_seconds", n == 0 ? mean : FI_MAX(0, l->p->fastest - clock));
}

static const char *const passes[FI_PASSES] = {"forward", "backward", "weights"};

/* Each pass over all nodes. */
static void add_passes(const struct telling *l, struct fi_event *e) {
    static const char *const names[FI_PASSES] = {"forward_seconds", "backward_seconds",
                                                 "weights_seconds"};
    for (int pass = 0; pass < FI_PASSES; pass++) {
        double sum = 0;
        for (int g = 0; g < l->t->exec->n_groups; g++)
            sum += corrected(l->p, &l->p->clocks.groups[g][pass]);
        fi_event_add_figure(e, names[pass], sum / (double)l->p->steps);
    }
}

static void tell_run(const struct telling *l, int64_t steps_per_epoch) {
    const struct fi_limits *limits = &l->p->limits;
    const struct fi_memory memory = fi_memory_of(l->t);
    const struct fi_work work = work_of_step(l);
    const double n = (double)l->p->steps, step = sum_of_step(l, corrected) / n;
    const double clock = sum_of_step(l, as_timed) / n - step;
    struct fi_event e;
    fi_event_init(&e, FANIN_EVENT_PROFILE);
    fi_event_add_text(&e, "isa", fanin_isa(l->t->ctx));
    fi_event_add_figure(&e, "threads", fanin_threads(l->t->ctx));
    fi_event_add_figure(&e, "steps_measured", n);
    fi_event_add_figure(&e, "samples", (double)l->p->samples);
    fi_event_add_figure(&e, "batch", (double)l->t->batch);
    fi_event_add_figure(&e, "run_seconds", l->seconds);
    add_work(l, &e, step, &work);
    add_blocks(l, &e, step, clock);
    add_passes(l, &e);
    fi_event_add_figure(&e, "samples_per_second", step > 0 ? l->rows / step : 0);
    if (steps_per_epoch > 0) {
        fi_event_add_figure(&e, "steps_per_epoch", (double)steps_per_epoch);
        fi_event_add_figure(&e, "epoch_seconds", (double)steps_per_epoch * step);
    }
    fi_event_add_figure(&e, "peak_gflops", GIGA * limits->flops);
    fi_event_add_figure(&e, "copy_gbytes", GIGA * limits->bytes);
    fi_event_add_figure(&e, "copy_bytes", (double)limits->copied);
    fi_event_add_figure(&e, "step_flops", work.flops);
    fi_event_add_figure(&e, "step_bytes", work.bytes);
    fi_event_add_figure(&e, "parameter_bytes", memory.params);
    fi_event_add_figure(&e, "state_bytes", memory.state);
    fi_event_add_figure(&e, "activation_bytes", memory.activations);
    l->send(l->payload, &e);
}

/* "dense1 relu1 dropout2": all that runs in the group. */
static void names_of(const fanin_net *net, const struct fi_group *g, char *out, size_t size) {
    size_t at = 0;
    out[0] = '\0';
    if (g->host >= 0) at = (size_t)snprintf(out, size, "%s", net->nodes[g->host].name);
    for (int i = 0; i < g->n_chain && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", at ? " " : "",
                               net->nodes[g->chain[i]].name);
}

static void tell_group(const struct telling *l, int group) {
    const struct fi_group *g = &l->t->exec->groups[group];
    const fanin_net *net = l->t->model->net;
    char nodes[256];
    names_of(net, g, nodes, sizeof nodes);
    for (int pass = 0; pass < FI_PASSES; pass++) {
        const struct fi_timer *c = &l->p->clocks.groups[group][pass];
        struct fi_event e;
        if (c->laps == 0) continue;
        const struct fi_work w =
            fi_work_of_pass(l->t, g, (enum fi_pass)pass, parted(l, group), l->rows);
        fi_event_init(&e, FANIN_EVENT_PROFILE_NODE);
        fi_event_add_text(&e, "name", net->nodes[g->host >= 0 ? g->host : g->chain[0]].name);
        fi_event_add_text(&e, "nodes", nodes);
        fi_event_add_text(&e, "pass", passes[pass]);
        add_work(l, &e, corrected(l->p, c) / (double)l->p->steps, &w);
        l->send(l->payload, &e);
    }
}

static void tell_part(const struct telling *l, const char *name, double seconds,
                      const struct fi_work *w) {
    struct fi_event e;
    fi_event_init(&e, FANIN_EVENT_PROFILE_PART);
    fi_event_add_text(&e, "name", name);
    add_work(l, &e, seconds / (double)l->p->steps, w);
    l->send(l->payload, &e);
}

static void tell_parts(const struct telling *l, double clock) {
    static const char *const names[] = {"load",        "loss",       "update",
                                        "constraints", "average",    "rest of step",
                                        "validation",  "checkpoint", "rest of run"};
    for (int i = 0; i < FI_STAGES; i++) {
        const struct fi_timer *c = &l->p->clocks.stages[i];
        const struct fi_work w = fi_work_of_stage(l->t, (enum fi_stage)i, l->rows);
        const double seconds = corrected(l->p, c);
        if (seconds > 0) tell_part(l, names[i], seconds, &w);
    }
    tell_part(l, "the clock itself", clock, &(struct fi_work){0});
}

void fi_profile_tell(fanin_trainer *t, int64_t steps,
                     void (*send)(void *payload, struct fi_event *e), void *payload) {
    struct fi_profile *p = t->profile;
    struct telling l = {.t = t, .p = p, .send = send, .payload = payload};
    if (p->steps == 0) return;
    l.rows = (double)p->samples / (double)p->steps;
    double rest = 0, clean = sum_of_step(&l, corrected);
    for (int i = FI_STAGE_STEP + 1; i < FI_STAGES; i++) {
        rest += p->clocks.stages[i].seconds;
        clean += corrected(p, &p->clocks.stages[i]);
    }
    l.seconds = sum_of_step(&l, as_timed) + rest;
    tell_run(&l, steps);
    for (int g = 0; g < t->exec->n_groups; g++) tell_group(&l, g);
    tell_parts(&l, l.seconds - clean);
}
