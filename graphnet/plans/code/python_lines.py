"""The lines of a plan: each step as lines of Python over arrays in one block of memory.

`PythonLines` writes every step as NumPy; `native_lines.NativeLines` writes most steps as native code. What both share
is in `lines_of`: values that are copied before they are overwritten, updates, outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graphnet.arrays import native
from graphnet.leaves import Parameter
from graphnet.node import Tensor
from graphnet.plans.code import numpy_lines
from graphnet.plans.code.text import Lines, Text
from graphnet.plans.code.user_code import guarded, is_open
from graphnet.plans.order.arena import LINE, Arena
from graphnet.plans.order.fusion import Single, Step
from graphnet.plans.order.inlining import inlined
from graphnet.plans.order.memory import Memory
from graphnet.plans.order.steps import Order
from graphnet.plans.order.views import words_of
from graphnet.plans.rewrite.gemm import gemm_call

Copies = Sequence[tuple[Parameter, Tensor]]


class Block(NamedTuple):
    """The memory of an arena: its first buffer begins at byte `start` of `data`, at a multiple of `LINE`."""

    data: np.ndarray
    start: int
    arena: Arena

    @property
    def address(self) -> int:
        """Of the first buffer."""
        return self.data.__array_interface__["data"][0] + self.start


def allocated(arena: Arena) -> Block:
    """Memory for an arena."""
    data = np.empty(arena.total + LINE, np.uint8)
    return Block(data, -data.__array_interface__["data"][0] % LINE, arena)


class PythonLines:
    """Writes steps as lines of NumPy."""

    def __init__(self, order: Order, memory: Memory, block: Block):
        self.order, self.memory, self.block = order, memory, block
        self.text = Text(order.names)
        # Kept as long as the lines: native code knows the block by its address only.
        self.text.scope["k_block"] = block.data
        self._seen: dict[Tensor, str] = {}

    def write_step(self, place: int, step: Step) -> None:
        """Write the lines of one step."""
        assert isinstance(step, Single)
        if step.product:
            self._gemm_line(place, step.node)
        else:
            self.python_line(place, step.node)

    def write_copies(self, copies: Copies) -> None:
        """Copy new values from their own memory to the parameters."""
        for p, t in copies:
            self.write_value(p, self.array(t))

    def flush(self) -> None:
        """End what is being written together."""

    def setup(self) -> list[str]:
        """Lines that run first."""
        return []

    def write_value(self, p: Parameter, value: str) -> None:
        """Copy a new value, whatever its dtype, to a parameter."""
        text = self.text
        text.say(f"{text.name(np.copyto)}({text.id(p)}, {value}, 'unsafe')", "  # the new value")

    def array(self, t: Tensor) -> str:
        """The name of the array of a node."""
        if t in self._seen:
            return self._seen[t]
        views, block, text = self.order.views, self.block, self.text
        view = views[t]
        key, name = self.memory.key(view.base), text.id(t)
        if key in block.arena.offset:
            start = block.start + block.arena.offset[key]
            whole = block.data[start : start + view.base.nbytes].view(native(view.base.dtype))
            strides = [s * t.dtype.itemsize for s in view.strides]
            text.scope[name] = np.lib.stride_tricks.as_strided(whole[view.offset :], t.shape, strides)
        elif views.is_view(t):
            self._view(t)
        elif isinstance(key, Parameter):
            name = text.id(key)
        elif t.op is None and t not in self.order.given:
            text.scope[name] = t._value
        self._seen[t] = name
        return name

    def _view(self, t: Tensor) -> None:
        """A line that makes a view of an array which is known at the call only."""
        assert t.op is not None
        text, source, form = self.text, self.array(t.inputs[0]), t.op.view
        assert form is not None
        needed = words_of(t).items()
        code = form.format(x=source, **{word: text.name(v) for word, v in needed if f"{{{word}}}" in form})
        text.say(f"{text.id(t)} = {code}", numpy_lines.comment(t))

    def _gemm_line(self, place: int, t: Tensor) -> None:
        """An update inside a matrix product."""
        text, p = self.text, self.order.products[t]
        names = [self.array(i) for i in (t.inputs[0], p.a.view.base, p.b.view.base)]
        scales = [text.name(inlined(i)) if inlined(i) is not None else f"{self.array(i)}.item()" for i in t.inputs[3:]]
        out = self.array(t)
        text.mark(place)
        if out != names[0]:
            text.say(f"{text.name(np.copyto)}({out}, {names[0]})")
        text.scope[f"k_gemm{place}"] = gemm_call(p)
        text.say(f"k_gemm{place}({', '.join([out, *names[1:], *scales])})", numpy_lines.comment(t))

    def python_line(self, place: int, t: Tensor) -> None:
        """A node as its line of NumPy, or as a call of its op's own body."""
        assert t.op is not None
        text, updates = self.text, self.order.graph.updates
        inputs = [self.array(i) for i in t.inputs]
        out = self.array(t)
        code = numpy_lines.statement(t, inputs, out, text.name)
        if code is None:
            body = t.op.into or t.op.forward
            if updates and is_open(t):
                body = guarded(body, t, [p for p, _ in updates])
            text.scope[f"k_op{place}"], text.scope[f"k_attrs{place}"] = body, t.attrs
            extra = f", **k_attrs{place}" if t.attrs else ""
            if t.op.into is not None:
                code = f"k_op{place}({', '.join([out, *inputs])}{extra})"
            else:
                code = f"{text.name(np.copyto)}({out}, k_op{place}({', '.join(inputs)}{extra}), 'unsafe')"
        text.mark(place)
        text.say(code, numpy_lines.comment(t))


def lines_of(writer: PythonLines, apart: bool = False) -> Lines:
    """The lines of all steps, as `writer` writes them; with `apart` each step is a call of its own."""
    order, memory, text = writer.order, writer.memory, writer.text
    graph = order.graph
    saved = _saved(writer)
    for place, step in enumerate(order.steps):
        writer.write_step(place, step)
        if apart:
            writer.flush()
    copies: list[tuple[Parameter, Tensor]] = []
    late: list[tuple[Parameter, Tensor]] = []
    for p, t in graph.updates:
        if memory.targets.get(t) is p or t is p:
            continue
        plain = t not in saved and t.dtype == p.dtype and order.views.contiguous(t)
        (copies if plain else late).append((p, t))
    writer.write_copies(copies)
    writer.flush()
    for p, t in late:
        writer.write_value(p, saved.get(t) or writer.array(t))
    results, fresh = [], set(memory.fresh)
    for t in graph.outputs:
        if t in saved:
            results.append(saved[t])
        else:
            results.append(text.id(t) if t in fresh else f"{writer.array(t)}.copy()")
    before = []
    for n, t in enumerate(memory.fresh):
        text.scope[f"k_dtype{n}"] = t.dtype
        before.append(f"{text.id(t)} = {text.name(np.empty)}({text.name(t.shape)}, k_dtype{n})")
    before += writer.setup()
    return text.finished([*graph.inputs, *order.parameters], before, results)


def _saved(writer: PythonLines) -> dict[Tensor, str]:
    """Values that are, or are views of, arrays which updates write to: copied while they are still the old ones.

    An argument is never such an array (`Plan.run`).
    """
    order, text = writer.order, writer.text
    saved: dict[Tensor, str] = {}
    updated = {p for p, _ in order.graph.updates}
    for t in dict.fromkeys([*order.graph.outputs, *(t for _, t in order.graph.updates)]):
        if order.views[t].base in updated:
            saved[t] = f"k_saved{len(saved)}"
            array = writer.array(t)
            text.say(f"{saved[t]} = {array}.copy()", "  # as it was")
    return saved
