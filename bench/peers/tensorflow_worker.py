# SPDX-License-Identifier: Apache-2.0
"""TensorFlow as a peer: tf.function of the whole step, and the same compiled by XLA.

Modes: function, xla. The updates are TensorFlow's own fused kernels (Keras' optimizers take longer).
"""
import math

import tensorflow as tf

import protocol

ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh, "sigmoid": tf.sigmoid}


def batch_norm(x, scale, shift):
    mean, variance = tf.nn.moments(x, [0])
    return tf.nn.batch_normalization(x, mean, variance, shift, scale, 1e-5)


def forward(layers: list[dict], params: list, x):
    params = iter(params)
    for layer in layers:
        if layer["op"] == "dense":
            x = tf.nn.bias_add(tf.matmul(x, next(params)), next(params))
        elif layer["op"] == "batch_norm":
            x = batch_norm(x, next(params), next(params))
        elif layer["op"] == "dropout":
            x = tf.nn.dropout(x, layer["rate"])
        else:
            x = ACTIVATIONS[layer["op"]](x)
    return x


def cross_entropy(z, labels):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, z))


def squared_error(z, target):
    return tf.reduce_mean(tf.math.squared_difference(z, target))


def parameters(work: protocol.Workload, pairs=None) -> list[tf.Variable]:
    """Weights as (in, out), as TensorFlow users keep them."""
    pairs, params = iter(pairs or work.dense()), []
    for layer in work.layers(dropout=False):
        if layer["op"] == "dense":
            w, b = next(pairs)
            params += [tf.Variable(w.T), tf.Variable(b)]
        elif layer["op"] == "batch_norm":
            params += [tf.Variable(tf.ones_like(params[-1])), tf.Variable(tf.zeros_like(params[-1]))]
    return params


class Optimizer:
    def __init__(self, o: dict, params: list[tf.Variable]):
        self.o, self.params = o, params
        kept = 2 if o["op"] != "sgd" else int(o["momentum"] > 0)
        self.kept = [[tf.Variable(tf.zeros_like(p)) for _ in range(kept)] for p in params]
        self.t = tf.Variable(0.)

    def apply(self, gradients) -> None:
        o, raw = self.o, tf.raw_ops
        if o["op"] != "sgd":  # 1 - beta^t in float loses digits, and the kernel adds eps to the uncorrected root
            t = self.t.assign_add(1.)
            first, second = (-tf.math.expm1(t * math.log(o[beta])) for beta in ("beta1", "beta2"))
            root = tf.sqrt(second)
        for p, kept, g in zip(self.params, self.kept, gradients):
            if o["op"] == "sgd" and kept:
                raw.ResourceApplyMomentum(var=p.handle, accum=kept[0].handle, lr=o["lr"], grad=g, momentum=o["momentum"])
            elif o["op"] == "sgd":
                raw.ResourceApplyGradientDescent(var=p.handle, alpha=o["lr"], delta=g)
            else:
                if o.get("weight_decay") and len(p.shape) > 1:
                    p.assign_sub(o["lr"] * o["weight_decay"] * p)
                raw.ResourceApplyAdam(
                    var=p.handle, m=kept[0].handle, v=kept[1].handle, beta1_power=0., beta2_power=0., lr=o["lr"] * root / first,
                    beta1=o["beta1"], beta2=o["beta2"], epsilon=o["eps"] * root, grad=g)


def threads(work: protocol.Workload) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(work.threads)
    tf.config.threading.set_inter_op_parallelism_threads(work.threads)
    tf.random.set_seed(1)


def compiled(work: protocol.Workload, function):
    return tf.function(function, jit_compile=work.mode == "xla")


def make_step(work: protocol.Workload, params: list[tf.Variable], dropout: bool):
    layers, loss_of = work.layers(dropout), squared_error if work.loss == "mse" else cross_entropy
    update = Optimizer(work.optimizer, params)

    def step(x, t):
        with tf.GradientTape() as tape:
            loss = loss_of(forward(layers, params, x), t)
        update.apply(tape.gradient(loss, params))
        return loss
    return compiled(work, step)


class Train:
    def __init__(self, work: protocol.Workload):
        threads(work)
        self.work, self.done = work, 0
        self.batches = [(tf.constant(x), tf.constant(t)) for x, t in work.batches]
        self.step = make_step(work, parameters(work), dropout=True)

    def prove(self, steps: int) -> dict:
        step = make_step(self.work, parameters(self.work), dropout=False)
        return {"losses": [float(step(*self.batches[i % len(self.batches)])) for i in range(steps)]}

    def run(self, n: int) -> None:
        for i in range(self.done, self.done + n):
            loss = self.step(*self.batches[i % len(self.batches)])
        self.done += n
        loss.numpy()


class Update:
    def __init__(self, work: protocol.Workload):
        threads(work)
        self.work, self.gradients = work, [tf.constant(g.T) for pair in work.dense("d") for g in pair]
        self.step = self.make()[1]

    def make(self):
        params = parameters(self.work)
        update = Optimizer(self.work.optimizer, params)
        return params, compiled(self.work, lambda *gradients: update.apply(gradients))

    def prove(self, steps: int) -> dict:
        params, step = self.make()
        start = [p.numpy() for p in params]
        for _ in range(steps):
            step(*self.gradients)
        return protocol.difference([p.numpy() for p in params], start)

    def run(self, n: int) -> None:
        for _ in range(n):
            self.step(*self.gradients)


class Elementwise:
    def __init__(self, work: protocol.Workload):
        threads(work)
        x = tf.constant(work.load("x"))
        norm = [tf.ones(work.cols), tf.zeros(work.cols)] if work.op == "batch_norm" else []
        if work.op == "softmax_cross_entropy":
            labels, g = tf.constant(work.load("labels")), tf.constant(1.)
        else:
            g = tf.constant(work.load("g"))
        forward = {"dropout": lambda x: tf.nn.dropout(x, work.spec.get("rate")), "tanh": tf.tanh, "gelu": tf.nn.gelu,
                   "batch_norm": batch_norm, "softmax_cross_entropy": lambda x: cross_entropy(x, labels)}[work.op]

        def step(x, g):
            inputs = [x, *norm]
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                y = forward(*inputs)
            return y, *tape.gradient(y, inputs, g)
        function = compiled(work, step)
        self.step = lambda: function(x, g)

    def prove(self, steps: int) -> dict:
        return protocol.magnitudes(*self.step()[:2])

    def run(self, n: int) -> None:
        for _ in range(n):
            results = self.step()
        results[0].numpy()


def op(work: protocol.Workload):
    return Update(work) if work.op == "update" else Elementwise(work)


class Infer:
    def __init__(self, work: protocol.Workload):
        threads(work)
        params, layers = parameters(work), work.layers(dropout=False)
        self.predict = compiled(work, lambda x: tf.nn.softmax(forward(layers, params, x)))
        self.batches = [tf.constant(x) for x, _ in work.batches]

    def prove(self, steps: int) -> dict:
        return {"outputs": self.predict(self.batches[0]).numpy().ravel().tolist()}

    def run(self, n: int) -> None:
        for i in range(n):
            self.predict(self.batches[i % len(self.batches)]).numpy()


class Init:
    def __init__(self, work: protocol.Workload):
        threads(work)
        shape = work.units, work.spec["in"]
        make = {"normal": lambda: tf.random.normal(shape, stddev=work.spec.get("std")),
                "xavier_uniform": lambda: tf.initializers.GlorotUniform(1)(shape),
                "orthogonal": lambda: tf.initializers.Orthogonal(seed=1)(shape)}[work.init]
        self.fill = compiled(work, make)

    def prove(self, steps: int) -> dict:
        return protocol.deviation(self.fill())

    def run(self, n: int) -> None:
        for _ in range(n):
            self.fill()


def job(work: protocol.Workload) -> None:
    threads(work)
    start = [(tf.random.normal((o, i), stddev=(2 / i) ** .5).numpy(), tf.zeros(o)) for i, o in work.dense_shapes()]
    params = parameters(work, start)
    step = make_step(work, params, dropout=True)

    def epoch(x, labels, batches):
        for rows in batches:
            step(tf.constant(x[rows]), tf.constant(labels[rows]))
    protocol.run_job(work, epoch, lambda x: forward(work.layers(dropout=False), params, x))


if __name__ == "__main__":
    protocol.main("tensorflow", tf.__version__, {"train": Train, "op": op, "infer": Infer, "init": Init, "job": job})
