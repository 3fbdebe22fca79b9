"""LBFGS goes PyTorch's way: goldens/make_lbfgs.py wrote where it leads."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from tt_optim import LBFGS
from tt_optim.line_search import Point, cubic_minimum, strong_wolfe
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

with np.load(Path(__file__).with_name("goldens") / "lbfgs.npz", allow_pickle=False) as file:
    ARRAYS = {name: file[name] for name in file.files}
TABLE = json.loads(ARRAYS["table"].item())
each_case = pytest.mark.parametrize("number", range(len(TABLE["cases"])))


def value_and_gradients(a, b):
    x, y = a[:-1], a[1:]
    value = (10 * (y - x**2) ** 2 + (1 - x) ** 2).sum() + ((b - 1) ** 4 + 0.1 * b**2).sum()
    of_a = np.zeros_like(a)
    of_a[:-1] = -40 * x * (y - x**2) - 2 * (1 - x)
    of_a[1:] += 20 * (y - x**2)
    return float(value), [of_a, 4 * (b - 1) ** 3 + 0.2 * b]


def start(dtype=np.float64):
    return [Tensor(np.array(values, dtype), requires_grad=True) for values in TABLE["start"]]


def closure_of(params, calls=None):
    def closure():
        value, gradients = value_and_gradients(*[p.array for p in params])
        for p, g in zip(params, gradients, strict=True):
            p.grad = g
        if calls is not None:
            calls.append(value)
        return value

    return closure


def joined(params):
    return np.concatenate([p.array for p in params], axis=None)


def near(found, wanted, tolerance=1e-8):
    np.testing.assert_allclose(found, wanted, tolerance, tolerance)


@each_case
def test_the_way_is_pytorchs(number):
    params, calls = start(), []
    optimizer, closure = LBFGS(params, **TABLE["cases"][number]), closure_of(params, calls)
    for step, count in enumerate(TABLE["evaluations"][number]):
        near(optimizer.step(closure), ARRAYS[f"losses{number}"][step])
        near(joined(params), ARRAYS[f"values{number}"][step])
        assert len(calls) == count
    state = optimizer.state_dict()["state"][0]
    names = sorted(name.split("/")[1] for name in ARRAYS if name.startswith(f"state{number}/"))
    assert sorted(state) == names
    for name in names:
        value = state[name]
        found = np.array([np.asarray(part) for part in (value if isinstance(value, list) else [value])])
        near(found, ARRAYS[f"state{number}/{name}"], 1e-5)


@each_case
def test_it_goes_on_from_a_state_dict(number):
    params = start()
    optimizer = LBFGS(params, **TABLE["cases"][number])
    optimizer.step(closure_of(params))
    others = copy.deepcopy(params)
    saved = optimizer.state_dict()
    saved["state"][0]["al"] = [0.0]  # PyTorch's has this, too
    resumed = LBFGS(others)
    resumed.load_state_dict(saved)
    for _ in range(2):
        optimizer.step(closure_of(params))
        resumed.step(closure_of(others))
    assert joined(params).tobytes() == joined(others).tobytes()


def test_the_valley_is_walked_to_its_end_in_float32():
    params = start(np.float32)
    optimizer = LBFGS(params, line_search_fn="strong_wolfe", max_iter=100)
    optimizer.step(closure_of(params))
    assert params[0].dtype == np.float32
    near(params[0].numpy(), 1.0, 1e-3)


def test_what_it_refuses():
    params = start()
    with pytest.raises(ArgumentError, match="needs a closure"):
        LBFGS(params).step()
    with pytest.raises(ArgumentError, match="one group"):
        LBFGS([{"params": params[:1]}, {"params": params[1:]}])
    for wrong in ({"max_iter": -1}, {"history_size": 0}, {"line_search_fn": "armijo"}, {"max_eval": 1.5}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            LBFGS(params, **wrong)
    with pytest.raises(DTypeError, match="what the closure returns must be a number"):
        LBFGS(params).step(lambda: None)


def test_a_state_dict_that_does_not_fit_changes_nothing():
    params = start()
    optimizer = LBFGS(params, max_iter=3)
    optimizer.step(closure_of(params))
    before = repr(optimizer.state_dict())

    def broken(**changes):
        saved = optimizer.state_dict()
        saved["state"][0] |= changes
        return saved

    for state, error, match in (
        (broken(d=np.zeros(2)), ShapeError, r"d has shape \(2,\), but the parameters are 7 numbers"),
        (broken(d=np.zeros(7, int)), DTypeError, "int64"),
        (broken(ro=[]), ArgumentError, "one length"),
        (broken(t=None), ArgumentError, r"lacks \['t'\]"),
        (broken(other=1), ArgumentError, "unexpected state"),
        ({"state": [], "param_groups": []}, ArgumentError, "keys"),
    ):
        with pytest.raises(error, match=match):
            optimizer.load_state_dict(state)
        assert repr(optimizer.state_dict()) == before


# --- the line search --------------------------------------------------------------------------------------


def test_the_minimum_of_a_cubic():
    # (t - 1)² (t + 2) has it at 1.
    def at(t):
        return Point(t, (t - 1) ** 2 * (t + 2), 2 * (t - 1) * (t + 2) + (t - 1) ** 2, np.zeros(1))

    for a, b in ((0.0, 3.0), (3.0, 0.0), (0.5, 0.9)):
        assert cubic_minimum(at(a), at(b), 0.0, 3.0) == pytest.approx(1)
    assert cubic_minimum(at(0.0), at(3.0), 2.0, 3.0) == 2.0


@pytest.mark.parametrize("first", [1e-4, 0.01, 1.0, 5.0, 100.0])
@pytest.mark.parametrize("power", [2, 4, 1.5])
def test_what_it_finds_meets_the_conditions(first, power):
    def at(t):
        return Point(t, abs(t - 2) ** power, power * abs(t - 2) ** (power - 1) * np.sign(t - 2), np.zeros(1))

    begin = at(0.0)
    found, asked = strong_wolfe(at, begin, first, 1.0)
    assert found.value <= begin.value + 1e-4 * found.t * begin.slope
    assert abs(found.slope) <= 0.9 * abs(begin.slope)
    assert 1 <= asked <= 26
