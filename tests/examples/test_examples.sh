# SPDX-License-Identifier: Apache-2.0
# The examples as a reader would run them, in an empty folder; each says what it should and leaves what it
# says. Examples are at most 80 lines.
set -eu
bin=$FANIN_BUILD_DIR/examples
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() {
    echo "FAILED: $*"
    exit 1
}

for source in "$FANIN_SOURCE_DIR"/examples/*.c; do
    lines=$(wc -l <"$source")
    [ "$lines" -le 80 ] || fail "$source has $lines lines"
    name=$(basename "$source" .c)
    [ -x "$bin/example_$name" ] || fail "example_$name was not built"
done

"$bin/example_00_xor" >xor.txt || fail "00_xor"
[ "$(cut -c1-11 xor.txt)" = "0 xor 0 = 0
0 xor 1 = 1
1 xor 0 = 1
1 xor 1 = 0" ] || fail "00_xor: $(cat xor.txt)"

"$bin/example_01_mnist" >digits.txt || fail "01_mnist"
grep -q '^epoch 20/20 ' digits.txt || fail "01_mnist trained fewer epochs"
grep -Eq '^test: .*accuracy (9[4-9]|100)' digits.txt || fail "01_mnist: $(tail -n 20 digits.txt)"
[ -s digits.safetensors ] || fail "01_mnist saved nothing"

mnist=${FANIN_DATA_DIR:-$FANIN_SOURCE_DIR/../shared/data}/mnist
if [ -r "$mnist/train-images-idx3-ubyte.gz" ] && [ -z "${FANIN_SANITIZE:-}" ]; then
    "$bin/example_01_mnist" "$mnist" >mnist.txt || fail "01_mnist on MNIST"
    grep -Eq '^test: .*accuracy 9[78]' mnist.txt || fail "01_mnist on MNIST: $(tail -n 20 mnist.txt)"
    mv digits.safetensors mnist.safetensors
    "$bin/example_01_mnist" >digits.txt
else
    echo "01_mnist on MNIST: skipped"
fi

"$bin/example_02_own_op" >own.txt || fail "02_own_op: $(cat own.txt)"
[ -s own.safetensors ] || fail "02_own_op saved nothing"

# A zero, and a file that is no model.
zeros=$(printf '0 %.0s' $(seq 64))
echo "$zeros $zeros" | "$bin/example_03_predict" digits.safetensors >predicted.txt || fail "03_predict"
[ "$(wc -l <predicted.txt)" = 2 ] || fail "03_predict: $(cat predicted.txt)"
grep -Eqv '^[0-9]  \(p = 0\.[0-9]{3}\)$|^[0-9]  \(p = 1\.000\)$' predicted.txt && fail "03_predict: $(cat predicted.txt)"
echo | "$bin/example_03_predict" xor.txt 2>message.txt && fail "03_predict read a text file"
[ "$(wc -l <message.txt)" = 1 ] || fail "03_predict: $(cat message.txt)"
# A net with an op that this program did not register.
echo | "$bin/example_03_predict" own.safetensors 2>message.txt && fail "03_predict knows my_softsign"
grep -q my_softsign message.txt || fail "03_predict: $(cat message.txt)"
