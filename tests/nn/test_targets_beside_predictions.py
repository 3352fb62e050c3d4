"""Targets and predictions of shapes that differ, in losses and metrics of a user's own, and weights of 0."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

X = np.linspace(-1, 1, 32).astype("float32")[:, None]
Y = 3 * X[:, 0]
LOSSES = {
    "mean over the last axis": lambda t, p: gn.mean(gn.square(t - p), axis=-1),
    "mean over all": lambda t, p: gn.mean(gn.square(t - p)),
    "no mean": lambda t, p: gn.square(t - p),
    "by where": lambda t, p: gn.where(gn.abs(t - p) < 1.0, 0.5 * gn.square(t - p), gn.abs(t - p) - 0.5),
    "predictions squeezed": lambda t, p: gn.square(t - gn.squeeze(p, -1)),
    "predictions indexed": lambda t, p: gn.square(t - p[:, 0]),
    "one of graphnet's inside": lambda t, p: nn.losses.mean_squared_error(t, p),
}


class OwnLoss(nn.losses.Loss):
    def call(self, t, p):
        return gn.mean(gn.square(t - p), axis=-1)


class OwnMetric(nn.metrics.Metric):
    def __init__(self, name="own"):
        super().__init__(name)
        self.total, self.rows = self.add_variable((), "total"), self.add_variable((), "rows")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign(self.total + gn.sum(gn.abs(y_true - y_pred)))
        self.rows.assign(self.rows + float(y_pred.shape[0]))

    def result(self):
        return self.total / self.rows


class OwnMean(nn.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(gn.abs(y_true - y_pred), sample_weight)


def mae(t, p):
    return gn.mean(gn.abs(t - p), axis=-1)


def line(loss, **kwargs):
    model = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    model.set_weights([np.array([[2.0]], "float32"), np.zeros(1, "float32")])
    model.compile(nn.optimizers.SGD(0.3), loss, **kwargs)
    return model


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("y", [Y, Y[:, None]], ids=["(n,)", "(n, 1)"])
def test_a_loss_function_learns_the_line(name, y):
    model = line(LOSSES[name])
    if y.ndim == 2 and name in ("predictions squeezed", "predictions indexed"):
        with pytest.raises(ValueError, match="broadcasts targets against predictions"):
            model.fit(X, y, verbose=0)
        return
    model.fit(X, y, epochs=60, batch_size=16, verbose=0)
    assert np.allclose(model.get_weights()[0], 3, atol=0.05)


@pytest.mark.parametrize("compiled", [False, True])
def test_classes_and_metrics(compiled):
    metrics = [mae, OwnMetric(), OwnMean(name="mean"), nn.metrics.MeanMetricWrapper(mae, name="wrapped")]
    model = line(OwnLoss(), metrics=metrics, run_eagerly=not compiled)
    found = model.evaluate(X, Y, batch_size=2, verbose=0, return_dict=True)
    right = float(np.abs(Y - 2 * X[:, 0]).mean())
    assert [found[k] for k in ("mae", "own", "mean", "wrapped")] == pytest.approx([right] * 4, rel=1e-5)
    assert found["loss"] == pytest.approx(float(np.mean((Y - 2 * X[:, 0]) ** 2)), rel=1e-5)


@pytest.mark.parametrize("true, pred", [((4,), (4, 1)), ((4, 1), (4,)), ((4,), (4,)), ((4, 1), (4, 1))])
def test_called_directly(true, pred):
    t, p = np.arange(4.0).reshape(true), np.arange(4.0, 8.0).reshape(pred)
    assert float(OwnLoss()(t, p)) == 16
    assert float(nn.losses.LossFunctionWrapper(LOSSES["no mean"])(t, p)) == 16
    for metric in (OwnMetric(), OwnMean(), nn.metrics.MeanMetricWrapper(mae)):
        assert float(metric(t, p)) == 4
        assert float(metric(gn.tensor(t), gn.tensor(p))) == 4


@pytest.mark.parametrize(
    "true, pred",
    [((4, 1), (4, 3)), ((4, 3), (4, 1)), ((4,), (4, 4)), ((4, 4), (4,)), ((4, 2), (4, 5, 2)), ((4, 1, 3), (4, 3))],
)
def test_what_broadcasts_is_refused(true, pred):
    t, p = np.ones(true), np.ones(pred)
    for call in (OwnLoss(), nn.losses.LossFunctionWrapper(LOSSES["no mean"]), OwnMetric(), OwnMean()):
        with pytest.raises(ValueError, match=r"broadcast|axis|axes|shape"):
            call(t, p)


def test_fit_refuses_before_anything_changes():
    model = nn.Sequential([nn.Input((1,)), nn.Dense(32)])
    model.compile("sgd", LOSSES["no mean"])
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"'<lambda>' broadcasts targets.*\(32,\).*\(32, 32\)"):
        model.fit(X, Y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_what_is_meant_to_differ_stays():
    """Labels, columns of the targets, means over the batch, pairs of rows."""
    labels, p = np.array([0, 2, 1]), np.full((3, 3), 1 / 3)
    picked = nn.losses.LossFunctionWrapper(lambda t, q: -gn.log(q[np.arange(3), t.astype("int64")]))
    assert float(picked(labels, p)) == pytest.approx(np.log(3))
    column = nn.losses.LossFunctionWrapper(lambda t, q: gn.square(t[:, :1] - q))
    assert float(column(np.array([[1.0, 9], [2, 9]]), np.zeros((2, 1)))) == 2.5
    centred = nn.losses.LossFunctionWrapper(lambda t, q: gn.square(q - gn.mean(t, axis=0)))
    assert float(centred(np.array([[1.0], [3.0]]), np.zeros((2, 1)))) == 4
    pairs = nn.losses.LossFunctionWrapper(lambda t, q: gn.mean(gn.abs(q - gn.transpose(q)), axis=-1) + 0 * t[:, 0])
    assert float(pairs(np.zeros((2, 1)), np.array([[1.0], [3.0]]))) == 1


def test_a_metric_keeps_no_symbols():
    class Plain(nn.metrics.Metric):
        def __init__(self):
            super().__init__("plain")
            self.total = 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total = self.total + gn.sum(gn.abs(y_true - y_pred))

        def result(self):
            return self.total

    metric = Plain()
    assert float(metric(np.ones(4), np.zeros((4, 1)))) == 4
    assert float(metric(np.ones(4), np.zeros((4, 1)))) == 8


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_a_weight_of_0_leaves_a_value_out(bad, reduction):
    t, p, w = np.array([[bad], [1.0]], "float32"), np.array([[0.5], [3.0]], "float32"), np.array([0.0, 2.0])
    right = {"sum_over_batch_size": 4, "sum": 8, "mean_with_sample_weight": 4}[reduction]
    x = gn.Parameter(p)
    loss = nn.losses.MeanSquaredError(reduction=reduction)(t, x, w)
    assert float(loss) == right
    grad = gn.gradients(loss, x).numpy()
    assert grad[0] == 0 and np.isfinite(grad).all()
    f = gn.compile(lambda a: gn.gradients(nn.losses.MeanSquaredError(reduction=reduction)(t, a, w), a))
    assert np.array_equal(np.asarray(f(p)), grad)


@pytest.mark.parametrize(
    "metric",
    ["mse", "mae", "rmse", "r2", "auc", "precision", "recall", "binary_accuracy", "f1", "cosine_similarity", "mape"],
)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_of_0_leaves_a_row_out_of_metrics(metric, bad):
    rng = np.random.default_rng(0)
    t, p = (rng.random((6, 2)) > 0.5).astype("float32"), rng.random((6, 2)).astype("float32")
    w = np.array([1, 0, 2, 1, 0, 1], "float32")
    with_it, without = nn.metrics.get(metric), nn.metrics.get(metric)
    for m in (with_it, without):
        if hasattr(m, "average"):
            m.average = "macro"
    without.update_state(t[w > 0], p[w > 0], w[w > 0])
    p[w == 0] = bad
    with_it.update_state(t, p, w)
    assert np.allclose(with_it.result().numpy(), without.result().numpy())


def test_weights_of_elements_in_accuracies():
    t, p, w = np.array([[1, 0], [1, 1]]), np.array([[1, 1], [1, 0]]), np.array([[1.0, 1], [0, 0]])
    assert float(nn.metrics.Accuracy()(t, p, sample_weight=w)) == 0.5
    assert float(nn.metrics.BinaryAccuracy()(t, p.astype("float32"), sample_weight=w)) == 0.5
    assert float(nn.metrics.Accuracy()(t, p, sample_weight=np.array([1.0, 3.0]))) == 0.5
    with pytest.raises(ValueError, match="accuracy"):
        nn.metrics.Accuracy()(np.ones(2), np.ones((2, 2)))


def test_weights_need_values_of_rows():
    with pytest.raises(ValueError, match="one number for the whole batch"):
        line(LOSSES["mean over all"]).fit(X, Y, sample_weight=np.ones(32), verbose=0)
    with pytest.raises(ValueError, match="sample_weight has shape"):
        OwnLoss()(np.ones((4, 2)), np.ones((4, 2)), np.ones(2))
    with pytest.raises(ValueError, match="shape"):
        nn.metrics.MeanIoU(2)(np.zeros((2, 3)), np.zeros((3, 2)))
