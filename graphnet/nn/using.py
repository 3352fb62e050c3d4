"""Who trains or tests a model at this moment: one thread at a time, and no `fit` inside a `fit`.

Weights, the optimizer and the running values of metrics are the model's, not the call's. Steps and predictions of
several threads take turns, so that a prediction sees the weights of whole steps.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphnet import forks


class Use:
    """What runs on a model now. A copy of the model has its own."""

    def __init__(self) -> None:
        #: held during one step, or one prediction
        self.step = threading.RLock()
        self._lock = threading.Lock()
        self._thread: int | None = None
        #: the calls that run, the outermost first
        self._calls: list[str] = []
        forks.follow(self)

    def __reduce__(self) -> Any:
        return Use, ()

    def forked(self) -> None:
        """In a forked process nobody uses the model but, perhaps, who forked."""
        self.step, self._lock = threading.RLock(), threading.Lock()
        if self._thread != threading.get_ident():
            self._thread, self._calls = None, []

    def enter(self, model: Any, call: str) -> bool:
        """Note that `call` begins; whether another one runs around it.

        Raises `RuntimeError` if that is another thread's, or both are `fit`.
        """
        me = threading.get_ident()
        with self._lock:
            if self._calls and self._thread != me:
                raise RuntimeError(
                    f"'{model.name}': {call} was called while {self._calls[0]} runs in another thread, and both would "
                    "use the same weights and metrics. Wait for it, or use a copy of the model, as "
                    "copy.deepcopy(model) or nn.clone_model(model) make one; predict may be called at any time."
                )
            if call == "fit" and "fit" in self._calls:
                raise RuntimeError(
                    f"'{model.name}': fit was called inside fit of the same model, by a callback or a step. Give fit "
                    "more epochs, call it after fit has returned, or fit a copy of the model."
                )
            nested = bool(self._calls)
            self._thread = me
            self._calls.append(call)
        return nested

    def leave(self) -> None:
        """Note that the innermost call is over."""
        with self._lock:
            self._calls.pop()


def use_of(model: Any) -> Use:
    """The one of a model."""
    own: dict[str, Any] = model.__dict__
    use = own.get("_use")
    return use if use is not None else own.setdefault("_use", Use())


@contextmanager
def alone(model: Any, call: str) -> Iterator[None]:
    """A call that trains or tests. Inside of another one, by a callback, running values are put back at its end."""
    use = use_of(model)
    nested = use.enter(model, call)
    steps, kept, latest = model.steps, [], {}
    if nested:
        kept, latest = [(v, v.numpy().copy()) for v in steps.kept_running], steps.latest
    try:
        yield
    finally:
        use.leave()
        if nested and model.steps is steps:
            for v, value in kept:
                v.assign(value)
            steps.latest = latest
