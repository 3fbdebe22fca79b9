"""graph: the nodes and edges of what made a tensor, described and let go of."""

import gc
import os
import weakref

import numpy as np
import pytest

import tt_autograd as ta
import tt_tensor as tt
from tt_autograd.checkpointing import checkpoint
from tt_autograd.graph import Graph, graph
from tt_tensor.errors import ArgumentError, DTypeError, GradientError


@pytest.fixture
def mlp():
    """A loss, and what went into it by name."""
    rng = np.random.default_rng(0)
    x, target = tt.tensor(rng.normal(size=(5, 3))), tt.tensor(np.ones((5, 1)))
    weight, bias = (tt.tensor(rng.normal(size=shape), requires_grad=True) for shape in ((3, 1), (1,)))
    error = (x @ weight + bias).tanh() - target
    names = {"weight": weight, "bias": bias, "x": x, "error": error}
    return (error * error).mean() / 2.0, names


def edges(g):
    """Each edge as (source, target, index), by what stands in the nodes."""
    return [(g.nodes[e.source].title, g.nodes[e.target].title, e.index) for e in g.edges]


def test_nodes_and_edges_are_those_of_the_computation(mlp):
    loss, names = mlp
    g = graph(loss, names)
    assert sorted((node.kind, node.title, node.name, node.shape) for node in g.nodes) == sorted(
        [
            ("constant", "x", "", (5, 3)),
            ("leaf", "weight", "", (3, 1)),
            ("function", "MatMul", "", (5, 1)),
            ("leaf", "bias", "", (1,)),
            ("function", "Add", "", (5, 1)),
            ("function", "Tanh", "", (5, 1)),
            ("constant", "constant", "", (5, 1)),
            ("function", "Sub", "error", (5, 1)),
            ("function", "Mul", "", (5, 1)),
            ("function", "Mean", "", ()),
            ("function", "Div(·, 2)", "", ()),
        ]
    )
    assert sorted(edges(g)) == sorted(
        [
            ("x", "MatMul", 0),
            ("weight", "MatMul", 1),
            ("MatMul", "Add", 0),
            ("bias", "Add", 1),
            ("Add", "Tanh", 0),
            ("Tanh", "Sub", 0),
            ("constant", "Sub", 1),
            ("Sub", "Mul", 0),
            ("Sub", "Mul", 1),
            ("Mul", "Mean", 0),
            ("Mean", "Div(·, 2)", 0),
        ]
    )
    assert {node.dtype for node in g.nodes} == {"float64"}
    assert [node.title for node in g.nodes if node.output] == ["Div(·, 2)"]


def test_every_edge_goes_from_an_earlier_node_to_a_later_one(mlp):
    assert all(edge.source < edge.target for edge in graph(mlp[0]).edges)


def test_names_are_taken_from_named_parameters_too(mlp):
    loss, names = mlp
    pairs = ((name, tensor) for name, tensor in names.items())  # as model.named_parameters() gives them
    assert graph(loss, params=pairs) == graph(loss, params=names)
    unnamed = graph(loss)
    assert {node.title for node in unnamed.nodes if node.kind != "function"} == {"leaf", "constant"}


def test_a_tensor_used_often_is_one_node():
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    constant = np.ones(2, np.float32)
    y = x * x + x * constant + x * constant
    g = graph(y)
    assert [node.kind for node in g.nodes].count("leaf") == 1
    assert [node.kind for node in g.nodes].count("constant") == 1
    assert len([edge for edge in g.edges if g.nodes[edge.source].kind == "leaf"]) == 4


def test_several_outputs_are_marked():
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    g = graph([y, y.sum(), x])
    assert {node.title for node in g.nodes if node.output} == {"Exp", "Sum", "leaf"}
    lone = graph(x, {"x": x})
    assert [node.title for node in lone.nodes] == ["x"]
    assert lone.edges == ()


def test_in_place_writes_and_checkpoints_are_nodes():
    x = tt.tensor(np.ones((2, 2)), requires_grad=True)
    y = x * 2
    y[0] = 5.0
    z = checkpoint(lambda a: a.tanh(), y)
    titles = [node.title for node in graph(z).nodes if node.kind == "function"]
    assert titles == ["Mul(·, 2)", "SetItem(·, 5)", "Segment"]


def test_beyond_the_limit_the_newest_are_shown_and_a_note_says_so():
    x = tt.tensor([1.0], requires_grad=True)
    y = x
    for _ in range(30):
        y = y * x
    g = graph(y, limit=11)
    assert [node.kind for node in g.nodes].count("function") == 10
    assert [node.kind for node in g.nodes].count("more") == 1
    assert g.hidden == 20
    assert "10 Functions (the newest of 30)" in repr(g)
    assert "the newest of 30" in g.svg()
    assert "the newest of 30" in g.dot()
    assert graph(y, limit=31).hidden == 0
    assert len([node for node in graph(y, limit=1).nodes if node.kind == "function"]) == 1


def test_a_chain_of_100_000_is_cut_without_recursion():
    x = tt.tensor([1.0], requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    g = graph(y)
    assert (len(g.nodes), g.hidden) == (1001, 99_000)
    assert len(repr(g).splitlines()) == 62
    assert g.svg().count('class="node') == 1001


def test_the_tree_shows_each_node_once():
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    z = tt.tensor([2.0, 3.0])
    assert repr(graph((y * z + y).sum(), {"x": x})) == (
        "Graph: 4 Functions, 1 leaf with gradient, 1 constant\n"
        "Sum  () float32\n"
        "Add  (2,) float32\n"
        "├─ Mul  (2,) float32\n"
        "│  ├─ Exp  (2,) float32  [4]\n"
        "│  │  x  (2,) float32\n"
        "│  └─ constant  (2,) float32\n"
        "└─ Exp  (2,) float32  (see [4])"
    )


def test_the_tree_shows_every_node_of_a_graph_that_fits(mlp):
    loss, names = mlp
    lines = repr(graph(loss, names)).splitlines()[1:]
    g = graph(loss, names)
    for node in g.nodes:
        assert (
            sum(
                line.lstrip("│├└─ ").startswith("  ".join(node.lines)) and "see" not in line for line in lines
            )
            == 1
        )


def test_a_graph_keeps_nothing_alive(mlp):
    gc.collect()
    gc.disable()
    try:
        x = tt.tensor([1.0], requires_grad=True)
        y = x * 2
        alive = weakref.ref(y.grad_fn), weakref.ref(x)
        g = graph(y, {"x": x})
        del x, y
        assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()
    assert len(g.nodes) == 2


def test_what_cannot_be_drawn_is_refused():
    x = tt.tensor([1.0], requires_grad=True)
    y = x * 2
    y.backward()
    with pytest.raises(ta.ReleasedGraphError):
        graph(y)
    with pytest.raises(GradientError, match="graph: nothing was recorded"):
        graph(tt.ones(2))
    with pytest.raises(DTypeError, match="graph: expected"):
        graph(3.0)
    for params in ([x], {"x": 1.0}, [("x",)]):
        with pytest.raises(DTypeError, match="pairs of a name and a Tensor"):
            graph(x * 2, params)
    for limit in (0, -1, 2.5, True):
        with pytest.raises(ArgumentError, match="limit"):
            graph(x * 2, limit=limit)


# --- files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"), [("a.svg", "svg"), ("a.SVG", "svg"), ("a.dot", "dot"), ("a.gv", "dot")]
)
def test_it_is_saved_by_its_ending(mlp, tmp_path, name, kind):
    g = graph(*mlp)
    g.save(tmp_path / name)
    g.save(str(tmp_path / name))  # over the other
    assert (tmp_path / name).read_text(encoding="utf-8") == getattr(g, kind)()
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a.png", "a", "a.svg.txt"])
def test_another_ending_is_refused(mlp, tmp_path, name):
    with pytest.raises(ArgumentError, match=r"graph: a drawing is saved as \.svg, \.dot, \.gv, not as"):
        graph(*mlp).save(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_write_that_fails_leaves_the_old_file(mlp, tmp_path, monkeypatch):
    g = graph(*mlp)
    g.save(tmp_path / "a.svg")
    before = (tmp_path / "a.svg").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        Graph((), ()).save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.svg"]
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError):
        g.save(tmp_path / "missing" / "a.svg")
