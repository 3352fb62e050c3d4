"""What the function of a derivative returned: tensors, and whether they depend on what it is differentiated for.

A number or an array that is no tensor has left the graph, so that a derivative of zeros would be a mistake without a
word: it is refused, unless `allow_constant=True` says that a constant is meant. A tensor that depends on nothing gives
zeros and a warning; in silence where that is expected: behind a comparison, `floor` or `stop_gradient`, whose slope is
0, and for what is a derivative itself (the second one of a linear function).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from graphnet.apply import as_tensor
from graphnet.escape import line
from graphnet.leaves import Parameter
from graphnet.mode import warn
from graphnet.node import Tensor
from graphnet.ops.shaping import astype


class ConstantWarning(UserWarning):
    """A function was differentiated whose result does not depend on its arguments: its derivative is zeros.

    Looked at in each call, since what a function does can depend on its arguments; `warnings` shows it once for each
    line that calls, unless told otherwise.
    """


def tensors(what: str, result: Any, leaves: Sequence[Any], allow_constant: bool) -> tuple[list[Tensor], list[Tensor]]:
    """`leaves`, what is in the `result` of a function that `what` differentiates, and the same in floating point.

    Whole numbers and booleans have a slope of 0. Raises `TypeError` where one is no tensor, unless `allow_constant`.
    """
    if result is None:
        raise TypeError(f"{what}: the function returned None: is its return missing?")
    for leaf in leaves:
        if not isinstance(leaf, Tensor) and not allow_constant:
            kind = type(leaf)
            name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
            raise TypeError(
                f"{what}: the function returned a {name}, which is no tensor: its derivative would be zeros. "
                "What is computed with math's functions, float() or np.array leaves the graph: use gn's functions, and "
                "gn.stack for a list of tensors; where a constant is meant, give allow_constant=True"
            )
    outputs = [as_tensor(leaf) for leaf in leaves]
    return outputs, [astype(y, np.float64) if y.dtype.kind in "biu" else y for y in outputs]


def notice_constants(
    what: str, ys: Sequence[Tensor], xs: Sequence[Tensor], reached: Container[Tensor], history: Sequence[Tensor] = ()
) -> None:
    """Warn where one of `ys` is not among what is `reached` from `xs`; `history` is what `ys` were made of."""
    if xs and any(y not in reached for y in ys):
        own = set(xs)
        used = next((t for t in history if isinstance(t, Parameter) and t not in own), None)
        hint = ""
        if used is not None:
            hint = (
                f". It depends on Parameters that it uses from outside, as {line(used.name or 'one without a name')}: "
                "for their gradients name them, as in gn.value_and_grad(f, model.trainable_variables)(x, y)"
            )
        warn(
            f"{what}: the function returned a tensor that does not depend on its argument: the derivative is zeros "
            f"(allow_constant=True takes this as meant){hint}",
            ConstantWarning,
        )


def notice_no_history(what: str) -> None:
    """Warn that outputs, of which `what` is asked for a derivative, are plain values."""
    warn(
        f"{what}: the output keeps no history: it depends on nothing that needs a gradient, or was computed under "
        "no_grad, or by a Graph or a plan from data alone (a function of gn.compile keeps one). Its gradient is zeros",
        ConstantWarning,
    )
