"""The outputs of a model, one tensor or several in containers, and what belongs to each of them.

Outputs come in the order of lists and tuples, and in the sorted order of the keys of dicts, as in Keras.
"""

from __future__ import annotations

from typing import Any

from graphnet.nn.lookup import checked_name, nearest
from graphnet.nn.structures import described

#: stands for the output of a model that gives one tensor
ONE = object()


class Misfit(Exception):
    """What was given does not fit the outputs; `kind` is the error that a user gets."""

    def __init__(self, text: str, kind: type[Exception] = ValueError):
        super().__init__(text)
        self.kind = kind


def keys_of(outputs: Any) -> list[Any]:
    """The keys of a container of outputs, in order."""
    if isinstance(outputs, dict):
        return sorted(outputs, key=lambda key: (str(type(key)), key))
    return list(range(len(outputs)))


def is_container(value: Any) -> bool:
    """Whether `value` holds several."""
    return isinstance(value, (dict, list, tuple))


def paths(outputs: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keys on the way to each of the outputs."""
    if not is_container(outputs):
        return [so_far]
    for key in outputs if isinstance(outputs, dict) else ():
        if not isinstance(key, str) or not key or checked_name(key, "an output") is None:
            raise TypeError(f"the outputs of a model are named by texts; received the key {key!r}.")
    return [path for key in keys_of(outputs) for path in paths(outputs[key], (*so_far, key))]


def flat(outputs: Any) -> list[Any]:
    """The outputs in order."""
    if not is_container(outputs):
        return [outputs]
    return [found for key in keys_of(outputs) for found in flat(outputs[key])]


def skeleton(outputs: Any, what: str) -> str:
    """How to write `what` for these outputs."""
    if not is_container(outputs):
        one = {"loss": "loss", "loss_weights": "number"}.get(what, "array")
        return f"give one {one}, or return several tensors in a list or dict from the call of a model of your own"

    def form(outputs: Any) -> str:
        if not is_container(outputs):
            return "..."
        if isinstance(outputs, dict):
            return "{" + ", ".join(f"{key!r}: {form(outputs[key])}" for key in keys_of(outputs)) + "}"
        return "[" + ", ".join(map(form, outputs)) + "]"

    return f"give {what}={form(outputs)}"


def aligned(
    outputs: Any,
    value: Any,
    what: str,
    *,
    needed: list[bool] | None = None,
    spread: bool = False,
    partial: bool = False,
    grouped: bool = False,
) -> list[Any]:
    """What of `value` belongs to each of the outputs, in their order; None where nothing does.

    `needed` says which outputs take something at all (all unless given): a dict may lack the keys of the others, and a
    list may leave them out. With `spread`, what is in no container belongs to all that take something; with `partial`,
    a dict may lack any key; with `grouped`, what belongs to one output may be a container itself. Raises `Misfit`.
    """
    leaves = paths(outputs)
    if value is None:
        return [None] * len(leaves)
    if len(leaves) == 1:
        return [value if grouped else _only(leaves[0], value, what)]
    takes = leaves if needed is None else [path for path, takes in zip(leaves, needed, strict=True) if takes]
    if not is_container(value):
        if not spread and len(takes) != 1:
            raise Misfit(f"{what} is {_called(value)}, for {len(takes)} outputs.", TypeError)
        return [value if path in takes else None for path in leaves]
    if needed is not None and not isinstance(value, dict) and len(value) == len(takes) != len(outputs):
        value = iter(value)
        return [next(value) if path in takes else None for path in leaves]

    def found(form: Any, value: Any, path: tuple[Any, ...]) -> list[Any]:
        at = f"{what}{''.join(f'[{key!r}]' for key in path)}"
        if not is_container(form):
            if is_container(value) and not grouped:
                raise Misfit(f"{at} is {described(value)}, for one output.", TypeError)
            return [value]
        if value is None:
            return [None] * len(paths(form))
        if not is_container(value):
            raise Misfit(f"{at} is {_called(value)}, for {len(paths(form))} outputs.", TypeError)
        keys = keys_of(form)
        if isinstance(value, dict):
            _check_keys(form, value, at)
            for key in keys:
                if key not in value and not partial and any(leaf in takes for leaf in paths(form[key], (*path, key))):
                    raise Misfit(f"{at} has no {key!r}.")
            parts = [value.get(key) for key in keys]
        else:
            if len(value) != len(keys):
                raise Misfit(f"{at} is {described(value)}, for {len(keys)} outputs.")
            if isinstance(form, dict) and list(form) != keys:
                raise Misfit(f"{at} is {described(value)}, and does not say which is whose.", TypeError)
            parts = list(value)
        return [one for key, part in zip(keys, parts, strict=True) for one in found(form[key], part, (*path, key))]

    return found(outputs, value, ())


def _check_keys(form: Any, value: dict[Any, Any], at: str) -> None:
    """Raise `Misfit` if a dict for some outputs has keys that they have not."""
    if not isinstance(form, dict):
        raise Misfit(
            f"{at} is {described(value)}, and the outputs have no names: let `call` return a dict.",
            TypeError,
        )
    unknown = [key for key in value if key not in form]
    if unknown:
        raise Misfit(f"{at} has the key {unknown[0]!r}, which no output has.{nearest(unknown[0], [*form])}")


def _only(path: tuple[Any, ...], value: Any, what: str) -> Any:
    """What belongs to the only output there is, which may stand in containers, as `value` may."""
    keys = list(path)
    while is_container(value):
        if len(value) != 1:
            raise Misfit(f"{what} is {described(value)}, for one output.", TypeError)
        key = keys.pop(0) if keys else None
        if isinstance(value, dict):
            (name,) = value
            # A weight of the loss may be named as one likes where there is one.
            if name != key and what != "loss_weights":
                raise Misfit(f"{what} is {described(value)}, and no output has that name.", TypeError)
            value = value[name]
        else:
            (value,) = value
    return value


def _called(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"one array of shape {shape}" if shape is not None else repr(value)[:80]
