"""Errors about data that is no array of numbers: what it was, and what to write instead."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

COMPLEX = np.array([1 + 1j, 2.0])
STRUCTURED = np.zeros(4, [("length", "f4"), ("width", "i4")])


def fitted(x, y=None):
    model = nn.Sequential([nn.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, np.ones(4) if y is None else y, verbose=0)


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "string", "Float64"])
def test_missing_values_of_pandas(dtype):
    pd = pytest.importorskip("pandas")
    values = {"Int64": [1, None], "boolean": [True, None], "string": ["1", None], "Float64": [1.5, None]}[dtype]
    column = pd.array(values * 2, dtype=dtype)
    frame = pd.DataFrame({"a": column, "b": [1.0, 2.0, 3.0, 4.0]})
    missing = (
        r"received DataFrame with values that are missing \(<NA>\); fill them .*data\.fillna\(value\) or data\.dropna"
    )
    with pytest.raises(TypeError, match=missing):
        gn.tensor(frame)
    if dtype in ("boolean", "string"):
        with pytest.raises(TypeError, match=missing.replace("DataFrame", "Series")):
            gn.tensor(frame["a"])
        with pytest.raises(TypeError, match=r"exp\(.*received Series with values that are missing"):
            gn.exp(frame["a"])
    else:
        # pandas itself gives NaN for them.
        assert np.isnan(gn.tensor(frame["a"]).numpy()).tolist() == [False, True] * 2
    if dtype != "string":
        text = r"x holds a value that is missing, at x\[1, 0\] in the column 'a': it is <NA>\. .*x\.dropna\(\) or x\."
        with pytest.raises(ValueError, match=text):
            fitted(frame)
    assert gn.tensor(pd.Series(pd.array([1, 2], dtype="Int64"))).dtype == np.int64


def test_text_and_none_in_objects():
    with pytest.raises(
        TypeError, match=r"received ndarray with values that are missing \(None\); .*np\.nan in its place"
    ):
        gn.tensor(np.array([1.0, None], object))
    with pytest.raises(TypeError, match="received ndarray with text in it, such as 'red'; make numbers of it"):
        gn.tensor(np.array([1.0, "red"], object))


def test_structured_arrays():
    text = (
        r"a structured array with the fields length, width; make one array of them, as in np\.stack\(\[{}\[field\] for"
    )
    for data in (STRUCTURED, STRUCTURED.view(np.recarray)):
        with pytest.raises(TypeError, match=text.format("array")):
            gn.tensor(data)
        with pytest.raises(TypeError, match=text.format("x")):
            fitted(data)
    assert gn.tensor(np.stack([STRUCTURED[f] for f in STRUCTURED.dtype.names], axis=-1)).shape == (4, 2)


@pytest.mark.parametrize("name", "sigmoid erf erfc gelu floor ceil softplus cbrt arctan2 hypot remainder".split())
def test_functions_without_complex_numbers(name):
    f = getattr(gn, name)
    two = name in ("arctan2", "hypot", "remainder")
    for call in (f, gn.compile(f)) if not two else (f,):
        with pytest.raises(
            TypeError, match=r"not defined for complex numbers: of them take gn\.real, gn\.imag or gn\.abs"
        ):
            call(*[COMPLEX] * (2 if two else 1))


def test_elements_in_a_row():
    x = gn.tensor(np.arange(4.0).reshape(2, 2))
    with pytest.raises(AttributeError, match=r"gn\.set_at\(x\.ravel\(\), i, value\)\.reshape\(x\.shape\)"):
        x.flat[0] = 5.0
    assert gn.set_at(x.ravel(), 3, 9.0).reshape(x.shape).numpy().tolist() == [[0, 1], [2, 9]]
