"""Damaged and hostile files, made from good ones: a name, an ending, bytes, and whether it may still load as it was."""

import io
import json
import random
import struct
import zipfile

import numpy as np

import graphnet as gn

HUGE = 10**12


def network():
    model = gn.nn.Sequential(
        [gn.nn.Input((6,)), gn.nn.Dense(5, activation="relu"), gn.nn.Dropout(0.5, seed=1), gn.nn.Dense(2)]
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    model.compile("adam", "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_weights)
    return model


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(pairs, compress=zipfile.ZIP_STORED, change=None):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as archive:
        for name, content in pairs.items() if isinstance(pairs, dict) else pairs:
            info = zipfile.ZipInfo(name)
            info.compress_type = compress
            if change is not None:
                change(info)
            archive.writestr(info, content)
    return buffer.getvalue()


def good(folder):
    """The bytes of a good file for each ending."""
    model, found = network(), {}
    for ending in (".keras", ".graphnet", ".weights.h5", ".safetensors", ".npz"):
        path = folder / f"good{ending}"
        (model.save if ending in (".keras", ".graphnet") else model.save_weights)(path)
        found[ending] = path.read_bytes()
    return found


def cut_and_flipped(files, rng):
    """Files that end early, and files with a bit turned over."""
    for ending, data in files.items():
        for _ in range(8):
            yield "cut", ending, data[: rng.randrange(len(data))], False
        for _ in range(12):
            broken = bytearray(data)
            # Most of an HDF5 file of this size is empty room, in which a bit more or less changes nothing.
            place = rng.randrange(min(len(data), 800 if "h5" in ending else len(data)))
            broken[place] ^= 1 << rng.randrange(8)
            yield "bit", ending, bytes(broken), True
        yield "empty", ending, b"", False
        yield "text", ending, b"hello, world\n" * 50, False
        yield "another's", ending, files[".npz" if ending != ".npz" else ".weights.h5"], False


def tricks_with_zips(files):
    """Names that lead elsewhere, doubles, links, bombs."""
    for ending in (".keras", ".graphnet", ".npz"):
        parts = members(files[ending])
        first = next(iter(parts))
        names = "../evil.npy /etc/passwd.npy a/../../evil.npy C:/evil.npy a\\..\\evil.npy a//b.npy ./a.npy".split()
        for name in names:
            yield f"named {name}", ending, zipped([*parts.items(), (name, b"x")]), False
        yield "double", ending, zipped([*parts.items(), (first, parts[first])]), False

        def link(info):
            info.external_attr = 0o120777 << 16

        yield "links", ending, zipped(parts, change=link), False
        bomb = zipped({**parts, first: b" " * (40 << 20)}, zipfile.ZIP_DEFLATED)
        yield "bomb", ending, bomb, False
        lie = bytearray(zipped(parts))
        place = lie.rindex(b"PK\x01\x02")
        struct.pack_into("<I", lie, place + 24, 0xFFFFFFF0)
        yield "size that lies", ending, bytes(lie), False
        encrypted = bytearray(zipped(parts))
        encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
        yield "encrypted", ending, bytes(encrypted), False
        for name in parts if ending != ".npz" else ():
            if name != "metadata.json":
                yield f"without {name}", ending, zipped({k: v for k, v in parts.items() if k != name}), False


def foreign(kind, **more):
    return {"module": "builtins", "class_name": kind, "config": {}, "registered_name": kind, **more}


def hostile_configurations(files):
    """Classes that are not known, code, wrong types, huge sizes, deep nesting."""

    def layers(config, ending):
        return (config if ending == ".keras" else config["model"])["config"]["layers"]

    def replaced(place, value):
        return lambda config, ending: layers(config, ending).__setitem__(place, value)

    def option(key, value):
        return lambda config, ending: layers(config, ending)[1]["config"].__setitem__(key, value)

    def setting(key, value):
        name = {".keras": "compile_config", ".graphnet": "compile"}
        return lambda config, ending: config[name[ending]].__setitem__(key, value)

    code = {"class_name": "__lambda__", "config": {"code": "4wAAAA==", "defaults": None, "closure": None}}
    changes = {
        "os.system": replaced(1, {**foreign("system"), "module": "os"}),
        "subprocess": replaced(1, {**foreign("Popen"), "module": "subprocess", "config": {"args": ["touch", "evil"]}}),
        "eval": option("activation", {**foreign("function"), "config": "eval"}),
        "lambda": option("activation", code),
        "a private class": replaced(1, {**foreign("Saveable"), "module": "keras.src.saving"}),
        "a loader": option("kernel_initializer", {**foreign("load_model"), "module": "keras.models"}),
        "an optimizer as a layer": replaced(1, {**foreign("SGD"), "module": "keras.optimizers"}),
        "a layer as an optimizer": setting("optimizer", {**foreign("Flatten"), "module": "keras.layers"}),
        "dunder": replaced(1, {**foreign("__class__"), "module": "graphnet.layers"}),
        "huge units": option("units", HUGE),
        "units of more than 64 bits": option("units", 10**30),
        "units that are text": option("units", "five"),
        "negative units": option("units", -5),
        "units that are a list": option("units", [1]),
        "other units": option("units", 7),
        "huge input": lambda c, e: layers(c, e)[0]["config"].update(
            {"batch_shape": [None, HUGE]} if e == ".keras" else {"shape": [HUGE]}
        ),
        "nested activations": option("activation", {"class_name": "function", "config": {"a": 1}}),
        "layers that are numbers": lambda c, e: layers(c, e).__setitem__(slice(None), [1, 2]),
        "no layers": lambda c, e: (c if e == ".keras" else c["model"])["config"].pop("layers"),
        "a class that is a number": lambda c, e: layers(c, e)[1].__setitem__("class_name", 5),
        "a config that is a list": lambda c, e: layers(c, e)[1].__setitem__("config", [1]),
        "one more layer": lambda c, e: layers(c, e).append(layers(c, e)[1]),
        "a dtype of objects": option("dtype", "object"),
        "an optimizer of another size": setting("optimizer", "sgd"),
        "metrics that are numbers": setting("metrics", [5]),
        "an unknown loss": setting("loss", "mean_squared_eror"),
        "several losses": setting("loss", ["mse", "mae"]),
        "loss weights": setting("loss_weights", [2.0]),
    }
    for ending, name in ((".keras", "config.json"), (".graphnet", "model.json")):
        parts = members(files[ending])
        for word, change in changes.items():
            config = json.loads(parts[name])
            change(config, ending)
            yield word, ending, zipped({**parts, name: json.dumps(config).encode()}), False
        deep = b'{"class_name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        for word, text in {
            "deep": deep,
            "half a text": parts[name][:-20],
            "a list": b"[1, 2]",
            "null": b"null",
            "not UTF-8": b"\xff\xfe" + parts[name],
            "a number of many digits": b'{"a": ' + b"9" * 10_000 + b"}",
        }.items():
            yield word, ending, zipped({**parts, name: text}), False


def npy(shape, descr="<f4", body=b""):
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def hostile_arrays(files):
    """Sizes that are not there, types that are no numbers, headers that make no sense."""
    parts = members(files[".npz"])
    first = next(iter(parts))
    for word, content in {
        "huge": npy((HUGE, HUGE)),
        "objects": npy((1,), "|O", b"cos\nsystem\n(S'touch evil'\ntR."),
        "text": npy((6, 5), "<U4", b"\0" * 480),
        "negative": npy((-6, -5), body=b"\0" * 120),
        "another shape": npy((5, 6), body=b"\0" * 120),
        "integers": npy((6, 5), "<i4", b"\0" * 120),
        "code in the header": npy("__import__('os')"),
        "no header": b"\x93NUMPY\x01\x00\xff\xff",
    }.items():
        yield word, ".npz", zipped({**parts, first: content}), False

    data = files[".safetensors"]
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    name = "dense/kernel"

    def packed(change, body=body):
        other = json.loads(json.dumps(header))
        change(other)
        text = json.dumps(other).encode()
        return len(text).to_bytes(8, "little") + text + body

    entries = {
        "huge": {"shape": [HUGE, HUGE]},
        "offsets beyond": {"data_offsets": [0, HUGE]},
        "offsets backwards": {"data_offsets": [120, 0]},
        "negative": {"shape": [-6, -5]},
        "fractions": {"shape": [6.0, 5.0]},
        "a type of objects": {"dtype": "O"},
        "a type that is a list": {"dtype": []},
        "an overlap": {"data_offsets": [20, 140]},
        "another shape": {"shape": [5, 6]},
        "no shape": {"shape": None},
    }
    for word, entry in entries.items():
        yield word, ".safetensors", packed(lambda h, entry=entry: h[name].update(entry)), False
    yield "a rest", ".safetensors", packed(lambda h: h["__metadata__"].clear(), body + b"more"), False
    yield "a foreign array", ".safetensors", packed(lambda h: h.update(evil={**h.pop(name)})), False
    yield "a huge header", ".safetensors", (1 << 62).to_bytes(8, "little") + data[8:], False
    yield "a header that is a list", ".safetensors", (2).to_bytes(8, "little") + b"[]" + body, False


def hostile_hdf5(files):
    """Links into other files, sizes that are not there, types that are no numbers."""
    import h5py

    def made(change):
        buffer = io.BytesIO(files[".weights.h5"])
        with h5py.File(buffer, "r+") as file:
            change(file)
        return buffer.getvalue()

    where = "layers/dense/vars/0"

    def instead(**options):
        def change(file):
            del file[where]
            file.create_dataset(where, **options)

        return change

    def linked(link):
        def change(file):
            del file[where]
            file[where] = link

        return change

    def external(file):
        del file[where]
        file.create_dataset(where, shape=(6, 5), dtype="f4", external=[("/etc/passwd", 0, 120)])

    def endless(file):
        file["layers/again"] = file["layers"]

    changes = {
        "huge": instead(shape=(HUGE, 5), dtype="f4", chunks=(1000, 5)),
        "huge and compressed": instead(
            shape=(10**6, 100), dtype="f4", chunks=(1000, 100), compression="gzip", fillvalue=1
        ),
        "no bytes": instead(shape=(10**6, 100), dtype="f4"),
        "text": instead(data=["a", "b"]),
        "another shape": instead(data=np.zeros((5, 6), "f4")),
        "integers": instead(data=np.zeros((6, 5), "i4")),
        "empty": instead(data=h5py.Empty("f4")),
        "a group": lambda file: (file.__delitem__(where), file.create_group(where)),
        "a link outside": linked(h5py.ExternalLink("/etc/passwd", "/")),
        "a soft link": linked(h5py.SoftLink("/layers/dense/vars/1")),
        "bytes of another file": external,
        "groups in a circle": endless,
        "one more": lambda file: file.create_dataset("layers/dense/vars/2", data=np.zeros(3, "f4")),
    }
    parts = members(files[".keras"])
    for word, change in changes.items():
        data = made(change)
        yield word, ".weights.h5", data, False
        yield word, ".keras", zipped({**parts, "model.weights.h5": data}), False


def all_of(folder):
    """Every damaged file."""
    files = good(folder)
    yield from cut_and_flipped(files, random.Random(0))
    yield from tricks_with_zips(files)
    yield from hostile_configurations(files)
    yield from hostile_arrays(files)
    yield from hostile_hdf5(files)
