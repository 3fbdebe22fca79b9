"""saved_memory: which operation keeps how many bytes alive until backward.

A rule needs some of what its forward saw, so the graph holds arrays. They are counted by whose memory they are: views
of one array are one memory, and so is an array that two Functions keep.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tt_autograd.history import functions_behind, places_of
from tt_tensor import Function, Tensor

__all__ = ["Keeper", "Memory", "SavedMemory", "saved_memory"]

BOOKKEEPING = frozenset(("_number", "_hooks", "_kept", "needs"))


@dataclass(frozen=True)
class Keeper:
    """Who holds a memory: a Function by its class, its place in the order of all recorded, and the attribute."""

    op: str
    number: int
    attribute: str

    def __str__(self) -> str:
        return f"{self.op}.{self.attribute}"


@dataclass(frozen=True)
class Memory:
    """One piece of memory that the graph keeps alive.

    kind: "saved" (a result that rules need), "constant" (a tensor or array that was an input and has no gradient), or
    "parameter" (a leaf that collects a gradient, which lives on without the graph).
    """

    nbytes: int
    """All of it, also where only a view is held."""
    shape: tuple[int, ...]
    """Of what the first keeper holds."""
    dtype: np.dtype[Any]
    owner_shape: tuple[int, ...]
    """Of the array that owns the bytes."""
    kind: Literal["saved", "constant", "parameter"]
    keepers: tuple[Keeper, ...]
    """All that hold it or a view of it, the oldest first."""


@dataclass(frozen=True)
class SavedMemory:
    """What a graph keeps alive; the largest memory first, parameters after all others. `print` it for a table."""

    memories: tuple[Memory, ...]

    @property
    def total(self) -> int:
        """The bytes that the graph holds beside the parameters: what letting go of it sets free, where nobody else
        holds its constants."""
        return sum(memory.nbytes for memory in self.memories if memory.kind != "parameter")

    @property
    def parameters(self) -> int:
        """The bytes of the leaves that collect a gradient."""
        return sum(memory.nbytes for memory in self.memories if memory.kind == "parameter")

    @property
    def by_op(self) -> dict[str, int]:
        """Bytes by the class of Function, the most first; they add up to `total`.

        What several keep counts for the oldest of them.
        """
        found: dict[str, int] = {}
        for memory in self.memories:
            if memory.kind != "parameter":
                op = memory.keepers[0].op
                found[op] = found.get(op, 0) + memory.nbytes
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    @property
    def shared(self) -> tuple[Memory, ...]:
        """What more than one Function keeps, parameters left out."""
        return tuple(
            memory
            for memory in self.memories
            if memory.kind != "parameter" and len({keeper.number for keeper in memory.keepers}) > 1
        )

    def __str__(self) -> str:
        return "\n".join(_table(self))

    def __repr__(self) -> str:
        return f"SavedMemory({len(self.memories)} memories, total={self.total}, parameters={self.parameters})"


def saved_memory(outputs: Tensor | Iterable[Tensor]) -> SavedMemory:
    """What the graph behind `outputs`, a Tensor or several, keeps alive: bytes of arrays, each memory once.

    A memory counts with all its bytes, also where only a view of it is kept. What Python itself needs for its objects,
    and what hooks hold, is not counted.

    Raises ReleasedGraphError where backward has let go of it, GradientError for a tensor that was not recorded,
    DTypeError for what is no Tensor.
    """
    return _Count().of(functions_behind(places_of(outputs, "saved_memory")))


class _Count:
    """The memories so far, by the id of their owners, which live as long as the graph."""

    def __init__(self) -> None:
        self.owners: dict[int, Any] = {}
        self.held: dict[int, Any] = {}
        self.keepers: dict[int, list[Keeper]] = {}
        self.kinds: dict[int, Literal["saved", "constant", "parameter"]] = {}

    def of(self, functions: list[Function]) -> SavedMemory:
        for function in functions:
            for attribute, x in _held(function):
                self._note(x, Keeper(type(function).__name__, function._number, attribute))
        rank = {"saved": 0, "constant": 0, "parameter": 1}
        memories = [
            Memory(
                owner.nbytes,
                tuple(self.held[key].shape),
                self.held[key].dtype,
                tuple(owner.shape),
                self.kinds[key],
                tuple(self.keepers[key]),
            )
            for key, owner in self.owners.items()
        ]
        return SavedMemory(tuple(sorted(memories, key=lambda memory: (rank[memory.kind], -memory.nbytes))))

    def _note(self, x: Any, keeper: Keeper) -> None:
        owner = _owner(x.array if isinstance(x, Tensor) else x)
        key = id(owner)
        self.owners.setdefault(key, owner)
        self.held.setdefault(key, x)
        self.keepers.setdefault(key, []).append(keeper)
        if getattr(x, "_requires_grad", False):
            self.kinds[key] = "parameter"
        elif keeper.attribute.startswith("inputs") and self.kinds.get(key) != "parameter":
            self.kinds[key] = "constant"
        else:
            self.kinds.setdefault(key, "saved")


def _held(function: Function) -> Iterator[tuple[str, Any]]:
    """The Tensors and arrays that a Function holds, in its attributes and among its inputs, with where."""
    stack: list[tuple[str, Any]] = [
        (f"inputs[{i}]", x) for i, x in enumerate(function.inputs) if not isinstance(x, Function)
    ]
    stack = [(name, value) for name, value in vars(function).items() if name not in BOOKKEEPING] + stack
    stack.reverse()
    seen: set[int] = set()
    while stack:
        name, x = stack.pop()
        if isinstance(x, np.ndarray | Tensor):
            yield name, x
        elif isinstance(x, dict | list | tuple | set | Function):
            if id(x) in seen:
                continue
            seen.add(id(x))
            if isinstance(x, dict):
                stack += [(f"{name}[{key!r}]", value) for key, value in reversed(x.items())]
            elif isinstance(x, Function):  # one Function inside of another: it was never recorded
                stack += [(f"{name}.{key}", value) for key, value in reversed(vars(x).items())]
            else:
                stack += [(f"{name}[{i}]", value) for i, value in reversed(list(enumerate(x)))]


def _owner(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The innermost array whose memory `array` shows."""
    owner, link = array, getattr(array, "base", None)
    while link is not None:
        if isinstance(link, np.ndarray):
            owner = link
        link = getattr(link, "base", None)
    return owner


def _table(report: SavedMemory, most: int = 40) -> list[str]:
    """The report in columns."""
    rows = [("bytes", "kept by", "shape", "dtype", "")]
    kept = [memory for memory in report.memories if memory.kind != "parameter"]
    for memory in kept[:most]:
        rows.append(
            (
                f"{memory.nbytes:,}",
                str(memory.keepers[0]),
                str(memory.shape),
                str(memory.dtype),
                _remarks(memory),
            )
        )
    if len(kept) > most:
        rest = kept[most:]
        rows.append((f"{sum(memory.nbytes for memory in rest):,}", f"… {len(rest)} more", "", "", ""))
    rows.append((f"{report.total:,}", f"total ({_readable(report.total)})", "", "", ""))
    count = len(report.memories) - len(kept)
    rows.append(
        (f"{report.parameters:,}", f"beside it: {count} parameter{'s' if count != 1 else ''}", "", "", "")
    )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{row[0]:>{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:<{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    return [lines[0], rule, *lines[1:-2], rule, *lines[-2:]]


def _remarks(memory: Memory) -> str:
    remarks = ["constant"] if memory.kind == "constant" else []
    if memory.nbytes != math.prod(memory.shape) * memory.dtype.itemsize:
        remarks.append(f"part of {memory.owner_shape}")
    others = list(
        dict.fromkeys(str(keeper) for keeper in memory.keepers if keeper.number != memory.keepers[0].number)
    )
    if others:
        remarks.append(f"also {', '.join(others[:3])}{' …' if len(others) > 3 else ''}")
    return "; ".join(remarks)


def _readable(nbytes: int) -> str:
    size, units = float(nbytes), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.1f} {units[0]}" if units[0] != "B" else f"{nbytes} B"
