"""A plan that is entered again while it runs is right; what would lose an update raises; nobody waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from backends import each_backend

import graphnet as gn

X = np.array([1.0, 2.0])
LATE = 20


class Calls:
    """What a user's op calls besides: set by a test."""

    function = None
    depth = 0


@gn.op(lambda x: x.shape, vjp=(lambda g, y, x: g * 3.0,), name="calling_test_op")
def calling(x):
    """`x * 3`, and a call of something else."""
    if Calls.function is not None:
        return x * 3.0 + 0.0 * np.asarray(Calls.function(x))
    return x * 3.0


@pytest.fixture(autouse=True)
def nothing_is_called():
    yield
    Calls.function = None


def body(x):
    y = gn.exp(x * 0.1) * 3.0
    return y + calling(x) - gn.sqrt(y)


def expected(x):
    y = np.exp(x * 0.1) * 3.0
    return y + 3.0 * x - np.sqrt(y)


def entered(call, times=1):
    """`call`, each call of which calls it again on other numbers, `times` deep; the inner results."""
    seen = []

    def again(x):
        if Calls.depth >= times:
            return x
        Calls.depth += 1
        try:
            seen.append((x + 1.0, call(x + 1.0).numpy().copy()))
        finally:
            Calls.depth -= 1
        return x

    Calls.function = again
    return seen


@each_backend
@pytest.mark.parametrize("times", [1, 3])
def test_a_plan_called_from_inside_itself(backend, times):
    graph = gn.trace(body, X)
    w = gn.Parameter([1.0, 1.0])
    ways = [
        gn.compile(body, backend=backend),
        graph.compile(backend=backend),
        gn.compile(lambda x: body(x * w), backend=backend),
        gn.compile(lambda x: gn.scan(lambda c, _: (body(c), None), x, length=1)[0], backend=backend),
        lambda x: gn.scan(lambda c, _: (body(c), None), gn.tensor(x), length=1)[0],
    ]
    for call in ways:
        Calls.function = None
        call(X)
        seen = entered(call, times)
        for _ in range(2):
            np.testing.assert_allclose(call(X).numpy(), expected(X), rtol=1e-12)
        assert len(seen) == 2 * times
        for x, y in seen:
            np.testing.assert_allclose(y, expected(x), rtol=1e-12)


@each_backend
def test_a_plan_called_from_inside_itself_with_gradients(backend):
    call = gn.compile(lambda x: body(x).sum(), backend=backend)
    expected_slope = gn.grad(lambda x: body(x).sum())(X).numpy()
    slopes = []

    def again(x):
        if not Calls.depth:
            Calls.depth = 1
            try:
                slopes.append(gn.grad(call)(X).numpy())
            finally:
                Calls.depth = 0
        return x

    Calls.function = again
    np.testing.assert_allclose(gn.grad(call)(X).numpy(), expected_slope, rtol=1e-12)
    for slope in slopes:
        np.testing.assert_allclose(slope, expected_slope, rtol=1e-12)
    assert slopes


@each_backend
def test_an_error_inside_leaves_the_plan_as_it_was(backend):
    call = gn.compile(body, backend=backend)
    call(X)

    def failing(x):
        raise ValueError("not today")

    for _ in range(2):
        Calls.function = failing
        with pytest.raises(ValueError, match="not today"):
            call(X)
        Calls.function = None
        np.testing.assert_allclose(call(X).numpy(), expected(X), rtol=1e-12)


@each_backend
def test_reading_what_a_step_assigns_is_right_and_assigning_it_twice_raises(backend):
    w = gn.Parameter([1.0, 1.0], name="w")
    other = gn.Parameter([0.0, 0.0], name="other")

    def step(x):
        y = calling(x)
        w.assign(w + y)
        return w * 1.0

    call = gn.compile(step, backend=backend)
    call(X)
    before = w.numpy().copy()
    reading = gn.compile(lambda x: x * w, backend=backend)
    writing = gn.compile(lambda x: other.assign(other + w * x), backend=backend)

    # What is called reads the values from before, and may change what the step does not.
    def inside(x):
        np.testing.assert_array_equal(reading(x).numpy(), x * before)
        writing(x)
        return x

    Calls.function = inside
    np.testing.assert_array_equal(call(X).numpy(), before + 3.0 * X)
    np.testing.assert_array_equal(other.numpy(), before * X)
    # The same parameter: one of both updates would be lost.
    for assigning in (
        lambda x: (w.assign(w + 1.0), x)[1],
        lambda x: (gn.compile(lambda t: w.assign(w + t), backend=backend)(x), x)[1],
        lambda x: (setattr(Calls, "function", None), call(x), x)[2],
    ):
        kept = w.numpy().copy()
        Calls.function = assigning
        with pytest.raises((RuntimeError, ValueError), match="'w' was assigned by what the op calling_test_op calls"):
            call(X)
        # The step that raised has assigned nothing, what it called has.
        assert (w.numpy() != kept).any()
        Calls.function = None
        now = w.numpy().copy()
        np.testing.assert_array_equal(call(X).numpy(), now + 3.0 * X)


@each_backend
def test_a_users_op_may_wait_for_threads_that_call_the_same_plan(backend):
    w = gn.Parameter([1.0, 1.0])
    call = gn.compile(lambda x: body(x) * w, backend=backend)
    with gn.no_grad():
        call(X)
    with ThreadPoolExecutor(2) as pool:

        def inside(x):
            if threading.current_thread() is main:
                with gn.no_grad():
                    found = list(pool.map(lambda n: call(X + n).numpy(), range(4)))
                for n, y in enumerate(found):
                    np.testing.assert_allclose(y, expected(X + n), rtol=1e-12)
            return x

        results = []

        def work():
            with gn.no_grad():
                results.append(call(X).numpy())

        main = threading.Thread(target=work, daemon=True)
        Calls.function = inside
        main.start()
        main.join(LATE)
        assert not main.is_alive()
    np.testing.assert_allclose(results[0], expected(X), rtol=1e-12)


@each_backend
def test_threads_that_call_one_plan_get_their_own_results(backend):
    call = gn.compile(body, backend=backend)
    call(X)
    with ThreadPoolExecutor(4) as pool:
        for n, y in enumerate(pool.map(lambda n: call(X + n).numpy(), range(40))):
            np.testing.assert_allclose(y, expected(X + n), rtol=1e-12)
