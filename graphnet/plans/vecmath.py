"""Which scalar function computes an op, and where its text is: the table of contents of scalar32, 64 and both.

A NumPy expression calls a maths library made of vector instructions; a compiled loop would call the C library once per
element, unless the function is arithmetic that the compiler sees. The three files are that arithmetic, and
`graphnet.plans.scalar_ir` turns it into LLVM's language, the functions asked for and what they use.

Every function agrees with NumPy on NaN, infinities, signed zeros and denormals, as arguments and results, and is
within 4 units in the last place elsewhere (tests/test_vecmath.py measures them all).
"""

from __future__ import annotations

import ast
from functools import cache
from typing import Any

import numpy as np

from graphnet.plans import scalar32, scalar64, scalar_both
from graphnet.plans.ir_values import Unsupported

# NumPy's (or graphnet's) name of an op -> the name of its function in scalar32 and scalar64, without the width.
FUNCTIONS = {
    "exp": "exp",
    "expm1": "expm1_",
    "exp2": "exp2_",
    "log": "log",
    "log2": "log2_",
    "log1p": "log1p",
    "tanh": "tanh",
    "tanh_slope": "tanh_slope",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "erf": "erf",
    "erfc": "erfc",
    "gaussian": "gaussian",
    "sin": "sin",
    "cos": "cos",
    "power": "pow",
}
_FILES = {"scalar32": scalar32, "scalar64": scalar64, "scalar_both": scalar_both}
_ALIASES = {"min": "minimum", "max": "maximum", "pow": "power"}


def function(name: str, dtype: str) -> str:
    """The name of the scalar function that computes op `name` in float32 or float64: `function("exp2", "float32")` is
    "exp2_32".

    Raises KeyError for another op or dtype.
    """
    return FUNCTIONS[name] + {"float32": "32", "float64": "64"}[dtype]


def resolve(name: str, dtype: np.dtype) -> str:
    """The name of the function that a call of `name` means for arguments of the dtype. Unsupported if there is none."""
    name = _ALIASES.get(name, name)
    if name in FUNCTIONS:
        if dtype.name not in ("float32", "float64"):
            raise Unsupported(f"{name} of {dtype}")
        return function(name, dtype.name)
    if name not in _blocks():
        raise Unsupported(name)
    return name


@cache
def _blocks() -> dict[str, str]:
    """Name -> the text of that function. Only what is used is parsed: all would take longer than loading a kernel."""
    found: dict[str, str] = {}
    module: Any
    for module in _FILES.values():
        text = module.__spec__.loader.get_source(module.__name__)
        for block in text.split("\n\n\n"):
            if block.startswith("def "):
                found[block[4 : block.index("(")]] = block
    return found


@cache
def definition(name: str) -> ast.FunctionDef:
    """The syntax tree of a scalar function."""
    node = ast.parse(_blocks()[name]).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def constant(name: str) -> float | np.generic:
    """A constant of the files: a NumPy scalar, or a number that takes the type of what it meets."""
    for module in _FILES.values():
        if name in vars(module):
            return vars(module)[name]
    raise Unsupported(name)
