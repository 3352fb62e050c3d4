"""Plans that find no room for several threads of BLAS go on with one, and look again later."""

import numpy as np
import pytest

import graphnet as gn
from graphnet.plans import blas, blas_threads, running


def test_slow_runs_make_room_and_room_is_looked_for_again(monkeypatch):
    monkeypatch.setattr(blas_threads, "TRIALS", ())
    one = blas_threads.Throttle()
    now = 0.0

    def run(seconds):
        nonlocal now
        one.note(now, now + seconds)
        now += seconds

    for _ in range(10):
        run(0.002)
    run(0.05)
    assert not one.narrow(now), "one slow run can have any reason"
    run(0.002)
    run(0.05)
    assert not one.narrow(now)
    run(0.05)
    assert (
        one.narrow(now)
        and one.narrow(now + 0.9 * blas_threads.SHORTEST)
        and not one.narrow(now + 1.1 * blas_threads.SHORTEST)
    )
    now += 1.1 * blas_threads.SHORTEST
    run(0.05)
    assert one.narrow(now + 1.9 * blas_threads.SHORTEST) and not one.narrow(now + 2.1 * blas_threads.SHORTEST)
    for _ in range(20):
        now += 2 * blas_threads.LONGEST
        run(0.05)
        assert one.narrow(now) and not one.narrow(now + 1.01 * blas_threads.LONGEST)
    now += 2 * blas_threads.LONGEST
    for _ in range(100):
        run(0.002)
    run(0.05)
    assert not one.narrow(now)
    run(0.05)
    assert one.narrow(now) and not one.narrow(now + 1.1 * blas_threads.SHORTEST)


def test_where_there_never_was_room_one_thread_is_known_to_be_faster():
    one = blas_threads.Throttle()
    narrow = []
    for n in range(8):
        narrow.append(one.narrow(float(n)))
        (one.note_alone if narrow[-1] else one.note)(n, n + (0.001 if narrow[-1] else 0.03))
        if n == 6:
            assert one.alone == pytest.approx(0.001) and one.narrow(n + 0.05)
    assert narrow[:7] == [False, False, True, True, True, False, False]


def test_short_runs_are_never_slow():
    one = blas_threads.Throttle()
    for seconds in (1e-5, 2e-4, 2e-4, 2e-4):
        one.note(0.0, seconds)
    assert not one.narrow(0.001)


@pytest.mark.skipif(blas.found() is None, reason="NumPy is built on another BLAS")
def test_threads_of_blas_are_limited_and_given_back(monkeypatch):
    before = blas.threads()
    blas.found().limit(2)
    try:
        with blas_threads.one_thread:
            assert blas.threads() == 1
            with blas_threads.one_thread:
                assert blas.threads() == 1
            assert blas.threads() == 1
        assert blas.threads() == 2

        made = gn.trace(lambda a, b: a @ b, np.ones((3, 3)), np.ones((3, 3))).compile(backend="numpy")
        seen = []
        function = made._running.function
        watched = lambda *arrays: (seen.append(blas.threads()), function(*arrays))[1]  # noqa: E731
        made._running = made._running._replace(function=watched)
        monkeypatch.setattr(blas_threads, "TRIALS", ())
        times = iter([0.0, 0.001, 1.0, 1.1, 2.0, 2.1, 2.11, 2.12, 9.0, 9.001])
        monkeypatch.setattr(running, "clock", lambda: next(times))
        for _ in range(5):
            np.testing.assert_array_equal(made(np.ones((3, 3)), np.ones((3, 3))).numpy(), np.full((3, 3), 3.0))
        assert seen == [2, 2, 2, 1, 2] and blas.threads() == 2
    finally:
        blas.found().limit(before)
