"""The layers that go through a sequence: SimpleRNN, LSTM, GRU. Each is a step; `recurrence` runs it."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import activations
from graphnet.nn.layers.core import table
from graphnet.nn.layers.recurrence import Recurrent


@table.add()
class SimpleRNN(Recurrent):
    """`h = activation(x @ kernel + bias + h @ recurrent_kernel)` at each step (Elman, Cognitive Science 14, 1990).

    x: `(batch, time, features)`, result: `(batch, units)`, or `(batch, time, units)` with `return_sequences`; kernel
    `(features, units)`, recurrent kernel `(units, units)`, bias `(units,)`. The other arguments are those of every
    recurrent layer, see `Recurrent`.

    Raises `ValueError` for an input of another rank, and for `units` or shares that are none.

    >>> import graphnet as gn
    >>> layer = gn.nn.SimpleRNN(1, kernel_initializer="ones", recurrent_initializer="ones")
    >>> layer([[[1.0], [2.0]]]).round(5)
    Tensor([[0.99205]], dtype=float32)
    """

    def step(self, states: tuple[gn.Tensor, ...], x: gn.Tensor, recurrent: Any) -> tuple[gn.Tensor, ...]:
        (h,) = states
        return (self.activation(x + recurrent(h)),)


@table.add()
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, Neural Computation 9, 1997; with forget gate, Gers et al.,
    2000).

    ```
    i, f, g, o = split(x @ kernel + bias + h @ recurrent_kernel)
    c = s(f) * c + s(i) * activation(g)
    h = s(o) * activation(c)                      where s is the recurrent_activation
    ```

    x: `(batch, time, features)`, result: `(batch, units)`, or `(batch, time, units)` with `return_sequences`; kernel
    `(features, 4 * units)`, recurrent kernel `(units, 4 * units)`, bias `(4 * units,)`, in which the forget gate starts
    as 1 (`unit_forget_bias`). States are h and c. The other arguments are those of every recurrent layer, see
    `Recurrent`.

    Raises `ValueError` for an input of another rank, and for `units` or shares that are none.

    >>> import graphnet as gn
    >>> layer = gn.nn.LSTM(1, kernel_initializer="ones", recurrent_initializer="ones")
    >>> layer([[[1.0], [2.0]]]).round(5)
    Tensor([[0.81669]], dtype=float32)
    """

    gates = 4
    states = 2

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def start_of_bias(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer
        units = self.units

        def start(shape: Any, dtype: Any = None) -> np.ndarray:
            first, rest = self.bias_initializer((units,), dtype=dtype), self.bias_initializer((2 * units,), dtype=dtype)
            return np.concatenate([first, np.ones(units, first.dtype), rest])

        return start

    def step(self, states: tuple[gn.Tensor, ...], x: gn.Tensor, recurrent: Any) -> tuple[gn.Tensor, ...]:
        h, c = states
        i, f, g, o = gn.split(x + recurrent(h), 4, axis=-1)
        s = self.recurrent_activation
        c = s(f) * c + s(i) * self.activation(g)
        return s(o) * self.activation(c), c


@table.add()
class GRU(Recurrent):
    """Gated recurrent unit (Cho et al., EMNLP 2014).

    ```
    z, r = s(x_z + h @ R_z), s(x_r + h @ R_r)     where s is the recurrent_activation
    g = activation(x_h + r * (h @ R_h + b))       with reset_after, else activation(x_h + (r * h) @ R_h)
    h = z * h + (1 - z) * g
    ```

    x: `(batch, time, features)`, result: `(batch, units)`, or `(batch, time, units)` with `return_sequences`; kernel
    `(features, 3 * units)`, recurrent kernel `(units, 3 * units)`, bias `(2, 3 * units)`: that of the input and that of
    the state; without `reset_after` it is `(3 * units,)`. The other arguments are those of every recurrent layer, see
    `Recurrent`.

    Raises `ValueError` for an input of another rank, and for `units` or shares that are none.

    >>> import graphnet as gn
    >>> layer = gn.nn.GRU(1, kernel_initializer="ones", recurrent_initializer="ones")
    >>> layer([[[1.0], [2.0]]]).round(5)
    Tensor([[0.28132]], dtype=float32)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        reset_after: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def input_bias(self) -> Any:
        return self.bias[0] if self.bias is not None and self.reset_after else self.bias

    def step(self, states: tuple[gn.Tensor, ...], x: gn.Tensor, recurrent: Any) -> tuple[gn.Tensor, ...]:
        (h,) = states
        s, units = self.recurrent_activation, self.units
        if self.reset_after:
            inner = recurrent(h)
            if self.bias is not None:
                inner = inner + self.bias[1]
            x_z, x_r, x_h = gn.split(x, 3, axis=-1)
            h_z, h_r, h_h = gn.split(inner, 3, axis=-1)
            z, r = s(x_z + h_z), s(x_r + h_r)
            g = self.activation(x_h + r * h_h)
        else:
            z, r = map(s, gn.split(x[:, : 2 * units] + recurrent(h, 0, 2), 2, axis=-1))
            g = self.activation(x[:, 2 * units :] + recurrent(r * h, 2, 3))
        return (z * h + (1.0 - z) * g,)
