"""Fair side-by-side timing of two or more ways to do the same work.

What makes it fair:

- every contender lives in a process of its own: thread pools of two libraries in one process disturb each
  other;
- contenders prove that they do equal work before any of it is timed;
- they take turns in short slices, in rotating order, so that what the machine does meanwhile meets them all;
- slices in which other processes used the machine are left out (Linux; elsewhere nobody watches);
- every contender gets the same number of threads and is offered the same malloc tuning;
- several rounds, each with fresh processes; medians; a bootstrap interval around the ratio of medians.

A benchmark is a script that names its contenders and calls ``main``. A contender is a factory: called once in
its process, it returns a step (no arguments), or a step and an ``evidence(results)`` function that turns the
results of the first steps into what is compared. Imports belong inside the factory: the peer's interpreter
lacks our wheels.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine
import resident
from spread import compared, pooled_median

MET, MISSED, WRONG_ARGUMENTS, NO_DUEL = 0, 1, 2, 3


class NoDuelError(Exception):
    """The contenders cannot be compared: one failed, or they do not do equal work."""


@dataclass(frozen=True)
class Contender:
    make: resident.Factory
    peer: bool = False  # True: runs under --peer-python


@dataclass(frozen=True)
class Duel:
    """One comparison. The bar is on median(ours) / median(reference)."""

    title: str
    contenders: Mapping[str, Contender]
    ours: str
    reference: str
    bar: float
    check_steps: int = 1
    rtol: float = 1e-5
    atol: float = 1e-7


@dataclass
class Score:
    clean: list[list[float]] = field(default_factory=list)  # seconds a step, by round
    disturbed: list[list[float]] = field(default_factory=list)

    def rounds(self) -> tuple[list[list[float]], bool]:
        """The slices that count, and whether they are the undisturbed ones (False: there were too few).

        Other load only ever slows, so where too few slices were clean, the fastest third of all is taken.
        """
        if all(len(turns) >= 3 for turns in self.clean):
            return self.clean, True
        every = [sorted(c + d) for c, d in zip(self.clean, self.disturbed, strict=True)]
        return [turns[: max(3, len(turns) // 3)] for turns in every], False


def taken(flag: str) -> bool:
    """Was `flag` given? It is taken off the command line; the processes of the duel find it in the environment."""
    name = "DUEL" + flag.replace("-", "_").upper()
    if flag in sys.argv:
        sys.argv.remove(flag)
        os.environ[name] = "1"
    return name in os.environ


def difference(ours: Any, theirs: Any, rtol: float, atol: float, where: str = "result") -> str | None:
    """The first place where two pieces of evidence differ, in words; None when they agree."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if ours.keys() != theirs.keys():
            return f"{where} has {sorted(ours)} against {sorted(theirs)}"
        pairs = [(f"{where}.{key}", ours[key], theirs[key]) for key in ours]
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return f"{where} has length {len(ours)} against {len(theirs)}"
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(ours, theirs, strict=True))]
    elif isinstance(ours, float) and isinstance(theirs, float):
        same = math.isclose(ours, theirs, rel_tol=rtol, abs_tol=atol) or (
            math.isnan(ours) and math.isnan(theirs)
        )
        return None if same else f"{where} is {ours!r} against {theirs!r}"
    else:
        return None if ours == theirs else f"{where} is {ours!r} against {theirs!r}"
    return next((found for at, a, b in pairs if (found := difference(a, b, rtol, atol, at))), None)


class Resident:
    """The parent's handle on one contender's process."""

    def __init__(self, name: str, contender: Contender, options: argparse.Namespace) -> None:
        self.name = name
        python = options.peer_python if contender.peer else sys.executable
        command = [python, str(Path(sys.argv[0]).resolve()), *sys.argv[1:], "--resident", name]
        environment = os.environ | machine.thread_environment(options.threads)
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment
            )
        except OSError as error:
            raise NoDuelError(f"contender {name!r} did not start: {error}") from error
        self.load = machine.ForeignLoad(self.process.pid)
        self.steps = 1

    def answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        message = (
            json.loads(line) if line else {"error": f"the process ended with status {self.process.wait()}"}
        )
        if "error" in message:
            raise NoDuelError(f"contender {self.name!r} failed:\n{message['error']}")
        return message

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise NoDuelError(f"contender {self.name!r} is gone: {error}") from error
        return self.answer()

    def turn(self) -> tuple[float, bool]:
        """Seconds a step over one slice, and whether the machine was ours meanwhile."""
        self.load.start()
        start = time.perf_counter()
        each = self.ask("turn", steps=self.steps)["seconds"]
        elapsed = time.perf_counter() - start
        foreign = self.load.used()
        allowed = max(self.load.tick, 0.05 * elapsed * (os.cpu_count() or 1))
        return each, foreign is None or foreign <= allowed + 1e-9

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _check(duel: Duel, residents: Sequence[Resident]) -> None:
    evidence = {r.name: r.ask("check", steps=duel.check_steps)["evidence"] for r in residents}
    for name, found in evidence.items():
        if wrong := difference(found, evidence[duel.reference], duel.rtol, duel.atol):
            raise NoDuelError(f"{name!r} and {duel.reference!r} do not do equal work: {wrong}")


def _round(
    duel: Duel, turn_order: list[str], scores: dict[str, Score], options: argparse.Namespace
) -> dict[str, Any]:
    """One round with fresh processes: check, calibrate, alternate. Adds to `scores`; returns versions."""
    residents: list[Resident] = []
    try:
        for name in turn_order:
            residents.append(Resident(name, duel.contenders[name], options))
        facts = {r.name: r.answer() for r in residents}
        _check(duel, residents)
        for r in residents:
            r.steps = r.ask("calibrate", seconds=options.slice)["steps"]
            scores[r.name].clean.append([])
            scores[r.name].disturbed.append([])
        for turn in range(options.turns * options.patience):
            if all(len(scores[r.name].clean[-1]) >= options.turns for r in residents):
                break
            first = turn % len(residents)
            for r in residents[first:] + residents[:first]:
                each, clean = r.turn()
                score = scores[r.name]
                (score.clean if clean else score.disturbed)[-1].append(each)
                time.sleep(options.slice / 2)  # lets the thread pool that was just used fall asleep
        return facts
    finally:
        for r in residents:
            r.end()


def _in_unit(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def run(duel: Duel, options: argparse.Namespace) -> dict[str, Any]:
    """Carry out the duel and return its record: figures, settings, versions, machine."""
    names = list(duel.contenders)
    scores = {name: Score() for name in names}
    facts: dict[str, Any] = {}
    for number in range(options.rounds):
        first = number % len(names)
        facts = _round(duel, names[first:] + names[:first], scores, options)
    reference, _ = scores[duel.reference].rounds()
    figures = {}
    for name, score in scores.items():
        rounds, undisturbed = score.rounds()
        ratio, low, high = compared(rounds, reference) if name != duel.reference else (1.0, 1.0, 1.0)
        figures[name] = {
            "median_seconds": pooled_median(rounds),
            "fastest_seconds": min(map(min, rounds)),
            "ratio": ratio,
            "interval": [low, high],
            "undisturbed": undisturbed,
            "clean_slices": sum(map(len, score.clean)),
            "all_slices": sum(map(len, score.clean)) + sum(map(len, score.disturbed)),
            "malloc_tuned": facts[name]["malloc"],
            "versions": facts[name]["versions"],
            "rounds": rounds,
        }
    return {
        "title": duel.title,
        "ours": duel.ours,
        "reference": duel.reference,
        "bar": options.bar,
        "met": figures[duel.ours]["ratio"] <= options.bar,
        "undisturbed": all(figures[name]["undisturbed"] for name in (duel.ours, duel.reference)),
        "contenders": figures,
        "settings": {key: getattr(options, key) for key in ("threads", "rounds", "turns", "slice", "malloc")},
        "load_watched": machine.ForeignLoad().watching,
        "machine": machine.describe(),
    }


def report(record: Mapping[str, Any]) -> str:
    """The record as a table and a verdict."""
    reference = record["reference"]
    wide = max(map(len, record["contenders"]))
    lines = [
        record["title"],
        f"  {'':{wide}}  {'median':>9} {'fastest':>9}  {'clean':>7}  ÷ {reference}  95 % interval",
    ]
    for name, figures in record["contenders"].items():
        low, high = figures["interval"]
        median, fastest = (_in_unit(figures[key]) for key in ("median_seconds", "fastest_seconds"))
        slices = f"{figures['clean_slices']:3}/{figures['all_slices']:3}"
        lines.append(
            f"  {name:{wide}}  {median:>9} {fastest:>9}  {slices}  {figures['ratio']:{len(reference) + 2}.3f}"
            + ("" if name == reference else f"  {low:.3f} to {high:.3f}")
            + ("" if figures["undisturbed"] else "  (disturbed: fastest third of all slices)")
        )
    for name, figures in record["contenders"].items():
        lines.append(f"  {name}: " + ", ".join(f"{k} {v}" for k, v in figures["versions"].items()))
    ours = record["contenders"][record["ours"]]
    verdict = "met" if record["met"] else "MISSED"
    if not record["undisturbed"]:
        verdict = "no verdict: others used the machine too much, run it again"
    elif ours["interval"][0] <= record["bar"] <= ours["interval"][1]:
        verdict += " (within the noise)"
    lines.append(f"  bar: {record['ours']} ÷ {reference} ≤ {record['bar']:g}: {ours['ratio']:.3f}, {verdict}")
    return "\n".join(lines)


def parser(duel: Duel) -> argparse.ArgumentParser:
    """The options that every duel takes; a script may add its own."""
    p = argparse.ArgumentParser(
        description=duel.title, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    peer = os.environ.get("TT_PEER_PYTHON") or sys.executable
    p.add_argument(
        "--peer-python", metavar="PATH", default=peer, help="interpreter that has the peer (TT_PEER_PYTHON)"
    )
    p.add_argument(
        "--bar", type=float, default=duel.bar, help="exit with 1 when the ratio of medians is above this"
    )
    p.add_argument("--only", metavar="NAME,NAME", help="contenders to take, besides ours and the reference")
    p.add_argument("--threads", type=int, default=2, help="threads for each contender")
    p.add_argument("--rounds", type=int, default=5, help="rounds, each with fresh processes")
    p.add_argument("--turns", type=int, default=9, help="clean slices wanted of each contender in a round")
    p.add_argument("--slice", type=float, default=0.04, help="seconds in a turn")
    p.add_argument(
        "--patience", type=int, default=4, help="give up on clean slices after this many times --turns"
    )
    p.add_argument(
        "--malloc", action=argparse.BooleanOptionalAction, default=True, help="tune glibc's malloc"
    )
    p.add_argument("--quick", action="store_true", help="two short rounds: a look, not a figure")
    p.add_argument("--json", metavar="FILE", help="write the record here (- for stdout, without the table)")
    p.add_argument("--resident", help=argparse.SUPPRESS)
    return p


def main(duel: Duel, options: argparse.Namespace | None = None) -> int:
    """Run a duel from its script: 0 bar met, 1 missed, 2 wrong arguments, 3 no verdict."""
    arguments = parser(duel)
    options = options or arguments.parse_args()
    if options.resident:
        resident.serve(duel.contenders[options.resident].make, malloc=options.malloc)
        return 0
    if options.quick:
        options.rounds, options.turns = 2, 5
    if min(options.rounds, options.turns, options.threads, options.patience) < 1 or options.slice <= 0:
        arguments.error("--rounds, --turns, --threads, --patience and --slice must be positive")
    if options.only is not None:
        keep = {duel.ours, duel.reference, *filter(None, options.only.split(","))}
        if unknown := keep - duel.contenders.keys():
            arguments.error(
                f"--only: no contender {', '.join(sorted(unknown))}; there are {', '.join(duel.contenders)}"
            )
        duel = Duel(**{**vars(duel), "contenders": {k: v for k, v in duel.contenders.items() if k in keep}})
    try:
        record = run(duel, options)
    except NoDuelError as error:
        print(f"no duel: {error}", file=sys.stderr)
        return NO_DUEL
    if options.json == "-":
        print(json.dumps(record, indent=1))
    else:
        print(report(record))
        if options.json:
            Path(options.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    if not record["undisturbed"]:
        return NO_DUEL
    return MET if record["met"] else MISSED
