"""tt_tensor: N-dimensional tensors on NumPy, and the seam on which the other tt wheels build."""

# ruff: noqa: F403  (the lead makes this list explicit once all families stand)
# Function first: it and Tensor need each other, and this order resolves it.
from tt_tensor.function import Function, unbroadcast
from tt_tensor.tensor import Tensor, as_tensor, from_numpy, tensor
from tt_tensor.ops.arithmetic import *
from tt_tensor.ops.arranging import *
from tt_tensor.ops.axes import *
from tt_tensor.ops.casting import *
from tt_tensor.ops.compare import *
from tt_tensor.ops.einsum import *
from tt_tensor.ops.gathering import *
from tt_tensor.ops.indexing import *
from tt_tensor.ops.joining import *
from tt_tensor.ops.linalg import *
from tt_tensor.ops.logic import *
from tt_tensor.ops.padding import *
from tt_tensor.ops.pointwise import *
from tt_tensor.ops.reductions import *
from tt_tensor.ops.scan import *
from tt_tensor.ops.shapes import *
from tt_tensor.ops.softmax import *
from tt_tensor.ops.sorting import *
from tt_tensor.ops.statistics import *
from tt_tensor.creation import *
from tt_tensor.random import *
from tt_tensor.dtypes import *
from tt_tensor.dlpack import *
from tt_tensor.printing import printoptions
from tt_tensor import errors, kernels, memory, recorder
from tt_tensor.errors import *

__version__ = "0.1.0"
