# SPDX-License-Identifier: Apache-2.0
"""How long a step takes on paper: operations at the machine's peak, then bytes at the bandwidth of a copy as large as what the
step works on, then what a step and a layer cost however small; and the same on more threads than were measured.
"""
import dataclasses

from nets import GRIDS, NUMBER, Net, up

ASLEEP_FLOPS, AWAKE_FLOPS = 10e6, 1e6  # src/base/pool.c: regions of less stay on the caller
GIGA = 1e9


@dataclasses.dataclass
class Parts:
    """Seconds of a step."""
    arithmetic: float
    bytes: float
    calls: float

    def sum(self) -> float:
        return self.arithmetic + self.bytes + self.calls

    def largest(self) -> str:
        """The largest part with its share."""
        name, value = max(dataclasses.asdict(self).items(), key=lambda part: part[1])
        return f"{name} {100 * value / self.sum():.0f} %"


class Measured:
    """scaling.json: the machine's limits and the rows by net and threads."""

    def __init__(self, content: dict):
        self.content = content
        limits = content["limits"]
        self.peak = {p["threads"]: GIGA * p["gflops"] for p in limits["peak"]}
        self.memory = limits["memory"]
        self.rows = {(Net(row["width"], row["depth"], row["batch"], row["rate"]), row["threads"]): row
                     for row in content["rows"]}
        self.threads = sorted({n for _, n in self.rows})
        self.step_cost, self.layer_cost = self.calls()

    def calls(self) -> tuple[float, float]:
        """Seconds of a step and of a layer beyond arithmetic and bytes: a line through the smallest nets (relative squares)."""
        self.step_cost = self.layer_cost = 0.
        points = [(net.depth, self.time(net, 1) - self.parts(net, 1).sum()) for net in GRIDS["calls"]]
        weights = [1 / y**2 for _, y in points]
        mean_x, mean_y = (sum(w * p[k] for w, p in zip(weights, points)) / sum(weights) for k in (0, 1))
        slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points)) / \
            sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points))
        return max(0., mean_y - slope * mean_x), max(0., slope)

    def time(self, net: Net, threads: int) -> float:
        return self.rows[net, threads]["fastest_seconds"]

    def level(self, bytes_: float, threads: int = 1) -> dict:
        """The level of memory that holds so many bytes: each was measured with half of what it holds."""
        levels = [m for m in self.memory if m["threads"] == threads]
        return next((m for m in levels[:-1] if bytes_ <= 2 * m["bytes"]), levels[-1])

    def parts(self, net: Net, threads: int) -> Parts:
        """The budget of a measured net."""
        row = self.rows[net, threads]
        return Parts(row["step_flops"] / self.peak[threads], row["step_bytes"] / (GIGA * row["copy_gbytes"]),
                     self.step_cost + net.depth * self.layer_cost)

    def balance(self, level: dict, states: int) -> float:
        """The batch whose arithmetic takes as long as the weights' and the state's bytes do at this level."""
        return (4 + 2 * states) * NUMBER * self.peak[1] / (6 * GIGA * level["copy_gbytes"])

    # ---- any number of threads

    def sharing(self, bytes_: float) -> float:
        """How far threads stand in each other's way: 0: bandwidth grows with them; 1: it is one thread's."""
        most = self.threads[-1]
        level = self.level(bytes_)
        together = next(m for m in self.memory if m["level"] == level["level"] and m["threads"] == most)
        return min(1., max(0., (most * level["copy_gbytes"] / together["copy_gbytes"] - 1) / (most - 1)))

    def modelled(self, net: Net, threads: int) -> float:
        """Seconds of a step: regions shared as far as they have tasks, bandwidth as far as it grew with the threads measured."""
        row, one, most = self.rows[net, 1], self.peak[1], self.threads[-1]
        core = one if threads == 1 else min(one, self.peak[most] / most)
        regions = net.regions()
        alone = row["step_flops"] - sum(flops for flops, _ in regions)  # elementwise work, biases
        seconds = alone / one
        wakes = any(flops >= ASLEEP_FLOPS and tasks > 1 for flops, tasks in regions)
        for flops, tasks in regions:
            shared = threads > 1 and wakes and flops >= AWAKE_FLOPS and tasks > 1
            seconds += flops * up(tasks, threads) / tasks / core if shared else flops / one
        bandwidth = GIGA * row["copy_gbytes"] * threads / (1 + self.sharing(net.memory()) * (threads - 1))
        return seconds + row["step_bytes"] / bandwidth + self.step_cost + net.depth * self.layer_cost


def states_of(optimizer: dict) -> int:
    """Numbers for each parameter that an update touches."""
    return {"sgd": 1 if optimizer.get("momentum") else 0, "rmsprop": 1}.get(optimizer["op"], 2)


def workload_parts(measured: Measured, work: dict) -> Parts:
    """The budget of a workload of bench/workloads.json on one thread."""
    inputs, parameters, dense = work["in"], 0, [layer["units"] for layer in work["layers"] if layer["op"] == "dense"]
    for units in dense:
        parameters += (inputs + 1) * units
        inputs = units
    cells = work["batch"] * (work["in"] + sum(dense))
    level = measured.level(NUMBER * (parameters * (1 + states_of(work["optimizer"])) + cells))
    return Parts(work["flops"] / measured.peak[1], work["bytes"] / (GIGA * level["copy_gbytes"]),
                 measured.step_cost + (len(dense) - 1) * measured.layer_cost)
