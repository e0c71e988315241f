/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run does to each parameter: those of every layer kind that are frozen stay, where without
 * it they move (tests/op/test_parameters_move.c looks at each case); learning rates, penalties,
 * constraints and starts by name; what is refused.
 */
#include "support/engine.h"
#include "support/nets.h"
#include "train/train.h"

#define ROWS 16
#define INPUTS 12
#define CLASSES 5
#define MOST 4096

/* ---- every layer kind ------------------------------------------------------------------------------ */

static void one_step(fanin_ctx *ctx, fanin_model *model, const struct fanin_case *c,
                     const struct fanin_param_policy *policy) {
    const int64_t in = fanin_model_inputs(model), out = fanin_model_outputs(model);
    const struct fanin_attr lr = {.name = "lr", .number = 0.1};
    const struct fanin_train_options options = {.size = sizeof options,
                                                .batch = c->rows,
                                                .optim = {"sgd", &lr, 1, 0},
                                                .allow_symmetric = 1,
                                                .params = policy,
                                                .n_params = policy != NULL};
    float *x = malloc((size_t)(c->rows * in) * sizeof(*x));
    float *targets = malloc((size_t)(c->rows * out) * sizeof(*targets));
    fanin_trainer *trainer;
    for (int64_t i = 0; i < c->rows * in; i++) x[i] = (float)case_cell(c, 1, (uint64_t)i);
    for (int64_t i = 0; i < c->rows * out; i++)
        targets[i] = (float)(3 * test_number(2, (uint64_t)i));
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    assert_ok(ctx, fanin_trainer_step(trainer, x, c->rows, NULL, targets, NULL));
    fanin_trainer_free(trainer);
    free(x);
    free(targets);
}

/* Takes one step; moved[k] is raised where parameter k of the op's node changed. */
static void try_case(fanin_ctx *ctx, const struct fanin_op *op, const struct fanin_case *c,
                     bool frozen, bool *moved) {
    char match[80];
    snprintf(match, sizeof match, "%.60s1.*", op->head.name);
    const struct fanin_param_policy policy = {
        .match = match, .set = FANIN_POLICY_FROZEN, .frozen = 1};
    fanin_model *model = case_model(ctx, op, c, true);
    const fanin_net *net = model->net;
    const size_t bytes = (size_t)net->param_size * sizeof(fi_real);
    fi_real *before = malloc(bytes);
    memcpy(before, model->params, bytes);
    one_step(ctx, model, c, frozen ? &policy : NULL);
    const struct fi_node *node = &net->nodes[net->n_nodes - 1];
    for (int k = 0; k < node->n_params; k++) {
        const struct fi_param *p = &net->params[node->first_param + k];
        if (memcmp(before + p->offset, model->params + p->offset,
                   (size_t)p->size * sizeof(fi_real)) != 0)
            moved[k] = true;
    }
    free(before);
    fanin_model_free(model);
}

static void test_every_kind(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    int kinds = 0;
    assert_ok(ctx, fanin_register_op(ctx, &probe_op));
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        bool moved[FANIN_MAX_PARAMS] = {0}, stayed[FANIN_MAX_PARAMS] = {0};
        int n = 0;
        if (op == &probe_op || (op->flags & FANIN_OP_NO_GRADIENT)) continue;
        for (int c = 0; c < op->n_cases; c++) {
            fanin_model *model = case_model(ctx, op, &op->cases[c], false);
            n = FI_MAX(n, model->net->nodes[model->net->n_nodes - 1].n_params);
            const bool any = model->net->n_params > 0;
            fanin_model_free(model);
            if (!any) continue;
            try_case(ctx, op, &op->cases[c], false, moved);
            try_case(ctx, op, &op->cases[c], true, stayed);
        }
        for (int k = 0; k < n; k++) {
            if (!moved[k]) fail_msg("%s: parameter %d never moves", record->name, k);
            if (stayed[k]) fail_msg("%s: parameter %d moves though frozen", record->name, k);
        }
        kinds += n > 0;
    }
    assert_true(kinds >= 2);
    fanin_ctx_free(ctx);
}

/* ---- a small net ------------------------------------------------------------------------------------- */

static const struct layer layers[] = {{"dense", 33}, {"batch_norm"}, {"relu"},
                                      {"dense", 20}, {"tanh"},       {"dense", CLASSES}};

static fanin_model *start(fanin_ctx *ctx, const struct fanin_param_policy *params, int n) {
    const struct fanin_model_options options = {
        .size = sizeof options, .seed = 4, .params = params, .n_params = n};
    fanin_model *model;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, INPUTS, layers, FI_COUNT(layers)),
                                      &options));
    return model;
}

static const struct fanin_attr rate = {.name = "lr", .number = 0.1};

static fanin_trainer *prepare(fanin_ctx *ctx, fanin_model *model,
                              struct fanin_train_options options) {
    fanin_trainer *trainer;
    options.size = sizeof options;
    options.batch = ROWS;
    if (!options.optim.name) options.optim = (struct fanin_rule){"sgd", &rate, 1, 0};
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    return trainer;
}

static fanin_model *steps(fanin_ctx *ctx, struct fanin_train_options options, int n) {
    float x[ROWS * INPUTS];
    int32_t labels[ROWS];
    fanin_model *model = start(ctx, NULL, 0);
    fanin_trainer *trainer = prepare(ctx, model, options);
    for (int i = 0; i < ROWS * INPUTS; i++) x[i] = (float)test_number(5, (uint64_t)i);
    for (int i = 0; i < ROWS; i++) labels[i] = i % CLASSES;
    for (int i = 0; i < n; i++)
        assert_ok(ctx, fanin_trainer_step(trainer, x, ROWS, labels, NULL, NULL));
    fanin_trainer_free(trainer);
    return model;
}

static int index_of(const fanin_model *model, const char *name) {
    for (int i = 0; i < model->net->n_params; i++)
        if (strcmp(model->net->params[i].name, name) == 0) return i;
    fail_msg("no %s", name);
    return -1;
}

static bool same(const fanin_model *a, const fanin_model *b, const char *name) {
    const struct fi_param *p = &a->net->params[index_of(a, name)];
    return memcmp(a->params + p->offset, b->params + p->offset,
                  (size_t)p->size * sizeof(fi_real)) == 0;
}

/* The ways a gradient takes: tiles at once, whole, in shards. */
static const struct fanin_train_options ways[] = {{.shards = 1}, {.clip_norm = 1e9}, {.shards = 4}};

static void test_rates(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    static const struct fanin_attr half = {.name = "lr", .number = 0.05};
    static const struct fanin_param_policy policy[] = {
        {.match = "dense2.*", .set = FANIN_POLICY_LR, .lr = 7},
        {.match = "dense2.*", .set = FANIN_POLICY_LR, .lr = 0.5}, /* the later one wins */
        {.match = "*3.bias", .set = FANIN_POLICY_LR, .lr = 0}};
    for (int k = 0; k < FI_COUNT(ways); k++) {
        struct fanin_train_options with = ways[k], slow = ways[k];
        with.params = policy;
        with.n_params = FI_COUNT(policy);
        slow.optim = (struct fanin_rule){"sgd", &half, 1, 0};
        fanin_model *a = steps(ctx, with, 1), *full = steps(ctx, ways[k], 1),
                    *b = steps(ctx, slow, 1), *zero = start(ctx, NULL, 0);
        assert_true(same(a, b, "dense2.weight") && same(a, b, "dense2.bias"));
        assert_false(same(a, full, "dense2.weight"));
        assert_true(same(a, full, "dense1.weight") && same(a, full, "dense3.weight"));
        assert_true(same(a, zero, "dense3.bias"));
        fanin_model_free(a);
        fanin_model_free(b);
        fanin_model_free(full);
        fanin_model_free(zero);
    }
    fanin_ctx_free(ctx);
}

/* A penalty of one tensor acts on it as one of all would, and on nothing else; `decay` opens and
 * closes. */
static void test_penalties(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    static const struct fanin_attr strength = {.number = 0.1}, weak = {.number = 0.01};
    static const char *const names[] = {"l2", "l1", "elastic", "orthogonal", "weight_decay"};
    for (int r = 0; r < FI_COUNT(names); r++)
        for (int k = 0; k < FI_COUNT(ways); k++) {
            const struct fanin_rule own = {names[r], &strength, 1, 0}, run = {"l2", &weak, 1, 0};
            const struct fanin_param_policy policy[] = {
                {.match = "dense2.*",
                 .set = FANIN_POLICY_REGULARIZE,
                 .regularize = &own,
                 .n_regularize = 1},
                {.match = "dense3.*", .set = FANIN_POLICY_DECAY, .decay = 0},
                {.match = "*1.bias", .set = FANIN_POLICY_DECAY, .decay = 1}};
            struct fanin_train_options with = ways[k], all = ways[k], weakly = ways[k];
            with.params = policy;
            with.n_params = FI_COUNT(policy);
            with.regularize = weakly.regularize = &run;
            all.regularize = &own;
            with.n_regularize = all.n_regularize = weakly.n_regularize = 1;
            fanin_model *a = steps(ctx, with, 1), *b = steps(ctx, all, 1),
                        *c = steps(ctx, weakly, 1), *d = steps(ctx, ways[k], 1);
            assert_true(same(a, b, "dense2.weight") && !same(a, c, "dense2.weight"));
            assert_true(same(a, d, "dense2.bias") && same(a, d, "dense3.weight"));
            assert_true(same(a, c, "dense1.weight") && !same(a, d, "dense1.weight"));
            fanin_model_free(a);
            fanin_model_free(b);
            fanin_model_free(c);
            fanin_model_free(d);
        }
    fanin_ctx_free(ctx);
}

/* ---- frozen -------------------------------------------------------------------------------------------- */

static void test_frozen(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    static const struct fanin_param_policy layer[] = {
        {.match = "dense1.*", .set = FANIN_POLICY_FROZEN, .frozen = 1},
        {.match = "batch_norm1.*", .set = FANIN_POLICY_FROZEN, .frozen = 1}};
    static const struct fanin_param_policy weights[] = {
        {.match = "batch_norm1.weight", .set = FANIN_POLICY_FROZEN, .frozen = 1},
        {.match = "batch_norm1.bias", .set = FANIN_POLICY_FROZEN, .frozen = 1}};
    static const struct fanin_rule adam = {"adamw", NULL, 0, 0};
    static const struct fanin_attr strength = {.number = 0.1};
    static const struct fanin_rule decay = {"weight_decay", &strength, 1, 0};
    const struct fanin_train_options options = {
        .optim = adam, .regularize = &decay, .n_regularize = 1, .params = layer, .n_params = 2};
    struct fanin_train_options half = options;
    half.params = weights;
    fanin_model *before = start(ctx, NULL, 0), *after = steps(ctx, options, 3),
                *moving = steps(ctx, half, 3);
    assert_true(same(before, after, "dense1.weight") && same(before, after, "dense1.bias"));
    assert_true(same(before, after, "batch_norm1.running_mean"));
    assert_true(same(before, after, "batch_norm1.running_var"));
    assert_false(same(before, after, "dense2.weight"));
    assert_true(same(before, moving, "batch_norm1.weight"));
    assert_false(same(before, moving, "batch_norm1.running_mean"));
    /* nothing flows back into the frozen beginning */
    fanin_trainer *trainer = prepare(ctx, before, options);
    assert_null(trainer->exec->dy[fanin_net_find(before->net, "dense1")].data);
    assert_null(trainer->exec->dy[fanin_net_find(before->net, "batch_norm1")].data);
    assert_non_null(trainer->exec->dy[fanin_net_find(before->net, "dense2")].data);
    assert_false(trainer->exec->needs_two_rows);
    fanin_trainer_free(trainer);
    fanin_model_free(before);
    fanin_model_free(after);
    fanin_model_free(moving);
    fanin_ctx_free(ctx);
}

/* Equal units whose layer is frozen never part, whatever reads them. */
static void test_guard(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    static const struct layer equal[] = {{"dense", 8, "constant", 0.1}, {"tanh"}, {"dense", 3}};
    static const struct fanin_param_policy frozen = {
        .match = "dense1.*", .set = FANIN_POLICY_FROZEN, .frozen = 1};
    struct fanin_train_options options = {.size = sizeof options, .batch = 4};
    fanin_model *model;
    fanin_trainer *trainer;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, 4, equal, 3), NULL));
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    fanin_trainer_free(trainer);
    options.params = &frozen;
    options.n_params = 1;
    assert_refused(ctx, FANIN_ERR_SYMMETRIC, "dense1",
                   fanin_trainer_create(&trainer, model, &options));
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

/* ---- constraints, starts, schedules --------------------------------------------------------------------- */

static bool all_hold(const fanin_model *m, const struct fi_constraint *c, const void *attrs,
                     const char *name) {
    const struct fi_param *p = &m->net->params[index_of(m, name)];
    float values[MOST];
    fi_real unit[MOST];
    bool hold = true;
    fi_param_unpack(p, m->params + p->offset, values);
    for (int64_t o = 0; o < p->out; o++) {
        for (int64_t i = 0; i < p->in; i++) unit[i] = (fi_real)values[o * p->in + i];
        hold &= c->holds(attrs, unit, p->in, 1e-6);
    }
    return hold;
}

static void test_constraints(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    const struct fanin_record *record;
    fi_arena_init(&arena, ctx);
    for (int i = 0; (record = fanin_record_at(ctx, "constraint", i)); i++) {
        const struct fi_constraint *c = (const struct fi_constraint *)(const void *)record;
        const struct fanin_attr tight = {.name = "max", .number = 0.3};
        const bool bound = record->attrs != NULL;
        const struct fanin_rule rule = {record->name, bound ? &tight : NULL, bound, 0};
        const struct fanin_param_policy bias = {
            .match = "*.bias", .set = FANIN_POLICY_CONSTRAIN, .constrain = &rule, .n_constrain = 1};
        struct fanin_rule_ref ref;
        struct fanin_train_options options = {.constrain = &rule, .n_constrain = 1};
        assert_ok(ctx, fi_rule_resolve(&arena, &ref, "constraint", &rule, "test"));
        fanin_model *free_run = steps(ctx, ways[0], 2), *model = steps(ctx, options, 2);
        assert_false(all_hold(free_run, c, ref.attrs, "dense2.weight"));
        for (int l = 1; l <= 3; l++) {
            char name[40];
            snprintf(name, sizeof name, "dense%d.weight", l);
            if (!all_hold(model, c, ref.attrs, name)) fail_msg("%s: %s", record->name, name);
        }
        assert_false(all_hold(model, c, ref.attrs, "dense3.bias") && !bound);
        fanin_model_free(model);
        options = (struct fanin_train_options){.params = &bias, .n_params = 1};
        model = steps(ctx, options, 2);
        assert_true(all_hold(model, c, ref.attrs, "dense3.bias"));
        assert_false(all_hold(model, c, ref.attrs, "dense2.weight"));
        fanin_model_free(model);
        fanin_model_free(free_run);
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static void test_starts(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    static const struct fanin_attr value = {.number = 0.25};
    static const struct fanin_param_policy policy[] = {
        {.match = "*.bias", .set = FANIN_POLICY_INIT, .init = {"constant", &value, 1, 0}},
        {.match = "dense2.*", .set = FANIN_POLICY_INIT, .init = {"constant", &value, 1, 0}},
        {.match = "dense3.bias", .set = FANIN_POLICY_INIT, .init = {"zeros", NULL, 0, 0}}};
    fanin_model *with = start(ctx, policy, FI_COUNT(policy)), *without = start(ctx, NULL, 0);
    float w[33 * 20];
    assert_ok(ctx, fanin_model_get(with, "dense1.bias", w, 33));
    for (int i = 0; i < 33; i++) assert_true(w[i] == 0.25f);
    assert_ok(ctx, fanin_model_get(with, "dense2.weight", w, (int64_t)33 * 20));
    for (int i = 0; i < 33 * 20; i++) assert_true(w[i] == 0.25f);
    assert_ok(ctx, fanin_model_get(with, "dense3.bias", w, CLASSES));
    for (int i = 0; i < CLASSES; i++) assert_true(w[i] == 0);
    assert_true(same(with, without, "dense1.weight") && same(with, without, "dense3.weight"));
    fanin_model_free(with);
    fanin_model_free(without);
    fanin_ctx_free(ctx);
}

static void test_schedules(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    static const struct fanin_attr halve[] = {{.name = "every", .number = 1},
                                              {.name = "gamma", .number = 0.5}};
    static const struct fanin_rule schedule = {"step", halve, 2, 0};
    static const struct fanin_attr attrs[] = {{.number = 0.4},
                                              {.name = "schedule", .rule = &schedule}};
    static const struct fanin_rule rules[] = {{"weight_decay", attrs, 2, 0}, {"l2", attrs, 2, 0}};
    const struct fanin_train_options options = {.regularize = rules, .n_regularize = 2};
    fanin_model *model = start(ctx, NULL, 0);
    fanin_trainer *t = prepare(ctx, model, options);
    const struct fi_policy *p = &t->policies.params[index_of(model, "dense1.weight")];
    assert_true(p->decay == 0.4 && p->penalties.n == 2);
    fi_trainer_schedule(t, 20, 100, 10); /* the third epoch */
    assert_true(p->decay == 0.1 && p->penalties.items[1]->factor == 0.25);
    const double quarter = fi_term_value(t, 0);
    fi_trainer_schedule(t, 0, 100, 10);
    assert_true(p->decay == 0.4 && fi_term_value(t, 0) == 4 * quarter);
    fanin_trainer_free(t);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

/* ---- what is refused -------------------------------------------------------------------------------------- */

static void test_refused(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    static const struct fanin_attr one = {.number = 1};
    static const struct fanin_rule entropy = {"confidence_penalty", &one, 1, 0};
    static const struct fanin_rule activity = {"activity_l2", &one, 1, 0};
    static const struct fanin_rule l2 = {"l2", &one, 1, 0};
    static const struct fanin_rule orthogonal = {"orthogonal", &one, 1, 0};
    static const struct {
        struct fanin_param_policy policy;
        const char *says;
    } cases[] = {
        {{.match = "dense1.wieght", .set = FANIN_POLICY_LR, .lr = 1},
         "did you mean 'dense1.weight'"},
        {{.match = "conv*", .set = FANIN_POLICY_LR, .lr = 1}, "matches no parameter"},
        {{.match = NULL, .set = FANIN_POLICY_LR, .lr = 1}, "match"},
        {{.match = "*", .set = FANIN_POLICY_LR, .lr = -1}, "0 or more"},
        {{.match = "*", .set = FANIN_POLICY_LR, .lr = NAN}, "0 or more"},
        {{.match = "*", .set = FANIN_POLICY_FROZEN, .frozen = 1}, "nothing to train"},
        {{.match = "dense1.*",
          .set = FANIN_POLICY_REGULARIZE,
          .regularize = &entropy,
          .n_regularize = 1},
         "predictions"},
        {{.match = "*.bias",
          .set = FANIN_POLICY_REGULARIZE,
          .regularize = &activity,
          .n_regularize = 1},
         "outputs"},
        {{.match = "*running*",
          .set = FANIN_POLICY_REGULARIZE,
          .regularize = &l2,
          .n_regularize = 1},
         "trained"},
        {{.match = "dense1.bias",
          .set = FANIN_POLICY_REGULARIZE,
          .regularize = &orthogonal,
          .n_regularize = 1},
         "orthogonal acts on weight matrices"},
        {{.match = "tanh1.*", .set = FANIN_POLICY_FROZEN, .frozen = 1}, "matches no parameter"}};
    fanin_model *model = start(ctx, NULL, 0);
    fanin_trainer *trainer;
    struct fanin_train_options options = {.size = sizeof options, .batch = ROWS, .n_params = 1};
    for (int i = 0; i < FI_COUNT(cases); i++) {
        options.params = &cases[i].policy;
        assert_refused(ctx, FANIN_ERR_RECIPE, cases[i].says,
                       fanin_trainer_create(&trainer, model, &options));
    }
    options = (struct fanin_train_options){
        .size = sizeof options, .batch = ROWS, .regularize = &activity, .n_regularize = 1};
    assert_refused(ctx, FANIN_ERR_RECIPE, "outputs of one layer",
                   fanin_trainer_create(&trainer, model, &options));
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

static void test_match(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool match;
    } cases[] = {{"dense1.weight", "dense1.weight", true},
                 {"dense1.weight", "dense1.weights", false},
                 {"*.bias", "dense1.bias", true},
                 {"*.bias", "dense1.bias.x", false},
                 {"dense?.*", "dense12.bias", false},
                 {"dense??.*", "dense12.bias", true},
                 {"*a*b*c", "xaybzc", true},
                 {"*a*b*c", "xaybz", false},
                 {"**", "", true},
                 {"", "x", false},
                 {"?", "", false}};
    for (int i = 0; i < FI_COUNT(cases); i++)
        assert_int_equal(fi_match(cases[i].pattern, cases[i].name), cases[i].match);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind), cmocka_unit_test(test_rates),
        cmocka_unit_test(test_penalties),  cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_guard),      cmocka_unit_test(test_constraints),
        cmocka_unit_test(test_starts),     cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_match)};
    return test_main(tests);
}
