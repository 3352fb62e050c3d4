"""The quick answers to whether numbers are finite, and labels in their range, agree with the slow ones."""

import warnings

import numpy as np
import pytest

from graphnet.nn.arrays import is_finite
from graphnet.nn.ranges import check_classes


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layout", ["rows", "columns", "strided", "turned", "number", "empty"])
def test_finite(dtype, layout):
    make = {
        "rows": lambda: np.ones((6, 8), dtype),
        "columns": lambda: np.asfortranarray(np.ones((6, 8), dtype)),
        "strided": lambda: np.ones((12, 16), dtype)[::2, ::2],
        "turned": lambda: np.ones((6, 8), dtype)[::-1],
        "number": lambda: np.ones((), dtype),
        "empty": lambda: np.ones((0, 3), dtype),
    }[layout]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_finite(make())
        for value, finite in ((np.finfo(dtype).max, True), (np.inf, False), (-np.inf, False), (np.nan, False)):
            a = make()
            if a.size:
                a[...] = value
                assert is_finite(a) is finite
                b = make()
                b[(-1,) * b.ndim] = value
                assert is_finite(b) is finite


@pytest.mark.parametrize("dtype", [*"bhilqBHILQ", ">i4", ">i8", "float32", "float64"])
@pytest.mark.parametrize("classes", [1, 4, 127, 300, 70000])
def test_classes(dtype, classes):
    top = min(classes - 1, 127)
    y = np.array([[0, top], [top, 0]], dtype)
    for given in (y, y.T, y[::-1], y[:, ::2], y[0, 0]):
        check_classes(given, classes, "loss")
    wrong = [classes] if classes <= 127 else []
    if np.dtype(dtype).kind != "u":
        wrong.append(-1)
    for value in wrong:
        with pytest.raises(ValueError, match=f"labels from 0 to {classes - 1}"):
            check_classes(np.array([0, value, 0], dtype), classes, "loss")
