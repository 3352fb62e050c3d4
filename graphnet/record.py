"""The record of one operation: its body, its rules, and every fact that others ask about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Rule = Callable[..., Any]


class Joint:
    """One gradient rule for all inputs of an op at once, where their gradients come from one computation.

    `rule(places, g, y, *inputs, **attrs)` answers with a list: the gradient (or None) of the input at each place.
    """

    __slots__ = ("rule",)

    def __init__(self, rule: Rule):
        self.rule = rule

    def __call__(self, place: int, g: Any, y: Any, *inputs: Any, **attrs: Any) -> Any:
        return self.rule((place,), g, y, *inputs, **attrs)[0]

    def answered(self, places: Sequence[int], g: Any, y: Any, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """The rule, asked about `places`, as one rule for each input, that knows its answer already."""
        answers: list[Any] = [None] * len(inputs)
        for place, h in zip(places, self.rule(tuple(places), g, y, *inputs, **attrs), strict=True):
            answers[place] = h
        return tuple([lambda *_, h=h, **__: h for h in answers])


class Op:
    """One operation.

    `name` (NumPy's, where NumPy has it), `family` ("elementwise", "reduction" or "op"), `forward` (on arrays), `infer`
    (specs and attributes to a spec), `vjp` (a tuple of one rule per input, None where there is no derivative; or one
    rule that takes the input's place first, for ops of any number of inputs; or a `Joint` one), `expr` (a scalar
    expression in Python with `{x}` for the inputs, or None), `ufunc` (the NumPy ufunc that is the whole body, or None),
    `onnx`, `into` (the body as a function that writes into its first argument, or None), `may_raise` (whether the body
    can fail because of a value: a boolean, or a function of the inputs and attributes of a node), `hidden` (whether
    nobody calls it by name), `builtin` (whether it is the package's own), `beside` (by name, the ops that have most of
    its work done for the same input, with a function from their value to it that loses digits where it is small, or
    None),
    `pairs` (the gradient rules of the op and the one before it taken together, by the name of that one, for pairs whose
    rules one after the other would multiply 0 and infinity; or None), `reads` (from all inputs the first, and its
    pairs, if the op is one of a pair with it; or None), `paired` (whether the op is the inner one of a pair), `kink`
    (where the slope is what a convention says: a text for people, and a function `(y, *inputs, **attrs)` on arrays that
    gives booleans in the shape of y; or None), `complex` (whether its rules are right for complex numbers too, with
    gradients such that `dL = Re(g * dx)`: then those of holomorphic functions are the real ones), `ready` (a
    function of the attributes of a node that returns when native code for it is there; or None).
    """

    __slots__ = (
        "beside",
        "builtin",
        "complex",
        "differentiable",
        "doc",
        "expr",
        "family",
        "forward",
        "function",
        "hidden",
        "infer",
        "into",
        "kink",
        "may_raise",
        "name",
        "onnx",
        "paired",
        "pairs",
        "params",
        "prepare",
        "reads",
        "ready",
        "ufunc",
        "vjp",
    )

    def __init__(
        self,
        name: str,
        family: str,
        forward: Callable[..., Any],
        infer: Callable[..., Any],
        vjp: Sequence[Rule | None] | Rule,
        params: Sequence[str] = (),
        expr: str | None = None,
        ufunc: np.ufunc | None = None,
        onnx: str | None = None,
        prepare: Callable[..., dict[str, Any]] | None = None,
        doc: str | None = None,
        into: Callable[..., None] | None = None,
        may_raise: bool | Callable[..., bool] = True,
        hidden: bool = False,
        builtin: bool = False,
        complex: bool = False,
        beside: Mapping[str, Callable[[Any], Any] | None] | None = None,
        pairs: Mapping[str, Sequence[Rule]] | None = None,
        reads: Callable[..., Any] | None = None,
        kink: tuple[str, Callable[..., Any]] | None = None,
        ready: Callable[..., Any] | None = None,
    ):
        self.name = name
        self.family = family
        self.forward = forward
        self.infer = infer
        self.vjp = vjp if callable(vjp) else tuple(vjp)
        self.params = tuple(params)
        self.expr = expr
        self.ufunc = ufunc
        self.onnx = onnx
        self.prepare = prepare
        self.doc = doc
        self.into = into
        self.may_raise = may_raise
        self.hidden = hidden
        self.builtin = builtin
        self.complex = complex
        self.beside = beside or {}
        self.pairs = pairs
        self.paired = False
        self.reads = reads
        self.kink = kink
        self.ready = ready
        self.differentiable = callable(vjp) or any(rule is not None for rule in vjp)
        self.function: Callable[..., Any] | None = None

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

    def can_fail(self, inputs: Sequence[Any], attrs: dict[str, Any]) -> bool:
        """Whether a node of these inputs, whose shapes and dtypes fit, can fail because of a value."""
        return self.may_raise(*inputs, **attrs) if callable(self.may_raise) else self.may_raise

    def rule(self, place: int) -> Rule | None:
        """The gradient rule for the input at `place`."""
        if isinstance(self.vjp, tuple):
            return self.vjp[place]
        vjp = self.vjp
        return lambda g, y, *inputs, **attrs: vjp(place, g, y, *inputs, **attrs)


OPS: dict[str, Op] = {}


def registered(op: Op) -> Op:
    """`op`, known by its name from now on. Raises `ValueError` for a name that is taken or is no Python name."""
    if not op.name.isidentifier():
        raise ValueError(f"the name of an op is a Python name; received {op.name[:100]!r}")
    if op.name in OPS:
        kind = "one that is made inside" if OPS[op.name].hidden else "an op"
        raise ValueError(f"an op cannot be named {op.name!r}: {kind} of that name exists already; give another name=")
    OPS[op.name] = op
    return op


def frozen(value: Any) -> Any:
    """An attribute as something that can be compared and hashed by content."""
    if isinstance(value, (tuple, list)):
        return (type(value).__name__, *map(frozen, value))
    if isinstance(value, dict):
        return tuple((k, frozen(v)) for k, v in sorted(value.items()))
    if isinstance(value, slice):
        return ("slice", frozen(value.start), frozen(value.stop), frozen(value.step))
    if isinstance(value, np.ndarray):
        return ("array", value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, float):
        return ("float", value.hex())
    try:
        hash(value)
    except TypeError:
        return ("object", id(value))
    return (type(value).__name__, value)
