"""Prompts: every form that they may have, and what is refused."""

import numpy as np
import pytest

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_text.generation.prompts import Prompts


@pytest.fixture
def tokenizer(piece_tokenizer):
    return piece_tokenizer([b"a", b"b", b"ab"])  # BOS 3, EOS 4


@pytest.mark.parametrize(
    ("prompt", "rows", "form"),
    [
        ([1, 2], [[1, 2]], "single"),
        ((1, 2), [[1, 2]], "single"),
        (range(3), [[0, 1, 2]], "single"),
        ([np.int64(1)], [[1]], "single"),
        ([[1, 2], [3]], [[1, 2], [3]], "many"),
        ([(1,), np.array([2, 3])], [[1], [2, 3]], "many"),
        (np.array([1, 2]), [[1, 2]], "single array"),
        (np.array([[1, 2], [3, 4]], np.uint8), [[1, 2], [3, 4]], "many array"),
        (Tensor(np.array([[1], [3]])), [[1], [3]], "many array"),
        (np.zeros((0, 3), int), [], "many array"),
        ("ab", [[3, 2]], "single text"),
        (["a", "bb"], [[3, 0], [3, 1, 1]], "many text"),
        ("", [[3]], "single text"),
        ([], [[3]], "single"),
        ([[1], []], [[1], [3]], "many"),
    ],
    ids=str,
)
def test_forms(tokenizer, prompt, rows, form):
    prompts = Prompts("here", prompt, tokenizer, 5)
    assert prompts.rows == rows
    assert prompts.single == ("single" in form)
    assert prompts.array == ("array" in form)
    assert prompts.text == ("text" in form)


def test_shorter_rows_are_filled_up_at_the_left():
    tokens, mask = Prompts("here", [[1, 2, 3], [4]], None, 5).arrays()
    assert tokens.dtype == np.int64
    assert tokens.tolist() == [[1, 2, 3], [0, 0, 4]]
    assert mask.tolist() == [[True, True, True], [False, False, True]]
    assert Prompts("here", [[1, 2], [3, 4]], None, 5).arrays()[1] is None


@pytest.mark.parametrize(
    ("prompt", "error", "said"),
    [
        ([], ArgumentError, "no tokens"),
        ([[1], []], ArgumentError, "no tokens"),
        (np.zeros((2, 0), int), ArgumentError, "no tokens"),
        ("ab", ArgumentError, "pass tokenizer=.*'ab'"),
        ([1, 5], IndexingError, "token 5,.*0 to 4"),
        ([[1], [-1]], IndexingError, "token -1,.*0 to 4"),
        (np.array([1.0]), DTypeError, "whole numbers"),
        ([1, 2.5], DTypeError, r"2\.5"),
        ([True], DTypeError, "True"),
        ([[1], [[2]]], DTypeError, r"\[\[2\]\]"),
        ([[1, [2]]], DTypeError, "whole numbers"),
        (["a", [1]], DTypeError, "'a'"),
        ([[2**70]], DTypeError, "whole numbers"),
        (None, DTypeError, "NoneType"),
        (7, DTypeError, "int"),
        (b"ab", DTypeError, "bytes"),
        (np.zeros((1, 1, 1), int), ShapeError, r"\(1, 1, 1\)"),
        (np.array(3), ShapeError, r"\(\)"),
    ],
    ids=str,
)
def test_what_is_no_prompt(prompt, error, said):
    with pytest.raises(error, match=f"^here: .*{said}"):
        Prompts("here", prompt, None, 5)


def test_a_tokenizer_of_another_model_is_suspected(tokenizer):
    with pytest.raises(IndexingError, match=r"token 3.*0 to 1; is it this model's tokenizer"):
        Prompts("here", "ab", tokenizer, 2)
