/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting from tensors of another program: files as the safetensors package writes them, written
 * here by hand; names by map and by convention, types, shapes, and what every refusal says.
 */
#include <inttypes.h>
#include <math.h>

#include "graph/graph.h"
#include "support/support.h"

/* input 3 -> dense1 (2) -> batch_norm1 -> dense2 (4) */
struct fixture {
    fanin_ctx *ctx;
    fanin_model *model;
    char dir[256], path[300];
    char header[4096];
    uint8_t data[2048];
    size_t n;
    int tensors;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    count_test(state);
    f->ctx = test_ctx();
    temp_dir(f->dir);
    snprintf(f->path, sizeof f->path, "%s/net.safetensors", f->dir);
    fanin_net *net;
    int node;
    const struct fanin_attr units[] = {{.number = 2}, {.number = 4}};
    assert_ok(f->ctx, fanin_net_create(&net, f->ctx));
    assert_ok(f->ctx, fanin_net_input(net, &node, NULL, 1, (int64_t[]){3}));
    assert_ok(f->ctx, fanin_net_add(net, &node, "dense", NULL, &node, 1, &units[0], 1));
    assert_ok(f->ctx, fanin_net_add(net, &node, "batch_norm", NULL, &node, 1, NULL, 0));
    assert_ok(f->ctx, fanin_net_add(net, &node, "dense", NULL, &node, 1, &units[1], 1));
    assert_ok(f->ctx, fanin_model_create(&f->model, net, NULL));
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    fanin_model_free(f->model);
    temp_dir_remove(f->dir);
    fanin_ctx_free(f->ctx);
    free(f);
    return 0;
}

static void begin(struct fixture *f) {
    f->n = 0;
    f->tensors = 0;
    strcpy(f->header, "{\"__metadata__\":{\"format\":\"pt\"}");
}

static void add_bytes(struct fixture *f, const char *name, const char *dtype, const char *shape,
                      const void *bytes, size_t n) {
    snprintf(f->header + strlen(f->header), 300,
             ",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", name, dtype,
             shape, f->n, f->n + n);
    memcpy(f->data + f->n, bytes, n);
    f->n += n;
    f->tensors++;
}

/* Numbers first, first + 1, … as F32. */
static void add(struct fixture *f, const char *name, const char *shape, int count, float first) {
    float numbers[64];
    for (int i = 0; i < count; i++) numbers[i] = first + (float)i;
    add_bytes(f, name, "F32", shape, numbers, (size_t)count * sizeof *numbers);
}

static void save(struct fixture *f) {
    uint8_t all[8192];
    strcat(f->header, "}");
    const uint64_t length = strlen(f->header);
    memcpy(all, &length, 8);
    memcpy(all + 8, f->header, length);
    memcpy(all + 8 + length, f->data, f->n);
    write_file(f->path, all, 8 + length + f->n);
}

static enum fanin_status import(struct fixture *f, const struct fanin_named_text *map, int64_t n,
                                bool partial, bool transpose) {
    const struct fanin_import_options o = {sizeof o, map, n, partial, transpose};
    return fanin_model_import(f->model, f->path, &o);
}

static void assert_param(struct fixture *f, const char *name, int count, const float *expected) {
    float values[64];
    assert_ok(f->ctx, fanin_model_get(f->model, name, values, count));
    for (int i = 0; i < count; i++)
        if (values[i] != expected[i])
            fail_msg("%s[%d] is %g, not %g", name, i, (double)values[i], (double)expected[i]);
}

static void assert_counted(struct fixture *f, const char *name, int count, float first) {
    float expected[64];
    for (int i = 0; i < count; i++) expected[i] = first + (float)i;
    assert_param(f, name, count, expected);
}

/* The state of a net as PyTorch's modules name it. */
static void add_torch(struct fixture *f) {
    const int64_t batches = 20;
    begin(f);
    add(f, "bn.bias", "[2]", 2, 10);
    add_bytes(f, "bn.num_batches_tracked", "I64", "[]", &batches, 8);
    add(f, "bn.running_mean", "[2]", 2, 20);
    add(f, "bn.running_var", "[2]", 2, 30);
    add(f, "bn.weight", "[2]", 2, 40);
    add(f, "fc1.bias", "[2]", 2, 50);
    add(f, "fc1.weight", "[2,3]", 6, 60);
    add(f, "fc10.bias", "[4]", 4, 70);
    add(f, "fc10.weight", "[4,2]", 8, 80);
}

static const struct fanin_named_text torch_map[] = {
    {"fc10.*", "dense2.*"}, {"fc1.*", "dense1.*"}, {"bn.*", "batch_norm1.*"}};

static void test_torch(void **state) {
    struct fixture *f = *state;
    add_torch(f);
    save(f);
    assert_ok(f->ctx, import(f, torch_map, 3, false, false));
    assert_counted(f, "batch_norm1.bias", 2, 10);
    assert_counted(f, "batch_norm1.running_mean", 2, 20);
    assert_counted(f, "batch_norm1.running_var", 2, 30);
    assert_counted(f, "batch_norm1.weight", 2, 40);
    assert_counted(f, "dense1.bias", 2, 50);
    assert_counted(f, "dense1.weight", 6, 60);
    assert_counted(f, "dense2.bias", 4, 70);
    assert_counted(f, "dense2.weight", 8, 80);
    struct fanin_param_info info;
    fanin_net_param(fanin_model_net(f->model), 0, &info);
    assert_string_equal(info.init, "imported");
    assert_non_null(strstr(info.why, "F32 in "));
    assert_true(fabs(info.std - sqrt(35.0 / 12)) < 1e-6); /* of 60 … 65 */
}

/* PyTorch counts batches in int64: kept where the plain average over batches goes on with it. */
static void test_batches_tracked(void **state) {
    struct fixture *f = *state;
    const int64_t batches = 20;
    const struct fanin_attr units = {.number = 2}, null = {.name = "momentum", .is_null = 1};
    fanin_net *net;
    int node;
    assert_ok(f->ctx, fanin_net_create(&net, f->ctx));
    assert_ok(f->ctx, fanin_net_input(net, &node, NULL, 1, (int64_t[]){3}));
    assert_ok(f->ctx, fanin_net_add(net, &node, "dense", NULL, &node, 1, &units, 1));
    assert_ok(f->ctx, fanin_net_add(net, &node, "batch_norm", "bn", &node, 1, &null, 1));
    fanin_model_free(f->model);
    f->model = NULL;
    assert_ok(f->ctx, fanin_model_create(&f->model, net, NULL));
    begin(f);
    add(f, "bn.bias", "[2]", 2, 10);
    add_bytes(f, "bn.num_batches_tracked", "I64", "[]", &batches, 8);
    add(f, "bn.running_mean", "[2]", 2, 20);
    save(f);
    assert_ok(f->ctx, import(f, NULL, 0, false, false));
    assert_counted(f, "bn.num_batches_tracked", 1, 20);
    assert_counted(f, "bn.running_mean", 2, 20);
}

/* Nothing changes, and the message says a map that fits. */
static void test_proposes_a_map(void **state) {
    struct fixture *f = *state;
    float before[6];
    assert_ok(f->ctx, fanin_model_get(f->model, "dense1.weight", before, 6));
    add_torch(f);
    save(f);
    assert_refused(f->ctx, FANIN_ERR_DATA,
                   "no parameter is called bn.bias, bn.running_mean, bn.running_var, bn.weight, "
                   "fc1.bias, fc1.weight, ... (8); a map that fits: {\"bn.*\": batch_norm1.*, "
                   "\"fc1.*\": dense1.*, \"fc10.*\": dense2.*}; strict: false leaves them out",
                   import(f, NULL, 0, false, false));
    assert_refused(f->ctx, FANIN_ERR_DATA, "; a map that fits: {\"fc10.*\": dense2.*}",
                   import(f, torch_map + 1, 2, false, false));
    /* not strict, but nothing would be left */
    assert_refused(f->ctx, FANIN_ERR_DATA, "no parameter is called bn.bias",
                   import(f, NULL, 0, true, false));
    assert_param(f, "dense1.weight", 6, before);
    assert_ok(f->ctx, import(f, torch_map + 1, 2, true, false));
    assert_counted(f, "dense1.weight", 6, 60);
}

/* As Keras keeps a dense layer and a batch normalization. */
static void test_keras(void **state) {
    struct fixture *f = *state;
    begin(f);
    add(f, "seq/d/kernel:0", "[3,2]", 6, 0);
    add(f, "seq/d/bias:0", "[2]", 2, 50);
    add(f, "seq/bn/gamma", "[2]", 2, 10);
    add(f, "seq/bn/beta", "[2]", 2, 20);
    add(f, "seq/bn/moving_mean", "[2]", 2, 30);
    add(f, "seq/bn/moving_variance", "[2]", 2, 40);
    save(f);
    static const struct fanin_named_text map[] = {{"seq/d/*", "dense1.*"},
                                                  {"seq/bn/*", "batch_norm1.*"}};
    float before[8];
    assert_ok(f->ctx, fanin_model_get(f->model, "dense2.weight", before, 8));
    assert_refused(f->ctx, FANIN_ERR_SHAPE,
                   "tensor 'seq/d/kernel:0' is (3, 2), but dense1.weight asks for (2, 3); "
                   "transpose: true fits",
                   import(f, map, 2, false, false));
    assert_ok(f->ctx, import(f, map, 2, false, true));
    assert_param(f, "dense1.weight", 6, (const float[]){0, 2, 4, 1, 3, 5});
    assert_counted(f, "dense1.bias", 2, 50);
    assert_counted(f, "batch_norm1.weight", 2, 10);
    assert_counted(f, "batch_norm1.bias", 2, 20);
    assert_counted(f, "batch_norm1.running_mean", 2, 30);
    assert_counted(f, "batch_norm1.running_var", 2, 40);
    assert_param(f, "dense2.weight", 8, before); /* not in the file: as it was drawn */
    assert_refused(f->ctx, FANIN_ERR_DATA,
                   "a map that fits: {\"seq/bn/*\": batch_norm1.*, \"seq/d/*\": dense1.*}",
                   import(f, NULL, 0, false, true));
}

static void test_types(void **state) {
    struct fixture *f = *state;
    static const double f64[] = {1.5, -2.25};
    static const uint16_t half[] = {0x3e00, 0xc080}, bfloat[] = {0x3fc0, 0xc010};
    static const struct {
        const char *dtype;
        const void *bytes;
        size_t n;
    } cases[] = {{"F64", f64, 16}, {"F16", half, 4}, {"BF16", bfloat, 4}};
    for (int i = 0; i < FI_COUNT(cases); i++) {
        begin(f);
        add_bytes(f, "dense1.bias", cases[i].dtype, "[2]", cases[i].bytes, cases[i].n);
        save(f);
        assert_ok(f->ctx, fanin_model_set(f->model, "dense1.bias", (const float[]){0, 0}, 2));
        assert_ok(f->ctx, import(f, NULL, 0, false, false));
        assert_param(f, "dense1.bias", 2, (const float[]){1.5f, -2.25f});
    }
    static const double huge[] = {0, 1e39};
    begin(f);
    add_bytes(f, "dense1.bias", "F64", "[2]", huge, 16);
    save(f);
    assert_refused(f->ctx, FANIN_ERR_DATA, "number 1 of tensor 'dense1.bias' is 1e+39",
                   import(f, NULL, 0, false, false));
    static const float nan[] = {NAN, 0};
    begin(f);
    add_bytes(f, "dense1.bias", "F32", "[2]", nan, 8);
    save(f);
    assert_refused(f->ctx, FANIN_ERR_DATA, "is nan, which is not a finite float",
                   import(f, NULL, 0, false, false));
    static const int64_t whole[] = {1, 2};
    begin(f);
    add_bytes(f, "dense1.bias", "I64", "[2]", whole, 16);
    save(f);
    assert_refused(f->ctx, FANIN_ERR_DATA, "holds I64, not floating-point numbers",
                   import(f, NULL, 0, false, false));
}

static void test_maps(void **state) {
    struct fixture *f = *state;
    begin(f);
    add(f, "a.weight", "[2,3]", 6, 0);
    add(f, "b.weight", "[2,3]", 6, 10);
    add(f, "optimizer.step", "[1]", 1, 0);
    save(f);
    static const struct fanin_named_text both[] = {
        {"a.*", "dense1.*"}, {"b.*", "dense1.*"}, {"optimizer.*", ""}};
    assert_refused(f->ctx, FANIN_ERR_DATA, "'a.weight' and 'b.weight' both go to dense1.weight",
                   import(f, both, 3, false, false));
    static const struct fanin_named_text good[] = {
        {"b.weight", "dense1.weight"}, {"*.weight", ""}, {"optimizer.*", ""}};
    assert_ok(f->ctx, import(f, good, 3, false, false));
    assert_counted(f, "dense1.weight", 6, 10);
    static const struct fanin_named_text unused[] = {{"a.weigth", "dense1.weight"}, {"*", ""}};
    assert_refused(f->ctx, FANIN_ERR_RECIPE,
                   "map: no tensor is called 'a.weigth'; did you mean 'a.weight'?",
                   import(f, unused, 2, false, false));
    static const struct fanin_named_text nothing[] = {{"*", ""}};
    assert_refused(f->ctx, FANIN_ERR_DATA, "holds nothing for this net",
                   import(f, nothing, 1, false, false));
    static const struct fanin_named_text stars[] = {{"*.*", "dense1.*"}};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "one * at most", import(f, stars, 1, false, false));
    static const struct fanin_named_text lone[] = {{"a.weight", "dense1.*"}};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "one * at most", import(f, lone, 1, false, false));
    static const struct fanin_named_text typo[] = {{"a.*", "dens1.*"}, {"*", ""}};
    assert_refused(f->ctx, FANIN_ERR_DATA, "no parameter is called a.weight",
                   import(f, typo, 2, false, false));
    assert_refused(f->ctx, FANIN_ERR_IO, "cannot open",
                   fanin_model_import(f->model, "/nowhere/at/all", NULL));
}

/* Our own model files need no map. */
static void test_own_model(void **state) {
    struct fixture *f = *state;
    float before[8], zeros[8] = {0};
    assert_ok(f->ctx, fanin_model_get(f->model, "dense2.weight", before, 8));
    assert_ok(f->ctx, fanin_model_save(f->model, f->path));
    assert_ok(f->ctx, fanin_model_set(f->model, "dense2.weight", zeros, 8));
    assert_ok(f->ctx, fanin_model_import(f->model, f->path, NULL));
    assert_param(f, "dense2.weight", 8, before);
}

/* Every truncation is refused and changes nothing. */
static void test_truncations(void **state) {
    struct fixture *f = *state;
    float before[6];
    add_torch(f);
    save(f);
    size_t n = 0;
    uint8_t *all = (uint8_t *)read_file(f->path, &n);
    assert_ok(f->ctx, fanin_model_get(f->model, "dense1.weight", before, 6));
    for (size_t cut = 0; cut < n; cut++) {
        write_file(f->path, all, cut);
        assert_refused(f->ctx, FANIN_ERR_DATA, "net.safetensors",
                       import(f, torch_map, 3, false, false));
    }
    assert_param(f, "dense1.weight", 6, before);
    free(all);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    struct CMUnitTest tests[] = {TEST(test_torch),          TEST(test_batches_tracked),
                                 TEST(test_proposes_a_map), TEST(test_keras),
                                 TEST(test_types),          TEST(test_maps),
                                 TEST(test_own_model),      TEST(test_truncations)};
    return test_main(tests);
}
