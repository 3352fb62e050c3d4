"""`RNN`: a loop over a sequence whose step is a cell, graphnet's or one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.layer import Layer
from graphnet.nn.layers.cells import Cell, StackedRNNCells, checked_cell, initial_state_of, same_form, stepped
from graphnet.nn.layers.core import table
from graphnet.nn.phase import assignable, phase, running
from graphnet.nn.shapes import each, tensors_in
from graphnet.ops.shaping import snapshot


class _Remembered:
    """The states of a stateful layer between batches. No weight: it is neither saved nor counted."""

    def __init__(self, tree: Any):
        self.tree = tree


def together(f: Callable[..., Any], *trees: Any) -> Any:
    """`f` of the tensors at the same place in nested lists."""
    if isinstance(trees[0], (list, tuple)):
        return [together(f, *parts) for parts in zip(*trees, strict=True)]
    return f(*trees)


@table.add()
class RNN(Layer):
    """`output, states = cell(x[:, t], states)` for each step t: a recurrent layer of any cell.

    x: `(batch, time, ...)`; result: the output of the last step, or with `return_sequences` that of every step,
    `(batch, time, ...)`. `cell` is a layer with `state_size` (a size, or a list of sizes or shapes) and
    `call(inputs, states)`, which gives `(output, new states)`; a list of cells is stacked. `output_size` and
    `get_initial_state(batch_size)` are asked for where a cell has them. The other arguments, masks and the result with
    `return_state` are those of every recurrent layer, see `Recurrent`.

    Raises `TypeError` for what is no cell, or gives other states than it takes.

    >>> import graphnet as gn
    >>> class Sum(gn.nn.Layer):
    ...     state_size = 2
    ...     def call(self, x, states):
    ...         total = states[0] + x
    ...         return total, [total]
    >>> gn.nn.RNN(Sum(), return_sequences=True)([[[1.0, 2.0], [3.0, 4.0]]])
    Tensor([[[1., 2.],
             [4., 6.]]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.cell: Any = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else checked_cell(cell, "RNN")
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask = zero_output_for_mask
        self._state: _Remembered | None = None

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        cell = config["cell"]
        return cls(**{**config, "cell": table.get(cell) if isinstance(cell, dict) else cell})

    @property
    def state_size(self) -> Any:
        """The sizes of the cell's states."""
        return self.cell.state_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) < 3:
            raise self.misfit(f"takes (batch, time, ...) with something at each step; it got {input_shape}")
        self._specs(1, tuple(1 if n is None else n for n in input_shape[2:]))

    def _specs(self, rows: int, sizes: tuple[int, ...]) -> gn.Tensor:
        """The output of one step as a symbolic tensor; the cell is built by it, outside of the loop."""
        with running(False, losses=[]):
            x = gn.input((rows, *sizes), self.dtype)
            states = together(lambda t: gn.input(t.shape, t.dtype.name), initial_state_of(self.cell, rows))
            return stepped(self.cell, x, states, False)[0]

    def call(self, x: gn.Tensor, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        if x.ndim < 3:
            raise self.misfit(f"takes (batch, time, ...) with something at each step; it got {x.shape}")
        rows, steps = x.shape[:2]
        remembers = self.stateful and assignable(x)
        if remembers:
            self._remembered(rows)
        start = self._start(initial_state, rows)
        kept = None if mask is None else self._time_mask(mask, rows, steps)
        spec = self._specs(rows, x.shape[2:])
        # The last output goes along as a state where it is the result, or that of a step that is skipped.
        goes = not self.return_sequences or (kept is not None and not self.zero_output_for_mask)
        carry: tuple[Any, ...] = (start, gn.zeros(spec.shape, spec.dtype)) if goes else (start,)

        def step(carry: Any, row: Any) -> Any:
            states = carry[0]
            row, now = row if kept is not None else (row, None)
            losses: list[gn.Tensor] = []
            with running(training, phase.iteration, losses):
                y, new = stepped(self.cell, row, states, training)
            if losses:
                raise self.misfit("has a cell that calls add_loss, which can't leave the loop: add it after the RNN")
            if now is not None:
                new = together(lambda a, b: gn.where(_wide(now, a), a, b), new, states)
                y = gn.where(_wide(now, y), y, 0.0 if self.zero_output_for_mask else carry[1])
            return (new, y) if goes else (new,), y if self.return_sequences else None

        xs = gn.moveaxis(x, 1, 0)
        with holding(self.cell, training):
            found, ys = gn.scan(step, carry, (xs, kept) if kept is not None else xs, reverse=self.go_backwards)
        states = found[0]
        if remembers:
            together(lambda before, after: before.assign(after), self._remembered(rows), states)
        y = found[-1]
        if self.return_sequences:
            y = gn.moveaxis(ys[::-1] if self.go_backwards else ys, 0, 1)  # (batch, time, ...)
        return (y, *states) if self.return_state else y

    def _time_mask(self, mask: Any, rows: int, steps: int) -> gn.Tensor:
        """The mask as booleans, `(time, batch)`."""
        mask = mask if isinstance(mask, gn.Tensor) else gn.tensor(np.asarray(mask))
        if mask.shape not in ((rows, steps), (rows, steps, 1)):
            raise self.misfit(f"takes a mask (batch, time), here {(rows, steps)}; it got {mask.shape}")
        return gn.transpose(gn.reshape(mask.astype("bool"), (rows, steps)), (1, 0))

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The mask of the output: that of the input where every step has an output."""
        return mask if self.return_sequences else None

    def _start(self, initial_state: Any, rows: int) -> list[Any]:
        """The states to begin with."""
        if initial_state is None:
            if self.stateful and self._state is not None:
                # As it is now: it is assigned at the end of the call, and gradients need what the loop began with.
                return each(self._remembered(rows), snapshot)
            return initial_state_of(self.cell, rows)
        wanted = initial_state_of(self.cell, rows)
        given = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
        return same_form(each(given, self.as_input), wanted, self.cell)

    def _remembered(self, rows: int) -> Any:
        if self._state is None:
            begin = initial_state_of(self.cell, rows)
            made = together(lambda t: gn.Parameter(t.numpy(), trainable=False, name=f"{self.name}/state"), begin)
            self._state = _Remembered(made)
        first = tensors_in(self._state.tree)[0]
        if first.shape[0] != rows:
            raise self.misfit(
                f"is stateful, and its state has {first.shape[0]} rows; it got a batch of {rows}: all batches have one "
                "size. Give a number of rows that the batch size divides, or stateful=False"
            )
        return self._state.tree

    def reset_state(self) -> None:
        """Begin the next batch with the cell's initial states (of a stateful layer)."""
        if self._state is not None:
            rows = tensors_in(self._state.tree)[0].shape[0]
            together(lambda p, t: p.assign(t), self._state.tree, initial_state_of(self.cell, rows))

    reset_states = reset_state


def _wide(kept: gn.Tensor, like: gn.Tensor) -> gn.Tensor:
    """A mask `(batch,)` with axes of one for what `like` has besides."""
    return gn.reshape(kept, (-1,) + (1,) * (like.ndim - 1))


@contextmanager
def holding(cell: Any, training: bool) -> Iterator[None]:
    """In this block the cells in a cell drop the same features at every step."""
    cells = [c for c in cell.walk() if isinstance(c, Cell)]
    for c in cells:
        c.held = c.draw(training)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for c in cells:
            c.held = None  # type: ignore[attr-defined]
