/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of each parameter, and how far they are from the start, which is drawn again from the
 * recipe:
 *
 *   moved = ‖w - w_start‖ / ‖w_start‖       none where the start is all 0, as of biases
 *
 * Running statistics are parameters too.
 */
#include <math.h>

#include "study/probe.h"

/* Σ x², Σ x, and Σ (x - y)². */
struct sums {
    double squares, sum, apart;
};

static struct sums sums_of(const float *x, const float *y, int64_t n) {
    struct sums s = {0};
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)y[i];
        s.squares += (double)x[i] * (double)x[i];
        s.sum += (double)x[i];
        s.apart += d * d;
    }
    return s;
}

static enum fanin_status look_at_param(const struct fi_look_at *look, const fanin_model *start,
                                       const struct fi_param *p, struct fi_arena *arena) {
    const double n = (double)p->count;
    float *now = fi_arena_alloc(arena, p->count, sizeof *now);
    float *then = fi_arena_alloc(arena, p->count, sizeof *then);
    fi_real *shown = fi_arena_alloc(arena, p->count, sizeof *shown);
    if (!now || !then || !shown) return FANIN_ERR_MEMORY;
    fi_param_unpack(p, look->model->params + p->offset, now);
    fi_param_unpack(p, start->params + p->offset, then);
    const struct sums s = sums_of(now, then, p->count), began = sums_of(then, then, p->count);
    for (int64_t i = 0; i < p->count; i++) shown[i] = (fi_real)now[i];
    look->add(look->to, "mean", p->name, s.sum / n);
    look->add(look->to, "rms", p->name, sqrt(s.squares / n));
    look->add(look->to, "norm", p->name, sqrt(s.squares));
    look->add(look->to, "distance", p->name, sqrt(s.apart));
    look->add(look->to, "moved", p->name,
              began.squares > 0 ? sqrt(s.apart) / sqrt(began.squares) : NAN);
    fi_probe_bins(look, "numbers", p->name, shown, p->count);
    return FANIN_OK;
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    (void)attrs;
    const fanin_net *net = look->model->net;
    fanin_model *start;
    enum fanin_status status = FANIN_OK;
    FI_TRY(fanin_recipe_model(&start, look->recipe, fanin_data_shape(look->data),
                              fanin_data_outputs(look->data), look->data));
    if (start->net->n_params != net->n_params || start->net->param_size != net->param_size)
        status = fi_fail(look->ctx, FANIN_ERR_RECIPE, "the model is not of this recipe");
    for (int i = 0; i < net->n_params && status == FANIN_OK; i++) {
        struct fi_arena arena;
        fi_arena_init(&arena, look->ctx);
        status = look_at_param(look, start, &net->params[i], &arena);
        fi_arena_free(&arena);
    }
    fanin_model_free(start);
    return status;
}

FI_RECORD(probe, weights) = {
    .head = {.name = "weights",
             .formula = "of each parameter: mean, rms, norm, distance = |w - w_start|, moved = "
                        "distance / |w_start|; histogram numbers",
             .reference = "definition",
             .help = "Tells the size of each parameter and how far it is from its start.",
             .place = ""},
    .look = look_at,
};
