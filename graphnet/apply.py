"""What happens when an op is applied.

With known arrays the body runs at once, and the node keeps its inputs if one of them needs a gradient; with a symbolic
input only the shape rule runs; inside a gradient rule that runs on bare arrays, the body runs and nothing is wrapped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.arrays import WEAK, Spec
from graphnet.leaves import KINDS, Parameter
from graphnet.mode import NO_ATTRS, PACKAGE, caller_site, prefix, state
from graphnet.node import Tensor, as_array, constant, materialised, new, tick
from graphnet.record import OPS, Op

ndarray = np.ndarray


#: errors that keep their kind when op, inputs and layer are added to their text
KEPT = (ValueError, TypeError, IndexError, FloatingPointError, OverflowError, ZeroDivisionError, MemoryError)


def failure(
    op: Op,
    error: BaseException,
    args: Sequence[Any],
    attrs: dict[str, Any],
    explain: bool = True,
    made: Tensor | None = None,
) -> BaseException:
    """`error` with op, inputs and layer in its text, said once; the shape rule may know a better reason.

    Where a node of a graph was run, `made` is that node: layer and line are those where it was made.
    """
    if isinstance(error, RecursionError):
        return error
    if getattr(error, "_graphnet_named", False):
        return error if made is None else _located(error, made)
    reason = str(error)
    if explain and not isinstance(error, MemoryError):
        try:
            specs = [a._value if isinstance(a, Tensor) else Spec(np.shape(a), np.asarray(a).dtype) for a in args]
            op.infer(*specs, **attrs)
        except Exception as found:
            reason = str(found)
    if isinstance(error, TypeError) and "not supported for the input types" in reason:
        for a in args:
            if getattr(getattr(a, "dtype", None), "kind", "") == "c":
                reason = "it is not defined for complex numbers: of them take gn.real, gn.imag or gn.abs"
    listed = [described(a) for a in args] + [f"{k}={v!r}" for k, v in attrs.items() if v is not None]
    where = state.mode.region if made is None else made.region
    layer = prefix(where)
    kind = type(error) if type(error) in KEPT else MemoryError if isinstance(error, MemoryError) else ValueError
    # What only plans make was not called so by anybody.
    called = "" if op.hidden else f"{op.name}({', '.join(listed)}): "
    named = kind(f"{layer}{called}{reason}{_at(made)}")
    named._graphnet_located = made is not None  # type: ignore[attr-defined]
    named._graphnet_named = True  # type: ignore[attr-defined]
    named._graphnet_failed = (op, tuple(args), where)  # type: ignore[attr-defined]
    return named


def _at(made: Tensor | None) -> str:
    """The line that made a node, for the end of an error."""
    site = made.site if made is not None else None
    return f" (made at {site[0]}:{site[1]})" if site is not None else ""


def _located(error: BaseException, made: Tensor) -> BaseException:
    """An error that names its op, with the layer and the line that made the node."""
    if not getattr(error, "_graphnet_located", False):
        layer = prefix(made.region)
        text = str(error)
        error.args = (f"{'' if text.startswith(layer) else layer}{text}{_at(made)}",)
        error._graphnet_located = True  # type: ignore[attr-defined]
    return error


#: whether a complex number was ever part of a history: until then no sweep looks for one
COMPLEX = [False]


def described(value: Any) -> str:
    """`float32[5, 7]` for anything with a shape and dtype; a number as itself."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype}{list(value.shape)}"
    return repr(value) if value.__class__ in WEAK else type(value).__name__


def holds_tensors(data: Any) -> bool:
    """Whether a list or tuple, or one inside it, holds a tensor."""
    kinds = set(map(type, data))
    if any(issubclass(kind, Tensor) for kind in kinds):
        return True
    nested = [kind for kind in kinds if issubclass(kind, (list, tuple))]
    return bool(nested) and any(holds_tensors(item) for item in data if isinstance(item, (list, tuple)))


def as_tensor(data: Any, copy: bool = True) -> Tensor:
    """`data` as a tensor: numbers and arrays as plain data, a list that holds tensors stacked, with their history.

    An array is copied, since its owner may write to it while a history holds the tensor; `copy=False` is for those who
    know that none will.

    Raises `TypeError` where `data` is not numbers, `ValueError` where tensors of a list differ in shape.
    """
    if isinstance(data, Tensor):
        return data
    if data.__class__ is ndarray and data.dtype.kind != "O":
        return constant(as_array(data, copy=copy))
    if isinstance(data, (list, tuple)):
        if holds_tensors(data):
            return _stacked(data, _promoted(data))
    elif hasattr(type(data), "__array__") and (array := np.asarray(data)).dtype.kind == "O" and array.ndim:
        listed = array.tolist()
        if holds_tensors(listed):
            return _stacked(listed, _promoted(listed))
    return constant(as_array(data, copy=copy))


def _promoted(data: Any) -> np.dtype:
    """The dtype of a nested list of tensors, arrays and numbers; Python numbers are weak, as they are in arithmetic."""
    strong: set[Any] = set()
    weak: dict[type, Any] = {}
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (list, tuple)):
            waiting += item
        elif item.__class__ in WEAK or item.__class__ is complex:
            weak.setdefault(item.__class__, 1j if item.__class__ is complex else item)
        else:
            strong.add(item.dtype if isinstance(item, Tensor) else as_array(item).dtype)
    return np.result_type(*strong, *weak.values())


def _stacked(data: Any, dtype: np.dtype) -> Tensor:
    parts = []
    for item in data:
        if isinstance(item, Tensor):
            parts.append(item)
        elif isinstance(item, (list, tuple)) and holds_tensors(item):
            parts.append(_stacked(item, dtype))
        else:
            array = as_array(item)
            parts.append(constant(array.astype(dtype, copy=array.__class__ is ndarray)))
    for place, part in enumerate(parts):
        if part.shape != parts[0].shape:
            raise ValueError(
                f"a list of tensors is stacked, so all have one shape; entry 0 has shape {parts[0].shape}, "
                f"entry {place} has {part.shape}"
            )
    if all(part.dtype != dtype for part in parts):
        parts = [apply(OPS["astype"], (part,), {"dtype": dtype}) for part in parts]
    return apply(OPS["stack"], parts, {"axis": 0})


def _converted(op: Op, args: Sequence[Any]) -> tuple[list[Any], bool]:
    """`args` with arrays, lists and NumPy scalars as tensors, and whether there were such.

    Numbers stay weak beside others in elementwise ops.
    """
    tensors = True
    strong = recording = False
    for a in args:
        if a.__class__ in KINDS:
            strong = True
            if a.requires_grad or a._value.__class__ is Spec:
                recording = True
        else:
            tensors = False
            if a.__class__ not in WEAK and a.__class__ is not complex:
                strong = True
    if tensors:
        return list(args), False
    keeps_weak = strong and op.family == "elementwise"
    out = []
    for a in args:
        if a.__class__ in KINDS or (keeps_weak and (a.__class__ in WEAK or a.__class__ is complex)):
            out.append(a)
        else:
            # A history keeps its own copy: writing to the caller's array later must not change a gradient.
            try:
                out.append(as_tensor(a, copy=recording))
            except (TypeError, ValueError) as error:
                raise failure(op, error, args, NO_ATTRS, explain=False) from None
    return out, True


def apply(op: Op, args: Sequence[Any], attrs: dict[str, Any] = NO_ATTRS, prepared: bool = False) -> Any:
    """Apply `op`: the path that handles everything. Elementwise functions have a shorter one for plain eager values."""
    m = state.mode
    if m.raw and not any(a.__class__ in KINDS for a in args):
        return op.forward(*args, **attrs)
    if m.trace is not None:
        args = [m.trace.current.get(a, a) if a.__class__ is Parameter else a for a in args]
    inputs, foreign = _converted(op, args)
    unknown = False
    for t in inputs:
        if t.__class__ in KINDS and t._value.__class__ is Spec:
            unknown = True
    read = (
        m.trace is not None
        and not (unknown or m.trace.fixed)
        and any(t.__class__ in KINDS and _is_read(t) for t in inputs)
    )
    if read and not m.trace.looking:
        # A parameter can change between two calls of the traced graph: inside the trace it counts as unknown.
        unknown = any(t.__class__ is Parameter for t in inputs)
    traced = unknown and m.trace is not None
    if traced and m.recording and op.differentiable:
        inputs = [stopped(t) if t.__class__ in KINDS else t for t in inputs]
    if unknown:
        try:
            inputs = list(materialised(tuple(inputs), op))
        except Exception as error:
            raise failure(op, error, inputs, attrs, explain=False) from None
    values = [t._value if t.__class__ in KINDS else t for t in inputs]
    if op.prepare is not None and not prepared:
        try:
            attrs = op.prepare(*values, **attrs)
        except Exception as error:
            raise failure(op, error, inputs, attrs, explain=False) from None
    value: Any
    try:
        if unknown:
            value = op.infer(*[_spec(v) for v in values], **attrs)
        else:
            value = op.forward(*values, **attrs)
    except Exception as error:
        # What a user's op failed of is worth knowing: that is the cause of its error.
        raise failure(op, error, inputs, attrs) from error.__cause__
    if foreign and not unknown and (getattr(value, "base", None) is not None or any(value is v for v in values)):
        value = np.array(value)  # not a view of the caller's array
    y = new(Tensor)
    y._value = value if value.__class__ is ndarray or unknown else np.asarray(value)
    kind = y._value.dtype.kind
    needs = unknown or (
        m.recording
        and op.differentiable
        and (kind == "f" or kind == "c")
        and any(t.__class__ in KINDS and t.requires_grad for t in inputs)
    )
    if not needs and read and m.trace.looking:
        needs = True  # a graph that is built here computes it when it runs
    if not needs:
        y.requires_grad = False
        y.op = None
        if m.within is not None and not m.within.flat:
            m.within.flat = any(t.__class__ in KINDS and t.requires_grad for t in inputs)
    else:
        y.requires_grad = kind == "f" and op.differentiable and (m.recording or not traced)
        if kind == "c" and op.differentiable and any(t.__class__ in KINDS and t.requires_grad for t in inputs):
            y.requires_grad = COMPLEX[0] = True
        if m.within is not None and not y.requires_grad:
            m.within.flat = True
        y.op = op
        y._inputs = tuple(inputs)
        y.attrs = attrs
        y._tick = tick()
        y.region = m.region
        frame = sys._getframe(2)
        if frame.f_code.co_filename.startswith(PACKAGE):
            y._code, y._lasti = caller_site()
        else:
            y._code = frame.f_code
            y._lasti = frame.f_lasti
        if m.of is not None:
            y.gradient_of = m.of
    if m.debug is not None and not unknown:
        m.debug.check(op, inputs, y)
    return y


def stopped(t: Tensor) -> Tensor:
    """What stands in a graph for `t`, that is used where gradients are recorded: a traced node that was made in
    `no_grad` passes none on, and a node of its own says so, whatever the graph becomes."""
    if t.requires_grad or t.op is None or not t.op.differentiable or not t.is_symbolic or t.dtype.kind != "f":
        return t
    return made(OPS["stop_gradient"], (t,), NO_ATTRS, like=t)


def _is_read(t: Tensor) -> bool:
    """Whether a graph reads `t` when it runs: a parameter, or what was made from one."""
    return t.__class__ is Parameter or t.op is not None


def apply_prepared(op: Op, inputs: Sequence[Tensor], attrs: dict[str, Any]) -> Tensor:
    """Apply `op` with the attributes of a node, which are in their final form already."""
    return apply(op, inputs, attrs, prepared=True)


def _spec(value: Any) -> Spec:
    return value if value.__class__ is Spec else Spec(value.shape, value.dtype)


def made(op: Op, inputs: Sequence[Tensor], attrs: dict[str, Any], like: Tensor | None = None) -> Tensor:
    """A symbolic node of `op`, without running or converting anything; name, region and source as those of `like`."""
    y = new(Tensor)
    y._value = op.infer(*[_spec(t._value) for t in inputs], **attrs)
    y.requires_grad = y._value.dtype.kind == "f" and op.differentiable
    if y._value.dtype.kind == "c" and op.differentiable and any(t.requires_grad for t in inputs):
        y.requires_grad = COMPLEX[0] = True
    y.op = op
    y._inputs = tuple(inputs)
    y.attrs = attrs
    y._tick = tick()
    if like is not None:
        y.region, y.name, y._code, y._lasti = like.region, like.name, like._code, like._lasti
        y.gradient_of = like.gradient_of
    return y
