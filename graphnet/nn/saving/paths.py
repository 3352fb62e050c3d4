"""Where the weights of a model stand in a file: as Keras numbers them, and by names that a person can read.

Keras walks a model by attributes in alphabetical order, and calls the entries of a list by their classes: the second
Dense of a Sequential is `layers/dense_1`, whatever its name, and its bias is number 1 in there. A readable path leaves
`layers` out, and has the weight's own word: `dense_1/bias`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import graphnet as gn
from graphnet.escape import member
from graphnet.nn.training import Model
from graphnet.nn.weights import Weighted

#: Keras' cells are layers inside of the recurrent layers, which have no weights of their own
IN_CELL = ("LSTM", "GRU", "SimpleRNN")


class Place(NamedTuple):
    """A holder of weights, its path in Keras' files, its readable path, and the weights it has by itself."""

    holder: Any
    path: str
    readable: str
    weights: list[gn.Parameter]


def keras_snake(name: str) -> str:
    """`PReLU` as `p_re_lu`: the words of a class' name as Keras parts them."""
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()


def joined(*parts: str) -> str:
    """A path of those parts that are not empty."""
    return "/".join(part for part in parts if part)


def places(model: Any) -> list[Place]:
    """Every holder in `model`, itself first, each once, in the order in which Keras visits them."""
    found: list[Place] = []
    seen: set[int] = set()
    known: set[int] = set()
    waiting = [(model, "", "")]
    while waiting:
        holder, path, readable = waiting.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        own = [w for w in holder._own_weights() if id(w) not in known]
        known.update(map(id, own))
        cell = "cell" if type(holder).__name__ in IN_CELL and not hasattr(holder, "cell") else ""
        if cell:
            found.append(Place(holder, path, readable, []))
        ordered = [w for w in own if w.requires_grad] + [w for w in own if not w.requires_grad]
        found.append(Place(holder, joined(path, cell), readable, ordered))
        inside = [(part, joined(path, *a), joined(readable, *b)) for part, a, b in _parts(holder)]
        waiting.extend(reversed(inside))
    return found


def _parts(holder: Any) -> Iterator[tuple[Any, tuple[str, ...], tuple[str, ...]]]:
    """The holders inside, with what they add to both paths."""
    if isinstance(holder, Model):
        yield from _listed(holder.layers, ("layers",), ())
        return
    for key in sorted(vars(holder), key=lambda key: (key.startswith("_"), key)):
        value = vars(holder)[key]
        if isinstance(value, Weighted):
            yield value, (key,), (key,)
        elif isinstance(value, (list, tuple, dict)) and key != "_given":
            yield from _listed(value, (key,), (key,))


def _listed(values: Any, path: tuple[str, ...], readable: tuple[str, ...]) -> Iterator[Any]:
    """The holders in a list, named by their classes and a count."""
    counts: Counter[str] = Counter()
    for value in values.values() if isinstance(values, dict) else values:
        nested = isinstance(value, (list, tuple, dict))
        if not nested and not isinstance(value, Weighted):
            continue
        word = "container" if nested else keras_snake(type(value).__name__)
        count = counts[word]
        counts[word] += 1
        name = f"{word}_{count}" if count else word
        if nested:
            yield from _listed(value, (*path, name), (*readable, name))
        else:
            yield value, (*path, name), (*readable, name)


def keras_paths(model: Any) -> dict[str, gn.Parameter]:
    """Each weight by its path in Keras' files, as in `layers/dense/vars/0`."""
    return {joined(p.path, "vars", str(n)): w for p in places(model) for n, w in enumerate(p.weights)}


def readable_paths(model: Any) -> dict[str, gn.Parameter]:
    """Each weight by a path that a person can read, as in `dense/kernel`."""
    found: dict[str, gn.Parameter] = {}
    for place in places(model):
        for number, w in enumerate(place.weights):
            label = member((w.name or f"weight_{number}").rsplit("/", 1)[-1])
            path = joined(place.readable, label)
            while path in found:
                label += f"_{number}"
                path = joined(place.readable, label)
            found[path] = w
    return found
