"""What shows a model: a layer by its name, the table of its layers, its graph, a picture of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import graphnet as gn
from graphnet.nn.layer import Layer
from graphnet.nn.lookup import unknown
from graphnet.nn.phase import running
from graphnet.nn.shapes import flat, with_shapes
from graphnet.nn.summary import Summary

#: what stands for a size that is free, where a graph is made: the first that all windows fit into
FREE = tuple(16 << n for n in range(10))


def filled(shape: tuple[int | None, ...], size: int) -> tuple[int, ...]:
    """The sizes of one row, with `size` for those that are free."""
    return tuple(size if n is None else n for n in shape[1:])


def _batch(shape: Any, size: int) -> tuple[int, ...]:
    return 1, *filled(shape, size)


class Showing:
    """What a Model can say of itself."""

    name: Any
    dtype: Any
    layers: Any
    built: bool
    built_shape: Any
    compute_output_shape: Any
    __call__: Any

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place."""
        if (name is None) == (index is None):
            raise ValueError("get_layer takes a name or an index.")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"'{self.name}' has {len(layers)} layers; there is none at {index}.")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise unknown("layer name", name, [layer.name for layer in layers])

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
        *,
        show_input: bool = False,
        show_activation: bool = False,
        show_macs: bool = False,
    ) -> Summary:
        """Print the table of layers, their output shapes and numbers of weights, and give it as an object.

        `show_trainable`, `show_input` (shapes), `show_activation` and `show_macs` (multiplications for one row) add a
        column each; `expand_nested` adds the layers of layers. `layer_range` is a pair of names (or patterns): the
        layers from the first to the second. Nothing is cut off: in a table of `line_length` characters, or on a narrow
        terminal, long cells go on in the next line; `positions` make columns wider only. `print_fn` is called with the
        text, in place of `print`.
        """
        columns = {"input": show_input, "activation": show_activation, "macs": show_macs, "trainable": show_trainable}
        shown = tuple(name for name, wanted in columns.items() if wanted)
        table_ = Summary(self, expand_nested, shown, line_length, positions, layer_range)
        table_.show(print_fn)
        return table_

    def graph(self, batch_size: int = 32, training: bool = False) -> gn.Graph:
        """The model's computation on a batch of this size, as a Graph of the input; in training also of the step."""
        if not self.built:
            raise ValueError(f"'{self.name}' has no shapes yet: call build((None, ...)), or put an Input first.")
        inputs: list[gn.Tensor] = []

        def made(row: Any) -> gn.Tensor:
            inputs.append(gn.input((batch_size, *row), self.dtype, name="x" if not inputs else f"x{len(inputs)}"))
            return inputs[-1]

        x = with_shapes(self._row(), made)
        if not training:
            return gn.Graph(inputs, self(x, training=False))
        step = gn.input((), "int64", name="step")
        with running(True, step):
            return gn.Graph([*inputs, step], self(x))

    def _row(self) -> Any:
        """The sizes of a row, or of each of several, free ones filled with what all windows fit into."""
        shape = self.built_shape or ()
        free = None in [n for s in flat(shape) for n in s[1:]]
        for size in FREE:
            try:
                if free:
                    self.compute_output_shape(with_shapes(shape, partial(_batch, size=size)))
                break
            except ValueError:
                continue
        return with_shapes(shape, partial(filled, size=size))

    def draw(self, path: Any = None, batch_size: int = 32, training: bool = False, **options: Any) -> Any:
        """A picture of the model's graph; `path` writes it to a file. Options are those of `Graph.draw`.

        `gradient=True` draws the gradient for its weights too, `values=x` what a batch `x` gives in each layer.
        """
        given = options.get("values")
        if given is not None and given is not True and not isinstance(given, (list, tuple, dict)):
            batch_size = len(given)
        options.setdefault("title", self.name)
        return self.graph(batch_size, training).draw(path, **options)

    def _repr_svg_(self) -> str | None:
        return self.draw().svg if self.built else None
