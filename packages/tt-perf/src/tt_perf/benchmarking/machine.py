"""The machine in words that make a figure comparable: no host name, no path, nobody's name.

What a system does not tell (/proc and /sys outside of Linux) is left out, never an error.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["describe_machine", "hardware", "machine_differences"]

HARDWARE = ("system", "architecture", "processor", "logical_cpus", "usable_cpus", "memory_gib")
"""What has to be the same for two machines to count as one."""

WHEELS = (
    "tt-tensor",
    "tt-nn",
    "tt-autograd",
    "tt-optim",
    "tt-data",
    "tt-vision",
    "tt-text",
    "tt-perf",
    "numba",
)


def describe_machine() -> dict[str, Any]:
    """Processor, cores, caches, memory, system, governor, Python, NumPy, BLAS with its threads, versions of wheels."""
    import numpy as np

    found: dict[str, Any] = {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "logical_cpus": os.cpu_count() or 1,
        "usable_cpus": _usable(),
        "physical_cores": _physical_cores(),
        "caches": _caches(),
        "memory_gib": _memory_gib(),
        "governor": _line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "blas": _blas(),
        "wheels": dict(_wheels()),
    }
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def hardware(machine: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a description by which machines are told apart."""
    return {name: machine.get(name) for name in HARDWARE}


def machine_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Every fact that differs between two descriptions, with both values."""
    names = [*old, *(name for name in new if name not in old)]
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _usable() -> int:
    """CPUs that this process may run on, which in a container are fewer than there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _physical_cores() -> int | None:
    places = set()
    socket = "0"
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == "physical id":
                    socket = value.strip()
                elif name.strip() == "core id":
                    places.add((socket, value.strip()))
    except OSError:
        return None
    return len(places) or None


def _caches() -> dict[str, str]:
    """Of the first core: {"L1 data": "32K", "L2": "1024K", …}."""
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (_line(index / name) for name in ("level", "type", "size"))
        if level and kind and size:
            found[f"L{level}" + ("" if kind == "Unified" else f" {kind.lower()}")] = size
    return found


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip() or None
    except OSError:
        return None


def _blas() -> list[dict[str, Any]]:
    import threadpoolctl  # type: ignore[import-untyped]

    kept = ("internal_api", "version", "architecture", "num_threads")
    return [
        {name: pool[name] for name in kept if pool.get(name) is not None}
        for pool in threadpoolctl.threadpool_info()
        if pool.get("user_api") == "blas"
    ]


def _wheels() -> Iterator[tuple[str, str]]:
    for wheel in WHEELS:
        try:
            yield wheel, metadata.version(wheel)
        except metadata.PackageNotFoundError:
            continue
