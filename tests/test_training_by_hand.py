"""Laws of tt-tensor, tt-nn and tt-optim together: a whole training, by hand."""

import gc
import sys

import numpy as np
import pytest

import tt_nn
import tt_optim
import tt_tensor
from tt_tensor import Tensor, recorder

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y = np.array([[0], [1], [1], [0]], np.float32)


@pytest.fixture(autouse=True)
def no_tape():
    before = recorder.install(None)
    yield
    recorder.install(before)


def xor(dtype=np.float32):
    return tt_nn.Sequential(tt_nn.Linear(2, 8), tt_nn.Tanh(), tt_nn.Linear(8, 1)).to(dtype)


def train(model, optimizer, steps, x=X, y=Y):
    loss_fn = tt_nn.BCEWithLogitsLoss()
    x, y = Tensor(x), Tensor(y)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        model.backward(loss_fn.backward())
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_equals_the_formulas_written_out_in_numpy():
    model = xor(np.float64)
    w1, b1, w2, b2 = (p.numpy().copy() for p in model.parameters())
    losses = train(
        model, tt_optim.SGD(model.parameters(), lr=0.5), 50, X.astype(np.float64), Y.astype(np.float64)
    )
    for step in range(50):
        h = np.tanh(X @ w1.T + b1)
        z = h @ w2.T + b2
        p = 1 / (1 + np.exp(-z))
        assert losses[step] == pytest.approx(-np.mean(Y * np.log(p) + (1 - Y) * np.log(1 - p)), rel=1e-9)
        dz = (p - Y) / 4
        dh = (dz @ w2) * (1 - h * h)
        w1, b1, w2, b2 = w1 - 0.5 * dh.T @ X, b1 - 0.5 * dh.sum(0), w2 - 0.5 * dz.T @ h, b2 - 0.5 * dz.sum(0)
    for found, wanted in zip(model.parameters(), (w1, b1, w2, b2), strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-8)


def test_the_same_seed_gives_the_same_bits():
    ends = []
    for _ in range(2):
        tt_tensor.manual_seed(3)
        model = xor()
        train(model, tt_optim.AdamW(model.parameters(), lr=0.01), 100)
        ends.append([p.array.tobytes() for p in model.parameters()])
    assert ends[0] == ends[1]


def test_loops_train_the_same_network():
    ends = []
    for kernel in ("numpy", "loops"):
        tt_tensor.manual_seed(0)
        model = xor(np.float64)
        with tt_tensor.kernels.use(kernel):
            train(
                model, tt_optim.SGD(model.parameters(), lr=0.5), 3, X.astype(np.float64), Y.astype(np.float64)
            )
        ends.append(np.concatenate([p.numpy().ravel() for p in model.parameters()]))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-10)


def test_dtypes_stay_in_parameters_gradients_and_state():
    for dtype in (np.float32, np.float64):
        model = xor(dtype)
        optimizer = tt_optim.Adam(model.parameters())
        loss_fn = tt_nn.BCEWithLogitsLoss()
        loss = loss_fn(model(Tensor(X, dtype)), Tensor(Y, dtype))
        model.backward(loss_fn.backward())
        optimizer.step()
        assert loss.dtype == dtype
        for p in model.parameters():
            assert p.dtype == dtype and p.grad.dtype == dtype
        for state in optimizer.state_dict()["state"].values():
            assert {value.dtype for name, value in state.items() if name.startswith("exp_avg")} == {
                np.dtype(dtype)
            }


def test_nothing_grows_without_the_collector():
    model = xor()
    optimizer = tt_optim.Adam(model.parameters())
    train(model, optimizer, 20)
    gc.collect()
    gc.disable()
    try:
        # By type: isinstance asks the object, and somebody's weak proxy of what is gone raises.
        tensors = sum(type(thing) is Tensor for thing in gc.get_objects())
        blocks = sys.getallocatedblocks()
        train(model, optimizer, 1000)
        assert sum(type(thing) is Tensor for thing in gc.get_objects()) <= tensors
        # 1,000 losses in the list, and some slack for the interpreter's own caches.
        assert sys.getallocatedblocks() - blocks < 2500
    finally:
        gc.enable()


def test_a_step_between_forward_and_backward_is_noticed():
    model = xor()
    optimizer = tt_optim.SGD(model.parameters(), lr=0.1)
    loss_fn = tt_nn.BCEWithLogitsLoss()
    train(model, optimizer, 1)
    loss_fn(model(Tensor(X)), Tensor(Y))
    optimizer.step()
    with pytest.raises(tt_tensor.errors.InPlaceError, match="LinearFunction needs its saved value `weight`"):
        model.backward(loss_fn.backward())
