"""Beam search: transformers' results, exhaustive search, greedy search."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from tt_tensor.errors import ArgumentError, DTypeError
from tt_text.generation import beam_search, generate

GOLDENS = Path(__file__).parent / "goldens"


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def log_probability(table, before, tokens):
    log_p = log_softmax(table)
    return sum(log_p[a, b] for a, b in itertools.pairwise([before, *tokens]))


@pytest.mark.parametrize("num_beams", [2, 3])
def test_transformers_beams(table_model, num_beams):
    cases = json.loads((GOLDENS / "generation.json").read_text())["beams"]
    cases = [case for case in cases if case["setting"]["num_beams"] == num_beams]
    assert len(cases) == 144
    with np.load(GOLDENS / "generation.npz", allow_pickle=False) as file:
        tables = file["tables"]
    tied = 0
    for case in cases:
        table, setting = tables[case["table"]], case["setting"]
        found = beam_search(table_model(table), [1], eos_token_id=case["eos"], **setting)
        np.testing.assert_allclose([one.score for one in found], case["scores"], atol=3e-5)
        for one, theirs in zip(found, case["tokens"], strict=True):
            if one.tokens != theirs:  # only where both are equally likely
                tied += 1
                assert abs(log_probability(table, 1, theirs) - one.log_probability) < 1e-9
    assert tied < 30


@pytest.mark.parametrize("eos", [(), 2, (2, 4)])
@pytest.mark.parametrize("penalty", [0.0, 1.0, -0.5])
def test_a_score_is_the_log_probability_by_length(table_model, eos, penalty):
    table = np.random.default_rng(4).normal(size=(6, 6)).astype(np.float32)
    found = beam_search(table_model(table), [1], 5, num_beams=4, eos_token_id=eos, length_penalty=penalty)
    assert len(found) == 4
    for one in found:
        assert one.log_probability == pytest.approx(log_probability(table, 1, one.tokens), abs=1e-12)
        assert one.score == pytest.approx(one.log_probability / len(one.tokens) ** penalty, abs=1e-12)
        assert len(one.tokens) == 5 or one.tokens[-1] in np.atleast_1d(eos)
        assert not any(token in np.atleast_1d(eos) for token in one.tokens[:-1])
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert len({tuple(one.tokens) for one in found}) == 4


@pytest.mark.parametrize("seed", range(4))
def test_with_enough_beams_it_finds_the_best_of_all(table_model, seed):
    v, length, end = 4, 4, 3
    table = np.random.default_rng(seed).normal(0, 2, (v, v)).astype(np.float32)
    every = []
    for n in range(1, length + 1):
        for tokens in itertools.product(range(v), repeat=n):
            if end not in tokens[:-1] and (tokens[-1] == end or n == length):
                every.append((log_probability(table, 0, tokens), list(tokens)))
    every.sort(reverse=True)
    found = beam_search(
        table_model(table),
        [0],
        length,
        num_beams=v**length,
        length_penalty=0.0,
        early_stopping="never",
        eos_token_id=end,
    )
    # All of them, in order; of equally likely ones (the same steps in another order) any may be first.
    np.testing.assert_allclose([one.score for one in found], [p for p, _ in every])
    assert sorted(one.tokens for one in found) == sorted(tokens for _, tokens in every)
    # Where the likeliest first step leads nowhere, greedy search is worse.
    greedy = beam_search(table_model(table), [0], length, num_beams=1, length_penalty=0.0, eos_token_id=end)
    assert greedy[0].score <= found[0].score


@pytest.mark.parametrize("cache", [True, False])
def test_one_beam_is_greedy(tiny, cache):
    for prompt in ([1], [5, 3, 8, 2], list(range(20))):
        (found,) = beam_search(tiny, prompt, 14, num_beams=1, cache=cache)
        assert prompt + found.tokens == generate(tiny, prompt, 14, temperature=0)


def test_a_cache_follows_the_beams(tiny):
    for prompt, length in (([1], 9), ([5, 3, 8, 2], 12), ([7, 7], 20)):
        found = [beam_search(tiny, prompt, length, num_beams=3, cache=cache) for cache in (True, False)]
        assert [one.tokens for one in found[0]] == [one.tokens for one in found[1]]
        np.testing.assert_allclose(*[[one.score for one in beams] for beams in found], rtol=1e-9)
        for one in found[0][:1]:
            tokens = np.array([prompt + one.tokens])[:, :16]
            if len(prompt) + length <= 16:
                log_p = log_softmax(tiny(tokens).numpy())[0, len(prompt) - 1 : -1]
                picked = log_p[np.arange(length), one.tokens].sum()
                assert one.log_probability == pytest.approx(picked, rel=1e-9)


def test_fewer_tokens_than_beams(table_model):
    found = beam_search(table_model(np.zeros((2, 2), np.float32)), [0], 1, num_beams=5)
    assert sorted(one.tokens for one in found) == [[0], [1]]
    masked = np.full((3, 3), -np.inf, np.float32)
    masked[:, 1] = 0
    assert [one.tokens for one in beam_search(table_model(masked), [0], 3, num_beams=4)] == [[1, 1, 1]]


def test_text_and_batches(chain, piece_tokenizer):
    tokenizer = piece_tokenizer([b"To", b" be", b" or", b" not"])  # BOS 4, EOS 5
    model = chain([0, 1, 2, 3, 5], 6)
    best = beam_search(model, "To", 9, num_beams=2, tokenizer=tokenizer)[0]
    assert (best.text, best.tokens) == (" be or not", [1, 2, 3, 5])
    both = beam_search(model, ["To", "To be"], 9, num_beams=2, tokenizer=tokenizer)
    assert [beams[0].text for beams in both] == [" be or not", " or not"]
    rows = beam_search(model, [[0], [0, 1]], 9, num_beams=2, eos_token_id=5)
    assert [beams[0].tokens for beams in rows] == [[1, 2, 3, 5], [2, 3, 5]]
    assert rows[0][0].text is None


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"num_beams": 0}, ArgumentError, "num_beams is at least 1, not 0"),
        ({"num_beams": 1.0}, DTypeError, r"num_beams.*1\.0"),
        ({"max_new_tokens": 0}, ArgumentError, "max_new_tokens is at least 1, not 0"),
        ({"length_penalty": 99}, ArgumentError, "length_penalty.*99"),
        ({"early_stopping": "maybe"}, ArgumentError, "early_stopping.*'maybe'"),
        ({"cache": b"yes"}, ArgumentError, "cache is True or False"),
    ],
    ids=str,
)
def test_arguments_out_of_range(chain, options, error, said):
    with pytest.raises(error, match=f"^beam_search: {said}"):
        beam_search(chain([0, 1], 3), [0], **options)


def test_logits_without_a_token(table_model):
    with pytest.raises(ArgumentError, match="no token to draw: 9 NaN"):
        beam_search(table_model(np.full((9, 9), np.nan, np.float32)), [0])


def test_the_model_is_as_it_was(tiny):
    tiny.train()
    beam_search(tiny, [1, 2], 3)
    assert all(module.training for module in tiny.modules())
