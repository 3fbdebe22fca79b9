"""Channels that are cut out: the small network is the old one in which nobody reads them."""

import copy

import numpy as np
import pytest

import tt_nn
from tt_nn import Flatten, Linear, ReLU, Sequential
from tt_perf.compression import (
    channel_groups,
    choose_channels,
    keep_channels,
    load_pruned,
    prune_channels,
)
from tt_tensor.errors import ArgumentError, DTypeError


def silenced(model, kept):
    """A copy of the model whose readers have zeros for what is not kept."""
    silent = copy.deepcopy(model)
    for group in channel_groups(model).groups:
        if group.producer not in kept:
            continue
        gone = np.setdiff1d(np.arange(group.size), kept[group.producer])
        for name, spread in group.consumers:
            weight = silent.get_submodule(name).weight
            array = weight.array.copy()
            for channel in gone:
                array[:, channel * spread : (channel + 1) * spread] = 0
            weight.write(array)
    return silent


def test_the_groups_of_a_cnn(cnn):
    found = channel_groups(cnn())
    rows = [(g.producer, g.size, g.followers, g.consumers) for g in found.groups]
    assert rows == [
        ("c1", 8, ["n1"], [("c2", 1)]),
        ("c2", 12, ["n2"], [("c3", 1)]),
        ("c3", 6, [], [("fc", 4)]),
    ]
    assert found.fixed == {"fc": "they are the output of the network"}


@pytest.mark.parametrize("criterion", ["norm", "batch_norm", "outgoing", "contribution"])
def test_the_small_network_is_the_old_one_that_does_not_listen(cnn, rng, criterion):
    model = cnn()
    x = rng.normal(size=(5, 2, 8, 8))
    amount = {"c1": 0.5, "c2": 0.25} if criterion == "batch_norm" else 0.5
    kept = choose_channels(model, amount, criterion=criterion, data=x)
    small = prune_channels(model, amount, criterion=criterion, data=x)
    assert small.c1.out_channels == 4 == small.n1.num_features == small.c2.in_channels
    assert small.c2.out_channels == (9 if criterion == "batch_norm" else 6)
    np.testing.assert_allclose(small(x).array, silenced(model, kept)(x).array, rtol=1e-9, atol=1e-12)


def test_the_original_is_not_touched(cnn, rng):
    model = cnn()
    before = {name: tensor.array.copy() for name, tensor in model.state_dict().items()}
    small = prune_channels(model, 0.5)
    small.c1.weight.write(0)
    after = model.state_dict()
    assert list(before) == list(after)
    assert all(np.array_equal(before[name], after[name].array) for name in before)


def test_dead_channels_may_go_and_nothing_changes(cnn, rng):
    model = cnn()
    dead = [1, 4, 6]
    weight, bias = model.c1.weight.array.copy(), model.c1.bias.array.copy()
    weight[dead] = bias[dead] = 0
    model.c1.weight.write(weight)
    model.c1.bias.write(bias)
    for tensor in (model.n1.bias, model.n1.running_mean):
        array = tensor.array.copy()
        array[dead] = 0
        tensor.write(array)
    kept = choose_channels(model, {"c1": 3 / 8})
    assert kept["c1"].tolist() == [0, 2, 3, 5, 7]
    x = rng.normal(size=(3, 2, 8, 8))
    np.testing.assert_allclose(prune_channels(model, {"c1": 3 / 8})(x).array, model(x).array, rtol=1e-9)


def test_neurons_of_an_mlp(mlp, rng):
    model = mlp(dtype=np.float64)
    kept = choose_channels(model, 0.5)
    small = keep_channels(model, kept)
    assert [tuple(p.shape) for p in small.parameters()] == [(5, 4), (5,), (3, 5), (3,), (3, 3), (3,)]
    x = rng.normal(size=(7, 4))
    np.testing.assert_allclose(small(x).array, silenced(model, kept)(x).array, rtol=1e-9)
    norms = np.sqrt((model[0].weight.array ** 2).sum(axis=1))
    assert set(kept["0"]) == set(np.argsort(norms)[5:])


def test_widths_multiples_and_least(mlp):
    assert prune_channels(mlp(), widths={"0": 7})[0].out_features == 7
    assert prune_channels(mlp(), {"0": 0.5}, multiple_of=4)[0].out_features == 8
    assert prune_channels(mlp(), 0.99)[0].out_features == 1
    assert prune_channels(mlp(), 0.99, at_least=3)[2].out_features == 3
    assert prune_channels(mlp(), 0.0)[0].out_features == 10


def test_global_takes_from_where_scores_are_small(mlp):
    model = mlp()
    weight = model[0].weight.array.copy()
    weight[:8] *= 1e-3
    model[0].weight.write(weight)
    small = prune_channels(model, 0.5, scope="global")
    assert (small[0].out_features, small[2].out_features) == (2, 6)


def test_a_score_of_ones_own(mlp):
    kept = choose_channels(mlp(), 0.5, criterion=lambda model, group: np.arange(group.size))
    assert kept["0"].tolist() == [5, 6, 7, 8, 9]


def test_frozen_stays_frozen_and_dtype_stays(mlp):
    model = mlp()
    model[0].requires_grad_(False)
    small = prune_channels(model, 0.5)
    assert [p.requires_grad for p in small.parameters()] == [False, False, True, True, True, True]
    assert all(p.dtype == np.float32 for p in small.parameters())


def test_a_pruned_file_loads_into_the_whole_network(cnn, rng, tmp_path):
    small = prune_channels(cnn(), 0.5)
    tt_nn.save(small, tmp_path / "small.safetensors")
    again = load_pruned(cnn(seed=3), tt_nn.load(tmp_path / "small.safetensors"))
    x = rng.normal(size=(2, 2, 8, 8))
    assert np.array_equal(again(x).array, small(x).array)
    assert again.c1.out_channels == 4
    with pytest.raises(ArgumentError, match="no pruning makes that of it"):
        load_pruned(cnn(), {"c1.weight": np.zeros(3)})


def test_depthwise_convolutions_follow(vision, rng):
    model = Sequential(
        vision.Conv2d(2, 8, 1), vision.Conv2d(8, 8, 3, padding=1, groups=8), ReLU(), vision.Conv2d(8, 3, 1)
    ).double()
    kept = choose_channels(model, 0.5)
    small = keep_channels(model, kept)
    assert list(kept) == ["0"] and small[1].groups == 4
    x = rng.normal(size=(2, 2, 5, 5))
    np.testing.assert_allclose(small(x).array, silenced(model, kept)(x).array, rtol=1e-9)


def test_residual_blocks_shrink_inside(vision, rng):
    from tt_vision.models import resnet20

    model = resnet20().double().eval()
    kept = choose_channels(model, 0.5)
    assert len(kept) == 9 and all(name.endswith("conv1") and name != "conv1" for name in kept)
    x = rng.normal(size=(1, 3, 32, 32))
    np.testing.assert_allclose(keep_channels(model, kept)(x).array, silenced(model, kept)(x).array, rtol=1e-7)
    with pytest.raises(ArgumentError, match=r"layer1\.0 adds them to its own"):
        prune_channels(model, {"conv1": 0.5})


@pytest.mark.parametrize("name", ["lenet5", "vgg11_bn", "cifar_cnn"])
def test_networks_of_tt_vision(vision, name, rng):
    from tt_vision import models

    make = {
        "lenet5": lambda: (models.lenet5(), 1, 28),
        "vgg11_bn": lambda: (
            models.vgg.VGG((8, "M", 8, 16, "M"), 3, True, init_weights=False),
            3,
            28,
        ),
        "cifar_cnn": lambda: (models.cifar_cnn(), 3, 32),
    }
    model, channels, size = make[name]()
    model.eval()
    kept = choose_channels(model, {g.producer: 0.5 for g in channel_groups(model).groups})
    small = keep_channels(model, kept)
    x = rng.normal(size=(2, channels, size, size)).astype(np.float32)
    np.testing.assert_allclose(small(x).array, silenced(model, kept)(x).array, rtol=1e-3, atol=1e-5)
    assert sum(p.size for p in small.parameters()) < 0.51 * sum(p.size for p in model.parameters())


class Twice(tt_nn.Module):
    """Reads its input in a way of its own."""

    def __init__(self):
        self.layer = Linear(4, 4)

    def forward(self, x):
        return self.layer(x) + x


def test_what_is_not_known_keeps_its_size():
    model = Sequential(Linear(4, 4), Twice(), Linear(4, 2))
    with pytest.raises(ArgumentError, match="a Twice, reads them"):
        prune_channels(model, 0.5)
    with pytest.raises(ArgumentError, match="'0' cannot be removed: 1, a Twice"):
        prune_channels(model, {"0": 0.5})


class Turned(ReLU):
    """Looks like an activation, and moves every channel to another place."""

    def forward(self, x):
        return super().forward(x)[:, [3, 0, 1, 2]]


class Doubled(Linear):
    """Looks like a linear layer, and reads its input twice."""

    def forward(self, x):
        return super().forward(x) + x


@pytest.mark.parametrize("stranger", [Turned(), Doubled(4, 4), Sequential(Doubled(4, 4))])
def test_a_known_layer_with_a_forward_of_its_own_is_not_known(stranger):
    model = Sequential(Linear(4, 4), stranger, Linear(4, 4), ReLU(), Linear(4, 2))
    assert [group.producer for group in channel_groups(model).groups] == ["2"]
    with pytest.raises(ArgumentError, match="what its forward does with channels is not known"):
        prune_channels(model, {"0": 0.5})


def test_a_layer_used_twice_or_tied_keeps_its_size():
    shared = Linear(4, 4)
    model = Sequential(Linear(4, 4), shared, ReLU(), shared, Linear(4, 2))
    assert [g.producer for g in channel_groups(model).groups] == []
    tied = Sequential(Linear(4, 4), ReLU(), Linear(4, 4), ReLU(), Linear(4, 2))
    tied[2].weight = tied[0].weight
    assert channel_groups(tied).groups == []


def test_neurons_spread_by_a_flatten_keep_their_number(vision):
    # (N, T, C) flattened has channel c at t C + c, not in a row.
    model = Sequential(Linear(4, 4), Flatten(), Linear(8, 2))
    assert channel_groups(model).groups == []
    # A linear layer right behind a convolution reads columns of the image, not channels.
    model = Sequential(vision.Conv2d(2, 6, 1), Linear(6, 2))
    assert channel_groups(model).groups == []


def test_bad_arguments(mlp, rng):
    model = mlp()
    for bad in (-0.1, 1.0, 1.5, "half", True, float("nan")):
        with pytest.raises(ArgumentError, match="amount"):
            prune_channels(model, bad)
    with pytest.raises(ArgumentError, match="'9' cannot be removed"):
        prune_channels(model, {"9": 0.5})
    with pytest.raises(ArgumentError, match="the output of the network"):
        prune_channels(model, {"4": 0.5})
    with pytest.raises(ArgumentError, match="criterion 'size'"):
        prune_channels(model, criterion="size")
    with pytest.raises(ArgumentError, match="scope"):
        prune_channels(model, scope="model")
    with pytest.raises(ArgumentError, match="no batch norm"):
        prune_channels(model, criterion="batch_norm")
    with pytest.raises(ArgumentError, match="data="):
        prune_channels(model, criterion="contribution")
    with pytest.raises(ArgumentError, match="one finite number"):
        prune_channels(model, criterion=lambda model, group: [1.0])
    with pytest.raises(ArgumentError, match="11 or more"):
        prune_channels(model, widths={"0": 11})
    for bad in ([], [0, 0], [10], [-1], [0.5], [[0]]):
        with pytest.raises(ArgumentError, match=r"0 keeps a row|0 has channels"):
            keep_channels(model, {"0": bad})
    with pytest.raises(DTypeError, match="a Module"):
        prune_channels("model")
    with pytest.raises(ArgumentError, match="can be made smaller"):
        prune_channels(Linear(3, 2))
