"""Kernels that Python calls, and the table of addresses that they find all arrays through."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from graphnet.plans.nest.language import Kernel
from graphnet.plans.nest.values import INT64, Pointer


class Exported:
    """A kernel that is called from Python: with the address of the table, and more arguments."""

    def __init__(self, name: str, prototype: Any):
        self.name, self.prototype = name, prototype
        self.kernel = Kernel(name)
        self.table = self.kernel.pointer(INT64, "table", noalias=False)
        #: the memory of the keys that were asked for
        self.pointers: dict[Hashable, Pointer] = {}
