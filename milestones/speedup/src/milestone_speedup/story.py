"""2018, told by running it: the loops that taught us everything are too slow, so they are replaced rung by rung.

MLPerf's first results came out that year: training in minutes what had taken days, by the same arithmetic in another
order. Source: P. Mattson et al., MLPerf training benchmark, MLSys 2020, arXiv:1910.01500.
"""

from __future__ import annotations

from milestone_kit import Session
from milestone_speedup import products, steps, tasks
from milestone_speedup.album import draw
from milestone_speedup.cli import LADDERS
from milestone_speedup.rung import Ladder, Rung

__all__ = ["FACTORS", "tell", "time_of"]

FACTORS = {"matmul": 2000, "cifar": 1000, "tinygpt": 100, "cache": 5, "int8": 1.5}
"""How many times faster than its first rung the best one of a ladder has to be."""

MINUTE, QUICK_MINUTE = 60.0, 1.0
BUDGET, QUICK_BUDGET = 3.0, 0.5
"""Seconds for each rung above the loops."""

LARGE, QUICK_LARGE = (12, 768, 48), (6, 512, 24)
"""Layers, width and tokens of the transformer that writes with weights of 8 bits."""


def tell(session: Session) -> None:
    """Climb the ladders, one after the other, then draw them."""
    options = session.options
    quick, seed = options.quick, options.seed
    minute, budget = (QUICK_MINUTE, QUICK_BUDGET) if quick else (MINUTE, BUDGET)

    def say(ladder: Ladder, rung: Rung) -> None:
        _say(session, ladder, rung)

    climbed: dict[str, Ladder] = {}
    for name in LADDERS:
        if options.only and name not in options.only:
            continue
        if name == "matmul":
            ladder = products.climb(budget, seed, say)
        elif name in ("cifar", "tinygpt"):
            task = tasks.cifar(seed) if name == "cifar" else tasks.tinygpt(seed)
            if task.note:
                session.say(task.note)
            tolerance = 1e-2 if name == "cifar" else 1e-3
            ladder = steps.climb(task, budget, minute, tolerance, say)
        elif name == "cache":
            from milestone_speedup import generating

            ladder = generating.climb(budget, seed, say)
        else:
            from milestone_speedup import integers

            ladder = integers.climb(*(QUICK_LARGE if quick else LARGE), budget, seed, say)
        climbed[name] = ladder
        _note(session, name, ladder)
    draw(session, list(climbed.values()))


def _say(session: Session, ladder: Ladder, rung: Rung) -> None:
    if len(ladder.rungs) == 1:
        session.say(f"{ladder.title}, time for one {ladder.unit}:")
    factor = ladder.factor(rung)
    times = f"{factor:>10,.1f} ×" if factor < 100 else f"{factor:>10,.0f} ×"
    error = "" if rung.error is None else f"   off by {rung.error:.0e}"
    note = f"   {rung.note}" if rung.note else ""
    session.say(f"  {rung.name:<44} {time_of(rung.seconds):>10} {times}{error}{note}")


def _note(session: Session, name: str, ladder: Ladder) -> None:
    """Every rung's time and factor; bars on the best factor, and on the worst error."""
    for rung in ladder.rungs:
        session.figure(f"{name}: {rung.name}", rung.seconds, f"s per {ladder.unit}")
    session.figure(
        f"{name}: fastest over first rung", ladder.factor(ladder.best), "times", at_least=FACTORS[name]
    )
    session.figure(f"{name}: worst error of a rung", ladder.worst_error, at_most=ladder.tolerance)


def time_of(seconds: float) -> str:
    """A time in the unit that suits it."""
    for limit, scale, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"
