"""Batches that come from outside: a generator, something to go through anew for each epoch, or batches by number."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.data import Batch, Source
from graphnet.nn.sparse import is_sparse


class PyDataset:
    """Base class for data that is made batch by batch: `len(data)` batches, `data[i]` is `(x, y)` or `(x, y, weights)`.

    `on_epoch_begin` and `on_epoch_end` are called around each epoch. With `workers` above 1 that many threads make
    batches ahead, up to `max_queue_size`; `use_multiprocessing` is accepted and means threads as well. Any object with
    `__len__` and `__getitem__` will do in its place.

    >>> import numpy as np
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, i):
    ...         x = np.arange(4.0)[:, None] + 4 * i
    ...         return x, x**2
    >>> [x.shape for x, y in Squares()]
    [(4, 1), (4, 1), (4, 1)]
    """

    workers, use_multiprocessing, max_queue_size = 1, False, 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} needs a method __getitem__(index) that gives a batch")

    @property
    def num_batches(self) -> int | None:
        """How many batches an epoch has; None if there is no end."""
        return len(self) if hasattr(self, "__len__") else None

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        return (self[i] for i in (itertools.count() if count is None else range(count)))

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""


def is_stream(x: Any) -> bool:
    """Whether `x` gives batches, and is not itself an array of rows or a list of them."""
    if x is None or isinstance(x, (np.ndarray, gn.Tensor, list, tuple, dict, str, bytes, range, int, float)):
        return False
    if hasattr(x, "__array__") or hasattr(x, "to_numpy") or is_sparse(x):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or _numbered(x)


def _numbered(x: Any) -> bool:
    return hasattr(x, "__getitem__") and (hasattr(x, "__len__") or hasattr(x, "num_batches"))


def unpacked(batch: Any, what: str) -> tuple[Any, Any, Any]:
    """A batch as x, y, weights; what it lacks is None."""
    if isinstance(batch, (tuple, list)):
        if not 1 <= len(batch) <= 3:
            raise ValueError(
                f"{what} is x, (x,), (x, y) or (x, y, weights); received a {type(batch).__name__} of {len(batch)}."
            )
        return (*batch, None, None)[:3]  # type: ignore[return-value]
    return batch, None, None


class Stream(Source):
    """The batches of `given`, each made into checked arrays by `check(x, y, weights, what)`.

    An iterator (`__next__`) goes on where it stopped, and ends once; anything else starts anew. Batches by number come
    in the order of `rng` if there is one.
    """

    def __init__(
        self,
        given: Any,
        check: Callable[[Any, Any, Any, str], Batch],
        steps: int | None = None,
        anew: bool = False,
        rng: np.random.Generator | None = None,
        what: str = "x",
    ):
        kinds = {base.__name__ for base in type(given).__mro__ if base.__module__.startswith("torch.utils.data")}
        if "Dataset" in kinds:
            raise TypeError(
                f"{what} is a torch Dataset, which gives single rows: give a DataLoader of it, as in "
                "DataLoader(dataset, batch_size=32, shuffle=True)."
            )
        self.given, self.check, self.rng, self.what = given, check, rng, what
        once = hasattr(given, "__next__")
        self.numbered = not once and _numbered(given)
        length = None
        if self.numbered and hasattr(given, "num_batches"):
            length = given.num_batches
        elif not once and hasattr(given, "__len__"):
            length = len(given)
        super().__init__(length, steps, anew, once)

    def _raw(self) -> Iterator[Any]:
        if not self.numbered:
            return iter(self.given)
        count = self.length
        order: Any = itertools.count() if count is None else range(count)
        if self.rng is not None and count is not None:
            order = self.rng.permutation(count).tolist()
        workers = getattr(self.given, "workers", 1)
        if isinstance(workers, int) and workers > 1:
            return self._ahead(order, workers, max(workers, getattr(self.given, "max_queue_size", 10)))
        return (self.given[i] for i in order)

    def _ahead(self, order: Any, workers: int, room: int) -> Iterator[Any]:
        """The batches in `order`, made by threads up to `room` batches before they are asked for."""
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Any] = deque()
            try:
                for i in order:
                    waiting.append(pool.submit(self.given.__getitem__, i))
                    if len(waiting) >= room:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _pass(self) -> Iterator[Batch]:
        for number, batch in enumerate(self._raw()):
            what = f"{self.what}, batch {number}"
            yield self.check(*unpacked(batch, what), what)

    def tell(self, hook: str) -> None:
        function = getattr(self.given, hook, None)
        if function is not None:
            function()
