"""Where the axes of an indexed array lie when a further first axis, a batch, is put before an index.

NumPy puts the axes that integer arrays make where the arrays stand, if they stand side by side, and in front if they
do not. A batch of arrays has one more of those axes, which has to come first in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphnet.node import Tensor
from graphnet.ops.shaping import moveaxis, reshape


class _Slot:
    """The place of an integer array in a static index."""

    def __repr__(self: Any) -> str:
        return "#"


SLOT = _Slot()


def whole(index: Any, arrays: Any) -> Any:
    """The index with its arrays put back, as NumPy takes it."""
    left = iter(arrays)
    return tuple(next(left) if part is SLOT else part for part in index)


class Widened(NamedTuple):
    """An index for all places of a batch: it takes an array with the batch first, or one that all places share.

    In what it gives, the axes `source` belong at `target`: then the batch comes first, and the axes of one place are as
    its own index gives them.
    """

    key: tuple[Any, ...]
    arrays: list[Any]
    source: tuple[int, ...]
    target: tuple[int, ...]

    def placed(self, y: Tensor) -> Tensor:
        """What the index gave, with the batch first."""
        return y if self.source == self.target else moveaxis(y, self.source, self.target)

    def taken(self, y: Tensor) -> Tensor:
        """What has the batch first, as the index gives it, or is given it."""
        return y if self.source == self.target else moveaxis(y, self.target, self.source)


def _front(index: Sequence[Any], rank: int, depth: int) -> int:
    """How many axes stand before those of the arrays, of `depth` axes, in what an index into `rank` axes gives."""
    key = tuple(slice(None) if part.__class__ is slice else part for part in index)
    arrays = [np.zeros((2,) * depth, np.intp)] * sum(part is SLOT for part in key)
    # Sizes say which axis is which: those of arrays are the only ones of size 2.
    found = np.broadcast_to(np.zeros(()), (3,) * rank)[whole(key, arrays)].shape
    return found.index(2)


def widened(index: tuple[Any, ...], rank: int, wide: bool, batch: Sequence[bool], arrays: Sequence[Any]) -> Widened:
    """`index`, into an array whose places have `rank` axes, for all places at once.

    `wide` says whether that array has the axis of the batch, `batch` which of the integer arrays have it.
    """
    depth = max((a.ndim - b for a, b in zip(arrays, batch, strict=True)), default=0)
    if not any(batch):
        # The batch is one more axis of what is indexed.
        index = (slice(None), *index)
        first = _front(index, rank + 1, depth) if depth else 1
        return Widened(index, list(arrays), *(((depth,), (0,)) if first == 0 else ((), ())))
    aligned = [
        reshape(a, (a.shape[0], *(1,) * (depth + 1 - a.ndim), *a.shape[1:])) if b and a.ndim <= depth else a
        for a, b in zip(arrays, batch, strict=True)
    ]
    if not wide:
        front = _front(index, rank, depth + 1)
        return Widened(index, aligned, (front,), (0,)) if front else Widened(index, aligned, (), ())
    count = next(a.shape[0] for a, b in zip(arrays, batch, strict=True) if b)
    own = np.arange(count).reshape((count,) + (1,) * depth)
    # Side by side or not, all axes of arrays come first now.
    front = _front(index, rank, depth) if depth else 0
    source = tuple(range(1, depth + 1)) if front else ()
    return Widened((SLOT, *index), [own, *aligned], source, tuple(a + front for a in source))
