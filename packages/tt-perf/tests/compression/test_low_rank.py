"""Low rank: the error is the tail of the singular values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn
from tt_perf.compression import energy_rank, low_rank, singular_values
from tt_tensor.errors import ArgumentError, DTypeError


def product(pair):
    first, second = (part.weight.array.reshape(len(part.weight.array), -1) for part in pair)
    return second @ first


@given(outputs=st.integers(1, 7), inputs=st.integers(1, 7), seed=st.integers(0, 99), data=st.data())
def test_the_error_is_the_tail(outputs, inputs, seed, data):
    model = tt_nn.Sequential(tt_nn.Linear(inputs, outputs)).double()
    weight = np.random.default_rng(seed).normal(size=(outputs, inputs))
    model[0].weight.write(weight)
    rank = data.draw(st.integers(1, min(inputs, outputs)))
    factored, (row,) = low_rank(model, rank={"0": rank})
    values = np.linalg.svd(weight, compute_uv=False)
    off = np.linalg.norm(weight - product(factored[0]))
    assert off == pytest.approx(np.sqrt((values[rank:] ** 2).sum()), abs=1e-9)
    assert row.error == pytest.approx(off / np.linalg.norm(weight), abs=1e-9)
    assert row.energy == pytest.approx(1 - row.error**2, abs=1e-9)
    assert (row.rank, row.parameters, row.before) == (rank, rank * (inputs + outputs), inputs * outputs)


def test_full_rank_changes_nothing(mlp, rng):
    model = mlp(dtype=np.float64)
    factored, rows = low_rank(model, rank={"0": 4, "2": 6})
    x = rng.normal(size=(5, 4))
    np.testing.assert_allclose(factored(x).array, model(x).array, rtol=1e-9, atol=1e-12)
    assert [row.layer for row in rows] == ["0", "2"]
    assert len(model[0].weight.array) == 10  # the model itself is as it was


@pytest.mark.parametrize(
    "options", [{"stride": 2, "padding": 1}, {"dilation": 2}, {"padding": "same", "bias": False}]
)
def test_a_convolution_becomes_two(vision, rng, options):
    model = tt_nn.Sequential(vision.Conv2d(3, 8, 3, **options)).double()
    x = rng.normal(size=(2, 3, 9, 9))
    whole, _ = low_rank(model, rank={"0": 8})
    assert isinstance(whole[0], tt_nn.Sequential)
    np.testing.assert_allclose(whole(x).array, model(x).array, rtol=1e-9, atol=1e-12)
    thin, (row,) = low_rank(model, rank={"0": 3})
    assert thin[0][0].weight.shape == (3, 3, 3, 3) and thin[0][1].weight.shape == (8, 3, 1, 1)
    values = singular_values(model[0])
    weight = model[0].weight.array.reshape(8, -1)
    assert np.linalg.norm(weight - product(thin[0])) == pytest.approx(np.sqrt((values[3:] ** 2).sum()))
    assert row.full_rank == 8


def test_energy():
    values = [3.0, 2.0, 1.0]  # squares 9, 4, 1 of 14
    assert [energy_rank(values, e) for e in (0, 9 / 14, 0.65, 13 / 14, 0.95, 1)] == [1, 1, 2, 2, 3, 3]
    assert energy_rank([2.0, 0.0, 0.0], 1.0) == 1
    assert energy_rank([0.0, 0.0], 0.5) == 1


def test_only_where_it_saves(rng):
    model = tt_nn.Sequential(tt_nn.Linear(40, 30), tt_nn.ReLU(), tt_nn.Linear(30, 2)).double()
    thin = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 40))
    model[0].weight.write(thin)
    factored, rows = low_rank(model, energy=0.9999999)
    assert [(row.layer, row.rank) for row in rows] == [("0", 3)]
    assert isinstance(factored[2], tt_nn.Linear)
    x = rng.normal(size=(4, 40))
    np.testing.assert_allclose(factored(x).array, model(x).array, rtol=1e-6, atol=1e-9)
    assert low_rank(model, rank=30)[1] == []


def test_a_lone_layer_dtype_and_frozen():
    layer = tt_nn.Linear(20, 20).requires_grad_(False)
    factored, (row,) = low_rank(layer, rank=2)
    assert isinstance(factored, tt_nn.Sequential) and row.layer == ""
    assert all(p.dtype == np.float32 and not p.requires_grad for p in factored.parameters())


def test_bad_arguments(mlp, vision):
    for options in ({}, {"rank": 2, "energy": 0.5}):
        with pytest.raises(ArgumentError, match="how far"):
            low_rank(mlp(), **options)
    for options in ({"energy": 1.5}, {"rank": 0}, {"rank": 2.5}, {"rank": {"0": 5}}, {"rank": {"9": 1}}):
        with pytest.raises(ArgumentError):
            low_rank(mlp(), **options)
    with pytest.raises(ArgumentError, match="leave layers= out"):
        low_rank(mlp(), rank={"0": 1}, layers=["0"])
    with pytest.raises(ArgumentError, match="groups=1"):
        low_rank(tt_nn.Sequential(vision.Conv2d(4, 4, 3, groups=2)), rank=1, layers=["0"])
    tied = tt_nn.Sequential(tt_nn.Linear(9, 9), tt_nn.Linear(9, 9))
    tied[1].weight = tied[0].weight
    assert low_rank(tied, rank=1)[1] == []
    with pytest.raises(ArgumentError, match="tied"):
        low_rank(tied, rank=1, layers=["0"])
    with pytest.raises(ArgumentError, match="no linear layer"):
        singular_values(tt_nn.ReLU())
    with pytest.raises(DTypeError, match="a Module"):
        low_rank(3, rank=1)


class Doubled(tt_nn.Linear):
    """A layer that computes something else than its wheel's."""

    def forward(self, x):
        return super().forward(x) * 2


def test_a_layer_with_a_forward_of_its_own_stays(rng):
    model = tt_nn.Sequential(Doubled(8, 8), tt_nn.ReLU(), tt_nn.Linear(8, 8))
    factored, rows = low_rank(model, rank=1)
    assert [row.layer for row in rows] == ["2"]
    assert type(factored[0]) is Doubled
    with pytest.raises(ArgumentError, match="'0' cannot be factored: Doubled has a forward of its own"):
        low_rank(model, rank={"0": 1})


def test_hooks_go_on_with_the_two_layers(rng):
    model = tt_nn.Sequential(tt_nn.Linear(4, 4), tt_nn.ReLU())
    model[0].register_forward_hook(lambda module, args, output: output * 2)
    factored, _ = low_rank(model, rank={"0": 4})
    x = rng.normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(factored(x).array, model(x).array, rtol=1e-4, atol=1e-5)
