"""Random numbers as a pure function of a key: the same key gives the same numbers, whatever ran before.

The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): word
`i` is `mix(start + (i + 1) * GAMMA)`, and a key starts at `mix(key + GAMMA)`. It counts instead of keeping a state, so
every element can be computed alone: as array arithmetic here, or as the same few lines of scalar code in a kernel.
"""

from __future__ import annotations

import sys

import numpy as np

from graphnet.op import op

GAMMA = 0x9E3779B97F4A7C15
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
MASK = (1 << 64) - 1


def mixed(word: int) -> int:
    """SplitMix64's finaliser on one Python integer."""
    for shift, factor in MIX:
        word = (word ^ (word >> shift)) * factor & MASK
    return word


def words(key: int, count: int) -> np.ndarray:
    """The first `count` 64-bit words of `key`'s stream."""
    start = mixed((int(key) + GAMMA) & MASK)
    z = np.arange(1, count + 1, dtype=np.uint64)
    z *= np.uint64(GAMMA)
    z += np.uint64(start)
    t = np.empty_like(z)
    for shift, factor in MIX:
        np.right_shift(z, np.uint64(shift), out=t)
        z ^= t
        if factor != 1:
            z *= np.uint64(factor)
    return z


def _shape(key, shape, dtype="float32"):
    wanted = (shape,) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
    if key.dtype.kind not in "iu" or key.shape != ():
        raise TypeError(f"the key is one whole number; received {key.dtype}{list(key.shape)}")
    if any(n < 0 for n in wanted):
        raise ValueError(f"a shape has no negative sizes; received {wanted}")
    if np.dtype(dtype).name not in ("float32", "float64"):
        raise TypeError(f"random numbers are float32 or float64; received {np.dtype(dtype)}")
    return {"shape": wanted, "dtype": np.dtype(dtype).name}


@op(
    lambda key, shape, dtype: shape,
    dtype=lambda key, shape, dtype: np.dtype(dtype),
    prepare=_shape,
    vjp=(None,),
)
def random_uniform(key, shape, dtype="float32"):
    """Numbers in [0, 1), equally likely, fixed by `key`: an integer, which can be a tensor.

    A float64 element takes the upper 53 bits of a word of its own. Two float32 elements share a word: the even one
    takes the upper 24 bits of its lower half, the odd one those of its upper half.

    Raises `TypeError` for a key that is not one integer, or another dtype.

    >>> import graphnet as gn
    >>> a = gn.random_uniform(7, (2, 3))
    >>> bool((a.numpy() == gn.random_uniform(7, (2, 3)).numpy()).all())
    True
    """
    count = 1
    for n in shape:
        count *= n
    if dtype == "float64":
        bits = words(key, count)
        bits >>= np.uint64(11)
        return (bits * 2.0**-53).reshape(shape)
    halves = words(key, (count + 1) // 2).view(np.uint32)
    if sys.byteorder == "big":
        halves = halves.reshape(-1, 2)[:, ::-1].ravel()
    halves >>= np.uint32(8)
    return (halves[:count].astype(np.float32) * np.float32(2.0**-24)).reshape(shape)
