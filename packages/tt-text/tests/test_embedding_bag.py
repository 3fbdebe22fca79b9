"""EmbeddingBag: its definition in loops, PyTorch's defaults, wrong calls."""

import numpy as np
import pytest

from tt_nn import Module
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_text import Embedding, EmbeddingBag
from tt_text import functional as F

REDUCE = {"sum": np.sum, "mean": np.mean, "max": np.max}


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 2, -1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_definition(mode, padding, dtype):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(5, 3)).astype(dtype)
    ids = rng.integers(0, 5, 12)
    offsets = np.array([0, 3, 3, 4, 10])
    wanted = np.zeros((5, 3))
    skipped = None if padding is None else padding % 5
    for bag, (a, b) in enumerate(zip(offsets, [*offsets[1:], 12], strict=True)):
        rows = [table[one] for one in ids[a:b] if one != skipped]
        if rows:
            wanted[bag] = REDUCE[mode](rows, axis=0)
    y = F.embedding_bag(ids, table, offsets, mode=mode, padding_idx=padding)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, wanted, rtol=1e-5)
    layer = EmbeddingBag.from_pretrained(
        table, padding_idx=padding, mode=mode, include_last_offset=True, freeze=False
    )
    np.testing.assert_array_equal(layer(ids, [*offsets, 12]), y)
    np.testing.assert_array_equal(layer(ids[:4].reshape(1, 4), None), layer(ids[:4], [0, 4]))
    assert layer(np.zeros((0, 4), int)).shape == layer(np.zeros(0, int), [0]).shape == (0, 3)
    assert not layer(np.zeros((2, 0), int)).array.any() and layer.weight.requires_grad


def test_weights_of_samples_and_max_norm():
    table = np.array([[3.0, 4], [0.3, 0.4]], np.float32)
    y = F.embedding_bag([[0, 1], [1, 1]], table, mode="sum", per_sample_weights=[[1, 2], [0.5, -0.5]])
    np.testing.assert_allclose(y, [[3.6, 4.8], [0, 0]], rtol=1e-6)
    layer = EmbeddingBag.from_pretrained(table, max_norm=1.0)
    np.testing.assert_allclose(layer([[0, 0]]), [[0.6, 0.8]], rtol=1e-5)
    np.testing.assert_allclose(layer.weight, [[0.6, 0.8], [0.3, 0.4]], rtol=1e-5)


def test_it_begins_as_an_embedding_and_is_none():
    layer = EmbeddingBag(6, 4, padding_idx=-1)
    assert layer.mode == "mean" and layer.padding_idx == 5 and not layer.weight.array[5].any()
    assert isinstance(layer, Module) and not isinstance(
        layer, Embedding
    )  # quantize() knows what Embeddings give
    assert list(layer.state_dict()) == ["weight"] and "mode='mean'" in repr(layer)


@pytest.mark.parametrize(
    ("error", "words", "call"),
    [
        (ArgumentError, "mode is one of", {"mode": "median"}),
        (ArgumentError, "needs offsets", {"offsets": None}),
        (ArgumentError, "has a bag in each row, and no offsets", {"input": [[0]]}),
        (ArgumentError, "begin with 0 and grow to at most 3", {"offsets": [1, 2]}),
        (ArgumentError, "begin with 0 and grow to at most 3", {"offsets": [0, 2, 1]}),
        (ArgumentError, "begin with 0 and grow to at most 3", {"offsets": [0, 4]}),
        (
            ArgumentError,
            "begin with 0 and grow to at most 3",
            {"offsets": [0, 2], "include_last_offset": True},
        ),
        (ShapeError, r"offsets are \(B,\)", {"offsets": [[0]]}),
        (DTypeError, "offsets are whole numbers", {"offsets": [0.0]}),
        (ArgumentError, "per_sample_weights are for mode='sum'", {"per_sample_weights": [1.0, 1.0, 1.0]}),
        (ArgumentError, "of the shape of input", {"per_sample_weights": [1.0], "mode": "sum"}),
        (ArgumentError, "padding_idx=2 is no row", {"padding_idx": 2}),
        (IndexingError, "id 2", {"input": [0, 1, 2]}),
        (ShapeError, "an input of shape", {"input": 1}),
    ],
)
def test_wrong_calls_say_what_is_wrong(error, words, call):
    arguments = {
        "input": [0, 1, 1],
        "weight": Tensor(np.zeros((2, 3), np.float32)),
        "offsets": [0, 1],
        **call,
    }
    with pytest.raises(error, match=words):
        F.embedding_bag(**arguments)
