"""Layers without weights of their own: a function of the user's, a penalty on what goes through, nothing at all."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import graphnet as gn
from graphnet.nn import activations, regularizers
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import table


@table.add()
class Identity(Layer):
    """`x` itself."""

    def call(self, x: Any) -> Any:
        return x


@table.add()
class ActivityRegularization(Layer):
    """`x` itself; `l1 * sum(|x|) + l2 * sum(x**2)`, divided by the number of rows, is added to the loss."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return x


@table.add()
class Lambda(Layer):
    """`function(x, **arguments)`: a function of tensors as a layer; if it has an argument `training`, it is told.

    `output_shape` is there for code written for Keras: the shape comes from the function itself. A file can't hold a
    function, so a model with a Lambda can be saved only if the function has a name that loading knows: one of
    `graphnet.nn.activations`. Anything else is better written as a `Layer`.

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
        self.function = activations.get(function) if isinstance(function, str) else function
        if not callable(self.function):
            raise TypeError(f"Lambda: function is called with a tensor; received {function!r}")
        self.mask = mask
        self.arguments = dict(arguments or {})
        try:
            self._told = "training" in inspect.signature(self.function).parameters
        except (TypeError, ValueError):
            self._told = False

    def call(self, x: Any, training: bool = False) -> Any:
        told = {"training": training} if self._told else {}
        return self.function(x, **self.arguments, **told)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments. Raises `ValueError` for a function without a name that loading knows."""
        names = [name for name, f in activations.table.entries.items() if f is self.function]
        if not names:
            raise ValueError(
                f"Lambda '{self.name}' holds {getattr(self.function, '__qualname__', self.function)}, a function, "
                "which can't be written down. Make it a Layer: class Mine(nn.Layer) with a method call(self, x)."
            )
        config = {k: v for k, v in super().get_config().items() if k not in ("output_shape", "mask")}
        return {**config, "function": names[0], "arguments": self.arguments}
