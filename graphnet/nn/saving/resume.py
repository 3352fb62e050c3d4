"""The state of a `fit` in a file: all that decides what comes next, and nothing of what the caller gives again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import seeds
from graphnet.nn.progress import Progress
from graphnet.nn.run import Run
from graphnet.nn.saving.archives import packed, parsed, unpacked
from graphnet.nn.saving.arrays import from_safetensors, to_safetensors
from graphnet.nn.saving.errors import Refused, reading
from graphnet.nn.saving.state import fitting, seeds_of, set_seeds

STATE, ARRAYS = "state.json", "arrays.safetensors"
LAYOUT = 1
#: attributes of callbacks that belong to the process
GIVEN = ("model", "params")


class _Unkept(Exception):
    """A value that can't be kept."""


def kept(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """`value` for JSON, its arrays put aside. Raises `_Unkept` for anything but numbers, texts, arrays, and lists of
    those."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[f"kept/{len(arrays)}"] = value
        return {"array": f"kept/{len(arrays) - 1}"}
    if type(value) in (list, tuple):
        return {type(value).__name__: [kept(v, arrays) for v in value]}
    if type(value) is dict and all(type(k) is str for k in value):
        return {"dict": {k: kept(v, arrays) for k, v in value.items()}}
    raise _Unkept


def unkept(node: Any, arrays: dict[str, np.ndarray]) -> Any:
    """What `kept` was given."""
    if not isinstance(node, dict):
        return node
    ((kind, inner),) = node.items()
    if kind == "array":
        return arrays[inner]
    if kind == "dict":
        return {k: unkept(v, arrays) for k, v in inner.items()}
    return {"list": list, "tuple": tuple}[kind](unkept(v, arrays) for v in inner)


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


def remembered(run: Run) -> dict[str, dict[str, Any]]:
    """What each callback of a run remembers, as text to compare it by."""
    found: dict[str, dict[str, Any]] = {}
    for name, callback in _named(run).items():
        found[name] = {}
        for word, value in vars(callback).items():
            arrays: dict[str, np.ndarray] = {}
            try:
                found[name][word] = json.dumps(kept(value, arrays)), [a.tobytes() for a in arrays.values()]
            except _Unkept:
                continue
    return found


def backup(model: Any, fresh: dict[str, dict[str, Any]]) -> bytes:
    """The state of the model's run. `fresh` is what its callbacks remembered when it began: only changes are kept."""
    run, steps = model.run, model.steps
    arrays: dict[str, np.ndarray] = {}
    now = remembered(run)
    callbacks: dict[str, dict[str, Any]] = {}
    for name, callback in _named(run).items():
        changed = [w for w, text in now[name].items() if w not in GIVEN and fresh.get(name, {}).get(w) != text]
        callbacks[name] = {word: kept(getattr(callback, word), arrays) for word in changed}
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
        "callbacks": callbacks,
    }
    return packed({STATE: json.dumps(state).encode(), ARRAYS: to_safetensors(arrays)})


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
        members = unpacked(path.read_bytes())
        if STATE not in members or ARRAYS not in members:
            raise Refused("it is no backup.")
        state, arrays = parsed(members[STATE], STATE), from_safetensors(members[ARRAYS])
        if state.get("layout") != LAYOUT:
            raise Refused(f"it has the layout {state.get('layout')!r}; this version of graphnet reads {LAYOUT}.")
        if state["optimizer"] != type(model.optimizer).__name__:
            raise Refused(f"it was made with the optimizer {state['optimizer']}.")
        pairs = _fitted(model, arrays)
        callbacks = _named(run)
        changes = [
            (callbacks[name], {word: unkept(node, arrays) for word, node in words.items()})
            for name, words in state["callbacks"].items()
            if name in callbacks
        ]
        if type(state["epoch"]) is not int or type(state["batch"]) is not int:
            raise Refused("it does not say where it stands.")
        before = _position(run.train), _position(run.validation)
        try:
            for batches, position in ((run.train, state["train"]), (run.validation, state["validation"])):
                if position is not None and hasattr(batches, "go_to"):
                    batches.go_to(position)
            seeds.set_generator_state(state["generator"])
        except Exception:
            for batches, position in zip((run.train, run.validation), before, strict=True):
                if position is not None:
                    batches.go_to(position)
            raise
    for variable, value in pairs:
        variable.assign(value)
    set_seeds(model, state["seeds"])
    for callback, values in changes:
        vars(callback).update(values)
    run.epoch, run.batch = state["epoch"], state["batch"]
    model.stop_training = state["stop"]


def _fitted(model: Any, arrays: dict[str, np.ndarray]) -> list[tuple[gn.Parameter, np.ndarray]]:
    pairs = []
    for word, variables in _variables(model).items():
        count = sum(name.startswith(f"{word}/") for name in arrays)
        if count != len(variables):
            raise Refused(f"it has {count} arrays of {word}, this model {len(variables)}: it belongs to another model.")
        for n, v in enumerate(variables):
            pairs.append((v, fitting(v, arrays[f"{word}/{n}"], f"{v.name or word}")))
    return pairs
