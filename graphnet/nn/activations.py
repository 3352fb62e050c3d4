"""Activation functions by name: the engine's own, under Keras' words."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.lookup import Configured, Table

table = Table("activation")

sigmoid = table.add()(gn.sigmoid)
tanh = table.add()(gn.tanh)
softmax = table.add()(gn.softmax)
sparsemax = table.add()(gn.sparsemax)
linear = table.add()(gn.linear)
log_softmax = table.add()(gn.log_softmax)
softplus = table.add()(gn.softplus)
softsign = table.add()(gn.softsign)
log_sigmoid = table.add()(gn.log_sigmoid)
elu = table.add()(gn.elu)
celu = table.add()(gn.celu)
selu = table.add()(gn.selu)
gelu = table.add()(gn.gelu)
glu = table.add()(gn.glu)
silu = swish = table.add("swish")(gn.silu)
mish = table.add()(gn.mish)
relu6 = table.add()(gn.relu6)
hard_sigmoid = table.add()(gn.hard_sigmoid)
hard_silu = hard_swish = table.add("hard_swish")(gn.hard_silu)
hard_tanh = table.add()(gn.hard_tanh)
hard_shrink = table.add()(gn.hard_shrink)
soft_shrink = table.add()(gn.soft_shrink)
tanh_shrink = table.add()(gn.tanh_shrink)
squareplus = table.add()(gn.squareplus)
sparse_plus = table.add()(gn.sparse_plus)
sparse_sigmoid = table.add()(gn.sparse_sigmoid)
threshold = table.add()(gn.threshold)


@table.add()
def relu(
    x: gn.Tensor, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> gn.Tensor:
    """`x` above `threshold`, at most `max_value`; `negative_slope * (x - threshold)` up to it.

    >>> import graphnet as gn
    >>> relu(gn.tensor([-10.0, 0.5, 5.0]), negative_slope=0.1, max_value=3.0)
    Tensor([-1. ,  0.5,  3. ])
    """
    if max_value is None and threshold == 0:
        return gn.leaky_relu(x, negative_slope) if negative_slope else gn.relu(x)
    above = gn.relu(x) if threshold == 0 else gn.where(gn.greater(x, threshold), x, 0.0)
    if max_value is not None:
        above = gn.relu6(x) if max_value == 6 and threshold == 0 else gn.clip(above, 0.0, max_value)
    return above - negative_slope * gn.relu(threshold - x) if negative_slope else above


@table.add()
def exponential(x: gn.Tensor) -> gn.Tensor:
    """`exp(x)`."""
    return gn.exp(x)


@table.add()
def leaky_relu(x: gn.Tensor, negative_slope: float = 0.2) -> gn.Tensor:
    """`x` where it is positive, `negative_slope * x` elsewhere."""
    return gn.leaky_relu(x, negative_slope)


def get(given: Any) -> Any:
    """The function for a word (`"relu"`), or the callable that was given; None is `linear`.

    The configuration of a layer, which may be an activation, is that layer again, with its settings.
    """
    if isinstance(given, dict) and isinstance(given.get("class_name"), str):
        from graphnet.nn.layers import table as layers

        if given["class_name"] in layers.entries or isinstance(getattr(given, "of", None), Configured):
            return layers.get(given)
    return linear if given is None else table.get(given)


def keeps_shape(activation: Any) -> bool:
    """Whether it is known that the result has the shape of the argument."""
    if activation is None or getattr(activation, "same_shape", False):
        return True
    return activation is not glu and any(activation is entry for entry in table.entries.values())
