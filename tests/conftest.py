"""Settings for every test: hypothesis profiles, the same random numbers in each run, object files in a folder of it."""

import os
import shutil
import signal
import tempfile

import hypothesis
import numpy as np
import pytest
from backends import everywhere  # noqa: F401

from graphnet.loops import body
from graphnet.loops.running import Loop
from graphnet.plans import blas

hypothesis.settings.register_profile("default", max_examples=25, deadline=None, derandomize=True)
hypothesis.settings.register_profile("deep", max_examples=500, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_made = []


def pytest_configure():
    # A shell starts what runs beside it with Ctrl-C turned off; tests press it.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Workers, and the processes that tests start, inherit the variable.
    if "GRAPHNET_CACHE_DIR" not in os.environ:
        _made.append(tempfile.mkdtemp(prefix="graphnet-tests-"))
        os.environ["GRAPHNET_CACHE_DIR"] = _made[0]
    # Several workers with several BLAS threads each would wait for each other's turn on the processors.
    if os.environ.get("PYTEST_XDIST_WORKER") and (library := blas.found()) is not None:
        library.limit(1)


def pytest_unconfigure():
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def loops_on_numpy():
    """Loops do not go over to native code: for tests that compare bits of one call with those of another."""
    before = Loop._begun
    Loop._begun = lambda self, calls=1: None
    body._known.clear()
    yield
    Loop._begun = before


@pytest.fixture
def rng():
    return np.random.default_rng(0)
