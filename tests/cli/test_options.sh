# SPDX-License-Identifier: Apache-2.0
# Options: every form is understood, every mistake is one line and exit code 2.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

refused 2 "which command" "$FANIN"
refused 2 "did you mean train?" "$FANIN" trian
refused 2 "see fanin --help" "$FANIN" zzzzzz
refused 2 "train: unknown option --thread; did you mean --threads?" "$FANIN" train --thread 2
refused 2 "unknown option --xyzzy; see fanin train --help" "$FANIN" train --xyzzy
refused 2 "unknown option -z" "$FANIN" train -z
refused 2 "--seed needs a value: --seed N" "$FANIN" train --seed
refused 2 "whole number" "$FANIN" train --seed -1
refused 2 "whole number" "$FANIN" train --seed 1.5
refused 2 "whole number" "$FANIN" train --seed=
refused 2 "whole number" "$FANIN" train --seed 99999999999999999999999
refused 2 "from 1 to 1024" "$FANIN" train --threads 0
refused 2 "--quiet takes no value" "$FANIN" train --quiet=yes
refused 2 "one operand too many: 'b'" "$FANIN" train a b
refused 2 "operand is missing" "$FANIN" eval
refused 2 "operand is missing" "$FANIN" predict model
refused 2 "--target names" "$FANIN" train --target price
refused 2 "--labels goes with --data" "$FANIN" eval model --labels x
refused 2 "unknown kind 'opp'; did you mean op?" "$FANIN" list opp
refused 2 "nothing is called 'drpout'; did you mean dropout?" "$FANIN" help drpout

# All of these train the same model.
same() {
    done_with "$FANIN" train --quiet "$@" -o same.safetensors
    [ -e first.safetensors ] || cp same.safetensors first.safetensors
    cmp -s first.safetensors same.safetensors || fail "'$*' trained another model"
}
same --set train.epochs=2 --set net.dense1.units=16 --seed 7
same --set=train.epochs=2 --set=net.dense1.units=16 --seed=7
same --seed 7 --set net.dense1.units=16 --set train.epochs=2 --threads 1
same --set train.epochs=2 --set net.dense1.units=16 --set train.seed=7
same --seed=7 --set train.epochs=2 --set net.dense1.units=16 --threads=3
done_with "$FANIN" train -q --set train.epochs=1 -oother.safetensors
exists other.safetensors
cmp -s first.safetensors other.safetensors && fail "another seed, the same model"

# "--" ends the options.
refused 3 "--quiet" "$FANIN" train -- --quiet
finish
