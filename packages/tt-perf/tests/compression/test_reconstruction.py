"""Readers that are fitted anew: nearest to the old outputs that they can be."""

import numpy as np
import pytest

import tt_nn
from tt_perf.compression import choose_channels, keep_channels, prune_channels
from tt_tensor.errors import ArgumentError


def spread_over(network, name, x):
    heard = []
    hook = network.get_submodule(name).register_forward_hook(lambda m, args, y: heard.append((args[0], y)))
    network(x)
    hook.remove()
    return heard[0][0].array, heard[0][1].array


def test_against_least_squares_of_numpy(mlp, rng):
    model = mlp(dtype=np.float64)
    x = rng.normal(size=(200, 4))
    kept = choose_channels(model, {"0": 0.5})
    small = keep_channels(model, kept, x)
    seen = spread_over(small, "2", x)[0]
    wanted = spread_over(model, "2", x)[1] - model[2].bias.array
    expected = np.linalg.lstsq(seen, wanted, rcond=None)[0].T
    np.testing.assert_allclose(small[2].weight.array, expected, rtol=0.05, atol=0.02)
    # Nothing else moves.
    assert np.array_equal(small[0].weight.array, model[0].weight.array[kept["0"]])
    assert np.array_equal(small[2].bias.array, model[2].bias.array)


def test_a_convolution_is_fitted_place_by_place(cnn, rng):
    model = cnn()
    x = rng.normal(size=(60, 2, 8, 8))
    kept = choose_channels(model, {"c1": 0.25, "c2": 0.25, "c3": 0.5})
    cut, fitted = keep_channels(model, kept), keep_channels(model, kept, x)
    for name in ("c2", "c3", "fc"):
        rows = kept.get(name, np.arange(3))
        old = spread_over(model, name, x)[1][:, rows]
        errors = [((spread_over(small, name, x)[1] - old) ** 2).mean() for small in (cut, fitted)]
        assert errors[1] < 0.99 * errors[0]


@pytest.mark.parametrize("options", [{"stride": 2, "padding": 1}, {"dilation": 2}, {"padding": "same"}])
def test_what_can_be_said_exactly_is(vision, rng, options):
    # The second half of the channels repeats the first, so nothing is lost with it.
    model = tt_nn.Sequential(
        vision.Conv2d(2, 6, 3), tt_nn.ReLU(), vision.Conv2d(6, 4, 3, bias=False, **options)
    ).double()
    weight = model[0].weight.array.copy()
    weight[3:] = weight[:3]
    model[0].weight.write(weight)
    model[0].bias.write(np.tile(model[0].bias.array[:3], 2))
    x = rng.normal(size=(30, 2, 9, 9))
    small = keep_channels(model, {"0": [0, 1, 2]}, x)
    expected = model(x).array
    np.testing.assert_allclose(small(x).array, expected, atol=0.01 * np.abs(expected).max())


def test_one_axis(vision, rng):
    model = tt_nn.Sequential(vision.Conv1d(2, 6, 3), vision.Conv1d(6, 4, 3, padding=1)).double()
    x = rng.normal(size=(30, 2, 12))
    kept = choose_channels(model, 0.5)
    errors = [
        ((keep_channels(model, kept, data)(x).array - model(x).array) ** 2).mean() for data in (None, x)
    ]
    assert errors[1] < errors[0]


def test_modes_and_dtype_stay(mlp, rng):
    model = mlp()
    small = prune_channels(model, 0.5, data=rng.normal(size=(20, 4)).astype(np.float32), reconstruct=True)
    assert small.training and model.training
    assert all(p.dtype == np.float32 for p in small.parameters())


def test_bad_arguments(mlp, vision):
    with pytest.raises(ArgumentError, match="reconstruct looks at data="):
        prune_channels(mlp(), reconstruct=True)
    with pytest.raises(ArgumentError, match=r"not at \(0, 4\)"):
        prune_channels(mlp(), data=np.zeros((0, 4), np.float32), reconstruct=True)
    model = tt_nn.Sequential(
        vision.Conv2d(2, 4, 3), vision.Conv2d(4, 2, 3, padding=1, padding_mode="reflect")
    )
    with pytest.raises(ArgumentError, match="other than zeros"):
        prune_channels(model, data=np.zeros((2, 2, 8, 8), np.float32), reconstruct=True)
