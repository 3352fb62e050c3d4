"""Scalar Python compiled to LLVM's language, as text: expressions of ops, and the functions that they call.

An op's expression, such as `({x} if {x} > 0 else {x} * {slope})`, and the bodies of scalar32, scalar64 and scalar_both
are one small language: names, numbers, operators, comparisons, calls and `x if c else y`, without a statement that
jumps. A number in the text is weak, as in NumPy: it takes the type of what it meets. All of a loop body is therefore
straight arithmetic, which LLVM turns into vector instructions once the functions are inlined.

    library = Library()
    emitter = Emitter(library)
    y = emitter.expression("exp(-{x})", {"x": Value("%x", np.dtype("float32"))}, np.float32)
    emitter.lines, y.text, library.text()

The module has to hold `library.text()` once, and no declaration of its own of an intrinsic that is in it: `declare`
adds one.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, Union

import numpy as np

from graphnet.compile import vecmath
from graphnet.compile.ir_values import (
    BOOL,
    FLOAT64,
    INT64,
    Lines,
    Unsupported,
    Value,
    literal,
    llvm_type,
    memory_type,
)

__all__ = ["DIRECT", "Emitter", "Library", "Unsupported", "Value", "literal", "llvm_type", "memory_type"]

Operand = Union[Value, bool, int, float]

# Ops of one argument -> the scalar function that computes them, to be called instead of what their expression says.
DIRECT = {
    name: name
    for name in (
        *("exp", "expm1", "exp2", "log", "log2", "log1p", "tanh", "sigmoid", "softplus", "log_sigmoid", "erf", "erfc"),
    )
}

# LLVM's own functions, of one float, under our name.
_INTRINSICS = {"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint", "abs": "fabs"}
_ALIASES = {"min": "minimum", "max": "maximum", "absolute": "abs", "power": "pow"}
_NUMBERS = {"float32", "float64", "int32", "int64"}

_BINARY = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.BitXor: ("^", operator.xor),
    ast.LShift: ("<<", operator.lshift),
    ast.RShift: (">>", operator.rshift),
}
_COMPARE = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}


class _Function(NamedTuple):
    """A function in LLVM's language, with all it calls in `library`."""

    name: str
    dtype: np.dtype
    text: str
    library: Library


class Library:
    """The scalar functions that a module needs, each defined once, and the intrinsics declared."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._declarations: set[str] = set()

    def call(self, name: str, dtype: Any) -> str:
        """The LLVM name, such as "@scalar.exp32.float", of a function whose arguments are all of the dtype."""
        dtype = np.dtype(dtype)
        name = _resolve(_ALIASES.get(name, name), dtype)
        return self.require(name, (dtype,) * len(vecmath.definition(name).args.args)).name

    def require(self, name: str, dtypes: tuple[np.dtype, ...]) -> _Function:
        """The function that scalar32, scalar64 or scalar_both call `name`, for arguments of these dtypes."""
        function = _translate(name, dtypes)
        if function.name not in self._texts:
            self._texts[function.name] = function.text
            self._texts.update(function.library._texts)
            self._declarations |= function.library._declarations
        return function

    def declare(self, name: str, dtype: Any, *args: str) -> str:
        """Declares an intrinsic of a result and arguments, `declare("llvm.sqrt.f32", np.float32, "float")`."""
        self._declarations.add(f"declare {llvm_type(dtype)} @{name}({', '.join(args)})")
        return "@" + name

    def text(self) -> str:
        """Definitions and declarations for the head of a module, in an order that only depends on what they are."""
        return "\n".join([*sorted(self._declarations), *(self._texts[name] for name in sorted(self._texts))]) + "\n"


class Emitter(Lines):
    """Writes the instructions of one function body, by expression."""

    def __init__(self, library: Library, names: Iterator[int] | None = None):
        super().__init__(names)
        self.library = library

    def expression(self, text: str, args: dict[str, Value], dtype: Any) -> Value:
        """The value of an op's expression, with `args` for its placeholders.

        Numbers in the text that meet no value are of type `dtype`, and so is the result, but a comparison gives a bool.
        """
        names: dict[str, Operand] = {"arg_" + name: value for name, value in args.items()}
        walk = _Walk(self, names, np.dtype(dtype))
        value = walk.value(walk(_parsed(text)))
        return value if value.dtype == BOOL else self.cast(value, dtype)


@cache
def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(re.sub(r"\{(\w+)\}", r"arg_\1", text), mode="eval").body
    except SyntaxError:
        raise Unsupported(text) from None


def _resolve(name: str, dtype: np.dtype) -> str:
    """The scalar function that computes op `name` in the dtype."""
    if name in vecmath.FUNCTIONS or name == "pow":
        if dtype not in (np.float32, np.float64) or name in ("sin", "cos"):
            raise Unsupported(f"{name} of {dtype}")
        return vecmath.function("power" if name == "pow" else name, dtype.name)
    if not vecmath.defines(name):
        raise Unsupported(name)
    return name


@cache
def _translate(name: str, dtypes: tuple[np.dtype, ...]) -> _Function:
    """A function of scalar32, scalar64 or scalar_both for arguments of these dtypes."""
    node = vecmath.definition(name)
    kinds = [llvm_type(dtype) for dtype in dtypes]
    names = [arg.arg for arg in node.args.args]
    if len(names) != len(dtypes):
        raise Unsupported(f"{name} of {len(dtypes)} arguments")
    library = Library()
    emitter = Emitter(library)
    walk = _Walk(emitter, {n: Value(f"%{n}", d) for n, d in zip(names, dtypes, strict=True)}, dtypes[0])
    result = walk.run(node.body)
    kind = llvm_type(result.dtype)
    full = f"@scalar.{name}.{'.'.join(kinds)}"
    if any(dtype.kind == "u" for dtype in dtypes):
        full += ".unsigned"
    head = f"define internal {kind} {full}({', '.join(f'{k} %{n}' for k, n in zip(kinds, names, strict=True))})"
    body = "\n".join([*emitter.lines, f"  ret {kind} {result.text}"])
    return _Function(full, result.dtype, f"{head} alwaysinline nounwind {{\n{body}\n}}", library)


class _Walk:
    """Evaluates the syntax tree of an expression or a body: values into instructions, weak numbers at once."""

    def __init__(self, emitter: Emitter, names: dict[str, Operand], dtype: np.dtype):
        self.emitter = emitter
        self.names = names
        self.dtype = dtype

    def run(self, body: list[ast.stmt]) -> Value:
        for statement in body:
            if isinstance(statement, ast.Return) and statement.value is not None:
                return self.value(self(statement.value))
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self.names[statement.targets[0].id] = self(statement.value)
            elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                raise Unsupported(ast.unparse(statement))
        raise Unsupported("a function without a result")

    def __call__(self, node: ast.expr) -> Operand:
        method = _NODES.get(type(node))
        if method is None:
            raise Unsupported(ast.unparse(node))
        return method(self, node)

    def value(self, a: Operand, dtype: np.dtype | None = None) -> Value:
        """A value of an operand: a weak number takes `dtype`, or else that of the expression."""
        if isinstance(a, Value):
            return a
        if isinstance(a, bool):
            return literal(a, BOOL)
        dtype = self.dtype if dtype is None else dtype
        if dtype.kind == "b" or (dtype.kind in "iu" and isinstance(a, float)):
            dtype = FLOAT64 if isinstance(a, float) else INT64
        return literal(a, dtype)

    def pair(self, a: Operand, b: Operand) -> tuple[Value, Value]:
        """Two operands in the dtype that NumPy would compute them in."""
        if isinstance(a, Value) != isinstance(b, Value):
            typed, weak = (a, b) if isinstance(a, Value) else (b, a)
            assert isinstance(typed, Value)
            if not isinstance(weak, bool):
                value = self.value(weak, self.dtype if typed.dtype.kind == "b" else typed.dtype)
                a, b = (typed, value) if typed is a else (value, typed)
        a, b = self.value(a), self.value(b)
        if a.dtype != b.dtype:
            dtype = np.result_type(a.dtype, b.dtype)
            a, b = self.emitter.cast(a, dtype), self.emitter.cast(b, dtype)
        return a, b

    def truth(self, a: Operand) -> Value | bool:
        return self.emitter.cast(a, BOOL) if isinstance(a, Value) else bool(a)

    def constant(self, node: ast.Constant) -> Operand:
        if isinstance(node.value, (bool, int, float)):
            return node.value
        raise Unsupported(repr(node.value))

    def name(self, node: ast.Name) -> Operand:
        if node.id in self.names:
            return self.names[node.id]
        number = vecmath.constant(node.id)
        return literal(number, number.dtype) if isinstance(number, np.generic) else number

    def binary(self, node: ast.BinOp) -> Operand:
        a, b = self(node.left), self(node.right)
        if type(node.op) not in _BINARY:
            raise Unsupported(ast.unparse(node))
        symbol, fold = _BINARY[type(node.op)]
        if not isinstance(a, Value) and not isinstance(b, Value):
            try:
                return fold(a, b)
            except (ArithmeticError, TypeError, ValueError):
                raise Unsupported(ast.unparse(node)) from None
        return self.emitter.arithmetic(symbol, *self.pair(a, b))

    def unary(self, node: ast.UnaryOp) -> Operand:
        a = self(node.operand)
        if isinstance(node.op, ast.Not):
            a = self.truth(a)
            return self.emitter.arithmetic("^", a, literal(True, BOOL)) if isinstance(a, Value) else not a
        if isinstance(node.op, ast.USub):
            return self.emitter.negate(a) if isinstance(a, Value) else -a
        if isinstance(node.op, ast.UAdd):
            return a
        raise Unsupported(ast.unparse(node))

    def compare(self, node: ast.Compare) -> Operand:
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            raise Unsupported(ast.unparse(node))
        a, b = self(node.left), self(node.comparators[0])
        symbol, fold = _COMPARE[type(node.ops[0])]
        if not isinstance(a, Value) and not isinstance(b, Value):
            return bool(fold(a, b))
        return self.emitter.compare(symbol, *self.pair(a, b))

    def boolean(self, node: ast.BoolOp) -> Operand:
        """`and` and `or` of conditions; all are computed."""
        symbol = "&" if isinstance(node.op, ast.And) else "|"
        result: Operand = symbol == "&"
        for part in node.values:
            a, b = self.value(result), self.value(self.truth(self(part)))
            result = b if a == literal(symbol == "&", BOOL) else self.emitter.arithmetic(symbol, a, b)
        return result

    def choice(self, node: ast.IfExp) -> Operand:
        condition = self.truth(self(node.test))
        if not isinstance(condition, Value):
            return self(node.body if condition else node.orelse)
        return self.emitter.choose(condition, *self.pair(self(node.body), self(node.orelse)))

    def call(self, node: ast.Call) -> Operand:
        if node.keywords:
            raise Unsupported(ast.unparse(node))
        target = node.func
        if isinstance(target, ast.Attribute) and target.attr == "view":
            return self.emitter.bits_as(self.value(self(target.value)), _dtype_named(node.args[0]))
        if isinstance(target, ast.Attribute) and target.attr in _NUMBERS:
            dtype = np.dtype(target.attr)
            operand = self(node.args[0])
            return self.emitter.cast(operand, dtype) if isinstance(operand, Value) else literal(operand, dtype)
        name = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
        return self.apply(_ALIASES.get(name, name), [self(arg) for arg in node.args])

    def apply(self, name: str, operands: list[Operand]) -> Value:
        """A call of an intrinsic or of a scalar function."""
        if name.endswith(("32", "64")):
            # The functions for one dtype have arguments of several: a weak number is what it is.
            args = [self.value(a, BOOL) for a in operands]
        elif len(operands) == 2 and name != "zero_safe":
            args = list(self.pair(*operands))
        else:
            args = [self.value(a) for a in operands]
        if name in _INTRINSICS and len(args) == 1:
            return self.intrinsic(name, args[0])
        if name == "quotient" and args[0].dtype.kind in "iu":
            kind = "sdiv" if args[0].dtype.kind == "i" else "udiv"
            return self.emitter.append(f"{kind} {llvm_type(args[0].dtype)} {args[0].text}, {args[1].text}", args[0].dtype)
        if not args:
            raise Unsupported(name)
        function = self.emitter.library.require(_resolve(name, args[0].dtype), tuple(a.dtype for a in args))
        listed = ", ".join(f"{llvm_type(a.dtype)} {a.text}" for a in args)
        return self.emitter.append(f"call {llvm_type(function.dtype)} {function.name}({listed})", function.dtype)

    def intrinsic(self, name: str, a: Value) -> Value:
        kind = llvm_type(a.dtype)
        if a.dtype.kind != "f":
            if name == "sqrt" or (a.dtype.kind == "b" and name != "abs"):
                raise Unsupported(f"{name} of {a.dtype}")
            if name == "abs" and a.dtype.kind == "i":
                return self.emitter.choose(
                    self.emitter.compare("<", a, literal(0, a.dtype)), self.emitter.negate(a), a
                )
            return a
        full = f"llvm.{_INTRINSICS[name]}.f{8 * a.dtype.itemsize}"
        return self.emitter.append(f"call {kind} {self.emitter.library.declare(full, a.dtype, kind)}({kind} {a.text})", a.dtype)


def _dtype_named(node: ast.expr) -> np.dtype:
    if isinstance(node, ast.Attribute) and node.attr in _NUMBERS:
        return np.dtype(node.attr)
    raise Unsupported(ast.unparse(node))


_NODES: dict[type, Any] = {
    ast.Constant: _Walk.constant,
    ast.Name: _Walk.name,
    ast.Attribute: lambda walk, node: _attribute(node),
    ast.BinOp: _Walk.binary,
    ast.UnaryOp: _Walk.unary,
    ast.Compare: _Walk.compare,
    ast.BoolOp: _Walk.boolean,
    ast.IfExp: _Walk.choice,
    ast.Call: _Walk.call,
}


def _attribute(node: ast.Attribute) -> float:
    """np.inf and np.nan."""
    if node.attr in ("inf", "nan"):
        return float(node.attr)
    raise Unsupported(ast.unparse(node))
