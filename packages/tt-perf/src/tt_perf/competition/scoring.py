"""The score, and who is on the Pareto front.

Everything is measured against the task's reference network r (mnist: lenet5 at 99.35 %; cifar10: cifar_cnn at 80 %;
tinygpt: nanoGPT's GPT with four layers at 1.88 nats), on the same machine in the same minute:

    quality   (1 - accuracy_r) / (1 - accuracy), of tinygpt exp(loss_r - loss): of errors, or of perplexity
    latency   √(one_r / one · batch_r / batch)
    memory    peak_memory_r / peak_memory
    size      size_r / size

    score = 100 · quality^(1/2) · (latency · memory · size)^(1/6)

100 is the reference itself, twice as few errors are worth as much as being 8 times faster (or smaller). Below the
task's floor (97 %, 70 %, above 2.10 nats) the score is 0. An accuracy of 1 counts as half an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from tt_perf.competition.figures import Figures
from tt_perf.competition.tasks import task_named
from tt_perf.compression.pareto import pareto_front

__all__ = ["front", "score"]


def score(figures: Figures) -> float:
    """The score, as above."""
    task = task_named(figures.task)
    if (figures.quality > task.floor) if task.by_loss else (figures.quality < task.floor):
        return 0.0
    if task.by_loss:
        quality = math.exp(task.reference_quality - figures.quality)
    else:
        quality = (1 - task.reference_quality) / max(1 - figures.quality, 0.5 / figures.samples)
    costs = _costs(figures)
    latency = 1 / math.sqrt(costs["one"] * costs["batch"])
    return 100 * math.sqrt(quality) * (latency / costs["memory"] / costs["size"]) ** (1 / 6)


def front(entries: Mapping[str, Figures]) -> list[str]:
    """Those that no other is better than in one thing and as good in all: quality, latencies, memory, size.

    All figures are of one task. Latencies are those relative to the reference's, so that machines compare.
    """
    points = {}
    for name, figures in entries.items():
        task = task_named(figures.task)
        points[name] = {"quality": -figures.quality if task.by_loss else figures.quality, **_costs(figures)}
    return (
        pareto_front(points, minimize=("one", "batch", "memory", "size"), maximize=("quality",))
        if points
        else []
    )


def _costs(figures: Figures) -> dict[str, float]:
    return {
        "one": figures.latency_one / figures.reference_latency_one,
        "batch": figures.latency_batch / figures.reference_latency_batch,
        "memory": figures.peak_memory / figures.reference_peak_memory,
        "size": figures.size / figures.reference_size,
    }
