"""register_full_backward_hook: what a tape brings back through a module, seen and changed."""

import numpy as np
import pytest

import tt_nn as nn
import tt_tensor as tt
from tt_autograd import grad, no_grad
from tt_tensor import recorder
from tt_tensor.errors import ArgumentError, MissingWheelError


def batch(*shape, seed=0):
    return tt.from_numpy(np.random.default_rng(seed).normal(size=shape))


def test_it_sees_what_comes_back_and_what_goes_on():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).to("float64")
    seen = []
    handle = model[1].register_full_backward_hook(lambda *given: seen.append(given))
    x = batch(5, 3)
    hidden = model[0](x)
    activated = model[1](hidden)
    wanted = grad((model[2](activated) ** 2).sum(), (hidden, activated))
    ((module, (into,), (out,)),) = seen
    assert module is model[1]
    np.testing.assert_array_equal(into.numpy(), wanted[0].numpy())
    np.testing.assert_array_equal(out.numpy(), wanted[1].numpy())
    handle.remove()
    handle.remove()
    (model(x) ** 2).sum().backward()
    assert len(seen) == 1 and not model[1]._forward_hooks


def test_grad_cam_at_the_first_layer_of_an_image_that_wants_no_gradient():
    layer, seen = nn.Linear(3, 4), []
    layer.register_full_backward_hook(lambda module, into, out: seen.append((into, out)))
    y = layer(tt.ones(2, 3))
    (y * 3).sum().backward()
    ((into, out),) = seen
    assert into == (None,) and out[0].tolist() == [[3.0] * 4] * 2
    with no_grad():
        layer(tt.ones(2, 3))
    assert len(seen) == 1


def test_the_gradient_is_of_this_module_alone():
    double, seen = nn.Identity(), []
    double.forward = lambda x: x * 2
    double.register_full_backward_hook(lambda module, into, out: seen.append(into[0].tolist()))
    x = tt.tensor([1.0], requires_grad=True)
    (double(x) + 5 * x + double(double(x))).sum().backward()
    assert x.grad.tolist() == [11.0] and sorted(seen) == [[2.0], [2.0], [4.0]]


def test_what_it_returns_goes_on_instead():
    for changed in (lambda g: g * 10, lambda g: (g * 10,)):
        layer = nn.Tanh()
        layer.register_full_backward_hook(lambda module, into, out, changed=changed: changed(into[0]))
        x = tt.tensor([0.0], requires_grad=True)
        layer(x).sum().backward()
        assert x.grad.tolist() == [10.0]


class Sum(nn.Module):
    def forward(self, x, y):
        return x + 2 * y


def test_two_inputs():
    layer, seen = Sum(), []
    layer.register_full_backward_hook(lambda module, into, out: seen.append([g.tolist() for g in into]))
    x, y = tt.tensor([1.0], requires_grad=True), tt.tensor([1.0], requires_grad=True)
    layer(x, y).sum().backward()
    assert seen == [[[1.0], [2.0]]]
    layer.register_full_backward_hook(lambda module, into, out: into)
    with pytest.raises(ArgumentError, match="this one has 2, so return None"):
        layer(x, y).sum().backward()


def test_it_needs_a_tape():
    before = recorder.install(None)
    try:
        with pytest.raises(MissingWheelError, match="import tt_autograd first"):
            nn.Tanh().register_full_backward_hook(print)
    finally:
        recorder.install(before)
