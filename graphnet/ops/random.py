"""Random numbers as a pure function of a key: the same key gives the same numbers, whatever ran before.

The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): word
`i` is `mix(start + (i + 1) * GAMMA)`, and a key starts at `mix(key + GAMMA)`. It counts instead of keeping a state, so
every element can be computed alone: as array arithmetic here, or as the same few lines of scalar code in a kernel.
"""

from __future__ import annotations

import math
import sys
import threading
from typing import Any

import numpy as np

from graphnet.apply import apply_prepared
from graphnet.declare import op
from graphnet.node import Tensor
from graphnet.shapes import DTypeLike, ShapeLike
from graphnet.typed import ArrayLike

GAMMA = 0x9E3779B97F4A7C15
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
MASK = (1 << 64) - 1
#: words that are made at a time: what fits into the fastest memory
BLOCK = 1 << 12


def mixed(word: int) -> int:
    """SplitMix64's finaliser on one Python integer."""
    for shift, factor in MIX:
        word = (word ^ (word >> shift)) * factor & MASK
    return word


class _Room(threading.local):
    """Memory to work in, for each thread."""

    def __init__(self: Any) -> None:
        self.words = np.empty(BLOCK, np.uint64)
        self.shifted = np.empty(BLOCK, np.uint64)
        counted = np.arange(1, BLOCK + 1, dtype=np.uint64)
        counted *= np.uint64(GAMMA)
        self.counted = counted


_room = _Room()


def _block(key: int, first: int, count: int) -> np.ndarray:
    """`count` words of `key`'s stream from number `first` on, in memory that the next call overwrites."""
    z, t = _room.words[:count], _room.shifted[:count]
    start = mixed((int(key) + GAMMA) & MASK) + first * GAMMA
    np.add(_room.counted[:count], np.uint64(start & MASK), out=z)
    for shift, factor in MIX:
        np.right_shift(z, np.uint64(shift), out=t)
        np.bitwise_xor(z, t, out=z)
        if factor != 1:
            np.multiply(z, np.uint64(factor), out=z)
    return z


def words(key: int, count: int) -> np.ndarray:
    """The first `count` 64-bit words of `key`'s stream."""
    out = np.empty(count, np.uint64)
    for first in range(0, count, BLOCK):
        part = out[first : first + BLOCK]
        part[:] = _block(key, first, len(part))
    return out


def fill_uniform(key: int, out: np.ndarray) -> None:
    """Write what `random_uniform` gives for `key` into `out`, float32 or float64, which lies row after row."""
    flat = out.reshape(-1)
    if out.dtype == np.float64:
        for first in range(0, len(flat), BLOCK):
            part = flat[first : first + BLOCK]
            bits = _block(key, first, len(part))
            bits >>= np.uint64(11)
            np.multiply(bits, 2.0**-53, out=part)
        return
    for first in range(0, len(flat), 2 * BLOCK):
        part = flat[first : first + 2 * BLOCK]
        halves = _block(key, first // 2, (len(part) + 1) // 2).view(np.uint32)
        if sys.byteorder == "big":
            halves = halves.reshape(-1, 2)[:, ::-1].ravel()
        halves >>= np.uint32(8)
        np.multiply(halves[: len(part)], np.float32(2.0**-24), out=part, dtype=np.float32, casting="unsafe")


def fill_normal(key: int, out: np.ndarray) -> None:
    """Write what `random_normal` gives for `key` into `out`, float32 or float64, which lies row after row."""
    flat, double = out.reshape(-1), out.dtype == np.float64
    step = BLOCK if double else 2 * BLOCK
    for first in range(0, len(flat), step):
        part = flat[first : first + step]
        pairs = (len(part) + 1) // 2
        if double:
            bits = _block(key, first, 2 * pairs) >> np.uint64(11)
            a, b = bits[::2] * 2.0**-53, bits[1::2] * 2.0**-53
            a += 2.0**-54
        else:
            bits = _block(key, first // 2, pairs)
            a = (bits & np.uint64(0xFFFFFFFF)).astype(np.float32)
            b = (bits >> np.uint64(32)).astype(np.float32)
            a += np.float32(0.5)  # the logarithm of 0 is not asked for
            a *= np.float32(2.0**-32)
            b *= np.float32(2.0**-32)
        radius = np.log(a, out=a)
        radius *= -2
        np.sqrt(np.maximum(radius, 0, out=radius), out=radius)
        b *= 2 * math.pi
        part[::2] = radius * np.cos(b)
        part[1::2] = (radius * np.sin(b))[: len(part) // 2]


def _shape(key: Any, shape: Any, dtype: Any = "float32") -> Any:
    wanted = (shape,) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
    if key.dtype.kind not in "iu" or key.shape != ():
        raise TypeError(f"the key is one whole number; received {key.dtype}{list(key.shape)}")
    if any(n < 0 for n in wanted):
        raise ValueError(f"a shape has no negative sizes; received {wanted}")
    if np.dtype(dtype).name not in ("float32", "float64"):
        raise TypeError(f"random numbers are float32 or float64; received {np.dtype(dtype)}")
    return {"shape": wanted, "dtype": np.dtype(dtype).name}


def _uniform_at(number: Any, key: Any, *, shape: Any, dtype: str) -> Any:
    """Element `number` of `random_uniform`, in a loop: the same by counting."""

    def mixed(word: Any) -> Any:
        for shift, factor in MIX:
            word = word ^ (word >> shift)
            if factor != 1:
                word = word * factor
        return word

    narrow = dtype == "float32"
    count = ((number >> 1) if narrow else number) + 1
    word = mixed(count * GAMMA + mixed(key.cast(np.uint64) + GAMMA))
    if not narrow:
        return (word >> 11).cast(np.float64) * 2.0**-53
    # An even element takes the lower half of the word, an odd one the upper: 24 bits each.
    bits = (word >> (((number & 1) << 5) + 8)) & ((1 << 24) - 1)
    return bits.cast(np.int32).cast(np.float32) * 2.0**-24


def _rows(name: str, fill: Any) -> Any:
    """The hidden op that makes an array for each of many keys, as one op makes it for one."""

    @op(
        lambda keys, shape, dtype: (*keys.shape, *shape),
        dtype=lambda keys, shape, dtype: np.dtype(dtype),
        vjp=(None,),
        name=name,
        hidden=True,
        may_raise=False,
        batch=lambda batch, keys, **at: apply_prepared(rows.op, (keys,), at),
    )
    def rows(keys: Any, shape: Any, dtype: Any) -> Any:
        """Random numbers of `shape` for each of the keys."""
        out = np.empty((*keys.shape, *shape), dtype)
        flat = out.reshape(keys.size, *shape)
        for n, key in enumerate(keys.ravel().tolist()):
            fill(key, flat[n, ...])
        return out

    return lambda batch, key, **at: apply_prepared(rows.op, (key,), at)


@op(
    lambda key, shape, dtype: shape,
    dtype=lambda key, shape, dtype: np.dtype(dtype),
    prepare=_shape,
    vjp=(None,),
    batch=_rows("random_uniform_rows", fill_uniform),
    indexed=_uniform_at,
    cost=0.5,
    weight=3,
)
def random_uniform(key: ArrayLike, shape: ShapeLike, dtype: DTypeLike = "float32") -> Tensor:
    """Numbers in [0, 1), equally likely, fixed by `key`: an integer, which can be a tensor.

    A float64 element takes the upper 53 bits of a word of its own. Two float32 elements share a word: the even one
    takes the upper 24 bits of its lower half, the odd one those of its upper half.

    Raises `TypeError` for a key that is not one integer, or another dtype.

    >>> import graphnet as gn
    >>> a = gn.random_uniform(7, (2, 3))
    >>> bool((a.numpy() == gn.random_uniform(7, (2, 3)).numpy()).all())
    True
    """
    out = np.empty(shape, dtype)
    fill_uniform(int(key), out)
    return out


@op(
    lambda key, shape, dtype: shape,
    dtype=lambda key, shape, dtype: np.dtype(dtype),
    prepare=_shape,
    vjp=(None,),
    batch=_rows("random_normal_rows", fill_normal),
)
def random_normal(key: ArrayLike, shape: ShapeLike, dtype: DTypeLike = "float32") -> Tensor:
    """Numbers of the normal distribution with mean 0 and variance 1, fixed by `key`: an integer, which can be a tensor.

    Elements `2i` and `2i + 1` are `r * cos(t)` and `r * sin(t)` with `r = sqrt(-2 * log(u))` and `t = 2 * pi * v` (Box
    and Muller, "A note on the generation of random normal deviates", 1958). In float32 u and v are the lower and upper
    half of word i, in float64 the upper 53 bits of words `2i` and `2i + 1`; u is moved up by half a step, so that it is
    never 0: no number is farther from 0 than 6.8 in float32, 8.7 in float64.

    Raises `TypeError` for a key that is not one integer, or another dtype.

    >>> import graphnet as gn
    >>> a = gn.random_normal(7, (100, 100))
    >>> abs(float(a.mean())) < 0.05 and abs(float(a.std()) - 1) < 0.05
    True
    """
    out = np.empty(shape, dtype)
    fill_normal(int(key), out)
    return out
