"""Memory as the interpreter sees it: arrays with an end, which remember what of them was ever written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class OutOfBounds(IndexError):
    """A kernel reads or writes beside an array."""


class NotWritten(ValueError):
    """A kernel reads what nothing has written."""


class Memory:
    """The bytes of an array in C order. With `blank`, reading what was not written before raises NotWritten."""

    def __init__(self, array: np.ndarray, blank: bool = False, label: str = ""):
        if not array.flags.c_contiguous:
            raise ValueError(f"an array of shape {array.shape} with strides {array.strides}: kernels take C order")
        self.array, self.label = array, label
        self.bytes = array.reshape(-1).view(np.uint8)
        self.written = np.zeros(self.bytes.size, bool) if blank else None

    def load(self, at: Any, dtype: np.dtype) -> Any:
        """The elements at byte offsets."""
        place = self._place(at, dtype, "reads")
        if self.written is not None:
            ends = np.asarray(at)[..., None] + np.arange(dtype.itemsize)
            if not self.written[ends].all():
                raise NotWritten(f"{self._about(dtype)} reads what was not written: {_some(place)}")
        found = self._elements(dtype)[place]
        return found != 0 if dtype.kind == "b" else found

    def store(self, at: Any, x: Any, dtype: np.dtype) -> None:
        """Write elements at byte offsets."""
        place = self._place(at, dtype, "writes")
        if not self.array.flags.writeable:
            raise ValueError(f"{self._about(dtype)} writes to an array that is read only")
        self._elements(dtype)[place] = x
        self.mark(np.asarray(at)[..., None] + np.arange(dtype.itemsize))

    def span(self, at: Any, nbytes: int, word: str) -> slice:
        """Bytes one after the other."""
        at, nbytes = int(at), int(nbytes)
        if not 0 <= at <= at + nbytes <= self.bytes.size:
            raise OutOfBounds(f"{self.label} {word} bytes {at} to {at + nbytes} of {self.bytes.size}")
        return slice(at, at + nbytes)

    def mark(self, at: Any) -> None:
        """These bytes are written now."""
        if self.written is not None:
            self.written[at] = True

    def _elements(self, dtype: np.dtype) -> np.ndarray:
        whole = self.bytes.size // dtype.itemsize * dtype.itemsize
        return self.bytes[:whole].view(np.uint8 if dtype.kind == "b" else dtype)

    def _place(self, at: Any, dtype: np.dtype, word: str) -> Any:
        size, at = dtype.itemsize, np.asarray(at)
        if not at.size:
            return at
        if (at % size).any():
            raise OutOfBounds(f"{self._about(dtype)} {word} at byte {_some(at[at % size != 0])}, between two elements")
        place, count = at // size, self.bytes.size // size
        if place.min() < 0 or place.max() >= count:
            beside = place[(place < 0) | (place >= count)]
            raise OutOfBounds(f"{self._about(dtype)} {word} element {_some(beside)} of {count}")
        return place

    def _about(self, dtype: np.dtype) -> str:
        return f"{self.label or 'memory'} of {dtype}"


def _some(place: Any) -> str:
    return f"{np.asarray(place).reshape(-1)[0]}"


class Addresses:
    """Memory that holds addresses: of arrays, of other such memory, or Python functions in place of C's."""

    def __init__(self, slots: Sequence[Any], label: str = ""):
        self.slots, self.label = [placed(s) for s in slots], label

    def pointer(self, at: Any) -> Place:
        """The address at a byte offset."""
        n, rest = divmod(int(at), 8)
        if rest or not 0 <= n < len(self.slots):
            raise OutOfBounds(f"{self.label or 'a table'} reads address {int(at) / 8:g} of {len(self.slots)}")
        return self.slots[n]


class Place(NamedTuple):
    """An address: so many bytes into some memory."""

    memory: Memory | Addresses | Callable[..., None]
    offset: Any = 0

    def moved(self, nbytes: Any) -> Place:
        """So many bytes further."""
        return Place(self.memory, self.offset + nbytes)

    def pointer(self) -> Place:
        """The address that lies here."""
        assert isinstance(self.memory, Addresses)
        return self.memory.pointer(self.offset)

    def array(self, dtype: Any, count: int) -> np.ndarray:
        """So many elements from here on, for functions that are called with addresses."""
        assert isinstance(self.memory, Memory)
        dtype = np.dtype(dtype)
        span = self.memory.span(self.offset, count * dtype.itemsize, "is called with")
        self.memory.mark(span)
        return self.memory.bytes[span].view(dtype)


def placed(x: Any) -> Place:
    """The address of an argument: an array, memory, a list of addresses, a function."""
    if isinstance(x, Place):
        return x
    if isinstance(x, np.ndarray):
        return Place(Memory(x))
    if isinstance(x, (list, tuple)):
        return Place(Addresses(x))
    return Place(x)


def blank(shape: Any, dtype: Any) -> Memory:
    """An array that nothing was written to, as an argument; `.array` is what it holds afterwards."""
    array = np.zeros(shape, dtype)
    array.reshape(-1).view(np.uint8)[:] = 0xAB
    return Memory(array, blank=True)
