# SPDX-License-Identifier: Apache-2.0
"""What the arguments of bench/compare and bench/self have in common."""
import pathlib
import sys


def fail(text: str):
    sys.exit(f"bench/{pathlib.Path(sys.argv[0]).name}: {text}")


def choose(workloads: list[dict], only: str | None) -> list[dict]:
    """The workloads that --only names, all without it."""
    if not only:
        return workloads
    chosen = []
    for name in only.split(","):
        found = [w for w in workloads if w["name"] == name or name.endswith("*") and w["name"].startswith(name[:-1])]
        if not found:
            fail(f"--only {name}: there is no such workload; there are {', '.join(w['name'] for w in workloads)}")
        chosen += [w for w in found if w not in chosen]
    return chosen


def numbers(text: str) -> list[int]:
    """The numbers of threads."""
    parts = text.split(",")
    if not all(part.isdigit() and int(part) for part in parts):
        fail(f"--threads {text}: numbers from 1 are expected, with commas between them")
    return [int(part) for part in parts]
