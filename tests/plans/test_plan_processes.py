"""Native plans and processes: forked and spawned ones, beside PyTorch, at exit. Each test starts an interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest
from backends import NEEDS_LLVM

from graphnet.plans import blas

pytestmark = NEEDS_LLVM
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
TORCH = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")

HEAD = """
import multiprocessing, os, sys, threading, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import graphnet as gn
from graphnet.plans import blas
from graphnet.plans.code import compiler

def plan(n=0, backend="native", shape=(3, 4)):
    return gn.trace(lambda x: gn.tanh(x * (1.0 + n)) @ np.ones((shape[1], 2)), np.ones(shape)).compile(backend=backend)

def large():
    return gn.trace(lambda x: gn.tanh(x) * 2.0, np.ones((1000, 600))).compile(backend="native")

def right(made, n=0, shape=(3, 4)):
    return np.allclose(made(np.ones(shape)).numpy(), np.tanh(1.0 + n) * shape[1])

def right_large(made):
    return np.allclose(made(np.ones((1000, 600))).numpy(), np.tanh(1.0) * 2.0)

def in_child(work):
    pid = os.fork()
    if pid == 0:
        ok = False
        try:
            ok = work()
        finally:
            os._exit(0 if ok else 1)
    end = time.time() + 60
    while time.time() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hangs"
"""


def run(body, env=(), timeout=120):
    """What the body prints; it has to end by itself, well, and say nothing else."""
    script = HEAD + textwrap.dedent(body)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **dict(env)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    return done.stdout.split()


@FORKS
def test_a_forked_process_calls_and_makes_plans():
    assert run("""
        small, big = plan(), large()
        assert right(small) and right_large(big)
        blas.threads = lambda: 3
        assert right_large(big)
        print(in_child(lambda: right(small) and right_large(big) and right(plan(5), 5) and right_large(large())))
        print(in_child(lambda: in_child(lambda: right_large(big) and right(plan(6), 6)) == 0))
        assert right(small) and right_large(big) and right(plan(7), 7)
    """) == ["0", "0"]


@FORKS
def test_a_fork_while_others_compile_and_call():
    assert (
        run(
            """
        blas.threads = lambda: 3
        big, f = large(), gn.compile(lambda x: gn.exp(x) + x)
        stop = False
        def compiling(k):
            n = 0
            while not stop:
                n += 1
                assert right(plan(n * 1e-3 + k), n * 1e-3 + k)
        def calling():
            while not stop:
                assert right_large(big)
        def tracing():
            n = 0
            while not stop:
                n += 1
                f(np.zeros(n % 50 + 1))
        workers = [threading.Thread(target=compiling, args=(1,)), threading.Thread(target=calling),
                   threading.Thread(target=tracing)]
        for w in workers:
            w.start()
        time.sleep(0.3)
        def work():
            return right(plan(0.77), 0.77) and right_large(big) and f(np.zeros(51)).shape == (51,)
        found = []
        for _ in range(8):
            found.append(in_child(work))
            time.sleep(0.02)
        stop = True
        for w in workers:
            w.join()
        print(*found)
    """,
            env={"GRAPHNET_CACHE_DIR": "0", "GRAPHNET_NATIVE": "1"}.items(),
        )
        == ["0"] * 8
    )


@FORKS
def test_a_child_of_a_plan_that_is_being_compiled_goes_on_and_compiles_itself():
    assert run(
        """
        made = plan(backend="auto")
        for _ in range(4):
            right(made)
        def work():
            ok = right(made)
            for _ in range(5):
                ok = ok and right(made)
            made.wait()
            return ok and right(made) and made.backend == "native"
        print(in_child(work))
        made.wait()
        assert right(made) and made.backend == "native"
    """,
        env={"GRAPHNET_CACHE_DIR": "0"}.items(),
    ) == ["0"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes(method, tmp_path):
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    script = tmp_path / "pooled.py"
    script.write_text(
        HEAD
        + textwrap.dedent(f"""
        f = gn.compile(np.sin)
        def work(n):
            return float(plan(n)(np.ones((3, 4))).numpy()[0, 0]), large()(np.ones((1000, 600))).numpy()[7, 7]
        if __name__ == "__main__":
            assert right(plan()) and right_large(large())
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                for n, (a, b) in enumerate(pool.map(work, range(4))):
                    assert abs(a - np.tanh(1.0 + n) * 4) < 1e-12 and abs(b - np.tanh(1.0) * 2) < 1e-12
    """)
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05])
def test_the_interpreter_exits_cleanly_while_it_compiles(delay):
    assert run(
        f"""
        made = [plan(n, backend="auto") for n in range(4)]
        for _ in range(3):
            for n, one in enumerate(made):
                assert right(one, n)
        time.sleep({delay})
        print("done")
    """,
        env={"GRAPHNET_CACHE_DIR": "0"}.items(),
    ) == ["done"]


def test_plans_work_in_exit_handlers_and_in_daemon_threads():
    assert run("""
        import atexit
        blas.threads = lambda: 3
        big, made = large(), plan()
        assert right_large(big)
        def last():
            print("right" if right_large(big) and right(made) and right(plan(3), 3) else "wrong", flush=True)
        atexit.register(last)
        def forever():
            while True:
                right_large(big)
        threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.1)
    """) == ["right"]


def test_one_thread_for_blas_is_one_thread_for_loops():
    assert run(
        """
        assert blas.threads() == 1 or blas.found() is None, blas.threads()
        assert right_large(large())
        print(sum(t.name.startswith("graphnet") for t in threading.enumerate()))
    """,
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}.items(),
    ) == ["0"]


@TORCH
@pytest.mark.parametrize("first", ["torch", "graphnet"])
def test_beside_pytorch(first):
    script = """
        x = np.linspace(-1, 1, 1200000).reshape(1200, 1000)
        def torch_is_right():
            t = torch.from_numpy(x)
            y = torch.tanh(t) @ t.T[:, :50]
            return np.allclose(y.numpy(), np.tanh(x) @ x.T[:, :50])
        def graphnet_is_right():
            g = gn.trace(lambda x: gn.tanh(x) @ x.T[:, :50], x).compile(backend="native")
            return np.allclose(g(x).numpy(), np.tanh(x) @ x.T[:, :50])
        for _ in range(2):
            print(torch_is_right(), graphnet_is_right())
    """
    body = "import torch\n" + textwrap.dedent(script)
    if first == "torch":
        body = textwrap.dedent(script)
        done = subprocess.run(
            [sys.executable, "-c", "import torch\n" + HEAD + body], capture_output=True, text=True, timeout=120
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == ["True"] * 4
    else:
        assert run(body) == ["True"] * 4


@FORKS
@pytest.mark.skipif(blas.found() is None, reason="NumPy is built on another BLAS")
@pytest.mark.parametrize(
    ("other", "threads"),
    [
        ("", 2),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", 2),
        ("threading.Thread(target=work, daemon=True).start()", 1),
    ],
    ids=["alone", "beside_a_thread_that_sleeps", "beside_a_thread_at_work"],
)
def test_threads_of_blas_in_a_child(other, threads):
    # A lock of OpenBLAS that another thread of the parent held stays locked in the child: a product on several threads
    # would wait for it for good.
    assert (
        run(f"""
        import hashlib
        blas.found().limit(2)
        big = np.ones((400, 400), np.float32)
        product = gn.trace(lambda x: x @ x, big).compile()
        product(big)

        def work():
            while True:
                hashlib.pbkdf2_hmac("sha256", b"", b"", 10**6)

        def in_order():
            right = (product(big).numpy() == 400.0).all() and (big @ big == 400.0).all()
            return right and blas.threads() == {threads}

        {other}
        time.sleep(0.2)
        for _ in range(5):
            print(in_child(in_order), blas.threads())
        sys.stdout.flush()
        os._exit(0)
    """)
        == ["0", "2"] * 5
    )
