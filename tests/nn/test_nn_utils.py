"""Helpers around training: splits, one-hot rows, a bar for loops of one's own, columns of the summary."""

import io
import re

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import Dense, Flatten, Input, Sequential, progbar, utils


def test_split_dataset():
    x, y = np.arange(10), np.arange(10) * 2
    (a, b), (c, d) = utils.split_dataset((x, y), left_size=0.7)
    assert a.tolist() == list(range(7)) and (b == 2 * a).all() and c.tolist() == [7, 8, 9] and (d == 2 * c).all()
    left, right = utils.split_dataset(x, left_size=2, right_size=3)
    assert left.tolist() == [0, 1] and right.tolist() == [7, 8, 9]
    left, right = utils.split_dataset(x, right_size=0.4)
    assert len(left) == 6 and len(right) == 4
    left, right = utils.split_dataset(x, left_size=0.5, shuffle=True, seed=3)
    assert sorted([*left, *right]) == list(range(10)) and left.tolist() != sorted(left)
    assert (utils.split_dataset(x, left_size=0.5, shuffle=True, seed=3)[0] == left).all()
    for options, text in (
        ({}, "left_size or right_size"),
        ({"left_size": 11}, "received 11"),
        ({"left_size": 1.5}, "received 1.5"),
        ({"left_size": 6, "right_size": 6}, "more than the 10"),
    ):
        with pytest.raises(ValueError, match=text):
            utils.split_dataset(x, **options)
    with pytest.raises(ValueError, match="the same rows"):
        utils.split_dataset((x, y[:3]), left_size=0.5)


@pytest.mark.parametrize("kind", ["numbers", "one-hot", "texts", "column"])
def test_a_stratified_split_keeps_shares(kind):
    labels = np.repeat([0, 1, 2], [60, 30, 7])
    forms = {"one-hot": np.eye(3)[labels], "texts": np.array(["a", "b", "c"])[labels], "column": labels[:, None]}
    x = np.arange(97)
    y = forms.get(kind, labels)
    xt, xv, yt, yv = utils.train_validation_split(x, y, validation_size=0.3, stratify=y, seed=0)
    assert sorted([*xt, *xv]) == list(range(97)) and len(xv) == 29
    assert (y[xt] == yt).all() and (y[xv] == yv).all()
    assert np.bincount(labels[xv]).tolist() == [18, 9, 2]
    assert xt.tolist() != sorted(xt)
    again = utils.train_validation_split(x, y, validation_size=0.3, stratify=y, seed=0)
    assert (again[0] == xt).all()


def test_a_plain_split():
    x = gn.tensor(np.arange(10.0))
    train, held = utils.train_validation_split(x, validation_size=3, shuffle=False)
    assert train.tolist() == list(range(7)) and held.tolist() == [7, 8, 9]
    train, held = utils.train_validation_split(x)
    assert len(held) == 2 and sorted([*train, *held]) == list(range(10))
    for call, text in (
        (lambda: utils.train_validation_split(), "needs arrays"),
        (lambda: utils.train_validation_split(x, validation_size=0.0), "leaves 10 for training"),
        (lambda: utils.train_validation_split(x, np.ones(3)), "the same rows"),
        (lambda: utils.train_validation_split(x, stratify=np.ones(3)), "3 labels"),
        (lambda: utils.train_validation_split(x, stratify=[0] * 9 + [1]), "class .*1.* has one row"),
    ):
        with pytest.raises(ValueError, match=text):
            call()


def test_normalize():
    x = np.array([[3, 4], [0, 0]])
    assert utils.normalize(x).tolist() == [[0.6, 0.8], [0, 0]]
    assert utils.normalize(x, axis=0, order=1).tolist() == [[1, 1], [0, 0]]
    assert utils.normalize(x.astype("float32")).dtype == np.float32


class Terminal(io.StringIO):
    def isatty(self):
        return True


def bar(monkeypatch, stream, steps=4, **options):
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    made = progbar.Progbar(steps, **options)
    for step in range(steps or 4):
        made.add(1, [("loss", float(step)), ("rate", float(step))])
    return stream.getvalue()


def test_a_bar_for_a_loop_of_ones_own(monkeypatch):
    text = bar(monkeypatch, io.StringIO(), stateful_metrics=["rate"])
    assert re.fullmatch(r"4/4 - 0s - \S+/step - loss: 1\.5000 - rate: 3\.0000\n", text)
    assert bar(monkeypatch, io.StringIO(), verbose=0) == ""
    text = bar(monkeypatch, Terminal(), interval=0.0, stateless_metrics=["rate"], unit_name="row", width=8)
    lines = text.split("\r")[1:]
    assert len(lines) == 4 and lines[1].startswith("2/4 ━━━━──── 0s ")
    assert re.search(r"4/4 ━{8} 0s \S+/row - loss: 3\.0000 - rate: 1\.5000\x1b\[K\n$", text)
    text = bar(monkeypatch, Terminal(), interval=60.0)
    assert text.count("\r") == 2
    text = bar(monkeypatch, Terminal(), steps=None, interval=0.0)
    assert "4/Unknown" in text and "\n" not in text
    with pytest.raises(ValueError, match="give one"):
        progbar.Progbar(3, stateful_metrics=["a"], stateless_metrics=["b"])


def convolutional():
    inner = Sequential([Dense(3, "relu", name="inner_dense")], name="inner")
    return Sequential(
        [Input((8, 8, 2)), nn.layers.Conv2D(4, 3, name="conv"), Flatten(name="flat"), inner, Dense(2, name="last")]
    )


def test_more_columns_of_the_summary():
    shown = []
    summary = convolutional().summary(
        print_fn=shown.append,
        expand_nested=True,
        show_input=True,
        show_activation=True,
        show_macs=True,
        show_trainable=True,
    )
    assert shown == [str(summary)]
    rows = {row["name"]: row for row in summary.rows}
    assert rows["conv"]["macs"] == 6 * 6 * 4 * 3 * 3 * 2 and rows["flat"]["macs"] == 0
    assert rows["inner"]["macs"] == rows["inner_dense"]["macs"] == 144 * 3 and rows["last"]["macs"] == 6
    assert summary.total_macs == 2592 + 432 + 6
    assert rows["flat"]["input_shape"] == (None, 6, 6, 4) and rows["inner_dense"]["input_shape"] == (None, 144)
    assert rows["inner_dense"]["activation"] == "relu" and rows["flat"]["activation"] is None
    text = str(summary)
    head = re.sub(" +", " ", text.splitlines()[2])
    assert head == "┃ Layer (type) ┃ Input Shape ┃ Output Shape ┃ Activation ┃ Param # ┃ MACs ┃ Trainable ┃"
    assert "Multiplications for one row: 3,030" in text and "…" not in text and "..." not in text
    assert "<th style='text-align:right'>MACs</th>" in summary._repr_html_()


def test_a_part_of_the_layers_and_wider_columns():
    model = convolutional()
    quiet = {"print_fn": lambda text: None}
    assert [row["name"] for row in model.summary(layer_range=("flat", "inner"), **quiet).rows] == ["flat", "inner"]
    assert [row["name"] for row in model.summary(layer_range=("c.*", "last"), **quiet).rows][-1] == "last"
    with pytest.raises(ValueError, match="no layer matches 'nothing'"):
        model.summary(layer_range=("flat", "nothing"), **quiet)
    wide = str(model.summary(line_length=100, positions=[0.5, 0.8, 1.0], **quiet)).splitlines()
    assert len(wide[1]) >= 100 and wide[1].index("┳") == 50
    narrow = str(model.summary(line_length=10, positions=[0.1, 0.2, 0.3], **quiet))
    assert narrow == str(model.summary(**quiet))


def test_the_optimizers_numbers_are_on_a_line_of_their_own():
    model = convolutional()
    model.compile(nn.optimizers.Adam(use_ema=True), "mse")
    model.fit(np.ones((4, 8, 8, 2)), np.ones((4, 2)), verbose=0)
    summary = model.summary(print_fn=lambda text: None)
    assert summary.total_params == model.count_params() and summary.optimizer_params == 3 * model.count_params()


def test_plot_model_draws_a_box_for_each_layer(tmp_path):
    model = gn.nn.Sequential([gn.nn.Input((4,)), gn.nn.Dense(3, activation="relu", name="first"), gn.nn.Dropout(0.5)])
    gn.nn.utils.plot_model(model, tmp_path / "plain.svg", engine="builtin")
    gn.nn.utils.plot_model(model, tmp_path / "shapes.svg", show_shapes=True, expand_nested=True, engine="builtin")
    plain, shapes = ((tmp_path / name).read_text("utf-8") for name in ("plain.svg", "shapes.svg"))
    assert ">first (Dense)" in plain and ">matmul" not in plain and ">[32, 3]" not in plain
    assert ">first" in shapes and ">matmul" in shapes and ">[32, 3]" in shapes
