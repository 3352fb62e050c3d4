"""Damaged and hostile files give one error and nothing else: no crash, no hang, no file, no memory, no change."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

import graphnet as gn

pytest.importorskip("h5py")

TRY_ALL = """
    import faulthandler, json, os, sys, tempfile, time, warnings
    from pathlib import Path
    faulthandler.enable()
    sys.path.insert(0, sys.argv[1])
    import damaged
    import numpy as np
    import graphnet as gn
    try:
        import resource
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + (768 << 20), resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError):
        pass
    model = damaged.network()
    before = model.get_weights()
    folder = Path(tempfile.mkdtemp(dir="."))
    files = list(damaged.all_of(folder))
    for path in folder.iterdir():
        path.unlink()
    report = []
    for word, ending, data, may_load in files:
        path = folder / f"file{ending}"
        path.write_bytes(data)
        start = time.process_time()
        try:
            if ending in (".keras", ".graphnet"):
                got = gn.nn.load_model(path).get_weights()
            else:
                other = damaged.network()
                other.load_weights(path)
                got = other.get_weights()
            same = all(np.array_equal(a, b) for a, b in zip(got, before)) and len(got) == len(before)
            outcome = "as it was" if same else "other weights"
        except gn.nn.saving.FileError as error:
            outcome = "refused" if str(error).startswith(str(path)) and len(str(error)) < 2000 else str(error)
        except BaseException as error:
            outcome = repr(error)[:200]
        took = time.process_time() - start
        path.unlink()
        left = os.listdir(folder) + [name for name in os.listdir(".") if name != folder.name]
        report.append([word, ending, may_load, outcome, took, left])
    print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = os.path.dirname(os.path.dirname(gn.__file__))
    env = {**os.environ, "PYTHONPATH": root, "GRAPHNET_NATIVE": "0", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TRY_ALL), os.path.dirname(os.path.dirname(__file__))],
        cwd=tmp_path_factory.mktemp("damage"),
        capture_output=True,
        text=True,
        env=env,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_there_are_two_hundred_of_them(report):
    assert len(report) >= 200
    assert {row[1] for row in report} == {".keras", ".graphnet", ".weights.h5", ".safetensors", ".npz"}


def test_each_gives_the_error(report):
    wrong = [row[:4] for row in report if row[3] != "refused" and not row[2]]
    assert wrong == []


def test_a_bit_is_noticed_or_changes_nothing(report):
    flipped = [row for row in report if row[2]]
    assert [r[:4] for r in flipped if r[3] not in ("refused", "as it was")] == []
    assert sum(row[3] == "refused" for row in flipped) > len(flipped) / 2


def test_each_takes_no_time_and_leaves_nothing(report):
    assert max(row[4] for row in report) < 5
    assert [row for row in report if row[5]] == []


def test_a_model_is_not_changed_by_half(tmp_path):
    import damaged

    model = damaged.network()
    before = model.get_weights()
    for number, (_, ending, data, may_load) in enumerate(damaged.hostile_arrays(damaged.good(tmp_path))):
        path = tmp_path / f"{number}{ending}"
        path.write_bytes(data)
        with pytest.raises(gn.nn.saving.FileError):
            model.load_weights(path)
        assert not may_load and all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))
