"""What a type checker says of the public functions: the types of some 60 expressions, and calls that are errors."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import graphnet as gn
from graphnet.leaves import Parameter
from graphnet.node import Tensor

ROOT = Path(gn.__file__).parent.parent

PRELUDE = """\
from typing import Any

import numpy as np
from typing_extensions import reveal_type

import graphnet as gn

x = gn.tensor([[1.0, 2.0]])
w = gn.Parameter([[1.0, 2.0]])
array = np.ones((1, 2))


def f(a: gn.Tensor, scale: float = 1.0) -> gn.Tensor:
    return (a * scale).sum()


def pair(a: gn.Tensor) -> tuple[gn.Tensor, str]:
    return a.sum(), "aux"


def rule(a: gn.Tensor) -> tuple[gn.Tensor, Any]:
    return a, lambda g: g


@gn.elementwise(vjp=(lambda g, y, x: g,))
def own(x: Any) -> Any:
    return x


@gn.op("(n)->(n)", vjp=(None,))
def own_op(x: Any, times: int = 1) -> Any:
    return x


@gn.composite
def own_composite(a: gn.Tensor, power: int = 2) -> gn.Tensor:
    return a**power


@gn.compile
def compiled(a: gn.Tensor, scale: float = 1.0) -> gn.Tensor:
    return a * scale


@gn.no_grad()
def quiet(a: gn.Tensor) -> gn.Tensor:
    return a

"""

T = "graphnet.node.Tensor"
REVEALED = {
    # functions
    "gn.exp(x)": T,
    "gn.exp([1.0, 2.0])": T,
    "gn.exp(array)": T,
    "gn.exp(1.0)": T,
    "gn.add(x, 1)": T,
    "gn.matmul(x, array)": T,
    "gn.where(x > 0, x, 0.0)": T,
    "gn.clip(x, 0.0)": T,
    "gn.sum(x, axis=0)": T,
    "gn.max(x, axis=(0, 1), keepdims=True)": T,
    "gn.argmax(x, axis=-1)": T,
    "gn.reshape(x, (-1, 1))": T,
    "gn.swapaxes(x, 0, 1)": T,
    "gn.concatenate([x, array], axis=1)": T,
    "gn.stack((x, x))": T,
    "gn.split(x, 2, axis=1)": f"list[{T}]",
    "gn.einsum('ij,kj->ik', x, x)": T,
    "gn.conv(x, array, strides=2, padding='same')": T,
    "gn.softmax(x, axis=-1)": T,
    "gn.gelu(x)": T,
    "gn.norm(x)": T,
    "gn.take(x, [0, 1], axis=1)": T,
    "gn.set_at(x, 0, 1.0)": T,
    "gn.zeros((2, 3), 'float32')": T,
    "gn.linspace(0.0, 1.0, 5)": T,
    "gn.linspace(0.0, 1.0, 5, retstep=True)": f"tuple[{T}, Any]",
    "gn.random_normal(1, (2, 3))": T,
    "gn.tensor([1.0], dtype='float32')": T,
    "gn.input((2, 3))": T,
    "gn.exp.op": "graphnet.{}.Op",
    # operators and methods
    "x + 1": T,
    "array + x": T,
    "2 * x": T,
    "x @ array": T,
    "array @ x": T,
    "-x": T,
    "x > 0": T,
    "x[0, ..., None]": T,
    "w * x": T,
    "x.sum(axis=0)": T,
    "x.reshape(2, -1)": T,
    "x.astype('float32')": T,
    "x.T": T,
    "x.numpy()": "numpy.ndarray[tuple[Any, ...], numpy.dtype[Any]]",
    "x.shape": "tuple[int, ...]",
    "x.item()": "float | int",
    "x.grad": f"{T} | None",
    "float(x)": "float",
    "[row for row in x]": f"list[{T}]",
    # derivatives and other functions of functions
    "gn.grad(f)": f"def (a: {T}, scale: float =) -> Any",
    "gn.grad(pair, has_aux=True)(x)": "tuple[Any, str]",
    "gn.value_and_grad(f)(x, scale=2.0)": f"tuple[{T}, Any]",
    "gn.hessian(f)": f"def (a: {T}, scale: float =) -> Any",
    "gn.vmap(f)": f"def (a: {T}, scale: float =) -> {T}",
    "gn.vmap(f, in_axes=(0, None))(x, 2.0)": T,
    "gn.vjp(f, x)": f"tuple[{T}, def (Any) -> tuple[Any, ...]]",
    "gn.jvp(f, (x,), (x,))": f"tuple[{T}, {T}]",
    "gn.gradients(f(w), w)": T,
    "gn.checkpoint(f)": f"def (a: {T}, scale: float =) -> {T}",
    "gn.custom_gradient(rule)": f"def (a: {T}) -> {T}",
    "gn.compile(f)(x)": T,
    "gn.compile(limit=3)(f)(x, 2.0)": T,
    "compiled(x, scale=2.0)": T,
    "quiet(x)": T,
    "gn.trace(f, x)": "graphnet.graph.Graph",
    "gn.trace(x)": T,
    "own(2.0)": T,
    "own_op([1.0], times=2)": T,
    "own_composite(x, power=3)": T,
}
REFUSED = {
    "gn.exp('a')": "arg-type",
    "gn.exp(None)": "arg-type",
    "gn.exp()": "call-arg",
    "gn.add(x)": "call-arg",
    "gn.sum(x, axes=0)": "call-arg",
    "gn.softmax(x, axis='last')": "arg-type",
    "x.sum(0, False, 1)": "call-arg",
    "x.sums()": "attr-defined",
    "gn.grad(f)('a')": "arg-type",
    "gn.grad(f)(x, factor=1.0)": "call-arg",
    "gn.checkpoint(f)(x, 'a')": "arg-type",
    "compiled(x, factor=2.0)": "call-arg",
    "own_op([1.0], time=2)": "call-arg",
    "own_composite(x, 'a')": "arg-type",
    "gn.compile(f)()": "call-arg",
}


def test_revealed_types(tmp_path):
    pytest.importorskip("mypy", reason="the types are asked of mypy, which the dev extra has")
    first = PRELUDE.count("\n") + 1
    lines = [*(f"reveal_type({e})" for e in REVEALED), *REFUSED]
    program = tmp_path / "revealed.py"
    program.write_text(PRELUDE + "\n".join(lines) + "\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    said: dict[int, list[str]] = {}
    for number, text in re.findall(r"^\S*revealed\.py:(\d+): (.*)$", done.stdout, re.MULTILINE):
        said.setdefault(int(number), []).append(text)
    wrong = []
    for number, (expression, expected) in enumerate(REVEALED.items(), first):
        texts = said.pop(number, [])
        pattern = re.escape(expected).replace(r"\{\}", r"\w+").replace("float\\ =", r"float(?: =|= ?\.\.\.)?")
        if len(texts) != 1 or not re.search(f'Revealed type is "{pattern}"', texts[0]):
            wrong.append(f"{expression}: {texts or done.stdout[-500:]}, not {expected}")
    for number, (expression, code) in enumerate(REFUSED.items(), first + len(REVEALED)):
        texts = said.pop(number, [])
        if not any(text.startswith("error:") and text.endswith(f"[{code}]") for text in texts):
            wrong.append(f"{expression}: {texts}, not an error [{code}]")
    assert not wrong, "\n".join(wrong)
    assert not said, said


def declared():
    """The methods of Tensor that are declared for type checkers: names and arguments."""
    tree = ast.parse((ROOT / "graphnet" / "declared.py").read_text("utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    operators = next(n for n in block.body if isinstance(n, ast.ClassDef) and n.name == "Operators")
    return {n.name: n for n in operators.body if isinstance(n, ast.FunctionDef)}


#: set on Tensor but not declared: for Python and NumPy alone, or there to raise
UNDECLARED = {
    "__array__",  # NumPy's stubs would make an array of `array + t`
    "__array_function__",
    "__copy__",
    "__deepcopy__",
    "__dlpack__",
    "__dlpack_device__",
    "__hash__",
    "__reduce_ex__",
    "__setitem__",
    "_repr_html_",
}


def test_declared_methods_are_those_that_are_added():
    """`graphnet.methods` adds methods at run time; what a type checker reads is kept in step with that."""
    source = Path(inspect.getfile(gn.methods)).read_text("utf-8")
    assert "setattr(Tensor" in source
    tree = ast.parse(Path(inspect.getfile(Tensor)).read_text("utf-8"))
    tensor = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Tensor")
    own = {n.name for n in tensor.body if isinstance(n, ast.FunctionDef)} | {"__getattr__"}
    added = {
        name
        for name, value in vars(Tensor).items()
        if name not in own and (inspect.isfunction(value) or isinstance(value, property))
    }
    assert set(declared()) == added - UNDECLARED
    assert added >= UNDECLARED - {"__hash__"}
    assert issubclass(Parameter, Tensor)


@pytest.mark.parametrize("name", sorted(declared()))
def test_a_declared_method_has_the_arguments_of_the_method(name):
    node, method = declared()[name], vars(Tensor)[name]
    if isinstance(method, property):
        assert any(ast.unparse(d) == "property" for d in node.decorator_list)
        return
    given = node.args
    names = [a.arg for a in given.args[1:]]
    defaults = [ast.literal_eval(d) for d in given.defaults]
    parameters = list(inspect.signature(method).parameters.values())[1:]
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY)]
    assert [p.default for p in plain if p.default is not p.empty] == defaults
    assert (given.vararg is None) == (not any(p.kind is p.VAR_POSITIONAL for p in parameters))
    assert (given.kwarg is None) == (not any(p.kind is p.VAR_KEYWORD for p in parameters))
    if name.startswith("__") and len(names) == 1:
        assert len(plain) == 1  # an operator is never called by the name of its argument
    else:
        assert [p.name for p in plain] == names


#: modules that mypy does not check strictly; none is added here
LENIENT: set[str] = set()


def test_what_is_not_strict_yet_only_gets_less():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    mypy = text[text.index("[tool.mypy]") :]
    assert "strict = true" in mypy.split("[[tool.mypy")[0]
    for block in mypy.split("[[tool.mypy.overrides]]")[1:]:
        modules = set(re.findall(r'"(graphnet[\w.*]*)"', re.search(r"^module = (.*)$", block, re.MULTILINE)[1]))
        for option in re.findall(r"^(\w+) = ", block, re.MULTILINE):
            if option == "disable_error_code":
                assert modules <= LENIENT | {"graphnet.ops.*"}, modules
            elif option != "module":
                assert modules <= LENIENT, (option, modules - LENIENT)
    for name in LENIENT & set(re.findall(r"graphnet\.plans\.\w+", mypy)):
        assert (ROOT / f"{name.replace('.', '/')}.py").exists(), f"{name} is gone: take it from the list"
