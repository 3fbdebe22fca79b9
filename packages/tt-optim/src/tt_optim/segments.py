"""Segments: parameters of one group that are stepped together, with their state and their clocks.

Packed holds many small parameters in flat buffers; Single holds one parameter that is large, or shares its
memory with another, and leaves it where it is.

A clock is (steps taken, product of momenta): what an update depends on beside the arrays. Parameters without a
gradient sit a step out, so clocks may drift apart; parameters side by side with equal clocks still step as one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn import shards
from tt_optim.flat import Buffers, Scratch, Tile, borders, carve, flat_memory, tiles
from tt_optim.stretches import stretches
from tt_tensor import memory

if TYPE_CHECKING:
    from tt_optim.optimizer import Optimizer

__all__ = ["START", "Clock", "Packed", "Segment", "Single"]

Clock = tuple[int, float]
START: Clock = (0, 1.0)

Gradients = Sequence[np.ndarray | None]


WORTH = 1 << 17
"""So many numbers of a step are worth a thread."""


def sweep(
    optimizer: Optimizer,
    group: dict[str, Any],
    clock: Clock,
    some: Sequence[Tile],
    fill: Callable[[int, Tile], None] | None = None,
) -> None:
    """Update every tile, side by side where they are many; `fill` is to bring the gradients of each.

    An update computes number by number, so the bits do not depend on which thread does which tile.
    """

    def body(start: int, stop: int, part: int) -> None:
        for at in range(start, stop):
            tile = some[at]
            tile.scratch = optimizer.scratch.lend(tile.values.dtype, tile.values.size)
            if fill is not None:
                fill(at, tile)
            optimizer.update(tile, group, clock)

    shards.run(body, len(some), -(-WORTH // max(some[0].values.size, 1)))


class Segment:
    """What the two kinds share: members, flat state, clocks."""

    def __init__(
        self, optimizer: Optimizer, at: Sequence[int], shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any]
    ) -> None:
        self.at = tuple(at)
        """Where each member stands in its group's params."""
        self.shapes = list(shapes)
        sizes = [int(np.prod(shape)) for shape in shapes]
        self.offsets = [0, *accumulate(sizes)]
        self.size = self.offsets[-1]
        self.dtype = dtype
        self.state = Buffers(self.size, dtype, optimizer.initial_state)
        self.clock: Clock | None = START
        """The clock of all members, or None where they differ; then `clocks` has one for each."""
        self.clocks: list[Clock] = []

    def step(self, optimizer: Optimizer, group: dict[str, Any], grads: Gradients, complete: bool) -> None:
        raise NotImplementedError

    def clock_of(self, member: int) -> Clock:
        return self.clocks[member] if self.clock is None else self.clock

    def set_clocks(self, clocks: list[Clock]) -> None:
        alike = all(clock == clocks[0] for clock in clocks)
        self.clock, self.clocks = (clocks[0], []) if alike else (None, clocks)

    def state_of(self, member: int) -> dict[str, np.ndarray]:
        """The state of one member in its shape: views, by name."""
        start, stop = self.offsets[member], self.offsets[member + 1]
        return {name: flat[start:stop].reshape(self.shapes[member]) for name, flat in self.state.items()}

    def load(self, clocks: list[Clock], states: list[dict[str, np.ndarray]]) -> None:
        """Replace clocks and state; what is absent gets its initial value."""
        self.set_clocks(clocks)
        self.state.clear()
        for member, state in enumerate(states):
            start, stop = self.offsets[member], self.offsets[member + 1]
            for name, values in state.items():
                self.state[name][start:stop] = values.reshape(-1)


class Packed(Segment):
    """Small parameters, side by side."""

    def __init__(
        self,
        optimizer: Optimizer,
        at: Sequence[int],
        arrays: list[np.ndarray],
        adopted: Sequence[bool],
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__(optimizer, at, [array.shape for array in arrays], dtype)
        self.values = flat_memory(self.size, dtype)
        self.pieces = carve(self.values, self.shapes, self.offsets)
        for piece, array in zip(self.pieces, arrays, strict=True):
            piece[...] = array
        self.adopted = any(adopted)
        self.guests = [(k, arrays[k]) for k, moved in enumerate(adopted) if not moved]
        """Members that keep their own memory: read before a step, written back after it."""
        self.whole: list[Tile] = []
        self.sources: list[list[tuple[int, int, int]]] = []
        """Of which members the gradients of each whole tile are, each from where to where."""
        self.room = Scratch(1)

    @cached_property
    def grads(self) -> np.ndarray:
        """The gradients side by side, where they are not gathered tile by tile."""
        return flat_memory(self.size, self.dtype)

    def load(self, clocks: list[Clock], states: list[dict[str, np.ndarray]]) -> None:
        super().load(clocks, states)
        self.whole = []

    def cut(self, optimizer: Optimizer, start: int, stop: int, grads: np.ndarray) -> list[Tile]:
        return list(tiles(self.values, grads, self.state, start, stop, optimizer.tile or self.size))

    def step(self, optimizer: Optimizer, group: dict[str, Any], grads: Gradients, complete: bool) -> None:
        if self.clock is None or not complete:
            self.step_some(optimizer, group, grads)
            return
        if self.guests:
            for k, array in self.guests:
                self.pieces[k][...] = array
        self.clock = clock = optimizer.tick(self.clock, group)
        whole = self.whole or self.cover(optimizer)
        if len(whole) == 1:
            np.concatenate(grads, None, self.grads)  # type: ignore[arg-type]
            optimizer.update(whole[0], group, clock)
        else:
            self.gather_and_sweep(optimizer, group, clock, grads)
        if self.adopted:
            memory.mark_written(self.values)
        if self.guests:
            for k, array in self.guests:
                array[...] = self.pieces[k]
                memory.mark_written(array)

    def cover(self, optimizer: Optimizer) -> list[Tile]:
        """The tiles of all members, kept for the next step."""
        if self.size <= (optimizer.tile or self.size):
            self.whole = self.cut(optimizer, 0, self.size, self.grads)
            self.whole[0].scratch = optimizer.scratch.lend(self.dtype, self.size)
            return self.whole
        # Their gradients come and go with the thread that works on them.
        self.whole = self.cut(optimizer, 0, self.size, self.values)
        cut = borders(0, self.size, optimizer.tile or self.size)
        self.sources = [list(stretches(self.offsets, low, high)) for low, high in pairwise(cut)]
        return self.whole

    def gather_and_sweep(
        self, optimizer: Optimizer, group: dict[str, Any], clock: Clock, grads: Gradients
    ) -> None:
        """Each thread copies the gradients of a tile to where its cache is, and finds them there."""
        if optimizer.update_pieces(self.values, grads, self.state, group, clock):  # type: ignore[arg-type]
            return
        flat = [grad.reshape(-1) for grad in grads]  # type: ignore[union-attr]

        def fill(at: int, tile: Tile) -> None:
            (tile.grads,) = self.room.lend(self.dtype, tile.values.size)
            np.concatenate([flat[k][low:high] for k, low, high in self.sources[at]], out=tile.grads)

        sweep(optimizer, group, clock, self.whole, fill)

    def step_some(self, optimizer: Optimizer, group: dict[str, Any], grads: Gradients) -> None:
        """Step the members that have a gradient, each at its own clock, in runs that are alike."""
        clocks = [self.clock_of(k) for k in range(len(self.shapes))]
        guests = [(k, array) for k, array in self.guests if grads[k] is not None]
        for k, array in guests:
            self.pieces[k][...] = array
        first = 0
        while first < len(grads):
            if grads[first] is None:
                first += 1
                continue
            last = first + 1
            while last < len(grads) and grads[last] is not None and clocks[last] == clocks[first]:
                last += 1
            start, stop = self.offsets[first], self.offsets[last]
            np.concatenate(grads[first:last], None, self.grads[start:stop])  # type: ignore[arg-type]
            clock = optimizer.tick(clocks[first], group)
            sweep(optimizer, group, clock, self.cut(optimizer, start, stop, self.grads))
            clocks[first:last] = [clock] * (last - first)
            first = last
        self.set_clocks(clocks)
        if self.adopted:
            for k, piece in enumerate(self.pieces):
                if grads[k] is not None:
                    memory.mark_written(piece)
        for k, array in guests:
            array[...] = self.pieces[k]
            memory.mark_written(array)


class Single(Segment):
    """One parameter, stepped in its own memory where that is one stretch of the right dtype."""

    def __init__(self, optimizer: Optimizer, at: int, array: np.ndarray, dtype: np.dtype[Any]) -> None:
        super().__init__(optimizer, (at,), (array.shape,), dtype)
        self.array = array
        direct = array.flags.c_contiguous and array.dtype == dtype
        self.values = array.reshape(-1) if direct else np.empty(array.size, dtype)
        self.direct = direct
        self.whole: list[Tile] = []

    def load(self, clocks: list[Clock], states: list[dict[str, np.ndarray]]) -> None:
        super().load(clocks, states)
        self.whole = []

    def cover(self, optimizer: Optimizer) -> list[Tile]:
        """The tiles, kept for the next step."""
        length = optimizer.tile or max(self.size, 1)
        self.whole = list(tiles(self.values, self.values, self.state, 0, self.size, length))
        if optimizer.tile is None:
            self.whole[0].shape = self.array.shape
        return self.whole

    def step(self, optimizer: Optimizer, group: dict[str, Any], grads: Gradients, complete: bool) -> None:
        grad = grads[0]
        if grad is None:
            return
        if not self.direct:
            self.values.reshape(self.array.shape)[...] = self.array
        flat = grad.reshape(-1).astype(self.dtype, copy=False)
        clock = optimizer.tick(self.clock_of(0), group)
        some, start = self.whole or self.cover(optimizer), 0
        for tile in some:
            tile.grads = flat[start : start + tile.values.size]
            start += tile.values.size
        sweep(optimizer, group, clock, some)
        for tile in some:
            del tile.grads  # they are the caller's, who may let go of them
        self.clock = clock
        if not self.direct:
            self.array[...] = self.values.reshape(self.array.shape)
        memory.mark_written(self.array)
