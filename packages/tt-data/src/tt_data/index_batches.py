"""The indices of one epoch, batch by batch, from its beginning or from any place in it.

A sampler draws in the streams of the epoch (see randomness), so the same seed gives the same order, and the middle of
an epoch is found by drawing its first part again. A sampler with generators of its own draws from those: their states
at the beginning of the epoch are part of the state. A sampler with a state of its own is asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from copy import deepcopy
from typing import Any

from tt_data.errors import LoaderStateError
from tt_data.fetching import SAMPLER
from tt_data.position import checksum
from tt_data.randomness import Streams, generator_state, set_generator_state

__all__ = ["IndexBatches", "SamplersAffair"]

END = object()


def snapshot(state: Any) -> Any:
    """A copy of a state, as deepcopy makes it, but quick where it is of plain values: one is taken for each batch."""
    kind = type(state)
    if kind in _PLAIN:
        return state
    if kind is dict:
        return {key: snapshot(value) for key, value in state.items()}
    return [snapshot(value) for value in state] if kind is list else deepcopy(state)


_PLAIN = frozenset([int, float, str, bool, bytes, type(None)])


class SamplersAffair:
    """What a sampler draws from and keeps beside what follows from the seed of the epoch.

    Args:
        keepers: where it may be, in this order: the sampler of batches, the sampler in it.
        dataset: what is indexed; the generators in it are none of the sampler's.
    """

    def __init__(self, keepers: tuple[Any, ...], dataset: Any) -> None:
        self.keeper = next((keeper for keeper in keepers if _has_state(keeper)), None)
        self.streams = Streams(*keepers, but=(dataset,))
        self.own = self.streams.shared()

    def capture(self) -> tuple[list[Any], Any]:
        """The states of its own generators, and its own state if it has one."""
        state = None if self.keeper is None else deepcopy(self.keeper.state_dict())
        return [generator_state(generator) for generator in self.own], state

    def restore(self, generators: Any, state: Any) -> None:
        """The other way. Raises LoaderStateError where they do not fit; then nothing has changed."""
        if not isinstance(generators, list) or len(generators) != len(self.own):
            then = len(generators) if isinstance(generators, list) else "no list of"
            raise LoaderStateError(
                f"load_state_dict: the state is of a sampler with {then} generators, this has {len(self.own)}"
            )
        if (state is None) != (self.keeper is None):
            raise LoaderStateError(
                f"load_state_dict: a sampler {'without' if state is None else 'with'} a state_dict() made this state"
            )
        before = [generator_state(generator) for generator in self.own]
        try:
            for generator, saved in zip(self.own, generators, strict=True):
                set_generator_state(generator, saved)
            if self.keeper is not None:
                self.keeper.load_state_dict(deepcopy(state))
        except Exception as error:
            for generator, saved in zip(self.own, before, strict=True):
                set_generator_state(generator, saved)
            raise LoaderStateError(f"load_state_dict: not the state of this sampler: {error!r}") from error


class IndexBatches:
    """An iterator of (indices, state of the sampler behind them, whether they are known to be the last ones).

    Args:
        sampler: gives what is fetched at once: lists of indices, or single ones.
        keepers: where a state of its own may be, in this order; the first that has one is asked.
        dataset: what is indexed; the generators in it are none of the sampler's.
        epoch_seed: the seed of the epoch.
        resumed: `state()` of an earlier one, and how many batches were used of it.

    Raises LoaderStateError where the batches that were used cannot be found again.
    """

    def __init__(
        self,
        sampler: Any,
        keepers: tuple[Any, ...],
        dataset: Any,
        epoch_seed: int,
        resumed: tuple[Mapping[str, Any], int] | None = None,
    ) -> None:
        self.epoch_seed, self.drawn = epoch_seed, 0
        self.affair = SamplersAffair(keepers, dataset)
        self.keeper, self.streams = self.affair.keeper, self.affair.streams
        state, used = resumed if resumed is not None else ({}, 0)
        over = bool(state.get("over"))
        if resumed is not None:
            self.affair.restore(state["generators"], state["sampler"])
            self.drawn = used if self.keeper is not None else 0
        self.begun = self.affair.capture()
        """The generators and the state of the sampler where the iteration of it began."""
        with self._streams(first=True):
            self.iterator = iter(sampler)
        self._skip(used - self.drawn, state.get("last"))
        # At once, so that a sampler has drawn its order before anything else draws from its generator.
        self.ahead: Any = (END, None) if over else self._draw()

    def _skip(self, count: int, last: Any) -> None:
        found: Any = None
        for _ in range(count):
            found, _ = self._draw()
            if found is END:
                raise LoaderStateError(
                    f"load_state_dict: the sampler gives only {self.drawn} batches, but {count} of the epoch were used"
                )
        if count and last is not None and checksum(found) != last:
            raise LoaderStateError(
                f"load_state_dict: batch {count - 1} has other indices than before. Is it the same sampler, and was it "
                "told the epoch (set_epoch)? A sampler whose order follows from more than random generators needs "
                "state_dict() and load_state_dict()"
            )

    def _streams(self, first: bool = False) -> Any:
        """The streams for the next draw. Our own samplers draw their order at the start; then nothing is lent."""
        if self.drawn and not first and not self.streams.foreign:
            return nullcontext()
        return self.streams.lent(self.epoch_seed, SAMPLER, self.drawn)

    def _draw(self) -> tuple[Any, Any]:
        with self._streams():
            indices = next(self.iterator, END)
        if indices is END:
            return END, None
        self.drawn += 1
        return indices, None if self.keeper is None else snapshot(self.keeper.state_dict())

    def __iter__(self) -> Iterator[tuple[Any, Any, bool]]:
        return self

    def __next__(self) -> tuple[Any, Any, bool]:
        (indices, state), self.ahead = self.ahead or self._draw(), None
        if indices is END:
            self.ahead = (END, None)
            raise StopIteration
        over = False
        if self.keeper is not None:
            # A sampler may begin its next epoch with the last index of this one, so its state does not tell the end.
            self.ahead = self._draw()
            if over := self.ahead[0] is END:
                state = snapshot(self.keeper.state_dict())
        return indices, state, over


def _has_state(thing: Any) -> bool:
    return all(callable(getattr(thing, name, None)) for name in ("state_dict", "load_state_dict"))
