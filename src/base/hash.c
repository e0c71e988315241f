/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes that key the random numbers, and the nearest name for messages.
 *
 * fi_hash_mix is a multiply-add followed by the finalizer of SplitMix64 (Steele, Lea, Flood 2014,
 * variant 13 of Stafford), a bijection of 64 bits: for a fixed hash it is one-to-one in the word,
 * and the other way round. Changing anything here changes every random number of every run.
 */
#include <string.h>

#include "base/base.h"

uint64_t fi_hash_mix(uint64_t hash, uint64_t word) {
    uint64_t x = hash * UINT64_C(0xD1342543DE82EF95) + word + UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

uint64_t fi_hash_text(const char *text) {
    size_t length = strlen(text);
    uint64_t hash = fi_hash_mix(0, length);
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = 0;
        /* Byte by byte, so that the value does not depend on the byte order. */
        for (size_t j = i; j < length && j < i + 8; j++)
            word |= (uint64_t)(unsigned char)text[j] << (8 * (j - i));
        hash = fi_hash_mix(hash, word);
    }
    return hash;
}

uint64_t fi_key(uint64_t seed, const char *purpose, const char *name) {
    uint64_t hash = fi_hash_mix(0, seed);
    hash = fi_hash_mix(hash, fi_hash_text(purpose));
    return fi_hash_mix(hash, fi_hash_text(name ? name : ""));
}

/* ---- nearest name -------------------------------------------------------------------------------- */

#define LONGEST 63

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Insertions, deletions, substitutions and swaps of neighbours that turn a into b (optimal string
 * alignment), letters compared without case. Both are at most LONGEST long. */
static int distance(const char *a, int na, const char *b, int nb) {
    int rows[3][LONGEST + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];
    for (int j = 0; j <= nb; j++) last[j] = j;
    for (int i = 1; i <= na; i++) {
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            char ca = lower(a[i - 1]), cb = lower(b[j - 1]);
            int best = last[j - 1] + (ca != cb);
            best = FI_MIN(best, last[j] + 1);
            best = FI_MIN(best, row[j - 1] + 1);
            if (i > 1 && j > 1 && ca == lower(b[j - 2]) && lower(a[i - 2]) == cb)
                best = FI_MIN(best, before[j - 2] + 1);
            row[j] = best;
        }
        int *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[nb];
}

const char *fanin_nearest(const char *name, const char *const *names, int n) {
    const char *nearest = NULL;
    int least = LONGEST + 1;
    size_t length = strlen(name);
    if (length > LONGEST) return NULL;
    for (int i = 0; i < n; i++) {
        size_t other = names[i] ? strlen(names[i]) : LONGEST + 1;
        if (other > LONGEST) continue;
        int d = distance(name, (int)length, names[i], (int)other);
        /* A third of the longer one, but one slip is always forgiven if something is left. */
        int limit = FI_MAX((int)FI_MAX(length, other) / 3, length > 1 ? 1 : 0);
        if (d <= limit && d < least) {
            least = d;
            nearest = names[i];
        }
    }
    return nearest;
}
