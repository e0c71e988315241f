# SPDX-License-Identifier: Apache-2.0
"""PyTorch as a peer: eager with fused or foreach optimizers, and torch.compile of the whole step.

Modes: fused, foreach (eager steps with that optimizer), eager (an op or a prediction), compile (the whole step or op in one
graph; torch.optim breaks graphs, so that the update is written out), compile-fused (forward and backward compiled, the fused
optimizer behind them).
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

import protocol

MODULES = {
    "relu": lambda layer, size: nn.ReLU(), "tanh": lambda layer, size: nn.Tanh(), "sigmoid": lambda layer, size: nn.Sigmoid(),
    "dropout": lambda layer, size: nn.Dropout(layer["rate"]), "batch_norm": lambda layer, size: nn.BatchNorm1d(size)}


def network(work: protocol.Workload, dropout: bool = True, start: bool = True) -> nn.Sequential:
    """The net of a workload; start: with the parameters of its folder."""
    modules, size = [], work.spec["in"]
    for layer in work.layers(dropout):
        if layer["op"] == "dense":
            modules.append(nn.Linear(size, layer["units"]))
            size = layer["units"]
        else:
            modules.append(MODULES[layer["op"]](layer, size))
    net = nn.Sequential(*modules)
    if start:
        dense = [module for module in net if isinstance(module, nn.Linear)]
        for module, (w, b) in zip(dense, work.dense()):
            module.weight.data, module.bias.data = torch.tensor(w), torch.tensor(b)
    return net


def optimizer(work: protocol.Workload, params: list) -> torch.optim.Optimizer:
    """Weights decay, biases and norms do not."""
    o, how = work.optimizer, {"fused" if work.mode.endswith("fused") else "foreach": True}
    if o["op"] == "sgd":
        return torch.optim.SGD(params, lr=o["lr"], momentum=o["momentum"], **how)
    how.update(lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"])
    if o["op"] == "adam":
        return torch.optim.Adam(params, **how)
    groups = [{"params": [p for p in params if p.dim() > 1], "weight_decay": o["weight_decay"]},
              {"params": [p for p in params if p.dim() == 1], "weight_decay": 0.}]
    return torch.optim.AdamW(groups, **how)


def moments(o: dict, params: list) -> list[list]:
    """What the written-out update keeps: velocities, or two moments and the number of updates."""
    kept = 2 if o["op"] != "sgd" else int(o["momentum"] > 0)
    return [[torch.zeros_like(p, requires_grad=False) for p in params] for _ in range(kept)] + [[torch.zeros(())]] * (kept == 2)


@torch.no_grad()
def apply(o: dict, params: list, kept: list[list], gradients: list) -> None:
    """The update written out, for torch.compile to fuse."""
    if o["op"] == "sgd":
        for p, g, *velocity in zip(params, gradients, *kept):
            for v in velocity:
                g = v.mul_(o["momentum"]).add_(g)
            p.add_(g, alpha=-o["lr"])
        return
    t = kept[2][0].add_(1)
    first, second = (-torch.expm1(t * math.log(o[beta])) for beta in ("beta1", "beta2"))  # 1 - beta^t in float loses digits
    for p, g, m, v in zip(params, gradients, *kept[:2]):
        m.lerp_(g, 1 - o["beta1"])
        v.mul_(o["beta2"]).addcmul_(g, g, value=1 - o["beta2"])
        if p.dim() > 1:
            p.mul_(1 - o["lr"] * o["weight_decay"])
        p.sub_(o["lr"] * (m / first) / ((v / second).sqrt() + o["eps"]))


def loss_function(work: protocol.Workload):
    return F.mse_loss if work.loss == "mse" else F.cross_entropy


def tensors(work: protocol.Workload) -> list[tuple]:
    return [(torch.tensor(x), torch.tensor(t) if work.loss == "mse" else torch.tensor(t).long()) for x, t in work.batches]


def threads(work: protocol.Workload) -> None:
    torch.set_num_threads(work.threads)
    torch.manual_seed(1)


class Train:
    def __init__(self, work: protocol.Workload):
        threads(work)
        self.work, self.batches, self.done = work, tensors(work), 0
        self.step = self.make(dropout=True)

    def make(self, dropout: bool):
        net, loss_of, mode = network(self.work, dropout), loss_function(self.work), self.work.mode
        params = list(net.parameters())
        if mode == "compile":
            return self.whole(net, loss_of, params, moments(self.work.optimizer, params))
        update = optimizer(self.work, params)

        def loss(x, t):
            return loss_of(net(x), t)
        if mode == "compile-fused":
            loss = torch.compile(loss)

        def step(x, t):
            value = loss(x, t)
            value.backward()
            update.step()
            update.zero_grad(set_to_none=True)
            return value.detach()
        return step

    def whole(self, net, loss_of, params: list, kept: list[list]):
        """Forward, backward and update in one graph."""
        torch._dynamo.config.trace_autograd_ops = True

        def step(x, t):
            value = loss_of(net(x), t)
            apply(self.work.optimizer, params, kept, torch.autograd.grad(value, params))
            return value.detach()
        return torch.compile(step, fullgraph=True)

    def prove(self, steps: int) -> dict:
        step = self.make(dropout=False)
        return {"losses": [step(*self.batches[i % len(self.batches)]).item() for i in range(steps)]}

    def run(self, n: int) -> None:
        for i in range(self.done, self.done + n):
            self.step(*self.batches[i % len(self.batches)])
        self.done += n


class Update:
    def __init__(self, work: protocol.Workload):
        self.work = work
        self.start = [p for pair in work.dense() for p in pair]
        self.gradients = [torch.tensor(g) for pair in work.dense("d") for g in pair]
        self.step = self.make()[1]

    def make(self):
        params = [nn.Parameter(torch.tensor(p)) for p in self.start]
        if self.work.mode == "compile":
            kept = moments(self.work.optimizer, params)
            step = torch.compile(lambda: apply(self.work.optimizer, params, kept, self.gradients), fullgraph=True)
            return params, step
        for p, g in zip(params, self.gradients):
            p.grad = g
        return params, optimizer(self.work, params).step

    def prove(self, steps: int) -> dict:
        params, step = self.make()
        for _ in range(steps):
            step()
        return protocol.difference([p.detach().numpy() for p in params], self.start)

    def run(self, n: int) -> None:
        for _ in range(n):
            self.step()


class Elementwise:
    def __init__(self, work: protocol.Workload):
        x = torch.tensor(work.load("x"), requires_grad=True)
        scale, shift = torch.ones(work.cols, requires_grad=True), torch.zeros(work.cols, requires_grad=True)
        inputs = [x, scale, shift] if work.op == "batch_norm" else [x]
        forward = {"dropout": lambda: F.dropout(x, work.spec.get("rate")), "tanh": lambda: torch.tanh(x), "gelu": lambda: F.gelu(x),
                   "batch_norm": lambda: F.batch_norm(x, None, None, scale, shift, training=True),
                   "softmax_cross_entropy": lambda: F.cross_entropy(x, labels)}[work.op]
        if work.op == "softmax_cross_entropy":
            labels, g = torch.tensor(work.load("labels")).long(), None
        else:
            g = torch.tensor(work.load("g"))

        def step():
            y = forward()
            return y.detach(), torch.autograd.grad(y, inputs, g)[0]
        if work.mode == "compile":
            torch._dynamo.config.trace_autograd_ops = True
            step = torch.compile(step)
        self.step = step

    def prove(self, steps: int) -> dict:
        return protocol.magnitudes(*self.step())

    def run(self, n: int) -> None:
        for _ in range(n):
            self.step()


def op(work: protocol.Workload):
    threads(work)
    return Update(work) if work.op == "update" else Elementwise(work)


class Infer:
    def __init__(self, work: protocol.Workload):
        threads(work)
        net = nn.Sequential(network(work), nn.Softmax(1)).eval()
        self.batches = tensors(work)
        if work.mode == "compile":
            torch._inductor.config.freezing = True
            net = torch.compile(net)
        self.net = net

    @torch.inference_mode()
    def prove(self, steps: int) -> dict:
        return {"outputs": self.net(self.batches[0][0]).flatten().tolist()}

    @torch.inference_mode()
    def run(self, n: int) -> None:
        for i in range(n):
            self.net(self.batches[i % len(self.batches)][0])


class Init:
    def __init__(self, work: protocol.Workload):
        threads(work)
        self.tensor = torch.empty(work.units, work.spec["in"])
        self.fill = {"normal": lambda t: nn.init.normal_(t, std=work.std), "xavier_uniform": nn.init.xavier_uniform_,
                     "orthogonal": nn.init.orthogonal_}[work.init]

    def prove(self, steps: int) -> dict:
        return protocol.deviation(self.fill(self.tensor))

    def run(self, n: int) -> None:
        for _ in range(n):
            self.fill(self.tensor)


def job(work: protocol.Workload) -> None:
    threads(work)
    net = network(work, start=False)
    update = optimizer(work, list(net.parameters()))

    def epoch(x, labels, batches):
        for rows in batches:
            F.cross_entropy(net(torch.from_numpy(x[rows])), torch.from_numpy(labels[rows]).long()).backward()
            update.step()
            update.zero_grad()

    @torch.inference_mode()
    def predict(x):
        return net.eval()(torch.from_numpy(x))
    protocol.run_job(work, epoch, predict)


def preload() -> None:
    import torch._dynamo
    import torch._inductor.compile_fx  # noqa: F401  (seconds that each worker would pay)


if __name__ == "__main__":
    protocol.main("torch", torch.__version__, {"train": Train, "op": op, "infer": Infer, "init": Init, "job": job}, preload)
