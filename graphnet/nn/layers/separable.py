"""Convolutions of each channel by itself, alone or with a product over the channels after it."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn import constraints, initializers, regularizers
from graphnet.nn.layers.convolution import Convolution
from graphnet.nn.layers.core import table, whole


class _Depthwise(Convolution):
    """`activation(y + bias)`, where each channel of x is convolved with kernels of its own."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            activity_regularizer,
            bias_constraint,
            **kwargs,
        )
        self.depth_multiplier = whole(depth_multiplier, f"{self.kind}: depth_multiplier")
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.kernel: gn.Parameter | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        inputs = self.channels(input_shape)
        self.kernel = self.add_weight(
            "kernel",
            (*self.kernel_size, inputs, self.depth_multiplier),
            self.depthwise_initializer,
            self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.add_bias(inputs * self.depth_multiplier)

    def made_channels(self, channels: int | None) -> int | None:
        return None if channels is None else channels * self.depth_multiplier

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        assert self.kernel is not None
        return self.finished(depthwise(x, self.kernel, self.strides, self.padding, self.dilation_rate))


def depthwise(x: gn.Tensor, kernel: gn.Tensor, strides: Any, padding: Any, dilation: Any) -> gn.Tensor:
    """Each channel with its own kernels: `(*window, in, each)`, so that the result has `in * each` channels."""
    *window, inputs, times = kernel.shape
    return gn.conv(x, kernel.reshape((*window, 1, inputs * times)), strides, padding, dilation, inputs)


@table.add()
class DepthwiseConv1D(_Depthwise):
    """Each channel convolved by itself, over one axis of space: x is `(batch, steps, in)`; see `DepthwiseConv2D`."""

    rank = 1


@table.add()
class DepthwiseConv2D(_Depthwise):
    """`activation(y + bias)`, where y has each channel of x convolved with `depth_multiplier` kernels of its own.

    x: `(batch, height, width, in)`, kernel: `(*kernel_size, in, depth_multiplier)`, bias: `(in * depth_multiplier,)`,
    result: `(batch, *windows, in * depth_multiplier)`.

    >>> import graphnet as gn
    >>> layer = gn.nn.DepthwiseConv2D(3, depth_multiplier=2)
    >>> layer(gn.ones((2, 8, 8, 3))).shape, [w.shape for w in layer.weights]
    ((2, 6, 6, 6), [(3, 3, 3, 2), (6,)])
    """

    rank = 2


class _Separable(Convolution):
    """`activation(pointwise(depthwise(x)) + bias)`."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            activity_regularizer,
            bias_constraint,
            **kwargs,
        )
        self.filters = whole(filters, f"{self.kind}: filters")
        self.depth_multiplier = whole(depth_multiplier, f"{self.kind}: depth_multiplier")
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = constraints.get(pointwise_constraint)
        self.depthwise_kernel: gn.Parameter | None = None
        self.pointwise_kernel: gn.Parameter | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        inputs = self.channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel",
            (*self.kernel_size, inputs, self.depth_multiplier),
            self.depthwise_initializer,
            self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel",
            ((1,) * self.rank + (inputs * self.depth_multiplier, self.filters)),
            self.pointwise_initializer,
            self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        self.add_bias(self.filters)

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        assert self.depthwise_kernel is not None
        y = depthwise(x, self.depthwise_kernel, self.strides, self.padding, self.dilation_rate)
        return self.finished(gn.conv(y, self.pointwise_kernel))  # type: ignore[arg-type]


@table.add("SeparableConvolution1D", "separable_convolution1d")
class SeparableConv1D(_Separable):
    """A convolution in two parts over one axis of space: x is `(batch, steps, in)`; see `SeparableConv2D`."""

    rank = 1
    paddings = ("valid", "same", "causal")


@table.add("SeparableConvolution2D", "separable_convolution2d")
class SeparableConv2D(_Separable):
    """A convolution in two parts: each channel by itself, then all channels of one place with each other.

    x: `(batch, height, width, in)`, kernels: `(*kernel_size, in, depth_multiplier)` and `(1, 1, in * depth_multiplier,
    filters)`, bias: `(filters,)`, result: `(batch, *windows, filters)`.

    >>> import graphnet as gn
    >>> layer = gn.nn.SeparableConv2D(5, 3)
    >>> layer(gn.ones((2, 8, 8, 3))).shape, [w.shape for w in layer.weights]
    ((2, 6, 6, 5), [(3, 3, 3, 1), (1, 1, 3, 5), (5,)])
    """

    rank = 2


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
