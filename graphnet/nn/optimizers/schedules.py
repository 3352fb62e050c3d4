"""Schedules: the learning rate as a function of the step count, in tensor code.

`schedule(step)` gives the rate at this step, counted from 0. It takes a number or a tensor, which may be symbolic: the
schedule becomes part of the training step's graph.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.lookup import Configured, Table

table = Table("schedule")


def get(given: Any) -> Any:
    """The schedule for a configuration, a class or an object; functions of the step stay as they are."""
    return table.get(given)


class LearningRateSchedule(Configured):
    """Base class: subclasses define `value(t)`, t being the step as a float64 tensor, or Keras' `__call__(step)`.

    The constructor's arguments are the configuration, so that `from_config(get_config())` gives the same schedule.

    >>> import graphnet as gn
    >>> class Halved(gn.nn.optimizers.schedules.LearningRateSchedule):
    ...     def __init__(self, start):
    ...         self.start = start
    ...     def value(self, t):
    ...         return self.start / 2**t
    >>> float(Halved(1.0)(3))
    0.125
    """

    def value(self, t: gn.Tensor) -> gn.Tensor:
        """The rate at step t."""
        raise NotImplementedError(f"{type(self).__name__} needs a method value(t)")

    def __call__(self, step: Any) -> gn.Tensor:
        tensor = step if isinstance(step, gn.Tensor) else gn.tensor(np.asarray(step))
        return self.value(tensor.astype("float64"))


def _steps(value: Any, what: str) -> float:
    """A number of steps, more than 0."""
    ok = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not ok or not value > 0:
        raise ValueError(f"{what} is a number of steps, more than 0; received {value!r}")
    return value


class _Named(LearningRateSchedule):
    """A schedule that starts from `initial_learning_rate`."""

    initial_learning_rate: float
    name: str

    def start(self, rate: Any, name: str | None) -> None:
        """Note the rate at the begin."""
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.integer, np.floating)) or not rate >= 0:
            raise ValueError(f"{type(self).__name__}: a learning rate is a number, 0 or more; received {rate!r}")
        self.initial_learning_rate, self.name = float(rate), name or type(self).__name__


@table.add()
class ExponentialDecay(_Named):
    """`initial * decay_rate**(t / decay_steps)`; `staircase` rounds the exponent down.

    >>> import graphnet as gn
    >>> round(float(gn.nn.optimizers.schedules.ExponentialDecay(0.1, 10, 0.96)(5)), 7)
    0.0979796
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self.start(initial_learning_rate, name)
        self.decay_steps = _steps(decay_steps, "ExponentialDecay: decay_steps")
        self.decay_rate, self.staircase = decay_rate, staircase

    def value(self, t: gn.Tensor) -> gn.Tensor:
        p = t / self.decay_steps
        return self.initial_learning_rate * float(self.decay_rate) ** (gn.floor(p) if self.staircase else p)


@table.add()
class InverseTimeDecay(_Named):
    """`initial / (1 + decay_rate * t / decay_steps)`; `staircase` rounds `t / decay_steps` down."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        self.start(initial_learning_rate, name)
        self.decay_steps = _steps(decay_steps, "InverseTimeDecay: decay_steps")
        self.decay_rate, self.staircase = decay_rate, staircase

    def value(self, t: gn.Tensor) -> gn.Tensor:
        p = t / self.decay_steps
        return self.initial_learning_rate / (1.0 + self.decay_rate * (gn.floor(p) if self.staircase else p))


@table.add()
class PolynomialDecay(_Named):
    """`(initial - end) * (1 - t / decay_steps)**power + end`, and `end` from `decay_steps` on.

    With `cycle` the steps of decay become the next multiple of `decay_steps` instead, so that the rate rises again.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self.start(initial_learning_rate, name)
        self.decay_steps = _steps(decay_steps, "PolynomialDecay: decay_steps")
        self.end_learning_rate, self.power, self.cycle = end_learning_rate, power, cycle

    def value(self, t: gn.Tensor) -> gn.Tensor:
        if self.cycle:
            p = t / (self.decay_steps * gn.maximum(gn.ceil(t / self.decay_steps), 1.0))
        else:
            p = gn.minimum(t, float(self.decay_steps)) / self.decay_steps
        end = self.end_learning_rate
        return (self.initial_learning_rate - end) * (1.0 - p) ** float(self.power) + end


@table.add()
class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[i]` where `boundaries[i - 1] < t <= boundaries[i]`: one value more than boundaries.

    >>> import graphnet as gn
    >>> steps = gn.nn.optimizers.schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.1, 0.01])
    >>> [float(steps(t)) for t in range(3)]
    [1.0, 0.1, 0.01]
    """

    def __init__(self, boundaries: Any, values: Any, name: str = "PiecewiseConstant"):
        self.boundaries, self.values, self.name = list(boundaries), list(values), name
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                "PiecewiseConstantDecay: there is one value more than boundaries; received "
                f"{len(self.boundaries)} boundaries and {len(self.values)} values"
            )
        if sorted(self.boundaries) != self.boundaries:
            raise ValueError(f"PiecewiseConstantDecay: boundaries rise; received {self.boundaries}")

    def value(self, t: gn.Tensor) -> gn.Tensor:
        rate: Any = float(self.values[-1])
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = gn.where(gn.less_equal(t, float(boundary)), float(value), rate)
        return rate if isinstance(rate, gn.Tensor) else t * 0.0 + rate


@table.add()
class CosineDecay(_Named):
    """`initial * ((1 - alpha) * (1 + cos(pi * t / decay_steps)) / 2 + alpha)`, constant from `decay_steps` on.

    With `warmup_target` the rate goes straight from `initial` to that in `warmup_steps`, and decays from there.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ):
        self.start(initial_learning_rate, name)
        self.decay_steps = _steps(decay_steps, "CosineDecay: decay_steps")
        self.alpha, self.warmup_target, self.warmup_steps = alpha, warmup_target, warmup_steps

    def value(self, t: gn.Tensor) -> gn.Tensor:
        target, warm = self.warmup_target, float(self.warmup_steps)
        if target is None:
            return self.decayed(self.initial_learning_rate, t)
        rest = self.decayed(target, t - warm)
        if not warm:
            return rest
        rising = (target - self.initial_learning_rate) * t / warm + self.initial_learning_rate
        return gn.where(gn.less(t, warm), rising, rest)

    def decayed(self, rate: float, t: gn.Tensor) -> gn.Tensor:
        """The decay from `rate`, t steps after it began."""
        share = gn.minimum(t, float(self.decay_steps)) / self.decay_steps
        return rate * ((1.0 - self.alpha) * half_cosine(share) + self.alpha)


@table.add()
class CosineDecayRestarts(_Named):
    """Cosine decay that begins anew: after `first_decay_steps`, then after `t_mul` times as many steps each time.

    Each new begin is `m_mul` times the one before; `alpha` is the lowest rate as a share of the initial one.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self.start(initial_learning_rate, name)
        self.first_decay_steps = _steps(first_decay_steps, "CosineDecayRestarts: first_decay_steps")
        if not t_mul >= 1:
            raise ValueError(f"CosineDecayRestarts: t_mul is a number, 1 or more; received {t_mul!r}")
        self.t_mul, self.m_mul, self.alpha = t_mul, m_mul, alpha

    def value(self, t: gn.Tensor) -> gn.Tensor:
        share, by = t / self.first_decay_steps, float(self.t_mul)
        if by == 1.0:
            restarts = gn.floor(share)
            share = share - restarts
        else:
            restarts = gn.floor(gn.log(1.0 - share * (1.0 - by)) / math.log(by))
            # The logarithm may miss a whole number by a rounding; the begin of a period is known exactly.
            restarts = gn.where(gn.greater_equal(share, begin(restarts + 1.0, by)), restarts + 1.0, restarts)
            restarts = gn.where(gn.less(share, begin(restarts, by)), restarts - 1.0, restarts)
            share = (share - begin(restarts, by)) / by**restarts
        decayed = float(self.m_mul) ** restarts * half_cosine(share)
        return self.initial_learning_rate * ((1.0 - self.alpha) * decayed + self.alpha)


def begin(restarts: gn.Tensor, by: float) -> gn.Tensor:
    """Where the period after so many restarts begins, in first periods: `1 + by + by**2 + ...`."""
    return (by**restarts - 1.0) / (by - 1.0)


def half_cosine(share: gn.Tensor) -> gn.Tensor:
    """From 1 at 0 to 0 at 1."""
    return 0.5 * (1.0 + gn.cos(math.pi * share))
