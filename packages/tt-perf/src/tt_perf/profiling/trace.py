"""Traces: the events on a time line, for Chrome's viewer (Perfetto) and for speedscope.

Formats: "Trace Event Format" (Google), complete events "X"; "speedscope file format" 0.0.1, evented profiles.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_perf.profiling.events import BACKWARD, FORWARD, MODULE, Event
from tt_perf.profiling.nesting import Node
from tt_perf.profiling.rows import name_of, walk, work_of
from tt_perf.writing import write_whole

if TYPE_CHECKING:
    from tt_perf.profiling.profile import Profile

__all__ = ["chrome_trace", "speedscope", "write_json"]


def _label(event: Event) -> str:
    if event.sort == MODULE:
        return type(event.what).__name__
    if event.sort in (FORWARD, BACKWARD):
        return name_of(event.what) + (" backward" if event.sort == BACKWARD else "")
    return str(event.what)


def _category(event: Event) -> str:
    return ("forward", "backward", "module", "span")[event.sort]


def _names(profile: Profile) -> Iterator[tuple[int, str, list[Node]]]:
    """Number, name and events of each thread."""
    for number, (nodes, name) in enumerate(zip(profile.roots.values(), profile.threads, strict=True)):
        yield number, name, nodes


def chrome_trace(profile: Profile) -> dict[str, Any]:
    """Times in microseconds from the start of the block; each event before what is inside of it."""
    process = os.getpid()
    events: list[dict[str, Any]] = []
    for number, name, nodes in _names(profile):
        place = {"pid": process, "tid": number}
        events.append({"name": "thread_name", "ph": "M", **place, "args": {"name": name}})
        for node in walk(nodes):
            event = node.event
            events.append(
                {
                    "name": _label(event),
                    "cat": _category(event),
                    "ph": "X",
                    "ts": (event.started - profile.started) * 1e6,
                    "dur": node.seconds * 1e6,
                    **place,
                    "args": _arguments(event),
                }
            )
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _arguments(event: Event) -> dict[str, Any]:
    if event.sort not in (FORWARD, BACKWARD):
        return {}
    work, moved = work_of(event)
    return {
        "inputs": [None if shape is None else list(shape) for shape in event.inputs[::2]],
        "output": list(event.output),
        "flops": work.forward if event.sort == FORWARD else work.backward,
        "bytes": moved,
    }


def speedscope(profile: Profile) -> dict[str, Any]:
    """Openings and closings of each thread, in seconds from the start of the block."""
    frames: dict[str, int] = {}
    profiles = []
    for _, name, nodes in _names(profile):
        events: list[dict[str, Any]] = []
        stack: list[tuple[Node, bool]] = [(node, False) for node in reversed(nodes)]
        while stack:
            node, over = stack.pop()
            label = _label(node.event)
            at = (node.event.ended if over else node.event.started) - profile.started
            events.append(
                {"type": "C" if over else "O", "frame": frames.setdefault(label, len(frames)), "at": at}
            )
            if not over:
                stack.append((node, True))
                stack += [(child, False) for child in reversed(node.children)]
        profiles.append(
            {
                "type": "evented",
                "name": name,
                "unit": "seconds",
                "startValue": 0,
                "endValue": profile.seconds,
                "events": events,
            }
        )
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": [{"name": label} for label in frames]},
        "profiles": profiles,
        "exporter": "tt_perf",
    }


def write_json(path: str | Path, content: Any) -> None:
    """Write it whole. Raises OSError where that fails."""
    write_whole(path, json.dumps(content))
