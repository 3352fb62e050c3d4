"""Convolutions, as in Keras, and what all kinds of them share."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn import activations, constraints, initializers, regularizers
from graphnet.nn.layers.core import table, whole
from graphnet.nn.layers.space import Spatial, each
from graphnet.nn.shapes import as_shape, tried, windows


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
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{self.kind}: strides and dilation_rate can't both be above 1, as in Keras; received "
                f"strides={strides!r} and dilation_rate={dilation_rate!r}"
            )
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
        y = y if self.bias is None else y + self.bias
        return y if self.activation is None else self.activation(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if activations.keeps_shape(self.activation):
            return super().compute_output_shape(input_shape)
        return tried(self, as_shape(input_shape))

    def sized(self, axis: int, n: int | None) -> int | None:
        return windows(n, self.kernel_size[axis], self.strides[axis], self.padding, self.dilation_rate[axis])

    def made_channels(self, channels: int | None) -> int | None:
        return self.filters  # type: ignore[attr-defined]


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
        y = gn.conv(x, self.kernel, self.strides, self.padding, self.dilation_rate, self.groups)  # type: ignore[arg-type]
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


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
