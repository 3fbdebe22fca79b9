"""The quick ways of merging against the loop that defines it, for any ranks, ties and contradictions among them too."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_text.errors import TokenizerError
from tt_text.tokenizers.merging import LONG, Merges, by_definition, ranked

TOKENS = st.lists(st.integers(0, 3), max_size=40)


@st.composite
def merges(draw):
    """Any pairs of the tokens 0 to 7, any ranks (equal ones, too), any results larger than both."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12, unique=True))
    ranks = {pair: draw(st.integers(0, 8)) for pair in pairs}
    return ranks, {pair: max(pair) + draw(st.integers(1, 3)) for pair in pairs}


@given(tokens=TOKENS, made=merges())
def test_short_and_long_words_by_the_definition(tokens, made):
    expected = by_definition(tokens, *made)
    table = Merges(*made)
    assert table._short(list(tokens)) == expected
    assert table._long(list(tokens)) == expected
    assert table.apply(list(tokens)) == expected


@pytest.mark.parametrize("count", [0, 1, 2, LONG - 1, LONG, LONG + 1])
def test_at_the_border_between_the_two(count):
    table = Merges({(0, 0): 0, (1, 1): 1}, {(0, 0): 1, (1, 1): 2})
    assert table.apply([0] * count) == by_definition([0] * count, table.ranks, table.merged)


def test_the_time_of_a_long_word_grows_as_it_does():
    """A quadratic way would take 64 times as long for 8 times the word. (benchmarks/tokenizer_speed.py has the bar.)"""
    table = Merges({(0, 0): 0, (1, 1): 1, (2, 2): 2}, {(0, 0): 1, (1, 1): 2, (2, 2): 3})

    def seconds(count):
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            table.apply([0] * count)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(80_000) < 20 * seconds(10_000)


def test_merges_of_what_is_not_in_the_vocabulary():
    vocab = {"a": 0, "b": 1, "ab": 2}
    assert ranked(vocab, [("a", "b")], "here")[1].merged == {(0, 1): 2}
    for pair in (("a", "c"), ("c", "a"), ("b", "a")):
        with pytest.raises(TokenizerError, match="here: merge 1 is of"):
            ranked(vocab, [("a", "b"), pair], "here")
    with pytest.raises(TokenizerError, match="merges 0 and 1 are the same"):
        ranked(vocab, [("a", "b"), ("a", "b")], "here")
