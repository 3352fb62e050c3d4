"""What a node of a picture says: its lines, its tooltip, and the data behind it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.apply import described
from graphnet.leaves import Parameter
from graphnet.mode import Region
from graphnet.node import Tensor
from graphnet.viz.scene import Node, one_line
from graphnet.viz.visible import Builder


def count(n: int) -> str:
    """A number with commas."""
    return f"{n:,}"


def plural(n: int, what: str) -> str:
    """`1 op`, `2 ops`."""
    return f"{count(n)} {what}{'' if n == 1 else 's'}"


def short(value: Any, limit: int = 28) -> str:
    """A static argument on one short line."""
    if isinstance(value, (tuple, list)) and len(value) > 12:
        inner = ", ".join(short(v, 12) for v in value[:4])
        return one_line(f"({inner}, … {len(value)} in all)", limit)
    return one_line(repr(value), limit)


def region_label(r: Region) -> str:
    """What is written on the box of a region."""
    return one_line(r.name if r.kind != "gradient" else f"gradient of {r.name}")


def closed_node(r: Region, node_id: str, inside: list[Tensor], box: str | None, label: str = "") -> Node:
    """A closed box as one node."""
    ops = sum(t.op is not None for t in inside)
    numbers = sum(t.size for t in inside if isinstance(t, Parameter))
    lines = [
        label or region_label(r),
        plural(ops, "op") + (f", {plural(numbers, 'parameter')}" if numbers else ""),
    ]
    if not label and r.kind not in (r.name, "gradient", "kernel"):
        lines[0] = f"{one_line(r.name)} ({one_line(r.kind)})"
    kind = {"gradient": "gradient region", "kernel": "kernel"}.get(r.kind, "region")
    data = {"name": r.name, "region": [q.name for q in r.path], "nodes": len(inside), "ops": ops, "parameters": numbers}
    return Node(node_id, kind, lines, r.attrs.get("code") or "\n".join(lines), box, data)


def tensor_node(t: Tensor, node_id: str, builder: Builder, box: str | None) -> Node:
    """A tensor as one node."""
    name = builder.names[t]
    called = builder.called(t)
    inner = t.op is not None and t not in builder.given
    if t in builder.given:
        kind, lines = "input", [called or "input", builder.label(t) or described(t)]
    elif isinstance(t, Parameter):
        kind = "parameter" if t.requires_grad else "state"
        size = f" = {count(t.size)}" if t.size > 1 and t.ndim != 1 else ""
        lines = [called or kind, (builder.label(t) or described(t)) + size]
    elif not inner:
        value = np.asarray(t._value) if not t.is_symbolic else None
        text = short(value.tolist()) if value is not None and value.size <= 4 else described(t)
        kind, lines = "constant", [called or "constant", text]
    else:
        kind = "gradient" if t.gradient_of is not None else "op"
        op = one_line(t.op.name) if t.op is not None else ""
        lines = [f"{called} = {op}" if called else op]
        extra = _attributes(t, builder)
        if extra:
            lines.append(one_line(extra))
    data: dict[str, Any] = {
        "name": name,
        "op": t.op.name if inner and t.op is not None else None,
        "shape": list(t.shape),
        "dtype": str(t.dtype),
        "bytes": math.prod(t.shape) * t.dtype.itemsize,
        "attrs": {k: short(v, 60) for k, v in t.attrs.items()} if inner else {},
        "region": [r.name for r in builder.paths[t]],
        "site": list(t.site) if t.site is not None else None,
        "gradient_of": builder.names.get(t.gradient_of) if t.gradient_of is not None else None,
    }
    return Node(node_id, kind, lines, _tooltip(t, one_line(t.name or name), inner), box, data)


def _attributes(t: Tensor, builder: Builder) -> str:
    """The static arguments of an op, and those of its inputs that are no nodes of the picture."""
    parts = []
    if any(i in builder.inlined for i in t.inputs):
        parts.append(", ".join(_inside(i, builder) if i in builder.inlined else "·" for i in t.inputs))
    for key, value in t.attrs.items():
        if value is not None and value is not False:
            parts.append(f"{key}={short(value)}")
    return ", ".join(parts)


def _inside(t: Tensor, builder: Builder) -> str:
    """An input that is written into the op: a number, or a parameter by its name."""
    if isinstance(t, Parameter):
        return (t.name or builder.names[t]).rsplit("/", 1)[-1]
    value = t._value.item()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _tooltip(t: Tensor, name: str, inner: bool) -> str:
    lines = [f"{name}: {described(t)}"]
    if inner and t.op is not None:
        lines.append(f"op: {t.op.name}" + (f" ({t.op.doc.splitlines()[0]})" if t.op.doc else ""))
        if t.attrs:
            lines.append(", ".join(f"{k}={short(v, 60)}" for k, v in t.attrs.items()))
    if t.region is not None:
        lines.append("in " + "/".join(one_line(r.name) for r in t.region.path))
    if t.gradient_of is not None and t.gradient_of.op is not None:
        lines.append(f"gradient of {t.gradient_of.op.name}")
    if t.site is not None:
        lines.append(f"{t.site[0].replace(chr(92), '/').rsplit('/', 1)[-1]}:{t.site[1]}")
    return "\n".join(one_line(line, 200) for line in lines)
