"""Dropout: the mean kept, one mask both ways, nothing in eval, repeatable by its seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn as nn
import tt_nn.functional as F
from tt_nn.dropout import DropoutFunction, draw_mask
from tt_tensor import Generator, Tensor, kernels, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, ShapeError

# Small arrays draw a number for each place, large ones a byte.
SIZES = (400, 1_000_003)


@pytest.mark.parametrize("p", [1e-3, 0.1, 0.3, 0.5, 1 / 256, 0.9, 0.999])
def test_the_share_that_is_silenced(p):
    n = 4_000_000
    dropped = n - np.count_nonzero(draw_mask((n,), p, Generator(0)).numpy())
    assert abs(dropped - n * p) < 5 * np.sqrt(n * p * (1 - p))
    small = sum(400 - np.count_nonzero(draw_mask((400,), p, g).numpy()) for g in Generator(1).spawn(1000))
    assert abs(small - 400_000 * p) < 5 * np.sqrt(400_000 * p * (1 - p))


def test_neighbours_are_independent():
    mask = draw_mask((1 << 20,), 0.3, Generator(2)).numpy()
    for step in (1, 2, 3, 4, 7, 8, 16):
        both = np.mean(mask[step:] & mask[:-step])
        assert abs(both - 0.49) < 5 * np.sqrt(0.49 * 0.51 / mask.size) * 1.5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_stays_grows_and_the_mean_is_kept(size, dtype):
    p = 0.2
    y = nn.Dropout(p, generator=Generator(3))(Tensor(np.ones(size, dtype))).numpy()
    assert y.dtype == dtype
    assert set(np.unique(y)) <= {dtype(0), dtype(1) * dtype(1 / (1 - p))}
    # One element has the variance p / (1 - p).
    assert abs(y.astype(np.float64).mean() - 1) < 5 * np.sqrt(p / (1 - p) / size) + 1e-3 * (
        dtype is np.float16
    )


@pytest.mark.parametrize("size", SIZES)
def test_the_same_mask_backward(size):
    layer = nn.Dropout(0.4)
    y = layer(Tensor(np.ones(size, np.float32)))
    np.testing.assert_array_equal(layer.backward(np.ones(size, np.float32)).numpy(), y.numpy())
    grad = np.random.default_rng(0).normal(size=size).astype(np.float32)
    np.testing.assert_array_equal(layer.backward(Tensor(grad)).numpy() == 0, y.numpy() == 0)


@given(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9), st.floats(0, 1))
def test_any_shape_and_probability(shape, p):
    x = np.random.default_rng(0).uniform(1, 2, shape)
    y = F.dropout(x, p, generator=Generator(0)).numpy()
    assert y.shape == shape
    kept = y != 0
    if p < 1:
        np.testing.assert_allclose(y[kept], x[kept] / (1 - p))


@pytest.mark.parametrize("size", SIZES)
def test_p_0_and_1(size):
    x = np.linspace(-1, 1, size, dtype=np.float32)
    layer = nn.Dropout(0.0)
    np.testing.assert_array_equal(layer(Tensor(x)).numpy(), x)
    np.testing.assert_array_equal(layer.backward(Tensor(x)).numpy(), x)
    layer = nn.Dropout(1.0)
    assert not layer(Tensor(x)).numpy().any() and not layer.backward(Tensor(x)).numpy().any()
    assert not draw_mask((size,), 1.0).numpy().any() and draw_mask((size,), 0.0).numpy().all()


def test_eval_is_the_identity_both_ways():
    layer = nn.Dropout(0.9)
    x, g = Tensor(np.ones((20, 20), np.float32)), Tensor(np.full((20, 20), 3.0, np.float32))
    layer(x)
    layer.eval()
    assert layer(x) is x and layer.backward(g) is g
    assert isinstance(layer.backward(g.numpy()), Tensor)
    layer.train()
    assert layer(x) is not x
    assert (layer.backward(g).numpy() == 0).any()
    assert F.dropout(x, 0.9, training=False) is x


@pytest.mark.parametrize("size", SIZES)
def test_seeds_repeat_and_differ(size):
    x = np.ones(size, np.float32)

    def drawn(**kwargs):
        return nn.Dropout(0.5, **kwargs)(Tensor(x)).numpy()

    manual_seed(5)
    first, second = drawn(), drawn()
    manual_seed(5)
    np.testing.assert_array_equal(drawn(), first)
    assert (first != second).any()
    np.testing.assert_array_equal(drawn(generator=Generator(7)), drawn(generator=Generator(7)))
    np.testing.assert_array_equal(
        drawn(generator=np.random.default_rng(7)), drawn(generator=np.random.default_rng(7))
    )
    np.testing.assert_array_equal(
        F.dropout(x, 0.5, generator=Generator(7)).numpy(), drawn(generator=Generator(7))
    )
    # A generator of its own leaves the default one where it was.
    manual_seed(5)
    drawn(generator=Generator(1))
    np.testing.assert_array_equal(drawn(), first)


def test_by_hand_before_any_forward():
    with pytest.raises(GradientError, match=r"Dropout\.backward"):
        nn.Dropout().backward([1.0])


WRONG = [
    (lambda: nn.Dropout(-0.1), ArgumentError, "probability from 0 to 1, not -0.1"),
    (lambda: nn.Dropout(1.5), ArgumentError, "not 1.5"),
    (lambda: nn.Dropout(float("nan")), ArgumentError, "nan"),
    (lambda: nn.Dropout("0.5"), ArgumentError, "p must be a number"),
    (lambda: nn.Dropout(True), ArgumentError, "p must be a number"),
    (lambda: nn.Dropout(None), ArgumentError, "p must be a number"),
    (lambda: F.dropout([1.0], 2), ArgumentError, "not 2"),
    (lambda: F.dropout([1, 2], 0.5), DTypeError, "int64"),
    (lambda: F.dropout([1.0], generator=0), DTypeError, "generator is a Generator, not int"),
    (lambda: nn.Dropout(0.5, generator="seed")([1.0]), DTypeError, "not str"),
    (lambda: DropoutFunction()(Tensor([1.0, 2.0]), np.array([True])), ShapeError, r"a mask of shape \(1,\)"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG)
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_looks():
    # PyTorch adds `, inplace=False`; there is no in-place dropout here.
    assert repr(nn.Dropout(0.3)) == "Dropout(p=0.3)"


@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 4, 5)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numpy_is_as_the_loops(shape, dtype):
    rng = np.random.default_rng(0)
    x, mask = np.asarray(rng.normal(size=shape)).astype(dtype), np.asarray(rng.random(shape) < 0.5)
    found, wanted = (kernels.kernel("dropout", name)(x, mask, 1.25) for name in ("numpy", "loops"))
    np.testing.assert_allclose(found, wanted, rtol=1e-3 if dtype == np.float16 else 1e-6, strict=True)
