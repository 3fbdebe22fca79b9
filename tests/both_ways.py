"""A layer's gradients by hand and by tape, for the laws that compare them."""

import numpy as np

import tt_autograd
import tt_tensor
from tt_tensor import Tensor


def same_bits(by_hand, by_tape):
    assert len(by_hand) == len(by_tape)
    for a, b in zip(by_hand, by_tape, strict=True):
        assert isinstance(a, Tensor) and isinstance(b, Tensor)
        assert a.dtype == b.dtype and a.shape == b.shape
        assert np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a), np.signbit(b))


def layer_by_hand(layer, x, g):
    tt_tensor.manual_seed(5)  # dropout's masks
    with tt_autograd.no_grad():
        y = layer(Tensor(x))
        return [y, layer.backward(Tensor(g))]


def layer_by_tape(layer, x, g):
    tt_tensor.manual_seed(5)
    x = Tensor(x, requires_grad=True)
    y = layer(x)
    y.backward(Tensor(g))
    return [y, x.grad]


def parameters_of(layer):
    grads = [p.grad for p in layer.parameters() if p.requires_grad]
    layer.zero_grad()
    return grads
