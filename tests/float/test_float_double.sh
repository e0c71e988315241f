#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The float kernels against the double build of the same sources, every op and loss at every case, on every tier:
# |float - double| <= 1e-5 + 1.3e-6 |double| (PyTorch's bounds for float32), sums of up to 50 terms included.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$FANIN_BUILD_DIR/tests/dump_ops_double" > "$dir/double"
for isa in portable avx2 avx512; do
    FANIN_ISA=$isa "$FANIN_BUILD_DIR/tests/dump_ops_float" > "$dir/float" 2> "$dir/error" || {
        grep -q "$isa" "$dir/error" && continue # this processor lacks the tier
        cat "$dir/error"
        exit 1
    }
    paste "$dir/double" "$dir/float" | awk -F '\t' -v isa="$isa" '
        /^#/ { if ($1 != $2) { print isa ": the dumps differ at " $0; exit 1 } name = $1; next }
        { d = $1 - $2; if (d < 0) d = -d; a = $1 < 0 ? -$1 : $1
          if ($2 == "nan" || $2 == "-nan" || !(d <= 1e-5 + 1.3e-6 * a)) {
              print isa ": " name ": float " $2 ", double " $1; bad = 1 }
          n++ }
        END { if (!bad) print isa ": " n " numbers agree"; exit bad || n < 10000 }'
done
