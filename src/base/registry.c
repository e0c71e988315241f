/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: records by kind and name, from the generated tables, and the program's own ops.
 *
 * Without a context (NULL) it knows the records of the portable tier: heads are the same in every
 * tier, so listings need no context. A program's own ops come to what is there and never replace
 * it.
 */
#include <string.h>

#include "base/tables.h"

static int kind_index(const char *kind) {
    for (int i = 0; kind && i < FI_KINDS; i++)
        if (strcmp(fi_kinds[i], kind) == 0) return i;
    return -1;
}

const char *fanin_kind(int index) {
    return index >= 0 && index < FI_KINDS ? fi_kinds[index] : NULL;
}

/* The records of the library. */
static const struct fanin_record *const *built_in(const fanin_ctx *ctx, int kind) {
    return fi_tiers[ctx ? ctx->tier : 0].records[kind];
}

static int64_t own_count(const fanin_ctx *ctx, const char *kind) {
    return ctx && strcmp(kind, "op") == 0 ? ctx->n_own_ops : 0;
}

const struct fanin_record *fanin_record_at(const fanin_ctx *ctx, const char *kind, int index) {
    int k = kind_index(kind);
    if (k < 0 || index < 0) return NULL;
    /* Both lists are sorted: merge them up to the index. */
    const struct fanin_record *const *built = built_in(ctx, k);
    int64_t own = 0, n_own = own_count(ctx, kind);
    for (;;) {
        const struct fanin_record *next = *built;
        if (own < n_own && (!next || strcmp(ctx->own_ops[own]->head.name, next->name) < 0))
            next = &ctx->own_ops[own++]->head;
        else if (next)
            built++;
        if (!next || index-- == 0) return next;
    }
}

/* Whether `name` is one of the words of `aliases`. */
static bool is_alias(const char *aliases, const char *name) {
    size_t length = strlen(name);
    while (aliases && *aliases) {
        size_t word = strcspn(aliases, " ");
        if (word == length && length > 0 && memcmp(aliases, name, length) == 0) return true;
        aliases += word;
        aliases += strspn(aliases, " ");
    }
    return false;
}

static bool answers_to(const struct fanin_record *record, const char *name) {
    return strcmp(record->name, name) == 0 || is_alias(record->aliases, name);
}

const struct fanin_record *fanin_record_find(const fanin_ctx *ctx, const char *kind,
                                             const char *name) {
    int k = kind_index(kind);
    if (k < 0 || !name) return NULL;
    for (const struct fanin_record *const *r = built_in(ctx, k); *r; r++)
        if (answers_to(*r, name)) return *r;
    for (int64_t i = 0; i < own_count(ctx, kind); i++)
        if (answers_to(&ctx->own_ops[i]->head, name)) return &ctx->own_ops[i]->head;
    return NULL;
}

/* ---- own ops ------------------------------------------------------------------------------------- */

/* What a recipe, a file and a message can hold as a name: a letter, then letters, digits and '_'.
 */
static bool is_name(const char *name) {
    if (!name || !((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z'))) return false;
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] ==
           '\0';
}

/* What the op lacks, or NULL. */
static const char *missing(const struct fanin_op *op) {
    if (!is_name(op->head.name)) return "a name of letters, digits and '_'";
    if (op->head.attrs && op->head.attrs_size == 0) return "the size of its attributes";
    if (!op->infer) return "infer";
    bool elementwise = op->flags & FANIN_OP_ELEMENTWISE;
    if (elementwise ? !op->forward_block : !op->forward) return "a forward function";
    if (!(op->flags & FANIN_OP_NO_GRADIENT) && (elementwise ? !op->backward_block : !op->backward))
        return "a backward function (or FANIN_OP_NO_GRADIENT)";
    return NULL;
}

enum fanin_status fanin_register_op(fanin_ctx *ctx, const struct fanin_op *op) {
    if (!ctx || !op) return fi_fail(ctx, FANIN_ERR_ARGUMENT, "fanin_register_op: no op given");
    const char *lack = missing(op);
    if (lack)
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "own op '%s' lacks %s",
                       op->head.name ? op->head.name : "", lack);
    if (fanin_record_find(ctx, "op", op->head.name))
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "own op '%s': there is an op of this name already",
                       op->head.name);
    void *ops = ctx->own_ops;
    FI_TRY(fi_arena_grow(&ctx->arena, &ops, &ctx->cap_own_ops, ctx->n_own_ops + 1,
                         sizeof ctx->own_ops[0]));
    ctx->own_ops = ops;
    int64_t at = ctx->n_own_ops++;
    for (; at > 0 && strcmp(ctx->own_ops[at - 1]->head.name, op->head.name) > 0; at--)
        ctx->own_ops[at] = ctx->own_ops[at - 1];
    ctx->own_ops[at] = op;
    return FANIN_OK;
}
