"""Does the harness tell the truth? Duels whose outcome is known beforehand. Needs nothing but Python.

- Two identical contenders: the interval of the ratio contains 1.
- One contender does the work twice: the interval contains 2, is narrow, and a bar of 1 is missed.
- One contender returns something else: there is no duel.
- A contender fails while it is made: there is no duel, and its error is told.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import duel
from resident import Step

LENGTH = 2000


def once() -> Step:
    numbers = list(range(LENGTH))
    return lambda: sum(n * n for n in numbers)


def twice() -> Step:
    step = once()

    def both() -> int:
        step()
        return step()

    return both


def different() -> Step:
    step = once()
    return lambda: step() + 1


def broken() -> Step:
    raise RuntimeError("made to fail")


CONTENDERS = {
    "once": duel.Contender(once),
    "same": duel.Contender(once),
    "twice": duel.Contender(twice),
    "different": duel.Contender(different),
    "broken": duel.Contender(broken),
}


def against_once(name: str) -> duel.Duel:
    pair = {key: CONTENDERS[key] for key in ("once", name)}
    return duel.Duel(title=f"{name} against once", contenders=pair, ours=name, reference="once", bar=1.0)


def refusal(name: str, options: argparse.Namespace) -> str | None:
    try:
        duel.run(against_once(name), options)
    except duel.NoDuelError as error:
        return str(error)
    return None


def main() -> int:
    whole = replace(against_once("same"), title="selfcheck of the harness", contenders=CONTENDERS)
    options = duel.parser(whole).parse_args()
    if options.resident:
        return duel.main(whole, options)
    passed = True

    def verdict(name: str, good: bool, told: str) -> None:
        nonlocal passed
        passed &= good
        print(f"{'ok  ' if good else 'FAIL'} {name}: {told}", flush=True)

    for name, expected in (("same", 1.0), ("twice", 2.0)):
        record = duel.run(against_once(name), options)
        low, high = record["contenders"][name]["interval"]
        # 1 % of slack: 95 % intervals miss by a little one time in twenty
        good = low * 0.99 <= expected <= high * 1.01 and high - low < 0.5 * expected
        good &= name == "same" or not record["met"]
        verdict(name, good, f"interval {low:.3f} to {high:.3f}, expected {expected}")
    for name, words in (("different", "equal work"), ("broken", "made to fail")):
        told = refusal(name, options) or "it was compared all the same"
        verdict(name, words in told, told.strip().splitlines()[-1])
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
