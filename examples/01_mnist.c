/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A multilayer perceptron for handwritten digits, with dropout and weight decay, and a report.
 *
 *     ./01_mnist FOLDER      MNIST: the four .gz files as they are distributed, in FOLDER
 *     ./01_mnist             the 1,797 small digits inside the library
 *
 * New here: data from files, attributes of rules (optimizer, regularizer), events written as text.
 */
#include <fanin/fanin.h>
#include <fanin/report.h>
#include <stdio.h>

static enum fanin_status load(fanin_data **data, fanin_ctx *ctx, const char *folder) {
    struct fanin_data_options mnist = {.size = sizeof mnist,
                                       .dir = folder,
                                       .train = "train-images-idx3-ubyte.gz",
                                       .train_labels = "train-labels-idx1-ubyte.gz",
                                       .test = "t10k-images-idx3-ubyte.gz",
                                       .test_labels = "t10k-labels-idx1-ubyte.gz"};
    struct fanin_data_options digits = {
        .size = sizeof digits, .reader = {.name = "digits"}, .test_fraction = 0.2, .seed = 1};
    return fanin_data_load(data, ctx, folder ? &mnist : &digits);
}

static enum fanin_status build(fanin_net **net, fanin_ctx *ctx, const fanin_data *data) {
    struct fanin_attr units = {.number = 256}, drop = {.number = 0.3};
    struct fanin_attr classes = {.number = (double)fanin_data_outputs(data)};
    const struct fanin_shape *shape = fanin_data_shape(data);
    int a, b;
    enum fanin_status s = fanin_net_create(net, ctx);
    s = s ? s : fanin_net_input(*net, &a, NULL, shape->rank, shape->dims);
    for (int layer = 0; layer < 2; layer++) {
        s = s ? s : fanin_net_add(*net, &b, "dense", NULL, &a, 1, &units, 1);
        s = s ? s : fanin_net_add(*net, &a, "relu", NULL, &b, 1, NULL, 0);
        s = s ? s : fanin_net_add(*net, &b, "dropout", NULL, &a, 1, &drop, 1);
        a = b;
    }
    return s ? s : fanin_net_add(*net, &b, "dense", NULL, &a, 1, &classes, 1);
}

/* The report hands us its lines; where they go is our business. */
static int to_stdout(void *payload, const char *text, size_t bytes) {
    (void)payload;
    return fwrite(text, 1, bytes, stdout) == bytes ? 0 : 1;
}

int main(int argc, char **argv) {
    struct fanin_attr rate = {.name = "lr", .number = 0.002}, strength = {.number = 0.01};
    struct fanin_rule decay = {"weight_decay", &strength, 1, 0};
    struct fanin_model_options options = {.size = sizeof options, .seed = 1};
    struct fanin_train_options train = {.size = sizeof train, .optim = {"adamw", &rate, 1, 0}};
    fanin_ctx *ctx;
    fanin_report *report = NULL;
    fanin_data *data = NULL;
    fanin_net *net = NULL;
    fanin_model *model = NULL;
    if (fanin_ctx_create(&ctx, NULL, NULL, 0) != FANIN_OK) return 1;
    enum fanin_status s = fanin_report_create(&report, ctx, "text", to_stdout, NULL, NULL);
    s = s ? s : load(&data, ctx, argc > 1 ? argv[1] : NULL);
    s = s ? s : build(&net, ctx, data);
    options.data = data; /* its normalization and class names go into the model */
    if (s) fanin_net_free(net);
    s = s ? s : fanin_model_create(&model, net, &options);
    train.schedule.name = "cosine", train.regularize = &decay, train.n_regularize = 1;
    train.epochs = argc > 1 ? 5 : 20, train.seed = 1;
    train.event = fanin_report_event, train.event_payload = report;
    s = s ? s : fanin_train(model, data, &train);
    s = s ? s : fanin_evaluate(model, data, FANIN_TEST, fanin_report_event, report);
    s = s ? s : fanin_model_save(model, "digits.safetensors");
    if (s) fprintf(stderr, "%s\n", fanin_errmsg(ctx));
    fanin_model_free(model), fanin_data_free(data);
    fanin_report_free(report), fanin_ctx_free(ctx);
    return s ? 1 : 0;
}
