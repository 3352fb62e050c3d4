"""The two backends of plans, as parameters of tests."""

from __future__ import annotations

import pytest

from graphnet.plans import compiler_thread
from graphnet.plans.code import compiler

NEEDS_LLVM = pytest.mark.skipif(not compiler.available(), reason="LLVM comes with llvmlite, the `fast` extra")
BACKENDS = ("numpy", pytest.param("native", marks=NEEDS_LLVM))

each_backend = pytest.mark.parametrize("backend", BACKENDS)


@pytest.fixture(params=BACKENDS)
def everywhere(request, monkeypatch):
    """The word of a backend, which is also the one of plans that are made without a word."""
    monkeypatch.setenv("GRAPHNET_NATIVE", "1" if request.param == "native" else "0")
    return request.param


def settled():
    """Returns when nothing that other tests have left is being compiled beside, which takes memory and time."""
    while (compiler := compiler_thread._thread) is not None:
        compiler.join()
