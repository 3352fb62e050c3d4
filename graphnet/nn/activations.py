"""Activation functions by name: the engine's own, under Keras' words."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.lookup import Table

table = Table("activation")

relu = table.add()(gn.relu)
sigmoid = table.add()(gn.sigmoid)
tanh = table.add()(gn.tanh)
softmax = table.add()(gn.softmax)
linear = table.add()(gn.linear)
log_softmax = table.add()(gn.log_softmax)
softplus = table.add()(gn.softplus)
softsign = table.add()(gn.softsign)
log_sigmoid = table.add()(gn.log_sigmoid)
elu = table.add()(gn.elu)
selu = table.add()(gn.selu)
gelu = table.add()(gn.gelu)
silu = table.add("swish")(gn.silu)
mish = table.add()(gn.mish)
relu6 = table.add()(gn.relu6)
hard_sigmoid = table.add()(gn.hard_sigmoid)
hard_silu = table.add("hard_swish")(gn.hard_silu)


@table.add()
def exponential(x: gn.Tensor) -> gn.Tensor:
    """`exp(x)`."""
    return gn.exp(x)


@table.add()
def leaky_relu(x: gn.Tensor, negative_slope: float = 0.2) -> gn.Tensor:
    """`x` where it is positive, `negative_slope * x` elsewhere."""
    return gn.leaky_relu(x, negative_slope)


def get(given: Any) -> Any:
    """The function for a word (`"relu"`), or the callable that was given; None is `linear`."""
    return linear if given is None else table.get(given)
