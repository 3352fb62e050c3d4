"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

#: the ending of a file that is being written
ENDING = ".part"


def write_whole(target: Any, content: bytes) -> None:
    """Write a file so that it is there whole or as it was before, whatever happens in between.

    The bytes go into a file beside it, which takes its place when they are on the disk. A file that was there keeps its
    permissions; a link stays, and what it points to is replaced. If writing fails, nothing is left behind. What a
    process left that was killed while it wrote is removed by the next one that writes this file on the same machine.
    """
    path = Path(os.path.realpath(target))
    if path.is_dir():
        raise IsADirectoryError(f"{target} is a folder: give the name of a file.")
    clear_parts(path)
    temporary = path.with_name(f"{_begin(path)}{_host()}-{os.getpid()}-{secrets.token_hex(6)}{ENDING}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            with suppress(FileNotFoundError):
                os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            # The file that the caller named, and not the one beside it.
            raise OSError(error.errno, error.strerror, os.fspath(target)) from None
        raise
    _settle(path.parent)


def clear_parts(path: Path) -> None:
    """Remove what processes of this machine, which are no more, left half written beside `path`."""
    own = re.compile(rf"{re.escape(_begin(path))}{_host()}-(\d+)-[0-9a-f]{{12}}{re.escape(ENDING)}")
    with suppress(OSError):
        for name in os.listdir(path.parent):
            found = own.fullmatch(name)
            if found and not _runs(int(found[1])):
                with suppress(OSError):
                    os.unlink(path.parent / name)


def _begin(path: Path) -> str:
    """How the names of files begin that are written beside `path`."""
    return f".{path.name[:40]}."


def _host() -> str:
    """A few letters for this machine: processes are numbered anew on each."""
    import platform
    from zlib import crc32

    return f"{crc32(platform.node().encode('utf-8', 'replace')):08x}"


def _runs(process: int) -> bool:
    """Whether a process of this number runs; where that can't be asked, it is said to."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _settle(folder: Path) -> None:
    """Bring the folder's new entry to the disk, where the system lets one ask for that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
