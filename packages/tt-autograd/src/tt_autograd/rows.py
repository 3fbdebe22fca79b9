"""Nodes in layers: their order from left to right, and how far apart.

Order: in turns from the top and from the bottom, each layer is sorted by the mean place of its neighbours in the layer
before; what has the fewest crossings is kept.
Positions: each node wants to stand at the weighted mean of its neighbours; those of a layer that would overlap share
the loss, by least squares with distances to keep. With the distances taken off, that is a regression by a rising
sequence, which pooling neighbours that fall solves exactly.

Source: K. Sugiyama, S. Tagawa, M. Toda, 1981 (barycentres); M. Ayer et al., "An Empirical Distribution Function for
Sampling with Incomplete Information", 1955 (pool adjacent violators).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from itertools import pairwise

__all__ = ["Links", "ordered", "placed", "spread"]

Links = dict[tuple[int, int], float]
"""(node, node in the next layer) → how much this edge wants to be vertical."""

Near = list[list[tuple[int, float]]]


def ordered(layer_of: list[int], links: Links, sweeps: int = 8) -> list[list[int]]:
    """The nodes of each layer from left to right, with few crossings."""
    rows: list[list[int]] = [[] for _ in range(max(layer_of) + 1)]
    for v, layer in enumerate(layer_of):
        rows[layer].append(v)
    above, under = _neighbours(len(layer_of), links)
    place = [0.0] * len(layer_of)

    def note(row: list[int]) -> None:
        for i, v in enumerate(row):
            place[v] = (i + 0.5) / len(row)

    for row in rows:
        note(row)
    best, fewest = [list(row) for row in rows], _crossings(rows, under)
    for sweep in range(sweeps):
        if not fewest:
            break
        near = under if sweep % 2 else above
        for row in reversed(rows) if sweep % 2 else rows:
            mean = {v: sum(place[u] for u, _ in near[v]) / len(near[v]) if near[v] else place[v] for v in row}
            row.sort(key=mean.__getitem__)
            note(row)
        crossings = _crossings(rows, under)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _neighbours(n: int, links: Links) -> tuple[Near, Near]:
    above: Near = [[] for _ in range(n)]
    under: Near = [[] for _ in range(n)]
    for (a, b), pull in links.items():
        under[a].append((b, pull))
        above[b].append((a, pull))
    return above, under


def _crossings(rows: list[list[int]], under: Near) -> int:
    """How many pairs of edges between adjacent layers cross."""
    count = 0
    for row, below in pairwise(rows):
        place = {v: i for i, v in enumerate(below)}
        seen: list[int] = []
        for v in row:
            ends = [place[u] for u, _ in under[v]]
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def placed(
    rows: list[list[int]], links: Links, widths: list[float], gap: float, sweeps: int = 12
) -> list[float]:
    """The x of the middle of each node: in turns from the top and from the bottom, at last by both neighbours."""
    above, under = _neighbours(len(widths), links)
    both = [one + other for one, other in zip(above, under, strict=True)]
    xs = [0.0] * len(widths)
    for sweep in range(-1, sweeps):
        near = both if sweep >= sweeps - 4 else under if sweep % 2 else above
        for row in reversed(rows) if sweep % 2 else rows:
            wanted, weights = [], []
            for v in row:
                weight = sum(pull for _, pull in near[v])
                wanted.append(sum(xs[u] * pull for u, pull in near[v]) / weight if weight else xs[v])
                weights.append(weight or 0.1)
            for v, x in zip(row, spread(wanted, [widths[v] for v in row], weights, gap), strict=True):
                xs[v] = x
    return xs


def spread(wanted: list[float], widths: list[float], weights: list[float], gap: float) -> list[float]:
    """The x that minimise Σ weightᵢ (xᵢ - wantedᵢ)², with xᵢ₊₁ - xᵢ at least half of both widths and the gap."""
    offsets = [0.0]
    for a, b in pairwise(widths):
        offsets.append(offsets[-1] + (a + b) / 2 + gap)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, count of nodes that touch and move as one
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, count = want - offset, 1
        while blocks and blocks[-1][0] >= mean:
            other, its_weight, its_count = blocks.pop()
            mean = (mean * weight + other * its_weight) / (weight + its_weight)
            weight, count = weight + its_weight, count + its_count
        blocks.append((mean, weight, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
