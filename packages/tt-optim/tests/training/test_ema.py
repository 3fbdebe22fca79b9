"""EMA against its definition, one number at a time."""

import numpy as np
import pytest

import tt_nn
from tt_optim.training import EMA
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError


def moved(model, rng):
    for p in model.parameters():
        p.write(rng.normal(size=p.shape).astype(p.dtype))


@pytest.mark.parametrize("warm_up", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_average_is_the_recursion(network, rng, warm_up, dtype):
    model = network(dtype=dtype)
    ema = EMA(model, decay=0.9, warm_up=warm_up)
    wanted = {name: p.array.astype(np.float64) for name, p in model.named_parameters()}
    for t in range(1, 200):
        moved(model, rng)
        ema.update()
        d = min(0.9, (1 + t) / (10 + t)) if warm_up else 0.9
        wanted = {
            name: d * wanted[name] + (1 - d) * p.array.astype(np.float64)
            for name, p in model.named_parameters()
        }
    for name, average in ema.state_dict()["average"].items():
        assert average.dtype == dtype
        tolerance = 1e-6 if dtype == np.float32 else 1e-13
        np.testing.assert_allclose(average.array, wanted[name], rtol=0, atol=tolerance)


def test_swapped_gives_the_weights_back_bit_for_bit(network, rng):
    model = network()
    ema = EMA(model, 0.5)
    moved(model, rng)
    ema.update()
    own = [p.array.copy() for p in model.parameters()]

    def inside():
        averaged = ema.state_dict()["average"]
        for name, p in model.named_parameters():
            assert np.array_equal(p.array, averaged[name].array)
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"), ema.swapped():
        inside()
    assert all(np.array_equal(p.array, kept) for p, kept in zip(model.parameters(), own, strict=True))


def test_tied_weights_are_averaged_once(rng):
    first = tt_nn.Linear(3, 3)
    second = tt_nn.Linear(3, 3)
    second.weight = first.weight
    model = tt_nn.Sequential(first, second)
    ema = EMA(model, 0.9, warm_up=False)
    start = first.weight.array.copy()
    moved(model, rng)
    ema.update()
    assert sorted(ema.state_dict()["average"]) == ["0.bias", "0.weight", "1.bias"]
    weights = ema.weights()
    np.testing.assert_allclose(weights["0.weight"].array, 0.9 * start + 0.1 * first.weight.array, atol=1e-6)
    assert np.array_equal(weights["0.weight"].array, weights["1.weight"].array)
    ema.copy_to_model()
    assert second.weight is first.weight


def test_buffers_are_those_of_now_and_half_is_averaged_in_single():
    model = tt_nn.Linear(2, 2).half()
    model.register_buffer("seen", Tensor([1.0]))
    ema = EMA(model, 0.9)
    model.seen.write([5.0])
    ema.update()
    assert ema.state_dict()["average"]["weight"].dtype == np.float32
    weights = ema.weights()
    assert weights["seen"].item() == 5.0 and weights["weight"].dtype == np.float16
    model.load_state_dict(weights)


def test_a_saved_average_goes_on(network, rng):
    model, twin = network(), network()
    ema, other = EMA(model, 0.9), EMA(twin, 0.9)
    moved(model, rng)
    ema.update()
    saved = ema.state_dict()
    other.load_state_dict(saved)
    moved(model, rng)
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        q.write(p)
    ema.update()
    other.update()
    for name, average in ema.state_dict()["average"].items():
        assert np.array_equal(average.array, other.state_dict()["average"][name].array)
        assert not np.array_equal(average.array, saved["average"][name].array)  # a copy was saved


def test_an_average_of_another_model_is_refused(network):
    ema = EMA(network())
    with pytest.raises(ArgumentError, match="missing"):
        ema.load_state_dict(EMA(tt_nn.Linear(2, 2)).state_dict())
    with pytest.raises(ArgumentError, match="float64"):
        ema.load_state_dict(EMA(network(dtype=np.float64)).state_dict())


def test_what_it_does_not_take(network):
    with pytest.raises(DTypeError, match="Module"):
        EMA(list(network().parameters()))
    for decay in (1.0, -0.1):
        with pytest.raises(ArgumentError, match="decay"):
            EMA(network(), decay)
