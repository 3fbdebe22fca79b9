"""TokenDataset: blocks and, one token later, their targets."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_data import DataLoader
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_text.datasets import TokenDataset, TokenFile, write_tokens


@given(st.integers(2, 40), st.integers(1, 12), st.one_of(st.none(), st.integers(1, 9)))
def test_blocks_are_as_defined(count, block, stride):
    tokens = list(range(100, 100 + count))
    if count < block + 1:
        with pytest.raises(ArgumentError, match=f"{count} tokens are too few"):
            TokenDataset(tokens, block, stride)
        return
    step = block if stride is None else stride
    wanted = []
    start = 0
    while start + block + 1 <= count:
        wanted.append((tokens[start : start + block], tokens[start + 1 : start + block + 1]))
        start += step
    data = TokenDataset(tokens, block, stride)
    assert [(x.tolist(), y.tolist()) for x, y in (data[i] for i in range(len(data)))] == wanted
    x, y = data.__getitems__(list(range(len(data)))[::-1])
    assert x.dtype == y.dtype == np.int64 and x.shape == (len(wanted), block)
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == wanted[::-1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.int64])
def test_tokens_of_any_whole_dtype_are_delivered_as_int64(dtype):
    tokens = np.arange(20, dtype=dtype)
    for given_ in (tokens, Tensor(tokens), tokens[::1].tolist()):
        x, y = TokenDataset(given_, 4)[1]
        assert x.dtype == y.dtype == np.int64 and x.tolist() == [4, 5, 6, 7] and y.tolist() == [5, 6, 7, 8]


def test_a_batch_has_memory_of_its_own():
    tokens = np.arange(20)
    data = TokenDataset(tokens, 4, 1)
    for x, y in (data[3], data.__getitems__([3, 3])):
        before = y.numpy().copy()
        x.array[...] = -1
        np.testing.assert_array_equal(y, before)
    np.testing.assert_array_equal(tokens, np.arange(20))


def test_every_target_comes_once_in_order_through_a_loader():
    data = TokenDataset(np.arange(1001), 8)
    batches = list(DataLoader(data, batch_size=10))
    assert np.concatenate([y.numpy().ravel() for _, y in batches]).tolist() == list(range(1, 1001))
    assert batches[-1][0].shape == (5, 8)


def test_no_block_gives_an_empty_batch():
    x, y = TokenDataset(np.arange(9), 4).__getitems__([])
    assert x.shape == y.shape == (0, 4)


def test_indices_count_from_the_end_too():
    data = TokenDataset(np.arange(9), 4)
    assert data[-1][0].tolist() == data.__getitems__([-1])[0][0].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("index", [2, -3, 0.5, "a", None, [0]])
def test_an_index_out_of_range_is_named(index):
    data = TokenDataset(np.arange(9), 4)
    with pytest.raises(IndexingError, match="no index into 2 blocks"):
        data[index]
    if index in (2, -3, "a"):
        with pytest.raises(IndexingError, match="no index into 2 blocks"):
            data.__getitems__([0, index])


@pytest.mark.parametrize(
    ("tokens", "given_", "error", "words"),
    [
        (np.zeros((2, 9), int), {"block_size": 4}, ShapeError, r"\(2, 9\)"),
        (np.zeros(9), {"block_size": 4}, DTypeError, "float64"),
        ("text", {"block_size": 4}, DTypeError, "TokenDataset"),
        (np.arange(9), {"block_size": 0}, ArgumentError, "block_size"),
        (np.arange(9), {"block_size": True}, ArgumentError, "block_size"),
        (np.arange(9), {"block_size": 4, "stride": 0}, ArgumentError, "stride"),
        (np.arange(9), {"block_size": 4, "stride": 1.5}, ArgumentError, "stride"),
        ([], {"block_size": 1}, ArgumentError, "0 tokens are too few"),
    ],
)
def test_what_does_not_fit_is_refused(tokens, given_, error, words):
    with pytest.raises(error, match=words):
        TokenDataset(tokens, **given_)


def test_it_is_pickled_without_its_blocks():
    data = TokenDataset(np.arange(10_000, dtype=np.uint16), 500, 1)
    packed = pickle.dumps(data)
    assert len(packed) < 2 * data.tokens.nbytes
    again = pickle.loads(packed)
    assert again[7][1].tolist() == data[7][1].tolist() == copy.deepcopy(data)[7][1].tolist()


def test_a_file_is_as_good_as_an_array(tmp_path):
    tokens = np.random.default_rng(0).integers(0, 500, 3000)
    file = write_tokens(tmp_path / "corpus.tokens", [tokens])
    from_file, from_array = TokenDataset(file, 16, 3), TokenDataset(tokens, 16, 3)
    assert len(from_file) == len(from_array)
    for one, other in zip(
        from_file.__getitems__([5, 1, 900]), from_array.__getitems__([5, 1, 900]), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.int64
    packed = pickle.dumps(from_file)
    assert len(packed) < 1000
    np.testing.assert_array_equal(pickle.loads(packed)[9][0], from_array[9][0])
    assert isinstance(from_file.source, TokenFile)
    assert repr(from_file) == "TokenDataset(3,000 tokens: 995 blocks of 16, stride 3)"
