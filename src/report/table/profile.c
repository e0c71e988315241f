/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile of a run as a table of at most 100 columns: the step beside its budget, then a line a
 * pass of each node, then the other parts. "-" stands where there is no such work.
 */
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CELL 16
#define LEAST_SHARE 5e-4 /* of the run: a part that took less is left out */

/* Four digits and a unit of 10³: "1.234 M". */
static const char *with_prefix(char out[CELL], double value) {
    static const char *const prefixes[] = {"", " k", " M", " G", " T"};
    int i = 0;
    while (i + 1 < FI_COUNT(prefixes) && value >= 1000) {
        value /= 1000;
        i++;
    }
    snprintf(out, CELL, "%.*f%s", value < 10 ? 2 : value < 100 ? 1 : 0, value, prefixes[i]);
    return out;
}

static const char *as_time(char out[CELL], double seconds) {
    static const char *const units[] = {"s", "ms", "us", "ns"};
    int i = 0;
    while (i + 1 < FI_COUNT(units) && seconds < 1) {
        seconds *= 1000;
        i++;
    }
    snprintf(out, CELL, "%.*f %s", seconds < 10 ? 2 : seconds < 100 ? 1 : 0, seconds, units[i]);
    return out;
}

static const char *bytes(char out[CELL], const struct fanin_event *e, const char *figure) {
    return with_prefix(out, fi_event_figure(e, figure));
}

static const char *seconds(char out[CELL], const struct fanin_event *e, const char *figure) {
    return as_time(out, fi_event_figure(e, figure));
}

static void add_number(struct fi_text *line, int width, double value, double factor, int digits) {
    if (isnan(value))
        fi_text_add(line, "%*s", width, "-");
    else
        fi_text_add(line, "%*.*f", width, digits, factor * value);
}

static void add_percent(struct fi_text *line, int width, double share, int digits) {
    if (isnan(share)) {
        fi_text_add(line, "%*s", width, "-");
        return;
    }
    add_number(line, width - 2, share, 100, digits);
    fi_text_add(line, " %%");
}

static void write_run(struct fi_text *line, const struct fanin_event *e) {
    char a[CELL], b[CELL], c[CELL];
    const double epoch = fi_event_figure(e, "epoch_seconds");
    const double threads = fi_event_figure(e, "threads");
    fi_text_add(line, "profile  %.0f steps of batch %.0f on %.0f thread%s: ",
                fi_event_figure(e, "steps_measured"), fi_event_figure(e, "batch"), threads,
                threads == 1 ? "" : "s");
    fi_text_add(line, "%s a step (median %s, ", seconds(a, e, "seconds"),
                seconds(b, e, "median_seconds"));
    fi_text_add(line, "fastest %s)\n", seconds(a, e, "fastest_seconds"));
    fi_text_add(line, "         %s samples a second", bytes(a, e, "samples_per_second"));
    if (!isnan(epoch))
        fi_text_add(line, "; an epoch is %.0f steps, %s", fi_event_figure(e, "steps_per_epoch"),
                    as_time(a, epoch));
    const double step = fi_event_figure(e, "seconds");
    fi_text_add(line, "\n         forward %.0f %%, backward %.0f %%, weights and update %.0f %%\n",
                100 * fi_event_figure(e, "forward_seconds") / step,
                100 * fi_event_figure(e, "backward_seconds") / step,
                100 * fi_event_figure(e, "weights_seconds") / step);
    fi_text_add(line, "limits   peak %.1f GFLOP/s, copy %.1f GB/s (of %sB), %s\n",
                fi_event_figure(e, "peak_gflops"), fi_event_figure(e, "copy_gbytes"),
                bytes(a, e, "copy_bytes"), fi_event_text(e, "isa"));
    fi_text_add(line, "budget   %sFLOP and %sB a step at these limits: %s, ",
                bytes(a, e, "step_flops"), bytes(b, e, "step_bytes"), seconds(c, e, "budget"));
    fi_text_add(line, "%.0f %% of a step, %.0f %% of the fastest\n",
                100 * fi_event_figure(e, "of_budget"),
                100 * fi_event_figure(e, "budget") / fi_event_figure(e, "fastest_seconds"));
    fi_text_add(line, "memory   parameters %sB, state %sB, activations and gradients %sB\n",
                bytes(a, e, "parameter_bytes"), bytes(b, e, "state_bytes"),
                bytes(c, e, "activation_bytes"));
}

static void write_row(struct fi_text *line, const struct fanin_event *e) {
    if (fi_event_figure(e, "share") < LEAST_SHARE) return;
    const char *nodes = fi_event_text(e, "nodes"), *pass = fi_event_text(e, "pass");
    char name[40];
    snprintf(name, sizeof name, "%.31s", nodes ? nodes : fi_event_text(e, "name"));
    fi_text_add(line, "%-31s %-8s", name, pass ? pass : "");
    add_number(line, 11, fi_event_figure(e, "seconds"), 1e6, 2);
    add_percent(line, 8, fi_event_figure(e, "share"), 1);
    add_number(line, 9, fi_event_figure(e, "gflops"), 1, 1);
    add_percent(line, 7, fi_event_figure(e, "of_peak"), 0);
    add_number(line, 8, fi_event_figure(e, "gbytes"), 1, 1);
    add_percent(line, 7, fi_event_figure(e, "of_copy"), 0);
    add_percent(line, 8, fi_event_figure(e, "of_budget"), 0);
    fi_text_add(line, "\n");
}

void fi_report_profile(struct fi_text *line, const struct fanin_event *e) {
    if (e->type != FANIN_EVENT_PROFILE) {
        write_row(line, e);
        return;
    }
    write_run(line, e);
    fi_text_add(line, "%-31s %-8s%11s%8s%9s%7s%8s%7s%8s\n", "node", "pass", "us/step", "share",
                "GFLOP/s", "peak", "GB/s", "copy", "budget");
}
