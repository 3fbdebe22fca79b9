"""stream: the same as generate, in pieces that are certain; and the model is the caller's between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_nn import Dropout
from tt_tensor.errors import ArgumentError, DTypeError
from tt_text.generation import generate, stream

PIECES = [b"a", b"b", b"ab", b"\xe2", b"\x82", b"\xac", "é".encode(), b" "]


@pytest.fixture(scope="module")
def euros():
    """A model of the pieces above and a tokenizer, in one."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(10, 10)).astype(np.float32)
    table[3, 4] = table[4, 5] = 3  # whole characters often enough

    class Both:
        context, vocab_size = 10**9, 10
        bos_id, eos_id, pad_id = 8, 9, None

        def __call__(self, tokens, last, attention_mask=None):
            return table[tokens][:, -1:]

        def encode(self, text, add_special_tokens=True):
            return [PIECES.index(one.encode()) for one in text]

        def decode_bytes(self, tokens, skip_special_tokens=False):
            return b"".join([(*PIECES, b"", b"")[token] for token in tokens])

    return Both()


@given(
    st.integers(0, 2**32), st.integers(0, 25), st.lists(st.text("abé€ ", min_size=1, max_size=3), max_size=2)
)
def test_pieces_are_what_generate_adds(euros, seed, count, stop):
    options = {"seed": seed, "tokenizer": euros, "stop": stop, "cache": False}
    pieces = list(stream(euros, "ab", count, **options))
    assert "".join(pieces) == generate(euros, "ab", count, **options)[2:]
    assert "" not in pieces
    assert not any(one in "".join(pieces) for one in stop)
    assert list(stream(euros, [0, 1], count, **options)) == generate(euros, [0, 1], count, **options)[2:]


def test_half_a_character_is_held_back(chain, piece_tokenizer):
    tokenizer = piece_tokenizer([b"x", b"\xe2", b"\x82", b"\xac!", b"y"])
    model = chain([0, 1, 2, 3, 4], 7)
    assert list(stream(model, "x", 4, tokenizer=tokenizer, temperature=0)) == ["€!", "y"]
    assert list(stream(model, "x", 2, tokenizer=tokenizer, temperature=0)) == ["\ufffd"]


def test_a_piece_comes_as_soon_as_it_is_certain(chain, piece_tokenizer):
    tokenizer = piece_tokenizer([b"I", b" am", b" not", b" that", b" type"])
    model = chain([0, 1, 2, 3, 4], 7)
    said = []
    for piece in stream(model, "I", 4, tokenizer=tokenizer, temperature=0, stop=[" not this", "typed"]):
        said.append((piece, len(model.calls)))
    # " not" waits for " that", and "t" is what " that" ends with; " type" waits for the end.
    assert said == [(" am", 1), (" not tha", 3), ("t ", 4), ("type", 4)]


def test_tokens_come_one_by_one(chain):
    model = chain([0, 1, 2, 3, 4], 5)
    tokens = stream(model, [0], 4, temperature=0)
    assert model.calls == []
    assert next(tokens) == 1
    assert len(model.calls) == 1
    assert list(tokens) == [2, 3, 4]
    assert list(tokens) == []


def test_without_end(table_model):
    model = table_model(np.roll(np.eye(5, dtype=np.float32), 1, axis=1), 3)
    endless = stream(model, [0], None, temperature=0)
    assert [next(endless) for _ in range(200)] == [(i + 1) % 5 for i in range(200)]
    endless.close()


def test_arguments_are_checked_at_once(chain):
    model = chain([0, 1], 3)
    for options, said in (
        ({"top_k": 0}, "top_k"),
        ({"stop": "a"}, "stop='a'"),
        ({"max_new_tokens": -1}, "-1"),
    ):
        with pytest.raises(ArgumentError, match=f"^stream: .*{said}"):
            stream(model, [0], **options)
    with pytest.raises(ArgumentError, match="one prompt, not 2"):
        stream(model, [[0], [1]])
    with pytest.raises(DTypeError, match="NoneType"):
        stream(model, None)


# --- the model is the caller's -----------------------------------------------------------------------------


@pytest.fixture
def dropping(table_model):
    """A model that says 1 in evaluation and 2 in training, with a part that has a mode of its own."""

    class Dropping(table_model):
        def __init__(self):
            super().__init__(np.eye(3, dtype=np.float32))
            self.drop, self.frozen = Dropout(0.5), Dropout(0.5).eval()
            self.seen = []

        def forward(self, tokens, **options):
            self.seen.append((self.training, self.drop.training, self.frozen.training))
            if len(self.seen) == self.fail_at:
                raise KeyboardInterrupt
            return super().forward(tokens, **options)

        fail_at = None
        modes = property(lambda self: (self.training, self.drop.training, self.frozen.training))

    return Dropping()


def test_it_predicts_in_evaluation_and_is_as_it_was_between_pieces(dropping):
    tokens = stream(dropping, [1], 5)
    assert dropping.modes == (True, True, False)
    for _ in range(2):
        next(tokens)
        assert dropping.modes == (True, True, False)
    dropping.eval()
    next(tokens)
    assert dropping.modes == (False, False, False)
    dropping.train()
    next(tokens)
    assert dropping.modes == (True, True, True)
    tokens.close()
    assert dropping.modes == (True, True, True)
    assert dropping.seen == [(False, False, False)] * 4


def test_two_streams_do_not_know_of_each_other(dropping):
    one, other = stream(dropping, [1], 3), stream(dropping, [1], 6)
    for _ in zip(one, other, strict=False):
        assert dropping.modes == (True, True, False)
    list(other)
    assert dropping.modes == (True, True, False)
    assert set(dropping.seen) == {(False, False, False)}


@pytest.mark.parametrize("way", ["stream", "generate"])
def test_an_interrupt_leaves_it_as_it_was(dropping, way):
    dropping.fail_at = 3
    with pytest.raises(KeyboardInterrupt):
        list(stream(dropping, [1], 5)) if way == "stream" else generate(dropping, [1], 5)
    assert dropping.modes == (True, True, False)
    assert len(generate(dropping, [1], 5)) == 6
    assert dropping.modes == (True, True, False)


def test_a_stream_that_is_left_is_gone(dropping):
    tokens = stream(dropping, [1], 50)
    next(tokens)
    before = len(dropping.seen)
    del tokens
    assert dropping.modes == (True, True, False)
    assert len(dropping.seen) == before
