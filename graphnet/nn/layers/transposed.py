"""Transposed convolutions: the gradient of a convolution as a layer, which makes more of less."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn import constraints, initializers, regularizers
from graphnet.nn.layers.convolution import Convolution
from graphnet.nn.layers.core import table, whole
from graphnet.nn.layers.space import each


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

    def sized(self, axis: int, n: int | None) -> int | None:
        return None if n is None else self._along(axis, n)[1]

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        along = [self._along(axis, n) for axis, n in enumerate(x.shape[1:-1])]
        padding, size = tuple(p for p, _ in along), tuple(n for _, n in along)
        y = gn.conv_transpose(x, self.kernel, self.strides, padding, self.dilation_rate, size=size)  # type: ignore[arg-type]
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


Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
