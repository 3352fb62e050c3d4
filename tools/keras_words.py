"""Write graphnet/data/keras.json: the keys that Keras' classes have in their configurations, with their defaults.

Run it where the real Keras is installed: `KERAS_BACKEND=jax python tools/keras_words.py`. Each class is made with as
few arguments as it takes. Needed to drop what Keras writes at its default, and to say what it does not know.
"""

import inspect
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
#: the layers that change images by chance which graphnet has too
AUGMENTATION = (
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
)
COMMON = ("name", "trainable", "dtype")
TARGET = Path(__file__).parent.parent / "graphnet" / "data" / "keras.json"
MODULES = (
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
    "initializers",
    "regularizers",
    "constraints",
)


def arguments(keras):
    """What the required arguments are given."""
    layers = keras.layers
    return {
        "layer": lambda: layers.LSTM(1),
        "cell": lambda: layers.LSTMCell(1),
        "cells": lambda: [layers.LSTMCell(1)],
        "activation": lambda: "relu",
        "function": lambda: keras.activations.relu,
        "target_shape": lambda: (1,),
        "dims": lambda: (1,),
        "equation": lambda: "ab,bc->ac",
        "output_shape": lambda: 1,
        "batch_shape": lambda: (None, 1),
        "boundaries": lambda: [1],
        "values": lambda: [1.0, 0.5],
        "rate": lambda: 0.5,
        "stddev": lambda: 0.5,
        "fn": lambda: keras.losses.mean_squared_error,
        "recall": lambda: 0.5,
        "precision": lambda: 0.5,
        "specificity": lambda: 0.5,
        "sensitivity": lambda: 0.5,
        "num_classes": lambda: 2,
        "factor": lambda: 0.5,
        "height_factor": lambda: 0.5,
        "width_factor": lambda: 0.5,
        "target_class_ids": lambda: [0],
        "scale": lambda: 1.0,
        "learning_rate": lambda: 0.1,
        "initial_learning_rate": lambda: 0.1,
        "decay_rate": lambda: 0.9,
    }


def plain(value):
    """A serialised value without the module and registered name that Keras adds."""
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return {"class_name": value["class_name"], "config": plain(value["config"])}
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def described(keras, cls, module):
    """The required arguments of `cls`, its other keys with what they are unless given, and arguments that it takes but
    does not write (with a minus: one that others take and it does not); or None."""
    given = arguments(keras)
    parameters = inspect.signature(cls.__init__).parameters.values()
    required = [p.name for p in parameters if p.name != "self" and p.default is p.empty and p.kind not in (2, 4)]
    try:
        made = cls(**{name: given[name]() if name in given else 1 for name in required})
        config = plain(keras.saving.serialize_keras_object(made)["config"])
        json.dumps(config)
    except Exception:
        return None
    if "seed" in config:
        config["seed"] = None  # some layers draw one
    without = [f"-{key}" for key in COMMON if config.pop(key, None) is None and module == "layers"]
    known = {*required, *config, *COMMON, "self"}
    also = without + [p.name for p in parameters if p.name not in known and p.kind not in (2, 4)]
    return [required, {k: v for k, v in config.items() if k not in required}, also]


def main():
    """Write the file."""
    import keras

    lines = []
    for module in MODULES:
        place = keras
        for part in module.split("."):
            place = getattr(place, part)
        rows = []
        for name, cls in sorted(vars(place).items()):
            if (
                not inspect.isclass(cls)
                or not hasattr(cls, "get_config")
                or (module == "layers" and name.startswith(("Random", "Auto", "Aug")) and name not in AUGMENTATION)
            ):
                continue
            if name == "InputLayer":
                found = [["batch_shape"], {"sparse": False, "ragged": False, "optional": False}, []]
            else:
                found = described(keras, cls, module)
            if found is not None:
                rows.append(f"  {json.dumps(name)}: {json.dumps(found)}")
        lines.append(f" {json.dumps(module)}: {{\n" + ",\n".join(rows) + "\n }")
    text = "{\n" + f' "keras_version": {json.dumps(keras.__version__)},\n' + ",\n".join(lines) + "\n}\n"
    json.loads(text)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET}: {len(text):,} characters, {text.count(': [[')} classes")


if __name__ == "__main__":
    main()
