"""Ops that rearrange elements, join and cut, change the dtype or the place in the graph, without computing."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Literal, overload

import numpy as np

from graphnet import shapes
from graphnet.apply import as_tensor, described, holds_tensors
from graphnet.declare import composite, op
from graphnet.node import WEAK, Parameter, Tensor, as_array, constant, known, native
from graphnet.ops.elementwise import where
from graphnet.shapes import Axes, DTypeLike, ShapeLike
from graphnet.typed import ArrayLike

_tensor = as_tensor


def plain_data(value: Any) -> Any:
    """Whether `value` is known, and nothing in it needs a gradient."""
    if isinstance(value, Tensor):
        # In a trace a Parameter counts as unknown.
        return not (value.is_symbolic or value.requires_grad or isinstance(value, Parameter))
    return not (isinstance(value, (list, tuple)) and holds_tensors(value))


def _array(value: Any) -> Any:
    """`value` as NumPy takes it, without asking a tensor for its function."""
    return value._value if isinstance(value, Tensor) else value


def axes_of(what: Any, x: Any, axis: Any, added: Any = 0) -> Any:
    """`axis` of `x` (of what has `added` axes more) as a tuple from the front; errors name `what` and the shape."""
    try:
        return shapes.axes_indices(axis, len(x.shape) + added)
    except (IndexError, TypeError, ValueError) as error:
        raise type(error)(f"{what}({described(x)}): {error}") from None


def _same(x: Any, **attrs: Any) -> Any:
    return x.shape


@op(
    _same,
    onnx="Identity",
    complex=True,
    vjp=(lambda g, y, x: g,),
    same=True,
    view="{x}",
    batch=lambda batch, x: identity(x),
)
def identity(x: ArrayLike) -> Tensor:
    """`x` itself, as a node of its own in the graph; shape and dtype are those of `x`, and so is the gradient.

    >>> import graphnet as gn
    >>> gn.identity([1.0, 2.0])
    Tensor([1., 2.])
    """
    return x


def snapshot(t: Tensor) -> Tensor:
    """The value of a parameter as it is now, whatever is assigned to it later; any other tensor is itself."""
    return identity(t) if isinstance(t, Parameter) else t


@op(_same, vjp=(None,), same=True, view="{x}", batch=lambda batch, x: stop_gradient(x))
def stop_gradient(x: ArrayLike) -> Tensor:
    """`x`; no gradient flows through it.

    >>> import graphnet as gn
    >>> gn.grad(lambda x: x * gn.stop_gradient(x))(3.0)
    Tensor(3.)
    """
    return x


def _kind(x: Any, dtype: Any) -> Any:
    kind = native(dtype)
    if kind.kind not in "biufc":
        raise TypeError(f"a tensor holds numbers or booleans; received dtype {kind}")
    if x.dtype.kind == "c" and kind.kind in "iuf":
        raise TypeError(f"{kind} has no imaginary part: of complex numbers take gn.real, gn.imag or gn.abs")
    return {"dtype": kind}


@op(
    _same,
    dtype=lambda x, dtype: dtype,
    prepare=_kind,
    onnx="Cast",
    complex=True,
    vjp=(lambda g, y, x, dtype: g,),
    same=True,
    batch=lambda batch, x, dtype: astype(x, dtype),
)
def astype(x: ArrayLike, dtype: DTypeLike) -> Tensor:
    """`x` converted to `dtype`, in the same shape. Fractions are cut off towards 0; what is not 0 is True.

    The gradient passes between floating-point dtypes; to integers or booleans, no gradient flows.

    Raises `TypeError` for a dtype that is not of numbers or booleans, and for complex numbers to a real dtype.

    >>> import graphnet as gn
    >>> gn.astype([1.7, -1.7], "int32"), gn.astype([0.0, 2.0], bool)
    (Tensor([ 1, -1], dtype=int32), Tensor([False,  True]))
    """
    return x.astype(dtype)


def _listed(shape: Any) -> Any:
    """A shape given as an array, as integers."""
    return shape.tolist() if isinstance(shape, np.ndarray) else shape


@op(
    lambda x, shape: shape,
    onnx="Reshape",
    prepare=lambda x, shape: {"shape": shapes.reshaped(x.shape, _listed(shape))},
    complex=True,
    vjp=(lambda g, y, x, shape: reshape(g, x.shape),),
    same=True,
    view="{x}.reshape({shape})",
    batch=lambda batch, x, shape: reshape(x, (x.shape[0], *shape)),
)
def reshape(x: ArrayLike, shape: ShapeLike) -> Tensor:
    """The elements of `x`, in C order, in shape `shape`; one size can be -1 and follows from the others.

    The dtype stays.

    Raises `ValueError` if the number of elements differs, or if more than one size is -1.

    >>> import graphnet as gn
    >>> gn.reshape([1, 2, 3, 4], (2, -1))
    Tensor([[1, 2],
            [3, 4]])
    """
    return np.reshape(x, shape)


def ravel(x: ArrayLike) -> Tensor:
    """The elements of `x`, in C order, along one axis: shape `(x.size,)`, the dtype of `x`.

    >>> import graphnet as gn
    >>> gn.ravel([[1, 2], [3, 4]])
    Tensor([1, 2, 3, 4])
    """
    return reshape(x, (-1,))


def _permutation(x: Any, axes: Any = None) -> Any:
    rank = len(x.shape)
    found = tuple(reversed(range(rank))) if axes is None else shapes.axes_indices(tuple(axes), rank)
    if len(found) != rank:
        raise ValueError(f"axes {axes} name {len(found)} of {rank} axes")
    return {"axes": found}


@op(
    lambda x, axes: tuple(x.shape[a] for a in axes),
    onnx="Transpose",
    prepare=_permutation,
    complex=True,
    vjp=(lambda g, y, x, axes: transpose(g, tuple(sorted(range(len(axes)), key=axes.__getitem__))),),
    view="{x}.transpose({axes})",
    batch=lambda batch, x, axes: transpose(x, (0, *(a + 1 for a in axes))),
)
def transpose(x: ArrayLike, axes: Sequence[int] | None = None) -> Tensor:
    """`x` with its axes in another order: axis `i` of the result is axis `axes[i]` of `x`.

    If `axes` is None, the order is reversed. The dtype stays. A vector stays as it is.

    Raises `ValueError` unless `axes` names each axis once, `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.transpose([[1, 2, 3]])
    Tensor([[1],
            [2],
            [3]])
    >>> gn.transpose(gn.zeros((2, 3, 4)), (1, 2, 0)).shape
    (3, 4, 2)
    """
    return np.transpose(x, axes)


def swapaxes(x: ArrayLike, axis1: int, axis2: int) -> Tensor:
    """`x` with axes `axis1` and `axis2` exchanged; the dtype stays.

    Raises `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.swapaxes(gn.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    x = _tensor(x)
    order = list(range(x.ndim))
    (i,), (j,) = axes_of("swapaxes", x, axis1), axes_of("swapaxes", x, axis2)
    order[i], order[j] = order[j], order[i]
    return transpose(x, tuple(order))


def moveaxis(x: ArrayLike, source: ShapeLike, destination: ShapeLike) -> Tensor:
    """`x` with axes moved from `source` to `destination`, one axis or several; the others keep their order.

    `destination` counts places in the result. The dtype stays.

    Raises `ValueError` for different numbers of sources and destinations, and for an axis that is named twice;
    `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.moveaxis(gn.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = _tensor(x)
    sources, targets = axes_of("moveaxis", x, source), axes_of("moveaxis", x, destination)
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis: {len(sources)} source axes, {len(targets)} destinations")
    order = [a for a in range(x.ndim) if a not in sources]
    for target, a in sorted(zip(targets, sources, strict=True)):
        order.insert(target, a)
    return transpose(x, tuple(order))


def expand_dims(x: ArrayLike, axis: Axes) -> Tensor:
    """`x` with new axes of size one at `axis`, places in the result.

    >>> import graphnet as gn
    >>> gn.expand_dims(gn.tensor([1.0, 2.0]), (0, -1)).shape
    (1, 2, 1)
    """
    x = _tensor(x)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    places = axes_of("expand_dims", x, axis, count)
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if i in places else next(sizes) for i in range(x.ndim + count)))


def squeeze(x: ArrayLike, axis: Axes = None) -> Tensor:
    """`x` without its axes of size one: those in `axis`, or all if None. The dtype stays.

    Raises `ValueError` for an axis of another size, `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> x = gn.zeros((1, 2, 1))
    >>> gn.squeeze(x).shape, gn.squeeze(x, 0).shape
    ((2,), (2, 1))
    """
    x = _tensor(x)
    axes = axes_of("squeeze", x, axis) if axis is not None else [i for i, n in enumerate(x.shape) if n == 1]
    for a in axes:
        if x.shape[a] != 1:
            raise ValueError(f"squeeze: axis {a} has size {x.shape[a]}, not 1 (shape {x.shape})")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def _target(x: Any, shape: Any) -> Any:
    wanted = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(map(operator.index, shape))
    if any(n < 0 for n in wanted):
        raise ValueError(f"a shape has no negative sizes; received {wanted}")
    if shapes.broadcast(x.shape, wanted) != wanted:
        raise ValueError(f"shape {x.shape} does not broadcast to {wanted}")
    return {"shape": wanted}


def _broadcast_each(batch: Any, x: Any, shape: Any) -> Any:
    size, *rest = x.shape
    return broadcast_to(reshape(x, (size, *(1,) * (len(shape) - len(rest)), *rest)), (size, *shape))


def _together(batch: Sequence[bool], inputs: Sequence[Any]) -> list[Any]:
    """`inputs`, all with the axis of the batch."""
    size = next(x.shape[0] for x, b in zip(inputs, batch, strict=True) if b)
    return [x if b else broadcast_to(x, (size, *x.shape)) for x, b in zip(inputs, batch, strict=True)]


@op(
    lambda x, shape: shape,
    onnx="Expand",
    prepare=_target,
    complex=True,
    vjp=(lambda g, y, x, shape: g,),
    same=True,
    view="{broadcast_to}({x}, {shape})",
    batch=_broadcast_each,
)
def broadcast_to(x: ArrayLike, shape: ShapeLike) -> Tensor:
    """`x` repeated along new axes in front and along axes of size one, to shape `shape`; the dtype stays.

    The gradient is the sum over the repetitions.

    Raises `ValueError` where `x` does not broadcast to `shape`, and for a negative size.

    >>> import graphnet as gn
    >>> gn.broadcast_to([1.0, 2.0], (2, 2))
    Tensor([[1., 2.],
            [1., 2.]])
    """
    return np.broadcast_to(x, shape)


def _joinable(*inputs: Any, axis: Any = 0) -> Any:
    rank = len(inputs[0].shape)
    for i, x in enumerate(inputs):
        if len(x.shape) != rank:
            raise ValueError(f"input 0 has {rank} dimensions, input {i} has {len(x.shape)}")
    if rank == 0:
        raise ValueError("tensors without axes cannot be concatenated; stack joins them along a new axis")
    axis = shapes.axis_index(axis, rank)
    for i, x in enumerate(inputs):
        if any(m != n for a, (m, n) in enumerate(zip(x.shape, inputs[0].shape, strict=True)) if a != axis):
            raise ValueError(f"shapes {inputs[0].shape} and {x.shape} (input {i}) differ beside axis {axis}")
    return {"axis": axis}


def _joined_shape(*inputs: Any, axis: Any) -> Any:
    first = inputs[0].shape
    return (*first[:axis], sum(x.shape[axis] for x in inputs), *first[axis + 1 :])


def _part(place: Any, g: Any, y: Any, *inputs: Any, axis: Any) -> Any:
    start = sum(x.shape[axis] for x in inputs[:place])
    return g[(slice(None),) * axis + (slice(start, start + inputs[place].shape[axis]),)]


@op(
    _joined_shape,
    prepare=_joinable,
    onnx="Concat",
    complex=True,
    vjp=_part,
    name="concatenate",
    batch=lambda batch, *inputs, axis: concatenate(_together(batch, inputs), axis + 1),
)
def _concatenate(*inputs: Any, axis: Any = 0) -> Any:
    """The inputs one after the other along `axis`."""
    return np.concatenate(inputs, axis=axis)


CONCATENATE = _concatenate.op


def concatenate(arrays: Iterable[ArrayLike], axis: int | None = 0) -> Tensor:
    """`arrays` one after the other along `axis`; flattened first if `axis` is None. The dtype is the promoted one.

    The shapes are equal but for the size of `axis`, which adds up.

    Raises `ValueError` for no arrays, for arrays without axes, and for other shapes; `IndexError` for an axis that they
    do not have.

    >>> import graphnet as gn
    >>> gn.concatenate([[1.0, 2.0], [3.0]])
    Tensor([1., 2., 3.])
    """
    parts = list(arrays)
    if not parts:
        raise ValueError("concatenate: there is nothing to join")
    if axis is None:
        return _concatenate(*[ravel(x) for x in parts], axis=0)
    return _concatenate(*parts, axis=axis)


def _stackable(*inputs: Any, axis: Any = 0) -> Any:
    for i, x in enumerate(inputs):
        if x.shape != inputs[0].shape:
            raise ValueError(f"input 0 has shape {inputs[0].shape}, input {i} has {x.shape}: they must be the same")
    return {"axis": shapes.axis_index(axis, len(inputs[0].shape) + 1)}


@op(
    lambda *inputs, axis: (*inputs[0].shape[:axis], len(inputs), *inputs[0].shape[axis:]),
    prepare=_stackable,
    complex=True,
    vjp=lambda place, g, y, *inputs, axis: g[(slice(None),) * axis + (place,)],
    name="stack",
    batch=lambda batch, *inputs, axis: stack(_together(batch, inputs), axis + 1),
)
def _stack(*inputs: Any, axis: Any = 0) -> Any:
    """The inputs side by side along a new axis."""
    return np.stack(inputs, axis=axis)


STACK = _stack.op


def stack(arrays: Iterable[ArrayLike], axis: int = 0) -> Tensor:
    """`arrays`, all of one shape, side by side along a new axis at `axis`, a place in the result.

    The new axis has one place per array; the dtype is the promoted one.

    Raises `ValueError` for no arrays and for different shapes, `IndexError` for a place that the result does not have.

    >>> import graphnet as gn
    >>> gn.stack([[1, 2], [3, 4]], axis=1)
    Tensor([[1, 3],
            [2, 4]])
    """
    parts = list(arrays)
    if not parts:
        raise ValueError("stack: there is nothing to join")
    return _stack(*parts, axis=axis)


def array_split(x: ArrayLike, indices_or_sections: ShapeLike, axis: int = 0) -> list[Tensor]:
    """A list of tensors: `x` cut along `axis`, into a number of nearly equal parts or before the given places.

    Of `n` elements in `k` parts, the first `n % k` parts have one more than the others. The dtype stays.

    Raises `ValueError` for fewer than one part, `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.array_split([0, 1, 2, 3, 4], 2)
    [Tensor([0, 1, 2]), Tensor([3, 4])]
    """
    x = _tensor(x)
    (axis,) = axes_of("array_split", x, axis)
    size = x.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        count = int(indices_or_sections)
        if count < 1:
            raise ValueError(f"split: the number of parts is 1 or more; received {count}")
        lengths = [size // count + (i < size % count) for i in range(count)]
        places = list(accumulate(lengths))[:-1]
    else:
        places = [int(i) for i in indices_or_sections]
    bounds = [0, *places, size]
    return [x[(slice(None),) * axis + (slice(a, b),)] for a, b in pairwise(bounds)]


def split(x: ArrayLike, indices_or_sections: ShapeLike, axis: int = 0) -> list[Tensor]:
    """A list of tensors: `x` cut along `axis`, into a number of equal parts or before the given places.

    The dtype stays. For parts that are not equal see `array_split`.

    Raises `ValueError` for a number of parts that does not divide the size, `IndexError` for an axis that `x` does not
    have.

    >>> import graphnet as gn
    >>> gn.split([0, 1, 2, 3], 2), gn.split([0, 1, 2, 3], [1])
    ([Tensor([0, 1]), Tensor([2, 3])], [Tensor([0]), Tensor([1, 2, 3])])
    """
    x = _tensor(x)
    if isinstance(indices_or_sections, (int, np.integer)):
        size = x.shape[axes_of("split", x, axis)[0]]
        if indices_or_sections < 1 or size % indices_or_sections:
            raise ValueError(f"split: {size} does not divide into {indices_or_sections} equal parts; see array_split")
    return array_split(x, indices_or_sections, axis)


def _widths(x: Any, pad_width: Any, value: Any = 0) -> Any:
    given = np.asarray(pad_width)
    if given.dtype.kind not in "iu" or (given < 0).any():
        raise ValueError(f"pad widths are whole numbers, 0 or more; received {pad_width}")
    rank = len(x.shape)
    if given.shape not in ((), (1,), (2,), (1, 1), (1, 2), (rank, 1), (rank, 2)):
        raise ValueError(
            f"pad_width is one number, one pair, or a pair for each of {rank} axes; received one of shape {given.shape}"
        )
    pairs = np.broadcast_to(given, (rank, 2))
    return {"pad_width": tuple((int(a), int(b)) for a, b in pairs), "value": value}


@op(
    lambda x, pad_width, value: tuple(n + a + b for n, (a, b) in zip(x.shape, pad_width, strict=True)),
    dtype=lambda x, pad_width, value: x.dtype,
    prepare=_widths,
    onnx="Pad",
    complex=True,
    vjp=(
        lambda g, y, x, pad_width, value: g[
            tuple(slice(a, a + n) for n, (a, b) in zip(x.shape, pad_width, strict=True))
        ],
    ),
    name="pad",
    batch=lambda batch, x, pad_width, value: _pad(x, pad_width=((0, 0), *pad_width), value=value),
)
def _pad(x: Any, pad_width: Any, value: Any = 0) -> Any:
    """`x` with `value` around it."""
    return np.pad(x, pad_width, constant_values=value) if pad_width else x


PAD = _pad.op


def pad(x: ArrayLike, pad_width: int | Sequence[Any], mode: str = "constant", constant_values: float = 0) -> Tensor:
    """`x` with `pad_width` numbers before and after each axis: one number, one pair, or a pair per axis.

    `mode` is "constant" (`constant_values`), "edge", "reflect", "symmetric" or "wrap", as in NumPy. The dtype is that
    of `x`, to which a constant is converted.

    Raises `ValueError` for an unknown mode, for widths that are negative, not whole or not one pair per axis, and for
    an empty axis in a mode that repeats elements; `TypeError` for a constant that needs a gradient; `OverflowError` for
    a whole number that the dtype does not hold.

    >>> import graphnet as gn
    >>> gn.pad([1.0, 2.0], (0, 2), constant_values=9.0)
    Tensor([1., 2., 9., 9.])
    >>> gn.pad([1.0, 2.0, 3.0], 2, mode="reflect")
    Tensor([3., 2., 1., 2., 3., 2., 1.])
    """
    if mode == "constant":
        if isinstance(constant_values, Tensor):
            if constant_values.is_symbolic or constant_values.requires_grad:
                raise TypeError(
                    "pad: constant_values are known numbers without a gradient; for others use gn.concatenate"
                )
            constant_values = constant_values.numpy()
        if constant_values.__class__ is int:
            # NumPy would wrap a number that the dtype does not hold.
            constant_values = np.asarray(constant_values, _tensor(x).dtype).item()
        return _pad(x, pad_width, constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f"pad: mode is constant, edge, reflect, symmetric or wrap; received {mode!r}")
    y = _tensor(x)
    for axis, (a, b) in enumerate(_widths(y, pad_width)["pad_width"]):
        if a or b:
            if y.shape[axis] == 0:
                raise ValueError(f"pad: axis {axis} of shape {y.shape} is empty: mode {mode!r} has nothing to repeat")
            y = y[(slice(None),) * axis + (np.pad(np.arange(y.shape[axis]), (a, b), mode=mode),)]  # type: ignore[call-overload]
    return y


def _flipped(x: Any, axis: Any = None) -> Any:
    return {"axis": shapes.axes_indices(axis, len(x.shape))}


@op(
    _same,
    prepare=_flipped,
    complex=True,
    vjp=(lambda g, y, x, axis: flip(g, axis),),
    batch=lambda batch, x, axis: flip(x, tuple(a + 1 for a in axis)),
)
def flip(x: ArrayLike, axis: Axes = None) -> Tensor:
    """`x` in reverse order along `axis`: one axis, several, or all if None. Shape and dtype stay.

    Raises `IndexError` for an axis that `x` does not have, `ValueError` for one that is named twice.

    >>> import graphnet as gn
    >>> gn.flip([[1, 2], [3, 4]], axis=0)
    Tensor([[3, 4],
            [1, 2]])
    """
    return np.flip(x, axis)


def _rolled(x: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        steps = shift if isinstance(shift, (tuple, list)) else (shift,)
        return {"shift": sum(map(operator.index, steps)), "axis": None}
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    steps = shift if isinstance(shift, (tuple, list)) else (shift,)
    if len(steps) == 1:
        steps = tuple(steps) * len(axes)
    if len(axes) == 1:
        axes = tuple(axes) * len(steps)
    if len(steps) != len(axes):
        raise ValueError(f"roll: {len(steps)} shifts for {len(axes)} axes")
    return {"shift": tuple(map(operator.index, steps)), "axis": tuple(shapes.axis_index(a, len(x.shape)) for a in axes)}


def _back(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


def _rolled_each(batch: Any, x: Any, shift: Any, axis: Any) -> Any:
    if axis is not None:
        return roll(x, shift, tuple(a + 1 for a in axis))
    return reshape(roll(reshape(x, (x.shape[0], shapes.size(x.shape[1:]))), shift, 1), x.shape)


@op(
    _same,
    prepare=_rolled,
    complex=True,
    vjp=(lambda g, y, x, shift, axis: roll(g, _back(shift), axis),),
    batch=_rolled_each,
)
def roll(x: ArrayLike, shift: ShapeLike, axis: Axes = None) -> Tensor:
    """`x` with its elements moved by `shift` places along `axis` (flat if None), those at the end to the start.

    Several shifts go with several axes, one each; a single one serves them all. Shape and dtype stay.

    Raises `ValueError` for different numbers of shifts and axes, `TypeError` for a shift that is not whole,
    `IndexError` for an axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.roll([[1, 2], [3, 4]], 1), gn.roll([[1, 2], [3, 4]], 1, axis=1)
    (Tensor([[4, 1],
            [2, 3]]), Tensor([[2, 1],
            [4, 3]]))
    """
    return np.roll(x, shift, axis)


def tile(x: ArrayLike, reps: ShapeLike) -> Tensor:
    """`x` repeated as a whole, `reps` times along each axis: one count for the last axis, or one count for each.

    Counts go with the last axes; where there are more counts than axes, `x` gets new axes in front. The dtype stays.

    Raises `ValueError` for counts that are negative or not whole.

    >>> import graphnet as gn
    >>> gn.tile([1, 2], 2), gn.tile([1, 2], (2, 1))
    (Tensor([1, 2, 1, 2]), Tensor([[1, 2],
            [1, 2]]))
    """
    x = _tensor(x)
    counts = tuple(reps) if isinstance(reps, (tuple, list, np.ndarray)) else (reps,)
    if not all(isinstance(c, (int, np.integer)) and c >= 0 for c in counts):
        raise ValueError(f"tile: counts are whole numbers, 0 or more; received {reps}")
    rank = max(len(counts), x.ndim)
    counts = (1,) * (rank - len(counts)) + tuple(int(c) for c in counts)
    sizes = (1,) * (rank - x.ndim) + x.shape
    spread = reshape(x, tuple(n for size in sizes for n in (1, size)))
    spread = broadcast_to(spread, tuple(n for c, size in zip(counts, sizes, strict=True) for n in (c, size)))
    return reshape(spread, tuple(c * size for c, size in zip(counts, sizes, strict=True)))


def repeat(x: ArrayLike, repeats: ShapeLike, axis: int | None = None) -> Tensor:
    """`x` with each element repeated along `axis` (flat if None), `repeats` times: one number, or one for each element.

    The dtype stays. The gradient of an element is the sum over its repetitions.

    Raises `ValueError` for numbers that are negative or not whole, or neither one nor one for each; `IndexError` for an
    axis that `x` does not have.

    >>> import graphnet as gn
    >>> gn.repeat([1, 2], [1, 3])
    Tensor([1, 2, 2, 2])
    """
    x = _tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    (axis,) = axes_of("repeat", x, axis)
    counts = np.asarray(repeats)
    if counts.dtype.kind not in "iu" or counts.ndim > 1 or (counts < 0).any() or counts.size not in (1, x.shape[axis]):
        raise ValueError(f"repeat: one whole number, or one for each of {x.shape[axis]}; received {repeats}")
    return x[(slice(None),) * axis + (np.repeat(np.arange(x.shape[axis]), counts.ravel()),)]


def _triangle(x: Any, k: Any) -> Any:
    if x.ndim == 0:
        raise ValueError("a triangle needs at least one axis; received a tensor of shape ()")
    return np.tri(*x.shape[-2:], k=k, dtype=bool)  # type: ignore[call-overload]


@composite
def tril(x: ArrayLike, k: int = 0) -> Tensor:
    """`x` with zeros above diagonal `k` of its last two axes: the lower triangle.

    A vector counts as rows that are all equal. The shape is that of `x` (of a vector of `n`: `(n, n)`), and so is the
    dtype, but for booleans, which give int64.

    Raises `ValueError` for a tensor without axes.

    >>> import graphnet as gn
    >>> gn.tril([[1, 2], [3, 4]]), gn.tril([[1, 2], [3, 4]], k=-1)
    (Tensor([[1, 0],
            [3, 4]]), Tensor([[0, 0],
            [3, 0]]))
    """
    return where(_triangle(x, k), x, 0)


@composite
def triu(x: ArrayLike, k: int = 0) -> Tensor:
    """`x` with zeros below diagonal `k` of its last two axes: the upper triangle.

    A vector counts as rows that are all equal. The shape is that of `x` (of a vector of `n`: `(n, n)`), and so is the
    dtype, but for booleans, which give int64.

    Raises `ValueError` for a tensor without axes.

    >>> import graphnet as gn
    >>> gn.triu([[1, 2], [3, 4]]), gn.triu([[1, 2], [3, 4]], k=1)
    (Tensor([[1, 2],
            [0, 4]]), Tensor([[0, 2],
            [0, 0]]))
    """
    return where(_triangle(x, k - 1), 0, x)


def tensor(
    data: ArrayLike, dtype: DTypeLike | None = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor with a copy of `data`: numbers, lists, arrays. dtype follows NumPy unless given.

    Tensors that need a gradient, also inside of lists, which are stacked, keep their history; with `requires_grad` the
    result is a leaf. Raises `TypeError` where `data` is not numbers, or where a gradient of integers is asked for.

    >>> import graphnet as gn
    >>> gn.tensor([[1, 2], [3, 4]], dtype="float32")
    Tensor([[1., 2.],
            [3., 4.]], dtype=float32)
    >>> gn.grad(lambda x: gn.tensor([x, x * x]).sum())(3.0)
    Tensor(7.)
    """
    if not requires_grad and (isinstance(data, Tensor) or (isinstance(data, (list, tuple)) and holds_tensors(data))):
        y = as_tensor(data)
        y = identity(y) if dtype is None or y.dtype == dtype else astype(y, dtype)
        if y.op is not None:
            y.name = name
            return y
        data = y
    return Tensor(data, dtype, requires_grad, name)


def zeros(shape: ShapeLike, dtype: DTypeLike = np.float64) -> Tensor:
    """A tensor of zeros in shape `shape` (one size, or several), of `dtype`, float64 unless given.

    Raises `ValueError` for a negative size, `TypeError` for a dtype that is not of numbers or booleans.

    >>> import graphnet as gn
    >>> gn.zeros((1, 2)), gn.zeros(2, "int32")
    (Tensor([[0., 0.]]), Tensor([0, 0], dtype=int32))
    """
    return constant(as_array(np.zeros(shape, dtype)))


def ones(shape: ShapeLike, dtype: DTypeLike = np.float64) -> Tensor:
    """A tensor of ones in shape `shape` (one size, or several), of `dtype`, float64 unless given.

    Raises `ValueError` for a negative size, `TypeError` for a dtype that is not of numbers or booleans.

    >>> import graphnet as gn
    >>> gn.ones((1, 2)), gn.ones(2, "float32")
    (Tensor([[1., 1.]]), Tensor([1., 1.], dtype=float32))
    """
    return constant(as_array(np.ones(shape, dtype)))


def full(shape: ShapeLike, fill_value: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor in shape `shape` with `fill_value` everywhere: a number, or what broadcasts to `shape`.

    The dtype is that of `fill_value` unless given. A gradient flows to `fill_value`.

    Raises `ValueError` for a negative size and for a value that does not broadcast.

    >>> import graphnet as gn
    >>> gn.full((2, 2), 7)
    Tensor([[7, 7],
            [7, 7]])
    >>> gn.grad(lambda x: gn.full(3, x).sum())(2.0)
    Tensor(3.)
    """
    if plain_data(fill_value):
        return constant(as_array(np.full(shape, fill_value, dtype)))
    fill_value = as_tensor(fill_value)
    return broadcast_to(fill_value if dtype is None else astype(fill_value, dtype), shape)


def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike = np.float64) -> Tensor:
    """A matrix of shape `(N, M)` with ones on diagonal `k` and zeros elsewhere, of `dtype`; `M` is `N` if None.

    A positive `k` is above the main diagonal, a negative one below.

    Raises `ValueError` for a negative size.

    >>> import graphnet as gn
    >>> gn.eye(2), gn.eye(2, 3, k=1)
    (Tensor([[1., 0.],
            [0., 1.]]), Tensor([[0., 1., 0.],
            [0., 0., 1.]]))
    """
    return constant(as_array(np.eye(N, M, k, dtype)))


def arange(
    start: ArrayLike, stop: ArrayLike | None = None, step: ArrayLike = 1, dtype: DTypeLike | None = None
) -> Tensor:
    """Numbers from `start` (0 if one argument is given) to before `stop` in steps.

    How many there are follows from the values of the arguments; their gradients are those of `start + step * i`.

    >>> import graphnet as gn
    >>> gn.arange(10, step=4)
    Tensor([0, 4, 8])
    """
    if stop is None:
        start, stop = 0, start
    if all(map(plain_data, (start, stop, step))):
        return constant(as_array(np.arange(_array(start), _array(stop), _array(step), dtype)))  # type: ignore[call-overload]
    count = len(np.arange(*(known(as_tensor(t)).item() for t in (start, stop, step))))
    y = start + step * np.arange(count)
    return y if dtype is None else astype(y, dtype)


@overload
def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: Literal[False] = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Tensor: ...
@overload
def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    *,
    retstep: Literal[True],
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> tuple[Tensor, Any]: ...
def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Any:
    """`num` evenly spaced numbers from `start` to `stop`, without `stop` if not `endpoint`; the step too if `retstep`.

    Bounds can be arrays that broadcast: the numbers are then along `axis`.

    >>> import graphnet as gn
    >>> gn.jacobian(lambda x: gn.linspace(0.0, x, 3))(2.0)
    Tensor([0. , 0.5, 1. ])
    """
    count = operator.index(num)
    if count < 0:
        raise ValueError(f"linspace: the number of samples is 0 or more; received {num}")
    parts = count - 1 if endpoint else count
    if plain_data(start) and plain_data(stop):
        y, step = np.linspace(_array(start), _array(stop), count, endpoint, True, dtype, axis)  # type: ignore[call-overload]
        return (constant(as_array(y)), step) if retstep else constant(as_array(y))
    # Python's numbers are weak.
    kind = np.result_type(*(x if x.__class__ in WEAK else as_tensor(x).dtype for x in (start, stop)))
    kind = kind if kind.kind == "f" else np.dtype(np.float64)
    start, stop = (astype(as_tensor(x), kind) for x in (start, stop))
    span = stop - start
    weights = (np.arange(count) / (parts or 1)).astype(kind).reshape((count,) + (1,) * span.ndim)
    # Weighted, so that the last number is `stop` to the bit.
    y = moveaxis(start * (1 - weights) + stop * weights, 0, axis)
    y = y if dtype is None else astype(y, dtype)
    return (y, span / parts if parts else span * np.nan) if retstep else y


def zeros_like(x: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor of zeros in the shape of `x`, and in its dtype unless `dtype` is given. It has no gradient.

    >>> import graphnet as gn
    >>> gn.zeros_like([[1.0, 2.0]])
    Tensor([[0., 0.]])
    """
    x = _tensor(x)
    return constant(as_array(np.zeros(x.shape, dtype or x.dtype)))


def ones_like(x: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor of ones in the shape of `x`, and in its dtype unless `dtype` is given. It has no gradient.

    >>> import graphnet as gn
    >>> gn.ones_like([1, 2]), gn.ones_like([1, 2], "float32")
    (Tensor([1, 1]), Tensor([1., 1.], dtype=float32))
    """
    x = _tensor(x)
    return constant(as_array(np.ones(x.shape, dtype or x.dtype)))


def full_like(x: ArrayLike, fill_value: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """A tensor with `fill_value` everywhere, in the shape of `x`, and in its dtype unless `dtype` is given.

    `fill_value` is a number, or what broadcasts to that shape; it is converted to the dtype, so 7.5 becomes 7 where `x`
    has whole numbers. A gradient flows to `fill_value`, none to `x`.

    Raises `ValueError` for a value that does not broadcast.

    >>> import graphnet as gn
    >>> gn.full_like([1.0, 2.0], 7)
    Tensor([7., 7.])
    """
    x = _tensor(x)
    if plain_data(fill_value):
        return constant(as_array(np.full(x.shape, fill_value, dtype or x.dtype)))
    return full(x.shape, fill_value, dtype or x.dtype)
