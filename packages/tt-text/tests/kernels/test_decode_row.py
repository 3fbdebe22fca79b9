"""A token through all layers in few calls: what the loops give, or no result at all."""

import copy
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_tensor import kernels
from tt_text.kernels import decode_layers, decode_row
from tt_text.kernels.decode_layers import Layers
from tt_text.kernels.row import Row

ACTIVATIONS = ["gelu", "gelu_tanh", "relu", "silu"]


def drawn(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def made(n=8, heads=4, groups=2, d=3, hidden=20, activation="gelu", affine=True, depth=2, seed=0, factor=0.5):
    """Layers of random weights; without `affine`, none has what could be left out."""
    rng = np.random.default_rng(seed)

    def some(*shape):
        return drawn(rng, *shape) if affine else None

    parts = []
    for _ in range(depth):
        rows = (heads + 2 * groups) * d
        front = some(n), some(n), 1e-5, drawn(rng, rows, n), some(rows)
        out = drawn(rng, n, heads * d), some(n)
        rest = (
            some(n),
            some(n),
            1e-3,
            drawn(rng, hidden, n),
            some(hidden),
            activation,
            drawn(rng, n, hidden),
            some(n),
        )
        parts.append((front, factor, (*out, *rest)))
    return Layers(parts)


def memory(depth=2, texts=1, groups=2, room=9, d=3, seed=1):
    rng = np.random.default_rng(seed)
    return [(drawn(rng, texts, groups, room, d), drawn(rng, texts, groups, room, d)) for _ in range(depth)]


def run(name, x, layers, held, first=1, stop=6, mask=None):
    """What a kernel gives, and the memory as it leaves it."""
    held = copy.deepcopy(held)
    return kernels.kernel("decode_layers", name)(x, layers, held, first, stop, mask), held


def same(found, wanted, tolerance=1e-4):
    np.testing.assert_allclose(found[0], wanted[0], rtol=tolerance, atol=tolerance)
    for one, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.fixture
def ways(monkeypatch):
    """How often a token went this way, and how often it had to go another."""
    counts = {"here": 0, "not": 0}
    decoded = Row.decoded

    def counted(self, *arguments):
        y = decoded(self, *arguments)
        counts["not" if y is None else "here"] += 1
        return y

    monkeypatch.setattr(Row, "decoded", counted)
    return counts


@pytest.mark.parametrize("affine", [True, False], ids=["affine", "bare"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_what_the_loops_give(activation, affine, ways):
    layers, held, rng = made(activation=activation, affine=affine), memory(), np.random.default_rng(2)
    for first, stop in ((0, 1), (1, 6), (0, 9)):
        x = drawn(rng, 1, 1, 8)
        found = run("numpy", x, layers, held, first, stop)
        assert found[0].dtype == np.float32 and found[0].shape == x.shape
        same(found, run("loops", x, layers, held, first, stop))
    assert ways == {"here": 3, "not": 0}


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9)
)  # fmt: skip
def test_every_size(n, groups, share, d, hidden, stop):
    layers = made(n, groups * share, groups, d, hidden)
    x = drawn(np.random.default_rng(n), 1, 1, n)
    held = memory(groups=groups, d=d)
    assert decode_row.suits(layers)
    wanted = run("loops", x, layers, held, 0, stop)
    same((decode_row.decode_row(x, layers, held, 0, stop), held), wanted, 1e-3)


def test_a_long_text_and_a_cache_of_another_width():
    layers = made(depth=1)
    x = drawn(np.random.default_rng(0), 1, 1, 8)
    held = memory(depth=1, room=300, texts=3)
    same(run("numpy", x, layers, held, 0, 300), run("loops", x, layers, held, 0, 300))
    # More heads of keys and values than the weights make: NumPy says what does not fit, as ever.
    assert decode_row.decode_row(x, layers, memory(depth=1, groups=3), 0, 4) is None


@pytest.mark.parametrize("offset", [3.0, 1e3, 1e5])
def test_a_large_mean_costs_no_digits(offset, ways):
    layers, held = made(depth=1, affine=False), memory(depth=1)
    x = (np.random.default_rng(0).integers(-64, 64, (1, 1, 8)) / 64 + offset).astype(np.float32)
    found, wanted = run("numpy", x, layers, held), run("loops", x, layers, held)
    np.testing.assert_allclose(
        found[0] - np.float32(offset), wanted[0] - np.float32(offset), rtol=1e-3, atol=2e-7 * offset
    )
    same(found, wanted)
    assert ways["here"] == 1


@pytest.mark.parametrize("factor", [300.0, -300.0])
def test_scores_that_exp_overflows_or_underflows_at(factor, ways):
    """The token is computed once more with the largest taken off; later ones at once."""
    layers, held = made(factor=factor), memory()
    passes = []
    through = Row._tried

    def counted(self, *arguments):
        passes.append(self.shifted)
        return through(self, *arguments)

    with patch.object(Row, "_tried", counted):
        for seed in range(3):
            x = drawn(np.random.default_rng(seed), 1, 1, 8)
            same(run("numpy", x, layers, held), run("loops", x, layers, held), 1e-3)
    assert passes == [False, True, True, True]
    assert ways == {"here": 3, "not": 0}


@pytest.mark.parametrize("score", [-97.0, 88.0])
def test_scores_at_which_exp_has_few_digits_or_sums_no_room(score, ways):
    """All of them near one number: exp is finite and not 0, but denormal, or its sum is beyond float32."""
    layers, held = made(depth=1, factor=1.0), memory(depth=1)
    _, _, _, qkv, bias = layers.parts[0][0]
    qkv[:] = 0
    bias[:12], bias[12:18] = 3, score / 9  # q, key
    keys = held[0][0]
    keys[:] = score / 9 + 0.1 * keys
    x = drawn(np.random.default_rng(0), 1, 1, 8)
    same(run("numpy", x, layers, held), run("loops", x, layers, held), 1e-4)
    assert ways["here"] == 1


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_what_is_not_finite_or_huge_goes_another_way(value, activation, ways):
    layers, held = made(activation=activation), memory()
    x = drawn(np.random.default_rng(0), 1, 1, 8)
    with np.errstate(all="ignore"):
        for place in ("keys", "up", "x"):
            other, changed, y = copy.deepcopy(held), made(activation=activation), x.copy()
            if place == "keys":
                other[0][0][0, 0, 2, 1] = value
            elif place == "up":
                changed.parts[1][2][6][3] = value  # its bias
            else:
                y[0, 0, 3] = value
            with patch.object(decode_layers, "suits", lambda _: False):
                wanted = run("numpy", y, changed, other)
            found = run("numpy", y, changed, other)
            np.testing.assert_allclose(found[0], wanted[0], rtol=1e-4, atol=1e-4)
    same(run("numpy", x, layers, held), run("loops", x, layers, held))


def test_what_it_is_not_for():
    """Other dtypes, weights of their own kind, several rows, masks: the kernel takes them one by one."""
    x, held = drawn(np.random.default_rng(0), 1, 1, 8), memory()
    double = made()
    double.parts = [
        tuple(
            tuple(one.astype(np.float64) if isinstance(one, np.ndarray) else one for one in group)
            if isinstance(group, tuple)
            else group
            for group in part
        )
        for part in double.parts
    ]
    assert not decode_row.suits(double)
    same(run("numpy", x, double, held), run("loops", x, double, held))
    for wrong in (made(activation="mish"), Layers([]), made(n=0)):
        assert not decode_row.suits(wrong)
    layers, wide = made(), memory(texts=2)
    with patch.object(Row, "decoded", side_effect=AssertionError("several rows, or a mask")):
        two = drawn(np.random.default_rng(0), 2, 1, 8)
        same(run("numpy", two, layers, wide), run("loops", two, layers, wide))
        two = two.reshape(1, 2, 8)
        same(run("numpy", two, layers, held), run("loops", two, layers, held))
        mask = np.array([[False, True, True, True, True]])
        same(run("numpy", x, layers, held, mask=mask), run("loops", x, layers, held, mask=mask))


def test_what_is_written_to_weights_counts():
    layers, held = made(), memory()
    x = drawn(np.random.default_rng(0), 1, 1, 8)
    run("numpy", x, layers, held)
    layers.parts[1][2][5][...] *= -2
    same(run("numpy", x, layers, held), run("loops", x, layers, held))


def test_one_inside_of_another_has_memory_of_its_own():
    """As a signal's handler may be, or another thread's."""
    layers, held = made(depth=1), memory(depth=1)
    rng = np.random.default_rng(0)
    x, inner = drawn(rng, 1, 1, 8), drawn(rng, 1, 1, 8)
    wanted = run("loops", x, layers, held), run("loops", inner, layers, held)
    normalize, found = decode_row.LayerNormRow.normalize, []

    def interrupted(self, *arguments):
        if not found:
            found.append(None)
            found[0] = run("numpy", inner, layers, held)
        normalize(self, *arguments)

    with patch.object(decode_row.LayerNormRow, "normalize", interrupted):
        same(run("numpy", x, layers, held), wanted[0])
    same(found[0], wanted[1])
    assert len(layers.rows) == 2
    first = run("numpy", x, layers, held)[0]
    kept = first.copy()
    run("numpy", inner, layers, held)
    np.testing.assert_array_equal(first, kept)
