/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matrix products of a training step against OpenBLAS and BLIS, one thread, in one run. Weights
 * are in the layout they live in; dy is packed inside the timing, as in a step.
 *
 *   usage: bench_gemm [seconds per block]
 */
#include <dlfcn.h>
#include <string.h>

#include "bench.h"
#include "kernel/kernel.h"

/* DW stores the gradient as the peers must; DW_ON hands it on tile by tile, as a step does. */
enum product { Y, DX, DW, DW_ON };
struct shape {
    const char *text;
    enum product product;
    int64_t m, out, in; /* batch, units, inputs */
};
static const struct shape shapes[] = {{"y  128x1024x784", Y, 128, 1024, 784},
                                      {"y  128x1024x1024", Y, 128, 1024, 1024},
                                      {"dx 128x1024x1024", DX, 128, 1024, 1024},
                                      {"dw 1024x784x128", DW, 128, 1024, 784},
                                      {"dw 1024x784x128, handed on", DW_ON, 128, 1024, 784},
                                      {"dw 1024x1024x128", DW, 128, 1024, 1024},
                                      {"dw 1024x1024x128, handed on", DW_ON, 128, 1024, 1024},
                                      {"y  32x1024x1024", Y, 32, 1024, 1024},
                                      {"y  60x100x784", Y, 60, 100, 784},
                                      {"y  128x10x1024", Y, 128, 10, 1024},
                                      {"dx 128x1024x10", DX, 128, 10, 1024},
                                      {"y  64x64x64", Y, 64, 64, 64},
                                      {"dx 64x64x64", DX, 64, 64, 64},
                                      {"dw 64x64x64", DW, 64, 64, 64},
                                      {"dw 64x64x64, handed on", DW_ON, 64, 64, 64},
                                      {"y  32x16x16", Y, 32, 16, 16},
                                      {"y  512x2048x2048", Y, 512, 2048, 2048}};

typedef void (*sgemm_fn)(int order, int ta, int tb, int m, int n, int k, float alpha,
                         const float *a, int lda, const float *b, int ldb, float beta, float *c,
                         int ldc);

struct job {
    const struct shape *s;
    fanin_ctx *ctx;
    sgemm_fn sgemm;
    float *x, *w, *y, *dx, *dw, *pack;
    int64_t ldx, ldy;
};

static void take(void *arg, int64_t offset, int64_t n, float *g) {
    memcpy(((struct job *)arg)->dw + offset, g, (size_t)n * sizeof(float));
}

static void hand_on(void *arg, int64_t offset, int64_t n, float *g) {
    (void)offset;
    ((struct job *)arg)->dw[0] += g[n - 1];
}

static void ours(void *arg) {
    struct job *j = arg;
    const struct shape *s = j->s;
    if (s->product == Y)
        fi_product_y(j->ctx, s->m, s->out, s->in, j->x, j->ldx, j->w, j->y, j->ldy, NULL, NULL,
                     NULL);
    else if (s->product == DX)
        fi_product_dx(j->ctx, s->m, s->out, s->in, j->y, j->ldy, j->w, j->dx, j->ldx, j->pack, NULL,
                      NULL);
    else
        fi_product_dw(j->ctx, s->m, s->out, s->in, j->y, j->ldy, j->x, j->ldx, NULL, NULL,
                      s->product == DW ? take : hand_on, j);
}

static void theirs(void *arg) {
    struct job *j = arg;
    const struct shape *s = j->s;
    const int m = (int)s->m, out = (int)s->out, in = (int)s->in;
    const int ldx = (int)j->ldx, ldy = (int)j->ldy;
    enum { ROW = 101, N = 111, T = 112 };
    if (s->product == Y)
        j->sgemm(ROW, N, T, m, out, in, 1, j->x, ldx, j->w, in, 0, j->y, ldy);
    else if (s->product == DX)
        j->sgemm(ROW, N, N, m, in, out, 1, j->y, ldy, j->w, in, 0, j->dx, ldx);
    else
        j->sgemm(ROW, T, N, out, in, m, 1, j->y, ldy, j->x, ldx, 0, j->dw, in);
}

/* All operands come from one buffer, as in a plan. */
#define POOL (INT64_C(24) << 20)
static float *pool;
static int64_t pool_used;

static float *numbers(int64_t n) {
    float *v = pool + pool_used;
    pool_used += (n + FI_LANES - 1) / FI_LANES * FI_LANES;
    if (pool_used > POOL) exit(1);
    for (int64_t i = 0; i < n; i++) v[i] = (float)((i * 2654435761u) % 1000) / 1000 - 0.5f;
    return v;
}

static sgemm_fn load(const char *name, char **argv) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    sgemm_fn fn = NULL;
    const char *(*core)(void) = NULL;
    if (library) *(void **)&fn = dlsym(library, "cblas_sgemm");
    if (library) *(void **)&core = dlsym(library, "openblas_get_corename");
    if (core) bench_openblas_core(core(), argv);
    if (!fn) printf("%s is not there: its column is empty\n", name);
    return fn;
}

int main(int argc, char **argv) {
    const double least = argc > 1 ? atof(argv[1]) : 0.02;
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("BLIS_NUM_THREADS", "1", 1);
    const sgemm_fn peers[] = {load("libopenblas.so.0", argv), load("libblis.so.4", argv)};
    fanin_ctx *ctx;
    char error[200];
    const struct fanin_ctx_options options = {.size = sizeof(options), .threads = 1};
    if (fanin_ctx_create(&ctx, &options, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    if (!(pool = fi_alloc(ctx, POOL, sizeof(float)))) return 1;
    printf("| product m x n x k | fanin GF/s | of peak | OpenBLAS | BLIS | ratio to the better |\n"
           "|---|---|---|---|---|---|\n");
    for (int i = 0; i < FI_COUNT(shapes); i++) {
        const struct shape *s = &shapes[i];
        struct job j = {.s = s, .ctx = ctx};
        pool_used = 0;
        double t[3][BENCH_ROUNDS], peak[BENCH_ROUNDS];
        j.ldx = fi_row_stride(s->in);
        j.ldy = fi_row_stride(s->out);
        j.x = numbers(s->m * j.ldx);
        j.dx = numbers(s->m * j.ldx);
        j.y = numbers(s->m * j.ldy);
        j.w = numbers(fi_panel_size(s->out, s->in));
        j.dw = numbers(fi_panel_size(s->out, s->in));
        j.pack = numbers(fi_product_scratch(s->m, s->out, s->in));
        for (int r = 0; r < BENCH_ROUNDS; r++) {
            t[0][r] = bench_block(ours, &j, least);
            for (int p = 0; p < 2; p++) {
                j.sgemm = peers[p];
                t[1 + p][r] = peers[p] ? bench_block(theirs, &j, least) : 1e30;
            }
            peak[r] = bench_peak(ctx);
        }
        const double gflop = 2e-9 * (double)s->m * (double)s->out * (double)s->in;
        double g[3];
        for (int k = 0; k < 3; k++) g[k] = gflop / bench_median(t[k], BENCH_ROUNDS);
        printf("| %s | %.1f | %.0f %% | %.1f | %.1f | %.2f |\n", s->text, g[0],
               100e9 * g[0] / bench_median(peak, BENCH_ROUNDS), g[1], g[2],
               g[0] / FI_MAX(g[1], g[2]));
        fflush(stdout);
    }
    fi_free(ctx, pool);
    fanin_ctx_free(ctx);
    return 0;
}
