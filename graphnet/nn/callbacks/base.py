"""Callbacks: objects whose hooks `fit`, `evaluate` and `predict` call as they go.

The hooks are `on_{train,test,predict}_{begin,end}(logs)`, `on_epoch_{begin,end}(epoch, logs)` and
`on_{train,test,predict}_batch_{begin,end}(batch, logs)`. A hook may set `self.model.stop_training = True`. What a hook
adds to `logs` at the end of an epoch is recorded and printed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from graphnet.nn.lookup import Spelled, constructor_of

log = logging.getLogger("graphnet")

Logs = dict[str, Any] | None


class Callback(metaclass=Spelled):
    """Base class: override the hooks you need. `self.model` is the model, `self.params` what `fit` was called with.

    The hooks of several callbacks are called in the order of the list, those of a class that is `last` after all
    others.

    `remembers` declares the attributes that `BackupAndRestore` keeps and sets again, with their kinds: `{"wait":
    "count", "best": "number"}`. Kinds are "count" (a whole number from 0 on), "index" (from -1 on), "number" (or None),
    "flag", "text" (or None), "weights" (of the model, or None) and "data" (numbers, texts, arrays, and lists, tuples
    and dicts of those); a list of names means "data" for each. Bases' declarations are added.
    """

    last = False
    remembers: ClassVar[Any] = {}

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def __repr__(self) -> str:
        return constructor_of(self)

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def check_remembered(self, values: dict[str, Any]) -> None:
        """Raise `ValueError` for values of `remembers`, from a file, that can't be. Their kinds are checked already."""

    def on_train_begin(self, logs: Logs = None) -> None: ...
    def on_train_end(self, logs: Logs = None) -> None: ...
    def on_test_begin(self, logs: Logs = None) -> None: ...
    def on_test_end(self, logs: Logs = None) -> None: ...
    def on_predict_begin(self, logs: Logs = None) -> None: ...
    def on_predict_end(self, logs: Logs = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None: ...
    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None: ...
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None: ...
    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None: ...


#: Keras' shorter words for two of the hooks
SHORT = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}
HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class Told:
    """The logs that callbacks are told at the end."""

    def __init__(self) -> None:
        self.logs: dict[str, Any] = {}


class CallbackList:
    """Several callbacks called in order; a hook that none of them overrides costs nothing."""

    def __init__(self, callbacks: Any, model: Any, params: dict[str, Any]):
        self.callbacks, self.params = list(callbacks), params
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks is a list of Callback objects; received {callback!r} in it.")
            callback.set_model(model)
            callback.set_params(params)
        self._ordered = ordered = sorted(self.callbacks, key=lambda c: c.last)
        self._called = {hook: [f for c in ordered if (f := own(c, hook)) is not None] for hook in HOOKS}

    def listens(self, hook: str, besides: Any = ()) -> bool:
        """Whether some callback, `besides` those, overrides `hook`."""
        return any(getattr(f, "__self__", None) not in besides for f in self._called[hook])

    def called(self, hook: str) -> list[Callable[..., Any]]:
        """What `call` calls, for loops that ask once."""
        return self._called[hook]

    def call(self, hook: str, *args: Any) -> None:
        """Call `hook` of each."""
        for function in self._called[hook]:
            function(*args)

    @contextmanager
    def around(self, what: str) -> Iterator[Told]:
        """Call `on_{what}_begin` of each, and `on_{what}_end` at the end, with the logs of what it gives.

        However the block ends, all that have begun are told: not the one whose beginning failed, nor those after it
        that were still to begin. The first error is the one that is raised; what fails besides is noted on it.
        """
        told = Told()
        begin, end = f"on_{what}_begin", f"on_{what}_end"
        pending = [place for place, c in enumerate(self._ordered) if own(c, begin) is not None]
        try:
            while pending:
                own(self._ordered[pending[0]], begin)({})
                del pending[0]
            yield told
        except BaseException as error:
            self._end([c for place, c in enumerate(self._ordered) if place not in pending], end, told.logs, error)
            raise
        self._end(self._ordered, end, told.logs, None)

    @staticmethod
    def _end(callbacks: list[Callback], hook: str, logs: dict[str, Any], first: BaseException | None) -> None:
        found = None
        for callback in callbacks:
            function = own(callback, hook)
            if function is None:
                continue
            try:
                function(logs)
            except BaseException as error:
                if first is None:
                    first = found = error
                    continue
                text = f"besides, {type(callback).__name__}.{hook} raised {type(error).__name__}: {error}"
                if hasattr(first, "add_note"):
                    first.add_note(text)
                else:
                    log.warning("%s", text)
        if found is not None:
            raise found


def own(callback: Callback, hook: str) -> Any:
    """The method for `hook` that a callback has of its own, or None."""
    if getattr(type(callback), hook) is not getattr(Callback, hook) or hook in vars(callback):
        return getattr(callback, hook)
    return getattr(callback, SHORT[hook], None) if hook in SHORT else None


def as_list(callbacks: Any) -> list[Any]:
    """None, one callback, or several, as a list."""
    if callbacks is None:
        return []
    if isinstance(callbacks, CallbackList):
        return list(callbacks.callbacks)
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]


class LambdaCallback(Callback):
    """A callback from functions: `LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch))`."""

    def __init__(self, **hooks: Callable[..., Any]):
        super().__init__()
        for hook, function in hooks.items():
            if hook not in (*HOOKS, *SHORT.values()):
                raise ValueError(f"a hook is one of {', '.join(HOOKS)}; received {hook!r}.")
            setattr(self, hook, function)
