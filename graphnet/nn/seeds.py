"""Where randomness in `nn` comes from: one generator of its own, which `set_random_seed` starts anew.

Initial weights, the seeds of layers and the order of rows are drawn from it. Nothing here draws from the generators of
`np.random` and `random`; `set_random_seed` starts them too, for the script's own numbers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

import graphnet as gn

_generator: list[np.random.Generator] = []
#: what functions draw from that were given no seed of their own, and the seed that it begins with
_shared: list[Any] = []
_shared_seed: list[int] = []


def set_random_seed(seed: int) -> None:
    """Start the generators anew: with the same seed the same script gives the same numbers, bit for bit.

    They are the one that layers and training draw from and, as in Keras, those of `np.random` and `random`. That holds
    on one machine with as many threads; for it, `gn.repeatable` is turned on.

    >>> import graphnet as gn
    >>> gn.nn.set_random_seed(7)
    >>> first = gn.nn.initializers.GlorotUniform()((2, 2))
    >>> gn.nn.set_random_seed(7)
    >>> bool((first == gn.nn.initializers.GlorotUniform()((2, 2))).all())
    True
    """
    _start(seed)
    _shared.clear()
    # Another one than a layer with this number as its seed has.
    _shared_seed[:] = [int(seed) + 2**63]
    random.seed(int(seed))
    np.random.seed(int(seed) % 2**32)


def shared(make: Any) -> Any:
    """What all draw from that were given no seed: made at its first use, and anew after `set_random_seed`.

    Its numbers follow from that seed, whenever the first use is: a training that is resumed draws them too.
    """
    if not _shared:
        _shared.append(make(_shared_seed[0] if _shared_seed else None))
    return _shared[0]


def _start(seed: int) -> None:
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"a random seed is a whole number, 0 or more; received {seed!r}")
    gn.repeatable()
    _generator[:] = [np.random.default_rng(int(seed))]


def key_of(seed: int | None) -> int:
    """The number that a layer with this seed counts its steps from: far from that of the next seed."""
    return draw_seed() if seed is None else int(np.random.default_rng(int(seed) % 2**64).integers(2**62))


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


@contextmanager
def using(seed: int | None) -> Iterator[None]:
    """Draw from a generator that `seed` starts, in this block alone; None changes nothing."""
    if seed is None:
        yield
        return
    before = gn.repeatable()
    try:
        with unmoved():
            _start(seed)
            yield
    finally:
        gn.repeatable(before)


def generator_state() -> Any:
    """The state of the generator, as something JSON can hold; None before its first use."""
    return _generator[0].bit_generator.state if _generator else None


def generator_in(state: Any) -> np.random.Generator | None:
    """A generator in a state that `generator_state` gave. Raises `ValueError` for anything else."""
    if state is None:
        return None
    made = np.random.default_rng(0)
    try:
        made.bit_generator.state = state
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise ValueError(f"a generator of random numbers has no such state: {error!r:.100}") from None
    numbers = [*state["state"].values(), state["has_uint32"], state["uinteger"]]
    whole = all(type(n) is int for n in numbers) and state["has_uint32"] in (0, 1) and state["state"]["inc"] % 2 == 1
    if made.bit_generator.state != state or not whole:
        raise ValueError("a generator of random numbers has no such state.")
    return made


def use_generator(made: np.random.Generator | None) -> None:
    """Draw from this generator from now on; None changes nothing."""
    if made is not None:
        _generator[:] = [made]
