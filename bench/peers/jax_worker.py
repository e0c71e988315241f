# SPDX-License-Identifier: Apache-2.0
"""JAX as a peer: one jitted step with donated buffers, or lax.scan over many steps in one call.

Modes: step, scan, and with -rbg another random number generator for dropout (the default is threefry).
Weights are kept as (in, out), as JAX users do.
"""
import math
import os

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import protocol

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}


def batch_norm(x, scale, shift):
    return (x - x.mean(0)) * lax.rsqrt(x.var(0) + 1e-5) * scale + shift


def dropout(key, x, rate):
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def forward(layers, params, x, key):
    """Params: one pair an op that has any, in the order of the layers."""
    params = iter(params)
    for i, layer in enumerate(layers):
        if layer["op"] == "dense":
            w, b = next(params)
            x = x @ w + b
        elif layer["op"] == "batch_norm":
            x = batch_norm(x, *next(params))
        elif layer["op"] == "dropout":
            x = dropout(jax.random.fold_in(key, i), x, layer["rate"])
        else:
            x = ACTIVATIONS[layer["op"]](x)
    return x


def cross_entropy(z, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(z), labels[:, None], 1).mean()


def squared_error(z, target):
    return ((z - target) ** 2).mean()


def parameters(work: protocol.Workload):
    dense, params = iter(work.dense()), []
    for layer in work.layers(dropout=False):
        if layer["op"] == "dense":
            w, b = next(dense)
            params.append((jnp.array(w.T), jnp.array(b)))
        elif layer["op"] == "batch_norm":
            params.append((jnp.ones(len(params[-1][1])), jnp.zeros(len(params[-1][1]))))
    return params


def random_parameters(work: protocol.Workload):
    """He's start, for a job; by NumPy, which compiles nothing."""
    rng = np.random.default_rng(1)
    return [(rng.normal(0, (2 / i) ** .5, (i, o)).astype(np.float32), np.zeros(o, np.float32)) for i, o in work.dense_shapes()]


def moments(o: dict, params):
    """What the optimizer keeps: nothing, the velocity, or two moments and the number of updates."""
    def zeros():
        return jax.tree.map(np.zeros_like, params)
    if o["op"] == "sgd":
        return zeros() if o["momentum"] else ()
    return zeros(), zeros(), np.int32(0)


def update(o: dict, params, kept, gradients):
    if o["op"] == "sgd":
        if o["momentum"]:
            gradients = kept = jax.tree.map(lambda v, g: o["momentum"] * v + g, kept, gradients)
        return jax.tree.map(lambda p, g: p - o["lr"] * g, params, gradients), kept
    m, v, t = kept
    t = t + 1
    m = jax.tree.map(lambda m, g: o["beta1"] * m + (1 - o["beta1"]) * g, m, gradients)
    v = jax.tree.map(lambda v, g: o["beta2"] * v + (1 - o["beta2"]) * g * g, v, gradients)
    first, second = (-jnp.expm1(t * math.log(o[beta])) for beta in ("beta1", "beta2"))  # 1 - beta^t in float loses digits

    def move(p, m, v):
        decay = o.get("weight_decay", 0) if p.ndim > 1 else 0
        return p - o["lr"] * (m / first / (jnp.sqrt(v / second) + o["eps"]) + decay * p)
    return jax.tree.map(move, params, m, v), (m, v, t)


def make_step(work: protocol.Workload, dropout: bool):
    """A pure function from (params, kept, key) and a batch to the next state and the loss."""
    layers, loss_of = work.layers(dropout), squared_error if work.loss == "mse" else cross_entropy

    def step(state, batch):
        params, kept, key = state
        key, now = jax.random.split(key) if dropout else (key, key)
        x, t = batch
        loss, gradients = jax.value_and_grad(lambda p: loss_of(forward(layers, p, x, now), t))(params)
        return (*update(work.optimizer, params, kept, gradients), key), loss
    return step


def new_key(work: protocol.Workload):
    return jax.random.key(1, impl="rbg" if work.mode.endswith("-rbg") else None)


def threads(work: protocol.Workload) -> None:
    """XLA reads this when it is used for the first time; two threads are its default on two cores."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    if work.threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"


class Train:
    def __init__(self, work: protocol.Workload):
        threads(work)
        self.work, self.done = work, 0
        self.batches = [(jnp.array(x), jnp.array(t)) for x, t in work.batches]
        self.step = jax.jit(make_step(work, work.layers(True) != work.layers(False)), donate_argnums=0)
        self.state = self.start()

    def start(self):
        params = parameters(self.work)
        return params, moments(self.work.optimizer, params), new_key(self.work)

    def prove(self, steps: int) -> dict:
        step, state, losses = jax.jit(make_step(self.work, dropout=False), donate_argnums=0), self.start(), []
        for i in range(steps):
            state, loss = step(state, self.batches[i % len(self.batches)])
            losses.append(float(loss))
        return {"losses": losses}

    def run(self, n: int) -> None:
        state = self.state
        for i in range(self.done, self.done + n):
            state, _ = self.step(state, self.batches[i % len(self.batches)])
        self.done += n
        self.state = jax.block_until_ready(state)


class Scan(Train):
    """The ten batches in one lax.scan, as often as asked in one call: what is run n times is ten steps."""
    unit = protocol.BATCHES

    def __init__(self, work: protocol.Workload):
        super().__init__(work)
        step, self.stacked = self.step, tuple(jnp.stack(part) for part in zip(*self.batches))

        def epochs(state, n, data):
            return lax.fori_loop(0, n, lambda _, s: lax.scan(step, s, data)[0], state)
        self.epochs = jax.jit(epochs, donate_argnums=0)

    def prove(self, steps: int) -> dict:
        step, data = make_step(self.work, dropout=False), tuple(part[:steps] for part in self.stacked)
        return {"losses": jax.jit(lambda s: lax.scan(step, s, data))(self.start())[1].tolist()}

    def run(self, n: int) -> None:
        self.state = jax.block_until_ready(self.epochs(self.state, n, self.stacked))


def train(work: protocol.Workload):
    return Scan(work) if work.mode == "scan" else Train(work)


class Update:
    def __init__(self, work: protocol.Workload):
        threads(work)
        self.start = [p for pair in work.dense() for p in pair]
        self.gradients = [jnp.array(g) for pair in work.dense("d") for g in pair]
        self.optimizer = work.optimizer
        self.step = jax.jit(lambda p, kept, g: update(work.optimizer, p, kept, g), donate_argnums=(0, 1))
        self.state = self.fresh()

    def fresh(self):
        params = [jnp.array(p) for p in self.start]
        return params, moments(self.optimizer, params)

    def steps(self, state, n: int):
        for _ in range(n):
            state = self.step(*state, self.gradients)
        return jax.block_until_ready(state)

    def prove(self, steps: int) -> dict:
        return protocol.difference(self.steps(self.fresh(), steps)[0], self.start)

    def run(self, n: int) -> None:
        self.state = self.steps(self.state, n)


class Elementwise:
    def __init__(self, work: protocol.Workload):
        threads(work)
        x = jnp.array(work.load("x"))
        if work.op == "softmax_cross_entropy":
            labels, g = jnp.array(work.load("labels")), jnp.ones(())
        else:
            g = jnp.array(work.load("g"))
        norm = jnp.ones(work.cols), jnp.zeros(work.cols)

        def both(key, x, g):
            key, now = jax.random.split(key) if work.op == "dropout" else (key, key)
            forward = {"dropout": lambda x: dropout(now, x, work.spec.get("rate")), "tanh": jnp.tanh,
                       "gelu": lambda x: jax.nn.gelu(x, approximate=False),
                       "batch_norm": lambda x, *norm: batch_norm(x, *norm),
                       "softmax_cross_entropy": lambda x: cross_entropy(x, labels)}[work.op]
            y, backward = jax.vjp(forward, x, *(norm if work.op == "batch_norm" else ()))
            return key, y, *backward(g)
        jitted = jax.jit(both)
        self.step, self.key = lambda key: jitted(key, x, g), new_key(work)

    def prove(self, steps: int) -> dict:
        return protocol.magnitudes(*self.step(self.key)[1:3])

    def run(self, n: int) -> None:
        for _ in range(n):
            self.key, *results = self.step(self.key)
        jax.block_until_ready(results)


def op(work: protocol.Workload):
    return Update(work) if work.op == "update" else Elementwise(work)


class Infer:
    def __init__(self, work: protocol.Workload):
        threads(work)
        params, layers = parameters(work), work.layers(dropout=False)
        predict = jax.jit(lambda p, x: jax.nn.softmax(forward(layers, p, x, None)))
        self.predict, self.batches = lambda x: predict(params, x), [jnp.array(x) for x, _ in work.batches]

    def prove(self, steps: int) -> dict:
        return {"outputs": self.predict(self.batches[0]).ravel().tolist()}

    def run(self, n: int) -> None:
        for i in range(n):
            jax.block_until_ready(self.predict(self.batches[i % len(self.batches)]))


class Init:
    def __init__(self, work: protocol.Workload):
        threads(work)
        shape = work.units, work.spec["in"]
        make = {"normal": lambda: jax.nn.initializers.normal(work.std), "orthogonal": jax.nn.initializers.orthogonal,
                "xavier_uniform": jax.nn.initializers.xavier_uniform}[work.init]()
        self.fill, self.key = jax.jit(lambda key, old: make(key, shape), donate_argnums=1), new_key(work)
        self.tensor = jnp.zeros(shape)

    def prove(self, steps: int) -> dict:
        self.run(1)
        return protocol.deviation(self.tensor)

    def run(self, n: int) -> None:
        for _ in range(n):
            self.tensor = jax.block_until_ready(self.fill(self.key, self.tensor))


def job(work: protocol.Workload) -> None:
    """Mode step: a jitted step for each batch; mode scan: an epoch in one call."""
    threads(work)
    params = random_parameters(work)
    state = params, moments(work.optimizer, params), new_key(work)
    one = make_step(work, work.layers(True) != work.layers(False))
    step = jax.jit(one, donate_argnums=0)
    scan = jax.jit(lambda s, data, rows: lax.scan(lambda s, r: one(s, (data[0][r], data[1][r])), s, rows), donate_argnums=0)

    def epoch(x, labels, batches):
        nonlocal state
        if work.mode == "scan":
            state, _ = scan(state, (x, labels), batches)
        else:
            for rows in batches:
                state, _ = step(state, (x[rows], labels[rows]))
    predict = jax.jit(lambda params, x: forward(work.layers(dropout=False), params, x, None))
    protocol.run_job(work, epoch, lambda x: predict(state[0], x))


if __name__ == "__main__":
    protocol.main("jax", jax.__version__, {"train": train, "op": op, "infer": Infer, "init": Init, "job": job})
