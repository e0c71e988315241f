/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matrix products where most factors on one side are exactly zero: behind a rectifier and
 * dropout four fifths of the activations are, and of the gradients that come back.
 *
 * A chain of fused multiply-adds is not changed by a zero factor whose other factor is finite, so
 * the non-zeros of a row are listed and only they are walked:
 *
 *   y  = x · wᵀ     rows of x are listed, panels of w are vectors
 *   dx = dy · w     rows of dy are listed, slices of w, turned around in L1, are vectors
 *   dw = dyᵀ · x    columns of x are listed, dy is vectors
 *
 * A number that is not finite must meet the zeros too: a block of vectors that holds one is walked
 * with all factors. So results are those of the dense products bit by bit, but for the sign of a
 * zero that comes from an underflow.
 *
 * What limits: a non-zero costs eight FMAs, each with a load from L1, and a broadcast: 4.5 cycles
 * where two loads a cycle are had, against 4 cycles a factor of the dense tile with two FMAs a
 * cycle. Blocks of 64 ks by 128 columns keep the vectors in L1.
 */
#include "kernel/sparse.h"

#include <string.h>

#include "kernel/vector.h"

/* ks of a block: with 128 lanes 32 KiB of vectors. */
#define K_BLOCK 64
/* Rows of a batch that are one block of ks in dw: with 64 lanes 32 KiB of vectors. */
#define M_BLOCK 128
/* Columns handled together. */
#define GROUP 128
#define DW_GROUP 64
#define IN_BLOCK 48

/* Pieces fetched at once: in dw up to 4 arrays of each panel. */
#define MAX_FETCH 16

/* Worth it up to this share of non-zeros. */
#define DENSITY 0.4

/* ---- lists ------------------------------------------------------------------------------------- */

/* The non-zeros of `lines` lines of numbers in blocks of ks: of line l in block b the entries
 * start[b * lines + l] up to the next start. */
struct lists {
    int64_t lines, blocks;
    uint32_t *start;
    uint32_t *at; /* k in the block times a stride */
    fi_real *value;
};

static int64_t blocks_of(int64_t n, int64_t block) {
    return (n + block - 1) / block;
}

/* Lists of the non-zeros of a matrix (m × k): by rows, or by columns. */
struct listing {
    struct lists lists;
    const fi_real *x;
    int64_t m, k, ldx, stride;
};

/* Appends the non-zeros of x[0..n), number i under (first + i) · stride. */
static uint32_t append(const struct lists *to, uint32_t end, const fi_real *x, int64_t n,
                       int64_t stride) {
    int64_t i = 0;
#if FI_V_LANES == 16
    const __m512i step =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32((int)stride));
    for (; i < n; i += 16) {
        const __mmask16 there = (__mmask16)(n - i >= 16 ? 0xffff : (1u << (n - i)) - 1);
        const __m512 v = _mm512_maskz_loadu_ps(there, x + i);
        const __mmask16 mask = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        const __m512i at = _mm512_add_epi32(step, _mm512_set1_epi32((int)(i * stride)));
        const int count = __builtin_popcount(mask);
        const __mmask16 all = (__mmask16)((1u << count) - 1);
        _mm512_mask_storeu_ps(to->value + end, all, _mm512_maskz_compress_ps(mask, v));
        _mm512_mask_storeu_epi32(to->at + end, all, _mm512_maskz_compress_epi32(mask, at));
        end += (uint32_t)count;
    }
#else
    for (; i < n; i++) {
        if (x[i] == 0) continue;
        to->value[end] = x[i];
        to->at[end++] = (uint32_t)(i * stride);
    }
#endif
    return end;
}

static void count_rows(void *arg, int64_t b) {
    const struct listing *job = arg;
    const int64_t first = b * K_BLOCK, n = FI_MIN(K_BLOCK, job->k - first);
    for (int64_t r = 0; r < job->m; r++) {
        const fi_real *x = job->x + r * job->ldx + first;
        uint32_t count = 0;
        for (int64_t i = 0; i < n; i++) count += x[i] != 0;
        job->lists.start[b * job->m + r] = count;
    }
}

static void list_rows(void *arg, int64_t b) {
    const struct listing *job = arg;
    const int64_t first = b * K_BLOCK, n = FI_MIN(K_BLOCK, job->k - first);
    for (int64_t r = 0; r < job->m; r++)
        (void)append(&job->lists, job->lists.start[b * job->m + r], job->x + r * job->ldx + first,
                     n, job->stride);
}

static void count_columns(void *arg, int64_t task) {
    const struct listing *job = arg;
    const int64_t c0 = task * IN_BLOCK, n = FI_MIN(IN_BLOCK, job->k - c0);
    for (int64_t b = 0; b < job->lists.blocks; b++) {
        uint32_t count[IN_BLOCK] = {0};
        for (int64_t r = b * M_BLOCK; r < FI_MIN(job->m, (b + 1) * M_BLOCK); r++) {
            const fi_real *x = job->x + r * job->ldx + c0;
            for (int64_t c = 0; c < n; c++) count[c] += x[c] != 0;
        }
        memcpy(job->lists.start + b * job->k + c0, count, (size_t)n * sizeof *count);
    }
}

static void list_columns(void *arg, int64_t task) {
    const struct listing *job = arg;
    const int64_t c0 = task * IN_BLOCK, n = FI_MIN(IN_BLOCK, job->k - c0);
    _Alignas(64) fi_real turned[IN_BLOCK * M_BLOCK];
    for (int64_t b = 0; b < job->lists.blocks; b++) {
        const int64_t r0 = b * M_BLOCK, rows = FI_MIN(M_BLOCK, job->m - r0);
        for (int64_t r = 0; r < rows; r += 8)
            for (int64_t c = 0; c < n; c += 8)
                fi_v_transpose8(job->x + (r0 + r) * job->ldx + c0 + c, job->ldx, rows - r,
                                turned + c * M_BLOCK + r, M_BLOCK, n - c);
        for (int64_t c = 0; c < n; c++)
            (void)append(&job->lists, job->lists.start[b * job->k + c0 + c], turned + c * M_BLOCK,
                         rows, job->stride);
    }
}

/* From counts to where each list starts; false: too many for it to be worth while. */
static bool place(struct listing *job, fi_real *scratch) {
    struct lists *lists = &job->lists;
    const int64_t n = lists->lines * lists->blocks;
    uint64_t total = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t count = lists->start[i];
        lists->start[i] = (uint32_t)total;
        total += count;
    }
    lists->start[n] = (uint32_t)total;
    const int64_t head = blocks_of((n + 1) * (int64_t)sizeof *lists->start, FI_ALIGN) * FI_ALIGN;
    lists->at = (uint32_t *)(void *)((char *)(void *)scratch + head);
    lists->value = (fi_real *)(void *)(lists->at + (total + 1) / 2 * 2);
    return (double)total <= DENSITY * (double)job->m * (double)job->k;
}

int64_t fi_sparse_scratch(int64_t m, int64_t k) {
    const int64_t starts = FI_MAX(m * blocks_of(k, K_BLOCK), k * blocks_of(m, M_BLOCK)) + 1;
    const int64_t entries = (int64_t)(DENSITY * (double)m * (double)k) + 2;
    const int64_t bytes = starts * (int64_t)sizeof(uint32_t) + FI_ALIGN +
                          entries * (int64_t)(sizeof(uint32_t) + sizeof(fi_real));
    return blocks_of(bytes, (int64_t)sizeof(fi_real));
}

/* Counts, and lists if there are few: of the rows, or of the columns. */
static bool list(fanin_ctx *ctx, struct listing *job, bool columns, fi_real *scratch) {
    const int64_t tasks = columns ? blocks_of(job->k, IN_BLOCK) : blocks_of(job->k, K_BLOCK);
    const double flops = 4.0 * (double)job->m * (double)job->k;
    job->lists.lines = columns ? job->k : job->m;
    job->lists.blocks = columns ? blocks_of(job->m, M_BLOCK) : tasks;
    job->lists.start = (uint32_t *)(void *)scratch;
    fi_parallel(ctx, tasks, flops, columns ? count_columns : count_rows, job);
    if (!place(job, scratch)) return false;
    fi_parallel(ctx, tasks, flops, columns ? list_columns : list_rows, job);
    return true;
}

static double flops_of(const struct lists *lists, int64_t cols) {
    return 2.0 * (double)lists->start[lists->lines * lists->blocks] * (double)cols;
}

/* ---- the walk ------------------------------------------------------------------------------------ */

/* For each of `lines` lines l: c[0..lanes) = or += Σ value · b[at ..] over the entries start[l] up
 * to start[l + 1]. Groups of 32 lanes stand b_panel apart in b and c_panel apart in c. */
struct walk {
    int64_t lines;
    const uint32_t *start, *at;
    const fi_real *value, *b;
    int64_t b_panel;
    fi_real *c;
    int64_t ldc, c_panel;
    bool load;
    /* What to bring into the second-level cache meanwhile: of each piece so many bytes a line. */
    const char *fetch[MAX_FETCH];
    int64_t n_fetch, fetch_step;
};

#if FI_V_LANES > 1
#define PANEL_NV (FI_PANEL / FI_V_LANES)

static inline void fetch(const struct walk *w, int64_t line) {
    for (int64_t i = 0; i < w->n_fetch; i++)
        for (int64_t at = line * w->fetch_step; at < (line + 1) * w->fetch_step; at += 64)
            __builtin_prefetch(w->fetch[i] + at, 0, 2);
}

static inline __attribute__((always_inline)) void walk(const int nv, const struct walk *w) {
    const int64_t b_panel = w->b_panel, c_panel = w->c_panel;
    const uint32_t *start = w->start;
    fi_real *c = w->c;
    for (int64_t l = 0; l < w->lines; l++, c += w->ldc) {
        const uint32_t *at = w->at + start[l];
        const fi_real *value = w->value + start[l];
        fi_v acc[8];
        fetch(w, l);
#pragma GCC unroll 8
        for (int v = 0; v < nv; v++)
            acc[v] = w->load ? fi_v_load(c + v / PANEL_NV * c_panel + v % PANEL_NV * FI_V_LANES)
                             : fi_v_zero();
        for (int64_t n = start[l + 1] - start[l]; n > 0; n--, at++, value++) {
            const fi_v s = fi_v_set(*value);
            const fi_real *b = w->b + *at;
#pragma GCC unroll 8
            for (int v = 0; v < nv; v++)
                acc[v] = fi_v_fma(
                    s, fi_v_load(b + v / PANEL_NV * b_panel + v % PANEL_NV * FI_V_LANES), acc[v]);
        }
#pragma GCC unroll 8
        for (int v = 0; v < nv; v++)
            fi_v_store(c + v / PANEL_NV * c_panel + v % PANEL_NV * FI_V_LANES, acc[v]);
    }
}

#define WALK(nv)                                                                                   \
    static void walk_##nv(const struct walk *w) {                                                  \
        walk(nv, w);                                                                               \
    }
WALK(1)
WALK(2)
WALK(3) WALK(4) WALK(5) WALK(6) WALK(7) WALK(8) typedef void (*walk_fn)(const struct walk *);
static const walk_fn walks[] = {walk_1, walk_2, walk_3, walk_4, walk_5, walk_6, walk_7, walk_8};
#endif

/* Any number of lanes that is a multiple of 16. */
static void walk_lanes(struct walk w, int64_t lanes) {
#if FI_V_LANES > 1
    for (; lanes > 0; lanes -= 8 * FI_V_LANES) {
        walks[FI_MIN(lanes / FI_V_LANES, 8) - 1](&w);
        w.b += 8 / PANEL_NV * w.b_panel;
        w.c += 8 / PANEL_NV * w.c_panel;
        w.n_fetch = 0;
    }
#else
    for (int64_t l = 0; l < w.lines; l++, w.c += w.ldc)
        for (int64_t lane = 0; lane < lanes; lane++) {
            const fi_real *b = w.b + lane / FI_PANEL * w.b_panel + lane % FI_PANEL;
            fi_real *c = w.c + lane / FI_PANEL * w.c_panel + lane % FI_PANEL;
            fi_real sum = w.load ? *c : 0;
            for (uint32_t i = w.start[l]; i < w.start[l + 1]; i++)
                sum = fi_fma(w.value[i], b[w.at[i]], sum);
            *c = sum;
        }
#endif
}

/* The same over factors of which none is left out: line l is x[l * x_line + k * x_k], k in [0, n),
 * n <= M_BLOCK, and belongs to b[k * stride ..]. */
static void walk_whole(struct walk w, int64_t lanes, const fi_real *x, int64_t x_line, int64_t x_k,
                       int64_t n, int64_t stride) {
    uint32_t at[M_BLOCK], start[2] = {0, (uint32_t)n};
    fi_real value[M_BLOCK];
    const int64_t lines = w.lines;
    for (int64_t k = 0; k < n; k++) at[k] = (uint32_t)(k * stride);
    w.lines = 1;
    w.start = start;
    w.at = at;
    w.value = value;
    for (int64_t l = 0; l < lines; l++, w.c += w.ldc) {
        for (int64_t k = 0; k < n; k++) value[k] = x[l * x_line + k * x_k];
        walk_lanes(w, lanes);
    }
}

static bool is_finite(const fi_real *x, int64_t n) {
    int bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= x[i] - x[i] != 0;
    return !bad;
}

/* ---- y and dx: rows are listed ------------------------------------------------------------------- */

struct rows_job {
    struct listing listing; /* of x (m × in), or of dy (m × out) */
    int64_t out, in;
    const fi_real *w;
    fi_real *c;
    int64_t ldc;
    fi_block_fn done;
    void *arg;
};

/* What all rows of c get from a block of ks. */
static void run_block(const struct rows_job *j, int64_t block, int64_t lanes, struct walk *w) {
    const struct listing *of = &j->listing;
    const int64_t ks = FI_MIN(K_BLOCK, of->k - block * K_BLOCK);
    bool finite = true;
    for (int64_t lane = 0; lane < lanes; lane += FI_PANEL)
        finite &= is_finite(w->b + lane / FI_PANEL * w->b_panel, ks * FI_PANEL);
    w->lines = of->m;
    w->start = of->lists.start + block * of->m;
    w->at = of->lists.at;
    w->value = of->lists.value;
    w->load = block > 0;
    if (finite)
        walk_lanes(*w, lanes);
    else
        walk_whole(*w, lanes, of->x + block * K_BLOCK, of->ldx, 1, ks, of->stride);
}

/* Bytes a line for pieces of `bytes` to come while the lines are walked, whole cache lines. */
static int64_t fetch_step(int64_t bytes, int64_t lines) {
    return blocks_of(blocks_of(bytes, 64), lines) * 64;
}

static void y_task(void *arg, int64_t task) {
    const struct rows_job *j = arg;
    const int64_t first = task * (GROUP / FI_PANEL), col0 = first * FI_PANEL;
    const int64_t n = FI_MIN(GROUP / FI_PANEL, j->out / FI_PANEL - first);
    const int64_t block = K_BLOCK * FI_PANEL; /* of one panel */
    struct walk w = {.b = j->w + col0 * j->in,
                     .b_panel = FI_PANEL * j->in,
                     .c = j->c + col0,
                     .ldc = j->ldc,
                     .c_panel = FI_PANEL,
                     .n_fetch = n,
                     .fetch_step = fetch_step(block * (int64_t)sizeof *w.b, j->listing.m)};
    for (int64_t b = 0; b < j->listing.lists.blocks; b++, w.b += block) {
        for (int64_t p = 0; p < n; p++) w.fetch[p] = (const char *)(w.b + p * w.b_panel + block);
        run_block(j, b, n * FI_PANEL, &w);
    }
    for (int64_t p = 0; p < n && j->done; p++)
        j->done(j->arg, 0, j->listing.m, col0 + p * FI_PANEL, FI_PANEL);
}

/* to[panel of inputs][o][32 inputs] = w[o][i], of K_BLOCK outputs from o0 on and n inputs from i0.
 */
static void turn(const struct rows_job *j, int64_t o0, int64_t i0, int64_t n, fi_real *to) {
    const int64_t end = FI_MIN(o0 + K_BLOCK, j->out);
    for (int64_t o = o0; o < end; o += 8) {
        const int64_t width = fi_panel_width(j->out, o / FI_PANEL);
        const fi_real *from = j->w + o / FI_PANEL * FI_PANEL * j->in + i0 * width + o % FI_PANEL;
        fi_real *row = to + (o - o0) * FI_PANEL;
        for (int64_t i = 0; i < n; i += 8)
            fi_v_transpose8(from + i * width, width, n - i,
                            row + i / FI_PANEL * FI_PANEL * K_BLOCK + i % FI_PANEL, FI_PANEL,
                            end - o);
    }
}

static void dx_task(void *arg, int64_t task) {
    const struct rows_job *j = arg;
    const int64_t i0 = task * GROUP, n = FI_MIN(GROUP, j->in - i0);
    _Alignas(64) fi_real turned[K_BLOCK * GROUP] = {0}; /* lanes beyond the inputs are walked too */
    struct walk w = {.b = turned,
                     .b_panel = K_BLOCK * FI_PANEL,
                     .c = j->c + i0,
                     .ldc = j->ldc,
                     .c_panel = FI_PANEL,
                     .n_fetch = K_BLOCK / FI_PANEL,
                     .fetch_step = fetch_step(n * FI_PANEL * (int64_t)sizeof *w.b, j->listing.m)};
    for (int64_t b = 0; b < j->listing.lists.blocks; b++) {
        const fi_real *next = j->w + ((b + 1) * K_BLOCK * j->in + i0 * FI_PANEL);
        turn(j, b * K_BLOCK, i0, n, turned);
        for (int64_t p = 0; p < w.n_fetch; p++)
            w.fetch[p] = (const char *)(next + p * FI_PANEL * j->in);
        run_block(j, b, blocks_of(n, FI_LANES) * FI_LANES, &w);
    }
    for (int64_t at = 0; at < n && j->done; at += FI_PANEL)
        j->done(j->arg, 0, j->listing.m, i0 + at, FI_MIN(FI_PANEL, n - at));
}

/* Lists the rows and runs the tasks, if it is worth while. */
static bool run_rows(fanin_ctx *ctx, struct rows_job *j, int64_t cols, fi_real *scratch,
                     void (*task)(void *job, int64_t i)) {
    if (!list(ctx, &j->listing, false, scratch)) return false;
    fi_parallel(ctx, blocks_of(cols, GROUP), flops_of(&j->listing.lists, cols), task, j);
    return true;
}

bool fi_sparse_y(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *x, int64_t ldx,
                 const fi_real *w, fi_real *y, int64_t ldy, fi_real *scratch, fi_block_fn done,
                 void *arg) {
    struct rows_job j = {.listing = {.x = x, .m = m, .k = in, .ldx = ldx, .stride = FI_PANEL},
                         .out = out,
                         .in = in,
                         .w = w,
                         .c = y,
                         .ldc = ldy,
                         .done = done,
                         .arg = arg};
    return run_rows(ctx, &j, out / FI_PANEL * FI_PANEL, scratch, y_task);
}

bool fi_sparse_dx(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                  int64_t lddy, const fi_real *w, fi_real *dx, int64_t lddx, fi_real *scratch,
                  fi_block_fn done, void *arg) {
    struct rows_job j = {.listing = {.x = dy, .m = m, .k = out, .ldx = lddy, .stride = FI_PANEL},
                         .out = out,
                         .in = in,
                         .w = w,
                         .c = dx,
                         .ldc = lddx,
                         .done = done,
                         .arg = arg};
    return run_rows(ctx, &j, in, scratch, dx_task);
}

/* ---- dw: columns are listed ------------------------------------------------------------------------ */

struct columns_job {
    struct listing listing; /* of x (m × in) */
    int64_t out, in;
    const fi_real *dy;
    int64_t lddy;
    const struct fi_touched *touched;
    fi_range_fn emit;
    void *arg;
};

/* The gradient of `columns` inputs from i0 on. */
static void run_columns(const struct columns_job *j, int64_t i0, int64_t columns, int64_t lanes,
                        bool finite, struct walk *w) {
    const struct listing *of = &j->listing;
    const fi_real *dy = w->b;
    w->lines = columns;
    for (int64_t b = 0; b < of->lists.blocks; b++, w->b += M_BLOCK * j->lddy) {
        w->start = of->lists.start + b * of->k + i0;
        w->load = b > 0;
        if (finite)
            walk_lanes(*w, lanes);
        else
            walk_whole(*w, lanes, of->x + b * M_BLOCK * of->ldx + i0, 1, of->ldx,
                       FI_MIN(M_BLOCK, of->m - b * M_BLOCK), of->stride);
    }
    w->b = dy;
}

static void dw_task(void *arg, int64_t task) {
    const struct columns_job *j = arg;
    const int64_t first = task * (DW_GROUP / FI_PANEL);
    const int64_t n = FI_MIN(DW_GROUP / FI_PANEL, j->out / FI_PANEL - first), lanes = n * FI_PANEL;
    const int arrays = j->touched ? j->touched->n : 0;
    _Alignas(64) fi_real c[DW_GROUP * IN_BLOCK];
    struct walk w = {.at = j->listing.lists.at,
                     .value = j->listing.lists.value,
                     .b = j->dy + first * FI_PANEL,
                     .b_panel = FI_PANEL,
                     .c = c,
                     .ldc = FI_PANEL,
                     .c_panel = IN_BLOCK * FI_PANEL,
                     .n_fetch = n * arrays,
                     .fetch_step = FI_PANEL * (int64_t)sizeof *w.b};
    bool finite = true;
    for (int64_t r = 0; r < j->listing.m; r++) finite &= is_finite(w.b + r * j->lddy, lanes);
    for (int64_t i0 = 0; i0 < j->in; i0 += IN_BLOCK) {
        const int64_t columns = FI_MIN(IN_BLOCK, j->in - i0);
        for (int64_t i = 0; i < w.n_fetch; i++)
            w.fetch[i] = (const char *)(j->touched->arrays[i / n] +
                                        ((first + i % n) * j->in + i0) * FI_PANEL);
        run_columns(j, i0, columns, lanes, finite, &w);
        for (int64_t p = 0; p < n; p++)
            j->emit(j->arg, ((first + p) * j->in + i0) * FI_PANEL, columns * FI_PANEL,
                    c + p * w.c_panel);
    }
}

bool fi_sparse_dw(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                  int64_t lddy, const fi_real *x, int64_t ldx, fi_real *scratch,
                  const struct fi_touched *touched, fi_range_fn emit, void *arg) {
    struct columns_job j = {.listing = {.x = x, .m = m, .k = in, .ldx = ldx, .stride = lddy},
                            .out = out,
                            .in = in,
                            .dy = dy,
                            .lddy = lddy,
                            .touched = touched,
                            .emit = emit,
                            .arg = arg};
    const int64_t cols = out / FI_PANEL * FI_PANEL;
    if (!list(ctx, &j.listing, true, scratch)) return false;
    fi_parallel(ctx, blocks_of(cols, DW_GROUP), flops_of(&j.listing.lists, cols), dw_task, &j);
    return true;
}
