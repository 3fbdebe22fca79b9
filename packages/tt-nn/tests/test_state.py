"""State dicts: everything fits or nothing is loaded, and the error lists all that did not."""

import numpy as np
import pytest

from tt_nn import Linear, Module, Sequential, StateDictError
from tt_tensor import Tensor


def net():
    return Sequential(Linear(2, 3), Linear(3, 1))


def bytes_of(model):
    return {name: tensor.array.tobytes() for name, tensor in model.state_dict().items()}


def test_round_trip():
    a, b = net(), net()
    assert b.load_state_dict(a.state_dict()) == ([], [])
    assert bytes_of(a) == bytes_of(b)


def test_values_are_copied_not_shared():
    a, b = net(), net()
    b.load_state_dict(a.state_dict())
    a[0].weight.write(7)
    assert not (b[0].weight.numpy() == 7).any()
    assert a.state_dict()["0.weight"].shares_memory(a[0].weight)


def test_loading_keeps_the_memory_and_counts_as_a_write():
    model = net()
    view, version = model[0].weight.numpy(), model[0].weight.version
    model.load_state_dict(net().state_dict())
    assert model[0].weight.shares_memory(view) and model[0].weight.version > version


def test_all_faults_are_listed_and_nothing_is_loaded():
    model = net()
    before = bytes_of(model)
    state = net().state_dict()
    state["0.weight"] = np.zeros((3, 5))
    state["1.bias"] = np.zeros(1, complex)
    state["2.weight"] = state.pop("1.weight")
    with pytest.raises(StateDictError) as error:
        model.load_state_dict(state)
    for part in ("0.weight: (3, 5) given, (3, 2) here", "1.bias: complex128 given, float32 here",
                 "missing: 1.weight", "unexpected: 2.weight", "nothing was loaded"):  # fmt: skip
        assert part in str(error.value)
    assert bytes_of(model) == before
    with pytest.raises(StateDictError, match="wrong shape"):
        model.load_state_dict(state, strict=False)
    assert bytes_of(model) == before


def test_not_strict_loads_what_matches():
    model, other = net(), net()
    state = other.state_dict()
    del state["1.weight"]
    state["x"] = np.ones(1)
    found = model.load_state_dict(state, strict=False)
    assert found.missing_keys == ["1.weight"] and found.unexpected_keys == ["x"]
    assert bytes_of(model)["0.weight"] == bytes_of(other)["0.weight"]
    assert bytes_of(model)["1.weight"] != bytes_of(other)["1.weight"]


def test_a_state_that_shows_the_modules_own_memory():
    class Two(Module):
        def __init__(self):
            self.a, self.b = Linear(2, 2, bias=False), Linear(2, 2, bias=False)

    model = Two()
    a, b = model.a.weight.numpy().copy(), model.b.weight.numpy().copy()
    model.load_state_dict({"a.weight": model.a.weight.numpy().T, "b.weight": model.b.weight})
    np.testing.assert_array_equal(model.a.weight.numpy(), a.T)
    np.testing.assert_array_equal(model.b.weight.numpy(), b)


def test_float64_values_are_cast_and_integers_taken_but_not_the_other_way():
    model = Linear(1, 1)
    model.load_state_dict({"weight": np.array([[2.5]]), "bias": np.array([3])})
    assert model.weight.dtype == np.float32 and model.weight.item() == 2.5 and model.bias.item() == 3

    class Counter(Module):
        def __init__(self):
            self.register_buffer("count", Tensor(0))

    with pytest.raises(StateDictError, match="count: float32 given, int64 here"):
        Counter().load_state_dict({"count": np.float32(1)})


def test_buffers_that_are_not_persistent_stay_out():
    class Net(Module):
        def __init__(self):
            self.register_buffer("kept", Tensor([1.0]))
            self.register_buffer("cache", Tensor([1.0]), persistent=False)
            self.register_buffer("none", None)

    assert list(Net().state_dict()) == ["kept"]
    assert list(Net().state_dict(prefix="net.")) == ["net.kept"]


def test_a_list_is_no_state():
    with pytest.raises(StateDictError, match="expected a mapping"):
        net().load_state_dict([1, 2])


def test_a_foreign_tensor_that_cannot_be_read_is_named():
    class Foreign:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("call detach() first")

    model = net()
    before = bytes_of(model)
    state = {**net().state_dict(), "1.bias": Foreign()}
    with pytest.raises(StateDictError, match=r"1\.bias: Foreign cannot be read as an array \(call detach"):
        model.load_state_dict(state)
    assert bytes_of(model) == before


def test_assigned_tensors_bring_their_dtype(net):
    net.first.weight.grad = np.ones((3, 2), np.float32)
    state = {name: value.numpy() + 1 for name, value in net.double().state_dict().items()}
    weight = net.float().first.weight
    net.load_state_dict(state)
    assert weight.dtype == np.float32
    net.load_state_dict(state, assign=True)
    assert net.first.weight is weight and weight.dtype == np.float64 and weight.grad is None
    assert net.seen.dtype == np.int64
    np.testing.assert_array_equal(weight.numpy(), state["first.weight"])
    weight.write(0)
    assert state["first.weight"].any()
