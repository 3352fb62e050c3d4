"""Ctrl-C while training: the step that runs is finished first, so that the weights are those of a whole step."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

try:
    # The same functions without an enum made of what they give, which takes longer than a small step does.
    from _signal import getsignal
    from _signal import signal as set_handler
except ImportError:
    from signal import getsignal
    from signal import signal as set_handler

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
        #: whether a training step runs now
        self.in_step = False
        self._insisted = False
        self._before: Any = None

    def __enter__(self) -> Interruption:
        main = threading.current_thread() is threading.main_thread()
        if main and getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = set_handler(signal.SIGINT, self._noted)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._before is not None:
            set_handler(signal.SIGINT, self._before)
        if exc[0] is None:
            self.check()

    def _noted(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked = True
        elif not self.in_step:
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
