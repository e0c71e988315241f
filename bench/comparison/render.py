# SPDX-License-Identifier: Apache-2.0
"""From results.json alone: the README's section between its two marks, bench/RESULTS.md and the plot in docs/performance."""
import json
import pathlib

import plot
from options import fail

NAMES = {"fanin": "fanin", "torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow", "onnxruntime": "ONNX Runtime",
         "sklearn": "scikit-learn", "numpy": "NumPy", "kann": "KANN", "fann": "FANN"}
OURS = "fanin"
MARKS = "<!-- performance -->", "<!-- /performance -->"
README_KINDS = "train", "infer"
DASH = "–"
SECTION = """## Performance
One run of `make bench`, which first proves that all compute the same. Milliseconds a step (a prediction), medians of {rounds}
rounds by turns, the best mode of the best peer; *limit*: the time that arithmetic at the measured peak and the bytes at the
measured bandwidth would take, over the time it took (above 100 %: zeros were left out, or bytes came behind the arithmetic).
{apart}

![How many times fanin's time each peer takes, for each workload and for one and two threads](docs/performance/speed.svg)

{steps}
{jobs}{date}, {machine}; fanin {commit}, {versions}. [Every peer and mode](bench/RESULTS.md), [how it is measured](bench/README.md).
"""


def write_results(path: pathlib.Path, results: dict) -> None:
    """Rows one a line, so that a new run is a readable change."""
    rows = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in results["rows"])
    head = ",\n".join(f'  "{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in results.items() if key != "rows")
    path.write_text(f'{{\n{head},\n  "rows": [\n{rows}\n  ]\n}}\n')


def ms(value: float) -> str:
    """Three digits, never an exponent."""
    exponent = int(f"{value:.2e}".split("e")[1])
    return f"{value:.{max(0, 2 - exponent)}f}"


def times(ratio: float) -> str:
    return f"{ms(ratio)}×"


def best_modes(rows: list[dict]) -> dict[str, dict]:
    """The fastest mode that counts of each peer, in the order of NAMES."""
    best = {}
    for row in rows:
        if row["counts"] and row["ms_median"] < best.get(row["peer"], {"ms_median": float("inf")})["ms_median"]:
            best[row["peer"]] = row
    return {peer: best[peer] for peer in NAMES if peer in best}


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)] + rows
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


class Results:
    """The rows by workload and number of threads."""

    def __init__(self, content: dict):
        self.content, self.titles = content, content["titles"]
        self.threads = sorted({row["threads"] for row in content["rows"]})

    def rows(self, name: str, threads: int) -> list[dict]:
        return [r for r in self.content["rows"] if r["workload"] == name and r["threads"] == threads]

    def names(self, *kinds: str) -> list[str]:
        """Workloads of these kinds (all) that have figures."""
        measured = {r["workload"] for r in self.content["rows"]}
        return [name for name, (kind, _) in self.titles.items() if name in measured and (not kinds or kind in kinds)]

    def modes(self, name: str, threads: int) -> dict[str, dict]:
        return best_modes(self.rows(name, threads))

    def best(self, name: str, threads: int) -> tuple[dict | None, dict | None]:
        """Our row and the fastest peer's."""
        best = self.modes(name, threads)
        ours = best.pop(OURS, None)
        return ours, min(best.values(), key=lambda row: row["ms_median"], default=None)

    def label(self, name: str) -> str:
        return f"**{name}** {self.titles[name][1]}" if self.titles[name][0] == "train" else self.titles[name][1]


def named(row: dict) -> str:
    return f"{NAMES[row['peer']]} {row['mode']}" if row["mode"] != "default" else NAMES[row["peer"]]


def threads_words(n: int) -> str:
    return "1 thread" if n == 1 else f"{n} threads"


def steps_table(results: Results) -> str:
    head, rows = [""], []
    for n in results.threads:
        head += [threads_words(n), "best peer", "ratio", "limit"]
    for name in results.names(*README_KINDS):
        cells = [results.label(name)]
        for n in results.threads:
            ours, peer = results.best(name, n)
            cells += [ms(ours["ms_median"]) if ours else DASH, f"{ms(peer['ms_median'])} {named(peer)}" if peer else DASH,
                      f"**{times(peer['ratio'])}**" if peer and ours else DASH,
                      f"{100 * ours['of_limit']:.0f} %" if ours and ours["of_limit"] else DASH]
        rows.append(cells)
    return table(head, rows) if rows else ""


def jobs_table(results: Results) -> str:
    rows = []
    for name in results.names("job"):
        for n in results.threads:
            best = results.modes(name, n)
            rows.append([f"{results.label(name)}, {threads_words(n)}"] + [
                f"{ms(best[p]['ms_median'] / 1e3)} s, {best[p]['mb_peak']:.0f} MB" if p in best else DASH
                for p in job_peers(results)])
    return table(["From start to exit, and peak memory"] + [NAMES[p] for p in job_peers(results)], rows) + "\n" if rows else ""


def job_peers(results: Results) -> list[str]:
    found = {r["peer"] for r in results.content["rows"] if "mb_peak" in r}
    return [peer for peer in NAMES if peer in found]


def apart_words(results: Results) -> str:
    """How we stand against many steps compiled into one call, where somebody offers that."""
    parts = []
    for name in results.names("train"):
        scans = [r for r in results.rows(name, results.threads[0]) if r["mode"] in results.content["apart"] and not r["note"]]
        parts += [f"{name} {times(r['ratio'])}" for r in scans]
    return f"Against many steps in one compiled call (`lax.scan`; {threads_words(results.threads[0])}): {', '.join(parts)}." \
        if parts else ""


def section(results: Results) -> str:
    content = results.content
    return SECTION.format(
        rounds=content["rounds"], apart=apart_words(results), steps=steps_table(results), jobs=jobs_table(results),
        date=content["date"], machine=content["machine"], commit=content["commit"],
        versions=", ".join(f"{name} {version}" for name, version in content["versions"].items()))


def peers_table(results: Results, n: int) -> str:
    """A column a peer: the median of its best mode and its ratio to ours."""
    peers = [p for p in NAMES if any(r["peer"] == p and r["threads"] == n for r in results.content["rows"])]
    rows = []
    for name in results.names():
        best = results.modes(name, n)
        fastest = min((r["ms_median"] for p, r in best.items() if p != OURS), default=None)
        cells = [results.label(name)]
        for p in peers:
            text = f"{ms(best[p]['ms_median'])} ({times(best[p]['ratio'])})" if p in best else ""
            cells.append(f"**{text}**" if p in best and p != OURS and best[p]["ms_median"] == fastest else text)
        rows.append(cells)
    return table(["ms, median (ratio)"] + [NAMES[p] for p in peers], rows)


def all_table(results: Results) -> str:
    rows = [[r["workload"], str(r["threads"]), NAMES[r["peer"]], r["mode"], ms(r["ms_median"]), ms(r["ms_fastest"]),
             ms(r["ms_spread"]), times(r["ratio"]), times(r["ratio_fastest"]),
             f"{100 * r['of_limit']:.0f} %" if r["of_limit"] else "", f"{r['mb_peak']:.0f}" if "mb_peak" in r else "",
             r["note"] or ("" if r["counts"] else "apart")] for r in results.content["rows"]]
    return table(["workload", "threads", "peer", "mode", "median, ms", "fastest", "spread", "ratio", "ratio of the fastest",
                  "limit", "peak, MB", "note"], rows)


def report(results: Results) -> str:
    parts = ["# Results of bench/compare\n\nWritten by `bench/compare --render` from `bench/results.json`; "
             "[bench/README.md](README.md) says what the columns are.\n"]
    parts += [f"\n## {threads_words(n).capitalize()}: the best mode of each peer\n\n{peers_table(results, n)}"
              for n in results.threads]
    return "".join(parts) + f"\n## Every mode\n\n{all_table(results)}"


def between(path: pathlib.Path, marks: tuple[str, str], text: str, page: str | None = None) -> str:
    """The page (that of the path, if none is given) with the text between its marks."""
    before, mark, rest = (page or path.read_text()).partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (mark and end):
        fail(f"{path.name} has no {marks[0]} … {marks[1]} for the section to stand between")
    return f"{before}{mark}\n{text}{end}{after}"


def write_changed(pages: dict[pathlib.Path, str], root: pathlib.Path, only_check: bool) -> list[str]:
    """Writes the pages (or only compares them); the names of those that were different."""
    changed = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    for path in [] if only_check else changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path])
    return [str(path.relative_to(root)) for path in changed]


def write_pages(content: dict, root: pathlib.Path, only_check: bool) -> list[str]:
    results, readme = Results(content), root / "README.md"
    pages = {readme: between(readme, MARKS, section(results)), root / "bench/RESULTS.md": report(results),
             root / "docs/performance/speed.svg": plot.svg(results, NAMES, OURS)}
    return write_changed(pages, root, only_check)
