# SPDX-License-Identifier: Apache-2.0
# bench/scaling: the formulas of operations, bytes and memory give what fanin bench tells; docs/performance.md and its plots are
# what docs/performance/scaling.json renders to. Nothing is timed.
. "$FANIN_SOURCE_DIR/tests/bench/lib.sh"
scaling=$FANIN_SOURCE_DIR/bench/scaling
results=$FANIN_SOURCE_DIR/docs/performance/scaling.json

run 0 "$scaling" --prove --fanin "$FANIN"
run 0 "$scaling" --check

# A tree of its own: written anew, the same again; other figures give another page.
mkdir "$dir/docs"
cp "$FANIN_SOURCE_DIR/docs/performance.md" "$dir/docs"
run 1 "$scaling" --check --root "$dir"
grep -qF "docs/performance/steps.svg, docs/performance/memory.svg" "$dir/said" || fail "plots are missed: $(cat "$dir/said")"
run 0 "$scaling" --render --root "$dir"
cmp "$dir/docs/performance.md" "$FANIN_SOURCE_DIR/docs/performance.md" || exit 1
sed 's/"fastest_seconds": [0-9.e-]*/"fastest_seconds": 0.5/' "$results" >"$dir/other.json"
refused "docs/performance.md, docs/performance/steps.svg" "$scaling" --check --out "$dir/other.json"
for plot in "$dir"/docs/performance/*.svg; do
    python3 -c 'import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])' "$plot" || fail "$plot is no XML"
done
sed -i '/<!-- zeros -->/d' "$dir/docs/performance.md"
refused "performance.md has no <!-- zeros -->" "$scaling" --render --root "$dir"
refused "$dir/none.json is not there" "$scaling" --render --out "$dir/none.json"
refused "--fanin $dir/none: no command that tells its version" "$scaling" --fanin "$dir/none" --out "$dir/new.json"
refused "both must be above 0" "$scaling" --rounds 0
[ ! -e "$dir/new.json" ] || fail "results of no run"
