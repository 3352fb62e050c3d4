"""Layers at the beginning of sequences: Embedding (numbers to vectors) and Masking (steps that do not count)."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import initializers, regularizers
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import table, whole
from graphnet.nn.shapes import as_shape
from graphnet.ops.rows import whole_numbers


@table.add()
class Embedding(Layer):
    """`embeddings[x]`: a vector for each whole number.

    x: `(batch, ...)` of numbers from 0 to `input_dim - 1`, in any dtype (floating-point ones must be whole);
    result: `(batch, ..., output_dim)`; embeddings: `(input_dim, output_dim)`, uniform between -0.05 and 0.05 unless
    said otherwise. With `mask_zero` the number 0 means that there is nothing: layers that know masks skip it.

    Raises `IndexError` for a number that has no vector, `ValueError` for one that is not whole, and for such sizes.

    >>> import graphnet as gn
    >>> layer = gn.nn.Embedding(1000, 8)
    >>> layer([[3, 1, 999]]).shape
    (1, 3, 8)
    """

    casts = False

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        input_length: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.input_dim = whole(input_dim, "Embedding: input_dim")
        self.output_dim = whole(output_dim, "Embedding: output_dim")
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = embeddings_constraint
        self.mask_zero = self.supports_masking = bool(mask_zero)
        if input_length is not None and self.declared_shape is None:
            self.declared_shape = (int(input_length),)
        self.embeddings: gn.Parameter | None = None
        if weights is not None:
            self.build((None, None))
            self.set_weights(weights if isinstance(weights, (list, tuple)) and len(weights) == 1 else [weights])

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in super().get_config().items() if k != "weights"}

    def described(self) -> str:
        return f"{self.kind}({self.input_dim}, {self.output_dim})"

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def call(self, x: gn.Tensor) -> gn.Tensor:
        what = f"Layer '{self.name}' ({self.described()})"
        places = whole_numbers(x, what) if x.dtype.kind == "f" else x.astype("int64") if x.dtype.kind == "b" else x
        return gn.take_rows(self.embeddings, places, what=what)  # type: ignore[arg-type]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*as_shape(input_shape), self.output_dim)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """True where x is not 0, with `mask_zero`."""
        return gn.not_equal(x, np.zeros((), x.dtype)) if self.mask_zero else None


@table.add()
class Masking(Layer):
    """`x`, with a mask: steps whose features all are `mask_value` do not count, and become 0.

    x: `(batch, time, features)`. Recurrent layers skip the masked steps, and losses do not count them. `mask_value` may
    be NaN or infinite, too.

    >>> import graphnet as gn
    >>> x = gn.tensor([[[1.0, 2.0], [0.0, 0.0]]])
    >>> gn.nn.Masking().compute_mask(x)
    Tensor([[ True, False]])
    """

    supports_masking = True
    same_shape = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, x: gn.Tensor) -> gn.Tensor:
        if x.ndim < 2:
            raise self.misfit(f"takes (batch, time, features); it got {x.shape}")
        return gn.where(gn.expand_dims(self.compute_mask(x), -1), x, 0.0)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """True where some feature of a step is not `mask_value`."""
        if self.mask_value != self.mask_value:
            return gn.logical_not(gn.all(gn.isnan(x), axis=-1))
        return gn.any(gn.not_equal(x, np.asarray(self.mask_value, x.dtype)), axis=-1)
