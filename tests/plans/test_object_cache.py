"""Compiled code on disk is used only if nobody else can have put it there; whatever lies in its place does no harm."""

from __future__ import annotations

import ctypes
import logging
import os
import struct
import subprocess
import sys

import pytest

import graphnet
from graphnet.plans.code import compiler, object_cache

pytestmark = [
    pytest.mark.skipif(not compiler.available(), reason="LLVM comes with llvmlite, the `fast` extra"),
    pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no modes here"),
]

TEXT = "define i64 @kernel(i64 %x) {\n  %y = add i64 %x, 4\n  ret i64 %y\n}\n"


def value(exports=("kernel",), text=TEXT):
    module = compiler.compile_ir(text, exports)
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(module.address["kernel"])(1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHNET_CACHE_DIR", str(tmp_path / "objects"))
    monkeypatch.setattr(object_cache, "_said", set())
    return tmp_path / "objects"


@pytest.fixture
def compilations(monkeypatch):
    done = []
    compile_text = compiler._compile
    monkeypatch.setattr(compiler, "_compile", lambda text: (done.append(text), compile_text(text))[1])
    return done


def mode(path):
    return os.stat(path).st_mode & 0o777


@pytest.mark.parametrize("mask", [0, 0o077, 0o777])
def test_the_folder_and_its_files_are_private_whatever_the_umask(folder, compilations, mask):
    before = os.umask(mask)
    try:
        assert value() == value() == 5
    finally:
        os.umask(before)
    if mask == 0o777 and os.geteuid():
        return  # such a folder could not be made
    assert mode(folder) == 0o700
    assert {mode(file) for file in folder.iterdir()} == {0o600}
    assert len(compilations) == 1


def test_missing_folders_above_are_private_too(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHNET_CACHE_DIR", str(tmp_path / "a" / "b"))
    before = os.umask(0)
    try:
        value()
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700


@pytest.mark.parametrize("bits", [0o777, 0o720, 0o702])
def test_a_folder_that_others_may_write_to_is_neither_read_nor_written(folder, compilations, caplog, bits):
    value()
    for file in folder.iterdir():
        os.utime(file, (1, 1))
    folder.chmod(bits)
    before = {file.name: file.stat().st_atime for file in folder.iterdir()}
    with caplog.at_level(logging.WARNING, "graphnet"):
        assert value() == 5
    assert len(compilations) == 2
    assert {file.name: file.stat().st_atime for file in folder.iterdir()} == before
    assert "others may use it" in caplog.text and "GRAPHNET_CACHE_DIR" in caplog.text


def test_a_folder_that_others_could_only_read_is_closed_to_them(folder, compilations):
    folder.mkdir(0o755)
    assert value() == value() == 5
    assert mode(folder) == 0o700 and len(compilations) == 1


def test_a_folder_or_file_of_somebody_else_is_not_used(folder, compilations, monkeypatch, caplog):
    value()
    user = os.geteuid()
    monkeypatch.setattr(object_cache.os, "geteuid", lambda: user + 1)
    with caplog.at_level(logging.WARNING, "graphnet"):
        assert value() == 5
    assert len(compilations) == 2 and f"it belongs to user {user}" in caplog.text


def of_another_machine(good):
    at = good.index(b"\x7fELF") + 18
    return good[:at] + struct.pack("<H", 0x1234) + good[at + 2 :]


def cut(good):
    return good[: len(good) - 40]


def as_link(file, tmp_path):
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")


def as_fifo(file, tmp_path):
    file.unlink()
    os.mkfifo(file, 0o600)


def as_folder(file, tmp_path):
    file.unlink()
    file.mkdir()


def with_another_name(file, tmp_path):
    os.link(file, tmp_path / "another")


def writable(file, tmp_path):
    file.chmod(0o666)


def dangling(file, tmp_path):
    file.unlink()
    file.symlink_to(tmp_path / "nowhere")


@pytest.mark.parametrize("change", [as_link, as_fifo, as_folder, with_another_name, writable, dangling])
@pytest.mark.parametrize("which", ["object", "secret"])
def test_what_is_no_private_regular_file_is_not_read(folder, compilations, caplog, tmp_path, change, which):
    value()
    (file,) = folder.glob("*.o" if which == "object" else "secret")
    change(file, tmp_path)
    with caplog.at_level(logging.WARNING, "graphnet"):
        assert value() == 5
    assert len(compilations) == 2
    assert "is not used" in caplog.text
    # Nothing was written through a link.
    assert not (tmp_path / "nowhere").exists()
    assert value() == 5


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_link_or_a_file_in_place_of_the_folder(folder, compilations, tmp_path, what):
    if what == "folder":
        (tmp_path / "other").mkdir(0o700)
        folder.symlink_to(tmp_path / "other")
    else:
        folder.write_text("in the way")
    assert value() == value() == 5
    assert len(compilations) == 2
    assert what == "file" or not list((tmp_path / "other").iterdir())


def sealed(folder, about, code):
    """A file for a text whose seal is right, whatever is in it."""
    with object_cache.opened(folder) as found:
        secret = found.secret()
        name = object_cache._name(secret, about)
        found.write(name, object_cache.MAGIC + object_cache._seal(secret, name, code) + code)


def garbage(good):
    return bytes(range(256)) * 10


@pytest.mark.parametrize(
    "damage",
    [
        garbage,
        of_another_machine,
        cut,
        lambda good: b"",
        lambda good: good[:64],
        lambda good: good[:64] + b"\xff" * 500,
        lambda good: good[:4] + b"\1" + good[5:],
    ],
)
def test_no_object_file_of_this_machine_is_compiled_anew_even_under_a_right_seal(folder, compilations, damage):
    value()
    sealed(folder, compiler._about(TEXT), damage(compiler._compile(TEXT)))
    del compilations[:]
    assert value() == 5
    assert len(compilations) == 1
    assert value() == 5
    assert len(compilations) == 1


def test_a_function_that_is_missing_is_compiled_anew(folder, compilations, caplog):
    value()
    sealed(folder, compiler._about(TEXT), compiler._compile(TEXT.replace("@kernel", "@other")))
    del compilations[:]
    with caplog.at_level(logging.WARNING, "graphnet"):
        assert value() == 5
    assert len(compilations) == 1 and "does not define kernel" in caplog.text


def test_a_file_under_the_name_of_another_is_not_used(folder, compilations):
    other = TEXT.replace(", 4", ", 40")
    assert value() == 5
    (mine,) = folder.glob("*.o")
    assert value(text=other) == 41
    (theirs,) = (file for file in folder.glob("*.o") if file != mine)
    mine.write_bytes(theirs.read_bytes())
    assert value() == 5
    assert len(compilations) == 3


def test_names_are_not_the_same_for_two_users(tmp_path, monkeypatch):
    names = []
    for n in range(2):
        monkeypatch.setenv("GRAPHNET_CACHE_DIR", str(tmp_path / f"{n}"))
        value()
        names += [file.name for file in (tmp_path / f"{n}").glob("*.o")]
    assert len(set(names)) == 2


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for given, found in (("~/objects", tmp_path / "objects"), ("~", tmp_path), ("0", None), ("", None)):
        monkeypatch.setenv("GRAPHNET_CACHE_DIR", given)
        assert object_cache.directory() == found
    monkeypatch.setenv("GRAPHNET_CACHE_DIR", "~nobody-has-this-name/objects")
    assert object_cache.directory() is None
    monkeypatch.delenv("GRAPHNET_CACHE_DIR")
    assert object_cache.directory() == tmp_path / ".cache" / "graphnet"
    for relative in ("", "here"):
        monkeypatch.setenv("HOME", relative)
        found = object_cache.directory()
        assert found is None or found.is_absolute()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert object_cache.directory() == tmp_path / "graphnet"
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")
    assert object_cache.directory() is None


@pytest.mark.parametrize("home", [None, "/nonexistent/home", "/dev/null"])
def test_a_home_that_is_not_there_is_no_error(home, tmp_path):
    program = (
        "import numpy as np, graphnet as gn\n"
        "print(gn.compile(lambda x: gn.exp(x) * 2, backend='native')(np.zeros(2)).numpy().tolist())"
    )
    env = {k: v for k, v in os.environ.items() if k not in ("GRAPHNET_CACHE_DIR", "HOME", "XDG_CACHE_HOME")}
    env["PYTHONPATH"] = os.path.dirname(os.path.dirname(graphnet.__file__))
    if home is None:
        env["XDG_CACHE_HOME"] = "/proc/nothing"
    else:
        env["HOME"] = home
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "[2.0, 2.0]"), done.stderr
    assert not list(tmp_path.iterdir())
