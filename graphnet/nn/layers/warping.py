"""Images turned, moved and zoomed by chance in training: each pixel is read from where an affine map says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.layers.core import table
from graphnet.nn.layers.images import RandomImages, limits
from graphnet.nn.lookup import unknown

FILLS = ("reflect", "constant", "wrap", "nearest")
INTERPOLATIONS = ("bilinear", "nearest")


def inside(index: gn.Tensor, size: int, fill_mode: str) -> gn.Tensor:
    """Places of an axis of `size` elements for places outside of it: d c b a | a b c d | d c b a for "reflect"."""
    if fill_mode == "wrap":
        return gn.mod(index, size)
    if fill_mode == "reflect":
        again = gn.mod(index, 2 * size)
        return gn.minimum(again, 2 * size - 1 - again)
    return gn.clip(index, 0, size - 1)


def affine(
    x: gn.Tensor, maps: gn.Tensor, interpolation: str = "bilinear", fill_mode: str = "reflect", fill_value: float = 0.0
) -> gn.Tensor:
    """Images whose pixel (row, column) is that of `x` at `(b0 * column + b1 * row + b2, a0 * column + a1 * row + a2)`.

    x: `(batch, height, width, channels)`; maps: `(batch, 8)` with rows `(a0, a1, a2, b0, b1, b2, 0, 0)`. Between pixels
    values are weighed ("bilinear"), or the nearest one counts.
    """
    count, height, width, channels = x.shape
    row = np.arange(height, dtype=np.float32)[:, None]
    column = np.arange(width, dtype=np.float32)[None, :]
    a0, a1, a2, b0, b1, b2 = (gn.reshape(maps[:, n], (count, 1, 1)) for n in range(6))
    places = (b0 * column + b1 * row + b2, a0 * column + a1 * row + a2)  # (batch, height, width) each
    flat = gn.reshape(x, (count * height * width, channels))
    first = np.arange(count).reshape(count, 1, 1) * (height * width)
    if interpolation == "nearest":
        near = [gn.sign(p) * gn.floor(gn.abs(p) + 0.5) for p in places]
        corners: list[Any] = [(near[0], near[1], None)]
    else:
        low = [gn.floor(p) for p in places]
        share = [p - q for p, q in zip(places, low, strict=True)]
        corners = [
            (low[0] + i, low[1] + j, (share[0] if i else 1.0 - share[0]) * (share[1] if j else 1.0 - share[1]))
            for i in (0, 1)
            for j in (0, 1)
        ]
    total: Any = None
    for r, c, weight in corners:
        rows, columns = r.astype("int64"), c.astype("int64")
        at = inside(rows, height, fill_mode) * width + inside(columns, width, fill_mode) + first
        value = gn.take(flat, at, axis=0)  # (batch, height, width, channels)
        if fill_mode == "constant":
            known = gn.logical_and(
                gn.logical_and(gn.greater_equal(rows, 0), gn.less(rows, height)),
                gn.logical_and(gn.greater_equal(columns, 0), gn.less(columns, width)),
            )
            value = gn.where(gn.expand_dims(known, -1), value, float(fill_value))
        value = value if weight is None else value * gn.expand_dims(weight.astype(x.dtype), -1)
        total = value if total is None else total + value
    return total


class Warped(RandomImages):
    """Base class: subclasses say in `maps` which affine map what is drawn stands for.

    Places outside of an image are filled by `fill_mode`: "reflect" (d c b a | a b c d | d c b a), "wrap"
    (a b c d | a b c d | a b c d), "nearest" (the edge), or "constant" (`fill_value`). `interpolation` is "bilinear" or
    "nearest".
    """

    def __init__(
        self,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed, data_format, **kwargs)
        if fill_mode not in FILLS:
            raise unknown(f"fill_mode of {self.kind}", fill_mode, FILLS)
        if interpolation not in INTERPOLATIONS:
            raise unknown(f"interpolation of {self.kind}", interpolation, INTERPOLATIONS)
        if isinstance(fill_value, bool) or not isinstance(fill_value, (int, float)) or not math.isfinite(fill_value):
            raise ValueError(f"{self.kind}: fill_value is a number; received {fill_value!r}")
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, fill_value

    def maps(self, transformation: Any, height: int, width: int) -> gn.Tensor:
        """The affine maps, `(batch, 8)`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method maps(transformation, height, width)")

    def changed(self, x: gn.Tensor, transformation: Any) -> gn.Tensor:
        maps = self.maps(transformation, *x.shape[1:3])
        return affine(x, maps, self.interpolation, self.fill_mode, self.fill_value)


def joined(*columns: Any) -> gn.Tensor:
    """Columns of maps, each `(batch,)` or a number, as `(batch, 8)`."""
    count = next(c.shape[0] for c in columns if isinstance(c, gn.Tensor))
    full = [gn.broadcast_to(c if isinstance(c, gn.Tensor) else gn.tensor(np.float32(c)), (count,)) for c in columns]
    return gn.stack([*full, *[gn.zeros((count,), "float32")] * (8 - len(full))], axis=-1)


def column_of(value: Any) -> gn.Tensor:
    """Numbers, one for each image, as `(batch,)`."""
    t = value if isinstance(value, gn.Tensor) else gn.tensor(np.asarray(value, "float32"))
    return gn.reshape(t, (-1,))


@table.add()
class RandomRotation(Warped):
    """In training each image turned about its middle, by `factor` of a full turn at most, clockwise for positive ones.

    `factor` is a pair, or a number f for (-f, f), within -1 and 1; see `Warped` for the other arguments.

    Raises `ValueError` for other numbers and words.
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = limits(factor, "RandomRotation: factor", -1, 1)

    def draw(self, count: int, height: int, width: int) -> dict[str, Any]:
        low, high = self.factor
        angle = (self.drawn(count) * (high - low) + low) * 360.0
        return {"angle": angle, "rotation_matrix": self.rotation(angle, height, width)}

    def rotation(self, angle: Any, height: int, width: int) -> gn.Tensor:
        """The maps for angles in degrees."""
        turn = column_of(angle) * (math.pi / 180.0)
        cos, sin = gn.cos(turn), gn.sin(turn)
        x, y = 0.5 * (width - 1), 0.5 * (height - 1)
        return joined(cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos)

    def maps(self, transformation: Any, height: int, width: int) -> gn.Tensor:
        given = transformation.get("rotation_matrix")
        if given is None:
            return self.rotation(transformation["angle"], height, width)
        t = given if isinstance(given, gn.Tensor) else gn.tensor(np.asarray(given, "float32"))
        return gn.reshape(t, (-1, 8))


def height_and_width(height_factor: Any, width_factor: Any, kind: str, low: float) -> tuple[Any, Any]:
    """The limits of both, None for a width that is not given."""
    height = limits(height_factor, f"{kind}: height_factor", low, 1)
    return height, None if width_factor is None else limits(width_factor, f"{kind}: width_factor", low, 1)


@table.add()
class RandomZoom(Warped):
    """In training each image made larger or smaller about its middle, in the same size.

    A factor of 0.2 shows 1.2 times as much (smaller), one of -0.2 0.8 times as much (larger); `height_factor` is a
    pair, or a number f for (-f, f), above -1 and at most 1. Without `width_factor` the shape is kept. See `Warped` for
    the other arguments.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self.factors = height_and_width(height_factor, width_factor, "RandomZoom", math.nextafter(-1, 0))

    def draw(self, count: int, height: int, width: int) -> dict[str, Any]:
        (low, high), across = self.factors
        drawn = self.drawn(2, count)
        zoom = gn.reshape(drawn[0] * (high - low) + (1 + low), (count, 1))
        wide = zoom
        if across is not None:
            wide = gn.reshape(drawn[1] * (across[1] - across[0]) + (1 + across[0]), (count, 1))
        return {"height_zoom": zoom, "width_zoom": wide}

    def maps(self, transformation: Any, height: int, width: int) -> gn.Tensor:
        x, y = column_of(transformation["width_zoom"]), column_of(transformation["height_zoom"])
        return joined(x, 0, (width - 1) / 2 * (1.0 - x), 0, y, (height - 1) / 2 * (1.0 - y))


@table.add()
class RandomTranslation(Warped):
    """In training each image moved, by these fractions of its height (down) and width (to the right) at most.

    A factor is a pair, or a number f for (-f, f), within -1 and 1; see `Warped` for the other arguments.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self.factors = height_and_width(height_factor, width_factor, "RandomTranslation", -1)
        if self.factors[1] is None:
            raise ValueError("RandomTranslation: width_factor is a number, or a pair of them, from -1 to 1")

    def draw(self, count: int, height: int, width: int) -> dict[str, Any]:
        drawn = self.drawn(2, count)
        moves = [
            (drawn[n] * (high - low) + low) * size
            for n, (low, high), size in ((1, self.factors[1], width), (0, self.factors[0], height))
        ]
        return {"translations": gn.stack(moves, axis=-1)}

    def maps(self, transformation: Any, height: int, width: int) -> gn.Tensor:
        given = transformation["translations"]
        t = gn.reshape(given if isinstance(given, gn.Tensor) else gn.tensor(np.asarray(given, "float32")), (-1, 2))
        return joined(gn.ones((t.shape[0],), "float32"), 0, -t[:, 0], 0, 1, -t[:, 1])
