"""Plots of what a model has learned: decisions, weights, activations, confusions."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from graphnet import nn, viz

pytest.importorskip("matplotlib")
RNG = np.random.default_rng(0)


def points():
    x = RNG.normal(size=(60, 2)).astype("f")
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def test_the_border_of_one_output_is_where_it_passes_the_threshold():
    x, y = points()
    figure = viz.plot_decision_boundary(lambda p: p[:, 0] - 0.25, x, y, resolution=51)
    axes = figure.axes[0]
    contour = next(c for c in axes.collections if type(c).__name__ == "QuadContourSet")
    border = np.concatenate([path.vertices for path in contour.get_paths()])
    np.testing.assert_allclose(border[:, 0], 0.25, atol=1e-6)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["0", "1"]
    scattered = [c for c in axes.collections if type(c).__name__ == "PathCollection"]
    assert sum(len(c.get_offsets()) for c in scattered) == 60
    half = viz.plot_decision_boundary(lambda p: 1 / (1 + np.exp(-(p[:, 1] - 1))), x, resolution=41)
    contour = next(c for c in half.axes[0].collections if type(c).__name__ == "QuadContourSet")
    np.testing.assert_allclose(np.concatenate([p.vertices for p in contour.get_paths()])[:, 1], 1, atol=2e-2)


def test_several_outputs_and_models_with_predict(tmp_path):
    x, y = points()
    model = nn.Sequential([nn.Input((2,)), nn.Dense(3, activation="softmax")])
    figure = viz.plot_decision_boundary(model, x, np.eye(3)[y], tmp_path / "b.svg", resolution=30)
    mesh = next(c for c in figure.axes[0].collections if type(c).__name__ == "QuadMesh")
    assert set(np.unique(mesh.get_array())) <= {0, 1, 2}
    assert ET.parse(tmp_path / "b.svg").getroot().tag.endswith("svg")
    constant = viz.plot_decision_boundary(lambda p: np.zeros(len(p)), x, resolution=9)
    assert constant.axes
    with pytest.raises(ValueError, match=r"x has shape \(n, 2\); received \(3, 4\)"):
        viz.plot_decision_boundary(model, np.zeros((3, 4)))


def test_first_weights_are_images_the_largest_first():
    w = np.cos(np.arange(80.0)).reshape(16, 5) * np.array([1, 50, 5, 20, 10])
    figure = viz.plot_weights(w)
    images = [a.images[0].get_array() for a in figure.axes if a.images]
    assert len(images) == 5
    np.testing.assert_allclose(images[0], w[:, 1].reshape(4, 4))
    np.testing.assert_allclose(images[-1], w[:, 0].reshape(4, 4))
    unsorted = [a.images[0].get_array() for a in viz.plot_weights(w, sort=False).axes if a.images]
    np.testing.assert_allclose(unsorted[0], w[:, 0].reshape(4, 4))
    assert len([a for a in viz.plot_weights(w, count=2).axes if a.images]) == 2
    model = nn.Sequential([nn.Input((6,)), nn.Dense(3)])
    first = next(a.images[0].get_array() for a in viz.plot_weights(model, shape=(2, 3)).axes if a.images)
    assert first.shape == (2, 3)
    filters = [a.images[0] for a in viz.plot_weights(RNG.normal(size=(3, 3, 2, 7))).axes if a.images]
    assert len(filters) == 7
    with pytest.raises(ValueError, match=r"6 inputs are not a square: give shape=\(height, width\)"):
        viz.plot_weights(model)
    with pytest.raises(ValueError, match="6 inputs are no image of 2x2"):
        viz.plot_weights(model, shape=(2, 2))
    with pytest.raises(ValueError, match="has the model been built"):
        viz.plot_weights(nn.Sequential([nn.Dense(3)]))


def test_confusions_are_counted():
    matrix = viz.confusion_matrix([0, 1, 2, 2, 1], [0, 2, 2, 2, 1])
    np.testing.assert_array_equal(matrix, [[1, 0, 0], [0, 1, 1], [0, 0, 2]])
    probabilities = np.array([[0.2], [0.9], [0.6]])
    np.testing.assert_array_equal(viz.confusion_matrix([0, 1, 0], probabilities), [[1, 1], [0, 1]])
    np.testing.assert_array_equal(viz.confusion_matrix(np.eye(3)[[0, 2]], np.eye(3)[[1, 2]])[0], [0, 1, 0])
    assert viz.confusion_matrix([0.0, 1.0, 2.0], [0, 1, 2]).trace() == 3
    with pytest.raises(ValueError, match="y_true has 2 rows, y_pred 3"):
        viz.confusion_matrix([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match="classes are whole numbers from 0 on"):
        viz.confusion_matrix([0, -1], [0, 1])
    with pytest.raises(ValueError, match="whole numbers from 0 on, or rows"):
        viz.confusion_matrix([0, 1], [0.5, 2.5])


def test_the_confusion_plot_has_counts_names_and_the_share(tmp_path):
    figure = viz.plot_confusion([0, 1, 1, 1], [0, 1, 0, 1], tmp_path / "c.png", names=["cat", "$dog$"])
    axes = figure.axes[0]
    assert sorted(t.get_text() for t in axes.texts) == ["1", "1", "2"]
    assert axes.get_title() == "3 of 4 right (75.0%)"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["cat", r"\$dog\$"]
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    shares = viz.plot_confusion([0, 1, 1, 1], [0, 1, 0, 1], normalize=True)
    assert "67%" in [t.get_text() for t in shares.axes[0].texts]
    with pytest.raises(ValueError, match="there are 2 classes; received 1 names"):
        viz.plot_confusion([0, 1], [0, 1], names=["a"])


def test_activations_have_an_image_for_each_layer():
    model = nn.Sequential([nn.Input((4,)), nn.Dense(6, activation="relu", name="a"), nn.Dense(2, name="$b$")])
    x = RNG.normal(size=(50, 4)).astype("f")
    figure = viz.plot_activations(model, x, rows=10)
    panels = [a for a in figure.axes if a.images and a.get_title(loc="left")]
    assert [p.images[0].get_array().shape for p in panels] == [(10, 6), (10, 2)]
    assert "zeros" in panels[0].get_title(loc="left") and panels[1].get_title(loc="left").startswith(r"\$b\$: 2 units")
    expected = np.maximum(x @ model.weights[0].numpy() + model.weights[1].numpy(), 0)[:10]
    np.testing.assert_allclose(panels[0].images[0].get_array(), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="needs a model with layers"):
        viz.plot_activations(lambda x: x, x)


def test_plots_are_the_same_bytes_twice_and_files_are_whole(tmp_path):
    for name in ("a.svg", "b.svg"):
        viz.plot_confusion([0, 1, 1], [0, 1, 0], tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(ValueError, match="a plot ends in"):
        viz.plot_weights(np.eye(4), tmp_path / "w.gif")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        viz.plot_weights(np.eye(4), tmp_path / "no" / "w.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.svg", "b.svg"]
