"""DataLoader: a dataset in batches of Tensors, in an order of a sampler, fetched here or by worker processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tt_data import transport
from tt_data.arguments import count, seconds
from tt_data.collate import default_collate, default_convert
from tt_data.dataset import IterableDataset
from tt_data.errors import LoaderStateError
from tt_data.index_batches import END, IndexBatches, SamplersAffair
from tt_data.iterators import BatchIterator, LocalIterator, Place, PoolIterator
from tt_data.position import Position, Share, check
from tt_data.sampler import BatchSampler, RandomSampler, SequentialSampler
from tt_data.worker_pool import WorkerPool, context_of
from tt_data.workers import Job
from tt_tensor import Generator, default_generator
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["DataLoader"]

FIXED = ("dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "persistent_workers")
"""What the samplers and the workers were made of: as PyTorch's loader, ours does not let it be set afterwards."""


class DataLoader:
    """for inputs, targets in DataLoader(dataset, batch_size=32, shuffle=True): ...

    Args:
        dataset: samples by index (`__getitem__` and `__len__`, a list will do), or an IterableDataset.
        batch_size: samples of a batch. None: no batches, each sample comes by itself.
        shuffle: draw the samples in another random order each epoch.
        sampler: draws the indices instead.
        batch_sampler: draws lists of indices instead; then batch_size, shuffle, sampler and drop_last are its affair.
        num_workers: processes that fetch batches ahead. 0: they are fetched in this one, when their turn comes.
        collate_fn: makes a batch of a list of samples; `default_collate` by default.
        pin_memory: taken so that PyTorch's programs need no change; there is no other memory to copy to.
        drop_last: leave out a last batch that is shorter than the others.
        timeout: seconds to wait for a batch of a worker before WorkerError; 0 waits for ever.
        worker_init_fn: called in each worker with its number when it starts.
        multiprocessing_context: "fork", "spawn", "forkserver", or a context; see README for the default.
        generator: draws the seed of each epoch, from which all else follows; by default the one of `manual_seed`.
        prefetch_factor: how many batches each worker fetches ahead, 2 by default.
        persistent_workers: keep the workers from epoch to epoch.

    The same seed gives the same batches for any number of workers, also where the dataset or its transforms draw random
    numbers: see `randomness`. (The exception is an IterableDataset, whose workers each have a stream of their own.)

    Raises ArgumentError for arguments that exclude each other or are out of range, DTypeError for what is no dataset;
    in an iteration WorkerError where a worker dies, is too slow or raises, and what dataset or collate_fn raise.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ) -> None:
        self.dataset, self.worker_init_fn = dataset, worker_init_fn
        self.num_workers = count("DataLoader", "num_workers", num_workers)
        self.timeout = seconds("DataLoader", "timeout", timeout)
        self.multiprocessing_context, self.persistent_workers = (
            multiprocessing_context,
            bool(persistent_workers),
        )
        self.generator, self.pin_memory = generator, bool(pin_memory)
        if generator is not None and not isinstance(generator, Generator):
            raise DTypeError(
                f"DataLoader: generator is a tt_tensor.Generator, not {type(generator).__name__}; use Generator(seed)"
            )
        if not self.num_workers and (prefetch_factor is not None or persistent_workers):
            raise ArgumentError("DataLoader: prefetch_factor and persistent_workers want num_workers above 0")
        self.prefetch_factor: int | None = None
        if self.num_workers:
            given = 2 if prefetch_factor is None else prefetch_factor
            self.prefetch_factor = count("DataLoader", "prefetch_factor", given, least=1)
            context_of(multiprocessing_context)
        self._arrange(batch_size, shuffle, sampler, batch_sampler, bool(drop_last))
        self.batched = self.batch_size is not None or self.batch_sampler is not None
        default = default_collate if self.batched else default_convert
        self.collate_fn: Callable[[Any], Any] = default if collate_fn is None else collate_fn
        self._place = Place()
        self._resume: Position | None = None
        self._idle: WorkerPool | None = None

    def _arrange(
        self, batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool
    ) -> None:
        """The samplers, and what excludes what."""
        dataset = self.dataset
        self.iterable = isinstance(dataset, IterableDataset)
        if self.iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ArgumentError(
                "DataLoader: an IterableDataset comes in its own order; shuffle, sampler and batch_sampler are for "
                "datasets with indices"
            )
        if not self.iterable and not hasattr(dataset, "__getitem__"):
            raise DTypeError(
                f"DataLoader: {type(dataset).__name__} is no dataset; it has no __getitem__, and is no IterableDataset"
            )
        if sampler is not None and shuffle:
            raise ArgumentError(
                "DataLoader: sampler says in which order the samples come, so shuffle must not"
            )
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ArgumentError(
                "DataLoader: batch_sampler makes the batches, so batch_size, shuffle, sampler and drop_last must not"
            )
        if batch_size is None and drop_last:
            raise ArgumentError("DataLoader: without batches (batch_size=None) there is no last one to drop")
        if not self.iterable and sampler is None:
            sampler = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
        self.batch_size: int | None = None
        if batch_sampler is None and batch_size is not None:
            self.batch_size = count("DataLoader", "batch_size", batch_size, least=1)
            if not self.iterable:
                batch_sampler = BatchSampler(sampler, self.batch_size, drop_last)
        self.sampler, self.batch_sampler, self.drop_last = sampler, batch_sampler, drop_last

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and "_idle" in vars(self):
            raise ArgumentError(
                f"DataLoader: {name} cannot be changed any more, its samplers know the old one; make another DataLoader"
            )
        super().__setattr__(name, value)

    def __len__(self) -> int:
        """Batches of an epoch. Raises TypeError where the dataset or the sampler has no length."""
        if not self.iterable:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        samples = len(self.dataset)
        if self.batch_size is None:
            return samples
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Tell the samplers, and the dataset, which epoch comes next, those that have a `set_epoch` of their own."""
        inner = getattr(self.batch_sampler, "sampler", None)
        for thing in {id(t): t for t in (self.sampler, inner, self.batch_sampler, self.dataset)}.values():
            tell = getattr(thing, "set_epoch", None)
            if callable(tell):
                tell(epoch)

    # --- one pass -------------------------------------------------------------------------------------------

    def __iter__(self) -> BatchIterator:
        begun = self._begun() if self._resume is None else self._resume
        indices = None if self.iterable else self._indices(begun)
        place = Place(begun)
        made: BatchIterator
        if not self.num_workers or (indices is not None and indices.ahead[0] is END):
            made = LocalIterator(place, indices, self._state, self._job().source(0, None), begun)
        else:
            ahead = min(self.prefetch_factor or 1, transport.IN_FLIGHT)
            made = PoolIterator(
                place, indices, self._state, self._pool(), begun, ahead, self.timeout, self._release
            )
        # Only now: what could not be resumed stays where it is.
        self._place, self._resume = place, None
        return made

    def _begun(self) -> Position:
        """A new epoch."""
        source = default_generator() if self.generator is None else self.generator
        begun = Position(int(source.rng.integers(0, 1 << 63)))
        if self.iterable:
            begun.shares = [Share() for _ in range(max(1, self.num_workers))]
        return begun

    def _indices(self, begun: Position) -> IndexBatches:
        resumed = (begun.state(), begun.used) if begun is self._resume else None
        found = IndexBatches(self._keepers[0], self._keepers, self.dataset, begun.epoch_seed, resumed)
        begun.generators, begun.sampler = found.begun
        return found

    @property
    def _keepers(self) -> tuple[Any, Any]:
        """The sampler that gives what is fetched at once, and the one in it, if there is one."""
        sampler = self.sampler if self.batch_sampler is None else self.batch_sampler
        return sampler, getattr(sampler, "sampler", None)

    def _job(self) -> Job:
        return Job(
            self.dataset,
            self.iterable,
            self.collate_fn,
            self.batched,
            self.batch_size,
            self.drop_last,
            self.worker_init_fn,
            self.num_workers,
            os.getpid(),
        )

    def _pool(self) -> WorkerPool:
        idle, self._idle = self._idle, None
        if idle is not None and idle.settle():
            return idle
        return WorkerPool(self._job(), context_of(self.multiprocessing_context))

    def _release(self, pool: WorkerPool) -> None:
        """A pass needs its workers no longer."""
        if self.persistent_workers and self._idle is None and pool.open:
            self._idle = pool
        else:
            pool.close()

    # --- where it stands ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Where the newest pass stands: behind the last batch that it gave out.

        Numbers, text, lists and dicts, as JSON holds them, if the states of samplers and streams are. An epoch that is
        over, or was not begun, has nothing but the state of `generator`. Without a `generator`, what later epochs draw
        stands in the default one, which is the program's to save.
        """
        return self._state(self._place)

    def _state(self, place: Place) -> dict[str, Any]:
        return {
            "format": 1,
            "loader": self._made(),
            "generator": None if self.generator is None else self.generator.get_state(),
            "epoch": None if place.position is None else place.position.state(),
            # In an epoch it is part of that.
            "sampler": None
            if self.iterable or place.position is not None
            else list(self._affair().capture()),
        }

    def _affair(self) -> SamplersAffair:
        return SamplersAffair(self._keepers, self.dataset)

    def _made(self) -> dict[str, Any]:
        """What a state depends on: with other ones it would go on at another place."""
        return {
            "kind": "stream" if self.iterable else "indices",
            "samples": None if self.iterable else _length(self.dataset),
            "batch_size": self.batch_size,
            "drop_last": self.drop_last,
            "generator": self.generator is not None,
            "workers": max(1, self.num_workers) if self.iterable else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where `state_dict` was called: the next iteration goes on with the very next batch.

        The number of workers may be another one than before, but for an IterableDataset.

        Raises LoaderStateError for the state of another loader, or none; then nothing has changed.
        """
        check(state, self._made())
        position = None if state["epoch"] is None else Position.of(state["epoch"])
        if position is not None and len(position.shares) != (
            max(1, self.num_workers) if self.iterable else 0
        ):
            raise LoaderStateError("load_state_dict: the state does not fit the workers of this loader")
        try:
            if self.generator is not None:
                Generator(0).set_state(state["generator"])
            if position is None and not self.iterable:
                generators, own = state["sampler"]
                self._affair().restore(generators, own)
        except (ArgumentError, DTypeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, LoaderStateError):
                raise
            raise LoaderStateError(f"load_state_dict: this is no state of a DataLoader: {error!r}") from error
        if self.generator is not None:
            self.generator.set_state(state["generator"])
        self._resume = position
        self._place = Place(position)


def _length(dataset: Any) -> int | None:
    try:
        return len(dataset)
    except (TypeError, NotImplementedError):
        return None
