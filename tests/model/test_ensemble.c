/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout as an ensemble: the exact average against all subnetworks written out, the equality of
 * the geometric mean with weight scaling, K masks against the exact average, same bits, refusals.
 */
#include "support/engine.h"
#include "support/nets.h"
#include "support/records.h"

#define ROWS 7
#define IN 3
#define HIDDEN 4
#define OUT 3
#define SETS (1 << (IN + HIDDEN))

static fanin_model *make_model(fanin_ctx *ctx, const struct layer *layers, int n, int64_t in,
                               const char *loss) {
    const struct fanin_model_options options = {
        .size = sizeof options, .loss = {.name = loss}, .seed = 3};
    fanin_model *model;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, in, layers, n), &options));
    return model;
}

/* Rates are multiples of 2^-16, as the op rounds them. */
#define RATE1 0.25
#define RATE2 0.375
static const struct layer two_dropouts[] = {{"dropout", RATE1, NULL, 0},
                                            {"dense", HIDDEN, NULL, 0},
                                            {"tanh", 0, NULL, 0},
                                            {"dropout", RATE2, NULL, 0},
                                            {"dense", OUT, NULL, 0}};
#define TWO_DROPOUTS (int)(sizeof two_dropouts / sizeof *two_dropouts)

static void fill(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (float)(3 * test_uniform(11, i) - 1.5);
}

static struct fanin_ensemble_options options_of(enum fanin_inference inference, int64_t members,
                                                uint64_t seed) {
    return (struct fanin_ensemble_options){sizeof(struct fanin_ensemble_options), inference,
                                           members, seed};
}

/* Predictions with their uncertainties. */
struct result {
    float p[ROWS * OUT];
    double entropy[ROWS], information[ROWS], deviation[ROWS * OUT];
};

static void run(fanin_ctx *ctx, fanin_model *model, const float *x, int64_t n,
                struct fanin_ensemble_options o, struct result *r) {
    const struct fanin_prediction out = {sizeof out, r->p, r->entropy, r->information,
                                         r->deviation};
    assert_ok(ctx, fanin_model_predict_ensemble(model, x, n, &o, &out));
}

/* ---- all subnetworks, written out ------------------------------------------------------------------ */

struct weights {
    float w1[HIDDEN * IN], b1[HIDDEN], w2[OUT * HIDDEN], b2[OUT];
};

/* Scores of subnetwork `set`, and its probability. */
static double scores_of(const struct weights *w, const float *x, int set, double z[OUT]) {
    double weight = 1, h[HIDDEN];
    for (int i = 0; i < IN + HIDDEN; i++) {
        const double keep = 1 - (i < IN ? RATE1 : RATE2);
        weight *= set >> i & 1 ? keep : 1 - keep;
    }
    for (int j = 0; j < HIDDEN; j++) {
        double sum = (double)w->b1[j];
        for (int i = 0; i < IN; i++)
            if (set >> i & 1) sum += (double)w->w1[j * IN + i] * (double)x[i] / (1 - RATE1);
        h[j] = set >> (IN + j) & 1 ? tanh(sum) / (1 - RATE2) : 0;
    }
    for (int o = 0; o < OUT; o++) {
        z[o] = (double)w->b2[o];
        for (int j = 0; j < HIDDEN; j++) z[o] += (double)w->w2[o * HIDDEN + j] * h[j];
    }
    return weight;
}

static double softmax(double z[OUT]) {
    double sum = 0, entropy = 0;
    for (int o = 0; o < OUT; o++) sum += exp(z[o]);
    for (int o = 0; o < OUT; o++) z[o] = exp(z[o]) / sum;
    for (int o = 0; o < OUT; o++) entropy -= z[o] * log(z[o]);
    return entropy;
}

static void take_weights(fanin_ctx *ctx, fanin_model *m, struct weights *w) {
    for (int j = 0; j < HIDDEN; j++) w->b1[j] = (float)test_uniform(12, j) - 0.5f;
    assert_ok(ctx, fanin_model_set(m, "dense1.bias", w->b1, HIDDEN));
    assert_ok(ctx, fanin_model_get(m, "dense1.weight", w->w1, (int64_t)HIDDEN * IN));
    assert_ok(ctx, fanin_model_get(m, "dense2.weight", w->w2, (int64_t)OUT * HIDDEN));
    assert_ok(ctx, fanin_model_get(m, "dense2.bias", w->b2, OUT));
}

static void all_masks_are_all_subnetworks(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_model *m = make_model(ctx, two_dropouts, TWO_DROPOUTS, IN, "softmax_cross_entropy");
    struct weights w;
    struct result mc, geometric;
    float x[ROWS * IN];
    take_weights(ctx, m, &w);
    fill(x, ROWS * IN);
    run(ctx, m, x, ROWS, options_of(FANIN_MC, FANIN_ALL_MEMBERS, 0), &mc);
    run(ctx, m, x, ROWS, options_of(FANIN_GEOMETRIC, FANIN_ALL_MEMBERS, 0), &geometric);
    for (int r = 0; r < ROWS; r++) {
        double p[OUT] = {0}, log_p[OUT] = {0}, squares[OUT] = {0}, total = 0, entropy = 0;
        for (int set = 0; set < SETS; set++) {
            double q[OUT];
            const double weight = scores_of(&w, x + r * IN, set, q);
            entropy += weight * softmax(q);
            total += weight;
            for (int o = 0; o < OUT; o++) {
                p[o] += weight * q[o];
                squares[o] += weight * q[o] * q[o];
                log_p[o] += weight * log(q[o]);
            }
        }
        assert_true(fabs(total - 1) < 1e-12);
        double own = 0;
        for (int o = 0; o < OUT; o++) own -= p[o] * log(p[o]);
        assert_true(fabs(mc.entropy[r] - own) < 1e-6);
        assert_true(fabs(mc.information[r] - (own - entropy)) < 1e-6);
        assert_true(mc.information[r] > 1e-3);
        assert_true(isnan(geometric.information[r]));
        (void)softmax(log_p); /* normalizes */
        for (int o = 0; o < OUT; o++) {
            assert_true(fabs((double)mc.p[r * OUT + o] - p[o]) < 1e-6);
            assert_true(fabs(mc.deviation[r * OUT + o] - sqrt(squares[o] - p[o] * p[o])) < 1e-6);
            assert_true(fabs((double)geometric.p[r * OUT + o] - log_p[o]) < 1e-6);
        }
    }
    fanin_model_free(m);
    fanin_ctx_free(ctx);
}

/* Baldi & Sadowski 2013, section 3: with one softmax layer behind the noise, whatever stands before
 * it. */
static void geometric_mean_is_weight_scaling(void **state) {
    (void)state;
    static const struct layer layers[] = {{"dense", 12, NULL, 0},
                                          {"relu", 0, NULL, 0},
                                          {"dropout", 0.4, NULL, 0},
                                          {"dense", OUT, NULL, 0}};
    fanin_ctx *ctx = test_ctx();
    fanin_model *m = make_model(ctx, layers, 4, IN, "softmax_cross_entropy");
    struct result scaling, geometric, mc;
    float x[ROWS * IN], plain[ROWS * OUT];
    double apart = 0;
    fill(x, ROWS * IN);
    run(ctx, m, x, ROWS, options_of(FANIN_WEIGHT_SCALING, 0, 0), &scaling);
    run(ctx, m, x, ROWS, options_of(FANIN_GEOMETRIC, FANIN_ALL_MEMBERS, 0), &geometric);
    run(ctx, m, x, ROWS, options_of(FANIN_MC, FANIN_ALL_MEMBERS, 0), &mc);
    assert_ok(ctx, fanin_model_predict(m, x, ROWS, plain));
    assert_memory_equal(plain, scaling.p, sizeof plain);
    for (int i = 0; i < ROWS * OUT; i++) {
        assert_true(fabs((double)geometric.p[i] - (double)plain[i]) < 1e-5);
        apart = fmax(apart, fabs((double)mc.p[i] - (double)plain[i]));
        assert_true(scaling.deviation[i] == 0 && scaling.information[i / OUT] == 0);
    }
    print_message("arithmetic mean and weight scaling differ by up to %.3f\n", apart);
    assert_true(apart > 0.01);
    fanin_model_free(m);
    fanin_ctx_free(ctx);
}

/* ---- drawn masks ------------------------------------------------------------------------------------- */

static void drawn_masks_tend_to_all(void **state) {
    (void)state;
    enum { K = 20000 };
    fanin_ctx *ctx = test_ctx();
    fanin_model *m = make_model(ctx, two_dropouts, TWO_DROPOUTS, IN, "softmax_cross_entropy");
    struct result all, drawn, other;
    float x[ROWS * IN];
    fill(x, ROWS * IN);
    run(ctx, m, x, ROWS, options_of(FANIN_MC, FANIN_ALL_MEMBERS, 0), &all);
    run(ctx, m, x, ROWS, options_of(FANIN_MC, K, 1), &drawn);
    run(ctx, m, x, ROWS, options_of(FANIN_MC, K, 2), &other);
    for (int i = 0; i < ROWS * OUT; i++) {
        const double error = all.deviation[i] / sqrt(K);
        assert_true(fabs((double)drawn.p[i] - (double)all.p[i]) < 5 * error);
        assert_true(fabs(drawn.deviation[i] / all.deviation[i] - 1) < 0.05);
        assert_true(fabs(drawn.information[i / OUT] - all.information[i / OUT]) < 0.01);
    }
    assert_memory_not_equal(drawn.p, other.p, sizeof drawn.p);
    fanin_model_free(m);
    fanin_ctx_free(ctx);
}

/* One member is what one mask gives: its information and deviation are 0. */
static void one_mask(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_model *m = make_model(ctx, two_dropouts, TWO_DROPOUTS, IN, "softmax_cross_entropy");
    struct result r;
    float x[ROWS * IN];
    fill(x, ROWS * IN);
    run(ctx, m, x, ROWS, options_of(FANIN_MC, 1, 0), &r);
    for (int i = 0; i < ROWS * OUT; i++) {
        assert_true(r.deviation[i] == 0);
        assert_true(r.information[i / OUT] < 1e-6);
    }
    fanin_model_free(m);
    fanin_ctx_free(ctx);
}

#define MANY 300 /* more than a batch */

/* Any number of threads, any tier, any way to cut the data give the same bits; batch norm's running
 * statistics are used and not touched. */
static void same_bits(void **state) {
    (void)state;
    static const struct layer layers[] = {{"dense", 40, NULL, 0},
                                          {"batch_norm", 0, NULL, 0},
                                          {"relu", 0, NULL, 0},
                                          {"dropout", 0.5, NULL, 0},
                                          {"dense", OUT, NULL, 0}};
    static float first[MANY * OUT], p[MANY * OUT], x[MANY * IN];
    const struct fanin_ensemble_options o = options_of(FANIN_MC, 9, 5);
    int runs = 0;
    fill(x, MANY * IN);
    for (int threads = 1; threads <= 3; threads++) FOR_EACH_TIER(ctx, threads) {
            fanin_model *m = make_model(ctx, layers, 5, IN, "softmax_cross_entropy");
            fanin_data *data;
            int32_t labels[MANY] = {0};
            const uint64_t before = params_hash(m);
            assert_ok(ctx, fanin_data_from_arrays(&data, ctx, MANY, IN, x, labels, OUT, NULL, 0));
            for (int64_t at = 0, n; at < MANY; at += n) {
                n = FI_MIN(threads == 2 ? 77 : MANY, MANY - at);
                const struct fanin_prediction out = {.size = sizeof out, .p = p + at * OUT};
                assert_ok(ctx,
                          fanin_model_predict_part_ensemble(m, data, FANIN_TRAIN, at, n, &o, &out));
            }
            if (runs++ == 0) memcpy(first, p, sizeof p);
            assert_memory_equal(first, p, sizeof p);
            assert_true(params_hash(m) == before);
            fanin_data_free(data);
            fanin_model_free(m);
        }
}

/* ---- regression, evaluation ---------------------------------------------------------------------------- */

static void regression(void **state) {
    (void)state;
    static const struct layer layers[] = {{"dropout", 0.5, NULL, 0}, {"dense", 1, NULL, 0}};
    fanin_ctx *ctx = test_ctx();
    fanin_model *m = make_model(ctx, layers, 2, 2, "mse");
    const float x[] = {1, 3}, w[] = {0.5f, 2};
    float p;
    double std, entropy;
    const struct fanin_prediction out = {
        .size = sizeof out, .p = &p, .entropy = &entropy, .deviation = &std};
    struct fanin_ensemble_options o = options_of(FANIN_MC, FANIN_ALL_MEMBERS, 0);
    assert_ok(ctx, fanin_model_set(m, "dense1.weight", w, 2));
    assert_ok(ctx, fanin_model_predict_ensemble(m, x, 1, &o, &out));
    /* the four values are 0, 1, 12 and 13 */
    assert_true(fabs((double)p - 6.5) < 1e-6 && fabs(std - sqrt(36.25)) < 1e-6 && isnan(entropy));
    o.inference = FANIN_GEOMETRIC;
    assert_refused(ctx, FANIN_ERR_RECIPE, "no geometric mean",
                   fanin_model_predict_ensemble(m, x, 1, &o, &out));
    fanin_model_free(m);
    fanin_ctx_free(ctx);
}

struct seen {
    double loss, members;
    char inference[32];
};
static void see(void *payload, const struct fanin_event *e) {
    struct seen *s = payload;
    for (int i = 0; i < e->n_figures; i++) {
        if (!strcmp(e->figures[i].name, "loss")) s->loss = e->figures[i].value;
        if (!strcmp(e->figures[i].name, "members")) s->members = e->figures[i].value;
    }
    for (int i = 0; i < e->n_texts; i++)
        if (!strcmp(e->texts[i].name, "inference"))
            snprintf(s->inference, sizeof s->inference, "%s", e->texts[i].value);
}

/* The loss of an ensemble is that of its mean prediction. */
static void evaluation(void **state) {
    (void)state;
    static const char *const names[] = {"", "mc", "geometric"};
    fanin_ctx *ctx = test_ctx();
    fanin_model *m = make_model(ctx, two_dropouts, TWO_DROPOUTS, IN, "softmax_cross_entropy");
    fanin_data *data = blob_data(ctx, ROWS, IN, OUT);
    for (int i = 0; i < 3; i++) {
        struct seen seen = {0};
        float p[ROWS * OUT];
        const struct fanin_prediction out = {.size = sizeof out, .p = p};
        const struct fanin_ensemble_options o = options_of((enum fanin_inference)i, 12, 4);
        double loss = 0;
        assert_ok(ctx, fanin_model_predict_part_ensemble(m, data, FANIN_TRAIN, 0, ROWS, &o, &out));
        assert_ok(ctx, fanin_evaluate_ensemble(m, data, FANIN_TRAIN, &o, see, &seen));
        for (int r = 0; r < ROWS; r++) loss -= log((double)p[r * OUT + r % OUT]) / ROWS;
        assert_true(fabs(seen.loss / loss - 1) < 1e-5);
        assert_string_equal(seen.inference, names[i]);
        assert_true(seen.members == (i ? 12 : 0));
    }
    fanin_data_free(data);
    fanin_model_free(m);
    fanin_ctx_free(ctx);
}

/* ---- records --------------------------------------------------------------------------------------------- */

/* unpredict() gives scores of the prediction, for every loss. */
static void scores_of_predictions(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    for (int i = 0; (record = fanin_record_at(ctx, "loss", i)); i++) {
        struct fi_arena arena;
        fi_arena_init(&arena, ctx);
        const struct fi_loss *loss = (const struct fi_loss *)(const void *)record;
        const void *attrs = test_rule(&arena, "loss", record->name, NULL, 0).attrs;
        struct fanin_tensor z = test_tensor(&arena, 5, 6), p = test_tensor(&arena, 5, 6),
                            again = test_tensor(&arena, 5, 6);
        test_fill_normal(&z, 20, 0, 3);
        loss->predict(attrs, &z, &p);
        if (loss->unpredict) loss->unpredict(attrs, &p, &z);
        loss->predict(attrs, loss->unpredict ? &z : &p, &again);
        for (int64_t r = 0; r < 5; r++)
            for (int64_t c = 0; c < 6; c++)
                if (fabs((double)*test_at(&again, r, c) - (double)*test_at(&p, r, c)) > 1e-6)
                    fail_msg("loss %s needs unpredict(): its prediction is no score", record->name);
        fi_arena_free(&arena);
    }
    fanin_ctx_free(ctx);
}

/* Row 0 of what the node gives under these switches; the samples are equal, so must the rows be. */
static void run_switched(struct fi_exec *e, int node, const uint8_t *on, fi_real *row) {
    const struct fanin_tensor *y = &e->y[node];
    for (int64_t r = 0; r < e->rows; r++)
        for (int64_t c = 0; c < e->x.cols; c++) e->x.data[r * e->x.ld + c] = (fi_real)(2 + c % 3);
    fi_exec_switches(e, node, on);
    fi_exec_forward(e, e->rows, 0, 0);
    memcpy(row, y->data, (size_t)y->cols * sizeof(*row));
    for (int64_t r = 1; r < e->rows; r++)
        assert_memory_equal(test_at(y, r, 0), row, (size_t)y->cols * sizeof(*row));
}

/* Every op with switches obeys them: the same for all samples, and each switch matters. */
static void switches_are_obeyed(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    int found = 0;
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        for (int k = 0; k < op->n_cases && op->switches; k++) {
            fanin_model *m = case_model(ctx, op, &op->cases[k], false);
            const struct fi_node *nodes = m->net->nodes;
            const int node = m->net->n_nodes - 1;
            double keep = -1;
            const int64_t n = op->switches(nodes[node].attrs, &nodes[0].shape, &keep);
            const int64_t cols = nodes[node].shape.cols;
            uint8_t *on = calloc((size_t)n, 1);
            fi_real *off = calloc((size_t)cols, sizeof(*off)),
                    *y = calloc((size_t)cols, sizeof(*y));
            struct fi_exec *e = NULL;
            if (!op->draws || op->draws(nodes[node].attrs)) {
                assert_true(n > 0 && keep > 0 && keep < 1);
                assert_ok(ctx, fi_exec_create(&e, m, op->cases[k].rows, FI_SAMPLE));
                run_switched(e, node, on, off);
                for (int64_t s = 0; s < n; s += FI_MAX(1, n / 7)) {
                    on[s] = 1;
                    run_switched(e, node, on, y);
                    on[s] = 0;
                    assert_memory_not_equal(y, off, (size_t)cols * sizeof(*off));
                }
                found++;
            }
            fi_exec_free(e);
            free(y);
            free(off);
            free(on);
            fanin_model_free(m);
        }
    }
    assert_true(found > 0);
    fanin_ctx_free(ctx);
}

/* ---- refusals ---------------------------------------------------------------------------------------------- */

static void noise_forward(const struct fanin_step *s, const struct fanin_block *b,
                          const fanin_real *x, int64_t ldx, fanin_real *y, int64_t ldy) {
    (void)s;
    for (int64_t r = 0; r < b->rows; r++)
        for (int64_t c = 0; c < b->cols; c++)
            y[r * ldy + c] = x[r * ldx + c] + (fanin_real)(s->training != 0);
}
static void noise_backward(const struct fanin_step *s, const struct fanin_block *b,
                           const fanin_real *x, int64_t ldx, const fanin_real *y, int64_t ldy,
                           const fanin_real *dy, int64_t lddy, fanin_real *dx, int64_t lddx) {
    (void)s, (void)x, (void)ldx, (void)y, (void)ldy;
    for (int64_t r = 0; r < b->rows; r++)
        for (int64_t c = 0; c < b->cols; c++) dx[r * lddx + c] = dy[r * lddy + c];
}
static enum fanin_status noise_infer(struct fanin_infer *io) {
    (void)io;
    return FANIN_OK;
}
static const struct fanin_op own_noise = {
    .head = {.name = "own_noise", .formula = "y = x + 1", .reference = "test", .help = "Noise."},
    .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_STOCHASTIC | FANIN_OP_IDENTITY_EVAL,
    .infer = noise_infer,
    .forward_block = noise_forward,
    .backward_block = noise_backward};

static void refusals(void **state) {
    (void)state;
    static const struct layer plain[] = {{"dense", 2, NULL, 0}};
    static const struct layer wide[] = {{"dropout", 0.5, NULL, 0}, {"dense", 2, NULL, 0}};
    static const struct layer noisy[] = {{"own_noise", 0, NULL, 0}, {"dense", 1, NULL, 0}};
    static const float x[17] = {0};
    float p[2];
    const struct fanin_prediction out = {.size = sizeof out, .p = p};
    fanin_ctx *ctx = test_ctx();
    struct fanin_ensemble_options o = options_of(FANIN_MC, 3, 0);
    fanin_model *m = make_model(ctx, plain, 1, 2, "softmax_cross_entropy");
    assert_refused(ctx, FANIN_ERR_RECIPE, "draws nothing",
                   fanin_model_predict_ensemble(m, x, 1, &o, &out));
    fanin_model_free(m);
    m = make_model(ctx, wide, 2, 17, "softmax_cross_entropy");
    assert_ok(ctx, fanin_model_predict_ensemble(m, x, 1, &o, &out));
    o.members = FANIN_ALL_MEMBERS;
    assert_refused(ctx, FANIN_ERR_RECIPE, "17 droppable units, so 2^17",
                   fanin_model_predict_ensemble(m, x, 1, &o, &out));
    o.members = 0;
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "at least one member",
                   fanin_model_predict_ensemble(m, x, 1, &o, &out));
    o = options_of((enum fanin_inference)7, 1, 0);
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "no inference",
                   fanin_model_predict_ensemble(m, x, 1, &o, &out));
    fanin_model_free(m);
    assert_ok(ctx, fanin_register_op(ctx, &own_noise));
    m = make_model(ctx, noisy, 2, 1, "mse");
    const float w = 2;
    assert_ok(ctx, fanin_model_set(m, "dense1.weight", &w, 1));
    o = options_of(FANIN_MC, 3, 0);
    assert_ok(ctx, fanin_model_predict_ensemble(m, x, 1, &o, &out));
    assert_true(p[0] == 2); /* it draws: any op that says it is stochastic */
    o.members = FANIN_ALL_MEMBERS;
    assert_refused(ctx, FANIN_ERR_RECIPE, "own_noise1 draws numbers",
                   fanin_model_predict_ensemble(m, x, 1, &o, &out));
    fanin_model_free(m);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(all_masks_are_all_subnetworks),
                                 cmocka_unit_test(geometric_mean_is_weight_scaling),
                                 cmocka_unit_test(drawn_masks_tend_to_all),
                                 cmocka_unit_test(one_mask),
                                 cmocka_unit_test(same_bits),
                                 cmocka_unit_test(regression),
                                 cmocka_unit_test(evaluation),
                                 cmocka_unit_test(scores_of_predictions),
                                 cmocka_unit_test(switches_are_obeyed),
                                 cmocka_unit_test(refusals)};
    return test_main(tests);
}
