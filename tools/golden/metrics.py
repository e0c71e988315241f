#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/metrics.txt: figures by scikit-learn for small sets of predictions.

Probabilities are float, as the library has them. What scikit-learn lacks (the calibration error, entropy, the mean largest
probability) is computed here in double from its definition.

    python tools/golden/metrics.py        (scikit-learn 1.9.1)
"""
import pathlib

import numpy as np
import sklearn
from sklearn import metrics as m

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/metrics.txt"


def numbers(values):
    return " ".join(f"{float(v):.9g}" for v in values)


def calibration_error(right, confidence, bins=15):
    at = np.ceil(confidence * bins) - 1
    return sum(abs(right[at == k].mean() - confidence[at == k].mean()) * (at == k).mean()
               for k in range(bins) if (at == k).any())


def classification(lines, seed, rows, classes, sharpness, present):
    rng = np.random.default_rng(seed)
    labels = rng.choice(present, rows)
    z = rng.normal(size=(rows, classes)) * sharpness
    z[np.arange(rows), labels] += sharpness
    p = np.exp(z - z.max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True)).astype(np.float32)
    lines.append(f"classes {rows} {classes}")
    lines += [f"row {label} {numbers(row)}" for label, row in zip(labels, p)]
    p = p.astype(np.float64)
    guess = p.argmax(1)
    one_hot = np.eye(classes)[labels]
    everything = np.arange(classes)
    seen = sorted(set(labels))
    macro = {"average": "macro", "zero_division": 0}
    want = {
        "accuracy": m.accuracy_score(labels, guess),
        "precision": m.precision_score(labels, guess, **macro),
        "recall": m.recall_score(labels, guess, **macro),
        "f1": m.f1_score(labels, guess, **macro),
        "top5": m.top_k_accuracy_score(labels, p, k=5, labels=everything) if classes > 5 else 1,
        "auc": np.mean([m.roc_auc_score(labels == c, p[:, c]) for c in seen]),
        "log_loss": -np.log(p[np.arange(rows), labels]).mean(),
        "brier": ((p - one_hot) ** 2).sum(1).mean(),
        "ece": calibration_error((guess == labels).astype(float), p.max(1)),
        "confidence": p.max(1).mean(),
        "entropy": -(p * np.log(p)).sum(1).mean(),
    }
    if len(seen) == classes:
        # the rows of rounded probabilities sum to 1 within the tolerance of the test
        q = p / p.sum(1, keepdims=True)
        want["brier"] = m.brier_score_loss(one_hot, q, scale_by_half=False)
        want["log_loss"] = m.log_loss(labels, q, labels=everything)
        if classes > 2:
            want["auc"] = m.roc_auc_score(labels, q, multi_class="ovr", average="macro")
    lines += [f"want {name} {float(value):.17g}" for name, value in want.items()]


def regression(lines, seed, rows, outputs, offset):
    rng = np.random.default_rng(seed)
    t = (rng.normal(size=(rows, outputs)) * np.arange(1, outputs + 1) + offset).astype(np.float32)
    y = (t + rng.normal(size=(rows, outputs))).astype(np.float32)
    lines.append(f"targets {rows} {outputs}")
    for target, prediction in zip(t, y):
        lines.append(f"row {numbers(target)} {numbers(prediction)}")
    t, y = t.astype(np.float64), y.astype(np.float64)
    lines.append(f"want rmse {m.mean_squared_error(t, y) ** 0.5:.17g}")
    lines.append(f"want mae {m.mean_absolute_error(t, y):.17g}")
    lines.append(f"want r2 {m.r2_score(t, y):.17g}")


def multilabel(lines, seed, rows, outputs):
    rng = np.random.default_rng(seed)
    t = (rng.random((rows, outputs)) < np.linspace(0.2, 0.7, outputs)).astype(np.float32)
    p = (1 / (1 + np.exp(-2 * rng.normal(size=(rows, outputs)) - 2 * (2 * t - 1)))).astype(np.float32)
    lines.append(f"multilabel {rows} {outputs}")
    for target, prediction in zip(t, p):
        lines.append(f"row {numbers(target)} {numbers(prediction)}")
    t, p = t.astype(np.float64), p.astype(np.float64)
    guess = p > 0.5

    def each(score):  # a label at a time: of one label alone scikit-learn averages over yes and no
        return np.mean([score(t[:, c], guess[:, c], zero_division=0) for c in range(outputs)])

    want = {
        "binary_accuracy": 1 - m.hamming_loss(t, guess),
        "exact_match": m.accuracy_score(t, guess),
        "precision": each(m.precision_score),
        "recall": each(m.recall_score),
        "f1": each(m.f1_score),
        "auc": m.roc_auc_score(t, p, average="macro"),
        "log_loss": np.mean([m.log_loss(t[:, c], p[:, c], labels=[0, 1]) for c in range(outputs)]),
        "entropy": -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(1).mean(),
    }
    lines += [f"want {name} {float(value):.17g}" for name, value in want.items()]


def main():
    lines = [f"# Written by tools/golden/metrics.py with scikit-learn {sklearn.__version__}."]
    classification(lines, 1, 60, 7, 1.0, range(7))
    classification(lines, 2, 50, 2, 2.0, range(2))
    classification(lines, 3, 40, 9, 4.0, [0, 1, 3, 5, 8])
    regression(lines, 4, 30, 3, 0)
    regression(lines, 5, 20, 1, 1000)
    multilabel(lines, 6, 40, 3)
    multilabel(lines, 7, 30, 1)
    OUT.write_text("\n".join(lines) + "\n")


main()
