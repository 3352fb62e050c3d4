"""Where the values of one group lie, in which loops it is computed, and about how long that takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

import numpy as np

from graphnet.node import Tensor
from graphnet.plans.kernels.calls import Key
from graphnet.plans.kernels.levels import Levels, levels_of
from graphnet.plans.kernels.refs import Axis, Ref, joined, read_at, written_at
from graphnet.plans.order.costs import HEAVY, weight
from graphnet.plans.order.fusion import Group, reduced_axes
from graphnet.plans.order.inlining import inlined
from graphnet.plans.order.views import Views, row_major

#: rows of so many bytes at the most are kept on the stack
STACK_ROW = 1 << 15


@dataclass(frozen=True, eq=False)
class Layout:
    """The loops of a group, and where they find values.

    * `axes`: the loops; `flat`: the strides of the domain, row after row;
    * `inputs[t, n]`: the `n`-th input of `t`, if it is none of the group; `own`: stored values;
    * `kept`: values over the inner axes that a later loop needs; `stack`: size and dtype of the rows among them that
      are in the kernel's own memory;
    * `late`: reductions that are complete after the loops; `heavy`: whether some op is a long polynomial.
    """

    group: Group
    views: Views
    levels: Levels
    axes: tuple[Axis, ...]
    flat: tuple[int, ...]
    inputs: Mapping[tuple[Tensor, int], Ref]
    own: Mapping[Tensor, Ref]
    kept: Mapping[Tensor, Ref]
    stack: Mapping[Key, tuple[int, np.dtype]]
    late: tuple[Tensor, ...]
    heavy: bool

    @property
    def can_share(self) -> bool:
        """Whether threads can each do a part of the first loop."""
        if not self.axes or any(ref.key not in self.stack for ref in self.kept.values()):
            return False
        # With no outer loop, a reduction over all is only complete when all parts are.
        return not self.axes[0].inner or self.levels.source_full.keys() <= set(self.late)

    @property
    def nanoseconds(self) -> float:
        """About how long the group takes, on one thread."""
        refs = {(r.key, r.strides): r for r in (*self.inputs.values(), *self.own.values())}.values()
        moved = sum(r.dtype.itemsize * math.prod(x.length for x in self.axes if r.strides[x.last]) for r in refs)
        return self.levels.nanoseconds(self.axes, moved)


def layout_of(
    group: Group, views: Views, stored: Set[Tensor], key: Callable[[Tensor], Key], scratch: Callable[[int], Key]
) -> Layout:
    """How a group is computed, after which the values of the `stored` nodes are in memory.

    `key(t)` names the memory of a node that is no view; `scratch(bytes)` gives memory for a row.
    """
    levels = levels_of(group, stored)
    inputs = {}
    for t in group.nodes:
        for n, i in enumerate(t.inputs):
            if group.member(i) is None and inlined(i) is None:
                view, strides = read_at(group, views, t, i)
                inputs[t, n] = Ref(key(view.base), view.offset, strides, i.dtype)
    own = {t: Ref(key(t), 0, written_at(group, t), t.dtype) for t in group.nodes if t in stored}
    inner = group.inner()
    row = tuple(group.domain[a] for a in inner)
    size, along = math.prod(row), (0,) * inner.start + row_major(row)
    kept: dict[Tensor, Ref] = {}
    stack: dict[Key, tuple[int, np.dtype]] = {}
    for t in levels.kept:
        on_stack = size * t.dtype.itemsize <= STACK_ROW
        name = ("stack", len(stack)) if on_stack else scratch(size * t.dtype.itemsize)
        if on_stack:
            stack[name] = size, t.dtype
        kept[t] = Ref(name, 0, along, t.dtype)
    flat = row_major(group.domain)
    strides_of = [r.strides for r in (*inputs.values(), *own.values(), *kept.values())]
    ops = [t.op for t in group.nodes if t.op is not None]
    if any(op.indexed is not None for op in ops):
        strides_of.append(flat)
    for t, over in group.over.items():
        # An axis that is reduced does not join one that is kept.
        gone = {over[a] for a in reduced_axes(t)}
        strides_of.append(tuple(0 if a in gone else s for a, s in enumerate(flat)))
    axes = tuple(joined(group, strides_of, apart=any(op.position for op in ops)))
    late = tuple(t for t in group.nodes if t in group.late and not group.is_copy(t))
    heavy = any(weight(op) >= HEAVY for op in ops)
    return Layout(group, views, levels, axes, flat, inputs, own, kept, stack, late, heavy)
