/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Know before the first step: what theory predicts for a net and its start, what a batch of the
 * real data does in it, and what is wrong.
 *
 *     fanin_check *check;
 *     if (fanin_recipe_check(&check, recipe, NULL) == FANIN_OK) {
 *         const struct fanin_check_result *r = fanin_check_get(check);
 *         …
 *         fanin_check_free(check);
 *     }
 */
#ifndef FANIN_CHECK_H
#define FANIN_CHECK_H

#include <fanin/recipe.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_check fanin_check;

/* Set size to sizeof(struct fanin_check_options); a zero field means its default. */
struct fanin_check_options {
    size_t size;
    int64_t batch; /* samples looked at, up to 256; default: the recipe's batch, at most 128 */
    int seeds;     /* starts looked at: the recipe's seed and those after it; default 3 */
    int sharpness; /* 1: the largest curvature of the loss, by power iteration */
};

enum fanin_verdict { FANIN_TRAINABLE, FANIN_AT_RISK, FANIN_WILL_NOT_TRAIN };

/* Figures of a node's output over its units and the batch's samples. NaN: unknown, or there is
 * none. */
struct fanin_check_figures {
    double mean;
    double second; /* second moment */
    double cosine; /* mean over pairs of samples of x·y / (‖x‖ ‖y‖) */
    double grad;   /* second moment of the gradient of a sample's own loss by the output */
};

/* Units of which something holds: how many, and the first of them. */
struct fanin_check_few {
    int64_t count;
    int64_t first[4];
};

#define FANIN_CHECK_BINS 40
struct fanin_check_histogram {
    double low, high; /* of all bins together; both 0: nothing to count */
    int64_t counts[FANIN_CHECK_BINS];
};

struct fanin_check_layer {
    const char *name, *op;
    struct fanin_shape shape;
    int depth; /* layers with weights up to here, this one counted */
    struct fanin_check_figures predicted;
    struct fanin_check_figures measured, spread; /* mean and standard deviation over the starts */
    int begun_anew; /* 1: predicted is measured here; theory goes on from it */
    double chi;     /* predicted: gradient second moment before this node over that behind */
    /* Depth scale: over how many plain layers like this one (its weights, the activation behind)
     * two samples' correlation comes e times nearer to its end; infinite at criticality, NaN: none.
     */
    double xi;
    double band;                 /* |ln(measured / predicted)| that a net of this width explains */
    int outside;                 /* 1: second is outside the band; 2: grad is; 3: both */
    struct fanin_check_few tied; /* every step keeps them equal to another unit */
    struct fanin_check_few
        almost_tied;             /* else, incoming weights at |cosine| > 0.999 to another's */
    struct fanin_check_few dead; /* never active: output and slope 0 on every sample */
    /* where the activation flattens out, the slope below 1/20 of its largest, on 95 % of samples */
    struct fanin_check_few saturated;
    struct fanin_check_few constant;            /* the same output for every sample */
    struct fanin_check_histogram values, grads; /* of the first start */
};

struct fanin_check_param {
    const char *name;
    double rms;            /* root mean square of its numbers */
    double grad_predicted; /* root mean square of the numbers of the batch's gradient */
    double grad_measured, grad_spread;
    double update; /* root mean square of the first update over that of the numbers */
};

struct fanin_check_finding {
    const char *name; /* of the record: fanin help NAME */
    enum fanin_verdict severity;
    const char *layer;        /* NULL: of the whole */
    const char *text;         /* one sentence with the number */
    const char *mend;         /* one sentence: the smallest change that mends it */
    const char *path, *value; /* the change as an override; NULL: none */
};

struct fanin_check_result {
    enum fanin_verdict verdict;
    int64_t batch;
    int seeds;
    uint64_t seed;
    const struct fanin_check_layer *layers;
    int n_layers;
    const struct fanin_check_param *params;
    int n_params;
    const struct fanin_check_finding *findings; /* the gravest first */
    int n_findings;
    double loss, loss_spread; /* before the first step */
    double loss_first;        /* the same of the first start alone */
    double loss_known;        /* of the best constant prediction: ln(classes) for equal classes */
    double grad_norm;
    double lr;             /* of the first step */
    double steps;          /* of the run */
    double first_step;     /* loss of the batch after the first update over that before */
    double progress;       /* share of the loss that the run's steps would take away on other
                            * samples, did each what the first does, counted where samples differ */
    double sharpness;      /* largest eigenvalue of the Hessian; NaN: not asked for */
    double seconds, bytes; /* of a step, about */
};

/* Looks at the recipe's net on its data. Errors: as fanin_data_load and fanin_recipe_model. */
FANIN_API enum fanin_status fanin_recipe_check(fanin_check **out, const fanin_recipe *recipe,
                                               const struct fanin_check_options *options);
/* Looks at a model as it stands, trained or not, on data; train may be NULL. One start. */
FANIN_API enum fanin_status fanin_model_check(fanin_check **out, fanin_model *model,
                                              const fanin_data *data,
                                              const struct fanin_train_options *train,
                                              const struct fanin_check_options *options);
/* Borrowed from the check. */
FANIN_API const struct fanin_check_result *fanin_check_get(const fanin_check *check);
FANIN_API void fanin_check_free(fanin_check *check);

#ifdef __cplusplus
}
#endif
#endif
