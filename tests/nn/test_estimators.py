"""The estimators in scikit-learn's own tests, its pipelines and searches, and with what its users hand over."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6", reason="the estimators are scikit-learn's")
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from graphnet import nn
from graphnet.nn import GraphnetClassifier, GraphnetRegressor

IRIS = load_iris()
NAMES = IRIS.target_names[IRIS.target]
FAST = {"epochs": 60, "random_state": 0}


@parametrize_with_checks(
    [GraphnetClassifier(epochs=100, random_state=0), GraphnetRegressor(epochs=100, random_state=0)]
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_a_pipeline_and_a_grid_search_with_string_labels():
    pipeline = make_pipeline(StandardScaler(), GraphnetClassifier(**FAST))
    grid = {"graphnetclassifier__hidden_layer_sizes": [(4,), (16, 8)], "graphnetclassifier__l2": [0.0, 1e-3]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(IRIS.data, NAMES)
    assert search.best_score_ > 0.93
    assert set(search.predict(IRIS.data)) == set(IRIS.target_names)
    assert search.predict_proba(IRIS.data).shape == (150, 3)


def test_data_frames_and_their_column_names():
    pd = pytest.importorskip("pandas", reason="data frames are pandas'")
    frame = pd.DataFrame(IRIS.data, columns=["a", "b", "c", "d"])
    clf = GraphnetClassifier(**FAST).fit(frame, pd.Series(NAMES))
    assert clf.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert clf.score(frame, pd.Series(NAMES)) > 0.93


def test_regression_keeps_the_shape_of_the_targets():
    x, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    reg = GraphnetRegressor(hidden_layer_sizes=(16,), l2=1e-2, **FAST)
    assert cross_val_score(reg, x, y, cv=3).mean() > 0.35
    assert reg.fit(x, y).predict(x).shape == y.shape
    assert reg.fit(x, np.stack([y, -y], 1)).predict(x).shape == (len(y), 2)


def network(n_features, n_outputs, units=8):
    return nn.Sequential(
        [nn.Input((n_features,)), nn.Dense(units, activation="tanh"), nn.Dense(n_outputs, activation="softmax")]
    )


def test_a_function_makes_the_model_and_its_parameters_can_be_searched():
    clf = GraphnetClassifier(network, model_params={"units": 5}, **FAST).fit(IRIS.data, IRIS.target)
    assert clf.model_.layers[0].units == 5
    search = GridSearchCV(clf, {"model_params": [{"units": 2}, {"units": 12}]}, cv=2).fit(IRIS.data, IRIS.target)
    assert search.best_estimator_.model_.layers[0].units in (2, 12)


def test_a_sequential_is_copied_for_each_fit():
    made = network(4, 3)
    before = made.get_weights()
    clf = GraphnetClassifier(made, **FAST).fit(IRIS.data, NAMES)
    assert clf.model_ is not made
    for old, new in zip(before, made.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert clf.score(IRIS.data, NAMES) > 0.9


def test_a_seed_fixes_everything_and_leaves_the_librarys_generator_alone():
    nn.set_random_seed(3)
    expected = nn.initializers.get("glorot_uniform")((3, 3))
    nn.set_random_seed(3)
    one = GraphnetClassifier(dropout=0.3, **FAST).fit(IRIS.data, NAMES)
    np.testing.assert_array_equal(nn.initializers.get("glorot_uniform")((3, 3)), expected)
    two = clone(one).fit(IRIS.data, NAMES)
    np.testing.assert_array_equal(one.predict_proba(IRIS.data), two.predict_proba(IRIS.data))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_follows_the_data(dtype):
    clf = GraphnetClassifier(epochs=2, random_state=0).fit(IRIS.data.astype(dtype), NAMES)
    assert {w.dtype.name for w in clf.model_.weights} == {dtype}
    assert clf.predict_proba(IRIS.data.astype(dtype)).dtype == dtype


def test_class_weights_move_the_boundary():
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(0, 1, (180, 2)), rng.normal(1, 1, (20, 2))]
    y = np.array(["often"] * 180 + ["rare"] * 20)
    plain = GraphnetClassifier(**FAST).fit(x, y)
    weighed = GraphnetClassifier(class_weight="balanced", **FAST).fit(x, y)
    assert (weighed.predict(x) == "rare").sum() > 2 * (plain.predict(x) == "rare").sum()


def test_warm_start_and_partial_fit_go_on():
    clf = GraphnetClassifier(epochs=5, warm_start=True, random_state=0).fit(IRIS.data, NAMES)
    first = clf.model_
    losses = [clf.history_.history["loss"][-1]]
    clf.fit(IRIS.data, NAMES)
    losses.append(clf.history_.history["loss"][-1])
    assert clf.model_ is first
    assert losses[1] < losses[0]
    part = GraphnetClassifier(random_state=0).partial_fit(IRIS.data[:50], NAMES[:50], classes=np.unique(NAMES))
    for _ in range(60):
        part.partial_fit(IRIS.data, NAMES)
    assert part.score(IRIS.data, NAMES) > 0.9


def test_a_fitted_estimator_pickles():
    clf = GraphnetClassifier(**FAST).fit(IRIS.data, NAMES)
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(IRIS.data), clf.predict_proba(IRIS.data))
    again.set_params(warm_start=True).fit(IRIS.data, NAMES)


def test_early_stopping_through_a_validation_split():
    stop = nn.callbacks.EarlyStopping(patience=3)
    order = np.random.default_rng(0).permutation(150)
    clf = GraphnetClassifier(validation_split=0.3, callbacks=[stop], epochs=2000, random_state=0)
    clf.fit(IRIS.data[order], NAMES[order])
    assert clf.n_iter_ < 2000
    assert "val_loss" in clf.history_.history


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: GraphnetClassifier(network(4, 2)), ValueError, r"3 outputs, of shape \(None, 3\).*Dense\(3\)"),
        (lambda: GraphnetClassifier(lambda: 5), TypeError, "has to return a Sequential; it returned 5"),
        (lambda: GraphnetClassifier("dense"), TypeError, "None, a Sequential, or a function"),
        (lambda: GraphnetClassifier(optimizer="adm"), ValueError, "Did you mean 'adam'"),
    ],
)
def test_mistakes(make, error, message):
    with pytest.raises(error, match=message):
        make().fit(IRIS.data, NAMES)


def test_partial_fit_names_labels_it_was_not_told_of():
    clf = GraphnetClassifier(random_state=0).partial_fit(IRIS.data[:50], NAMES[:50], classes=["setosa", "virginica"])
    with pytest.raises(ValueError, match=r"versicolor.*not among"):
        clf.partial_fit(IRIS.data, NAMES)


def test_without_scikit_learn_one_line_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None\nimport graphnet as gn\ngn.nn.GraphnetClassifier"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install scikit-learn" in done.stderr.strip().splitlines()[-1]


def test_a_grid_search_sets_arguments_of_the_model_one_by_one():
    from sklearn.model_selection import GridSearchCV

    def built(units=4, rate=0.1):
        model = nn.Sequential([nn.Dense(units, activation="relu"), nn.Dense(2, activation="softmax")])
        model.compile(nn.optimizers.SGD(rate), "sparse_categorical_crossentropy")
        return model

    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    clf = nn.GraphnetClassifier(built, epochs=2, random_state=0, model_params={"rate": 0.2})
    search = GridSearchCV(clf, {"model__units": [3, 5]}, cv=2).fit(x, y)
    assert search.best_estimator_.model_params == {"rate": 0.2, "units": search.best_params_["model__units"]}
    assert search.best_estimator_.model_.layers[0].units == search.best_params_["model__units"]
    assert clf.model_params == {"rate": 0.2}
    with pytest.raises(ValueError, match="optimizer__learning_rate can't be set: write learning_rate="):
        clf.set_params(optimizer__learning_rate=0.1)
