"""A graph as a value: inputs, outputs, and the nodes between them, that can be called, printed, checked and rewritten.

A `Graph` never changes. `tracing.trace` makes one from a Python function; `Graph(inputs, outputs)` from tensors that
are symbolic or have recorded their history.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.apply import apply_prepared, as_tensor, described, holds_tensors
from graphnet.arrays import Spec
from graphnet.computed import computed
from graphnet.containers import flatten
from graphnet.escape import identifier, line
from graphnet.leaves import Parameter
from graphnet.mode import mode, state
from graphnet.node import Tensor, as_array, constant, toposort
from graphnet.ops.shaping import astype, snapshot
from graphnet.stepwise import Numbered, stepwise
from graphnet.tensor_gradients import gradients

#: characters of a tensor's own name that its name in a graph has at most
LONGEST_NAME = 100


class Graph:
    """A program over tensors: `outputs` as a function of `inputs`, immutable.

    `inputs` are tensors (mostly from `graphnet.input`), `outputs` a tensor or nested tuples, lists, dicts of them,
    computed from the inputs, from parameters and from constants. `updates` are pairs of a Parameter and the tensor
    that it is assigned at each call, after everything is computed.

    * `inputs`, `outputs`, `updates`, `parameters`, `nodes` (in topological order, leaves included), `len(g)`;
    * `g(*arrays)` runs it; on tensors that are symbolic or need a gradient it becomes part of their graph;
    * `str(g)` is the program; `g.draw()` its picture; `g.to_networkx()` a `networkx.MultiDiGraph`;
    * `g.gradient()`, `g.simplify()` and `g.compile()` give new ones.

    Raises `ValueError` if an output depends on a symbolic tensor that is not an input, or on itself.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> g = gn.Graph([x], gn.exp(x) * 2)
    >>> print(g)
    graph(x: float32[2]) -> float32[2]
      t0: float32[2] = exp(x)
      t1: float32[2] = multiply(t0, 2.0)
      return t1
    >>> g([0.0, 0.0])
    Tensor([2., 2.], dtype=float32)
    """

    def __init__(
        self,
        inputs: Tensor | Sequence[Tensor],
        outputs: Any,
        updates: Iterable[tuple[Parameter, Tensor]] = (),
        name: str | None = None,
    ):
        self.inputs: tuple[Tensor, ...] = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
        flat, self.structure = flatten(outputs)
        self.outputs: tuple[Tensor, ...] = tuple(map(as_tensor, flat))
        self.updates: tuple[tuple[Parameter, Tensor], ...] = tuple(updates)
        self.name = name
        for t in self.inputs:
            if not isinstance(t, Tensor):
                raise TypeError(f"the inputs of a Graph are tensors; received {type(t).__name__}")
        if len(set(self.inputs)) != len(self.inputs):
            raise ValueError("a Graph names each input once; one is given twice")
        self._nodes = tuple(toposort([*self.outputs, *(t for _, t in self.updates)], stop=self.inputs))
        known = set(self.inputs)
        for t in self._nodes:
            if t.op is None and t.is_symbolic and t not in known:
                site = t.site
                at = f", made at {site[0]}:{site[1]}," if site else ""
                named = line(t.name or described(t))
                raise ValueError(f"the symbolic tensor {named}{at} is needed for the outputs but is not an input")

    @property
    def nodes(self) -> tuple[Tensor, ...]:
        """Every tensor the outputs and updates depend on, leaves included, each after its inputs."""
        return self._nodes

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that are read, in order of first use."""
        return tuple(t for t in self._nodes if isinstance(t, Parameter))

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Any:
        return iter(self._nodes)

    def structured(self, values: Sequence[Any]) -> Any:
        """`values`, one per output, in the form that the outputs were given in."""
        return self.structure(values)

    def with_outputs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], updates: Any) -> Graph:
        """A graph of other nodes in the same form: what a pass returns."""
        return Graph(inputs, self.structure(outputs), updates, self.name)

    @computed
    def numbered(self) -> Numbered:
        """The graph as what runs it op by op."""
        return Numbered(self)

    @computed
    def _given(self) -> frozenset[Tensor]:
        return frozenset(self.inputs)

    def argument(self, place: int, value: Any) -> Any:
        """An argument of a call as an array of the input's shape and dtype, or as a tensor that joins the graph."""
        wanted = self.inputs[place]
        label = f"input {place} ({self.names[wanted]!r})"
        if isinstance(value, (list, tuple)) and holds_tensors(value):
            value = as_tensor(value)
        if isinstance(value, Tensor) and (value.is_symbolic or value.requires_grad):
            got: Any = value
        else:
            got = as_array(value)
        if got.shape != wanted.shape:
            raise ValueError(f"{label} of the graph is {described(wanted)}; received {described(got)}")
        if got.dtype != wanted.dtype:
            if not np.can_cast(got.dtype, wanted.dtype, "same_kind"):
                raise TypeError(f"{label} of the graph is {described(wanted)}; received {described(got)}")
            got = astype(got, dtype=wanted.dtype) if isinstance(got, Tensor) else got.astype(wanted.dtype)
        return got

    def __call__(self, *arrays: Any) -> Any:
        if len(arrays) != len(self.inputs):
            listed = ", ".join(f"{self.names[t]}: {described(t)}" for t in self.inputs)
            raise ValueError(f"the graph takes {len(self.inputs)} inputs ({listed}); received {len(arrays)}")
        values: dict[Tensor, Any] = {
            t: self.argument(i, a) for i, (t, a) in enumerate(zip(self.inputs, arrays, strict=True))
        }
        if state.mode.trace is not None or any(isinstance(v, Tensor) for v in values.values()):
            return self._inlined(values)
        return self.structure([constant(r) for r in stepwise(self.numbered, list(values.values()))])

    def _inlined(self, given: dict[Tensor, Any]) -> Any:
        """The nodes once more on other inputs, as part of the graph that those belong to."""
        # A history keeps copies: writing to the caller's array later changes no gradient.
        new: dict[Tensor, Tensor] = {t: v if isinstance(v, Tensor) else constant(v.copy()) for t, v in given.items()}
        for node in self._nodes:
            if node not in new:
                if node.op is None:
                    new[node] = node
                else:
                    with mode(region=node.region):
                        y = new[node] = apply_prepared(node.op, [new[t] for t in node.inputs], node.attrs)
                    if y.op is not None:
                        y._code, y._lasti = node._code, node._lasti
        # All are read before any is assigned: a parameter stands for its value from before.
        results = [snapshot(new[t]) for t in self.outputs]
        for p, value in [(p, snapshot(new[t])) for p, t in self.updates]:
            p.assign(value)
        return self.structure(results)

    @computed
    def names(self) -> dict[Tensor, str]:
        """A short unique name for every node: its own where it has one, else by kind and place."""
        taken: set[str] = set()
        names: dict[Tensor, str] = {}
        counts = {"x": 0, "p": 0, "c": 0, "t": 0}
        for t in (*self.inputs, *self._nodes):
            if t in names:
                continue
            own = identifier(str(t.name)[:LONGEST_NAME]) if t.name else ""
            if not own:
                kind = "x" if t in self._given else "p" if isinstance(t, Parameter) else "c" if t.op is None else "t"
                own = f"{kind}{counts[kind]}"
                counts[kind] += 1
                while own in taken:
                    own = f"{kind}{counts[kind]}"
                    counts[kind] += 1
            base, n = own, 1
            while own in taken:
                n += 1
                own = f"{base}_{n}"
            taken.add(own)
            names[t] = own
        return names

    def __str__(self) -> str:
        return self.program()

    def program(self, names: dict[Tensor, str] | None = None) -> str:
        """The graph as text, a line for each node; `names` instead of those of the graph."""
        names = self.names if names is None else names
        inline = {
            t: repr(t._value.item())
            for t in self._nodes
            if t.op is None
            and t.shape == ()
            and not t.is_symbolic
            and t not in self._given
            and not isinstance(t, Parameter)
        }

        def call(t: Tensor) -> str:
            listed = [inline.get(i, names[i]) for i in t.inputs]
            attrs = [f"{k}={_shown(v)}" for k, v in t.attrs.items()]
            return f"{t.op.name}({', '.join(listed + attrs)})"  # type: ignore[union-attr]

        lines = []
        for t in self._nodes:
            if t in self._given or t in inline:
                continue
            if t.op is None:
                what = "parameter" if isinstance(t, Parameter) else f"constant {_shown(t._value)}"
                lines.append((f"{names[t]}: {described(t)} = {what}", ""))
            else:
                path = t.region.path_text if t.region is not None else ""
                lines.append((f"{names[t]}: {described(t)} = {call(t)}", path))
        width = min(max((len(left) for left, _ in lines), default=0), 80)
        body = [f"  {left:{width}}  # {path}" if path else f"  {left}" for left, path in lines]
        body += [f"  {names.get(p, p.name or 'parameter')} <- {inline.get(t, names[t])}" for p, t in self.updates]
        head = ", ".join(f"{names[t]}: {described(t)}" for t in self.inputs)
        result = ", ".join(described(t) for t in self.outputs)
        returned = ", ".join(inline.get(t, names[t]) for t in self.outputs)
        listed = [f"{self.name or 'graph'}({head}) -> {result}", *body, f"  return {returned}"]
        return "\n".join([line(one) for one in listed])

    def __repr__(self) -> str:
        return (
            f"<Graph {line(self.name) + ' ' if self.name else ''}of {len(self)} nodes: "
            f"{len(self.inputs)} inputs, {len(self.parameters)} parameters, {len(self.outputs)} outputs>"
        )

    def check(self) -> Graph:
        """This graph, verified: each node's shape and dtype is what its op gives for its inputs.

        Every pass is followed by this. Raises `ValueError` naming the first node that is wrong. (That there is no
        cycle and no unknown input holds by construction.)
        """
        for t in self._nodes:
            if t.op is None or t in self._given:
                continue
            found = t.op.infer(*[Spec(i.shape, i.dtype) for i in t.inputs], **t.attrs)
            if found.shape != t.shape or found.dtype != t.dtype:
                raise ValueError(
                    f"{self.names[t]} is {described(t)}, but {t.op.name}"
                    f"({', '.join(described(i) for i in t.inputs)}) gives {found.dtype}{list(found.shape)}"
                )
        for p, t in self.updates:
            if p.shape != t.shape or p.dtype != t.dtype:
                raise ValueError(f"the update of {line(p.name or 'a parameter')} ({described(p)}) is {described(t)}")
        return self

    def gradient(self, wrt: Any = None) -> Graph:
        """The graph of d(output)/d(wrt), with the same inputs.

        The one output must be one number. `wrt` is a tensor, a name, or a list of them: inputs, parameters or any
        nodes; without it, all floating-point inputs and then all trainable parameters.

        >>> import graphnet as gn
        >>> x = gn.input((3,), name="x")
        >>> print(gn.Graph([x], (x * x).sum()).gradient("x").simplify())
        graph(x: float32[3]) -> float32[3]
          t0: float32[3] = add(x, x)
          return t0
        """
        if len(self.outputs) != 1:
            raise ValueError(f"the gradient of a graph with one output; this one has {len(self.outputs)}")
        by_name = {name: t for t, name in self.names.items()}
        by_name.update({t.name: t for t in self._nodes if t.name})
        if wrt is None:
            wrt = [t for t in self.inputs if t.dtype.kind == "f" and t.requires_grad]
            wrt += [p for p in self.parameters if p.requires_grad and p not in self._given]
        leaves, rebuild = flatten(wrt)
        for leaf in leaves:
            if isinstance(leaf, str) and leaf not in by_name:
                raise ValueError(
                    f"no node is named {leaf!r}; names are: {line(', '.join(sorted(map(str, by_name))), 500)}"
                )
        targets = [by_name[leaf] if isinstance(leaf, str) else leaf for leaf in leaves]
        with mode(recording=True, region=None):
            return Graph(self.inputs, rebuild(gradients(self.outputs[0], targets)), name=self.name)

    def inlined(self, *arguments: Any) -> Any:
        """What a call gives, as part of the graph of the arguments and parameters: it can be differentiated."""
        return self._inlined(
            {t: self.argument(i, a) for i, (t, a) in enumerate(zip(self.inputs, arguments, strict=True))}
        )

    if TYPE_CHECKING:
        # What `graphnet.graph_methods` adds, for those who read types.
        def simplify(self) -> Graph: ...
        def compile(self, backend: str | None = None) -> Any: ...
        def to_networkx(self, **options: Any) -> Any: ...
        @classmethod
        def from_networkx(cls, graph: Any) -> Graph: ...
        def tree(self, depth: int | None = None, ops: bool = True) -> str: ...
        def to_dot(self, **options: Any) -> str: ...
        def draw(self, path: Any = None, **options: Any) -> Any: ...
        def _repr_svg_(self) -> str: ...


def _shown(value: Any) -> str:
    """An attribute or constant, short."""
    if isinstance(value, np.ndarray):
        if value.size > 8:
            return "..."
        return " ".join(repr(value.tolist()).split())
    return re.sub(r"\s+", " ", repr(value))
