"""Tuple arithmetic on shapes: broadcasting, axes, reductions and gufunc signatures. Knows nothing of tensors.

Every function here raises `ValueError` or `IndexError` with the bare reason; the engine adds op, shapes and layer.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

Shape = tuple[int, ...]

#: one axis, several, or all of them
Axes: TypeAlias = int | Sequence[int] | None
#: a dtype, its name, or the type of its numbers
DTypeLike: TypeAlias = np.dtype | type | str
#: a shape, or the one size of a tensor of one dimension
ShapeLike: TypeAlias = int | Sequence[int]


def broadcast(*shapes: Shape) -> Shape:
    """The shape that NumPy's broadcasting gives for `shapes`.

    >>> broadcast((5, 1), (3,), ())
    (5, 3)
    """
    rank = max(map(len, shapes), default=0)
    out = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1 and size != out[axis]:
                if out[axis] != 1:
                    listed = ", ".join(map(str, shapes))
                    raise ValueError(f"shapes {listed} do not broadcast: axis {axis - rank} is {out[axis]} and {size}")
                out[axis] = size
    return tuple(out)


def axis_index(axis: int, rank: int) -> int:
    """`axis` counted from the front, checked against `rank`.

    >>> axis_index(-1, 3)
    2
    """
    try:
        index = operator.index(axis)
    except TypeError:
        raise TypeError(f"an axis is an integer; received {axis!r} ({type(axis).__name__})") from None
    if not -rank <= index < rank:
        raise IndexError(f"axis {index} is out of bounds for a tensor of {rank} dimension{'s' * (rank != 1)}")
    return index % rank if rank else 0


def axes_indices(axis: int | Iterable[int] | None, rank: int) -> tuple[int, ...]:
    """The axes that `axis` names, from the front and in order of writing; `None` names all.

    >>> axes_indices((-1, 0), 3)
    (2, 0)
    """
    if axis is None:
        return tuple(range(rank))
    listed = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    indices = tuple(axis_index(a, rank) for a in listed)  # type: ignore[arg-type]
    if len(set(indices)) != len(indices):
        raise ValueError(f"axis {axis} names the same axis twice")
    return indices


def reduced(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """`shape` after a reduction over `axes`.

    >>> reduced((2, 3, 4), (1,), True)
    (2, 1, 4)
    """
    if keepdims:
        return tuple(1 if i in axes else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in axes)


def kept(shape: Shape, axes: Sequence[int]) -> Shape:
    """`shape` with each of `axes` at size one: what `keepdims=True` would have given."""
    return reduced(shape, axes, True)


@lru_cache(maxsize=512)
def _parse(signature: str) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    left, right = signature.replace(" ", "").split("->")
    parts = [tuple(filter(None, part.split(","))) for part in left[1:-1].split("),(")]
    return tuple(parts), tuple(filter(None, right[1:-1].split(",")))


_SIGNATURE = re.compile(r"(\(\w*(,\w+)*\))(,\(\w*(,\w+)*\))*->\(\w*(,\w+)*\)")


def core_axes(signature: str) -> tuple[tuple[int, ...], int]:
    """How many core axes a gufunc signature gives to each input, and to the output.

    >>> core_axes("(m,k),(k)->(m)")
    ((2, 1), 1)
    >>> core_axes("(n),()->(n)")
    ((1, 0), 1)
    """
    if not _SIGNATURE.fullmatch(signature.replace(" ", "")):
        raise ValueError(
            f"a signature names the core axes of each input, as '(m,k),(k,n)->(m,n)'; received {signature!r}"
        )
    cores, result = _parse(signature)
    unknown = set(result) - {name for core in cores for name in core}
    if unknown:
        raise ValueError(f"the output of {signature!r} has axes that no input has: {', '.join(sorted(unknown))}")
    return tuple(map(len, cores)), len(result)


def gufunc(signature: str, *shapes: Shape) -> Shape:
    """The output shape of a generalised ufunc with one output; leading axes broadcast.

    >>> gufunc("(m,k),(k,n)->(m,n)", (7, 5, 2), (2, 3))
    (7, 5, 3)
    """
    cores, result = _parse(signature)
    sizes: dict[str, int] = {}
    seen: dict[str, list[int]] = {}
    for place, (core, shape) in enumerate(zip(cores, shapes, strict=True)):
        if len(shape) < len(core):
            raise ValueError(
                f"input {place} needs at least {len(core)} dimensions ({', '.join(core)}); it has {len(shape)}"
            )
        for name, size in zip(core, shape[len(shape) - len(core) :], strict=True):
            sizes.setdefault(name, size)
            seen.setdefault(name, []).append(size)
    for name, values in seen.items():
        if len(set(values)) > 1:
            raise ValueError(
                f"{name} is {values[0]} in one input and {next(v for v in values if v != values[0])} in the other"
            )
    batch = broadcast(*(shape[: len(shape) - len(core)] for core, shape in zip(cores, shapes, strict=True)))
    return batch + tuple(sizes[name] for name in result)


def size(shape: Shape) -> int:
    """The number of elements of `shape`."""
    total = 1
    for n in shape:
        total *= n
    return total


def reshaped(shape: Shape, new: int | Sequence[int]) -> Shape:
    """`new` with its one -1 filled in, checked to hold as many elements as `shape`.

    >>> reshaped((2, 6), (-1, 4))
    (3, 4)
    """
    listed = tuple(operator.index(n) for n in (new if isinstance(new, (tuple, list)) else (new,)))  # type: ignore[arg-type]
    total = size(shape)
    free = [i for i, n in enumerate(listed) if n == -1]
    if len(free) > 1:
        raise ValueError(f"only one axis of a new shape can be -1; received {listed}")
    known = size(tuple(n for n in listed if n != -1))
    if any(n < -1 for n in listed):
        raise ValueError(f"a new shape has no negative sizes but one -1; received {listed}")
    if free:
        if known == 0 or total % known:
            raise ValueError(f"cannot reshape {shape} ({total} elements) into {listed}")
        return tuple(total // known if n == -1 else n for n in listed)
    if known != total:
        raise ValueError(f"cannot reshape {shape} ({total} elements) into {listed} ({known} elements)")
    return listed
