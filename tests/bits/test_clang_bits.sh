#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gcc and clang builds, and all tiers, write the same model file to the last byte.
set -eu
[ -x "${FANIN_CLANG:-}" ] || { echo "skipped: no clang build"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/norm.yaml" <<'END'
data: {digits: {}, validation_fraction: 0.1}
net: [{dense: 70}, batch_norm, tanh, {dropout: 0.2}, {dense: 33}, batch_norm, sigmoid, {dense: 10}]
regularize: {weight_decay: 0.001, confidence_penalty: 0.1, l2: 0.0001}
optim: {adamw: {lr: 0.003}}
train: {epochs: 2, batch: 50, seed: 3}
END
cat > "$dir/plain.yaml" <<'END'
data: digits
net: [{dense: 120}, relu, {dropout: 0.5}, {dense: 10}]
optim: {sgd: {lr: 0.05, momentum: 0.9}}
schedule: {cosine: {warmup_epochs: 1}}
train: {epochs: 3, batch: 64, seed: 3}
END
for recipe in norm plain; do
    for command in "$FANIN" "$FANIN_CLANG"; do
        for isa in portable avx2 avx512; do
            FANIN_ISA=$isa "$command" train "$dir/$recipe.yaml" --quiet -o "$dir/model" >"$dir/out" 2>&1 || {
                grep -q "$isa" "$dir/out" && continue # this processor lacks the tier
                cat "$dir/out"
                exit 1
            }
            [ -e "$dir/$recipe.first" ] || cp "$dir/model" "$dir/$recipe.first"
            cmp "$dir/$recipe.first" "$dir/model" || { echo "$recipe: $command on $isa differs"; exit 1; }
        done
    done
done
echo "12 model files, 2 contents"
