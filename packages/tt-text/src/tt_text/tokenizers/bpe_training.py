"""Learning merges: the most frequent pair of neighbours becomes a token, again and again.

    words = how often each word occurs, each a list of bytes
    until there are enough tokens:
        pair = the most frequent pair of neighbours in all words; of equally frequent ones the least (left, right)
        a new token for it; put it in place of the pair in every word

`by_definition` is these lines. `learn` gives the same merges and counts only once: a merge changes the counts of the
pairs beside it, in the words that have it; a heap knows the largest.

Ties are broken as the `tokenizers` library does it (its BpeTrainer): the pair of the smaller left id, then right id.

Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from itertools import pairwise

from tt_text.tokenizers.merging import Pair

__all__ = ["by_definition", "learn"]


def by_definition(words: Mapping[tuple[int, ...], int], count: int, first: int, least: int = 1) -> list[Pair]:
    """The loop above: at most `count` merges of pairs that occur `least` times; new tokens have ids from `first` on."""
    merges: list[Pair] = []
    while len(merges) < count:
        pairs: Counter[Pair] = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                pairs[pair] += times
        if not pairs or max(pairs.values()) < max(1, least):
            break
        pair = min(pairs, key=lambda one: (-pairs[one], one))
        together: Counter[tuple[int, ...]] = Counter()
        for word, times in words.items():
            together[tuple(_joined(list(word), pair, first + len(merges), Counter(), 0))] += times
        words = together
        merges.append(pair)
    return merges


def learn(words: Mapping[bytes, int], tokens: list[bytes], vocab_size: int, min_frequency: int) -> list[Pair]:
    """Merges (left id, right id) in the order learned; each new token is put at the end of `tokens`.

    Args:
        words: how often each word occurs.
        tokens: the bytes of each id; has all 256 bytes as tokens. It is added to.
        vocab_size: how long `tokens` gets at most.
        min_frequency: how often a pair has to occur.
    """
    ids = {data: number for number, data in enumerate(tokens) if data}
    parts = [[ids[bytes([byte])] for byte in word] for word in words]
    times = list(words.values())
    counts: dict[Pair, int] = defaultdict(int)
    places: dict[Pair, set[int]] = defaultdict(set)
    for at, part in enumerate(parts):
        for pair in pairwise(part):
            counts[pair] += times[at]
            places[pair].add(at)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapify(heap)
    merges: list[Pair] = []
    while len(tokens) < vocab_size and heap:
        count, pair = heappop(heap)
        now = counts.get(pair, 0)
        if now != -count:  # it has become rarer since: again, with what it has now
            if now > 0:
                heappush(heap, (-now, pair))
            continue
        if now < max(1, min_frequency):
            break
        data = tokens[pair[0]] + tokens[pair[1]]
        new = ids.setdefault(data, len(tokens))  # two pairs may spell one token
        if new == len(tokens):
            tokens.append(data)
        merges.append(pair)
        grown: set[Pair] = set()
        for at in places[pair]:
            changes: dict[Pair, int] = defaultdict(int)
            parts[at] = _joined(parts[at], pair, new, changes, times[at])
            for other, change in changes.items():
                counts[other] += change
                if new in other:
                    places[other].add(at)
                    grown.add(other)
        del counts[pair], places[pair]
        for other in grown:
            if counts.get(other, 0) > 0:
                heappush(heap, (-counts[other], other))
    return merges


def _joined(word: list[int], pair: Pair, new: int, changes: dict[Pair, int], times: int) -> list[int]:
    """`word` with `new` for each `pair`, from the left; adds to `changes` how the counts of other pairs change."""
    left, right = pair
    joined: list[int] = []
    at, count = 0, len(word)
    while at < count:
        one = word[at]
        if one == left and at + 1 < count and word[at + 1] == right:
            if joined:
                changes[joined[-1], left] -= times
                changes[joined[-1], new] += times
            if at + 2 < count:
                changes[right, word[at + 2]] -= times
                changes[new, word[at + 2]] += times
            joined.append(new)
            at += 2
        else:
            joined.append(one)
            at += 1
    return joined
