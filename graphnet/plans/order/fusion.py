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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from graphnet.node import Tensor, is_view, made_by
from graphnet.ops.shaping import reshape
from graphnet.plans.order.costs import weight
from graphnet.plans.order.views import Places

#: sums over more elements than this are added up in float64
LONG_SUM = 4096
#: what a group may weigh: longer loops spill registers and compile slowly
HEAVIEST = 64

Axes = tuple["int | None", ...]


@dataclass(eq=False)
class Group:
    """Nodes that run in one nest of loops over `domain`; `axes` has the axis of the domain for each axis of a node."""

    domain: tuple[int, ...]
    nodes: list[Tensor] = field(default_factory=list)
    axes: dict[Tensor, Axes] = field(default_factory=dict)
    split: int | None = None
    least: int = 0
    #: the axes of what a reduction goes over
    over: dict[Tensor, Axes] = field(default_factory=dict)
    #: reductions whose result is complete only after the loops
    late: set[Tensor] = field(default_factory=set)
    weight: int = 0

    def member(self, t: Tensor) -> tuple[Tensor, Axes] | None:
        """The node of the group whose value `t` is, and the axes of the domain for the axes of `t`.

        That is a node of the group, or one behind ops that only add, drop or repeat axes.
        """
        if t in self.axes:
            return t, self.axes[t]
        if not (is_view(t) and t.op.same):  # type: ignore[union-attr]
            return None
        found = self.member(t.inputs[0])
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

    def inner(self) -> range:
        """The axes of the inner loops, once all nodes are there."""
        return range(self.least if self.split is None else self.split, len(self.domain))

    def is_copy(self, t: Tensor) -> bool:
        """Whether `t` is a copy in another shape, made in the shape of what it copies."""
        return t in self.late and t not in self.over

    def is_row(self, t: Tensor) -> bool:
        """Whether a node of the group has one value for each outer point."""
        inner = self.inner()
        return len(inner) > 0 and not self.is_copy(t) and not any(a in inner for a in self.axes[t] if a is not None)


@dataclass(eq=False)
class Single:
    """One node that runs alone: a product, a kernel of its own, or a call of its op's own body."""

    node: Tensor
    product: bool = False


Step = Group | Single


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


class Fuser:
    """Takes nodes in order and makes steps of them.

    `fusible(t)` says whether kernels know the op of `t`, `product(t)` whether it is a matrix product that runs alone.
    """

    def __init__(self, places: Places, fusible: Callable[[Tensor], bool], product: Callable[[Tensor], bool]):
        self.places = places
        self.fusible = fusible
        self.product = product
        self.steps: list[Step] = []
        self.place_of: dict[Tensor, int] = {}

    def run(self, order: Sequence[Tensor]) -> list[Step]:
        """The steps of the nodes in `order`; views are no steps."""
        for t in order:
            if self.places.is_view(t):
                base = self.places[t].base
                if base in self.place_of:
                    self.place_of[t] = self.place_of[base]
            elif self.fusible(t):
                self._fuse(t)
            else:
                self._begin(t, Single(t, self.product(t)))
        for step in self.steps:
            if isinstance(step, Group):
                _part_long_sums(step)
        return self.steps

    def _begin(self, t: Tensor, step: Step) -> None:
        self.place_of[t] = len(self.steps)
        self.steps.append(step)

    def _fuse(self, t: Tensor) -> None:
        after = max((self.place_of.get(i, -1) for i in t.inputs), default=-1)
        last = len(self.steps) - 1
        for place in dict.fromkeys((after, last)):
            if place < 0 or place < after:
                continue
            group = self.steps[place]
            if isinstance(group, Group) and group.weight < HEAVIEST and self._joins(t, group):
                self.place_of[t] = place
                group.weight += _weight(t)
                return
        group = self._alone(t)
        group.weight = _weight(t)
        self._begin(t, group)

    def _alone(self, t: Tensor) -> Group:
        if self._reduces(t):
            x = t.inputs[0]
            group = Group(squeezed(x.shape))
            self._reduce(t, group, own_axes(x.shape), full=True)
        else:
            shape = t.inputs[0].shape if made_by(t, reshape) else t.shape
            group = Group(squeezed(shape))
            group.nodes.append(t)
            group.axes[t] = own_axes(t.shape)
            if shape != t.shape:
                # A copy in another shape goes over the shape it is read in, and nothing else joins it.
                group.axes[t] = ()
                group.late.add(t)
        return group

    @staticmethod
    def _reduces(t: Tensor) -> bool:
        return t.op is not None and t.op.fold is not None

    def _joins(self, t: Tensor, group: Group) -> bool:
        if made_by(t, reshape):
            return False
        found = [group.member(i) for i in t.inputs]
        for i, member in zip(t.inputs, found, strict=True):
            # A view of a member in another form than its own needs it in memory first.
            if (member is None and self.places[i].base in group.axes) or (member and member[0] in group.late):
                return False
        if self._reduces(t):
            return self._reduction_joins(t, group, found[0][1] if found[0] else None)
        axes = self._aligned(t, group, [member[1] for member in found if member])
        if axes is None:
            return False
        covered = {a for a in axes if a is not None}
        everything = len(covered) == len(group.domain)
        rows = group.split is not None and covered == set(range(group.split))
        if not everything and not rows:
            return False
        group.nodes.append(t)
        group.axes[t] = axes
        return True

    def _aligned(self, t: Tensor, group: Group, members: Sequence[Axes]) -> Axes | None:
        """The domain's axis for each axis of `t`, as its inputs in the group have it; None where they disagree."""
        axes: list[int | None] = [None] * t.ndim
        for known in members:
            for back, a in enumerate(reversed(known), 1):
                if a is None:
                    continue
                if back > t.ndim or t.shape[-back] != group.domain[a] or axes[-back] not in (None, a):
                    return None
                axes[-back] = a
        if squeezed(t.shape) == group.domain:
            own = own_axes(t.shape)
            return own if all(a in (None, b) for a, b in zip(axes, own, strict=True)) else None
        if any(a is None and n != 1 for a, n in zip(axes, t.shape, strict=True)):
            return None
        used = [a for a in axes if a is not None]
        return tuple(axes) if used == sorted(set(used)) else None

    def _reduction_joins(self, t: Tensor, group: Group, axes: Axes | None) -> bool:
        x = t.inputs[0]
        if axes is not None:
            if any(a is None and n != 1 for a, n in zip(axes, x.shape, strict=True)):
                return False
        elif squeezed(x.shape) == group.domain:
            axes = own_axes(x.shape)
        else:
            return False
        covered = {a for a in axes if a is not None}
        full = len(covered) == len(group.domain)
        if not full and (group.split is None or covered != set(range(group.split))):
            return False
        return self._reduce(t, group, axes, full)

    def _reduce(self, t: Tensor, group: Group, axes: Axes, full: bool) -> bool:
        """Add a reduction over an input with these axes, if the group's split allows it."""
        gone = {axes[a] for a in reduced_axes(t)} - {None}
        last = len(group.domain)
        position = t.op is not None and t.op.position
        start = last
        while start > 0 and start - 1 in gone:
            start -= 1
        everything = len(gone) == last
        split, least, late = group.split, group.least, True
        if not full:
            # Over rows: their value is there once for each outer point.
            if position:
                return False
        elif not gone:
            return False
        elif start == last:
            if position:
                return False
            least = max(least, max(a for a in gone if a is not None) + 1)
        elif everything and last > 1 and not position:
            pass
        elif split is None or split == start:
            split = start
            late = any(a is not None and a < start for a in gone)
            if late and position:
                return False
        else:
            return False
        if split is not None and split < least:
            return False
        group.split, group.least = split, least
        group.over[t] = axes
        kept = [a for place, a in enumerate(axes) if place not in reduced_axes(t)]
        if t.attrs["keepdims"]:
            group.axes[t] = tuple(None if place in reduced_axes(t) else a for place, a in enumerate(axes))
        else:
            group.axes[t] = tuple(kept)
        group.nodes.append(t)
        if late:
            group.late.add(t)
        return True


def _weight(t: Tensor) -> int:
    return weight(t.op) if t.op is not None else 1


def _part_long_sums(group: Group) -> None:
    """Make rows of what is summed over everything: short sums can stay in float32, where vectors are twice as wide."""
    if group.split is not None or not group.late or math.prod(group.domain) <= LONG_SUM:
        return
    split = next(k for k in range(len(group.domain) + 1) if math.prod(group.domain[k:]) <= LONG_SUM)
    if group.least <= split < len(group.domain) and all(t in group.over for t in group.late):
        group.split = split
