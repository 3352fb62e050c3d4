"""The package keeps its shape: imports point one way, and optional packages are imported only where they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import graphnet
from graphnet.record import OPS

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

#: files and packages from the ground up: each may import what stands before it, also inside functions and for types
ORDER = """
    computed escape extras files fitting forks functions named optional unreadable version datasets shapes record mode
    naming arrays declared node leaves typed apply dispatch cuts checked declare composites ops batching foreign
    container_parts containers arguments sweep results tensor_gradients differentiated derivatives jacobians parts
    replay carried custom_arguments custom recompute check watch protocols stepwise graph tracing rowwise plans loops
    viz operators methods graph_methods nn __main__
""".split()

#: what `nn` may import from this package, besides itself: "" is what everybody can
FOR_NN = {
    "",
    "mode",
    "arrays",
    "node",
    "leaves",
    "apply",
    "declare",
    "record",
    "ops",
    "containers",
    "graph",
    "tracing",
    "viz",
} | set(ORDER[: ORDER.index("datasets")])

#: neither knows of the other
APART = {("loops", "viz"), ("viz", "loops")}


def package(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def named(path):
    """The module in a file, as it is imported."""
    parts = ("graphnet", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")
TREES = {p: ast.parse(p.read_text("utf-8")) for p in FILES}
MODULES = {named(p): p for p in FILES}


def imported(path, at_the_top=False):
    """Modules that a file imports: anywhere, or when it is imported itself; with the line and the names."""
    tree = TREES[path]
    inside = set()
    if at_the_top:
        for node in ast.walk(tree):
            hidden = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            if hidden or typing_only:
                inside.update(ast.walk(node))
    for node in ast.walk(tree):
        if node in inside:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}, line {node.lineno}: write the full name, so that the direction can be read"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in MODULES:
                    yield whole, node.lineno, None
                else:
                    yield node.module, node.lineno, alias.name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    own = package(path)
    assert own in ORDER, f"{own} is new: say here, and in docs/architecture.md, where it stands"
    for module, _, _ in imported(path, at_the_top=True):
        top = module.partition(".")[0]
        if DOORS.get(path.relative_to(ROOT).as_posix()) != top:
            assert top not in OPTIONAL, f"{path.name} imports {top} at the top: import it in the function that needs it"
    for module, number, _ in imported(path):
        top, *rest = module.split(".")
        if top != "graphnet":
            continue
        other = rest[0] if rest else ""
        if own == "nn":
            allowed = other in FOR_NN | {"nn"}
        elif own == "__main__":
            allowed = True
        else:
            before = ORDER[: ORDER.index(own) + (path.parent != ROOT)]
            allowed = other in before and (own, other) not in APART
        assert allowed, f"line {number}: {own} must not import {module}"


def test_no_module_imports_what_imports_it():
    """Not even inside a function or for types. In `nn`, whose files name the package by what it exports, not yet."""
    below = {
        named(p): {m for m, _, _ in imported(p) if m in MODULES and package(MODULES[m]) != "nn"} - {named(p)}
        for p in FILES
        if package(p) != "nn"
    }
    # A package lists its own modules; what they import from it would close a circle, and is found by that.
    while free := [m for m, others in below.items() if not others & below.keys()]:
        for m in free:
            del below[m]
    assert not below, f"a circle of imports is among {sorted(below)}"


def defined(tree):
    """The names that a module makes itself, at its top level."""
    for node in ast.walk(ast.Module([n for n in tree.body], [])):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_a_name_is_imported_from_the_module_where_it_stands():
    made = {named(p): set(defined(TREES[p])) for p in FILES if p.name != "__init__.py"}
    for path in FILES:
        for module, number, name in imported(path):
            if name is not None and module in made:
                assert name in made[module], f"{path}, line {number}: {name} does not stand in {module}"


def test_nn_does_not_reach_into_compile():
    for path in (ROOT / "nn").rglob("*.py"):
        assert "graphnet.plans" not in path.read_text("utf-8")


def test_the_engine_never_imports_nn():
    for path in FILES:
        if package(path) in {"nn", "__main__"}:
            continue
        for node in ast.walk(TREES[path]):
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
        assert ast.get_docstring(TREES[path]), path
    for name in graphnet.__all__:
        thing = getattr(graphnet, name)
        if callable(thing):
            assert thing.__doc__, name


def test_optional_packages_are_asked_for_in_one_way():
    """An import statement would take them from the current folder."""
    for path in FILES:
        typing_only = set()
        tree = TREES[path]
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


#: questions by name that are none about what an op is like, with their number: whether a name is taken, and which ops
#: of users a file of a graph has to bring along
_BY_NAME = {"record.py": 4, "viz/network.py": 1, "protocols.py": 1}
#: tables of names of ops that name something else, with their number: the functions of NumPy that tensors take, numbers
#: that are shown of metrics, and the loop language's own words
_TABLES = {
    "protocols.py": 7,
    "nn/callbacks/watcher.py": 1,
    "nn/history.py": 1,
    "plans/nest/functions.py": 1,
    "plans/nest/lowering.py": 3,
    "plans/nest/meanings.py": 1,
    "plans/nest/values.py": 2,
    "plans/scalar/functions.py": 1,
}


def _asks_by_name(tree):
    """Lines that compare the name of an op, look it up, or test what it begins with."""

    def is_name(node):
        return (
            isinstance(node, ast.Attribute)
            and node.attr == "name"
            and (getattr(node.value, "attr", "") == "op" or getattr(node.value, "id", "") == "op")
        )

    for node in ast.walk(tree):
        asked = (
            (isinstance(node, ast.Compare) and any(map(is_name, [node.left, *node.comparators])))
            or (isinstance(node, ast.Subscript) and is_name(node.slice))
            or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_name(node.func.value))
            or (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get" and any(map(is_name, node.args)))
        )
        if asked:
            yield node.lineno


def _tables_of_ops(tree):
    """Lines with a list, set, dictionary or text of words: at least two, and half of all, are names of ops."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Set, ast.Tuple, ast.List)):
            words = [getattr(e, "value", None) for e in node.elts]
        elif isinstance(node, ast.Dict):
            words = [getattr(key, "value", None) for key in node.keys if key is not None]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "split":
            text = getattr(node.func.value, "value", None)
            words = text.split() if isinstance(text, str) else []
        else:
            continue
        found = sum(isinstance(word, str) and word in OPS and OPS[word].builtin for word in words)
        if found >= 2 and 2 * found >= len(words):
            yield node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nobody_asks_for_the_name_of_an_op(path):
    """What an op is like is a field of its record; which op it is, the record itself."""
    file = path.relative_to(ROOT).as_posix()
    asked = list(_asks_by_name(TREES[path]))
    assert len(asked) == _BY_NAME.get(file, 0), f"lines {asked}"
    tables = list(_tables_of_ops(TREES[path])) if package(path) != "ops" else []
    assert len(tables) == _TABLES.get(file, 0), f"lines {tables}"


def test_the_question_by_name_is_seen():
    asked = "t.op.name == 'a'; t.op.name in b; c[op.name]; d.get(t.op.name); op.name.startswith('e')"
    assert len(list(_asks_by_name(ast.parse(asked)))) == 5
    assert not list(_asks_by_name(ast.parse("f'{t.op.name}'; t.name == 'a'; made_by(t, exp)")))
    tables = "{'exp', 'log'}; ('add', 'tanh', x); {'sin': 1, 'cos': 2, **y}; 'exp log1p'.split()"
    assert len(list(_tables_of_ops(ast.parse(tables)))) == 4
    assert not list(
        _tables_of_ops(ast.parse("{'exp'}; ('a', 'b', 'c', 'exp', 'log'); {exp.op, log.op}; 'a b'.split()"))
    )
