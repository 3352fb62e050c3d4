"""A kernel together with the memory that it is called with: what a plan makes of one step."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphnet.node import Tensor

if TYPE_CHECKING:
    from graphnet.plans.nest.language import Kernel

Key = Hashable


@dataclass
class KernelCall:
    """A kernel and the `keys` of the memory that its pointers are called with, in order.

    * `lines`: the same as text for people;
    * `length`: where threads share the first loop, how long that is, else 0. The first two arguments are then the range
      that is done;
    * `partial`: results that each part of a shared loop has memory of its own for, with the kernels that join them;
    * `before`: kernels with their keys that run first;
    * `scratch`: the keys of further pointers, with the bytes that each part has.
    """

    kernel: Kernel
    keys: list[Key]
    lines: list[str] = field(default_factory=list)
    length: int = 0
    partial: dict[Tensor, Kernel] = field(default_factory=dict)
    before: list[tuple[Kernel, list[Key]]] = field(default_factory=list)
    scratch: dict[Key, int] = field(default_factory=dict)
