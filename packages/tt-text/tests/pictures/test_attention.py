"""Attention maps: each head's weights where they belong, with the tokens beside them."""

import numpy as np
import pytest

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_text import scaled_dot_product_attention, watch_attention
from tt_text.pictures import attention_maps


def draw(*shape):
    weights = np.random.default_rng(0).random(shape).astype(np.float32)
    return weights / weights.sum(-1, keepdims=True)


def labels(ticks):
    return [label.get_text() for label in ticks]


def test_what_the_picture_shows():
    weights = draw(5, 3, 4)
    figure = attention_maps(Tensor(weights), ["To", " be", ",", "\n"])
    assert figure.get_suptitle() == "5 heads"
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == 5 and len(figure.axes) == 8  # two rows of four; the last three are empty
    for head, axis in enumerate(shown):
        np.testing.assert_allclose(axis.images[0].get_array(), weights[head])
        assert axis.images[0].get_clim() == (0, pytest.approx(weights[head].max()))
        assert axis.get_title() == f"head {head}: up to {weights[head].max():.2f}"
        assert labels(axis.get_xticklabels()) == ["To", "␣be", ",", "⏎"]
        # The queries are the last ones, and stand beside the first map of a row.
        assert labels(axis.get_yticklabels()) == (["␣be", ",", "⏎"] if head % 4 == 0 else [])
    assert not any(axis.axison for axis in figure.axes[5:])


def test_one_head_other_queries_no_tokens_and_many():
    figure = attention_maps(draw(2, 3), queries=["a", "b"], title="mine")
    (axis,) = figure.axes
    assert labels(axis.get_yticklabels()) == ["a", "b"] and not labels(axis.get_xticklabels())
    assert figure.get_suptitle() == "mine" and attention_maps(draw(2, 3)).get_suptitle() == "1 head"
    many = attention_maps(draw(1, 100, 100), ["x"] * 100).axes[0]
    assert not labels(many.get_xticklabels()) and not labels(many.get_yticklabels())
    longer = attention_maps(draw(1, 4, 2), ["a", "b"]).axes[0]
    assert labels(longer.get_xticklabels()) == ["a", "b"] and not labels(longer.get_yticklabels())


def test_a_head_that_looks_nowhere():
    assert attention_maps(np.zeros((1, 2, 2))).axes[0].get_title() == "head 0: up to 0.00"


def test_what_was_watched_is_drawn():
    q = np.random.default_rng(0).normal(size=(1, 2, 4, 3)).astype(np.float32)
    with watch_attention() as seen:
        scaled_dot_product_attention(q, q, q, is_causal=True)
    shown = attention_maps(seen[0][0]).axes[1].images[0].get_array()
    assert not np.triu(shown, 1).any()
    np.testing.assert_allclose(shown.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: attention_maps(draw(1, 2, 2, 2)), ShapeError, r"not \(1, 2, 2, 2\).*take weights\[0\]"),
        (lambda: attention_maps(draw(2)), ShapeError, r"not \(2,\)"),
        (lambda: attention_maps(np.zeros((2, 0, 3))), ShapeError, r"not \(2, 0, 3\)"),
        (lambda: attention_maps(np.ones((2, 2), int)), DTypeError, "int64"),
        (lambda: attention_maps([[0.5, -0.5]]), ArgumentError, "not scores"),
        (lambda: attention_maps([[0.5, np.nan]]), ArgumentError, "no number"),
        (lambda: attention_maps([[0.5, np.inf]]), ArgumentError, "no number"),
        (lambda: attention_maps(draw(2, 3), ["a"]), ShapeError, "1 tokens for an axis of 3"),
        (lambda: attention_maps(draw(2, 3), queries=["a"]), ShapeError, "1 queries for an axis of 2"),
        (lambda: attention_maps(draw(2, 3), [1, 2, 3]), DTypeError, "decode"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
