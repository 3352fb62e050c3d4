"""Metrics: state in Keras' words, what is counted at thresholds, and curves over a fixed grid."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import metrics


class BinaryTruePositives(metrics.Metric):
    """The example of Keras' documentation."""

    def __init__(self, name="binary_true_positives", **kwargs):
        super().__init__(name=name, **kwargs)
        self.true_positives = self.add_variable(shape=(), initializer="zeros", name="true_positives")

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = gn.logical_and(gn.equal(y_true, 1.0), gn.equal(y_pred > 0.5, True)).astype("float32")
        if sample_weight is not None:
            values = values * gn.broadcast_to(gn.reshape(sample_weight, (-1, 1)), values.shape)
        self.true_positives.assign(self.true_positives + gn.sum(values))

    def result(self):
        return self.true_positives


class MeanRange(metrics.Metric):
    """Three states of three kinds: a count of integers, a sum, and a smallest number that starts at infinity."""

    def __init__(self, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.batches = self.add_weight(name="batches", initializer="zeros", dtype="int32")
        self.total = self.add_weight(name="total", initializer="ones", shape=(2,))
        self.low = gn.Parameter(np.inf, trainable=False)
        self.inner = metrics.Mean()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.batches.assign_add(1)
        self.total.assign_sub(gn.ones((2,), "float64"))
        self.low.assign(gn.minimum(self.low, gn.min(y_pred)))
        self.inner.update_state(y_pred)

    def result(self):
        return {"batches": self.batches, "low": self.low, "mean": self.inner.result(), "total": gn.sum(self.total)}


def test_state_by_add_variable_as_the_documentation_of_keras_has_it():
    m = BinaryTruePositives()
    assert float(m([[1], [1], [0]], np.array([[0.9], [0.2], [0.9]]))) == 1
    m.update_state(gn.tensor([[1.0], [1.0]]), gn.tensor([[0.9], [0.8]]), gn.tensor([0.5, 0.25]))
    assert float(m.result()) == 1.75
    m.reset_state()
    assert float(m.result()) == 0 and [v.name for v in m.variables] == ["binary_true_positives/true_positives"]


def test_states_start_again_from_their_initializers_and_inner_metrics_with_them():
    m = MeanRange()
    for _ in range(2):
        m.update_state(None, gn.tensor([3.0, 5.0]))
        m.update_state(None, gn.tensor([1.0, 3.0]))
        found = {k: float(v) for k, v in m.result().items()}
        assert found == {"batches": 2, "low": 1, "mean": 3, "total": -2}
        m.reset_state()
        assert float(m.low) == np.inf and m.total.numpy().tolist() == [1, 1] and int(m.batches) == 0
    assert m.batches.dtype == np.int32 and len(m.variables) == 5


@pytest.mark.parametrize("eager", [True, False])
def test_a_metric_of_ones_own_in_fit(eager):
    x = np.linspace(-1, 1, 64)[:, None]
    y = (x > 0).astype("float32")
    nn.set_random_seed(0)
    model = nn.Sequential([nn.Input((1,)), nn.Dense(1, "sigmoid", kernel_initializer="ones")])
    model.compile("sgd", "binary_crossentropy", metrics=[BinaryTruePositives(), MeanRange()], run_eagerly=eager)
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0).history
    assert history["binary_true_positives"] == [32, 32]
    assert history["batches"] == [16, 16] and 0 < history["low"][0] < history["mean"][0] < 1


def test_add_weight_before_super_and_with_a_name_first_say_what_to_write():
    class Early(metrics.Metric):
        def __init__(self):
            self.total = self.add_weight(name="total")
            super().__init__()

    with pytest.raises(RuntimeError, match=r"super\(\).__init__\(\)"):
        Early()
    with pytest.raises(TypeError, match="name='total'"):
        metrics.Mean().add_weight("total")


@pytest.mark.parametrize(
    "made, count",
    [
        (metrics.TruePositives, 1),
        (metrics.TrueNegatives, 1),
        (metrics.FalsePositives, 1),
        (metrics.FalseNegatives, 1),
        (metrics.Precision, 2),
        (metrics.Recall, 2),
        (metrics.AUC, 4),
        (lambda: metrics.SpecificityAtSensitivity(0.5), 4),
    ],
)
def test_a_metric_keeps_the_counts_that_it_needs(made, count):
    assert len(made().variables) == count


def test_thresholds_can_be_read_and_the_configuration_keeps_what_was_given():
    auc = metrics.AUC(num_thresholds=5)
    np.testing.assert_allclose(auc.thresholds, [-1e-7, 0.25, 0.5, 0.75, 1 + 1e-7], atol=1e-12)
    own = metrics.AUC(thresholds=[0.3, 0.1])
    np.testing.assert_allclose(own.thresholds[1:-1], [0.1, 0.3])
    for m in (auc, own, metrics.Precision([0.2, 0.8]), metrics.TruePositives()):
        again = type(m).from_config(m.get_config())
        assert again.thresholds == m.thresholds, m
    assert metrics.TruePositives().thresholds == [0.5] and metrics.RecallAtPrecision(0.5, 3).thresholds == [0, 0.5, 1]


@pytest.mark.parametrize("count", [3, 10, 200, 2000])
@pytest.mark.parametrize("curve", ["ROC", "PR"])
def test_an_even_grid_counts_as_comparisons_do(count, curve, monkeypatch):
    rng = np.random.default_rng(count)
    p = np.round(rng.random(3000), 3).astype("float32")  # with ties, 0 and 1
    p[:4] = 0, 1, 0, 1
    y, w = (rng.random(3000) < p).astype("float32"), rng.random(3000).astype("float32")
    even, each = metrics.AUC(count, curve), metrics.AUC(count, curve)
    assert even._even == (count > 8)
    each._even = False
    assert float(even(y, p, w)) == pytest.approx(float(each(y, p, w)), rel=2e-3 if count == 2000 else 1e-6)
    for name in even.keeps:
        a, b = getattr(even, name).numpy(), getattr(each, name).numpy()
        # A prediction that float32 cannot tell from a threshold may fall on either side of it.
        assert np.mean(np.abs(a - b) > 1e-3) < 0.2, name


def test_predictions_outside_of_zero_to_one_count_as_the_nearest_end():
    y = np.array([0, 0, 1, 1.0])
    assert float(metrics.AUC()(y, np.array([-3, -2, -1, -0.5]))) == 0.5
    assert float(metrics.AUC()(y, np.array([3, 2, 1.5, 1.1]))) == 0.5


def test_large_updates_take_buckets(monkeypatch):
    from graphnet.nn.metrics import confusion

    seen = []
    bucket = confusion.in_buckets
    monkeypatch.setattr(confusion, "in_buckets", lambda *a: seen.append(a[2]) or bucket(*a))
    rng = np.random.default_rng(0)
    p = rng.random(20000).astype("float32")
    metrics.AUC()((p > 0.5), p)
    assert seen == [200, 200]  # above each threshold, of the positive and of the negative rows: no table of both
