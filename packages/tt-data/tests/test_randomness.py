"""The random numbers of a fetch: of all generators that take part, seeded for a batch and put back."""

import functools
import random
import threading

import numpy as np
import pytest

from tt_data import Compose, Lambda, TensorDataset
from tt_data.randomness import Streams, generator_state, mix, set_generator_state
from tt_tensor import Generator, default_generator, manual_seed, normal

shared = np.random.default_rng(1)


def from_a_global(x):
    return x + shared.normal()


def through_another(x):
    return from_a_global(x)


class Slotted:
    __slots__ = ("rng", "unset")

    def __init__(self):
        self.rng = random.Random(3)


def test_seeds_differ():
    seeds = {mix(a, b) for a in range(50) for b in range(50)}
    assert len(seeds) == 2500 and all(0 <= seed < 2**64 for seed in seeds)
    assert mix(1, 2) != mix(2, 1)
    bits = np.array([[mix(k) >> at & 1 for at in range(64)] for k in range(1500)])
    assert abs(bits.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(1500)


def test_what_is_found():
    own, closed, deep, numpys = Generator(1), Generator(2), np.random.default_rng(3), np.random.RandomState(4)

    def with_closure(x, rng=deep):
        return x + closed.rng.normal() + rng.normal()

    slotted = Slotted()
    dataset = TensorDataset(np.zeros(3)).with_transform(
        Compose(
            [Lambda(with_closure), functools.partial(through_another), [own, {"k": (numpys, slotted)}].append]
        )
    )
    found = Streams(dataset).held
    for wanted in (own, closed, deep, numpys, slotted.rng, shared):
        assert sum(each is wanted for each in found) == 1
    assert len(found) == 6


def test_the_default_generator_and_the_modules_are_not_held():
    dataset = TensorDataset(np.zeros(3)).with_transform(
        Lambda(functools.partial(np.add, default_generator()))
    )
    streams = Streams(dataset)
    assert streams.held == [] and streams.all == []
    assert Streams(functools.partial(normal, std=1)).all == [default_generator()]
    for function in (random.random, np.random.normal, lambda x: x, (n for n in ())):
        assert Streams(function).foreign


def test_what_is_on_loan_is_put_back():
    own = [Generator(1), np.random.default_rng(2), random.Random(3), np.random.RandomState(4)]
    streams = Streams(own, lambda x: x)
    for generator in own:
        draw(generator)
    np.random.standard_normal()  # noqa: NPY002  (leaves the second of a pair behind)
    everything = [default_generator(), *own, random, np.random]
    before = [state(generator) for generator in everything]
    drawn = []
    for key in ((5, 1), (5, 1), (5, 2)):
        with streams.lent(*key):
            drawn.append([draw(generator) for generator in everything])
        assert [state(generator) for generator in everything] == before
    assert drawn[0] == drawn[1]
    assert all(a != b for a, b in zip(drawn[0], drawn[2], strict=True))
    assert len(set(drawn[0])) == len(drawn[0])
    with pytest.raises(AttributeError), streams.lent(1):
        draw(default_generator()).nothing  # noqa: B018
    assert [state(generator) for generator in everything] == before
    streams.seed(5, 1)
    assert [draw(generator) for generator in everything] == drawn[0]


def draw(generator):
    if isinstance(generator, Generator):
        return float(generator.rng.normal())
    return float(generator.random())


def state(generator):
    if generator is random:
        return random.getstate()
    if generator is np.random:
        return str(np.random.get_state(legacy=False))  # noqa: NPY002
    return str(generator_state(generator))


@pytest.mark.parametrize(
    "make",
    [
        Generator,
        np.random.default_rng,
        random.Random,
        np.random.RandomState,
        lambda s: np.random.Generator(np.random.MT19937(s)),
        lambda s: np.random.Generator(np.random.Philox(s)),
        lambda s: np.random.Generator(np.random.SFC64(s)),
    ],
)
def test_a_state_is_json_and_comes_back(make):
    import json

    generator = make(3)
    draw(generator)
    saved = json.loads(json.dumps(generator_state(generator)))
    wanted = [draw(generator) for _ in range(5)]
    other = make(4)
    set_generator_state(other, saved)
    assert [draw(other) for _ in range(5)] == wanted
    with pytest.raises((ValueError, TypeError, KeyError)):
        set_generator_state(other, {"nothing": 1})


def test_loans_of_two_threads_do_not_mix():
    manual_seed(1)
    before, streams, found = default_generator().get_state(), Streams(normal), {}

    def run(key):
        for _ in range(50):
            with streams.lent(key):
                found.setdefault(key, set()).add((draw(default_generator()), draw(default_generator())))

    threads = [threading.Thread(target=run, args=(key,)) for key in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert default_generator().get_state() == before
    assert all(len(values) == 1 for values in found.values()) and len(found) == 4
