"""The roofline: what an op reaches, and what the machine allows at its FLOPs a byte. Needs matplotlib."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tt_perf.profiling.ceilings import Ceilings
from tt_perf.profiling.rows import OpRow
from tt_tensor.errors import ArgumentError, MissingWheelError

__all__ = ["draw", "pyplot"]


def pyplot(what: str) -> Any:
    """A figure and its axes without a window. Raises MissingWheelError where matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingWheelError(
            f"{what} draws with matplotlib, which is not installed; pip install 'tt-perf[pictures]'"
        ) from error
    # It looks for the fonts of formulas, which are not drawn, and would complain of each.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def draw(rows: Sequence[OpRow], ceilings: Ceilings, path: str | Path) -> None:
    """One point for each op that computes, as large as its share of the time.

    Raises ArgumentError where none computes, MissingWheelError without matplotlib.
    """
    shown = [row for row in rows if row.flops and row.bytes and row.seconds]
    if not shown:
        raise ArgumentError("roofline: no op of this profile computes anything, so there is nothing to draw")
    figure, axes = pyplot("roofline")
    total = sum(row.seconds for row in shown)
    low = min(*(row.intensity for row in shown), ceilings.ridge) / 4
    high = max(*(row.intensity for row in shown), ceilings.ridge) * 4
    places = [low * (high / low) ** (i / 200) for i in range(201)]
    axes.plot(places, [ceilings.reachable(place) / 1e9 for place in places], color="black", linewidth=1.5)
    for row in shown:
        axes.scatter(
            row.intensity,
            row.flops_per_second / 1e9,
            s=20 + 600 * row.seconds / total,
            alpha=0.6,
            label=row.op,
        )
        if row.seconds > 0.02 * total:
            axes.annotate(row.op, (row.intensity, row.flops_per_second / 1e9), fontsize=8)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="FLOPs a byte",
        ylabel="GFLOP/s",
        title=f"Roofline: {ceilings.flops / 1e9:.0f} GFLOP/s, {ceilings.bandwidth / 1e9:.1f} GB/s",
    )
    axes.set_ylim(top=ceilings.flops / 1e9 * 2)
    if math.isfinite(high):
        axes.set_xlim(low, high)
    axes.grid(True, which="both", alpha=0.2)
    figure.savefig(path, dpi=120)
