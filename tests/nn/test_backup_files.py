"""A backup sets what callbacks declare and nothing else; whatever is wrong with it is a FileError, with no change."""

import json
import zipfile
from typing import ClassVar

import numpy as np
import pytest

from graphnet import nn
from graphnet.nn import callbacks
from graphnet.nn.saving import FileError

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = X[:, :1]


class Counting(callbacks.Callback):
    """Remembers one of each kind."""

    remembers: ClassVar = {
        "seen": "count",
        "last_one": "index",
        "low": "number",
        "on": "flag",
        "word": "text",
        "kept": "weights",
        "table": "data",
    }

    def on_train_begin(self, logs=None):
        self.seen, self.last_one, self.low, self.on, self.word, self.kept = 0, -1, None, False, None, None
        self.table, self.secret = {}, "mine"

    def on_epoch_end(self, epoch, logs=None):
        self.seen, self.last_one, self.low, self.on = self.seen + 1, epoch, np.float64(logs["loss"]), True
        self.word, self.kept = "done", self.model.get_weights()
        self.table[str(epoch)] = (epoch, [np.arange(3.0)], None)


class Listing(Counting):
    remembers: ClassVar = ["more"]
    more = 5


class Die(callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def model():
    nn.set_random_seed(0)
    made = nn.Sequential([nn.Input((4,)), nn.Dense(3, activation="tanh"), nn.Dropout(0.2), nn.Dense(1)])
    made.compile("adam", "mse")
    return made


def fit(folder, *extra, made=None, **options):
    made = model() if made is None else made
    own = [Counting(), Listing(), callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True), *extra]
    own += [
        callbacks.ReduceLROnPlateau("loss"),
        callbacks.HTMLReport(folder / "run.html", graph=False, gradients=False),
    ]
    options = {"validation_data": (X, Y), **options}
    made.fit(X, Y, epochs=4, verbose=0, callbacks=[*own, callbacks.BackupAndRestore(folder / "backup")], **options)
    return made, own


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("fit")
    with pytest.raises(KeyboardInterrupt):
        fit(path, Die())
    return path


def read(folder):
    with zipfile.ZipFile(folder / "backup" / "training.backup") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(folder, parts):
    with zipfile.ZipFile(folder / "backup" / "training.backup", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_what_is_declared_comes_back(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, Die())
    state = json.loads(read(tmp_path)["state.json"])
    assert set(state["callbacks"]["Counting/0"]) == set(Counting.remembers)
    assert set(state["callbacks"]["Listing/0"]) == {*Counting.remembers, "more"}
    assert set(state["callbacks"]["HTMLReport/0"]) == {"_rows", "_seconds", "_taken", "_latest"}
    _, (counting, *_) = fit(tmp_path)
    assert (counting.seen, counting.last_one, counting.on, counting.word) == (4, 3, True, "done")
    assert list(counting.table) == ["0", "1", "2", "3"] and counting.table["1"][0] == 1
    assert counting.table["1"][1][0].tolist() == [0.0, 1.0, 2.0] and isinstance(counting.table["1"], tuple)


def test_averages_in_place_of_the_weights_are_known_to_be_so(tmp_path):
    def once(*extra):
        nn.set_random_seed(0)
        made = nn.Sequential([nn.Input((4,)), nn.Dense(1)])
        made.compile(nn.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5), "mse")
        swap = callbacks.SwapEMAWeights(swap_on_epoch=True)
        made.fit(X, Y, epochs=4, verbose=0, callbacks=[swap, callbacks.BackupAndRestore(tmp_path / "backup"), *extra])
        return made.get_weights()

    expected = once()
    with pytest.raises(KeyboardInterrupt):
        once(Die())
    assert all(np.array_equal(a, b) for a, b in zip(once(), expected, strict=True))


def callback(name, **values):
    return lambda t: t["callbacks"][name].update(values)


CHANGES = {
    "another attribute": callback("HTMLReport/0", path="elsewhere.html"),
    "a hook": callback("Counting/0", on_epoch_end=5),
    "a class": callback("Counting/0", __class__="x"),
    "an attribute of its own that is not declared": callback("Counting/0", secret="theirs"),
    "an attribute of a base": callback("EarlyStopping/0", patience=0),
    "a count below 0": callback("Counting/0", seen=-1),
    "a count that is a float": callback("Counting/0", seen=1.0),
    "a count that is a flag": callback("Counting/0", seen=True),
    "a count beyond measure": callback("Counting/0", seen=1 << 60),
    "a flag that is a number": callback("Counting/0", on=1),
    "a text that is a list": callback("Counting/0", word={"list": ["a"]}),
    "a number that is a text": callback("Counting/0", low="0"),
    "weights of another model": callback("Counting/0", kept={"list": []}),
    "weights that are numbers": callback("EarlyStopping/0", best_weights={"list": [1.0]}),
    "an array that is not there": callback("Counting/0", table={"array": "kept/99"}),
    "an array of the weights": callback("Counting/0", table={"array": "weights/0"}),
    "an unknown kind": callback("Counting/0", table={"set": []}),
    "two kinds": callback("Counting/0", table={"list": [], "dict": {}}),
    "a bare list": callback("Counting/0", table=[1]),
    "a direction": callback("EarlyStopping/0", sign=7),
    "one that is missing": lambda t: t["callbacks"]["EarlyStopping/0"].pop("wait"),
    "history that does not fit": callback("History/0", epoch={"list": [0]}),
    "history of texts": callback("History/0", epoch={"list": ["0", "1"]}),
    "rows of texts": callback("HTMLReport/0", _rows={"list": [{"dict": {"loss": "<script>"}}] * 2}),
    "callbacks that are none": lambda t: t.update(callbacks=[]),
    "a callback that is none": lambda t: t["callbacks"].update({"EarlyStopping/0": 3}),
    "seeds": lambda t: t.update(seeds=0),
    "seeds of another layer": lambda t: t["seeds"].update(other={"key": 1}),
    "seeds beyond measure": lambda t: t["seeds"].update(dropout={"key": 1 << 80}),
    "seeds that are other attributes": lambda t: t["seeds"].update(dropout={"rate": 1}),
    "no stop": lambda t: t.pop("stop"),
    "a stop that is none": lambda t: t.update(stop=1),
    "something more": lambda t: t.update(run="rm"),
    "an epoch below 0": lambda t: t.update(epoch=-1),
    "an epoch that is a text": lambda t: t.update(epoch="1"),
    "a batch beyond the epoch": lambda t: t.update(batch=50),
    "an optimizer": lambda t: t.update(optimizer="SGD"),
    "a layout": lambda t: t.update(layout=1),
    "no data": lambda t: t.update(train=None),
    "no validation": lambda t: t.update(validation=None),
    "data that are none": lambda t: t.update(train=5),
    "a place that is a list": lambda t: t["train"].update(taken=[1]),
    "a place beyond the data": lambda t: t["train"].update(taken=99),
    "a place below 0": lambda t: t["train"].update(taken=-1),
    "a place that says more": lambda t: t["train"].update(more=1),
    "other rows": lambda t: t["train"].update(rows=41),
    "an order that is none": lambda t: t["train"].update(order={"bit_generator": "MT19937"}),
    "an order beyond measure": lambda t: t["train"]["order"]["state"].update(state=-1),
    "an order that is no order": lambda t: t["train"]["order"].update(has_uint32=7),
    "a generator that is none": lambda t: t.update(generator={}),
    "a generator of texts": lambda t: t["generator"]["state"].update(inc="1"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_is_wrong_is_an_error_and_changes_nothing(what, folder):
    good = read(folder)
    state = json.loads(good["state.json"])
    CHANGES[what](state)
    write(folder, {**good, "state.json": json.dumps(state).encode()})
    made = model()
    before, seeds = made.get_weights(), nn.seeds.generator_state()
    try:
        with pytest.raises(FileError, match=r"training\.backup"):
            fit(folder, made=made)
        assert all(np.array_equal(a, b) for a, b in zip(made.get_weights(), before, strict=True))
        assert int(made.optimizer.iterations) == 0 and made.stop_training is False
        # The order of the rows is drawn when `fit` begins.
        assert nn.seeds.generator_state()["state"]["inc"] == seeds["state"]["inc"]
    finally:
        write(folder, good)


def test_arrays_and_members_that_nothing_takes(folder):
    good = read(folder)
    arrays = nn.saving.arrays.from_safetensors(good["arrays.safetensors"])
    nan = {**arrays, "weights/0": np.asarray(arrays["weights/0"], "int32")}
    for parts in (
        {**good, "more.txt": b""},
        {"state.json": good["state.json"]},
        {**good, "arrays.safetensors": nn.saving.arrays.to_safetensors({**arrays, "other": np.zeros(3)})},
        {**good, "arrays.safetensors": nn.saving.arrays.to_safetensors(nan)},
        {**good, "state.json": b"[1]"},
        {**good, "state.json": b"{"},
    ):
        write(folder, parts)
        with pytest.raises(FileError):
            fit(folder)
    write(folder, good)


def test_what_can_not_be_kept_is_said(tmp_path):
    class Keeps(callbacks.Callback):
        remembers: ClassVar = {"tool": "data"}

        def __init__(self, tool, kind="data"):
            super().__init__()
            self.tool, self.remembers = tool, {"tool": kind}

    with pytest.raises(ValueError, match="'tool' is object, which can't be kept in a file"):
        fit(tmp_path, Keeps(object()))
    Keeps.remembers = {"tool": "count"}
    with pytest.raises(ValueError, match="'tool' is a count; received -1"):
        fit(tmp_path, Keeps(-1))
    Keeps.remembers = {"tool": "thing"}
    with pytest.raises(ValueError, match=r"Keeps\.remembers: 'tool' is one of count, index"):
        fit(tmp_path, Keeps(1))
