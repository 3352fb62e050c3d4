"""Layers that change images: cuts and sizes, and in training flips, contrast and brightness that are drawn for each.

What is drawn is fixed by the layer's seed and the count of training steps. `get_random_transformation` gives it, and
`transform_images` applies one that is given, as in Keras.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn.layer import Layer
from graphnet.nn.layers.core import Noisy, table, whole
from graphnet.nn.lookup import unknown

#: pixels along a side of an image
LONGEST_SIDE = 1 << 20


def data_format_of(given: str | None, kind: str) -> str:
    """Where channels are, "channels_last" unless given."""
    if given not in (None, "channels_last", "channels_first"):
        raise ValueError(f"{kind}: data_format is 'channels_last' or 'channels_first'; received {given!r}")
    return given or "channels_last"


def limits(factor: Any, what: str, low: float, high: float) -> tuple[float, float]:
    """A pair of numbers in order, or one number f as the pair (-f, f), within `low` and `high`; `what` names it."""
    pair = factor if isinstance(factor, (tuple, list)) else (-abs(factor), abs(factor)) if _number(factor) else ()
    if len(pair) != 2 or not all(_number(f) and low <= f <= high for f in pair):
        raise ValueError(f"{what} is a number, or a pair of them, from {low:g} to {high:g}; received {factor!r}")
    return float(min(pair)), float(max(pair))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and value == value


class Images(Layer):
    """Base class of layers of images, `(batch, height, width, channels)`, or one of `(height, width, channels)`.

    Subclasses say in `changed` what becomes of a batch with channels last.
    """

    data_format: str = "channels_last"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) not in (3, 4):
            raise self.misfit(
                f"takes images, (batch, height, width, channels) or one alone; it got {tuple(input_shape)}"
            )

    def on_batch(self, images: Any, change: Any) -> gn.Tensor:
        """`change` of the images as a batch with channels last, the result in their form."""
        x = self.as_input(images)
        if x.ndim not in (3, 4):
            raise self.misfit(f"takes images, (batch, height, width, channels) or one alone; it got {x.shape}")
        alone, first = x.ndim == 3, self.data_format == "channels_first"
        x = gn.expand_dims(x, 0) if alone else x
        y = change(gn.moveaxis(x, 1, -1) if first else x)
        y = gn.moveaxis(y, -1, 1) if first else y
        return y[0] if alone else y


class RandomImages(Images, Noisy):
    """Base class of layers that change each image of a batch by chance in training, and leave it alone otherwise."""

    def __init__(self, seed: int | None = None, data_format: str | None = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        self.data_format = data_format_of(data_format, self.kind)
        self.supports_masking = False

    def sizes(self, shape: Any) -> tuple[int, int, int]:
        """How many images there are, their height and width."""
        last = self.data_format == "channels_last"
        height, width = shape[-3:-1] if last else shape[-2:]
        return (1 if len(shape) == 3 else shape[0]), height, width

    def drawn(self, *shape: int) -> gn.Tensor:
        """Numbers from 0 to 1 for this call."""
        return gn.random_uniform(self.step_key(), shape, dtype="float32")

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """What is drawn for a batch; None outside of training."""
        if not training:
            return None
        return self.draw(*self.sizes(data.shape))

    def draw(self, count: int, height: int, width: int) -> Any:
        """What is drawn for this many images of this size."""
        raise NotImplementedError(f"{type(self).__name__} needs a method draw(count, height, width)")

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> gn.Tensor:
        """The images, changed by a transformation that is given."""
        if not training or transformation is None:
            return self.as_input(images)
        return self.on_batch(images, lambda x: self.changed(x, transformation))

    def changed(self, x: gn.Tensor, transformation: Any) -> gn.Tensor:
        """A batch with channels last, changed."""
        raise NotImplementedError(f"{type(self).__name__} needs a method changed(x, transformation)")

    def call(self, x: gn.Tensor, training: bool = False) -> gn.Tensor:
        return self.transform_images(x, self.get_random_transformation(x, training), training)


def of_each(value: Any, rank: int = 4) -> gn.Tensor:
    """Numbers, one for each image, with axes of one behind them."""
    t = value if isinstance(value, gn.Tensor) else gn.tensor(np.asarray(value))
    return gn.reshape(t, (-1,) + (1,) * (rank - 1))


@table.add()
class RandomFlip(RandomImages):
    """In training each image as it is, or mirrored, with equal chances; `mode` says how.

    It is "horizontal" (left and right), "vertical", or "horizontal_and_vertical", which turns it by 180 degrees.

    >>> import graphnet as gn
    >>> layer = gn.nn.RandomFlip("horizontal")
    >>> layer.transform_images([[[[1.0], [2.0]]]], {"flips": [True]}).numpy().ravel()
    array([2., 1.], dtype=float32)
    """

    MODES = ("horizontal", "vertical", "horizontal_and_vertical")

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed, data_format, **kwargs)
        if mode not in self.MODES:
            raise unknown("mode of RandomFlip", mode, self.MODES)
        self.mode = mode

    def draw(self, count: int, height: int, width: int) -> dict[str, Any]:
        return {"flips": gn.reshape(gn.less_equal(self.drawn(count), 0.5), (count, 1, 1, 1))}

    def changed(self, x: gn.Tensor, transformation: Any) -> gn.Tensor:
        y = x if self.mode == "vertical" else gn.flip(x, axis=2)
        y = y if self.mode == "horizontal" else gn.flip(y, axis=1)
        return gn.where(of_each(transformation["flips"]), y, x)


class InRange(RandomImages):
    """Base class of layers whose result is cut to `value_range`."""

    def __init__(self, factor: tuple[float, float], value_range: Any, seed: int | None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        pair = value_range if isinstance(value_range, (tuple, list)) else ()
        if len(pair) != 2 or not all(map(_number, pair)) or pair[0] == pair[1]:
            raise ValueError(f"{self.kind}: value_range is a pair of numbers, as in (0, 255); received {value_range!r}")
        self.value_range = [min(pair), max(pair)]
        self.factor = factor


@table.add()
class RandomContrast(InRange):
    """In training `(x - mean) * c + mean` for each image, with its mean in each channel, cut to `value_range`.

    c is drawn from `1 - lower` to `1 + upper`; `factor` is the pair of them, or one number for both, from 0 to 1.

    >>> import graphnet as gn
    >>> layer = gn.nn.RandomContrast(0.5)
    >>> layer.transform_images([[[[100.0], [120.0]]]], {"contrast_factor": [2.0]}).numpy().ravel()
    array([ 90., 130.], dtype=float32)
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any):
        pair = factor if isinstance(factor, (tuple, list)) else (factor, factor)
        super().__init__(limits(pair, "RandomContrast: factor", 0, 1), value_range, seed, **kwargs)

    def draw(self, count: int, height: int, width: int) -> dict[str, Any]:
        low, high = self.factor
        return {"contrast_factor": gn.reshape(self.drawn(count) * (low + high) + (1 - low), (count, 1, 1, 1))}

    def changed(self, x: gn.Tensor, transformation: Any) -> gn.Tensor:
        mean = gn.mean(x, axis=(1, 2), keepdims=True)
        y = (x - mean) * of_each(transformation["contrast_factor"]).astype(x.dtype) + mean
        return gn.clip(y, *map(float, self.value_range))


@table.add()
class RandomBrightness(InRange):
    """In training `x + d` for each image, cut to `value_range`; d is a fraction of that range.

    It is drawn from the pair `factor`, or from -factor to factor, within -1 and 1.
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any):
        super().__init__(limits(factor, "RandomBrightness: factor", -1, 1), value_range, seed, **kwargs)

    def draw(self, count: int, height: int, width: int) -> dict[str, Any]:
        span = float(self.value_range[1] - self.value_range[0])
        low, high = self.factor
        shares = self.drawn(count) * (high - low) + low
        return {"rgb_delta": gn.reshape(shares * span, (count, 1, 1, 1))}

    def changed(self, x: gn.Tensor, transformation: Any) -> gn.Tensor:
        return gn.clip(x + of_each(transformation["rgb_delta"]).astype(x.dtype), *map(float, self.value_range))


def resized(x: gn.Tensor, height: int, width: int, interpolation: str = "bilinear") -> gn.Tensor:
    """Images `(batch, height, width, channels)` in another size: between pixels in a line, or the nearest one."""
    for axis, size in ((1, height), (2, width)):
        if x.shape[axis] == size:
            continue
        old = x.shape[axis]
        places = (np.arange(size) + 0.5) * (old / size)
        if interpolation == "nearest":
            x = gn.take(x, np.minimum(np.floor(places).astype(int), old - 1), axis=axis)
            continue
        places = np.clip(places - 0.5, 0, old - 1)
        low = np.floor(places).astype(int)
        share = (places - low).astype(x.dtype).reshape([-1 if a == axis else 1 for a in range(4)])
        upper = gn.take(x, np.minimum(low + 1, old - 1), axis=axis)
        x = gn.take(x, low, axis=axis) * (1 - share) + upper * share
    return x


def middle(x: gn.Tensor, height: int, width: int) -> gn.Tensor:
    """The largest part in the middle of images that has the shape of `height` and `width`."""
    old_height, old_width = x.shape[1:3]
    wanted = int(old_width * height / width), int(old_height * width / height)
    part = max(min(old_height, wanted[0]), 1), max(min(old_width, wanted[1]), 1)
    first = (old_height - part[0]) // 2, (old_width - part[1]) // 2
    return x[:, first[0] : first[0] + part[0], first[1] : first[1] + part[1]]


def side(value: Any, what: str) -> int:
    """A length of an image in pixels. Raises `ValueError` for what is none, or more than LONGEST_SIDE."""
    length = whole(value, what)
    if length > LONGEST_SIDE:
        raise ValueError(f"{what} is {LONGEST_SIDE:,} at the most; received {length:,}")
    return length


@table.add()
class RandomCrop(RandomImages):
    """In training a part of `height` by `width`, at one random place for a batch; else the middle, made that size.

    Images that are not larger than the part are cut to its shape in the middle and made that size.
    """

    def __init__(self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any):
        super().__init__(seed, data_format, **kwargs)
        self.height, self.width = side(height, "RandomCrop: height"), side(width, "RandomCrop: width")

    def draw(self, count: int, height: int, width: int) -> Any:
        if height <= self.height or width <= self.width:
            return None
        free = np.array([height - self.height + 1, width - self.width + 1], "float32")
        starts = gn.floor(self.drawn(2) * free).astype("int64")
        return starts[0], starts[1]

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> gn.Tensor:
        """The part of the images that begins at this row and column; the middle if there are none."""
        return self.on_batch(images, lambda x: self.changed(x, transformation if training else None))

    def changed(self, x: gn.Tensor, transformation: Any) -> gn.Tensor:
        if transformation is None:
            return resized(middle(x, self.height, self.width), self.height, self.width)
        row, column = transformation
        y = gn.take(x, np.arange(self.height) + row, axis=1)
        return gn.take(y, np.arange(self.width) + column, axis=2)


@table.add()
class CenterCrop(Images):
    """The middle of images, `height` by `width`; of smaller ones the middle of that shape, made that size.

    >>> import graphnet as gn
    >>> gn.nn.CenterCrop(2, 2)(gn.ones((1, 5, 4, 3))).shape
    (1, 2, 2, 3)
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format, "CenterCrop")
        self.height, self.width = side(height, "CenterCrop: height"), side(width, "CenterCrop: width")

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return self.on_batch(x, self.cut)

    def cut(self, x: gn.Tensor) -> gn.Tensor:
        """A batch with channels last, cut."""
        more = x.shape[1] - self.height, x.shape[2] - self.width
        if min(more) < 0:
            return resized(middle(x, self.height, self.width), self.height, self.width)
        first = more[0] // 2, more[1] // 2
        return x[:, first[0] : first[0] + self.height, first[1] : first[1] + self.width]


@table.add()
class Resizing(Images):
    """Images made `height` by `width`; `interpolation` is "bilinear" or "nearest".

    With `crop_to_aspect_ratio` what does not fit the shape is cut off first, on both sides.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format, "Resizing")
        self.height, self.width = side(height, "Resizing: height"), side(width, "Resizing: width")
        if interpolation not in ("bilinear", "nearest"):
            raise unknown("interpolation of Resizing", interpolation, ("bilinear", "nearest"))
        self.interpolation, self.crop_to_aspect_ratio = interpolation, bool(crop_to_aspect_ratio)

    def call(self, x: gn.Tensor) -> gn.Tensor:
        return self.on_batch(x, self.sized)

    def sized(self, x: gn.Tensor) -> gn.Tensor:
        """A batch with channels last, in the other size."""
        x = middle(x, self.height, self.width) if self.crop_to_aspect_ratio else x
        return resized(x, self.height, self.width, self.interpolation)
