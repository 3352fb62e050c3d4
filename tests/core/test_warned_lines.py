"""Warnings point at the line of the program that led to them, not into the package."""

import itertools
import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

X, Y = np.ones((8, 3), "f"), np.ones((8, 1), "f")


def model(*layers):
    made = nn.Sequential([nn.Input((3,)), *layers, nn.Dense(1)])
    made.compile("sgd", "mse")
    return made


def masked():
    layers = [nn.Embedding(5, 3, mask_zero=True), nn.Conv1D(2, 1), nn.GlobalAveragePooling1D()]
    return nn.Sequential(layers)(np.array([[1, 2, 0]]))


def batches(count):
    return itertools.islice(itertools.repeat((X, Y)), count)


def saved(tmp_path):
    nn.Sequential([nn.Dense(2)]).save(tmp_path / "m.graphnet")


def loaded(tmp_path):
    one, other = model(nn.Dense(4)), model(nn.Dense(5))
    one.save_weights(tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5", skip_mismatch=True)


CALLS = {
    "a mask that is not known": (lambda p: masked(), "knows nothing of masks"),
    "data that is used up": (lambda p: model().fit(batches(2), epochs=3, verbose=0), "used up"),
    "too few batches": (lambda p: model().fit(batches(2), steps_per_epoch=3, verbose=0), "ran out of data"),
    "validation that is used up": (
        lambda p: model().fit(X, Y, epochs=2, validation_data=batches(1), validation_steps=1, verbose=0),
        "used up|ran out",
    ),
    "a metric that is not there": (
        lambda p: model().fit(X, Y, verbose=0, callbacks=[nn.callbacks.EarlyStopping(monitor="val_loss")]),
        "not available",
    ),
    "weights that do not fit": (loaded, "not loaded"),
    "a model without weights": (saved, "saved without weights"),
    "a gradient that is missing": (
        lambda p: nn.optimizers.SGD().apply([None, gn.ones(1)], [gn.Parameter([1.0]), gn.Parameter([1.0])]),
        "no gradient",
    ),
}


@pytest.mark.parametrize(("call", "text"), CALLS.values(), ids=CALLS)
def test_a_warning_points_at_the_program(call, text, tmp_path):
    if call is loaded:
        pytest.importorskip("h5py")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(tmp_path)
    own = [w for w in caught if issubclass(w.category, UserWarning)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert own
    for w in own:
        assert w.filename == __file__, (w.filename, w.lineno, str(w.message))
    assert any(part in str(w.message) for w in own for part in text.split("|"))


def test_a_step_that_cannot_be_compiled_says_so_at_the_program():
    class Untraceable(nn.Layer):
        def __init__(self):
            super().__init__()
            self.rate = gn.Parameter(2.0, trainable=False)

        def call(self, x):
            return x * float(self.rate)

    net = model(Untraceable())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(12):
            net.predict(X)
    own = [w for w in caught if "cannot be compiled" in str(w.message)]
    assert len(own) == 1 and own[0].filename == __file__


def test_numpys_warning_in_an_op_shows_the_line_that_computed():
    import linecache

    for f, op in ((lambda: gn.log(gn.tensor([0.0])), "log"), (lambda: gn.tensor([1.0]) / gn.tensor([0.0]), "divide")):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            f()
        (w,) = caught
        assert op in str(w.message)
        assert linecache.getline(w.filename, w.lineno).strip() in ("v = f(v)", "v = f(va, vb)")


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_numpys_warning_in_a_step_points_at_the_program(call, eager):
    net = model(nn.Dense(1, kernel_initializer="zeros"), nn.Lambda(lambda x: gn.log(x) + np.log(x)))
    net.compile("sgd", "mse", run_eagerly=eager)
    given = (X,) if call == "predict" else (X, Y)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(net, call)(*given, verbose=0)
    numpys = [w for w in caught if w.category is RuntimeWarning]
    assert numpys and all(w.filename == __file__ for w in numpys)
    assert "divide by zero encountered" in str(numpys[0].message)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", RuntimeWarning)
        getattr(net, call)(*given, verbose=0)


def test_the_file_of_a_program_may_be_called_as_one_likes(tmp_path):
    path = tmp_path / "my_contextlib_and_graphnet.py"
    path.write_text("import graphnet as gn\nw = gn.Parameter([1.0])\ny = w * 2.0\n")
    names: dict = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    assert names["y"].site == (str(path), 3)
