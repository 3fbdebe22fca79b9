"""The kernels of RNN, LSTM and GRU: a step at a time gives what number after number gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_nn.recurrent import gru, lstm, rnn

SIZES = st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 3))


def near(found, wanted, dtype):
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype == dtype and one.shape == other.shape
        np.testing.assert_allclose(one, other, tolerance, tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(sizes=SIZES, seed=st.integers(0, 99))
@settings(max_examples=25)
def test_lstm(sizes, seed, dtype):
    steps, batch, size = sizes
    rng = np.random.default_rng(seed)
    sums, h, c, weight = [
        rng.normal(size=shape).astype(dtype)
        for shape in ((steps, batch, 4 * size), (batch, size), (batch, size), (4 * size, size))
    ]
    wanted = lstm.loops(sums, h, c, weight)
    near(lstm.numpy(sums, h, c, weight), wanted, dtype)
    grad = rng.normal(size=(steps + 1, batch, size)).astype(dtype)
    kept = (*wanted[1:], c, weight)
    near(lstm.numpy_backward(grad, *kept), lstm.loops_backward(grad, *kept), dtype)
    if steps:
        ends = rng.integers(0, steps, batch)
        wanted = lstm.loops(sums, h, c, weight, ends)
        near(lstm.numpy(sums, h, c, weight, ends), wanted, dtype)
        near(lstm.numpy_backward(grad, *kept, ends), lstm.loops_backward(grad, *kept, ends), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(sizes=SIZES, seed=st.integers(0, 99))
@settings(max_examples=25)
def test_gru(sizes, seed, dtype):
    steps, batch, size = sizes
    rng = np.random.default_rng(seed)
    sums, h, weight, bias = [
        rng.normal(size=shape).astype(dtype)
        for shape in ((steps, batch, 3 * size), (batch, size), (3 * size, size), (size,))
    ]
    wanted = gru.loops(sums, h, weight, bias)
    near(gru.numpy(sums, h, weight, bias), wanted, dtype)
    grad = rng.normal(size=(steps, batch, size)).astype(dtype)
    kept = (*wanted, h, weight)
    near(gru.numpy_backward(grad, *kept), gru.loops_backward(grad, *kept), dtype)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(sizes=SIZES, seed=st.integers(0, 99))
@settings(max_examples=25)
def test_rnn(sizes, seed, dtype, relu):
    steps, batch, size = sizes
    rng = np.random.default_rng(seed)
    sums, h, weight = [
        rng.normal(size=shape).astype(dtype) for shape in ((steps, batch, size), (batch, size), (size, size))
    ]
    wanted = rnn.loops(sums, h, weight, relu)
    near([rnn.numpy(sums, h, weight, relu)], [wanted], dtype)
    grad = rng.normal(size=sums.shape).astype(dtype)
    near(
        rnn.numpy_backward(grad, wanted, weight, relu), rnn.loops_backward(grad, wanted, weight, relu), dtype
    )


def test_gates_far_out_are_shut_or_open_without_a_warning():
    sums = np.array([[[-1e4, 1e4, 1e4, -1e4]], [[1e4, -1e4, -1e4, 1e4]]])
    y, gates, _ = lstm.numpy(sums, np.zeros((1, 1)), np.ones((1, 1)), np.zeros((4, 1)))
    assert gates[:, 0].tolist() == [[0, 1, 1, 0], [1, 0, -1, 1]]
    assert y[:, 0, 0].tolist() == [0.0, np.tanh(-1.0), -1.0]
