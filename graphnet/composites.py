"""`composite`: a function written in tensor code, as one thing in pictures, errors and exports."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps

from graphnet.apply import as_tensor
from graphnet.leaves import KINDS
from graphnet.mode import region, state
from graphnet.naming import naming
from graphnet.typed import P, R


def composite(f: Callable[P, R]) -> Callable[P, R]:
    """`f`, a function written in tensor code, with a Region of its name around its ops, which stay primitive.

    Parameters without a default are tensors: numbers, lists and arrays given for them are converted. Gradients are
    those of the ops.

    >>> import graphnet as gn
    >>> @gn.composite
    ... def bent(x, slope=0.5):
    ...     return gn.where(x > 0, x, slope * x)
    >>> y = bent([-2.0, 2.0], slope=0.25)
    >>> y, gn.grad(bent)(-2.0)
    (Tensor([-0.5,  2. ]), Tensor(0.5))
    >>> bent(gn.input((2,), name="x")).region
    <Region bent>
    """
    signature = inspect.signature(f)
    count = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in signature.parameters.values())
    attr_names = [p.name for p in signature.parameters.values()][count:]

    @wraps(f)
    def labelled(*args: P.args, **kwargs: P.kwargs) -> R:
        if state.mode.raw and not any(a.__class__ in KINDS for a in args):
            return f(*args, **kwargs)
        given = [a if a.__class__ in KINDS else as_tensor(a) for a in args[:count]]
        attrs = dict(zip(attr_names, args[count:], strict=False), **kwargs)
        with region(f.__name__) as label:
            label.attrs = attrs
            return f(*given, *args[count:], **kwargs)  # type: ignore[arg-type]

    # An error of a user's function is what they wrote.
    own = (f.__module__ or "").partition(".")[0] == __name__.partition(".")[0]
    found = naming(labelled) if own else labelled
    found.composite = True  # type: ignore[attr-defined]
    return found
