"""The interface is PyTorch's; bad input gets a typed error that names it, and changes nothing."""

import math

import numpy as np
import pytest

import tt_nn
import tt_optim
from tt_optim import (
    ASGD,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
)
from tt_optim.ranges import NONNEGATIVE
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError

ALL = [SGD, Adam, AdamW, NAdam, Adamax, RAdam, RMSprop, Adagrad, Adadelta, Lion, Rprop, ASGD, Muon]


def matrix(values=((1.0, 2.0), (3.0, 4.0))):
    return Tensor(values, requires_grad=True)


@pytest.mark.parametrize(
    ("kind", "defaults"),
    [
        (
            SGD,
            {
                "lr": 1e-3,
                "momentum": 0,
                "dampening": 0,
                "weight_decay": 0,
                "nesterov": False,
                "maximize": False,
            },
        ),
        (Adam, {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False}),
        (AdamW, {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-2, "amsgrad": False}),
        (NAdam, {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "momentum_decay": 4e-3}),
        (
            RMSprop,
            {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0, "momentum": 0, "centered": False},
        ),
        (
            Adagrad,
            {"lr": 1e-2, "lr_decay": 0, "weight_decay": 0, "initial_accumulator_value": 0, "eps": 1e-10},
        ),
        (Adadelta, {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0}),
        (Adamax, {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0}),
        (RAdam, {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "decoupled_weight_decay": False}),
        (Lion, {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0}),
        (Rprop, {"lr": 1e-2, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0), "maximize": False}),
        (ASGD, {"lr": 1e-2, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0}),
        (
            Muon,
            {"lr": 1e-3, "weight_decay": 0.1, "momentum": 0.95, "nesterov": True, "ns_steps": 5, "eps": 1e-7},
        ),
    ],
)
def test_defaults_are_pytorchs(kind, defaults):
    optimizer = kind([matrix()])
    assert {name: optimizer.defaults[name] for name in defaults} == defaults
    assert {name: optimizer.param_groups[0][name] for name in defaults} == defaults


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind not in (Lion, Muon)])
def test_what_chooses_how_pytorch_runs_a_step_is_taken_without_effect(kind):
    found = []
    for execution in ({}, {"foreach": True, "fused": None, "capturable": False, "differentiable": False}):
        p = matrix()
        optimizer = kind([p], lr=0.1, **execution)
        p.grad = np.ones((2, 2), np.float32)
        optimizer.step()
        found.append((p.tolist(), optimizer.defaults))
    assert found[0] == found[1]
    with pytest.raises(DTypeError, match=f"{kind.__name__}: there is no argument 'momentom'"):
        kind([matrix()], momentom=0.9)
    with pytest.raises(ArgumentError, match="differentiable=True is not here"):
        kind([matrix()], differentiable=True)


@pytest.mark.parametrize("kind", ALL)
def test_a_step_reads_grad_and_nothing_else(kind):
    frozen, plain = matrix(), Tensor([[1.0, 2.0]])
    optimizer = kind([frozen, plain], lr=0.1)
    kept = frozen.tolist()
    plain.grad = np.array([[1.0, -1.0]], np.float32)
    assert optimizer.step() is None
    assert frozen.tolist() == kept
    assert optimizer.keeps_from_start or frozen not in optimizer.state
    assert plain.tolist() != [[1.0, 2.0]]
    assert not plain.requires_grad


def test_step_returns_what_the_closure_returns():
    p = matrix()
    optimizer = SGD([p], lr=1.0)

    def closure():
        optimizer.zero_grad()
        p.grad = np.ones((2, 2), np.float32)
        return 42.0

    assert optimizer.step(closure) == 42.0
    assert p.tolist() == [[0, 1], [2, 3]]


def test_zero_grad_forgets_or_fills():
    first, second, third = matrix(), matrix(), matrix()
    first.grad = np.ones((2, 2), np.float32)
    second.grad = np.broadcast_to(np.float32(1), (2, 2))
    optimizer = SGD([first, second, third])
    array, version = first.grad.array, first.grad.version
    optimizer.zero_grad(set_to_none=False)
    assert first.grad.array is array
    assert first.grad.version == version + 1
    assert [p.grad if p.grad is None else p.grad.array.sum() for p in (first, second, third)] == [0, 0, None]
    optimizer.zero_grad()
    assert [p.grad for p in (first, second, third)] == [None, None, None]


def test_groups_have_their_own_options():
    first, second, third = matrix(), matrix(), matrix()
    given = {"params": second, "lr": 0.5}
    optimizer = SGD([{"params": [first]}, given], lr=1.0)
    assert given == {"params": second, "lr": 0.5}
    optimizer.add_param_group({"params": (p for p in [third]), "lr": 0.0, "note": "thawed later"})
    for p in (first, second, third):
        p.grad = np.ones((2, 2), np.float32)
    optimizer.step()
    assert [p.tolist()[0][0] for p in (first, second, third)] == [0, 0.5, 1]
    optimizer.param_groups[2]["lr"] = Tensor(2.0)
    optimizer.param_groups[0]["lr"] = np.float64(0.0)
    optimizer.step()
    assert [p.tolist()[0][0] for p in (first, second, third)] == [0, 0, -1]
    assert first.dtype == np.float32
    assert optimizer.param_groups[2]["note"] == "thawed later"


def test_named_parameters_keep_their_names():
    model = tt_nn.Linear(2, 3)
    optimizer = Adam(model.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ArgumentError, match="of all groups, or of none"):
        optimizer.add_param_group({"params": [matrix()]})
    assert len(optimizer.param_groups) == 1


def test_maximize_climbs():
    for kind in (SGD, Adam, AdamW, NAdam, Adamax, RAdam, RMSprop, Adagrad, Adadelta, Lion):
        p = Tensor([1.0], requires_grad=True)
        p.grad = [1.0]
        kind([p], lr=0.1, maximize=True, weight_decay=0.0).step()
        assert p.item() > 1


def test_weight_decay_without_a_gradient_to_speak_of():
    p = Tensor([2.0], requires_grad=True)
    p.grad = [0.0]
    AdamW([p], lr=0.1, weight_decay=0.5).step()
    assert p.item() == pytest.approx(2 * (1 - 0.05))


def test_the_door_is_update():
    class SignSGD(Optimizer):
        ranges = {"lr": NONNEGATIVE}

        def __init__(self, params, lr=1e-3):
            super().__init__(params, {"lr": lr})

        def update(self, tile, group, clock):
            tile.values -= group["lr"] * np.sign(tile.grads)

    params = [matrix(), Tensor([1.0], requires_grad=True)]
    optimizer = SignSGD(params, lr=0.5)
    params[0].grad = np.full((2, 2), 7.0, np.float32)
    params[1].grad = [-1e-3]
    optimizer.step()
    assert params[0].tolist() == [[0.5, 1.5], [2.5, 3.5]]
    assert params[1].item() == 1.5
    with pytest.raises(ArgumentError, match="SignSGD: lr must be at least 0"):
        SignSGD(params, lr=-1)
    plain = Optimizer(params, {})
    with pytest.raises(NotImplementedError, match="write its formula there"):
        plain.step()


def test_repr_shows_the_groups():
    text = repr(Adam([matrix(), matrix()], lr=0.25))
    assert text.startswith("Adam (\n  group 0: 2 tensors, 8 numbers")
    assert "    lr: 0.25\n" in text


def test_groups_are_added_by_add_param_group():
    optimizer = SGD([matrix()])
    optimizer.param_groups.append({"params": [matrix()]})
    with pytest.raises(ArgumentError, match="use add_param_group"):
        optimizer.step()


P = matrix()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: SGD([]), ArgumentError, "the list of parameters is empty"),
        (lambda: SGD(P), DTypeError, r"not one Tensor; pass \[tensor\]"),
        (lambda: SGD(None), DTypeError, "must be an iterable of Tensors or of groups, not NoneType"),
        (lambda: SGD("weights"), DTypeError, "not str"),
        (lambda: SGD({P}), DTypeError, "a set of parameters has another order"),
        (lambda: SGD({"params": [P]}), DTypeError, "got a mapping"),
        (lambda: SGD(tt_nn.Linear(1, 1)), DTypeError, r"pass its parameters, model.parameters\(\)"),
        (lambda: SGD([P, 3.0]), DTypeError, "parameter 1 is no Tensor but float"),
        (lambda: SGD([np.ones(3)]), DTypeError, "parameter 0 is no Tensor but ndarray"),
        (lambda: SGD([Tensor([1, 2])]), DTypeError, "int64; only floating dtypes have a gradient"),
        (lambda: SGD([Tensor([True])]), DTypeError, "is bool"),
        (lambda: SGD([P, P]), ArgumentError, r"parameter 1 of shape \(2, 2\) appears twice"),
        (lambda: SGD([{"params": [P]}, {"params": [P]}]), ArgumentError, "appears twice"),
        (lambda: SGD([{"params": [P]}, P]), DTypeError, "a parameter group must be a dict, not Tensor"),
        (lambda: SGD([{"lr": 0.1}]), ArgumentError, 'needs "params"'),
        (lambda: SGD([{"params": {P}}]), DTypeError, "a set of parameters"),
        (lambda: SGD([("weight", P), matrix()]), ArgumentError, "1 of 2 are named"),
        (lambda: SGD([P]).add_param_group([matrix()]), DTypeError, "must be a dict, not list"),
        (lambda: SGD([P]).add_param_group({"params": [P]}), ArgumentError, "appears twice"),
        (lambda: SGD([P]).add_param_group({"params": [matrix()], "lr": -1}), ArgumentError, "SGD: lr"),
        (lambda: SGD([{"params": [P], "momentum": -1}]), ArgumentError, "SGD: momentum must be at least 0"),
        (lambda: SGD([P], lr=-0.1), ArgumentError, "SGD: lr must be at least 0 and finite, not -0.1"),
        (lambda: SGD([P], lr=math.nan), ArgumentError, "SGD: lr must be at least 0"),
        (lambda: SGD([P], lr=math.inf), ArgumentError, "SGD: lr must be at least 0 and finite"),
        (lambda: SGD([P], lr="fast"), DTypeError, "SGD: lr must be a number, not 'fast'"),
        (lambda: SGD([P], lr=None), DTypeError, "SGD: lr must be a number, not NoneType"),
        (lambda: SGD([P], lr=[0.1, 0.2]), DTypeError, "SGD: lr must be a number, not list"),
        (lambda: SGD([P], lr=Tensor([0.1, 0.2])), DTypeError, "SGD: lr must be a number"),
        (lambda: SGD([P], weight_decay=-1), ArgumentError, "SGD: weight_decay must be at least 0"),
        (lambda: SGD([P], nesterov=True), ArgumentError, "nesterov needs momentum > 0 and dampening 0"),
        (lambda: SGD([P], nesterov=True, momentum=0.9, dampening=0.1), ArgumentError, "nesterov needs"),
        (lambda: SGD([P], nesterov="yes"), DTypeError, "nesterov must be True or False"),
        (lambda: SGD([P], maximize=1), DTypeError, "SGD: maximize must be True or False"),
        (
            lambda: Adam([P], betas=(1.0, 0.999)),
            ArgumentError,
            r"Adam: betas\[0\] must be in \[0, 1\), not 1.0",
        ),
        (lambda: Adam([P], betas=(0.9, -0.1)), ArgumentError, r"Adam: betas\[1\] must be in \[0, 1\)"),
        (lambda: Adam([P], betas=0.9), ArgumentError, "Adam: betas must be two numbers"),
        (lambda: Adam([P], betas=(0.9,)), ArgumentError, "Adam: betas must be two numbers"),
        (lambda: Adam([P], eps=-1e-8), ArgumentError, "Adam: eps must be at least 0"),
        (lambda: AdamW([P], amsgrad=None), DTypeError, "AdamW: amsgrad must be True or False"),
        (lambda: AdamW([P], weight_decay=-0.01), ArgumentError, "AdamW: weight_decay"),
        (lambda: NAdam([P], momentum_decay=-1), ArgumentError, "NAdam: momentum_decay must be at least 0"),
        (lambda: RMSprop([P], alpha=-0.1), ArgumentError, "RMSprop: alpha must be at least 0"),
        (lambda: RMSprop([P], momentum=-0.1), ArgumentError, "RMSprop: momentum"),
        (lambda: Adagrad([P], lr_decay=-1), ArgumentError, "Adagrad: lr_decay"),
        (lambda: Adagrad([P], initial_accumulator_value=-1), ArgumentError, "initial_accumulator_value"),
        (lambda: Adadelta([P], rho=1.5), ArgumentError, r"Adadelta: rho must be in \[0, 1\]"),
        (lambda: Lion([P], betas=(0.9, 1.0)), ArgumentError, r"Lion: betas\[1\]"),
        (lambda: Muon([Tensor([1.0])]), ShapeError, r"parameter 0 of shape \(1,\) is no matrix; give it"),
        (
            lambda: Muon([P], ns_steps=100),
            ArgumentError,
            "ns_steps must be an integer of at least 1 and below 100",
        ),
        (lambda: Rprop([P], etas=(1.0, 1.2)), ArgumentError, "0 < η⁻ < 1 < η⁺"),
        (lambda: Rprop([P], etas=0.5), ArgumentError, "etas must be two numbers"),
        (lambda: Rprop([P], step_sizes=(1.0, 0.5)), ArgumentError, "0 ≤ least ≤ most"),
        (lambda: ASGD([P], t0=-1), ArgumentError, "t0 must be at least 0"),
        (lambda: Muon([P], adjust_lr_fn="rms"), ArgumentError, "one of None, 'original', 'match_rms_adamw'"),
        (lambda: Muon([P], ns_coefficients=(1, 2)), ArgumentError, "must be three numbers"),
        (lambda: Muon([P], momentum=1.0), ArgumentError, r"momentum must be in \[0, 1\)"),
    ],
)
def test_wrong_calls_get_typed_errors(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


def test_a_refused_group_is_not_added():
    optimizer = SGD([P])
    new = matrix()
    with pytest.raises(ArgumentError):
        optimizer.add_param_group({"params": [new, P]})
    assert len(optimizer.param_groups) == 1
    optimizer.step()


def test_results_are_not_optimized(monkeypatch):
    p = matrix()
    p._node = object()
    with pytest.raises(GradientError, match="optimize the leaf"):
        SGD([p])


def test_everything_public_is_there():
    assert [name for name in tt_optim.__all__ if not hasattr(tt_optim, name)] == []
    assert tt_optim.lr_scheduler.StepLR is tt_optim.StepLR
