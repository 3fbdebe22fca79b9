"""Laws of tt-autograd, tt-nn and tt-optim together: trainings by tape."""

import copy
import gc
import pickle
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tt_autograd as ta
import tt_nn as nn
import tt_optim
import tt_tensor as tt

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y = np.array([[0], [1], [1], [0]], np.float32)


def xor(dtype=np.float32):
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).to(dtype)


def batch(*shape, dtype=np.float32, seed=0):
    return tt.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(dtype))


def gradients(model):
    return [None if p.grad is None else p.grad.numpy().copy() for p in model.parameters()]


def taught(model, optimizer, steps, x=X, y=Y):
    loss_fn = nn.BCEWithLogitsLoss()
    x, y = tt.tensor(x), tt.tensor(y)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# --- training -------------------------------------------------------------------------------------------


def test_equals_the_formulas_written_out_in_numpy():
    tt.manual_seed(0)
    model = xor(np.float64)
    w1, b1, w2, b2 = (p.numpy().copy() for p in model.parameters())
    x, y = X.astype(np.float64), Y.astype(np.float64)
    losses = taught(model, tt_optim.SGD(model.parameters(), lr=0.5), 50, x, y)
    for step in range(50):
        h = np.tanh(x @ w1.T + b1)
        p = 1 / (1 + np.exp(-(h @ w2.T + b2)))
        assert losses[step] == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), rel=1e-9)
        dz = (p - y) / 4
        dh = (dz @ w2) * (1 - h * h)
        w1, b1, w2, b2 = w1 - 0.5 * dh.T @ x, b1 - 0.5 * dh.sum(0), w2 - 0.5 * dz.T @ h, b2 - 0.5 * dz.sum(0)
    for found, wanted in zip(model.parameters(), (w1, b1, w2, b2), strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-8)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_xor_is_learned(seed):
    tt.manual_seed(seed)
    model = xor()
    losses = taught(model, tt_optim.Adam(model.parameters(), lr=0.05), 400)
    with ta.inference_mode():
        found = model(tt.tensor(X))
    assert ((found.numpy() > 0) == (Y > 0)).all()
    assert losses[-1] < 0.05 < losses[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_have_the_shape_and_dtype_of_their_parameters(dtype):
    model = nn.Sequential(
        nn.Linear(5, 7), nn.LayerNorm(7), nn.GELU(), nn.Dropout(0.2), nn.Linear(7, 3, bias=False)
    ).to(dtype)
    optimizer = tt_optim.AdamW(model.parameters(), lr=0.01)
    x = batch(6, 5, dtype=dtype).requires_grad_()
    for _ in range(3):
        loss = nn.CrossEntropyLoss()(model(x), tt.tensor([0, 1, 2, 0, 1, 2]))
        assert loss.dtype == dtype
        loss.backward()
        for p in [x, *model.parameters()]:
            assert p.grad.shape == p.shape
            assert p.grad.dtype == p.dtype == dtype
            assert p.grad.is_leaf
            assert p.is_leaf
        optimizer.step()


def test_the_same_seed_gives_the_same_bits():
    found = []
    for _ in range(2):
        tt.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))
        losses = taught(
            model, tt_optim.Adam(model.parameters()), 10, batch(8, 4).numpy(), batch(8, 1, seed=1).numpy()
        )
        found.append((losses, [p.numpy().tobytes() for p in model.parameters()]))
    assert found[0] == found[1]


def test_parts_of_a_batch_add_up_to_the_batch():
    """In whole numbers the sums are exact."""
    model = nn.Linear(3, 2, dtype=np.float64)
    for p in model.parameters():
        p.write(np.round(p.numpy() * 8))
    x, y = np.arange(24.0).reshape(8, 3) % 7, np.arange(16.0).reshape(8, 2) % 5

    def go_back(rows):
        nn.MSELoss("sum")(model(tt.tensor(x[rows])), tt.tensor(y[rows])).backward()

    go_back(slice(None))
    whole = gradients(model)
    model.zero_grad()
    for rows in (slice(0, 3), slice(3, 4), slice(4, 8)):
        go_back(rows)
    np.testing.assert_array_equal(gradients(model)[0], whole[0])
    np.testing.assert_array_equal(gradients(model)[1], whole[1])
    model.zero_grad()
    ready = threading.Barrier(2)

    def shard(rows):
        ready.wait(10)
        go_back(rows)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(shard, (slice(0, 5), slice(5, 8))))
    np.testing.assert_array_equal(gradients(model)[0], whole[0])
    np.testing.assert_array_equal(gradients(model)[1], whole[1])


def test_a_graph_from_before_a_step_is_refused_after_it():
    model = xor()
    optimizer = tt_optim.SGD(model.parameters(), lr=0.1)
    loss = model(tt.tensor(X)).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(tt.errors.InPlaceError, match="changed in place"):
        loss.backward()


# --- weights that are shared, frozen, or used twice -----------------------------------------------------


def test_a_tied_weight_has_the_sum_and_is_stepped_once():
    tied = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    apart = copy.deepcopy(tied)
    apart[2].weight.write(apart[0].weight.numpy())
    tied[2].weight = tied[0].weight
    assert sum(p is tied[0].weight for p in tied.parameters()) == 1
    x = batch(5, 4)
    for model in (tied, apart):
        (model(x) ** 2).sum().backward()
    total = apart[0].weight.grad.numpy() + apart[2].weight.grad.numpy()
    np.testing.assert_allclose(tied[0].weight.grad.numpy(), total, 1e-5, 1e-6)
    before = tied[0].weight.numpy().copy()
    step = tied[0].weight.grad.numpy().copy()
    tt_optim.SGD(tied.parameters(), lr=0.5).step()
    np.testing.assert_allclose(tied[0].weight.numpy(), before - 0.5 * step, 1e-6, 1e-7)
    assert tied[2].weight is tied[0].weight


def test_one_layer_applied_twice():
    """By hand its gradient is wrong; the tape has both applications."""
    layer = nn.Linear(3, 3, dtype=np.float64)
    x = batch(4, 3, dtype=np.float64)
    (layer(layer(x).tanh()) ** 2).sum().backward()

    def loss(weight):
        h = np.tanh(x.numpy() @ weight.T + layer.bias.numpy())
        return ((h @ weight.T + layer.bias.numpy()) ** 2).sum()

    w = layer.weight.numpy()
    for place in np.ndindex(w.shape):
        step = np.zeros_like(w)
        step[place] = 1e-6
        slope = (loss(w + step) - loss(w - step)) / 2e-6
        assert layer.weight.grad.numpy()[place] == pytest.approx(slope, rel=1e-6, abs=1e-6)


def test_a_frozen_layer_gets_no_gradient_and_its_rule_is_told_so():
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 1))
    x = batch(3, 4)
    (model(x) ** 2).sum().backward()
    whole = gradients(model)
    model.zero_grad()
    for p in model[2].parameters():
        p.requires_grad = False
    y = model(x)
    frozen = y.grad_fn.inputs[0].inputs[0]
    assert type(frozen).__name__ == "LinearFunction"
    assert [frozen.wants(k) for k in range(3)] == [True, False, False]
    first = frozen.inputs[0].inputs[0]
    assert [first.wants(k) for k in range(3)] == [False, True, True]  # the data want none either
    (y**2).sum().backward()
    for index, (found, wanted) in enumerate(zip(gradients(model), whole, strict=True)):
        if index in (2, 3):
            assert found is None
        else:
            np.testing.assert_array_equal(found, wanted)
    for p in [*model[0].parameters(), *model[4].parameters()]:
        p.requires_grad = False
    assert not model(x).requires_grad


def test_eval_and_inference_leave_no_graph():
    model = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 1))
    model.eval()
    x = batch(3, 4)
    assert model(x).requires_grad  # eval alone records
    for mode in (ta.no_grad, ta.inference_mode):
        with mode():
            y = model(x)
        assert not y.requires_grad
        assert y.grad_fn is None


# --- higher orders and checkpoints ----------------------------------------------------------------------


def test_a_gradient_penalty_of_a_network():
    """d/dW (‖∂f/∂x‖² summed) by central differences."""
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 6), nn.SiLU(), nn.LayerNorm(6), nn.Linear(6, 1)).to(np.float64)
    x = batch(4, 3, dtype=np.float64).requires_grad_()

    def penalty():
        (g,) = ta.grad(model(x).sum(), x, create_graph=True)
        return (g * g).sum()

    penalty().backward()
    assert x.grad is not None  # the slope depends on where it is taken
    rng = np.random.default_rng(0)
    for p in model.parameters():
        found = np.zeros(p.shape) if p.grad is None else p.grad.numpy()  # no slope depends on the last biases
        direction = rng.normal(size=p.shape)
        start = p.numpy().copy()
        values = []
        for sign in (1, -1):
            p.write(start + sign * 1e-5 * direction)
            values.append(penalty().item())
        p.write(start)
        slope = (values[0] - values[1]) / 2e-5
        assert float((found * direction).sum()) == pytest.approx(slope, rel=1e-6, abs=1e-8)


def mlp(depth, width, p, generator=None):
    layers = []
    for _ in range(depth):
        layers += [
            nn.Linear(width, width),
            nn.LayerNorm(width),
            nn.ReLU(),
            nn.Dropout(p, generator=generator),
        ]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("own", [False, True], ids=["the default generator", "a generator of its own"])
@pytest.mark.parametrize("segments", [1, 3, None])
def test_checkpointed_layers_have_the_same_bits(own, segments):
    found = []
    for checkpointed in (False, True):
        tt.manual_seed(5)
        model = mlp(6, 16, 0.3, tt.Generator(9) if own else None)
        optimizer = tt_optim.Adam(model.parameters(), lr=0.01)
        x = batch(8, 16).requires_grad_()
        history = []
        for _ in range(3):
            optimizer.zero_grad()
            y = ta.checkpoint_sequential(model, segments, x) if checkpointed else model(x)
            loss = (y * y).mean()
            loss.backward()
            optimizer.step()
            history += [loss.numpy().tobytes(), x.grad.numpy().tobytes()]
            history += [p.grad.numpy().tobytes() for p in model.parameters()]
        history += [p.numpy().tobytes() for p in model.parameters()]
        found.append(history)
    assert found[0] == found[1]


def test_checkpointed_layers_take_less_memory():
    x = batch(64, 64)
    model = mlp(32, 64, 0.1)

    def peak(call):
        call()  # what is allocated once
        model.zero_grad()
        gc.collect()
        tracemalloc.start()
        call()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found - sum(p.nbytes for p in model.parameters())  # the gradients have to be somewhere

    plain = peak(lambda: (model(x) ** 2).sum().backward())
    checkpointed = peak(lambda: (ta.checkpoint_sequential(model, None, x) ** 2).sum().backward())
    assert checkpointed < 0.4 * plain


# --- memory and copies ----------------------------------------------------------------------------------


def test_ten_thousand_steps_without_the_collector():
    tt.manual_seed(0)
    model = xor()
    optimizer = tt_optim.Adam(model.parameters(), lr=0.01)
    gc.collect()
    gc.disable()
    try:
        taught(model, optimizer, 500)
        tracemalloc.start()
        taught(model, optimizer, 500)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        objects = len(gc.get_objects())
        taught(model, optimizer, 9_000)
        assert len(gc.get_objects()) - objects < 100
        tracemalloc.start()
        taught(model, optimizer, 500)
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert after - before < 20_000
        loss = model(tt.tensor(X)).sum()
        gone = weakref.ref(loss), weakref.ref(loss.grad_fn)
        loss.backward()
        del loss
        assert gone[0]() is None
        assert gone[1]() is None
        loss = model(tt.tensor(X)).sum()
        gone = weakref.ref(loss), weakref.ref(loss.grad_fn)
        del loss  # never gone back
        assert gone[0]() is None
        assert gone[1]() is None
    finally:
        gc.enable()


def test_parameters_and_models_are_copied_after_a_training():
    tt.manual_seed(0)
    model = xor()
    optimizer = tt_optim.SGD(model.parameters(), lr=0.1)
    taught(model, optimizer, 3)
    model[0].weight.register_hook(lambda g: g * 0.0)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            assert type(p) is type(q)
            assert q.requires_grad
            assert q.is_leaf
            assert not p.shares_memory(q)
            np.testing.assert_array_equal(p.numpy(), q.numpy())
            np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())
            assert not p.grad.shares_memory(q.grad)
        before = gradients(model)
        twin.zero_grad()
        twin(tt.tensor(X)).sum().backward()
        assert twin[0].weight.grad.numpy().any()  # nobody listens to a copy
        assert all((a == b).all() for a, b in zip(gradients(model), before, strict=True))
    result = model(tt.tensor(X))
    for call in (copy.deepcopy, pickle.dumps):
        with pytest.raises(tt.errors.GradientError, match="detach"):
            call(result)
