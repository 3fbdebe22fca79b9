"""graph: what made a tensor, as nodes and edges to look at: as text, as DOT, as SVG.

    graph(loss, params=model.named_parameters()).save("loss.svg")

A Graph only describes: it keeps none of the tensors alive. Inputs point to the Functions that use them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tt_autograd.history import functions_behind, places_of
from tt_tensor import Function, Tensor
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["Edge", "Graph", "Node", "graph"]


@dataclass(frozen=True)
class Node:
    """One node: a Function, a leaf that collects a gradient, a constant, or "more": Functions that are left out."""

    kind: Literal["function", "leaf", "constant", "more"]
    title: str
    """A Function's class with the plain numbers that it was applied to, "Mul(·, 2)"; the name of a leaf."""
    name: str = ""
    """What `params` calls the output of a Function."""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    output: bool = False
    """Whether it is one of those that were asked about."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What is written into the node."""
        if self.kind == "more":
            return (self.title,)
        first = f"{self.title}  = {self.name}" if self.name else self.title
        return first, f"{self.shape} {self.dtype}"


@dataclass(frozen=True)
class Edge:
    """From node `source` to its user, node `target`, as that one's input number `index`."""

    source: int
    target: int
    index: int


@dataclass(frozen=True)
class Graph:
    """What made some tensors. `nodes` are in order, each after its inputs; `edges` name them by their place there."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    hidden: int = 0
    """How many Functions are left out, the oldest: those behind the "more" nodes."""

    def dot(self) -> str:
        """The graph in Graphviz' language DOT."""
        from tt_autograd.drawing import dot

        return dot(self)

    def svg(self) -> str:
        """A drawing, inputs at the top and outputs at the bottom, as the text of an SVG file."""
        from tt_autograd.drawing import svg

        return svg(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, ".svg" or ".dot" (or ".gv"). The file is complete or not there at all.

        Raises ArgumentError for another ending, OSError where the file cannot be written.
        """
        from pathlib import Path

        from tt_tensor.files import whole_file

        target = Path(path)
        kinds = {".svg": self.svg, ".dot": self.dot, ".gv": self.dot}
        write = kinds.get(target.suffix.lower())
        if write is None:
            raise ArgumentError(
                f"graph: a drawing is saved as {', '.join(kinds)}, not as {target.suffix or 'a file without ending'!r} "
                f"({target.name})"
            )
        contents = write().encode()
        with whole_file(target) as file:
            file.write(contents)

    def note(self) -> str:
        """What the graph consists of, in a line."""
        counts = Counter(node.kind for node in self.nodes)
        functions = f"{counts['function']:,} Function{'s' * (counts['function'] != 1)}"
        if self.hidden:
            functions += f" (the newest of {counts['function'] + self.hidden:,})"
        leaves = f"{counts['leaf']:,} {'leaf' if counts['leaf'] == 1 else 'leaves'} with gradient"
        constants = f"{counts['constant']:,} constant{'s' * (counts['constant'] != 1)}"
        return f"{functions}, {leaves}, {constants}"

    def __repr__(self) -> str:
        return f"Graph: {self.note()}\n" + "\n".join(_tree(self))

    def _repr_svg_(self) -> str:
        return self.svg()


def graph(
    outputs: Tensor | Iterable[Tensor],
    params: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None,
    *,
    limit: int = 1000,
) -> Graph:
    """What made `outputs`, a Tensor or several, as a Graph to print, to save, or to show in a notebook.

    Args:
        outputs: recorded results.
        params: names for tensors in it, as `model.named_parameters()` gives them, or a dict: leaves, constants, or
            results on the way.
        limit: how many nodes to show at most; beyond, the newest are shown, and where older ones come in stands "…".

    Raises ReleasedGraphError where backward has let go of the graph, GradientError for a tensor that was not recorded,
    DTypeError for what is no Tensor.
    """
    limit = whole_number("graph", "limit", limit, 1)
    places = places_of(outputs, "graph")
    functions = functions_behind(places)
    return _Drawn(places, _names(params)).of(functions, limit)


def _names(params: Any) -> dict[int, str]:
    pairs = params.items() if isinstance(params, Mapping) else (() if params is None else params)
    names: dict[int, str] = {}
    for pair in pairs:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[1], Tensor)):
            raise DTypeError(
                "graph: params holds pairs of a name and a Tensor, as model.named_parameters() gives them, not "
                f"{type(pair).__name__}"
            )
        name, tensor = pair
        names.setdefault(id(tensor if tensor._node is None else tensor._node), str(name))
    return names


class _Drawn:
    """The nodes so far, each once."""

    def __init__(self, places: list[Any], names: dict[int, str]) -> None:
        self.outputs, self.names = {id(x) for x in places}, names
        self.leaves = [x for x in places if not isinstance(x, Function)]
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.place: dict[int, int] = {}

    def of(self, functions: list[Function], limit: int) -> Graph:
        shown = _newest(functions, limit)
        kept = {id(function) for function in shown}
        for leaf in self.leaves:
            self._of_input(leaf, kept)
        for function in shown:
            sources = [(index, self._of_input(x, kept)) for index, x in enumerate(function.inputs)]
            target = self._add(function, self._described(function))
            self.edges += [Edge(source, target, index) for index, source in sources if source is not None]
        return Graph(tuple(self.nodes), tuple(self.edges), len(functions) - len(shown))

    def _add(self, x: Any, node: Node) -> int:
        found = self.place.get(id(x))
        if found is None:
            found = self.place[id(x)] = len(self.nodes)
            self.nodes.append(node)
        return found

    def _of_input(self, x: Any, kept: set[int]) -> int | None:
        if isinstance(x, Function):
            return self.place[id(x)] if id(x) in kept else self._add(x, Node("more", "…"))
        if not isinstance(x, Tensor | np.ndarray):
            return None
        kind: Literal["leaf", "constant"] = "leaf" if getattr(x, "_requires_grad", False) else "constant"
        name = self.names.get(id(x), kind)
        return self._add(x, Node(kind, name, "", tuple(x.shape), str(x.dtype), id(x) in self.outputs))

    def _described(self, function: Function) -> Node:
        title = type(function).__name__
        given = [x for x in function.inputs if x is not None]
        if any(isinstance(x, int | float) for x in given):
            title += f"({', '.join(f'{x:g}' if isinstance(x, int | float) else '·' for x in given)})"
        name = self.names.get(id(function), "")
        dtype = str(function.output_dtype)
        return Node(
            "function", title, name, tuple(function.output_shape), dtype, id(function) in self.outputs
        )


def _newest(functions: list[Function], limit: int) -> list[Function]:
    """The newest Functions that make, with their leaves and constants, at most `limit` nodes; one at least."""
    seen: set[int] = set()
    count = 0
    for function in reversed(functions):
        new = {id(x) for x in function.inputs if isinstance(x, Tensor | np.ndarray)} - seen
        if count and len(seen) + len(new) + count + 1 > limit:
            break
        seen |= new
        count += 1
    return functions[len(functions) - count :]


MOST = 60
"""Lines of a text tree."""


def _tree(graph: Graph) -> list[str]:
    """The graph as lines of text: each output, below it its inputs, theirs, and so on, each node once.

    A single input stands straight below its user, several are branches.
    """
    inputs: list[list[int]] = [[] for _ in graph.nodes]
    for edge in graph.edges:
        inputs[edge.target].append(edge.source)
    uses = Counter(edge.source for edge in graph.edges)
    stack = [(v, "", "") for v, node in enumerate(graph.nodes) if not uses[v] or node.output][::-1]
    lines: list[str] = []
    number: dict[int, int] = {}
    while stack:
        v, first, rest = stack.pop()
        told = first + "  ".join(graph.nodes[v].lines)
        if len(lines) >= MOST:
            lines.append(f"… ({len(graph.nodes) - len(number)} more nodes)")
            break
        if lines and not rest and graph.nodes[v].output:
            lines.append("")
        if v in number:
            lines.append(f"{told}  (see [{number[v]}])")
            continue
        number[v] = len(number) + 1
        lines.append(f"{told}  [{number[v]}]" if uses[v] > 1 else told)
        if len(inputs[v]) == 1:
            stack.append((inputs[v][0], rest, rest))
            continue
        branches = ["├─ "] * (len(inputs[v]) - 1) + ["└─ "]
        for child, branch in reversed(list(zip(inputs[v], branches, strict=False))):
            stack.append((child, rest + branch, rest + ("│  " if branch == "├─ " else "   ")))
    return lines
