"""`vmap` gives what a loop over rows gives: values, gradients, through everything that takes a function."""

import collections
import functools

import numpy as np
import pytest
from samples import ROWS
from test_batching import CASES, places_of

import graphnet as gn
from graphnet.node import Tensor

pytestmark = pytest.mark.usefixtures("loops_on_numpy")

X = np.linspace(-1.0, 1.5, 12).reshape(4, 3)
W = np.array([0.5, -1.0, 2.0])


def loop(f, *args, axes=None):
    """`f` for one row after the other, stacked; `axes` as in_axes."""
    axes = (0,) * len(args) if axes is None else axes
    count = next(a.shape[axis] for a, axis in zip(args, axes, strict=True) if axis is not None)
    rows = [
        f(*(a if axis is None else gn.take(a, n, axis=axis) for a, axis in zip(args, axes, strict=True)))
        for n in range(count)
    ]
    return gn.stack(rows)


def close(found, expected, rtol=1e-12, atol=1e-12):
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=rtol, atol=atol)


@pytest.mark.parametrize(("row", "arrays", "kwargs"), CASES)
def test_every_op_is_a_loop_over_rows(row, arrays, kwargs):
    def f(*xs):
        y = row.call(*xs, **kwargs)
        return y if isinstance(y, Tensor) else gn.concatenate([gn.ravel(t) for t in y])

    smooth = row.differentiable and all(a.dtype.kind == "f" for a in arrays)
    with np.errstate(all="ignore"):
        for only in (None, *range(len(arrays) if len(arrays) > 1 else 0)):
            wide = [only is None or n == only for n in range(len(arrays))]
            given = [gn.tensor(places_of(a) if b else a) for a, b in zip(arrays, wide, strict=True)]
            axes = tuple(0 if b else None for b in wide)
            expected = loop(f, *given, axes=axes)
            for axis in range(max(a.ndim for a, b in zip(arrays, wide, strict=True) if b) + 1):
                # The rows along any axis of those that have so many.
                own = tuple(min(axis, a.ndim) if b else None for a, b in zip(arrays, wide, strict=True))
                moved = [x if n is None else gn.moveaxis(x, 0, n) for x, n in zip(given, own, strict=True)]
                close(gn.vmap(f, own)(*moved), expected)
            if smooth and expected.dtype.kind == "f":
                same_slopes(f, given, axes, np.random.default_rng(0).normal(size=expected.shape))


def same_slopes(f, given, axes, weights):
    every = tuple(range(len(given)))
    found = gn.grad(lambda *xs: (gn.vmap(f, axes)(*xs) * weights).sum(), every)(*given)
    slopes = gn.grad(lambda *xs: (loop(f, *xs, axes=axes) * weights).sum(), every)(*given)
    for h, e in zip(found, slopes, strict=True):
        close(h, e, rtol=1e-11)


def test_all_rows_are_tried():
    assert len({id(case.values[0]) for case in CASES}) >= 0.9 * len(ROWS)


# --- what f can be made of, and what can be made of it


@gn.custom_gradient
def tripled(x, w):
    y = gn.exp(x) * w.sum()
    return y, lambda g: (3 * g * y, 2 * (g * y).sum() * gn.ones_like(w))


@gn.custom_gradient
def tied(x, w):
    return {"a": gn.sin(x), "b": x.sum() * w}, lambda a, b: (a * w + b.sum(), b * x.sum())


def summed(x, w):
    return gn.scan(lambda c, r: (c * 0.5 + r * w.sum(), gn.sin(c)), x[0], x)[1]


def counted(x, w):
    """A loop of which one carry is the same in all rows."""
    (n, last), (ys, _) = gn.scan(
        lambda c, r: ((c[0] + w.sum(), gn.tanh(c[1] * r + c[0])), (c[1], c[0])), (gn.tensor(0.0), x[0]), x, reverse=True
    )
    return last * n + ys.sum()


@gn.compile(backend="numpy")
def compiled(x, w):
    return gn.tanh(x * w).sum(), x * w.sum()


def partly(x, w):
    with gn.no_grad():
        scale = gn.exp(x).sum() * w.sum()
    return x * scale * w


FUNCTIONS = {
    "plain": lambda x, w: gn.tanh(x * w).sum() * x,
    "slope": lambda x, w: gn.grad(lambda x: (gn.sin(x * w) ** 2).sum())(x),
    "slope of weights": lambda x, w: gn.grad(lambda w: (gn.sin(x * w) ** 2).sum())(w),
    "value and slope": lambda x, w: gn.value_and_grad(lambda x: (x * w).sum() ** 2)(x)[1],
    "jvp": lambda x, w: gn.jvp(lambda x: x**3 * w, (x,), (w,))[1],
    "vjp": lambda x, w: gn.vjp(lambda x: x**3 * w, x)[1](w)[0],
    "jacobian": lambda x, w: gn.jacobian(lambda x: gn.sin(x) * w.sum())(x),
    "hessian": lambda x, w: gn.hessian(lambda x: (x**3 * w).sum() * x[0])(x),
    "hvp": lambda x, w: gn.hvp(lambda x: (x**3).sum() * x[0])(x, w),
    "custom": tripled,
    "custom, two results": lambda x, w: (lambda d: d["a"] * d["b"])(tied(x, w)),
    "checkpoint": gn.checkpoint(lambda x, w: gn.tanh(gn.exp(x) * w)),
    "custom in a checkpoint": gn.checkpoint(lambda x, w: tripled(gn.sin(x), w)),
    "scan": summed,
    "scan with a shared carry": counted,
    "compiled": lambda x, w: compiled(x, w)[0] * compiled(x, w)[1],
    "slope of compiled": lambda x, w: gn.grad(lambda x: compiled(x, w)[0])(x),
    "nested": lambda x, w: gn.vmap(lambda a, b: a * b * w, in_axes=(0, None))(x, x[0]).sum(axis=1),
    "without a gradient": partly,
    "stopped": lambda x, w: x * gn.stop_gradient(x * w),
    "an index of the row": lambda x, w: w[gn.argsort(x)] * x,
    "written to": lambda x, w: gn.set_at(w, gn.argmax(x), x[0]),
    "clipped": lambda x, w: gn.where(x > w.sum(), x, gn.clip(x, -0.5, w)),
    "a choice": lambda x, w: gn.cond((x * w).sum() > 0.3, lambda a: gn.sin(a) * w, lambda a: a * a * a, x),
    "a bounded loop": lambda x, w: gn.while_loop(lambda c: c.sum() < 9.0, lambda c: c * 1.5 + w * w, gn.abs(x), 12),
    "random": lambda x, w: x * gn.random_normal(7, (3,), dtype="float64") + w,
}


@pytest.mark.parametrize("axes", [(0, None), (0, 0), (None, 0)], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives_are_those_of_the_loop(name, axes):
    f = FUNCTIONS[name]
    if (name, axes) == ("scan", (None, 0)):
        x, w = X, np.stack([W, W + 1, W * 2, W - 1])
    elif name in ("scan", "scan with a shared carry"):
        x, w = np.stack([X, X + 0.3, X * 2, X - 1]), np.stack([W, W + 1, W * 2, W - 1])
        x, w = (x if axes[0] == 0 else X), (w if axes[1] == 0 else W)
    else:
        x, w = (X if axes[0] == 0 else X[1]), (np.stack([W, W + 1, W * 2, W - 1]) if axes[1] == 0 else W)
    mapped, looped = gn.vmap(f, axes), functools.partial(loop, f, axes=axes)

    def loss(way):
        return lambda x, w: (way(x, w) ** 2).sum()

    def second(way):
        return lambda x, w: sum((h * h).sum() for h in gn.grad(loss(way), (0, 1))(x, w))

    x, w = gn.tensor(x), gn.tensor(w)
    close(mapped(x, w), looped(x, w))
    for way in (lambda g: g, functools.partial(gn.compile, backend="numpy")):
        close(way(mapped)(x, w), looped(x, w))
        for found, expected in zip(
            way(gn.grad(loss(mapped), (0, 1), allow_constant=True))(x, w),
            gn.grad(loss(looped), (0, 1), allow_constant=True)(x, w),
            strict=True,
        ):
            close(found, expected, rtol=1e-10)
        for found, expected in zip(
            way(gn.grad(second(mapped), (0, 1), allow_constant=True))(x, w),
            gn.grad(second(looped), (0, 1), allow_constant=True)(x, w),
            strict=True,
        ):
            close(found, expected, rtol=1e-9, atol=1e-9)
    graph = gn.trace(mapped, x, w)
    graph.check()
    close(graph(x, w), looped(x, w))
    close(graph.simplify()(x, w), looped(x, w))
    with gn.no_grad():
        y = mapped(x, w)
    assert not y.requires_grad
    close(y, looped(x, w))


@pytest.mark.parametrize("transform", [gn.jacobian, gn.hessian])
def test_jacobians_and_hessians_go_through_it(transform):
    f = gn.vmap(lambda x: gn.sin(x).prod() * x.sum())
    inner, outer = (f, functools.partial(loop, lambda x: gn.sin(x).prod() * x.sum()))
    if transform is gn.hessian:
        inner, outer = (lambda x: f(x).sum()), (lambda x: loop(lambda x: gn.sin(x).prod() * x.sum(), x).sum())
    close(transform(inner)(gn.tensor(X)), transform(outer)(gn.tensor(X)))


def test_forward_derivatives_go_through_it():
    f, v = gn.vmap(lambda x: gn.sin(x).prod() * x), X[::-1].copy()
    g = functools.partial(loop, lambda x: gn.sin(x).prod() * x)
    for found, expected in zip(gn.jvp(f, (X,), (v,)), gn.jvp(g, (gn.tensor(X),), (v,)), strict=True):
        close(found, expected)
    close(gn.hvp(lambda x: f(x).sum())(X, v), gn.hvp(lambda x: g(x).sum())(gn.tensor(X), v))
    close(gn.vjp(f, X)[1](v)[0], gn.vjp(g, gn.tensor(X))[1](v)[0])


def test_loops_of_rows_and_rows_of_loops():
    step = gn.vmap(lambda c, x: gn.tanh(c * x).sum() * c)
    found, _ = gn.scan(lambda c, x: (step(c, x), None), X, np.stack([X, X + 1]))
    expected = X
    for x in (X, X + 1):
        expected = loop(lambda c, x: gn.tanh(c * x).sum() * c, gn.tensor(expected), gn.tensor(x))
    close(found, expected)


def test_loops_of_no_rows():
    def f(a):
        return gn.scan(lambda c, r: (c * a, c), a, gn.tensor([1.0, 2.0, 3.0]))

    last, ys = gn.vmap(f)(np.zeros(0))
    assert (last.shape, ys.shape) == ((0,), (0, 3))
    assert gn.vmap(gn.grad(lambda a: f(a)[0]))(np.zeros(0)).shape == (0,)
    last, ys = gn.vmap(lambda c, xs: gn.scan(lambda c, r: (c + r, c), c, xs))(np.zeros((0, 2)), np.zeros((0, 4, 2)))
    assert (last.shape, ys.shape) == ((0, 2), (0, 4, 2))


def test_a_loop_of_each_row():
    """Each row makes its own number of steps."""

    def root(a):
        return gn.while_loop(lambda x: gn.abs(x * x - a) > 1e-13, lambda x: (x + a / x) / 2.0, gn.tensor(1.0))

    a = np.array([2.0, 9.0, 1.5, 1e4])
    np.testing.assert_allclose(gn.vmap(root)(a), np.sqrt(a))
    np.testing.assert_allclose(gn.vmap(gn.grad(root))(a), 0.5 / np.sqrt(a), rtol=1e-6)
    np.testing.assert_allclose(gn.grad(lambda a: gn.vmap(root)(a).sum())(a), 0.5 / np.sqrt(a), rtol=1e-6)


def test_three_deep():
    a, b, c = np.arange(2.0), np.arange(3.0), np.arange(4.0)
    f = gn.vmap(
        gn.vmap(gn.vmap(lambda x, y, z: x * 100 + y * 10 + z, (None, None, 0)), (None, 0, None)), (0, None, None)
    )
    np.testing.assert_array_equal(f(a, b, c), a[:, None, None] * 100 + b[:, None] * 10 + c)


# --- arguments and results

Pair = collections.namedtuple("Pair", "left right")


def test_containers_of_arguments_and_results():
    def f(p, pair, scale):
        return {"y": p["w"] @ pair.left + scale, "rest": (pair.right, None, [p["b"]])}

    p = {"w": np.arange(24.0).reshape(3, 2, 4), "b": np.arange(3.0)}
    pair = Pair(np.ones((4, 3)), np.arange(6.0).reshape(2, 3))
    found = gn.vmap(f, ({"w": 0, "b": 0}, Pair(1, -1), None))(p, pair, 1.0)
    assert found["rest"][1] is None and type(found["rest"][2]) is list
    np.testing.assert_array_equal(found["y"], p["w"].sum(2) + 1)
    np.testing.assert_array_equal(found["rest"][0], pair.right.T)
    np.testing.assert_array_equal(found["rest"][2][0], p["b"])
    # A prefix of the tree: one axis for all in it, None for what is shared.
    one = gn.vmap(f, (0, None, None))(p, Pair(np.ones(4), np.ones(2)), 2)
    np.testing.assert_array_equal(one["y"], p["w"].sum(2) + 2)
    np.testing.assert_array_equal(one["rest"][0], np.ones((3, 2)))
    mixed = gn.vmap(f, ({"w": 0, "b": None}, (None), None))(p, Pair(np.ones(4), 5.0), 2)
    assert mixed["rest"][2][0].shape == (3, 3) and mixed["rest"][0].shape == (3,)


def test_axes_of_results():
    x = gn.tensor(X)
    f = lambda x: (x, x.sum(), W.sum())  # noqa: E731
    a, b, c = gn.vmap(f, out_axes=(1, 0, None))(x)
    np.testing.assert_array_equal(a, X.T)
    np.testing.assert_allclose(b, X.sum(1))
    assert c == W.sum() and isinstance(c, float)
    a, *_ = gn.vmap(f, 1, -1)(X.T)
    np.testing.assert_array_equal(a, X.T)
    assert gn.vmap(lambda x: gn.ones((2, 3)), out_axes=2)(X).shape == (2, 3, 4)
    grown = gn.vmap(lambda x: {"a": x, "b": (x, x)}, out_axes={"a": 1, "b": 0})(X)
    assert grown["a"].shape == (3, 4) and grown["b"][1].shape == (4, 3)


def test_arguments_by_name_have_rows_along_axis_0():
    found = gn.vmap(lambda x, *, w, b=1.0: x @ w + b, 1)(X.T, w=np.ones((4, 3)))
    np.testing.assert_allclose(found, X.sum(1) + 1)
    with pytest.raises(ValueError, match=r"vmap: axis is one number \(0\), which has no axis 0; .*functools.partial"):
        gn.vmap(lambda x, axis: x.sum(axis))(X, axis=0)


def test_what_does_not_depend_on_the_row():
    calls = []

    @gn.op("(n)->(n)", vjp=(lambda g, y, x: g,))
    def noted_identity(x):
        calls.append(x.shape)
        return x

    try:
        w = gn.Parameter(W)

        def f(x):
            return (x * noted_identity(w)).sum(), noted_identity(w) * 2, 3, True, 1.5

        a, b, c, d, e = gn.vmap(f)(X)
        assert calls == [(3,), (3,)]
        np.testing.assert_allclose(a, X @ W)
        np.testing.assert_array_equal(b, np.tile(W * 2, (4, 1)))
        assert [(t.dtype, t.tolist()) for t in (c, d, e)] == [
            ("int64", [3] * 4),
            (bool, [True] * 4),
            (float, [1.5] * 4),
        ]
        assert gn.grad(lambda x: gn.vmap(lambda x: 2.0)(x).sum(), allow_constant=True)(X).tolist() == (X * 0).tolist()
        # A value that is known can be asked for.
        assert gn.vmap(lambda x: x if float(w.sum()) > 0 else -x)(X).tolist() == X.tolist()
    finally:
        del gn.OPS["noted_identity"]


def test_dtypes_stay():
    x = np.float32(X)
    for f in (lambda x: x * 2, lambda x: 2.0 * gn.exp(x).sum() + 1, lambda x: x / 3 - gn.zeros((), "float32")):
        assert gn.vmap(f)(x).dtype == gn.compile(gn.vmap(f))(x).dtype == np.float32
        assert gn.grad(lambda x, f=f: gn.vmap(f)(x).sum())(x).dtype == np.float32
    assert gn.vmap(lambda x, n: x * n, (0, None))(x, 2.0).dtype == np.float32
    assert gn.vmap(lambda x: x + 1)(np.arange(3, dtype=np.int8)).dtype == np.int8
    assert gn.vmap(lambda x: x & True)(np.array([True, False])).dtype == bool
    z = X[:, 0] + 1j * X[:, 1]
    np.testing.assert_allclose(gn.vmap(lambda z: gn.abs(z) ** 2)(z), np.abs(z) ** 2)


def test_no_rows():
    empty = np.zeros((0, 3))
    assert gn.vmap(lambda x: gn.exp(x).max() * gn.sort(x))(empty).shape == (0, 3)
    assert gn.vmap(lambda x, k: gn.conv(x, k))(np.zeros((0, 1, 5, 2)), np.zeros((0, 2, 2, 3))).shape == (0, 1, 4, 3)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: gn.vmap(lambda a, b: a)(X, {"k": X[:2]}),
            ValueError,
            r"vmap: all arguments with rows have the same number of them; a has 4 along axis 0, b\['k'\] has 2 along",
        ),
        (lambda: gn.vmap(lambda a, *b: a)(X, X, X[:3]), ValueError, r"b\[1\] has 3 along axis 0"),
        (lambda: gn.vmap(gn.exp, None)(X), ValueError, "vmap: no argument has rows"),
        (lambda: gn.vmap(lambda: 1.0)(), ValueError, "vmap: no argument has rows"),
        (lambda: gn.vmap(lambda a: a, 2)(X), IndexError, r"vmap: a is float64\[4, 3\]: .*axis 2"),
        (lambda: gn.vmap(lambda a: a, -3)(X), IndexError, "axis -3"),
        (lambda: gn.vmap(lambda a: a)(1.0), ValueError, r"vmap: a is one number \(1.0\), which has no axis 0"),
        (lambda: gn.vmap(lambda a: a)("text"), TypeError, "vmap: a has no axis 0: .*None in in_axes"),
        (lambda: gn.vmap(lambda a, b: a, (0,))(X, X), ValueError, "in_axes has 1 entries, .* received 2"),
        (lambda: gn.vmap(lambda a: a, "0"), TypeError, "in_axes is an axis .* received '0'"),
        (lambda: gn.vmap(lambda a: a, {"a": 0}), TypeError, "in_axes is one axis or None, or a tuple .* dict"),
        (lambda: gn.vmap(lambda a: a, True), TypeError, "in_axes is an axis .* received True"),
        (lambda: gn.vmap(lambda a: a, (0.0,)), TypeError, "in_axes is an axis .* received 0.0"),
        (lambda: gn.vmap(lambda a: a, ({"b": 0},))({"k": X}), ValueError, r"in_axes\[0\]: it has no key 'k'"),
        (lambda: gn.vmap(lambda a: a, ((0, 0),))({"k": X}), TypeError, r"in_axes\[0\]: expected a dict"),
        (lambda: gn.vmap(lambda a: a, out_axes=None)(X), ValueError, "the result depends on the row, so out_axes"),
        (lambda: gn.vmap(lambda a: a, out_axes=2)(X), IndexError, r"the result is float64\[4, 3\], with the axis"),
        (lambda: gn.vmap(lambda a: (a, a), out_axes=(0, 0, 0))(X), ValueError, "out_axes: expected a tuple of 2"),
        (lambda: gn.vmap(lambda a: ("text", a))(X), TypeError, r"the result\[0\] is no array"),
        (lambda: gn.vmap(gn.exp(X)), TypeError, "gn.vmap takes a function"),
        (lambda: gn.vmap(lambda a: a if a.sum() > 0 else -a)(X), TypeError, "row to row.*use gn.where instead of if"),
        (lambda: gn.vmap(lambda a: float(a[0]))(X), ValueError, "gn.vmap runs the function once, for all rows"),
        (
            lambda: gn.vmap(lambda a: a.numpy())(X),
            ValueError,
            r"the value of 'a' \(float64\[3\]\) is not known: gn.vmap",
        ),
        (lambda: gn.vmap(lambda a: a[a > 0])(X), TypeError, "a symbolic mask cannot be an index"),
        (lambda: gn.vmap(lambda i: gn.ones(3)[i])([0, 7]), IndexError, "out of bounds"),
    ],
)
def test_what_cannot_be_is_an_error(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_function_that_assigns():
    w = gn.Parameter(W, name="w")

    def f(x):
        w.assign(w + 1)
        return x

    for way in (gn.vmap(f), gn.compile(gn.vmap(f), backend="numpy")):
        with pytest.raises(ValueError, match=r"vmap: the function assigns a parameter \(w\)"):
            way(X)
    np.testing.assert_array_equal(w, W)


def test_shows_what_it_is():
    assert repr(gn.vmap(compiled_name)) == "<vmap of compiled_name>"
    assert repr(gn.vmap(gn.grad(compiled_name))) == "<vmap of <grad of compiled_name>>"


def compiled_name(x):
    return x.sum()


# --- parameters and layers


def test_the_gradient_of_each_example():
    gn.nn.set_random_seed(0)
    model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.Dense(4, "tanh"), gn.nn.Dense(1)])
    weights = model.trainable_variables
    x, y = np.float32(X), np.float32(X[:, :1])

    def loss(x, y):
        return ((model(x[None]) - y) ** 2).sum()

    each = gn.grad(loss, weights)
    expected = [each(gn.tensor(a), b) for a, b in zip(x, y, strict=True)]
    for way in (gn.vmap(each), gn.compile(gn.vmap(each), backend="numpy")):
        found = way(x, y)
        assert [h.shape for h in found] == [(4, *w.shape) for w in weights]
        for n, h in enumerate(found):
            np.testing.assert_allclose(h, np.stack([e[n].numpy() for e in expected]), rtol=1e-5, atol=1e-6)


def test_layers_draw_other_numbers_for_each_row():
    def drawn():
        layer = gn.nn.Dropout(0.5, seed=3)
        return layer, lambda x: layer(x, training=True)

    x = np.ones((5, 16), np.float32)
    one, f = drawn()
    expected = np.stack([f(gn.tensor(row)).numpy() for row in x])
    for way in (lambda f: f, functools.partial(gn.compile, backend="numpy")):
        two, g = drawn()
        mapped = way(gn.vmap(g))
        np.testing.assert_array_equal(mapped(x), expected)
        assert int(two._calls) == int(one._calls) == 5
        assert (mapped(x).numpy() != expected).any()
    source = gn.nn.random.SeedGenerator(7)
    twice = gn.vmap(gn.vmap(lambda x: gn.nn.random.uniform((2,), seed=source)))(np.zeros((2, 3)))
    assert np.unique(twice.numpy()).size == 12 and int(source.count.numpy()) == 6
    # The numbers of a key are those of the key.
    same = gn.vmap(lambda x: gn.random_uniform(7, (2,)))(np.zeros(3))
    np.testing.assert_array_equal(same, np.tile(gn.random_uniform(7, (2,)).numpy(), (3, 1)))


def test_dropout_of_each_row_in_a_training_step():
    class Rows(gn.nn.Model):
        def __init__(self):
            super().__init__()
            self.drop, self.out = gn.nn.Dropout(0.5, seed=1), gn.nn.Dense(1)
            self.seen = []

        def call(self, x, training=False):
            dropped = gn.vmap(lambda row: self.drop(row, training=training))(x)
            self.seen.append(dropped)
            return self.out(dropped)

    model = Rows()
    model.compile("sgd", "mse")
    model.run_eagerly = True
    model.fit(np.ones((8, 16)), np.ones((8, 1)), epochs=1, verbose=0)
    masks = {t.numpy().tobytes() for t in model.seen if not t.is_symbolic for t in t}
    assert len(masks) > 4


def test_moving_averages_are_an_error():
    model = gn.nn.Sequential([gn.nn.Input((3,)), gn.nn.BatchNormalization()])
    np.testing.assert_allclose(gn.vmap(lambda x: model(x[None])[0])(X), model(X), rtol=1e-6)
    with pytest.raises(ValueError, match="assigns a parameter"):
        gn.vmap(lambda x: model(x[None], training=True)[0])(X)


def test_a_graph_and_a_plan_for_each_row():
    graph = gn.trace(lambda x: gn.exp(x).sum(), X[0])
    for f in (graph, graph.compile(backend="numpy")):
        np.testing.assert_allclose(gn.vmap(f)(X), np.exp(X).sum(1))


def test_what_is_drawn_of_it_has_lines_and_regions():
    def f(x):
        with gn.region("inner"):
            return gn.exp(x).sum()

    graph = gn.trace(gn.vmap(gn.grad(f)), X)
    made = [t for t in graph.nodes if t.op is not None and t.op.name == "exp"]
    assert [t.region.name for t in made] == ["inner"] and made[0].site[0] == __file__
    assert any(t.gradient_of in made for t in graph.nodes)


def test_errors_name_the_line_and_the_op():
    with pytest.raises(ValueError, match=r"matmul\(float64\[3\], float64\[2\]\)"):
        gn.vmap(lambda x: x @ gn.ones(2))(X)


def test_the_first_nan_is_named():
    with pytest.raises(FloatingPointError, match="log"), gn.debug():
        gn.vmap(lambda x: gn.log(x).sum())(X)
