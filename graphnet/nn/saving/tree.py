"""Objects as nested dicts that JSON can hold, and back, in two dialects: graphnet's own, and that of Keras' files.

An object is `{"module": ..., "class_name": ..., "config": ..., "registered_name": ...}`, a layer that has been built
also says for which shape. Modules are `graphnet.layers`, `graphnet.losses`, ... here and `keras.layers`, ... there.
Reading makes objects of known classes only: those in graphnet's tables, and those that users registered or hand over.
Names in a file are looked up there and nowhere else; nothing is imported, and no code that a file holds is run.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np

from graphnet.nn.layer import Layer
from graphnet.nn.lookup import Configured, Described, Named, Table, nearest, plain
from graphnet.nn.registry import known_as, registered_name
from graphnet.nn.saving import keras_words as keras
from graphnet.nn.saving.errors import Refused
from graphnet.nn.shapes import flat
from graphnet.nn.training import Model

OWN = "graphnet"
#: the places of classes, by the last part of a module's name
KINDS = (
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
    "initializers",
    "regularizers",
    "constraints",
)
#: the places of functions
FUNCTIONS = ("activations", "losses", "metrics")


#: bytes that the least object takes in a JSON text, and objects that any file may ask for
LEAST, FEW = 40, 1_000
#: the longest axis of an input, where a file has not many more numbers
LONGEST = 1 << 24


class NoWord(ValueError):
    """Keras has no word for something that is to be saved."""


@cache
def tables() -> dict[str, Table]:
    """The tables of classes, by the last part of a module's name."""
    return {kind: importlib.import_module(f"graphnet.nn.{kind}").table for kind in (*KINDS, "activations")}


def place_of(cls: type) -> tuple[str, str] | None:
    """The kind and the name under which a class is known, or None."""
    for kind in KINDS:
        if class_of(kind, cls.__name__) is cls:
            return kind, cls.__name__
    return None


def class_of(kind: str, name: str) -> Any:
    """The class of this kind and name, or None."""
    if kind not in KINDS:
        return None
    found = tables()[kind].entries.get(name)
    if found is None:  # a class without a word of its own
        found = vars(importlib.import_module(f"graphnet.nn.{kind}")).get(name)
    return found if isinstance(found, type) and issubclass(found, Configured) else None


# Writing.


def written(value: Any, dialect: str) -> Any:
    """`value`, an object, a function, or what `get_config` gave, in a dialect: "graphnet" or "keras"."""
    if isinstance(value, Described):
        return _object(value.of, value["config"], dialect)
    if isinstance(value, Configured):
        return _object(value, value.get_config(), dialect)
    if isinstance(value, Named):
        return _function(value, dialect)
    if isinstance(value, (list, tuple)):
        return [written(v, dialect) for v in value]
    if isinstance(value, dict):
        return {str(k): written(v, dialect) for k, v in value.items()}
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    simple = plain(value)
    if simple is value:
        raise ValueError(f"{value!r} ({type(value).__name__}) can't be written to a file.")
    return written(simple, dialect)


def _object(made: Any, config: dict[str, Any], dialect: str) -> Any:
    cls = type(made)
    registered, place = registered_name(cls), place_of(cls)
    if dialect == keras.MODULE and registered is None:
        special: Any = keras.short(made)
        if special is not None:
            return written(special, dialect)
    if registered is not None or place is None:
        node: dict[str, Any] = {
            "module": cls.__module__ if cls.__module__ != "__main__" else None,
            "class_name": cls.__name__,
            "config": {k: written(v, dialect) for k, v in config.items()},
            "registered_name": registered or cls.__name__,
        }
    elif dialect == OWN:
        node = {
            "module": f"{OWN}.{place[0]}",
            "class_name": place[1],
            "config": {k: written(v, dialect) for k, v in config.items()},
        }
    else:
        node = _keras_object(made, config, *place)
    if isinstance(made, Layer) and made.built and made.built_shape is not None:
        node["build_config"] = {"input_shape": written(made.built_shape, dialect)}
    return node


def _keras_object(made: Any, config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    known = keras.known_keys(kind, name)
    if known is None:
        raise NoWord(f"Keras has no {name}.")
    config = keras.to_config(made, dict(config))
    simple = {}
    defaults = _defaults(type(made))
    for key, value in config.items():
        if key in known:
            simple[key] = written(value, keras.MODULE)
        elif value is not None and not _same(value, defaults.get(key)):
            raise NoWord(f"Keras' {name} has no {key}, which is {_brief(value)} here.")
    if kind == "layers" and "dtype" in known:
        simple["dtype"] = keras.policy(made.dtype) if name != "InputLayer" else made.dtype
    return {
        "module": keras.module_of(kind, name),
        "class_name": name,
        "config": simple,
        "registered_name": None,
    }


def _defaults(cls: type) -> dict[str, Any]:
    """What the arguments of a constructor are unless given, its bases' included."""
    import inspect

    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if "__init__" in vars(base) and base is not object:
            for p in inspect.signature(vars(base)["__init__"]).parameters.values():
                if p.default is not p.empty:
                    found[p.name] = plain(p.default)
    return found


def _same(a: Any, b: Any) -> bool:
    return bool(_listed(a) == _listed(b))


def _listed(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, (list, tuple)):
        return [_listed(v) for v in value]
    return {k: _listed(v) for k, v in value.items()} if isinstance(value, dict) else value


def _function(name: Named, dialect: str) -> Any:
    function: Any = name.of
    own = getattr(function, "__name__", None)
    if isinstance(function, type) or own is None:
        raise ValueError(
            f"{function!r} can't be written to a file: it is neither a function nor has it a configuration."
        )
    registered = registered_name(function)
    if registered is None:
        for kind in FUNCTIONS:
            if tables()[kind].entries.get(own) is function:
                return own
        if own == "<lambda>":
            raise ValueError(
                "a lambda can't be written to a file, since code is never read from one: write it as a function with a "
                "name (def f(x): ...), decorated with @gn.nn.register_serializable()."
            )
    word = registered or own
    return {"module": "builtins", "class_name": "function", "config": word, "registered_name": word}


# Reading.


def made(node: Any, want: str | None = None) -> Any:
    """The object that `node` describes; `want` says of which kind it must be, as in "layers"."""
    return Maker().value(node, want)


class Maker:
    """Makes the objects of one file. Layers that Keras marks as shared are one object.

    They are as many as a text of `size` bytes can name one by one: an object that stands in several places counts, with
    what is in it, in each, since it is also called in each.
    """

    def __init__(self, safe: bool = True, size: int = 0) -> None:
        self.safe = safe
        self.shared: dict[Any, tuple[Any, int]] = {}
        self.left = self.most = FEW + size // LEAST
        self.longest = LONGEST

    def _spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Refused(f"its configuration asks for more than {self.most:,} objects.")

    def value(self, node: Any, want: str | None = None) -> Any:
        """What `node` stands for: an object if it has a class name, or itself with its parts made."""
        if isinstance(node, list):
            return [self.value(v) for v in node]
        if not isinstance(node, dict):
            return node
        if "class_name" not in node or "config" not in node:
            return {k: self.value(v) for k, v in node.items()}
        return self._entry(node, want)

    def _entry(self, node: dict[str, Any], want: str | None) -> Any:
        name, config = node["class_name"], node["config"]
        self._spend(1)
        if not isinstance(name, str):
            raise Refused(f"a class is named by {name!r:.100}.")
        if name == "function":
            return self._function(node)
        if name.startswith("__"):
            return self._literal(name, config)
        if not isinstance(config, dict):
            raise Refused(f"the configuration of {name} is {_brief(config)}, not a dict.")
        custom = known_as(node.get("registered_name")) or known_as(name)
        if custom is not None:
            return self._custom(custom, name, node)
        if "module" not in node:
            return node  # in the words of `get_config`: the constructor that it is for knows where to look
        module = node["module"]
        root, _, kind = module.partition(".") if isinstance(module, str) else ("", "", "")
        if root not in (OWN, keras.MODULE):
            raise Refused(
                f"it names the class {name!r} of {module!r}, which is not known here: hand it over, "
                f"custom_objects={{{name!r}: {name}}}, or decorate it with @gn.nn.register_serializable()."
            )
        if root == keras.MODULE:
            kind = keras.kind_of(kind, name)
        table = tables().get(kind) if kind in KINDS else None
        cls = class_of(kind, name)
        if cls is None:
            words = [w for w, entry in table.entries.items() if isinstance(entry, type)] if table is not None else []
            raise Refused(f"it names {module}.{name}, which graphnet does not have.{nearest(name, words)}")
        if want is not None and kind != want:
            raise Refused(f"it has {module}.{name} where one of the {want} is wanted.")
        shared = (name, str(node["shared_object_id"])) if kind == "layers" and "shared_object_id" in node else None
        if shared is not None and shared in self.shared:
            made, count = self.shared[shared]
            self._spend(count)
            return made
        before = self.left
        made = self._model(cls, node) if issubclass(cls, Model) else self._known(cls, kind, root, node)
        if shared is not None:
            self.shared[shared] = made, before - self.left
        return made

    def _known(self, cls: type, kind: str, root: str, node: dict[str, Any]) -> Any:
        config = dict(node["config"])
        if root == keras.MODULE:
            config = keras.from_config(kind, node["class_name"], config, accepted_keys(cls))
        inside = {k: self._inside(k, v) for k, v in config.items()}
        made = _called(cls, inside, node["class_name"])
        if kind == "layers" and getattr(made, "declared_shape", None) is not None:
            self._check_sizes(made.declared_shape)
        return made

    def _check_sizes(self, shape: Any) -> None:
        """Layers count along the axes of their input: those are as long as the file has numbers, or LONGEST."""
        if any(n is not None and n > self.longest for n in shape):
            raise Refused(f"its input has the shape {shape!r:.200}, and the file too few numbers for that.")

    def _inside(self, key: str, value: Any) -> Any:
        """One entry of a configuration; a policy for dtypes is its name."""
        if key == "dtype" and isinstance(value, dict):
            return keras.dtype_of(value)
        return self.value(value)

    def _model(self, cls: type, node: dict[str, Any]) -> Any:
        config = node["config"]
        layers = config.get("layers")
        if not isinstance(layers, list):
            raise Refused("a Sequential has a list of layers.")
        made = [self.value(layer, None) for layer in layers]
        for layer in made:
            if not isinstance(layer, Layer):
                raise Refused(f"a Sequential is made of layers, not of {_brief(layer)}.")
        model = _called(
            cls, {"layers": made, "trainable": config.get("trainable", True), "name": config.get("name")}, ""
        )
        shape = config.get("build_input_shape") or (node.get("build_config") or {}).get("input_shape")
        if shape and not model.built and made:
            _checked_shape(shape)
            self._check_sizes(shape)
            model.build(shape)
        return model

    def _custom(self, entry: Any, name: str, node: dict[str, Any]) -> Any:
        if not isinstance(entry, type):
            return entry
        if not hasattr(entry, "from_config"):
            raise Refused(f"the class {name!r} that was handed over has no from_config.")
        config = {
            k: keras.dtype_of(v) if k == "dtype" and isinstance(v, dict) else v for k, v in node["config"].items()
        }
        try:
            made = entry.from_config({k: self.value(v) for k, v in config.items()})
        except (Refused, MemoryError):
            raise
        except Exception as error:
            raise Refused(f"{name}.from_config failed: {error}") from error
        about = node.get("build_config")
        shape = about.get("input_shape") if isinstance(about, dict) else None
        if isinstance(made, Model) and not made.built and shape is not None:
            for one in flat(shape):
                _checked_shape(list(one))
            try:
                made.build(shape)
            except (Refused, MemoryError):
                raise
            except Exception as error:
                raise Refused(f"{name} can't be built for inputs of shape {_brief(shape)}: {error}") from error
        return made

    def _function(self, node: dict[str, Any]) -> Any:
        word = node["config"]
        if not isinstance(word, str):
            raise Refused(f"a function is named by {_brief(word)}.")
        found = known_as(node.get("registered_name")) or known_as(word)
        for kind in FUNCTIONS if found is None else ():
            entry = tables()[kind].entries.get(word)
            if entry is not None and not isinstance(entry, type):
                return entry
        if found is None:
            raise Refused(
                f"it names the function {word!r}, which is not known here: hand it over, "
                f"custom_objects={{{word!r}: {word}}}, or decorate it with @gn.nn.register_serializable()."
            )
        return found

    def _literal(self, name: str, config: Any) -> Any:
        if name == "__lambda__":
            raise Refused(
                "it holds the code of a lambda, which could do anything to this machine and is never run. Write it as "
                "a function with a name where the model is made, register it there and here, and save again."
            )
        if name in ("__numpy__", "__tensor__") and isinstance(config, dict):
            try:
                kind = np.dtype(str(config.get("dtype")))
                if kind.kind not in "biuf":
                    raise Refused(f"it holds an array of {kind}.")
                return np.array(config.get("value"), kind)
            except (TypeError, ValueError, OverflowError, SyntaxError) as error:
                raise Refused(f"it holds an array that is none: {error}") from None
        raise Refused(f"it holds {name.strip('_')}, for which graphnet has no word.")


def accepted_keys(cls: type) -> set[str]:
    """The arguments that a constructor takes, its bases' included where it hands others on."""
    from graphnet.nn.lookup import accepted

    return set(accepted(cls))


def _called(cls: Any, config: dict[str, Any], name: str) -> Any:
    try:
        return cls.from_config(config) if not issubclass(cls, Model) else cls(**config)
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise Refused(f"its {name or cls.__name__} can't be made: {error}") from error


def _checked_shape(shape: Any) -> None:
    if not isinstance(shape, list) or any(n is not None and (type(n) is not int or n < 0) for n in shape):
        raise Refused(f"a shape is given as {_brief(shape)}.")


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."
