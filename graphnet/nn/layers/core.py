"""The layers that every network has: its input, Dense, Activation, Flatten, Dropout."""

from __future__ import annotations

import math
from typing import Any

import graphnet as gn
from graphnet.mode import warn
from graphnet.nn import activations, constraints, initializers, regularizers, seeds
from graphnet.nn.draws import Calls
from graphnet.nn.layer import FLOAT, Layer
from graphnet.nn.lookup import Table
from graphnet.nn.shapes import as_shape

table = Table("layer")


def whole(value: Any, what: str) -> int:
    """`value` as a whole number that is 1 or more, or an error that names `what`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"{what} is a whole number, 1 or more; received {value!r}")
    return int(value)


def fraction(value: Any, what: str, below: bool = False) -> float:
    """`value` as a number from 0 to 1 (1 excluded if `below`), or an error that begins with `what`."""
    ok = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not ok or not 0 <= value <= 1 or (below and value == 1):
        raise ValueError(f"{what}, from 0 to 1{', 1 excluded' if below else ''}; received {value!r}")
    return value


@table.add()
class InputLayer(Layer):
    """States the shape of one row of the input, without the batch size; `batch_shape` is that with it.

    `input_shape` is an older word for `shape`. With `sparse` rows may come as a sparse matrix, as they always may.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        *,
        batch_shape: Any = None,
        input_shape: Any = None,
        sparse: bool | None = None,
    ):
        super().__init__(name=name, dtype=dtype or FLOAT)
        if batch_shape is not None:
            if shape is not None or input_shape is not None or batch_size is not None:
                raise ValueError("Input: batch_shape is the shape with the batch size in front: give it alone.")
            if not isinstance(batch_shape, (tuple, list)) or not batch_shape:
                raise ValueError(f"Input: batch_shape is a tuple of sizes, batch first; received {batch_shape!r}")
            batch_size, shape = batch_shape[0], tuple(batch_shape[1:])
        elif input_shape is not None:
            if shape is not None:
                raise ValueError("Input: shape and input_shape say the same thing: give one.")
            shape = input_shape
        if isinstance(shape, int):
            shape = (shape,)
        if not isinstance(shape, (tuple, list)) or any(
            n is not None and (not hasattr(n, "__index__") or n < 1) for n in shape
        ):
            raise ValueError(
                f"Input: shape is a tuple of sizes without the batch, as in Input((64,)); received {shape!r}"
            )
        self.shape = self.declared_shape = as_shape(shape)
        self.batch_size = None if batch_size is None else whole(batch_size, "Input: batch_size")

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """The shape with the batch size in front, which may be None."""
        return (self.batch_size, *self.shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, in a form that JSON can hold."""
        config = super().get_config()
        return {k: v for k, v in config.items() if k not in ("batch_shape", "input_shape", "sparse")}

    same_shape = True

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return x


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
) -> InputLayer:
    """The first entry of a Sequential: the shape of one row of its input, as in `Input((64,))`."""
    return InputLayer(shape, batch_size, dtype, name, batch_shape=batch_shape, sparse=sparse)


@table.add()
class Dense(Layer):
    """`activation(x @ kernel + bias)`, over the last axis.

    x: `(batch, ..., in)`, kernel: `(in, units)`, bias: `(units,)`, result: `(batch, ..., units)`. The kernel starts as
    Glorot uniform, the bias as 0. `kernel_regularizer` and `bias_regularizer` add a penalty to the loss.

    Raises `ValueError` for `units` that are not a whole number of 1 or more, or unknown names.

    >>> import graphnet as gn
    >>> layer = gn.nn.Dense(3, activation="relu")
    >>> layer([[1.0, 2.0]]).shape, [w.shape for w in layer.weights]
    ((1, 3), [(2, 3), (3,)])
    """

    fixed_axes = (-1,)
    supports_masking = True

    def __init__(
        self,
        units: int,
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
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = whole(units, "Dense: units")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel: gn.Parameter | None = None
        self.bias: gn.Parameter | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) < 2:
            raise self.misfit(f"takes inputs of shape (batch, ..., in); it got {input_shape}: add an axis, x[:, None]")
        if self.units == 1 and self.activation is gn.softmax:
            warn(
                f"Layer '{self.name}' ({self.described()}) is a softmax over one number, which is always 1: it learns "
                "nothing. For one probability write activation='sigmoid'; for two classes, 2 units."
            )
        self.kernel = self.add_weight(
            "kernel",
            (input_shape[-1], self.units),
            self.kernel_initializer,
            self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.units,), self.bias_initializer, self.bias_regularizer, constraint=self.bias_constraint
            )

    def call(self, x: gn.Tensor) -> gn.Tensor:
        y = gn.matmul(x, self.kernel)  # type: ignore[arg-type]  # (batch, ..., units)
        if self.bias is not None:
            y = y + self.bias
        return y if self.activation is None else self.activation(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if not activations.keeps_shape(self.activation):
            return super().compute_output_shape(input_shape)
        return (*as_shape(input_shape)[:-1], self.units)


@table.add()
class Activation(Layer):
    """`activation(x)`, element by element or, for softmax, over the last axis."""

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return x if self.activation is None else self.activation(x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        keeps = activations.keeps_shape(self.activation)
        return as_shape(input_shape) if keeps else super().compute_output_shape(input_shape)


@table.add()
class Flatten(Layer):
    """`(batch, a, b, ...)` as `(batch, a * b * ...)`, in C order.

    With `data_format="channels_first"` the first axis after the batch goes last before that, so that the result is
    what the same data with channels last would give.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(f"Flatten: data_format is 'channels_last' or 'channels_first'; received {data_format!r}")
        self.data_format = data_format or "channels_last"

    def call(self, x: gn.Tensor) -> gn.Tensor:
        if self.data_format == "channels_first" and x.ndim > 2:
            x = gn.moveaxis(x, 1, -1)
        return gn.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, *row = as_shape(input_shape)
        return batch, None if None in row else math.prod(row)  # type: ignore[arg-type]


class Noisy(Layer):
    """A layer that draws random numbers in training: a function of its seed and the count of training steps.

    Called more than once in a step, it draws others each time. Called with `training=True` outside of a training step,
    by hand, in `predict` or in a compiled function, each call counts as a step: the count is a state, read and moved
    when the call is run.
    """

    supports_masking = True

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = seed
        self.key = seeds.key_of(seed)
        self._calls = Calls()

    def step_key(self) -> Any:
        """The key of this call: the seed plus the count of steps, or of calls outside of a training step."""
        return self._calls.key(self.key, self)


@table.add()
class Dropout(Noisy):
    """In training `x / (1 - rate)` for a share `1 - rate` of the elements and 0 for the others; else `x` itself.

    The mask is a function of the layer's seed and the training step, so a run can be repeated bit for bit (Srivastava
    et al., "Dropout", JMLR 15, 2014; scaled in training as in Keras). Called by hand with `training=True`, each call
    counts as a step.

    Raises `ValueError` for a rate outside [0, 1].

    >>> import graphnet as gn
    >>> layer = gn.nn.Dropout(0.25, seed=1)
    >>> layer([[1.0, 2.0]])
    Tensor([[1., 2.]], dtype=float32)
    >>> sorted(set(layer(gn.ones((20, 20)), training=True).numpy().ravel().tolist()))
    [0.0, 1.3333333730697632]
    """

    same_shape = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        self.rate = fraction(rate, f"{self.kind}: rate is the share of elements to drop")
        self.noise_shape = noise_shape

    def call(self, x: gn.Tensor, training: bool = False) -> gn.Tensor:
        if not training or self.rate == 0:
            return x
        return dropped(x, self.rate, self.step_key(), self.noise_shape)


def dropped(x: gn.Tensor, rate: float, key: Any, noise_shape: Any = None) -> gn.Tensor:
    """`x / (1 - rate)` where a uniform number, fixed by `key`, is `rate` or more, and 0 elsewhere."""
    if rate == 1:
        return x * 0.0
    drawn = gn.random_uniform(key, noise_sizes(x, noise_shape), dtype=x.dtype.name)
    keep = gn.greater_equal(drawn, rate)
    return gn.where(keep, x * (1 / (1 - rate)), 0.0)


def noise_sizes(x: gn.Tensor, noise_shape: Any = None) -> tuple[int, ...]:
    """The shape of the random numbers for `x`: its own where `noise_shape` has None or is not given."""
    if noise_shape is None:
        return x.shape
    sizes = tuple(m if n is None else int(n) for n, m in zip(noise_shape, x.shape, strict=False))
    if len(noise_shape) != x.ndim or any(n not in (1, m) for n, m in zip(sizes, x.shape, strict=True)):
        raise ValueError(f"noise_shape has 1 or the input's size, or None, for each axis of {x.shape}: {noise_shape}")
    return sizes
