"""Shapes of what layers make, with None where any size is allowed: stated by a layer's rule, or tried.

A layer states its rule in `compute_output_shape`, or by `same_shape`. A formula without a rule runs on symbolic tensors
in which the free sizes have a value, then another: what is the same both times is fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import graphnet as gn
from graphnet.nn import seeds
from graphnet.nn.pairing import is_own
from graphnet.nn.phase import running

Shape = tuple["int | None", ...]
#: two values for sizes that are free; a pair that does not fit into a formula (windows, parts) is followed by the next
TRIALS = ((24, 120), (120, 600), (840, 2520))


def as_shape(shape: Any) -> Shape:
    """`shape` as a tuple of sizes, None where any size is allowed."""
    return tuple(None if n is None else int(n) for n in shape)


def shapes_of(shape: Any) -> Any:
    """A shape, or a list or dict of shapes, with None for the batch."""
    return with_shapes(shape, lambda s: (None, *as_shape(s)[1:]) if len(s) else ())


def with_shapes(shape: Any, f: Callable[[Shape], Any]) -> Any:
    """`f` of a shape, or of each in a list or dict of shapes."""
    if isinstance(shape, dict):
        return {k: with_shapes(v, f) for k, v in shape.items()}
    if isinstance(shape, (list, tuple)) and any(isinstance(part, (list, tuple, dict)) for part in shape):
        return [with_shapes(part, f) for part in shape]
    return f(tuple(shape))


def named_shapes(shape: Any, name: str) -> list[tuple[str, Shape]]:
    """A shape, or each in a list or dict, with a name: `name`, or the keys on the way."""
    if isinstance(shape, dict):
        return [found for key, s in shape.items() for found in named_shapes(s, str(key))]
    if isinstance(shape, (list, tuple)) and any(isinstance(s, (list, tuple, dict)) for s in shape):
        return [found for n, s in enumerate(shape) for found in named_shapes(s, f"{name}_{n}")]
    return [(name, shape)]


def each(value: Any, f: Callable[[Any], Any]) -> Any:
    """`f` of a tensor, or of each one in nested lists, tuples and dicts; other things stay."""
    if isinstance(value, (list, tuple)):
        return type(value)(each(part, f) for part in value) if type(value) in (list, tuple) else value
    if isinstance(value, dict):
        return {k: each(part, f) for k, part in value.items()}
    return f(value) if isinstance(value, gn.Tensor) else value


def tensors_in(value: Any) -> list[gn.Tensor]:
    """The tensors of nested lists, tuples and dicts."""
    found: list[gn.Tensor] = []
    each(value, found.append)
    return found


def has_rule(layer: Any) -> bool:
    """Whether a layer states the shape of its output; a user's class with another `call` than its base does not."""
    for cls in type(layer).__mro__:
        names = vars(cls)
        if "same_shape" in names:
            return bool(names["same_shape"])
        if "compute_output_shape" in names:
            return not getattr(names["compute_output_shape"], "tries", False)
        if is_own(cls) and ("call" in names or "over_space" in names):
            return False
    return False


def output_shape(layer: Any, shape: Any) -> Any:
    """The shape of the output of a layer that is built, for an input of this shape."""
    return with_shapes(layer.compute_output_shape(shape), as_shape) if has_rule(layer) else tried(layer, shape)


def tried(layer: Any, shape: Any) -> Any:
    """The same by calling the layer. A layer that is not built stays so."""
    free = None in [n for s in flat(shape) for n in s]
    for pair in TRIALS:
        try:
            return _merged([_called(layer, shape, n) for n in (pair if free else pair[:1])])
        except ValueError:
            if not free or pair == TRIALS[-1]:
                raise
    return None


def flat(shape: Any) -> list[Shape]:
    found: list[Shape] = []
    with_shapes(shape, found.append)
    return found


def _called(layer: Any, shape: Any, size: int) -> Any:
    """What the layer makes of symbolic tensors of this shape, with `size` for what is free."""
    with seeds.unmoved(), running(False, losses=[]):
        callee = layer if layer.built else deepcopy(layer)
        given = with_shapes(shape, lambda s: gn.input(tuple(size if n is None else n for n in s), layer.dtype))
        before = callee.output_shape
        y = callee(given, training=False)
        callee.output_shape = before
    return y


def _merged(found: list[Any]) -> Any:
    shapes = [[t.shape for t in tensors_in(y)] for y in found]
    merged = iter(
        [
            tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*same, strict=True))
            for same in zip(*shapes, strict=True)
        ]
    )
    return each(found[0], lambda _: next(merged))


def merged_shapes(found: list[Any]) -> Any:
    """Of shapes that were found with several sizes in free places, the one with None where they differ."""
    first = found[0]
    if len(found) == 1 or first is None or any(other is None for other in found):
        return first
    if isinstance(first, dict):
        return {k: merged_shapes([other[k] for other in found]) for k in first}
    if any(isinstance(part, (list, tuple, dict)) for part in first):
        return type(first)(merged_shapes(list(parts)) for parts in zip(*found, strict=True))
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*found, strict=True))


def windows(n: int | None, size: int, stride: int, padding: str, dilation: int = 1) -> int | None:
    """How many windows of `size` there are along `n` places; None for None.

    Raises `ValueError` where not one fits.
    """
    if n is None:
        return None
    if padding in ("same", "causal"):
        return -(-n // stride)
    span = (size - 1) * dilation + 1
    if span > n:
        raise ValueError(f"a window that spans {span} does not fit into an axis of size {n}")
    return (n - span) // stride + 1
