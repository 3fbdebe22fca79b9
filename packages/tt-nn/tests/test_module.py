"""Modules: modes, conversions, hooks, copies, the repr."""

import copy

import numpy as np
import pytest

import tt_nn
from tt_nn import (
    Identity,
    Linear,
    Module,
    Parameter,
    Sequential,
    infer,
)
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, MissingWheelError


def test_train_and_eval_reach_everything(net):
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.blocks[1].train()
    assert net.blocks[1][0].training and not net.first.training


def test_apply_visits_children_before_parents():
    order = []
    net = Sequential(Linear(1, 1), Sequential(Identity()))
    assert net.apply(lambda module: order.append(type(module).__name__)) is net
    assert order == ["Linear", "Identity", "Sequential", "Sequential"]


def test_to_converts_parameters_buffers_and_gradients_and_nothing_else(net):
    net.first.weight.grad = np.ones((3, 2), np.float32)
    net.double()
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert net.first.weight.grad.dtype == np.float64
    assert net.seen.dtype == np.int64 and net.cache.dtype == np.float64
    assert net(Tensor(np.ones((1, 2)))).dtype == np.float64
    with pytest.raises(DTypeError, match="floating"):
        net.to(np.int64)


def test_requires_grad_freezes():
    net = Linear(2, 2).requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net(Tensor([[1.0, 2.0]]))
    net.backward(np.ones((1, 2), np.float32))
    assert net.weight.grad is None and net.bias.grad is None


def test_zero_grad():
    net = Linear(2, 1)
    net.weight.grad = np.ones((1, 2), np.float32)
    net.zero_grad(set_to_none=False)
    assert net.weight.grad.tolist() == [[0, 0]] and net.bias.grad is None
    net.zero_grad()
    assert net.weight.grad is None


def test_a_parameter_stays_a_parameter():
    net = Linear(2, 1)
    with pytest.raises(DTypeError, match="weight is a Parameter"):
        net.weight = Tensor([[1.0, 2.0]])
    net.weight = Parameter([[1.0, 2.0]])
    net.bias = None
    assert [name for name, _ in net.named_parameters()] == ["weight"]


def test_hooks_see_and_may_change_the_output_and_can_be_removed():
    net, seen = Identity(), []
    watch = net.register_forward_hook(lambda module, args, output: seen.append((module, args, output)))
    change = net.register_forward_hook(lambda module, args, output: output * 2)
    x = Tensor([1.0])
    assert net(x).tolist() == [2.0]
    assert seen[0][0] is net and seen[0][1] == (x,) and seen[0][2] is x
    change.remove()
    change.remove()
    watch.remove()
    assert net(x) is x and len(seen) == 1


def test_hooks_before_forward_see_and_may_change_what_goes_in():
    class Sum(Module):
        def forward(self, x, y=0.0, scale=1.0):
            return (x + y) * scale

    net, seen = Sum(), []
    x = Tensor([1.0])
    after = net.register_forward_hook(lambda module, args, output: seen.append((args, output.tolist())))
    watch = net.register_forward_pre_hook(lambda module, args: seen.append((module, args)))
    one = net.register_forward_pre_hook(lambda module, args: args[0] * 10)
    both = net.register_forward_pre_hook(lambda module, args: (*args, 5.0))
    assert net(x, scale=2.0).tolist() == [30.0]
    assert seen[0] == (net, (x,)) and seen[1][0][1:] == (5.0,) and seen[1][1] == [30.0]
    both.remove()
    assert infer(net, x.numpy()).tolist() == [10.0]
    one.remove()
    watch.remove()
    after.remove()
    assert net(x).tolist() == [1.0] and len(seen) == 4


def test_hooks_that_see_keyword_arguments_come_first_or_stay_for_a_block():
    class Times(Module):
        def forward(self, x, by=1):
            return x * by

    module, seen = Times(), []
    with module.register_forward_hook(lambda module, args, output: seen.append("last")):
        module.register_forward_hook(
            lambda module, args, kwargs, output: seen.append(kwargs), prepend=True, with_kwargs=True
        )
        assert module(3, by=2) == 6
    assert seen == [{"by": 2}, "last"]
    module.register_forward_pre_hook(lambda module, args, kwargs: (args, {"by": 5}), with_kwargs=True)
    module.register_forward_pre_hook(lambda module, args: seen.append("first"), prepend=True)
    assert module(3, by=2) == 15
    assert seen[2:] == ["first", {"by": 5}]
    module.register_forward_pre_hook(lambda module, args, kwargs: args, with_kwargs=True)
    with pytest.raises(ArgumentError, match="a tuple and a dictionary"):
        module(3)


def test_a_layer_that_runs_together_with_others_meets_its_hook_before_forward():
    net = Sequential(Linear(2, 2), Identity(), Linear(2, 2))
    net[2].register_forward_pre_hook(lambda module, args: args[0] * 0)
    np.testing.assert_array_equal(net(Tensor([[1.0, 2.0]])).numpy(), net[2].bias.numpy()[None])


def test_a_handle_takes_away_one_hook_even_if_two_are_the_same():
    net, seen = Identity(), []
    first = net.register_forward_hook(lambda *_: seen.append(1))
    second = net.register_forward_hook(net._forward_hooks[0])
    first.remove()
    first.remove()
    net(Tensor([1.0]))
    assert seen == [1]
    second.remove()
    net(Tensor([1.0]))
    assert seen == [1]


def test_a_buffer_stays_a_tensor():
    net = Module()
    net.register_buffer("mean", Tensor([1.0]))
    with pytest.raises(DTypeError, match="mean is a buffer"):
        net.mean = np.zeros(1)
    net.mean = Tensor([2.0])
    assert net.state_dict()["mean"].tolist() == [2.0]
    net.mean = None
    assert list(net.state_dict()) == []


def test_a_buffer_that_was_deleted_is_gone_from_the_state():
    net, other = Module(), Module()
    for module in (net, other):
        module.register_buffer("mean", Tensor([1.0]))
    twin = copy.copy(net)
    del net.mean
    assert list(net.state_dict()) == list(net.buffers()) == []
    assert list(twin.state_dict()) == list(other.state_dict()) == ["mean"]
    net.mean = 3  # an attribute like any other
    net.register_buffer("deviation", Tensor([2.0]))
    assert list(net.state_dict()) == ["deviation"]


def test_deepcopy_is_independent(net):
    twin = copy.deepcopy(net)
    twin.first.weight.write(0)
    assert net.first.weight.array.any()
    assert list(twin.state_dict()) == list(net.state_dict())


def test_repr_is_a_tree():
    assert repr(Sequential(Linear(2, 8), Sequential(Identity()))) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=8, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): Identity()\n"
        "  )\n"
        ")"
    )


def test_settings_of_several_lines_stand_below_each_other():
    class Two(Module):
        def extra_repr(self):
            return "a=1\nb=2"

    assert repr(Two()) == "Two(\n  a=1\n  b=2\n)"


def test_no_forward_no_backward_says_what_to_do(net):
    with pytest.raises(NotImplementedError, match="no forward"):
        Module()(1)
    with pytest.raises(GradientError, match="call the layer on an input first"):
        Linear(1, 1).backward(np.ones((1, 1)))
    with pytest.raises(MissingWheelError, match="tt-autograd"):
        net.backward(np.ones((1, 1)))


@pytest.mark.parametrize(
    "name", ["ReLU", "LeakyReLU", "ELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid", "ReLU6"]
)
def test_inplace_is_taken_and_changes_nothing(name):
    x = Tensor([-1.0, 2.0])
    y = getattr(tt_nn, name)(inplace=True)(x)
    assert x.tolist() == [-1.0, 2.0] and not y.shares_memory(x)
    assert y.tolist() == getattr(tt_nn, name)()(x).tolist()
    function = {"LeakyReLU": "leaky_relu"}.get(name, name.lower())
    assert getattr(tt_nn.functional, function)(x, inplace=True).tolist() == y.tolist()


def test_dropout_takes_inplace_where_pytorch_has_it():
    x = Tensor(np.ones(10, np.float32))
    assert tt_nn.Dropout(1.0, True)(x).tolist() == [0.0] * 10 and x.tolist() == [1.0] * 10
    assert tt_nn.functional.dropout(x, 1.0, True, True).tolist() == [0.0] * 10
