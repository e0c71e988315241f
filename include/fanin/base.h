/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status codes, the context, versions.
 *
 * A context owns everything that other libraries keep in globals: the allocator, the threads, the
 * processor tier, the log and the last error message. Objects made from a context must be freed
 * before it. One context serves one thread at a time; different contexts are independent.
 *
 * Conventions of the whole API: out-parameters come first; what is returned through `**out` belongs
 * to the caller and has a matching _free (which accepts NULL); a returned pointer is borrowed from
 * the object it came from. On failure *out is NULL and the message waits in fanin_errmsg().
 */
#ifndef FANIN_BASE_H
#define FANIN_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(FANIN_BUILD_SHARED)
#define FANIN_API __attribute__((visibility("default")))
#else
#define FANIN_API
#endif

#define FANIN_VERSION_MAJOR 0
#define FANIN_VERSION_MINOR 1
#define FANIN_VERSION_PATCH 0
#define FANIN_VERSION "0.1.0"

enum fanin_status {
    FANIN_OK = 0,
    FANIN_ERR_ARGUMENT,    /* a call that breaks the documented contract */
    FANIN_ERR_MEMORY,      /* an allocation failed, or a size would overflow */
    FANIN_ERR_IO,          /* a file could not be opened, read or written */
    FANIN_ERR_DATA,        /* a data or model file is not what it claims to be */
    FANIN_ERR_RECIPE,      /* a recipe, option or attribute is wrong */
    FANIN_ERR_SHAPE,       /* shapes of nodes, data or labels do not fit */
    FANIN_ERR_SYMMETRIC,   /* hidden units start equal and can never part, or never move */
    FANIN_ERR_DIVERGED,    /* a loss, parameter or activation is not finite any more */
    FANIN_ERR_STOPPED,     /* training was asked to stop (fanin_stop) */
    FANIN_ERR_UNSUPPORTED, /* this processor or this build cannot do it */
    FANIN_ERR_INTERNAL     /* the operating system refused something that should not fail */
};

typedef struct fanin_ctx fanin_ctx;

/* Replaceable allocator. alloc returns memory aligned to `align` (a power of two) or NULL. */
struct fanin_allocator {
    void *(*alloc)(void *payload, size_t bytes, size_t align);
    void (*free)(void *payload, void *memory);
    void *payload;
};

enum fanin_log_level { FANIN_LOG_DEBUG, FANIN_LOG_INFO, FANIN_LOG_WARN };
typedef void (*fanin_log_fn)(void *payload, enum fanin_log_level level, const char *line);

/* Set size to sizeof(struct fanin_ctx_options); a zero field means its default. */
struct fanin_ctx_options {
    size_t size;
    int threads;                      /* 0: FANIN_THREADS, else the processors we may use */
    const char *isa;                  /* portable, avx2, avx512; NULL: FANIN_ISA, else the best */
    struct fanin_allocator allocator; /* alloc == NULL: the C library's */
    fanin_log_fn log;                 /* NULL: silent */
    void *log_payload;
};

/* Creates a context. options may be NULL. Without a context there is no message, so this one call
 * leaves its message in `error` (cut to error_size; may be NULL).
 * Errors: ARGUMENT, MEMORY, UNSUPPORTED (the processor lacks the tier asked for), INTERNAL. */
FANIN_API enum fanin_status fanin_ctx_create(fanin_ctx **out,
                                             const struct fanin_ctx_options *options, char *error,
                                             size_t error_size);
FANIN_API void fanin_ctx_free(fanin_ctx *ctx);

/* The message of the last failed call on this context, one line, "" if none. Borrowed. */
FANIN_API const char *fanin_errmsg(const fanin_ctx *ctx);
/* One mistake in a recipe, as fanin_errmsg would tell it, in parts. */
struct fanin_mistake {
    const char *source;  /* the file, or "--set path=value" */
    int line;            /* 0: no line, an override */
    const char *key;     /* "optim.sgd.momentum"; "" where no key is to blame */
    const char *message; /* without source and line */
};
/* All mistakes for which the last call that read a recipe, or built its model, was refused, in the
 * order of the lines; fanin_errmsg is the first of them. At most 100 are kept. Returns their
 * number, 0 if the last failure was another one. Borrowed until the next call on this context. */
FANIN_API int fanin_mistakes(const fanin_ctx *ctx, const struct fanin_mistake **out);
/* The word for a status ("recipe", "shape", …). Static. */
FANIN_API const char *fanin_status_name(enum fanin_status status);

FANIN_API int fanin_threads(const fanin_ctx *ctx);
/* The processor tier in use: "portable", "avx2" or "avx512". Static. */
FANIN_API const char *fanin_isa(const fanin_ctx *ctx);
/* FANIN_VERSION of the library that was linked. */
FANIN_API const char *fanin_version(void);
/* Name and version of the compiler that built the library. */
FANIN_API const char *fanin_compiler(void);

/* Asks a running training to stop after the step it is in. Async-signal-safe. */
FANIN_API void fanin_stop(fanin_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
