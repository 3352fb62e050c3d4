"""Small helpers around training, under Keras' names."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import seeds
from graphnet.nn.backend import clear_session
from graphnet.nn.gone import absent
from graphnet.nn.progbar import Progbar
from graphnet.nn.ranges import check_unmasked
from graphnet.nn.registry import custom_object_scope, register_keras_serializable
from graphnet.nn.seeds import set_random_seed
from graphnet.nn.sequences import pad_sequences, timeseries_dataset_from_array
from graphnet.nn.streams import PyDataset, unpacked
from graphnet.nn.streams import PyDataset as Sequence

__all__ = [
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "set_random_seed",
    "split_dataset",
    "timeseries_dataset_from_array",
    "to_categorical",
    "train_validation_split",
    "unpack_x_y_sample_weight",
]


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """`x`, `(x,)`, `(x, y)` or `(x, y, weights)` as x, y, weights, None for what is missing: for a `train_step`.

    >>> unpack_x_y_sample_weight(("x", "y"))
    ('x', 'y', None)
    """
    return unpacked(data, "data")


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, ...]:
    """`(x,)`, `(x, y)` or `(x, y, weights)`: what `unpack_x_y_sample_weight` takes apart."""
    return (x,) if y is None else (x, y) if sample_weight is None else (x, y, sample_weight)


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Integer labels of shape `(...)` as one-hot float32 rows of shape `(..., num_classes)`.

    Raises `ValueError` for labels below 0, or not below `num_classes`.

    >>> to_categorical([0, 2], 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    check_unmasked(x, "to_categorical: labels")
    labels = np.asarray(x)
    if labels.dtype.kind not in "biuf":
        raise TypeError(
            f"to_categorical: labels are whole numbers; received {labels.dtype}. Number them first: "
            "classes, y = np.unique(y, return_inverse=True)."
        )
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("to_categorical: labels are whole numbers; received NaN or an infinity")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    whole = labels.astype(np.int64)
    if labels.size and (whole != labels).any():
        raise ValueError("to_categorical: labels are whole numbers")
    classes = int(whole.max()) + 1 if num_classes is None and whole.size else int(num_classes or 0)
    if whole.size and (whole.min() < 0 or whole.max() >= classes):
        raise ValueError(
            f"to_categorical: labels go from {whole.min()} to {whole.max()}; with {classes} classes they are 0 "
            f"to {classes - 1}"
        )
    return np.eye(classes, dtype=np.float32)[whole]


def normalize(x: Any, axis: int = -1, order: float = 2) -> np.ndarray:
    """`x / |x|` along `axis`, |x| being the norm of this `order`; what has the norm 0 stays 0.

    >>> normalize([[3.0, 4.0], [0.0, 0.0]]).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    check_unmasked(x, "normalize: x")
    array = np.asarray(x)
    if array.dtype.kind not in "fc":
        array = array.astype(np.float64)
    norm = np.linalg.norm(array, order, axis, keepdims=True)
    return array / np.where(norm == 0, 1, norm)


def _count(size: Any, rows: int, what: str) -> int:
    """A share of the rows, or a number of them, as a number."""
    whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
    count = int(size) if whole else round(size * rows) if isinstance(size, float) and 0 <= size <= 1 else -1
    if not 0 <= count <= rows:
        raise ValueError(
            f"split_dataset: {what} is a share from 0 to 1, or a number of rows up to {rows}; received {size!r}"
        )
    return count


def split_dataset(
    dataset: Any,
    left_size: float | int | None = None,
    right_size: float | int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Any, Any]:
    """The first rows and the last rows of an array, or of a tuple of arrays: shares of all (0.75) or numbers (100).

    `shuffle` mixes the rows first, the same way in all arrays. What is in neither part is left out.

    Raises `ValueError` for sizes that are missing, or more than the rows there are.

    >>> import numpy as np
    >>> (x, y), (vx, vy) = split_dataset((np.arange(4), np.arange(4) * 2), left_size=0.75)
    >>> x.tolist(), y.tolist(), vx.tolist(), vy.tolist()
    ([0, 1, 2], [0, 2, 4], [3], [6])
    """
    alone = not isinstance(dataset, (tuple, list))
    arrays = [_as_rows(a) for a in ((dataset,) if alone else dataset)]
    rows = len(arrays[0])
    if any(len(a) != rows for a in arrays):
        raise ValueError(f"split_dataset: all arrays have the same rows; received {[len(a) for a in arrays]}")
    if left_size is None and right_size is None:
        raise ValueError("split_dataset needs left_size or right_size.")
    left = _count(left_size, rows, "left_size") if left_size is not None else None
    right = _count(right_size, rows, "right_size") if right_size is not None else rows - (left or 0)
    left = rows - right if left is None else left
    if left + right > rows:
        raise ValueError(f"split_dataset: {left} and {right} rows are more than the {rows} there are")
    order = seeds.generator(seed).permutation(rows) if shuffle else np.arange(rows)
    parts = [tuple(a[chosen] for a in arrays) for chosen in (order[:left], order[rows - right :])]
    return (parts[0][0], parts[1][0]) if alone else (parts[0], parts[1])


def train_validation_split(
    *arrays: Any,
    validation_size: float | int = 0.2,
    stratify: Any = None,
    shuffle: bool = True,
    seed: int | None = None,
) -> tuple[np.ndarray, ...]:
    """Rows for training and rows for validation of each array: `x, vx, y, vy = train_validation_split(x, y)`.

    The rows are shuffled, the same way in all arrays. With `stratify`, the labels (or one-hot rows) of the rows, each
    class has its share in both parts, to the nearest row.

    Raises `ValueError` for a size that leaves one part without rows, or a class with fewer than two rows.

    >>> import numpy as np
    >>> y = np.array([0] * 8 + [1] * 4)
    >>> y, vy = train_validation_split(y, validation_size=0.25, stratify=y, seed=0)
    >>> np.bincount(y).tolist(), np.bincount(vy).tolist()
    ([6, 3], [2, 1])
    """
    if not arrays:
        raise ValueError("train_validation_split needs arrays.")
    given = [_as_rows(a) for a in arrays]
    rows = len(given[0])
    if any(len(a) != rows for a in given):
        raise ValueError(f"train_validation_split: all arrays have the same rows; received {[len(a) for a in given]}")
    count = _count(validation_size, rows, "validation_size")
    if count in (0, rows):
        raise ValueError(f"validation_size={validation_size!r} of {rows} rows leaves {rows - count} for training.")
    rng = seeds.generator(seed)
    order = rng.permutation(rows) if shuffle else np.arange(rows)
    if stratify is None:
        held = np.sort(order[rows - count :]) if not shuffle else order[rows - count :]
    else:
        held = _share_of_each(_as_rows(stratify), order, count)
    left_out = np.zeros(rows, bool)
    left_out[held] = True
    train, validation = order[~left_out[order]], order[left_out[order]]
    return tuple(part for a in given for part in (a[train], a[validation]))


def _share_of_each(labels: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """`count` of the rows in `order`, as many of each class as its share of all."""
    if len(labels) != len(order):
        raise ValueError(f"stratify has one label for each row: there are {len(order)} rows and {len(labels)} labels.")
    if labels.ndim > 1:
        labels = labels.argmax(-1) if labels.shape[-1] > 1 else labels.reshape(len(labels), -1)[:, 0]
    classes, place, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if sizes.min() < 2:
        raise ValueError(f"stratify: class {classes[sizes.argmin()]!r} has one row, which can't be in both parts.")
    exact = sizes * count / len(labels)
    wanted = np.floor(exact).astype(int)
    for c in np.argsort(wanted - exact, kind="stable")[: count - wanted.sum()]:
        wanted[c] += 1
    return np.concatenate([order[place[order] == c][-n:] if n else order[:0] for c, n in enumerate(wanted)])


def _as_rows(value: Any) -> np.ndarray:
    """`value` as an array of rows, which may be texts."""
    if isinstance(value, gn.Tensor) or hasattr(value, "to_numpy"):
        value = value.numpy() if isinstance(value, gn.Tensor) else value.to_numpy()
    check_unmasked(value, "the data")
    return np.asarray(value)


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    **options: Any,
) -> Any:
    """A picture of the model with a box for each layer, written to `to_file`: Keras' name for `model.draw`.

    `expand_nested` opens the boxes, and shows the ops in them. Layers' names, activations and parameters are always
    there, and `dpi` is that of `draw`; these arguments are taken for the sake of scripts. `options` are those of
    `model.draw`, whose defaults show more.

    Raises `ValueError` for a model that has no shapes yet, or an unknown ending; see `Graph.draw`.

    >>> import graphnet as gn
    >>> model = gn.nn.Sequential([gn.nn.Input((4,)), gn.nn.Dense(2)])
    >>> "dense" in gn.nn.utils.plot_model(model, None).svg
    True
    """
    chosen = {
        "depth": None if expand_nested else 1,
        "shapes": show_shapes,
        "dtypes": show_shapes and show_dtype,
        "rankdir": rankdir,
        **options,
    }
    return model.draw(to_file, **chosen)


def __getattr__(name: str) -> Any:
    raise absent(__name__, name)
