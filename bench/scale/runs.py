# SPDX-License-Identifier: Apache-2.0
"""Runs `fanin bench` on the nets: each with each number of threads, in several rounds over all of them."""
import contextlib
import json
import pathlib
import subprocess
import tempfile

from nets import Net, OUTPUTS, all_nets
from options import fail

ROWS = 1024  # samples: a multiple of every batch, so that all batches are full
THREADS = 1, 2
MACHINE_SECONDS = 1
# So small a rate that nothing is learned: a step costs the same, and no loss of a single sample looks like trouble.
RECIPE = f"""data: {{gaussian_blobs: {{n: {ROWS}, classes: {OUTPUTS}, features: 512, std: 1, spread: 1}}, normalize: none}}
net: [dense]
optim: {{sgd: {{lr: 1.0e-9, momentum: 0.9}}}}
train: {{batch: 64, seed: 1}}
"""
PARTS = "load", "loss"
PASSES = "forward_seconds", "backward_seconds", "weights_seconds"
KEPT = "median_seconds", "fastest_seconds", *PASSES, "copy_gbytes", "step_flops", "step_bytes", \
    "parameter_bytes", "state_bytes", "activation_bytes"


def changes(net: Net) -> list[str]:
    """Arguments that make the recipe this net's."""
    drop = f", {{dropout: {net.rate}}}" if net.rate else ""
    layers = f"{{repeat: {{times: {net.depth}, net: [{{dense: {net.width}}}, tanh{drop}]}}}}"
    return ["--set", f"data.gaussian_blobs.features={net.width}", "--set", f"train.batch={net.batch}",
            "--set", f"net=[{drop[2:] + ', ' if drop else ''}{layers}, dense]"]


def run(fanin: pathlib.Path, recipe: pathlib.Path, threads: int, seconds: float, *more: str) -> list[dict]:
    """The events of one `fanin bench`."""
    command = [str(fanin), "bench", str(recipe), "--json", "--seconds", f"{seconds}", "--threads", str(threads), *more]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        fail(f"{' '.join(command)} failed with {done.returncode}: {done.stderr.strip() or done.stdout.strip()[-300:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def row_of(net: Net, threads: int, events: list[dict]) -> dict:
    """What the step told; an error where paper and program differ."""
    profile = next(e for e in events if e["event"] == "profile")
    parts = {e["name"]: e["seconds"] for e in events if e["event"] == "profile_part"}
    for name, value in net.told().items():
        if profile[name] != value:
            fail(f"{net}: {name} is {profile[name]:.0f}, and {value} by the formulas of bench/scale/nets.py")
    return {"width": net.width, "depth": net.depth, "batch": net.batch, "rate": net.rate, "threads": threads} | \
        {name: profile[name] for name in KEPT} | {f"{name}_seconds": parts.get(name, 0.) for name in PARTS}


class Limits:
    """The machine: of each figure the best of all runs, as other load only lessens it."""

    def __init__(self):
        self.peak: dict[int, float] = {}
        self.levels: dict[tuple[str, int], dict] = {}

    def take(self, events: list[dict]) -> None:
        for e in events:
            if e["event"] == "peak":
                self.peak[e["threads"]] = max(e["gflops"], self.peak.get(e["threads"], 0))
            elif e["event"] == "memory":
                kept = self.levels.setdefault((e["level"], e["threads"]), {k: e[k] for k in ("level", "threads", "bytes")})
                for name in ("copy_gbytes", "read_gbytes"):
                    kept[name] = max(e[name], kept.get(name, 0))

    def content(self) -> dict:
        return {"peak": [{"threads": t, "gflops": g} for t, g in sorted(self.peak.items())], "memory": list(self.levels.values())}


def better(a: dict | None, b: dict) -> dict:
    """Of two rounds what was less disturbed."""
    if a is None:
        return b
    shortest = {name: min(a[name], b[name]) for name in a if name.endswith("_seconds")}
    return b | shortest | {"copy_gbytes": max(a["copy_gbytes"], b["copy_gbytes"])}


@contextlib.contextmanager
def recipe_file():
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        recipe = pathlib.Path(folder) / "net.yaml"
        recipe.write_text(RECIPE)
        yield recipe


def prove(fanin: pathlib.Path, nets: list[Net]) -> None:
    """Sees that paper and program agree."""
    with recipe_file() as recipe:
        for net in nets:
            row_of(net, 1, run(fanin, recipe, 1, 0, "--step", *changes(net)))


def measure(fanin: pathlib.Path, rounds: int, seconds: float) -> dict:
    limits, rows = Limits(), {}
    with recipe_file() as recipe:
        for turn in range(rounds):
            limits.take(run(fanin, recipe, max(THREADS), MACHINE_SECONDS))
            for net in all_nets():
                for n in THREADS:
                    events = run(fanin, recipe, n, seconds, "--step", *changes(net))
                    rows[net, n] = better(rows.get((net, n)), row_of(net, n, events))
            print(f"round {turn + 1} of {rounds}: {len(rows)} steps measured", flush=True)
    return {"limits": limits.content(), "rows": list(rows.values())}
