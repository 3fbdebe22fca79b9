"""The corpus: nanoGPT's split, every target once, and a BPE that has not seen what it is judged by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_tinygpt.corpus import CHARACTERS, batches, estimate, shakespeare, whole
from tt_text import BPETokenizer
from tt_text.datasets import TinyShakespeare


@pytest.fixture(scope="module")
def pairs():
    return shakespeare("bpe", 300)


def test_the_split_is_nanogpts(corpus):
    assert (len(corpus.train), len(corpus.val), corpus.vocab_size) == (1_003_854, 111_540, CHARACTERS)
    assert corpus.tokenizer.decode(corpus.val) == TinyShakespeare("val").text
    assert corpus.tokenizer.decode(corpus.train[:100]) == TinyShakespeare("train").text[:100]
    assert corpus.characters == len(corpus.val) - 1
    assert corpus.characters_per_token == 1


def test_byte_pairs_come_from_the_first_part_alone(pairs):
    assert pairs.vocab_size == 300
    assert pairs.tokenizer.merges == BPETokenizer.train(TinyShakespeare("train").text, 300).merges
    assert pairs.tokenizer.decode(pairs.val) == TinyShakespeare("val").text
    first = pairs.tokenizer.decode(pairs.val[:1])
    assert pairs.characters == 111_540 - len(first)
    assert 1.2 < pairs.characters_per_token < 2


@given(n=st.integers(3, 200), block=st.integers(1, 40))
def test_the_whole_split_has_every_target_once(n, block):
    tokens = np.arange(n)
    if n < block + 1:
        return
    seen = []
    for x, y in whole(tokens, block):
        assert x.shape == y.shape
        assert x.shape[1] <= block
        np.testing.assert_array_equal(x.numpy() + 1, y.numpy())
        seen += y.numpy().reshape(-1).tolist()
    assert seen == list(range(1, n))


def test_the_whole_split_of_shakespeare(corpus):
    found = whole(corpus.val, 64)
    assert sum(y.size for _, y in found) == 111_539
    assert found[-1][0].shape == (1, 51)


def test_the_estimate_is_a_part_of_it_and_always_the_same(corpus):
    first, second = (np.concatenate([x.numpy() for x, _ in estimate(corpus.val, 64)]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (240, 64)
    starts = {tuple(row) for row in corpus.val[: 1742 * 64].reshape(-1, 64).tolist()}
    assert all(tuple(row) in starts for row in first.tolist())
    assert len(np.concatenate([x.numpy() for x, _ in estimate(corpus.val[:1000], 64)])) == 15


def test_batches_are_random_blocks_and_the_token_after_each(small, tiny):
    loader = batches(small, tiny, 5)
    one, two, other = (list(made) for made in (loader, batches(small, tiny, 5), batches(small, tiny, 6)))
    assert len(one) == tiny.evaluate_every
    for (x, y), (u, v) in zip(one, two, strict=True):
        assert x.shape == y.shape == (tiny.batch, tiny.block)
        np.testing.assert_array_equal(x.numpy()[:, 1:], y.numpy()[:, :-1])
        np.testing.assert_array_equal(x.numpy(), u.numpy())
        np.testing.assert_array_equal(y.numpy(), v.numpy())
    assert not np.array_equal(one[0][0].numpy(), other[0][0].numpy())
    assert not np.array_equal(one[0][0].numpy(), next(iter(loader))[0].numpy())  # the stream goes on
    text = small.train.tolist()
    row = one[0][0].numpy()[0].tolist()
    assert any(text[at : at + len(row)] == row for at in range(len(text)))


def test_every_block_can_come_the_first_and_the_last(small, tiny):
    corpus = replace(small, train=np.arange(50))
    loader = batches(corpus, tiny, 0)
    starts = np.concatenate([x.numpy()[:, 0] for _ in range(5) for x, _ in loader])
    counts = np.bincount(starts)
    assert len(counts) == 50 - tiny.block
    assert counts.min() > 0
    assert counts.max() < 3 * counts.mean()
