#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/training.txt: what PyTorch does around an optimizer: scheduled momentum, clipping, averages of weights, plateaus,
warm-up.

As in optim.py, optimizers step on the quadratic ½ wᵀAw - bᵀw. Its gradient is computed in double and rounded, so that the
file does not depend on the processor's order of sums.

    python tools/golden/training.py        (versions: tools/golden/requirements.txt)
"""
import copy
import pathlib
import warnings

import torch

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/training.txt"
N = 7
STEPS = 10
POINTS = 30

# cycle: one cycle of the rate and the inverse one of the momentum, down to 1/cycle
OPTIMIZERS = [
    ("sgd", "SGD", {"lr": 0.2, "momentum": 0.95, "cycle": 1.25}),
    ("sgd", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": 1, "cycle": 2}),
    ("rmsprop", "RMSprop", {"lr": 0.05, "momentum": 0.9, "cycle": 1.5}),
]


def numbers(values):
    return " ".join(f"{float(v):.9g}" for v in values)


def attributes(given):
    return "".join(f" {key}={value}" for key, value in given.items())


def problem():
    generator = torch.Generator().manual_seed(1)
    m = torch.randn(N, N, generator=generator, dtype=torch.float64)
    a = ((m @ m.T) / N + 0.1 * torch.eye(N, dtype=torch.float64)).float()
    return a, torch.randn(N, generator=generator), torch.randn(N, generator=generator)


def optimizers(lines):
    a, b, start = problem()
    lines += [f"size {N}"] + [f"matrix {numbers(row)}" for row in a]
    lines += [f"vector {numbers(b)}", f"start {numbers(start)}"]
    for ours, theirs, given in OPTIMIZERS:
        w = start.clone().requires_grad_()
        options = {key: bool(value) if key == "nesterov" else value for key, value in given.items() if key != "cycle"}
        optimizer = getattr(torch.optim, theirs)([w], **options)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, given["lr"], STEPS, max_momentum=given["momentum"],
                                                        base_momentum=given["momentum"] / given["cycle"])
        lines.append(f"optim {ours}{attributes(given)}")
        for step in range(STEPS):
            w.grad = (a.double() @ w.detach().double() - b.double()).float()
            optimizer.step()
            lines.append(f"weights {numbers(w)}")
            if step < STEPS - 1:
                scheduler.step()


def schedules(lines):
    """The momentum of one cycle, relative to the largest."""
    for given, options in [({"div": 0.95 / 0.85, "inverse": 1}, {}),
                           ({"pct_start": 0.6, "div": 2, "anneal": "linear", "inverse": 1},
                            {"pct_start": 0.6, "max_momentum": 0.8, "base_momentum": 0.4, "anneal_strategy": "linear"})]:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, POINTS, **options)
        momenta = []
        for step in range(POINTS):
            momenta.append(optimizer.param_groups[0]["momentum"] / options.get("max_momentum", 0.95))
            if step < POINTS - 1:
                optimizer.step()
                scheduler.step()
        lines.append(f"schedule one_cycle{attributes(given)}")
        lines.append(f"run {POINTS} 5 1")
        lines.append("factors " + " ".join(f"{m:.17g}" for m in momenta))


def warm_up(lines):
    """A linear warm-up before a schedule: SequentialLR of LinearLR and the schedule over the steps that are left."""
    s = torch.optim.lr_scheduler
    for name, given, per_epoch, after in [
            ("constant", {"warmup_epochs": 2}, 5, lambda o, n: s.LambdaLR(o, lambda t: 1)),
            ("cosine", {"min": 0.1, "warmup_epochs": 1.5}, 6, lambda o, n: s.CosineAnnealingLR(o, n, 0.1)),
            ("step", {"every": 2, "gamma": 0.5, "warmup_epochs": 1}, 4, lambda o, n: s.StepLR(o, 8, 0.5)),
            ("exponential", {"gamma": 0.8, "warmup_epochs": 7}, 1, lambda o, n: s.ExponentialLR(o, 0.8)),
            ("polynomial", {"power": 2, "warmup_epochs": 3}, 4, lambda o, n: s.PolynomialLR(o, n, 2))]:
        steps = round(given["warmup_epochs"] * per_epoch)
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        ramp = s.LinearLR(optimizer, 1 / (steps + 1), 1, steps)
        scheduler = s.SequentialLR(optimizer, [ramp, after(optimizer, POINTS - steps)], [steps])
        factors = []
        for _ in range(POINTS):
            factors.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        lines.append(f"schedule {name}{attributes(given)}")
        lines.append(f"run {POINTS} {per_epoch} 1")
        lines.append("factors " + " ".join(f"{f:.17g}" for f in factors))


def clipping(lines):
    """A linear layer after one step of size 1 on the mean squared error: by value, by norm, by value and then norm."""
    generator = torch.Generator().manual_seed(2)
    x, target = torch.randn(4, 5, generator=generator), 3 * torch.randn(4, 3, generator=generator)
    start = torch.nn.Linear(5, 3)
    with torch.no_grad():
        for p in start.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    lines += [f"linear {numbers(x.flatten())}", f"target {numbers(target.flatten())}"]
    lines += [f"start_{name} {numbers(p.flatten())}" for name, p in start.named_parameters()]
    for value, norm in [(0, 0), (0.5, 0), (0, 1.5), (0.5, 1), (0.25, 1e3)]:
        net = copy.deepcopy(start)
        torch.nn.functional.mse_loss(net(x), target).backward()
        if value:
            torch.nn.utils.clip_grad_value_(net.parameters(), value)
        if norm:
            torch.nn.utils.clip_grad_norm_(net.parameters(), norm)
        torch.optim.SGD(net.parameters(), lr=1.0).step()
        lines.append(f"clip {value:g} {norm:g}")
        lines += [f"clipped_{name} {numbers(p.flatten())}" for name, p in net.named_parameters()]


def averages(lines):
    """Weights after each of ten steps and what torch.optim.swa_utils makes of them."""
    a, b, start = problem()
    utils = torch.optim.swa_utils
    for text, function in [("swa", utils.get_swa_multi_avg_fn()), ("ema decay=0.9 correction=none", utils.get_ema_multi_avg_fn(0.9)),
                           ("ema decay=0.5 correction=none", utils.get_ema_multi_avg_fn(0.5))]:
        net = torch.nn.Linear(N, 1, bias=False)
        with torch.no_grad():
            net.weight.copy_(start[None])
        average = utils.AveragedModel(net, multi_avg_fn=function)
        lines.append(f"average {text}")
        for _ in range(STEPS):
            w = net.weight.detach()
            with torch.no_grad():
                w -= 0.3 * (a.double() @ w[0].double() - b.double()).float()
            average.update_parameters(net)
            lines += [f"trained {numbers(w[0])}", f"averaged {numbers(average.module.weight[0])}"]


def plateaus(lines):
    """The rate after each epoch of figures that fall, stay, rise and fall again."""
    figures = [1.0, 0.7, 0.6, 0.6, 0.59999, 0.61, 0.6, 0.5, 0.5, 0.5, 0.5, 0.7, 0.5, 0.5, 0.5, 0.49, 0.49, 0.49, 0.49, 0.49,
               0.49, 0.3, 0.31, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]
    for given, more in [({"factor": 0.5, "patience": 2}, False), ({"factor": 0.1, "patience": 0, "cooldown": 3}, False),
                        ({"factor": 0.3, "patience": 1, "min_lr": 0.02, "threshold": 0.05}, False),
                        ({"factor": 0.5, "patience": 1, "threshold": 0.15, "threshold_mode": "abs"}, False),
                        ({"factor": 0.5, "patience": 1, "cooldown": 1, "metric": "accuracy"}, True)]:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
        options = {key: value for key, value in given.items() if key != "metric"}
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max" if more else "min", **options)
        lines.append(f"plateau{attributes(given)}")
        values = [1 - f / 2 for f in figures] if more else figures
        for value in values:
            scheduler.step(value)
            lines.append(f"epoch {value:.17g} {optimizer.param_groups[0]['lr'] / 0.4:.17g}")


def main():
    warnings.filterwarnings("ignore")
    lines = [f"# Written by tools/golden/training.py with PyTorch {torch.__version__.split('+')[0]}."]
    optimizers(lines)
    schedules(lines)
    clipping(lines)
    averages(lines)
    plateaus(lines)
    warm_up(lines)
    OUT.write_text("\n".join(lines) + "\n")


main()
