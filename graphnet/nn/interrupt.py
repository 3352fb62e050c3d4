"""Ctrl-C while training: the step that runs is finished first, so that the weights are those of a whole step."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

AGAIN = (
    "\nThe training step is finished first, so that the weights are those of a whole step; Ctrl-C once more stops at "
    "once, and may leave them half updated.\n"
)
HALF = "stopped in the middle of a training step: weights and optimizer may be half updated. Load saved ones."


class Interruption:
    """A context in which the first Ctrl-C waits for `check`; the second acts at once, but not in a step.

    A second one in a step says that a third one stops it, and the `KeyboardInterrupt` of that one says what it left.
    Outside the main thread, or where the program handles the signal itself, nothing changes.
    """

    def __init__(self) -> None:
        self.asked = False
        self._insisted = self._in_step = False
        self._before: Any = None

    def __enter__(self) -> Interruption:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._noted)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if exc[0] is None:
            self.check()

    @contextmanager
    def step(self) -> Iterator[None]:
        """A training step."""
        self._in_step = True
        try:
            yield
        finally:
            self._in_step = False

    def _noted(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked = True
        elif not self._in_step:
            raise KeyboardInterrupt
        elif not self._insisted:
            self._insisted = True
            sys.stderr.write(AGAIN)
        else:
            raise KeyboardInterrupt(HALF)

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if Ctrl-C was pressed."""
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt
