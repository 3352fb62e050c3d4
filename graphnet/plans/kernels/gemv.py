"""One row times a matrix, as vector instructions: what a network computes for a single sample.

BLAS wakes its threads for this, which takes longer than the work. Here 64 columns at a time stay in registers while the
rows of the matrix pass by; a single column is a sum of products of two vectors.
"""

from __future__ import annotations

import numpy as np

from graphnet.plans.ir_values import llvm_type
from graphnet.plans.kernels.products import Product

#: elements of a matrix that is not worth several threads
LARGEST = 1 << 20
#: rows that are added up in one sum; sums of such parts are added to each other
PART = 256
#: columns at a time, the most first; what is left of the columns takes the smaller ones
WIDTHS = (64, 32, 16, 8, 4, 2, 1)


def fits(p: Product) -> bool:
    """Whether `row_text` computes the product."""
    a, b = p.a, p.b
    return a.rows == 1 and not b.transposed and b.rows * b.columns <= LARGEST


def row_text(p: Product) -> str:
    """A function `(c, a, b)` of pointers that writes the row `a @ b` to c."""
    a, b = p.a, p.b
    kind = llvm_type(p.dtype)
    step = a.lead if a.transposed and a.columns > 1 else 1
    head = "define NAME(ptr noalias %c, ptr noalias %a, ptr noalias %b) noinline nounwind {"
    if b.columns == 1 and step == 1 and b.lead == 1:
        return "\n".join([head, "entry:", *_dot(kind, a.columns), "ret void", "}"])
    lines = [head, "entry:", "br label %s0"]
    start, n = 0, 0
    for width in WIDTHS:
        count = (b.columns - start) // width
        if count:
            lines += _strip(n, kind, width, start, count, a.columns, step, b.lead)
            start, n = start + count * width, n + 1
    return "\n".join([*lines, f"s{n}:", "ret void", "}"])


def _strip(n: int, kind: str, width: int, start: int, count: int, rows: int, step: int, lead: int) -> list[str]:
    """`count` times `width` columns from `start` on: block `s{n}`, which goes on at `s{n + 1}`.

    Rows are added up in parts of `PART`, and the parts to each other: one sum of all would lose digits with every row.
    """
    vector = f"<{width} x {kind}>"
    size = 4 if kind == "float" else 8
    parts, rest = -(-rows // PART), (rows - 1) % PART + 1
    return [
        f"s{n}:",
        f"br label %block{n}",
        f"block{n}:",
        f"%j{n} = phi i64 [0, %s{n}], [%j{n}.next, %end{n}]",
        f"%j{n}.wide = mul nsw i64 %j{n}, {width}",
        f"%column{n} = add nsw i64 %j{n}.wide, {start}",
        f"br label %part{n}",
        f"part{n}:",
        f"%p{n} = phi i64 [0, %block{n}], [%p{n}.next, %added{n}]",
        f"%whole{n} = phi {vector} [zeroinitializer, %block{n}], [%whole{n}.next, %added{n}]",
        f"%p{n}.first = mul nsw i64 %p{n}, {PART}",
        f"%p{n}.next = add nuw nsw i64 %p{n}, 1",
        f"%p{n}.last = icmp eq i64 %p{n}.next, {parts}",
        f"%p{n}.rows = select i1 %p{n}.last, i64 {rest}, i64 {PART}",
        f"br label %row{n}",
        f"row{n}:",
        f"%k{n} = phi i64 [0, %part{n}], [%k{n}.next, %row{n}]",
        f"%total{n} = phi {vector} [zeroinitializer, %part{n}], [%sum{n}, %row{n}]",
        f"%k{n}.all = add nsw i64 %k{n}, %p{n}.first",
        f"%k{n}.at = mul nsw i64 %k{n}.all, {step}",
        f"%pa{n} = getelementptr inbounds {kind}, ptr %a, i64 %k{n}.at",
        f"%x{n} = load {kind}, ptr %pa{n}",
        f"%one{n} = insertelement {vector} poison, {kind} %x{n}, i64 0",
        f"%all{n} = shufflevector {vector} %one{n}, {vector} poison, <{width} x i32> zeroinitializer",
        f"%k{n}.row = mul nsw i64 %k{n}.all, {lead}",
        f"%place{n} = add nsw i64 %k{n}.row, %column{n}",
        f"%pb{n} = getelementptr inbounds {kind}, ptr %b, i64 %place{n}",
        f"%w{n} = load {vector}, ptr %pb{n}, align {size}",
        f"%product{n} = fmul contract {vector} %all{n}, %w{n}",
        f"%sum{n} = fadd contract {vector} %total{n}, %product{n}",
        f"%k{n}.next = add nuw nsw i64 %k{n}, 1",
        f"%k{n}.last = icmp eq i64 %k{n}.next, %p{n}.rows",
        f"br i1 %k{n}.last, label %added{n}, label %row{n}",
        f"added{n}:",
        f"%whole{n}.next = fadd {vector} %whole{n}, %sum{n}",
        f"br i1 %p{n}.last, label %end{n}, label %part{n}",
        f"end{n}:",
        f"%pc{n} = getelementptr inbounds {kind}, ptr %c, i64 %column{n}",
        f"store {vector} %whole{n}.next, ptr %pc{n}, align {size}",
        f"%j{n}.next = add nuw nsw i64 %j{n}, 1",
        f"%j{n}.last = icmp eq i64 %j{n}.next, {count}",
        f"br i1 %j{n}.last, label %s{n + 1}, label %block{n}",
    ]


def _dot(kind: str, length: int) -> list[str]:
    """The sum of products of two vectors: many partial sums, which are added up in float64 after each part."""
    lanes = 64 if kind == "float" else 32
    vector = f"<{lanes} x {kind}>"
    size = 4 if kind == "float" else 8
    steps = length // lanes
    parts, rest = -(-steps // PART), (steps - 1) % PART + 1
    lines, total, before = [], "0.0", "entry"

    def wide(name: str) -> tuple[list[str], str]:
        if kind == "double":
            return [], name
        return [f"{name}.wide = fpext float {name} to double"], f"{name}.wide"

    if steps:
        widened, sum_of_part = wide("%joined")
        lines += [
            "br label %part",
            "part:",
            "%p = phi i64 [0, %entry], [%p.next, %added]",
            "%whole = phi double [0.0, %entry], [%whole.next, %added]",
            f"%p.first = mul nsw i64 %p, {PART}",
            "%p.next = add nuw nsw i64 %p, 1",
            f"%p.last = icmp eq i64 %p.next, {parts}",
            f"%p.steps = select i1 %p.last, i64 {rest}, i64 {PART}",
            "br label %step",
            "step:",
            "%k = phi i64 [0, %part], [%k.next, %step]",
            f"%total = phi {vector} [zeroinitializer, %part], [%sum, %step]",
            "%k.all = add nsw i64 %k, %p.first",
            f"%at = mul nsw i64 %k.all, {lanes}",
            f"%pa = getelementptr inbounds {kind}, ptr %a, i64 %at",
            f"%pb = getelementptr inbounds {kind}, ptr %b, i64 %at",
            f"%x = load {vector}, ptr %pa, align {size}",
            f"%y = load {vector}, ptr %pb, align {size}",
            f"%product = fmul contract {vector} %x, %y",
            f"%sum = fadd contract {vector} %total, %product",
            "%k.next = add nuw nsw i64 %k, 1",
            "%k.last = icmp eq i64 %k.next, %p.steps",
            "br i1 %k.last, label %added, label %step",
            "added:",
            f"%joined = call reassoc {kind} @llvm.vector.reduce.fadd.v{lanes}f{8 * size}({kind} -0.0, {vector} %sum)",
            *widened,
            f"%whole.next = fadd double %whole, {sum_of_part}",
            "br i1 %p.last, label %rest, label %part",
            "rest:",
        ]
        total, before = "%whole.next", "rest"
    if length % lanes:
        first, second = wide("%u"), wide("%v")
        lines += [
            "br label %single",
            "single:",
            f"%i = phi i64 [{steps * lanes}, %{before}], [%i.next, %single]",
            f"%added.up = phi double [{total}, %{before}], [%added.next, %single]",
            f"%pu = getelementptr inbounds {kind}, ptr %a, i64 %i",
            f"%pv = getelementptr inbounds {kind}, ptr %b, i64 %i",
            f"%u = load {kind}, ptr %pu",
            f"%v = load {kind}, ptr %pv",
            *first[0],
            *second[0],
            f"%uv = fmul contract double {first[1]}, {second[1]}",
            "%added.next = fadd contract double %added.up, %uv",
            "%i.next = add nuw nsw i64 %i, 1",
            f"%i.last = icmp eq i64 %i.next, {length}",
            "br i1 %i.last, label %done, label %single",
            "done:",
        ]
        total = "%added.next"
    if kind == "float":
        lines.append(f"%narrow = fptrunc double {total} to float")
        total = "%narrow"
    return [*lines, f"store {kind} {total}, ptr %c"]


def declared(p: Product) -> list[str]:
    """The intrinsics that `row_text` calls."""
    if p.dtype == np.float32:
        return ["declare float @llvm.vector.reduce.fadd.v64f32(float, <64 x float>)"]
    return ["declare double @llvm.vector.reduce.fadd.v32f64(double, <32 x double>)"]
