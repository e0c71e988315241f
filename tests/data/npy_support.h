/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NPY and NPZ files written by hand: the header as NumPy writes it, stored members with their
 * checksums (APPNOTE.TXT 4.3).
 */
#ifndef TESTS_NPY_SUPPORT_H
#define TESTS_NPY_SUPPORT_H

#include "data/data_support.h"

/* An NPY file of version `major`; the dictionary is padded to a multiple of 64. */
static inline size_t npy_bytes(uint8_t *to, int major, const char *dictionary, const void *numbers,
                               size_t bytes) {
    const size_t pre = major == 1 ? 10 : 12, n = strlen(dictionary);
    const size_t length = (pre + n + 1 + 63) / 64 * 64 - pre;
    memcpy(to, "\x93NUMPY", 6);
    to[6] = (uint8_t)major;
    to[7] = 0;
    for (size_t i = 8; i < pre; i++) to[i] = (uint8_t)(length >> 8 * (i - 8));
    memset(to + pre, ' ', length);
    memcpy(to + pre, dictionary, n);
    to[pre + length - 1] = '\n';
    memcpy(to + pre + length, numbers, bytes);
    return pre + length + bytes;
}

struct zip_member {
    const char *name;
    const uint8_t *bytes;
    size_t n;
};

static inline uint8_t *zip_number(uint8_t *to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) *to++ = i < 8 ? (uint8_t)(value >> 8 * i) : 0;
    return to;
}

/* What local header and directory say alike: version, flags, method 0, time, checksum, sizes. */
static inline uint8_t *zip_facts(uint8_t *to, const struct zip_member *m) {
    to = zip_number(to, 20, 2);
    to = zip_number(to, 0, 2);
    to = zip_number(to, 0, 2);
    to = zip_number(to, 0x00210000, 4); /* 1980-01-01 */
    to = zip_number(to, crc32(0, m->bytes, (uInt)m->n), 4);
    to = zip_number(to, m->n, 4);
    to = zip_number(to, m->n, 4);
    to = zip_number(to, strlen(m->name), 2);
    return zip_number(to, 0, 2);
}

/* A zip file of stored members; returns its size. */
static inline size_t zip_bytes(uint8_t *to, const struct zip_member *members, int n) {
    uint8_t *at = to;
    uint64_t places[8];
    for (int i = 0; i < n; i++) {
        places[i] = (uint64_t)(at - to);
        at = zip_facts(zip_number(at, 0x04034b50, 4), &members[i]);
        memcpy(at, members[i].name, strlen(members[i].name));
        at += strlen(members[i].name);
        memcpy(at, members[i].bytes, members[i].n);
        at += members[i].n;
    }
    uint8_t *directory = at;
    for (int i = 0; i < n; i++) {
        at = zip_facts(zip_number(zip_number(at, 0x02014b50, 4), 20, 2), &members[i]);
        at = zip_number(at, 0, 10); /* no comment, disk 0, attributes */
        at = zip_number(at, places[i], 4);
        memcpy(at, members[i].name, strlen(members[i].name));
        at += strlen(members[i].name);
    }
    const uint64_t size = (uint64_t)(at - directory);
    at = zip_number(at, 0x06054b50, 4);
    at = zip_number(at, 0, 4);
    at = zip_number(at, (uint64_t)n, 2);
    at = zip_number(at, (uint64_t)n, 2);
    at = zip_number(at, size, 4);
    at = zip_number(at, (uint64_t)(directory - to), 4);
    return (size_t)(zip_number(at, 0, 2) - to);
}

#endif
