/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: how an op, loss, initializer, regularizer, … describes itself.
 *
 * One record is one `.c` file that ends in one constant. Everything else (recipes, listings, help,
 * saved files, bounds, tests) is generic over the head that all records share. This header is the
 * extension API: a program adds its own op by filling a `struct fanin_op` and calling
 * fanin_register_op(). Its layout may change between minor versions.
 */
#ifndef FANIN_RECORD_H
#define FANIN_RECORD_H

#include <fanin/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number type of kernels: float. The tests compile the same sources with double. */
#ifdef FANIN_REAL_DOUBLE
typedef double fanin_real;
#else
typedef float fanin_real;
#endif

#define FANIN_MAX_RANK 8
#define FANIN_MAX_INPUTS 8
#define FANIN_MAX_PARAMS 8

/* ---- values given to a record ------------------------------------------------------------- */

struct fanin_rule;

/* A text, and what it is for where it came out of a map; name NULL: out of a list. */
struct fanin_named_text {
    const char *name, *text;
};

/* A named value. At most one of text, rule, list, texts is set, else the value is `number`
 * (booleans are 0 and 1) or null. `line` is the recipe line, 0 if none. */
struct fanin_attr {
    const char *name;
    double number;
    const char *text;
    const struct fanin_rule *rule;
    const double *list;
    int64_t n_list;
    const struct fanin_named_text *texts;
    int64_t n_texts;
    int line;
    int is_null;
};

/* A record chosen by name, with its attributes: `{dropout: {rate: 0.5}}`. An attribute whose name
 * is NULL is the positional one: `dropout: 0.5`. */
struct fanin_rule {
    const char *name;
    const struct fanin_attr *attrs;
    int64_t n_attrs;
    int line;
};

enum fanin_attr_type {
    FANIN_ATTR_BOOL,   /* field: bool (int) */
    FANIN_ATTR_INT,    /* field: int64_t */
    FANIN_ATTR_REAL,   /* field: double */
    FANIN_ATTR_CHOICE, /* field: int, index into the words of `text`, "fan_in|fan_out" */
    FANIN_ATTR_STRING, /* field: const char *, default `text` */
    FANIN_ATTR_RULE,   /* field: struct fanin_rule_ref; `text` names the kind, "init" */
    FANIN_ATTR_LIST,   /* field: struct fanin_list; `text`: words allowed instead, "a|b" */
    FANIN_ATTR_GAIN,   /* field: struct fanin_gain: a number, or an activation's name */
    /* field: struct fanin_texts. A list of texts, also written as one text with commas; or, where
     * `text` holds words "a|b|c", one of them for all or a map {name: word}; where it is "", a map
     * {name: text}. */
    FANIN_ATTR_TEXTS
};

/* Numbers, or one of the words the spec's `text` allows instead ("balanced"); n is 0 then. */
struct fanin_list {
    const double *values;
    int64_t n;
    const char *word;
};

/* Texts in the order they were given; n == 0: nothing was. */
struct fanin_texts {
    const struct fanin_named_text *items;
    int64_t n;
};

/* A factor on a standard deviation: `value`, or the gain of the activation `name`, whose value is
 * NaN until the start computes it. NULL name: given as a number. */
struct fanin_gain {
    double value;
    const char *name;
};

/* One attribute a record takes. The parsed value lands in the record's attribute struct at
 * `offset`. The first attribute of a record is the positional one. A list of specs ends with name
 * == NULL. */
struct fanin_attr_spec {
    const char *name;
    enum fanin_attr_type type;
    size_t offset;
    double def, min, max; /* bounds are inclusive; for CHOICE, def is the index */
    const char *text;
    const char *help;
    unsigned flags; /* FANIN_ATTR_REQUIRED, FANIN_ATTR_NULLABLE, FANIN_ATTR_ABOVE_MIN */
};
#define FANIN_ATTR_REQUIRED 1u
#define FANIN_ATTR_NULLABLE 2u  /* null is allowed: NaN (REAL, GAIN), INT64_MIN (INT) */
#define FANIN_ATTR_ABOVE_MIN 4u /* min itself is refused */
#define FANIN_ATTR_BELOW_MAX 8u /* max itself is refused */
/* What a recipe's layer that reads the data takes from their index columns where it is left out:
 * which they are (LIST), how many values each has (LIST), that 0 is for unknown values (BOOL). */
#define FANIN_ATTR_COLUMNS 16u
#define FANIN_ATTR_VOCABULARY 32u
#define FANIN_ATTR_UNKNOWN 64u

/* The head every record begins with. */
struct fanin_record {
    const char *name;      /* as written in a recipe */
    const char *aliases;   /* other names, "glorot_uniform", separated by spaces; or NULL */
    const char *formula;   /* one line */
    const char *reference; /* paper and equation, or "definition" */
    const char *help;      /* one sentence for fanin help */
    const struct fanin_attr_spec *attrs; /* NULL: none */
    size_t attrs_size;                   /* sizeof the attribute struct */
    /* Where a recipe names it: a line in which * stands for the name with its attributes; "":
     * nowhere. NULL: where its kind is named. */
    const char *place;
};

/* A resolved rule: the record and its parsed attributes. record == NULL: not given. */
struct fanin_rule_ref {
    const struct fanin_record *record;
    const void *attrs;
};

/* ---- what an op sees ---------------------------------------------------------------------- */

/* The shape of one sample (the batch is not counted): rank dims, their product is `cols`. */
struct fanin_shape {
    int rank;
    int64_t dims[FANIN_MAX_RANK];
    int64_t cols;
};

/* A batch of samples: rows × cols numbers, row r begins at data + r * ld. ld >= cols is a multiple
 * of 16; what stands between cols and ld is unspecified and may be overwritten. */
struct fanin_tensor {
    fanin_real *data;
    int64_t rows, cols, ld;
};

/* A rectangle of a batch: rows × cols numbers that begin at (row0, col0) of the node's output. */
struct fanin_block {
    int64_t row0, rows, col0, cols;
};

/* How a parameter is laid out in memory. A model file always holds rows × cols, row-major. */
enum fanin_layout {
    FANIN_LAYOUT_VECTOR, /* cols numbers */
    FANIN_LAYOUT_PANELS  /* a matrix (out, in) as the matrix kernel reads it: [out/32][in][32] */
};

/* What a parameter asks for; ops fill it in infer(). */
struct fanin_param_spec {
    const char *suffix; /* "weight", "bias", "running_mean" */
    enum fanin_layout layout;
    int rank;
    int64_t dims[FANIN_MAX_RANK]; /* PANELS: dims[0] = out, the product of the others = in */
    int64_t fan_in, fan_out;
    int trainable; /* 0: a statistic, saved but never updated by the optimizer */
    int decay;     /* 1: weight decay and weight penalties apply by default */
    double fill;   /* start value when `weight` is 0; NaN: start() sets it */
    int scales;    /* VECTOR: multiplies what the unit gets, so that 0 stays 0; else it is added */
    int tiled;     /* VECTOR: unit u uses number u % count; else u / (units / count): a channel's */
    int table;     /* VECTOR (rows, columns) of which a sample uses some rows: unit u has column
                    * u % dims[1], and a row whose gradient is 0 everywhere is left as it is */
    int weight;    /* 1: started by an initializer */
    struct fanin_rule_ref init; /* the initializer given on the layer, if any */
};

/* Given to infer(): the shapes that come in; it sets the shape that goes out and asks for
 * parameters and memory. A failure is reported through fail(), which returns the status to return.
 */
struct fanin_infer {
    const void *attrs;
    const char *node; /* its name, for messages */
    int n_in;
    const struct fanin_shape *in;
    struct fanin_shape out;
    struct fanin_param_spec params[FANIN_MAX_PARAMS];
    int n_params;
    int64_t run; /* MIXES: units depend on their own run of this many; 0: on all of the sample */
    size_t state_bytes_per_cell;  /* bytes kept from forward to backward, times batch × ld cells */
    size_t state_bytes_per_row;   /* the same, times the batch; stands behind those of the cells */
    size_t state_bytes;           /* fixed bytes kept from forward to backward (zeroed once) */
    size_t scratch_bytes_per_row; /* working memory of one call, times the batch rounded up to 32 */
    size_t scratch_bytes;
    enum fanin_status (*fail)(const struct fanin_infer *io, const char *format, ...);
    void *internal;
};

/* One parameter at run time. */
struct fanin_param_view {
    fanin_real *w;  /* in its layout */
    fanin_real *dw; /* gradient in the same layout, or NULL: hand finished ranges to fanin_emit() */
    int64_t out, in;
    int accumulate; /* with dw: 1 adds to what is there, 0 overwrites */
    int index;
    int frozen; /* 1: nobody wants its gradient; what is handed to fanin_emit() is dropped */
};

struct fanin_step;

/* Called with g[0..n): the finished gradient of w[offset..offset+n) of parameter `index`. It may
 * run the optimizer at once. g is scratch afterwards. */
typedef void (*fanin_emit_fn)(const struct fanin_step *s, int index, int64_t offset, int64_t n,
                              fanin_real *g);

/* What forward() and backward() work on. All memory is there; nothing may be allocated. */
struct fanin_step {
    const void *attrs;
    int training;  /* 1: dropout drops, batch norm uses the batch */
    int64_t rows;  /* samples in this call */
    int64_t row0;  /* the first one's index in the global batch */
    uint64_t step; /* counts updates from 0; part of every random number's counter */
    uint64_t key;  /* hash of (seed, purpose, node name) */
    /* Not NULL: the switches of an op that has some, 1 on and 0 off, the same for every sample;
     * they stand in for random numbers. */
    const uint8_t *switches;
    int pool; /* with BATCH_STATS: 1: running statistics become those of this pass so far, */
    int64_t pool_rows; /* of which so many rows came before these */
    int n_in;
    const struct fanin_tensor *x[FANIN_MAX_INPUTS];
    const struct fanin_tensor *y;
    const struct fanin_shape *x_shape[FANIN_MAX_INPUTS]; /* of one sample */
    const struct fanin_shape *shape;                     /* of a sample of y */
    const struct fanin_tensor *dy;                       /* backward only */
    const struct fanin_tensor *dx[FANIN_MAX_INPUTS]; /* NULL where nobody needs it; overwritten */
    const struct fanin_param_view *params;
    void *state;
    void *scratch; /* shared by all nodes: worth nothing after the call */
    fanin_emit_fn emit;
    void *internal; /* the engine's; threads and the fused chain behind this node */
};

/* Flags of an op. */
#define FANIN_OP_ELEMENTWISE 1u /* one input, same shape out, works on any block */
#define FANIN_OP_NO_X 2u        /* backward does not read x: the output may overwrite the input */
#define FANIN_OP_NO_Y 4u        /* backward does not read y: the next op may overwrite the output */
#define FANIN_OP_SIGN_OF_Y 8u   /* backward reads only whether y > 0 */
#define FANIN_OP_KEEPS_SIGN 16u /* where the gradient passes, the output has the input's sign */
#define FANIN_OP_STOCHASTIC 32u /* draws random numbers in training, one a unit */
#define FANIN_OP_IDENTITY_EVAL 64u /* does nothing outside training */
#define FANIN_OP_BATCH_STATS 128u  /* needs two rows or more in training */
#define FANIN_OP_NO_GRADIENT 256u  /* has no backward on purpose */
#define FANIN_OP_MIXES 512u        /* an output unit depends on other units than its own */
#define FANIN_OP_EPILOGUE 1024u    /* forward runs the elementwise chain behind it itself */
#define FANIN_OP_NORM 2048u        /* the initializer rule looks through it */
#define FANIN_OP_TRANSPARENT                                                                       \
    4096u                         /* reshape, dropout, add: the initializer rule looks through it */
#define FANIN_OP_SHIFTS 8192u     /* what is 0 before it may be other than 0 behind it */
#define FANIN_OP_PRODUCT 16384u   /* an output is 0 as soon as one of its inputs is */
#define FANIN_OP_ROW_NOISE 32768u /* STOCHASTIC, but one draw for all units of a sample */

#define FANIN_OP_SUM 65536u /* the sum of its inputs: where residual branches end */
/* Turns around unit by unit: where the inputs of a unit change sign (or, with a weight matrix, its
 * weights and what is added), so does the unit. An activation's curve tells by itself. */
#define FANIN_OP_ODD 131072u

/* An activation as a function of one number, for quadrature and for the start's analysis. */
struct fanin_curve {
    double (*f)(const void *attrs, double x);
    double (*df)(const void *attrs, double x);
    const double *kinks; /* where f or f' is not smooth */
    int n_kinks;
    const char *family; /* "relu", "tanh", … decides the default initializer; see docs */
    /* The i-th kink, where it follows from the attributes; NULL: kinks[i]. */
    double (*kink)(const void *attrs, int i);
};

/* What an op is outside training, for fanin_model_fold(). An op with FANIN_OP_IDENTITY_EVAL needs
 * none: it is left out. */
struct fanin_fold {
    int same; /* y holds the numbers of x in their order, in another shape */
    /* y = scale[c] x + shift[c], a pair for each of the channels (the first dimension of a sample).
     * params: the op's, as in a file. */
    void (*affine)(const void *attrs, const float *const *params, int64_t channels, double *scale,
                   double *shift);
    /* y = w x + b, which the op named here computes from its parameters `weight` (out, in) and
     * `bias`; it takes the attributes that the two have in common, and its own `bias: true` where a
     * bias is needed. */
    const char *linear;
    /* Computes w and b (zeroed), row-major. NULL: the op's parameters are named so too. */
    void (*matrix)(const void *attrs, const float *const *params, int64_t out, int64_t in,
                   double *w, double *b);
};

/* ---- signal propagation ------------------------------------------------------------------- */

/* What the theory of wide random nets follows from node to node, for a batch of n given samples:
 * laws over the units of an output (and over draws of the weights). */
struct fanin_signal {
    int n;
    double *mean; /* [n] mean over units, of each sample */
    double *cov;  /* [n][n] covariance over units, between samples */
    double *grad; /* [n][n] second moments over units of the gradient of the batch's loss */
};

/* The law of a parameter's numbers. */
struct fanin_param_law {
    double mean, var;
    double
        grad; /* set by signal_back: second moment of the numbers of its gradient; NaN: unknown */
};

struct fanin_signal_step {
    const void *attrs;
    int n_in;
    const struct fanin_signal *x[FANIN_MAX_INPUTS]; /* one node may stand in several places */
    const struct fanin_signal *y;
    int64_t units_in[FANIN_MAX_INPUTS], units_out; /* numbers a sample has */
    struct fanin_param_law *params;
    double *scratch; /* 4 n² numbers */
};

/* What a channel's last batch had, and what its running statistics say. Variances are unbiased. */
struct fanin_statistics {
    double batch_mean, batch_var, running_mean, running_var;
};

/* A case for the generic tests: the shapes of one sample of each input and the batch. */
struct fanin_case {
    int64_t rows;
    int n_in;
    int64_t dims[4][FANIN_MAX_RANK]; /* zero-terminated */
    const struct fanin_attr *attrs;
    int64_t n_attrs;
    double tolerance; /* relative, of the gradient check in double; 0: 1e-6 */
    /* Input 0 by columns: an index below this; 0: any number. NULL: no indexes. */
    const int64_t *indexes;
};

struct fanin_op {
    struct fanin_record head;
    unsigned flags;
    enum fanin_status (*infer)(struct fanin_infer *io);
    void (*forward)(const struct fanin_step *s);
    void (*backward)(const struct fanin_step *s);
    /* Called before a forward, or before its blocks: what is cheaper for the whole batch. May be
     * NULL. */
    void (*prepare)(const struct fanin_step *s);
    /* Elementwise ops give these instead: x, y, dy and dx point at the block's first number, rows
     * are ld apart, and x == y or dy == dx are allowed as far as the flags say. */
    void (*forward_block)(const struct fanin_step *s, const struct fanin_block *b,
                          const fanin_real *x, int64_t ldx, fanin_real *y, int64_t ldy);
    void (*backward_block)(const struct fanin_step *s, const struct fanin_block *b,
                           const fanin_real *x, int64_t ldx, const fanin_real *y, int64_t ldy,
                           const fanin_real *dy, int64_t lddy, fanin_real *dx, int64_t lddx);
    const struct fanin_curve *curve;               /* activations only */
    double (*flops)(const struct fanin_infer *io); /* forward, per sample; NULL: out.cols */
    int (*draws)(const void *attrs); /* STOCHASTIC: does it draw with these? NULL: always */
    /* Once, when a new model's weights are drawn: sets the parameters that follow from them.
     * Returns NULL, or what is wrong with the weights and what to do. May be NULL. */
    const char *(*start)(const void *attrs, const struct fanin_param_view *params);
    /* STOCHASTIC whose noise is a set of independent switches (dropout's mask): how many a sample
     * with the first input's shape has, and in *keep the probability that one is on. The op obeys
     * step->switches. NULL: noise of another kind. */
    int64_t (*switches)(const void *attrs, const struct fanin_shape *in, double *keep);
    const struct fanin_fold *fold; /* how it folds; NULL: not at all */
    /* E[m²] of what it multiplies numbers by in training (E[m] = 1); NULL: 1. What dropout_aware
     * initializers make up for. */
    double (*second_moment)(const void *attrs);
    /* The unit of input k that unit u of the output is made from; -1: none of this input. NULL: u,
     * where all shapes are of one size, or all of them (MIXES). */
    int64_t (*source)(const struct fanin_infer *io, int k, int64_t u);
    /* What training does to signals: y's mean and cov from x's; then y's grad added to x's, and the
     * parameters' (a wide layer, independent weights). NULL: the theory begins anew behind this op,
     * from what is measured. Not needed where there is a curve or a second_moment. */
    void (*signal)(const struct fanin_signal_step *s);
    void (*signal_back)(const struct fanin_signal_step *s);
    /* Unit u of input 0 is an index, a whole number from 0 to below this; 0: any number. NULL: no
     * unit is. */
    int64_t (*index_below)(const struct fanin_infer *io, int64_t u);
    /* BATCH_STATS: of channel c after a forward in training; 0: there are no more channels. NULL:
     * nothing runs along with the batch's. */
    int (*statistics)(const struct fanin_step *s, int64_t c, struct fanin_statistics *out);
    const struct fanin_case *cases;
    int n_cases;
};

/* Makes `op` known to the nets of this context, under op->head.name. The record must outlive it.
 * Errors: ARGUMENT (incomplete record, name taken). */
FANIN_API enum fanin_status fanin_register_op(fanin_ctx *ctx, const struct fanin_op *op);

/* ---- listing ------------------------------------------------------------------------------ */

/* Kinds: op loss init reg optim schedule constraint average metric reader format report finding
 * probe plot. NULL beyond the last. */
FANIN_API const char *fanin_kind(int index);
/* The index-th record of a kind in alphabetical order, NULL beyond the last. */
FANIN_API const struct fanin_record *fanin_record_at(const fanin_ctx *ctx, const char *kind,
                                                     int index);
/* By name or alias; NULL if unknown. */
FANIN_API const struct fanin_record *fanin_record_find(const fanin_ctx *ctx, const char *kind,
                                                       const char *name);
/* The member of names[0..n) nearest to `name` (edit distance at most a third of it), or NULL: for
 * "did you mean" in messages. Members may be NULL. */
FANIN_API const char *fanin_nearest(const char *name, const char *const *names, int n);

#ifdef __cplusplus
}
#endif
#endif
