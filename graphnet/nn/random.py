"""`keras.random` over graphnet: random numbers that are fresh at each call, as a step is written and compiled.

`seed=None` draws from one generator for all, which `set_random_seed` starts anew; a `SeedGenerator` from its own; a
whole number gives the same numbers at each call. In a training step the numbers follow from the seed and the count of
steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import seeds
from graphnet.nn.draws import Calls, Draws

__all__ = ["SeedGenerator", "dropout", "normal", "randint", "uniform"]


class SeedGenerator(Draws):
    """A source of keys, other ones at each call: hold one in a layer that draws random numbers.

    >>> import graphnet as gn
    >>> source = gn.nn.random.SeedGenerator(7)
    >>> a, b = (gn.nn.random.normal((3,), seed=source) for _ in range(2))
    >>> bool((a == b).any())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None):
        self.seed, self.name = seed, name
        self.key = seeds.key_of(seed)
        self._calls = Calls()

    def next(self) -> gn.Tensor:
        """The key of the next numbers."""
        return self._calls.key(self.key, self)

    @property
    def count(self) -> gn.Parameter:  # type: ignore[override]
        """How often it was asked outside of training steps: a state."""
        return self._calls.count


def _key(seed: Any) -> Any:
    if seed is None:
        seed = seeds.shared(SeedGenerator)
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed is None, a whole number or a SeedGenerator; received {seed!r}")
    return seeds.key_of(int(seed))


def _float(dtype: Any) -> str:
    return "float32" if dtype is None else np.dtype(dtype).name


def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> gn.Tensor:
    """Normal numbers with this mean and standard deviation."""
    return gn.random_normal(_key(seed), tuple(shape), dtype=_float(dtype)) * stddev + mean


def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> gn.Tensor:
    """Numbers from `minval`, which can come, to `maxval`, all equally likely."""
    return gn.random_uniform(_key(seed), tuple(shape), dtype=_float(dtype)) * (maxval - minval) + minval


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> gn.Tensor:
    """Whole numbers from `minval` to `maxval - 1`, all equally likely."""
    if not minval < maxval:
        raise ValueError(f"randint: minval is less than maxval; received {minval!r} and {maxval!r}")
    drawn = gn.floor(gn.random_uniform(_key(seed), tuple(shape), dtype="float64") * float(maxval - minval))
    # A product next to the upper end is rounded to it.
    return (gn.minimum(drawn, float(maxval - minval - 1)) + float(minval)).astype(dtype)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> gn.Tensor:
    """`inputs / (1 - rate)` for a share `1 - rate` of the elements, and 0 for the others."""
    from graphnet.nn.layers.core import dropped, fraction

    x = inputs if isinstance(inputs, gn.Tensor) else gn.tensor(inputs)
    return dropped(x, fraction(rate, "dropout: rate is the share of elements to drop"), _key(seed), noise_shape)
