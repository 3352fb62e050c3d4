"""Ops that rearrange, select and join keep the dtype that NumPy keeps, also of booleans, small integers and float16."""

import numpy as np
import pytest

import graphnet as gn

CALLS = {
    "tril": lambda m, x: m.tril(x),
    "triu": lambda m, x: m.triu(x, 1),
    "transpose": lambda m, x: m.transpose(x),
    "ravel": lambda m, x: m.ravel(x),
    "expand": lambda m, x: m.expand_dims(x, 0),
    "swap": lambda m, x: m.swapaxes(x, 0, 1),
    "move": lambda m, x: m.moveaxis(x, 0, 1),
    "bc": lambda m, x: m.broadcast_to(x, (2, 2, 3)),
    "cat": lambda m, x: m.concatenate([x, x]),
    "stack": lambda m, x: m.stack([x, x]),
    "split": lambda m, x: m.split(x, 2)[0],
    "asplit": lambda m, x: m.array_split(x, 2)[0],
    "pad": lambda m, x: m.pad(x, 1),
    "pade": lambda m, x: m.pad(x, 1, mode="edge"),
    "flip": lambda m, x: m.flip(x),
    "roll": lambda m, x: m.roll(x, 1),
    "tile": lambda m, x: m.tile(x, 2),
    "repeat": lambda m, x: m.repeat(x, 2),
    "take": lambda m, x: m.take(x, [0, 1]),
    "taa": lambda m, x: m.take_along_axis(x, np.zeros((2, 1), int), axis=1),
    "diagonal": lambda m, x: m.diagonal(x),
    "diag": lambda m, x: m.diag(x),
    "diag1": lambda m, x: m.diag(x[0]),
    "sort": lambda m, x: m.sort(x),
    "argsort": lambda m, x: m.argsort(x),
    "where": lambda m, x: m.where(x > 0, x, x),
    "clip": lambda m, x: m.clip(x, x, x),
    "max": lambda m, x: m.max(x),
    "min": lambda m, x: m.min(x),
    "full_like": lambda m, x: m.full_like(x, 1),
    "zeros_like": lambda m, x: m.zeros_like(x),
    "getitem": lambda m, x: x[1:],
    "mask": lambda m, x: x[np.ones((2, 3), bool)],
    "squeeze": lambda m, x: m.squeeze(x),
    "reshape": lambda m, x: m.reshape(x, (3, 2)),
    "argmax": lambda m, x: m.argmax(x),
    "cumsum": lambda m, x: m.cumsum(x),
    "sum": lambda m, x: m.sum(x),
    "prod": lambda m, x: m.prod(x),
    "outer": lambda m, x: m.outer(x, x),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_dtype_is_numpys(name):
    for dtype in ("bool", "i1", "u1", "i2", "i4", "i8", "u8", "f2", "f4", "f8", "c8"):
        a = np.ones((2, 3), dtype)
        found, right = CALLS[name](gn, gn.tensor(a)), CALLS[name](np, a)
        assert (found.dtype, found.shape) == (right.dtype, right.shape), dtype
        np.testing.assert_array_equal(found.numpy(), right)
