"""A plan: a graph as one Python function over arrays, in buffers laid out ahead. `plan.source` is what runs."""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from graphnet.compile import numpy_code
from graphnet.compile.memory import Layout, planned
from graphnet.compile.passes import optimise
from graphnet.graph import Graph
from graphnet.op import described
from graphnet.tensor import KINDS, Parameter, Tensor, constant, known


class Plan:
    """A compiled graph: call it with arrays, as the graph itself.

    * `source`: the Python that runs, one line per node, with the layer, op and source line it came from;
    * `graph`: the simplified graph; `layout`: its buffers;
    * updates are written into the parameters' own arrays, unless somebody else holds those.

    Outputs are arrays of their own: the next call does not overwrite them. Calls from several threads take turns.
    Values differ from the graph's by rounding at most.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> plan = gn.Graph([x], gn.exp(x) * 2.0).compile()
    >>> plan([0.0, 0.0])
    Tensor([2., 2.], dtype=float32)
    """

    def __init__(self, graph: Graph):
        self.graph = optimise(graph)
        self._lock = threading.Lock()
        self._parameters: list[Parameter] = []
        writer = _Writer(self.graph)
        self.layout: Layout = writer.layout
        self.source: str = writer.source
        self._parameters = writer.parameters
        self._function: Callable[..., Any] = writer.function()

    def __call__(self, *arrays: Any) -> Any:
        graph = self.graph
        if len(arrays) != len(graph.inputs):
            return graph(*arrays)
        values = []
        for place, (wanted, a) in enumerate(zip(graph.inputs, arrays, strict=True)):
            fits = a.__class__ in KINDS and not a.requires_grad and a.shape == wanted.shape and a.dtype == wanted.dtype
            values.append(known(a) if fits else graph.argument(place, a))
        if any(isinstance(v, Tensor) for v in values):
            return graph(*arrays)
        with self._lock, np.errstate(all="ignore"):
            for p, _ in graph.updates:
                # Whoever holds the array, or a view of it from `numpy()`, keeps the values it had.
                if sys.getrefcount(p._value) > 2 + sum(v is p._value for v in values):
                    p._value = p._value.copy()
            results = self._function(*values, *[known(p) for p in self._parameters])
            for p, _ in graph.updates:
                p.touched()
        return graph.structured([constant(r) for r in results])

    def __repr__(self) -> str:
        steps = sum(line.startswith("    ") for line in self.source.splitlines()) - 1
        return (
            f"<Plan of {len(self.graph)} nodes in {steps} lines: {len(self.layout.sizes)} buffers of together "
            f"{self.layout.total:,} bytes for values of {self.layout.unshared:,}>"
        )


class _Writer:
    """Turns a graph into source text and the names it uses."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.scope: dict[str, Any] = {}
        self.given = set(graph.inputs)
        self.names = {t: f"v_{name}" for t, name in graph.names.items()}
        updated = {p: t for p, t in graph.updates}
        outputs = set(graph.outputs)
        roots = {t for t in updated.values() if t.op is not None and t not in self.given}
        users: dict[Tensor, int] = {}
        computed = [t for t in graph.nodes if t.op is not None and t not in self.given]
        for t in computed:
            for i in t.inputs:
                users[i] = users.get(i, 0) + 1
        final = [t for t in computed if t in roots and t not in users and t not in outputs]
        # Updates that nothing else reads come last: then they may overwrite what they update.
        last = set(final)
        self.order = [t for t in computed if t not in last] + final
        known_parameters = dict.fromkeys(
            [*(t for t in graph.nodes if isinstance(t, Parameter) and t not in self.given), *updated]
        )
        self.parameters: list[Parameter] = list(known_parameters)
        for p in self.parameters:
            self.names.setdefault(p, f"v_updated{len(self.names)}")
        self._look()
        self.targets = self._overwriting(updated, final)
        self._classify()
        self._write()

    def _overwriting(self, updated: dict[Parameter, Tensor], final: list[Tensor]) -> dict[Tensor, Parameter]:
        """Which of the final nodes can be computed straight into the parameter that they update."""
        targets: dict[Tensor, Parameter] = {}
        by_node: dict[Tensor, list[Parameter]] = {}
        for p, t in updated.items():
            by_node.setdefault(t, []).append(p)
        for place, t in enumerate(final):
            owners = by_node[t]
            assert t.op is not None
            simple = t.op.family == "elementwise" and t.op.name not in numpy_code.READ_AGAIN
            if len(owners) != 1 or not simple or any(i.shape != t.shape and i.size > 1 for i in t.inputs):
                continue
            p = owners[0]
            # An argument can be the very array of a parameter.
            risky = {p, *(x for x in self.given if x.shape == p.shape and x.dtype == p.dtype)}
            read_later = any(self.base.get(i, i) in risky for later in final[place + 1 :] for i in later.inputs)
            copied_later = any(u in risky for q, u in updated.items() if q is not p)
            if not read_later and not copied_later:
                targets[t] = p
        return targets

    def _look(self) -> None:
        """What only looks at another array, and what makes a new one at each call."""
        self.base: dict[Tensor, Tensor] = {}
        self.views: set[Tensor] = set()
        self.dynamic: set[Tensor] = set()
        for t in self.order:
            assert t.op is not None
            source = t.inputs[0] if t.inputs else None
            if source is not None and t.op.name in (*numpy_code.VIEW_CODE, "getitem") and self._is_view(t, source):
                self.views.add(t)
                self.base[t] = self.base.get(source, source)
            elif numpy_code.statement(t, ["x"] * len(t.inputs), "y") is None:
                self.dynamic.add(t)
                if source is not None and t.op.family == "op":
                    # The body may answer with a view of its first input.
                    self.base[t] = self.base.get(source, source)

    def _classify(self) -> None:
        """What needs a buffer, and where it is."""
        graph = self.graph
        buffered: set[Tensor] = set()
        in_place: set[Tensor] = set()
        outputs = set(graph.outputs)
        for t in self.order:
            assert t.op is not None
            if t not in self.targets and t not in self.views and t not in self.dynamic and t not in outputs:
                buffered.add(t)
                if t.op.family == "elementwise" and t.op.name not in numpy_code.READ_AGAIN:
                    in_place.add(t)
        kept = {*outputs, *(t for p, t in graph.updates)}
        self.layout = planned(self.order, buffered, self.base, in_place, kept)
        self.arrays: dict[Tensor, np.ndarray] = self.layout.arrays()
        for t in self.order:
            if t in self.views:
                source = t.inputs[0]
                known_array = self.arrays.get(source)
                if known_array is not None:
                    seen = numpy_code.view(t, known_array)
                    if seen is not None:
                        self.arrays[t] = seen

    def _is_view(self, t: Tensor, source: Tensor) -> bool:
        assert t.op is not None
        name = t.op.name
        if name == "getitem":
            return len(t.inputs) == 1 and len(t.shape) > 0 and self._contiguous(source)
        if name == "reshape":
            return self._contiguous(source)
        return True

    def _contiguous(self, t: Tensor) -> bool:
        """Whether the array of `t` lies in memory in C order for certain."""
        if t in self.views or t in self.dynamic or t in self.given or isinstance(t, Parameter):
            return False
        return t.op is not None or bool(t._value.flags.c_contiguous)

    def _comment(self, t: Tensor) -> str:
        path = "/".join(r.name for r in t.region.path) if t.region is not None else ""
        site = t.site
        where = f"{site[0].rsplit('/', 1)[-1]}:{site[1]}" if site else ""
        name = t.op.name if t.op is not None else ""
        return "  # " + ", ".join(filter(None, (path, f"{name} -> {described(t)}", where)))

    def _write(self) -> None:
        graph, names = self.graph, self.names
        body: list[tuple[str, str]] = []
        for t in graph.nodes:
            if t.op is None and t not in self.given and not isinstance(t, Parameter):
                self.scope[names[t]] = t._value
        outputs = set(graph.outputs)
        changing = {*self.given, *self.parameters} if graph.updates else set()
        # Values that are, or may look at, arrays which the updates write to: copied while they are still the old ones.
        saved = {
            t: f"k_saved{i}"
            for i, t in enumerate(dict.fromkeys([*graph.outputs, *(t for _, t in graph.updates)]))
            if self.base.get(t, t) in changing and t not in self.targets
        }
        body += [(f"{saved[t]} = {names[t]}.copy()", "  # as it was") for t in saved if t.op is None or t in self.given]
        for place, t in enumerate(self.order):
            assert t.op is not None
            inputs = [names[i] for i in t.inputs]
            name = names[t]
            if t in self.arrays:
                self.scope[name] = self.arrays[t]
                if t in self.views:
                    continue
                line = numpy_code.statement(t, inputs, name)
            elif t in self.views:
                line = f"{name} = {self._view_code(t, inputs[0], place)}"
            elif t in self.targets:
                line = numpy_code.statement(t, inputs, names[self.targets[t]])
                if line is None:
                    line = f"k_copyto({names[self.targets[t]]}, {self._call(t, inputs, place)})"
            elif t in self.dynamic:
                line = f"{name} = k_array({self._call(t, inputs, place)})"
            else:
                assert t in outputs
                self.scope[f"k_dtype{place}"] = t.dtype
                line = f"{name} = k_empty({t.shape}, k_dtype{place}); {numpy_code.statement(t, inputs, name)}"
            body.append((line or "", self._comment(t)))
            if t in saved:
                body.append((f"{saved[t]} = {name}.copy()", "  # as it was"))
        for p, t in graph.updates:
            if t not in self.targets and t is not p:
                body.append((f"k_copyto({names[p]}, {saved.get(t, names[t])}, 'unsafe')", "  # the new value"))
        results = []
        computed = set(self.order)
        for t in graph.outputs:
            # Buffers, arguments, parameters and constants stay the plan's or the caller's own.
            own = t in computed and t not in self.views and t not in self.targets and t not in self.base
            results.append(saved.get(t, names[t]) if own or t in saved else f"{names[t]}.copy()")
        scope = {**numpy_code.NAMES, **self.scope}
        arguments = [names[t] for t in (*graph.inputs, *self.parameters)]
        text = "\n".join(f"{line}{comment}" for line, comment in body)
        used = [n for n in scope if n in text or any(n in r for r in results)]
        bound = [f"{n}={n}" for n in used if n not in ("np", *arguments)]
        lines = [f"def step({', '.join([*arguments, *bound])}):"]
        width = min(max((len(line) for line, _ in body), default=0), 72)
        lines += [f"    {line:{width}}{comment}" for line, comment in body]
        lines.append(f"    return ({', '.join(results)}{',' if results else ''})")
        self.source = "\n".join(lines) + "\n"
        self._names = scope

    def _call(self, t: Tensor, inputs: list[str], place: int) -> str:
        """A call of the op's own body."""
        assert t.op is not None
        self.scope[f"k_op{place}"] = t.op.forward
        extra = ""
        if t.attrs:
            self.scope[f"k_attrs{place}"] = t.attrs
            extra = f", **k_attrs{place}"
        return f"k_op{place}({', '.join(inputs)}{extra})"

    def _view_code(self, t: Tensor, source: str, place: int) -> str:
        assert t.op is not None
        if t.op.name == "getitem":
            self.scope[f"k_index{place}"] = t.attrs["index"]
            return f"{source}[k_index{place}]"
        return numpy_code.VIEW_CODE[t.op.name].format(x=source, shape=t.shape, axes=t.attrs.get("axes"))

    def function(self) -> Callable[..., Any]:
        """The compiled source. Its lines show in tracebacks and debuggers."""
        filename = f"<plan {id(self):x}>"
        linecache.cache[filename] = (len(self.source), None, self.source.splitlines(True), filename)
        namespace = dict(self._names)
        exec(compile(self.source, filename, "exec"), namespace)
        return namespace["step"]
