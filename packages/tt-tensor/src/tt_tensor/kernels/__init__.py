"""Kernels: the loops come first, then what is fast; one table, one switch.

from tt_tensor import kernels
with kernels.use("loops"):
    y = model(x)          # the same model, on the definitions
"""

from tt_tensor.kernels import elementwise, matmul, reductions, softmax
from tt_tensor.kernels.table import kernel, names, operations, prefer, preferred, register, set_default, use

__all__ = [
    "elementwise",
    "kernel",
    "matmul",
    "names",
    "operations",
    "prefer",
    "preferred",
    "reductions",
    "register",
    "set_default",
    "softmax",
    "use",
]
