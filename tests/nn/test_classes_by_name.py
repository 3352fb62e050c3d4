"""Classes with names: the confusion matrix takes them, weights of classes say which number a name is."""

import numpy as np
import pytest

from graphnet import nn, viz

TRUE = ["cat", "dog", "dog", "eel"]
GUESSED = np.array(["cat", "eel", "dog", "eel"], object)


@pytest.mark.parametrize("kind", [list, np.array, lambda v: np.array(v, object)])
def test_a_confusion_matrix_of_names(kind):
    found = viz.confusion_matrix(kind(TRUE), GUESSED)
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 1, 1], [0, 0, 1]])
    np.testing.assert_array_equal(found, viz.confusion_matrix([0, 1, 1, 2], [0, 2, 1, 2]))


def test_of_columns_of_a_table():
    pd = pytest.importorskip("pandas")
    for kind in ("object", "category"):
        found = viz.confusion_matrix(pd.Series(TRUE, dtype=kind), pd.Series(GUESSED))
        np.testing.assert_array_equal(found, [[1, 0, 0], [0, 1, 1], [0, 0, 1]])


def test_names_beside_numbers_say_what_to_write():
    with pytest.raises(ValueError, match="y_true holds names of classes, y_pred does not: make names of it"):
        viz.confusion_matrix(TRUE, np.eye(4))
    with pytest.raises(ValueError, match="y_pred holds names of classes, y_true does not"):
        viz.confusion_matrix([0, 1, 1, 2], GUESSED)
    with pytest.raises(ValueError, match="y_true has 4 rows, y_pred 3"):
        viz.confusion_matrix(TRUE, GUESSED[:3])


def test_the_picture_names_them():
    pytest.importorskip("matplotlib")
    figure = viz.plot_confusion(TRUE, GUESSED)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["cat", "dog", "eel"]
    figure = viz.plot_confusion([0, 1], [1, 1], names=np.array(["no", "yes"]))  # as np.unique gives them
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["no", "yes"]


def trained(y, **options):
    model = nn.Sequential([nn.Input((1,)), nn.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model.fit(np.ones((4, 1)), y, verbose=0, **options).history["loss"]


@pytest.mark.parametrize("key", ["high", 0.5, None, (0,)])
def test_the_classes_of_weights_are_whole_numbers(key):
    with pytest.raises(ValueError, match="class_weight: classes are whole numbers"):
        trained([0, 1, 1, 0], class_weight={key: 2.0})


def test_whole_numbers_of_any_kind_are_classes():
    nn.set_random_seed(0)
    once = trained([0, 1, 1, 0], class_weight={0: 2.0, 1: 1.0})
    for weights in ({0.0: 2.0, 1.0: 1.0}, {np.int64(0): 2.0}, {False: 2, True: 1}):
        nn.set_random_seed(0)
        assert trained([0, 1, 1, 0], class_weight=weights) == once


def test_fractions_as_targets_have_no_classes():
    model = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="class_weight needs classes as targets; y holds fractions"):
        model.fit(np.ones((2, 1)), [0.2, 1.0], class_weight={0: 3.0}, verbose=0)
