# SPDX-License-Identifier: Apache-2.0
# Dropout as an ensemble and folding, from the command line.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
make_tables

net='[{dense: 10}, batch_norm, relu, {dropout: 0.4}, dense]'
done_with "$FANIN" train --data flowers.csv --target kind $quick --set "net=$net" -o flowers.safetensors
done_with "$FANIN" train --data house.csv --target price $quick --set "net=$net" -o house.safetensors

# ---- predict --mc: columns, seed, threads, pipes
done_with "$FANIN" predict flowers.safetensors flowers.csv
cp "$dir/out" plain.csv
done_with "$FANIN" predict flowers.safetensors flowers.csv --mc 30
[ "$(head -n 1 "$dir/out")" = 'class,"p_lily, white",p_rose,p_tulip,entropy,mutual_information' ] || fail "columns"
[ "$(wc -l <"$dir/out")" = 201 ] || fail "a line for each sample"
awk -F, 'NR > 1 && !($NF > 0 && $(NF - 1) > $NF && $(NF - 1) < 1.0987) { exit 1 }' "$dir/out" ||
    fail "0 < information < entropy < ln 3"
cp "$dir/out" mc.csv
done_with "$FANIN" predict flowers.safetensors - --mc=30 --seed 0 --threads 3 <flowers.csv
cmp -s "$dir/out" mc.csv || fail "other threads, other bits"
done_with "$FANIN" predict flowers.safetensors flowers.csv --mc 30 --seed 1 -o other.csv
cmp -s other.csv mc.csv && fail "another seed, the same masks"
done_with "$FANIN" predict flowers.safetensors flowers.csv --mc all --json
is_json
says '"mutual_information":'
done_with "$FANIN" predict house.safetensors house.csv --mc 5
[ "$(head -n 1 "$dir/out")" = 'value,std' ] || fail "columns of a regression"

# ---- eval --inference
done_with "$FANIN" eval flowers.safetensors --data flowers.csv --quiet
scaling=$(sed 's/^test: //' "$dir/out")
done_with "$FANIN" eval flowers.safetensors --data flowers.csv --quiet --inference weight_scaling
[ "$(sed 's/^test: //' "$dir/out")" = "$scaling" ] || fail "weight scaling is the default"
# one softmax layer behind the noise: the geometric mean over all masks is weight scaling
done_with "$FANIN" eval flowers.safetensors --data flowers.csv --quiet --inference geometric --mc all
says 'members 1024'
[ "$(sed 's/^test, geometric: //; s/  members 1024//' "$dir/out")" = "$scaling" ] || fail "the geometric mean differs"
done_with "$FANIN" eval flowers.safetensors --data flowers.csv --mc 7 --json
is_json
says '"inference":"mc"'
says '"members":7'

# ---- what is refused
refused 2 "from 1 to 1000000, or all" "$FANIN" predict flowers.safetensors flowers.csv --mc 0
refused 2 "from 1 to 1000000, or all" "$FANIN" predict flowers.safetensors flowers.csv --mc al
refused 2 "--seed goes with --mc" "$FANIN" predict flowers.safetensors flowers.csv --seed 3
refused 2 "--seed goes with --mc" "$FANIN" eval flowers.safetensors --mc all --seed 3
refused 2 "one of weight_scaling|mc|geometric" "$FANIN" eval flowers.safetensors --inference mean --mc 3
refused 2 "say how many" "$FANIN" eval flowers.safetensors --inference geometric
refused 2 "weight scaling has none" "$FANIN" eval flowers.safetensors --inference weight_scaling --mc 3
refused 2 "unknown option --seed" "$FANIN" list --seed 1
refused 3 "no geometric mean" "$FANIN" eval house.safetensors --data house.csv --inference geometric --mc 3
done_with "$FANIN" train --data flowers.csv --target kind $quick --set 'net=[{dense: 17}, {dropout: 0.5}, dense]' -o wide.safetensors
refused 3 "17 droppable units, so 2^17" "$FANIN" predict wide.safetensors flowers.csv --mc all -o wide.csv

# ---- fold: predictions, and what else a model file is good for
done_with "$FANIN" fold flowers.safetensors -o folded.safetensors
says_like '^merged +batch_norm1 into dense1$'
says_like '^dropped +dropout1: '
done_with "$FANIN" predict folded.safetensors flowers.csv
paste -d, "$dir/out" plain.csv | awk -F'"?,"?' 'NR > 1 { for (i = NF / 2; i > NF / 2 - 3; i--) {
    d = $i - $(i + NF / 2); if (d > 1e-5 || d < -1e-5) exit 1 } }' || fail "a folded model predicts something else"
done_with "$FANIN" info folded.safetensors
says dense1.bias
says_not batch_norm
done_with "$FANIN" eval folded.safetensors --quiet
cp "$dir/out" expected
done_with "$FANIN" eval flowers.safetensors --quiet
cmp -s "$dir/out" expected || fail "a folded model is measured otherwise"
done_with "$FANIN" fold flowers.safetensors -o again.safetensors --json
is_json
says '"kind":"merged","node":"batch_norm1"'
done_with "$FANIN" fold flowers.safetensors -o quiet.safetensors --quiet
[ ! -s "$dir/out" ] || fail "--quiet is not"
cmp -s again.safetensors folded.safetensors || fail "the same model folds to other bytes"
done_with "$FANIN" train --data flowers.csv --target kind $quick --set 'net=[{dense: 9}, relu, batch_norm, tanh, dense]' -o stuck.safetensors
done_with "$FANIN" fold stuck.safetensors -o stuck2.safetensors
says_like '^left +batch_norm1: before it relu1 \(relu\) is not linear, behind it tanh1 \(tanh\) is not linear$'
# its recipe is that of the net that is left: policies go over, patterns that mean nothing any more go
cat >policy.yaml <<'END'
data: {train: flowers.csv, reader: {csv: {target: kind}}}
net:
  - repeat: {times: 2, net: [{dense: {units: 6, lr: 0.5}}, batch_norm, relu]}
  - dropout: 0.3
  - dense
params: [{match: "batch_norm*", lr: 0.5}, {match: "*.bias", decay: true}]
train: {epochs: 2}
END
done_with "$FANIN" train policy.yaml -o policy.safetensors
done_with "$FANIN" fold policy.safetensors -o policy2.safetensors
done_with "$FANIN" eval policy2.safetensors --data flowers.csv
python3 - policy2.safetensors >left.json 2>"$dir/err" <<'END' || fail "the folded model's recipe cannot be read"
import json, struct, sys
data = open(sys.argv[1], "rb").read()
size = struct.unpack("<Q", data[:8])[0]
print(json.loads(data[8:8 + size])["__metadata__"]["fanin.recipe"])
END
grep -q '"dense": {"units": 6, "bias": true, "lr": 0.5}' left.json || fail "a layer's policy was lost"
grep -q 'batch_norm' left.json && fail "a pattern that means nothing was kept"
done_with "$FANIN" info left.json
run 0 "$FANIN" train left.json --set train.from.file=policy2.safetensors -o again.safetensors

refused 3 "draws nothing" "$FANIN" predict folded.safetensors flowers.csv --mc 3
refused 2 "say where: -o FILE" "$FANIN" fold flowers.safetensors
refused 1 "cannot write" "$FANIN" fold flowers.safetensors -o no/such.safetensors
refused 3 "" "$FANIN" fold flowers.csv -o x.safetensors
finish
