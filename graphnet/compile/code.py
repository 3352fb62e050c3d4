"""A graph as steps in an order, values in memory that is laid out ahead, and a Python function that runs it all.

`Code` is the part that both kinds of code share, and already a whole kind: every node is one line of NumPy that writes
into an array which is there. `native_code.NativeCode` makes most steps native.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from graphnet.compile import blas, numpy_code
from graphnet.compile.arena import LINE, Arena, Life, arranged
from graphnet.compile.fuse import Fuser, Group, Single, Step
from graphnet.compile.places import Places
from graphnet.compile.pointwise import inlined
from graphnet.compile.products import Product, product
from graphnet.compile.riding import dotted, gemm_call, riding
from graphnet.compile.schedule import may_overwrite, members, ordered, overwritten, readers
from graphnet.graph import Graph
from graphnet.tensor import Parameter, Tensor

#: elements of a parameter from which on an update inside a product pays for the way from Python to BLAS, some 10 us
RIDING_PAYS = 1 << 15


class _Lines:
    """The text of a generated module, for those who show its lines."""

    def __init__(self, text: str):
        self.text = text

    def get_source(self, name: str) -> str:
        return self.text


class Code:
    """`load()` gives the function: `function(*arguments, *parameters)` answers with the list of output arrays.

    * `steps`: what runs, in order; `arena`: where buffers lie; `source`: what runs, as text;
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
        found = product(t, self.places) if t.op is not None and t.op.name == "gemm" else None
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
        scales = [repr(inlined(i)) if inlined(i) is not None else f"{self.array(i)}.item()" for i in t.inputs[3:]]
        out = self.array(t)
        self.mark(place)
        if out != names[0]:
            self.lines.append(f"k_copyto({out}, {names[0]})")
        self.scope[f"k_gemm{place}"] = gemm_call(p)
        self.lines.append(f"k_gemm{place}({', '.join([out, *names[1:], *scales])}){numpy_code.comment(t)}")

    def write_copies(self, copies: list[tuple[Parameter, Tensor]]) -> None:
        """Copy new values from their own memory to the parameters."""
        for p, t in copies:
            self.lines.append(f"k_copyto({self.names[p]}, {self.array(t)}, 'unsafe')  # the new value")

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
        return "\n".join(self.body[line] for step, line in self.lines_of if step == place)

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
        key, name = self.key(place.base), self.names[t]
        if key in self.arena.offset:
            start = self.start + self.arena.offset[key]
            whole = self.block[start : start + place.base.nbytes].view(place.base.dtype)
            strides = [s * t.dtype.itemsize for s in place.strides]
            self.scope[name] = np.lib.stride_tricks.as_strided(whole[place.offset :], t.shape, strides)
        elif self.places.is_view(t):
            self._look(t)
        elif isinstance(key, Parameter):
            name = self.names[key]
        elif t.op is None and t not in self.given:
            self.scope[name] = t._value
        self._seen[t] = name
        return name

    def _look(self, t: Tensor) -> None:
        """A line that looks at an array which is known at the call only."""
        assert t.op is not None
        source, name = self.array(t.inputs[0]), self.names[t]
        if t.op.name == "getitem":
            index = f"k_index{len(self.scope)}"
            self.scope[index] = t.attrs["index"]
            code = f"{source}[{index}]"
        else:
            code = numpy_code.VIEW_CODE[t.op.name].format(x=source, shape=t.shape, axes=t.attrs.get("axes"))
        self.lines.append(f"{name} = {code}{numpy_code.comment(t)}")

    # Text.

    def python_line(self, place: int, t: Tensor) -> None:
        """A node as its line of NumPy, or as a call of its op's own body."""
        assert t.op is not None
        inputs = [self.array(i) for i in t.inputs]
        out = self.array(t)
        line = numpy_code.statement(t, inputs, out)
        if line is None:
            self.scope[f"k_op{place}"], self.scope[f"k_attrs{place}"] = t.op.into or t.op.forward, t.attrs
            extra = f", **k_attrs{place}" if t.attrs else ""
            if t.op.into is not None:
                line = f"k_op{place}({', '.join([out, *inputs])}{extra})"
            else:
                line = f"k_copyto({out}, k_op{place}({', '.join(inputs)}{extra}), 'unsafe')"
        self.mark(place)
        self.lines.append(line + numpy_code.comment(t))

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
                    self.lines.append(f"{saved[t]} = {self.array(t)}.copy()  # as it was")
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
            self.lines.append(f"k_copyto({self.names[p]}, {saved.get(t) or self.array(t)}, 'unsafe')  # the new value")
        results, fresh = [], set(self.fresh)
        for t in graph.outputs:
            if t in saved:
                results.append(saved[t])
            else:
                results.append(self.names[t] if t in fresh else f"{self.array(t)}.copy()")
        made = []
        for n, t in enumerate(self.fresh):
            self.scope[f"k_dtype{n}"] = t.dtype
            made.append(f"{self.names[t]} = k_empty({t.shape}, k_dtype{n})")
        before = [*made, *self.setup()]
        self.lines_of = [(place, line + len(before)) for place, line in self.lines_of]
        self.body = [*before, *self.lines, f"return [{', '.join(results)}]"]
        arguments = [self.names[t] for t in (*graph.inputs, *self.parameters)]
        self.source = "\n".join([f"def step({', '.join(arguments)}):", *(f"    {line}" for line in self.body)]) + "\n"
        self.source += self.listing()

    def load(self) -> Callable[..., list[np.ndarray]]:
        """Compile, and give the function."""
        scope = {**numpy_code.NAMES, **self.scope, **self.functions()}
        arguments = [self.names[t] for t in (*self.graph.inputs, *self.parameters)]
        # Names as defaults are found faster than globals.
        used = set(re.findall(r"\w+", "\n".join(self.body))) - {*arguments, "np"}
        bound = [f"{n}={n}" for n in scope if n in used]
        head = f"def step({', '.join([*arguments, *bound])}):"
        whole = "\n".join([head, *(f"    {line}" for line in self.body)]) + "\n"
        filename = f"graphnet {self.kind} plan {id(self):x}"
        # The function holds all that it uses: buffers, constants, the native module. It is in no cycle. Tracebacks and
        # debuggers ask the loader for the lines.
        namespace = {**scope, "k_code": self, "__name__": filename, "__loader__": _Lines(whole)}
        exec(compile(whole, filename, "exec"), namespace)
        return namespace.pop("step")

    @property
    def quiet(self) -> bool:
        return all(isinstance(step, Group) or step.product or step.kernel for step in self.steps)
