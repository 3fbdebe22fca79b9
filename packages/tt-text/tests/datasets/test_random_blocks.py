"""RandomBlocks: uniform, the same for a seed, and resumed at any batch."""

import json

import numpy as np
import pytest

from tt_data import DataLoader
from tt_data.errors import LoaderStateError
from tt_tensor.errors import ArgumentError, DTypeError
from tt_text.datasets import RandomBlocks, TokenDataset

BLOCKS = TokenDataset(np.arange(1000), 8, 1)


def test_a_seed_gives_a_stream_that_goes_on_from_pass_to_pass():
    one = RandomBlocks(BLOCKS, 4, 700, seed=3)
    first, second = list(one), list(one)
    assert len(first) == len(one) == 700 and all(len(batch) == 4 for batch in first)
    assert list(RandomBlocks(BLOCKS, 4, 1400, seed=3)) == first + second
    assert first != second and first != list(RandomBlocks(BLOCKS, 4, 700, seed=4))
    assert list(RandomBlocks(BLOCKS, 4, 0)) == []


def test_every_block_is_as_likely():
    small = TokenDataset(np.arange(11), 2, 1)
    drawn = np.concatenate(list(RandomBlocks(small, 100, 90)))
    counts = np.bincount(drawn, minlength=9)
    assert len(small) == len(counts) == 9 and counts.sum() == 9000
    # Five standard deviations of a binomial.
    assert np.all(np.abs(counts - 1000) < 5 * np.sqrt(9000 * (1 / 9) * (8 / 9)))


@pytest.mark.parametrize("used", [0, 1, 3, 9, 10, 14, 20])
def test_it_is_resumed_at_any_batch(used):
    whole = RandomBlocks(BLOCKS, 4, 10, seed=1)
    wanted = [list(whole) for _ in range(3)]
    half = RandomBlocks(BLOCKS, 4, 10, seed=1)
    found = []
    for _ in range(used // 10):
        found += list(half)
    running = iter(half)
    for _ in range(used % 10):
        found.append(next(running))
    state = json.loads(json.dumps(half.state_dict()))
    other = RandomBlocks(BLOCKS, 4, 10, seed=1)
    other.load_state_dict(state)
    assert other.state_dict() == state
    rest = list(other)
    assert len(rest) == 10 - used % 10
    assert found + rest == (wanted[0] + wanted[1] + wanted[2])[: used - used % 10 + 10]
    if used < 20:
        assert list(other) == wanted[used // 10 + 1]


def test_a_pass_that_was_broken_off_is_followed_by_a_whole_one():
    blocks = RandomBlocks(BLOCKS, 4, 10)
    for at, _ in enumerate(blocks):
        if at == 2:
            break
    assert blocks.state_dict()["left"] is None
    assert len(list(blocks)) == 10 and blocks.batch == 13
    # One that ends late does not forget the newer one.
    old, new = iter(blocks), iter(blocks)
    next(old), next(new)
    old.close()
    assert blocks.state_dict()["left"] == 9


def loader(workers=0, seed=5):
    kwargs = {"multiprocessing_context": "fork"} if workers else {}
    return DataLoader(BLOCKS, batch_sampler=RandomBlocks(BLOCKS, 4, 6, seed), num_workers=workers, **kwargs)


def drawn(batches):
    return [x.tolist() for x, _ in batches]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_goes_on_with_the_very_next_batch(workers):
    whole = loader()
    wanted = drawn(whole), drawn(whole)
    assert all(np.array_equal(y, x.numpy() + 1) for x, y in loader())
    for used in (0, 1, 4, 6):
        first = loader(workers)
        running = iter(first)
        found = drawn(next(running) for _ in range(used))
        state = json.loads(json.dumps(first.state_dict()))
        second = loader(workers)
        second.load_state_dict(state)
        found += drawn(second)
        assert found == wanted[0]
        assert drawn(second) == wanted[1]
        del running


@pytest.mark.parametrize(
    "state",
    [
        {}, None, [], {"batch": 1, "left": 1, "made": {}},
        *[{**RandomBlocks(BLOCKS, 4, 6).state_dict(), **change} for change in (
            {"batch": -1}, {"batch": 1.5}, {"left": 7}, {"left": "1"}, {"made": None},
        )],
        RandomBlocks(BLOCKS, 4, 6, seed=1).state_dict(), RandomBlocks(BLOCKS, 5, 6).state_dict(),
        RandomBlocks([0], 4, 6).state_dict(),
    ],
)  # fmt: skip
def test_the_state_of_something_else_is_refused(state):
    blocks = RandomBlocks(BLOCKS, 4, 6)
    with pytest.raises(LoaderStateError, match="RandomBlocks"):
        blocks.load_state_dict(state)
    assert blocks.batch == 0 and len(list(blocks)) == 6


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ((BLOCKS, 0, 1), ArgumentError),
        ((BLOCKS, 1, -1), ArgumentError),
        ((BLOCKS, 1, 1, -1), ArgumentError),
        ((BLOCKS, 1.5, 1), DTypeError),
        (([], 1, 1), ArgumentError),
    ],
)
def test_numbers_that_are_none_are_refused(given, error):
    with pytest.raises(error, match="RandomBlocks"):
        RandomBlocks(*given)
