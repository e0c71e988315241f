#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/study.txt: distributions and tests by SciPy.

SciPy's distribution functions miss 1e-12 in places (Student's t near 0, with one degree of freedom by 1e-11), so what is
written of these are mpmath's values, of 50 digits, which SciPy's must be near.

    python tools/golden/study.py        (scipy 1.17.1, mpmath 1.4.1)
"""
import pathlib

import mpmath as mp
import numpy as np
import scipy
from scipy import stats

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/study.txt"
mp.mp.dps = 50


def numbers(values):
    return " ".join(repr(float(v)) for v in values)


def t_cdf(t, df):
    t, df = mp.mpf(t), mp.mpf(df)
    half = mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
    return half if t < 0 else 1 - half


def checked(have, exact):
    assert abs(have - exact) <= mp.mpf(1e-10) * abs(exact), (have, exact)
    return float(exact)


def distributions(lines):
    for df in (1, 2, 3, 4, 4.7, 9, 19, 63.25, 200, 999):
        for t in (-40, -9.5, -3.1, -1.2, -0.6, -1e-3, 0, 1e-6, 0.3, 0.9, 1.7, 4.4, 12):
            lines.append(f"t_cdf {numbers((t, df, checked(stats.t.cdf(t, df), t_cdf(t, df))))}")
        for p in (1e-12, 1e-5, 0.005, 0.01, 0.025, 0.2, 0.3, 0.49, 0.501, 0.9, 0.975, 0.99, 0.995):
            near = stats.t.ppf(p, df)
            exact = mp.findroot(lambda t: t_cdf(t, df) - mp.mpf(p), near, tol=1e-60)
            lines.append(f"t_quantile {numbers((p, df, checked(near, exact)))}")
    for x in (-37, -20, -8, -3, -1.5, -0.2, 0, 0.2, 1.5, 3, 8):
        lines.append(f"normal_cdf {numbers((x, checked(stats.norm.cdf(x), mp.ncdf(x))))}")
    for p in (1e-300, 1e-20, 1e-6, 0.01, 0.2, 0.3, 0.5, 0.501, 0.8, 0.975, 0.999):
        lines.append(f"normal_quantile {numbers((p, stats.norm.ppf(p)))}")
    for n, k, p in ((1, 1, .5), (5, 5, .5), (10, 9, .5), (20, 3, .5), (100, 61, .5), (1000, 900, .5), (30, 20, .8),
                    (1500, 1200, .79), (7, 1, 1e-4)):
        lines.append(f"binomial_tail {numbers((n, k, p, stats.binom.sf(k - 1, n, p)))}")


def tests(lines):
    rng = np.random.default_rng(1)
    for n, m, shift, scale in ((2, 2, .5, 1), (3, 3, .1, .01), (5, 5, .03, .02), (5, 8, -.4, 3), (12, 7, 0, 1e-160),
                               (40, 40, 1e150, 1e150)):
        x, y = rng.normal(size=n) * scale, shift + rng.normal(size=m) * scale * 1.7
        lines += [f"x {n} {numbers(x)}", f"y {m} {numbers(y)}"]
        # SciPy's squares overflow and vanish where ours must not
        unit = scale if scale < 1e-100 or scale > 1e100 else 1
        u, v = x / unit, y / unit
        lines.append(f"summary {numbers((u.mean() * unit, u.std(ddof=1) * unit))}")
        w = stats.ttest_ind(v, u, equal_var=False, alternative="greater")
        ci = stats.ttest_ind(v, u, equal_var=False).confidence_interval(0.95)
        lines.append(f"welch {numbers((w.df, w.pvalue, ci.low * unit, ci.high * unit))}")
        one = stats.ttest_1samp(u, 0, alternative="greater")
        ci = stats.ttest_1samp(u, 0).confidence_interval(0.95)
        lines.append(f"one {numbers((one.pvalue, ci.low * unit, ci.high * unit))}")
        if n == m:
            p = stats.ttest_rel(v, u, alternative="less").pvalue
            s = stats.binomtest(int((y > x).sum()), n, alternative="greater").pvalue
            lines.append(f"pairs {numbers((p, s))}")


def seeds(lines):
    """The number of seeds whose power, by the noncentral t, is 80 %."""
    for n, effect, level in ((2, 3, .01), (3, 1.5, .01), (5, .9, .01), (5, .5, .05), (5, .2, .01), (5, .11, .01)):
        def power(k):
            return stats.nct.sf(stats.t.ppf(1 - level, k - 1), k - 1, effect * np.sqrt(k))
        need = next(k for k in range(n + 1, n + 1001) if power(k) >= 0.8)
        lines.append(f"seeds {numbers((n, effect, level, need - n))}")


def main():
    lines = [f"# Written by tools/golden/study.py with scipy {scipy.__version__}, mpmath {mp.__version__}."]
    distributions(lines)
    tests(lines)
    seeds(lines)
    OUT.write_text("\n".join(lines) + "\n")


main()
