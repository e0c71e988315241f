/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of a run (history.h), its JSON, and the public view of it.
 *
 * Epochs are kept to the last bit. Of watched updates, which are many and are there to be looked
 * at, six decimal digits are kept: rounded when they come, so that a history that went through a
 * checkpoint is the same as one that did not.
 */
#include "model/history.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quote.h"

#define EPOCH_FIGURES 40
#define MOST_EPOCHS 2000
#define MOST_UPDATES 1000
#define UPDATE_NUMBERS 50000 /* of all series together */
#define FEW_UPDATES 100      /* rather than fewer of these, layers and parameters are left out */
/* Figures of each event of a watched update. */
#define STEP_FIGURES 5
#define SOURCE_FIGURES 4
#define LAYER_FIGURES 12
#define PARAM_FIGURES 3 /* and one for each source */

static const char *const clock_names[FI_CLOCKS] = {"epochs", "updates"};

/* ---- memory ---------------------------------------------------------------------------------------- */

/* Room for n moments of so many series; what the clock held is gone. A clock that keeps anything
 * has room for a first and a last. */
static enum fanin_status reserve(struct fi_history *h, struct fi_clock *c, int64_t n,
                                 int64_t series) {
    c->room = n = n > 0 ? FI_MAX(n, 2) : 0;
    c->max_series = series;
    c->n = c->count = c->n_series = c->next = 0;
    c->every = 1;
    c->at = fi_arena_alloc(&h->arena, n, sizeof *c->at);
    c->series = fi_arena_alloc(&h->arena, series, sizeof *c->series);
    if (!c->at || !c->series) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < series; i++) {
        c->series[i].values = fi_arena_alloc(&h->arena, n, sizeof(double));
        if (!c->series[i].values) return FANIN_ERR_MEMORY;
    }
    return FANIN_OK;
}

static enum fanin_status create(fanin_model *model) {
    struct fi_history *h = fi_alloc(model->ctx, 1, sizeof *h);
    if (!h) return FANIN_ERR_MEMORY;
    h->ctx = model->ctx;
    fi_arena_init(&h->arena, model->ctx);
    fi_history_free(model->history);
    model->history = h;
    return FANIN_OK;
}

void fi_history_free(struct fi_history *h) {
    if (!h) return;
    fi_arena_free(&h->arena);
    fi_free(h->ctx, h);
}

enum fanin_status fi_history_begin(fanin_model *model, const struct fi_history_plan *plan) {
    const int64_t coarse = STEP_FIGURES + plan->sources * SOURCE_FIGURES;
    const int64_t all =
        coarse + plan->layers * LAYER_FIGURES + plan->params * (PARAM_FIGURES + plan->sources);
    FI_TRY(create(model));
    struct fi_history *h = model->history;
    struct fi_clock *epochs = &h->clocks[FI_EPOCHS], *updates = &h->clocks[FI_UPDATES];
    h->detailed = UPDATE_NUMBERS / all >= FEW_UPDATES;
    const int64_t series = h->detailed ? all : coarse;
    epochs->limit = MOST_EPOCHS;
    updates->limit = FI_MIN(MOST_UPDATES, UPDATE_NUMBERS / series);
    FI_TRY(reserve(h, epochs, FI_MIN(plan->epochs, epochs->limit), EPOCH_FIGURES));
    return reserve(h, updates, FI_MIN(plan->updates, updates->limit),
                   plan->updates > 0 ? series : 0);
}

/* ---- keeping --------------------------------------------------------------------------------------- */

/* Every second moment goes. */
static void thin(struct fi_clock *c) {
    int64_t kept = 0;
    for (int64_t k = 0; k < c->n; k += 2, kept++) {
        c->at[kept] = c->at[k];
        for (int64_t i = 0; i < c->n_series; i++)
            c->series[i].values[kept] = c->series[i].values[k];
    }
    c->n = kept;
    c->every *= 2;
}

/* Is the last moment kept for now only? */
static bool last_is_extra(const struct fi_clock *c) {
    return c->n > 0 && (c->count - 1) % c->every != 0;
}

void fi_history_moment(struct fi_history *h, int clock, int64_t at) {
    if (!h) return;
    struct fi_clock *c = &h->clocks[clock];
    if (c->room == 0) return;
    if (last_is_extra(c)) c->n--;
    if (c->n == c->room) thin(c);
    c->at[c->n] = (double)at;
    for (int64_t i = 0; i < c->n_series; i++) c->series[i].values[c->n] = NAN;
    c->n++;
    c->count++;
    c->next = 0;
}

static bool is_series(const struct fi_series *s, const char *event, const char *name,
                      const char *figure) {
    return strcmp(s->figure, figure) == 0 && strcmp(s->event, event) == 0 &&
           (!name || !s->name ? name == s->name : strcmp(s->name, name) == 0);
}

/* Figures come in the same order each time, so the next one is mostly where it is looked for. NULL:
 * there is no room for another one. */
static struct fi_series *find_series(struct fi_clock *c, const char *event, const char *name,
                                     const char *figure) {
    for (int64_t i = 0; i < c->n_series; i++) {
        const int64_t at = (c->next + i) % c->n_series;
        if (!is_series(&c->series[at], event, name, figure)) continue;
        c->next = at + 1;
        return &c->series[at];
    }
    if (c->n_series == c->max_series || strlen(figure) >= sizeof c->series->figure) return NULL;
    struct fi_series *s = &c->series[c->n_series++];
    s->event = event;
    s->name = name;
    strcpy(s->figure, figure);
    for (int64_t k = 0; k < c->n; k++) s->values[k] = NAN;
    c->next = c->n_series;
    return s;
}

static double six_digits(double value) {
    char text[FI_NUMBER_SIZE];
    snprintf(text, sizeof text, "%.5e", value);
    return strtod(text, NULL);
}

void fi_history_put(struct fi_history *h, int clock, const char *event, const char *name,
                    const struct fanin_figure *figure) {
    if (!h || h->clocks[clock].n == 0) return;
    struct fi_clock *c = &h->clocks[clock];
    struct fi_series *s = find_series(c, event, name, figure->name);
    const double value = figure->value;
    if (!s) return;
    s->values[c->n - 1] = !isfinite(value) ? NAN : clock == FI_UPDATES ? six_digits(value) : value;
}

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void write_numbers(struct fi_text *out, const double *values, int64_t n) {
    char number[FI_NUMBER_SIZE];
    fi_text_add(out, "[");
    for (int64_t i = 0; i < n; i++) {
        fi_number_exact(number, values[i]);
        fi_text_add(out, "%s%s", i ? "," : "", isfinite(values[i]) ? number : "null");
    }
    fi_text_add(out, "]");
}

static void write_clock(struct fi_text *out, const struct fi_clock *c) {
    fi_text_add(out, "{\"count\":%lld,\"every\":%lld,\"at\":", (long long)c->count,
                (long long)c->every);
    write_numbers(out, c->at, c->n);
    fi_text_add(out, ",\"series\":[");
    for (int64_t i = 0; i < c->n_series; i++) {
        fi_text_add(out, "%s{\"event\":", i ? "," : "");
        fi_quote(out, c->series[i].event);
        if (c->series[i].name) {
            fi_text_add(out, ",\"name\":");
            fi_quote(out, c->series[i].name);
        }
        fi_text_add(out, ",\"figure\":");
        fi_quote(out, c->series[i].figure);
        fi_text_add(out, ",\"values\":");
        write_numbers(out, c->series[i].values, c->n);
        fi_text_add(out, "}");
    }
    fi_text_add(out, "]}");
}

enum fanin_status fi_history_write(const struct fi_history *h, struct fi_text *out, bool *any) {
    *any = false;
    for (int k = 0; h && k < FI_CLOCKS; k++) {
        if (h->clocks[k].n == 0) continue;
        fi_text_add(out, "%s\"%s\":", *any ? "," : "{", clock_names[k]);
        write_clock(out, &h->clocks[k]);
        *any = true;
    }
    if (*any) fi_text_add(out, "}");
    return out->failed ? FANIN_ERR_MEMORY : FANIN_OK;
}

static enum fanin_status refuse(const struct fi_history *h, const char *why) {
    return fi_fail(h->ctx, FANIN_ERR_DATA, "metadata 'fanin.history': %s", why);
}

/* A list of n numbers; null where there is none. */
static enum fanin_status read_numbers(struct fi_history *h, const json_t *list, int64_t n,
                                      double *out) {
    if (!json_is_array(list) || (int64_t)json_array_size(list) != n)
        return refuse(h, "a series has not a number for each moment");
    for (int64_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        if (!json_is_number(item) && !json_is_null(item))
            return refuse(h, "a series holds something that is no number");
        out[i] = json_is_number(item) ? json_number_value(item) : NAN;
    }
    return FANIN_OK;
}

static enum fanin_status read_series(struct fi_history *h, struct fi_clock *c, const json_t *json) {
    struct fi_series *s = &c->series[c->n_series];
    const char *event = json_string_value(json_object_get(json, "event"));
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *figure = json_string_value(json_object_get(json, "figure"));
    if (!event || !figure || strlen(figure) >= sizeof s->figure)
        return refuse(h, "a series has no names");
    s->event = fi_arena_strdup(&h->arena, event);
    s->name = name ? fi_arena_strdup(&h->arena, name) : NULL;
    if (!s->event || (name && !s->name)) return FANIN_ERR_MEMORY;
    strcpy(s->figure, figure);
    FI_TRY(read_numbers(h, json_object_get(json, "values"), c->n, s->values));
    c->n_series++;
    return FANIN_OK;
}

#define MOST_MOMENTS (INT64_C(1) << 53)
#define MOST_SERIES 4096 /* more than any run has */

static enum fanin_status read_clock(struct fi_history *h, struct fi_clock *c, const json_t *json) {
    const json_t *at = json_object_get(json, "at"), *list = json_object_get(json, "series");
    const int64_t count = json_integer_value(json_object_get(json, "count"));
    const int64_t every = json_integer_value(json_object_get(json, "every"));
    const int64_t n = (int64_t)json_array_size(at), n_series = (int64_t)json_array_size(list);
    if (!json) return FANIN_OK;
    if (count < 1 || count > MOST_MOMENTS || every < 1 || every > count ||
        n != 1 + (count - 1) / every + ((count - 1) % every != 0))
        return refuse(h, "its moments are not those it says there were");
    if (n_series > MOST_SERIES) return refuse(h, "it has too many series");
    const int64_t room = FI_MAX(n, FI_MIN(n + c->room, c->limit));
    FI_TRY(reserve(h, c, room, c->max_series + n_series));
    c->n = n;
    c->count = count;
    c->every = every;
    FI_TRY(read_numbers(h, at, n, c->at));
    for (int64_t i = 0; i < n; i++)
        if (!(c->at[i] > (i > 0 ? c->at[i - 1] : 0))) return refuse(h, "its moments go backwards");
    for (int64_t i = 0; i < n_series; i++)
        FI_TRY(read_series(h, c, json_array_get(list, (size_t)i)));
    return FANIN_OK;
}

enum fanin_status fi_history_read(fanin_model *model, const char *text) {
    if (!model->history) FI_TRY(create(model));
    struct fi_history *h = model->history;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    enum fanin_status status = json_is_object(json) ? FANIN_OK : refuse(h, "it is not JSON");
    for (int k = 0; k < FI_CLOCKS && status == FANIN_OK; k++)
        status = read_clock(h, &h->clocks[k], json_object_get(json, clock_names[k]));
    json_decref(json);
    return status;
}

/* ---- the public view ------------------------------------------------------------------------------- */

int fanin_model_history(const fanin_model *model, int64_t index, struct fanin_history *out) {
    *out = (struct fanin_history){0};
    for (int k = 0; model->history && index >= 0 && k < FI_CLOCKS; k++) {
        const struct fi_clock *c = &model->history->clocks[k];
        if (index >= c->n_series) {
            index -= c->n_series;
            continue;
        }
        const struct fi_series *s = &c->series[index];
        *out = (struct fanin_history){.event = s->event,
                                      .name = s->name,
                                      .figure = s->figure,
                                      .n = c->n,
                                      .at = c->at,
                                      .values = s->values,
                                      .moments = c->count};
        return 1;
    }
    return 0;
}
