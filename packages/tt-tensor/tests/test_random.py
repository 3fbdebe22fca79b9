"""Random numbers: same seed same bits, states that resume exactly, the moments of each distribution."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

DRAWS = {
    "rand": lambda g: tt.rand(3, 4, generator=g),
    "rand float64": lambda g: tt.rand((3, 4), dtype="float64", generator=g),
    "rand float16": lambda g: tt.rand(5, dtype="float16", generator=g),
    "randn": lambda g: tt.randn(3, 4, generator=g),
    "randn float64": lambda g: tt.randn(7, dtype="float64", generator=g),
    "randint": lambda g: tt.randint(0, 100, (9,), generator=g),
    "randint uint8": lambda g: tt.randint(256, (9,), dtype="uint8", generator=g),
    "normal": lambda g: tt.normal(1.0, 2.0, (5,), generator=g),
    "uniform": lambda g: tt.uniform(-1, 1, (5,), generator=g),
    "bernoulli": lambda g: tt.bernoulli(0.3, (40,), generator=g),
    "randperm": lambda g: tt.randperm(20, generator=g),
    "permutation": lambda g: tt.permutation(tt.arange(20), generator=g),
    "choice": lambda g: tt.choice(tt.arange(20), (9,), generator=g),
    "choice without": lambda g: tt.choice(50, 9, replace=False, generator=g),
    "multinomial": lambda g: tt.multinomial(tt.arange(20), 9, generator=g),
    "multinomial with": lambda g: tt.multinomial(tt.ones(3, 20), 9, True, generator=g),
    "rand_like": lambda g: tt.rand_like(tt.zeros(3, 4), generator=g),
    "randn_like": lambda g: tt.randn_like(tt.zeros(3, 4), generator=g),
    "randint_like": lambda g: tt.randint_like(tt.zeros(3, 4), 100, generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_same_seed_same_bits(name):
    draw = DRAWS[name]
    first = draw(tt.Generator(5))
    again = draw(tt.Generator(5))
    other = draw(tt.Generator(6))
    np.testing.assert_array_equal(first.numpy(), again.numpy(), strict=True)
    assert not np.array_equal(first.numpy(), other.numpy())
    tt.manual_seed(5)
    np.testing.assert_array_equal(first.numpy(), draw(None).numpy(), strict=True)


@pytest.mark.parametrize("name", DRAWS)
def test_state_resumes_exactly(name):
    draw, generator = DRAWS[name], tt.Generator(11)
    tt.randint(5, (3,), dtype="int32", generator=generator)  # leaves half of a 64-bit draw behind
    state = json.loads(json.dumps(generator.get_state()))
    first = [draw(generator) for _ in range(3)]
    restored = tt.Generator(0).set_state(state)
    for wanted in first:
        np.testing.assert_array_equal(draw(restored).numpy(), wanted.numpy())
    np.testing.assert_array_equal(draw(generator.set_state(state)).numpy(), first[0].numpy())


def test_golden_bits():
    """The numbers of seed 0, so that an experiment of today can be repeated on another machine."""
    generator = tt.Generator(0)
    np.testing.assert_array_equal(
        tt.randint(1000, (6,), generator=generator).tolist(), [850, 636, 511, 269, 307, 40]
    )
    wanted = [0.6369616873214543, 0.2697867137638703]
    assert tt.rand(2, dtype="float64", generator=tt.Generator(0)).tolist() == wanted


N = 40_000


def moments(values, mean, variance):
    """Mean and variance within five standard errors (of a distribution with a kurtosis below 10)."""
    values = np.asarray(values, np.float64)
    assert abs(values.mean() - mean) < 5 * np.sqrt(variance / values.size) + 1e-12
    assert abs(values.var() - variance) < 5 * variance * np.sqrt(9 / values.size) + 1e-12


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_moments(dtype):
    g = tt.Generator(0)
    x = tt.rand(N, dtype=dtype, generator=g)
    assert x.dtype == np.dtype(dtype)
    moments(x.numpy(), 0.5, 1 / 12)
    assert x.numpy().min() >= 0
    assert x.numpy().max() < 1
    moments(tt.randn(N, dtype=dtype, generator=g).numpy(), 0, 1)
    moments(tt.uniform(-2, 3, (N,), dtype=dtype, generator=g).numpy(), 0.5, 25 / 12)
    moments(tt.normal(1.5, 0.5, (N,), dtype=dtype, generator=g).numpy(), 1.5, 0.25)


def test_float32_is_drawn_as_float32():
    x = tt.randn(1000, generator=tt.Generator(1))
    np.testing.assert_array_equal(
        x.numpy(), np.random.Generator(np.random.PCG64(1)).standard_normal(1000, np.float32)
    )
    assert x.dtype == np.float32


def test_integers_are_equally_likely():
    x = tt.randint(-2, 3, (N,), generator=tt.Generator(0)).numpy()
    assert x.dtype == np.int64
    found = np.unique_counts(x)
    assert found.values.tolist() == [-2, -1, 0, 1, 2]
    assert np.abs(found.counts - N / 5).max() < 5 * np.sqrt(N * 0.2 * 0.8)
    assert tt.randint(5, (2, 3)).shape == (2, 3)
    assert tt.randint(5).shape == ()
    assert tt.randint(0, 256, (1000,), dtype="uint8").numpy().max() > 200
    assert tt.randint(2**63 - 1, 2**63, (1,), dtype="uint64").item() == 2**63 - 1


def test_bernoulli():
    g = tt.Generator(0)
    x = tt.bernoulli(0.3, (N,), generator=g)
    assert x.dtype == np.float32
    moments(x.numpy(), 0.3, 0.21)
    assert np.all(tt.bernoulli(0.0, (1000,)).numpy() == 0)
    assert np.all(tt.bernoulli(1.0, (1000,)).numpy() == 1)
    p = tt.tensor([[0.0, 1.0], [1.0, 0.0]], dtype="float64")
    y = tt.bernoulli(p)
    np.testing.assert_array_equal(y.numpy(), p.numpy(), strict=True)
    assert tt.bernoulli(p, dtype="bool").dtype == np.bool_
    assert tt.bernoulli(1, (2,)).tolist() == [1, 1]


def test_uniform_and_normal_take_tensors():
    low = tt.tensor([[0.0], [10.0]])
    x = tt.uniform(low, low + 1, (2, 500)).numpy()
    assert np.all((x >= low.numpy()) & (x <= low.numpy() + 1))
    assert tt.uniform(low, tt.tensor([20.0, 30.0])).shape == (2, 2)
    spread = tt.normal(tt.tensor([0.0, 100.0]), tt.tensor([0.0, 1.0]))
    assert spread[0].item() == 0
    assert 90 < spread[1].item() < 110
    assert tt.uniform(3.0, 3.0, (4,)).tolist() == [3.0] * 4


@given(st.floats(-(2.0**100), 2.0**100, width=32), st.floats(0, 2.0**100, width=32))
def test_uniform_stays_below_its_end(low, width):
    high = np.float32(np.float32(low) + np.float32(width))
    if np.isfinite(high):
        x = tt.uniform(low, float(high), (50,)).numpy()
        assert np.all((x >= np.float32(low)) & ((x < high) | (high == np.float32(low))))


def test_permutations():
    p = tt.randperm(100, generator=tt.Generator(0))
    assert p.dtype == np.int64
    assert sorted(p.tolist()) == list(range(100))
    assert tt.randperm(0).shape == (0,)
    x = tt.arange(12).reshape(6, 2)
    y = tt.permutation(x, generator=tt.Generator(0))
    assert sorted(y.tolist()) == x.tolist()
    assert y.tolist() != x.tolist()
    assert not y.shares_memory(x)
    np.testing.assert_array_equal(
        tt.permutation(5, generator=tt.Generator(2)).numpy(),
        tt.randperm(5, generator=tt.Generator(2)).numpy(),
    )


def test_rows_drawn_at_random_keep_their_gradient(notes):
    x = tt.rand(4, 2, requires_grad=True)
    assert tt.permutation(x).requires_grad
    assert tt.choice(x, 3).requires_grad


def test_choice():
    g = tt.Generator(0)
    x = tt.choice(tt.tensor([5.0, 6.0, 7.0]), (N,), p=tt.tensor([0.7, 0.0, 0.3]), generator=g).numpy()
    assert set(x.tolist()) == {5.0, 7.0}
    assert abs((x == 5).mean() - 0.7) < 5 * np.sqrt(0.21 / N)
    rows = tt.choice(tt.arange(12).reshape(6, 2), 6, replace=False, generator=g)
    assert sorted(rows.tolist()) == tt.arange(12).reshape(6, 2).tolist()
    assert tt.choice(3).shape == ()
    assert tt.choice(tt.zeros(4, 2), (3, 5)).shape == (3, 5, 2)


def test_multinomial_with_replacement():
    weights = np.array([1.0, 0.0, 3.0, 4.0])
    x = tt.multinomial(weights, N, replacement=True, generator=tt.Generator(0)).numpy()
    share = np.bincount(x, minlength=4) / N
    assert share[1] == 0
    assert np.abs(share - weights / 8).max() < 5 * np.sqrt(0.25 / N)
    rows = tt.multinomial(tt.tensor([[0.0, 1.0], [2.0, 0.0]]), 7, True)
    np.testing.assert_array_equal(rows.numpy(), [[1] * 7, [0] * 7])


def test_multinomial_without_replacement_is_drawing_one_after_the_other():
    weights, g = np.array([1.0, 2.0, 5.0]), tt.Generator(0)
    pairs = tt.multinomial(np.tile(weights, (N, 1)), 2, generator=g).numpy()
    assert pairs.shape == (N, 2)
    assert np.all(pairs[:, 0] != pairs[:, 1])
    for first in range(3):
        for second in set(range(3)) - {first}:
            wanted = weights[first] / 8 * weights[second] / (8 - weights[first])
            share = np.mean((pairs[:, 0] == first) & (pairs[:, 1] == second))
            assert abs(share - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / N)
    assert sorted(tt.multinomial([1, 0, 1], 2).tolist()) == [0, 2]
    assert tt.multinomial(tt.zeros(0, 3), 2).shape == (0, 2)
    assert tt.multinomial([1.0], 0).shape == (0,)


def test_like_takes_shape_and_dtype():
    x = tt.zeros(2, 3, dtype="float64")
    assert tt.rand_like(x).dtype == tt.randn_like(x).dtype == np.float64
    assert tt.rand_like(x, dtype="float32").dtype == np.float32
    assert tt.randn_like(x, requires_grad=True).requires_grad
    assert tt.randint_like(x, 3).dtype == np.int64
    assert tt.randint_like(tt.zeros(2, dtype="int8"), 1, 3).dtype == np.int8


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for draw in DRAWS.values():
            draw(tt.Generator(0))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: tt.rand(2, dtype="int64"), DTypeError, "use randint"),
        (lambda: tt.randn(-1), ShapeError, "negative"),
        (lambda: tt.randint(5, 5), ArgumentError, "no integer from 5"),
        (lambda: tt.randint(0, 300, (2,), dtype="uint8"), ArgumentError, "does not fit into uint8"),
        (lambda: tt.randint(0, 2.5), DTypeError, "high is an integer"),
        (lambda: tt.randint(5, (2,), dtype="float32"), DTypeError, "draws integers"),
        (lambda: tt.uniform(1, 0), ArgumentError, "low is above high"),
        (lambda: tt.uniform(0, float("inf")), ArgumentError, "high is not finite"),
        (lambda: tt.uniform(tt.zeros(3), 1, (2,)), ShapeError, "do not broadcast"),
        (lambda: tt.normal(0, -1), ArgumentError, "std is negative"),
        (lambda: tt.normal(float("nan"), 1), ArgumentError, "mean is not finite"),
        (lambda: tt.normal(0, 1, "abc"), DTypeError, "a size is an integer"),
        (lambda: tt.bernoulli(1.5), ArgumentError, "from 0 to 1"),
        (lambda: tt.bernoulli(float("nan")), ArgumentError, "from 0 to 1"),
        (lambda: tt.randperm(-1), ArgumentError, "negative"),
        (lambda: tt.randperm(2.5), DTypeError, "n is an integer"),
        (lambda: tt.permutation(tt.tensor(1.0)), ShapeError, "no rows"),
        (lambda: tt.choice(0), ArgumentError, "choice"),
        (lambda: tt.choice(3, 5, replace=False), ArgumentError, "choice"),
        (lambda: tt.choice(3, 5, p=[0.5, 0.5]), ArgumentError, "choice"),
        (lambda: tt.choice(2, 5, p=[0.5, 0.7]), ArgumentError, "choice"),
        (lambda: tt.choice(tt.tensor(1.0)), ShapeError, "no rows"),
        (lambda: tt.multinomial([0.0, 0.0], 1), ArgumentError, "weights above zero"),
        (lambda: tt.multinomial([1.0, 0.0], 2), ArgumentError, "without replacement"),
        (lambda: tt.multinomial([-1.0, 1.0], 1), ArgumentError, "not negative"),
        (lambda: tt.multinomial(tt.ones(1, 1, 1), 1), ShapeError, "classes"),
        (lambda: tt.multinomial([1.0], -1), ArgumentError, "negative"),
    ],
)
def test_wrong_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_probabilities_are_a_vector():
    with pytest.raises(ArgumentError, match="choice"):
        tt.choice(2, 3, p=0.5)
