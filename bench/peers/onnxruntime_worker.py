# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime as a peer in prediction. The model is written here, in the wire format of onnx.proto, which needs no package.

Modes: run (arrays in and out), binding (input and output bound to memory once for each batch).
"""
import numpy as np
import onnxruntime

import protocol

FLOAT = 1
OPS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def varint(value: int) -> bytes:
    head = b""
    while value > 0x7f:
        head += bytes([value & 0x7f | 0x80])
        value >>= 7
    return head + bytes([value])


def field(number: int, value) -> bytes:
    """A field of a protobuf message: a whole number, or bytes, text or a message with its length before it."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name: str, data: np.ndarray) -> bytes:
    """TensorProto: dims 1, data_type 2, name 8, raw_data 9."""
    return b"".join(field(1, d) for d in data.shape) + field(2, FLOAT) + field(8, name) + field(9, data.tobytes())


def node(kind: str, inputs: list[str], output: str, **numbers: int) -> bytes:
    """NodeProto: input 1, output 2, op_type 4, attribute 5 (AttributeProto: name 1, i 3, type 20 = INT 2)."""
    attributes = [field(5, field(1, name) + field(3, value) + field(20, 2)) for name, value in numbers.items()]
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind) + b"".join(attributes)


def value(name: str, shape: tuple[int, int]) -> bytes:
    """ValueInfoProto: name 1, type 2 (TypeProto: tensor_type 1 (elem_type 1, shape 2 (dim 1 (dim_value 1))))."""
    dims = b"".join(field(1, field(1, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, dims)))


def model(work: protocol.Workload) -> bytes:
    """ModelProto: ir_version 1, graph 7, opset_import 8 (version 2).

    GraphProto: node 1, name 2, initializer 5, input 11, output 12."""
    nodes, tensors, last = [], [], "x"
    dense = iter(enumerate(work.dense()))
    for n, layer in enumerate(work.layers(dropout=False)):
        if layer["op"] == "dense":
            i, (w, b) = next(dense)
            tensors += [tensor(f"w{i}", w), tensor(f"b{i}", b)]
            nodes.append(node("Gemm", [last, f"w{i}", f"b{i}"], f"y{n}", transB=1))
        else:
            nodes.append(node(OPS[layer["op"]], [last], f"y{n}"))
        last = f"y{n}"
    nodes.append(node("Softmax", [last], "p"))
    graph = b"".join(field(1, n) for n in nodes) + field(2, work.name) + b"".join(field(5, t) for t in tensors)
    graph += field(11, value("x", (work.batch, work.spec["in"]))) + field(12, value("p", (work.batch, len(b))))
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


class Infer:
    def __init__(self, work: protocol.Workload):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = work.threads, 1
        session = onnxruntime.InferenceSession(model(work), options, providers=["CPUExecutionProvider"])
        self.batches = [x for x, _ in work.batches]
        if work.mode == "binding":
            values, bindings = [onnxruntime.OrtValue.ortvalue_from_numpy(x) for x in self.batches], []
            result = onnxruntime.OrtValue.ortvalue_from_shape_and_type(session.get_outputs()[0].shape, np.float32)
            for x in values:
                bindings.append(session.io_binding())
                bindings[-1].bind_ortvalue_input("x", x)
                bindings[-1].bind_ortvalue_output("p", result)
            self.keep = values, result
            self.predict = lambda i: session.run_with_iobinding(bindings[i]) or result.numpy()
        else:
            self.predict = lambda i: session.run(["p"], {"x": self.batches[i]})[0]

    def prove(self, steps: int) -> dict:
        return {"outputs": self.predict(0).ravel().tolist()}

    def run(self, n: int) -> None:
        for i in range(n):
            self.predict(i % len(self.batches))


if __name__ == "__main__":
    protocol.main("onnxruntime", onnxruntime.__version__, {"infer": Infer})
