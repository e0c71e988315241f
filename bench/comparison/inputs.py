# SPDX-License-Identifier: Apache-2.0
"""The inputs of a workload, written as .npy files that every worker reads: ten batches, labels, initial parameters.

Images are the digits of data/digits.bin enlarged to 28×28 with an empty border, so that they are as sparse as MNIST's (19 % of
the pixels are not zero) and can be learned; everything else is drawn from a generator with a fixed seed.
"""
import array
import math
import pathlib
import random
import struct

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCHES = 10
SIDE, CELLS, INNER, BORDER = 28, 8, 20, 4
FULL, FAINT = 16, 3.8  # the largest value of a cell; what is fainter than this becomes zero


def write(folder: pathlib.Path, name: str, code: str, values, *shape: int) -> None:
    """Writes float32 (code f) or int32 (code i) values as name.npy, format version 1.0."""
    header = f"{{'descr': '<{code}4', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    content = array.array(code, values)
    if len(content) != math.prod(shape):
        raise ValueError(f"{name}: {len(content)} values do not have the shape {shape}")
    (folder / f"{name}.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
                                         + content.tobytes())


def digits() -> list[tuple[bytes, int]]:
    data = (ROOT / "data/digits.bin").read_bytes()
    size = CELLS * CELLS + 1
    return [(data[i:i + size - 1], data[i + size - 1]) for i in range(0, len(data), size)]


def enlarge(cells: bytes) -> list[float]:
    """8×8 cells from 0 to 16 as 28×28 pixels from 0 to 1, bilinear."""
    image = [0.0] * (SIDE * SIDE)
    places = [(min(int(p), CELLS - 2), p - min(int(p), CELLS - 2))
              for p in (i * (CELLS - 1) / (INNER - 1) for i in range(INNER))]
    for r, (y, v) in enumerate(places):
        rows = [(1 - v) * cells[y * CELLS + x] + v * cells[(y + 1) * CELLS + x] for x in range(CELLS)]
        for c, (x, u) in enumerate(places):
            value = (1 - u) * rows[x] + u * rows[x + 1] - FAINT
            if value > 0:
                image[(r + BORDER) * SIDE + c + BORDER] = value / (FULL - FAINT)
    return image


def images(work: dict, rng: random.Random):
    samples = digits()[:BATCHES * work["batch"]]
    return [v for cells, _ in samples for v in enlarge(cells)], "labels", [label for _, label in samples]


def normal(work: dict, rng: random.Random):
    """Two classes on the sides of a plane; one label in ten is drawn, so that the loss does not vanish."""
    plane = [rng.gauss(0, 1) for _ in range(work["in"])]
    rows = [[rng.gauss(0, 1) for _ in plane] for _ in range(BATCHES * work["batch"])]
    labels = [rng.randrange(2) if rng.random() < .1 else int(sum(map(float.__mul__, row, plane)) > 0) for row in rows]
    return [v for row in rows for v in row], "labels", labels


def xor(work: dict, rng: random.Random):
    points = [p for _ in range(BATCHES) for p in rng.sample([(0, 0), (0, 1), (1, 0), (1, 1)], 4)]
    return [v for p in points for v in p], "target", [a ^ b for a, b in points]


DATA = {"images": images, "normal": normal, "xor": xor}


def dense_shapes(work: dict) -> list[tuple[int, int]]:
    units = [layer["units"] for layer in work["layers"] if layer["op"] == "dense"]
    return list(zip(units, [work["in"]] + units))


def write_parameters(folder: pathlib.Path, work: dict, rng: random.Random, prefix: str = "") -> None:
    """Xavier's uniform start for weights and zero biases, or with prefix "d" something like their gradients."""
    for i, (units, size) in enumerate(dense_shapes(work)):
        bound = .01 if prefix else (6 / (size + units)) ** .5
        for name, shape, span in ((f"{prefix}w{i}", (units, size), bound), (f"{prefix}b{i}", (units,), bound if prefix else 0)):
            write(folder, name, "f", (span * (2 * rng.random() - 1) for _ in range(math.prod(shape))), *shape)


def write_batches(folder: pathlib.Path, work: dict, rng: random.Random) -> None:
    x, name, targets = DATA[work["data"]](work, rng)
    rows = BATCHES * work["batch"]
    write(folder, "x", "f", x, rows, work["in"])
    write(folder, name, *(("i", targets, rows) if name == "labels" else ("f", targets, rows, 1)))
    write_parameters(folder, work, rng)


def write_op(folder: pathlib.Path, work: dict, rng: random.Random) -> None:
    if work["op"] == "update":
        write_parameters(folder, work, rng)
        write_parameters(folder, work, rng, "d")
        return
    rows, cols = work["rows"], work["cols"]
    write(folder, "x", "f", (rng.gauss(0, 1) for _ in range(rows * cols)), rows, cols)
    write(folder, "g", "f", (.5 + rng.random() for _ in range(rows * cols)), rows, cols)
    write(folder, "labels", "i", (rng.randrange(cols) for _ in range(rows)), rows)


def write_job(folder: pathlib.Path, work: dict, rng: random.Random) -> None:
    """The digits, a fifth of them for the test. MNIST is read where it is."""
    if work["data"] != "digits":
        return
    samples = rng.sample(digits(), len(digits()))
    cut = len(samples) // 5
    for part, rows in (("test", samples[:cut]), ("train", samples[cut:])):
        write(folder, f"{part}_x", "f", (v / FULL for cells, _ in rows for v in cells), len(rows), work["in"])
        write(folder, f"{part}_labels", "i", (label for _, label in rows), len(rows))


WRITERS = {"train": write_batches, "infer": write_batches, "op": write_op, "job": write_job, "init": lambda *_: None}


def write_inputs(folder: pathlib.Path, work: dict) -> None:
    """Writes what a worker of this workload reads into the folder, the same bytes each time."""
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[work["kind"]](folder, work, random.Random(1))
