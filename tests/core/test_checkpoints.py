"""ModelCheckpoint as in Keras; BackupAndRestore: a run that is killed and started again ends as one that never was."""

import json
import os
import random
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn.callbacks import BackupAndRestore, Callback, EarlyStopping, ModelCheckpoint


class Logs(Callback):
    """Puts losses of its own into the logs of each epoch."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.values[epoch]


def model():
    gn.nn.set_random_seed(0)
    made = gn.nn.Sequential([gn.nn.Input((2,)), gn.nn.Dense(1)])
    made.compile("sgd", "mse", metrics=["mae"], run_eagerly=True)
    return made


X, Y = np.arange(20.0).reshape(10, 2) / 10, np.arange(10.0)[:, None]


def fitted(callback, values=(3.0, 2.0, 2.5, 1.0), **options):
    made = model()
    made.fit(X, Y, epochs=len(values), batch_size=5, verbose=0, callbacks=[Logs(values), callback], **options)
    return made


def test_the_path_has_the_epoch_from_one_and_logs(tmp_path):
    fitted(ModelCheckpoint(tmp_path / "deep" / "{epoch:02d}-{val_loss:.2f}.graphnet"))
    assert sorted(os.listdir(tmp_path / "deep")) == [
        "01-3.00.graphnet",
        "02-2.00.graphnet",
        "03-2.50.graphnet",
        "04-1.00.graphnet",
    ]


def test_only_the_best_with_messages(tmp_path, capsys):
    path = tmp_path / "{epoch}.npz"
    fitted(ModelCheckpoint(path, save_best_only=True, save_weights_only=True, verbose=1))
    assert sorted(os.listdir(tmp_path)) == ["1.npz", "2.npz", "4.npz"]
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[1] == f"Epoch 2: val_loss improved from 3.00000 to 2.00000, saving model to {tmp_path / '2.npz'}"
    assert lines[2] == "Epoch 3: val_loss did not improve from 2.00000"


@pytest.mark.parametrize(
    ("options", "saved"),
    [
        ({"mode": "max"}, ["1"]),
        ({"initial_value_threshold": 2.2}, ["2", "4"]),
        ({"monitor": "loss"}, ["1", "2", "3", "4"]),
    ],
)
def test_what_is_better(options, saved, tmp_path):
    fitted(ModelCheckpoint(tmp_path / "{epoch}.graphnet", save_best_only=True, **options))
    assert sorted(p.removesuffix(".graphnet") for p in os.listdir(tmp_path)) == saved


def test_nan_is_never_better(tmp_path):
    callback = ModelCheckpoint(tmp_path / "{epoch}.graphnet", save_best_only=True)
    fitted(callback, values=(float("nan"), 2.0, float("nan")))
    assert os.listdir(tmp_path) == ["2.graphnet"] and callback.best == 2.0


def test_every_so_many_batches(tmp_path):
    fitted(ModelCheckpoint(tmp_path / "{epoch}-{batch}-{loss:.0f}.graphnet", save_freq=3), values=(1.0,) * 3)
    assert [name[:3] for name in sorted(os.listdir(tmp_path))] == ["2-1", "3-2"]


def test_what_was_saved_is_the_model_of_that_epoch(tmp_path):
    made = fitted(ModelCheckpoint(tmp_path / "last.graphnet"))
    again = gn.nn.load_model(tmp_path / "last.graphnet")
    assert all(np.array_equal(a, b) for a, b in zip(made.get_weights(), again.get_weights(), strict=True))


def test_mistakes(tmp_path):
    with pytest.raises(ValueError, match=r"\.keras, \.graphnet"):
        ModelCheckpoint(tmp_path / "m.h6")
    with pytest.raises(ValueError, match=r"\.weights\.h5"):
        ModelCheckpoint(tmp_path / "m.keras", save_weights_only=True)
    with pytest.raises(ValueError, match="save_freq"):
        ModelCheckpoint(tmp_path / "m.keras", save_freq=0)
    with pytest.raises(KeyError, match="val_acc"):
        fitted(ModelCheckpoint(tmp_path / "{val_acc}.graphnet"))
    with pytest.warns(UserWarning, match="val_auc"):
        fitted(ModelCheckpoint(tmp_path / "m.graphnet", monitor="val_auc", mode="max", save_best_only=True))
    with pytest.raises(ValueError, match="backup_dir"):
        BackupAndRestore("")


# Going on after an end.

TRAIN = """
    import hashlib, json, os, signal, sys
    import numpy as np
    import graphnet as gn
    from graphnet.nn.callbacks import BackupAndRestore, Callback, EarlyStopping, ReduceLROnPlateau

    folder, out, freq, kill, shuffle, steps = json.loads(sys.argv[1])
    gn.nn.set_random_seed(3)
    x = np.random.default_rng(0).normal(size=(90, 8)).astype("float32")
    y = (x.sum(1) > 0).astype("int32")
    model = gn.nn.Sequential(
        [gn.nn.Input((8,)), gn.nn.Dense(9, activation="tanh"), gn.nn.Dropout(0.3), gn.nn.Dense(2, activation="softmax")]
    )
    model.compile(gn.nn.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])

    class Kill(Callback):
        count = 0
        seen = 0
        remembers = {"seen": "count"}

        def on_train_begin(self, logs=None):
            self.seen = 0

        def on_train_batch_end(self, batch, logs=None):
            self.seen += 1
            Kill.count += 1
            if Kill.count == kill:
                os.kill(os.getpid(), signal.SIGKILL)

    watch = Kill()
    callbacks = [
        EarlyStopping(patience=4, restore_best_weights=True),
        BackupAndRestore(folder, save_freq=freq),
        ReduceLROnPlateau(patience=1, factor=0.5),
        watch,
    ]
    history = model.fit(x, y, epochs=7, batch_size=11, verbose=0, callbacks=callbacks, validation_split=0.2,
                        shuffle=shuffle, steps_per_epoch=steps)
    digest = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()
    with open(out, "w") as file:
        json.dump([digest, history.history, history.epoch, watch.seen, int(model.optimizer.iterations)], file)
"""


def run(folder, freq, kill=0, shuffle=True, steps=None):
    """The report of a training, or None if it was killed."""
    root = os.path.dirname(os.path.dirname(gn.__file__))
    env = {**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}
    out = folder / "out.json"
    given = json.dumps([str(folder / "backup"), str(out), freq, kill, shuffle, steps])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TRAIN), given], capture_output=True, text=True, env=env, timeout=120
    )
    if kill:
        assert done.returncode == -9, done.stderr
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("freq", "shuffle", "steps", "kills"), [("epoch", True, None, 2), (2, "batch", None, 1), (3, True, 4, 1)]
)
def test_a_run_that_was_killed_ends_as_one_that_was_not(freq, shuffle, steps, kills, tmp_path):
    expected = run(tmp_path, freq, shuffle=shuffle, steps=steps)
    rng = random.Random(f"{freq}{shuffle}{steps}")
    for kill in [rng.randrange(3, 20), rng.randrange(3, 8)][:kills]:
        run(tmp_path, freq, kill, shuffle, steps)
    assert os.listdir(tmp_path / "backup") == ["training.backup"]
    assert run(tmp_path, freq, shuffle=shuffle, steps=steps) == expected
    assert not (tmp_path / "backup").exists()


class Stop(Exception):
    pass


class Raise(Callback):
    def __init__(self, epoch):
        super().__init__()
        self.at = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            raise Stop


def test_an_error_keeps_the_backup_and_more_epochs_go_on(tmp_path):
    whole = model()
    whole.fit(X, Y, epochs=6, batch_size=4, verbose=0)
    made = model()
    with pytest.raises(Stop):
        made.fit(X, Y, epochs=6, batch_size=4, verbose=0, callbacks=[BackupAndRestore(tmp_path), Raise(2)])
    made = model()
    keep = BackupAndRestore(tmp_path, delete_checkpoint=False)
    history = made.fit(X, Y, epochs=4, batch_size=4, verbose=0, callbacks=keep)
    assert history.epoch == [0, 1, 2, 3]
    made = model()
    history = made.fit(X, Y, epochs=6, batch_size=4, verbose=0, callbacks=BackupAndRestore(tmp_path))
    assert history.epoch == [0, 1, 2, 3, 4, 5] and history.history == whole.history.history
    assert all(np.array_equal(a, b) for a, b in zip(made.get_weights(), whole.get_weights(), strict=True))
    assert not tmp_path.exists()


def test_a_run_that_had_stopped_early_stays_stopped(tmp_path):
    made = model()
    callbacks = [Logs([1.0, 2.0, 3.0, 0.5]), EarlyStopping(patience=1)]
    keep = BackupAndRestore(tmp_path, delete_checkpoint=False)
    first = made.fit(X, Y, epochs=4, verbose=0, callbacks=[*callbacks, keep])
    assert first.epoch == [0, 1]
    again = model().fit(X, Y, epochs=4, verbose=0, callbacks=[*callbacks, BackupAndRestore(tmp_path)])
    assert again.epoch == [0, 1]


def test_a_backup_of_something_else_is_refused_and_changes_nothing(tmp_path):
    fitted(BackupAndRestore(tmp_path, delete_checkpoint=False))
    file = tmp_path / "training.backup"
    good = file.read_bytes()

    def refused(made, match, **options):
        before = made.get_weights()
        with pytest.raises(gn.nn.saving.FileError, match=match):
            made.fit(X, Y, epochs=9, **{"batch_size": 5, **options}, verbose=0, callbacks=BackupAndRestore(tmp_path))
        assert all(np.array_equal(a, b) for a, b in zip(made.get_weights(), before, strict=True))

    other = gn.nn.Sequential([gn.nn.Input((2,)), gn.nn.Dense(1), gn.nn.Dense(1)])
    other.compile("sgd", "mse", metrics=["mae"])
    refused(other, "another model")
    other.compile("adam", "mse")
    refused(other, "the optimizer SGD")
    refused(model(), "batch_size=5", batch_size=3)
    refused(model(), "shuffle", shuffle=False)
    for broken in (good[: len(good) // 2], b"", good.replace(b"layout", b"layuot")):
        file.write_bytes(broken)
        refused(model(), "damaged|not a zip|no backup|layout|bad|truncated")
    assert file.exists()
