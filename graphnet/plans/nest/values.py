"""Values of the loop language: numbers, vectors of numbers, indices and pointers, with Python's operators.

A value is one instruction of a kernel. It is added to the kernel, at the point that is being written, when it is made:
`a + b` computes the sum there, `p[i]` loads there. A value can be used in the block where it was made, after that, and
in the blocks inside of it.

* `Value`: a number of `dtype`, or `width` of them side by side. Operators promote as NumPy does; a Python number takes
  the type of what it meets, and a single number beside a vector is repeated. A comparison is of dtype bool. Integers
  wrap. `+ - *` of floats have the kernel's flags: by default `a * b + c` may become one instruction.
* `Index`: an int64 that counts or addresses; `+ - *` of indices and Python's ints must not overflow, `//` and `%` are
  for those that are not negative. What is known to be zero or one is not computed.
* `Pointer`: the address of elements of `dtype`. `p + i` is that of element i, `p[i]` loads it, `p[i] = x` stores it,
  `p.load(i, width)` and `p.store(x, i)` are the same for vectors.

What has no native form raises `Unsupported` when it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

BOOL, INT8, INT32, INT64 = np.dtype(bool), np.dtype(np.int8), np.dtype(np.int32), np.dtype(np.int64)
UINT8, UINT64 = np.dtype(np.uint8), np.dtype(np.uint64)
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Unsupported(Exception):
    """An expression or a function that has no native form."""


@cache
def typed(dtype: Any) -> np.dtype:
    """The dtype, if values can have it: bool, integers, float32 and float64."""
    dtype = np.dtype(dtype)
    if dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize in (4, 8)):
        return dtype
    raise Unsupported(f"no native type for {dtype}")


def number(x: Any, dtype: np.dtype) -> Any:
    """`x` as a NumPy scalar of the dtype; a number that is not one of an integer dtype is Unsupported."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if x != x or not info.min <= x <= info.max or int(x) != x:
            raise Unsupported(f"{x} as {dtype}")
        return dtype.type(int(x))
    if -1e38 < x < 1e38:
        return dtype.type(x)
    try:
        with np.errstate(over="ignore"):
            return dtype.type(x)
    except OverflowError:
        raise Unsupported(f"{x} as {dtype}") from None


class Node:
    """An instruction with a result. `data` is what belongs to it beside its arguments; `label` a name for people."""

    __slots__ = ("args", "data", "dtype", "kernel", "label", "number", "op", "width")

    def __init__(self, kernel: Any, op: str, dtype: np.dtype, width: int, args: tuple[Any, ...], data: Any = None):
        self.kernel, self.op, self.dtype, self.width, self.args, self.data = kernel, op, dtype, width, args, data
        self.number, self.label = kernel.count, ""
        kernel.count += 1
        if op not in _FREE:
            kernel.block.append(self)

    def named(self, label: str) -> Any:
        """The value itself, which listings call so."""
        self.label = label
        return self

    def __bool__(self) -> bool:
        raise TypeError("a value of a kernel is known when it runs: write where(condition, a, b) or kernel.when")


#: not computed where they stand
_FREE = frozenset({"const", "argument", "counter", "stack", "table"})


def _operator(op: str, swap: bool = False) -> Callable[[Any, Any], Any]:
    return (lambda a, b: binary(op, b, a)) if swap else (lambda a, b: binary(op, a, b))


def _comparison(op: str) -> Callable[[Any, Any], Any]:
    return lambda a, b: compare(op, a, b)


class Value(Node):
    """A number, or `width` of them side by side."""

    __slots__ = ()

    __add__, __radd__ = _operator("add"), _operator("add", True)
    __sub__, __rsub__ = _operator("sub"), _operator("sub", True)
    __mul__, __rmul__ = _operator("mul"), _operator("mul", True)
    __truediv__, __rtruediv__ = _operator("div"), _operator("div", True)
    __and__, __rand__ = _operator("and"), _operator("and", True)
    __or__, __ror__ = _operator("or"), _operator("or", True)
    __xor__, __rxor__ = _operator("xor"), _operator("xor", True)
    __lshift__, __rlshift__ = _operator("shl"), _operator("shl", True)
    __rshift__, __rrshift__ = _operator("shr"), _operator("shr", True)
    __lt__, __le__, __gt__, __ge__ = _comparison("lt"), _comparison("le"), _comparison("gt"), _comparison("ge")
    __eq__, __ne__ = _comparison("eq"), _comparison("ne")  # type: ignore[assignment]
    __hash__ = object.__hash__

    def __neg__(self) -> Value:
        if self.dtype == BOOL:
            raise Unsupported("the negative of a bool")
        return Value(self.kernel, "neg", self.dtype, self.width, (self,))

    def __invert__(self) -> Value:
        """Each bit, or a bool, the other way round."""
        ones = True if self.dtype == BOOL else -1 if self.dtype.kind == "i" else np.iinfo(self.dtype).max
        return binary("xor", self, self.kernel.const(ones, self.dtype))

    def __abs__(self) -> Value:
        if self.dtype.kind == "f":
            return Value(self.kernel, "abs", self.dtype, self.width, (self,))
        return where(self < 0, -self, self) if self.dtype.kind == "i" else self

    def cast(self, dtype: Any) -> Value:
        """In another dtype, as `ndarray.astype`: what does not fit wraps, a fraction is cut off.

        A NaN, or a number beyond the integers, becomes some integer.
        """
        dtype = typed(dtype)
        if dtype == self.dtype:
            return self
        if dtype == BOOL:
            return self != 0
        return Value(self.kernel, "cast", dtype, self.width, (self,))

    def view(self, dtype: Any) -> Value:
        """The same bits as another dtype of the same size, as `ndarray.view`."""
        dtype = typed(dtype)
        if dtype == self.dtype:
            return self
        if dtype.itemsize != self.dtype.itemsize or BOOL in (dtype, self.dtype):
            raise Unsupported(f"the bits of {self.dtype} as {dtype}")
        return Value(self.kernel, "view", dtype, self.width, (self,))

    def splat(self, width: int) -> Value:
        """The number `width` times side by side."""
        if width == self.width:
            return self
        if self.width != 1:
            raise TypeError(f"a vector of {self.width} beside one of {width}")
        if self.op == "const":
            return Value(self.kernel, "const", self.dtype, width, (), self.data)
        return Value(self.kernel, "splat", self.dtype, width, (self,))

    def lane(self, n: int) -> Value:
        """Number `n` of a vector."""
        if not 0 <= n < self.width:
            raise IndexError(f"lane {n} of {self.width}")
        return Value(self.kernel, "lane", self.dtype, 1, (self,), n)

    def with_lane(self, n: int, x: Any) -> Value:
        """The vector with `x` as its number `n`."""
        if not 0 <= n < self.width:
            raise IndexError(f"lane {n} of {self.width}")
        return Value(self.kernel, "with_lane", self.dtype, self.width, (self, like(x, self)), n)

    def horizontal(self, op: str) -> Value:
        """All numbers of a vector as one: op is "sum" (in any order), "max" or "min" (NaN if one is), "any", "all"."""
        if op not in ("sum", "max", "min", "any", "all") or (op in ("any", "all")) != (self.dtype == BOOL):
            raise Unsupported(f"{op} of a vector of {self.dtype}")
        return self if self.width == 1 else Value(self.kernel, "horizontal", self.dtype, 1, (self,), op)


class Index(Value):
    """A whole number that counts or addresses; it does not overflow."""

    __slots__ = ()

    def __floordiv__(self, n: int | Index) -> Index:
        """The quotient of two that are not negative."""
        return self if _is(n, 1) else Index(self.kernel, "index_div", INT64, 1, (self, like(n, self)))

    def __mod__(self, n: int | Index) -> Index | int:
        return 0 if _is(n, 1) else Index(self.kernel, "index_rem", INT64, 1, (self, like(n, self)))


class Pointer(Node):
    """The address of elements of `dtype` in memory; a bool is a byte there."""

    __slots__ = ()

    def __add__(self, i: int | Value) -> Pointer:
        """The address of element `i` from here."""
        if _is(i, 0):
            return self
        return Pointer(self.kernel, "element", self.dtype, 1, (self, self.kernel.index(i)))

    def bytes(self, n: int | Value, dtype: Any) -> Pointer:
        """The address `n` bytes from here, of elements of `dtype`."""
        return Pointer(self.kernel, "bytes", typed(dtype), 1, (self, self.kernel.index(n)))

    def of(self, dtype: Any) -> Pointer:
        """The same address, of elements of `dtype`: memory is used again, for values of another kind."""
        return self if typed(dtype) == self.dtype else self.bytes(0, dtype)

    def load(self, i: int | Value = 0, width: int = 1) -> Value:
        """Element `i`, or that and those after it."""
        return Value(self.kernel, "load", self.dtype, width, (self + i,))

    def store(self, x: Any, i: int | Value = 0) -> None:
        """Write `x` as element `i`, and a vector as those after it too."""
        at = self + i
        if not isinstance(x, Value):
            x = self.kernel.const(x, self.dtype)
        Statement(self.kernel, "store", (at, x.cast(self.dtype)))

    def gather(self, i: Value) -> Value:
        """The elements with the numbers that the vector `i` of int64 has."""
        if i.width == 1:
            return self.load(i)
        return Value(self.kernel, "gather", self.dtype, i.width, (self, i.cast(INT64)))

    def pointer(self, i: int | Value, dtype: Any) -> Pointer:
        """Number `i` of the addresses that lie here, which is one of elements of `dtype`."""
        return Pointer(self.kernel, "load_pointer", typed(dtype), 1, (self, self.kernel.index(i)))

    def fetch_add(self, n: int | Value, i: int | Value = 0) -> Index:
        """Add `n` to the int64 here in one step that no other thread can come between; what it was before."""
        return Index(self.kernel, "fetch_add", INT64, 1, (self + i, self.kernel.const(n, INT64)))

    def load_acquire(self, i: int | Value = 0) -> Index:
        """The int64 here, after which all can be read that was written before it was."""
        return Index(self.kernel, "load_acquire", INT64, 1, (self + i,))

    def __getitem__(self, i: int | Value) -> Value:
        return self.load(i)

    def __setitem__(self, i: int | Value, x: Any) -> None:
        self.store(x, i)


class Statement:
    """An instruction without a result; `blocks` are the lists of instructions inside."""

    __slots__ = ("args", "blocks", "data", "op")

    def __init__(
        self, kernel: Any, op: str, args: tuple[Any, ...] = (), data: Any = None, blocks: tuple[list[Any], ...] = ()
    ):
        self.op, self.args, self.data, self.blocks = op, args, data, blocks
        kernel.block.append(self)


def _is(x: Any, n: int) -> bool:
    return isinstance(x, int) and x == n


def like(x: Any, v: Value) -> Value:
    """`x`, a value or a Python number, in the dtype of `v`."""
    if isinstance(x, Value):
        return x.cast(v.dtype)
    return v.kernel.const(x, v.dtype)


def together(a: Any, b: Any) -> tuple[Value, Value]:
    """Two operands in the dtype that NumPy would compute them in, and of one width."""
    if not isinstance(a, Value):
        a = _weak(a, b)
    elif not isinstance(b, Value):
        b = _weak(b, a)
    if a.dtype != b.dtype:
        dtype = np.result_type(a.dtype, b.dtype)
        a, b = a.cast(dtype), b.cast(dtype)
    if a.width != b.width:
        width = max(a.width, b.width)
        a, b = a.splat(width), b.splat(width)
    return a, b


def _weak(x: Any, v: Value) -> Value:
    """A constant: of its own type if it is NumPy's or a bool, else of that of `v`."""
    if isinstance(x, (bool, np.generic)):
        return v.kernel.const(x, np.result_type(x))
    if v.dtype == BOOL or (v.dtype.kind != "f" and isinstance(x, float)):
        return v.kernel.const(x, FLOAT64 if isinstance(x, float) else INT64)
    return v.kernel.const(x, v.dtype)


_KINDS = {
    **dict.fromkeys(("add", "sub", "mul"), "iuf"),
    **dict.fromkeys(("and", "or", "xor"), "biu"),
    **dict.fromkeys(("shl", "shr", "quotient"), "iu"),
    "div": "f",
}
#: NumPy's sum and product of booleans
OF_BOOLS = {"add": "or", "mul": "and"}


def binary(op: str, a: Any, b: Any) -> Any:
    """`a op b`."""
    if isinstance(a, (Index, int)) and isinstance(b, (Index, int)) and op in ("add", "sub", "mul"):
        return _of_indices(op, a, b)
    if isinstance(a, Pointer) or isinstance(b, Pointer):
        raise TypeError("a pointer is not a number: p + i is another pointer")
    a, b = together(a, b)
    if a.dtype == BOOL:
        op = OF_BOOLS.get(op, op)
    if a.dtype.kind not in _KINDS[op]:
        raise Unsupported(f"{op} of {a.dtype}")
    flags = a.kernel.flags if a.dtype.kind == "f" and op != "div" else ""
    return Value(a.kernel, op, a.dtype, a.width, (a, b), flags)


def _of_indices(op: str, a: Index | int, b: Index | int) -> Index | int:
    if op == "mul":
        if _is(a, 0) or _is(b, 0):
            return 0
        if _is(a, 1) or _is(b, 1):
            return b if _is(a, 1) else a
    elif _is(b, 0) or (op == "add" and _is(a, 0)):
        return a if _is(b, 0) else b
    kernel = a.kernel if isinstance(a, Index) else b.kernel  # type: ignore[union-attr]
    return Index(kernel, op, INT64, 1, (kernel.index(a), kernel.index(b)), "nsw")


def compare(op: str, a: Any, b: Any) -> Value:
    """Whether `a op b` holds, op being lt, le, gt, ge, eq, ne; NaN is unequal to everything."""
    a, b = together(a, b)
    return Value(a.kernel, op, BOOL, a.width, (a, b))


def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`; both are computed. Pointers can be chosen too."""
    if not isinstance(condition, Value):
        return a if condition else b
    if isinstance(a, Pointer):
        return Pointer(a.kernel, "where", a.dtype, 1, (condition, a, b))
    condition = condition.cast(BOOL)
    if isinstance(a, Value) or isinstance(b, Value):
        a, b = together(a, b)
    else:
        dtype = FLOAT64 if isinstance(a, float) or isinstance(b, float) else INT64
        a, b = condition.kernel.const(a, dtype), condition.kernel.const(b, dtype)
    width = max(condition.width, a.width)
    listed = (condition.splat(width), a.splat(width), b.splat(width))
    return Value(a.kernel, "where", a.dtype, width, listed)
