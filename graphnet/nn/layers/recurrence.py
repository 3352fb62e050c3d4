"""What layers that go through a sequence step by step share: the loop, states, masks, directions, dropout.

Each is a step, `(state, row) -> (new state, output)`, and `Recurrent` runs it over the time axis with `gn.scan`. What
the input contributes to all steps is one product, outside of the loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import activations, initializers, regularizers, seeds
from graphnet.nn.draws import Calls
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import whole
from graphnet.nn.lookup import plain
from graphnet.nn.phase import assignable, phase
from graphnet.nn.shapes import as_shape
from graphnet.ops.shaping import snapshot


class _State:
    """What a stateful layer remembers from batch to batch. No weight: it is neither saved nor counted."""

    def __init__(self, rows: int, units: int, count: int, dtype: Any, name: str):
        self.tensors = [
            gn.Parameter(np.zeros((rows, units), dtype), trainable=False, name=f"{name}/state_{n}")
            for n in range(count)
        ]


def share(value: Any, what: str) -> float:
    """`value` as a number from 0 to 1, or an error that names `what`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{what} is the share of elements to drop, from 0 to 1; received {value!r}")
    return float(value)


class Recurrent(Layer):
    """Base class of layers with a state. Subclasses say how many `gates` and `states` they have, and write `step`.

    Input `(batch, time, features)`; result `(batch, units)`, the output of the last step, or with `return_sequences`
    that of every step, `(batch, time, units)`.

    * `return_state`: the result is `(output, *states)`, for a layer that is called by hand or in another's `call`;
    * `go_backwards`: the last row comes first (and its output stands first);
    * `stateful`: the state after a batch is where the next batch begins, until `reset_state()`;
    * `dropout`, `recurrent_dropout`: shares of the input's and the state's features that are dropped in training, the
      same ones at every step of a batch (Gal and Ghahramani, NeurIPS 2016);
    * `mask`, `(batch, time)`: where it is False, the step is skipped and the state stays. A Sequential hands it on from
      `Embedding(mask_zero=True)` or `Masking`. The output of a skipped step is that of the step before, or 0 with
      `zero_output_for_mask`;
    * `unroll` is accepted and changes nothing: a loop is one node of the graph.
    """

    fixed_axes = (-1,)
    supports_masking = True
    gates = 1
    states = 1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = whole(units, f"{self.kind}: units")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = kernel_constraint
        self.recurrent_constraint = recurrent_constraint
        self.bias_constraint = bias_constraint
        self.dropout = share(dropout, f"{self.kind}: dropout")
        self.recurrent_dropout = share(recurrent_dropout, f"{self.kind}: recurrent_dropout")
        self.seed = seed
        self.key = seeds.key_of(seed)
        self._calls = Calls()
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self._state: _State | None = None
        self.kernel: gn.Parameter | None = None
        self.recurrent_kernel: gn.Parameter | None = None
        self.bias: gn.Parameter | None = None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, those of every recurrent layer included, in a form that JSON can hold."""
        common = [name for name in Recurrent._signature.parameters if name not in ("self", "kwargs")]
        return {**{name: plain(getattr(self, name)) for name in common}, **super().get_config()}

    # What a subclass says.

    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (self.gates * self.units,)

    def step(self, states: tuple[gn.Tensor, ...], x: gn.Tensor, recurrent: Any) -> tuple[gn.Tensor, ...]:
        """The new states, the output first, from those before and from what the input contributes.

        `x` is `(batch, gates * units)`, `recurrent(h)` the same for a state `h` that is multiplied by the recurrent
        kernel; `recurrent(h, first, last)` is that for some of the gates.
        """
        raise NotImplementedError

    # The loop.

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != 3:
            hint = ": with one feature at each time, give x[..., None]" if len(input_shape) == 2 else ""
            raise self.misfit(f"takes (batch, time, features); it got {input_shape}{hint}")
        width = self.gates * self.units
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], width),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, width),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self.bias_shape(),
                initializer=self.start_of_bias(),
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def start_of_bias(self) -> Any:
        """The initializer of the bias."""
        return self.bias_initializer

    def call(self, x: gn.Tensor, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        if x.ndim != 3:
            raise self.misfit(f"takes (batch, time, features); it got {x.shape}")
        rows, steps, _ = x.shape
        if mask is not None:
            mask = self._time_mask(mask, rows, steps)
        remembers = self.stateful and assignable(x)
        if remembers:
            self._remembered(rows)
        start = self._start(initial_state, rows)
        key = self._step_key() if training and (self.dropout or self.recurrent_dropout) else None
        xs = self._contributions(x, key)  # (time, batch, gates * units)
        recurrent = self._recurrent(rows, key)

        def step(states: tuple[gn.Tensor, ...], row: Any) -> Any:
            row, kept = row if mask is not None else (row, None)
            new = self.step(states, row, recurrent)
            y = new[0]
            if kept is not None:
                new = tuple(gn.where(kept, a, b) for a, b in zip(new, states, strict=True))
                y = gn.where(kept, y, 0.0) if self.zero_output_for_mask else new[0]
            return new, y if sequences else None

        sequences = self.return_sequences or (mask is not None and self.zero_output_for_mask)
        found, ys = gn.scan(step, start, (xs, mask) if mask is not None else xs, reverse=self.go_backwards)
        if remembers:
            for before, after in zip(self._remembered(rows), found, strict=True):
                before.assign(after)
        if self.return_sequences:
            y = gn.transpose(ys[::-1] if self.go_backwards else ys, (1, 0, 2))  # (batch, time, units)
        elif sequences and steps:
            y = ys[0 if self.go_backwards else -1]
        else:
            y = found[0]
        return (y, *found) if self.return_state else y

    def _contributions(self, x: gn.Tensor, key: Any) -> gn.Tensor:
        """`x @ kernel + bias` for all steps, time first."""
        rows, steps, width = x.shape
        x = gn.transpose(x, (1, 0, 2))
        kernel: Any = self.kernel
        if key is not None and 0 < self.dropout < 1:
            masks = self._kept((rows, width), self.dropout, key, each=bool(self.recurrent_dropout))
            parts = gn.split(kernel, len(masks), axis=1)
            y = gn.concatenate([gn.matmul(x * m, part) for m, part in zip(masks, parts, strict=True)], axis=-1)
        else:
            y = gn.reshape(gn.matmul(gn.reshape(x, (steps * rows, width)), kernel), (steps, rows, kernel.shape[1]))
        bias = self.input_bias()
        return y if bias is None else y + bias

    def input_bias(self) -> Any:
        """The bias that is added to the input's contribution, or None."""
        return self.bias

    def _recurrent(self, rows: int, key: Any) -> Any:
        """The function from a state to what it contributes."""
        kernel, units = self.recurrent_kernel, self.units
        masks: list[gn.Tensor] | None = None
        if key is not None and 0 < self.recurrent_dropout < 1:
            masks = self._kept((rows, units), self.recurrent_dropout, key + 1, each=True)

        def contribution(h: gn.Tensor, first: int = 0, last: int | None = None) -> gn.Tensor:
            last = self.gates if last is None else last
            part = kernel if last - first == self.gates else kernel[:, first * units : last * units]  # type: ignore[index]
            if masks is None:
                return gn.matmul(h, part)  # type: ignore[arg-type]
            pieces = [
                gn.matmul(h * masks[n % len(masks)], part[:, (n - first) * units : (n - first + 1) * units])  # type: ignore[index]
                for n in range(first, last)
            ]
            return pieces[0] if len(pieces) == 1 else gn.concatenate(pieces, axis=-1)

        return contribution

    # Dropout, masks, states.

    def _step_key(self) -> Any:
        """The key of this call: the seed plus the count of steps, or of calls outside of a training step, twice."""
        return self._calls.key(self.key, self, 2)

    def _kept(self, shape: tuple[int, ...], rate: float, key: Any, each: bool) -> list[gn.Tensor]:
        """`1 / (1 - rate)` where features are kept and 0 elsewhere: one array, or one for each gate."""
        count = self.gates if each else 1
        drawn = gn.random_uniform(key, (count, *shape), dtype=self.dtype)
        masks = gn.where(
            gn.greater_equal(drawn, rate), np.asarray(1 / (1 - rate), self.dtype), np.asarray(0, self.dtype)
        )
        return [masks[n] for n in range(count)]

    def _time_mask(self, mask: Any, rows: int, steps: int) -> gn.Tensor:
        """The mask as booleans, `(time, batch, 1)`."""
        mask = mask if isinstance(mask, gn.Tensor) else gn.tensor(np.asarray(mask))
        if mask.shape not in ((rows, steps), (rows, steps, 1)):
            raise self.misfit(f"takes a mask (batch, time), here {(rows, steps)}; it got {mask.shape}")
        return gn.transpose(gn.reshape(mask.astype("bool"), (rows, steps, 1)), (1, 0, 2))

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, steps, _ = as_shape(input_shape)
        y = (batch, steps, self.units) if self.return_sequences else (batch, self.units)
        return [y, *[(batch, self.units)] * self.states] if self.return_state else y

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The mask of the output: that of the input where every step has an output."""
        return mask if self.return_sequences else None

    def _start(self, initial_state: Any, rows: int) -> tuple[gn.Tensor, ...]:
        """The states to begin with."""
        if initial_state is None:
            # A state has the rows of a batch, and no part in the shapes of all rows.
            if self.stateful and self._state is not None and not phase.shapes:
                # As it is now: it is assigned at the end of the call, and gradients need what the loop began with.
                return tuple(snapshot(t) for t in self._remembered(rows))
            return tuple(gn.zeros((rows, self.units), dtype=self.dtype) for _ in range(self.states))
        given = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
        if len(given) != self.states:
            raise self.misfit(f"has {self.states} state{'s' * (self.states > 1)}; it got {len(given)}")
        found = tuple(self.as_input(t) for t in given)
        for t in found:
            if t.shape != (rows, self.units):
                raise self.misfit(f"begins with states of shape {(rows, self.units)}; it got {t.shape}")
        return found

    def _remembered(self, rows: int) -> list[gn.Parameter]:
        if self._state is None:
            self._state = _State(rows, self.units, self.states, self.dtype, self.name)
        tensors = self._state.tensors
        if tensors[0].shape[0] != rows:
            raise self.misfit(
                f"is stateful, and its state has {tensors[0].shape[0]} rows; it got a batch of {rows}: all batches "
                "have one size. Give a number of rows that the batch size divides, or stateful=False"
            )
        return tensors

    def reset_state(self) -> None:
        """Begin the next batch with states of 0 (of a stateful layer)."""
        for t in self._state.tensors if self._state is not None else ():
            t.assign(np.zeros(t.shape, t.dtype))

    reset_states = reset_state
