/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An op of one's own, y = x / (1 + |x|), as a record in the program that uses it. From then on it
 * is used like any other: by name, in nets, in model files (a program that loads such a file
 * registers the op first). The library has softsign too, and a name is given once: my_softsign.
 * Elementwise ops work on blocks of rows, so that they run while the numbers are still in cache.
 */
#include <fanin/fanin.h>
#include <math.h>
#include <stdio.h>

static enum fanin_status infer(struct fanin_infer *io) {
    io->out = io->in[0]; /* same shape; no parameters, nothing kept for backward */
    return FANIN_OK;
}

static void forward(const struct fanin_step *s, const struct fanin_block *b, const fanin_real *x,
                    int64_t ldx, fanin_real *y, int64_t ldy) {
    (void)s;
    for (int64_t r = 0; r < b->rows; r++)
        for (int64_t c = 0; c < b->cols; c++)
            y[r * ldy + c] = x[r * ldx + c] / (1 + (fanin_real)fabs((double)x[r * ldx + c]));
}

/* dy/dx = 1 / (1 + |x|)² = (1 - |y|)²: from the output alone, so the input need not be kept. */
static void backward(const struct fanin_step *s, const struct fanin_block *b, const fanin_real *x,
                     int64_t ldx, const fanin_real *y, int64_t ldy, const fanin_real *dy,
                     int64_t lddy, fanin_real *dx, int64_t lddx) {
    (void)s, (void)x, (void)ldx;
    for (int64_t r = 0; r < b->rows; r++)
        for (int64_t c = 0; c < b->cols; c++) {
            fanin_real slope = 1 - (fanin_real)fabs((double)y[r * ldy + c]);
            dx[r * lddx + c] = dy[r * lddy + c] * slope * slope;
        }
}

/* As a function of one number, for the start's analysis; it starts like the family of tanh. */
static double f(const void *attrs, double x) {
    return (void)attrs, x / (1 + fabs(x));
}
static double df(const void *attrs, double x) {
    return (void)attrs, 1 / ((1 + fabs(x)) * (1 + fabs(x)));
}
static const struct fanin_curve curve = {
    .f = f, .df = df, .kinks = (const double[]){0}, .n_kinks = 1, .family = "tanh"};
static const struct fanin_case cases[] = {{.rows = 3, .n_in = 1, .dims = {{5}}}};

static const struct fanin_op softsign = {.head = {.name = "my_softsign",
                                                  .formula = "y = x / (1 + |x|)",
                                                  .reference = "Glorot & Bengio 2010",
                                                  .help = "Like tanh, but slow to saturate."},
                                         .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
                                         .infer = infer,
                                         .forward_block = forward,
                                         .backward_block = backward,
                                         .curve = &curve,
                                         .cases = cases,
                                         .n_cases = 1};

int main(void) {
    static const char recipe[] = "{data: {digits: {}, test_fraction: 0.2}, "
                                 "net: [{dense: 64}, my_softsign, {dense: outputs}], "
                                 "optim: {adamw: {lr: 0.003}}, train: {epochs: 20, seed: 1}}";
    fanin_ctx *ctx;
    fanin_recipe *r = NULL;
    fanin_data *data = NULL;
    fanin_model *model = NULL;
    if (fanin_ctx_create(&ctx, NULL, NULL, 0) != FANIN_OK) return 1;
    enum fanin_status s = fanin_register_op(ctx, &softsign);
    s = s ? s : fanin_recipe_parse(&r, ctx, "own op", recipe, NULL, 0);
    s = s ? s : fanin_data_load(&data, ctx, fanin_recipe_data(r));
    s = s ? s : fanin_recipe_model(&model, r, fanin_data_shape(data), 10, data);
    s = s ? s : fanin_train(model, data, fanin_recipe_train(r));
    s = s ? s : fanin_model_save(model, "own.safetensors");
    printf("%s\n", s ? fanin_errmsg(ctx) : "a net with my_softsign: own.safetensors");
    fanin_model_free(model), fanin_data_free(data);
    fanin_recipe_free(r), fanin_ctx_free(ctx);
    return s ? 1 : 0;
}
