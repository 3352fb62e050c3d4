"""Layers that bring their input to mean 0 and variance 1, each over other axes, and let it have others by weights."""

from __future__ import annotations

import math
from typing import Any

import graphnet as gn
from graphnet.nn import initializers, regularizers
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import fraction, table
from graphnet.nn.phase import assignable

Sizes = tuple[int | None, ...]


def places(layer: Layer, axis: Any, shape: Any) -> tuple[int, ...]:
    """`axis` (one or several) counted from the front of `shape`, in order; their sizes must be known."""
    given = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    ndim = len(shape)
    for a in given:
        if isinstance(a, bool) or not hasattr(a, "__index__") or not -ndim <= a < ndim:
            raise layer.misfit(f"normalises axis {a!r}, which inputs of shape {tuple(shape)} don't have")
        if shape[a] is None:
            raise layer.misfit(f"needs to know the size of axis {a}; inputs have shape {tuple(shape)}")
    return tuple(sorted({int(a) % ndim for a in given}))


def positive(value: Any, what: str) -> float:
    """`value` as a number that is 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"{what} is a number, 0 or more; received {value!r}")
    return float(value)


def axes_given(axis: Any) -> tuple[int, ...]:
    """`axis`, one or several, as it was given: from the end where it is negative."""
    return tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)


def beside(w: gn.Tensor, along: tuple[int, ...], x: gn.Tensor) -> gn.Tensor:
    """`w`, whose axes are the axes `along` of `x`, in a shape that broadcasts with `x`."""
    if along == tuple(range(x.ndim - len(along), x.ndim)):
        return w
    return gn.reshape(w, tuple(n if i in along else 1 for i, n in enumerate(x.shape)))


class Standardised(Layer):
    """What these layers share: `gamma` and `beta` along `axis`, and their shapes beside the input."""

    fixed_ndim = True
    supports_masking = True
    same_shape = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, tuple) else axis
        self.epsilon = positive(epsilon, f"{self.kind}: epsilon")
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint, self.gamma_constraint = beta_constraint, gamma_constraint
        self.gamma: gn.Parameter | None = None
        self.beta: gn.Parameter | None = None
        self.along: tuple[int, ...] = ()

    def build(self, input_shape: Sizes) -> None:
        if len(input_shape) < 2:
            raise self.misfit(f"takes inputs of shape (batch, ..., features); it got {input_shape}")
        self.along = self.fixed_axes = places(self, self.axis, input_shape)
        sizes = tuple(input_shape[a] for a in self.along)
        if self.scale:
            self.gamma = self.add_weight(
                shape=sizes,
                name="gamma",
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                shape=sizes,
                name="beta",
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )

    def scaled(self, x: gn.Tensor, mean: gn.Tensor, variance: gn.Tensor, along: Any = None) -> gn.Tensor:
        """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`."""
        along = self.along if along is None else along
        deviation = gn.sqrt(variance + self.epsilon)
        y = (
            (x - mean) * (beside(self.gamma, along, x) / deviation)
            if self.gamma is not None
            else (x - mean) / deviation
        )
        return y + beside(self.beta, along, x) if self.beta is not None else y


@table.add()
class BatchNormalization(Standardised):
    """In training `(x - mean) / sqrt(variance + epsilon) * gamma + beta`, with mean and variance of the batch.

    Both are taken over all axes but `axis`, and followed by `moving_mean` and `moving_variance`, which a step brings
    to `momentum * moving + (1 - momentum) * batch`. Outside of training, and if `trainable` is False, they take the
    batch's place. Steps of sequences that a mask leaves out don't count. Weights: gamma, beta, moving_mean,
    moving_variance, each as long as `axis` (Ioffe and Szegedy, "Batch normalization", ICML 2015). The variance is that
    of the batch, divided by n.

    Raises `ValueError` for a `momentum` outside [0, 1], and for `renorm=True`, which is not there; `synchronized` has
    no effect in one process.

    >>> import graphnet as gn
    >>> layer = gn.nn.BatchNormalization()
    >>> layer([[0.0], [2.0], [4.0], [6.0]], training=True).numpy().ravel().round(4).tolist()
    [-1.3415000438690186, -0.4472000002861023, 0.4472000002861023, 1.3415000438690186]
    >>> [round(float(w[0]), 4) for w in layer.non_trainable_weights]
    [0.03, 1.04]
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        if renorm:
            raise ValueError(
                "BatchNormalization: renorm=True is not there; GroupNormalization copes with small batches"
            )
        self.momentum = fraction(momentum, "BatchNormalization: momentum is the share that moving statistics keep")
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Sizes) -> None:
        super().build(input_shape)
        sizes = tuple(input_shape[a] for a in self.along)
        self.moving_mean = self.add_weight(
            shape=sizes, name="moving_mean", initializer=self.moving_mean_initializer, trainable=False
        )
        self.moving_variance = self.add_weight(
            shape=sizes, name="moving_variance", initializer=self.moving_variance_initializer, trainable=False
        )

    def call(self, x: gn.Tensor, training: bool = False, mask: Any = None) -> gn.Tensor:
        if training and self.trainable and x.size:
            others = tuple(i for i in range(x.ndim) if i not in self.along)
            if mask is None:
                mean, variance = gn.mean(x, axis=others, keepdims=True), gn.var(x, axis=others, keepdims=True)
            else:
                mean, variance = self.masked(x, mask, others)
            self.follow(self.moving_mean, mean)
            self.follow(self.moving_variance, variance)
            return self.scaled(x, mean, variance)
        mean, variance = (beside(w, self.along, x) for w in (self.moving_mean, self.moving_variance))
        return self.scaled(x, mean, variance)

    def masked(self, x: gn.Tensor, mask: Any, others: tuple[int, ...]) -> tuple[gn.Tensor, gn.Tensor]:
        """Mean and variance where `mask`, which has all axes of `x` but the last, is True; 0 where it nowhere is."""
        mask = gn.astype(mask if isinstance(mask, gn.Tensor) else gn.tensor(mask), "bool")
        if mask.ndim != x.ndim - 1 or any(n not in (1, m) for n, m in zip(mask.shape, x.shape[:-1], strict=True)):
            raise self.misfit(f"takes a mask of shape {x.shape[:-1]} for inputs of shape {x.shape}; got {mask.shape}")
        counts = gn.broadcast_to(gn.expand_dims(mask, -1), x.shape)
        n = gn.sum(counts.astype(x.dtype), axis=others, keepdims=True) + 1e-7
        mean = gn.sum(gn.where(counts, x, 0.0), axis=others, keepdims=True) / n
        return mean, gn.sum(gn.where(counts, gn.square(x - mean), 0.0), axis=others, keepdims=True) / n

    def follow(self, moving: gn.Parameter, batch: gn.Tensor) -> None:
        """Bring a moving statistic nearer to the batch's."""
        if assignable(batch):
            with gn.no_grad():
                new = gn.reshape(batch, moving.shape)
                moving.assign(moving * self.momentum + new * (1.0 - self.momentum))


@table.add()
class LayerNormalization(Standardised):
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, with mean and variance over `axis` of each row alone.

    `axis` is one axis or several; gamma and beta have their sizes (Ba, Kiros and Hinton, "Layer normalization", 2016).

    >>> import graphnet as gn
    >>> gn.nn.LayerNormalization(epsilon=0.0)([[0.0, 2.0, 8.0, 10.0], [3.0, 3.0, 1.0, 1.0]]).numpy()[1].tolist()
    [1.0, 1.0, -1.0, -1.0]
    """

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer with these constructor arguments; Keras also writes `rms_scaling`, which must not be set."""
        rest = {k: v for k, v in config.items() if k != "rms_scaling"}
        if config.get("rms_scaling"):
            raise ValueError("LayerNormalization: for rms_scaling=True there is the layer RMSNormalization")
        return super().from_config(rest)

    fixed_ndim = False

    def build(self, input_shape: Sizes) -> None:
        super().build(input_shape)
        self.fixed_axes = axes_given(self.axis)

    def call(self, x: gn.Tensor) -> gn.Tensor:
        along = places(self, self.axis, x.shape)
        mean = gn.mean(x, axis=along, keepdims=True)
        return self.scaled(x, mean, gn.var(x, axis=along, keepdims=True), along)


@table.add()
class GroupNormalization(Standardised):
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, with mean and variance of a group of channels of a row.

    The channels along `axis` are parted into `groups`, one after the other; -1 makes each channel a group (Wu and He,
    "Group normalization", ECCV 2018).

    Raises `ValueError` where the channels can't be parted so.

    >>> import graphnet as gn
    >>> gn.nn.GroupNormalization(groups=2, epsilon=0.0)([[0.0, 2.0, 5.0, 5.5]])
    Tensor([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        if isinstance(groups, bool) or not hasattr(groups, "__index__") or (groups < 1 and groups != -1):
            raise ValueError(f"GroupNormalization: groups is 1 or more, or -1 for one per channel; received {groups!r}")
        self.groups = int(groups)

    def build(self, input_shape: Sizes) -> None:
        super().build(input_shape)
        channels = input_shape[self.along[0]]
        if self.groups > 0 and channels % self.groups:  # type: ignore[operator]
            fits = [n for n in range(1, min(channels, self.groups) + 1) if channels % n == 0]  # type: ignore
            raise self.misfit(f"can't part {channels} channels into {self.groups} groups: groups={fits[-1]} would fit")

    def call(self, x: gn.Tensor) -> gn.Tensor:
        at = self.along[0]
        groups = self.groups if self.groups > 0 else x.shape[at]
        parted = gn.reshape(x, (*x.shape[:at], groups, x.shape[at] // groups, *x.shape[at + 1 :]))
        axes = tuple(i for i in range(1, parted.ndim) if i != at)
        mean, variance = gn.mean(parted, axis=axes, keepdims=True), gn.var(parted, axis=axes, keepdims=True)
        y = gn.reshape((parted - mean) / gn.sqrt(variance + self.epsilon), x.shape)
        if self.gamma is not None:
            y = y * beside(self.gamma, self.along, x)
        return y + beside(self.beta, self.along, x) if self.beta is not None else y


@table.add()
class RMSNormalization(Layer):
    """`x / sqrt(mean(x**2) + epsilon) * scale`, the mean over `axis` of each row.

    `scale` is a weight with the sizes of `axis`, 1 at first (Zhang and Sennrich, "Root mean square layer
    normalization", NeurIPS 2019).

    >>> import graphnet as gn
    >>> gn.nn.RMSNormalization()([[3.0, 4.0]])
    Tensor([[0.8485281, 1.1313708]], dtype=float32)
    """

    supports_masking = True
    same_shape = True

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, tuple) else axis
        self.epsilon = positive(epsilon, "RMSNormalization: epsilon")

    def build(self, input_shape: Sizes) -> None:
        self.fixed_axes = axes_given(self.axis)
        along = places(self, self.axis, input_shape)
        self.scale = self.add_weight(shape=tuple(input_shape[a] for a in along), name="scale", initializer="ones")

    def call(self, x: gn.Tensor) -> gn.Tensor:
        along = places(self, self.axis, x.shape)
        square = gn.mean(gn.square(x), axis=along, keepdims=True)
        return x / gn.sqrt(square + self.epsilon) * beside(self.scale, along, x)


@table.add()
class UnitNormalization(Layer):
    """`x / norm(x)` over `axis` of each row: vectors of length 1, and 0 where x is 0.

    >>> import graphnet as gn
    >>> gn.nn.UnitNormalization()([[3.0, 4.0], [0.0, 0.0]])
    Tensor([[0.6, 0.8],
            [0. , 0. ]], dtype=float32)
    """

    supports_masking = True
    same_shape = True

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, tuple) else axis

    def call(self, x: gn.Tensor) -> gn.Tensor:
        square = gn.sum(gn.square(x), axis=places(self, self.axis, x.shape), keepdims=True)
        return x / gn.sqrt(gn.where(square > 1e-24, square, 1e-24))
