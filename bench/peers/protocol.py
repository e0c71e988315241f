# SPDX-License-Identifier: Apache-2.0
"""What the Python peers of bench/compare share: arguments, the files of a workload, the loop of commands.

A peer's module hands `main` its name, its version and a table from kinds of workloads to classes. An object of such a class is
made from a Workload and has

    prove(steps) -> dict    the figures that must agree between peers, from a fresh start
    run(n)                  n steps, done when it returns

    WORKER WORKLOADS.json NAME FOLDER THREADS MODE     one worker (the job itself where the workload is a job)
    WORKER --fork SOCKET                               the same for each request on the socket, with the library imported once

The commands and answers are those of bench/README.md.
"""
import ctypes
import functools
import gzip
import json
import os
import pathlib
import signal
import socket
import sys
import time

import numpy as np

BATCHES = 10
PR_SET_PDEATHSIG = 1


class Workload:
    """An entry of workloads.json with the folder of its inputs, the number of threads and the peer's mode."""

    def __init__(self, workloads: str, name: str, folder: str, threads: str, mode: str):
        entries = json.loads(pathlib.Path(workloads).read_text())["workloads"]
        self.spec = next(entry for entry in entries if entry["name"] == name)
        self.folder, self.threads, self.mode = pathlib.Path(folder), int(threads), mode
        self.optimizer = self.spec.get("optimizer", {})

    def __getattr__(self, key: str):
        return self.spec[key]

    def load(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy")

    def layers(self, dropout: bool) -> list[dict]:
        return [layer for layer in self.spec["layers"] if dropout or layer["op"] != "dropout"]

    def dense_shapes(self) -> list[tuple[int, int]]:
        """(in, units) of each dense layer."""
        units = [layer["units"] for layer in self.spec["layers"] if layer["op"] == "dense"]
        return list(zip([self.spec["in"]] + units, units))

    def dense(self, prefix: str = "") -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights (units, in) and biases of the dense layers, or with prefix "d" their gradients."""
        return [(self.load(f"{prefix}w{i}"), self.load(f"{prefix}b{i}")) for i in range(len(self.dense_shapes()))]

    @functools.cached_property
    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        targets = self.load("target" if self.loss == "mse" else "labels")
        return list(zip(np.split(self.load("x"), BATCHES), np.split(targets, BATCHES)))

    def job_data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Inputs and labels of a job, for training and for the test."""
        if self.data == "mnist":
            return tuple(self.idx(f"{part}-{what}") for part in ("train", "t10k")
                         for what in ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"))
        return tuple(self.load(f"{part}_{what}") for part in ("train", "test") for what in ("x", "labels"))

    def idx(self, name: str) -> np.ndarray:
        content = gzip.decompress((self.folder / name).read_bytes())
        data = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
        return data.astype(np.int32) if content[3] == 1 else (data / np.float32(255)).reshape(-1, self.spec["in"])


def run_job(work: Workload, epoch, predict) -> None:
    """Trains with epoch(x, labels, rows of each batch), measures with predict(x) -> scores, and prints the accuracy."""
    x, labels, test_x, test_labels = work.job_data()
    rng, full = np.random.default_rng(1), len(x) // work.batch * work.batch
    for _ in range(work.epochs):
        epoch(x, labels, rng.permutation(len(x))[:full].reshape(-1, work.batch))
    answer(accuracy=float((np.asarray(predict(test_x)).argmax(1) == test_labels).mean()))


def difference(params: list[np.ndarray], start: list[np.ndarray]) -> dict:
    """What a proof of an update answers: sums of |w| and of |w - its start| over all parameters."""
    return {"sums": [sum(float(np.abs(np.float64(p)).sum()) for p in params),
                     sum(float(np.abs(np.float64(p) - s).sum()) for p, s in zip(params, start))]}


def magnitudes(*arrays) -> dict:
    return {"sums": [float(np.abs(np.asarray(a, np.float64)).sum()) for a in arrays]}


def deviation(array) -> dict:
    return {"sums": [float(np.std(np.asarray(array), dtype=np.float64))]}


def answer(**fields) -> None:
    print(json.dumps(fields), flush=True)


def block(bench, seconds: float, n: int) -> tuple[float, int]:
    """Milliseconds a step over at least so many seconds, in pieces of run(n); and a better n.

    What is run once may be several steps: bench.unit."""
    spent, done = 0.0, 0
    while spent < seconds:
        start = time.perf_counter()
        bench.run(n)
        spent += time.perf_counter() - start
        done += n
        if spent < seconds / 2:
            n *= 2
    return 1e3 * spent / done / getattr(bench, "unit", 1), max(1, round(done * seconds / spent))


def serve(peer: str, version: str, kinds: dict, arguments: list[str]) -> None:
    work = Workload(*arguments)
    start = time.perf_counter()
    try:
        bench = kinds[work.kind](work)
        if work.kind == "job":
            return
        n = 1
        for _ in range(2):
            _, n = block(bench, .05, n)
    except Exception as problem:  # whatever a library cannot do is the answer
        answer(unable=f"{type(problem).__name__}: {str(problem).strip().splitlines()[0] if str(problem).strip() else '?'}")
        return
    answer(ready=True, peer=peer, version=version, mode=work.mode, warm_s=round(time.perf_counter() - start, 2))
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "quit":
            return
        if command["do"] == "prove":
            answer(**bench.prove(command["steps"]))
        else:
            ms, n = block(bench, command["seconds"], n)
            answer(ms=ms, n=n)


def die_with_parent() -> None:
    """A worker never outlives the driver, not even a stopped one."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def fork_server(requests: socket.socket, worker) -> None:
    """Forks a worker for each list of arguments that arrives with its standard input and output."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests.send(b"ready")
    while True:
        message, files, _, _ = socket.recv_fds(requests, 1 << 16, 2)
        if not message:
            return
        child = os.fork()
        if child == 0:
            die_with_parent()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            worker(json.loads(message))
            sys.stdout.flush()
            os._exit(0)
        for file in files:
            os.close(file)
        requests.send(str(child).encode())


def main(peer: str, version: str, kinds: dict, preload=lambda: None) -> None:
    """The whole of a peer's program. preload: what only workers need, imported once before they are forked."""
    worker = functools.partial(serve, peer, version, kinds)
    if sys.argv[1] == "--fork":
        preload()
        fork_server(socket.socket(fileno=int(sys.argv[2])), worker)
    else:
        worker(sys.argv[1:])
