"""The base class of layers: names, weights, building on first use, and the call that serves eager and symbolic alike.

A layer states its formula in `call` and the shapes of its weights in `build`. It knows nothing of how it is run,
trained, saved or drawn. `Layer(size=...)`, in the words of the library this one grew from, gives a fully connected
layer.
"""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from copy import copy
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.leaves import KINDS
from graphnet.mode import mode, state
from graphnet.nn import regularizers
from graphnet.nn.gone import UP_TO, Gone
from graphnet.nn.lookup import checked_name, snake
from graphnet.nn.phase import phase, running
from graphnet.nn.ranges import check_unmasked
from graphnet.nn.shapes import as_shape, each, has_rule, shapes_of, tensors_in, tried, with_shapes
from graphnet.nn.sparse import is_sparse
from graphnet.nn.weights import Weighted
from graphnet.tracing import Trace

__all__ = ["FLOAT", "Layer", "as_shape", "phase", "running", "unique_name"]

FLOAT = "float32"
_counts: Counter[str] = Counter()
_NOTHING = nullcontext()
#: NumPy makes a name anew whenever it is asked for
_dtype_name = functools.lru_cache(maxsize=64)(lambda dtype: dtype.name)


def unique_name(kind: str) -> str:
    """`dense`, then `dense_1`, `dense_2`, ... for the class Dense."""
    base = snake(kind)
    count = _counts[base]
    _counts[base] += 1
    return f"{base}_{count}" if count else base


def clear_names() -> None:
    """Count the names that layers get by themselves from the beginning: the next Dense is `dense`."""
    _counts.clear()


def noting(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build`, which notes on the layer that it was done, and for which shape."""

    @functools.wraps(build)
    def noted(self: Any, input_shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        result = build(self, input_shape, *args, **kwargs)
        if type(self).build is noted and not self.built:
            self.built = True
            if self.built_shape is None and input_shape is not None:
                self.built_shape = shapes_of(input_shape)
        return result

    noted.notes = True  # type: ignore[attr-defined]
    return noted


def building(given: Any) -> Any:
    """The mode of a call on symbolic tensors outside of a trace: the graph reads parameters when it runs, states too,
    and nothing is assigned."""
    if given.__class__ in KINDS:
        symbolic = given.is_symbolic
    else:
        symbolic = any(t.is_symbolic for t in tensors_in(given))
    if not symbolic or state.mode.trace is not None:
        return _NOTHING
    return mode(trace=Trace(looking=True))


#: attributes of layers and models that are graphnet's own business
INTERNAL = frozenset(
    """adds_loss as_input built_shape casts classic described ensure_built fixed_axes fixed_ndim kind learning_weights
    meant misfit predicted_spec run same_shape steps walk declared_shape key step_key data_format_of on_batch changed
    drawn sizes compute_dtype variable_dtype""".split()
)


class Layer(Weighted):
    """A function with weights. Subclass it with `build` (makes the weights) and `call` (the formula).

    * `build(input_shape)` runs once, before the first call, with None for the batch size;
    * `call(x)` or `call(x, training=False)` computes, from tensors to tensors. Further arguments of a call are handed
      on; `x` may be a list, tuple or dict of tensors, then so is `input_shape`;
    * `add_weight(shape=, initializer=, regularizer=, trainable=, constraint=, name=)` makes a weight;
    * `add_loss(number)`, in `call`, adds to what training makes small.

    Layers and weights that are attributes, alone or in lists and dicts, belong to it. `fixed_axes` lists the input's
    axes whose sizes are fixed by `build`, `fixed_ndim` says that the number of axes is; `casts` that inputs are cast to
    the layer's dtype (float32 unless given). `activity_regularizer` penalises the output, divided by its rows.
    `supports_masking` says that the mask of a sequence goes with the output too (`compute_mask`); a `mask` argument of
    `call` is given it. `same_shape` says that the output has the shape of the input; a `compute_output_shape` that it
    has any other.

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
    fixed_ndim = False
    casts = True
    supports_masking = False
    #: whether the output has the shape of the input
    same_shape = False
    built = False
    built_shape: Any = None
    output_shape: Any = None
    input = Gone(UP_TO)
    output = Gone(UP_TO)
    _takes_training = False
    _input_name = "inputs"
    _call_names: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        parameters = inspect.signature(cls.call).parameters
        cls._takes_training = "training" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        by_position = tuple(n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY))
        cls._input_name, cls._call_names = (by_position[1:2] or ("inputs",))[0], by_position[2:]
        # Also a `build` that a mix-in gives, which is no Layer itself and so was not wrapped.
        if "build" in cls.__dict__ or not hasattr(cls.build, "notes"):
            cls.build = noting(cls.build)  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__new__(cls.meant(kwargs) if not args or cls is not Layer else cls.classic(), *args, **kwargs)

    @classmethod
    def classic(cls) -> type:
        """The class of layers that are fully connected, in the words of `graphnet.nn.classic`."""
        from graphnet.nn.classic import ClassicLayer

        return ClassicLayer

    @classmethod
    def meant(cls, kwargs: dict[str, Any]) -> type:
        """The class that is made of these arguments: `Layer(size=...)` is a classic layer."""
        return cls.classic() if cls is Layer and "size" in kwargs else cls

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        input_shape: Any = None,
        input_dim: int | None = None,
        batch_input_shape: Any = None,
    ):
        self._name = self._checked_name(name) or unique_name(self.kind)
        self._trainable = bool(trainable)
        self._dtype = self._checked_dtype(dtype or FLOAT)
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.declared_shape = as_shape(input_shape) if input_shape is not None else None
        if input_dim is not None:
            self.declared_shape = (int(input_dim),)
        if batch_input_shape is not None:
            if self.declared_shape is not None:
                raise TypeError(
                    f"{type(self).__name__}: batch_input_shape is input_shape with the batch size in front: give one."
                )
            self.declared_shape = as_shape(batch_input_shape)[1:]
        self._hold()

    def _checked_name(self, name: Any) -> str | None:
        who = type(self).__name__
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ValueError(f"{who}: a name is a string without '/'; received {name!r:.200}")
        return checked_name(name, who)

    def _checked_dtype(self, dtype: Any) -> np.dtype:
        try:
            found = np.dtype(dtype)
        except (TypeError, ValueError, SyntaxError):  # NumPy reads some texts as Python
            found = None
        if found is None or found.kind not in "biuf" or found.itemsize > 8:
            raise ValueError(f"{type(self).__name__}: dtype is 'float32' or 'float64'; received {dtype!r:.100}")
        return found

    @property
    def kind(self) -> str:
        """The word for what it is: its class's name."""
        return type(self).__name__

    @property
    def name(self) -> str:
        """Its name, in errors, pictures and the summary."""
        if "_name" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}: its __init__ must call super().__init__() first.")
        return self._name

    @property
    def dtype(self) -> str:
        """The dtype of its weights, to which its inputs are cast."""
        return _dtype_name(self._dtype)

    compute_dtype = variable_dtype = dtype

    @property
    def input_shape(self) -> Any:
        """The shape of the input with None for the batch, if it is known."""
        return self.built_shape if self.built else None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, name included, in a form that JSON can hold."""
        config = {**super().get_config(), "name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        config.pop("batch_input_shape", None)
        if "input_shape" in config:
            config["input_shape"] = self.declared_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer with these constructor arguments; a constructor without `name` need not take one."""
        parameters = inspect.signature(cls.__init__).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) or cls.__init__ is Layer.__init__:
            return cls(**config)
        layer = cls(**{k: v for k, v in config.items() if k in parameters})
        layer._name = layer._checked_name(config.get("name")) or layer._name
        layer._trainable = bool(config.get("trainable", layer._trainable))
        layer._dtype = layer._checked_dtype(config.get("dtype") or layer.dtype)
        return layer

    @noting
    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of `input_shape`. A layer without weights needs none."""

    def call(self, x: Any) -> Any:
        """The formula."""
        raise NotImplementedError(f"{type(self).__name__} needs a method call(self, x)")

    def ensure_built(self, shape: Any) -> None:
        """Build for an input of `shape` if that has not been done, and check that the input fits what was built."""
        if not self.built:
            before = {k: copy(v) if type(v) in (list, dict) else v for k, v in self.__dict__.items()}
            try:
                # A trace is about calls: what is assigned here is assigned now.
                with mode(trace=None, raw=False):
                    self.build(shapes_of(shape))
            except Exception:
                self.__dict__.clear()
                self.__dict__.update(before)
                raise
            self.built, self.built_shape = True, shapes_of(shape)
            return
        built = self.built_shape
        if (self.fixed_axes or self.fixed_ndim) and isinstance(built, tuple):
            self._check_axes(built, shape)

    def _check_axes(self, built: tuple[int | None, ...], shape: tuple[int, ...]) -> None:
        """Refuse an input whose fixed axes are not those that the layer was built for."""
        if self.fixed_ndim and len(shape) != len(built):
            raise self.misfit(f"was built for inputs with {len(built)} axes, {built}, but got {tuple(shape)}")
        for axis in self.fixed_axes:
            if len(shape) < (-axis if axis < 0 else axis + 1) or built[axis] not in (None, shape[axis]):
                fixed = {a % len(built) for a in self.fixed_axes}
                wanted = ", ".join(str(n) if i in fixed else "…" for i, n in enumerate(built))
                raise self.misfit(f"was built for inputs ({wanted}) but got {tuple(shape)}")

    def misfit(self, what: str) -> ValueError:
        """An error that names this layer."""
        return ValueError(f"Layer '{self.name}' ({self.described()}) {what}.")

    def described(self) -> str:
        """Its class and main size, as in `Dense(4)`."""
        units = getattr(self, "units", None)
        return f"{self.kind}({units})" if units is not None else self.kind

    def as_input(self, x: Any) -> Any:
        """`x` as a tensor of the layer's dtype, or each of several."""
        if not isinstance(x, gn.Tensor):
            if isinstance(x, dict) or (isinstance(x, (list, tuple)) and any(isinstance(v, gn.Tensor) for v in x)):
                parts = x.items() if isinstance(x, dict) else enumerate(x)
                made = {k: self.as_input(v) for k, v in parts}
                return made if isinstance(x, dict) else type(x)(made.values())
            x = self._read(x)
        return x.astype(self._dtype) if self.casts and self.autocast and x.dtype != self._dtype else x

    def _read(self, x: Any) -> gn.Tensor:
        hint = ""
        if isinstance(x, Weighted):
            hint = " Layers are put one after the other in a Sequential, or called on tensors in the `call` of a Layer."
        elif isinstance(x, type):
            hint = f" It is a class: write {x.__name__}(...)."
        elif x is not None and not isinstance(x, str):
            try:
                check_unmasked(x, "x")
                if isinstance(x, (list, tuple)) and tensors_in(x):
                    return gn.tensor(x)
                return gn.tensor(x.toarray() if is_sparse(x) else np.asarray(x))
            except (TypeError, ValueError) as error:
                hint = f" ({error})"
        raise TypeError(
            f"Layer '{self.name}' ({self.described()}) is called on numbers: a tensor, an array or nested lists; "
            f"received {x!r} ({'class' if isinstance(x, type) else type(x).__name__}).{hint}"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if "_weights" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}: its __init__ must call super().__init__() first.")
        if args:
            x = args[0]
            if len(args) > 1:
                self._by_position(args, kwargs)
        else:
            x = self._by_name(kwargs)
        training = kwargs.pop("training", None)
        flag = phase.training if training is None else bool(training)
        given = self.as_input(x)
        if self._takes_training:
            kwargs["training"] = flag
        if phase.depth == 0:
            phase.number += 1
        if self._losses:
            self._forget_losses()
        phase.depth += 1
        try:
            with gn.region(self.name, self.kind), building(given):
                self.ensure_built(given.shape if isinstance(given, gn.Tensor) else each(given, lambda t: t.shape))
                if flag == phase.training:
                    y = self.call(given, **kwargs)
                else:
                    with running(flag, phase.iteration):
                        y = self.call(given, **kwargs)
                if y is None:
                    raise self.misfit("gave None: its call needs a return")
                if self.activity_regularizer is not None:
                    for t in tensors_in(y):
                        self._note_loss(self.activity_regularizer(t) / max(float(t.shape[0]) if t.ndim else 1.0, 1.0))
        except ValueError as error:
            self._widths_differ(error, given)
            raise
        finally:
            phase.depth -= 1
        if self.output_shape is None:
            self.output_shape = each(y, lambda t: (None, *t.shape[1:]) if t.ndim else ())
        return y

    def _widths_differ(self, error: ValueError, given: Any) -> None:
        """Raise an error that says which layer expects how many features, where `error` is about that."""
        built = self.built_shape if self.built else None
        if "in one input and" not in str(error) or not isinstance(built, tuple) or not isinstance(given, gn.Tensor):
            return
        if len(built) > 1 and given.ndim and built[-1] not in (None, given.shape[-1]):
            raise ValueError(
                f"{error}. Layer '{self.name}' ({self.described()}) was built for {built[-1]} features, the last axis "
                f"of {built}, and got {given.shape[-1]}, the last of {given.shape}."
            ) from None

    def __dir__(self) -> list[str]:
        """What is for users: graphnet's own steps are left out, and what begins with an underscore."""
        names = set(super().__dir__()) - INTERNAL
        return sorted(n for n in names if not n.startswith("_") or (n.startswith("__") and n.endswith("__")))

    def _by_position(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note the arguments after the first by their names."""
        names = self._call_names
        if len(args) > 1 + len(names):
            raise TypeError(
                f"Layer '{self.name}' ({self.described()}) is called with up to {1 + len(names)} positional arguments, "
                f"not {len(args)}."
            )
        for name, value in zip(names, args[1:], strict=False):
            if name in kwargs:
                raise TypeError(f"Layer '{self.name}' ({self.described()}) received {name} twice.")
            kwargs[name] = value

    def _by_name(self, kwargs: dict[str, Any]) -> Any:
        """The input, where it was given as a keyword."""
        for name in (self._input_name, "inputs", "x", "sequences"):
            if name in kwargs:
                return kwargs.pop(name)
        raise TypeError(f"Layer '{self.name}' ({self.described()}) is called on numbers: layer(x); received no input.")

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The mask of the output for this input and its mask: the same one, for a layer that `supports_masking`."""
        return mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for an input of this shape, with None where any size is allowed. Changes nothing.

        A subclass may state it, from the layer's settings alone; here the formula is tried.
        """
        shape = with_shapes(input_shape, as_shape)
        return shape if self.same_shape and has_rule(self) else tried(self, shape)

    compute_output_shape.tries = True  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<{self.kind} name={self.name}, built={self.built}>"
