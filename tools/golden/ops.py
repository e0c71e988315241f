#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/ops.txt: what PyTorch says of every op and loss that both have.

    pip install -r tools/golden/requirements.txt && tools/golden/ops.py > tests/golden/ops.txt

Needed only when a record is added. Inputs and parameters are float32 numbers; PyTorch computes from them in float64 on
the CPU, and results are rounded to float32: the reference is then right to the last digit, which PyTorch's own float32
kernels are not in the tails.

A line is a word and its values; '#' begins a comment. `twin KIND NAME` promises a case, `without NAME REASON` says why
there is none. A case:

    case KIND NAME MODE        KIND op or loss, MODE training or inference
    attr NAME number|text|null V    or: attr NAME list N V1 ... VN
    rows N
    input D1 D2 ...            the shape of a sample, a line per input
    tensor WHAT N V1 ... VN    row-major; x0 x1 ... inputs, y, dy, dx0 dx1 ..., param:S before the call, grad:S,
                               after:S a statistic after the call; of losses z, labels or target, weights, loss, dz
    end
"""
import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
rng = np.random.default_rng(20)

# Kinks and zeros of both signs, what underflows, what saturates.
SPECIAL = [0.0, -0.0, 1, -1, 3, -3, 6, -6, 1e-30, -1e-30, 1e-3, -1e-3, 12, -12, 30, -30, 100, -100, 1e4, -1e4, 1e6, -1e6]

# name, function, list of attributes; lecun_tanh, which PyTorch has not, is composed of what it has
ACTIVATIONS = [
    ("elu", F.elu, [{}, {"alpha": 1.5}]),
    ("erf", torch.erf, [{}]),
    ("gelu", F.gelu, [{}, {"approximate": "tanh"}]),
    ("hard_sigmoid", F.hardsigmoid, [{}]),
    ("hard_tanh", lambda x, min=-1, max=1: F.hardtanh(x, min, max), [{}, {"min": -0.5, "max": 1.25}]),
    ("leaky_relu", F.leaky_relu, [{}, {"negative_slope": 0.25}]),
    ("lecun_tanh", lambda x: 1.7159 * torch.tanh(x * 2 / 3), [{}]),
    ("mish", F.mish, [{}]),
    ("relu", F.relu, [{}]),
    ("relu6", F.relu6, [{}]),
    ("selu", F.selu, [{}]),
    ("sigmoid", torch.sigmoid, [{}]),
    ("silu", F.silu, [{}]),
    ("softplus", F.softplus, [{}, {"beta": 2.5}]),
    ("softsign", F.softsign, [{}]),
    ("tanh", torch.tanh, [{}]),
]
WITHOUT = {"dropout": "its masks are random; see tests/op/test_dropout.c"}
WITHOUT.update({name: "its noise is random; see tests/op/test_noise.c" for name in (
    "alpha_dropout", "gaussian_dropout", "gaussian_noise", "stochastic_depth")})
OUT, TWINS = [], []


def normal(*shape, std=1.0):
    return (std * rng.standard_normal(shape)).astype(np.float32)


def line(*words):
    OUT.append(" ".join(str(w) for w in words))


def tensor(what, values):
    if isinstance(values, torch.Tensor):
        values = values.detach().numpy()
    flat = np.asarray(values).astype(np.float32).ravel()
    # the shortest decimals that read back as the same float32
    line("tensor", what, flat.size, *(repr(float(str(v))) for v in flat))


def leaf(values):
    return torch.tensor(values.astype(np.float64), requires_grad=True)


def begin(kind, name, mode, attrs, rows, shapes):
    if (kind, name) not in TWINS:
        TWINS.append((kind, name))
    line("case", kind, name, mode)
    for key, value in attrs.items():
        if value is None:
            line("attr", key, "null", 0)
        elif isinstance(value, (list, tuple)):
            line("attr", key, "list", len(value), *value)
        else:
            line("attr", key, "text" if isinstance(value, str) else "number", value)
    line("rows", rows)
    for shape in shapes:
        line("input", *shape)


def op(name, function, inputs, attrs=None, params=None, statistics=None, mode="training"):
    """function(inputs, params, statistics) -> y; statistics are changed in place."""
    begin("op", name, mode, attrs or {}, inputs[0].shape[0], [x.shape[1:] for x in inputs])
    xs = [leaf(x) for x in inputs]
    ps = {key: leaf(value) for key, value in (params or {}).items()}
    ss = {key: torch.tensor(value.astype(np.float64)) for key, value in (statistics or {}).items()}
    for i, x in enumerate(inputs):
        tensor(f"x{i}", x)
    for key, value in {**(params or {}), **(statistics or {})}.items():
        tensor(f"param:{key}", value)
    y = function(xs, ps, ss)
    tensor("y", y)
    if mode == "training":
        dy = normal(*y.shape)
        y.backward(torch.tensor(dy.astype(np.float64)))
        tensor("dy", dy)
        for i, x in enumerate(xs):
            tensor(f"dx{i}", torch.zeros_like(x) if x.grad is None else x.grad)  # None: an index
        for key, value in ps.items():
            tensor(f"grad:{key}", value.grad)
    for key, value in ss.items():
        tensor(f"after:{key}", value)
    line("end")


def activations():
    for name, function, choices in ACTIVATIONS:
        for attrs in choices:
            x = np.concatenate([np.array(SPECIAL, np.float32), normal(26, std=2.5)]).reshape(4, 12)
            op(name, lambda xs, ps, ss: function(xs[0], **attrs), [x], attrs)
    for name, function in (("log_softmax", F.log_softmax), ("softmax", F.softmax)):
        x = normal(4, 11, std=3)
        x[1, 4], x[2, 5], x[3, :] = 1e4, -1e4, 7
        op(name, lambda xs, ps, ss: function(xs[0], 1), [x])
        x = normal(3, 2, 5)  # the whole sample is one distribution
        op(name, lambda xs, ps, ss: function(xs[0].flatten(1), 1).view(3, 2, 5), [x])


def transformed_weights():
    """Layers that compute the weights they use. Masks are random: dropconnect is the dense layer it is without."""
    for rows, shape, units, bias in ((5, (7,), 3, True), (3, (19,), 37, True), (4, (2, 3), 5, False)):
        n = int(np.prod(shape))
        x, params = normal(rows, *shape), {"weight": normal(units, n, std=0.5)}
        if bias:
            params["bias"] = normal(units)
        for mode, rate in (("training", 0), ("inference", 0.4)):
            op("dropconnect", lambda xs, ps, ss: F.linear(xs[0].flatten(1), ps["weight"], ps.get("bias")), [x],
               {"units": units, "rate": rate, "bias": int(bias)}, params, mode=mode)
        params["weight_v"] = params.pop("weight")
        params["weight_g"] = normal(units, 1)
        op("weight_norm", lambda xs, ps, ss: F.linear(
            xs[0].flatten(1), torch._weight_norm(ps["weight_v"], ps["weight_g"], 0), ps.get("bias")), [x],
           {"units": units, "bias": int(bias)}, params)


def cumulative_norm():
    """Batch norm with momentum None is torch.nn's own module on our tensors: it counts the batches."""
    for mode in ("training", "inference"):
        params = {"weight": 1 + normal(4, std=0.3), "bias": normal(4)}
        statistics = {"running_mean": normal(4), "running_var": np.exp(normal(4)), "num_batches_tracked": np.float32(6)}

        def run(xs, ps, ss):
            m = torch.nn.BatchNorm1d(4, momentum=None, dtype=torch.float64).train(mode == "training")
            m._parameters.update(ps)
            m._buffers.update(ss)
            y = m(xs[0])
            ss["num_batches_tracked"] = m.num_batches_tracked
            return y
        op("batch_norm", run, [3 + normal(8, 4, std=2)], {"momentum": None}, params, statistics, mode)


def row_norms():
    """Normalization within a sample; of each kind with and without parameters, over parts of the shape."""
    offset = 1e4 + normal(3, 7)  # far from 0: one-pass variances fail
    flat = np.full((3, 7), 0.1, np.float32)  # constant rows: exactly the shift
    for x, attrs in ((normal(5, 7), {}), (offset, {"eps": 0.01}), (flat, {}), (normal(4, 3, 5, std=3), {"axes": 1}),
                     (normal(2, 2, 3, 4), {"axes": 2, "bias": 0}), (normal(3, 37), {"elementwise_affine": 0})):
        shape = x.shape[x.ndim - attrs["axes"]:] if "axes" in attrs else x.shape[1:]
        params = {"weight": 1 + normal(*shape, std=0.3), "bias": normal(*shape)}
        if "bias" in attrs:
            del params["bias"]
        if "elementwise_affine" in attrs:
            params = {}
        op("layer_norm", lambda xs, ps, ss: F.layer_norm(
            xs[0], shape, ps.get("weight"), ps.get("bias"), attrs.get("eps", 1e-5)), [x], attrs, params)
        if "bias" in attrs or x is offset:
            continue
        params.pop("bias", None)
        op("rms_norm", lambda xs, ps, ss: F.rms_norm(xs[0], shape, ps.get("weight"), attrs.get("eps", 2.0**-23)),
           [x], attrs, params)
    for x, attrs in ((normal(5, 6), {"groups": 2}), (normal(3, 4, 5, std=3), {"groups": 2, "eps": 0.01}),
                     (normal(2, 6, 3, 3), {"groups": 6}), (normal(3, 4, 17), {"groups": 1, "affine": 0})):
        c = x.shape[1]
        params = {"weight": 1 + normal(c, std=0.3), "bias": normal(c)} if "affine" not in attrs else {}
        op("group_norm", lambda xs, ps, ss: F.group_norm(
            xs[0], attrs["groups"], ps.get("weight"), ps.get("bias"), attrs.get("eps", 1e-5)), [x], attrs, params)
    x = normal(4, 3, 5)
    x[0, 0, :2] = 0.0, -0.0
    for attrs in ({}, {"per_channel": 1}):
        a = normal(3 if attrs else 1, std=0.4)
        op("prelu", lambda xs, ps, ss: F.prelu(xs[0], ps["weight"]), [x], attrs, {"weight": a})


def layers():
    for rows, shape, units, bias in ((5, (7,), 3, True), (3, (19,), 37, True), (4, (2, 3), 5, False), (1, (1,), 1, True)):
        n = int(np.prod(shape))
        params = {"weight": normal(units, n, std=0.5)}
        if bias:
            params["bias"] = normal(units)
        op("dense", lambda xs, ps, ss: F.linear(xs[0].flatten(1), ps["weight"], ps.get("bias")), [normal(rows, *shape)],
           {"units": units, "bias": int(bias)}, params)
    for shape, attrs in (((6,), {}), ((3, 4), {"momentum": 0.25, "eps": 0.01}), ((5,), {"affine": 0})):
        for mode in ("training", "inference"):
            c = shape[0]
            params = {"weight": 1 + normal(c, std=0.3), "bias": normal(c)} if attrs.get("affine", 1) else {}
            statistics = {"running_mean": normal(c), "running_var": np.exp(normal(c))}
            op("batch_norm", lambda xs, ps, ss: F.batch_norm(
                xs[0], ss["running_mean"], ss["running_var"], ps.get("weight"), ps.get("bias"), mode == "training",
                attrs.get("momentum", 0.1), attrs.get("eps", 1e-5)), [3 + normal(8, *shape, std=2)], attrs, params,
               statistics, mode)
    op("add", lambda xs, ps, ss: xs[0] + xs[1] + xs[2], [normal(3, 5) for _ in range(3)])
    op("flatten", lambda xs, ps, ss: xs[0].flatten(1), [normal(3, 2, 4)])


def shapes():
    """Joins, parts and factors."""
    for shape, n in (((5,), 2), ((3, 4), 3)):
        op("multiply", lambda xs, ps, ss: torch.stack(xs).prod(0), [normal(4, *shape) for _ in range(n)])
    for shape, attrs in (((7,), {"value": 0.5}), ((3, 5), {"per": "channel"}), ((4,), {"per": "channel"}),
                         ((2, 3, 2), {"value": -2, "trainable": 0})):
        c = shape[0] if attrs.get("per") else 1
        params = {"weight": normal(c)} if attrs.get("trainable", 1) else {}
        factor = lambda ps: ps["weight"].view(-1, *[1] * (len(shape) - 1)) if ps else attrs["value"]
        op("scale", lambda xs, ps, ss: factor(ps) * xs[0], [normal(6, *shape)], attrs, params)
    for axis, inputs in ((-1, ((3,), (1,), (4,))), (1, ((2, 3), (1, 3))), (2, ((2, 3), (2, 1))), (-2, ((1, 2, 2), (1, 3, 2)))):
        op("concat", lambda xs, ps, ss: torch.cat(xs, axis), [normal(3, *shape) for shape in inputs], {"axis": axis})
    op("reshape", lambda xs, ps, ss: xs[0].reshape(3, 2, -1, 3), [normal(3, 4, 6)], {"shape": (2, -1, 3)})
    for shape, attrs, cut in (((8,), {"start": 2, "end": 5}, np.s_[:, 2:5]), ((8,), {"start": -3}, np.s_[:, -3:]),
                              ((3, 5), {"start": 1, "end": -1, "axis": 2}, np.s_[:, :, 1:-1]),
                              ((3, 5), {"end": 2, "axis": 1}, np.s_[:, :2])):
        op("slice", lambda xs, ps, ss: xs[0][cut], [normal(3, *shape)], attrs)


def embeddings():
    """Tables of rows; an index that comes several times, and one that never does."""
    for shape, vocabulary, dim in (((4,), 6, 3), ((2, 3), 9, 5)):
        x = rng.integers(0, vocabulary - 1, (7, *shape)).astype(np.float32)
        op("embedding", lambda xs, ps, ss: F.embedding(xs[0].long(), ps["weight"]), [x],
           {"dim": dim, "vocabulary": [vocabulary]}, {"weight": normal(vocabulary, dim)})
    x = normal(6, 5)  # columns 1 and 3 are indexes of two tables, which stand one below the other
    x[:, 1], x[:, 3] = rng.integers(0, 3, 6), rng.integers(0, 5, 6)
    op("embedding", lambda xs, ps, ss: torch.cat((
        F.embedding(xs[0][:, 1].long(), ps["weight"]), F.embedding(xs[0][:, 3].long() + 3, ps["weight"]),
        xs[0][:, [0, 2, 4]]), 1), [x], {"dim": 4, "vocabulary": [3, 5], "columns": [1, 3]}, {"weight": normal(8, 4)})


def loss(name, function, rows, cols, truth, values, attrs=None, weights=None):
    """function(z, truth) -> the mean over the batch. With weights (of the rows) function(z, truth, weights)."""
    begin("loss", name, "training", attrs or {}, rows, [(cols,)])
    z = normal(rows, cols, std=3)
    z[0, 0] = 40
    z_ = leaf(z)
    told = [torch.tensor(values.astype(np.int64 if truth == "labels" else np.float64))]
    if weights is not None:
        told.append(torch.tensor(weights.astype(np.float64)))
    value = function(z_, *told)
    value.backward()
    tensor("z", z)
    tensor(truth, values)
    if weights is not None:
        tensor("weights", weights)
    tensor("loss", value)
    tensor("dz", z_.grad)
    line("end")


def losses():
    for rows, cols in ((5, 10), (1, 2), (7, 33)):
        loss("softmax_cross_entropy", F.cross_entropy, rows, cols, "labels", np.arange(rows) * 3 % cols)
        loss("mse", F.mse_loss, rows, cols, "target", normal(rows, cols))


def distributions(rows, cols):
    """With a zero, and a row that is one class alone; sums are 1 in float32."""
    t = np.exp(normal(rows, cols))
    t[:, 0] = 0
    t[-1] = np.eye(cols)[1]
    return (t / t.sum(1, keepdims=True)).astype(np.float32)


def cross_entropy_variants():
    rows, cols = 9, 6
    name, y = "softmax_cross_entropy", np.arange(rows) * 5 % cols
    cw = [0.5, 2.0, 0.0, 1.25, 3.0, 0.75]
    cw_ = torch.tensor(cw, dtype=torch.float64)
    for smoothing in (0, 0.1, 0.4):
        for attrs, options in (({}, {}), ({"ignore_index": 3}, {"ignore_index": 3}), ({"class_weights": cw}, {"weight": cw_}),
                               ({"class_weights": cw, "ignore_index": 5}, {"weight": cw_, "ignore_index": 5})):
            if smoothing:
                attrs, options = {**attrs, "label_smoothing": smoothing}, {**options, "label_smoothing": smoothing}
            loss(name, lambda z, t: F.cross_entropy(z, t, **options), rows, cols, "labels", y, attrs)
            if "ignore_index" not in attrs:  # which PyTorch has for labels only
                loss(name, lambda z, t: F.cross_entropy(z, t, **options), rows, cols, "target", distributions(rows, cols),
                     attrs)
    y = np.where(np.arange(rows) % 4 == 1, -100, y)
    loss(name, lambda z, t: F.cross_entropy(z, t, ignore_index=-100), rows, cols, "labels", y, {"ignore_index": -100})

    def weighted(z, t, w):  # of samples, which PyTorch leaves to the caller: both weights of a row in its mean
        each = F.cross_entropy(z, t, cw_, ignore_index=4, reduction="none")
        return (w * each).sum() / (w * torch.where(t == 4, 0, cw_[t])).sum()

    w = np.abs(normal(rows))
    w[2] = 0
    loss(name, weighted, rows, cols, "labels", np.arange(rows) * 5 % cols, {"class_weights": cw, "ignore_index": 4}, w)
    loss(name, lambda z, t, w: (w * F.cross_entropy(z, t, reduction="none", label_smoothing=0.2)).sum() / w.sum(), rows, cols,
         "target", distributions(rows, cols), {"label_smoothing": 0.2}, w)


def loss_variants():
    """Each loss with its attributes and with weights of the samples, Σ w loss / Σ w."""
    def mean(function):  # over outputs, then the weighted one over rows
        return lambda z, t, w=None: function(z, t).mean() if w is None else (w * function(z, t).mean(1)).sum() / w.sum()

    cross_entropy_variants()
    for rows, cols in ((4, 3), (3, 1), (2, 19)):
        w = np.abs(normal(rows))
        w[1] = 0
        for weights in (None, w):
            loss("mse", mean(lambda z, t: F.mse_loss(z, t, reduction="none")), rows, cols, "target", normal(rows, cols), {},
                 weights)
            loss("mae", mean(lambda z, t: F.l1_loss(z, t, reduction="none")), rows, cols, "target", normal(rows, cols), {},
                 weights)
            for delta in (1, 0.3):
                loss("huber", mean(lambda z, t: F.huber_loss(z, t, reduction="none", delta=delta)), rows, cols, "target",
                     normal(rows, cols, std=2), {} if delta == 1 else {"delta": delta}, weights)
            pos = np.abs(normal(cols)).astype(float).round(3).tolist()
            for pw in (None, pos):
                labels = (normal(rows, cols) > 0).astype(np.float32)
                labels[0] = 0.25  # soft ones too
                loss("sigmoid_cross_entropy", mean(lambda z, t: F.binary_cross_entropy_with_logits(
                    z, t, reduction="none", pos_weight=None if pw is None else torch.tensor(pw, dtype=torch.float64))), rows,
                     cols, "target", labels, {} if pw is None else {"pos_weight": pw}, weights)
            loss("sigmoid_cross_entropy", mean(lambda z, t: F.binary_cross_entropy_with_logits(
                z, 0.8 * t + 0.1, reduction="none")), rows, cols, "target", (normal(rows, cols) > 0).astype(np.float32),
                 {"label_smoothing": 0.2}, weights)
            if cols > 1:
                loss("kl_divergence", lambda z, t, w=None: F.kl_div(z.log_softmax(1), t, reduction="batchmean") if w is None
                     else (w * F.kl_div(z.log_softmax(1), t, reduction="none").sum(1)).sum() / w.sum(), rows, cols, "target",
                     distributions(rows, cols), {}, weights)


def main():
    global rng
    activations()
    layers()
    losses()
    for seed, part in enumerate((row_norms, cumulative_norm, shapes, transformed_weights, embeddings), 21):
        rng = np.random.default_rng(seed)  # its own numbers, so that none of these moves another
        part()
    rng = np.random.default_rng(400)
    loss_variants()
    print("# Written by tools/golden/ops.py, which says what the lines mean. PyTorch "
          f"{torch.__version__.split('+')[0]}, NumPy {np.__version__}.")
    for kind, name in TWINS:
        print("twin", kind, name)
    for name, reason in WITHOUT.items():
        print("without", name, reason)
    print("\n".join(OUT))


if __name__ == "__main__":
    main()
