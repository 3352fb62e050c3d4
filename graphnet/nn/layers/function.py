"""Layers without weights of their own: a function of the user's, a penalty on what goes through, nothing at all."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import graphnet as gn
from graphnet.nn import activations, regularizers
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import table
from graphnet.nn.lookup import Named, plain


@table.add()
class Identity(Layer):
    """`x` itself."""

    supports_masking = True
    same_shape = True

    def call(self, x: Any) -> Any:
        return x


@table.add()
class ActivityRegularization(Layer):
    """`x` itself; `l1 * sum(|x|) + l2 * sum(x**2)`, divided by the number of rows, is added to the loss."""

    supports_masking = True
    same_shape = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return x


@table.add()
class Lambda(Layer):
    """`function(x, **arguments)`: a function of tensors as a layer; if it has an argument `training`, it is told.

    `output_shape` is there for code written for Keras: the shape comes from the function itself. `mask` is the mask of
    the output, or a function of input and mask that gives it. A file can't hold a function, only its name: saving
    refuses a lambda, and loading takes the functions of `graphnet.nn.activations`, those registered with
    `register_serializable`, and those in `custom_objects`. Anything else is better written as a `Layer`.

    >>> import graphnet as gn
    >>> gn.nn.Lambda(lambda x, power: x**power, arguments={"power": 2})([[1.0, 3.0]])
    Tensor([[1., 9.]], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(function, str):
            function = function.of if isinstance(function, Named) else activations.get(function)
        self.function = function
        if not callable(self.function):
            raise TypeError(f"Lambda: function is called with a tensor; received {function!r}")
        self.output_shape_given, self.mask = output_shape, mask
        self.supports_masking = mask is not None
        self.arguments = dict(arguments or {})
        try:
            self._told = "training" in inspect.signature(self.function).parameters
        except (TypeError, ValueError):
            self._told = False

    def call(self, x: Any, training: bool = False) -> Any:
        told = {"training": training} if self._told else {}
        return self.function(x, **self.arguments, **told)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return self.mask(x, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, functions as their names."""
        return {**super().get_config(), "output_shape": plain(self.output_shape_given)}
