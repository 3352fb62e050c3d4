"""LLVM's text compiled for this machine's processor, loaded, and kept on disk as object files.

A file's name is the hash of the text and of all else that decides its content (the processor, its features, LLVM's
version), so nothing in the directory is ever out of date; `GRAPHNET_CACHE_DIR` names another directory, and "" or "0"
means none. A file that cannot be read, written or trusted costs a compilation and is no error.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

# What else decides the code: to be changed with the passes or the way of loading.
OPTIONS = "O3 vectorise jitdefault 1"
MAGIC = b"graphnet object 1\n"
# Bytes on disk; the oldest files go when there are more.
LIMIT = 256 << 20
# The directory is measured before the first file that a process writes and then before every so many.
PRUNE_EVERY = 64

#: held while LLVM is at work: a fork waits for it, because the child would find everything as it is then, for good
lock = threading.RLock()
_written = 0


class NativeModule:
    """Functions in memory: `address[name]` is where one begins. They are gone when this object is."""

    def __init__(self, address: dict[str, int], engine: Any):
        self.address = address
        self._engine = engine


@cache
def available() -> bool:
    """Whether llvmlite, which holds LLVM, is installed."""
    return importlib.util.find_spec("llvmlite") is not None


def compile_ir(text: str, exports: Sequence[str]) -> NativeModule:
    """The functions `exports` of a module in LLVM's language, from the disk if they were compiled before."""
    with lock:
        path = _path(text)
        code = _read(path) if path is not None else None
        if code is None:
            code = _compile(text)
        else:
            path = None
        module = _load(code, exports)
    if path is not None:
        _write(path, code)
    return module


@cache
def _host() -> tuple[str, str]:
    """The processor and its features, for which LLVM chooses the width of vectors too: a processor that slows down
    with 512 bits has 256 in LLVM's tables."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:
        features = ""
    return llvm.get_host_cpu_name(), features


def target_machine() -> Any:
    """A new description of this machine for LLVM; an engine takes it over."""
    import llvmlite.binding as llvm

    cpu, features = _host()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="default", codemodel="jitdefault", jit=True
    )


def optimised(text: str, machine: Any) -> Any:
    """The module of a text after LLVM's passes. Raises RuntimeError where the text is wrong."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    options.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def _compile(text: str) -> bytes:
    machine = target_machine()
    return machine.emit_object(optimised(text, machine))


def _load(code: bytes, exports: Sequence[str]) -> NativeModule:
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = {name: engine.get_function_address(name) for name in exports}
    missing = [name for name, place in address.items() if not place]
    if missing:
        raise KeyError(f"the module does not define {', '.join(missing)}")
    return NativeModule(address, engine)


def cache_directory() -> Path | None:
    """Where object files are kept, or None."""
    chosen = os.environ.get("GRAPHNET_CACHE_DIR")
    if chosen is not None:
        return Path(chosen) if chosen not in ("", "0") else None
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "graphnet"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "graphnet" / "cache"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / "Library" / "Caches" / "graphnet" if sys.platform == "darwin" else home / ".cache" / "graphnet"


def _path(text: str) -> Path | None:
    directory = cache_directory()
    if directory is None:
        return None
    import llvmlite

    about = "\n".join([llvmlite.__version__, *_host(), sys.platform, OPTIONS, text])
    return directory / (hashlib.sha256(about.encode()).hexdigest() + ".o")


def _read(path: Path) -> bytes | None:
    """The code in a file, None where there is none or it is not what was written."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    start = len(MAGIC) + 32
    code = data[start:]
    if data[: len(MAGIC)] != MAGIC or data[len(MAGIC) : start] != hashlib.sha256(code).digest():
        return None
    # The time of a file says when it was last of use, to the day.
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > 86400:
            os.utime(path)
    return code


def _write(path: Path, code: bytes) -> None:
    """Keeps code in a file that other processes see whole or not at all."""
    global _written
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _written % PRUNE_EVERY == 0:
            _prune(path.parent)
        _written += 1
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + hashlib.sha256(code).digest() + code)
        os.replace(name, path)
    except OSError:
        with suppress(OSError):
            os.unlink(name)


def _prune(directory: Path) -> None:
    """Removes the files unused for longest until what remains fits, and what a killed process left half written."""
    files = []
    for file in directory.iterdir():
        with suppress(OSError):
            status = file.stat()
            if file.suffix == ".o":
                files.append((status.st_mtime, status.st_size, file))
            elif file.suffix == ".tmp" and time.time() - status.st_mtime > 3600:
                file.unlink()
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files):
        if total <= LIMIT:
            break
        with suppress(OSError):
            file.unlink()
            total -= size


def _llvms_lock() -> Any:
    """The lock of llvmlite itself, under which it frees modules; None before it is loaded."""
    ffi = sys.modules.get("llvmlite.binding.ffi")
    return getattr(getattr(ffi, "lib", None), "_lock", None)


_held_at_fork: list[Any] = []


def _before_fork() -> None:
    lock.acquire()
    other = _llvms_lock()
    if other is not None:
        other.__enter__()
    _held_at_fork.append(other)


def _after_fork() -> None:
    other = _held_at_fork.pop()
    if other is not None:
        other.__exit__(None, None, None)
    lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
