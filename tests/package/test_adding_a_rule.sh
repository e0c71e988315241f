# SPDX-License-Identifier: Apache-2.0
# docs/adding-a-rule.md: its files, put into a tree of sources as they stand, pass the tests that go over all records;
# with a wrong gradient, other bits on another tier, or a wrong law they do not. Builds the library: slow.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/fanin-rule-XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$FANIN_SOURCE_DIR"
cp -r CMakeLists.txt Makefile cmake cli src include tests tools data examples docs bench LICENSE "$dir"
export FANIN_SOURCE_DIR=$dir
cd "$dir"
tools/extract docs/adding-a-rule.md "$dir"
[ -s src/op/isru.c ] && [ -s src/init/triangular.c ]

tests="double_op_gradients threads_record_bits init_init recipe_schema op_activations"
build() { ninja -C build --quiet fanin_cli "$@" >build.log 2>&1 || { tail -n 30 build.log && exit 1; }; }
# What is tested does not depend on optimization, and builds in half the time without much of it.
cmake -S . -B build -G Ninja --log-level=WARNING -DFANIN_WERROR=ON -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O1 >/dev/null
build $(printf 'tests/%s ' $tests)
for test in $tests; do "build/tests/$test" >log 2>&1 || { grep -v OK log && echo "FAILED: $test" && exit 1; }; done
for name in isru triangular; do build/fanin help "$name" | grep -q '^  formula'; done
build/fanin train --quiet --set net.relu1=isru --set init=triangular --set train.epochs=3 -o model.safetensors
build/fanin train --set 'net.relu1={isru: {alpha: 0}}' 2>&1 | grep -q "'alpha' must be above 0"

# must_fail TEST FILE FROM TO: with FROM replaced by TO in FILE, TEST fails.
must_fail() {
    cp "$2" saved.c
    sed -i "s|$3|$4|" "$2"
    ! cmp -s "$2" saved.c || { echo "FAILED: '$3' is not in $2" && exit 1; }
    build "tests/$1"
    ! "build/tests/$1" >log 2>&1 || { echo "FAILED: $1 does not see '$4' in $2" && exit 1; }
    cp saved.c "$2"
}
must_fail double_op_gradients src/op/isru.c 'return root \* root \* root;' 'return root * root;'
must_fail init_init src/init/triangular.c 'sqrt(6.0)' 'sqrt(5.9)'
must_fail threads_record_bits src/op/isru.c '#define FAR 1e17f' \
    '#ifdef __AVX2__\n#define FAR 1e17f\n#else\n#define FAR 1.5f\n#endif'
