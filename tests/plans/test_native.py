"""Compiled code on disk: found again, never trusted blindly, and never needed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time

import pytest

from graphnet.plans.code import compiler, object_cache

pytestmark = pytest.mark.skipif(not compiler.available(), reason="LLVM comes with llvmlite, the `fast` extra")


def text(number):
    return f"define i64 @kernel(i64 %x) {{\n  %y = add i64 %x, {number}\n  ret i64 %y\n}}\n"


def result(module):
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(module.address["kernel"])(1)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHNET_CACHE_DIR", str(tmp_path / "objects"))
    return tmp_path / "objects"


@pytest.fixture
def compilations(monkeypatch):
    """A list that grows by one with each compilation."""
    done = []
    compile_text = compiler._compile
    monkeypatch.setattr(compiler, "_compile", lambda text: (done.append(text), compile_text(text))[1])
    return done


def kept(directory):
    """The object files in it."""
    return sorted(directory.glob("*.o"))


def test_the_second_time_is_from_the_disk(directory, compilations):
    assert result(compiler.compile_ir(text(4), ["kernel"])) == 5
    assert result(compiler.compile_ir(text(4), ["kernel"])) == 5
    assert len(compilations) == 1
    assert len(kept(directory)) == 1


def test_another_constant_is_another_file(directory, compilations):
    assert result(compiler.compile_ir(text(4), ["kernel"])) == 5
    assert result(compiler.compile_ir(text(5), ["kernel"])) == 6
    assert len(compilations) == 2
    assert len(kept(directory)) == 2


def test_another_processor_is_another_file(directory, compilations, monkeypatch):
    compiler.compile_ir(text(4), ["kernel"])
    features = compiler._host()[1]
    monkeypatch.setattr(compiler, "_about", lambda text, about=compiler._about: about(text) + features + ",+more")
    compiler.compile_ir(text(4), ["kernel"])
    assert len(compilations) == len(kept(directory)) == 2


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "foreign"])
def test_a_damaged_file_is_replaced(directory, compilations, damage):
    compiler.compile_ir(text(4), ["kernel"])
    (file,) = kept(directory)
    good = file.read_bytes()
    middle = len(good) // 2
    bad = {
        "truncated": good[:middle],
        "changed": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        "empty": b"",
        "foreign": b"something else" * 100,
    }
    file.write_bytes(bad[damage])
    assert result(compiler.compile_ir(text(4), ["kernel"])) == 5
    assert len(compilations) == 2
    assert file.read_bytes() == good


@pytest.mark.parametrize("value", ["", "0"])
def test_the_cache_can_be_turned_off(tmp_path, monkeypatch, compilations, value):
    monkeypatch.setenv("GRAPHNET_CACHE_DIR", value)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert result(compiler.compile_ir(text(4), ["kernel"])) == 5
    assert len(compilations) == 2
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_made_is_no_error(tmp_path, monkeypatch, compilations):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRAPHNET_CACHE_DIR", str(tmp_path / "file" / "objects"))
    for _ in range(2):
        assert result(compiler.compile_ir(text(4), ["kernel"])) == 5
    assert len(compilations) == 2


def test_a_directory_that_is_read_only_is_no_error(directory, compilations, monkeypatch):
    directory.mkdir(0o500)

    def refused(self, name, flags):
        raise PermissionError(13, "Permission denied")

    # Whoever may write everywhere is refused as well.
    monkeypatch.setattr(object_cache.Folder, "open", refused)
    assert result(compiler.compile_ir(text(4), ["kernel"])) == 5
    directory.chmod(0o700)
    assert not list(directory.iterdir())


def test_a_full_disk_is_no_error_and_leaves_nothing(directory, monkeypatch):
    def full(self, old, new):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(object_cache.Folder, "replace", full)
    assert result(compiler.compile_ir(text(4), ["kernel"])) == 5
    assert [file.name for file in directory.iterdir()] == ["secret"]


def test_the_oldest_files_go_when_there_are_too_many(directory, monkeypatch):
    monkeypatch.setattr(object_cache, "PRUNE_EVERY", 1)
    files = []
    for number in range(3):
        compiler.compile_ir(text(number), ["kernel"])
        files += [file for file in kept(directory) if file not in files]
        os.utime(files[-1], (time.time() - 1000 + number,) * 2)
    size = files[0].stat().st_size
    left = directory / "killed.tmp"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    monkeypatch.setattr(object_cache, "LIMIT", 2 * size + 10)
    compiler.compile_ir(text(3), ["kernel"])
    assert [file.exists() for file in files] == [False, True, True] and len(kept(directory)) == 3
    assert not left.exists()


def test_processes_that_compile_the_same_at_once(directory):
    program = (
        "import ctypes, sys; from graphnet.plans.code import compiler\n"
        "m = compiler.compile_ir(sys.stdin.read(), ['kernel'])\n"
        "print(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(m.address['kernel'])(1))"
    )
    command = [sys.executable, "-c", program]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(text(4))[0].strip() for process in started] == ["5"] * 4
    assert len(kept(directory)) == 1


def test_generated_calls_of_memcpy_and_memset_resolve(directory):
    source = """
    declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
    declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
    define void @copy(ptr %to, ptr %from, i64 %n) {
      call void @llvm.memset.p0.i64(ptr %to, i8 0, i64 %n, i1 false)
      %half = lshr i64 %n, 1
      call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %half, i1 false)
      ret void
    }
    """
    for _ in range(2):
        module = compiler.compile_ir(source, ["copy"])
        to, source_bytes = ctypes.create_string_buffer(b"x" * 9999), ctypes.create_string_buffer(b"y" * 9999)
        call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(module.address["copy"])
        call(ctypes.addressof(to), ctypes.addressof(source_bytes), 10_000)
        assert to.raw == b"y" * 5000 + b"\0" * 5000


def test_a_wrong_text_and_a_missing_name_are_errors(directory):
    with pytest.raises(RuntimeError):
        compiler.compile_ir("define nonsense", ["kernel"])
    with pytest.raises(KeyError, match="other"):
        compiler.compile_ir(text(4), ["kernel", "other"])
