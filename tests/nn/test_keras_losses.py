"""Losses at the figures of Keras (by the numbers of the list they stand in), at kinks, as graphs, and in errors."""

import inspect
import math

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn import Dense, Sequential, losses, metrics

ONE_HOT = [[0, 1, 0], [0, 0, 1]]
PROBABILITIES = [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]


def value(loss, y, p, w=None):
    return float(loss(y, p, w).numpy())


def slope(loss, y, p):
    return gn.grad(lambda q: loss(y, q))(gn.tensor(p, dtype="float64")).numpy()


def test_10_targets_are_squeezed_and_never_broadcast():
    mse = losses.MeanSquaredError()
    assert value(mse, np.zeros(3, "f"), np.ones((3, 1), "f")) == 1.0
    for word in losses.table.words:
        loss = losses.get(word)
        with pytest.raises(ValueError, match=f"loss='{loss.name.removesuffix('_loss')}|sparse_categorical|binary"):
            loss(np.zeros((6, 4), "f"), np.ones((6, 1), "f"))


def test_11_reductions():
    cases = {"sum_over_batch_size": 0.8135988, "sum": 1.6271976, "mean_with_sample_weight": 1.6271976}
    for reduction, expected in cases.items():
        loss = losses.CategoricalCrossentropy(reduction=reduction)
        assert value(loss, ONE_HOT, PROBABILITIES, [0.3, 0.7]) == pytest.approx(expected, rel=1e-6)
    assert value(losses.get("cce"), ONE_HOT, PROBABILITIES) == pytest.approx(1.1769392, rel=1e-6)


def test_12_all_weights_zero_give_zero():
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
        assert value(losses.MeanSquaredError(reduction), [[1.0], [2.0]], [[0.0], [0.0]], [0.0, 0.0]) == 0.0


def test_12_weights_scale_the_loss():
    loss, y, p = losses.Huber(), [[0.0], [1.0]], [[2.0], [5.0]]
    assert value(loss, y, p, [3.0, 3.0]) == pytest.approx(3 * value(loss, y, p))


def test_17_label_smoothing_along_another_axis():
    cce = losses.CategoricalCrossentropy(label_smoothing=0.1, reduction=None)
    other = losses.CategoricalCrossentropy(label_smoothing=0.1, reduction=None, axis=1)
    y, p = np.eye(4, dtype="f")[[[0, 2, 1]]], np.full((1, 3, 4), 0.25, "f")
    p[..., 0] = 0.7
    moved = other(np.moveaxis(y, -1, 1), np.moveaxis(p, -1, 1))
    assert moved.numpy() == pytest.approx(cce(y, p).numpy(), rel=1e-6)


def test_18_relative_and_mixed_errors():
    assert value(losses.get("mape"), [[0.0], [2.0]], [[1.0], [1.0]]) == pytest.approx(5e8, rel=1e-6)
    assert value(losses.get("huber"), [[0.0, 0.0]], [[0.5, 3.0]]) == 1.3125
    assert value(losses.get("log_cosh"), [[0.0, 0.0]], [[1.0, 0.0]]) == pytest.approx(0.2168904, rel=1e-6)
    # log(1 + 1e-7) in place of log(1 - 5).
    low = value(losses.get("msle"), [[1.0]], [[-5.0]])
    assert low == pytest.approx(math.log(2) ** 2, rel=1e-5)
    assert value(losses.get("kld"), [[0.0, 1.0]], [[0.5, 0.5]]) == pytest.approx(math.log(2), rel=1e-4)
    assert value(losses.get("kld"), [[0.5, 0.5]], [[0.0, 1.0]]) == pytest.approx(7.3659, rel=1e-5)
    assert value(losses.get("poisson"), [[1.0]], [[0.0]]) == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_19_hinges_and_cosine():
    for y in ([[0.0, 1.0], [0.0, 0.0]], [[-1.0, 1.0], [-1.0, -1.0]]):
        assert value(losses.Hinge(), y, [[0.6, 0.4], [0.4, 0.6]]) == pytest.approx(1.3)
        assert value(losses.SquaredHinge(), y, [[0.6, 0.4], [0.4, 0.6]]) == pytest.approx(1.86)
    assert value(losses.CategoricalHinge(), [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]) == pytest.approx(1.4)
    assert value(losses.CosineSimilarity(), [[0.0, 1.0]], [[1.0, 1.0]]) == pytest.approx(-0.7071068, rel=1e-6)


def test_21_squared_error_with_weights():
    mse, y, p = losses.get("mse"), [[0.0, 1], [0, 0]], [[1.0, 1], [1, 0]]
    assert value(mse, y, p) == 0.5 and value(mse, y, p, [0.7, 0.3]) == pytest.approx(0.25)


def test_focal_and_robust_crossentropies():
    focal = losses.BinaryFocalCrossentropy(gamma=2)
    assert value(focal, [[1.0]], [[0.9]]) == pytest.approx(0.01 * -math.log(0.9), rel=1e-4)
    balanced = losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3)
    assert value(balanced, [[0.0]], [[0.9]]) == pytest.approx(0.7 * 0.81 * -math.log(0.1), rel=1e-5)
    categorical = losses.CategoricalFocalCrossentropy(alpha=0.5, gamma=1)
    assert value(categorical, [[0, 1]], [[0.2, 0.8]]) == pytest.approx(0.5 * 0.2 * -math.log(0.8), rel=1e-5)
    each = losses.CategoricalFocalCrossentropy(alpha=[0.1, 0.5], gamma=0)
    assert value(each, [[1, 0]], [[0.2, 0.8]]) == pytest.approx(0.1 * -math.log(0.2), rel=1e-5)
    robust = losses.CategoricalGeneralizedCrossEntropy(q=0.7)
    assert value(robust, [1], [[0.2, 0.8]]) == pytest.approx((1 - 0.8**0.7) / 0.7, rel=1e-6)


def test_overlap():
    y, p = [[1.0, 1.0, 0.0, 0.0]], [[0.8, 0.3, 0.4, 0.0]]
    assert value(losses.Dice(), y, p) == pytest.approx(1 - 2 * 1.1 / 3.5, rel=1e-6)
    assert value(losses.Tversky(), y, p) == pytest.approx(value(losses.Dice(), y, p), rel=1e-6)
    uneven = losses.Tversky(alpha=0.2, beta=0.9)
    assert value(uneven, y, p) == pytest.approx(1 - 1.1 / (1.1 + 0.2 * 0.9 + 0.9 * 0.4), rel=1e-6)
    assert losses.Dice(axis=1, reduction=None)([[1.0], [0.0]], [[1.0], [0.0]]).numpy() == pytest.approx(
        [0, 1], abs=1e-6
    )
    assert value(losses.Dice(), y, p, [0.5]) == pytest.approx(0.5 * value(losses.Dice(), y, p))


def test_circle_brings_equal_labels_together():
    rng = np.random.default_rng(0)
    labels = gn.tensor(np.arange(12) % 3)
    w = gn.Parameter(rng.normal(size=(12, 4)))
    loss = losses.Circle(gamma=4.0)
    first = float(loss(labels, gn.nn.unit.unit(w)))
    for _ in range(60):
        w.assign(w - 0.3 * gn.gradients(loss(labels, gn.nn.unit.unit(w)), w))
    assert float(loss(labels, gn.nn.unit.unit(w))) < 0.5 * first
    vectors = gn.nn.unit.unit(w).numpy()
    nearest = np.argsort(-(vectors @ vectors.T), axis=1)[:, 1]
    assert (nearest % 3 == np.arange(12) % 3).all()


def test_circle_leaves_out_labels_that_are_alone():
    x = np.eye(3, dtype="f")
    assert losses.Circle(reduction=None)([0, 1, 2], x).numpy().tolist() == [0, 0, 0]
    assert value(losses.Circle(), [0, 1, 2], x) == 0.0
    both = losses.Circle(reduction=None)([0, 0, 2], x).numpy()
    assert both[2] == 0 and value(losses.Circle(), [0, 0, 2], x) == pytest.approx(both[:2].mean())
    assert np.isfinite(slope(losses.Circle(), [0, 1, 2], x)).all()


def test_rows_of_an_ignored_class_do_not_count():
    p = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]], "f")
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    assert value(loss, [1, -1, 0], p) == pytest.approx(-(math.log(0.8) + math.log(0.9)) / 2, rel=1e-5)
    assert value(loss, [-1, -1, -1], p) == 0.0
    assert (slope(loss, [-1, -1, -1], p) == 0).all()


KINKS = [
    ("mae", [[1.0, 2.0]], [[1.0, 3.0]], [[0, 0.5]]),
    ("mape", [[1.0, 0.0]], [[1.0, 0.0]], [[0, 0]]),
    ("huber", [[0.0, 0.0]], [[1.0, -1.0]], [[0.5, -0.5]]),
    ("hinge", [[1.0, -1.0]], [[1.0, 5.0]], [[-0.25, 0.5]]),
    ("squared_hinge", [[1.0, -1.0]], [[1.0, 0.0]], [[0, 1]]),
    ("categorical_hinge", [[0.0, 1.0]], [[0.0, 1.0]], [[0.25, -0.5]]),
    ("log_cosh", [[0.0, 0.0]], [[0.0, 1e5]], [[0, 0.5]]),
    ("msle", [[1.0, 0.0]], [[-5.0, 0.0]], [[0, 0]]),
    ("cosine_similarity", [[1.0, 2.0]], [[0.0, 0.0]], [[0, 0]]),
    ("cosine_similarity", [[0.0, 0.0]], [[1.0, 2.0]], [[0, 0]]),
    ("kld", [[0.0, 1.0]], [[0.0, 1.0]], [[0, -1]]),
    ("kld", [[1.0, 0.0]], [[0.5, 0.5]], [[-2, -2e-7]]),
    ("poisson", [[0.0, 1.0]], [[0.0, 1.0]], [[0.5, 0]]),
    ("dice", [[0.0, 0.0]], [[0.0, 0.0]], [[0, 0]]),
    ("tversky", [[0.0, 0.0]], [[0.0, 0.0]], [[0, 0]]),
    ("categorical_generalized_cross_entropy", [0], [[0.0, 1.0]], [[0, 0]]),
    ("categorical_generalized_cross_entropy", [1], [[0.0, 1.0]], [[0, -1]]),
    ("binary_focal_crossentropy", [[0.0, 1.0]], [[0.0, 1.0]], [[0, 0]]),
]


@pytest.mark.parametrize("case", KINKS, ids=[f"{i}-{k[0]}" for i, k in enumerate(KINKS)])
def test_gradients_at_kinks(case):
    word, y, p, expected = case
    y = gn.tensor(np.asarray(y))
    with np.errstate(all="ignore"):
        loss = losses.get(word)
        np.testing.assert_allclose(slope(loss, y, p), expected, rtol=1e-6, atol=1e-7)
        twice = gn.hessian(lambda q: loss(y, q))(gn.tensor(p, dtype="float64")).numpy()
    assert np.isfinite(twice).all()


def test_second_derivatives_of_smooth_kinks():
    at = gn.tensor([[0.0]], dtype="float64")
    for word, curve in (("log_cosh", 1.0), ("huber", 1.0), ("mse", 2.0)):
        loss = losses.get(word)
        assert gn.hessian(lambda q, f=loss: f([[0.0]], q))(at).numpy().item() == pytest.approx(curve)
    assert float(losses.get("huber")(np.zeros((1, 1)), gn.tensor([[1e200]]))) == 1e200


def test_small_errors_are_not_lost():
    tiny = gn.tensor([[1e-4]], dtype="float32")
    zero = np.zeros((1, 1), "f")
    assert float(losses.log_cosh(zero, tiny)[0]) == pytest.approx(5e-9, rel=1e-5)
    assert gn.grad(lambda q: losses.log_cosh(zero, q)[0])(tiny).numpy().item() == pytest.approx(1e-4, rel=1e-5)


RNG = np.random.default_rng(3)
HOT = np.eye(3)[[0, 2, 1, 1]]
SMOOTH = {
    **dict.fromkeys(["mse", "mae", "mape", "huber", "log_cosh", "cosine_similarity"], (RNG.normal(size=(4, 3)), "any")),
    **dict.fromkeys(["hinge", "squared_hinge"], (np.sign(RNG.normal(size=(4, 3))), "any")),
    "categorical_hinge": (HOT, "any"),
    "msle": (RNG.random((4, 3)), "shares"),
    "poisson": (RNG.poisson(3, (4, 3)).astype(float), "shares"),
    **dict.fromkeys(
        ["kld", "dice", "tversky", "binary_focal_crossentropy", "categorical_focal_crossentropy"], (HOT, "shares")
    ),
    "categorical_generalized_cross_entropy": (np.array([0, 2, 1, 1]), "shares"),
    "circle": (np.array([0, 1, 0, 1]), "unit"),
}


@pytest.mark.parametrize("word", SMOOTH)
def test_gradients_match_differences_in_two_orders(word):
    y, kind = SMOOTH[word]
    z = np.random.default_rng(8).normal(size=(4, 3))
    e = np.exp(z)
    p = {"any": z, "shares": e / e.sum(-1, keepdims=True), "unit": z / np.linalg.norm(z, axis=1, keepdims=True)}[kind]
    loss = losses.get(word)
    if word == "circle":
        loss = losses.Circle(gamma=2.0)
    gn.check_grads(lambda q: loss(gn.tensor(y), q, [1.0, 2.0, 0.5, 0.0]), gn.tensor(p), order=2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("word", SMOOTH)
def test_losses_as_graphs_and_compiled(word):
    y, kind = SMOOTH[word]
    z = np.random.default_rng(9).normal(size=(4, 3))
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True) if kind != "any" else z
    y, p, w = y.astype("int64" if y.ndim == 1 else "f"), p.astype("f"), np.array([1.0, 2.0, 0.5, 0.0], "f")
    loss = losses.get(word)

    def both(y, p, w):
        q = loss(y, p, w)
        return q, gn.gradients(q, p)

    q = gn.tensor(p, requires_grad=True)
    expected = loss(gn.tensor(y), q, gn.tensor(w))
    slopes = gn.gradients(expected, q).numpy()
    graph = gn.trace(both, y, p, w)
    for run in (graph, gn.compile(both)):
        found, slope = run(y, p, w)
        assert found.dtype == slope.dtype == np.float32
        assert float(found) == pytest.approx(float(expected), rel=1e-5)
        assert slope.numpy() == pytest.approx(slopes, rel=1e-4, abs=1e-5)


def test_every_loss_in_one_plan(everywhere):
    """Values and gradients of all losses at once, behind a softmax and beside it."""
    z = RNG.normal(size=(5, 3)).astype("f")
    labels = np.array([0, 2, 1, 1, 0])
    hot = np.eye(3, dtype="f")[labels]

    def all_of_them(z, hot, labels):
        p = gn.softmax(z)
        values = []
        for word, (y, kind) in SMOOTH.items():
            q = z if kind == "any" else gn.nn.unit.unit(z) if kind == "unit" else p
            values.append(losses.get(word)(labels if y.ndim == 1 else hot, q))
        total = gn.stack(values)
        return total, gn.gradients(gn.sum(total / gn.stop_gradient(total)), z)

    expected = all_of_them(gn.tensor(z, requires_grad=True), gn.tensor(hot), gn.tensor(labels))
    plan = gn.compile(all_of_them).lower(z, hot, labels)
    plan.wait()
    for found, right in zip(plan.run([z, hot, labels]), expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, right.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("word", "activation", "target"),
    [
        ("kld", "softmax", [[1.0, 0.0]]),
        ("categorical_focal_crossentropy", "softmax", [[1.0, 0.0]]),
        ("binary_focal_crossentropy", "sigmoid", [[1.0, 0.0]]),
    ],
)
def test_gradients_do_not_vanish_behind_a_saturated_activation(word, activation, target):
    z = gn.Parameter(np.array([[-30.0, 30.0]], "f"))
    y = getattr(gn, activation)(z)
    found = gn.gradients(losses.get(word)(target, y), z).numpy()
    assert found[0, 0] < -0.1 and found[0, 1] > 0.1


def test_signatures_are_those_of_the_constructors():
    assert list(inspect.signature(losses.Huber).parameters) == ["delta", "reduction", "name", "dtype"]
    assert list(inspect.signature(metrics.AUC).parameters)[:3] == ["num_thresholds", "curve", "summation_method"]
    assert list(inspect.signature(Dense).parameters)[:2] == ["units", "activation"]


def test_words_and_aliases():
    for word, name in {
        "mse": "MeanSquaredError",
        "MAE": "MeanAbsoluteError",
        "mape": "MeanAbsolutePercentageError",
        "msle": "MeanSquaredLogarithmicError",
        "bce": "BinaryCrossentropy",
        "kld": "KLDivergence",
        "kl_divergence": "KLDivergence",
        "KLDivergence": "KLDivergence",
        "huber": "Huber",
        "log_cosh": "LogCosh",
        "logcosh": "LogCosh",
        "categorical_generalized_cross_entropy": "CategoricalGeneralizedCrossEntropy",
    }.items():
        assert type(losses.get(word)).__name__ == name
    assert losses.mse is losses.mean_squared_error and losses.KLD is losses.kl_divergence
    assert losses.Huber().name == "huber_loss" and losses.Dice().name == "dice"
    assert losses.huber([[0.0, 0.0]], [[0.5, 3.0]]).numpy() == pytest.approx([1.3125])


@pytest.mark.parametrize("word", losses.table.words)
def test_losses_come_back_from_their_configuration(word):
    loss = losses.get(word)
    config = loss.get_config()
    again = losses.get({"class_name": type(loss).__name__, "config": config})
    assert again.get_config() == config and type(again) is type(loss)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="Did you mean 'huber'"):
        losses.get("hubber")
    with pytest.raises(ValueError, match="Did you mean 'cosine_similarity'"):
        losses.get("cosine_similarty")
    with pytest.raises(
        ValueError, match=r"one-hot y of shape \(2, 3\); got int labels of shape \(2,\).*to_categorical"
    ):
        losses.get("categorical_hinge")(np.array([0, 1]), np.zeros((2, 3), "f"))
    with pytest.raises(ValueError, match=r"integer labels of shape \(2,\).*argmax\(-1\)"):
        losses.get("categorical_generalized_cross_entropy")(np.eye(3)[[0, 1]], np.zeros((2, 3), "f"))
    with pytest.raises(ValueError, match=r"labels of shape \(N,\).*got \(2, 3\)"):
        losses.Circle()(np.zeros((2, 3)), np.zeros((2, 3), "f"))
    for make, what in (
        (lambda: losses.Huber(delta=-1), "Huber: delta"),
        (lambda: losses.Huber(delta="big"), "Huber: delta"),
        (lambda: losses.Tversky(alpha=-0.1), "Tversky: alpha"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.5), "q is between 0 and 1"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=2), "label_smoothing"),
        (lambda: losses.BinaryFocalCrossentropy(gamma=-1), "gamma"),
        (lambda: losses.MeanSquaredError(reduction="average"), "a reduction is one of"),
    ):
        with pytest.raises(ValueError, match=what):
            make()


@pytest.mark.parametrize(
    ("loss", "y", "match"),
    [
        ("poisson", [[-1.0]], "needs counts.*-1.*mse"),
        ("kld", [[3.0]], "from 0 to 1.*sum"),
        ("binary_focal_crossentropy", [[5.0]], "targets from 0 to 1"),
        ("categorical_generalized_cross_entropy", [[7]], "labels from 0 to 0"),
    ],
)
def test_targets_that_cannot_be_meant_are_refused_before_training(loss, y, match):
    model = Sequential([gn.nn.Input((1,)), Dense(1)])
    model.compile("sgd", loss)
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises(ValueError, match=match):
        model.fit([[1.0]], y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_network_learns_by_every_loss():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype("f")
    labels = (x[:, 0] > 0).astype(int)
    hot = np.eye(2, dtype="f")[labels]
    for word in ("huber", "log_cosh", "kld", "categorical_focal_crossentropy", "categorical_hinge", "dice", "poisson"):
        gn.nn.set_random_seed(1)
        model = Sequential([Dense(2, activation="softmax")])
        model.compile(gn.nn.optimizers.Adam(0.05), word, metrics=["accuracy"])
        history = model.fit(x, hot, epochs=12, batch_size=32, verbose=0).history
        assert history["loss"][-1] < history["loss"][0] and history["accuracy"][-1] > 0.7, word
        assert model.steps.train._plans, word
