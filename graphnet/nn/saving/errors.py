"""What is wrong with a file: one error, whatever the damage."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphnet.escape import lines

#: characters of a reason
LONGEST = 1_000


def told(reason: object) -> str:
    """What is wrong, fit to be shown: names in files may be of any length."""
    text = lines(reason)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 300]} \N{HORIZONTAL ELLIPSIS} {text[-290:]}"


class FileError(ValueError):
    """A file that can't be loaded, or does not fit the model. `path` is the file, `reason` what is wrong with it."""

    def __init__(self, path: Any, reason: str):
        self.path, self.reason = os.fspath(path), told(reason)
        super().__init__(path, self.reason)

    def __str__(self) -> str:
        return f"{lines(self.path)}: {self.reason}"


class Refused(Exception):
    """The reason why a file is refused, before its path is known."""


@contextmanager
def reading(path: Any) -> Iterator[None]:
    """Whatever goes wrong inside with what a file holds is a `FileError` of this path.

    A `MemoryError` stays what it is: sizes that a file claims are compared with the file before.
    """
    try:
        yield
    except (FileError, MemoryError):
        raise
    except Refused as error:
        raise FileError(path, str(error)) from error.__cause__
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FileError(path, f"it is damaged: {error}") from error
    except RecursionError as error:
        raise FileError(path, "it is nested too deeply.") from error
    except (OSError, ImportError) as error:
        if isinstance(error, ImportError) or error.errno is not None:
            raise  # the file is not there, or a package that reads it
        raise FileError(path, f"it is damaged: {error}") from error
    except Exception as error:
        raise FileError(path, f"{error}") from error
