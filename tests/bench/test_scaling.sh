# SPDX-License-Identifier: Apache-2.0
# bench/scaling: the formulas of operations, bytes and memory give what fanin bench tells; docs/performance.md and its plots are
# what docs/performance/scaling.json renders to. Nothing is timed.
set -u
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
scaling=$FANIN_SOURCE_DIR/bench/scaling
results=$FANIN_SOURCE_DIR/docs/performance/scaling.json
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
fail() { echo "$*"; exit 1; }

# run CODE ARGUMENTS...: its exit code; the output goes to $dir/said
run() {
    local expected=$1
    shift
    python3 -B "$scaling" "$@" >"$dir/said" 2>&1
    local code=$?
    [ $code = "$expected" ] || fail "exit code $code instead of $expected from bench/scaling $*: $(cat "$dir/said")"
}
# refused WORDS ARGUMENTS...: one line with these words
refused() {
    local words=$1
    shift
    run 1 "$@"
    [ "$(wc -l <"$dir/said")" = 1 ] && grep -qF -- "$words" "$dir/said" || fail "not one line with '$words': $(cat "$dir/said")"
}

run 0 --prove --fanin "$FANIN"
run 0 --check

# A tree of its own: written anew, the same again; other figures give another page.
mkdir "$dir/docs"
cp "$FANIN_SOURCE_DIR/docs/performance.md" "$dir/docs"
run 1 --check --root "$dir"
grep -qF "docs/performance/steps.svg, docs/performance/memory.svg" "$dir/said" || fail "plots are missed: $(cat "$dir/said")"
run 0 --render --root "$dir"
cmp "$dir/docs/performance.md" "$FANIN_SOURCE_DIR/docs/performance.md" || exit 1
sed 's/"fastest_seconds": [0-9.e-]*/"fastest_seconds": 0.5/' "$results" >"$dir/other.json"
refused "docs/performance.md, docs/performance/steps.svg" --check --out "$dir/other.json"
for plot in "$dir"/docs/performance/*.svg; do
    python3 -c 'import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])' "$plot" || fail "$plot is no XML"
done
sed -i '/<!-- zeros -->/d' "$dir/docs/performance.md"
refused "performance.md has no <!-- zeros -->" --render --root "$dir"
refused "$dir/none.json is not there" --render --out "$dir/none.json"
refused "--fanin $dir/none: no command that tells its version" --fanin "$dir/none" --out "$dir/new.json"
refused "both must be above 0" --rounds 0
[ ! -e "$dir/new.json" ] || fail "results of no run"
