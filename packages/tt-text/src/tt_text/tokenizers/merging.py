"""Byte-pair encoding of one word: join the two neighbours whose pair was learned first, until none was learned.

    while a pair of neighbours has a rank:
        the leftmost pair of the least rank becomes one token

`by_definition` is these lines. `Merges.apply` gives the same tokens: a short word by a list of ranks, of which each
merge changes two; a long one rank by rank over a linked list, which for a table that was learned takes O(n).

Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from itertools import pairwise
from typing import TypeVar

from tt_text.errors import TokenizerError

__all__ = ["Merges", "Pair", "by_definition", "ranked"]

Pair = tuple[int, int]
Text = TypeVar("Text", str, bytes)

NONE = 1 << 62
LONG = 128
"""From this many tokens on the heap is the faster way."""


def by_definition(tokens: list[int], ranks: Mapping[Pair, int], merged: Mapping[Pair, int]) -> list[int]:
    """The loop above, O(n²): what the others are checked against."""
    tokens = list(tokens)
    while True:
        found = [(ranks.get((tokens[at], tokens[at + 1]), NONE), at) for at in range(len(tokens) - 1)]
        rank, at = min(found, default=(NONE, 0))
        if rank == NONE:
            return tokens
        tokens[at : at + 2] = [merged[tokens[at], tokens[at + 1]]]


class Merges:
    """What pairs of tokens become, and in which order.

    Args:
        ranks: (left, right) → rank, an int ≥ 0. Equal ranks are allowed; the leftmost pair goes first.
        merged: (left, right) → the token that they become.
    """

    def __init__(self, ranks: Mapping[Pair, int], merged: Mapping[Pair, int]) -> None:
        self.ranks = dict(ranks)
        self.merged = dict(merged)

    def apply(self, tokens: list[int]) -> list[int]:
        """The tokens that a word's first tokens (bytes, characters) become. The list may be changed."""
        return self._short(tokens) if len(tokens) < LONG else self._long(tokens)

    def _short(self, tokens: list[int]) -> list[int]:
        get = self.ranks.get
        ranks = [get(pair, NONE) for pair in pairwise(tokens)]
        while ranks:
            rank = min(ranks)
            if rank == NONE:
                break
            at = ranks.index(rank)
            tokens[at] = self.merged[tokens[at], tokens.pop(at + 1)]
            del ranks[at]
            if at:
                ranks[at - 1] = get((tokens[at - 1], tokens[at]), NONE)
            if at < len(ranks):
                ranks[at] = get((tokens[at], tokens[at + 1]), NONE)
        return tokens

    def _long(self, tokens: list[int]) -> list[int]:
        get, merged, count = self.ranks.get, self.merged, len(tokens)
        # A merge keeps the left token's place; following[i] and previous[i] are i's neighbours that are left.
        following, previous = array("q", range(1, count + 1)), array("q", range(-1, count - 1))
        # The places of pairs by their rank, and a heap of the ranks: of those there are few. A rank is worked off from
        # left to right; its places came in that order, mostly, so that sorting them is quick.
        places: dict[int, list[int]] = {}
        for at, pair in enumerate(pairwise(tokens)):
            if (rank := get(pair, NONE)) != NONE:
                places.setdefault(rank, []).append(at)
        ranks = sorted(places)
        while ranks:
            least = heappop(ranks)
            rest = sorted(places.pop(least), reverse=True)
            again: list[int] = []  # a heap of places of this rank that merges of this rank made
            while rest or again:
                at = heappop(again) if again and (not rest or again[0] < rest[-1]) else rest.pop()
                left, right_at = tokens[at], following[at]
                # Since then one of the two may have gone (-1), or become another.
                if left < 0 or right_at == count or get((left, tokens[right_at])) != least:
                    continue
                tokens[at] = merged[left, tokens[right_at]]
                tokens[right_at] = -1
                after, before = following[right_at], previous[at]
                following[at] = after
                earlier = False
                if after < count:
                    previous[after] = at
                for place, other in ((before, before), (at, after)):
                    if not 0 <= other < count:
                        continue
                    rank = get((tokens[place], tokens[following[place]]), NONE)
                    if rank == NONE:
                        continue
                    if rank == least:
                        heappush(again, place)
                    elif rank in places:
                        places[rank].append(place)
                    else:
                        places[rank] = [place]
                        heappush(ranks, rank)
                        earlier |= rank < least
                if earlier:
                    # What this merge made comes before the rest. (In a table that was learned, it never does.)
                    if rest or again:
                        places[least] = rest[::-1] + again
                        heappush(ranks, least)
                    break
        return [token for token in tokens if token >= 0]


def ranked(
    vocab: Mapping[Text, int], merges: Iterable[tuple[Text, Text]], where: str
) -> tuple[list[tuple[Text, Text]], Merges]:
    """Merges in the order learned, and what they do to ids.

    Raises TokenizerError for one whose tokens are not in `vocab`, and one that comes twice.
    """
    pairs: list[tuple[Text, Text]] = []
    ranks: dict[Pair, int] = {}
    merged: dict[Pair, int] = {}
    for rank, (left, right) in enumerate(merges):
        try:
            pair, new = (vocab[left], vocab[right]), vocab[left + right]
        except (KeyError, TypeError):
            raise TokenizerError(
                f"{where}: merge {rank} is of {left!r} and {right!r}; both and what they become have to be tokens"
            ) from None
        if pair in ranks:
            raise TokenizerError(
                f"{where}: merges {ranks[pair]} and {rank} are the same, {left!r} and {right!r}"
            )
        ranks[pair], merged[pair] = rank, new
        pairs.append((left, right))
    return pairs, Merges(ranks, merged)
