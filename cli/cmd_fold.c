/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin fold MODEL -o OUT: a model for inference alone, that predicts the same: batch norm merged
 * into a linear layer beside it, dropout left out. Says what became of each such node.
 */
#include <string.h>

#include "app.h"

struct fold_fields {
    struct common common;
    const char *out;
};

static const struct opt options[] = {
    {"out", 'o', OPT_TEXT, offsetof(struct fold_fields, out), "FILE", "the folded model", 0, 0},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

static void tell(void *payload, const struct fanin_fold_event *e) {
    const struct app *app = payload;
    static const char *const kinds[] = {[FANIN_FOLD_MERGED] = "merged",
                                        [FANIN_FOLD_DROPPED] = "dropped",
                                        [FANIN_FOLD_LEFT] = "left"};
    const char *kind = kinds[e->kind];
    if (app->common->json) {
        struct fanin_text texts[5] = {{"kind", kind}, {"node", e->node}, {"op", e->op}};
        int n = 3;
        if (e->into) texts[n++] = (struct fanin_text){"into", e->into};
        if (e->why) texts[n++] = (struct fanin_text){"why", e->why};
        fanin_report_note(app->report, "fold", texts, n, NULL, 0);
    } else if (!app->common->quiet) {
        int itself = e->into && !strcmp(e->into, e->node);
        printf("%-8s %s", kind, e->node);
        if (e->into && !itself) printf(" into %s", e->into);
        printf("%s%s\n", e->why ? itself ? ": is " : ": " : "", e->why ? e->why : "");
    }
}

/* Numbers of all parameters. */
static double count_params(const fanin_model *model) {
    const fanin_net *net = fanin_model_net(model);
    double count = 0;
    for (int i = 0; i < fanin_net_params(net); i++) {
        struct fanin_param_info p;
        fanin_net_param(net, i, &p);
        count += (double)p.count;
    }
    return count;
}

static void tell_result(const struct app *app, const char *path, const fanin_model *from,
                        const fanin_model *to) {
    int nodes = fanin_net_nodes(fanin_model_net(from)), left = fanin_net_nodes(fanin_model_net(to));
    double params = count_params(from), params_left = count_params(to);
    if (app->common->json) {
        struct fanin_text text = {"path", path};
        struct fanin_figure figures[] = {{"nodes", left},
                                         {"nodes_before", nodes},
                                         {"params", params_left},
                                         {"params_before", params}};
        fanin_report_note(app->report, "model", &text, 1, figures, 4);
    } else if (!app->common->quiet) {
        printf("model    %s: %d nodes of %d, %.0f parameters of %.0f\n", path, left, nodes,
               params_left, params);
    }
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    (void)n;
    const struct fold_fields *f = fields;
    fanin_model *model = NULL, *folded = NULL;
    struct fanin_fold_options fold = {.size = sizeof fold, .event = tell, .payload = app};
    if (!f->out) return fail_with(EXIT_USAGE, "fold writes another model, so say where: -o FILE");
    enum fanin_status status = fanin_model_load(&model, app->ctx, operands[0]);
    int code = status == FANIN_OK ? check_writable(app, f->out) : fail_reading(app, status);
    if (!code) {
        status = fanin_model_fold(&folded, model, &fold);
        if (status != FANIN_OK) code = fail_reading(app, status);
    }
    if (!code) {
        status = fanin_model_save(folded, f->out);
        if (status != FANIN_OK) code = fail_writing(app, status);
    }
    if (!code) tell_result(app, f->out, model, folded);
    fanin_model_free(folded);
    fanin_model_free(model);
    return code;
}

const struct command cmd_fold = {
    .usage = {"fold", "MODEL", 1, 1,
              "Merge batch norm into the layers beside it and leave dropout out", options,
              common_options},
    .size = sizeof(struct fold_fields),
    .run = run,
};
