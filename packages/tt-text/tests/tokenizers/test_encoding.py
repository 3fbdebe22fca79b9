"""Batches: padding, truncation and the mask, against lists made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_text.errors import TokenizerError
from tt_text.tokenizers import ByteTokenizer

PLAIN = ByteTokenizer(special_tokens=["<p>"], pad_token="<p>")
AROUND = ByteTokenizer(
    special_tokens=["<p>", "<s>", "</s>"], pad_token="<p>", prefix=["<s>"], suffix=["</s>"]
)


@given(
    texts=st.lists(st.text(max_size=12), max_size=5),
    side=st.sampled_from(["left", "right"]),
    cut=st.sampled_from(["left", "right"]),
    longest=st.none() | st.integers(2, 20),
    around=st.booleans(),
)
def test_a_batch_is_its_rows(texts, side, cut, longest, around):
    batch = AROUND.encode_batch(
        texts, padding_side=side, truncation=longest is not None, truncation_side=cut, max_length=longest,
        add_special_tokens=around,
    )  # fmt: skip
    rows = []
    for text in texts:
        row = list(text.encode())
        if longest is not None:
            room = longest - 2 * around
            row = row[:room] if cut == "right" else row[max(0, len(row) - room) :]
        rows.append([257, *row, 258] if around else row)
    width = max(map(len, rows), default=0)
    assert batch.ids.dtype == np.int64 and batch.attention_mask.dtype == bool
    assert batch.ids.shape == batch.attention_mask.shape == (len(texts), width)
    for row, ids, mask in zip(rows, batch.ids.tolist(), batch.attention_mask.tolist(), strict=True):
        gap = width - len(row)
        assert ids == ([256] * gap + row if side == "left" else row + [256] * gap)
        assert mask == (
            [False] * gap + [True] * len(row) if side == "left" else [True] * len(row) + [False] * gap
        )
    assert list(batch) == rows
    assert batch.lengths.tolist() == list(map(len, rows))
    if longest is None:
        assert AROUND.decode_batch(batch, skip_special_tokens=True) == texts
        assert AROUND.decode_batch(batch.ids, skip_special_tokens=True) == texts
        assert (
            AROUND.decode_batch(batch.ids, attention_mask=batch.attention_mask, skip_special_tokens=True)
            == texts
        )


def test_padding_to_a_length():
    batch = PLAIN.encode_batch(["a", "bc"], padding="max_length", max_length=4)
    assert batch.ids.tolist() == [[97, 256, 256, 256], [98, 99, 256, 256]]
    with pytest.raises(TokenizerError, match=r"text 1 has 5 tokens, more than max_length=4; truncation=True"):
        PLAIN.encode_batch(["a", "bcdef"], padding="max_length", max_length=4)
    with pytest.raises(TokenizerError, match="needs max_length"):
        PLAIN.encode_batch(["a"], padding="max_length")


def test_rows_of_one_length_need_no_padding():
    assert PLAIN.encode_batch(["ab", "cd"], padding=False).ids.tolist() == [[97, 98], [99, 100]]
    with pytest.raises(TokenizerError, match="1 to 2 tokens"):
        PLAIN.encode_batch(["ab", "c"], padding=False)


def test_what_to_fill_up_with():
    bare = ByteTokenizer()
    with pytest.raises(TokenizerError, match="no padding token; pass pad_id"):
        bare.encode_batch(["a", "bc"])
    assert bare.encode_batch(["a", "bc"], pad_id=-100).ids.tolist() == [[97, -100], [98, 99]]
    assert bare.encode_batch(["ab", "bc"]).ids.shape == (2, 2)
    ending = ByteTokenizer(special_tokens=["<e>"], eos_token="<e>")
    assert ending.encode_batch(["a", "bc"]).ids.tolist() == [[97, 256], [98, 99]]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"padding": "long"}, "padding is True"),
        ({"padding_side": "top"}, "padding_side"),
        ({"truncation": True}, "truncation=True needs max_length"),
        ({"truncation": True, "max_length": 3, "truncation_side": "up"}, "truncation_side"),
        ({"truncation": True, "max_length": 1}, "no room for the 2 special tokens"),
        ({"truncation": True, "max_length": -1}, "at least 0"),
        ({"truncation": True, "max_length": "4"}, "max_length is an integer"),
        ({"pad_id": 1.5}, "pad_id is an integer"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, match):
    with pytest.raises(TokenizerError, match=match):
        AROUND.encode_batch(["a", "bcdefg"], **options)


def test_one_text_is_no_batch():
    with pytest.raises(TypeError, match="a list of texts"):
        PLAIN.encode_batch("abc")
    with pytest.raises(TypeError, match="sequences"):
        PLAIN.decode_batch("abc")
    with pytest.raises(TokenizerError, match="one shape"):
        PLAIN.decode_batch(np.zeros((2, 3), int), attention_mask=np.ones((3, 2)))
