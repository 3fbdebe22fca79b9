"""Generators: seeds, states, independent streams, and the one that draws where none is named."""

import threading

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError


def test_manual_seed_gives_the_default_generator():
    generator = tt.manual_seed(3)
    assert generator is tt.default_generator()
    assert generator.seed == 3
    first = tt.rand(3)
    generator.manual_seed(3)
    np.testing.assert_array_equal(tt.rand(3).numpy(), first.numpy())


def test_generators_without_a_seed_differ_and_can_be_repeated():
    one, two = tt.Generator(), tt.Generator()
    assert one.seed != two.seed
    np.testing.assert_array_equal(
        tt.rand(3, generator=one).numpy(), tt.rand(3, generator=tt.Generator(one.seed)).numpy()
    )


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**64 - 1, np.int64(7), np.uint64(2**63)])
def test_valid_seeds(seed):
    assert tt.Generator(seed).seed == int(seed)


@pytest.mark.parametrize(
    ("seed", "error"),
    [
        (-1, ArgumentError), (2**64, ArgumentError),
        (1.0, DTypeError), ("1", DTypeError), (True, DTypeError), ([1], DTypeError),
    ],
)  # fmt: skip
def test_invalid_seeds(seed, error):
    generator = tt.Generator(1)
    state = generator.get_state()
    for call in (tt.manual_seed, tt.Generator, generator.manual_seed):
        with pytest.raises(error, match="seed"):
            call(seed)
    assert generator.get_state() == state


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "MT19937"}, {"state": "x"}, {"state": -1}, {"state": 2**128}, {"half": [0]}, {"half": [3, 0]},
        {"seed": -1}, {"seed": None}, {"stream": "abc"}, {"spawned": None}, {"increment": 1.5}, {"half": [1, 2**40]},
    ],
)  # fmt: skip
def test_a_broken_state_changes_nothing(change):
    generator = tt.Generator(1)
    before = generator.get_state()
    with pytest.raises((ArgumentError, DTypeError)):
        generator.set_state({**tt.Generator(2).get_state(), **change})
    assert generator.get_state() == before
    for broken in ({}, [], None, "state"):
        with pytest.raises(ArgumentError, match="no state of a Generator"):
            generator.set_state(broken)
    assert generator.get_state() == before


def test_spawned_streams_are_independent_and_repeatable():
    parent = tt.Generator(4)
    before = parent.get_state()["state"]
    children = parent.spawn(3)
    assert parent.get_state()["state"] == before  # nothing is drawn
    draws = [
        tt.randn(1000, generator=g).numpy()
        for g in (parent, *children, *parent.spawn(2), *children[0].spawn(2))
    ]
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlation).max() < 0.15  # 4.7 σ of 1/√1000
    again = tt.Generator(4).spawn(3)[1]
    np.testing.assert_array_equal(tt.randn(1000, generator=again).numpy(), draws[2])
    assert repr(again) == "Generator(seed=4, stream=[1])"
    with pytest.raises(ArgumentError, match="negative"):
        parent.spawn(-1)


def test_state_remembers_what_was_spawned():
    generator = tt.Generator(4)
    generator.spawn(2)
    resumed = tt.Generator(9).set_state(generator.get_state())
    np.testing.assert_array_equal(
        tt.rand(4, generator=resumed.spawn(1)[0]).numpy(), tt.rand(4, generator=generator.spawn(1)[0]).numpy()
    )
    child = tt.Generator(4).spawn(1)[0]
    resumed = tt.Generator(0).set_state(child.get_state())
    assert repr(resumed) == repr(child)
    np.testing.assert_array_equal(tt.rand(4, generator=resumed).numpy(), tt.rand(4, generator=child).numpy())


def test_default_generator_survives_many_threads():
    tt.manual_seed(1)
    wanted = np.sort(np.concatenate([tt.rand(50, dtype="float64").numpy() for _ in range(40)]))
    tt.manual_seed(1)
    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(tt.rand(50, dtype="float64").numpy() for _ in range(10)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), wanted)  # every draw once, whole


def test_numpy_generators_are_welcome():
    np.testing.assert_array_equal(
        tt.rand(3, generator=np.random.default_rng(1)).numpy(), np.random.default_rng(1).random(3, np.float32)
    )
    with pytest.raises(DTypeError, match=r"Generator\(seed\)"):
        tt.rand(3, generator=1)
