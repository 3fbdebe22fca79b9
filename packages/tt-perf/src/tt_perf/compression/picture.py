"""The picture of a report: what accuracy costs in time and in bytes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tt_tensor.errors import ArgumentError, MissingWheelError

if TYPE_CHECKING:
    from tt_perf.compression.report import VariantsReport

__all__ = ["draw_variants"]


def draw_variants(report: VariantsReport, path: str | os.PathLike[str], title: str = "") -> None:
    """Score against latency, and against the size of the file; variants on the front are filled and joined by a line.

    Raises ArgumentError where there is no score, MissingWheelError without matplotlib.
    """
    if any(variant.score != variant.score for variant in report.variants):
        raise ArgumentError("draw: there is no score to draw; give compare_variants targets, too")
    figure = _figure()(figsize=(11, 4.5), layout="constrained")
    panels: Any = figure.subplots(1, 2, sharey=True)
    looks = (
        ("latency", 1e3, f"latency of {report.batch} inputs / ms"),
        ("bytes", 1 / 1024, "file / KiB"),
    )
    for panel, (figure_name, scale, label) in zip(panels, looks, strict=True):
        front = set(report.pareto_front(minimize=(figure_name,)))
        chosen = sorted(
            (getattr(variant, figure_name) * scale, variant.score)
            for variant in report.variants
            if variant.name in front
        )
        panel.plot(
            [x for x, _ in chosen], [y for _, y in chosen], color="0.7", zorder=1, drawstyle="steps-post"
        )
        for variant in report.variants:
            at = (getattr(variant, figure_name) * scale, variant.score)
            colour = "tab:blue" if variant.name in front else "none"
            panel.scatter(*at, facecolors=colour, edgecolors="tab:blue", zorder=2)
            panel.annotate(variant.name, at, xytext=(5, 4), textcoords="offset points", fontsize=8)
        panel.set_xlabel(label)
        panel.margins(x=0.25, y=0.1)
        panel.set_xlim(left=0)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(report.score_name)
    if title:
        figure.suptitle(title)
    figure.savefig(path, dpi=120)


def _figure() -> Any:
    """matplotlib's Figure; pyplot is never used, so there is no window and no global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingWheelError("draw: pictures need matplotlib: pip install 'tt-perf[pictures]'") from error
    return Figure
