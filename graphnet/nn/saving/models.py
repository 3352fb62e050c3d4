"""Whole models in files: `.keras`, which Keras reads and writes too, and graphnet's own `.graphnet`.

A `.keras` file is a zip of `metadata.json`, `config.json` (layers and compile settings) and `model.weights.h5` (weights
and the optimizer's state); what Keras has no place for (seeds of layers, numbers that are float64 here) stands in the
metadata. A `.graphnet` file is a zip of `model.json`, `weights.safetensors` and `optimizer.safetensors`, and needs
nothing but NumPy.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.files import write_whole
from graphnet.mode import warn
from graphnet.nn.lookup import Described, Named
from graphnet.nn.phase import weights_from
from graphnet.nn.registry import custom_object_scope
from graphnet.nn.saving import keras_words as keras
from graphnet.nn.saving.archives import dumped, packed, parsed, unpacked
from graphnet.nn.saving.arrays import from_safetensors, to_safetensors
from graphnet.nn.saving.compiled import compile_config, compile_from, set_optimizer
from graphnet.nn.saving.errors import Refused, reading, told
from graphnet.nn.saving.hdf5 import from_hdf5, to_hdf5
from graphnet.nn.saving.paths import keras_paths, places, readable_paths
from graphnet.nn.saving.state import Budget, matched, optimizer_state, seeds_of, set_seeds
from graphnet.nn.saving.tree import OWN, Maker, NoWord, written
from graphnet.nn.training import Model

MODEL_ENDINGS = (".keras", ".graphnet")
#: the version of the layout of `.graphnet` files
LAYOUT = 1
METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
OWN_CONFIG, OWN_WEIGHTS, OWN_OPTIMIZER = "model.json", "weights.safetensors", "optimizer.safetensors"


def ending(path: Any, known: tuple[str, ...], what: str) -> str:
    """The ending of `path`, one of those that are `known`."""
    name = os.path.basename(os.fspath(path))
    for word in known:
        if name.endswith(word) and len(name) > len(word):
            return word
    suffix = Path(name).suffix
    raise ValueError(
        f"{os.fspath(path)}: {what} is a file that ends in {', '.join(known)}; this "
        f"{'ends in ' + suffix if suffix else 'has no ending'}."
    )


def save_model(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write `model` to a file, whole or not at all: weights, configuration, compile settings, the optimizer's state.

    The ending says how: `.keras` (opens in Keras; needs h5py) or `.graphnet` (holds everything, needs nothing).

    Raises `ValueError` for another ending, or for what can't be written: a lambda, or in `.keras` what Keras has no
    word for. Raises `FileExistsError` for a file that is there, unless `overwrite`.
    """
    word = ending(filepath, MODEL_ENDINGS, "a model")
    _may_write(filepath, overwrite)
    if not model.built:
        warn(
            f"'{model.name}' is saved without weights: it has none before the shape of its input is known. Call "
            "build((None, ...)) first, or put an Input in front."
        )
    if word == ".graphnet":
        content = _to_graphnet(model)
    else:
        try:
            content = _to_keras(model)
        except NoWord as error:
            raise NoWord(f"{os.fspath(filepath)}: {error} A file that ends in .graphnet holds it.") from None
    write_whole(filepath, content)


def _may_write(path: Any, overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{os.fspath(path)} is there already; overwrite=True replaces it.")


def _to_keras(model: Any) -> bytes:
    config = written(model, keras.MODULE)
    config["compile_config"] = compile_config(model, keras.MODULE) or {}
    groups: dict[str, Any] = {}
    for place in places(model):
        groups[place.path] = place.holder.name, [w.numpy() for w in place.weights]
    exact = {}
    if model.optimizer is not None:
        state = []
        for number, variable in enumerate(optimizer_state(model)):
            value = variable.numpy()
            kind = {"int64": np.int32, "float64": np.float32}.get(value.dtype.name) if value.shape == () else None
            if kind is not None:
                exact[str(number)] = value.item()
                value = value.astype(kind)
            state.append(value)
        groups["optimizer"] = model.optimizer.name, state
    metadata = {
        "keras_version": keras.VERSION,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        "graphnet": {"version": gn.__version__, "optimizer": exact, "seeds": seeds_of(model)},
    }
    return packed(
        {
            METADATA: dumped(metadata),
            CONFIG: dumped(config),
            WEIGHTS: to_hdf5(groups),
        }
    )


def _to_graphnet(model: Any) -> bytes:
    about = {
        "format": OWN,
        "layout": LAYOUT,
        "version": gn.__version__,
        "model": written(model, OWN),
        "compile": compile_config(model, OWN),
        "seeds": seeds_of(model),
    }
    members = {
        OWN_CONFIG: dumped(about, indent=1),
        OWN_WEIGHTS: to_safetensors({path: w.numpy() for path, w in readable_paths(model).items()}),
    }
    if model.optimizer is not None:
        state = optimizer_state(model)
        members[OWN_OPTIMIZER] = to_safetensors({str(n): v.numpy() for n, v in enumerate(state)})
    return packed(members)


def load_model(filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """The model in a `.keras` or `.graphnet` file, compiled as it was if `compile`.

    Training goes on as if it had not stopped: the optimizer's state, its count of steps and the seeds of layers are in
    the file. Classes and functions of your own are known if they are registered (`register_serializable`), or in
    `custom_objects`, a dict from name to object.

    Nothing in a file is run: a lambda in it is an error, with `safe_mode` or without. Sizes are compared with the
    file's before memory is asked for.

    Raises `FileError` (a `ValueError`) for a file that is damaged, names what is not known, or does not fit together;
    `ValueError` for another ending.

    >>> import os, tempfile, graphnet as gn
    >>> model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.graphnet")
    ...     model.save(path)
    ...     again = gn.nn.load_model(path)
    >>> bool((again.predict([[1.0, 2.0, 3.0]]) == model.predict([[1.0, 2.0, 3.0]])).all())
    True
    """
    word = ending(filepath, MODEL_ENDINGS, "a model")
    data = Path(filepath).read_bytes()
    with reading(filepath), custom_object_scope(custom_objects):
        return (_from_graphnet if word == ".graphnet" else _from_keras)(data, compile, Maker(safe_mode, len(data)))


def _from_keras(data: bytes, compile: bool, maker: Maker) -> Any:
    members = unpacked(data, {METADATA, CONFIG, WEIGHTS})
    for name in (CONFIG, WEIGHTS):
        if name not in members:
            raise Refused(f"it has no {name}.")
    config = parsed(members[CONFIG], CONFIG)
    about = parsed(members[METADATA], METADATA) if METADATA in members else {}
    extra = about.get("graphnet", {}) if isinstance(about, dict) else {}
    extra = extra if isinstance(extra, dict) else {}
    arrays = from_hdf5(members[WEIGHTS])
    state = {k.removeprefix("optimizer/vars/"): a for k, a in arrays.items() if k.startswith("optimizer/vars/")}
    arrays = layer_arrays(arrays)
    settings = config.get("compile_config") if compile and isinstance(config, dict) else None
    model = _made(config, arrays, keras_paths, maker)
    if settings:
        compile_from(model, settings, maker)
        if model.optimizer is not None:
            set_optimizer(model.optimizer, _numbered(state), extra.get("optimizer"))
    set_seeds(model, extra.get("seeds", {}))
    return model


def layer_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a Keras file that are weights of layers. Older versions also kept the states of generators."""
    other = ("optimizer/", "seed_generator/")
    return {
        path: array
        for path, array in arrays.items()
        if not path.startswith(other) and "/seed_generator/" not in path and "seed_generators/" not in path
    }


def _from_graphnet(data: bytes, compile: bool, maker: Maker) -> Any:
    members = unpacked(data, only=(OWN_CONFIG, OWN_WEIGHTS), optional=(OWN_OPTIMIZER,))
    about = parsed(members[OWN_CONFIG], OWN_CONFIG)
    if not isinstance(about, dict) or about.get("format") != OWN:
        raise Refused("it is no graphnet file.")
    if about.get("layout") != LAYOUT:
        raise Refused(f"it has the layout {about.get('layout')!r}; this version of graphnet reads {LAYOUT}.")
    model = _made(about.get("model"), from_safetensors(members[OWN_WEIGHTS]), readable_paths, maker)
    if compile and about.get("compile"):
        compile_from(model, about["compile"], maker)
        if OWN_OPTIMIZER not in members:
            raise Refused(f"it has no {OWN_OPTIMIZER}.")
        if model.optimizer is not None:
            set_optimizer(model.optimizer, _numbered(from_safetensors(members[OWN_OPTIMIZER])))
    set_seeds(model, about.get("seeds", {}))
    return model


def _numbered(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays named 0, 1, 2, ... in that order."""
    if set(arrays) != {str(n) for n in range(len(arrays))}:
        raise Refused(f"the state of its optimizer is numbered {', '.join(sorted(arrays)[:5])}, ...")
    return [arrays[str(n)] for n in range(len(arrays))]


def _made(config: Any, arrays: dict[str, np.ndarray], paths: Any, maker: Maker) -> Any:
    """The model of a configuration, with these weights."""
    count = sum(a.size for a in arrays.values())
    maker.longest = max(maker.longest, 16 * count)
    with weights_from(Budget(count)):
        model = maker.value(config)
    if not isinstance(model, Model):
        raise Refused(f"it holds {type(model).__name__}, not a model.")
    if not model.built and arrays:
        raise Refused("it has weights for a model whose input has no shape.")
    pairs, _ = matched(paths(model), arrays)
    for w, value in pairs:
        w.assign(value)
    return model


def to_json(model: Any, **options: Any) -> str:
    """The model's configuration as JSON, without weights: in Keras' words if Keras has them all, else in graphnet's."""
    try:
        node = written(model, keras.MODULE)
        node["compile_config"] = compile_config(model, keras.MODULE) or {}
    except NoWord:
        node = written(model, OWN)
        node["compile_config"] = compile_config(model, OWN) or {}
    return dumped(node, **options).decode()


def model_from_json(text: str, custom_objects: Any = None) -> Any:
    """The model that `to_json` (graphnet's or Keras') describes, with new weights.

    Raises `ValueError` for a text that is no model, or one with more than 2**28 weights: those are made in code.

    >>> import graphnet as gn
    >>> model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.Dense(2, activation="relu")])
    >>> gn.nn.model_from_json(model.to_json()).layers[0].units
    2
    """
    with custom_object_scope(custom_objects):
        try:
            content = text.encode("utf-8", "surrogatepass")
            node, maker = parsed(content, "the text"), Maker(size=len(content))
            with weights_from(Budget()):
                model = maker.value(node)
            if not isinstance(model, Model):
                raise Refused("it describes no model.")
            compile_from(model, node.get("compile_config"), maker)
        except Refused as error:
            raise ValueError(f"model_from_json: {told(error)}") from error.__cause__
        except MemoryError:
            raise
        except RecursionError as error:
            raise ValueError("model_from_json: it is nested too deeply.") from error
        except Exception as error:  # what a constructor says of arguments that can't be
            raise ValueError(f"model_from_json: {told(error)}") from error
    return model


def clone_model(model: Any, clone_function: Any = None) -> Any:
    """A model of the same layers with new weights, not compiled. `clone_function(layer)` may give other layers.

    A model of a class of one's own is made again from its configuration.

    Raises `TypeError` for what is no model, or if `clone_function` gives no layer.

    >>> import graphnet as gn
    >>> model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.Dense(2)])
    >>> gn.nn.clone_model(model).count_params()
    8
    """
    from graphnet.nn.layer import Layer
    from graphnet.nn.layers import InputLayer
    from graphnet.nn.sequential import Sequential

    if not isinstance(model, Model):
        raise TypeError(f"clone_model takes a model; received {type(model).__name__}.")
    if type(model) is not Sequential:
        if clone_function is not None:
            raise ValueError(
                f"clone_model: '{model.name}' is a {type(model).__name__}, which makes its layers itself: "
                "clone_function goes with a Sequential."
            )
        made = type(model).from_config({k: _remade(v) for k, v in model.get_config().items()})
        if model.built and not made.built and model.built_shape is not None:
            made.build(model.built_shape)
        return made
    if clone_function is None:
        clone_function = _cloned
    layers: list[Any] = []
    if model.built or model.declared_shape is not None:
        shape = model.built_shape[1:] if model.built else model.declared_shape
        layers.append(InputLayer(shape, dtype=model.dtype if model._input is not None else None))
    for layer in model.layers:
        made = clone_function(layer)
        if not isinstance(made, Layer):
            raise TypeError(f"clone_function gives a layer for each layer; for '{layer.name}' it gave {made!r}.")
        layers.append(made)
    return Sequential(layers, model.trainable, model.name)


def _cloned(layer: Any) -> Any:
    return clone_model(layer) if isinstance(layer, Model) else type(layer).from_config(layer.get_config())


def _remade(value: Any) -> Any:
    """An entry of a configuration with the objects in it made anew, and functions as themselves."""
    if isinstance(value, Described) and value.of is not None:
        return _cloned(value.of)
    if isinstance(value, Named):
        return value.of
    if isinstance(value, (list, tuple)):
        return type(value)(_remade(v) for v in value)
    return {k: _remade(v) for k, v in value.items()} if isinstance(value, dict) else value
