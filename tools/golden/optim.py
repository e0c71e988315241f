#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/optim.txt: what PyTorch's optimizers and schedules do.

Optimizers: ten steps on the quadratic ½ wᵀAw - bᵀw, whose gradient is Aw - b, from the same start, in float on the CPU.
Schedules: the learning rate over 30 epochs or steps, for an optimizer with the rate 1. A schedule without a twin in PyTorch
goes through LambdaLR with its formula.

    python tools/golden/optim.py        (versions: tools/golden/requirements.txt)
"""
import pathlib
import warnings

import torch

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/optim.txt"
N = 7
STEPS = 10
POINTS = 30

# name here, class, arguments that both sides share; "l2" is PyTorch's weight_decay where it is coupled, "decay" where it
# is not.
OPTIMIZERS = [
    ("sgd", "SGD", {"lr": 0.1}),
    ("sgd", "SGD", {"lr": 0.1, "l2": 0.05}),
    ("sgd", "SGD", {"lr": 0.05, "momentum": 0.9}),
    ("sgd", "SGD", {"lr": 0.05, "momentum": 0.9, "l2": 0.05}),
    ("sgd", "SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": 1}),
    ("sgd", "SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": 1, "l2": 0.05}),
    ("adam", "Adam", {}),
    ("adam", "Adam", {"lr": 0.1}),
    ("adam", "Adam", {"lr": 0.05, "beta1": 0.8, "beta2": 0.9, "eps": 1e-3}),
    ("adam", "Adam", {"lr": 0.1, "l2": 0.1}),
    ("adamw", "AdamW", {"lr": 0.1, "decay": 0}),
    ("adamw", "AdamW", {"lr": 0.1, "decay": 0.1}),
    ("adamw", "AdamW", {"lr": 0.02, "beta1": 0.5, "beta2": 0.95, "decay": 0.5}),
    ("rmsprop", "RMSprop", {}),
    ("rmsprop", "RMSprop", {"lr": 0.05, "alpha": 0.9, "eps": 1e-4}),
    ("rmsprop", "RMSprop", {"momentum": 0.9}),
    ("rmsprop", "RMSprop", {"centered": 1}),
    ("rmsprop", "RMSprop", {"alpha": 0.9, "momentum": 0.5, "centered": 1, "l2": 0.1}),
    ("adagrad", "Adagrad", {}),
    ("adagrad", "Adagrad", {"lr": 0.5, "lr_decay": 0.1, "eps": 1e-3}),
    ("adagrad", "Adagrad", {"lr": 0.5, "initial_accumulator": 0.1, "l2": 0.1}),
]


def problem():
    generator = torch.Generator().manual_seed(1)
    m = torch.randn(N, N, generator=generator)
    return m @ m.T / N + 0.1 * torch.eye(N), torch.randn(N, generator=generator), torch.randn(N, generator=generator)


def torch_arguments(name, given):
    # PyTorch's AdamW decays by default; our records never do on their own.
    out = {"weight_decay": 0} if name == "AdamW" else {}
    for key, value in given.items():
        if key in ("l2", "decay"):
            out["weight_decay"] = value
        elif key == "initial_accumulator":
            out["initial_accumulator_value"] = value
        elif key in ("nesterov", "centered"):
            out[key] = bool(value)
        elif key not in ("beta1", "beta2"):
            out[key] = value
    if "beta1" in given:
        out["betas"] = (given["beta1"], given["beta2"])
    return out


def numbers(values):
    return " ".join(f"{float(v):.9g}" for v in values)


def text(value):
    return ",".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value)


def attributes(given):
    return "".join(f" {key}={text(value)}" for key, value in given.items())


def optimizers(lines):
    a, b, start = problem()
    lines += [f"size {N}"] + [f"matrix {numbers(row)}" for row in a]
    lines += [f"vector {numbers(b)}", f"start {numbers(start)}"]
    for ours, theirs, given in OPTIMIZERS:
        w = start.clone().requires_grad_()
        optimizer = getattr(torch.optim, theirs)([w], **torch_arguments(theirs, given))
        lines.append(f"optim {ours}{attributes(given)}")
        for _ in range(STEPS):
            w.grad = (a @ w - b).detach()
            optimizer.step()
            lines.append(f"weights {numbers(w)}")


def schedules(lines):
    s = torch.optim.lr_scheduler
    # name, attributes, total steps, steps an epoch, steps between two points, twin
    cases = [
        ("constant", {}, 300, 10, 10, lambda o: s.LambdaLR(o, lambda t: 1)),
        ("step", {"every": 4, "gamma": 0.5}, 300, 10, 10, lambda o: s.StepLR(o, 4, 0.5)),
        ("multistep", {"milestones": [5, 12, 20], "gamma": 0.3}, 300, 10, 10, lambda o: s.MultiStepLR(o, [5, 12, 20], 0.3)),
        ("multistep", {"milestones": [20, 5, 5]}, 300, 10, 10, lambda o: s.MultiStepLR(o, [5, 5, 20])),
        ("exponential", {"gamma": 0.9}, 300, 10, 10, lambda o: s.ExponentialLR(o, 0.9)),
        ("polynomial", {}, 30, 5, 1, lambda o: s.PolynomialLR(o, 30)),
        ("polynomial", {"power": 0.9}, 30, 5, 1, lambda o: s.PolynomialLR(o, 30, 0.9)),
        ("polynomial", {"power": 2, "end": 0.25}, 25, 5, 1,
         lambda o: s.LambdaLR(o, lambda t: 0.25 + 0.75 * (1 - min(t, 25) / 25) ** 2)),
        ("inverse", {"tau": 3}, 300, 10, 5, lambda o: s.LambdaLR(o, lambda t: 1 / (1 + 0.5 * t / 3))),
        ("cosine", {"min": 0.05}, 30, 5, 1, lambda o: s.CosineAnnealingLR(o, 30, 0.05)),
        ("cosine_restarts", {"period": 2, "mult": 1, "min": 0.1}, 30, 5, 1,
         lambda o: s.CosineAnnealingWarmRestarts(o, 10, 1, 0.1)),
        ("cosine_restarts", {"period": 1, "mult": 2}, 30, 4, 1, lambda o: s.CosineAnnealingWarmRestarts(o, 4, 2)),
        ("one_cycle", {}, 30, 5, 1, lambda o: s.OneCycleLR(o, 1.0, 30)),
        ("one_cycle", {"pct_start": 0.45, "div": 10, "final_div": 100, "anneal": "linear"}, 30, 5, 1,
         lambda o: s.OneCycleLR(o, 1.0, 30, pct_start=0.45, div_factor=10, final_div_factor=100, anneal_strategy="linear")),
    ]
    for name, given, total, per_epoch, stride, twin in cases:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = twin(optimizer)
        rates = []
        for _ in range(POINTS):
            rates.append(optimizer.param_groups[0]["lr"])
            if len(rates) < POINTS:
                optimizer.step()
                scheduler.step()
        lines.append(f"schedule {name}{attributes(given)}")
        lines.append(f"run {total} {per_epoch} {stride}")
        lines.append("factors " + " ".join(f"{float(r):.17g}" for r in rates))


def main():
    warnings.filterwarnings("ignore")
    lines = [f"# Written by tools/golden/optim.py with PyTorch {torch.__version__.split('+')[0]}."]
    optimizers(lines)
    schedules(lines)
    OUT.write_text("\n".join(lines) + "\n")


main()
