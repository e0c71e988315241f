# SPDX-License-Identifier: Apache-2.0
# What is written where: text and JSON, pipes and terminals, files that cannot be written, a full disk.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
make_tables

# ---- training, as text in a pipe: plain lines
done_with "$FANIN" train $quick --set net.dense1.units=256
says_like '^epoch 3/3  loss [0-9.]+'
says_like '^dense1\.weight +kaiming_normal .*relu follows$'
says_like '^test: .*accuracy [0-9.]+ %'
says 'fanin predict model.safetensors FILE'
exists model.safetensors
absent model.checkpoint.safetensors
grep -q "$(printf '\r\|\033')" "$dir/out" && fail "control characters in a pipe"

# ---- on a terminal: a bar; colours unless NO_COLOR; neither on a dumb one
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    on_terminal() { script -qec "$*" /dev/null </dev/null >"$dir/out" 2>"$dir/err"; }
    # a step is reported at most ten times a second, so the run must be long enough for one
    long="$FANIN train --set train.epochs=$([ -n "${FANIN_SANITIZE:-}" ] && echo 3 || echo 30) -o tty.safetensors"
    TERM=xterm on_terminal "$long"
    grep -q "$(printf '\r\033\\[K')epoch .*\[.*\].* left" "$dir/out" || fail "no progress bar on a terminal"
    grep -q "$(printf '\033\\[1m')" "$dir/out" || fail "no colours on a terminal"
    TERM=xterm NO_COLOR=1 on_terminal "$long"
    grep -q "$(printf '\033\\[1m')" "$dir/out" && fail "colours in spite of NO_COLOR"
    TERM=dumb on_terminal "$long"
    grep -q "$(printf '\033')" "$dir/out" && fail "control characters on a dumb terminal"
else
    echo "terminal: skipped, no script command or no pseudo-terminals"
fi

# ---- JSON
done_with "$FANIN" train $quick --set net.dense1.units=256 --json
is_json
for event in start param epoch end eval model; do says "\"event\":\"$event\""; done
done_with "$FANIN" eval model.safetensors --json
is_json
says '"confusion":[['
done_with "$FANIN" eval model.safetensors
says 'confusion (row: true class, column: predicted)'
done_with "$FANIN" eval model.safetensors --quiet
says_not confusion
done_with "$FANIN" info model.safetensors
says_like '^dense1 +dense +256 +16,640 +33,024'
says_like '^dense1\.weight +256x64 +kaiming_normal +64 +256 +1\.4142 +0\.17678 +weight_decay 0\.01 +relu follows$'
done_with "$FANIN" info model.safetensors --json
is_json
cp model.safetensors other.name
done_with "$FANIN" info other.name
says_like '^dense1 +dense +256 '
rm other.name

# ---- tables: the two tasks
done_with "$FANIN" train --data flowers.csv --target kind $quick -o flowers.safetensors
says 'classification'
done_with "$FANIN" train --data house.csv --target price $quick -o house.safetensors
says 'regression'
done_with "$FANIN" predict flowers.safetensors flowers.csv
[ "$(head -n 1 "$dir/out")" = 'class,"p_lily, white",p_rose,p_tulip' ] || fail "header of predictions"
[ "$(wc -l <"$dir/out")" = 201 ] || fail "a line for each sample"
cp "$dir/out" expected.csv
done_with "$FANIN" predict flowers.safetensors flowers.csv -o out.csv
[ ! -s "$dir/out" ] || fail "predict -o wrote to stdout"
cmp -s out.csv expected.csv || fail "predict -o wrote something else"
done_with "$FANIN" predict flowers.safetensors - <flowers.csv
cmp -s "$dir/out" expected.csv || fail "predict from standard input"
cut -d, -f1-3 flowers.csv >inputs.csv
done_with "$FANIN" predict flowers.safetensors inputs.csv
cmp -s "$dir/out" expected.csv || fail "predict without the target column"
done_with "$FANIN" predict flowers.safetensors flowers.csv --json
is_json
says '"p_lily, white":'
done_with "$FANIN" predict house.safetensors house.csv
[ "$(head -n 1 "$dir/out")" = 'value' ] || fail "header of values"
done_with "$FANIN" eval house.safetensors --data house.csv
says_like 'rmse [0-9.]+'
# fewer rows than the default recipe's batch; nothing held out: what is said next can be done
head -n 21 house.csv >few.csv
done_with "$FANIN" train --data few.csv --target price $quick -o few.safetensors
says_like '  batch 14 '
done_with "$FANIN" train --data few.csv --target price $quick -o few.safetensors \
    --set data.validation_fraction=0 --set data.test_fraction=0 --set train.early_stop=
says 'fanin eval few.safetensors --data FILE'
refused 3 "train.batch 15 is more than the 14" "$FANIN" train --data few.csv --target price --set train.batch=15
done_with "$FANIN" info flowers.csv
says_like '^length +[0-9.]+ +[0-9.]+'
says 'rose (67)'

# ---- outputs that cannot be: told before training
for out in no/such/folder.safetensors /dev/full . ''; do
    refused 1 "cannot write" "$FANIN" train -o "${out:-/dev/null}"
done
refused 1 "cannot write" "$FANIN" predict flowers.safetensors flowers.csv -o no/such.csv
refused 2 "one file" "$FANIN" train --resume flowers.safetensors -o flowers.safetensors
if [ "$(id -u)" != 0 ]; then
    mkdir locked && chmod 500 locked
    refused 1 "denied" "$FANIN" train -o locked/model.safetensors
fi

# ---- standard output that is full or closed
run 1 sh -c '"$FANIN" list >/dev/full'
grep -q 'fanin: cannot write to standard output' "$dir/err" || fail "nothing said of a full output"
run 1 sh -c '"$FANIN" predict flowers.safetensors flowers.csv >/dev/full'
run 1 sh -c '"$FANIN" info flowers.csv >/dev/full'
run 1 sh -c '"$FANIN" train --set train.epochs=2 -o full.safetensors >/dev/full'
exists full.safetensors
run 0 bash -c '"$FANIN" list | head -n 1'
[ ! -s "$dir/err" ] || fail "a closed pipe was complained about"
# training outlives its reader
rm -f piped.safetensors
bash -c 'set -o pipefail; "$FANIN" train --set train.epochs=5 -o piped.safetensors | head -n 1' >"$dir/out" 2>"$dir/err" ||
    fail "training into a closed pipe failed"
[ ! -s "$dir/err" ] || fail "a closed pipe was complained about"
exists piped.safetensors

# ---- a disk that fills up: the old file stays, no temporary file is left
full_disk() {
    unshare -rm bash -c '
        mkdir -p full && mount -t tmpfs -o size=300k none full || exit 77
        echo old >full/model.safetensors
        "$FANIN" train --set train.epochs=2 --quiet -o full/model.safetensors
        code=$?
        [ "$(cat full/model.safetensors)" = old ] || echo "the old file is gone" >&2
        [ "$(ls full)" = model.safetensors ] || { echo "left behind:" $(ls full) >&2; }
        exit $code' >"$dir/out" 2>"$dir/err"
}
code=0
full_disk || code=$?
if [ "$code" = 77 ] || grep -q unshare "$dir/err"; then
    echo "full disk: skipped, no user namespaces"
else
    [ "$code" = 1 ] || fail "full disk: exit code $code"
    [ "$(wc -l <"$dir/err")" = 1 ] || fail "full disk: not one line"
    grep -q 'No space left' "$dir/err" || fail "full disk: the reason is missing"
fi
finish
