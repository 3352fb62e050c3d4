"""graphnet: a computational graph that a person can hold. Build it, see it, differentiate it, train it.

Three ways in, over one graph: `graphnet.nn.Sequential` in Keras' words; tensors and ops in NumPy's; pictures of both.
"""

from graphnet import methods, ops
from graphnet.check import check_grads
from graphnet.custom import checkpoint, custom_gradient
from graphnet.debug import debug
from graphnet.grad import elementwise_grad, grad, gradients, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from graphnet.op import OPS, Op, composite, elementwise, op, reduction
from graphnet.ops import *  # noqa: F403
from graphnet.graph import Graph, trace  # isort: skip  (`trace` here is the graph's, not NumPy's)
from graphnet.tensor import Parameter, Region, Tensor, input, no_grad, region, tensor, toposort  # noqa: A004

__version__ = "0.1.0"
