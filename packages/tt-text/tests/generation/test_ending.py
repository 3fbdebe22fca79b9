"""Stops: nothing of one comes out, all before it does, and nothing is held back without need."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_tensor.errors import ArgumentError, DTypeError, IndexingError
from tt_text.generation.ending import Stops, Text, Tokens
from tt_text.tokenizers import ByteTokenizer
from tt_text.tokenizers.metaspace_tokenizer import MetaspaceBPETokenizer
from tt_text.tokenizers.special_tokens import AddedToken

PIECES = [b"a", b"b", b"ab", b"", b"\xc3", b"\xa4", "ä".encode(), b"ba a"]
tokens = st.lists(st.integers(0, 7), max_size=12)
stops_of_tokens = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=3)
stops_of_text = st.lists(st.text("abä ", min_size=1, max_size=4), min_size=1, max_size=3)


def joined(lists):
    return list(chain.from_iterable(lists))


def run(ending, given_tokens):
    """What came out of each push, and at the end; and how many tokens it took."""
    pushed = []
    for count, token in enumerate(given_tokens, 1):
        pushed.append(ending.push(token))
        if ending.ended:
            return pushed, count
    pushed.append(ending.flush())
    return pushed, len(given_tokens)


@given(st.lists(st.integers(0, 3), max_size=12), stops_of_tokens)
def test_stops_of_tokens(said, stops):
    pushed, count = run(Tokens(Stops("here", stops, None, 9), None, [0]), said)
    for n in range(len(said) + 1):
        ends = [len(stop) for stop in stops if said[:n][-len(stop) :] == stop]
        if ends:
            assert (joined(pushed), count) == (said[: n - max(ends)], n)
            return
        # Held back is the longest end that begins a stop, and no more.
        longest = max(k for stop in stops for k in range(len(stop)) if k <= n and said[n - k : n] == stop[:k])
        assert joined(pushed[:n]) == said[: n - longest]
    assert joined(pushed) == said


def first_stop(said, stops):
    """After how many tokens a stop is complete, and where in the bytes it begins; (None, None) if never."""
    for n in range(len(said) + 1):
        data = b"".join(PIECES[token] for token in said[:n])
        places = [data.find(stop.encode()) for stop in stops if stop.encode() in data]
        if places:
            return n, min(places)
    return None, None


@given(tokens, stops_of_text)
def test_stops_of_characters_in_tokens(piece_tokenizer_of_all, said, stops):
    pushed, count = run(Tokens(Stops("here", stops, object(), 9), piece_tokenizer_of_all, [0]), said)
    n, at = first_stop(said, stops)
    if n is None:
        assert joined(pushed) == said
        return
    ends = [len(b"".join(PIECES[token] for token in said[: k + 1])) for k in range(n)]
    assert count == n
    assert joined(pushed) == [token for token, end in zip(said, ends, strict=False) if end <= at]


@given(tokens, stops_of_text)
def test_stops_of_characters_in_text(piece_tokenizer_of_all, said, stops):
    pushed, count = run(Text(Stops("here", stops, object(), 9), piece_tokenizer_of_all, [0]), said)
    n, at = first_stop(said, stops)
    data = b"".join(PIECES[token] for token in said[:n])
    assert "".join(pushed) == data[:at].decode("utf-8", "replace")
    assert count == (len(said) if n is None else n)


@given(tokens)
def test_text_without_stops_comes_as_soon_as_it_is_characters(piece_tokenizer_of_all, said):
    pushed, _ = run(Text(Stops("here", None, None, 9), piece_tokenizer_of_all, [0]), said)
    assert "".join(pushed) == b"".join(PIECES[token] for token in said).decode("utf-8", "replace")
    for n in range(len(said) + 1):
        data = b"".join(PIECES[token] for token in said[:n])
        complete = data[:-1] if data.endswith(b"\xc3") else data
        assert "".join(pushed[:n]) == complete.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def piece_tokenizer_of_all():
    class Decoder:
        def decode_bytes(self, tokens, skip_special_tokens=False):
            return b"".join(PIECES[token] for token in tokens)

    return Decoder()


def test_a_stop_of_tokens_lets_go_of_what_waited_for_characters(piece_tokenizer_of_all):
    stops = Stops("here", ["ba", [3, 3]], object(), 9)
    for kind, wanted in ((Tokens, [[], [1], []]), (Text, ["", "b", ""])):
        ending = kind(stops, piece_tokenizer_of_all, [0])
        assert ending.push(1) == wanted[0]  # b, of "ba" perhaps
        assert ending.push(3) == wanted[0]  # perhaps [3, 3]
        assert ending.push(3) == wanted[1]
        assert ending.ended
        assert ending.flush() == wanted[2]


def test_of_several_stops_that_end_together_the_longest_counts():
    ending = Tokens(Stops("here", [[2], [1, 2]], None, 9), None, [0])
    assert ending.push(1) == []
    assert ending.push(2) == []
    assert ending.ended


def test_a_first_space_is_a_matter_of_the_place(piece_tokenizer):
    tokenizer = piece_tokenizer([b" the", b" cat", b" "], strip=True)
    for prompt, wanted in (([tokenizer.bos_id], "the cat the"), ([0], " the cat the"), ([2], " the cat the")):
        text = Text(Stops("here", None, None, 9), tokenizer, prompt)
        assert [text.push(token) for token in (0, 3, 1, 0)] == [wanted[:-8], "", " cat", " the"]


def metaspace():
    vocab = {"<s>": 0, "▁": 1, "a": 2, "▁a": 3, "b": 4, **{f"<0x{n:02X}>": 5 + n for n in range(256)}}
    return MetaspaceBPETokenizer(vocab, [("▁", "a")], added=[AddedToken("<s>", 0)], bos_token="<s>")


@pytest.mark.parametrize(
    "tokenizer", [ByteTokenizer(special_tokens=["<s>"]), metaspace()], ids=lambda one: one.kind
)
@given(
    st.lists(st.integers(0, 12) | st.integers(190, 240) | st.just(256), min_size=1, max_size=9),
    st.integers(1, 8),
)
def test_pieces_of_our_tokenizers_join_to_what_they_decode(tokenizer, said, cut):
    prompt, new = said[:cut], said[cut:]
    before = tokenizer.decode_bytes(prompt, skip_special_tokens=True)
    wanted = tokenizer.decode_bytes(said, skip_special_tokens=True)[len(before) :]
    pushed, _ = run(Text(Stops("here", None, None, 9), tokenizer, prompt), new)
    assert "".join(pushed) == wanted.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("stop", "strings", "of_tokens"),
    [
        (None, [], []),
        ((), [], []),
        ("ab", [b"ab"], []),
        (["a", "ä"], [b"a", b"\xc3\xa4"], []),
        ([1, 2], [], [[1, 2]]),
        ([[1], (2, 3)], [], [[1], [2, 3]]),
        (["a", [1]], [b"a"], [[1]]),
    ],
    ids=str,
)
def test_forms_of_stops(stop, strings, of_tokens):
    stops = Stops("here", stop, object(), 9)
    assert (stops.strings, stops.tokens) == (strings, of_tokens)
    assert bool(stops) == bool(strings or of_tokens)


@pytest.mark.parametrize(
    ("stop", "error", "said"),
    [
        ("", ArgumentError, "empty stop"),
        (["a", ""], ArgumentError, "empty stop"),
        ([[]], ArgumentError, "empty stop"),
        (b"a", DTypeError, "b'a'"),
        (3, DTypeError, "not 3"),
        ([[1.5]], DTypeError, r"1\.5"),
        ([9], IndexingError, "token 9.*0 to 8"),
        ([[-1]], IndexingError, "token -1.*0 to 8"),
    ],
    ids=str,
)
def test_what_is_no_stop(stop, error, said):
    with pytest.raises(error, match=f"^here: .*{said}"):
        Stops("here", stop, object(), 9)


def test_strings_need_a_tokenizer():
    with pytest.raises(ArgumentError, match=r"^here: stop='a' is text.*pass tokenizer="):
        Stops("here", "a", None, 9)
