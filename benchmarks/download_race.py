"""16 processes, 20 rounds, one cache, a server that answers 503, truncates and lies: one verified file each round.

In each round all processes are let go at once and call `fetch` for the same new file, until they have it; as people
start a program again. While they run, the parent looks at the final name again and again. The bar, for each round:

- every process gets the path of the file, and what it reads there has the right sha256;
- there is never a file of other bytes under the final name, for nobody's eyes;
- in the end there is that one file in the cache: no part, no lock, nothing else;
- once it is there, nobody asks the server any more.

With --kill, processes are killed (SIGKILL) at random moments too, and started again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bad_server import BadServer
from duel import MET, MISSED

SIZE = 1 << 20
MIRRORS = 3
LONGEST = 600.0
"""Seconds that a round may take."""

CLOCK = 0.02
"""Seconds by which the times of the file system may lag behind."""


def child(name: str, sha256: str, size: int, urls: list[str]) -> None:
    """Fetch it, however often that takes, and check what is there."""
    from tt_data.download import RemoteFile, fetch
    from tt_data.download_errors import MissingFileError

    file = RemoteFile(name, sha256, size, tuple(urls))
    print("ready", flush=True)
    sys.stdin.readline()
    tries = 1
    while True:
        try:
            path = fetch(file)
            break
        except MissingFileError:
            tries += 1
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        sys.exit("read another file")
    print(tries, flush=True)


def start(name: str, digest: str, urls: list[str]) -> subprocess.Popen[str]:
    arguments = [sys.executable, __file__, "--child", name, digest, str(SIZE), *urls]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdout.readline()
    process.stdin.write("go\n")
    process.stdin.flush()


def race(number: int, cache: Path, options: argparse.Namespace, chance: random.Random) -> dict[str, Any]:
    """One round. Returns what happened in it."""
    content = random.Random(number).randbytes(SIZE)
    digest = hashlib.sha256(content).hexdigest()
    name = f"round{number}/file.bin"
    target = cache / name
    faults: list[str] = []
    looks = kills = 0
    with BadServer(content, chance.randrange(options.bad + 1), number).running() as server:
        urls = server.urls(MIRRORS)
        processes = [start(name, digest, urls) for _ in range(options.processes)]
        for process in processes:
            let_go(process)
        began = time.monotonic()
        while any(process.poll() is None for process in processes):
            if target.exists():
                looks += 1
                if target.stat().st_size != SIZE or target.read_bytes() != content:
                    faults.append("a wrong file under the final name")
            if options.kill and not target.exists() and chance.random() < 0.2:
                at = chance.randrange(len(processes))
                if processes[at].poll() is None:
                    processes[at].send_signal(signal.SIGKILL)
                    processes[at].communicate()
                    kills += 1
                    processes[at] = start(name, digest, urls)
                    let_go(processes[at])
            if time.monotonic() - began > LONGEST:
                faults.append("did not end")
                for process in processes:
                    process.kill()
            time.sleep(0.02)
        tries = 0
        for process in processes:
            said, _ = process.communicate()
            if process.returncode != 0:
                faults.append(f"a process ended with {process.returncode}")
            else:
                tries += int(said)
        seconds = time.monotonic() - began
        answers, last = Counter(server.answers), server.last
    left = [path.name for path in target.parent.iterdir()]
    if left != [target.name]:
        faults.append(f"in the cache: {', '.join(left) or 'nothing'}")
    if not target.exists() or target.read_bytes() != content:
        faults.append("no right file at the end")
    elif os.name == "posix" and last > target.stat().st_ctime + CLOCK:
        faults.append("the server was asked when the file was there already")
    return {
        "faults": faults,
        "looks": looks,
        "kills": kills,
        "tries": tries,
        "seconds": seconds,
        "answers": answers,
    }


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--processes", type=int, default=16, help="that ask at once (default 16)")
    p.add_argument("--rounds", type=int, default=20, help="each with a new file (default 20)")
    p.add_argument(
        "--bad", type=int, default=30, help="bad answers in a round before the first honest one, at most"
    )
    p.add_argument("--kill", action="store_true", help="kill processes now and then, and start them again")
    p.add_argument("--json", metavar="FILE", help="write the record here")
    p.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.child:
        name, digest, size, *urls = options.child
        child(name, digest, int(size), urls)
        return MET
    rounds = []
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        os.environ |= {"TT_DATA_HOME": folder, "TT_CACHE_HOME": folder, "NO_PROXY": "*"}
        for number in range(options.rounds):
            found = race(number, cache, options, chance)
            rounds.append(found)
            print(
                f"round {number + 1:2}: {found['answers'].total():3} requests, {found['tries']:3} calls of fetch, "
                f"{found['kills']} kills, {found['seconds']:5.1f} s {'; '.join(found['faults'])}",
                flush=True,
            )
    answers: Counter[str] = sum((found["answers"] for found in rounds), Counter())
    faults = [fault for found in rounds for fault in found["faults"]]
    met = not faults
    print(f"answers of the server: {', '.join(f'{count} {way}' for way, count in answers.most_common())}")
    print(
        f"{options.processes} processes × {options.rounds} rounds: {sum(not found['faults'] for found in rounds)} with "
        f"one verified file, {sum(found['looks'] for found in rounds):,} looks at it in between, "
        f"{sum(found['kills'] for found in rounds)} kills, {len(faults)} faults, "
        f"{sum(found['seconds'] for found in rounds):.0f} s: bar {'met' if met else 'MISSED'}"
    )
    if options.json:
        record = {"processes": options.processes, "rounds": options.rounds, "faults": faults, "answers": answers,
                  "met": met}  # fmt: skip
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return MET if met else MISSED


if __name__ == "__main__":
    sys.exit(main())
