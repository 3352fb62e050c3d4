"""The types that signatures are written in: what an op takes, what it returns, and the function that it is."""

from __future__ import annotations

from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar

import numpy as np

from graphnet.node import Tensor
from graphnet.record import Op

P = ParamSpec("P")
R = TypeVar("R")


class SupportsArray(Protocol):
    """What NumPy makes an array of: a column of pandas, a tensor of another library."""

    def __array__(self) -> Any: ...


#: what an op takes as an input: a tensor, an array, a number, or numbers in nested lists or tuples
ArrayLike: TypeAlias = Tensor | np.ndarray | np.generic | complex | list[Any] | tuple[Any, ...] | SupportsArray


class OpFunction(Protocol[P]):
    """The function of an op: it takes what the decorated body takes, and returns a tensor.

    `op` is the record of the op.
    """

    op: Op
    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor: ...
