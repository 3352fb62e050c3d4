"""From networkx back to a graph that computes the same."""

from __future__ import annotations

import inspect
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np

from graphnet.apply import apply
from graphnet.arrays import Spec
from graphnet.containers import flatten
from graphnet.escape import line
from graphnet.graph import Graph
from graphnet.leaves import Parameter, symbolic
from graphnet.mode import Region, mode
from graphnet.node import Tensor, constant
from graphnet.optional import optional
from graphnet.record import OPS, Op
from graphnet.tracing import Trace

#: bytes that constants computed while a graph is read may have together, and how many times what the graph holds
FLOOR, GROWTH = 1 << 24, 16
#: kinds of values that data is made of
PLAIN = (bool, int, float, complex, str, type(None), slice, type(...))
NUMBERS = "biufc"


def from_networkx(graph: Any) -> Graph:
    """The graph that `to_networkx(values=True)` gave, or one made by hand in its form.

    Nodes are read for `kind`, `op`, `attrs`, `shape`, `dtype`, `value`, `name`, `region_index`, `gradient_of`, edges
    for `argument`; the graph for `inputs`, `outputs`, `updates`, `regions`. Parameters are new ones, with copies of the
    values. Attributes are checked as those of a call of the op; shapes and dtypes of ops are computed, and compared
    with those that are given.

    Raises `ValueError` for a cycle, an unknown op or attribute, a missing value or input, an attribute of another kind,
    a shape or dtype that is another, and constants that would take far more memory than the graph.
    """
    nx = optional("networkx")
    if not isinstance(graph, nx.DiGraph):
        raise ValueError(f"a program is a directed networkx graph; received {type(graph).__name__}")
    if not nx.is_directed_acyclic_graph(graph):
        raise ValueError("this networkx graph has a cycle: it is no program")
    return _Reader(graph).read()


class _Reader:
    def __init__(self, graph: Any):
        self.graph = graph
        self.made: dict[Any, Tensor] = {}
        self.left = FLOOR

    def read(self) -> Graph:
        nx = optional("networkx")
        graph, made = self.graph, self.made
        regions = _regions(graph.graph.get("regions", ()))
        own = graph.graph.get("ops", {})
        if not isinstance(own, dict) or not all(isinstance(op, Op) for op in own.values()):
            raise ValueError("the ops of this networkx graph are a dict from names to ops")
        # In a trace parameters count as unknown, so that ops on them alone are recorded too.
        trace = Trace()
        # In the order of the nodes where that is one to compute in, so that the text is the same.
        place = {node: i for i, node in enumerate(graph.nodes)}
        for node in nx.lexicographical_topological_sort(graph, key=place.__getitem__):
            data = graph.nodes[node]
            try:
                made[node] = self._op(node, data, own, regions, trace) if data.get("kind") == "op" else self._leaf(data)
                if not isinstance(made[node], Parameter):
                    made[node].name = _text(data.get("name"), "name")
            except (KeyError, TypeError, IndexError, AttributeError, OverflowError, SyntaxError, ValueError) as error:
                missing = isinstance(error, KeyError)
                reason = f"it has no {error.args[0]!r}" if missing and error.args else str(error)
                told = reason[2:] if reason.startswith("it ") else f": {reason}"
                raise ValueError(f"node {node!r:.100}{line(told, 1000)}") from None
        listed = graph.graph.get("inputs")
        if listed is None:
            listed = [node for node in graph.nodes if graph.nodes[node].get("kind") == "input"]
        outputs = graph.graph.get("outputs")
        if outputs is None:
            outputs = [node for node in graph.nodes if graph.out_degree(node) == 0]
        leaves, rebuild = flatten(outputs)
        name = _text(graph.graph.get("name"), "name of the graph")
        try:
            results = rebuild([made[node] for node in leaves])
            updates = [(self._parameter(p), made[t]) for p, t in graph.graph.get("updates", ())]
            given = [made[node] for node in listed]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"its inputs, outputs and updates name nodes of the graph: {error!r:.100}") from None
        # A program takes what no op has made.
        if any(t.op is not None or not t.is_symbolic for t in given):
            raise ValueError("the inputs of a graph are nodes of the kind 'input'")
        return Graph(given, results, updates, None if name in ("graph", "") else name).check()

    def _parameter(self, node: Any) -> Parameter:
        found = self.made[node]
        if not isinstance(found, Parameter):
            raise ValueError(f"{node!r:.100} is no parameter")
        return found

    def _op(self, node: Any, data: Any, own: dict[str, Op], regions: list[Region], trace: Trace) -> Tensor:
        name, made = data["op"], self.made
        if not isinstance(name, str):
            raise ValueError(f"an op is named by a text; received {type(name).__name__}")
        op = own.get(name) or OPS.get(name)
        if op is None:
            raise ValueError(f"no op is named {name!r:.100}")
        edges = sorted((d["argument"], place) for place, (_, _, d) in enumerate(self.graph.in_edges(node, data=True)))
        tails = [tail for tail, _, _ in self.graph.in_edges(node, data=True)]
        if [a for a, _ in edges] != list(range(len(edges))):
            raise ValueError(f"its inputs are numbered {line([a for a, _ in edges], 100)}, not from 0 on")
        inputs = [made[tails[place]] for _, place in edges]
        if op.params and len(inputs) != len(op.params):
            raise ValueError(f"{op.name} takes {len(op.params)} inputs ({', '.join(op.params)}), not {len(inputs)}")
        attrs = checked_attrs(op, data.get("attrs"))
        index = data.get("region_index")
        if index is not None and not (type(index) is int and 0 <= index < len(regions)):
            raise ValueError(f"its region is number {index!r:.60} of {len(regions)}")
        if not any(t.is_symbolic or isinstance(t, Parameter) for t in inputs):
            self._spend(op, inputs, attrs)
        of = made.get(data.get("gradient_of"))
        with mode(recording=True, trace=trace, region=regions[index] if index is not None else None, of=of):
            t: Tensor = apply(op, inputs, attrs)
        for word, value in (("shape", t.shape), ("dtype", t.dtype.name)):
            given = data.get(word)
            if given is not None and (tuple(given) if word == "shape" else str(given)) != value:
                raise ValueError(f"{op.name} of these inputs has {word} {value}, not {given!r:.100}")
        return t

    def _spend(self, op: Op, inputs: list[Tensor], attrs: dict[str, Any]) -> None:
        """Constants of constants are computed here: what they take has a limit."""
        specs = [Spec(t.shape, t.dtype) for t in inputs]
        values = [t._value for t in inputs]
        prepared = attrs if op.prepare is None else op.prepare(*values, **attrs)
        found = op.infer(*specs, **prepared)
        size = found.dtype.itemsize
        for n in found.shape:
            size *= n
        self.left -= size
        if self.left < 0:
            raise ValueError(f"{op.name} would make a constant of {size:,} bytes, far more than the graph holds")

    def _leaf(self, data: Any) -> Tensor:
        """An input, a parameter or a constant."""
        kind = data.get("kind")
        if kind == "input":
            shape = data["shape"]
            if not isinstance(shape, (list, tuple)) or any(type(n) is not int or n < 0 for n in shape):
                raise ValueError(f"a shape is a tuple of sizes; received {shape!r:.100}")
            return symbolic(tuple(shape), _dtype(data["dtype"]), _text(data.get("name"), "name"))
        if kind not in ("parameter", "constant"):
            raise ValueError(f"it is an input, a parameter, a constant or an op; its kind is {kind!r:.100}")
        if "value" not in data:
            raise ValueError(f"it is a {kind} without a value: use to_networkx(values=True)")
        value = np.array(data["value"], dtype=_dtype(data["dtype"]) if data.get("dtype") is not None else None)
        if value.dtype.kind not in NUMBERS:
            raise ValueError(f"its value is {value.dtype}, not numbers")
        if data.get("shape") is not None and tuple(data["shape"]) != value.shape:
            raise ValueError(f"its value has the shape {value.shape}, not {data['shape']!r:.100}")
        self.left += GROWTH * value.nbytes
        if kind == "parameter":
            learns = data.get("trainable", value.dtype.kind == "f")
            if not isinstance(learns, (bool, np.bool_)) or (learns and value.dtype.kind != "f"):
                raise ValueError(f"trainable={learns!r:.60} of {value.dtype}")
            return Parameter(value, value.dtype, _text(data.get("name"), "name"), bool(learns))
        return constant(value)


def _dtype(word: Any) -> np.dtype:
    found = np.dtype(word if isinstance(word, (np.dtype, type)) else str(word))
    if found.kind not in NUMBERS:
        raise ValueError(f"the dtype {found} is not one of numbers")
    return found


def _text(word: Any, what: str) -> str | None:
    if word is not None and not isinstance(word, str):
        raise ValueError(f"the {what} is a text; received {type(word).__name__}")
    return word


@cache
def _signature(op: Op) -> dict[str, inspect.Parameter]:
    """The attributes that an op takes, by name."""
    parameters = list(inspect.signature(op.function or op.forward).parameters.values())
    inputs = set(op.params)
    return {p.name: p for p in parameters if p.name not in inputs and p.kind is not p.VAR_POSITIONAL}


def checked_attrs(op: Op, attrs: Any) -> dict[str, Any]:
    """The attributes of a node from outside, as a call of the op may have them.

    Raises `ValueError` for a name that the op does not take, one that it needs and that is missing, and a value that is
    no plain data, or of another kind than the op's own default.
    """
    attrs = {} if attrs is None else attrs
    if type(attrs) is not dict:
        raise ValueError(f"its attributes are a dict; received {type(attrs).__name__}")
    known = _signature(op)
    for key, value in attrs.items():
        if key not in known and not any(p.kind is p.VAR_KEYWORD for p in known.values()):
            takes = ", ".join(known) or "none"
            raise ValueError(f"{op.name} has no attribute {key!r:.100}; it takes {takes}")
        if op.forward is not None and str(getattr(op.forward, "__module__", "")).partition(".")[0] != "graphnet":
            continue  # an op of the user's own, whose attributes may be anything
        if not _plain(value):
            raise ValueError(f"{op.name} takes numbers and texts; received {key}={type(value).__name__}")
        default = known[key].default
        # An op without `prepare` takes attributes as they come.
        wanted = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}.get(type(default))
        if op.prepare is None and wanted and type(value) not in wanted:
            raise ValueError(f"{op.name} takes {key}={default!r} or its like; received {key}={value!r:.100}")
    for key, p in known.items():
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD and key not in attrs:
            raise ValueError(f"{op.name} needs the attribute {key!r}")
    return dict(attrs)


def _plain(value: Any, depth: int = 8) -> bool:
    """Whether a value is data: numbers, texts, dtypes, arrays of numbers, and lists, tuples and dicts of those.

    Bodies of loops and rules of gradients are graphnet's own objects, which no data can make.
    """
    if type(value) in PLAIN or isinstance(value, (np.dtype, np.generic)):
        return True
    if type(value) is np.ndarray:
        return value.dtype.kind in NUMBERS
    if type(value) in (list, tuple):
        return depth > 0 and all(_plain(v, depth - 1) for v in value)
    if isinstance(value, type):
        return issubclass(value, (np.generic, bool, int, float))
    made_by = value if isinstance(value, FunctionType) else type(value)
    return str(made_by.__module__).partition(".")[0] == "graphnet"


def _regions(listed: Any) -> list[Region]:
    """The regions of `graph.graph["regions"]`, each after those it is in or belongs to."""
    found: list[Region] = []

    def before(number: Any) -> Region:
        if type(number) is not int or not 0 <= number < len(found):
            raise ValueError(f"region {len(found)}: it is in, or belongs to, one before it; received {number!r:.60}")
        return found[number]

    if not isinstance(listed, (list, tuple)):
        raise ValueError(f"the regions of a graph are a list; received {type(listed).__name__}")
    for r in listed:
        try:
            parent = before(r["parent"]) if r["parent"] is not None else None
            attrs = {"of": before(r["of"])} if r.get("of") is not None else {}
            name, kind = _text(r["name"], "name"), _text(r["kind"], "kind")
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"region {len(found)} needs name, kind and parent: {error!r:.100}") from None
        found.append(Region(name or "", kind or "", parent, attrs))
    return found
