/* SPDX-License-Identifier: Apache-2.0 */
/* What profile.c, which measures, and budget.c, which knows what there is to do, share. */
#ifndef FI_PROFILE_H
#define FI_PROFILE_H

#include "train/train.h"

/* Work of a step. Bytes: what must be read and written, each number once; what a group hands on
 * within its blocks stays in cache and does not count. */
struct fi_work {
    double flops, bytes;
};
/* The machine's limits, on all threads of the context. */
struct fi_limits {
    double flops, bytes; /* a second */
    size_t copied;       /* bytes of the copy that was timed */
};

/* A pass of a group, of `rows` samples. parted: the group's backward step tells the gradient by the
 * input from that by the weights. */
struct fi_work fi_work_of_pass(const fanin_trainer *t, const struct fi_group *g, enum fi_pass pass,
                               bool parted, double rows);
struct fi_work fi_work_of_stage(const fanin_trainer *t, enum fi_stage stage, double rows);
/* Seconds that the work takes at the limits, arithmetic and memory one after the other. */
double fi_budget(const struct fi_limits *limits, const struct fi_work *work);

/* Bytes of the parameters, of the optimizer's state and averages, of activations and gradients. */
struct fi_memory {
    double params, state, activations;
};
struct fi_memory fi_memory_of(const fanin_trainer *t);

#endif
