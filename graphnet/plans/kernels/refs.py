"""Where the values of a group of nodes lie, and which of its axes can be gone over as if they were one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphnet.node import Tensor
from graphnet.plans.kernels.calls import Key
from graphnet.plans.order.fusion import Group
from graphnet.plans.order.views import View, Views, row_major


@dataclass(frozen=True, slots=True)
class Ref:
    """Where in the memory of `key` a value lies: strides in elements for each axis of the domain."""

    key: Key
    offset: int
    strides: tuple[int, ...]
    dtype: np.dtype


def read_at(group: Group, views: Views, t: Tensor, i: Tensor) -> tuple[View, tuple[int, ...]]:
    """Where an input from outside the group lies, and its strides over the domain as `t` reads it."""
    view = views[i]
    strides = [0] * len(group.domain)
    if group.is_copy(t):
        long = iter(range(len(group.domain)))
        for n, s in zip(i.shape, view.strides, strict=True):
            if n != 1:
                strides[next(long)] = s
    else:
        own = group.over.get(t, group.axes[t])
        for back in range(1, i.ndim + 1):
            a = own[-back]
            if i.shape[-back] != 1 and a is not None:
                strides[a] += view.strides[-back]
    return view, tuple(strides)


def written_at(group: Group, t: Tensor) -> tuple[int, ...]:
    """The strides over the domain with which a node of the group is stored."""
    if group.is_copy(t):
        return row_major(group.domain)
    strides = [0] * len(group.domain)
    for a, n, s in zip(group.axes[t], t.shape, row_major(t.shape), strict=True):
        if a is not None and n != 1:
            strides[a] = s
    return tuple(strides)


@dataclass(frozen=True)
class Axis:
    """One loop: the last of the axes that it goes over, its length, whether it is an inner one."""

    last: int
    length: int
    inner: bool


def joined(group: Group, strides: Sequence[tuple[int, ...]], apart: bool) -> list[Axis]:
    """The loops over the domain: neighbouring axes are one where all of `strides` go over them as if they were.

    With `apart`, the inner axes stay on their own.
    """
    inner = group.inner()
    axes: list[Axis] = []
    for a, n in enumerate(group.domain):
        joins = (
            bool(axes)
            and a != inner.start
            and not (apart and a in inner)
            and all(s[a - 1] == s[a] * n for s in strides)
        )
        length = axes.pop().length * n if joins else n
        axes.append(Axis(a, length, a in inner))
    return axes
