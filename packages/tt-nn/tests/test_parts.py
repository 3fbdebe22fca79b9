"""The parts of a module: what is found where, and under which names."""

import pytest

from tt_nn import Identity, Linear, Module, Parameter, Sequential, UnknownNameError
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError

NAMES = [
    "first.weight", "first.bias", "blocks.0.weight", "blocks.0.bias", "blocks.1.0.weight", "blocks.1.0.bias",
    "heads.a.weight", "heads.a.bias", "heads.b.weight", "heads.b.bias",
]  # fmt: skip


def test_parameters_are_found_where_they_stand_in_order(net):
    assert sorted(name for name, _ in net.named_parameters()) == sorted([*NAMES, "scale"])
    assert next(net.named_parameters())[0] == "scale"  # a module's own come first
    assert [name for name, _ in net.named_parameters()][1:] == NAMES
    assert len(list(net.parameters())) == 11
    assert [name for name, _ in net.named_buffers()] == ["seen", "cache"]
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert next(net.named_parameters(prefix="net"))[0] == "net.scale"


def test_modules_and_children_have_dotted_names(net):
    assert [name for name, _ in net.named_children()] == ["first", "blocks", "heads"]
    assert [name for name, _ in net.named_modules()] == [
        "", "first", "blocks", "blocks.0", "blocks.1", "blocks.1.0", "blocks.1.1", "heads", "heads.a", "heads.b",
    ]  # fmt: skip
    assert net.get_submodule("blocks.1.0") is net.blocks[1][0]
    assert net.get_parameter("heads.b.bias") is net.heads["b"].bias
    with pytest.raises(ArgumentError, match=r"no submodule 'blocks.7'"):
        net.get_submodule("blocks.7")
    with pytest.raises(ArgumentError, match=r"no parameter 'first\.wait'"):
        net.get_parameter("first.wait")


def test_tied_parameters_come_once_but_stand_under_both_names():
    net = Sequential(Linear(3, 3, bias=False), Linear(3, 3, bias=False))
    net[1].weight = net[0].weight
    assert [name for name, _ in net.named_parameters()] == ["0.weight"]
    assert [name for name, _ in net.named_parameters(remove_duplicate=False)] == ["0.weight", "1.weight"]
    assert list(net.state_dict()) == ["0.weight", "1.weight"]


@pytest.mark.parametrize("name", ["first", "a.b", "", 3])
def test_bad_buffer_names(net, name):
    with pytest.raises(ArgumentError):
        net.register_buffer(name, Tensor(0))


def test_buffers_and_parameters_are_checked(net):
    with pytest.raises(DTypeError, match="Tensor or None"):
        net.register_buffer("x", [1.0])
    with pytest.raises(DTypeError, match="Parameter or None"):
        net.register_parameter("x", Tensor(1.0))


def test_unknown_names_are_what_pytorch_raises_too(net):
    for wrong in (net.get_submodule, net.get_parameter, net.get_buffer, net.heads.__getitem__):
        for kind in (UnknownNameError, ArgumentError, KeyError, AttributeError):
            with pytest.raises(kind, match="'x'"):
                wrong("x")
    assert net.get_buffer("seen").item() == 0
    assert "'" not in str(UnknownNameError("no quotes around this"))


def test_a_module_under_two_names_is_found_by_each():
    net = Module()
    net.first = Sequential(Linear(1, 1), Identity())
    net.second = net.first
    assert net.get_submodule("second.0") is net.first[0] and net.get_submodule("") is net
    assert net.get_parameter("second.0.weight") is net.first[0].weight
    names = ["", "first", "first.0", "first.1", "second", "second.0", "second.1"]
    assert [name for name, _ in net.named_modules()] == names[:4]
    assert [name for name, _ in net.named_modules(remove_duplicate=False)] == names
    net.set_submodule("second.1", Linear(1, 2))
    assert net.first[1].out_features == 2
    with pytest.raises(UnknownNameError):
        net.set_submodule("third.1", Identity())


def test_parts_are_added_under_names_that_they_can_have():
    net = Module()
    net.register_module("0", Identity())
    net.register_buffer("1", Tensor([1.0]))
    net.add_module("later", None)
    net.add_module("later", Linear(1, 1, bias=False))
    assert list(net.state_dict()) == ["1", "later.weight"]
    for name in ("a.b", "", "forward", 3):
        with pytest.raises(ArgumentError):
            net.add_module(name, Identity())
        with pytest.raises(ArgumentError):
            net.register_parameter(name, Parameter([1.0]))
    with pytest.raises(DTypeError, match="Module or None, not int"):
        net.add_module("x", 3)
