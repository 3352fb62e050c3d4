"""The builder of the loop language: a kernel with arguments, variables, loops and calls.

    k = Kernel("scaled")
    x, y = k.pointer(np.float32, "x"), k.pointer(np.float32, "y")
    with k.loop(1000) as i:
        y[i] = exp(x[i] * 0.5)

`llvm.Module` turns kernels into LLVM's text, `interpret.run` says what they mean, `listing.listing` shows them.
Values and their operators are those of `values`; this file has what happens in an order:

* arguments: `pointer(dtype)`, whose memory no other pointer argument reaches unless `noalias=False`;
  `argument(dtype)`, a number; `counter_argument()`, an index;
* constants: `const(number, dtype, width)`; `table(array)` is a pointer to an array of constants;
* memory of the function: `variable(start)`, whose `.value` is read and set; `stack(dtype, size)`, a pointer;
* blocks: `with loop(stop, start, step) as i`, `with when(condition)`, `with otherwise()`, `with repeat()` with
  `leave(condition)` directly inside; `with entry()` writes at the beginning of the kernel, for what is computed once;
* `zero(p, nbytes)`, `copy(to, source, nbytes)`, `call(kernel, ...)`, `call_address(pointer, ...)`, `pause()`,
  `returns(value)` as the last;
* `note(text)`, a line of a listing.

A `@function` is a pure function of values, such as exp, that is written in Python once and for all dtypes and widths.
Each combination is built when it is first called, and kept; LLVM inlines it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any, overload

import numpy as np

from graphnet.plans.nest.values import BOOL, INT64, Index, Node, Pointer, Statement, Value, number, typed

#: what + - * of floats may do: a * b + c as one instruction only removes a rounding
CONTRACT = "contract"


class Table:
    """Constants in the code, with the name that they have in a module."""

    def __init__(self, name: str, array: np.ndarray):
        self.name, self.array = name, np.ascontiguousarray(array)
        self.array.setflags(write=False)
        typed(array.dtype)


class Variable:
    """A number or vector that changes; `value` is what it holds at this point."""

    def __init__(self, kernel: Kernel, dtype: np.dtype, width: int, label: str):
        self.kernel, self.dtype, self.width, self.label = kernel, dtype, width, label
        self.index = False
        self.number = kernel.count
        kernel.count += 1
        kernel.variables.append(self)

    @property
    def value(self) -> Any:
        kind = Index if self.index else Value
        return kind(self.kernel, "get", self.dtype, self.width, (), self)

    @value.setter
    def value(self, x: Any) -> None:
        if not isinstance(x, Value):
            x = self.kernel.const(x, self.dtype)
        x = x.splat(self.width)
        if x.dtype != self.dtype:
            raise TypeError(f"a {x.dtype} is set to a variable of {self.dtype}: cast it")
        Statement(self.kernel, "set", (x,), self)


class Kernel:
    """A function that is being written. `flags` are those of + - * of floats."""

    def __init__(self, name: str = "kernel", flags: str = CONTRACT):
        self.name, self.flags = name, flags
        self.count = 0
        self.arguments: list[Node] = []
        self.noalias: list[bool] = []
        self.variables: list[Variable] = []
        self.stacks: list[Pointer] = []
        self.head: list[Any] = []
        self.body: list[Any] = []
        self.block = self.body
        self.result: Value | None = None
        self.inline = False
        #: what lowering and interpreting have found out: a kernel is complete when it is first lowered or run
        self.lowered: Any = None
        self.loops: Any = None

    def pointer(self, dtype: Any, label: str = "", noalias: bool = True) -> Pointer:
        """The next argument: the address of elements of `dtype`, reached through no other argument if `noalias`."""
        return self._argument(Pointer(self, "argument", typed(dtype), 1, ()).named(label), noalias)

    def argument(self, dtype: Any, label: str = "", width: int = 1) -> Value:
        """The next argument: a number, or a vector."""
        return self._argument(Value(self, "argument", typed(dtype), width, ()).named(label))

    def counter_argument(self, label: str = "") -> Index:
        """The next argument: an index."""
        return self._argument(Index(self, "argument", INT64, 1, ()).named(label))

    def _argument(self, node: Any, noalias: bool = False) -> Any:
        self.arguments.append(node)
        self.noalias.append(noalias)
        return node

    def const(self, x: Any, dtype: Any, width: int = 1) -> Value:
        """A constant, `width` times side by side."""
        if isinstance(x, Value):
            return x.cast(dtype).splat(width)
        dtype = typed(dtype)
        return Value(self, "const", dtype, width, (), number(x, dtype))

    def index(self, x: int | Value) -> Index:
        """A number as an index."""
        if isinstance(x, Index):
            return x
        if isinstance(x, Value):
            if x.dtype.kind not in "iu" or x.width != 1:
                raise TypeError(f"an index is one whole number, not {x.dtype} of width {x.width}")
            return Index(self, "index", INT64, 1, (x.cast(INT64),))
        return Index(self, "const", INT64, 1, (), number(x, INT64))

    def table(self, table: Table) -> Pointer:
        """The address of a table of constants."""
        return Pointer(self, "table", table.array.dtype, 1, (), table).named(table.name)

    def variable(self, start: Any, dtype: Any = None, width: int = 1, label: str = "") -> Variable:
        """A variable that begins as `start`: a value, or a number of `dtype`, `width` times."""
        value = start if isinstance(start, Value) and dtype is None else self.const(start, dtype, width)
        made = Variable(self, value.dtype, value.width, label)
        made.index = isinstance(value, Index)
        made.value = value
        return made

    def stack(self, dtype: Any, size: int, label: str = "") -> Pointer:
        """Memory for `size` elements while the function runs; what it holds at first is not known."""
        made = Pointer(self, "stack", typed(dtype), 1, (), size).named(label)
        self.stacks.append(made)
        return made

    @contextmanager
    def _inside(self, block: list[Any]) -> Iterator[None]:
        outer, self.block = self.block, block
        try:
            yield
        finally:
            self.block = outer

    @contextmanager
    def loop(
        self, stop: int | Index, start: int | Index = 0, step: int = 1, interleave: int = 0, label: str = ""
    ) -> Iterator[Any]:
        """Counts from `start`, which is not negative, to before `stop`. A loop of one turn is none.

        `interleave`: how many vectors of a loop that LLVM makes vectors of are to be computed side by side.
        """
        if isinstance(stop, int) and isinstance(start, int) and start < stop <= start + step:
            yield start
            return
        if step < 1 or (isinstance(start, int) and start < 0):
            raise ValueError(f"a loop from {start} by {step}: it starts at 0 or above, and counts up")
        counter = Index(self, "counter", INT64, 1, ()).named(label)
        block: list[Any] = []
        Statement(self, "loop", (counter, self.index(start), self.index(stop)), (step, interleave), (block,))
        with self._inside(block):
            yield counter

    @contextmanager
    def nest(self, lengths: Sequence[int | Index]) -> Iterator[list[Any]]:
        """Counters of loops inside each other."""
        if not lengths:
            yield []
            return
        with self.loop(lengths[0]) as i, self.nest(lengths[1:]) as inner:
            yield [i, *inner]

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """What is done only if the condition, one bool, holds."""
        if condition.width != 1:
            raise TypeError(f"a condition of width {condition.width}: there is one branch for all")
        statement = Statement(self, "when", (condition.cast(BOOL),), None, ([], []))
        with self._inside(statement.blocks[0]):
            yield

    @contextmanager
    def otherwise(self) -> Iterator[None]:
        """What is done if the condition of the `when` just before does not hold."""
        last = self.block[-1] if self.block else None
        if not isinstance(last, Statement) or last.op != "when" or last.blocks[1]:
            raise SyntaxError("otherwise() stands right after the block of when()")
        with self._inside(last.blocks[1]):
            yield

    @contextmanager
    def repeat(self) -> Iterator[None]:
        """Again and again, until a `leave` directly inside ends it."""
        statement = Statement(self, "repeat", (), None, ([],))
        with self._inside(statement.blocks[0]):
            yield
        if not any(isinstance(s, Statement) and s.op == "leave" for s in statement.blocks[0]):
            raise SyntaxError("repeat() without a leave()")

    def leave(self, condition: Value) -> None:
        """End the `repeat` in whose block this stands, if the condition holds."""
        Statement(self, "leave", (condition.cast(BOOL),))

    @contextmanager
    def entry(self) -> Iterator[None]:
        """What is computed at the beginning of the kernel, before its loops: of arguments and constants only."""
        with self._inside(self.head):
            yield

    def zero(self, p: Pointer, nbytes: int | Index) -> None:
        """Fill memory with zeros."""
        Statement(self, "zero", (p, self.index(nbytes)))

    def copy(self, to: Pointer, source: Pointer, nbytes: int | Index) -> None:
        """Copy memory that does not overlap."""
        Statement(self, "copy", (to, source, self.index(nbytes)))

    def call(self, kernel: Kernel, *args: Any) -> Any:
        """Call another kernel; its result, if it has one."""
        wanted = kernel.arguments
        if len(args) != len(wanted):
            raise TypeError(f"{kernel.name} takes {len(wanted)} arguments; received {len(args)}")
        listed = []
        for n, (x, w) in enumerate(zip(args, wanted, strict=True)):
            if not isinstance(w, Pointer) and not isinstance(x, (Value, Pointer)):
                x = self.const(x, w.dtype, w.width)
            if isinstance(w, Pointer) != isinstance(x, Pointer) or (
                not isinstance(w, Pointer) and (x.dtype, x.width) != (w.dtype, w.width)
            ):
                raise TypeError(f"argument {n} of {kernel.name}: expected {_about(w)}; received {_about(x)}")
            listed.append(x)
        if kernel.result is None:
            Statement(self, "call", tuple(listed), kernel)
            return None
        result = kernel.result
        return Value(self, "call", result.dtype, result.width, tuple(listed), kernel)

    def call_address(self, function: Pointer, *args: Node) -> None:
        """Call the C function at an address, which returns nothing."""
        Statement(self, "call_address", (function, *args))

    def pause(self) -> None:
        """Tell the processor that this loop waits for another thread."""
        Statement(self, "pause")

    def returns(self, x: Value) -> None:
        """The result of the function, written last and outside of all blocks."""
        if self.block is not self.body or self.result is not None:
            raise SyntaxError("returns() stands once, at the end of the kernel")
        self.result = x

    def note(self, text: str) -> None:
        """A line of its own in listings."""
        Statement(self, "note", (), text)


def _about(x: Any) -> str:
    if isinstance(x, Pointer):
        return "a pointer"
    return f"{x.dtype} of width {x.width}" if isinstance(x, Value) else repr(x)


class Function:
    """A pure function of values; see `function`."""

    def __init__(self, body: Callable[..., Any], promote: bool):
        self.body, self.promote = body, promote
        self._kernels: dict[Any, Kernel] = {}
        update_wrapper(self, body)
        self.name: str = body.__name__

    def __call__(self, *args: Any) -> Any:
        """The value of the function: of values and Python numbers, which take the type of the first value."""
        first = next((a for a in args if isinstance(a, Value)), None)
        if first is None:
            raise TypeError(f"{self.name} is a function of values of a kernel")
        values = [a if isinstance(a, Value) else first.kernel.const(a, self._dtype(a, first)) for a in args]
        if self.promote and len(values) > 1:
            dtype = np.result_type(*(v.dtype for v in values))
            values = [v.cast(dtype) for v in values]
        width = max(v.width for v in values)
        values = [v.splat(width) for v in values]
        kernel = self.kernel([v.dtype for v in values], width, first.kernel.flags)
        return first.kernel.call(kernel, *values)

    def _dtype(self, x: Any, first: Value) -> np.dtype:
        if isinstance(x, (bool, np.generic)):
            return np.result_type(x)
        return first.dtype if first.dtype.kind == "f" or not isinstance(x, float) else np.dtype(np.float64)

    def kernel(self, dtypes: Sequence[np.dtype], width: int = 1, flags: str = CONTRACT) -> Kernel:
        """The function for arguments of these dtypes, as a kernel that is inlined."""
        key = (*dtypes, width, flags)
        found = self._kernels.get(key)
        if found is None:
            short = ".".join(np.dtype(d).str[1:] for d in dtypes)
            name = f"{self.name}.{short}{f'.x{width}' if width > 1 else ''}{'' if flags == CONTRACT else '.exact'}"
            found = Kernel(name, flags)
            found.inline = True
            names = self.body.__code__.co_varnames
            arguments = [found.argument(d, n, width) for d, n in zip(dtypes, names, strict=False)]
            result = self.body(*arguments)
            if not isinstance(result, Value):
                result = found.const(result, arguments[0].dtype, width)
            found.returns(result.splat(width))
            self._kernels[key] = found
        return found


@overload
def function(body: Callable[..., Any]) -> Function: ...


@overload
def function(*, promote: bool) -> Callable[[Callable[..., Any]], Function]: ...


def function(body: Callable[..., Any] | None = None, *, promote: bool = True) -> Any:
    """Decorates a Python function of values into one of the language, built for the dtypes that it is called with.

    With `promote`, all arguments are first cast to the dtype that NumPy would compute them in.
    """
    if body is None:
        return lambda b: Function(b, promote)
    return Function(body, promote)
