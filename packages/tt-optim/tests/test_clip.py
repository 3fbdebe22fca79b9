"""Clipping: PyTorch's numbers, in place, once for each gradient, and never silently."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import tt_nn
from tt_optim import clip_grad_norm_, clip_grad_value_, get_total_norm, stretches
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError

GOLDENS = Path(__file__).with_name("goldens") / "clipping.npz"
with np.load(GOLDENS, allow_pickle=False) as file:
    ARRAYS = {name: file[name] for name in file.files}
TABLE = json.loads(ARRAYS["table"].item())


def with_gradients(*grads):
    params = []
    for grad in grads:
        params.append(Tensor(np.zeros_like(grad), requires_grad=True))
        params[-1].grad = grad
    return params


@pytest.mark.parametrize(("number", "case"), list(enumerate(TABLE["cases"])))
def test_clipping_is_pytorchs(number, case):
    dice = np.random.default_rng(number)
    params = with_gradients(*[np.asarray(dice.normal(size=s), case["dtype"]) for s in TABLE["shapes"]])
    params.insert(2, Tensor([1.0], requires_grad=True))
    arrays = [p.grad.array for p in params if p.grad is not None]
    rtol = 1e-6 if case["dtype"] == "float32" else 1e-14
    if case["kind"] == "norm":
        total = clip_grad_norm_(params, case["limit"], case["p"])
        assert (total.shape, total.dtype) == ((), np.dtype(case["dtype"]))
        np.testing.assert_allclose(total.array, ARRAYS[f"total{number}"], rtol=rtol)
    else:
        assert clip_grad_value_(params, case["limit"]) is None
    np.testing.assert_allclose(np.concatenate(arrays, axis=None), ARRAYS[f"grads{number}"], rtol=rtol)
    assert params[2].grad is None
    assert all(p.grad.array.dtype == case["dtype"] for p in params if p.grad is not None)


def test_one_tensor_or_many():
    (p,) = with_gradients(np.array([3.0, 4.0], np.float32))
    assert clip_grad_norm_(p, 1.0).item() == 5
    np.testing.assert_allclose(p.grad.array, [0.6, 0.8], rtol=1e-6)
    assert clip_grad_norm_((q for q in [p]), 10.0).item() == pytest.approx(1, rel=1e-6)
    clip_grad_value_(p, 0.7)
    assert p.grad.tolist() == pytest.approx([0.6, 0.7])
    assert clip_grad_norm_([], 1.0).item() == 0
    assert get_total_norm(Tensor(np.zeros((0, 2))), math.inf).item() == 0
    assert clip_grad_norm_([Tensor([1.0])], 1.0).dtype == np.float32


def test_a_norm_within_the_bound_changes_no_bit():
    (p,) = with_gradients(np.array([0.1, 0.2], np.float32))
    kept, version = p.grad.array.tobytes(), p.grad.version
    clip_grad_norm_([p], 1.0)
    assert p.grad.array.tobytes() == kept
    assert p.grad.version == version


def test_in_place_and_counted():
    params = with_gradients(np.full(3, 2.0, np.float32))
    array, version = params[0].grad.array, params[0].grad.version
    clip_grad_norm_(params, 1.0)
    assert params[0].grad.array is array
    assert params[0].grad.version == version + 1
    clip_grad_value_(params, 0.1)
    assert params[0].grad.version == version + 2


def test_a_gradient_that_two_share_is_scaled_once():
    params = with_gradients(np.array([3.0], np.float32), np.array([4.0], np.float32))
    params[1].grad = params[0].grad
    total = clip_grad_norm_(params, 1.0).item()
    assert total == pytest.approx(math.sqrt(18))
    assert params[0].grad.item() == pytest.approx(3 / total, rel=1e-6)


def test_read_only_gradients_are_replaced():
    ones = np.broadcast_to(np.float32(1), (2, 2))
    params = with_gradients(ones)
    clip_grad_norm_(params, 1.0)
    np.testing.assert_allclose(params[0].grad.array, 0.5, rtol=1e-5)
    assert ones[0, 0] == 1


def test_long_sums_are_made_in_float64():
    grads = np.full(1 << 20, 1e-3, np.float32)
    grads[0] = 100.0
    total = get_total_norm([Tensor(grads), Tensor(np.ones((300, 300), np.float32))])
    exact = math.sqrt(math.fsum([1e4, (grads.size - 1) * float(grads[1]) ** 2, 90_000]))
    assert total.item() == pytest.approx(exact, rel=1e-7)
    assert get_total_norm(Tensor(np.full(4, 1e30, np.float32))).item() == pytest.approx(2e30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("scale", [1e-30, 1e-22, 1e-19, 1e-3, 1.0, 1e18, 1e25])
@pytest.mark.parametrize("p", [1.0, 2.0, 2.5, math.inf])
def test_norms_of_any_size_are_right_to_the_last_digits(dtype, scale, p):
    dice = np.random.default_rng(4)
    arrays = [
        (dice.normal(size=shape) * np.exp(dice.normal(size=shape)) * scale).clip(-6e4, 6e4).astype(dtype)
        if dtype == np.float16
        else (dice.normal(size=shape) * np.exp(dice.normal(size=shape)) * scale).astype(dtype)
        for shape in [(300, 301), (7,), (), (0, 2), (8192,), (1023,), (70_001,)]
    ]
    arrays[0] = arrays[0].T
    arrays.append(np.asarray(arrays[-1])[::3])
    wide = np.abs(np.concatenate([array.ravel() for array in arrays]).astype(np.float64))
    top = wide.max() or 1.0
    wanted = top if p == math.inf else top * float(np.sum((wide / top) ** p)) ** (1 / p)
    if wide.max() == 0:
        wanted = 0.0
    found = get_total_norm([Tensor(array) for array in arrays], p)
    if wanted < np.finfo(dtype).max:
        tolerance = {np.float16: 1e-3, np.float32: 1.2e-7, np.float64: 1e-13}[dtype]
        smallest = float(np.finfo(dtype).smallest_subnormal)
        assert found.item() == pytest.approx(wanted, rel=tolerance, abs=smallest)


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(stretches, "WORTH", 1 << 16)
    dice = np.random.default_rng(6)
    grads = [
        dice.normal(size=s).astype(np.float32) for s in [(300, 400), (5,), (70_000,), (3, 3), (300, 301)]
    ]
    grads[-1] = grads[-1].T
    grads.append(np.asarray(dice.normal(size=(200, 200)), np.float32)[:, ::2])
    found = []
    for threads in (1, 2, 3):
        with tt_nn.shards.threads(threads):
            params = with_gradients(*[np.copy(g, order="K") for g in grads])
            total = clip_grad_norm_(params, 1.0)
            clip_grad_value_(params, 0.01)
            found.append([total.numpy(), *[p.grad.numpy() for p in params]])
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))
    scale = 1 / (found[0][0].item() + 1e-6)
    for g, clipped in zip(grads, found[0][1:], strict=True):
        np.testing.assert_allclose(clipped, np.clip(g * scale, -0.01, 0.01), rtol=1e-6)


def test_mixed_dtypes_have_the_wider_norm():
    assert get_total_norm([Tensor([1.0]), Tensor([1.0], dtype="float64")]).dtype == np.float64


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("p", [1.0, 2.0, math.inf])
def test_what_is_not_finite_is_seen(bad, p):
    params = with_gradients(np.array([1.0, bad], np.float32), np.array([2.0], np.float32))
    with pytest.raises(GradientError, match="so it cannot be clipped"):
        clip_grad_norm_(params, 1.0, p, error_if_nonfinite=True)
    assert params[1].grad.item() == 2
    with np.errstate(invalid="ignore"):
        total = clip_grad_norm_(params, 1.0, p)
    np.testing.assert_equal(total.item(), bad)
    np.testing.assert_equal(params[1].grad.item(), math.nan if math.isnan(bad) else 0.0)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda p: clip_grad_norm_(p, -1.0), ArgumentError, "max_norm must be at least 0, not -1.0"),
        (lambda p: clip_grad_norm_(p, math.nan), ArgumentError, "max_norm must be at least 0"),
        (lambda p: clip_grad_norm_(p, "1"), DTypeError, "max_norm must be a number"),
        (lambda p: clip_grad_norm_(p, 1.0, 0.0), ArgumentError, "norm_type must be greater than 0"),
        (lambda p: clip_grad_norm_(p, 1.0, "two"), DTypeError, "norm_type must be a number"),
        (lambda p: clip_grad_norm_(3.0, 1.0), DTypeError, "an iterable of Tensors, not float"),
        (lambda p: clip_grad_norm_([p, [1.0]], 1.0), DTypeError, "takes Tensors, not list"),
        (lambda p: clip_grad_value_(p, -0.5), ArgumentError, "clip_value must be at least 0"),
        (lambda p: clip_grad_value_([None], 0.5), DTypeError, "takes Tensors, not NoneType"),
    ],
)
def test_wrong_calls_get_typed_errors(wrong, error, message):
    (p,) = with_gradients(np.array([3.0], np.float32))
    with pytest.raises(error, match=message):
        wrong(p)
    assert p.grad.item() == 3


def test_inf_may_be_written():
    (p,) = with_gradients(np.array([3.0, -4.0], np.float32))
    assert clip_grad_norm_(p, 100.0, norm_type="inf").item() == 4
