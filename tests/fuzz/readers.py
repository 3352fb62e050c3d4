"""Each kind of file: a good one, what can be done to it, how it is read, and what it means once it is."""

import gzip
import hashlib
import io
import json
import shutil
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import graphnet as gn
from graphnet import datasets, nn
from graphnet.nn.callbacks import BackupAndRestore, Callback, EarlyStopping

from . import mutations


@dataclass
class Reader:
    """`read(path)` gives what the file means; `errors` is what it may raise, and nothing else.

    `checksums` is whether the format has them: a file that is accepted with another meaning must then be one whose
    checksums were forged, too. In the other formats a changed number is a number. Of all files the errors, the time and
    the memory are asked.
    """

    name: str
    ending: str
    good: bytes
    read: object
    errors: tuple
    forged: object
    checksums: bool = True


def network():
    nn.set_random_seed(0)
    model = nn.Sequential(
        [
            nn.Input((6,)),
            nn.Dense(5, activation="relu", kernel_regularizer="l2"),
            nn.BatchNormalization(),
            nn.Dropout(0.5, seed=1),
            nn.Sequential([nn.Dense(3, activation="tanh"), nn.Dense(4)], name="inner"),
            nn.Dense(2, activation="softmax"),
        ],
        name="fuzzed",
    )
    model.compile(nn.optimizers.Adam(0.01, clipnorm=1.0), "categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_weights)
    return model


def digest(*parts):
    made = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            made.update(f"{part.dtype}{part.shape}".encode())
            made.update(np.ascontiguousarray(part).tobytes())
        else:
            made.update(json.dumps(part, sort_keys=True, default=str).encode())
    return made.hexdigest()


def meaning(model):
    """All that a model is."""
    optimizer = model.optimizer
    state = [v.numpy() for v in optimizer.variables] if optimizer is not None else []
    return digest(
        model.to_json(), nn.saving.state.seeds_of(model), model.trainable, *map(np.asarray, model.get_weights()), *state
    )


def read_model(path):
    return meaning(nn.load_model(path))


def read_weights(path):
    model = network()
    model.load_weights(path)
    return digest(*model.get_weights())


def read_text(path):
    return nn.model_from_json(path.read_bytes().decode("utf-8")).to_json()


class Stop(Callback):
    """Ends a fit after its first epoch: by an error, so that the backup stays."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            raise InterruptedError


def fitted(folder, callbacks=()):
    nn.set_random_seed(0)
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3, activation="tanh"), nn.Dropout(0.2), nn.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
    own = [EarlyStopping("loss", restore_best_weights=True), *callbacks, BackupAndRestore(folder)]
    history = model.fit(x, x[:, :1], epochs=2, batch_size=4, verbose=0, callbacks=own)
    return digest(*model.get_weights(), history.history, history.epoch)


def read_backup(path):
    folder = path.parent / "backup"
    folder.mkdir(exist_ok=True)
    path.replace(folder / "training.backup")
    try:
        return fitted(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scene_text():
    x = gn.input((4, 3), name="x")
    with gn.region("dense", "Dense"):
        y = gn.relu(x @ gn.Parameter(np.ones((3, 2), "float32"), name="w"))
    with gn.region("dense_1", "Dense"):
        y = gn.softmax(y @ gn.Parameter(np.ones((2, 2), "float32"), name="v"))
    loss = y.sum()
    graph = gn.Graph([x], [loss, *gn.gradients(loss, [x])])
    return graph.draw(depth=None, engine="builtin").scene.to_dict()


def read_scene(path):
    from graphnet.viz.reading import load
    from graphnet.viz.render import drawn

    scene = load(path)
    return digest(drawn(lambda: scene, None, "TB", True, "builtin").svg)


def network_text():
    """A networkx graph as JSON has it."""
    x = gn.input((2, 3), "float64", name="x")
    w = gn.Parameter(np.arange(6.0).reshape(3, 2), name="w")
    with gn.region("dense", "Dense"):
        y = gn.elu(gn.concatenate([x @ w, gn.sum(x, axis=1, keepdims=True)], axis=1), alpha=0.5)
    n = gn.Graph([x], gn.reshape(y, (3, 2)) * np.arange(6.0).reshape(3, 2)).to_networkx(values=True)
    nodes = [[k, {**d, "value": d["value"].tolist() if "value" in d else None}] for k, d in n.nodes(data=True)]
    for _, data in nodes:
        if data["value"] is None:
            del data["value"]
    return {"graph": dict(n.graph), "nodes": nodes, "edges": [[a, b, d] for a, b, d in n.edges(data=True)]}


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def read_network(path):
    import networkx

    try:
        tree = json.loads(path.read_bytes().decode("utf-8"))
        n = networkx.MultiDiGraph(**tree["graph"])
        for key, data in tree["nodes"]:
            data = {k: v if k == "value" else _tuples(v) for k, v in data.items()}
            data["attrs"] = {k: _tuples(v) for k, v in data["attrs"].items()} if "attrs" in data else {}
            n.add_node(_tuples(key), **data)
        for tail, head, data in tree["edges"]:
            n.add_edge(_tuples(tail), _tuples(head), **data)
    except Exception as error:  # what makes the networkx graph is not ours
        raise ValueError(f"no networkx graph: {error}") from None
    graph = gn.Graph.from_networkx(n)
    total = sum(t.nbytes for t in graph.nodes)
    if total > 1 << 22 or len(graph.inputs) != 1:
        return digest(str(graph))  # a graph of symbols may be of any size
    given = np.linspace(-1, 1, graph.inputs[0].size).reshape(graph.inputs[0].shape)
    return digest(str(graph), *[np.asarray(v) for v in graph.compile(backend="numpy").run([given])])


def idx():
    data = np.random.default_rng(0).integers(0, 255, (20, 5, 4), dtype=np.uint8)
    return b"\0\0\x08\x03" + struct.pack(">3I", *data.shape) + data.tobytes()


def read_idx(path):
    return digest(datasets.load_idx(path))


def _json(data, rng):
    return mutations.text_of(mutations.changed_json(json.loads(data), rng), rng)


def bare_hdf5(data):
    """Weights as Keras writes them: without a checksum."""
    import h5py

    buffer = io.BytesIO(data[:-16])
    with h5py.File(buffer, "r+") as file:
        del file.attrs["graphnet_checksum"]
    return buffer.getvalue()


def bare_safetensors(data):
    """Weights as the safetensors package writes them: without a checksum."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = {"format": "np"}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


@cache
def readers(folder):
    """All of them, by name; good files are made in `folder`."""
    folder = Path(folder)
    model, found = network(), []
    files = (nn.saving.FileError,)
    for ending in (".keras", ".graphnet"):
        model.save(folder / f"good{ending}")
        good = (folder / f"good{ending}").read_bytes()
        found.append(Reader(f"model{ending}", ending, good, read_model, files, mutations.changed_zip))
    for ending, forged in (
        (".weights.h5", mutations.changed_hdf5),
        (".safetensors", mutations.changed_safetensors),
        (".npz", mutations.changed_zip),
    ):
        model.save_weights(folder / f"good{ending}")
        good = (folder / f"good{ending}").read_bytes()
        found.append(Reader(f"weights{ending}", ending, good, read_weights, files, forged))
    for name, ending, good, forged in (
        ("h5 of others", ".weights.h5", bare_hdf5(found[2].good), mutations.changed_hdf5),
        ("safetensors of others", ".safetensors", bare_safetensors(found[3].good), mutations.changed_safetensors),
    ):
        found.append(Reader(name, ending, good, read_weights, files, forged, checksums=False))
    with suppress(InterruptedError):
        fitted(folder / "backup", [Stop()])
    backup = (folder / "backup" / "training.backup").read_bytes()
    found.append(Reader("backup", ".backup", backup, read_backup, files, mutations.changed_zip))
    plain = (ValueError,)
    for name, good, read, errors, forged in (
        ("model.json", model.to_json().encode(), read_text, plain, _json),
        ("scene.json", json.dumps(scene_text()).encode(), read_scene, plain, _json),
        ("network.json", json.dumps(network_text(), default=str).encode(), read_network, plain, _json),
        ("idx", idx(), read_idx, plain, mutations.changed_idx),
    ):
        ending = ".json" if "json" in name else ".idx"
        found.append(Reader(name, ending, good, read, errors, forged, checksums=False))
    zipped = gzip.compress(idx(), 9, mtime=0)
    found.append(Reader("idx.gz", ".gz", zipped, read_idx, plain, regzipped))
    return {reader.name: reader for reader in found}


def regzipped(data, rng):
    inner = mutations.changed_idx(zlib.decompress(data, 31), rng)
    made = gzip.compress(inner, 9, mtime=0)
    return made + gzip.compress(inner) if rng.random() < 0.1 else made


def mutated(reader, rng):
    """A file, and whether its checksums still hold by intention."""
    if rng.random() < 0.5:
        return mutations.damaged(reader.good, rng), False
    try:
        return reader.forged(reader.good, rng), True
    except (
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        RecursionError,
        OSError,
        MemoryError,
        struct.error,
        RuntimeError,
    ):
        # What was drawn can't be written at all.
        return mutations.damaged(reader.good, rng), False


def outcome(reader, path, data, forged, expected):
    """What reading a file came to: a word, and more about it if it is not as it should be."""
    path.write_bytes(data)
    try:
        found = reader.read(path)
    except reader.errors as error:
        text = str(error)
        if len(text) > 3000:
            return "bad", f"a message of {len(text)} characters"
        return "refused", ""
    except MemoryError:
        return "bad", "memory"
    except BaseException as error:
        return "bad", f"{type(error).__name__}: {error}"[:300]
    if found == expected:
        return "the same", ""
    if not reader.checksums:
        return "changed", ""
    if forged and mutations.checksums_hold(data):
        return "forged", ""
    return "bad", "accepted, and means something else, where a checksum should have told"
