"""`einsum`: sums of products that a string of subscripts spells."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphnet.apply import apply, apply_prepared
from graphnet.declare import op
from graphnet.naming import naming
from graphnet.node import Tensor
from graphnet.typed import ArrayLike

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _explicit(*operands: Any, subscripts: Any, optimize: Any = False) -> Any:
    """The subscripts with an output, and a letter in place of each axis under `...`."""
    text = subscripts.replace(" ", "")
    if not set(text) <= set(_LETTERS + ",.->"):
        raise ValueError(f"subscripts are letters, commas, ... and ->; received {subscripts!r}")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if not set("".join(terms) + right) <= set(_LETTERS + "."):
        raise ValueError(f"subscripts have one -> and no commas behind it; received {subscripts!r}")
    if any("." in t.replace("...", "", 1) for t in (*terms, right)):
        raise ValueError(f"further axes are written ..., once in an operand; received {subscripts!r}")
    if len(terms) != len(operands):
        raise ValueError(f"{subscripts!r} names {len(terms)} operands; received {len(operands)}")
    free = [c for c in reversed(_LETTERS) if c not in text]
    ranks = []
    for place, (term, x) in enumerate(zip(terms, operands, strict=True)):
        named = len(term.replace("...", ""))
        if (named > len(x.shape)) or ("..." not in term and named != len(x.shape)):
            raise ValueError(f"operand {place} has {len(x.shape)} dimensions, its subscripts {term!r} name {named}")
        for c in set(term) - {"."}:
            # From the end, since ... may stand before or between the letters.
            front, _, back = term.partition("...")
            named_sizes = {n for d, n in zip(front, x.shape, strict=False) if d == c}
            named_sizes |= {n for d, n in zip(reversed(back), reversed(x.shape), strict=False) if d == c}
            if len(named_sizes) > 1:
                raise ValueError(f"{c!r} twice in operand {place} is a diagonal; its axes have sizes {named_sizes}")
        ranks.append(len(x.shape) - named)
    most = max((r for r, term in zip(ranks, terms, strict=True) if "..." in term), default=0)
    dots = "".join(free[:most])
    terms = [term.replace("...", dots[most - r :]) for r, term in zip(ranks, terms, strict=True)]
    joined = "".join(terms)
    if arrow:
        if dots and "..." not in right:
            raise ValueError(f"the operands have further axes under ..., the output of {subscripts!r} has no ...")
        right = right.replace("...", dots)
    else:
        once = sorted(c for c in set(joined) - set(dots) if joined.count(c) == 1)
        right = dots + "".join(once)
    if len(set(right)) != len(right) or not set(right) <= set(joined):
        raise ValueError(f"the output {right!r} of {subscripts!r} names an axis twice or one that no operand has")
    return {"subscripts": ",".join(terms) + "->" + right, "optimize": optimize}


def _sizes(subscripts: Any, operands: Any) -> Any:
    sizes: dict[str, int] = {}
    for term, x in zip(subscripts.split("->")[0].split(","), operands, strict=True):
        for c, n in zip(term, x.shape, strict=True):
            if sizes.setdefault(c, n) != n:
                if 1 not in (sizes[c], n):
                    raise ValueError(f"axis {c!r} has size {sizes[c]} in one place and {n} in another ({subscripts})")
                sizes[c] = max(sizes[c], n) if 0 not in (sizes[c], n) else 0
    return sizes


def _einsum_shape(*operands: Any, subscripts: Any, optimize: Any = False) -> Any:
    sizes = _sizes(subscripts, operands)
    return tuple(sizes[c] for c in subscripts.split("->")[1])


def _einsum_slope(place: Any, g: Any, y: Any, *operands: Any, subscripts: Any, optimize: Any) -> Any:
    left, out = subscripts.split("->")
    terms = left.split(",")
    sizes = _sizes(subscripts, operands)
    others = [(t, x) for i, (t, x) in enumerate(zip(terms, operands, strict=True)) if i != place]
    given = [(out, g), *others]
    available = set(out).union(*(t for t, _ in others))
    wanted = ""
    free = [c for c in reversed(_LETTERS) if c not in subscripts]
    for c in terms[place]:
        if c in wanted:
            # A label that stands twice picks a diagonal: its gradient has zeros beside it.
            twin = free.pop()
            given.append((c + twin, np.eye(sizes[c], dtype=g.dtype)))
            wanted += twin
        else:
            if c not in available:
                given.append((c, np.ones(sizes[c], g.dtype)))
            wanted += c
    return apply(
        _einsum.op,
        [x for _, x in given],
        # A path that was given by hand fits the operands it was made for, not these.
        {
            "subscripts": ",".join(t for t, _ in given) + "->" + wanted,
            "optimize": optimize if isinstance(optimize, (bool, str)) else True,
        },
    )


def _einsum_each(batch: Any, *operands: Any, subscripts: Any, optimize: Any) -> Any:
    free = next((c for c in reversed(_LETTERS) if c not in subscripts), None)
    if free is None:
        raise ValueError(f"a batch needs one more letter, and the subscripts have all {len(_LETTERS)}")
    left, out = subscripts.split("->")
    terms = [free + term if b else term for term, b in zip(left.split(","), batch, strict=True)]
    return apply_prepared(_einsum.op, operands, {"subscripts": f"{','.join(terms)}->{free}{out}", "optimize": optimize})


@op(
    _einsum_shape,
    prepare=_explicit,
    onnx="Einsum",
    complex=True,
    vjp=_einsum_slope,
    batch=_einsum_each,
    name="einsum",
)
def _einsum(*operands: Any, subscripts: Any, optimize: Any = False) -> Any:
    """The sum of products that `subscripts` spell."""
    return np.einsum(subscripts, *operands, optimize=optimize)


def _spelled(listed: Any) -> Any:
    """Operands and subscripts of `einsum(a, [0, 1], b, [1, ...], [0])` as letters, and the operands alone."""
    if len(listed) < 2 or not (hasattr(listed[0], "shape") or isinstance(listed[0], (list, tuple))):
        raise TypeError(f"einsum: the first argument is a string of subscripts; received {type(listed[0]).__name__}")

    def letters(places: Any) -> Any:
        try:
            return "".join("..." if i is Ellipsis else _LETTERS[operator.index(i)] for i in places)
        except (TypeError, IndexError):
            raise TypeError(
                f"einsum: subscripts are a list of whole numbers from 0 to 51; received {places!r}"
            ) from None

    pairs = len(listed) // 2
    text = ",".join(letters(places) for places in listed[1 : 2 * pairs : 2])
    if len(listed) % 2:
        text += "->" + letters(listed[-1])
    return text, listed[0 : 2 * pairs : 2]


EINSUM = _einsum.op


@naming
def einsum(subscripts: Any, *operands: ArrayLike, optimize: bool = False) -> Tensor:
    """The sum of products that `subscripts` spell, as in NumPy: `"bij,bjk->bik"` is a batch of matrix products.

    Without `->` the axes that stand once are kept, in alphabetical order. `...` stands for any further axes, which
    broadcast. A letter twice in one operand is its diagonal. `optimize` is passed on to NumPy. NumPy's other form,
    `einsum(a, [0, 1], b, [1, 2], [0, 2])`, works too.

    >>> import graphnet as gn
    >>> gn.einsum("ii->i", gn.tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([1., 4.])
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _spelled((subscripts, *operands))
    return _einsum(*operands, subscripts=subscripts, optimize=optimize)
