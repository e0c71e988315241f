/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node case as ONNX publishes it: a folder with model.onnx, which holds one node, and tensors
 * that go in and come out. Read with code that protoc-c makes from onnx.proto.
 */
#ifndef TESTS_ONNX_CASE_H
#define TESTS_ONNX_CASE_H

#include <math.h>

#include "onnx.pb-c.h"
#include "support/support.h"

#define MAX_TENSORS 12
#define MAX_DIMS 8

/* Numbers of any type as double; data NULL: not there. */
struct values {
    int rank, type;
    int64_t dims[MAX_DIMS], n;
    double *data;
};

struct onnx_case {
    char name[128];
    Onnx__ModelProto *model;
    const Onnx__NodeProto *node;
    struct values in[MAX_TENSORS], out[MAX_TENSORS]; /* as the node names them */
};

static inline void *unpack_file(const char *path, const ProtobufCMessageDescriptor *type) {
    size_t size = 0;
    if (access(path, R_OK) != 0) return NULL;
    char *bytes = read_file(path, &size);
    void *message = protobuf_c_message_unpack(type, NULL, size, (const uint8_t *)bytes);
    free(bytes);
    return message;
}

/* Bytes of a number of the type in raw_data; 0: not read. */
static inline size_t raw_size(int type) {
    switch (type) {
    case 1: /* float */
    case 6: /* int32 */
        return 4;
    case 7:  /* int64 */
    case 11: /* double */
        return 8;
    case 2: /* uint8 */
    case 3: /* int8 */
    case 9: /* bool */
        return 1;
    default:
        return 0;
    }
}

static inline double raw_number(int type, const uint8_t *from) {
    float f;
    double d;
    int32_t i;
    int64_t l;
    switch (type) {
    case 1:
        memcpy(&f, from, sizeof f);
        return (double)f;
    case 6:
        memcpy(&i, from, sizeof i);
        return i;
    case 7:
        memcpy(&l, from, sizeof l);
        return (double)l;
    case 11:
        memcpy(&d, from, sizeof d);
        return d;
    case 3:
        return (int8_t)*from;
    default:
        return *from;
    }
}

static inline void take_tensor(struct values *v, const Onnx__TensorProto *t) {
    *v = (struct values){.rank = (int)t->n_dims, .type = t->data_type, .n = 1};
    assert_true(t->n_dims <= MAX_DIMS);
    for (int i = 0; i < v->rank; i++) v->n *= v->dims[i] = t->dims[i];
    v->data = calloc((size_t)v->n + 1, sizeof(double));
    const size_t size = raw_size(v->type);
    for (int64_t i = 0; i < v->n; i++) {
        if (t->has_raw_data && size && (size_t)(i + 1) * size <= t->raw_data.len)
            v->data[i] = raw_number(v->type, t->raw_data.data + (size_t)i * size);
        else if ((size_t)i < t->n_float_data)
            v->data[i] = (double)t->float_data[i];
        else if ((size_t)i < t->n_int64_data)
            v->data[i] = (double)t->int64_data[i];
        else if ((size_t)i < t->n_int32_data)
            v->data[i] = t->int32_data[i];
        else if ((size_t)i < t->n_double_data)
            v->data[i] = t->double_data[i];
        else
            v->data[i] = NAN; /* a type that is not read: no case passes with it */
    }
}

/* <dir>/test_data_set_0/<kind>_<i>.pb */
static inline void load_tensor(struct values *v, const char *dir, const char *kind, size_t i) {
    char path[600];
    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%zu.pb", dir, kind, i);
    Onnx__TensorProto *t = unpack_file(path, &onnx__tensor_proto__descriptor);
    if (!t) return;
    take_tensor(v, t);
    onnx__tensor_proto__free_unpacked(t, NULL);
}

/* The place of a name among the graph's values; -1: none (left out). */
static inline int value_index(Onnx__ValueInfoProto **list, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i]->name, name)) return (int)i;
    return -1;
}

/* Reads the model. False: no case of a single node. */
static inline bool open_case(struct onnx_case *c, const char *root, const char *folder) {
    char path[500];
    *c = (struct onnx_case){0};
    snprintf(c->name, sizeof c->name, "%s", folder);
    snprintf(path, sizeof path, "%s/%s/model.onnx", root, folder);
    c->model = unpack_file(path, &onnx__model_proto__descriptor);
    if (!c->model || !c->model->graph || c->model->graph->n_node != 1) return false;
    c->node = c->model->graph->node[0];
    return c->node->n_input <= MAX_TENSORS && c->node->n_output <= MAX_TENSORS;
}

static inline void load_tensors(struct onnx_case *c, const char *root) {
    const Onnx__GraphProto *g = c->model->graph;
    char dir[400];
    snprintf(dir, sizeof dir, "%s/%s", root, c->name);
    for (size_t i = 0; i < c->node->n_input; i++) {
        const int at = value_index(g->input, g->n_input, c->node->input[i]);
        if (at >= 0) load_tensor(&c->in[i], dir, "input", (size_t)at);
    }
    for (size_t i = 0; i < c->node->n_output; i++) {
        const int at = value_index(g->output, g->n_output, c->node->output[i]);
        if (at >= 0) load_tensor(&c->out[i], dir, "output", (size_t)at);
    }
}

static inline void free_case(struct onnx_case *c) {
    for (int i = 0; i < MAX_TENSORS; i++) {
        free(c->in[i].data);
        free(c->out[i].data);
    }
    if (c->model) onnx__model_proto__free_unpacked(c->model, NULL);
}

/* ---- attributes -------------------------------------------------------------------------------------- */

static inline const Onnx__AttributeProto *find_attribute(const struct onnx_case *c,
                                                         const char *name) {
    for (size_t i = 0; i < c->node->n_attribute; i++)
        if (!strcmp(c->node->attribute[i]->name, name)) return c->node->attribute[i];
    return NULL;
}

static inline double attribute(const struct onnx_case *c, const char *name, double otherwise) {
    const Onnx__AttributeProto *a = find_attribute(c, name);
    if (!a) return otherwise;
    return a->has_f ? (double)a->f : a->has_i ? (double)a->i : otherwise;
}

static inline bool attribute_is(const struct onnx_case *c, const char *name, const char *text) {
    const Onnx__AttributeProto *a = find_attribute(c, name);
    return a && a->has_s && a->s.len == strlen(text) && !memcmp(a->s.data, text, a->s.len);
}

/* ---- comparing --------------------------------------------------------------------------------------- */

#define RTOL 1.3e-6
#define ATOL 1e-5

/* The first number that is apart, told; true: none. */
static inline bool equal(const struct values *want, const double *got, char why[200]) {
    for (int64_t i = 0; i < want->n; i++) {
        const double w = want->data[i];
        if (fabs(got[i] - w) <= ATOL + RTOL * fabs(w) || got[i] == w) continue;
        snprintf(why, 200, "number %lld is %.9g, not %.9g", (long long)i, got[i], w);
        return false;
    }
    return true;
}

#endif
