"""Plans: the same values as the graph, in buffers of their own, in the parameters' own arrays; and gn.compile."""

import threading
import traceback
import tracemalloc

import numpy as np
import pytest
from backends import each_backend, settled
from samples import COMPOSITES, ROWS, Row, Sample

import graphnet as gn
from graphnet import nn

TABLE = {**ROWS, **{f"{name} (composite)": r for name, r in COMPOSITES.items()}}
CASES = [pytest.param(r, s, id=f"{name}-{i}") for name, r in TABLE.items() for i, s in enumerate(r.samples)]


def middle(row):
    """Inputs in the middle of a row's domains, that broadcast."""
    shapes = [(2, 3), (3,), ()]
    return Sample(tuple(np.full(shapes[i], (a + b) / 2 + 0.03 * i) for i, (a, b) in enumerate(row.domains)))


CASES += [pytest.param(r, middle(r), id=n) for n, r in ROWS.items() if r.domains]
CASES = [c for c in CASES if c.values[0].name != "round"]


def same(found, expected, rtol=1e-12):
    assert found.shape == expected.shape and found.dtype == expected.dtype
    tight = rtol if expected.dtype != np.float32 else 3e-6
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=tight, atol=tight / 10)


def cast(arrays, dtype):
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]


@each_backend
@pytest.mark.parametrize(("row", "sample"), CASES)
def test_a_plan_gives_what_the_graph_gives(row: Row, sample: Sample, backend):
    # Both widths in one plan: compiling is what takes the time.
    kinds = (np.float64, np.float32)
    arrays = [a for dtype in kinds for a in cast(sample.arrays, dtype)]
    count = len(sample.arrays)
    g = gn.trace(lambda *a: [row.call(*part, **sample.kwargs) for part in (a[:count], a[count:])], *arrays)
    plan = g.compile(backend=backend)
    first = plan(*arrays)
    for found, expected in zip(first, g(*arrays), strict=True):
        same(found, expected)
    kept = [t.numpy().copy() for t in first]
    other = [a * 0.5 if a.dtype.kind == "f" else a for a in arrays]
    with np.errstate(all="ignore"):
        for found, expected in zip(plan(*other), g(*other), strict=True):
            same(found, expected)
    for found, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(found.numpy(), before)
    for a, b in zip([a for dtype in kinds for a in cast(sample.arrays, dtype)], arrays, strict=True):
        np.testing.assert_array_equal(a, b)


@each_backend
@pytest.mark.parametrize(("row", "sample"), [c for c in CASES if c.values[0].differentiable])
def test_a_planned_gradient_is_the_gradient(row: Row, sample: Sample, backend):
    def total(*xs):
        y = row.call(*xs, **sample.kwargs)
        return (y * np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)).sum()

    g = gn.trace(total, *sample.arrays)
    slopes = g.gradient(list(g.inputs))
    found = slopes.compile(backend=backend)(*sample.arrays)
    for one, expected in zip(found, slopes(*sample.arrays), strict=True):
        same(one, expected)


@each_backend
def test_updates_are_written_into_the_parameters_own_arrays_after_every_read(backend):
    a, b = gn.Parameter([1.0, 2.0], name="a"), gn.Parameter([10.0, 20.0], name="b")

    def swap(x):
        old = a + 0.0
        a.assign(b)
        b.assign(old)
        return (a - b) * x

    plan = gn.trace(swap, np.ones(2)).compile(backend=backend)
    own = id(a._value)
    np.testing.assert_array_equal(plan([1.0, 1.0]).numpy(), [9, 18])
    np.testing.assert_array_equal(a.numpy(), [10, 20])
    np.testing.assert_array_equal(b.numpy(), [1, 2])
    assert id(a._value) == own
    a.assign([5.0, 5.0])
    plan([0.0, 0.0])
    np.testing.assert_array_equal(b.numpy(), [5, 5])

    c = gn.Parameter([1.0, 1.0])

    def twice(x):
        before = c * 1.0
        c.assign(c * 2.0 + x)
        c.assign(c * 2.0)
        return before, c + 0.5

    plan = gn.trace(twice, np.ones(2)).compile(backend=backend)
    before, after = plan([1.0, 1.0])
    np.testing.assert_array_equal(before.numpy(), [1, 1])
    np.testing.assert_array_equal(after.numpy(), [6.5, 6.5])
    np.testing.assert_array_equal(c.numpy(), [6, 6])


def test_a_held_array_of_a_parameter_keeps_its_values(everywhere):
    w = gn.Parameter([1.0, 2.0])
    step = gn.compile(lambda x: w.assign(w - x))
    held, view = w.numpy(), w.numpy()[1:]
    step(gn.tensor([0.5, 0.5]))
    np.testing.assert_array_equal(held, [1, 2])
    np.testing.assert_array_equal(view, [2])
    np.testing.assert_array_equal(w.numpy(), [0.5, 1.5])
    own = id(w._value)
    step(gn.tensor([0.5, 0.5]))
    assert id(w._value) == own


def test_a_parameter_given_as_an_argument_is_read_before_it_is_written(everywhere):
    count = gn.Parameter(np.int64(3), trainable=False)

    @gn.compile
    def step(n):
        count.assign(n + 1)
        return n * 10

    assert step(count).item() == 30 and count.item() == 4
    assert step(count).item() == 40 and count.item() == 5


def test_a_history_through_an_updated_parameter_is_void(everywhere):
    w = gn.Parameter([1.0, 2.0], name="w")
    loss = (w * w).sum()
    step = gn.compile(lambda x: w.assign(w - x))
    step(gn.tensor([0.5, 0.5]))
    with pytest.raises(RuntimeError, match="the parameter 'w' was changed"):
        loss.backward()


def test_the_source_can_be_read():
    w = gn.Parameter(np.ones((3, 2), "float32"), name="kernel")
    x = gn.input((4, 3), name="x")
    with gn.region("dense_1", "Dense"):
        y = gn.relu(x @ w)
    plan = gn.Graph([x], y.sum()).compile(backend="numpy")
    assert plan.source.startswith("def step(v_x, v_kernel")
    assert (
        "k_matmul(v_x, v_kernel, v_t0)" in plan.source
        and "# dense_1, matmul -> float32[4, 2], test_compile.py:" in plan.source
    )
    assert repr(plan).startswith("<Plan of 5 nodes in 3 steps, numpy: 64 bytes of buffers for values of 32")
    assert "at once, in step 0 (dense_1 matmul -> float32[4, 2])" in repr(plan)


def test_buffers_are_shared():
    x = y = gn.input((1000,), name="x")
    for _ in range(20):
        y = gn.sin(y) * 2.0
    plan = gn.Graph([x], y).compile(backend="numpy")
    assert plan.arena.total <= 2 * (x.nbytes + 64) and plan.arena.peak <= plan.arena.total


@each_backend
def test_a_step_allocates_nothing_of_size(backend):
    w = gn.Parameter(np.full((300, 300), 0.01, "float32"))

    def step(x):
        loss = gn.tanh(x @ w).sum()
        with gn.no_grad():
            w.assign(w - 0.01 * gn.gradients(loss, w))
        return loss

    plan = gn.trace(step, np.ones((50, 300), "float32")).compile(backend=backend)
    x = np.ones((50, 300), "float32")
    plan(x)
    settled()
    tracemalloc.start()
    for _ in range(5):
        plan(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000


def test_compile_specialises_and_counts(everywhere):
    f = gn.compile(lambda p, scale=2: p["w"] * p["x"][0] * scale)
    with pytest.raises(ValueError, match="no source before the first call"):
        f.source  # noqa: B018
    p = {"w": np.ones(3), "x": [np.full(3, 2.0)]}
    np.testing.assert_array_equal(f(p).numpy(), [4, 4, 4])
    f(p)
    assert f.compilations == 1
    f({"w": np.ones(2), "x": [np.ones(2)]})
    assert f.compilations == 2
    np.testing.assert_array_equal(f(p, 3).numpy(), [6, 6, 6])
    assert f.compilations == 3 and "multiply -> float64[3]" in f.source


def test_the_cache_of_plans_is_bounded():
    f = gn.compile(lambda x: x + 1.0)
    for n in range(40):
        f(np.zeros(n + 1))
    assert len(f._plans) == 32 and f.compilations == 40


def test_derivatives_of_compiled_functions(everywhere):
    def f(x):
        return (gn.sin(x) * x).sum()

    x = gn.tensor([0.3, 1.2])
    np.testing.assert_allclose(gn.grad(gn.compile(f))(x).numpy(), gn.grad(f)(x).numpy())
    np.testing.assert_allclose(gn.compile(gn.grad(f))(x).numpy(), gn.grad(f)(x).numpy())
    np.testing.assert_allclose(gn.hessian(gn.compile(f))(x).numpy(), gn.hessian(f)(x).numpy())
    w = gn.Parameter([2.0, 3.0])
    gn.compile(lambda x: (w * x).sum())(x).backward()
    np.testing.assert_allclose(w.grad.numpy(), x.numpy())


def test_threads_share_a_plan(everywhere):
    f = gn.compile(lambda x: gn.sin(x) * 2.0 + gn.cos(x * 3.0))
    xs = [np.full(20_000, i / 7) for i in range(8)]
    expected = [np.sin(x) * 2 + np.cos(x * 3) for x in xs]
    wrong = []

    def work(i):
        for _ in range(20):
            if not np.allclose(f(xs[i]).numpy(), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


OPTIMIZERS = {
    "sgd": lambda: nn.optimizers.SGD(0.1),
    "momentum": lambda: nn.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: nn.optimizers.Adam(0.01, global_clipnorm=1.0),
    "rmsprop": lambda: nn.optimizers.RMSprop(0.005, weight_decay=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_compiled_is_training_eagerly(name, everywhere):
    x, y, *_ = gn.datasets.load_digits()
    logs = []
    for eager in (True, False):
        nn.set_random_seed(3)
        model = nn.Sequential(
            [
                nn.Input((64,)),
                nn.Dense(24, activation="relu", kernel_regularizer=nn.regularizers.L2(1e-3)),
                nn.Dropout(0.3),
                nn.Dense(10, activation="softmax"),
            ]
        )
        model.compile(OPTIMIZERS[name](), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=eager)
        history = model.fit(x[:330], y[:330], epochs=6, batch_size=32, validation_split=0.1, verbose=0)
        logs.append((history.history, model.get_weights(), model.predict(x[:5])))
    for key, values in logs[0][0].items():
        np.testing.assert_allclose(logs[1][0][key], values, rtol=1e-5, atol=1e-6)
    for a, b in zip(logs[0][1], logs[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_step_that_cannot_be_traced_runs_eagerly_and_says_so():
    def largest(y_true, y_pred):
        return gn.tensor(float(y_pred.numpy().max()))

    x, y, *_ = gn.datasets.load_digits()
    model = nn.Sequential([nn.Input((64,)), nn.Dense(10, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[largest])
    with pytest.warns(
        UserWarning, match="cannot be compiled and runs eagerly, which is slower: the value of the symbolic"
    ):
        model.fit(x[:320], y[:320], batch_size=16, epochs=2, verbose=0)
    assert model.steps.run_eagerly and len(model.history.epoch) == 2


def test_a_traceback_shows_the_line_of_a_plan():
    plan = gn.trace(lambda x, i: x[i] * 2.0, np.ones(3), np.zeros(2, int)).compile(backend="numpy")
    with pytest.raises(IndexError) as caught:
        plan(np.ones(3), np.array([0, 7]))
    text = "".join(traceback.format_exception(caught.value))
    assert 'File "graphnet numpy plan' in text and "# getitem -> float64[2], test_compile.py:" in text
