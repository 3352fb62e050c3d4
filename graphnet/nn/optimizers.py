"""Optimisers: the arrays each parameter needs (`slots`) and the step (`update`), both over tensors.

`update(p, g, slots, rate)` gives the new value of `p` and of its slots. `rate(lr, iteration)` computes what all
parameters share in a step, by default the learning rate itself. Everything around that (clipping, weight decay, state,
constraints) is the same for all. Learning rate and step count are state Parameters: a callback can change the rate of a
compiled training step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.lookup import Configured, Table

table = Table("optimizer")


def get(given: Any) -> Any:
    """The optimiser for a word (`"adam"`), a class or an object."""
    found = table.get(given)
    if not isinstance(found, Optimizer):
        raise TypeError(
            f"an optimizer is one of the words {', '.join(table.words)}, or an Optimizer; received {given!r}"
        )
    return found


def positive(value: Any, what: str, zero: bool = False) -> float:
    """`value` as a positive number (or 0 if `zero`), or an error that names `what`."""
    ok = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not ok or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{what} is a number, {'0 or more' if zero else 'more than 0'}; received {value!r}")
    return float(value)


class Optimizer(Configured):
    """Base class: subclasses define `update`, and `slots` and `rate` where they need them.

    `weight_decay` takes `w * weight_decay * lr` from every parameter before the update (Loshchilov and Hutter,
    "Decoupled weight decay regularization", ICLR 2019). At most one of `clipnorm` (each gradient's norm),
    `global_clipnorm` (the norm of all) and `clipvalue` (each element) limits the gradients first.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ):
        self.name = name or type(self).__name__.lower()
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        set_ones = [key for key, value in clips.items() if value is not None]
        if len(set_ones) > 1:
            raise ValueError(f"{type(self).__name__}: only one way to clip gradients can be set; received {clips}")
        for key in set_ones:
            positive(clips[key], f"{type(self).__name__}: {key}")
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.weight_decay = weight_decay
        self.schedule = learning_rate if callable(learning_rate) and not isinstance(learning_rate, gn.Tensor) else None
        start = 0.0 if self.schedule else positive(learning_rate, f"{type(self).__name__}: learning_rate", zero=True)
        self._rate = gn.Parameter(np.float64(start), name=f"{self.name}/learning_rate", trainable=False)
        self.iterations = gn.Parameter(np.int64(0), name=f"{self.name}/iterations", trainable=False)
        self.params: list[gn.Parameter] = []
        self.state: list[tuple[gn.Parameter, ...]] = []

    @property
    def learning_rate(self) -> gn.Tensor:
        """The learning rate: a state Parameter, or the schedule's value at this step. Setting it changes its value."""
        return self.schedule(self.iterations) if self.schedule else self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value) and not isinstance(value, gn.Tensor):
            self.schedule = value
            return
        if self.schedule:
            raise ValueError(
                f"{type(self).__name__}: the learning rate follows a schedule; it can't be set to {value!r}"
            )
        number = value.item() if isinstance(value, (gn.Tensor, np.ndarray)) else value
        self._rate.assign(positive(number, f"{type(self).__name__}: learning_rate", zero=True))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if not self.schedule:
            config["learning_rate"] = float(self._rate.numpy())
        return config

    @property
    def variables(self) -> list[gn.Parameter]:
        """The count of steps, the learning rate, and the slots of every parameter."""
        return [self.iterations, self._rate, *(s for slots in self.state for s in slots)]

    def build(self, params: Sequence[gn.Parameter]) -> None:
        """Make the slots for `params`, and count steps from 0."""
        self.params = list(params)
        self.iterations.assign(np.int64(0))
        self.state = [
            tuple(
                gn.Parameter(np.asarray(value, p.dtype), name=f"{p.name}/{name}", trainable=False)
                for name, value in self.slots(p).items()
            )
            for p in self.params
        ]

    def slots(self, p: gn.Parameter) -> dict[str, np.ndarray]:
        """The arrays that `p` needs, by name, as they start."""
        return {}

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> gn.Tensor:
        """What all parameters share in a step: the step size, a float64 number. `iteration` counts from 0."""
        return lr

    def update(
        self, p: gn.Tensor, g: gn.Tensor, slots: tuple[gn.Tensor, ...], rate: gn.Tensor
    ) -> tuple[gn.Tensor, tuple[gn.Tensor, ...]]:
        """The new value of `p`, and of its slots, for the gradient `g`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method update(p, g, slots, rate)")

    def clipped(self, grads: list[gn.Tensor]) -> list[gn.Tensor]:
        """The gradients within their limits."""
        if self.clipvalue is not None:
            return [gn.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        if self.clipnorm is not None:
            return [limited(g, gn.sqrt(gn.sum(g * g)), self.clipnorm) for g in grads]
        if self.global_clipnorm is not None:
            total = sum((gn.sum(g * g) for g in grads[1:]), gn.sum(grads[0] * grads[0]))
            return [limited(g, gn.sqrt(total), self.global_clipnorm) for g in grads]
        return grads

    def apply(
        self, grads: Sequence[gn.Tensor], iteration: gn.Tensor, constraints: dict[Any, Any] | None = None
    ) -> None:
        """One step: assign new values to the parameters, their slots and the count of steps."""
        lr = self.schedule(iteration) if self.schedule else self._rate
        shared = self.rate(lr, iteration)
        for p, g, slots in zip(self.params, self.clipped(list(grads)), self.state, strict=True):
            value: gn.Tensor = p
            if self.weight_decay:
                value = value - value * (lr * self.weight_decay).astype(p.dtype)
            value, new = self.update(value, g, slots, shared.astype(p.dtype))
            if constraints and p in constraints:
                value = constraints[p](value)
            p.assign(value)
            for slot, s in zip(slots, new, strict=True):
                slot.assign(s)
        self.iterations.assign(iteration + 1)


def limited(g: gn.Tensor, norm: gn.Tensor, limit: float) -> gn.Tensor:
    """`g` scaled down by `limit / norm` where the norm is above the limit."""
    return g * (limit / gn.maximum(norm, limit))


@table.add()
class SGD(Optimizer):
    """`p - lr * g`; with momentum m: `v' = m * v - lr * g`, `p + v'`; Nesterov: `p + m * v' - lr * g`.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        if not isinstance(momentum, (int, float)) or not 0 <= momentum <= 1:
            raise ValueError(f"SGD: momentum is a number from 0 to 1; received {momentum!r}")
        self.momentum, self.nesterov = momentum, nesterov

    def slots(self, p: gn.Parameter) -> dict[str, np.ndarray]:
        return {"momentum": np.zeros(p.shape)} if self.momentum else {}

    def update(
        self, p: gn.Tensor, g: gn.Tensor, slots: tuple[gn.Tensor, ...], rate: gn.Tensor
    ) -> tuple[gn.Tensor, tuple[gn.Tensor, ...]]:
        step = rate * g
        if not self.momentum:
            return p - step, ()
        v = self.momentum * slots[0] - step
        return (p + self.momentum * v - step if self.nesterov else p + v), (v,)


@table.add("rmsprop")
class RMSprop(Optimizer):
    """`v' = rho * v + (1 - rho) * g**2`, `p - lr * g / sqrt(v' + epsilon)`.

    `centered` takes the squared mean gradient from `v'`; `momentum` m keeps `b' = m * b + step` and takes that.
    Source: Tieleman and Hinton, Coursera lecture 6e, 2012.
    """

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
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def slots(self, p: gn.Parameter) -> dict[str, np.ndarray]:
        names = ["velocity"] + ["momentum"] * bool(self.momentum) + ["average_gradient"] * bool(self.centered)
        return {name: np.zeros(p.shape) for name in names}

    def update(
        self, p: gn.Tensor, g: gn.Tensor, slots: tuple[gn.Tensor, ...], rate: gn.Tensor
    ) -> tuple[gn.Tensor, tuple[gn.Tensor, ...]]:
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
class Adam(Optimizer):
    """`m' = b1 * m + (1 - b1) * g`, `v' = b2 * v + (1 - b2) * g**2`, `p - a * m' / (sqrt(v') + epsilon)`.

    `a = lr * sqrt(1 - b2**t) / (1 - b1**t)` at step t = 1, 2, ...: epsilon is added to the root of `v'` itself, as in
    Keras. `amsgrad` keeps the largest `v'` so far. Source: Kingma and Ba, "Adam", ICLR 2015; Reddi et al., ICLR 2018.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        for key, beta in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not isinstance(beta, (int, float)) or not 0 <= beta < 1:
                raise ValueError(f"{type(self).__name__}: {key} is a number from 0 to below 1; received {beta!r}")
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def slots(self, p: gn.Parameter) -> dict[str, np.ndarray]:
        names = ["momentum", "velocity"] + ["velocity_max"] * bool(self.amsgrad)
        return {name: np.zeros(p.shape) for name in names}

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> gn.Tensor:
        t = iteration.astype("float64") + 1.0
        return lr * gn.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)

    def update(
        self, p: gn.Tensor, g: gn.Tensor, slots: tuple[gn.Tensor, ...], rate: gn.Tensor
    ) -> tuple[gn.Tensor, tuple[gn.Tensor, ...]]:
        m = slots[0] + (g - slots[0]) * (1 - self.beta_1)
        v = slots[1] + (g * g - slots[1]) * (1 - self.beta_2)
        if not self.amsgrad:
            return p - rate * m / (gn.sqrt(v) + self.epsilon), (m, v)
        top = gn.maximum(slots[2], v)
        return p - rate * m / (gn.sqrt(top) + self.epsilon), (m, v, top)


@table.add("adamw")
class AdamW(Adam):
    """Adam with `weight_decay` of 0.004 unless said (Loshchilov and Hutter, ICLR 2019)."""

    def __init__(self, learning_rate: Any = 0.001, weight_decay: float = 0.004, *args: Any, **kwargs: Any):
        super().__init__(learning_rate, *args, weight_decay=weight_decay, **kwargs)
