"""Convolutions, as in Keras: plain, for each channel by itself, in two parts, and transposed."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn import activations, constraints, initializers, regularizers
from graphnet.nn.layers.core import table, whole
from graphnet.nn.layers.space import Spatial, each


class Convolution(Spatial):
    """What all convolutions share: window, strides, padding, bias and activation."""

    paddings: tuple[str, ...] = ("valid", "same")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        bias_constraint: Any,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, activity_regularizer=activity_regularizer, **kwargs)
        self.kernel_size = each(kernel_size, self.rank, f"{self.kind}: kernel_size")
        self.strides = each(strides, self.rank, f"{self.kind}: strides")
        self.dilation_rate = each(dilation_rate, self.rank, f"{self.kind}: dilation_rate")
        if not isinstance(padding, str) or padding.lower() not in self.paddings:
            known = " or ".join(map(repr, self.paddings))
            raise ValueError(f"{self.kind}: padding is {known}; received {padding!r}")
        self.padding = padding.lower()
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: gn.Parameter | None = None
        self.fixed_axes = (self.channel_axis,)

    def described(self) -> str:
        filters = getattr(self, "filters", None)
        return f"{self.kind}({filters})" if filters is not None else self.kind

    def add_bias(self, count: int) -> None:
        """The last of the weights, if there is to be one."""
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (count,), self.bias_initializer, self.bias_regularizer, constraint=self.bias_constraint
            )

    def finished(self, y: gn.Tensor) -> gn.Tensor:
        """`activation(y + bias)`."""
        return self.activation(y if self.bias is None else y + self.bias)


class _Conv(Convolution):
    """`activation(conv(x, kernel) + bias)`, over any number of axes of space."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
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
        self.groups = whole(groups, f"{self.kind}: groups")
        if self.filters % self.groups:
            raise ValueError(f"{self.kind}: filters={filters} do not part into groups={groups} of the same size")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.kernel: gn.Parameter | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        inputs = self.channels(input_shape)
        if inputs % self.groups:
            raise self.misfit(
                f"cannot part {inputs} channels into groups={self.groups} of the same size; its input is {input_shape}"
            )
        self.kernel = self.add_weight(
            "kernel",
            (*self.kernel_size, inputs // self.groups, self.filters),
            self.kernel_initializer,
            self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.add_bias(self.filters)

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        y = gn.conv(x, self.kernel, self.strides, self.padding, self.dilation_rate, self.groups)
        return self.finished(y)  # (batch, *windows, filters)


@table.add("Convolution1D", "convolution1d")
class Conv1D(_Conv):
    """`activation(conv(x, kernel) + bias)` over one axis of space.

    x: `(batch, steps, in)`, kernel: `(kernel_size, in / groups, filters)`, bias: `(filters,)`, result:
    `(batch, windows, filters)`. `padding` is "valid", "same" (the odd zero after) or "causal" (zeros before, so that no
    result looks ahead). The kernel starts as Glorot uniform, the bias as 0.

    Raises `ValueError` for sizes that are not whole numbers of 1 or more, or channels that do not part into `groups`.

    >>> import graphnet as gn
    >>> layer = gn.nn.Conv1D(4, 3, padding="causal")
    >>> layer(gn.ones((2, 5, 1))).shape, [w.shape for w in layer.weights]
    ((2, 5, 4), [(3, 1, 4), (4,)])
    """

    rank = 1
    paddings = ("valid", "same", "causal")


@table.add("Convolution2D", "convolution2d")
class Conv2D(_Conv):
    """`activation(conv(x, kernel) + bias)` over two axes of space.

    x: `(batch, height, width, in)`, kernel: `(*kernel_size, in / groups, filters)`, bias: `(filters,)`, result:
    `(batch, *windows, filters)`. `padding` is "valid" or "same" (`ceil(size / stride)` windows, the odd zero after).
    With `data_format="channels_first"` the channels of x and of the result stand before the axes of space. The kernel
    starts as Glorot uniform, with the window's size times the channels as inputs and outputs; the bias as 0.

    Raises `ValueError` for sizes that are not whole numbers of 1 or more, or channels that do not part into `groups`.

    >>> import graphnet as gn
    >>> layer = gn.nn.Conv2D(8, 3, activation="relu")
    >>> layer(gn.ones((2, 28, 28, 1))).shape, [w.shape for w in layer.weights]
    ((2, 26, 26, 8), [(3, 3, 1, 8), (8,)])
    """

    rank = 2


@table.add("Convolution3D", "convolution3d")
class Conv3D(_Conv):
    """`activation(conv(x, kernel) + bias)` over three axes of space: x is `(batch, depth, height, width, in)`.

    All else is as in `Conv2D`.
    """

    rank = 3


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
        return self.finished(gn.conv(y, self.pointwise_kernel))


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


class _Transposed(Convolution):
    """`activation(conv_transpose(x, kernel) + bias)`."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
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
        self.output_padding = output_padding
        if output_padding is not None:
            self.output_padding = each(output_padding, self.rank, f"{self.kind}: output_padding", 0)
            if any(extra >= s for extra, s in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(
                    f"{self.kind}: output_padding={output_padding!r} is not less than strides={strides!r}: there is no "
                    "more room behind the last window"
                )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.kernel: gn.Parameter | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            "kernel",
            (*self.kernel_size, self.filters, self.channels(input_shape)),
            self.kernel_initializer,
            self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.add_bias(self.filters)

    def _along(self, axis: int, n: int) -> tuple[tuple[int, int], int]:
        """Padding and size of the result along an axis of `n` windows."""
        stride = self.strides[axis]
        span = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1
        extra = None if self.output_padding is None else self.output_padding[axis]
        full = (n - 1) * stride + span
        if self.padding == "valid":
            before, size = 0, full + (max(stride - span, 0) if extra is None else extra)
        elif extra is None:
            before, size = max(span - stride, 0) // 2, n * stride
        else:
            before, size = max((span - span % 2 - extra) // 2, 0), (n - 1) * stride + span % 2 + extra
        return (before, max(full - before - size, 0)), size

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        along = [self._along(axis, n) for axis, n in enumerate(x.shape[1:-1])]
        padding, size = tuple(p for p, _ in along), tuple(n for _, n in along)
        y = gn.conv_transpose(x, self.kernel, self.strides, padding, self.dilation_rate, size=size)
        return self.finished(y)  # (batch, *size, filters)


@table.add("Convolution1DTranspose", "convolution1d_transpose")
class Conv1DTranspose(_Transposed):
    """The transpose of a convolution over one axis of space: x is `(batch, steps, in)`; see `Conv2DTranspose`."""

    rank = 1


@table.add("Convolution2DTranspose", "convolution2d_transpose")
class Conv2DTranspose(_Transposed):
    """`activation(conv_transpose(x, kernel) + bias)`: each place of x spreads over a window of the result.

    x: `(batch, height, width, in)`, kernel: `(*kernel_size, filters, in)`, bias: `(filters,)`, result:
    `(batch, *size, filters)`. With `padding="same"` the sizes are `size * strides`, with "valid"
    `(size - 1) * strides + max(kernel_size, strides)`, and with `output_padding` so many more than the least.

    >>> import graphnet as gn
    >>> layer = gn.nn.Conv2DTranspose(4, 3, strides=2, padding="same")
    >>> layer(gn.ones((2, 5, 5, 3))).shape, [w.shape for w in layer.weights]
    ((2, 10, 10, 4), [(3, 3, 4, 3), (4,)])
    """

    rank = 2


@table.add("Convolution3DTranspose", "convolution3d_transpose")
class Conv3DTranspose(_Transposed):
    """The transpose of a convolution over three axes of space: all is as in `Conv2DTranspose`."""

    rank = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
