"""The text that things were written in: the gradient rules of an op, the line that made a node."""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import textwrap
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any

from graphnet.record import Op


@lru_cache(maxsize=64)
def _lambdas(path: str) -> dict[int, list[tuple[ast.Lambda, str]]]:
    """The lambdas of a file by the line that they begin on, with their text."""
    text = "".join(linecache.getlines(path))
    found: dict[int, list[tuple[ast.Lambda, str]]] = {}
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return found
    lines = text.splitlines(keepends=True)
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            # `ast.get_source_segment` would split the whole file anew for each; columns count bytes.
            first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
            part = [line.encode("utf-8") for line in lines[first : last + 1]]
            part[-1] = part[-1][: node.end_col_offset]
            part[0] = part[0][node.col_offset :]
            found.setdefault(node.lineno, []).append((node, b"".join(part).decode("utf-8")))
    return found


def _alike(a: CodeType, b: CodeType) -> bool:
    return (a.co_code, a.co_names, a.co_varnames) == (b.co_code, b.co_names, b.co_varnames) and [
        c for c in a.co_consts if not isinstance(c, CodeType)
    ] == [c for c in b.co_consts if not isinstance(c, CodeType)]


def function_text(function: Callable[..., Any]) -> str | None:
    """The source of a function as it was written; of a lambda its own part of the line. None if it is not known.

    >>> from graphnet.record import OPS
    >>> function_text(OPS["exp"].vjp[0])
    'lambda g, y, x: times(g, y)'
    """
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    if function.__name__ == "<lambda>":
        here = _lambdas(code.co_filename).get(code.co_firstlineno, [])
        if len(here) > 1:
            same = [
                (node, text)
                for node, text in here
                if any(
                    isinstance(c, CodeType) and _alike(c, code)
                    for c in compile(ast.Expression(node), "", "eval").co_consts
                )
            ]
            here = same or here
        if here:
            return textwrap.dedent(here[0][1])
    try:
        return textwrap.dedent(inspect.getsource(function)).rstrip()
    except (OSError, TypeError):
        return None


def _inner(rule: Callable[..., Any]) -> Callable[..., Any]:
    """The rule that was written, where a decorator put another around it, or an object holds it."""
    rule = getattr(rule, "rule", rule)
    names = getattr(getattr(rule, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(rule, "__closure__", None) or (), strict=False):
        if name == "vjp" and callable(cell.cell_contents):
            return cell.cell_contents
    return rule


def gradient_rules(op: Op) -> list[tuple[str, str]]:
    """(input, source of the rule for its gradient) of an op; a rule for all inputs stands under `inputs`.

    `g` is the gradient of the output `y`. An input without a derivative says so.

    >>> from graphnet.record import OPS
    >>> gradient_rules(OPS["multiply"])
    [('a', 'lambda g, y, a, b: times(g, b)'), ('b', 'lambda g, y, a, b: times(g, a)')]
    """
    if callable(op.vjp):
        return [("inputs", function_text(_inner(op.vjp)) or "source not available")]
    rules = []
    for place, rule in enumerate(op.vjp):
        name = op.params[place] if place < len(op.params) else str(place)
        text = "no derivative" if rule is None else function_text(_inner(rule)) or "source not available"
        rules.append((name, text))
    return rules


def shown_path(path: str) -> str:
    """A file as it is shown: seen from the working folder if it is in there, else its name alone."""
    try:
        seen = os.path.relpath(path)
    except ValueError:  # another drive
        seen = ".."
    return (os.path.basename(path) if seen.startswith("..") else seen).replace(os.sep, "/").replace("\\", "/")


def line_text(path: str, line: int) -> str:
    """The line of a file, or "" if it cannot be read."""
    return linecache.getline(path, line).strip()
