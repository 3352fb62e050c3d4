"""Training curves."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import graphnet as gn
from graphnet import viz

pytest.importorskip("matplotlib")

CURVES = {
    "accuracy": [0.5, 0.7, 0.8],
    "loss": [1.0, 0.6, 0.4],
    "val_accuracy": [0.45, 0.66, 0.6],
    "val_loss": [1.1, 0.7, 0.8],
    "learning_rate": [0.1, 0.1, 0.1],
}


def test_one_panel_for_each_metric_loss_first():
    figure = viz.plot_history(CURVES)
    assert [a.get_title() for a in figure.axes] == ["loss", "accuracy"]
    loss, accuracy = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [CURVES["loss"], CURVES["val_loss"]]
    assert [line.get_xdata().tolist() for line in loss.lines] == [[1, 2, 3]] * 2
    assert [t.get_text() for t in loss.get_legend().get_texts()] == ["training", "validation"]
    assert [a.get_text() for a in loss.texts] == ["0.7"] and [a.get_text() for a in accuracy.texts] == ["0.66"]


def test_values_that_are_not_numbers_are_left_out_and_many_panels_wrap():
    figure = viz.plot_history({"loss": [1.0, float("nan"), 0.5], **{f"m{i}": [1.0, 2.0] for i in range(5)}})
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 3]
    assert len(figure.axes) == 6 and figure.get_size_inches()[0] < 15


def test_a_fit_is_plotted_to_a_file(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 64)).astype("f"), rng.integers(0, 10, 64)
    model = gn.nn.Sequential([gn.nn.Input((64,)), gn.nn.Dense(10, activation="softmax")])
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=2, validation_split=0.25, verbose=0)
    figure = history.plot(tmp_path / "h.svg")
    assert [a.get_title() for a in figure.axes] == ["loss", "accuracy"]
    assert ET.parse(tmp_path / "h.svg").getroot().tag.endswith("svg")
    viz.plot_history(history, tmp_path / "h.png")
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")


def test_errors_say_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="nothing to draw yet"):
        viz.plot_history({})
    with pytest.raises(ValueError, match=r"a plot ends in \.png, \.svg or \.pdf"):
        viz.plot_history(CURVES, tmp_path / "h.bmp")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        viz.plot_history(CURVES, tmp_path / "nowhere" / "h.png")
