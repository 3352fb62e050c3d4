"""Scalar Python evaluated into instructions: the one walk over syntax trees, of expressions and of function bodies.

A name stands for a value, whose operations become instructions, or for a weak number, which is computed at once and
takes the type of the value that it meets.
"""

from __future__ import annotations

import ast
import operator
from typing import Any, TypeAlias

import numpy as np

from graphnet.plans import vecmath
from graphnet.plans.ir_values import BOOL, FLOAT64, INT64, Unsupported, Value, literal, llvm_type
from graphnet.plans.scalar_tables import tables

Operand: TypeAlias = Value | bool | int | float

# LLVM's own functions, of one float, under our name.
_INTRINSICS = {"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint", "abs": "fabs"}
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


class Walk:
    """Evaluates the syntax tree of an expression or a body: values into instructions, weak numbers at once."""

    def __init__(self, emitter: Any, names: dict[str, Operand], dtype: np.dtype):
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
        left, right = self.value(a), self.value(b)
        if left.dtype != right.dtype:
            dtype = np.result_type(left.dtype, right.dtype)
            left, right = self.emitter.cast(left, dtype), self.emitter.cast(right, dtype)
        return left, right

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
        return self.apply(name, [self(arg) for arg in node.args])

    def entry(self, node: ast.Subscript) -> Value:
        """An entry of a table, by an index of 64 bits that is within it."""
        if not isinstance(node.value, ast.Name) or node.value.id not in tables():
            raise Unsupported(ast.unparse(node))
        index = self.emitter.cast(self.value(self(node.slice), INT64), INT64)
        place = self.emitter.fresh()
        table = self.emitter.library.table(node.value.id)
        self.emitter.lines.append(f"  {place} = getelementptr double, ptr {table}, i64 {index.text}")
        return self.emitter.append(f"load double, ptr {place}", FLOAT64)

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
            return self.emitter.append(
                f"{kind} {llvm_type(args[0].dtype)} {args[0].text}, {args[1].text}", args[0].dtype
            )
        if not args:
            raise Unsupported(name)
        function = self.emitter.library.require(vecmath.resolve(name, args[0].dtype), tuple(a.dtype for a in args))
        listed = ", ".join(f"{llvm_type(a.dtype)} {a.text}" for a in args)
        return self.emitter.append(f"call {llvm_type(function.dtype)} {function.name}({listed})", function.dtype)

    def intrinsic(self, name: str, a: Value) -> Value:
        kind = llvm_type(a.dtype)
        if a.dtype.kind != "f":
            if name == "sqrt" or (a.dtype.kind == "b" and name != "abs"):
                raise Unsupported(f"{name} of {a.dtype}")
            if name == "abs" and a.dtype.kind == "i":
                return self.emitter.choose(self.emitter.compare("<", a, literal(0, a.dtype)), self.emitter.negate(a), a)
            return a
        full = f"llvm.{_INTRINSICS[name]}.f{8 * a.dtype.itemsize}"
        return self.emitter.append(
            f"call {kind} {self.emitter.library.declare(full, a.dtype, kind)}({kind} {a.text})", a.dtype
        )


def _dtype_named(node: ast.expr) -> np.dtype:
    if isinstance(node, ast.Attribute) and node.attr in _NUMBERS:
        return np.dtype(node.attr)
    raise Unsupported(ast.unparse(node))


_NODES: dict[type, Any] = {
    ast.Constant: Walk.constant,
    ast.Name: Walk.name,
    ast.Attribute: lambda walk, node: _attribute(node),
    ast.BinOp: Walk.binary,
    ast.UnaryOp: Walk.unary,
    ast.Compare: Walk.compare,
    ast.BoolOp: Walk.boolean,
    ast.IfExp: Walk.choice,
    ast.Call: Walk.call,
    ast.Subscript: Walk.entry,
}


def _attribute(node: ast.Attribute) -> float:
    """np.inf and np.nan."""
    if node.attr in ("inf", "nan"):
        return float(node.attr)
    raise Unsupported(ast.unparse(node))
