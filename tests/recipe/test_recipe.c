/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipes: what the sections become, every message with file and line, names of layers, overrides.
 */
#include "support/support.h"

#include <fanin/recipe.h>

#include "recipe/recipe.h"

static fanin_ctx *ctx;

static int setup(void **state) {
    (void)state;
    tests_run++;
    ctx = test_ctx();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fanin_ctx_free(ctx);
    return 0;
}

static enum fanin_status parse(fanin_recipe **out, const char *text, const char *override) {
    return fanin_recipe_parse(out, ctx, "r.yaml", text, &override, override != NULL);
}

static const char whole[] =
    "name: everything\n"
    "data:\n"
    "  reader: {csv: {target: 2019}}\n"
    "  dir: some where\n"
    "  train: a.csv\n"
    "  test: b.csv\n"
    "  validation_fraction: 0.25\n"
    "  normalize: min_max\n"
    "net:\n"
    "  - dense: {units: 8, bias: false, init: {constant: 0.01}}\n"
    "  - relu\n"
    "  - dense\n"
    "init: kaiming_normal\n"
    "loss: mse\n"
    "regularize: {weight_decay: 1.0e-4, l2: {lambda: 0.5}}\n"
    "optim: {sgd: {lr: 0.05, momentum: 0.9, nesterov: true}}\n"
    "schedule: {cosine: {warmup_epochs: 1}}\n"
    "train:\n"
    "  {epochs: 3, batch: 16, seed: 42, shards: 2, clip_value: 2, clip_norm: 1, rounding_noise: "
    "6.0e-8,\n"
    "   allow_symmetric: true, early_stop: {metric: accuracy, patience: 4, min_delta: 0.1},\n"
    "   checkpoint: {path: run.ckpt, every: 2}}\n";

static double number(const struct fanin_rule *rule, const char *name) {
    for (int64_t i = 0; i < rule->n_attrs; i++) {
        if (strcmp(rule->attrs[i].name, name) == 0) return rule->attrs[i].number;
    }
    fail_msg("%s has no %s", rule->name, name);
    return 0;
}

static void test_sections(void **state) {
    (void)state;
    fanin_recipe *r;
    assert_ok(ctx, parse(&r, whole, NULL));
    const struct fanin_data_options *d = fanin_recipe_data(r);
    assert_string_equal(d->reader.name, "csv");
    assert_string_equal(d->reader.attrs[0].text, "2019");
    assert_string_equal(d->dir, "some where");
    assert_string_equal(d->train, "a.csv");
    assert_string_equal(d->test, "b.csv");
    assert_null(d->validation);
    assert_string_equal(d->normalize, "min_max");
    assert_true(d->validation_fraction == 0.25 && d->seed == 42);

    const struct fanin_train_options *t = fanin_recipe_train(r);
    assert_string_equal(t->optim.name, "sgd");
    assert_true(number(&t->optim, "lr") == 0.05 && number(&t->optim, "nesterov") == 1);
    assert_string_equal(t->schedule.name, "cosine");
    assert_int_equal(t->n_regularize, 2);
    assert_string_equal(t->regularize[1].name, "l2");
    assert_true(number(&t->regularize[0], "lambda") == 1e-4);
    assert_true(t->epochs == 3 && t->batch == 16 && t->seed == 42 && t->shards == 2);
    assert_true(t->clip_value == 2 && t->clip_norm == 1 && t->rounding_noise == 6e-8 &&
                t->allow_symmetric == 1);
    assert_string_equal(t->early_stop_metric, "accuracy");
    assert_true(t->patience == 4 && t->min_delta == 0.1);
    assert_string_equal(t->checkpoint, "run.ckpt");
    assert_int_equal(t->checkpoint_every, 2);
    assert_true(fanin_recipe_seed(r) == 42);
    assert_string_equal(r->loss.name, "mse");
    assert_string_equal(r->init.name, "kaiming_normal");
    fanin_recipe_free(r);
}

/* The JSON is a recipe that says the same. */
static void test_json_again(void **state) {
    (void)state;
    fanin_recipe *r, *again;
    assert_ok(ctx, parse(&r, whole, "net.dense1.units=9"));
    assert_ok(ctx, parse(&again, fanin_recipe_json(r), NULL));
    assert_string_equal(fanin_recipe_json(r), fanin_recipe_json(again));
    assert_non_null(strstr(fanin_recipe_json(r), "\"target\": \"2019\""));
    assert_non_null(strstr(fanin_recipe_json(r), "\"units\": 9"));
    fanin_recipe_free(r);
    fanin_recipe_free(again);
}

static void test_short_forms(void **state) {
    (void)state;
    static const struct {
        const char *data, *reader;
    } cases[] = {
        {"data: digits", "digits"},
        {"data: {xor: {noise: 0.1}}", "xor"},
        {"data: {xor}", "xor"},
        {"data: {csv: {target: price}, train: f.csv}", "csv"},
        {"data: {reader: digits}", "digits"},
        {"data: {train: f.csv}", NULL},
        {"data:", NULL},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) {
        fanin_recipe *r;
        char text[256];
        snprintf(text, sizeof text, "%s\nnet: [dense]\n", cases[i].data);
        assert_ok(ctx, parse(&r, text, NULL));
        const char *name = fanin_recipe_data(r)->reader.name;
        if (cases[i].reader) {
            assert_string_equal(name, cases[i].reader);
        } else {
            assert_null(name);
        }
        fanin_recipe_free(r);
    }
}

static void test_messages(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "r.yaml: the recipe is empty"},
        {"- dense\n", "r.yaml:1: recipe: expected a map"},
        {"train: {epochs: 1}\n", "r.yaml:1: net is missing"},
        {"net: []\n", "r.yaml:1: net has no layers"},
        {"net: 3\n", "r.yaml:1: net: expected a list of layers, found number 3"},
        {"net: [dense]\ntrian: 1\n",
         "r.yaml:2: unknown key 'trian' in the recipe; did you mean 'train'?"},
        {"net: [dense]\ntrain:\n  epoch: 1\n",
         "r.yaml:3: unknown key 'epoch' in train; did you mean 'epochs'?"},
        {"net: [dense]\ntrain: 7\n", "r.yaml:2: train: expected a map of keys, found number 7"},
        {"net: [dense]\ntrain: {epochs: many}\n", "r.yaml:2: train: 'epochs' must be a whole"},
        {"net: [dense]\ntrain: {epochs: '3'}\n", "r.yaml:2: train: 'epochs' must be a whole"},
        {"net: [dense]\ntrain: {epochs: 2.5}\n", "r.yaml:2: train: 'epochs' must be a whole"},
        {"net: [dense]\ntrain: {epochs: 0}\n", "r.yaml:2: train: 'epochs' must be at least 1"},
        {"net: [dense]\ntrain: {epochs: true}\n", "r.yaml:2: train: 'epochs' must be a whole"},
        {"net: [dense]\ntrain: {epochs: [1]}\n", "r.yaml:2: train: 'epochs' must be a whole"},
        {"net: [dense]\ntrain: {epochs: [a]}\n", "r.yaml:2: train.epochs: expected a number in"},
        {"net: [dense]\ntrain: {epochs: {a: 1}}\n", "r.yaml:2: train: 'epochs' must be a whole"},
        {"net: [dense]\ntrain: {allow_symmetric: yes}\n",
         "r.yaml:2: train: 'allow_symmetric' must be true or false, not 'yes'"},
        {"net: [dense]\ntrain:\n  early_stop:\n    patients: 3\n",
         "r.yaml:4: unknown key 'patients' in train.early_stop; did you mean 'patience'?"},
        {"net: [dense]\ntrain: {early_stop: acuracy}\n",
         "r.yaml:2: unknown metric 'acuracy'; did you mean 'accuracy'?"},
        {"net: [dense]\ntrain: {checkpoint: {every: 2}}\n", "r.yaml:2: train.checkpoint: "},
        {"net: [dense]\ndata: {digits: {}, xor: {}}\n", "r.yaml:2: data: two readers"},
        {"net: [dense]\ndata: digts\n", "r.yaml:2: unknown reader 'digts'; did you mean 'digits'?"},
        {"net: [dense]\ndata: {trian: x}\n", "r.yaml:2: unknown key 'trian' in data"},
        {"net: [dense]\ndata: {normalize: maximal}\n", "r.yaml:2: data: 'normalize' must be one"},
        {"net: [dense]\ndata: {test_fraction: 1}\n", "r.yaml:2: data: 'test_fraction' must be"},
        {"net: [dense]\noptim: {sgd: {lr: 1}, adamw: {}}\n",
         "r.yaml:2: optim: expected one name, found 'sgd' and 'adamw'"},
        {"net: [dense]\noptim: 0.1\n", "r.yaml:2: optim: expected a name or {name: attributes}"},
        {"net: [dense]\noptim: adamww\n",
         "r.yaml:2: unknown optimizer 'adamww'; did you mean 'adamw'?"},
        {"net: [dense]\noptim:\n  sgd:\n    lr: 0.1\n    momentun: 1\n",
         "r.yaml:5: unknown key 'momentun' in optim.sgd; did you mean 'momentum'?"},
        {"net: [dense]\noptim:\n  sgd:\n    lr: -1\n",
         "r.yaml:4: optim.sgd: 'lr' must be at least"},
        {"net: [dense]\noptim: {sgd: {lr: .nan}}\n", "r.yaml:2: optim.sgd: 'lr' must be a finite"},
        {"net: [dense]\nregularize: {l3: 1}\n", "r.yaml:2: unknown regularizer 'l3'"},
        {"net: [dense]\nregularize: [l2]\n", "r.yaml:2: regularize: expected a map of keys"},
        {"net: [dense]\ninit: {constant: {valu: 1}}\n", "r.yaml:2: unknown key 'valu' in init."},
        {"net: [dens]\n", "r.yaml:1: unknown layer 'dens'; did you mean 'dense'?"},
        {"net:\n  - dense: 3\n    relu:\n", "r.yaml:3: 'dense' and 'relu' in one layer"},
        {"net:\n  - relu: 3\n", "r.yaml:2: net.relu1: relu takes no attributes, found number 3"},
        {"net:\n  - relu: {x: 3}\n", "r.yaml:2: unknown key 'x' in net.relu1: relu takes no"},
        {"net:\n  - dense: {unit: 3}\n",
         "r.yaml:2: unknown key 'unit' in net.dense1; did you mean 'units'?"},
        {"net:\n  - dense: {units: 3, init: kaming_normal}\n",
         "r.yaml:2: unknown initializer 'kaming_normal'; did you mean 'kaiming_normal'?"},
        {"net:\n  - dense\n  - dense\n", "r.yaml:2: net.dense1: dense needs 'units'"},
        {"net:\n  - dense: 3\n    name: a.b\n", "r.yaml:3: 'a.b' is no name for a node"},
        {"net:\n  - dense: 3\n    name: a\n  - relu:\n    name: a\n",
         "r.yaml:4: two nodes are named 'a'"},
        {"net:\n  - dense: 3\n  - relu:\n    from: dense2\n",
         "r.yaml:4: from: there is no node 'dense2' before this one; did you mean 'dense1'?"},
        {"net:\n  - name: x\n", "r.yaml:2: net: this layer does not say what it is"},
        {"net:\n  - [dense]\n", "r.yaml:2: net: expected a layer"},
        {"net:\n  - repeat: {times: 2}\n", "r.yaml:2: repeat: net is missing"},
        {"net:\n  - repeat: {net: [relu]}\n", "r.yaml:2: repeat: repeat needs 'times'"},
        {"net:\n  - repeat: {time: 2, net: [relu]}\n",
         "r.yaml:2: unknown key 'time' in repeat; did you mean 'times'?"},
        {"net:\n  - repeat: {times: 2, net: [relu]}\n    name: a\n", "repeat stands alone"},
        {"net:\n  - repeat: {times: 4096, net: [relu, relu]}\n", "net: more than 4096 layers"},
        {"net:\n  - repeat: {times: 4096, net: [repeat: {times: 4096, net: []}]}\n",
         "repeat: more than 16384 rounds"},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) {
        fanin_recipe *r;
        assert_refused(ctx, FANIN_ERR_RECIPE, cases[i].part, parse(&r, cases[i].text, NULL));
        assert_null(r);
    }
}

static void assert_names(const char *net, const char *names) {
    fanin_recipe *r;
    char text[1024], got[1024] = "";
    snprintf(text, sizeof text, "net:\n%s", net);
    assert_ok(ctx, parse(&r, text, NULL));
    for (int i = 0; i < r->layers.n; i++) {
        const struct fi_layer *layer = &r->layers.items[i];
        sprintf(got + strlen(got), "%s%s", i ? " " : "", layer->name);
        for (int k = 0; k < layer->n_inputs; k++) {
            int from = layer->inputs[k];
            bool chained = layer->n_inputs == 1 && from == i - 1;
            if (!chained) {
                sprintf(got + strlen(got), "<%s", from < 0 ? "x" : r->layers.items[from].name);
            }
        }
    }
    assert_string_equal(got, names);
    fanin_recipe_free(r);
}

static void test_names(void **state) {
    (void)state;
    assert_names("  [dense: 2, relu, dense: 3, relu]", "dense1 relu1 dense2 relu2");
    assert_names("  [linear: 2, dense: 3]", "dense1 dense2");
    assert_names("  [{dense: 2, name: dense2}, dense: 3, dense: 4]", "dense2 dense3 dense4");
    assert_names("  [{dense: 2, name: dense3}, dense: 3, dense: 4]", "dense3 dense2 dense4");
    assert_names("  [repeat: {times: 2, net: [dense: 2, {relu: , name: act}]}, dense: 4]",
                 "dense1 act1 dense2 act2 dense3");
    assert_names("  [repeat: {times: 2, net: [repeat: {times: 2, net: [{relu: , name: a}]}]}]",
                 "a1 a2 a3 a4");
    assert_names("  [repeat: {times: 0, net: [relu]}, tanh]", "tanh1");
    assert_names("  [dense: 4, {relu: , name: r}, dense: 4, {add: , from: [r, dense2]}]",
                 "dense1 r dense2 add1<r<dense2");
    assert_names("  [dense: 4, {dense: 4, from: input}, {add: , from: [dense1, input1]}]",
                 "dense1 dense2<x add1<dense1<x");
    /* a residual stack: `input` is what enters each round, names are those of the round */
    assert_names("  - dense: 4\n"
                 "  - repeat:\n"
                 "      times: 2\n"
                 "      net:\n"
                 "        - {dense: 4, name: f}\n"
                 "        - relu\n"
                 "        - {add: , from: [input, relu1, f]}\n",
                 "dense1 f1 relu1 add1<dense1<relu1<f1 f2 relu2 add2<add1<relu1<f2");
}

/* Applies overrides; `part` must then stand in the JSON. */
static void assert_set(const char *text, const char *override, const char *part) {
    fanin_recipe *r;
    assert_ok(ctx, parse(&r, text, override));
    if (!strstr(fanin_recipe_json(r), part)) {
        fail_msg("%s: '%s' is not in %s", override, part, fanin_recipe_json(r));
    }
    fanin_recipe_free(r);
}

static const char base[] =
    "data: {train: a.csv}\n"
    "net:\n"
    "  - dropout: 0.2\n"
    "  - repeat: {times: 2, net: [dense: 8, relu, {dropout: 0.5, name: d}]}\n"
    "  - dense: {units: 10, init: normal}\n"
    "optim: {sgd: 0.1}\n"
    "train: {epochs: 3}\n";

static void test_overrides(void **state) {
    (void)state;
    static const struct {
        const char *override, *part;
    } cases[] = {
        {"train.epochs=5", "\"train\": {\"epochs\": 5}"},
        {"train.batch=5", "\"train\": {\"epochs\": 3, \"batch\": 5}"},
        {"train.early_stop.patience=5", "\"early_stop\": {\"patience\": 5}"},
        {"train={}", "\"train\": {}"},
        {"train.epochs=", "\"train\": {\"epochs\": null}"},
        {"optim.sgd.lr=1", "\"optim\": {\"sgd\": {\"lr\": 1}}"},
        {"optim.sgd.momentum=.5", "\"optim\": {\"sgd\": {\"lr\": 0.1, \"momentum\": 0.5}}"},
        {"optim.sgd=1", "\"optim\": {\"sgd\": 1}"},
        {"optim=adamw", "\"optim\": \"adamw\""},
        {"optim={adamw: {lr: 1e-3}}", "\"optim\": {\"adamw\": {\"lr\": 1e-3}}"},
        {"schedule.step.every=2", "\"schedule\": {\"step\": {\"every\": 2}}"},
        {"init={constant: 0.01}", "\"init\": {\"constant\": 0.01}"},
        {"init.constant.value=0.01", "\"init\": {\"constant\": {\"value\": 0.01}}"},
        {"loss=mse", "\"loss\": \"mse\""},
        {"regularize.l2=1e-4", "\"regularize\": {\"l2\": 1e-4}"},
        {"regularize.l2.lambda=1e-4", "\"regularize\": {\"l2\": {\"lambda\": 1e-4}}"},
        {"data.dir=/x y", "\"data\": {\"train\": \"a.csv\", \"dir\": \"/x y\"}"},
        {"data=digits", "\"data\": {\"reader\": \"digits\"}"},
        {"data.csv.target=price", "\"reader\": {\"csv\": {\"target\": \"price\"}}"},
        {"data.reader.csv.target=07", "\"reader\": {\"csv\": {\"target\": \"07\"}}"},
        {"net=[dense]", "\"net\": [\"dense\"]"},
        {"net.0.dropout=0.3", "\"net\": [{\"dropout\": 0.3}, "},
        {"net.0.rate=0.3", "\"net\": [{\"dropout\": {\"rate\": 0.3}}, "},
        {"net.0.dropout.rate=0.3", "\"net\": [{\"dropout\": {\"rate\": 0.3}}, "},
        {"net.0=relu", "\"net\": [\"relu\", "},
        {"net.1.repeat.times=3", "{\"repeat\": {\"times\": 3, "},
        {"net.1.repeat.net.1=tanh", "\"net\": [{\"dense\": 8}, \"tanh\", "},
        {"net.dropout1.rate=0.3", "\"net\": [{\"dropout\": {\"rate\": 0.3}}, "},
        {"net.dense3.units=7", "{\"dense\": {\"units\": 7, \"init\": \"normal\"}}"},
        {"net.dense3.linear.units=7", "{\"dense\": {\"units\": 7, \"init\": \"normal\"}}"},
        {"net.dense3.init={constant: 1}", "\"init\": {\"constant\": 1}"},
        {"net.dense3.init.normal.std=1", "\"init\": {\"normal\": {\"std\": 1}}"},
        {"net.dense3.name=head",
         "{\"dense\": {\"units\": 10, \"init\": \"normal\"}, \"name\": \"head\"}"},
        {"net.dense2.units=7",
         "{\"repeat\": {\"times\": 1, \"net\": [{\"dense\": {\"units\": 7}}, "},
        {"net.dense2.bias=false", "{\"dense\": {\"units\": 8, \"bias\": false}}"},
        {"net.relu2=tanh", "[{\"dense\": 8}, \"tanh\", {\"dropout\": 0.5, \"name\": \"d\"}]"},
        {"net.relu*=tanh", "{\"repeat\": {\"times\": 1, \"net\": [{\"dense\": 8}, \"tanh\", "
                           "{\"dropout\": 0.5, \"name\": "
                           "\"d\"}]}}, {\"repeat\": {\"times\": 1, \"net\": [{\"dense\": 8}, "
                           "\"tanh\", {\"dropout\": 0.5, "
                           "\"name\": \"d\"}]}}"},
        {"net.d?.rate=0.25",
         "{\"dropout\": {\"rate\": 0.25}, \"name\": \"d\"}]}}, {\"repeat\": {\"times\": 1, "},
        {"params.+={match: a*, lr: 2}", "\"params\": [{\"match\": \"a*\", \"lr\": 2}]"},
        {"net.d2.rate=0", "{\"dropout\": {\"rate\": 0}, \"name\": \"d\"}"},
        {"name=a=b", "\"name\": \"a=b\""},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) assert_set(base, cases[i].override, cases[i].part);
    assert_set("data: digits\nnet: [dense]\n", "data.test_fraction=0.2",
               "\"data\": {\"reader\": \"digits\", \"test_fraction\": 0.2}");
    assert_set("data: xor\nnet: [dense]\n", "data.xor.noise=1",
               "\"data\": {\"reader\": {\"xor\": {\"noise\": 1}}}");
    assert_set("train: {checkpoint: x}\nnet: [dense]\n", "train.checkpoint.every=2",
               "\"checkpoint\": {\"path\": \"x\", \"every\": 2}");
}

static void test_split_keeps_names(void **state) {
    (void)state;
    fanin_recipe *plain, *changed;
    static const char text[] =
        "net:\n"
        "  - repeat: {times: 2, net: [dense: 4, repeat: {times: 3, net: [{relu: , name: a}]}]}\n"
        "  - dense: 3\n";
    assert_ok(ctx, parse(&plain, text, NULL));
    assert_ok(ctx, parse(&changed, text, "net.a5=tanh"));
    assert_int_equal(plain->layers.n, changed->layers.n);
    for (int i = 0; i < plain->layers.n; i++) {
        const struct fi_layer *a = &plain->layers.items[i], *b = &changed->layers.items[i];
        bool is_a5 = strcmp(a->name, "a5") == 0;
        assert_string_equal(b->op->name, is_a5 ? "tanh" : a->op->name);
        if (!is_a5 && strcmp(a->name, "a6") != 0) assert_string_equal(a->name, b->name);
    }
    fanin_recipe_free(plain);
    fanin_recipe_free(changed);
}

static void test_override_messages(void **state) {
    (void)state;
    static const struct {
        const char *override, *part;
    } cases[] = {
        {"train.epochs", "--set train.epochs: expected path=value"},
        {"=3", "--set =3: expected path=value"},
        {"train..epochs=3", "--set train..epochs=3: an empty name in the path"},
        {"train.epochs={", "--set train.epochs={: not valid YAML"},
        {"train.epochs=x", "--set train.epochs=x: train: 'epochs' must be a whole number, not 'x'"},
        {"trian.epochs=3", "--set trian.epochs=3: unknown key 'trian' in the recipe; did you mean"},
        {"train.epoch=3", "--set train.epoch=3: unknown key 'epoch' in train; did you mean"},
        {"train.epochs.x=3", "train.epochs: expected a map to set a key in, found number 3"},
        {"optim.sgd.lr=-1", "--set optim.sgd.lr=-1: optim.sgd: 'lr' must be at least 0"},
        {"optim.sgd.l=1", "--set optim.sgd.l=1: unknown key 'l' in optim.sgd"},
        {"optim.lr=1", "--set optim.lr=1: optim is sgd: write optim.sgd.lr"},
        {"optim.adamw.lr=1", "--set optim.adamw.lr=1: optim is sgd, not adamw; to replace it, set "
                             "optim='{adamw: {…}}'"},
        {"optim.x=1", "--set optim.x=1: optim is sgd, and 'x' is neither its name nor an attr"},
        {"optim={}", "--set optim={}: optim: expected a name or {name: attributes}"},
        {"net.dense9.units=1",
         "--set net.dense9.units=1: there is no node 'dense9' in net; did you"},
        {"net.9=relu", "--set net.9=relu: there is no node '9' in net"},
        {"net.dense1.unit=1", "--set net.dense1.unit=1: unknown key 'unit' in net.dense1; did you"},
        {"net.dense1=5", "--set net.dense1=5: net: expected a layer"},
        {"net.dense1.init=norml", "--set net.dense1.init=norml: unknown initializer 'norml'"},
        {"net.relu1.x=1", "--set net.relu1.x=1: unknown key 'x' in net.relu1: relu takes no attr"},
        {"net.1.repeat.times=-1",
         "--set net.1.repeat.times=-1: repeat: 'times' must be at least 0"},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) {
        fanin_recipe *r;
        assert_refused(ctx, FANIN_ERR_RECIPE, cases[i].part, parse(&r, base, cases[i].override));
    }
    char text[400] = "name=";
    memset(text + 5, 'x', 300);
    strcpy(text + 305, "\nnet=3");
    fanin_recipe *r;
    strcpy(text, "nam=");
    memset(text + 4, 'x', 300);
    assert_refused(ctx, FANIN_ERR_RECIPE, "xxx…: unknown key 'nam'", parse(&r, base, text));
}

static void test_many_overrides(void **state) {
    (void)state;
    static const char *const list[] = {"net.1.repeat.times=3", "net.dense3.units=5",
                                       "net.dense3.bias=false", "net.dense4.units=6"};
    fanin_recipe *r;
    assert_ok(ctx, fanin_recipe_parse(&r, ctx, "r.yaml", base, list, FI_COUNT(list)));
    assert_int_equal(r->layers.n, 1 + 9 + 1);
    assert_string_equal(r->layers.items[7].name, "dense3");
    assert_true(r->layers.items[7].attrs.items[0].number == 5);
    assert_int_equal(r->layers.items[7].attrs.n, 2);
    fanin_recipe_free(r);
}

static void test_defaults(void **state) {
    (void)state;
    fanin_recipe *r;
    const char *override = "data.test_fraction=0.3";
    assert_ok(ctx, fanin_recipe_load(&r, ctx, NULL, &override, 1));
    assert_string_equal(fanin_recipe_data(r)->reader.name, "digits");
    assert_true(fanin_recipe_data(r)->test_fraction == 0.3);
    fanin_recipe_free(r);
    assert_ok(ctx, fanin_recipe_for_data(&r, ctx, "my \"own\".csv", "x\\y", NULL, 0));
    assert_string_equal(fanin_recipe_data(r)->train, "my \"own\".csv");
    assert_string_equal(fanin_recipe_data(r)->reader.name, "csv");
    assert_string_equal(fanin_recipe_data(r)->reader.attrs[0].text, "x\\y");
    fanin_recipe_free(r);
    assert_ok(ctx, fanin_recipe_for_data(&r, ctx, "a.csv", NULL, NULL, 0));
    assert_null(fanin_recipe_data(r)->reader.name);
    fanin_recipe_free(r);
    assert_ok(ctx, parse(&r, "net: [dense]\n", NULL));
    assert_int_equal(fanin_recipe_train(r)->batch, 0); /* shrinks to the data */
    assert_int_equal(fanin_recipe_train(r)->epochs, 10);
    fanin_recipe_free(r);
}

static void test_files(void **state) {
    (void)state;
    fanin_recipe *r;
    char dir[256], path[300];
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/none.yaml", dir);
    assert_refused(ctx, FANIN_ERR_IO, "none.yaml': No such file",
                   fanin_recipe_load(&r, ctx, path, NULL, 0));
    assert_refused(ctx, FANIN_ERR_IO, "directory", fanin_recipe_load(&r, ctx, dir, NULL, 0));
    /* longer than one read */
    size_t size = 100000;
    char *text = malloc(size);
    memset(text, '#', size);
    memcpy(text + size - 17, "\n\nnet: [dense: 3]", 17);
    snprintf(path, sizeof path, "%s/long.yaml", dir);
    write_file(path, text, size);
    assert_ok(ctx, fanin_recipe_load(&r, ctx, path, NULL, 0));
    fanin_recipe_free(r);
    text[size - 3] = 'x';
    write_file(path, text, size);
    assert_refused(ctx, FANIN_ERR_RECIPE,
                   "long.yaml:3: ", fanin_recipe_load(&r, ctx, path, NULL, 0));
    free(text);
    size = (16u << 20) + 1;
    text = malloc(size);
    memset(text, '#', size);
    write_file(path, text, size);
    assert_refused(ctx, FANIN_ERR_RECIPE, "larger than 16 MiB",
                   fanin_recipe_load(&r, ctx, path, NULL, 0));
    free(text);
    temp_dir_remove(dir);
}

static void test_sections_listed(void **state) {
    (void)state;
    int n = 0;
    for (const struct fanin_record *s; (s = fanin_recipe_section(n)); n++) {
        assert_non_null(s->help);
        for (const struct fanin_attr_spec *k = s->attrs; k->name; k++) assert_non_null(k->help);
        /* a reader named like a key of data could not be written in the short form */
        for (const struct fanin_attr_spec *k = s->attrs; s == &fi_section_data && k->name; k++) {
            assert_null(fanin_record_find(ctx, "reader", k->name));
        }
    }
    assert_true(n >= 7);
    assert_null(fanin_recipe_section(-1));
}

/* Fails the allocation number `fail_at`, counted from 0. */
struct failing {
    int64_t count, fail_at, live;
};

static void *failing_alloc(void *payload, size_t bytes, size_t align) {
    struct failing *f = payload;
    void *memory = NULL;
    if (f->count++ == f->fail_at || posix_memalign(&memory, align, bytes) != 0) return NULL;
    f->live++;
    return memory;
}

static void failing_free(void *payload, void *memory) {
    struct failing *f = payload;
    f->live -= memory != NULL;
    free(memory);
}

static void test_no_memory(void **state) {
    (void)state;
    static const char *const overrides[] = {"net.dense1.units=9", "optim.sgd.lr=1"};
    struct failing f = {.fail_at = -1};
    struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 1, .allocator = {failing_alloc, failing_free, &f}};
    fanin_ctx *poor;
    assert_int_equal(fanin_ctx_create(&poor, &options, NULL, 0), FANIN_OK);
    int64_t live = f.live;
    enum fanin_status status = FANIN_ERR_MEMORY;
    int64_t at = 0;
    for (; status == FANIN_ERR_MEMORY; at++) {
        fanin_recipe *r;
        f.count = 0;
        f.fail_at = at;
        status = fanin_recipe_parse(&r, poor, "r.yaml", whole, overrides, FI_COUNT(overrides));
        assert_true((status == FANIN_OK) == (r != NULL));
        fanin_recipe_free(r);
        assert_int_equal(f.live, live);
    }
    if (status != FANIN_OK) fail_msg("%s", fanin_errmsg(poor));
    assert_true(at > 4);
    f.fail_at = -1;
    fanin_ctx_free(poor);
    assert_int_equal(f.live, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    struct CMUnitTest tests[] = {
        T(test_sections),
        T(test_json_again),
        T(test_short_forms),
        T(test_messages),
        T(test_names),
        T(test_overrides),
        T(test_split_keeps_names),
        T(test_override_messages),
        T(test_many_overrides),
        T(test_defaults),
        T(test_files),
        T(test_sections_listed),
        T(test_no_memory),
    };
    return test_main(tests);
}
