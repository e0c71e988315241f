# SPDX-License-Identifier: Apache-2.0
# What the scripts of this folder share: an empty folder to work in, and expectations. A failed expectation says
# which, shows what came, and the script goes on; its exit code tells at the end.
set -u
export LC_ALL=C TMPDIR=${TMPDIR:-/tmp}
unset NO_COLOR
dir=$(mktemp -d "$TMPDIR/fanin-cli-XXXXXX")
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/work"
cd "$dir/work"
failures=0

fail() {
    echo "FAILED: $1"
    [ ! -s "$dir/out" ] || head -n 5 "$dir/out" | sed 's/^/  out: /'
    [ ! -s "$dir/err" ] || head -n 5 "$dir/err" | sed 's/^/  err: /'
    failures=$((failures + 1))
}

# run CODE COMMAND...: the exit code; output goes to $dir/out and $dir/err.
run() {
    local expected=$1 code=0
    shift
    "$@" >"$dir/out" 2>"$dir/err" || code=$?
    [ "$code" = "$expected" ] || fail "'$*': exit code $code, expected $expected"
}

# done_with COMMAND...: exit code 0, nothing on stderr.
done_with() {
    run 0 "$@"
    [ ! -s "$dir/err" ] || fail "'$*' wrote to stderr"
}

# refused CODE TEXT COMMAND...: the exit code, one line on stderr that begins with "fanin: " and contains TEXT,
# and no file made or changed.
refused() {
    local code=$1 text=$2 before after
    shift 2
    before=$(ls -la --time-style=full-iso)
    run "$code" "$@"
    after=$(ls -la --time-style=full-iso)
    [ "$(wc -l <"$dir/err")" = 1 ] || fail "'$*': $(wc -l <"$dir/err") lines on stderr"
    case $(cat "$dir/err") in
    "fanin: "*"$text"*) ;;
    *) fail "'$*' does not say '$text'" ;;
    esac
    [ "${before#*$'\n'}" = "${after#*$'\n'}" ] || ls_changed "$before" "$after" "$*"
}

# The folder's own time changes when a temporary file comes and goes; its content must not.
ls_changed() {
    [ "$(echo "$1" | grep -v ' \.\.\?$')" = "$(echo "$2" | grep -v ' \.\.\?$')" ] || fail "'$3' changed files"
}

# says TEXT / says_not TEXT: about the output of the command before.
says() { grep -qF -- "$1" "$dir/out" || fail "the output does not say '$1'"; }
says_not() { ! grep -qF -- "$1" "$dir/out" || fail "the output says '$1'"; }
says_like() { grep -qE -- "$1" "$dir/out" || fail "no line of the output is like '$1'"; }

# is_json: each line of the output is a JSON object.
is_json() {
    command -v python3 >/dev/null || return 0
    python3 -c 'import json, sys
for line in sys.stdin:
    assert type(json.loads(line)) is dict' <"$dir/out" 2>/dev/null || fail "the output is not JSON lines"
}

exists() { [ -s "$1" ] || fail "$1 was not written"; }
absent() { [ ! -e "$1" ] || fail "$1 was written"; }

finish() {
    [ "$failures" = 0 ] || echo "$failures failed"
    [ "$failures" = 0 ]
    exit
}

# A small table for classification (flowers.csv) and one for regression (house.csv); a short training.
make_tables() {
    awk 'BEGIN { srand(1); print "length,width,color,kind"
        for (i = 0; i < 200; i++) { k = i % 3
            printf "%.3f,%.3f,%s,%s\n", 2 * k + rand(), k + rand(), k ? "red" : "blue",
                k == 0 ? "rose" : k == 1 ? "\"lily, white\"" : "tulip" } }' >flowers.csv
    awk 'BEGIN { srand(2); print "size,rooms,price"
        for (i = 0; i < 200; i++) { s = 20 + 180 * rand(); r = 1 + i % 7
            printf "%.1f,%d,%.1f\n", s, r, 1000 * s + 5000 * r } }' >house.csv
}
quick="--set train.epochs=3"
