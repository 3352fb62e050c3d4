"""From what `fit`, `evaluate` and `predict` are given to a source of checked batches: from arrays, or from a stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.nn.checking import check_fit, checked_rows, inputs_of, kind_of
from graphnet.nn.data import Batch, Batches, Source
from graphnet.nn.streams import Stream, is_stream
from graphnet.nn.structures import same_rows, split


def fed(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool | str = False,
    rng: np.random.Generator | None = None,
    anew: bool = False,
    what: str = "",
    training: bool = True,
    check_finite: bool = True,
) -> Source:
    """The batches of `x`, `y` and weights, or of the stream `x`. The model is not built for them yet: see `fit_to`."""
    if is_stream(x):
        for name, value in ((f"{what}y", y), (f"{what}sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(
                    f"{what}x gives batches (it is a {type(x).__name__}), so {name} is part of them: let it give "
                    f"(x, y) or (x, y, weights), and leave {name} out."
                )

        def check(xb: Any, yb: Any, wb: Any, name: str) -> Batch:
            rows = checked_rows(model, xb, yb, wb, class_weight, what=f"{name}: ")
            check_fit(model, *rows, training=training, finite=check_finite, what=f"{name}: ")
            return rows

        return Stream(x, check, steps, anew, rng if shuffle else None, f"{what}x")
    alone = y is None and not model.takes_several and isinstance(x, tuple) and len(x) in (2, 3)
    if alone and all(hasattr(one, "shape") for one in x):
        names = ", ".join(["x", "y", "sample_weight=w"][: len(x)])
        raise ValueError(f"{what}x is a tuple of {len(x)} arrays: give them one by one, as in fit({names}).")
    rows = checked_rows(model, x, y, sample_weight, class_weight, what=what, sparse=True)
    return Batches(*rows, batch_size, shuffle, rng, steps, anew)


def split_off(model: Any, x: Any, y: Any, sample_weight: Any, share: float) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Rows without and with their last `share`, as checked arrays. A stream can't be split."""
    if is_stream(x):
        raise ValueError(
            f"validation_split needs arrays; x gives batches (it is a {type(x).__name__}): use validation_data."
        )
    return split(checked_rows(model, x, y, sample_weight, sparse=True), share)


def held_out(validation_data: Any) -> tuple[Any, Any, Any]:
    """`validation_data` as x, y, weights."""
    if is_stream(validation_data):
        return validation_data, None, None
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (1, 2, 3):
        raise ValueError(
            "validation_data is (x, y) or (x, y, weights), or gives such batches; received "
            f"{type(validation_data).__name__}."
        )
    return (*validation_data, None, None)[:3]  # type: ignore[return-value]


def predicted(model: Any, x: Any, batch_size: int | None, steps: int | None) -> Source:
    """The batches of `x` alone, for predictions."""
    if is_stream(x):
        return Stream(x, lambda xb, yb, wb, name: (inputs_of(model, xb, name), None, None), steps, True)
    xs = inputs_of(model, x, sparse=True)
    same_rows(xs)
    return Batches(xs, None, None, batch_size, steps=steps, anew=True)


def kind(source: Source, training: bool) -> tuple[Any, ...] | None:
    """What `check_fit` knows the rows of arrays by; None for a stream."""
    return kind_of(source.x, source.y, training) if isinstance(source, Batches) else None


def fit_to(model: Any, source: Source, what: str = "x", *, training: bool = True, check_finite: bool = True) -> None:
    """Build the model for the source, and check that its data fits. Raises `ValueError` if it has no batch."""
    if isinstance(source, Batches):
        prefix = "" if what == "x" else "validation "
        check_fit(model, source.x, source.y, source.w, training=training, finite=check_finite, what=prefix)
    elif not source.more():
        raise ValueError(f"{what} gave no batch: an iterator or generator can be gone through only once.")
