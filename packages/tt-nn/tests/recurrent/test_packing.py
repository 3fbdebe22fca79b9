"""Packed sequences: PyTorch's layout, back as they were, and in a layer each as if it were alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn as nn
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

LAYERS = [nn.RNN, nn.LSTM, nn.GRU]


def flat(found):
    return [found] if isinstance(found, Tensor) else [one for part in found for one in flat(part)]


def near(found, wanted):
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), 1e-12, 1e-12)


def test_the_layout_is_pytorchs():
    # torch.nn.utils.rnn.pack_padded_sequence of the same, PyTorch 2.13
    x = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 0.0], [6.0, 0.0, 0.0]])
    packed = nn.pack_padded_sequence(x, [3, 2, 1], batch_first=True)
    assert packed.data.tolist() == [1, 4, 6, 2, 5, 3]
    assert packed.batch_sizes.tolist() == [3, 2, 1]
    assert packed.sorted_indices is packed.unsorted_indices is None
    mixed = nn.pack_padded_sequence(x[[2, 0, 1]], [1, 3, 2], batch_first=True, enforce_sorted=False)
    assert mixed.data.tolist() == [1, 4, 6, 2, 5, 3]
    assert mixed.sorted_indices.tolist() == [1, 2, 0]
    assert mixed.unsorted_indices.tolist() == [2, 0, 1]


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.sampled_from([(), (2,), (2, 0), (1, 3)]),
    st.booleans(),
    st.sampled_from([np.float32, np.int64]),
)
def test_they_come_back_as_they_were(lengths, shape, batch_first, dtype):
    rng = np.random.default_rng(0)
    sequences = [(rng.normal(size=(n, *shape)) * 9).astype(dtype) for n in lengths]
    padded = nn.pad_sequence(sequences, batch_first)
    packed = nn.pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    assert packed.data.shape == (sum(lengths), *shape) and packed.data.dtype == dtype
    again, found = nn.pad_packed_sequence(packed, batch_first)
    np.testing.assert_array_equal(again.numpy(), padded.numpy(), strict=True)
    assert found.tolist() == lengths
    same = nn.pack_sequence(sequences, enforce_sorted=False)
    np.testing.assert_array_equal(same.data.numpy(), packed.data.numpy())
    longer, _ = nn.pad_packed_sequence(packed, True, 7, max(lengths) + 2)
    for n, sequence in enumerate(sequences):
        np.testing.assert_array_equal(longer[n, : len(sequence)].numpy(), sequence)
        assert (longer[n, len(sequence) :].numpy() == 7).all()


def test_padding_on_the_left():
    found = nn.pad_sequence([[1.0, 2.0], [3.0]], True, -1.0, "left")
    assert found.tolist() == [[1, 2], [-1, 3]]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("given_state", [False, True])
def test_each_sequence_is_as_if_it_were_alone(layer, bidirectional, given_state):
    lengths = [2, 5, 1, 4]
    rng = np.random.default_rng(0)
    model = layer(3, 4, num_layers=2, bidirectional=bidirectional).double()
    sequences = [Tensor(rng.normal(size=(n, 3))) for n in lengths]
    shape = (2 * (1 + bidirectional), 4, 4)
    states = [Tensor(rng.normal(size=shape)) for _ in range(2 if layer is nn.LSTM else 1)]

    def given(at=slice(None)):
        if not given_state:
            return None
        found = tuple(state[:, at] for state in states)
        return found if layer is nn.LSTM else found[0]

    output, last = model(nn.pack_sequence(sequences, enforce_sorted=False), given())
    assert isinstance(output, nn.PackedSequence)
    padded, found = nn.pad_packed_sequence(output)
    assert found.tolist() == lengths
    for n, x in enumerate(sequences):
        alone, end = model(x, given(n))
        near(padded[: len(x), n], alone)
        for one, wanted in zip(flat(last), flat(end), strict=True):
            near(one[:, n], wanted)


def test_what_is_refused():
    x = Tensor(np.zeros((4, 2, 3)))
    with pytest.raises(ArgumentError, match="enforce_sorted=False"):
        nn.pack_padded_sequence(x, [2, 4])
    for lengths in ([5, 2], [3, 0]):
        with pytest.raises(ArgumentError, match="from 1 to 4"):
            nn.pack_padded_sequence(x, lengths)
    with pytest.raises(ShapeError, match="for 2 sequences"):
        nn.pack_padded_sequence(x, [4])
    with pytest.raises(DTypeError, match="whole numbers, not float64"):
        nn.pack_padded_sequence(x, [4.0, 2.0])
    with pytest.raises(ShapeError, match="steps, batch"):
        nn.pack_padded_sequence([1.0], [1])
    with pytest.raises(ArgumentError, match="at least one sequence"):
        nn.pad_sequence([])
    with pytest.raises(ShapeError, match="first axis only"):
        nn.pad_sequence([[1.0], [[1.0]]])
    with pytest.raises(ArgumentError, match="'right' or 'left'"):
        nn.pad_sequence([[1.0]], padding_side="both")
    packed = nn.pack_padded_sequence(x, [4, 2])
    with pytest.raises(ArgumentError, match="below the longest sequence, 4"):
        nn.pad_packed_sequence(packed, total_length=3)
    with pytest.raises(ShapeError, match="5 numbers for each step"):
        nn.LSTM(5, 2)(packed)
