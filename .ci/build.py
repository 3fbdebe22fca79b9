"""Build every member into dist/ and look at what came out. ``--twice`` compares two builds of one commit."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    print("+", *command, flush=True)
    subprocess.run([str(part) for part in command], cwd=cwd, check=True)


def members() -> dict[str, Path]:
    """Distribution name → its folder."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = sorted(
        p.parent
        for pattern in table["tool"]["uv"]["workspace"]["members"]
        for p in ROOT.glob(f"{pattern}/pyproject.toml")
    )
    names = [
        tomllib.loads((f / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"] for f in folders
    ]
    return dict(zip(names, folders, strict=True))


def build(out: Path, source: Path = ROOT) -> None:
    """An sdist and, from that sdist, a wheel of every member."""
    run("uv", "build", "--quiet", "--all-packages", "--out-dir", out, cwd=source)


def built(name: str) -> tuple[Path, Path]:
    """The wheel and the sdist of one member."""
    stem = name.replace("-", "_")
    (wheel,) = DIST.glob(f"{stem}-*.whl")
    (sdist,) = DIST.glob(f"{stem}-*.tar.gz")
    return wheel, sdist


def inspect(name: str, folder: Path) -> None:
    """Wheel: all that is in src, the licence, the type marker. Sdist: licence, README and tests too."""
    wheel, sdist = built(name)
    package = name.replace("-", "_")
    config = folder / "pyproject.toml"
    run("check-wheel-contents", "--config", config, "--package", folder / "src" / package, wheel)
    with zipfile.ZipFile(wheel) as archive:
        inside = archive.namelist()
    with tarfile.open(sdist) as archive:
        packed = {member.partition("/")[2] for member in archive.getnames()}
    lacking = [f for f in (f"{package}/__init__.py", f"{package}/py.typed") if f not in inside]
    lacking += [] if any(f.endswith(".dist-info/licenses/LICENSE") for f in inside) else ["LICENSE"]
    lacking += [f"{f} (sdist)" for f in ("LICENSE", "README.md", "pyproject.toml") if f not in packed]
    lacking += [] if any(f.startswith("tests/test_") for f in packed) else ["tests (sdist)"]
    if lacking:
        sys.exit(f"{name}: the build lacks {', '.join(lacking)}")
    sizes = f"wheel {wheel.stat().st_size:,} bytes, sdist {sdist.stat().st_size:,} bytes"
    print(f"{name}: {len(inside)} files, {sizes}")


def siblings() -> None:
    """Write the constraints that make every wheel's siblings come from dist/, never from an index.

    The environment variable TT_NUMPY (such as ``2.0.*``) asks for one NumPy.
    """
    lines = [f"{name} @ {built(name)[0].as_uri()}" for name in members()]
    if wanted := os.environ.get("TT_NUMPY"):
        lines.append(f"numpy=={wanted}")
    (DIST / "siblings.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def digests(folder: Path) -> dict[str, str]:
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.iterdir())
        if p.name != ".gitignore"
    }


def twice() -> None:
    """Clone HEAD into two folders of different names, build in each, compare every byte."""
    found = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as top:
        for where in ("first", "a-second-and-longer-name"):
            source = Path(top) / where
            run("git", "clone", "--quiet", "--no-hardlinks", ROOT, source)
            build(source / "dist", source)
            found.append(digests(source / "dist"))
    first, second = found
    for name in sorted(first.keys() | second.keys()):
        same = first.get(name) == second.get(name)
        print("same     " if same else "DIFFERENT", first.get(name, "absent")[:16], name)
    if first != second or not first:
        sys.exit("two builds of one commit differ")
    print(f"{len(first)} files, byte-identical")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twice", action="store_true", help="build HEAD twice and compare the bytes")
    if parser.parse_args().twice:
        return twice()
    shutil.rmtree(DIST, ignore_errors=True)
    if os.environ.get("UV_CACHE_DIR"):  # a cache of tox's own: a rebuilt wheel has its old name and version
        run("uv", "cache", "clean", "--quiet", *members())
    build(DIST)
    siblings()
    run("twine", "check", "--strict", *(path for name in members() for path in built(name)))
    for name, folder in members().items():
        inspect(name, folder)
    return None


if __name__ == "__main__":
    main()
