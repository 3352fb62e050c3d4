"""A chain of layers: the output of each is the input of the next."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import masks
from graphnet.nn.classic import ClassicLayer
from graphnet.nn.layer import Layer
from graphnet.nn.layers import InputLayer, table
from graphnet.nn.lookup import plain
from graphnet.nn.phase import running
from graphnet.nn.ranges import check_unmasked
from graphnet.nn.shapes import as_shape, output_shape, tensors_in
from graphnet.nn.sparse import is_sparse
from graphnet.nn.training import Model


def _spec(x: Any) -> Any:
    return None if x is None else (x.shape, x.dtype.name)


def _fits(sizes: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether sizes are those that are wanted, None being any."""
    return len(sizes) == len(wanted) and all(n is None or n == m for n, m in zip(wanted, sizes, strict=True))


@table.add()
class Sequential(Model):
    """`layers[-1](... layers[1](layers[0](x)))`.

    The weights are made when the shape of the input is known: from an `Input((64,))` in front, from
    `build((None, 64))`, or from the first data. Models nest: a Sequential is a layer.

    >>> import graphnet as gn
    >>> model = gn.nn.Sequential([gn.nn.Input((4,)), gn.nn.Dense(3, activation="relu"), gn.nn.Dense(2)])
    >>> model.count_params(), model.output_shape
    (23, (None, 2))
    >>> model(gn.input((5, 4))).shape
    (5, 2)
    """

    supports_masking = True
    takes_several = False

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None):
        super().__init__(name=name, trainable=trainable)
        self._layers: list[Layer] = []
        self._names: set[str] = set()
        self._input: InputLayer | None = None
        #: shape and dtype of what the last layer makes of the input, and of its mask; a shape alone if sizes are free
        self._end: Any = None
        self._from_data = False
        if isinstance(layers, (Layer, type, str, dict)):
            raise TypeError(f"Sequential takes a list of layers, as in Sequential([Dense(3)]); received {layers!r}.")
        for layer in layers or ():
            self._append(layer)
        self._extend()

    def add(self, layer: Any) -> None:
        """Put `layer` at the end. The first may be an `Input`, or a classic `Layer(size=...)` that states its size."""
        before, count = (self._input, self.declared_shape, self._dtype), len(self._layers)
        try:
            self._append(layer)
            if self.built and self._end is not None and self._layers:
                self._continue()
            else:
                self._extend()
        except BaseException:
            self._input, self.declared_shape, self._dtype = before
            self._names.difference_update([other.name for other in self._layers[count:]])
            del self._layers[count:]
            raise
        self._predictor = None
        if self.steps is not None:
            self.steps.unsettle()

    def _append(self, layer: Any) -> None:
        """Check `layer` and put it at the end of the list."""
        if isinstance(layer, type) and issubclass(layer, Layer):
            raise TypeError(f"add takes a layer, not a class: write {layer.__name__}(...).")
        if not isinstance(layer, Layer):
            raise TypeError(f"a Sequential is made of layers; received {layer!r} ({type(layer).__name__}).")
        if not self._layers and self._input is None and isinstance(layer, ClassicLayer):
            for first in layer.as_first():
                self._append(first)
            return
        if isinstance(layer, InputLayer):
            if self._layers or self._input is not None:
                raise ValueError(f"'{self.name}' has an input or layers already: an Input comes first, and once.")
            self._input = layer
            self.declared_shape = layer.declared_shape
            if layer._dtype.kind == "f":
                self._dtype = layer._dtype
            return
        if layer.name in self._names:
            raise ValueError(f"'{self.name}' has a layer named '{layer.name}' already: names in a Sequential differ.")
        if not self._layers and self.declared_shape is None:
            self.declared_shape = layer.declared_shape
        self._names.add(layer.name)
        self._layers.append(layer)

    def _continue(self) -> None:
        """Build the last layer alone: the others are built, and what they make of the input is known."""
        last = self._layers[-1]
        if None in self.built_shape[1:]:
            self._end = self.output_shape = self._inferred(self._layers[-1:], self._end)[0]
            return
        x, mask = self._end
        with running(False, losses=[]):
            y, mask = self._after(last, gn.input(*x), gn.input(*mask) if mask else None, False)
        self._end = _spec(y), _spec(mask)
        self.output_shape = last.output_shape = (None, *y.shape[1:])

    def pop(self) -> Layer:
        """Take the last layer away, and give it."""
        if not self._layers:
            raise ValueError(f"'{self.name}' has no layers.")
        layer = self._layers.pop()
        self._names.discard(layer.name)
        if self.steps is not None:
            self.steps.unsettle()
        self.built, self.output_shape = False, None
        self._extend()
        return layer

    def _extend(self) -> None:
        """Build now if the input's shape is known, so that weights and output shape are there."""
        self._predictor = None
        shape = self.declared_shape
        if self._layers and shape is not None:
            self.built = False
            self.build((None, *shape))

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the Input."""
        return list(self._layers)

    @layers.setter
    def layers(self, value: Any) -> None:
        raise AttributeError(f"the layers of '{self.name}' are a list to read: use add(layer) and pop().")

    def get_config(self) -> dict[str, Any]:
        """Name and layers, in a form that JSON can hold."""
        front = [self._input] if self._input is not None else []
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [plain(x) for x in (*front, *self._layers)],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The model with these layers, with new weights."""
        return cls([table.get(c) for c in config["layers"]], config.get("trainable", True), config.get("name"))

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of `input_shape`, batch first: `build((None, 64))`.

        Other sizes that are None stay free, as the length of sequences in `build((None, None, 8))`.
        """
        declared = self.declared_shape
        shape = as_shape(input_shape) if input_shape is not None else (None, *(declared or ()))
        if len(shape) < 2 and declared != ():
            raise ValueError(
                f"build needs the shape of the input, batch first, as in build((None, 64)); received {shape}."
            )
        self._predictor = None
        self.built_shape = (None, *shape[1:])
        if None in shape[1:]:
            try:
                self._end = self._inferred(self._layers, self.built_shape)[-1]
            except ValueError as error:
                raise ValueError(f"build needs the sizes that weights follow from; received {shape}: {error}") from None
        else:
            self._end = self._shapes(shape[1:])
        self.built = True
        self.output_shape = self._layers[-1].output_shape

    def _shapes(self, sizes: Any) -> tuple[Any, Any]:
        """Build for a row of these sizes; shape and dtype of what comes out, and of its mask."""
        mask = None
        with running(False, losses=[]):
            x = gn.input((1, *sizes), self.dtype)
            for layer in self._layers:
                x, mask = self._after(layer, x, mask, False)
                layer.output_shape = (None, *x.shape[1:])
        return _spec(x), _spec(mask)

    def _inferred(self, layers: list[Layer], shape: Any) -> list[Any]:
        """Build layers for an input whose shape has free sizes; the shapes of what they make."""
        found = []
        for layer in layers:
            try:
                layer.ensure_built(shape)
            except TypeError as error:
                raise layer.misfit(
                    f"can't be built for inputs of shape {shape}, with None for free sizes: {error}"
                ) from None
            shape = output_shape(layer, shape)
            if isinstance(shape, list):
                raise self._several(layer, len(shape))
            found.append(shape)
        for layer, shape in zip(layers, found, strict=True):
            layer.output_shape = shape
        return found

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for an input of this shape, with None where any size is allowed. Changes nothing."""
        shape = as_shape(input_shape)
        for layer in self._layers:
            shape = output_shape(layer, shape)
        return shape

    def call(self, x: gn.Tensor, training: bool = False, mask: Any = None) -> gn.Tensor:
        for layer in self._layers:
            x, mask = self._after(layer, x, mask, training)
        masks.note(self, mask)
        return x

    def _after(self, layer: Layer, x: gn.Tensor, mask: Any, training: bool) -> tuple[gn.Tensor, Any]:
        """What a layer makes of `x` and its mask."""
        y, mask = masks.called(layer, x, mask, training)
        if not isinstance(y, gn.Tensor):
            if not isinstance(y, (list, tuple, dict)):
                raise layer.misfit(f"gives a {type(y).__name__}, which is no tensor: compute with gn's functions")
            raise self._several(layer, len(y))
        return y, mask

    @staticmethod
    def _several(layer: Layer, count: int) -> ValueError:
        return layer.misfit(
            f"gives {count} tensors, but in a Sequential each layer gives one: without return_state, or called by hand"
        )

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The mask of what its last call on this thread gave."""
        return masks.noted(self)

    def as_input(self, x: Any) -> gn.Tensor:
        if not isinstance(x, gn.Tensor):
            check_unmasked(x, "x")
            if isinstance(x, (list, tuple)) and tensors_in(x):
                return self._of_rank(gn.tensor(x, self.dtype))
            array = x.toarray() if is_sparse(x) else np.asarray(x)
            x = gn.tensor(array.astype(self.dtype) if array.dtype.kind == "f" else array)
        return self._of_rank(x)

    def _of_rank(self, x: gn.Tensor) -> gn.Tensor:
        """`x` with a last axis of one added or taken away, where it fits the model's input then: as in Keras."""
        sizes = self.built_shape[1:] if self.built else self.declared_shape
        if sizes is None or x.ndim == len(sizes) + 1:
            return x
        if x.ndim == len(sizes) and sizes[-1:] == (1,) and _fits(x.shape[1:], sizes[:-1]):
            return gn.expand_dims(x, -1)
        if x.ndim == len(sizes) + 2 and x.shape[-1] == 1 and _fits(x.shape[1:-1], sizes):
            return gn.squeeze(x, -1)
        return x

    def ensure_built(self, shape: tuple[int, ...]) -> None:
        if not self._layers:
            raise ValueError(f"'{self.name}' has no layers: add some first.")
        if not self.built:
            declared = self.declared_shape
            if declared is None and len(shape) < 2:
                raise ValueError(
                    f"'{self.name}' got x of shape {tuple(shape)}: rows without features. With one number in each row, "
                    "give x[:, None], or put Input((1,)) first."
                )
            if declared is not None:
                self._check(shape, (None, *declared))
            self.build((None, *(shape[1:] if declared is None else declared)))
            self._from_data = declared is None
        elif not (self._from_data and self._widened(shape)):
            self._check(shape, self.built_shape or ())

    def _widened(self, shape: tuple[int | None, ...]) -> bool:
        """Whether a model that data built takes inputs of this shape: sizes that no weight follows from become free."""
        built = self.built_shape
        if len(shape) != len(built):
            return False
        wider = (None, *(n if n == m else None for n, m in zip(built[1:], shape[1:], strict=True)))
        if wider == built:
            return True
        before = [layer.output_shape for layer in self._layers]
        try:
            with running(False, losses=[]):
                self.call(gn.input((1, *(1 if n is None else n for n in shape[1:])), self.dtype))
            self._end = self._inferred(self._layers, wider)[-1]
        except ValueError:
            for layer, was in zip(self._layers, before, strict=True):
                layer.output_shape = was
            return False
        self.built_shape, self.output_shape = wider, self._end
        return True

    def check_whole(self, x: Any) -> None:
        shape, wanted = tuple(x.shape), self.built_shape if self.built else None
        if wanted is not None and _fits(shape, wanted[1:]) and not _fits(shape, wanted):
            # One row: parted into batches it would be some numbers of a row.
            self._check(shape, wanted)

    def _check(self, shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> None:
        if _fits(shape, wanted):
            return
        first = self._layers[0]
        source = "the model's Input is" if self._input is not None else "the model was built for"
        last = f"(…, {wanted[-1]})" if len(wanted) > 1 else wanted
        hint = ""
        if len(shape) == len(wanted) - 1 and _fits(shape, wanted[1:]):
            hint = " One row alone needs a batch axis: np.asarray(x)[None]."
        elif len(shape) == len(wanted) - 2 and wanted[-1] == 1 and _fits(shape, wanted[1:-1]):
            hint = " One row alone needs a batch axis, and here one for the channel: np.asarray(x)[None, ..., None]."
        elif len(shape) == len(wanted) - 1 and _fits(shape[1:], wanted[1:-1]):
            hint = f" The last axis is missing: x[..., None] has one number there, the model takes {wanted[-1]}."
        elif len(shape) > len(wanted) and int(np.prod(shape[1:])) == np.prod([n or 1 for n in wanted[1:]]):
            hint = f" x.reshape(len(x), -1), or a Flatten layer, makes {tuple(shape)} fit."
        raise ValueError(
            f"Layer 0 '{first.name}' ({first.described()}) was built for inputs {last} but got {tuple(shape)}: "
            f"{source} {wanted}.{hint}"
        )
