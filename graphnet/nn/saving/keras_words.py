"""Keras' words for what graphnet has, in both directions: modules, dtype policies, and the keys of configurations.

Names are the same nearly everywhere, so this is a list of exceptions. `graphnet/data/keras.json` has the keys of Keras'
classes and what Keras writes for them unless told otherwise: a key that graphnet does not know is dropped where it has
that value, and an error elsewhere.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graphnet.nn.layer import Layer
from graphnet.nn.lookup import plain
from graphnet.nn.losses import LossFunctionWrapper
from graphnet.nn.saving.errors import Refused

MODULE = "keras"
VERSION = "3.15.1"
#: in Keras these are in the package itself
TOP = ("Sequential",)
#: what every layer, or every other object, may have besides its own keys
COMMON = ("name", "trainable", "dtype")


@cache
def words() -> dict[str, Any]:
    """The file: for each module and class its required keys, the others with their values, and more that it takes."""
    path = Path(__file__).parent.parent.parent / "data" / "keras.json"
    return dict(json.loads(path.read_text("utf-8")))


def known_keys(kind: str, name: str) -> set[str] | None:
    """The keys that Keras' class has, or None if Keras has no such class."""
    if name in TOP:
        return {"name", "trainable", "dtype", "layers", "build_input_shape"}
    found = words().get(kind, {}).get(name)
    if found is None:
        return None
    return {*COMMON, *found[0], *found[1], *found[2]} - {key[1:] for key in found[2] if key.startswith("-")}


def module_of(kind: str, name: str) -> str:
    """`keras.layers` for layers, and so on."""
    return MODULE if name in TOP else f"{MODULE}.{kind}"


def kind_of(rest: str, name: str) -> str:
    """The kind of thing that Keras calls `keras.<rest>.<name>`; its private modules are named as its public ones."""
    if name in TOP and rest in ("", "models", "src.models.sequential"):
        return "layers"
    if rest == "" and name in ("Functional", "Model"):
        raise Refused(f"it holds a {name} model; graphnet has Sequential.")
    parts = [part for part in rest.split(".") if part != "src"]
    return "optimizers.schedules" if parts[:2] == ["optimizers", "schedules"] else parts[0] if parts else ""


def policy(dtype: str) -> dict[str, Any]:
    """Keras' policy for a dtype: weights, inputs and results have it."""
    return {"module": MODULE, "class_name": "DTypePolicy", "config": {"name": dtype}, "registered_name": None}


def dtype_of(value: dict[str, Any]) -> str:
    """The dtype of a policy."""
    config = value.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    if value.get("class_name") not in ("DTypePolicy", "FloatDTypePolicy") or not isinstance(name, str):
        raise Refused(
            f"it has the dtype policy {value.get('class_name')!r} {config!r:.60}, which graphnet does not have."
        )
    if name not in ("float16", "float32", "float64"):
        raise Refused(f"it has the dtype policy {name!r}; graphnet has float32 and float64.")
    return name


def short(made: Any) -> Any:
    """What Keras writes instead of an object of this class: a word, or a function. None where it writes the object."""
    name = type(made).__name__
    if isinstance(made, LossFunctionWrapper):
        return plain(made.fn) if type(made) is LossFunctionWrapper else None
    if name == "MeanMetricWrapper" and not made.options:
        return plain(made.fn)
    if name == "FittingAccuracy":
        return made.name if made.name in ("acc", "accuracy") else "accuracy"
    if name == "Crossentropy":
        return made.name if made.name in ("ce", "crossentropy") else "crossentropy"
    return None


def to_config(made: Any, config: dict[str, Any]) -> dict[str, Any]:
    """A configuration in Keras' keys, its values not yet translated."""
    name = type(made).__name__
    if name == "InputLayer":
        shape = config.pop("shape")
        config["batch_shape"] = [config.pop("batch_size", None), *shape]
        config |= {"sparse": False, "ragged": False, "optional": False}
        config.pop("trainable", None)
    if name == "Sequential" and made.built:
        config["build_input_shape"] = made.built_shape
    if isinstance(made, Layer):
        for key in {"input_shape", "input_dim"} - (known_keys("layers", name) or set()):
            config.pop(key, None)  # the model has an InputLayer instead
    elif config.get("dtype", "") is None:
        config.pop("dtype")
    if config.get("data_format") == "channels_last" and "data_format" not in (known_keys("layers", name) or ()):
        config.pop("data_format")  # the only one it has
    if name in ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D") and made.trainable:
        config.pop("trainable")
    return config


def from_config(kind: str, name: str, config: dict[str, Any], accepted: set[str]) -> dict[str, Any]:
    """A configuration of Keras in graphnet's keys, its values not yet made.

    Keys that graphnet does not have are dropped at Keras' default. Raises `Refused`, naming them, at any other value.
    """
    if name == "InputLayer":
        shape = config.pop("batch_shape", None) or config.pop("batch_input_shape", None)
        if not isinstance(shape, list) or not shape:
            raise Refused(f"its InputLayer has the shape {shape!r}.")
        config["shape"], config["batch_size"] = shape[1:], None
        config.pop("trainable", None)
    if kind == "optimizers":
        config["learning_rate"] = _shortest(config.get("learning_rate"))
    if kind == "regularizers":
        config = {k: _shortest(v) for k, v in config.items()}
    if kind != "layers":
        config.pop("dtype", None)  # graphnet adds up metrics in float64
    _, defaults, _ = words().get(kind, {}).get(name, ([], {}, []))
    unknown = {}
    for key in [k for k in config if k not in accepted]:
        value = config.pop(key)
        if key in COMMON:
            continue
        if value is not None and stripped(value) != defaults.get(key, None):
            unknown[key] = value
    if unknown:
        listed = ", ".join(f"{key}={stripped(value)!r:.60}" for key, value in unknown.items())
        raise Refused(f"its {name} has {listed}, for which graphnet's {name} has no word.")
    return config


def stripped(value: Any) -> Any:
    """A value without the modules and registered names of its objects."""
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return {"class_name": value["class_name"], "config": stripped(value["config"])}
        return {k: stripped(v) for k, v in value.items()}
    return [stripped(v) for v in value] if isinstance(value, list) else value


def _shortest(rate: Any) -> Any:
    """0.001 for 0.0010000000474974513: some of Keras' numbers are float32, written out in full."""
    if isinstance(rate, float) and float(np.float32(rate)) == rate:
        return float(str(np.float32(rate)))
    return rate
