"""Activation functions that have settings or weights, as layers."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import activations, initializers, regularizers
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import table


def number(value: Any, what: str, least: float | None = None) -> float:
    """`value` as a number, `least` or more if that is given."""
    ok = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
    if not ok or (least is not None and value < least):
        raise ValueError(f"{what} is a number{'' if least is None else f', {least} or more'}; received {value!r}")
    return float(value)


class Elementwise(Layer):
    """A layer whose output has a step for each step of a sequence."""

    supports_masking = True
    same_shape = True


@table.add()
class ReLU(Elementwise):
    """`x` above `threshold`, at most `max_value`; `negative_slope * (x - threshold)` elsewhere.

    >>> import graphnet as gn
    >>> gn.nn.ReLU(max_value=6.0, negative_slope=0.1)([[-10.0, 3.0, 8.0]])
    Tensor([[-1.,  3.,  6.]], dtype=float32)
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else number(max_value, "ReLU: max_value", 0)
        self.negative_slope = number(negative_slope, "ReLU: negative_slope", 0)
        self.threshold = number(threshold, "ReLU: threshold", 0)

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold)


@table.add()
class LeakyReLU(Elementwise):
    """`x` where it is positive, `negative_slope * x` elsewhere. The slope is 0.3; that of the function is 0.2.

    `alpha` is its older word, as in Keras 2.
    """

    def __init__(self, negative_slope: float = 0.3, *, alpha: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        negative_slope = negative_slope if alpha is None else alpha
        self.negative_slope = number(negative_slope, "LeakyReLU: negative_slope")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, in today's words."""
        return {k: v for k, v in super().get_config().items() if k != "alpha"}

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return gn.leaky_relu(x, self.negative_slope)


@table.add()
class PReLU(Elementwise):
    """`x` where it is positive, `alpha * x` elsewhere, with a weight alpha for each place of a row.

    Along `shared_axes` (counted from 1, the first after the batch) all places share one (He et al., "Delving deep into
    rectifiers", ICCV 2015).

    >>> import graphnet as gn
    >>> layer = gn.nn.PReLU("ones", shared_axes=[1, 2])
    >>> layer(gn.zeros((2, 8, 8, 3))).shape, layer.alpha.shape
    ((2, 8, 8, 3), (1, 1, 3))
    """

    fixed_ndim = True

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = alpha_constraint
        given = shared_axes if shared_axes is None or isinstance(shared_axes, (list, tuple)) else [shared_axes]
        self.shared_axes = None if given is None else list(given)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shared = self.shared_axes or ()
        if any(not hasattr(a, "__index__") or not 1 <= a < len(input_shape) for a in shared):
            raise self.misfit(f"shares axes {shared}; inputs of shape {input_shape} have 1 to {len(input_shape) - 1}")
        sizes = tuple(1 if i in shared else n for i, n in enumerate(input_shape))[1:]
        self.fixed_axes = tuple(i for i in range(1, len(input_shape)) if i not in shared)
        self.alpha = self.add_weight(
            shape=sizes,
            name="alpha",
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return gn.where(x > 0, x, x * self.alpha)


@table.add()
class ELU(Elementwise):
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere (Clevert, Unterthiner, Hochreiter, ICLR 2016)."""

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha = number(alpha, "ELU: alpha")

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return gn.elu(x, alpha=self.alpha)


@table.add()
class Softmax(Elementwise):
    """`exp(x) / sum(exp(x))` along `axis`, one or several. Where `mask` is False the result is 0.

    >>> import graphnet as gn
    >>> gn.nn.Softmax()([[1000.0, 1000.0, 0.0]])
    Tensor([[0.5, 0.5, 0. ]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, tuple) else axis

    def call(self, x: gn.Tensor, mask: Any = None) -> gn.Tensor:
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        if mask is None:
            return gn.softmax(x, axis=axis)
        mask = gn.astype(mask if isinstance(mask, gn.Tensor) else gn.tensor(mask), "bool")
        if 1 < mask.ndim == x.ndim - 1 and mask.shape == x.shape[:-1]:
            mask = gn.expand_dims(mask, -1)  # the mask of a sequence has no axis for the features
        try:
            fits = np.broadcast_shapes(mask.shape, x.shape) == x.shape
        except ValueError:
            fits = False
        if not fits:
            raise self.misfit(f"takes a mask that broadcasts to the input, {x.shape}; it got {mask.shape}")
        return gn.where(mask, gn.softmax(gn.where(mask, x, -1e9), axis=axis), 0.0)
