/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin info FILE: what a model, a recipe or a data file is: layers with output shape, parameters
 * and arithmetic, how each parameter starts, what data hold. A recipe's net takes its shape from
 * the data, so these are read too.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models.h"

struct info_fields {
    struct common common;
    struct opt_list set;
};

static const struct opt options[] = {RECIPE_SEED,
                                     {"set", 0, OPT_LIST, offsetof(struct info_fields, set),
                                      "PATH=VALUE", "change the recipe", 0, 0},
                                     {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

static int ends_with(const char *path, const char *end) {
    size_t n = strlen(path), m = strlen(end);
    return n >= m && !strcmp(path + n - m, end);
}

/* 1234567 as 1,234,567. */
static void print_count(char out[40], double value) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.0f", value);
    size_t n = strlen(digits), at = 0;
    for (size_t i = 0; i < n && at < 38; i++) {
        if (i > 0 && (n - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

/* ---- nets ---------------------------------------------------------------------------------------------- */

static int64_t node_params(const fanin_net *net, const struct fanin_node_info *node) {
    int64_t count = 0;
    for (int i = 0; i < node->n_params; i++) {
        struct fanin_param_info p;
        fanin_net_param(net, node->first_param + i, &p);
        count += p.count;
    }
    return count;
}

static void print_node(const struct app *app, const fanin_net *net, int index) {
    struct fanin_node_info node;
    fanin_net_node(net, index, &node);
    char shape[96], params[40], flops[40];
    int64_t count = node_params(net, &node);
    print_dims(shape, sizeof shape, node.shape.rank, node.shape.dims);
    if (app->common->json) {
        struct fanin_text texts[] = {
            {"name", node.name}, {"op", node.op ? node.op : "input"}, {"shape", shape}};
        struct fanin_figure figures[] = {{"params", (double)count}, {"flops", node.flops}};
        fanin_report_note(app->report, "node", texts, 3, figures, 2);
        return;
    }
    print_count(params, (double)count);
    print_count(flops, node.flops);
    printf("%-20s %-12s %-12s %12s %14s", node.name, node.op ? node.op : "input", shape,
           count ? params : "-", node.flops > 0 ? flops : "-");
    /* where it reads another node than the one before it */
    if (node.n_inputs > 1 || (node.n_inputs == 1 && node.inputs[0] != index - 1))
        for (int i = 0; i < node.n_inputs; i++)
            printf("%s%s", i ? ", " : "  from ", fanin_net_node_name(net, node.inputs[i]));
    printf("\n");
}

static void print_number(char out[32], double value) {
    if (isnan(value))
        strcpy(out, "-");
    else
        snprintf(out, 32, "%.5g", value);
}

/* The parameters are told in the order of the net; behind them outputs that are penalized. */
struct param_table {
    const struct app *app;
    const fanin_net *net;
    int next;
    double trainable; /* numbers that a run updates */
};

/* The factor on the learning rate. */
static double lr_of(const struct fanin_event *e) {
    const double lr = figure_of(e, "lr");
    return isnan(lr) ? 1 : lr;
}

static void print_param(void *payload, const struct fanin_event *e) {
    struct param_table *table = payload;
    struct fanin_param_info p = {.name = text_of(e, "name"), .trainable = 1};
    const int output = table->next >= fanin_net_params(table->net);
    char shape[96], gain[32], std[32], policy[320];
    p.gain = p.std = NAN;
    if (!output) fanin_net_param(table->net, table->next++, &p);
    if (p.trainable && !text_of(e, "frozen")) table->trainable += (double)p.count;
    const char *init = p.init ? p.init : "-", *why = p.why ? p.why : "-";
    print_dims(shape, sizeof shape, p.rank, p.dims);
    if (table->app->common->json) {
        const char *regularize = text_of(e, "regularize"), *constrain = text_of(e, "constrain");
        struct fanin_text texts[] = {{"name", p.name},
                                     {"shape", shape},
                                     {"init", init},
                                     {"why", why},
                                     {"regularize", regularize ? regularize : ""},
                                     {"constrain", constrain ? constrain : ""}};
        struct fanin_figure figures[] = {{"count", (double)p.count},
                                         {"fan_in", (double)p.fan_in},
                                         {"fan_out", (double)p.fan_out},
                                         {"gain", p.gain},
                                         {"std", p.std},
                                         {"decay", p.decay},
                                         {"trainable", p.trainable},
                                         {"frozen", text_of(e, "frozen") != NULL},
                                         {"lr", lr_of(e)}};
        fanin_report_note(table->app->report, output ? "output" : "param", texts, 6, figures, 9);
        return;
    }
    print_number(gain, p.gain);
    print_number(std, p.std);
    print_policy(policy, sizeof policy, e, p.trainable);
    printf("%-20s %-12s %-18s %8lld %8lld %8s %9s  %-18s  %s\n", p.name, output ? "-" : shape, init,
           (long long)p.fan_in, (long long)p.fan_out, gain, std, policy, why);
}

/* train: of the run the recipe describes, or NULL. */
static void print_net(const struct app *app, const fanin_model *model,
                      const struct fanin_train_options *train) {
    const fanin_net *net = fanin_model_net(model);
    struct param_table table = {.app = app, .net = net};
    int json = app->common->json;
    double params = 0, flops = 0;
    if (!json)
        printf("%-20s %-12s %-12s %12s %14s\n", "layer", "op", "output", "parameters",
               "FLOPs/sample");
    for (int i = 0; i < fanin_net_nodes(net); i++) {
        struct fanin_node_info node;
        fanin_net_node(net, i, &node);
        flops += node.flops;
        print_node(app, net, i);
    }
    if (!json)
        printf("\n%-20s %-12s %-18s %8s %8s %8s %9s  %-18s  %s\n", "parameter", "shape", "start",
               "fan_in", "fan_out", "gain", "std", "regularized by", "why");
    for (int i = 0; i < fanin_net_params(net); i++) {
        struct fanin_param_info p;
        fanin_net_param(net, i, &p);
        params += (double)p.count;
    }
    (void)fanin_describe_params(model, train, print_param, &table); /* checked with the recipe */
    if (json) {
        struct fanin_figure totals[] = {
            {"params", params}, {"trainable", table.trainable}, {"flops", flops}};
        fanin_report_note(app->report, "total", NULL, 0, totals, 3);
        return;
    }
    char text[3][40];
    print_count(text[0], params);
    print_count(text[1], table.trainable);
    print_count(text[2], flops);
    printf("\n%s parameters (%s trainable), %s FLOPs a sample forward\n", text[0], text[1],
           text[2]);
}

/* ---- data ------------------------------------------------------------------------------------------------ */

static const char *task_name(enum fanin_task task) {
    return task == FANIN_CLASSIFICATION ? "classification"
           : task == FANIN_REGRESSION   ? "regression"
                                        : "unlabelled";
}

/* Names of classes or targets that people are shown; JSON has all. */
enum { MOST_NAMES = 100 };

/* Classes with how many samples of each the parts hold, or the names of the targets. */
static void print_classes(const struct app *app, const fanin_data *data) {
    int classes = fanin_data_task(data) == FANIN_CLASSIFICATION, json = app->common->json;
    int64_t n = fanin_data_outputs(data), shown = json || n <= MOST_NAMES ? n : MOST_NAMES;
    for (int64_t i = 0; i < shown; i++) {
        struct fanin_text name = {"name", fanin_data_output_name(data, i)};
        double rows = 0;
        for (int p = 0; p < 3; p++)
            rows += (double)fanin_data_class_rows(data, (enum fanin_part)p, i);
        struct fanin_figure count = {"rows", rows};
        if (json)
            fanin_report_note(app->report, classes ? "class" : "target", &name, 1, &count, classes);
        else
            printf("%s%s", i ? ", " : classes ? "classes " : "targets ", name.value);
        if (!json && classes) printf(" (%.0f)", rows);
    }
    if (shown < n) printf(", … %lld more", (long long)(n - shown));
    if (!json && n > 0) printf("\n");
}

/* Columns with names are told one by one; pixels and the like as one range. */
static void print_columns(const struct app *app, const fanin_data *data) {
    int64_t n = fanin_data_shape(data)->cols;
    int json = app->common->json;
    struct fanin_column_info c = {0}, all = {.min = INFINITY, .max = -INFINITY};
    for (int64_t i = 0; i < n; i++) {
        fanin_data_column(data, FANIN_TRAIN, i, &c);
        all.min = fmin(all.min, c.min);
        all.max = fmax(all.max, c.max);
        all.mean += c.mean / (double)n;
        all.missing += c.missing;
        if (!c.name) continue;
        struct fanin_text name = {"name", c.name};
        struct fanin_figure figures[] = {{"min", c.min},
                                         {"max", c.max},
                                         {"mean", c.mean},
                                         {"missing", (double)c.missing},
                                         {"vocabulary", (double)c.vocabulary}};
        char indexes[64] = "";
        if (c.vocabulary > 0)
            snprintf(indexes, sizeof indexes, "  indexes, vocabulary %lld",
                     (long long)c.vocabulary);
        if (!json && i == 0)
            printf("\n%-24s %12s %12s %12s %9s\n", "column (training part)", "min", "max", "mean",
                   "missing");
        if (json)
            fanin_report_note(app->report, "column", &name, 1, figures, c.vocabulary > 0 ? 5 : 4);
        else
            printf("%-24s %12.6g %12.6g %12.6g %9lld%s\n", c.name, c.min, c.max, c.mean,
                   (long long)c.missing, indexes);
    }
    if (n > 0 && c.name) return;
    struct fanin_figure figures[] = {
        {"min", all.min}, {"max", all.max}, {"mean", all.mean}, {"missing", (double)all.missing}};
    if (json)
        fanin_report_note(app->report, "range", NULL, 0, figures, 4);
    else
        printf("range   %g to %g, mean %.4g (training part)\n", all.min, all.max, all.mean);
}

static void print_data(const struct app *app, const fanin_data *data) {
    static const char *const names[] = {
        [FANIN_TRAIN] = "train", [FANIN_VALIDATION] = "validation", [FANIN_TEST] = "test"};
    char shape[96];
    const struct fanin_shape *s = fanin_data_shape(data);
    print_dims(shape, sizeof shape, s->rank, s->dims);
    if (app->common->json) {
        struct fanin_text texts[] = {{"describe", fanin_data_describe(data)},
                                     {"shape", shape},
                                     {"task", task_name(fanin_data_task(data))}};
        struct fanin_figure figures[4] = {{"outputs", (double)fanin_data_outputs(data)}};
        for (int p = 0; p < 3; p++)
            figures[1 + p] =
                (struct fanin_figure){names[p], (double)fanin_data_rows(data, (enum fanin_part)p)};
        fanin_report_note(app->report, "data", texts, 3, figures, 4);
    } else {
        printf("data    %s\nsample  %s (%lld numbers), %s\nrows   ", fanin_data_describe(data),
               shape, (long long)s->cols, task_name(fanin_data_task(data)));
        for (int p = 0; p < 3; p++)
            if (fanin_data_rows(data, (enum fanin_part)p) > 0)
                printf(" %s %lld", names[p], (long long)fanin_data_rows(data, (enum fanin_part)p));
        printf("\n");
    }
    print_classes(app, data);
    print_columns(app, data);
}

/* ---- the three kinds of file --------------------------------------------------------------------------- */

static int info_model(struct app *app, const char *path) {
    fanin_model *model;
    enum fanin_status status = fanin_model_load(&model, app->ctx, path);
    if (status != FANIN_OK) return fail_reading(app, status);
    fanin_recipe *recipe = NULL;
    fanin_model *started = as_started(app, model, &recipe);
    print_net(app, started ? started : model, started ? fanin_recipe_train(recipe) : NULL);
    const char *json = fanin_model_recipe(model);
    if (json && app->common->json) {
        struct fanin_text text = {"json", json};
        fanin_report_note(app->report, "recipe", &text, 1, NULL, 0);
    } else if (json && !app->common->quiet) {
        printf("\nrecipe  %s\n", json);
    }
    fanin_recipe_free(recipe);
    fanin_model_free(started);
    fanin_model_free(model);
    return 0;
}

static int info_recipe(struct app *app, const char *path, const struct opt_list *given) {
    fanin_recipe *recipe = NULL;
    fanin_data *data = NULL;
    fanin_model *model = NULL;
    struct opt_list set;
    char seed[40];
    int code = add_seed(app, given, &set, seed);
    if (code) return code;
    enum fanin_status status = fanin_recipe_load(&recipe, app->ctx, path, set.items, set.n);
    if (status == FANIN_OK) status = fanin_data_load(&data, app->ctx, fanin_recipe_data(recipe));
    if (status == FANIN_OK)
        status = fanin_recipe_model(&model, recipe, fanin_data_shape(data),
                                    fanin_data_outputs(data), data);
    if (status == FANIN_OK) {
        print_data(app, data);
        if (!app->common->json) printf("\n");
        print_net(app, model, fanin_recipe_train(recipe));
    }
    code = status == FANIN_OK ? 0 : fail_reading(app, status);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_recipe_free(recipe);
    free(set.items);
    return code;
}

static int info_data(struct app *app, const char *path) {
    struct fanin_data_options o = {.size = sizeof o, .train = path, .normalize = "none"};
    fanin_data *data;
    enum fanin_status status = fanin_data_load(&data, app->ctx, &o);
    if (status != FANIN_OK) return fail_reading(app, status);
    print_data(app, data);
    fanin_data_free(data);
    return 0;
}

/* By its suffix, or by how it begins: a model may be written under any name. A safetensors file
 * starts with the length of its header, eight bytes of which the high ones are zero, as they are in
 * no text, and the brace of the header. */
static int is_model(const char *path) {
    unsigned char head[9] = {0};
    if (ends_with(path, ".safetensors")) return 1;
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    size_t n = fread(head, 1, sizeof head, file);
    fclose(file);
    return n == sizeof head && !memcmp(head + 4, "\0\0\0\0{", 5);
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    (void)n;
    const struct info_fields *f = fields;
    const char *path = operands[0];
    int is_recipe = ends_with(path, ".yaml") || ends_with(path, ".yml") || ends_with(path, ".json");
    if (f->set.n > 0 && !is_recipe)
        return fail_with(EXIT_USAGE, "--set goes with a recipe (.yaml)");
    return is_recipe        ? info_recipe(app, path, &f->set)
           : is_model(path) ? info_model(app, path)
                            : info_data(app, path);
}

const struct command cmd_info = {
    .usage = {"info", "FILE", 1, 1,
              "Describe a model (.safetensors), a recipe (.yaml) or a data file", options,
              common_options},
    .all_mistakes = 1,
    .size = sizeof(struct info_fields),
    .run = run,
};
