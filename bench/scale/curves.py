# SPDX-License-Identifier: Apache-2.0
"""Pictures of one or more panels: measured marks and lines of the model over a logarithmic or even x axis, y logarithmic."""
import dataclasses
import html
import math
import re

import plot

GAP, LEFT, TOP, FOOT, HEIGHT, LEGEND = 34, 62, 34, 44, 230, 26
# The marks' colours for lines too.
STYLE = re.sub(r"\.s(\d)\{fill:(#\w+)\}", r".s\1{fill:\2}.l\1{stroke:\2}", plot.STYLE) + \
    "\n.l{stroke-width:1.5}.d{stroke-dasharray:5 4}"


@dataclasses.dataclass
class Series:
    name: str
    style: int
    points: list[tuple[float, float]]
    line: bool = False  # else marks


@dataclasses.dataclass
class Panel:
    title: str
    x: str
    series: list[Series]
    logarithmic: bool = True

    def xs(self) -> list[float]:
        return sorted({x for s in self.series for x, _ in s.points})

    def decades(self) -> tuple[int, int]:
        ys = [y for s in self.series for _, y in s.points]
        return math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)) + 1e-9)


def draw(panel: Panel, left: float, top: float, width: float) -> str:
    xs, (low, high) = panel.xs(), panel.decades()
    place = math.log2 if panel.logarithmic else float
    first, last = place(xs[0]), place(xs[-1])

    def at_x(x: float) -> float:
        return left + width * (place(x) - first) / (last - first)

    def at_y(y: float) -> float:
        return top + HEIGHT * (high - math.log10(y)) / (high - low)

    out = plot.text(left - LEFT + 12, top - 12, panel.title, "i")
    for power in range(low, high + 1):
        y = at_y(10. ** power)
        out += f'<path class="g" d="M{left:.1f} {y:.1f}h{width:.1f}"/>\n' + plot.text(left - 8, y + 4, f"{10. ** power:g}", "e")
    for x in xs:
        out += f'<path class="g" d="M{at_x(x):.1f} {top}v{HEIGHT}"/>\n' + plot.text(at_x(x), top + HEIGHT + 17, f"{x:g}", "m")
    out += plot.text(left + width / 2, top + HEIGHT + 34, panel.x, "m")
    for s in panel.series:
        if s.line:
            path = "L".join(f"{at_x(x):.1f} {at_y(y):.1f}" for x, y in s.points)
            out += f'<path class="l l{s.style} d" d="M{path}"/>\n'
            continue
        for x, y in s.points:
            out += plot.mark(s.style, at_x(x), at_y(y), f"{s.name}: {y:.3g} at {x:g}")
    return out


def legend(series: list[Series], y: float) -> str:
    """Each name once."""
    out, x = "", 26.
    for s in {(s.name, s.line): s for s in series}.values():
        sample = f'<path class="l l{s.style} d" d="M{x - 10:.1f} {y - 4}h24"/>\n' if s.line else plot.mark(s.style, x, y - 4, s.name)
        out += sample + plot.text(x + (20 if s.line else 11), y, s.name, "i")
        x += 7.1 * len(s.name) + (52 if s.line else 38)
    return out


def svg(title: str, panels: list[Panel], columns: int = 2) -> str:
    rows = -(-len(panels) // columns)
    each = TOP + HEIGHT + FOOT
    height = 44 + LEGEND + rows * each
    width = (plot.WIDTH - columns * (LEFT + GAP)) / columns
    size = f'width="{plot.WIDTH}" height="{height}"'
    out = (f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {plot.WIDTH} {height}" fill="none" role="img" '
           f'aria-labelledby="t">\n<title id="t">{html.escape(title)}</title>\n<style>{STYLE}</style>\n'
           f'<rect class="p" {size} rx="6"/>\n' + plot.text(16, 29, title, "t"))
    out += legend([s for panel in panels for s in panel.series], 54)
    for i, panel in enumerate(panels):
        out += draw(panel, LEFT + i % columns * (width + LEFT + GAP), 44 + LEGEND + TOP + i // columns * each, width)
    return out + "</svg>\n"
