"""What a user of Keras writes first and graphnet has otherwise, or not at all: an error that says what to write."""

import re

import numpy as np
import pandas as pd
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import callbacks, layers


def model(*, loss="mse", **kwargs):
    made = nn.Sequential([nn.Input((3,)), layers.Dense(1)])
    made.compile("sgd", loss, **kwargs)
    return made


X, Y = np.ones((4, 3), np.float32), np.zeros((4, 1), np.float32)

NAMES = {
    "applications": lambda: nn.applications,
    "mnist": lambda: nn.datasets.mnist,
    "TextVectorization": lambda: layers.TextVectorization,
    "CuDNNLSTM": lambda: layers.CuDNNLSTM,
    "get_file": lambda: nn.utils.get_file,
    "text": lambda: nn.preprocessing.text,
    "legacy": lambda: nn.optimizers.legacy,
    "output": lambda: model().layers[0].output,
    "predict_classes": lambda: model().predict_classes,
    "fit_generator": lambda: model().fit_generator,
    "lr": lambda: nn.optimizers.SGD().lr,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_not_there_says_what_is(name):
    with pytest.raises(AttributeError, match=name) as caught:
        NAMES[name]()
    assert re.search(r"(nn\.|gn\.|write|learning_rate|downloads|load_digits|fit takes)", str(caught.value))


def test_a_name_that_nobody_has_is_as_elsewhere():
    with pytest.raises(AttributeError, match=r"has no attribute 'nonsense'$"):
        nn.nonsense  # noqa: B018
    assert not hasattr(layers, "nonsense")
    assert nn.datasets is gn.datasets
    assert nn.__version__ == gn.__version__


def test_a_layer_may_have_an_attribute_of_a_name_that_is_gone():
    class Own(nn.Model):
        def __init__(self):
            super().__init__()
            self.input, self.output = layers.Dense(3), layers.Dense(1)

        def call(self, x):
            return self.output(self.input(x))

    own = Own()
    own.compile("sgd", "mse")
    own.fit(X, Y, verbose=0)
    assert [w.shape for w in own.weights] == [(3, 3), (3,), (3, 1), (1,)]
    assert not hasattr(layers.Dense(3), "output")


def test_a_rate_under_its_old_name_is_not_set_in_silence():
    optimizer = nn.optimizers.SGD(0.5)
    with pytest.raises(AttributeError, match=r"learning_rate = 0\.1"):
        optimizer.lr = 0.1
    assert float(optimizer.learning_rate) == 0.5


def test_a_model_of_inputs_and_outputs_is_refused_as_such():
    with pytest.raises(TypeError, match=r"unknown argument 'inputs'\. graphnet has chains"):
        nn.Model(inputs=1, outputs=2)


def test_a_layer_without_the_constructor_of_its_base():
    class Own(layers.Layer):
        def __init__(self):
            self.units = 1

    with pytest.raises(RuntimeError, match=r"Own: its __init__ must call super\(\).__init__\(\) first"):
        nn.Sequential([Own()])


def test_a_softmax_over_one_number_warns():
    with pytest.warns(UserWarning, match=r"softmax over one number.*activation='sigmoid'"):
        nn.Sequential([nn.Input((3,)), layers.Dense(1, activation="softmax")])


FRAME = pd.DataFrame({"a": [1.0, 2.0], "city": ["x", "y"], "b": [1, 2]})
DATA = {
    "text in a frame": (FRAME, r"'x' in the column 'city'. Leave that column out, or .*get_dummies"),
    "dates": (FRAME.assign(city=pd.date_range("2020", periods=2)), r"not in the column 'city'.*Timestamp"),
    "missing": (
        FRAME.assign(city=pd.array([1, pd.NA], "Int64")),
        r"missing, at x\[1, 1\] in the column 'city'",
    ),
    "text": (np.array([["a"], ["b"]]), "Give texts as numbers.*get_dummies"),
    "texts": (np.array(["a b", "c"]), "Number the words of each text"),
    "numbers as text": ([["1", "2", "3"]] * 2, r"x\.astype\(float\)"),
    "ragged": ([[1], [1, 2]], "row 1 has 2.*pad_sequences"),
    "a function": (model, r"received the function .* x\(\), not x"),
}


@pytest.mark.parametrize("data, says", DATA.values(), ids=DATA)
def test_data_that_is_no_numbers(data, says):
    made = model()
    with pytest.raises((TypeError, ValueError), match=says):
        made.fit(data, Y[:2], verbose=0)


def test_one_row_alone():
    with pytest.raises(ValueError, match=r"batch axis: np.asarray\(x\)\[None\]"):
        model().predict([1.0, 2.0, 3.0])


def test_text_as_targets_is_to_be_numbered():
    with pytest.raises(TypeError, match=r"np.unique\(y, return_inverse=True\)"):
        model().fit(X[:2], FRAME.city, verbose=0)


def test_targets_of_predict():
    with pytest.raises(TypeError, match=r"received ndarray of 4\. Targets are for evaluate"):
        model().predict(X, Y)


def test_a_progress_among_the_callbacks_is_the_only_one(capsys):
    model().fit(X, Y, epochs=2, callbacks=[callbacks.ProgbarLogger()])
    assert capsys.readouterr().out.count("Epoch 1/2") == 1


def test_a_layer_that_makes_arrays_says_what_to_write():
    class Own(layers.Layer):
        def call(self, x):
            return np.dot(np.array(x), np.ones((3, 1)))

    with pytest.raises(TypeError, match=r"symbolic tensor float32\[.*gn.stack or gn.tensor"):
        nn.Sequential([nn.Input((3,)), Own()])
