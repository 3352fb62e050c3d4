"""Layers that scale and move their input by numbers that are known before training: pixels, features of a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.arrays import as_array
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import table
from graphnet.nn.layers.normalization import places
from graphnet.nn.lookup import plain
from graphnet.nn.streams import is_stream


@table.add()
class Rescaling(Layer):
    """`x * scale + offset`; both are numbers, or arrays that broadcast with a row.

    >>> import graphnet as gn
    >>> gn.nn.Rescaling(1 / 128, offset=-1.0)([[0, 64, 255]])
    Tensor([[-1.       , -0.5      ,  0.9921875]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        for value, what in ((scale, "scale"), (offset, "offset")):
            if np.asarray(value).dtype.kind not in "iuf":
                raise ValueError(f"Rescaling: {what} is a number or an array of numbers; received {value!r}")
        self.scale, self.offset = scale, offset

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return x * np.asarray(self.scale, self.dtype) + np.asarray(self.offset, self.dtype)


@table.add()
class Normalization(Layer):
    """`(x - mean) / sqrt(variance)`, with numbers that are given, or that `adapt(data)` finds.

    They are found, or given, for each index along `axis`; with `axis=None` for all together, of inputs of any rank.
    Without it data of rank 1 are a column. `invert=True` is the way back. Training does not change them. Where the
    variance is below 1e-14 it counts as 1e-14.

    Raises `ValueError` if only one of `mean` and `variance` is given.

    >>> import graphnet as gn
    >>> layer = gn.nn.Normalization()
    >>> layer.adapt([[0.0, 10.0], [2.0, 30.0]])
    >>> layer([[1.0, 40.0]])
    Tensor([[0., 2.]], dtype=float32)
    """

    fixed_ndim = True
    supports_masking = True
    same_shape = True

    def __init__(self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise ValueError("Normalization: give mean and variance, or neither and call adapt(data).")
        self.axis = list(axis) if isinstance(axis, tuple) else axis
        self.fixed_ndim = axis is not None
        self.invert = bool(invert)
        self.input_mean, self.input_variance = mean, variance
        self.mean: Any = None
        self.variance: Any = None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; what `adapt` found are weights."""
        return {**super().get_config(), "mean": plain(self.input_mean), "variance": plain(self.input_variance)}

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.along = self.fixed_axes = () if self.axis is None else places(self, self.axis, input_shape)
        sizes: Any = tuple(input_shape[a] for a in self.along)
        if self.input_mean is None:
            self.mean = self.add_weight(shape=sizes, name="mean", initializer="zeros", trainable=False)
            self.variance = self.add_weight(shape=sizes, name="variance", initializer="ones", trainable=False)
            self.count = self.add_weight(shape=(), name="count", initializer="zeros", trainable=False, dtype="int32")
            return
        for given, what in ((self.input_mean, "mean"), (self.input_variance, "variance")):
            try:
                value = np.broadcast_to(np.asarray(given, self.dtype), sizes)
            except ValueError:
                raise self.misfit(
                    f"has a {what} of shape {np.shape(given)} for inputs of shape {input_shape}"
                ) from None
            setattr(self, what, gn.tensor(value))

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Find mean and variance of `data`: an array of rows, a list of arrays that are batches, or what gives batches.

        Batches are x or `(x, y)`, of a generator, a `PyDataset` or whatever can be gone through; `steps` is how many of
        them count at most. `batch_size` is there for code written for Keras, and changes nothing.
        """
        if self.input_mean is not None:
            raise ValueError(f"Layer '{self.name}' was given its mean and variance: it has nothing to adapt.")
        count, mean, variance = 0, None, None
        for rows in itertools.islice(self._batches(data), steps):
            self.ensure_built(rows.shape)
            others = tuple(i for i in range(rows.ndim) if i not in self.along)
            own = math.prod(rows.shape[i] for i in others)
            if not own:
                continue
            # Of two sets of numbers together (Chan, Golub and LeVeque, 1979).
            found = rows.mean(axis=others), rows.var(axis=others)
            if mean is None or variance is None:
                count, (mean, variance) = own, found
                continue
            share, apart = own / (count + own), found[0] - mean
            mean = mean + apart * share
            variance = variance * (1 - share) + found[1] * share + apart**2 * share * (1 - share)
            count += own
        if mean is None:
            raise ValueError(f"Layer '{self.name}': adapt needs rows; received none.")
        self.mean.assign(mean)
        self.variance.assign(variance)

    def _batches(self, data: Any) -> Iterator[np.ndarray]:
        """The rows of `data`, all together or batch by batch."""
        fixed = len(self.built_shape) if self.built else None
        listed = isinstance(data, (list, tuple)) and len(data) > 0 and all(hasattr(part, "shape") for part in data)
        if listed and len(data[0].shape) > 1 and len(data[0].shape) + 1 != fixed:
            parts: Any = data
        else:
            parts = data if is_stream(data) else [data]
        for n, part in enumerate(parts):
            batch = part[0] if parts is data and isinstance(part, (list, tuple)) else part
            rows = as_array(batch, f"batch {n} of the data" if parts is data else "the data", "float64")
            rows = rows.astype("float64", copy=False)
            yield rows[:, None] if rows.ndim < 2 and self.axis is not None else rows

    def call(self, x: gn.Tensor) -> gn.Tensor:
        shape = tuple(n if i in self.along else 1 for i, n in enumerate(x.shape))
        mean, variance = gn.reshape(self.mean, shape), gn.reshape(self.variance, shape)
        deviation = gn.maximum(gn.sqrt(variance), 1e-7)
        return x * deviation + mean if self.invert else (x - mean) / deviation
