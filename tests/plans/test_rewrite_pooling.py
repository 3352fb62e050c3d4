"""relu behind a pooling, and the gradient of that: what is moved, what stays, with the same values to the bit."""

import numpy as np
import pytest
from rewrites import becomes, identical, names, values

import graphnet as gn
from graphnet.apply import made
from graphnet.plans.rewrite import optimise, rewritten
from graphnet.plans.rewrite.pooling import pooled_sums, pooling

rng = np.random.default_rng(0)
IMAGES = rng.standard_normal((2, 4, 6, 3)).round(1)
IMAGES[0, 0, 0] = np.nan, np.inf, -np.inf
IMAGES[0, 1, :2] = -0.0


def pooled(x, **attrs):
    return gn.max_pool(x, (2, 2), **attrs)


FORWARD = {
    "relu": (lambda x: pooled(gn.relu(x)), "max_pool relu"),
    "relu, overlapping": (lambda x: pooled(gn.relu(x), strides=(1, 1)), "max_pool relu"),
    "relu, padded": (lambda x: pooled(gn.relu(x), strides=(3, 3), padding="SAME"), "max_pool relu"),
    "tanh": (lambda x: pooled(gn.tanh(x)), "tanh max_pool"),
    "mean": (lambda x: gn.avg_pool(gn.relu(x), (2, 2)), "relu avg_pool"),
    "nothing": (pooled, "max_pool"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FORWARD)
def test_relu_comes_behind_max_pool(name, dtype):
    formula, expected = FORWARD[name]
    becomes(pooling, formula, [dtype], expected, [IMAGES.astype(dtype)])


def test_relu_of_whole_numbers_stays():
    whole = np.arange(-48, 48).reshape(2, 4, 4, 3)
    becomes(pooling, lambda x: pooled(gn.relu(x)), ["int64"], "relu max_pool", [whole])


def slope_of(x, g, formula):
    return gn.gradients(formula(x), x, g)


BACKWARD = {
    "relu": (lambda x: pooled(gn.relu(x)), True),
    "relu, overlapping": (lambda x: pooled(gn.relu(x), strides=(1, 1)), True),
    "relu, padded": (lambda x: pooled(gn.relu(x), strides=(3, 3), padding="SAME"), True),
    "tanh": (lambda x: pooled(gn.tanh(x)), False),
    "nothing": (pooled, False),
    "relu behind": (lambda x: gn.relu(pooled(x)), False),
    "a part of relu": (lambda x: pooled(gn.relu(x)[:, :2]), False),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", BACKWARD)
def test_so_does_its_gradient(name, dtype):
    formula, moved = BACKWARD[name]
    images = rng.standard_normal((2, 4, 6, 3)).round(1).astype(dtype)
    images[0, 1, :2] = -0.0
    images[0, 0, 3] = np.inf, -np.inf, 0.0
    x = gn.input(images.shape, dtype, name="x")
    g = gn.input(formula(x).shape, dtype, name="g")
    arrays = [images, rng.standard_normal(g.shape).astype(dtype)]
    graph = gn.Graph([x, g], slope_of(x, g, formula))
    found = rewritten(graph, pooling).check()
    if moved:
        assert names(found)[-1] == "window_put" and found.outputs[0].shape == x.shape
        assert all(t.shape == g.shape for t in found.nodes if t.op is not None and t.op.name in ("where", "greater"))
        assert "relu" not in names(found)
    else:
        assert names(found) == names(graph)
    identical(values(found, *arrays), values(graph, *arrays))
    assert names(rewritten(found, pooling)) == names(found)


def parts(x, g, zero=0.0, other=0.0, of=None, at=None, pooled_of=gn.relu):
    """The gradient of max_pool(relu(x)), with other pieces in it."""
    slope = gn.gradients(pooled(gn.relu(x)), x, g)
    put = slope.inputs[1]
    places = put.inputs[1]
    if pooled_of is not gn.relu:
        places = made(places.op, (pooled_of(x),), places.attrs)
    put = made(put.op, (put.inputs[0], places), put.attrs)
    return gn.where((x if of is None else of) > zero, put if at is None else at(put), other)


LOOK_ALIKE = {
    "the gradient itself": (lambda x, g: parts(x, g), True),
    "another bound": (lambda x, g: parts(x, g, zero=0.5), False),
    "another value below": (lambda x, g: parts(x, g, other=1.0), False),
    "another condition": (lambda x, g: parts(x, g, of=x * 2.0), False),
    "the largest of another function": (lambda x, g: parts(x, g, pooled_of=gn.tanh), False),
    "relu of something else": (lambda x, g: parts(x, g, pooled_of=lambda x: gn.relu(x * 2.0)), False),
    "more than the gradient": (lambda x, g: parts(x, g, at=lambda p: p * 2.0), False),
    "at least": (lambda x, g: gn.where(x >= 0.0, parts(x, g).inputs[1], 0.0), False),
    "repeated": (lambda x, g: gn.where(gn.stack([x, x]) > 0.0, parts(x, g).inputs[1], 0.0), False),
    "a wider dtype": (lambda x, g: gn.where(x > 0.0, parts(x, g).inputs[1], np.zeros(())), "float32"),
    "no places": (lambda x, g: gn.where(x > 0.0, x, 0.0), False),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", LOOK_ALIKE)
def test_what_looks_like_the_gradient(name, dtype):
    formula, moved = LOOK_ALIKE[name]
    if moved == "float32":
        moved = dtype == "float64"
    x, g = gn.input((2, 4, 6, 3), dtype, name="x"), gn.input((2, 2, 3, 3), dtype, name="g")
    arrays = [rng.standard_normal(t.shape).astype(dtype) for t in (x, g)]
    graph = gn.Graph([x, g], formula(x, g))
    found = rewritten(graph, pooling).check()
    assert (names(found) != names(graph)) == moved
    identical(values(found, *arrays), values(graph, *arrays))


SUMS = {
    "over all": (lambda p: gn.sum(p), "sum"),
    "over space": (lambda p: gn.sum(p, axis=(1, 2)), "sum"),
    "over space and images": (lambda p: gn.sum(p, axis=(0, 1, 2), keepdims=True), "sum"),
    "over one axis": (lambda p: gn.sum(p, axis=1), "max_pool_at window_put sum"),
    "over the other": (lambda p: gn.sum(p, axis=(0, 2, 3)), "max_pool_at window_put sum"),
    "over images and channels": (lambda p: gn.sum(p, axis=(0, 3)), "max_pool_at window_put sum"),
    "the mean": (lambda p: gn.mean(p), "max_pool_at window_put mean"),
    "of twice": (lambda p: gn.sum(p * 2.0), "max_pool_at window_put multiply sum"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", SUMS)
def test_sums_over_space_need_no_places(name, dtype):
    formula, expected = SUMS[name]
    x, g = gn.input((2, 4, 6, 3), dtype, name="x"), gn.input((2, 2, 3, 3), dtype, name="g")
    arrays = [rng.standard_normal(t.shape).astype(dtype) for t in (x, g)]
    graph = gn.Graph([x, g], formula(slope_of(x, g, pooled)))
    found = rewritten(graph, pooled_sums).check()
    assert names(found) == expected.split()
    for a, b in zip(values(found, *arrays), values(graph, *arrays), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_a_network_with_both():
    x, w = gn.input((2, 4, 6, 3), "float64", name="x"), gn.Parameter(rng.standard_normal((3, 3, 3, 2)))
    b = gn.Parameter(np.zeros(2))
    z = gn.conv(x, w, padding="SAME") + b
    loss = (pooled(gn.relu(z)) ** 2).sum()
    graph = gn.Graph([x], [loss, *gn.gradients(loss, [w, b])])
    found = optimise(graph)
    images = rng.standard_normal(x.shape)
    for a, c in zip(values(found, images), values(graph, images), strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-10)
