"""The matrix products of the BLAS that NumPy itself uses, by address: one library, one pool of threads.

Wheels of NumPy carry OpenBLAS as a shared library of their own, which is loaded already. Where it is not found (NumPy
built on another BLAS), products run through `np.matmul`.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any, NamedTuple

import numpy as np

#: prefix and suffix of the names, and the type of their integers
_NAMES = (("scipy_", "64_", np.int64), ("", "64_", np.int64), ("scipy_", "", np.int32), ("", "", np.int32))


class Blas(NamedTuple):
    """Addresses of `gemm` and `gemv` by dtype, the dtype of their integers, the number of threads and its limit."""

    gemm: dict[np.dtype, int]
    gemv: dict[np.dtype, int]
    integer: np.dtype
    library: Any
    threads: Any
    limit: Any


@cache
def found() -> Blas | None:
    """NumPy's BLAS, or None."""
    home = os.path.dirname(np.__file__)
    beside = [os.path.join(os.path.dirname(home), "numpy.libs"), *(os.path.join(home, d) for d in (".dylibs", ".libs"))]
    folders = [folder for folder in beside if os.path.isdir(folder)]
    for path in sorted(os.path.join(f, name) for f in folders for name in os.listdir(f) if "openblas" in name):
        try:
            # Loaded by `import numpy`; this only asks for its handle.
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for prefix, suffix, integer in _NAMES:
            try:
                named = {
                    kind: {
                        np.dtype(dtype): _address(getattr(library, f"{prefix}cblas_{letter}{kind}{suffix}"))
                        for letter, dtype in (("s", np.float32), ("d", np.float64))
                    }
                    for kind in ("gemm", "gemv")
                }
                threads = getattr(library, f"{prefix}openblas_get_num_threads{suffix}")
                limit = getattr(library, f"{prefix}openblas_set_num_threads{suffix}")
            except AttributeError:
                continue
            threads.restype, limit.restype, limit.argtypes = ctypes.c_int, None, [ctypes.c_int]
            return Blas(named["gemm"], named["gemv"], np.dtype(integer), library, threads, limit)
    return None


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


def threads() -> int:
    """How many threads a plan may use: as many as the BLAS does, so that one setting governs both.

    `OMP_NUM_THREADS` and `threadpoolctl` set those of OpenBLAS.
    """
    blas = found()
    if blas is not None:
        return max(1, int(blas.threads()))
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else (os.cpu_count() or 1)
