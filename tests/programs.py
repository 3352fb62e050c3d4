"""Random programs over tensors, each fixed by a seed and a length: a shorter one is the beginning of a longer one.

In an exact program every number is a small whole one, in whatever dtype, so that any order of adding gives the same
bits, and positions of extremes and comparisons have to agree too. A smooth program keeps its numbers near 1 and its
slopes small, so that rounding stays rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import graphnet as gn

FLOATS = ("float32", "float64")
BIGGEST = 1 << 18
SIZE = 400


class Program:
    """`inputs` with their `arrays`, `parameters`, and a `pool` of tensors that were made of them.

    With the program that it is `like`, and `given` tensors or arrays in the place of that one's inputs, it is the same
    program over these and that one's parameters.
    """

    def __init__(
        self,
        seed: int,
        length: int,
        exact: bool,
        dtype: str | None = None,
        like: Program | None = None,
        given: Sequence[Any] = (),
    ):
        self.rng = np.random.default_rng(seed)
        self.exact, self.dtype = exact, dtype
        self.like, self.given = like, given
        self.inputs: list[gn.Tensor] = []
        self.parameters: list[gn.Parameter] = []
        self.pool: list[gn.Tensor] = []
        self.bound: dict[gn.Tensor, float] = {}
        sizes = [1, 2, 3, 4, 5] + [0] * (self.rng.random() < 0.05)
        shape = tuple(int(n) for n in self.rng.choice(sizes, self.rng.integers(0, 5)))
        while math.prod(shape) > SIZE:
            shape = shape[1:]
        self.leaf(shape, "input")
        for _ in range(length):
            self.step()

    # Leaves.

    def numbers(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if dtype == "bool":
            return self.rng.random(shape) < 0.6
        if self.exact:
            return self.rng.integers(-4, 5, shape).astype(dtype)
        return self.rng.uniform(-1.5, 1.5, shape).astype(dtype)

    def arrays(self) -> list[np.ndarray]:
        return [self.numbers(t.shape, t.dtype.name) for t in self.inputs]

    def leaf(self, shape: tuple[int, ...], kind: str | None = None, dtype: str | None = None) -> gn.Tensor:
        rng = self.rng
        kind = kind or str(rng.choice(["input", "parameter", "constant", "constant", "one number"]))
        dtype = dtype or self.dtype or str(rng.choice(["float32", "float64"] + ["int64", "bool"] * self.exact))
        if kind == "parameter" and dtype not in FLOATS:
            kind = "input"
        if kind == "input":
            number = len(self.inputs)
            if self.like is None:
                t: gn.Tensor = gn.input(shape, dtype, name=f"x{number}")
            else:
                t = self.given[number]
                t = t if isinstance(t, gn.Tensor) else gn.tensor(t)
            self.inputs.append(t)
        elif kind == "parameter":
            t = gn.Parameter(self.numbers(shape, dtype), name=f"p{len(self.parameters)}")
            if self.like is not None:
                t = self.like.parameters[len(self.parameters)]
            self.parameters.append(t)
        elif kind == "constant":
            t = gn.tensor(self.numbers(shape, dtype))
        else:
            t = gn.tensor(np.full(shape, self.numbers((), dtype)))
        return self.add(t, 4.0)

    def add(self, t: gn.Tensor, bound: float) -> gn.Tensor:
        if bound > BIGGEST and t.dtype.kind != "b":
            t, bound = gn.clip(t, -7, 7).astype(t.dtype), 7.0
        self.pool.append(t)
        self.bound[t] = bound
        return t

    def limit(self, *ts: gn.Tensor) -> float:
        return max(self.bound[t] for t in ts)

    # Choices.

    def pick(self, kinds: str = "fib", least: int = 0) -> gn.Tensor:
        """A tensor of the pool, mostly a late one, of a kind of dtype and with so many axes at least."""
        fitting = [t for t in self.pool if t.dtype.kind in kinds and t.ndim >= least]
        if not fitting:
            shape = tuple(int(n) for n in self.rng.integers(1, 4, max(least, 1)))
            return self.leaf(shape, dtype=self.dtype or "float64")
        back = min(int(self.rng.geometric(0.35)), len(fitting))
        return fitting[-back]

    def partner(self, x: gn.Tensor, kinds: str = "fib") -> gn.Tensor:
        """Something that broadcasts with `x`."""
        fitting = [t for t in self.pool if t.dtype.kind in kinds and broadcasts(t.shape, x.shape)]
        if fitting and self.rng.random() < 0.7:
            return fitting[self.rng.integers(len(fitting))]
        shape = [1 if self.rng.random() < 0.3 else n for n in x.shape][self.rng.integers(0, x.ndim + 1) :]
        if self.rng.random() < 0.2 and x.size * 2 <= SIZE:
            shape = [2, *[1] * (x.ndim - len(shape)), *shape]
        return self.leaf(tuple(shape), dtype=self.dtype or ("bool" if kinds == "b" else None))

    def axes(self, x: gn.Tensor) -> Any:
        """Axes to reduce over: all, one, or some."""
        draw = self.rng.random()
        if x.ndim == 0 or draw < 0.2:
            return None
        if draw < 0.6:
            return int(self.rng.integers(-x.ndim, x.ndim))
        return tuple(int(a) for a in range(x.ndim) if self.rng.random() < 0.5)

    # Steps.

    def step(self) -> None:
        shared = [self.binary, self.binary, self.reduce, self.reduce, self.look, self.look, self.matmul, self.choose]
        own = [self.compare, self.unary, self.convert, self.position, self.odd, self.uniform]
        if not self.exact:
            own = [self.smooth, self.smooth, self.smooth, self.normalise]
        made = [*shared, *own]
        with np.errstate(all="ignore"):
            made[self.rng.integers(len(made))]()

    def binary(self) -> None:
        x = self.pick("fi")
        y = self.partner(x, "fi" if self.exact else "f")
        if self.rng.random() < 0.5:
            x, y = y, x
        name = str(self.rng.choice(["add", "subtract", "multiply", "maximum", "minimum", "fmax", "clip"]))
        a, b = self.limit(x), self.limit(y)
        if name == "clip":
            self.add(gn.clip(x, -2, gn.abs(y)), max(a, b))
        elif name == "multiply" and not self.exact:
            self.add(gn.tanh(x) * y, b)
        else:
            self.add(getattr(gn, name)(x, y), a * b if name == "multiply" else a + b)

    def unary(self) -> None:
        x = self.pick("fi")
        a = self.limit(x)
        name = str(self.rng.choice(["negative", "abs", "sign", "square", "relu", "floor", "halves", "positive"]))
        if name == "halves":
            self.add(gn.floor_divide(x, 2), a)
        else:
            self.add(getattr(gn, name)(x), a * a if name == "square" else a)

    def smooth(self) -> None:
        x = self.pick("f")
        name = str(
            self.rng.choice(["tanh", "sin", "cos", "sigmoid", "softplus", "exp", "log", "sqrt", "divide", "relu"])
        )
        calls = {
            "exp": lambda: gn.exp(gn.tanh(x)),
            "log": lambda: gn.log(x * x + 1.0),
            "sqrt": lambda: gn.sqrt(gn.square(x) + 1.0),
            "divide": lambda: x / (1.0 + gn.square(self.partner(x, "f"))),
            "relu": lambda: gn.relu(x - 0.317),
        }
        y = calls[name]() if name in calls else getattr(gn, name)(x)
        self.add(y, self.limit(x) + 3)

    def normalise(self) -> None:
        x = self.pick("f", 1)
        if x.size == 0:
            return
        axis = int(self.rng.integers(x.ndim))
        kind = int(self.rng.integers(5))
        if kind == 0:
            self.add(gn.softmax(x, axis=axis), 1)
        elif kind == 1:
            self.add(gn.log_softmax(x, axis=axis), 2 * self.limit(x) + 3)
        elif kind == 2:
            self.add(gn.logsumexp(x, axis=self.axes(x), keepdims=bool(self.rng.integers(2))), self.limit(x) + 6)
        elif kind == 3:
            self.add(gn.tanh(gn.var(x, axis=self.axes(x), keepdims=bool(self.rng.integers(2)))), 1)
        else:
            middle = gn.mean(x, axis=axis, keepdims=True)
            away = x - middle
            self.add(away / gn.sqrt(gn.mean(away * away, axis=axis, keepdims=True) + 0.5), 20)

    def reduce(self) -> None:
        x = self.pick()
        axis, keep = self.axes(x), bool(self.rng.integers(2))
        a = self.limit(x)
        if x.dtype.kind == "b":
            name = str(self.rng.choice(["any", "all", "sum"]))
            self.add(getattr(gn, name)(x, axis=axis, keepdims=keep), x.size)
            return
        name = str(self.rng.choice(["sum", "sum", "mean", "max", "min", *["prod", "any"] * self.exact]))
        if x.size == 0 and name in ("max", "min", "mean"):
            name = "sum"
        if name == "prod":
            x = gn.clip(x, -1, 1).astype(x.dtype)
        y = getattr(gn, name)(x, axis=axis, keepdims=keep)
        if name == "mean" and self.exact:
            y = gn.floor(y)
        if name == "sum" and not self.exact:
            y = gn.tanh(y * (1.0 / max(1, x.size // max(1, y.size))))
        self.add(y, a * x.size if name == "sum" and self.exact else a)

    def position(self) -> None:
        x = self.pick()
        if x.size == 0:
            return
        axis = None if x.ndim == 0 or self.rng.random() < 0.2 else int(self.rng.integers(-x.ndim, x.ndim))
        name = str(self.rng.choice(["argmax", "argmin"]))
        self.add(getattr(gn, name)(x, axis=axis, keepdims=bool(self.rng.integers(2))), x.size)

    def compare(self) -> None:
        x = self.pick("fi")
        y = self.partner(x, "fi")
        name = str(
            self.rng.choice(["less", "less_equal", "equal", "not_equal", "greater", "logical_and", "logical_xor"])
        )
        self.add(getattr(gn, name)(x, y), 1)

    def choose(self) -> None:
        x = self.pick("fi")
        y = self.partner(x, "fi" if self.exact else "f")
        condition = self.partner(x, "b") if self.exact else gn.tensor(self.rng.random(x.shape) < 0.5)
        if broadcasts(x.shape, y.shape, condition.shape):
            self.add(gn.where(condition, x, y), self.limit(x, y))

    def convert(self) -> None:
        x = self.pick()
        kinds = ["float32", "float64", "int64", "int32", "bool"]
        self.add(x.astype(str(self.rng.choice(kinds))), max(1, self.limit(x)))

    def look(self) -> None:
        """The same numbers in another order or shape."""
        x, rng = self.pick(), self.rng
        a = self.limit(x)
        name = str(rng.choice(["reshape", "transpose", "slice", "index", "newaxis", "broadcast", "ravel", "squeeze"]))
        if name == "reshape":
            self.add(gn.reshape(x, factors(rng, x.size)), a)
        elif name == "transpose":
            self.add(gn.transpose(x, tuple(int(n) for n in rng.permutation(x.ndim))), a)
        elif name == "slice" and x.ndim:
            self.add(x[tuple(some_slice(rng, n) for n in x.shape[: rng.integers(1, x.ndim + 1)])], a)
        elif name == "index" and x.ndim and x.shape[-1]:
            self.add(x[..., int(rng.integers(-x.shape[-1], x.shape[-1]))], a)
        elif name == "newaxis" and x.ndim < 4:
            self.add(gn.expand_dims(x, int(rng.integers(0, x.ndim + 1))), a)
        elif name == "broadcast" and x.ndim < 4:
            shape = tuple(int(rng.integers(1, 4)) if n == 1 else n for n in x.shape)
            shape = (*(int(n) for n in rng.integers(1, 4, rng.integers(0, 2))), *shape)
            if math.prod(shape) <= SIZE:
                self.add(gn.broadcast_to(x, shape), a)
        elif name == "squeeze":
            self.add(gn.squeeze(x), a)
        else:
            self.add(gn.ravel(x), a)

    def matmul(self) -> None:
        rng = self.rng
        x = self.pick("f", 1)
        a = self.limit(x)
        if rng.random() < 0.3 and x.size:
            x = x[..., :: int(rng.choice([-1, 2]))]
        k = x.shape[-1]
        form = int(rng.integers(6))
        dtype = x.dtype.name if rng.random() < 0.8 else None
        m = int(rng.integers(1, 4))
        if form == 0:
            y = self.leaf((k,), dtype=dtype)
        elif form == 1:
            y = self.leaf((k, m), dtype=dtype)
        elif form == 2:
            y = gn.transpose(self.leaf((m, k), dtype=dtype))
        elif form == 3:
            y = self.leaf((2 * k, m + 1), dtype=dtype)[::2, :m]
        elif form == 4:
            y = self.leaf((*x.shape[:-2], k, m), dtype=dtype) if x.ndim > 1 else self.leaf((2, k, m), dtype=dtype)
        else:
            y = gn.swapaxes(x, -1, -2) if x.ndim > 1 else x
        z = gn.matmul(x, y)
        if z.size > SIZE:
            return
        if self.exact:
            self.add(z, a * (a if form == 5 else 4) * k)
        else:
            self.add(gn.tanh(z * 0.3), 1)

    def odd(self) -> None:
        """Ops that have no kernel."""
        x, rng = self.pick(), self.rng
        a = self.limit(x)
        name = str(rng.choice(["cumsum", "concatenate", "take", "pad", "flip", "roll"]))
        if name == "cumsum" and x.dtype.kind != "b":
            self.add(gn.cumsum(x, axis=None), a * max(1, x.size))
        elif name == "concatenate" and x.ndim and x.size * 2 <= SIZE:
            self.add(gn.concatenate([x, x], axis=int(rng.integers(x.ndim))), a)
        elif name == "take" and x.ndim and x.shape[0]:
            self.add(x[[0, -1]], a)
        elif name == "pad" and x.dtype.kind != "b" and x.ndim and x.size <= 50:
            self.add(gn.pad(x, 1), a)
        elif name == "flip":
            self.add(gn.flip(x), a)
        elif name == "roll":
            self.add(gn.roll(x, 1), a)

    def uniform(self) -> None:
        key = self.leaf((), "input", "int64") if self.rng.random() < 0.5 else int(self.rng.integers(1 << 40))
        x = self.pick()
        dtype = str(self.rng.choice(FLOATS))
        self.add(gn.floor(gn.random_uniform(key, x.shape, dtype=dtype) * 8), 8)

    # The whole.

    def outputs(self) -> list[gn.Tensor]:
        """Some late tensors, and at times an input, one tensor twice, a look at a parameter, a constant."""
        rng = self.rng
        chosen = [self.pool[-1]]
        chosen += [self.pool[-min(int(rng.geometric(0.3)), len(self.pool))] for _ in range(rng.integers(0, 4))]
        if rng.random() < 0.2:
            chosen.append(self.inputs[0])
        if rng.random() < 0.2:
            chosen.append(chosen[0])
        if rng.random() < 0.2 and self.parameters:
            chosen.append(gn.ravel(self.parameters[0]))
        if rng.random() < 0.1:
            chosen.append(gn.tensor([1.0, 2.0]))
        return chosen

    def graph(self) -> gn.Graph:
        return gn.Graph(self.inputs, self.outputs())


def broadcasts(*shapes: tuple[int, ...]) -> bool:
    try:
        return math.prod(np.broadcast_shapes(*shapes)) <= SIZE
    except ValueError:
        return False


def factors(rng: np.random.Generator, size: int) -> tuple[int, ...]:
    """A shape of this size."""
    if size == 0:
        return (0, 2)
    shape = []
    while size > 1 and len(shape) < 3:
        n = int(rng.choice([d for d in range(1, size + 1) if size % d == 0]))
        shape.append(n)
        size //= n
    return (*shape, size) if rng.random() < 0.5 or size > 1 else tuple(shape)


def some_slice(rng: np.random.Generator, n: int) -> slice:
    step = int(rng.choice([1, 1, 2, -1, -2]))
    start, stop = (None, None) if rng.random() < 0.5 else sorted(int(i) for i in rng.integers(0, n + 1, 2))
    if step < 0 and start is not None:
        start, stop = (stop, start - 1 if start else None)  # type: ignore[operator]
    return slice(start, stop, step)
