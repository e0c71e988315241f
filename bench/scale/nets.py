# SPDX-License-Identifier: Apache-2.0
"""The nets of bench/scaling, and what is known of them on paper: operations, bytes and memory of a training step, exactly.

A net has `depth` dense layers of `width` units with tanh, as many inputs, and a dense layer of ten outputs behind them; it is
trained with momentum. What the formulas give is what `fanin bench` tells, to the byte: the test of the page holds them to it.
"""
import dataclasses

LANES, PANEL, IN_BLOCK = 16, 32, 48  # src/kernel/kernel.h, tile.h
ROW_BLOCK = 192                      # src/kernel/gemm.c
ONE_PASS_BYTES = 1 << 20             # src/kernel/back.c
NUMBER = 4                           # bytes
OUTPUTS = 10
STATES = 1                           # numbers that the optimizer keeps for each parameter


def up(n: int, to: int) -> int:
    return -(-n // to)


def padded(n: int) -> int:
    """Whole vectors."""
    return up(n, LANES) * LANES


def stride(columns: int) -> int:
    """Numbers from a row to the next; rows that all fall into the same set of a cache are moved apart."""
    ld = padded(columns)
    return ld + LANES if NUMBER * ld % 512 == 0 else ld


@dataclasses.dataclass(frozen=True)
class Net:
    width: int
    depth: int
    batch: int
    rate: float = 0.  # of dropout, of the input and behind every tanh

    def layers(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each dense layer."""
        return [(self.width, self.width)] * self.depth + [(self.width, OUTPUTS)]

    def parameters(self) -> int:
        return sum((i + 1) * o for i, o in self.layers())

    def flops(self) -> int:
        """Forward, the gradients by the weights, those by the inputs but the first layer's, and tanh there and back."""
        return sum(self.pass_flops())

    def pass_flops(self) -> tuple[int, int, int]:
        """Forward, by the inputs, by the weights."""
        each = [(2 * i + 1) * o for i, o in self.layers()]
        tanh = self.depth * self.width
        return self.batch * (sum(each) + tanh), self.batch * (sum(each[1:]) + tanh), self.batch * sum(each)

    def one_pass(self, layer: int) -> bool:
        """Are the layer's weights read once for both gradients and the update?"""
        i, o = self.layers()[layer]
        return layer > 0 and self.batch <= LANES and NUMBER * padded(o) * i >= ONE_PASS_BYTES

    def bytes(self) -> int:
        """Each number as often as a pass over it must read or write it."""
        numbers = self.batch * (self.width + 2 * OUTPUTS)  # the samples are copied, the loss reads and writes
        for k, (i, o) in enumerate(self.layers()):
            weights, cells = padded(o) * (i + 1), self.batch * (i + o)
            numbers += weights + cells                        # forward
            numbers += 2 * (1 + STATES) * weights + cells     # the update, behind the gradient by the weights
            if self.one_pass(k):
                numbers += self.batch * i                     # the gradient by the inputs is written
            elif k > 0:
                numbers += weights + cells
        return NUMBER * numbers

    def parameter_bytes(self) -> int:
        return NUMBER * sum(padded(o) * (i + 1) for i, o in self.layers())

    def state_bytes(self) -> int:
        return STATES * self.parameter_bytes()

    def activation_bytes(self) -> int:
        """The samples, one output a layer (tanh overwrites it), the result, and the gradients of two layers at a time."""
        row, out = stride(self.width), stride(OUTPUTS)
        return NUMBER * self.batch * (3 * row + 2 * out if self.depth == 1 else (self.depth + 3) * row + out)

    def memory(self) -> int:
        return self.parameter_bytes() + self.state_bytes() + self.activation_bytes()

    def told(self) -> dict[str, int]:
        """Figures of the event `profile` that the formulas give; dropout adds to operations and activations."""
        figures = {"parameter_bytes": self.parameter_bytes(), "state_bytes": self.state_bytes()}
        if self.rate == 0:
            figures |= {"step_flops": self.flops(), "step_bytes": self.bytes(), "activation_bytes": self.activation_bytes()}
        return figures

    # ---- parallel regions: operations, and tasks that threads take

    def regions(self) -> list[tuple[float, int]]:
        found = []
        for k, (i, o) in enumerate(self.layers()):
            flops = 2. * self.batch * i * o
            found.append((flops, self.row_tasks(o)))
            if self.one_pass(k):
                found.append((2 * flops, up(i, 2 * IN_BLOCK)))
                continue
            panels = up(o, PANEL)
            found.append((flops, panels if panels >= 8 else panels * min(8, up(i, IN_BLOCK))))
            if k > 0:
                turned = padded(i) * o <= self.batch * (i + o)
                found.append((flops, self.row_tasks(i) if turned else up(self.batch, PANEL) * up(i, IN_BLOCK)))
        return found

    def row_tasks(self, columns: int) -> int:
        panels = up(columns, PANEL)
        return panels * up(self.batch, ROW_BLOCK if panels >= 8 else ROW_BLOCK // 4)


BASE = Net(512, 4, 64)
# Each grid changes one thing of the base; `parameters`: a million of them in different shapes; `calls`: nets so small that only
# what a step and a layer cost anyway is left.
GRIDS: dict[str, list[Net]] = {
    "width": [dataclasses.replace(BASE, width=n) for n in (16, 32, 64, 128, 256, 512, 1024, 2048)],
    "depth": [dataclasses.replace(BASE, depth=n) for n in (1, 2, 4, 8, 16)],
    "batch": [dataclasses.replace(BASE, batch=n) for n in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)],
    "parameters": [Net(1024, 1, 64), BASE, Net(256, 16, 64), Net(128, 64, 64)],
    "zeros": [dataclasses.replace(BASE, rate=r) for r in (.1, .3, .5, .6, .7, .8, .9)],
    "calls": [Net(16, n, 1) for n in (1, 2, 4, 8, 16)],
}


def all_nets() -> list[Net]:
    """Each once."""
    return list(dict.fromkeys(net for grid in GRIDS.values() for net in grid))
