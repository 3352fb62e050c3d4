"""A few damaged and forged files for each reader, and a few kills; many more by `python -m tests.fuzz`."""

import os
import random
import sys
import time
import warnings

import pytest

pytest.importorskip("h5py")
pytest.importorskip("networkx")
hypothesis = pytest.importorskip("hypothesis")

from . import kills, readers  # noqa: E402

NAMES = [
    *["model.keras", "model.graphnet", "weights.weights.h5", "weights.safetensors", "weights.npz", "h5 of others"],
    *["safetensors of others", "backup", "model.json", "scene.json", "network.json", "idx", "idx.gz"],
]
#: files for each reader
FILES = int(os.environ.get("GRAPHNET_FUZZ", "15"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    found = readers.readers(str(folder))
    assert list(found) == NAMES
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_refused_or_means_the_same(name, made, tmp_path):
    reader, path = made[name], tmp_path / f"file{made[name].ending}"
    path.write_bytes(reader.good)
    expected = reader.read(path)

    @hypothesis.settings(max_examples=FILES, derandomize=True, deadline=None, database=None)
    @hypothesis.given(hypothesis.strategies.integers(0, 10**9))
    def one(seed):
        data, forged = readers.mutated(reader, random.Random(f"{name} {seed}"))
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            word, more = readers.outcome(reader, path, data, forged, expected)
        assert word != "bad", f"python -m tests.fuzz --only {name!r} --seed {seed} --files 1: {more}"
        assert time.process_time() - start < 10

    one()
    assert {p.name for p in tmp_path.iterdir()} <= {path.name, "backup"} and not os.path.exists("PLANTED")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_few_kills(capfd):
    # In a process of its own: this one has threads, and its children would not.
    import subprocess

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    command = [sys.executable, "-m", "tests.fuzz", "--kills", "5"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(kills.KINDS) == 5 and "0 left something half written" in done.stdout
