"""Layers around layers: both directions of a sequence, every step of one, and a row as a sequence."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.layer import Layer
from graphnet.nn.layers.cells import Cell
from graphnet.nn.layers.core import table
from graphnet.nn.lookup import plain
from graphnet.nn.shapes import as_shape, output_shape, with_shapes

MERGES = ("concat", "sum", "mul", "ave", None)


@table.add()
class Bidirectional(Layer):
    """A recurrent layer forwards, and one like it backwards, joined (Schuster and Paliwal, 1997).

    `merge_mode` is "concat" (side by side), "sum", "mul", "ave", or None (both, as a pair). The layer backwards is made
    from the configuration of `layer` unless `backward_layer` is given, and its outputs are put in order again. With a
    mask the outputs of masked steps are 0 where sequences are returned.

    Raises `TypeError` for a layer that has no direction, `ValueError` for two of one direction, or that return
    different things.

    >>> import graphnet as gn
    >>> gn.nn.Bidirectional(gn.nn.LSTM(8))(gn.ones((2, 5, 3))).shape
    (2, 16)
    """

    supports_masking = True

    def __init__(self, layer: Any, merge_mode: str | None = "concat", backward_layer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        for given in (layer, backward_layer):
            if given is not None and (not hasattr(given, "go_backwards") or isinstance(given, Cell)):
                raise TypeError(
                    f"Bidirectional takes a recurrent layer, as in Bidirectional(LSTM(8)); received {given!r}"
                )
        if merge_mode not in MERGES:
            raise ValueError(
                f"Bidirectional: merge_mode is one of {', '.join(map(repr, MERGES))}; received {merge_mode!r}"
            )
        self.merge_mode = merge_mode
        # Two copies run, not the layer that was given: it must not count as a part.
        self.layer = None
        config = layer.get_config()
        name = config["name"]
        self.forward_layer = type(layer).from_config({**config, "name": f"forward_{name.removeprefix('forward_')}"})
        if backward_layer is None:
            config = {**config, "go_backwards": not layer.go_backwards, "name": f"backward_{name}"}
            backward_layer = type(layer).from_config(config)
        self.backward_layer: Any = backward_layer
        self._check()
        for one in (self.forward_layer, self.backward_layer):
            one.zero_output_for_mask = one.return_sequences
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        self.stateful = layer.stateful

    def _check(self) -> None:
        first, second = self.forward_layer, self.backward_layer
        if first.go_backwards == second.go_backwards:
            raise ValueError("Bidirectional: one layer has go_backwards=True, and one has not")
        for word in ("stateful", "return_sequences", "return_state"):
            if getattr(first, word) != getattr(second, word):
                raise ValueError(
                    f"Bidirectional: both layers have the same {word}; received {getattr(first, word)} forwards and "
                    f"{getattr(second, word)} backwards"
                )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for word, layer in (("layer", self.forward_layer), ("backward_layer", self.backward_layer)):
            config[word] = plain(layer)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        made = {k: table.get(config[k]) for k in ("layer", "backward_layer") if isinstance(config.get(k), dict)}
        return cls(**{**config, **made})

    def build(self, input_shape: Any) -> None:
        self.forward_layer.ensure_built(input_shape)
        self.backward_layer.ensure_built(input_shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        found, other = (
            with_shapes(layer.compute_output_shape(input_shape), as_shape)
            for layer in (self.forward_layer, self.backward_layer)
        )
        (y, *states), (z, *more) = (s if isinstance(s, list) else [s] for s in (found, other))
        if self.merge_mode is None:
            return [y, z, *states, *more]
        merged = (*y[:-1], y[-1] + z[-1]) if self.merge_mode == "concat" else y
        return [merged, *states, *more] if self.return_state else merged

    def call(self, x: gn.Tensor, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        first, second = None, None
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = initial_state[:half], initial_state[half:]
        y = self.forward_layer(x, initial_state=first, mask=mask, training=training)
        z = self.backward_layer(x, initial_state=second, mask=mask, training=training)
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*y[1:], *z[1:])
            y, z = y[0], z[0]
        if self.return_sequences:
            z = z[:, ::-1]
        merged: Any = (y, z)
        if self.merge_mode == "concat":
            merged = gn.concatenate([y, z], axis=-1)
        elif self.merge_mode in ("sum", "ave"):
            merged = y + z if self.merge_mode == "sum" else (y + z) / 2
        elif self.merge_mode == "mul":
            merged = y * z
        if not self.return_state:
            return merged
        return (*merged, *states) if self.merge_mode is None else (merged, *states)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return mask if self.return_sequences else None

    def reset_state(self) -> None:
        """Begin the next batch with states of 0 (of stateful layers)."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state


@table.add()
class TimeDistributed(Layer):
    """`layer` on every step of a sequence: `(batch, time, ...)` as `batch * time` rows.

    >>> import graphnet as gn
    >>> gn.nn.TimeDistributed(gn.nn.Flatten())(gn.ones((2, 5, 3, 4))).shape
    (2, 5, 12)
    """

    supports_masking = True

    def __init__(self, layer: Any, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise TypeError(f"TimeDistributed takes a layer, as in TimeDistributed(Dense(8)); received {layer!r}")
        self.layer = layer

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        layer = config["layer"]
        return cls(**{**config, "layer": table.get(layer) if isinstance(layer, dict) else layer})

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 3:
            raise self.misfit(f"takes (batch, time, ...) with something at each step; it got {input_shape}")
        self.layer.ensure_built((None, *input_shape[2:]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, steps, *row = as_shape(input_shape)
        return batch, steps, *output_shape(self.layer, (None, *row))[1:]

    def call(self, x: gn.Tensor, training: bool = False, mask: Any = None) -> gn.Tensor:
        if x.ndim < 3:
            raise self.misfit(f"takes (batch, time, ...) with something at each step; it got {x.shape}")
        rows, steps = x.shape[:2]
        told: dict[str, Any] = {}
        if mask is not None and "mask" in self.layer._call_names:
            mask = mask if isinstance(mask, gn.Tensor) else gn.tensor(mask)
            if mask.shape[:2] != (rows, steps):
                raise self.misfit(f"takes a mask of (batch, time), here {(rows, steps)}; it got {mask.shape}")
            if mask.ndim < x.ndim - 1:  # what is masked at a step is masked in all of its row
                mask = gn.reshape(mask, mask.shape + (1,) * (x.ndim - 1 - mask.ndim))
                mask = gn.broadcast_to(mask, x.shape[:-1])
            told = {"mask": gn.reshape(mask, (rows * steps, *mask.shape[2:]))}
        y = self.layer(gn.reshape(x, (rows * steps, *x.shape[2:])), training=training, **told)
        return gn.reshape(y, (rows, steps, *y.shape[1:]))
