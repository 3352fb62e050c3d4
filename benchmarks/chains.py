"""Elementwise work: a chain of ten ops forward, and softmax, layer norm and exact gelu forward and backward.

The chain's result stays an array; it is waited for. The three functions of an array of 512 x 1024 are multiplied by
fixed weights and added up, and the sum's gradient with respect to all their arguments is computed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import Contender, waited

CHAINS = {"chain-1e3": 1_000, "chain-1e5": 100_000, "chain-1e7": 10_000_000}
FUNCTIONS = ("softmax", "layernorm", "gelu")
SHAPE = (512, 1024)
CASES = (*CHAINS, *FUNCTIONS)


def chain(x: Any, exp: Callable, tanh: Callable, sqrt: Callable, relu: Callable) -> Any:
    """Ten ops: multiply, add, tanh, multiply, exp, add, sqrt, multiply, subtract, relu."""
    return relu(sqrt(exp(tanh(x * 1.1 + 0.3) * 0.7) + 1.0) * 0.5 - 0.8)


def start(count: int) -> np.ndarray:
    """What the chain starts from."""
    return np.random.default_rng(0).standard_normal(count, dtype=np.float32)


def arguments(case: str, shape: tuple[int, int] = SHAPE) -> tuple[list[np.ndarray], np.ndarray]:
    """The arguments of a function, and the weights of its elements."""
    rng = np.random.default_rng(0)
    x, weights = (rng.standard_normal(shape, dtype=np.float32) for _ in range(2))
    if case != "layernorm":
        return [x], weights
    return [x, *(rng.random(shape[1], dtype=np.float32) for _ in range(2))], weights


def chained(step: Callable[[], Any], array: Callable[[Any], np.ndarray], **more: Any) -> Contender:
    """A chain answers with its sum, and with one element in a thousand."""
    y = np.asarray(array(step()), np.float64)
    return Contender(step, [y.sum(), *y[:: max(1, y.size // 10)]], **more)


def sloped(step: Callable[[], tuple[Any, Sequence[Any]]], array: Callable[[Any], np.ndarray], **more: Any) -> Contender:
    """A function answers with its weighted sum, and with the norm and one element of each gradient."""
    value, slopes = step()
    arrays = [np.asarray(array(s), np.float64) for s in slopes]
    numbers = [n for a in arrays for n in (float(np.sqrt((a * a).sum())), float(a.flat[7]))]
    return Contender(step, [float(value), *numbers], **more)


def graphnet(case: str, size: Any = None) -> Contender:
    import graphnet as gn

    def layernorm(x, scale, shift):
        centred = x - x.mean(-1, keepdims=True)
        return centred / gn.sqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * scale + shift

    if case in CHAINS:
        x = gn.tensor(start(size or CHAINS[case]))
        run = gn.compile(lambda x: chain(x, gn.exp, gn.tanh, gn.sqrt, gn.relu))
        return chained(lambda: run(x), lambda t: t.numpy(), ready=lambda: waited(run), warm=2.0)
    given, weights = arguments(case, size or SHAPE)
    f = {"softmax": gn.softmax, "layernorm": layernorm, "gelu": gn.gelu}[case]

    def both(xs, weights):
        total = (f(*xs) * weights).sum()
        return total, gn.gradients(total, xs)

    xs, w = [gn.tensor(a) for a in given], gn.tensor(weights)
    run = gn.compile(both)

    def step():
        value, slopes = run(xs, w)
        return value.item(), slopes

    return sloped(step, lambda t: t.numpy(), ready=lambda: waited(run), warm=2.0)


def pytorch(case: str, compiled: bool = False) -> Contender:
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if case in CHAINS:
        x = torch.from_numpy(start(CHAINS[case]))

        def forward(x):
            return chain(x, torch.exp, torch.tanh, torch.sqrt, torch.relu)

        run = torch.compile(forward) if compiled else forward

        def chain_step():
            with torch.inference_mode():
                return run(x)

        return chained(chain_step, lambda t: t.numpy())
    given, weights = arguments(case)
    xs, w = [torch.tensor(a, requires_grad=True) for a in given], torch.from_numpy(weights)
    f = {
        "softmax": lambda x: F.softmax(x, -1),
        "layernorm": lambda x, scale, shift: F.layer_norm(x, x.shape[-1:], scale, shift, 1e-5),
        "gelu": F.gelu,
    }[case]

    def total_of(*xs):
        return (f(*xs) * w).sum()

    total = torch.compile(total_of) if compiled else total_of

    def step():
        value = total(*xs)
        slopes = torch.autograd.grad(value, xs)
        return value.item(), slopes

    return sloped(step, lambda t: t.numpy())


def jax(case: str) -> Contender:
    import jax
    import jax.numpy as jnp

    if case in CHAINS:
        x = jnp.asarray(start(CHAINS[case]))
        run = jax.jit(lambda x: chain(x, jnp.exp, jnp.tanh, jnp.sqrt, jax.nn.relu))
        return chained(lambda: run(x).block_until_ready(), np.asarray)

    def layernorm(x, scale, shift):
        return jax.nn.standardize(x, axis=-1, epsilon=1e-5) * scale + shift

    f = {
        "softmax": jax.nn.softmax,
        "layernorm": layernorm,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    }[case]
    given, weights = arguments(case)
    xs, w = [jnp.asarray(a) for a in given], jnp.asarray(weights)
    both = jax.jit(jax.value_and_grad(lambda xs, w: (f(*xs) * w).sum()))

    def step():
        value, slopes = jax.block_until_ready(both(xs, w))
        return float(value), slopes

    return sloped(step, np.asarray)


def autograd(case: str) -> Contender:
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.special import erf

    if case in CHAINS:
        x = start(CHAINS[case])
        return chained(lambda: chain(x, anp.exp, anp.tanh, anp.sqrt, lambda t: anp.maximum(t, np.float32(0))), np.array)

    def softmax(x):
        e = anp.exp(x - anp.max(x, axis=-1, keepdims=True))
        return e / anp.sum(e, axis=-1, keepdims=True)

    def layernorm(x, scale, shift):
        centred = x - anp.mean(x, axis=-1, keepdims=True)
        return centred / anp.sqrt(anp.mean(centred * centred, axis=-1, keepdims=True) + 1e-5) * scale + shift

    def gelu(x):
        return 0.5 * x * (1.0 + erf(x * math.sqrt(0.5)))

    f = {"softmax": softmax, "layernorm": layernorm, "gelu": gelu}[case]
    given, w = arguments(case)
    both = value_and_grad(lambda xs: anp.sum(f(*xs) * w))
    return sloped(lambda: both(given), np.asarray)


def tinygrad(case: str) -> Contender:
    from tinygrad import Tensor, TinyJit

    if case in CHAINS:
        x = Tensor(start(CHAINS[case])).realize()
        run = TinyJit(lambda x: chain(x, Tensor.exp, Tensor.tanh, Tensor.sqrt, Tensor.relu).realize())
        return chained(lambda: run(x), lambda t: t.numpy())
    f = {
        "softmax": Tensor.softmax,
        "layernorm": lambda x, scale, shift: x.layernorm(eps=1e-5) * scale + shift,
        "gelu": lambda x: x * 0.5 * (1 + (x * math.sqrt(0.5)).erf()),
    }[case]
    given, weights = arguments(case)
    xs, w = [Tensor(a).realize() for a in given], Tensor(weights).realize()

    @TinyJit
    def both(w, *xs):
        total = (f(*xs) * w).sum()
        slopes = total.gradient(*xs)
        Tensor.realize(total, *slopes)
        return total, *slopes

    def step():
        total, *slopes = both(w, *xs)
        return total.item(), slopes

    return sloped(step, lambda t: t.numpy())


LIBRARIES: dict[str, Callable[[str], Contender]] = {
    "graphnet": graphnet,
    "PyTorch": pytorch,
    "torch.compile": lambda case: pytorch(case, compiled=True),
    "JAX": jax,
    "autograd": autograd,
    "tinygrad": tinygrad,
}


def contender(case: str, library: str) -> Contender:
    """The step of one library."""
    return LIBRARIES[library](case)
