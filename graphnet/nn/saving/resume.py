"""The state of a `fit` in a file: all that decides what comes next, and nothing of what the caller gives again.

Everything in a file is read and checked before anything is changed. Of callbacks only what they declare is kept and
set (`Callback.remembers`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import seeds
from graphnet.nn.progress import Progress
from graphnet.nn.run import Run
from graphnet.nn.saving.archives import dumped, packed, parsed, unpacked
from graphnet.nn.saving.arrays import from_safetensors, to_safetensors
from graphnet.nn.saving.errors import Refused, reading
from graphnet.nn.saving.state import checked_seeds, fitting, put_seeds, seeds_of

STATE, ARRAYS = "state.json", "arrays.safetensors"
LAYOUT = 2
#: counts are below this
MANY = 1 << 53


class _Unkept(Exception):
    """A value that can't be kept."""


def kept(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """`value` for JSON, its arrays put aside. Raises `_Unkept` for anything but numbers, texts, arrays, and lists of
    those."""
    if isinstance(value, np.generic) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[f"kept/{len(arrays)}"] = value
        return {"array": f"kept/{len(arrays) - 1}"}
    if type(value) in (list, tuple):
        return {type(value).__name__: [kept(v, arrays) for v in value]}
    if type(value) is dict and all(type(k) is str for k in value):
        return {"dict": {k: kept(v, arrays) for k, v in value.items()}}
    raise _Unkept


def unkept(node: Any, arrays: dict[str, np.ndarray]) -> Any:
    """What `kept` was given. Arrays are taken out of `arrays`. Raises `Refused` for anything else."""
    if not isinstance(node, (dict, list)):
        return node
    if isinstance(node, dict) and len(node) == 1:
        ((kind, inner),) = node.items()
        if kind == "array" and isinstance(inner, str) and inner.startswith("kept/") and inner in arrays:
            return arrays.pop(inner)
        if kind == "dict" and isinstance(inner, dict):
            return {k: unkept(v, arrays) for k, v in inner.items()}
        if kind in ("list", "tuple") and isinstance(inner, list):
            return {"list": list, "tuple": tuple}[kind](unkept(v, arrays) for v in inner)
    raise Refused(f"what a callback remembers is damaged: {str(node)[:60]}")


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < MANY


#: kinds of what callbacks remember, and what is of that kind
KINDS: dict[str, Callable[[Any], bool]] = {
    "count": _count,
    "index": lambda value: type(value) is int and -1 <= value < MANY,
    "number": lambda value: value is None or type(value) in (int, float),
    "flag": lambda value: type(value) is bool,
    "text": lambda value: value is None or type(value) is str,
    "weights": lambda value: value is None or (type(value) is list and all(type(v) is np.ndarray for v in value)),
    "data": lambda value: True,
}


def declared(callback: Any) -> dict[str, str]:
    """The attributes that a callback declares, its bases' included, with their kinds."""
    found: dict[str, str] = {}
    for cls in reversed(type(callback).__mro__):
        own = vars(cls).get("remembers", {})
        found |= dict.fromkeys(own, "data") if not isinstance(own, dict) else own
    for word, kind in found.items():
        if kind not in KINDS:
            raise ValueError(
                f"{type(callback).__name__}.remembers: {word!r} is one of {', '.join(KINDS)}; received {kind!r}."
            )
    return found


def _named(run: Run) -> dict[str, Any]:
    """The callbacks of a run, each by its class and a count."""
    counts: Counter[str] = Counter()
    found = {}
    for callback in run.callbacks.callbacks:
        if not callback.last and not isinstance(callback, Progress):
            word = type(callback).__qualname__
            found[f"{word}/{counts[word]}"] = callback
            counts[word] += 1
    return found


def backup(model: Any) -> bytes:
    """The state of the model's run. Raises `ValueError` for a callback that declares what can't be kept."""
    run, steps = model.run, model.steps
    arrays: dict[str, np.ndarray] = {}
    callbacks: dict[str, dict[str, Any]] = {}
    for name, callback in _named(run).items():
        callbacks[name] = {}
        for word, kind in declared(callback).items():
            if not hasattr(callback, word):
                continue
            value = getattr(callback, word)
            try:
                callbacks[name][word] = kept(value, arrays)
            except _Unkept:
                raise ValueError(
                    f"{type(callback).__name__}.remembers: {word!r} is {type(value).__name__}, which can't be kept in "
                    "a file: numbers, texts, arrays, and lists, tuples and dicts of those can."
                ) from None
            if not KINDS[kind](value.item() if isinstance(value, np.generic) else value):
                raise ValueError(f"{type(callback).__name__}.remembers: {word!r} is a {kind}; received {value!r:.60}.")
    for word, variables in _variables(model).items():
        arrays |= {f"{word}/{n}": v.numpy() for n, v in enumerate(variables)}
    state = {
        "layout": LAYOUT,
        "epoch": run.epoch,
        "batch": run.batch,
        "stop": bool(model.stop_training),
        "train": _position(run.train),
        "validation": _position(run.validation),
        "generator": seeds.generator_state(),
        "seeds": seeds_of(model),
        "optimizer": type(steps.optimizer).__name__,
        "swapped": bool(steps.optimizer.swapped),
        "callbacks": callbacks,
    }
    return packed({STATE: dumped(state), ARRAYS: to_safetensors(arrays)})


def _variables(model: Any) -> dict[str, list[gn.Parameter]]:
    """What changes in training, by kind."""
    steps = model.steps
    return {"weights": model.weights, "optimizer": steps.optimizer.variables, "running": steps.running_values}


def _position(batches: Any) -> Any:
    return batches.position() if hasattr(batches, "position") else None


def restore(model: Any, path: Path) -> None:
    """Put the model and its run into the state in a file. Nothing changes unless all of it fits."""
    run = model.run
    with reading(path):
        members = unpacked(path.read_bytes(), only=(STATE, ARRAYS))
        state, arrays = parsed(members[STATE], STATE), from_safetensors(members[ARRAYS])
        _check_state(state)
        if state["optimizer"] != type(model.optimizer).__name__:
            raise Refused(f"it was made with the optimizer {state['optimizer']}.")
        pairs = _fitted(model, arrays)
        changes = _remembered(_named(run), state["callbacks"], arrays, model)
        if arrays:
            raise Refused(f"it has arrays that nothing takes: {', '.join(list(arrays)[:4])}.")
        moves = []
        for batches, word in ((run.train, "train"), (run.validation, "validation")):
            position = state[word]
            if position is not None and hasattr(batches, "go_to"):
                batches.check(position)
                moves.append((batches, position))
            elif (position is None) != (not hasattr(batches, "go_to")):
                raise Refused(f"it was made with data of another kind for {word}.")
        steps = run.train.steps
        if steps is not None and state["batch"] > steps:
            raise Refused(f"it stands at batch {state['batch']}, this fit has {steps} in an epoch.")
        made = seeds.generator_in(state["generator"])
        numbers = checked_seeds(model, state["seeds"])
    for batches, position in moves:
        batches.go_to(position)
    seeds.use_generator(made)
    for variable, value in pairs:
        variable.assign(value)
    for holder, own in numbers:
        put_seeds(holder, own)
    for callback, values in changes:
        for word, value in values.items():
            setattr(callback, word, value)
    model.optimizer.swapped = state["swapped"]
    run.epoch, run.batch = state["epoch"], state["batch"]
    model.stop_training = state["stop"]


def _check_state(state: Any) -> None:
    """Refuse what is no state of a `fit`."""
    if not isinstance(state, dict) or state.get("layout") != LAYOUT:
        found = state.get("layout") if isinstance(state, dict) else None
        raise Refused(f"it has the layout {found!r:.60}; this version of graphnet reads {LAYOUT}.")
    kinds: dict[str, Callable[[Any], bool]] = {
        "epoch": _count,
        "batch": _count,
        "stop": KINDS["flag"],
        "swapped": KINDS["flag"],
        "optimizer": lambda v: type(v) is str,
        "train": lambda v: v is None or type(v) is dict,
        "validation": lambda v: v is None or type(v) is dict,
        "generator": lambda v: v is None or type(v) is dict,
        "seeds": lambda v: type(v) is dict,
        "callbacks": lambda v: type(v) is dict and all(type(inner) is dict for inner in v.values()),
    }
    if set(state) != {"layout", *kinds}:
        odd = set(state) ^ {"layout", *kinds}
        raise Refused(f"it says too much or too little: {', '.join(sorted(odd))[:100]}.")
    for word, fits in kinds.items():
        if not fits(state[word]):
            raise Refused(f"its {word} is {state[word]!r:.60}.")


def _remembered(
    callbacks: dict[str, Any], state: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray], model: Any
) -> list[tuple[Any, dict[str, Any]]]:
    """Each callback with what it remembers; what callbacks that are not here remembered is left out."""
    changes = []
    for name, words in state.items():
        values = {word: unkept(node, arrays) for word, node in words.items()}
        callback = callbacks.get(name)
        if callback is None:
            continue
        known = declared(callback)
        for word, value in values.items():
            if word not in known:
                raise Refused(f"it sets {word!r} of {name}, which a {type(callback).__name__} does not remember.")
            if not KINDS[known[word]](value):
                raise Refused(f"{word!r} of {name} is a {known[word]}; it is {value!r:.60}.")
            if known[word] == "weights" and value is not None:
                _check_weights(value, model, f"{word!r} of {name}")
        missing = [word for word in known if word not in values and hasattr(callback, word)]
        if missing:
            raise Refused(f"it does not say {', '.join(missing)} of {name}.")
        try:
            callback.check_remembered(values)
        except Exception as error:
            raise Refused(f"what {name} remembers can't be: {error}") from None
        changes.append((callback, values))
    return changes


def _check_weights(value: list[np.ndarray], model: Any, what: str) -> None:
    wanted = [(w.shape, w.dtype) for w in model.weights]
    if [(v.shape, v.dtype) for v in value] != wanted:
        raise Refused(f"{what} are not weights of this model.")


def _fitted(model: Any, arrays: dict[str, np.ndarray]) -> list[tuple[gn.Parameter, np.ndarray]]:
    """Each variable with its array, which is taken out of `arrays`."""
    pairs = []
    for word, variables in _variables(model).items():
        count = sum(name.startswith(f"{word}/") for name in arrays)
        if count != len(variables):
            raise Refused(f"it has {count} arrays of {word}, this model {len(variables)}: it belongs to another model.")
        for n, v in enumerate(variables):
            if f"{word}/{n}" not in arrays:
                raise Refused(f"it has no {word}/{n}.")
            pairs.append((v, fitting(v, arrays.pop(f"{word}/{n}"), f"{v.name or word}")))
    return pairs
