"""The base class of layers: names, weights, building on first use, and the call that serves eager and symbolic alike.

A layer states its formula in `call` and the shapes of its weights in `build`. It knows nothing of how it is run,
trained, saved or drawn. `Layer(size=...)`, in the words of the library this one grew from, gives a fully connected
layer.
"""

from __future__ import annotations

import inspect
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import constraints, initializers, regularizers
from graphnet.nn.lookup import Configured, snake

FLOAT = "float32"
_counts: Counter[str] = Counter()


class Phase(threading.local):
    """What layers that are being called should know: whether this is training, and which step of it."""

    training: bool = False
    iteration: gn.Tensor | None = None


phase = Phase()


@contextmanager
def running(training: bool, iteration: gn.Tensor | None = None) -> Iterator[None]:
    """Call layers in this phase: `training`, and the count of training steps, which may be symbolic."""
    before = phase.training, phase.iteration
    phase.training, phase.iteration = training, iteration
    try:
        yield
    finally:
        phase.training, phase.iteration = before


def unique_name(kind: str) -> str:
    """`dense`, then `dense_1`, `dense_2`, ... for the class Dense."""
    base = snake(kind)
    count = _counts[base]
    _counts[base] += 1
    return f"{base}_{count}" if count else base


def as_shape(shape: Any) -> tuple[int | None, ...]:
    """`shape` as a tuple of sizes, None where any size is allowed."""
    return tuple(None if n is None else int(n) for n in shape)


class Layer(Configured):
    """A function with weights. Subclass it with `build` (makes the weights) and `call` (the formula).

    * `build(input_shape)` runs once, before the first call, with None for the batch size;
    * `call(x)` or `call(x, training=False)` computes, from tensors to tensors;
    * `add_weight(name, shape, initializer, regularizer, trainable, constraint)` makes a weight.

    `fixed_axes` lists the input's axes whose sizes are fixed by `build`; `casts` says that inputs are cast to the
    layer's dtype (float32 unless given).

    `Layer(size=..., activation=..., type=...)` itself is a fully connected layer, see `graphnet.nn.classic`.

    >>> import graphnet as gn
    >>> class Scale(gn.nn.Layer):
    ...     def build(self, input_shape):
    ...         self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")
    ...     def call(self, x):
    ...         return x * self.scale
    >>> Scale()([[1.0, 2.0]])
    Tensor([[1., 2.]], dtype=float32)
    """

    fixed_axes: tuple[int, ...] = ()
    casts = True
    _takes_training = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        parameters = inspect.signature(cls.call).parameters
        cls._takes_training = "training" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Layer and (args or "size" in kwargs):
            from graphnet.nn.classic import ClassicLayer

            return super().__new__(ClassicLayer, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Any = None,
        input_dim: int | None = None,
    ):
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ValueError(f"{type(self).__name__}: a name is a string without '/'; received {name!r}")
        self._name = name or unique_name(self.kind)
        self._trainable = bool(trainable)
        self._dtype = np.dtype(dtype or FLOAT)
        self.declared_shape = as_shape(input_shape) if input_shape is not None else None
        if input_dim is not None:
            self.declared_shape = (int(input_dim),)
        self.built = False
        self.built_shape: tuple[int | None, ...] | None = None
        self._weights: list[gn.Parameter] = []
        self.regularizers: dict[gn.Parameter, Any] = {}
        self.constraints: dict[gn.Parameter, Any] = {}

    @property
    def kind(self) -> str:
        """The word for what it is: its class's name."""
        return type(self).__name__

    @property
    def name(self) -> str:
        """Its name, in errors, pictures and the summary."""
        return self._name

    @property
    def dtype(self) -> str:
        """The dtype of its weights, to which its inputs are cast."""
        return self._dtype.name

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, name included, in a form that JSON can hold."""
        return {**super().get_config(), "name": self.name, "trainable": self.trainable, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer with these constructor arguments; a constructor without `name` need not take one."""
        parameters = inspect.signature(cls.__init__).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return cls(**config)
        layer = cls(**{k: v for k, v in config.items() if k in parameters})
        layer._name = config.get("name", layer._name)
        layer._trainable = config.get("trainable", layer._trainable)
        layer._dtype = np.dtype(config.get("dtype", layer.dtype))
        return layer

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs of `input_shape`. A layer without weights needs none."""

    def call(self, x: gn.Tensor) -> gn.Tensor:
        """The formula."""
        raise NotImplementedError(f"{type(self).__name__} needs a method call(self, x)")

    def add_weight(
        self,
        name: str | None = None,
        shape: Any = (),
        initializer: Any = None,
        regularizer: Any = None,
        trainable: bool = True,
        constraint: Any = None,
        dtype: Any = None,
    ) -> gn.Parameter:
        """A new weight. Without an initializer it is Glorot uniform for matrices and 0 for anything else."""
        if shape is None:
            shape = ()
        sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        if any(not isinstance(n, (int, np.integer)) for n in sizes):
            raise ValueError(f"{self.name}: the shape of weight {name!r} must be known; received {sizes}")
        start = initializers.get(
            initializer if initializer is not None else "glorot_uniform" if len(sizes) > 1 else "zeros"
        )
        label = name or f"weight_{len(self._weights)}"
        value = start(sizes, dtype=np.dtype(dtype or self.dtype))
        weight = gn.Parameter(value, dtype=dtype or self.dtype, name=f"{self.name}/{label}", trainable=trainable)
        self._weights.append(weight)
        if regularizer is not None:
            self.regularizers[weight] = regularizers.get(regularizer)
        if constraint is not None:
            self.constraints[weight] = constraints.get(constraint)
        return weight

    def _children(self) -> list[Layer]:
        """The layers held as attributes, alone or in lists, tuples and dicts, in the order they were set."""
        found: list[Layer] = []
        for key, value in self.__dict__.items():
            if key != "_given":
                items = value.values() if isinstance(value, dict) else value
                for item in items if isinstance(value, (list, tuple, dict)) else (value,):
                    if isinstance(item, Layer) and item not in found:
                        found.append(item)
        return found

    def _own_weights(self) -> list[gn.Parameter]:
        extra = [v for v in self.__dict__.values() if isinstance(v, gn.Parameter)]
        return list(dict.fromkeys([*self._weights, *extra]))

    def walk(self) -> Iterator[Layer]:
        """This layer and all those inside it, each once."""
        seen: set[int] = set()
        waiting: list[Layer] = [self]
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
        found: dict[gn.Parameter, None] = {}
        waiting: list[Layer] = [self]
        while waiting:
            layer = waiting.pop()
            if layer.trainable:
                found.update((w, None) for w in layer._own_weights() if w.requires_grad)
                waiting.extend(reversed(layer._children()))
        return list(found)

    @property
    def non_trainable_weights(self) -> list[gn.Parameter]:
        """The weights that training leaves alone."""
        learn = set(self.trainable_weights)
        return [w for w in self.weights if w not in learn]

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

    def ensure_built(self, shape: tuple[int, ...]) -> None:
        """Build for an input of `shape` if that has not been done, and check that the input fits what was built."""
        if not self.built:
            free = (None, *shape[1:])
            self.build(free)
            self.built, self.built_shape = True, free
            return
        built = self.built_shape
        if built is None or not self.fixed_axes:
            return
        for axis in self.fixed_axes:
            if len(shape) < -axis or (built[axis] is not None and built[axis] != shape[axis]):
                wanted = ", ".join(
                    "…" if i - len(built) not in self.fixed_axes else str(n) for i, n in enumerate(built)
                )
                raise self.misfit(f"was built for inputs ({wanted}) but got {tuple(shape)}")

    def misfit(self, what: str) -> ValueError:
        """An error that names this layer."""
        return ValueError(f"Layer '{self.name}' ({self.described()}) {what}.")

    def described(self) -> str:
        """Its class and main size, as in `Dense(4)`."""
        units = getattr(self, "units", None)
        return f"{self.kind}({units})" if units is not None else self.kind

    def as_input(self, x: Any) -> gn.Tensor:
        """`x` as a tensor of the layer's dtype."""
        if not isinstance(x, gn.Tensor):
            x = gn.tensor(np.asarray(x))
        return x.astype(self._dtype) if self.casts and x.dtype != self._dtype else x

    def __call__(self, x: Any, training: bool | None = None) -> gn.Tensor:
        tensor = self.as_input(x)
        flag = phase.training if training is None else bool(training)
        with gn.region(self.name, self.kind):
            self.ensure_built(tensor.shape)
            told: dict[str, Any] = {"training": flag} if self._takes_training else {}
            if flag == phase.training:
                return self.call(tensor, **told)
            with running(flag, phase.iteration):
                return self.call(tensor, **told)

    def __repr__(self) -> str:
        return f"<{self.kind} name={self.name}, built={self.built}>"
