"""What weights start from. Each initializer is called with a shape and gives an array of that shape.

The variance-scaling family counts the inputs and outputs of one unit: for a kernel of shape `(..., in, out)` they are
`receptive * in` and `receptive * out`, with the product of the leading sizes as the receptive field.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import graphnet as gn
from graphnet.nn import seeds
from graphnet.nn.lookup import Configured, Table

table = Table("initializer")


def get(given: Any) -> Any:
    """The initializer for a word (`"glorot_uniform"`, `"xavier"`), a class, an object, or an array of the values."""
    if isinstance(given, gn.Tensor):
        given = given.numpy()
    return Values(given) if isinstance(given, np.ndarray) else table.get(given)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs of one unit with weights of `shape`.

    >>> fans((300, 100)), fans((3, 3, 16, 32))
    ((300, 100), (144, 288))
    """
    if len(shape) < 2:
        size = int(shape[0]) if shape else 1
        return size, size
    receptive = math.prod(shape[:-2])
    return receptive * shape[-2], receptive * shape[-1]


def truncated(rng: np.random.Generator, mean: float, stddev: float, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers, those beyond two standard deviations drawn again."""
    values = rng.standard_normal(shape)
    beyond = np.abs(values) > 2
    while beyond.any():
        values[beyond] = rng.standard_normal(int(beyond.sum()))
        beyond = np.abs(values) > 2
    return mean + stddev * values


class Initializer(Configured):
    """Base class: `values(shape, rng)` gives the numbers."""

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """The numbers for `shape`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method values(shape, rng)")

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        rng = seeds.generator(getattr(self, "seed", None))
        return np.asarray(self.values(tuple(shape), rng), dtype=dtype or "float32")


@table.add("zero")
class Zeros(Initializer):
    """All 0."""

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.zeros(shape)


@table.add("one")
class Ones(Initializer):
    """All 1."""

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.ones(shape)


@table.add()
class Constant(Initializer):
    """All `value`, a number or an array that broadcasts to the shape."""

    def __init__(self, value: Any = 0.0):
        self.value = value

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.value, dtype=np.float64), shape)


@table.add()
class Values(Initializer):
    """The numbers of an array, for a weight of its shape."""

    def __init__(self, value: Any):
        self.value = np.array(value)

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        if self.value.shape != shape:
            raise ValueError(f"initial values of shape {self.value.shape} are given for a weight of shape {shape}")
        return self.value


@table.add("IdentityInitializer")
class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    Raises `ValueError` for a shape that is no matrix.
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"Identity: the weight is a matrix; received shape {shape}")
        return self.gain * np.eye(*shape)


@table.add("OrthogonalInitializer")
class Orthogonal(Initializer):
    """`gain` times a random matrix with orthonormal columns, or rows if there are fewer of those.

    For a shape of more axes the last is the columns, and all others together are the rows. The matrix is the Q of a
    normal one, with signs that make it uniform among all such matrices (Saxe et al., ICLR 2014).

    Raises `ValueError` for a shape of fewer than two axes.

    >>> import numpy as np, graphnet as gn
    >>> q = gn.nn.initializers.Orthogonal(gain=2.0, seed=0)((5, 3), "float64")
    >>> bool(np.allclose(q.T @ q, 4 * np.eye(3)))
    True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None):
        self.gain, self.seed = gain, seed

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: the weight has two axes or more; received shape {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        return self.gain * (q.T if rows < columns else q).reshape(shape)


@table.add("normal")
class RandomNormal(Initializer):
    """Normal with this mean and standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None):
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(self.mean, self.stddev, shape)


@table.add("uniform")
class RandomUniform(Initializer):
    """Uniform between `minval` and `maxval`."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None):
        if minval > maxval:
            raise ValueError(f"RandomUniform: minval is {minval!r}, and maxval {maxval!r} is below it")
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.minval, self.maxval, shape)


@table.add()
class TruncatedNormal(Initializer):
    """Normal with this mean and standard deviation, cut at two standard deviations: what is left has 0.88 of it."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None):
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return truncated(rng, self.mean, self.stddev, shape)


@table.add()
class VarianceScaling(Initializer):
    """Variance `scale / n`, with n the inputs ("fan_in") or outputs ("fan_out") of a unit or their mean ("fan_avg").

    `distribution` is "uniform" (limit `sqrt(3 scale / n)`), "untruncated_normal", or "truncated_normal", whose standard
    deviation is divided by 0.8796 so that after the cut at two standard deviations the variance is as said.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ):
        if not scale > 0:
            raise ValueError(f"VarianceScaling: scale is more than 0; received {scale!r}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"VarianceScaling: mode is 'fan_in', 'fan_out' or 'fan_avg'; received {mode!r}")
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(
                "VarianceScaling: distribution is 'uniform', 'truncated_normal' or 'untruncated_normal'; "
                f"received {distribution!r}"
            )
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return rng.normal(0.0, math.sqrt(variance), shape)
        return truncated(rng, 0.0, math.sqrt(variance) / 0.87962566103423978, shape)


@table.add("xavier", "xavier_uniform")
class GlorotUniform(VarianceScaling):
    """Uniform within `sqrt(6 / (in + out))` (Glorot and Bengio, AISTATS 2010).

    >>> import graphnet as gn
    >>> bool(abs(gn.nn.initializers.GlorotUniform()((300, 100))).max() <= (6 / 400) ** 0.5)
    True
    """

    def __init__(self, seed: int | None = None):
        super().__init__(1.0, "fan_avg", "uniform", seed)


@table.add("xavier_normal")
class GlorotNormal(VarianceScaling):
    """Truncated normal with variance `2 / (in + out)` (Glorot and Bengio, AISTATS 2010)."""

    def __init__(self, seed: int | None = None):
        super().__init__(1.0, "fan_avg", "truncated_normal", seed)


@table.add()
class HeUniform(VarianceScaling):
    """Uniform within `sqrt(6 / in)` (He et al., ICCV 2015)."""

    def __init__(self, seed: int | None = None):
        super().__init__(2.0, "fan_in", "uniform", seed)


@table.add("he")
class HeNormal(VarianceScaling):
    """Truncated normal with variance `2 / in` (He et al., ICCV 2015)."""

    def __init__(self, seed: int | None = None):
        super().__init__(2.0, "fan_in", "truncated_normal", seed)


@table.add()
class LecunUniform(VarianceScaling):
    """Uniform within `sqrt(3 / in)` (LeCun et al., "Efficient BackProp", 1998)."""

    def __init__(self, seed: int | None = None):
        super().__init__(1.0, "fan_in", "uniform", seed)


@table.add()
class LecunNormal(VarianceScaling):
    """Truncated normal with variance `1 / in` (LeCun et al., "Efficient BackProp", 1998)."""

    def __init__(self, seed: int | None = None):
        super().__init__(1.0, "fan_in", "truncated_normal", seed)


# Their names in scripts for older versions of Keras.
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal


IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal
