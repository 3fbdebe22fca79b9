"""What may not come next: tokens in a row a second time, and an end too early."""

import numpy as np
import pytest

from tt_tensor.errors import ArgumentError, DTypeError
from tt_text.generation import beam_search, generate, stream
from tt_text.generation.forbidden import repeats


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [0, 1, 2, 4, 30])
def test_repeats_by_definition(size, length):
    text = np.random.default_rng(length).integers(0, 3, length)
    runs = {tuple(text[at : at + size].tolist()) for at in range(length - size + 1)}
    end = text[length - size + 1 :].tolist() if size > 1 else []
    wanted = {token for token in range(3) if (*end, token) in runs}
    assert set(repeats(text, size).tolist()) == wanted


def has_repeat(tokens, size):
    runs = [tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)]
    return len(set(runs)) < len(runs)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("settings", [{"temperature": 0}, {"temperature": 3.0, "seed": 1}])
def test_no_run_of_tokens_comes_twice(tiny, size, settings):
    prompts = [[1], [2, 5, 5], [7, 8, 7, 9]]  # padded on the left: padding is no token
    free = generate(tiny, prompts, 40, temperature=0)
    assert any(has_repeat(row, size) for row in free)
    rows = generate(tiny, prompts, 40, no_repeat_ngram_size=size, **settings)
    assert [len(row) for row in rows] == [41, 43, 44]
    assert not any(has_repeat(row, size) for row in rows)
    if "seed" not in settings:
        for prompt, row in zip(prompts, rows, strict=True):
            new = list(stream(tiny, prompt, 40, no_repeat_ngram_size=size, **settings))
            assert prompt + new == row
            helped = generate(tiny, prompt, 12, no_repeat_ngram_size=size, assistant_model=tiny, **settings)
            assert helped == row[: len(helped)] and len(helped) == len(prompt) + 12
    found = beam_search(tiny, prompts, 12, num_beams=3, no_repeat_ngram_size=size)
    for prompt, beams in zip(prompts, found, strict=True):
        assert len(beams) == 3 and not any(has_repeat(prompt + beam.tokens, size) for beam in beams)


def test_no_end_before_there_are_enough_tokens(table_model):
    table = np.zeros((5, 5), np.float32)
    table[:, 3], table[:, 4], table[:, 1] = 9, 8, 7  # two ends, then 1
    model = table_model(table)
    settings = {"eos_token_id": [3, 4], "min_new_tokens": 3}
    assert generate(model, [[0], [0, 0]], 9, temperature=0, **settings) == [
        [0, 1, 1, 1, 3],
        [0, 0, 1, 1, 1, 3],
    ]
    assert list(stream(model, [0], 9, temperature=0, **settings)) == [1, 1, 1, 3]
    assert beam_search(model, [0], 9, num_beams=2, **settings)[0].tokens == [1, 1, 1, 3]
    assert generate(model, [0], 2, temperature=0, **settings) == [0, 1, 1]
    assert generate(model, [0], 2, temperature=0, eos_token_id=(), min_new_tokens=3) == [0, 3, 3]


def test_no_token_is_left(table_model):
    model = table_model(np.zeros((3, 3), np.float32))
    assert sorted(generate(model, [0], 2, temperature=0, no_repeat_ngram_size=1)) == [0, 1, 2]
    for call in (generate, beam_search):
        with pytest.raises(
            ArgumentError, match=r"no_repeat_ngram_size=1 .* leave no token that may come after 2"
        ):
            call(model, [0], 3, no_repeat_ngram_size=1)


def test_values_that_are_none(table_model):
    model = table_model(np.zeros((3, 3), np.float32))
    for name in ("no_repeat_ngram_size", "min_new_tokens"):
        for call in (generate, stream, beam_search):
            with pytest.raises(ArgumentError, match=f"{name} is at least 0, not -1"):
                call(model, [0], 2, **{name: -1})
            with pytest.raises(DTypeError, match=f"{name} is a whole number"):
                call(model, [0], 2, **{name: 1.5})
