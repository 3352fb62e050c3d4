"""One training step of a relu network with softmax and cross-entropy, as each library's users would write it.

All start from the same weights and see the same batches, which are in memory and take turns: on a single batch the loss
would fall to zero, and the steps after that would not be those of a training. The loss is read after each step.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from itertools import count, cycle, pairwise
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import Contender, waited

RATES = {"sgd": 0.05, "momentum": 0.01, "adam": 0.001}
PENALTY = 1e-4  # of the squares of the weights, with "sgd"
MOMENTUM, BETA_1, BETA_2, EPSILON = 0.9, 0.9, 0.999, 1e-7
BATCHES = 16


class Case(NamedTuple):
    """A network, its batches and how it learns."""

    sizes: tuple[int, ...]
    batch: int
    optimizer: str
    dropout: float = 0.0

    @property
    def penalty(self) -> float:
        return PENALTY if self.optimizer == "sgd" else 0.0

    @property
    def rate(self) -> float:
        return RATES[self.optimizer]


SMALL, MEDIUM, DEEP = (64, 32, 10), (784, 128, 10), (784, 1200, 1200, 1200, 1200, 1200, 6)
CASES = {
    "small-sgd": Case(SMALL, 32, "sgd"),
    "small-adam": Case(SMALL, 32, "adam"),
    "medium-sgd": Case(MEDIUM, 128, "sgd"),
    "medium-adam": Case(MEDIUM, 128, "adam"),
    **{
        f"deep{batch}-{name}": Case(DEEP, batch, name.replace("dropout", "sgd"), 0.5 if name == "dropout" else 0.0)
        for batch in (50, 128)
        for name in ("sgd", "momentum", "adam", "dropout")
    },
}


def weights(case: Case) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Glorot uniform kernels and biases of zero, one layer at a time: nobody needs to hold a second copy of all."""
    rng = np.random.default_rng(1)
    for a, b in pairwise(case.sizes):
        limit = np.sqrt(6 / (a + b))
        yield (rng.random((a, b), dtype=np.float32) * 2 - 1) * np.float32(limit), np.zeros(b, np.float32)


def batches(case: Case) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images and labels."""
    rng = np.random.default_rng(0)
    return [
        (rng.random((case.batch, case.sizes[0]), dtype=np.float32), rng.integers(0, case.sizes[-1], case.batch))
        for _ in range(BATCHES)
    ]


def in_turns(update: Callable[[Any, Any], Any], pairs: list[tuple[Any, Any]]) -> Callable[[], float]:
    """A step on the next batch, that gives its loss."""
    following = cycle(pairs).__next__

    def step() -> float:
        x, y = following()
        return float(update(x, y))

    return step


def raced(case: Case, step: Callable[[], float], plain_loss: Callable[[], float], **more: Any) -> Contender:
    """The losses of the first three steps; with dropout, whose masks differ, that of the first batch without it."""
    if case.dropout:
        first = float(plain_loss())
        return Contender(step, [first], [step()], **more)
    return Contender(step, [step() for _ in range(3)], **more)


def graphnet_step(case: Case) -> tuple[Any, Callable[..., Any], Callable[..., Any]]:
    """The compiled step, the step as it is written, and its loss function."""
    import graphnet as gn

    ps = [gn.Parameter(p, dtype="float32") for layer in weights(case) for p in layer]
    count = gn.Parameter(np.int64(0), trainable=False)
    kept = {"sgd": 0, "momentum": 1, "adam": 2}[case.optimizer]
    slots = [[gn.Parameter(np.zeros(p.shape, np.float32), trainable=False) for _ in range(kept)] for p in ps]

    def loss_of(x, y, dropout):
        h = x
        for i in range(0, len(ps), 2):
            h = h @ ps[i] + ps[i + 1]
            if i + 2 < len(ps):
                h = gn.relu(h)
                if dropout:
                    keep = gn.random_uniform(count * len(ps) + i, h.shape) >= dropout
                    h = gn.where(keep, h * (1 / (1 - dropout)), 0.0)
        return -gn.take_along_axis(gn.log_softmax(h), y.reshape(-1, 1), 1).mean()

    def step(x, y):
        loss = loss_of(x, y, case.dropout)
        total = loss
        if case.penalty:
            for w in ps[::2]:
                total = total + case.penalty * (w * w).sum()
        with gn.no_grad():
            grads = gn.gradients(total, ps)
            t = count.astype("float64") + 1.0
            rate = case.rate * gn.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
            for p, g, s in zip(ps, grads, slots, strict=True):
                if case.optimizer == "sgd":
                    p.assign(p - case.rate * g)
                elif case.optimizer == "momentum":
                    v = MOMENTUM * s[0] - case.rate * g
                    p.assign(p + v)
                    s[0].assign(v)
                else:
                    m = s[0] + (g - s[0]) * (1 - BETA_1)
                    v = s[1] + (g * g - s[1]) * (1 - BETA_2)
                    p.assign(p - rate.astype("float32") * m / (gn.sqrt(v) + EPSILON))
                    s[0].assign(m)
                    s[1].assign(v)
            if case.optimizer == "adam" or case.dropout:
                count.assign(count + 1)
        return loss

    return gn.compile(step), step, loss_of


def graphnet(case: Case) -> Contender:
    import graphnet as gn

    run, _, loss_of = graphnet_step(case)
    pairs = [(gn.tensor(x), gn.tensor(y)) for x, y in batches(case)]
    return raced(
        case,
        in_turns(lambda x, y: run(x, y).item(), pairs),
        lambda: loss_of(*pairs[0], 0.0).item(),
        ready=lambda: waited(run),
        # Faster code may come from the background for a while.
        warm=2.0,
    )


def torch_model(case: Case) -> Any:
    """An `nn.Sequential` that gives logits."""
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    layers: list[Any] = []
    for i, (w, b) in enumerate(weights(case)):
        if i:
            layers.append(nn.ReLU())
            if case.dropout:
                layers.append(nn.Dropout(case.dropout))
        # Made empty, since its own first numbers are not used.
        layer = nn.utils.skip_init(nn.Linear, *w.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(w.T))
            layer.bias.copy_(torch.from_numpy(b))
        layers.append(layer)
    return nn.Sequential(*layers)


def torch_optimizer(case: Case, model: Any) -> Any:
    """The fused optimiser."""
    import torch

    if case.optimizer == "adam":
        adam = torch.optim.Adam(model.parameters(), case.rate, (BETA_1, BETA_2), EPSILON, fused=True)
        steps = count(1)

        def as_in_keras(optimizer, args, kwargs):
            # It adds epsilon after the correction of v, Keras before: 30 times as much in the first step, which shows
            # where gradients are small.
            optimizer.param_groups[0]["eps"] = EPSILON / math.sqrt(1 - BETA_2 ** next(steps))

        adam.register_step_pre_hook(as_in_keras)
        return adam
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 2 * case.penalty},
        {"params": [p for p in model.parameters() if p.ndim == 1]},
    ]
    return torch.optim.SGD(groups, case.rate, MOMENTUM if case.optimizer == "momentum" else 0.0, fused=True)


def pytorch(case: Case, compiled: bool = False) -> Contender:
    import torch

    model = torch_model(case)
    optimizer = torch_optimizer(case, model)
    pairs = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches(case)]

    def loss_of(x, y):
        return torch.nn.functional.cross_entropy(model(x), y)

    forward = torch.compile(loss_of) if compiled else loss_of

    def update(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def plain_loss():
        model.eval()
        with torch.no_grad():
            loss = loss_of(*pairs[0]).item()
        model.train()
        return loss

    return raced(case, in_turns(update, pairs), plain_loss)


def jax_step(case: Case) -> tuple[Any, Any, Callable[..., Any]]:
    """The jitted step, its first state and the loss function."""
    import jax
    import jax.numpy as jnp

    def loss_of(ps, x, y, key=None):
        h = x
        for i, (w, b) in enumerate(ps):
            h = h @ w + b
            if i + 1 < len(ps):
                h = jax.nn.relu(h)
                if key is not None:
                    keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - case.dropout, h.shape)
                    h = jnp.where(keep, h / (1 - case.dropout), 0.0)
        return -jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], 1).mean()

    def total_of(ps, x, y, key):
        loss = loss_of(ps, x, y, key)
        return loss + case.penalty * sum((w * w).sum() for w, _ in ps) if case.penalty else loss, loss

    each = jax.tree_util.tree_map

    def update(state, x, y):
        ps, slots, count = state
        key = jax.random.fold_in(jax.random.key(0), count) if case.dropout else None
        grads, loss = jax.grad(total_of, has_aux=True)(ps, x, y, key)
        if case.optimizer == "sgd":
            ps = each(lambda p, g: p - case.rate * g, ps, grads)
        elif case.optimizer == "momentum":
            slots = (each(lambda v, g: MOMENTUM * v - case.rate * g, slots[0], grads),)
            ps = each(lambda p, v: p + v, ps, slots[0])
        else:
            t = count.astype(jnp.float32) + 1
            rate = case.rate * jnp.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
            m = each(lambda m, g: m + (g - m) * (1 - BETA_1), slots[0], grads)
            v = each(lambda v, g: v + (g * g - v) * (1 - BETA_2), slots[1], grads)
            ps = each(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), ps, m, v)
            slots = (m, v)
        return (ps, slots, count + 1), loss

    kept = {"sgd": 0, "momentum": 1, "adam": 2}[case.optimizer]
    ps = [(jnp.array(w), jnp.array(b)) for w, b in weights(case)]
    state = (ps, tuple(each(jnp.zeros_like, ps) for _ in range(kept)), jnp.zeros((), jnp.int32))
    return jax.jit(update, donate_argnums=0), state, loss_of


def jax(case: Case) -> Contender:
    import jax.numpy as jnp

    update, state, loss_of = jax_step(case)
    pairs = [(jnp.asarray(x), jnp.asarray(y)) for x, y in batches(case)]

    def step(x, y):
        nonlocal state
        state, loss = update(state, x, y)
        return float(loss)

    return raced(case, in_turns(step, pairs), lambda: loss_of(state[0], *pairs[0]))


def keras_model(case: Case) -> Any:
    """A compiled `Sequential` that gives logits."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    layers: list[Any] = [keras.Input((case.sizes[0],))]
    for i, units in enumerate(case.sizes[1:]):
        last = i + 2 == len(case.sizes)
        penalty = keras.regularizers.L2(case.penalty) if case.penalty else None
        layers.append(keras.layers.Dense(units, None if last else "relu", kernel_regularizer=penalty))
        if case.dropout and not last:
            layers.append(keras.layers.Dropout(case.dropout))
    model = keras.Sequential(layers)
    model.set_weights([p for layer in weights(case) for p in layer])
    if case.optimizer == "adam":
        optimizer = keras.optimizers.Adam(case.rate, BETA_1, BETA_2, EPSILON)
    else:
        optimizer = keras.optimizers.SGD(case.rate, MOMENTUM if case.optimizer == "momentum" else 0.0)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def keras(case: Case) -> Contender:
    model = keras_model(case)
    pairs = batches(case)

    def squares() -> float:
        return case.penalty * sum(float((w.astype(np.float64) ** 2).sum()) for w in model.get_weights()[::2])

    step = in_turns(model.train_on_batch, pairs)

    def loss() -> float:
        # What it gives contains the penalty, and is the mean over the batches since the metrics were reset.
        model.reset_metrics()
        penalty = squares()
        return step() - penalty

    if case.dropout:
        return Contender(step, [float(model.test_on_batch(*pairs[0])) - squares()], [loss()])
    return Contender(step, [loss() for _ in range(3)])


def scikit_learn(case: Case) -> Contender:
    from sklearn.neural_network import MLPClassifier

    if case.dropout:
        raise NotImplementedError("MLPClassifier has no dropout")
    pairs = batches(case)
    classes = np.arange(case.sizes[-1])
    model = MLPClassifier(
        case.sizes[1:-1],
        solver="adam" if case.optimizer == "adam" else "sgd",
        alpha=2 * case.penalty * case.batch,
        batch_size=case.batch,
        learning_rate_init=case.rate,
        momentum=MOMENTUM if case.optimizer == "momentum" else 0.0,
        nesterovs_momentum=False,
        beta_1=BETA_1,
        beta_2=BETA_2,
        epsilon=EPSILON,
    )
    # Its arrays exist after a first step; then they get the common weights, and the optimiser starts anew.
    model.partial_fit(*pairs[0], classes=classes)
    for i, (w, b) in enumerate(weights(case)):
        model.coefs_[i][...], model.intercepts_[i][...] = w, b
    del model._optimizer

    def update(x, y):
        return model.partial_fit(x, y).loss_

    step = in_turns(update, pairs)
    answer = []
    for _ in range(3):
        penalty = case.penalty * sum(float((w.astype(np.float64) ** 2).sum()) for w in model.coefs_)
        answer.append(step() - penalty)
    return Contender(step, answer)


def numpy_update(case: Case, ps: list[np.ndarray]) -> Callable[[list[np.ndarray]], None]:
    """The optimiser for libraries that have none: changes arrays in place."""
    kept = {"sgd": 0, "momentum": 1, "adam": 2}[case.optimizer]
    slots = [[np.zeros_like(p) for _ in range(kept)] for p in ps]
    count = 0

    def update(grads: list[np.ndarray]) -> None:
        nonlocal count
        count += 1
        rate = case.rate * float(np.sqrt(1 - BETA_2**count) / (1 - BETA_1**count))
        for p, g, s in zip(ps, grads, slots, strict=True):
            if case.optimizer == "sgd":
                p -= case.rate * g
            elif case.optimizer == "momentum":
                s[0] *= MOMENTUM
                s[0] -= case.rate * g
                p += s[0]
            else:
                s[0] += (g - s[0]) * (1 - BETA_1)
                s[1] += (g * g - s[1]) * (1 - BETA_2)
                p -= rate * s[0] / (np.sqrt(s[1]) + EPSILON)

    return update


def autograd(case: Case) -> Contender:
    import autograd.numpy as anp
    from autograd import value_and_grad

    rng = np.random.default_rng(2)
    ps = [p for layer in weights(case) for p in layer]
    rows = np.arange(case.batch)

    def loss_of(ps, x, y, dropout=case.dropout):
        h = x
        for i in range(0, len(ps), 2):
            h = anp.dot(h, ps[i]) + ps[i + 1]
            if i + 2 < len(ps):
                h = anp.maximum(h, np.float32(0))
                if dropout:
                    h = h * ((rng.random(h.shape, dtype=np.float32) >= dropout) * np.float32(1 / (1 - dropout)))
        h = h - anp.max(h, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(h), axis=1)) - h[rows, y])

    both, apply = value_and_grad(loss_of), numpy_update(case, ps)

    def update(x, y):
        loss, grads = both(ps, x, y)
        if case.penalty:
            for i in range(0, len(ps), 2):
                grads[i] += 2 * case.penalty * ps[i]
        apply(grads)
        return loss

    pairs = batches(case)
    return raced(case, in_turns(update, pairs), lambda: loss_of(ps, *pairs[0], 0.0))


def mygrad(case: Case) -> Contender:
    import mygrad as mg
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    mg.turn_memory_guarding_off()
    rng = np.random.default_rng(2)
    ps = [mg.tensor(p) for layer in weights(case) for p in layer]
    apply = numpy_update(case, [p.data for p in ps])

    def loss_of(x, y, dropout=case.dropout):
        h = x
        for i in range(0, len(ps), 2):
            h = mg.matmul(h, ps[i]) + ps[i + 1]
            if i + 2 < len(ps):
                h = relu(h)
                if dropout:
                    h = h * ((rng.random(h.shape, dtype=np.float32) >= dropout) * np.float32(1 / (1 - dropout)))
        return softmax_crossentropy(h, y)

    def update(x, y):
        loss = loss_of(x, y)
        loss.backward()
        grads = [p.grad for p in ps]
        if case.penalty:
            for p, g in zip(ps[::2], grads[::2], strict=True):
                g += 2 * case.penalty * p.data
        apply(grads)
        return loss.item()

    pairs = batches(case)
    return raced(case, in_turns(update, pairs), lambda: loss_of(*pairs[0], 0.0).item())


def tinygrad(case: Case) -> Contender:
    from tinygrad import Context, Tensor, TinyJit
    from tinygrad.nn.optim import SGD, Optimizer, OptimizerGroup

    class Adam(Optimizer):
        """Its own adds epsilon after the correction of v."""

        def __init__(self, ps):
            super().__init__(ps, case.rate)
            self.m, self.v = self._new_optim_param(), self._new_optim_param()
            self.t = Tensor.zeros(1).contiguous().is_param_(False)

        def _step(self, params, grads):
            self.t.assign(self.t + 1)
            rate = self.lr * (1 - BETA_2**self.t).sqrt() / (1 - BETA_1**self.t)
            updates = []
            for m, v, g in zip(self.m, self.v, grads, strict=True):
                m.assign(m + (g - m) * (1 - BETA_1))
                v.assign(v + (g * g - v) * (1 - BETA_2))
                updates.append(rate * m / (v.sqrt() + EPSILON))
            return updates, [self.t, *self.m, *self.v]

    ps = [Tensor(p) for layer in weights(case) for p in layer]
    if case.optimizer == "adam":
        optimizer: Any = Adam(ps)
    else:
        momentum = MOMENTUM if case.optimizer == "momentum" else 0.0
        optimizer = OptimizerGroup(
            SGD(ps[::2], case.rate, momentum, weight_decay=2 * case.penalty), SGD(ps[1::2], case.rate, momentum)
        )

    def loss_of(x, y, dropout=case.dropout):
        h = x
        for i in range(0, len(ps), 2):
            h = h @ ps[i] + ps[i + 1]
            if i + 2 < len(ps):
                h = h.relu().dropout(dropout)
        return h.sparse_categorical_crossentropy(y)

    @TinyJit
    @Context(TRAINING=1)
    def update(x, y):
        optimizer.zero_grad()
        loss = loss_of(x, y).backward()
        return loss.realize(*optimizer.schedule_step())

    pairs = [(Tensor(x).realize(), Tensor(y.astype(np.int32)).realize()) for x, y in batches(case)]
    return raced(case, in_turns(lambda x, y: update(x, y).item(), pairs), lambda: loss_of(*pairs[0], 0.0).item())


LIBRARIES: dict[str, Callable[[Case], Contender]] = {
    "graphnet": graphnet,
    "PyTorch": pytorch,
    "torch.compile": lambda case: pytorch(case, compiled=True),
    "JAX": jax,
    "Keras": keras,
    "scikit-learn": scikit_learn,
    "autograd": autograd,
    "MyGrad": mygrad,
    "tinygrad": tinygrad,
}


def contender(case: str, library: str) -> Contender:
    """The step of one library."""
    return LIBRARIES[library](CASES[case])
