# SPDX-License-Identifier: Apache-2.0
# What the scripts of this folder share: an empty folder $dir, and runs of a Python program with its expected exit code.
set -u
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
fail() { echo "$*"; exit 1; }

# run CODE COMMAND...: its exit code; the output goes to $dir/said
run() {
    local expected=$1
    shift
    python3 -B "$@" >"$dir/said" 2>&1
    local code=$?
    [ $code = "$expected" ] || fail "exit code $code instead of $expected from $*: $(cat "$dir/said")"
}
# refused WORDS COMMAND...: one line with these words
refused() {
    local words=$1
    shift
    run 1 "$@"
    [ "$(wc -l <"$dir/said")" = 1 ] && grep -qF -- "$words" "$dir/said" || fail "not one line with '$words': $(cat "$dir/said")"
}
