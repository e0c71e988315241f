/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every floor stands on: errors, memory, hashing, text.
 *
 * Memory: every allocation goes through the context (so that a test can make any one of them fail)
 * and is 64-byte aligned. Objects own an arena; freeing an object is freeing its arena, so a failed
 * set-up has nothing to unwind.
 */
#ifndef FI_BASE_H
#define FI_BASE_H

#include <fanin/record.h>
#include <stdarg.h>
#include <stdbool.h>

typedef fanin_real fi_real;

#define FI_ALIGN 64
#define FI_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define FI_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FI_MAX(a, b) ((a) > (b) ? (a) : (b))
#define FI_TRY(call)                                                                               \
    do {                                                                                           \
        enum fanin_status try_status_ = (call);                                                    \
        if (try_status_ != FANIN_OK) return try_status_;                                           \
    } while (0)

/* ---- errors: code and message are set together, only here ------------------------------------ */

/* Sets the message and returns `code`. */
enum fanin_status fi_fail(fanin_ctx *ctx, enum fanin_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum fanin_status fi_failv(fanin_ctx *ctx, enum fanin_status code, const char *format,
                           va_list args);
/* "out of memory: <what> needs <bytes> bytes" */
enum fanin_status fi_fail_memory(fanin_ctx *ctx, const char *what, size_t bytes);
/* These return what they are given. Said here, so that compilers and analyzers, which see one file
 * at a time, know that a failure never looks like FANIN_OK. */
static inline enum fanin_status fi_given(enum fanin_status code, enum fanin_status same) {
    (void)same;
    return code;
}
#define fi_fail(ctx, code, ...) fi_given(code, fi_fail(ctx, code, __VA_ARGS__))
#define fi_fail_memory(ctx, what, bytes)                                                           \
    fi_given(FANIN_ERR_MEMORY, fi_fail_memory(ctx, what, bytes))
void fi_tell(fanin_ctx *ctx, enum fanin_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- checked sizes --------------------------------------------------------------------------- */

/* false: the result does not fit (or an operand is negative); *out is then 0. */
bool fi_mul(int64_t a, int64_t b, int64_t *out);
bool fi_add(int64_t a, int64_t b, int64_t *out);

/* ---- memory ---------------------------------------------------------------------------------- */

/* count × size zeroed bytes, 64-byte aligned; NULL on failure, with the message set. size must not
 * be 0; count 0 gives a valid pointer. */
void *fi_alloc(fanin_ctx *ctx, int64_t count, size_t size);
void fi_free(fanin_ctx *ctx, void *memory);

struct fi_arena {
    fanin_ctx *ctx;
    struct fi_arena_block *last;
};
void fi_arena_init(struct fi_arena *arena, fanin_ctx *ctx);
void *fi_arena_alloc(struct fi_arena *arena, int64_t count, size_t size);
char *fi_arena_strdup(struct fi_arena *arena, const char *text);
char *fi_arena_printf(struct fi_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void fi_arena_free(struct fi_arena *arena);

/* Grows *array (of `size`-byte members, `*cap` of them) so that it holds `need`. The old memory
 * stays in the arena until it is freed; growth doubles, so that is at most as much again. */
enum fanin_status fi_arena_grow(struct fi_arena *arena, void **array, int64_t *cap, int64_t need,
                                size_t size);

/* A growing text. After a failed append `failed` is true and the text is unchanged. */
struct fi_text {
    fanin_ctx *ctx;
    char *data;
    size_t length, cap;
    bool failed;
};
void fi_text_init(struct fi_text *text, fanin_ctx *ctx);
void fi_text_add(struct fi_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void fi_text_free(struct fi_text *text);

/* ---- several mistakes at once: a recipe is read to its end -------------------------------------- */

#define FI_MISTAKES_MAX 100
struct fi_mistakes {
    struct fi_arena arena;
    struct fanin_mistake *items;
    int64_t n, cap;
    bool open;
};
/* Forgets what was gathered, and gathers from now on. */
void fi_mistakes_open(fanin_ctx *ctx);
/* While open: notes a mistake, but for one that was noted already. source, message: copied. */
void fi_mistakes_add(fanin_ctx *ctx, const char *source, int line, const char *message);
/* Whether to go on with the next member behind `status`. *first keeps the first failure; the
 * mistakes just noted that have no key yet get this one. false: not gathering, too many, or a
 * failure that is no mistake, which is then *first. */
bool fi_mistakes_go_on(fanin_ctx *ctx, enum fanin_status *first, enum fanin_status status,
                       const char *key);
/* Sorts what was gathered and makes the first the message. Returns `status`. */
enum fanin_status fi_mistakes_close(fanin_ctx *ctx, enum fanin_status status);

/* ---- 16-bit floating-point numbers of files ------------------------------------------------------ */

float fi_from_half(uint16_t bits);   /* IEEE binary16 */
float fi_from_bfloat(uint16_t bits); /* the upper half of a float */

/* ---- hashing, names -------------------------------------------------------------------------- */

/* 64-bit mixing of one word into a hash; fi_hash_text is the hash of a text. Fixed for ever: random
 * numbers are keyed by them. */
uint64_t fi_hash_mix(uint64_t hash, uint64_t word);
uint64_t fi_hash_text(const char *text);
/* The key of a stream of random numbers: purpose ("init", "dropout", "order"), name of node or
 * tensor. */
uint64_t fi_key(uint64_t seed, const char *purpose, const char *name);

/* ---- Philox 4x32-10 (Salmon et al. 2011) ------------------------------------------------------ */

/* out = the four words of block `block` of stream (key, step). */
void fi_philox(uint64_t key, uint64_t step, uint64_t block, uint32_t out[4]);
/* A keyed permutation: the image of `index` in [0, n). Cycle-walking Feistel network over Philox.
 */
uint64_t fi_permute(uint64_t key, uint64_t epoch, uint64_t index, uint64_t n);
/* Uniform in [0, 1) with 53 bits, from two words. */
double fi_uniform53(uint32_t hi, uint32_t lo);

/* ---- time ------------------------------------------------------------------------------------ */

/* Seconds of a clock that only goes forward. */
double fi_seconds(void);

/* ---- threads --------------------------------------------------------------------------------- */

/* Runs fn(arg, i) for i in [0, n) on the pool and the caller; returns when all are done. The tasks
 * are the same for any number of threads. `flops` is the whole region's arithmetic: below the
 * threshold it runs on the caller. Not reentrant: inside a task it runs serially. */
void fi_region(fanin_ctx *ctx, int64_t n, double flops, void (*fn)(void *arg, int64_t i),
               void *arg);
static inline void fi_parallel(fanin_ctx *ctx, int64_t n, double flops,
                               void (*fn)(void *arg, int64_t i), void *arg) {
    if (n == 1) /* the rule in a small net: a plain call, mostly in line */
        fn(arg, 0);
    else
        fi_region(ctx, n, flops, fn, arg);
}

/* ---- the context ----------------------------------------------------------------------------- */

struct fi_pool;
struct fi_kernels;

struct fanin_ctx {
    struct fanin_allocator allocator;
    fanin_log_fn log;
    void *log_payload;
    struct fi_pool *pool; /* NULL: one thread */
    int threads;
    int tier; /* index into the record tables */
    const struct fi_kernels *kernels;
    const struct fanin_op **own_ops; /* registered by the program */
    int64_t n_own_ops, cap_own_ops;
    struct fi_arena arena;
    struct fi_mistakes mistakes;
    _Atomic int stop; /* set from other threads and from signal handlers */
    char message[1024];
};

/* ---- records --------------------------------------------------------------------------------- */

/* FANIN_RECORD(op, relu) = {...}; defines fi_op_relu, once per tier where the folder is compiled
 * so. */
#define FI_PASTE3_(a, b, c) fi_##a##_##b##_##c
#define FI_PASTE3(a, b, c) FI_PASTE3_(a, b, c)
#define FI_PASTE2_(a, b) fi_##a##_##b
#ifdef FI_TIER
#define FI_RECORD(kind, name)                                                                      \
    extern const struct FI_STRUCT_(kind) FI_PASTE3(kind, name, FI_TIER);                           \
    const struct FI_STRUCT_(kind) FI_PASTE3(kind, name, FI_TIER)
#else
#define FI_RECORD(kind, name)                                                                      \
    extern const struct FI_STRUCT_(kind) FI_PASTE2_(kind, name);                                   \
    const struct FI_STRUCT_(kind) FI_PASTE2_(kind, name)
#endif
#define FI_STRUCT_(kind) FI_STRUCT_##kind
#define FI_STRUCT_op fanin_op
#define FI_STRUCT_loss fi_loss
#define FI_STRUCT_init fi_init
#define FI_STRUCT_reg fi_reg
#define FI_STRUCT_optim fi_optim
#define FI_STRUCT_schedule fi_schedule
#define FI_STRUCT_constraint fi_constraint
#define FI_STRUCT_average fi_average
#define FI_STRUCT_metric fi_metric
#define FI_STRUCT_reader fi_reader
#define FI_STRUCT_format fi_format
#define FI_STRUCT_report fi_report
#define FI_STRUCT_finding fi_finding
#define FI_STRUCT_probe fi_probe
#define FI_STRUCT_plot fi_plot

/* Resolves a rule: finds the record of `kind` (error names the nearest) and parses the attributes
 * into a fresh struct of the arena. `where` begins the message: "recipe.yaml: net.dense1.init"; the
 * line of the rule or attribute, if any, is put in. */
enum fanin_status fi_rule_resolve(struct fi_arena *arena, struct fanin_rule_ref *out,
                                  const char *kind, const struct fanin_rule *rule,
                                  const char *where);
/* Parses attributes for a record that was found. */
enum fanin_status fi_attrs_parse(struct fi_arena *arena, const void **out,
                                 const struct fanin_record *record, const struct fanin_attr *attrs,
                                 int64_t n, const char *where);

/* The place of `text` among words "a|b|c", -1: it is none of them. */
int fi_word_index(const char *words, const char *text);

/* Spec helpers for record files: FI_ATTR_INT(struct dense, units, 0, 1, 1e9, "help", flags). */
#define FI_ATTR_BOOL(type, field, def, help)                                                       \
    { #field, FANIN_ATTR_BOOL, offsetof(type, field), def, 0, 1, NULL, help, 0 }
#define FI_ATTR_INT(type, field, def, min, max, help, flags)                                       \
    { #field, FANIN_ATTR_INT, offsetof(type, field), def, min, max, NULL, help, flags }
#define FI_ATTR_REAL(type, field, def, min, max, help, flags)                                      \
    { #field, FANIN_ATTR_REAL, offsetof(type, field), def, min, max, NULL, help, flags }
#define FI_ATTR_CHOICE(type, field, def, words, help)                                              \
    { #field, FANIN_ATTR_CHOICE, offsetof(type, field), def, 0, 0, words, help, 0 }
#define FI_ATTR_STRING(type, field, def, help, flags)                                              \
    { #field, FANIN_ATTR_STRING, offsetof(type, field), 0, 0, 0, def, help, flags }
#define FI_ATTR_RULE(type, field, kind, help)                                                      \
    { #field, FANIN_ATTR_RULE, offsetof(type, field), 0, 0, 0, kind, help, FANIN_ATTR_NULLABLE }
#define FI_ATTR_LIST(type, field, help, flags)                                                     \
    { #field, FANIN_ATTR_LIST, offsetof(type, field), 0, 0, 0, NULL, help, flags }
/* The same with bounds of each number, or one of `words` instead. */
#define FI_ATTR_LIST_OR(type, field, words, min, max, help, flags)                                 \
    { #field, FANIN_ATTR_LIST, offsetof(type, field), 0, min, max, words, help, flags }
#define FI_ATTR_GAIN(type, field, def, min, max, help, flags)                                      \
    { #field, FANIN_ATTR_GAIN, offsetof(type, field), def, min, max, NULL, help, flags }
#define FI_ATTR_TEXTS(type, field, help)                                                           \
    { #field, FANIN_ATTR_TEXTS, offsetof(type, field), 0, 0, 0, NULL, help, 0 }
/* One of the words for all names, or a map {name: word}; `def` is what is told as the default. */
#define FI_ATTR_WORDS(type, field, def, words, help)                                               \
    { #field, FANIN_ATTR_TEXTS, offsetof(type, field), def, 0, 0, words, help, 0 }
/* A map {name: text}. */
#define FI_ATTR_MAP(type, field, help)                                                             \
    { #field, FANIN_ATTR_TEXTS, offsetof(type, field), 0, 0, 0, "", help, 0 }
#define FI_ATTR_END                                                                                \
    { NULL, FANIN_ATTR_BOOL, 0, 0, 0, 0, NULL, NULL, 0 }

#endif
