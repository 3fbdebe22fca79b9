"""10,000 damaged or forged dataset files and archives: each must be refused, with little memory, and leave nothing.

Every mutant is given to the real classes MNIST and CIFAR10 (with a published set of a few images, so that it is quick)
or, where only the structure can tell, to read_idx. The bar, for each:

- DatasetError (from read_idx also ArchiveError) and nothing else;
- outside the cache nothing is made, changed or removed, also not where the names and links in the archive point to;
- in the cache there is no file under a final name but a member with its right checksum;
- the peak of memory, traced (Python and NumPy) and resident, is within the file's size + 80 MB (an honest xz file may
  ask for 65).

Damage that does no harm (the time in a gzip header, say) is told by what comes out: the very images and labels, and
nothing else in the cache than the very members. It is counted apart, and another mutant drawn.

--control unpacks the forged archives with the standard library and reads what lies there, to show that harm is seen.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import struct
import sys
import tarfile
import tempfile
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

import machine
import numpy as np
from dataset_mutants import DAMAGE, FORGED, IDX, MB, PACK, Damage, entry, tar, zip_entry, zipped
from duel import MET, MISSED

from tt_data import download  # noqa: F401  (imported now, so that its memory is not counted as a mutant's)
from tt_data.archive import Member
from tt_data.download_errors import ArchiveError
from tt_vision.datasets import CIFAR10, MNIST, DatasetError, ImageDataset, read_idx
from tt_vision.datasets.files import Published

ALLOWED = 80 * MB
Files = dict[str, bytes]


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def small(kind: type[ImageDataset], files: Files) -> Any:
    """The class, with these files as what was published."""
    members = tuple(
        Member(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()
    )
    was: Published = kind.published  # type: ignore[attr-defined]
    published = Published(was.title, members, was.folders, was.archives, ())
    return type(kind.__name__, (kind,), {"published": published})


def mnist_files() -> Files:
    chance = np.random.default_rng(0)
    names = [member.name for member in MNIST.published.members]
    shapes: list[tuple[int, ...]] = [(20, 28, 28), (20,), (5, 28, 28), (5,)]
    return {
        name: idx(chance.integers(0, 10, shape, np.uint8)) for name, shape in zip(names, shapes, strict=True)
    }


def cifar_files() -> Files:
    chance = np.random.default_rng(1)
    # Labels and pixels up to 9, so that a file shrinks when it is packed, as real ones do.
    return {
        member.name: chance.integers(0, 10, 2 * 3073, np.uint8).tobytes()
        for member in CIFAR10.published.members
    }


def reset_peak() -> int | None:
    """Resident bytes now, with the system's peak set back to it; None where that is not offered."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return None
    return machine.resident_bytes()


def peak_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def snapshot(folder: Path, but: Path) -> dict[str, tuple[int, ...]]:
    """What is in a folder, and when it changed; without `but`."""
    found = {}
    for path in folder.rglob("*"):
        if path != but and but not in path.parents:
            status = path.lstat()
            found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino)
    return found


class Trial:
    """A box with the mutant, the cache and what may not be touched; counts and peaks by kind of mutation."""

    def __init__(self, box: Path, control: bool) -> None:
        self.box, self.control = box, control
        for name in ("outside", "root", "work", "tmp"):
            (box / name).mkdir()
        (box / "outside" / "victim").write_bytes(b"not to be touched")
        self.cache, self.root = box / "cache", box / "root"
        os.environ["TT_DATA_HOME"] = str(box / "nothing")
        os.environ["TT_CACHE_HOME"] = str(self.cache)
        os.environ["TMPDIR"] = str(box / "tmp")
        os.chdir(box / "work")
        self.files = {"mnist": mnist_files(), "cifar": cifar_files()}
        self.kinds = {
            "mnist": small(MNIST, self.files["mnist"]),
            "cifar": small(CIFAR10, self.files["cifar"]),
        }
        self.members = {
            f"{self.kinds[name].published.folders[0]}/{path.rpartition('/')[2]}": content
            for name, files in self.files.items()
            for path, content in files.items()
        }
        self.right = {name: self._right(name) for name in self.kinds}
        self.refused: Counter[str] = Counter()
        self.harmless: Counter[str] = Counter()
        self.traced: Counter[str] = Counter()
        self.resident: Counter[str] = Counter()
        self.misses: list[str] = []
        self.watched = reset_peak() is not None

    def _right(self, name: str) -> list[np.ndarray]:
        folder = self.box / "whole"
        folder.mkdir(exist_ok=True)
        for path, content in self.files[name].items():
            (folder / path.rpartition("/")[2]).write_bytes(content)
        whole = self.kinds[name](folder)
        shutil.rmtree(folder)
        return [whole.data, whole.targets]

    def judge(self, kind: str, name: str, mutant: bytes, where: str) -> bool:
        """Load the mutant, at root/`where`. False if it did no harm, so that it does not count."""
        shutil.rmtree(self.cache, ignore_errors=True)
        path = self.root / where
        path.write_bytes(mutant)
        if name == "idx":
            load = lambda: read_idx(path)  # noqa: E731
        elif where.startswith("archive"):
            load = lambda: self.kinds[name](path)  # noqa: E731
        else:
            load = lambda: self.kinds[name](self.root, download=False)  # noqa: E731
        if self.control:
            load = lambda: unpacked(path, self.cache, self.kinds[name])  # noqa: E731
        before = snapshot(self.box, self.cache)
        found, error = self._measured(kind, load, len(mutant))
        harm = self._harm(before)
        path.unlink()
        typed = (DatasetError, ArchiveError) if name == "idx" else (DatasetError,)
        if harm:
            self.misses.append(f"{kind}: {harm}")
        elif type(error) in typed:
            self.refused[kind] += 1
        elif error is not None:
            self.misses.append(f"{kind}: {error!r}")
        elif isinstance(found, ImageDataset) and self._is_right(name, found):
            self.harmless[kind] += 1
            return False
        else:
            self.misses.append(f"{kind}: accepted")
        return True

    def _measured(self, kind: str, load: Any, size: int) -> tuple[Any, BaseException | None]:
        resident = reset_peak()
        tracemalloc.reset_peak()
        start = tracemalloc.get_traced_memory()[0]
        found: Any = None
        error: BaseException | None = None
        try:
            found = load()
        except Exception as raised:
            error = raised
        self.traced[kind] = max(self.traced[kind], tracemalloc.get_traced_memory()[1] - start - size)
        if resident is not None:
            self.resident[kind] = max(self.resident[kind], peak_bytes() - resident - size)
        return found, error

    def _harm(self, before: dict[str, tuple[int, ...]]) -> str:
        after = snapshot(self.box, self.cache)
        if after != before:
            changed = [path for path in {*before, *after} if before.get(path) != after.get(path)]
            for path in changed:
                with contextlib.suppress(OSError):
                    if path not in before:
                        os.remove(path)
            return f"outside the cache: {', '.join(changed)}"
        for path in self.cache.rglob("*"):
            name = path.relative_to(self.cache).as_posix()
            good = path.is_file() and not path.is_symlink() and path.read_bytes() == self.members.get(name)
            if not good and not path.is_dir():
                return f"in the cache, unverified: {name}"
        return ""

    def _is_right(self, name: str, found: ImageDataset) -> bool:
        return all(
            np.array_equal(one, other)
            for one, other in zip(self.right[name], (found.data, found.targets), strict=True)
        )


def unpacked(path: Path, cache: Path, kind: Any) -> Any:
    """As a loader without care does it."""
    cache.mkdir()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(cache)
    else:
        with tarfile.open(path) as opened:
            opened.extractall(cache, filter="fully_trusted")
    return kind(cache, download=False)


def draw(chance: random.Random, trial: Trial, number: int, control: bool) -> tuple[str, str, bytes, str]:
    """A mutant: its kind, the dataset, its bytes, and where to put it."""
    name = chance.choice(("cifar", "mnist"))
    if control or number % 10 < 5:
        # Without care, writing to a FIFO that an archive has made would not end.
        kinds = [kind for kind in FORGED if not (control and kind == "tar_device")]
        kind = kinds[number // 10 % len(kinds)]
        return kind, name, FORGED[kind](chance, trial.files[name], trial.box / "outside"), "archive"
    form = chance.choice(("file", "packed file", "idx alone", "tar", "tar.gz", "tar.xz", "tar.bz2", "zip"))
    if form == "idx alone":
        content = chance.choice(list(trial.files["mnist"].values()))
        how, packing = chance.choice(list(IDX)), chance.choice(("", "", "gz", "xz"))
        return f"{form}: {how}", "idx", PACK[packing](damaged(chance, IDX[how], content, content)), "file"
    files = trial.files[name]
    if form in ("file", "packed file"):
        (path, content), *rest = list(files.items())  # `path` is of the training set
        for other, right in rest:
            (trial.root / other.rpartition("/")[2]).write_bytes(right)
        packing = chance.choice(("gz", "xz", "bz2")) if form == "packed file" else ""
        ways = DAMAGE | IDX if name == "mnist" and not packing else DAMAGE
        how = chance.choice(list(ways))
        mutant = damaged(chance, ways[how], PACK[packing](content), PACK[packing](rest[0][1]))
        return f"{form}: {how}", name, mutant, path.rpartition("/")[2] + (f".{packing}" if packing else "")
    wholes = []
    for order in (files, dict(reversed(list(files.items())))):
        if form == "zip":
            wholes.append(zipped([zip_entry(*item) for item in order.items()]))
        else:
            wholes.append(PACK[form[4:]](tar(chance, [entry(*item) for item in order.items()])))
    how = chance.choice(list(DAMAGE))
    return f"{form}: {how}", name, damaged(chance, DAMAGE[how], *wholes), "archive"


def damaged(chance: random.Random, way: Damage, whole: bytes, other: bytes) -> bytes:
    """Another file than `whole`; chance may hit it again."""
    while (mutant := way(chance, whole, other)) == whole:
        pass
    return mutant


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--count", type=int, default=10_000, help="mutants (default 10000)")
    p.add_argument("--seed", type=int, default=0, help="of the mutations (default 0)")
    p.add_argument("--control", action="store_true", help="unpack forged archives without care")
    p.add_argument("--json", metavar="FILE", help="write the record here")
    options = p.parse_args()
    if options.count < 1:
        p.error("--count must be positive")
    if options.json:
        options.json = Path(options.json).absolute()
    start = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        home = Path.cwd()
        trial = Trial(Path(folder).resolve(), options.control)
        chance = random.Random(options.seed)
        tracemalloc.start()
        for number in range(options.count):
            while True:
                kind, name, mutant, where = draw(chance, trial, number, options.control)
                counts = trial.judge(kind, name, mutant, where)
                for path in trial.root.iterdir():
                    path.unlink()
                if counts:
                    break
        tracemalloc.stop()
        os.chdir(home)
    return report(options, trial, perf_counter() - start)


def report(options: argparse.Namespace, trial: Trial, seconds: float) -> int:
    print(f"{'kind':30}{'refused':>9}{'harmless':>10}   peak beyond the file's size, MB: traced, resident")
    for kind in sorted(trial.traced):
        resident = f"{trial.resident[kind] / MB:9.2f}" if trial.watched else "        ?"
        traced = trial.traced[kind] / MB
        print(f"{kind:30}{trial.refused[kind]:9,}{trial.harmless[kind]:10,}{traced:12.2f}{resident}")
    peak = max(*trial.traced.values(), *trial.resident.values())
    refused = trial.refused.total()
    for miss in trial.misses[:20]:
        print("MISS", miss)
    met = not trial.misses and refused == options.count and peak <= ALLOWED
    print(
        f"refused {refused:,} of {options.count:,} ({trial.harmless.total():,} more did no harm and were drawn again), "
        f"{len(trial.misses):,} misses; highest peak {peak / MB:.1f} MB beyond the file's size (bar {ALLOWED // MB}); "
        f"{seconds:.0f} s: bar {'met' if met else 'MISSED'}"
    )
    if options.json:
        record = {"count": options.count, "refused": refused, "harmless": trial.harmless.total(), "peak": peak,
                  "misses": trial.misses[:100], "met": met, "machine": machine.describe()}  # fmt: skip
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return MET if met else MISSED


if __name__ == "__main__":
    sys.exit(main())
