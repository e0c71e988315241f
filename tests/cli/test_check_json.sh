# SPDX-License-Identifier: Apache-2.0
# docs/check-json.md and what fanin check --json writes have the same keys.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
printf '%s\n' 'data: digits' 'init: {constant: 0.01}' 'net: [{dense: 16}, tanh, {dense: 10}]' >tied.yaml
{ "$FANIN" check --json; "$FANIN" check --json tied.yaml; } >lines
run 0 python3 - "$FANIN_SOURCE_DIR/docs/check-json.md" lines <<'END'
import json, re, sys
told, event = {}, None
for line in open(sys.argv[1]):
    if line.startswith("## "): event = line[3:].strip(); told[event] = {"event"}
    elif event and line.startswith("| `"): told[event] |= set(re.findall(r"`(\w+)`", line.split("|")[1]))
seen = {}
for line in open(sys.argv[2]):
    o = json.loads(line, parse_constant=lambda c: sys.exit("not JSON: " + c))
    strange = o.pop("not_finite", {})
    assert all(o[k] is None for k in strange), strange
    keys = seen.setdefault(o["event"], set(o))
    assert keys == set(o), ("keys differ between lines", keys ^ set(o))
    if o["event"] == "layer":
        for kind in "values", "gradients": assert len(o[kind + "_counts"]) == 40
        for kind in "tied", "dead": assert len(o[kind + "_first"]) == min(4, o[kind])
for event in told.keys() | seen.keys():
    assert told.get(event) == seen.get(event), (event, "told or written only:", told.get(event, set()) ^ seen.get(event, set()))
END
finish
