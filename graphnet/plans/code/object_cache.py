"""Object files on disk, read only from a folder that nobody else can have written to.

They are mapped as code, so a folder or file that is not the user's own, that others may read or write, that is a link
or no regular file, counts as absent, with a line in the log. A file's name and its seal come from the text it was made
from and a secret beside it: a file that was changed, cut off, or given another's name is not used either.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import stat
import struct
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

log = logging.getLogger("graphnet")

MAGIC = b"graphnet object 2\n"
SEAL = 32
# Bytes on disk; the files unused for longest go when there are more.
LIMIT = 256 << 20
# The folder is measured before the first file that a process writes and then before every so many.
PRUNE_EVERY = 64

_POSIX = hasattr(os, "geteuid")
_FLAGS = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_written = 0
_said: set[str] = set()


def directory() -> Path | None:
    """Where object files are kept: `GRAPHNET_CACHE_DIR` ("" or "0": nowhere), or the user's folder for caches."""
    try:
        chosen = os.environ.get("GRAPHNET_CACHE_DIR")
        if chosen is not None:
            return Path(chosen).expanduser().absolute() if chosen not in ("", "0") else None
        if os.environ.get("XDG_CACHE_HOME"):
            found = Path(os.environ["XDG_CACHE_HOME"]) / "graphnet"
        elif sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
            found = Path(os.environ["LOCALAPPDATA"]) / "graphnet" / "cache"
        else:
            place = ("Library", "Caches") if sys.platform == "darwin" else (".cache",)
            found = Path.home().joinpath(*place, "graphnet")
    except (RuntimeError, OSError):
        return None
    # A relative one would be in whatever folder the program runs.
    return found if found.is_absolute() else None


class Folder:
    """An open folder that is the user's own; files in it are reached through it, wherever its path leads meanwhile."""

    def __init__(self, path: Path, handle: int | None):
        self.path, self.handle = path, handle

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *error: object) -> None:
        if self.handle is not None:
            os.close(self.handle)

    @property
    def _place(self) -> dict[str, int]:
        return {"dir_fd": self.handle} if self.handle is not None else {}

    def _named(self, name: str) -> str:
        return name if self.handle is not None else str(self.path / name)

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file; a link is not followed."""
        return os.open(self._named(name), flags | _FLAGS, 0o600, **self._place)

    def remove(self, name: str) -> None:
        """Remove a file, if it can be."""
        with suppress(OSError):
            os.unlink(self._named(name), **self._place)

    def replace(self, old: str, new: str) -> None:
        """Give a file another name, in place of what has it."""
        if self.handle is None:
            os.replace(self._named(old), self._named(new))
        else:
            os.replace(old, new, src_dir_fd=self.handle, dst_dir_fd=self.handle)

    def names(self) -> list[str]:
        """The names of all files."""
        return os.listdir(self.path if self.handle is None else self.handle)

    def status(self, name: str) -> os.stat_result:
        """What is known of a file, or of the link that has its name."""
        return os.stat(self._named(name), follow_symlinks=False, **self._place)

    def content(self, name: str, most: int = LIMIT) -> bytes | None:
        """The bytes of a file that can be trusted; None where there is none.

        What is checked is what was opened, so that nothing can be put in its place in between.
        """
        try:
            handle = self.open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            _say(f"{self.path / name} is not used: {error.strerror or error}")
            return None
        try:
            found = os.fstat(handle)
            wrong = _wrong(found, stat.S_ISREG, "regular file")
            if wrong is None and (found.st_nlink != 1 or found.st_size > most):
                wrong = "it has other names (hard links)" if found.st_nlink != 1 else "it is too large"
            if wrong is not None:
                _say(f"{self.path / name} is not used: {wrong}")
                return None
            # The time of a file says when it was last of use, to the day.
            if time.time() - found.st_mtime > 86400 and os.utime in os.supports_fd:
                with suppress(OSError):
                    os.utime(handle)
            with open(handle, "rb", closefd=False) as file:
                return file.read(most + 1)
        except OSError:
            return None
        finally:
            os.close(handle)

    def write(self, name: str, content: bytes) -> None:
        """Write a file that other processes see whole or not at all."""
        temporary = secrets.token_hex(16) + ".tmp"
        try:
            handle = self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            with open(handle, "wb") as file:
                if _POSIX:
                    os.fchmod(handle, 0o600)
                file.write(content)
            self.replace(temporary, name)
        except OSError:
            self.remove(temporary)

    def secret(self) -> bytes | None:
        """The secret of this folder, made at first; None where it can be neither read nor made."""
        for _ in range(100):
            found = self.content("secret", 64)
            if found is not None and len(found) == SEAL:
                return found
            try:
                handle = self.open("secret", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                # Another process is about to write it, or was killed before it could, or it can't be trusted.
                with suppress(OSError):
                    age = time.time() - self.status("secret").st_mtime
                    if age > 60 or self.content("secret", 64) is None:
                        self.remove("secret")
                time.sleep(0.001)
                continue
            except OSError:
                return None
            with open(handle, "wb") as file:
                if _POSIX:
                    os.fchmod(handle, 0o600)
                file.write(secrets.token_bytes(SEAL))
        return None

    def prune(self) -> None:
        """Remove the files unused for longest until what remains fits, and what a killed process left half written."""
        files = []
        for name in self.names():
            with suppress(OSError):
                found = self.status(name)
                if name.endswith(".o"):
                    files.append((found.st_mtime, found.st_size, name))
                elif name.endswith(".tmp") and time.time() - found.st_mtime > 3600:
                    self.remove(name)
        total = sum(size for _, size, _ in files)
        for _, size, name in sorted(files):
            if total <= LIMIT:
                break
            self.remove(name)
            total -= size


def _wrong(found: os.stat_result, kind: object, word: str) -> str | None:
    """Why what was opened can't be trusted, or None."""
    if not kind(found.st_mode):  # type: ignore[operator]
        return f"it is no {word}"
    if _POSIX and found.st_uid != os.geteuid():
        return f"it belongs to user {found.st_uid}"
    if _POSIX and found.st_mode & 0o077:
        return f"others may use it (its mode is {stat.S_IMODE(found.st_mode):04o})"
    return None


def _say(text: str) -> None:
    """A line in the log, once."""
    if text not in _said and len(_said) < 100:
        _said.add(text)
        log.warning("compiled code on disk: %s", text)


def opened(path: Path | None, make: bool = False) -> Folder | None:
    """The folder at `path` if it can be trusted, made first if asked; else None."""
    if path is None:
        return None
    try:
        if make:
            for parent in reversed((path, *path.parents)):
                if not parent.is_dir():
                    parent.mkdir(mode=0o700, exist_ok=True)
        if not os.path.lexists(path):
            return None
        if not _POSIX or os.open not in os.supports_dir_fd:
            return Folder(path, None) if path.is_dir() else None
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    except OSError as error:
        reason = "it is a link, which may lead anywhere" if path.is_symlink() else error.strerror or str(error)
        _say(f"{path} is not used: {reason}")
        return None
    found = os.fstat(handle)
    if found.st_uid == os.geteuid() and found.st_mode & 0o577 != 0o500 and not found.st_mode & 0o022:
        # What others could read but never write is closed to them; what they could write stays aside.
        with suppress(OSError):
            os.fchmod(handle, 0o700)
            found = os.fstat(handle)
    wrong = _wrong(found, stat.S_ISDIR, "folder")
    if wrong is None:
        return Folder(path, handle)
    os.close(handle)
    _say(f"{path} is not used: {wrong}; remove it, or name another in GRAPHNET_CACHE_DIR")
    return None


def _name(secret: bytes, about: str) -> str:
    return hmac.new(secret, about.encode(), hashlib.sha256).hexdigest() + ".o"


def _seal(secret: bytes, name: str, code: bytes) -> bytes:
    return hmac.new(secret, name.encode() + b"\n" + code, hashlib.sha256).digest()


def read(about: str) -> bytes | None:
    """The code that was kept for `about`, None where there is none or it can't be trusted."""
    folder = opened(directory())
    if folder is None:
        return None
    with folder:
        secret = folder.secret()
        if secret is None:
            return None
        name = _name(secret, about)
        data = folder.content(name)
        if data is None:
            return None
        start = len(MAGIC) + SEAL
        code = data[start:]
        good = data[: len(MAGIC)] == MAGIC and hmac.compare_digest(data[len(MAGIC) : start], _seal(secret, name, code))
        if good and whole(code):
            return code
        _say(f"{folder.path / name} is not used: it is not what was written")
        return None


def write(about: str, code: bytes) -> None:
    """Keep `code` for `about`, where there is a place for it."""
    global _written
    folder = opened(directory(), make=True)
    if folder is None:
        return
    with folder:
        secret = folder.secret()
        if secret is None:
            return
        if _written % PRUNE_EVERY == 0:
            with suppress(OSError):
                folder.prune()
        _written += 1
        name = _name(secret, about)
        folder.write(name, MAGIC + _seal(secret, name, code) + code)


def whole(code: bytes) -> bool:
    """Whether an ELF file is an object for this kind of machine with all its sections; other formats are not looked at.

    LLVM ends the process where it can't read one.
    """
    if sys.platform in ("win32", "darwin"):
        return len(code) > 64
    wide, order = struct.calcsize("P") == 8, "<" if sys.byteorder == "little" else ">"
    if len(code) < 64 or code[:6] != b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2]):
        return False
    kind, machine = struct.unpack_from(order + "HH", code, 16)
    if kind != 1 or machine != (_machine() or machine):
        return False
    start = struct.unpack_from(order + ("Q" if wide else "I"), code, 40 if wide else 32)[0]
    each, count, texts = struct.unpack_from(order + "HHH", code, 58 if wide else 46)
    if each != (64 if wide else 40) or not count or texts >= count or start + each * count > len(code):
        return False
    for n in range(count):
        # name, kind, flags, address, offset, size
        form = "IIQQQQ" if wide else "IIIIII"
        _, kind, _, _, offset, size = struct.unpack_from(order + form, code, start + n * each)
        if kind != 8 and offset + size > len(code):
            return False
    return True


@cache
def _machine() -> int | None:
    """The number of this machine in ELF files, as the interpreter's own file has it."""
    try:
        with open("/proc/self/exe", "rb") as file:
            head = file.read(20)
    except OSError:
        return None
    return struct.unpack_from("<H" if sys.byteorder == "little" else ">H", head, 18)[0] if len(head) == 20 else None
