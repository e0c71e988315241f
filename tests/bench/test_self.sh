#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench/self on workers that only pretend, so that their times are known: a slower one is told and is a failure, and so is one
# that computes something else, or nothing. Wrong arguments are told in one line. Nothing is built and nothing timed.
set -eu
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
exec python3 - <<'PY'
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import types

root = pathlib.Path(os.environ["FANIN_SOURCE_DIR"])
loader = importlib.machinery.SourceFileLoader("bench_self", str(root / "bench/self"))
self = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_self", loader))
loader.exec_module(self)

PRETENDER = """#!{python}
import json, sys
times, turn = {times}, 0
print(json.dumps({first}), flush=True)
for line in sys.stdin:
    if json.loads(line)["do"] == "prove":
        print(json.dumps(dict(losses=[{loss}] * 10)), flush=True)
    else:
        print(json.dumps(dict(ms=times[turn % len(times)], n=1)), flush=True)
        turn += 1
"""
READY = {"ready": True, "peer": "fanin", "version": "0", "mode": "default"}
OPTIONS = types.SimpleNamespace(threads=[1], rounds=8, seconds=.01, tolerance=5)
WORK = [w for w in json.loads((root / "bench/workloads.json").read_text())["workloads"] if w["name"] == "W4x"]


def pretend(folder, times, loss=.5, first=READY):
    folder.mkdir(exist_ok=True)
    program = folder / "worker_fanin"
    program.write_text(PRETENDER.format(python=sys.executable, times=times, loss=loss, first=first))
    program.chmod(0o755)
    return folder


def compared(*programs):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        good = self.compare_all(list(programs), WORK, OPTIONS)
    return good, text.getvalue()


with tempfile.TemporaryDirectory() as scratch:
    self.STATE = pathlib.Path(scratch)
    a = pretend(self.STATE / "a", [1, 1.1])
    b = self.STATE / "b"
    for times, loss, first, good, word in (([1.04, 1.1], .5, READY, True, "1.020"),
                                           ([1.2, 1.3], .5, READY, False, "slower"),
                                           ([.5, 3, .5, .5], .5, READY, True, "0.5"),  # now and then is not slower
                                           ([1, 1.1], .51, READY, False, "differs"),
                                           ([1], .5, {"unable": "nothing"}, False, "nothing")):
        found, text = compared(a, pretend(b, times, loss, first))
        assert found == good and word in text, (times, found, text)

for arguments, words in ((["--rounds", "1"], "--rounds"), (["--only", "W4,none"], "--only none"), (["no-such-commit"], "no-such-commit"),
                         (["--threads", "0"], "--threads 0")):
    done = subprocess.run([root / "bench/self", *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and words in done.stderr, (arguments, done)
PY
