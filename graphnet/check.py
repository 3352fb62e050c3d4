"""Gradients checked against differences of the function itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphnet.apply import described
from graphnet.containers import flatten
from graphnet.derivatives import jvp, vjp
from graphnet.functions import function
from graphnet.node import Tensor, as_array, constant


def _difference(f: Callable[..., list[np.ndarray]], xs: list[np.ndarray], vs: list[np.ndarray], eps: float) -> Any:
    """The derivative of `f` along `vs` by central differences, extrapolated once (error of order eps^4)."""

    def central(h: float) -> list[np.ndarray]:
        up = f([x + h * v for x, v in zip(xs, vs, strict=True)])
        down = f([x - h * v for x, v in zip(xs, vs, strict=True)])
        return [(u - d) / (2 * h) for u, d in zip(up, down, strict=True)]

    return [(4 * near - far) / 3 for near, far in zip(central(eps / 2), central(eps), strict=True)]


def check_grads(
    f: Callable[..., Any],
    *args: Any,
    order: int = 2,
    modes: tuple[str, ...] = ("rev", "fwd"),
    eps: float = 1e-4,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    seed: int = 0,
) -> None:
    """Nothing, if the derivatives of `f` at `args` up to `order` agree with differences; else `AssertionError`.

    Along random directions v and with random gradients u of the output, u . (f(x + hv) - f(x - hv)) / 2h is compared
    with the vjp ("rev") and the jvp ("fwd"); the next order does the same with the vjp as the function. Arguments are
    taken in float64, and may be nested containers; `f` should be smooth at them.

    >>> import graphnet as gn
    >>> gn.check_grads(gn.tanh, [0.1, -2.0], order=3)
    >>> gn.check_grads(lambda x: gn.stop_gradient(x) * x, 2.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    AssertionError: the vjp of <lambda> (order 1) gives ... along a random direction; differences give ...
    """
    function(f, "check_grads")
    rng = np.random.default_rng(seed)
    leaves, rebuild = flatten(args)
    xs = [np.array(as_array(leaf), dtype=np.float64) for leaf in leaves]
    _check(f, rebuild, xs, order, modes, eps, rtol, atol, rng, getattr(f, "__name__", "the function"), 1)


def _outputs(result: Any) -> list[Tensor]:
    return [y if isinstance(y, Tensor) else constant(as_array(y)) for y in flatten(result)[0]]


def _check(
    f: Callable[..., Any],
    rebuild: Any,
    xs: list[np.ndarray],
    order: int,
    modes: tuple[str, ...],
    eps: float,
    rtol: float,
    atol: float,
    rng: np.random.Generator,
    name: str,
    level: int,
) -> None:
    def flat(*arrays: Any) -> list[Tensor]:
        return _outputs(f(*rebuild(arrays)))

    def values(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [y._value for y in flat(*map(constant, arrays))]

    vs = [rng.standard_normal(x.shape) for x in xs]
    ys, pullback = vjp(flat, *map(constant, xs), allow_constant=True)
    for y in ys:
        if y.dtype.kind != "f":
            raise TypeError(f"check_grads: {name} returned {described(y)}; a gradient needs floating-point numbers")
    us = [rng.standard_normal(y.shape) for y in ys]
    slopes = _difference(values, xs, vs, eps)
    expected = sum(float(np.vdot(u, d)) for u, d in zip(us, slopes, strict=True))
    scale = sum(float(np.vdot(np.abs(u), np.abs(d))) for u, d in zip(us, slopes, strict=True))

    def compare(kind: str, found: float) -> None:
        if not abs(found - expected) <= atol + rtol * max(scale, abs(expected)):
            raise AssertionError(
                f"the {kind} of {name} (order {level}) gives {found:.9g} along a random direction; "
                f"differences give {expected:.9g}"
            )

    if "rev" in modes:
        grads = pullback(us)
        compare("vjp", sum(float(np.vdot(g.numpy(), v)) for g, v in zip(grads, vs, strict=True)))
    if "fwd" in modes:
        _, pushed = jvp(flat, tuple(map(constant, xs)), tuple(vs), allow_constant=True)
        compare("jvp", sum(float(np.vdot(u, d.numpy())) for u, d in zip(us, pushed, strict=True)))
    if order > 1:

        def slope(*arrays: Any) -> list[Tensor]:
            _, pull = vjp(flat, *arrays, allow_constant=True)
            return list(pull([constant(u) for u in us]))

        def same(parts: Any) -> tuple[Any, ...]:
            return tuple(parts)

        _check(slope, same, xs, order - 1, modes, eps, rtol, atol, rng, name, level + 1)
