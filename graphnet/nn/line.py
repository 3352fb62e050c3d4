"""One line of text that is rewritten on a terminal or in a notebook, and the numbers in it, as Keras writes them.

A file or a pipe gets no carriage return, backspace or escape sequence. A terminal's line fits its width while work goes
on, and has no colour if NO_COLOR is set.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

WIDTH = 20
#: what stands for the characters of tables and bars on a stream that can't encode them
PLAIN = str.maketrans("━─│┃┏┳┓┡╇┩└┴┘├┼┤█×…", "=-||" + "+" * 12 + "#x.")


def display(stream: Any) -> str:
    """What `stream` writes to: "terminal", "notebook" or "file"."""
    if getattr(stream, "isatty", lambda: False)():
        return "file" if os.environ.get("TERM") == "dumb" else "terminal"
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return "notebook" if type(shell).__name__ == "ZMQInteractiveShell" and stream is sys.stdout else "file"


def number(value: Any) -> str:
    """A metric's value as Keras prints it.

    >>> number(0.03654), number(0.0)
    ('0.0365', '0.0000e+00')
    """
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{value:.4f}" if abs(value) > 1e-3 or value != value else f"{value:.4e}"


def clock(seconds: float) -> str:
    """Seconds as `7s`, `1:07` or `1:01:07`.

    >>> clock(7.9), clock(67), clock(3667)
    ('7s', '1:07', '1:01:07')
    """
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if whole >= 60 else f"{whole}s"


def pace(seconds: float, unit: str = "step") -> str:
    """Time per step: `2s/step`, `8ms/step`, `95us/step`."""
    if seconds >= 1:
        return f"{seconds:.0f}s/{unit}"
    return f"{seconds * 1e3:.0f}ms/{unit}" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/{unit}"


def counts(done: int, total: int | None) -> str:
    """` 12/57`, aligned to the right; `12/Unknown` where the end is not known."""
    return f"{done:>{len(str(total))}}/{total}" if total else f"{done}/Unknown"


def encodable(text: str, stream: Any) -> str:
    """`text`, or where `stream` can't encode it, the same with plain lines for those of tables, and ? for the rest."""
    encoding = getattr(stream, "encoding", None)
    if not isinstance(encoding, str):
        return text
    try:
        text.encode(encoding)
        return text
    except LookupError:
        return text
    except UnicodeEncodeError:
        return text.translate(PLAIN).encode(encoding, "replace").decode(encoding)


def broken(text: str, columns: int) -> str:
    """`text` in lines of up to `columns` characters, broken before the ` - ` of a metric where that is possible.

    >>> print(broken("Epoch 1/2 3/3 - loss: 0.1 - val_loss: 0.2", 30))
    Epoch 1/2 3/3 - loss: 0.1
      - val_loss: 0.2
    """
    lines = [""]
    for n, part in enumerate(text.split(" - ")):
        piece = part if n == 0 else f" - {part}"
        if n and len(lines[-1]) + len(piece) > columns:
            lines.append("  " + piece[1:])
        else:
            lines[-1] += piece
    return "\n".join(lines)


class Line:
    """The last line of `stream` (standard output unless given): rewritten where `live`, else written when done."""

    def __init__(self, stream: Any = None, plain: bool = False):
        self.stream = stream if stream is not None else sys.stdout
        self.display = "file" if plain else display(self.stream)
        self.colour = self.display == "terminal" and "NO_COLOR" not in os.environ
        self.length = 0

    @property
    def live(self) -> bool:
        """Whether it can be rewritten."""
        return self.display != "file"

    def bar(self, head: str, share: float, tail: str, width: int = WIDTH, last: bool = False) -> None:
        """Put `head`, a bar of which `share` is done, and `tail` in its place.

        The bar gets shorter where there is no room for it, and is left out below five characters. The `last` text of a
        line is whole: what is too long for one line is broken between two metrics.
        """
        columns = self.columns
        width = min(width, columns - len(head) - len(tail))
        width = width if width >= 5 else 0
        full = round(width * min(1.0, share))
        done, rest = "━" * full, ("━" if self.colour else "─") * (width - full)
        text = head + done + rest + (tail if width else tail.lstrip())
        if last and len(text) > columns:
            self._replace(broken(text, columns), columns)
            return
        text = text[:columns]
        shown, at = text, len(head)
        if self.colour and width:
            shown = f"{text[:at]}\x1b[32m{done}\x1b[0m\x1b[90m{rest}\x1b[0m{text[at + width :]}"
        self._replace(shown, len(text))

    def text(self, text: str) -> None:
        """Put `text` in its place."""
        text = text[: self.columns]
        self._replace(text, len(text))

    @property
    def columns(self) -> int:
        """How many characters fit."""
        return shutil.get_terminal_size().columns - 1 if self.display == "terminal" else 120

    def _replace(self, text: str, length: int) -> None:
        self.write(f"\r{text}\x1b[K" if self.display == "terminal" else "\r" + text.ljust(self.length))
        self.length = length

    def end(self) -> None:
        """Begin a new line, if there is something on this one."""
        if self.live and self.length:
            self.write("\n")
        self.length = 0

    def write(self, text: str) -> None:
        """Write to the stream; characters it can't encode are replaced."""
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            self.stream.write(encodable(text, self.stream))
        self.stream.flush()
