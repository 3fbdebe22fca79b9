"""The feed: batches of any source, from any position, and what is refused."""

import numpy as np
import pytest

import tt_tensor
from tt_optim.training import BatchError, EndOfDataError, ReplayError, random_states
from tt_optim.training.feed import END, Feed
from tt_tensor import Generator, tensor
from tt_tensor.errors import DTypeError


@pytest.fixture(autouse=True)
def _kept():
    before = random_states.capture()
    yield
    random_states.restore(before)


def pairs(count, start=0):
    return [(tensor([float(n)]), tensor([n])) for n in range(start, start + count)]


class Stateful:
    """The meaning of PyTorch's StatefulDataLoader: load_state_dict, and iter() begins with the very next batch."""

    def __init__(self, count=5, seed=0):
        self.count, self.seed, self.epoch, self.at = count, seed, 0, 0

    def __iter__(self):
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        while self.at < self.count:
            self.at += 1
            yield pairs(1, int(order[self.at - 1]))[0]
        self.epoch, self.at = self.epoch + 1, 0

    def state_dict(self):
        return {"epoch": self.epoch, "at": self.at}

    def load_state_dict(self, state):
        self.epoch, self.at = state["epoch"], state["at"]


class Shuffled:
    """No state of its own: a permutation from a generator that it holds, and set_epoch."""

    def __init__(self, count=5):
        self.count, self.generator, self.told = count, Generator(4), []

    def set_epoch(self, epoch):
        self.told.append(epoch)

    def __iter__(self):
        order = tt_tensor.randperm(self.count, generator=self.generator).tolist()
        return iter([pairs(1, 100 * self.told[-1] + n)[0] for n in order])


def from_default():
    """A function that makes batches from the process-wide generator, all at once."""
    order = tt_tensor.randperm(5).tolist()
    return (pairs(1, n)[0] for n in order)


SOURCES = {
    "list": lambda: pairs(5),
    "stateful": Stateful,
    "shuffled": Shuffled,
    "function": lambda: from_default,
}


def numbers(feed, epoch, capture, upto=None):
    """The batches of an epoch from here on, at most `upto`."""
    if not feed.open:
        feed.start(epoch, capture)
    found = []
    while upto is None or len(found) < upto:
        batch = feed.next()
        if batch is END:
            feed.finish()
            break
        found.append(batch[1].item())
    return found


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("used", range(1, 13))
def test_from_any_position_the_same_batches_follow(kind, used):
    def held(feed):
        return {"train": feed.source}

    tt_tensor.manual_seed(3)
    feed = Feed(SOURCES[kind]())
    capture = lambda: random_states.capture(**held(feed))  # noqa: E731
    epoch = 0
    left = used
    while left:
        found = numbers(feed, epoch, capture, min(left, 5))
        left -= len(found)
        if not feed.open or len(found) < 5:
            break
        if left:
            numbers(feed, epoch, capture)  # the end of the epoch
            epoch += 1
    saved, states = feed.state_dict(), random_states.capture(**held(feed))
    wanted = numbers(feed, epoch, capture) + numbers(feed, epoch + 1, capture)

    random_states.seed_all(99)
    other = Feed(SOURCES[kind]())
    other.load_state_dict(saved, epoch, lambda s: random_states.restore(s, **held(other)))
    random_states.restore(states, **held(other))
    capture = lambda: random_states.capture(**held(other))  # noqa: E731
    assert numbers(other, epoch, capture) + numbers(other, epoch + 1, capture) == wanted
    assert len(wanted) == 5 - (used - 1) % 5 - 1 + 5


def test_at_the_end_of_an_epoch_only_its_end_is_left():
    feed = Feed(Stateful())
    feed.start(0, dict)
    while feed.next() is not END:
        pass
    saved = feed.state_dict()
    other = Feed(Stateful())
    other.load_state_dict(saved, 0, lambda states: None)
    assert other.open and other.over and other.next() is END and other.used == 5
    other.finish()
    other.start(1, dict)
    assert other.next() is not END


def test_an_end_that_is_known_is_told_to_the_iterator():
    class Sized(Stateful):
        def __len__(self):
            return self.count

    source = Sized(2)
    feed = Feed(source)
    feed.start(0, dict)
    assert feed.next() is not END and not feed.ends()
    assert feed.next() is not END and feed.ends()
    assert source.state_dict() == {"epoch": 1, "at": 0}


def test_a_length_that_is_too_short_loses_no_batch():
    class Liar(list):
        def __len__(self):
            return 1

    feed = Feed(Liar(pairs(3)))
    feed.start(0, dict)
    feed.next()
    assert not feed.ends()
    assert [feed.next()[1].item(), feed.next()[1].item()] == [1, 2]
    assert feed.next() is END


def test_set_epoch_of_the_source_or_its_sampler():
    feed = Feed(Shuffled())
    numbers(feed, 7, dict)
    assert feed.source.told == [7]

    class Loader(list):
        sampler = Shuffled()

    numbers(Feed(Loader(pairs(2))), 3, dict)
    assert Loader.sampler.told == [3]


def test_other_data_are_noticed():
    feed = Feed(pairs(5))
    numbers(feed, 0, dict, 3)
    saved = feed.state_dict()
    with pytest.raises(ReplayError, match="ended after 2 batches, but 3"):
        Feed(pairs(2)).load_state_dict(saved, 0, lambda states: None)
    with pytest.raises(ReplayError, match="batch 3 of train is not the one"):
        Feed(pairs(5, start=1)).load_state_dict(saved, 0, lambda states: None)
    with pytest.raises(ReplayError, match="had none"):
        Feed(Stateful()).load_state_dict(saved, 0, lambda states: None)


def test_a_one_shot_iterator_is_good_for_one_epoch():
    feed = Feed(iter(pairs(2)))
    assert numbers(feed, 0, dict) == [0, 1]
    with pytest.raises(EndOfDataError, match="one-shot iterator"):
        feed.start(1, dict)


def test_a_new_one_shot_iterator_is_replayed():
    feed = Feed(iter(pairs(4)))
    numbers(feed, 0, dict, 3)
    other = Feed(pair for pair in pairs(4))
    other.load_state_dict(feed.state_dict(), 0, lambda states: None)
    assert numbers(other, 0, dict) == [3]
    with pytest.raises(BatchError, match="make a new one"):
        feed.load_state_dict(feed.state_dict(), 0, lambda states: None)


def test_an_epoch_without_a_batch_is_an_error():
    feed = Feed([])
    feed.start(0, dict)
    assert feed.next() is END
    with pytest.raises(EndOfDataError, match="no batch in a whole epoch"):
        feed.finish()


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (tensor([[1.0]]), BatchError, "row by row"),
        (np.zeros(3), BatchError, "row by row"),
        (3, DTypeError, "not int"),
        ("train", DTypeError, "not str"),
        ({"x": 1}, DTypeError, "not dict"),
    ],
)
def test_what_gives_no_batches_is_refused(source, error, words):
    with pytest.raises(error, match=words):
        Feed(source)
