"""Fetching: from indices, or from a stream, to a batch of Tensors. The same code in the main process and in workers.

    MapSource      one batch for each list of indices
    StreamSource   the next batch of an iterable

Each fetch has its own random numbers, from the seed of the epoch, the number of the worker and that of its batch;
for a dataset with indices all count as worker 0, so that they depend on the number of the batch alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableSequence, Sequence
from copy import deepcopy
from itertools import islice
from typing import Any, NoReturn

from tt_data.collate import collate, default_collate, default_convert
from tt_data.dataset import fetch_many
from tt_data.errors import DatasetError
from tt_data.randomness import Streams
from tt_data.whole_batch import rows, samples_of
from tt_tensor.errors import ShapeError

__all__ = ["SAMPLER", "START", "WHOLE", "EndOfStreamError", "MapSource", "StreamSource", "told"]

FETCH, SAMPLER, START = 1, 2, 3
"""What random numbers are for: each purpose has seeds of its own."""

WHOLE = -1
"""Stands for the position in a batch where samples are not fetched one by one."""


class EndOfStreamError(Exception):
    """A stream has no batch left. (A StopIteration would get lost in the generators on the way.)"""


class MapSource:
    """Batches of a dataset with indices.

    Args:
        dataset: what is indexed.
        collate_fn: puts a list of samples together, or converts a single one.
        batched: whether it is asked for lists of indices, or for single ones (no batches).
        mark: mark[0] is set to the position in the batch that is being fetched, for those who look on from outside.
    """

    def __init__(
        self,
        dataset: Any,
        collate_fn: Callable[[Any], Any],
        batched: bool,
        mark: MutableSequence[int] | None = None,
    ) -> None:
        self.dataset, self.collate_fn, self.batched = dataset, collate_fn, batched
        self.streams = Streams(dataset, collate_fn)
        self.mark: MutableSequence[int] = [WHOLE] if mark is None else mark

    def start(self, epoch_seed: int, resumed: Any = None) -> None:
        """A new epoch."""
        self.epoch_seed = epoch_seed

    def key(self, number: int) -> tuple[int, ...]:
        """What the random numbers of a batch follow from."""
        return self.epoch_seed, FETCH, number, 0

    def state(self) -> tuple[Any, bool]:
        """A dataset with indices has no state, and no end that is not known."""
        return None, False

    def get(self, number: int, indices: Any) -> Any:
        """The batch of these indices; with a note on the index where it fails."""
        self.mark[0] = WHOLE
        try:
            return self._batch(indices) if self.batched else self._single(indices)
        except Exception as error:
            at = self.mark[0]
            if self.batched and at != WHOLE:
                note = f"DataLoader: this is index {indices[at]!r}, sample {at} of batch {number}"
            else:
                note = f"DataLoader: this is batch {number}, {told(indices)}"
            _raise(error, note)

    def _single(self, index: Any) -> Any:
        return self.collate_fn(self.dataset[index])

    def _batch(self, indices: Sequence[Any]) -> Any:
        if getattr(self.dataset, "__getitems__", None) is not None:
            found = fetch_many(self.dataset, indices)
            if not isinstance(found, list):
                return self._whole(found, indices)
        else:
            found = []
            for at, index in enumerate(indices):
                self.mark[0] = at
                found.append(self.dataset[index])
            self.mark[0] = WHOLE
        return together(found, self.collate_fn, indices)

    def _whole(self, batch: Any, indices: Sequence[Any]) -> Any:
        count = rows(batch)
        if count is not None and count != len(indices):
            raise ShapeError(
                f"{type(self.dataset).__name__}.__getitems__: was asked for {len(indices)} samples and gave a whole "
                f"batch of {count}; axis 0 counts the samples (a list is taken for one sample for each index)"
            )
        if self.collate_fn is default_collate:
            return default_convert(batch)
        # A collate_fn takes samples, whatever way they came.
        return self.collate_fn(samples_of(batch, len(indices)))


class StreamSource:
    """Batches of an iterable dataset, or of one worker's share of it.

    Args:
        dataset: what is iterated.
        collate_fn: puts a list of samples together, or converts a single one.
        batch_size: samples of a batch; None for single samples.
        drop_last: whether to drop a last batch that is shorter.
        worker: the number of the worker.
    """

    def __init__(
        self,
        dataset: Any,
        collate_fn: Callable[[Any], Any],
        batch_size: int | None,
        drop_last: bool,
        worker: int = 0,
    ) -> None:
        self.dataset, self.collate_fn, self.batch_size = dataset, collate_fn, batch_size
        self.drop_last, self.worker = drop_last, worker
        self.streams = Streams(dataset, collate_fn)
        self.mark = [WHOLE]
        self.iterator: Iterator[Any] | None = None
        self.over = False
        """Whether the stream is known to have ended. It may have begun anew at once, so its state does not tell."""

    def start(self, epoch_seed: int, resumed: Any = None) -> None:
        """A new epoch; or, from (number of batches used, state or None), the rest of one."""
        self.epoch_seed = epoch_seed
        given: tuple[int, Any] = (0, None) if resumed is None else resumed
        self.used, self.saved = given
        self.iterator, self.over = None, False

    def key(self, number: int) -> tuple[int, ...]:
        """What the random numbers of a batch follow from."""
        return self.epoch_seed, FETCH, number, self.worker

    def state(self) -> tuple[Any, bool]:
        """Where the stream stands, if it can tell, and whether it is over."""
        for thing in (self.iterator, self.dataset):
            if _has_state(thing):
                return deepcopy(thing.state_dict()), self.over  # type: ignore[union-attr]
        return None, self.over

    def get(self, number: int, _: Any = None) -> Any:
        """The next batch. Raises EndOfStreamError where there is none."""
        try:
            if self.iterator is None:
                self.iterator = self._begun(number)
            samples = self._drawn()
            self.over = len(samples) < (self.batch_size or 1)
            if not samples or (self.drop_last and len(samples) < (self.batch_size or 1)):
                raise EndOfStreamError
            if self.batch_size is None:
                return self.collate_fn(samples[0])
            return together(samples, self.collate_fn, None)
        except EndOfStreamError:
            raise
        except Exception as error:
            _raise(error, f"DataLoader: this is batch {number} of the stream")

    def _drawn(self) -> list[Any]:
        return list(islice(self.iterator, self.batch_size or 1))  # type: ignore[arg-type]

    def _begun(self, number: int) -> Iterator[Any]:
        """The iterator, at the batch of this number."""
        if self.saved is None:
            self.iterator = iter(self.dataset)
            for past in range(self.used):
                self.streams.seed(*self.key(past))
                self._drawn()
            if self.used:
                self.streams.seed(*self.key(number))
            return self.iterator
        iterator: Any = iter(self.dataset)
        if _has_state(iterator):
            iterator.load_state_dict(self.saved)
        else:
            self.dataset.load_state_dict(self.saved)
            iterator = iter(self.dataset)
        return iterator  # type: ignore[no-any-return]


def _has_state(thing: Any) -> bool:
    return all(callable(getattr(thing, name, None)) for name in ("state_dict", "load_state_dict"))


def _raise(error: Exception, note: str) -> NoReturn:
    """The error, with a note on where. A StopIteration, which would pass for the end of the epoch, as DatasetError."""
    if isinstance(error, StopIteration):
        lost = DatasetError(
            "the dataset or the collate_fn raised StopIteration: next() of an iterator that has no more"
        )
        lost.__cause__, error = error, lost
    error.add_note(note)
    raise error


def together(samples: list[Any], collate_fn: Callable[[Any], Any], indices: Sequence[Any] | None) -> Any:
    """A list of samples as a batch; the default way names indices where samples do not fit each other."""
    return collate(samples, indices) if collate_fn is default_collate else collate_fn(samples)


def told(indices: Any) -> str:
    """Indices in words, not too many."""
    if not isinstance(indices, list | tuple):
        return f"index {indices!r}"
    if len(indices) == 1:
        return f"index {indices[0]!r}"
    shown = [repr(index) for index in indices[:8]]
    if len(indices) > 8:
        shown += ["…", repr(indices[-1])]
    return f"indices {', '.join(shown)}"
