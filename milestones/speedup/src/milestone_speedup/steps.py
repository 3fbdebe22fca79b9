"""A training step, from loops in Python to compiled kernels: forward, loss, gradients, and the optimizer's update."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

import tt_autograd  # noqa: F401  (installs the tape)
from milestone_speedup.rung import Ladder, Rung, median_time, seconds_of
from milestone_speedup.tasks import Task
from tt_nn import Module, shards
from tt_optim.training.shards import backward_in_shards
from tt_perf import accelerate
from tt_tensor import kernels

__all__ = ["climb"]


@dataclass(frozen=True)
class _Way:
    name: str
    kernel: str | None = None
    """Which kernels run where they have that name; None: the defaults."""
    cores: int | None = None
    """None: all."""
    compiled: bool = False


LOOPS = _Way("loops in Python", "loops")


def _ways(task: Task) -> list[_Way]:
    whole = "plain" if task.whole_model_shards else "im2col"
    ways = [_Way("whole arrays in NumPy, one core", whole, 1)]
    if not task.whole_model_shards:
        ways.append(_Way("blocks that stay in caches, one core", None, 1))
    ways.append(_Way("the same, all cores"))
    ways.append(_Way("compiled kernels, all cores", compiled=True))
    return ways


def climb(
    task: Task, budget: float, minute: float, tolerance: float, say: Callable[[Ladder, Rung], None]
) -> Ladder:
    """Time a step on each way; the gradients of each are compared with those by loops, on the rows that those had.

    Args:
        budget: seconds for each way but the loops.
        minute: how long the loops may take. The first row is done in any case.
        tolerance: the greatest error of a gradient, relative to the largest number in it.
    """
    ladder = Ladder(task.title, task.unit, tolerance)
    with _on(LOOPS):
        rows = 1
        start = time.perf_counter()
        expected = _gradients(task, LOOPS, rows)
        seconds = time.perf_counter() - start
        more = min(int(minute / seconds) - 1, len(task.inputs))
        if more > 1:
            rows = more
            seconds = seconds_of(lambda: _gradients(task, LOOPS, rows))
    note = f"on {rows * task.units_a_row} {task.unit}s"
    ladder.rungs.append(Rung(LOOPS.name, seconds / (rows * task.units_a_row), None, note))
    say(ladder, ladder.rungs[-1])
    for way in _ways(task):
        with _on(way):
            error = _difference(_gradients(task, way, 1), expected)
            step, units = _step(task, way), len(task.inputs) * task.units_a_row
            seconds = median_time(step, budget)
        ladder.rungs.append(Rung(way.name, seconds / units, error, f"on {units} {task.unit}s"))
        say(ladder, ladder.rungs[-1])
    return ladder


@contextmanager
def _on(way: _Way) -> Iterator[None]:
    """Its kernels and cores inside the block."""
    with ExitStack() as stack:
        if way.compiled:
            stack.enter_context(accelerate(malloc=False))
        if way.kernel is not None:
            stack.enter_context(kernels.use(way.kernel))
        if way.cores == 1:
            stack.enter_context(shards.threads(1))
            stack.enter_context(shards.one_blas_thread())
        yield


def _backward(task: Task, way: _Way, model: Module, x: Any, y: Any) -> None:
    trained = [p for p in model.parameters() if p.requires_grad]
    if task.whole_model_shards and way.cores is None and way is not LOOPS:
        backward_in_shards(lambda x, y: task.loss(model, x, y), trained, x, y, parts=shards.get_num_threads())
    else:
        task.loss(model, x, y).backward()


def _gradients(task: Task, way: _Way, rows: int) -> list[Any]:
    """Of a new model, on the first rows; the update is done, too, since it belongs to the step."""
    model, optimizer = task.make()
    _backward(task, way, model, task.inputs[:rows], task.targets[:rows])
    found = [p.grad.numpy().copy() for p in model.parameters() if p.grad is not None]
    optimizer.step()
    return found


def _step(task: Task, way: _Way) -> Callable[[], None]:
    """A step that trains one model on and on."""
    model, optimizer = task.make()

    def step() -> None:
        optimizer.zero_grad()
        _backward(task, way, model, task.inputs, task.targets)
        optimizer.step()

    return step


def _difference(found: list[Any], expected: list[Any]) -> float:
    """The worst of all parameters; NaN where something is NaN."""
    errors = [
        float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-12))
        for one, other in zip(found, expected, strict=True)
    ]
    return float(np.max(errors))
