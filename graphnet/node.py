"""The node: a `Tensor` holds its array if that is known, the op that made it, its inputs and its attributes.

Here too: `Parameter` (the mutable leaf), `input` (the symbolic leaf) and the topological sort. No operator is defined
here: every method that computes is added by `graphnet.methods`.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.escape import line
from graphnet.mode import (
    NO_ATTRS,
    PACKAGE,
    Region,
    caller_site,
    reached_elsewhere,
    site_line,
    state,
)
from graphnet.record import Op
from graphnet.shapes import Axes, DTypeLike

Shape = tuple[int, ...]
ndarray = np.ndarray
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


class Spec:
    """The shape and dtype of an array that is not known yet."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Shape, dtype: np.dtype):
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        total = 1
        for n in self.shape:
            total *= n
        return total


class Tensor:
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
        if cls.__module__ != __name__:
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

    if TYPE_CHECKING:
        # What `graphnet.methods` adds, declared for type checkers.
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __rfloordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __rmod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __rand__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __ror__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __rxor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __getitem__(self, key: Any) -> Tensor: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[Tensor]: ...
        def __bool__(self) -> bool: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...
        def __complex__(self) -> complex: ...
        def __index__(self) -> int: ...
        def __contains__(self, value: Any) -> bool: ...
        def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]: ...
        def __rdivmod__(self, other: Any) -> tuple[Tensor, Tensor]: ...
        def __round__(self, ndigits: int | None = 0) -> Tensor: ...
        def __repr__(self) -> str: ...
        def __str__(self) -> str: ...
        def __format__(self, spec: str) -> str: ...
        def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any: ...
        def item(self) -> float | int: ...
        def tolist(self) -> Any: ...
        def backward(self, gradient: Any = None) -> None: ...
        def reshape(self, *sizes: Any, **given: Any) -> Tensor: ...
        def transpose(self, *axes: Any, **given: Any) -> Tensor: ...
        def clip(self, min: Any = None, max: Any = None) -> Tensor: ...
        def flatten(self) -> Tensor: ...
        def dot(self, b: Any) -> Tensor: ...
        def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor: ...
        def copy(self) -> Tensor: ...
        def draw(self, path: Any = None, **options: Any) -> Any: ...
        def sum(self, axis: Axes = None, keepdims: bool = False) -> Tensor: ...
        def prod(self, axis: Axes = None, keepdims: bool = False) -> Tensor: ...
        def mean(self, axis: Axes = None, keepdims: bool = False) -> Tensor: ...
        def var(self, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor: ...
        def std(self, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor: ...
        def max(self, axis: Axes = None, keepdims: bool = False) -> Tensor: ...
        def min(self, axis: Axes = None, keepdims: bool = False) -> Tensor: ...
        def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor: ...
        def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor: ...
        def cumsum(self, axis: int | None = None) -> Tensor: ...
        def any(self, axis: Axes = None, keepdims: bool = False) -> Tensor: ...
        def all(self, axis: Axes = None, keepdims: bool = False) -> Tensor: ...
        def ravel(self) -> Tensor: ...
        def swapaxes(self, axis1: int, axis2: int) -> Tensor: ...
        def squeeze(self, axis: Axes = None) -> Tensor: ...
        def astype(self, dtype: DTypeLike) -> Tensor: ...
        def round(self, decimals: int = 0) -> Tensor: ...
        def take(self, indices: Any, axis: int | None = None, mode: str = "raise") -> Tensor: ...
        def repeat(self, repeats: int | Sequence[int], axis: int | None = None) -> Tensor: ...
        def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor: ...
        def argsort(self, axis: int = -1) -> Tensor: ...
        def conj(self) -> Tensor: ...
        def conjugate(self) -> Tensor: ...
        def exp(self) -> Tensor: ...
        def log(self) -> Tensor: ...
        def sqrt(self) -> Tensor: ...
        def abs(self) -> Tensor: ...
        def sin(self) -> Tensor: ...
        def cos(self) -> Tensor: ...
        def tanh(self) -> Tensor: ...
        def sigmoid(self) -> Tensor: ...
        def relu(self) -> Tensor: ...
        def softmax(self, axis: Axes = -1) -> Tensor: ...
        def norm(self, ord: float | str | None = None, axis: Axes = None, keepdims: bool = False) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        @property
        def T(self) -> Tensor: ...
        @property
        def real(self) -> Tensor: ...
        @property
        def imag(self) -> Tensor: ...
        @property
        def mT(self) -> Tensor: ...


class Parameter(Tensor):
    """A leaf that learns: its array can be replaced with `assign`, and gradients are taken with respect to it.

    A gradient of a history that used the value from before an `assign` raises instead of being wrong.

    `trainable=False` makes it state that only `assign` changes (a moving average, say).

    >>> import graphnet as gn
    >>> w = gn.Parameter([[1.0, 2.0]], name="w")
    >>> w.assign([[3.0, 4.0]])
    >>> w
    Parameter([[3., 4.]], name='w')
    """

    __slots__ = ("_changed", "_lock")
    #: how many there have been: who has listed those of a model need not look again while there is no new one
    _made = 0
    _changed: int
    _lock: Any

    def __init__(self, data: Any, dtype: Any = None, name: str | None = None, trainable: bool = True):
        value = as_array(data, dtype, copy=True)
        if trainable and value.dtype.kind != "f":
            if value.dtype.kind not in "iu" or dtype is not None:
                raise TypeError(f"a Parameter holds floating-point numbers; received {value.dtype}")
            value = value.astype(np.float64)
        self._value = value
        self.requires_grad = bool(trainable)
        self._tick = tick()
        self._changed = 0
        Parameter._made += 1
        self.op = None
        self.name = name

    def assign(self, value: Any) -> None:
        """Replace the array. The shape must be the same; the dtype is kept.

        Inside a trace a symbolic `value` becomes an update of the traced graph, carried out at each call.
        """
        current = state.mode.trace
        if isinstance(value, Tensor):
            if value.shape != self.shape:
                raise ValueError(self._mismatch(value.shape))
            if current is not None:
                current.assign(self, value)
                return
            array = known(value)
        else:
            array = np.asarray(value)
            if array.shape != self.shape:
                raise ValueError(self._mismatch(array.shape))
            if current is not None:
                current.assign(self, constant(array.astype(self.dtype)))
                return
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{line(self.name or 'a Parameter')} holds {self.dtype}; received {array.dtype}")
        # Row after row, whatever the order of what was given: plans rely on it.
        self._value = np.array(array, dtype=self.dtype, copy=True, order="C")
        self._changed = tick()

    def assign_add(self, value: Any) -> None:
        """`assign(self + value)`."""
        self.assign(self + value)

    def assign_sub(self, value: Any) -> None:
        """`assign(self - value)`."""
        self.assign(self - value)

    def _mismatch(self, shape: Shape) -> str:
        return f"assign to {line(self.name or 'a Parameter')}: its shape is {self.shape}; received {shape}"

    def touched(self) -> np.ndarray:
        """Its array, to write to in place; histories that used it are void from now on.

        It is a copy of the one before, which others may hold.
        """
        self._changed = tick()
        self._value = self._value.copy()
        return self._value


KINDS: frozenset[Any] = frozenset({Tensor, Parameter})
WEAK: frozenset[Any] = frozenset({float, int, bool})


def as_array(data: Any, dtype: Any = None, copy: bool = False) -> np.ndarray:
    """`data` as an array of numbers or booleans, or a clear error."""
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
        raise TypeError(f"expected an array of numbers; received {type(data).__name__}: {error}") from None
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"expected an array of numbers; received {type(data).__name__} which NumPy reads as {array.dtype}"
            f"{': write .toarray()' if hasattr(data, 'toarray') else ''}"
        )
    # In this machine's byte order, as everything that is computed.
    return array if array.dtype.isnative else array.astype(native(array.dtype))


def native(dtype: Any) -> np.dtype:
    """A dtype in this machine's byte order: NumPy's own object for it, if it has one.

    NumPy compares the dtypes of arrays that share memory as objects: with an equal one it takes an operation in place
    for one on arrays that overlap, and copies.
    """
    kind = np.dtype(dtype)
    return np.dtype(kind.char) if kind.kind in "biufc" else kind.newbyteorder("=")


def known(t: Tensor) -> np.ndarray:
    """The array of `t`, or an error if `t` is symbolic."""
    value = t._value
    if value.__class__ is Spec:
        label = f"{t.name!r} " if t.name else ""
        if state.mode.trace is not None and state.mode.trace.rows is not None:
            raise ValueError(
                f"the value of {label}({value.dtype}{list(value.shape)}) is not known: gn.vmap runs the function once, "
                "for all rows together; write gn.where instead of if, gn.scan instead of a loop that needs a number, "
                "and gn's functions instead of math's and NumPy's"
            )
        raise ValueError(
            f"the value of the symbolic tensor {label}({value.dtype}{list(value.shape)}) is not known yet: "
            "build a Graph from it and call that with arrays; in a function that is traced or compiled, write gn.where "
            "instead of if, gn.scan instead of a loop that needs a number, and gn's functions instead of math's"
        )
    return value


#: what to write instead of something that takes a tensor out of the graph
STAYING = (
    "Compute on with tensors (gn.sin instead of math.sin, gn.stack or gn.tensor instead of np.array, gn.set_at instead "
    "of an assignment into an array); for a value without a gradient, write gn.stop_gradient(x) or x.detach()"
)


def leaving(t: Tensor, how: str) -> np.ndarray:
    """The array of `t` for code that knows nothing of graphs (`how` it is asked for), or an error where that is wrong.

    Inside of a function that is being differentiated, and of the forward part of a training step, what depends on the
    variables stays in the graph: its gradient would be lost. For functions that holds on threads which they use, too.
    """
    m = state.mode
    if not t.requires_grad and m.plain and t._value.__class__ is ndarray:
        return t._value
    if t.requires_grad and m.recording:
        around = (m.within and m.within.reached(t)) or reached_elsewhere(t)
        if around is not None:
            raise TypeError(
                f"{how} takes a tensor out of the graph, and its gradient would be lost: it depends on what "
                f"{around.what} differentiates for. {STAYING}"
            )
        if m.within is not None and m.within.left is not None:
            m.within.left.append((t, how))
    return settled(t, how)


def settled(t: Tensor, how: str) -> np.ndarray:
    """The array of `t`, or an error if it is symbolic, or a Parameter in a trace, which would fix its value."""
    trace = state.mode.trace
    if trace is not None and not (trace.looking or trace.fixed) and isinstance(t, Parameter):
        raise ValueError(
            f"{how} of the Parameter {line(t.name or '')} ({t.dtype}{list(t.shape)}) in a function that is traced or "
            "compiled: its value is not known yet, since it can change between two calls; write gn.where instead of "
            "if, and gn's functions instead of math's and NumPy's"
        )
    return known(t)


def constant(array: np.ndarray) -> Tensor:
    """`array` as a plain tensor, not copied."""
    t = new(Tensor)
    t._value = array if array.__class__ is ndarray else np.asarray(array)
    t.requires_grad = False
    t.op = None
    return t


def variable(array: np.ndarray) -> Tensor:
    """`array`, not copied, as a leaf that gradients are taken with respect to."""
    t = constant(array)
    t.requires_grad = True
    t._tick = tick()
    return t


def symbolic(shape: Shape, dtype: np.dtype, name: str | None = None) -> Tensor:
    """A symbolic leaf."""
    t = new(Tensor)
    dtype = native(dtype)
    t._value = Spec(shape, dtype)
    t.requires_grad = dtype.kind == "f"
    t.op = None
    t.name = name
    t._tick = tick()
    t._code, t._lasti = caller_site()
    return t


def input(shape: int | Iterable[int], dtype: Any = "float32", name: str | None = None) -> Tensor:
    """A symbolic tensor of `shape` and `dtype`: a leaf of a graph whose array is given when the graph is called.

    >>> import graphnet as gn
    >>> x = gn.input((2, 3), name="x")
    >>> (x * 2).shape
    (2, 3)
    """
    sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0 for n in sizes):
        raise ValueError(f"the shape of an input is a tuple of sizes, each 0 or more; received {shape!r}")
    kind = native(dtype)
    if kind.kind not in "biuf":
        raise TypeError(f"an input holds numbers or booleans; received dtype {kind}")
    return symbolic(tuple(int(n) for n in sizes), kind, name)


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
