"""What a model of a user's own does itself: methods of Model that it has in place of the common ones, as written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

#: the arguments of `compute_loss` and `compute_metrics`, in Keras' order
BATCH = ("x", "y", "y_pred", "sample_weight")


def default(method: Any) -> Any:
    """Mark a method of Model that steps need not call, as they do the same by themselves."""
    method.is_default = True
    return method


def has_own(model: Any, name: str) -> bool:
    """Whether the model has this method or property of its own, in place of the one that all models have."""
    cls: Any = type(model)
    return name in model.__dict__ or _replaced(cls, name)


@lru_cache(maxsize=1024)
def _replaced(cls: type, name: str) -> bool:
    found = inspect.getattr_static(cls, name, None)
    return not getattr(found.fget if isinstance(found, property) else found, "is_default", False)


@lru_cache(maxsize=256)
def _taken(function: Callable[..., Any]) -> tuple[tuple[str, ...], bool, bool]:
    """The names of the arguments a method takes by position, whether it takes any number, and `training`."""
    parameters = list(inspect.signature(function).parameters.values())
    kinds = [p.kind for p in parameters]
    names = tuple(
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "training"
    )
    training = inspect.Parameter.VAR_KEYWORD in kinds or any(p.name == "training" for p in parameters)
    return names[1:], inspect.Parameter.VAR_POSITIONAL in kinds, training


def handed(method: Any, values: tuple[Any, ...], training: bool | None = None) -> Any:
    """`method(x, y, y_pred, sample_weight, training=...)` with those of them that it takes, whatever it calls them.

    Raises `ValueError` if there are weights, and it does not take them.
    """
    names, any_number, told = _taken(getattr(method, "__func__", method))
    more = {"training": training} if told and training is not None else {}
    if any_number and not names:
        return method(*values, **more)
    if set(names) <= set(BATCH):
        given = {name: value for name, value in zip(BATCH, values, strict=True) if name in names}
        lacks = "sample_weight" not in names
        result: Any = lambda: method(**given, **more)  # noqa: E731
    else:
        lacks = len(names) < len(values) and not any_number
        result = lambda: method(*(values if any_number else values[: len(names)]), **more)  # noqa: E731
    if lacks and values[-1] is not None:
        raise ValueError(
            f"{getattr(method, '__qualname__', method)} takes no sample_weight, so weights (or a mask's) can't count "
            "in it: give it that argument, or leave the weights out."
        )
    return result()


def packed(x: Any, y: Any, sample_weight: Any) -> Any:
    """A batch as `train_step` and its kin are handed it: x alone, (x, y), or (x, y, weights).

    Several inputs alone are `(x,)`: a list or tuple would be taken for x and y.
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return x, y


def unpacked(data: Any) -> tuple[Any, Any, Any]:
    """x, y, weights of what `packed` gave; None for what it lacks."""
    return (*data, None, None)[:3] if isinstance(data, (tuple, list)) else (data, None, None)
