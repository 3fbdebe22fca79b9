"""LayerNorm and RMSNorm: rows of mean 0 and variance 1, large offsets, the loops, wrong calls."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor, kernels
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, InPlaceError, ShapeError

shapes = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)


def reference(x, k, eps, centred):
    axes = tuple(range(x.ndim - k, x.ndim))
    off = x - x.mean(axis=axes, keepdims=True) if centred else x
    return off / np.sqrt((off * off).mean(axis=axes, keepdims=True) + eps)


@given(shapes, st.data(), st.integers(0, 99))
def test_definitions(shape, data, seed):
    k = data.draw(st.integers(1, len(shape)))
    last = shape[len(shape) - k :]
    rng = np.random.default_rng(seed)
    x, w, b = rng.normal(size=shape) * 3 + 1, rng.normal(size=last), rng.normal(size=last)
    if x.size:
        plain = reference(x, k, 1e-5, True)
        np.testing.assert_allclose(F.layer_norm(x, last).numpy(), plain, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(F.layer_norm(x, last, w, b).numpy(), plain * w + b, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(F.layer_norm(x, last, w).numpy(), plain * w, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(F.layer_norm(x, last, bias=b).numpy(), plain + b, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            F.rms_norm(x, last, w, 0.1).numpy(), reference(x, k, 0.1, False) * w, rtol=1e-9
        )
    else:
        assert F.layer_norm(x, last, w, b).shape == F.rms_norm(x, last, w).shape == shape


@given(st.integers(2, 300), st.integers(0, 99), st.sampled_from([np.float32, np.float64]))
@settings(max_examples=40)
def test_rows_have_mean_0_and_variance_1(n, seed, dtype):
    x = (np.random.default_rng(seed).normal(size=(5, n)) * 100).astype(dtype)
    y = F.layer_norm(x, n).numpy().astype(np.float64)
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=tolerance)
    # eps takes a little from the variance of rows that have little.
    v = x.astype(np.float64).var(axis=1)
    np.testing.assert_allclose(y.var(axis=1), v / (v + 1e-5), atol=4 * tolerance)
    rms = F.rms_norm(x, n).numpy().astype(np.float64)
    np.testing.assert_allclose((rms * rms).mean(axis=1), 1, atol=4 * tolerance)


@pytest.mark.parametrize("make", [nn.LayerNorm, nn.RMSNorm])
@given(shape=shapes, data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_loops_give_the_same(make, shape, data, seed):
    layer = make(shape[len(shape) - data.draw(st.integers(1, len(shape))) :], eps=1e-3)
    rng = np.random.default_rng(seed)
    for dtype, tolerance in ((np.float32, 1e-4), (np.float64, 1e-11)):
        layer.to(dtype).zero_grad()
        for parameter in layer.parameters():
            parameter.write(rng.normal(size=parameter.shape).astype(dtype))
        x, g = Tensor(rng.normal(size=shape).astype(dtype)), Tensor(rng.normal(size=shape).astype(dtype))
        y, dx = layer(x), layer.backward(g)
        with kernels.use("loops"):
            slow, slow_dx = layer(x), layer.backward(g)
        np.testing.assert_allclose(slow.numpy(), y.numpy(), rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(slow_dx.numpy(), dx.numpy(), rtol=tolerance, atol=50 * tolerance)


@pytest.mark.parametrize("make", [nn.LayerNorm, nn.RMSNorm])
@pytest.mark.parametrize(("rows", "n"), [(3000, 64), (70, 1024), (9, 30_000), (1, 100_003), (40_001, 3)])
def test_many_rows_and_long_ones_give_what_each_gives(make, rows, n):
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(rows, n)).astype(np.float32), rng.normal(size=(rows, n)).astype(np.float32)
    layer = make(n)
    layer.weight.write(rng.normal(size=n).astype(np.float32))
    y, dx = layer(Tensor(x)).numpy(), layer.backward(Tensor(g)).numpy()
    wide = make(n, eps=layer.eps or np.finfo(np.float32).eps).double()
    wide.load_state_dict({name: parameter.astype(np.float64) for name, parameter in layer.named_parameters()})
    np.testing.assert_allclose(y, wide(Tensor(x, np.float64)).numpy(), rtol=1e-4, atol=5e-6)
    np.testing.assert_allclose(dx, wide.backward(Tensor(g, np.float64)).numpy(), rtol=1e-4, atol=5e-5)
    for name, parameter in layer.named_parameters():
        wanted = wide.get_parameter(name).grad.numpy()
        np.testing.assert_allclose(parameter.grad.numpy(), wanted, rtol=1e-4, atol=1e-6 * rows**0.5 * 10)


@pytest.mark.parametrize("rows", [3, 400])
def test_a_large_offset_costs_no_digits(rows):
    # Values that float32 holds exactly beside the offset, so that only the arithmetic can lose any.
    x = np.random.default_rng(0).integers(-64, 64, (rows, 128)) / 64
    wanted = F.layer_norm(x, 128, eps=1e-5).numpy()
    found = F.layer_norm((x + 1e4).astype(np.float32), 128).numpy()
    wanted_there = F.layer_norm((x + 1e4).astype(np.float32).astype(np.float64), 128).numpy()
    np.testing.assert_allclose(found, wanted_there, atol=2e-6)
    assert np.abs(wanted - wanted_there).max() < 5e-3  # what float32 itself makes of the input


@pytest.mark.parametrize("offset", [0.0, 0.5, 0.99, 1.01, 4.0, 100.0])
@pytest.mark.parametrize("spread", [1e-4, 1.0, 1e10])
def test_means_of_any_size_beside_the_deviation(offset, spread):
    # Small and large means are computed in different ways; one large mean is enough to change the way of all rows.
    x = ((np.random.default_rng(3).normal(size=(151, 128)) + offset) * spread).astype(np.float32)
    for some in (x, np.concatenate([x, np.full((1, 128), 50 * spread, np.float32)])):
        layer = nn.LayerNorm(128)
        found = layer(Tensor(some)).numpy()
        wanted = reference(some.astype(np.float64), 1, 1e-5, True)
        np.testing.assert_allclose(found, wanted, atol=2e-6 * (1 + offset), rtol=1e-6)


@pytest.mark.parametrize("make", [nn.LayerNorm, nn.RMSNorm])
@pytest.mark.parametrize("shape", [(3, 70, 128), (129, 65), (40, 3000), (16_500, 2), (3, 9215)])
def test_a_gradient_may_lie_anyhow(make, shape):
    rng = np.random.default_rng(5)
    layer = make(shape[-1])
    layer.weight.write(rng.normal(size=shape[-1]).astype(np.float32))
    layer(Tensor(rng.normal(size=shape).astype(np.float32)))
    column = rng.normal(size=(*shape[:-1], 1)).astype(np.float32)
    wide = rng.normal(size=(*shape[:-1], 2 * shape[-1])).astype(np.float32)
    for grad in (np.broadcast_to(column, shape), wide[..., ::2], wide[..., 1::2].T.copy().T):
        found = []
        for g in (grad, np.ascontiguousarray(grad)):
            layer.zero_grad()
            dx = layer.backward(Tensor(g)).numpy()
            found.append([dx, *[p.grad.numpy() for p in layer.parameters()]])
        for one, other in zip(*found, strict=True):
            scale = max(1.0, float(np.abs(other).max()))
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.0, 1e4, 1234.567, 1e-30])
@pytest.mark.parametrize("shape", [(3, 5), (2, 1), (100, 1000)])
def test_rows_of_equal_values_give_the_bias(value, shape):
    layer = nn.LayerNorm(shape[1])
    layer.bias.write(np.linspace(-1, 1, shape[1]).astype(np.float32))
    y = layer(Tensor(np.full(shape, value, np.float32))).numpy()
    np.testing.assert_allclose(y, np.broadcast_to(layer.bias.numpy(), shape), atol=1e-6)
    dx = layer.backward(Tensor(np.ones(shape, np.float32))).numpy()
    assert np.isfinite(dx).all()
    np.testing.assert_allclose(dx, 0, atol=1e-3)
    r = F.rms_norm(np.full(shape, value, np.float32), shape[1]).numpy()
    assert np.isfinite(r).all()


def test_float16_is_computed_in_float32():
    x = np.random.default_rng(0).normal(size=(4, 64)).astype(np.float16) * np.float16(200)
    for found, layer in ((F.layer_norm(x, 64), nn.LayerNorm(64)), (F.rms_norm(x, 64), nn.RMSNorm(64))):
        assert found.dtype == np.float16
        wide = layer(Tensor(x.astype(np.float32))).numpy()
        np.testing.assert_allclose(found.numpy(), wide, rtol=1e-3, atol=1e-4)
        half = layer.half()
        assert half(Tensor(x)).dtype == np.float16
        assert half.backward(Tensor(x)).dtype == half.weight.grad.dtype == np.float16


def test_a_shift_does_nothing_to_layer_norm_and_a_scale_to_neither():
    x = np.random.default_rng(1).normal(size=(4, 50))
    np.testing.assert_allclose(
        F.layer_norm(3 * x + 5, 50, eps=0.0).numpy(), F.layer_norm(x, 50, eps=0.0).numpy()
    )
    np.testing.assert_allclose(F.rms_norm(3 * x, 50, eps=0.0).numpy(), F.rms_norm(x, 50, eps=0.0).numpy())
    layer = nn.LayerNorm(50).double()
    layer(Tensor(x))
    dx = layer.backward(Tensor(np.random.default_rng(2).normal(size=(4, 50)))).numpy()
    np.testing.assert_allclose(dx.sum(axis=1), 0, atol=1e-12)


def test_rms_norm_takes_the_machine_epsilon_by_default():
    for dtype, eps in ((np.float32, 2.0**-23), (np.float64, 2.0**-52), (np.float16, 2.0**-23)):
        y = F.rms_norm(np.full((1, 4), 1e-3 if dtype != np.float64 else 1e-8, dtype), 4).numpy()
        x = float(np.asarray(1e-3 if dtype != np.float64 else 1e-8, dtype))
        np.testing.assert_allclose(y, x / math.sqrt(x * x + eps), rtol=2e-3 if dtype == np.float16 else 1e-6)


def test_parameters():
    layer = nn.LayerNorm((2, 3))
    assert {name: (p.shape, p.dtype, set(p.numpy().ravel())) for name, p in layer.named_parameters()} == {
        "weight": ((2, 3), np.float32, {1}),
        "bias": ((2, 3), np.float32, {0}),
    }
    layer.weight.write(5.0)
    layer.bias.write(5.0)
    layer.reset_parameters()
    assert set(layer.weight.numpy().ravel()) == {1} and set(layer.bias.numpy().ravel()) == {0}
    assert nn.LayerNorm(3, bias=False).bias is None and nn.LayerNorm(3, bias=False).weight is not None
    assert not list(nn.LayerNorm(3, elementwise_affine=False).parameters())
    assert [name for name, _ in nn.RMSNorm(3).named_parameters()] == ["weight"]
    assert (
        nn.RMSNorm(3, dtype=np.float64).weight.dtype
        == nn.LayerNorm(3, dtype=np.float64).bias.dtype
        == np.float64
    )


def test_what_is_kept_is_not_what_is_handed_out():
    for layer in (
        nn.LayerNorm(4),
        nn.LayerNorm(4, elementwise_affine=False),
        nn.RMSNorm(4, elementwise_affine=False),
    ):
        x = Tensor(np.arange(8.0, dtype=np.float32).reshape(2, 4))
        y = layer(x)
        before = layer.backward(Tensor(np.eye(2, 4, dtype=np.float32))).numpy()
        y += 1
        np.testing.assert_array_equal(layer.backward(Tensor(np.eye(2, 4, dtype=np.float32))).numpy(), before)
        x += 1
        try:
            after = layer.backward(Tensor(np.eye(2, 4, dtype=np.float32))).numpy()
        except InPlaceError:  # a compiled kernel may keep x itself; then it has to say so
            assert kernels.preferred() is not None
            continue
        np.testing.assert_array_equal(after, before)


ZEROS = np.zeros((2, 3), np.float32)
WRONG = [
    (
        lambda: nn.LayerNorm(4)(Tensor(ZEROS)),
        ShapeError,
        r"\(2, 3\) does not end in the normalized shape \(4,\)",
    ),
    (lambda: nn.RMSNorm((3, 2))(Tensor(ZEROS)), ShapeError, "rms_norm"),
    (lambda: nn.LayerNorm((1, 2, 3))(Tensor(ZEROS)), ShapeError, "layer_norm"),
    (lambda: nn.LayerNorm(3)(Tensor(1.0)), ShapeError, r"shape \(\)"),
    (lambda: F.layer_norm(ZEROS, 3, np.ones(2)), ShapeError, r"weight has shape \(2,\)"),
    (lambda: F.layer_norm(ZEROS, 3, None, np.ones((1, 3))), ShapeError, r"bias has shape \(1, 3\)"),
    (lambda: F.rms_norm(ZEROS, 3, np.ones(4)), ShapeError, "weight"),
    (lambda: nn.LayerNorm(3)(Tensor([[1, 2, 3]])), DTypeError, "int64"),
    (lambda: nn.RMSNorm(3)(Tensor([[True, False, True]])), DTypeError, "bool"),
    (lambda: nn.LayerNorm(-1), ArgumentError, "normalized_shape is a size or a tuple of sizes, not -1"),
    (lambda: nn.LayerNorm(()), ArgumentError, "normalized_shape"),
    (lambda: nn.LayerNorm(3.0), ArgumentError, "normalized_shape"),
    (lambda: nn.RMSNorm("3"), ArgumentError, "normalized_shape"),
    (lambda: nn.RMSNorm(None), ArgumentError, "normalized_shape"),
    (lambda: nn.LayerNorm(True), ArgumentError, "normalized_shape"),
    (lambda: F.layer_norm(ZEROS, [3, None]), ArgumentError, "normalized_shape"),
    (lambda: nn.LayerNorm(3, eps="small"), ArgumentError, "eps must be a number"),
    (lambda: nn.LayerNorm(3, eps=None), ArgumentError, "eps must be a number"),
    (lambda: nn.RMSNorm(3, eps="small"), ArgumentError, "eps must be a number"),
    (lambda: F.rms_norm(ZEROS, 3, eps=[1]), ArgumentError, "eps must be a number"),
    (lambda: nn.LayerNorm(3, dtype=np.int64), GradientError, "int64"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG)
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("shape", [(3, 2), (6,), (3,), (1, 3), (2, 3, 1), ()])
def test_a_gradient_of_another_shape_is_refused(shape):
    for layer in (nn.LayerNorm(3), nn.RMSNorm(3)):
        layer(Tensor(ZEROS))
        with pytest.raises(ShapeError):
            layer.backward(np.ones(shape, np.float32))
        assert layer.weight.grad is None


def test_looks():
    # The strings are PyTorch 2.13's.
    assert repr(nn.LayerNorm(6)) == "LayerNorm((6,), eps=1e-05, elementwise_affine=True, bias=True)"
    assert repr(nn.LayerNorm([3, 4], bias=False)) == (
        "LayerNorm((3, 4), eps=1e-05, elementwise_affine=True, bias=False)"
    )
    assert repr(nn.LayerNorm(6, elementwise_affine=False)) == (
        "LayerNorm((6,), eps=1e-05, elementwise_affine=False, bias=False)"
    )
    assert repr(nn.RMSNorm(6)) == "RMSNorm((6,), eps=None, elementwise_affine=True)"
    assert repr(nn.RMSNorm((3, 4), 1e-3)) == "RMSNorm((3, 4), eps=0.001, elementwise_affine=True)"
