# SPDX-License-Identifier: Apache-2.0
# fanin check: every finding is found where it is, and not where it is not; the starts of other
# libraries are told for what they are; --fix mends.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

recipe() { printf '%s\n' "$@" >recipe.yaml; }
good() {
    recipe 'data: {digits: {}, test_fraction: 0.2}' \
        'net: [{dense: 64}, relu, {dense: 64}, relu, {dense: outputs}]' \
        'loss: softmax_cross_entropy' 'optim: {sgd: {lr: 0.1}}' 'train: {epochs: 10, batch: 32, seed: 1}'
}
seen=
# finds NAME SEVERITY [OPTION]...: a finding of the name, as grave as that
finds() {
    name=$1 severity=$2
    shift 2
    "$FANIN" check recipe.yaml --json --seeds 1 "$@" >"$dir/out" 2>"$dir/err"
    says_like "\"event\":\"finding\",\"name\":\"$name\",\"severity\":\"$severity\""
    seen="$seen $name"
}
tells() { grep -qF -- "$1" "$dir/err" || fail "the messages do not say '$1'"; }
silent() {
    "$FANIN" check recipe.yaml --json --seeds 1 "$@" >"$dir/out" 2>"$dir/err"
    says_not '"event":"finding"'
}

good
silent
run 0 "$FANIN" check recipe.yaml --quiet

finds symmetry "will not train" --set 'init={constant: 0.1}'
finds learning_rate "will not train" --set optim.sgd.lr=20
says 'loss of its own batch'
finds learning_rate "will not train" --set optim.sgd.lr=1e-5
says 'updates like the first'
finds inputs remark --set data.normalize=none --set optim.sgd.lr=0.003
finds double_link "at risk" --set 'net=[{dense: 64}, relu, {dense: outputs}, softmax]'
says '1.461'
finds bias_before_norm remark --set 'net=[{dense: 64}, batch_norm, relu, {dense: outputs}]'
finds batch_of_one "will not train" --set 'net=[{dense: 64}, batch_norm, relu, {dense: outputs}]' \
    --set train.batch=1
finds dropout_before_norm "at risk" \
    --set 'net=[{dense: {units: 64, bias: false}}, relu, {dropout: 0.8}, batch_norm, {dense: outputs}]'
finds decay_of_norm remark --set 'net=[{dense: {units: 64, bias: false}}, batch_norm, relu, {dense: outputs}]' \
    --set 'params=[{match: "batch_norm1.*", regularize: {l2: 0.01}}]'
says '"path":"params.+","value":"{match: \"batch_norm1.weight\", regularize: {}}"'
"$FANIN" check recipe.yaml --set 'net=[{dense: {units: 64, bias: false}}, batch_norm, relu, {dense: outputs}]' \
    --set 'params=[{match: "batch_norm1.*", regularize: {l2: 0.01}}]' \
    --set 'params.+={match: "batch_norm1.weight", regularize: {}}' >"$dir/out" || :
says 'acts on batch_norm1.bias'
says_not 'acts on batch_norm1.weight'
finds dropout_noise "will not train" --set 'net=[{dense: 64}, relu, {dropout: 0.95}, {dense: outputs}]'
dropped='net=[{repeat: {times: 6, net: [{dense: 64}, relu, {dropout: 0.3}]}}, {dense: outputs}]'
finds dropout_start '.*' --set "$dropped"
says 'by 8.5 in all'
"$FANIN" check recipe.yaml --set "$dropped" --set 'init={kaiming_normal: {dropout_aware: true}}' >"$dir/out" || :
says_not 'multiplies the second moment'
finds penalty "will not train" --set 'regularize={l2: 1.0}'
finds gain remark --set 'net=[{dense: 64}, tanh, {dense: outputs}]' --set init=kaiming_normal
finds units "will not train" --set 'net=[{dense: {units: 64, bias_init: {constant: -50}}}, relu, {dense: outputs}]'
finds not_finite "will not train" --set 'init={normal: {std: 1e20}}'
says '"layer":"dense2"'
says 'in 1 of 1 starts the loss is not finite before the first step: dense2 is the first that is not; the rms in front of it, in relu1, is'
run 11 "$FANIN" check recipe.yaml --set 'init={normal: {std: 1e20}}' --html page.html
says 'verdict: will not train'
says_not nan
run 11 "$FANIN" check recipe.yaml --set 'net=[{dense: 64}, batch_norm, relu, {dense: outputs}]' --set 'init={normal: {std: 1e20}}'
seen="$seen constant_labels" # tests/check/test_check.c: readers of files refuse such labels

if [ -z "${FANIN_SANITIZE:-}" ]; then # deep and wide nets: slow there, and no other code

# ---- He et al. 2015: thirty layers of ReLUs
good
wide=256
deep="net=[{repeat: {times: 30, net: [{dense: $wide}, relu]}}, {dense: outputs}]"
finds signal "will not train" --set "$deep" --set init=xavier_normal --set optim.sgd.lr=0.01
says '2^-29'
finds gradient "will not train" --set "$deep" --set init=xavier_normal --set optim.sgd.lr=0.01
run 0 "$FANIN" check recipe.yaml --quiet --set "$deep" --set init=kaiming_normal --set optim.sgd.lr=0.01
finds alike "will not train" --set optim.sgd.lr=0.01 --set init=xavier_normal \
    --set 'net=[{repeat: {times: 15, net: [{dense: 64}, sigmoid]}}, {dense: outputs}]'

# ---- the starts of other libraries
finds start_scale '.*' --set 'init={uniform: {min: -0.1, max: 0.1}}' --set 'net=[{dense: 1024}, relu, {dense: 1024}, relu, {dense: outputs}]'
says 'dense2.weight has std 0.0577' # 0.1 / √3, whatever the width
finds start_scale '.*' --set 'init={variance_scaling: {scale: 0.667, mode: fan_in, distribution: uniform}}'
says 'n_in E[w^2] = 0.667' # the deviation of He's rule taken for a bound
finds start_scale '.*' --set 'init={uniform: {min: 0, max: 0.1}}'
says "the weights' mean" # of one sign
finds start_scale '.*' --set 'init={normal: {std: 0.0156}}'
says 'std 0.0156' # fan_in 64·64, the whole parameter count
finds start_scale '.*' --set 'init={uniform: {min: -1, max: 1}}'
says 'n_in E'
finds start_scale '.*' --set init=xavier_heuristic
says 'n_in E[w^2] = 0.333'

# ---- every record was asked for
for file in "$FANIN_SOURCE_DIR"/src/check/finding/*.c; do
    name=$(basename "$file" .c)
    case " $seen " in *" $name "*) ;; *) fail "no recipe of this test has the finding $name" ;; esac
done

fi

# ---- --fix
good
deep='net=[{repeat: {times: 12, net: [{dense: 32}, relu]}}, {dense: outputs}]'
run 11 "$FANIN" check recipe.yaml --set "$deep" --set init=xavier_normal --set optim.sgd.lr=0.01 --fix fixed.yaml
tells '1 change, and then it is trainable'
tells '+ init=kaiming_normal'
run 0 "$FANIN" check fixed.yaml --quiet
run 11 "$FANIN" check recipe.yaml --set 'init={constant: 0.1}' --set 'net.relu1=null' --set optim.sgd.lr=20 --fix fixed.yaml
run 0 "$FANIN" check fixed.yaml --quiet
run 0 "$FANIN" check recipe.yaml --fix same.yaml
tells '0 changes'
# mends CHANGE OPTION...: --fix makes this change, and then the recipe is trainable
mends() {
    change=$1
    shift
    "$FANIN" check recipe.yaml --fix fixed.yaml "$@" >"$dir/out" 2>"$dir/err"
    tells "$change"
    run 0 "$FANIN" check fixed.yaml --quiet
    rm -f fixed.yaml
}
mends '+ net.dropout1.rate=0.78  (dropout_noise)' --set 'net=[{dense: 64}, relu, {dropout: 0.95}, {dense: outputs}]'
mends '+ net.dropout*.rate=0.23  (dropout_noise)' \
    --set 'net=[{repeat: {times: 12, net: [{dense: 64}, relu, {dropout: 0.5}]}}, {dense: outputs}]'
mends '+ net.dense1.bias_init=null  (units)' \
    --set 'net=[{dense: {units: 64, bias_init: {constant: -50}}}, relu, {dense: outputs}]'
mends '+ net.sigmoid*=tanh  (alike)' --set optim.sgd.lr=0.01 --set init=xavier_normal \
    --set 'net=[{repeat: {times: 15, net: [{dense: 64}, sigmoid]}}, {dense: outputs}]'
mends '+ net.dense*.bias_init=null  (alike)' \
    --set 'net=[{repeat: {times: 8, net: [{dense: {units: 64, bias_init: {normal: {std: 5}}}}, tanh]}}, {dense: outputs}]'
mends '+ init=kaiming_normal  (not_finite)' --set 'init={normal: {std: 1e20}}'
mends '+ optim.sgd.lr' --set optim.sgd.lr=20
mends '+ train.batch=32  (batch_of_one)' --set 'net=[{dense: 64}, batch_norm, relu, {dense: outputs}]' --set train.batch=1
mends '+ regularize.l2=0.0001  (penalty)' --set 'regularize={l2: 1.0}'
mends '(double_link)' --set 'net=[{dense: 64}, relu, {dense: outputs}, softmax]'
mends '+ net.dropout1=null  (dropout_before_norm)' \
    --set 'net=[{dense: {units: 64, bias: false}}, relu, {dropout: 0.8}, batch_norm, {dense: outputs}]'
# what the words of a recipe cannot do: labels that say nothing (another layer that reads sigmoid1 by name keeps it)
refused 3 "no change that the findings name" "$FANIN" check recipe.yaml --fix never.yaml --set optim.sgd.lr=0.01 \
    --set 'net=[{repeat: {times: 15, net: [{dense: 64}, sigmoid]}}, {dense: 64, from: sigmoid15}, {dense: outputs}]'
[ ! -e never.yaml ] || fail "--fix wrote a recipe that does not train"
refused 1 "cannot write" "$FANIN" check --fix missing/out.yaml
refused 2 "is a model" "$FANIN" check some.safetensors --fix out.yaml
finish
