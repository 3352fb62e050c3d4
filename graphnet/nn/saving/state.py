"""What a model is besides its configuration: weights, the optimizer's state, the seeds of layers that draw numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.mode import warn
from graphnet.nn.draws import Calls, Draws
from graphnet.nn.saving.errors import Refused
from graphnet.nn.saving.paths import places

#: numbers of layers that decide which random numbers come next, and that no constructor is given
SEEDS = ("key", "_calls")
#: numbers in the weights of a model that is described by a text alone
MOST = 1 << 28


def seeds_of(model: Any) -> dict[str, dict[str, int]]:
    """For each layer that draws random numbers, by its readable path, what decides the next ones."""
    found = {}
    for path, holder in _drawing(model).items():
        values = vars(holder)
        numbers = {word: int(values[word]) for word in SEEDS if type(values.get(word)) in (int, Calls)}
        if numbers:
            found[path] = numbers
    return found


def _drawing(model: Any) -> dict[str, Any]:
    """What may draw random numbers, by readable path: layers, and the generators that they hold as attributes."""
    found: dict[str, Any] = {}
    for place in places(model):
        found[place.readable] = place.holder
        for word, value in vars(place.holder).items():
            if isinstance(value, Draws) and not isinstance(value, Calls):
                found[f"{place.readable}.{word}"] = value
    return found


def checked_seeds(model: Any, seeds: Any) -> list[tuple[Any, dict[str, int]]]:
    """The layers that `seeds`, from a file, names, with their numbers.

    Raises `Refused` for what `seeds_of` can't give.
    """
    if not isinstance(seeds, dict):
        raise Refused("its seeds are no dict.")
    holders = _drawing(model)
    found = []
    for path, numbers in seeds.items():
        own = vars(holders[path]) if path in holders else {}
        if not isinstance(numbers, dict) or any(
            word not in SEEDS
            or type(own.get(word)) not in (int, Calls)
            or type(value) is not int
            or not 0 <= value < 1 << (64 if word == "key" else 61)
            for word, value in numbers.items()
        ):
            raise Refused(f"it has seeds for {path!r:.60} that no layer here has: {numbers!r:.60}.")
        found.append((holders[path], numbers))
    return found


def put_seeds(holder: Any, numbers: dict[str, int]) -> None:
    """Put back the numbers of one layer."""
    for word, value in numbers.items():
        own = vars(holder)[word]
        if isinstance(own, Calls):
            own.count.assign(value)  # the same parameter: plans read it
        else:
            vars(holder)[word] = value


def set_seeds(model: Any, seeds: Any) -> None:
    """Put back what `seeds_of` gave; layers that are not named keep theirs."""
    for holder, numbers in checked_seeds(model, seeds):
        put_seeds(holder, numbers)


def optimizer_variables(optimizer: Any) -> list[gn.Parameter]:
    """The optimizer's state in Keras' order: a learning rate that a schedule gives is none of it."""
    hidden = optimizer._rate if optimizer.schedule else None
    return [v for v in optimizer.variables if v is not hidden]


def without_slots(optimizer: Any) -> int:
    """How many of the optimizer's variables are no slots of weights: the count of steps, and the learning rate."""
    return 1 if optimizer.schedule else 2


def optimizer_state(model: Any) -> list[gn.Parameter]:
    """What a file holds of the optimizer: its variables, without the slots where they are not the trainable weights'.

    A model that is loaded is compiled for the weights that are trainable then: slots of others would not fit, or,
    where the shapes are the same, be taken for those of the wrong weights.
    """
    optimizer = model.optimizer
    variables = optimizer_variables(optimizer)
    if not optimizer.params or [id(p) for p in optimizer.params] == [id(w) for w in model.trainable_weights]:
        return variables
    warn(
        f"the weights that the optimizer {type(optimizer).__name__} trains are not those of '{model.name}' that are "
        "trainable now: the file has its count of steps and learning rate, and no state for each weight. Set "
        "`trainable` before `compile`, or compile again."
    )
    return variables[: without_slots(optimizer)]


def fitting(w: gn.Parameter, value: np.ndarray, what: str) -> np.ndarray:
    """`value` in the dtype of `w`, if its shape and kind are those of `w`.

    Raises `Refused`, naming both, if not.
    """
    if value.shape != w.shape:
        raise Refused(f"{what} is {value.shape} in the file and {w.shape} in the model.")
    if value.dtype.kind != w.dtype.kind and not (value.dtype.kind in "iu" and w.dtype.kind in "iu"):
        raise Refused(f"{what} is {value.dtype} in the file and {w.dtype} in the model.")
    if value.dtype == w.dtype:
        return value
    with np.errstate(over="ignore"):
        cast = value.astype(w.dtype)
    if w.dtype.kind in "iu" and (cast != value).any():
        raise Refused(f"{what} holds numbers that {w.dtype} can't.")
    return cast


def matched(
    wanted: dict[str, gn.Parameter], arrays: dict[str, np.ndarray], skip_mismatch: bool = False
) -> tuple[list[tuple[gn.Parameter, np.ndarray]], list[str]]:
    """Each weight with its array of the file, and what does not fit (empty unless `skip_mismatch`).

    Raises `Refused` for a weight that is not there or does not fit, and for arrays that no weight takes.
    """
    pairs, wrong = [], []
    for path, w in wanted.items():
        try:
            if path not in arrays:
                raise Refused(f"{path}, {w.shape}, is not in the file.")
            pairs.append((w, fitting(w, arrays[path], path)))
        except Refused as error:
            if not skip_mismatch:
                raise Refused(f"{error}{_hint(wanted, arrays)}") from None
            wrong.append(str(error))
    left = [path for path in arrays if path not in wanted]
    if left and not skip_mismatch:
        raise Refused(f"the model has no place for {_some(left)} of the file.{_hint(wanted, arrays)}")
    return pairs, wrong + [f"{path} has no place in the model." for path in left]


def _hint(wanted: dict[str, Any], arrays: dict[str, Any]) -> str:
    return (
        f" The file has {len(arrays)} arrays, the model {len(wanted)} weights; load_weights(..., skip_mismatch=True) "
        "takes those that fit."
    )


def _some(words: list[str]) -> str:
    listed = ", ".join(words[:4])
    return f"{listed} and {len(words) - 4} more" if len(words) > 4 else listed


class Budget:
    """Makes new weights of zeros, as long as they are no larger together than what a file holds.

    Without a file that holds them they are as their initializers make them, up to MOST numbers.
    """

    def __init__(self, elements: int | None = None):
        self.held = elements is not None
        self.left = self.elements = MOST if elements is None else elements

    def __call__(self, shape: tuple[int, ...], dtype: np.dtype, initializer: Any) -> np.ndarray:
        self.left -= math.prod(shape)
        if self.left < 0:
            there = (
                f"the file holds {self.elements:,} numbers" if self.held else f"the most are {self.elements:,} numbers"
            )
            raise Refused(f"its configuration asks for a weight of shape {shape!r:.200}; {there}.")
        return np.zeros(shape, dtype) if self.held else initializer(shape, dtype=dtype)
