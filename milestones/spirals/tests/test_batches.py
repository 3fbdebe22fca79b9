"""The loader: every point once an epoch, in orders of its own, from any position on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_spirals.batches import Shuffled, whole
from milestone_spirals.spirals import Points, draw
from tt_optim.training import ReplayError

POINTS = draw(15, np.random.default_rng(4))


def rows(batches):
    return [(x.numpy().tobytes(), y.numpy().tolist()) for x, y in batches]


@given(st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_an_epoch_is_every_point_once_with_its_arm(size, seed):
    loader = Shuffled(POINTS, size, seed)
    batches = list(loader)
    assert len(batches) == len(loader)
    assert [len(y) for _, y in batches[:-1]] == [size] * (len(batches) - 1)
    found = np.concatenate([np.column_stack([x.numpy(), y.numpy()]) for x, y in batches])
    expected = np.column_stack([POINTS.places, POINTS.arms])
    np.testing.assert_array_equal(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])


def test_each_epoch_has_another_order_and_a_seed_gives_the_same_ones():
    one, same, other = (Shuffled(POINTS, 10, seed) for seed in (1, 1, 2))
    epochs = [rows(one) for _ in range(3)]
    assert epochs == [rows(same) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] != rows(other)


@given(st.integers(0, 14), st.integers(1, 45))
def test_it_goes_on_at_the_very_next_batch(used, size):
    loader = Shuffled(POINTS, size, 5)
    expected = [batch for _ in range(4) for batch in rows(loader)]
    loader = Shuffled(POINTS, size, 5)
    found = []
    while len(found) < used:
        for batch in loader:
            found += rows([batch])
            if len(found) == used:
                break
    state = loader.state_dict()
    other = Shuffled(POINTS, size, 5)
    other.load_state_dict(state)
    assert other.state_dict() == state
    while len(found) < len(expected):
        found += rows(other)
    assert found[: len(expected)] == expected


def test_one_that_was_left_in_mid_epoch_begins_the_epoch_again():
    loader = Shuffled(POINTS, 10, 5)
    next(iter(loader))
    assert rows(loader) == rows(Shuffled(POINTS, 10, 5))


@pytest.mark.parametrize(
    "other",
    [
        Shuffled(POINTS, 10, 6),
        Shuffled(POINTS, 9, 5),
        Shuffled(draw(15, np.random.default_rng(5)), 10, 5),
        Shuffled(Points(POINTS.places, POINTS.arms[::-1].copy()), 10, 5),
    ],
    ids=["seed", "size", "places", "arms"],
)
def test_a_position_among_other_points_is_refused(other):
    before = other.state_dict()
    with pytest.raises(ReplayError, match="not those of the checkpoint"):
        other.load_state_dict(Shuffled(POINTS, 10, 5).state_dict())
    assert other.state_dict() == before


def test_whole_is_one_batch_of_all_in_their_order():
    ((x, y),) = whole(POINTS)
    np.testing.assert_array_equal(x.numpy(), POINTS.places)
    np.testing.assert_array_equal(y.numpy(), POINTS.arms)
