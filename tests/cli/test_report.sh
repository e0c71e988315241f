# SPDX-License-Identifier: Apache-2.0
# fanin report: the page of classes, values, labels, several runs, runs without a history and runs whose data are gone; its
# figures as JSON; what is refused; the commands on the page; and what a browser makes of it at two widths. The browser's
# part is skipped where there is no Chromium.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
. "$FANIN_SOURCE_DIR/tests/cli/browser.sh" || exit 1
make_tables
awk 'BEGIN { srand(5); print "a,b,c,urgent,spam"
    for (i = 0; i < 240; i++) { a = rand(); b = rand(); c = rand()
        printf "%.3f,%.3f,%.3f,%d,%d\n", a, b, c, (a + .3 * rand() > .8), (b + .2 * rand() > .6) } }' >tickets.csv
cat >labels.yaml <<'END'
data: {csv: {target: [urgent, spam]}, train: tickets.csv, test_fraction: 0.25}
net: [dense: 16, relu, dense: outputs]
loss: sigmoid_cross_entropy
END
train() { "$FANIN" train --quiet "$@" >/dev/null || fail "train $*"; }
train --set train.epochs=4 --set train.watch=10 --set regularize.l2=0.001 --set data.validation_fraction=0.1 -o digits.safetensors
train --set train.epochs=3 --seed 2 -o 'odd <b>&name.safetensors'
train $quick --data flowers.csv --target kind -o flowers.safetensors
train $quick --data house.csv --target price -o house.safetensors
train labels.yaml $quick -o labels.safetensors
# a file as releases before wrote it: nothing of the run
if command -v python3 >/dev/null; then
    python3 - <<'END' || fail "old file"
import json, struct
data = open("digits.safetensors", "rb").read()
n, = struct.unpack("<Q", data[:8])
header = json.loads(data[8:8 + n])
del header["__metadata__"]["fanin.history"]
header["__metadata__"]["fanin.checksum"] = "none"
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open("old.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data[8 + n:])
END
    done_with "$FANIN" report old.safetensors -o old.html
    grep -q 'tells nothing of its run' old.html || fail "a file without history: nothing says so"
fi

# ---- the page
done_with "$FANIN" report digits.safetensors
exists report.html
says 'test: loss'
says_like '^page +report.html$'
for part in '"title":"Loss"' 'Parts of the training loss' 'Where the loss comes from' 'Where the update comes from' \
    'Confusion matrix' 'By class' '"title":"Calibration"' 'Entropy of the predictions' '"kind":"pictures"' \
    'kaiming_normal: relu follows' 'fanin train recipe.json' 'fanin report digits.safetensors'; do
    grep -qF -- "$part" report.html || fail "the page lacks: $part"
done
cp report.html first.html
done_with "$FANIN" report digits.safetensors --threads 3
grep -q 'fanin report digits.safetensors --threads 3' report.html || fail "the command line is not on the page"
sed 's/ --threads 3//' report.html | cmp -s - first.html || fail "another page with other threads"
done_with "$FANIN" report 'odd <b>&name.safetensors' -o odd.html --quiet
says_not 'page'
grep -q "<title>odd &#60;b&#62;&#38;name</title>" odd.html || fail "the title is not escaped"
grep -qF 'odd \u003cb\u003e\u0026name` was not watched' odd.html || fail "a run that was not watched: nothing says so"
done_with "$FANIN" report flowers.safetensors -o flowers.html
grep -q '"columns":\["sample","truth","prediction","loss","length"' flowers.html || fail "mistakes without their inputs"
done_with "$FANIN" report house.safetensors -o house.html
grep -q 'price: predicted against true' house.html || fail "no predictions against truth"
done_with "$FANIN" report labels.safetensors -o labels.html
grep -q '"title":"By label"' labels.html || fail "no table by label"
done_with "$FANIN" report digits.safetensors 'odd <b>&name.safetensors' -o two.html
says 'digits, test: loss'
grep -q '"digits, training"' two.html || fail "curves of two runs without their names"
done_with "$FANIN" report house.safetensors --data house.csv -o file.html
grep -q '200 samples of `house.csv`' file.html || fail "--data: the page does not say on what"

# ---- the commands on the page give the same bytes
if command -v python3 >/dev/null; then
    "$FANIN" info digits.safetensors --json | python3 -c 'import json, sys
for line in sys.stdin:
    event = json.loads(line)
    if event["event"] == "recipe": print(event["json"])' >recipe.json
    train recipe.json -o again.safetensors
    cmp -s again.safetensors digits.safetensors || fail "the recipe of the page gives other bytes"
fi

# ---- JSON: the keys that docs/cli.md tells, and figures that fit each other
if command -v python3 >/dev/null; then
    for run in digits flowers house labels; do
        done_with "$FANIN" report $run.safetensors --json -o json.html
        cp "$dir/out" $run.json
    done
    done_with "$FANIN" report digits.safetensors old.safetensors --json -o json.html
    cp "$dir/out" both.json
    python3 - <<'END' || fail "--json: see above"
import json, math
keys = {
    "run": {"name", "path", "parameters"},
    "history": {"run", "of", "figure", "moments", "at", "values"},
    "class": {"name", "support", "predicted", "precision", "recall"},
    "target": {"name", "mean_error", "mean_absolute_error", "mean_squared_error", "lowest_error", "highest_error"},
    "calibration": {"low", "high", "samples"},
    "histogram": {"name", "right", "low", "high", "counts"},
    "page": {"path"},
}
keys["label"] = keys["class"]
found = {}
for name in "digits", "flowers", "house", "labels", "both":
    lines = [json.loads(line) for line in open(name + ".json")]
    of = lambda event: [l for l in lines if l["event"] == event]
    for line in lines:
        want = keys.get(line["event"])
        got = set(line) - {"event", "not_finite"} - ({"name"} if line["event"] == "history" else set())
        if line["event"] == "calibration" and line["samples"]: got -= {"confidence", "accuracy"}
        assert want is None or got == want, (name, line)
        found[line["event"]] = 1
    assert lines[0]["event"] == "run" and lines[-1]["event"] == "page"
    test = of("eval")[0]
    if name == "house":
        assert abs(math.sqrt(of("target")[0]["mean_squared_error"]) - test["rmse"]) < 1e-3 * test["rmse"]
        assert len(of("worst")[0]["target"]) == 1
        continue
    n = sum(h["samples"] for h in of("calibration"))
    histograms = {(h["name"], h["right"]): h["counts"] for h in of("histogram")}
    if name == "labels":
        assert n == 2 * sum(sum(histograms["entropy", k]) for k in (0, 1))
        continue
    # the metric ece from the bins; accuracy from the histograms; support from the confusion matrix
    ece = sum(b["samples"] / n * abs(b["accuracy"] - b["confidence"]) for b in of("calibration") if b["samples"])
    assert abs(ece - test["ece"]) < 1e-9, (ece, test["ece"])
    assert n == sum(map(sum, test["confusion"])) and len(of("histogram")) == 4
    assert abs(sum(histograms["confidence", 1]) / n - test["accuracy"]) < 1e-12
    assert [c["support"] for c in of("class")] == [sum(row) for row in test["confusion"]]
    losses = [w["loss"] for w in of("worst")]
    assert losses == sorted(losses, reverse=True) and len(losses) == 24
    worst = of("worst")[0]
    truth = [c["name"] for c in of("class")].index(worst["truth"])
    assert abs(-math.log(worst["prediction"][truth]) - worst["loss"]) < 1e-4
    epochs = [h for h in of("history") if h["of"] == "epoch" and h["figure"] == "loss"][0]
    assert epochs["at"] == list(range(1, len(epochs["values"]) + 1))
assert {"history", "class", "label", "target", "calibration", "histogram", "worst", "page", "eval"} <= set(found)
assert sum(l["event"] == "run" for l in lines) == 2
END
fi

# ---- data that are gone, and what is refused
mv house.csv moved.csv
run 0 "$FANIN" report house.safetensors -o gone.html
grep -q "^fanin: warning: house.safetensors: .*house.csv" "$dir/err" || fail "data that are gone: no warning"
grep -q '"label":"no data"' gone.html || fail "data that are gone: the page does not say so"
run 0 "$FANIN" report house.safetensors -o gone.html --json
grep -q '"event":"no_data","run":"house","message":".*house.csv' "$dir/out" || fail "--json: data that are gone"
done_with "$FANIN" report house.safetensors -o found.html --set data.train=moved.csv
rm -f report.html
cut -d, -f1,2 moved.csv >unlabelled.csv
refused 3 "nowhere.csv" "$FANIN" report house.safetensors --set data.train=nowhere.csv
refused 3 "nowhere.csv" "$FANIN" report house.safetensors --data nowhere.csv
refused 3 "no labels to compare with" "$FANIN" report house.safetensors --data unlabelled.csv
refused 3 "No such file" "$FANIN" report missing.safetensors
refused 3 "not a sound safetensors file" "$FANIN" report moved.csv
refused 3 "not a sound safetensors file" "$FANIN" report digits.safetensors moved.csv
refused 1 "cannot write" "$FANIN" report digits.safetensors -o no/such.html
refused 1 "cannot write" "$FANIN" report digits.safetensors -o /dev/full
refused 2 "operand is missing" "$FANIN" report
refused 2 "--labels goes with --data" "$FANIN" report digits.safetensors --labels x
refused 2 "--set changes nothing" "$FANIN" report digits.safetensors --data x --set a=b
absent report.html

# ---- a browser
need_browser
look first.html 1280 16 24
look first.html 390 16 24
look house.html 390 5 0
look labels.html 390 5 0
look two.html 390 16 24
look gone.html 1280 3 0
finish
