"""Axes of space made longer or shorter, as in Keras: repeated, with zeros around, cut off."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet.nn.layers.core import table
from graphnet.nn.layers.space import Spatial, both_ends, each


class _UpSampling(Spatial):
    """Each place `size` times along each axis of space."""

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        batch, *sizes, channels = x.shape
        times: tuple[int, ...] = self.size  # type: ignore[attr-defined]
        apart = [m for n in sizes for m in (n, 1)]
        wide = [m for n, k in zip(sizes, times, strict=True) for m in (n, k)]
        y = gn.broadcast_to(x.reshape((batch, *apart, channels)), (batch, *wide, channels))
        return y.reshape((batch, *(n * k for n, k in zip(sizes, times, strict=True)), channels))

    def sized(self, axis: int, n: int | None) -> int | None:
        return None if n is None else n * self.size[axis]  # type: ignore[attr-defined]


@table.add()
class UpSampling1D(_UpSampling):
    """Each step `size` times: `(batch, steps, channels)` as `(batch, size * steps, channels)`."""

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = each(size, 1, f"{self.kind}: size")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size[0]}


@table.add()
class UpSampling2D(_UpSampling):
    """Each place `size` times along height and width: `(batch, h, w, channels)` as `(batch, h * a, w * b, channels)`.

    `interpolation` is "nearest", or "bilinear": then values between the centres of two places are weighted means.

    >>> import graphnet as gn
    >>> gn.nn.UpSampling2D()([[[[1.0], [2.0]]]]).numpy()[0, :, :, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]], dtype=float32)
    """

    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.size = each(size, 2, f"{self.kind}: size")
        if interpolation not in ("nearest", "bilinear"):
            raise ValueError(f"{self.kind}: interpolation is 'nearest' or 'bilinear'; received {interpolation!r}")
        self.interpolation = interpolation

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        if self.interpolation == "nearest":
            return super().over_space(x)
        down, across = (gn.astype(between(n, times), x.dtype) for n, times in zip(x.shape[1:3], self.size, strict=True))
        return gn.einsum("ih,jw,bhwc->bijc", down, across, x, optimize=True)


def between(n: int, times: int) -> gn.Tensor:
    """The weights of `n` places in `n * times` places between their centres: `(n * times, n)`."""
    at = gn.clip((gn.arange(n * times) + 0.5) / times - 0.5, 0, n - 1)
    return gn.maximum(1 - gn.abs(at[:, None] - gn.arange(n)), 0.0)


@table.add()
class UpSampling3D(_UpSampling):
    """Each place `size` times along three axes of space."""

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.size = each(size, 3, f"{self.kind}: size")


class _ZeroPadding(Spatial):
    """Zeros before and after each axis of space."""

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.padding = both_ends(padding, self.rank, f"{self.kind}: padding")

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        return gn.pad(x, ((0, 0), *self.padding, (0, 0)))

    def sized(self, axis: int, n: int | None) -> int | None:
        return None if n is None else n + sum(self.padding[axis])


@table.add()
class ZeroPadding1D(_ZeroPadding):
    """`padding` zeros, one number or (before, after), around the steps of `(batch, steps, channels)`."""

    rank = 1

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding[0]}


@table.add()
class ZeroPadding2D(_ZeroPadding):
    """Zeros around height and width: one number, one for each axis, or `((top, bottom), (left, right))`.

    >>> import graphnet as gn
    >>> gn.nn.ZeroPadding2D(((1, 0), (2, 2)))(gn.ones((1, 3, 3, 1))).shape
    (1, 4, 7, 1)
    """

    rank = 2


@table.add()
class ZeroPadding3D(_ZeroPadding):
    """Zeros around three axes of space; see `ZeroPadding2D`."""

    rank = 3


class _Cropping(Spatial):
    """What is left of each axis of space without its ends."""

    def __init__(self, cropping: Any = 1, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.cropping = both_ends(cropping, self.rank, f"{self.kind}: cropping")

    def over_space(self, x: gn.Tensor) -> gn.Tensor:
        sizes = x.shape[1:-1]
        if any(a + b >= n for n, (a, b) in zip(sizes, self.cropping, strict=True)):
            raise self.misfit(f"cuts off {self.cropping}, which leaves nothing of axes of sizes {sizes}")
        left = [slice(a, n - b) for n, (a, b) in zip(sizes, self.cropping, strict=True)]
        at = (slice(None), *left)
        return x[at]

    def sized(self, axis: int, n: int | None) -> int | None:
        if n is not None and sum(self.cropping[axis]) >= n:
            raise ValueError(f"cutting off {self.cropping[axis]} leaves nothing of an axis of size {n}")
        return None if n is None else n - sum(self.cropping[axis])


@table.add()
class Cropping1D(_Cropping):
    """Without `cropping` steps, one number or (before, after), at the ends of `(batch, steps, channels)`."""

    rank = 1

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping[0]}


@table.add()
class Cropping2D(_Cropping):
    """Without the ends of height and width: one number, one for each axis, or `((top, bottom), (left, right))`.

    Raises `ValueError` where nothing would be left.

    >>> import graphnet as gn
    >>> gn.nn.Cropping2D(((1, 0), (1, 1)))(gn.ones((1, 3, 4, 1))).shape
    (1, 2, 2, 1)
    """

    rank = 2

    def __init__(self, cropping: Any = 0, data_format: str | None = None, **kwargs: Any):
        super().__init__(cropping, data_format, **kwargs)


@table.add()
class Cropping3D(_Cropping):
    """Without the ends of three axes of space; see `Cropping2D`."""

    rank = 3
