"""What holds weights, and other holders: the tree of a model's layers, and everything that is asked of all of it.

Weights are those of `add_weight` and every Parameter among the attributes; parts are the layers among the attributes,
alone or in lists, tuples and dicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import constraints, initializers, regularizers
from graphnet.nn.lookup import Configured
from graphnet.nn.phase import phase
from graphnet.nn.ranges import check_unmasked

#: the order of `add_weight`'s positional arguments if the first is a name, and if it is a shape
NAME_FIRST = ("name", "shape", "initializer", "regularizer", "trainable", "constraint", "dtype")
SHAPE_FIRST = (
    "shape",
    "initializer",
    "dtype",
    "trainable",
    "autocast",
    "regularizer",
    "constraint",
    "aggregation",
    "name",
)


#: what nothing is held in
SIMPLE = frozenset({type(None), bool, int, float, str, np.ndarray, FunctionType})


def held(owner: Any, kind: type) -> list[Any]:
    """The objects of this kind among the attributes of `owner`, alone or in lists, tuples, dicts, in order, once."""
    found: dict[int, Any] = {}
    opened: set[int] = set()
    waiting = [v for k, v in reversed(owner.__dict__.items()) if type(v) not in SIMPLE and k != "_given"]
    while waiting:
        value = waiting.pop()
        if kind in type(value).__mro__:
            found.setdefault(id(value), value)
        elif isinstance(value, (dict, list, tuple)) and value and id(value) not in opened:
            opened.add(id(value))
            inside = value.values() if isinstance(value, dict) else value
            waiting += [v for v in reversed(inside) if type(v) not in SIMPLE]
    return list(found.values())


class Weighted(Configured):
    """A holder of weights and of other holders, its parts."""

    name: Any
    dtype: Any
    _trainable = True
    #: whether it has called `add_loss`
    adds_loss = False

    def _hold(self) -> None:
        self._weights: list[gn.Parameter] = []
        self.regularizers: dict[gn.Parameter, Any] = {}
        self.constraints: dict[gn.Parameter, Any] = {}
        self._losses: list[gn.Tensor] = []
        self._losses_of = 0

    def add_weight(
        self,
        *args: Any,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        name: str | None = None,
    ) -> gn.Parameter:
        """A new weight. Without an initializer it is Glorot uniform for matrices and 0 for anything else.

        Without names the arguments are `(shape, initializer, dtype, trainable, autocast, regularizer, constraint,
        aggregation, name)`, or `(name, shape, initializer, regularizer, trainable, constraint, dtype)` if the first is
        a name. `autocast` and `aggregation` are there for code written for Keras, and change nothing.

        Raises `ValueError` for a shape with sizes that are not known.
        """
        if "_weights" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}: call super().__init__() before add_weight.")
        given = {
            "shape": shape,
            "initializer": initializer,
            "dtype": dtype,
            "trainable": trainable,
            "regularizer": regularizer,
            "constraint": constraint,
            "name": name,
        }
        order = NAME_FIRST if args and (args[0] is None or isinstance(args[0], str)) else SHAPE_FIRST
        if len(args) > len(order):
            raise TypeError(f"{self.name}: add_weight takes up to {len(order)} arguments; received {len(args)}")
        for word, value in zip(order, args, strict=False):
            if given.get(word) not in (None, True):
                raise TypeError(f"{self.name}: add_weight received {word} twice: {value!r} and {given[word]!r}")
            given[word] = value
        return self._new_weight(**{k: v for k, v in given.items() if k not in ("autocast", "aggregation")})

    def _new_weight(
        self, shape: Any, initializer: Any, dtype: Any, trainable: bool, regularizer: Any, constraint: Any, name: Any
    ) -> gn.Parameter:
        shape = () if shape is None else shape
        sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        if any(not isinstance(n, (int, np.integer)) for n in sizes):
            raise ValueError(f"{self.name}: the shape of weight {name!r} must be known; received {sizes}")
        if any(n < 0 for n in sizes):
            raise ValueError(f"{self.name}: the sizes of weight {name!r} are 0 or more; received {sizes}")
        start = initializers.get(
            initializer if initializer is not None else "glorot_uniform" if len(sizes) > 1 else "zeros"
        )
        label = name or f"weight_{len(self._weights)}"
        kind = np.dtype(dtype or self.dtype)
        value = start(sizes, dtype=kind) if phase.start is None else phase.start(sizes, kind, start)
        weight = gn.Parameter(value, dtype=kind, name=f"{self.name}/{label}", trainable=bool(trainable))
        if weight.shape != sizes:
            raise ValueError(f"{self.name}: the initializer of weight {name!r} gave {weight.shape} instead of {sizes}")
        self._weights.append(weight)
        if regularizer is not None:
            self.regularizers[weight] = regularizers.get(regularizer)
        if constraint is not None:
            self.constraints[weight] = constraints.get(constraint)
        return weight

    def _children(self) -> list[Any]:
        """The holders among its attributes, in the order they were set."""
        return held(self, Weighted)

    def _own_weights(self) -> list[gn.Parameter]:
        return list(dict.fromkeys([*self._weights, *held(self, gn.Parameter)]))

    def walk(self) -> Iterator[Any]:
        """This layer and all those inside it, each once."""
        seen: set[int] = set()
        waiting: list[Weighted] = [self]
        while waiting:
            layer = waiting.pop()
            if id(layer) not in seen:
                seen.add(id(layer))
                yield layer
                waiting.extend(reversed(layer._children()))

    @property
    def weights(self) -> list[gn.Parameter]:
        """All weights: of each layer those that learn, then those that don't, in the order they were made."""
        found: dict[gn.Parameter, None] = {}
        for layer in self.walk():
            own = layer._own_weights()
            for w in [w for w in own if w.requires_grad] + [w for w in own if not w.requires_grad]:
                found[w] = None
        return list(found)

    @property
    def trainable_weights(self) -> list[gn.Parameter]:
        """The weights that training changes: none of a layer with `trainable = False`."""
        return self.learning_weights({})

    def learning_weights(self, trainable: dict[Any, bool]) -> list[gn.Parameter]:
        """The weights that training changes, if layers are as `trainable` says, or as they say themselves."""
        found: dict[gn.Parameter, None] = {}
        waiting: list[Weighted] = [self]
        while waiting:
            layer = waiting.pop()
            if trainable.get(layer, layer._trainable):
                found.update((w, None) for w in layer._own_weights() if w.requires_grad)
                waiting.extend(reversed(layer._children()))
        return list(found)

    @property
    def non_trainable_weights(self) -> list[gn.Parameter]:
        """The weights that training leaves alone."""
        learn = set(self.trainable_weights)
        return [w for w in self.weights if w not in learn]

    @property
    def variables(self) -> list[gn.Parameter]:
        """The same as `weights`."""
        return self.weights

    @property
    def trainable_variables(self) -> list[gn.Parameter]:
        """The same as `trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[gn.Parameter]:
        """The same as `non_trainable_weights`."""
        return self.non_trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether training changes its weights; a change has effect after the next `compile`."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.walk():
            layer._trainable = bool(value)

    def count_params(self) -> int:
        """The number of elements of all weights."""
        return sum(w.size for w in self.weights)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights' arrays, in the order of `weights`."""
        return [np.array(w.numpy()) for w in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Replace all weights; nothing changes unless every shape fits."""
        own = self.weights
        for w in weights:
            check_unmasked(w, f"{self.name}: an array of set_weights")
        given = [np.asarray(w) for w in weights]
        if len(given) != len(own):
            raise ValueError(
                f"{self.name}: set_weights needs {len(own)} arrays, of shapes "
                f"{', '.join(str(w.shape) for w in own) or 'none: the layer has no weights yet'}; received {len(given)}"
            )
        for w, value in zip(own, given, strict=True):
            if w.shape != value.shape:
                raise ValueError(f"{self.name}: set_weights: {w.name} has shape {w.shape}; received {value.shape}")
        for w, value in zip(own, given, strict=True):
            w.assign(value)

    def add_loss(self, loss: Any) -> None:
        """Add one number, or a list of numbers, to what training makes small. For use in `call`.

        Raises `ValueError` for anything that is not one number.
        """
        for value in loss if isinstance(loss, (list, tuple)) else [loss]:
            number = value if isinstance(value, gn.Tensor) else gn.tensor(value, dtype=self.dtype)
            if number.shape != ():
                raise ValueError(
                    f"{self.name}: add_loss takes one number; received shape {number.shape}: take gn.sum or gn.mean."
                )
            self._note_loss(number)
        self.adds_loss = True

    def _note_loss(self, number: gn.Tensor) -> None:
        if phase.losses is not None:
            phase.losses.append(number)
        else:
            self._forget_losses()
            self._losses.append(number)

    def __getstate__(self) -> dict[str, Any]:
        # What a call added has a history, which a copy does not share.
        return {**self.__dict__, "_losses": []}

    def _forget_losses(self) -> None:
        """Forget what earlier calls from outside added; one that is still going on keeps what it has."""
        if self._losses_of != phase.number:
            self._losses, self._losses_of = [], phase.number

    @property
    def losses(self) -> list[gn.Tensor]:
        """The penalties of weights that learn, and what the last call added with `add_loss`: tensors of one number."""
        learn, layers = set(self.trainable_weights), list(self.walk())
        penalties = [r(w) for layer in layers for w, r in layer.regularizers.items() if w in learn]
        return [*penalties, *(number for layer in layers for number in layer._losses)]
