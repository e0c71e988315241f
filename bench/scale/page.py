# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md: the tables between its marks, and its plots, from scaling.json (and the comparison's results, if there)."""
import pathlib

import curves
from curves import Panel, Series
from limits import GIGA, Measured, workload_parts
from nets import BASE, GRIDS, OUTPUTS, Net
from render import DASH, OURS, Results, between, ms, table, threads_words
from runs import PARTS, PASSES

PAGE, FOLDER = "docs/performance.md", "docs/performance"
MODELLED = 4, 8, 16
ALONE = .8  # of the peak of so many cores: less means that others used them
MEGA = 1e6
MACHINE = """Measured {date} on {machine} ({isa}), fanin {version}, commit {commit}, {compiler}: each net {rounds} times {seconds} s \
by turns with `fanin bench --step`, the fastest block of 2 ms or more. Other load on the machine makes medians longer; they stand \
beside.

{limits_table}
Calls, from the smallest nets: {step:.2f} µs a step and {layer:.2f} µs a layer (a dense layer with its activation, forward, \
backward and update). Loading a sample takes {load:.2f} µs and its loss {loss:.2f} µs, at {inputs} inputs and {classes} classes; \
the budget counts their bytes only.

B*, one thread, SGD with momentum (Adam): {balance}.
"""


def name_of(net: Net) -> str:
    return f"{net.width} × {net.depth}, batch {net.batch}"


def milli(seconds: float) -> str:
    return ms(1e3 * seconds)


def percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def short(value: float) -> str:
    """Three digits with k or M."""
    for size, name in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.0f}"


def budget(m: Measured, net: Net, threads: int) -> float:
    return m.parts(net, threads).sum()


# ---- plots ------------------------------------------------------------------------------------------------------------


def pair(m: Measured, nets: list[Net], x, scale) -> list[Series]:
    """What was measured and the budget, for each number of threads."""
    found = []
    for style, n in enumerate(m.threads):
        words = threads_words(n)
        found.append(Series(words, style, [(x(net), scale(net) * m.time(net, n)) for net in nets]))
        found.append(Series(f"budget, {words}", style, [(x(net), scale(net) * budget(m, net, n)) for net in nets], True))
    return found


def steps_plot(m: Measured) -> str:
    def millis(net: Net) -> float:
        return 1e3

    zeros = Panel("ms a step, against the share of non-zeros", "non-zeros of activations and gradients",
                  pair(m, GRIDS["zeros"], lambda net: round(1 - net.rate, 2), millis), logarithmic=False)
    return curves.svg("A training step: measured, and its budget at the limits of the machine", [
        Panel("ms a step, against width", f"units a layer; {BASE.depth} layers, batch {BASE.batch}",
              pair(m, GRIDS["width"], lambda net: net.width, millis)),
        Panel("ms a step, against depth", f"layers of {BASE.width} units; batch {BASE.batch}",
              pair(m, GRIDS["depth"], lambda net: net.depth, millis)),
        Panel("µs a sample, against batch", f"samples a step; {BASE.depth} layers of {BASE.width}",
              pair(m, GRIDS["batch"], lambda net: net.batch, lambda net: 1e6 / net.batch)), zeros])


def memory_plot() -> str:
    def lines(nets: list[Net], x) -> list[Series]:
        parts = {"parameters, and as much state": Net.parameter_bytes,
                 "activations and their gradients": Net.activation_bytes, "sum": Net.memory}
        return [Series(name, k, [(x(net), of(net) / MEGA) for net in nets], name == "sum")
                for k, (name, of) in enumerate(parts.items())]

    return curves.svg("Memory of a training step, MB", [
        Panel("against width", f"units a layer; {BASE.depth} layers, batch {BASE.batch}",
              lines(GRIDS["width"], lambda net: net.width)),
        Panel("against batch", f"samples a step; {BASE.depth} layers of {BASE.width}",
              lines(GRIDS["batch"], lambda net: net.batch))])


# ---- tables -----------------------------------------------------------------------------------------------------------


def machine(m: Measured) -> str:
    one = [x for x in m.memory if x["threads"] == 1]
    rows = [["peak, GFLOP/s"] + [f"{m.peak[n] / GIGA:.0f}" for n in m.threads]]
    for level in one:
        size = f"{level['bytes'] / 1024:.0f} kB a thread" if level["level"] in ("L1", "L2") else f"{level['bytes'] / 2**20:.0f} MB in all"
        copies = [f"{x['copy_gbytes']:.0f}" for x in m.memory if x["level"] == level["level"]]
        rows.append([f"copy, GB/s: {level['level']}, {size}", *copies])
    small = GRIDS["width"][0]
    load, loss = (1e6 * m.rows[small, 1][f"{name}_seconds"] / small.batch for name in PARTS)
    return MACHINE.format(
        **m.content, limits_table=table([""] + [threads_words(n) for n in m.threads], rows), step=1e6 * m.step_cost,
        layer=1e6 * m.layer_cost, load=load, loss=loss, inputs=small.width, classes=OUTPUTS,
        balance="; ".join(f"{x['level']} {m.balance(x, 1):.0f} ({m.balance(x, 2):.0f})" for x in one))


def step_cells(m: Measured, net: Net) -> list[str]:
    cells = []
    for n in m.threads:
        row = m.rows[net, n]
        cells += [f"{milli(m.time(net, n))} ({milli(row['median_seconds'])})", percent(budget(m, net, n) / m.time(net, n))]
    return cells + [m.parts(net, 1).largest()]


def step_head(m: Measured) -> list[str]:
    return [text for n in m.threads for text in (f"ms, {threads_words(n)} (median)", "budget")] + ["most of it"]


def steps(m: Measured) -> str:
    nets = dict.fromkeys(net for grid in ("width", "depth", "batch") for net in GRIDS[grid])
    rows = [[name_of(net), short(net.parameters()), *step_cells(m, net)] for net in nets]
    return ("![Time of a step against width, depth, batch and the share of non-zeros, beside the budget](performance/steps.svg)\n\n"
            "<details><summary>All figures</summary>\n\n" + table(["width × depth", "parameters", *step_head(m)], rows)
            + "\n</details>\n")


def passes(m: Measured) -> str:
    """Mean rates, so they are lower than those of the fastest block; of batches that have the passes apart."""
    rows = []
    for net in (net for net in GRIDS["batch"] if not net.one_pass(1)):
        seconds = (m.rows[net, 1][name] for name in PASSES)
        rows.append([str(net.batch)] + [f"{flops / GIGA / s:.0f}" for flops, s in zip(net.pass_flops(), seconds)])
    return table(["batch: GFLOP/s, 1 thread", "forward", "by the inputs", "by the weights, update"], rows)


def shapes(m: Measured) -> str:
    return table(["a million parameters", *step_head(m)], [[name_of(net), *step_cells(m, net)] for net in GRIDS["parameters"]])


def zeros(m: Measured) -> str:
    dense = GRIDS["zeros"][0]
    head = ["non-zeros"] + [f"ms, {threads_words(n)}" for n in m.threads] + ["of the step at 90 %"]
    return table(head, [[percent(1 - net.rate), *(milli(m.time(net, n)) for n in m.threads),
                         percent(m.time(net, 1) / m.time(dense, 1))] for net in GRIDS["zeros"]])


def threads(m: Measured) -> str:
    nets = [*GRIDS["width"][2:7:2], BASE, *GRIDS["batch"][0:9:4]]
    head = ["times as fast as one thread"] + [f"{n}, measured" for n in m.threads[1:]]
    head += [f"{n}, model" for n in (*m.threads[1:], *MODELLED)]
    gain = m.peak[m.threads[-1]] / m.peak[1]
    busy = f"\nOther work was on the machine: {threads_words(m.threads[-1])} had {gain:.2f} times the peak of one, and the model " \
        "starts from that.\n" if gain < ALONE * m.threads[-1] else ""
    return table(head, [[name_of(net)] + [f"{m.time(net, 1) / m.time(net, n):.2f}" for n in m.threads[1:]]
                        + [f"{m.modelled(net, 1) / m.modelled(net, n):.2f}" for n in (*m.threads[1:], *MODELLED)] for net in nets]) + busy


def memory(m: Measured) -> str:
    measured = {net for net, _ in m.rows}
    told = [net for net in measured if all(m.rows[net, 1][k] == v for k, v in net.told().items())]
    nets = [GRIDS["width"][2], BASE, GRIDS["width"][7], GRIDS["batch"][10], GRIDS["depth"][4]]
    parts = Net.parameter_bytes, Net.state_bytes, Net.activation_bytes, Net.memory
    return ("![Memory of a step against width and batch](performance/memory.svg)\n\n"
            + table(["MB", "parameters", "state", "activations", "sum"],
                    [[name_of(net)] + [ms(of(net) / MEGA) for of in parts] for net in nets])
            + f"\nThe formulas and what `fanin bench` told are equal to the byte for {len(told)} of {len(measured)} nets.\n")


def workloads(m: Measured, described: list[dict], compared: dict | None) -> str:
    results, rows = Results(compared) if compared else None, []
    for work in (w for w in described if w["kind"] == "train"):
        parts = workload_parts(m, work)
        ours = results.best(work["name"], 1)[0] if results else None
        seconds = parts.arithmetic, parts.bytes, parts.calls, parts.sum()
        rows.append([f"**{work['name']}** {work['title']}", *(milli(t) for t in seconds), parts.largest(),
                     ms(ours["ms_median"]) if ours else DASH])
    note = f"\nMeasured: {OURS} in the last full run of `make bench`, {compared['date']}, {compared['machine']}.\n" if compared else \
        "\nMeasured: from `bench/results.json`, which a full run of `make bench` writes.\n"
    return table(["ms, 1 thread", "arithmetic", "bytes", "calls", "sum", "most of it", "measured"], rows) + note


def pages(content: dict, described: list[dict], compared: dict | None, root: pathlib.Path) -> dict[pathlib.Path, str]:
    """The page and its plots, by path."""
    m = Measured(content)
    sections = {"machine": machine(m), "steps": steps(m), "passes": passes(m), "shapes": shapes(m), "zeros": zeros(m),
                "threads": threads(m), "memory": memory(m), "workloads": workloads(m, described, compared)}
    path = root / PAGE
    page = path.read_text()
    for name, text in sections.items():
        page = between(path, (f"<!-- {name} -->", f"<!-- /{name} -->"), text, page)
    return {path: page, root / FOLDER / "steps.svg": steps_plot(m), root / FOLDER / "memory.svg": memory_plot()}
