"""Magnitude pruning: the smallest go, exactly as many as asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn
from tt_perf.compression import prune_magnitude, sparsity_report
from tt_perf.compression.magnitude import magnitude_masks
from tt_tensor.errors import ArgumentError, DTypeError


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    sparsity=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_what_goes_is_never_larger_than_what_stays(shape, sparsity, seed):
    model = tt_nn.Linear(shape[1], shape[0])
    weight = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    model.weight.write(weight)
    mask = prune_magnitude(model, sparsity)["weight"]
    assert (~mask).sum() == round(weight.size * sparsity)
    gone, left = np.abs(weight[~mask]), np.abs(weight[mask])
    assert not gone.size or not left.size or gone.max() <= left.min()
    # What stays is untouched, what goes is +0.
    assert np.array_equal(model.weight.array, np.where(mask, weight, 0))
    assert not np.signbit(model.weight.array[~mask]).any()


def test_global_is_one_ranking(mlp):
    model = mlp()
    model[2].weight.write(model[2].weight.array * 100)
    every = np.concatenate([np.abs(model[at].weight.array).ravel() for at in (0, 2, 4)])
    masks = prune_magnitude(model, 0.4, scope="global")
    limit = np.sort(every)[round(0.4 * every.size) - 1]
    assert masks["2.weight"].mean() > 0.9 > 0.6 > masks["0.weight"].mean()
    assert sum((~mask).sum() for mask in masks.values()) == round(0.4 * every.size)
    assert all(np.abs(model[at].weight.array[masks[f"{at}.weight"]]).min() > limit for at in (0, 2, 4))


def test_layer_takes_the_same_share_of_each(mlp):
    model = mlp()
    model[2].weight.write(model[2].weight.array * 100)
    masks = prune_magnitude(model, 0.5)
    assert {name: int((~mask).sum()) for name, mask in masks.items()} == {
        "0.weight": 20,
        "2.weight": 30,
        "4.weight": 9,
    }
    assert masks.sparsity == pytest.approx(0.5)


def test_equal_weights_go_in_their_order():
    model = tt_nn.Linear(4, 1)
    model.weight.write([[1.0, -1.0, 1.0, 1.0]])
    assert prune_magnitude(model, 0.5)["weight"].tolist() == [[False, False, True, True]]


def test_within_nests(mlp):
    model = mlp()
    first = prune_magnitude(model, 0.3, scope="global")
    for parameter in model.parameters():  # the pruned grow back, the others are gone
        parameter.write(np.where(parameter.array == 0, 9.0, 0.01))
    second = magnitude_masks(model, 0.6, scope="global", within=first)
    assert all(not (second[name] & ~first[name]).any() for name in first)
    assert sum((~mask).sum() for mask in second.values()) == round(0.6 * 118)


def test_biases_stay_and_layers_can_be_named(mlp):
    model = mlp()
    masks = prune_magnitude(model, 1.0, layers=["2"])
    assert list(masks) == ["2.weight"] and not model[2].weight.array.any()
    assert all(model[at].bias.array.any() for at in (0, 2, 4))


def test_tied_weights_are_one():
    model = tt_nn.Sequential(tt_nn.Linear(3, 3), tt_nn.Linear(3, 3))
    model[1].weight = model[0].weight
    assert list(prune_magnitude(model, 0.5)) == ["0.weight"]


def test_convolutions_count(cnn):
    assert list(prune_magnitude(cnn(), 0.5)) == ["c1.weight", "c2.weight", "c3.weight", "fc.weight"]


def test_empty_weights():
    masks = prune_magnitude(tt_nn.Linear(0, 3), 0.5)
    assert masks["weight"].shape == (3, 0) and masks.sparsity == 0.0


def test_the_report_counts_zeros(mlp):
    model = mlp()
    prune_magnitude(model, 0.5)
    report = sparsity_report(model)
    zeros = {row.name: row.zeros for row in report.rows}
    assert zeros == {"0.weight": 20, "0.bias": 0, "2.weight": 30, "2.bias": 0, "4.weight": 9, "4.bias": 0}
    assert (report.zeros, report.size) == (59, 137)
    assert report.sparsity == 59 / 137 == report.to_dict()["sparsity"]
    assert "2.weight" in str(report) and "50.0%" in str(report)


def test_bad_arguments(mlp):
    for bad in (-0.1, 1.1, "all", None, True, float("nan")):
        with pytest.raises(ArgumentError, match="sparsity is a share"):
            prune_magnitude(mlp(), bad)
    with pytest.raises(ArgumentError, match="scope"):
        prune_magnitude(mlp(), 0.5, scope="all")
    with pytest.raises(ArgumentError, match="no layer '7'"):
        prune_magnitude(mlp(), 0.5, layers=["7"])
    with pytest.raises(ArgumentError, match="a row of names"):
        prune_magnitude(mlp(), 0.5, layers="0")
    with pytest.raises(ArgumentError, match="no linear layer"):
        prune_magnitude(tt_nn.ReLU(), 0.5)
    with pytest.raises(DTypeError, match="a Module"):
        prune_magnitude([1.0], 0.5)
    broken = mlp()
    weight = broken[0].weight.array.copy()
    weight[0, 0] = np.nan
    broken[0].weight.write(weight)
    before = [p.array.copy() for p in broken.parameters()]
    with pytest.raises(ArgumentError, match=r"0\.weight holds nan"):
        prune_magnitude(broken, 0.5)
    assert all(
        np.array_equal(a, p.array, equal_nan=True) for a, p in zip(before, broken.parameters(), strict=True)
    )
