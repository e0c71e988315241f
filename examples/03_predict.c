/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Using a trained model: load a file, give it raw numbers, print the most probable class.
 *
 *     fanin train && ./03_predict model.safetensors < numbers
 *
 * The numbers are as they were in the training data: the model file holds the normalization. One
 * sample after another, separated by spaces or newlines.
 */
#include <fanin/fanin.h>
#include <stdio.h>
#include <stdlib.h>

/* Reads one sample; 0 at the end of the input. */
static int read_sample(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (scanf("%f", &x[i]) != 1) return 0;
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s MODEL < NUMBERS\n", argv[0]);
        return 2;
    }
    char error[256];
    fanin_ctx *ctx;
    fanin_model *model;
    if (fanin_ctx_create(&ctx, NULL, error, sizeof error) != FANIN_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    enum fanin_status status = fanin_model_load(&model, ctx, argv[1]);
    if (status == FANIN_OK) {
        int64_t inputs = fanin_model_inputs(model), outputs = fanin_model_outputs(model);
        float *x = calloc((size_t)inputs, sizeof *x), *p = calloc((size_t)outputs, sizeof *p);
        while (x && p && status == FANIN_OK && read_sample(x, inputs)) {
            /* one sample here; n samples at once are faster */
            status = fanin_model_predict(model, x, 1, p);
            if (status != FANIN_OK) break;
            int64_t best = 0;
            for (int64_t i = 1; i < outputs; i++)
                if (p[i] > p[best]) best = i;
            const char *name = fanin_model_output_name(model, best);
            if (fanin_model_task(model) == FANIN_CLASSIFICATION)
                printf("%s  (p = %.3f)\n", name ? name : "?", p[best]);
            else
                printf("%g\n", p[0]);
        }
        free(x);
        free(p);
    }
    if (status != FANIN_OK) fprintf(stderr, "%s\n", fanin_errmsg(ctx));
    fanin_model_free(model);
    fanin_ctx_free(ctx);
    return status == FANIN_OK ? 0 : 1;
}
