# SPDX-License-Identifier: Apache-2.0
# docs/reference is what the records say now: written again and compared.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

"$FANIN_SOURCE_DIR/tools/reference" "$FANIN" "$dir/work/reference" || fail "tools/reference"
diff -r "$FANIN_SOURCE_DIR/docs/reference" "$dir/work/reference" >"$dir/out" ||
    fail "docs/reference is not what the records say: run tools/reference and commit what it writes"

# A page for each kind, a heading for each record, and nothing that help does not say.
for kind in $("$FANIN" list --json | sed -n 's/.*"kind":"\([a-z]*\)".*/\1/p' | sort -u); do
    exists "reference/$kind.md"
    for name in $("$FANIN" list "$kind" --quiet); do
        grep -qx "## $name" "reference/$kind.md" || fail "$kind.md has no heading $name"
        done_with "$FANIN" help "$name"
        says "$(awk -v name="## $name" '$0 == name { getline; print; exit }' "reference/$kind.md")"
    done
done
done_with "$FANIN" help early_stop
says_like '^early_stop \(recipe\)'
refused 2 "no kind" "$FANIN" help --markdown ops
finish
