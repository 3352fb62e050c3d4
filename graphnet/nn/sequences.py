"""Sequences as arrays: padded to one length, or cut from a series as windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphnet.nn import seeds
from graphnet.nn.data import whole
from graphnet.nn.lookup import unknown

__all__ = ["pad_sequences", "timeseries_dataset_from_array"]


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Sequences of several lengths as one array `(sequences, maxlen, ...)`.

    Short ones are filled with `value`, long ones cut: "pre" does so at the beginning, "post" at the end. `maxlen` is
    the length of the longest unless given.

    Raises `ValueError` for sequences that are none, parts of another shape, and numbers that `dtype` can't hold.

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2).tolist()
    [[0, 1], [2, 3], [5, 6]]
    """
    for name, word in (("padding", padding), ("truncating", truncating)):
        if word not in ("pre", "post"):
            raise unknown(f"{name} of pad_sequences", word, ("pre", "post"))
    if isinstance(sequences, (str, bytes)) or not hasattr(sequences, "__len__"):
        raise ValueError(f"pad_sequences takes a list of sequences; received {type(sequences).__name__}")
    for n, s in enumerate(sequences):
        if isinstance(s, (str, bytes)) or not hasattr(s, "__len__"):
            raise ValueError(f"pad_sequences takes a list of sequences; number {n} is {s!r:.100}")
    parts = [np.asarray(s) for s in sequences]
    length = max(map(len, parts), default=0) if maxlen is None else whole(maxlen, "maxlen", 0)
    rest = next((p.shape[1:] for p in parts if len(p)), ())
    kind = np.dtype(dtype)
    found = np.full((len(parts), length, *rest), value, kind)
    for n, part in enumerate(parts):
        if not len(part) or not length:
            continue
        if part.shape[1:] != rest:
            raise ValueError(f"pad_sequences: the parts of sequence {n} have shape {part.shape[1:]}, others {rest}")
        cut = part[-length:] if truncating == "pre" else part[:length]
        if kind.kind in "iu" and part.dtype.kind == "f" and (cut != np.trunc(cut)).any():
            raise ValueError(f"pad_sequences: sequence {n} has fractions; give dtype='float32', not {kind.name}")
        if padding == "pre":
            found[n, length - len(cut) :] = cut
        else:
            found[n, : len(cut)] = cut
    return found


class Windows:
    """Batches of windows of a series, to go through as often as is wanted; see `timeseries_dataset_from_array`."""

    def __init__(
        self,
        data: np.ndarray,
        targets: Any,
        starts: np.ndarray,
        offsets: np.ndarray,
        batch_size: int | None,
        rng: np.random.Generator | None,
    ):
        self.data, self.targets, self.starts, self.offsets = data, targets, starts, offsets
        self.batch_size, self.rng = batch_size, rng

    def __len__(self) -> int:
        return -(-len(self.starts) // (self.batch_size or 1))

    def __iter__(self) -> Iterator[Any]:
        starts = self.starts if self.rng is None else self.rng.permutation(self.starts)
        for first in range(0, len(starts), self.batch_size or 1):
            chosen = starts[first : first + (self.batch_size or 1)]
            if self.batch_size is None:
                x = self.data[chosen[0] + self.offsets]
                yield x if self.targets is None else (x, self.targets[chosen[0]])
            else:
                x = self.data[chosen[:, None] + self.offsets]  # (batch, sequence_length, ...)
                yield x if self.targets is None else (x, self.targets[chosen])


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Windows:
    """Batches of windows of `data`, each with the target at the index where it begins, for `fit` and the like.

    Window i takes `sequence_length` rows, `sampling_rate` apart, from row `start_index + i * sequence_stride` on, up to
    `end_index`. Its target is `targets[start_index + i * sequence_stride]`; without targets batches are windows alone.
    `shuffle` mixes the windows anew for each pass, by `seed`. With `batch_size=None` it gives single windows.

    Raises `ValueError` for numbers that leave no window.

    >>> import numpy as np
    >>> data = np.arange(6)
    >>> for x, y in timeseries_dataset_from_array(data[:-2], data[2:], sequence_length=2, batch_size=2):
    ...     print(x.tolist(), y.tolist())
    [[0, 1], [1, 2]] [2, 3]
    [[2, 3]] [4]
    """
    rows = np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)
    length, stride = whole(sequence_length, "sequence_length"), whole(sequence_stride, "sequence_stride")
    rate = whole(sampling_rate, "sampling_rate")
    first = 0 if start_index is None else whole(start_index, "start_index", 0)
    last = len(rows) if end_index is None else whole(end_index, "end_index")
    if not first < last <= len(rows):
        raise ValueError(f"windows go from start_index to end_index, here {first} to {last} of {len(rows)} rows")
    count = last - first - (length - 1) * rate
    wanted = None
    if targets is not None:
        wanted = np.asarray(targets.to_numpy() if hasattr(targets, "to_numpy") else targets)
        count = min(count, len(wanted) - first)
    if count < 1:
        raise ValueError(
            f"no window of {length} rows that are {rate} apart lies between row {first} and {last}"
            + ("" if wanted is None else f", with a target among the {len(wanted)} there are")
        )
    starts = first + np.arange(0, count, stride)
    size = None if batch_size is None else whole(batch_size, "batch_size")
    rng = seeds.generator(seed) if shuffle else None
    return Windows(rows, wanted, starts, np.arange(0, length * rate, rate), size, rng)
