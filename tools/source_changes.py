"""The small changes to a source that `tools/mutants.py` tries: those of cosmic-ray that make another program of it."""

from __future__ import annotations

import ast
import random
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.plugins import get_operator, operator_names


class _Bare(ast.NodeTransformer):
    """What is left of a module without what never runs: annotations, and functions that are for type checkers."""

    def visit_AnnAssign(self, node):
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        stub = len(node.body) == 1 and ast.unparse(node.body[0]) == "..."
        return None if stub else self.generic_visit(node)


class _Outside(ast.NodeTransformer):
    """A module without the bodies of its functions."""

    def visit_FunctionDef(self, node):
        node.body = []
        return node


def changes(source):
    """Each change as a dict: operator, line, column, which of those there, the line after, and the whole source."""
    tree = get_ast(source)
    nodes = list(ast_nodes(tree))
    for name in operator_names():
        if get_operator(name).arguments():
            continue
        operator = get_operator(name)()
        for node in nodes:
            for index, (start, _) in enumerate(list(operator.mutation_positions(node))):
                kept = [(n, "children" if hasattr(n, "children") else "value") for n in ast_nodes(node)]
                kept = [(n, field, getattr(n, field)) for n, field in kept]
                around = node.parent.children
                for n, field, held in kept:
                    if field == "children":
                        n.children = list(held)
                new = operator.mutate(node, index)
                place = next(i for i, n in enumerate(around) if n is node)
                node.parent.children = around[:place] + ([] if new is None else [new]) + around[place + 1 :]
                text = tree.get_code()
                node.parent.children = around
                for n, field, held in kept:
                    setattr(n, field, held)
                lines = text.splitlines()
                yield {
                    "operator": name.removeprefix("core/"),
                    "line": start[0],
                    "column": start[1],
                    "index": index,
                    "after": lines[start[0] - 1].strip() if new is not None else "(removed)",
                    "source": text,
                }


def key_of(change):
    return (Path(change["path"]).name, *(change[name] for name in ("operator", "after", "column", "index")))


def valid(path, seed, only):
    """The changes of a file that are another program, in random order; `only` those, if it is given.

    Each has `inside`, whether only bodies of functions differ, and `lines`, those of the statement.
    """
    source = Path(path).read_text()
    before = ast.parse(source)
    bare = _Bare().visit(ast.parse(source))
    plain = ast.dump(bare)
    outside = ast.dump(_Outside().visit(bare))
    statements = [n for n in ast.walk(before) if isinstance(n, ast.stmt)]
    listed = list(changes(source))
    random.Random(seed).shuffle(listed)
    for change in listed:
        change["path"] = path
        if only is not None and key_of(change) not in only:
            continue
        try:
            tree = ast.parse(change["source"])
            compile(tree, "", "exec")
        except (SyntaxError, ValueError):
            continue
        if ast.dump(_Bare().visit(tree)) == plain:
            continue
        change["inside"] = ast.dump(_Outside().visit(tree)) == outside
        line = change["line"]
        spans = [(n.lineno, n.body[0].lineno - 1 if hasattr(n, "body") else n.end_lineno) for n in statements]
        first, last = min((s for s in spans if s[0] <= line <= max(s)), key=lambda s: s[1] - s[0], default=(line, line))
        change["lines"] = list(range(first, max(first, last) + 1))
        yield change
