"""LLVM's text compiled for this machine's processor, and loaded. `object_cache` keeps what was compiled on disk."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

from graphnet.extras import install
from graphnet.optional import is_installed, optional

log = logging.getLogger("graphnet")

# What else decides the code: to be changed with the passes or the way of loading.
OPTIONS = "O3 vectorise jitdefault 1"
#: seconds that a fork waits for LLVM, which the child would find as it was then, for good; longer on a busy machine
FORK_WAITS = 1.0

#: held while LLVM is at work, and while what needs it is imported
lock = threading.RLock()


class _State:
    """What has happened to this process: it was forked while LLVM was at work, or is about to end."""

    cut = ending = False


class NativeModule:
    """Functions in memory: `address[name]` is where one begins. They are gone when this object is."""

    def __init__(self, address: dict[str, int], engine: Any):
        self.address = address
        self._engine = engine

    def __del__(self) -> None:
        # LLVM frees one thing at a time: nobody waits here for a compilation to end.
        _unused.append(self.__dict__.pop("_engine", None))
        _free()


_unused: list[Any] = []


def _free() -> None:
    if not lock.acquire(blocking=False):
        return
    try:
        while _unused:
            engine = _unused.pop()
            if _State.cut and engine is not None:
                engine.detach()
            del engine
    finally:
        lock.release()


@cache
def _installed() -> bool:
    return is_installed("llvmlite")


def available() -> bool:
    """Whether llvmlite, which holds LLVM, is installed, and can be used in this process."""
    return _installed() and not _State.cut


def ending() -> bool:
    """Whether the interpreter is about to end."""
    return _State.ending


def end() -> None:
    """Have the compiler thread compile no more."""
    _State.ending = True


def missing() -> Exception:
    """The error for native code where it can't be made."""
    if _State.cut:
        return RuntimeError(
            "this process was forked while another thread compiled native code, and can't use LLVM: make native code "
            "before the fork, or start processes by 'spawn'; backend='numpy' works"
        )
    return ImportError(f"native code is compiled by llvmlite: {install('fast')}")


def compile_ir(text: str, exports: Sequence[str]) -> NativeModule:
    """The functions `exports` of a module in LLVM's language, from the disk if they were compiled before."""
    with lock:
        if _State.cut:
            raise missing()
        if _State.ending and threading.current_thread().daemon:
            # Such a thread would be ended in the middle of it.
            raise RuntimeError("the interpreter is about to end")
        from graphnet.plans.code import object_cache

        about, module = _about(text), None
        code = object_cache.read(about)
        if code is not None:
            try:
                module = _load(code, exports)
            except Exception as error:
                log.warning("compiled code on disk is not used: %s", error)
        fresh = module is None
        if module is None or code is None:
            code = _compile(text)
            module = _load(code, exports)
        _free()
    if fresh:
        object_cache.write(about, code)
    return module


@cache
def _host() -> tuple[str, str]:
    """The processor and its features, for which LLVM chooses the width of vectors too: a processor that slows down
    with 512 bits has 256 in LLVM's tables."""
    llvm = optional("llvmlite.binding")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:
        features = ""
    return llvm.get_host_cpu_name(), features


def target_machine() -> Any:
    """A new description of this machine for LLVM; an engine takes it over."""
    llvm = optional("llvmlite.binding")
    cpu, features = _host()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="default", codemodel="jitdefault", jit=True
    )


def optimised(text: str, machine: Any) -> Any:
    """The module of a text after LLVM's passes. Raises RuntimeError where the text is wrong."""
    llvm = optional("llvmlite.binding")
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
    llvm = optional("llvmlite.binding")
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = {name: engine.get_function_address(name) for name in exports}
    missing = [name for name, place in address.items() if not place]
    if missing:
        raise KeyError(f"the module does not define {', '.join(missing)}")
    return NativeModule(address, engine)


def _about(text: str) -> str:
    """The text and all else that decides the code."""
    llvmlite = optional("llvmlite")
    return "\n".join([llvmlite.__version__, *_host(), sys.platform, OPTIONS, text])


def _llvms_lock() -> Any:
    """The lock of llvmlite itself, under which it frees modules; None before it is loaded."""
    ffi = sys.modules.get("llvmlite.binding.ffi")
    return getattr(getattr(ffi, "lib", None), "_lock", None)


# By thread: the locks that it got before its fork.
_got: dict[int, tuple[bool, Any]] = {}


def before_fork() -> None:
    """Wait for what is being compiled, and hold the locks over the fork."""
    seconds = FORK_WAITS * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    mine = lock.acquire(timeout=seconds)
    other = getattr(_llvms_lock(), "_lock", None)
    if other is not None and not (mine and other.acquire(timeout=seconds)):
        other = None
    _got[threading.get_ident()] = mine, other


def after_fork() -> None:
    """In the parent: give the locks back."""
    mine, other = _got.pop(threading.get_ident())
    if other is not None:
        other.release()
    if mine:
        lock.release()


def in_child() -> None:
    """In the child: the locks are free; what was cut off while compiling compiles no more."""
    global lock
    mine, other = _got.pop(threading.get_ident())
    _got.clear()
    llvms = _llvms_lock()
    if mine and (other is not None or llvms is None):
        if other is not None:
            other.release()
        lock.release()
        return
    # LLVM stays as it was, in the middle of something. What it has made goes on.
    _State.cut = True
    lock = threading.RLock()
    if hasattr(llvms, "_lock"):
        llvms._lock = threading.RLock()
