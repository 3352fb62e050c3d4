"""Native code is made by one thread for all plans: for those that are used, and nobody waits for it unasked."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from backends import NEEDS_LLVM, settled

import graphnet as gn
from graphnet.nn.repeated import Repeated
from graphnet.plans import compiler_thread, plan, takeover
from graphnet.plans.code import compiler

pytestmark = NEEDS_LLVM
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture(autouse=True)
def auto(monkeypatch):
    monkeypatch.delenv("GRAPHNET_NATIVE", raising=False)
    before = gn.repeatable(False)
    yield
    gn.repeatable(before)


@pytest.fixture
def at_once(monkeypatch):
    """Native code is asked for at the third call."""
    monkeypatch.setattr(takeover, "PAYS", 0.0)


def compilers():
    return [t for t in threading.enumerate() if t.name == "graphnet compiler"]


def test_many_shapes_have_one_thread_and_right_values(at_once):
    f = gn.compile(lambda x: gn.exp(x) * 2.0 + x.sum(), limit=600)
    most = 0
    for n in range(1, 121):
        for _ in range(4):
            np.testing.assert_allclose(f(np.zeros(n)).numpy(), np.full(n, 2.0))
        most = max(most, len(compilers()))
    assert most <= 1
    settled()


def test_what_runs_shortly_is_not_compiled(monkeypatch):
    asked = []
    monkeypatch.setattr(compiler_thread.Work, "begin", lambda work: asked.append(work))
    monkeypatch.setattr(takeover, "PAYS", 1e9)
    monkeypatch.setattr(takeover._Spent, "begun", True)
    made = gn.trace(lambda x: gn.exp(x), np.ones(3)).compile()
    for _ in range(50):
        made(np.ones(3))
    assert not asked
    monkeypatch.setattr(takeover, "PAYS", 0.0)
    made(np.ones(3))
    assert len(asked) == 1 and made.wait().backend == "native"


def test_plans_that_are_gone_or_not_called_any_more_are_not_compiled(at_once, monkeypatch):
    begun, go, made = threading.Event(), threading.Event(), []
    make = takeover.Takeover.make

    def slowly(self):
        made.append(self.graph)
        if len(made) == 1:
            begun.set()
            assert go.wait(60)
        make(self)

    monkeypatch.setattr(takeover.Takeover, "make", slowly)
    now = [0.0]
    for module in (compiler_thread, plan):
        monkeypatch.setattr(module, "clock", lambda: now[0])

    def called(times=4):
        one = gn.trace(lambda x: gn.exp(x) + 1.0, np.ones(3)).compile()
        for _ in range(times):
            one(np.ones(3))
        return one

    settled()
    first = called()
    assert begun.wait(60)
    dropped, idle = called(), called()
    used = called()
    del dropped
    gc.collect()
    now[0] += 10.0
    used(np.ones(3))
    go.set()
    settled()
    assert [*map(id, made)] == [id(first.graph), id(used.graph)]
    used(np.ones(3))
    assert used.backend == "native" and idle.backend == "numpy"
    # When it is called again it asks again.
    idle(np.ones(3))
    settled()
    assert len(made) == 3 and made[2] is idle.graph


def test_a_thread_that_cannot_start_is_no_error(at_once, monkeypatch):
    settled()

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    made = gn.trace(lambda x: gn.exp(x) + 1.0, np.ones(3)).compile()
    for _ in range(6):
        np.testing.assert_array_equal(made(np.zeros(3)).numpy(), np.full(3, 2.0))
    assert made.backend == "numpy"
    # Who waits makes it.
    assert made.wait().backend == "native"


def test_a_plan_that_is_waited_for_is_made_at_once_whatever_is_in_the_queue(at_once, monkeypatch):
    begun, go = threading.Event(), threading.Event()
    make = takeover.Takeover.make

    def slowly(self):
        if threading.current_thread() in compilers():
            begun.set()
            assert go.wait(60)
        make(self)

    settled()
    monkeypatch.setattr(takeover.Takeover, "make", slowly)
    first, second = (gn.trace(lambda x, n=n: gn.exp(x) + n, np.ones(3)).compile() for n in (1.0, 2.0))
    for _ in range(4):
        first(np.ones(3))
    assert begun.wait(60)
    assert second.wait().backend == "native" and first.backend == "numpy"
    go.set()
    assert first.wait().backend == "native"


def test_a_repeatable_plan_tells_before_it_waits_long(monkeypatch):
    monkeypatch.setattr(compiler_thread, "PATIENCE", 0.0)
    make, said = takeover.Takeover.make, threading.Event()
    monkeypatch.setattr(takeover.Takeover, "make", lambda self: (said.wait(60), make(self)))
    gn.repeatable()
    made = gn.trace(lambda x: gn.exp(x) + 1.0, np.ones(3)).compile()
    gn.repeatable(False)
    switch = made._takeover
    monkeypatch.setattr(switch, "at", 4)
    told = []
    made.tells = lambda: (told.append(switch.calls), said.set())
    for _ in range(8):
        made(np.ones(3))
    assert told == [5] and made.backend == "native"


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_a_fit_with_a_seed_says_that_it_waits(verbose, monkeypatch, capsys):
    monkeypatch.setattr(compiler_thread, "PATIENCE", 0.0)
    monkeypatch.setattr(takeover, "TAKEOVER", 0.0)
    make, said, waits = takeover.Takeover.make, threading.Event(), Repeated._waits
    monkeypatch.setattr(takeover.Takeover, "make", lambda self: (said.wait(60), make(self)))
    monkeypatch.setattr(Repeated, "_waits", lambda self: (waits(self), said.set()))
    gn.nn.set_random_seed(1)
    model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.ones((60, 3)), np.ones((60, 2)), batch_size=2, epochs=2, verbose=verbose)
    assert model.steps.train.compiled.plan.backend == "native"
    assert capsys.readouterr().out.count("Waiting for native code") == (1 if verbose else 0)


def script(body, *, timeout=60, code=0, **env):
    """What it prints."""
    env = {k: v for k, v in os.environ.items() if k != "GRAPHNET_NATIVE"} | {"GRAPHNET_CACHE_DIR": "0"} | env
    env["PYTHONPATH"] = os.path.dirname(os.path.dirname(gn.__file__))
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=env,
    )
    assert (ended.returncode, ended.stderr) == (code, "")
    return ended.stdout.split()


LONG = """
    import os, sys, threading, time, types
    import numpy as np
    import graphnet as gn
    from graphnet.plans import takeover
    from graphnet.plans.code import compiler

    takeover.PAYS = 0.0
    begun = threading.Event()
    # As LLVM: outside the interpreter, and not to be stopped.
    other = types.ModuleType("other")
    exec("import ctypes\\ndef for_long(text):\\n    begun.set()\\n    ctypes.CDLL(None).sleep(100)", other.__dict__)
    other.begun = begun

    made = gn.trace(lambda x: gn.exp(x) + 1.0, np.ones(3)).compile()
    compiler._compile = other.for_long
    for _ in range(4):
        made(np.ones(3))
    assert begun.wait(30)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the end waits for LLVM")
@pytest.mark.parametrize("code", [0, 3])
def test_the_process_ends_at_once_while_llvm_is_at_work(code, tmp_path):
    body = f"""
    import atexit
    file = open({str(tmp_path / "file")!r}, "w")
    file.write("flushed")
    print("last")
    atexit.register(print, "handlers run")
    sys.exit({code})
    """
    assert script(LONG + body, code=code) == ["last", "handlers", "run"]
    assert (tmp_path / "file").read_text() == "flushed"


@FORKS
def test_a_fork_does_not_wait_for_llvm_and_the_child_goes_on_with_numpy():
    body = """
    compiler.FORK_WAITS = 0.1
    os.getloadavg = lambda: (0.0, 0.0, 0.0)
    ready = gn.trace(lambda x: x * 2.0, np.ones(3))
    pid = os.fork()
    if pid == 0:
        try:
            for _ in range(4):
                assert made(np.zeros(3)).numpy().tolist() == [2.0] * 3
            assert made.wait().backend == "numpy"
            try:
                ready.compile(backend="native")
            except RuntimeError as error:
                print("forked" in str(error), flush=True)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert made(np.zeros(3)).numpy().tolist() == [2.0] * 3
    print("parent", flush=True)
    os._exit(0)
    """
    assert script(LONG + body) == ["True", "parent"]


FORKING = """
    import os, sys, threading, time
    import numpy as np
    import graphnet as gn

    # Once plans have their BLAS, their fork hooks are there.
    stop, big = False, np.ones((300, 300), np.float32)
    w = gn.Parameter(big)
    learned = gn.trace(lambda x: gn.tanh(x @ w) @ w, big).compile()
    f = gn.compile(lambda x: gn.exp(x) + x)

    def naming():
        while not stop:
            str(gn.trace(lambda x: sum((gn.exp(x) + i for i in range(20)), x), np.ones(3)))

    def calling():
        while not stop:
            learned(big)

    def tracing():
        n = 0
        while not stop:
            n += 1
            f(np.zeros(n % 50 + 1))

    def multiplying():
        while not stop:
            big @ big

    def work():
        assert str(gn.trace(lambda x: gn.exp(x) + 1.0, np.ones(3)))
        assert np.allclose(learned(big).numpy(), 300.0, rtol=1e-3) and f(np.zeros(60)).shape == (60,)
        c = gn.scan(lambda c, x: (c * 2 + x, c), np.zeros(3), np.ones((5, 3)))[0]
        assert c.numpy().tolist() == [31.0] * 3
        assert np.allclose(big @ big, 300.0)

    threads = [threading.Thread(target=t, daemon=True) for t in (naming, calling, tracing, multiplying)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    wrong = 0
    for _ in range(int(sys.argv[1])):
        pid = os.fork()
        if pid == 0:
            ok = False
            try:
                work()
                ok = True
            finally:
                os._exit(0 if ok else 1)
        end = time.time() + 60
        found = 0
        while not found and time.time() < end:
            found, status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0.002)
        if not found:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        wrong += not found or status != 0
    print(wrong, flush=True)
    os._exit(0)
"""


@FORKS
def test_forks_beside_busy_threads():
    # `GRAPHNET_FORKS=1000` for the long run.
    count = int(os.environ.get("GRAPHNET_FORKS", "12"))
    body = FORKING.replace("sys.argv[1]", str(count))
    assert script(body, timeout=60 + 5 * count) == ["0"]


def test_engines_are_freed_while_llvm_is_at_work_elsewhere():
    made = gn.trace(lambda x: gn.exp(x) + 1.0, np.ones(3)).compile(backend="native")
    held, go = threading.Event(), threading.Event()

    def hold():
        with compiler.lock:
            held.set()
            assert go.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(60)
    del made
    gc.collect()
    go.set()
    holder.join()
    compiler._free()
    assert not compiler._unused
