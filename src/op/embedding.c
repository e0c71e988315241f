/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Embedding: each index becomes the row of a learned table that it names,
 *
 *   y = w[x]      dw[v] = Σ dy over the places where x = v
 *
 * w (Σ vocabulary, dim). One vocabulary for all indexes is one table, as in PyTorch and Keras, and
 * y has the shape of x with dim behind it. Several, one a column, are several tables one below the
 * other in w. With `columns`, a sample is a row of a table in which these columns (ascending) hold
 * indexes: y is a row with the embedded columns first and then the others as they are.
 *
 * Indexes travel as floats, which hold whole numbers exactly up to 2^24. What is no index (checked
 * where data enter; see index_below) becomes NaN here and has no gradient.
 *
 * Only rows that are used are handed over, each once: their places are chained in ascending order,
 * summed in that order in double. Other rows are left as they are, also by decay and momentum.
 *
 * There is no law of signals here: which samples share rows, and so the covariances, is the data's
 * matter and no law of x. The theory begins anew behind it, from what is measured.
 *
 * Bengio, Ducharme, Vincent, Jauvin: A neural probabilistic language model, JMLR 3 (2003); for
 * categories of tables: Guo & Berkhahn, arXiv:1604.06737 (2016).
 */
#include <string.h>

#include "op/op.h"

#define MAX_VOCABULARY 16777216 /* 2^24 */
#define RUN 64                  /* columns summed at a time */
#define TASK_ROWS 16            /* rows of the table a task sums */

struct embedding {
    int64_t dim;
    struct fanin_list vocabulary, columns;
    int unknown;
    struct fanin_rule_ref init;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_INT(struct embedding, dim, 8, 1, 65536, "numbers an index becomes", 0),
    {"vocabulary", FANIN_ATTR_LIST, offsetof(struct embedding, vocabulary), 0, 1, MAX_VOCABULARY,
     NULL,
     "how many values an index has: one number for all, or one a column; default: of the data's "
     "index columns",
     FANIN_ATTR_VOCABULARY},
    {"columns", FANIN_ATTR_LIST, offsetof(struct embedding, columns), 0, 0, 1e15, NULL,
     "which columns hold indexes, counted from 0, ascending; default: the data's index columns, or "
     "all",
     FANIN_ATTR_COLUMNS},
    {"unknown", FANIN_ATTR_BOOL, offsetof(struct embedding, unknown), 0, 0, 1, NULL,
     "index 0 stands for unknown values: its row starts at 0; default: true for the data's index "
     "columns, else false",
     FANIN_ATTR_UNKNOWN},
    FI_ATTR_RULE(struct embedding, init, "init", "how the table starts; default: lecun_normal"),
    FI_ATTR_END};

/* ---- places ---------------------------------------------------------------------------------------- */

/* Indexes in a sample of x. */
static int64_t indexes_of(const struct embedding *a, int64_t cols) {
    return a->columns.n > 0 ? a->columns.n : cols;
}
static int64_t column_of(const struct embedding *a, int64_t i) {
    return a->columns.n > 0 ? (int64_t)a->columns.values[i] : i;
}
static int64_t vocabulary_of(const struct embedding *a, int64_t i) {
    return (int64_t)a->vocabulary.values[a->vocabulary.n > 1 ? i : 0];
}
/* Rows of w before those of index i. */
static int64_t rows_before(const struct embedding *a, int64_t i) {
    int64_t rows = 0;
    for (int64_t k = 0; k < i && a->vocabulary.n > 1; k++) rows += vocabulary_of(a, k);
    return rows;
}
static int64_t table_rows(const struct embedding *a) {
    return a->vocabulary.n > 1 ? rows_before(a, a->vocabulary.n) : vocabulary_of(a, 0);
}
/* The row among those of index i that v names, -1: v is no index. */
static int64_t row_of(const struct embedding *a, int64_t i, fi_real v) {
    const int64_t below = vocabulary_of(a, i);
    if (!(v >= 0 && v < (fi_real)below)) return -1;
    const int64_t row = (int64_t)v;
    return (fi_real)row == v ? row : -1;
}

/* ---- building -------------------------------------------------------------------------------------- */

static enum fanin_status check_columns(const struct fanin_infer *io) {
    const struct embedding *a = io->attrs;
    char text[FI_SHAPE_TEXT];
    const int64_t n = indexes_of(a, io->in[0].cols);
    if (a->vocabulary.n == 0)
        return io->fail(io,
                        "vocabulary is missing: how many values an index may have. It is taken "
                        "from the data where they have index columns (csv: {categories: index})");
    if ((a->columns.n > 0 || a->vocabulary.n > 1) && io->in[0].rank != 1)
        return io->fail(io, "columns are those of a table, but a sample is %s",
                        fi_op_shape_text(text, &io->in[0]));
    if (a->vocabulary.n != 1 && a->vocabulary.n != n)
        return io->fail(io, "vocabulary has %lld numbers, but %lld columns hold indexes",
                        (long long)a->vocabulary.n, (long long)n);
    for (int64_t i = 0; i < a->vocabulary.n; i++)
        if (a->vocabulary.values[i] != floor(a->vocabulary.values[i]))
            return io->fail(io, "vocabulary: %g is no whole number", a->vocabulary.values[i]);
    for (int64_t i = 0; i < a->columns.n; i++) {
        const double c = a->columns.values[i];
        if (c != floor(c) || c >= (double)io->in[0].cols ||
            (i > 0 && c <= a->columns.values[i - 1]))
            return io->fail(io, "columns: %g; they are whole numbers below %lld, ascending", c,
                            (long long)io->in[0].cols);
    }
    return FANIN_OK;
}

static enum fanin_status infer(struct fanin_infer *io) {
    const struct embedding *a = io->attrs;
    FI_TRY(fi_op_infer_same(io));
    FI_TRY(check_columns(io));
    const int64_t n = indexes_of(a, io->in[0].cols), plain = io->in[0].cols - n;
    if (!fi_mul(n, a->dim, &io->out.cols) || !fi_add(io->out.cols, plain, &io->out.cols))
        return io->fail(io, "too many numbers in a sample");
    if (a->columns.n > 0) {
        io->out.dims[0] = io->out.cols;
    } else {
        if (io->out.rank == FANIN_MAX_RANK) return io->fail(io, "no dimension is left for dim");
        io->out.dims[io->out.rank++] = a->dim;
    }
    io->params[0] = (struct fanin_param_spec){.suffix = "weight",
                                              .rank = 2,
                                              .dims = {table_rows(a), a->dim},
                                              .fan_in = 1, /* one row is picked, none are summed */
                                              .fan_out = a->dim,
                                              .trainable = 1,
                                              .decay = 1,
                                              .table = 1,
                                              .weight = 1,
                                              .init = a->init};
    io->n_params = 1;
    io->state_bytes = (size_t)table_rows(a) * sizeof(uint32_t);
    io->scratch_bytes_per_row =
        (size_t)n * ((size_t)a->dim * sizeof(fi_real) + 3 * sizeof(uint32_t));
    return FANIN_OK;
}

static const char *start(const void *attrs_, const struct fanin_param_view *params) {
    const struct embedding *a = attrs_;
    const int64_t tables = a->vocabulary.n;
    for (int64_t i = 0; i < tables && a->unknown; i++)
        memset(params[0].w + rows_before(a, i) * a->dim, 0, (size_t)a->dim * sizeof(fi_real));
    return NULL;
}

static int64_t source(const struct fanin_infer *io, int k, int64_t u) {
    const struct embedding *a = io->attrs;
    const int64_t n = indexes_of(a, io->in[k].cols);
    if (u < n * a->dim) return column_of(a, u / a->dim);
    int64_t column = u - n * a->dim; /* among the others */
    for (int64_t i = 0; i < a->columns.n && column_of(a, i) <= column; i++) column++;
    return column;
}

static int64_t index_below(const struct fanin_infer *io, int64_t column) {
    const struct embedding *a = io->attrs;
    for (int64_t i = 0; i < indexes_of(a, io->in[0].cols); i++)
        if (column_of(a, i) == column) return vocabulary_of(a, i);
    return 0;
}

/* ---- running --------------------------------------------------------------------------------------- */

/* The columns that are no indexes, between rows of the shape of x and of y. */
static void copy_others(const struct embedding *a, int64_t cols, fi_real *x, fi_real *y,
                        bool to_x) {
    int64_t from = 0;
    for (int64_t i = 0; i <= a->columns.n; i++) {
        const int64_t end = i < a->columns.n ? column_of(a, i) : cols;
        const size_t bytes = (size_t)(end - from) * sizeof(fi_real);
        memcpy(to_x ? x + from : y, to_x ? y : x + from, bytes);
        y += end - from;
        from = end + 1;
    }
}

static void forward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const struct embedding *a = s->attrs;
    const int64_t cols = s->x[0]->cols, n = indexes_of(a, cols);
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS);
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++) {
        fi_real *x = s->x[0]->data + r * s->x[0]->ld, *y = s->y->data + r * s->y->ld;
        const fi_real *w = s->params[0].w;
        for (int64_t i = 0; i < n; i++) {
            const int64_t row = row_of(a, i, x[column_of(a, i)]);
            if (row >= 0)
                memcpy(y, w + row * a->dim, (size_t)a->dim * sizeof(fi_real));
            else
                for (int64_t c = 0; c < a->dim; c++) y[c] = (fi_real)NAN;
            y += a->dim;
            if (a->vocabulary.n > 1) w += vocabulary_of(a, i) * a->dim;
        }
        if (a->columns.n > 0) copy_others(a, cols, x, y, false);
    }
}

static void forward(const struct fanin_step *s) {
    fi_op_each_rows(s, 1, forward_rows);
}

static void input_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const struct embedding *a = s->attrs;
    const int64_t cols = s->x[0]->cols, n = indexes_of(a, cols);
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS);
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++) {
        fi_real *dx = s->dx[0]->data + r * s->dx[0]->ld;
        for (int64_t i = 0; i < n; i++) dx[column_of(a, i)] = 0;
        if (a->columns.n > 0)
            copy_others(a, cols, dx, s->dy->data + r * s->dy->ld + n * a->dim, true);
    }
}

/* The places of a batch, numbered row by row, chained by the row of w they name. Numbers are stored
 * plus 1; 0 is the end. */
struct chains {
    const struct fanin_step *step;
    int64_t n;      /* places in a sample */
    fi_real *g;     /* a row of gradient for each used row of w */
    uint32_t *next; /* per place */
    uint32_t *first, *row;
    int64_t used; /* rows of w that are: their first places, and which they are */
};

static void chain_places(struct chains *t) {
    const struct fanin_step *s = t->step;
    const struct embedding *a = s->attrs;
    uint32_t *head = s->state; /* per row of w; all 0 between calls */
    for (int64_t r = s->rows - 1; r >= 0; r--) {
        const fi_real *x = s->x[0]->data + r * s->x[0]->ld;
        int64_t base = rows_before(a, t->n);
        for (int64_t i = t->n - 1; i >= 0; i--) {
            const int64_t row = row_of(a, i, x[column_of(a, i)]), place = r * t->n + i;
            if (a->vocabulary.n > 1) base -= vocabulary_of(a, i);
            if (row < 0) continue;
            if (head[base + row] == 0) t->row[t->used++] = (uint32_t)(base + row);
            t->next[place] = head[base + row];
            head[base + row] = (uint32_t)(place + 1);
        }
    }
    for (int64_t k = 0; k < t->used; k++) {
        t->first[k] = head[t->row[k]];
        head[t->row[k]] = 0;
    }
}

static void sum_chains(void *arg, int64_t task) {
    const struct chains *t = arg;
    const struct fanin_step *s = t->step;
    const int64_t dim = ((const struct embedding *)s->attrs)->dim;
    const int64_t end = FI_MIN(t->used, (task + 1) * TASK_ROWS);
    for (int64_t k = task * TASK_ROWS; k < end; k++) {
        fi_real *g = t->g + k * dim;
        for (int64_t c0 = 0; c0 < dim; c0 += RUN) {
            const int64_t m = FI_MIN(RUN, dim - c0);
            double sum[RUN] = {0};
            for (uint32_t p = t->first[k]; p; p = t->next[p - 1]) {
                const int64_t r = (p - 1) / t->n, i = (p - 1) % t->n;
                const fi_real *dy = s->dy->data + r * s->dy->ld + i * dim + c0;
                for (int64_t c = 0; c < m; c++) sum[c] += (double)dy[c];
            }
            for (int64_t c = 0; c < m; c++) g[c0 + c] = (fi_real)sum[c];
        }
        fi_step_emit(s, 0, t->row[k] * dim, dim, g);
    }
}

static void backward(const struct fanin_step *s) {
    const struct embedding *a = s->attrs;
    struct chains t = {.step = s, .n = indexes_of(a, s->x[0]->cols), .g = s->scratch};
    const int64_t places = s->rows * t.n;
    t.next = (uint32_t *)(void *)(t.g + places * a->dim);
    t.first = t.next + places;
    t.row = t.first + places;
    if (s->dx[0]) fi_op_each_rows(s, 1, input_rows);
    chain_places(&t);
    fi_parallel(fi_step_ctx(s), (t.used + TASK_ROWS - 1) / TASK_ROWS,
                2.0 * (double)places * (double)a->dim, sum_chains, &t);
}

/* ---- the record -------------------------------------------------------------------------------------- */

static const double of_5[] = {5}, of_11[] = {11}, of_1[] = {1}, of_two[] = {4, 40};
static const double at_two[] = {1, 3};
static const struct fanin_attr one[] = {{.number = 1},
                                        {.name = "vocabulary", .list = of_1, .n_list = 1}};
static const struct fanin_attr shared[] = {{.number = 3},
                                           {.name = "vocabulary", .list = of_5, .n_list = 1}};
static const struct fanin_attr deep[] = {{.number = 67},
                                         {.name = "vocabulary", .list = of_11, .n_list = 1}};
static const struct fanin_attr mixed[] = {{.number = 17},
                                          {.name = "vocabulary", .list = of_two, .n_list = 2},
                                          {.name = "columns", .list = at_two, .n_list = 2},
                                          {.name = "unknown", .number = 1}};
static const int64_t below_1[] = {1}, below_5[] = {5, 5, 5, 5, 5, 5, 5},
                     below_11[] = {11, 11, 11, 11, 11, 11}, below_mixed[] = {0, 4, 0, 40, 0};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}, .attrs = one, .n_attrs = 2, .indexes = below_1},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = shared, .n_attrs = 2, .indexes = below_5},
    {.rows = 33, .n_in = 1, .dims = {{2, 3}}, .attrs = deep, .n_attrs = 2, .indexes = below_11},
    {.rows = 50, .n_in = 1, .dims = {{5}}, .attrs = mixed, .n_attrs = 4, .indexes = below_mixed}};

FI_RECORD(op, embedding) = {
    .head = {.name = "embedding",
             .formula = "y = w[x]",
             .reference = "Bengio et al., JMLR 3 (2003); Guo & Berkhahn, arXiv:1604.06737",
             .help = "Turns indexes, such as the categories of a table, into learned numbers.",
             .attrs = attrs,
             .attrs_size = sizeof(struct embedding)},
    .flags = FANIN_OP_NO_Y | FANIN_OP_SHIFTS,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = fi_op_no_flops,
    .start = start,
    .source = source,
    .index_below = index_below,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
