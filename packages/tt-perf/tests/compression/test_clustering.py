"""Clustering: each weight is the nearest value of the codebook, and the file is as small as that makes it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn
from tt_perf.compression import Clustered, cluster, k_means
from tt_perf.compression.clustering import pack, unpack
from tt_tensor.errors import ArgumentError, DTypeError


@given(size=st.integers(1, 60), clusters=st.integers(1, 20), seed=st.integers(0, 99), few=st.booleans())
def test_the_law_of_the_nearest(size, clusters, seed, few):
    numbers = np.random.default_rng(seed)
    values = (
        numbers.integers(-3, 4, size).astype(np.float32)
        if few
        else numbers.normal(size=size).astype(np.float32)
    )
    codebook, index = k_means(values, clusters, seed=seed)
    assert codebook.dtype == np.float32 and index.dtype == np.uint8 and index.shape == values.shape
    assert (np.diff(codebook) > 0).all() and len(codebook) <= min(clusters, len(np.unique(values)))
    off = np.abs(values[:, None].astype(float) - codebook)
    assert (off[np.arange(size), index] <= off.min(axis=1) + 1e-9).all()
    if len(np.unique(values)) <= clusters:
        assert np.array_equal(codebook[index], values)


def test_values_are_the_means_of_their_own(rng):
    values = rng.normal(size=5000)
    codebook, index = k_means(values, 8)
    for at in range(8):
        assert codebook[at] == pytest.approx(values[index == at].mean(), abs=1e-3)


def test_it_finds_what_there_is(rng):
    centres = np.array([-4.0, -1.0, 0.5, 3.0])
    values = (centres[:, None] + rng.normal(0, 0.01, (4, 50))).reshape(2, 100)
    codebook, index = k_means(values, 4)
    np.testing.assert_allclose(codebook, centres, atol=0.01)
    assert index.shape == (2, 100) and (np.bincount(index.ravel()) == 50).all()


def test_it_is_better_than_an_even_grid(rng):
    values = rng.normal(size=4000)
    grid = np.linspace(values.min(), values.max(), 16)
    even = ((values - grid[np.abs(values[:, None] - grid).argmin(axis=1)]) ** 2).mean()
    codebook, index = k_means(values, 16)
    assert ((values - codebook[index]) ** 2).mean() < 0.6 * even


@given(st.lists(st.integers(0, 15), max_size=9))
def test_packing(numbers):
    packed = pack(numbers)
    assert packed.nbytes == (len(numbers) + 1) // 2
    assert unpack(packed, (len(numbers),)).tolist() == numbers


@pytest.mark.parametrize("clusters", [1, 3, 16, 17, 256])
def test_a_clustered_model_computes_with_its_codebook(cnn, rng, clusters):
    model = cnn()
    small = cluster(model, clusters)
    for name in ("c1", "c2", "c3", "fc"):
        layer = getattr(small, name)
        assert isinstance(layer, Clustered) and len(np.unique(layer.dense())) <= clusters
        getattr(model, name).weight.write(layer.dense())
    x = rng.normal(size=(2, 2, 8, 8))
    np.testing.assert_allclose(small(x).array, model(x).array, rtol=1e-12)


def test_the_true_size_and_back_again(tmp_path, rng):
    model = tt_nn.Sequential(tt_nn.Linear(128, 64), tt_nn.ReLU(), tt_nn.Linear(64, 10))
    x = rng.normal(size=(3, 128)).astype(np.float32)
    weights, biases = 128 * 64 + 64 * 10, 74
    for clusters, bits in ((16, 4), (256, 8)):
        small = cluster(model, clusters)
        path = tmp_path / f"{clusters}.safetensors"
        tt_nn.save(small, path)
        exact = weights * bits // 8 + 4 * (2 * clusters + biases)
        assert exact <= path.stat().st_size <= exact + 1024
        again = cluster(tt_nn.Sequential(tt_nn.Linear(128, 64), tt_nn.ReLU(), tt_nn.Linear(64, 10)), clusters)
        again(x)  # what it has looked up before is not kept
        again.load_state_dict(tt_nn.load(path))
        assert np.array_equal(again(x).array, small(x).array)


def test_the_original_stays_and_seeds_repeat(mlp):
    model = mlp()
    before = model[0].weight.array.copy()
    first, second = cluster(model, 4), cluster(model, 4)
    assert np.array_equal(model[0].weight.array, before)
    assert np.array_equal(first[0].dense(), second[0].dense())
    assert [layer.__class__.__name__ for layer in cluster(model, 4, layers=["2"])] == [
        "Linear",
        "Tanh",
        "Clustered",
        "ReLU",
        "Linear",
    ]
    assert isinstance(cluster(model[0], 4), Clustered)
    assert "Linear(10, 4), clusters=4" in repr(first)


def test_bad_arguments(mlp):
    for bad in (0, 257, 2.0, True):
        with pytest.raises(ArgumentError, match="clusters"):
            cluster(mlp(), bad)
    with pytest.raises(ArgumentError, match="finite numbers"):
        k_means([], 2)
    with pytest.raises(ArgumentError, match="finite numbers"):
        k_means([1.0, np.nan], 2)
    tied = tt_nn.Sequential(tt_nn.Linear(9, 9), tt_nn.Linear(9, 9))
    tied[1].weight = tied[0].weight
    with pytest.raises(ArgumentError, match=r"1\.weight is tied to 0\.weight; name the others"):
        cluster(tied, 4, layers=["1"])
    with pytest.raises(ArgumentError, match=r"0\.weight is tied to 1\.weight"):
        cluster(tied, 4)
    with pytest.raises(ArgumentError, match="no layer 'x'"):
        cluster(mlp(), 4, layers=["x"])
    with pytest.raises(DTypeError, match="a Module"):
        cluster(None, 4)


def test_hooks_go_on_with_the_clustered_layer(rng):
    model = tt_nn.Sequential(tt_nn.Linear(4, 4), tt_nn.ReLU())
    model[0].register_forward_hook(lambda module, args, output: output * 2)
    x = rng.normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(cluster(model, 16)(x).array, model(x).array, rtol=1e-6)
