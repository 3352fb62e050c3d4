"""How a window goes over the axes of space: sizes, strides, padding, and which elements it meets.

Arrays are `(batch, *space, channels)` with any number of axes of space. A window of `size` elements that stand
`dilation` apart spans `(size - 1) * dilation + 1`, and begins `strides` further each time, first `padding[0]` before
the array.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

Sizes = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def whole_numbers(value: Any, rank: int, what: str, least: int = 1) -> Sizes:
    """`value`, one whole number or one for each of `rank` axes, as a tuple.

    >>> whole_numbers(2, 2, "strides")
    (2, 2)
    """
    listed = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value,) * rank
    try:
        found = tuple(operator.index(n) for n in listed)
    except TypeError:
        found = ()
    if len(found) != rank or len(found) != len(listed) or any(n < least for n in found):
        axes = f"or one for each of {rank} axes of space, " if rank > 1 else ""
        raise ValueError(f"{what}: one whole number, {axes}{least} or more; received {value!r}")
    return found


def space(x: Any, at_least: int = 1) -> Sizes:
    """The sizes of the axes of space of `(batch, *space, channels)`."""
    if len(x.shape) < at_least + 2:
        raise ValueError(
            f"the input is (batch, space..., channels), {at_least + 2} or more dimensions; it has shape {x.shape}"
        )
    return tuple(x.shape[1:-1])


def spans(window: Sizes, dilation: Sizes) -> Sizes:
    """How many places a window reaches over."""
    return tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))


def same_padding(sizes: Sizes, span: Sizes, strides: Sizes) -> Pairs:
    """The padding with which `ceil(size / stride)` windows fit; the odd one of it comes after.

    >>> same_padding((5, 4), (3, 2), (2, 1))
    ((1, 1), (0, 1))
    """
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(sizes, span, strides, strict=True)]
    return tuple((t // 2, t - t // 2) for t in total)


def pairs(padding: Any, sizes: Sizes, span: Sizes, strides: Sizes) -> Pairs:
    """`padding` as a pair for each axis of space: a word, one number, or pairs."""
    rank = len(sizes)
    if isinstance(padding, str):
        word = padding.lower()
        if word == "valid":
            return ((0, 0),) * rank
        if word == "same":
            return same_padding(sizes, span, strides)
        if word == "causal":
            return tuple((k - 1, 0) for k in span)
    elif isinstance(padding, (tuple, list)) and len(padding) == rank:
        if all(isinstance(p, (tuple, list)) for p in padding):
            return tuple(whole_numbers(p, 2, "padding", 0) for p in padding)  # type: ignore[misc]
        return tuple((n, n) for n in whole_numbers(padding, rank, "padding", 0))
    elif hasattr(padding, "__index__"):
        return tuple((n, n) for n in whole_numbers(padding, rank, "padding", 0))
    raise ValueError(
        f"padding is 'valid', 'same', 'causal', a whole number, or a pair (before, after) for each of {rank} axes of "
        f"space; received {padding!r}"
    )


def counts(sizes: Sizes, span: Sizes, strides: Sizes, padding: Pairs) -> Sizes:
    """How many windows fit along each axis.

    >>> counts((5,), (3,), (2,), ((1, 1),))
    (3,)
    """
    found = []
    for axis, (n, k, s, (a, b)) in enumerate(zip(sizes, span, strides, padding, strict=True)):
        room = n + a + b
        if k > room:
            padded = f" ({n} and padding of {a + b})" if a + b else ""
            raise ValueError(
                f"a window that spans {k} does not fit into axis {axis + 1} of the input, of size {room}{padded}: make "
                "the window smaller, or pad (padding='same')"
            )
        found.append((room - k) // s + 1)
    return tuple(found)


@lru_cache(maxsize=1024)
def meetings(sizes: Sizes, window: Sizes, strides: Sizes, padding: Pairs, dilation: Sizes) -> tuple[Any, ...]:
    """For each element of the window: its place, the windows that have it in the array, and what they have there.

    The latter two are indices of slices into `(batch, *windows, channels)` and `(batch, *space, channels)`. An element
    that always lies in the padding is left out.
    """
    fit = counts(sizes, spans(window, dilation), strides, padding)
    along: list[list[tuple[slice, slice] | None]] = []
    for n, k, s, (before, _), d, m in zip(sizes, window, strides, padding, dilation, fit, strict=True):
        axis: list[tuple[slice, slice] | None] = []
        for place in range(k):
            shift = place * d - before
            first = max(0, -(shift // s))
            last = min(m - 1, (n - 1 - shift) // s)
            if first > last:
                axis.append(None)
            else:
                start = first * s + shift
                axis.append((slice(first, last + 1), slice(start, start + (last - first) * s + 1, s)))
        along.append(axis)
    everything = slice(None)
    found = []
    for place, parts in enumerate(product(*along)):
        kept = [p for p in parts if p is not None]
        if len(kept) == len(parts):
            here = (everything, *(p[0] for p in kept), everything)
            there = (everything, *(p[1] for p in kept), everything)
            found.append((place, here, there))
    return tuple(found)


def padded(x: np.ndarray, padding: Pairs) -> np.ndarray:
    """`x` with zeros around its axes of space; `x` itself where there is nothing to add."""
    if not any(a or b for a, b in padding):
        return x
    sizes = [n + a + b for n, (a, b) in zip(x.shape[1:-1], padding, strict=True)]
    whole = np.zeros((x.shape[0], *sizes, x.shape[-1]), x.dtype)
    middle = [slice(a, a + n) for n, (a, _) in zip(x.shape[1:-1], padding, strict=True)]
    at = (slice(None), *middle)
    whole[at] = x
    return whole


def patches(x: np.ndarray, window: Sizes, strides: Sizes, dilation: Sizes, fit: Sizes) -> np.ndarray:
    """A view of `x`, padded already, as `(batch, *fit, *window, channels)`."""
    steps = x.strides[1:-1]
    return np.lib.stride_tricks.as_strided(
        x,
        (x.shape[0], *fit, *window, x.shape[-1]),
        (
            x.strides[0],
            *(a * s for a, s in zip(steps, strides, strict=True)),
            *(a * d for a, d in zip(steps, dilation, strict=True)),
            x.strides[-1],
        ),
        writeable=False,
    )


def blocks(rows: int, nbytes: int, most: int = 1 << 22) -> Iterator[slice]:
    """`rows` rows in slices of some `most` bytes, if each has `nbytes`: what is made of them stays small."""
    step = max(1, most // max(nbytes, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def cover(sizes: Sequence[int], window: Sizes, strides: Sizes, padding: Pairs, dtype: Any) -> Any:
    """How many elements of each window lie in the array: a number where that is all, else `(*windows, 1)`."""
    if not any(a or b for a, b in padding):
        return int(np.prod(window))
    found = np.ones((), dtype)
    fit = counts(tuple(sizes), window, strides, padding)
    for n, k, s, (before, _), m in zip(sizes, window, strides, padding, fit, strict=True):
        start = np.arange(m) * s - before
        found = np.multiply.outer(found, (np.minimum(start + k, n) - np.maximum(start, 0)).astype(dtype))
    return found[..., None]


def by_group(flat: Any, groups: Any) -> Any:
    """A kernel `(window * in / groups, out)`, or its transpose's like, as one matrix for each group."""
    return flat.reshape(flat.shape[0], groups, -1).transpose(1, 0, 2)


def grouped(p: Any, groups: Any) -> Any:
    """Patches `(..., window, in)` as one matrix for each group: `(groups, rows, window * in / groups)`."""
    *rows, window, channels = p.shape
    parted = p.reshape(math.prod(rows), window, groups, channels // groups)
    return parted.transpose(2, 0, 1, 3).reshape(groups, math.prod(rows), window * (channels // groups))


def flat(p: Any, rank: Any) -> Any:
    """Patches `(batch, *fit, *window, channels)` with the axes of the window as one: a copy."""
    shape = p.shape
    return p.reshape(*shape[: 1 + rank], math.prod(shape[1 + rank : -1]), shape[-1])
