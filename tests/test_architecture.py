"""The house keeps its shape: imports point one way, and optional packages are imported only where they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import graphnet

ROOT = Path(graphnet.__file__).parent
OPTIONAL = {
    "matplotlib",
    "numba",
    "llvmlite",
    "tqdm",
    "rich",
    "pygraphviz",
    "networkx",
    "graphviz",
    "h5py",
    "safetensors",
    "sklearn",
    "scipy",
    "onnx",
    "tensorboardX",
    "IPython",
}

#: doors to an optional package: files that need it, and that nothing imports until they are asked for
DOORS = {"nn/estimators.py": "sklearn"}

#: what everybody may import
EVERYWHERE = {"computed", "escape", "forks", "functions", "optional"}

#: what each room may import from this package, at the top of its files
ALLOWED = {
    "computed": set(),
    "forks": set(),
    "shapes": set(),
    "mode": set(),
    "node": {"mode"},
    "version": set(),
    "containers": set(),
    "arguments": {"node", "containers"},
    "datasets": set(),
    "escape": set(),
    "extras": set(),
    "optional": set(),
    "files": set(),
    "functions": set(),
    "named": set(),
    "apply": {"node"},
    "dispatch": {"node", "apply"},
    "cuts": {"node", "apply"},
    "checked": {"shapes", "mode", "node", "apply", "cuts"},
    "declare": {"shapes", "node", "apply", "dispatch", "checked"},
    "ops": {"shapes", "node", "apply", "declare", "ops"},
    "sweep": {"node", "apply", "declare", "ops"},
    "results": {"mode", "node", "declare", "ops"},
    "derivatives": {"mode", "node", "declare", "ops", "sweep", "containers", "results", "named"},
    "parts": {"node", "declare", "ops"},
    "replay": {"node", "declare"},
    "carried": {"node", "declare", "containers", "parts"},
    "custom": {"mode", "node", "declare", "ops", "containers", "parts", "carried", "replay", "cuts"},
    "recompute": {"node", "declare", "ops", "containers", "parts", "derivatives", "carried", "replay"},
    "check": {"node", "declare", "containers", "derivatives"},
    "watch": {"node", "declare", "escape"},
    "foreign": {"node", "declare", "ops"},
    "numpy_functions": {"node", "declare", "ops"},
    "protocols": {"node", "declare", "ops", "foreign"},
    "methods": {"node", "declare", "ops", "derivatives", "foreign", "protocols"},
    "stepwise": {"node"},
    "graph": {"node", "declare", "ops", "stepwise", "arguments", "containers", "derivatives", "escape"},
    "plans": {
        "node",
        "declare",
        "ops",
        "arguments",
        "stepwise",
        "containers",
        "parts",
        "derivatives",
        "graph",
        "shapes",
        "plans",
        "escape",
        "extras",
    },
    "viz": {"node", "declare", "graph", "viz", "files", "escape", "extras"},
    "nn": {"", "nn", "node", "declare", "ops", "graph", "files", "version", "escape", "extras"},
    "loops": {
        "node",
        "declare",
        "ops",
        "stepwise",
        "containers",
        "derivatives",
        "graph",
        "plans",
        "shapes",
        "parts",
        "loops",
    },
    "__main__": {"", "datasets", "nn", "viz"},
}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree):
    """Modules that a file imports when it is imported: not inside functions, not for types alone."""
    skipped = set()
    for node in ast.walk(tree):
        hidden = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if hidden or typing_only:
            skipped.update(ast.walk(node))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: write the full name, so that the direction can be read"
            if node.module == "graphnet":
                yield from (f"graphnet.{alias.name}" for alias in node.names)
            else:
                yield node.module


FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    own = room(path)
    assert own in ALLOWED, f"{own} is a new room: say here, and in docs/architecture.md, whom it may know"
    for module in imported(ast.parse(path.read_text("utf-8"))):
        top, *rest = module.split(".")
        if DOORS.get(path.relative_to(ROOT).as_posix()) == top:
            continue
        assert top not in OPTIONAL, f"{path.name} imports {top} at the top: import it in the function that needs it"
        if top == "graphnet":
            assert (rest[0] if rest else "") in ALLOWED[own] | EVERYWHERE, f"{own} must not import {module}"


def test_nn_does_not_reach_into_compile():
    for path in (ROOT / "nn").rglob("*.py"):
        assert "graphnet.plans" not in path.read_text("utf-8")


def test_the_engine_never_imports_nn():
    for path in FILES:
        if room(path) in {"nn", "__main__"}:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names}
                module = getattr(node, "module", None) or ""
                known = {module, *names, *(f"{module}.{name}" for name in names)}
                assert not any(f"{name}.".startswith("graphnet.nn.") for name in known), f"{path}, line {node.lineno}"


def test_importing_graphnet_imports_nothing_optional():
    code = f"import sys, graphnet; print(sorted({OPTIONAL!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_file_says_its_idea_and_every_public_function_what_it_gives():
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path
    for name in graphnet.__all__:
        thing = getattr(graphnet, name)
        if callable(thing):
            assert thing.__doc__, name


def test_optional_packages_are_asked_for_in_one_way():
    """An import statement would take them from the current folder."""
    for path in FILES:
        typing_only = set()
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                typing_only.update(ast.walk(node))
        for node in ast.walk(tree):
            if node in typing_only or not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            for name in [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]:
                top = name.partition(".")[0]
                if DOORS.get(path.relative_to(ROOT).as_posix()) != top:
                    assert top not in OPTIONAL - {"llvmlite"}, (
                        f"{path.name}, line {node.lineno}: write optional({name!r})"
                    )
