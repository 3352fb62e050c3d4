"""Weights alone in files: `.weights.h5` (as Keras'), `.safetensors`, `.npz`, or those of a file that holds a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from graphnet.files import write_whole
from graphnet.mode import warn
from graphnet.nn.saving import models
from graphnet.nn.saving.archives import unpacked
from graphnet.nn.saving.arrays import from_npz, from_safetensors, to_npz, to_safetensors
from graphnet.nn.saving.errors import Refused, reading
from graphnet.nn.saving.hdf5 import from_hdf5, to_hdf5
from graphnet.nn.saving.paths import keras_paths, places, readable_paths
from graphnet.nn.saving.state import matched

WEIGHT_ENDINGS = (".weights.h5", ".safetensors", ".npz")


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write the weights of `model` to a file, whole or not at all. The ending says how.

    `.safetensors` and `.npz` name them as in `dense/kernel`, `dense_1/bias`: class and count, then the weight's word.
    `.weights.h5` is Keras' (needs h5py). The optimizer's state is not in these files.

    Raises `ValueError` for another ending, or for a model that has not been built; `FileExistsError` for a file that is
    there, unless `overwrite`.
    """
    word = models.ending(filepath, WEIGHT_ENDINGS, "weights")
    if not model.built:
        raise ValueError(f"'{model.name}' has no weights yet: call build((None, ...)), or put an Input in front.")
    models._may_write(filepath, overwrite)
    if word == ".weights.h5":
        content = to_hdf5(
            {p.path: (p.holder.name, [w.numpy() for w in p.weights]) for p in places(model)}, checksum=True
        )
    else:
        arrays = {path: w.numpy() for path, w in readable_paths(model).items()}
        content = to_npz(arrays) if word == ".npz" else to_safetensors(arrays, {"format": "np"})
    write_whole(filepath, content)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Give `model` the weights in a file, one that `save_weights` or Keras wrote, or a `.keras` or `.graphnet` model.

    Nothing changes unless every weight has its array of the right shape, and every array its weight. With
    `skip_mismatch` those that fit are taken, and a warning names the others.

    Raises `FileError` (a `ValueError`) for a damaged file, or one that does not fit; `ValueError` for another ending.
    """
    word = models.ending(filepath, (*WEIGHT_ENDINGS, *models.MODEL_ENDINGS), "weights")
    if not model.built:
        raise ValueError(f"'{model.name}' has no weights yet: call build((None, ...)), or put an Input in front.")
    data = Path(filepath).read_bytes()
    with reading(filepath):
        pairs, wrong = matched(*_arrays(model, data, word), skip_mismatch)
    if wrong:
        warn(f"{os.fspath(filepath)}: not loaded: {' '.join(wrong)}")
    for w, value in pairs:
        w.assign(value)


def _arrays(model: Any, data: bytes, word: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The model's weights and the file's arrays, by the same paths."""
    if word in (".weights.h5", ".keras"):
        if word == ".keras":
            data = _member(data, models.WEIGHTS)
        return keras_paths(model), models.layer_arrays(from_hdf5(data))
    if word == ".npz":
        paths = readable_paths(model)
        return paths, from_npz(data, 2 * sum(w.nbytes + 1024 for w in paths.values()))
    return readable_paths(model), from_safetensors(_member(data, models.OWN_WEIGHTS) if word == ".graphnet" else data)


def _member(data: bytes, name: str) -> bytes:
    members = unpacked(data, {name})
    if name not in members:
        raise Refused(f"it has no {name}.")
    return members[name]
