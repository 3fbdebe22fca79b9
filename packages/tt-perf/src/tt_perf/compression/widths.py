"""Widths: how many channels each layer keeps for a network to be so many times as fast, at the least damage.

    widths = choose_widths(model, images, faster=2)     # {"conv1": 32, "conv2": 48, …}
    small = prune_channels(model, widths=widths, criterion="contribution", data=images, reconstruct=True)

One share for all layers is seldom best. A channel of an early layer, on large maps, costs many times what one of a late
layer does; a kernel may take 24 channels as long as 32; and some layers have more to spare. So time is measured, not
computed, and in rounds: in each, every layer says how narrow it would have to be for the network to come nearer to the
goal by one step, and the layer whose outputs suffer least from that is cut.

Source: Yang et al., "NetAdapt: Platform-Aware Neural Network Adaptation for Mobile Applications", 2018,
arXiv:1804.03230; damage is that of the outputs, after the readers were fitted, in place of a short training's.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tt_nn import Module
from tt_perf.compression.channels import ChannelGroup
from tt_perf.compression.modes import evaluating
from tt_perf.compression.scores import scores_of
from tt_perf.compression.structured import Score, chosen_groups, keep_channels
from tt_tensor import as_tensor
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError

__all__ = ["choose_widths"]

PAIRS = 15
"""How often a network and the one it is made of are timed, one right after the other: the middle ratio counts."""

CHUNK = 100
"""Inputs whose outputs are computed at a time."""

FINEST = 8
"""Where no layer alone can make a step, it is halved, down to one in so many."""

Widths = dict[str, int]


def choose_widths(
    model: Module,
    data: Any,
    faster: float = 2.0,
    *,
    cost: Callable[[Module], float] | None = None,
    batch: int = 256,
    multiple_of: int = 8,
    rounds: int = 6,
    criterion: str | Score = "contribution",
) -> Widths:
    """{name of a layer: how many channels stay} for `prune_channels(model, widths=…)`; `model` stays as it is.

    Args:
        data: inputs as the model takes them; some hundreds will do. Damage is that to the outputs on them,
            Σ (y - y')² / Σ y².
        faster: how many times as fast the network has to be, above 1.
        cost: what a network costs instead of its time, such as its multiplications or its bytes.
        batch: how many of `data` are given to a network at once when its time is measured. Measure on the kernels that
            will be in use, with nobody else on the machine.
        multiple_of: so many channels stay that this divides their number, where the layer had more.
        rounds: in how many steps the goal is approached.
        criterion: which channels go first; see `prune_channels`.

    Raises ArgumentError where removing channels cannot make the network so fast, where it has none to spare, and for
    settings that are none.
    """
    what = "choose_widths"
    if not isinstance(faster, int | float) or isinstance(faster, bool) or not 1 < faster < math.inf:
        raise ArgumentError(f"{what}: faster is a number above 1, not {faster!r}")
    multiple_of = whole_number(what, "multiple_of", multiple_of, 1)
    rounds = whole_number(what, "rounds", rounds, 1)
    batch = whole_number(what, "batch", batch, 1)
    groups = chosen_groups(model, None)
    x = np.asarray(as_tensor(data).array)
    if not x.ndim or not len(x):
        raise ArgumentError(f"{what}: it looks at data, inputs (N, …), not at {x.shape}")
    candidates = _Candidates(model, groups, criterion, x)
    measure = cost if cost is not None else _Clock(model, x[:batch])
    widths: Widths = {group.producer: group.size for group in groups}
    now = start = float(measure(model))
    goal = start / faster
    step = (start - goal) / rounds
    while now > goal:
        found = _best(candidates, measure, widths, max(now - step, goal), multiple_of)
        if found is not None:
            cost_then, widths = found
            # Of many measured ones, that which is taken was lucky: what counts is how it does the next time.
            now = max(cost_then, float(measure(candidates.cut(widths)))) if cost is None else cost_then
        elif step > (start - goal) / (rounds * FINEST):
            step /= 2  # a layer alone cannot spare so much
        else:
            raise ArgumentError(
                f"{what}: with fewer channels in {', '.join(widths)} this network comes to {start / now:.2f} times its "
                f"speed at most, not to {faster}"
            )
    return widths


def _best(
    candidates: _Candidates, measure: Callable[[Module], float], widths: Widths, aim: float, multiple_of: int
) -> tuple[float, Widths] | None:
    """Cost and widths with one layer narrower, as wide as `aim` allows: that which does the least damage. Or None."""
    best: tuple[float, float, Widths] | None = None
    for name in widths:
        for width in _narrower(widths[name], multiple_of):
            trial = {**widths, name: width}
            cost = float(measure(candidates.cut(trial)))
            if cost <= aim:
                damage = candidates.damage(trial)
                if best is None or damage < best[0]:
                    best = damage, cost, trial
                break
    return None if best is None else best[1:]


def _narrower(width: int, multiple_of: int) -> Iterator[int]:
    """The multiples below, from the greatest to the least."""
    for count in range(math.ceil(width / multiple_of) - 1, 0, -1):
        yield count * multiple_of


class _Candidates:
    """Networks with fewer channels: which go first is found once."""

    def __init__(self, model: Module, groups: list[ChannelGroup], criterion: str | Score, data: Any) -> None:
        scores = scores_of(model, groups, criterion, data)
        self.order = {name: np.argsort(-row, kind="stable") for name, row in scores.items()}
        self.model, self.data = model, data
        self.outputs = _outputs(model, data)
        self.size = float((self.outputs * self.outputs).sum()) or 1.0

    def cut(self, widths: Mapping[str, int], fitted: bool = False) -> Module:
        kept = {name: np.sort(self.order[name][:width]) for name, width in widths.items()}
        return keep_channels(self.model, kept, self.data if fitted else None)

    def damage(self, widths: Mapping[str, int]) -> float:
        off = _outputs(self.cut(widths, fitted=True), self.data) - self.outputs
        return float((off * off).sum()) / self.size


def _outputs(network: Module, data: Any) -> Any:
    """Of all of `data`, in float64."""
    with evaluating(network):
        parts = [
            as_tensor(network(as_tensor(data[at : at + CHUNK]))).array for at in range(0, len(data), CHUNK)
        ]
    return np.concatenate(parts).astype(np.float64)


class _Clock:
    """The time of a network as a share of that of the one it was made of."""

    def __init__(self, model: Module, inputs: Any) -> None:
        self.model, self.inputs = model, as_tensor(inputs)

    def __call__(self, network: Module) -> float:
        if network is self.model:
            return 1.0
        ratios = []
        with evaluating(network, self.model):
            for at in range(-1, PAIRS):
                pair = self._seconds(network), self._seconds(self.model)
                if at >= 0:
                    ratios.append(pair[0] / pair[1])
        return statistics.median(ratios)

    def _seconds(self, network: Module) -> float:
        start = time.perf_counter()
        network(self.inputs)
        return time.perf_counter() - start
