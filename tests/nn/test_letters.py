"""The original's experiments on real handwritten letters: a shallow network, a deep one, and one that cannot learn."""

from pathlib import Path

import numpy as np
import pytest

from graphnet import nn

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "ocr_letters_adeghp.npz"
pytestmark = pytest.mark.skipif(not DATA.is_file(), reason="the OCR letters are not beside the checkout")


def accuracy_after_ten_epochs(layers, activation, learning_rate):
    packed = np.load(DATA)
    parts = [packed[name].reshape(-1, 128).astype(np.float32) / 255 for name in ("x_train", "x_test")]
    nn.set_random_seed(0)
    model = nn.Sequential(
        [
            nn.Input((128,)),
            *[nn.Dense(units, activation=activation) for units in layers],
            nn.Dense(6, activation="softmax"),
        ]
    )
    model.compile(nn.optimizers.SGD(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(parts[0], packed["y_train"], batch_size=50, epochs=10, verbose=0)
    return model.evaluate(parts[1], packed["y_test"], verbose=0)[1], model


def test_one_hidden_layer_of_200_relu_units_learns_the_letters():
    accuracy, _ = accuracy_after_ten_epochs([200], "relu", 0.2)
    assert accuracy >= 0.94


def test_five_hidden_layers_of_400_relu_units_learn_them_better():
    # At the full rate to the end, the last epochs go up and down by 5 %, as rounding has it.
    rate = nn.optimizers.schedules.PiecewiseConstantDecay([8 * 260], [0.1, 0.02])
    accuracy, _ = accuracy_after_ten_epochs([400] * 5, "relu", rate)
    assert accuracy >= 0.95


def test_five_hidden_layers_of_400_sigmoid_units_do_not_learn_with_the_same_steps():
    """Each sigmoid passes on at most a quarter of the gradient: little reaches the first layers."""
    accuracy, model = accuracy_after_ten_epochs([400] * 5, "sigmoid", 0.1)
    assert accuracy == pytest.approx(708 / 2163, abs=0.02)
    packed = np.load(DATA)
    x = packed["x_train"][:500].reshape(-1, 128).astype(np.float32) / 255
    import graphnet as gn

    with gn.region("loss"):
        p = model(gn.tensor(x), training=True)
        loss = -gn.log(gn.take_along_axis(p, packed["y_train"][:500, None].astype(int), 1)).mean()
    norms = [float(gn.norm(gn.gradients(loss, layer.kernel))) for layer in model.layers[:-1]]
    assert norms[0] < norms[-1] / 100
