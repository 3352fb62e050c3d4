"""A graph as steps in an order, values in memory that is laid out ahead, and a Python function that runs it all.

`Code` is the part that both kinds of code share, and already a whole kind: every node is one line of NumPy that writes
into an array which is there. `native_lines.NativeCode` makes most steps native.

What is run holds nothing that a graph says: its names are numbers, its values stand in a dict. Names of tensors, layers
and ops are in the listing only, which is made of the same lines for people, and never run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from graphnet.escape import line
from graphnet.graph import Graph
from graphnet.node import Parameter, Tensor, made_by, native
from graphnet.ops.planned import GEMM
from graphnet.plans import blas
from graphnet.plans.code import numpy_lines
from graphnet.plans.kernels.pointwise import inlined
from graphnet.plans.kernels.products import Product, product
from graphnet.plans.order.arena import LINE, Arena, Life, arranged
from graphnet.plans.order.fusion import Fuser, Group, Single, Step
from graphnet.plans.order.schedule import may_overwrite, members, ordered, overwritten, readers
from graphnet.plans.order.views import Places
from graphnet.plans.rewrite.gemm import dotted, gemm_call, riding

#: elements of a parameter from which on an update inside a product pays for the way from Python to BLAS, some 10 us
RIDING_PAYS = 1 << 15
#: characters of a value in a listing
LONGEST = 80


class _Lines:
    """The text of a generated module, for those who show its lines."""

    def __init__(self, text: str):
        self.text = text

    def get_source(self, name: str) -> str:
        return self.text


class Line(str):
    """A line of code. `note` is what the listing says behind it."""

    note = ""


def is_open(t: Tensor) -> bool:
    """Whether code of a user is called where `t` is computed, which may call or change anything."""
    if t.op is None:
        return False
    if not t.op.builtin or "call" in t.attrs:
        return True
    graphs = [getattr(value, "graph", None) for value in t.attrs.values()]
    return any(is_open(inner) for graph in graphs if graph is not None for inner in graph.nodes)


def _guarded(body: Callable[..., Any], t: Tensor, updated: list[Parameter]) -> Callable[..., Any]:
    """The body of a user's op, which must not assign what the step assigns after it: one of both would be lost."""

    def guarded(*args: Any, **attrs: Any) -> Any:
        # Held here, an array is not written to by others, but replaced.
        before = [p._value for p in updated]
        result = body(*args, **attrs)
        for p, value in zip(updated, before, strict=True):
            if p._value is not value:
                name = f"parameter {p.name!r}" if p.name else "a parameter"
                raise RuntimeError(
                    f"{name} was assigned by what the op {t.op.name if t.op else ''} calls, while a step runs that "
                    "assigns it as well: an op computes its result from its inputs, and changes nothing"
                )
        return result

    return guarded


class Code:
    """`load()` gives the function: `function(*arguments, *parameters)` answers with the list of output arrays.

    * `steps`: what runs, in order; `arena`: where buffers lie; `source`: what runs, as a listing with the names of the
      graph; `body`: the lines that are run;
    * `parameters`: those that the function takes after the graph's inputs;
    * `quiet`: whether it may divide by zero without NumPy's warnings being turned off around it.

    With `apart` every step is a function call of its own, so that it can be timed.
    """

    kind = "numpy"

    def __init__(self, graph: Graph, apart: bool = False):
        self.graph = graph = self.lowered(graph)
        self.apart = apart
        self.products: dict[Tensor, Product] = {}
        self.given = set(graph.inputs)
        self.names = {t: f"v_{name}" for t, name in graph.names.items()}
        self.ids: dict[Tensor, str] = {}
        order = ordered(graph)
        self.places = Places(order, self.given)
        fuser = Fuser(self.places, self.fuses, self.is_product)
        self.steps: list[Step] = fuser.run(order)
        self.place_of = fuser.place_of
        computed = dict.fromkeys([*graph.nodes, *(p for p, _ in graph.updates)])
        self.parameters = [t for t in computed if isinstance(t, Parameter) and t not in self.given]
        for p in self.parameters:
            self.names.setdefault(p, f"v_updated{len(self.names)}")
        self.scope: dict[str, Any] = {}
        self.listed: dict[str, str] = {}  # names in the code, as the listing shows them
        self._name_of: dict[int, str] = {}
        self.lines: list[str] = []
        self._seen: dict[Tensor, str] = {}
        self.lines_of: list[tuple[int, int]] = []  # (step, the line that runs it)
        self._store()
        self.prepare()
        self.arena: Arena = arranged(list(self.lives.values()))
        self.block = np.empty(self.arena.total + LINE, np.uint8)
        self.start = -self.block.__array_interface__["data"][0] % LINE
        self._write()

    # What a kind of code decides.

    def lowered(self, graph: Graph) -> Graph:
        """The graph in the ops that this kind of code runs."""
        return dotted(riding(graph, RIDING_PAYS) if blas.found() is not None else graph)

    def fuses(self, t: Tensor) -> bool:
        """Whether a kernel computes `t`."""
        return False

    def is_product(self, t: Tensor) -> bool:
        """Whether `t` is a matrix product that BLAS is called for."""
        found = product(t, self.places) if made_by(t, GEMM) else None
        if found is not None:
            self.products[t] = found
        return found is not None

    def prepare(self) -> None:
        """What has to be known before memory is laid out."""

    def write_step(self, place: int, step: Step) -> None:
        """Write the lines of one step."""
        assert isinstance(step, Single)
        if step.product:
            self._gemm_line(place, step.node)
        else:
            self.python_line(place, step.node)

    def _gemm_line(self, place: int, t: Tensor) -> None:
        """An update inside a matrix product."""
        p = self.products[t]
        names = [self.array(i) for i in (t.inputs[0], p.a.place.base, p.b.place.base)]
        scales = [self.name(inlined(i)) if inlined(i) is not None else f"{self.array(i)}.item()" for i in t.inputs[3:]]
        out = self.array(t)
        self.mark(place)
        if out != names[0]:
            self.say(f"{self.name(np.copyto)}({out}, {names[0]})")
        self.scope[f"k_gemm{place}"] = gemm_call(p)
        self.say(f"k_gemm{place}({', '.join([out, *names[1:], *scales])})", numpy_lines.comment(t))

    def write_copies(self, copies: list[tuple[Parameter, Tensor]]) -> None:
        """Copy new values from their own memory to the parameters."""
        for p, t in copies:
            self._write_value(p, self.array(t))

    def _write_value(self, p: Parameter, value: str) -> None:
        self.say(f"{self.name(np.copyto)}({self.id(p)}, {value}, 'unsafe')", "  # the new value")

    def flush(self) -> None:
        """End what is being written together."""

    def setup(self) -> list[str]:
        """Lines that run first."""
        return []

    def listing(self) -> str:
        """Text that follows the function in `source`."""
        return ""

    def functions(self) -> dict[str, Any]:
        """What the lines call by name, once it is compiled."""
        return {}

    def text_of(self, place: int) -> str:
        """The lines of one step."""
        return "\n".join(self.shown(self.body[at]) for step, at in self.lines_of if step == place)

    # Memory.

    def _store(self) -> None:
        """Which values are in memory, and where: in the parameter they update, in an output, or in a buffer."""
        graph, places = self.graph, self.places
        read = readers(self.steps, places)
        end = len(self.steps)
        kept = {places[t].base for t in (*graph.outputs, *(t for _, t in graph.updates))}
        self.targets = overwritten(graph, self.steps, places, self.place_of)
        outputs = set(graph.outputs)
        self.keys: dict[Tensor, Hashable] = {}
        self.fresh: list[Tensor] = []  # outputs that are new arrays at each call
        self.stored: set[Tensor] = set()
        self.lives: dict[Hashable, Life] = {}
        for place, step in enumerate(self.steps):
            for t in members(step):
                last = end if t in kept else max(read.get(t, ()), default=-1)
                if isinstance(step, Single):
                    last = max(last, place)
                elif last <= place:
                    continue
                self.stored.add(t)
                if t in self.targets:
                    self.keys[t] = self.targets[t]
                elif t in outputs:
                    self.keys[t] = ("output", t)
                    self.fresh.append(t)
                else:
                    self._place_buffer(t, place, last, step)

    def _place_buffer(self, t: Tensor, place: int, last: int, step: Step) -> None:
        """A buffer for `t`: that of an input which is not needed any more, or a new one."""
        for n in members(step):
            for i in n.inputs:
                source = self.places[i].base
                key = self.keys.get(source)
                life = self.lives.get(key) if key is not None else None
                if life is None or life.last != place or life.nbytes != t.nbytes:
                    continue
                if may_overwrite(step, self.places, t, source):
                    self.keys[t] = key
                    assert key is not None
                    self.lives[key] = life._replace(last=last)
                    return
        key = ("buffer", t)
        self.keys[t] = key
        self.lives[key] = Life(key, t.nbytes, place, last, self.names[t])

    def key(self, t: Tensor) -> Hashable:
        """The memory of a node that is no look at another: a buffer, an output, or the array of a leaf."""
        return self.keys.get(t, t)

    def array(self, t: Tensor) -> str:
        """The name of the array of a node, for a line of Python."""
        if t in self._seen:
            return self._seen[t]
        place = self.places[t]
        key, name = self.key(place.base), self.id(t)
        if key in self.arena.offset:
            start = self.start + self.arena.offset[key]
            whole = self.block[start : start + place.base.nbytes].view(native(place.base.dtype))
            strides = [s * t.dtype.itemsize for s in place.strides]
            self.scope[name] = np.lib.stride_tricks.as_strided(whole[place.offset :], t.shape, strides)
        elif self.places.is_view(t):
            self._look(t)
        elif isinstance(key, Parameter):
            name = self.id(key)
        elif t.op is None and t not in self.given:
            self.scope[name] = t._value
        self._seen[t] = name
        return name

    def _look(self, t: Tensor) -> None:
        """A line that looks at an array which is known at the call only."""
        assert t.op is not None
        source, form = self.array(t.inputs[0]), t.op.view
        assert form is not None
        needed = {**t.attrs, "shape": t.shape, "broadcast_to": np.broadcast_to}
        code = form.format(x=source, **{word: self.name(v) for word, v in needed.items() if f"{{{word}}}" in form})
        self.say(f"{self.id(t)} = {code}", numpy_lines.comment(t))

    # Text.

    def id(self, t: Tensor) -> str:
        """The name of a node in the code."""
        if t not in self.ids:
            self.ids[t] = f"v{len(self.ids)}"
            self.listed[self.ids[t]] = self.names[t]
        return self.ids[t]

    def name(self, value: Any, shown: str | None = None) -> str:
        """The name in the code for something that it uses; the listing shows `shown`, or what it is."""
        if id(value) not in self._name_of:
            name = f"k{len(self._name_of)}"
            self._name_of[id(value)], self.scope[name] = name, value
            if shown is None:
                # A partial or a callable object has no name of its own.
                own = getattr(value, "__name__", None) or type(value).__name__
                shown = f"k_{own.strip('_').removesuffix('_into')}" if callable(value) else repr(value)
            self.listed[name] = line(" ".join(shown.split()), LONGEST)
        return self._name_of[id(value)]

    def say(self, code: str, note: str = "") -> None:
        """Add a line, with a note for the listing."""
        written = Line(code)
        written.note = note
        self.lines.append(written)

    def shown(self, code: str) -> str:
        """A line as the listing has it."""
        named = re.sub(r"\b[vk]\d+\b", lambda found: self.listed.get(found[0], found[0]), code)
        return named + getattr(code, "note", "")

    def _listing_of(self, body: list[str]) -> str:
        arguments = ", ".join([self.names[t] for t in (*self.graph.inputs, *self.parameters)])
        return "\n".join([f"def step({arguments}):", *(f"    {self.shown(code)}" for code in body)]) + "\n"

    def python_line(self, place: int, t: Tensor) -> None:
        """A node as its line of NumPy, or as a call of its op's own body."""
        assert t.op is not None
        inputs = [self.array(i) for i in t.inputs]
        out = self.array(t)
        code = numpy_lines.statement(t, inputs, out, self.name)
        if code is None:
            body = t.op.into or t.op.forward
            if self.graph.updates and is_open(t):
                body = _guarded(body, t, [p for p, _ in self.graph.updates])
            self.scope[f"k_op{place}"], self.scope[f"k_attrs{place}"] = body, t.attrs
            extra = f", **k_attrs{place}" if t.attrs else ""
            if t.op.into is not None:
                code = f"k_op{place}({', '.join([out, *inputs])}{extra})"
            else:
                code = f"{self.name(np.copyto)}({out}, k_op{place}({', '.join(inputs)}{extra}), 'unsafe')"
        self.mark(place)
        self.say(code, numpy_lines.comment(t))

    def mark(self, place: int) -> None:
        """The next line begins the work of a step."""
        self.lines_of.append((place, len(self.lines)))

    def _write(self) -> None:
        graph = self.graph
        # Values that are, or look at, arrays which updates write to: copied while they are still the old ones.
        saved: dict[Tensor, str] = {}
        if graph.updates:
            for t in dict.fromkeys([*graph.outputs, *(t for _, t in graph.updates)]):
                base = self.places[t].base
                if base in self.given or isinstance(base, Parameter):
                    saved[t] = f"k_saved{len(saved)}"
                    array = self.array(t)
                    self.say(f"{saved[t]} = {array}.copy()", "  # as it was")
        for place, step in enumerate(self.steps):
            self.write_step(place, step)
            if self.apart:
                self.flush()
        copies: list[tuple[Parameter, Tensor]] = []
        late: list[tuple[Parameter, Tensor]] = []
        for p, t in graph.updates:
            if self.targets.get(t) is p or t is p:
                continue
            plain = t not in saved and t in self.keys and t.dtype == p.dtype
            (copies if plain else late).append((p, t))
        self.write_copies(copies)
        self.flush()
        for p, t in late:
            self._write_value(p, saved.get(t) or self.array(t))
        results, fresh = [], set(self.fresh)
        for t in graph.outputs:
            if t in saved:
                results.append(saved[t])
            else:
                results.append(self.id(t) if t in fresh else f"{self.array(t)}.copy()")
        made = []
        for n, t in enumerate(self.fresh):
            self.scope[f"k_dtype{n}"] = t.dtype
            made.append(f"{self.id(t)} = {self.name(np.empty)}({self.name(t.shape)}, k_dtype{n})")
        before = [*made, *self.setup()]
        self.lines_of = [(place, at + len(before)) for place, at in self.lines_of]
        self.body = [*before, *self.lines, f"return [{', '.join(results)}]"]
        self.source = self._listing_of(self.body) + self.listing()

    def load(self) -> Callable[..., list[np.ndarray]]:
        """Compile, and give the function."""
        scope = {**self.scope, **self.functions()}
        arguments = [self.id(t) for t in (*self.graph.inputs, *self.parameters)]
        # Names as defaults are found faster than globals.
        used = set(re.findall(r"\w+", "\n".join(self.body))) - set(arguments)
        bound = [f"{n}={n}" for n in scope if n in used]
        head = f"def step({', '.join([*arguments, *bound])}):"
        whole = "\n".join([head, *(f"    {code}" for code in self.body)]) + "\n"
        filename = self.filename
        # The function holds all that it uses: buffers, constants, the native module. It is in no cycle. Tracebacks and
        # debuggers ask the loader for the lines, and get those of the listing.
        namespace = {**scope, "k_code": self, "__name__": filename, "__loader__": _Lines(self._listing_of(self.body))}
        exec(compile(whole, filename, "exec"), namespace)
        return namespace.pop("step")

    @property
    def filename(self) -> str:
        """The name of its file in tracebacks."""
        return f"graphnet {self.kind} plan {id(self):x}"

    def node_at(self, number: int) -> Tensor | None:
        """The node that a line of the function, counted from 1, computes."""
        place = max(((at, place) for place, at in self.lines_of if at <= number - 2), default=None)
        if place is None or place[1] >= len(self.steps):
            return None
        return members(self.steps[place[1]])[-1]

    @property
    def quiet(self) -> bool:
        return all(isinstance(step, Group) or step.product or step.kernel for step in self.steps)
