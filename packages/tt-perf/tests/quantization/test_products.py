"""Products with stored weights: every kernel against the loops."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tt_nn import shards
from tt_perf.quantization import half_array, quantize_array
from tt_perf.quantization.products import activation_codes
from tt_tensor import kernels

COMPILED = pytest.param(
    "numba", marks=pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs numba")
)
SHAPES = [
    (1, 1, 1),
    (3, 5, 7),
    (2, 9, 64),
    (4, 6, 130),
    (17, 4, 67),
    (1, 3, 200),
    (0, 3, 4),
    (2, 0, 4),
    (2, 3, 0),
]


def drawn(rows: int, outputs: int, inputs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows + 10 * outputs + 100 * inputs)
    x, w, b = (
        rng.normal(size=(rows, inputs)) + 0.2,
        rng.normal(size=(outputs, inputs)),
        rng.normal(size=outputs),
    )
    return x.astype(np.float32), w.astype(np.float32), b.astype(np.float32)


def stored(kind: str, w: np.ndarray):  # type: ignore[no-untyped-def]
    name, _, how = kind.partition(" ")
    if name in ("float16", "bfloat16"):
        return half_array(w, name)
    return quantize_array(w, name, symmetric="affine" not in how, group_size=16 if "groups" in how else None)


KINDS = ["int8", "int8 affine", "int8 groups", "int8 affine groups", "int16", "int16 affine groups"]
KINDS += ["float16", "bfloat16"]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["numpy", COMPILED])
def test_weights_only(name: str, kind: str, shape: tuple[int, int, int]) -> None:
    x, w, b = drawn(*shape)
    weight = stored(kind, w)
    run, loops = kernels.kernel("quantized_linear", name), kernels.kernel("quantized_linear", "loops")
    # A compiled kernel rounds the activations that meet int8 weights to 16 bits of their row's range.
    step = (np.maximum(x.max(axis=1, initial=0), 0) - np.minimum(x.min(axis=1, initial=0), 0)) / 65535
    room = (
        step[:, None] * np.abs(weight.dequantize()).sum(axis=1) / 2
        if name == "numba" and "int8" in kind
        else 0
    )
    for bias in (None, b):
        y = run(x, weight, bias)
        assert y.dtype == np.float32 and y.shape == (shape[0], shape[1])
        assert (np.abs(y - loops(x, weight, bias)) <= room + 2e-5).all()


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[2] < 100], ids=str)
@pytest.mark.parametrize("kind", ["int8", "int8 affine", "int8 groups", "int8 affine groups"])
@pytest.mark.parametrize("activation", [None, (0.02, 110)], ids=["dynamic", "static"])
@pytest.mark.parametrize("name", ["numpy", COMPILED])
def test_bytes_times_bytes(
    name: str, activation: tuple[float, int] | None, kind: str, shape: tuple[int, int, int]
) -> None:
    x, w, b = drawn(*shape)
    weight = stored(kind, w)
    run, loops = (kernels.kernel("quantized_linear_int8", one) for one in (name, "loops"))
    for bias in (None, b):
        y = run(x, weight, bias, activation)
        assert y.dtype == np.float32
        # Sums of integers: what differs is how few floats are rounded after them.
        np.testing.assert_allclose(y, loops(x, weight, bias, activation), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["int8", "int8 affine"])
@pytest.mark.parametrize("name", ["numpy", COMPILED])
def test_the_greatest_sums_do_not_overflow(name: str, kind: str) -> None:
    n = 30000
    x = np.full((1, n), 3.0, np.float32)
    w = np.full((5, n), 2.0, np.float32)
    w[0] = -2
    weight = stored(kind, w)
    wanted = np.full((1, 5), 6.0 * n)
    wanted[0, 0] *= -1
    for operation in ("quantized_linear", "quantized_linear_int8"):
        np.testing.assert_allclose(kernels.kernel(operation, name)(x, weight), wanted, rtol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["int8", "int16", "float16"])
@pytest.mark.parametrize("name", ["numpy", COMPILED])
def test_what_is_no_number_stays_in_its_row(name: str, kind: str, bad: float) -> None:
    x, w, _ = drawn(3, 6, 40)
    x[1, 17] = bad
    weight = stored(kind, w)
    with np.errstate(invalid="ignore"):
        y = kernels.kernel("quantized_linear", name)(x, weight)
        np.testing.assert_array_equal(
            np.isfinite(y), np.isfinite(kernels.kernel("quantized_linear", "numpy")(x, weight))
        )
        assert np.isfinite(y[[0, 2]]).all() and not np.isfinite(y[1]).any()
        if kind == "int8":
            z = kernels.kernel("quantized_linear_int8", name)(x, weight)
            assert np.isfinite(z[[0, 2]]).all() and np.isnan(z[1]).all()


@pytest.mark.parametrize("name", ["numpy", COMPILED])
def test_other_dtypes_and_layouts(name: str) -> None:
    x, w, b = drawn(4, 6, 20)
    weight = stored("int8", w)
    run = kernels.kernel("quantized_linear", name)
    wanted = x.astype(np.float64) @ weight.dequantize().astype(np.float64).T + b
    assert run(x.astype(np.float64), weight, b).dtype == np.float64
    np.testing.assert_allclose(run(x.astype(np.float64), weight, b), wanted, rtol=1e-6)
    np.testing.assert_allclose(run(np.asfortranarray(x), weight, b), wanted, atol=2e-3)


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs numba")
def test_one_thread_and_two_give_the_same_bits() -> None:
    x, w, b = drawn(2, 3000, 300)
    found = []
    for kind in ("int8", "int8 affine groups", "int16", "bfloat16"):
        weight = stored(kind, w)
        for threads in (1, 2):
            with shards.threads(threads):
                found.append(kernels.kernel("quantized_linear", "numba")(x, weight, b))
        np.testing.assert_array_equal(found[-1], found[-2])


def test_codes_are_within_half_a_scale() -> None:
    x = np.concatenate([drawn(5, 1, 300)[0], np.zeros((1, 300), np.float32)])
    codes, scale, zero = activation_codes(x, None)
    assert codes.dtype == np.uint8 and scale.dtype == np.float32
    off = np.abs(scale[:, None].astype(np.float64) * (codes.astype(int) - zero[:, None]) - x)
    assert (off <= scale[:, None] * 0.5001).all()
    assert scale[5] == 1 and (codes[5] == zero[5]).all()


def test_static_codes_end_at_the_ends() -> None:
    codes, _, _ = activation_codes(np.array([[-9e9, -np.inf, 0, 9e9, np.inf]], np.float32), (0.1, 100))
    assert codes.tolist() == [[0, 0, 100, 255, 255]]
