"""The loops of a kernel over the axes of a group, its arguments by the memory that they are of, and text for people.

Whoever writes a kernel through this says what happens at each point, not how the points are gone through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphnet.escape import line
from graphnet.node import Tensor
from graphnet.plans.kernels.calls import Key
from graphnet.plans.kernels.refs import Axis, Ref
from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.values import Index, Pointer, Value

#: vectors of a long polynomial that are computed side by side: one alone waits for its own results
SIDE_BY_SIDE = 4
#: turns of a loop from which on that pays
LONG_LOOP = 256


class Loops:
    """A kernel whose arguments are pointers: the memory of each of `keys`, in the order of their first use.

    * `axes`: the loops; `part`: the range of the first one, as two arguments, if it is shared;
    * `index`: the position in each loop that the kernel is in at this point;
    * `heavy`: whether long inner loops are computed as several vectors side by side. LLVM by itself does that only
      where it costs no registers, and a chain of two exp, tanh and sqrt takes twice as long then;
    * `lines`: the text for people, where `comment` says where a node comes from.
    """

    def __init__(self, axes: Sequence[Axis], heavy: bool, comment: Callable[[Tensor], str]):
        self.k = Kernel("group")
        self.axes, self.heavy, self.comment = axes, heavy, comment
        self.keys: dict[Key, Pointer] = {}
        self.part: tuple[Index, Index] | None = None
        self.index: dict[int, Index | int] = {}
        self.lines: list[str] = []
        self._indent = 1
        self._rows: dict[Key, Pointer] = {}

    def pointer(self, key: Key, dtype: np.dtype) -> Pointer:
        """The memory of a key: an argument, or an array of the kernel."""
        if key in self._rows:
            return self._rows[key]
        if key not in self.keys:
            self.keys[key] = self.k.pointer(dtype)
        return self.keys[key].of(dtype)

    def row_on_stack(self, key: Key, size: int, dtype: np.dtype) -> None:
        """An array in the kernel's own memory."""
        self._rows[key] = self.k.stack(dtype, size)

    def note(self, text: str, node: Tensor | None = None) -> None:
        """A line of the text for people."""
        comment = self.comment(node) if node is not None else ""
        self.lines.append("    " * self._indent + line(text) + comment)

    def number(self, strides: tuple[int, ...], offset: int = 0) -> Any:
        """The number of this point in memory of such strides."""
        total: Any = offset
        for a, i in self.index.items():
            if strides[a]:
                total = i * strides[a] + total
        return total

    def address(self, ref: Ref) -> Pointer:
        """Where the value of this point lies."""
        return self.pointer(ref.key, ref.dtype) + self.number(ref.strides, ref.offset)

    def load(self, ref: Ref) -> Value:
        """The value of this point."""
        return self.address(ref).load()

    def store(self, x: Value, ref: Ref) -> None:
        """Write the value of this point."""
        self.address(ref).store(x)

    @contextmanager
    def nest(self, inner: bool) -> Iterator[None]:
        """The loops over all outer, or all inner axes, around what is written inside."""
        axes = [axis for axis in self.axes if axis.inner is inner]
        with self._deeper(axes, inner):
            yield

    @contextmanager
    def _deeper(self, axes: Sequence[Axis], inner: bool) -> Iterator[None]:
        if not axes:
            yield
            return
        axis, *rest = axes
        self.note(f"for i{axis.last} in range({axis.length}):")
        self._indent += 1
        shared = self.part is not None and axis is self.axes[0]
        start, stop = self.part if shared and self.part is not None else (0, axis.length)
        side_by_side = SIDE_BY_SIDE if inner and not rest and self.heavy and axis.length >= LONG_LOOP else 0
        with self.k.loop(stop, start, interleave=side_by_side) as i:
            self.index[axis.last] = i
            with self._deeper(rest, inner):
                yield
            del self.index[axis.last]
        self._indent -= 1
