"""custom_gradient and checkpoint: called once, remembering nothing, wherever they are used."""

import weakref
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

import graphnet as gn

x = np.array([1.0, 2.0])


@gn.custom_gradient
def square(x):
    return x * x, lambda g: g * 3.0 * x  # not the derivative, so that it is seen which one was taken


@gn.custom_gradient
def kept_square(x):
    twice = x * 2.0
    return x * x, lambda g: g * 1.5 * twice  # what the forward run computed


block = gn.checkpoint(lambda v: gn.exp(v) * v)

FUNCTIONS = [
    (square, lambda x: 3 * x, lambda x: 3 + 0 * x),
    (kept_square, lambda x: 3 * x, lambda x: 3 + 0 * x),
    (block, lambda x: np.exp(x) * (1 + x), lambda x: np.exp(x) * (2 + x)),
    (lambda x: block(square(x) / x), lambda x: np.exp(x) * (1 + x) * 2, None),
    (gn.checkpoint(lambda x: square(x) + 0.0), lambda x: 3 * x, lambda x: 3 + 0 * x),
]
PLACES = {
    "eager": lambda f, x: gn.grad(lambda x: f(x).sum())(x),
    "backward": lambda f, x: (lambda t: (f(t).sum().backward(), t.grad)[1])(gn.tensor(x, requires_grad=True)),
    "grad of compile": lambda f, x: gn.grad(gn.compile(lambda x: f(x).sum()))(x),
    "compile of grad": lambda f, x: gn.compile(gn.grad(lambda x: f(x).sum()))(x),
    "grad of scan": lambda f, x: gn.grad(lambda x: gn.scan(lambda c, r: (c + f(r), None), gn.tensor(0.0), x)[0])(x),
    "compile of grad of scan": lambda f, x: gn.compile(
        gn.grad(lambda x: gn.scan(lambda c, r: (c + f(r), None), gn.tensor(0.0), x)[0])
    )(x),
    "graph on a tensor": lambda f, x: (
        lambda t: (gn.trace(lambda x: f(x).sum(), np.zeros(2))(t).backward(), t.grad)[1]
    )(gn.tensor(x, requires_grad=True)),
    "gradient of a graph": lambda f, x: gn.trace(lambda x: f(x).sum(), np.zeros(2)).gradient("x")(x),
    "compiled gradient of a graph": lambda f, x: gn.trace(lambda x: f(x).sum(), np.zeros(2)).gradient("x").compile()(x),
    "graph in a graph": lambda f, x: gn.grad(
        lambda x: gn.trace(lambda v: gn.trace(lambda x: f(x).sum(), np.zeros(2))(v), np.zeros(2))(x)
    )(x),
    "compiled twice": lambda f, x: (lambda c: (gn.grad(c)(x + 1), gn.grad(c)(x))[1])(gn.compile(lambda x: f(x).sum())),
    "inside another derivative": lambda f, x: (
        gn.grad(lambda x: (x * gn.grad(lambda v: f(v).sum())(np.ones(2))).sum())(x)
        - gn.grad(lambda v: f(v).sum())(np.ones(2))
        + gn.grad(lambda v: f(v).sum())(x)
    ),
    "vjp": lambda f, x: gn.vjp(f, x)[1](np.ones(2))[0],
    "jvp": lambda f, x: gn.jvp(f, (x,), (np.ones(2),))[1],
}


@pytest.mark.parametrize(("f", "right", "second"), FUNCTIONS, ids=["rule", "kept", "checkpoint", "both", "nested"])
@pytest.mark.parametrize("place", PLACES)
def test_the_gradient_is_right_wherever_the_function_is(place, f, right, second):
    np.testing.assert_allclose(PLACES[place](f, x).numpy(), right(x), rtol=1e-12)


@pytest.mark.parametrize(
    ("f", "right", "second"), FUNCTIONS[:3] + FUNCTIONS[4:], ids=["rule", "kept", "ckpt", "nested"]
)
def test_the_second_derivative_is_that_of_the_rule(f, right, second):
    once = gn.grad(lambda x: f(x).sum())
    np.testing.assert_allclose(gn.grad(lambda x: once(x).sum())(x).numpy(), second(x), rtol=1e-12)
    compiled = gn.compile(gn.grad(lambda x: once(x).sum()))
    np.testing.assert_allclose(compiled(x).numpy(), second(x), rtol=1e-12)
    outside = gn.grad(lambda x: gn.grad(gn.compile(lambda x: f(x).sum()))(x).sum())
    np.testing.assert_allclose(outside(x).numpy(), second(x), rtol=1e-12)
    np.testing.assert_allclose(gn.hvp(lambda x: f(x).sum())(x, np.ones(2)).numpy(), second(x), rtol=1e-12)


@pytest.mark.parametrize(("f", "right", "second"), FUNCTIONS, ids=["rule", "kept", "checkpoint", "both", "nested"])
def test_a_graph_of_a_history_is_good_for_other_numbers(f, right, second):
    t = gn.tensor(x, requires_grad=True)
    graph = gn.Graph([t], f(t).sum())
    other = gn.tensor(x + 1.0, requires_grad=True)
    y = graph(other)
    assert y.item() == pytest.approx(f(gn.tensor(x + 1.0)).numpy().sum())
    y.backward()
    np.testing.assert_allclose(other.grad.numpy(), right(x + 1.0), rtol=1e-12)
    np.testing.assert_allclose(graph.compile()(x + 1.0).item(), y.item())


@pytest.mark.parametrize("traced", [False, True])
def test_a_rule_for_several_outputs_is_called_once_with_all_gradients(traced):
    calls = []

    @gn.custom_gradient
    def pair(a, b):
        def rule(ga, gb):
            calls.append((ga, gb))
            # Not linear, so that two calls with one of them each would not add up to this.
            size = gn.sqrt(ga * ga + gb * gb)
            return ga / size, gb / size * 10.0

        return (a * 1.0, b * 1.0), rule

    def f(a, b):
        p, q = pair(a, b)
        return p * 3.0 + q * 4.0

    slopes = gn.grad(f, (0, 1))
    da, db = (
        (gn.compile(slopes) if traced else slopes)(1.0, 2.0)
        if not traced
        else gn.compile(slopes)(*map(np.array, (1.0, 2.0)))
    )
    assert (da.item(), db.item()) == pytest.approx((0.6, 8.0)) and len(calls) == 1
    # One output that is not used has a gradient of zero.
    calls.clear()
    assert gn.grad(lambda a: pair(a, 2.0)[0] * 5.0)(1.0).item() == 1 and len(calls) == 1
    assert calls[0][1].item() == 0


def test_outputs_of_several_dtypes_and_shapes():
    @gn.custom_gradient
    def split(x):
        outputs = {"half": gn.astype(x, "float32"), "whole": x.sum(), "where": gn.argmax(x), "n": 3, "none": None}
        return outputs, lambda g1, g2, *others: gn.astype(g1, "float64") + g2

    y = split(gn.tensor(x, requires_grad=True))
    assert y["half"].dtype == np.float32 and y["whole"].shape == () and y["where"].item() == 1
    assert y["none"] is None and y["n"].item() == 3
    slope = gn.grad(lambda x: split(x)["half"].sum() * 1.0 + split(x)["whole"] * 2.0)(x)
    np.testing.assert_array_equal(slope.numpy(), [3, 3])

    kept = gn.checkpoint(lambda x: {"half": gn.astype(x, "float32") * 2.0, "whole": x.sum(), "n": 3, "label": "a"})
    y = kept(gn.tensor(x, requires_grad=True))
    assert y["half"].dtype == np.float32 and y["n"] == 3 and y["label"] == "a"
    slope = gn.grad(lambda x: kept(x)["half"].sum() + kept(x)["whole"])(gn.tensor(x))
    np.testing.assert_array_equal(slope.numpy(), [3, 3])


def test_arrays_among_the_outputs():
    constant = np.array([5.0, 6.0])
    f = gn.custom_gradient(lambda x: ((x * 2.0, constant), lambda g1, g2: g1 * 7.0 + g2))
    _, c = f(gn.tensor(x, requires_grad=True))
    np.testing.assert_array_equal(c.numpy(), constant)
    np.testing.assert_array_equal(gn.grad(lambda x: f(x)[0].sum() + f(x)[1].sum())(x).numpy(), [8, 8])
    kept = gn.checkpoint(lambda x: (x * 2.0, constant))
    assert kept(gn.tensor(x, requires_grad=True))[1] is constant


class Pair(NamedTuple):
    a: gn.Tensor
    b: gn.Tensor


@pytest.mark.parametrize(
    ("arguments", "answer", "right"),
    [
        (({"w": 2.0, "b": 3.0},), lambda g: {"b": g * 100.0, "w": g}, {"w": 1, "b": 100}),
        (({"w": 2.0, "b": 3.0},), lambda g: ({"b": g * 100.0, "w": g},), {"w": 1, "b": 100}),
        (({"w": 2.0, "b": 3.0},), lambda g: {"b": None, "w": g}, {"w": 1, "b": 0}),
        (((2.0, 3.0),), lambda g: (g, g * 2.0), (1, 2)),
        (((2.0, 3.0),), lambda g: ((g, g * 2.0),), (1, 2)),
        (([gn.tensor(2.0), 3.0],), lambda g: [g, g * 2.0], [(1,), 2]),
        ((Pair(2.0, 3.0),), lambda g: Pair(g, g * 2.0), Pair(1, 2)),
        (((2.0,),), lambda g: (g * 5.0,), (5,)),
        (({"a": (2.0, [gn.tensor(3.0), None])},), lambda g: {"a": (g, [g * 2.0, None])}, {"a": (1, [2, None])}),
    ],
)
def test_the_gradient_of_a_container_has_its_form(arguments, answer, right):
    def total(*parts):
        from graphnet.containers import flatten

        return sum(flatten(parts)[0])

    f = gn.custom_gradient(lambda *args: (total(*args), answer))
    slopes = gn.grad(f)(*arguments)
    from graphnet.containers import flatten

    assert type(slopes) is type(right)
    assert [t.item() for t in flatten(slopes)[0]] == flatten(right)[0]


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (lambda g: {"b": g}, ValueError, "no key 'w'"),
        (lambda g: {"b": g, "w": g, "c": g}, ValueError, "unknown key 'c'"),
        (lambda g: (g, g), ValueError, "1 arguments, but its gradient gave 2"),
        (lambda g: {"b": g, "w": np.ones(2)}, ValueError, r"shape \(2,\); the argument \(\)"),
    ],
)
def test_a_gradient_that_does_not_fit_is_named(answer, kind, text):
    f = gn.custom_gradient(lambda d: (d["w"] * d["b"], answer))
    with pytest.raises(kind, match=text):
        gn.grad(f)({"w": 2.0, "b": 3.0})


def test_methods_keywords_and_arguments_that_are_no_arrays():
    class Scale:
        factor = 3.0

        @gn.checkpoint
        def kept(self, x, power=1):
            return gn.exp(x) * self.factor**power

        @gn.custom_gradient
        def ruled(self, x):
            return x * self.factor, lambda g: g * 100.0

        @classmethod
        @gn.checkpoint
        def made(cls, x):
            return x * cls.factor

    s = Scale()
    np.testing.assert_allclose(gn.grad(lambda x: s.kept(x, power=2).sum())(x).numpy(), 9 * np.exp(x))
    np.testing.assert_allclose(gn.grad(lambda x: s.ruled(x).sum())(x).numpy(), [100, 100])
    np.testing.assert_allclose(gn.grad(lambda x: Scale.made(x).sum())(x).numpy(), [3, 3])

    kinds = []

    @gn.custom_gradient
    def ruled(x, y, kind, flag, size, c=1.0):
        kinds.append((type(y), kind, flag, size))
        return c * (x + y), lambda g: (g * c, None, None, None, None)

    assert gn.grad(lambda x: ruled(x, 2.0, "double", True, (3, 4), c=2.0))(1.0).item() == 2
    assert kinds[-1] == (float, "double", True, (3, 4))
    half = ruled(gn.tensor([1.0], dtype="float32"), 2.0, "a", None, 1)
    assert half.dtype == np.float32
    single = gn.custom_gradient(lambda x, kind: (x * 2.0, lambda g: g * 7.0))
    assert gn.grad(lambda x: single(x, "one gradient for the one array"))(1.0).item() == 7
    with pytest.raises(TypeError, match="positional arguments only; c= needs one"):
        gn.grad(lambda c: ruled(1.0, 2.0, "", True, (), c=c))(1.0)

    kept = gn.checkpoint(lambda x, mode="a", scale=1.0, flag=False: gn.exp(x * scale) if flag is True else x)
    assert gn.grad(lambda x: kept(x, "b", scale=2.0, flag=True))(0.0).item() == 2
    assert gn.grad(lambda s: kept(3.0, scale=s, flag=True))(0.0).item() == 3  # keywords have gradients too
    assert gn.checkpoint(partial(lambda a, b: a * b, 2.0))(3.0) == 6
    assert gn.checkpoint(lambda v: v * 2.0)(gn.tensor([1.0], dtype="float32")).dtype == np.float32
    assert gn.grad(lambda x: gn.checkpoint(lambda v, s: v * s)(x, 2.0))(np.float32(1)).dtype == np.float32


def test_a_checkpoint_takes_arrays_and_lists_as_tensors():
    kept = gn.checkpoint(lambda p, v: (p["w"] * v).sum() + p["b"][0])
    p = {"w": gn.tensor(x, requires_grad=True), "b": [gn.tensor(1.0, requires_grad=True)]}
    a = np.array([3.0, 4.0])
    y = kept(p, a)
    a[:] = 0
    y.backward()
    np.testing.assert_array_equal(p["w"].grad.numpy(), [3, 4])
    assert p["b"][0].grad.item() == 1
    assert kept({"w": x, "b": [1.0, 2.0]}, [3, 4]).item() == 12


def test_a_list_of_integers_beside_arrays_stays_a_list():
    for shape in ([2, 1], [np.int64(2), 1], (2, 1)):
        slope = gn.grad(lambda x: gn.checkpoint(lambda a, s: gn.reshape(a, s) * 3.0)(x, shape).sum())(x)  # noqa: B023
        np.testing.assert_array_equal(slope.numpy(), [3, 3])
        f = gn.custom_gradient(lambda a, s: (gn.reshape(a, s), lambda g: (gn.reshape(g, (2,)) * 7.0, None)))
        np.testing.assert_array_equal(gn.grad(lambda x: f(x, shape).sum())(x).numpy(), [7, 7])  # noqa: B023
    assert gn.custom_gradient(lambda a: (a.sum(), lambda g: g))([1, 2, 3]).item() == 6


def test_what_a_checkpoint_uses_from_outside_gets_its_gradient():
    w = gn.Parameter([0.5, -1.5])
    h = w * w  # computed before, kept
    kept = gn.checkpoint(lambda v: gn.tanh(v * w) * h)
    plain = lambda v: gn.tanh(v * w) * h  # noqa: E731
    kept(gn.tensor(x)).sum().backward()
    found = w.grad.numpy()
    w.grad = None
    plain(gn.tensor(x)).sum().backward()
    np.testing.assert_allclose(found, w.grad.numpy())
    twice = gn.grad(lambda z: z * gn.grad(lambda v: gn.checkpoint(lambda v: v * z * v)(v))(3.0))(2.0)
    assert twice.item() == 24


def test_a_checkpoint_does_not_keep_what_is_on_the_way():
    alive = []

    def f(v):
        h = gn.exp(v)
        k = gn.tanh(h)
        alive.extend([weakref.ref(h), weakref.ref(k)])
        return k * 2.0

    t = gn.tensor(x, requires_grad=True)
    y = gn.checkpoint(f)(t)
    assert all(r() is None for r in alive)
    y.sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), 2 * (1 - np.tanh(np.exp(x)) ** 2) * np.exp(x))


@pytest.mark.parametrize("layer", ["Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_checkpoint_draws_the_same_numbers_again(layer, times):
    d = getattr(gn.nn, layer)(0.5)
    t = gn.tensor(np.ones((4, 6, 5)), requires_grad=True)
    y = gn.checkpoint(lambda v: d(d(v, training=True), training=True) if times == 2 else d(v, training=True))(t)
    y.sum().backward()
    if layer == "GaussianNoise":
        np.testing.assert_array_equal(t.grad.numpy(), np.ones((4, 6, 5)))
    else:
        np.testing.assert_allclose(t.grad.numpy(), y.numpy())
    again = gn.checkpoint(lambda v: d(v, training=True))(t)
    assert not np.array_equal(again.numpy(), y.numpy())


def test_a_checkpoint_draws_the_same_numbers_as_without():
    values = []
    for wrap in (lambda f: f, gn.checkpoint):
        d = gn.nn.Dropout(0.5, seed=3)
        t = gn.tensor(np.ones((3, 4)), requires_grad=True)
        f = wrap(lambda v, d=d: d(v, training=True))
        for _ in range(3):
            y = f(t)
            y.sum().backward()
        values.append((y.numpy(), t.grad.numpy()))
    np.testing.assert_array_equal(values[0][0], values[1][0])
    np.testing.assert_array_equal(values[0][1], values[1][1])


def test_a_checkpoint_with_noise_of_numpy():
    rng = np.random.default_rng(0)
    t = gn.tensor(np.ones(5), requires_grad=True)
    y = gn.checkpoint(lambda v: (v * rng.random(5)).sum())(t)
    y.backward()
    assert t.grad.numpy().sum() == pytest.approx(y.item())


def test_a_checkpoint_moves_a_state_once():
    data = np.random.default_rng(0).normal(3.0, 2.0, (64, 4))
    found = []
    for wrap in (lambda f: f, gn.checkpoint):
        layer = gn.nn.BatchNormalization()
        layer(data)
        t = gn.tensor(data, requires_grad=True)
        y = wrap(lambda v, layer=layer: layer(v, training=True) ** 3)(t)
        before = layer.moving_mean.numpy().copy()
        y.sum().backward()
        np.testing.assert_array_equal(layer.moving_mean.numpy(), before)
        found.append((before, layer.moving_variance.numpy(), t.grad.numpy(), layer.gamma.grad.numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    counter = gn.Parameter(0.0, trainable=False)

    @gn.checkpoint
    def counted(v):
        counter.assign(counter + 1.0)
        return v * v

    gn.grad(lambda v: counted(v))(2.0)
    assert counter.numpy() == 1
    gn.compile(gn.grad(lambda v: counted(v)))(np.array(2.0))
    assert counter.numpy() == 2


def test_a_state_that_was_read_before_it_moved_is_never_taken_for_what_it_was():
    state = gn.Parameter(2.0, trainable=False, name="state")

    @gn.checkpoint
    def f(v):
        y = gn.exp(v * state)
        state.assign(state + 1.0)
        return y

    with pytest.raises(RuntimeError, match=r"checkpoint\(f\): the parameter state was assigned after multiply used it"):
        gn.grad(lambda v: f(v))(1.0)
    state.assign(2.0)
    assert gn.compile(gn.grad(lambda v: f(v)))(np.array(1.0)).item() == pytest.approx(2 * np.exp(2))
    assert state.numpy() == 3


def test_a_rule_that_cannot_be_traced_is_no_fault_of_the_forward_run():
    @gn.custom_gradient
    def looks(x):
        return x * 2.0, lambda g: g * float(g.numpy().sum())

    assert gn.compile(lambda x: looks(x).sum())(x).item() == 6
    with pytest.raises(TypeError, match="looks: its gradient cannot be part of a graph"):
        gn.compile(gn.grad(lambda x: looks(x).sum()))(x)
    np.testing.assert_array_equal(gn.grad(lambda x: looks(x).sum())(x).numpy(), [2, 2])


def test_random_numbers_in_a_custom_gradient_inside_a_checkpoint_are_noticed():
    rng = np.random.default_rng(0)
    noisy = gn.custom_gradient(lambda x: (x + rng.random(2), lambda g: g))
    steady = gn.custom_gradient(lambda x: (x + 1.0, lambda g: g))
    np.testing.assert_array_equal(
        gn.grad(lambda x: gn.checkpoint(lambda v: steady(v) * v)(x).sum())(x).numpy(), 2 * x + 1
    )
    with pytest.raises(ValueError, match="draw random numbers outside"):
        gn.grad(lambda x: gn.checkpoint(lambda v: noisy(v) * v)(x).sum())(x)


def test_a_failure_inside_changes_nothing():
    def fails(x):
        raise KeyError("inside")

    for wrapped in (gn.checkpoint(fails), gn.custom_gradient(fails)):
        with pytest.raises(KeyError, match="inside"):
            gn.grad(wrapped)(1.0)
    with pytest.raises(TypeError, match="a custom gradient returns"):
        gn.custom_gradient(lambda x: x)(1.0)
    assert (gn.Parameter(1.0) * 2.0).requires_grad


def test_nothing_is_kept_where_nothing_needs_a_gradient():
    y = gn.checkpoint(lambda v: v * 2.0)(gn.tensor(x))
    assert y.op is None and not y.requires_grad
    y = square(gn.tensor(x))
    assert y.op is None and not y.requires_grad
    with gn.no_grad():
        assert not block(gn.tensor(x, requires_grad=True)).requires_grad
        assert not square(gn.tensor(x, requires_grad=True)).requires_grad


def test_a_layer_that_is_built_in_a_checkpoint_learns():
    layer = gn.nn.Dense(3)
    gn.checkpoint(layer)(np.ones((2, 4))).sum().backward()
    np.testing.assert_array_equal(layer.kernel.grad.numpy(), np.full((4, 3), 2.0))


@pytest.mark.parametrize("f", [square, kept_square, block], ids=["rule", "kept", "checkpoint"])
def test_loops_over_the_same_function_are_one_body(f):
    from graphnet.loops import body

    def run():
        return gn.grad(lambda x: gn.scan(lambda c, r: (c + f(r), None), gn.tensor(0.0), x)[0])(x)

    run()
    before = len(body._known)
    for _ in range(3):
        run()
    assert len(body._known) == before


def test_a_network_trains_the_same_with_a_rule_and_with_a_checkpoint():
    @gn.custom_gradient
    def silu(x):
        s = gn.sigmoid(x)
        return x * s, lambda g: g * (s + x * s * (1.0 - s))

    rng = np.random.default_rng(0)
    features = rng.normal(size=(64, 4))
    targets = features.sum(1, keepdims=True)
    losses = []
    for activation in ("silu", silu, gn.checkpoint(gn.silu)):
        gn.nn.utils.set_random_seed(1)
        model = gn.nn.Sequential(
            [gn.nn.Input((4,)), gn.nn.Dense(8, activation=activation), gn.nn.Dropout(0.2), gn.nn.Dense(1)]
        )
        model.compile("sgd", "mse")
        losses.append(model.fit(features, targets, epochs=5, verbose=0, batch_size=16).history["loss"][-1])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


def test_a_debug_context_sees_into_both():
    with gn.debug():
        assert np.isfinite(gn.grad(lambda x: square(block(x)).sum())(x).numpy()).all()
        with pytest.raises(FloatingPointError, match="log"):
            gn.grad(lambda x: gn.checkpoint(lambda v: gn.log(v))(x).sum())(-x)


def test_numbers_of_numpy_in_function_and_rule():
    f = gn.custom_gradient(lambda v: (np.sin(v.numpy()), lambda g: g * np.cos(v.numpy())))
    np.testing.assert_allclose(gn.grad(lambda x: f(x).sum())(x).numpy(), np.cos(x))
    g = gn.custom_gradient(lambda v: (float(v.numpy()[0]) * 2, lambda g: [2.0 * g.item(), 0.0]))
    np.testing.assert_allclose(gn.grad(g)(x).numpy(), [2, 0])
    same = gn.custom_gradient(lambda a, b: (a * b, lambda g: (g, g * 10.0)))
    assert gn.grad(lambda x: same(x, x))(1.0).item() == 11
    picked = gn.custom_gradient(lambda v, i: (v[i], lambda g: (gn.sum(g) + 0.0 * v, None)))
    np.testing.assert_allclose(gn.grad(lambda x: picked(x, np.array([0, 0, 1])).sum())(x).numpy(), [3, 3])


def scaled_by(z):
    return gn.custom_gradient(lambda x: (x * z, lambda g: g * 7.0))


#: functions of z that a custom gradient reads from outside, by way of
BESIDES = {
    "itself": lambda z: scaled_by(z)(np.ones(2)).sum(),
    "what is made of it": lambda z: scaled_by(z * 2)(np.ones(2)).sum(),
    "an inner derivative": lambda z: gn.grad(lambda y: scaled_by(z)(y).sum())(np.ones(2)).sum(),
}
#: derivatives of such
DERIVATIVES = {
    "grad": lambda f, z: gn.grad(f)(z),
    "vjp": lambda f, z: gn.vjp(f, z),
    "jvp": lambda f, z: gn.jvp(f, (z,), (np.ones(2),)),
    "hessian": lambda f, z: gn.hessian(f)(z),
    "weights": lambda f, z: (lambda p: gn.value_and_grad(lambda: f(p), [p])())(gn.Parameter(z)),
}


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("way", BESIDES)
def test_a_variable_that_is_no_argument_is_refused(way, derivative):
    with pytest.raises(TypeError, match="Make it an argument"):
        DERIVATIVES[derivative](BESIDES[way], np.array([3.0, 4.0]))


def test_values_alone_rules_and_other_variables_may_come_from_outside():
    z = np.array([3.0, 4.0])
    p = gn.Parameter(z)
    np.testing.assert_array_equal(gn.grad(lambda v: scaled_by(gn.stop_gradient(v))(v).sum())(z).numpy(), [7.0, 7.0])
    np.testing.assert_array_equal(gn.grad(lambda v: scaled_by(p)(v).sum())(z).numpy(), [7.0, 7.0])
    np.testing.assert_array_equal(scaled_by(p)(z).numpy(), z * z)
    rule = gn.grad(lambda v: gn.custom_gradient(lambda x: (x * 2.0, lambda g: g * v))(v).sum())
    np.testing.assert_array_equal(rule(z).numpy(), z)
