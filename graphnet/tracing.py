"""`trace`: the graph of what a Python function does, and the assignments to parameters on the way."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, overload

from graphnet.apply import described, made, stopped
from graphnet.arguments import Arguments, Signature
from graphnet.containers import flatten
from graphnet.escape import line
from graphnet.fitting import check_dtypes
from graphnet.graph import Graph
from graphnet.leaves import Parameter, symbolic
from graphnet.mode import NO_ATTRS, mode, state
from graphnet.node import Tensor
from graphnet.ops.products import trace as matrix_trace
from graphnet.ops.shaping import astype, identity, stop_gradient
from graphnet.typed import ArrayLike


class Trace:
    """What a trace collects besides nodes: the assignments to parameters.

    `updates` is what each parameter is assigned last; `current` what it stands for since, which has no history, as an
    assigned parameter has none; `past` what it stood for before. With `looking`, values of parameters are known, but
    what is made from them is kept as nodes; assignments count until the trace ends, and no longer. `loop` is whether it
    is that of the step of a loop, or of a function of rows, in the trace `outer`; `rows` then says which these are.
    `fixed` is a trace whose graph runs at once, so that parameters are what they are now.
    """

    def __init__(
        self,
        looking: bool = False,
        outer: Trace | None = None,
        loop: bool = False,
        fixed: bool = False,
        rows: Any = None,
    ) -> None:
        self.looking, self.fixed = looking, fixed
        self.outer, self.loop, self.rows = outer, loop, rows
        self.updates: dict[Parameter, Tensor] = {}
        self.current: dict[Tensor, Tensor] = {}
        self.past: dict[Tensor, Parameter] = {}
        self.first: dict[Tensor, Tensor] = {}

    def read(self, t: Tensor) -> Tensor:
        """What `t` stands for now: the assigned value of a parameter that was assigned, else itself."""
        return self.current.get(t, t)

    def assign(self, parameter: Parameter, value: Tensor) -> None:
        value = self.read(value)
        if value is parameter:
            # Its own value, which it would otherwise have at the end, whatever was assigned between.
            value = identity(value)
        if value.dtype != parameter.dtype:
            check_dtypes(f"assign to {line(parameter.name or 'a Parameter')}", value.dtype, parameter.dtype)
            value = astype(value, dtype=parameter.dtype.newbyteorder("="))
        now = stop_gradient(value)
        if parameter.requires_grad:
            # A variable of its own, that gradients can be taken with respect to.
            now = identity(now)
            now.requires_grad = True
        self.past[self.read(parameter)] = parameter
        if value.dtype != parameter.dtype:
            value = astype(value, dtype=parameter.dtype)
        self.updates[parameter], self.current[parameter] = value, now

    def begun(self, t: Tensor) -> Tensor:
        """What a node that has `t` among its inputs read: of a parameter its value from before any assignment."""
        if t not in self.current:
            return t
        if t not in self.first:
            self.first[t] = made(identity.op, (t,), NO_ATTRS)
        return self.first[t]

    def variable(self, t: Tensor, history: Container[Tensor]) -> Tensor:
        """What a gradient with respect to `t` is taken of, for an output with this history.

        Raises `RuntimeError` where that used the value from before an assignment.
        """
        now = self.current.get(t)
        if now is None:
            return t
        if any(p is t and old in history for old, p in self.past.items()):
            name = f"{t.name!r} " if t.name else ""
            raise RuntimeError(
                f"the parameter {name}was assigned after the output used it: take the gradient before assigning, or "
                "compute the output again first"
            )
        return now


def traced(f: Callable[..., Any], arguments: Arguments) -> Graph:
    """The graph of what `f` does with these arguments."""
    inputs = [
        symbolic(tuple(a.shape), a.dtype, label) for a, label in zip(arguments.arrays, arguments.names(), strict=True)
    ]
    args, kwargs = arguments.given(inputs)
    collected = Trace()
    with mode(trace=collected, recording=True, region=None, raw=False, of=None):
        outputs, structure = flatten(f(*args, **kwargs))
    result = structure([stopped(collected.read(t)) if isinstance(t, Tensor) else t for t in outputs])
    named = getattr(f, "__name__", None)
    found = Graph(inputs, result, collected.updates.items(), name=named if named and named.isidentifier() else None)
    if state.mode.recording and state.mode.within is not None:
        for t in found.nodes:
            around = None if t.is_symbolic or isinstance(t, Parameter) else state.mode.within.of(t)
            if around is not None:
                raise TypeError(
                    f"{line(named or 'a function')}: a function that is traced or compiled reads from outside "
                    f"{described(t)}, which {around.what} differentiates for: its gradient would be lost. Make it an "
                    "argument of the function; for a value without a gradient, write gn.stop_gradient(x) or x.detach()"
                )
    return found


@overload
def trace(f: Callable[..., Any], *example_args: Any, **example_kwargs: Any) -> Graph: ...
@overload
def trace(f: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor: ...
def trace(f: Any, *example_args: Any, **example_kwargs: Any) -> Any:
    """The graph of what `f` does with arguments of these shapes and dtypes; `f` runs once, on symbolic tensors.

    Arrays and tensors among the arguments (also inside nested containers, of data frames or another library) become
    inputs, in order; numbers, lists of numbers and other objects keep their values, as does what `f` reads from
    outside, parameters excepted. A `Parameter.assign` in `f` becomes an update of the graph. Of a tensor or an array,
    `gn.trace(x, offset=0, axis1=0, axis2=1)` is the sum of the diagonal, as in NumPy.

    >>> import graphnet as gn
    >>> print(gn.trace(lambda a, b: (a - b) ** 2, gn.input((3,)), gn.input((3,))))
    graph(a: float32[3], b: float32[3]) -> float32[3]
      t0: float32[3] = subtract(a, b)
      t1: float32[3] = power(t0, 2.0)
      return t1
    """
    if not callable(f):
        # NumPy's function of that name: the sum of a diagonal.
        return matrix_trace(f, *example_args, **example_kwargs)
    signature = Signature(f)
    args, kwargs = signature.bound(example_args, example_kwargs)
    return traced(f, Arguments(signature, args, kwargs, keyed=False))
