"""AxisMap: what the places along one axis take of the pixels along it, a sparse matrix.

Averaging, enlarging and padding act on rows and on columns, one after the other: y = R x Cᵀ with two such matrices.
What they send back is Rᵀ · grad · C.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tt_vision.window import Window

__all__ = ["AxisMap", "Piece", "bins", "copies", "spans"]

Entry = tuple[int, int, float]
"""Place, pixel, weight."""

LONG = 12
"""Pieces with a step of their own, up to which an axis is taken apart; then what is left goes by arrays of indices."""


MANY = 4
"""So many pixels of a place, on average, are worth a sum of their own."""

NEAR = 6
"""So many entries are tried as the first of a chain."""


class Piece(NamedTuple):
    """y[places] = or += weight · x[pixels]: no place and no pixel comes twice."""

    places: Any
    pixels: Any
    weight: Any
    """None for 1, a number, or an array with one for each place."""
    adds: bool
    """Whether it adds to what is there."""


@dataclass(frozen=True)
class AxisMap:
    """y[place] = Σ weight · x[pixel] over the entries, each pair of place and pixel named once."""

    places: int
    pixels: int
    entries: tuple[Entry, ...]

    @cached_property
    def transposed(self) -> AxisMap:
        """The way back: x[pixel] = Σ weight · y[place]."""
        made = AxisMap(
            self.pixels,
            self.places,
            tuple(sorted((pixel, place, weight) for place, pixel, weight in self.entries)),
        )
        made.__dict__["transposed"] = self
        return made

    @cached_property
    def cut(self) -> slice | None:
        """Which pixels y is, where it is some of x as they are; else None."""
        pixels = [pixel for _, pixel, _ in self.entries]
        plain = self.entries == tuple((place, pixel, 1.0) for place, pixel in enumerate(pixels))
        as_slice = _as_slice(pixels) if plain and len(pixels) == self.places > 0 else None
        return as_slice if isinstance(as_slice, slice) else None

    @cached_property
    def sums(self) -> list[slice] | None:
        """The pixels of each place, where each is the sum of many in a row; else None."""
        pixels: list[list[int]] = [[] for _ in range(self.places)]
        for place, pixel, weight in self.entries:
            if weight != 1:
                return None
            pixels[place].append(pixel)
        found = [_as_slice(some) for some in pixels if some]
        in_a_row = len(found) == self.places and all(
            isinstance(one, slice) and one.step == 1 for one in found
        )
        return found if in_a_row and len(self.entries) >= MANY * self.places else None

    @cached_property
    def pieces(self) -> tuple[list[Piece], list[slice]]:
        """The entries as few pieces, and the places that are 0 at first: those without entry, or first added to."""
        left = {(place, pixel): weight for place, pixel, weight in self.entries}
        groups: list[list[Entry]] = []
        while left and len(groups) < LONG:
            chain = _longest_chain(left)
            groups.append([(*at, left.pop(at)) for at in chain])
        if left:
            rest = [(*at, weight) for at, weight in left.items()]
            groups = _without_repeats(
                [entry for group in groups if len(group) < 3 for entry in group] + rest,
                [group for group in groups if len(group) >= 3],
            )
        return self._pieces(groups)

    def _pieces(self, groups: list[list[Entry]]) -> tuple[list[Piece], list[slice]]:
        pieces, covered, zero = [], set[int](), set(range(self.places))
        for group in groups:
            places, pixels = [entry[0] for entry in group], [entry[1] for entry in group]
            weights = sorted({entry[2] for entry in group})
            weight: Any = np.array([entry[2] for entry in group])
            if len(weights) == 1:
                weight = None if weights[0] == 1 else weights[0]
            adds = not covered.isdisjoint(places)
            if not adds:
                zero.difference_update(places)
            covered.update(places)
            pieces.append(Piece(_as_slice(places), _as_slice(pixels), weight, adds))
        return pieces, _runs(sorted(zero))


def _longest_chain(left: dict[tuple[int, int], float]) -> list[tuple[int, int]]:
    """The longest chain in which places and pixels rise by the same steps, from one of the first entries on."""
    entries = sorted(left)
    best = entries[:1]
    for index, first in enumerate(entries[:NEAR]):
        near = [at for at in entries[index : index + 4 * NEAR] if at[0] > first[0] and at[1] > first[1]]
        for step in sorted({(place - first[0], pixel - first[1]) for place, pixel in near}):
            chain = [first]
            while (at := (chain[-1][0] + step[0], chain[-1][1] + step[1])) in left:
                chain.append(at)
            best = max(best, chain, key=len)
    return best


def _without_repeats(rest: list[Entry], groups: list[list[Entry]]) -> list[list[Entry]]:
    """`groups`, and `rest` in as few more as can be without a place or a pixel that comes twice in one."""
    more: list[tuple[set[int], set[int], list[Entry]]] = []
    for entry in sorted(rest):
        fits = (new for new in more if entry[0] not in new[0] and entry[1] not in new[1])
        found = next(fits, None)
        if found is None:
            found = (set(), set(), [])
            more.append(found)
        found[0].add(entry[0])
        found[1].add(entry[1])
        found[2].append(entry)
    return groups + [group for _, _, group in more]


def _as_slice(numbers: list[int]) -> Any:
    """The slice that names these rising numbers, or an array of them where their steps differ."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    if step > 0 and all(after - before == step for before, after in pairwise(numbers)):
        return slice(numbers[0], numbers[-1] + 1, step)
    return np.array(numbers)


def _runs(numbers: list[int]) -> list[slice]:
    """Rising numbers as slices of neighbours."""
    found: list[slice] = []
    for number in numbers:
        if found and found[-1].stop == number:
            found[-1] = slice(found[-1].start, number + 1)
        else:
            found.append(slice(number, number + 1))
    return found


@lru_cache(maxsize=256)
def spans(window: Window, axis: int, pixels: int, places: int) -> AxisMap:
    """1 for each pixel under the window, along `axis`, with the window at each of its places."""
    stride, before = window.stride[axis], window.padding[axis][0]
    return AxisMap(
        places,
        pixels,
        tuple(
            (place, pixel, 1.0)
            for place in range(places)
            for pixel in range(
                max(0, place * stride - before), min(pixels, place * stride - before + window.size[axis])
            )
        ),
    )


@lru_cache(maxsize=256)
def bins(pixels: int, places: int) -> AxisMap:
    """1 for each pixel from ⌊i · pixels / places⌋ up to ⌈(i + 1) · pixels / places⌉, the share of place i."""
    return AxisMap(
        places,
        pixels,
        tuple(
            (place, pixel, 1.0)
            for place in range(places)
            for pixel in range(place * pixels // places, -(-(place + 1) * pixels // places))
        ),
    )


@lru_cache(maxsize=256)
def copies(sources: tuple[int, ...], pixels: int) -> AxisMap:
    """Place i takes the pixel sources[i]; 0 where that is -1."""
    return AxisMap(
        len(sources),
        pixels,
        tuple((place, pixel, 1.0) for place, pixel in enumerate(sources) if pixel >= 0),
    )
