"""Dropout2d: whole channels, the mean is kept, the same mask on the way back, eval lets everything pass."""

import numpy as np
import pytest

from tt_tensor import Generator, Tensor, from_numpy, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.dropout2d import ChannelDropoutFunction, Dropout1d, Dropout2d, dropout1d, dropout2d


def ones(*shape, dtype=np.float32):
    return Tensor(np.ones(shape, dtype))


@pytest.mark.parametrize("shape", [(6, 5, 3, 4), (1, 40, 1, 1), (127, 3, 9, 11), (1, 8, 90, 30)])
@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_channels_are_whole_and_are_silenced_or_grown(shape, p):
    y = dropout2d(ones(*shape), p, generator=Generator(1)).numpy()
    first = y[:, :, :1, :1]
    assert (y == first).all()
    assert set(np.unique(first)) <= {np.float32(0), np.float32(1 / (1 - p))}
    assert len(np.unique(first)) == 2


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_the_mean_is_kept(p):
    y = dropout2d(ones(200, 100, 1, 2), p, generator=Generator(0)).numpy()[..., 0]
    deviation = np.sqrt(p / (1 - p) / y.size)
    assert abs(y.mean() - 1) < 5 * deviation
    # Channels of one image, and images, fall independently.
    silent = y[:, :, 0] == 0
    assert abs((silent[:, :-1] & silent[:, 1:]).mean() - p * p) < 5 / np.sqrt(silent.size)
    assert abs((silent[:-1] & silent[1:]).mean() - p * p) < 5 / np.sqrt(silent.size)


def test_it_is_the_input_in_eval_and_for_p_0():
    x = ones(2, 3, 4, 4)
    layer = Dropout2d().eval()
    assert layer(x) is x and Dropout2d(0.0)(x) is x and dropout2d(x, 0.5, training=False) is x
    np.testing.assert_array_equal(layer.backward(x), x)
    assert not Dropout2d(1.0)(x).numpy().any()
    silenced = Dropout2d(1.0)
    silenced(x)
    assert not silenced.backward(x).numpy().any()


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("shape", [(3, 4, 2, 5), (64, 16, 9, 9), (1, 4, 200, 50)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_same_mask_on_the_way_back(shape, last, dtype):
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    if last:
        x, g = (np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for a in (x, g))
    layer = Dropout2d(0.5, generator=Generator(3))
    y, dx = layer(from_numpy(x)), layer.backward(from_numpy(g))
    mask = layer._applied.mask
    assert mask.shape == (*shape[:2], 1, 1) and mask.dtype == bool
    assert y.dtype == dx.dtype == dtype
    np.testing.assert_array_equal(y, x * mask * dtype(2))
    np.testing.assert_array_equal(dx, g * mask * dtype(2))
    if last:
        assert y.numpy().transpose(0, 2, 3, 1).flags.c_contiguous


def test_one_dimension():
    for shape in ((50, 4), (20, 30, 4)):
        y = dropout1d(ones(*shape), generator=Generator(1)).numpy()
        assert (y == y[..., :1]).all() and set(np.unique(y)) == {0, 2}
    layer = Dropout1d(0.5)
    y = layer(ones(50, 4)).numpy()
    np.testing.assert_array_equal(layer.backward(ones(50, 4)), y)
    assert set(np.unique(y)) == {0, 2} and (y == y[:, :1]).all()


def test_generators():
    x = ones(4, 30, 2, 2)
    one, other = (Dropout2d(0.5, generator=Generator(7)) for _ in range(2))
    np.testing.assert_array_equal(one(x), other(x))
    assert not np.array_equal(one(x), Dropout2d(0.5, generator=Generator(7))(x))
    manual_seed(5)
    first = Dropout2d()(x)
    manual_seed(5)
    np.testing.assert_array_equal(dropout2d(x), first)


def test_the_input_keeps_its_memory():
    x = ones(2, 3, 4, 4)
    assert not np.shares_memory(Dropout2d(0.5, inplace=True)(x).numpy(), x.numpy())
    assert (x.numpy() == 1).all()


@pytest.mark.parametrize("shape", [(0, 3, 2, 2), (2, 0, 2, 2), (2, 3, 0, 2)])
def test_nothing_in_nothing_out(shape):
    assert Dropout2d()(ones(*shape)).shape == shape


WRONG = [
    (lambda: Dropout2d(1.5), ArgumentError, r"probability.*1\.5"),
    (lambda: dropout2d(ones(1, 1, 2, 2), -0.1), ArgumentError, r"dropout2d.*-0\.1"),
    (lambda: dropout1d(ones(1, 1, 2), np.nan), ArgumentError, "dropout1d.*nan"),
    (lambda: dropout2d(ones(1, 1, 2, 2), "a"), ArgumentError, "p"),
    (lambda: Dropout2d()(ones(3, 4, 4)), ShapeError, r"Dropout2d.*\(3, 4, 4\).*x\[None\].*Dropout1d"),
    (lambda: Dropout2d().eval()(ones(3, 4)), ShapeError, r"\(3, 4\)"),
    (lambda: dropout2d(ones(3, 4, 4), training=False), ShapeError, "dropout1d"),
    (lambda: Dropout1d()(ones(1, 3, 4, 4)), ShapeError, r"Dropout1d.*\(N, C, L\) or \(C, L\)"),
    (lambda: Dropout2d()(np.ones((1, 2, 3, 3), int)), DTypeError, "int64"),
    (lambda: Dropout2d(generator=3)(ones(1, 2, 3, 3)), DTypeError, "generator"),
    (lambda: ChannelDropoutFunction()(ones(2, 3, 4), np.ones((2, 3), bool)), ShapeError, r"\(2, 3, 1\)"),
    (lambda: ChannelDropoutFunction()(ones(2, 3, 4), np.ones((2, 3, 4), bool)), ShapeError, r"\(2, 3, 1\)"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG)
def test_wrong_calls(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_looks():
    assert repr(Dropout2d(0.25)) == "Dropout2d(p=0.25)" and repr(Dropout1d()) == "Dropout1d(p=0.5)"
