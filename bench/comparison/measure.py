# SPDX-License-Identifier: Apache-2.0
"""One workload with one number of threads: the proof that all compute the same, then blocks by turns, then its rows.

A row: workload, threads, peer, mode, version, ms_median, ms_fastest, ms_spread (between the quartiles), ratio (peer / base, the
median of the rounds' ratios), ratio_fastest, of_limit; counts (whether it may be the peer's best mode), note. Jobs have mb_peak.
The base is fanin, or without it the fastest peer.
"""
import contextlib
import pathlib
import statistics

import workers

PROOF_STEPS = 10
OURS = "fanin"
PACKAGES = {"tensorflow": "tensorflow-cpu", "sklearn": "scikit-learn"}


def say(text: str) -> None:
    print(text, flush=True)


def contenders(workloads: dict, work: dict, without_ours: bool) -> list[tuple[str, str]]:
    """The (peer, mode) pairs of a workload, ours first."""
    modes = workloads["modes"][work["kind"]] | work.get("modes", {})
    return [(peer, mode) for peer, list_ in modes.items() for mode in list_ if not (without_ours and peer == OURS)]


def disagreement(proof: dict, reference: dict, tolerance: float) -> str:
    """What differs by more than the tolerance, or nothing. Relative to the larger figure, or to the largest of a vector."""
    for key, expected in reference.items():
        found = proof.get(key, [])
        if len(found) != len(expected):
            return f"{key}: {len(found)} figures instead of {len(expected)}"
        largest = max(map(abs, expected)) if key == "outputs" else 0
        for i, (a, b) in enumerate(zip(found, expected)):
            if not abs(a - b) <= tolerance * max(abs(a), abs(b), largest, 1e-30):
                return f"{key}[{i}] is {a:.8g} instead of {b:.8g}"
    return ""


class Contender:
    """A worker that is ready, and what it measured."""

    def __init__(self, peer: str, mode: str, worker):
        self.peer, self.mode, self.worker = peer, mode, worker
        self.version, self.note = worker.ready.get("version", "?"), worker.ready.get("note", "")
        self.differs = bool(worker.ready.get("differs"))
        self.ms: list[float] = []
        self.mb: list[float] = []


def start(stable: workers.Stable, arguments: list, peer: str, mode: str, where: str):
    """A contender, stopped until it is asked; None and a line where it cannot take part."""
    worker = None
    try:
        worker = stable.start(peer, mode, [*map(str, arguments)])
        worker.wait_ready()
    except workers.Lost as problem:
        say(f"  {where}: {peer} {mode}: {problem}")
        if worker:
            worker.close()
        return None
    worker.signal(workers.signal.SIGSTOP)
    return Contender(peer, mode, worker)


def prove(field: list[Contender], tolerance: float, where: str) -> None:
    """Compares all with the first; who computes something else is named and does not count."""
    reference = None
    for c in field:
        if c.differs:
            continue
        try:
            proof = c.worker.ask(do="prove", steps=PROOF_STEPS)
        except workers.Lost as problem:
            proof = {"lost": str(problem)}
        reference = reference or (proof if "lost" not in proof else None)
        problem = proof.get("lost") or disagreement(proof, reference, tolerance)
        if problem:
            c.differs, c.note = True, f"does not compute the same: {problem}"
            say(f"  {where}: {c.peer} {c.mode} {c.note}")


def time_rounds(field: list[Contender], limits, rounds: int, seconds: float, where: str) -> list[dict]:
    """Blocks by turns; what the machine's limits were in each round."""
    measured = []
    for _ in range(rounds):
        if limits:
            measured.append(limits.worker.ask(do="block", seconds=seconds))
        for c in list(field):
            try:
                c.ms.append(c.worker.ask(do="block", seconds=seconds)["ms"])
            except workers.Lost as problem:
                say(f"  {where}: {c.peer} {c.mode}: {problem}")
                field.remove(c)
    return measured


def limit_ms(work: dict, measured: list[dict]) -> float | None:
    """Arithmetic at the measured peak and bytes at the measured bandwidth."""
    if not measured:
        return None
    middle = {key: statistics.median(m[key] for m in measured) for key in ("peak_gflops", "copy_gb_s")}
    return 1e3 * (work["flops"] / middle["peak_gflops"] + work["bytes"] / middle["copy_gb_s"]) / 1e9


def spread(values: list[float]) -> float:
    quarters = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [0, 0, 0]
    return quarters[2] - quarters[0]


def rows(work: dict, threads: int, field: list[Contender], apart: list[str], limit: float | None) -> list[dict]:
    """What is written of a workload: one row a contender."""
    if not field:
        return []
    counted = [c for c in field if not c.differs and c.mode not in apart]
    base = next((c for c in field if c.peer == OURS), min(counted or field, key=lambda c: statistics.median(c.ms)))
    result = []
    for c in field:
        median, fastest = statistics.median(c.ms), min(c.ms)
        row = {"workload": work["name"], "threads": threads, "peer": c.peer, "mode": c.mode, "version": c.version,
               "ms_median": median, "ms_fastest": fastest, "ms_spread": spread(c.ms),
               "ratio": statistics.median(a / b for a, b in zip(c.ms, base.ms)), "ratio_fastest": fastest / min(base.ms),
               "of_limit": limit / median if limit else None, "counts": not c.differs and c.mode not in apart, "note": c.note}
        if c.mb:
            row |= {"mb_peak": statistics.median(c.mb), "mb_ratio": statistics.median(c.mb) / statistics.median(base.mb)}
        result.append({key: float(f"{v:.5g}") if isinstance(v, float) else v for key, v in row.items()})
    return result


def measure(stable: workers.Stable, workloads: dict, path: pathlib.Path, work: dict, folder: pathlib.Path, rounds: int,
            seconds: float, without_ours: bool) -> list[dict]:
    """Starts, proves and times the contenders of a workload; its rows."""
    where, arguments, field = f"{work['name']}, {stable.threads} thr.", [path, work["name"], folder], []
    with contextlib.ExitStack() as running:
        for peer, mode in contenders(workloads, work, without_ours) + ([] if without_ours else [(OURS, "limits")]):
            contender = start(stable, arguments, peer, mode, where)
            if contender:
                running.callback(contender.worker.close)
                field.append(contender)
        limits = field.pop() if field and field[-1].mode == "limits" else None
        prove(field, work.get("tolerance", workloads["tolerance"]), where)
        measured = time_rounds(field, limits, rounds, seconds, where)
        return rows(work, stable.threads, field, workloads["apart"], limit_ms(work, measured))


class Command(Contender):
    """A whole command, as a contender in wall time and memory."""

    def __init__(self, peer: str, mode: str, command: list[str], version: str):
        self.peer, self.mode, self.command, self.version = peer, mode, command, version
        self.note, self.differs, self.ms, self.mb = "", False, [], []


def measure_job(stable: workers.Stable, workloads: dict, path: pathlib.Path, work: dict, folder: pathlib.Path, rounds: int,
                words: dict, versions: dict, without_ours: bool) -> list[dict]:
    """Runs the commands of a job by turns; its rows. Words stand in the braces of our command; versions are those of packages."""
    field = []
    for peer, mode in contenders(workloads, work, without_ours):
        if peer == OURS:
            command = [word.format(threads=stable.threads, folder=folder, **words) for word in work["command"]]
        else:
            inputs = words["mnist"] if work["data"] == "mnist" else folder
            command = stable.program(peer, mode) + [str(path), work["name"], str(inputs), str(stable.threads), mode]
        field.append(Command(peer, mode, command, versions[PACKAGES.get(peer, peer)]))
    for _ in range(min(rounds, work.get("rounds", rounds))):
        for c in list(field):
            try:
                seconds, mb = stable.run(c.command, path.parents[1])
                c.ms.append(1e3 * seconds)
                c.mb.append(mb)
            except workers.Lost as problem:
                say(f"  {work['name']}, {stable.threads} thr.: {c.peer} {c.mode}: {problem}")
                field.remove(c)
    return rows(work, stable.threads, field, [], None)  # of a whole command nothing stands apart
