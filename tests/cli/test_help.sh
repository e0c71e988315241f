# SPDX-License-Identifier: Apache-2.0
# help, list, version: from the records, for people and as JSON.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

done_with "$FANIN" --help
for command in train eval predict report fold bench info list help schema; do
    says_like "^  $command "
done
for command in train eval predict report fold bench info list help schema; do
    done_with "$FANIN" $command --help
    says "Usage: fanin $command [OPTION]..."
    for option in --json --quiet --threads --help; do says "$option"; done
    awk 'length > 100 { exit 1 }' "$dir/out" || fail "fanin $command --help: a line is too long"
    done_with "$FANIN" help $command
    says "Usage: fanin $command [OPTION]..."
done

done_with "$FANIN" --version
says_like '^fanin [0-9]+\.[0-9]+\.[0-9]+ \((portable|avx2|avx512), [0-9]+ threads?, '
done_with "$FANIN" --version --json
is_json
for key in version isa compiler threads; do says "\"$key\":"; done
done_with env FANIN_ISA=portable "$FANIN" --version --json
says '"isa":"portable"'
refused 1 "FANIN_ISA" env FANIN_ISA=quantum "$FANIN" --version
refused 2 "usage" "$FANIN" --version --jsn

done_with "$FANIN" list
for word in op loss init reg optim schedule constraint average metric reader format report finding probe plot; do says_like "^$word$"; done
for word in dense relu softmax_cross_entropy kaiming_normal weight_decay adamw cosine accuracy csv safetensors json; do
    says_like "^  $word "
done
done_with "$FANIN" list init
says_like '^  xavier_uniform '
says_not dense
done_with "$FANIN" list op --quiet
says_like '^dropout$'
done_with "$FANIN" list --json
is_json
done_with "$FANIN" list reader --json
is_json
says '"kind":"reader","name":"csv"'

# Every record that is listed can be explained, and has all its lines.
"$FANIN" list --json >"$dir/records"
for name in $("$FANIN" list --quiet | sort -u); do
    done_with "$FANIN" help "$name"
    says_like "^$name \("
    says_like '^  formula    .'
    says_like '^  reference  .'
    done_with "$FANIN" help "$name" --json
    cat "$dir/out" >>"$dir/records"
done
cp "$dir/records" "$dir/out"
is_json
done_with "$FANIN" help dropout
says 'recipe     - dropout: {rate: 0.5}'
done_with "$FANIN" help dense
says 'recipe     - dense: {units: 10, bias: true'
done_with "$FANIN" help dropout
says_like '^    rate +number'
done_with "$FANIN" help weight_decay
says 'regularize: {weight_decay: '
done_with "$FANIN" help train
says 'Usage: fanin train'
done_with "$FANIN" help early_stop
says_like '^early_stop \(recipe\)'
done_with "$FANIN" help --markdown init
says '## kaiming_normal'
refused 2 "no kind" "$FANIN" help --markdown ops
done_with "$FANIN" schema
says 'draft/2020-12'
finish
