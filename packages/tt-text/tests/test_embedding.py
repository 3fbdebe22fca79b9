"""Embedding: rows of a table, gradients that add up in them, padding, and a table shared with a head."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_nn import Linear, Module, load, save
from tt_tensor import Tensor, kernels, manual_seed
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, InPlaceError, ShapeError
from tt_text import functional as F
from tt_text.embedding import Embedding, EmbeddingFunction, embedding
from tt_text.kernels.add_rows import add_rows, add_rows_loops

HERE = Path(__file__).parent / "goldens"
SPECS = json.loads((HERE / "embeddings.json").read_text())


def draw(shape, seed):
    """As in goldens/make_embeddings.py."""
    values = np.random.default_rng(seed).normal(size=tuple(shape))
    return values.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", range(len(SPECS)))
def test_values_and_gradients_are_pytorchs(index, dtype):
    spec = SPECS[index]
    rows, columns = spec["table"]
    layer = Embedding(rows, columns, spec["padding_idx"], dtype=dtype)
    layer.weight.write(draw((rows, columns), 0))
    ids = np.asarray(np.random.default_rng(1).integers(0, spec["below"], spec["ids"]))
    y = layer(ids)
    assert layer.backward(Tensor(draw(y.shape, 2), dtype)) is None
    with np.load(HERE / "embeddings.npz", allow_pickle=False) as golden:
        np.testing.assert_array_equal(y, golden[f"{index} y"])
        tolerance = 1e-14 if dtype == np.float64 else 1e-6
        np.testing.assert_allclose(layer.weight.grad, golden[f"{index} dweight"], tolerance, tolerance)
    assert y.dtype == dtype and layer.weight.grad.dtype == dtype


@given(st.data())
def test_the_sum_of_rows_is_that_of_the_loops(data):
    rows, columns = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 5))
    ids = np.array(data.draw(st.lists(st.integers(0, rows - 1), max_size=30)), np.intp)
    grad = np.random.default_rng(0).normal(size=(len(ids), columns))
    np.testing.assert_allclose(add_rows(grad, ids, rows), add_rows_loops(grad, ids, rows), atol=1e-13)


@pytest.mark.parametrize(("count", "rows", "columns"), [(3000, 40, 100), (3000, 70_000, 90), (5, 70_000, 2)])
def test_the_sum_of_rows_when_large(count, rows, columns):
    rng = np.random.default_rng(0)
    ids = (rng.random(count) ** 3 * rows).astype(np.intp)
    grad = rng.normal(size=(count, columns))
    wanted = np.zeros((rows, columns))
    np.add.at(wanted, ids, grad)
    np.testing.assert_allclose(add_rows(grad, ids, rows), wanted, atol=1e-12)


def test_a_row_that_is_no_number_stays_by_itself():
    grad = np.ones((5, 2), np.float32)
    grad[1], grad[3] = np.nan, np.inf
    table = add_rows(grad, np.array([0, 1, 0, 1, 2]), 4)
    np.testing.assert_array_equal(table, [[2, 2], [np.nan, np.nan], [1, 1], [0, 0]])


def test_half_precision_sums_in_more():
    # 2048 + 1 is 2048 in float16.
    table = add_rows(np.ones((4000, 1), np.float16), np.zeros(4000, np.intp), 2)
    assert table.dtype == np.float16 and table.tolist() == [[4000], [0]]


def test_the_table_of_kernels_is_asked():
    layer = Embedding(4, 2)
    layer([1, 1, 3])
    grad = np.arange(6, dtype=np.float32).reshape(3, 2)
    layer.backward(grad)
    quick, layer.weight.grad = layer.weight.grad, None
    with kernels.use("loops"):
        layer.backward(grad)
    np.testing.assert_array_equal(quick, layer.weight.grad)
    assert quick.tolist() == [[0, 0], [2, 4], [0, 0], [4, 5]]


def test_the_beginning_is_normal_and_padding_is_zero():
    manual_seed(0)
    layer = Embedding(2000, 50, padding_idx=-1)
    weight = layer.weight.numpy()
    assert layer.padding_idx == 1999 and not weight[-1].any() and weight[:-1].all()
    # Five standard errors.
    assert abs(weight[:-1].mean()) < 5 / np.sqrt(1e5) and abs(weight[:-1].std() - 1) < 5 / np.sqrt(2e5)
    assert weight.dtype == np.float32
    manual_seed(0)
    np.testing.assert_array_equal(Embedding(2000, 50, padding_idx=1999).weight, weight)


def test_the_padding_row_is_read_but_not_trained():
    layer = Embedding(3, 2, padding_idx=1)
    layer.weight.write([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert layer([1, 2]).tolist() == [[3, 4], [5, 6]]
    layer.backward(np.ones((2, 2), np.float32))
    assert layer.weight.grad.tolist() == [[0, 0], [0, 0], [1, 1]]


def test_the_composite_reads_the_padding_too():
    weight = Tensor(np.arange(6.0).reshape(3, 2))
    y = EmbeddingFunction(1).composite(Tensor([1, 2]), weight)
    assert y.tolist() == [[2, 3], [4, 5]]


class Tied(Module):
    """Ids to logits, the table at both ends."""

    def __init__(self):
        self.table = Embedding(5, 3)
        self.head = Linear(3, 5, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids):
        return self.head(self.table(ids))

    def backward(self, grad):
        return self.table.backward(self.head.backward(grad))


def test_a_table_shared_with_the_head_gets_the_sum_of_both_gradients():
    net = Tied().double()
    ids = np.array([0, 2, 2, 4])
    grad = np.random.default_rng(0).normal(size=(4, 5))
    net(ids)
    net.backward(grad)
    weight, eps = net.table.weight, 1e-6
    start = weight.numpy().copy()
    for place in np.ndindex(5, 3):
        values = []
        for step in (eps, -eps):
            moved = start.copy()
            moved[place] += step
            values.append(np.sum(moved[ids] @ moved.T * grad))
        wanted = (values[0] - values[1]) / (2 * eps)
        np.testing.assert_allclose(weight.grad[place].item(), wanted, rtol=1e-6, atol=1e-8)


def test_a_shared_table_counts_once_and_is_saved_once(tmp_path):
    net, other = Tied(), Tied()
    assert [name for name, _ in net.named_parameters()] == ["table.weight"]
    assert sum(parameter.size for parameter in net.parameters()) == 15
    assert list(net.state_dict()) == ["table.weight", "head.weight"]
    save(net.state_dict(), tmp_path / "net.safetensors")
    apart = {name: Tensor(value.numpy().copy()) for name, value in net.state_dict().items()}
    save(apart, tmp_path / "apart.safetensors")
    sizes = [(tmp_path / name).stat().st_size for name in ("net.safetensors", "apart.safetensors")]
    assert sizes[0] < sizes[1]
    other.load_state_dict(load(tmp_path / "net.safetensors"))
    assert other.head.weight is other.table.weight
    np.testing.assert_array_equal(other.table.weight, net.table.weight)
    assert net.double().head.weight is net.table.weight


def test_pretrained_weights_are_copied_and_frozen():
    weights = np.arange(6, dtype=np.float32).reshape(3, 2)
    layer = Embedding.from_pretrained(weights)
    assert (layer.num_embeddings, layer.embedding_dim, layer.padding_idx) == (3, 2, None)
    assert layer([2]).tolist() == [[4, 5]] and not layer.weight.requires_grad
    layer.backward(np.ones((1, 2), np.float32))
    assert layer.weight.grad is None
    weights[2] = 0
    assert layer([2]).tolist() == [[4, 5]]
    trained = Embedding.from_pretrained(weights.astype(np.float64), freeze=False, padding_idx=0)
    assert trained.weight.requires_grad and trained.weight.dtype == np.float64 and trained.padding_idx == 0


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_are_read_are_no_longer_than_max_norm(norm_type, dtype):
    table = np.array([[3, 4], [0.3, 0.4], [-6, 8], [0, 0]], dtype)
    layers = [
        Embedding.from_pretrained(table, False, None, 1.0, norm_type),
        Embedding(4, 2, None, 1, norm_type, dtype=dtype),
    ]
    layers[1].weight.write(table)
    before = (np.abs(table[0]) ** norm_type).sum() ** (1 / norm_type)
    for layer in layers:
        version = layer.weight.version
        y = layer([[0, 1], [0, 3]])
        np.testing.assert_allclose(y.array[0, 0], table[0] / before, rtol=1e-5)
        np.testing.assert_array_equal(y.array[:, 1], table[[1, 3]])
        # The table itself is shortened, but what was not read.
        np.testing.assert_array_equal(layer.weight.array[[0, 1, 3]], y.array[[0, 0, 1], [0, 1, 1]])
        np.testing.assert_array_equal(layer.weight.array[2], table[2])
        assert y.dtype == layer.weight.dtype == dtype and layer.weight.version > version
        layer.backward(np.ones((2, 2, 2), dtype))
        np.testing.assert_array_equal(layer.weight.grad, [[2, 2], [1, 1], [0, 0], [1, 1]])
        np.testing.assert_array_equal(layer.infer(np.array([2])), layer([2]).array)
        assert np.abs(layer.weight.array[2]).sum() < 2
    np.testing.assert_allclose(embedding([2], table.copy(), None, 5.0), [[-3, 4]], rtol=1e-5)
    for wrong in (0, -1.0, "1"):
        with pytest.raises(ArgumentError, match="max_norm must be a number above 0"):
            Embedding(4, 2, max_norm=wrong)
    with pytest.raises(IndexingError, match="id 4"):
        layers[0]([4])


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (2, 3), (2, 1, 2, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_ids_of_any_shape_and_whole_dtype(shape, dtype):
    ids = np.asarray(np.random.default_rng(0).integers(0, 4, shape)).astype(dtype)
    weight = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    y = embedding(ids, weight)
    np.testing.assert_array_equal(y, weight[ids])
    assert y.dtype == np.float32
    np.testing.assert_array_equal(embedding(ids, np.asfortranarray(weight)), y)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([[0, 1], [5, 9]], r"id 5 at position \(1, 0\).*table of 5 rows \(ids 0 to 4\)"),
        ([3, -1], r"id -1 at position \(1,\)"),
        (7, "id 7 is out of range"),
        (np.array([2**63], np.uint64), r"id 9223372036854775808 at position \(0,\)"),
    ],
)
def test_an_id_out_of_range_is_named(ids, words):
    with pytest.raises(IndexingError, match=words):
        Embedding(5, 2)(ids)


@pytest.mark.parametrize("ids", [[0.0, 1.0], [True], np.zeros((2, 0), np.float32)])
def test_ids_are_whole_numbers(ids):
    with pytest.raises(DTypeError, match="whole numbers"):
        Embedding(5, 2)(ids)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Embedding(-1, 2), ArgumentError, "num_embeddings"),
        (lambda: Embedding(2, 1.5), ArgumentError, "embedding_dim"),
        (lambda: Embedding(True, 2), ArgumentError, "num_embeddings"),
        (lambda: Embedding(3, 2, padding_idx=3), ArgumentError, "padding_idx=3 is no row of a table of 3"),
        (lambda: Embedding(3, 2, padding_idx="a"), ArgumentError, "padding_idx"),
        (lambda: Embedding(0, 2, padding_idx=0), ArgumentError, "padding_idx"),
        (lambda: Embedding.from_pretrained(np.zeros(3)), ShapeError, r"\(3,\)"),
        (lambda: Embedding.from_pretrained(np.zeros((3, 2), int)), DTypeError, "int64"),
        (lambda: embedding([0], np.zeros(3)), ShapeError, r"\(3,\)"),
        (lambda: embedding([0], 1.0), ShapeError, r"\(\)"),
        (lambda: embedding([0], np.zeros((3, 2)), padding_idx=-4), ArgumentError, "padding_idx=-4"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_ids_that_were_overwritten_have_no_way_back():
    ids = Tensor([0, 1])
    layer = Embedding(2, 2)
    layer(ids)
    ids += 0
    with pytest.raises(InPlaceError, match="clone"):
        layer.backward(np.ones((2, 2), np.float32))


def test_functional_is_the_same():
    weight = np.arange(6.0).reshape(3, 2)
    assert F.embedding([2, 0], weight, padding_idx=0).tolist() == embedding([2, 0], weight).tolist()
    assert F.embedding.__module__ == "tt_text.embedding"


def test_repr():
    assert repr(Embedding(5, 2)) == "Embedding(5, 2)"
    assert repr(Embedding(5, 2, padding_idx=-1)) == "Embedding(5, 2, padding_idx=4)"


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64"])
@pytest.mark.parametrize("transposed", [False, True])
def test_one_row_is_a_copy_whatever_the_integers(dtype, transposed):
    layer = Embedding(4, 3)
    if transposed:
        layer.weight.array = np.asfortranarray(layer.weight.array)
    before = layer.weight.array.copy()
    y = layer.infer(np.array([[2]], dtype))
    np.testing.assert_array_equal(y, before[[[2]]])
    y[...] = 0
    np.testing.assert_array_equal(layer.weight.array, before)
    with pytest.raises(IndexingError, match="id 4"):
        layer.infer(np.array([[4]], dtype))
