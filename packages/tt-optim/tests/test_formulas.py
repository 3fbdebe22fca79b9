"""The flat step equals the formula, parameter by parameter, whatever the shapes and whoever has no gradient."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_optim
from tt_optim import flat, layout
from tt_optim.muon import newton_schulz
from tt_tensor import Tensor

# Each reference: (θ, g, what it remembers, step, options) → θ; plain formulas on one array, nothing shared.


def sgd(x, g, s, t, lr=0.1, momentum=0.0, dampening=0.0, nesterov=False):
    if momentum:
        s["b"] = g if "b" not in s else momentum * s["b"] + (1 - dampening) * g
        g = g + momentum * s["b"] if nesterov else s["b"]
    return x - lr * g


def adam(x, g, s, t, lr=0.01, betas=(0.9, 0.999), eps=1e-8, amsgrad=False, decoupled=0.0):
    x = x - lr * decoupled * x
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g**2
    s["top"] = np.maximum(s.get("top", 0), s["v"])
    v = s["top"] if amsgrad else s["v"]
    return x - lr * (s["m"] / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


def adamw(x, g, s, t, **options):
    return adam(x, g, s, t, decoupled=0.01, **options)


def nadam(x, g, s, t, lr=0.002, betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3):
    def mu(t):
        return betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay))

    s["product"] = s.get("product", 1.0) * mu(t)
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g**2
    m = mu(t + 1) * s["m"] / (1 - s["product"] * mu(t + 1)) + (1 - mu(t)) * g / (1 - s["product"])
    return x - lr * m / (np.sqrt(s["v"] / (1 - betas[1] ** t)) + eps)


def rmsprop(x, g, s, t, lr=0.01, alpha=0.99, eps=1e-8, momentum=0.0, centered=False):
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g**2
    s["mean"] = alpha * s.get("mean", 0) + (1 - alpha) * g
    v = np.maximum(s["v"] - s["mean"] ** 2, 0) if centered else s["v"]
    move = g / (np.sqrt(v) + eps)
    if momentum:
        move = s["b"] = momentum * s.get("b", 0) + move
    return x - lr * move


def adagrad(x, g, s, t, lr=0.01, lr_decay=0.0, eps=1e-10, initial_accumulator_value=0.0):
    s["sum"] = s.get("sum", initial_accumulator_value) + g**2
    return x - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s["sum"]) + eps)


def adadelta(x, g, s, t, lr=1.0, rho=0.9, eps=1e-6):
    s["v"] = rho * s.get("v", 0) + (1 - rho) * g**2
    move = np.sqrt(s.get("u", 0) + eps) / np.sqrt(s["v"] + eps) * g
    s["u"] = rho * s.get("u", 0) + (1 - rho) * move**2
    return x - lr * move


def lion(x, g, s, t, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
    m = s.get("m", 0)
    s["m"] = betas[1] * m + (1 - betas[1]) * g
    return x - lr * weight_decay * x - lr * np.sign(betas[0] * m + (1 - betas[0]) * g)


def adamax(x, g, s, t, lr=2e-3, betas=(0.9, 0.999), eps=1e-8):
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["u"] = np.maximum(betas[1] * s.get("u", 0), np.abs(g) + eps)
    return x - lr / (1 - betas[0] ** t) * s["m"] / s["u"]


def radam(x, g, s, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g**2
    top = 2 / (1 - betas[1]) - 1
    rho = top - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    step = s["m"] / (1 - betas[0] ** t)
    if rho > 5:
        r = np.sqrt((rho - 4) * (rho - 2) * top / ((top - 4) * (top - 2) * rho))
        step = step * r * np.sqrt(1 - betas[1] ** t) / (np.sqrt(s["v"]) + eps)
    return x - lr * step


def rprop(x, g, s, t, lr=0.01, etas=(0.5, 1.2), step_sizes=(1e-6, 50.0)):
    turned = np.sign(g * s.get("g", 0))
    step = s.get("step", lr) * np.where(turned > 0, etas[1], np.where(turned < 0, etas[0], 1))
    s["step"] = np.clip(step, *step_sizes)
    s["g"] = np.where(turned < 0, 0, g)
    return x - np.sign(s["g"]) * s["step"]


def asgd(x, g, s, t, lr=0.01, lambd=1e-4, alpha=0.75, t0=1e6):
    eta = lr / (1 + lambd * lr * (t - 1)) ** alpha
    return (1 - lambd * eta) * x - eta * g


REFERENCES = [
    ("SGD", sgd, {"lr": 0.1}),
    ("SGD", sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.2}),
    ("Adam", adam, {"lr": 0.01}),
    ("Adam", adam, {"lr": 0.01, "amsgrad": True}),
    ("AdamW", adamw, {"lr": 0.01}),
    ("NAdam", nadam, {}),
    ("RMSprop", rmsprop, {}),
    ("RMSprop", rmsprop, {"momentum": 0.5}),
    ("RMSprop", rmsprop, {"centered": True, "eps": 0.1}),
    ("Adagrad", adagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", adadelta, {}),
    ("Adamax", adamax, {}),
    ("Adamax", adamax, {"betas": (0.5, 0.6)}),
    ("RAdam", radam, {}),
    ("RAdam", radam, {"betas": (0.5, 0.99), "lr": 0.1}),
    ("Lion", lion, {"lr": 0.01, "weight_decay": 0.1}),
    ("Rprop", rprop, {}),
    ("Rprop", rprop, {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (0.05, 0.2)}),
    ("ASGD", asgd, {}),
    ("ASGD", asgd, {"lr": 0.1, "lambd": 0.5, "alpha": 0.5}),
]
each = pytest.mark.parametrize(
    ("name", "reference", "options"), REFERENCES, ids=[f"{n}-{'-'.join(o)}" for n, _, o in REFERENCES]
)

shapes = st.lists(st.lists(st.integers(0, 4), max_size=3).map(tuple), min_size=1, max_size=6)


def arranged(dice, shape, kind):
    """Values of a shape: an array of its own, one that somebody else holds, transposed, or every second one."""
    values = dice.normal(size=shape)
    if kind == "transposed":
        return np.asfortranarray(values)
    if kind == "strided":
        wide = np.zeros((*shape, 2))
        wide[..., 0] = values
        return wide[..., 0]
    return values


@each
@settings(max_examples=40)
@given(data=st.data())
def test_flat_equals_naive(name, reference, options, data):
    dice = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
    wanted = data.draw(shapes, label="shapes")
    params, held = [], []
    for shape in wanted:
        kind = data.draw(st.sampled_from(["own", "held", "transposed", "strided"]), label="kind")
        p = Tensor(np.zeros(shape), requires_grad=True)
        p.array = arranged(dice, shape, kind)
        held.append(p.array if kind == "held" else None)
        params.append(p)
    expected = [p.array.copy() for p in params]
    memories, steps = [{} for _ in params], [0] * len(params)
    optimizer = getattr(tt_optim, name)(params, **options)
    for _ in range(4):
        for at, p in enumerate(params):
            absent = data.draw(st.booleans(), label="no gradient")
            p.grad = (
                None if absent else arranged(dice, p.shape, data.draw(st.sampled_from(["own", "strided"])))
            )
            if not absent:
                steps[at] += 1
                expected[at] = reference(expected[at], p.grad.array, memories[at], steps[at], **options)
        before = [(p.array.tobytes(), p.grad is None) for p in params]
        given_grads = [None if p.grad is None else p.grad.array.copy() for p in params]
        optimizer.step()
        for at, p in enumerate(params):
            np.testing.assert_allclose(p.array, expected[at], rtol=1e-6, atol=1e-9)
            if before[at][1]:
                assert p.array.tobytes() == before[at][0]
            else:
                assert p.grad.array.tobytes() == given_grads[at].tobytes()
            if held[at] is not None:
                assert p.array is held[at]


@each
def test_large_and_chunked_equals_naive(name, reference, options, monkeypatch):
    monkeypatch.setattr(layout, "SMALL", 50)
    monkeypatch.setattr(getattr(tt_optim, name), "tile", 7)
    dice = np.random.default_rng(3)
    params = [Tensor(dice.normal(size=shape), requires_grad=True) for shape in [(9, 8), (5, 5), (60,), (3,)]]
    params[2].array = np.repeat(params[2].array, 2)[::2]
    expected, memories = [p.array.copy() for p in params], [{} for _ in params]
    optimizer = getattr(tt_optim, name)(params, **options)
    for t in range(1, 4):
        for at, p in enumerate(params):
            p.grad = dice.normal(size=p.shape)
            expected[at] = reference(expected[at], p.grad.array, memories[at], t, **options)
        optimizer.step()
    for p, values in zip(params, expected, strict=True):
        np.testing.assert_allclose(p.array, values, rtol=1e-6, atol=1e-9)


def test_a_tile_is_what_the_cache_holds():
    assert flat.TILE * 4 * 6 <= 1 << 20


def test_adams_first_step_is_the_sign_and_eps_stands_outside_of_the_root():
    p = Tensor([0.0, 0.0, 0.0], requires_grad=True, dtype="float64")
    optimizer = tt_optim.Adam([p], lr=0.1)
    p.grad = np.array([3.0, -1e-3, 1e-12])
    optimizer.step()
    np.testing.assert_allclose(p.array, [-0.1, 0.1, -0.1 * 1e-12 / (1e-12 + 1e-8)], rtol=2e-5)


@pytest.mark.parametrize("shape", [(6, 6), (8, 3), (3, 8), (1, 5)])
def test_newton_schulz_orthogonalises(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    found = newton_schulz(matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7)
    assert found.shape == shape
    assert found.dtype == np.float32
    stretched = np.linalg.svd(found)[1]
    assert stretched.min() > 0.6
    assert stretched.max() < 1.3
    # The singular vectors stay; only the values go to about 1.
    rotated = u.T @ found @ vt.T
    assert np.abs(rotated - np.diag(np.diag(rotated))).max() < 0.05


def test_muon_steps_are_as_long_as_the_matrix_is_wide():
    p = Tensor(np.zeros((4, 16)), requires_grad=True)
    optimizer = tt_optim.Muon([p], lr=1.0, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    p.grad = np.random.default_rng(1).normal(size=(4, 16))
    optimizer.step()
    assert math.sqrt(np.mean(np.square(p.array))) == pytest.approx(0.2, rel=0.25)


@pytest.mark.parametrize("beta", [0.0, 0.01, 0.3])
@pytest.mark.parametrize("size", [1, 1 << 17], ids=["flat", "alone"])
def test_what_a_small_beta_forgets_leaves_nothing_in_the_digits(beta, size):
    # After a gradient of 1e7, float32 has no digits for one of 1 in what is added to the old mean and taken off again.
    weight = Tensor(np.zeros(size, np.float32), requires_grad=True)
    optimizer = tt_optim.Adam([weight], betas=(beta, 0.0))
    mean = 0.0
    for g in (1e7, 1.25, -0.75):
        weight.grad = np.full(size, g, np.float32)
        optimizer.step()
        mean = beta * mean + (1 - beta) * g
        np.testing.assert_allclose(optimizer.state[weight]["exp_avg"].numpy(), mean, rtol=1e-6)


def test_a_gradient_of_zeros_moves_nothing_and_is_finite():
    for name in (
        "SGD",
        "Adam",
        "AdamW",
        "NAdam",
        "RMSprop",
        "Adagrad",
        "Adadelta",
        "Adamax",
        "RAdam",
        "Lion",
        "Muon",
    ):
        p = Tensor(np.ones((2, 2)), requires_grad=True)
        options = {"weight_decay": 0.0} if name in ("AdamW", "Muon") else {}
        optimizer = getattr(tt_optim, name)([p], **options)
        p.grad = np.zeros((2, 2))
        optimizer.step()
        assert p.tolist() == [[1.0, 1.0], [1.0, 1.0]]
