"""Lines of a function in LLVM IR: loops, addresses, loads, stores and variables; and the same as text for people.

Whoever writes a function through this says what happens at each point, not how the points are gone through.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphnet.escape import line
from graphnet.node import Tensor
from graphnet.plans.ir_values import Value, memory_type
from graphnet.plans.kernels.refs import Axis, Key, Ref
from graphnet.plans.scalar_ir import Emitter, Library

#: vectors of a long polynomial that are computed side by side: one alone waits for its own results
SIDE_BY_SIDE = 4
#: turns of a loop from which on that pays
LONG_LOOP = 256
#: the hint for such a loop, which `metadata` explains
INTERLEAVED = ", !llvm.loop !0"


def metadata() -> str:
    """What the kernels of a module refer to: the hint for loops whose vectors are to be computed side by side."""
    return f'!0 = distinct !{{!0, !1}}\n!1 = !{{!"llvm.loop.interleave.count", i32 {SIDE_BY_SIDE}}}'


class LoopWriter:
    """Writes a function whose arguments are pointers: the memory of each of `keys`, in the order of their first use.

    * `axes`: the loops; `shared`: the axis whose loop goes from %lo to %hi only, the first one if any;
    * `index`: the position in each loop that the function is in at this point;
    * `heavy`: whether long inner loops are computed as several vectors side by side. LLVM by itself does that only
      where it costs no registers, and a chain of two exp, tanh and sqrt takes twice as long then;
    * `lines`: the text for people, where `comment` says where a node comes from.
    """

    def __init__(self, library: Library, comment: Callable[[Tensor], str]):
        self.library, self.comment = library, comment
        self.emitter = Emitter(library)
        self.keys: dict[Key, int] = {}
        self.axes: list[Axis] = []
        self.shared: int | None = None
        self.heavy = False
        self.index: dict[int, str] = {}
        self.lines: list[str] = []
        self.indent = 1
        self._allocas: list[str] = []
        self._stack: dict[Key, str] = {}
        self._labels = 0

    def _pointer(self, key: Key) -> str:
        if key in self._stack:
            return self._stack[key]
        return f"%p{self.keys.setdefault(key, len(self.keys))}"

    def _line(self, text: str) -> None:
        self.emitter.lines.append(text)

    def _note(self, text: str, node: Tensor | None = None) -> None:
        comment = self.comment(node) if node is not None else ""
        self.lines.append("    " * self.indent + line(text) + comment)

    def _label(self) -> str:
        self._labels += 1
        return f"L{self._labels}"

    def _address(self, ref: Ref, index: dict[int, str]) -> str:
        pointer, offset = self._pointer(ref.key), str(ref.offset)
        for a, i in index.items():
            step = ref.strides[a]
            if step == 0:
                continue
            if step != 1:
                scaled = self.emitter.fresh("i")
                self._line(f"{scaled} = mul nsw i64 {i}, {step}")
                i = scaled
            if offset == "0":
                offset = i
            else:
                total = self.emitter.fresh("i")
                self._line(f"{total} = add nsw i64 {i}, {offset}")
                offset = total
        if offset == "0":
            return pointer
        address = self.emitter.fresh("a")
        self._line(f"{address} = getelementptr inbounds {memory_type(ref.dtype)}, ptr {pointer}, i64 {offset}")
        return address

    def _load(self, ref: Ref, index: dict[int, str]) -> Value:
        return self._load_at(self._address(ref, index), ref.dtype)

    def _load_at(self, address: str, dtype: np.dtype) -> Value:
        found = self.emitter.fresh()
        self._line(f"{found} = load {memory_type(dtype)}, ptr {address}")
        if dtype == np.bool_:
            truth = self.emitter.fresh()
            self._line(f"{truth} = icmp ne i8 {found}, 0")
            found = truth
        return Value(found, dtype)

    def _store(self, value: Value, ref: Ref, index: dict[int, str]) -> None:
        self._store_at(value, self._address(ref, index))

    def _store_at(self, value: Value, address: str) -> None:
        text = value.text
        if value.dtype == np.bool_:
            text = self.emitter.fresh()
            self._line(f"{text} = zext i1 {value.text} to i8")
        self._line(f"store {memory_type(value.dtype)} {text}, ptr {address}")

    def _slot(self, dtype: np.dtype) -> str:
        """A variable of the function."""
        slot = self.emitter.fresh("s")
        self._allocas.append(f"{slot} = alloca {memory_type(dtype)}")
        return slot

    def _row_on_stack(self, size: int, dtype: np.dtype) -> Key:
        """The key of an array that is a variable of the function."""
        key = ("stack", len(self._stack))
        self._stack[key] = f"%row{len(self._stack)}"
        self._allocas.append(f"{self._stack[key]} = alloca [{size} x {memory_type(dtype)}], align 64")
        return key

    def _looped(self, length: str, body: Callable[[str], None], start: str = "0", hint: str = "") -> None:
        """A loop of at least one turn; `body` is called with its index, `hint` is about the loop, for LLVM."""
        before, head, tail, after = (self._label() for _ in range(4))
        i, following, done = (self.emitter.fresh("i") for _ in range(3))
        self._line(f"br label %{before}")
        self.emitter.lines += [f"{before}:", f"br label %{head}", f"{head}:"]
        self._line(f"{i} = phi i64 [{start}, %{before}], [{following}, %{tail}]")
        body(i)
        self._line(f"br label %{tail}")
        self._line(f"{tail}:")
        self._line(f"{following} = add nuw nsw i64 {i}, 1")
        self._line(f"{done} = icmp eq i64 {following}, {length}")
        self._line(f"br i1 {done}, label %{after}, label %{head}{hint}")
        self._line(f"{after}:")

    def _nest(self, inner: bool, index: dict[int, str], body: Callable[[], None]) -> None:
        """The loops over all outer, or all inner axes."""
        axes = [(axis.last, axis.length) for axis in self.axes if axis.inner is inner]

        def deeper(depth: int) -> None:
            if depth == len(axes):
                body()
                return
            a, n = axes[depth]
            self._note(f"for i{a} in range({n}):")
            self.indent += 1

            def turn(i: str) -> None:
                index[a] = i
                deeper(depth + 1)
                del index[a]

            shared = self.shared is not None and depth == 0 and a == self.shared
            innermost = inner and depth == len(axes) - 1
            hint = INTERLEAVED if innermost and self.heavy and n >= LONG_LOOP else ""
            self._looped("%hi" if shared else str(n), turn, "%lo" if shared else "0", hint)
            self.indent -= 1

        deeper(0)

    def _function(self, arguments: list[str]) -> str:
        head = f"define NAME({', '.join(arguments)}) noinline nounwind {{"
        return "\n".join([head, "entry:", *self._allocas, *self.emitter.lines, "ret void", "}"])
