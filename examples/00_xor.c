/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest network that has to learn something: exclusive or, two inputs, two classes.
 *
 * It shows the five steps of every program: a context, data, a net, a model, training. No single
 * dense layer can do it (no line parts the classes); with eight hidden units it can.
 *
 *     cc 00_xor.c $(pkg-config --cflags --libs fanin) && ./a.out
 */
#include <fanin/fanin.h>
#include <stdio.h>

/* 3. A net: ops added one by one; each call gives the new node's number. The first attribute of
 * dense is its number of units. `s = s ? s : call` goes on until a call fails. */
static enum fanin_status build(fanin_net **net, fanin_ctx *ctx) {
    struct fanin_attr hidden = {.number = 8}, classes = {.number = 2};
    int64_t inputs = 2;
    int x, h, y;
    enum fanin_status s = fanin_net_create(net, ctx);
    s = s ? s : fanin_net_input(*net, &x, NULL, 1, &inputs);
    s = s ? s : fanin_net_add(*net, &h, "dense", NULL, &x, 1, &hidden, 1);
    s = s ? s : fanin_net_add(*net, &y, "tanh", NULL, &h, 1, NULL, 0);
    return s ? s : fanin_net_add(*net, &h, "dense", NULL, &y, 1, &classes, 1);
}

int main(void) {
    static const float x[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    static const int32_t label[4] = {0, 1, 1, 0};
    float p[4][2];
    char error[256];
    fanin_ctx *ctx;
    fanin_data *data = NULL;
    fanin_net *net = NULL;
    fanin_model *model = NULL;

    /* 1. A context holds what others keep in globals: threads, allocator, error message. */
    if (fanin_ctx_create(&ctx, NULL, error, sizeof error) != FANIN_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }

    /* 2. Data: four samples of two numbers, with class numbers. */
    enum fanin_status s = fanin_data_from_arrays(&data, ctx, 4, 2, &x[0][0], label, 2, NULL, 0);

    /* 4. A model: the net with parameters, drawn from the seed. It takes the net over. */
    struct fanin_model_options options = {.size = sizeof options, .seed = 1, .data = data};
    s = s ? s : build(&net, ctx);
    if (s)
        fanin_net_free(net);
    else
        s = fanin_model_create(&model, net, &options);

    /* 5. Training: 500 passes over the four samples. */
    struct fanin_attr rate = {.name = "lr", .number = 0.5};
    struct fanin_train_options train = {
        .size = sizeof train, .optim = {"sgd", &rate, 1, 0}, .epochs = 500, .batch = 4, .seed = 1};
    s = s ? s : fanin_train(model, data, &train);

    int right = 0;
    s = s ? s : fanin_model_predict(model, &x[0][0], 4, &p[0][0]);
    for (int i = 0; i < 4 && !s; i++) {
        printf("%g xor %g = %d  (p = %.3f)\n", x[i][0], x[i][1], p[i][1] > p[i][0], p[i][1]);
        right += (p[i][1] > p[i][0]) == label[i];
    }
    if (s) fprintf(stderr, "%s\n", fanin_errmsg(ctx));
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
    return right == 4 ? 0 : 1;
}
