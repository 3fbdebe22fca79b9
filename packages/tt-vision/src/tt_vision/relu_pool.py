"""ReLU and the max pooling after it, for Sequential: the greatest first, since ReLU never changes which that is.

    max over a window of max(x, 0) = max(max over the window of x, 0)

So ReLU goes over what the pooling leaves, a quarter of the pixels for windows of two by two. The gradients are the same
to the bit: it goes to the first of the greatest where that is above 0, else to none.
"""

from __future__ import annotations

from typing import Any

from tt_nn import ReLU
from tt_nn.fusions import Fused, fusions
from tt_tensor import as_tensor, recorder
from tt_vision.max_pooling import MaxPool1d, MaxPool2d

__all__: list[str] = []


def _fused(layers: list[Any], at: int) -> Fused | None:
    """For a ReLU at that place: itself and the pooling after it, in the other order."""
    if at + 1 == len(layers):
        return None
    relu, pool = layers[at : at + 2]
    if type(pool) not in (MaxPool1d, MaxPool2d) or pool.return_indices:
        return None
    window = pool.window
    if window.dilation != (1, 1) or window.stride == (1, 1):
        return None  # a window might be on no pixel, and is then -inf; or there is nothing to gain

    def forward(x: Any) -> tuple[Any, int]:
        x = as_tensor(x)
        if x.dtype.kind != "f" or not (x.requires_grad or not recorder.recording()):
            return x, 0  # it may be sent back by hand
        return relu(pool(x)), 2

    return 2, forward


fusions[ReLU] = _fused
