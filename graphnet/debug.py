"""A context in which the first op that makes a NaN or an infinity is named, with the line that called it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphnet.op import Op, described
from graphnet.tensor import Tensor, caller_site, mode, site_line


def _bad(array: np.ndarray) -> str | None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return None
    return "NaN" if np.isnan(array).any() else "an infinity"


class _Watch:
    """What ops ask after each result."""

    def __init__(self, stack: bool):
        self.stack = stack

    def check(self, op: Op, inputs: Sequence[Any], y: Tensor) -> None:
        found = _bad(y._value)
        if found is None or any(_bad(np.asarray(t._value if isinstance(t, Tensor) else t)) for t in inputs):
            return
        site = y.site or site_line(*caller_site())
        at = f" at {site[0]}:{site[1]}" if site else ""
        layer = "/".join(r.name for r in y.region.path) + ": " if y.region is not None else ""
        listed = ", ".join(map(described, inputs))
        trail = "\n" + "".join(traceback.format_stack()[:-2]) if self.stack else ""
        error = FloatingPointError(f"{layer}{op.name}({listed}){at} made {found} from finite inputs{trail}")
        # For the picture of the error.
        error._graphnet_failed = (op, tuple(inputs), y.region)  # type: ignore[attr-defined]
        raise error

    def check_gradient(self, node: Tensor, place: int, g: np.ndarray, h: np.ndarray) -> None:
        found = _bad(h)
        if found is None or _bad(np.asarray(g)):
            return
        site = node.site
        at = f" at {site[0]}:{site[1]}" if site else ""
        name = node.op.name if node.op is not None else "?"
        raise FloatingPointError(
            f"the gradient of {name} for its input {place} ({described(node.inputs[place])}){at} "
            f"is {found}, from a finite gradient of its output"
        )


@contextmanager
def debug(stack: bool = False) -> Iterator[None]:
    """Inside, the first op that makes a NaN or an infinity out of finite inputs raises `FloatingPointError`.

    The text names the op, its inputs, its layer and the (file, line) that called it; with `stack=True` the whole
    call stack. The same holds for gradients. Slower than without.

    >>> import graphnet as gn
    >>> with gn.debug():
    ...     gn.log(gn.tensor([1.0, -1.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    FloatingPointError: log(float64[2])... made NaN from finite inputs
    """
    with mode(debug=_Watch(stack)), np.errstate(all="ignore"):
        yield
