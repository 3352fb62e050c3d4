"""Processes that are killed at a random moment while they write: what is there afterwards is whole, old or new."""

import html.parser
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

import graphnet as gn
from graphnet import nn
from graphnet.nn import callbacks
from graphnet.nn.saving import archives, arrays
from graphnet.plans.code import compiler

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X[:, :1]


def network():
    model = nn.Sequential([nn.Input((4,)), nn.Dense(40), nn.Dense(1)])
    model.compile("adam", "mse")
    return model


def filled(model, number):
    """The model with one number in all its weights: a file that mixes two states would show."""
    model.set_weights([np.full(w.shape, number, w.dtype) for w in model.get_weights()])
    return model


def _one_number(model):
    weights = model.get_weights()
    assert all((w == weights[0].flat[0]).all() for w in weights), "weights of two states"


# Each kind of writing: what a process does until it is killed, and what is checked then.


def save(folder):
    model, number = network(), 0.0
    while True:
        number += 1.0
        filled(model, number)
        for name in ("m.graphnet", "m.keras"):
            model.save(folder / name)
        for name in ("m.weights.h5", "m.safetensors", "m.npz"):
            model.save_weights(folder / name)


def saved(folder):
    for path in folder.glob("m.*"):
        if path.suffix in (".graphnet", ".keras"):
            _one_number(nn.load_model(path))
        else:
            model = network()
            model.load_weights(path)
            _one_number(model)


def checkpoint(folder):
    kept = [callbacks.ModelCheckpoint(folder / "c.graphnet", save_freq=1)]
    kept += [callbacks.ModelCheckpoint(folder / "c{batch}.weights.h5", save_freq=1, save_weights_only=True)]
    network().fit(X, Y, epochs=10**6, batch_size=8, verbose=0, callbacks=kept)


def checkpointed(folder):
    for path in folder.glob("c*.*"):
        nn.load_model(path) if path.suffix == ".graphnet" else network().load_weights(path)


def backup(folder):
    nn.set_random_seed(1)
    network().fit(X, Y, epochs=10**6, verbose=0, callbacks=callbacks.BackupAndRestore(folder / "backup"))


def backed_up(folder):
    path = folder / "backup" / "training.backup"
    if path.exists():
        members = archives.unpacked(path.read_bytes(), only=("state.json", "arrays.safetensors"))
        state = archives.parsed(members["state.json"], "state")
        arrays.from_safetensors(members["arrays.safetensors"])
        assert state["epoch"] >= 1


def report(folder):
    own = callbacks.HTMLReport(folder / "run.html", interval=0, gradients=False)
    network().fit(X, Y, epochs=10**6, verbose=0, callbacks=[own, callbacks.CSVLogger(folder / "log.csv")])


def reported(folder):
    for path in folder.glob("*.html"):
        text = path.read_text("utf-8")
        html.parser.HTMLParser().feed(text)
        assert text.rstrip().endswith("</html>"), "a page that is cut short"


def cache(folder):
    """Native code of ever new functions, which is kept on disk."""
    rng = random.Random(os.getpid())
    while True:
        _compiled(rng.random())


def _compiled(factor):
    x = gn.input((40,), "float64", name="x")
    plan = gn.Graph([x], gn.exp(x * factor).sum()).compile(backend="native")
    given = np.linspace(0, 1, 40)
    assert abs(plan(given).item() - np.exp(given * factor).sum()) < 1e-9


def cached(folder):
    _compiled(0.5)


KINDS = {
    "save": (save, saved),
    "checkpoint": (checkpoint, checkpointed),
    "backup": (backup, backed_up),
    "report": (report, reported),
    "cache": (cache, cached),
}


def _child(work, folder):
    """A process of its own that works until it is killed, or with `work` that ends says whether all is well."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        if os.environ.get("FUZZ_KILLS_TALK") is None:
            os.dup2(devnull, 1)
        work(folder)
        status = 0
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        os._exit(status)


def run(count, seed=0, out=print):
    """Kill so many processes; gives the kinds and numbers of kills after which something was not whole."""
    rng, wrong = random.Random(seed), []
    with tempfile.TemporaryDirectory() as top:
        os.environ["GRAPHNET_CACHE_DIR"] = str(Path(top, "cache"))
        folders = {kind: Path(top, kind) for kind in KINDS}
        for folder in folders.values():
            folder.mkdir()
        names = [kind for kind in KINDS if kind != "cache" or compiler.available()]
        for number in range(count):
            kind = names[number % len(names)]
            work, check = KINDS[kind]
            child = _child(work, folders[kind])
            time.sleep(rng.uniform(0.02, 0.7))
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            ended = os.WIFEXITED(status)
            # Checked in a process of its own as well: what it finds in memory must not hide what lies on the disk.
            _, status = os.waitpid(_child(check, folders[kind]), 0)
            if ended or status:
                wrong.append((kind, number))
                out(f"bad: {kind}, kill {number}: {'it ended by itself' if ended else 'what is there is not whole'}")
        for kind in ("save", "checkpoint", "backup", "report"):
            # One that is not killed leaves nothing behind of those that were.
            _os_wait(_child(ONCE[kind], folders[kind]))
            left = [str(path) for path in folders[kind].rglob("*.part")]
            if left:
                wrong.append((kind, "parts"))
                out(f"bad: {kind}: {left} are left")
    return wrong


def _os_wait(child):
    assert os.waitpid(child, 0)[1] == 0


def _fit(callback):
    network().fit(X, Y, epochs=1, batch_size=8, verbose=0, callbacks=callback)


ONCE = {
    "save": lambda folder: [
        *[network().save(folder / name) for name in ("m.graphnet", "m.keras")],
        *[network().save_weights(folder / name) for name in ("m.weights.h5", "m.safetensors", "m.npz")],
    ],
    "checkpoint": lambda folder: [
        _fit(callbacks.ModelCheckpoint(folder / "c.graphnet", save_freq=1)),
        _fit(callbacks.ModelCheckpoint(folder / "c{batch}.weights.h5", save_freq=1, save_weights_only=True)),
    ],
    "backup": lambda folder: _fit(callbacks.BackupAndRestore(folder / "backup")),
    "report": lambda folder: _fit(callbacks.HTMLReport(folder / "run.html", gradients=False)),
}
