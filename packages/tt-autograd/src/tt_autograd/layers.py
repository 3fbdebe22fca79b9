"""Where the nodes of a directed graph without cycles go on paper: in layers, every edge downwards.

1. Layers. A node stands one layer above the highest of its users, so that leaves are close to where they are used.
2. An edge that spans several layers gets a waypoint in each between, so that it is led around the nodes there.
3. Order within the layers and positions: see `tt_autograd.rows`.

Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tt_autograd.rows import Links, ordered, placed

__all__ = ["Layout", "layered"]

Point = tuple[float, float]
STRAIGHT = 8.0  # how much more a long edge pulls on its waypoints than on its ends


@dataclass(frozen=True)
class Layout:
    """Centres of the nodes, and for each edge the points that it goes through between its two nodes.

    The points come in pairs, for the top and the bottom of a layer: between these the edge is straight.
    """

    centres: list[Point]
    waypoints: list[list[Point]]
    width: float
    height: float


def layered(
    sizes: Sequence[Point],
    edges: Sequence[tuple[int, int]],
    pulls: Sequence[float] | None = None,
    gap: float = 24.0,
    layer_gap: float = 42.0,
) -> Layout:
    """Lay out nodes of `sizes` (width, height), numbered so that each edge (a, b) has a < b.

    Args:
        pulls: how much each edge wants to be vertical, 1 by default.
        gap: the distance to keep between neighbours of a layer.
        layer_gap: that between layers.
    """
    if not sizes:
        return Layout([], [[] for _ in edges], 0.0, 0.0)
    n, layer = len(sizes), _layers(len(sizes), edges)
    ways, layer_of, links = _waypoints(layer, edges, [1.0] * len(edges) if pulls is None else pulls)
    widths = [width for width, _ in sizes] + [gap / 3] * (len(layer_of) - n)
    rows = ordered(layer_of, links)
    xs = placed(rows, links, widths, gap)
    left = min(x - w / 2 for x, w in zip(xs, widths, strict=True))
    right = max(x + w / 2 for x, w in zip(xs, widths, strict=True))
    xs = [x - left for x in xs]
    tops, bottoms, y = [], [], 0.0
    for row in rows:
        tops.append(y)
        bottoms.append(y + max((sizes[v][1] for v in row if v < n), default=0.0))
        y = bottoms[-1] + layer_gap
    centres = [(xs[v], (tops[layer[v]] + bottoms[layer[v]]) / 2) for v in range(n)]
    waypoints = [[(xs[v], side[layer_of[v]]) for v in way for side in (tops, bottoms)] for way in ways]
    return Layout(centres, waypoints, right - left, bottoms[-1])


def _layers(n: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each node, from 0 at the top: the longest way down to a node that nobody uses decides."""
    users: list[list[int]] = [[] for _ in range(n)]
    for a, b in edges:
        users[a].append(b)
    below = [0] * n
    for v in reversed(range(n)):
        below[v] = 1 + max((below[user] for user in users[v]), default=-1)
    deepest = max(below)
    return [deepest - depth for depth in below]


def _waypoints(
    layer: list[int], edges: Sequence[tuple[int, int]], pulls: Sequence[float]
) -> tuple[list[list[int]], list[int], Links]:
    """For each edge its waypoints, as further nodes; the layers of all nodes; what links adjacent layers, and how hard.

    Edges from one node share their waypoints. Where all of them would be many more than nodes, the longest go straight.
    """
    layer_of = list(layer)
    lowest: dict[int, int] = {}
    for a, b in edges:
        lowest[a] = max(lowest.get(a, 0), layer[b])
    left = 1000 + 4 * len(layer)
    chains: dict[int, list[int]] = {}
    for a in sorted(lowest, key=lambda a: lowest[a] - layer[a]):
        length = lowest[a] - layer[a] - 1
        if length > left:
            break
        left -= length
        chains[a] = list(range(len(layer_of), len(layer_of) + length))
        layer_of += range(layer[a] + 1, lowest[a])
    ways: list[list[int]] = []
    links: Links = {}
    for (a, b), pull in zip(edges, pulls, strict=True):
        way = chains[a][: layer[b] - layer[a] - 1] if a in chains else []
        ways.append(way)
        if a in chains:
            for one, other in pairwise((a, *way, b)):
                inside = one >= len(layer) and other >= len(layer)
                links[one, other] = STRAIGHT if inside else pull
    return ways, layer_of, links
