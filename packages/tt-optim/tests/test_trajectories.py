"""Every optimizer walks PyTorch's path: goldens/make_trajectories.py wrote where it leads."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

import tt_optim
from tt_tensor import Tensor

GOLDENS = Path(__file__).with_name("goldens") / "trajectories.npz"
with np.load(GOLDENS, allow_pickle=False) as file:
    ARRAYS = {name: file[name] for name in file.files}
TABLE = json.loads(ARRAYS["table"].item())
CASES = list(enumerate(TABLE["cases"]))
NAMES = [f"{case['name']}-{'-'.join(case['options']) or 'defaults'}" for _, case in CASES]
each_case = pytest.mark.parametrize(("number", "case"), CASES, ids=NAMES)


def start(name, dtype=np.float64):
    kind = "matrices" if name == "Muon" else "any"
    return [Tensor(ARRAYS[f"{kind}{at}"], dtype=dtype, requires_grad=True) for at in range(4)]


def make(case, params):
    kind = getattr(tt_optim, case["name"])
    lr = case["options"].get("lr") or kind([Tensor(np.zeros((1, 1)))]).defaults["lr"]
    groups = [{"params": params[:2]}, {"params": params[2:], "lr": lr / 2, "weight_decay": 0.01}]
    return kind(groups, **case["options"])


def give_gradients(case, params, step):
    sign = -1.0 if case["options"].get("maximize") else 1.0
    for which, p in enumerate(params):
        values = p.array.astype(np.float64)
        gradient = sign * ((0.5 + which) * (values - 0.3 * which) + 0.4 * np.sin(3 * values + step))
        p.grad = None if step > 1 and step % 7 == which else np.asarray(gradient, p.dtype)


def walk(case, params, optimizer, first=1, last=TABLE["steps"]):
    """Yields the step after each step."""
    for step in range(first, last + 1):
        give_gradients(case, params, step)
        optimizer.step()
        if step == 50 and case["name"] != "ASGD":
            for group in optimizer.param_groups:
                group["lr"] /= 2
        yield step


def joined(params):
    return np.concatenate([p.array for p in params], axis=None)


def torch_state(number, case, step):
    """The state that PyTorch saved, in the form of its state dict."""
    values, state, at = ARRAYS[f"state{number}_{step}"], {}, 0
    for index, name, shape in case["state"][str(step)]:
        size = int(np.prod(shape))
        state.setdefault(index, {})[name] = values[at : at + size].reshape(shape)
        at += size
    return state


@each_case
def test_the_path_is_pytorchs(number, case):
    params = start(case["name"])
    optimizer = make(case, params)
    seen = [joined(params).copy() for step in walk(case, params, optimizer) if step in TABLE["kept"]]
    np.testing.assert_allclose(np.stack(seen), ARRAYS[f"values{number}"], rtol=1e-6, atol=1e-12)


@each_case
def test_the_state_is_pytorchs(number, case):
    params = start(case["name"])
    optimizer = make(case, params)
    for step in walk(case, params, optimizer):
        if step not in (50, 100):
            continue
        ours, theirs = optimizer.state_dict()["state"], torch_state(number, case, step)
        assert sorted(ours) == sorted(theirs)
        for index, entries in theirs.items():
            assert sorted(ours[index]) == sorted(entries)
            for name, expected in entries.items():
                np.testing.assert_allclose(
                    ours[index][name].array, expected, rtol=1e-6, atol=1e-12, err_msg=name
                )


@each_case
def test_a_state_saved_by_pytorch_goes_on(number, case):
    params = start(case["name"])
    optimizer = make(case, params)
    saved = optimizer.state_dict()
    for group in saved["param_groups"]:
        group |= {"foreach": None, "differentiable": False}
        if case["name"] != "ASGD":
            group["lr"] /= 2
    saved["state"] = torch_state(number, case, 50)
    optimizer.load_state_dict(saved)
    at = TABLE["kept"].index(50)
    pieces = np.split(ARRAYS[f"values{number}"][at], np.cumsum([p.size for p in params])[:-1])
    for p, values in zip(params, pieces, strict=True):
        p.write(values.reshape(p.shape))
    for _ in walk(case, params, optimizer, 51):
        pass
    np.testing.assert_allclose(joined(params), ARRAYS[f"values{number}"][-1], rtol=1e-6, atol=1e-12)


@each_case
def test_float32_stays_float32_and_near(number, case):
    params = start(case["name"], np.float32)
    optimizer = make(case, params)
    for _ in walk(case, params, optimizer, last=10):
        assert all(p.dtype == np.float32 for p in params)
    for entries in optimizer.state.values():
        assert {name: tensor.dtype for name, tensor in entries.items() if tensor.dtype != np.float32} == {}
    expected = ARRAYS[f"values{number}"][TABLE["kept"].index(10)]
    # Muon rounds to 8 bits on the way, so a last bit may become a coarse one.
    np.testing.assert_allclose(
        joined(params), expected, rtol=2e-4, atol=2e-2 if case["name"] == "Muon" else 2e-5
    )


@each_case
def test_resumed_is_uninterrupted_to_the_bit(number, case):
    params = start(case["name"], np.float32)
    optimizer = make(case, params)
    for _ in walk(case, params, optimizer, last=38):
        pass
    others = copy.deepcopy(params)
    resumed = make(case, others)
    resumed.load_state_dict(optimizer.state_dict())
    for _ in walk(case, params, optimizer, 39):
        pass
    for _ in walk(case, others, resumed, 39):
        pass
    assert joined(params).tobytes() == joined(others).tobytes()
    for mine, other in zip(optimizer.state.values(), resumed.state.values(), strict=True):
        assert {k: t.array.tobytes() for k, t in mine.items()} == {
            k: t.array.tobytes() for k, t in other.items()
        }
