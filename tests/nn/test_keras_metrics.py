"""Metrics at the figures of Keras (by the numbers of the list they stand in), in batches, compiled, and in errors."""

import copy

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn import Dense, Input, Sequential, callbacks, losses, metrics
from graphnet.nn.metrics import confusion

ONE_HOT = np.array([[0, 1, 0], [0, 0, 1]], "f")
PROBABILITIES = np.array([[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]], "f")


def result(metric, *batches):
    for batch in batches:
        metric.update_state(*batch)
    return metric.result().numpy()


def test_25_names():
    model = Sequential([Input((2,)), Dense(1)])

    def worst(y_true, y_pred):
        return gn.max(gn.abs(y_pred - y_true), axis=-1)

    model.compile("sgd", "mse", metrics=["mse", "acc", worst, metrics.AUC(name="area"), "huber", losses.Huber()])
    logs = model.test_on_batch(np.ones((3, 2)), np.ones((3, 1)), return_dict=True)
    assert list(logs) == ["loss", "mse", "acc", "worst", "area", "huber", "huber_loss"]
    assert logs["mse"] == pytest.approx(logs["loss"]) and logs["huber"] == pytest.approx(logs["huber_loss"])


def test_26_the_words_accuracy_and_crossentropy_fit_the_shapes():
    p = np.array([[0.1, 0.9], [0.8, 0.2]], "f")
    for y in (np.array([1, 1]), np.array([[1], [1]]), np.array([[0, 1], [0, 1]])):
        assert result(metrics.get("accuracy"), (y, p)) == 0.5
        assert result(metrics.get("ce"), (y, p)) == pytest.approx(-(np.log(0.9) + np.log(0.2)) / 2, rel=1e-6)
    assert result(metrics.get("accuracy"), (np.array([1, 0]), np.array([[0.9], [0.5]], "f"))) == 1.0


def test_27_ties_and_weights():
    assert result(metrics.BinaryAccuracy(), ([[0.0]], [[0.5]])) == 1.0
    assert result(metrics.CategoricalAccuracy(), (ONE_HOT, PROBABILITIES, [0.7, 0.3])) == pytest.approx(0.7)
    assert result(metrics.SparseCategoricalAccuracy(), ([1], [[0.2, 0.4, 0.4]])) == 1.0


def test_28_evaluate_gives_a_number_a_list_or_a_dict():
    model = Sequential([Input((1,)), Dense(1, kernel_initializer="ones")])
    x, y = [[1.0], [2.0]], [[0.0], [0.0]]
    model.compile("sgd", "mse")
    assert model.evaluate(x, y, verbose=0) == 2.5
    model.compile("sgd", "mse", metrics=["mae", "r2_score"])
    found = model.evaluate(x, y, verbose=0)
    assert found[:2] == [2.5, 1.5] and found[2] == 0.0
    assert list(model.evaluate(x, y, verbose=0, return_dict=True)) == ["loss", "mae", "r2_score"]


def test_29_areas_scores_and_shares():
    assert result(metrics.AUC(), ([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])) == pytest.approx(0.75)
    assert result(metrics.F1Score(average="macro"), (ONE_HOT, PROBABILITIES)) == pytest.approx(0.2222222, rel=1e-6)
    score = metrics.R2Score()
    assert result(score, (np.array([[1.0], [4.0], [3.0]]), np.array([[2.0], [4.0], [4.0]]))) == pytest.approx(0.5714286)
    assert result(metrics.MeanIoU(2), ([0, 0, 1, 1], [0, 1, 0, 1])) == pytest.approx(0.3333333, rel=1e-6)


def test_means_count_rows():
    m = metrics.Mean()
    m.update_state(np.ones((2, 10)))
    m.update_state(np.full((2, 1), 3.0))
    assert float(m.result()) == 2.0
    m.reset_state()
    m.update_state(np.array([[1.0, 3.0], [5.0, 7.0]]), np.array([1.0, 3.0]))
    assert float(m.result()) == 5.0
    m.update_state(np.ones((0, 2)))
    assert float(m.result()) == 5.0
    total = metrics.Sum()
    assert result(total, ([1.0, 2.0],), ([3.0, 4.0], [1.0, 0.5])) == 8.0


def test_counts_at_thresholds():
    y, p = np.array([0, 1, 1, 0, 1]), np.array([0.2, 0.3, 0.6, 0.7, 0.9], "f")
    w = np.array([1, 2, 3, 4, 5.0])
    assert [float(m(y, p)) for m in map(metrics.get, ["tp", "fp", "tn", "fn"])] == [2, 1, 1, 1]
    assert result(metrics.TruePositives([0.25, 0.5, 0.8]), (y, p)).tolist() == [3, 2, 1]
    assert result(metrics.FalseNegatives([0.25, 0.5]), (y, p, w)).tolist() == [0, 2]
    assert result(metrics.Precision(), (y, p, w)) == pytest.approx(8 / 12)
    assert result(metrics.Recall(), (y, p, w)) == pytest.approx(0.8)
    assert result(metrics.Precision(thresholds=0.95), (y, p)) == 0.0


def test_precision_of_the_first_few_and_of_one_class():
    y, p = np.array([[0, 1, 1], [1, 0, 0]]), np.array([[0.9, 0.8, 0.1], [0.2, 0.3, 0.3]], "f")
    assert result(metrics.Precision(top_k=2), (y, p)) == pytest.approx(1 / 4)
    assert result(metrics.Recall(top_k=2), (y, p)) == pytest.approx(1 / 3)
    assert result(metrics.Precision(class_id=1), (y, p)) == 1.0
    assert result(metrics.Recall(top_k=1, class_id=0), (y, p)) == 0.0


@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
def test_area_in_buckets_is_the_same(curve, monkeypatch):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=(700, 2))
    p = np.clip(rng.normal(0.4 + 0.2 * y, 0.3), 0, 1).astype("f")
    w = rng.random(700)
    found = []
    for large in (1 << 30, 0):
        monkeypatch.setattr(confusion, "LARGE", large)
        for options in ({}, {"multi_label": True}, {"num_thresholds": 33}):
            found.append(float(result(metrics.AUC(curve=curve, **options), (y, p, w), (y[:5], p[:5], w[:5]))))
    assert found[:3] == pytest.approx(found[3:], rel=1e-5)


def test_area_agrees_with_sklearn():
    sk = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=400)
    p = (1 / (1 + np.exp(-rng.normal(y * 1.5, 1.0)))).astype("f")
    w = rng.random(400)
    assert result(metrics.AUC(2000), (y, p, w)) == pytest.approx(sk.roc_auc_score(y, p, sample_weight=w), abs=2e-4)
    assert result(metrics.AUC(2000, curve="PR"), (y, p)) == pytest.approx(sk.average_precision_score(y, p), abs=2e-3)
    hot, scores = np.eye(3, dtype="f")[rng.integers(3, size=90)], rng.random((90, 3)).astype("f")
    for average in ("micro", "macro", "weighted", None):
        expected = sk.f1_score(hot.argmax(1), scores.argmax(1), average=average)
        assert result(metrics.F1Score(average=average), (hot, scores)) == pytest.approx(expected, abs=1e-6)
    y3, p3 = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    for ours, theirs in (("uniform_average", "uniform_average"), ("variance_weighted_average", "variance_weighted")):
        expected = sk.r2_score(y3, p3, multioutput=theirs)
        assert result(metrics.R2Score(ours), (y3[:20], p3[:20]), (y3[20:], p3[20:])) == pytest.approx(expected)


def test_rates_at_a_limit():
    y, p = [0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]
    assert result(metrics.SensitivityAtSpecificity(0.5), (y, p)) == 0.5
    assert result(metrics.SpecificityAtSensitivity(0.5), (y, p)) == pytest.approx(2 / 3)
    assert result(metrics.PrecisionAtRecall(0.5), (y, p)) == pytest.approx(0.5)
    assert result(metrics.RecallAtPrecision(0.5), (y, p)) == pytest.approx(1.0)
    assert result(metrics.RecallAtPrecision(0.9), (y, p)) == 0.0


def test_top_k_and_equal_predictions():
    p = np.array([[0.1, 0.9, 0.8], [0.3, 0.3, 0.3]], "f")
    for y, name in ((np.array([2, 2]), "SparseTopK"), (np.eye(3, dtype="f")[[2, 2]], "TopK")):
        make = getattr(metrics, f"{name}CategoricalAccuracy")
        assert result(make(k=1), (y, p)) == 0.5 and result(make(k=2), (y, p)) == 1.0
    assert result(metrics.get("top_k_categorical_accuracy"), (np.eye(9)[[1]], np.arange(9.0)[None])) == 0.0
    ids = metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)
    assert result(ids, (np.array([3, 1]), np.array([[1, 3, 0], [0, 2, 1]]))) == 0.5
    bad = np.array([[np.nan, 0.2, 0.1]], "f")
    assert result(metrics.SparseTopKCategoricalAccuracy(k=1), (np.array([0]), bad)) == 0.0


def test_scores_of_constant_targets():
    y = np.full((5, 1), 0.1)
    assert result(metrics.R2Score(), (y, y)) == 1.0
    assert result(metrics.R2Score(), (y, y + 0.5)) == 0.0
    assert float(metrics.R2Score().result()) == 0.0
    adjusted = metrics.R2Score(num_regressors=1)
    assert result(adjusted, ([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])) == pytest.approx(1 - (3 / 7) * 2 / 1)
    few = metrics.R2Score(num_regressors=5)
    assert result(few, ([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])) == pytest.approx(4 / 7)


def test_correlations():
    y, p = np.array([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]]), np.array([[1.0, 3.0, 2.0], [1.0, 2.0, 3.0]])
    r = np.corrcoef(y[0], p[0])[0, 1]
    assert result(metrics.PearsonCorrelation(), (y, p)) == pytest.approx(r / 2)
    assert result(metrics.ConcordanceCorrelation(), (y[:1], y[:1])) == pytest.approx(1, abs=1e-6)
    with pytest.raises(ValueError, match="axis=0"):
        metrics.PearsonCorrelation()(np.ones((3, 1)), np.ones((3, 1)))
    assert result(metrics.CosineSimilarity(), ([[0.0, 1.0]], [[1.0, 1.0]])) == pytest.approx(0.7071068)


def test_areas_of_classes_with_fractional_weights():
    m = metrics.IoU(3, [0, 1])
    m.update_state(np.array([[0, 1], [2, 1]]), np.array([[0, 0], [2, 1]]), np.array([[0.5, 0.25], [1.0, 1.0]]))
    assert float(m.result()) == pytest.approx((0.5 / 0.75 + 1 / 1.25) / 2, rel=1e-5)
    rows = metrics.MeanIoU(2)
    rows.update_state(np.array([[0, 1], [1, 1]]), np.array([[0, 0], [1, 1]]), np.array([1.0, 0.0]))
    assert float(rows.result()) == pytest.approx((0.5 + 0) / 2, rel=1e-5)
    void = metrics.MeanIoU(2, ignore_class=255)
    void.update_state(np.array([0, 255, 1]), np.array([0, 1, 1]))
    assert float(void.result()) == pytest.approx(1, rel=1e-5)
    hot = metrics.OneHotMeanIoU(3)
    assert result(hot, (ONE_HOT, PROBABILITIES)) == pytest.approx((0.5 + 0) / 2, rel=1e-5)
    assert result(metrics.BinaryIoU(threshold=0.5), ([0, 1], [0.5, 0.7])) == pytest.approx(0.25, rel=1e-5)


BITS = np.random.default_rng(2).integers(2, size=(24, 3))
EACH = {
    **{word: (np.eye(3, dtype="f")[BITS.sum(1) % 3], "shares") for word in (
        "categorical_accuracy", "top_k_categorical_accuracy", "cce", "kld", "categorical_hinge", "f1_score",
        "fbeta_score", "one_hot_mean_iou", "poisson", "cosine_similarity", "categorical_focal_crossentropy",
    )},
    **{word: (BITS.sum(1) % 3, "shares") for word in (
        "accuracy", "sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy", "scce", "ce", "zero_one_loss",
    )},
    **{word: (BITS.astype("f"), "shares") for word in (
        "binary_accuracy", "bce", "auc", "precision", "recall", "tp", "tn", "fp", "fn", "binary_iou", "hinge",
        "squared_hinge", "dice", "binary_focal_crossentropy",
    )},
    **{word: (np.random.default_rng(4).normal(size=(24, 3)).astype("f"), "any") for word in (
        "mse", "mae", "mape", "msle", "rmse", "logcosh", "r2_score", "pearson_correlation", "concordance_correlation",
        "huber",
    )},
}  # fmt: skip


def made(word):
    return metrics.OneHotMeanIoU(3) if word == "one_hot_mean_iou" else metrics.get(word)


@pytest.mark.parametrize("word", EACH)
def test_compiled_updates_with_weights_and_reset(word):
    y, kind = EACH[word]
    z = np.random.default_rng(6).normal(size=(24, 3)).astype("f")
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True) if kind == "shares" else z
    w = np.random.default_rng(7).random(24).astype("f")
    eager, compiled = made(word), made(word)
    step = gn.compile(lambda y, p, w: compiled.update_state(y, p, w))
    for _ in range(2):
        for rows in (slice(0, 8), slice(8, 16), slice(16, 24)):
            eager.update_state(gn.tensor(y[rows]), gn.tensor(p[rows]), gn.tensor(w[rows]))
            step(y[rows], p[rows], w[rows])
        np.testing.assert_allclose(compiled.result().numpy(), eager.result().numpy(), rtol=1e-6, atol=1e-9)
        eager.reset_state()
        compiled.reset_state()
    fresh = made(word)
    fresh.update_state(y, p, np.ones(24, "f"))
    plain = made(word)
    plain.update_state(y, p)
    np.testing.assert_allclose(fresh.result().numpy(), plain.result().numpy(), rtol=1e-6)


@pytest.mark.parametrize("word", EACH)
def test_early_stopping_knows_the_direction(word):
    metric = made(word)
    assert metric.direction in ("min", "max")
    assert (metric.direction == "min") == (
        (word in losses.table.words and word != "cosine_similarity") or word in ("rmse", "fp", "fn", "zero_one_loss")
    )


@pytest.mark.parametrize("word", EACH)
def test_metrics_come_back_from_their_configuration(word):
    metric = made(word)
    if type(metric) is metrics.MeanMetricWrapper:
        return
    again = metrics.get({"class_name": type(metric).__name__, "config": metric.get_config()})
    assert again.get_config() == metric.get_config()


def test_a_compiled_fit_is_the_eager_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 4)).astype("f")
    y = np.eye(3, dtype="f")[rng.integers(3, size=160)]
    w = rng.random(160)
    words = [w for w, (t, kind) in EACH.items() if kind == "shares" and t.ndim == 2 and w != "one_hot_mean_iou"]
    histories = []
    for eager in (True, False):
        gn.nn.set_random_seed(3)
        model = Sequential([Dense(5, activation="tanh"), Dense(3, activation="softmax")])
        model.compile(
            "adam",
            "categorical_crossentropy",
            metrics=words,
            weighted_metrics=[metrics.AUC(name="weighted_auc"), metrics.F1Score(name="weighted_f1")],
            run_eagerly=eager,
        )
        options = dict(batch_size=8, epochs=2, verbose=0, shuffle=False, validation_split=0.2, sample_weight=w)
        histories.append(model.fit(x, y, **options).history)
        assert bool(model.steps.train._plans) == (not eager)
    first, second = histories
    assert first.keys() == second.keys() and len(first) == 2 * (len(words) + 3)
    for key in first:
        np.testing.assert_allclose(np.array(first[key]), np.array(second[key]), rtol=2e-4, atol=1e-5, err_msg=key)


def test_results_of_several_values_stand_in_logs_and_history():
    x, y = np.random.default_rng(0).normal(size=(20, 2)).astype("f"), np.eye(3, dtype="f")[np.arange(20) % 3]
    model = Sequential([Dense(3, activation="softmax")])
    seen = []
    model.compile("sgd", "cce", metrics=["f1_score", metrics.Precision(thresholds=[0.2, 0.5]), "accuracy"])
    note = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["f1_score"]))
    history = model.fit(x, y, epochs=2, verbose=2, callbacks=[note])
    for key, shape in (("f1_score", (3,)), ("precision", (2,))):
        assert [v.shape for v in history.history[key]] == [shape] * 2 and history.history[key][0].dtype == np.float32
    assert type(history.history["accuracy"][0]) is float and type(history.history["loss"][0]) is float
    assert len(seen) == 2 and "f1_score" in repr(history)
    found = model.evaluate(x, y, verbose=1, return_dict=True)
    assert found["f1_score"].shape == (3,)
    assert model.score(x, y, metric="f1_score").shape == (3,)


def test_a_result_can_be_a_dict_or_have_one_value():
    class Ends(metrics.Metric):
        def __init__(self, name="ends"):
            super().__init__(name)
            self.top = self.add_variable((1,), name="top", value=-np.inf)

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.top.assign(gn.maximum(self.top, gn.max(y_pred)))

        def result(self):
            return {"top": self.top, "bottom": -self.top}

    model = Sequential([Input((1,)), Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=[Ends()])
    logs = model.evaluate([[1.0], [2.0]], [[1.0], [2.0]], verbose=0, return_dict=True)
    assert logs == {"loss": 0.0, "top": 2.0, "bottom": -2.0}


def test_copies_have_a_state_of_their_own():
    for metric in (metrics.AUC(), metrics.F1Score(), metrics.R2Score(), metrics.OneHotMeanIoU(3)):
        y, p = np.eye(3, dtype="f"), np.eye(3, dtype="f") * 0.5 + 0.1
        metric.update_state(y, p)
        other = copy.deepcopy(metric)
        before = metric.result().numpy().copy()
        other.update_state(y[::-1], p)
        other.reset_state()
        np.testing.assert_array_equal(metric.result().numpy(), before)
        assert all((v.numpy() == 0).all() for v in other.variables)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="Did you mean 'precision'"):
        metrics.get("precison")
    with pytest.raises(ValueError, match="Did you mean 'top_k_categorical_accuracy'"):
        metrics.get("topk_categorical_accuracy")
    with pytest.raises(ValueError, match="Did you mean 'huber'"):
        metrics.get("hubre")
    with pytest.raises(ValueError, match=r"'mean_iou' needs arguments.*metrics.MeanIoU"):
        metrics.get("mean_iou")
    with pytest.raises(ValueError, match="Did you mean 'ROC'"):
        metrics.AUC(curve="ROCK")
    with pytest.raises(ValueError, match=r"metric='precision'.*gives \(2, 3\).*to_categorical\(y, 3\)"):
        metrics.Precision()(np.array([0, 1]), PROBABILITIES)
    with pytest.raises(ValueError, match=r"metric='categorical_accuracy' needs one-hot.*'sparse_categorical_accuracy'"):
        metrics.CategoricalAccuracy()(np.array([0, 1]), PROBABILITIES)
    with pytest.raises(ValueError, match=r"metric='sparse_categorical_accuracy' needs integer labels"):
        metrics.SparseCategoricalAccuracy()(ONE_HOT, PROBABILITIES)
    for make, what in (
        (lambda: metrics.Precision(thresholds=1.5), "Precision: thresholds"),
        (lambda: metrics.Recall(top_k=0), "Recall: top_k"),
        (lambda: metrics.Precision(class_id=0)([1], [0.5]), "class_id=0"),
        (lambda: metrics.AUC(num_thresholds=1), "num_thresholds"),
        (lambda: metrics.AUC(summation_method="mean"), "summation_method"),
        (lambda: metrics.AUC(num_labels=3), "multi_label"),
        (lambda: metrics.AUC(multi_label=True)([1, 0], [0.5, 0.1]), "multi_label"),
        (lambda: metrics.AUC(label_weights=[1.0, 2.0])(ONE_HOT, PROBABILITIES), "label_weights"),
        (lambda: metrics.SensitivityAtSpecificity(1.2), "from 0 to 1"),
        (lambda: metrics.F1Score(average="mean"), "F1Score: average"),
        (lambda: metrics.FBetaScore(beta=0), "beta"),
        (lambda: metrics.F1Score(threshold=0), "threshold"),
        (lambda: metrics.F1Score()([1.0], [0.5]), r"\(batch, classes\)"),
        (lambda: metrics.IoU(2, [2]), "target_class_ids"),
        (lambda: metrics.MeanIoU(0), "num_classes"),
        (lambda: metrics.MeanIoU(3)([0, 1], PROBABILITIES), "sparse_y_pred=False"),
        (lambda: metrics.R2Score("mean"), "class_aggregation"),
        (lambda: metrics.R2Score(num_regressors=-1), "num_regressors"),
        (lambda: metrics.TopKCategoricalAccuracy(k=0), "k is a whole number"),
    ):
        with pytest.raises(ValueError, match=what):
            make()


def test_a_metric_that_does_not_fit_is_refused_before_training():
    model = Sequential([Input((2,)), Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["auc"])
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises(ValueError, match="metric='auc'"):
        model.fit(np.ones((4, 2)), np.array([0, 1, 2, 0]), verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
