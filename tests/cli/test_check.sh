# SPDX-License-Identifier: Apache-2.0
# fanin check: the exit code is the verdict; text, one word, JSON lines; recipes and models; bad values.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
make_tables

recipe() { printf '%s\n' "$@" >recipe.yaml; }

# ---- what is told
done_with "$FANIN" check
says 'samples'
says 'verdict: trainable'
says_like '^dense1 +512 '
says_like '^dense1\.weight +[0-9.]+ '
says_like '^loss [0-9.]+ '
done_with "$FANIN" check --quiet
[ "$(cat "$dir/out")" = "trainable" ] || fail "--quiet says more or less than the verdict"
done_with "$FANIN" check --json --sharpness
is_json
says '"event":"layer"'
says '"event":"parameter"'
says '"event":"verdict"'
says_like '"sharpness":[0-9]'
[ "$(grep -c '"event":"verdict"' "$dir/out")" = 1 ] || fail "--json: not one verdict"
done_with "$FANIN" check --json --seeds 1 --batch 32
says '"samples":32'
says '"starts":1'

# The same recipe, the same figures, whatever the threads (but for the time of a step).
"$FANIN" check --json | sed 's/"seconds":[^,}]*//' >one
FANIN_THREADS=2 "$FANIN" check --json | sed 's/"seconds":[^,}]*//' >two
cmp -s one two || fail "figures differ between threads"

# Starts after the first are those of the seeds that follow, whatever was looked at before: a net with statistics and
# noise, on a batch of all samples.
awk 'BEGIN { OFS = ","; print "a,b,kind"; for (i = 0; i < 40; i++) print i * 7 % 11, i * 3 % 5, (i * 5 % 13 > 6) ? "x" : "y" }' >small.csv
recipe 'data: {csv: {target: kind}, train: small.csv}' 'train: {batch: 40, seed: 4}' \
    'net: [{dense: {units: 16, bias: false}}, batch_norm, relu, {dense: 16}, tanh, {dense: outputs}]'
loss() { "$FANIN" check recipe.yaml --batch 40 --json "$@" | sed -n 's/.*"loss":\([0-9.e+-]*\).*/\1/p'; }
printf '%s %s %s\n' "$(loss --seeds 2)" "$(loss --seeds 1)" "$(loss --seeds 1 --set train.seed=5)" >losses
awk '{ d = $1 - ($2 + $3) / 2; if (NF != 3 || $2 == $3 || d > 1e-7 || d < -1e-7) exit 1 }' losses ||
    fail "two starts are not those of two seeds: $(cat losses)"

# ---- exit codes
recipe 'data: digits' 'init: {constant: 0.01}' 'net: [{dense: 16}, tanh, {dense: 10}]'
run 11 "$FANIN" check recipe.yaml
says 'verdict: will not train'
says 'dense1'
says 'No gradient is predicted below equal weights'
! grep -qE '^(dense|tanh).*!' "$dir/out" || fail "a start whose gradients cancel is outside the band"
[ ! -s "$dir/err" ] || fail "a verdict is no error"
run 11 "$FANIN" check recipe.yaml --quiet
[ "$(cat "$dir/out")" = "will not train" ] || fail "--quiet: not the verdict"
run 11 "$FANIN" check recipe.yaml --json
is_json
says '"event":"finding"'
says '"severity":"will not train"'
done_with "$FANIN" check recipe.yaml --set init=xavier_normal
run 11 "$FANIN" check --set 'init={constant: 0.01}' --set net.dropout1.rate=0 --set net.dropout2.rate=0

# ---- other data
done_with "$FANIN" train --data flowers.csv --target kind --set train.epochs=60 -o flowers.safetensors --quiet
run 0 "$FANIN" check flowers.safetensors --quiet
says 'trainable'
run 0 "$FANIN" check flowers.safetensors --json
is_json
says '"starts":1'
recipe 'data: {csv: {target: price}, train: house.csv}' 'loss: mse' 'net: [{dense: 16}, relu, {dense: 1}]'
run 0 "$FANIN" check recipe.yaml --json
is_json

# A model whose net a program built has no recipe and so no data to look at.
example=$FANIN_BUILD_DIR/examples/example_01_mnist
if [ -x "$example" ] && [ -z "${FANIN_SANITIZE:-}" ]; then
    done_with "$example"
    refused 3 "holds no recipe" "$FANIN" check digits.safetensors
fi

# ---- bad values
refused 3 "No such file" "$FANIN" check missing.yaml
refused 3 "No such file" "$FANIN" check missing.safetensors
refused 2 "--batch" "$FANIN" check --batch 1
refused 2 "--batch" "$FANIN" check --batch 257
refused 2 "--batch" "$FANIN" check --batch many
refused 2 "--seeds" "$FANIN" check --seeds 0
refused 2 "--sharp" "$FANIN" check --sharp=3
refused 2 "one operand too many" "$FANIN" check recipe.yaml another.yaml
recipe 'data: digits' 'net: [{dense: 16}, relu, {dense: 9}]'
refused 3 "10 classes" "$FANIN" check recipe.yaml
recipe 'data: digits' 'net: [{dens: 16}, relu, {dense: 10}]'
refused 3 "did you mean 'dense'?" "$FANIN" check recipe.yaml
recipe 'data: {csv: {target: price}, train: none.csv}' 'net: [{dense: 3}]'
refused 3 "none.csv" "$FANIN" check recipe.yaml
finish
