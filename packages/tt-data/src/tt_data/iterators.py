"""Iterators: one pass over a DataLoader, in this process or with workers.

    LocalIterator    fetches when it is asked
    PoolIterator     keeps every worker busy with `prefetch_factor` batches, and gives them out in order

Both give the same batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tt_data.errors import WorkerError
from tt_data.fetching import EndOfStreamError, MapSource, StreamSource
from tt_data.index_batches import IndexBatches
from tt_data.position import Position, Share
from tt_data.worker_pool import WorkerPool
from tt_tensor import observing

__all__ = ["BatchIterator", "LocalIterator", "Place", "PoolIterator"]


@dataclass
class Place:
    """Where a pass stands; it outlives the iterator."""

    position: Position | None = None
    """None: at its end, or not begun."""


@dataclass
class Asked:
    """A batch that is under way."""

    worker: int
    number: int
    indices: Any = None
    sampler: Any = None
    """The state of the sampler behind it."""
    last: bool = False
    """Whether the sampler is known to have no more."""


class BatchIterator:
    """One pass: what both kinds have in common.

    Args:
        place: where the pass begins, and what it moves on.
        indices: of a dataset with indices, the batches of them; None for a stream.
        describe: makes the state of the whole loader of a place.
    """

    def __init__(
        self, place: Place, indices: IndexBatches | None, describe: Callable[[Place], dict[str, Any]]
    ) -> None:
        self.place, self.indices, self._describe = place, indices, describe

    def __iter__(self) -> BatchIterator:
        return self

    def __next__(self) -> Any:
        observer = observing.active
        if observer is None:
            return self.next_batch()
        started = observing.clock()
        batch = self.next_batch()
        observer.span("data", started)
        return batch

    def next_batch(self) -> Any:
        """The next batch. Raises StopIteration behind the last."""
        raise NotImplementedError(f"{type(self).__name__} has no next_batch()")

    def state_dict(self) -> dict[str, Any]:
        """As `DataLoader.state_dict`, of this pass, where a loader has several at once."""
        return self._describe(self.place)

    def given(self, asked: Asked, state: Any, over: bool) -> None:
        """Note that a batch is given out; `state` is that of its stream behind it, `over` whether it was the last."""
        position = self.place.position
        if position is None:
            return
        if self.indices is not None:
            position.used = asked.number + 1
            position.given = (asked.indices,)
            position.sampler, position.over = asked.sampler, asked.last
            return
        share = position.shares[asked.worker]
        share.used, share.state, share.over = asked.number + 1, state, over
        position.used = sum(each.used for each in position.shares)
        position.turn = (asked.worker + 1) % len(position.shares)


class LocalIterator(BatchIterator):
    """Fetches each batch when it is asked for it."""

    def __init__(
        self,
        place: Place,
        indices: IndexBatches | None,
        describe: Callable[[Place], dict[str, Any]],
        source: MapSource | StreamSource,
        begun: Position,
    ) -> None:
        super().__init__(place, indices, describe)
        self.source, self.number = source, begun.used
        self.over = any(share.over for share in begun.shares)
        source.start(begun.epoch_seed, resumed(begun, 1)[0])

    def next_batch(self) -> Any:
        if self.place.position is None:
            raise StopIteration
        asked = Asked(0, self.number)
        if self.indices is not None:
            found = next(self.indices, None)
            if found is None:
                self.place.position = None
                raise StopIteration
            asked.indices, asked.sampler, asked.last = found
        self.number += 1
        try:
            if self.over:
                raise EndOfStreamError
            with self.source.streams.lent(*self.source.key(asked.number)):
                batch = self.source.get(asked.number, asked.indices)
                state, self.over = self.source.state()
        except EndOfStreamError:
            self.place.position = None
            raise StopIteration from None
        self.given(asked, state, self.over)
        return batch


class PoolIterator(BatchIterator):
    """Workers fetch ahead; a batch is given out when its turn has come.

    Whatever ends a pass before its end, an error or Ctrl-C, ends the workers, too.
    """

    def __init__(
        self,
        place: Place,
        indices: IndexBatches | None,
        describe: Callable[[Place], dict[str, Any]],
        pool: WorkerPool,
        begun: Position,
        ahead: int,
        timeout: float,
        release: Callable[[WorkerPool], None],
    ) -> None:
        super().__init__(place, indices, describe)
        self.pool, self.ahead, self.timeout = pool, ahead, timeout
        self._release: Callable[[WorkerPool], None] | None = release
        self.asked: deque[Asked] = deque()
        self.number = begun.used
        """Of the batch that is asked for next. Those of a stream are numbered by worker, in `numbers`."""
        self.numbers = [share.used for share in begun.shares]
        self.over = [share.over for share in begun.shares] or [False] * pool.count
        self.turn = begun.turn if indices is None else begun.used % pool.count
        self.exhausted = False
        self.failure: Exception | None = None
        """What the sampler raised, to be raised when its turn has come."""
        try:
            pool.begin(begun.epoch_seed, resumed(begun, pool.count))
            self.fill()
        except BaseException:
            pool.close(0)
            raise

    def fill(self) -> None:
        """Ask for batches until every worker has enough of them."""
        while not (self.exhausted or all(self.over)):
            while self.over[self.turn]:
                self.turn = (self.turn + 1) % self.pool.count
            if len(self.pool.waiting[self.turn]) >= self.ahead:
                return
            asked = self._next(self.turn)
            if asked is None:
                self.exhausted = True
                return
            self.pool.ask(asked.worker, asked.number, asked.indices)
            self.asked.append(asked)
            self.turn = (self.turn + 1) % self.pool.count

    def _next(self, worker: int) -> Asked | None:
        if self.indices is None:
            self.numbers[worker] += 1
            return Asked(worker, self.numbers[worker] - 1)
        try:
            found = next(self.indices, None)
        except Exception as error:
            self.failure = error
            return None
        if found is None:
            return None
        self.number += 1
        return Asked(worker, self.number - 1, *found)

    def next_batch(self) -> Any:
        if self.place.position is None:
            raise StopIteration
        if not self.pool.open:
            raise WorkerError(
                "DataLoader: the workers of this pass were ended by an error before; iterate anew, from "
                "the next batch if you wish: loader.load_state_dict(loader.state_dict())"
            )
        try:
            while self.asked:
                asked = self.asked.popleft()
                answer = self.pool.receive(asked.worker, self.timeout)
                batch, state, over = (None, None, True) if answer is None else answer
                if over:
                    self.over[asked.worker] = self.place.position.shares[asked.worker].over = True
                self.fill()
                if answer is not None:
                    self.given(asked, state, over)
                    return batch
            if self.failure is not None:
                raise self.failure
        except BaseException:
            self.pool.close(0)
            raise
        self.place.position = None
        self._let_go()
        raise StopIteration

    def _let_go(self) -> None:
        """The workers are needed no longer: at the end, or because nobody refers to this pass any more."""
        release, self._release = getattr(self, "_release", None), None
        if release is not None:
            release(self.pool)

    __del__ = _let_go


def resumed(position: Position, count: int) -> list[tuple[int, Any] | None]:
    """For each of `count` workers, how much of its stream was used, and the stream's state behind that."""
    shares = position.shares or [Share()] * count
    return [(share.used, share.state) if share.used else None for share in shares]
