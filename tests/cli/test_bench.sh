# SPDX-License-Identifier: Apache-2.0
# fanin bench and fanin train --profile: the tables and their JSON, of the default recipe, a recipe and a model;
# mistakes; ^C. Nothing here asserts a speed.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

narrow() { awk 'length > 100 { exit 1 }' "$dir/out" || fail "a line is longer than 100 columns"; }
small="--set net.dense1.units=16 --set net.dense2.units=8"

done_with "$FANIN" bench --seconds .01 $small
narrow
says_like '^machine  (portable|avx2|avx512), [0-9]+ threads?; fanin '
says_like '^peak     [0-9.]+ GFLOP/s on 1 thread$'
for level in L1 L2 L3 memory; do says_like "^$level +[0-9]+ kB +1 +[0-9.]+ +[0-9.]+\$"; done
for product in y dx dw; do says_like "^$product +128 +1024 +1024 +[0-9.]+ +[0-9]+ %\$"; done
says_like '^profile  [0-9]+ steps of batch 64 on '
says_like '^dense1 .* forward +[0-9.]+ +[0-9.]+ %'
for pass in forward backward weights; do says_like "^dense2 .* $pass "; done
says "an epoch is 23 steps"
says "memory   parameters"
grep -q "$(printf '\r')" "$dir/out" && fail "progress in a pipe"
absent model.safetensors

done_with "$FANIN" bench --seconds .01 --threads 2 --json $small
is_json
for event in peak memory product profile profile_node profile_part; do says "\"event\":\"$event\""; done
for key in gflops of_peak budget of_budget step_flops peak_gflops copy_gbytes parameter_bytes state_bytes \
    activation_bytes samples_per_second epoch_seconds read_gbytes; do says "\"$key\":"; done
says '"level":"memory","threads":1'
says '"level":"memory","threads":2'
says '"product":"dw","batch":64,"outputs":64,"inputs":64'

# A recipe, and a model that was trained from it; what does not fit is refused before anything is measured.
make_tables
done_with "$FANIN" train --data flowers.csv --target kind $quick --quiet -o flowers.safetensors
done_with "$FANIN" bench flowers.safetensors --seconds 0
says 'profile  '
printf 'data: {train: flowers.csv, csv: {target: kind}}\nnet: [dense: 4, tanh, dense: outputs]\ntrain: {batch: 16}\n' >own.yaml
done_with "$FANIN" bench own.yaml --seconds .01 --set net.dense1.units=7
says_like '^dense1 tanh1 +forward '
says 'steps of batch 16'
done_with "$FANIN" bench own.yaml --seconds .01 --step
[ "$(head -c 9 "$dir/out")" = "profile  " ] || fail "--step measures more than the steps"
says_like '^dense2 .* weights '
refused 3 "none.yaml" "$FANIN" bench none.yaml --seconds .01
refused 3 "did you mean" "$FANIN" bench own.yaml --set net.dens1.units=7
refused 2 "one operand too many" "$FANIN" bench own.yaml own.yaml
for value in -1 4000 x '' nan inf 0x1 1e; do
    refused 2 "--seconds takes a number from 0 to 3600, not '$value'" "$FANIN" bench "--seconds=$value"
done

# ^C: what was measured stands, and nothing is left behind.
# interrupted LINE COMMAND...: ended by SIGINT once a line of its output begins with LINE.
interrupted() {
    local line=$1 code=0
    shift
    env --default-signal=INT "$@" >"$dir/out" 2>"$dir/err" &
    for _ in $(seq 200); do
        grep -q "^$line" "$dir/out" && break
        sleep .05
    done
    sleep .2
    kill -INT $!
    wait $! || code=$?
    [ "$code" = 5 ] || fail "SIGINT: exit code $code, expected 5"
}
interrupted machine "$FANIN" bench --seconds 600
says_like '^machine '
[ "$(cat "$dir/err")" = "fanin: stopped: what was measured so far stands above" ] || fail "SIGINT: not said"

interrupted 'epoch  *1/' "$FANIN" train --profile --set train.epochs=100000 -o stopped.safetensors
says_like '^profile  [0-9]+ steps of batch 64 on '
says_like '^dense1 .* weights '

# A training: the same bytes with and without.
done_with "$FANIN" train $quick --profile -o with.safetensors
sed -i '/^profile/,/^rest of run/!d' "$dir/out"
narrow
says_like '^profile  69 steps of batch 64 on '
says_like '^node +pass +us/step +share +GFLOP/s +peak +GB/s +copy +budget$'
done_with "$FANIN" train $quick -o without.safetensors
says_not 'profile'
cmp with.safetensors without.safetensors || fail "--profile changed the model"
done_with "$FANIN" train $quick --profile --json -o with.safetensors
is_json
says '"event":"profile_node"'
says '"pass":"weights"'
done_with "$FANIN" train $quick --profile --quiet -o with.safetensors
says_like '^profile  69 steps'
finish
