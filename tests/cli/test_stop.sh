# SPDX-License-Identifier: Apache-2.0
# A signal stops training with a checkpoint; going on from it gives the same bytes as never stopping. A second
# signal ends at once.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

# Long enough that each signal comes in the middle, on any machine.
settings="--set train.epochs=80 --set net.dense1.units=300 --set train.watch=40"
stops="INT:2 TERM:12 HUP:25"
if [ -n "${FANIN_SANITIZE:-}" ]; then
    settings="--set train.epochs=15 --set net.dense1.units=100 --set train.watch=40"
    stops="INT:1 TERM:3 HUP:6"
fi
start() {
    # a background command of a script ignores SIGINT unless it is told not to
    env --default-signal=INT,TERM,HUP "$FANIN" train $settings -o stopped.safetensors "$@" >"$dir/out" 2>"$dir/err" &
    pid=$!
}

# Waits until training is under way: the n-th epoch has been told.
wait_for_epoch() {
    for _ in $(seq 600); do
        grep -q "^epoch *$1/" "$dir/out" && return
        kill -0 $pid 2>/dev/null || break
        sleep 0.05
    done
    fail "epoch $1 never came"
}

done_with "$FANIN" train --quiet $settings -o whole.safetensors
resume=
for stop in $stops; do
    signal=${stop%:*}
    start $resume
    wait_for_epoch ${stop#*:}
    kill -$signal $pid
    code=0
    wait $pid || code=$?
    [ "$code" = 5 ] || fail "SIG$signal: exit code $code, expected 5"
    [ "$(wc -l <"$dir/err")" = 1 ] || fail "SIG$signal: not one line on stderr"
    grep -qF -- "--resume stopped.checkpoint.safetensors" "$dir/err" || fail "SIG$signal: no command to go on"
    exists stopped.checkpoint.safetensors
    absent stopped.safetensors
    resume="--resume stopped.checkpoint.safetensors"
done

# The command of the message, as it stands, goes on to the end.
command=$(sed 's/.*go on with: fanin //' "$dir/err")
eval "done_with \"\$FANIN\" $command"
cmp whole.safetensors stopped.safetensors || fail "stopped and resumed: other bytes than without"
absent stopped.checkpoint.safetensors

# A checkpoint belongs to its run.
start
wait_for_epoch 1
kill -TERM $pid
wait $pid
rm -f stopped.safetensors
refused 3 "" "$FANIN" train $settings --seed 99 -o stopped.safetensors --resume stopped.checkpoint.safetensors
refused 3 "" "$FANIN" train $settings --set net.dense1.units=50 -o stopped.safetensors --resume stopped.checkpoint.safetensors

# What the caller ignores stays ignored (nohup).
(
    trap '' HUP
    exec "$FANIN" train --quiet --set train.epochs=10 -o nohup.safetensors
) >"$dir/out" 2>"$dir/err" &
pid=$!
sleep 0.1
kill -HUP $pid
wait $pid || fail "SIGHUP ended a run that ignores it"
exists nohup.safetensors
finish
