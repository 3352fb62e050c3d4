"""Optimisers that go along the gradient, or along what became of it over the steps: one length for all elements."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.optimizers.base import Optimizer, Slots, Update, table
from graphnet.nn.optimizers.settings import fraction


@table.add()
class SGD(Optimizer):
    """`p - lr * g`; with momentum m: `v' = m * v - lr * g`, `p + v'`; Nesterov: `p + m * v' - lr * g`.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.momentum, self.nesterov = fraction(momentum, "SGD: momentum", closed=True), nesterov

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {"momentum": np.zeros(p.shape)} if self.momentum else {}

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        step = rate * g
        if not self.momentum:
            return p - step, ()
        v = self.momentum * slots[0] - step
        return (p + self.momentum * v - step if self.nesterov else p + v), (v,)


@table.add()
class Lion(Optimizer):
    """`p - lr * sign(b1 * m + (1 - b1) * g)`, `m' = b2 * m + (1 - b2) * g`.

    Source: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.beta_1, self.beta_2 = fraction(beta_1, "Lion: beta_1", closed=True), fraction(beta_2, "Lion: beta_2", True)
        if beta_1 == 0:
            raise ValueError("Lion: beta_1 is more than 0, or the step would be the sign of the gradient; received 0")

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {"momentum": np.zeros(p.shape)}

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        m = slots[0]
        way = gn.sign(self.beta_1 * m + (1 - self.beta_1) * g)
        return p - rate * way, (self.beta_2 * m + (1 - self.beta_2) * g,)


@table.add()
class Muon(Optimizer):
    """For matrices `p - lr * s * orthogonal(g + momentum * m')` with `m' = momentum * m + g`; Adam for the rest.

    `orthogonal` brings all singular values near 1, by `ns_steps` steps of `x' = a * x + (b * x xT + c * (x xT)**2) x`
    with a, b, c = `muon_a`, `muon_b`, `muon_c`; without `nesterov` it is taken of `m'`. `s = sqrt(max(rows, columns)) *
    rms_rate`, or 1 if `rms_rate` is None. Parameters that are no matrices, of embeddings (`exclude_embeddings`), or
    whose name holds one of `exclude_layers` go by Adam, with the rate `lr * adam_lr_ratio` and `adam_weight_decay`.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; Liu et al., "Muon is
    scalable for LLM training", arXiv:2502.16982.
    """

    apart = ()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        exclude_layers: Any = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1 = fraction(adam_beta_1, "Muon: adam_beta_1")
        self.adam_beta_2 = fraction(adam_beta_2, "Muon: adam_beta_2")
        self.adam_weight_decay, self.epsilon = adam_weight_decay, epsilon
        self.exclude_layers, self.exclude_embeddings = list(exclude_layers or ()), exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c, self.ns_steps = muon_a, muon_b, muon_c, ns_steps
        self.adam_lr_ratio, self.momentum, self.nesterov, self.rms_rate = adam_lr_ratio, momentum, nesterov, rms_rate

    def by_adam(self, p: gn.Parameter) -> bool:
        """Whether `p` goes by Adam."""
        name = (p.name or "").lower()
        embedding = self.exclude_embeddings and "embedding" in name
        return p.ndim != 2 or embedding or any(word.lower() in name for word in self.exclude_layers)

    def decay_of(self, p: gn.Parameter) -> float | None:
        decay = super().decay_of(p)
        return self.adam_weight_decay if self.by_adam(p) and decay is self.weight_decay else decay

    def slots(self, p: gn.Parameter) -> dict[str, Any]:
        return {name: np.zeros(p.shape) for name in ["momentum"] + ["velocity"] * self.by_adam(p)}

    def rate(self, lr: gn.Tensor, iteration: gn.Tensor) -> Any:
        t = iteration.astype("float64") + 1.0
        return lr, lr * self.adam_lr_ratio * gn.sqrt(1 - self.adam_beta_2**t) / (1 - self.adam_beta_1**t)

    def update(self, p: gn.Tensor, g: gn.Tensor, slots: Slots, rate: Any) -> Update:
        if len(slots) == 2:
            m = slots[0] + (g - slots[0]) * (1 - self.adam_beta_1)
            v = slots[1] + (g * g - slots[1]) * (1 - self.adam_beta_2)
            return p - rate[1] * m / (gn.sqrt(v) + self.epsilon), (m, v)
        m = self.momentum * slots[0] + g
        way = self.orthogonal(g + self.momentum * m if self.nesterov else m)
        scale = 1.0 if self.rms_rate is None else float(np.sqrt(max(p.shape))) * self.rms_rate
        return p - rate[0] * scale * way, (m,)

    def orthogonal(self, x: gn.Tensor) -> gn.Tensor:
        """`x` with singular values near 1."""
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / (gn.sqrt(gn.sum(x * x)) + 1e-7)
        for _ in range(self.ns_steps):
            square = x @ x.T
            x = self.muon_a * x + (self.muon_b * square + self.muon_c * (square @ square)) @ x
        return x.T if tall else x
