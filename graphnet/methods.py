"""Every operator and method of `Tensor`, and NumPy's protocols: the only file that adds any."""
from graphnet.op import fast
from graphnet.ops import elementwise as e, reduce as r, shape as s
from graphnet.tensor import Tensor
from graphnet import grad
for n, f in dict(add=e.add, sub=e.subtract, mul=e.multiply, truediv=e.divide).items():
    setattr(Tensor, f"__{n}__", f)
    setattr(Tensor, f"__r{n}__", fast(f.op, True))
Tensor.__neg__ = e.negative
Tensor.sum = r.sum
Tensor.reshape = s.reshape
Tensor.backward = grad.backward
