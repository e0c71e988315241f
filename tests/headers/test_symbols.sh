#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shared library exports what the headers declare and nothing else, all of it named fanin_*; it takes nothing from
# outside that prints, ends the process or changes global state.
set -eu
library=$FANIN_BUILD_DIR/libfanin.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

nm -D --defined-only "$library" | awk '{print $3}' | sed 's/@.*//' | LC_ALL=C sort >"$work/exported"
if grep -v '^fanin_' "$work/exported"; then
    echo "exported above: not fanin_*" >&2
    status=1
fi
# Declarations begin with FANIN_API; the name is the last word before the first parenthesis.
cat "$FANIN_SOURCE_DIR"/include/fanin/*.h | tr '\n' ' ' | grep -oE 'FANIN_API [^;{#]*\(' |
    sed -E 's/\(.*//; s/.*[ *]//' | grep '^fanin_' | LC_ALL=C sort -u >"$work/declared"
if ! diff "$work/declared" "$work/exported" >"$work/diff"; then
    echo "declared (<) but not exported, or exported (>) but not declared:" >&2
    grep '^[<>]' "$work/diff" >&2
    status=1
fi

# A sanitizer's runtime and gcov take what they like.
if [ -z "${FANIN_SANITIZE-}" ]; then
    forbidden='exit|_exit|abort|__assert_fail|printf|puts|putchar|perror|__printf_chk|__fprintf_chk|setlocale|fesetround|fesetenv|signal|sigaction|srand|rand|stdout|stderr|stdin|system|chdir|umask'
    if nm -D --undefined-only "$library" | awk '{print $2}' | sed 's/@.*//' | grep -xE "$forbidden"; then
        echo "imported above: the library may not use it" >&2
        status=1
    fi
fi
exit $status
