"""Losses, metrics, regularizers, constraints, activations and initializers beside the real Keras, in float32.

Runs where Keras can be imported and GRAPHNET_PARITY is 1. Each table below has one row per case.
"""

import os

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn import activations, constraints, initializers, losses, metrics, regularizers

if os.environ.get("GRAPHNET_PARITY") != "1":
    pytest.skip("GRAPHNET_PARITY=1 compares with the real Keras", allow_module_level=True)
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")

RNG = np.random.default_rng(5)
CLASSES = 4


def normal(*shape):
    return RNG.normal(size=shape).astype("f")


def shares(*shape):
    return RNG.random(shape).astype("f") * 0.98 + 0.01


def softmaxes(*shape):
    e = np.exp(normal(*shape))
    return (e / e.sum(-1, keepdims=True)).astype("f")


LABELS = np.array([0, 2, 1, 3, 3, 0])
ONE_HOT = np.eye(CLASSES, dtype="f")[LABELS]
BITS = np.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]], "f")
SIGNS = BITS * 2 - 1
UNIT = normal(6, 5)
UNIT /= np.linalg.norm(UNIT, axis=1, keepdims=True)
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 0.25], "f")
IMAGES, IMAGE_LABELS = softmaxes(6, 3, 2, CLASSES), RNG.integers(CLASSES, size=(6, 3, 2))
IMAGE_HOT = np.eye(CLASSES, dtype="f")[IMAGE_LABELS]

#: class, arguments, targets, predictions
LOSSES = [
    ("BinaryCrossentropy", {}, BITS, shares(6, 4)),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, BITS, shares(6, 4)),
    ("BinaryCrossentropy", {"from_logits": True}, BITS, normal(6, 4)),
    ("BinaryCrossentropy", {"axis": 0, "reduction": None}, BITS, shares(6, 4)),
    ("CategoricalCrossentropy", {}, ONE_HOT, softmaxes(6, 4)),
    ("CategoricalCrossentropy", {}, ONE_HOT, shares(6, 4)),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ONE_HOT, normal(6, 4)),
    ("CategoricalCrossentropy", {"axis": 1}, np.moveaxis(IMAGE_HOT, -1, 1), np.moveaxis(IMAGES, -1, 1)),
    ("CategoricalCrossentropy", {}, IMAGE_HOT, IMAGES),
    ("SparseCategoricalCrossentropy", {}, LABELS, softmaxes(6, 4)),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS[:, None], normal(6, 4)),
    ("SparseCategoricalCrossentropy", {"ignore_class": 3}, LABELS, softmaxes(6, 4)),
    ("SparseCategoricalCrossentropy", {"ignore_class": 3}, IMAGE_LABELS, IMAGES),
    ("BinaryFocalCrossentropy", {}, BITS, shares(6, 4)),
    ("BinaryFocalCrossentropy", {"gamma": 0.5, "apply_class_balancing": True}, BITS, shares(6, 4)),
    ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1, "alpha": 0.4}, BITS, normal(6, 4)),
    ("CategoricalFocalCrossentropy", {}, ONE_HOT, softmaxes(6, 4)),
    ("CategoricalFocalCrossentropy", {"alpha": 0.6, "gamma": 1.5, "label_smoothing": 0.2}, ONE_HOT, softmaxes(6, 4)),
    ("CategoricalFocalCrossentropy", {"from_logits": True}, ONE_HOT, normal(6, 4)),
    ("CategoricalFocalCrossentropy", {"axis": 1}, np.moveaxis(IMAGE_HOT, -1, 1), np.moveaxis(IMAGES, -1, 1)),
    ("CategoricalGeneralizedCrossEntropy", {}, LABELS, softmaxes(6, 4)),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.8}, LABELS, softmaxes(6, 4)),
    ("MeanSquaredError", {}, normal(6, 4), normal(6, 4)),
    ("MeanSquaredError", {}, normal(6, 3, 2), normal(6, 3, 2)),
    ("MeanAbsoluteError", {}, normal(6, 4), normal(6, 4)),
    ("MeanAbsolutePercentageError", {}, normal(6, 4), normal(6, 4)),
    ("MeanAbsolutePercentageError", {}, np.array([[0.0], [2.0]] * 3, "f"), np.ones((6, 1), "f")),
    ("MeanSquaredLogarithmicError", {}, shares(6, 4) * 5, shares(6, 4) * 5),
    ("MeanSquaredLogarithmicError", {}, normal(6, 4), normal(6, 4)),
    ("Huber", {}, normal(6, 4), normal(6, 4) * 3),
    ("Huber", {"delta": 0.3}, normal(6, 4), normal(6, 4)),
    ("Huber", {}, np.zeros((6, 2), "f"), np.array([[1.0, -1.0]] * 6, "f")),
    ("LogCosh", {}, normal(6, 4), normal(6, 4) * 4),
    ("LogCosh", {}, np.zeros((6, 2), "f"), np.array([[100.0, -100.0]] * 6, "f")),
    ("KLDivergence", {}, softmaxes(6, 4), softmaxes(6, 4)),
    ("KLDivergence", {}, ONE_HOT, softmaxes(6, 4)),
    ("Poisson", {}, RNG.poisson(3, (6, 4)).astype("f"), shares(6, 4) * 5),
    ("Hinge", {}, BITS, normal(6, 4)),
    ("Hinge", {}, SIGNS, normal(6, 4)),
    ("Hinge", {}, np.ones((6, 1), "f"), np.ones((6, 1), "f")),
    ("SquaredHinge", {}, BITS, normal(6, 4)),
    ("SquaredHinge", {}, SIGNS, normal(6, 4)),
    ("CategoricalHinge", {}, ONE_HOT, normal(6, 4)),
    ("CosineSimilarity", {}, normal(6, 4), normal(6, 4)),
    ("CosineSimilarity", {"axis": 0, "reduction": None}, normal(6, 4), normal(6, 4)),
    ("Dice", {}, BITS, shares(6, 4)),
    ("Dice", {"axis": (1, 2, 3)}, IMAGE_HOT, IMAGES),
    ("Tversky", {}, BITS, shares(6, 4)),
    ("Tversky", {"alpha": 0.2, "beta": 0.9, "axis": 1}, BITS, shares(6, 4)),
    ("Circle", {}, LABELS, UNIT),
    ("Circle", {"gamma": 2.0, "margin": 0.2}, LABELS, UNIT),
    ("Circle", {"gamma": 2.0, "remove_diagonal": False}, LABELS, UNIT),
]
REDUCTIONS = ["sum_over_batch_size", "sum", "mean_with_sample_weight", None]


def names(table):
    return [f"{i}-{row[0] if isinstance(row[0], str) else row[0].__name__}" for i, row in enumerate(table)]


def close(found, expected, rtol=1e-5, atol=2e-6):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=rtol, atol=atol)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))
def test_losses_and_their_gradients(case, weighted):
    name, options, y, p = case
    for reduction in [options["reduction"]] if "reduction" in options else REDUCTIONS:
        given = {**options, "reduction": reduction}
        ours, theirs = getattr(losses, name)(**given), getattr(keras.losses, name)(**given)
        w = None
        if weighted:
            # Keras divides by the weights as they are given, before they broadcast.
            values = getattr(losses, name)(**{**options, "reduction": None})(y, p).shape
            w = (
                np.broadcast_to(WEIGHTS[: values[0]].reshape(-1, *[1] * (len(values) - 1)), values)
                if values
                else WEIGHTS
            )
        found = ours(y, p, w)
        expected = theirs(y, p, w)
        assert found.shape == expected.shape and found.dtype == np.float32
        close(found.numpy(), expected)
        slope = gn.grad(lambda q, f=ours, w=w: gn.sum(f(y, q, w)))(gn.tensor(p))
        true = jax.grad(lambda q, f=theirs, w=w: keras.ops.sum(f(y, q, w)))(p)
        # Keras' sum of two logistic functions loses what ours keeps.
        close(slope.numpy(), true, rtol=2e-4 if name == "Circle" else 1e-5, atol=2e-5 if name == "Circle" else 2e-6)


@pytest.mark.parametrize("name", ["huber", "log_cosh", "mse", "mae", "mape", "msle", "kld", "bce", "poisson", "hinge"])
def test_functions_of_losses(name):
    function = getattr(keras.losses, name, None) or keras.losses.get(name)
    p = shares(6, 4)
    close(getattr(losses, name)(BITS, p).numpy(), function(BITS, p))


#: class, arguments, targets, predictions of three batches
BATCHES = 3
SCORES = np.round(shares(18, 1) * 20) / 20
METRICS = [
    ("Accuracy", {}, RNG.integers(3, size=(18, 2)), RNG.integers(3, size=(18, 2))),
    ("BinaryAccuracy", {}, np.tile(BITS, (3, 1)), shares(18, 4)),
    ("BinaryAccuracy", {"threshold": 0.3}, np.tile(BITS, (3, 1)), shares(18, 4)),
    ("CategoricalAccuracy", {}, np.tile(ONE_HOT, (3, 1)), shares(18, 4)),
    ("SparseCategoricalAccuracy", {}, np.tile(LABELS, 3), shares(18, 4)),
    ("SparseCategoricalAccuracy", {}, np.tile(LABELS, 3)[:, None], shares(18, 4)),
    ("SparseCategoricalAccuracy", {}, np.tile(IMAGE_LABELS, (3, 1, 1)), shares(18, 3, 2, 4)),
    ("TopKCategoricalAccuracy", {"k": 2}, np.tile(ONE_HOT, (3, 1)), shares(18, 4)),
    ("TopKCategoricalAccuracy", {"k": 2}, np.tile(ONE_HOT, (3, 1)), np.round(shares(18, 4) * 2)),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, np.tile(LABELS, 3), shares(18, 4)),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, np.tile(LABELS, 3), np.round(shares(18, 4) * 2)),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, np.tile(BITS, (3, 1)), shares(18, 4)),
    ("BinaryCrossentropy", {"from_logits": True}, np.tile(BITS, (3, 1)), normal(18, 4)),
    ("CategoricalCrossentropy", {}, np.tile(ONE_HOT, (3, 1)), softmaxes(18, 4)),
    ("SparseCategoricalCrossentropy", {}, np.tile(LABELS, 3), softmaxes(18, 4)),
    ("KLDivergence", {}, softmaxes(18, 4), softmaxes(18, 4)),
    ("Poisson", {}, RNG.poisson(3, (18, 4)).astype("f"), shares(18, 4) * 5),
    ("Hinge", {}, np.tile(BITS, (3, 1)), normal(18, 4)),
    ("SquaredHinge", {}, np.tile(SIGNS, (3, 1)), normal(18, 4)),
    ("CategoricalHinge", {}, np.tile(ONE_HOT, (3, 1)), normal(18, 4)),
    ("MeanSquaredError", {}, normal(18, 4), normal(18, 4)),
    ("MeanSquaredError", {}, normal(18, 4, 2), normal(18, 4, 2)),
    ("RootMeanSquaredError", {}, normal(18, 4), normal(18, 4)),
    ("MeanAbsoluteError", {}, normal(18, 4), normal(18, 4)),
    ("MeanAbsolutePercentageError", {}, normal(18, 4), normal(18, 4)),
    ("MeanSquaredLogarithmicError", {}, shares(18, 4), shares(18, 4)),
    ("LogCoshError", {}, normal(18, 4), normal(18, 4)),
    ("CosineSimilarity", {}, normal(18, 4), normal(18, 4)),
    ("PearsonCorrelation", {}, normal(18, 4), normal(18, 4)),
    ("ConcordanceCorrelation", {}, normal(18, 4), normal(18, 4)),
    ("R2Score", {}, normal(18, 1), normal(18, 1)),
    ("R2Score", {"class_aggregation": None}, normal(18, 3), normal(18, 3)),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, normal(18, 3), normal(18, 3)),
    ("R2Score", {"num_regressors": 2}, normal(18, 1), normal(18, 1)),
    *[
        (name, {"thresholds": t}, RNG.integers(2, size=(18, 1)), SCORES)
        for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives", "Precision", "Recall")
        for t in (None, 0.35, [0.12, 0.47, 0.9], [0.0, 0.5, 1.0], list(np.linspace(0, 1, 11)))
    ],
    *[
        (name, {"top_k": k, "class_id": c}, np.tile(BITS, (3, 1)), shares(18, 4))
        for name in ("Precision", "Recall")
        for k in (None, 1, 2)
        for c in (None, 2)
    ],
    *[
        ("AUC", {"curve": c, "summation_method": s, **o}, RNG.integers(2, size=(18, 1)), SCORES)
        for c in ("ROC", "PR", "PRGAIN")
        for s in ("interpolation", "minoring", "majoring")
        for o in ({}, {"num_thresholds": 7}, {"thresholds": [0.2, 0.25, 0.8]})
    ],
    ("AUC", {"from_logits": True}, RNG.integers(2, size=(18, 1)), normal(18, 1)),
    ("AUC", {}, RNG.integers(2, size=18), np.linspace(0, 1, 18, dtype="f")),
    ("AUC", {"multi_label": True}, np.tile(BITS, (3, 1)), shares(18, 4)),
    ("AUC", {"multi_label": True, "num_labels": 4, "curve": "PR"}, np.tile(BITS, (3, 1)), shares(18, 4)),
    ("AUC", {"multi_label": True, "label_weights": [1.0, 0.0, 2.0, 0.5]}, np.tile(BITS, (3, 1)), shares(18, 4)),
    ("AUC", {"label_weights": [1.0, 0.0, 2.0, 0.5]}, np.tile(BITS, (3, 1)), shares(18, 4)),
    *[
        (name, {value: limit, **o}, RNG.integers(2, size=(18, 1)), SCORES)
        for name, value in (
            ("SensitivityAtSpecificity", "specificity"),
            ("SpecificityAtSensitivity", "sensitivity"),
            ("PrecisionAtRecall", "recall"),
            ("RecallAtPrecision", "precision"),
        )
        for limit, o in ((0.4, {}), (0.7, {"num_thresholds": 5}), (0.5, {"num_thresholds": 1}))
    ],
    *[
        (name, {"average": a, "threshold": t, **o}, np.tile(BITS, (3, 1)), shares(18, 4))
        for name, o in (("F1Score", {}), ("FBetaScore", {"beta": 0.5}))
        for a in (None, "micro", "macro", "weighted")
        for t in (None, 0.5)
    ],
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, RNG.integers(3, size=18), RNG.integers(3, size=18)),
    ("MeanIoU", {"num_classes": 4}, RNG.integers(3, size=18), RNG.integers(3, size=18)),
    ("MeanIoU", {"num_classes": 3, "ignore_class": 1}, RNG.integers(3, size=18), RNG.integers(3, size=18)),
    ("MeanIoU", {"num_classes": 4, "sparse_y_pred": False}, RNG.integers(3, size=18), shares(18, 4)),
    ("BinaryIoU", {}, RNG.integers(2, size=(18, 1)), SCORES),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, RNG.integers(2, size=(18, 1)), SCORES),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [1, 3]}, np.tile(ONE_HOT, (3, 1)), shares(18, 4)),
    ("OneHotMeanIoU", {"num_classes": 4}, np.tile(ONE_HOT, (3, 1)), shares(18, 4)),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", METRICS, ids=names(METRICS))
def test_metrics_over_batches(case, weighted):
    name, options, y, p = case
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    # Keras drops the fractions of weights in its tables of classes.
    weights = np.tile(np.ceil(WEIGHTS) if "IoU" in name else WEIGHTS, 3)
    for _ in range(2):
        for i in range(BATCHES):
            rows = slice(i * 6, i * 6 + 6)
            w = weights[rows] if weighted else None
            ours.update_state(y[rows], p[rows], w)
            theirs.update_state(y[rows], p[rows], w)
            close(ours.result().numpy(), theirs.result(), atol=1e-5)
        assert np.shape(ours.result()) == np.shape(theirs.result())
        ours.reset_state()
        theirs.reset_state()


def test_names_and_directions_of_metrics():
    directions = {"up": "max", "down": "min"}
    for name in sorted({row[0] for row in METRICS}):
        options = next(row[1] for row in METRICS if row[0] == name)
        ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
        assert theirs.name == ours.name or theirs.name.startswith(ours.name + "_"), name
        if getattr(theirs, "_direction", None):
            assert ours.direction == directions[theirs._direction], name


def test_signatures_of_losses_and_metrics():
    import inspect

    for room, other, table in ((losses, keras.losses, LOSSES), (metrics, keras.metrics, METRICS)):
        for name in sorted({row[0] for row in table}):
            wanted = list(inspect.signature(getattr(other, name)).parameters)
            have = list(inspect.signature(getattr(room, name)).parameters)
            assert have[: len(wanted)] == wanted or set(wanted) <= set(have), (name, wanted, have)
            assert have[:1] == wanted[:1], (name, wanted, have)


POINTS = np.concatenate(
    [np.linspace(-6, 6, 41), [0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, 20.0, -20.0, 80.0, -80.0]]
).astype("f")
#: name, arguments, and where the gradients are not the same on purpose
ACTIVATIONS = [
    *[
        (name, {}, ())
        for name in "elu exponential gelu linear log_sigmoid mish relu selu sigmoid silu softplus softsign "
        "sparse_plus squareplus tanh tanh_shrink soft_shrink hard_shrink celu hard_tanh".split()
    ],
    ("leaky_relu", {}, (0.0,)),
    ("relu6", {}, ()),
    ("hard_sigmoid", {}, (-3.0, 3.0)),
    ("hard_silu", {}, (-3.0, 3.0)),
    ("sparse_sigmoid", {}, (-1.0, 1.0)),
    ("relu", {"negative_slope": 0.1}, (0.0,)),
    ("relu", {"max_value": 3.0}, (3.0,)),
    ("relu", {"max_value": 6}, ()),
    ("relu", {"threshold": 0.5}, ()),
    ("relu", {"negative_slope": 0.2, "max_value": 2.5, "threshold": 1.0}, (0.0,)),
    ("elu", {"alpha": 0.3}, ()),
    ("celu", {"alpha": 0.3}, ()),
    ("gelu", {"approximate": True}, ()),
    ("leaky_relu", {"negative_slope": 0.01}, (0.0,)),
    ("squareplus", {"b": 2.0}, ()),
    ("soft_shrink", {"threshold": 1.0}, ()),
    ("hard_shrink", {"threshold": 1.0}, ()),
    ("threshold", {"threshold": 1.0, "default_value": -2.0}, ()),
]


@pytest.mark.parametrize("case", ACTIVATIONS, ids=names(ACTIVATIONS))
def test_activations_and_their_gradients(case):
    name, options, apart = case
    ours, theirs = getattr(activations, name), getattr(keras.activations, name)
    x = POINTS
    # Keras' squareplus cancels far below 0.
    atol = 2e-5 if name == "squareplus" else 1e-6
    found = ours(gn.tensor(x), **options)
    assert found.dtype == np.float32
    close(found.numpy(), theirs(x, **options), rtol=1e-6, atol=atol)
    x = x[~np.isin(x, apart)]
    slope = gn.grad(lambda q: gn.sum(ours(q, **options)))(gn.tensor(x))
    true = jax.grad(lambda q: keras.ops.sum(theirs(q, **options)))(x)
    close(slope.numpy(), true, rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "glu"])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_activations_along_an_axis(name, axis):
    ours, theirs = getattr(activations, name), getattr(keras.activations, name)
    x, w = normal(4, 6, 2), normal(4, 6, 2)
    found = ours(gn.tensor(x), axis=axis)
    w = w[tuple(slice(n) for n in found.shape)]
    close(found.numpy(), theirs(x, axis=axis), rtol=1e-6, atol=1e-6)
    slope = gn.grad(lambda q: gn.sum(ours(q, axis=axis) * w))(gn.tensor(x))
    close(slope.numpy(), jax.grad(lambda q: keras.ops.sum(theirs(q, axis=axis) * w))(x))


REGULARIZERS = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]


@pytest.mark.parametrize("case", REGULARIZERS, ids=names(REGULARIZERS))
def test_regularizers_and_their_gradients(case):
    name, options = case
    ours, theirs = getattr(regularizers, name)(**options), getattr(keras.regularizers, name)(**options)
    w = normal(5, 3)
    close(ours(gn.tensor(w)).numpy(), theirs(keras.ops.convert_to_tensor(w)))
    close(gn.grad(ours)(gn.tensor(w)).numpy(), jax.grad(lambda v: theirs(v) + 0.0 * v.sum())(w))


CONSTRAINTS = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": 1}),
    ("MaxNorm", {"max_value": 1.0, "axis": [0, 1]}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": 1}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 1.5, "max_value": 2.0, "rate": 0.3, "axis": 1}),
]


@pytest.mark.parametrize("case", CONSTRAINTS, ids=names(CONSTRAINTS))
def test_constraints(case):
    name, options = case
    for w in (normal(5, 3), np.zeros((2, 2), "f")):
        expected = getattr(keras.constraints, name)(**options)(w)
        close(getattr(constraints, name)(**options)(gn.tensor(w)).numpy(), expected)


INITIALIZERS = [
    ("RandomNormal", {}, (200, 100)),
    ("RandomNormal", {"mean": 1.0, "stddev": 2.0}, (200, 100)),
    ("RandomUniform", {}, (200, 100)),
    ("TruncatedNormal", {}, (200, 100)),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}, (200, 100)),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "uniform"}, (3, 3, 40, 50)),
    *[
        (f"{who}{kind}", {}, shape)
        for who in ("Glorot", "He", "Lecun")
        for kind in ("Uniform", "Normal")
        for shape in ((300, 100), (3, 3, 40, 50), (20000,))
    ],
]


@pytest.mark.parametrize("case", INITIALIZERS, ids=names(INITIALIZERS))
def test_distributions_of_initializers(case):
    name, options, shape = case
    ours = getattr(initializers, name)(**options, seed=1)(shape)
    theirs = np.asarray(getattr(keras.initializers, name)(**options, seed=1)(shape))
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype == np.float32
    std = float(theirs.std())
    assert float(ours.std()) == pytest.approx(std, rel=0.03)
    assert float(ours.mean()) == pytest.approx(float(theirs.mean()), abs=0.03 * std)
    quantiles = np.linspace(0.01, 0.99, 15)
    close(np.quantile(ours, quantiles), np.quantile(theirs, quantiles), rtol=0, atol=0.06 * std)


def test_constant_and_orthogonal_initializers():
    for name, options, shape in (("Zeros", {}, (2, 3)), ("Ones", {}, (3,)), ("Constant", {"value": 2.5}, (2, 2))):
        expected = getattr(keras.initializers, name)(**options)(shape)
        close(getattr(initializers, name)(**options)(shape), expected)
    close(initializers.Identity(2.0)((3, 4)), keras.initializers.Identity(2.0)((3, 4)))
    for shape in ((5, 3), (3, 5), (2, 2, 5)):
        for room in (initializers, keras.initializers):
            q = np.asarray(room.Orthogonal(1.5, seed=0)(shape)).reshape(-1, shape[-1])
            q = q if q.shape[0] >= q.shape[1] else q.T
            close(q.T @ q, 2.25 * np.eye(q.shape[1]), atol=1e-5)


def test_results_with_several_values_in_a_history():
    x, y = normal(32, 3), np.eye(4, dtype="f")[RNG.integers(4, size=32)]
    ours = gn.nn.Sequential([gn.nn.Dense(4, activation="softmax")])
    theirs = keras.Sequential([keras.layers.Dense(4, activation="softmax")])
    histories = []
    for model, room in ((ours, metrics), (theirs, keras.metrics)):
        model.compile(
            "sgd", "categorical_crossentropy", metrics=[room.F1Score(), room.Precision(thresholds=[0.1, 0.3])]
        )
        model.build((None, 3))
        model.set_weights([np.ones((3, 4), "f") * 0.1, np.array([0.1, 0.0, 0.2, 0.3], "f")])
        history = model.fit(x, y, epochs=2, verbose=0, shuffle=False, batch_size=8).history
        histories.append({key.removesuffix("_1"): values for key, values in history.items()})
        assert model.evaluate(x, y, verbose=0, return_dict=True).keys() == history.keys()
    first, second = histories
    assert list(first) == list(second)
    for key in first:
        assert [np.shape(v) for v in first[key]] == [np.shape(v) for v in second[key]], key
        close(first[key], second[key])
