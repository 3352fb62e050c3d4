"""The record of one operation: its body, its rules, and every fact that others ask about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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


@dataclass(eq=False, slots=True, repr=False)
class Op:
    """One operation, and everything that others ask about it: nobody asks for its name, but to show it."""

    #: NumPy's, where NumPy has it
    name: str
    #: "elementwise", "reduction" or "op"
    family: str
    #: the body, on arrays
    forward: Callable[..., Any]
    #: specs of the inputs and the attributes to the spec of the result
    infer: Callable[..., Any]
    #: a tuple of one gradient rule for each input, None where there is no derivative; or one rule that takes the
    #: input's place first, for ops of any number of inputs; or a `Joint` one
    vjp: Any
    #: the names of the inputs; none for any number of them
    params: tuple[str, ...] = ()
    #: its native form: a scalar expression in Python over `{x}`, ... for inputs and numbers among the attributes
    expr: str | None = None
    #: the NumPy ufunc that is the whole body
    ufunc: np.ufunc | None = None
    onnx: str | None = None
    #: attributes as written to attributes in one form
    prepare: Callable[..., dict[str, Any]] | None = None
    doc: str | None = None
    #: the body as a function that writes into its first argument
    into: Callable[..., None] | None = None
    #: whether the body can fail because of a value: a boolean, or a function of the inputs and attributes of a node
    may_raise: bool | Callable[..., bool] = True
    #: whether nobody calls it by name
    hidden: bool = False
    #: whether it is the package's own
    builtin: bool = False
    #: whether its rules are right for complex numbers too, with gradients such that `dL = Re(g * dx)`: then those of
    #: holomorphic functions are the real ones
    complex: bool = False
    #: ops that have most of its work done for the same input, with a function from their value to its own that loses
    #: digits where that is small, or None
    beside: dict[Op, Callable[[Any], Any] | None] = field(default_factory=dict)
    #: the gradient rules of the op and the one before it taken together, by that one: for pairs whose rules one after
    #: the other would multiply 0 and infinity. Filled by `pair`
    pairs: dict[Op, Sequence[Rule]] | None = None
    #: from all inputs the first, and its pairs, if the op is one of a pair with it
    reads: Callable[..., Any] | None = None
    #: the batching rule, `(batch, *inputs, **attrs)` in tensor ops: the results for all places of a further first axis,
    #: which the inputs have where `batch` says so; without one, that of the family, or one place after the other
    batch: Callable[..., Any] | None = None
    #: where the slope is what a convention says: a text for people, and a function `(y, *inputs, **attrs)` on arrays
    #: that gives booleans in the shape of y
    kink: tuple[str, Callable[..., Any]] | None = None
    #: a function of the attributes of a node that returns when native code for it is there
    ready: Callable[..., Any] | None = None
    #: the ufunc whose NaN it replaces by 0 where a zero meets an infinity
    guards: np.ufunc | None = None
    #: whether two inputs can change places: "bits" where that changes no bit of the result, "value" where no more than
    #: its rounding or the sign of a zero
    commutes: str | None = None
    #: whether each element of the result is one of the first input, in the dtype of the result and with the axes in the
    #: same order
    same: bool = False
    #: the NumPy expression that gives the result of one input without a copy, over `{x}`, `{shape}` (of the result),
    #: `{broadcast_to}` and the attributes; where its array shares no memory with that of x, it is no view after all
    view: str | None = None
    #: for a reduction that combines two values at a time, the ufunc that does so
    fold: np.ufunc | None = None
    #: whether the result is the position of what `fold` chooses
    position: bool = False
    #: its native form where that depends on where in the result an element is: a function of the number of the element
    #: in C order, a uint64, and of the inputs and attributes, over values with Python's operators and `cast(dtype)`
    indexed: Rule | None = None
    #: the names of inputs of which `expr` reads whether they are not zero
    truth: tuple[str, ...] = ()
    #: the kinds of dtypes, once all inputs are brought to one, that `expr` is right for
    kinds: str = "iuf"
    #: nanoseconds for one element in a native loop, and about how many instructions its native form has, in polynomials
    #: of three or so; without them, what its `expr` comes to
    cost: float | None = None
    weight: int | None = None
    #: whether the op is the inner one of a pair
    paired: bool = field(default=False, init=False)
    #: whether some input has a gradient rule
    differentiable: bool = field(default=False, init=False)
    #: what users call
    function: Callable[..., Any] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not callable(self.vjp):
            self.vjp = tuple(self.vjp)
        self.params = tuple(self.params)
        self.differentiable = callable(self.vjp) or any(rule is not None for rule in self.vjp)
        for inner in self.pairs or ():
            inner.paired = True

    @property
    def op(self) -> Op:
        """Itself: a record can be given where a function of users can."""
        return self

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


def pair(pairs: dict[Op, Sequence[Rule]] | None, inner: Any, *rules: Rule) -> None:
    """Add to the `pairs` of an op the rules together with the op, or function, that is computed before it."""
    assert pairs is not None
    pairs[inner.op] = rules
    inner.op.paired = True


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


def probed_dtype(forward: Callable[..., Any]) -> Callable[..., np.dtype]:
    """A dtype rule that asks the body itself, once for each combination of dtypes, with arrays of ones."""
    cache: dict[Any, np.dtype] = {}

    def rule(*specs: Any, **attrs: Any) -> np.dtype:
        key = (tuple(s.dtype for s in specs), tuple(len(s.shape) for s in specs), str(attrs) if attrs else None)
        if key not in cache:
            with np.errstate(all="ignore"):
                cache[key] = np.asarray(forward(*[np.ones((1,) * len(s.shape), s.dtype) for s in specs], **attrs)).dtype
        return cache[key]

    return rule
