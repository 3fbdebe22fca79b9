"""Sequential, ModuleList, ModuleDict and those of parameters behave as a list, a dictionary, and PyTorch's."""

import copy

import numpy as np
import pytest

from tt_nn import (
    Identity,
    Linear,
    Module,
    ModuleDict,
    ModuleList,
    Parameter,
    ParameterDict,
    ParameterList,
    Sequential,
)
from tt_nn.errors import UnknownNameError
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, IndexingError


def test_sequential_applies_in_order():
    a, b = Linear(2, 3), Linear(3, 1)
    x = Tensor([[1.0, 2.0]])
    np.testing.assert_array_equal(Sequential(a, b)(x).numpy(), b(a(x)).numpy())
    assert Sequential()(x) is x
    assert Sequential().backward(x) is x


def test_sequential_of_names():
    net = Sequential({"hidden": Linear(2, 3), "out": Linear(3, 1)})
    assert list(net.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert net.hidden is net[0] and "(out): Linear" in repr(net)
    net.append(Identity())
    assert [name for name, _ in net.named_children()] == ["hidden", "out", "2"]
    del net[0]
    assert next(net.named_children())[0] == "out" and net.out is net[0]
    with pytest.raises(AttributeError, match="no attribute 'hidden'"):
        net.hidden  # noqa: B018


def test_lists_are_lists():
    net = Sequential(Linear(1, 2), Linear(2, 3), Linear(3, 4))
    assert len(net) == 3 and net[-1].out_features == 4 and len(list(net)) == 3
    part = net[1:]
    assert isinstance(part, Sequential) and len(part) == 2 and part[0] is net[1]
    net[0] = Identity()
    del net[-1]
    net.insert(0, Identity())
    net.extend([Linear(3, 1)])
    assert [type(layer).__name__ for layer in net] == ["Identity", "Identity", "Linear", "Linear"]
    assert list(ModuleList([Linear(1, 1)]).state_dict()) == ["0.weight", "0.bias"]


def test_a_module_that_is_set_on_a_sequential_joins_the_row():
    net = Sequential()
    net.add_module("hidden", Linear(2, 3))
    net.add_module("out", Linear(3, 1))
    x = Tensor([[1.0, 2.0]])
    np.testing.assert_array_equal(net(x).numpy(), net.out(net.hidden(x)).numpy())
    net.backward(np.ones((1, 1), np.float32))
    assert net.hidden.weight.grad is not None and list(dict(net.named_children())) == ["hidden", "out"]
    net.out = Linear(3, 5)
    assert net(x).shape == (1, 5) and len(net) == 2
    del net.hidden
    assert len(net) == 1 and list(net.state_dict()) == ["out.weight", "out.bias"]
    numbered = Sequential(Linear(2, 3))
    setattr(numbered, "0", Linear(2, 4))
    assert numbered(x).shape == (1, 4) and getattr(numbered, "0") is numbered[0]


def test_names_stay_with_their_modules():
    net = Sequential({"a": Linear(1, 1)}).append(Identity()).append(Identity())
    assert list(dict(net.named_children())) == ["a", "1", "2"]
    del net[-1]
    assert list(dict(net.named_children())) == ["a", "1"]
    assert net.pop(0).in_features == 1
    assert list(dict(net.named_children())) == ["0"]
    part = Sequential(Linear(1, 2), Linear(2, 3), Linear(3, 4))[1:]
    assert list(part.state_dict()) == ["1.weight", "1.bias", "2.weight", "2.bias"]
    assert list(dict(part.append(Identity()).named_children())) == ["1", "2", "3"]
    assert list(dict(ModuleList([Identity(), Linear(1, 1)])[1:].named_children())) == ["0"]


def test_lists_add_and_pop():
    layers = ModuleList()
    layers += [Linear(1, 2), Identity()]
    assert isinstance(layers, ModuleList) and len(layers) == 2 and len(layers + ModuleList([Identity()])) == 3
    assert isinstance(layers.pop(), Identity) and len(layers) == 1
    with pytest.raises(DTypeError, match="ModuleList holds modules, not 3"):
        layers += [3]
    both = Sequential(Linear(1, 2)) + Sequential(Linear(2, 1))
    assert both(Tensor([[1.0]])).shape == (1, 1) and list(both.state_dict())[-1] == "1.bias"


def test_dicts_are_dicts():
    modules = ModuleDict({"a": Linear(1, 1)})
    modules["b"] = Identity()
    modules.update([("c", Identity())])
    assert list(modules) == list(modules.keys()) == ["a", "b", "c"] and "a" in modules and len(modules) == 3
    assert [type(module).__name__ for module in modules.values()] == ["Linear", "Identity", "Identity"]
    assert next(iter(modules.items()))[0] == "a"
    del modules["a"]
    assert "a" not in modules and list(modules.parameters()) == []
    assert isinstance(modules.pop("b"), Identity) and list(modules) == ["c"]
    modules.clear()
    assert len(modules) == 0


@pytest.mark.parametrize(
    ("wrong", "error", "what"),
    [
        (lambda: Sequential(Linear), DTypeError, "the class; make an instance"),
        (lambda: Sequential(Linear(1, 1), 3), DTypeError, "Sequential holds modules, not 3"),
        (lambda: ModuleList([None]), DTypeError, "ModuleList holds modules"),
        (lambda: ModuleDict({"a.b": Identity()}), ArgumentError, "without dots"),
        (lambda: ModuleDict({"": Identity()}), ArgumentError, "non-empty"),
        (lambda: ModuleDict()["x"], ArgumentError, "no module 'x'"),
        (lambda: Sequential(Identity())[3], IndexingError, "no module 3 among 1"),
        (lambda: Sequential(Identity())["0"], DTypeError, "a place is an integer, not '0'"),
        (lambda: Sequential(Identity()).pop(None), DTypeError, "a place is an integer"),
        (lambda: Sequential(Identity()).__delitem__(1), IndexingError, "no module 1 among 1"),
        (lambda: ModuleList(3), DTypeError, "takes a list of modules, not 3"),
        (lambda: Sequential(Identity()) + 3, DTypeError, "takes a list of modules, not 3"),
        (lambda: ModuleDict([3]), DTypeError, "pairs of them"),
        (lambda: ParameterDict(3), DTypeError, "mapping of names to parameters"),
        (lambda: Sequential({"a": Identity()}).insert(0, Identity()), ArgumentError, "has names"),
    ],
)
def test_wrong_use(wrong, error, what):
    with pytest.raises(error, match=what):
        wrong()


class Mixture(Module):
    """Parameters in a list and in a dictionary; PyTorch's names for them are "by.0", "of.scale"."""

    def __init__(self):
        self.by = ParameterList([Parameter([1.0, 2.0]), Tensor([3.0])])
        self.of = ParameterDict({"scale": Parameter([[4.0]])})


def test_parameters_in_a_list_and_a_dictionary_are_the_models():
    net = Mixture()
    assert list(net.state_dict()) == ["by.0", "by.1", "of.scale"]
    assert [p.tolist() for p in net.parameters()] == [[1, 2], [3], [[4]]]
    assert all(isinstance(p, Parameter) and p.requires_grad for p in net.parameters())
    assert (
        repr(net.by) == "ParameterList(0: (2,), 1: (1,))" and repr(net.of) == "ParameterDict(scale: (1, 1))"
    )
    twin = copy.deepcopy(net).double()
    assert twin.by[0].dtype == np.float64 and net.by[0].dtype == np.float32
    twin.by[0].write([5.0, 6.0])
    net.load_state_dict(twin.state_dict())
    assert net.by[0].tolist() == [5, 6] and list(net.modules()) == [net, net.by, net.of]


def test_lists_of_parameters_are_lists():
    held = ParameterList([Tensor([float(i)]) for i in range(3)])
    assert len(held) == 3 and [p.item() for p in held] == [0, 1, 2] and held[-1].item() == 2
    part = held[1:]
    assert isinstance(part, ParameterList) and part[0] is held[1]
    held[0] = Parameter([9.0])
    held.append(Tensor([3.0])).extend([Tensor([4.0])])
    del held[1]
    assert [p.item() for p in held.parameters()] == [9, 2, 3, 4]
    named = ParameterDict()
    named["a"] = Tensor([1.0])
    named.update([("b", Parameter([2.0]))])
    assert list(named) == ["a", "b"] and "a" in named and named.pop("a").item() == 1 and len(named) == 1
    for wrong in (Identity(), 1.0, np.zeros(2)):
        with pytest.raises(DTypeError, match="holds parameters"):
            held.append(wrong)
        with pytest.raises(DTypeError, match="holds parameters"):
            named["c"] = wrong
    with pytest.raises(GradientError, match="int64"):
        held.append(Tensor([1]))
    with pytest.raises(ArgumentError, match="without dots"):
        named["a.b"] = Tensor([1.0])
    with pytest.raises(IndexingError, match="no parameter 7 among 4"):
        held[7]
    with pytest.raises(UnknownNameError, match="no parameter 'z'"):
        named["z"]


class Doubled(Module):
    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return self.inner(x) * 2


def test_a_module_that_is_set_under_its_name_takes_the_place_of_the_one_that_runs():
    """How LoRA and quantization replace layers: walk `named_modules`, find the parent, `setattr`."""
    net = Module()
    net.blocks, net.heads = ModuleList([Linear(2, 2), Linear(2, 2)]), ModuleDict({"a": Linear(2, 1)})
    for name, layer in list(net.named_modules()):
        if isinstance(layer, Linear):
            parent, _, last = name.rpartition(".")
            setattr(net.get_submodule(parent), last, Doubled(layer))
    assert all(isinstance(block, Doubled) for block in net.blocks) and isinstance(net.heads["a"], Doubled)
    assert [name for name, _ in net.named_parameters()] == [
        f"{place}.inner.{kind}"
        for place in ("blocks.0", "blocks.1", "heads.a")
        for kind in ("weight", "bias")
    ]


def test_what_containers_hold_is_reached_by_name():
    layers, named = ModuleList([Linear(1, 2)]), ModuleDict({"wte": Identity()})
    assert getattr(layers, "0") is layers[0] and named.wte is named["wte"]
    layers.add_module("1", Identity())
    named.add_module("drop", Identity())
    assert len(layers) == 2 and list(named) == ["wte", "drop"]
    del named.wte
    delattr(layers, "0")
    assert list(named) == ["drop"] and isinstance(layers[0], Identity) and len(layers) == 1
    with pytest.raises(AttributeError, match="ModuleDict has no attribute 'wte'"):
        named.wte  # noqa: B018
    scales = ParameterDict({"up": Tensor([1.0])})
    scales.down = Parameter(Tensor([2.0]))
    assert list(scales) == ["up", "down"] and scales.up is scales["up"]


class DenseBlock(ModuleDict):
    """torchvision's: every layer sees what all before it made."""

    def __init__(self):
        super().__init__()
        for index in range(2):
            self.add_module(f"layer{index + 1}", Linear(2 + 2 * index, 2))

    def forward(self, x):
        made = [x]
        for _, layer in self.items():
            made.append(layer(np.concatenate(made, axis=-1)))
        return np.concatenate(made, axis=-1)


def test_a_subclass_of_a_dictionary_fills_itself_by_add_module():
    assert DenseBlock()(Tensor([[1.0, 2.0]])).shape == (1, 6)


@pytest.mark.parametrize("kind", [ModuleList, ModuleDict, ParameterList, ParameterDict])
def test_none_is_an_empty_one(kind):
    assert len(kind(None)) == len(kind()) == 0


def test_a_dictionary_gets():
    one = Identity()
    modules, parameters = ModuleDict({"a": one}), ParameterDict({"a": Parameter([1.0])})
    assert modules.get("a") is one and modules.get("b") is None and parameters.get("b", 3) == 3


def test_the_first_of_a_row_take_in_others():
    row = Sequential(Identity(), Linear(1, 1), Identity())[:2].insert(0, Linear(1, 2))
    assert list(row.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
