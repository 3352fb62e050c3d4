"""Layers that only move numbers: another shape, another order of axes, the same row again."""

from __future__ import annotations

import math
from typing import Any

import graphnet as gn
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import table, whole
from graphnet.nn.shapes import as_shape


@table.add()
class Reshape(Layer):
    """`(batch, ...)` as `(batch, *target_shape)`, in C order; one size may be -1, and is what is left.

    Raises `ValueError` where a row's numbers don't fill the shape.

    >>> import graphnet as gn
    >>> gn.nn.Reshape((2, -1))(gn.zeros((5, 6))).shape
    (5, 2, 3)
    """

    def __init__(self, target_shape: Any, **kwargs: Any):
        super().__init__(**kwargs)
        sizes = target_shape if isinstance(target_shape, (tuple, list)) else (target_shape,)
        ok = all(hasattr(n, "__index__") and not isinstance(n, bool) and (n > 0 or n == -1) for n in sizes)
        if not ok or sum(n == -1 for n in sizes) > 1:
            raise ValueError(
                "Reshape: target_shape is a tuple of sizes without the batch, at most one of them -1, as in "
                f"Reshape((28, 28, 1)); received {target_shape!r}"
            )
        self.target_shape = tuple(int(n) for n in sizes)

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return gn.reshape(x, (x.shape[0], *self._row(x.shape[1:])))

    def _row(self, row: tuple[int, ...]) -> tuple[int, ...]:
        target = self.target_shape
        size, known = math.prod(row), math.prod(n for n in target if n != -1)
        if size % known if -1 in target else size != known:
            raise self.misfit(f"can't give rows of shape {row} ({size} numbers) the shape {target} ({known})")
        return tuple(size // known if n == -1 else n for n in target)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, *row = as_shape(input_shape)
        if None in row:
            return batch, *(None if n == -1 else n for n in self.target_shape)
        return batch, *self._row(tuple(row))  # type: ignore[arg-type]


@table.add()
class Permute(Layer):
    """The axes of a row in another order: `dims` lists them, counted from 1; the batch stays in front.

    >>> import graphnet as gn
    >>> gn.nn.Permute((2, 1))(gn.zeros((5, 6, 7))).shape
    (5, 7, 6)
    """

    def __init__(self, dims: Any, **kwargs: Any):
        super().__init__(**kwargs)
        sizes = tuple(dims) if isinstance(dims, (tuple, list)) else ()
        if not sizes or sorted(sizes) != list(range(1, len(sizes) + 1)):
            raise ValueError(f"Permute: dims has each axis from 1 on once, as in Permute((2, 1)); received {dims!r}")
        self.dims = sizes

    def call(self, x: gn.Tensor) -> gn.Tensor:
        if x.ndim != len(self.dims) + 1:
            raise self.misfit(f"orders {len(self.dims)} axes after the batch; inputs have shape {x.shape}")
        return gn.transpose(x, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = as_shape(input_shape)
        if len(shape) != len(self.dims) + 1:
            raise self.misfit(f"orders {len(self.dims)} axes after the batch; inputs have shape {shape}")
        return tuple(shape[i] for i in (0, *self.dims))


@table.add()
class RepeatVector(Layer):
    """`(batch, features)` as `(batch, n, features)`: every row n times.

    >>> import graphnet as gn
    >>> gn.nn.RepeatVector(2)([[1.0, 2.0]])
    Tensor([[[1., 2.],
             [1., 2.]]], dtype=float32)
    """

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.n = whole(n, "RepeatVector: n")

    def call(self, x: gn.Tensor) -> gn.Tensor:
        if x.ndim != 2:
            raise self.misfit(f"takes inputs of shape (batch, features); it got {x.shape}: put a Flatten before it")
        return gn.broadcast_to(gn.expand_dims(x, 1), (x.shape[0], self.n, x.shape[1]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, width = as_shape(input_shape)
        return batch, self.n, width
