"""Cells: one step of a recurrent layer as a layer of its own, alone or stacked."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import table
from graphnet.nn.layers.recurrent import GRU, LSTM, SimpleRNN

#: arguments of recurrent layers that say how the loop goes, which is no business of a cell
OF_THE_LOOP = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
    "activity_regularizer",
)


class Cell:
    """What makes a cell of a recurrent layer: a call is `(inputs, states) -> (output, new states)`.

    inputs: `(batch, features)`; states: a list of `(batch, units)`. Weights and arguments are those of the layer,
    without what says how the loop goes. In an `RNN` it drops the same features at every step of a batch; called by hand
    it drops others at each call.
    """

    units: int
    states: int
    #: the key of the random numbers while a loop runs it
    held: Any = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        for word in OF_THE_LOOP:
            if word in kwargs:
                raise TypeError(f"{cls.__name__}: {word} is an argument of RNN, which goes through a sequence.")
        return super().__new__(cls, *args, **kwargs)

    @property
    def state_size(self) -> Any:
        """The size of the state, or a list of sizes."""
        return self.units if self.states == 1 else [self.units] * self.states

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return self.units

    def get_initial_state(self, batch_size: int, dtype: Any = None) -> list[gn.Tensor]:
        """States of 0 for this many rows."""
        kind = dtype or self.dtype  # type: ignore[attr-defined]
        return [gn.zeros((batch_size, self.units), dtype=kind) for _ in range(self.states)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, in a form that JSON can hold."""
        return {k: v for k, v in super().get_config().items() if k not in OF_THE_LOOP}  # type: ignore[misc]

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of `(batch, features)`."""
        if len(input_shape) != 2:
            raise self.misfit(f"takes (batch, features), one step; it got {input_shape}")  # type: ignore[attr-defined]
        super().build((input_shape[0], None, input_shape[1]))  # type: ignore[misc]

    def draw(self, training: bool) -> Any:
        """The key of the random numbers of a call, None where there are none."""
        return self._step_key() if training and (self.dropout or self.recurrent_dropout) else None  # type: ignore[attr-defined]

    def call(self, inputs: gn.Tensor, states: Any, training: bool = False) -> tuple[gn.Tensor, list[gn.Tensor]]:
        """The output, and the new states."""
        before = tuple(self.as_input(s) for s in (states if isinstance(states, (list, tuple)) else [states]))  # type: ignore[attr-defined]
        wanted = (inputs.shape[0], self.units)
        if [s.shape for s in before] != [wanted] * self.states:
            given = [s.shape for s in before]
            raise self.misfit(  # type: ignore[attr-defined]
                f"has {self.states} state{'s' * (self.states > 1)} of shape {wanted}; it got {given}"
            )
        key = self.held if self.held is not None else self.draw(training)
        x = self._contributions(gn.expand_dims(inputs, 1), key)[0]  # type: ignore[attr-defined]
        new = self.step(before, x, self._recurrent(inputs.shape[0], key))  # type: ignore[attr-defined]
        return new[0], list(new)


@table.add()
class SimpleRNNCell(Cell, SimpleRNN):  # type: ignore[misc]
    """One step of a SimpleRNN: `h = activation(x @ kernel + bias + h @ recurrent_kernel)`.

    >>> import graphnet as gn
    >>> cell = gn.nn.SimpleRNNCell(1, kernel_initializer="ones", recurrent_initializer="ones")
    >>> y, states = cell([[1.0]], [gn.zeros((1, 1), "float32")])
    >>> y.round(5)
    Tensor([[0.76159]], dtype=float32)
    """


@table.add()
class LSTMCell(Cell, LSTM):  # type: ignore[misc]
    """One step of an LSTM: from inputs and states `[h, c]` to h and `[h, c]`; see LSTM for the formula."""


@table.add()
class GRUCell(Cell, GRU):  # type: ignore[misc]
    """One step of a GRU: from inputs and the state h to the new one, twice; see GRU for the formula."""


@table.add()
class StackedRNNCells(Layer):
    """Cells one on the other: the output of each is the input of the next, and the states are a list for each.

    Raises `TypeError` for what is no cell: a layer with `state_size` and `call(inputs, states)`.

    >>> import graphnet as gn
    >>> cell = gn.nn.StackedRNNCells([gn.nn.LSTMCell(4), gn.nn.GRUCell(3)])
    >>> cell.state_size, gn.nn.RNN(cell)(gn.ones((2, 5, 3))).shape
    ([[4, 4], 3], (2, 3))
    """

    def __init__(self, cells: Any, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(cells, (list, tuple)) or not cells:
            raise TypeError(
                f"StackedRNNCells takes a list of cells, as in StackedRNNCells([LSTMCell(8)]); got {cells!r}"
            )
        self.cells = [checked_cell(cell, "StackedRNNCells") for cell in cells]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        cells = [table.get(cell) if isinstance(cell, dict) else cell for cell in config["cells"]]
        return cls(**{**config, "cells": cells})

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for cell in self.cells:
            cell.ensure_built(input_shape)
            size = output_size_of(cell)
            input_shape = (input_shape[0], *(size if isinstance(size, (list, tuple)) else (size,)))

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the states of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return output_size_of(self.cells[-1])

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states to begin with, of each cell."""
        return [initial_state_of(cell, batch_size) for cell in self.cells]

    def call(  # type: ignore[override]
        self, inputs: gn.Tensor, states: Any, training: bool = False
    ) -> tuple[gn.Tensor, list[Any]]:
        """The output of the last cell, and the new states of each."""
        if not isinstance(states, (list, tuple)) or len(states) != len(self.cells):
            raise self.misfit(f"has {len(self.cells)} cells, and takes states for each")
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, after = stepped(cell, inputs, state, training)
            new.append(after)
        return inputs, new


def checked_cell(cell: Any, what: str) -> Any:
    """`cell`, or an error that says what one is."""
    if not isinstance(cell, Layer) or getattr(cell, "state_size", None) is None:
        raise TypeError(
            f"{what}: a cell is a layer with `state_size`, the size of its state or a list of sizes, and a method "
            f"call(inputs, states) that gives the output and the new states; received {cell!r}"
        )
    return cell


def output_size_of(cell: Any) -> Any:
    """The size of a cell's output: that of its first state unless it says else."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, (list, tuple)) else cell.state_size
    return size


def initial_state_of(cell: Any, rows: int) -> Any:
    """The states to begin with, as the cell gives them, or 0: a list, also of one."""
    if hasattr(cell, "get_initial_state"):
        found = cell.get_initial_state(batch_size=rows)
    else:
        sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
        shapes = [size if isinstance(size, (list, tuple)) else (size,) for size in sizes]
        found = [gn.zeros((rows, *shape), dtype=cell.dtype) for shape in shapes]
    return list(found) if isinstance(found, (list, tuple)) else [found]


def stepped(cell: Any, inputs: gn.Tensor, states: Any, training: bool) -> tuple[gn.Tensor, Any]:
    """What a cell gives, the states in the form of those before. Raises `TypeError` for anything else."""
    found = cell(inputs, states, training=training)
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise TypeError(f"Layer '{cell.name}' ({cell.described()}): a cell gives (output, new states)")
    y, after = found
    after = list(after) if isinstance(after, (tuple, list)) else [after]
    return y, same_form(after, states, cell)


def same_form(after: Any, before: Any, cell: Any) -> Any:
    """New states in the form and dtype of those before, or an error that names the cell."""
    if isinstance(before, (list, tuple)):
        if not isinstance(after, (list, tuple)):
            after = [after]
        if len(after) != len(before):
            raise TypeError(
                f"Layer '{cell.name}' ({cell.described()}) has {len(before)} states, and its call gives {len(after)}"
            )
        return [same_form(a, b, cell) for a, b in zip(after, before, strict=True)]
    t = after[0] if isinstance(after, (list, tuple)) and len(after) == 1 else after
    if not isinstance(t, gn.Tensor) or t.shape != before.shape:
        raise TypeError(
            f"Layer '{cell.name}' ({cell.described()}): a state of shape {before.shape} becomes "
            f"{t.shape if isinstance(t, gn.Tensor) else type(t).__name__}: states keep their shapes"
        )
    return t if t.dtype == before.dtype else t.astype(before.dtype)
