"""State dicts: PyTorch's structure, copies in and out, all or nothing."""

import math

import numpy as np
import pytest

from tt_optim import SGD, Adagrad, Adam, AdamW, Muon, NAdam, RMSprop
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


def params_of(dtype=np.float32):
    return [Tensor(np.ones(shape), dtype=dtype, requires_grad=True) for shape in [(2, 3), (), (4,)]]


def stepped(kind=Adam, steps=2, dtype=np.float32, **options):
    params = params_of(dtype)
    optimizer = kind([{"params": params[:2]}, {"params": params[2:], "lr": 0.5}], **options)
    for step in range(steps):
        for p in params:
            p.grad = np.full(p.shape, 0.5 + step, p.dtype)
        params[1].grad = None
        optimizer.step()
    return params, optimizer


def test_the_structure_is_pytorchs():
    _, optimizer = stepped(amsgrad=True)
    saved = optimizer.state_dict()
    assert sorted(saved) == ["param_groups", "state"]
    assert [group["params"] for group in saved["param_groups"]] == [[0, 1], [2]]
    assert saved["param_groups"][1]["lr"] == 0.5
    assert sorted(saved["state"]) == [0, 2]
    assert sorted(saved["state"][0]) == ["exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"]
    assert saved["state"][0]["exp_avg"].shape == (2, 3)
    assert saved["state"][2]["step"].item() == 2


def test_before_the_first_step_there_is_no_state_but_adagrads():
    assert Adam(params_of()).state_dict()["state"] == {}
    saved = Adagrad(params_of(), initial_accumulator_value=0.5).state_dict()["state"]
    assert [saved[at]["step"].item() for at in range(3)] == [0, 0, 0]
    assert saved[0]["sum"].tolist() == [[0.5] * 3] * 2


def test_sgd_without_momentum_has_no_state():
    _, optimizer = stepped(SGD, lr=0.1)
    assert optimizer.state_dict()["state"] == {}
    assert len(optimizer.state) == 0


def test_a_state_dict_is_a_snapshot():
    _, optimizer = stepped()
    saved = optimizer.state_dict()
    kept = saved["state"][0]["exp_avg"].tolist()
    optimizer.step()
    assert saved["state"][0]["exp_avg"].tolist() == kept
    other = params_of()
    twin = Adam([{"params": other[:2]}, {"params": other[2:]}])
    twin.load_state_dict(saved)
    other[0].grad = np.ones((2, 3), np.float32)
    twin.step()
    assert saved["state"][0]["exp_avg"].tolist() == kept
    assert saved["param_groups"][0] is not twin.param_groups[0]


def test_state_shows_the_memory_in_use():
    params, optimizer = stepped()
    assert list(map(id, optimizer.state)) == [id(params[0]), id(params[2])]
    assert params[1] not in optimizer.state
    assert optimizer.state[params[1]] == {}
    optimizer.state[params[0]]["exp_avg"].write(np.zeros((2, 3)))
    assert optimizer.state_dict()["state"][0]["exp_avg"].tolist() == [[0.0] * 3] * 2
    with pytest.raises(KeyError, match="does not optimize this tensor"):
        optimizer.state[Tensor([1.0])]
    assert Tensor([1.0]) not in optimizer.state
    assert repr(optimizer.state) == "State of 2 parameters: exp_avg, exp_avg_sq, max_exp_avg_sq"


def test_loading_sets_options_and_keeps_parameters():
    params, optimizer = stepped()
    saved = optimizer.state_dict()
    saved["param_groups"][0] |= {"lr": 0.25, "initial_lr": 0.75, "betas": [0.5, 0.5], "foreach": True}
    group = optimizer.param_groups[0]
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0] is group
    assert group["params"] == params[:2]
    assert (group["lr"], group["initial_lr"], group["betas"]) == (0.25, 0.75, (0.5, 0.5))
    assert "foreach" not in group


def test_loading_casts_to_the_dtype_of_the_parameter():
    _, optimizer = stepped(dtype=np.float64)
    saved = optimizer.state_dict()
    params, other = stepped()
    other.load_state_dict(saved)
    assert other.state[params[0]]["exp_avg"].dtype == np.float32


def test_loading_nothing_forgets():
    params, optimizer = stepped()
    fresh = params_of()
    optimizer.load_state_dict(Adam([{"params": fresh[:2]}, {"params": fresh[2:]}]).state_dict())
    assert len(optimizer.state) == 0
    params[0].grad = np.ones((2, 3), np.float32)
    optimizer.step()
    assert optimizer.state[params[0]]["step"].item() == 1


def test_nadam_and_momentum_buffers_go_along():
    for kind, options in (
        (NAdam, {}),
        (SGD, {"momentum": 0.9, "dampening": 0.5}),
        (RMSprop, {"momentum": 0.5}),
    ):
        params, optimizer = stepped(kind, lr=0.1, **options)
        others, twin = stepped(kind, lr=0.7, **options)
        for p, q in zip(others, params, strict=True):
            p.write(q)
        twin.load_state_dict(optimizer.state_dict())
        optimizer.step()
        twin.step()
        for p, q in zip(others, params, strict=True):
            np.testing.assert_array_equal(p.array, q.array)


def test_matrices_of_muon():
    p, q = Tensor(np.eye(3), requires_grad=True), Tensor(np.eye(3), requires_grad=True)
    first, second = Muon([p]), Muon([q])
    p.grad = q.grad = np.arange(9.0).reshape(3, 3)
    first.step()
    q.write(p)
    second.load_state_dict(first.state_dict())
    first.step()
    second.step()
    np.testing.assert_array_equal(p.array, q.array)


def changed(saved, change):
    change(saved)
    return saved


G = "param_groups"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("state"), ArgumentError, 'has the keys "state" and "param_groups"'),
        (lambda s: s.update(state=[1]), ArgumentError, '"state" a mapping'),
        (lambda s: s.update(param_groups={}), ArgumentError, '"param_groups" must be a list'),
        (lambda s: s[G].pop(), ArgumentError, "1 parameter groups were saved, but this optimizer has 2"),
        (lambda s: s[G].__setitem__(0, None), ArgumentError, "group 0 must be a dict"),
        (lambda s: s[G][0].pop("params"), ArgumentError, 'indices under "params"'),
        (
            lambda s: s[G][1].update(params=[2, 3]),
            ArgumentError,
            "saved with 2 parameters, but here it has 1",
        ),
        (
            lambda s: s[G][0].pop("betas"),
            ArgumentError,
            "group 0 lacks betas: it was saved by another optimizer",
        ),
        (lambda s: s[G][1].update(lr=-1), ArgumentError, "group 1: Adam: lr must be at least 0"),
        (
            lambda s: s["state"].update({7: {}}),
            ArgumentError,
            r"state for parameters \[7\], which no group lists",
        ),
        (lambda s: s["state"].update({0: [1]}), ArgumentError, "parameter 0: its state must be a dict"),
        (
            lambda s: s["state"][2].pop("step"),
            ArgumentError,
            r"group 1, parameter 0: its state lacks \['step'\]",
        ),
        (lambda s: s["state"][0].pop("exp_avg"), ArgumentError, r"lacks \['exp_avg'\]"),
        (lambda s: s["state"][0].update(sum=1), ArgumentError, r"unexpected state \['sum'\]; Adam keeps"),
        (lambda s: s["state"][0].update(step=-1), ArgumentError, "step must be a whole number"),
        (lambda s: s["state"][0].update(step=1.5), ArgumentError, "step must be a whole number"),
        (lambda s: s["state"][0].update(step=math.nan), ArgumentError, "step must be a whole number"),
        (lambda s: s["state"][0].update(step="2"), DTypeError, "step must be a number"),
        (
            lambda s: s["state"][2].update(exp_avg=np.ones(5)),
            ShapeError,
            r"exp_avg has shape \(5,\), but the parameter has \(4,\)",
        ),
        (
            lambda s: s["state"][2].update(exp_avg=np.ones(4, int)),
            DTypeError,
            "exp_avg is int64, not of a floating",
        ),
        (lambda s: s["state"][2].update(exp_avg="abcd"), DTypeError, "exp_avg"),
    ],
)
def test_wrong_state_dicts_get_typed_errors_and_change_nothing(change, error, message):
    params, optimizer = stepped()
    good = optimizer.state_dict()
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(changed(optimizer.state_dict(), change))
    after = optimizer.state_dict()
    assert after["param_groups"] == good["param_groups"]
    for index, entries in good["state"].items():
        for name, tensor in entries.items():
            np.testing.assert_array_equal(after["state"][index][name].array, tensor.array)
    optimizer.step()
    assert optimizer.state[params[0]]["step"].item() == 3


def test_the_state_of_another_optimizer_is_refused():
    _, sgd = stepped(SGD, lr=0.1, momentum=0.9)
    _, adam = stepped(AdamW)
    with pytest.raises(ArgumentError, match="lacks betas, eps, amsgrad, decoupled_weight_decay"):
        adam.load_state_dict(sgd.state_dict())
    with pytest.raises(ArgumentError, match="saved by another optimizer than SGD"):
        sgd.load_state_dict(adam.state_dict())
    with pytest.raises(ArgumentError, match="has the keys"):
        sgd.load_state_dict(None)
    _, ams = stepped(Adam, amsgrad=True)
    saved = stepped(Adam)[1].state_dict()
    for group in saved["param_groups"]:
        group["amsgrad"] = True
    with pytest.raises(ArgumentError, match="max_exp_avg_sq"):
        ams.load_state_dict(saved)


class ForeignTensor:
    """As PyTorch's: `size` is a method, `item` gives the number."""

    def __init__(self, value):
        self.value = value

    def size(self):
        return ()

    def item(self):
        return self.value


def test_numbers_may_be_tensors_of_others():
    _, optimizer = stepped()
    saved = optimizer.state_dict()
    for state in saved["state"].values():
        state["step"] = ForeignTensor(7.0)
    saved["param_groups"][0]["lr"] = ForeignTensor(0.25)
    optimizer.load_state_dict(saved)
    assert optimizer.state_dict()["state"][0]["step"].item() == 7
    assert optimizer.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize("wrong", [np.zeros(2), Tensor([1.0, 2.0]), "0.1", None, True])
def test_what_is_no_number(wrong):
    with pytest.raises(DTypeError, match="lr must be a number"):
        Adam(params_of(), lr=wrong)


@pytest.mark.parametrize(
    ("kind", "shape"), [(Adam, (0,)), (NAdam, (2, 0)), (RMSprop, (0,)), (Adagrad, (0,)), (Muon, (0, 3))]
)
def test_the_state_of_nothing_but_empty_parameters_is_complete(kind, shape):
    p = Tensor(np.ones(shape, np.float32), requires_grad=True)
    optimizer = kind([p])
    p.grad = np.ones(shape, np.float32)
    optimizer.step()
    kind([p]).load_state_dict(optimizer.state_dict())
