#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each public header compiles alone, first and twice, as C11 and as C++17, without a warning; the umbrella has them all.
set -eu
include=$FANIN_SOURCE_DIR/include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
compilers=("cc -std=c11 -x c" "c++ -std=c++17 -x c++")
command -v clang >/dev/null && compilers+=("clang -std=c11 -x c" "clang++ -std=c++17 -x c++")
for header in "$include"/fanin/*.h; do
    name=fanin/$(basename "$header")
    printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$name" "$name" >"$work/one"
    for compiler in "${compilers[@]}"; do
        $compiler -Wall -Wextra -Wshadow -pedantic -Werror -I"$include" -fsyntax-only "$work/one" || {
            echo "$name does not compile alone: $compiler" >&2
            status=1
        }
    done
    [ "$name" = fanin/fanin.h ] || grep -q "<$name>" "$include/fanin/fanin.h" || {
        echo "fanin.h does not include <$name>" >&2
        status=1
    }
done
exit $status
