# SPDX-License-Identifier: Apache-2.0
# Runs of a study side by side: the same figures for one job and for four, and (in the ThreadSanitizer build) no race between them.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

cat >jobs.yaml <<'END'
recipe:
  data: {reader: digits, test_fraction: 0.2}
  net: [{dense: 16}, {batch_norm: }, {relu: , name: act}, {dropout: 0.2}, {dense: outputs}]
  train: {epochs: 2}
grid: {act: {net.act: [tanh, relu]}, lr: {optim.sgd.lr: [0.1, 0.05]}}
seeds: 3
measure: {test: {metrics: , at: epoch}, two: {committee: {members: 2}}, start: {signals: , at: start}}
claims: [{expect: test.error < 0.9, each: [act, lr]}]
plots: [curve: {figure: test.error, each: act}]
END
for jobs in 1 4; do
    mkdir $jobs
    run 0 "$FANIN" study jobs.yaml --jobs $jobs --dir $jobs --csv $jobs.csv
    says "run      12/12"
done
[ "$(sort 1.csv)" = "$(sort 4.csv)" ] || fail "four jobs give other figures than one"
finish
