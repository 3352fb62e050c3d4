"""Adam and its kin: a mean of the gradients over the steps, divided by a mean of their size."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.optimizers.base import Optimizer, Slots, Update, table
from graphnet.nn.optimizers.settings import count_of, fraction


class Moments(Optimizer):
    """Base class of those that keep `m' = b1 * m + (1 - b1) * g` and `v' = b2 * v + (1 - b2) * g**2`."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = fraction(beta_1, f"{self._word}: beta_1")
        self.beta_2 = fraction(beta_2, f"{self._word}: beta_2")
        self.epsilon = epsilon

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {"momentum": np.zeros(p.shape), "velocity": np.zeros(p.shape)}

    def moments(self, g: gn.Tensor, slots: Slots) -> tuple[gn.Tensor, gn.Tensor]:
        """`m'` and `v'`."""
        m = slots[0] + (g - slots[0]) * (1 - self.beta_1)
        v = slots[1] + (g * g - slots[1]) * (1 - self.beta_2)
        return m, v

    def rest(self, iteration: gn.Tensor) -> tuple[gn.Tensor, gn.Tensor]:
        """`1 - b1**t` and `1 - b2**t` at step t = 1, 2, ...: what is missing in means that began at 0."""
        t = iteration.astype("float64") + 1.0
        return 1 - self.beta_1**t, 1 - self.beta_2**t


@table.add()
class Adam(Moments):
    """`m' = b1 * m + (1 - b1) * g`, `v' = b2 * v + (1 - b2) * g**2`, `p - a * m' / (sqrt(v') + epsilon)`.

    `a = lr * sqrt(1 - b2**t) / (1 - b1**t)` at step t = 1, 2, ...: epsilon is added to the root of `v'` itself, as in
    Keras. `amsgrad` keeps the largest `v'` so far. Source: Kingma and Ba, "Adam", ICLR 2015; Reddi et al., ICLR 2018.
    """

    apart = ("velocity_hat",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.amsgrad = amsgrad

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {**super().slots(p), **({"velocity_hat": np.zeros(p.shape)} if self.amsgrad else {})}

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> Any:
        t = iteration.astype("float64") + 1.0
        return lr * gn.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        m, v = self.moments(g, slots)
        if not self.amsgrad:
            return p - rate * m / (gn.sqrt(v) + self.epsilon), (m, v)
        top = gn.maximum(slots[2], v)
        return p - rate * m / (gn.sqrt(top) + self.epsilon), (m, v, top)


@table.add("adamw")
class AdamW(Adam):
    """Adam with `weight_decay` of 0.004 unless said (Loshchilov and Hutter, ICLR 2019)."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)


@table.add()
class Adamax(Moments):
    """`m' = b1 * m + (1 - b1) * g`, `u' = max(b2 * u, |g|)`, `p - lr / (1 - b1**t) * m' / (u' + epsilon)`.

    Source: Kingma and Ba, "Adam", ICLR 2015, section 7.
    """

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {"momentum": np.zeros(p.shape), "norm": np.zeros(p.shape)}

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> Any:
        return lr / self.rest(iteration)[0]

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        m = slots[0] + (g - slots[0]) * (1 - self.beta_1)
        u = gn.maximum(self.beta_2 * slots[1], gn.abs(g))
        return p - rate * m / (u + self.epsilon), (m, u)


@table.add()
class Nadam(Moments):
    """Adam with Nesterov's momentum: `p - lr * (a * m' + b * g) / (sqrt(v' / (1 - b2**t)) + epsilon)`.

    The share of the old gradients grows with the steps, `u_t = b1 * (1 - 0.96**t / 2)`; with U the product of all
    `u` until t, `a = u_(t+1) / (1 - U * u_(t+1))` and `b = (1 - u_t) / (1 - U)`.

    Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    def common(self) -> dict[str, float]:
        return {"u_product": 1.0}

    def share(self, t: gn.Tensor) -> gn.Tensor:
        """`u_t`."""
        return self.beta_1 * (1.0 - 0.5 * 0.96**t)

    def advance(self, iteration: gn.Tensor) -> Slots:
        return (self.shared[0] * self.share(iteration.astype("float64") + 1.0),)

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> Any:
        t = iteration.astype("float64") + 1.0
        now, then, product = self.share(t), self.share(t + 1.0), self.advance(iteration)[0]
        root = 1.0 / gn.sqrt(self.rest(iteration)[1])
        return lr * then / (1.0 - product * then), lr * (1.0 - now) / (1.0 - product), root

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        m, v = self.moments(g, slots)
        old, new, root = rate
        return p - (old * m + new * g) / (gn.sqrt(v) * root + self.epsilon), (m, v)


@table.add()
class Lamb(Moments):
    """Adam's direction d, as long as the parameter itself: `p - lr * |p| / |d| * d`.

    `d = m' / (1 - b1**t) / (sqrt(v' / (1 - b2**t)) + epsilon)`; the ratio of the norms is 1 where one of them is 0.

    Source: You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020.
    """

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> Any:
        first, second = self.rest(iteration)
        return lr, 1.0 / first, 1.0 / gn.sqrt(second)

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        m, v = self.moments(g, slots)
        lr, mean, root = rate
        d = m * mean / (gn.sqrt(v) * root + self.epsilon)
        size, length = gn.sqrt(gn.sum(p * p)), gn.sqrt(gn.sum(d * d))
        both = gn.logical_and(gn.greater(size, 0.0), gn.greater(length, 0.0))
        ratio = gn.where(both, size / gn.where(both, length, 1.0), 1.0)
        return p - ratio * lr * d, (m, v)


@table.add("schedule_free_adamw")
class ScheduleFreeAdamW(Moments):
    """Adam's step on a second point z, and the mean of all z so far: no schedule is needed.

    `z' = z - lr * g / (sqrt(v' / (1 - b2**t)) + epsilon)`; the mean `x' = (1 - 1/t) * x + z' / t`; the parameter, where
    gradients are taken, is `(1 - b1) * z' + b1 * x'`. The rate grows to `learning_rate` over `warmup_steps`.

    Source: Defazio et al., "The road less scheduled", NeurIPS 2024.
    """

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        if self.beta_1 == 0:
            raise ValueError("ScheduleFreeAdamW: beta_1 is more than 0: the parameter holds its mean; received 0")
        self.warmup_steps = count_of(warmup_steps, "ScheduleFreeAdamW: warmup_steps", 0) or 0

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {"momentum": np.array(p.detach().numpy()), "velocity": np.zeros(p.shape)}

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> Any:
        t = iteration.astype("float64") + 1.0
        if self.warmup_steps:
            lr = lr * gn.minimum(t / self.warmup_steps, 1.0)
        return lr, 1.0 / gn.sqrt(self.rest(iteration)[1]), 1.0 / t

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        lr, root, share = rate
        z, b1 = slots[0], self.beta_1
        v = slots[1] + (g * g - slots[1]) * (1 - self.beta_2)
        moved = z - lr * g / (gn.sqrt(v) * root + self.epsilon)
        mean = (p - (1 - b1) * z) / b1
        mean = (1 - share) * mean + share * moved
        return (1 - b1) * moved + b1 * mean, (moved, v)
