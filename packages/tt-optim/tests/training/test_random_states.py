"""Random states: found wherever they are held, saved as JSON, and the next draws are those that would have come."""

import functools
import json
import random

import numpy as np
import pytest

import tt_tensor
from tt_nn import Dropout, Linear, Sequential
from tt_optim.training import random_states
from tt_tensor import Generator
from tt_tensor.errors import ArgumentError

AT_LARGE = Generator(11)


@pytest.fixture(autouse=True)
def _kept():
    """Leave the process-wide states as they were."""
    before = random_states.capture()
    yield
    random_states.restore(before)


def through_json(states):
    return json.loads(json.dumps(states))


def test_the_process_wide_states():
    states = through_json(random_states.capture())

    def draws():
        return (
            tt_tensor.rand(3).tolist(),
            [random.random(), random.gauss(0, 1)],
            np.random.rand(3).tolist(),  # noqa: NPY002
            np.random.randn(3).tolist(),  # noqa: NPY002
        )

    first = draws()
    assert draws() != first
    random_states.restore(states)
    assert draws() == first


@pytest.mark.parametrize(
    ("make", "draw"),
    [
        (lambda: Generator(1), lambda g: tt_tensor.rand(4, generator=g).tolist()),
        (lambda: np.random.default_rng(1), lambda g: g.normal(size=4).tolist()),
        (lambda: np.random.Generator(np.random.MT19937(1)), lambda g: g.random(4).tolist()),
        (lambda: np.random.Generator(np.random.Philox(1)), lambda g: g.integers(0, 9, 3, np.int32).tolist()),
        (lambda: np.random.RandomState(1), lambda g: g.randn(3).tolist()),
        (lambda: random.Random(1), lambda g: [g.random(), g.gauss(0, 1), g.gauss(0, 1)]),
    ],
)
def test_a_generator_that_somebody_holds(make, draw):
    holder = {"loader": [make()]}
    draw(holder["loader"][0])
    states = through_json(random_states.capture(train=holder))
    first = draw(holder["loader"][0])
    other = {"loader": [make()]}
    random_states.restore(states, train=other)
    assert draw(other["loader"][0]) == first


class Slotted:
    __slots__ = ("rng",)

    def __init__(self):
        self.rng = random.Random(3)


def test_where_they_are_found():
    g = Generator(1)
    model = Sequential(Linear(2, 2), Dropout(0.5, generator=g), Dropout(0.5, generator=g))
    inner = Generator(2)

    def batches(count, rng=np.random.default_rng(5)):  # noqa: B008
        return [AT_LARGE, inner, rng][:count]

    class Loader:
        def __init__(self):
            self.make = functools.partial(batches, 3)
            self.data = [Generator(9)] * 1001
            self.me = self
            self.slotted = Slotted()

        def method(self):
            return self

    found = random_states.held(model=model, train=Loader().method)
    kinds = {name: type(generator).__name__ for name, generator in found.items()}
    # Each once, and nothing of a list as long as data are.
    assert sorted(kinds.values()) == ["Generator", "Generator", "Generator", "Generator", "Random"]
    assert sum(generator is g for generator in found.values()) == 1
    assert found["train.self.make.func.inner"] is inner
    assert found["train.self.make.func.AT_LARGE"] is AT_LARGE
    assert "train.self.make.func.defaults.0" in found
    assert "train.self.slotted.rng" in found


def test_in_a_class_and_in_its_methods():
    inside, shared = Generator(1), Generator(2)

    class Loader:
        generator = shared

        def __iter__(self):
            return iter([inside, AT_LARGE])

    class Below(Loader):
        pass

    assert set(random_states.held(train=Below()).values()) == {inside, shared, AT_LARGE}


def test_no_code_of_a_loader_runs():
    class Loader(list):
        def __iter__(self):
            pytest.fail("it was iterated")

        def __len__(self):
            pytest.fail("it was asked")

        def __getitem__(self, index):
            pytest.fail("it was indexed")

    inside, beside = Generator(1), Generator(2)
    loader = Loader([inside])
    loader.beside = beside
    assert set(random_states.held(train=loader).values()) == {inside, beside}


def test_the_default_generator_is_not_found_twice():
    assert random_states.held(model={"a": tt_tensor.default_generator()}) == {}


def test_generators_without_a_counterpart_are_named():
    states = random_states.capture(model={"a": Generator(0)})
    with pytest.raises(ArgumentError, match=r"model\.a .* no counterpart, model\.b here"):
        random_states.restore(states, model={"b": Generator(0)})
    with pytest.raises(ArgumentError, match="was a tt_tensor"):
        random_states.restore(states, model={"a": random.Random(0)})


def test_seeding_seeds_all_three():
    def draws():
        return tt_tensor.rand(2).tolist(), random.random(), np.random.rand()  # noqa: NPY002

    random_states.seed_all(2**40 + 3)
    first = draws()
    random_states.seed_all(2**40 + 3)
    assert draws() == first
