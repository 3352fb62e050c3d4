"""The expressions of ops, such as `({x} if {x} > 0 else {x} * {slope})`, over values of the loop language.

Names, numbers, operators, comparisons, calls and `x if c else y`: both sides of a choice, and all conditions, are
computed. A number in the text is weak, as in NumPy: it takes the type of what it meets.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from graphnet.plans.nest.values import BOOL, FLOAT64, INT64, Unsupported, Value, together, where
from graphnet.plans.scalar.functions import FUNCTIONS

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.USub: operator.neg,
    ast.UAdd: lambda a: a,
}


def expression(text: str, args: Mapping[str, Value], dtype: Any) -> Value:
    """The value of an op's expression, with `args`, at least one, for its placeholders.

    Numbers in the text that meet no value are of type `dtype`, and so is the result, but a comparison gives a bool.
    Raises Unsupported for what has no native form.
    """
    names = {"arg_" + name: value for name, value in args.items()}
    value = _Walk(text, names, np.dtype(dtype)).result()
    return value if value.dtype == BOOL else value.cast(dtype)


@cache
def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(re.sub(r"\{(\w+)\}", r"arg_\1", text), mode="eval").body
    except SyntaxError:
        raise Unsupported(text) from None


class _Walk:
    """Evaluates a syntax tree: values into instructions, weak numbers at once."""

    def __init__(self, text: str, names: Mapping[str, Value], dtype: np.dtype):
        self.text, self.names, self.dtype = text, names, dtype
        self.kernel = next(iter(names.values())).kernel

    def result(self) -> Value:
        return self.value(self.of(_parsed(self.text)))

    def of(self, node: ast.expr) -> Any:
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            raise Unsupported(self.text)
        return method(node)

    def value(self, a: Any) -> Value:
        """A value of an operand: a weak number is of the type of the expression."""
        if isinstance(a, Value):
            return a
        dtype = BOOL if isinstance(a, bool) else self.dtype
        if not isinstance(a, bool) and (dtype == BOOL or (dtype.kind != "f" and isinstance(a, float))):
            dtype = FLOAT64 if isinstance(a, float) else INT64
        return self.kernel.const(a, dtype)

    def _pair(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Two operands; a weak number beside a bool is of the type of the expression."""
        for x, y in ((a, b), (b, a)):
            if isinstance(x, Value) and x.dtype == BOOL and not isinstance(y, (Value, bool)):
                a, b = self.value(a), self.value(b)
        return a, b

    def _Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, (bool, int, float)):
            return node.value
        raise Unsupported(self.text)

    def _Name(self, node: ast.Name) -> Value:
        if node.id not in self.names:
            raise Unsupported(f"{node.id} in {self.text}")
        return self.names[node.id]

    def _apply(self, op: ast.AST, *operands: Any) -> Any:
        if type(op) not in _OPERATORS:
            raise Unsupported(self.text)
        try:
            return _OPERATORS[type(op)](*operands)
        except (ArithmeticError, TypeError, ValueError):
            raise Unsupported(self.text) from None

    def _BinOp(self, node: ast.BinOp) -> Any:
        return self._apply(node.op, *self._pair(self.of(node.left), self.of(node.right)))

    def _UnaryOp(self, node: ast.UnaryOp) -> Any:
        a = self.of(node.operand)
        if isinstance(node.op, ast.Not):
            return ~a.cast(BOOL) if isinstance(a, Value) else not a
        return self._apply(node.op, a)

    def _Compare(self, node: ast.Compare) -> Any:
        if len(node.ops) != 1:
            raise Unsupported(self.text)
        return self._apply(node.ops[0], *self._pair(self.of(node.left), self.of(node.comparators[0])))

    def _BoolOp(self, node: ast.BoolOp) -> Value:
        conditions = [self.value(self.of(part)).cast(BOOL) for part in node.values]
        result = conditions[0]
        for c in conditions[1:]:
            result = result & c if isinstance(node.op, ast.And) else result | c
        return result

    def _IfExp(self, node: ast.IfExp) -> Any:
        condition = self.of(node.test)
        if not isinstance(condition, Value):
            return self.of(node.body if condition else node.orelse)
        a, b = self._pair(self.of(node.body), self.of(node.orelse))
        return where(condition, *together(self.value(a), b))

    def _Call(self, node: ast.Call) -> Any:
        if node.keywords or not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            raise Unsupported(self.text)
        operands = [self.of(a) for a in node.args]
        if not any(isinstance(a, Value) for a in operands):
            operands = [self.value(a) for a in operands]
        try:
            return FUNCTIONS[node.func.id](*operands)
        except TypeError:
            raise Unsupported(self.text) from None
