/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the layers of a recipe to a net and a model, once the data are known.
 *
 * Names and attributes were checked when the recipe was read; what can still fail is that shapes do
 * not fit, and the message then begins with the line of the layer.
 */
#include <stdio.h>
#include <string.h>

#include "data/data.h"
#include "graph/graph.h"
#include "recipe/recipe.h"

static enum fanin_status fill_outputs(fanin_ctx *ctx, struct fanin_attr *attrs,
                                      const struct fi_layer *layer, int64_t outputs) {
    const struct fi_attrs *given = &layer->attrs;
    if (given->n > 0) memcpy(attrs, given->items, (size_t)given->n * sizeof *attrs);
    for (int64_t i = 0; i < given->n && i < 64; i++) {
        if (!(given->outputs >> i & 1)) continue;
        if (outputs < 1) {
            return fi_fail_at(ctx, layer->mark,
                              "net.%s: takes its %s from the data, which have no labels; give it a "
                              "number",
                              layer->name, attrs[i].name);
        }
        attrs[i].number = (double)outputs;
    }
    return FANIN_OK;
}

/* What a layer that reads the data takes from their index columns where it says nothing itself: see
 * FANIN_ATTR_COLUMNS. `lists` has room for two numbers a column of the data. */
static void fill_indexes(struct fanin_attr *attrs, int64_t *n, const struct fi_layer *layer,
                         const struct fi_table *table, double *lists) {
    const struct fanin_attr *columns = NULL;
    double *own = lists, *sizes = lists + table->shape.cols;
    int64_t n_own = 0;
    for (int64_t j = 0; j < table->shape.cols; j++)
        if (table->vocabulary[j] > 0) own[n_own++] = (double)j;
    struct fanin_attr all = {.list = own, .n_list = n_own};
    for (const struct fanin_attr_spec *s = layer->op->attrs; s && s->name; s++)
        if (s->flags & FANIN_ATTR_COLUMNS) columns = fi_attrs_find(&layer->attrs, s->name);
    const double *at = !columns ? own : columns->list ? columns->list : &columns->number;
    const int64_t n_at = !columns ? n_own : columns->list ? columns->n_list : 1;
    for (int64_t i = 0; i < n_at; i++) {
        const bool there = at[i] >= 0 && at[i] < (double)table->shape.cols;
        sizes[FI_MIN(i, table->shape.cols - 1)] = there ? table->vocabulary[(int64_t)at[i]] : 0;
    }
    for (const struct fanin_attr_spec *s = layer->op->attrs; s && s->name; s++) {
        if (fi_attrs_find(&layer->attrs, s->name)) continue;
        if (s->flags & FANIN_ATTR_COLUMNS) attrs[(*n)++] = all, attrs[*n - 1].name = s->name;
        if (s->flags & FANIN_ATTR_VOCABULARY)
            attrs[(*n)++] = (struct fanin_attr){
                .name = s->name, .list = sizes, .n_list = FI_MIN(n_at, table->shape.cols)};
        if (s->flags & FANIN_ATTR_UNKNOWN)
            attrs[(*n)++] = (struct fanin_attr){.name = s->name, .number = 1};
    }
}

#define MOST_FILLED 3 /* attributes that fill_indexes adds */
#define UNKNOWN (-1)  /* a node that could not be added */

/* nodes: indexes in the net of what was added so far; nodes[0] is the input. */
static enum fanin_status add_layer(fanin_net *net, int *nodes, const fanin_recipe *r, int index,
                                   int64_t outputs, const struct fi_table *table) {
    const struct fi_layer *layer = &r->layers.items[index];
    int inputs[FANIN_MAX_INPUTS];
    nodes[index + 1] = UNKNOWN;
    for (int i = 0; i < layer->n_inputs; i++) {
        inputs[i] = nodes[layer->inputs[i] + 1];
        if (inputs[i] == UNKNOWN) return FANIN_OK; /* what comes from there is not known either */
    }
    int64_t n = layer->attrs.n;
    const bool reads_data = layer->n_inputs == 1 && layer->inputs[0] < 0;
    struct fanin_attr *attrs = fi_alloc(r->ctx, n + MOST_FILLED, sizeof *attrs);
    double *lists = fi_alloc(r->ctx, table ? 2 * table->shape.cols : 0, sizeof *lists);
    enum fanin_status status =
        attrs && lists ? fill_outputs(r->ctx, attrs, layer, outputs) : FANIN_ERR_MEMORY;
    if (status == FANIN_OK) {
        if (table && reads_data) fill_indexes(attrs, &n, layer, table, lists);
        status = fanin_net_add(net, &nodes[index + 1], layer->op->name, layer->name, inputs,
                               layer->n_inputs, attrs, n);
        bool recipe = status == FANIN_ERR_RECIPE || status == FANIN_ERR_SHAPE;
        if (recipe) status = fi_fail_prefix(r->ctx, status, layer->mark);
    }
    fi_free(r->ctx, lists);
    fi_free(r->ctx, attrs);
    return status;
}

static enum fanin_status add_layers(fanin_net *net, const fanin_recipe *r,
                                    const struct fanin_shape *shape, int64_t outputs,
                                    const struct fi_table *table) {
    int *nodes = fi_alloc(r->ctx, r->layers.n + 1, sizeof *nodes);
    if (!nodes) return FANIN_ERR_MEMORY;
    enum fanin_status first = fanin_net_input(net, &nodes[0], NULL, shape->rank, shape->dims);
    bool goes_on = first == FANIN_OK;
    for (int i = 0; i < r->layers.n && goes_on; i++) {
        char key[80];
        (void)snprintf(key, sizeof key, "net.%s", r->layers.items[i].name);
        enum fanin_status status = add_layer(net, nodes, r, i, outputs, table);
        goes_on = fi_mistakes_go_on(r->ctx, &first, status, key);
    }
    fi_free(r->ctx, nodes);
    return first;
}

/* What the patterns ask is checked now, while the line of each is known; frees the net when they
 * fail. */
static enum fanin_status check_params(fanin_net *net, const fanin_recipe *r) {
    struct fi_policies policies;
    struct fi_arena arena;
    int bad;
    fi_arena_init(&arena, r->ctx);
    enum fanin_status status = fi_policies_create(&policies, &arena, net, &r->train, &bad);
    fi_arena_free(&arena);
    if (status == FANIN_OK) return FANIN_OK;
    fanin_net_free(net);
    struct fi_mark mark = {.source = r->root->mark.source};
    return fi_fail_prefix(r->ctx, status, bad >= 0 ? r->params.marks[bad] : mark);
}

/* Takes what `train.from` names. */
static enum fanin_status import_params(fanin_model *model, const fanin_recipe *r) {
    const struct fi_section_from *from = r->from;
    const struct fanin_import_options options = {.size = sizeof options,
                                                 .map = from->map.items,
                                                 .n_map = from->map.n,
                                                 .partial = !from->strict,
                                                 .transpose = from->transpose};
    enum fanin_status status = fanin_model_import(model, from->file, &options);
    const bool ours = status == FANIN_ERR_SHAPE || status == FANIN_ERR_RECIPE ||
                      status == FANIN_ERR_DATA || status == FANIN_ERR_IO;
    return ours ? fi_fail_prefix(r->ctx, status, r->from_mark) : status;
}

/* Index columns that no layer reads as such would be taken for amounts. */
static enum fanin_status check_indexes(const fanin_model *model, const fanin_recipe *r,
                                       const struct fi_table *table) {
    for (int64_t j = 0; table && j < table->shape.cols; j++) {
        bool read = table->vocabulary[j] == 0;
        for (int64_t i = 0; i < model->n_indexes && !read; i++)
            read = model->indexes[i].column == j;
        if (!read)
            return fi_fail_at(
                model->ctx, r->layers.items[0].mark,
                "input %lld (%s) holds indexes, but no layer reads it as such: begin the "
                "net with `embedding`, or take one input a value (csv: {categories: "
                "one_hot})",
                (long long)j, table->input_names ? table->input_names[j] : "no name");
    }
    return FANIN_OK;
}

/* The data's table if it has columns of indexes. */
static const struct fi_table *index_table(const fanin_data *data) {
    const struct fi_table *table = data ? &data->tables[FANIN_TRAIN] : NULL;
    for (int64_t j = 0; table && table->vocabulary && j < table->shape.cols; j++)
        if (table->vocabulary[j] > 0) return table;
    return NULL;
}

static struct fanin_model_options options_of(const fanin_recipe *recipe, const fanin_data *data) {
    return (struct fanin_model_options){.size = sizeof(struct fanin_model_options),
                                        .loss = recipe->loss,
                                        .init = recipe->init,
                                        .seed = recipe->train.seed,
                                        .data = data,
                                        .recipe = recipe->json,
                                        .params = recipe->params.items,
                                        .n_params = recipe->params.n};
}

enum fanin_status fi_recipe_restart(fanin_model *model, const fanin_recipe *recipe,
                                    const fanin_data *data, uint64_t seed) {
    struct fanin_model_options options = options_of(recipe, data);
    options.seed = seed;
    FI_TRY(fi_model_restart(model, &options));
    return recipe->from ? import_params(model, recipe) : FANIN_OK;
}

enum fanin_status fanin_recipe_model(fanin_model **out, const fanin_recipe *recipe,
                                     const struct fanin_shape *shape, int64_t outputs,
                                     const fanin_data *data) {
    *out = NULL;
    if (!shape) {
        return fi_fail(recipe->ctx, FANIN_ERR_ARGUMENT, "fanin_recipe_model: no shape is given");
    }
    const struct fi_table *table = index_table(data);
    fanin_net *net;
    FI_TRY(fanin_net_create(&net, recipe->ctx));
    fi_mistakes_open(recipe->ctx);
    enum fanin_status status =
        fi_mistakes_close(recipe->ctx, add_layers(net, recipe, shape, outputs, table));
    if (status != FANIN_OK) {
        fanin_net_free(net);
        return status;
    }
    FI_TRY(check_params(net, recipe));
    const struct fanin_model_options options = options_of(recipe, data);
    status = fanin_model_create(out, net, &options);
    if (status == FANIN_OK) {
        status = check_indexes(*out, recipe, table);
        if (status == FANIN_OK && recipe->from) status = import_params(*out, recipe);
        if (status != FANIN_OK) {
            fanin_model_free(*out);
            *out = NULL;
        }
        return status;
    }
    if (status != FANIN_ERR_SHAPE && status != FANIN_ERR_RECIPE) return status;
    /* the last layer does not fit the data, or loss and init do not fit the net */
    struct fi_mark mark = recipe->root->mark;
    if (status == FANIN_ERR_SHAPE) {
        mark = recipe->layers.items[recipe->layers.n - 1].mark;
    } else {
        mark.line = 0;
    }
    return fi_fail_prefix(recipe->ctx, status, mark);
}
