# SPDX-License-Identifier: Apache-2.0
# Bad recipes, data and models: one clear line, exit code 3, nothing written.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
make_tables

recipe() { printf '%s\n' "$@" >recipe.yaml; }
net='net: [{dense: 16}, relu, {dense: 10}]'

# ---- recipes
refused 3 "No such file" "$FANIN" train missing.yaml
recipe 'data: digits' "$net" 'trian: {epochs: 2}'
refused 3 "recipe.yaml:3: unknown key 'trian'" "$FANIN" train recipe.yaml
refused 3 "did you mean 'train'?" "$FANIN" train recipe.yaml
recipe 'data: digits' 'net:' '  - dens: 3'
refused 3 "recipe.yaml:3: unknown layer 'dens'; did you mean 'dense'?" "$FANIN" train recipe.yaml
recipe 'data: digits' "$net" 'train:' '  epochs: many'
refused 3 "recipe.yaml:4:" "$FANIN" train recipe.yaml
recipe 'data: digits' 'net: [{dense: 16}, relu, {dense: 9}]'
refused 3 "10 classes" "$FANIN" train recipe.yaml
recipe 'data: digits' 'net: [{dense: 5}, relu, {name: a, dense: 10}, {from: [relu1, a], add: {}}]'
refused 3 "(5)" "$FANIN" train recipe.yaml
refused 3 "(10)" "$FANIN" train recipe.yaml
recipe 'data: digits' 'net: [{dense: 5}' 'x'
refused 3 "recipe.yaml" "$FANIN" train recipe.yaml
: >recipe.yaml
refused 3 "recipe.yaml" "$FANIN" train recipe.yaml
refused 3 "'dense9'" "$FANIN" train --set net.dense9.units=3
refused 3 "train.epochs" "$FANIN" train --set train.epochs=x
refused 3 "train.batch 5000 is more than" "$FANIN" train --set train.batch=5000
refused 3 "allow_symmetric" "$FANIN" train --set 'init={constant: 0.01}' --set net.dropout1.rate=0 --set net.dropout2.rate=0

# All mistakes at once: info tells each, train the first twenty, --json gives them as objects.
recipe 'data: digits' 'net: [{dens: 16}, relu, {dense: 10}]' 'trian: 3' 'optim: {sgd: {lr: -1}}'
run 3 "$FANIN" info recipe.yaml
[ "$(wc -l <"$dir/err")" = 3 ] || fail "info: not one line for each of three mistakes"
[ "$(head -n 1 "$dir/err")" = "fanin: recipe.yaml:2: unknown layer 'dens'; did you mean 'dense'?" ] || fail "first mistake"
[ "$(sed -n 2p "$dir/err")" = "fanin: recipe.yaml:3: unknown key 'trian' in the recipe; did you mean 'train'?" ] || fail "second"
run 3 "$FANIN" info recipe.yaml --json
is_json
says '{"event":"mistake","file":"recipe.yaml","key":"net.0","message":"unknown layer '
says '"key":"trian"'
says '"line":4}'
{ echo 'net:'; for i in $(seq 30); do echo "  - dens$i"; done; } >recipe.yaml
run 3 "$FANIN" train recipe.yaml
[ "$(wc -l <"$dir/err")" = 21 ] || fail "train: not twenty mistakes and one line more"
grep -q 'and 10 mistakes more; fanin info' "$dir/err" || fail "train: no word of the other mistakes"
run 3 "$FANIN" info recipe.yaml
[ "$(wc -l <"$dir/err")" = 30 ] || fail "info: not all thirty mistakes"

# ---- tables
table() { printf "$1" >table.csv; }
refused 3 "No such file" "$FANIN" train --data missing.csv --target c
table 'a,b,c\n1,2,x\n3,4\n'
refused 3 "table.csv:3: " "$FANIN" train --data table.csv --target c
table 'a,b,c\n1,2,x\n3,nan,y\n'
refused 3 "table.csv:3: column 'b'" "$FANIN" train --data table.csv --target c
table 'a,b,c\n1,2,x\n3,1e999,y\n'
refused 3 "table.csv:3: " "$FANIN" train --data table.csv --target c
table 'a,b,c\n1,2,"x\n3,4,y\n'
refused 3 "table.csv" "$FANIN" train --data table.csv --target c
table 'a,b,c\n'
refused 3 "no data" "$FANIN" train --data table.csv --target c
table ''
refused 3 "empty" "$FANIN" train --data table.csv --target c
refused 3 "price" "$FANIN" train --data flowers.csv --target price
refused 3 "directory" "$FANIN" train --data "$dir/work" --target c

# ---- IDX: magic, a size that overflows, a file that is shorter or longer than it says, labels out of range
refused_idx() {
    local text=$1
    shift
    refused 3 "$text" "$FANIN" train --data images.idx --set data.train_labels=labels.idx "$@"
}
images() { printf '\0\0\10\3\0\0\0\4\0\0\0\2\0\0\0\2abcdefghijklmnop' >images.idx; }
labels() { printf '\0\0\10\1\0\0\0\4\0\1\2\1' >labels.idx; }
labels
printf '\1\0\10\3\0\0\0\4\0\0\0\2\0\0\0\2abcdefghijklmnop' >images.idx
refused_idx "images.idx"
images; truncate -s 31 images.idx
refused_idx "images.idx"
images; printf x >>images.idx
refused_idx "images.idx"
printf '\0\0\10\3\377\377\377\377\377\377\377\377\377\377\377\377abcdefghijklmnop' >images.idx
refused_idx "images.idx"
images; printf '\0\0\10\1\0\0\0\3\0\1\2' >labels.idx
refused_idx "labels.idx"
images; gzip -k images.idx; truncate -s 30 images.idx.gz
refused 3 "images.idx.gz" "$FANIN" train --data images.idx.gz --set data.train_labels=labels.idx
recipe 'data: {train: images.idx, train_labels: labels.idx, validation_fraction: 0}' \
    'net: [{dense: 4}, relu, {dense: 2}]' 'train: {epochs: 1, batch: 1}'
images; labels
refused 3 "recipe.yaml:2: dense2 gives 2 numbers a sample, but the data have 3 classes" "$FANIN" train recipe.yaml

# ---- models
done_with "$FANIN" train --quiet --data flowers.csv --target kind $quick
exists model.safetensors
absent model.checkpoint.safetensors
refused 3 "No such file" "$FANIN" eval missing.safetensors
refused 3 "flowers.csv: not a sound safetensors file" "$FANIN" eval flowers.csv
cp model.safetensors cut.safetensors
truncate -s -1 cut.safetensors
refused 3 "beyond the end" "$FANIN" eval cut.safetensors
refused 3 "beyond the end" "$FANIN" info cut.safetensors
refused 3 "beyond the end" "$FANIN" predict cut.safetensors flowers.csv
cp model.safetensors flip.safetensors
printf '\125' | dd of=flip.safetensors bs=1 seek=$(($(stat -c %s flip.safetensors) - 6)) conv=notrunc 2>/dev/null
refused 3 "damaged" "$FANIN" eval flip.safetensors
for length in '\0\0\0\0\0\0\0\0' '\377\377\377\377\377\377\377\377' '\1\341\365\5\0\0\0\0'; do
    cp model.safetensors lie.safetensors
    printf "$length" | dd of=lie.safetensors bs=1 conv=notrunc 2>/dev/null
    refused 3 "header" "$FANIN" info lie.safetensors
done
refused 3 "has no column" "$FANIN" predict model.safetensors house.csv
refused 3 "has no column" "$FANIN" eval model.safetensors --data house.csv
cut -d, -f1-3 flowers.csv | sed 's/".*//' >unlabelled.csv
refused 3 "unlabelled.csv" "$FANIN" eval model.safetensors --data unlabelled.csv
refused 3 "resume" "$FANIN" train --resume missing.safetensors
refused 3 "model.safetensors" "$FANIN" train --quiet -o new.safetensors --resume model.safetensors
absent new.safetensors
finish
