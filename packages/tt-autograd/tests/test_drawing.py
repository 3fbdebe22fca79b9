"""DOT and SVG: valid, complete, and whatever a name contains."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_autograd.graph import Edge, Graph, Node, graph

SVG = "{http://www.w3.org/2000/svg}"


PLAIN = st.sampled_from(["w", "MatMul", "layers.0.weight"])


@st.composite
def graphs(draw, text=PLAIN):
    n = draw(st.integers(1, 10))
    nodes = [
        Node(
            draw(st.sampled_from(["function", "leaf", "constant"])),
            draw(text),
            draw(text),
            tuple(draw(st.lists(st.integers(0, 999), max_size=3))),
            "float32",
            draw(st.booleans()),
        )
        for _ in range(n)
    ]
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    found = draw(st.lists(st.sampled_from(pairs), max_size=15)) if pairs else []
    return Graph(tuple(nodes), tuple(Edge(a, b, i) for i, (a, b) in enumerate(found)))


def parsed(g):
    root = ElementTree.fromstring(g.svg())
    assert root.tag == SVG + "svg"
    return root


def written(element):
    return ["".join(text.itertext()) for text in element.iter(SVG + "text")]


@given(graphs())
def test_every_node_and_every_edge_is_in_the_svg(g):
    root = parsed(g)
    boxes = [x for x in root.iter(SVG + "g") if x.get("class", "").startswith("node ")]
    assert [written(x) for x in boxes] == [list(node.lines) for node in g.nodes]
    assert [x.get("class") for x in boxes] == [f"node {node.kind}" for node in g.nodes]
    (lines,) = [x for x in root.iter(SVG + "g") if x.get("class") == "edges"]
    assert len(list(lines)) == len(g.edges)


@given(graphs())
def test_all_of_it_is_within_the_picture(g):
    root = parsed(g)
    assert root.get("viewBox").startswith("0 0 ")
    width, height = map(float, root.get("viewBox").split()[2:])
    left, top = map(float, re.findall(r"translate\(([\d.]+),([\d.]+)\)", g.svg())[0])
    for rect in root.iter(SVG + "rect"):
        x, y = float(rect.get("x", 0)), float(rect.get("y", 0))
        assert x + left >= -0.1 and x + float(rect.get("width")) <= width + 0.1
        assert y + top >= -0.1 and y + float(rect.get("height")) <= height + 0.1


@given(graphs())
def test_edges_begin_below_their_source_and_end_on_top_of_their_target(g):
    root = parsed(g)
    boxes = [x.find(SVG + "rect") for x in root.iter(SVG + "g") if x.get("class", "").startswith("node ")]
    (lines,) = [x for x in root.iter(SVG + "g") if x.get("class") == "edges"]
    for edge, line in zip(g.edges, lines, strict=True):
        numbers = list(map(float, re.findall(r"-?[\d.]+", line.get("d"))))
        source, target = boxes[edge.source], boxes[edge.target]
        assert numbers[1] == pytest.approx(float(source.get("y")) + float(source.get("height")), abs=0.2)
        assert numbers[-1] == pytest.approx(float(target.get("y")), abs=0.2)
        assert numbers[1] < numbers[-1]
        for x, box in ((numbers[0], source), (numbers[-2], target)):
            assert float(box.get("x")) <= x <= float(box.get("x")) + float(box.get("width"))


def test_kinds_differ_without_colour():
    x = tt.tensor([1.0], requires_grad=True)
    root = parsed(graph(x * np.ones(1, np.float32) * 1.0))
    looks = {
        element.get("class").split()[1]: tuple(
            element.find(SVG + "rect").get(name) for name in ("rx", "stroke-dasharray", "stroke-width")
        )
        for element in root.iter(SVG + "g")
        if element.get("class", "").startswith("node ")
    }
    assert len(set(looks.values())) == len(looks) == 3


def test_the_legend_names_what_occurs():
    x = tt.tensor([1.0], requires_grad=True)
    words = written(parsed(graph(x * 2)))
    assert {"Function", "leaf with gradient", "output"} <= set(words)
    assert "constant" not in words


@given(graphs(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))))
def test_any_name_comes_through_in_svg_and_dot(g):
    boxes = [x for x in parsed(g).iter(SVG + "g") if x.get("class", "").startswith("node ")]
    assert [written(x) for x in boxes] == [list(node.lines) for node in g.nodes]
    labels = re.findall(r'^  n\d+ \[label="((?:[^"\\]|\\.)*)"', g.dot(), re.MULTILINE)
    assert [
        re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], label).split("\n")
        for label in labels
    ] == [list(node.lines) for node in g.nodes]


@given(graphs(st.text(st.characters(categories=["Cc", "Cs", "Po", "Lu"]))))
def test_what_no_file_may_contain_is_replaced(g):
    parsed(g)
    assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff]", g.svg() + g.dot())
    g.svg().encode("utf-8")
    assert len(re.findall(r"^  n\d+ \[", g.dot(), re.MULTILINE)) == len(g.nodes)


@given(graphs())
def test_dot_has_every_node_and_edge(g):
    text = g.dot()
    assert text.startswith("digraph {\n") and text.endswith("\n}\n")
    assert [int(n) for n in re.findall(r"^  n(\d+) \[", text, re.MULTILINE)] == list(range(len(g.nodes)))
    assert [(int(a), int(b)) for a, b in re.findall(r"^  n(\d+) -> n(\d+);$", text, re.MULTILINE)] == [
        (edge.source, edge.target) for edge in g.edges
    ]


def test_a_notebook_shows_the_svg():
    x = tt.tensor([1.0], requires_grad=True)
    g = graph(x * 2)
    assert g._repr_svg_() == g.svg()
