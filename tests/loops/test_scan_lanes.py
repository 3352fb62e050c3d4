"""Numbers that are carried side by side become one vector: the same values and gradients, with few nodes."""

import numpy as np
import pytest

import graphnet as gn
from graphnet.loops import body, lanes
from tests.backends import everywhere  # noqa: F401

RNG = np.random.default_rng(11)
N = 9
C, W, X = RNG.standard_normal(N), RNG.standard_normal(N), RNG.standard_normal(5)
OUTSIDE = gn.tensor(W)

#: steps of N numbers and a row, with whether they become vectors
STEPS = {
    "the same with each": (lambda c, x: ([gn.tanh(a * 0.5 + x) for a in c], None), True),
    "elements of a vector": (lambda c, x: ([a * OUTSIDE[n] + x for n, a in enumerate(c)], c[3]), True),
    "numbers that differ": (lambda c, x: ([a * (0.1 * n) + x for n, a in enumerate(c)], None), True),
    "neighbours": (lambda c, x: ([a * b for a, b in zip(c, [*c[:1], *c[:1], *c[1:-1]], strict=True)], x), False),
    "all of one": (lambda c, x: ([a + c[2] * x for a in c], c[2]), True),
    "chosen": (lambda c, x: ([gn.where(a > x, a, a * a) for a in c], [c[0], c[0] + c[1]]), True),
    "one that differs": (lambda c, x: ([*(a + x for a in c[:-1]), c[-1] * x], None), True),
    "the other way round": (lambda c, x: ([a + x for a in c[::-1]], None), False),
    "two kinds": (lambda c, x: ([*(a + x for a in c[:4]), *(a * x for a in c[4:])], None), False),
    "as they come": (lambda c, x: (list(c), c[1] * x), True),
    "an output that is the new value": (lambda c, x: (lambda new: (new, new[4]))([gn.sin(a) + x for a in c]), True),
    "a sum of all": (lambda c, x: ([a * 0.5 + x for a in c], sum(c)), True),
}


def run(name, c, xs):
    last, ys = gn.scan(lambda c, x: STEPS[name][0](list(c), x), [c[n] for n in range(N)], xs)
    return [*last, *(ys if isinstance(ys, list) else [] if ys is None else [ys])]


def total(name):
    def loss(c, xs, w=None):
        return sum((gn.sin(part) * (n + 1.0)).sum() for n, part in enumerate(run(name, c, xs)))

    return loss


@pytest.mark.parametrize("name", STEPS)
def test_values_and_derivatives_are_those_of_numbers(name, monkeypatch, everywhere):  # noqa: F811
    def everything():
        body._known.clear()
        values = [t.numpy() for t in run(name, gn.tensor(C), gn.tensor(X))]
        sizes = min(len(b.graph) for b in body._known)
        slopes = gn.grad(total(name), (0, 1))(C, X)
        second = gn.grad(lambda c: (gn.grad(total(name))(c, X) ** 2).sum())(C)
        compiled = gn.compile(gn.grad(total(name), (0, 1)))(C, X)
        return values, sizes, [t.numpy() for t in (*slopes, second, *compiled)]

    values, sizes, slopes = everything()
    monkeypatch.setattr(lanes, "FEWEST", 1000)
    wanted, before, wanted_slopes = everything()
    for a, b in zip(values, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(slopes, wanted_slopes, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    assert (sizes < before) == STEPS[name][1], (sizes, before)


def test_several_groups_and_a_vector_beside_them():
    def step(carry, x):
        p, v, h = carry
        return (
            [a + 0.1 * b for a, b in zip(p, v, strict=True)],
            [b - a * x for a, b in zip(p, v, strict=True)],
            h * x,
        ), p[1]

    p, v = [gn.tensor(a) for a in C], [gn.tensor(a) for a in W]
    (ps, vs, h), ys = gn.scan(step, (p, v, gn.tensor([1.0, 2.0])), gn.tensor(X))
    pn, vn, hn, yn = C.copy(), W.copy(), np.array([1.0, 2.0]), []
    for x in X:
        yn.append(pn[1])
        pn, vn, hn = pn + 0.1 * vn, vn - pn * x, hn * x
    np.testing.assert_allclose([t.item() for t in ps], pn, rtol=1e-14)
    np.testing.assert_allclose([t.item() for t in vs], vn, rtol=1e-14)
    np.testing.assert_allclose(h.numpy(), hn, rtol=1e-14)
    np.testing.assert_allclose(ys.numpy(), yn, rtol=1e-14)


def test_float32_and_parameters_outside():
    ps = [gn.Parameter(np.float32(w)) for w in W]
    start = [gn.tensor(np.float32(c)) for c in C]
    last, _ = gn.scan(lambda c, x: ([a * p + x for a, p in zip(c, ps, strict=True)], None), start, X.astype("f"))
    assert {t.dtype for t in last} == {np.dtype("f")}
    sum(last).backward()
    wanted = gn.grad(lambda w: gn.scan(lambda c, x: (c * w + x, None), gn.tensor(C), X)[0].sum())(W).numpy()
    np.testing.assert_allclose([p.grad.item() for p in ps], wanted, rtol=1e-4, atol=1e-5)


def test_noise_is_drawn_for_each_number():
    noisy = gn.nn.Dropout(0.5)

    def step(c, x):
        return [noisy(a + x, training=True) for a in c], None

    gn.nn.utils.set_random_seed(3)
    last, _ = gn.scan(step, [gn.tensor(np.float32(1.0))] * 64, np.zeros(1, "f"))
    zeros = sum(t.item() == 0.0 for t in last)
    assert 10 < zeros < 54


def test_derivatives_in_every_way():
    def f(c):
        return gn.stack(gn.scan(lambda c, x: ([gn.sin(a) * x for a in c], None), [c[n] for n in range(N)], X)[0])

    def vector(c):
        return gn.scan(lambda c, x: (gn.sin(c) * x, None), c, gn.tensor(X))[0]

    v = np.arange(N) * 1.0
    for way in (
        gn.jacobian,
        lambda g: lambda c: gn.jvp(g, (c,), (v,))[1],
        lambda g: gn.hessian(lambda c: (g(c) ** 2).sum()),
    ):
        np.testing.assert_allclose(
            way(f)(gn.tensor(C)).numpy(), way(vector)(gn.tensor(C)).numpy(), rtol=1e-12, atol=1e-15
        )
    with gn.no_grad():
        np.testing.assert_array_equal(f(gn.tensor(C)).numpy(), vector(gn.tensor(C)).numpy())
