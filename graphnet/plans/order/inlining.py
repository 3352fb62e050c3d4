"""Constants of one value, which are written into code as a number."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.leaves import Parameter
from graphnet.node import Tensor

#: whole numbers beyond this are read from memory, so that a kernel for another seed is the same kernel
LARGEST_INLINED = 1 << 31


def inlined(t: Tensor) -> Any:
    """The number to write into the code where `t` is read, if it is a constant with one value; else None."""
    if t.op is not None or isinstance(t, Parameter) or t.is_symbolic or not 0 < t.size <= 1 << 14:
        return None
    value = t._value
    first = value.flat[0]
    if t.size > 1 and not (value == first).all():
        return None
    if value.dtype.kind == "f" and t.size > 1 and not (np.signbit(value) == np.signbit(first)).all():
        return None
    number = first.item()
    if isinstance(number, int) and abs(number) > LARGEST_INLINED:
        return None
    return number
