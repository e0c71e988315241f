/* SPDX-License-Identifier: Apache-2.0 */
/* What probes share. */
#include "study/probe.h"

#include <string.h>

#include "model/model.h"

enum fanin_status fi_probe_node(const struct fi_look_at *look, const char *key, const char *name,
                                int *node) {
    const fanin_net *net = look->model->net;
    const char *names[256];
    int n = 0;
    for (int i = 0; i < net->n_nodes; i++) {
        if (strcmp(net->nodes[i].name, name) == 0) {
            *node = i;
            return FANIN_OK;
        }
        if (n < FI_COUNT(names)) names[n++] = net->nodes[i].name;
    }
    const char *near = fanin_nearest(name, names, n);
    return fi_fail(look->ctx, FANIN_ERR_RECIPE, "%s: the net has no node '%s'%s%s%s", key, name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}
