"""What the model reads at each step: new tokens with a cache, the last ones of a text that is too long."""

import numpy as np
import pytest

from tt_tensor.errors import ArgumentError, ShapeError
from tt_text.generation import generate
from tt_text.generation.decoding import Decoding


def test_with_a_cache_a_token_is_read_once(table_model):
    model = table_model(np.eye(5, dtype=np.float32))
    generate(model, [1, 2, 3], 4, temperature=0)
    assert model.calls == [(1, 3), (1, 1), (1, 1), (1, 1)]


def test_without_a_cache_all_of_the_text_is_read(table_model):
    model = table_model(np.eye(5, dtype=np.float32))
    generate(model, [1, 2, 3], 4, temperature=0, cache=False)
    assert model.calls == [(1, 3), (1, 4), (1, 5), (1, 6)]


def test_past_the_context_the_last_tokens_are_read(table_model):
    model = table_model(np.eye(5, dtype=np.float32), 4)
    generate(model, [1, 2, 3], 4, temperature=0)
    assert model.calls == [(1, 3), (1, 1), (1, 4), (1, 4)]
    model.calls.clear()
    generate(model, [1, 2, 3, 4, 0, 1], 2, temperature=0)
    assert model.calls == [(1, 4), (1, 4)]


def greedy(model, tokens, count):
    """The definition: the whole window each time, for one text alone."""
    tokens = list(tokens)
    for _ in range(count):
        logits = model(np.array([tokens[-model.context :]]))
        tokens.append(int(logits.numpy()[0, -1].argmax()))
    return tokens


@pytest.mark.parametrize("cache", [True, False])
def test_rows_are_what_they_would_be_alone(tiny, cache):
    rng = np.random.default_rng(0)
    prompts = [rng.integers(0, 23, length).tolist() for length in (1, 5, 3, 16, 2, 40, 11)]
    wanted = [greedy(tiny, prompt, 12) for prompt in prompts]
    assert len({tuple(row[-12:]) for row in wanted}) == len(prompts)
    assert generate(tiny, prompts, 12, temperature=0, cache=cache) == wanted
    assert [generate(tiny, one, 12, temperature=0, cache=cache) for one in prompts] == wanted
    # Short ones: there the cache lives.
    assert generate(tiny, [prompts[i] for i in (0, 1, 2)], 11, temperature=0, cache=cache) == [
        row[:-1] for row in wanted[:3]
    ]


def test_rows_that_end_leave_the_others_as_they_were(tiny):
    rng = np.random.default_rng(1)
    prompts = [rng.integers(0, 23, length).tolist() for length in (2, 7, 4, 1, 3)]
    free = [greedy(tiny, prompt, 12) for prompt in prompts]
    ends = [free[0][4], free[2][6]]
    wanted = []
    for prompt, row in zip(prompts, free, strict=True):
        stops = [i for i in range(len(prompt), len(row)) if row[i] in ends]
        wanted.append(row[: stops[0] + 1] if stops else row)
    assert len({len(w) - len(p) for w, p in zip(wanted, prompts, strict=True)}) > 2
    assert generate(tiny, prompts, 12, temperature=0, eos_token_id=ends) == wanted


def test_a_cache_of_the_callers(tiny, append_cache):
    cache = append_cache()
    wanted = generate(tiny, [[1, 2, 3], [4]], 6, temperature=0)
    assert generate(tiny, [[1, 2, 3], [4]], 6, temperature=0, cache=cache) == wanted
    assert cache.length == 8  # the last token was not read
    with pytest.raises(ArgumentError, match="holds 8 tokens"):
        generate(tiny, [1], 2, cache=cache)


@pytest.mark.parametrize("cache", ["yes", 3, b"yes"])
def test_what_is_no_cache(tiny, cache):
    with pytest.raises(ArgumentError, match="cache is True, False, or a cache"):
        generate(tiny, [1], 2, cache=cache)


def test_room_for_tokens_grows(table_model):
    decoding = Decoding(
        "here", table_model(np.eye(3)), np.array([[0, 1], [0, 2]]), np.array([[True, True], [False, True]])
    )
    for n in range(300):
        decoding.append([n % 3, 1])
    assert decoding.tokens[:, 2 : decoding.width].tolist() == [[n % 3 for n in range(300)], [1] * 300]
    assert decoding.mask[:, : decoding.width].sum(1).tolist() == [302, 301]


@pytest.mark.parametrize("shape", [(1, 5), (2, 1, 5), (1, 0, 5), (1, 1, 5, 1)])
def test_logits_of_another_shape(table_model, shape):
    class Model(table_model):
        def forward(self, *arguments, **named):
            return np.zeros(shape, np.float32)

    with pytest.raises(ShapeError, match=r"Model gave logits of shape .* for 1 texts"):
        generate(Model(np.eye(5)), [1], 2)


def test_half_precision(table_model):
    model = table_model(np.eye(5, dtype=np.float16)[:, [4, 0, 1, 2, 3]] * 9)
    assert generate(model, [0], 4, temperature=0) == [0, 1, 2, 3, 4]
    assert generate(model, [0], 4, top_p=0.9, seed=0) == [0, 1, 2, 3, 4]
