"""Batches of rows, epoch by epoch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphnet.nn import seeds
from graphnet.nn.structures import as_leaves, in_order

#: x, y, weights: each an array, several in containers, or None
Batch = tuple[Any, Any, Any]


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
    """The rows of `x`, `y` and weights, each one array or several, in batches: in order, or shuffled for each pass.

    The arrays of a shuffled batch are overwritten by the next one.

    `shuffle` is True (all rows), "batch" (the rows inside each run of a batch) or False. The last batch of a pass keeps
    what is left.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        w: Any,
        batch_size: int | None = None,
        shuffle: bool | str = False,
        rng: np.random.Generator | None = None,
        steps: int | None = None,
        anew: bool = False,
    ):
        self.x, self.y, self.w = x, y, w
        #: the arrays that rows are taken from, and what makes a batch of those of its rows
        self._arrays, self._made = in_order((x, y, w))
        self.rows = len(as_leaves(x)[0])
        self.batch_size = 32 if batch_size is None else whole(batch_size, "batch_size")
        if shuffle not in (True, False, "batch"):
            raise ValueError(f"shuffle is True, False or 'batch'; received {shuffle!r}.")
        self.shuffle, self.rng = shuffle, rng
        super().__init__(-(-self.rows // self.batch_size), steps, anew)
        self._began: Any = None
        self._taken = self._skip = 0

    def more(self) -> bool:
        return self.rows > 0

    def _pass(self) -> Iterator[Batch]:
        rows, size = self.rows, self.batch_size
        self._began, self._taken = self._order, 0
        skip, self._skip = self._skip, 0
        order = None
        if self.shuffle and self.rng is not None:
            order = self.rng.permutation(rows) if self.shuffle is True else np.arange(rows)
        arrays, made = self._arrays, self._made
        if order is None:
            for start in range(skip * size, rows, size):
                self._taken = start // size + 1
                yield made([None if a is None else a[start : start + size] for a in arrays])
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
            yield made(batch)

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
        return {"rows": self.rows, "batch_size": self.batch_size, "order": order, "taken": taken}

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
