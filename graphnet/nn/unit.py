"""Vectors of length one: what cosines, orthogonality and unit norms are made of."""

from __future__ import annotations

from typing import Any

import graphnet as gn

EPSILON = 1e-7


def unit(x: gn.Tensor, axis: Any = -1) -> gn.Tensor:
    """`x / max(norm(x), 1e-7)` along `axis`. A vector shorter than that has no direction: its gradient is 0.

    >>> import graphnet as gn
    >>> unit(gn.tensor([[3.0, 4.0], [0.0, 0.0]]))
    Tensor([[0.6, 0.8],
            [0. , 0. ]])
    """
    norm = gn.norm(x, axis=axis, keepdims=True)
    none = gn.less(norm, EPSILON)
    return gn.where(none, gn.stop_gradient(x) / EPSILON, x / gn.where(none, 1.0, norm))
