"""Layers that disturb their input in training and leave it alone otherwise: relatives of Dropout.

Each draws from a key of its own and the count of training steps (`Noisy`), so that a run can be repeated bit for bit,
as it is written or compiled.
"""

from __future__ import annotations

import math
from typing import Any

import graphnet as gn
from graphnet.nn.layers.core import Dropout, Noisy, fraction, noise_sizes, table

#: where selu ends for numbers far below 0, which is what AlphaDropout puts in the place of what it drops
SELU_LOW = -1.6732632423543772848 * 1.0507009873554804934


@table.add()
class GaussianNoise(Noisy):
    """In training `x` plus normal numbers with standard deviation `stddev`; else `x` itself.

    >>> import graphnet as gn
    >>> layer = gn.nn.GaussianNoise(0.5, seed=1)
    >>> y = layer(gn.zeros((100, 100)), training=True)
    >>> abs(float(y.std()) - 0.5) < 0.01
    True
    """

    same_shape = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        if isinstance(stddev, bool) or not isinstance(stddev, (int, float)) or not 0 <= stddev < math.inf:
            raise ValueError(f"GaussianNoise: stddev is a number, 0 or more; received {stddev!r}")
        self.stddev = stddev

    def call(self, x: gn.Tensor, training: bool = False) -> gn.Tensor:
        if not training or self.stddev == 0:
            return x
        return x + gn.random_normal(self.step_key(), x.shape, dtype=x.dtype.name) * float(self.stddev)


@table.add()
class GaussianDropout(Noisy):
    """In training `x` times normal numbers with mean 1 and standard deviation `sqrt(rate / (1 - rate))`; else `x`.

    Mean and variance are those that Dropout of this rate gives (Srivastava et al., "Dropout", JMLR 15, 2014).
    """

    same_shape = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        self.rate = fraction(rate, "GaussianDropout: rate is the share that dropout would drop", below=True)

    def call(self, x: gn.Tensor, training: bool = False) -> gn.Tensor:
        if not training or self.rate == 0:
            return x
        drawn = gn.random_normal(self.step_key(), x.shape, dtype=x.dtype.name)
        return x * (drawn * math.sqrt(self.rate / (1 - self.rate)) + 1.0)


@table.add()
class AlphaDropout(Noisy):
    """In training a share `rate` of the elements becomes selu's lowest value; all are scaled and moved after that.

    Mean 0 and variance 1 stay as they are, as networks of selu need it (Klambauer et al., "Self-normalizing neural
    networks", NeurIPS 2017).
    """

    same_shape = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        self.rate = fraction(rate, "AlphaDropout: rate is the share of elements to replace", below=True)
        self.noise_shape = noise_shape

    def call(self, x: gn.Tensor, training: bool = False) -> gn.Tensor:
        if not training or self.rate == 0:
            return x
        scale = ((1 - self.rate) * (1 + self.rate * SELU_LOW**2)) ** -0.5
        drawn = gn.random_uniform(self.step_key(), noise_sizes(x, self.noise_shape), dtype=x.dtype.name)
        return gn.where(drawn >= self.rate, x, SELU_LOW) * scale - scale * SELU_LOW * self.rate


class SpatialDropout(Dropout):
    """Dropout of whole feature maps: all positions of a channel of a row are kept or dropped together."""

    dims = 1
    data_format: str | None = None

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(rate, seed=seed, **kwargs)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != self.dims + 2:
            raise self.misfit(f"takes inputs with {self.dims + 2} axes, batch and channels included; got {input_shape}")
        ones = (1,) * self.dims
        self.noise_shape = (None, None, *ones) if self.data_format == "channels_first" else (None, *ones, None)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments: the shape of the noise follows from the class."""
        return {k: v for k, v in super().get_config().items() if k != "noise_shape"}


@table.add()
class SpatialDropout1D(SpatialDropout):
    """Dropout of whole channels of `(batch, steps, channels)` (Tompson et al., CVPR 2015)."""


def _format(given: str | None, kind: str) -> str:
    if given not in (None, "channels_last", "channels_first"):
        raise ValueError(f"{kind}: data_format is 'channels_last' or 'channels_first'; received {given!r}")
    return given or "channels_last"


@table.add()
class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels of `(batch, height, width, channels)` (Tompson et al., CVPR 2015)."""

    dims = 2

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any):
        super().__init__(rate, seed, **kwargs)
        self.data_format = _format(data_format, self.kind)


@table.add()
class SpatialDropout3D(SpatialDropout2D):
    """Dropout of whole channels of `(batch, depth, height, width, channels)` (Tompson et al., CVPR 2015)."""

    dims = 3
