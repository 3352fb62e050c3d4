"""Which nodes run in one loop: nodes as steps, most of them groups of elementwise ops and reductions.

A group has a domain, the shape that its loops go over, without axes of size one. `split` parts its axes into outer and
inner ones. A node of the group is *full* if it has a value at each point of the domain, or a *row* if it has one for
each outer point (the result of a reduction over the inner axes). A reduction that keeps an inner axis, or goes over
outer ones, adds up in memory, and is there for later steps only.

A step only depends on steps before it: a node joins the group that comes last among those it depends on, or the very
last group of all if the domain is the same, or it begins a new one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from graphnet.node import Tensor, is_view, made_by
from graphnet.ops.shaping import reshape
from graphnet.plans.order.costs import weight
from graphnet.plans.order.views import Views

#: sums over more elements than this are added up in float64
LONG_SUM = 4096
#: what a group may weigh: longer loops spill registers and compile slowly
HEAVIEST = 64

Axes = tuple["int | None", ...]


@dataclass(frozen=True, eq=False)
class Group:
    """Nodes that run in one nest of loops over `domain`.

    * `axes`: the axis of the domain for each axis of a node; `over`: the same for what a reduction goes over;
    * `late`: nodes whose value is complete only after the loops;
    * `split`: the first of the inner axes, if a reduction asks for one; `least`: the first that can be one.
    """

    domain: tuple[int, ...]
    nodes: tuple[Tensor, ...]
    axes: Mapping[Tensor, Axes]
    over: Mapping[Tensor, Axes]
    late: Set[Tensor]
    split: int | None
    least: int

    def member(self, t: Tensor) -> tuple[Tensor, Axes] | None:
        """The node of the group whose value `t` is, and the axes of the domain for the axes of `t`."""
        return member_of(self.axes, t)

    def inner(self) -> range:
        """The axes of the inner loops."""
        return range(self.least if self.split is None else self.split, len(self.domain))

    def is_copy(self, t: Tensor) -> bool:
        """Whether `t` is a copy in another shape, made in the shape of what it copies."""
        return t in self.late and t not in self.over

    def is_row(self, t: Tensor) -> bool:
        """Whether a node of the group has one value for each outer point."""
        inner = self.inner()
        return len(inner) > 0 and not self.is_copy(t) and not any(a in inner for a in self.axes[t] if a is not None)


@dataclass(frozen=True, eq=False)
class Single:
    """One node that runs alone: a product, a kernel of its own, or a call of its op's own body."""

    node: Tensor
    product: bool = False


Step = Group | Single


class Fused(NamedTuple):
    """Steps in order, and the number of the step that computes a node, or what the node is a view of."""

    steps: tuple[Step, ...]
    place_of: dict[Tensor, int]


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without its axes of size one."""
    return tuple(n for n in shape if n != 1)


def own_axes(shape: Sequence[int]) -> Axes:
    """The axes of a domain that is `shape` without its axes of size one, for each axis of `shape`."""
    count = iter(range(len(shape)))
    return tuple(None if n == 1 else next(count) for n in shape)


def reduced_axes(t: Tensor) -> tuple[int, ...]:
    """The axes of its input that a reduction, or a position of an extreme, goes over."""
    axis = t.attrs["axis"]
    if isinstance(axis, tuple):
        return axis
    return tuple(range(t.inputs[0].ndim)) if axis is None else (axis,)


def member_of(axes_of: Mapping[Tensor, Axes], t: Tensor) -> tuple[Tensor, Axes] | None:
    """Of nodes with their axes the one whose value `t` is, and the axes of the domain for the axes of `t`.

    That is one of them itself, or behind ops that only add, drop or repeat axes.
    """
    if t in axes_of:
        return t, axes_of[t]
    if not (is_view(t) and t.op.same):  # type: ignore[union-attr]
        return None
    found = member_of(axes_of, t.inputs[0])
    if found is None:
        return None
    node, axes = found
    source = t.inputs[0].shape
    if made_by(t, reshape):
        if squeezed(t.shape) != squeezed(source):
            return None
        long = iter([a for a, n in zip(axes, source, strict=True) if n != 1])
        return node, tuple(None if n == 1 else next(long) for n in t.shape)
    return node, (None,) * (t.ndim - len(axes)) + axes


class _Fit(NamedTuple):
    """How a node is part of a group: its axes, those of what it reduces, and how the group's loops are parted then."""

    axes: Axes
    over: Axes | None
    late: bool
    split: int | None
    least: int


@dataclass(eq=False)
class _Growing:
    """A group that more nodes may join."""

    domain: tuple[int, ...]
    nodes: list[Tensor] = field(default_factory=list)
    axes: dict[Tensor, Axes] = field(default_factory=dict)
    over: dict[Tensor, Axes] = field(default_factory=dict)
    late: set[Tensor] = field(default_factory=set)
    split: int | None = None
    least: int = 0
    weight: int = 0

    def add(self, t: Tensor, fit: _Fit) -> None:
        self.nodes.append(t)
        self.axes[t] = fit.axes
        if fit.over is not None:
            self.over[t] = fit.over
        if fit.late:
            self.late.add(t)
        self.split, self.least = fit.split, fit.least
        self.weight += weight(t.op) if t.op is not None else 1

    def grown(self) -> Group:
        """The group, with rows of what is summed over everything if that is long: short sums can stay in float32, where
        vectors are twice as wide."""
        split, count = self.split, len(self.domain)
        if split is None and self.late and math.prod(self.domain) > LONG_SUM:
            short = next(k for k in range(count + 1) if math.prod(self.domain[k:]) <= LONG_SUM)
            if self.least <= short < count and self.late <= self.over.keys():
                split = short
        return Group(self.domain, tuple(self.nodes), self.axes, self.over, self.late, split, self.least)


def fused(
    order: Iterable[Tensor], views: Views, fusible: Callable[[Tensor], bool], product: Callable[[Tensor], bool]
) -> Fused:
    """The steps of the nodes in `order`; views are no steps.

    `fusible(t)` says whether kernels know the op of `t`, `product(t)` whether it is a matrix product that runs alone.
    """
    steps: list[_Growing | Single] = []
    place_of: dict[Tensor, int] = {}
    for t in order:
        if views.is_view(t):
            base = views[t].base
            if base in place_of:
                place_of[t] = place_of[base]
        elif fusible(t):
            after = max((place_of.get(i, -1) for i in t.inputs), default=-1)
            place_of[t] = _put(t, steps, after, views)
        else:
            place_of[t] = len(steps)
            steps.append(Single(t, product(t)))
    return Fused(tuple(step.grown() if isinstance(step, _Growing) else step for step in steps), place_of)


def _put(t: Tensor, steps: list[_Growing | Single], after: int, views: Views) -> int:
    """Add `t`, which needs nothing of what comes behind step `after`, to a group. The number of its step."""
    for place in dict.fromkeys((after, len(steps) - 1)):
        group = steps[place] if place >= 0 else None
        if isinstance(group, _Growing) and group.weight < HEAVIEST:
            fit = _fit(t, group, views)
            if fit is not None:
                group.add(t, fit)
                return place
    domain, fit = _alone(t)
    group = _Growing(domain)
    group.add(t, fit)
    steps.append(group)
    return len(steps) - 1


def _reduces(t: Tensor) -> bool:
    return t.op is not None and t.op.fold is not None


def _alone(t: Tensor) -> tuple[tuple[int, ...], _Fit]:
    """The domain of a group that begins with `t`."""
    if made_by(t, reshape):
        # A copy in another shape goes over the shape it is read in, and nothing else joins it.
        return squeezed(t.inputs[0].shape), _Fit((), None, True, None, 0)
    if not _reduces(t):
        return squeezed(t.shape), _Fit(own_axes(t.shape), None, False, None, 0)
    shape = t.inputs[0].shape
    fit = _reduction(t, own_axes(shape), _Growing(squeezed(shape)))
    assert fit is not None
    return squeezed(shape), fit


def _fit(t: Tensor, group: _Growing, views: Views) -> _Fit | None:
    """How `t` joins a group, if it does."""
    if made_by(t, reshape):
        return None
    known: list[Axes] = []
    for i in t.inputs:
        member = member_of(group.axes, i)
        if member is not None and member[0] not in group.late:
            known.append(member[1])
        elif member is not None or views[i].base in group.axes:
            # It is not there yet, or a view of a node in another form, which needs that in memory first.
            return None
    if _reduces(t):
        x = t.inputs[0]
        whole = own_axes(x.shape) if squeezed(x.shape) == group.domain else None
        over = known[0] if known else whole
        if over is None or any(a is None and n != 1 for a, n in zip(over, x.shape, strict=True)):
            return None
        return _reduction(t, over, group)
    axes = _aligned(t, group.domain, known)
    if axes is None:
        return None
    covered = [a for a in axes if a is not None]
    rows = group.split is not None and covered == [*range(group.split)]
    if not rows and len(covered) != len(group.domain):
        return None
    return _Fit(axes, None, False, group.split, group.least)


def _aligned(t: Tensor, domain: tuple[int, ...], members: Sequence[Axes]) -> Axes | None:
    """The domain's axis for each axis of `t`, as its inputs in the group have it; None where they disagree."""
    axes: list[int | None] = [None] * t.ndim
    for known in members:
        for back, a in enumerate(reversed(known), 1):
            if a is not None:
                if axes[-back] not in (None, a):
                    return None
                axes[-back] = a
    if squeezed(t.shape) == domain:
        own = own_axes(t.shape)
        return own if all(a in (None, b) for a, b in zip(axes, own, strict=True)) else None
    if any(a is None and n != 1 for a, n in zip(axes, t.shape, strict=True)):
        return None
    used = [a for a in axes if a is not None]
    return tuple(axes) if used == sorted(set(used)) else None


def _reduction(t: Tensor, over: Axes, group: _Growing) -> _Fit | None:
    """How a reduction of an input with these axes joins a group, if the way its loops are parted allows that."""
    reduced = reduced_axes(t)
    gone = {a for n in reduced if (a := over[n]) is not None}
    split, least, late = group.split, group.least, True
    start = last = len(group.domain)
    while start - 1 in gone:
        start -= 1
    if last > sum(a is not None for a in over):
        # Over rows: their value is there once for each outer point.
        if t.op is not None and t.op.position:
            return None
    elif start == last:
        # Its own axes are outer ones.
        least = max(least, max(gone) + 1)
    elif start > 0 or last == 1:
        if split not in (None, start):
            return None
        split, late = start, min(gone) < start
    if split is not None and split < least:
        return None
    keepdims = t.attrs["keepdims"]
    axes = tuple(None if n in reduced else a for n, a in enumerate(over) if keepdims or n not in reduced)
    return _Fit(axes, over, late, split, least)
