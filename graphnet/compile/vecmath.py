"""The text of vectorising exp, log, tanh and their kin, for kernels to include.

A NumPy expression calls a maths library made of vector instructions; a loop compiled by Numba calls the C library once
per element, unless the function is arithmetic that the compiler sees. `source` gives that arithmetic as text, the
functions asked for and what they use, because a kernel that is cached on disk must carry all it depends on in its own
file: the file's name is a hash of its content, so a changed constant is another kernel.

    vecmath.source({"tanh32"}) + '''
    @njit(**OPTIONS, cache=True)
    def kernel(x, w, b, out):
        for i in range(x.size):
            out[i] = tanh32(x[i] * w + b)
    '''

The kernel's module has to be in `sys.modules` before its first call, or Numba's cache can't load what it has saved.

Every function agrees with NumPy on NaN, infinities, signed zeros and denormals, as arguments and results, and is
within 4 units in the last place elsewhere (tests/test_vecmath.py measures them all; sin and cos up to ACCURATE_UP_TO).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from importlib import resources

import numpy as np

from graphnet.compile import scalar32, scalar64, scalar_both

# Options of numba.njit for kernels that include this text. Division by zero gives infinity, as in NumPy; with Numba's
# own rule it is an exception, and the check for it keeps a loop from vectorising (tanh(x * w + b): 5.9 ns an element
# instead of 0.36). Contraction (a * b + c in one instruction) only removes a rounding, and takes a third off (0.52 to
# 0.36 ns). LLVM's other flags give nothing more (afn, arcp, nsz) or break NaN, infinities and the exact reductions
# (nnan, ninf, reassoc, and True, which is all of them).
OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}, "nogil": True}

# Options of the scalar functions. LLVM's own idea of what is worth inlining stops at softplus and erf, and a call left
# in the loop keeps it scalar (15 times slower). Without wrappers for outside callers, which nothing calls, compiling
# takes a third less. Numba's inline="always" is no better code and doubles the compile time of a kernel that uses a
# function twice.
INLINED = {**OPTIONS, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

# The largest |x| at which sin and cos are within 4 units in the last place; above, the error grows. A kernel can count
# the arguments beyond (`far += abs(x[i]) > limit`, a fifth more time) and, if there are any, compute all again with
# math.sin (13 ns an element): into another array than x, or x is gone.
ACCURATE_UP_TO = {"sin32": 2.0**29, "cos32": 2.0**29, "sin64": 2.0**27, "cos64": 2.0**27}

# NumPy's (or graphnet's) name of an op -> its name here without the width.
FUNCTIONS = {
    "exp": "exp",
    "expm1": "expm1_",
    "exp2": "exp2_",
    "log": "log",
    "log2": "log2_",
    "log1p": "log1p",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "erf": "erf",
    "erfc": "erfc",
    "sin": "sin",
    "cos": "cos",
    "power": "pow",
}


def function(name: str, dtype: str) -> str:
    """The name of the scalar function that computes op `name` in float32 or float64: `function("exp2", "float32")` is
    "exp2_32".

    Raises KeyError for another op or dtype.
    """
    return FUNCTIONS[name] + {"float32": "32", "float64": "64"}[dtype]


@cache
def _definitions() -> dict[str, tuple[str, frozenset[str]]]:
    """Name -> (text, the other names it uses), in the order of the files."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for file in ("scalar32.py", "scalar64.py"):
        text = resources.files("graphnet.compile").joinpath(file).read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
            elif isinstance(node, ast.FunctionDef):
                name = node.name
            else:
                continue
            segment = ast.get_source_segment(text, node)
            assert segment is not None
            used = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id != name)
            found[name] = (segment, used)
    return found


def source(names: Iterable[str]) -> str:
    """The text of a module's head that defines the scalar functions `names`, each compiled by Numba when it is used.

    The same set of names gives the same text. Raises KeyError for a name that neither scalar32 nor scalar64 defines.
    """
    table = _definitions()
    needed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [used for used in table[name][1] if used in table]
    constants = [table[name][0] for name in table if name in needed and name.isupper()]
    functions = ["@njit(**INLINED)\n" + table[name][0] for name in table if name in needed and not name.isupper()]
    head = ["import numpy as np\nfrom numba import njit", f"OPTIONS = {OPTIONS!r}", f"INLINED = {INLINED!r}"]
    return "\n\n\n".join(["\n".join(head + constants), *functions]) + "\n"


_FILES = ("scalar32", "scalar64", "scalar_both")


@cache
def _blocks() -> dict[str, str]:
    """Name -> the text of that function in the files. Only what is used is parsed: all of it would take longer than
    loading a kernel from the disk."""
    found: dict[str, str] = {}
    for file in _FILES:
        text = resources.files("graphnet.compile").joinpath(file + ".py").read_text(encoding="utf-8")
        for block in text.split("\n\n\n"):
            if block.startswith("def "):
                found[block[4 : block.index("(")]] = block
    return found


def defines(name: str) -> bool:
    """Whether there is a scalar function of that name."""
    return name in _blocks()


@cache
def definition(name: str) -> ast.FunctionDef:
    """The syntax tree of a scalar function."""
    node = ast.parse(_blocks()[name]).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def constant(name: str) -> float | np.generic:
    """A constant of the files: a NumPy scalar, or a number that takes the type of what it meets."""
    for module in (scalar32, scalar64, scalar_both):
        if hasattr(module, name):
            return getattr(module, name)
    raise KeyError(name)
