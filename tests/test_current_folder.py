"""What lies in the current folder is never taken for a package that graphnet asks for by itself."""

import os
import subprocess
import sys
import textwrap

import pytest

import graphnet as gn
from graphnet import nn

ROOT = os.path.dirname(os.path.dirname(gn.__file__))
#: packages that graphnet asks for, what those ask for, and modules of Python that are imported late
PLANTED = [
    *"matplotlib networkx graphviz pygraphviz h5py llvmlite tensorboardX sklearn IPython PIL kiwisolver cycler".split(),
    *"pandas scipy fontTools dateutil packaging joblib threadpoolctl google".split(),
]


@pytest.fixture
def folder(tmp_path):
    nn.Sequential([nn.Input((3,)), nn.Dense(2)], name="m").save(tmp_path / "m.graphnet")
    for name in PLANTED:
        (tmp_path / f"{name}.py").write_text(f"open('ran-{name}', 'w').close()\nraise ImportError('planted')\n")
    return tmp_path


def run(folder, *command, **more):
    env = {**os.environ, "PYTHONPATH": ROOT, "MPLBACKEND": "agg", "PYTHONDONTWRITEBYTECODE": "1", **more}
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, env=env, timeout=200)
    assert [name for name in os.listdir(folder) if name.startswith("ran-")] == [], done.stderr
    return done


def test_the_command_line(folder):
    (folder / "numpy.py").write_text("open('ran-numpy', 'w').close()\n")
    for out in ("a.svg", "a.png", "a.dot"):
        done = run(folder, "-m", "graphnet", "draw", "m.graphnet", "-o", out)
        assert (folder / out).exists() or "pip install" in done.stderr, done.stderr
    entry = (
        "import sys; sys.path.remove(''); from graphnet.__main__ import main; sys.path.insert(0, ''); sys.exit(main())"
    )
    for engine in ("auto", "dot", "pygraphviz", "builtin"):
        run(folder, "-c", entry, "draw", "m.graphnet", "-o", "b.svg", "--engine", engine)
    run(folder, "-m", "graphnet", "demo", "--epochs", "1", "--hidden", "4", GRAPHNET_NATIVE="1")


def test_a_script_in_its_folder(folder):
    code = """
        import numpy as np
        import graphnet as gn
        from graphnet import nn
        def tried(f):
            try:
                f()
            except (ImportError, RuntimeError) as error:
                assert "planted" not in str(error), error
        model = nn.load_model("m.graphnet")
        tried(lambda: model.save("m.keras"))
        tried(lambda: model.graph().to_networkx())
        tried(lambda: model.graph().to_dot())
        for engine in ("auto", "dot", "pygraphviz", "builtin"):
            tried(lambda: model.draw("m.png", engine=engine))
        model.compile("sgd", "mse")
        history = model.fit(np.ones((8, 3)), np.ones((8, 2)), epochs=20, verbose=0)
        tried(lambda: history.plot("c.png"))
        tried(lambda: history.plot("c.pdf"))
        tried(lambda: nn.GraphnetClassifier)
        tried(lambda: nn.callbacks.TensorBoard("logs"))
        tried(lambda: model.graph().compile(backend="native"))
        tried(lambda: gn.compile(lambda x: x * 2)(np.ones(3)))
    """
    (folder / "script.py").write_text(textwrap.dedent(code))
    for command in (["script.py"], ["-c", textwrap.dedent(code)]):
        done = run(folder, *command)
        assert done.returncode == 0, done.stderr


def test_a_package_that_is_not_there(folder, tmp_path_factory):
    """Who asks for it hears that it is not installed, and computes without it."""
    code = """
        import importlib.util
        from importlib.machinery import PathFinder
        real = PathFinder.find_spec
        def lacking(cls, name, *rest):
            return None if name.partition(".")[0] == "llvmlite" else real(name, *rest)
        PathFinder.find_spec = classmethod(lacking)
        import numpy as np
        import graphnet as gn
        from graphnet import nn
        from graphnet.optional import installed, is_installed
        assert not is_installed("llvmlite") and is_installed("numpy") and not is_installed("no_such_package")
        with installed():
            assert importlib.util.find_spec("no_such_package") is None
        assert gn.compile(lambda x: x * 2)(3.0).numpy() == 6.0
        model = nn.Sequential([nn.Input((3,)), nn.Dense(2)])
        model.compile("sgd", "mse")
        assert len(model.fit(np.ones((8, 3)), np.ones((8, 2)), epochs=3, verbose=0).history["loss"]) == 3
    """
    done = run(tmp_path_factory.mktemp("empty"), "-c", textwrap.dedent(code))
    assert done.returncode == 0, done.stderr
    # One that lies in the current folder alone is not installed either.
    (folder / "only_here.py").write_text("open('ran-only_here', 'w').close()\n")
    asked = "from graphnet.optional import is_installed; assert not is_installed('only_here')"
    done = run(folder, "-c", asked)
    assert done.returncode == 0, done.stderr
