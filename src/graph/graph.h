/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph floor: nets as built, models (a net with parameters), execution plans; and the record
 * types of everything that works on a graph.
 *
 *   fanin_net    nodes, shapes, what parameters are asked for          (build.c)
 *   fanin_model  one parameter buffer with a table, the loss           (src/model)
 *   fi_exec      buffers and steps for one batch size, forward,        (plan.c, exec.c)
 *                backward, update
 */
#ifndef FI_GRAPH_H
#define FI_GRAPH_H

#include <fanin/model.h>
#include <fanin/train.h>

#include "base/base.h"
#include "graph/clock.h"

/* ---- record types -------------------------------------------------------------------------------- */

/* What the rows of a batch should give. */
struct fi_truth {
    const int32_t *labels;             /* class numbers; NULL: `target` says it */
    const struct fanin_tensor *target; /* rows × cols: values, or what the loss's task asks for */
    const double *weights;             /* of the rows, >= 0; NULL: all 1 */
};

/* What a loss may learn of the task before it is used. */
struct fi_loss_task {
    fanin_ctx *ctx;
    struct fi_arena *arena;
    int64_t outputs;    /* of the net */
    const double *mass; /* `outputs` of them: samples of a class, or the sum of a target, over the
                         * training part; NULL: not known */
    double rows;        /* of the training part */
};

/* What a loss can be told. */
#define FI_TAKES_LABELS 1u
#define FI_TAKES_TARGETS 2u

/* A loss on the first output of a net (z, m × cols). The loss of a batch is the weighted mean
 *
 *   Σ_r weight_r · loss_r / Σ_r weight_r · share_r
 *
 * over all rows of the batch, whatever shards it is split into. */
struct fi_loss {
    struct fanin_record head;
    /* What its predictions are, and with it what target values must be: REGRESSION any number,
     * MULTILABEL numbers in [0, 1], CLASSIFICATION a distribution. */
    enum fanin_task task;
    unsigned takes;   /* FI_TAKES_… */
    const char *link; /* what turns z into the prediction: "softmax", "identity", … */
    /* Σ over the rows of weight · loss; dz (may be NULL) = d(Σ)/dz · scale. Where a row's weight
     * is 0 or its label is ignored its dz is 0 and nothing of it is read; any other label is in
     * 0 .. cols-1. Rows are independent. */
    double (*run)(const void *attrs, const struct fanin_tensor *z, const struct fi_truth *truth,
                  const struct fanin_tensor *dz, fi_real scale);
    /* What a row counts in the mean besides its weight (the weight of its class); 0: the row is
     * ignored. NULL, or no `uneven`: 1 for all. */
    double (*share)(const void *attrs, const struct fi_truth *truth, int64_t row);
    bool (*uneven)(const void *attrs);
    /* Labels that stand for "not known": the share of their rows is 0, metrics leave them out, they
     * need not be classes. NULL: none. */
    bool (*ignores)(const void *attrs, int32_t label);
    /* Called once, before all others, on a copy of the attributes that it may change: what follows
     * from the task, and whether they fit it. NULL: nothing. */
    enum fanin_status (*settle)(void *attrs, const struct fi_loss_task *task);
    /* prediction p = link(z), in place allowed */
    void (*predict)(const void *attrs, const struct fanin_tensor *z, const struct fanin_tensor *p);
    /* Scores z with link(z) = p, as far as numbers go: the inverse of predict. NULL: the link is
     * the identity. */
    void (*unpredict)(const void *attrs, const struct fanin_tensor *p,
                      const struct fanin_tensor *z);
    /* Entropy H of each row's predicted distribution; h[r]. With dz: dz += coefficient[r] · dH/dz ·
     * scale. NULL: the prediction is no distribution. */
    void (*entropy)(const void *attrs, const struct fanin_tensor *z, double *h,
                    const double *coefficient, const struct fanin_tensor *dz, fi_real scale);
    const struct fanin_case *cases;
    int n_cases;
};

struct fi_network;

/* How one tensor is started. */
struct fi_init_request {
    const void *attrs;
    fanin_ctx *ctx;
    int64_t fan_in, fan_out;
    int rank;
    const int64_t *dims;
    double keep;  /* of the dropout that follows the layer; 1: none */
    uint64_t key; /* fi_key(seed, "init", tensor name) */
};
struct fi_init {
    struct fanin_record head;
    /* w[0..n): numbers first .. first+n-1 of the tensor in row-major (out, in) order; element-wise
     * by index, so that any range can be drawn alone. first and n are even except at the end. */
    void (*fill)(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w);
    /* A rule that needs the whole tensor (fill is then NULL): all numbers, row-major (out, in). It
     * may use the threads, and takes working memory from the context. */
    enum fanin_status (*whole)(const struct fi_init_request *r, fi_real *w);
    /* What the rule promises: mean, standard deviation, kurtosis (of 10^6 draws, tested). */
    void (*moments)(const struct fi_init_request *r, double *mean, double *std, double *kurtosis);
    double (*gain)(const void *attrs); /* shown; NULL: none */
    /* A rule for the whole network has no fill, whole and moments: its tensors are drawn by another
     * rule, the attribute `init` (its struct begins with struct fi_network_attrs) or else `base`
     * (NULL: by what follows). Then, once, this is called. */
    enum fanin_status (*network)(const struct fi_network *s);
    const char *base;
};
struct fi_network_attrs {
    struct fanin_rule_ref init; /* record NULL: not given */
};

/* Training data for a start: the first rows of the first epoch. */
struct fi_start_data {
    void (*load)(void *arg, int64_t rows, const struct fanin_tensor *x);
    void *arg;
    int64_t rows; /* that there are */
};
/* What an initializer of a whole network works on: a model with all parameters drawn. */
struct fi_network {
    fanin_model *model;
    const struct fi_init *init;
    struct fi_arena *arena;           /* for this call */
    const struct fi_start_data *data; /* NULL: none at hand */
    /* what ops derive from their weights; called again after it */
    enum fanin_status (*derive)(fanin_model *model);
};

/* A regularizer: a penalty on weights (gradient and value, or whole), on the outputs of a layer
 * (the same with `outputs`), or on predictions (of_entropy); or decoupled decay. Exactly one group
 * is set. `scale` multiplies the strength: the schedule's factor at this step, and for outputs
 * 1 / samples of the batch. Values are told for scale 1. */
struct fi_reg {
    struct fanin_record head;
    double (*strength)(const void *attrs);
    bool outputs; /* of w[0..n) the outputs of one sample */
    /* g += scale · d penalty / dw of a range; the penalty of the range */
    void (*gradient)(const void *attrs, double scale, const fi_real *w, fi_real *g, int64_t n);
    double (*value)(const void *attrs, const fi_real *w, int64_t n);
    /* weights, where the whole tensor is needed: see struct fi_whole */
    const struct fi_whole *whole;
    /* weights, decoupled: the factor lambda in w <- fma(-lr * lambda, w, w), done by the update */
    double (*decay)(const void *attrs);
    /* predictions: the penalty of a row with entropy h, and its derivative by h */
    double (*of_entropy)(const void *attrs, double h, double *slope);
};
/* Every regularizer's attribute struct begins with this, and its specs end with FI_REG_SCHEDULE. */
struct fi_reg_attrs {
    struct fanin_rule_ref schedule; /* of the strength; record NULL: constant */
};
#define FI_REG_SCHEDULE(type)                                                                      \
    {                                                                                              \
        "schedule", FANIN_ATTR_RULE,                                                               \
            offsetof(type, common) + offsetof(struct fi_reg_attrs, schedule), 0, 0, 0, "schedule", \
            "factor on the strength over time; default: constant", FANIN_ATTR_NULLABLE             \
    }

/* A penalty that is no sum over single weights. It is computed before the backward pass, from the
 * weights before the step. */
struct fi_whole {
    /* numbers of working memory for a tensor (out, in) */
    int64_t (*work)(int64_t out, int64_t in);
    /* the penalty; with g: g += scale · d penalty / dw. w and g are panels of (out, in). */
    double (*run)(fanin_ctx *ctx, const void *attrs, double scale, int64_t out, int64_t in,
                  const fi_real *w, fi_real *g, fi_real *work);
};

/* A constraint: what the weights are brought back to after each step. */
struct fi_constraint {
    struct fanin_record head;
    /* `lanes` units at once: number k of unit l is w[k * step + l], k in [0, n). */
    void (*units)(const void *attrs, fi_real *w, int64_t lanes, int64_t n, int64_t step);
    /* A unit as it must be: for the tests of every record. */
    bool (*holds)(const void *attrs, const fi_real *w, int64_t n, double tolerance);
};

/* What the optimizer is told at each step. */
struct fi_optim_step {
    double lr;
    int64_t t; /* counted from 1 */
    const void *attrs;
    double pow1, pow2; /* running products the record asks for: of beta1 as scheduled, of beta2 */
    double momentum;   /* factor on what the record calls its momentum; 1 without a schedule */
};
struct fi_optim {
    struct fanin_record head;
    int n_states; /* buffers like the parameters */
    /* how many of them, from the first, these attributes need; NULL: all */
    int (*keeps)(const void *attrs);
    const char *states[3]; /* their names in a checkpoint */
    double (*lr)(const void *attrs);
    /* the momentum (or beta1) that a momentum schedule scales; NULL: the record has none */
    double (*momentum)(const void *attrs);
    /* the base of pow1 (scaled with the momentum) and pow2; NULL: unused */
    void (*powers)(const void *attrs, double *base1, double *base2);
    /* One range: decay first (w <- fma(-lr*decay, w, w)), then the step. */
    void (*update)(const struct fi_optim_step *o, fi_real decay, fi_real *w, const fi_real *g,
                   fi_real *const *state, int64_t n);
};

#define FI_SCHEDULE_STATE 6
struct fi_schedule {
    struct fanin_record head;
    /* The factor on the learning rate at progress t of total (both in steps); steps_per_epoch > 0.
     */
    double (*factor)(const void *attrs, int64_t step, int64_t total, int64_t steps_per_epoch);
    /* Warm-up, common to all: epochs of a linear ramp before. */
    double (*warmup_epochs)(const void *attrs);
    /* A schedule that follows a figure of the validation part has these three, else NULL. The
     * figure's name: */
    const char *(*metric)(const void *attrs);
    /* Told the figure after each epoch. `base` is what the factor multiplies; the state begins as
     * zeros and is part of a checkpoint. */
    void (*observe)(const void *attrs, double base, double value, bool higher_is_better,
                    double state[FI_SCHEDULE_STATE]);
    /* What has come of it: a factor beside factor(). */
    double (*reaction)(const void *attrs, const double state[FI_SCHEDULE_STATE]);
};

/* An average of the weights along the run. */
struct fi_average {
    struct fanin_record head;
    /* The updates that contribute, counted from 1: start + every, start + 2 every, … of `total`. */
    void (*when)(const void *attrs, int64_t total, int64_t steps_per_epoch, int64_t *start,
                 int64_t *every);
    /* The weight of the next contribution when there were n: average += weight · (w - average). The
     * first one's is 1. */
    double (*weight)(const void *attrs, int64_t n);
};

/* A metric sees each row's prediction once. Its sums are doubles: `cells` of them for n outputs. */
struct fi_metric {
    struct fanin_record head;
    enum fanin_task task;    /* FANIN_UNLABELED: any */
    bool multilabel;         /* of a CLASSIFICATION: also of MULTILABEL, where labels are NULL and
                              * the targets say which hold (more than 1/2) */
    bool needs_distribution; /* only where the loss has an entropy */
    bool higher_is_better;
    bool extra; /* of an evaluation on its own; while training only where it is asked for */
    int64_t (*cells)(int64_t n_outputs);
    /* labels: of a CLASSIFICATION, else NULL */
    void (*add)(double *sums, int64_t n_outputs, const struct fanin_tensor *p,
                const int32_t *labels, const struct fanin_tensor *target);
    /* NULL: the sums are a table themselves (confusion) */
    double (*value)(const double *sums, int64_t n_outputs, int64_t rows);
};

/* ---- nets ------------------------------------------------------------------------------------------ */

struct fi_node {
    const char *name;
    const struct fanin_op *op; /* NULL: an input */
    const void *attrs;
    int inputs[FANIN_MAX_INPUTS];
    int n_in;
    struct fanin_shape shape;
    int first_param, n_params;
    int64_t run; /* units that an op mixes: of each run of this many */
    size_t state_bytes_per_cell, state_bytes_per_row, state_bytes;
    size_t scratch_bytes_per_row, scratch_bytes;
    double flops;
    int consumers;
    int output; /* 1: the result, of which the loss is; 2, 3, …: further outputs; 0: none */
};

struct fi_param {
    const char *name; /* "dense1.weight" */
    int node;
    struct fanin_param_spec spec;
    int64_t out, in;      /* VECTOR: out = count, in = 1 */
    int64_t count;        /* numbers in the file */
    int64_t offset, size; /* place in the parameter buffer, padded layout */
    /* what the start was; filled when a model is made */
    struct fanin_rule_ref init;
    struct fanin_rule_ref network; /* the rule of the whole network it takes part in, if any */
    const char *why;
    bool imported; /* from a file, not drawn */
    double gain, mean, std;
};

struct fanin_net {
    fanin_ctx *ctx;
    struct fi_arena arena;
    struct fi_node *nodes;
    int n_nodes;
    int64_t cap_nodes;
    struct fi_param *params;
    int n_params;
    int64_t cap_params;
    int64_t param_size; /* numbers in the buffer */
    int n_tables;       /* parameters with spec.table */
    int n_inputs, n_outputs;
};

/* Where the units of a node come from: op->source with what it asks for, filled once a node. */
struct fi_sources {
    const struct fanin_op *op;
    struct fanin_infer io;
    struct fanin_shape in[FANIN_MAX_INPUTS];
};
void fi_sources_init(struct fi_sources *sources, const fanin_net *net, int node);
/* The unit of input k that unit u is made from, -1: none. */
static inline int64_t fi_source(const struct fi_sources *s, int k, int64_t u) {
    return s->op->source ? s->op->source(&s->io, k, u) : u;
}

/* The node the loss is of. */
int fi_net_result(const fanin_net *net);
/* Numbers a sample has, over all inputs. */
int64_t fi_net_columns(const fanin_net *net);

/* ---- models ---------------------------------------------------------------------------------------- */

/* A column of the samples that a node reads as indexes, whole numbers from 0 to below `below`. */
struct fi_index {
    int64_t column, below;
    const char *node;
};

struct fanin_model {
    fanin_ctx *ctx;
    fanin_net *net; /* owned */
    struct fi_arena arena;
    fi_real *params; /* net->param_size, layouts as the table says */
    const struct fi_loss *loss;
    const void *loss_attrs;
    struct fi_exec *infer, *sample; /* made when first used */
    enum fanin_task task;           /* the loss's */
    enum fanin_task truth; /* what it learns from: labels (CLASSIFICATION) or values (REGRESSION) */
    uint64_t seed;
    const char *recipe;
    /* how raw data become inputs; NULL shift: not at all */
    const char *normalize, *reader, *schema;
    float *shift, *scale; /* input = (raw - shift) * scale */
    bool binary;          /* then 1 where that is above 0, else 0 */
    float *target_shift,
        *target_scale; /* regression: what the net learns = (raw - shift) * scale */
    struct fi_index *indexes;
    int64_t n_indexes;
    int64_t n_output_names;
    const char **output_names;
    struct fi_history *history; /* of the run that trained it (model/history.h); NULL: none */
};

/* Starts the model anew from another seed; options: those that it was made with. */
enum fanin_status fi_model_restart(fanin_model *model, const struct fanin_model_options *options);
/* As fanin_model_create but leaves the parameters zero: for loading. */
enum fanin_status fi_model_prepare(fanin_model **out, fanin_net *net,
                                   const struct fanin_model_options *options);
/* Finds model->indexes. */
enum fanin_status fi_model_find_indexes(fanin_model *model);
/* Refuses numbers that should be indexes and are not, of `rows` samples that are about to enter
 * (the first is sample `first`), of rows of numbers as they enter, or of all parts of a data set
 * that fits the model. */
enum fanin_status fi_model_check_indexes(const fanin_model *model, const struct fanin_tensor *x,
                                         int64_t rows, int64_t first);
enum fanin_status fi_model_check_index_rows(const fanin_model *model, const float *x, int64_t rows);
enum fanin_status fi_model_check_index_data(const fanin_model *model, const fanin_data *data);
/* Copies between the padded layout and row-major. dst has p->count, src p->size numbers. */
void fi_param_unpack(const struct fi_param *p, const fi_real *src, float *dst);
void fi_param_pack(const struct fi_param *p, const float *src, fi_real *dst);

/* Puts n raw samples into x, normalized. */
void fi_model_take_raw(const fanin_model *model, const struct fanin_tensor *x, const float *raw,
                       int64_t n);
/* Are there samples first .. first+n-1, such as the model reads? Errors: ARGUMENT, SHAPE. */
enum fanin_status fi_model_check_part(const fanin_model *model, const fanin_data *data,
                                      enum fanin_part part, int64_t first, int64_t n);
/* Which of FI_TAKES_… the model's loss is told. */
static inline unsigned fi_model_takes(const fanin_model *model) {
    return model->truth == FANIN_CLASSIFICATION ? FI_TAKES_LABELS : FI_TAKES_TARGETS;
}
/* A prediction of output `column` in the units of the data. */
double fi_model_raw_target(const fanin_model *model, int64_t column, double value);
/* The plan for inference on up to `rows` rows, made when first asked for. Borrowed. */
enum fanin_status fi_model_infer(fanin_model *model, int64_t rows, struct fi_exec **out);
/* The same for FI_SAMPLE. */
enum fanin_status fi_model_sample(fanin_model *model, int64_t rows, struct fi_exec **out);

/* ---- execution --------------------------------------------------------------------------------------- */

/* A regularizer in use. */
struct fi_penalty {
    const struct fi_reg *reg;
    const void *attrs;
    double factor; /* of its schedule at this step; 1 without one */
};
/* Several of them; the members are shared by the tensors they act on. */
struct fi_penalties {
    struct fi_penalty **items;
    int n;
};
struct fi_constraints {
    struct fanin_rule_ref *items;
    int n;
};

/* What a run does to one parameter. */
struct fi_policy {
    bool updates; /* trainable and not frozen */
    bool frozen;
    bool decays; /* the regularizers of the whole run apply */
    double lr;   /* factor on the learning rate */
    struct fi_penalties penalties;
    struct fi_constraints constraints;
    double decay;   /* decoupled: the sum of those among the penalties, at this step */
    fi_real *added; /* gradient of whole-tensor penalties at this step, like w; or NULL */
    bool as_is;     /* nothing is added to the gradient of the loss, and nothing bounds it */
    bool by_rows;   /* a table: rows that nobody touched are left alone */
};

/* The policy of a run: per parameter, and per node for penalties on outputs. */
struct fi_policies {
    struct fi_policy *params;
    struct fi_penalties *outputs; /* per node */
    struct fi_penalty **all;      /* every regularizer in use, once */
    int n_all;
    int64_t cap_all;
    bool constrained; /* some parameter has constraints */
};
/* Makes it of the global rules and of the patterns, later ones winning. *bad (or NULL) is the
 * pattern at fault, -1: none. Errors: RECIPE (a pattern matches nothing, a rule cannot act where it
 * stands, everything is frozen), MEMORY. */
enum fanin_status fi_policies_create(struct fi_policies *out, struct fi_arena *arena,
                                     const fanin_net *net,
                                     const struct fanin_train_options *options, int *bad);
/* Sets the decoupled decay of every parameter from the factors of the schedules. */
void fi_policies_set_decay(const struct fi_policies *policies, const fanin_net *net);
/* Does a name match a pattern, in which * stands for any text and ? for any character? */
bool fi_match(const char *pattern, const char *name);
/* Whether `init`, `regularize` or `constrain` (set: FANIN_POLICY_…) under this pattern means the
 * parameter: patterns that match weights leave biases and norm parameters alone. */
bool fi_policy_means(const fanin_net *net, const char *pattern, const struct fi_param *param,
                     unsigned set);
/* Refuses a pattern that matches nothing it could act on, with the nearest. */
enum fanin_status fi_policy_check_match(const fanin_net *net, const struct fanin_param_policy *p);

/* What becomes of a finished range of gradient; set anew by the trainer before each step. */
struct fi_update {
    const struct fi_optim *optim;
    struct fi_optim_step step;
    int n_states;                     /* that the optimizer keeps */
    fi_real *state[3];                /* like the parameter buffer */
    const struct fi_policy *policies; /* per parameter; NULL: ranges are only collected */
    double noise;                     /* rounding_noise */
    double clip_value;                /* bound on each number of the gradient; 0: none */
    const uint64_t *noise_keys;       /* one per parameter */
    fi_real *grads;                   /* collect ranges here instead of applying them; or NULL */
    bool accumulate;                  /* collecting: add to what is there */
};

/* An elementwise node of a chain, ready to run on a block. */
struct fi_link {
    const struct fanin_op *op;
    const struct fanin_step *step;
    const struct fanin_tensor *x, *y, *dy;
    const struct fanin_tensor *dx; /* where its gradient goes, mostly dy itself; NULL: nowhere */
};

/* A run of nodes executed together: a host and the elementwise nodes behind it, block by block. A
 * step only follows what stands here: nothing is looked up or decided again. */
struct fi_group {
    int host;  /* not elementwise; -1: the chain stands alone */
    int first; /* the node whose output the chain reads: the host, or the chain's producer */
    int *chain;
    struct fi_link *links; /* the nodes of the chain */
    int n_chain;
    void (*forward)(const struct fanin_step *s);  /* of the host on `step`; NULL: nothing to do */
    void (*backward)(const struct fanin_step *s); /* the same */
    const struct fanin_step *step;                /* of the host, else of the chain's first node */
    bool prepares;       /* some op wants to be called before the whole batch */
    bool walks_forward;  /* its chain does not run in the host's epilogue */
    bool walks_backward; /* nor backward in that of its reader */
    bool penalized;      /* penalties act on the tail's output */
    bool adds;           /* the entry's gradient is added to that of other readers */
    int tail;            /* the last node: what others read */
    bool gradient;       /* anything to train in it or before it */
    bool identity;       /* inference: nothing to do, the output is the input */
};

/* How a node's gradient reaches one of its inputs. */
struct fi_route {
    bool add;               /* through dx_scratch, then added */
    struct fi_group *fused; /* the producer's group, when its chain runs in this node's epilogue */
    struct fanin_tensor temp;
};

/* What step->internal points at. */
struct fi_step_extra {
    struct fi_exec *exec;
    int node;
    const struct fi_group *group;
    struct fi_route routes[FANIN_MAX_INPUTS];
    bool written; /* while planning: some reader already writes the gradient of y */
};

/* What a plan is for. */
enum fi_mode {
    FI_INFER,
    FI_TRAIN,  /* with backward, noise and batch statistics */
    FI_SAMPLE, /* inference in which noise is drawn: one member of the ensemble that dropout trains
                */
    FI_WATCH,  /* FI_TRAIN with every node's output and gradient in memory of its own */
    FI_KEEP    /* FI_INFER with every node's output in memory of its own */
};

struct fi_exec {
    fanin_model *model;
    struct fi_arena arena;
    int64_t rows;     /* the most a batch may have */
    int64_t rows_now; /* as all tensors say at present */
    int result;       /* the node the loss is of */
    enum fi_mode mode;
    bool training;            /* mode == FI_TRAIN or FI_WATCH */
    struct fanin_tensor *y;   /* per node */
    struct fanin_tensor x;    /* where samples are put: the input's buffer, or, with several inputs,
                               * all of    them side by side */
    struct fanin_tensor *dy;  /* per node; data NULL where no gradient flows */
    struct fanin_step *steps; /* per node */
    struct fi_step_extra *extras;
    struct fanin_param_view *views; /* per parameter */
    struct fi_group *groups;
    int n_groups;
    const struct fi_update *update;     /* set before fi_exec_backward */
    const struct fi_policies *policies; /* NULL: nothing is frozen or penalized */
    uint8_t *still; /* per node: set to 0 where the gradient is not all 0; NULL: not looked at */
    const struct fi_reg *only; /* on outputs, no penalty but this; NULL: all */
    double sample_share; /* 1 / samples of the batch, for penalties on outputs; set with update */
    int64_t planned;     /* numbers in the buffer of activations and gradients */
    struct fi_clocks *clocks; /* borrowed; NULL: nobody asks where the time goes */
    bool needs_two_rows;      /* batch statistics: one value a channel is an error */
};

/* Plans for batches of up to `rows`. */
enum fanin_status fi_exec_create(struct fi_exec **out, fanin_model *model, int64_t rows,
                                 enum fi_mode mode);
/* The same for a run (FI_TRAIN or FI_WATCH): what the policies (which must outlive the plan) freeze
 * gets no gradient, and penalties on outputs are added. */
enum fanin_status fi_exec_create_run(struct fi_exec **out, fanin_model *model, int64_t rows,
                                     enum fi_mode mode, const struct fi_policies *policies);
void fi_exec_free(struct fi_exec *exec);
/* What random numbers are drawn under, from the model's seed: again when that has changed. */
void fi_exec_keys(struct fi_exec *exec);
/* FI_SAMPLE: what random numbers are drawn under; the `step` of a forward tells samples apart. */
void fi_exec_seed(struct fi_exec *exec, uint64_t seed);
/* FI_SAMPLE: the node's switches for the forwards to come, borrowed; NULL: drawn. */
void fi_exec_switches(struct fi_exec *exec, int node, const uint8_t *switches);
/* Runs the net on the first `rows` rows of exec->x. row0: index of the first in the global batch.
 */
void fi_exec_forward(struct fi_exec *exec, int64_t rows, int64_t row0, uint64_t step);
/* FI_KEEP: runs what comes behind a node once more, after the caller changed its output. */
void fi_exec_forward_behind(struct fi_exec *exec, int node);
/* From exec->dy[result] (filled by the caller) back to every parameter. */
void fi_exec_backward(struct fi_exec *exec);
/* A penalty on a node's outputs: the sum over the samples of the last forward pass. */
double fi_exec_output_penalty(const struct fi_exec *exec, int node,
                              const struct fi_penalty *penalty);
/* Finds out once what the run has to do to each gradient: when the members of `u` that stay the
 * same for all steps are set. `policies` are those of `u`. */
void fi_update_prepare(const struct fi_update *u, const fanin_net *net, struct fi_policy *policies);
/* Gradients collected in whole: adds the penalties' share (and the noise). */
void fi_update_finish_gradient(const struct fi_exec *exec, const struct fi_update *u,
                               fi_real *grads);
/* Applies the optimizer to all parameters from finished gradients. */
void fi_update_apply(const struct fi_exec *exec, const struct fi_update *u, fi_real *grads);
/* The same for one parameter as the first step of a run, whose state is 0 and is not kept, and its
 * constraints. */
void fi_update_first(const struct fi_exec *exec, const struct fi_update *u, int param,
                     fi_real *grads);
/* Brings every parameter back to its constraints: after each update. */
void fi_update_constrain(const struct fi_exec *exec, const struct fi_update *u);
/* Name of the first tensor that holds a number that is not finite: parameters, then node outputs in
 * order; NULL if none. */
const char *fi_exec_first_not_finite(const struct fi_exec *exec);

/* ---- the start ------------------------------------------------------------------------------------------ */

/* Chooses each weight's rule (given, by a pattern, recipe default, or by what follows) and draws
 * all parameters. */
enum fanin_status fi_start(fanin_model *model, const struct fanin_model_options *options,
                           const struct fi_start_data *data);

/* A residual branch: what lies between a fork and the sum that ends it. */
struct fi_branch {
    int sum, last; /* the sum, and its input that the branch gives */
    int layers;    /* with weights, on its longest way */
};
struct fi_branches {
    struct fi_branch *items;
    int n;
    int *of_node; /* per node: its innermost branch, -1: none */
};
enum fanin_status fi_branches_find(struct fi_branches *out, struct fi_arena *arena,
                                   const fanin_net *net);
/* The weights of a node; NULL: none. */
const struct fi_param *fi_weight_of(const fanin_net *net, int node);
/* Marks the layers with weights that are nearest to `node`, going back on every way. */
void fi_last_layers(const fanin_net *net, int node, uint8_t *last);

/* 1 / sqrt(E[f(z)^2]), z ~ N(0, 1), of an activation by name, by quadrature; "linear": 1. Errors:
 * ARGUMENT (no activation, or one that gives only 0). */
enum fanin_status fi_activation_gain(fanin_ctx *ctx, const char *name, double *gain);
/* Computes the gains that the rule's attributes give by name, into a copy of the attributes. *why
 * (or NULL) gets a remark on each. */
enum fanin_status fi_gains_resolve(struct fi_arena *arena, struct fanin_rule_ref *rule,
                                   const char **why);

#endif
