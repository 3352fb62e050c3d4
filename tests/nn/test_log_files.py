"""Logs in files: columns of CSV that keep their meaning, event files that add to each other."""

import csv
import struct

import numpy as np
import pytest

from graphnet import nn
from graphnet.nn.callbacks import Callback, CSVLogger, TensorBoard

X, Y = np.ones((8, 2), "float32"), np.ones(8, "float32")


class Logs(Callback):
    """Adds logs of its own, by epoch."""

    def __init__(self, by_epoch):
        super().__init__()
        self.by_epoch = by_epoch

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.by_epoch.get(epoch, {}))


def model():
    made = nn.Sequential([nn.Input((2,)), nn.Dense(1, kernel_initializer="zeros")])
    made.compile("sgd", "mse")
    return made


def fit(logger, by_epoch=(), epochs=3, **options):
    return model().fit(X, Y, epochs=epochs, verbose=0, callbacks=[Logs(dict(by_epoch)), logger], **options)


def read(path, separator=","):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=separator))


def column(rows, name):
    return [row[rows[0].index(name)] for row in rows[1:]]


def test_a_log_that_comes_later_gets_a_column(tmp_path):
    path = tmp_path / "log.csv"
    history = fit(CSVLogger(path), {1: {"b": 2.0, "a": 1}, 2: {"z": 9.0}})
    rows = read(path)
    assert rows[0] == ["epoch", "loss", "a", "b", "z"] and all(len(row) == 5 for row in rows)
    assert column(rows, "a") == ["NA", "1", "NA"] and column(rows, "z") == ["NA", "NA", "9.0"]
    assert [float(v) for v in column(rows, "loss")] == history.history["loss"]


def test_append_writes_under_the_columns_that_are_there(tmp_path):
    path = tmp_path / "log.csv"
    fit(CSVLogger(path), {0: {"zeta": 1.0}, 1: {"zeta": 2.0}}, epochs=2)
    fit(CSVLogger(path, append=True), {0: {"alpha": 5.0}}, epochs=1)
    rows = read(path)
    assert rows[0] == ["epoch", "loss", "zeta", "alpha"]
    assert column(rows, "zeta") == ["1.0", "2.0", "NA"] and column(rows, "alpha") == ["NA", "NA", "5.0"]
    assert column(rows, "epoch") == ["0", "1", "0"]


def test_append_after_a_line_that_a_kill_cut_off(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,mae\r\n0,1.5,2.5\r\n1,0.2")
    fit(CSVLogger(path, append=True), {0: {"mae": 7.0}}, epochs=1)
    rows = read(path)
    assert rows[2] == ["1", "0.2"] and rows[3][2] == "7.0" and len(rows) == 4
    fit(CSVLogger(path, append=True), {0: {"late": 3.0}}, epochs=1)
    assert read(path)[2] == ["1", "0.2", "NA", "NA"]


@pytest.mark.parametrize("text", ["loss,mae\n1,2\n", "epoch;loss\n0;1\n", "anything\n"])
def test_append_to_another_file_raises_before_anything_is_written(tmp_path, text):
    path = tmp_path / "log.csv"
    path.write_text(text)
    net = model()
    before = net.get_weights()
    with pytest.raises(ValueError, match="does not begin with a header"):
        net.fit(X, Y, verbose=0, callbacks=[CSVLogger(path, append=True)])
    assert path.read_text() == text and all(
        np.array_equal(a, b) for a, b in zip(before, net.get_weights(), strict=True)
    )


@pytest.mark.parametrize("there", [None, ""])
def test_append_to_nothing_begins_a_file(tmp_path, there):
    path = tmp_path / "log.csv"
    if there is not None:
        path.write_text(there)
    fit(CSVLogger(path, separator=";", append=True), epochs=2)
    assert read(path, ";")[0] == ["epoch", "loss"] and len(read(path, ";")) == 3


def test_one_logger_in_two_fits(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    fit(logger, {0: {"b": 1.0}}, epochs=1)
    fit(logger, {0: {"a": 1.0}}, epochs=1)
    assert read(path)[0] == ["epoch", "a", "loss"] and len(read(path)) == 2


def test_several_numbers_are_one_cell(tmp_path):
    path = tmp_path / "log.csv"
    fit(CSVLogger(path), {0: {"f1": np.array([0.25, 0.5], "float32"), "n": np.int64(3)}}, epochs=1)
    rows = read(path)
    assert column(rows, "f1") == ["[0.25, 0.5]"] and column(rows, "n") == ["3"]


def test_a_separator_that_is_none_is_refused():
    with pytest.raises(ValueError, match="separator is one character"):
        CSVLogger("log.csv", separator="")


def scalars(folder):
    """(step, value) of each tag of the event files in `folder`."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = {}
    for file in sorted(folder.rglob("events*")):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack("<Q", data[at : at + 8])
            event = event_pb2.Event.FromString(data[at + 12 : at + 12 + size])
            for value in event.summary.value:
                found.setdefault((file.parent.name, value.tag), []).append((event.step, value.simple_value))
            at += 16 + size
    return found


def test_trainings_into_one_folder_in_one_second_add_to_each_other(tmp_path):
    pytest.importorskip("tensorboardX")
    board = TensorBoard(tmp_path, write_graph=False)
    net = model()
    losses = net.fit(X, Y, epochs=2, verbose=0, callbacks=[board], validation_split=0.5).history["loss"]
    losses += net.fit(X, Y, initial_epoch=2, epochs=4, verbose=0, callbacks=[board], validation_split=0.5).history[
        "loss"
    ]
    losses += net.fit(X, Y, initial_epoch=4, epochs=5, verbose=0, callbacks=[TensorBoard(tmp_path)]).history["loss"]
    found = scalars(tmp_path)
    steps, values = zip(*sorted(found["train", "epoch_loss"]), strict=True)
    assert steps == (0, 1, 2, 3, 4)
    np.testing.assert_allclose(values, losses, rtol=1e-6)
    assert len(found["validation", "epoch_loss"]) == 4


def test_embeddings_and_their_labels(tmp_path):
    pytest.importorskip("tensorboardX")
    net = nn.Sequential([nn.Input((2,), dtype="int32"), nn.Embedding(3, 2, name="words"), nn.Flatten(), nn.Dense(1)])
    net.compile("sgd", "mse")
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\nc\n")
    board = TensorBoard(tmp_path / "log", embeddings_freq=2, embeddings_metadata={"words": labels}, write_graph=False)
    net.fit(np.zeros((4, 2), int), np.ones(4), epochs=3, verbose=0, callbacks=[board])
    tables = sorted((tmp_path / "log" / "train").rglob("tensors.tsv"))
    assert len(tables) == 2
    np.testing.assert_allclose(np.loadtxt(tables[-1]), net.layers[0].get_weights()[0], rtol=1e-5)
    assert (tables[-1].parent / "metadata.tsv").read_text().split() == ["a", "b", "c"]


def test_what_is_not_profiled_is_said(tmp_path):
    pytest.importorskip("tensorboardX")
    TensorBoard(tmp_path, profile_batch=0)
    with pytest.warns(UserWarning, match=r"profile_batch.*model\.plan\.profile") as caught:
        TensorBoard(tmp_path, profile_batch=(100, 200))
    assert caught[0].filename == __file__
