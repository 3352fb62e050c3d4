"""The two scripts a newcomer runs first, on real handwritten digits, through `graphnet.nn` as they are written."""

import numpy as np
import pytest

from graphnet.datasets import load_digits
from graphnet.nn import Dense, Dropout, Input, Layer, Sequential, set_random_seed, to_categorical


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def test_in_keras_words(digits):
    set_random_seed(0)
    x, y, x_test, y_test = digits
    model = Sequential([Input((64,)), Dense(32, activation="relu"), Dropout(0.2), Dense(10, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=32, epochs=20, validation_split=0.1)
    assert len(history.history["val_accuracy"]) == 20
    assert model.evaluate(x_test, y_test)[1] > 0.93
    assert (model.predict(x_test).argmax(1) == y_test).mean() == pytest.approx(model.score(x_test, y_test))


def test_in_the_words_of_the_original(digits):
    set_random_seed(0)
    x, y, x_test, y_test = digits
    keep, kept_in_test = y < 6, y_test < 6
    X_train, Y_train = x[keep], to_categorical(y[keep])
    X_test, Y_test = x_test[kept_in_test], to_categorical(y_test[kept_in_test])
    model = Sequential()
    model.add(Layer(size=64))
    model.add(Layer(size=120, activation="relu", type="dropout", dropout_keep_prob=0.5))
    model.add(Layer(size=6, activation="softmax"))
    model.compile(learning_rate=0.5, regularization="ridge", weight_penalty=0.001)
    model.fit(x=X_train, targets=Y_train, iterations=100)
    assert model.score(X_test, Y_test, metric="accuracy") > 0.95
    assert model.score(X_test, Y_test, metric="loss") < 0.6
    assert np.isfinite(model.get_weights()[0]).all()
