"""Filters and draws: transformers' results, definitions in plain loops, frequencies."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tt_tensor.errors import ArgumentError, DTypeError
from tt_text.generation import (
    Sampler,
    apply_temperature,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalise_frequency,
    penalise_repetition,
)

GOLDENS = Path(__file__).parent / "goldens"
SETTINGS = json.loads((GOLDENS / "generation.json").read_text())["settings"]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def logits(shape):
    """Multiples of 1/8, many of them equal, some -inf, and in each row something that is not."""
    numbers = st.one_of(st.integers(-40, 40).map(lambda i: i / 8), st.just(-np.inf))
    return arrays(np.float32, shape, elements=numbers, fill=st.nothing()).map(with_one)


def with_one(x):
    x = x.copy()
    x[np.isneginf(x).all(-1), 0] = 1
    return x


shapes = st.tuples(st.integers(1, 4), st.integers(1, 12))
# Thresholds that are no sum of probabilities of small integers' ratios by chance.
settings = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0.3, 1.0, 1.7, 1e-8]),
        "top_k": st.integers(1, 14),
        "top_p": st.sampled_from([0.0, 0.237, 0.661, 0.917]),
        "min_p": st.sampled_from([0.031, 0.413, 1.0]),
    },
)


@pytest.mark.parametrize("number", range(len(SETTINGS)), ids=[str(one) for one in SETTINGS])
def test_transformers_probabilities(number):
    with np.load(GOLDENS / "generation.npz", allow_pickle=False) as file:
        x, ids, wanted = file["logits"], file["ids"], file[f"filtered_{number}"]
    seen = np.zeros(x.shape, bool)
    np.put_along_axis(seen, ids, True, -1)
    sampler = Sampler(**SETTINGS[number])
    got = softmax(sampler.filtered(sampler.penalised(x, seen, None)))
    tied = [len(set(row[np.isfinite(row)])) < np.isfinite(row).sum() for row in x]
    assert tied == [False, True, True, False, False, False, False]
    for row, (mine, theirs) in enumerate(zip(got, wanted, strict=True)):
        if tied[row]:  # torch.sort leaves equals in no certain order
            mine, theirs = np.sort(mine), np.sort(theirs)
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
        np.testing.assert_array_equal(mine > 0, theirs > 0)


@given(logits((3, 7)), st.integers(1, 9))
def test_top_k_keeps_what_is_not_below_the_kth(x, k):
    got = keep_top_k(x, k)
    for row, kept in zip(x, got, strict=True):
        least = sorted(row.tolist())[-min(k, 7)]
        assert kept.tolist() == [v if v >= least else -math.inf for v in row.tolist()]


@given(logits((3, 7)), st.sampled_from([0.0, 0.119, 0.5003, 0.873, 0.999]))
def test_top_p_keeps_the_likeliest_until_they_sum_to_p(x, p):
    got = keep_top_p(x, p)
    for row, kept in zip(softmax(x.astype(np.float64)), np.isfinite(got), strict=True):
        total, wanted = 0.0, set()
        for i in sorted(range(7), key=lambda i: (-row[i], -i)):
            if wanted and (total >= p - 1e-6 * (1 - p) or not row[i]):
                break
            wanted.add(i)
            total += row[i]
        assert set(np.flatnonzero(kept).tolist()) == wanted
    assert np.array_equal(got[np.isfinite(got)], x[np.isfinite(got)])


def test_top_p_takes_rounding_for_what_it_is():
    # Nine of ten equal ones sum to 0.9, though 1 - 0.9 is a little below 0.1.
    kept = np.isfinite(keep_top_p(np.zeros((1, 10), np.float32), 0.9))
    assert kept.tolist() == [[False] + [True] * 9]


@given(logits((3, 7)), st.sampled_from([0.029, 0.611, 1.0]))
def test_min_p_compares_with_the_likeliest(x, p):
    wanted = softmax(x.astype(np.float64))
    kept = wanted >= p * wanted.max(-1, keepdims=True) * (1 - 1e-6)
    np.testing.assert_array_equal(keep_min_p(x, p), np.where(kept, x, -np.inf))


def test_repetition_penalty_divides_and_multiplies():
    x = np.array([[2.0, -2.0, 0.0, 3.0, -np.inf]], np.float32)
    seen = np.array([[True, True, True, False, True]])
    assert penalise_repetition(x, seen, 2.0).tolist() == [[1.0, -4.0, 0.0, 3.0, -np.inf]]


def test_frequency_penalty_counts():
    x = np.array([[1.0, 1.0, 1.0]], np.float32)
    got = penalise_frequency(x, np.array([[0, 1, 3]]), 0.25, 0.5)
    assert got.dtype == np.float32
    assert got.tolist() == [[1.0, 0.25, -0.25]]


@pytest.mark.parametrize("shape", [(0, 5), (2, 3, 4), (5,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filters_keep_shape_and_dtype(shape, dtype):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    before = x.copy()
    for filtered in (
        apply_temperature(x, 0.5),
        keep_top_k(x, 2),
        keep_top_k(x, 99),
        keep_top_p(x, 0.5),
        keep_min_p(x, 0.5),
        penalise_repetition(x, x > 0, 1.5),
        penalise_frequency(x, np.ones(shape, int), 1.0, 0.0),
    ):
        assert (filtered.shape, filtered.dtype) == (shape, dtype)
        assert not np.shares_memory(filtered, x)
    np.testing.assert_array_equal(x, before)


@given(shapes.flatmap(logits), settings, st.integers(0, 2**32))
def test_one_row_is_drawn_as_in_a_batch(x, setting, seed):
    u = np.random.default_rng(seed).random(len(x))
    for sampler in (Sampler(**setting), Sampler(temperature=0), Sampler(**setting, do_sample=False)):
        assert sampler.rows(x, u).tolist() == [
            sampler.row(row, one) for row, one in zip(x, u.tolist(), strict=True)
        ]


@pytest.mark.parametrize(
    "setting", [{}, {"top_k": 50}, {"top_p": 0.9}, {"top_k": 3000, "min_p": 0.01}], ids=str
)
def test_one_row_of_a_large_vocabulary(setting):
    rng = np.random.default_rng(0)
    x, u = rng.normal(0, 3, (4, 5000)).astype(np.float32), rng.random(4)
    sampler = Sampler(**setting)
    assert sampler.rows(x, u).tolist() == [sampler.row(row, one) for row, one in zip(x, u, strict=True)]


@given(logits((1, 9)), settings, st.sampled_from([0.0, 2.0**-53, 0.5, 1 - 2.0**-53]))
def test_what_was_ruled_out_is_never_drawn(x, setting, u):
    sampler = Sampler(**setting)
    assert np.isfinite(sampler.filtered(x)[0, sampler.row(x[0], u)])


@given(logits((1, 9)), settings)
def test_the_draw_inverts_the_distribution(x, setting):
    sampler = Sampler(**setting)
    p = softmax(sampler.filtered(x).astype(np.float64))[0]
    points = (np.arange(400) + 0.5) / 400
    drawn = np.bincount(sampler.rows(np.repeat(x, 400, 0), points), minlength=9) / 400
    assert np.abs(drawn - p).max() <= 1 / 400 + 1e-6


@pytest.mark.parametrize(
    "setting",
    [{}, {"temperature": 0.6}, {"top_k": 5}, {"top_p": 0.8}, {"min_p": 0.1}, {"top_k": 8, "top_p": 0.7}],
    ids=str,
)
def test_frequencies_are_the_probabilities(setting):
    rng = np.random.default_rng(1)
    x, n, sampler = rng.normal(size=12).astype(np.float32), 20_000, Sampler(**setting)
    p = softmax(sampler.filtered(x[None]).astype(np.float64))[0]
    drawn = np.bincount([sampler.row(x, u) for u in rng.random(n).tolist()], minlength=12)
    sigma = np.sqrt(n * p * (1 - p))
    assert (np.abs(drawn - n * p) <= 5 * sigma + 1e-9).all()
    assert (drawn[p == 0] == 0).all()


@pytest.mark.parametrize("temperature", [1e-3, 1e-12, 1e-300, 5e-324])
def test_nearly_no_temperature(temperature):
    x = np.array([-1e30, 1.0, 2.0, 1e30, -np.inf], np.float32)
    sampler = Sampler(temperature=temperature)
    assert {sampler.row(x, u) for u in (0.0, 0.35, 0.75, 0.99)} == {3}
    assert sampler.rows(x[None], np.array([0.5])).tolist() == [3]


def test_all_temperature():
    x = np.array([-5.0, 1.0, 2.0, 3.0, -np.inf], np.float32)
    sampler = Sampler(temperature=1e300)
    assert [sampler.row(x, u) for u in (0.0, 0.26, 0.51, 0.76, 0.99)] == [0, 1, 2, 3, 3]


def test_greedy_takes_the_first_of_equals():
    x = np.array([1.0, 3.0, 3.0, -np.inf], np.float32)
    assert Sampler(temperature=0).row(x, 0.9) == 1
    assert Sampler(temperature=0.7, do_sample=False).rows(x[None], np.zeros(1)).tolist() == [1]


@pytest.mark.parametrize("setting", [{}, {"temperature": 0}, {"top_k": 2}, {"top_p": 0.5}], ids=str)
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, np.nan, 2.0], "1 NaN"),
        ([-np.inf] * 3, "3 -inf"),
        ([1.0, np.inf, 2.0], r"1 \+inf"),
    ],
)
def test_logits_without_a_token(setting, values, said):
    x, sampler = np.array(values, np.float32), Sampler(**setting)
    with pytest.raises(ArgumentError, match=f"no token to draw: {said} among 3"):
        sampler.row(x, 0.5)
    with pytest.raises(ArgumentError, match=f"no token to draw: {said} among 3"):
        sampler.rows(np.stack([np.zeros_like(x), x]), np.array([0.5, 0.5]))


@pytest.mark.parametrize(
    ("setting", "error", "said"),
    [
        ({"temperature": -0.1}, ArgumentError, "temperature.*-0.1"),
        ({"temperature": math.nan}, ArgumentError, "temperature.*nan"),
        ({"temperature": math.inf}, ArgumentError, "temperature.*inf"),
        ({"temperature": "hot"}, DTypeError, "temperature.*'hot'"),
        ({"temperature": True}, DTypeError, "temperature.*True"),
        ({"top_k": 0}, ArgumentError, "top_k.*0"),
        ({"top_k": 2.0}, DTypeError, r"top_k.*2\.0"),
        ({"top_k": True}, DTypeError, "top_k.*True"),
        ({"top_p": 1.1}, ArgumentError, r"top_p.*1\.1"),
        ({"top_p": -1}, ArgumentError, "top_p.*-1"),
        ({"min_p": 2}, ArgumentError, "min_p.*2"),
        ({"repetition_penalty": 0}, ArgumentError, "repetition_penalty.*0"),
        ({"repetition_penalty": -1.0}, ArgumentError, "repetition_penalty.*-1"),
        ({"frequency_penalty": math.inf}, ArgumentError, "frequency_penalty.*inf"),
        ({"presence_penalty": None}, DTypeError, "presence_penalty.*None"),
        ({"do_sample": "yes"}, ArgumentError, "do_sample.*'yes'"),
        ({"do_sample": True, "temperature": 0}, ArgumentError, "do_sample=True contradicts temperature=0"),
    ],
    ids=str,
)
def test_settings_out_of_range(setting, error, said):
    with pytest.raises(error, match=f"^here: {said}"):
        Sampler("here", **setting)
