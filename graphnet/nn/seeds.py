"""Where randomness in `nn` comes from: one generator of its own, which `set_random_seed` starts anew.

Initial weights, the seeds of layers and the order of rows are drawn from it. NumPy's global generator is never touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import numpy as np

_generator: list[np.random.Generator] = []


def set_random_seed(seed: int) -> None:
    """Start the generator anew: with the same seed the same script gives the same numbers, bit for bit.

    >>> import graphnet as gn
    >>> gn.nn.set_random_seed(7)
    >>> first = gn.nn.initializers.GlorotUniform()((2, 2))
    >>> gn.nn.set_random_seed(7)
    >>> bool((first == gn.nn.initializers.GlorotUniform()((2, 2))).all())
    True
    """
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"a random seed is a whole number, 0 or more; received {seed!r}")
    _generator[:] = [np.random.default_rng(int(seed))]


def draw_seed() -> int:
    """A seed below 2**62, so that a count of steps can be added to it without leaving 64 bits."""
    if not _generator:
        _generator.append(np.random.default_rng())
    return int(_generator[0].integers(2**62))


def generator(seed: int | None = None) -> np.random.Generator:
    """A generator for `seed`, or one whose seed is drawn."""
    return np.random.default_rng(draw_seed() if seed is None else int(seed))


@contextmanager
def unmoved() -> Iterator[None]:
    """What the block draws does not count: afterwards the generator is where it was."""
    before = deepcopy(_generator)
    try:
        yield
    finally:
        _generator[:] = before
