"""`vmap`: a function of one row, for all rows at once.

The function runs once, on symbolic tensors that stand for one row each, in a trace of its own. Then the nodes that
depend on those are computed with all rows, by the batching rules of their ops. So what is done to an op (recording,
regions, compilation, derivatives) knows nothing of rows, and what depends on no row is computed once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet import shapes
from graphnet.apply import as_tensor, described, stopped
from graphnet.arrays import WEAK
from graphnet.batching import replayed
from graphnet.containers import Structure, flatten
from graphnet.escape import line
from graphnet.leaves import symbolic
from graphnet.mode import mode, state
from graphnet.named import made
from graphnet.node import Tensor, constant, tick
from graphnet.ops.shaping import broadcast_to, moveaxis, snapshot
from graphnet.tracing import Trace
from graphnet.typed import P, R

_INTEGERS = (int, np.integer)
_AXIS = "an axis (a whole number) or None"


class Rows:
    """The rows that a trace stands for: how many there are, and what stands for one."""

    def __init__(self, count: int):
        self.count = count
        self.standing: dict[Tensor, Tensor] = {}
        #: the derivative around
        self.within = state.mode.within
        self._number: Tensor | None = None

    def one(self, x: Tensor, name: str) -> Tensor:
        """What stands for one row of `x`, whose rows are along its first axis."""
        row = symbolic(x.shape[1:], x.dtype, name)
        self.standing[row] = x
        return row

    @property
    def number(self) -> Tensor:
        """The number of the row, as a tensor in the function: from 0 to `count - 1`."""
        if self._number is None:
            self._number = self.one(constant(np.arange(self.count)), "row")
        return self._number


def _checked(axes: Any, what: str) -> Any:
    """`axes`, if all in it are whole numbers and None; raises `TypeError` for anything else."""
    if isinstance(axes, (bool, np.bool_)) or not (
        axes is None or isinstance(axes, (*_INTEGERS, tuple, list, dict)) or hasattr(axes, "__dataclass_fields__")
    ):
        raise TypeError(f"vmap: {what} is {_AXIS}, or containers of these; received {axes!r}")
    if isinstance(axes, (tuple, list, dict)):
        for part in axes.values() if isinstance(axes, dict) else axes:
            _checked(part, what)
    return axes


def _labels(f: Callable[..., Any], count: int) -> list[str]:
    """A name for each of `count` arguments that are given by place."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = []
    for place in range(count):
        p = parameters[min(place, len(parameters) - 1)] if parameters else None
        if p is not None and p.kind is p.VAR_POSITIONAL:
            named.append(f"{p.name}[{place - len(parameters) + 1 if place >= len(parameters) else 0}]")
        elif p is not None and place < len(parameters) and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            named.append(p.name)
        else:
            named.append(f"argument {place}")
    return named


class _Arguments:
    """The arguments of one call: their leaves, what is around them, the axis of each that has rows, and its name."""

    def __init__(self, f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], in_axes: Any):
        if isinstance(in_axes, (tuple, list)):
            if len(in_axes) != len(args):
                raise ValueError(
                    f"vmap: in_axes has {len(in_axes)} entries, one for each argument that is given by place; received "
                    f"{len(args)} (those given by name have their rows along axis 0)"
                )
            each = list(in_axes)
        else:
            each = [in_axes] * len(args)
        parts = [
            (arg, axes, name, f"vmap: in_axes[{place}]" if isinstance(in_axes, (tuple, list)) else "vmap: in_axes")
            for place, (arg, axes, name) in enumerate(zip(args, each, _labels(f, len(args)), strict=True))
        ]
        parts += [(arg, 0, key, "vmap") for key, arg in kwargs.items()]
        self.keys = list(kwargs)
        self.forms: list[Structure] = []
        self.leaves: list[Any] = []
        self.axes: list[Any] = []
        self.names: list[str] = []
        for arg, axes, name, what in parts:
            leaves, form = flatten(arg)
            self.forms.append(form)
            self.leaves += leaves
            self.axes += form.spread(axes, what, _INTEGERS, _AXIS)
            self.names += form.places(name)

    def rows(self) -> tuple[Rows, list[Any]]:
        """The rows, and the leaves with a tensor for one row in place of all that have them."""
        found: list[tuple[int, Tensor]] = []
        sizes: list[str] = []
        counts: set[int] = set()
        for place, (leaf, axis, name) in enumerate(zip(self.leaves, self.axes, self.names, strict=True)):
            if axis is None:
                continue
            try:
                x = as_tensor(leaf)
            except (TypeError, ValueError) as error:
                raise type(error)(f"vmap: {line(name)} has no axis {axis}: {error}; {_ELSE}") from None
            if not x.ndim:
                kind = repr(leaf) if leaf.__class__ in WEAK else f"{x.dtype}[]"
                raise ValueError(f"vmap: {line(name)} is one number ({kind}), which has no axis {axis}; {_ELSE}")
            try:
                at = shapes.axis_index(axis, x.ndim)
            except (IndexError, TypeError, ValueError) as error:
                raise type(error)(f"vmap: {line(name)} is {described(x)}: {error}") from None
            counts.add(x.shape[at])
            sizes.append(f"{line(name)} has {x.shape[at]} along axis {axis}")
            found.append((place, moveaxis(x, at, 0) if at else snapshot(x)))
        if not found:
            raise ValueError("vmap: no argument has rows: give one that has, or an axis for one in in_axes")
        if len(counts) > 1:
            raise ValueError(f"vmap: all arguments with rows have the same number of them; {', '.join(sizes)}")
        rows = Rows(counts.pop())
        given = list(self.leaves)
        for place, x in found:
            given[place] = rows.one(x, self.names[place])
        return rows, given

    def call(self, f: Callable[..., Any], leaves: Sequence[Any]) -> Any:
        """`f` with these leaves."""
        start, values = 0, []
        for form in self.forms:
            values.append(form(leaves[start : start + form.count]))
            start += form.count
        count = len(self.forms) - len(self.keys)
        return f(*values[:count], **dict(zip(self.keys, values[count:], strict=True)))


_ELSE = "what is the same for all rows has None in in_axes (by place), or is bound before (functools.partial)"


def _results(leaves: Sequence[Any], form: Structure, out_axes: Any, rows: Rows, begun: int) -> Any:
    """What a function returned for one row, for all rows: their axis is where `out_axes` says."""
    axes = form.spread(out_axes, "vmap: out_axes", _INTEGERS, _AXIS)
    names = form.places("the result")
    places = [place for place, axis in enumerate(axes) if axis is not None or isinstance(leaves[place], Tensor)]
    tensors = []
    for place in places:
        try:
            tensors.append(stopped(as_tensor(leaves[place])))
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"vmap: {names[place]} is no array: {error}; what is the same for all rows has None in out_axes"
            ) from None
    found = list(leaves)
    for place, (y, wide) in zip(places, replayed(tensors, rows.standing, begun), strict=True):
        axis, name = axes[place], names[place]
        if axis is None:
            if wide:
                raise ValueError(f"vmap: {name} depends on the row, so out_axes has an axis for it; received None")
            found[place] = y
            continue
        if not wide:
            y = broadcast_to(y, (rows.count, *y.shape))
        try:
            at = shapes.axis_index(axis, y.ndim)
        except (IndexError, TypeError, ValueError) as error:
            raise type(error)(f"vmap: {name} is {described(y)}, with the axis of the rows: {error}") from None
        found[place] = moveaxis(y, 0, at) if at else y
    return form(found)


def vmap(f: Callable[P, R], in_axes: Any = 0, out_axes: Any = 0) -> Callable[P, R]:
    """`f` for each row of its arguments, and the results in one tensor: a loop over rows, without the loop.

    `f` runs once, for all rows together, and each of its ops works on all of them: values and gradients are those of
    `stack([f(x) for x in xs])`, to rounding. What depends on no row is computed once.

    `in_axes` says along which axis the rows of the arguments are: one whole number for all, or a tuple with an entry
    for each argument given by place. None is for an argument that all rows share. Arguments can be nested tuples, lists
    and dicts of arrays; an entry then can have their form, or stands for all in them. Arguments given by name have
    their rows along axis 0. `out_axes` says where the axis of the rows goes in the results, in the same way; None is
    for a result that does not depend on the row. Negative axes count from the end.

    `f` must not depend on values: `if x > 0` raises, and `gn.where` does it for each row. It must not assign parameters
    either. Of random numbers, `gn.random_normal(key, ...)` gives each row the numbers of its key, and so all rows the
    same where they share the key; layers and `nn.random` draw other numbers for each row.

    Works inside and outside of `grad` and its kin, `compile`, `trace`, `scan`, and itself: `gn.vmap(gn.grad(loss))`
    gives the gradient of each example.

    Raises `ValueError` for arguments with different numbers of rows, for one without that axis, where no argument has
    rows, and for a result that depends on the row though its entry in `out_axes` is None.

    >>> import graphnet as gn
    >>> gn.vmap(gn.dot)([[1.0, 2.0], [3.0, 4.0]], [[10.0, 1.0], [1.0, 10.0]])
    Tensor([12., 43.])
    >>> gn.vmap(gn.grad(lambda w, x: (w * x).sum() ** 2), in_axes=(None, 0))([1.0, 2.0], [[1.0, 0.0], [1.0, 1.0]])
    Tensor([[2., 0.],
            [6., 6.]])
    """
    _checked(in_axes, "in_axes")
    if not (in_axes is None or isinstance(in_axes, (*_INTEGERS, tuple, list))):
        raise TypeError(
            "vmap: in_axes is one axis or None, or a tuple with an entry for each argument given by place; received "
            f"{type(in_axes).__name__}"
        )
    _checked(out_axes, "out_axes")

    @made(f, "vmap")
    def rowwise(*args: Any, **kwargs: Any) -> Any:
        arguments = _Arguments(f, args, kwargs, in_axes)
        rows, given = arguments.rows()
        outer = state.mode.trace
        collected = Trace(looking=outer is not None and outer.looking, outer=outer, loop=True, rows=rows)
        collected.fixed = outer is None or outer.fixed
        if outer is not None:
            collected.current.update(outer.current)
            collected.past.update(outer.past)
        begun = tick()
        with mode(trace=collected, raw=False):
            leaves, form = flatten(arguments.call(f, given))
            leaves = [collected.read(t) if isinstance(t, Tensor) else t for t in leaves]
        if collected.updates:
            names = ", ".join(line(p.name or described(p)) for p in collected.updates)
            raise ValueError(
                f"vmap: the function assigns a parameter ({names}), once for all rows, where a loop would once for "
                "each: return what it is to be, and assign it outside"
            )
        return _results(leaves, form, out_axes, rows, begun)

    return rowwise
