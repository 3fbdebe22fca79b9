"""A Graph as text that draws it: DOT for Graphviz, and SVG that needs no program but a browser.

What a node is shows in its outline as well as in its colour: Functions are boxes, leaves with gradient have round ends,
constants a dashed line, outputs a thick one.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from tt_autograd.layers import Layout, layered

if TYPE_CHECKING:
    from tt_autograd.graph import Graph, Node

__all__ = ["dot", "svg"]

FILLS = {"function": "#fdf3d7", "leaf": "#b9d7f2", "constant": "#f1f1f1", "more": "#ffffff"}
WORDS = {"function": "Function", "leaf": "leaf with gradient", "constant": "constant"}
INK, LINE = "#1a1a1a", "#666666"
SIZE, LEADING, ACROSS, DOWN = 13, 17, 14, 9  # of the letters, from line to line, from text to border


def dot(graph: Graph) -> str:
    """The graph in DOT."""
    lines = [
        "digraph {",
        '  graph [rankdir=TB, nodesep=0.3, ranksep=0.4, bgcolor="white"];',
        f'  node [fontname="Helvetica", fontsize={SIZE - 2}, style=filled, shape=box, color="{INK}"];',
        f'  edge [color="{LINE}", arrowsize=0.7];',
    ]
    if graph.hidden:
        lines.append(f"  label={_quoted([graph.note()])}; labelloc=t;")
    for number, node in enumerate(graph.nodes):
        style = {"leaf": "filled,rounded", "constant": "filled,dashed"}.get(node.kind, "filled")
        wide = ", penwidth=2.5" if node.output else ""
        lines.append(
            f'  n{number} [label={_quoted(node.lines)}, style="{style}", fillcolor="{FILLS[node.kind]}"{wide}];'
        )
    lines += [f"  n{edge.source} -> n{edge.target};" for edge in graph.edges]
    return "\n".join([*lines, "}", ""])


def _quoted(lines: Any) -> str:
    """A DOT string; lines are set one below the other."""
    escaped = [_printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'


def _printable(text: str) -> str:
    """`text` in one line, without what XML and DOT do not allow."""
    return re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "�", re.sub(r"[\t\r\n]", " ", text))


def svg(graph: Graph) -> str:
    """The graph as an SVG file."""
    sizes = [_size(node) for node in graph.nodes]
    # From Function to Function goes the spine, which is kept straight; leaves stand beside it.
    pulls = [1.0 if graph.nodes[edge.source].kind == "function" else 0.1 for edge in graph.edges]
    layout = layered(sizes, [(edge.source, edge.target) for edge in graph.edges], pulls)
    legend, legend_width = _legend(graph)
    margin, head = 18.0, 30.0 if graph.hidden else 0.0
    note = graph.note() if graph.hidden else ""
    width = max(layout.width, legend_width, _text_width(note)) + 2 * margin
    height = layout.height + head + LEADING + 26 + 2 * margin
    left, top = (width - layout.width) / 2, margin + head
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" font-family="Helvetica, Arial, sans-serif" font-size="{SIZE}">',
        f"<title>{escape(_printable(graph.note()))}</title>",
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        f'orient="auto"><path d="M0,1 L10,5 L0,9 z" fill="{LINE}"/></marker></defs>',
        f'<rect width="{width:.1f}" height="{height:.1f}" fill="white"/>',
    ]
    if note:
        parts.append(_text(width / 2, margin + SIZE, note))
    parts.append(f'<g transform="translate({left:.1f},{top:.1f})">')
    parts.append(f'<g class="edges" fill="none" stroke="{LINE}" stroke-width="1.2">')
    parts += _edges(graph, layout, sizes)
    parts.append("</g>")
    for node, (x, y), (w, h) in zip(graph.nodes, layout.centres, sizes, strict=True):
        parts += _box(node, x, y, w, h)
    parts.append("</g>")
    parts.append(f'<g transform="translate({margin:.1f},{height - margin - LEADING:.1f})">')
    parts += [*legend, "</g>", "</svg>", ""]
    return "\n".join(parts)


def _size(node: Node) -> tuple[float, float]:
    widest = max(_text_width(line, bold=index == 0) for index, line in enumerate(node.lines))
    return widest + 2 * ACROSS, len(node.lines) * LEADING + 2 * DOWN - 3


def _text_width(text: str, bold: bool = False) -> float:
    """About what the text takes in Helvetica: narrow letters, capitals, the rest (CJK and the like in full)."""
    width = 0.0
    for letter in text:
        if ord(letter) > 0x2E7F:
            width += 1.0
        elif letter in "iljtfrI.,:;|!'()[] ·":
            width += 0.33
        else:
            width += 0.72 if letter.isupper() or letter in "mw=" else 0.57
    return width * SIZE * (1.14 if bold else 1.03)


def _text(x: float, y: float, text: str, bold: bool = False, anchor: str = "middle", fill: str = INK) -> str:
    weight = ' font-weight="bold"' if bold else ""
    style = f'text-anchor="{anchor}" fill="{fill}"{weight}'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(_printable(text))}</text>'


def _box(node: Node, x: float, y: float, w: float, h: float) -> list[str]:
    parts = [f'<g class="node {node.kind}"><title>{escape(_printable(" ".join(node.lines)))}</title>']
    if node.kind != "more":
        parts.append(_outline(node.kind, x - w / 2, y - h / 2, w, h, node.output))
    first = y - (len(node.lines) - 1) * LEADING / 2 + SIZE * 0.36
    for index, line in enumerate(node.lines):
        parts.append(
            _text(x, first + index * LEADING, line, bold=index == 0, fill=INK if index == 0 else "#404040")
        )
    return [*parts, "</g>"]


def _outline(kind: str, x: float, y: float, w: float, h: float, output: bool = False) -> str:
    round_by = h / 2 if kind == "leaf" else 3.0
    dashes = ' stroke-dasharray="5 3"' if kind == "constant" else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{round_by:.1f}" fill="{FILLS[kind]}" '
        f'stroke="{INK}" stroke-width="{2.6 if output else 1.1}"{dashes}/>'
    )


def _edges(graph: Graph, layout: Layout, sizes: list[tuple[float, float]]) -> list[str]:
    """One path for each edge: out of the middle below, around what is in between, in at the top side by side."""
    into: dict[int, list[int]] = {}
    for number, edge in enumerate(graph.edges):
        into.setdefault(edge.target, []).append(number)
    end_x: dict[int, float] = {}
    for target, numbers in into.items():
        x, half = layout.centres[target][0], sizes[target][0] / 2 - ACROSS

        def comes_from(number: int) -> tuple[float, int]:
            way = layout.waypoints[number]
            return (way[-1][0] if way else layout.centres[graph.edges[number].source][0]), number

        step = min(14.0, 2 * half / len(numbers))
        for index, number in enumerate(sorted(numbers, key=comes_from)):
            end_x[number] = x + (index - (len(numbers) - 1) / 2) * step
    parts = []
    for number, edge in enumerate(graph.edges):
        x, y = layout.centres[edge.source]
        points = [(x, y + sizes[edge.source][1] / 2), *layout.waypoints[number]]
        points.append((end_x[number], layout.centres[edge.target][1] - sizes[edge.target][1] / 2))
        path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
        for index, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
            if index % 2:  # straight through the height of a layer
                path += f" L{x1:.1f},{y1:.1f}"
            else:
                middle = (y0 + y1) / 2
                path += f" C{x0:.1f},{middle:.1f} {x1:.1f},{middle:.1f} {x1:.1f},{y1:.1f}"
        title = f"input {edge.index} of {graph.nodes[edge.target].title}"
        parts.append(
            f'<path d="{path}" marker-end="url(#arrow)"><title>{escape(_printable(title))}</title></path>'
        )
    return parts


def _legend(graph: Graph) -> tuple[list[str], float]:
    """What the outlines mean, as far as they occur, and how wide that is."""
    parts, x = [], 0.0
    for kind, word in WORDS.items():
        if any(node.kind == kind for node in graph.nodes):
            parts.append(_outline(kind, x, 3, 26, 14))
            parts.append(_text(x + 33, 15, word, anchor="start", fill="#404040"))
            x += 33 + _text_width(word) + 24
    if any(node.output for node in graph.nodes):
        parts.append(
            f'<rect x="{x:.1f}" y="3" width="26" height="14" rx="3" fill="none" stroke="{INK}" stroke-width="2.6"/>'
        )
        parts.append(_text(x + 33, 15, "output", anchor="start", fill="#404040"))
        x += 33 + _text_width("output")
    return parts, x
