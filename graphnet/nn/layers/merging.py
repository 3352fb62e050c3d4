"""Layers that make one tensor of several: for the `call` of a layer with branches."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import table


class Merge(Layer):
    """Base class: subclasses say in `join` what becomes of two; the shapes broadcast after the batch.

    Raises `ValueError` for anything but a list of two tensors or more whose shapes fit.
    """

    supports_masking = True

    def as_input(self, x: Any) -> Any:
        if not isinstance(x, (list, tuple)) or len(x) < 2:
            what = f"{len(x)} of them" if isinstance(x, (list, tuple)) else type(x).__name__
            raise self.misfit(f"is called on a list of two tensors or more, layer([a, b]); received {what}")
        return [super(Merge, self).as_input(part) for part in x]

    def call(self, x: Any) -> gn.Tensor:
        try:
            np.broadcast_shapes(*(t.shape for t in x))
        except ValueError:
            raise self.misfit(f"joins tensors of one shape; received {', '.join(str(t.shape) for t in x)}") from None
        return self.finished(reduce(self.join, x), len(x))

    def join(self, a: gn.Tensor, b: gn.Tensor) -> gn.Tensor:
        """What becomes of two."""
        raise NotImplementedError(f"{type(self).__name__} needs a method join(a, b)")

    def finished(self, y: gn.Tensor, count: int) -> gn.Tensor:
        """What becomes of all, once joined."""
        return y

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return None


@table.add()
class Add(Merge):
    """`a + b + ...`

    >>> import graphnet as gn
    >>> gn.nn.Add()([gn.tensor([[1.0, 2.0]]), gn.tensor([[3.0, 4.0]])])
    Tensor([[4., 6.]], dtype=float32)
    """

    def join(self, a: gn.Tensor, b: gn.Tensor) -> gn.Tensor:
        return a + b


@table.add()
class Subtract(Merge):
    """`a - b`, of two."""

    def call(self, x: Any) -> gn.Tensor:
        if len(x) != 2:
            raise self.misfit(f"takes one from another; received {len(x)} tensors")
        return super().call(x)

    def join(self, a: gn.Tensor, b: gn.Tensor) -> gn.Tensor:
        return a - b


@table.add()
class Multiply(Merge):
    """`a * b * ...`"""

    def join(self, a: gn.Tensor, b: gn.Tensor) -> gn.Tensor:
        return a * b


@table.add()
class Average(Add):
    """`(a + b + ...) / n`"""

    def finished(self, y: gn.Tensor, count: int) -> gn.Tensor:
        return y * (1 / count)


@table.add()
class Maximum(Merge):
    """The largest of each place; equal ones share the gradient."""

    def join(self, a: gn.Tensor, b: gn.Tensor) -> gn.Tensor:
        return gn.maximum(a, b)


@table.add()
class Minimum(Merge):
    """The smallest of each place; equal ones share the gradient."""

    def join(self, a: gn.Tensor, b: gn.Tensor) -> gn.Tensor:
        return gn.minimum(a, b)


@table.add()
class Concatenate(Merge):
    """The tensors side by side along `axis`; all other sizes are the same.

    >>> import graphnet as gn
    >>> gn.nn.Concatenate()([gn.zeros((2, 3)), gn.zeros((2, 4))]).shape
    (2, 7)
    """

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, x: Any) -> gn.Tensor:
        ndim = x[0].ndim
        ok = hasattr(self.axis, "__index__") and -ndim <= self.axis < ndim and all(t.ndim == ndim for t in x)
        rest = {tuple(n for i, n in enumerate(t.shape) if i != self.axis % ndim) for t in x} if ok else set()
        if len(rest) != 1:
            shapes = ", ".join(str(t.shape) for t in x)
            raise self.misfit(f"can't put tensors of shapes {shapes} side by side along axis {self.axis!r}")
        return gn.concatenate(x, axis=self.axis)


def _function(layer: type[Merge]) -> Callable[..., gn.Tensor]:
    def merged(inputs: Any, **kwargs: Any) -> gn.Tensor:
        return layer(**kwargs)(inputs)

    merged.__doc__ = f"`{layer.__name__}(...)(inputs)`."
    return merged


# Their names as functions.
add, subtract, multiply, average = (_function(layer) for layer in (Add, Subtract, Multiply, Average))
maximum, minimum, concatenate = (_function(layer) for layer in (Maximum, Minimum, Concatenate))
