# SPDX-License-Identifier: Apache-2.0
"""The plot of the README: how many times our time each peer takes, a row a workload, a panel a number of threads, log scale."""
import html
import math

WIDTH, LEFT, RIGHT, GAP, TOP, ROW, FOOT = 880, 204, 28, 50, 96, 23, 34
TICKS = .5, 1, 2, 5, 10, 30, 100, 300, 1000
STYLE = """text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Helvetica,Arial,sans-serif;fill:#57606a}
.t{font-weight:600;font-size:16px;fill:#1c2127}.i{fill:#1c2127}.m{text-anchor:middle}.e{text-anchor:end}.p{fill:#fff}
.g{stroke:#e3e7eb}.o{stroke:#1c2127;stroke-width:1.5}
.s0{fill:#d55e00}.s1{fill:#0072b2}.s2{fill:#b58900}.s3{fill:#00805e}
.s4{fill:#a8528c}.s5{fill:#57606a}.s6{fill:#6b4fa0}.s7{fill:#7a3b10}
@media(prefers-color-scheme:dark){text{fill:#a3adb8}.t,.i{fill:#e7eaed}.p{fill:#12161b}.g{stroke:#2a323b}.o{stroke:#e7eaed}
.s0{fill:#f58f45}.s1{fill:#56b4e9}.s2{fill:#e3c54a}.s3{fill:#2fc79a}
.s4{fill:#e08fc4}.s5{fill:#a3adb8}.s6{fill:#b8a1e6}.s7{fill:#d9a273}}"""
# Shapes of 11 units around the origin: colour is never the only difference.
SHAPES = ("M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z", "M-4.5-4.5h9v9h-9z", "M0-6L5.5 4h-11z", "M0-6L6 0L0 6L-6 0z")


def mark(peer: int, x: float, y: float, title: str) -> str:
    """A peer's mark; the title appears under the pointer."""
    return (f'<path class="s{peer % 8}" d="{SHAPES[peer % len(SHAPES)]}" transform="translate({x:.1f} {y:.1f})">'
            f"<title>{html.escape(title)}</title></path>\n")


def text(x: float, y: float, content: str, style: str = "") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{html.escape(content)}</text>\n'


class Scale:
    """From a ratio to a place within a panel, logarithmic, from the last tick below the least ratio to the largest's."""

    def __init__(self, ratios: list[float], left: float, width: float):
        low, high = min(ratios, default=1), max(ratios, default=2)
        self.first = max((t for t in TICKS if t <= low), default=TICKS[0])
        self.last = min((t for t in TICKS if t >= high), default=TICKS[-1])
        self.left, self.width = left, width

    def __call__(self, ratio: float) -> float:
        inside = min(max(ratio, self.first), self.last)
        return self.left + self.width * math.log(inside / self.first) / math.log(self.last / self.first)

    def ticks(self) -> list[float]:
        return [t for t in TICKS if self.first <= t <= self.last]


def panel(scale: Scale, title: str, rows: list[dict[str, float]], order: list[str], names: dict) -> str:
    """Grid, the line of our own time, and a mark for each peer of each row."""
    bottom, out = TOP + ROW * len(rows), text(scale.left, TOP - 12, title, "i")
    for tick in scale.ticks():
        x, style = scale(tick), "o" if tick == 1 else "g"
        out += f'<path class="{style}" d="M{x:.1f} {TOP}V{bottom}"/>\n' + text(x, bottom + 18, f"{tick:g}×", "m")
    for i, ratios in enumerate(rows):
        y = TOP + ROW * (i + .5)
        out += f'<path class="g" d="M{scale.left:.1f} {y:.1f}h{scale.width:.1f}"/>\n'
        for peer, ratio in ratios.items():
            out += mark(order.index(peer), scale(ratio), y, f"{names[peer]}: {ratio:.3g} times our time")
    return out


def legend(order: list[str], names: dict, ours: str) -> str:
    out, x = text(26, 58, ours, "i") + '<path class="o" d="M16 47V62"/>\n', 36 + 8 * len(ours)
    for i, peer in enumerate(order):
        out += mark(i, x + 16, 54, names[peer]) + text(x + 26, 58, names[peer], "i")
        x += 32 + 7.6 * len(names[peer])
    return out


def svg(results, names: dict[str, str], ours: str) -> str:
    """The picture; results as render.Results has them."""
    workloads = [w for w in results.names() if any(results.best(w, n)[0] for n in results.threads)]
    panels = [[ratios(results, w, n, ours) for w in workloads] for n in results.threads]
    order = [p for p in names if any(p in row for rows in panels for row in rows)]
    width = (WIDTH - LEFT - RIGHT - GAP * (len(panels) - 1)) / max(1, len(panels))
    height = TOP + ROW * len(workloads) + FOOT
    size = f'width="{WIDTH}" height="{height}"'
    out = (f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}" fill="none" role="img" '
           f'aria-labelledby="t d">\n<title id="t">Time of each peer as a multiple of {ours}\'s</title>\n'
           f'<desc id="d">{html.escape(described(workloads, panels, results.threads, names))}</desc>\n<style>{STYLE}</style>\n'
           f'<rect class="p" {size} rx="6"/>\n')
    out += text(16, 29, f"Time of each peer as a multiple of {ours}'s: right of the line is slower than {ours}", "t") + legend(order, names, ours)
    for i, workload in enumerate(workloads):
        out += text(LEFT - 12, TOP + ROW * (i + .5) + 4, workload.replace("_", " "), "e i")
    for i, (n, rows) in enumerate(zip(results.threads, panels)):
        scale = Scale([v for row in rows for v in row.values()], LEFT + i * (width + GAP), width)
        out += panel(scale, "1 thread" if n == 1 else f"{n} threads", rows, order, names)
    return out + "</svg>\n"


def ratios(results, workload: str, threads: int, ours: str) -> dict[str, float]:
    """The ratio of the best mode of each peer."""
    return {p: row["ratio"] for p, row in results.modes(workload, threads).items() if p != ours}


def described(workloads: list[str], panels: list, threads: list[int], names: dict) -> str:
    parts = []
    for n, rows in zip(threads, panels):
        for workload, row in zip(workloads, rows):
            parts.append(f"{workload}, threads {n}: " + ", ".join(f"{names[p]} {v:.3g}" for p, v in row.items()))
    return "; ".join(parts) + "."
