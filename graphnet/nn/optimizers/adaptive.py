"""Optimisers whose step for each element is set by the gradients that it has had."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.optimizers.base import Optimizer, Slots, Update, table
from graphnet.nn.optimizers.settings import fraction, positive


@table.add("rmsprop")
class RMSprop(Optimizer):
    """`v' = rho * v + (1 - rho) * g**2`, `p - lr * g / sqrt(v' + epsilon)`.

    `centered` takes the squared mean gradient from `v'`; `momentum` m keeps `b' = m * b + step` and takes that.
    Source: Tieleman and Hinton, Coursera lecture 6e, 2012.
    """

    apart = ("momentum", "average_gradient")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.rho, self.momentum = fraction(rho, "RMSprop: rho"), fraction(momentum, "RMSprop: momentum", closed=True)
        self.epsilon, self.centered = epsilon, centered

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        names = ["velocity"] + ["momentum"] * bool(self.momentum) + ["average_gradient"] * bool(self.centered)
        return {name: np.zeros(p.shape) for name in names}

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        v = self.rho * slots[0] + (1 - self.rho) * (g * g)
        spread, kept = v + self.epsilon, [v]
        if self.centered:
            mean = self.rho * slots[-1] + (1 - self.rho) * g
            spread, kept = spread - mean * mean, [v, mean]
        step = rate * g / gn.sqrt(spread)
        if self.momentum:
            step = self.momentum * slots[1] + step
            kept.insert(1, step)
        return p - step, tuple(kept)


@table.add()
class Adagrad(Optimizer):
    """`a' = a + g**2`, `p - lr * g / sqrt(a' + epsilon)`; a starts from `initial_accumulator_value`.

    Source: Duchi et al., "Adaptive subgradient methods for online learning", JMLR 12, 2011.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        what = "Adagrad: initial_accumulator_value"
        self.initial_accumulator_value = positive(initial_accumulator_value, what, zero=True)
        self.epsilon = epsilon

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {"accumulator": np.full(p.shape, self.initial_accumulator_value)}

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        a = slots[0] + g * g
        return p - rate * g / gn.sqrt(a + self.epsilon), (a,)


@table.add()
class Adadelta(Optimizer):
    """`a' = rho * a + (1 - rho) * g**2`, `d = sqrt(b + epsilon) / sqrt(a' + epsilon) * g`, `p - lr * d`.

    `b' = rho * b + (1 - rho) * d**2`. With the rate 1 it is the method as published; Keras' default is 0.001.

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701.
    """

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.rho, self.epsilon = fraction(rho, "Adadelta: rho"), epsilon

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {name: np.zeros(p.shape) for name in ("accumulated_grad", "accumulated_delta_var")}

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        a = self.rho * slots[0] + (1 - self.rho) * (g * g)
        d = gn.sqrt(slots[1] + self.epsilon) * g / gn.sqrt(a + self.epsilon)
        return p - rate * d, (a, self.rho * slots[1] + (1 - self.rho) * (d * d))


@table.add()
class Ftrl(Optimizer):
    """`p' = (clip(z', -l1, l1) - z') / q`, `q = n'**k / lr + 2 * l2 + beta / lr`, k being `-learning_rate_power`.

    `n' = n + g**2` from `initial_accumulator_value`, `z' = z + g + 2 * shrinkage * p - (n'**k - n**k) / lr * p`: the
    parameter follows from the sums of all gradients, and `l1_regularization_strength` makes small ones exactly 0.

    Source: McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        if not isinstance(learning_rate_power, (int, float)) or not learning_rate_power <= 0:
            raise ValueError(f"Ftrl: learning_rate_power is a number, 0 or less; received {learning_rate_power!r}")
        for what, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            setattr(self, what, positive(value, f"Ftrl: {what}", zero=True))
        self.learning_rate_power, self.beta = learning_rate_power, beta

    initial_accumulator_value: float
    l1_regularization_strength: float
    l2_regularization_strength: float
    l2_shrinkage_regularization_strength: float

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {"accumulator": np.full(p.shape, self.initial_accumulator_value), "linear": np.zeros(p.shape)}

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        k, l1 = -self.learning_rate_power, self.l1_regularization_strength
        n = slots[0] + g * g
        grown, before = n**k, slots[0] ** k
        z = slots[1] + g - (grown - before) / rate * p
        if self.l2_shrinkage_regularization_strength:
            z = z + 2 * self.l2_shrinkage_regularization_strength * p
        q = grown / rate + (2 * self.l2_regularization_strength + self.beta / rate)
        return (gn.clip(z, -l1, l1) - z) / q, (n, z)


@table.add()
class Adafactor(Optimizer):
    """`p - a * u / max(1, rms(u) / clip_threshold)`, `u = g / sqrt(v')`, `a = max(epsilon_2, rms(p)) * rho`.

    `rho = min(lr, 1 / sqrt(t))`. For vectors `v' = b * v + (1 - b) * s` with `s = g**2 + epsilon_1` and
    `b = 1 - t**beta_2_decay`; for matrices v' is the product of such means of the rows and of the columns of s,
    divided by their mean.

    Source: Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", ICML 2018.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold = positive(clip_threshold, "Adafactor: clip_threshold")
        self.relative_step = relative_step

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        rows, columns = (p.shape[:-1], (*p.shape[:-2], p.shape[-1])) if p.ndim > 1 else ((), ())
        return {"row": np.zeros(rows), "column": np.zeros(columns), "velocity": np.zeros(p.shape)}

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> Any:
        t = iteration.astype("float64") + 1.0
        return gn.minimum(lr, 1.0 / gn.sqrt(t)), 1.0 - t**self.beta_2_decay

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        rho, b = rate
        row, column, v = slots
        square = g * g + self.epsilon_1
        if p.ndim > 1:
            row = b * row + (1 - b) * gn.mean(square, axis=-1)
            column = b * column + (1 - b) * gn.mean(square, axis=-2)
            share = row / gn.mean(row, axis=-1, keepdims=True)
            v = gn.expand_dims(share, -1) * gn.expand_dims(column, -2)
        else:
            v = b * v + (1 - b) * square
        u = g / gn.sqrt(v)
        u = u / gn.maximum(rms(u) / self.clip_threshold, 1.0)
        return p - gn.maximum(rms(p), self.epsilon_2) * rho * u, (row, column, v)


def rms(x: gn.Tensor) -> gn.Tensor:
    """The root of the mean square."""
    return gn.sqrt(gn.mean(x * x))
