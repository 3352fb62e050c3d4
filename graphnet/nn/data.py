"""From what a user hands over (arrays, lists, data frames) to checked arrays, and from arrays to batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import seeds
from graphnet.nn.ranges import check_unmasked
from graphnet.nn.sparse import SparseRows, is_sparse

Batch = tuple[np.ndarray, "np.ndarray | None", "np.ndarray | None"]


def as_array(value: Any, what: str, dtype: Any = "float32", columns: Any = None) -> np.ndarray:
    """`value` as an array of numbers with a first axis of rows; floating-point numbers in `dtype`.

    Raises `TypeError` for anything that is not numbers, naming what it was.
    """
    if value.__class__ is np.ndarray:
        pass
    elif isinstance(value, gn.Tensor):
        value = value.numpy()
    elif hasattr(value, "to_numpy"):
        columns, value = getattr(value, "columns", None), value.to_numpy()
    elif is_sparse(value):
        value = value.toarray()
    if value is None or isinstance(value, (str, bytes, dict)):
        raise TypeError(f"{what} is an array of numbers, one row per sample; received {type(value).__name__}.")
    if callable(value) and not hasattr(value, "__array__"):
        raise TypeError(
            f"{what} is an array of numbers, or gives batches; received the function {value!r:.80}. For a generator, "
            f"hand over what it gives: {what}(), not {what}."
        )
    check_unmasked(value, what)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(
            f"{what} is an array of numbers with rows of one length; {_differing(value) or f'received {error}'}."
        ) from None
    if array.dtype.kind == "O":
        for place, v in np.ndenumerate(array):
            if v is None:
                raise ValueError(
                    f"{what} holds a value that is missing, at {what}{list(place)}: it is None. Remove those rows or "
                    "fill them."
                )
            if isinstance(v, (str, bytes)):
                raise TypeError(
                    f"{what} is an array of numbers; received objects, one of which is the text {v[:40]!r}"
                    f"{_column(columns, place)}. {_for_text(columns, what, v, array.ndim)}"
                )
        try:
            array = array.astype(np.float64)
        except (ValueError, TypeError) as error:
            raise TypeError(
                f"{what} is an array of numbers; received objects that are not"
                f"{_column(columns, _no_number(array))}: {str(error).rstrip('.')}."
            ) from None
    if array.dtype.kind not in "biuf":
        kind = "text" if array.dtype.kind in "US" else str(array.dtype)
        hint = f" {_for_text(columns, what, array.flat[0], array.ndim)}" if kind == "text" and array.size else ""
        raise TypeError(f"{what} is an array of numbers; received {kind}.{hint}")
    if array.ndim == 0:
        raise TypeError(f"{what} is an array with one row per sample; received the single number {array}.")
    return array.astype(dtype, copy=False) if array.dtype.kind == "f" else array


def _reads_as_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _differing(rows: Any) -> str:
    """What differs between rows that make no array, and what to do; nothing if they are no rows."""
    try:
        lengths = [len(row) for row in rows]
    except TypeError:
        return ""
    other = next((n for n, length in enumerate(lengths) if length != lengths[0]), None)
    if other is None:
        return ""
    return (
        f"row 0 has {lengths[0]}, row {other} has {lengths[other]}. Fill them up, as in "
        "nn.utils.pad_sequences(x, dtype='float32') with Masking or mask_zero, or give batches of one length each"
    )


def _column(columns: Any, place: tuple[int, ...]) -> str:
    """The name of the column of a data frame in which `place` lies, as a part of a sentence."""
    if columns is None or len(place) != 2:
        return ""
    return f" in the column {columns[place[1]]!r}"


def _no_number(array: np.ndarray) -> tuple[int, ...]:
    """Where the first object lies that is no number."""
    for place, v in np.ndenumerate(array):
        try:
            float(v)
        except (ValueError, TypeError):
            return place
    return ()


def _for_text(columns: Any, what: str, text: Any, ndim: int) -> str:
    """What to write where `text` was given."""
    if _reads_as_number(text):
        return f"Write numbers as numbers, as in {what}.astype(float)."
    if what.endswith("y"):
        return "Number the classes first: classes, y = np.unique(y, return_inverse=True)."
    if what.endswith("weight"):
        return "A weight is a number; weights of classes are class_weight={0: 1.0, 1: 3.0}."
    if columns is not None:
        return "Leave that column out, or make numbers of it, as pandas.get_dummies(x) does."
    if ndim > 1:
        return "Give texts as numbers, for example a column of 0 and 1 for each (pandas.get_dummies)."
    return "Number the words of each text; nn.utils.pad_sequences and an Embedding layer take the numbers."


def is_finite(array: np.ndarray | None) -> bool:
    """Whether no number of `array` is NaN or infinite."""
    if isinstance(array, SparseRows):
        return is_finite(array.matrix.data)
    if array is None or array.dtype.kind != "f":
        return True
    if array.flags.forc and np.isfinite(np.vdot(flat := array.ravel("K"), flat)):
        return True  # one pass, without a copy, and without a warning
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def check_finite(array: np.ndarray | None, what: str, hint: str = "") -> None:
    """Raise `ValueError` if `array` has a NaN or an infinity, saying where the first one is."""
    if array is None or is_finite(array):
        return
    if isinstance(array, SparseRows):
        array, what = array.matrix.data, f"{what}.data"
    bad = ~np.isfinite(array)
    count = int(bad.sum())
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    raise ValueError(
        f"{what} holds {count} value{'s' * (count > 1)} that {'are' if count > 1 else 'is'} NaN or infinite, "
        f"the first at {what}{list(place)}: it is {array[place]}. Remove those rows or fill them, as in "
        f"np.nan_to_num({what}).{hint}"
    )


def weightless(w: np.ndarray) -> np.ndarray:
    """Which rows have no weight at all."""
    return np.logical_not(w.reshape(len(w), -1).any(axis=1))


def check_rows(x: np.ndarray, y: np.ndarray | None, w: np.ndarray | None) -> None:
    """Raise `ValueError` if there are no rows, or not the same number everywhere."""
    if y is not None and len(y) != len(x):
        raise ValueError(f"x and y have one row per sample each: x has {len(x)} rows, y has {len(y)}.")
    if w is not None and len(w) != len(x):
        raise ValueError(f"sample_weight has one number per row of x: x has {len(x)} rows, sample_weight has {len(w)}.")
    if len(x) == 0:
        raise ValueError(f"x has no rows (its shape is {x.shape}): a step needs at least one.")


def class_weights(y: np.ndarray, weights: Any) -> np.ndarray:
    """A weight for each row by its class: `weights[label]`, 1 for classes that are not listed."""
    if not isinstance(weights, dict):
        raise TypeError(f"class_weight is a dict from class to weight, as in {{0: 1.0, 1: 2.0}}; received {weights!r}.")
    labels = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y), -1)[:, 0]
    if labels.ndim > 1:
        raise ValueError(f"class_weight needs one label per row; the targets have shape {y.shape}: use sample_weight.")
    for k in weights:
        if not isinstance(k, (int, float, np.number, np.bool_)) or k != np.floor(k):
            raise ValueError(
                f"class_weight: classes are whole numbers, as in y; received {k!r:.100}. After classes, y = "
                "np.unique(names, return_inverse=True) the class of a name is its place in classes."
            )
    if labels.dtype.kind == "f" and not np.equal(labels, np.floor(labels)).all():
        raise ValueError("class_weight needs classes as targets; y holds fractions: use sample_weight.")
    table = {int(k): float(v) for k, v in weights.items()}
    return np.array([table.get(int(label), 1.0) for label in labels], np.float32)


def split(arrays: tuple[Any, ...], share: float) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """`arrays` without and with their last `share` of rows: the split is made before any shuffle."""
    if not isinstance(share, (int, float)) or not 0 < share < 1:
        raise ValueError(f"validation_split is a share between 0 and 1; received {share!r}.")
    rows = len(arrays[0])
    at = int(rows * (1 - share))
    if at in (0, rows):
        raise ValueError(
            f"validation_split={share} of {rows} rows leaves {at} for training and {rows - at} for validation."
        )
    return tuple(_part(a, slice(at)) for a in arrays), tuple(_part(a, slice(at, None)) for a in arrays)


def _part(array: Any, chosen: slice) -> Any:
    return array.part(chosen) if isinstance(array, SparseRows) else None if array is None else array[chosen]


def whole(value: Any, what: str, least: int = 1) -> int:
    """`value` as a whole number of at least `least`, or an error that names `what`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise ValueError(f"{what} is a whole number, {least} or more; received {value!r}.")
    return int(value)


class Source:
    """Batches, epoch by epoch.

    Subclasses define `_pass`: the batches of one pass through the data, of which there are `length` if that is known.
    With `limit` an epoch is at most that many batches, and the next one goes on where it stopped, up to the end of the
    pass; `anew` makes each epoch begin with a new pass. Data that can be gone through only `once` has one pass for all.
    """

    def __init__(self, length: int | None, limit: int | None = None, anew: bool = False, once: bool = False):
        self.length, self.anew, self.once = length, anew, once
        self.limit = None if limit is None else whole(limit, "steps")
        self.taken = 0
        self.whole_pass = False
        self._rest: Iterator[Batch] | None = None
        self._waiting = self._fresh = False

    @property
    def steps(self) -> int | None:
        """How many batches an epoch has, if that is known."""
        return self.length if self.limit is None else self.limit

    def _pass(self) -> Iterator[Batch]:
        raise NotImplementedError

    def tell(self, hook: str) -> None:
        """Tell the data, if it listens, that an epoch begins or ends."""

    def more(self) -> bool:
        """Whether there is another batch; it is fetched, and comes first in the next epoch."""
        if not self._waiting:
            self._fresh = self._rest is None or not (self.once or self._goes_on)
            rest = self._pass() if self._fresh or self._rest is None else self._rest
            first = next(rest, None)
            if first is None and not self._fresh and not self.once:
                rest, self._fresh = self._pass(), True
                first = next(rest, None)
            if first is None:
                return False
            self._rest, self._waiting = itertools.chain([first], rest), True
        return True

    @property
    def _goes_on(self) -> bool:
        """Whether an epoch begins where the last one stopped."""
        return self.limit is not None and not self.anew

    def _behind(self, rest: Iterator[Batch], done: int) -> None:
        """Leave `done` batches of `rest` behind."""
        for _ in itertools.islice(rest, done):
            pass

    def epoch(self, done: int = 0) -> Iterator[Batch]:
        """The batches of the next epoch, without the first `done` of it."""
        if done and self.steps is not None and done >= self.steps:
            return
        self.tell("on_epoch_begin")
        fresh = self._rest is None or not (self._waiting or self.once or self._goes_on)
        rest = self._pass() if fresh or self._rest is None else self._rest
        fresh = self._fresh if self._waiting else fresh
        self._rest, self._waiting, self.taken = rest, False, done
        self._behind(rest, done)
        while self.limit is None or self.taken < self.limit:
            batch = next(rest, None)
            if batch is None:
                if self.taken == 0 and not fresh and not self.once:
                    rest, fresh = self._pass(), True
                    self._rest = rest
                    continue
                self._rest = rest if self.once else None
                break
            self.taken += 1
            yield batch
        self.whole_pass = fresh
        if self.length is None and self.limit is None:
            self.length = self.taken
        self.tell("on_epoch_end")

    @property
    def short(self) -> bool:
        """Whether the last epoch had fewer batches than were asked for, though it began with a new pass."""
        return self.limit is not None and self.taken < self.limit and (self.whole_pass or self.once)


class Batches(Source):
    """The rows of `x`, `y` and weights in batches, in order or shuffled anew for each pass.

    The arrays of a shuffled batch are overwritten by the next one.

    `shuffle` is True (all rows), "batch" (the rows inside each run of a batch) or False. The last batch of a pass keeps
    what is left.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray | None,
        w: np.ndarray | None,
        batch_size: int | None = None,
        shuffle: bool | str = False,
        rng: np.random.Generator | None = None,
        steps: int | None = None,
        anew: bool = False,
    ):
        self.x, self.y, self.w = x, y, w
        self.batch_size = 32 if batch_size is None else whole(batch_size, "batch_size")
        if shuffle not in (True, False, "batch"):
            raise ValueError(f"shuffle is True, False or 'batch'; received {shuffle!r}.")
        self.shuffle, self.rng = shuffle, rng
        super().__init__(-(-len(x) // self.batch_size), steps, anew)
        self._began: Any = None
        self._taken = self._skip = 0

    def more(self) -> bool:
        return len(self.x) > 0

    def _pass(self) -> Iterator[Batch]:
        rows, size = len(self.x), self.batch_size
        self._began, self._taken = self._order, 0
        skip, self._skip = self._skip, 0
        order = None
        if self.shuffle and self.rng is not None:
            order = self.rng.permutation(rows) if self.shuffle is True else np.arange(rows)
        arrays = (self.x, self.y, self.w)
        if order is None:
            for start in range(skip * size, rows, size):
                self._taken = start // size + 1
                yield tuple([None if a is None else a[start : start + size] for a in arrays])  # type: ignore[misc]
            return
        # Gathered into the same memory for every batch: a batch is used up before the next one is asked for.
        room = [None if a is None else np.empty((min(size, rows), *a.shape[1:]), a.dtype) for a in arrays]
        for start in range(0, rows, size):
            chosen = order[start : start + size]
            if self.shuffle == "batch" and self.rng is not None:
                chosen = self.rng.permutation(chosen)
            self._taken += 1
            if self._taken <= skip:
                continue
            batch = []
            for a, into in zip(arrays, room, strict=True):
                # "clip" lets NumPy write at once instead of by way of a copy; no index is out of range.
                batch.append(None if a is None else a.take(chosen, 0, into[: len(chosen)], "clip"))  # type: ignore[index]
            yield tuple(batch)  # type: ignore[misc]

    def _behind(self, rest: Iterator[Batch], done: int) -> None:
        """Nothing: `go_to` has said where to go on."""

    @property
    def _order(self) -> Any:
        """What decides the order of the rows from now on."""
        return self.rng.bit_generator.state if self.rng is not None else None

    def position(self) -> dict[str, Any]:
        """Where it stands, as something JSON can hold: the order of this pass, and how many batches of it are taken."""
        # Without a limit a pass is an epoch, and the next one begins with a pass of its own.
        over = not self._taken or (not self._goes_on and self._taken >= (self.length or 0))
        order, taken = (self._order, 0) if over else (self._began, self._taken)
        return {"rows": len(self.x), "batch_size": self.batch_size, "order": order, "taken": taken}

    def check(self, position: dict[str, Any]) -> None:
        """Raise `ValueError` for what is no `position` of the same rows in the same batches."""
        own = self.position()
        if set(position) != set(own):
            raise ValueError("it does not say where it stands in the data.")
        for word in ("rows", "batch_size"):
            if type(position[word]) is not int or position[word] != own[word]:
                raise ValueError(f"it was made with {word}={position[word]!r:.60}, this fit has {own[word]}.")
        if (position["order"] is None) != (own["order"] is None):
            raise ValueError("it was made with another shuffle= than this fit has.")
        seeds.generator_in(position["order"])
        if type(position["taken"]) is not int or not 0 <= position["taken"] <= (self.length or 0):
            raise ValueError(f"it stands after {position['taken']!r:.60} of {self.length} batches.")

    def go_to(self, position: dict[str, Any]) -> None:
        """Go on from a `position` that has been checked."""
        if self.rng is not None:
            self.rng.bit_generator.state = position["order"]
        self._skip = position["taken"]
        self._rest, self._waiting = (self._pass() if self._skip else None), False
