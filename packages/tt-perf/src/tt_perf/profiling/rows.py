"""Rows: events summed up by op, by span and by module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tt_perf.profiling.application import Application
from tt_perf.profiling.events import BACKWARD, FORWARD, MODULE, SPAN, Event
from tt_perf.profiling.flops import Flops, counts, formula_of, traffic
from tt_perf.profiling.nesting import Node

__all__ = ["ModuleRow", "OpRow", "SpanRow", "Sums", "name_of", "summed", "work_of"]


@dataclass
class OpRow:
    """All applications of one kind of Function.

    Seconds are of its own: without the Functions inside of it.
    """

    op: str
    counted: bool = True
    """False where no formula is known: then an element counts as one operation."""
    calls: int = 0
    backward_calls: int = 0
    forward_seconds: float = 0.0
    backward_seconds: float = 0.0
    forward_flops: int = 0
    backward_flops: int = 0
    forward_bytes: int = 0
    backward_bytes: int = 0

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward_seconds + self.backward_seconds

    @property
    def flops(self) -> int:
        """Forward and backward."""
        return self.forward_flops + self.backward_flops

    @property
    def bytes(self) -> int:
        """Read and written, forward and backward: the least that must move."""
        return self.forward_bytes + self.backward_bytes

    @property
    def flops_per_second(self) -> float:
        """Achieved."""
        return self.flops / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Achieved."""
        return self.bytes / self.seconds if self.seconds else 0.0

    @property
    def intensity(self) -> float:
        """FLOPs a byte: where it stands under the roof."""
        return self.flops / self.bytes if self.bytes else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        derived = ("seconds", "flops", "bytes", "flops_per_second", "bytes_per_second", "intensity")
        return {**vars(self), **{name: getattr(self, name) for name in derived}}


@dataclass
class SpanRow:
    """All spans of one name; seconds without the ops inside."""

    name: str
    calls: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        return dict(vars(self))


@dataclass
class ModuleRow:
    """All calls of one module, by its path.

    `forward_seconds` is from call to return, parts included; `op_seconds` is what ops took that it applied itself,
    and `backward_seconds` what their rules took, both with its parts.
    """

    path: str
    kind: str
    calls: int = 0
    forward_seconds: float = 0.0
    op_seconds: float = 0.0
    backward_seconds: float = 0.0
    forward_flops: int = 0
    backward_flops: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        return dict(vars(self))


@dataclass
class Sums:
    """Everything, summed up."""

    ops: list[OpRow] = field(default_factory=list)
    spans: list[SpanRow] = field(default_factory=list)
    modules: list[ModuleRow] = field(default_factory=list)
    threads: dict[str, float] = field(default_factory=dict)
    module_seconds: float = 0.0
    """Python inside of modules, around the ops: in all threads."""


def name_of(kind: Any) -> str:
    """The op of a class of Functions."""
    kind = kind[1] if isinstance(kind, tuple) else kind
    return str(kind.__name__).removesuffix("Function") or str(kind.__name__)


def work_of(event: Event) -> tuple[Flops, int]:
    """FLOPs of a forward or backward event, and its bytes."""
    outer = isinstance(event.what, tuple)
    return _work(
        event.what[1] if outer else event.what,
        event.inputs,
        event.output,
        event.dtype,
        event.facts,
        event.needs,
        event.sort == BACKWARD,
        outer,
    )


@lru_cache(maxsize=4096)
def _work(
    kind: type,
    inputs: tuple[Any, ...],
    output: Any,
    dtype: Any,
    facts: Any,
    needs: Any,
    backward: bool,
    outer: bool,
) -> tuple[Flops, int]:
    formula = formula_of(kind)
    if outer:
        return Flops(0, 0), 0
    application = Application(name_of(kind), inputs[::2], output, needs, facts)
    moved = traffic(formula, application, inputs[1::2], dtype, backward)
    return counts(formula, application), moved


def summed(roots: dict[int, list[Node]], main: int) -> Sums:
    """The rows of the events of all threads."""
    sums = Sums()
    ops: dict[str, OpRow] = {}
    spans: dict[str, SpanRow] = {}
    modules = _Modules(roots)
    number = 0
    for thread, outermost in roots.items():
        number += thread != main
        total = sum(node.seconds for node in outermost)
        sums.threads["main" if thread == main else f"thread {number}"] = total
        for node in walk(outermost):
            event = node.event
            seconds = node.self_seconds
            if event.sort == SPAN:
                row = spans.setdefault(event.what, SpanRow(event.what))
                row.calls += 1
                row.seconds += seconds
            elif event.sort == MODULE:
                sums.module_seconds += seconds
                modules.called(node)
            else:
                _add(ops, event, seconds)
                modules.add(node, seconds)
    sums.ops = sorted(ops.values(), key=lambda row: -row.seconds)
    sums.spans = sorted(spans.values(), key=lambda row: -row.seconds)
    sums.modules = list(modules.rows.values())
    return sums


def _add(ops: dict[str, OpRow], event: Event, seconds: float) -> None:
    name = name_of(event.what)
    row = ops.setdefault(name, OpRow(name))
    work, moved = work_of(event)
    row.counted = row.counted and work.counted
    if event.sort == FORWARD:
        row.calls += 1
        row.forward_seconds += seconds
        row.forward_flops += work.forward
        row.forward_bytes += moved
    else:
        row.backward_calls += 1
        row.backward_seconds += seconds
        row.backward_flops += work.backward
        row.backward_bytes += moved


def walk(nodes: list[Node]) -> Iterator[Node]:
    """All nodes, each before what is inside of it, in the order of their starts."""
    stack = nodes[::-1]
    while stack:
        node = stack.pop()
        yield node
        stack += node.children[::-1]


class _Modules:
    """Rows of modules. A rule belongs to the module whose call applied its Function."""

    def __init__(self, roots: dict[int, list[Node]]) -> None:
        self.rows: dict[tuple[int, str], ModuleRow] = {}
        self._paths = _paths(roots)
        # By Function: a rule may run in another thread, and a Function's id may be another's later.
        self._applied: dict[int, list[tuple[float, tuple[int, ...]]]] = {}
        for outermost in roots.values():
            for node in walk(outermost):
                if node.event.sort == FORWARD:
                    around = tuple(self._around(node))
                    if around:
                        self._applied.setdefault(node.event.key, []).append((node.event.ended, around))

    def _around(self, node: Node) -> Iterator[int]:
        """The modules that a node lies in, the innermost first."""
        while node.parent is not None:
            node = node.parent
            if node.event.sort == MODULE:
                yield id(node.event.what)

    def _row(self, key: int) -> ModuleRow:
        path, kind = self._paths[key]
        return self.rows.setdefault((key, path), ModuleRow(path, kind))

    def called(self, node: Node) -> None:
        row = self._row(id(node.event.what))
        row.calls += 1
        if id(node.event.what) not in self._around(node):
            row.forward_seconds += node.seconds

    def add(self, node: Node, seconds: float) -> None:
        event = node.event
        if event.sort == FORWARD:
            found = list(self._around(node))
        else:
            found = []
            for ended, around in self._applied.get(event.key, ()):
                if ended <= event.started:
                    found = list(around)
        if not found:
            return
        work, _ = work_of(event)
        for key in dict.fromkeys(found):
            row = self._row(key)
            if event.sort == FORWARD:
                row.op_seconds += seconds
                row.forward_flops += work.forward
            else:
                row.backward_seconds += seconds
                row.backward_flops += work.backward


def _paths(roots: dict[int, list[Node]]) -> dict[int, tuple[str, str]]:
    """The id of a module → its path from the outermost module that was called, and its class."""
    found: dict[int, tuple[str, str]] = {}
    for outermost in roots.values():
        for node in walk(outermost):
            if node.event.sort != MODULE:
                continue
            top = node.event.what
            if id(top) in found:
                continue
            kind = type(top).__name__
            for name, module in top.named_modules():
                path = f"{kind}.{name}" if name else kind
                found.setdefault(id(module), (path, type(module).__name__))
    return found
