"""Small files stay small: what a file asks for in memory and work is in proportion to it, or it is refused."""

import gzip
import io
import json
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
import zlib

import numpy as np
import pytest

import graphnet as gn
from graphnet import datasets, nn
from graphnet.nn.saving import FileError, archives, arrays

MB = 1 << 20


def network(*layers, **options):
    return nn.Sequential([nn.Input((3,)), *(layers or (nn.Dense(2),))], **options)


def members(model, path):
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts, deflate=False):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def refused(path, content, match=""):
    """The file is refused, in a second and a few times its own memory."""
    path.write_bytes(content)
    start = time.process_time()
    model = network()
    with pytest.raises(FileError, match=match or None):
        nn.load_model(path) if path.suffix in (".graphnet", ".keras") else model.load_weights(path)
    assert time.process_time() - start < 5


def test_a_member_is_unpacked_to_the_size_that_it_claims(tmp_path):
    parts = members(network(), tmp_path / "m.graphnet")
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(b"0" * (300 * MB)) + bomb.flush()
    data = bytearray(zipped({**parts, "model.json": b"1" * len(packed)}))
    # The stored member becomes a packed one, whose claim is modest.
    place = data.find(b"1" * 100)
    data[place : place + len(packed)] = packed
    for mark, method, sizes in ((b"PK\x03\x04", 8, 14), (b"PK\x01\x02", 10, 16)):
        at = next(i for i in range(len(data)) if data[i : i + 4] == mark and b"model.json" in data[i : i + 60])
        struct.pack_into("<H", data, at + method, 8)
        struct.pack_into("<LLL", data, at + sizes, 0, len(packed), 100)
    code = f"""
        import resource, sys
        from graphnet import nn
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            nn.load_model({str(tmp_path / "b.graphnet")!r})
        except nn.saving.FileError as error:
            assert "not of the 100 bytes" in str(error), error
        else:
            sys.exit("it was read")
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        assert more < {20 * MB}, more
    """
    (tmp_path / "b.graphnet").write_bytes(data)
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_members_have_one_budget(tmp_path):
    parts = members(network(), tmp_path / "m.graphnet")
    weights = parts["weights.safetensors"]
    many = {f"a{n}.npy": npy(np.zeros(3 * MB, "float32")) for n in range(4)}
    refused(tmp_path / "w.npz", zipped(many, deflate=True), "claim")
    refused(tmp_path / "m.graphnet", zipped({**parts, "weights.safetensors": weights + bytes(40 * MB)}, True), "claim")
    refused(tmp_path / "m.graphnet", zipped({**parts, "extra": b"1"}), "'extra', which does not belong there")
    refused(tmp_path / "m.graphnet", zipped({n: c for n, c in parts.items() if n != "weights.safetensors"}), "has no")
    lots = {f"{n}.npy": b"" for n in range(archives.MEMBERS + 1)}
    refused(tmp_path / "w.npz", zipped(lots), "more than 10,000 members")
    data = zipped({"a.npy": npy(np.zeros(2)), "b.npy": npy(np.zeros(2))})
    second, listed = data.find(b"PK\x03\x04", 4), data.rfind(b"PK\x01\x02")
    overlapping = bytearray(data)
    assert second > 0
    struct.pack_into("<L", overlapping, listed + 42, 0)  # the second member is said to stand where the first one does
    refused(tmp_path / "w.npz", bytes(overlapping), "differs from place to place|overlap")


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_a_packed_file_may_be_as_large_as_the_model(tmp_path):
    model = network(nn.Dense(2 * MB, use_bias=False, kernel_initializer="zeros"))
    np.savez_compressed(tmp_path / "w.npz", **{"dense/kernel": np.zeros((3, 2 * MB), "float32")})
    model.load_weights(tmp_path / "w.npz")
    with pytest.raises(FileError, match="claim"):
        network().load_weights(tmp_path / "w.npz")


def safetensors(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def test_safetensors(tmp_path):
    path = tmp_path / "w.safetensors"

    def entry(shape, begin=0, end=0):
        return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}

    refused(path, safetensors({"a": entry([1] * 400_000)}), "axes")
    refused(path, safetensors({"a": entry([0, 1 << 62])}), "axes")
    refused(path, safetensors(b'{"a":{"dtype":"F32","shape":[' + b"9" * 4000 + b'],"data_offsets":[0,4]}}'), "digits")
    refused(path, safetensors(b'{"a":{"dtype":"F32","shape":[' + b"9" * 250 + b'],"data_offsets":[0,4]}}', b"0123"))
    refused(path, safetensors(b"[" * 100_000), "nested")
    refused(path, safetensors(b"[" + b"[]," * 2_000_000 + b"1]"), "says more")
    refused(path, (1 << 62).to_bytes(8, "little") + b"{}", "declares a header")
    refused(path, safetensors({"a": entry([1], -4, 0)}), "lie at")
    refused(path, safetensors({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, bytes(4)), "overlap")
    refused(path, safetensors({"a": entry([1], 4, 8)}, bytes(8)), "overlap, or leave gaps")
    refused(path, safetensors({"a": entry([1], 0, 4)}, bytes(8)), "belong to no array")
    refused(path, safetensors({"__metadata__": {"a": 1}}), "no dict of texts")
    refused(path, safetensors({"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}, bytes(4)), "dtype")
    refused(path, safetensors({"a": entry([[1]], 0, 4)}, bytes(4)))
    refused(path, safetensors({"a": entry([True], 0, 4)}, bytes(4)))
    refused(path, safetensors({"a": entry([float("nan")], 0, 4)}, bytes(4)))


def test_a_checksum_is_of_all_of_a_file(tmp_path):
    model = network(nn.Dense(2, kernel_initializer="ones"))
    for ending in (".safetensors", ".weights.h5"):
        if ending == ".weights.h5":
            pytest.importorskip("h5py")
        path = tmp_path / f"w{ending}"
        model.save_weights(path)
        data = path.read_bytes()
        model.load_weights(path)
        rng = np.random.default_rng(0)
        for place in rng.integers(8, len(data) - 16, 60):
            broken = bytearray(data)
            broken[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(broken)
            made = network()
            try:
                made.load_weights(path)
            except FileError:
                continue
            # The word for the checksum was hit, and nothing else.
            assert all(np.array_equal(a, b) for a, b in zip(made.get_weights(), model.get_weights(), strict=True))
    # Files from elsewhere have none, and those of earlier versions one of the arrays.
    body = np.arange(8, dtype="<f4").tobytes()
    header = {
        "dense/kernel": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]},
        "dense/bias": {"dtype": "F32", "shape": [2], "data_offsets": [24, 32]},
    }
    assert set(arrays.from_safetensors(safetensors(header, body))) == set(header)
    old = {"__metadata__": {"crc32": f"{zlib.crc32(body):08x}"}, **header}
    assert set(arrays.from_safetensors(safetensors(old, body))) == set(header)
    with pytest.raises(Exception, match="damaged"):
        arrays.from_safetensors(safetensors(old, body[:-1] + b"\0"))


def test_a_file_that_lost_its_checksum_is_refused(tmp_path):
    """One of graphnet's with its checksum cut off or renamed; those of other programs have none."""
    h5py = pytest.importorskip("h5py")
    model = network(nn.Dense(2, kernel_initializer="ones"))
    path = tmp_path / "w.safetensors"
    model.save_weights(path)
    data = path.read_bytes()
    refused(path, data.replace(b'"checksum"', b'"checks_m"'), "wrote it with a checksum, which is missing")
    path.write_bytes(data.replace(b'"checksum"', b'"checks_m"').replace(b'"writer"', b'"editor"'))
    model.load_weights(path)
    path = tmp_path / "w.weights.h5"
    model.save_weights(path)
    data = path.read_bytes()
    refused(path, data[:-16], "wrote it with a checksum, which is missing")
    refused(path, data[:-9] + b"x" + data[-8:], "wrote it with a checksum, which is missing")
    path.write_bytes(data[:-16])
    with h5py.File(path, "r+") as file:
        del file.attrs["graphnet_checksum"]
    model.load_weights(path)


def test_keras_can_read_what_follows_a_checksum(tmp_path):
    h5py = pytest.importorskip("h5py")
    network().save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "w.weights.h5") as file:
        assert file["layers/dense/vars/0"].shape == (3, 2)


def hdf5(write):
    h5py = pytest.importorskip("h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file, h5py)
    return buffer.getvalue()


def test_hdf5(tmp_path):
    path, where = tmp_path / "w.weights.h5", "layers/dense/vars/0"

    def deflated(file, h5py):
        # A chunk of 8 bytes whose packed form grows to 200 MB.
        made = file.create_dataset(where, (2,), "f4", chunks=(2,), compression="gzip")
        made.id.write_direct_chunk((0,), zlib.compress(bytes(200 * MB), 9))

    def external(file, h5py):
        file.create_dataset(where, (2,), "f4", external=[("other.bin", 0, 8)])

    def virtual(file, h5py):
        layout = h5py.VirtualLayout((2,), "f4")
        layout[:] = h5py.VirtualSource("other.h5", "x", (2,))
        file.create_virtual_dataset(where, layout)

    refused(path, hdf5(deflated), "larger than its 8 bytes|damaged")
    refused(path, hdf5(lambda f, h: f.create_dataset(where, (4,), "f4", chunks=(1 << 28,), maxshape=(None,))), "chunks")
    refused(path, hdf5(lambda f, h: f.create_dataset(where, (4096,), "f4", chunks=(1024,))), "never written")
    refused(path, hdf5(lambda f, h: f.create_dataset(where, (4096,), "f4")), "claims")
    refused(path, hdf5(lambda f, h: f.create_dataset(where, (1 << 40,), "f4", chunks=(1 << 20,))))
    refused(path, hdf5(external), "another file")
    refused(path, hdf5(virtual), "another file")
    refused(path, hdf5(lambda f, h: f.__setitem__("a", h.SoftLink("/a"))), "link")
    refused(path, hdf5(lambda f, h: f.__setitem__("a", h.ExternalLink("/etc/passwd", "/"))), "link")
    refused(path, hdf5(lambda f, h: f.create_group("a").__setitem__("b", f["a"])), "another place")
    refused(path, hdf5(lambda f, h: f.create_dataset(where, data=np.array([b"x" * 100]))), "not numbers")
    for options in ({"compression": "gzip"}, {"shuffle": True, "compression": "gzip"}, {"fletcher32": True}):

        def good(file, h5py, options=options):
            file.create_dataset("layers/dense/vars/0", data=np.ones((3, 2), "f4"), chunks=(2, 2), **options)
            file.create_dataset("layers/dense/vars/1", data=np.full(2, 2, "f4"), chunks=(2,), **options)

        path.write_bytes(hdf5(good))
        model = network()
        model.load_weights(path)
        assert [w.sum() for w in model.get_weights()] == [6.0, 4.0]


def idx(shape, data, kind=8):
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data


def test_idx_files(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(idx((1 << 20, 200), bytes(200 * MB)), 9))
    with pytest.raises(ValueError, match="more than 100 times"):
        datasets.load_idx(path)
    path.write_bytes(gzip.compress(idx((4, 1 << 10), bytes(1 << 12)), 9))
    assert datasets.load_idx(path).shape == (4, 1 << 10)


def test_800_layers_in_3_kilobytes(tmp_path):
    layer = {"module": "graphnet.layers", "class_name": "Dropout", "config": {"rate": 0.5}}
    parts = members(network(nn.Dropout(0.5)), tmp_path / "m.graphnet")
    about = json.loads(parts["model.json"])
    about["model"]["config"]["layers"][1:] = [{**layer, "config": {"rate": 0.5, "name": f"d{n}"}} for n in range(800)]
    about["seeds"] = {}
    data = zipped({**parts, "model.json": json.dumps(about, separators=(",", ":")).encode()}, deflate=True)
    (tmp_path / "m.graphnet").write_bytes(data)
    start = time.process_time()
    assert len(nn.load_model(tmp_path / "m.graphnet").layers) == 800
    assert time.process_time() - start < 5
    about["model"]["config"]["layers"][1:] = [{**layer, "config": {"rate": 0.5, "name": f"d{n}"}} for n in range(9_000)]
    data = zipped({**parts, "model.json": json.dumps(about, separators=(",", ":")).encode()}, deflate=True)
    refused(tmp_path / "m.graphnet", data, "objects|claim")


def test_shared_models_that_double(tmp_path):
    parts = members(network(), tmp_path / "m.graphnet")
    about = json.loads(parts["model.json"])
    front = about["model"]["config"]["layers"][0]

    def node(number, layers, **more):
        config = {"name": f"m{number}", "layers": [front, *layers]}
        return {"module": "graphnet.layers", "class_name": "Sequential", "config": config, "shared_object_id": number}

    dropout = {"module": "graphnet.layers", "class_name": "Dropout", "config": {"rate": 0.5}}
    a = node(1, [dropout])
    b = node(2, [a])
    for number in range(3, 60):
        reference = {
            "module": "graphnet.layers",
            "class_name": "Sequential",
            "shared_object_id": number - 2,
            "config": {},
        }
        a, b = b, node(number, [b, reference])
    about["model"] = b
    refused(tmp_path / "m.graphnet", zipped({**parts, "model.json": json.dumps(about).encode()}), "objects")


def test_adding_layers_takes_time_in_proportion():
    def seconds(count, one_by_one):
        layers = [nn.Dropout(0.1) for _ in range(count)]
        start = time.process_time()
        model = network(*(layers[:1] if one_by_one else layers))
        for layer in layers[1:] if one_by_one else ():
            model.add(layer)
        assert len(model.layers) == count and model.output_shape == (None, 3)
        return time.process_time() - start

    for one_by_one in (False, True):
        assert seconds(1500, one_by_one) < 5  # when each rebuilt all before it, more than a minute


def test_a_layer_that_does_not_fit_is_not_added():
    model = network(nn.Dense(4))
    for bad in (nn.Conv2D(2, 3), nn.Dense(4, name=model.layers[0].name), "dense", nn.Input((3,))):
        with pytest.raises((ValueError, TypeError)):
            model.add(bad)
        assert [layer.name for layer in model.layers] == [model.layers[0].name] and model.output_shape == (None, 4)
    model.add(nn.Dense(5))
    assert model.predict(np.ones((2, 3)), verbose=0).shape == (2, 5) and len(model.get_weights()) == 4
    model.pop()
    model.add(nn.Dense(6))
    assert model.output_shape == (None, 6)


@pytest.mark.parametrize("ending", [".graphnet", ".keras"])
def test_what_saves_also_loads(ending, tmp_path):
    if ending == ".keras":
        pytest.importorskip("h5py")
    model = nn.Sequential([nn.Input((3,)), nn.Dense(3)], name="m0")
    for depth in range(1, 51):
        model = nn.Sequential([nn.Input((3,)), model], name=f"m{depth}")
    model.compile("adam", "mse")
    model.save(tmp_path / f"m{ending}")
    again = nn.load_model(tmp_path / f"m{ending}")
    assert np.array_equal(again.predict(np.ones((2, 3)), verbose=0), model.predict(np.ones((2, 3)), verbose=0))
    for depth in range(51, 140):
        model = nn.Sequential([nn.Input((3,)), model], name=f"m{depth}")
    with pytest.raises(ValueError, match="nested in it too deeply"):
        model.save(tmp_path / f"n{ending}")
    assert not (tmp_path / f"n{ending}").exists()
    with pytest.raises(ValueError, match="Arrays belong into weights"):
        archives.dumped({"value": [0.5] * (archives.VALUES + 1)})


def test_memory_errors_stay_memory_errors(tmp_path, monkeypatch):
    network().save(tmp_path / "m.graphnet")
    monkeypatch.setattr(nn.saving.models, "parsed", lambda *_: (_ for _ in ()).throw(MemoryError("full")))
    with pytest.raises(MemoryError):
        nn.load_model(tmp_path / "m.graphnet")
    with pytest.raises(MemoryError, match="add"):
        gn.broadcast_to(gn.tensor(1.0), (1 << 40, 1 << 8)) + 1


def test_sizes_in_a_configuration_are_in_proportion(tmp_path):
    pytest.importorskip("resource")
    code = """
        import json, resource, sys
        from graphnet import nn
        nn.model_from_json(nn.Sequential([nn.Input((4, 4, 3)), nn.RandomFlip(), nn.Resizing(2, 2)]).to_json())
        tree = json.loads(nn.Sequential([nn.Input((4, 4, 3)), nn.RandomFlip(), nn.Resizing(2, 2)]).to_json())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        EMBEDDING = {"input_dim": 1 << 40, "output_dim": 9}
        tree["config"].pop("build_input_shape")
        for change in (
            lambda t: t[2]["config"].update(height=1 << 30),
            lambda t: t[0]["config"].update(batch_shape=[None, 1 << 30, 4, 3]),
            lambda t: t.__setitem__(1, {**t[1], "class_name": "Dense", "config": {"units": 1 << 40}}),
            lambda t: t.__setitem__(1, {**t[1], "class_name": "Embedding", "config": EMBEDDING}),
        ):
            other = json.loads(json.dumps(tree))
            change(other["config"]["layers"])
            try:
                nn.model_from_json(json.dumps(other))
            except ValueError:
                continue
            sys.exit(f"accepted: {other}")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dtype", ["(", "O", "S9", "V1000000000", "datetime64[s]", "longdouble", "c16", 5, "nonsense"])
def test_a_dtype_is_one_of_numbers(dtype):
    with pytest.raises(ValueError, match="dtype"):
        nn.Dense(2, dtype=dtype)
    tree = json.loads(network().to_json())
    tree["config"]["layers"][1]["config"]["dtype"] = dtype
    with pytest.raises(ValueError):
        nn.model_from_json(json.dumps(tree))
    nx = pytest.importorskip("networkx")
    n = nx.MultiDiGraph()
    n.add_node("x", kind="input", shape=(2,), dtype=dtype)
    if dtype not in ("longdouble", "c16"):
        with pytest.raises(ValueError, match="node 'x'"):
            gn.Graph.from_networkx(n)
