# SPDX-License-Identifier: Apache-2.0
# fanin study: grids, records, going on after a stop, claims and their exit code, mistakes with file and line.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1

cat >two.yaml <<'END'
title: Two starts
about: Units that start equal stay equal.
recipe:
  data: {reader: digits, test_fraction: 0.2}
  net: [{dense: 16}, {tanh: , name: act}, {dense: outputs}]
  train: {epochs: 3, batch: 128}
grid:
  start: {zero: {init: zeros, train.allow_symmetric: true}, xavier: {init: xavier_uniform}}
  act: {net.act: [tanh, relu]}
seeds: 3
measure:
  test: {metrics: , at: epoch}
  units: {unit_weights: , at: [start, 4]}
  start: {weights: , at: start}
claims:
  - name: zero learns nothing
    source: a book
    expect: test.error(xavier) < test.error(zero) - 0.3
    each: act
  - {name: equal to the last bit, expect: 'units.spread[dense1.weight](zero, tanh) == 0'}
plots:
  - curve: {figure: test.error, each: act}
  - strip: {figure: test.error, only: {start: xavier}}
  - table: [test.error, test.loss]
  - bins: {figure: start.numbers, where: "*.weight", only: {act: tanh, start: xavier}}
  - profile: {figure: "start.rms", only: {start: xavier}}
variants:
  quick: {about: one epoch, seeds: 2, set: {train.epochs: 1}, only: {act: [tanh]}}
END
query() { python3 -c 'import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone())' "$@"; }

# ---- the study of docs/study.md
awk '/^```yaml study$/ { inside = ++n == 1; next } /^```$/ { inside = 0 } inside' \
    "$FANIN_SOURCE_DIR/docs/study.md" >docs.yaml
done_with "$FANIN" study docs.yaml --quick
says_like "^holds +zero stays where it is: tanh"

# ---- a whole study
run 0 "$FANIN" study two.yaml --csv all.csv --markdown .
[ -s "$dir/err" ] && fail "a study wrote to stderr"
for file in two.html two.sqlite two.md two-1.svg all.csv; do exists $file; done
says "run      12/12"
says_like "^holds +zero learns nothing: tanh"
says_like "^holds +zero learns nothing: relu"
says_like "^holds +equal to the last bit"
grep -q "does not hold" two.html && grep -q '"does not hold"' two.html && fail "a claim does not hold"
head -n 1 all.csv | grep -qx "part,condition,seed,step,figure,where,value" || fail "the head of the CSV"
[ "$(query two.sqlite 'select count(*) from runs')" = 12 ] || fail "not 12 runs are recorded"
[ "$(query two.sqlite "select count(*) from records where figure = 'test.error' and condition = 'zero, tanh'")" = 12 ] ||
    fail "the figures of three seeds at the start and three epochs are not recorded"
[ "$(query two.sqlite "select max(value) from records where figure = 'units.spread' and condition = 'zero, tanh'")" = 0.0 ] ||
    fail "equal units parted"

# ---- the same again runs nothing, and gives the same; so do other numbers of jobs
cp all.csv first.csv
done_with "$FANIN" study two.yaml --csv all.csv
says_not "run      "
cmp -s all.csv first.csv || fail "the figures changed though nothing ran"
mkdir other && done_with "$FANIN" study two.yaml --csv other.csv --dir other --jobs 1 --quiet
says_not "run      "
cmp -s all.csv other.csv || fail "one job gives other figures than several"
exists other/two.html

# ---- a changed grid runs what is new
sed 's/\[tanh, relu\]/[tanh, relu, sigmoid]/; s/^seeds: 3/seeds: 4/' two.yaml >three.yaml
cp two.sqlite three.sqlite
done_with "$FANIN" study three.yaml
[ "$(query three.sqlite 'select count(*) from runs')" = 24 ] || fail "a changed grid did not run just what is new"
says "run      24/24"
says_not "run      12/24"

# ---- variants, parts of the command line
mkdir quick && done_with "$FANIN" study two.yaml --quick --dir quick
says "run      4/4"
grep -q "not the full study" quick/two.html || fail "the page does not say that it is the variant"
mkdir less && done_with "$FANIN" study two.yaml --set train.epochs=1 --seeds 2 --dir less
says "run      8/8"
done_with "$FANIN" study two.yaml --dry-run
says "12 runs, 12 of them done"
mkdir plan && done_with "$FANIN" study two.yaml --dry-run --dir plan
says_like "12 runs, 0 of them done; about .* of one core"
absent plan/two.html
mkdir json && done_with "$FANIN" study two.yaml --json --quick --dir json
is_json
says '"event":"run"'
says_like '"event":"claim","part":"two","name":"zero learns nothing","each":"tanh".*"verdict":"holds"'

# ---- claims that do not hold, or cannot be told
sed 's/< test.error(zero) - 0.3/> test.error(zero)/' two.yaml >wrong.yaml
run 12 "$FANIN" study wrong.yaml
says_like "^does not hold +zero learns nothing: tanh"
mkdir one && done_with "$FANIN" study two.yaml --seeds 1 --dir one
says_like "^undecided +zero learns nothing: tanh"

# ---- stopped, and going on
sed 's/epochs: 3/epochs: 150/' two.yaml >long.yaml
"$FANIN" study long.yaml --jobs 1 >"$dir/out" 2>"$dir/err" &
study=$!
for _ in $(seq 3000); do grep -q "run      1/12" "$dir/out" && break || sleep 0.1; done
kill -TERM $study
code=0
wait $study || code=$?
[ $code = 5 ] || fail "a stopped study ends with $code"
grep -q "the same command goes on" "$dir/err" || fail "a stopped study does not say how to go on"
absent long.html
done_with "$FANIN" study long.yaml --dry-run --set train.epochs=150
says_like "12 runs, [1-9][0-9]* of them done"

# ---- runs that diverge are results
cat >lr.yaml <<'END'
recipe:
  data: {reader: digits, test_fraction: 0.2}
  net: [{dense: 16}, {dense: 16}, {dense: outputs}]
  train: {epochs: 2}
grid: {lr: {optim.sgd.lr: [0.01, 1.0e+6]}}
seeds: 2
measure: {test: metrics}
claims: [{expect: 'run.diverged(lr=1e6) == 1'}, {expect: 'run.diverged(0.01) == 0'}, {expect: 'test.error(0.01) < 0.5'}]
END
done_with "$FANIN" study lr.yaml
says "diverged"
says_like "^holds +run.diverged.lr=1e6. == 1"

# ---- several parts, a base, the start alone, files that are not there
cat >base.yaml <<'END'
data: {train: no-images-idx3-ubyte, train_labels: no-labels-idx1-ubyte}
net: [{repeat: {times: 3, net: [{dense: 32}, relu]}}, {dense: outputs}]
train: {epochs: 1}
END
cat >parts.yaml <<'END'
study: several
base: base.yaml
seeds: 2
parts:
  - name: signals
    trains: false
    grid: {init: {init: [kaiming_normal, xavier_normal]}, depth: {net.0.repeat.times: [2, 4]}}
    measure: {start: signals}
    plots:
      - profile: {figure: start.measured_second, predicted: start.predicted_second, each: depth}
      - line: {figure: 'start.measured_second[relu2]', x: depth}
      - heat: {figure: start.progress, x: init, y: depth}
    claims: [{expect: 'start.measured_second[relu2](xavier_normal) < start.measured_second[relu2](kaiming_normal)', each: depth, test: sign, level: 0.3}]
  - name: training
    set: {net.0.repeat.times: 1}
    measure: {train: {metrics: {part: train}}}
    claims: [{expect: train.error < 0.9}]
variants:
  embedded: {about: the embedded digits, set: {data: digits}}
END
done_with "$FANIN" study parts.yaml
grep -q "embedded: the embedded digits" several.html || fail "the page does not say that the digits stand in"
done_with "$FANIN" study parts.yaml --part training
says_not "signals"
refused 3 "cannot open" "$FANIN" study parts.yaml --set data.dir=/nonexistent

# ---- mistakes, with file and line, before anything runs
mistake() { # TEXT SED-EXPRESSION
    sed "$2" two.yaml >bad.yaml
    cmp -s two.yaml bad.yaml && fail "nothing was changed by $2"
    refused 3 "$1" "$FANIN" study bad.yaml
    absent bad.sqlite
}
mistake "bad.yaml:12: unknown probe 'metricz'; did you mean 'metrics'?" 's/metrics: , at/metricz: , at/'
mistake "bad.yaml:8: unknown initializer 'zeross'; did you mean 'zeros'?" 's/init: zeros,/init: zeross,/'
mistake "bad.yaml:10: unknown key 'seedz' in the study; did you mean 'seeds'?" 's/^seeds/seedz/'
mistake "unknown key 'epohs' in train" 's/{epochs: 3/{epohs: 3/'
mistake "bad.yaml:16: claim 'zero learns nothing': the grid has no condition 'xavjer'; did you mean 'xavier'?" 's/test.error(xavier)/test.error(xavjer)/'
mistake "does not say which condition of 'act'" '/each: act$/d'
mistake "expected" 's/test.error(xavier) </test.error(xavier <</'
mistake "bad.yaml:22: unknown plot 'curv'; did you mean 'curve'?" 's/curve:/curv:/'
mistake "bad.yaml:22: plots: the grid has no axis 'actt'; did you mean 'act'?" 's/each: act}/each: actt}/'
mistake "no recipe: give" '/^recipe:/d; /^  data/d; /^  net/d; /^  train/d'
mistake "start, epoch, end, or a number of updates" 's/at: epoch/at: epoc/'
sed 's/test.error(zero) - 0.3/test.eror(zero)/' two.yaml >bad.yaml
run 3 "$FANIN" study bad.yaml
grep -q "nothing measured is called 'test.eror'; did you mean 'test.error'?" "$dir/err" || fail "an unknown figure is not told"
refused 3 "cannot read 'none.yaml'" "$FANIN" study none.yaml
refused 2 "has no variant 'nope'" "$FANIN" study two.yaml --variant nope
refused 2 "has no part 'nope'" "$FANIN" study parts.yaml --part nope
refused 1 "cannot write" "$FANIN" study two.yaml --dir no/such
refused 2 "an operand is missing" "$FANIN" study
printf 'not a database at all, but long enough to be read as one' >two.sqlite
run 3 "$FANIN" study two.yaml
grep -q "two.sqlite" "$dir/err" || fail "a file of records that is none is not named"
finish
