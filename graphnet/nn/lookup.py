"""From a word to an object: every string a user may write (`"adam"`, `"relu"`) is looked up here.

A table holds the classes or functions of one kind under Keras' names. An unknown word gives an error with the nearest
known one, and so does a misspelt argument of a constructor (`Spelled`). Objects whose constructor arguments are all
they are (`Configured`) know their own configuration.
"""

from __future__ import annotations

import difflib
import inspect
import re
from abc import ABCMeta
from collections.abc import Callable
from typing import Any

import numpy as np

from graphnet.escape import is_shown, line
from graphnet.nn.gone import CHAINS
from graphnet.nn.limits import guarded
from graphnet.nn.registry import known_as, registered_name


def snake(name: str) -> str:
    """`CategoricalCrossentropy` as `categorical_crossentropy`.

    >>> snake("MeanSquaredError"), snake("Conv2D")
    ('mean_squared_error', 'conv2d')
    """
    spaced = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()


def checked_name(name: Any, who: str) -> Any:
    r"""`name`, if it is None or a text that can be shown: it stands in messages, tables, pages and files.

    >>> checked_name("dense\x1b[2J", "Dense")
    Traceback (most recent call last):
    ValueError: Dense: a name is a text without what a terminal obeys instead of showing it; received 'dense\x1b[2J'
    """
    if name is not None and (not isinstance(name, str) or not is_shown(name)):
        raise ValueError(
            f"{who}: a name is a text without what a terminal obeys instead of showing it; received {name!r:.200}"
        )
    return name


def unknown(what: str, given: Any, known: Any) -> ValueError:
    """The error for a word that is not known, with the nearest one that is."""
    words = sorted(known)
    return ValueError(f"Unknown {what} {given!r}.{nearest(given, words)} Known: {', '.join(words)}.")


def nearest(given: Any, words: list[str]) -> str:
    """`" Did you mean 'relu'?"`, or nothing if no word is near."""
    lower = {w.lower(): w for w in reversed(words)}
    close = difflib.get_close_matches(str(given).lower(), lower, n=1, cutoff=0.6)
    return f" Did you mean {lower[close[0]]!r}?" if close else ""


#: words of older versions of Keras, and what they are called now
RENAMED = {
    "lr": "learning_rate",
    "beta1": "beta_1",
    "beta2": "beta_2",
    "nb_filter": "filters",
    "nb_filters": "filters",
    "output_dim": "units",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "bias": "use_bias",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "filter_length": "kernel_size",
    "pool_length": "pool_size",
    "dim_ordering": "data_format",
    "p": "rate",
    "keep_prob": "rate, which is 1 - keep_prob",
    "sigma": "stddev",
    "period": "save_freq",
    "epsilon": "min_delta",
    "nb_words": "input_dim",
}
#: words that have no successor of one name
GONE = {
    "decay": "learning_rate=schedules.InverseTimeDecay(rate, 1, decay) lets the rate fall as decay did; "
    "weight_decay= shrinks the weights.",
    "weights": "Call set_weights(weights) on the layer once it is built.",
    "implementation": "It may be left out.",
    "inputs": f"{CHAINS}.",
    "outputs": f"{CHAINS}.",
}


def renamed(word: str, names: list[str]) -> str:
    """What an argument of an older Keras is called now, as a sentence; nothing if it is none."""
    now = RENAMED.get(word, "")
    if now.split(",")[0] in names:
        return f" It is called {now} now."
    return f" {GONE[word]}" if word in GONE else ""


class Table:
    """The classes or functions of one kind, by name.

    `what` names the kind in errors. `add` registers a class under its own name, its snake-case name and any aliases.
    """

    def __init__(self, what: str):
        self.what = what
        self.entries: dict[str, Any] = {}

    def add(self, *aliases: str) -> Callable[[Any], Any]:
        """Register the decorated class or function."""

        def register(entry: Any) -> Any:
            for name in (entry.__name__, snake(entry.__name__), *aliases):
                self.entries[name] = entry
            return entry

        return register

    @property
    def words(self) -> list[str]:
        """The words a user writes: the names in small letters."""
        return sorted(name for name in self.entries if name == name.lower())

    def find(self, word: str) -> Any:
        """The entry for `word`, whatever its case. What users registered under that name comes first."""
        found = known_as(word) or self.entries.get(word)
        if found is None:
            found = self.entries.get(word.lower())
        if found is None:
            raise unknown(self.what, word, self.words)
        return found

    def get(self, given: Any) -> Any:
        """The object for a word, a class or a `{"class_name": ..., "config": ...}` dict; an object stays itself.

        None stays None. Raises `ValueError` for an unknown word, `TypeError` for anything else that can't be called.
        """
        if given is None:
            return None
        if isinstance(given, Named) and given.of is not None:
            return given.of
        if isinstance(given, str):
            entry = self.find(given)
            return entry() if isinstance(entry, type) else entry
        if isinstance(given, dict) and "class_name" in given:
            of = given.of if isinstance(given, Described) else None
            entry = type(of) if of is not None else self.find(given["class_name"])
            config = given.get("config") or {}
            return entry.from_config(config) if isinstance(entry, type) else entry  # type: ignore[attr-defined]
        if isinstance(given, type):
            return given()
        if callable(given) or isinstance(given, Configured):
            return given
        raise TypeError(
            f"a {self.what} is one of the words {', '.join(self.words)}, or an object; received {given!r} "
            f"({type(given).__name__})"
        )


class Described(dict):  # type: ignore[type-arg]
    """The class name and configuration of an object, for JSON; `of` is the object."""

    of: Any = None


class Named(str):
    """The name of a function, for JSON; `of` is the function."""

    of: Any = None


def plain(value: Any) -> Any:
    """`value` as something JSON can hold: an object as its class name and configuration, a function as its name."""
    if isinstance(value, Configured):
        described = Described(class_name=registered_name(type(value)) or type(value).__name__)
        described["config"], described.of = value.get_config(), value
        return described
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, (list, tuple)):
        return type(value)(plain(v) for v in value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if callable(value):
        named = Named(registered_name(value) or getattr(value, "__name__", type(value).__name__))
        named.of = value
        return named
    return value


def accepted(cls: type) -> list[str]:
    """The names of the arguments that a constructor takes, with those it hands on to its bases."""
    names: dict[str, None] = {}
    for base in cls.__mro__:
        if "__init__" in vars(base) and base is not object:
            parameters = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
            names.update((p.name, None) for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
            if not any(p.kind is p.VAR_KEYWORD for p in parameters):
                break
    return list(names)


def constructor_of(obj: Any, **now: Any) -> str:
    """The call that makes an object, with the arguments that are not what they are unless given: `Huber(delta=2.0)`.

    `now` are values that count instead of those that were given.
    """
    cls = type(obj)
    known = cls._signature.parameters
    given = obj.__dict__.get("_given")
    if given is None:
        given = {name: obj.__dict__[name] for name in known if name in obj.__dict__}
    parts = []
    for name, value in {**given, **now}.items():
        default = known[name].default if name in known else None
        plain_kind = type(value) in (bool, int, float, str, tuple, type(None))
        if name in now or not (value is default or (plain_kind and type(default) is type(value) and value == default)):
            parts.append(f"{name}={_brief(value)}")
    return f"{cls.__name__}({', '.join(parts)})"


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<array of shape {value.shape}>"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return line(repr(value), 60)


class Spelled(ABCMeta):
    """Classes whose constructor answers a misspelt argument with the nearest one that it knows.

    It is an `ABCMeta`, so that such a class can have abstract methods.

    >>> import graphnet as gn
    >>> gn.nn.Dense(10, activaton="relu")
    Traceback (most recent call last):
    TypeError: Dense: unknown argument 'activaton'. Did you mean 'activation'?

    Constructors of graphnet's own classes ask `limits` what their settings may be.
    """

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any):
        super().__init__(name, bases, namespace, **kwargs)
        if "__init__" in namespace and namespace.get("__module__", "").startswith("graphnet."):
            cls.__init__ = guarded(name, namespace["__init__"])  # type: ignore[misc]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except TypeError as error:
            found = re.search(r"__init__\(\) (?:got an unexpected keyword argument '(\w+)'|missing)", str(error))
            if found is None:
                raise
            names = accepted(cls.meant(kwargs))
            word = found[1] or next((k for k in kwargs if k not in names), None)
            if word is None or word not in kwargs:
                raise
            hint = renamed(word, names) or nearest(word, names) or f" It takes {', '.join(names) or 'none'}."
            raise TypeError(f"{cls.__name__}: unknown argument {word!r}.{hint}") from None

    @property
    def _signature(cls) -> inspect.Signature:
        """The constructor's, found when it is first asked for: that takes longer than making the class."""
        found = cls.__dict__.get("_signature_found")
        if found is None:
            found = cls._signature_found = inspect.signature(cls.__init__)  # type: ignore[misc]
        return found

    @property
    def __signature__(cls) -> inspect.Signature:
        """What `help` and editors show, which would else be the arguments of `__new__`."""
        return cls._signature.replace(parameters=list(cls._signature.parameters.values())[1:])

    def meant(cls, kwargs: dict[str, Any]) -> type:
        """The class that is made of these arguments."""
        return cls


class Configured(metaclass=Spelled):
    """An object that can be made again from its constructor's arguments: `cls.from_config(obj.get_config())`.

    The arguments are noted when the object is made, so that a subclass has a configuration without writing one. An
    attribute of the same name, where there is one, counts instead: it may have been changed since.
    """

    _given: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = object.__new__(cls)
        self._note(args, kwargs)
        return self

    def _note(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given: dict[str, Any] = {}
        signature = type(self)._signature
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError:
            bound = None  # the constructor will say what is wrong
        if bound is not None:
            bound.apply_defaults()
            parameters = signature.parameters
            for place, (name, value) in enumerate(bound.arguments.items()):
                if parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                    given.update(value)
                elif place > 0 and parameters[name].kind is not inspect.Parameter.VAR_POSITIONAL:
                    given[name] = value
        object.__setattr__(self, "_given", given)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, in a form that JSON can hold."""
        return {name: plain(getattr(self, name, value)) for name, value in self._given.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The object with these constructor arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return constructor_of(self)
