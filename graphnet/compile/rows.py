"""One row times a matrix, as vector instructions: what a network computes for a single sample.

BLAS wakes its threads for this, which takes longer than the work. Here 64 columns at a time stay in registers while the
rows of the matrix pass by.
"""

from __future__ import annotations

from graphnet.compile.ir_values import llvm_type
from graphnet.compile.products import Product

#: elements of a matrix that is not worth several threads
LARGEST = 1 << 20
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
    lines = [
        "define NAME(ptr noalias %c, ptr noalias %a, ptr noalias %b) noinline nounwind {",
        "entry:",
        "br label %s0",
    ]
    start, n = 0, 0
    for width in WIDTHS:
        count = (b.columns - start) // width
        if count:
            lines += _strip(n, kind, width, start, count, a.columns, step, b.lead)
            start, n = start + count * width, n + 1
    return "\n".join([*lines, f"s{n}:", "ret void", "}"])


def _strip(n: int, kind: str, width: int, start: int, count: int, rows: int, step: int, lead: int) -> list[str]:
    """`count` times `width` columns from `start` on: block `s{n}`, which goes on at `s{n + 1}`."""
    vector = f"<{width} x {kind}>"
    size = 4 if kind == "float" else 8
    return [
        f"s{n}:",
        f"br label %block{n}",
        f"block{n}:",
        f"%j{n} = phi i64 [0, %s{n}], [%j{n}.next, %end{n}]",
        f"%j{n}.wide = mul nsw i64 %j{n}, {width}",
        f"%column{n} = add nsw i64 %j{n}.wide, {start}",
        f"br label %row{n}",
        f"row{n}:",
        f"%k{n} = phi i64 [0, %block{n}], [%k{n}.next, %row{n}]",
        f"%total{n} = phi {vector} [zeroinitializer, %block{n}], [%sum{n}, %row{n}]",
        f"%k{n}.at = mul nsw i64 %k{n}, {step}",
        f"%pa{n} = getelementptr inbounds {kind}, ptr %a, i64 %k{n}.at",
        f"%x{n} = load {kind}, ptr %pa{n}",
        f"%one{n} = insertelement {vector} poison, {kind} %x{n}, i64 0",
        f"%all{n} = shufflevector {vector} %one{n}, {vector} poison, <{width} x i32> zeroinitializer",
        f"%k{n}.row = mul nsw i64 %k{n}, {lead}",
        f"%place{n} = add nsw i64 %k{n}.row, %column{n}",
        f"%pb{n} = getelementptr inbounds {kind}, ptr %b, i64 %place{n}",
        f"%w{n} = load {vector}, ptr %pb{n}, align {size}",
        f"%part{n} = fmul contract {vector} %all{n}, %w{n}",
        f"%sum{n} = fadd contract {vector} %total{n}, %part{n}",
        f"%k{n}.next = add nuw nsw i64 %k{n}, 1",
        f"%k{n}.last = icmp eq i64 %k{n}.next, {rows}",
        f"br i1 %k{n}.last, label %end{n}, label %row{n}",
        f"end{n}:",
        f"%pc{n} = getelementptr inbounds {kind}, ptr %c, i64 %column{n}",
        f"store {vector} %sum{n}, ptr %pc{n}, align {size}",
        f"%j{n}.next = add nuw nsw i64 %j{n}, 1",
        f"%j{n}.last = icmp eq i64 %j{n}.next, {count}",
        f"br i1 %j{n}.last, label %s{n + 1}, label %block{n}",
    ]
