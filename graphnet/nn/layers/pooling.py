"""Pooling, as in Keras: the largest or the mean of each window, or of all axes of space."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.layers.core import table
from graphnet.nn.layers.space import Spatial, each
from graphnet.nn.shapes import windows


class _Pooling(Spatial):
    """`function(x, pool_size, strides, padding)`."""

    function: Any = None

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.pool_size = each(pool_size, self.rank, f"{self.kind}: pool_size")
        self.strides = self.pool_size if strides is None else each(strides, self.rank, f"{self.kind}: strides")
        if not isinstance(padding, str) or padding.lower() not in ("valid", "same"):
            raise ValueError(f"{self.kind}: padding is 'valid' or 'same'; received {padding!r}")
        self.padding = padding.lower()

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        return type(self).function(x, self.pool_size, self.strides, self.padding)

    def sized(self, axis: int, n: int | None) -> int | None:
        return windows(n, self.pool_size[axis], self.strides[axis], self.padding)


@table.add("MaxPool1D", "max_pool1d")
class MaxPooling1D(_Pooling):
    """The largest of each `pool_size` steps, in each channel: x is `(batch, steps, channels)`; see `MaxPooling2D`."""

    rank = 1
    function = staticmethod(gn.max_pool)


@table.add("MaxPool2D", "max_pool2d")
class MaxPooling2D(_Pooling):
    """The largest of each window, in each channel; its gradient goes to the first of equal ones.

    x: `(batch, height, width, channels)`, result: `(batch, *windows, channels)`. `strides` are `pool_size` unless
    given. `padding` is "valid" (what is left over is cut off) or "same" (`ceil(size / stride)` windows; padding never
    counts).

    >>> import graphnet as gn
    >>> gn.nn.MaxPooling2D()(gn.ones((2, 5, 4, 3))).shape
    (2, 2, 2, 3)
    """

    rank = 2
    function = staticmethod(gn.max_pool)


@table.add("MaxPool3D", "max_pool3d")
class MaxPooling3D(_Pooling):
    """The largest of each window, over three axes of space; see `MaxPooling2D`."""

    rank = 3
    function = staticmethod(gn.max_pool)


@table.add("AvgPool1D", "avg_pool1d")
class AveragePooling1D(_Pooling):
    """The mean of each `pool_size` steps, in each channel: x is `(batch, steps, channels)`; see `AveragePooling2D`."""

    rank = 1
    function = staticmethod(gn.avg_pool)


@table.add("AvgPool2D", "avg_pool2d")
class AveragePooling2D(_Pooling):
    """The mean of each window, in each channel; with `padding="same"` the padding does not count.

    x: `(batch, height, width, channels)`, result: `(batch, *windows, channels)`. Arguments are those of `MaxPooling2D`.

    >>> import graphnet as gn
    >>> gn.nn.AveragePooling2D(2, padding="same")(gn.ones((1, 3, 3, 1))).numpy().ravel()
    array([1., 1., 1., 1.], dtype=float32)
    """

    rank = 2
    function = staticmethod(gn.avg_pool)


@table.add("AvgPool3D", "avg_pool3d")
class AveragePooling3D(_Pooling):
    """The mean of each window, over three axes of space; see `AveragePooling2D`."""

    rank = 3
    function = staticmethod(gn.avg_pool)


class _GlobalPooling(Spatial):
    """`function(x)` over all axes of space."""

    function: Any = None

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.keepdims = keepdims

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        return type(self).function(x, axis=tuple(range(1, 1 + self.rank)), keepdims=self.keepdims)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, *rest = super().compute_output_shape(input_shape)
        channels, ones = rest[0 if self.channels_first else -1], (1,) * (self.rank if self.keepdims else 0)
        return (batch, channels, *ones) if self.channels_first else (batch, *ones, channels)


@table.add("GlobalMaxPool1D", "global_max_pool1d")
class GlobalMaxPooling1D(_GlobalPooling):
    """The largest over all steps, in each channel: `(batch, steps, channels)` as `(batch, channels)`."""

    rank = 1
    function = staticmethod(gn.max)


@table.add("GlobalMaxPool2D", "global_max_pool2d")
class GlobalMaxPooling2D(_GlobalPooling):
    """The largest over all places, in each channel: `(batch, height, width, channels)` as `(batch, channels)`.

    With `keepdims` the axes of space stay, with size 1. Equal ones share the gradient.
    """

    rank = 2
    function = staticmethod(gn.max)


@table.add("GlobalMaxPool3D", "global_max_pool3d")
class GlobalMaxPooling3D(_GlobalPooling):
    """The largest over three axes of space, in each channel; see `GlobalMaxPooling2D`."""

    rank = 3
    function = staticmethod(gn.max)


@table.add("GlobalAvgPool1D", "global_avg_pool1d")
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over all steps, in each channel: `(batch, steps, channels)` as `(batch, channels)`.

    With a mask, `(batch, steps)`, it is the mean of the steps that count; 0 where none does.
    """

    rank = 1
    supports_masking = True
    function = staticmethod(gn.mean)

    def call(self, x: gn.Tensor, mask: Any = None) -> gn.Tensor:
        if mask is None:
            return super().call(x)
        axis = 1 if self.data_format == "channels_last" else 2
        counts = gn.expand_dims(mask, 3 - axis)
        total = gn.sum(gn.where(counts, x, 0.0), axis=axis, keepdims=self.keepdims)
        return total / gn.maximum(gn.sum(counts.astype(x.dtype), axis=axis, keepdims=self.keepdims), 1.0)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return None


@table.add("GlobalAvgPool2D", "global_avg_pool2d")
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean over all places, in each channel: `(batch, height, width, channels)` as `(batch, channels)`.

    With `keepdims` the axes of space stay, with size 1.

    >>> import graphnet as gn
    >>> gn.nn.GlobalAveragePooling2D()(gn.ones((2, 3, 3, 4))).shape
    (2, 4)
    """

    rank = 2
    function = staticmethod(gn.mean)


@table.add("GlobalAvgPool3D", "global_avg_pool3d")
class GlobalAveragePooling3D(_GlobalPooling):
    """The mean over three axes of space, in each channel; see `GlobalAveragePooling2D`."""

    rank = 3
    function = staticmethod(gn.mean)


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
