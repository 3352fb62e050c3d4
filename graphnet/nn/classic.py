"""Layers in the words of the library this one grew from: `Layer(size=..., activation=..., type='dropout')`.

A network is a list of sizes. The first layer only states the size of the input; each further one is fully connected to
the one before. `dropout_keep_prob` is the share of units that are kept, so `Dropout(1 - dropout_keep_prob)`.
"""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.layer import Layer
from graphnet.nn.layers import Dense, Dropout, InputLayer, table
from graphnet.nn.lookup import unknown

TYPES = ("dense", "dropout", "fully_connected")


@table.add()
class ClassicLayer(Dense):
    """What `Layer(size=...)` gives: `activation(x @ kernel + bias)`, with dropout after it if `type='dropout'`.

    `size` is the number of units; `dropout_keep_prob` the share of them that a training step keeps; `initializer` what
    the weights start from, Xavier unless said. As the first layer of a Sequential it states the size of the input.

    >>> import graphnet as gn
    >>> model = gn.nn.Sequential()
    >>> model.add(gn.nn.Layer(size=4))
    >>> model.add(gn.nn.Layer(size=3, activation="relu", type="dropout", dropout_keep_prob=0.5))
    >>> model.output_shape
    (None, 3)
    """

    kind = "Layer"

    def __init__(
        self,
        size: int,
        activation: Any = None,
        type: str | None = None,
        dropout_keep_prob: float | None = None,
        initializer: Any = "xavier",
        seed: int | None = None,
        **kwargs: Any,
    ):
        if isinstance(size, bool) or not hasattr(size, "__index__") or size < 1:
            raise ValueError(f"Layer: size is a whole number, 1 or more; received {size!r}")
        if type is not None and type not in TYPES:
            raise unknown("layer type", type, TYPES)
        if dropout_keep_prob is not None and type != "dropout":
            raise ValueError(
                f"Layer: dropout_keep_prob={dropout_keep_prob!r} goes with type='dropout'; type is {type!r}"
            )
        keep = 0.5 if type == "dropout" and dropout_keep_prob is None else dropout_keep_prob
        if keep is not None and (isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0 < keep <= 1):
            raise ValueError(
                f"Layer: dropout_keep_prob is the share of units to keep, above 0 and up to 1; received {keep!r}"
            )
        super().__init__(size, activation=activation, kernel_initializer=initializer, **kwargs)
        self.size = self.units
        self.type = type
        self.dropout_keep_prob = keep
        self.initializer = self.kernel_initializer
        self.dropout = Dropout(1 - keep, seed=seed, name=f"{self.name}_dropout") if keep is not None else None

    def call(self, x: gn.Tensor, training: bool = False) -> gn.Tensor:
        y = super().call(x)
        return self.dropout(y, training=training) if self.dropout is not None else y

    def as_first(self) -> list[Layer]:
        """What it stands for as the first layer: the size of the input, and dropout of the input if it says so."""
        stated = InputLayer((self.size,), name=f"{self.name}_input")
        return [stated] if self.dropout is None else [stated, self.dropout]
