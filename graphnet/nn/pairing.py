"""Targets and predictions in a function of the user's: which rank it is handed, and no broadcasting in silence.

Targets `(batch,)` beside predictions `(batch, 1)` broadcast to `(batch, batch)`. A function of a loss or metric is
therefore handed both in one rank, as Keras does; and it runs once on shapes alone, to see whether it broadcasts the one
against the other all the same. The batch has a size of its own there, which no other axis has.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import wraps
from itertools import combinations
from typing import Any

import graphnet as gn
from graphnet.nn.targets import as_tensor

#: sizes for the batch, of which one is no other axis' size
SIZES = (97, 101, 103, 107, 109, 113, 127, 131)
#: decisions that an object keeps
LIMIT = 200


class Broadcasts(ValueError):
    """A user's function broadcasts targets against predictions."""


def same_rank(true: gn.Tensor, pred: gn.Tensor) -> tuple[gn.Tensor, gn.Tensor]:
    """Both with one number of axes, where an axis of size one at the end makes the difference."""
    if true.ndim == pred.ndim + 1 and true.shape[-1] == 1:
        return (true, gn.expand_dims(pred, -1)) if pred.ndim == 1 else (gn.squeeze(true, -1), pred)
    if pred.ndim == true.ndim + 1 and pred.shape[-1] == 1:
        return (gn.expand_dims(true, -1), pred) if true.ndim == 1 else (true, gn.squeeze(pred, -1))
    return true, pred


def as_given(true: gn.Tensor, pred: gn.Tensor) -> tuple[gn.Tensor, gn.Tensor]:
    """Both as they are."""
    return true, pred


def is_own(thing: Any) -> bool:
    """Whether a function, or an object's class, is a user's rather than graphnet's."""
    module = getattr(thing, "__module__", None)
    return module.__class__ is not str or not module.startswith("graphnet.")


def returned(owner: Any, values: Any) -> Any:
    """What the function of a loss or metric returned. Raises `TypeError` for None, naming `owner`."""
    if values is None:
        raise TypeError(f"{type(owner).__name__} {owner.name!r}: its function returned None: is its return missing?")
    return values


def paired(owner: Any, f: Callable[..., Any], true: gn.Tensor, pred: gn.Tensor) -> tuple[gn.Tensor, gn.Tensor]:
    """`true` and `pred` as `f(true, pred)`, a function of `owner`, is to be called with them.

    Raises `ValueError` if it broadcasts the one against the other in either form. What is found is kept on `owner`.
    """
    key = (true.shape, pred.shape, true.dtype, pred.dtype)
    how = owner.__dict__.setdefault("_pairings", {}).get(key)
    if how is None:
        how = _chosen(owner, f, true, pred)
        if len(owner._pairings) < LIMIT:
            owner._pairings[key] = how
    return how(true, pred)


def _chosen(owner: Any, f: Callable[..., Any], true: gn.Tensor, pred: gn.Tensor) -> Any:
    found = _broadcast(owner, f, *same_rank(true, pred))
    if found is None:
        return same_rank
    again = same_rank(true, pred)[0] is true and same_rank(true, pred)[1] is pred
    if not again and _broadcast(owner, f, true, pred) in (None, ""):
        return as_given
    if not found:
        return same_rank  # it can't be tried, and will say why when it is called
    name = getattr(owner, "name", None) or getattr(f, "__name__", "")
    raise Broadcasts(
        f"{type(owner).__name__} {name!r} broadcasts targets against predictions: the targets have shape {true.shape}, "
        f"the predictions {pred.shape}, and {found}. Give both one shape in there, as in "
        "y_true = gn.reshape(y_true, y_pred.shape)."
    )


def _broadcast(owner: Any, f: Callable[..., Any], true: gn.Tensor, pred: gn.Tensor) -> str | None:
    """What `f` broadcasts, in words; None for nothing, "" if it can't be tried on shapes alone."""
    rows = true.shape[:1] == pred.shape[:1]
    sizes = {*true.shape[1:], *pred.shape[1:]}
    marker = next(n for n in SIZES if n not in sizes)
    for n in (marker, None) if rows and true.ndim and true.shape[0] != marker else (None,):
        shapes = [t.shape if n is None else (n, *t.shape[1:]) for t in (true, pred)]
        specs = [gn.input(shape, t.dtype) for shape, t in zip(shapes, (true, pred), strict=True)]
        given: list[gn.Tensor] = []

        def call(t: Any, p: Any, given: Any = given) -> Any:
            given[:] = [t, p]
            return f(t, p)

        try:
            with unchanged(owner):
                graph = gn.trace(call, *specs)
        except Exception as error:
            failed = getattr(error, "_graphnet_failed", None)
            words = _in_op(failed[0], failed[1], given) if failed is not None and len(given) == 2 else None
            if words:
                return words
            continue
        for node in graph.nodes:
            words = _in_op(node.op, node.inputs, given) if node.op is not None else None
            if words:
                place = node.site
                return words + (f" ({place[0]}, line {place[1]})" if place else "")
        return None
    return ""


def _in_op(op: Any, inputs: Any, given: list[gn.Tensor]) -> str | None:
    """Whether an op has one operand of the targets alone and one of the predictions alone, of shapes that differ."""
    if op.family != "elementwise" or len(inputs) < 2:
        return None
    tensors = [t for t in inputs if isinstance(t, gn.Tensor) and t.ndim]
    if len({t.shape for t in tensors}) < 2:
        return None
    true, pred = given
    for a, b in combinations(tensors, 2):
        if a.shape == b.shape:
            continue
        of_a, of_b = (tuple(made_of(t, given)) for t in (a, b))
        if sorted((of_a, of_b)) != [(False, True), (True, False)]:
            continue
        if of_a == (False, True):
            a, b = b, a
        rows = true.shape[0] if true.ndim else None
        mixed = a.ndim != b.ndim and rows in a.shape and rows in b.shape
        if mixed or (a.shape == true.shape and b.shape == pred.shape and a.ndim == b.ndim):
            return f"{op.name} meets {_words(a.shape, rows)} with {_words(b.shape, rows)}"
    return None


def _words(shape: tuple[int, ...], rows: int | None) -> str:
    """A shape in which the size of the batch is called so."""
    listed = ", ".join("batch" if n == rows else str(n) for n in shape)
    return f"({listed},)" if len(shape) == 1 else f"({listed})"


def made_of(t: gn.Tensor, given: list[gn.Tensor]) -> Iterator[bool]:
    """For each of `given`, whether `t` was computed from it."""
    seen, waiting = {t}, [t]
    while waiting:
        for other in waiting.pop().inputs or ():
            if isinstance(other, gn.Tensor) and other not in seen:
                seen.add(other)
                waiting.append(other)
    return (one in seen for one in given)


@contextmanager
def unchanged(owner: Any) -> Iterator[None]:
    """Put back the attributes of `owner` after a call on shapes alone, which may have noted symbols in them."""
    before = {k: copy(v) if type(v) in (list, dict) else v for k, v in owner.__dict__.items()}
    try:
        yield
    finally:
        owner.__dict__.clear()
        owner.__dict__.update(before)


def pairing(update: Callable[..., Any]) -> Callable[..., Any]:
    """`update_state(y_true, y_pred, ...)` of a user's metric, which is handed targets and predictions of one rank."""
    names = [p.name for p in inspect.signature(update).parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD,)][1:]
    if len(names) < 2 or names[1] == "sample_weight":
        return update

    @wraps(update)
    def paired_update(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        true, pred = given.get(names[0]), given.get(names[1])
        if not _array(true) or not _array(pred):
            return update(self, *args, **kwargs)
        t, p = as_tensor(true), as_tensor(pred)
        rest = {k: None for k in names[2:] if k in given and given[k] is None}
        a, b = paired(self, lambda y, z: update(self, y, z, **rest), t, p)
        if a is t and b is p:
            return update(self, *args, **kwargs)
        return update(self, a, b, *args[2:], **{k: v for k, v in kwargs.items() if k not in names[:2]})

    return paired_update


def _array(value: Any) -> bool:
    return isinstance(value, (gn.Tensor, list, tuple)) or hasattr(value, "__array__")
