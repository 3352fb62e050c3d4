"""What layers over axes of space share: the number of those axes, where the channels are, numbers for each axis."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.layer import Layer
from graphnet.nn.shapes import as_shape

WORDS: dict[int, tuple[str, ...]] = {1: ("steps",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def each(value: Any, rank: int, what: str, least: int = 1) -> tuple[int, ...]:
    """`value`, one whole number or one for each of `rank` axes, as a tuple, or an error that names `what`."""
    listed = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if len(listed) != rank or any(isinstance(n, bool) or not hasattr(n, "__index__") or n < least for n in listed):
        form = f"a whole number or {rank} of them" if rank > 1 else "a whole number"
        raise ValueError(f"{what} is {form}, {least} or more; received {value!r}")
    return tuple(int(n) for n in listed)


def both_ends(value: Any, rank: int, what: str) -> tuple[tuple[int, int], ...]:
    """`value` as a pair (before, after) for each axis: one number, one for each axis, or the pairs themselves."""
    if rank == 1 and isinstance(value, (tuple, list)) and len(value) == 2:
        return (each(value, 2, what, 0),)  # type: ignore[return-value]
    listed = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if len(listed) != rank:
        raise ValueError(f"{what} is a whole number, {rank} of them, or {rank} pairs; received {value!r}")
    return tuple(each(n, 2, what, 0) for n in listed)  # type: ignore[misc]


class Spatial(Layer):
    """A layer over `rank` axes of space: a subclass states its formula in `over_space`, with the channels last."""

    rank = 0

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(
                f"{self.kind}: data_format is 'channels_last' or 'channels_first'; received {data_format!r}"
            )
        self.data_format = data_format or "channels_last"

    @property
    def channels_first(self) -> bool:
        """Whether the channels stand before the axes of space."""
        return self.data_format == "channels_first"

    @property
    def channel_axis(self) -> int:
        """The axis of the channels, from the end."""
        return -1 - self.rank if self.channels_first else -1

    def check_rank(self, shape: tuple[int | None, ...]) -> None:
        """Raise `ValueError` for an input with another number of axes."""
        if len(shape) == self.rank + 2:
            return
        words = WORDS[self.rank]
        wanted = ", ".join(("batch", "channels", *words) if self.channels_first else ("batch", *words, "channels"))
        hint = ""
        if len(shape) == self.rank + 1:
            inside = "x[:, None]" if self.channels_first else "x[..., None]"
            hint = f": add an axis for the channels, {inside}, or for a batch of one, x[None]"
        raise self.misfit(f"takes ({wanted}); it got {tuple(shape)}{hint}")

    def channels(self, shape: tuple[int | None, ...]) -> int:
        """The number of channels of an input."""
        self.check_rank(shape)
        found = shape[self.channel_axis]
        if found is None:
            raise self.misfit(f"needs to know the number of channels; its input has shape {tuple(shape)}")
        return found

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        """The formula, from `(batch, *space, channels)`."""
        raise NotImplementedError(f"{self.kind} needs a method over_space(self, x)")

    def call(self, x: gn.Tensor) -> gn.Tensor:
        self.check_rank(x.shape)
        if not self.channels_first:
            return self.over_space(x)
        y = self.over_space(gn.moveaxis(x, 1, -1))
        return gn.moveaxis(y, -1, 1) if y.ndim > 2 else y

    def sized(self, axis: int, n: int | None) -> int | None:
        """The size of an axis of space in the output, from that in the input."""
        return n

    def made_channels(self, channels: int | None) -> int | None:
        """The number of channels of the output."""
        return channels

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = as_shape(input_shape)
        self.check_rank(shape)
        batch, *rest = shape
        space, channels = (rest[1:], rest[0]) if self.channels_first else (rest[:-1], rest[-1])
        try:
            space = [self.sized(axis, n) for axis, n in enumerate(space)]
        except ValueError as error:
            raise self.misfit(f"takes larger inputs than {shape}: {error}") from None
        made = self.made_channels(channels)
        return (batch, made, *space) if self.channels_first else (batch, *space, made)
