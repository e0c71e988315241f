/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a part of a data set holds, for people: ranges of columns and sizes of classes. Raw numbers,
 * as they came; a missing number is a NaN in the table.
 */
#include <math.h>

#include "data/data.h"

void fanin_data_column(const fanin_data *data, enum fanin_part part, int64_t index,
                       struct fanin_column_info *out) {
    const struct fi_part *p = &data->parts[part];
    *out = (struct fanin_column_info){.min = NAN, .max = NAN, .mean = NAN};
    if (!p->table) return;
    const struct fi_table *t = p->table;
    double sum = 0;
    if (t->vocabulary) out->vocabulary = t->vocabulary[index];
    if (t->input_names) out->name = t->input_names[index];
    for (int64_t i = 0; i < p->n; i++) {
        int64_t at = fi_part_row(p, i) * t->shape.cols + index;
        double value = t->u8 ? (double)t->u8[at] : (double)t->f32[at];
        if (isnan(value)) {
            out->missing++;
            continue;
        }
        sum += value;
        out->min = fmin(out->min, value); /* of a NaN and a number, the number */
        out->max = fmax(out->max, value);
    }
    if (p->n > out->missing) out->mean = sum / (double)(p->n - out->missing);
}

int64_t fanin_data_class_rows(const fanin_data *data, enum fanin_part part, int64_t class_index) {
    const struct fi_part *p = &data->parts[part];
    int64_t count = 0;
    if (!p->table || !p->table->labels) return 0;
    for (int64_t i = 0; i < p->n; i++) count += p->table->labels[fi_part_row(p, i)] == class_index;
    return count;
}

enum fanin_status fanin_data_get(const fanin_data *data, enum fanin_part part, int64_t first,
                                 int64_t n, float *x, int32_t *labels, float *targets) {
    const struct fi_part *p = &data->parts[part];
    if (first < 0 || n < 0 || n > p->n - first)
        return fi_fail(data->ctx, FANIN_ERR_ARGUMENT, "the %s part has %lld samples",
                       fi_part_name(part), (long long)p->n);
    for (int64_t i = 0; i < n; i++) {
        const struct fi_table *t = p->table;
        const int64_t row = fi_part_row(p, first + i), cols = t->shape.cols;
        for (int64_t c = 0; c < cols && x; c++)
            x[i * cols + c] = t->u8 ? (float)t->u8[row * cols + c] : t->f32[row * cols + c];
        if (labels && t->labels) labels[i] = t->labels[row];
        for (int64_t c = 0; c < t->n_outputs && targets && t->targets; c++)
            targets[i * t->n_outputs + c] = t->targets[row * t->n_outputs + c];
    }
    return FANIN_OK;
}
