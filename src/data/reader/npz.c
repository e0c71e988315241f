/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives of NumPy arrays (numpy.savez, savez_compressed): a zip file with one NPY member for each
 * array, opened by libzip. One file may hold all parts, as Keras' mnist.npz does.
 *
 * Which arrays: the attributes say, or the names do. Training takes x_train and y_train, else x and
 * y, else the only array there is. x_validation (or x_val) and x_test with their y are further
 * parts. A file for prediction gives x_test, else x, else x_train, else its only array.
 *
 * An archive's claims on sizes are held against its own size before memory is taken; the checksum
 * of every array that is read is verified.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>

#include "data/npy.h"
#include "data/reader/reader.h"
#include "data/schema.h"

/* Deflate cannot pack better than 1032 : 1; a few bytes more than nothing. */
enum { DEFLATE_LIMIT = 1032, MAX_MEMBERS = 65536 };

struct npz {
    const char *x, *y, *x_validation, *y_validation, *x_test, *y_test;
    int64_t classes;
    int task; /* enum fanin_task, where FANIN_UNLABELED stands for auto */
};

/* Names of the arrays of each part as a model keeps them; NULL: by the usual names. */
struct names {
    const char *array[3][2]; /* part; x, y */
};
static const char *const name_keys[3][2] = {
    {"x", "y"}, {"x_validation", "y_validation"}, {"x_test", "y_test"}};

struct archive {
    fanin_ctx *ctx;
    const char *path;
    zip_t *zip;
    int64_t size; /* of the file */
};

/* ---- the archive ------------------------------------------------------------------------------------- */

static enum fanin_status zip_failed(const struct archive *a, const char *what, zip_error_t *error) {
    if (zip_error_code_zip(error) == ZIP_ER_MEMORY)
        return fi_fail(a->ctx, FANIN_ERR_MEMORY, "out of memory: reading '%s'", a->path);
    return fi_fail(a->ctx, FANIN_ERR_DATA, "'%s': %s: %s", a->path, what,
                   zip_error_strerror(error));
}

static enum fanin_status open_zip(struct archive *a, int fd) {
    int code = 0;
    a->zip = zip_fdopen(fd, 0, &code);
    if (a->zip) return FANIN_OK;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    enum fanin_status status = zip_failed(a, "not a sound NPZ (zip) file", &error);
    zip_error_fini(&error);
    return status;
}

/* On failure there is nothing to close. */
static enum fanin_status open_archive(struct archive *a, fanin_ctx *ctx, const char *path) {
    struct fi_source source;
    *a = (struct archive){.ctx = ctx, .path = path};
    if (strcmp(path, "-") == 0)
        return fi_fail(ctx, FANIN_ERR_IO, "NPZ data are read from files, not standard input");
    FI_TRY(fi_source_open(&source, ctx, path));
    const uint8_t *b = source.buffer;
    enum fanin_status status = FANIN_OK;
    if (source.held < 4 || b[0] != 'P' || b[1] != 'K')
        status = fi_fail(ctx, FANIN_ERR_DATA, "'%s' is not an NPZ (zip) file", path);
    a->size = source.file_size;
    if (status == FANIN_OK) status = open_zip(a, source.fd);
    fi_source_close(&source);
    if (status == FANIN_OK && zip_get_num_entries(a->zip, 0) > MAX_MEMBERS) {
        zip_discard(a->zip);
        status =
            fi_fail(ctx, FANIN_ERR_DATA, "'%s' holds more than %d arrays", path, (int)MAX_MEMBERS);
    }
    return status;
}

/* The member of an array, -1: none. `name` may be NULL. */
static int64_t find_member(const struct archive *a, const char *name) {
    char member[256];
    if (!name || snprintf(member, sizeof member, "%s.npy", name) >= (int)sizeof member) return -1;
    return zip_name_locate(a->zip, member, ZIP_FL_ENC_RAW);
}

/* The length of a member's name without its suffix; 0: it is no array. */
static size_t array_name(const struct archive *a, int64_t index, const char **name) {
    *name = zip_get_name(a->zip, (zip_uint64_t)index, ZIP_FL_ENC_RAW);
    const size_t length = *name ? strlen(*name) : 0;
    return length > 4 && strcmp(*name + length - 4, ".npy") == 0 ? length - 4 : 0;
}

/* The only array there is, -1: there are several, or none. */
static int64_t only_member(const struct archive *a) {
    int64_t found = -1;
    const char *name;
    for (int64_t i = 0; i < zip_get_num_entries(a->zip, 0); i++) {
        if (array_name(a, i, &name) == 0) continue;
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

/* ---- which arrays ------------------------------------------------------------------------------------ */

/* Places to look for the arrays of a part, first to last; each name also with a capital X. */
static const char *const usual[3][3] = {
    [FANIN_TRAIN] = {"x_train", "x", NULL},
    [FANIN_VALIDATION] = {"x_validation", "x_val", NULL},
    [FANIN_TEST] = {"x_test", NULL},
};
/* In a file that is all one part. */
static const char *const whole[] = {"x", "x_test", "x_train", NULL};

struct choice {
    int64_t x, y;       /* members, -1: none */
    char names[2][128]; /* of the arrays */
};

static bool take_named(const struct archive *a, struct choice *c, const char *name) {
    static const char capitals[] = "Xx";
    for (int upper = 1; upper >= 0; upper--) {
        (void)snprintf(c->names[0], sizeof c->names[0], "%c%s", capitals[upper], name + 1);
        if ((c->x = find_member(a, c->names[0])) >= 0) break;
    }
    for (int upper = 1; upper >= 0 && c->x >= 0; upper--) {
        (void)snprintf(c->names[1], sizeof c->names[1], "%c%s", upper ? 'y' : 'Y', name + 1);
        if ((c->y = find_member(a, c->names[1])) >= 0) break;
    }
    return c->x >= 0;
}

static bool take_usual(const struct archive *a, struct choice *c, const char *const *names) {
    for (int i = 0; names[i]; i++)
        if (take_named(a, c, names[i])) return true;
    return false;
}

static enum fanin_status no_array(const struct archive *a, const char *name) {
    struct fi_text list;
    const char *member;
    int64_t n = 0;
    fi_text_init(&list, a->ctx);
    for (int64_t i = 0; i < zip_get_num_entries(a->zip, 0); i++) {
        const size_t length = array_name(a, i, &member);
        if (length > 0 && n++ < 12)
            fi_text_add(&list, "%s%.*s", n > 1 ? ", " : "", (int)FI_MIN(length, (size_t)40),
                        member);
    }
    if (n > 12) fi_text_add(&list, ", ...");
    const char *held = n > 0 && list.length ? list.data : "none";
    enum fanin_status status =
        name ? fi_fail(a->ctx, FANIN_ERR_DATA, "'%s' holds no array '%s'; it holds: %s", a->path,
                       name, held)
             : fi_fail(a->ctx, FANIN_ERR_DATA,
                       "'%s': which array holds the samples? Its arrays are: %s (say it: npz: {x: "
                       "NAME, y: NAME})",
                       a->path, held);
    fi_text_free(&list);
    return status;
}

/* The arrays that were named, of this part or of the first one. */
static enum fanin_status take_given(const struct archive *a, struct choice *c,
                                    const char *const names[2]) {
    for (int k = 0; k < 2; k++) {
        if (!names[k]) continue;
        const int64_t member = find_member(a, names[k]);
        if (member < 0) return no_array(a, names[k]);
        *(k ? &c->y : &c->x) = member;
        (void)snprintf(c->names[k], sizeof c->names[k], "%s", names[k]);
    }
    return FANIN_OK;
}

static enum fanin_status choose(const struct archive *a, const struct fi_read_request *r,
                                const struct names *names, struct choice *c) {
    *c = (struct choice){-1, -1, {"", ""}};
    const char *const *given = names->array[r->part];
    /* a later file may hold only what was given for training */
    if (r->part != FANIN_TRAIN && find_member(a, given[0]) < 0 && names->array[FANIN_TRAIN][0])
        given =
            find_member(a, names->array[FANIN_TRAIN][0]) >= 0 ? names->array[FANIN_TRAIN] : given;
    if (given[0]) {
        const char *const x_only[2] = {given[0], NULL};
        const bool no_labels = r->labels_optional && find_member(a, given[1]) < 0;
        return take_given(a, c, no_labels ? x_only : given);
    }
    if (!take_usual(a, c, usual[r->part]) && !(r->like && take_usual(a, c, whole))) {
        const char *name;
        c->x = only_member(a);
        if (c->x < 0) return no_array(a, NULL);
        const size_t length = array_name(a, c->x, &name);
        (void)snprintf(c->names[0], sizeof c->names[0], "%.*s", (int)length, name);
    }
    const char *const y_only[2] = {NULL, given[1]};
    return given[1] ? take_given(a, c, y_only) : FANIN_OK;
}

/* Which further parts a training file holds. */
static void find_parts(const struct archive *a, const struct names *names, bool holds[3]) {
    struct choice c;
    for (int p = FANIN_VALIDATION; p <= FANIN_TEST; p++)
        holds[p] = find_member(a, names->array[p][0]) >= 0 || take_usual(a, &c, usual[p]);
}

/* ---- names in a model file ----------------------------------------------------------------------------- */

static enum fanin_status write_names(struct fi_read_request *r, const struct names *names) {
    bool any = false;
    json_t *root = json_object(), *own = json_object();
    int failed = json_object_set_new(root, "npz", own);
    for (int p = 0; p < 3; p++)
        for (int k = 0; k < 2; k++) {
            if (!names->array[p][k] || failed) continue;
            any = true;
            failed |= json_object_set_new(own, name_keys[p][k], json_string(names->array[p][k]));
        }
    if (any) r->schema_out = fi_json_write(r->arena, failed ? NULL : root);
    json_decref(root);
    return any && !r->schema_out ? FANIN_ERR_MEMORY : FANIN_OK;
}

static enum fanin_status read_names(struct fi_read_request *r, struct names *names) {
    json_t *root;
    FI_TRY(fi_json_parse(&root, r->ctx, r->schema_in));
    const json_t *own = json_object_get(root, "npz");
    enum fanin_status status = FANIN_OK;
    for (int i = 0; i < 6 && status == FANIN_OK; i++) {
        const char *text = json_string_value(json_object_get(own, name_keys[i / 2][i % 2]));
        const char **to = &names->array[i / 2][i % 2];
        if (text && !(*to = fi_arena_strdup(r->arena, text))) status = FANIN_ERR_MEMORY;
    }
    json_decref(root);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

struct member {
    const struct archive *archive;
    zip_file_t *file;
    struct fi_npy npy;
};

static enum fanin_status read_member(void *from, void *to, int64_t n, int64_t *got) {
    struct member *m = from;
    *got = 0;
    while (*got < n) {
        const zip_int64_t k = zip_fread(m->file, (char *)to + *got, (zip_uint64_t)(n - *got));
        if (k < 0) return zip_failed(m->archive, "a damaged array", zip_file_get_error(m->file));
        if (k == 0) break;
        *got += k;
    }
    return FANIN_OK;
}

static enum fanin_status open_member(struct member *m, const struct archive *a, int64_t index,
                                     const char *path) {
    zip_stat_t info;
    *m = (struct member){.archive = a};
    if (zip_stat_index(a->zip, (zip_uint64_t)index, 0, &info) != 0)
        return zip_failed(a, "a damaged array", zip_get_error(a->zip));
    const zip_uint64_t known = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    int64_t most;
    if ((info.valid & known) != known || info.comp_size > (zip_uint64_t)a->size ||
        !fi_mul((int64_t)info.comp_size + 64, DEFLATE_LIMIT, &most) ||
        info.size > (zip_uint64_t)most)
        return fi_fail(a->ctx, FANIN_ERR_DATA,
                       "'%s' declares more data than its %lld bytes can hold", path,
                       (long long)a->size);
    m->file = zip_fopen_index(a->zip, (zip_uint64_t)index, 0);
    if (!m->file) return zip_failed(a, "an array cannot be opened", zip_get_error(a->zip));
    m->npy = (struct fi_npy){.bytes = {a->ctx, read_member, m, (int64_t)info.size, 0},
                             .array = {.path = path}};
    enum fanin_status status = fi_npy_header(&m->npy);
    if (status != FANIN_OK) zip_fclose(m->file);
    return status;
}

static enum fanin_status read_arrays(struct fi_read_request *r, const struct archive *a,
                                     const struct choice *c, struct fi_table *out) {
    const struct npz *attrs = r->attrs;
    const struct fi_label_rules rules = {(enum fanin_task)attrs->task, attrs->classes};
    struct member samples, labels;
    const char *x = fi_arena_printf(r->arena, "%s: %s", a->path, c->names[0]);
    const char *y = fi_arena_printf(r->arena, "%s: %s", a->path, c->names[1]);
    if (!x || !y) return FANIN_ERR_MEMORY;
    FI_TRY(open_member(&samples, a, c->x, x));
    enum fanin_status status = fi_npy_numbers(&samples.npy, r->arena);
    zip_fclose(samples.file);
    if (status == FANIN_OK && c->y >= 0) {
        status = open_member(&labels, a, c->y, y);
        if (status == FANIN_OK) {
            status = fi_labels_check(r->ctx, &samples.npy.array, &labels.npy.array, &rules);
            if (status == FANIN_OK) status = fi_npy_numbers(&labels.npy, r->arena);
            zip_fclose(labels.file);
        }
    }
    FI_TRY(status);
    return fi_arrays_to_table(r, &samples.npy.array, c->y >= 0 ? &labels.npy.array : NULL, &rules,
                              out);
}

static enum fanin_status read_npz(struct fi_read_request *r, struct fi_table *out) {
    const struct npz *attrs = r->attrs;
    struct names names = {{{attrs->x, attrs->y},
                           {attrs->x_validation, attrs->y_validation},
                           {attrs->x_test, attrs->y_test}}};
    struct archive a;
    struct choice c;
    if (r->labels_path)
        return fi_fail(r->ctx, FANIN_ERR_RECIPE,
                       "npz: '%s' is not needed, the labels are an array of '%s' (npz: {y: NAME})",
                       r->labels_path, r->path);
    if (r->schema_in) FI_TRY(read_names(r, &names));
    FI_TRY(open_archive(&a, r->ctx, r->path));
    enum fanin_status status = choose(&a, r, &names, &c);
    if (r->no_labels) c.y = -1;
    if (status == FANIN_OK) status = read_arrays(r, &a, &c, out);
    if (status == FANIN_OK && r->part == FANIN_TRAIN) {
        find_parts(&a, &names, r->holds);
        status = write_names(r, &names);
    }
    zip_discard(a.zip);
    return status;
}

#define NAME(field, help) FI_ATTR_STRING(struct npz, field, NULL, help, 0)
static const struct fanin_attr_spec specs[] = {
    NAME(x, "array of the samples to train on; default: x_train, x, or the only one"),
    NAME(y, "array of their labels; default: as for x"),
    NAME(x_validation, "array of the validation part; default: x_validation or x_val"),
    NAME(y_validation, "array of its labels"),
    NAME(x_test, "array of the test part; default: x_test"),
    NAME(y_test, "array of its labels"),
    FI_ATTR_INT(struct npz, classes, 0, 0, FI_MAX_CLASSES, FI_CLASSES_HELP, 0),
    FI_ATTR_CHOICE(struct npz, task, FANIN_UNLABELED, FI_TASK_WORDS, FI_TASK_HELP),
    FI_ATTR_END};

FI_RECORD(reader, npz) = {
    .head = {.name = "npz",
             .formula = "zip of NAME.npy; samples x_train (or x), labels y_train (or y)",
             .reference = "numpy.savez, numpy.savez_compressed",
             .help = "Archives of NumPy arrays, all parts in one file, as Keras' mnist.npz.",
             .attrs = specs,
             .attrs_size = sizeof(struct npz)},
    .suffixes = ".npz",
    .needs_path = true,
    .read = read_npz,
};
