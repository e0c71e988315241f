# SPDX-License-Identifier: Apache-2.0
# The verdict holds: of the 60 recipes of tests/check/verdicts.txt at least 55 turn out as said, and `at
# risk` is said of at most 8. All are checked again; every twelfth is trained again, to the same bits.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

n=0 right=0 risk=0 drawn=0
while read -r verdict accuracy recipe; do
    [ "$verdict" = '#' ] && continue
    n=$((n + 1))
    hit=$(awk -v v="$verdict" -v a="$accuracy" 'BEGIN {
        print v == 10 || (v == 0 && a >= 0.85) || (v == 11 && a <= 0.4) ? 1 : 0 }')
    right=$((right + hit))
    [ "$verdict" != 10 ] || risk=$((risk + 1))
    [ "$n" -le 40 ] || drawn=$((drawn + hit))
    [ -z "${FANIN_SANITIZE:-}" ] || [ $((n % 12)) = 1 ] || continue
    printf '%s\n' "$recipe" >recipe.yaml
    run "$verdict" "$FANIN" check recipe.yaml --quiet --seeds 1
    [ $((n % 12)) = 1 ] && [ -z "${FANIN_SANITIZE:-}" ] || continue
    "$FANIN" train recipe.yaml --json --quiet -o model.safetensors >lines 2>"$dir/err"
    again=$(sed -n 's/.*"part":"test".*"accuracy":\([0-9.e-]*\).*/\1/p' lines)
    awk -v a="$accuracy" -v b="${again:-0}" 'BEGIN { exit a != b }' ||
        fail "recipe $n: trained to ${again:-nothing}, not to $accuracy"
done <"$FANIN_SOURCE_DIR/tests/check/verdicts.txt"
[ "$n" = 60 ] || fail "$n recipes, not 60"
[ "$right" -ge 55 ] || fail "$right of 60 verdicts hold"
[ "$risk" -le 8 ] || fail "at risk is said of $risk"
echo "$right of $n verdicts hold, $drawn of the 20 that were drawn; at risk: $risk"
finish
