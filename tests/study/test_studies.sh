# SPDX-License-Identifier: Apache-2.0
# The studies of studies/, tiny and on the embedded digits: each runs to its end, its exact claims hold, its page is drawn at two
# widths, and it gives the same figures for one job and for two.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
. "$FANIN_SOURCE_DIR/tests/cli/browser.sh" || exit 1

# under sanitizers, which are slow, a sample
studies=("$FANIN_SOURCE_DIR"/studies/*.yaml)
[ -z "${FANIN_SANITIZE:-}" ] || studies=("$FANIN_SOURCE_DIR"/studies/{constant-start,dropout-price}.yaml)
for file in "${studies[@]}"; do
    name=$(basename "$file" .yaml)
    code=0
    # with so few steps a claim on accuracy may fail, which is exit code 12
    "$FANIN" study "$file" --variant tiny --json --csv "$name.csv" --markdown . >"$name.json" 2>"$dir/err" || code=$?
    [ $code = 0 ] || [ $code = 12 ] || fail "$name: exit code $code: $(cat "$dir/err")"
    exists "$name.html"
    exists "$name.md"
    grep -q "not the full study" "$name.html" || fail "$name: the page does not say that it is tiny"
    if grep '"event":"claim"' "$name.json" | grep '"test":"exact"' | grep -q '"verdict":"does not hold"'; then
        fail "$name: $(grep '"test":"exact"' "$name.json" | grep '"verdict":"does not hold"' | head -n 3)"
    fi
    for key in title about source deviations; do grep -q "^$key:" "$file" || fail "$name has no $key"; done
    grep -q "quick:" "$file" && grep -q "embedded:" "$file" || fail "$name has no variant quick or embedded"
done

# one that is quick, by one job
"$FANIN" study "$FANIN_SOURCE_DIR/studies/constant-start.yaml" --variant tiny --jobs 1 --dir "$dir" --quiet --csv one.csv >/dev/null
cmp -s one.csv constant-start.csv || fail "one job gives other figures than several"

need_browser
for page in *.html; do
    look "$page" 1280
    look "$page" 390
done
finish
