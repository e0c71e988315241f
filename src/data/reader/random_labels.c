/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random labels over the inputs of another source: what a net learns of them it has memorized
 * (Zhang, Bengio, Hardt, Recht & Vinyals 2017, "Understanding deep learning requires rethinking
 * generalization"). Each sample's label is replaced, with probability `fraction`, by one drawn
 * uniformly from all classes.
 */
#include <string.h>

#include "data/reader/reader.h"

struct random_labels {
    struct fanin_rule_ref source;
    double fraction;
    int64_t classes;
};

/* The source given, else the one whose suffix fits the path, else the digits. */
static enum fanin_status find_source(const struct fi_read_request *r,
                                     struct fanin_rule_ref *source) {
    *source = ((const struct random_labels *)r->attrs)->source;
    if (source->record) return FANIN_OK;
    if (r->path) {
        const struct fi_reader *reader = fi_reader_for_path(r->ctx, r->path);
        if (!reader)
            return fi_fail(r->ctx, FANIN_ERR_RECIPE,
                           "random_labels: cannot tell the format of '%s' from its name; give "
                           "`source`",
                           r->path);
        source->record = &reader->head;
    } else {
        source->record = fanin_record_find(r->ctx, "reader", "digits");
    }
    return fi_attrs_parse(r->arena, &source->attrs, source->record, NULL, 0,
                          "data.random_labels.source");
}

static enum fanin_status read_random_labels(struct fi_read_request *r, struct fi_table *out) {
    const struct random_labels *a = r->attrs;
    const uint64_t key = fi_key(r->seed, "random_labels", fi_part_name(r->part));
    struct fanin_rule_ref source;
    FI_TRY(find_source(r, &source));
    const struct fi_reader *reader = (const struct fi_reader *)source.record;
    struct fi_read_request inner = *r;
    inner.attrs = source.attrs;
    inner.labels_optional = true;
    int64_t classes = r->like ? r->like->n_outputs : a->classes;
    if (a->fraction == 1 && classes > 0) inner.labels_path = NULL; /* nothing of them is used */
    FI_TRY(fi_reader_call(reader, &inner, out));
    r->schema_out = inner.schema_out;
    memcpy(r->holds, inner.holds, sizeof r->holds);
    if (out->task != FANIN_CLASSIFICATION && (classes == 0 || a->fraction < 1))
        return fi_fail(r->ctx, FANIN_ERR_RECIPE,
                       "random_labels: the source %s has no classes; give `classes` and leave "
                       "`fraction` at 1",
                       reader->head.name);
    if (classes == 0) classes = out->n_outputs;
    if (out->task == FANIN_CLASSIFICATION && classes < out->n_outputs && a->fraction < 1)
        return fi_fail(r->ctx, FANIN_ERR_RECIPE,
                       "random_labels: classes is %lld but labels kept from the source go up to "
                       "%lld",
                       (long long)classes, (long long)out->n_outputs - 1);
    if (out->task != FANIN_CLASSIFICATION || classes != out->n_outputs) out->output_names = NULL;
    if (!out->labels) out->labels = fi_arena_alloc(r->arena, out->n, sizeof(*out->labels));
    if (!out->labels) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < out->n; i++) {
        if (fi_random53(key, (uint64_t)i, 0) >= a->fraction) continue;
        out->labels[i] = (int32_t)(fi_random53(key, (uint64_t)i, 1) * (double)classes);
    }
    out->task = FANIN_CLASSIFICATION;
    out->targets = NULL;
    out->n_outputs = classes;
    out->describe = fi_arena_printf(r->arena, "%s; %g%% of the labels drawn at random",
                                    out->describe, 100 * a->fraction);
    return out->describe ? FANIN_OK : FANIN_ERR_MEMORY;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_RULE(struct random_labels, source, "reader",
                 "where the inputs come from; default: told from the path, else digits"),
    FI_ATTR_REAL(struct random_labels, fraction, 1, 0, 1, "share of the labels that is replaced",
                 0),
    FI_ATTR_INT(struct random_labels, classes, 0, 0, 65536,
                "number of classes; 0: as many as the source has", 0),
    FI_ATTR_END};

FI_RECORD(reader, random_labels) = {
    .head = {.name = "random_labels",
             .formula = "label ~ U{0, ..., classes - 1} with probability fraction, else as it was",
             .reference = "Zhang, Bengio, Hardt, Recht & Vinyals 2017, arXiv:1611.03530",
             .help = "The inputs of another source with labels that mean nothing.",
             .attrs = specs,
             .attrs_size = sizeof(struct random_labels)},
    .read = read_random_labels,
};
