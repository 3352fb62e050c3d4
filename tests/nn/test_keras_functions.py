"""Initializers, regularizers, constraints and activations at the figures of Keras, by the numbers of their list."""

import math

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn import Dense, Input, Sequential, activations, constraints, initializers, regularizers


def test_20_regularizers():
    ones = gn.ones((3, 4), dtype="float32")
    assert float(regularizers.L2(0.01)(ones)) == pytest.approx(0.12)
    assert float(regularizers.L1(0.5)(-ones)) == 6.0
    assert float(regularizers.L1L2(0.5, 0.25)(ones)) == 9.0
    assert float(regularizers.get("L1L2")(ones)) == float(regularizers.get("l1_l2")(ones)) == 0.0
    assert regularizers.get("l2").l2 == 0.01 and regularizers.get("l1").l1 == 0.01
    assert gn.grad(regularizers.L2(0.5))(gn.tensor([1.0, -3.0])).numpy().tolist() == [1.0, -3.0]
    assert gn.grad(regularizers.L1(0.5))(gn.tensor([2.0, 0.0, -3.0])).numpy().tolist() == [0.5, 0.0, -0.5]


def test_20_a_penalty_is_in_every_loss_and_in_no_metric():
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones", kernel_regularizer="l2")])
    model.compile(gn.nn.optimizers.SGD(0.1), "mse", metrics=["mse"])
    x, y = [[1.0]], [[1.0]]
    assert model.evaluate(x, y, verbose=0) == [pytest.approx(0.01), 0.0]
    history = model.fit(x, y, validation_data=(x, y), verbose=0).history
    assert history["loss"] == [pytest.approx(0.01)] and history["mse"] == [0.0]
    w = 1 - 0.1 * 2 * 0.01
    assert model.get_weights()[0].item() == pytest.approx(w, rel=1e-6)
    assert history["val_loss"] == [pytest.approx((1 - w) ** 2 + 0.01 * w * w, rel=1e-5)]


def test_orthogonal_regularizer():
    w = np.array([[1.0, 0.0], [3.0, 3.0], [0.0, 2.0]])
    rows = regularizers.OrthogonalRegularizer(0.5)
    assert float(rows(gn.tensor(w))) == pytest.approx(0.5 * (2 * math.sqrt(0.5)) / 3)
    columns = regularizers.OrthogonalRegularizer(1.0, "columns")
    assert float(columns(gn.tensor(w))) == pytest.approx(9 / math.sqrt(10 * 13))
    assert float(rows(gn.tensor([[1.0, 2.0]]))) == 0.0
    assert regularizers.get("orthogonal").factor == regularizers.get("orthogonal_regularizer").factor == 0.01
    gn.check_grads(rows, gn.tensor(w + 0.1), order=2)
    at_zero = gn.grad(rows)(gn.zeros((2, 2))).numpy()
    assert (at_zero == 0).all()
    with pytest.raises(ValueError, match=r"matrix; received one of shape \(3,\)"):
        rows(gn.ones((3,)))
    with pytest.raises(ValueError, match="'rows' or 'columns'"):
        regularizers.OrthogonalRegularizer(mode="both")
    for bad in (-1, float("nan"), float("inf"), "much"):
        with pytest.raises(ValueError, match="0 or more"):
            regularizers.OrthogonalRegularizer(bad)
    with pytest.raises(ValueError, match="Did you mean 'orthogonal'"):
        regularizers.get("orthogonl")


def test_34_and_35_bounds_and_deviations():
    limit = math.sqrt(6 / 400)
    w = initializers.GlorotUniform(seed=0)((300, 100))
    assert limit == pytest.approx(0.1224745, rel=1e-6)
    assert np.abs(w).max() <= limit and np.abs(w).max() > 0.999 * limit
    assert w.std() == pytest.approx(limit / math.sqrt(3), rel=0.01)
    he = initializers.HeNormal(seed=0)((300, 100))
    assert he.std() == pytest.approx(math.sqrt(2 / 300), rel=0.02)
    assert 0.180 < np.abs(he).max() <= 2 * math.sqrt(2 / 300) / 0.87962566 + 1e-6
    assert initializers.TruncatedNormal(seed=0)((300, 100)).std() == pytest.approx(0.044, abs=5e-4)
    assert np.abs(initializers.TruncatedNormal(seed=0)((300, 100))).max() <= 0.1
    assert initializers.RandomNormal(seed=0)((300, 100)).std() == pytest.approx(0.05, rel=0.02)
    uniform = initializers.RandomUniform(seed=0)((300, 100))
    assert uniform.min() >= -0.05 and uniform.max() <= 0.05 and uniform.std() == pytest.approx(0.1 / 12**0.5, rel=0.02)


@pytest.mark.parametrize(
    ("word", "shape", "deviation"),
    [
        ("glorot_normal", (300, 100), math.sqrt(2 / 400)),
        ("glorot_uniform", (3, 3, 16, 32), math.sqrt(2 / (144 + 288))),
        ("glorot_normal", (3, 3, 16, 32), math.sqrt(2 / (144 + 288))),
        ("he_normal", (3, 3, 16, 32), math.sqrt(2 / 144)),
        ("he_uniform", (3, 3, 16, 32), math.sqrt(2 / 144)),
        ("lecun_normal", (5, 40, 30), math.sqrt(1 / 200)),
        ("lecun_uniform", (300, 100), math.sqrt(1 / 300)),
        ("variance_scaling", (300, 100), math.sqrt(1 / 300)),
        ("he_normal", (5000,), math.sqrt(2 / 5000)),
    ],
)
def test_35_fans_of_kernels(word, shape, deviation):
    gn.nn.set_random_seed(0)
    w = initializers.get(word)(shape)
    assert w.std() == pytest.approx(deviation, rel=0.03) and abs(w.mean()) < 0.05 * deviation
    standard = w.ravel() / w.std()
    kurtosis = (standard**4).mean()
    # 1.8 for uniform numbers; 2.37 for normal ones cut at two deviations.
    assert kurtosis == pytest.approx(1.8 if "uniform" in word else 2.37, abs=0.12)


def test_35_variance_scaling_modes():
    for mode, n in (("fan_in", 300), ("fan_out", 100), ("fan_avg", 200)):
        for kind in ("uniform", "truncated_normal", "untruncated_normal"):
            w = initializers.VarianceScaling(2.0, mode, kind, seed=1)((300, 100))
            assert w.std() == pytest.approx(math.sqrt(2 / n), rel=0.02)


def test_orthogonal_and_identity():
    for shape in ((6, 4), (4, 6), (5, 5), (2, 3, 4)):
        q = initializers.Orthogonal(gain=2.0, seed=3)(shape, "float64").reshape(-1, shape[-1])
        small = q if q.shape[0] >= q.shape[1] else q.T
        assert small.T @ small == pytest.approx(4 * np.eye(small.shape[1]), abs=1e-12)
    # Uniform among rotations and reflections: each column may point anywhere.
    many = np.array([initializers.Orthogonal(seed=s)((3, 3)) for s in range(400)])
    assert np.abs(many.mean(0)).max() < 0.12 and np.abs((many**2).mean(0) - 1 / 3).max() < 0.06
    assert (initializers.Identity(2.0)((2, 3)) == [[2, 0, 0], [0, 2, 0]]).all()
    with pytest.raises(ValueError, match="matrix; received shape"):
        initializers.get("identity")((3,))
    with pytest.raises(ValueError, match="two axes or more"):
        initializers.get("orthogonal")((3,))


@pytest.mark.parametrize("word", ["normal", "uniform", "truncated_normal", "he", "xavier", "orthogonal"])
def test_a_seed_gives_the_same_numbers_each_time(word):
    make = type(initializers.get(word))
    fixed = make(seed=5)
    assert (fixed((4, 3)) == fixed((4, 3))).all() and (make(seed=5)((4, 3)) == fixed((4, 3))).all()
    assert (make(seed=6)((4, 3)) != fixed((4, 3))).any()
    free = make()
    gn.nn.set_random_seed(1)
    first, second = free((4, 3)), free((4, 3))
    gn.nn.set_random_seed(1)
    assert (free((4, 3)) == first).all() and (first != second).any()
    state = np.random.get_state()[1].copy()
    free((2, 2))
    assert (np.random.get_state()[1] == state).all()


def test_initializers_from_arrays_and_functions():
    start = np.arange(6.0).reshape(2, 3)
    model = Sequential(
        [Input((2,)), Dense(3, kernel_initializer=start, bias_initializer=lambda shape, dtype: [1, 2, 3])]
    )
    kernel, bias = model.get_weights()
    assert (kernel == start).all() and bias.tolist() == [1, 2, 3] and kernel.dtype == np.float32
    with pytest.raises(ValueError, match=r"shape \(2, 3\) are given for a weight of shape \(2, 4\)"):
        Sequential([Input((2,)), Dense(4, kernel_initializer=start)])
    with pytest.raises(ValueError, match="Did you mean 'glorot_uniform'"):
        Dense(2, kernel_initializer="glorot_unifrom")
    with pytest.raises(ValueError, match="scale is more than 0"):
        initializers.VarianceScaling(scale=0)


def test_38_values_of_activations():
    for word, x, expected in (
        ("leaky_relu", -1.0, -0.2),
        ("elu", -1.0, math.expm1(-1)),
        ("selu", 1.0, 1.0507010),
        ("selu", -1000.0, -1.7580993),
        ("gelu", -2.0, -0.0455003),
        ("hard_sigmoid", -2.0, 0.1666667),
        ("hard_silu", -2.0, -0.3333333),
        ("mish", 1.0, 0.8650984),
        ("celu", -1.0, math.expm1(-1)),
        ("hard_tanh", 3.0, 1.0),
        ("hard_shrink", 0.4, 0.0),
        ("soft_shrink", 0.7, 0.2),
        ("tanh_shrink", 1.0, 1 - math.tanh(1)),
        ("squareplus", 0.0, 1.0),
        ("sparse_plus", 0.0, 0.25),
        ("sparse_sigmoid", 0.5, 0.75),
        ("threshold", -0.5, 0.0),
        ("log_sigmoid", -1000.0, -1000.0),
        ("exponential", 1.0, math.e),
    ):
        found = activations.get(word)(gn.tensor([x], dtype="float32"))
        assert found.dtype == np.float32 and float(found[0]) == pytest.approx(expected, rel=1e-5), word
    assert float(activations.gelu(-2.0, approximate=True)) == pytest.approx(-0.0454023, rel=1e-5)
    assert activations.softmax([1000.0, 1000.0, 0.0]).numpy().tolist() == [0.5, 0.5, 0.0]
    assert float(activations.celu(gn.tensor(-1.0), alpha=2.0)) == pytest.approx(2 * math.expm1(-0.5))
    far = activations.squareplus(gn.tensor([-1e4, -1e30, 1e30], dtype="float32")).numpy()
    assert far == pytest.approx([1e-4, 1e-30, 1e30], rel=1e-6)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "int64", "uint64"])
def test_sparse_sigmoid_of_the_largest_integers(kind):
    limits = np.iinfo(kind)
    y = activations.sparse_sigmoid(gn.tensor(np.array([limits.min, 0, limits.max], kind))).numpy()
    assert y.tolist() == [0.0 if limits.min else 0.5, 0.5, 1.0]


def test_reciprocal_and_identity_of_nn_ops_are_those_of_keras():
    ops = gn.nn.ops
    assert ops.reciprocal(np.array([4, -2])).numpy().tolist() == [0.25, -0.5]
    assert ops.reciprocal(True).numpy() == 1.0 and ops.reciprocal(np.float64(8)).dtype == np.float64
    assert gn.grad(lambda x: gn.sum(ops.reciprocal(x)))(gn.tensor([2.0])).numpy().tolist() == [-0.25]
    assert ops.identity(2).numpy().tolist() == [[1.0, 0.0], [0.0, 1.0]] and ops.identity(2).dtype == np.float32
    assert ops.identity(n=3, dtype="int32").dtype == np.int32
    with pytest.raises(TypeError):
        ops.identity(np.ones((2, 2)))


def test_38_arguments_of_relu():
    x = gn.tensor([-3.0, 0.0, 0.5, 1.0, 5.0])
    assert activations.relu(x, negative_slope=0.1).numpy() == pytest.approx([-0.3, 0, 0.5, 1, 5])
    assert activations.relu(x, max_value=2.0).numpy().tolist() == [0, 0, 0.5, 1, 2]
    assert activations.relu(x, threshold=0.5).numpy().tolist() == [0, 0, 0, 1, 5]
    both = activations.relu(x, negative_slope=0.1, threshold=1.0, max_value=4.0)
    assert both.numpy() == pytest.approx([-0.4, -0.1, -0.05, 0, 4])
    assert gn.grad(lambda q: gn.sum(activations.relu(q, 0.1, 4.0, 1.0)))(x).numpy() == pytest.approx(
        [0.1, 0.1, 0.1, 0, 0]
    )


def test_sparsemax_is_the_nearest_distribution():
    x = np.random.default_rng(0).normal(size=(50, 6)) * 2
    p = gn.sparsemax(x).numpy()
    assert p.sum(1) == pytest.approx(np.ones(50)) and (p >= 0).all() and (p == 0).any()
    # x - p is the same number where p is positive, and no larger elsewhere.
    gap = np.where(p > 0, x - p, np.nan)
    assert np.nanmax(gap, 1) == pytest.approx(np.nanmin(gap, 1))
    assert (np.where(p == 0, x, -np.inf).max(1) <= np.nanmin(gap, 1) + 1e-12).all()
    assert gn.sparsemax([5.0]).numpy().tolist() == [1.0] and gn.sparsemax(np.zeros((0, 3))).shape == (0, 3)
    assert gn.sparsemax([[2.0, 2.0]]).numpy().tolist() == [[0.5, 0.5]]
    with pytest.raises(ValueError, match=r"glu: axis -1.*odd"):
        gn.glu(np.ones((2, 3)))


def test_41_constraints():
    w = gn.tensor([[3.0], [4.0]], dtype="float32")
    assert constraints.MaxNorm(2)(w).numpy().ravel() == pytest.approx([1.2, 1.6])
    assert constraints.UnitNorm()(w).numpy().ravel() == pytest.approx([0.6, 0.8])
    assert constraints.NonNeg()(gn.tensor([-1.0, 2.0])).numpy().tolist() == [0.0, 2.0]
    assert constraints.MinMaxNorm(6.0, 8.0)(w).numpy().ravel() == pytest.approx([3.6, 4.8])
    assert constraints.MinMaxNorm(6.0, 8.0, rate=0.5)(w).numpy().ravel() == pytest.approx([3.3, 4.4])
    assert constraints.MaxNorm(1, axis=[0, 1])(gn.ones((2, 2))).numpy() == pytest.approx(np.full((2, 2), 0.5))
    for make in (constraints.MaxNorm, constraints.UnitNorm, constraints.MinMaxNorm):
        assert (make()(gn.zeros((2, 2))).numpy() == 0).all() and make()(w).dtype == np.float32


def test_41_constraints_hold_after_every_update():
    x, y = np.random.default_rng(0).normal(size=(64, 3)), np.full((64, 2), 50.0)
    for eager in (True, False):
        model = Sequential([Dense(4, kernel_constraint="unit_norm", bias_constraint="non_neg"),
                            Dense(2, kernel_constraint=constraints.MaxNorm(0.5, axis=1), use_bias=False)])  # fmt: skip
        model.compile("adam", "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=4, epochs=2, verbose=0)
        kernel, bias, second = model.get_weights()
        assert np.linalg.norm(kernel, axis=0) == pytest.approx(np.ones(4), rel=1e-5)
        assert (bias >= 0).all() and (np.linalg.norm(second, axis=1) <= 0.5 + 1e-6).all()
    config = model.layers[1].get_config()
    assert config["kernel_constraint"] == {"class_name": "MaxNorm", "config": {"max_value": 0.5, "axis": 1}}
    assert Dense.from_config(config).kernel_constraint.max_value == 0.5


def test_constraints_by_word_and_in_errors():
    for word in ("max_norm", "MaxNorm", "maxnorm"):
        assert constraints.get(word).max_value == 2
    assert type(constraints.get("min_max_norm")) is constraints.MinMaxNorm and constraints.get(None) is None
    halve = constraints.get(lambda w: w * 0.5)
    assert float(halve(gn.tensor(2.0))) == 1.0
    with pytest.raises(ValueError, match="Did you mean 'max_norm'"):
        Dense(2, kernel_constraint="max_nrom")
    layer = gn.nn.Layer()
    with pytest.raises(ValueError, match="Did you mean 'non_neg'"):
        layer.add_weight("w", (2,), constraint="non_negg")
    for make, what in (
        (lambda: constraints.MaxNorm(-1), "MaxNorm: max_value"),
        (lambda: constraints.MinMaxNorm(2.0, 1.0), "is more than"),
        (lambda: constraints.MinMaxNorm(rate=2.0), "rate"),
    ):
        with pytest.raises(ValueError, match=what):
            make()
