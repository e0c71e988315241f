#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The worker of the benchmark: its losses are those of the same net computed here, it times blocks, and it says in one line
# what it cannot do. On the smallest workload of bench/workloads.json.
set -eu
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
exec python3 - <<'PY'
import array
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

root = pathlib.Path(os.environ["FANIN_SOURCE_DIR"])
sys.path.insert(0, str(root / "bench/comparison"))
import inputs

worker = pathlib.Path(os.environ["FANIN_BUILD_DIR"]) / "bench/worker_fanin"
path = root / "bench/workloads.json"
work = next(w for w in json.loads(path.read_text())["workloads"] if w["name"] == "W4x")


def ask(name, folder, mode, *requests, threads="1"):
    """The answers, errors and exit code of a worker."""
    lines = "".join(json.dumps(r) + "\n" for r in requests)
    done = subprocess.run([worker, path, name, folder, threads, mode], input=lines, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.splitlines(), done.returncode


def numbers(folder, name):
    data = (folder / f"{name}.npy").read_bytes()
    return list(array.array("f", data[10 + int.from_bytes(data[8:10], "little"):]))


def losses(folder, steps):
    """Gradient descent on x -> tanh -> linear, mean squared error, as plainly as it can be written."""
    x, target, w0, b0, w1, b1 = (numbers(folder, n) for n in ("x", "target", "w0", "b0", "w1", "b1"))
    batch, lr, hidden, result = work["batch"], work["optimizer"]["lr"], range(len(b0)), []
    for step in range(steps):
        first, loss = step % 10 * batch, 0
        d0, e0, d1, e1 = [0] * len(w0), [0] * len(b0), [0] * len(w1), 0
        for r in range(first, first + batch):
            u, v = x[2 * r:2 * r + 2]
            h = [math.tanh(w0[2 * i] * u + w0[2 * i + 1] * v + b0[i]) for i in hidden]
            off = sum(w1[i] * h[i] for i in hidden) + b1[0] - target[r]
            loss, e1 = loss + off * off / batch, e1 + 2 * off / batch
            for i in hidden:
                g = 2 * off / batch * w1[i] * (1 - h[i] * h[i])
                d1[i] += 2 * off / batch * h[i]
                d0[2 * i], d0[2 * i + 1], e0[i] = d0[2 * i] + g * u, d0[2 * i + 1] + g * v, e0[i] + g
        result.append(loss)
        for w, d in ((w0, d0), (b0, e0), (w1, d1), (b1, [e1])):
            w[:] = [a - lr * b for a, b in zip(w, d)]
    return result


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    inputs.write_inputs(folder, work)
    prove, block, quit_ = {"do": "prove", "steps": 12}, {"do": "block", "seconds": .01}, {"do": "quit"}
    for threads in "1", "2":
        # training in between does not touch the proof, which begins anew
        answers, errors, status = ask("W4x", folder, "default", prove, block, prove, quit_, threads=threads)
        assert (errors, status) == ([], 0), (errors, status)
        ready, proof, timed, again = answers
        assert ready["ready"] and ready["peer"] == "fanin" and ready["mode"] == "default", ready
        for found, expected in zip(proof["losses"], losses(folder, 12), strict=True):
            assert abs(found - expected) < 1e-5 * expected, (found, expected)
        assert again == proof
        assert timed["n"] >= 1 and timed["ms"] * timed["n"] >= 10, timed

    answers, errors, status = ask("W4x", folder, "limits", block)
    assert (errors, status) == ([], 0), (errors, status)
    assert answers[1]["peak_gflops"] > 0 and answers[1]["copy_gb_s"] > 0, answers

    answers, errors, status = ask("job-digits", folder, "default")
    assert (list(answers[0]), errors, status) == (["unable"], [], 0), (answers, errors, status)

    for name, request in ("W4", {}), ("W4x", {"do": "nothing"}), ("none", {}):  # arrays of another workload, …
        answers, errors, status = ask(name, folder, "default", request)
        assert len(errors) == 1 and status == 1, (name, errors, status)
PY
