# SPDX-License-Identifier: Apache-2.0
# bench/compare without peers: the pages of a small file of results, said in one line what is wrong with arguments, and the pages
# of the tree are what bench/results.json gives, where there is one. Nothing is timed.
. "$FANIN_SOURCE_DIR/tests/bench/lib.sh"
compare=$FANIN_SOURCE_DIR/bench/compare
results=$FANIN_SOURCE_DIR/tests/bench/results.json
has() { grep -qF -- "$2" "$dir/$1" || fail "$1 does not have: $2"; }
pages() { run "$1" "$compare" "$2" --out "$results" --root "$dir"; }

mkdir "$dir/bench"
echo "no marks" >"$dir/README.md"
refused "README.md has no <!-- performance -->" "$compare" --render --out "$results" --root "$dir"
printf 'before\n<!-- performance -->\nold\n<!-- /performance -->\nafter\n' >"$dir/README.md"
pages 1 --check
has said "README.md, bench/RESULTS.md, docs/performance/speed.svg"
pages 0 --render
pages 0 --check

# The best mode of the best peer; neither what differs nor what stands apart counts; three digits.
has README.md "| **W4** a <small> net | 0.0123 | 0.125 PyTorch compile | **10.1×** | 81 % | 1234 | 988 KANN blas | **0.800×** | 70 % |"
has README.md "W4 2.03×"
has README.md "| the job, 1 thread | 0.0500 s, 12 MB |"
has README.md "2026-01-02, A processor, 2 cores, Linux 6; fanin 0123abc, torch 2.15.0, jax 0.10.2."
! grep -q old "$dir/README.md" || fail "the old section is still there"
[ "$(sed -n '1p;$p' "$dir/README.md")" = $'before\nafter' ] || fail "the README around the section has changed"
has bench/RESULTS.md "does not compute the same: losses[3] is 2 instead of 1"
has bench/RESULTS.md "| tanh of 128×1024 | 10.0 (1.00×) |"
python3 - "$dir/docs/performance/speed.svg" <<'END' || fail "the plot is not what it should be"
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
marks = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")][1:]
sys.exit(not {"PyTorch: 10.1 times our time", "KANN: 0.8 times our time"} <= set(marks))
END
sed -i 's/0.0123/0.0124/' "$dir/README.md"
refused "not what $results gives: README.md" "$compare" --check --out "$results" --root "$dir"

refused "--only W9: there is no such workload" "$compare" --only W9
refused "--threads 1,x: numbers from 1" "$compare" --threads 1,x
refused "--mnist $dir: no MNIST there" "$compare" --mnist "$dir"
refused "--peers $dir: no virtual environment" "$compare" --peers-only --peers "$dir"
refused "worker_fanin is not there" "$compare" --build "$dir" --peers "$dir"
refused "$dir/none.json is not there" "$compare" --render --out "$dir/none.json"

[ ! -e "$FANIN_SOURCE_DIR/bench/results.json" ] || run 0 "$compare" --check
