"""Native plans and threads: loops shared by several, plans called by several, the switch beside the calls, memory."""

from __future__ import annotations

import copy
import gc
import linecache
import logging
import os
import pickle
import threading
import time
import weakref

import numpy as np
import pytest
from backends import NEEDS_LLVM

import graphnet as gn
from graphnet.plans import blas, running
from graphnet.plans.code import compiler, native, thread_pool

pytestmark = NEEDS_LLVM


def elementwise(x, y):
    z = gn.tanh(x) * y + 1.0
    return [z, x[::-1] - y, gn.where(gn.random_uniform(7, x.shape, dtype="float64") < 0.3, 0.0, z)]


def rows(x, y):
    return [gn.max(x * y, axis=1), gn.sum(x, axis=-1), gn.argmax(x, axis=-1)]


def everything(x, y):
    return [
        gn.sum(x),
        gn.mean(x * y),
        gn.sum(gn.tanh(x) * x),
        gn.max(x),
        gn.min(x + y),
        gn.any(x > 4.0),
        gn.all(x < 4.0),
    ]


def columns(x, y):
    return [gn.sum(x, axis=0), gn.mean(x * y, axis=0), gn.max(x, axis=0), gn.sum(x - y, axis=0, keepdims=True)]


def single(x, y):
    # Added up in float64.
    x = x.astype("float32")
    return [gn.sum(x), gn.mean(x), gn.sum(gn.exp(x), axis=0), gn.mean(x, axis=1)]


LARGE = {
    "elementwise": elementwise,
    "rows": rows,
    "turned": lambda x, y: x.T * 2.0,
    "everything": everything,
    "columns": columns,
    "single": single,
}


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(2)
    return [rng.standard_normal((1027, 523)), rng.standard_normal((1027, 1))]


@pytest.fixture(scope="module")
def shared(arrays):
    """Plans with loops that threads share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "SHARED_TIME", 0)
        made = {name: gn.trace(f, *arrays).compile(backend="native") for name, f in LARGE.items()}
    assert all("k_share(" in one.source for one in made.values())

    def run(*arrays):
        return [t for one in made.values() for t in flat(one(*arrays))]

    run.graphs = [one.graph for one in made.values()]
    return run


def flat(found):
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_a_shared_loop_gives_the_bits_of_one_thread(count, shared, arrays, monkeypatch):
    monkeypatch.setattr(blas, "threads", lambda: 1)
    alone = [t.numpy() for t in shared(*arrays)]
    monkeypatch.setattr(blas, "threads", lambda: count)
    for _ in range(3):
        for found, expected in zip(shared(*arrays), alone, strict=True):
            np.testing.assert_array_equal(found.numpy(), expected)
    eager = [t for g in shared.graphs for t in flat(g(*arrays))]
    for found, expected in zip(alone, eager, strict=True):
        np.testing.assert_allclose(found, expected.numpy(), **close(found))


def close(found):
    return {"rtol": 1e-4, "atol": 1e-5} if found.dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-12}


def test_threads_are_as_many_as_those_of_blas(shared, arrays, monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    if blas.found() is None:
        pytest.skip("NumPy is built on another BLAS")
    monkeypatch.setattr(thread_pool, "_pool", thread_pool._Pool())
    with threadpoolctl.threadpool_limits(1):
        assert blas.threads() == 1
        shared(*arrays)
        assert not thread_pool._pool.helpers
    with threadpoolctl.threadpool_limits(2):
        shared(*arrays)
        assert len(thread_pool._pool.helpers) == blas.threads() - 1


def test_an_interrupt_waits_for_the_threads_that_share_a_loop(monkeypatch):
    monkeypatch.setattr(blas, "threads", lambda: 2)
    counts, order = [9, 9], []

    def run(table, state):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        time.sleep(0.05)
        counts[1] = 4
        order.append("done")

    def wait(state, chunks):
        order.append("asked")
        return counts[1]

    monkeypatch.setattr(thread_pool, "CHUNKS", 4)
    with pytest.raises(KeyboardInterrupt):
        thread_pool.share(run, wait, 0, 0, counts, 30, None)
    assert order.count("asked") > 1 and order[-2:] == ["done", "asked"]


def test_many_threads_call_one_plan_and_many(shared, arrays):
    def small(n):
        w = gn.Parameter(np.full(50, float(n)), name=f"w{n}")

        def step(x):
            w.assign(w + x)
            return gn.exp(x * 0.01).sum() + w.sum()

        return w, gn.trace(step, np.ones(50)).compile(backend="native")

    own = [small(n) for n in range(4)]
    expected = [t.numpy() for t in shared(*arrays)]
    wrong = []

    def work(n):
        one = own[n % 4][1]
        x = np.full(50, 1.0)
        for turn in range(12):
            one(x)
            if turn % 4 == 0:
                for found, other in zip(shared(*arrays), expected, strict=True):
                    if not np.array_equal(found.numpy(), other):
                        wrong.append((n, turn))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    for n, (w, _) in enumerate(own):
        # Two threads, twelve times each.
        np.testing.assert_array_equal(w.numpy(), np.full(50, n + 24.0))


def test_plans_that_read_and_write_one_parameter_at_once():
    w = gn.Parameter(np.zeros(20_000))
    write = gn.trace(lambda x: w.assign(w * 0.0 + x), np.ones(20_000)).compile(backend="native")
    read = gn.trace(lambda x: w * 1.0 + x, np.ones(20_000)).compile(backend="native")
    torn, stop = [], threading.Event()

    def look():
        zeros = np.zeros(20_000)
        while not stop.is_set():
            seen = read(zeros).numpy()
            if seen.min() != seen.max():
                torn.append((seen.min(), seen.max()))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for t in threads:
        t.start()
    for n in range(100):
        write(np.full(20_000, float(n)))
    stop.set()
    for t in threads:
        t.join()
    assert not torn


def test_a_plan_switches_while_it_is_called():
    rng = np.random.default_rng(1)
    w = gn.Parameter(rng.standard_normal((6, 3)))

    def step(x):
        y = gn.log_softmax(gn.tanh(x @ w))
        w.assign(w - 0.1 * y.mean(axis=0))
        return y

    x = rng.standard_normal((5, 6))
    graph = gn.trace(step, x)
    start = w.numpy().copy()
    expected = [graph(x).numpy().copy() for _ in range(60)]
    w.assign(start)
    made = graph.compile(backend="auto")
    assert made.backend == "numpy"
    kinds = []
    for n, wanted in enumerate(expected):
        if n == 40:
            made.wait()
        kinds.append(made.backend)
        np.testing.assert_allclose(made(x).numpy(), wanted, rtol=1e-10)
        time.sleep(0.002)
    assert kinds[0] == "numpy" and kinds[-1] == "native"
    assert kinds == sorted(kinds, reverse=True)


@pytest.mark.parametrize(("module", "fails"), [(native, "kernels_of"), (native, "lines_of"), (running, "compiled")])
def test_a_compiler_that_fails_leaves_the_plan_on_numpy(module, fails, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(module, fails, broken)
    made = gn.trace(lambda x: gn.sin(x) * 2.0, np.ones(3)).compile(backend="auto")
    with caplog.at_level(logging.WARNING, "graphnet"):
        for _ in range(4):
            made(np.ones(3))
        made.wait()
    assert "NumPy goes on: no such luck" in caplog.text
    assert made.backend == "numpy"
    np.testing.assert_allclose(made(np.ones(3)).numpy(), 2 * np.sin(np.ones(3)))


def test_compiled_functions_are_pickled_and_copied(monkeypatch):
    monkeypatch.setenv("GRAPHNET_NATIVE", "1")
    f = gn.compile(cube)
    x = gn.tensor([1.0, 2.0])
    expected = f(x).numpy()
    for other in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f), copy.copy(f)):
        np.testing.assert_array_equal(other(x).numpy(), expected)
        assert other.plan.backend == "native" and other.plan is not f.plan


def cube(x):
    return x * x * x


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the size of the process from /proc")
def test_plans_that_are_gone_leave_nothing(monkeypatch):
    engines = []
    load = compiler._load

    def counted(code, exports):
        module = load(code, exports)
        engines.append(weakref.ref(module))
        return module

    monkeypatch.setattr(compiler, "_load", counted)
    sources = len(linecache.cache)

    def make(n):
        made = gn.trace(lambda x: gn.sin(x) * float(n % 7) + gn.sum(x), np.ones(4)).compile(backend="native")
        np.testing.assert_allclose(made(np.ones(4)).numpy(), np.sin(1.0) * (n % 7) + 4.0, rtol=1e-14)

    for n in range(40):
        make(n)
    gc.collect()
    before = resident()
    for n in range(200):
        make(n)
    gc.collect()
    assert sum(e() is not None for e in engines) <= 2
    assert resident() - before < 12 << 20
    assert len(linecache.cache) - sources < 20


def test_outputs_and_functions_outlive_their_plan():
    made = gn.trace(lambda x: [gn.exp(x), x * 2.0], np.ones(1000)).compile(backend="native")
    outputs = [t.numpy() for t in made(np.ones(1000))]
    function = made._running.function
    del made
    gc.collect()
    again = function(np.ones(1000))
    for one, other in zip(outputs, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_shared_loop_runs_alone_when_no_thread_can_be_had(shared, arrays, monkeypatch):
    expected = [t.numpy() for t in shared(*arrays)]

    def refusing():
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(blas, "threads", lambda: 4)
    monkeypatch.setattr(thread_pool, "_pool", thread_pool._Pool())
    monkeypatch.setattr(thread_pool, "_Helper", refusing)
    for found, other in zip(shared(*arrays), expected, strict=True):
        np.testing.assert_array_equal(found.numpy(), other)


@NEEDS_LLVM
def test_several_threads_wait_for_a_repeatable_plan(monkeypatch):
    monkeypatch.delenv("GRAPHNET_NATIVE", raising=False)
    x = gn.input((30,))
    before = gn.repeatable()
    try:
        plans = [gn.Graph([x], gn.tanh(x * (n + 1.0)).sum()).compile() for n in range(4)]
    finally:
        gn.repeatable(before)
    for plan in plans:
        threads = [threading.Thread(target=plan.wait) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            plan(np.zeros(30, np.float32))
        for thread in threads:
            thread.join()
        assert plan.backend == "native" and plan(np.zeros(30, np.float32)).item() == 0.0
