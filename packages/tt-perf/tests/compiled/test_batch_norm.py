"""Compiled batch norm, alone and with ReLU and pooling: the loops' results, and NumPy's kernel for the rest."""

import math

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("tt_vision")

import tt_perf.compiled.batch_norm as by
from tt_nn import shards
from tt_tensor import kernels

ALL = (True, True, True)


def images(n, c, height, width, seed=0, mean=0.5):
    """(N, C, H, W) with the channels last in memory."""
    made = np.random.default_rng(seed).normal(mean, 2, size=(n, height, width, c)).astype(np.float32)
    return made.transpose(0, 3, 1, 2)


def planes(x):
    return x.reshape(*x.shape[:2], -1)


def affine(c, seed=5):
    """Weights of both signs, so that pooling meets the least value, too."""
    return tuple(np.random.default_rng(seed).normal(size=(2, c)))


def kernel(operation, name):
    return getattr(by, operation) if name == "numba" else kernels.kernel(operation, name)


def plain(name, x, grad, weight, bias, given=None, through=True, needs=ALL):
    y, mean, variance = kernel("batch_norm", name)(planes(x), weight, bias, 1e-3, given)
    scale = 1 / np.sqrt(variance + 1e-3)
    back = kernel("batch_norm_backward", name)(planes(grad), planes(x), weight, mean, scale, through, needs)
    return y, mean, variance, *back


def fused(name, x, grad, weight, bias, pool, needs=ALL, keep=True):
    y, mean, variance, kept = kernel("batch_norm_relu", name)(x, weight, bias, 1e-3, pool)
    scale = 1 / np.sqrt(variance + 1e-3)
    back = kernel("batch_norm_relu_backward", name)(
        grad, x, weight, bias, mean, scale, pool, kept if keep else None, needs
    )
    return y, mean, variance, *back


def assert_near(found, wanted, tolerance=2e-5):
    for one, right in zip(found, wanted, strict=True):
        assert (one is None) == (right is None)
        if right is not None:
            assert one.shape == right.shape
            assert one.dtype == right.dtype
            np.testing.assert_allclose(one, right, rtol=1e-4, atol=tolerance * np.abs(right).max())


@pytest.fixture
def suits_all(monkeypatch):
    """Small images go by the compiled kernels, too."""
    monkeypatch.setattr(by, "_suits", lambda x: True)


def refused(monkeypatch):
    """NumPy's kernel must not be asked."""

    def fail(operation):
        raise AssertionError(f"{operation} fell back")

    monkeypatch.setattr(by, "fallback", fail)


SHAPES = [(2, 16, 4, 6), (1, 32, 2, 2), (3, 48, 6, 2), (5, 16, 4, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("parts", [0, 1, 2])
@pytest.mark.parametrize("through", [True, False])
def test_like_the_loops(suits_all, monkeypatch, shape, parts, through):
    refused(monkeypatch)
    weight, bias = (*affine(shape[1])[:parts], None, None)[:2]
    given = None if through else tuple(np.abs(affine(shape[1], 6)))
    x, grad = images(*shape), images(*shape, seed=1)
    found = plain("numba", x, grad, weight, bias, given, through)
    assert_near(found, plain("loops", x, grad, weight, bias, given, through))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("parts", [0, 2])
def test_with_relu_and_pooling_like_the_loops(suits_all, monkeypatch, shape, pool, parts):
    refused(monkeypatch)
    weight, bias = affine(shape[1]) if parts else (None, None)
    x = images(*shape)
    x[0, :, 0, 0] = x[0, :, 1, 1] = x[0, :, 0, 1]  # of equals the first wins
    grad = images(*shape[:2], *(size // (2 if pool else 1) for size in shape[2:]), seed=1)
    wanted = fused("loops", x, grad, weight, bias, pool)
    assert_near(fused("numba", x, grad, weight, bias, pool), wanted)
    assert_near(fused("numpy", x, grad, weight, bias, pool), wanted)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(32, 32, 32, 32), (33, 64, 15, 17), (40, 128, 8, 8)])
def test_like_numpys_kernels_on_many_images(monkeypatch, shape, threads):
    refused(monkeypatch)
    x, grad, (weight, bias) = images(*shape), images(*shape, seed=1), affine(shape[1])
    with shards.threads(threads):
        assert_near(plain("numba", x, grad, weight, bias), plain("numpy", x, grad, weight, bias), 1e-6)
        for pool in (False, True)[: 2 - shape[2] % 2]:
            g = grad[:, :, : shape[2] // 2, : shape[3] // 2] if pool else grad
            found, wanted = (fused(name, x, g, weight, bias, pool) for name in ("numba", "numpy"))
            # At the kink a rounding decides; so few pixels are there that the sums do not tell.
            different = ~np.isclose(found[3], wanted[3], rtol=1e-3, atol=1e-5)
            assert different.mean() < 1e-5
            assert_near((*found[:3], *found[4:]), (*wanted[:3], *wanted[4:]))


@pytest.mark.parametrize("needs", [(True, False, False), (False, True, True), (False, False, True)])
def test_what_is_not_asked_for_is_none(suits_all, needs):
    x, grad, (weight, bias) = images(2, 16, 4, 4), images(2, 16, 4, 4, seed=1), affine(16)
    whole = plain("numba", x, grad, weight, bias)[3:], fused("numba", x, grad, weight, bias, False)[3:]
    some = (
        plain("numba", x, grad, weight, bias, needs=needs)[3:],
        fused("numba", x, grad, weight, bias, False, needs)[3:],
    )
    for found, wanted in zip(some, whole, strict=True):
        assert_near(found, [right if need else None for right, need in zip(wanted, needs, strict=True)])


@pytest.mark.parametrize("mean", [1e3, 1e5])
def test_a_large_mean_costs_no_digits(mean):
    x, grad = images(20, 16, 8, 8, mean=mean), images(20, 16, 8, 8, seed=1)
    wide = x.astype(np.float64)
    found, right = (
        plain("numba", x, grad, None, None),
        plain("numpy", wide, grad.astype(np.float64), None, None),
    )
    for one, wanted in zip(found, right, strict=True):
        assert np.linalg.norm(one - wanted) < 1e-5 * np.linalg.norm(wanted)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("pool", [False, True])
def test_what_is_not_finite(value, pool):
    shape = (4, 16, 12, 12)
    x, (weight, bias) = images(*shape), affine(16)
    x[1, 3, 2, 2] = value
    grad = images(4, 16, 6, 6, seed=1) if pool else images(*shape, seed=1)
    with np.errstate(invalid="ignore"):
        found, wanted = (fused(name, x, grad, weight, bias, pool) for name in ("numba", "numpy"))
        for one, right in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, right, rtol=1e-4, atol=1e-4)
        found, wanted = (plain(name, x, images(*shape), weight, bias) for name in ("numba", "numpy"))
        for one, right in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("needs", [ALL, (True, False, False)])
def test_what_is_not_finite_with_given_moments(value, needs):
    shape = (4, 16, 12, 12)
    x, (weight, bias) = images(*shape), affine(16)
    x[1, 3, 2, 2] = value
    given = np.ones(16), np.full(16, 4.0)
    with np.errstate(invalid="ignore"):
        found, wanted = (
            plain(name, x, images(*shape, seed=1), weight, bias, given, False, needs)
            for name in ("numba", "numpy")
        )
    for one, right in zip(found, wanted, strict=True):
        assert (one is None) == (right is None)
        if right is not None:
            np.testing.assert_allclose(one, right, rtol=1e-4, atol=1e-4)


def test_a_gradient_that_is_nan_stays_in_its_channel():
    x, grad = images(4, 16, 12, 12), images(4, 16, 12, 12, seed=1)
    grad[2, 5, 3, 3] = np.nan
    dx, dw, db = fused("numba", x, grad, None, None, False)[3:]
    others = np.arange(16) != 5
    assert (
        np.isfinite(dx[:, others]).all() and np.isfinite(dw[others]).all() and np.isfinite(db[others]).all()
    )


def test_equal_pixels_have_no_variance():
    x = np.full((4, 12, 12, 16), 3, np.float32).transpose(0, 3, 1, 2)
    y, mean, variance = by.batch_norm(planes(x), None, None, 1e-5)
    np.testing.assert_array_equal(y, np.zeros_like(planes(x)))
    np.testing.assert_array_equal(mean, np.full(16, 3.0))
    np.testing.assert_array_equal(variance, np.zeros(16))


@pytest.mark.parametrize("case", ["float64", "channels", "small"])
def test_the_rest_goes_to_numpys_kernel(case):
    shape = {"float64": (8, 16, 8, 8), "channels": (8, 15, 8, 8), "small": (2, 16, 4, 4)}[case]
    x, grad = images(*shape), images(*shape, seed=1)
    if case == "float64":
        x, grad = x.astype(np.float64), grad.astype(np.float64)
    weight, bias = affine(shape[1])
    for found, wanted in zip(
        plain("numba", x, grad, weight, bias), plain("numpy", x, grad, weight, bias), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    for found, wanted in zip(
        fused("numba", x, grad, weight, bias, False),
        fused("numpy", x, grad, weight, bias, False),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)


def test_any_layout(suits_all):
    x, grad, (weight, bias) = images(2, 16, 6, 4), images(2, 16, 6, 4, seed=1), affine(16)
    usual = plain("numba", x, grad, weight, bias), fused("numba", x, grad, weight, bias, False)
    first, every_second = np.ascontiguousarray(x), np.repeat(grad, 2, axis=3)[..., ::2]
    assert_near(plain("numba", first, every_second, weight, bias), usual[0], 0)
    assert_near(fused("numba", first, every_second, weight, bias, False), usual[1], 0)


def test_the_way_back_of_one_kernel_after_the_forward_of_another():
    x, (weight, bias) = images(8, 16, 8, 8), affine(16)
    for pool in (False, True):
        grad = images(8, 16, 4, 4, seed=1) if pool else images(8, 16, 8, 8, seed=1)
        wanted = fused("numpy", x, grad, weight, bias, pool)
        assert_near(fused("numpy", x, grad, weight, bias, pool, keep=False), wanted)
        kept = kernels.kernel("batch_norm_relu", "numpy")(x, weight, bias, 1e-3, pool)[3]
        scale = 1 / np.sqrt(wanted[2] + 1e-3)
        back = by.batch_norm_relu_backward(grad, x, weight, bias, wanted[1], scale, pool, kept, ALL)
        assert_near(back, wanted[3:])
