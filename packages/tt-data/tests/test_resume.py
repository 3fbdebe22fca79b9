"""state_dict and load_state_dict: the rest of an epoch, and the epochs after it, to the last bit."""

import copy
import json
import random

import numpy as np
import pytest

from tt_data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    LoaderStateError,
    RandomSampler,
    Sampler,
    ShardedSampler,
    WeightedRandomSampler,
    get_worker_info,
)
from tt_tensor import Generator, default_generator, manual_seed

pytestmark = pytest.mark.usefixtures("no_orphans")


class Augmented(Dataset):
    def __init__(self):
        self.own = np.random.default_rng(2)

    def __len__(self):
        return 11

    def __getitem__(self, index):
        return index, default_generator().rng.normal(), self.own.normal(), random.random()


class Homemade(Sampler):
    """No state; draws as it goes, from every source that there is."""

    def __iter__(self):
        rng = default_generator().rng
        for _ in range(11):
            yield int(rng.integers(0, 11)) if random.random() < 0.5 else np.random.randint(11)  # noqa: NPY002

    def __len__(self):
        return 11


class OwnState(Sampler):
    """Its order depends on how often it was iterated, which no seed tells: it has a state."""

    def __init__(self):
        self.times, self.at = 0, 0

    def __iter__(self):
        while self.at < 11:
            self.at += 1
            yield (self.at * 3 + self.times) % 11
        self.times, self.at = self.times + 1, 0

    def __len__(self):
        return 11

    def state_dict(self):
        return {"times": self.times, "at": self.at}

    def load_state_dict(self, state):
        self.times, self.at = state["times"], state["at"]


SAMPLERS = {
    "shuffle": lambda: {"batch_size": 2, "shuffle": True},
    "in order": lambda: {"batch_size": 3, "drop_last": True},
    "its own generator": lambda: {
        "batch_size": 2,
        "sampler": RandomSampler(range(11), generator=Generator(4)),
    },
    "weights": lambda: {"batch_size": 4, "sampler": WeightedRandomSampler(np.arange(11.0), 11)},
    "with replacement": lambda: {
        "batch_size": 4,
        "sampler": RandomSampler(range(11), True, 11, Generator(4)),
    },
    "homemade": lambda: {"batch_size": 2, "sampler": Homemade()},
    "its own state": lambda: {"batch_size": 2, "sampler": OwnState()},
    "batches": lambda: {
        "batch_sampler": BatchSampler(RandomSampler(range(11), generator=Generator(4)), 3, False)
    },
    "shards": lambda: {"batch_size": 2, "sampler": ShardedSampler(range(11), 2, 1)},
    "no batches": lambda: {"batch_size": None, "shuffle": True},
    "a list": lambda: {"batch_size": 2, "sampler": [3, 1, 4, 1, 5, 9, 2, 6]},
}


def loader_of(arguments, workers, fork, generator=None, dataset=None):
    return DataLoader(
        Augmented() if dataset is None else dataset,
        num_workers=workers,
        generator=generator,
        **(fork if workers else {}),
        **arguments,
    )


def values(batches):
    return [[np.asarray(part).tolist() for part in batch] for batch in batches]


def through_json(state):
    return json.loads(json.dumps(state))


@pytest.mark.parametrize(
    ("name", "workers"),
    [(name, (0, 0)) for name in SAMPLERS]
    + [("shuffle", (2, 2)), ("no batches", (0, 2)), ("its own generator", (2, 0)), ("homemade", (3, 1))]
    + [("its own state", (2, 2))],
)
def test_from_every_batch(name, workers, fork):
    before, after = workers
    loader = loader_of(SAMPLERS[name](), before, fork, Generator(7))
    states, whole = [], []
    list(loader)
    for batch in loader:  # the second epoch
        whole.append(batch)
        states.append(through_json(loader.state_dict()))
    states.append(through_json(loader.state_dict()))
    later = list(loader)
    for used, state in enumerate(states, 1):
        if workers != (0, 0) and used not in (3, len(states) - 1, len(states)):
            continue
        resumed = loader_of(SAMPLERS[name](), after, fork, Generator(99))
        resumed.load_state_dict(state)
        assert through_json(resumed.state_dict()) == state
        rest = values(resumed)
        if used < len(states):
            assert rest == values(whole[used:])
            rest = values(resumed)
        assert rest == values(later)


def test_the_default_generator_is_the_programs_to_save():
    manual_seed(3)
    loader = loader_of({"batch_size": 2, "shuffle": True}, 0, {})
    iterator = iter(loader)
    next(iterator)
    state, default = loader.state_dict(), default_generator().get_state()
    wanted = values(iterator), values(loader)
    manual_seed(4)
    resumed = loader_of({"batch_size": 2, "shuffle": True}, 0, {})
    resumed.load_state_dict(state)
    first = iter(resumed)
    default_generator().set_state(default)  # as a Trainer does, behind iter()
    assert (values(first), values(resumed)) == wanted
    assert state["generator"] is None


def test_a_state_after_a_resume_and_without_a_step():
    loader = loader_of({"batch_size": 2, "shuffle": True}, 0, {}, Generator(1))
    fresh = loader.state_dict()
    assert fresh["epoch"] is None
    iterator = iter(loader)
    begun = loader.state_dict()
    wanted = values(iterator)
    assert loader.state_dict()["epoch"] is None
    for state in (fresh, begun):
        resumed = loader_of({"batch_size": 2, "shuffle": True}, 0, {}, Generator(5))
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert values(resumed) == wanted
    resumed.load_state_dict(begun)
    again = iter(resumed)
    next(again)
    second = resumed.state_dict()
    resumed.load_state_dict(second)
    assert values(resumed) == wanted[1:]


def test_a_state_is_a_snapshot_and_loading_it_changes_nothing_in_it():
    loader = loader_of({"batch_size": 2, "sampler": OwnState()}, 0, {}, Generator(1))
    iterator = iter(loader)
    next(iterator)
    state = loader.state_dict()
    kept = copy.deepcopy(state)
    loader.load_state_dict(state)
    list(iterator)
    list(loader)
    assert state == kept


def test_a_pass_that_was_left_keeps_its_place(fork):
    for workers in (0, 2):
        loader = loader_of({"batch_size": 2, "shuffle": True}, workers, fork, Generator(1))
        wanted = values(loader_of({"batch_size": 2, "shuffle": True}, 0, {}, Generator(1)))
        for count, _ in enumerate(loader):
            if count == 2:
                break
        loader.load_state_dict(loader.state_dict())
        assert values(loader) == wanted[3:]


def test_each_pass_has_its_own_place():
    loader = loader_of({"batch_size": 2, "shuffle": True}, 0, {}, Generator(1))
    first, second = iter(loader), iter(loader)
    next(first), next(first), next(second)
    states = first.state_dict(), second.state_dict()
    assert [state["epoch"]["used"] for state in states] == [2, 1]
    assert loader.state_dict() == states[1]
    for state, rest in zip(states, (first, second), strict=True):
        wanted = values(rest)
        loader.load_state_dict(state)
        assert values(loader) == wanted


# --- streams ------------------------------------------------------------------------------------------------


class Stream(IterableDataset):
    """Numbers with noise, and a buffer that shuffles them."""

    def __init__(self, n=17):
        self.n = n

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        buffer = []
        for number in range(first, self.n, step):
            buffer.append(number)
            if len(buffer) == 3:
                yield buffer.pop(int(default_generator().rng.integers(3))), default_generator().rng.normal()
        for number in buffer:
            yield number, 0.0


class WithState(Stream):
    """Knows where it stands."""

    def __init__(self, n=17):
        super().__init__(n)
        self.at, self.skipped = None, True

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        self.at = first if self.at is None else self.at
        while self.at < self.n:
            number, self.at = self.at, self.at + step
            yield number, float(self.skipped), default_generator().rng.normal()
        self.at = None

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at, self.skipped = state["at"], False


class WithStateOfIterator(Stream):
    """Its iterators know where they stand."""

    def __iter__(self):
        return Count(self.n)


class Count:
    def __init__(self, n):
        info = get_worker_info()
        self.at, self.step = (0, 1) if info is None else (info.id, info.num_workers)
        self.n, self.skipped = n, True

    def __iter__(self):
        return self

    def __next__(self):
        if self.at >= self.n:
            raise StopIteration
        number, self.at = self.at, self.at + self.step
        return number, float(self.skipped), default_generator().rng.normal()

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at, self.skipped = state["at"], False


@pytest.mark.parametrize("make", [Stream, WithState, WithStateOfIterator])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_stream_from_every_batch(make, workers, fork):
    arguments = {"batch_size": 2}
    loader = loader_of(arguments, workers, fork, Generator(7), make())
    states, whole = [], []
    list(loader)
    for batch in loader:
        whole.append(batch)
        states.append(through_json(loader.state_dict()))
    states.append(through_json(loader.state_dict()))
    later = list(loader)
    for used, state in enumerate(states, 1):
        if workers and used not in (1, 4, len(states) - 1):
            continue
        resumed = loader_of(arguments, workers, fork, Generator(99), make())
        resumed.load_state_dict(state)
        rest = list(resumed)
        if used < len(states):
            assert flagless(rest) == flagless(whole[used:])
            # A stream with a state draws none of its samples again, and says so.
            if make is not Stream and workers < 2:
                assert {flag for batch in values(rest) for flag in batch[1]} <= {0.0}
            rest = list(resumed)
        assert flagless(rest) == flagless(later)


def flagless(batches):
    return [[batch[0], batch[-1]] for batch in values(batches)]


# --- what is refused ----------------------------------------------------------------------------------------


def state_of(**changes):
    loader = loader_of({"batch_size": 2, "shuffle": True}, 0, {}, Generator(1))
    next(iter(loader))
    state = loader.state_dict()
    state["epoch"].update(changes)
    return state


@pytest.mark.parametrize(
    "state",
    [
        None,
        3,
        {},
        {"format": 1},
        {"format": 2, "epoch": None},
        {"format": 1, "epoch": None},
        {**state_of(), "loader": None},
        {**state_of(), "generator": None},
        {**state_of(), "generator": {"algorithm": "PCG64"}},
        {**state_of(), "epoch": 3},
        {**state_of(), "epoch": {}},
        state_of(unknown=1),
        state_of(used=-1),
        state_of(used=1.5),
        state_of(used="1"),
        state_of(epoch_seed=2**64),
        state_of(epoch_seed=None),
        state_of(generators=None),
        state_of(shares=[{}]),
        state_of(shares=3),
    ],
)
def test_what_is_no_state(state):
    loader = loader_of({"batch_size": 2, "shuffle": True}, 0, {}, Generator(1))
    before = loader.state_dict()
    with pytest.raises(LoaderStateError, match="load_state_dict"):
        loader.load_state_dict(state)
    assert loader.state_dict() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"batch_size": 3}, "batch_size 2 then, 3 now"),
        ({"batch_size": 2, "drop_last": True}, "drop_last False then, True now"),
        ({"batch_size": 2, "dataset": range(12)}, "samples 11 then, 12 now"),
        ({"batch_size": 2, "dataset": Stream()}, "kind 'indices' then, 'stream' now"),
    ],
)
def test_another_loader(arguments, told):
    dataset = arguments.pop("dataset", range(11))
    with pytest.raises(LoaderStateError, match=told):
        DataLoader(dataset, generator=Generator(1), **arguments).load_state_dict(state_of())


def test_a_generator_that_is_there_only_once():
    with pytest.raises(LoaderStateError, match="generator True then, False now"):
        DataLoader(range(11), 2).load_state_dict(state_of())


def test_another_order_is_noticed():
    def make(epoch):
        sampler = ShardedSampler(range(11), 2, 0)
        sampler.set_epoch(epoch)
        return loader_of({"batch_size": 2, "sampler": sampler}, 0, {}, Generator(1))

    iterator = iter(make(3))
    next(iterator)
    state = iterator.state_dict()
    resumed = make(0)
    resumed.load_state_dict(state)
    for _ in range(2):
        with pytest.raises(LoaderStateError, match="set_epoch"):
            iter(resumed)
    resumed.set_epoch(3)
    assert values(resumed) == values(iterator)
    shorter = loader_of({"batch_size": 2, "sampler": [1]}, 0, {}, Generator(1))
    shorter.load_state_dict({**state, "epoch": {**state["epoch"], "used": 4}})
    with pytest.raises(LoaderStateError, match="only 1 batches, but 4"):
        iter(shorter)
    held = {"batch_size": 2, "sampler": RandomSampler(range(11), generator=Generator(1))}
    resumed = loader_of(held, 0, {}, Generator(1))
    resumed.load_state_dict(state)
    with pytest.raises(LoaderStateError, match="0 generators, this has 1"):
        iter(resumed)


def test_a_stream_for_another_number_of_workers(fork):
    loader = loader_of({"batch_size": 2}, 2, fork, None, Stream())
    next(iter(loader))
    with pytest.raises(LoaderStateError, match="workers 2 then, 3 now"):
        loader_of({"batch_size": 2}, 3, fork, None, Stream()).load_state_dict(loader.state_dict())
