#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/regs.txt: penalties with their gradients by PyTorch's autograd on the expression of each, in double, and
constraints by PyTorch's own functions (renorm, normalize, clamp).

    python tools/golden/regs.py        (PyTorch 2.x, CPU)
"""
import pathlib

import torch

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/regs.txt"


def numbers(values):
    return " ".join(f"{float(v):.9g}" for v in values.detach().reshape(-1))


def orthogonal(w, lam):
    a = w if w.shape[0] >= w.shape[1] else w.T
    return lam * (a.T @ a - torch.eye(a.shape[1], dtype=w.dtype)).square().sum()


# name, attributes, expression; outputs of a layer as rows of samples, summed
PENALTIES = [
    ("l1", {"lambda": 0.3}, lambda w: 0.3 * w.abs().sum()),
    ("l2", {"lambda": 0.3}, lambda w: 0.5 * 0.3 * w.square().sum()),
    ("elastic", {"alpha": 0.7, "l1_ratio": 0.2}, lambda w: 0.7 * (0.2 * w.abs().sum() + 0.5 * 0.8 * w.square().sum())),
    ("elastic", {"alpha": 0.7}, lambda w: 0.7 * (0.5 * w.abs().sum() + 0.25 * w.square().sum())),
    ("activity_l1", {"lambda": 0.3}, lambda w: 0.3 * w.abs().sum()),
    ("activity_l2", {"lambda": 0.3}, lambda w: 0.5 * 0.3 * w.square().sum()),
    ("orthogonal", {"lambda": 0.05}, lambda w: orthogonal(w, 0.05)),
]
CONSTRAINTS = [
    ("max_norm", {"max": 1.5}, lambda w: torch.renorm(w, 2, 0, 1.5)),
    ("max_norm", {"max": 100.0}, lambda w: w.clone()),
    ("unit_norm", {}, lambda w: torch.nn.functional.normalize(w, dim=1)),
    ("non_negative", {}, lambda w: w.clamp(min=0)),
]
SHAPES = [(1, 1), (5, 3), (3, 7), (34, 4)]


def head(kind, name, attrs, w):
    given = " ".join(f"{k} {v:.9g}" for k, v in attrs.items())
    return f"{kind} {name} {w.shape[0]} {w.shape[1]} {len(attrs)} {given}".rstrip()


def main():
    torch.manual_seed(7)
    lines = [f"# Written by tools/golden/regs.py with PyTorch {torch.__version__.split('+')[0]}."]
    for shape in SHAPES:
        w = (torch.randn(shape, dtype=torch.float32) * 0.7).double()
        if w.numel() > 3:
            w[0, 1] = 0  # the absolute value's kink: gradient 0
        lines.append(f"weights {shape[0]} {shape[1]}")
        lines += [f"row {numbers(row)}" for row in w]
        for name, attrs, expression in PENALTIES:
            x = w.clone().requires_grad_()
            value = expression(x)
            value.backward()
            lines.append(head("penalty", name, attrs, w))
            lines.append(f"value {numbers(value)}")
            lines += [f"row {numbers(row)}" for row in x.grad]
        for name, attrs, function in CONSTRAINTS:
            lines.append(head("constraint", name, attrs, w))
            lines += [f"row {numbers(row)}" for row in function(w)]
    OUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
