"""The node: a `Tensor` holds its array if that is known, the op that made it, its inputs and its attributes.

Here too: what makes one of an array, and the topological sort. No operator is defined here: every method that computes
is added by `graphnet.methods`.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.arrays import Shape, Spec, known, leaving, native, ndarray
from graphnet.mode import NO_ATTRS, PACKAGE, Region, site_line, state
from graphnet.record import Op
from graphnet.unreadable import received

new = object.__new__
tick: Callable[[], int] = itertools.count(1).__next__

_DEFAULTS: dict[str, Any] = {
    "op": None,
    "_inputs": (),
    "attrs": NO_ATTRS,
    "requires_grad": False,
    "name": None,
    "grad": None,
    "region": None,
    "gradient_of": None,
    "_tick": 0,
    "_lock": None,
    "_code": None,
    "_lasti": -1,
}


if TYPE_CHECKING:
    from graphnet.declared import Operators

    class _Operators(Operators["Tensor"]): ...
else:
    _Operators = object


class Tensor(_Operators):
    """A node of a graph: an array if it is known, and how it was made.

    Make one with `graphnet.tensor` (data), `graphnet.Parameter` (data that learns), `graphnet.input` (symbolic), or
    by computing with others.

    * `shape`, `dtype`, `ndim`, `size`: known always;
    * `op`, `inputs`, `attrs`: what made it, `None`, `()` and `{}` for a leaf;
    * `requires_grad`: whether it keeps its history so that gradients can flow through it;
    * `grad`: what `backward` left here;
    * `region`: the layer or composite it was made in; `site`: the (file, line) that made it;
    * `gradient_of`: for a node of a gradient's graph, the node whose derivative it belongs to.

    >>> import graphnet as gn
    >>> x = gn.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4., 6.])
    """

    __slots__ = (
        "__weakref__",
        "_code",
        "_inputs",
        "_lasti",
        "_tick",
        "_value",
        "attrs",
        "grad",
        "gradient_of",
        "name",
        "op",
        "region",
        "requires_grad",
    )
    __array_priority__ = 1000
    __hash__ = object.__hash__
    #: whether it is a Parameter, whose array can be replaced
    _mutable = False

    _value: Any
    _inputs: tuple[Any, ...]
    _tick: int
    _code: CodeType | None
    _lasti: int
    op: Op | None
    attrs: dict[str, Any]
    requires_grad: bool
    name: str | None
    grad: Tensor | None
    gradient_of: Tensor | None
    region: Region | None

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False, name: str | None = None):
        value = as_array(data, dtype, copy=True)
        if requires_grad and value.dtype.kind != "f":
            raise TypeError(
                f"a gradient is taken with respect to floating-point numbers; received {value.dtype}: "
                "give dtype='float32' or 'float64'"
            )
        self._value = value
        self.requires_grad = bool(requires_grad)
        self._tick = tick()
        self.op = None
        self.name = name

    def __init_subclass__(cls, **options: Any) -> None:
        if cls.__module__ not in (__name__, "graphnet.leaves"):
            # Ops ask for the class itself, which is fast: one they don't know would lose its history without a word.
            raise TypeError(
                f"{cls.__name__}: the classes Tensor and Parameter cannot be subclassed; "
                "keep a tensor as an attribute of a class of your own, or give it a name="
            )
        super().__init_subclass__(**options)

    if not TYPE_CHECKING:  # with it, every attribute would be one

        def __getattr__(self, attribute: str) -> Any:
            # A slot that was never set answers with its default, so that making a node sets only what it has.
            if attribute == "grad" and self.op is not None:
                warnings.warn(
                    f"the grad of a result ({self.op.name}) is None: backward leaves gradients in leaves, a Parameter "
                    "or gn.tensor(..., requires_grad=True). To learn, change a Parameter, w.assign(w - rate * w.grad), "
                    "instead of making a new tensor of it; gn.gradients(loss, y) is the gradient for a result y",
                    stacklevel=2,
                )
            try:
                return _DEFAULTS[attribute]
            except KeyError:
                hint = ""
                if attribute in ("assign", "assign_add", "assign_sub"):
                    hint = (
                        ": what changes is a Parameter, which a function that is traced or compiled reads from "
                        "outside; an argument is an input, whose value stays as it is"
                    )
                elif attribute == "flat":
                    hint = (
                        ": its elements in a row are x.ravel(), and x.ravel()[i] is one of them. Elements cannot be "
                        "assigned, since a history may hold them: write "
                        "x = gn.set_at(x.ravel(), i, value).reshape(x.shape)"
                    )
                raise AttributeError(f"a Tensor has no attribute {attribute!r}{hint}") from None

    @property
    def shape(self) -> Shape:
        return self._value.shape

    @property
    def dtype(self) -> np.dtype:
        return self._value.dtype

    @property
    def ndim(self) -> int:
        return len(self._value.shape)

    @property
    def size(self) -> int:
        return self._value.size

    @property
    def nbytes(self) -> int:
        """The bytes of its elements."""
        return self._value.size * self._value.dtype.itemsize

    @property
    def is_symbolic(self) -> bool:
        """Whether the array is not known yet."""
        return self._value.__class__ is Spec

    @property
    def is_leaf(self) -> bool:
        """Whether no op made it (or none was recorded)."""
        return self.op is None

    @property
    def site(self) -> tuple[str, int] | None:
        """(file, line) of the code that made it: for a node made inside a layer or composite, of the call of that."""
        code, lasti = self._code, self._lasti
        if (code is None or code.co_filename.startswith(PACKAGE)) and self.region is not None:
            return self.region.site
        return site_line(code, lasti)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that its op took, in order; a Python number among them becomes a constant here."""
        inputs = self._inputs
        for value in inputs:
            if not isinstance(value, Tensor):
                self._inputs = inputs = materialised(inputs, self.op)
                break
        return inputs

    @property
    def __pandas_priority__(self) -> int:
        """Operators of pandas' classes come to a tensor whose gradient they would lose; with others they go on."""
        if self.requires_grad or self.is_symbolic:
            return 5000
        raise AttributeError("__pandas_priority__")

    def numpy(self) -> np.ndarray:
        """Its array, read-only: a history that holds it cannot be changed behind its back.

        Raises `ValueError` for a symbolic tensor, `TypeError` inside of a function that is being differentiated, if
        the tensor depends on what it is differentiated for: `t.detach().numpy()` is its value without a gradient.
        """
        view = leaving(self, "numpy()").view()
        view.flags.writeable = False
        return view

    def detach(self) -> Tensor:
        """The same array as plain data, without history."""
        if state.mode.within is not None:
            state.mode.within.flat = True
        return constant(known(self))


def as_array(data: Any, dtype: Any = None, copy: bool = False) -> np.ndarray:
    """`data` as an array of numbers or booleans, or a clear error."""
    given = data
    if data.__class__ is ndarray:
        kind = data.dtype
        if dtype is None and kind.isnative and kind.kind in "biufc":
            return data.copy() if copy else data
    elif isinstance(data, Tensor):
        data = leaving(data, "this") if data.requires_grad else known(data)
    elif isinstance(data, ndarray) and np.any(getattr(data, "mask", False)):
        raise TypeError(
            "expected an array of numbers; received a masked array, whose mask would be dropped: "
            "write array.filled(value), or give weights or a mask beside it"
        )
    try:
        if copy and data.__class__ is not ndarray and hasattr(data, "__array__"):
            data = np.asarray(data)  # not every `__array__` knows of copies
        array = np.array(data, dtype=dtype, copy=True if copy else None, order="C" if copy else "K")
    except (ValueError, TypeError) as error:
        raise TypeError(f"expected an array of numbers; received {type(given).__name__}: {error}") from None
    if array.dtype.kind not in "biufc":
        told = received(array, type(given).__name__, hasattr(given, "toarray"))
        raise TypeError(f"expected an array of numbers; received {told}")
    # In this machine's byte order, as everything that is computed.
    return array if array.dtype.isnative else array.astype(native(array.dtype))


def constant(array: np.ndarray) -> Tensor:
    """`array` as a plain tensor, not copied."""
    t = new(Tensor)
    t._value = array if array.__class__ is ndarray else np.asarray(array)
    t.requires_grad = False
    t.op = None
    return t


def materialised(inputs: tuple[Any, ...], op: Op | None = None) -> tuple[Tensor, ...]:
    """`inputs` of `op` with each Python number as a constant of the dtype that NumPy's promotion gives it.

    Raises `OverflowError` for a whole number that the dtype does not hold; a comparison takes any that NumPy does.
    """
    strong = [t._value.dtype for t in inputs if isinstance(t, Tensor)]
    return tuple(t if isinstance(t, Tensor) else constant(_promoted(t, strong, inputs, op)) for t in inputs)


def _promoted(number: Any, strong: list[np.dtype], inputs: tuple[Any, ...], op: Op | None) -> np.ndarray:
    try:
        return np.asarray(number, dtype=np.result_type(*strong, number))
    except OverflowError:
        wide = np.asarray(number)
        if op is None or op.family != "elementwise":
            raise
        # Comparisons and quotients take it: so does a constant of another dtype, if that of the result is the same.
        ones = [np.ones((1,) * len(t.shape), t.dtype) if isinstance(t, Tensor) else t for t in inputs]
        with np.errstate(all="ignore"):
            found = np.asarray(op.forward(*ones)).dtype
            for value in (wide, np.asarray(number, found if found.kind == "f" else wide.dtype)):
                if value.dtype.kind == "O":
                    continue
                specs = [t._value if isinstance(t, Tensor) else Spec((), value.dtype) for t in inputs]
                if op.infer(*specs).dtype == found:
                    return value
        raise


def toposort(outputs: Iterable[Tensor], stop: Iterable[Tensor] = ()) -> list[Tensor]:
    """A list of every tensor that `outputs` depend on, inputs before what they feed, in an order set by the graph
    alone.

    Tensors in `stop` are listed, but not what they were made from. Time and memory are linear, and nothing recurses.

    Raises `ValueError` if the graph has a cycle.

    >>> import graphnet as gn
    >>> x = gn.input((2,), name="x")
    >>> y = gn.exp(x)
    >>> z = y + x
    >>> [t.op.name if t.op else t.name for t in gn.toposort([z])]
    ['x', 'exp', 'add']
    >>> [t.op.name for t in gn.toposort([gn.sin(y)], stop=[y])]
    ['exp', 'sin']
    """
    order: list[Tensor] = []
    seen: set[Tensor] = set()
    opened: set[Tensor] = set()
    barrier = set(stop)
    for root in outputs:
        stack: list[Tensor] = [root]
        while stack:
            node = stack[-1]
            if node in seen:
                stack.pop()
                continue
            waiting = [t for t in node.inputs if t not in seen] if node not in barrier else ()
            if waiting:
                if not opened.isdisjoint(waiting):
                    raise ValueError(f"the graph has a cycle through {node.op.name if node.op else node.name!r}")
                opened.add(node)
                stack.extend(reversed(waiting))
            else:
                stack.pop()
                seen.add(node)
                order.append(node)
    return order


def made_by(t: Tensor, *functions: Any) -> bool:
    """Whether `t` is the result of one of these functions of users, or ops."""
    op = t.op
    return op is not None and any(op is f.op for f in functions)


def is_view(t: Tensor) -> bool:
    """Whether `t` can be a view of its one input."""
    return t.op is not None and t.op.view is not None and len(t._inputs) == 1
