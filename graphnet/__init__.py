"""graphnet: a computational graph that a person can hold. Build it, see it, differentiate it, train it.

Three ways in, over one graph: `graphnet.nn.Sequential` in Keras' words; tensors and ops in NumPy's; pictures of both.
"""

import sys

# `python -m graphnet` looks for modules in the current folder first, where a numpy.py would be taken for NumPy.
_named = sys.argv[:1] == ["-m"] and {"graphnet", "-mgraphnet"}.intersection(sys.orig_argv)
if _named and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphnet import methods, ops
from graphnet.check import check_grads
from graphnet.composites import composite
from graphnet.custom import custom_gradient
from graphnet.declare import elementwise, op, reduction
from graphnet.derivatives import elementwise_grad, grad, hvp, jvp, value_and_grad, vjp
from graphnet.graph import Graph
from graphnet.jacobians import hessian, jacobian
from graphnet.leaves import Parameter, input
from graphnet.mode import Region, no_grad, region
from graphnet.node import Tensor, toposort
from graphnet.ops import *
from graphnet.ops.creation import tensor
from graphnet.recompute import checkpoint
from graphnet.record import OPS, Op
from graphnet.results import ConstantWarning
from graphnet.tensor_gradients import gradients
from graphnet.tracing import trace
from graphnet.version import __version__
from graphnet.watch import ConventionWarning, debug

# These use the names above.
from graphnet.rowwise import vmap  # isort: skip
from graphnet.plans.jit import compile  # isort: skip
from graphnet.plans.backend import repeatable  # isort: skip
from graphnet.loops.branches import cond  # isort: skip
from graphnet.loops.scan import scan  # isort: skip
from graphnet.loops.whiles import while_loop  # isort: skip
from graphnet import graph_methods, viz  # isort: skip

if TYPE_CHECKING:
    from graphnet import datasets, nn


__all__ = [
    "OPS",
    "ConstantWarning",
    "ConventionWarning",
    "Graph",
    "Op",
    "Parameter",
    "Region",
    "Tensor",
    "__version__",
    "check_grads",
    "checkpoint",
    "compile",
    "composite",
    "cond",
    "custom_gradient",
    "datasets",
    "debug",
    "elementwise",
    "elementwise_grad",
    "grad",
    "gradients",
    "graph_methods",
    "hessian",
    "hvp",
    "input",
    "jacobian",
    "jvp",
    "methods",
    "nn",
    "no_grad",
    "op",
    "ops",
    "reduction",
    "region",
    "repeatable",
    "scan",
    "tensor",
    "toposort",
    "trace",
    "value_and_grad",
    "viz",
    "vjp",
    "vmap",
    "while_loop",
]
__all__ += ops.__all__


def __getattr__(name: str) -> Any:
    # Looked up when they are asked for: whoever builds graphs need not wait for networks.
    if name in ("datasets", "nn"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "datasets", "nn"})
