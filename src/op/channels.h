/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of batch norm: channels of a batch in strips of columns, and loops down the rows
 * of a few columns.
 *
 * A sample of shape (C, …) has a channel in `positions` columns that stand side by side. A task has
 * whole channels: as many as fit a strip, or one, whose columns it then walks strip by strip. A
 * strip of a batch fits L1, so the passes after the first find it there. Sums run down the rows of
 * each column in double, then along the positions of a channel: an order of the shape alone.
 *
 * The loops work on groups of columns whose number is a constant for all but the last, so that what
 * a column has, its sum or its coefficients, stays in registers.
 */
#ifndef FI_CHANNELS_H
#define FI_CHANNELS_H

#include "op/op.h"

#define STRIP 64 /* columns worked on together; the grain of a thread's work */
#define GROUP 32 /* of them, in registers */

/* ---- strips --------------------------------------------------------------------------------------- */

/* A task's channels c0 .. c0+n, of which columns col0 .. col0+cols are at work. */
struct strip {
    int64_t c0, n, col0, cols, positions;
};

/* Channels of a task. */
static inline int64_t strip_channels(int64_t positions) {
    return FI_MAX(1, STRIP / positions);
}

static inline struct strip first_strip(int64_t channels, int64_t positions, int64_t task) {
    struct strip t = {.c0 = task * strip_channels(positions), .positions = positions};
    t.n = FI_MIN(strip_channels(positions), channels - t.c0);
    t.col0 = t.c0 * positions;
    t.cols = FI_MIN(STRIP, t.n * positions);
    return t;
}

/* Goes on along the positions of a channel that is wider than a strip. */
static inline bool next_strip(struct strip *t) {
    const int64_t end = (t->c0 + t->n) * t->positions;
    t->col0 += t->cols;
    t->cols = FI_MIN(STRIP, end - t->col0);
    return t->cols > 0;
}

/* Calls f(i, c) for columns i of a strip, c their channels, counted from the task's first. */
#define EACH_COLUMN(t, f)                                                                          \
    do {                                                                                           \
        if ((t)->positions == 1) {                                                                 \
            for (int64_t i_ = 0; i_ < (t)->cols; i_++) f(i_, i_);                                  \
            break;                                                                                 \
        }                                                                                          \
        int64_t c_ = (t)->col0 / (t)->positions - (t)->c0;                                         \
        int64_t left_ = (t)->positions - (t)->col0 % (t)->positions;                               \
        for (int64_t i_ = 0; i_ < (t)->cols; i_++) {                                               \
            f(i_, c_);                                                                             \
            if (--left_ == 0) c_++, left_ = (t)->positions;                                        \
        }                                                                                          \
    } while (0)

/* cell[i] = the number of column i's channel. */
static inline void spread(const struct strip *t, const double *channel, double *cell) {
#define TAKE(i, c) cell[i] = channel[c]
    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): a strip's channels are filled */
    EACH_COLUMN(t, TAKE);
}
static inline void spread_real(const struct strip *t, const double *channel, fi_real *cell) {
#define TAKE_REAL(i, c) cell[i] = (fi_real)channel[c]
    EACH_COLUMN(t, TAKE_REAL);
}
/* As a pair whose sum is right to the last bits. */
static inline void spread_pair(const struct strip *t, const double *channel, fi_real *high,
                               fi_real *low) {
#define TAKE_LOW(i, c) low[i] = (fi_real)(channel[c] - (double)high[i])
    spread_real(t, channel, high);
    EACH_COLUMN(t, TAKE_LOW);
}

/* channel += the sums of its columns. */
static inline void fold(const struct strip *t, const double *cell, double *channel) {
#define ADD(i, c) channel[c] += cell[i]
    EACH_COLUMN(t, ADD);
}

/* Calls f(first, columns) for the groups of a strip, the columns a constant but for the last. */
#define EACH_GROUP(cols, f)                                                                        \
    do {                                                                                           \
        int64_t first_ = 0;                                                                        \
        for (; first_ + GROUP <= (cols); first_ += GROUP) f(first_, GROUP);                        \
        if (first_ < (cols)) f(first_, (int)((cols)-first_));                                      \
    } while (0)

/* ---- down the rows of a group ---------------------------------------------------------------------- */

#define COLUMN_LOOP __attribute__((always_inline)) static inline

/* sum[i] = Σ_r (x[r][i] - shift[i]), or with `square` of its square; n columns. */
COLUMN_LOOP void column_sums(const struct fanin_tensor *x, int64_t col, const double *shift,
                             bool square, double *sum, int n) {
    double cell[GROUP], at[GROUP];
    for (int i = 0; i < n; i++) cell[i] = 0, at[i] = shift[i];
    for (int64_t r = 0; r < x->rows; r++) {
        const fi_real *row = x->data + r * x->ld + col;
        for (int i = 0; i < n; i++) {
            const double d = (double)row[i] - at[i];
            cell[i] += square ? d * d : d;
        }
    }
    for (int i = 0; i < n; i++) sum[i] = cell[i];
}

/* y = (x - high - low) a + b; n columns. */
COLUMN_LOOP void normalize(const struct fanin_tensor *x, const struct fanin_tensor *y, int64_t col,
                           const fi_real *high_, const fi_real *low_, const fi_real *a_,
                           const fi_real *b_, int n) {
    fi_real high[GROUP], low[GROUP], a[GROUP], b[GROUP];
    for (int i = 0; i < n; i++) high[i] = high_[i], low[i] = low_[i], a[i] = a_[i], b[i] = b_[i];
    for (int64_t r = 0; r < x->rows; r++) {
        const fi_real *from = x->data + r * x->ld + col;
        fi_real *to = y->data + r * y->ld + col;
        FI_IVDEP
        for (int i = 0; i < n; i++) to[i] = fi_fma((from[i] - high[i]) - low[i], a[i], b[i]);
    }
}

/* sum[i] = Σ_r g[r][i], product[i] = Σ_r g[r][i] (x[r][i] - mean[i]); n columns. */
COLUMN_LOOP void column_products(const struct fanin_tensor *x, const struct fanin_tensor *g,
                                 int64_t col, const double *mean, double *product, double *sum,
                                 int n) {
    double cell[GROUP], plain[GROUP], at[GROUP];
    for (int i = 0; i < n; i++) cell[i] = plain[i] = 0, at[i] = mean[i];
    for (int64_t r = 0; r < x->rows; r++) {
        const fi_real *row = x->data + r * x->ld + col, *slope = g->data + r * g->ld + col;
        for (int i = 0; i < n; i++) {
            plain[i] += (double)slope[i];
            cell[i] += (double)slope[i] * ((double)row[i] - at[i]);
        }
    }
    for (int i = 0; i < n; i++) product[i] = cell[i], sum[i] = plain[i];
}

/* dx = k (dy - down - (x - high - low) tilt); n columns. */
COLUMN_LOOP void turn_back(const struct fanin_tensor *x, const struct fanin_tensor *dy,
                           const struct fanin_tensor *dx, int64_t col, const fi_real *high_,
                           const fi_real *low_, const fi_real *down_, const fi_real *tilt_,
                           const fi_real *k_, int n) {
    fi_real high[GROUP], low[GROUP], down[GROUP], tilt[GROUP], k[GROUP];
    for (int i = 0; i < n; i++) {
        high[i] = high_[i], low[i] = low_[i], down[i] = down_[i];
        tilt[i] = -tilt_[i], k[i] = k_[i];
    }
    for (int64_t r = 0; r < x->rows; r++) {
        const fi_real *row = x->data + r * x->ld + col, *g = dy->data + r * dy->ld + col;
        fi_real *to = dx->data + r * dx->ld + col;
        FI_IVDEP
        for (int i = 0; i < n; i++)
            to[i] = k[i] * fi_fma((row[i] - high[i]) - low[i], tilt[i], g[i] - down[i]);
    }
}

#endif
